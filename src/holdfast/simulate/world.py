"""Everything of one seed: a market, a venue, a machine with its clocks and disk, and a bot that lives on it in lives.

The bot is the product: engine, core, strategy host, the journal over ``sim.files``. A crash leaves what was written; a
power loss what the disk had. The next life opens the journal again and folds it, as ``holdfast run`` does.
"""

from __future__ import annotations

import errno
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NoReturn

from msgspec import structs

from holdfast.app.backtest import DEMO_CONFIG
from holdfast.app.parts import account_tag
from holdfast.app.reference import BACKTEST_DAYS
from holdfast.config.load import beside, load
from holdfast.config.reference import as_event, read_reference
from holdfast.config.resolve import resolve
from holdfast.config.schema import Config
from holdfast.core.fit import misfits
from holdfast.core.ledger.positions import PositionRow
from holdfast.core.replay import FACT_TYPES, Replayed, replay
from holdfast.core.state import State
from holdfast.journal.chain import iterate
from holdfast.journal.codec import CorruptJournal
from holdfast.journal.recover import Opened, open_for_append
from holdfast.journal.segments import Journal
from holdfast.journal.snapshots import save_snapshot
from holdfast.ports.journal import JournalFailed
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.clock import ToldClock
from holdfast.runtime.live import Identity
from holdfast.runtime.paced import Paced, Schedule
from holdfast.runtime.recover import Kept, decode_kept, encode_kept, recover
from holdfast.sim.exchange import Exchange
from holdfast.sim.files import SimFiles
from holdfast.sim.model import Account, BustEvent, Fill, OrderEvent, SimEvent
from holdfast.sim.port import SimVenuePort
from holdfast.sim.sources import Generated, stamped
from holdfast.simulate import auditor as audit
from holdfast.simulate.plan import Weather
from holdfast.simulate.restless import Restless
from holdfast.simulate.storm import BREAKABLE, CALM_LATENCY, Storm
from holdfast.strategy import Hosted, StrategyHost
from holdfast.strategy.examples.momentum_taker import MomentumTaker
from holdfast.strategy.examples.two_sided_quoter import TwoSidedQuoter
from holdfast.vocab.effects import Call, ClearLatch, CommandAnswered, Record, TripLatch
from holdfast.vocab.events import CallDone, Command, Event, LatchSeen, StrategySaved, Verb
from holdfast.vocab.facts import OrderAmended
from holdfast.vocab.holds import ACCOUNT, Scope
from holdfast.vocab.ids import order_id_from_text
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import (
    Criteria,
    FlowRules,
    InstrumentLimits,
    LimitCap,
    Settings,
    StrategyLimits,
    StrategySetup,
)
from holdfast.vocab.market import Depth, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Outcome, Suppressed, Unknown, Withheld
from holdfast.vocab.requests import PlaceOrder
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S, PPM

MONO_START_NS: Final = 3_600 * NS_PER_S
OPENING_E8: Final = 100_000 * E8
JOURNAL: Final = "journal"
SEGMENT_BYTES: Final = 96 << 10
RESERVE_BYTES: Final = 24 << 10
_REAL: Final = "sim live"  # the environment of the configuration that somebody starts it with by mistake
_DIES_AGAIN: Final = 0.2  # how often a start is itself killed
_OPENED_INDEX: Final = 60  # by this record the first life has opened its books
LOOK_EVERY_STEPS: Final = 100
APART: Final = 200  # half a percent: how far the middle and what the bot values by stand apart in the calm
GIVEN_UP_MS_MAX: Final = 900  # within the receive window: the venue refuses what comes later
PRICES_KEPT_S: Final = 10  # with an older price no bot trades any more
STRATEGIES: Final = ("quoter", "momentum", "restless")
_WRITES: Final = frozenset({"write", "allocate", "make_dir", "rename", "remove"})
_WIDE: Final = {"BTCUSDT": (100, 200), "ETHUSDT": (2_000, 5_000)}


class Crash(BaseException):
    """The process ends here, without a word."""


