"""Time at the edge: the machine's two clocks, and the venue's clock as measured."""

from __future__ import annotations

import time
from functools import partial

from holdfast.ports.clock import Clock
from holdfast.vocab.units import NS_PER_MS


class SystemClock:
    """The real clocks (``ports.clock.Clock``), bound directly: they are read for every burst of frames."""

    wall_ns = staticmethod(time.time_ns)
    mono_ns = staticmethod(partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME))


class VenueClock:
    """What the venue's clock says now.

    Kept against the monotonic clock, so that a step of our own wall clock does not move the stamps that we
    sign with. Before the first measure it is our wall clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_of_mono_ns = clock.wall_ns() - clock.mono_ns()
        self.measured = False

    def now_ns(self) -> int:
        """The venue's time."""
        return self._clock.mono_ns() + self._ahead_of_mono_ns

    def now_ms(self) -> int:
        """The venue's time in whole milliseconds, as signed requests carry it."""
        return self.now_ns() // NS_PER_MS

    def measured_at(self, *, venue_ns: int, sent_mono_ns: int, got_mono_ns: int) -> None:
        """The venue said ``venue_ns`` between these two moments: taken for the middle."""
        self._ahead_of_mono_ns = venue_ns - (sent_mono_ns + got_mono_ns) // 2
        self.measured = True

    def offset_ns(self) -> int:
        """Venue time minus our wall time now."""
        return self.now_ns() - self._clock.wall_ns()
