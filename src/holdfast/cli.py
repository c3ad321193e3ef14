"""The command line.

A command of the table (``ops.commands``) is read and carried out without typer, because a halt must start in a
blink; the processes (run, up, sim…) and the overview go through typer, which is loaded only for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from holdfast.vocab.invariant import InvariantBroken

if TYPE_CHECKING:
    from holdfast.ops.commands import Row
    from holdfast.ops.terminal import Result

_HELP: Final = frozenset({"--help", "-h"})


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The whole program: carries out the words and ends the process with one of ``app.errors.Exit``."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output left (`| head`): not a fault, and nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (Exception, KeyboardInterrupt, InvariantBroken) as error:  # noqa: BLE001 - the last place that can say it
        code = _failed(error, words)
    sys.exit(code)


def _dispatch(words: list[str]) -> int:
    from holdfast.ops.commands import find

    found = find(words)
    if found is None:
        from holdfast.app.shell import run

        return run(words)
    row, count = found
    rest = words[count:]
    if _HELP.intersection(rest):
        from holdfast.ops.terminal_words import help_text

        print(help_text(row))
        return 0
    return _operate(row, rest)


def _operate(row: Row, words: list[str]) -> int:
    """One command of the table, for each bot that is meant."""
    from holdfast.ops.terminal import carry_out
    from holdfast.ops.terminal_words import terminal_options
    from holdfast.ops.words import read_words

    rest, options, json = terminal_options(words, ask=_ask if sys.stdin.isatty() else None)
    results = carry_out(row, read_words(row, rest), options)
    if json:
        _say_json(row, results, every=options.wanted.every)
    else:
        for result in results:
            _say(row, result)
    return max(_exit(result) for result in results)


def _say(row: Row, result: Result) -> None:
    if result.state != "ok":
        print(f"holdfast: {row.name}: {result.text} ({result.account})", file=sys.stderr)
    elif row.kind.value == "view" and isinstance(result.data, dict):
        from holdfast.ops.show import show

        print(show(row.name, result.data))
    else:
        print(f"{result.account}: {result.text}")


def _say_json(row: Row, results: Sequence[Result], *, every: bool) -> None:
    """A view's own record; for an act, what became of it. Several bots: a list."""
    records: list[Any] = []
    for result in results:
        if row.kind.value == "view" and result.state == "ok":
            records.append(result.data)
        else:
            records.append(
                {
                    "ok": result.state == "ok",
                    "exit": _exit(result),
                    "command": row.name,
                    "account": result.account,
                    "text": result.text,
                    "data": result.data,
                }
            )
    _print_json(records if every or len(records) != 1 else records[0])


def _exit(result: Result) -> int:
    from holdfast.app.errors import Exit

    return {
        "ok": Exit.OK,
        "refused": Exit.REFUSED,
        "not_running": Exit.NOT_RUNNING,
        "latch_unusable": Exit.LATCH_UNUSABLE,
        "unfinished": Exit.UNFINISHED,
    }[result.state]


def _failed(error: BaseException, words: Sequence[str]) -> int:
    """One line for each problem on stderr, and with --json the same as an object on stdout."""
    from holdfast.app.errors import exit_of, lines_of

    code, lines = int(exit_of(error)), lines_of(error)
    for line in lines:
        print(line, file=sys.stderr)
    if "--json" in words:
        _print_json(
            {"ok": False, "exit": code, "errors": [line.removeprefix("holdfast: ") for line in lines]}
        )
    return code


def _print_json(value: object) -> None:
    from json import dumps

    print(dumps(value, ensure_ascii=False, default=str))


def _ask(question: str) -> str:
    """A person's answer; a token is not shown while it is typed."""
    if "token" in question:
        from getpass import getpass

        return getpass(question, stream=sys.stderr)
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()
