"""A strategy that turns its position at every tick: held after its round trips, over kill -9, until a person resumes it."""

import json
import time

import pytest

from holdfast.vocab.units import E8
from tests.process.processes import Bot, SimProcess, until, write_private

pytestmark = pytest.mark.process
LOTS = 10
NAMES = ("BTCUSDT", "ETHUSDT")
MAX = 12
FLIGHT = 2  # what may be under way when the hold comes: the order that is out, and the one in the same batch
COST_MAX = 100
EDITS = {
    'class = "tests.process.strategies:Flipper"': 'class = "holdfast.strategy.examples.flipper:Flipper"',
    'churn_round_trips_max = 500\nchurn_cost_max = "1000000 USDT"\nchurn_window = "1s"': (
        f'churn_round_trips_max = {MAX}\nchurn_cost_max = "{COST_MAX} USDT"\nchurn_window = "1h"'
    ),
}


def round_trips(sim: SimProcess) -> dict[str, int]:
    """How often the venue's own record of our executions came back to zero, or went beyond."""
    count, positions = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    for trade in sim.truth()["trades"]:
        name = trade["symbol"]
        before = positions[name]
        positions[name] += trade["qty_lots"] if trade["side"] == "BUY" else -trade["qty_lots"]
        count[name] += before != 0 and before * positions[name] <= 0
    return count


def lost(sim: SimProcess, name: str) -> float:
    """What the venue took for them: fees, and what closing lost."""
    trades = [one for one in sim.truth()["trades"] if one["symbol"] == name]
    return sum(one["fee_e8"] - one["realised_e8"] for one in trades) / E8


def used(bot: Bot, name: str, key: str) -> str:
    """What is used of a limit, as the command line shows it."""
    code, said = bot.cli("limits", "--json")
    assert code == 0, said
    found = {one["name"]: one["used"] for one in json.loads(said)["limits"]}
    return str(found[f"strategy.test.{name}.{key}"])


def holds(bot: Bot) -> list[int]:
    """The standing holds of the guard."""
    return [hold["hold_id"] for hold in bot.holds("churn")]


def sends_nothing(sim: SimProcess) -> None:
    """Ticks come, and not one order leaves."""
    seq = sim.truth()["requests_total"]
    time.sleep(0.7)
    assert [] == sim.requests("place", since_seq=seq)


def test_a_flipper_is_held_and_only_a_person_lets_it_go_on(home, figure):
    """It pays spread and fees for nothing (churn): a bounded number of times, and not once more after a crash."""
    sim = home.sim()
    bot = home.bot(sim, strategy="Flipper", params={"lots": LOTS}, edits=EDITS)
    bot.start()
    began = time.monotonic()
    bot.arm()
    until(lambda: holds(bot) != [], "the strategy is held", bot.tell)
    held_s = time.monotonic() - began
    sends_nothing(sim)
    first = round_trips(sim)
    assert MAX < max(first.values()) <= MAX + 1 + FLIGHT
    for name in NAMES:
        assert lost(sim, name) < COST_MAX
        assert str(first[name]) == used(bot, name, "churn_round_trips_max")
        assert round(lost(sim, name), 8) == float(used(bot, name, "churn_cost_max").split()[0])
    cost = sum(lost(sim, name) for name in NAMES)

    (hold,) = holds(bot)
    bot.kill()
    bot.start()
    bot.arm()
    assert [hold] == holds(bot)
    sends_nothing(sim)
    assert first == round_trips(sim)

    words = ("resume", str(hold), "--reason", "one more try")
    code, said = bot.cli(*words, "--token-file", "/dev/null")
    assert code != 0, said
    stranger = bot.home / "stranger.token"
    write_private(stranger, "of-nobody-that-this-bot-knows")
    code, said = bot.cli(*words, "--token-file", str(stranger))
    assert code != 0, said
    code, said = bot.act(*words, by="vic")
    assert code != 0, "known, and not authorised"
    assert "vic is viewer" in said
    assert [hold] == holds(bot)
    code, said = bot.act(*words)
    assert code == 0, said
    until(lambda: holds(bot) not in ([], [hold]), "it goes on, and is held again", bot.tell)
    sends_nothing(sim)
    again = max(count - first[name] for name, count in round_trips(sim).items())
    assert MAX < again <= MAX + 1 + FLIGHT, "and no more than before"
    figure(
        f"held {held_s:.2f} s after the first leave, after {max(first.values())} round trips (at most {MAX}) for {cost:.2f} USDT"
    )
    assert 0 == bot.stop(), bot.log()
