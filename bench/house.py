"""What every benchmark is built of: the shipped parts, wired as the product wires them, on made instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from holdfast.app.parts import open_state
from holdfast.core.state import State
from holdfast.journal.files import REAL_FILES, UNSYNCED_FILES, UnsyncedFiles
from holdfast.journal.market_log import open_market_log
from holdfast.ports.venue import EventSink, MaySend
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.clock import ToldClock
from holdfast.runtime.live import Identity
from holdfast.runtime.paced import Paced, Schedule
from holdfast.sim.exchange import Exchange
from holdfast.sim.port import Latency, SimVenuePort
from holdfast.sim.sources.specs import BTCUSDT, ETHUSDT
from holdfast.strategy import Hosted, StrategyHost
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import (
    AccountLimits,
    InstrumentLimits,
    Settings,
    StrategyLimits,
    StrategySetup,
    Timings,
)
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Outcome
from holdfast.vocab.requests import PlaceOrder, Request
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S

STRATEGY: Final = "bench"
ACCOUNT: Final = "bench"
ACCOUNT_TAG: Final = 0x4265_6E63_6862_6F74
START_WALL_NS: Final = 1_767_225_600 * NS_PER_S
START_MONO_NS: Final = NS_PER_S
BALANCE_E8: Final = 10_000_000 * E8
_LATENCY: Final = Latency(request_ns=NS_PER_MS, reply_ns=NS_PER_MS, event_ns=NS_PER_MS)
_START_QUOTES: Final = 200
CODEC: Final = "binance-usdm"
PRICE_TICKS: Final = 618_000


def instruments(count: int) -> tuple[InstrumentSpec, ...]:
    """BTC, ETH, and as many more of BTC's kind as it takes."""
    more = (
        msgspec.structs.replace(BTCUSDT, instrument=f"B{number:04d}USDT", symbol=f"B{number:04d}/USDT:USDT")
        for number in range(2, count)
    )
    return (BTCUSDT, ETHUSDT, *more)[:count]


def settings(specs: Sequence[InstrumentSpec], *, orders_per_s: int = 1_000_000) -> Settings:
    """Limits of every kind, wide enough that the benchmark's orders pass them all: each is still judged.

    ``orders_per_s`` bounds the rate window's ring; benchmarks in virtual time need little of it.
    """
    return Settings(
        account=ACCOUNT,
        venue="binanceusdm",
        settle_asset="USDT",
        arm_auto=True,
        config_hash="bench",
        account_limits=AccountLimits(
            gross_notional_e8_max=50_000_000 * E8,
            leverage_ppm_max=5_000_000,
            leverage_venue=5,
            open_orders_max=100_000,
            orders_per_s_refuse=orders_per_s,
            orders_per_s_kill=orders_per_s + 1,
            drawdown_warning_ppm=50_000,
            drawdown_release_ppm=30_000,
            drawdown_breaker_ppm=100_000,
            breaker_cooldown_ms=900_000,
            breakers_per_day_max=2,
            orders_per_day_max=100_000_000,
            cancels_per_day_max=100_000_000,
            fills_per_day_max=100_000_000,
            traded_e8_per_day_max=(1 << 63) - 1,
            crash_share_ppm=1_000_000,
            recover_cooling_ms=900_000,
        ),
        instrument_limits=tuple(
            InstrumentLimits(
                instrument=spec.instrument,
                order_lots_max=1_000,
                order_notional_e8_max=100_000 * E8,
                position_lots_max=100_000,
                collar_ppm=100_000,
                spread_ppm_max=10_000,
                jump_ppm_max=30_000,
                flatten_collar_ppm=20_000,
                flatten_clip_lots=1_000,
                swing_ppm_max=1_000_000,
                swing_window_ms=60_000,
                orders_per_s_refuse=orders_per_s,
                orders_per_s_halt=orders_per_s + 1,
                refused_ppm_max=200_000,
            )
            for spec in specs
        ),
        strategy_limits=tuple(
            StrategyLimits(
                strategy=STRATEGY,
                instrument=spec.instrument,
                order_lots_max=1_000,
                position_lots_max=100_000,
                churn_round_trips_max=500,
                churn_cost_e8_max=1_000_000 * E8,
                churn_window_ms=1_000,
                slippage_ppm_max=500_000,
                orders_per_s_refuse=orders_per_s,
                orders_per_s_halt=orders_per_s + 1,
            )
            for spec in specs
        ),
        timings=Timings(
            # A sender that prepared its frames stamped them minutes before they are read: the age of each is
            # judged all the same, against a bound that lets them pass.
            quote_age_ms_max=600_000,
            feed_dead_ms=600_000,
            ack_timeout_ms=5_000,
            receive_window_ms=1_000,
            query_retry_ms=250,
            reconcile_orders_ms=5_000,
            reconcile_positions_ms=10_000,
            position_age_ms_reduce=300_000,
            position_age_ms_halt=600_000,
            clock_interval_ms=10_000,
            clock_offset_ms_max=2_000,
            deadman_ms=0,
            equity_interval_ms=1_000,
            duplicate_window_ms=0,
            flatten_read_gap_ms=500,
            flatten_retry_ms=500,
            hold_clear_ms=2_000,
        ),
        instruments=tuple(specs),
        strategies=(StrategySetup(strategy=STRATEGY, instruments=tuple(spec.instrument for spec in specs)),),
    )


