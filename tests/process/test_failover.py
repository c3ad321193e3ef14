"""Two feeds of one market, each a process of its own, and one of them is killed: nothing twice, nothing missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from msgspec.structs import replace

from bench.house import instruments, settings
from bench.living import bot, sim_port
from holdfast.app.parts import decoder_for
from holdfast.core.replay import replay
from holdfast.journal.chain import iterate
from holdfast.journal.market_read import frames
from holdfast.runtime.feeding import FeedPlan, FeedRank
from holdfast.runtime.merging import MergeTimes
from holdfast.strategy import Strategy
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig
from holdfast.venues.transport.sockets import Backoff
from holdfast.vocab.events import StreamKind
from tests.process.processes import ROOT, end, run_cli, until

pytestmark = pytest.mark.process

MS = 1_000_000
TIMES = MergeTimes(dead_ns=1_000 * MS, too_old_ns=300 * MS, back_ns=500 * MS)
FEEDS = """[feeds]
dead_after = "5s"
too_old_after = "500ms"
back_after = "30s"

[feeds.backup.second]
source = "binance"

"""
STREAMS = frozenset({StreamKind.QUOTE, StreamKind.TRADE})
SPECS = instruments(2)
BTC, ETH = (spec.instrument for spec in SPECS)


class Twin:
    """One of the two servers."""

    def __init__(self, epoch_ms, late_ms):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self._words = (str(self.port), str(epoch_ms), str(late_ms))
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.twin", *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout.readline() == b"serving\n"

    def kill(self):
        self.process.kill()
        self.close()

    def tell(self, *words):
        self.process.stdin.write(" ".join(words).encode() + b"\n")
        self.process.stdin.flush()

    def close(self):
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


class Keeping(Strategy):
    """Keeps the numbers it is given, and when the last came."""

    def __init__(self):
        self.numbers = {(kind, name): [] for kind in "qt" for name in (BTC, ETH)}
        self.last_ns = 0
        self.pause_ns = 0

    def on_quote(self, ctx, quote):
        self.numbers["q", quote.instrument].append(quote.seq)
        if quote.instrument == BTC:
            now = time.monotonic_ns()
            self.pause_ns = max(self.pause_ns, now - self.last_ns if self.last_ns else 0)
            self.last_ns = now

    def on_trade(self, ctx, trade):
        self.numbers["t", trade.instrument].append(trade.seq)


def feed(twin, name):
    return BinanceFeed(
        FeedConfig(
            ws_url=f"ws://127.0.0.1:{twin.port}",
            legacy_streams=True,
            marks=False,
            name=name,
            backoff=Backoff(first_ms=50, max_ms=200),
        ),
        SPECS,
    )


@asynccontextmanager
async def trading(path, *twins, reference=False):
    """A live bot on these feeds, and what its strategy was given. ``reference``: the second counts by itself."""
    keeping = Keeping()
    chosen = settings(SPECS)
    chosen = replace(chosen, timings=replace(chosen.timings, quote_age_ms_max=1_500, feed_dead_ms=1_500))
    feeds = [feed(twin, name) for twin, name in zip(twins, ("first", "second"), strict=True)]
    ranks = (
        FeedRank(numbering="venue"),
        FeedRank(numbering="other" if reference else "venue", reference=reference),
    )
    plan = FeedPlan(streams=STREAMS, ranks=ranks, times=TIMES)
    async with bot(
        path, chosen=chosen, strategy=keeping, venue=sim_port(SPECS), feeds=feeds, feed_plan=plan
    ) as running:
        await running.armed(BTC)
        yield running, keeping


async def becomes(holds, what, within_s=6.0):
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, what
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def causes(running):
    return {hold.cause.value for hold in running.state.books.holds.holds.values()}


def whole(keeping):
    """Nothing twice, nothing missing, in every stream."""
    for key, numbers in keeping.numbers.items():
        assert len(numbers) > 50, key
        assert [(a, b) for a, b in pairwise(numbers) if b != a + 1] == [], key


def replays(path):
    """The journal and the market log alone lead to the same decisions."""
    decode = decoder_for("binance-usdm", SPECS)
    read = ((pos, decode(raw, wall, mono)) for pos, _, raw, wall, mono in frames(str(path / "market")))
    return replay(iterate(str(path / "journal")), read)


@pytest.fixture
def twins():
    epoch_ms = time.time_ns() // MS - 100_000
    pair = [Twin(epoch_ms, 0), Twin(epoch_ms, 25)]
    yield pair
    for twin in pair:
        with contextlib.suppress(OSError):
            twin.close()


@pytest.mark.timeout(1_200)
def test_a_killed_feed_is_replaced_and_preferred_again_without_a_gap(tmp_path, twins, size, figure):
    rounds = size(3, 100)
    over, back = [], []

    async def run():
        async with trading(tmp_path, *twins) as (running, keeping):
            merge = running.live.feeding.merge
            for _ in range(rounds):
                await becomes(lambda: merge.feed_of(BTC) == "first", "the first feed is chosen")
                await asyncio.sleep(0.1)
                await asyncio.to_thread(twins[0].kill)
                over.append(await becomes(lambda: merge.feed_of(BTC) == "second", "the backup is chosen"))
                await asyncio.to_thread(twins[0].start)
                back.append(await becomes(lambda: merge.feed_of(BTC) == "first", "the first is preferred"))
            await asyncio.sleep(0.2)
            assert not causes(running) & {"stale_data", "feeds_lost"}
            whole(keeping)
            return keeping.pause_ns

    pause_ns = asyncio.run(run())
    assert max(over) < 5
    assert pause_ns < 5_000 * MS
    assert replays(tmp_path).facts_count > 0
    figure(
        f"{rounds} kills: to the backup within {max(over) * 1000:.0f} ms, back within {max(back) * 1000:.0f} ms; "
        f"longest pause at the strategy {pause_ns // MS} ms; nothing twice, nothing missing"
    )


def test_one_symbol_that_a_feed_forgets_comes_from_the_other_and_the_silence_is_said(tmp_path, twins):
    """Its connection stands and its neighbours speak: only a clock of its own finds it."""

    async def run():
        async with trading(tmp_path, *twins) as (running, keeping):
            merge = running.live.feeding.merge
            await becomes(lambda: len(keeping.numbers["q", BTC]) > 20, "quotes come")
            twins[0].tell("mute", "btcusdt@bookTicker")
            await becomes(lambda: merge.feed_of(BTC) == "second", "that one goes over")
            assert merge.feed_of(ETH) == "first"
            await becomes(lambda: "first BTCUSDT quote" in running.state.live.silent, "the silence is said")
            twins[0].tell("speak", "btcusdt@bookTicker")
            await becomes(lambda: merge.feed_of(BTC) == "first", "it is preferred again")
            await becomes(lambda: not running.state.live.silent, "and no longer said")
            await asyncio.sleep(0.1)
            whole(keeping)

    asyncio.run(run())
    replays(tmp_path)


def test_another_venue_prices_while_ours_is_dead_and_the_change_of_numbers_replays(tmp_path, twins):
    """Its numbers begin anew at a place that only the journal knows."""

    async def run():
        async with trading(tmp_path, *twins, reference=True) as (running, keeping):
            merge = running.live.feeding.merge
            await becomes(lambda: len(keeping.numbers["q", BTC]) > 20, "quotes come")
            await asyncio.to_thread(twins[0].kill)
            await becomes(lambda: merge.feed_of(BTC) == "second", "the reference prices")
            await becomes(lambda: "stale_data" in causes(running), "nothing new is begun on it")
            twins[0].start()
            await becomes(lambda: merge.feed_of(BTC) == "first", "ours is preferred again")
            await asyncio.sleep(0.1)
            for numbers in keeping.numbers.values():  # here the two count alike: so nothing came twice
                assert sorted(set(numbers)) == numbers

    asyncio.run(run())
    replays(tmp_path)


def test_with_both_killed_trading_halts_at_once(tmp_path, twins):
    async def run():
        async with trading(tmp_path, *twins) as (running, keeping):
            await becomes(lambda: len(keeping.numbers["q", BTC]) > 20, "quotes come")
            for twin in twins:
                await asyncio.to_thread(twin.kill)
            took = await becomes(lambda: "feeds_lost" in causes(running), "the hold")
            assert took < 0.5  # the last quote is not a second and a half old: not age, the loss itself

    asyncio.run(run())


def test_a_configured_backup_is_used_and_shown(home):
    """The whole way: file, start, both connections, status, the report from the journal."""
    sim = home.sim()
    bot = home.bot(sim, edits={"[paths]": FEEDS + "[paths]"})
    bot.start()
    until(
        lambda: (
            {"binance/public", "second/public"} <= {row["name"] for row in bot.status()["feeds"] if row["up"]}
        ),
        "both are connected",
        bot.tell,
    )
    until(lambda: bot.status()["instruments"][0]["quote_age_ms"] is not None, "quotes come", bot.tell)
    assert {"binance"} == {row["feed"] for row in bot.status()["instruments"]}
    assert 0 == bot.status()["conflated_quotes"]

    def report():
        found = run_cli(home, "feeds", "--state-dir", str(bot.state_dir), "--json", cwd=bot.home)
        assert 0 == found.returncode, found.stderr
        (provider,) = json.loads(found.stdout)["providers"]
        return provider["feed_of"], provider["conflated"]

    both = {"BTCUSDT": "primary", "ETHUSDT": "primary"}
    until(lambda: report() == (both, 0), "the journal says which feed each runs on", bot.tell)
