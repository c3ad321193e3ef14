"""One instrument's book: our orders in price-time priority among exogenous quantity per level.

The exogenous quantity is what the market source shows: the touch of the newest quote, the levels of its depth
diffs behind it, and an assumed depth behind those. Our orders do not appear in it. Each resting order knows how
much of its level is served before it (``ahead_lots``). What our takers took of a level (its debit) stays gone
until the source says something new of that level.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Final

from holdfast.sim.day_volume import DayVolume
from holdfast.sim.model import Order
from holdfast.sim.rules import SymbolRules, SyntheticDepth
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Quote
from holdfast.vocab.units import PPM

NO_ASK: Final = 1 << 62  # above every price; the lowest price that no bid has is 0


class BookSide:
    """Bids (``sign`` 1) or asks (−1). A price's key is price × sign: the larger, the better."""

    __slots__ = ("debits", "keys", "ladder", "ladder_keys", "ladder_max", "levels", "news", "sign", "whole")

    def __init__(self, sign: int, *, ladder_max: int) -> None:
        self.sign = sign
        self.levels: dict[int, list[Order]] = {}  # our orders by price, oldest first
        self.keys: list[int] = []  # of ``levels``, the best last
        self.ladder: dict[int, int] = {}  # exogenous lots by price, as the depth diffs told
        self.ladder_keys: list[int] = []
        self.news: dict[int, int] = {}  # told by diffs, not yet in the ladder: most are never looked at
        self.ladder_max = ladder_max
        self.whole = False  # a snapshot was seen: a level that is not in the ladder is empty
        self.debits: dict[int, int] = {}  # lots that our takers took of a level since it was last told

    def add(self, order: Order) -> None:
        """Join the end of the order's level."""
        queue = self.levels.get(order.price_ticks)
        if queue is None:
            self.levels[order.price_ticks] = [order]
            insort(self.keys, order.price_ticks * self.sign)
        else:
            queue.append(order)

    def remove(self, order: Order) -> None:
        """Leave the level."""
        queue = self.levels[order.price_ticks]
        queue.remove(order)
        if not queue:
            del self.levels[order.price_ticks]
            key = order.price_ticks * self.sign
            del self.keys[bisect_left(self.keys, key)]

    def own_prices(self) -> list[int]:
        """Prices at which our orders rest, best first: a copy, safe while orders leave."""
        return [key * self.sign for key in reversed(self.keys)]

    def tell(self, levels: Iterable[tuple[int, int]]) -> None:
        """A depth diff's word on some levels; size 0 deletes one. A new word ends a level's debit.

        Orders of ours there have at most its size before them. The ladder itself is only brought up to date when
        somebody looks (``look``), for diffs are many and looks are few.
        """
        self.news.update(levels)
        if self.levels or self.debits:
            told = dict(levels)
            for price in [price for price in self.debits if price in told]:
                del self.debits[price]
            for price, queue in self.levels.items():
                if price in told:
                    for order in queue:
                        order.ahead_lots = min(order.ahead_lots, told[price])
        if len(self.news) > self.ladder_max:
            self.look()

    def look(self) -> None:
        """Bring the ladder up to date. The deepest levels fall out of a full one."""
        if not self.news:
            return
        ladder, keys, sign = self.ladder, self.ladder_keys, self.sign
        if len(self.news) * 8 < len(ladder):  # few: put each in its place
            for price, lots in self.news.items():
                if lots:
                    if price not in ladder:
                        insort(keys, price * sign)
                    ladder[price] = lots
                elif ladder.pop(price, None) is not None:
                    del keys[bisect_left(keys, price * sign)]
        else:
            ladder.update(self.news)
            for price, lots in self.news.items():
                if not lots:
                    del ladder[price]
            keys = sorted(price * sign for price in ladder)
        self.news.clear()
        if len(keys) > self.ladder_max:
            for key in keys[: -self.ladder_max]:
                del ladder[key * sign]
            keys = keys[-self.ladder_max :]
        self.ladder_keys = keys

    def clear_ladder(self) -> None:
        """Forget all levels: a snapshot follows."""
        self.news.clear()
        self.ladder.clear()
        self.ladder_keys.clear()
        self.debits.clear()

    def debit(self, price_ticks: int, lots: int) -> None:
        """Our takers took this much of a level: the orders of ours behind it move up."""
        self.debits[price_ticks] = self.debits.get(price_ticks, 0) + lots
        for order in self.levels.get(price_ticks, ()):
            order.ahead_lots = max(0, order.ahead_lots - lots)

    def retouch(self, touch_ticks: int) -> None:
        """A quote said something new of this side: only debits of known levels behind the touch stay."""
        touch_key = touch_ticks * self.sign
        self.debits = {
            price: lots
            for price, lots in self.debits.items()
            if price * self.sign < touch_key and self.news.get(price, self.ladder.get(price))
        }


