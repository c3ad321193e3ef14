"""Two people, or one and the labelled cooling delay: the one rule for leaving KILLED and for loosening a limit."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.core.state import State
from holdfast.core.step.emit import Out, emit
from holdfast.vocab.events import Command
from holdfast.vocab.facts import LoosenAsked
from holdfast.vocab.units import NS_PER_MS

# Who asked and waited has as long again to act on it; what is older was given up, and its delay begins anew.
ASKED_GOOD_FOR_DELAYS: Final = 2


class Leave(Struct, frozen=True, kw_only=True):
    """Leave to loosen, and whose. ``alone``: one person, after the cooling delay."""

    second_by: str
    alone: bool


def leave_of(state: State, *, by: str, second_by: str, since_mono_ns: int) -> Leave | str:
    """Leave by two people, or by one once the cooling delay since then is over; else why not.

    Names are people here: the face checked each one's own credential, and the operators file has no token twice.
    """
    if second_by and second_by != by:
        return Leave(second_by=second_by, alone=False)
    session = state.live
    waited_ms = (session.now_mono_ns - since_mono_ns) // NS_PER_MS
    left_ms = session.settings.account_limits.recover_cooling_ms - waited_ms
    if left_ms > 0:
        return f"a second person, or another {left_ms // 1000 + 1} s of the solo operator's cooling delay"
    return Leave(second_by="", alone=True)


def leave_for(state: State, out: Out, command: Command, *, act: str) -> Leave | str:
    """The same for something that waits for nothing but this: the delay runs from when it was first asked for.

    ``act``: the very words of what is wanted. Whoever else asks for the same in that time is the second person.
    """
    session = state.live
    asked = state.books.limits.asked.get(act)
    good_ns = session.settings.account_limits.recover_cooling_ms * ASKED_GOOD_FOR_DELAYS * NS_PER_MS
    if asked is not None and session.now_mono_ns - asked.since_mono_ns > good_ns:
        asked = None
    first_by = asked.by if asked is not None and asked.by != command.by else ""
    leave = leave_of(
        state,
        by=command.by,
        second_by=command.second_by or first_by,
        since_mono_ns=session.now_mono_ns if asked is None else asked.since_mono_ns,
    )
    if isinstance(leave, str) and asked is None:
        emit(state, out, LoosenAsked(act=act, by=command.by, reason=command.reason))
        leave += ", counted from now: then give the same command again"
    return leave
