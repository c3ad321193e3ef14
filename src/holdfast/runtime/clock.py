"""The clocks: the machine's, and one that is only told."""

from __future__ import annotations

import time


class SystemClock:
    """This machine's clocks."""

    __slots__ = ()

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return time.time_ns()

    def mono_ns(self) -> int:
        """CLOCK_BOOTTIME: never steps, and counts through a suspend."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class ToldClock:
    """Virtual time: it moves only when told, for backtests and simulation.

    ``told_wall_ns`` and ``told_mono_ns`` are ``tell`` without its call: a backtest tells the time at every quote.
    """

    __slots__ = ("told_mono_ns", "told_wall_ns")

    def __init__(self, *, wall_ns: int, mono_ns: int) -> None:
        self.told_wall_ns = wall_ns
        self.told_mono_ns = mono_ns

    def wall_ns(self) -> int:
        """As told."""
        return self.told_wall_ns

    def mono_ns(self) -> int:
        """As told."""
        return self.told_mono_ns

    def tell(self, *, wall_ns: int, mono_ns: int) -> None:
        """It is now this time."""
        self.told_wall_ns = wall_ns
        self.told_mono_ns = mono_ns
