"""Quotes both sides of every instrument around the middle, and leans against its own position.

Every change of mind is one intent per side: a small move is an amend, a large one a cancel and a new order
once the old one is final. A side that would grow the position beyond its bound is not quoted.
"""

from __future__ import annotations

from msgspec import Struct

from holdfast.strategy.api import Context, OpenOrder, OrderFact, Strategy
from holdfast.vocab.events import Intent
from holdfast.vocab.facts import AmendStep, OrderAmended
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.units import NS_PER_MS


class _Book(Struct):
    """What is noted per instrument."""

    qty_lots: int
    position_lots_max: int
    next_look_mono_ns: int = 0


class TwoSidedQuoter(Strategy):
    """Post-only bids and offers at the touch, moved away from the middle as the position grows.

    notional: worth of one order in the quote asset; position_orders: at most so many orders' worth of position;
    edge_ticks: distance from the touch; skew_ticks: what a full position moves both quotes; requote_ticks: how
    far a quote may be off before it is amended, and four times that before it is cancelled; look_ms: pause
    between two looks at one instrument.
    """

    def __init__(
        self,
        *,
        notional: int = 3_000,
        position_orders: int = 6,
        edge_ticks: int = 0,
        skew_ticks: int = 40,
        requote_ticks: int = 2,
        look_ms: int = 50,
    ) -> None:
        if min(notional, position_orders, requote_ticks) < 1 or min(edge_ticks, skew_ticks, look_ms) < 0:
            raise ValueError(
                "notional, position_orders and requote_ticks must be at least 1, the rest at least 0"
            )
        self._notional = notional
        self._position_orders = position_orders
        self._edge_ticks = edge_ticks
        self._skew_ticks = skew_ticks
        self._requote_ticks = requote_ticks
        self._look_ns = look_ms * NS_PER_MS
        self._books: dict[str, _Book] = {}
        self._amending: dict[int, int] = {}  # order id to when it was asked

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        book = self._books.get(quote.instrument) or self._first_look(ctx, quote)
        if quote.mono_ns < book.next_look_mono_ns:
            return None
        book.next_look_mono_ns = quote.mono_ns + self._look_ns
        position_lots = ctx.position_lots(quote.instrument)
        lean = self._skew_ticks * position_lots // book.position_lots_max
        # a post-only order must stay on its own side of the touch
        bid_ticks = min(quote.bid_ticks - self._edge_ticks - lean, quote.ask_ticks - 1)
        ask_ticks = max(quote.ask_ticks + self._edge_ticks - lean, quote.bid_ticks + 1)
        bids: list[OpenOrder] = []
        asks: list[OpenOrder] = []
        for order in ctx.orders(quote.instrument):
            (bids if order.side is Side.BUY else asks).append(order)
        may_buy = position_lots < book.position_lots_max
        may_sell = position_lots > -book.position_lots_max
        wanted = [
            *self._side(ctx, quote, bids, Side.BUY, bid_ticks if may_buy else None),
            *self._side(ctx, quote, asks, Side.SELL, ask_ticks if may_sell else None),
        ]
        return wanted or None

    def on_order(self, ctx: Context, fact: OrderFact) -> None:
        """An amend that was answered may be followed by the next."""
        if isinstance(fact, OrderAmended) and fact.step is not AmendStep.ASKED:
            self._amending.pop(fact.order_id, None)

    def _first_look(self, ctx: Context, quote: Quote) -> _Book:
        spec = ctx.spec(quote.instrument)
        one_lot_e8 = quote.ask_ticks * spec.tick_lot_e8
        qty_lots = max(
            self._notional * 10**8 // one_lot_e8, spec.notional_e8_min // one_lot_e8 + 1, spec.qty_lots_min
        )
        book = _Book(qty_lots=qty_lots, position_lots_max=qty_lots * self._position_orders)
        self._books[quote.instrument] = book
        return book

    def _side(
        self, ctx: Context, quote: Quote, orders: list[OpenOrder], side: Side, price_ticks: int | None
    ) -> list[Intent]:
        """What one side needs: nothing, an order, an amend, or a cancel."""
        instrument = quote.instrument
        if not orders:
            if price_ticks is None:
                return []
            make = ctx.buy if side is Side.BUY else ctx.sell
            qty_lots = self._books[instrument].qty_lots
            return [make(instrument, qty_lots=qty_lots, price_ticks=price_ticks, post_only=True)]
        order = orders[0]
        if order.state is not OrderState.LIVE or order.price_ticks is None:
            return []  # on its way, being cancelled, or unknown: one thing at a time
        if price_ticks is None:
            return [ctx.cancel(instrument, order.order_id)]
        off_ticks = abs(order.price_ticks - price_ticks)
        if off_ticks >= 4 * self._requote_ticks:
            return [ctx.cancel(instrument, order.order_id)]
        asked_mono_ns = self._amending.get(order.order_id, 0)
        if off_ticks < self._requote_ticks or (
            asked_mono_ns and quote.mono_ns - asked_mono_ns < 10 * self._look_ns
        ):
            return []
        self._forget_answered()
        self._amending[order.order_id] = quote.mono_ns
        return [ctx.amend(instrument, order.order_id, qty_lots=order.qty_lots, price_ticks=price_ticks)]

    def _forget_answered(self) -> None:
        """Answers may have been missed over a restart: keep no more than a handful of notes."""
        while len(self._amending) >= 64:
            del self._amending[next(iter(self._amending))]
