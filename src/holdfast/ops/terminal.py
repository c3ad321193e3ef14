"""Carries out a command of the table for somebody at a terminal.

The order of a halt is the whole point of this module: read the words, trip the latch, and only then load what
speaks to the bot. A bot that is hung, dead or unknown to the register is halted all the same.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from holdfast.ops.commands import Friction, Kind, Row
from holdfast.ops.errors import NotRunning, UsageError
from holdfast.ops.target import Target, Wanted, targets
from holdfast.ops.who import login_name
from holdfast.ops.words import NO_REASON, Value

FLATTEN_PLAN: Final = "flatten plan"
TELL_TIMEOUT_S: Final = 1.5  # a halted bot is told, not waited for
WAIT_S: Final = 60.0
POLL_S: Final = 0.2
_HALT_IF_UNHEARD: Final = frozenset({"pause", "stop"})  # they include a halt, and that much can be done alone


class State:
    """How a command ended; the command line has an exit code for each."""

    OK: Final = "ok"
    REFUSED: Final = "refused"
    NOT_RUNNING: Final = "not_running"
    LATCH_UNUSABLE: Final = "latch_unusable"
    UNFINISHED: Final = "unfinished"


class Result(NamedTuple):
    """What one bot answered, or what became of the attempt."""

    state: str
    account: str
    text: str
    data: Any = None


class Options(NamedTuple):
    """The terminal's own options, the same for every command."""

    wanted: Wanted = Wanted()
    token_file: str = ""
    second_token_file: str = ""
    yes: bool = False
    wait_s: float = WAIT_S
    timeout_s: float = 5.0
    ask: Callable[[str], str] | None = None  # puts a question to the person; None where nobody can answer


def carry_out(row: Row, args: Mapping[str, Value], options: Options) -> list[Result]:
    """Do it, for each bot meant. Errors: UsageError, NotRunning, Denied, ConfigError: nothing was done then."""
    if row.kind is Kind.VIEW:
        return [_look(row, args, target, options) for target in targets(options.wanted, halting=False)]
    if row.name == "halt" and _account_wide(args) and options.wanted.anything:
        return _halt_anything(row, args, options)
    meant = targets(options.wanted, halting=row.halting)
    if len(meant) > 1 and not _stands_alone(row) and not any(_runs(target) for target in meant):
        raise NotRunning(f"none of the {len(meant)} bots that this machine knows is running")
    return [_give(row, args, target, options) for target in meant]


def _stands_alone(row: Row) -> bool:
    """True when some of it can be done without the bot: the latch can be tripped."""
    return row.kind is Kind.LATCH or row.name in _HALT_IF_UNHEARD


def _runs(target: Target) -> bool:
    return target.entry is not None and target.entry.alive


def _account_wide(args: Mapping[str, Value]) -> bool:
    """True when no scope narrows the command: then the latch, which knows no scope, can stand for it."""
    return not args.get("strategy") and not args.get("instrument")


def _halt_anything(row: Row, args: Mapping[str, Value], options: Options) -> list[Result]:
    """Nothing was named, or everything: every known bot, and every latch that no known bot explains."""
    try:
        meant = targets(options.wanted, halting=True)
    except NotRunning:
        meant = []
    results = [_give(row, args, target, options) for target in meant]
    if meant and not options.wanted.every:
        return results
    from holdfast.ops.tripping import trip_rest

    by, reason = _halter(row, args)
    done = {target.entry.latch_path for target in meant if target.entry is not None}
    for path, fault in trip_rest(done, by=by, reason=reason):
        results.append(
            Result(
                State.LATCH_UNUSABLE if fault else State.OK,
                Path(path).stem,
                fault or f"latch tripped ({path})",
            )
        )
    if not results:
        raise NotRunning("no bot has run on this machine since boot: there is no latch to trip")
    return results


