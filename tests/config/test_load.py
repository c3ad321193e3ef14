"""A configuration is read whole or not at all, and every fault has its file, its place and what was expected."""

import re
from pathlib import Path

import msgspec
import pytest

from holdfast.config.check import DURATIONS_MAX
from holdfast.config.errors import ConfigError
from holdfast.config.load import beside, load, load_text, strategy_class
from holdfast.config.schema import (
    DeadSwitchSection,
    FeedsSection,
    TimingsSection,
    VenueKind,
    WatchdogSection,
)
from holdfast.config.toml import Document
from holdfast.config.values import Duration
from tests.house.configs import a_config_file, a_config_text

KEY_LINE = re.compile(r"^([a-z_]+) = ", flags=re.MULTILINE)
SECTIONS = (
    "account",
    "venue",
    "feed",
    "paths",
    "limits.account",
    "limits.instrument.BTCUSDT",
    "timings",
    "dead_switch",
)
NAMES = {"name", "venue", "settle_asset", "state_dir", "caps_file"}  # where "nan" is a word like any other
OPTIONAL = {"uid", "key_file", "control_url", "operators_file", "rest_url", "stream_url"}


def problems(text):
    with pytest.raises(ConfigError) as caught:
        load_text(text, where="bot.toml")
    return caught.value.problems


def keys_of(section):
    """The keys that init writes into a section."""
    text = a_config_text()
    body = text.partition(f"[{section}]")[2].partition("\n[")[0]
    return KEY_LINE.findall(body)


REQUIRED = [(section, key) for section in SECTIONS for key in keys_of(section) if key not in OPTIONAL]


def without(section, key):
    head, mark, rest = a_config_text().partition(f"[{section}]")
    return head + mark + re.sub(rf"(?m)^{key} = .*\n", "", rest, count=1)


def with_value(section, key, value):
    head, mark, rest = a_config_text().partition(f"[{section}]")
    return head + mark + re.sub(rf"(?m)^{key} = .*$", lambda _: f"{key} = {value}", rest, count=1)


def test_what_init_writes_is_good():
    config = load_text(a_config_text(), where="bot.toml")
    assert VenueKind.SIMULATED is config.venue.kind
    assert ["BTCUSDT", "ETHUSDT"] == list(config.limits.instrument)
    assert 1_000 == config.timings.quote_age_max.ms


def test_there_are_as_many_required_keys_as_the_sweep_believes():
    """A sweep over nothing passes."""
    assert len(REQUIRED) > 40


@pytest.mark.parametrize(("section", "key"), REQUIRED, ids=lambda part: part)
def test_a_missing_key_stops_the_start_and_is_named(section, key):
    """Forgetting a limit must not mean infinity."""
    said = problems(without(section, key))
    assert any(f"{section}.{key}: missing" in line for line in said), said


@pytest.mark.parametrize("section", SECTIONS)
def test_a_missing_table_is_named(section):
    text = a_config_text()
    head, _, rest = text.partition(f"[{section}]")
    body, mark, tail = rest.partition("\n[")
    assert body
    said = problems(head + (mark.lstrip("\n") + tail if mark else ""))
    table = section.rpartition(".")[0] or section
    assert any(table in line and ("missing" in line or "has no" in line) for line in said), said


@pytest.mark.parametrize(("section", "key"), REQUIRED, ids=lambda part: part)
@pytest.mark.parametrize(
    "value", ["nan", "-inf", "-1", '"-1"', '"nan"', "[]", "{}", '""', "true", "1979-05-27"]
)
def test_a_value_that_makes_no_sense_is_refused_with_its_key(section, key, value):
    if key in NAMES and value in {'"-1"', '"nan"'}:
        return
    said = problems(with_value(section, key, value))
    assert any(f"{section}.{key}: " in line for line in said), said


