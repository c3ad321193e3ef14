"""Is the bot dead? Judged by the lease: the stamp that only its trading loop renews, and what it says beside it."""

from __future__ import annotations

from enum import Enum
from typing import Final

from holdfast.guard.lease import Holder
from holdfast.guard.stillness import Stillness

STEP_NS_MAX: Final = 1_000_000_000
"""What one look may count for: a judge that was frozen with the bot gives it time to show itself."""


class Verdict(Enum):
    """What the lease tells."""

    ALIVE = "alive"
    LATE = "late"  # past half of its time
    STALLED = "stalled"  # it renews its lease, and nothing goes through it
    DEAD = "dead"
    ENDED = "ended"  # it let go of its lease: a clean end
    NOBODY = "nobody"  # no bot has held this lease since boot
    UNREADABLE = "unreadable"  # the lease says nothing, or is gone under a living bot


class Judge:
    """Looks again and again; dead only after the stamp stood still, and was seen to, for the whole time.

    A bot that is starting has sent nothing yet, and reads its journal before it can renew: it has the patience of
    ``stalled_after``, which tries that die and are begun again share.
    """

    def __init__(self, *, dead_after_ns: int, stalled_after_ns: int) -> None:
        self.why = ""  # the last verdict in words, where it needs some
        self._dead_after_ns = dead_after_ns
        self._stalled_after_ns = stalled_after_ns
        self._stamp = Stillness(step_ns_max=STEP_NS_MAX)
        self._stepped = Stillness(step_ns_max=STEP_NS_MAX)
        self._acked = Stillness(step_ns_max=STEP_NS_MAX)
        self._readable = Stillness(step_ns_max=STEP_NS_MAX)
        self._lived = False  # a holder was seen that has not ended

    def once(self, found: Holder | str | None, *, now_mono_ns: int) -> Verdict:
        """By one look alone: the stamp's own age decides."""
        if isinstance(found, Holder) and found.stamp_mono_ns:
            age_ns = now_mono_ns - found.stamp_mono_ns
            if age_ns <= (self._dead_after_ns if found.progress.stepped_mono_ns else self._stalled_after_ns):
                stepped, _, acked, _ = found.progress
                return self._by_progress(found, now_mono_ns - stepped, now_mono_ns - acked)
            self.why = (
                f"the trading loop of process {found.pid} renewed its lease {age_ns // 1_000_000} ms ago"
            )
            return Verdict.DEAD
        if isinstance(found, str):
            self.why = found
            return Verdict.UNREADABLE
        return self.look(found, now_mono_ns=now_mono_ns)

    def look(self, found: Holder | str | None, *, now_mono_ns: int) -> Verdict:
        """One of many looks. Time is CLOCK_BOOTTIME, as the stamp's."""
        self.why = ""
        blind_ns = self._readable.look(isinstance(found, Holder), now_mono_ns=now_mono_ns)
        if not isinstance(found, Holder):
            if found is None and not self._lived:
                self.why = "no bot has held its lease since boot"
                return Verdict.NOBODY
            if blind_ns <= self._dead_after_ns:
                return Verdict.LATE
            self.why = found or "the lease's file is gone, and its bot had not ended"
            return Verdict.UNREADABLE
        stepped_ns = self._stepped.look(found.progress.stepped_mono_ns, now_mono_ns=now_mono_ns)
        acked_ns = self._acked.look(found.progress.acked_mono_ns, now_mono_ns=now_mono_ns)
        starting = not found.progress.stepped_mono_ns
        stamp = "starting" if starting and found.stamp_mono_ns else (found.generation, found.stamp_mono_ns)
        still_ns = self._stamp.look(stamp, now_mono_ns=now_mono_ns)
        self._lived = found.stamp_mono_ns != 0
        if not self._lived:
            return Verdict.ENDED
        if still_ns > (self._stalled_after_ns if starting else self._dead_after_ns):
            what = "has been starting" if starting else "has renewed nothing"
            self.why = f"the trading loop of process {found.pid} {what} for {still_ns // 1_000_000} ms"
            return Verdict.DEAD
        if not starting and still_ns > self._dead_after_ns // 2:
            return Verdict.LATE
        return self._by_progress(found, stepped_ns, acked_ns)

    def _by_progress(self, holder: Holder, stepped_ns: int, acked_ns: int) -> Verdict:
        """By how long ago something got done. What was not done yet since the start has a patience of its own."""
        progress = holder.progress
        for what, at_ns, age_ns in (
            ("no event was stepped", progress.stepped_mono_ns, stepped_ns),
            ("the venue has answered nothing", progress.acked_mono_ns, acked_ns),
        ):
            if at_ns and age_ns > self._stalled_after_ns:
                age_s = age_ns // 1_000_000_000
                self.why = f"process {holder.pid} renews its lease, but {what} for {age_s} s"
                return Verdict.STALLED
        return Verdict.ALIVE
