"""Every check by reference data refuses in a running bot, by the file as it stands, the venue's volume, and the clock."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest

from tests.process.processes import DEMO_REFERENCE, Bot, SimProcess, until

pytestmark = pytest.mark.process
BTC, ETH = "BTCUSDT", "ETHUSDT"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def another_day() -> str:
    """A day of the week that is not today's in any zone."""
    return DAYS[(datetime.now(tz=UTC).weekday() + 3) % 7]


def wishes(bot: Bot, *, instrument: str = BTC, lots: int = 8, takes: bool = False) -> None:
    """What its strategy asks for from now on."""
    path = bot.home / "wish.json"
    path.with_suffix(".new").write_text(json.dumps({"instrument": instrument, "lots": lots, "takes": takes}))
    path.with_suffix(".new").rename(path)


def refused(bot: Bot, tag: str) -> int:
    """How many orders were refused so."""
    return int(bot.status()["counters"]["refusals"].get(tag, 0))


def sent(sim: SimProcess) -> int:
    """How many orders reached the venue."""
    return len(sim.requests("place"))


def comes_to_refuse(bot: Bot, tag: str) -> dict[str, object]:
    """It refuses so now; returns the refusal's numbers, as holdfast why tells them."""
    before = refused(bot, tag)
    until(lambda: refused(bot, tag) > before + 1, f"{tag} refuses", bot.tell)
    why = bot.look("why")
    assert tag == why["refusal"], why
    return dict(why["numbers"])


def passes(bot: Bot, sim: SimProcess) -> None:
    """What it asks for is sent again."""
    before = sent(sim)
    until(lambda: sent(sim) > before, "an order is sent", bot.tell)


def tells(bot: Bot, text: str) -> None:
    """A person writes the reference file anew, in one piece."""
    new = bot.reference.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(bot.reference)


def tightens(bot: Bot, name: str, value: str) -> None:
    """One person lowers a limit."""
    code, said = bot.act("limits", "set", name, value, "--reason", "to see it refuse")
    assert code == 0, said


def text_of(*, btc: str, age_days: int = 0, more: str = "") -> str:
    """A reference file with these words in BTC's row."""
    as_of = (datetime.now(tz=UTC) - timedelta(days=age_days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    row = f'[instrument.{BTC}]\ngroup = "crypto"\n{btc}\n' if btc != "none" else ""
    return f'as_of = {as_of}\n{more}\n{row}[instrument.{ETH}]\ngroup = "crypto"\nadv = "1000000 ETH"\n'


def levels() -> str:
    """The falls that the demonstration's configuration names."""
    text = DEMO_REFERENCE.with_name("demo.toml").read_text()
    start = text.index("levels = [")
    return text[start : text.index("]\n", start) + 2]


def falls(bot: Bot, sim: SimProcess) -> bool:
    """Whether the halt stands; the venue says a mark of BTC half a percent lower. One it sends by itself undoes that."""
    with urlopen(f"{sim.url}/fapi/v1/premiumIndex?symbol={BTC}") as answer:
        told = json.loads(answer.read())
    now_ms = told["time"]
    mark = f"{float(told['markPrice']) * 0.995:.1f}"
    frame = {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": BTC,
        "p": mark,
        "i": mark,
        "P": mark,
        "r": "0.0001",
        "T": now_ms,
    }
    sim.control("POST", "/say", {"stream": f"{BTC.lower()}@markPrice@1s", "text": json.dumps(frame)})
    return bot.alerts("hold.market_halt") != []


GOOD = text_of(btc='adv = "1000000 BTC"')


def test_each_check_refuses_in_a_running_bot_and_lets_go_again(home, figure):
    """Not a parameter of a test: the file is read, the venue tells its volume, people lower the limits."""
    began = time.monotonic()
    sim = home.sim()
    hours = f'\n[hours]\ninstrument.{ETH} = ["{another_day()} 00:00-00:01"]\n'
    bot = home.bot(
        sim,
        strategy="Wisher",
        params={"wish": str(home.path / "bot" / "wish.json")},
        edits={
            'adv_share_max = "10%"': 'adv_share_max = "0.0001%"',
            levels(): 'levels = ["0.001% reduced account"]\n',
        },
        extra=hours,
    )
    tells(bot, text_of(btc=""))
    bot.start()
    bot.arm()
    wishes(bot)
    adv = comes_to_refuse(bot, "over_volume")["adv_lots"]
    with urlopen(f"{sim.url}/fapi/v1/ticker/24hr?symbol={BTC}") as answer:
        volume = round(float(json.loads(answer.read())["volume"]) * 1_000)
    assert 0 < int(str(adv)) <= volume, "the venue's own number, of a moment ago"

    tells(bot, GOOD)
    passes(bot, sim)
    tells(bot, text_of(btc='adv = "1000000 BTC"\nband_low = "900000"'))
    comes_to_refuse(bot, "outside_bands")
    calendar = f'[calendar.x]\nzone = "UTC"\nweek = ["{another_day()} 00:00-24:00"]\n'
    tells(bot, text_of(btc='adv = "1000000 BTC"\ncalendar = "x"', more=calendar))
    assert "venue" == comes_to_refuse(bot, "outside_hours")["of"]
    tells(bot, text_of(btc="none"))
    comes_to_refuse(bot, "no_facts")
    tells(bot, text_of(btc='adv = "1000000 BTC"', age_days=31))
    comes_to_refuse(bot, "stale_facts")
    until(lambda: bot.holds("reference_stale") != [], "and the account is held", bot.tell)
    tells(bot, "as_of = yesterday\n")
    until(lambda: bot.alerts("reference.unusable") != [], "a bad file is told of", bot.tell)
    tells(bot, GOOD)
    passes(bot, sim)
    assert [] == bot.holds("reference_stale")

    wishes(bot, instrument=ETH, lots=50)
    assert "instrument" == comes_to_refuse(bot, "outside_hours")["of"]

    # from the last of the checks to the first: each is asked before those that refuse already
    wishes(bot)
    passes(bot, sim)
    tightens(bot, "account.net_notional_max", "1 USDT")
    comes_to_refuse(bot, "over_net")
    tightens(bot, "account.group_share_max", "0.001%")
    assert "crypto" == comes_to_refuse(bot, "over_share")["of"]
    tightens(bot, f"instrument.{BTC}.equity_share_max", "0.001%")
    until(lambda: bot.look("why")["numbers"]["of"] == BTC, "its own share", bot.tell)
    tightens(bot, f"instrument.{BTC}.depth_max", "0.0001%")
    wishes(bot, takes=True)
    comes_to_refuse(bot, "over_depth")
    until(lambda: falls(bot, sim), "BTC fell by a hundred-thousandth at last", bot.tell)
    assert f"{BTC} fell by" in bot.alerts("hold.market_halt")[0]
    code, said = bot.cli("limits")
    assert code == 0, said
    assert re.search(r"instrument\.BTCUSDT\.adv_share_max\s", said)
    figure(f"eight kinds of refusals, {sent(sim)} orders sent between them, {time.monotonic() - began:.1f} s")
    assert 0 == bot.stop(), bot.log()