@pytest.mark.parametrize("section", [*SECTIONS, "serve", "up", "log", "strategy.quoter"])
def test_an_unknown_key_stops_the_start_and_is_named(section):
    """A typo in a limit's name would otherwise be a limit that is not there."""
    said = problems(a_config_text((f"[{section}]", f"[{section}]\ncollarr = 1")))
    assert any(f"{section}.collarr: unknown key" in line for line in said), said


@pytest.mark.parametrize("text", ["[bypass]\nall = true\n", "[limits.firm]\nx = 1\n"])
def test_an_unknown_table_stops_the_start(text):
    assert any("unknown key" in line for line in problems(a_config_text() + text))


def test_a_likely_name_is_suggested_and_the_line_is_given():
    text = a_config_text(("drawdown_warning =", "drawdown_warnign ="))
    line = next(number for number, one in enumerate(text.splitlines(), start=1) if "warnign" in one)
    assert (
        f"bot.toml:{line}: limits.account.drawdown_warnign: unknown key; did you mean drawdown_warning?"
        in problems(text)
    )


CONTRADICTIONS = [
    (
        'drawdown_warning = "5%"',
        'drawdown_warning = "12%"',
        "limits.account.drawdown_warning: expected less than",
    ),
    (
        'drawdown_release = "3%"',
        'drawdown_release = "5%"',
        "limits.account.drawdown_release: expected less than",
    ),
    (
        "orders_per_s_refuse = 80",
        "orders_per_s_refuse = 100",
        "limits.account.orders_per_s_refuse: expected less",
    ),
    ("orders_per_s_kill = 100", "orders_per_s_kill = 0", "limits.account.orders_per_s_kill: expected 1 to"),
    ("open_orders_max = 40", "open_orders_max = -1", "limits.account.open_orders_max: expected 1 to"),
    ('collar = "5%"', 'collar = "51%"', "limits.instrument.BTCUSDT.collar: expected at most 50%"),
    ('"150000 USDT"', '"150000 BTC"', "limits.account.gross_notional_max: expected an amount of USDT"),
    (
        'order_max = "0.2 BTC"',
        'order_max = "0.2 ETH"',
        "limits.instrument.BTCUSDT.order_max: expected an amount of BTC",
    ),
    (
        'flatten_clip = "2 ETH"',
        'flatten_clip = "2 BTC"',
        "limits.instrument.ETHUSDT.flatten_clip: expected an amount",
    ),
    (
        '[limits.strategy.quoter.BTCUSDT]\norder_max = "0.2 BTC"',
        '[limits.strategy.quoter.BTCUSDT]\norder_max = "200 USDT"',
        "limits.strategy.quoter.BTCUSDT.order_max: expected an amount of BTC, got 200 USDT",
    ),
    ('receive_window = "1s"', 'receive_window = "2s"', "timings.receive_window: expected at most lease_ttl"),
    (
        'position_age_reduce = "30s"',
        'position_age_reduce = "2min"',
        "timings.position_age_reduce: expected at most",
    ),
    ('quote_age_max = "1s"', 'quote_age_max = "0s"', "timings.quote_age_max: expected more than zero"),
    ('deadman = "60s"', 'deadman = "10ms"', "timings.deadman: expected"),
    ("leverage = 2", "leverage = 200", "venue.leverage: expected 1 to 125"),
    (
        'kind = "simulated"',
        'kind = "live"',
        'account.arm: a live venue is armed by a person: expected "person"',
    ),
    ('kind = "simulated"', 'kind = "testnet"', "account.arm: a testnet venue is armed by a person"),
    ('kind = "simulated"', 'kind = "live"', "venue.rest_url: a live venue's addresses are its own"),
    ('kind = "simulated"', 'kind = "live"', "strategy.quoter.sha256: missing"),
    (
        "http://127.0.0.1:8710",
        "http://198.51.100.7:8710",
        "venue.rest_url: a simulated venue is on this machine",
    ),
    ("http://127.0.0.1:8710", "ftp://127.0.0.1", "venue.rest_url: expected an address http://host:port"),
    ("http://127.0.0.1:8710", "http://127.0.0.1:99999", "venue.rest_url: expected an address"),
    ("http://127.0.0.1:8710", "http://user:pass@127.0.0.1:1", "venue.rest_url: expected an address"),
    ('key_file = "keys.toml"', "", "account.key_file: missing"),
    ('key_file = "keys.toml"', 'key_env = "KEY"', "account.secret_env: missing"),
    (
        'key_file = "keys.toml"',
        'key_file = "k"\nkey_env = "A"\nsecret_env = "B"',
        "account.key_file: two places",
    ),
    ('key_file = "keys.toml"', 'key_file = "../../etc/keys.toml"', "account.key_file: expected a plain path"),
    ('name = "demo"', 'name = "de mo"', "account.name: expected 1 to 32"),
    ('name = "demo"', 'name = "../x"', "account.name: expected 1 to 32"),
    ('["BTCUSDT", "ETHUSDT"]', "[]", "strategy.quoter.instruments: expected at least one"),
    (
        '["BTCUSDT", "ETHUSDT"]',
        '["BTCUSDT", "BTCUSDT"]',
        "strategy.quoter.instruments: names an instrument twice",
    ),
    (
        '["BTCUSDT", "ETHUSDT"]',
        '["BTCUSDT", "XRPUSDT"]',
        "strategy.quoter.instruments: XRPUSDT has no [limits.in",
    ),
    (
        "[limits.strategy.quoter.ETHUSDT]",
        "[limits.strategy.other.ETHUSDT]",
        "a pair without limits may not trade",
    ),
    ("[limits.strategy.quoter.ETHUSDT]", "[limits.strategy.other.ETHUSDT]", "there is no [strategy.other]"),
    (
        "churn_round_trips_max = 60",
        "churn_round_trips_max = 0",
        "quoter.BTCUSDT.churn_round_trips_max: expected 1 to 500",
    ),
    ("churn_round_trips_max = 60", "churn_round_trips_max = 501", "churn_round_trips_max: expected 1 to 500"),
    ("churn_round_trips_max = 60", "", "quoter.BTCUSDT.churn_round_trips_max: missing"),
    ("churn_round_trips_max = 60", "churn_trips_max = 60", "BTCUSDT.churn_trips_max: unknown key"),
    (
        'churn_cost_max = "200 USDT"',
        'churn_cost_max = "200 BTC"',
        "churn_cost_max: expected an amount of USDT",
    ),
    ('churn_cost_max = "200 USDT"', "", "quoter.BTCUSDT.churn_cost_max: missing"),
    ('churn_window = "1min"', 'churn_window = "999ms"', "BTCUSDT.churn_window: expected at least 1s"),
    (
        'churn_window = "1min"',
        'churn_window = "169h"',
        "BTCUSDT.churn_window: expected a duration of at most a week",
    ),
    ('churn_window = "1min"', "", "quoter.BTCUSDT.churn_window: missing"),
    ("TwoSidedQuoter", "not a class!", "strategy.quoter.class: expected"),
    ('host = "127.0.0.1"', 'host = "0.0.0.0"', "serve.host: 0.0.0.0 is not this machine"),
    ("port = 8720", "port = 0", "serve.port: expected 1 to 65535"),
    ('state_dir = "state"', 'state_dir = ""', "paths.state_dir: expected a directory"),
    ('source = "binance"', 'source = "carrier pigeon"', "feed.source: expected one of binance, ccxt"),
    ('"trades", "marks"', '"trades", "gossip"', "feed.streams: expected one of"),
    ('start = ["sim",', 'start = ["cron",', "up.start: expected one of"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CONTRADICTIONS)
def test_a_contradiction_is_one_line_with_its_place(old, new, expected):
    said = problems(a_config_text((old, new)))
    assert any(expected in line for line in said), said
    assert all(line.startswith("bot.toml") and "\n" not in line for line in said)


def test_every_fault_is_said_at_once():
    """Mending one line to be shown the next is how people give up and delete limits."""
    said = problems(
        a_config_text(("open_orders_max = 40", ""), ('collar = "5%"', "collar = 5"), ("leverage = 2", ""))
    )
    assert 3 == len(said)


@pytest.mark.parametrize(
    "text", ["[account", "= 3", 'a = "', "[a]\n[a]", "a = 1\na = 2", "\x00", "a = {", "[limits]\naccount = 3"]
)
def test_what_is_not_toml_or_not_tables_is_said_in_one_line_each(text):
    said = problems(text)
    assert said
    assert all(line.startswith("bot.toml") and "\n" not in line for line in said)


def test_a_key_pasted_where_its_name_belongs_is_not_repeated():
    """Errors go to logs and screenshots."""
    canary = "a-secret-canary-0123456789"
    text = a_config_text(('key_file = "keys.toml"', f'key_env = "{canary}"\nsecret_env = "{canary}"'))
    assert canary not in "\n".join(problems(text))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"#" * (1 << 20) + b"##"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "bot.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load(path)


def test_a_directory_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot read it"):
        load(tmp_path)


def test_relative_paths_start_at_the_configuration(tmp_path, monkeypatch):
    """The same bot must find the same state from whatever directory it is started."""
    (tmp_path / "bot").mkdir()
    path = a_config_file(tmp_path / "bot")
    monkeypatch.chdir(tmp_path)
    config = load(path)
    assert tmp_path / "bot" / "state" == beside(config, config.paths.state_dir)
    assert "holdfast.strategy.examples.two_sided_quoter:TwoSidedQuoter" == strategy_class(config, "quoter")


WATCHDOG = """
[watchdog]
policy = "cancel"
protective = "keep"
dead_after = "2s"
stalled_after = "30s"
venue_look = "30s"
escalate_after = "30s"
key_file = "watchdog-keys.toml"
key_may = "cancel"
"""


def with_watchdog(*changes):
    return a_config_text() + "".join(WATCHDOG.replace(old, new, 1) for old, new in changes or [("", "")])


def test_nobody_judges_a_bot_whose_configuration_names_no_watchdog():
    """It acts on an account without asking: not by default."""
    assert load_text(a_config_text(), where="bot.toml").watchdog is None
    section = load_text(with_watchdog(), where="bot.toml").watchdog
    assert section is not None
    assert ("cancel", 2_000) == (section.policy, section.dead_after.ms)


@pytest.mark.parametrize(
    "key", ["policy", "protective", "dead_after", "stalled_after", "venue_look", "escalate_after"]
)
def test_a_watchdog_has_no_defaults(key):
    (said,) = problems(a_config_text() + re.sub(rf"(?m)^{key} = .*\n", "", WATCHDOG))
    assert f"watchdog.{key}: missing" in said


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('policy = "cancel"', 'policy = "flatten"', "a key that may only cancel cannot flatten"),
        ('key_file = "watchdog-keys.toml"', "", 'watchdog.key_file: missing: policy "cancel" needs a key'),
        ('key_may = "cancel"', "", "watchdog.key_may: missing"),
        ("watchdog-keys.toml", "keys.toml", "watchdog.key_file: is the bot's own"),
        ("watchdog-keys.toml", "../keys.toml", "watchdog.key_file: expected a plain path"),
        ('dead_after = "2s"', 'dead_after = "900ms"', "watchdog.dead_after: expected at least lease_ttl"),
        ('stalled_after = "30s"', 'stalled_after = "9s"', "expected at least twice reconcile_orders"),
        ('venue_look = "30s"', 'venue_look = "1s"', "watchdog.venue_look: expected at least 5s"),
        ('escalate_after = "30s"', 'escalate_after = "0s"', "watchdog.escalate_after: expected more than"),
    ],
)
def test_a_watchdog_that_could_not_do_what_it_is_for_is_refused(old, new, expected):
    said = problems(with_watchdog((old, new)))
    assert any(expected in line for line in said), said


