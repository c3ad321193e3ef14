"""Streams that are made of others: slower depth, partial books, aggregate trades, candles, tickers, marks.

What the source has is published as it is. The rest is worked out here, and only while somebody listens.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.sim.model import OrderEvent
from holdfast.sim.server.candles import INTERVALS_MS, Candle
from holdfast.sim.server.market_view import SymbolView
from holdfast.sim.server.numerals import fixed
from holdfast.sim.server.venue import Venue
from holdfast.sim.server.wire_market import funding_text, levels, next_funding_ms, percent
from holdfast.vocab.market import Depth, Trade
from holdfast.vocab.units import NS_PER_MS

_DEPTH: Final = re.compile(r"([a-z0-9_]+)@depth(5|10|20)?(?:@(0|100|250|500)ms)?")
_KLINE: Final = re.compile(r"([a-z0-9_]+)@kline_([0-9]+[mhdwM])")
_CONTINUOUS: Final = re.compile(r"([a-z0-9]+)_perpetual@continuousKline_([0-9]+[mhdwM])")
_TICKER: Final = re.compile(r"([a-z0-9_]+)@(miniTicker|ticker)")
_KLINE_EVERY_MS: Final = 250
_encode: Final = msgspec.json.encode


class _Batch(Struct):
    """Diffs put together until a slower depth stream is due."""

    stream: str
    view: SymbolView
    every_ms: int
    due_ms: int = 0
    first_id: int = 0
    last_id: int = 0
    prev_id: int = 0
    at_ms: int = 0
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}


class _Timed(Struct):
    """Something that is published each so many milliseconds. ``make`` gives None when there is nothing new."""

    stream: str
    every_ms: int
    make: Callable[[int], bytes | None]
    due_ms: int = 0


class _CandleState(Struct):
    """How far a candle stream has told."""

    open_ms: int = 0
    traded: int = -1
    closed: bool = True


class Derived:
    """Makes the derived streams that somebody listens to. ``tick`` is called every few milliseconds."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._version = -1
        self._batches: dict[str, _Batch] = {}
        self._timed: dict[str, _Timed] = {}
        self._by_stream = {view.stream: view for view in venue.market.symbols.values()}
        self._mark_told_ms: dict[str, int] = {}

    # --- as frames come ------------------------------------------------------------------------------------------

    def on_quote(self, payload: bytes) -> None:
        """A new best bid and ask."""
        self._venue.hub.publish("!bookTicker", payload)

    def on_trade(self, view: SymbolView, event: Trade, at_ms: int) -> None:
        """A public print."""
        stream = f"{view.stream}@aggTrade"
        if event.market and self._venue.hub.wanted(stream):
            payload = {
                "e": "aggTrade",
                "E": at_ms,
                "s": view.symbol,
                "a": event.seq,
                "p": view.numerals.price(event.price_ticks),
                "q": view.numerals.qty(event.qty_lots),
                "f": event.seq,
                "l": event.seq,
                "T": at_ms,
                "m": event.aggressor < 0,
            }
            self._venue.hub.publish(stream, _encode(payload))

    def on_depth(self, view: SymbolView, event: Depth, at_ms: int, own_stream: str) -> None:
        """A book diff; ``own_stream`` is the one that it was published on as it is."""
        self._refresh()
        for batch in self._batches.values():
            if batch.view is not view or batch.stream == own_stream:
                continue
            if not batch.last_id:
                batch.first_id = event.seq_first
                batch.prev_id = event.seq_prev
            batch.last_id = event.seq
            batch.at_ms = at_ms
            batch.bids.update(event.bids)
            batch.asks.update(event.asks)

    def on_mark(self, view: SymbolView, at_ms: int, own_stream: str) -> None:
        """A new mark price."""
        for stream, every_ms in ((f"{view.stream}@markPrice@1s", 0), (f"{view.stream}@markPrice", 2_900)):
            due = at_ms - self._mark_told_ms.get(stream, 0) >= every_ms
            if due and stream != own_stream and self._venue.hub.wanted(stream):
                self._mark_told_ms[stream] = at_ms
                self._venue.hub.publish(stream, _encode(self.mark_message(view, at_ms)))

    def on_liquidation(self, event: OrderEvent) -> None:
        """The venue closed somebody's position."""
        order, fill = event.order, event.fill
        if fill is None:
            return
        view = self._venue.market.symbols[order.symbol]
        numerals = view.numerals
        at_ms = self._venue.shown_ms(event.now_ns)
        payload = _encode(
            {
                "e": "forceOrder",
                "E": at_ms,
                "o": {
                    "s": order.symbol,
                    "S": "BUY" if order.side > 0 else "SELL",
                    "o": "LIMIT",
                    "f": "IOC",
                    "q": numerals.bare_qty(order.qty_lots),
                    "p": numerals.price(order.price_ticks or fill.price_ticks),
                    "ap": numerals.average(order.cost_tick_lots, order.filled_lots, numerals.price_decimals),
                    "X": order.status,
                    "l": numerals.bare_qty(fill.qty_lots),
                    "z": numerals.bare_qty(order.filled_lots),
                    "T": at_ms,
                },
            }
        )
        for stream in (f"{view.stream}@forceOrder", "!forceOrder@arr"):
            self._venue.hub.publish(stream, payload)

    def mark_message(self, view: SymbolView, at_ms: int) -> dict[str, object]:
        """A mark price update, with the venue's own next funding time."""
        mark = view.numerals.mark(self._venue.exchange.mark_ticks(view.symbol))
        return {
            "e": "markPriceUpdate",
            "E": at_ms,
            "s": view.symbol,
            "p": mark,
            "ap": mark,
            "i": mark,
            "P": mark,
            "r": funding_text(self._venue.exchange.funding(view.symbol).rate_ppb),
            "T": next_funding_ms(self._venue, view.symbol),
        }

    @property
    def busy(self) -> bool:
        """Whether anybody listens to a stream that needs ``tick``."""
        self._refresh()
        return bool(self._batches or self._timed)

    # --- as time goes --------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Publish what is due."""
        self._refresh()
        now_ms = now_ns // NS_PER_MS
        for batch in self._batches.values():
            if batch.last_id and now_ms >= batch.due_ms:
                batch.due_ms = now_ms + batch.every_ms
                self._venue.hub.publish(batch.stream, _encode(self._diff(batch)))
                batch.last_id = 0
                batch.bids, batch.asks = {}, {}
        for timed in self._timed.values():
            if now_ms >= timed.due_ms:
                timed.due_ms = now_ms + timed.every_ms
                payload = timed.make(now_ms)
                if payload is not None:
                    self._venue.hub.publish(timed.stream, payload)

    def _diff(self, batch: _Batch) -> dict[str, object]:
        numerals = batch.view.numerals
        step_ms = self._venue.step_ns // NS_PER_MS
        return {
            "e": "depthUpdate",
            "E": batch.at_ms + step_ms,
            "T": batch.at_ms + step_ms,
            "s": batch.view.symbol,
            "U": batch.first_id,
            "u": batch.last_id,
            "pu": batch.prev_id,
            "b": [(numerals.price(p), numerals.qty(q)) for p, q in batch.bids.items()],
            "a": [(numerals.price(p), numerals.qty(q)) for p, q in batch.asks.items()],
        }

    # --- what is wanted --------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        hub = self._venue.hub
        if hub.version == self._version:
            return
        self._version = hub.version
        batches: dict[str, _Batch] = {}
        timed: dict[str, _Timed] = {}
        for stream in hub.wanted_streams():
            if (found := _DEPTH.fullmatch(stream)) and found[1] in self._by_stream:
                view = self._by_stream[found[1]]
                every_ms = int(found[3]) if found[3] else 250
                if found[2]:
                    timed[stream] = self._timed.get(stream) or _Timed(
                        stream, every_ms, self._partial(view, int(found[2]))
                    )
                else:
                    batches[stream] = self._batches.get(stream) or _Batch(stream, view, every_ms)
            elif made := self._timed.get(stream) or self._new_timed(stream):
                timed[stream] = made
        self._batches, self._timed = batches, timed

    def _new_timed(self, stream: str) -> _Timed | None:
        for pattern, continuous in ((_KLINE, False), (_CONTINUOUS, True)):
            found = pattern.fullmatch(stream)
            if found and found[1] in self._by_stream and found[2] in INTERVALS_MS:
                view = self._by_stream[found[1]]
                return _Timed(
                    stream, _KLINE_EVERY_MS, self._candles(stream, view, found[2], continuous=continuous)
                )
        if (found := _TICKER.fullmatch(stream)) and found[1] in self._by_stream:
            view = self._by_stream[found[1]]
            mini = found[2] == "miniTicker"
            return _Timed(stream, 1_000, lambda now_ms: _encode(self._ticker(view, now_ms, mini=mini)))
        if stream in {"!miniTicker@arr", "!ticker@arr"}:
            mini = stream.startswith("!mini")
            return _Timed(stream, 1_000, lambda now_ms: _encode(self._tickers(now_ms, mini=mini)))
        if stream in {"!markPrice@arr", "!markPrice@arr@1s"}:
            every_ms = 1_000 if stream.endswith("@1s") else 3_000
            return _Timed(stream, every_ms, self._marks)
        return None

    def _partial(self, view: SymbolView, limit: int) -> Callable[[int], bytes | None]:
        told_id = 0

        def make(now_ms: int) -> bytes | None:
            nonlocal told_id
            if view.last_id == told_id:
                return None
            bids, asks = levels(view, limit)
            step_ms = self._venue.step_ns // NS_PER_MS
            message = {
                "e": "depthUpdate",
                "E": now_ms + step_ms,
                "T": (view.book_ms or now_ms) + step_ms,
                "s": view.symbol,
                "U": told_id + 1 if told_id else view.last_id,
                "u": view.last_id,
                "pu": told_id or view.last_id - 1,
                "b": bids,
                "a": asks,
            }
            told_id = view.last_id
            return _encode(message)

        return make

    def _ticker(self, view: SymbolView, now_ms: int, *, mini: bool) -> dict[str, object]:
        numerals = view.numerals
        bar = view.candles.day(now_ms) or Candle(now_ms, now_ms, *(view.last_ticks,) * 4, 0, 0)
        step_ms = self._venue.step_ns // NS_PER_MS
        shared = {
            "s": view.symbol,
            "c": numerals.price(bar.close_ticks),
            "o": numerals.price(bar.open_ticks),
            "h": numerals.price(bar.high_ticks),
            "l": numerals.price(bar.low_ticks),
            "v": numerals.qty(bar.lots),
            "q": fixed(numerals.notional_e8(bar.tick_lots) // 10**6, 2),
        }
        if mini:
            return {"e": "24hrMiniTicker", "E": now_ms + step_ms, **shared}
        change = bar.close_ticks - bar.open_ticks
        return {
            "e": "24hrTicker",
            "E": now_ms + step_ms,
            **shared,
            "p": numerals.price(change),
            "P": percent(change, bar.open_ticks, 3),
            "w": numerals.average(bar.tick_lots, bar.lots, numerals.price_decimals),
            "Q": numerals.qty(view.trades[-1].lots if view.trades else 0),
            "O": bar.open_ms + step_ms,
            "C": bar.close_ms + step_ms,
            "F": bar.first_id,
            "L": bar.last_id,
            "n": bar.count,
        }

    def _tickers(self, now_ms: int, *, mini: bool) -> list[dict[str, object]]:
        return [self._ticker(view, now_ms, mini=mini) for view in self._by_stream.values()]

    def _marks(self, now_ms: int) -> bytes:
        step_ms = self._venue.step_ns // NS_PER_MS
        return _encode([self.mark_message(view, now_ms + step_ms) for view in self._by_stream.values()])

    def _candles(
        self, stream: str, view: SymbolView, interval: str, *, continuous: bool
    ) -> Callable[[int], bytes | None]:
        state = _CandleState()

        def make(now_ms: int) -> bytes | None:
            series = view.candles.series(interval)
            if not series:
                return None
            last = series[-1]
            if last.open_ms != state.open_ms:
                if not state.closed:
                    ended = next((one for one in reversed(series) if one.open_ms == state.open_ms), None)
                    if ended is not None:
                        message = self._candle(
                            view, ended, interval, now_ms, closed=True, continuous=continuous
                        )
                        self._venue.hub.publish(stream, _encode(message))
                state.open_ms, state.closed = last.open_ms, False
            over = now_ms > last.close_ms
            if state.closed or (view.traded == state.traded and not over):
                return None
            state.traded, state.closed = view.traded, over
            return _encode(self._candle(view, last, interval, now_ms, closed=over, continuous=continuous))

        return make

    def _candle(
        self, view: SymbolView, candle: Candle, interval: str, now_ms: int, *, closed: bool, continuous: bool
    ) -> dict[str, object]:
        numerals = view.numerals
        step_ms = self._venue.step_ns // NS_PER_MS
        bar: dict[str, object] = {
            "t": candle.open_ms + step_ms,
            "T": candle.close_ms + step_ms,
            "s": view.symbol,
            "i": interval,
            "f": candle.first_id,
            "L": candle.last_id,
            "o": numerals.price(candle.open_ticks),
            "c": numerals.price(candle.close_ticks),
            "h": numerals.price(candle.high_ticks),
            "l": numerals.price(candle.low_ticks),
            "v": numerals.qty(candle.lots),
            "n": candle.count,
            "x": closed,
            "q": numerals.quote(candle.tick_lots),
            "V": numerals.qty(candle.buy_lots),
            "Q": numerals.quote(candle.buy_tick_lots),
            "B": "0",
        }
        if continuous:
            del bar["s"]
            return {
                "e": "continuous_kline",
                "E": now_ms + step_ms,
                "ps": view.symbol,
                "ct": "PERPETUAL",
                "k": bar,
            }
        return {"e": "kline", "E": now_ms + step_ms, "s": view.symbol, "k": bar}
