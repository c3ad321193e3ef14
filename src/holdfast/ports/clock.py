"""Where time comes from."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks. Only the runtime reads them; everything else is told the time."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch by this machine's wall clock: for people and for venue stamps."""
        ...

    def mono_ns(self) -> int:
        """Nanoseconds of CLOCK_BOOTTIME (virtual in simulation): for every age, wait and timer."""
        ...
