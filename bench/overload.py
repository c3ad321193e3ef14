"""``make bench-overload``: more quotes than one can look at, every check on, and what becomes of those that matter.

For each pace: how old a quote is when the strategy gets it (by the venue's stamp, whole milliseconds: a figure is up to
one too high), how long an instrument went without one, what was left out, whether every print came, how the memory
grew, and how late an order was still permitted after another process had tripped the latch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.house import instruments, settings
from bench.living import bot, child, said, sim_port
from bench.machine import load, machine, ran_and_waited_ns
from bench.orders import resume
from bench.overload_sender import INSTRUMENTS
from holdfast.ports.venue import EventSink, MaySend, VenuePort
from holdfast.runtime.garbage import rare_rounds
from holdfast.strategy import Context, Strategy
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig
from holdfast.vocab.events import Intent
from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Outcome, Withheld
from holdfast.vocab.requests import Request

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "bench" / "overload.json"
PACES: Final = (200_000, 400_000)
SECONDS: Final = 60.0
WARM_S: Final = 1.0
OLD_MS: Final = 100
ORDER_EVERY: Final = 200
_MS_MAX: Final = 5_000


class Aging(Strategy):
    """Takes the age of each quote that reaches it, and orders a little now and then."""

    def __init__(self) -> None:
        self.count = 0
        self.prints = 0
        self.on = False
        self.ordering = False
        self.ages_ms = [0] * (_MS_MAX + 1)
        self.last_ns: dict[str, int] = {}
        self.pause_ns_max = 0
        self.degraded_count = 0

    def on_quote(self, ctx: Context, quote: Quote) -> Intent | None:
        self.count += 1
        now = time.time_ns()
        if self.on:
            self.ages_ms[min(_MS_MAX, (now - quote.venue_ns) // 1_000_000)] += 1
            pause = now - self.last_ns.get(quote.instrument, now)
            if pause > self.pause_ns_max:
                self.pause_ns_max = pause
            if ctx.degraded:
                self.degraded_count += 1
        self.last_ns[quote.instrument] = now
        if not self.ordering or self.count % ORDER_EVERY:
            return None
        return ctx.buy(quote.instrument, qty_lots=5, price_ticks=quote.bid_ticks - 3_000)

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        self.prints += 1

    def age_ms(self, share: float) -> int:
        """The age that this share of the quotes does not exceed."""
        left = share * sum(self.ages_ms)
        for age, count in enumerate(self.ages_ms):
            left -= count
            if left <= 0:
                return age
        return _MS_MAX


class Asked(VenuePort):
    """A venue, and when it was last permitted to write an order (CLOCK_BOOTTIME)."""

    def __init__(self, port: VenuePort) -> None:
        self._port = port
        self.permitted_ns = 0
        self.permitted_count = 0

    async def open(self, sink: EventSink) -> None:
        await self._port.open(sink)

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        def asked() -> Withheld | None:
            why = may_send()
            if why is None and lane is Lane.RISK:
                self.permitted_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                self.permitted_count += 1
            return why

        return await self._port.call(request, lane, asked)

    async def close(self) -> None:
        await self._port.close()


def rss_mib() -> float:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


@contextmanager
def core_of_its_own() -> Iterator[int]:
    """This process on all cores but one, for as long; that one, for the sender. -1: there is no second core.

    A sender that is not late needs a core at the very moment a reader that keeps up needs one too.
    """
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        yield -1
        return
    sender_core = max(cores)
    os.sched_setaffinity(0, cores - {sender_core})
    try:
        yield sender_core
    finally:
        os.sched_setaffinity(0, cores)


async def pace(directory: Path, *, rate: int, seconds: float, halts: int = 5) -> dict[str, Any]:
    """One pace for so long; then some halts under it."""
    specs = instruments(INSTRUMENTS + 2)[2:]
    aging = Aging()
    venue = Asked(sim_port(specs))
    dice = random.Random(3)
    late_us: list[float] = []
    whole_s = WARM_S + seconds + (1 + 0.8 * halts if halts else 0)
    with (
        core_of_its_own() as sender_core,
        child("-m", "bench.overload_sender", "0", str(rate), str(whole_s), str(sender_core)) as sender,
    ):
        feed = BinanceFeed(
            FeedConfig(
                ws_url=f"ws://127.0.0.1:{int(said(sender))}", legacy_streams=True, marks=False, silence_s=0
            ),
            specs,
        )
        async with bot(
            directory, chosen=settings(specs), strategy=aging, venue=venue, feeds=(feed,)
        ) as running:
            with rare_rounds(), child("-m", "bench.halter", running.latch.path) as halter:
                if said(halter) != "ready":
                    raise RuntimeError("the halter does not see the latch")
                await running.armed(specs[0].instrument)
                await asyncio.sleep(WARM_S)
                aging.on = True
                rss = [rss_mib()]
                began, before = time.monotonic(), aging.count
                ran_ns, waited_ns = ran_and_waited_ns()
                for _ in range(4):
                    await asyncio.sleep(seconds / 4)
                    rss.append(rss_mib())
                took = time.monotonic() - began
                ran_ns, waited_ns = (
                    now - then for now, then in zip(ran_and_waited_ns(), (ran_ns, waited_ns), strict=True)
                )
                aging.on = False
                reached = aging.count - before
                aging.ordering = True
                for _ in range(halts):
                    delay_s = dice.uniform(0.2, 0.3)
                    halter.stdin.write(f"{delay_s}\n".encode())  # type: ignore[union-attr]
                    halter.stdin.flush()  # type: ignore[union-attr]
                    await asyncio.sleep(delay_s + 0.1)
                    _, stored_ns = map(int, said(halter).split())
                    late_us.append(max(0, venue.permitted_ns - stored_ns) / 1_000)
                    await resume(running)
                aging.ordering = False
                told = json.loads(await asyncio.to_thread(said, sender))
                await asyncio.sleep(0.5)
                feeding = running.live.feeding
                if feeding is None or (halts and not venue.permitted_count):
                    raise RuntimeError(
                        f"nothing was ordered under the overload: {running.state.books.holds} {running.state.live.last_refusal} {aging.count}"
                    )
                conflated = feeding.pressure.conflated_count
                received = running.live.frames_count[feed.name]
                refused = {
                    reason: count
                    for market in running.state.live.markets.values()
                    for reason, count in market.refused.items()
                }
                accounted = running.live.market_log.frame_count + conflated
    return {
        "asked_frames_per_s": rate,
        **told,
        "seconds": round(took, 1),
        "received": received,
        "accounted": accounted,
        "conflated": conflated,
        "refused": refused,
        "quotes_at_the_strategy_per_s": round(reached / took),
        "prints_at_the_strategy": aging.prints,
        "age_ms_p50": aging.age_ms(0.5),
        "age_ms_p99": aging.age_ms(0.99),
        "age_ms_max": aging.age_ms(1.0),
        "older_than_100_ms": sum(aging.ages_ms[OLD_MS + 1 :]),
        "longest_pause_of_an_instrument_ms": round(aging.pause_ns_max / 1e6, 1),
        "degraded_share": round(aging.degraded_count / max(1, sum(aging.ages_ms)), 3),
        "rss_mib": [round(one, 1) for one in rss],
        "cpu_share": round(ran_ns / 1e9 / took, 2),
        "without_a_core_share": round(waited_ns / 1e9 / took, 2),
        "halts": len(late_us),
        "halt_late_us_max": max(late_us, default=0.0),
    }


def measure(directory: Path, *, paces: tuple[int, ...] = PACES, seconds: float = SECONDS) -> dict[str, Any]:
    """Every pace in turn."""
    return {
        f"{rate}": asyncio.run(pace(directory / f"pace-{rate}", rate=rate, seconds=seconds)) for rate in paces
    }


def main() -> int:
    """Measure, print, and keep the figures of the long form in ``bench/overload.json``."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="per pace; other than 60 writes no results"
    )
    options = parser.parse_args()
    home = ROOT / "bench" / "scratch"
    home.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="overload-", dir=home))
    found: dict[str, Any] = {"machine": machine(), "load_average_before": load()}
    try:
        found["paces"] = measure(scratch, seconds=options.seconds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(found, indent=2))
    if options.seconds == SECONDS:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
