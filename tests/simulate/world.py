"""One bot in virtual time on the simulated exchange, with faults, people and crashes drawn from a seed.

The whole product but sockets and the disk: the engine, the core, the strategy host with the example strategies,
the journal's own bytes. A crash leaves the bytes; the next life is the fold of them.
"""

import random
from collections import Counter

from msgspec import structs

from holdfast.app.backtest import DEMO_CONFIG
from holdfast.app.parts import account_tag
from holdfast.config.load import load
from holdfast.config.resolve import resolve
from holdfast.core.replay import replay
from holdfast.core.state import State
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.clock import ToldClock
from holdfast.runtime.live import Identity
from holdfast.runtime.paced import NEVER, Paced, Schedule
from holdfast.runtime.recover import recover
from holdfast.sim.exchange import Exchange
from holdfast.sim.port import SimVenuePort
from holdfast.sim.sources import Generated, stamped
from holdfast.strategy import Hosted, StrategyHost
from holdfast.strategy.examples.momentum_taker import MomentumTaker
from holdfast.strategy.examples.two_sided_quoter import TwoSidedQuoter
from holdfast.vocab.events import CallDone
from holdfast.vocab.limits import StrategyLimits, StrategySetup
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.orders import Lane
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S, PPM
from tests.simulate.audit import Auditor
from tests.simulate.disk import MemoryJournal, MemoryLog
from tests.simulate.storm import CALM_LATENCY, Storm
from tests.simulate.traders import Restless

MONO_START_NS = 3_600 * NS_PER_S
OPENING_E8 = 100_000 * E8


class Crash(BaseException):
    """The process ends here, without a word."""


class Standstill(BaseException):
    """The process stands still for a while, and goes on."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds


class Mutable:
    """The strategy host, whose wishes can be held back."""

    def __init__(self, host, world):
        self._host, self._world = host, world

    def __getattr__(self, name):
        return getattr(self._host, name)

    def _heard(self, wants):
        return () if self._world.muted else wants

    def on_market(self, event):
        return self._heard(self._host.on_market(event))

    def on_fact(self, fact, **now):
        return self._heard(self._host.on_fact(fact, **now))

    def on_timer(self, **now):
        return self._heard(self._host.on_timer(**now))


class Bot(Paced):
    """One life. What reaches it after its death is lost."""

    world = None
    dead = False

    def call(self, call):
        world = self.world
        world.maybe_dies()
        done_before = self.engine.put
        bot = self

        def put(event):
            if bot.dead:
                return
            if world.standing_still is not None:
                world.standing_still.append((bot, event))
            else:
                done_before(event)

        clock = self.clock

        def done(outcome):
            put(
                CallDone(
                    wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns(), call_id=call.call_id, outcome=outcome
                )
            )

        def last_hop():
            withheld = self._may_send() if call.lane is Lane.RISK else None
            if withheld is None:
                world.auditor.written(self.state, call)
            return withheld

        self._venue.submit(call.request, call.lane, last_hop, done)
        world.maybe_dies()


def demo_settings(specs, **timings):
    """The demonstration's limits, and the restless strategy beside its two."""
    settings = resolve(load(DEMO_CONFIG), specs)
    names = tuple(spec.instrument for spec in settings.instruments)
    wide = {"BTCUSDT": (100, 200), "ETHUSDT": (2_000, 5_000)}
    return structs.replace(
        settings,
        timings=structs.replace(settings.timings, **timings),
        account_limits=structs.replace(
            settings.account_limits, recover_cooling_ms=3_000, breaker_cooldown_ms=3_000
        ),
        strategies=(*settings.strategies, StrategySetup(strategy="restless", instruments=names)),
        strategy_limits=(
            *settings.strategy_limits,
            *(
                StrategyLimits(
                    strategy="restless",
                    instrument=name,
                    order_lots_max=wide[name][0],
                    position_lots_max=wide[name][1],
                    churn_round_trips_max=500,
                    churn_cost_e8_max=1_000_000 * E8,
                    churn_window_ms=1_000,
                    slippage_ppm_max=50_000,
                    orders_per_s_refuse=40,
                    orders_per_s_halt=60,
                )
                for name in names
            ),
        ),
    )


