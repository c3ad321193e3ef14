"""The halt proof: another process trips the latch in the middle of a burst, and nothing that waits leaves."""

import json
import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.process.processes import Bot, Home, until
from tests.process.reading import Halt, client_id, judge, rate_before, read_story, read_writes

pytestmark = [pytest.mark.process, pytest.mark.alone]
RATE_MIN = 80
BURST = 40


def counts(halt: Halt, bot: Bot) -> bool:
    """Struck at full rate, while orders of the burst still waited for the socket: others prove less, and do not count."""
    writes = read_writes(bot.stamps)
    return halt.written <= BURST - 5 and rate_before(halt, writes) >= RATE_MIN


def a_burster(home: Home, **options):
    sim = home.sim()
    params = {"signal": str(home.path / "bot" / "signal"), "burst": BURST, **options}
    bot = home.bot(sim, strategy="Burster", params=params)
    bot.start()
    bot.arm()
    return sim, bot


def a_striker(home: Home, bot):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.process.striker", str(bot.latch), str(bot.signal)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=home.environment(),
    )
    home.running.append(process)

    def strike(after_writes: int) -> Halt:
        process.stdin.write(f"{after_writes}\n")
        process.stdin.flush()
        said = json.loads(process.stdout.readline())
        return Halt(said["before"][1], said["after"][1], said["written"])

    return strike


@pytest.mark.timeout(600)
def test_nothing_that_waits_for_the_socket_leaves_after_a_halt(home, size, figure):
    """G1: with orders flowing at full rate and several between approval and socket, at most one write, already in
    the kernel, may pass the halt point; and the venue saw exactly what we say we wrote.
    """
    sim, bot = a_burster(home)
    strike = a_striker(home, bot)
    rng = random.Random(5)
    halts: list[Halt] = []
    counted: list[bool] = []
    wanted = size(5, 50)
    while sum(counted) < wanted:
        assert len(halts) < 2 * wanted, "the strikes miss the bursts: this machine is too busy for this test"
        time.sleep(1.05)
        halt = strike(rng.randint(1, 6))
        until(lambda: bot.holds("halt") != [], "the halt is seen", bot.tell)
        time.sleep(0.3)  # whatever were to leave late would leave now
        resumed_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        halts.append(replace(halt, resumed_ns=resumed_ns))
        counted.append(counts(halt, bot))
        bot.resume(at_the_terminal=True)
    assert 0 == bot.stop(), bot.log()

    story, writes = read_story(bot.journal_dir), {one.order_id: one for one in read_writes(bot.stamps)}
    judged = [judge(halt, story, writes) for halt in halts]
    figure(
        f"{len(halts)} halts; orders/s before each {min(one.rate for one in judged)}…"
        f"{max(one.rate for one in judged)}; waiting {[one.waiting for one in judged]}; "
        f"passing {[one.passing for one in judged]}; behind {sum(one.behind for one in judged)}"
    )
    assert [0] * len(halts) == [one.behind for one in judged]
    assert max(one.passing for one in judged) <= 1
    met = [one for one, counts_too in zip(judged, counted, strict=True) if counts_too]
    assert min(one.waiting for one in met) >= 2, "each counted halt met several orders on their way"
    assert min(one.rate for one in met) >= RATE_MIN
    asked = [one["client_id"] for one in sim.requests("place")]
    assert len(asked) == len({*asked}), "no order reached the venue twice"
    assert {client_id(bot.tag, order_id) for order_id in writes} == {*asked}
    code, said = bot.cli("journal", "replay")
    assert 0 == code, said
