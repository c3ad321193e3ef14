"""The reference file, hours and market halts: read exactly, or refused in one line that names what and where."""

import re
from datetime import UTC, date, datetime

import pytest

from holdfast.app.init import reference_text
from holdfast.config.errors import ConfigError
from holdfast.config.hours import BadHours, week_spans
from holdfast.config.load import load, load_text
from holdfast.config.market_halts import read_halts
from holdfast.config.reference import CalendarSection, as_event, read_reference, sessions
from holdfast.config.resolve import resolve
from holdfast.config.values import BadValue, Multiple
from holdfast.vocab.holds import HoldLevel, Scope
from holdfast.vocab.reference import Hours, InstrumentReference, MarketHalt, ReferenceRules
from tests.house.configs import SPECS, a_config_file, a_config_text

GOOD = """\
as_of = 2026-11-20T12:00:00Z

[calendar.exchange]
zone = "America/New_York"
week = ["Mon-Fri 09:30-16:00"]
holidays = [2026-11-26]
early_closes = { "2026-11-27" = "13:00" }

[instrument.BTCUSDT]
group = "crypto"
adv = "100000.0009 BTC"
band_low = "50000.01"
band_high = "70000.09 USDT"

[instrument.ETHUSDT]
group = "crypto"
calendar = "exchange"

[instrument.OTHER]
group = "shared"
"""
NOW_NS = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()) * 10**9


def a_file(tmp_path, text=GOOD):
    path = tmp_path / "reference.toml"
    path.write_text(text)
    path.chmod(0o644)
    return path


def problems(tmp_path, old, new):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read_reference(a_file(tmp_path, GOOD.replace(old, new, 1)))
    return caught.value.problems


