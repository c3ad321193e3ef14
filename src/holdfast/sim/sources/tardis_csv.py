"""Tardis CSV files (quotes, trades, incremental_book_L2, book_snapshot_N, derivative_ticker), plain or gzip.

The kind is told by the header line. Times are microseconds: ``timestamp`` of the venue, ``local_timestamp`` of
receipt (they are on one good clock and are kept as they are). Where an instrument has a book and no quotes
file, quotes come from the book's touch; where it has neither, from its prints. The files carry no update ids: ours
count up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeAlias

from holdfast.sim.sources.csv_rows import Table
from holdfast.sim.sources.derive import (
    FUNDING_PPB,
    next_funding_ns,
    with_marks,
    with_quotes_from_books,
    with_quotes_from_trades,
)
from holdfast.sim.sources.frames import Frame, SourceUnusable
from holdfast.sim.sources.levels import Levels, Side, difference
from holdfast.sim.sources.specs import KNOWN, InstrumentTexts, texts_of
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.units import decimal_of

_TOUCH_LOTS: Final = 1_000
_ASK_PRICE: Final = re.compile(r"^asks\[(\d+)\]\.price$")
_GROUP_ROWS_MAX: Final = 200_000
_BOOKS: Final = ("incremental_book_L2", "book_snapshot")

_Specs: TypeAlias = Mapping[str, InstrumentSpec]


class TardisCsv:
    """Files of one or several symbols and kinds, merged by ``local_timestamp``.

    ``specs``: facts by the symbol that the files name; a file with several symbols needs those of all. The
    first row decides which instrument a file adds to ``specs``. ``touch_lots``: the size shown a side where
    an instrument has neither quotes nor a book.
    """

    def __init__(
        self, paths: Sequence[Path], *, specs: _Specs | None = None, touch_lots: int = _TOUCH_LOTS
    ) -> None:
        if not paths:
            raise SourceUnusable("no file given")
        self._given = {**KNOWN, **(specs or {})}
        self._touch_lots = touch_lots
        self._files = [(path, *_kind_and_symbol(path, self._given)) for path in paths]
        listed = {spec.instrument: spec for _, _, spec in self._files}
        listed |= {spec.instrument: spec for spec in (specs or {}).values()}
        self._specs = tuple(listed.values())
        self._start_ns: int | None = None

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The instruments: of the files in their order, then whatever else facts were given of."""
        return self._specs

    @property
    def start_ns(self) -> int:
        """Receive time of the earliest row."""
        if self._start_ns is None:
            first = next(self.frames(), None)
            if first is None:
                raise SourceUnusable(f"{self._files[0][0]}: no rows")
            self._start_ns = first.recv_ns
        return self._start_ns

    def frames(self) -> Iterator[Frame]:
        """All rows by receive time; at equal times in the order of the files."""
        by_kind: dict[str, list[str]] = {}
        for _, kind, spec in self._files:
            by_kind.setdefault(kind, []).append(spec.instrument)
        quoted = by_kind.get("quotes", [])
        booked = [name for kind in _BOOKS for name in by_kind.get(kind, [])]
        files = []
        for path, kind, spec in self._files:
            frames = _READERS[kind](path, self._given)
            if kind in _BOOKS and spec.instrument not in quoted:
                frames = with_quotes_from_books(frames)
            elif kind == "trades" and spec.instrument not in [*quoted, *booked]:
                frames = with_quotes_from_trades(frames, touch_lots=self._touch_lots)
            files.append(frames)
        return with_marks(merge(*files, key=attrgetter("recv_ns")))


def _kind_and_symbol(path: Path, specs: _Specs) -> tuple[str, InstrumentSpec]:
    table = Table(path, columns=None)
    header = table.header
    if "is_snapshot" in header:
        kind = "incremental_book_L2"
    elif "asks[0].price" in header:
        kind = "book_snapshot"
    elif "ask_amount" in header:
        kind = "quotes"
    elif "mark_price" in header:
        kind = "derivative_ticker"
    elif "side" in header and "id" in header:
        kind = "trades"
    else:
        raise SourceUnusable(
            f"{path}:1: the header is of no kind that is read here: {','.join(header)[:120]}"
        )
    place = table.at("symbol")
    symbol = next(table.read(lambda row: row[place]), None)
    if symbol is None:
        raise SourceUnusable(f"{path}: no rows")
    spec = specs.get(symbol)
    if spec is None:
        raise SourceUnusable(f"{path}:2: no facts of {symbol}: give its spec")
    return kind, spec