class Book:
    """The book of one instrument, its last trade and its mark."""

    __slots__ = (
        "asks",
        "bids",
        "derived",
        "funding_ppb",
        "index_ticks",
        "last_ticks",
        "mark_due_ns",
        "mark_e6",
        "mark_recorded",
        "mark_ticks",
        "own_ask",
        "own_bid",
        "quote",
        "rules",
        "spec",
        "synthetic",
        "trigger_down",
        "trigger_up",
        "volume",
        "watch_ask",
        "watch_bid",
    )

    def __init__(
        self, spec: InstrumentSpec, *, rules: SymbolRules, synthetic: SyntheticDepth, ladder_max: int
    ) -> None:
        self.spec = spec
        self.rules = rules
        self.synthetic = synthetic
        self.bids = BookSide(1, ladder_max=ladder_max)
        self.asks = BookSide(-1, ladder_max=ladder_max)
        self.quote: Quote | None = None
        self.derived: Quote | None = (
            None  # the touch as the ladder gives it, while the source sends no quotes
        )
        self.own_bid = 0  # our best resting prices
        self.own_ask = NO_ASK
        self.watch_bid = 0  # a quote with a bid at or below, or an ask at or above, needs more than a look
        self.watch_ask = NO_ASK
        self.last_ticks = 0
        self.volume = DayVolume()
        self.mark_ticks = 0
        self.mark_e6 = 0  # the smoothed mark in 10⁻⁶ ticks
        self.mark_recorded = False
        self.mark_due_ns = 0
        self.index_ticks = 0
        self.funding_ppb = 0
        self.trigger_up = (
            NO_ASK  # last price at or above which, or at or below which, an algo order may trigger
        )
        self.trigger_down = 0

    # --- our orders -------------------------------------------------------------------------------------------

    def side_of(self, sign: int) -> BookSide:
        """The side on which orders of this sign (1 buy, −1 sell) rest."""
        return self.bids if sign > 0 else self.asks

    def rest(self, order: Order) -> None:
        """Join the book behind the displayed quantity of the level, and behind all that our earlier orders wait for.

        A level that is out of sight now may show less than it did when they joined.
        """
        side = self.side_of(order.side)
        queue = side.levels.get(order.price_ticks)
        earlier = queue[-1].ahead_lots if queue else 0
        order.ahead_lots = max(self.shown(order.side, order.price_ticks), earlier)
        side.add(order)
        self._best()

    def leave(self, order: Order) -> None:
        """Leave the book."""
        self.side_of(order.side).remove(order)
        self._best()

    def debit(self, sign: int, price_ticks: int, lots: int) -> None:
        """Our takers took this much of a level of a side: the orders of ours behind it move up."""
        if lots > 0:
            self.side_of(sign).debit(price_ticks, lots)
            self.watch_bid = NO_ASK  # look at every quote until the debit ends

    def _best(self) -> None:
        bids, asks = self.bids.keys, self.asks.keys
        self.own_bid = bids[-1] if bids else 0
        self.own_ask = -asks[-1] if asks else NO_ASK
        self.watch()

    def watch(self) -> None:
        """Recount which quotes need more than a look."""
        self.watch_bid = NO_ASK if self.bids.debits or self.asks.debits else self.own_bid
        self.watch_ask = self.own_ask

    # --- exogenous quantity -----------------------------------------------------------------------------------

    def touch(self, sign: int) -> tuple[int, int]:
        """Exogenous best price and displayed lots of a side; (0, 0) where none is known."""
        quote = self.quote
        if quote is None:
            return 0, 0
        if sign > 0:
            return quote.bid_ticks, quote.bid_lots
        return quote.ask_ticks, quote.ask_lots

    def shown(self, sign: int, price_ticks: int) -> int:
        """Exogenous lots at a price of a side, debits taken off: the queue that a new order joins."""
        side = self.side_of(sign)
        touch_ticks, touch_lots = self.touch(sign)
        if not touch_ticks or price_ticks * sign > touch_ticks * sign:
            return 0
        if price_ticks == touch_ticks:
            return max(0, touch_lots - side.debits.get(price_ticks, 0))
        side.look()
        if price_ticks in side.ladder:
            lots = side.ladder[price_ticks]
        elif side.whole and side.ladder_keys and price_ticks * sign > side.ladder_keys[0]:
            lots = 0
        else:
            lots = self.assumed_lots(price_ticks)
        return max(0, lots - side.debits.get(price_ticks, 0))

    def assumed_lots(self, price_ticks: int) -> int:
        """What one level is assumed to hold where the source tells nothing."""
        if not self.synthetic.levels_max:
            return 0
        return max(1, self.synthetic.notional_e8 // (price_ticks * self.spec.tick_lot_e8))

    def levels_of(self, sign: int, *, public: bool = False) -> Iterator[tuple[int, int]]:
        """Exogenous (price, lots) of a side, best first, empty levels left out.

        ``public``: as the venue shows it, our debits not taken off; else what a taker would find.
        """
        side = self.side_of(sign)
        price, lots = self.touch(sign)
        if not price:
            return
        debits = {} if public else side.debits
        lots -= debits.get(price, 0)
        if lots > 0:
            yield price, lots
        side.look()
        for at in range(bisect_left(side.ladder_keys, price * sign) - 1, -1, -1):
            price = side.ladder_keys[at] * sign
            lots = side.ladder[price] - debits.get(price, 0)
            if lots > 0:
                yield price, lots
        step = max(1, price * self.synthetic.step_ppm // PPM)
        for _ in range(self.synthetic.levels_max):
            price -= sign * step
            if price <= 0:
                return
            lots = self.assumed_lots(price) - debits.get(price, 0)
            if lots > 0:
                yield price, lots

    def best_against(self, sign: int) -> int:
        """The best price that a taker of this sign would meet, ours or exogenous; 0 where there is none."""
        exogenous = next(self.levels_of(-sign), (0, 0))[0]
        own = self.side_of(-sign).keys
        if not own:
            return exogenous
        own_price = own[-1] * -sign
        if not exogenous:
            return own_price
        return min(exogenous, own_price) if sign > 0 else max(exogenous, own_price)

    @property
    def mid_ticks(self) -> int:
        """Middle of the touch, rounded down; 0 where there is none."""
        quote = self.quote
        return 0 if quote is None else (quote.bid_ticks + quote.ask_ticks) >> 1

    @property
    def reference_ticks(self) -> int:
        """The mark; the mid before there is one; 0 before anything is known."""
        return self.mark_ticks or self.mid_ticks
