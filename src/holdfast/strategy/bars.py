"""Time bars from prints or from the middle of the quotes, in whole ticks and lots."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.units import NS_PER_MS


class BarSource(Enum):
    """What a bar is made of. Prints outside the market (insurance fund) move no bar."""

    TRADES = "trades"
    QUOTES = "quotes"  # the middle of bid and offer, rounded down to the tick; volume is 0


class Bar(Struct, frozen=True, gc=False):
    """One closed bar of ``[start_wall_ns, start_wall_ns + interval_ms)``; an interval without an event has none.

    ``count``: how many events made it.
    """

    instrument: str
    interval_ms: int
    start_wall_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    count: int


class BarBuilder:
    """Builds one instrument's bars of one length, aligned to UTC.

    A bar closes with the first event past its end, or when :meth:`close_due` is told the time, whichever comes
    first. A clock that steps back adds to the open bar: bars never overlap and never repeat.
    """

    __slots__ = (
        "_close",
        "_count",
        "_end_ns",
        "_high",
        "_instrument",
        "_interval_ms",
        "_interval_ns",
        "_low",
        "_open",
        "_volume",
    )

    def __init__(self, *, instrument: str, interval_ms: int) -> None:
        if interval_ms <= 0:
            raise ValueError(f"a bar's length is a positive number of milliseconds, not {interval_ms}")
        self._instrument = instrument
        self._interval_ms = interval_ms
        self._interval_ns = interval_ms * NS_PER_MS
        self._end_ns = 0
        self._count = 0
        self._open = self._high = self._low = self._close = self._volume = 0

    @property
    def end_wall_ns(self) -> int | None:
        """When the open bar is over; None while none is open."""
        return self._end_ns if self._count else None

    def add_trade(self, trade: Trade) -> Bar | None:
        """Count a print in; gives the bar that it closed."""
        if not trade.market:
            return None
        return self.add(trade.price_ticks, trade.qty_lots, trade.wall_ns)

    def add_quote(self, quote: Quote) -> Bar | None:
        """Count a quote's middle in; gives the bar that it closed."""
        return self.add((quote.bid_ticks + quote.ask_ticks) >> 1, 0, quote.wall_ns)

    def add(self, ticks: int, lots: int, wall_ns: int) -> Bar | None:
        """Count a price in; gives the bar that it closed."""
        if wall_ns < self._end_ns and self._count:
            if ticks > self._high:
                self._high = ticks
            elif ticks < self._low:
                self._low = ticks
            self._close = ticks
            self._volume += lots
            self._count += 1
            return None
        closed = self._bar() if self._count else None
        # never behind the last bar, even where the clock stepped back after it was closed
        start_ns = max(wall_ns // self._interval_ns * self._interval_ns, self._end_ns)
        self._end_ns = start_ns + self._interval_ns
        self._open = self._high = self._low = self._close = ticks
        self._volume, self._count = lots, 1
        return closed

    def close_due(self, wall_ns: int) -> Bar | None:
        """The open bar if it is over by now, else None."""
        if not self._count or wall_ns < self._end_ns:
            return None
        closed = self._bar()
        self._count = 0
        return closed

    def _bar(self) -> Bar:
        return Bar(
            self._instrument,
            self._interval_ms,
            self._end_ns - self._interval_ns,
            self._open,
            self._high,
            self._low,
            self._close,
            self._volume,
            self._count,
        )
