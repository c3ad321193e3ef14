"""The doctor's look at a venue: lines, exit codes, and who may send a canary."""

import json
import socket
from pathlib import Path

import pytest

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.init import CAPS_NAME
from holdfast.app.options import DoctorOptions, RunOptions
from holdfast.app.probe import main
from holdfast.app.run import main as run_main
from holdfast.app.templates import CAPS
from holdfast.config.identity import venue_name
from holdfast.guard.latch import Latch, guard_dir, key_of
from holdfast.ports.venue import VenueUnusable
from holdfast.sim.config import LimitsConfig, SimConfig
from tests.house.configs import a_config_text
from tests.house.simulated import served
from tests.process.processes import write_private

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def sim():
    with served(SimConfig(limits=LimitsConfig(weight_per_minute=600_000))) as venue:
        yield venue


@pytest.fixture
def doctor(sim, tmp_path, monkeypatch, capsys):
    """``doctor(change…)``: (exit code, what it said) on a configuration with these changes."""
    guard = tmp_path / "guard"
    guard.mkdir(mode=0o700)
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(guard))

    def look(*changes, json_wanted=False):
        text = a_config_text(
            ("http://127.0.0.1:8710", sim.url),
            ("ws://127.0.0.1:8710", sim.url.replace("http", "ws", 1)),
            *changes,
        )
        (tmp_path / CAPS_NAME).write_text(CAPS)
        write_private(tmp_path / "keys.toml", 'api_key = "sim-key"\nsecret = "sim-secret"\n')
        (tmp_path / "holdfast.toml").write_text(text)
        code = main(DoctorOptions(config=str(tmp_path / "holdfast.toml"), json=json_wanted))
        return code, capsys.readouterr().out

    return look


def canaries(sim):
    return [one for one in sim.requests("place") if one["client_id"].startswith("hfcanary-")]


def test_one_line_for_each_check_and_the_words_that_a_script_may_rely_on(doctor):
    code, said = doctor()
    assert Exit.OK == code
    assert {"ok", "warn"} == {line.split()[0] for line in said.splitlines()}
    code, said = doctor(json_wanted=True)
    told = json.loads(said)
    assert told["ok"]
    assert all(len(row) == 4 for row in told["checks"])


BACKUPS = """[feeds]
dead_after = "5s"
too_old_after = "500ms"
back_after = "30s"

"""


def backup(name, **keys):
    rows = "".join(f"{key} = {value}\n" for key, value in keys.items())
    return f"[feeds.backup.{name}]\n{rows}\n"


def test_every_feed_is_listened_to_and_a_backup_that_brings_nothing_fails(sim, doctor):
    """It is found out today, and not on the day on which it is needed."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        dead = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
        feeds = BACKUPS + backup("second", source='"binance"')
        feeds += backup("third", source='"binance"', url=f'"{dead}"')
        code, said = doctor(("[paths]", feeds + "[paths]"), json_wanted=True)
    checks = {row[0]: row[1:] for row in json.loads(said)["checks"] if row[0].startswith("feed ")}
    assert Exit.REFUSED == code
    assert {"feed binance": "ok", "feed second": "ok", "feed third": "FAIL"} == {
        name: row[0] for name, row in checks.items()
    }
    assert checks["feed second"][1].startswith("quotes of all 2 instruments, the first after ")
    assert checks["feed third"][1].startswith("brings no quote: ")


def test_a_backup_that_prices_something_else_fails(sim, doctor):
    """Bitcoin named as ether: from its first word on each quote of ours would be refused."""
    urls = {"url": f'"{sim.url.replace("http", "ws", 1)}"', "rest_url": f'"{sim.url}"'}
    other = backup(
        "other", source='"ccxt"', venue='"binanceusdm"', instruments='{ ETHUSDT = "BTC/USDT:USDT" }', **urls
    )
    code, said = doctor(("[paths]", BACKUPS + other + "[paths]"))
    (line,) = [line for line in said.splitlines() if "feed other" in line]
    assert Exit.REFUSED == code
    assert line.startswith("FAIL  feed other")
    assert "from the primary feed's; is it the same thing there?" in line


def test_a_venue_that_cannot_be_used_at_all_is_one_line(sim, doctor):
    sim.control("POST", "/account", {"dual_side": True})
    try:
        code, said = doctor()
    finally:
        sim.control("POST", "/account", {"dual_side": False})
    assert (Exit.VENUE_UNUSABLE, 1) == (code, len(said.splitlines()))
    assert said.startswith("FAIL  venue  the account is in hedge mode")


def test_only_a_silent_venue_is_asked_about_being_there(sim, doctor, tmp_path):
    """Whoever answers that the account is in hedge mode is running."""
    doctor(('deadman = "60s"', 'deadman = "0s"'))  # writes the files of a bot
    sim.control("POST", "/account", {"dual_side": True})
    try:
        with pytest.raises(VenueUnusable) as caught:
            run_main(RunOptions(config=str(tmp_path / "holdfast.toml"), json=True))
    finally:
        sim.control("POST", "/account", {"dual_side": False})
    assert "hedge mode" in str(caught.value)
    text = (tmp_path / "holdfast.toml").read_text()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        silent = f"127.0.0.1:{nobody.getsockname()[1]}"
        (tmp_path / "holdfast.toml").write_text(text.replace(sim.url.removeprefix("http://"), silent))
        with pytest.raises(HoldfastError, match="is the simulated venue running"):
            run_main(RunOptions(config=str(tmp_path / "holdfast.toml"), json=True))


def test_no_canary_flies_on_an_account_that_somebody_halted_nor_where_none_is_configured(sim, doctor):
    """The halt is for every order, ours of the doctor too."""
    before = len(canaries(sim))
    code, said = doctor(('deadman = "60s"', 'deadman = "0s"'))
    assert "none is configured" in said
    venue = venue_name(venue="binanceusdm", kind="simulated", rest_url=sim.url)
    latch = Latch(guard_dir(), key_of(venue=venue, account="1000001"))
    latch.trip("ada", "no more today")
    latch.close()
    code, said = doctor()
    assert Exit.OK == code
    assert "not proven: halted by ada" in said
    Path(latch.path).write_bytes(b"not a latch")  # whether it was tripped cannot be known: it counts as if
    code, said = doctor()
    assert "it may be tripped" in said
    assert before == len(canaries(sim))
