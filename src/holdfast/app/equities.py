"""Equities' files as a recording: their events through the core's ingest, which is told of their splits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Final

from msgspec import Struct

from holdfast.app.parts import EVENTS_CODEC, decoder_for, encode_event
from holdfast.core.ingest.corporate import split_between
from holdfast.journal.recording_read import CorruptRecording, Line, NotARecording
from holdfast.runtime.ingesting import Dialect
from holdfast.sim.sources.frames import SourceUnusable
from holdfast.sim.sources.lean import LeanFile, factors_in, frames_of, lean_file
from holdfast.vocab.corporate import FactorRow, SplitDue

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


def equity_dialect() -> Dialect:
    """How to read these files."""
    decode = decoder_for(EVENTS_CODEC, ())

    def label(raw: bytes) -> Label:
        event = decode(raw, 0, 0)
        return Label("" if event is None else event.instrument, type(event).__name__.lower())

    return Dialect(decode=decode, label=label, snapshot=_no_books)


def splits_of(files: Sequence[EquityFile], *, applied: bool) -> tuple[SplitDue, ...]:
    """The scale changes between the days of these files, each from its day's midnight on.

    ``applied``: whoever replays has everything in the new scale by then. Errors: NotARecording.
    """
    days: dict[str, dict[int, EquityFile]] = {}
    for file in files:
        days.setdefault(file.lean.spec.instrument, {})[file.lean.date] = file
    found = []
    for name, own in days.items():
        rows = _factors(next(iter(own.values())))
        for before, date in pairwise(sorted(own)):
            ratio = split_between(rows, before=before, date=date)
            if ratio is not None:
                found.append(
                    SplitDue(
                        instrument=name,
                        from_venue_ns=own[date].lean.midnight_ns,
                        up=ratio.up,
                        down=ratio.down,
                        applied=applied,
                    )
                )
    return tuple(sorted(found, key=attrgetter("from_venue_ns")))


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
