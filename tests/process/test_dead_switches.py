"""What acts with no watchdog at all: the thread within the process, and the venue's own switch."""

import itertools
import time

import pytest

from holdfast.guard.latch import peek
from tests.process.conftest import FULL
from tests.process.processes import until
from tests.process.strategies import WRITES, counters
from tests.process.test_watchdog import ACT_S_MAX, LEASE_S, flowing, hang, now_ns, open_count, taken_after

pytestmark = pytest.mark.process


@pytest.mark.parametrize("policy", ["flatten", "cancel"] if FULL else ["flatten"])
def test_a_strategy_that_never_returns_is_cancelled_from_within_its_own_process(home, figure, policy):
    """D4: `while True: pass` on the trading thread; a client of the thread's own needs no loop."""
    sim = home.sim()
    params = {
        "signal": str(home.path / "bot" / "signal"),
        "flag": str(home.path / "bot" / "flag"),
        "trade": True,
    }
    bot = home.bot(sim, strategy="Hanger", params=params, edits={'policy = "cancel"': f'policy = "{policy}"'})
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
        edits={'deadman = "60s"': f'deadman = "{deadman_s:g}s"'},
    )
    bot.start()
    bot.arm()
    written = counters(bot.signal)
    until(lambda: written[WRITES] > 100, "orders flow", bot.tell)
    time.sleep(deadman_s)
    armed = [one for one in sim.requests("countdown") if one["symbol"] == "BTCUSDT"]
    first = min(one["boot_ns"] for one in sim.requests("place"))
    gaps_s = [(after["boot_ns"] - before["boot_ns"]) / 1e9 for before, after in itertools.pairwise(armed)]
    assert armed[0]["boot_ns"] < first, "armed before the first order of the symbol"
    assert armed[0]["accepted"]
    assert len(gaps_s) >= 4
    assert sum(gaps_s) / len(gaps_s) < deadman_s / 4 + 0.25, "asked again at a quarter of its time"

    until(lambda: open_count(sim) > 10, "orders rest", bot.tell, pause_s=0.005)
    bot.kill()
    assert open_count(sim) > 0
    gone_s = until(lambda: open_count(sim) == 0, "the venue cancels", bot.log)
    figure(
        f"armed {len(armed)} times, every {sum(gaps_s) / len(gaps_s):.2f} s; cancelled {gone_s:.1f} s after the kill"
    )
    assert gone_s <= deadman_s + 1.0
