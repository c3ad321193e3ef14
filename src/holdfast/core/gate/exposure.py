"""What one instrument may cost the account at worst: kept as a number, recounted when anything of it changes."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.gate.facts import NO_BAND
from holdfast.core.views import MarketView, OpenView, PositionView
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import PPM


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

    What follows from its prices alone is kept until one of them moves: ``value_ticks``, the larger of mid, mark and
    last; ``value_e8``, what a lot is worth at it; and ``lowest_ticks`` to ``highest_ticks``, where a limit price stands
    within the collar around mid and mark,
    and within the venue's bands. ``summed``: whether a limit needs the further sums: the account's ``net``, to which it
    adds ``long_e8`` and ``short_e8``, and that of its ``group``.
    Not part of the hashed state: it holds references to rows of the books, and the account's sum is hashed.
    """

    __slots__ = (
        "band_high_ticks",
        "band_low_ticks",
        "gross_e8",
        "group",
        "high_ppm",
        "highest_ticks",
        "long_e8",
        "low_ppm",
        "lowest_ticks",
        "market",
        "moves_seen",
        "net",
        "open_lots",
        "position",
        "short_e8",
        "summed",
        "unit_e8",
        "value_e8",
        "value_ticks",
        "would_be_e8",
    )

    def __init__(
        self,
        *,
        spec: InstrumentSpec,
        position: PositionView,
        open_lots: OpenView,
        market: MarketView,
        net: NetSums,
        summed: bool,
    ) -> None:
        self.unit_e8 = spec.tick_lot_e8
        self.position = position
        self.open_lots = open_lots
        self.market = market
        self.gross_e8 = 0
        self.net = net
        self.summed = summed
        self.group = GroupSum()
        self.long_e8 = self.short_e8 = 0
        self.band_low_ticks = 0
        self.band_high_ticks = NO_BAND
        self.would_be_e8 = -1  # with the order that the gate's screen let through last; -1: count
        self.low_ppm = self.high_ppm = 0  # of twice a million: how far below and above mid and mark
        self.moves_seen = -1
        self.value_ticks = self.value_e8 = self.lowest_ticks = self.highest_ticks = 0

    def collar(self, ppm: int) -> None:
        """How far from mid and mark a price may stand, from now on."""
        self.low_ppm = ppm - PPM
        self.high_ppm = ppm + PPM
        self.moves_seen = -1

    def band(self, low_ticks: int, high_ticks: int) -> None:
        """Where the venue takes prices, from now on."""
        self.band_low_ticks = low_ticks
        self.band_high_ticks = high_ticks
        self.moves_seen = -1

    def join(self, group: GroupSum) -> None:
        """Be part of this group's sum from now on, and of no other."""
        if self.summed:
            self.group.gross_e8 -= self.gross_e8
            group.gross_e8 += self.gross_e8
        self.group = group

    def sum_up(self, change_e8: int) -> None:
        """Bring the further sums up to date, after ``gross_e8`` changed by so much."""
        self.group.gross_e8 += change_e8
        held = self.position.position_lots
        open_lots = self.open_lots
        net = self.net
        value = self.value_e8
        now = (held + open_lots.buy_lots) * value
        net.long_e8 += now - self.long_e8
        self.long_e8 = now
        now = (held - open_lots.sell_lots) * value
        net.short_e8 += now - self.short_e8
        self.short_e8 = now

    def unpriced(self) -> bool:
        """Whether something is held or open that was counted at no price."""
        return not self.value_ticks and bool(
            self.position.position_lots or self.open_lots.buy_lots or self.open_lots.sell_lots
        )

    def reprice(self) -> None:
        """Find out anew what follows from the prices. No ``min`` and no ``max``: it comes before many an order."""
        market = self.market
        self.moves_seen = market.moves_count
        mid2 = market.mid2_ticks
        value = (mid2 + 1) >> 1
        lowest = -(mid2 * self.low_ppm // (2 * PPM))
        highest = mid2 * self.high_ppm // (2 * PPM)
        mark = market.mark_ticks
        if mark:
            edge = -(mark * self.low_ppm // PPM)
            if edge > lowest:
                lowest = edge
            edge = mark * self.high_ppm // PPM
            if edge < highest:
                highest = edge
            if mark > value:
                value = mark
        if market.last_ticks > value:
            value = market.last_ticks
        self.lowest_ticks = lowest if lowest > self.band_low_ticks else self.band_low_ticks  # noqa: FURB136
        self.highest_ticks = highest if highest < self.band_high_ticks else self.band_high_ticks  # noqa: FURB136
        self.value_ticks = value
        self.value_e8 = value * self.unit_e8

    def recount(self) -> int:
        """Count anew, at the larger of mid, mark and last; returns by how much it changed."""
        held = self.position.position_lots
        open_lots = self.open_lots
        lots = held + open_lots.buy_lots
        other = (
            open_lots.sell_lots - held
        )  # what is open is never below zero: the larger of the two is not either
        if other > lots:
            lots = other
        if self.moves_seen != self.market.moves_count:
            self.reprice()
        before = self.gross_e8
        self.gross_e8 = now = lots * self.value_e8
        if self.summed:
            self.sum_up(now - before)
        return now - before
