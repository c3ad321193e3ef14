"""Limits in the step: people change them, and break glass over them. Never above a hard cap, never without a name.

What a lower limit means for what is over it already: nothing that increases it passes any more, and nothing is cut.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.limits.book import senseless, standing, with_values
from holdfast.core.state import State
from holdfast.core.step.emit import Out, after_ms, alert, emit
from holdfast.core.step.equity import mark_equity
from holdfast.core.step.glass import end_glass
from holdfast.core.step.persons import Leave, leave_for
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import Command, TimerKind
from holdfast.vocab.facts import GlassBroken, LimitChanged
from holdfast.vocab.governed import Limit, limits_of, looser, number_text
from holdfast.vocab.units import NS_PER_MS

GLASS_MS_MAX: Final = 600_000  # ten minutes: longer than that is a change of the limit
GLASSES_MAX: Final = 8
Answer = tuple[bool, str]


def set_limit(state: State, out: Out, command: Command) -> Answer:
    """Change a limit. Tighter: one authorised person. Looser: two, or one and the cooling delay."""
    found = _asked_for(state, command)
    if isinstance(found, str):
        return False, found
    session, book = state.live, state.books.limits
    limit, new = found, command.value
    old = standing(limit, book)
    open_over = [glass for glass in book.glasses.values() if glass.name == limit.name]
    said = f"{limit.name} from {_text(state, limit, old)} to {_text(state, limit, new)}"
    if new == old and not open_over:
        return True, f"{limit.name} stands at {_text(state, limit, new)} already"
    leave = Leave(second_by="", alone=False)
    act = ""
    loosens = looser(limit.row, new, old)
    if loosens:
        act = f"limits set {limit.name} {new} from {old}"  # leave to loosen 80 is none to loosen 5
        granted = leave_for(state, out, command, act=act)
        if isinstance(granted, str):
            return False, f"not yet: loosening {said} takes {granted}"
        leave = granted
    if new != old:
        emit(
            state,
            out,
            LimitChanged(
                name=limit.name,
                old=old,
                new=new,
                configured=limit.value,
                by=command.by,
                second_by=leave.second_by,
                alone=leave.alone,
                reason=command.reason,
                wall_ns=session.now_wall_ns,
                act=act,
            ),
        )
    if not loosens:
        for glass in open_over:
            end_glass(state, out, glass, why=f"{command.by} set the limit")
    _renew(state, out)
    alert(
        out,
        Severity.WARNING if loosens else Severity.INFO,
        "limit.changed",
        f"{said} by {_people(command, leave)}: {command.reason}",
    )
    return True, f"{said}, by {_people(command, leave)}"


def break_glass(state: State, out: Out, command: Command) -> Answer:
    """Open one limit for minutes, or for one order: two people, or one and the cooling delay."""
    found = _asked_for(state, command)
    if isinstance(found, str):
        return False, found
    session, book = state.live, state.books.limits
    limit, value = found, command.value
    old = standing(limit, book)
    if not command.review:
        return False, "what is to be looked at afterwards, and by whom, is needed"
    if not 0 < command.for_ms <= GLASS_MS_MAX:
        return False, f"for how long: expected above zero and at most {GLASS_MS_MAX // 60_000} minutes"
    if limit.row.key == "recover_cooling":
        return False, f"{limit.name} is what one person alone waits for: it is changed by limits set only"
    if command.once and limit.row.key.startswith("flatten"):
        return False, f"{limit.name} is of exits, which take several orders: for minutes, not once"
    if not looser(limit.row, value, old):
        return False, f"{limit.name} stands at {_text(state, limit, old)}: there is no glass to break"
    if any(glass.name == limit.name for glass in book.glasses.values()):
        return False, f"{limit.name} is open already: see holdfast break-glass list"
    if len(book.glasses) >= GLASSES_MAX:
        return False, f"{GLASSES_MAX} are open already: see holdfast break-glass list"
    act = f"break-glass {limit.name} {value} over {old} {command.for_ms} {'once' if command.once else 'for all'}"
    leave = leave_for(state, out, command, act=act)
    said = f"{limit.name} at {_text(state, limit, value)} over {_text(state, limit, old)}"
    if isinstance(leave, str):
        return False, f"not yet: {said} takes {leave}"
    glass = GlassBroken(
        glass_id=book.last_glass_id + 1,
        name=limit.name,
        scope=limit.scope,
        value=value,
        standing=old,
        once=command.once,
        by=command.by,
        second_by=leave.second_by,
        alone=leave.alone,
        reason=command.reason,
        review=command.review,
        wall_ns=session.now_wall_ns,
        until_mono_ns=session.now_mono_ns + command.for_ms * NS_PER_MS,
        act=act,
    )
    emit(state, out, glass)
    after_ms(state, out, TimerKind.GLASS, command.for_ms, key=glass.glass_id)
    _renew(state, out)
    how = f"for {command.for_ms // 1000} s" + (", one order only" if command.once else "")
    text = f"break-glass {glass.glass_id}: {said} {how}, by {_people(command, leave)}"
    alert(out, Severity.CRITICAL, "glass.broken", f"{text}: {command.reason}")
    return True, text


def end_by_person(state: State, out: Out, command: Command) -> Answer:
    """A person closes what is open: one step, for it tightens."""
    glass = state.books.limits.glasses.get(command.glass_id)
    if glass is None:
        return False, f"no break-glass {command.glass_id} is open: see holdfast break-glass list"
    end_glass(
        state, out, glass, why=f"{command.by} ended it" + (f": {command.reason}" if command.reason else "")
    )
    _renew(state, out)
    return True, f"break-glass {glass.glass_id} ended"


def _asked_for(state: State, command: Command) -> Limit | str:
    """The limit that is meant, where its new number is one; else why not."""
    session, book = state.live, state.books.limits
    limits = limits_of(session.configured)
    limit = limits.get(command.limit)
    if limit is None:
        return f"no limit is called {command.limit!r}: see holdfast limits"
    if not command.reason:
        return "a reason is needed"
    now = with_values(session.configured, {name: standing(one, book) for name, one in limits.items()})
    why = senseless(now, limit, command.value)
    if why:
        return f"{limit.name}: {why}"
    old = standing(limit, book)
    if not looser(limit.row, command.value, old):
        return limit
    if limit.cap is None:
        return f"{limit.name} has no hard cap, so nothing loosens it"
    if looser(limit.row, command.value, limit.cap):
        cap = _text(state, limit, limit.cap)
        return f"{limit.name}: its hard cap is {cap}, and no command passes that"
    return limit


def _renew(state: State, out: Out) -> None:
    """Put the limits in force, and look at once whether equity is beyond them."""
    state.fold_limits()
    mark_equity(state, out)


def _text(state: State, limit: Limit, value: int) -> str:
    return number_text(limit, value, state.live.configured)


def _people(command: Command, leave: Leave) -> str:
    if leave.second_by:
        return f"{command.by} and {leave.second_by}"
    return f"{command.by}, alone after the cooling delay" if leave.alone else command.by
