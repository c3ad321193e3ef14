"""A start that must not be: one line for each problem, with its place and name; a stable exit code; nothing touched."""

import shutil

import pytest

from holdfast.app.errors import Exit
from tests.process.conftest import FULL
from tests.process.processes import (
    DEMO_CAPS,
    DEMO_REFERENCE,
    a_home,
    configuration,
    roomy_caps,
    run_cli,
    write_private,
)

pytestmark = pytest.mark.process


class NoVenue:
    """Where nothing listens: a start that gets as far as asking has gone too far."""

    url, ws_url, control_url = "http://127.0.0.1:9", "ws://127.0.0.1:9", "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with a_home(tmp_path_factory.mktemp("bad-start")) as home:
        write_private(home.path / DEMO_CAPS.name, roomy_caps())
        shutil.copy(DEMO_REFERENCE, home.path)
        write_private(home.path / "demo-keys.toml", 'api_key = "sim-key"\nsecret = "sim-secret"\n')
        yield home


@pytest.fixture(scope="module")
def venue(here):
    return here.sim()


def said_of(home, text: str) -> tuple[int, list[str]]:
    config = home.path / "holdfast.toml"
    config.write_text(text)
    done = run_cli(home, "run", "--config", str(config), "--no-tui", cwd=home.path)
    assert "" == done.stdout
    return done.returncode, done.stderr.splitlines()


GOOD = configuration(NoVenue(), strategy="Sleeper", params={}, edits={})
CASES = {
    # what is done to a good configuration, the exit code, what the line names
    "malformed": (
        GOOD.replace('name = "demo"', 'name = "demo'),
        Exit.USAGE,
        ["holdfast.toml:5: not valid TOML"],
    ),
    "unknown key": (GOOD.replace("leverage = 3", "leverage = 3\nlevrage = 3"), Exit.USAGE, ["venue.levrage"]),
    "missing limit": (
        GOOD.replace('collar = "5%"\n', "", 1),
        Exit.USAGE,
        ["limits.instrument.BTCUSDT.collar"],
    ),
    "negative": (
        GOOD.replace('order_max = "0.5 BTC"', 'order_max = "-0.5 BTC"', 1),
        Exit.USAGE,
        ["order_max"],
    ),
    "nan": (GOOD.replace('order_max = "0.5 BTC"', 'order_max = "nan BTC"', 1), Exit.USAGE, ["order_max"]),
    "no keys": (GOOD.replace("demo-keys.toml", "no-keys.toml"), Exit.USAGE, ["no-keys.toml"]),
    "no venue": (GOOD, Exit.VENUE_UNUSABLE, ["127.0.0.1:9"]),
}


QUICK = ("malformed", "unknown key", "missing limit", "nan")


@pytest.mark.parametrize("case", CASES if FULL else QUICK)
def test_it_refuses_in_one_line_that_names_the_place(here, case):
    """Found at the desk, not in the market."""
    text, code, named = CASES[case]
    got, lines = said_of(here, text)
    assert 1 == len(lines), lines
    assert code == got
    assert lines[0].startswith("holdfast: ")
    for name in named:
        assert name in lines[0]


VENUE_CASES = [
    (('order_max = "0.5 BTC"', 'order_max = "0.5 ETH"'), Exit.USAGE, "limits.instrument.BTCUSDT.order_max"),
    (("demo-keys.toml", "wrong-keys.toml"), Exit.VENUE_UNUSABLE, "Invalid API-key"),
    ((":Sleeper", ":Nobody"), Exit.USAGE, "Nobody"),
    (("BTCUSDT", "NOPEUSDT"), Exit.VENUE_UNUSABLE, "NOPEUSDT"),
]


@pytest.mark.parametrize(("edit", "code", "named"), VENUE_CASES if FULL else VENUE_CASES[:2])
def test_what_only_the_venue_can_tell_is_refused_before_anything_is_traded(here, venue, edit, code, named):
    """Units, instruments and keys are held against the venue's own facts."""
    write_private(here.path / "wrong-keys.toml", 'api_key = "nobody"\nsecret = "sim-secret"\n')
    text = configuration(venue, strategy="Sleeper", params={}, edits={})
    got, lines = said_of(here, text.replace(*edit, 1 if "order_max" in edit[0] else -1))
    assert (code, 1) == (got, len(lines)), lines
    assert named in lines[0]
    assert [] == venue.requests()


def test_a_key_file_that_others_may_read_is_refused(here):
    """A key that others can read is not a secret."""
    keys = here.path / "open-keys.toml"
    write_private(keys, 'api_key = "sim-key"\nsecret = "sim-secret"\n')
    keys.chmod(0o644)
    got, lines = said_of(here, GOOD.replace("demo-keys.toml", "open-keys.toml"))
    assert (Exit.USAGE, 1) == (got, len(lines))
    assert "open-keys.toml" in lines[0]
    assert "sim-secret" not in lines[0]


def test_wrong_words_to_a_start_are_one_line(here):
    for words, named in (
        (("run", "--frobnicate"), "--frobnicate"),
        (("run", "--for", "soon"), "--for"),
        (("run", "--config", "nowhere.toml"), "nowhere.toml"),
        (("journal", "replay", "--state-dir", "nowhere"), "nowhere"),
    ):
        done = run_cli(here, *words, cwd=here.path)
        assert (Exit.USAGE, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
        assert named in done.stderr


def test_a_state_directory_of_another_environment_or_account_is_refused(here, venue):
    """A practice run's books would be traded on with real money; another account's position would be taken for ours."""
    text = configuration(venue, strategy="Sleeper", params={}, edits={})
    config = here.path / "holdfast.toml"
    config.write_text(text)
    done = run_cli(here, "run", "--config", str(config), "--no-tui", "--for", "1s", cwd=here.path)
    assert 0 == done.returncode, done.stderr
    asked = len(venue.requests())
    practice = "".join(
        line.replace('"simulated"', '"testnet"')
        for line in text.splitlines(keepends=True)
        if not line.startswith("control_url")
    )
    for other, named in (
        (practice, "of binanceusdm simulated, the configuration is of binanceusdm testnet"),
        (text.replace('name = "demo"', 'name = "other"', 1), "belongs to account 'demo', not 'other'"),
    ):
        got, lines = said_of(here, other)
        assert (Exit.USAGE, 1) == (got, len(lines)), lines
        assert named in lines[0]
    try:
        venue.control("POST", "/account", {"uid": "4711"})  # the key opens another account now
        got, lines = said_of(here, text)
        assert (Exit.USAGE, 1) == (got, len(lines)), lines
        assert "the key opens 4711" in lines[0]
    finally:
        venue.control("POST", "/account", {"uid": "1000001"})
    assert asked == len(venue.requests())
