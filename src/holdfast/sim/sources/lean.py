"""US equities as LEAN keeps them: ``<resolution>/<ticker>/<date>_<quote|trade>.zip``, one CSV without a header.

Prices are in 1/10,000 USD, sizes in shares, times in milliseconds since midnight in New York; bars carry their
start and are told at their end. There are no receive times: an event comes when it happened.

A tick quote tells one side and says nothing of the other, so the touch is the last bid and the last ask seen. Such a
pair is crossed now and then, and locked often. It is told as it is: to refuse it is the business of whoever prices
from it.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from io import TextIOWrapper
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from holdfast.sim.sources.frames import Frame, SourceUnusable
from holdfast.vocab.corporate import FactorRow
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S, NotANumber, decimal_of

T = TypeVar("T")

NEW_YORK: Final = "America/New_York"
TICK: Final = "0.0001"
_NAME: Final = re.compile(r"(\d{8})_(quote|trade)\.zip")
_BAR_NS: Final = {"tick": 0, "second": NS_PER_S, "minute": 60 * NS_PER_S}
_ROWS_MAX: Final = 100_000_000  # of a day: what a day's numbers leave room for
_UNREADABLE: Final = (ValueError, IndexError, csv.Error)


class LeanFile(Struct, frozen=True, kw_only=True):
    """One day of one kind of one ticker. ``midnight_ns``: when that day began in New York."""

    path: Path
    ticker: str
    date: int
    resolution: str
    kind: str
    midnight_ns: int

    @property
    def spec(self) -> InstrumentSpec:
        """Units to read it by; what a broker allows is not in these files."""
        name = self.ticker.upper()
        return InstrumentSpec(
            instrument=name,
            symbol=name,
            base_asset=name,
            quote_asset="USD",
            settle_asset="USD",
            tick=TICK,
            lot="1",
            tick_lot_e8=E8 // 10_000,
            qty_lots_min=1,
            qty_lots_max=10**9,
            market_lots_max=10**9,
            notional_e8_min=0,
        )


def lean_file(path: Path) -> LeanFile:
    """What a file is by its place and name. Errors: SourceUnusable."""
    named = _NAME.fullmatch(path.name)
    resolution = path.parent.parent.name
    if named is None or resolution not in _BAR_NS:
        raise SourceUnusable(f"{path}: expected tick|second|minute/<ticker>/<date>_quote|trade.zip")
    date = int(named[1])
    try:
        midnight = datetime(date // 10_000, date // 100 % 100, date % 100, tzinfo=ZoneInfo(NEW_YORK))
    except ZoneInfoNotFoundError:
        raise SourceUnusable(
            f"{path}: this machine does not know the time in {NEW_YORK}: install tzdata"
        ) from None
    except ValueError as error:
        raise SourceUnusable(f"{path}: {named[1]}: {error}") from None
    return LeanFile(
        path=path,
        ticker=path.parent.name,
        date=date,
        resolution=resolution,
        kind=named[2],
        midnight_ns=int(midnight.timestamp()) * NS_PER_S,
    )


class LeanEquities:
    """Files of one or several tickers, days and kinds, merged by time. Fulfils ``MarketSource``."""

    def __init__(self, files: Sequence[Path | LeanFile]) -> None:
        if not files:
            raise SourceUnusable("no file given")
        self.files = tuple(file if isinstance(file, LeanFile) else lean_file(file) for file in files)
        self._specs = tuple({file.ticker: file.spec for file in self.files}.values())

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """One per ticker."""
        return self._specs

    @property
    def start_ns(self) -> int:
        """Time of the first event."""
        first = next(self.frames(), None)
        if first is None:
            raise SourceUnusable(f"{self.files[0].path}: empty")
        return first.recv_ns

    def frames(self) -> Iterator[Frame]:
        """All events, oldest first."""
        return merge(*(frames_of(file) for file in self.files), key=attrgetter("recv_ns"))


def frames_of(file: LeanFile) -> Iterator[Frame]:
    """One file's events. Numbers grow through the day and from day to day."""
    spec = file.spec
    stream = f"{file.ticker}@{'bookTicker' if file.kind == 'quote' else 'trade'}"
    for event in _events(file):
        yield Frame(event.venue_ns, event.venue_ns, spec.instrument, stream, None, event, spec)


