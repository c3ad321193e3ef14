"""Is the bot dead? Judged by the lease alone: the stamp that only its trading loop renews."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from holdfast.guard.lease import Holder


class Verdict(Enum):
    """What the lease tells."""

    ALIVE = "alive"
    LATE = "late"  # past its time, not yet long enough to act
    DEAD = "dead"
    NOBODY = "nobody"  # no bot has held this lease since boot


class Judge(Struct, kw_only=True):
    """Looks again and again; dead only after the stamp stood still for the whole time."""

    dead_after_ns: int
    seen_stamp_ns: int = -1
    still_since_ns: int = -1
    seen_generation: int = -1

    def look(self, holder: Holder | None, *, now_mono_ns: int) -> Verdict:
        """One look. Time is CLOCK_BOOTTIME, as the stamp's."""
        if holder is None:
            return Verdict.NOBODY
        if (holder.generation, holder.stamp_mono_ns) != (self.seen_generation, self.seen_stamp_ns):
            self.seen_generation, self.seen_stamp_ns = holder.generation, holder.stamp_mono_ns
            self.still_since_ns = now_mono_ns
        still_ns = min(now_mono_ns - self.still_since_ns, now_mono_ns - holder.stamp_mono_ns)
        if self.still_since_ns == now_mono_ns:
            # first sight: only the stamp's own age counts, and it may be a bot that was stopped long ago
            still_ns = 0
        if still_ns > self.dead_after_ns:
            return Verdict.DEAD
        return Verdict.LATE if still_ns > self.dead_after_ns // 2 else Verdict.ALIVE
