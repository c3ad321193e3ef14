"""The venue's contract, looked at by the real bot at its start and by the doctor beside it."""

import json

import pytest

from holdfast.app.errors import Exit
from holdfast.vocab.events import Probed
from tests.process.conftest import FULL
from tests.process.processes import until
from tests.process.reading import read_story

pytestmark = pytest.mark.process
CANARY = "\n[probe]\ncanary = true\n"


def checks_of(bot):
    """(exit code, verdicts by name, what was found by name) of the doctor."""
    code, said = bot.cli("doctor", "--venue", "--json")
    told = json.loads(said.splitlines()[-1])
    assert told["ok"] == (code == Exit.OK)
    rows = told["checks"]
    return code, {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


def canaries(sim):
    return [one for one in sim.requests("place") if one["client_id"].startswith("hfcanary-")]


def test_a_key_that_may_withdraw_keeps_the_bot_from_being_armed(home):
    """SR1: the check that is only in a runbook is not made on the day that matters."""
    sim = home.sim()
    bot = home.bot(sim)
    sim.control("POST", "/account", {"can_withdraw": True})
    bot.start()
    refused(bot)
    assert [] == canaries(sim), "none that nobody asked for"
    assert 0 == bot.stop(), bot.log()


def refused(bot):
    """The start's look is over, and what it found forbids."""
    until(lambda: bot.holds("venue_contract"), "the start's look is over", bot.tell)
    done, said = bot.tell_to("arm")
    assert not done
    assert "withdrawals: the key may withdraw" in said
    (looked,) = read_story(bot.journal_dir).of(Probed)
    assert "withdrawals" in {check.name for check in looked.checks}


@pytest.mark.skipif(
    not FULL, reason="four processes after one another; its parts are in tests/app and tests/venues"
)
def test_the_doctor_before_and_beside_a_bot_and_the_canary_of_a_start(home):
    sim = home.sim()
    bot = home.bot(sim, extra=CANARY)
    sim.control("POST", "/account", {"can_withdraw": True})
    code, verdicts, found = checks_of(bot)
    assert Exit.REFUSED == code
    assert ["withdrawals"] == [name for name, verdict in verdicts.items() if verdict == "FAIL"]
    assert "cancelled an order in BTCUSDT" in found["dead-man switch"]
    assert 1 == len(canaries(sim))

    bot.start()
    refused(bot)
    assert 2 == len(canaries(sim)), "before the start, one more"
    assert [] == bot.holds("quarantine", "reconcile_break"), "the canary is gone before the books begin"

    sim.control("POST", "/account", {"can_withdraw": False})
    code, verdicts, found = checks_of(bot)
    assert (Exit.OK, []) == (code, [name for name, verdict in verdicts.items() if verdict == "FAIL"])
    assert "warn" == verdicts["dead-man switch"]
    assert "a bot has this account" in found["dead-man switch"]
    assert 2 == len(canaries(sim)), "none beside a bot"
    assert 0 == bot.stop(), bot.log()
