"""Timers that the core set, brought back when due. No thread and no clock: the time is passed in."""

from __future__ import annotations

import heapq
from typing import Final

from holdfast.vocab.effects import SetTimer
from holdfast.vocab.events import TimerFired, TimerKind

_NAMES: Final = {kind: kind.value for kind in TimerKind}  # the property costs more than the look-up


class Timers:
    """A heap of due times; a later timer of the same name replaces the earlier one."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, str, int]] = []
        self._due: dict[tuple[str, int], int] = {}

    def set(self, timer: SetTimer) -> None:
        """Arm, or arm anew."""
        name = (_NAMES[timer.kind], timer.key)
        self._due[name] = timer.due_mono_ns
        heapq.heappush(self._heap, (timer.due_mono_ns, *name))

    def clear(self) -> None:
        """Forget all: a new start sets its own."""
        self._heap.clear()
        self._due.clear()

    def waiting(self, *, mono_ns: int) -> list[tuple[int, str]]:
        """What is armed: in how many ns from then, and what for."""
        return sorted((due - mono_ns, kind) for (kind, _), due in self._due.items())

    def shift(self, by_ns: int) -> None:
        """Everything falls due as much later."""
        self._heap = sorted((due + by_ns, *name) for name, due in self._due.items())
        self._due = {name: due + by_ns for name, due in self._due.items()}

    def next_due_mono_ns(self) -> int | None:
        """When the next one is due; replaced ones are dropped on the way."""
        heap = self._heap
        while heap:
            due, kind, key = heap[0]
            if self._due.get((kind, key)) == due:
                return due
            heapq.heappop(heap)
        return None

    def pop_due(self, *, mono_ns: int, wall_ns: int) -> TimerFired | None:
        """The next timer due by now, as its event; None when none is."""
        due = self.next_due_mono_ns()
        if due is None or due > mono_ns:
            return None
        _, kind, key = heapq.heappop(self._heap)
        del self._due[kind, key]
        return TimerFired(wall_ns=wall_ns, mono_ns=mono_ns, kind=TimerKind(kind), key=key)
