"""One account, one trader: a second instance cannot start, and a frozen one sends nothing that the venue takes."""

import signal
import time

import pytest

from holdfast.app.errors import Exit
from holdfast.vocab.facts import HoldPlaced
from holdfast.vocab.holds import HoldCause
from tests.process.conftest import FULL
from tests.process.processes import AS_SHIPPED, Bot, hurried, until
from tests.process.reading import read_story, read_writes
from tests.process.strategies import WRITES, counters

pytestmark = [pytest.mark.process, pytest.mark.alone]
LEASE_S = 1.0


def refused(bot: Bot) -> str:
    """What a start says that must not succeed."""
    bot.spawn()
    code = bot.wait(20)
    said = bot.log().strip()
    assert (Exit.LEASE_HELD, 1) == (code, len(said.splitlines())), said
    return said


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def freeze(bot: Bot, written: memoryview) -> int:
    """SIGSTOP after a few orders of a burst; returns when."""
    with hurried():
        deadline = time.monotonic() + 5
        quiet = -1
        while written[WRITES] != quiet and time.monotonic() < deadline:  # a burst begins after a pause
            quiet = written[WRITES]
            time.sleep(0.02)
        until(lambda: written[WRITES] > quiet + 3, "a burst begins", bot.tell, pause_s=0.0001)
        bot.process.send_signal(signal.SIGSTOP)
    return now_ns()


def test_a_second_instance_cannot_start_even_while_the_first_is_frozen_and_the_frozen_one_sends_nothing(
    home, figure
):
    """G2: two bots on one account fight each other; one that wakes must not act on what it had in hand."""
    sim = home.sim()
    flow = home.path / "bot" / "signal"
    bot = home.bot(sim, strategy="Burster", params={"signal": str(flow)}, edits=AS_SHIPPED)
    bot.start()
    bot.arm()

    # another configuration, another state directory, another name for the account; and one that pins its number
    if FULL:
        other = home.bot(sim, "other", edits={'name = "demo"': 'name = "somebody"'})
        assert f"process {bot.process.pid}" in refused(other)
    pinned = home.bot(sim, "pinned", edits={'name = "demo"': 'name = "demo"\nuid = "1000001"'})
    assert f"process {bot.process.pid}" in refused(pinned)
    assert "none" == bot.status()["level"], "the first one did not notice"

    # frozen in the middle of a burst, for longer than its lease
    written = counters(flow)
    before_ns = freeze(bot, written)
    third = home.bot(sim, "third", edits={'name = "demo"': 'name = "somebody"'})
    assert f"process {bot.process.pid}" in refused(third), (
        "a frozen holder keeps the account until it is ended"
    )
    time.sleep(max(0.0, LEASE_S + 0.5 - (now_ns() - before_ns) / 1e9))
    seq = sim.truth()["requests_total"]
    woken_ns = now_ns()
    bot.process.send_signal(signal.SIGCONT)
    until(lambda: bot.halted_by("lost_lease"), "it comes back halted", bot.tell)
    time.sleep(1.5)

    taken = [one for one in sim.requests(since_seq=seq) if one["accepted"]]
    assert [] == [one for one in taken if one["kind"] in {"place", "amend", "place_algo"}]
    late = [one for one in read_writes(bot.stamps) if one.written_ns > woken_ns]
    placed = sim.requests("place", since_seq=seq)
    story = read_story(bot.journal_dir)
    in_hand = sum(order.withheld for order in story.orders.values())
    figure(
        f"frozen {(woken_ns - before_ns) / 1e9:.1f} s; in hand and withheld {in_hand}; "
        f"written after it woke {len(late)}; "
        f"requests at the venue after it woke {[(one['kind'], one['accepted'], one['code']) for one in placed]}"
    )
    assert in_hand >= 2, "it had something in hand"
    assert len(late) <= 1, "at most one write was past the last hop"
    assert {-1021} >= {one["code"] for one in placed}, "and the venue itself refuses it: its window is over"
    assert 0 == bot.stop(), bot.log()
    holds = [one.hold for one in read_story(bot.journal_dir).of(HoldPlaced)]
    lost = [hold for hold in holds if hold.cause is HoldCause.LOST_LEASE]
    assert 1 == len({hold.hold_id for hold in lost})
    assert "past its end" in lost[0].reason
