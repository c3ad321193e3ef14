"""What one instrument may cost the account at worst: kept as a number, recounted when anything of it changes."""

from __future__ import annotations

from holdfast.core.views import MarketView, OpenView, PositionView
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import PPM


class Exposure:
    """One instrument's rows and its worst-case notional, ``gross_e8``, as last counted.

    What follows from its prices alone is kept until one of them moves: ``value_ticks``, the larger of mid, mark and
    last, and ``lowest_ticks`` to ``highest_ticks``, where a limit price stands within the collar around mid and mark.
    Not part of the hashed state: it holds references to rows of the books, and the account's sum is hashed.
    """

    __slots__ = (
        "collar_ppm",
        "gross_e8",
        "highest_ticks",
        "lowest_ticks",
        "market",
        "moves_seen",
        "open_lots",
        "position",
        "unit_e8",
        "value_ticks",
        "would_be_e8",
    )

    def __init__(
        self, *, spec: InstrumentSpec, position: PositionView, open_lots: OpenView, market: MarketView
    ) -> None:
        self.unit_e8 = spec.tick_lot_e8
        self.position = position
        self.open_lots = open_lots
        self.market = market
        self.gross_e8 = 0
        self.would_be_e8 = -1  # with the order that the gate's screen let through last; -1: count
        self.collar_ppm = 0
        self.moves_seen = -1
        self.value_ticks = self.lowest_ticks = self.highest_ticks = 0

    def collar(self, ppm: int) -> None:
        """How far from mid and mark a price may stand, from now on."""
        self.collar_ppm = ppm
        self.moves_seen = -1

    def reprice(self) -> None:
        """Find out anew what follows from the prices."""
        market = self.market
        ppm = self.collar_ppm
        self.moves_seen = market.moves_count
        mid2 = market.mid2_ticks
        value = (mid2 + 1) >> 1
        lowest = -(mid2 * (ppm - PPM) // (2 * PPM))
        highest = mid2 * (ppm + PPM) // (2 * PPM)
        mark = market.mark_ticks
        if mark:
            lowest = max(lowest, -(mark * (ppm - PPM) // PPM))
            highest = min(highest, mark * (ppm + PPM) // PPM)
        self.lowest_ticks = lowest
        self.highest_ticks = highest
        self.value_ticks = max(value, mark, market.last_ticks)

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
        if self.moves_seen != self.market.moves_count:
            self.reprice()
        before = self.gross_e8
        self.gross_e8 = now = lots * self.value_ticks * self.unit_e8
        return now - before