def utc(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9


def test_the_file_is_told_in_ticks_lots_and_wall_times_rounded_against_us(tmp_path):
    """A band is never wider than what was written, and a volume never larger."""
    event = as_event(read_reference(a_file(tmp_path)), SPECS, wall_ns=NOW_NS, mono_ns=5)
    assert utc(2026, 11, 20, 12) == event.as_of_wall_ns
    btc = InstrumentReference(
        instrument="BTCUSDT",
        group="crypto",
        adv_lots=100_000_000,
        band_low_ticks=500_001,
        band_high_ticks=700_000,
    )
    assert (
        btc,
        InstrumentReference(instrument="ETHUSDT", group="crypto", calendar="exchange"),
    ) == event.instruments
    (calendar,) = event.calendars
    assert "exchange" == calendar.name


def test_sessions_know_holidays_early_closes_and_the_change_of_the_clocks():
    """Thanksgiving is closed, the day after ends at one; in March the same clock is another hour."""
    week = CalendarSection(
        zone="America/New_York",
        week=["Mon-Fri 09:30-16:00"],
        holidays=["2026-11-26"],
        early_closes={"2026-11-27": "13:00"},
    )
    assert (
        (utc(2026, 11, 24, 14, 30), utc(2026, 11, 24, 21)),
        (utc(2026, 11, 25, 14, 30), utc(2026, 11, 25, 21)),
        (utc(2026, 11, 27, 14, 30), utc(2026, 11, 27, 18)),
        (utc(2026, 11, 30, 14, 30), utc(2026, 11, 30, 21)),
    ) == sessions(week, since=date(2026, 11, 25), days=5)
    summer = sessions(week, since=date(2026, 7, 1), days=0)
    assert (utc(2026, 7, 1, 13, 30), utc(2026, 7, 1, 20)) == summer[-1]


@pytest.mark.parametrize("as_of", ["2999-01-01T00:00:00Z", "1650-01-01T00:00:00Z"])
def test_nobody_looked_in_the_future_nor_before_there_was_anything_to_see(tmp_path, as_of):
    """A typed year would switch the age limit off, or be a number that no journal takes."""
    text = a_file(tmp_path).read_text()
    path = tmp_path / "other.toml"
    path.write_text(re.sub(r"as_of = .*", f"as_of = {as_of}", text))
    with pytest.raises(ConfigError, match="as_of: lies in the future"):
        read_reference(path)


def test_a_volume_beyond_all_bounds_is_one_line(tmp_path):
    path = tmp_path / "other.toml"
    path.write_text(
        'as_of = 2026-11-01T00:00:00Z\n[instrument.BTCUSDT]\ngroup = "c"\nadv = "99999999999999999999 BTC"\n'
    )
    with pytest.raises(ConfigError, match=r"instrument\.BTCUSDT\.adv: beyond all bounds"):
        as_event(read_reference(path), SPECS[:1], wall_ns=NOW_NS, mono_ns=5)


def test_a_session_over_midnight_belongs_to_the_day_it_opens():
    night = CalendarSection(zone="UTC", week=["Sun-Thu 22:00-21:00"], holidays=["2026-11-26"])
    assert (
        (utc(2026, 11, 24, 22), utc(2026, 11, 25, 21)),
        (utc(2026, 11, 25, 22), utc(2026, 11, 26, 21)),
    ) == sessions(night, since=date(2026, 11, 25), days=2)


def test_sessions_that_meet_are_one():
    always = CalendarSection(zone="UTC", week=["daily 00:00-12:00", "daily 12:00-24:00"])
    assert ((utc(2026, 11, 24), utc(2026, 11, 27)),) == sessions(always, since=date(2026, 11, 25), days=1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("as_of = 2026-11-20T12:00:00Z", "as_of = 2026-11-20T12:00:00", "with its zone"),
        ("as_of = 2026-11-20T12:00:00Z", "", "as_of: expected when somebody last looked"),
        ('group = "crypto"\nadv', "adv", "instrument.BTCUSDT.group: missing"),
        ('group = "shared"', 'group = ""', "instrument.OTHER.group: expected a name"),
        ('"100000.0009 BTC"', '"many"', "instrument.BTCUSDT.adv: expected an amount"),
        ('"100000.0009 BTC"', '"0 BTC"', "above zero"),
        ('"50000.01"', '"80000"', "band_low: expected less than band_high"),
        ('calendar = "exchange"', 'calendar = "moon"', "there is no [calendar.moon]"),
        ("America/New_York", "America/Nowhere", "no time zone is called"),
        ("Mon-Fri 09:30-16:00", "weekdays", "expected spans such as"),
        ("2026-11-26]", '"Christmas"]', "expected a date"),
        ("2026-11-26]", '"20261126"]', "expected a date"),
        ("2026-11-26]", '"2026-W48-4"]', "expected a date"),
        ('"2026-11-27" = "13:00"', '"20261127" = "13:00"', "expected a date"),
        ('"2026-11-27" = "13:00"', '"2026-11-27" = "1pm"', "expected a time such as 13:00"),
        ("[instrument.OTHER]", "[instruments.OTHER]", "did you mean instrument?"),
        ('group = "shared"', 'group = "shared"\nsector = "x"', "unknown key"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, old, new, said):
    found = problems(tmp_path, old, new)
    assert 1 == len(found), found
    assert said in found[0]
    assert f"{tmp_path}/reference.toml" in found[0]


def test_a_file_that_others_may_write_is_refused(tmp_path):
    """Whoever writes it says what a limit is measured by."""
    path = a_file(tmp_path)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="not writable by others"):
        read_reference(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('BTC"\nband', 'ETH"\nband', "expected an amount of BTC, got 100000.0009 ETH"),
        ('"100000.0009 BTC"', '"0.00001"', "less than one lot"),
        ('"70000.09 USDT"', '"50000.05 USDT"', "no price of BTCUSDT is within the bands"),
    ],
)
def test_a_number_that_an_instrument_cannot_express_is_refused(tmp_path, old, new, said):
    read = read_reference(a_file(tmp_path, GOOD.replace(old, new, 1)))
    with pytest.raises(ConfigError) as caught:
        as_event(read, SPECS, wall_ns=NOW_NS, mono_ns=5)
    assert said in caught.value.problems[0]


def test_what_init_writes_is_good_and_tells_of_what_it_trades(tmp_path):
    read = read_reference(a_file(tmp_path, reference_text()))
    config = load(a_config_file(tmp_path))
    assert [] == read.missing(config.limits.instrument)
    assert ["DOGE"] == read.missing(["BTCUSDT", "DOGE"])


