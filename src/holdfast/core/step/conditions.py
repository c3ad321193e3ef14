"""Holds that stand while a condition does, and release themselves once it has been gone for the time configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.core.state import State
from holdfast.core.step.emit import Out, place_hold, release_hold
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.units import NS_PER_MS

_NONE: Final[frozenset[HoldCause]] = frozenset()


def condition(
    state: State,
    out: Out,
    cause: HoldCause,
    *,
    stands: bool,
    reason: str,
    scope: Scope | None = None,
    at_once: bool = False,
    level: HoldLevel | None = None,
) -> None:
    """Hold while a condition stands; release by itself once it has been gone for the time configured.

    ``level``: in place of the table's; one that rises makes the standing hold stricter, one that falls does nothing.
    """
    where = Scope() if scope is None else scope
    hold = state.books.holds.find(cause, where)
    settle(state, out, cause, hold, stands=stands, reason=reason, scope=where, at_once=at_once, level=level)


def standing(state: State, cause: HoldCause) -> dict[str, Hold]:
    """By instrument: the oldest hold of this cause on it alone. For sweeps: most instruments have none."""
    found: dict[str, Hold] = {}
    for hold in state.books.holds.holds.values():
        if hold.cause is cause and hold.scope.instrument and not hold.scope.strategy:
            found.setdefault(hold.scope.instrument, hold)
    return found


def standing_causes(state: State) -> frozenset[HoldCause] | set[HoldCause]:
    """Of all holds: what does not stand and holds nothing need not be looked at."""
    holds = state.books.holds.holds
    return {hold.cause for hold in holds.values()} if holds else _NONE


def settle(
    state: State,
    out: Out,
    cause: HoldCause,
    hold: Hold | None,
    *,
    stands: bool,
    reason: str,
    scope: Scope,
    at_once: bool = False,
    level: HoldLevel | None = None,
) -> None:
    """``condition`` where ``hold``, the standing one of this cause and scope, is known already."""
    session = state.live
    if stands:
        if hold is None or (level is not None and level > hold.level):
            place_hold(state, out, cause, scope=scope, by="monitor", reason=reason, level=level)
        if hold is not None:
            session.clear_since_mono_ns.pop(hold.hold_id, None)
        return
    if hold is None or hold.release is not Release.AUTOMATIC:
        return
    since = session.clear_since_mono_ns.setdefault(hold.hold_id, session.now_mono_ns)
    if at_once or _long_enough(state, since):
        release_hold(state, out, hold, by="monitor", reason="the condition is gone")


def rule_is_off(state: State, out: Out, cause: HoldCause, in_force: Callable[[Scope], bool]) -> None:
    """Release what a rule holds in the scopes in which it is not in force any more.

    Settings change between two lives of the process, and holds outlive both: nobody looks at their condition now.
    """
    for hold in list(state.books.holds.holds.values()):
        if hold.cause is cause and hold.release is Release.AUTOMATIC and not in_force(hold.scope):
            release_hold(state, out, hold, by="monitor", reason="its rule is not in force any more")


def nowhere(_: Scope) -> bool:
    """Where a rule is in force that is off."""
    return False


def _long_enough(state: State, since_mono_ns: int) -> bool:
    session = state.live
    return session.now_mono_ns - since_mono_ns >= session.settings.timings.hold_clear_ms * NS_PER_MS
