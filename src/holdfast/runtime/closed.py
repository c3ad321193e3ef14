"""Closed hours in virtual time: one period of them is walked, and as many more as are alike are passed over.

Whether they are alike is not reckoned but seen: the state behind a period, moved back by ``HoursPassed``, must have
the hash of the state before it, and the timers must stand as they stood. Then a multiple of the period makes no other
difference than that event does, up to the next thing that time alone brings about (``core.step.quiet``).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.core.state import State
from holdfast.core.step.machine import STAGES
from holdfast.core.step.quiet import is_quiet, nothing_due_ns, period_ns
from holdfast.runtime.timers import Timers
from holdfast.vocab.events import HoursPassed
from holdfast.vocab.units import NS_PER_S

PERIODS_MIN: Final = 3  # what is shorter is walked sooner than looked at
PERIOD_NS_MAX: Final = 3_600 * NS_PER_S  # intervals that share no shorter multiple are walked


class _Seen(Struct, frozen=True, kw_only=True):
    """How everything stood at one moment."""

    wall_ns: int
    mono_ns: int
    next_call_id: int
    timers: list[tuple[int, str]]
    state_hash: str


class ClosedHours:
    """One stretch without market data that ends at ``end_mono_ns``."""

    def __init__(self, state: State, timers: Timers, *, end_mono_ns: int) -> None:
        self._state = state
        self._timers = timers
        self._end_mono_ns = end_mono_ns
        self._period_ns = period_ns(state)
        self._before: _Seen | None = None
        self.worth = self._period_ns <= PERIOD_NS_MAX

    @property
    def lasts(self) -> bool:
        """Whether enough is left of it."""
        left_ns = self._end_mono_ns - self._state.live.now_mono_ns
        return self.worth and left_ns >= PERIODS_MIN * self._period_ns

    def look(self, *, next_act_mono_ns: int) -> HoursPassed | None:
        """After each step: the hours that may be passed over now, if any.

        ``next_act_mono_ns``: when something next happens that is neither a timer of the core nor market data.
        """
        before, now = self._before, self._state.live.now_mono_ns
        if (before is not None and now < before.mono_ns + self._period_ns) or not is_quiet(self._state):
            return None
        seen = self._before = self._seen()
        if before is None or now != before.mono_ns + self._period_ns or not self._alike(before, seen):
            return None
        last_ns = min(self._end_mono_ns, next_act_mono_ns, now + nothing_due_ns(self._state)) - 1
        times = (last_ns - now) // self._period_ns
        if times < 1:
            return None
        self._before = None
        by_ns = times * self._period_ns
        return HoursPassed(
            wall_ns=seen.wall_ns + by_ns,
            mono_ns=seen.mono_ns + by_ns,
            by_ns=by_ns,
            calls_count=times * (seen.next_call_id - before.next_call_id),
        )

    def _seen(self) -> _Seen:
        session = self._state.live
        return _Seen(
            wall_ns=session.now_wall_ns,
            mono_ns=session.now_mono_ns,
            next_call_id=session.next_call_id,
            timers=self._timers.waiting(mono_ns=session.now_mono_ns),
            state_hash=self._state.state_hash(),
        )

    def _alike(self, before: _Seen, seen: _Seen) -> bool:
        """Whether the state is the one before but for ``HoursPassed``. It is moved back and forth for that."""
        if before.timers != seen.timers:
            return False
        by_ns = self._period_ns
        calls_count = seen.next_call_id - before.next_call_id
        state, stage = self._state, STAGES[HoursPassed]
        back = HoursPassed(
            wall_ns=before.wall_ns, mono_ns=before.mono_ns, by_ns=-by_ns, calls_count=-calls_count
        )
        stage(state, back)
        alike = state.state_hash() == before.state_hash
        forth = HoursPassed(wall_ns=seen.wall_ns, mono_ns=seen.mono_ns, by_ns=by_ns, calls_count=calls_count)
        stage(state, forth)
        return alike
