"""What the gate costs with every limit configured, on a whole house, and on houses ten times as large."""

from __future__ import annotations

import gc
import random
import resource
import time
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.house import START_MONO_NS, START_WALL_NS, Prices, instruments, settings
from bench.machine import median, percentile
from holdfast.core.gate.gate import Approved, judge
from holdfast.core.state import State
from holdfast.core.step import step
from holdfast.runtime.garbage import rare_rounds
from holdfast.vocab.events import OrderIntent, ReferenceRead, Started
from holdfast.vocab.facts import HoldReleased
from holdfast.vocab.holds import Scope
from holdfast.vocab.limits import Settings, StrategySetup
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Side, TimeInForce
from holdfast.vocab.reference import WEEK_MINUTES, Hours, InstrumentReference, ReferenceRules
from holdfast.vocab.units import E8, NS_PER_MS

INSTRUMENTS: Final = 500
STRATEGIES: Final = 50
OPEN_ORDERS: Final = 2_000
GROUPS: Final = 20
BUSY: Final = 500
EQUITY_E8: Final = 10_000_000_000 * E8
_REST_TICKS: Final = 10_000  # how far below the touch the open orders rest
_GAP_NS: Final = 20 * NS_PER_MS  # 50 orders a second: below every rate


def _everything(specs: int, strategies: int) -> Settings:
    """Every limit that there is, none of them 0, and wide enough for what is asked."""
    base = settings(instruments(specs), orders_per_s=1_000)
    names = tuple(f"s{number:03d}" for number in range(strategies))
    return msgspec.structs.replace(
        base,
        account_limits=msgspec.structs.replace(
            base.account_limits,
            gross_notional_e8_max=EQUITY_E8,
            net_notional_e8_max=EQUITY_E8,
            group_share_ppm_max=500_000,
        ),
        instrument_limits=tuple(
            msgspec.structs.replace(
                one, equity_share_ppm_max=200_000, adv_share_ppm_max=100_000, depth_ppm_max=1_000_000_000
            )
            for one in base.instrument_limits
        ),
        strategy_limits=tuple(
            msgspec.structs.replace(one, strategy=name, slippage_ppm_max=50_000)
            for name in names
            for one in base.strategy_limits
        ),
        strategies=tuple(
            StrategySetup(strategy=name, instruments=tuple(spec.instrument for spec in base.instruments))
            for name in names
        ),
        timings=msgspec.structs.replace(base.timings, duplicate_window_ms=500),
        reference=ReferenceRules(age_ms_max=7 * 86_400_000),
        hours=(Hours(spans=((0, WEEK_MINUTES // 2), (WEEK_MINUTES // 2, WEEK_MINUTES)), scope=Scope()),),
    )


class House:
    """A core with so many instruments, strategies and open orders, under no hold, and nothing of the runtime."""

    def __init__(self, *, specs: int, strategies: int, orders: int) -> None:
        before = rss_mib()
        told = _everything(specs, strategies)
        self._specs = told.instruments
        self._names = [one.strategy for one in told.strategies]
        self._rng = random.Random(1)
        self._seq = count(1)
        self._quotes_count = 0
        self._walk = iter(Prices())
        self._mono = START_MONO_NS
        self.state = state = State()
        step(
            state,
            Started(
                wall_ns=START_WALL_NS,
                mono_ns=self._mono,
                settings=told,
                boot_id="b",
                epoch_floor=1,
                build="b",
            ),
        )
        step(
            state,
            ReferenceRead(
                wall_ns=START_WALL_NS,
                mono_ns=self._mono,
                as_of_wall_ns=START_WALL_NS,
                digest="bench",
                instruments=tuple(
                    InstrumentReference(
                        instrument=spec.instrument,
                        group=f"group {number % GROUPS}",
                        adv_lots=10_000_000,
                        band_low_ticks=1,
                        band_high_ticks=10**9,
                    )
                    for number, spec in enumerate(self._specs)
                ),
            ),
        )
        for hold in list(state.books.holds.holds):
            state.books.holds.release(HoldReleased(hold_id=hold, by="bench", reason="to measure the gate"))
        state.fold_holds()
        for spec in self._specs:
            self._hear(spec.instrument)
        state.live.account.mark(EQUITY_E8)
        for number in range(orders):
            name = self._names[number % strategies]
            self._hear(self._specs[number % specs].instrument)
            intent = self._intent(self._specs[number % specs].instrument, strategy=name, below=_REST_TICKS)
            step(state, intent)
        if state.live.account.open_orders_count != orders:
            raise RuntimeError(f"an order of the gate's house was refused: {state.live.last_refusal}")
        self.mib = rss_mib() - before

    def _hear(self, instrument: str) -> None:
        bid, bid_lots, ask, ask_lots = next(self._walk)
        self._mono += _GAP_NS
        wall = START_WALL_NS + self._mono - START_MONO_NS
        self._quotes_count += 1
        quote = Quote(instrument, self._quotes_count, bid, bid_lots, ask, ask_lots, wall, wall, self._mono)
        if step(self.state, quote) != (quote,):
            raise RuntimeError("a quote of the gate's house was refused")

    def _intent(self, instrument: str, *, strategy: str, below: int = 0) -> OrderIntent:
        market = self.state.live.markets[instrument]
        buys = below or self._rng.random() < 0.5
        number = next(self._seq)
        price = market.ask_ticks if buys else market.bid_ticks
        return OrderIntent(
            wall_ns=START_WALL_NS + self._mono - START_MONO_NS,
            mono_ns=self._mono,
            strategy=strategy,
            intent_seq=number,
            instrument=instrument,
            side=Side.BUY if buys else Side.SELL,
            qty_lots=20 + number % 900,
            price_ticks=price - below,
            tif=TimeInForce.POST_ONLY if below else TimeInForce.IOC,
            decision_ticks=price - below,
        )

    def judges(self, orders: int, *, cold: bool = False) -> list[int]:
        """Nanoseconds of each: counted in the rate window, its desk found, judged. All of them pass.

        The orders come from ``BUSY`` desks in turn, one of each of so many instruments, whatever the house's size.
        ``cold``: from desks drawn by lot out of all, so that as a rule nothing of one is in a cache.
        """
        state = self.state
        asked, desks = state.live.account.asked, state.desks
        clock = time.perf_counter_ns
        took: list[int] = []
        screened = 0
        with rare_rounds():
            for number in range(orders):
                place = number % min(BUSY, len(self._specs))
                name = self._names[place % min(STRATEGIES, len(self._names))]
                if cold:
                    place = self._rng.randrange(len(self._specs))
                    name = self._rng.choice(self._names)
                self._hear(self._specs[place].instrument)
                intent = self._intent(self._specs[place].instrument, strategy=name)
                began = clock()
                asked.ask(intent)
                verdict = judge(intent, desks[intent.strategy][intent.instrument])
                took.append(clock() - began)
                screened += state.exposures[intent.instrument].would_be_e8 >= 0
                if type(verdict) is not Approved:
                    raise RuntimeError(f"an order of the gate's test was refused: {verdict}")
        if screened < orders * 99 // 100:
            raise RuntimeError(f"only {screened} of {orders} passed by the screen")
        return took


def rss_mib() -> float:
    """What this process holds in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def full_gate_ns(_: Path, *, orders: int, rounds: int = 5, times: int = 10) -> dict[str, Any]:
    """p50 and p99 of the gate with everything on; and p50 where one thing grows ``times``, in interleaved rounds."""
    sizes = {"specs": INSTRUMENTS, "strategies": STRATEGIES, "orders": OPEN_ORDERS}
    houses = {"base": House(**sizes)}
    for name, size in sizes.items():
        houses[name] = House(**{**sizes, name: size * times})
    p50: dict[str, list[float]] = {name: [] for name in houses}
    p99: dict[str, list[float]] = {name: [] for name in houses}
    cold: dict[str, list[float]] = {name: [] for name in houses}
    for _round in range(rounds):
        for name, house in houses.items():
            took = house.judges(orders)
            p50[name].append(percentile(took, 0.5))
            p99[name].append(percentile(took, 0.99))
            cold[name].append(percentile(house.judges(orders, cold=True), 0.5))
    ratios = {
        name: round(median([mine / base for mine, base in zip(p50[name], p50["base"], strict=True)]), 2)
        for name in sizes
    }
    return {
        "full_gate_p50_ns": round(median(p50["base"])),
        "full_gate_p99_ns": round(median(p99["base"])),
        "full_gate_ten_times_ratio": ratios,
        "p50_ns": {name: round(median(values)) for name, values in p50.items()},
        "p99_ns": {name: round(median(values)) for name, values in p99.items()},
        "full_gate_cold_p50_ns": {name: round(median(values)) for name, values in cold.items()},
        "mib": {name: round(house.mib) for name, house in houses.items()},
        "sizes": sizes,
        "times": times,
        "orders_per_round": orders,
        "rounds": rounds,
    }
