"""Equities' files as a recording: their events through the core's ingest, which is told of their splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.parts import EVENTS_CODEC, decoder_for, encode_event
from holdfast.config.load import beside
from holdfast.config.schema import Config, EquitiesSection
from holdfast.core.ingest.corporate import split_between
from holdfast.journal.recording_read import CorruptRecording, Line, NotARecording
from holdfast.runtime.ingesting import Dialect
from holdfast.sim.sources.frames import SourceUnusable
from holdfast.sim.sources.lean import (
    LeanEquities,
    LeanFile,
    MapRow,
    factors_in,
    frames_of,
    lean_file,
    names_in,
    ticker_on,
)
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
    return _splits(
        [file.lean for file in files], lambda lean: lean.path.parents[2] / "factor_files", applied=applied
    )


def _splits(
    files: Sequence[LeanFile], factor_dir: Callable[[LeanFile], Path], *, applied: bool
) -> tuple[SplitDue, ...]:
    days: dict[str, dict[int, LeanFile]] = {}
    for file in files:
        days.setdefault(file.spec.instrument, {})[file.date] = file
    found = []
    for name, own in days.items():
        one = next(iter(own.values()))
        rows = _factors(factor_dir(one) / f"{one.ticker}.csv")
        for before, date in pairwise(sorted(own)):
            ratio = split_between(rows, before=before, date=date)
            if ratio is not None:
                found.append(
                    SplitDue(
                        instrument=name,
                        from_venue_ns=own[date].midnight_ns,
                        up=ratio.up,
                        down=ratio.down,
                        applied=applied,
                    )
                )
    return tuple(sorted(found, key=attrgetter("from_venue_ns")))


def equities_of(config: Config, section: EquitiesSection) -> tuple[LeanEquities, tuple[SplitDue, ...]]:
    """What a backtest trades on, and the splits that come within it, none of them applied. Errors: HoldfastError.

    Of a ticker that changed hands each day's file is that of the company which had it then.
    """
    try:
        files, rest = equity_files([str(beside(config, one)) for one in section.files])
        if rest:
            raise NotARecording(f"{rest[0]}: no zip of quotes or trades, nor a directory with any")
        map_dir, factor_dir = beside(config, section.map_files), beside(config, section.factor_files)
        for directory in (map_dir, factor_dir):
            if not directory.is_dir():
                raise NotARecording(f"{directory}: no such directory")
        companies = {path.stem: names_in(path) for path in sorted(map_dir.glob("*.csv"))}
        lean = tuple(
            msgspec.structs.replace(file.lean, ticker=_company(file.lean, companies)) for file in files
        )
        wanted = tuple(file for file in lean if file.spec.instrument in config.limits.instrument)
        for name in config.limits.instrument:
            if not any(file.spec.instrument == name for file in wanted):
                raise NotARecording(f"no file of {name} among them")
        return LeanEquities(wanted), _splits(wanted, lambda _: factor_dir, applied=False)
    except (NotARecording, SourceUnusable) as error:
        raise HoldfastError(Exit.USAGE, str(error), f"{config.path}: equities") from None


def _company(file: LeanFile, companies: Mapping[str, Sequence[MapRow]]) -> str:
    """Whose file it is. Errors: NotARecording where the map files say that the ticker was nobody's on that day."""
    for company, rows in companies.items():
        if ticker_on(rows, file.date) == file.ticker:
            return company
    raise NotARecording(f"{file.path}: no map file says whose ticker {file.ticker} was on {file.date}")


def _no_books(raw: bytes, about: str, wall_ns: int, mono_ns: int) -> None:
    """There are no books in these files."""


def _factors(path: Path) -> tuple[FactorRow, ...]:
    """A company's factor file; without one no split is known of. Errors: NotARecording."""
    if not path.is_file():
        return ()
    try:
        return factors_in(path)
    except SourceUnusable as error:
        raise NotARecording(str(error)) from None
