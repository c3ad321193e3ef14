"""Limits of a running bot, from the command line and over kill -9."""

import json

import pytest

from holdfast.app.errors import Exit
from tests.process.processes import Bot

pytestmark = pytest.mark.process
NAME = "strategy.test.BTCUSDT.order_max"


def row(bot: Bot, name: str = NAME) -> dict[str, str]:
    """One limit, as the command line shows it."""
    code, said = bot.cli("limits", "--json")
    assert code == 0, said
    return next(one for one in json.loads(said)["limits"] if one["name"] == name)


def test_a_limit_is_shown_lowered_raised_by_two_and_kept(home):
    """What people changed is part of the books: a crash must not undo it, and one token is not two."""
    bot = home.bot(home.sim(), strategy="Sleeper")
    bot.start()
    assert ("0.5 BTC", "1 BTC") == (row(bot)["value"], row(bot)["hard_cap"])
    code, said = bot.cli("limits")
    assert code == 0
    assert "account.drawdown_breaker" in said

    code, said = bot.act("limits", "set", NAME, "0.25 BTC", "--reason", "thin book")
    assert code == 0, said
    assert f"{NAME} from 0.5 BTC to 0.25 BTC, by ada" in said

    raised = ("limits", "set", NAME, "0.3 BTC", "--reason", "book is back")
    bob = str(bot.home / "bob.token")
    code, said = bot.act(*raised)
    assert Exit.REFUSED == code
    assert "takes a second person, or another" in said
    code, said = bot.act(*raised, "--second-token-file", str(bot.home / "ada.token"))
    assert code != 0
    assert "the second person is the first one, ada" in said
    assert "0.25 BTC" == row(bot)["value"]
    code, said = bot.act(*raised, "--second-token-file", bob)
    assert code == 0, said

    code, said = bot.act("limits", "set", NAME, "1.5 BTC", "--reason", "x", "--second-token-file", bob)
    assert Exit.REFUSED == code
    assert "its hard cap is 1 BTC" in said
    code, said = bot.cli("limits", "set", NAME, "0.1 BTC", "--reason", "nobody", "--token-file", "/dev/null")
    assert code != 0, "not even lower without a person"

    glass = (
        "break-glass",
        NAME,
        "0.9 BTC",
        "--for",
        "5min",
        "--reason",
        "one hedge",
        "--review",
        "ada, Monday",
    )
    code, said = bot.act(*glass, "--once", "--second-token-file", bob)
    assert code == 0, said
    assert "0.9 BTC" == row(bot)["value"]
    code, said = bot.cli("break-glass", "list")
    assert "to review: ada, Monday" in said

    bot.kill()
    bot.start()
    kept = row(bot)
    assert ("0.3 BTC", "ada and bob", "book is back") == (kept["value"], kept["changed_by"], kept["reason"])
    assert "nothing is open" in bot.cli("break-glass", "list")[1]
    assert 0 == bot.stop(), bot.log()
