"""A running core: the pure step, a naive venue, timers, a latch and virtual time, and nothing of the runtime.

Everything that the core was told and every fact that it emitted is kept, so that a test can fold or replay
the run at any point.
"""

import heapq
from collections import deque
from functools import partial
from itertools import count

from msgspec import structs

from holdfast.core.state import State, decode_books, encode_books
from holdfast.core.step import step
from holdfast.vocab.effects import (
    Alert,
    Call,
    ClearLatch,
    CommandAnswered,
    EndProcess,
    SetTimer,
    TripLatch,
)
from holdfast.vocab.events import (
    AmendIntent,
    BasketIntent,
    CallDone,
    CancelIntent,
    CashHinted,
    LatchSeen,
    Stream,
    StreamChanged,
    TimerFired,
    Verb,
)
from holdfast.vocab.facts import (
    FlattenEnded,
    HoldPlaced,
    IntentRefused,
    OrderApproved,
)
from holdfast.vocab.holds import ACCOUNT, HoldCause, Scope
from holdfast.vocab.orders import Lane, OrderType, Side
from holdfast.vocab.outcome import Suppressed, Withheld
from tests.house.events import a_command, a_mark, a_quote, a_start, a_target, an_intent
from tests.house.records import MARKET, folded, is_fact, replayed
from tests.house.setup import BTC, BTC_TICKS, ETH, ETH_TICKS, MONO_NS, WALL_NS, settings
from tests.house.venue import LOST, NaiveVenue

NS_PER_MS = 1_000_000
BUSY_STEPS = 3_000  # more than this at one instant is a loop without a rest: no venue would stand it


