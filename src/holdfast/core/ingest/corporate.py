"""Corporate actions: no price of one scale is ever compared with one of another.

On the first day after a split every known price (the last one, the close, a stop, a position's cost) is in the old
scale. A guard that knows the factor file refuses the instrument for pricing from that day on until somebody has
applied the split; then its reference moves over, and what still comes in the old scale is refused as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import gcd
from typing import Final

from holdfast.vocab.corporate import FactorRow, Ratio
from holdfast.vocab.invariant import invariant

SPLIT_UNAPPLIED: Final = "split_unapplied"
OFF_SCALE: Final = "off_scale"
# Between two prices of one scale. Exchanges halt an equity long before it halves within a day; a split is 3 for 2
# at the least, and those that a factor file lists are known beforehand whatever their size.
SCALE_TIMES_MAX: Final = 2
_SEEN_PPM: Final = 150_000  # how far from the expected ratio an overnight move may take the open
_PPM: Final = 1_000_000
_SMALL_MAX: Final = 10
_LARGE_MAX: Final = 100
_ROUNDED_PPM: Final = 100  # what files that write six digits lose


class SplitSeen(Enum):
    """What the first price of a day says of the split that a factor file does or does not tell."""

    NONE = "none"  # none is due and none is seen
    SEEN = "seen"  # due, and the price is in the new scale
    NOT_SEEN = "not_seen"  # due, and the price is still in the old scale: a stale print, or a wrong file
    UNANNOUNCED = "unannounced"  # none is due, and the price moved as if there were one


def factor_on(rows: Sequence[FactorRow], date: int) -> FactorRow | None:
    """The factors that hold on a day; None behind the last row. ``rows`` by date, oldest first."""
    for row in rows:
        if date <= row.date:
            return row
    return None


def split_between(rows: Sequence[FactorRow], *, before: int, date: int) -> Ratio | None:
    """The scale change from one day to a later one; None where there is none, or the file does not reach so far."""
    old, new = factor_on(rows, before), factor_on(rows, date)
    if old is None or new is None or old.split_e8 == new.split_e8:
        return None
    return _whole(old.split_e8, new.split_e8)


def split_seen(due: Ratio | None, *, close_ticks: int, price_ticks: int) -> SplitSeen:
    """Hold a day's first price against the last close and the scale change that is due."""
    if due is None:
        apart = price_ticks * SCALE_TIMES_MAX < close_ticks or close_ticks * SCALE_TIMES_MAX < price_ticks
        return SplitSeen.UNANNOUNCED if apart else SplitSeen.NONE
    expected = due.of(close_ticks)
    near = abs(price_ticks - expected) * _PPM <= _SEEN_PPM * expected
    return SplitSeen.SEEN if near else SplitSeen.NOT_SEEN


@dataclass(slots=True, kw_only=True)
class SplitGuard:
    """One instrument's scale. ``reference_ticks``: the last price that was let through, 0 before the first."""

    rows: tuple[FactorRow, ...]
    date: int = 0
    reference_ticks: int = 0
    due: Ratio | None = None

    def begin_day(self, date: int) -> Ratio | None:
        """A trading day begins: the scale change that must be applied before anything is priced, if any."""
        invariant(date >= self.date, "days come in order", date=date, before=self.date)
        if self.date and date > self.date:
            new = split_between(self.rows, before=self.date, date=date)
            if new is not None:
                self.due = new if self.due is None else _whole(self.due.up * new.up, self.due.down * new.down)
        self.date = date
        return self.due

    def judge(self, price_ticks: int) -> str:
        """Why a price must not be used; empty where it may."""
        if self.due is not None:
            return SPLIT_UNAPPLIED
        known = self.reference_ticks
        if known and (price_ticks * SCALE_TIMES_MAX < known or known * SCALE_TIMES_MAX < price_ticks):
            return OFF_SCALE
        self.reference_ticks = price_ticks
        return ""

    def apply(self, ratio: Ratio) -> None:
        """The split was applied to everything that is counted in this scale: go on in the new one."""
        invariant(ratio == self.due, "what is applied is what is due", applied=ratio, due=self.due)
        self.reference_ticks = ratio.of(self.reference_ticks)
        self.due = None


def _whole(up: int, down: int) -> Ratio:
    """The ratio of two factors in small numbers where it is one: files round, and 0.0357143 to 0.25 is one to seven."""
    low, high = min(up, down), max(up, down)
    for small in range(1, _SMALL_MAX + 1):
        large = (2 * high * small + low) // (2 * low)
        if large <= _LARGE_MAX and abs(high * small - low * large) * _PPM <= _ROUNDED_PPM * high * small:
            return Ratio(small, large) if up < down else Ratio(large, small)
    common = gcd(up, down)
    return Ratio(up // common, down // common)
