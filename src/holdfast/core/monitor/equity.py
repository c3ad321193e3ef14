"""Equity, the day's peak, and how far we are below it.

A transfer is no gain and no loss. What is withdrawn takes its share of the peak with it, so that a loss made before
is the same share of what is left, and one made after counts against what is there. What is paid in counts from the next
day on, but for what was withdrawn the same day: it must not hide a loss.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.vocab.facts import EquityMarked
from holdfast.vocab.units import NS_PER_S, PPM, ceil_div

DAY_NS: Final = 86_400 * NS_PER_S
HOUR_NS: Final = 3_600 * NS_PER_S


class Drawdown(Struct, kw_only=True):
    """The day's peak, and equity net of external transfers. Days are of the wall clock, from the configured hour on."""

    day: int = -1
    peak_e8: int = 0
    equity_e8: int = 0
    marked: bool = False
    transfers_before_e8: int = 0
    transfers_counted_e8: int = 0

    def apply(self, fact: EquityMarked) -> None:
        """Take the newest mark."""
        self.day = fact.day
        self.peak_e8 = fact.peak_e8
        self.equity_e8 = fact.equity_e8
        self.marked = True
        self.transfers_before_e8 = fact.transfers_before_e8
        self.transfers_counted_e8 = fact.transfers_counted_e8

    def drawdown_ppm(self) -> int:
        """How far below the day's peak, rounded up; 0 at the peak, and a whole where the peak is not positive."""
        if not self.marked:
            return 0
        equity_e8 = self.equity_e8 + self.transfers_counted_e8
        if self.peak_e8 <= 0:
            return 0 if equity_e8 >= self.peak_e8 else PPM
        return max(0, ceil_div((self.peak_e8 - equity_e8) * PPM, self.peak_e8))


def marked(
    drawdown: Drawdown, *, net_equity_e8: int, transfers_e8: int, wall_ns: int, day_begins_utc_hour: int = 0
) -> EquityMarked:
    """The next mark: a new day starts its peak at the present equity. A clock stepped back keeps the day.

    ``transfers_e8``: all that were ever booked.
    """
    day = max(day_of(wall_ns, day_begins_utc_hour=day_begins_utc_hour), drawdown.day)
    before = transfers_e8 if day != drawdown.day else drawdown.transfers_before_e8
    counted = min(before, transfers_e8)
    equity = net_equity_e8 + counted
    peak = equity
    if day == drawdown.day:
        untransferred = net_equity_e8 + drawdown.transfers_counted_e8
        if untransferred > 0:
            peak = ceil_div(drawdown.peak_e8 * equity, untransferred)
        else:  # no share of nothing: what was lost stays lost
            peak = drawdown.peak_e8 + equity - untransferred
    return EquityMarked(
        equity_e8=net_equity_e8,
        peak_e8=max(peak, equity),
        day=day,
        transfers_before_e8=before,
        transfers_counted_e8=counted,
    )


def day_of(wall_ns: int, *, day_begins_utc_hour: int) -> int:
    """The number of the account's day that holds a wall time."""
    return (wall_ns - day_begins_utc_hour * HOUR_NS) // DAY_NS


def floor_e8(peak_e8: int, *, breaker_ppm: int) -> int:
    """The counted equity below which the breaker trips: between marks the hot path compares against this alone."""
    return peak_e8 - peak_e8 * breaker_ppm // PPM
