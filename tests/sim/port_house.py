"""A port to a simulated venue, its virtual time, and everything that it says."""

import heapq
from typing import Any

from holdfast.sim.port import Latency, SimVenuePort
from holdfast.vocab.orders import Lane, OrderTerms, OrderType, TimeInForce
from holdfast.vocab.requests import CancelOrder, PlaceOrder, QueryOrder
from tests.sim.engine_house import BUY, MS, T0, Venue, X

TAG = 0xABCDEF


class VirtualTime:
    """Both clocks and the scheduler of a world without waiting."""

    def __init__(self):
        self.now = 0
        self.due = []
        self.count = 0

    def wall_ns(self):
        return T0 + self.now

    def mono_ns(self):
        return self.now

    def schedule(self, delay_ns, act):
        self.count += 1
        heapq.heappush(self.due, (self.now + delay_ns, self.count, act))

    def run(self, until_ns):
        while self.due and self.due[0][0] <= until_ns:
            at, _, act = heapq.heappop(self.due)
            self.now = max(self.now, at)
            act()
        self.now = until_ns


class Bench:
    """A venue, a port to account ``a``, and everything that the port says."""

    def __init__(self, **changes):
        self.venue = Venue()
        self.time = VirtualTime()
        self.time.now = self.venue.now_ns - T0
        self.port = SimVenuePort(
            self.venue.exchange, self.venue.a, account_tag=TAG, clock=self.time, **changes
        )
        self.heard: list[Any] = []
        self.port.attach(self.heard.append)
        self.heard.clear()
        self.asked = 0

    def ask(self, request, lane=Lane.RISK, withheld=None):
        def may_send():
            self.asked += 1
            return withheld

        self.time.now += MS
        self.venue.now_ns = T0 + self.time.now
        outcome = self.port.answer(request, lane, may_send, self.venue.now_ns)
        self.port.drain()
        return outcome

    def place(self, order_id, side=BUY, lots=5, price=1000, **changes):
        terms = {
            "instrument": X,
            "side": side,
            "qty_lots": lots,
            "order_type": OrderType.LIMIT if price else OrderType.MARKET,
            "tif": TimeInForce.GTC,
            "price_ticks": price or None,
        }
        return self.ask(PlaceOrder(order_id=order_id, terms=OrderTerms(**{**terms, **changes})))

    def query(self, order_id, **changes):
        return self.ask(QueryOrder(order_id=order_id, instrument=X, **changes), Lane.READ)

    def cancel(self, order_id, **changes):
        return self.ask(
            CancelOrder(order_id=order_id, venue_order_id="", instrument=X, **changes), Lane.CANCEL
        )


def delayed(**faults):
    time = VirtualTime()
    bench = Bench.__new__(Bench)
    bench.venue, bench.time, bench.heard = Venue(), time, []
    time.now = bench.venue.now_ns - T0
    bench.port = SimVenuePort(
        bench.venue.exchange,
        bench.venue.a,
        account_tag=TAG,
        clock=time,
        schedule=time.schedule,
        latency=Latency(request_ns=3 * MS, reply_ns=2 * MS, event_ns=1 * MS),
        **faults,
    )
    bench.port.attach(bench.heard.append)
    bench.heard.clear()
    return bench


A_BID = PlaceOrder(
    order_id=1,
    terms=OrderTerms(
        instrument=X, side=BUY, qty_lots=5, order_type=OrderType.LIMIT, tif=TimeInForce.GTC, price_ticks=1000
    ),
)
