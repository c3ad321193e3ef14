"""The strategies that benchmarks run: one that only counts, one that orders."""

from __future__ import annotations

from holdfast.strategy import Context, Strategy
from holdfast.vocab.events import Intent
from holdfast.vocab.market import Quote


class Counting(Strategy):
    """Counts the quotes it is given: what did not reach it does not count."""

    def __init__(self) -> None:
        self.count = 0

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.count += 1


class Ordering(Strategy):
    """Wants an order at every so manieth quote, in turns a buy and a sale, immediate or cancel at the far touch."""

    def __init__(self, *, every: int = 1) -> None:
        self.count = 0
        self.every = every
        self.orders = 0
        self.on = True

    def on_quote(self, ctx: Context, quote: Quote) -> Intent | None:
        self.count += 1
        if not self.on or self.count % self.every:
            return None
        self.orders += 1
        if self.orders & 1:
            return ctx.buy(quote.instrument, qty_lots=5, price_ticks=quote.ask_ticks, ioc=True)
        return ctx.sell(quote.instrument, qty_lots=5, price_ticks=quote.bid_ticks, ioc=True)