class Standstill(BaseException):
    """The process stands still for a while, and goes on."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass(slots=True)
class Lag:
    """A feed that is late: by how much, until when, and what is on its way."""

    lag_ns: int
    until_mono_ns: int
    waiting: deque[MarketEvent] = field(default_factory=deque)


class Mutable:
    """The strategy host, whose wishes can be held back: the end of a run wants nobody to trade."""

    def __init__(self, host: StrategyHost, world: World) -> None:
        self._host = host
        self._world = world
        self.next_due_mono_ns = host.next_due_mono_ns  # asked at every turn: not by way of ``__getattr__``

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    @property
    def waits(self) -> bool:
        return self._host.waits

    def _heard(self, wants: Sequence[Event]) -> Sequence[Event]:
        return () if self._world.muted else wants

    def on_market(self, event: MarketEvent) -> Sequence[Event]:
        wants = self._host.on_market(event)
        return wants if not wants or not self._world.muted else ()

    def on_fact(self, fact: Any, *, wall_ns: int, mono_ns: int) -> Sequence[Event]:
        return self._heard(self._host.on_fact(fact, wall_ns=wall_ns, mono_ns=mono_ns))

    def on_timer(self, *, wall_ns: int, mono_ns: int) -> Sequence[Event]:
        return self._heard(self._host.on_timer(wall_ns=wall_ns, mono_ns=mono_ns))


class Bot(Paced):
    """One life. What reaches it after its death is lost."""

    world: World
    dead = False

    def call(self, call: Call) -> None:
        """Ask the venue, through the network that there is; the process may die right before and right after."""
        world = self.world
        world.may_die()
        world.auditor.asks(call)
        clock = self.clock

        def done(outcome: Outcome) -> None:
            world.storm.answered(call.request)
            world.put(
                self,
                CallDone(
                    wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns(), call_id=call.call_id, outcome=outcome
                ),
            )

        def last_hop() -> Withheld | None:
            withheld = self._may_send() if call.lane is Lane.RISK else None
            if withheld is None:
                world.auditor.writes(call)
            return withheld

        request = call.request
        if type(request) is PlaceOrder and world.weather.strikes("request_given_up"):
            self._gives_up(request, call.lane, last_hop, done)
        else:
            self._venue.submit(request, call.lane, last_hop, done)
        world.may_die()

    def _gives_up(
        self,
        request: PlaceOrder,
        lane: Lane,
        last_hop: Callable[[], Withheld | None],
        done: Callable[[Outcome], None],
    ) -> None:
        """The connection breaks behind the write: nobody hears the answer, and the order arrives all the same, late."""
        world, withheld = self.world, last_hop()
        if withheld is not None:
            done(Suppressed(by=withheld))
            return
        world.weather.saw("request_given_up")
        world.later(world.rng.randrange(1, 50), lambda: done(Unknown(why="connection reset by peer")))
        port = world.port
        world.storm.last_slow_ns = world.venue_now_ns()

        def arrives() -> None:
            usual = port.latency
            port.latency = structs.replace(usual, request_ns=0)
            port.submit(request, lane, lambda: None, lambda _: None)
            port.latency = usual

        world.later(world.rng.randrange(100, GIVEN_UP_MS_MAX), arrives)

    def trip_latch(self, trip: TripLatch) -> None:
        self.world.auditor.tripped = True
        super().trip_latch(trip)

    def tripped_elsewhere(self) -> int:
        """Another process trips the latch: nobody tells us. Returns the nonce."""
        self._trip += 1
        self.world.auditor.tripped = True
        return self._trip

    def sees_latch(self, nonce: int) -> None:
        """The loop looks at its latch."""
        world = self.world
        event = LatchSeen(
            wall_ns=self.clock.wall_ns(), mono_ns=self.clock.mono_ns(), nonce=nonce, by="bob", reason="halt"
        )
        world.put(self, event)

    def clear_latch(self, clear: ClearLatch) -> None:
        super().clear_latch(clear)
        self.world.auditor.tripped = self._trip != self._cleared

    def answered(self, answer: CommandAnswered) -> None:
        self.world.answers[answer.command_id] = answer.accepted

    def says(self, command: Command) -> None:
        """A person's word, through whatever face."""
        self.engine.put(command)
        self._flush()

    @property
    def trip(self) -> int:
        """The latch's nonce."""
        return self._trip

    def goes_on(self) -> None:
        """Carry out what is due."""
        self._flush()

    def until(self, mono_ns: int, wall_ns: int) -> None:
        """Let everything happen that is due by then."""
        if self._next_due() <= mono_ns:
            self._until(mono_ns, wall_ns)


class MemoryLog:
    """A market log that keeps the events themselves. Fulfils ``ports.journal.MarketLogPort``."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.frame_count = 0

    def extend(self, raws: Sequence[Any], wall_ns: int, mono_ns: int, feed: int = 0) -> None:
        self.events.extend(raws)
        self.frame_count += len(raws)

    def each(self, events: Sequence[Any]) -> None:
        self.extend(events, 0, 0)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def at_least(self, pos: int) -> None:
        """A journal that counts on more frames than are here gets empty ones."""
        self.events.extend([None] * (pos - len(self.events)))
        self.frame_count = len(self.events)


@cache
def _config() -> Config:
    return load(DEMO_CONFIG)


@cache
def _base(specs: tuple[InstrumentSpec, ...]) -> Settings:
    """The demonstration's limits, caps over them, and the restless strategy beside its two."""
    settings = resolve(_config(), specs)
    names = tuple(spec.instrument for spec in settings.instruments)
    caps = tuple(
        LimitCap(name=f"instrument.{one.instrument}.{key}", value=value * 2)
        for one in settings.instrument_limits
        for key, value in (("order_max", one.order_lots_max), ("position_max", one.position_lots_max))
    )
    return structs.replace(
        settings,
        caps=settings.caps or caps,
        # the venue jumps at will, and all must be well again within the calm
        instrument_limits=tuple(
            structs.replace(one, swing_window_ms=5_000) for one in settings.instrument_limits
        ),
        market_halts=(),  # they last the day: nothing would be traded behind the first jump
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
                    order_lots_max=_WIDE[name][0],
                    position_lots_max=_WIDE[name][1],
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
        flows=tuple(
            FlowRules(instrument=name, window_ms=4_000, same_side_e8_max=150_000 * E8, walk_ppm_max=30_000)
            for name in names
        ),
        # so wide that a storm alone rarely breaks them: what they count is walked, and the held are let go
        criteria=tuple(
            Criteria(
                strategy=name,
                day_loss_e8_max=20_000 * E8,
                drawdown_e8_max=20_000 * E8,
                fills_ppm_min=1,
                slippage_e8_max=20_000 * E8,
                rejects_ppm_max=900_000,
                orders_min=50,
                window_ms=30_000,
                intended_ppm_max=1_500_000,
            )
            for name in STRATEGIES
        ),
    )


