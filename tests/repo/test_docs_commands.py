"""Every command that the documents show can be typed: its words are known, and the runnable ones do run."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from holdfast.app import shell
from holdfast.app.errors import Exit, HoldfastError
from holdfast.core.holds.rules import RULES
from holdfast.ops.commands import ROWS, find
from holdfast.ops.errors import UsageError
from holdfast.ops.terminal_words import terminal_options
from holdfast.ops.words import read_words
from tests.repo.reading import ROOT, modules, tracked_paths

BLOCK = re.compile(r"^```(sh|console)([^\n]*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?holdfast(?: [^`\n]+)?|make [^`\n]+)`")
OURS = re.compile(r"(?:^|[|&;]|\$)\s*(?:[A-Z_]+=\S* )*(?:\S*/)?(?:holdfast|make)\b")
# What stands for a value, and what an example must not be mistaken for.
PLACEHOLDER = {
    "HOLD": "7",
    "ORDER": "7",
    "TRADE": "t7",
    "…": "x",
    "NAME": "x",
    "SCOPE": "strategy x",
    "N": "7",
}
NOT_COMMANDS = {"latch", "market"}  # the remark in the latch's own file, and a hash key


def shown(text: str) -> list[str]:
    """Every command line of ours in a document's shell blocks, without prompt, comment, pipe and setting."""
    lines = []
    for _, _, body in BLOCK.findall(text):
        for line in body.replace("\\\n", " ").splitlines():
            if OURS.search(line):
                lines += [shlex.join(words) for words in _parts(line.removeprefix("$ "))]
    return lines


def _parts(line: str) -> list[list[str]]:
    """The commands of ours in one line of shell, as words."""
    reader = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    reader.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in reader:
        if word[0] in "|&;":
            commands.append([])
        else:
            commands[-1].append(word)
    for words in commands:
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
    return [words for words in commands if words and Path(words[0]).name in {"holdfast", "make"}]


def fault_of(line: str) -> str:
    """Why a command line cannot be typed; empty when it can. Nothing is carried out."""
    words = shlex.split(line)
    if words[0] == "make":
        return fault_of_make(words[1:])
    rest = [PLACEHOLDER.get(word, word) for word in words[1:] if word not in {">", "2>&1"}]
    rest = " ".join(rest).split() if "SCOPE" in words else rest
    if not rest or rest in (["--help"], ["--version"]) or rest[1:] == ["--help"] or rest[0] == "COMMAND":
        return ""
    found = find(rest)
    try:
        if found is not None:
            own, _, _ = terminal_options(rest[found[1] :], ask=None)
            read_words(found[0], own)
            return ""
        group = typer.main.get_command(shell.app)
        while hasattr(group, "commands"):
            name, rest = rest[0], rest[1:]
            if name not in group.commands:
                return f"unknown command {name}"
            group = group.commands[name]
            if not rest and hasattr(group, "commands"):
                return ""
        with group.make_context(name, list(rest)):
            return ""
    except (UsageError, HoldfastError) as error:
        return str(error)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())


def fault_of_make(words: list[str]) -> str:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    words = words[2:] if words[:1] == ["-C"] else words
    asked = [word for word in words if "=" not in word and not word.startswith("-")]
    unknown = [word for word in asked if word not in targets]
    return f"make has no {unknown[0]}" if unknown else "" if asked else "make without a target"


def fault_of_inline(line: str) -> str:
    """The same for a command in running text: its values may be left out, its name and options may not be wrong."""
    words = [word.strip(",;:") for word in shlex.split(line)]
    if words[0] == "make":
        return fault_of_make([word for word in words[1:] if word != "…"])
    rest = [word for word in words[1:] if word != "…"]
    if not rest or rest[0].isupper() or rest[0].startswith("-"):
        return ""
    found = find(rest)
    if found is not None:
        own = {f"--{arg.name.replace('_', '-')}" for arg in found[0].args}
        terminal = subprocess_options()
        wrong = [one for one in rest if one.startswith("--") and one.partition("=")[0] not in own | terminal]
        return f"{found[0].name} has no {wrong[0]}" if wrong else ""
    group = typer.main.get_command(shell.app)
    while hasattr(group, "commands") and rest and not rest[0].startswith("-"):
        name, rest = rest[0], rest[1:]
        if name not in group.commands and all(part not in group.commands for part in re.split(r"[|/]", name)):
            return f"unknown command {name}"
        if name not in group.commands:
            return ""
        group = group.commands[name]
    known = {option for one in getattr(group, "params", ()) for option in one.opts} | {"--help"}
    wrong = [one for one in rest if one.startswith("--") and one.partition("=")[0] not in known]
    return f"no option {wrong[0]}" if wrong else ""


