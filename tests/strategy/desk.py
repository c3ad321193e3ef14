"""A strategy at a small desk: the real host in front of the real exchange engine, with no core between them.

Intents reach the exchange after ``latency_ns``, its answers come back after as long again.
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from itertools import count
from typing import Any

from holdfast.sim.exchange import Exchange
from holdfast.sim.model import Account, NewOrder, OrderEvent, Refused, SimEvent
from holdfast.sim.sources import stamped
from holdfast.strategy import Hosted, StrategyHost
from holdfast.strategy.rehearsal import RehearsedOrder
from holdfast.vocab.events import (
    AmendIntent,
    CancelIntent,
    OrderIntent,
    StrategyFailed,
    TargetIntent,
)
from holdfast.vocab.facts import AmendStep, FillBooked, OrderAmended, OrderApproved, OrderMoved
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Did, Lane, OrderState, OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.reports import FillCause

TIFS = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
ENDED = {"FILLED": OrderState.FILLED, "CANCELED": OrderState.CANCELLED, "EXPIRED": OrderState.EXPIRED}
NAME = "desk"


class Desk:
    """``seen`` counts what happened: orders, cancels, amends, fills, partial, makers, refused, flips…"""

    def __init__(self, strategy, source, *, latency_ns=3_000_000):
        self.source = source
        self.seen: Counter[Any] = Counter()
        self.failures = []
        self.positions = {}
        self.positions_max: Counter[str] = Counter()
        self.orders = {}
        self.quotes = {}
        self.latency_ns = latency_ns
        self.now_ns = 0
        self.due = []
        self.turn = count()
        self.ids = count(1)
        names = tuple(spec.instrument for spec in source.specs)
        self.exchange = Exchange(source.specs, listener=self.hear)
        self.account = self.exchange.open_account(
            NAME, api_key="key", secret="no secret", uid="1", balances={"USDT": 1_000_000 * 10**8}
        )
        self.host = StrategyHost(
            [Hosted(NAME, strategy, names)], specs=source.specs, books=self, clock_ns=lambda: self.now_ns
        )

    # --- what the strategy sees

    def position_lots(self, strategy, instrument):
        return self.positions.get(instrument, 0)

    def open_orders(self, strategy, instrument):
        return [order for order in self.orders.values() if order.instrument == instrument]

    def level(self, strategy, instrument):
        return HoldLevel.NONE

    degraded = False

    def quote(self, instrument):
        return self.quotes.get(instrument)

    # --- running

    def run(self, seconds):
        start_ns = self.source.start_ns
        self.now_ns = start_ns
        self.take(self.host.start(wall_ns=start_ns, mono_ns=start_ns))
        for frame in self.source.frames():
            if frame.recv_ns - start_ns > seconds * 10**9:
                break
            while self.due and self.due[0][0] <= frame.recv_ns:
                self.now_ns, _, act = heappop(self.due)
                act()
            self.now_ns = now_ns = frame.recv_ns
            self.exchange.on_market(frame.event, now_ns)
            event = stamped(frame.event, offset_ns=0, wall_ns=now_ns, mono_ns=now_ns)
            if type(event) is Quote:
                self.quotes[event.instrument] = event
            due_mono_ns = self.host.next_due_mono_ns()
            if due_mono_ns is not None and due_mono_ns <= now_ns:
                self.take(self.host.on_timer(wall_ns=now_ns, mono_ns=now_ns))
            self.take(self.host.on_market(event))
        return self

    def later(self, act):
        heappush(self.due, (self.now_ns + self.latency_ns, next(self.turn), act))

    def tell(self, fact):
        self.take(self.host.on_fact(fact, wall_ns=self.now_ns, mono_ns=self.now_ns))

    def take(self, events):
        for event in events:
            if isinstance(event, StrategyFailed):
                self.failures.append(event.error)
            elif isinstance(event, OrderIntent):
                self.order(event, event.side, event.qty_lots, event.price_ticks, event.tif)
            elif isinstance(event, TargetIntent):
                missing = event.target_lots - self.positions.get(event.instrument, 0)
                if missing:
                    side = Side.BUY if missing > 0 else Side.SELL
                    quote = self.quotes[event.instrument]
                    price = quote.ask_ticks if side is Side.BUY else quote.bid_ticks
                    self.order(event, side, abs(missing), price, TimeInForce.IOC)
            elif isinstance(event, CancelIntent):
                self.seen["cancels"] += 1
                self.orders[event.order_id].state = OrderState.CANCEL_SENT
                self.later(lambda event=event: self.cancel(event))
            elif isinstance(event, AmendIntent):
                self.seen["amends"] += 1
                self.later(lambda event=event: self.amend(event))

    def order(self, intent, side, qty_lots, price_ticks, tif):
        self.seen["orders", intent.instrument] += 1
        order_id = next(self.ids)
        order = RehearsedOrder(order_id, intent.instrument, side, qty_lots, price_ticks, 0, OrderState.SENT)
        self.orders[order_id] = order
        terms = OrderTerms(
            instrument=intent.instrument,
            side=side,
            qty_lots=qty_lots,
            order_type=OrderType.LIMIT,
            tif=tif,
            price_ticks=price_ticks,
        )
        self.tell(
            OrderApproved(
                order_id=order_id,
                strategy=NAME,
                intent_seq=intent.intent_seq,
                lane=Lane.RISK,
                terms=terms,
                reference_ticks=0,
                decision_ticks=intent.decision_ticks,
                approved_mono_ns=self.now_ns,
            )
        )
        new = NewOrder(
            symbol=intent.instrument,
            side=side,
            type="LIMIT",
            qty_lots=qty_lots,
            price_ticks=price_ticks,
            tif=TIFS[tif],
            client_id=str(order_id),
        )
        self.later(lambda: self.ask(order_id, lambda: self.exchange.place(self.account, new, self.now_ns)))

    def cancel(self, intent):
        self.ask(
            intent.order_id,
            lambda: self.exchange.cancel(
                self.account, intent.instrument, client_id=str(intent.order_id), now_ns=self.now_ns
            ),
        )

    def amend(self, intent):
        order = self.orders.get(intent.order_id)
        step = AmendStep.REFUSED
        if order is not None and self.ask(
            0,
            lambda: self.exchange.amend(
                self.account,
                intent.instrument,
                client_id=str(intent.order_id),
                side=order.side,
                qty_lots=intent.qty_lots,
                price_ticks=intent.price_ticks,
                now_ns=self.now_ns,
            ),
        ):
            order.price_ticks = intent.price_ticks
            step = AmendStep.DONE
        self.tell(
            OrderAmended(
                order_id=intent.order_id,
                step=step,
                qty_lots=intent.qty_lots,
                price_ticks=intent.price_ticks,
                why="",
            )
        )

    def ask(self, order_id, request):
        try:
            request()
        except Refused as refused:
            self.seen["refused", refused.code] += 1
            if order_id in self.orders and self.orders[order_id].state is OrderState.SENT:
                self.end(order_id, Did.REFUSED, OrderState.REJECTED)
            return False
        return True

    # --- what the exchange says

    def hear(self, account: Account, event: SimEvent):
        if isinstance(event, OrderEvent):
            self.later(lambda: self.report(event))

    def report(self, event):
        order_id = int(event.order.client_id)
        order = self.orders.get(order_id)
        self.seen[event.execution] += 1
        if event.fill is not None:
            fill = event.fill
            self.positions[fill.symbol] = self.positions.get(fill.symbol, 0) + fill.side * fill.qty_lots
            worst = max(self.positions_max[fill.symbol], abs(self.positions[fill.symbol]))
            self.positions_max[fill.symbol] = worst
            self.seen["fills", fill.symbol] += 1
            self.seen["makers"] += fill.maker
            self.seen["partial"] += fill.qty_lots < event.order.qty_lots
            if order is not None:
                order.filled_lots = event.order.filled_lots
            self.tell(
                FillBooked(
                    trade_id=str(fill.trade_id),
                    order_id=order_id,
                    strategy=NAME,
                    instrument=fill.symbol,
                    side=fill.side,
                    qty_lots=fill.qty_lots,
                    price_ticks=fill.price_ticks,
                    fee_e8=fill.fee_e8,
                    fee_asset=fill.fee_asset,
                    maker=fill.maker,
                    cause=FillCause.ORDER,
                    quarantined=False,
                    venue_ns=fill.venue_ns,
                )
            )
        if order is None:
            return
        if event.order.status in ENDED:
            self.end(order_id, Did.CANCELLED, ENDED[event.order.status])
        elif order.state is OrderState.SENT:
            order.state = OrderState.LIVE

    def end(self, order_id, did, state):
        del self.orders[order_id]
        self.tell(
            OrderMoved(
                order_id=order_id, did=did, state=state, venue_order_id="", why="", mono_ns=self.now_ns
            )
        )
