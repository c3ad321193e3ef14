"""A strategy that blocks the loop: a halt given meanwhile, or the lease lost meanwhile, holds for what it returns."""

import time

import pytest

from holdfast.guard.latch import trip_path
from holdfast.vocab.orders import Did
from tests.process.processes import AS_SHIPPED, until
from tests.process.reading import Halt, judge, read_story, read_writes

pytestmark = [pytest.mark.process, pytest.mark.alone]
LEASE_S = 1.0


@pytest.fixture
def blocker(home):
    """A bot whose strategy blocks for as long as a file says, armed; and how to have it block."""
    sim = home.sim()
    flag = home.path / "bot" / "flag"
    bot = home.bot(sim, strategy="Blocker", params={"flag": str(flag)}, edits=AS_SHIPPED)
    bot.start()
    bot.arm()

    def block(ms: int) -> None:
        flag.with_suffix(".returned").unlink(missing_ok=True)
        flag.with_suffix(".new").write_text(str(ms))
        flag.with_suffix(".new").rename(flag)
        until(flag.with_suffix(".blocking").exists, "the loop is stuck", bot.log, pause_s=0.005)

    def returned() -> None:
        until(flag.with_suffix(".returned").exists, "it returned", bot.log)

    return bot, block, returned


def test_fifty_intents_of_a_blocked_loop_go_nowhere_after_a_halt_or_a_lost_lease(blocker, figure):
    """G1, G2: the latch and the lease are read at the socket, so it does not matter that the loop saw neither."""
    bot, block, returned = blocker
    # unhindered, the fifty leave: or the rest would prove nothing
    block(50)
    returned()
    until(lambda: len(bot.sim.requests("place")) == 50, "fifty orders arrive", bot.tell)

    block(500)
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    trip_path(str(bot.latch), by="the test", reason="the loop is stuck")
    halt = Halt(before_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME), written=0)
    assert not bot.home.joinpath("flag.returned").exists(), "halted while it blocks, well within the lease"
    returned()
    until(lambda: bot.halted_by("halt"), "the halt is seen", bot.tell)
    time.sleep(0.5)
    assert 50 == len(bot.sim.requests("place"))
    bot.resume()

    block(int(LEASE_S * 1000) + 600)
    returned()
    until(lambda: bot.halted_by("lost_lease"), "the lost lease is seen", bot.tell)
    time.sleep(0.5)
    assert 50 == len(bot.sim.requests("place"))
    assert 0 == bot.stop(), bot.log()

    story = read_story(bot.journal_dir)
    assert 0 == judge(halt, story, {one.order_id: one for one in read_writes(bot.stamps)}).behind
    fates = [order.moves[-1].why for order in story.orders.values() if order.moves[-1].did is Did.NOT_SENT]
    counted = {why: fates.count(why) for why in {*fates}}
    figure(f"approved behind a blocked loop and withheld: {counted}")
    assert 50 <= len(fates), "the loop knew of neither when it approved them: only the last hop did"
