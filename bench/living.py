"""The live loop as ``holdfast run`` wires it, for benchmarks that need sockets, a latch and the disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from bench.house import ACCOUNT, ACCOUNT_TAG, BALANCE_E8, STRATEGY, instruments, settings
from bench.inprocess import FED_INSTRUMENTS
from bench.machine import median
from bench.strategies import Counting
from holdfast.app.parts import epoch_floor, open_state
from holdfast.core.state import State
from holdfast.guard.latch import Latch, boot_id
from holdfast.guard.lease import Lease
from holdfast.guard.watch import GuardWatch
from holdfast.journal.market_log import open_market_log
from holdfast.ports.feed import FeedPort
from holdfast.ports.venue import VenuePort
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.feeding import NO_PLAN, FeedPlan
from holdfast.runtime.garbage import rare_rounds
from holdfast.runtime.live import START, Identity, Live
from holdfast.sim.exchange import Exchange
from holdfast.sim.port import SimVenuePort
from holdfast.strategy import Hosted, StrategyHost
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig
from holdfast.vocab.effects import Record
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import Settings

ARM_S: Final = 30.0
ALL: Final = FeedPlan(high_water_frames=1 << 62)  # what is measured is what reaches the strategy: all of it
ROOT: Final = Path(__file__).resolve().parents[1]


@contextmanager
def child(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of ours that ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def said(process: subprocess.Popen[bytes]) -> str:
    """The next line that a child prints. RuntimeError when it ended instead."""
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line:
        raise RuntimeError("a process of the benchmark ended before it answered")
    return line.decode().strip()


class Bot:
    """A live bot: real latch, lease and watcher on tmpfs, real journal and market log on the disk."""

    def __init__(self, live: Live, latch: Latch, state: State) -> None:
        self.live = live
        self.latch = latch
        self.state = state

    async def armed(self, instrument: str) -> None:
        """Wait until it may trade. RuntimeError with its holds when it may not."""
        until = time.monotonic() + ARM_S
        while time.monotonic() < until:
            desk = self.state.desks.get(STRATEGY, {}).get(instrument)
            if desk is not None and desk.level is HoldLevel.NONE:
                return
            await asyncio.sleep(0.01)
        raise RuntimeError(f"the benchmark's bot does not arm: {self.state.books.holds}")


@asynccontextmanager
async def bot(
    directory: Path,
    *,
    chosen: Settings,
    strategy: object,
    venue: VenuePort,
    feeds: Sequence[FeedPort],
    feed_plan: FeedPlan = NO_PLAN,
    tap: Callable[[int, Record], None] | None = None,
) -> AsyncIterator[Bot]:
    """A running bot; ended, with everything closed, on the way out. Raises what ended it by itself."""
    clock = SystemClock()
    shared = Path("/dev/shm")
    guards = tempfile.mkdtemp(prefix="holdfast-bench-", dir=shared if shared.is_dir() else None)
    latch = Latch(guards, "bench")
    disk = open_state(directory, account=ACCOUNT)
    log = open_market_log(str(disk.market_dir), codecs=tuple(feed.codec for feed in feeds))
    state = State(disk.kept.books)
    specs = chosen.instruments
    hosted = Hosted(name=STRATEGY, strategy=strategy, instruments=tuple(spec.instrument for spec in specs))
    lease = Lease(guards, "bench", by="bench", now_wall_ns=clock.wall_ns(), now_mono_ns=clock.mono_ns())
    live = Live(
        settings=chosen,
        state=state,
        journal=disk.opened.journal,
        market_log=log,
        host=StrategyHost([hosted], specs=specs, books=CoreBooks(state), clock_ns=clock.mono_ns),
        histories={},
        saved={},
        venue=venue,
        feeds=feeds,
        feed_plan=feed_plan,
        latch=latch,
        lease=lease,
        clock=clock,
        identity=Identity(build="bench", boot_id=boot_id(), epoch_floor=epoch_floor(clock.wall_ns())),
        who_tripped=lambda nonce: _who(latch, nonce),
        on_alert=lambda _: None,
        on_maintenance=lambda: None,
        tap=tap,
    )
    loop = asyncio.get_running_loop()
    watch = GuardWatch(latch=latch, lease=lease, on_change=lambda: _wake(loop, live))
    watch.start()
    lease.renew(clock.mono_ns())
    task = loop.create_task(live.run())
    try:
        yield Bot(live, latch, state)
    finally:
        ended = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            result = await task
            if ended and result.error is not None:
                raise result.error
        watch.stop()
        disk.opened.journal.close()
        log.close()
        lease.release()
        latch.close()
        for name in os.listdir(guards):
            os.unlink(f"{guards}/{name}")
        os.rmdir(guards)


def _wake(loop: asyncio.AbstractEventLoop, live: Live) -> None:
    loop.call_soon_threadsafe(live.look_at_latch)


def _who(latch: Latch, nonce: int) -> tuple[str, str]:
    note = latch.note(nonce)
    if note is None:
        return "unknown", "tripped without a word"
    return (START if note.by == "holdfast" else note.by), note.reason


def sim_port(specs: Sequence[InstrumentSpec]) -> SimVenuePort:
    """A venue in process that answers at once."""
    exchange = Exchange(specs)
    account = exchange.open_account(
        ACCOUNT, api_key="bench", secret="", uid="1", balances={"USDT": BALANCE_E8}
    )
    clock = SystemClock()
    exchange.advance(clock.wall_ns())
    return SimVenuePort(exchange, account, account_tag=ACCOUNT_TAG, clock=clock)


class Reading:
    """Loopback WebSocket to the strategy: the sender is another process, everything else is this one."""

    def __init__(self, directory: Path, *, count: int, combined: bool = False, number: int = 2) -> None:
        self._directory = directory
        self._count = count
        self._specs = instruments(number)
        self._words = ("-m", "bench.sender", str(count), "combined" if combined else "bare", str(number))
        self._rounds = 0

    def rounds(self, number: int) -> list[float]:
        """Messages per second that reached the strategy, in so many rounds."""
        with child(*self._words) as sender:
            port = int(said(sender))
            return [asyncio.run(self.round(port)) for _ in range(number)]

    async def round(self, port: int) -> float:
        """One connection: from the first message at the strategy to the last."""
        specs = self._specs
        counting = Stamping(self._count)
        feed = BinanceFeed(
            FeedConfig(
                ws_url=f"ws://127.0.0.1:{port}",
                legacy_streams=True,
                trades=False,
                marks=False,
                silence_s=0,
            ),
            specs,
        )
        self._rounds += 1
        directory = self._directory / f"round-{self._rounds}"
        async with bot(
            directory,
            chosen=settings(specs),
            strategy=counting,
            venue=sim_port(specs),
            feeds=(feed,),
            feed_plan=ALL,
        ) as running:
            with rare_rounds():
                await asyncio.wait_for(counting.done, timeout=120)
            if running.live.market_log.frame_count < self._count:
                raise RuntimeError("frames are missing from the market log")
        return (self._count - 1) / ((counting.last_ns - counting.first_ns) / 1e9)


class Stamping(Counting):
    """Counts, and says when the first and the last came."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self._expected = expected
        self.first_ns = 0
        self.last_ns = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_quote(self, ctx: Any, quote: Any) -> None:
        self.count += 1
        if self.count == 1:
            self.first_ns = time.perf_counter_ns()
        elif self.count == self._expected:
            self.last_ns = time.perf_counter_ns()
            self.done.set_result(None)


def ws_msgs_per_s(directory: Path, *, count: int, rounds: int) -> dict[str, Any]:
    """Messages per second of 100 instruments over a loopback WebSocket, through feed, market log, decoder, engine and core."""
    rates = Reading(directory, count=count, number=FED_INSTRUMENTS).rounds(rounds)
    return {
        "ws_msgs_per_s": round(median(rates)),
        "best": round(max(rates)),
        "rounds": rounds,
        "messages_per_round": count,
        "instruments": FED_INSTRUMENTS,
    }
