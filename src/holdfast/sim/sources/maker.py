"""One generated instrument's book: who rests, who takes, and the frames that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.sim.sources.frames import Frame
from holdfast.sim.sources.levels import Side
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Quote, Trade

_LEVELS_MIN: Final = 16
_LEVELS_MAX: Final = 28


class GeneratedBook:
    """A consistent book: best bid below best ask, every size above zero, every change told exactly once.

    Sides are dicts by price; a changed price is remembered until the next diff.
    """

    def __init__(
        self,
        spec: InstrumentSpec,
        *,
        start_ticks: int,
        touch_lots: int,
        book_id: int,
        trade_id: int,
        word: Callable[[], int],
    ) -> None:
        self.spec = spec
        self._word = word
        self._touch_lots = touch_lots
        self._book_id = book_id + 1
        self._diff_id = self._book_id
        self._trade_id = trade_id
        name = spec.instrument.lower()
        self._quotes, self._trades, self._depth = f"{name}@bookTicker", f"{name}@trade", f"{name}@depth@100ms"
        self._bids: Side = {}
        self._asks: Side = {}
        self._bids_changed: Side = {}  # used as an ordered set: price to 0
        self._asks_changed: Side = {}
        self._bid = start_ticks
        self._ask = start_ticks + 1
        self._bids[self._bid] = self._fresh(word())
        self._asks[self._ask] = self._fresh(word())
        self._tidy()
        self._bids_changed.clear()
        self._asks_changed.clear()
        self._shown = (0, 0, 0, 0)

    @property
    def mid_ticks(self) -> int:
        """The middle, rounded down."""
        return (self._bid + self._ask) // 2

    # --- what it shows ----------------------------------------------------------------------------------------

    def snapshot(self, now_ns: int) -> Frame:
        """The whole book, for the venue only."""
        levels = [tuple(sorted(side.items())) for side in (self._bids, self._asks)]
        name = self.spec.instrument
        event = Depth(name, self._diff_id, self._diff_id, 0, levels[0], levels[1], True, now_ns, 0, 0)
        return Frame(now_ns, now_ns, name, "", None, event, self.spec)

    def quote(self, now_ns: int) -> Frame:
        """The touch as it is now."""
        spec, bid, ask = self.spec, self._bid, self._ask
        name, bid_lots, ask_lots = spec.instrument, self._bids[bid], self._asks[ask]
        self._shown = (bid, bid_lots, ask, ask_lots)
        event = Quote(name, self._book_id, bid, bid_lots, ask, ask_lots, now_ns, 0, 0)
        return Frame(now_ns, now_ns, name, self._quotes, None, event, spec)

    def diff(self, now_ns: int) -> list[Frame]:
        """What changed since the last diff; nothing if nothing did."""
        self._tidy()
        bids = tuple([(price, self._bids.get(price, 0)) for price in sorted(self._bids_changed)])
        asks = tuple([(price, self._asks.get(price, 0)) for price in sorted(self._asks_changed)])
        if not bids and not asks:
            return []
        self._bids_changed.clear()
        self._asks_changed.clear()
        self._book_id += 1
        name, before = self.spec.instrument, self._diff_id
        self._diff_id = self._book_id
        event = Depth(name, before + 1, self._diff_id, before, bids, asks, False, now_ns, 0, 0)
        return [Frame(now_ns, now_ns, name, self._depth, None, event, self.spec)]

    # --- what happens -----------------------------------------------------------------------------------------

    def follow(self, fair_ticks: int, *, now_ns: int, trade_odds: int, lean: int, wide: bool) -> list[Frame]:
        """One moment: the book follows the fair price, somebody may take, sizes change.

        ``trade_odds`` of 256; ``lean`` is the side that takers favour; ``wide``: the spread may open.
        """
        word = self._word()
        frames: list[Frame] = []
        spread = 1 + (word >> 60) // 4 * ((word >> 56 & 3) == 0) if wide else 1
        bid = fair_ticks - spread // 2
        if bid > self._bid:
            self._rise(bid, spread, word, now_ns, frames)
        elif bid < self._bid:
            self._fall(bid, spread, word, now_ns, frames)
        elif (word & 0xFF) < trade_odds:
            self._somebody_takes(word, lean, now_ns, frames)
        else:
            self._sizes_change(word)
        if (self._bid, self._bids[self._bid], self._ask, self._asks[self._ask]) != self._shown:
            self._book_id += 1 + (word >> 8 & 0x3F)
            frames.append(self.quote(now_ns))
        return frames

    def _rise(self, bid: int, spread: int, word: int, now_ns: int, frames: list[Frame]) -> None:
        for price in sorted(price for price in self._asks if price <= bid):
            lots = self._asks.pop(price)
            self._asks_changed[price] = 0
            word = word * 25 + 11 & 0xFFFF_FFFF_FFFF_FFFF
            if word >> 61:  # seven of eight are taken, the eighth was pulled in time
                frames.append(self._print(price, lots, 1, now_ns))
        self._bid = bid
        self._set_bid(bid, self._fresh(word))
        ask = bid + spread
        if not self._asks or min(self._asks) > ask:
            self._set_ask(ask, self._fresh(word >> 20))
        self._ask = min(self._asks)

    def _fall(self, bid: int, spread: int, word: int, now_ns: int, frames: list[Frame]) -> None:
        ask = bid + spread
        for price in sorted((price for price in self._bids if price >= ask), reverse=True):
            lots = self._bids.pop(price)
            self._bids_changed[price] = 0
            word = word * 25 + 11 & 0xFFFF_FFFF_FFFF_FFFF
            if word >> 61:
                frames.append(self._print(price, lots, -1, now_ns))
        if min(self._asks) > ask:  # with a wide spread the old offer may be the better one
            self._set_ask(ask, self._fresh(word))
        self._ask = min(self._asks)
        if not self._bids or max(self._bids) < bid:
            self._set_bid(bid, self._fresh(word >> 20))
        self._bid = max(self._bids)

    def _somebody_takes(self, word: int, lean: int, now_ns: int, frames: list[Frame]) -> None:
        # 1/2 either way, or 3/4 along the lean
        aggressor = lean if lean and word >> 8 & 1 else (1 if word >> 9 & 1 else -1)
        # most takers are small, one in eight is as large as the touch usually is
        part = 1 + (word >> 16 & 0x1F)
        lots = max(1, self._touch_lots * part >> (5 if (word >> 24 & 7) == 0 else 9 if word >> 27 & 1 else 7))
        side, best = (self._asks, self._ask) if aggressor > 0 else (self._bids, self._bid)
        resting = side[best]
        lots = min(lots, resting)
        frames.append(self._print(best, lots, aggressor, now_ns))
        if lots < resting:
            (self._set_ask if aggressor > 0 else self._set_bid)(best, resting - lots)
            return
        del side[best]
        if aggressor > 0:
            self._asks_changed[best] = 0
            if not self._asks:
                self._set_ask(best + 1, self._fresh(word >> 32))
            self._ask = min(self._asks)
        else:
            self._bids_changed[best] = 0
            if not self._bids:
                self._set_bid(best - 1, self._fresh(word >> 32))
            self._bid = max(self._bids)

    def _sizes_change(self, word: int) -> None:
        touch_lots = self._touch_lots
        if word >> 8 & 1:
            lots = self._bids[self._bid]
            joined = touch_lots * (1 + (word >> 16 & 15)) >> 5
            self._set_bid(
                self._bid, lots + joined if lots < touch_lots else lots - (lots * (word >> 20 & 7) >> 4)
            )
        else:
            lots = self._asks[self._ask]
            joined = touch_lots * (1 + (word >> 16 & 15)) >> 5
            self._set_ask(
                self._ask, lots + joined if lots < touch_lots else lots - (lots * (word >> 20 & 7) >> 4)
            )

    def _set_bid(self, price: int, lots: int) -> None:
        self._bids[price] = lots
        self._bids_changed[price] = 0

    def _set_ask(self, price: int, lots: int) -> None:
        self._asks[price] = lots
        self._asks_changed[price] = 0

    def _fresh(self, word: int) -> int:
        """A new level's size: between a quarter and five quarters of the usual."""
        return max(1, self._touch_lots * (64 + (word >> 32 & 0xFF)) >> 8)

    def _print(self, price: int, lots: int, aggressor: int, now_ns: int) -> Frame:
        self._trade_id += 1
        name = self.spec.instrument
        event = Trade(name, self._trade_id, price, lots, aggressor, True, now_ns, 0, 0)
        return Frame(now_ns, now_ns, name, self._trades, None, event, self.spec)

    def _tidy(self) -> None:
        """Keeps the number of levels within bounds: the far end is filled up, or falls off."""
        if len(self._bids) < _LEVELS_MIN:
            price = min(self._bids)
            while len(self._bids) < _LEVELS_MAX - 4 and price > 1:
                word = self._word()
                price = max(1, price - 1 - (word & 3) * (word >> 2 & 3))
                self._set_bid(price, self._fresh(word))
        elif len(self._bids) > _LEVELS_MAX:
            for price in sorted(self._bids)[: len(self._bids) - _LEVELS_MAX]:
                del self._bids[price]
                self._bids_changed[price] = 0
        if len(self._asks) < _LEVELS_MIN:
            price = max(self._asks)
            while len(self._asks) < _LEVELS_MAX - 4:
                word = self._word()
                price += 1 + (word & 3) * (word >> 2 & 3)
                self._set_ask(price, self._fresh(word))
        elif len(self._asks) > _LEVELS_MAX:
            for price in sorted(self._asks, reverse=True)[: len(self._asks) - _LEVELS_MAX]:
                del self._asks[price]
                self._asks_changed[price] = 0
