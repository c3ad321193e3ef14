"""Replay: step the journal's events again and hold every fact against what was written down."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import get_args

from msgspec import Struct

from holdfast.core.state import Books, State
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
    expected: deque[Fact] = deque()
    pos = 0
    counts = {"records": 0, "facts": 0, "marks": 0}
    last_state_hash = ""
    for index, market_pos, record in records:
        counts["records"] += 1
        while pos < market_pos:
            if expected:
                raise ReplayDiffers(
                    f"record {index}: the replay decided {type(expected[0]).__name__}, the journal has nothing of it"
                )
            found = next(frames, None)
            if found is None or found[0] != pos:
                raise ReplayDiffers(f"record {index}: market frame {pos} is missing from the market log")
            pos += 1
            if found[1] is not None:
                expected.extend(_facts_of(step(state, found[1])))
        kind = type(record)
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
        else:
            if expected:
                raise ReplayDiffers(
                    f"record {index}: the replay decided {expected[0]!r}, the journal has {record!r}"
                )
            expected.extend(_facts_of(_step_event(state, record)))  # type: ignore[arg-type]
    if expected:
        raise ReplayDiffers(f"after the last record the replay decided {expected[0]!r} more")
    for found_pos, event in frames:
        if found_pos != pos:
            raise ReplayDiffers(f"market frame {pos} is missing from the market log")
        pos += 1
        if event is not None:
            step(state, event)
    return Replayed(
        records_count=counts["records"],
        facts_count=counts["facts"],
        frames_count=pos,
        marks_count=counts["marks"],
        books_hash=state.books_hash(),
        state_hash=state.state_hash(),
        last_state_hash=last_state_hash,
    )


def _step_event(state: State, event: Event) -> Iterable[Effect]:
    if state.session is None and not isinstance(event, Started):
        raise ReplayDiffers("the journal does not begin with a start")
    return step(state, event)


def _facts_of(effects: Iterable[Effect]) -> list[Fact]:
    return [effect for effect in effects if type(effect) in FACT_TYPES]  # type: ignore[misc]


def _compare(written: str, ours: str, index: int, what: str) -> None:
    if written != ours:
        raise ReplayDiffers(f"record {index}: {what} was {written}, the replay has {ours}")
