"""The orders we sent: their state, and how much they may still add to a position.

The book changes by facts alone. ``OpenLots`` rows are kept incrementally, per instrument and per (strategy,
instrument), so that the gate's worst case is O(1) in the number of orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.core.orders.lifecycle import is_final, next_state
from holdfast.core.orders.parents import Parents
from holdfast.vocab.facts import (
    AmendStep,
    EpochBegan,
    FillBooked,
    ForeignOrderSeen,
    OrderAmended,
    OrderApproved,
    OrderMoved,
)
from holdfast.vocab.ids import SEQUENCE_BITS, epoch_of, order_id_of
from holdfast.vocab.invariant import InvariantBroken, invariant
from holdfast.vocab.orders import Did, Lane, OrderState, OrderTerms, Side
from holdfast.vocab.reports import OrderReport

FINAL_KEPT_MAX: Final = (
    4096  # how many final orders stay known for late fills; older ones are the venue's to tell
)
FINAL_DROPPED: Final = 256  # so many at once: looking for the oldest in a dict costs more than dropping it
_SENT: Final = OrderState.SENT
_RISK: Final = Lane.RISK
_BUY: Final = Side.BUY


class OrderRow(Struct, kw_only=True):
    """One order of ours. ``filled_lots`` is what the ledger booked, ``reported_lots`` the venue's cumulative word."""

    order_id: int
    strategy: str
    intent_seq: int
    lane: Lane
    terms: OrderTerms
    state: OrderState
    qty_lots: int
    price_ticks: int | None
    decision_ticks: int | None
    approved_mono_ns: int
    changed_mono_ns: int
    filled_lots: int = 0
    reported_lots: int = 0
    venue_order_id: str = ""
    named: bool = False  # executions will carry that id; not so while a conditional order waits
    amend_qty_lots: int = 0  # > 0 while an amend is asked and unanswered
    amend_price_ticks: int = 0
    amend_mono_ns: int = 0  # when the last amend was asked
    cancel_wanted: bool = False
    parent_id: int = 0

    @property
    def side(self) -> Side:
        """Which way it trades."""
        return self.terms.side

    @property
    def conditional(self) -> bool:
        """Whether it rests at the venue as a conditional order."""
        return self.terms.trigger_ticks is not None

    def open_lots(self) -> int:
        """What it may still fill, at the worst: until final the larger of its sizes, then what is reported but
        not yet booked.
        """
        if is_final(self.state):
            return max(0, self.reported_lots - self.filled_lots)
        return max(0, max(self.qty_lots, self.amend_qty_lots) - self.filled_lots)

    def resting_ticks(self) -> tuple[int, ...]:
        """The prices at which it may be in the venue's book: none once final, both while an amend is unanswered."""
        if self.price_ticks is None or is_final(self.state):
            return ()
        if self.amend_price_ticks:
            return (self.price_ticks, self.amend_price_ticks)
        return (self.price_ticks,)

    def settled(self) -> bool:
        """Final, and every reported fill booked."""
        return is_final(self.state) and self.reported_lots <= self.filled_lots


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class OpenLots:
    """How much open orders may still add, per side. Counts foreign orders in the instrument's row.

    ``protective_…``: the part of it in our own conditional orders, each reduce-only and at most the position.
    """

    buy_lots: int = 0
    sell_lots: int = 0
    orders_count: int = 0
    protective_buy_lots: int = 0
    protective_sell_lots: int = 0

    def add(self, lots: int, *, side: Side, protective: bool = False) -> None:
        """Count more (or, below zero, less) that may still come on one side."""
        if side > 0:
            self.buy_lots += lots
            if protective:
                self.protective_buy_lots += lots
        else:
            self.sell_lots += lots
            if protective:
                self.protective_sell_lots += lots


@dataclass(slots=True, kw_only=True)
class Day:
    """What the account did since its day began. ``orders_count``: approved orders and amends; ``exits_count``: orders
    of the flatten lane, which are counted and shown and use nothing up; ``cancels_count``: orders asked to cancel.
    """

    orders_count: int = 0
    exits_count: int = 0
    cancels_count: int = 0
    fills_count: int = 0
    traded_e8: int = 0

    def fill(self, notional_e8: int) -> None:
        """One execution, whoever's."""
        self.fills_count += 1
        self.traded_e8 += notional_e8

    def roll(self) -> None:
        """A new day. The same row: desks point at it."""
        self.orders_count = self.exits_count = self.cancels_count = self.fills_count = self.traded_e8 = 0


class ForeignRow(Struct, kw_only=True):
    """An open order on our account that is not ours."""

    venue_order_id: str
    instrument: str
    side: Side
    open_lots: int
    conditional: bool


