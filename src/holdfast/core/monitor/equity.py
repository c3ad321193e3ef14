"""Equity, the day's peak, and how far we are below it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.vocab.facts import EquityMarked
from holdfast.vocab.units import NS_PER_S, PPM

DAY_NS: Final = 86_400 * NS_PER_S
HOUR_NS: Final = 3_600 * NS_PER_S


class Drawdown(Struct, kw_only=True):
    """The day's peak of equity net of external transfers. Days are of the wall clock, from the configured hour on."""

    day: int = -1
    peak_e8: int = 0
    equity_e8: int = 0
    marked: bool = False

    def apply(self, fact: EquityMarked) -> None:
        """Take the newest mark."""
        self.day = fact.day
        self.peak_e8 = fact.peak_e8
        self.equity_e8 = fact.equity_e8
        self.marked = True

    def drawdown_ppm(self) -> int:
        """How far below the day's peak, rounded up; 0 at the peak, and a whole where the peak is not positive."""
        if not self.marked:
            return 0
        if self.peak_e8 <= 0:
            return 0 if self.equity_e8 >= self.peak_e8 else PPM
        return max(0, -(-(self.peak_e8 - self.equity_e8) * PPM // self.peak_e8))


def marked(
    drawdown: Drawdown, *, net_equity_e8: int, wall_ns: int, day_begins_utc_hour: int = 0
) -> EquityMarked:
    """The next mark: a new day starts its peak at the present equity. A clock stepped back keeps the day."""
    day = max(day_of(wall_ns, day_begins_utc_hour=day_begins_utc_hour), drawdown.day)
    peak = net_equity_e8 if day != drawdown.day else max(drawdown.peak_e8, net_equity_e8)
    return EquityMarked(equity_e8=net_equity_e8, peak_e8=peak, day=day)


def day_of(wall_ns: int, *, day_begins_utc_hour: int) -> int:
    """The number of the account's day that holds a wall time."""
    return (wall_ns - day_begins_utc_hour * HOUR_NS) // DAY_NS


def floor_e8(peak_e8: int, *, breaker_ppm: int) -> int:
    """The equity below which the breaker trips: between marks the hot path compares against this alone."""
    return peak_e8 - peak_e8 * breaker_ppm // PPM