def subprocess_options() -> set[str]:
    from holdfast.ops import terminal_words

    return {word.name for word in terminal_words._WORDS} | {"--help"}


def pages() -> list[Path]:
    return [path for path in tracked_paths() if path.suffix == ".md" and path.name != "CHANGELOG.md"]


def test_every_command_in_a_shell_block_can_be_typed():
    checked = 0
    faults = []
    for path in pages():
        for line in shown(path.read_text(encoding="utf-8")):
            checked += 1
            if fault := fault_of(line):
                faults.append(f"{path.relative_to(ROOT)}: {line}: {fault}")
    assert checked > 50, "the documents show how"
    assert [] == faults


def test_every_command_in_running_text_exists():
    faults = []
    for path in pages():
        prose = BLOCK.sub("", path.read_text(encoding="utf-8"))
        faults += [
            f"{path.relative_to(ROOT)}: {line}: {fault}"
            for line in INLINE.findall(prose)
            if (fault := fault_of_inline(line))
        ]
    assert [] == faults


def test_the_units_start_what_exists_and_know_our_exit_codes():
    """A unit that restarts on a damaged journal, or starts a command that is gone, is found out at night."""
    codes = {int(one) for one in Exit}
    for unit in sorted((ROOT / "deploy" / "systemd").glob("*.service")):
        said = dict(
            line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"[A-Z]\w+=", line)
        )
        assert "" == fault_of(said["ExecStart"]), unit.name
        assert {int(one) for one in said["RestartPreventExitStatus"].split()} <= codes, unit.name


def test_what_releases_a_hold_can_be_typed():
    """It is read at three in the morning, and typed as it stands."""
    acts = [line for rule in RULES.values() for line in re.findall(r"holdfast [^;,()]+", rule.remedy)]
    assert len(acts) > 20
    assert [] == [(line, fault) for line in acts if (fault := fault_of(line.strip()))]


def test_no_message_of_ours_names_a_command_that_does_not_exist():
    """Docstrings aside: these are what a person reads when something went wrong."""
    names = {*(name.split()[0] for name in ROWS), *typer.main.get_command(shell.app).commands}
    wrong = []
    for module in modules():
        docstrings = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                named = re.findall(r"(?<![\w./-])holdfast ([a-z][a-z-]+)", node.value)
                wrong += [
                    (module.path, node.lineno, name) for name in named if name not in names | NOT_COMMANDS
                ]
    assert [] == wrong


@pytest.mark.parametrize(
    "line",
    [
        "holdfast stauts",
        "holdfast halt --reasn x",
        "holdfast resume 2",
        "holdfast sim --prt 0",
        "holdfast journal forge",
        "make coffee",
        "make PYTHON=python3.12",
    ],
)
def test_a_command_that_is_none_is_reported(line):
    assert fault_of(line)
    assert [line] == shown(f"text\n```sh\n$ X=1 {line}  # why | not\n```\n")


def runnable(path: Path) -> list[str]:
    """The bodies of a page's blocks marked ``sh runnable``, in order."""
    return [body for _, info, body in BLOCK.findall(path.read_text(encoding="utf-8")) if "runnable" in info]


RUNNABLE = [path.relative_to(ROOT).as_posix() for path in pages() if runnable(path)]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", RUNNABLE)
def test_the_blocks_marked_runnable_run(name, tmp_path):
    """In one empty folder per page, from top to bottom, as a reader would paste them."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "holdfast").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m holdfast "$@"\n')
    (bin_dir / "holdfast").chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HOLDFAST_GUARD_DIR": str(tmp_path / "guard"),
    }
    body = "\n".join(runnable(ROOT / name))
    done = subprocess.run(
        ["sh", "-eu", "-c", body], cwd=home, env=environment, capture_output=True, text=True, timeout=250
    )
    assert 0 == done.returncode, f"{name}:\n{body}\n{done.stdout}{done.stderr}"
