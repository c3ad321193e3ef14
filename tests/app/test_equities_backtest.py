"""A backtest of equities as LEAN keeps them: traded up to a split's day, held and priced by nobody from there on.

The files here are made: two minutes before and after a midnight. ``HOLDFAST_FULL=1`` takes Apple's of June 2014, with
the weekend before the split in virtual time. Hours in which nothing comes are passed over, and nobody can tell.
"""

import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from holdfast.app.backtest import DEMO_CONFIG, backtest
from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import BacktestOptions
from holdfast.config.errors import ConfigError
from holdfast.config.load import load
from holdfast.journal.chain import iterate
from holdfast.runtime import paced
from holdfast.vocab.events import HoursPassed, TimerFired
from holdfast.vocab.facts import DayRolled, HoldPlaced, OrderApproved
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.units import NS_PER_S
from tests.house.recorded import data_dir  # noqa: F401

FULL = os.environ.get("HOLDFAST_FULL") == "1"
STRATEGY = '''
from holdfast.strategy import Strategy


class Buyer(Strategy):
    """Buys at each quote that it is shown."""

    def on_quote(self, ctx, quote):
        return ctx.buy(quote.instrument, qty_lots=1, price_ticks=quote.ask_ticks, ioc=True)
'''
LIMITS = """
[limits.strategy.buyer.AAPL]
order_max = "50 AAPL"
position_max = "200 AAPL"
churn_round_trips_max = 60
churn_cost_max = "200 USD"
churn_window = "1min"
slippage_max = "1%"
orders_per_s_refuse = 40
orders_per_s_halt = 60

[strategy.buyer]
class = "buyer.py:Buyer"
instruments = ["AAPL"]

[equities]
files = ["FILES"]
factor_files = "FACTORS"
map_files = "MAPS"
"""


def without(text, start, end):
    """The text without what stands from one line to another."""
    at = text.index(start)
    return text[:at] + text[text.index(end, at) :]


def in_shares(text):
    """The demonstration's numbers for an account in dollars that trades shares."""
    text = text.replace('USDT"', 'USD"').replace("instrument.BTCUSDT]", "instrument.AAPL]")
    text = text.replace('"BTCUSD"', '"AAPL"')
    return re.sub(r'"([\d.]+) BTC"', lambda found: f'"{float(found[1]) * 2_000:.0f} AAPL"', text)


def a_config(home, *, files, factors, maps):
    text = in_shares(DEMO_CONFIG.read_text())
    text = without(text, "[limits.instrument.ETHUSDT]", "[timings]")
    text = without(text, "[strategy.quoter]", "[paths]")
    text = text.replace("demo-caps", "caps").replace("demo-reference", "reference")
    text = text.replace('quote_age_max = "1s"', 'quote_age_max = "2min"')
    text = text.replace('feed_dead = "5s"', 'feed_dead = "2min"')
    words = {"FILES": files, "FACTORS": factors, "MAPS": maps}
    more = re.sub("FILES|FACTORS|MAPS", lambda found: str(words[found[0]]), LIMITS)
    (home / "holdfast.toml").write_text(text + more)
    caps = in_shares((DEMO_CONFIG.parent / "demo-caps.toml").read_text())
    (home / "caps.toml").write_text(caps[: caps.index("[instrument.ETHUSDT]")])
    (home / "reference.toml").write_text(
        'as_of = 2014-06-05T00:00:00Z\n\n[instrument.AAPL]\ngroup = "equities"\nadv = "10000000 AAPL"\n'
    )
    (home / "buyer.py").write_text(STRATEGY)
    return load(home / "holdfast.toml")


def a_day(home, date, bars, *, ticker="aapl"):
    """One day's minutes: (minute of the day, bid in 1/10,000 USD)."""
    folder = home / "equity" / "minute" / ticker
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        ",".join(map(str, (at * 60_000, *(bid,) * 4, 300, *(bid + 100,) * 4, 300))) + "\n" for at, bid in bars
    ]
    with zipfile.ZipFile(folder / f"{date}_quote.zip", "w") as archive:
        archive.writestr(f"{date}_aapl_minute_quote.csv", "".join(rows))


