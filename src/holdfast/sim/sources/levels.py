"""Price levels as a source needs them: to rebuild a book from changes, and to lead from one book to another."""

from __future__ import annotations

from typing import TypeAlias

from holdfast.vocab.market import Depth

Side: TypeAlias = dict[int, int]  # price_ticks to lots
Changes: TypeAlias = tuple[tuple[int, int], ...]


class Levels:
    """One instrument's displayed sizes by price, as told by Depth events."""

    __slots__ = ("asks", "bids", "seq")

    def __init__(self) -> None:
        self.bids: Side = {}
        self.asks: Side = {}
        self.seq = 0

    def apply(self, depth: Depth) -> None:
        """Take over one event's changes, or the whole of a snapshot."""
        if depth.snapshot:
            self.bids.clear()
            self.asks.clear()
        _change(self.bids, depth.bids)
        _change(self.asks, depth.asks)
        self.seq = depth.seq

    @property
    def best(self) -> tuple[int, int] | None:
        """Best bid and ask in ticks; None while a side is empty."""
        if not self.bids or not self.asks:
            return None
        return max(self.bids), min(self.asks)


def _change(side: Side, changes: Changes) -> None:
    for ticks, lots in changes:
        if lots:
            side[ticks] = lots
        else:
            side.pop(ticks, None)


def difference(before: Side, after: Side) -> Changes:
    """The changes that turn one side into another, by price."""
    gone = [(ticks, 0) for ticks in before if ticks not in after]
    new = [(ticks, lots) for ticks, lots in after.items() if before.get(ticks) != lots]
    return tuple(sorted(gone + new))
