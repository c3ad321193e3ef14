"""Twelve percent gone at once: straight to the breaker, all cancelled, only exits pass, and kill -9 changes nothing."""

import time

import pytest

from tests.process.processes import Bot, until

pytestmark = pytest.mark.process
LOTS = 400
COOL_DOWN_S = 3
EDITS = {
    'order_notional_max = "25000 USDT"': 'order_notional_max = "90000 USDT"',
    'breaker_cooldown = "15min"': f'breaker_cooldown = "{COOL_DOWN_S}s"',
    'reconcile_positions = "10s"': 'reconcile_positions = "500ms"',
}


def rung(bot: Bot) -> str:
    """Where its account stands."""
    return str(bot.status()["rung"])


def test_the_jump_goes_straight_to_the_breaker_and_a_kill_does_not_lift_it(home, figure):
    """Seed 002's breaker was reached only through Warning, and died with its process."""
    sim = home.sim()
    flag = home.path / "exit"
    bot = home.bot(sim, strategy="Clinger", params={"lots": LOTS, "exit_flag": str(flag)}, edits=EDITS)
    bot.start()
    bot.arm()
    until(lambda: sim.position_lots() == LOTS, "a position", bot.tell)
    until(lambda: len(sim.truth()["open_orders"]) == 1, "an order that rests", bot.tell)

    began = time.monotonic()
    sim.control("POST", "/funding", {"symbol": "BTCUSDT", "rate_ppb": 520_000_000})
    until(lambda: rung(bot) == "breaker", "the breaker", bot.tell)
    tripped_s = time.monotonic() - began
    until(lambda: sim.truth()["open_orders"] == [], "everything is cancelled", bot.tell)
    down_ppm = bot.status()["drawdown_ppm"]
    assert down_ppm > 120_000
    assert [] == bot.alerts("hold.drawdown_warning"), "in one jump"

    seq = sim.truth()["requests_total"]
    time.sleep(1.0)
    assert [] == sim.requests("place", since_seq=seq), "it wants more, and gets none"
    assert bot.status()["counters"]["refusals"].get("not_reducing", 0) > 0
    flag.touch()
    until(lambda: sim.position_lots() == LOTS - 10, "what reduces passes", bot.tell)

    bot.kill()
    seq = sim.truth()["requests_total"]
    bot.start()
    assert "halted" == bot.status()["level"]
    assert 1 == len(bot.holds("drawdown_breaker"))
    bot.arm()
    until(lambda: bot.status()["level"] == "reduce_only", "armed, and no looser than before", bot.tell)
    time.sleep(1.0)
    assert [] == sim.requests("place", since_seq=seq)

    until(lambda: rung(bot) == "cool_down", "the cool-down has run", bot.tell)
    (hold,) = bot.holds("drawdown_breaker")
    code, said = bot.act("resume", str(hold["hold_id"]), "--reason", "looked, all is well")
    assert 3 == code, said
    assert "still over the breaker's: its cool-down begins again" in said
    assert "breaker" == rung(bot)
    figure(
        f"down {down_ppm / 10_000:.1f} % at once; breaker {tripped_s:.1f} s after the venue took the money"
    )
    assert 0 == bot.stop(), bot.log()
