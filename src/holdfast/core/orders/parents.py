"""Parents: how much of a parent order its children have taken up. Counted here, where children are emitted.

A child takes up its open size (working, in flight, UNKNOWN, and under an unanswered amend the larger size) and what it
filled; what it leaves when it is final is free again. So the children of a parent never fill more than the parent,
whatever a strategy believes of its own fills, unless the venue itself overfills one.

The first child says what the parent is. Promises: a parent's size, side and instrument never change; a strategy's
parents survive a restart; each strategy has at most ``PARENTS_KEPT_MAX``, and a parent that was forgotten does not
begin anew: its number, and every smaller one, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Final

from msgspec import Struct

from holdfast.vocab.events import OrderIntent
from holdfast.vocab.orders import ChildOf, Side

PARENTS_KEPT_MAX: Final = 1_024


class Parent(Struct, kw_only=True):
    """One parent. ``taken_lots``: filled and still open of all its children; ``open_lots``: the open part."""

    instrument: str
    side: Side
    parent_lots: int
    taken_lots: int = 0
    open_lots: int = 0


class Parents(Struct, kw_only=True):
    """The parents of one strategy by number. Changed by facts alone."""

    known: dict[int, Parent] = {}
    forgotten_id: int = 0  # the largest number that was forgotten

    def begin(self, child_of: ChildOf, *, instrument: str, side: Side, lots: int) -> None:
        """A child was approved."""
        parent = self.known.get(child_of.parent_id)
        if parent is None:
            self._make_room()
            parent = self.known[child_of.parent_id] = Parent(
                instrument=instrument, side=side, parent_lots=child_of.parent_lots
            )
        parent.taken_lots += lots
        parent.open_lots += lots

    def change(self, parent_id: int, *, open_lots: int, filled_lots: int) -> None:
        """A child's open size and its fills changed by so much."""
        parent = self.known.get(parent_id)
        if parent is not None:  # a late word on a child of a parent that is long forgotten
            parent.taken_lots += open_lots + filled_lots
            parent.open_lots += open_lots

    def supposing(self, children: Iterable[OrderIntent]) -> Parents:
        """What these would be, were the children among those orders let through; these themselves do not change."""
        more = Parents(known=dict(self.known), forgotten_id=self.forgotten_id)
        for order in children:
            if order.child_of is None:
                continue
            parent = more.known.get(order.child_of.parent_id)
            if parent is not None:
                more.known[order.child_of.parent_id] = copy(parent)
            more.begin(order.child_of, instrument=order.instrument, side=order.side, lots=order.qty_lots)
        return more

    def full(self) -> bool:
        """Whether no new parent finds a place: all have something open."""
        return len(self.known) >= PARENTS_KEPT_MAX and all(one.open_lots for one in self.known.values())

    def _make_room(self) -> None:
        """Forget the oldest that has nothing open."""
        if len(self.known) < PARENTS_KEPT_MAX:
            return
        oldest = next((number for number, one in self.known.items() if not one.open_lots), None)
        if oldest is not None:
            del self.known[oldest]
            self.forgotten_id = max(self.forgotten_id, oldest)