def _events(file: LeanFile) -> Iterator[Quote | Trade]:
    reader = {
        ("tick", "quote"): _tick_quotes,
        ("tick", "trade"): _tick_trades,
        ("second", "quote"): _bar_quotes,
        ("minute", "quote"): _bar_quotes,
        ("second", "trade"): _bar_trades,
        ("minute", "trade"): _bar_trades,
    }[file.resolution, file.kind]
    return reader(file)


def _rows(file: LeanFile) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each row."""
    number = 0
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise SourceUnusable(f"{file.path}: holds {len(names)} CSV files, one is expected")
            with TextIOWrapper(archive.open(names[0]), encoding="ascii", newline="") as text:
                for number, cells in enumerate(csv.reader(text), start=1):
                    yield number, cells
    except FileNotFoundError:
        raise SourceUnusable(f"{file.path}: no such file") from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeDecodeError, csv.Error) as error:
        raise SourceUnusable(f"{file.path}: damaged after line {number}: {error}") from None


def _parsed(
    file: LeanFile, parse: Callable[[int, list[str]], Sequence[Quote | Trade]]
) -> Iterator[Quote | Trade]:
    for number, cells in _rows(file):
        try:
            events = parse(number, cells)
        except _UNREADABLE as error:
            raise SourceUnusable(
                f"{file.path}:{number}: not a row of {file.resolution} data: {error}"
            ) from None
        yield from events


class Touch:
    """The last bid and the last ask seen."""

    __slots__ = ("ask_lots", "ask_ticks", "bid_lots", "bid_ticks")

    def __init__(self) -> None:
        self.bid_ticks = self.bid_lots = self.ask_ticks = self.ask_lots = 0

    def take(self, *, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int) -> None:
        """One row: a side of 0 is not told, which is not the same as gone."""
        if bid_ticks:
            self.bid_ticks, self.bid_lots = bid_ticks, bid_lots
        if ask_ticks:
            self.ask_ticks, self.ask_lots = ask_ticks, ask_lots


def _tick_quotes(file: LeanFile) -> Iterator[Quote | Trade]:
    touch, name, first = Touch(), file.ticker.upper(), file.date * _ROWS_MAX

    def parse(number: int, cells: list[str]) -> Sequence[Quote]:
        at_ms, bid, bid_size, ask, ask_size = (int(cell) for cell in cells[:5])
        touch.take(bid_ticks=bid, bid_lots=bid_size, ask_ticks=ask, ask_lots=ask_size)
        if not touch.bid_ticks or not touch.ask_ticks:
            return ()
        at_ns = file.midnight_ns + at_ms * NS_PER_MS
        pair = (touch.bid_ticks, touch.bid_lots, touch.ask_ticks, touch.ask_lots)
        return (Quote(name, first + number, *pair, at_ns, 0, 0),)

    return _parsed(file, parse)


def _tick_trades(file: LeanFile) -> Iterator[Quote | Trade]:
    """Prints that the file calls suspicious are outside the market: they move no last price."""
    name, first = file.ticker.upper(), file.date * _ROWS_MAX

    def parse(number: int, cells: list[str]) -> Sequence[Trade]:
        at_ms, price, size = (int(cell) for cell in cells[:3])
        at_ns = file.midnight_ns + at_ms * NS_PER_MS
        return (Trade(name, first + number, price, size, 0, cells[5] == "0", at_ns, 0, 0),)

    return _parsed(file, parse)


def _bar_quotes(file: LeanFile) -> Iterator[Quote | Trade]:
    """A bar's closing touch, at its end. A side that the bar does not have keeps its last price."""
    touch, name, first = Touch(), file.ticker.upper(), file.date * _ROWS_MAX
    length_ns = _BAR_NS[file.resolution]

    def parse(number: int, cells: list[str]) -> Sequence[Quote]:
        row = [int(cell or "0") for cell in cells]
        touch.take(bid_ticks=row[4], bid_lots=row[5], ask_ticks=row[9], ask_lots=row[10])
        if not touch.bid_ticks or not touch.ask_ticks:
            return ()
        at_ns = file.midnight_ns + row[0] * NS_PER_MS + length_ns
        pair = (touch.bid_ticks, touch.bid_lots, touch.ask_ticks, touch.ask_lots)
        return (Quote(name, first + number, *pair, at_ns, 0, 0),)

    return _parsed(file, parse)


