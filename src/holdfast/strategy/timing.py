"""Which callbacks take too long, without a clock on the hot path.

Batches are timed as a whole. After a slow one, and in one batch of every so many, each callback is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeVar

from msgspec import Struct

from holdfast.strategy.api import Context, Wants
from holdfast.strategy.wellformed import INTENT_KINDS
from holdfast.vocab.units import NS_PER_MS

SLOW_NS: Final = NS_PER_MS
_SAMPLE_EVERY: Final = 64
_WATCHED_BATCHES: Final = 32
_LISTED_MAX: Final = 256

Event = TypeVar("Event")
Call = Callable[[Context, Event], Wants]


class SlowCallback(Struct, frozen=True):
    """A callback that took longer than SLOW_NS, as often as it was seen to."""

    strategy: str
    callback: str
    count: int
    worst_ns: int


class Stopwatch:
    """Decides when to time, and keeps what was slow. Bounded: one entry per strategy and callback."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._began_ns = 0
        self._batches = 0
        self._left = 0
        self._slow: dict[tuple[str, str], SlowCallback] = {}

    @property
    def watching(self) -> bool:
        """Whether each callback is to be timed now."""
        return self._left > 0

    def batch_began(self) -> None:
        """Call before the first event of a batch."""
        self._began_ns = self._clock_ns()

    def batch_ended(self) -> None:
        """Call after the last event of a batch; may change ``watching``."""
        took_ns = self._clock_ns() - self._began_ns
        self._batches += 1
        if self._left:
            self._left -= 1
        elif took_ns > SLOW_NS:
            self._left = _WATCHED_BATCHES
        elif self._batches % _SAMPLE_EVERY == 0:
            self._left = 1

    def timed(
        self, call: Callable[[Context, Event], Wants], strategy: str, callback: str, intents_max: int
    ) -> Callable[[Context, Event], Wants]:
        """The same callback, timed. What it yields is drawn here, so that a generator's work counts too."""

        def timed_call(context: Context, event: Event) -> Wants:
            began_ns = self._clock_ns()
            wanted = call(context, event)
            if wanted is not None and type(wanted) not in INTENT_KINDS and isinstance(wanted, Iterable):
                wanted = tuple(islice(wanted, intents_max + 1))
            took_ns = self._clock_ns() - began_ns
            if took_ns > SLOW_NS:
                self._note(strategy, callback, took_ns)
            return wanted

        return timed_call

    def _note(self, strategy: str, callback: str, took_ns: int) -> None:
        known = self._slow.get((strategy, callback))
        if known is None and len(self._slow) >= _LISTED_MAX:
            return
        count, worst_ns = (known.count, known.worst_ns) if known else (0, 0)
        self._slow[strategy, callback] = SlowCallback(strategy, callback, count + 1, max(worst_ns, took_ns))

    def take(self) -> tuple[SlowCallback, ...]:
        """What was slow since the last asking."""
        slow = tuple(self._slow.values())
        self._slow.clear()
        return slow
