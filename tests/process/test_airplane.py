"""The airplane story: the account endpoint is retired while a position is open, and nobody is at the desk."""

import time

import pytest

from holdfast.app.errors import Exit
from holdfast.vocab.facts import FlattenEnded
from tests.process.conftest import FULL
from tests.process.processes import Bot, Home, SimProcess, until
from tests.process.reading import read_story

pytestmark = pytest.mark.process
AGE_LIMIT_S = 2.0
LOTS = 200
ACCOUNT = "/fapi/v?/account"
POSITION_SOURCES = ("/fapi/v?/positionRisk",)
EXITS_MAX = 2
QUICK_AGES = {
    'reconcile_orders = "5s"': 'reconcile_orders = "500ms"',
    'reconcile_positions = "10s"': 'reconcile_positions = "500ms"',
    'position_age_reduce = "30s"': 'position_age_reduce = "1200ms"',
    'position_age_halt = "60s"': f'position_age_halt = "{int(AGE_LIMIT_S)}s"',
}


def a_holder(home: Home) -> tuple[SimProcess, Bot]:
    """A bot with an open position, reconciling twice a second so that the story fits into seconds."""
    sim = home.sim()
    bot = home.bot(sim, strategy="Holder", params={"lots": LOTS}, edits=QUICK_AGES)
    bot.start()
    bot.arm()
    until(lambda: sim.position_lots() == LOTS, "a position", bot.tell)
    until(lambda: bot.status()["instruments"][0]["position"] == "0.2", "the bot knows of it", bot.tell)
    return sim, bot


def stops_by_itself(bot: Bot, began: float) -> float:
    """Wait until it has halted itself; how long it took since the venue went silent."""
    until(lambda: bot.halted_by("position_unknown"), "it stops by itself", bot.tell)
    took = time.monotonic() - began
    assert took < AGE_LIMIT_S + 2.0, "within the age limit, a question and a sweep"
    (hold,) = bot.holds("position_unknown")
    assert "has not told our" in hold["reason"], hold
    assert any("has not told our" in text for text in bot.alerts("hold.position_unknown"))
    return took


def exits(sim: SimProcess, since_seq: int) -> list[tuple[bool, int]]:
    """(accepted, code) of every exit order that reached the venue."""
    return [(one["accepted"], one["code"]) for one in sim.requests("place", since_seq=since_seq)]


RETIRED = [(410, "html"), (404, "html"), (404, "json"), (404, "empty")]


@pytest.mark.parametrize(("http", "body"), RETIRED if FULL else RETIRED[:1])
def test_it_stops_by_itself_says_why_and_gets_flat_with_the_clock_off(home, figure, http, body):
    """The bot of the story found no position since one endpoint was gone, and its exits failed on their stamps."""
    sim, bot = a_holder(home)
    began = time.monotonic()
    sim.fault("retire", path=ACCOUNT, http=http, body=body)
    stopped_s = stops_by_itself(bot, began)

    sim.control("POST", "/clock", {"step_ms": 12_000})
    seq = sim.truth()["requests_total"]
    began = time.monotonic()
    code, said = bot.cli("kill", "--reason", "from the airplane")
    flat_s = time.monotonic() - began
    tried = exits(sim, seq)
    figure(
        f"stopped by itself after {stopped_s:.1f} s (limit {AGE_LIMIT_S:g} s); clock off by 12 s; "
        f"flat {flat_s:.1f} s after the kill by exit orders {tried}"
    )
    assert 0 == code, said
    assert "two venue reads agree on zero" in said
    assert 0 == sim.position_lots()
    assert 1 <= len(tried) <= EXITS_MAX
    assert "killed" == bot.status()["level"]
    assert 0 == bot.stop(), bot.log()


def test_with_no_source_of_positions_it_tries_by_the_last_known_size_and_never_claims_to_be_flat(
    home, figure
):
    """What cannot be read cannot be zero: the exit goes on, and flat is said when the venue says so."""
    sim, bot = a_holder(home)
    began = time.monotonic()
    gone = [sim.fault("retire", path=path, http=404) for path in (ACCOUNT, *POSITION_SOURCES)]
    stopped_s = stops_by_itself(bot, began)

    # the exits do not get through at first either
    seq = sim.truth()["requests_total"]
    refusing = sim.fault(
        "refuse", method="POST", path="/fapi/v1/order", http=503, code=-1001, msg="Internal error"
    )
    code, said = bot.cli("kill", "--reason", "from the airplane", "--wait", "1")
    assert Exit.UNFINISHED == code, said
    assert " flat:" not in said
    assert LOTS == sim.position_lots()
    assert [] == claims(bot)
    sim.heal(refusing)
    until(lambda: sim.position_lots() == 0, "reduce-only attempts from the last known size", bot.tell)
    tried = exits(sim, seq)
    assert all(one["reduce_only"] for one in sim.requests("place", since_seq=seq))
    time.sleep(1.2)
    assert [] == claims(bot), "the venue has not said that it is flat"
    assert bot.status()["flatten"]["active"]
    assert any("flat cannot be claimed" in text for text in bot.alerts("flatten.blind"))

    began = time.monotonic()
    sim.heal(gone[1])
    until(lambda: claims(bot) != [], "it finishes and proves flat", bot.tell)
    figure(
        f"stopped by itself after {stopped_s:.1f} s; no source of positions: {len(tried)} exit orders {tried[-2:]}; "
        f"proven flat {time.monotonic() - began:.1f} s after an endpoint returned"
    )
    assert 0 == sim.position_lots()
    assert 0 == bot.stop(), bot.log()
    assert [True] == [fact.flat for fact in read_story(bot.journal_dir).of(FlattenEnded)]


def claims(bot: Bot) -> list[str]:
    """Every time it said that it is flat."""
    return bot.alerts("flatten.flat")