# --- hours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "spans"),
    [
        (["daily 00:00-24:00"], ((0, 7 * 1440),)),
        (["Mon 09:30-16:00"], ((570, 960),)),
        (["sun 22:00-02:00"], ((0, 120), (6 * 1440 + 1320, 7 * 1440))),
        (["Fri-Mon 10:00-11:00"], tuple((day * 1440 + 600, day * 1440 + 660) for day in (0, 4, 5, 6))),
        (["Mon 10:00-12:00", "Mon 11:00-13:00"], ((600, 780),)),
    ],
)
def test_hours_come_to_minutes_of_the_week(texts, spans):
    assert spans == week_spans(texts)


@pytest.mark.parametrize(
    "text",
    ["", "Mon", "Mon 9:30-16:00", "Mon 09:30-25:00", "Mon 09:60-10:00", "Foo 09:00-10:00", "Mon 24:00-01:00"],
)
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(BadHours, match="expected spans"):
        week_spans([text])


def test_no_hours_at_all_are_refused():
    with pytest.raises(BadHours):
        week_spans([])


# --- halts of the market --------------------------------------------------------------------------------------------


def test_halts_are_read_in_order_of_their_falls():
    assert (
        MarketHalt(fall_ppm=30_000, level=HoldLevel.REDUCED, everywhere=False),
        MarketHalt(fall_ppm=70_000, level=HoldLevel.REDUCE_ONLY, everywhere=True),
    ) == read_halts(["7% reduce_only account", "3% reduced instrument"])


@pytest.mark.parametrize(
    "texts",
    [["7%"], ["7% killed account"], ["7 reduced account"], ["0% reduced account"], ["7% halted firm"]],
)
def test_a_halt_that_is_none_is_refused(texts):
    with pytest.raises(BadValue):
        read_halts(texts)


def test_a_larger_fall_that_does_less_is_refused():
    with pytest.raises(BadValue, match="does less"):
        read_halts(["5% halted account", "7% reduced account"])


# --- in the configuration -------------------------------------------------------------------------------------------


def test_all_of_it_reaches_the_settings(tmp_path):
    hours = '# instrument.BTCUSDT = ["Mon-Fri 07:00-20:00"]'
    found = resolve(
        load(
            a_config_file(
                tmp_path, ("# [hours]", "[hours]"), (hours, 'instrument.BTCUSDT = ["Mon 07:00-20:00"]')
            )
        ),
        SPECS,
    )
    assert ReferenceRules(age_ms_max=30 * 86_400_000, when_stale=HoldLevel.NONE) == found.reference
    assert (Hours(scope=Scope(instrument="BTCUSDT"), spans=((420, 1200),)),) == found.hours
    assert "BTCUSDT" == found.benchmark
    assert [30_000, 50_000, 70_000, 100_000, 130_000, 150_000, 200_000] == [
        one.fall_ppm for one in found.market_halts
    ]
    account, (btc, _) = found.account_limits, found.instrument_limits
    assert (100_000 * 10**8, 400_000) == (account.net_notional_e8_max, account.group_share_ppm_max)
    assert (200_000, 100_000, 20_000_000) == (
        btc.equity_share_ppm_max,
        btc.adv_share_ppm_max,
        btc.depth_ppm_max,
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('benchmark = "BTCUSDT"', 'benchmark = "SPY"', "SPY has no [limits.instrument.SPY]"),
        ('"3% reduced instrument"', '"3%"', "expected a fall"),
        ("age_days_max = 30", "age_days_max = 0", "expected 1 to 366"),
        ('when_stale = "refuse"', 'when_stale = "ignore"', "when_stale"),
        (
            "# [hours]",
            '[hours]\nstrategy.nobody = ["daily 00:00-24:00"]',
            "there is no strategy of this name",
        ),
        ("# [hours]", '[hours]\ninstrument.BTCUSDT = ["soon"]', "expected spans"),
        ('file = "reference.toml"', 'file = ""', "expected a file, got an empty text"),
        ('file = "reference.toml"', 'file = "../reference.toml"', "a plain path without .."),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(old, new, said):
    with pytest.raises(ConfigError) as caught:
        load_text(a_config_text((old, new)), where="bot.toml")
    assert any(said in line for line in caught.value.problems), caught.value.problems


def test_a_multiple_may_be_written_as_a_percentage():
    assert Multiple(200_000) == Multiple.read("20%") == Multiple.read("0.2x") == Multiple.read("0.2")