class _Columns:
    """What every kind has: whose row it is, and when."""

    def __init__(self, path: Path, specs: _Specs) -> None:
        self.table = Table(path, columns=None)
        self._specs = specs
        self._symbol = self.table.at("symbol")
        self._sent, self._received = self.table.at("timestamp"), self.table.at("local_timestamp")

    def spec(self, row: list[str]) -> InstrumentSpec:
        found = self._specs.get(row[self._symbol])
        if found is None:
            raise ValueError(f"no facts of {row[self._symbol]}: give its spec")
        return found

    def times_ns(self, row: list[str]) -> tuple[int, int]:
        return int(row[self._sent]) * 1_000, int(row[self._received]) * 1_000


def _frame(spec: InstrumentSpec, stream: str, event: Quote | Trade | Mark | Depth, recv_ns: int) -> Frame:
    name = spec.instrument
    public = f"{name.lower()}@{stream}" if stream else ""
    return Frame(event.venue_ns, recv_ns, name, public, None, event, spec)


def _quotes(path: Path, specs: _Specs) -> Iterator[Frame]:
    columns = _Columns(path, specs)
    table, count = columns.table, dict[str, int]()
    bid, bid_qty, ask, ask_qty = (
        table.at(name) for name in ("bid_price", "bid_amount", "ask_price", "ask_amount")
    )

    def parse(row: list[str]) -> Frame | None:
        if not (row[bid] and row[ask] and row[bid_qty] and row[ask_qty]):
            return None  # one side was empty at the venue
        spec = columns.spec(row)
        texts, (venue_ns, recv_ns) = texts_of(spec), columns.times_ns(row)
        seq = count[spec.instrument] = count.get(spec.instrument, 0) + 1
        quote = Quote(
            spec.instrument,
            seq,
            texts.ticks[row[bid]],
            texts.lots[row[bid_qty]],
            texts.ticks[row[ask]],
            texts.lots[row[ask_qty]],
            venue_ns,
            0,
            0,
        )
        return _frame(spec, "bookTicker", quote, recv_ns)

    return (frame for frame in table.read(parse) if frame is not None)


def _trades(path: Path, specs: _Specs) -> Iterator[Frame]:
    columns = _Columns(path, specs)
    table, count = columns.table, dict[str, int]()
    side, price, qty = table.at("side"), table.at("price"), table.at("amount")

    def parse(row: list[str]) -> Frame:
        spec = columns.spec(row)
        texts, (venue_ns, recv_ns) = texts_of(spec), columns.times_ns(row)
        seq = count[spec.instrument] = count.get(spec.instrument, 0) + 1
        aggressor = {"buy": 1, "sell": -1, "unknown": 1}[row[side]]
        ticks, lots = texts.ticks[row[price]], texts.lots[row[qty]]
        trade = Trade(spec.instrument, seq, ticks, lots, aggressor, True, venue_ns, 0, 0)
        return _frame(spec, "trade", trade, recv_ns)

    return table.read(parse)


def _marks(path: Path, specs: _Specs) -> Iterator[Frame]:
    columns = _Columns(path, specs)
    table = columns.table
    price, rate, due = table.at("mark_price"), table.at("funding_rate"), table.at("funding_timestamp")

    def parse(row: list[str]) -> Frame | None:
        if not row[price]:
            return None
        spec = columns.spec(row)
        venue_ns, recv_ns = columns.times_ns(row)
        mark_ticks = int(decimal_of(row[price]) / decimal_of(spec.tick) + decimal_of("0.5"))
        funding_ppb = int(decimal_of(row[rate]).scaleb(9)) if row[rate] else FUNDING_PPB
        due_ns = int(row[due]) * 1_000 if row[due] else next_funding_ns(venue_ns)
        mark = Mark(spec.instrument, mark_ticks, funding_ppb, due_ns, venue_ns, 0, 0)
        return _frame(spec, "markPrice@1s", mark, recv_ns)

    return (frame for frame in table.read(parse) if frame is not None)


# --- books ------------------------------------------------------------------------------------------------------


