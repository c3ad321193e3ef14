"""What the market's moves do to our resting orders: queues shrink, prints and crossings fill.

A print at our price serves the displayed quantity before us first, once, over all our orders; one through our
price fills us up to its size. A shrunken level leaves at most its new size before us. A touch that reaches an
order of ours from the other side meets it, up to what that touch shows.
"""

from __future__ import annotations

from holdfast.sim.book import Book
from holdfast.sim.matching import Matcher
from holdfast.sim.model import Order
from holdfast.sim.state import State
from holdfast.vocab.market import Quote, Trade


class Moves:
    """Applies quotes, prints and depth diffs to the orders that rest."""

    def __init__(self, state: State, matcher: Matcher) -> None:
        self._state = state
        self._matcher = matcher

    def on_quote(self, book: Book, before: Quote | None, quote: Quote, now_ns: int) -> None:
        """The touch moved and something of ours is at it or beyond (or a debit may end)."""
        if book.bids.debits and (
            before is None or before.bid_ticks != quote.bid_ticks or before.bid_lots != quote.bid_lots
        ):
            book.bids.retouch(quote.bid_ticks)
        if book.asks.debits and (
            before is None or before.ask_ticks != quote.ask_ticks or before.ask_lots != quote.ask_lots
        ):
            book.asks.retouch(quote.ask_ticks)
        book.watch()
        if quote.bid_ticks <= book.own_bid:
            self._touched(book, 1, quote.bid_ticks, now_ns)
        if quote.ask_ticks >= book.own_ask:
            self._touched(book, -1, quote.ask_ticks, now_ns)

    def _touched(self, book: Book, sign: int, touch_ticks: int, now_ns: int) -> None:
        """Our orders of a side at or better than its touch: their queues shrink, crossed ones fill."""
        side = book.side_of(sign)
        far, shown_far = book.touch(-sign)
        left = max(0, shown_far - book.side_of(-sign).debits.get(far, 0))
        for price in side.own_prices():
            if price * sign < touch_ticks * sign:
                return
            shown = book.shown(sign, price)
            for order in list(side.levels.get(price, ())):
                if not order.is_open:
                    continue
                order.ahead_lots = min(order.ahead_lots, shown)
                if price * sign >= far * sign and left > 0:
                    taken = self._meet(order, left, now_ns)
                    book.debit(-sign, far, taken)
                    left -= taken

    def _meet(self, order: Order, lots: int, now_ns: int) -> int:
        """A resting order meets this many lots at its own price; returns how many it took."""
        account = self._state.accounts[order.account]
        lots = min(lots, self._matcher.allowed(order))
        if lots > 0:
            self._matcher.fill(account, order, lots, order.price_ticks, now_ns, maker=True)
        return max(0, lots)

    def on_trade(self, book: Book, trade: Trade, now_ns: int) -> None:
        """A print at our price serves the queue before us first; one through our price fills us at once."""
        if trade.aggressor <= 0:
            self._print(book, 1, trade.price_ticks, trade.qty_lots, now_ns)
        if trade.aggressor >= 0:
            self._print(book, -1, trade.price_ticks, trade.qty_lots, now_ns)

    def _print(self, book: Book, sign: int, price_ticks: int, qty_lots: int, now_ns: int) -> None:
        side = book.side_of(sign)
        left = qty_lots
        for price in side.own_prices():
            if price * sign < price_ticks * sign or left <= 0:
                return
            served = 0  # exogenous lots of our level that the print consumed
            for order in list(side.levels.get(price, ())):
                if not order.is_open:
                    continue
                if price == price_ticks:
                    before = min(left, max(0, order.ahead_lots - served))
                    served += before
                    left -= before
                if left <= 0:
                    break
                left -= self._meet(order, left, now_ns)
            if price == price_ticks:
                for order in side.levels.get(price, ()):
                    order.ahead_lots = max(0, order.ahead_lots - served)
                return
