"""Waiting longer and longer while nothing moves."""

from __future__ import annotations


class Pause:
    """Doubles from ``s_min`` to ``s_max``; ``again`` starts over, for whoever sees progress."""

    def __init__(self, *, s_min: float, s_max: float) -> None:
        self._s_min = s_min
        self._s_max = s_max
        self._next_s = s_min

    def again(self) -> None:
        """Something moved: be quick again."""
        self._next_s = self._s_min

    def next_s(self) -> float:
        """How long to wait now, in seconds."""
        now_s = self._next_s
        self._next_s = min(2 * now_s, self._s_max)
        return now_s
