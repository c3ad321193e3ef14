"""The engine: written before sent, facts behind their event, intents before the next frame."""

from typing import Any

import pytest

from holdfast.core.state import State
from holdfast.runtime.engine import Engine
from holdfast.vocab.effects import Call, Record
from holdfast.vocab.events import CallDone, OrderIntent, Started, Verb
from holdfast.vocab.facts import EpochBegan, HashMark, OrderApproved, OrderMoved
from holdfast.vocab.holds import Scope
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Lane, OrderState
from holdfast.vocab.requests import PlaceOrder
from tests.house.events import a_command, a_quote, a_start, an_intent
from tests.house.room import a_running_core


class Paper:
    """A journal on paper: what was appended, and where the writes and syncs came in between."""

    def __init__(self) -> None:
        self.record_count = 0
        self.lines: list[Any] = []

    def append(self, record: Record, market_pos: int, *, urgent: bool = False) -> None:
        self.record_count += 1
        self.lines.append(record)

    def write(self) -> int:
        self.lines.append("write")
        return self.record_count

    def sync(self) -> int:
        self.lines.append("sync")
        return self.record_count

    def close(self) -> None:
        self.lines.append("close")


class Frames:
    """A market log that only counts."""

    frame_count = 0

    def append(self, raw: bytes, wall_ns: int, mono_ns: int, feed: int = 0) -> None:
        self.frame_count += 1

    def flush(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Nothing to close."""


class World:
    """Where effects go, in order, into the same list as the journal's lines."""

    def __init__(self, lines: list[Any]) -> None:
        self.lines = lines

    def call(self, call: Call) -> None:
        self.lines.append(call)

    def __getattr__(self, name: str) -> Any:
        return lambda effect: self.lines.append((name, effect))


class Wants:
    """A host whose strategies want what the test says."""

    fact_kinds: frozenset[type] = frozenset()

    def __init__(self) -> None:
        self.next: list[Any] = []

    def on_market(self, event: Any) -> list[Any]:
        wants, self.next = self.next, []
        return wants

    def on_fact(self, fact: Any, *, wall_ns: int, mono_ns: int) -> list[Any]:
        return []


class Desk:
    def __init__(self, state: State | None = None) -> None:
        self.journal = Paper()
        self.host = Wants()
        self.flushes = 0
        self.engine = Engine(
            state=State() if state is None else state,
            host=self.host,
            journal=self.journal,
            market_log=Frames(),
            world=World(self.journal.lines),  # type: ignore[arg-type]
            need_flush=self._count,
        )

    def _count(self) -> None:
        self.flushes += 1


def test_an_event_is_journaled_and_its_facts_stand_right_behind_it() -> None:
    """Recovery folds facts; a replay compares each with the one decided again: their order is the contract."""
    desk = Desk()
    desk.engine.put(a_start())
    kinds = [type(line) for line in desk.journal.lines[:2]]
    assert [Started, EpochBegan] == kinds


def test_nothing_is_asked_of_the_venue_before_the_batch_is_written() -> None:
    """I22: what is not written down must not happen."""
    desk = Desk()
    desk.engine.put(a_start())
    assert not [line for line in desk.journal.lines if isinstance(line, Call)]
    desk.engine.flush()
    lines = desk.journal.lines
    first_call = next(index for index, line in enumerate(lines) if isinstance(line, Call))
    assert "write" in lines[:first_call]


def a_trading_desk() -> Desk:
    room = a_running_core()
    return Desk(room.state)


def test_an_order_leaves_only_after_a_sync() -> None:
    """A write survives our death, a sync survives a power loss: an order needs the second."""
    desk = a_trading_desk()
    desk.engine.frames([a_quote(seq=10_000, mono_ns=desk.engine.state.live.now_mono_ns + 1)])
    now = desk.engine.state.live
    desk.engine.put(an_intent(intent_seq=9_000, mono_ns=now.now_mono_ns, wall_ns=now.now_wall_ns))
    desk.engine.flush()
    lines = desk.journal.lines
    approved = next(index for index, line in enumerate(lines) if isinstance(line, OrderApproved))
    placed = next(
        index
        for index, line in enumerate(lines)
        if isinstance(line, Call) and isinstance(line.request, PlaceOrder)
    )
    assert approved < lines.index("sync") < placed
    assert Lane.RISK is lines[placed].lane


@pytest.mark.parametrize(("strategy", "leaves"), [("alpha", False), ("beta", True)])
def test_a_hold_that_halts_keeps_back_what_its_batch_approved_before_it(strategy: str, leaves: bool) -> None:
    """No latch is tripped for a part of the account, nor for a hold that releases itself: nobody else stops it."""
    desk = a_trading_desk()
    session = desk.engine.state.live
    now = {"mono_ns": session.now_mono_ns + 1, "wall_ns": session.now_wall_ns}
    desk.engine.frames([a_quote(seq=10_000, **now)])
    desk.engine.put(an_intent(intent_seq=9_000, **now))
    desk.engine.put(a_command(Verb.HALT, scope=Scope(strategy=strategy), **now))
    desk.engine.flush()
    placed = [
        line for line in desk.journal.lines if isinstance(line, Call) and isinstance(line.request, PlaceOrder)
    ]
    assert leaves == bool(placed)
    moves = [line.state for line in desk.journal.lines if isinstance(line, OrderMoved)]
    assert ([] if leaves else [OrderState.UNSENT]) == moves


def test_intents_of_a_quote_are_stepped_before_the_next_frame() -> None:
    """Otherwise a burst of frames would age every decision by the whole burst."""
    desk = a_trading_desk()
    mono = desk.engine.state.live.now_mono_ns
    wall = desk.engine.state.live.now_wall_ns
    desk.host.next = [an_intent(intent_seq=9_000, mono_ns=mono + 1, wall_ns=wall)]
    desk.engine.frames([a_quote(seq=10_000, mono_ns=mono + 1)])
    assert isinstance(desk.journal.lines[0], OrderIntent)
    assert isinstance(desk.journal.lines[1], OrderApproved)


def test_the_intents_of_a_read_stand_at_their_own_frame_in_the_log() -> None:
    """A replay steps as many frames before a record as stood in the log before it, though they came together."""
    desk = a_trading_desk()
    mono, wall = desk.engine.state.live.now_mono_ns, desk.engine.state.live.now_wall_ns
    wanted = [[], [an_intent(intent_seq=9_000, mono_ns=mono + 1, wall_ns=wall)], [], []]
    places: list[int] = []
    desk.host.on_market = lambda event: wanted.pop(0)  # type: ignore[method-assign]
    desk.journal.append = lambda record, market_pos, urgent=False: places.append(market_pos)  # type: ignore[method-assign]
    desk.engine.frames([a_quote(seq=10_000 + number, mono_ns=mono + 1) for number in range(3)])
    assert [2, 2] == places
    assert 3 == desk.engine.market_pos


def test_a_read_that_breaks_leaves_the_count_at_the_frame_that_broke_it() -> None:
    """What is journaled after it must say how far the core had come."""
    desk = a_trading_desk()
    mono = desk.engine.state.live.now_mono_ns

    def broken(event: Any) -> list[Any]:
        if event.seq == 10_001:
            raise InvariantBroken("a promise of ours")
        return []

    desk.host.on_market = broken  # type: ignore[method-assign]
    with pytest.raises(InvariantBroken):
        desk.engine.frames([a_quote(seq=10_000 + number, mono_ns=mono + 1) for number in range(4)])
    assert 2 == desk.engine.market_pos


def test_a_refused_quote_reaches_no_strategy() -> None:
    desk = a_trading_desk()
    mono = desk.engine.state.live.now_mono_ns
    good: Quote = a_quote(seq=10_000, mono_ns=mono + 1)
    desk.engine.frames([good])
    desk.engine.frames([good])  # repeated
    assert 1 == desk.engine.delivered_count


def test_the_books_hash_is_written_every_so_often_and_at_a_clean_stop() -> None:
    desk = Desk()
    desk.engine.put(a_start())
    desk.engine.mark_books(clean_stop=True)
    mark = desk.journal.lines[-1]
    assert isinstance(mark, HashMark)
    assert mark.books_hash == desk.engine.state.books_hash()
    assert mark.state_hash == desk.engine.state.state_hash()


def test_answers_to_nobody_are_ignored() -> None:
    """A reply to a question of an earlier life must not move anything."""
    from holdfast.vocab.outcome import Unknown

    desk = a_trading_desk()
    before = desk.engine.state.books_hash()
    now = desk.engine.state.live
    desk.engine.put(
        CallDone(wall_ns=now.now_wall_ns, mono_ns=now.now_mono_ns, call_id=10**9, outcome=Unknown(why="late"))
    )
    assert before == desk.engine.state.books_hash()
