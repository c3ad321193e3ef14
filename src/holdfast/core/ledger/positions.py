"""One position: exact quantity and exact cost in integers; an average price is only a view of them."""

from __future__ import annotations

from msgspec import Struct

from holdfast.vocab.orders import Side


class PositionRow(Struct, kw_only=True):
    """A net position and what it made.

    ``cost_e8``: signed money paid for what is still held (long positive). ``realised_e8``: made by closing,
    fees not included. Conservation: ``realised_e8 - cost_e8`` is exactly minus the money that fills moved.
    """

    position_lots: int = 0
    cost_e8: int = 0
    realised_e8: int = 0
    fee_e8: int = 0  # of fees in the settle asset
    funding_e8: int = 0
    bought_lots: int = 0
    sold_lots: int = 0
    fills_count: int = 0
    changed_mono_ns: int = 0

    def book(self, *, side: Side, qty_lots: int, price_ticks: int, tick_lot_e8: int) -> int:
        """Apply one execution and return the P&L it realised, in 10⁻⁸.

        The cost of the closed part is the average rounded against us: the one place where a split of money is
        rounded. The rest stays in ``cost_e8``, so nothing is lost or made by rounding.
        """
        signed = side * qty_lots
        position = self.position_lots
        if side > 0:
            self.bought_lots += qty_lots
        else:
            self.sold_lots += qty_lots
        self.fills_count += 1
        if position == 0 or (position > 0) == (signed > 0):
            self.position_lots = position + signed
            self.cost_e8 += signed * price_ticks * tick_lot_e8
            return 0
        closing = min(abs(signed), abs(position))
        sign = 1 if position > 0 else -1
        held = abs(position)
        # cost of the closed part, with the position's sign; ceil makes the cost larger, so the profit smaller
        closed_cost_e8 = -(-self.cost_e8 * closing // held)
        proceeds_e8 = sign * closing * price_ticks * tick_lot_e8
        realised_e8 = proceeds_e8 - closed_cost_e8
        self.cost_e8 -= closed_cost_e8
        self.realised_e8 += realised_e8
        self.position_lots = position - sign * closing
        opening = abs(signed) - closing
        if opening:
            self.position_lots = side * opening
            self.cost_e8 += side * opening * price_ticks * tick_lot_e8
        return realised_e8

    def unrealised_e8(self, *, price_ticks: int, tick_lot_e8: int) -> int:
        """What closing everything at this price would make, fees not included."""
        return self.position_lots * price_ticks * tick_lot_e8 - self.cost_e8

    def average_ticks(self, *, tick_lot_e8: int) -> int:
        """Average entry price, rounded down to a tick: a view for people, never for money."""
        if self.position_lots == 0:
            return 0
        return self.cost_e8 // (self.position_lots * tick_lot_e8)
