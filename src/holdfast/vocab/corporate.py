"""What a company does to its own price: splits and dividends, as factor files tell them.

Dates are whole numbers, ``20140606``. Factors are in units of 10⁻⁸ and hold up to and including their date.
"""

from __future__ import annotations

from msgspec import Struct


class FactorRow(Struct, frozen=True, kw_only=True):
    """What a price of this day or before (back to the row before) is multiplied by to be today's.

    ``price_e8`` for dividends, ``split_e8`` for splits. ``close_ticks``: the last close at that scale, 0: not told.
    """

    date: int
    price_e8: int
    split_e8: int
    close_ticks: int = 0


class Ratio(Struct, frozen=True):
    """How a price scale changes: the new price is the old one times ``up`` over ``down``. Both above zero."""

    up: int
    down: int

    def of(self, price_ticks: int) -> int:
        """A price in the new scale, to the nearest tick."""
        return (2 * price_ticks * self.up + self.down) // (2 * self.down)


class SplitDue(Struct, frozen=True, kw_only=True, array_like=True):
    """From ``from_venue_ns`` on an instrument's prices are the old ones times ``up`` over ``down``.

    ``applied``: whoever says so has everything that is counted in prices in the new scale by then; otherwise the
    instrument is held until a person has.
    """

    instrument: str
    from_venue_ns: int
    up: int
    down: int
    applied: bool = False
