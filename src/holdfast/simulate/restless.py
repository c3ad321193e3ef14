"""A strategy that makes trouble: everything a strategy may want, at random moments."""

from __future__ import annotations

import random

from holdfast.strategy.api import Context, Strategy, Wants
from holdfast.vocab.events import Intent
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import OrderState, OrderType, TimeInForce
from holdfast.vocab.units import NS_PER_MS

_TIFS = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.POST_ONLY, TimeInForce.IOC, TimeInForce.FOK)


class Restless(Strategy):
    """Orders, stops, targets, amends and cancels (again and again) of all kinds."""

    timer_ms = 700

    def __init__(self, seed: str, *, pause_ms: int = 30) -> None:
        self._rng = random.Random(f"restless {seed}")
        self._pause_ns = pause_ms * NS_PER_MS
        self._next_ns = 0

    def on_quote(self, ctx: Context, quote: Quote) -> Wants:
        """Something else each time."""
        if quote.mono_ns < self._next_ns:
            return None
        self._next_ns = quote.mono_ns + self._pause_ns
        rng = self._rng
        name = quote.instrument
        orders = ctx.orders(name)
        one_lot_e8 = quote.ask_ticks * ctx.spec(name).tick_lot_e8
        unit = ctx.spec(name).notional_e8_min * 2 // one_lot_e8 + 1
        move = rng.random()
        if orders and move < 0.35:
            order = rng.choice(orders)
            if order.price_ticks is None or order.state is not OrderState.LIVE or rng.random() < 0.4:
                return ctx.cancel(name, order.order_id)
            return ctx.amend(
                name,
                order.order_id,
                qty_lots=max(1, order.qty_lots + rng.choice((-unit, 0, 0, unit))),
                price_ticks=order.price_ticks + rng.randrange(-20, 21),
            )
        if move < 0.38:
            return ctx.cancel_all(name)
        if move < 0.48:
            return ctx.target(name, rng.choice((-3, -1, 0, 0, 1, 3)) * unit)
        if move < 0.56:
            return self._protect(ctx, quote, unit)
        if len(orders) > 6:
            return None
        buys = rng.random() < 0.5
        off = rng.choice((-30, -5, -1, 0, 1, 2, 5))
        return (ctx.buy if buys else ctx.sell)(
            name,
            qty_lots=unit * rng.choice((1, 1, 2)),
            price_ticks=None
            if rng.random() < 0.05
            else (quote.bid_ticks + off if buys else quote.ask_ticks - off),
            tif=rng.choice(_TIFS),
            reduce_only=rng.random() < 0.1,
        )

    def _protect(self, ctx: Context, quote: Quote, unit: int) -> Intent | None:
        held = ctx.position_lots(quote.instrument)
        if not held:
            return None
        sign = 1 if held > 0 else -1
        kind = self._rng.choice((OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET))
        away = -sign if kind is OrderType.STOP_MARKET else sign
        return (ctx.sell if held > 0 else ctx.buy)(
            quote.instrument,
            qty_lots=min(abs(held), unit),
            order_type=kind,
            trigger_ticks=(quote.bid_ticks + quote.ask_ticks) // 2 + away * self._rng.randrange(2, 60),
            reduce_only=True,
        )
