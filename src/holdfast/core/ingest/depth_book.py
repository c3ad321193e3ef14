"""A whole book out of a snapshot and the changes around it: buffer, bridge, follow, and say when it is lost.

Each change says which one it follows. A book is whole from the snapshot's id on once a change reaches from at or
before that id to it or beyond; from there each change must follow the last one. One that does not leaves a hole:
the book is lost until another snapshot, and nobody can read a price from it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from holdfast.vocab.market import Depth

BUFFERED_MAX: Final = (
    20_000  # changes that wait for a snapshot; beyond it the oldest go, and the bridge may break
)

Levels = tuple[tuple[int, int], ...]


class BookState(Enum):
    """What can be said of the book."""

    LOST = "lost"  # no snapshot yet, or a hole since
    UNPROVEN = "unproven"  # a snapshot that no change has reached yet
    WHOLE = "whole"


class Taken(Enum):
    """What became of a change or a snapshot."""

    BUFFERED = "buffered"
    APPLIED = "applied"
    REPEATED = "repeated"
    STALE = "stale"  # already in the snapshot that came before it
    GAP = "gap"


@dataclass(slots=True, kw_only=True)
class DepthBook:
    """One instrument's displayed sizes: price in ticks to lots. Read prices only while ``state`` is WHOLE."""

    state: BookState = BookState.LOST
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    seq: int = -1
    mono_ns: int = 0  # when the last change or snapshot was received
    bid_ticks: int = 0  # the best; 0 while that side is empty
    ask_ticks: int = 0
    buffered: list[Depth] = field(default_factory=list)
    gaps_count: int = 0
    repeats_count: int = 0
    applied_count: int = 0  # changes, bridged ones among them
    dropped_count: int = 0  # changes older than a snapshot, and those that the buffer had no room for

    @property
    def needs_snapshot(self) -> bool:
        """True until a snapshot was taken, and again after every hole."""
        return self.state is BookState.LOST

    @property
    def crossed(self) -> bool:
        """Whether the best bid reaches the best ask: never so in a book that was put together rightly."""
        return bool(self.bid_ticks and self.ask_ticks) and self.bid_ticks >= self.ask_ticks

    def take(self, depth: Depth) -> Taken:
        """Take one change, or one snapshot."""
        if depth.snapshot:
            return self._restart(depth)
        if self.state is BookState.LOST:
            return self._buffer(depth)
        if depth.seq < self.seq and self.state is BookState.UNPROVEN:
            self.dropped_count += 1
            return Taken.STALE
        if depth.seq < self.seq or (depth.seq == self.seq and self.state is BookState.WHOLE):
            self.repeats_count += 1
            return Taken.REPEATED
        before = follows(depth)
        if before == self.seq or (self.state is BookState.UNPROVEN and before <= self.seq):
            self._apply(depth)
            self.state = BookState.WHOLE
            return Taken.APPLIED
        self.gaps_count += 1
        self.lose()
        self._buffer(depth)
        return Taken.GAP

    def _buffer(self, depth: Depth) -> Taken:
        if self.buffered and depth.seq <= self.buffered[-1].seq:
            self.repeats_count += 1
            return Taken.REPEATED
        if len(self.buffered) >= BUFFERED_MAX:
            del self.buffered[0]
            self.dropped_count += 1
        self.buffered.append(depth)
        return Taken.BUFFERED

    def _restart(self, snapshot: Depth) -> Taken:
        """Begin again from a snapshot; one that is older than a whole book has nothing to tell."""
        if self.state is BookState.WHOLE and snapshot.seq <= self.seq:
            self.repeats_count += 1
            return Taken.REPEATED
        waiting = self.buffered
        self.lose()
        self.state = BookState.UNPROVEN
        self._apply(snapshot)
        for at, depth in enumerate(waiting):
            if depth.seq < snapshot.seq:
                self.dropped_count += 1
            elif self.take(depth) is Taken.GAP:
                self.buffered.extend(waiting[at + 1 :])
                return Taken.GAP
        return Taken.APPLIED

    def lose(self) -> None:
        """Nothing can be said of it any more until another snapshot."""
        self.state = BookState.LOST
        self.bids = {}
        self.asks = {}
        self.buffered = []
        self.bid_ticks = self.ask_ticks = 0
        self.seq = -1

    def _apply(self, depth: Depth) -> None:
        self.seq = depth.seq
        self.mono_ns = depth.mono_ns
        self.applied_count += not depth.snapshot
        if _change(self.bids, depth.bids, self.bid_ticks):
            self.bid_ticks = max(self.bids, default=0)
        else:
            self.bid_ticks = max(self.bid_ticks, *(price for price, _ in depth.bids if price in self.bids), 0)
        if _change(self.asks, depth.asks, self.ask_ticks):
            self.ask_ticks = min(self.asks, default=0)
        else:
            known = (self.ask_ticks,) if self.ask_ticks else ()
            self.ask_ticks = min(
                (*known, *(price for price, _ in depth.asks if price in self.asks)), default=0
            )


def follows(depth: Depth) -> int:
    """The id that a change follows; a venue that does not say it numbers its changes without a hole."""
    return depth.seq_prev or depth.seq_first - 1


def _change(side: dict[int, int], changes: Levels, best_ticks: int) -> bool:
    """Take over new sizes; 0 deletes. True when the best level went: then the next best must be looked for."""
    for price_ticks, lots in changes:
        if lots:
            side[price_ticks] = lots
        else:
            side.pop(price_ticks, None)
    return bool(best_ticks) and best_ticks not in side