def test_two_dead_switches_never_close_one_position():
    text = with_watchdog().replace("[dead_switch]                  #", "[dead_switch]  #")
    inside = text.index("[dead_switch]")
    text = text[:inside] + text[inside:].replace('policy = "cancel"', 'policy = "flatten"', 1)
    assert any("two would close one position" in line for line in problems(text))
    alone = text.replace(WATCHDOG, "")
    assert "flatten" == load_text(alone, where="bot.toml").dead_switch.policy
    short = alone.replace('hung_after = "2s"', 'hung_after = "500ms"')
    assert any("dead_switch.hung_after: expected at least lease_ttl" in line for line in problems(short))


def test_up_cannot_start_a_watchdog_that_is_not_configured():
    text = a_config_text(('start = ["sim", "run", "serve"]', 'start = ["sim", "run", "watchdog"]'))
    assert any("names the watchdog, and there is no [watchdog]" in line for line in problems(text))


FEEDS = """
[feeds]
dead_after = "5s"
too_old_after = "500ms"
back_after = "30s"

[feeds.backup.second]
source = "binance"
"""
TIMES = [
    (section, one.encode_name)
    for section, kind in (
        ("timings", TimingsSection),
        ("dead_switch", DeadSwitchSection),
        ("watchdog", WatchdogSection),
        ("feeds", FeedsSection),
    )
    for one in msgspec.structs.fields(kind)
    if one.type is Duration
]


