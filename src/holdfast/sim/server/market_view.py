"""What the public sees of each symbol: book, last prints, candles, mark and funding.

This is the recorded market alone: orders of our accounts are not in it, as they are not in the public frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from holdfast.sim.server.candles import Candles
from holdfast.sim.server.numerals import Numerals
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, MarketEvent, Quote, Trade

TRADES_MAX: Final = 1_000
FUNDINGS_MAX: Final = 1_000


class Print(Struct, frozen=True):
    """One public trade; ``at_ms`` by the venue's clock."""

    trade_id: int
    price_ticks: int
    lots: int
    aggressor: int
    at_ms: int


class Funded(Struct, frozen=True):
    """One funding of a symbol: its rate in parts per billion and the mark it was taken at."""

    at_ms: int
    rate_ppb: int
    mark_ticks: int


class SymbolView:
    """One symbol, as the public sees it."""

    def __init__(self, spec: InstrumentSpec) -> None:
        self.spec = spec
        self.symbol = spec.instrument
        self.stream = spec.instrument.lower()
        self.numerals = Numerals(spec)
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.book_id = 0
        self.book_ms = 0
        self.quote: Quote | None = None
        self.quote_ms = 0
        self.trades: deque[Print] = deque(maxlen=TRADES_MAX)
        self.candles = Candles()
        self.mark_candles = Candles()
        self.mark_ticks = 0
        self.fundings: deque[Funded] = deque(maxlen=FUNDINGS_MAX)
        self.traded = 0  # prints so far: tells that candles and tickers have changed

    def apply(self, event: MarketEvent, at_ms: int) -> None:
        """Take in a market event that happened at ``at_ms`` of the venue's clock."""
        kind = type(event)
        if kind is Quote:
            self.quote = event  # type: ignore[assignment]
            self.quote_ms = at_ms
        elif kind is Trade:
            self._trade(event, at_ms)  # type: ignore[arg-type]
        elif kind is Depth:
            self._depth(event, at_ms)  # type: ignore[arg-type]
        elif kind is Mark:
            self._mark(event, at_ms)  # type: ignore[arg-type]

    def levels(self, limit: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The best bids and asks as (ticks, lots); the touch alone where no book was ever told."""
        if not self.bids and not self.asks and self.quote is not None:
            quote = self.quote
            return [(quote.bid_ticks, quote.bid_lots)], [(quote.ask_ticks, quote.ask_lots)]
        return sorted(self.bids.items(), reverse=True)[:limit], sorted(self.asks.items())[:limit]

    @property
    def last_id(self) -> int:
        """The id that a book snapshot carries."""
        if self.book_id:
            return self.book_id
        return self.quote.seq if self.quote is not None else 0

    @property
    def last_ticks(self) -> int:
        """The last price, or the mark before any print."""
        return self.trades[-1].price_ticks if self.trades else self.mark_ticks

    def _trade(self, event: Trade, at_ms: int) -> None:
        if not event.market:
            return  # insurance fund and the like move no last price and no candle
        self.traded += 1
        self.trades.append(Print(event.seq, event.price_ticks, event.qty_lots, event.aggressor, at_ms))
        self.candles.trade(
            trade_id=event.seq,
            price_ticks=event.price_ticks,
            lots=event.qty_lots,
            aggressor=event.aggressor,
            at_ms=at_ms,
        )

    def _depth(self, event: Depth, at_ms: int) -> None:
        if event.snapshot:
            self.bids.clear()
            self.asks.clear()
        for side, levels in ((self.bids, event.bids), (self.asks, event.asks)):
            for ticks, lots in levels:
                if lots:
                    side[ticks] = lots
                else:
                    side.pop(ticks, None)
        self.book_id = event.seq
        self.book_ms = at_ms

    def _mark(self, event: Mark, at_ms: int) -> None:
        self.mark_ticks = event.mark_ticks
        self.mark_candles.trade(trade_id=0, price_ticks=event.mark_ticks, lots=0, aggressor=0, at_ms=at_ms)


class MarketView:
    """Every symbol's view."""

    def __init__(self, specs: Sequence[InstrumentSpec]) -> None:
        self.symbols = {spec.instrument: SymbolView(spec) for spec in specs}