def _bar_trades(file: LeanFile) -> Iterator[Quote | Trade]:
    """Four prints of a quarter of the bar's volume, at its end: open, the two extremes, close (the rest with it)."""
    name, first = file.ticker.upper(), file.date * _ROWS_MAX
    length_ns = _BAR_NS[file.resolution]

    def parse(number: int, cells: list[str]) -> Sequence[Trade]:
        at_ms, opened, high, low, closed, volume = (int(cell) for cell in cells[:6])
        at_ns = file.midnight_ns + at_ms * NS_PER_MS + length_ns
        path = (opened, low, high, closed) if closed >= opened else (opened, high, low, closed)
        quarter = volume // 4
        sizes = (quarter, quarter, quarter, volume - 3 * quarter)
        seq = first + 4 * number
        return [
            Trade(name, seq + at, price, size, 0, True, at_ns, 0, 0)
            for at, (price, size) in enumerate(zip(path, sizes, strict=True))
            if size
        ]

    return _parsed(file, parse)


# --- what companies did -------------------------------------------------------------------------------------------


def factors_in(path: Path) -> tuple[FactorRow, ...]:
    """A factor file: date, dividend factor, split factor, last close. Errors: SourceUnusable."""

    def parse(cells: list[str]) -> FactorRow:
        return FactorRow(
            date=int(cells[0]),
            price_e8=int(decimal_of(cells[1]) * E8),
            split_e8=int(decimal_of(cells[2]) * E8),
            close_ticks=int(decimal_of(cells[3] or "0") * 10_000) if len(cells) > 3 else 0,
        )

    rows = _table(path, parse)
    if any(row.split_e8 <= 0 or row.price_e8 <= 0 for row in rows):
        raise SourceUnusable(f"{path}: a factor that is not above zero")
    if any(after.date <= before.date for before, after in pairwise(rows)):
        raise SourceUnusable(f"{path}: the dates do not grow")
    return rows


class MapRow(Struct, frozen=True, kw_only=True):
    """The last day on which a company had this ticker. Of the first row: the day it was listed."""

    date: int
    ticker: str


def names_in(path: Path) -> tuple[MapRow, ...]:
    """A map file, oldest first. Errors: SourceUnusable."""
    return _table(path, lambda cells: MapRow(date=int(cells[0]), ticker=cells[1].strip()))


def ticker_on(rows: Sequence[MapRow], date: int) -> str:
    """What a company was called on a day; empty before it was listed: then the ticker was somebody else's."""
    if not rows or date < rows[0].date:
        return ""
    return next((row.ticker for row in rows if date <= row.date), "")


def _table(path: Path, parse: Callable[[list[str]], T]) -> tuple[T, ...]:
    rows = []
    number = 0
    try:
        with path.open(encoding="ascii", newline="") as text:
            for cells in csv.reader(text):
                number += 1
                if cells:
                    rows.append(parse(cells))
    except FileNotFoundError:
        raise SourceUnusable(f"{path}: no such file") from None
    except OSError as error:
        raise SourceUnusable(f"{path}: cannot be read: {error.strerror}") from None
    except (*_UNREADABLE, NotANumber) as error:
        raise SourceUnusable(f"{path}:{number}: {error}") from None
    return tuple(rows)