class Prices:
    """A walk of prices and sizes, the same at each run; every step is another quote.

    Livelier than the recorded sessions, where 97 of 100 quotes keep both prices: here one of four moves them. As
    there the spread is mostly one tick, and a quote changes the size of one side.
    """

    def __init__(self, seed: int = 1) -> None:
        self._word = seed * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF_FFFF

    def __iter__(self) -> Iterator[tuple[int, int, int, int]]:
        """(bid_ticks, bid_lots, ask_ticks, ask_lots), endlessly."""
        word, ticks, spread, lots = self._word, PRICE_TICKS, 1, [1, 1]
        while True:
            word = (word * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & 0xFFFF_FFFF_FFFF_FFFF
            high = word >> 32
            if high & 0x30 == 0:
                ticks += (high & 7) - 3
                spread = 1 if high & 0xF00 else 2
            if not PRICE_TICKS - 5_000 < ticks < PRICE_TICKS + 5_000:
                ticks = PRICE_TICKS
            lots[high >> 12 & 1] = 1 + (high >> 13 & 0x3FFF)
            yield ticks, lots[0], ticks + spread, lots[1]


def quotes(
    specs: Sequence[InstrumentSpec],
    count: int,
    *,
    start_mono_ns: int = START_MONO_NS,
    gap_ns: int = 3_000,
    first_seq: int = 1,
) -> list[Quote]:
    """Distinct quotes, instruments in turn, ``gap_ns`` apart; wall and venue time run along with mono."""
    names = [spec.instrument for spec in specs]
    walk = iter(Prices())
    made = []
    mono = start_mono_ns
    for number in range(count):
        bid, bid_lots, ask, ask_lots = next(walk)
        mono += gap_ns
        wall = START_WALL_NS + mono - START_MONO_NS
        made.append(
            Quote(
                names[number % len(names)],
                first_seq + number,
                bid,
                bid_lots,
                ask,
                ask_lots,
                wall,
                wall,
                mono,
            )
        )
    return made


def frames(
    specs: Sequence[InstrumentSpec], count: int, *, wall_ns: int, first_seq: int = 1, combined: bool = False
) -> list[bytes]:
    """Distinct Binance USD-M bookTicker frames: update id, prices, sizes and stamps differ in each."""
    grids = [(spec.instrument, int(Decimal(spec.tick) * 100)) for spec in specs]
    walk = iter(Prices())
    made = []
    ms = wall_ns // NS_PER_MS
    for number in range(count):
        bid, bid_lots, ask, ask_lots = next(walk)
        name, cents = grids[number % len(grids)]
        bid *= cents
        ask *= cents
        body = (
            f'{{"e":"bookTicker","u":{first_seq + number},"s":"{name}",'
            f'"b":"{bid // 100}.{bid % 100:02d}","B":"{bid_lots // 1000}.{bid_lots % 1000:03d}",'
            f'"a":"{ask // 100}.{ask % 100:02d}","A":"{ask_lots // 1000}.{ask_lots % 1000:03d}",'
            f'"T":{ms},"E":{ms}}}'
        )
        if combined:
            body = f'{{"stream":"{name.lower()}@bookTicker","data":{body}}}'
        made.append(body.encode())
    return made


class FramedOnly(UnsyncedFiles):
    """A disk that costs nothing: for figures that end where a record's bytes are whole in memory."""

    @staticmethod
    def write(handle: int, data: bytes | bytearray | memoryview, offset: int) -> int:
        return len(data)


FRAMED_ONLY: Final = FramedOnly()


class Nowhere:
    """A venue in process that answers what a start asks, and does nothing at all with an order."""

    def __init__(self, inner: SimVenuePort, on_order: Callable[[PlaceOrder], None]) -> None:
        self._inner = inner
        self._on_order = on_order

    def attach(self, sink: EventSink) -> None:
        self._inner.attach(sink)

    def submit(
        self, request: Request, lane: Lane, may_send: MaySend, done: Callable[[Outcome], None]
    ) -> None:
        if type(request) is PlaceOrder:
            if may_send() is None:
                self._on_order(request)
            return
        self._inner.submit(request, lane, may_send, done)


class Desk:
    """A bot in virtual time with a real journal and a real market log, reconciled and armed."""

    def __init__(
        self,
        directory: Path,
        specs: Sequence[InstrumentSpec],
        strategy: object,
        *,
        on_order: Callable[[PlaceOrder], None] | None = None,
        synced: bool = True,
        written: bool = True,
    ) -> None:
        self.specs = tuple(specs)
        self.settings = settings(specs, orders_per_s=10_000)
        files = (REAL_FILES if synced else UNSYNCED_FILES) if written else FRAMED_ONLY
        self.disk = open_state(directory, account=ACCOUNT, files=files)
        self.state = State(self.disk.kept.books)
        self.clock = ToldClock(wall_ns=START_WALL_NS, mono_ns=START_MONO_NS)
        schedule = Schedule(self.clock)
        exchange = self.exchange = Exchange(specs)
        account = exchange.open_account(
            ACCOUNT, api_key="bench", secret="", uid="1", balances={"USDT": BALANCE_E8}
        )
        port = SimVenuePort(
            exchange, account, account_tag=ACCOUNT_TAG, clock=self.clock, schedule=schedule, latency=_LATENCY
        )
        self.log = open_market_log(str(self.disk.market_dir), codecs=(CODEC,))
        hosted = Hosted(
            name=STRATEGY, strategy=strategy, instruments=tuple(spec.instrument for spec in specs)
        )
        self.bot = Paced(
            settings=self.settings,
            state=self.state,
            journal=self.disk.opened.journal,
            market_log=self.log,
            make_host=lambda: StrategyHost(
                [hosted], specs=specs, books=CoreBooks(self.state), clock_ns=self.clock.mono_ns
            ),
            saved={},
            venue=port if on_order is None else Nowhere(port, on_order),
            clock=self.clock,
            schedule=schedule,
            identity=Identity(build="bench", boot_id="bench", epoch_floor=1),
            on_alert=lambda _: None,
        )
        self.engine = self.bot.engine
        self.seq = 0

    def arm(self) -> None:
        """Start, reconcile with the venue, arm. RuntimeError where that did not come about."""
        self.bot.start()
        count = max(_START_QUOTES, 2 * len(self.specs))
        self.bot.run(self.next_quotes(count, gap_ns=NS_PER_S // _START_QUOTES), self.exchange.on_market)
        level = self.state.desks[STRATEGY][self.specs[0].instrument].level
        if level is not HoldLevel.NONE:
            raise RuntimeError(f"the benchmark's bot is held at {level.name}: {self.state.books.holds}")

    def next_quotes(self, count: int, *, gap_ns: int = 3_000) -> list[Quote]:
        """Quotes that follow on the last ones."""
        made = quotes(
            self.specs,
            count,
            start_mono_ns=self.clock.mono_ns(),
            gap_ns=gap_ns,
            first_seq=self.seq + 1,
        )
        self.seq += count
        return made

    def until(self, quote: Quote) -> None:
        """Let everything happen that is due by a quote's time: timers, and what the venue answers."""
        self.bot._until(quote.mono_ns, quote.wall_ns)
        self.clock.tell(wall_ns=quote.wall_ns, mono_ns=quote.mono_ns)

    def close(self) -> None:
        """Close journal and log."""
        self.disk.opened.journal.close()
        self.log.close()
