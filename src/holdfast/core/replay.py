"""Replay: step the journal's events again and hold every fact against what was written down.

A life that ended without a clean stop may have lost the end of its last step with the journal's tail: what the
replay decides there beyond the journal was never written, so nothing ever came of it. The next life began from
the fold of what was written, and so does the replay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import get_args

from msgspec import Struct

from holdfast.core.state import Books, State, decode_books, encode_books
from holdfast.core.step import step
from holdfast.vocab.effects import Effect, Record
from holdfast.vocab.events import Event, Started
from holdfast.vocab.facts import Fact, HashMark
from holdfast.vocab.market import MarketEvent

FACT_TYPES: frozenset[type] = frozenset(get_args(Fact))


class ReplayDiffers(Exception):
    """The replay came to another decision than the run: names the record and both."""


class Replayed(Struct, frozen=True, kw_only=True):
    """What a replay found. ``state_hash`` and ``books_hash`` are the replay's own, at the end."""

    records_count: int
    facts_count: int
    frames_count: int
    marks_count: int
    books_hash: str
    state_hash: str
    last_state_hash: str  # what the run wrote at its clean stop; empty without one
    lost_facts_count: int = 0  # decided at the end of a life that died, and lost with the journal's tail


class Folded(Struct, kw_only=True):
    """Books rebuilt from facts alone, and the time of the last event."""

    books: Books
    mono_ns: int
    records_count: int


def fold(records: Iterable[Record], books: Books | None = None, *, mono_ns: int = 0) -> Folded:
    """Rebuild the books from the journal's facts; no market data is needed.

    Errors: ReplayDiffers where a written hash of the books is not the one folded so far.
    """
    state = State(books)
    count = 0
    for record in records:
        count += 1
        kind = type(record)
        if kind not in FACT_TYPES:
            mono_ns = record.mono_ns  # type: ignore[union-attr]
        elif kind is HashMark:
            _compare(record.books_hash, state.books_hash(), count, "books hash")  # type: ignore[union-attr]
        else:
            state.books.apply(record, mono_ns=mono_ns)  # type: ignore[arg-type]
    return Folded(books=state.books, mono_ns=mono_ns, records_count=count)


def replay(
    records: Iterable[tuple[int, int, Record]], frames: Iterator[tuple[int, MarketEvent | None]]
) -> Replayed:
    """Step everything again from the first record.

    ``records``: (index, market position, record). ``frames``: (position, event), every frame in order; an
    event of None is a control frame. Errors: ReplayDiffers at the first difference, and where frames that
    the journal counts on are missing.
    """
    state = State()
    written = Books()  # the fold of what was written: what every life but the first begins from
    written_mono_ns = 0
    expected: deque[Fact] = deque()
    pos = 0
    counts = {"records": 0, "facts": 0, "marks": 0, "lost": 0}
    last_state_hash = ""
    for index, market_pos, record in records:
        counts["records"] += 1
        kind = type(record)
        dead = kind is Started and state.session is not None  # the life before this record is over
        while pos < market_pos:
            if expected and not dead:
                raise ReplayDiffers(
                    f"record {index}: the replay decided {type(expected[0]).__name__}, the journal has nothing of it"
                )
            found = next(frames, None)
            if found is None or found[0] != pos:
                raise ReplayDiffers(f"record {index}: market frame {pos} is missing from the market log")
            pos += 1
            if found[1] is not None and not expected:
                expected.extend(_facts_of(step(state, found[1])))
        if kind is HashMark:
            counts["marks"] += 1
            _compare(record.books_hash, state.books_hash(), index, "books hash")  # type: ignore[union-attr]
            last_state_hash = record.state_hash  # type: ignore[union-attr]
            if last_state_hash:
                _compare(last_state_hash, state.state_hash(), index, "state hash")
        elif kind in FACT_TYPES:
            counts["facts"] += 1
            ours = expected.popleft() if expected else None
            if ours != record:
                raise ReplayDiffers(
                    f"record {index}: the journal has {record!r}, the replay decided {ours!r}"
                )
            written.apply(ours, mono_ns=written_mono_ns)
        else:
            if expected and not dead:
                raise ReplayDiffers(
                    f"record {index}: the replay decided {expected[0]!r}, the journal has {record!r}"
                )
            if dead:
                last_state_hash = ""
                counts["lost"] += _begin_from(state, written, expected, index)
            written_mono_ns = record.mono_ns  # type: ignore[union-attr]
            expected.extend(_facts_of(_step_event(state, record)))  # type: ignore[arg-type]
    for found_pos, event in frames:
        if found_pos != pos:
            raise ReplayDiffers(f"market frame {pos} is missing from the market log")
        pos += 1
        if event is not None and not expected:
            expected.extend(_facts_of(step(state, event)))
    if expected:
        if last_state_hash:
            raise ReplayDiffers(f"after the last record the replay decided {expected[0]!r} more")
        counts["lost"] += _begin_from(state, written, expected, counts["records"])
    return Replayed(
        records_count=counts["records"],
        facts_count=counts["facts"],
        frames_count=pos,
        marks_count=counts["marks"],
        books_hash=state.books_hash(),
        state_hash=state.state_hash(),
        last_state_hash=last_state_hash,
        lost_facts_count=counts["lost"],
    )


def _begin_from(state: State, written: Books, lost: deque[Fact], index: int) -> int:
    """Go on from the books that were written, as a start does; returns how many facts the life before lost."""
    count = len(lost)
    if not lost:
        _compare(State(written).books_hash(), state.books_hash(), index, "fold of the facts")
    lost.clear()
    state.books = decode_books(encode_books(written))
    return count


def _step_event(state: State, event: Event) -> Iterable[Effect]:
    if state.session is None and not isinstance(event, Started):
        raise ReplayDiffers("the journal does not begin with a start")
    return step(state, event)


def _facts_of(effects: Iterable[Effect]) -> list[Fact]:
    return [effect for effect in effects if type(effect) in FACT_TYPES]  # type: ignore[misc]


def _compare(written: str, ours: str, index: int, what: str) -> None:
    if written != ours:
        raise ReplayDiffers(f"record {index}: {what} was {written}, the replay has {ours}")
