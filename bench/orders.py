"""Orders over real sockets to a simulated venue in another process: how late, how durable, how soon halted."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.house import ACCOUNT_TAG, settings
from bench.living import ROOT, Bot, bot, child, said
from bench.machine import percentile
from bench.strategies import Bursting
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.garbage import rare_rounds
from holdfast.venues.binance.client import BinanceConfig, BinanceVenue
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig
from holdfast.venues.transport.hardened import Credentials
from holdfast.vocab.effects import Record
from holdfast.vocab.events import Command, Verb
from holdfast.vocab.facts import OrderApproved
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.orders import Lane

INSTRUMENTS: Final = ("BTCUSDT", "ETHUSDT")
LAST_WRITE_S: Final = 0.25  # how long after a halt writes are still looked for
STORE_NS_MAX: Final = 200_000
_SIM: Final = """
[limits]
weight_per_minute = 6000000
orders_per_10s = 1000000
orders_per_minute = 6000000
[source]
kind = "generated"
seed = 3
[[accounts]]
balances = { USDT = "10000000" }
"""


@contextmanager
def simulated(directory: Path) -> Iterator[dict[str, str]]:
    """``holdfast sim`` on a seeded market, in its own process; where it listens."""
    config = directory / "sim.toml"
    config.write_text(_SIM, encoding="utf-8")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "holdfast", "sim", "--port", "0", "--control-port", "0", "--json"),
            *("--config", str(config)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    try:
        yield json.loads(said(process))
    finally:
        process.terminate()
        process.wait(timeout=10)


class Trading:
    """A live bot that orders at every so manieth quote of the simulated venue, and notes when each was written."""

    def __init__(self, running: Bot, venue: BinanceVenue, approved: dict[int, int]) -> None:
        self.bot = running
        self.venue = venue
        self.approved = approved  # order id -> when the quote that brought it was received

    def written(self) -> dict[int, int]:
        """When each risk order was handed to the socket."""
        return {stamp.order_id: stamp.written_ns for stamp in self.venue.writes if stamp.lane is Lane.RISK}


@asynccontextmanager
async def trading(directory: Path, strategy: Bursting) -> AsyncIterator[Trading]:
    """The bot against the venue, armed."""
    with simulated(directory) as where:
        clock = SystemClock()
        venue = BinanceVenue(
            BinanceConfig(
                instruments=INSTRUMENTS,
                account_tag=ACCOUNT_TAG,
                credentials=Credentials(api_key="sim-key", secret="sim-secret"),
                order_window_ms=1_000,
                rest_url=where["url"],
                ws_url=where["ws_url"],
            ),
            clock=clock,
        )
        specs = await venue.load()
        feed = BinanceFeed(FeedConfig(ws_url=where["ws_url"], trades=False), specs, clock=clock)
        approved: dict[int, int] = {}

        def tap(_: int, record: Record) -> None:
            if type(record) is OrderApproved:
                approved[record.order_id] = record.approved_mono_ns

        chosen = settings(specs, orders_per_s=5_000)
        # here frames are stamped as they leave: the product's own age limit applies
        chosen = msgspec.structs.replace(
            chosen, timings=msgspec.structs.replace(chosen.timings, quote_age_ms_max=1_000)
        )
        async with bot(
            directory / "state", chosen=chosen, strategy=strategy, venue=venue, feeds=(feed,), tap=tap
        ) as running:
            await running.armed(INSTRUMENTS[0])
            yield Trading(running, venue, approved)


def tick_to_order(directory: Path, *, orders: int, timeout_s: float = 60.0) -> dict[str, Any]:
    """Microseconds from a quote's receipt to its order's bytes at the socket, intent and approval on the disk."""
    return asyncio.run(_tick_to_order(directory, orders, timeout_s))


async def _tick_to_order(directory: Path, orders: int, timeout_s: float) -> dict[str, Any]:
    strategy = Bursting(every=2)
    async with trading(directory, strategy) as desk:
        with rare_rounds():
            strategy.on = True
            began = time.monotonic()
            while len(desk.venue.writes) < orders and time.monotonic() < began + timeout_s:  # type: ignore[arg-type]
                await asyncio.sleep(0.05)
            took_s = time.monotonic() - began
            strategy.on = False
            await asyncio.sleep(0.2)
        written = desk.written()
        waited_us = [(at - desk.approved[order_id]) / 1_000 for order_id, at in written.items()]
    if len(waited_us) < min(orders, 10):
        raise RuntimeError(f"only {len(waited_us)} orders were written")
    return {
        "tick_to_order_p50_us": round(percentile(waited_us, 0.5)),
        "tick_to_order_p99_us": round(percentile(waited_us, 0.99)),
        "orders": len(waited_us),
        "orders_per_s": round(len(waited_us) / took_s),
    }


def halts(directory: Path, *, count: int) -> dict[str, Any]:
    """Microseconds from another process's store into the latch to the last order written, at full rate."""
    return asyncio.run(_halts(directory, count))