class _Book:
    """One instrument's chain of diffs. A later snapshot is published as the diff that leads to it."""

    def __init__(self, spec: InstrumentSpec) -> None:
        self.spec = spec
        self._levels = Levels()
        self._seq = 0

    def frame(self, bids: Side, asks: Side, *, snapshot: bool, venue_ns: int, recv_ns: int) -> Frame | None:
        """The event of one group of rows; None where nothing changed."""
        opening = snapshot and not self._seq
        if snapshot and not opening:
            changed_bids, changed_asks = (
                difference(self._levels.bids, bids),
                difference(self._levels.asks, asks),
            )
        else:
            changed_bids, changed_asks = tuple(bids.items()), tuple(asks.items())
        if not (changed_bids or changed_asks):
            return None
        before, self._seq = self._seq, self._seq + 1
        name = self.spec.instrument
        depth = Depth(name, self._seq, self._seq, before, changed_bids, changed_asks, opening, venue_ns, 0, 0)
        self._levels.apply(depth)
        return _frame(self.spec, "" if opening else "depth@100ms", depth, recv_ns)


class _Group:
    """Rows of one message: the same instrument, times and kind."""

    def __init__(
        self, key: tuple[str, str, str, str], spec: InstrumentSpec, times_ns: tuple[int, int]
    ) -> None:
        self.key = key
        self.spec = spec
        self.venue_ns, self.recv_ns = times_ns
        self.bids: Side = {}
        self.asks: Side = {}


def _increments(path: Path, specs: _Specs) -> Iterator[Frame]:
    columns = _Columns(path, specs)
    table = columns.table
    symbol, sent, received = table.at("symbol"), table.at("timestamp"), table.at("local_timestamp")
    whole, side, price, qty = (table.at(name) for name in ("is_snapshot", "side", "price", "amount"))
    books: dict[str, _Book] = {}
    group: _Group | None = None

    def parse(row: list[str]) -> _Group | None:
        """Adds the row to the open group; gives back the group that it ended."""
        nonlocal group
        key = (row[symbol], row[sent], row[received], row[whole])
        ended = None
        if group is None or group.key != key:
            ended, group = group, _Group(key, columns.spec(row), columns.times_ns(row))
        if len(group.bids) + len(group.asks) > _GROUP_ROWS_MAX:
            raise ValueError(f"more than {_GROUP_ROWS_MAX} levels in one message")
        texts = texts_of(group.spec)
        levels = {"bid": group.bids, "ask": group.asks}[row[side]]
        levels[texts.ticks[row[price]]] = texts.lots[row[qty]]
        return ended

    for ended in table.read(parse):
        if ended is not None and (frame := _grouped(books, ended)) is not None:
            yield frame
    if group is not None and (frame := _grouped(books, group)) is not None:
        yield frame


def _grouped(books: dict[str, _Book], group: _Group) -> Frame | None:
    book = books.setdefault(group.spec.instrument, _Book(group.spec))
    return book.frame(
        group.bids,
        group.asks,
        snapshot=group.key[3].lower() == "true",
        venue_ns=group.venue_ns,
        recv_ns=group.recv_ns,
    )


def _snapshots(path: Path, specs: _Specs) -> Iterator[Frame]:
    columns = _Columns(path, specs)
    table = columns.table
    depth = sum(1 for name in table.header if _ASK_PRICE.match(name))
    asks = [(table.at(f"asks[{n}].price"), table.at(f"asks[{n}].amount")) for n in range(depth)]
    bids = [(table.at(f"bids[{n}].price"), table.at(f"bids[{n}].amount")) for n in range(depth)]
    books: dict[str, _Book] = {}

    def parse(row: list[str]) -> Frame | None:
        spec = columns.spec(row)
        texts, (venue_ns, recv_ns) = texts_of(spec), columns.times_ns(row)
        book = books.setdefault(spec.instrument, _Book(spec))
        return book.frame(
            _side(row, bids, texts),
            _side(row, asks, texts),
            snapshot=True,
            venue_ns=venue_ns,
            recv_ns=recv_ns,
        )

    return (frame for frame in table.read(parse) if frame is not None)


def _side(row: list[str], places: list[tuple[int, int]], texts: InstrumentTexts) -> Side:
    """One side's levels; a thin book leaves the far cells empty."""
    return {texts.ticks[row[price]]: texts.lots[row[qty]] for price, qty in places if row[price]}


_READERS: Final[dict[str, Callable[[Path, _Specs], Iterator[Frame]]]] = {
    "quotes": _quotes,
    "trades": _trades,
    "derivative_ticker": _marks,
    "incremental_book_L2": _increments,
    "book_snapshot": _snapshots,
}
