"""Stopping from a terminal, with real processes: whatever state the bot is in, the latch is tripped."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.app.init import write_keys
from holdfast.app.venues import account_identity, venue_identity
from holdfast.config.load import load
from holdfast.config.secrets import load_secrets
from holdfast.guard.latch import shell_line
from holdfast.guard.notes import read_note
from holdfast.ops.registry import entry_here, register, start_ticks
from holdfast.runtime.wire import Answer
from tests.house.configs import a_config_file, a_config_text
from tests.house.operating import (
    Terminal,
    a_flatten,
    a_latch,
    a_status,
    an_answering_bot,
    registered,
)

pytestmark = pytest.mark.process


@pytest.fixture
def guard(tmp_path, monkeypatch):
    directory = tmp_path / "guard"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", str(directory))
    return directory


@pytest.fixture
def run(tmp_path, guard):
    home = tmp_path / "home"
    home.mkdir()

    return Terminal(home=home, guard_dir=guard)


def a_config(home):
    return a_config_file(home)


def test_a_running_bot_is_latched_and_told(run, guard):
    latch = a_latch(guard)
    with an_answering_bot(run.home / "state") as bot:
        registered(run.home / "state", latch=latch)
        said = run("halt", "--reason", "looks odd")
        assert (0, "") == (said.code, said.err)
        assert latch.tripped()
        assert [("halt", "looks odd")] == [(act.verb, act.reason) for act in bot.told]
    note = latch.note(latch.observe())
    assert note is not None
    assert "looks odd" == note.reason
    assert note.by.startswith("login:")


def test_a_dead_bot_is_latched(run, guard):
    """It will start halted, and so it stays until a person has looked."""
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    said = run("halt", "--reason", "it died")
    assert 0 == said.code
    assert latch.tripped()
    assert "no bot is running" in said.out


def test_a_hung_bot_is_latched_and_not_waited_for(run, guard, tmp_path):
    """The halt of a stuck loop is exactly the halt that is needed."""
    latch = a_latch(guard)
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path.cwd())!r})
from tests.house.operating import Terminal, an_answering_bot
with an_answering_bot(Path({str(run.home / "state")!r})):
    print("up", flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as bot:
        try:
            assert bot.stdout is not None
            assert "up\n" == bot.stdout.readline()
            entry = registered(run.home / "state", latch=latch)
            register(entry._replace(pid=bot.pid))
            bot.send_signal(signal.SIGSTOP)
            said = run("halt")
            assert 0 == said.code, said
            assert latch.tripped()
            assert "does not answer" in said.out
        finally:
            bot.kill()


@pytest.mark.parametrize("broken", [None, "[account", "[account]\nname = 3\n", b"\xff"])
def test_a_broken_configuration_keeps_nobody_from_halting(run, guard, broken):
    """Its bot was started before the edit that broke it."""
    latch = a_latch(guard)
    config = a_config(run.home)
    registered(run.home / "state", latch=latch, config_path=str(config))
    if broken is None:
        config.unlink()
    else:
        config.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    said = run("halt", *(() if broken is not None else ("--config", str(config))))
    assert 0 == said.code, said
    assert latch.tripped()


def test_a_bot_that_the_register_does_not_know_is_found_by_its_configuration(run, guard):
    """The register is a convenience: venue and account number name the latch."""
    config = load(a_config(run.home))
    latch = a_latch(guard, venue=venue_identity(config), uid=config.account.uid)
    assert 0 == run("halt").code
    assert latch.tripped()


def test_an_account_without_a_number_is_found_by_its_key(run, guard):
    """What the command line computes and what the bot computes must be one name, or the halt hits nothing."""
    path = a_config(run.home)
    path.write_text(a_config_text(('uid = "1000001"', "")))
    write_keys(run.home)
    config = load(path)
    latch = a_latch(guard, venue=venue_identity(config), uid=account_identity(config, load_secrets(config)))
    assert 0 == run("halt").code
    assert latch.tripped()


def test_a_bot_that_was_stopped_is_left_alone_by_a_halt_of_whatever_runs(run, guard):
    stopped, running = a_latch(guard, uid="1"), a_latch(guard, uid="2")
    for name, latch in (("stopped", stopped), ("running", running)):
        (run.home / name).mkdir()
        entry = registered(run.home / name, latch=latch, account=name)
        if name == "stopped":
            register(entry._replace(pid=0))
    assert 0 == run("halt").code
    assert running.tripped()
    assert not stopped.tripped()


def test_with_nothing_named_every_bot_is_halted(run, guard):
    """Whoever must stop something and does not know which stops everything."""
    latches = [a_latch(guard, uid=uid) for uid in ("1", "2")]
    for number, latch in enumerate(latches):
        (run.home / f"state{number}").mkdir()
        registered(run.home / f"state{number}", latch=latch, account=f"bot{number}")
    assert 0 == run("halt").code
    assert all(latch.tripped() for latch in latches)


def test_latches_that_no_register_explains_are_tripped_too(run, guard):
    latch = a_latch(guard, uid="77")
    assert 0 == run("halt").code
    assert latch.tripped()


def test_all_means_all(run, guard):
    known, unknown = a_latch(guard, uid="1"), a_latch(guard, uid="2")
    registered(run.home / "state", latch=known)
    said = run("halt", "--all", "--json")
    assert 0 == said.code
    assert 2 == len(said.json)
    assert known.tripped()
    assert unknown.tripped()


def test_one_account_is_halted_by_name_and_the_other_goes_on(run, guard):
    latches = {name: a_latch(guard, uid=name) for name in ("a", "b")}
    for name, latch in latches.items():
        (run.home / name).mkdir()
        registered(run.home / name, latch=latch, account=name)
    assert 0 == run("halt", "--account", "a").code
    assert latches["a"].tripped()
    assert not latches["b"].tripped()


def test_nothing_to_halt_is_said_to_be_so(run):
    said = run("halt")
    assert 4 == said.code
    assert [
        "holdfast: no bot has run on this machine since boot: there is no latch to trip"
    ] == said.error_lines


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_latch_that_cannot_be_written_is_said_loudly(run, guard):
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    Path(latch.path).chmod(0o400)
    said = run("halt")
    assert 8 == said.code
    assert "could NOT be tripped" in said.err


def test_a_latch_that_is_a_link_is_not_followed_and_said_loudly(run, guard):
    """Success reported on failure is worse than failure."""
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    path = Path(latch.path)
    path.symlink_to(path.rename(path.with_suffix(".moved")))
    said = run("halt")
    assert 8 == said.code
    assert "could NOT be tripped" in said.err
    assert 1 == len(said.error_lines)


def test_an_odd_reason_stops_all_the_same_and_stays_one_line(run, guard):
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    assert 0 == run("halt", "--reason", "two\nlines \x1b[31m \u202e " + "x" * 5000).code
    note = read_note(latch.path, latch.observe())
    assert note is not None
    assert note.reason.startswith("two\\u000alines \\u001b[31m \\u202e")
    assert note.reason.isprintable()


def test_a_scoped_halt_needs_the_bot_and_says_so(run, guard):
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    said = run("halt", "--strategy", "quoter")
    assert 4 == said.code
    assert not latch.tripped()


@pytest.mark.parametrize("verb", ["kill", "hardstop", "stop", "pause"])
def test_a_stop_that_nobody_hears_halts_and_says_what_is_left_undone(run, guard, verb):
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    said = run(verb, "--reason", "x")
    assert 4 == said.code
    assert latch.tripped()
    assert "latch tripped" in said.err
    assert "nothing was cancelled" in said.err


@pytest.mark.parametrize("verb", ["cancel", "flatten", "ban instrument BTCUSDT", "resume 7 --reason x"])
def test_what_is_no_stop_does_not_become_one(run, guard, verb):
    latch = a_latch(guard)
    registered(run.home / "state", latch=latch)
    said = run(*shlex.split(verb), "--yes")
    assert said.code in {3, 4}
    assert not latch.tripped()


def test_kill_trips_first_and_then_waits_for_the_venues_word(run, guard):
    latch = a_latch(guard)
    with an_answering_bot(run.home / "state") as bot:
        registered(run.home / "state", latch=latch)
        bot.views["status"] = a_status(flatten=a_flatten())
        said = run("kill", "--reason", "enough")
        assert 0 == said.code, said
        assert "venue says 0, twice" in said.out
        bot.views["status"] = a_status(flatten=a_flatten(flat=False, why="0.1 BTC left at the venue"))
        said = run("kill")
        assert 10 == said.code
        assert "0.1 BTC left at the venue" in said.err
        bot.views["status"] = a_status(open_orders=3)
        said = run("pause", "--wait", "0.3")
        assert 10 == said.code
        assert "3 orders open" in said.err


def test_a_refused_kill_is_not_called_done(run, guard):
    latch = a_latch(guard)
    with an_answering_bot(run.home / "state") as bot:
        registered(run.home / "state", latch=latch)
        bot.answers["kill"] = Answer(ok=False, text="already killed")
        said = run("kill", "--json")
        assert 3 == said.code
        assert not said.json["ok"]
        assert latch.tripped()


def test_abort_ends_a_bot_that_does_not_end_itself(run, guard):
    latch = a_latch(guard)
    with subprocess.Popen(["sleep", "60"]) as stuck:
        entry = entry_here(
            account="demo",
            venue="binanceusdm",
            account_uid="1",
            state_dir=run.home / "state",
            config_path="",
            latch_path=latch.path,
            wall_ns=1,
        )
        register(entry._replace(pid=stuck.pid, pid_start_ticks=start_ticks(stuck.pid)))
        said = run("abort", "--reason", "wild")
        assert 0 == said.code, said
        assert "was ended by force" in said.out
        assert -signal.SIGKILL == stuck.wait(5)
    assert latch.tripped()


def test_abort_never_ends_another_process_with_the_same_number(run, guard):
    latch = a_latch(guard)
    entry = registered(run.home / "state", latch=latch)
    with subprocess.Popen(["sleep", "60"]) as other:
        register(entry._replace(pid=other.pid, pid_start_ticks=1))
        assert 0 == run("abort").code
        assert None is other.poll()
        other.kill()
    assert latch.tripped()


def test_the_shell_line_halts_without_us(run, guard):
    """The runbook's last resort, executed."""
    latch = a_latch(guard)
    subprocess.run(["sh", "-c", shell_line(latch.path)], check=True, capture_output=True)
    assert latch.tripped()
