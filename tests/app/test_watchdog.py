"""``holdfast watchdog`` says in one line why it does not start, and writes nothing then."""

import pytest

from holdfast.app.check import main as check
from holdfast.app.doctor import BAD, GOOD, WARN, examine
from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.init import main as init
from holdfast.app.last_resort import make_dead_switch, standing_orders
from holdfast.app.options import InitOptions, WatchdogOptions
from holdfast.app.watchdog import main
from holdfast.config.errors import ConfigError
from holdfast.config.load import load
from holdfast.config.secrets import Secrets, load_webhook
from holdfast.watchdog.orders import Policy

SECTION = """
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


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(tmp_path / "guard"))
    init(InitOptions(directory=str(tmp_path / "bot")))
    return tmp_path / "bot"


def written(home, section, *changes):
    path = home / "holdfast.toml"
    text = path.read_text() + section
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def start(path, **options):
    return main(WatchdogOptions(config=str(path), **options))


def private(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


def test_without_a_table_of_its_own_it_does_not_start(home, capsys):
    with pytest.raises(HoldfastError, match=r"watchdog: missing") as caught:
        start(written(home, ""))
    assert Exit.USAGE is caught.value.exit_code


def test_a_flatten_with_a_key_that_may_only_cancel_refuses_to_start(home):
    """It would cancel the stop-losses and then find out that it may not close."""
    path = written(home, SECTION.replace('policy = "cancel"', 'policy = "flatten"'))
    with pytest.raises(ConfigError, match="a key that may only cancel cannot flatten"):
        start(path)


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_key_that_is_missing_or_readable_by_others_refuses_to_start(home, mode):
    path = written(home, SECTION)
    if mode is not None:
        private(home / "watchdog-keys.toml", 'api_key = "k"\nsecret = "s"\n')
        (home / "watchdog-keys.toml").chmod(mode)
    with pytest.raises(ConfigError, match=r"watchdog-keys\.toml"):
        start(path)
    assert not (home / "state").exists()


def test_a_venue_without_a_client_of_last_resort_can_be_paged_about_and_no_more(home):
    changes = ('venue = "binanceusdm"', 'venue = "kraken"'), ('source = "binance"', 'source = "ccxt"')
    with pytest.raises(HoldfastError, match='kraken has no client of last resort: expected "page"'):
        start(written(home, SECTION, *changes))
    config = load(home / "holdfast.toml")
    warned = []

    class Log:
        def warning(self, text, **more):
            warned.append((text, more))

    make_dead_switch(
        config, Secrets(api_key="k", secret="s"), latch=None, lease=None, clock_ns=lambda: 0, log=Log()
    )
    assert [{"venue": "kraken"}] == [more for _, more in warned]


def test_one_look_needs_no_key_and_no_bot(home, capsys):
    path = written(home, SECTION)
    assert Exit.NOT_RUNNING == start(path, once=True)
    assert "the bot is nobody: no bot has held its lease since boot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('url = "http://198.51.100.7/x"', "expected https://"),
        ('url = "ftp://127.0.0.1/x"', "expected an address https://"),
        ('url = ""', "expected an address https://"),
        ("", "url: missing"),
        ('url = "https://198.51.100.7/x"\ntoken = "canary"', "not known here"),
    ],
)
def test_a_webhook_that_is_none_is_refused_without_repeating_it(home, text, words):
    path = written(home, SECTION)
    private(home / "webhook.toml", text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_webhook(load(path), "webhook.toml")
    assert "canary" not in str(caught.value)
    assert "198.51" not in str(caught.value)


def test_a_webhook_shows_nothing_of_itself(home):
    path = written(home, SECTION)
    private(home / "webhook.toml", 'url = "https://198.51.100.7/canary"\nbearer = "canary"')
    webhook = load_webhook(load(path), "webhook.toml")
    assert "canary" == webhook.bearer
    assert "canary" not in f"{webhook!r}"


def test_standing_orders_are_the_bots_own_limits(home):
    """One place to write how a position may be left."""
    config = load(home / "holdfast.toml")
    orders = standing_orders(config, policy="flatten", protective="keep", escalate_after_ms=30_000)
    assert (Policy.FLATTEN, True, 2.0, 1.0) == (
        orders.policy,
        orders.keep_protective,
        orders.window_s,
        orders.exit_window_s,
    )
    assert ("0.1", 20_000) == (str(orders.limits["BTCUSDT"].clip), orders.limits["BTCUSDT"].collar_ppm)


def test_what_a_watchdog_would_miss_is_found_before_it_is_needed(home, capsys):
    """A key that cannot be read is found at a desk, not at a death."""
    path = written(home, SECTION + 'webhook_file = "webhook.toml"\n')

    def found():
        return next(one for one in examine(str(path)) if one.what == "watchdog")

    for missing in ("watchdog-keys.toml", "webhook.toml"):
        assert (BAD, True) == (found().verdict, missing in found().found)
        with pytest.raises(ConfigError, match=missing):
            check(str(path), json=False)
        private(home / missing, 'api_key = "k"\nsecret = "s"\n')
    private(home / "webhook.toml", 'url = "http://127.0.0.1:9/"\n')
    assert (GOOD, "cancel, 2s after the last sign of life") == (found().verdict, found().found)
    assert Exit.OK == check(str(path), json=False)


@pytest.mark.parametrize(("kind", "verdict"), [("simulated", GOOD), ("paper", WARN)])
def test_a_bot_that_nobody_judges_is_said(home, kind, verdict):
    path = written(home, "", ('kind = "simulated"', f'kind = "{kind}"'), ('control_url = "', '# "'))
    (found,) = [one for one in examine(str(path)) if one.what == "watchdog"]
    assert (verdict, True) == (found.verdict, "nobody judges" in found.found)
