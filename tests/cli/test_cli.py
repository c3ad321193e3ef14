"""The command line: views, rights, plans, exit codes and one-line errors, as a process of its own."""

import json
import os
import pty
import re
import select
import subprocess
import sys

import pytest
from msgspec import structs

from holdfast.app.errors import Exit, HoldfastError, exit_of, lines_of
from holdfast.app.init import write_operators
from holdfast.config.operators import new_token, token_hash
from holdfast.ops import registry
from holdfast.ops.commands import TABLE, Friction
from holdfast.ops.registry import entries, register, unregister
from holdfast.runtime.views import BreakRow
from holdfast.runtime.wire import Answer
from tests.house.operating import (
    A_HOLD,
    SOURCE,
    Terminal,
    a_latch,
    a_status,
    an_answering_bot,
    holdfast,
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
    (home / "state").mkdir(parents=True)

    return Terminal(home=home, guard_dir=guard)


@pytest.fixture
def bot(run, guard):
    with an_answering_bot(run.home / "state") as answering:
        registered(run.home / "state", latch=a_latch(guard))
        yield answering


def test_status_says_first_whether_it_may_trade(run, bot):
    lines = run("status").out.splitlines()
    assert "demo on binanceusdm (simulated), pid 4242: trading" == lines[0]
    bot.views["status"] = a_status(level="halted", armed=False, holds=[A_HOLD])
    assert "demo on binanceusdm (simulated), pid 4242: HALTED" == run("status").out.splitlines()[0]
    bot.views["status"] = a_status(
        level="halted", armed=False, holds=[structs.replace(A_HOLD, cause="startup")]
    )
    assert run("status").out.splitlines()[0].endswith(": HALTED (not armed)")


def test_status_names_every_difference_in_human_units(run, bot):
    """Whoever must adopt or resolve needs the name to give, and the size of what is at stake."""
    bot.views["status"] = a_status(
        breaks=[
            BreakRow(kind="position", key="BTCUSDT", ours="-48", theirs="0"),
            BreakRow(kind="balance", key="USDT", ours="9999257048529", theirs="10000000000000"),
        ]
    )
    said = run("status").out
    assert "break position BTCUSDT: ours -48 lots, the venue's 0 lots" in said
    assert "break balance USDT: ours 99,992.57, the venue's 100,000.00" in said


def test_holds_say_why_and_what_releases_them(run, bot):
    said = run("holds").out
    assert "hold 7 HALTED (account): halt, looks odd - by ada" in said
    assert 'next: holdfast resume 7 --reason "…"' in said


def test_why_gives_numbers_and_a_way_out(run, bot):
    said = run("why").out
    assert "the last refused order: over_position" in said
    assert "worst case 0.350 BTC, limit 0.330 BTC" in said
    assert "what would permit it: a smaller order, or less open" in said


@pytest.mark.parametrize("name", ["status", "ping", "holds", "why", "orders"])
def test_a_view_as_json_is_its_record(run, bot, name):
    assert isinstance(run(name, "--json").json, dict)


def test_what_a_venue_says_cannot_draw_on_the_terminal(run, bot):
    """An order's text comes from outside: an escape sequence could hide a line or type one."""
    bot.views["status"] = a_status(account="demo\x1b[2J\n\u202eevil")
    assert "demo\\u001b[2J\\u000a\\u202eevil on" in run("status").out


def test_status_of_all_shows_dead_ones_too(run, bot, guard):
    (run.home / "other").mkdir()
    registered(run.home / "other", latch=a_latch(guard, uid="2"), account="other")
    said = run("status", "--all", "--json")
    assert 4 == said.code
    first, second = said.json
    assert "demo" == first["account"]
    assert (False, "other", 4) == (second["ok"], second["account"], second["exit"])


def test_several_bots_must_be_told_apart(run, bot, guard):
    (run.home / "other").mkdir()
    registered(run.home / "other", latch=a_latch(guard, uid="2"), account="other")
    said = run("status")
    assert 2 == said.code
    assert "several bots are meant: demo" in said.err
    assert 0 == run("status", "--account", "demo").code
    assert 0 == run("status", "--state-dir", str(run.home / "state")).code


def test_among_stopped_bots_none_runs(run, guard):
    for name in ("a", "b"):
        (run.home / name).mkdir()
        register(registered(run.home / name, latch=None, account=name)._replace(pid=0))
    said = run("status")
    assert 4 == said.code
    assert "none of the 2 bots that this machine knows is running" in said.err


def test_what_needs_a_bot_is_refused_once_where_none_runs(run, guard):
    """A line for each bot of last week would hide the one thing to know: there is nobody to tell."""
    for name in ("a", "b", "c"):
        unregister(register(registered(run.home / name, latch=a_latch(guard, uid=name))))
    said = run("flatten", "--yes")
    assert (4, 1) == (said.code, len(said.error_lines)), said.err
    assert "none of the 3 bots" in said.err
    assert 3 == len(run("halt").out.splitlines()), "a halt is for all of them, running or not"


def test_the_register_forgets_old_bots_but_no_living_one(run, bot, guard):
    for number in range(registry.DEAD_MAX + 10):
        entry = registered(run.home / "state", latch=None)
        register(
            entry._replace(pid=0, state_dir=f"/gone/{number}", account=f"old{number}", started_wall_ns=number)
        )
    registered(run.home / "state", latch=None)
    names = [entry.account for entry in entries()]
    assert registry.DEAD_MAX + 1 == len(names)
    assert {"demo", f"old{registry.DEAD_MAX + 9}"} <= set(names)


def test_a_stopped_bot_stays_in_the_register_without_a_process(run, bot, guard):
    """A restart would begin halted, and yet a halt in between must have something to trip."""
    (path,) = (guard / "bots").glob("*.json")
    unregister(path)
    (entry,) = entries()
    assert not entry.alive
    assert entry.latch_path


def test_a_broken_register_entry_hides_only_itself(run, bot, guard):
    for name, text in {"a": "{", "b": "[]", "c": '{"account": 3}', "d": ""}.items():
        (guard / "bots" / f"{name}.json").write_text(text)
    assert 1 == len(entries())
    assert 0 == run("status").code


# --- rights ---------------------------------------------------------------------------------------------------


def test_loosening_needs_the_token_of_somebody_who_may(run, bot):
    said = run("resume", "7", "--reason", "checked")
    assert 3 == said.code
    assert "there is no operators file" in said.err
    token = write_operators(run.home / "state", name="ada")
    assert 0 == run("resume", "7", "--reason", "checked").code  # the token beside the file is found
    assert ("ada", 7, "checked") == (bot.told[-1].by, bot.told[-1].hold_id, bot.told[-1].reason)
    (run.home / "state" / "operator.token").rename(run.home / "mine")
    assert 3 == run("resume", "7", "--reason", "checked").code
    assert 0 == run("resume", "7", "--reason", "checked", "--token-file", "mine").code
    assert 0 == run("resume", "7", "--reason", "checked", HOLDFAST_TOKEN_FILE="mine").code
    (run.home / "mine").chmod(0o644)
    said = run("resume", "7", "--reason", "checked", "--token-file", "mine")
    assert 2 == said.code
    assert "expected 0600" in said.err
    assert token not in said.err + said.out
    assert 3 == len(bot.told)


def test_a_role_is_needed_and_two_people_are_two(run, bot):
    tokens = {name: new_token() for name in ("ada", "bob", "eve")}
    roles = {"ada": "risk", "bob": "risk", "eve": "viewer"}
    text = "".join(
        f'[operator.{name}]\nrole = "{roles[name]}"\ntoken_sha256 = "{token_hash(token)}"\n'
        for name, token in tokens.items()
    )
    path = run.home / "state" / "operators.toml"
    path.write_text(text)
    path.chmod(0o600)
    for name, token in tokens.items():
        (run.home / name).touch(0o600)
        (run.home / name).write_text(token)
    as_ada = ("recover", "--reason", "fixed", "--token-file", "ada", "--second-token-file")
    assert 3 == run("resume", "7", "--reason", "x", "--token-file", "eve").code
    assert 3 == run(*as_ada, "ada").code
    assert 3 == run(*as_ada, "eve").code
    assert [] == bot.told
    assert 0 == run(*as_ada, "bob").code
    assert ("ada", "bob") == (bot.told[0].by, bot.told[0].second_by)


def test_stopping_needs_no_token_and_no_operators_file(run, bot):
    (run.home / "state" / "operators.toml").write_text("broken [")
    assert 0 == run("pause").code
    assert bot.told[0].by.startswith("login:")


def test_a_refusal_is_told_with_its_reason(run, bot):
    write_operators(run.home / "state", name="ada")
    bot.answers["arm"] = Answer(ok=False, text="reconcile has not passed yet")
    said = run("arm")
    assert (3, "") == (said.code, said.out)
    assert ["holdfast: arm: reconcile has not passed yet (demo)"] == said.error_lines


# --- plans ------------------------------------------------------------------------------------------------------


def test_flatten_shows_its_plan_and_sends_nothing_unconfirmed(run, bot):
    said = run("flatten")
    assert 2 == said.code
    assert "BTCUSDT" in said.err
    assert "nothing was sent: add --yes" in said.err
    assert "resume" in said.err, "what lets it trade again is said before it is asked for"
    assert [] == bot.told
    assert 0 == run("flatten", "--yes").code
    assert ["flatten"] == [act.verb for act in bot.told]


@pytest.mark.parametrize(("typed", "code"), [(b"y\n", 0), (b"n\n", 2), (b"\n", 2)])
def test_at_a_terminal_flatten_asks(run, bot, guard, typed, code):
    main, side = pty.openpty()
    words = [sys.executable, "-m", "holdfast", "flatten"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "HOLDFAST_GUARD_DIR": str(guard)}
    with subprocess.Popen(
        words, cwd=run.home, stdin=side, stdout=side, stderr=side, env=environment
    ) as asked:
        said = b""
        while b"[y/N]" not in said and select.select([main], [], [], 10)[0]:
            said += os.read(main, 4096)
        os.write(main, typed)
        assert code == asked.wait(10), said
    os.close(main)
    os.close(side)
    assert (["flatten"] if code == 0 else []) == [act.verb for act in bot.told]


# --- words, errors, exit codes ----------------------------------------------------------------------------------

BAD_WORDS = [
    (["nonsense"], 2, "unknown command 'nonsense'"),
    (["stauts"], 2, "did you mean status?"),
    (["quarantine"], 2, "expected list or release"),
    (["quarantine", "keep"], 2, "expected list or release"),
    (["halt", "--reasn", "x"], 2, "unknown option '--reasn'"),
    (["resume"], 2, "HOLD is missing"),
    (["resume", "-1", "--reason", "x"], 2, "expected a whole number above zero"),
    (["why", "--qty", "nan"], 2, "expected a number above zero"),
    (["status", "--timeout", "soon"], 2, "--timeout: expected a number of seconds"),
    (["status", "--config", "none.toml"], 2, "none.toml: cannot read it: no such file"),
    (["run", "--for", "later"], 2, "--for: expected a length of time"),
    (["run", "--for", "-5s"], 2, "--for"),
    (["run", "--for", "nan"], 2, "--for: expected a length of time"),
    (["run", "--nonsense"], 2, "no such option"),
    (["run", "--demo", "--config", "x.toml"], 2, "--demo and --config: expected one of them"),
    (["sim", "--port", "99999"], 2, "invalid value for '--port': expected at most 65535, got '99999'"),
    (["sim", "--seed=-1"], 2, "invalid value for '--seed': expected at least 0, got '-1'"),
    (["sim", "--seed", "one"], 2, "invalid value for '--seed': expected a whole number, got 'one'"),
    (["backtest", "--quotes", "-5"], 2, "invalid value for '--quotes': expected at least 1, got '-5'"),
    (["up"], 2, "no configuration"),
    (["journal", "forge"], 2, "no such command"),
    (["config", "check", "--config", "none.toml"], 2, "none.toml: cannot read it"),
    (["serve", "--config", "none.toml"], 2, "none.toml: cannot read it"),
    (["--nonsense"], 2, "no such option"),
    (["status"], 4, "holdfast: no bot is known on this machine; name one"),
    (["status", "--account", "zed"], 4, "holdfast: no bot of an account named zed is known on this machine"),
]


@pytest.mark.parametrize(("words", "code", "expected"), BAD_WORDS, ids=lambda part: str(part)[:30])
def test_words_that_cannot_be_carried_out_are_one_line(run, words, code, expected):
    said = run(*words)
    assert code == said.code, said
    assert 1 == len(said.error_lines), said.err
    assert said.err.startswith("holdfast: ")
    assert expected.lower() in said.err.lower()
    assert "" == said.out


def test_a_configuration_that_is_no_toml_is_told_alike_by_every_command(run):
    (run.home / "holdfast.toml").write_text('[account]\nname = "a"\nname = "b"\n')
    told = [run(*words).err for words in (["status"], ["config", "check"])]
    assert ["holdfast: holdfast.toml:3: not valid TOML: name is set twice (column 11)\n"] * 2 == told


def test_a_failure_is_also_one_json_object_when_asked(run):
    said = run("status", "--json")
    assert 4 == said.code
    assert {"ok": False, "exit": 4} == {key: said.json[key] for key in ("ok", "exit")}
    assert 1 == len(said.json["errors"])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_command_has_help_and_is_in_the_overview(run, row, overview):
    from holdfast.ops.terminal_words import help_text

    said = help_text(row)
    assert said.startswith(f"holdfast {row.name}")
    assert re.search(r"(FILE|SECONDS)[a-z]", said) is None, "a word runs into its help"
    assert ("the tokens of two people" in said) is (row.friction is Friction.TWO_PERSONS)
    assert row.name.split()[0] in overview


def test_a_doctor_without_a_configuration_ends_as_every_command_that_lacks_one(run):
    """An install script that goes on after it would start nothing."""
    said = run("doctor")
    assert 2 == said.code, said
    assert re.search(r"(?m)^BAD +configuration +no holdfast.toml here; holdfast init$", said.out)


@pytest.fixture(scope="module")
def overview(tmp_path_factory):
    path = tmp_path_factory.mktemp("overview")
    return holdfast("--help", cwd=path, guard_dir=path).out


def test_the_version_is_said(run):
    assert re.fullmatch(r"holdfast \d+\.\d+\.\d+\n", run("--version").out)


def test_a_reader_that_leaves_is_no_fault(run, bot):
    words = [sys.executable, "-m", "holdfast", "status"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        words, cwd=run.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as asked:
        assert asked.stdout is not None
        assert asked.stderr is not None
        asked.stdout.close()
        assert b"" == asked.stderr.read()
        assert 0 == asked.wait(10)


def test_the_documented_exit_codes_are_the_codes():
    page = (SOURCE.parent / "docs" / "reference" / "exit-codes.md").read_text()
    documented = {
        int(code): name for code, name in re.findall(r"^\| (\d+) \| (\w+) \|", page, flags=re.MULTILINE)
    }
    assert {int(code): code.name.lower() for code in Exit} == documented


def test_every_error_of_ours_has_its_code():
    """The table names types by text, so that nothing heavy is imported: each must exist."""
    import importlib

    from holdfast.app import errors

    for name, code in errors._BY_TYPE.items():
        module, _, kind = name.rpartition(".")
        found = getattr(importlib.import_module(module), kind)
        assert issubclass(found, BaseException)
        assert code in Exit


def test_what_nobody_foresaw_is_one_line_without_secrets():
    error = ValueError("GET /order?signature=abcdef0123456789\nsymbol=X\x1b[0m")
    assert Exit.FAILED is exit_of(error)
    assert [
        "holdfast: unexpected ValueError: GET /order?signature=[redacted] symbol=X\\u001b[0m"
    ] == lines_of(error)
    assert ["holdfast: cannot (here)"] == lines_of(HoldfastError(Exit.FAILED, "cannot", "here"))


def test_json_is_json_whatever_is_in_it(run, bot):
    bot.views["status"] = a_status(account='de"mo\n\u202e')
    assert 'de"mo\n\u202e' == json.loads(run("status", "--json").out)["account"]
