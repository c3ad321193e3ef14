"""Slow twins: lists, sums and fractions, written apart from the code that they audit."""

from collections import defaultdict
from fractions import Fraction
from math import floor

from holdfast.vocab.facts import CashBooked, FillBooked, PositionAdjusted
from holdfast.vocab.orders import OrderState

FINAL_STATES = {
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.EXPIRED,
    OrderState.REJECTED,
    OrderState.UNSENT,
}


class FractionPosition:
    """One position by the textbook: exact average price, nothing rounded."""

    def __init__(self, tick_lot_e8):
        self.unit = tick_lot_e8
        self.lots = 0
        self.average = Fraction(0)
        self.realised_e8 = Fraction(0)
        self.moved_e8 = 0  # money that left the pocket for buys less what came in from sells

    def trade(self, side, qty, price):
        self.moved_e8 += side * qty * price * self.unit
        left = qty
        if self.lots * side < 0:
            closing = min(left, abs(self.lots))
            sign = 1 if self.lots > 0 else -1
            self.realised_e8 += sign * closing * (price - self.average) * self.unit
            self.lots -= sign * closing
            left -= closing
            if self.lots == 0:
                self.average = Fraction(0)
        if left:
            held = abs(self.lots)
            self.average = (self.average * held + price * left) / (held + left)
            self.lots += side * left

    @property
    def cost_e8(self):
        return self.lots * self.average * self.unit


def floor_e8(amount):
    """The whole 10⁻⁸ below a fraction."""
    return floor(amount)


def position_from_facts(facts, instrument):
    """A position is the sum of its unique fills and of what people signed."""
    seen = {}
    adjusted = 0
    for fact in facts:
        if isinstance(fact, FillBooked) and fact.instrument == instrument:
            seen[fact.trade_id] = fact.side * fact.qty_lots
        elif isinstance(fact, PositionAdjusted) and fact.instrument == instrument:
            adjusted += fact.delta_lots
    return sum(seen.values()) + adjusted


def cash_from_facts(facts, asset):
    """What was booked to a wallet other than by trades."""
    return sum(fact.amount_e8 for fact in facts if isinstance(fact, CashBooked) and fact.asset == asset)


def open_lots_of(row):
    """What one order may still fill, said once more in other words."""
    if row.state in FINAL_STATES:
        return max(row.reported_lots - row.filled_lots, 0)
    largest = row.qty_lots if not row.amend_qty_lots else max(row.qty_lots, row.amend_qty_lots)
    return max(largest - row.filled_lots, 0)


def open_by_side(orders, instrument, strategy=None):
    """(buys, sells) that may still come, by walking every order; foreign ones count for the account."""
    total: defaultdict[int, int] = defaultdict(int)
    for row in [*orders.live.values(), *orders.final.values()]:
        if row.terms.instrument == instrument and strategy in {None, row.strategy}:
            total[int(row.terms.side)] += open_lots_of(row)
    if strategy is None:
        for row in orders.foreign.values():
            if row.instrument == instrument:
                total[int(row.side)] += row.open_lots
    return total[1], total[-1]


def worst_case_lots(books, instrument, strategy=None):
    """(longest, shortest) that everything in the air could lead to."""
    if strategy is None:
        held = books.ledger.position(instrument).position_lots
    else:
        held = books.ledger.position_of(strategy, instrument).position_lots
    buys, sells = open_by_side(books.orders, instrument, strategy)
    return held + buys, held - sells


def gross_e8(state):
    """Gross notional of the account at worst case, at the largest known price of each instrument."""
    total = 0
    for instrument, spec in state.specs.items():
        market = state.session.markets[instrument]
        long, short = worst_case_lots(state.books, instrument)
        mid = -((market.bid_ticks + market.ask_ticks) // -2)
        total += (
            max(abs(long), abs(short)) * max(mid, market.mark_ticks, market.last_ticks) * spec.tick_lot_e8
        )
    return total


def _worth_e8(state, instrument, lots):
    market = state.session.markets[instrument]
    mid = -((market.bid_ticks + market.ask_ticks) // -2)
    return lots * max(mid, market.mark_ticks, market.last_ticks) * state.specs[instrument].tick_lot_e8


def net_e8(state):
    """(net notional were every buy to fill, the same for every sell), each instrument at its largest known price."""
    both = {name: worst_case_lots(state.books, name) for name in state.specs}
    return (
        sum(_worth_e8(state, name, long) for name, (long, _) in both.items()),
        sum(_worth_e8(state, name, short) for name, (_, short) in both.items()),
    )


def gross_of(state, instruments):
    """Gross notional at worst case of some instruments."""
    return sum(
        _worth_e8(state, name, max(map(abs, worst_case_lots(state.books, name)))) for name in instruments
    )


def resting_ticks_of(row):
    """Where an order may be in the venue's book: until it is final, at its price and at an unanswered amend's."""
    if row.state in FINAL_STATES or row.terms.price_ticks is None:
        return []
    return [row.price_ticks] + ([row.amend_price_ticks] if row.amend_qty_lots else [])
