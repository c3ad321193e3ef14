"""Binance's published history (bookTicker, trades, aggTrades, klines), as .csv, .csv.gz or .zip.

Symbol and kind are read from the file's name as published: ``BTCUSDT-bookTicker-2024-03-27.zip``,
``BTCUSDT-trades-2024-08-08.csv``, ``BTCUSDT-1m-2024-08.zip``. Futures files have a header line, spot and older
ones have none; times are milliseconds, in spot files since 2025 microseconds.

There are no receive times: frames come at their event time. Files without quotes (prints, klines) get a
one-tick-wide touch behind each print. A kline becomes four prints of a quarter of its volume: open, the two
extremes (the low first where it closed up), close.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final

from holdfast.sim.sources.csv_rows import Table
from holdfast.sim.sources.derive import with_marks, with_quotes_from_trades
from holdfast.sim.sources.frames import Frame, SourceUnusable
from holdfast.sim.sources.specs import KNOWN, texts_of
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import MarketEvent, Quote, Trade
from holdfast.vocab.units import decimal_of, units_floor

_NAME: Final = re.compile(
    r"^(?P<symbol>[A-Z0-9_]+)-(?P<kind>bookTicker|trades|aggTrades|\d+(?:s|m|h|d|w|mo))(?:-|\.)"
)
_COLUMNS: Final = {
    "bookTicker": (
        "update_id",
        "best_bid_price",
        "best_bid_qty",
        "best_ask_price",
        "best_ask_qty",
        "transaction_time",
        "event_time",
    ),
    "trades": ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker"),
    "aggTrades": (
        "agg_trade_id",
        "price",
        "quantity",
        "first_trade_id",
        "last_trade_id",
        "transact_time",
        "is_buyer_maker",
    ),
    "klines": ("open_time", "open", "high", "low", "close", "volume", "close_time"),
}
_MICROSECONDS_FROM: Final = 10**14
_TOUCH_LOTS: Final = 1_000


def _ns(text: str) -> int:
    time = int(text)
    return time * 1_000 if time >= _MICROSECONDS_FROM else time * 1_000_000


class BinanceCsv:
    """Published files of one or several symbols and kinds, merged by time.

    ``touch_lots``: the size shown a side where a symbol has no quotes of its own.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        specs: Mapping[str, InstrumentSpec] | None = None,
        touch_lots: int = _TOUCH_LOTS,
    ) -> None:
        if not paths:
            raise SourceUnusable("no file given")
        given = {**KNOWN, **(specs or {})}
        self._files = [_named(path, given) for path in paths]
        self._touch_lots = touch_lots
        self._specs = tuple({spec.instrument: spec for _, _, spec in self._files}.values())
        self._start_ns: int | None = None

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The instruments, in the order of the files."""
        return self._specs

    @property
    def start_ns(self) -> int:
        """Time of the earliest row."""
        if self._start_ns is None:
            first = next(self.frames(), None)
            if first is None:
                raise SourceUnusable(f"{self._files[0][0]}: no rows")
            self._start_ns = first.recv_ns
        return self._start_ns

    def frames(self) -> Iterator[Frame]:
        """All rows by time; at equal times in the order of the files."""
        quoted = {spec.instrument for _, kind, spec in self._files if kind == "bookTicker"}
        files = []
        for path, kind, spec in self._files:
            frames = _READERS[kind](path, spec)
            if spec.instrument not in quoted:
                frames = with_quotes_from_trades(frames, touch_lots=self._touch_lots)
            files.append(frames)
        return with_marks(merge(*files, key=attrgetter("recv_ns")))


def _named(path: Path, specs: Mapping[str, InstrumentSpec]) -> tuple[Path, str, InstrumentSpec]:
    found = _NAME.match(path.name)
    if found is None:
        raise SourceUnusable(
            f"{path}: not named as published (SYMBOL-kind-date), so neither symbol nor kind is known"
        )
    spec = specs.get(found["symbol"])
    if spec is None:
        raise SourceUnusable(f"{path}: no facts of {found['symbol']}: give its spec")
    kind = found["kind"]
    return path, kind if kind in _COLUMNS else "klines", spec


def _frame(
    spec: InstrumentSpec, stream: str, event: MarketEvent, venue_ns: int, transact_ns: int = 0
) -> Frame:
    name = spec.instrument
    return Frame(venue_ns, venue_ns, name, f"{name.lower()}@{stream}", None, event, spec, transact_ns)


def _book_tickers(path: Path, spec: InstrumentSpec) -> Iterator[Frame]:
    table = Table(path, columns=_COLUMNS["bookTicker"])
    texts, name = texts_of(spec), spec.instrument
    ids, bid, bid_qty = table.at("update_id"), table.at("best_bid_price"), table.at("best_bid_qty")
    ask, ask_qty = table.at("best_ask_price"), table.at("best_ask_qty")
    transacted, at = table.at("transaction_time"), table.at("event_time")

    def parse(row: list[str]) -> Frame:
        venue_ns, ticks, lots = _ns(row[at]), texts.ticks, texts.lots
        quote = Quote(
            name,
            int(row[ids]),
            ticks[row[bid]],
            lots[row[bid_qty]],
            ticks[row[ask]],
            lots[row[ask_qty]],
            venue_ns,
            0,
            0,
        )
        return _frame(spec, "bookTicker", quote, venue_ns, _ns(row[transacted]))

    return table.read(parse)


def _prints(path: Path, spec: InstrumentSpec, *, kind: str) -> Iterator[Frame]:
    table = Table(path, columns=_COLUMNS[kind])
    texts, name = texts_of(spec), spec.instrument
    ids, price, qty = table.at("id", "agg_trade_id"), table.at("price"), table.at("qty", "quantity")
    at, maker = table.at("time", "transact_time"), table.at("is_buyer_maker")

    def parse(row: list[str]) -> Frame:
        venue_ns = _ns(row[at])
        aggressor = {"true": -1, "false": 1}[row[maker].strip().lower()]
        trade = Trade(
            name,
            int(row[ids]),
            texts.ticks[row[price]],
            texts.lots[row[qty]],
            aggressor,
            True,
            venue_ns,
            0,
            0,
        )
        return _frame(spec, "trade", trade, venue_ns)

    return table.read(parse)


def _trades(path: Path, spec: InstrumentSpec) -> Iterator[Frame]:
    return _prints(path, spec, kind="trades")


def _agg_trades(path: Path, spec: InstrumentSpec) -> Iterator[Frame]:
    return _prints(path, spec, kind="aggTrades")


def _klines(path: Path, spec: InstrumentSpec) -> Iterator[Frame]:
    table = Table(path, columns=_COLUMNS["klines"])
    ticks, name = texts_of(spec).ticks, spec.instrument
    lot = decimal_of(spec.lot)
    opened, closed, volume = table.at("open_time"), table.at("close_time"), table.at("volume")
    open_, high, low, close = table.at("open"), table.at("high"), table.at("low"), table.at("close")

    def parse(row: list[str]) -> tuple[tuple[int, int, int], ...]:
        prices = [ticks[row[open_]], ticks[row[high]], ticks[row[low]], ticks[row[close]]]
        if prices[3] >= prices[0]:
            prices[1], prices[2] = prices[2], prices[1]
        start_ns, end_ns = _ns(row[opened]), _ns(row[closed])
        lots = units_floor(row[volume], lot) // 4
        if lots < 1:
            return ()
        quarter_ns = (end_ns - start_ns) // 4
        return tuple((start_ns + quarter_ns * step, price, lots) for step, price in enumerate(prices))

    before, seq = 0, 0
    for prints in table.read(parse):
        for venue_ns, price, lots in prints:
            seq += 1
            aggressor = 1 if price >= before else -1
            before = price
            trade = Trade(name, seq, price, lots, aggressor, True, venue_ns, 0, 0)
            yield _frame(spec, "trade", trade, venue_ns)


_READERS: Final = {
    "bookTicker": _book_tickers,
    "trades": _trades,
    "aggTrades": _agg_trades,
    "klines": _klines,
}
