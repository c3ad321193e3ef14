"""The best prices of our own orders in one instrument, so that no order of the account meets another of it.

Counted is every order that may be in the venue's book: sent, live, unknown, or asked to cancel, until it is final;
while an amend is unanswered at both of its prices. A market order does not rest, and a conditional one not yet.

Exact after every change, and cheap: prices are counted in a dictionary and ordered in a heap from which what is gone
is taken when it comes to the top. Derived from the books and not hashed.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from holdfast.vocab.orders import Side

NO_BID: Final = 0
NO_ASK: Final = 1 << 63
HEAP_SLACK: Final = 64  # so many prices that are gone may lie in a heap, beside as many as are there


class _Levels:
    """Prices of one side, as numbers of which the smallest is the best."""

    __slots__ = ("counts", "heap")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.heap: list[int] = []

    def add(self, key: int) -> None:
        count = self.counts.get(key)
        if count is None:
            self.counts[key] = 1
            heappush(self.heap, key)
            if len(self.heap) > 2 * len(self.counts) + HEAP_SLACK:
                self.heap = list(self.counts)
                heapify(self.heap)
        else:
            self.counts[key] = count + 1

    def take(self, key: int) -> None:
        count = self.counts[key]
        if count > 1:
            self.counts[key] = count - 1
            return
        del self.counts[key]
        heap = self.heap
        while heap and heap[0] not in self.counts:
            heappop(heap)


class Resting:
    """Best own bid (0: none) and best own offer (beyond every price: none)."""

    __slots__ = ("_asks", "_bids", "_fresh", "_known", "ask_ticks", "bid_ticks")

    def __init__(self) -> None:
        self.bid_ticks = NO_BID
        self.ask_ticks = NO_ASK
        self._bids = _Levels()
        self._asks = _Levels()
        self._known: dict[int, tuple[int, ...]] = {}
        self._fresh: list[tuple[int, Side, int]] = []  # sent, and put in its place once somebody has the time

    def send(self, order_id: int, side: Side, price_ticks: int) -> None:
        """A new order: on the hot path, so only the best is looked at."""
        self._fresh.append((order_id, side, price_ticks))
        if side > 0:
            if price_ticks > self.bid_ticks:
                self.bid_ticks = price_ticks
        elif price_ticks < self.ask_ticks:
            self.ask_ticks = price_ticks

    def rest(self, order_id: int, side: Side, prices: Iterable[int]) -> None:
        """An order may rest at these prices, and at none that it had before; without any it is gone."""
        while self._fresh:
            new_id, new_side, price_ticks = self._fresh.pop()
            self._place(new_id, new_side, (price_ticks,))
        self._place(order_id, side, tuple(prices))

    def _place(self, order_id: int, side: Side, now: tuple[int, ...]) -> None:
        before = self._known.get(order_id, ())
        if now == before:
            return
        levels, sign = (self._bids, -1) if side > 0 else (self._asks, 1)
        for price in now:
            levels.add(sign * price)
        for price in before:
            levels.take(sign * price)
        if now:
            self._known[order_id] = now
        else:
            del self._known[order_id]
        if side > 0:
            self.bid_ticks = -levels.heap[0] if levels.counts else NO_BID
        else:
            self.ask_ticks = levels.heap[0] if levels.counts else NO_ASK
