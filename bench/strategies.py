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


class Bursting(Strategy):
    """While on: so many orders at every so manieth quote, small, in turns buys and sales at the far touch."""

    def __init__(self, *, every: int, size: int = 1) -> None:
        self.on = False
        self.count = 0
        self._every = every
        self._size = size
        self._turn = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        self.count += 1
        if not self.on or self.count % self._every:
            return None
        wanted: list[Intent] = []
        spec = ctx.spec(quote.instrument)
        lots = spec.notional_e8_min // (quote.bid_ticks * spec.tick_lot_e8) + 1
        self._turn += 1  # a burst goes one way: no order of the account may meet another of it
        for _ in range(self._size):
            if self._turn & 1:
                wanted.append(ctx.buy(quote.instrument, qty_lots=lots, price_ticks=quote.ask_ticks, ioc=True))
            else:
                wanted.append(
                    ctx.sell(quote.instrument, qty_lots=lots, price_ticks=quote.bid_ticks, ioc=True)
                )
        return wanted
