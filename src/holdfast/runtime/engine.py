"""The engine: events in, one at a time, through the core; facts to the journal; effects to the world.

Synchronous and clockless, so that a backtest, a simulation and the live loop run exactly the same code. The
order is fixed: an event is journaled, stepped, its facts are journaled; a batch ends with one write (and one
sync where it sends an order); only then are its effects carried out. Intents that a callback returns are
stepped at once, before the next frame.

A full disk stops risk and not the exit: the first record that only the journal's reserve could take trips the
latch, and from then on strategies' wishes for risk are not heard. Everything else is written into the reserve,
so that cancelling, getting flat and whatever the books need go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, Protocol

from holdfast.core.state import State
from holdfast.core.step.machine import MARKET_STAGES, STAGES
from holdfast.ports.journal import JournalFull, JournalPort, MarketLogPort
from holdfast.runtime.timers import Timers
from holdfast.vocab.effects import (
    Alert,
    Call,
    ClearLatch,
    CommandAnswered,
    Effect,
    EndProcess,
    Record,
    SetTimer,
    Severity,
    TripLatch,
)
from holdfast.vocab.events import (
    AmendIntent,
    BasketIntent,
    CallDone,
    Event,
    OrderIntent,
    StrategySaved,
    TargetIntent,
)
from holdfast.vocab.facts import Fact, HashMark, HoldPlaced
from holdfast.vocab.holds import HoldLevel, Scope
from holdfast.vocab.invariant import invariant
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Suppressed, Withheld
from holdfast.vocab.requests import Request

HASH_EVERY_RECORDS: Final = 10_000
INBOX_MAX: Final = 10_000  # beyond this our own code is in a loop: an invariant, not a queue to grow


class Host(Protocol):
    """What the engine needs of the strategy host."""

    @property
    def fact_kinds(self) -> frozenset[type]:
        """Which facts ``on_fact`` wants to hear of."""
        ...

    def on_market(self, event: MarketEvent) -> Sequence[Event]: ...
    def on_fact(self, fact: Fact, *, wall_ns: int, mono_ns: int) -> Sequence[Event]: ...


class World(Protocol):
    """Where effects go. Called only after their batch is written down."""

    def call(self, call: Call) -> None:
        """Ask the venue; the answer must come back by ``Engine.put(CallDone)``."""
        ...

    def alert(self, alert: Alert) -> None: ...
    def answered(self, answer: CommandAnswered) -> None: ...
    def trip_latch(self, trip: TripLatch) -> None: ...
    def clear_latch(self, clear: ClearLatch) -> None: ...
    def end(self, end: EndProcess) -> None: ...


_RISK: Final = Lane.RISK  # a member looked up on its Enum costs 100 ns under Python 3.11
_FLATTEN: Final = Lane.FLATTEN
_UNHEARD_WHEN_FULL: Final = frozenset({OrderIntent, TargetIntent, BasketIntent, AmendIntent, StrategySaved})


class Engine:
    """One bot's loop body.

    ``need_flush`` is called when a batch has something to write or to send: the live loop schedules ``flush``
    for the end of the present turn, a backtest calls it at once.
    """

    __slots__ = (
        "_batch_sends",
        "_flushing",
        "_handlers",
        "_hash_at",
        "_host",
        "_inbox",
        "_journal",
        "_need_flush",
        "_out",
        "_stepping",
        "_tap",
        "_undelivered_count",
        "_world",
        "full",
        "market_pos",
        "on_refused",
        "state",
        "timers",
        "unheard_count",
    )

    def __init__(
        self,
        *,
        state: State,
        host: Host,
        journal: JournalPort,
        market_log: MarketLogPort,
        world: World,
        need_flush: Callable[[], None],
        tap: Callable[[int, Record], None] | None = None,
    ) -> None:
        self.state = state
        self.timers = Timers()
        self.full = ""  # why the journal takes only what the exit needs; empty while all is well
        # called with the place within its read of each frame that the core refused, and the event that it was
        self.on_refused: Callable[[int, MarketEvent], None] = _nothing
        self.unheard_count = 0  # wishes of strategies that a full journal had no room for
        self._tap = tap
        self._host = host
        self._journal = journal
        self.market_pos = market_log.frame_count  # how many frames were stepped, of those in the log
        # of all up to there: those of earlier lives, and what was refused or says nothing
        self._undelivered_count = self.market_pos
        self._world = world
        self._need_flush = need_flush
        self._inbox: deque[Event] = deque()
        self._out: list[Effect] = []
        self._batch_sends = False
        self._flushing = False
        self._stepping = False
        self._hash_at = journal.record_count + HASH_EVERY_RECORDS
        self._handlers: dict[type, Callable[..., None]] = {
            **dict.fromkeys((Quote, Trade, Mark, Depth, Malformed), self._deliver),
            **dict.fromkeys(host.fact_kinds, self._tell_host),
            HoldPlaced: self._on_hold,
            Call: self._on_call,
            SetTimer: self.timers.set,
            Alert: self._later,
            CommandAnswered: self._later,
            TripLatch: world.trip_latch,  # at once: what is in hand must not leave
            ClearLatch: self._later,
            EndProcess: self._later,
        }

    # --- in ---------------------------------------------------------------------------------------------------

    def frames(self, events: Iterable[MarketEvent | None]) -> None:
        """Decoded frames that the market log already has, in their order; None: a frame that says nothing.

        What strategies want at one is stepped before the next is looked at.
        """
        state = self.state
        stages = MARKET_STAGES
        deliver = self._host.on_market
        pos = began = self.market_pos
        undelivered = 0
        try:
            for event in events:
                pos += 1
                if event is None:
                    undelivered += 1
                    continue
                taken = stages[type(event)](state, event)
                if taken is True:
                    wants = deliver(event)
                    if wants:
                        self.market_pos = pos
                        self.wanted(wants)
                elif taken:
                    undelivered += 1
                    self.market_pos = pos
                    self._say(taken)
                else:
                    undelivered += 1
                    self.on_refused(pos - began - 1, event)
        finally:
            self.market_pos = pos
            self._undelivered_count += undelivered

    def wanted(self, wants: Sequence[Event]) -> None:
        """What strategies want at the frame that ``market_pos`` stands behind."""
        self._step_all(self._heard(wants) if self.full else wants)

    def undelivered(self, said: Sequence[Effect] | Literal[False]) -> None:
        """That frame was refused, or the core had something to say at it."""
        self._undelivered_count += 1
        if said:
            self._say(said)

    @property
    def delivered_count(self) -> int:
        """How many frames the core took, and strategies were told of."""
        return self.market_pos - self._undelivered_count

    def _say(self, effects: Sequence[Effect]) -> None:
        """What the core had to say at a frame. What the world puts meanwhile waits: it may not come between facts."""
        self._stepping = True
        try:
            self._take(effects)
        finally:
            self._stepping = False
        self._drain()

    def put(self, event: Event) -> None:
        """One event of any other kind."""
        self._inbox.append(event)
        if not self._stepping:
            self._drain()

    def fire_due(self, *, mono_ns: int, wall_ns: int) -> None:
        """Bring back every timer that is due by now."""
        due = self.timers.next_due_mono_ns()
        while due is not None and due <= mono_ns:
            fired = self.timers.pop_due(mono_ns=mono_ns, wall_ns=wall_ns)
            if fired is not None:
                self.put(fired)
            due = self.timers.next_due_mono_ns()

    def _drain(self) -> None:
        waiting = tuple(self._inbox)
        self._inbox.clear()
        self._step_all(waiting)

    def _step_all(self, events: Sequence[Event]) -> None:
        """Step these, and then what came up meanwhile, until nothing is left."""
        self._stepping = True
        state = self.state
        stages = STAGES
        handlers = self._handlers
        append = self._journal.append
        tap = self._tap
        pos = self.market_pos
        inbox = self._inbox
        try:
            while True:
                for event in events:
                    if tap is None:
                        try:
                            append(event, pos)
                        except JournalFull as error:
                            self._append_urgent(event, pos, error)
                    else:
                        self._record(event)
                    for effect in stages[type(event)](state, event):
                        if type(effect) is Call:
                            if effect.lane is _RISK or effect.lane is _FLATTEN:
                                self._batch_sends = True
                            self._out.append(effect)
                        elif (handler := handlers.get(type(effect))) is not None:
                            handler(effect)
                        elif tap is None:  # what is no effect is a fact
                            try:
                                append(effect, pos)  # type: ignore[arg-type]
                            except JournalFull as error:
                                self._append_urgent(effect, pos, error)  # type: ignore[arg-type]
                        else:
                            self._record(effect)  # type: ignore[arg-type]
                if not inbox:
                    break
                if len(inbox) > INBOX_MAX:
                    invariant(False, "the inbox is bounded", waiting=len(inbox))
                events = tuple(inbox)
                inbox.clear()
        finally:
            self._stepping = False
        self._need_flush()

    def _take(self, effects: Sequence[Effect]) -> None:
        handlers = self._handlers
        record = self._record
        for effect in effects:
            handlers.get(type(effect), record)(effect)  # what is no effect is a fact

    def _record(self, record: Record) -> None:
        """Have it written down, in the order in which it came about."""
        try:
            self._journal.append(record, self.market_pos)
        except JournalFull as error:
            self._append_urgent(record, self.market_pos, error)
        if self._tap is not None:
            self._tap(self._journal.record_count - 1, record)

    def _tell_host(self, fact: Fact) -> None:
        self._record(fact)
        session = self.state.live
        wants = self._host.on_fact(fact, wall_ns=session.now_wall_ns, mono_ns=session.now_mono_ns)
        if wants:
            self._inbox.extend(self._heard(wants))

    def _deliver(self, event: MarketEvent) -> None:
        self._undelivered_count -= 1
        self._inbox.extend(self._heard(self._host.on_market(event)))

    def _heard(self, wants: Sequence[Event]) -> Sequence[Event]:
        """What strategies want, unless the journal has room for the exit only."""
        if not self.full:
            return wants
        heard = [want for want in wants if type(want) not in _UNHEARD_WHEN_FULL]
        self.unheard_count += len(wants) - len(heard)
        return heard

    # --- a full disk ------------------------------------------------------------------------------------------

    def _append_urgent(self, record: Record, pos: int, error: JournalFull) -> None:
        """Only the reserve is left: stop risk before anything else, then write into it.

        Errors: JournalFull once the reserve is used up too; then the process ends.
        """
        if not self.full:
            self.full = str(error)
            self._out.append(Alert(severity=Severity.CRITICAL, kind="journal.full", text=self.full))
            stepping, self._stepping = self._stepping, True  # its LatchSeen comes after this record
            try:
                self._world.trip_latch(
                    TripLatch(by="journal", reason="the disk is full: only the exit is left")
                )
            finally:
                self._stepping = stepping
        self._journal.append(record, pos, urgent=True)

    def look_at_disk(self) -> None:
        """Hear strategies again once the disk has space for another segment; the hold is a person's to lift."""
        if self.full and not self._journal.full:
            self.full = ""
            self._out.append(
                Alert(severity=Severity.INFO, kind="journal.space", text="the journal has space again")
            )
            self._need_flush()

    # --- out --------------------------------------------------------------------------------------------------

    def _on_call(self, call: Call) -> None:
        if call.lane is _RISK or call.lane is _FLATTEN:
            self._batch_sends = True
        self._out.append(call)

    def _on_hold(self, fact: HoldPlaced) -> None:
        """A hold that halts stops what this batch approved before it and has not sent: where no latch does."""
        (self._tell_host if HoldPlaced in self._host.fact_kinds else self._record)(fact)
        if fact.hold.level < HoldLevel.HALTED or not self._out:
            return
        kept: list[Effect] = []
        session = self.state.live
        for effect in self._out:
            if (
                type(effect) is Call
                and effect.lane is _RISK
                and self._halted(effect.request, fact.hold.scope)
            ):
                self._inbox.append(
                    CallDone(
                        wall_ns=session.now_wall_ns,
                        mono_ns=session.now_mono_ns,
                        call_id=effect.call_id,
                        outcome=Suppressed(by=Withheld.HOLD),
                    )
                )
            else:
                kept.append(effect)
        self._out = kept

    def _halted(self, request: Request, scope: Scope) -> bool:
        order_id = getattr(request, "order_id", None)
        row = None if order_id is None else self.state.books.orders.row(order_id)
        return row is not None and (
            scope.strategy in ("", row.strategy) and scope.instrument in ("", row.terms.instrument)
        )

    def _later(self, effect: Effect) -> None:
        self._out.append(effect)

    def flush(self) -> None:
        """End the batch: write it down, then carry its effects out. Effects may put new events."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while True:
                if self._inbox and not self._stepping:
                    self._drain()
                if self._batch_sends:
                    # an intent is durable before its order leaves; cancels and reads need only be written
                    self._batch_sends = False
                    count = self._journal.sync()
                else:
                    count = self._journal.write()
                if count >= self._hash_at:
                    self._hash_at = count + HASH_EVERY_RECORDS
                    self.mark_books()
                    self._journal.write()
                out = self._out
                self._out = []
                call = self._world.call
                for effect in out:
                    if type(effect) is Call:
                        call(effect)
                    else:
                        self._carry_out(effect)
                if not self._out and not self._inbox:
                    return  # what the world put meanwhile asked for a flush of its own
        finally:
            self._flushing = False

    def _carry_out(self, effect: Effect) -> None:
        world = self._world
        kind = type(effect)
        if kind is Alert:
            world.alert(effect)  # type: ignore[arg-type]
        elif kind is CommandAnswered:
            world.answered(effect)  # type: ignore[arg-type]
        elif kind is ClearLatch:
            world.clear_latch(effect)  # type: ignore[arg-type]
        elif kind is EndProcess:
            world.end(effect)  # type: ignore[arg-type]

    def mark_books(self, *, clean_stop: bool = False) -> None:
        """Journal the books' hash here; at a clean stop the whole state's too."""
        state = self.state
        self._record(
            HashMark(books_hash=state.books_hash(), state_hash=state.state_hash() if clean_stop else "")
        )


def _nothing(place: int, event: MarketEvent) -> None:
    """Nobody keeps what was refused."""