def _look(row: Row, args: Mapping[str, Value], target: Target, options: Options) -> Result:
    from holdfast.ops.ctl import Control

    started_ns = time.perf_counter_ns()
    try:
        with Control(target.socket_path, timeout_s=options.timeout_s) as control:
            answer = control.view(row.name, args)
    except NotRunning as error:
        if not options.wanted.every:
            raise
        return Result(State.NOT_RUNNING, target.account, str(error))
    if not answer.ok:
        return Result(State.REFUSED, target.account, answer.text)
    data = answer.data
    if row.name == "ping" and isinstance(data, dict):
        data = {**data, "round_trip_us": (time.perf_counter_ns() - started_ns) // 1_000}
    return Result(State.OK, target.account, answer.text, data)


def _give(row: Row, args: Mapping[str, Value], target: Target, options: Options) -> Result:
    whole = _account_wide(args)
    if row.kind is Kind.LATCH and whole:
        state, done = _trip(row, args, target)  # before anything else: before rights, before the socket
        if row.name == "abort":
            return _abort(row, args, target, options, done=done)
        told = _tell(row, args, target, options)
        if State.OK not in {state, told.state}:
            return Result(state, target.account, f"{done}; {told.text}")
        if told.state == State.OK or row.name == "halt":
            return Result(State.OK, target.account, f"{done}; {told.text}", told.data)
        return Result(
            told.state, target.account, f"{done}; {told.text}, so nothing was {_undone(row)}", told.data
        )
    told = _tell(row, args, target, options)
    if told.state == State.NOT_RUNNING and row.name in _HALT_IF_UNHEARD and whole:
        # Whoever asks to stop and finds nobody to tell has stopped all the same.
        _, done = _trip(row, args, target)
        return Result(
            State.NOT_RUNNING, target.account, f"{told.text}; {done}, but nothing was {_undone(row)}"
        )
    return told


def _undone(row: Row) -> str:
    """What a halt alone leaves undone, of what was asked."""
    return "cancelled" if row.name == "pause" else "cancelled or flattened"


def _halter(row: Row, args: Mapping[str, Value]) -> tuple[str, str]:
    reason = str(args.get("reason", "")) or NO_REASON
    return f"login:{login_name()}", reason if row.name == "halt" else f"{row.name}: {reason}"


def _trip(row: Row, args: Mapping[str, Value], target: Target) -> tuple[str, str]:
    """(how it ended, in words what was done)."""
    from holdfast.ops.tripping import LatchUnusable, trip

    by, reason = _halter(row, args)
    try:
        return State.OK, trip(target, by=by, reason=reason)
    except NotRunning as error:
        return State.NOT_RUNNING, str(error)
    except LatchUnusable as error:
        return State.LATCH_UNUSABLE, str(error)


def _tell(row: Row, args: Mapping[str, Value], target: Target, options: Options) -> Result:
    """Over the socket: with rights checked, the plan confirmed, and the end waited for where there is one."""
    from holdfast.ops.acts import act_of
    from holdfast.ops.ctl import Control

    by, second_by = _person(row, target, options)
    latched = row.kind is Kind.LATCH
    try:
        with Control(
            target.socket_path, timeout_s=TELL_TIMEOUT_S if latched else options.timeout_s
        ) as control:
            if row.friction is Friction.CONFIRM and not options.yes:
                _confirm(control, args, row, options)
            timeout_s = TELL_TIMEOUT_S if row.name == "halt" else None
            answer = control.act(act_of(row, args, by=by, second_by=second_by), timeout_s=timeout_s)
            if not answer.ok:
                return Result(State.REFUSED, target.account, answer.text, answer.data)
            if row.waits and options.wait_s > 0:
                return _wait(control, row, answer.text, target, options)
            return Result(State.OK, target.account, answer.text or "done", answer.data)
    except NotRunning as error:
        return Result(State.NOT_RUNNING, target.account, str(error))


def _person(row: Row, target: Target, options: Options) -> tuple[str, str]:
    """Who acts, and the second person. Errors: Denied, ConfigError; never for a command that only stops."""
    from holdfast.config.errors import ConfigError
    from holdfast.config.operators import load_operators
    from holdfast.ops.authorise import at_terminal, read_token

    try:
        people = load_operators(target.operators_file) if os.path.exists(target.operators_file) else ()  # noqa: PTH110 - False where it may not be looked at, not an error
    except ConfigError:
        if row.loosens:
            raise
        people = ()
    if not row.loosens:
        return at_terminal(row, people, token="")
    named = options.token_file or os.environ.get("HOLDFAST_TOKEN_FILE") or ""
    default = target.operators_file.with_name("operator.token")
    path = Path(named) if named else default
    token = read_token(path) if named or default.exists() else _asked(options, "your token: ")
    second = read_token(Path(options.second_token_file)) if options.second_token_file else ""
    return at_terminal(row, people, token=token, second_token=second)


def _asked(options: Options, question: str) -> str:
    return options.ask(question).strip() if options.ask is not None else ""


def _confirm(control: Any, args: Mapping[str, Value], row: Row, options: Options) -> None:
    """Show what would be done and have it confirmed. Errors: UsageError when it is not."""
    from holdfast.ops.show import show

    plan = control.view(FLATTEN_PLAN, args)
    lines = show(FLATTEN_PLAN, plan.data) if plan.ok else f"the plan is not known: {plan.text}"
    lines += "\nfrom then on only reducing orders pass there, until that hold is released: holdfast resume"
    sys.stderr.write(lines + "\n")
    if options.ask is None:
        raise UsageError(f"{row.name}: nothing was sent: add --yes to carry out this plan")
    if _asked(options, f"{row.name}: carry it out? [y/N] ").lower() not in {"y", "yes"}:
        raise UsageError(f"{row.name}: not confirmed: nothing was sent")


def _wait(control: Any, row: Row, text: str, target: Target, options: Options) -> Result:
    """Until the bot reports the end, or stops answering (hardstop ends it), or the time is over."""
    from threading import Event

    pause, deadline = Event(), time.monotonic() + options.wait_s
    while True:
        try:
            status = control.view("status").data
        except NotRunning:
            if row.name != "hardstop":
                raise
            return Result(State.OK, target.account, f"{text}; the bot has ended")
        flatten = status.get("flatten") or {}
        open_orders = int(status["open_orders"]) + int(status["unknown_orders"])
        active = bool(flatten.get("active"))
        if not active and open_orders == 0:
            if row.name == "pause":  # the last flatten, if there was one, was somebody else's
                return Result(State.OK, target.account, f"{text}; no open order is left, positions are kept")
            why = str(flatten.get("why") or "")
            flat = flatten.get("flat")
            state = State.UNFINISHED if flat is False else State.OK
            said = f"{'flat: ' if flat else ''}{why}" if why else "no open order is left"
            return Result(state, target.account, f"{text}; {said}", flatten or None)
        if time.monotonic() >= deadline:
            left = f"{open_orders} orders open" + (", flatten under way" if active else "")
            return Result(
                State.UNFINISHED, target.account, f"{text}; not done within {options.wait_s:g} s: {left}"
            )
        pause.wait(POLL_S)


def _abort(row: Row, args: Mapping[str, Value], target: Target, options: Options, *, done: str) -> Result:
    """Ask it to end; end it where it does not. The dead-man and the watchdog take over from here."""
    import signal
    from threading import Event

    told = _tell(row, args, target, options)
    entry = target.entry
    if entry is None:
        return Result(told.state, target.account, f"{done}; {told.text}")
    pause, deadline = Event(), time.monotonic() + TELL_TIMEOUT_S
    while told.state == State.OK and entry.alive and time.monotonic() < deadline:
        pause.wait(0.02)
    if entry.alive:
        try:
            os.kill(entry.pid, signal.SIGKILL)
        except OSError as error:
            return Result(
                State.NOT_RUNNING, target.account, f"{done}; cannot end pid {entry.pid}: {error.strerror}"
            )
        return Result(State.OK, target.account, f"{done}; pid {entry.pid} was ended by force")
    return Result(State.OK, target.account, f"{done}; pid {entry.pid} has ended")