class World:
    """Everything of one seed."""

    def __init__(self, seed, *, seconds=60, strategies=None, **timings):
        self.seed = seed
        self.rng = random.Random(f"world {seed}")
        source = Generated(seed=seed, seconds=0)
        self.specs = source.specs
        self.settings = demo_settings(self.specs, **timings)
        self.frames = source.frames()
        self.first_ns = source.start_ns
        self.mono_start_ns = MONO_START_NS
        self.clock = ToldClock(wall_ns=source.start_ns, mono_ns=MONO_START_NS)
        self.schedule = Schedule(self.clock)
        self.exchange = Exchange(self.specs)
        self.account = self.exchange.open_account(
            "demo", api_key="k", secret="", uid="1", balances={"USDT": OPENING_E8}
        )
        self.tag = account_tag(venue="sim", account="demo")
        self.storm = Storm(seed)
        self.storm.on_arrival = self._arrives
        self.journal = MemoryJournal()
        self.log = MemoryLog()
        self.auditor = Auditor(self)
        self.alerts = []
        self.alert_counts = Counter()
        self.muted = False
        self.strategies = strategies
        self.bot = None
        self.port = None
        self.lives = 0
        self.boot = 0
        self.wall_skew_ns = 0  # our wall clock against the market's
        self.venue_step_ns = 0  # the venue's clock against the market's
        self.silent_until = {}
        self.die_after_calls = None
        self.standing_still = None  # what arrives meanwhile
        self.price_ppm = PPM
        self.acts = Counter()
        self.end_ns = 0
        self.events_count = 0
        self.feed = self._feed()

    # --- time and market ----------------------------------------------------------------------------------------

    @property
    def mono_ns(self):
        return self.clock.mono_ns()

    def venue_now_ns(self):
        return self.port.venue_now_ns()

    def _feed(self):
        """The market, as received: stamped with the clocks of now; silent where a feed is down."""
        for frame in self.frames:
            event = frame.event
            if type(event) is Depth and (
                self.price_ppm != PPM or not (event.snapshot or event.bids or event.asks)
            ):
                continue
            if self.price_ppm != PPM:
                event = self._elsewhere(event)
            since = frame.recv_ns - self.first_ns
            mono = self.mono_start_ns + since
            wall = self.first_ns + since + self.wall_skew_ns
            if mono >= self.end_ns:
                self._waiting = (event, mono, wall)
                return
            yield stamped(event, offset_ns=self.venue_step_ns, wall_ns=wall, mono_ns=mono)

    def _elsewhere(self, event):
        """The same market at another price."""
        ppm = self.price_ppm
        if type(event) is Quote:
            bid = event.bid_ticks * ppm // PPM
            return structs.replace(event, bid_ticks=bid, ask_ticks=bid + event.ask_ticks - event.bid_ticks)
        if type(event) is Trade:
            return structs.replace(event, price_ticks=event.price_ticks * ppm // PPM)
        if type(event) is Mark:
            return structs.replace(event, mark_ticks=event.mark_ticks * ppm // PPM)
        return event

    def _venue_takes(self, event, wall_ns):
        now_ns = self.port.venue_now_ns()
        self.exchange._at(now_ns)  # the venue's clock may be stepped back; its stamps never go back
        self.exchange.on_market(event, now_ns)

    def _heard(self, events):
        """What the feeds carry to the bot; the exchange sees all of it."""
        for event in events:
            if event.mono_ns < self.silent_until.get(event.instrument, 0):
                self._catch_up(event)
                self._venue_takes(event, event.wall_ns)
                continue
            yield event

    def _catch_up(self, event):
        self.bot._until(event.mono_ns, event.wall_ns)
        self.clock.tell(wall_ns=event.wall_ns, mono_ns=event.mono_ns)

    def run(self, *, seconds):
        """Let the market go on for this long; dead bots start again."""
        self.end_ns = self.mono_ns + round(seconds * NS_PER_S)
        while self.mono_ns < self.end_ns - 50 * NS_PER_MS:
            if self.bot is None:
                self.starts()
            try:
                self.events_count += self.bot.run(self._heard(self._feed()), self._venue_takes)
                if self.bot.ended is not None:
                    self.acts["ended"] += 1
                    self._dies(power=False)
                    self._down(0.2)
                else:
                    return self
            except Standstill as still:
                self._stands_still(still.seconds)
            except Crash:
                self._crashes()
        return self

    def _crashes(self):
        self._dies(power=self.rng.random() < 0.3)
        self._down(self.rng.choice([0.05, 0.5, 3, 12]))
        if self.rng.random() < 0.2:
            self._reboots()

    def _down(self, seconds):
        """Nobody is there; the market and the venue go on."""
        until = min(self.mono_ns + round(seconds * NS_PER_S), self.end_ns)
        clock, schedule = self.clock, self.schedule
        for event in self._feed():
            while schedule.due_mono_ns <= event.mono_ns:
                at = max(schedule.due_mono_ns, clock.mono_ns())
                clock.tell(wall_ns=event.wall_ns - (event.mono_ns - at), mono_ns=at)
                schedule.pop()()
            clock.tell(wall_ns=event.wall_ns, mono_ns=event.mono_ns)
            self._venue_takes(event, event.wall_ns)
            if event.mono_ns >= until:
                return

    def pauses(self, seconds):
        raise Standstill(seconds)

    def _stands_still(self, seconds):
        """What arrives waits, no timer fires; then everything is read at once."""
        bot = self.bot
        self.standing_still = []
        self._down(seconds)
        arrived, self.standing_still = self.standing_still, None
        try:
            for one, event in arrived:
                if one is bot and not bot.dead:
                    bot.engine.put(structs.replace(event, wall_ns=self.clock.wall_ns(), mono_ns=self.mono_ns))
                    bot._flush()
        except Crash:
            self._crashes()

    def _heard_of(self, bot):
        def put(event):
            if self.standing_still is not None:
                self.standing_still.append((bot, event))
            else:
                bot.engine.put(event)

        return put

    def _reboots(self):
        """Another boot: the monotonic clock begins anew."""
        self.acts["reboot"] += 1
        self.boot += 1
        shift = self.mono_ns - 5 * NS_PER_S
        self.mono_start_ns -= shift
        self.end_ns -= shift
        self.clock.tell(wall_ns=self.clock.wall_ns(), mono_ns=self.mono_ns - shift)
        heap = self.schedule._heap
        heap[:] = [(at - shift, count, act) for at, count, act in heap]
        self.schedule.due_mono_ns = heap[0][0] if heap else NEVER
        self.silent_until = {}

    def calms_down(self):
        """Nothing goes wrong any more: not the network, not the feeds, not the machine."""
        self.storm.calms_down()
        self.silent_until = {}
        self.die_after_calls = None
        if self.bot is not None and not self.port._up:
            self.port.stream_up()

    def later(self, ms, act):
        """Something happens after this long."""
        self.schedule(round(ms * NS_PER_MS), act)

    # --- lives ----------------------------------------------------------------------------------------------------

    def starts(self):
        """Fold the journal, and begin another life."""
        kept = recover(record for _, _, record in self.journal.records())
        state = State(kept.books)
        self.auditor.begins(state)
        self.lives += 1
        positions = [pos for pos, _ in self.journal.frames]
        self.log.at_least(max(positions, default=0))
        self.port = SimVenuePort(
            self.exchange,
            self.account,
            account_tag=self.tag,
            clock=self.clock,
            schedule=self.schedule,
            latency=CALM_LATENCY,
            faults=self.storm,
            venue_offset_ns=self.venue_step_ns - self.wall_skew_ns,
        )
        self.storm.port = self.port
        names = tuple(
            self.settings.instrument_limits[n].instrument for n in range(len(self.settings.instrument_limits))
        )
        hosted = (
            self.strategies(self)
            if self.strategies
            else [
                Hosted(name="quoter", strategy=TwoSidedQuoter(), instruments=names),
                Hosted(name="momentum", strategy=MomentumTaker(), instruments=names),
                Hosted(name="restless", strategy=Restless(f"{self.seed}/{self.lives}"), instruments=names),
            ]
        )
        known = {setup.strategy for setup in self.settings.strategies}
        hosted = [one for one in hosted if one.name in known]
        bot = self.bot = Bot(
            settings=self.settings,
            state=state,
            journal=self.journal,
            market_log=self.log,
            make_host=lambda: Mutable(
                StrategyHost(
                    hosted,
                    specs=self.settings.instruments,
                    books=CoreBooks(state),
                    clock_ns=self.clock.mono_ns,
                ),
                self,
            ),
            saved=kept.saved,
            venue=self.port,
            clock=self.clock,
            schedule=self.schedule,
            identity=Identity(build="test", boot_id=f"boot {self.boot}", epoch_floor=1),
            encode=lambda event: event,
            on_alert=self._alert,
            tap=lambda index, record: self.auditor.tap(state, record),
        )
        bot.world = self
        try:
            bot.start()
            self.port._sink = self._heard_of(bot)
        except Crash:
            self._dies(power=False)
            self._down(0.1)
            self.starts()

    def _alert(self, alert):
        self.alert_counts[alert.kind] += 1
        if len(self.alerts) < 5_000:
            self.alerts.append((self.mono_ns, alert))

    def maybe_dies(self):
        if self.die_after_calls is not None:
            self.die_after_calls -= 1
            if self.die_after_calls <= 0:
                self.die_after_calls = None
                self.acts["crash"] += 1
                raise Crash

    def _dies(self, *, power):
        self.bot.dead = True
        self.port._sink = None
        self.port._up = False
        self.journal.loses(self.rng, power=power)
        self.auditor.died()
        self.bot = None

    def _arrives(self, request):
        self.auditor.arrives(request)

    # --- looking --------------------------------------------------------------------------------------------------

    @property
    def state(self):
        return self.bot.state

    def truth(self):
        return self.port.ground_truth()

    def replayed(self):
        """Step the journal's events and the market log again; raises ReplayDiffers at the first difference."""
        frames = enumerate(self.log.events)
        return replay(iter(self.journal.records()), iter(frames))

    def folded(self):
        return State(recover(record for _, _, record in self.journal.records()).books)