class OrderBook(Struct, kw_only=True):
    """All orders that are not settled, and the last final ones."""

    epoch: int = 0
    sequence: int = 0
    live: dict[int, OrderRow] = {}
    final: dict[int, OrderRow] = {}
    foreign: dict[str, ForeignRow] = {}
    by_instrument: dict[str, OpenLots] = {}
    by_strategy: dict[str, dict[str, OpenLots]] = {}
    parents: dict[str, Parents] = {}
    day: Day = msgspec.field(default_factory=Day)

    def row(self, order_id: int) -> OrderRow | None:
        """The order of this id, open or recently final."""
        found = self.live.get(order_id)
        return found if found is not None else self.final.get(order_id)

    def named(self, instrument: str, venue_order_id: str) -> OrderRow | None:
        """The order that the venue knows by this id, open or recently final: its lists of executions say no more."""
        for rows in (self.live, self.final):
            for row in rows.values():
                if row.venue_order_id == venue_order_id and row.terms.instrument == instrument:
                    return row
        return None

    def nameless(self, instrument: str) -> list[OrderRow]:
        """Open orders of which we have not heard by what id executions will name them: one may be theirs."""
        return [row for row in self.live.values() if not row.named and row.terms.instrument == instrument]

    def foreign_key(self, one: ForeignRow | ForeignOrderSeen | OrderReport) -> str:
        """Under what key an order that is not ours stands, or would: the venue's id; all that tells it apart where
        another has that id, for venues count each instrument's orders, plain and conditional, by themselves.
        """
        whole = f"{one.instrument}/{'conditional' if one.conditional else 'plain'}/{one.venue_order_id}"
        first = self.foreign.get(one.venue_order_id)
        taken = first is not None and (first.instrument, first.conditional) != (
            one.instrument,
            one.conditional,
        )
        return whole if taken or whole in self.foreign else one.venue_order_id

    def next_id(self) -> int:
        """The id that the next approval will carry."""
        return (self.epoch << SEQUENCE_BITS) + self.sequence + 1

    def open_in(self, instrument: str) -> OpenLots:
        """The instrument's row, made on first use."""
        row = self.by_instrument.get(instrument)
        if row is None:
            row = self.by_instrument[instrument] = OpenLots()
        return row

    def open_of(self, strategy: str, instrument: str) -> OpenLots:
        """The (strategy, instrument) row, made on first use."""
        rows = self.by_strategy.get(strategy)
        if rows is None:
            rows = self.by_strategy[strategy] = {}
        row = rows.get(instrument)
        if row is None:
            row = rows[instrument] = OpenLots()
        return row

    def parents_of(self, strategy: str) -> Parents:
        """The strategy's parents, made on first use."""
        found = self.parents.get(strategy)
        if found is None:
            found = self.parents[strategy] = Parents()
        return found

    def of_this_life(self, order_id: int) -> bool:
        """Whether this process sent it (a monotonic time of it can then be compared with now)."""
        return epoch_of(order_id) == self.epoch

    def rows_in(self, *, strategy: str = "", instrument: str = "") -> list[OrderRow]:
        """Unsettled orders within a scope, oldest first."""
        return [
            row
            for row in self.live.values()
            if (not strategy or row.strategy == strategy)
            and (not instrument or row.terms.instrument == instrument)
        ]

    # --- facts ------------------------------------------------------------------------------------------------

    def begin_epoch(self, fact: EpochBegan) -> None:
        """Every id from here on carries a new epoch."""
        invariant(fact.epoch > self.epoch, "an epoch is never used twice", epoch=fact.epoch, last=self.epoch)
        order_id_of(epoch=fact.epoch, sequence=1)  # an epoch that does not fit its bits is found here
        self.epoch = fact.epoch
        self.sequence = 0
        # monotonic times of an earlier life say nothing in this one: the machine may have booted between
        for rows in (self.live, self.final):
            for row in rows.values():
                row.changed_mono_ns = 0
                row.amend_mono_ns = 0

    def approve(self, fact: OrderApproved) -> None:
        """A new order, counted in full from now on."""
        instrument = fact.terms.instrument
        self.count(fact, mine=self.open_of(fact.strategy, instrument), everyone=self.open_in(instrument))

    def count(self, fact: OrderApproved, *, mine: OpenLots, everyone: OpenLots) -> None:
        """The same for whoever has its rows at hand."""
        sequence = self.sequence + 1
        if fact.order_id != self.epoch << SEQUENCE_BITS | sequence:  # nor is it where a sequence overflows
            invariant(False, "order ids are dense within an epoch", order_id=fact.order_id)
        order_id = fact.order_id
        terms = fact.terms
        lots = terms.qty_lots
        at = fact.approved_mono_ns
        self.live[order_id] = OrderRow(
            order_id=order_id,
            strategy=fact.strategy,
            intent_seq=fact.intent_seq,
            lane=fact.lane,
            terms=terms,
            state=_SENT,
            qty_lots=lots,
            price_ticks=terms.price_ticks,
            decision_ticks=fact.decision_ticks,
            approved_mono_ns=at,
            changed_mono_ns=at,
        )
        self.sequence = sequence
        if fact.lane is _RISK:
            self.day.orders_count += 1
        else:
            self.day.exits_count += 1
        if fact.child_of is not None:
            self.live[order_id].parent_id = fact.child_of.parent_id
            self.parents_of(fact.strategy).begin(
                fact.child_of, instrument=terms.instrument, side=terms.side, lots=lots
            )
        everyone.orders_count += 1
        mine.orders_count += 1
        if terms.trigger_ticks is not None:
            everyone.add(lots, side=terms.side, protective=True)
            mine.add(lots, side=terms.side, protective=True)
        elif terms.side is _BUY:
            everyone.buy_lots += lots
            mine.buy_lots += lots
        else:
            everyone.sell_lots += lots
            mine.sell_lots += lots

    def move(self, fact: OrderMoved) -> None:
        """Along the table, or not at all."""
        row = self.row(fact.order_id)
        if row is None:
            raise InvariantBroken("only a known order moves", order_id=fact.order_id)
        state = next_state(row.state, fact.did)
        if state is None or state is not fact.state:
            invariant(
                False,
                "orders move only along the table",
                order_id=fact.order_id,
                state=row.state.value,
                did=fact.did.value,
                to=fact.state.value,
            )
        before = row.open_lots()
        row.state = fact.state
        row.changed_mono_ns = fact.mono_ns
        if fact.venue_order_id and not (row.named and fact.waiting):
            row.venue_order_id = fact.venue_order_id
            row.named = not fact.waiting
        # the venue's cumulative word never decreases: a bust takes out of the ledger, and gives an order nothing back
        row.reported_lots = max(row.reported_lots, fact.reported_lots)
        if fact.did is Did.CANCEL_ASK:
            row.cancel_wanted = True
            self.day.cancels_count += 1
        if is_final(row.state):
            row.amend_qty_lots = 0
        self._recount(row, before)

    def amend(self, fact: OrderAmended, *, mono_ns: int) -> None:
        """While asked, exposure counts the larger size; when done the new one."""
        row = self.live.get(fact.order_id)
        if row is None:
            return  # answered after its order was settled
        before = row.open_lots()
        row.changed_mono_ns = mono_ns
        if fact.step is AmendStep.ASKED:
            row.amend_qty_lots = fact.qty_lots
            row.amend_price_ticks = fact.price_ticks
            row.amend_mono_ns = mono_ns
            self.day.orders_count += 1
        else:
            row.amend_qty_lots = 0
            row.amend_price_ticks = 0
            if fact.step is AmendStep.DONE:
                row.qty_lots = fact.qty_lots
                row.price_ticks = fact.price_ticks
        self._recount(row, before)

    def fill(self, fact: FillBooked) -> None:
        """One execution of an order of ours."""
        if fact.order_id is None:
            return
        self.execute(fact.order_id, fact.qty_lots)

    def execute(self, order_id: int, qty_lots: int) -> None:
        """So much of an order was executed, whatever became of the execution since."""
        row = self.row(order_id)
        if row is None:
            return
        before = row.open_lots()
        row.filled_lots += qty_lots
        row.reported_lots = max(row.reported_lots, row.filled_lots)
        self._recount(row, before, filled_lots=qty_lots)

    def see_foreign(self, fact: ForeignOrderSeen) -> None:
        """An order that is not ours, counted in the instrument; zero open lots: it is gone."""
        row = self.open_in(fact.instrument)
        key = self.foreign_key(fact)
        old = self.foreign.pop(key, None)
        if old is not None:
            row.orders_count -= 1
            row.add(-old.open_lots, side=old.side)
        if fact.open_lots > 0:
            self.foreign[key] = ForeignRow(
                venue_order_id=fact.venue_order_id,
                instrument=fact.instrument,
                side=fact.side,
                open_lots=fact.open_lots,
                conditional=fact.conditional,
            )
            row.orders_count += 1
            row.add(fact.open_lots, side=fact.side)

    def _recount(self, row: OrderRow, before: int, *, filled_lots: int = 0) -> None:
        change = row.open_lots() - before
        if row.parent_id:
            self.parents_of(row.strategy).change(row.parent_id, open_lots=change, filled_lots=filled_lots)
        everyone = self.open_in(row.terms.instrument)
        mine = self.open_of(row.strategy, row.terms.instrument)
        if change:
            everyone.add(change, side=row.terms.side, protective=row.conditional)
            mine.add(change, side=row.terms.side, protective=row.conditional)
        settled = row.settled()
        if settled and row.order_id in self.live:
            del self.live[row.order_id]
            self.final[row.order_id] = row
            everyone.orders_count -= 1
            mine.orders_count -= 1
            if len(self.final) > FINAL_KEPT_MAX:
                for order_id in list(islice(self.final, FINAL_DROPPED)):
                    del self.final[order_id]
        elif not settled and row.order_id in self.final:
            # a late report on a final order: count what it says until its fills are booked
            del self.final[row.order_id]
            self.live[row.order_id] = row
            everyone.orders_count += 1
            mine.orders_count += 1
