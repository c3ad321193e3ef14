"""The risk ladder in the step: carries out a row of its table, and nothing that is not in it."""

from __future__ import annotations

from typing import Final

from holdfast.core.holds.ladder import LADDER, Move, Push, Rung, cool_down_left_ms, rung_of
from holdfast.core.state import State
from holdfast.core.step.emit import Out, alert, emit, place_hold, release_hold
from holdfast.core.step.orders import cancel_scope
from holdfast.vocab.effects import Severity
from holdfast.vocab.facts import CoolDownMoved
from holdfast.vocab.holds import ACCOUNT
from holdfast.vocab.invariant import invariant

_COOLS: Final = (Push.TIME_OVER, Push.RESET_BEYOND)


def rung(state: State) -> Rung:
    """Where the account stands."""
    return rung_of(state.books.ladder, state.books.holds)


def climb(state: State, out: Out, push: Push, *, by: str, reason: str) -> Move | None:
    """Make the move that the table has for this rung and push; None where it has none, or its hold stands already."""
    before = rung(state)
    move = LADDER.get((before, push))
    holds = state.books.holds
    if move is None or (move.places is not None and holds.find(move.places, ACCOUNT) is not None):
        return None
    if push in _COOLS:
        emit(state, out, CoolDownMoved(over=push is Push.TIME_OVER, by=by))
        alert(out, Severity.INFO, f"ladder.{move.to.value}", f"{before.value} to {move.to.value}: {reason}")
    if move.places is not None:
        place_hold(state, out, move.places, by=by, reason=reason)
    released = None if move.releases is None else holds.find(move.releases, ACCOUNT)
    if released is not None:
        release_hold(state, out, released, by=by, reason=reason)
    if move.cancels:
        cancel_scope(state, out, scope=ACCOUNT, why=push.value.replace("_", " "), protective=False)
    invariant(
        rung(state) is move.to or move.or_standing,
        "the holds add up to the rung that the table says",
        before=before.value,
        push=push.value,
        after=rung(state).value,
    )
    return move


def cool_left_ms(state: State) -> int:
    """How long the breaker's cool-down still runs; 0 once it is over."""
    session = state.live
    return cool_down_left_ms(
        state.books.ladder,
        cooldown_ms=session.settings.account_limits.breaker_cooldown_ms,
        now_mono_ns=session.now_mono_ns,
    )


def cool(state: State, out: Out) -> None:
    """Look whether the breaker's cool-down has run."""
    if rung(state) is Rung.BREAKER and cool_left_ms(state) == 0:
        climb(state, out, Push.TIME_OVER, by="monitor", reason="the cool-down is over: a person may reset it")
