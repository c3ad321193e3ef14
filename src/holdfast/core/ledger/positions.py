"""One position: exact quantity and exact cost in integers; an average price is only a view of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from holdfast.vocab.orders import Side

TAIL_FILLS_MAX: Final = 256  # how many of the last executions a late one can still be put among


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class PositionRow:
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

    def forget(self, *, side: Side, qty_lots: int) -> None:
        """One execution less in the counts; position and money are the caller's."""
        if side > 0:
            self.bought_lots -= qty_lots
        else:
            self.sold_lots -= qty_lots
        self.fills_count -= 1

    def unrealised_e8(self, *, price_ticks: int, tick_lot_e8: int) -> int:
        """What closing everything at this price would make, fees not included."""
        return self.position_lots * price_ticks * tick_lot_e8 - self.cost_e8

    def average_ticks(self, *, tick_lot_e8: int) -> int:
        """Average entry price, rounded down to a tick: a view for people, never for money."""
        if self.position_lots == 0:
            return 0
        return self.cost_e8 // (self.position_lots * tick_lot_e8)


class TailFill(Struct, frozen=True, kw_only=True, array_like=True):
    """One execution, as its place among the others needs it."""

    venue_ns: int
    trade_id: str
    side: Side
    qty_lots: int
    price_ticks: int


class Tail(Struct, kw_only=True):
    """The last executions of one position in the venue's order, and what it was before them.

    What closing realises depends on the order of the executions. One that the stream lost is found later than
    those that came after it: it is put where it belongs, or our wallet would differ from the venue's.
    """

    position_lots: int = 0
    cost_e8: int = 0
    fills: list[TailFill] = []

    def book(self, row: PositionRow, fill: TailFill, *, tick_lot_e8: int) -> int:
        """Apply an execution to ``row`` in its place; returns by how much the realised P&L changed."""
        fills = self.fills
        if not fills or _place(fill) >= _place(fills[-1]):
            fills.append(fill)
            change = _book(row, fill, tick_lot_e8)
        else:
            before, _ = self._again(tick_lot_e8)
            fills.append(fill)
            fills.sort(key=_place)
            after, scratch = self._again(tick_lot_e8)
            change = after - before
            if fill.side > 0:
                row.bought_lots += fill.qty_lots
            else:
                row.sold_lots += fill.qty_lots
            row.fills_count += 1
            row.position_lots = scratch.position_lots
            row.cost_e8 = scratch.cost_e8
            row.realised_e8 += change
        if len(fills) > TAIL_FILLS_MAX:
            oldest = PositionRow(position_lots=self.position_lots, cost_e8=self.cost_e8)
            _book(oldest, fills.pop(0), tick_lot_e8)
            self.position_lots, self.cost_e8 = oldest.position_lots, oldest.cost_e8
        return change

    def take_back(self, row: PositionRow, trade_id: str, *, tick_lot_e8: int) -> int:
        """Take an execution out again, as if it had never been; returns by how much the realised P&L changed."""
        fill = next(one for one in self.fills if one.trade_id == trade_id)
        before, _ = self._again(tick_lot_e8)
        self.fills.remove(fill)
        after, scratch = self._again(tick_lot_e8)
        row.forget(side=fill.side, qty_lots=fill.qty_lots)
        row.position_lots = scratch.position_lots
        row.cost_e8 = scratch.cost_e8
        row.realised_e8 += after - before
        return after - before

    def realised_behind_e8(self, venue_ns: int, *, tick_lot_e8: int) -> int:
        """What the executions behind this time realised."""
        scratch = PositionRow(position_lots=self.position_lots, cost_e8=self.cost_e8)
        realised = [(fill.venue_ns, _book(scratch, fill, tick_lot_e8)) for fill in self.fills]
        return sum(realised_e8 for at, realised_e8 in realised if at > venue_ns)

    def begin_at(self, row: PositionRow) -> None:
        """What came before this is settled as it is."""
        self.position_lots, self.cost_e8, self.fills = row.position_lots, row.cost_e8, []

    def _again(self, tick_lot_e8: int) -> tuple[int, PositionRow]:
        scratch = PositionRow(position_lots=self.position_lots, cost_e8=self.cost_e8)
        return sum(_book(scratch, fill, tick_lot_e8) for fill in self.fills), scratch


def _place(fill: TailFill) -> tuple[int, int, str]:
    """The venue's order: by its stamp, then by trade id (of digits, so a longer one is a later one)."""
    return fill.venue_ns, len(fill.trade_id), fill.trade_id


def _book(row: PositionRow, fill: TailFill, tick_lot_e8: int) -> int:
    return row.book(
        side=fill.side, qty_lots=fill.qty_lots, price_ticks=fill.price_ticks, tick_lot_e8=tick_lot_e8
    )
