"""Reads the arguments of a command, from words or from a mapping, by its row of the table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from holdfast.ops.commands import Arg, ArgKind, Row
from holdfast.ops.errors import UsageError

Value: TypeAlias = str | int | bool
TEXT_MAX: Final = 500
NO_REASON: Final = "no reason given"
WHOLE_MAX: Final = (1 << 63) - 1
_NAMES: Final = {
    ArgKind.INSTRUMENT: re.compile(r"[A-Za-z0-9_.:/-]{1,64}"),
    ArgKind.STRATEGY: re.compile(r"[A-Za-z0-9_-]{1,64}"),
    ArgKind.NAME: re.compile(r"[A-Za-z0-9_.:/-]{1,64}"),
    ArgKind.LIMIT: re.compile(r"[A-Za-z0-9_.:/-]{1,200}"),
    ArgKind.NUMBER: re.compile(r"[0-9][0-9_]{0,19}(?:\.[0-9]{1,20})?(?: ?[A-Za-z0-9]{1,20}| ?%)?"),
}
_YES: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def read_words(row: Row, words: Sequence[str]) -> dict[str, Value]:
    """The arguments in the words after a command's name.

    Errors: UsageError for an unknown or repeated option, a missing or surplus word, a value of the wrong kind.
    """
    options = {f"--{arg.name.replace('_', '-')}": arg for arg in row.args if not arg.positional}
    places = [arg for arg in row.args if arg.positional]
    given: dict[str, object] = {}
    pending = list(words)
    while pending:
        word = pending.pop(0)
        name, equals, inline = word.partition("=")
        if word == "--":
            raise UsageError(f"{row.name}: unexpected word '--'")
        if not word.startswith("--"):
            if not places:
                raise UsageError(f"{row.name}: unexpected word {_shown(word)}; expected: {usage(row)}")
            arg = places.pop(0)
            value: object = word
        else:
            found = options.get(name)
            if found is None:
                known = (
                    ", ".join(options) or f"those that every command takes, see holdfast {row.name} --help"
                )
                raise UsageError(f"{row.name}: unknown option {_shown(name)}; known: {known}")
            arg = found
            if arg.kind is ArgKind.FLAG:
                value = inline if equals else True
            elif equals:
                value = inline
            elif pending:
                value = pending.pop(0)
            else:
                raise UsageError(f"{row.name}: {name} needs a value ({arg.help})")
        if arg.name in given:
            raise UsageError(f"{row.name}: {arg.name} is given twice")
        given[arg.name] = value
    return read_mapping(row, given)


def read_mapping(row: Row, given: Mapping[str, object]) -> dict[str, Value]:
    """The arguments in a mapping of names to texts, numbers and booleans. Errors: as ``read_words``."""
    known = {arg.name: arg for arg in row.args}
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"{row.name}: unknown argument {_shown(str(name))}; known: {listed}")
    read: dict[str, Value] = {}
    for arg in row.args:
        raw = given.get(arg.name)
        if raw is None or (raw == "" and not arg.required):
            if arg.required:
                raise UsageError(f"{row.name}: {_label(arg)} is missing ({arg.help}); expected: {usage(row)}")
            continue
        read[arg.name] = _value(row, arg, raw)
    return read


def usage(row: Row) -> str:
    """How a command is written."""
    parts = [row.name]
    for arg in row.args:
        label = "|".join(arg.choices) if arg.choices and arg.positional else arg.name.upper()
        if not arg.positional:
            flag = f"--{arg.name.replace('_', '-')}"
            label = flag if arg.kind is ArgKind.FLAG else f"{flag} {arg.name.upper()}"
        parts.append(label if arg.required else f"[{label}]")
    return " ".join(parts)


def clean(text: str) -> str:
    """Free words as one harmless line: control, escape and direction characters are written out, length cut.

    Never refused: an odd character in its reason must not keep a halt from happening.
    """
    shown = "".join(
        one if one == " " or (one.isprintable()) else f"\\u{ord(one):04x}" for one in text[:TEXT_MAX]
    )
    return shown.strip()


def _value(row: Row, arg: Arg, raw: object) -> Value:
    if arg.kind is ArgKind.FLAG:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.lower() in _YES:
            return _YES[raw.lower()]
        raise UsageError(f"{row.name}: {_label(arg)}: expected true or false, got {_shown(raw)}")
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise UsageError(f"{row.name}: {_label(arg)}: expected {_wanted(arg)}, got {_shown(raw)}")
    text = str(raw)
    if arg.kind is ArgKind.TEXT:
        words = clean(text)
        if arg.required and not words:
            raise UsageError(f"{row.name}: {_label(arg)} is missing ({arg.help})")
        return words
    if arg.kind is ArgKind.WHOLE:
        if re.fullmatch(r"[0-9]{1,19}", text) is None or not 0 < int(text) <= WHOLE_MAX:
            raise UsageError(f"{row.name}: {_label(arg)}: expected {_wanted(arg)}, got {_shown(text)}")
        return int(text)
    if arg.kind is ArgKind.DECIMAL:
        return _decimal(row, arg, text)
    if arg.kind is ArgKind.CHOICE:
        if text not in arg.choices:
            raise UsageError(f"{row.name}: {_label(arg)}: expected {_wanted(arg)}, got {_shown(text)}")
        return text
    if _NAMES[arg.kind].fullmatch(text) is None:
        raise UsageError(f"{row.name}: {_label(arg)}: expected {_wanted(arg)}, got {_shown(text)}")
    return text


def _decimal(row: Row, arg: Arg, text: str) -> str:
    # Matched before it is read: "1e999999999" is a short text and a very long number.
    if re.fullmatch(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", text) is None or Decimal(text) <= 0:
        raise UsageError(f"{row.name}: {_label(arg)}: expected {_wanted(arg)}, got {_shown(text)}")
    return text


def _label(arg: Arg) -> str:
    return arg.name.upper() if arg.positional else f"--{arg.name.replace('_', '-')}"


def _wanted(arg: Arg) -> str:
    words = {
        ArgKind.WHOLE: "a whole number above zero",
        ArgKind.DECIMAL: "a number above zero",
        ArgKind.CHOICE: f"one of {', '.join(arg.choices)}",
        ArgKind.INSTRUMENT: "an instrument such as BTCUSDT",
        ArgKind.STRATEGY: "a strategy's name",
        ArgKind.LIMIT: "a limit's name such as account.leverage_max",
        ArgKind.NUMBER: "a number as configured, such as 0.2 BTC, 5%, 1.5x, 15min or 40",
        ArgKind.NAME: "a name of letters, digits and _.:/-",
    }
    return words.get(arg.kind, "text")


def _shown(raw: object) -> str:
    return repr(clean(raw if isinstance(raw, str) else str(raw))[:60])
