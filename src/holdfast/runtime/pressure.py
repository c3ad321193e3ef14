"""What is done when more market data comes than can be looked at: of quotes, only the newest of a read.

A socket read hands over what the kernel had. While we keep up that is a few frames; once we fall behind, it is as
many as the read buffer takes. A read beyond the high-water mark is conflated before anything is decoded: of each
instrument's quotes the last one stays, at its place; every other frame (prints, marks, book updates, whatever is
not surely a quote) stays too. What was left out is counted, and is neither in the market log nor seen by the core:
so a replay sees what the run saw.

So there is no queue of our own to bound. What may wait is one read (the sockets' read buffer) and what the kernel
holds for the socket; a conflated read costs a fraction of what its frames would, which is how the wait shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from holdfast.ports.feed import QuoteKey
from holdfast.vocab.units import NS_PER_S

HIGH_WATER_FRAMES: Final = 512
"""Of one read: about two milliseconds of work. A read buffer full of frames of up to 500 bytes is beyond it."""

RELEASE_NS: Final = NS_PER_S  # degraded until no read was beyond the mark for so long


class Pressure:
    """Conflates reads, and says when that begins and ends.

    ``say`` gets (degraded, conflated so far, wall_ns, mono_ns).
    """

    __slots__ = ("_last_mono_ns", "_say", "conflated_count", "degraded")

    def __init__(self, say: Callable[[bool, int, int, int], None]) -> None:
        self._say = say
        self._last_mono_ns = 0
        self.degraded = False
        self.conflated_count = 0

    def relieve(
        self, raws: Sequence[bytes], quote_key: QuoteKey, wall_ns: int, mono_ns: int
    ) -> Sequence[bytes]:
        """The frames of a read that is beyond the mark, without the quotes that a later one of it replaces."""
        self._last_mono_ns = mono_ns
        kept = conflated(raws, quote_key)
        self.conflated_count += len(raws) - len(kept)
        if not self.degraded:
            self.degraded = True
            self._say(True, self.conflated_count, wall_ns, mono_ns)
        return kept

    def look(self, wall_ns: int, mono_ns: int) -> None:
        """From time to time: whether it is over."""
        if self.degraded and mono_ns - self._last_mono_ns >= RELEASE_NS:
            self.degraded = False
            self._say(False, self.conflated_count, wall_ns, mono_ns)


def conflated(raws: Sequence[bytes], quote_key: QuoteKey) -> list[bytes]:
    """The last quote of each key, and every frame that has none, in their order."""
    seen: set[bytes] = set()
    kept: list[bytes] = []
    add = seen.add
    for raw in reversed(raws):
        key = quote_key(raw)
        if key is not None:
            if key in seen:
                continue
            add(key)
        kept.append(raw)
    kept.reverse()
    return kept
