"""What one instrument may cost the account at worst: kept as a number, recounted when anything of it changes."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.views import MarketView, OpenView, PositionView
from holdfast.vocab.instruments import InstrumentSpec


@dataclass(slots=True, kw_only=True)
class NetSums:
    """The account's net notional, were every buy to fill (``long_e8``) or every sell (``short_e8``); both signed."""

    long_e8: int = 0
    short_e8: int = 0


@dataclass(slots=True, kw_only=True)
class GroupSum:
    """Gross notional at worst case of one group's instruments."""

    gross_e8: int = 0


class Exposure:
    """One instrument's rows and its worst-case notional, ``gross_e8``, as last counted.

    ``long_e8`` and ``short_e8`` are what it adds to the account's ``net``; ``group`` is the sum that it is part of.

    Not part of the hashed state: it holds references to rows of the books, and the account's sum is hashed.
    """

    __slots__ = (
        "gross_e8",
        "group",
        "long_e8",
        "market",
        "net",
        "open_lots",
        "position",
        "short_e8",
        "unit_e8",
    )

    def __init__(
        self,
        *,
        spec: InstrumentSpec,
        position: PositionView,
        open_lots: OpenView,
        market: MarketView,
        net: NetSums,
    ) -> None:
        self.unit_e8 = spec.tick_lot_e8
        self.position = position
        self.open_lots = open_lots
        self.market = market
        self.net = net
        self.group = GroupSum()
        self.gross_e8 = 0
        self.long_e8 = 0
        self.short_e8 = 0

    def join(self, group: GroupSum) -> None:
        """Be part of this group's sum from now on, and of no other."""
        self.group.gross_e8 -= self.gross_e8
        self.group = group
        group.gross_e8 += self.gross_e8

    def recount(self) -> int:
        """Count anew, at the larger of mid, mark and last; returns by how much it changed."""
        held = self.position.position_lots
        open_lots = self.open_lots
        longest = held + open_lots.buy_lots
        shortest = held - open_lots.sell_lots
        lots = -shortest
        if longest > lots:  # longest >= shortest: one of the two is the larger in size
            lots = longest
        market = self.market
        price = (market.mid2_ticks + 1) >> 1
        if market.mark_ticks > price:
            price = market.mark_ticks
        if market.last_ticks > price:
            price = market.last_ticks
        price *= self.unit_e8
        net = self.net
        now = longest * price
        net.long_e8 += now - self.long_e8
        self.long_e8 = now
        now = shortest * price
        net.short_e8 += now - self.short_e8
        self.short_e8 = now
        change = lots * price - self.gross_e8
        self.gross_e8 += change
        self.group.gross_e8 += change
        return change