def with_times(*changed):
    """Every section that holds times, and these of them set: ((section, key), text)."""
    text = with_watchdog() + FEEDS
    for (section, key), value in changed:
        begins = text.index(f"\n[{section}]")
        text = text[:begins] + re.sub(rf"(?m)^{key} = \S+", f'{key} = "{value}"', text[begins:], count=1)
    return text


@pytest.mark.parametrize("key", TIMES, ids=".".join)
def test_no_time_is_long_enough_to_turn_off_what_it_guards(key):
    """A lease of a day, data a day old: a check that says good to these guards nothing."""
    name = ".".join(key)
    said = [line for line in problems(with_times((key, "24h"))) if f"{name}: expected at most" in line]
    assert 1 == len(said), said
    assert "got 24h" in said[0]


def test_the_longest_of_every_time_is_good():
    longest = [(key, most) for key, (most, _) in DURATIONS_MAX.items()]
    config = load_text(with_times(*longest), where="bot.toml")
    assert "10min" == repr(config.timings.deadman)
    (said,) = problems(with_times((("timings", "deadman"), "5h")))
    assert "timings.deadman: expected at most 10min, got 5h: so long the orders of a dead bot rest" in said


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'lease_ttl = "1s"',
            'lease_ttl = "1s"\nlease_ttl = "2s"',
            "not valid TOML: lease_ttl is set twice (column ",
        ),
        ('lease_ttl = "1s"', '\nlease_ttl "1s"', "not valid TOML: expected '=' after a key"),
    ],
)
def test_what_is_no_toml_is_told_in_the_shape_of_every_other_problem(old, new, expected):
    """An editor jumps to file:line, and a key of two lines is looked for by its name."""
    text = a_config_text((old, new))
    line = text[: text.index(new)].count("\n") + 2
    (said,) = problems(text)
    assert said.startswith(f"bot.toml:{line}: {expected}"), said


def test_a_secret_file_that_is_no_toml_shows_nothing_of_itself():
    with pytest.raises(ConfigError) as caught:
        Document('hunter2 = "a"\nhunter2 = "b"\n', where="keys.toml", secret=True)
    assert ("keys.toml:2: not valid TOML (column 14)",) == caught.value.problems


def test_every_file_is_named_from_where_one_stands(tmp_path, monkeypatch):
    """The caps stand beside the configuration: their problems are told by the same kind of path as its own."""
    path = a_config_file(tmp_path)
    (tmp_path / "caps.toml").write_text("surplus = 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(Path(path.name))
    assert [] == [line for line in caught.value.problems if not line.startswith("caps.toml")]