@pytest.fixture
def apple(tmp_path):
    """A split of seven for one over a midnight, two minutes of quotes on each side."""
    a_day(tmp_path, 20140608, [(1_437, 6_455_700), (1_438, 6_456_000)])
    a_day(tmp_path, 20140609, [(0, 922_300), (1, 922_400)])
    for name, row in (
        ("factor_files", "20140608,1,0.142857,645.57\n20501231,1,1,0\n"),
        ("map_files", "19980102,aapl,Q\n20501231,aapl,Q\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "aapl.csv").write_text(row)
    return tmp_path


def config_of(home):
    return a_config(home, files="equity", factors="factor_files", maps="map_files")


def held_and_traded(state_dir):
    """The splits' holds with their times; the times of the orders."""
    holds, orders, now = [], [], 0
    for _, _, record in iterate(str(state_dir / "journal")):
        now = getattr(record, "wall_ns", now)
        if isinstance(record, HoldPlaced) and record.hold.cause is HoldCause.SPLIT:
            holds.append((record.hold, now))
        elif isinstance(record, OrderApproved):
            orders.append(now)
    return holds, orders


def check(config, state_dir, *, midnight_s):
    """By the shipped command."""
    words = ("backtest", "--config", config.path, "--state-dir", str(state_dir), "--json")
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *words], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    holds, orders = held_and_traded(state_dir)
    ((hold, at_ns),) = holds
    assert ("AAPL", "its prices are the old ones times 1/7 from today on") == (
        hold.scope.instrument,
        hold.reason,
    )
    assert 0 <= at_ns - midnight_s * NS_PER_S < NS_PER_S
    assert orders
    assert max(orders) < midnight_s * NS_PER_S
    assert (True, True, True) == (result["books_equal"], result["journal_ok"], result["fills"] > 0)
    return result


def test_the_day_of_a_split_raises_its_hold_and_is_not_traded_on(apple):
    """Every price that is known by then is in another scale, and so is the position."""
    result = check(config_of(apple), apple / "state", midnight_s=1_402_286_400)
    assert (4, 2) == (result["events"], result["quotes"])


def test_without_a_split_the_next_day_is_traded_on(apple):
    (apple / "factor_files" / "aapl.csv").write_text("20501231,1,1,0\n")
    a_day(apple, 20140609, [(0, 6_455_800), (1, 6_455_900)])
    backtest(config_of(apple), BacktestOptions(), apple / "state")
    holds, orders = held_and_traded(apple / "state")
    assert ([], True) == (holds, max(orders) > 1_402_286_400 * NS_PER_S)


def test_a_file_is_of_the_company_that_had_the_ticker_on_that_day(apple):
    (apple / "equity" / "minute" / "aapl").rename(apple / "equity" / "minute" / "apc")
    with pytest.raises(HoldfastError, match="no map file says whose ticker apc was on 20140608") as error:
        backtest(config_of(apple), BacktestOptions(), apple / "state")
    assert Exit.USAGE == error.value.exit_code
    (apple / "map_files" / "aapl.csv").write_text("19980102,apc,Q\n20501231,apc,Q\n")
    check(config_of(apple), apple / "other", midnight_s=1_402_286_400)


def test_a_directory_that_is_not_there_is_named(apple):
    config = a_config(apple, files="equity", factors="nowhere", maps="map_files")
    with pytest.raises(HoldfastError, match="nowhere: no such directory"):
        backtest(config, BacktestOptions(), apple / "state")
    with pytest.raises(ConfigError, match="factor_files"):
        a_config(apple, files="equity", factors="", maps="map_files")


def a_silence(home, *, minutes):
    """Quotes before and behind a silence, and intervals that have one minute in common."""
    config_of(home)
    file = home / "holdfast.toml"
    text = file.read_text().replace('clock_interval = "10s"', 'clock_interval = "6s"')
    text = text.replace('swing_window = "5min"', 'swing_window = "1min"')
    file.write_text(text)
    for path in (home / "equity").rglob("*.zip"):
        path.unlink()
    a_day(home, 20140605, [(600, 6_455_700), (601, 6_456_000), (601 + minutes, 6_450_000)])
    return load(file)


def events_of(state_dir, kind):
    return [record for _, _, record in iterate(str(state_dir / "journal")) if isinstance(record, kind)]


def test_hours_passed_over_leave_the_state_that_walking_through_them_leaves(apple, monkeypatch):
    """What comes of a strategy must not depend on how a backtest spends the night."""
    config = a_silence(apple, minutes=16)
    passed = backtest(config, BacktestOptions(), apple / "passed")
    monkeypatch.setattr(paced, "CLOSED_NS_MIN", paced.NEVER)
    walked = backtest(config, BacktestOptions(), apple / "walked")
    hours = events_of(apple / "passed", HoursPassed)
    assert sum(one.by_ns for one in hours) > 8 * 60 * NS_PER_S
    assert [] == events_of(apple / "walked", HoursPassed)
    assert 1.5 * len(events_of(apple / "passed", TimerFired)) < len(events_of(apple / "walked", TimerFired))
    for name in (
        "state_hash",
        "replay_hash",
        "books_hash",
        "orders",
        "fills",
        "equity",
        "books_equal",
        "alerts",
    ):
        assert walked[name] == passed[name], name


def test_hours_are_walked_while_an_order_rests_at_the_venue(apple):
    """It may be filled, cancelled by a countdown, or time out: nothing is as before."""
    config = a_silence(apple, minutes=16)
    (apple / "buyer.py").write_text(STRATEGY.replace("quote.ask_ticks, ioc=True", "quote.bid_ticks - 100"))
    backtest(config, BacktestOptions(), apple / "state")
    assert [] == events_of(apple / "state", HoursPassed)


def test_what_time_alone_brings_about_is_not_passed_over(apple):
    """A day of the account ends within the silence: its peak and its caps begin anew then, not at the next quote."""
    a_silence(apple, minutes=16)
    file = apple / "holdfast.toml"
    text = file.read_text()
    file.write_text(re.sub(r"day_begins_utc_hour = \d+", "day_begins_utc_hour = 14", text))
    # New York: 14:00 UTC is 10:00, the 600th minute
    a_day(apple, 20140605, [(585, 6_455_700), (586, 6_456_000), (603, 6_450_000)])
    backtest(load(file), BacktestOptions(), apple / "state")
    fourteen_ns = 1_401_976_800 * NS_PER_S
    (rolled,) = events_of(apple / "state", DayRolled)
    assert 0 <= rolled.wall_ns - fourteen_ns < NS_PER_S  # equity is marked each second
    assert len(events_of(apple / "state", HoursPassed)) >= 1


@pytest.mark.skipif(
    not FULL, reason="two days of minutes and all their timers take a minute or two: HOLDFAST_FULL=1"
)
@pytest.mark.timeout(1_200)
def test_apple_is_not_traded_on_the_day_of_its_split(tmp_path, data_dir):  # noqa: F811
    folder = tmp_path / "equity" / "minute" / "aapl"
    folder.mkdir(parents=True)
    for date in (20140606, 20140609):
        for kind in ("quote", "trade"):
            name = f"{date}_{kind}.zip"
            (folder / name).write_bytes((data_dir / "equities_lean/minute/aapl" / name).read_bytes())
    config = a_config(
        tmp_path,
        files="equity",
        factors=data_dir / "equities_lean/factor_files",
        maps=data_dir / "equities_lean/map_files",
    )
    result = check(config, tmp_path / "state", midnight_s=1_402_286_400)
    print(json.dumps(result))
