"""Candles and rolling statistics of one symbol, from the prints that were seen."""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
CANDLES_MAX: Final = 1_500

# One and three days, one week and one month are aligned like Binance's: UTC days, weeks from Monday.
INTERVALS_MS: Final[dict[str, int]] = {
    "1m": _MINUTE_MS,
    "3m": 3 * _MINUTE_MS,
    "5m": 5 * _MINUTE_MS,
    "15m": 15 * _MINUTE_MS,
    "30m": 30 * _MINUTE_MS,
    "1h": 60 * _MINUTE_MS,
    "2h": 120 * _MINUTE_MS,
    "4h": 240 * _MINUTE_MS,
    "6h": 360 * _MINUTE_MS,
    "8h": 480 * _MINUTE_MS,
    "12h": 720 * _MINUTE_MS,
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
    "1w": 7 * _DAY_MS,
    "1M": 30 * _DAY_MS,
}
_MONDAY_MS: Final = 4 * _DAY_MS  # the epoch was a Thursday


class Candle(Struct):
    """One bar. Prices in ticks; ``tick_lots`` is Σ price × lots, ``buy_*`` of taker buys; trade ids first and last."""

    open_ms: int
    close_ms: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    first_id: int
    last_id: int
    lots: int = 0
    tick_lots: int = 0
    count: int = 0
    buy_lots: int = 0
    buy_tick_lots: int = 0


def bucket_ms(interval: str, at_ms: int) -> int:
    """When the candle that holds this time opened."""
    length_ms = INTERVALS_MS[interval]
    if interval == "1w":
        return (at_ms - _MONDAY_MS) // length_ms * length_ms + _MONDAY_MS
    return at_ms // length_ms * length_ms


class Candles:
    """Every interval's candles, the last 1,500 of each."""

    def __init__(self) -> None:
        self._series: dict[str, deque[Candle]] = {name: deque(maxlen=CANDLES_MAX) for name in INTERVALS_MS}
        self._day: deque[Candle] = deque(maxlen=24 * 60 + 1)

    def trade(self, *, trade_id: int, price_ticks: int, lots: int, aggressor: int, at_ms: int) -> None:
        """Count a print."""
        for interval, series in self._series.items():
            last = series[-1] if series else None
            if last is None or at_ms > last.close_ms:
                open_ms = bucket_ms(interval, at_ms)
                last = Candle(
                    open_ms,
                    open_ms + INTERVALS_MS[interval] - 1,
                    price_ticks,
                    price_ticks,
                    price_ticks,
                    price_ticks,
                    trade_id,
                    trade_id,
                )
                series.append(last)
                if interval == "1m":
                    self._day.append(last)
            if price_ticks > last.high_ticks:
                last.high_ticks = price_ticks
            elif price_ticks < last.low_ticks:
                last.low_ticks = price_ticks
            last.close_ticks = price_ticks
            last.last_id = trade_id
            last.count += 1
            last.lots += lots
            last.tick_lots += lots * price_ticks
            if aggressor > 0:
                last.buy_lots += lots
                last.buy_tick_lots += lots * price_ticks

    def series(self, interval: str) -> deque[Candle]:
        """An interval's candles, oldest first."""
        return self._series[interval]

    def last(self, interval: str) -> Candle | None:
        """An interval's newest candle."""
        series = self._series[interval]
        return series[-1] if series else None

    def day(self, now_ms: int) -> Candle | None:
        """The last 24 hours as one bar, to the minute; None before the first print."""
        while self._day and self._day[0].close_ms < now_ms - _DAY_MS:
            self._day.popleft()
        if not self._day:
            return None
        first, last = self._day[0], self._day[-1]
        bar = Candle(
            max(first.open_ms, now_ms - _DAY_MS),
            now_ms,
            first.open_ticks,
            max(one.high_ticks for one in self._day),
            min(one.low_ticks for one in self._day),
            last.close_ticks,
            first.first_id,
            last.last_id,
        )
        for one in self._day:
            bar.lots += one.lots
            bar.tick_lots += one.tick_lots
            bar.count += one.count
            bar.buy_lots += one.buy_lots
            bar.buy_tick_lots += one.buy_tick_lots
        return bar