class Room:
    """Where a core runs. ``latency_ms``: how long the venue takes to answer and its stream to arrive."""

    def __init__(self, *, config, venue, latency_ms=0, state=None):
        self.config = config
        self.venue = venue
        self.latency_ms = latency_ms
        self.state = State() if state is None else state
        self.mono_ns = MONO_NS
        self.wall_ns = WALL_NS
        self.records = []  # (what was told, the facts it led to)
        self.effects = []
        self.alerts = []
        self.answers = []
        self.delivered = []  # market events that reached the strategies
        self.ended = None
        self.unresolved = ()
        self.trip_nonce = 1  # a latch is born tripped
        self.cleared_nonce = 0
        self.mids = {
            name: ticks
            for name, ticks in ((BTC, BTC_TICKS), (ETH, ETH_TICKS))
            if any(spec.instrument == name for spec in config.instruments)
        }
        self.quoting = True  # keeps fresh quotes coming while time passes
        self.held_calls: list | None = None  # a list while the venue is told to wait with its answers
        self.checks = []  # called after every step
        self.post = None  # (call) -> (ms until the venue gets it, whether its answer is lost)
        self.delay_ms = None  # () -> ms until the next thing from the venue reaches us; None: latency_ms
        self.sent = []  # requests that passed the last hop, with their lane
        self._seqs = count(1)
        self._quote_seqs = count(1)
        self._ties = count(1)
        self._inbox: deque = deque()
        self._later = []  # (due, tie, event or request to carry)
        self._timers = {}
        self._stepping = False
        self._life = 1
        self._boot_id = "boot-1"

    # --- life -------------------------------------------------------------------------------------------------

    def starts(self, *, boot_id="boot-1", stream=True):
        """The process begins: the core asks, the venue answers."""
        self.tell(a_start(settings=self.config, boot_id=boot_id))
        self.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=self.trip_nonce, by="start", reason="born tripped"))
        if stream:
            self.stream_is(up=True)
        return self

    def restarts(self, *, reboot=False, down_ms=500, snapshot=False, stream=True):
        """The process dies here and begins again from its facts alone, or from a snapshot of the books."""
        self._life += 1
        self._timers.clear()
        self._later = [item for item in self._later if not isinstance(item[2], tuple)]
        self._inbox.clear()
        self.venue.stream.clear()
        self.state = State(decode_books(encode_books(self.books)) if snapshot else folded(self.records))
        self._pass(down_ms)
        if reboot:
            self.mono_ns = MONO_NS // 60  # the machine has been up for a minute
            self._boot_id = f"boot-{self._life}"
        self.ended = None
        self.unresolved = ()
        return self.starts(boot_id=self._boot_id, stream=stream)

    def _pass(self, ms):
        self.mono_ns += ms * NS_PER_MS
        self.wall_ns += ms * NS_PER_MS

    def suspended(self, *, s):
        """The process stands still for so long: what is due or arrives meanwhile is taken behind it."""
        self._pass(s * 1_000)

    # --- telling ----------------------------------------------------------------------------------------------

    def tell(self, event):
        """Tell the core one thing now, and carry out what follows from it."""
        self._inbox.append(event)
        self._pump()

    def _pump(self):
        if self._stepping:
            return
        self._stepping = True
        steps = 0
        try:
            while self._inbox:
                steps += 1
                assert steps < BUSY_STEPS, f"busy at one instant: {self.venue.asked[-6:]}"
                self._step(self._inbox.popleft())
        finally:
            self._stepping = False

    def _step(self, event):
        event = structs.replace(event, wall_ns=self.wall_ns, mono_ns=self.mono_ns)
        self.venue.now_wall_ns = self.wall_ns
        self.venue.now_mono_ns = self.mono_ns
        effects = step(self.state, event)
        self.records.append((event, [effect for effect in effects if is_fact(effect)]))
        self.effects.extend(effects)
        for effect in effects:
            if isinstance(effect, TripLatch):  # at once: before anything else of this step is sent
                self.trip_nonce += 1
                self._inbox.append(
                    LatchSeen(wall_ns=0, mono_ns=0, nonce=self.trip_nonce, by=effect.by, reason=effect.reason)
                )
        for effect in effects:
            self._carry(effect)
        self._drain_stream()
        for check in self.checks:
            check(self)

    def _carry(self, effect):
        if isinstance(effect, Call):
            if self.held_calls is not None:
                self.held_calls.append(effect)
            else:
                self._ask(effect)
        elif isinstance(effect, SetTimer):
            self._timers[effect.kind, effect.key] = (effect.due_mono_ns, next(self._ties))
        elif isinstance(effect, Alert):
            self.alerts.append(effect)
        elif isinstance(effect, CommandAnswered):
            self.answers.append(effect)
        elif isinstance(effect, ClearLatch):
            self.cleared_nonce = effect.nonce
        elif isinstance(effect, EndProcess):
            self.ended = effect.why
            self.unresolved = effect.unresolved
        elif isinstance(effect, MARKET):
            self.delivered.append(effect)

    def _ask(self, call):
        if call.lane is Lane.RISK and self.latch_tripped:
            self._answer(call, Suppressed(by=Withheld.LATCH))
            return
        self.sent.append((call.lane, call.request))
        wait_ms, lost = (0, False) if self.post is None else self.post(call)
        if lost:
            self._answer(call, LOST)
        if wait_ms:
            due = self.mono_ns + wait_ms * NS_PER_MS
            heapq.heappush(self._later, (due, next(self._ties), partial(self._reach, call, lost, self._life)))
        else:
            self._reach(call, lost, self._life)

    def _reach(self, call, lost, life):
        """A request reaches the venue, be we still alive or not."""
        self.venue.now_wall_ns = self.wall_ns
        self.venue.now_mono_ns = self.mono_ns
        outcome = self.venue.answer(call.request)
        self._drain_stream()  # the stream is as quick as the reply
        if not lost and life == self._life:
            self._answer(call, outcome)

    def _answer(self, call, outcome):
        done = CallDone(wall_ns=0, mono_ns=0, call_id=call.call_id, outcome=outcome)
        self.arrive(done, self._delay() + self.venue.slow.get(type(call.request), 0))

    def _delay(self):
        return self.latency_ms if self.delay_ms is None else self.delay_ms()

    def _drain_stream(self):
        while self.venue.stream:
            self.arrive(self.venue.stream.popleft(), self._delay())

    def arrive(self, event, delay_ms):
        """An event reaches us after a while."""
        if delay_ms == 0:
            self._inbox.append(event)
        else:
            due = self.mono_ns + delay_ms * NS_PER_MS
            heapq.heappush(self._later, (due, next(self._ties), (self._life, event)))

    # --- time -------------------------------------------------------------------------------------------------

    def run(self, *, ms=0, s=0):
        """Let time pass: timers fire, answers arrive, quotes keep coming every 200 ms unless told not to."""
        until = self.mono_ns + (ms + s * 1_000) * NS_PER_MS
        next_quotes = self.mono_ns
        instant, turns = self.mono_ns, 0
        while True:
            turns = turns + 1 if instant == self.mono_ns else 0
            instant = self.mono_ns
            assert turns < BUSY_STEPS, f"busy at one instant: {self.records[-1][0]}"
            dues = [due for due, _, _ in self._later[:1]]
            dues += [min(self._timers.values())[0]] if self._timers else []
            dues += [next_quotes] if self.quoting else []
            due = min(dues, default=until + 1)
            if due > until:
                break
            if due > self.mono_ns:
                self._pass_to(due)
            if self.quoting and next_quotes <= self.mono_ns:
                for instrument in self.mids:
                    self.quotes(instrument)
                next_quotes += 200 * NS_PER_MS
            elif self._later and self._later[0][0] <= self.mono_ns:
                _, _, item = heapq.heappop(self._later)
                if not isinstance(item, tuple):
                    item()
                    self._pump()
                elif item[0] == self._life:
                    self.tell(item[1])
            else:
                name = min(self._timers, key=lambda key: self._timers[key])
                del self._timers[name]
                self.tell(TimerFired(wall_ns=0, mono_ns=0, kind=name[0], key=name[1]))
        self._pass_to(until)
        return self

    def _pass_to(self, mono_ns):
        self.wall_ns += mono_ns - self.mono_ns
        self.mono_ns = mono_ns
        self.venue.now_wall_ns = self.wall_ns
        self.venue.now_mono_ns = self.mono_ns

    # --- sentences: the world -----------------------------------------------------------------------------------

    def quotes(self, instrument=BTC, *, mid=None, **changes):
        """The market quotes; without a mid, as before."""
        mid = self.mids[instrument] if mid is None else mid
        self.mids[instrument] = mid
        quote = a_quote(
            instrument,
            mid=mid,
            seq=next(self._quote_seqs),
            mono_ns=self.mono_ns,
            wall_ns=self.wall_ns,
            **{"venue_ns": self.wall_ns + self.venue.offset_ns, **changes},
        )
        self.venue.touch[instrument] = (quote.bid_ticks, quote.ask_ticks)
        self.tell(quote)
        return quote

    def marks(self, price, instrument=BTC):
        """The venue marks an instrument."""
        self.tell(
            a_mark(
                instrument,
                price=price,
                wall_ns=self.wall_ns,
                mono_ns=self.mono_ns,
                venue_ns=self.wall_ns + self.venue.offset_ns,
            )
        )

    def tell_cash(self, kind="OTHER"):
        """The user stream hints that cash moved."""
        self.tell(CashHinted(wall_ns=0, mono_ns=0, kind=kind, asset="USDT"))

    def stream_is(self, *, up):
        """The user stream comes or goes."""
        self.tell(
            StreamChanged(
                wall_ns=0, mono_ns=0, stream=Stream.USER, name="user", up=up, why="" if up else "cut"
            )
        )

    def hears(self, *events):
        """What the venue has put on the stream (or what a test made up) arrives."""
        for event in events:
            self.tell(event)
        self.settle()

    def settle(self):
        """Everything that happened at the venue so far arrives."""
        while self.venue.stream:
            self.tell(self.venue.stream.popleft())

    def holds_answers(self):
        """From now on the venue takes its time, until told to answer."""
        self.held_calls = []

    def answers_now(self):
        """The venue sees what was asked meanwhile, and answers it."""
        held, self.held_calls = self.held_calls, None
        for call in held or ():
            self._ask(call)
        self._pump()

    # --- sentences: strategies ------------------------------------------------------------------------------------

    def wants(self, intent):
        """A strategy wants something; returns its order, or why not, or None where nothing came of it."""
        intent = structs.replace(intent, intent_seq=next(self._seqs))
        before = len(self.records)
        self.tell(intent)
        for _, facts in self.records[before:]:
            for fact in facts:
                if isinstance(fact, OrderApproved):
                    return self.order(fact.order_id)
                if isinstance(fact, IntentRefused):
                    return fact.refusal
        return None

    def wants_together(self, *intents):
        """A strategy wants these as one basket; returns its orders, or the refusal as it was written down."""
        legs = tuple(
            structs.replace(one, intent_seq=next(self._seqs), wall_ns=self.wall_ns, mono_ns=self.mono_ns)
            for one in intents
        )
        return self.wants_basket(BasketIntent(wall_ns=0, mono_ns=0, strategy=legs[0].strategy, legs=legs))

    def wants_basket(self, basket):
        """The same of a basket that is made already."""
        before = len(self.records)
        self.tell(basket)
        facts = self.records[before][1]
        refused = [fact for fact in facts if isinstance(fact, IntentRefused)]
        return (
            refused[0]
            if refused
            else [self.order(fact.order_id) for fact in facts if isinstance(fact, OrderApproved)]
        )

    def buys(self, lots, *, at=None, **changes):
        """A strategy buys ``lots`` with a limit (by default a far one that rests)."""
        instrument = changes.get("instrument", BTC)
        price = self.mids[instrument] - self.mids[instrument] // 200 if at is None else at
        return self.wants(an_intent(**{"qty_lots": lots, "price_ticks": price, **changes}))

    def sells(self, lots, *, at=None, **changes):
        """The same, the other way."""
        instrument = changes.get("instrument", BTC)
        price = self.mids[instrument] + self.mids[instrument] // 200 if at is None else at
        return self.wants(an_intent(**{"side": Side.SELL, "qty_lots": lots, "price_ticks": price, **changes}))

    def wants_protection(self, lots, *, side=Side.SELL, at=None, **changes):
        """A strategy puts a stop behind its position, on the far side of the market."""
        mid = self.mids[changes.get("instrument", BTC)]
        return self.wants(
            an_intent(
                side=side,
                qty_lots=lots,
                order_type=OrderType.STOP_MARKET,
                price_ticks=None,
                trigger_ticks=mid + side * mid // 200 if at is None else at,
                reduce_only=True,
                **changes,
            )
        )

    def takes(self, side, lots, **changes):
        """A strategy crosses the spread and gets it at once."""
        instrument = changes.get("instrument", BTC)
        price = self.mids[instrument] + side * self.mids[instrument] // 500
        return self.wants(an_intent(side=Side(side), qty_lots=lots, price_ticks=price, **changes))

    def targets(self, lots, **changes):
        """A strategy wants its position to be this."""
        return self.wants(a_target(target_lots=lots, **changes))

    def cancels(self, order, **changes):
        """A strategy takes its order back."""
        fields = {
            "strategy": order.strategy,
            "instrument": order.terms.instrument,
            "order_id": order.order_id,
            **changes,
        }
        return self.wants(CancelIntent(wall_ns=0, mono_ns=0, intent_seq=0, **fields))

    def amends(self, order, *, lots=None, at=None, **changes):
        """A strategy changes its resting order; returns why not, or None."""
        return self.wants(
            AmendIntent(
                wall_ns=0,
                mono_ns=0,
                intent_seq=0,
                strategy=changes.pop("strategy", order.strategy),
                instrument=order.terms.instrument,
                order_id=order.order_id,
                qty_lots=order.qty_lots if lots is None else lots,
                price_ticks=order.price_ticks if at is None else at,
            )
        )

    # --- sentences: people ------------------------------------------------------------------------------------------

    def says(self, verb, *, instrument="", strategy="", **changes):
        """A person gives a command; returns the answer."""
        command = a_command(
            Verb(verb),
            scope=Scope(strategy=strategy, instrument=instrument),
            command_id=len(self.answers) + 1,
            latch_nonce=changes.pop("latch_nonce", self.trip_nonce),
            **changes,
        )
        self.tell(command)
        return next(answer for answer in self.answers if answer.command_id == command.command_id)

    # --- looking ------------------------------------------------------------------------------------------------------

    @property
    def latch_tripped(self):
        return self.trip_nonce != self.cleared_nonce

    @property
    def books(self):
        return self.state.books

    @property
    def facts(self):
        return [fact for _, facts in self.records for fact in facts]

    def facts_of(self, kind):
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def order(self, order_id):
        return self.books.orders.row(order_id)

    def position(self, instrument=BTC, *, of=None):
        ledger = self.books.ledger
        row = ledger.position(instrument) if of is None else ledger.position_of(of, instrument)
        return row.position_lots

    def hold(self, cause, *, instrument="", strategy=""):
        return self.books.holds.find(HoldCause(cause), Scope(strategy=strategy, instrument=instrument))

    def causes(self):
        """Causes of the standing holds, in the order they were placed."""
        return [hold.cause.value for hold in self.books.holds.holds.values()]

    def level(self, strategy="alpha", instrument=BTC):
        return self.state.desks[strategy][instrument].level

    def alerted(self, kind):
        return [alert for alert in self.alerts if alert.kind == kind]

    @property
    def flat_claims(self):
        return [fact for fact in self.facts_of(FlattenEnded) if fact.flat]

    @property
    def placed(self):
        return [fact.hold for fact in self.facts_of(HoldPlaced)]


def a_running_core(*, armed=True, latency_ms=0, venue=None, **changes):
    """A core that has started, reconciled with a naive venue, and armed itself; both markets quote.

    ``changes`` are of the settings; ``armed`` False: it waits for a person.
    """
    config = settings(**{"arm_auto": armed, **changes})
    room = Room(
        config=config, venue=NaiveVenue(config.instruments) if venue is None else venue, latency_ms=latency_ms
    )
    room.starts()
    for instrument in room.mids:
        room.quotes(instrument)
    room.run(ms=10 if latency_ms == 0 else 20 * latency_ms)
    return room


def a_started_state(**changes):
    """The state of a core that is armed and may trade."""
    return a_running_core(**changes).state


__all__ = ["ACCOUNT", "Room", "a_running_core", "a_started_state", "folded", "replayed"]
