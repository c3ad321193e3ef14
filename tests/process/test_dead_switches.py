"""What acts with no watchdog at all: the thread within the process, and the venue's own switch."""

import itertools
import signal
import time

import pytest

from holdfast.guard.latch import peek
from tests.process.conftest import FULL
from tests.process.processes import AS_SHIPPED, until
from tests.process.strategies import WRITES, counters
from tests.process.test_watchdog import ACT_S_MAX, LEASE_S, flowing, hang, now_ns, open_count, taken_after

pytestmark = [pytest.mark.process, pytest.mark.alone]


@pytest.mark.parametrize("policy", ["flatten", "cancel"] if FULL else ["flatten"])
def test_a_strategy_that_never_returns_is_cancelled_from_within_its_own_process(home, figure, policy):
    """D4: `while True: pass` on the trading thread; a client of the thread's own needs no loop."""
    sim = home.sim()
    params = {
        "signal": str(home.path / "bot" / "signal"),
        "flag": str(home.path / "bot" / "flag"),
        "trade": True,
    }
    bot = home.bot(
        sim,
        strategy="Hanger",
        params=params,
        edits=AS_SHIPPED | {'policy = "cancel"': f'policy = "{policy}"'},
    )
    bot.start()
    bot.arm()
    until(lambda: sim.position_lots() != 0, "a position", bot.tell)
    flowing(bot)
    hung_ns = now_ns()
    hang(bot)
    held = sim.position_lots()
    cancelled_s = until(lambda: open_count(sim) == 0, "everything is cancelled", bot.log, pause_s=0.02)
    assert peek(str(bot.latch))[0], "the latch is tripped first"
    wanted = "flat: " if policy == "flatten" else "cancelled: "
    until(lambda: any(text.startswith(wanted) for text in bot.alerts("dead_switch")), "it is said", bot.log)
    ours = [one for one in taken_after(sim, hung_ns) if not one["client_id"].startswith("hfwd-")]
    last_s = max([(one["boot_ns"] - hung_ns) / 1e9 for one in ours], default=0.0)
    figure(
        f"{policy}: last order taken {last_s:.2f} s, cancelled {cancelled_s:.2f} s after it hung; "
        f"position {held} then, {sim.position_lots()} now"
    )
    assert last_s <= LEASE_S
    assert cancelled_s <= ACT_S_MAX
    assert (0 if policy == "flatten" else held) == sim.position_lots()
    bot.kill()


def test_the_venues_own_switch_is_armed_before_the_first_order_and_cancels_when_all_of_us_is_gone(
    home, figure
):
    """C18, D11: what nothing of ours can do any more, the venue does; unless nobody armed it."""
    deadman_s = 3.0
    sim = home.sim()
    bot = home.bot(
        sim,
        strategy="Burster",
        params={"signal": str(home.path / "bot" / "signal"), "every_ms": 500},
        edits=AS_SHIPPED | {'deadman = "60s"': f'deadman = "{deadman_s:g}s"'},
    )
    bot.start()
    bot.arm()
    written = counters(bot.signal)
    until(lambda: written[WRITES] > 100, "orders flow", bot.tell)
    until(lambda: len(armings(sim)) > 4, "it is armed again and again", bot.tell)
    armed = armings(sim)
    first = min(one["boot_ns"] for one in sim.requests("place"))
    gaps_s = [(after["boot_ns"] - before["boot_ns"]) / 1e9 for before, after in itertools.pairwise(armed)]
    assert armed[0]["boot_ns"] < first, "armed before the first order of the symbol"
    assert armed[0]["accepted"]
    assert len(gaps_s) >= 4
    assert sum(gaps_s) / len(gaps_s) < deadman_s / 4 + 0.25, "asked again at a quarter of its time"

    until(lambda: open_count(sim) > 10, "orders rest", bot.tell, pause_s=0.005)
    bot.process.send_signal(signal.SIGSTOP)
    assert open_count(sim) > 0
    gone_s = until(lambda: open_count(sim) == 0, "the venue cancels", bot.log)
    figure(f"armed every {sum(gaps_s) / len(gaps_s):.2f} s; cancelled {gone_s:.1f} s after it froze")
    assert gone_s <= deadman_s + 1.0

    woken_ns = now_ns()
    bot.process.send_signal(signal.SIGCONT)
    until(
        lambda: any(one["accepted"] and one["boot_ns"] > woken_ns for one in sim.requests("countdown")),
        "it is armed anew",
        bot.tell,
    )
    until(lambda: bot.halted_by("lost_lease"), "and it does not trade", bot.tell)
    assert [] == taken_after(sim, woken_ns)
    bot.kill()


def armings(sim):
    """Every time that the venue's switch was set for BTCUSDT."""
    return [one for one in sim.requests("countdown") if one["symbol"] == "BTCUSDT"]


def test_a_loop_that_comes_back_finds_itself_halted_and_its_orders_cancelled(home, figure):
    """It approved fifty while it was away from itself: none leaves, and the books learn what was done for them."""
    sim = home.sim()
    flag = home.path / "bot" / "flag"
    bot = home.bot(sim, strategy="Blocker", params={"flag": str(flag)}, edits=AS_SHIPPED)
    bot.start()
    bot.arm()

    def block(ms):
        flag.with_suffix(".returned").unlink(missing_ok=True)
        flag.with_suffix(".new").write_text(str(ms))
        flag.with_suffix(".new").rename(flag)
        until(flag.with_suffix(".returned").exists, "it returned", bot.log)

    block(50)
    until(lambda: open_count(sim) == 50, "fifty orders rest", bot.tell)
    block(3_500)
    assert 0 == open_count(sim), "cancelled from within, while it hung"
    until(lambda: bot.halted_by("halt", "lost_lease"), "it finds itself halted", bot.tell)
    (halt,) = bot.holds("halt")
    assert ("dead switch", True) == (halt["by"], "stood still" in halt["reason"])
    until(lambda: bot.status()["open_orders"] == 0, "the books know", bot.tell)
    time.sleep(1.0)
    assert 50 == len(sim.requests("place"))
    assert [] == bot.status()["breaks"]
    bot.resume()
    assert 0 == bot.stop(), bot.log()