class World:
    """One seed. ``run`` goes on for so many steps; a step is any event that the bot takes, of the market or not."""

    def __init__(self, seed: int, kinds: frozenset[str]) -> None:
        self.seed = seed
        self.rng = rng = random.Random(f"world {seed}")
        source = Generated(seed=seed)
        self.specs = source.specs
        self.names = tuple(spec.instrument for spec in self.specs)
        self._unit_e8 = {spec.instrument: spec.tick_lot_e8 for spec in self.specs}
        base = _base(self.specs)
        self.settings = structs.replace(
            base,
            timings=structs.replace(
                base.timings,
                deadman_ms=rng.choice((4_000, 60_000, 60_000)),
                duplicate_window_ms=rng.choice((0, 1, 300)),
                reconcile_orders_ms=rng.choice((1_000, 5_000)),
                reconcile_positions_ms=rng.choice((2_000, 10_000)),
                clock_interval_ms=rng.choice((250, 1_000, 10_000)),
            ),
        )
        # the same market at a slower pace gives more virtual time for the same number of steps
        self.pace = rng.choice((1, 2, 3))
        self._frames = source.frames()
        self._first_ns = source.start_ns
        self._mono_start_ns = MONO_START_NS
        self.clock = ToldClock(wall_ns=source.start_ns, mono_ns=MONO_START_NS)
        self.schedule = Schedule(self.clock)
        self.exchange = Exchange(self.specs)
        self.account = self.exchange.open_account(
            "demo", api_key="k", secret="", uid="1", balances={"USDT": OPENING_E8}
        )
        self.tag = account_tag(venue="sim", account="demo")
        self.weather = Weather(seed, kinds)
        self.storm = Storm(seed, self.weather)
        self.fills: dict[tuple[str, str], audit.Trade] = {}
        self.busted: dict[tuple[str, str], Fill] = {}  # what the venue took back
        self.exchange.subscribe(self._venue_told)
        self.files = SimFiles()
        self.files.refuses = self._file_call
        self.files.goes = self._bytes_go
        self.log = MemoryLog()
        self.auditor = audit.Auditor(
            audit.World(
                truth=self.truth,
                true_fill=lambda instrument, trade_id: self.fills.get((instrument, trade_id)),
                was_busted=lambda instrument, trade_id: (instrument, trade_id) in self.busted,
                durable_count=lambda: self._journal.anchor().index + 1,
                now_mono_ns=self.clock.mono_ns,
                quoted_mono_ns=lambda name: self._quoted.get(name, -(1 << 62)),
                price_ticks=self._price_ticks,
                rules=self._rules,
                quiet=self._quiet,
            )
        )
        self.storm.tells = self._tells
        self.storm.on_arrival = self.auditor.arrives
        self.bot: Bot | None = None
        self.port = self._a_port()
        self.answers: dict[int, bool] = {}
        self.commands_count = 0
        self.muted = False
        self.steps = 0
        self.lives = 0
        self.crashes = 0
        self.recovery_ns_max = 0
        self.price_ppm = PPM
        self.thin_lots = 0  # > 0: no more than so much is shown at the best prices
        self.read_only = False
        self.silent_until: dict[str, int] = {}
        self.foreign_act_ns = -(1 << 62)
        self.venue_stood_at: set[int] = set()  # where the venue's clock stood still, its time gone back
        self.die_after: int | None = None  # so many calls or records from now
        self.tear_next_write = False
        self._torn = False  # half of a write went: the process dies before the rest does
        self.wall_skew_ns = 0  # our wall clock against the market's
        self.venue_step_ns = 0  # the venue's clock against the market's
        self._journal: Journal
        self._depth_untrue = False
        self._lags: dict[str, Lag] = {}  # by instrument, while its feed is late
        self._told_late: MarketEvent | None = None  # the venue has taken it long ago
        self._quoted: dict[str, int] = {}
        self._standing_still: list[tuple[Bot, Event]] | None = None
        self._boot = 0
        self._end_ns = 0
        self._steps_end = 0
        self._look_at = LOOK_EVERY_STEPS
        self._down_since_ns: int | None = None
        self._no_space_seen = 0
        self._reordered_seen = 0
        self._saved: dict[str, bytes] = {}
        self._rules_of: tuple[dict[str, int], audit.Rules] | None = None
        # by instrument and second, the lowest bid of the venue: what a bot values by cannot be older or less
        self._lows: dict[str, dict[int, int]] = {name: {} for name in self.names}
        self.later(1_000, self._looks_at_disk)

    # --- the auditor's windows ------------------------------------------------------------------------------------

    def truth(self) -> audit.Truth:
        """The venue's own word."""
        account = self.account
        ours: set[int] = set()
        foreign: set[audit.Foreign] = set()
        equity_e8, apart_e8 = account.balances.get("USDT", 0), 0
        for (name, _), row in account.positions.items():
            if row.position_lots:
                bid, _, ask, _ = self.exchange.touch(name)
                worth_e8 = row.position_lots * self._unit_e8[name] * (bid + ask) // 2
                equity_e8 += worth_e8 - row.cost_e8
                apart_e8 += abs(worth_e8) // APART
        for client_id, name, conditional, venue_id in [
            *((one.client_id, one.symbol, False, one.order_id) for one in account.open_orders.values()),
            *(
                (one.client_algo_id, one.symbol, True, one.algo_id)
                for one in account.open_algo_orders.values()
            ),
        ]:
            order_id = order_id_from_text(client_id, account_tag=self.tag)
            if order_id is None:
                foreign.add((name, conditional, str(venue_id)))
            else:
                ours.add(order_id)
        return audit.Truth(
            position_lots={
                name: row.position_lots for (name, _), row in account.positions.items() if row.position_lots
            },
            open_order_ids=frozenset(ours),
            foreign=frozenset(foreign),
            wallet_e8=dict(account.balances),
            equity_e8=equity_e8,
            equity_apart_e8=apart_e8,
        )

    def _venue_told(self, account: Account, event: SimEvent) -> None:
        if isinstance(event, OrderEvent) and event.fill is not None:
            fill: Fill = event.fill
            if self.thin_lots and event.order.left_lots:
                self.weather.seen["book_thin"] += 1
            self.fills[fill.symbol, str(fill.trade_id)] = audit.Trade(
                fill.symbol,
                str(fill.trade_id),
                int(fill.side),
                fill.qty_lots,
                fill.price_ticks,
                fill.fee_e8,
                fill.fee_asset,
            )

        elif isinstance(event, BustEvent):
            taken = event.fill
            self.busted[taken.symbol, str(taken.trade_id)] = taken

    def _price_ticks(self, name: str) -> int:
        return min(self._lows[name].values(), default=0)

    def _quiet(self) -> bool:
        now = self.venue_now_ns()
        needed = 6 * NS_PER_S if now - self.storm.last_slow_ns < 6 * NS_PER_S else 1_500 * NS_PER_MS
        return now - max(self.foreign_act_ns, self.storm.last_lie_ns) > needed

    def _rules(self, changed: dict[str, int]) -> audit.Rules:
        settings = self.settings
        if self._rules_of is None or self._rules_of[0] != changed:
            limits: dict[tuple[str, str], InstrumentLimits | StrategyLimits] = {
                **{("*", one.instrument): one for one in settings.instrument_limits},
                **{(one.strategy, one.instrument): one for one in settings.strategy_limits},
            }
            rules = audit.Rules(
                order_lots_max={key: one.order_lots_max for key, one in limits.items()},
                position_lots_max={
                    (who, name): changed.get(f"instrument.{name}.position_max", one.position_lots_max)
                    if who == "*"
                    else one.position_lots_max
                    for (who, name), one in limits.items()
                },
                collar_ppm={one.instrument: one.collar_ppm for one in settings.instrument_limits},
                unit_e8=self._unit_e8,
                gross_e8_max=changed.get(
                    "account.gross_notional_max", settings.account_limits.gross_notional_e8_max
                ),
                quote_age_ns_max=settings.timings.quote_age_ms_max * NS_PER_MS,
                recover_cooling_ns=settings.account_limits.recover_cooling_ms * NS_PER_MS,
                receive_window_ns=settings.timings.receive_window_ms * NS_PER_MS,
            )
            self._rules_of = dict(changed), rules
        return self._rules_of[1]

    def claims(self) -> audit.Claims:
        """What the bot says of itself."""
        state = self.state
        books, session = state.books, state.live
        orders, ledger = books.orders, books.ledger
        blank = PositionRow()
        return audit.Claims(
            position_lots={
                name: row.position_lots for name, row in ledger.positions.items() if row is not blank
            },
            attributed_lots={
                (who, name): row.position_lots
                for who, rows in ledger.attributed.items()
                for name, row in rows.items()
            },
            open_lots={
                **{("*", name): (row.buy_lots, row.sell_lots) for name, row in orders.by_instrument.items()},
                **{
                    (who, name): (row.buy_lots, row.sell_lots)
                    for who, rows in orders.by_strategy.items()
                    for name, row in rows.items()
                },
            },
            levels={
                (who, name): int(desk.level)
                for who, desks in state.desks.items()
                for name, desk in desks.items()
            },
            holds={hold_id: int(hold.level) for hold_id, hold in books.holds.holds.items()},
            order_states={order_id: row.state for order_id, row in orders.live.items()},
            wallet_e8=dict(ledger.wallet_e8),
            equity_e8=books.drawdown.equity_e8,
            foreign=frozenset(
                (one.instrument, one.conditional, one.venue_order_id) for one in orders.foreign.values()
            ),
            calls_count=len(session.calls),
            chased_count=len(session.chases),
            exits_count=len(session.jobs),
            breaks=tuple(books.breaks),
            ready=session.ready,
        )

    def look(self) -> None:
        """The auditor's full look, now."""
        self._look_at = self.steps + LOOK_EVERY_STEPS
        self.weather.look_due = False
        self.auditor.look(self.claims())

    # --- time and market ------------------------------------------------------------------------------------------

    @property
    def mono_ns(self) -> int:
        """Now, by the machine's monotonic clock."""
        return self.clock.mono_ns()

    @property
    def state(self) -> State:
        """The living bot's."""
        if self.bot is None:
            raise RuntimeError("nobody lives")
        return self.bot.state

    def venue_now_ns(self) -> int:
        """Now, by the venue's clock."""
        return self.port.venue_now_ns()

    def later(self, ms: float, act: Callable[[], None]) -> None:
        """Something happens after this long."""
        self.schedule(round(ms * NS_PER_MS), act)

    def _feed(self) -> Iterator[MarketEvent]:
        """The market, as received: stamped with the clocks of now, at its own price or another, its book whole or thin.

        Written out in one piece: half of what a simulation does is to go through here.
        """
        first_ns, pace = self._first_ns, self.pace
        for frame in self._frames:
            event: Any = frame.event
            kind = type(event)
            ppm, most = self.price_ppm, self.thin_lots
            if most or ppm != PPM:
                self._depth_untrue = True  # for good: what is told are differences
                most = most or 1 << 62
            if kind is Depth and self._depth_untrue:
                continue
            recorded = frame.recv_ns - first_ns
            since = recorded * pace
            later_ns = self.venue_step_ns + since - recorded
            wall_ns = first_ns + since + self.wall_skew_ns
            mono_ns = self._mono_start_ns + since
            if kind is Quote:
                bid, bid_lots, ask, ask_lots = (
                    event.bid_ticks,
                    event.bid_lots,
                    event.ask_ticks,
                    event.ask_lots,
                )
                if most:
                    spread = ask - bid
                    bid = bid * ppm // PPM
                    ask = bid + spread
                    bid_lots, ask_lots = min(bid_lots, most), min(ask_lots, most)
                self._quoted_at_venue(event.instrument, bid, since // NS_PER_S)
                event = Quote(
                    event.instrument,
                    event.seq,
                    bid,
                    bid_lots,
                    ask,
                    ask_lots,
                    event.venue_ns + later_ns,
                    wall_ns,
                    mono_ns,
                )
            elif kind is Trade and most:
                event = Trade(
                    event.instrument,
                    event.seq,
                    event.price_ticks * ppm // PPM,
                    min(event.qty_lots, most),
                    event.aggressor,
                    event.market,
                    event.venue_ns + later_ns,
                    wall_ns,
                    mono_ns,
                )
            else:
                if kind is Mark and most:
                    event = structs.replace(event, mark_ticks=event.mark_ticks * ppm // PPM)
                event = stamped(event, offset_ns=later_ns, wall_ns=wall_ns, mono_ns=mono_ns)
            if mono_ns >= self._end_ns or self.steps >= self._steps_end:
                return
            yield event

    def _quoted_at_venue(self, name: str, bid_ticks: int, second: int) -> None:
        lows = self._lows[name]
        low = lows.get(second)
        if low is None:
            lows[second] = bid_ticks
            for old in [one for one in lows if one < second - PRICES_KEPT_S]:
                del lows[old]
        elif bid_ticks < low:
            lows[second] = bid_ticks

    def _venue_takes(self, event: MarketEvent, wall_ns: int) -> None:
        if event is self._told_late:
            return
        exchange = self.exchange
        now_ns = wall_ns + self.port.venue_offset_ns
        if now_ns > exchange.now_ns:
            exchange.now_ns = now_ns
        else:
            now_ns = exchange.now_ns  # the venue's clock may be stepped back; its stamps never go back
        exchange.on_market(event, now_ns)  # which does first what is due by then

    def _heard(self, events: Iterator[MarketEvent]) -> Iterator[MarketEvent]:
        """What the feeds carry to the bot; the exchange sees all of it."""
        for event in events:
            if type(event) is Depth or event.mono_ns < self.silent_until.get(event.instrument, 0):
                if type(event) is not Depth:
                    self.weather.saw("feed_silent")
                self._passes_by(event)
                continue
            if event.instrument in self._lags:
                self._passes_by(event)
                for late in self._late(event):
                    self._told_late = late
                    self._counts_step(late)
                    if type(late) is Quote and self._on_time(late):
                        self._quoted[late.instrument] = late.mono_ns
                    yield late
                continue
            self._counts_step(event)
            if type(event) is Quote:
                self._quoted[event.instrument] = event.mono_ns
            yield event

    def _counts_step(self, event: MarketEvent) -> None:
        self.steps += 1
        self.weather.now_mono_ns = event.mono_ns
        if self.steps >= self._look_at or self.weather.look_due:
            self.look()

    def _passes_by(self, event: MarketEvent) -> None:
        """The venue takes it, and the bot hears nothing of it now; for both it is now that time."""
        wall, mono = event.wall_ns, event.mono_ns
        if self.bot is not None:
            self.bot.until(mono, wall)
        self.clock.tell(wall_ns=wall, mono_ns=mono)
        self._venue_takes(event, wall)

    def lags(self, name: str, *, ms: int, for_ms: int) -> None:
        """From now on the feed of an instrument is so late, for so long."""
        if name not in self._lags:
            self._lags[name] = Lag(ms * NS_PER_MS, self.mono_ns + for_ms * NS_PER_MS)

    def _late(self, now: MarketEvent) -> Iterator[MarketEvent]:
        """What comes now of an instrument whose feed is late: what is old enough; when it is late no more, all."""
        lag = self._lags[now.instrument]
        lag.waiting.append(now)
        over = now.mono_ns >= lag.until_mono_ns
        if over:
            del self._lags[now.instrument]
        while lag.waiting and (over or lag.waiting[0].mono_ns + lag.lag_ns <= now.mono_ns):
            event = lag.waiting.popleft()
            yield structs.replace(event, wall_ns=now.wall_ns, mono_ns=now.mono_ns)

    def _on_time(self, quote: Quote) -> bool:
        """Whether it is as young as a quote must be when it comes, by what the bot may know of the venue's clock."""
        late_ns = quote.wall_ns + self.state.live.offset_ns - quote.venue_ns
        if late_ns <= self.settings.timings.quote_age_ms_max * NS_PER_MS:
            return True
        self.weather.seen["feed_lags"] += 1  # in great numbers: no reason to look at everything
        return False

    def run(self, *, steps: int | None = None, seconds: float = 3_600) -> None:
        """Let the market go on for so many steps, or for this long; dead bots start again."""
        self._end_ns = self.mono_ns + round(seconds * NS_PER_S)
        self._steps_end = 1 << 62 if steps is None else self.steps + steps
        while self.mono_ns < self._end_ns - 150 * NS_PER_MS and self.steps < self._steps_end:
            try:
                if self.bot is None:
                    self._starts()
                    continue
                self.bot.run(self._heard(self._feed()), self._venue_takes)
                if self.bot.ended is None:
                    break
                self._dies(power=False)
                self._down(0.2)
            except Standstill as still:
                self._stands_still(still.seconds)
            except Crash:
                self.weather.saw("killed")
                self._crashes()
            except JournalFailed:
                self._crashes()  # the process trips the latch and ends: what is left is what was written
        if self.bot is None:
            self._end_ns = self.mono_ns + 60 * NS_PER_S
            while self.bot is None:
                self._starts()

    def pauses(self, seconds: float) -> NoReturn:
        """The whole process stands still: nothing is read, no timer fires."""
        raise Standstill(seconds)

    def _stands_still(self, seconds: float) -> None:
        bot = self.bot
        self._standing_still = []
        self._down(seconds)
        self.storm.last_slow_ns = self.venue_now_ns()
        arrived, self._standing_still = self._standing_still, None
        try:
            for one, event in arrived:
                if one is bot and not one.dead:
                    one.engine.put(structs.replace(event, wall_ns=self.clock.wall_ns(), mono_ns=self.mono_ns))
                    one.goes_on()
        except (Crash, JournalFailed):
            self._crashes()

    @property
    def standing_still(self) -> bool:
        """Whether the process does not run just now."""
        return self._standing_still is not None

    def put(self, bot: Bot, event: Event) -> None:
        """Something reaches the bot from outside."""
        if bot.dead:
            return
        if self._standing_still is not None:
            self._standing_still.append((bot, event))
            return
        self.storm.heard(event)
        bot.engine.put(event)

    def _tells(self, event: Event, after_ns: int) -> None:
        bot = self.bot

        def arrives() -> None:
            if bot is not None:
                now = structs.replace(event, wall_ns=self.clock.wall_ns(), mono_ns=self.mono_ns)
                self.put(bot, now)

        self.schedule(after_ns, arrives)

    def _down(self, seconds: float) -> None:
        """Nobody is there; the market and the venue go on."""
        until = self.mono_ns + round(seconds * NS_PER_S)
        end_ns, steps_end = self._end_ns, self._steps_end
        self._end_ns, self._steps_end = until, 1 << 62
        clock, schedule = self.clock, self.schedule
        for event in self._feed():
            wall, mono = event.wall_ns, event.mono_ns
            while schedule.due_mono_ns <= mono:
                at = max(schedule.due_mono_ns, clock.told_mono_ns)
                clock.tell(wall_ns=wall - (mono - at), mono_ns=at)
                schedule.pop()()
            clock.told_wall_ns, clock.told_mono_ns = wall, mono
            self._venue_takes(event, wall)
        self._end_ns, self._steps_end = end_ns, steps_end

    # --- lives ----------------------------------------------------------------------------------------------------

    def _a_port(self) -> SimVenuePort:
        port = SimVenuePort(
            self.exchange,
            self.account,
            account_tag=self.tag,
            clock=self.clock,
            schedule=self.schedule,
            latency=CALM_LATENCY,
            faults=self.storm,
            venue_offset_ns=getattr(self, "venue_step_ns", 0) - getattr(self, "wall_skew_ns", 0),
        )
        self.storm.port = port
        return port

    def _opened(self, *, whole: bool = True) -> tuple[Opened, Kept, list[Record]]:
        """As ``app.parts.open_state``: the newest snapshot that fits the chain, and the facts behind it.

        And every record, where they are not just those that the auditor has heard: what was lost never was.
        ``whole``: prove the chain once more on the way.
        """
        opened = open_for_append(
            JOURNAL,
            account="demo",
            files=self.files,
            segment_bytes=SEGMENT_BYTES,
            reserve_bytes=RESERVE_BYTES,
        )
        kept, first = None, 0
        if opened.snapshot is not None:
            kept = decode_kept(opened.snapshot.payload)
            first = opened.snapshot.at.index + 1
        begin = first if opened.journal.record_count == self.auditor.count else 0
        records = [record for _, _, record in iterate(JOURNAL, begin, whole=whole, files=self.files)]
        return opened, recover(records[first - begin :], kept), records

    def _starts(self) -> None:
        """Fold the journal, and begin another life; a start that dies leaves nobody."""
        if self.lives and "killed_in_recovery" in self.weather.kinds and self.rng.random() < _DIES_AGAIN:
            self.die_after = self.rng.randrange(1, 40)
        try:
            opened, kept, records = self._opened()
        except Crash:
            self.weather.saw("killed_in_recovery")
            self._crashes()
            return
        except CorruptJournal:
            raise  # no later start fares better: nobody would ever live again
        except JournalFailed:
            self._crashes()
            return
        self._journal = opened.journal
        if "wrong_environment" in self.weather.kinds and kept.books.environment:
            other = structs.replace(self.settings, environment=_REAL)
            self.auditor.must("I33 books are of one environment", misfits(kept.books, other), _REAL)
            self.weather.saw("wrong_environment")
        state = State(kept.books)
        self.auditor.begins(records, opened.journal.record_count)
        self._saved = dict(kept.saved)
        self.lives += 1
        self.log.at_least(opened.market_pos)
        port = self.port = self._a_port()
        self.storm.awaited.clear()
        bot = self.bot = Bot(
            settings=self.settings,
            state=state,
            journal=self._journal,
            market_log=self.log,
            make_host=lambda: Mutable(self._host(state), self),
            saved=kept.saved,
            venue=port,
            clock=self.clock,
            schedule=self.schedule,
            identity=Identity(build="simulation", boot_id=f"boot {self._boot}", epoch_floor=1),
            reference=as_event(
                read_reference(beside(_config(), _config().reference.file)),
                self.settings.instruments,
                wall_ns=self.clock.wall_ns(),
                mono_ns=self.mono_ns,
                horizon_days=BACKTEST_DAYS,
                always_fresh=True,
            ),
            on_alert=self.auditor.alerted,
            tap=self._tap,
        )
        bot.world = self
        self.auditor.tripped = False
        try:
            bot.start()
            port.listen(lambda event: self.put(bot, event))
        except Crash:
            self.weather.saw("killed_in_recovery")
            self._crashes()
            return
        except JournalFailed:
            self._crashes()
            return
        if self._down_since_ns is not None:
            self._ready_since(self._down_since_ns, bot)
        self._down_since_ns = None

    def _host(self, state: State) -> StrategyHost:
        return StrategyHost(
            [
                Hosted(name="quoter", strategy=TwoSidedQuoter(), instruments=self.names),
                Hosted(name="momentum", strategy=MomentumTaker(), instruments=self.names),
                Hosted(
                    name="restless", strategy=Restless(f"{self.seed}/{self.lives}"), instruments=self.names
                ),
            ],
            specs=self.settings.instruments,
            books=CoreBooks(state),
            clock_ns=self.clock.mono_ns,
        )

    def _ready_since(self, since_ns: int, bot: Bot) -> None:
        """How long until a start has heard all that it must: looked at ten times a second."""

        def asks() -> None:
            if self.bot is not bot:
                return
            if bot.state.live.ready:
                self.recovery_ns_max = max(self.recovery_ns_max, self.mono_ns - since_ns)
            else:
                self.later(100, asks)

        asks()

    def _tap(self, index: int, record: Record) -> None:
        if type(record) not in FACT_TYPES:
            self.steps += 1
            if type(record) is StrategySaved:
                self._saved[record.strategy] = record.state
        elif type(record) is OrderAmended:
            self.weather.look_due = True  # two sizes of one order, until it is answered
        self.auditor.record(index, record)
        if self.die_after is not None:
            self.may_die()

    def may_die(self) -> None:
        """SIGKILL may come at any record and at any call."""
        if self.die_after is not None:
            self.die_after -= 1
            if self.die_after <= 0:
                self.die_after = None
                raise Crash

    def _crashes(self) -> None:
        rng, weather = self.rng, self.weather
        # books opened anew beside a position are a person's to adopt, at a price that is not the venue's: not drawn
        opened = self.lives > 0 and (
            self._journal.anchor().index > _OPENED_INDEX or not self.truth().position_lots
        )
        power = (
            not weather.kinds.isdisjoint(("tail_lost", "writes_reordered")) and opened and rng.random() < 0.3
        )
        self.crashes += 1
        self._dies(power=power)
        self._down(rng.choice((0.05, 0.3, 2, 8)))
        if "reboot" in weather.kinds and (power or rng.random() < 0.1):
            self._reboots()

    def _dies(self, *, power: bool) -> None:
        if self.bot is not None:
            self.bot.dead = True
            self.bot = None
        self.port.listen(None)
        self._lags = {}
        self.die_after = None
        self.tear_next_write = self._torn = False
        if power:
            if self.files.lose_power(self.rng):
                self.weather.saw("tail_lost")
            if self.files.reordered_count > self._reordered_seen:
                self._reordered_seen = self.files.reordered_count
                self.weather.saw("writes_reordered")
        else:
            self.files.kill()
        self._down_since_ns = self.mono_ns

    def _reboots(self) -> None:
        """Another boot: the monotonic clock begins anew."""
        self.weather.saw("reboot")
        self._boot += 1
        shift = self.mono_ns - 5 * NS_PER_S
        self._mono_start_ns -= shift
        self._end_ns -= shift
        self.clock.tell(wall_ns=self.clock.wall_ns(), mono_ns=self.mono_ns - shift)
        self.schedule.shift(-shift)
        self.silent_until = {}
        if self._down_since_ns is not None:
            self._down_since_ns -= shift
        self._quoted = {}

    # --- the disk -------------------------------------------------------------------------------------------------

    def _file_call(self, name: str) -> int:
        weather = self.weather
        if self._torn:
            self._torn = False
            weather.saw("tail_torn")
            raise Crash
        if self.bot is None:
            self.may_die()
        if self.read_only and name in _WRITES:
            weather.saw("disk_read_only")
            return errno.EROFS
        if name == "write":
            if weather.strikes("write_refused"):
                weather.saw("write_refused")
                return errno.EIO
        elif name == "sync" and weather.strikes("sync_refused"):
            weather.saw("sync_refused")
            return errno.EIO
        return 0

    def _bytes_go(self, count: int) -> int:
        weather = self.weather
        if self.tear_next_write and self.bot is not None and count > 1:
            self.tear_next_write = False
            self._torn = True
            return self.rng.randrange(1, count)
        if count > 1 and weather.strikes("write_short"):
            weather.saw("write_short")
            return self.rng.randrange(1, count)
        return count

    def _looks_at_disk(self) -> None:
        """As the live loop does, every second."""
        self.later(1_000, self._looks_at_disk)
        if self.files.no_space_count > self._no_space_seen:
            self._no_space_seen = self.files.no_space_count
            self.weather.saw("disk_full")
        if self.bot is not None and not self.standing_still:
            self.bot.engine.look_at_disk()

    def saves_snapshot(self) -> None:
        """As the live loop does, every so many records."""
        bot = self.bot
        if bot is None:
            return
        self._journal.sync()
        session = bot.state.live
        kept = Kept(books=bot.state.books, mono_ns=session.now_mono_ns, saved=self._saved)
        save_snapshot(JOURNAL, self._journal.head(), encode_kept(kept), files=self.files)

    # --- people ---------------------------------------------------------------------------------------------------

    def says(self, verb: Verb, *, scope: Scope = ACCOUNT, by: str = "ann", **fields: Any) -> bool:
        """Somebody gives a command; returns whether it was accepted."""
        bot = self.bot
        if bot is None:
            return False
        self.commands_count += 1
        bot.says(
            Command(
                wall_ns=self.clock.wall_ns(),
                mono_ns=self.mono_ns,
                command_id=self.commands_count,
                verb=verb,
                by=by,
                reason=fields.pop("reason", "because"),
                scope=scope,
                latch_nonce=bot.trip,
                **fields,
            )
        )
        return self.answers.get(self.commands_count, False)

    # --- the end --------------------------------------------------------------------------------------------------

    def calms_down(self) -> None:
        """Nothing goes wrong any more: not the network, not the feeds, not the machine."""
        self.storm.calms_down()
        self.silent_until = {}
        self._lags = {}
        self.thin_lots = 0
        self.read_only = False
        self.die_after = None
        self.tear_next_write = False
        self.files.space_bytes = None
        if self.bot is not None and not self.port.is_up:
            self.port.stream_up()

    def weather_changes(self) -> None:
        """Another mixture of faults."""
        self.weather.now_mono_ns = self.mono_ns
        self.weather.changes(BREAKABLE)

    def closes_journal(self) -> None:
        """The end of it all: what is written is marked durable."""
        self._journal.close()

    def recovers(self) -> str:
        """Hash of the books that a start would find, which then goes no further."""
        opened, kept, _ = self._opened(whole=False)
        opened.journal.close()
        return State(kept.books).books_hash()

    def records(self) -> list[tuple[int, int, Record]]:
        """The journal, read back from the bytes."""
        return list(iterate(JOURNAL, files=self.files))

    def journal_bytes(self) -> list[tuple[str, bytes]]:
        """Every segment's bytes, in order."""
        return [
            (name, self.files.read(f"{JOURNAL}/{name}"))
            for name in self.files.names(JOURNAL)
            if name.endswith(".seg")
        ]

    def replayed(self, records: Iterable[tuple[int, int, Record]]) -> Replayed:
        """Step the journal's events and the market log again. Errors: ReplayDiffers at the first difference."""
        return replay(records, iter(enumerate(self.log.events)))
