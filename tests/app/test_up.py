"""``holdfast up`` with a simulated venue of its own: books of a venue that is gone are put aside, not traded on."""

import subprocess
import sys
import threading
import time

import pytest

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.init import main as init
from holdfast.app.options import InitOptions, UpOptions
from holdfast.app.up import _END_ORDER, _let_the_watchdog_act, _start_empty
from holdfast.config.load import load
from tests.house.operating import registered


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(tmp_path / "guard"))
    init(InitOptions(directory=str(tmp_path / "bot")))
    return tmp_path / "bot"


def books(home, name="state"):
    (home / name / "journal").mkdir(parents=True)
    (home / name / "journal" / "000.seg").write_bytes(b"x")


def start(home, **options):
    path = home / "holdfast.toml"
    _start_empty(load(path), UpOptions(config=str(path), **options))


def test_the_books_of_the_last_venue_are_kept_beside(here, capsys):
    books(here)
    start(here)
    aside = [path for path in here.iterdir() if path.name.startswith("state-")]
    assert 1 == len(aside)
    assert b"x" == (aside[0] / "journal" / "000.seg").read_bytes(), "nothing is ever deleted"
    assert not (here / "state").exists()
    assert str(aside[0]) in capsys.readouterr().out, "it is said where they went"


def test_a_first_start_moves_nothing(here, capsys):
    start(here)
    assert "" == capsys.readouterr().out.partition("next:")[2].partition("\n")[2]


def test_the_books_of_a_running_bot_stay_where_they_are(here):
    books(here)
    registered(here / "state", latch=None)
    with pytest.raises(HoldfastError, match="running already") as caught:
        start(here)
    assert Exit.LEASE_HELD is caught.value.exit_code
    assert (here / "state" / "journal").is_dir()


def test_a_venue_that_was_there_before_keeps_its_books(here):
    """Only the venue that up itself starts is known to be empty."""
    books(here)
    path = here / "holdfast.toml"
    path.write_text(path.read_text().replace('start = ["sim", "run", "serve"]', 'start = ["run"]'))
    start(here)
    assert (here / "state" / "journal").is_dir()


WATCHDOG = """
[watchdog]
policy = "page"
protective = "keep"
dead_after = "2s"
stalled_after = "30s"
venue_look = "30s"
escalate_after = "30s"
"""


def waited(home, code):
    """How long it waits for the watchdog once a run has ended so; at most half a second."""
    path = home / "holdfast.toml"
    path.write_text(path.read_text() + WATCHDOG)
    run = subprocess.Popen([sys.executable, "-c", code])
    watchdog = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run.wait(timeout=10)
    ending = threading.Event()
    threading.Timer(0.5, ending.set).start()
    began = time.monotonic()
    try:
        _let_the_watchdog_act(load(path), {"run": run, "watchdog": watchdog}, ending)
        return time.monotonic() - began
    finally:
        watchdog.kill()
        watchdog.communicate()


def test_a_bot_that_was_killed_leaves_the_watchdog_time_to_act(here, capsys):
    """It is needed in that very moment, and not ended in it."""
    assert waited(here, "import os; os.kill(os.getpid(), 9)") >= 0.4
    assert "run was ended by signal 9; the watchdog has 17 s to act" in capsys.readouterr().out


def test_a_bot_that_ended_as_it_should_is_not_waited_for(here):
    assert waited(here, "pass") < 0.2


def test_the_bot_ends_before_whoever_watches_it_and_the_venue_last():
    assert ["run", "watchdog", "sim"] == [name for name in _END_ORDER if name != "serve"]
