"""Broken glass in the step: how it is closed again. It closes by itself; nobody has to remember it."""

from __future__ import annotations

from holdfast.core.holds.table import covers
from holdfast.core.state import State
from holdfast.core.step.emit import Out, alert, emit
from holdfast.vocab.effects import Severity
from holdfast.vocab.facts import GlassBroken, GlassEnded


def end_glass(state: State, out: Out, glass: GlassBroken, *, why: str) -> None:
    """Close one: from the next order on the limit is what it was."""
    emit(state, out, GlassEnded(glass_id=glass.glass_id, why=why))
    state.fold_limits()
    alert(
        out,
        Severity.WARNING,
        "glass.ended",
        f"break-glass {glass.glass_id} on {glass.name} ended: {why}; to review: {glass.review}",
    )


def end_expired(state: State, out: Out) -> None:
    """Close what is past its time although its timer has not come yet: a loop that stood still opens nothing."""
    now = state.live.now_mono_ns
    for glass in list(state.books.limits.glasses.values()):
        if now >= glass.until_mono_ns:
            end_glass(state, out, glass, why="its time is over")


def end_used(state: State, out: Out, *, strategy: str, instrument: str) -> None:
    """An order (or an amend) of this strategy was let through here: what was open for one order is used."""
    for glass in list(state.books.limits.glasses.values()):
        if glass.once and covers(glass.scope, strategy=strategy, instrument=instrument):
            end_glass(state, out, glass, why=f"its one order was let through for {strategy} in {instrument}")


def end_all(state: State, out: Out, *, why: str) -> None:
    """Close every one."""
    for glass in list(state.books.limits.glasses.values()):
        end_glass(state, out, glass, why=why)


def glass_due(state: State, out: Out, glass_id: int) -> None:
    """Its time is over."""
    glass = state.books.limits.glasses.get(glass_id)
    if glass is not None:
        end_glass(state, out, glass, why="its time is over")
