"""Corporate actions: no price of one scale is ever compared with one of another.

On the first day after a split every known price (the last one, the close, a stop, a position's cost) is in the old
scale. Whoever knows the factor file refuses the instrument for pricing from that day on until somebody has applied the
split (``market.py``); then its reference moves over, and what still comes in the old scale is refused as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Final

from holdfast.vocab.corporate import FactorRow, Ratio

SPLIT_UNAPPLIED: Final = "split_unapplied"
OFF_SCALE: Final = "off_scale"
# Between two prices of one scale. Exchanges halt an equity long before it halves within a day; a split is 3 for 2
# at the least, and those that a factor file lists are known beforehand whatever their size.
SCALE_TIMES_MAX: Final = 2
_PPM: Final = 1_000_000
_SMALL_MAX: Final = 10
_LARGE_MAX: Final = 100
_ROUNDED_PPM: Final = 100  # what files that write six digits lose


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


def _whole(up: int, down: int) -> Ratio:
    """The ratio of two factors in small numbers where it is one: files round, and 0.0357143 to 0.25 is one to seven."""
    low, high = min(up, down), max(up, down)
    for small in range(1, _SMALL_MAX + 1):
        large = (2 * high * small + low) // (2 * low)
        if large <= _LARGE_MAX and abs(high * small - low * large) * _PPM <= _ROUNDED_PPM * high * small:
            return Ratio(small, large) if up < down else Ratio(large, small)
    common = gcd(up, down)
    return Ratio(up // common, down // common)
