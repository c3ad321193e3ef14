"""Equities' files as a recording: their events through the core's ingest, with a guard against split scales."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from holdfast.app.parts import EVENTS_CODEC, decoder_for, encode_event
from holdfast.core.ingest.corporate import SplitGuard
from holdfast.journal.recording_read import CorruptRecording, Line, NotARecording
from holdfast.runtime.ingesting import Dialect
from holdfast.sim.sources.frames import SourceUnusable
from holdfast.sim.sources.lean import LeanFile, factors_in, frames_of, lean_file
from holdfast.vocab.corporate import FactorRow
from holdfast.vocab.market import Malformed, MarketEvent, Quote, Trade

_ENDINGS: Final = ("_quote.zip", "_trade.zip")


class EquityFile:
    """One file, read as lines of a recording. Fulfils ``journal.recording_read.Lines``."""

    def __init__(self, lean: LeanFile) -> None:
        self.path = lean.path
        self.lean = lean
        self.torn = ""
        self.lines_count = 0

    def __iter__(self) -> Iterator[Line]:
        self.lines_count = 0
        try:
            for frame in frames_of(self.lean):
                self.lines_count += 1
                yield Line(frame.recv_ns, self.lines_count, "frame", encode_event(frame.event))
        except SourceUnusable as error:
            raise CorruptRecording(str(error)) from None


def equity_files(named: Sequence[str]) -> tuple[tuple[EquityFile, ...], tuple[str, ...]]:
    """Which of the named are equities' files (or directories of them), and what is left. Errors: NotARecording."""
    found: list[Path] = []
    rest = []
    for name in named:
        path = Path(name)
        inside = [one for ending in _ENDINGS for one in path.rglob(f"*{ending}")] if path.is_dir() else []
        if inside:
            found += sorted(inside)
        elif name.endswith(_ENDINGS):
            found.append(path)
        else:
            rest.append(name)
    try:
        files = tuple(EquityFile(lean_file(path)) for path in dict.fromkeys(found))
    except SourceUnusable as error:
        raise NotARecording(str(error)) from None
    for file in files:
        if not file.path.is_file():
            raise NotARecording(f"{file.path}: no such file")
    return files, tuple(rest)


class Label(Struct, frozen=True):
    """What an event is by its own words."""

    instrument: str
    kind: str


class _Scale:
    """One ticker's guard, and the days on which it is asked."""

    def __init__(self, guard: SplitGuard, files: Sequence[EquityFile]) -> None:
        self.guard = guard
        days = sorted({(file.lean.midnight_ns, file.lean.date) for file in files})
        self._midnights = [midnight_ns for midnight_ns, _ in days]
        self._dates = [date for _, date in days]

    def date_of(self, wall_ns: int) -> int:
        """The day of a time; a bar that ends at midnight is still the day's before."""
        return self._dates[max(0, bisect_right(self._midnights, wall_ns - 1) - 1)]


def equity_dialect(files: Sequence[EquityFile], *, apply_splits: bool) -> Dialect:
    """How to read these files. After a split nothing is priced unless ``apply_splits`` carries the scale over."""
    decode_event = decoder_for(EVENTS_CODEC, ())
    by_ticker: dict[str, list[EquityFile]] = {}
    for file in files:
        by_ticker.setdefault(file.lean.spec.instrument, []).append(file)
    scales = {name: _Scale(SplitGuard(rows=_factors(own[0])), own) for name, own in by_ticker.items()}

    def decode(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        event = decode_event(raw, wall_ns, mono_ns)
        if not isinstance(event, Quote | Trade):
            return event
        scale = scales[event.instrument]
        guard = scale.guard
        date = scale.date_of(wall_ns)
        if date != guard.date:
            due = guard.begin_day(date)
            if due is not None and apply_splits:
                guard.apply(due)
        price = event.price_ticks if isinstance(event, Trade) else (event.bid_ticks + event.ask_ticks) // 2
        why = guard.judge(price)
        return Malformed(event.instrument, why, wall_ns, mono_ns) if why else event

    def label(raw: bytes) -> Label:
        event = decode_event(raw, 0, 0)
        return Label("" if event is None else event.instrument, type(event).__name__.lower())

    return Dialect(decode=decode, label=label, snapshot=_no_books)


def _no_books(raw: bytes, about: str, wall_ns: int, mono_ns: int) -> None:
    """There are no books in these files."""


def _factors(file: EquityFile) -> tuple[FactorRow, ...]:
    """The ticker's factor file beside the data; without one no split is known of. Errors: NotARecording."""
    path = file.path.parents[2] / "factor_files" / f"{file.lean.ticker}.csv"
    if not path.is_file():
        return ()
    try:
        return factors_in(path)
    except SourceUnusable as error:
        raise NotARecording(str(error)) from None
