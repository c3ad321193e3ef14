"""What goes wrong between the bot and the venue, drawn from a seed."""

import random
from collections import Counter

from msgspec import structs

from holdfast.sim.port import Latency
from holdfast.vocab.events import OrderReported, TradeReported
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.reports import Balances, Done, Orders, Positions
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    SetLeverage,
)
from holdfast.vocab.units import NS_PER_MS

CALM_LATENCY = Latency(request_ns=5 * NS_PER_MS, reply_ns=5 * NS_PER_MS, event_ns=3 * NS_PER_MS)
GROUPS = {
    PlaceOrder: "place",
    AmendOrder: "amend",
    CancelOrder: "cancel",
    CancelAll: "cancel",
    QueryOrder: "query",
    QueryOpenOrders: "orders",
    QueryPositions: "positions",
    QueryBalances: "balances",
    QueryTrades: "trades",
    QueryCash: "cash",
    QuerySpecs: "config",
    QueryVolumes: "config",
    SetLeverage: "config",
    ArmDeadman: "deadman",
    MeasureClock: "clock",
}
READS = ("query", "orders", "positions", "balances", "trades", "cash", "clock")
# An order is refused by the venue once its receive window has passed: it never travels longer than this.
REQUEST_MS_MAX = 900


class Storm:
    """Fulfils ``sim.port.Faults``. ``raging`` False: nothing goes wrong."""

    def __init__(self, seed):
        self.rng = random.Random(f"storm {seed}")
        self.counts = Counter()
        self.port = None
        self.raging = False
        self.usual_ms = 12
        self.seen_order_ids = {}
        self.last_lie_ns = -(1 << 62)
        self.on_arrival = lambda request: None
        self._before = {}
        self.calms_down()

    # --- the weather ------------------------------------------------------------------------------------------

    def calms_down(self):
        """From now on everything works."""
        self.raging = False
        self.lost = self.muffled = self.dropped = self.doubled = self.delayed = 0.0
        self.lying = self.slow = self.refusing = 0.0
        self.broken = {}  # group -> how it fails every time
        self.dead_sources = set()

    def changes(self):
        """Another mixture: often one fault alone and rarely all at once."""
        rng = self.rng
        self.calms_down()
        self.raging = True
        if rng.random() < 0.15:
            return
        for name in rng.sample(_RATES, rng.choice([1, 1, 2, 3, len(_RATES)])):
            setattr(self, name, rng.choice([0.03, 0.1, 0.3]))
        if rng.random() < 0.35:
            for group in rng.sample([*READS, "cancel", "deadman", "amend"], rng.choice([1, 1, 2, 4])):
                self.broken[group] = rng.choice(
                    ["unknown", "transient", "after", "unlisted"]
                    if rng.random() < 0.2
                    else ["unknown", "transient", "after"]
                )
        if rng.random() < 0.2:
            self.dead_sources = set(rng.sample([0, 1, 2, 3], rng.choice([1, 2, 4])))

    def _struck(self, what):
        self.counts[what] += 1

    # --- Faults -----------------------------------------------------------------------------------------------

    def before_call(self, request, lane, now_ns):
        rng = self.rng
        group = GROUPS[type(request)]
        slow = self.raging and rng.random() < self.slow
        if slow:
            self._struck("slow")
        self.port.latency = Latency(
            request_ns=rng.randrange(1, REQUEST_MS_MAX if slow else self.usual_ms) * NS_PER_MS,
            reply_ns=rng.randrange(1, 2_500 if slow else self.usual_ms) * NS_PER_MS,
            event_ns=rng.randrange(1, 400 if slow else self.usual_ms) * NS_PER_MS,
        )
        instead = self._instead(request, group, now_ns) if self.raging else None
        if instead is None:
            self._arrives(request)
        return instead

    def _arrives(self, request):
        if type(request) is PlaceOrder:
            assert request.order_id not in self.seen_order_ids, "a client order id was sent twice"
            self.seen_order_ids[request.order_id] = request.terms
        self.on_arrival(request)

    def _instead(self, request, group, now_ns):
        rng = self.rng
        how = self.broken.get(group)
        if group == "positions" and request.source in self.dead_sources:
            how = rng.choice(["unknown", "fatal", "transient"])
        if how in {"unknown", "transient", "unlisted", "fatal"}:
            self._struck(f"{group} broken: {how}")
            return _FAILURES[how]
        if rng.random() < self.lost:
            self._struck(f"{group} request lost")
            return Unknown(why="lost on the way")
        if rng.random() < self.refusing:
            self._struck(f"{group} refused")
            if group not in READS and rng.random() < 0.3:
                return Suppressed(by=rng.choice([Withheld.LEASE, Withheld.BUFFER]))
            if group in {"place", "amend"} and rng.random() < 0.5:
                return Fatal(why="refused", code="-2019")
            return Transient(why="too many requests", code="-1003")
        if group == "cancel" and rng.random() < self.lying:
            self._struck("cancel ignored")
            return Ok(value=Done()) if type(request) is CancelAll else Unknown(why="ignored")
        return None

    def after_call(self, request, outcome, now_ns):
        if not self.raging:
            return outcome
        rng = self.rng
        group = GROUPS[type(request)]
        if self.broken.get(group) == "after" or rng.random() < self.muffled:
            self._struck(f"{group} answer lost")
            return Unknown(why="the answer was lost")
        if group == "place" and isinstance(outcome, Ok) and rng.random() < self.lying / 20:
            self._struck("place accepted, and said to be refused")
            return Fatal(why="margin is insufficient", code="-2019")
        if isinstance(outcome, Ok) and group in {"orders", "positions", "balances"}:
            return self._maybe_lies(group, outcome, now_ns)
        return outcome

    def _maybe_lies(self, group, outcome, now_ns):
        rng = self.rng
        before, self._before[group] = self._before.get(group), outcome
        if rng.random() >= self.lying:
            return outcome
        self.last_lie_ns = now_ns
        if before is not None and rng.random() < 0.5:
            self._struck(f"{group} stale")
            return before
        value = outcome.value
        self._struck(f"{group} cut")
        if isinstance(value, Orders) and value.orders:
            left = list(value.orders)
            del left[rng.randrange(len(left))]
            return Ok(value=structs.replace(value, orders=tuple(left)))
        if isinstance(value, Positions) and value.positions:
            left = list(value.positions)
            del left[rng.randrange(len(left))]
            return Ok(value=structs.replace(value, positions=tuple(left)))
        if isinstance(value, Balances) and value.balances:
            zero = tuple(structs.replace(row, wallet_e8=0) for row in value.balances)
            return Ok(value=structs.replace(value, balances=zero))
        return outcome

    def on_event(self, event, now_ns):
        if not self.raging:
            return (0,)
        rng = self.rng
        what = (
            "fill"
            if isinstance(event, TradeReported)
            else "report"
            if isinstance(event, OrderReported)
            else "notice"
        )
        if rng.random() < self.dropped:
            self._struck(f"{what} dropped")
            return ()
        arrivals = [0]
        if rng.random() < self.delayed:
            self._struck(f"{what} delayed")
            arrivals = [rng.randrange(1, rng.choice([30, 300, 3_000])) * NS_PER_MS]
        if rng.random() < self.doubled:
            self._struck(f"{what} doubled")
            arrivals.append(rng.randrange(0, 2_000) * NS_PER_MS)
        return arrivals


_RATES = ["lost", "muffled", "dropped", "doubled", "delayed", "lying", "slow", "refusing"]
_FAILURES = {
    "unknown": Unknown(why="404 Not Found", code="404"),
    "unlisted": Unknown(why="-9999", code="-9999", unlisted=True),
    "transient": Transient(why="503", code="503"),
    "fatal": Fatal(why="gone", code="410"),
}
