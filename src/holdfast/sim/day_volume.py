"""What one instrument traded in the last 24 hours, to the minute, as far as it was seen."""

from __future__ import annotations

from collections import deque
from typing import Final

_MINUTE_NS: Final = 60_000_000_000
_DAY_MINUTES: Final = 24 * 60


class DayVolume:
    """A sum over minutes: the one of 24 hours ago leaves when a new one begins."""

    __slots__ = ("_minutes", "_sum_lots")

    def __init__(self) -> None:
        self._minutes: deque[list[int]] = deque()  # [minute, lots], oldest first
        self._sum_lots = 0

    def trade(self, lots: int, now_ns: int) -> None:
        """Count a print."""
        minute = now_ns // _MINUTE_NS
        minutes = self._minutes
        if not minutes or minute > minutes[-1][0]:
            minutes.append([minute, 0])
            self._forget(minute)
        minutes[-1][1] += lots
        self._sum_lots += lots

    def lots(self, now_ns: int) -> int:
        """The last 24 hours."""
        self._forget(now_ns // _MINUTE_NS)
        return self._sum_lots

    def _forget(self, minute: int) -> None:
        minutes = self._minutes
        while minutes and minutes[0][0] <= minute - _DAY_MINUTES:
            self._sum_lots -= minutes.popleft()[1]
