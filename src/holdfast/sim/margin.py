"""Arithmetic of positions and margin: pure functions of integers.

Cross margin as Binance counts it: a symbol's initial margin is the larger of its two worst notionals (position
with all its open buys, position with all its open sells) over its leverage; maintenance goes by brackets.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from holdfast.sim.model import Position
from holdfast.sim.rules import Bracket
from holdfast.vocab.units import PPM, ceil_div


def book_fill(position: Position, *, side: int, qty_lots: int, price_ticks: int, tick_lot_e8: int) -> int:
    """Apply one execution to a position and return the P&L it realised, in 10⁻⁸, fees left out.

    The cost of the closed part is the average rounded against the account; the rest stays in ``cost_e8``, so
    Σ realised − cost is exactly minus the money that fills moved.
    """
    held = position.position_lots
    realised_e8 = 0
    opening = qty_lots
    if held * side < 0:
        closing = min(qty_lots, abs(held))
        opening = qty_lots - closing
        closed_cost_e8 = ceil_div(position.cost_e8 * closing, abs(held))
        realised_e8 = -side * closing * price_ticks * tick_lot_e8 - closed_cost_e8
        position.cost_e8 -= closed_cost_e8
        position.realised_e8 += realised_e8
    if opening:
        position.cost_e8 += side * opening * price_ticks * tick_lot_e8
    position.position_lots = held + side * qty_lots
    return realised_e8


def unrealised_e8(position: Position, *, mark_ticks: int, tick_lot_e8: int) -> int:
    """What closing the position at the mark would make, fees left out."""
    return position.position_lots * mark_ticks * tick_lot_e8 - position.cost_e8


def bracket_of(brackets: Sequence[Bracket], notional_e8: int) -> int:
    """The index of the bracket that a notional falls into (the last one for anything beyond)."""
    for index, bracket in enumerate(brackets):
        if notional_e8 <= bracket.notional_e8_max:
            return index
    return len(brackets) - 1


def deduction_e8(brackets: Sequence[Bracket], index: int) -> int:
    """Binance's ``cum``: makes maintenance continuous from bracket to bracket."""
    total_ppm = 0
    for step in range(1, index + 1):
        rise_ppm = brackets[step].maintenance_ppm - brackets[step - 1].maintenance_ppm
        total_ppm += brackets[step - 1].notional_e8_max * rise_ppm
    return total_ppm // PPM


def maintenance_e8(brackets: Sequence[Bracket], notional_e8: int) -> int:
    """What must be kept for a position of this absolute notional, rounded up."""
    index = bracket_of(brackets, notional_e8)
    kept = ceil_div(notional_e8 * brackets[index].maintenance_ppm, PPM)
    return max(0, kept - deduction_e8(brackets, index))


def notional_e8_max(brackets: Sequence[Bracket], leverage: int) -> int:
    """The largest position that this leverage allows."""
    return max((b.notional_e8_max for b in brackets if b.leverage_max >= leverage), default=0)


class Requirement(Struct, frozen=True):
    """Initial margin of one position with its open orders, and the part that the position alone needs."""

    total_e8: int
    position_e8: int


def initial_e8(
    position: Position, *, mark_ticks: int, tick_lot_e8: int, buy_tick_lots: int = 0, sell_tick_lots: int = 0
) -> Requirement:
    """Initial margin at the mark. ``buy_tick_lots``/``sell_tick_lots``: of an order not yet counted."""
    present = position.position_lots * mark_ticks
    up = present + position.buy_tick_lots + buy_tick_lots
    down = present - position.sell_tick_lots - sell_tick_lots
    worst = max(abs(up), abs(down))
    return Requirement(
        total_e8=ceil_div(worst * tick_lot_e8, position.leverage),
        position_e8=ceil_div(abs(present) * tick_lot_e8, position.leverage),
    )


def liquidation_ticks(
    position: Position,
    *,
    margin_without_e8: int,
    brackets: Sequence[Bracket],
    mark_ticks: int,
    tick_lot_e8: int,
) -> int:
    """The mark at which this position would be liquidated with all else unchanged; 0 where there is none.

    ``margin_without_e8``: margin balance less maintenance of everything but this position.
    """
    lots = position.position_lots
    if not lots:
        return 0
    index = bracket_of(brackets, abs(lots) * mark_ticks * tick_lot_e8)
    keep_ppm = brackets[index].maintenance_ppm
    # margin_without + lots·m·unit − cost = |lots|·m·unit·keep − deduction, solved for m
    spare = margin_without_e8 - position.cost_e8 + deduction_e8(brackets, index)
    slope_ppm = (abs(lots) * keep_ppm - lots * PPM) * tick_lot_e8
    price = spare * PPM // slope_ppm if slope_ppm else 0
    return max(0, price)
