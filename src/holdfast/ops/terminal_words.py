"""The terminal's own words around a command of the table: which bot, how to answer, whose token. And its help."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from holdfast.ops.commands import TABLE, Arg, Friction, Row
from holdfast.ops.errors import UsageError
from holdfast.ops.target import Wanted
from holdfast.ops.terminal import WAIT_S, Options
from holdfast.ops.words import usage

SECONDS_MAX: Final = 86_400.0


class _Word(NamedTuple):
    name: str
    takes: str  # what its value is called; empty for a flag
    help: str


_WORDS: Final = (
    _Word("--json", "", "answer as one JSON object (a list with several bots)"),
    _Word("--config", "FILE", "the bot of this configuration (default: holdfast.toml here, or the only bot)"),
    _Word("--account", "NAME", "the bot of this account"),
    _Word("--state-dir", "DIR", "the bot with this state directory"),
    _Word("--all", "", "every bot registered on this machine"),
    _Word("--token-file", "FILE", "your token, for commands that loosen (default: operator.token)"),
    _Word("--second-token-file", "FILE", "the second person's token, where two are needed"),
    _Word("--yes", "", "carry out the plan without asking"),
    _Word("--wait", "SECONDS", f"how long to watch for the end (default {WAIT_S:g}; 0: do not)"),
    _Word("--timeout", "SECONDS", "how long the bot may take to answer (default 5)"),
)


def terminal_options(
    words: Sequence[str], *, ask: Callable[[str], str] | None
) -> tuple[list[str], Options, bool]:
    """(the command's own words, the terminal's options, whether to answer in JSON). Errors: UsageError."""
    known = {word.name: word for word in _WORDS}
    rest: list[str] = []
    given: dict[str, str] = {}
    pending = list(words)
    while pending:
        text = pending.pop(0)
        name, equals, value = text.partition("=")
        word = known.get(name)
        if word is None:
            rest.append(text)
            continue
        if name in given:
            raise UsageError(f"{name} is given twice")
        if not word.takes and equals:
            raise UsageError(f"{name} takes no value")
        if word.takes and not equals:
            if not pending:
                raise UsageError(f"{name} needs a value: {word.takes}")
            value = pending.pop(0)
        given[name] = value
    wanted = Wanted(
        config=given.get("--config", ""),
        account=given.get("--account", ""),
        state_dir=given.get("--state-dir", ""),
        every="--all" in given,
    )
    options = Options(
        wanted=wanted,
        token_file=given.get("--token-file", ""),
        second_token_file=given.get("--second-token-file", ""),
        yes="--yes" in given,
        wait_s=_seconds("--wait", given, WAIT_S),
        timeout_s=max(0.05, _seconds("--timeout", given, 5.0)),
        ask=ask,
    )
    return rest, options, "--json" in given


def help_text(row: Row) -> str:
    """What a command does, takes and costs."""
    lines = [f"holdfast {usage(row)}", "", f"  {row.help}.", ""]
    told = [(_label(arg), f"{arg.help}{'' if arg.required else ' (optional)'}") for arg in row.args]
    told += [(f"{word.name} {word.takes}".strip(), word.help) for word in _useful(row)]
    width = max(len(label) for label, _ in told) + 2
    lines += [f"  {label:<{width}}{text}" for label, text in told]
    cost = {
        Friction.NONE: "takes one step",
        Friction.REASON: "needs a reason",
        Friction.CONFIRM: "shows its plan first and asks",
        Friction.TWO_PERSONS: "needs the tokens of two people, or yours and the cooling delay",
    }[row.friction]
    token = "; needs your token" if row.loosens and row.friction is not Friction.TWO_PERSONS else ""
    return "\n".join([*lines, "", f"  role {row.role}; {cost}{token}"])


def summary() -> list[tuple[str, str]]:
    """Every command of the table with its one line."""
    return [(row.name, row.help) for row in TABLE]


def _useful(row: Row) -> list[_Word]:
    """The terminal's words that mean something for this command."""
    idle = set()
    if not row.loosens:
        idle |= {"--token-file"}
    if row.friction is not Friction.TWO_PERSONS:
        idle |= {"--second-token-file"}
    if row.friction is not Friction.CONFIRM:
        idle |= {"--yes"}
    if not row.waits:
        idle |= {"--wait"}
    return [word for word in _WORDS if word.name not in idle]


def _label(arg: Arg) -> str:
    if arg.positional:
        return "|".join(arg.choices) if arg.choices else arg.name.upper()
    return f"--{arg.name.replace('_', '-')}"


def _seconds(name: str, given: dict[str, str], default: float) -> float:
    text = given.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,5}(?:\.[0-9]{1,3})?s?", text) is None or float(text.rstrip("s")) > SECONDS_MAX:
        raise UsageError(f"{name}: expected a number of seconds such as 30, got {text[:40]!r}")
    return float(text.rstrip("s"))
