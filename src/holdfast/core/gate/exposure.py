"""What one instrument may cost the account at worst: kept as a number, recounted when anything of it changes."""

from __future__ import annotations

from holdfast.core.views import MarketView, OpenView, PositionView
from holdfast.vocab.instruments import InstrumentSpec


class Exposure:
    """One instrument's rows and its worst-case notional, ``gross_e8``, as last counted.

    Not part of the hashed state: it holds references to rows of the books, and the account's sum is hashed.
    """

    __slots__ = ("gross_e8", "market", "open_lots", "position", "unit_e8")

    def __init__(
        self, *, spec: InstrumentSpec, position: PositionView, open_lots: OpenView, market: MarketView
    ) -> None:
        self.unit_e8 = spec.tick_lot_e8
        self.position = position
        self.open_lots = open_lots
        self.market = market
        self.gross_e8 = 0

    def recount(self) -> int:
        """Count anew, at the larger of mid, mark and last; returns by how much it changed."""
        held = self.position.position_lots
        open_lots = self.open_lots
        lots = held + open_lots.buy_lots
        if lots < 0:
            lots = -lots
        other = held - open_lots.sell_lots
        if other < 0:
            other = -other
        if other > lots:
            lots = other
        market = self.market
        price = (market.mid2_ticks + 1) >> 1
        if market.mark_ticks > price:
            price = market.mark_ticks
        if market.last_ticks > price:
            price = market.last_ticks
        before = self.gross_e8
        self.gross_e8 = now = lots * price * self.unit_e8
        return now - before
