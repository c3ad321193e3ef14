"""For how long something has stood still, counting only the time that we looked at it."""

from __future__ import annotations


class Stillness:
    """Grows with each look that sees the same, by no more than ``step_ns_max`` a look.

    A machine that was suspended, or a judge that was frozen together with what it judges, has not watched: the gap
    counts as one step, so that whoever wakes up has its time to show a sign of life.
    """

    __slots__ = ("_looked_ns", "_seen", "_step_ns_max", "still_ns")

    def __init__(self, *, step_ns_max: int) -> None:
        self.still_ns = 0
        self._step_ns_max = step_ns_max
        self._seen: object = self  # equal to nothing that can be shown
        self._looked_ns = 0

    def look(self, seen: object, *, now_mono_ns: int) -> int:
        """One look; returns for how long the same was seen. CLOCK_BOOTTIME."""
        gap_ns, self._looked_ns = now_mono_ns - self._looked_ns, now_mono_ns
        if seen != self._seen:
            self._seen, self.still_ns = seen, 0
        else:
            self.still_ns += min(gap_ns, self._step_ns_max)
        return self.still_ns