async def _halts(directory: Path, count: int) -> dict[str, Any]:
    strategy = Bursting(every=1, size=3)
    dice = random.Random(7)
    late_us: list[float] = []
    after: list[int] = []
    in_flight: list[int] = []
    rates: list[float] = []
    passed = 0
    doubtful = 0
    async with trading(directory, strategy) as desk:
        with child("-m", "bench.halter", desk.bot.latch.path) as halter, rare_rounds():
            if said(halter) != "ready":
                raise RuntimeError("the halter does not see the latch")
            while len(late_us) < count and doubtful < count:
                strategy.on = True
                before = len(desk.approved)
                began = time.monotonic()
                delay_s = dice.uniform(0.1, 0.2)
                halter.stdin.write(f"{delay_s}\n".encode())  # type: ignore[union-attr]
                halter.stdin.flush()  # type: ignore[union-attr]
                await asyncio.sleep(delay_s + LAST_WRITE_S)
                began_ns, stored_ns = map(int, said(halter).split())
                rates.append((len(desk.approved) - before) / (time.monotonic() - began - LAST_WRITE_S))
                strategy.on = False
                if stored_ns - began_ns > STORE_NS_MAX:
                    # the halter itself was taken off its core in the middle: nobody knows when it stored
                    doubtful += 1
                    await resume(desk.bot)
                    continue
                written = desk.written()
                late = [at for at in written.values() if at > stored_ns]
                after.append(len(late))
                passed += sum(
                    stamp.asked_ns > stored_ns for stamp in desk.venue.writes if stamp.lane is Lane.RISK
                )
                late_us.append((max(late) - stored_ns) / 1_000 if late else 0.0)
                in_flight.append(
                    sum(
                        approved <= stored_ns < written.get(order_id, 1 << 62)
                        for order_id, approved in desk.approved.items()
                        if approved > stored_ns - 1_000_000_000
                    )
                )
                await resume(desk.bot)
    return {
        "halt_p99_us": round(percentile(late_us, 0.99), 1),
        "halt_max_us": round(max(late_us), 1),
        "halts": len(late_us),
        "orders_written_after_a_halt_max": max(after),
        "orders_permitted_after_a_halt": passed,
        "halts_not_counted": doubtful,
        "halts_with_orders_in_flight": sum(one > 0 for one in in_flight),
        "orders_in_flight_median": percentile(in_flight, 0.5),
        "orders_per_s_median": round(percentile(rates, 0.5)),
    }


async def resume(running: Bot) -> None:
    """A person lifts every hold that the halt placed. RuntimeError where one stays."""
    for _ in range(40):
        holds = [
            hold.hold_id
            for hold in running.state.books.holds.holds.values()
            if hold.level >= HoldLevel.HALTED
        ]
        if not holds and not running.latch.tripped():
            return
        for hold_id in holds:
            await running.live.command(_releasing(hold_id))
        await asyncio.sleep(0.05)
    raise RuntimeError(f"a hold stays: {running.state.books.holds}")


def _releasing(hold_id: int) -> Any:
    def make(command_id: int, nonce: int, wall_ns: int, mono_ns: int) -> Command:
        return Command(
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            command_id=command_id,
            verb=Verb.RESUME,
            by="bench",
            reason="the next halt",
            hold_id=hold_id,
            latch_nonce=nonce,
        )

    return make
