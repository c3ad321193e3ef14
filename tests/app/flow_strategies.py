"""Strategies that go wrong in the ways that the gate's flow checks are made for."""

from holdfast.strategy import Context, Strategy
from holdfast.vocab.events import Intent, Wish
from holdfast.vocab.market import Quote


class Misbehaving(Strategy):
    """Every look: rests a sell, buys at its price, and sends another child of a parent that was full long ago."""

    def __init__(self, *, asks: int = 2, every_ms: int = 500, parent_lots: int = 30) -> None:
        self._asks = asks
        self._every_ns = every_ms * 1_000_000
        self._parent_lots = parent_lots
        self._next_ns = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.instrument != "BTCUSDT" or ctx.mono_ns < self._next_ns:
            return None
        self._next_ns = ctx.mono_ns + self._every_ns
        lots = max(ctx.spec(quote.instrument).qty_lots_min, 2)
        wants: list[Intent] = [ctx.cancel_all(quote.instrument)]
        for number in range(self._asks):
            price = quote.ask_ticks + 200 + number
            wants.append(ctx.sell(quote.instrument, qty_lots=lots, price_ticks=price))
            wants.append(ctx.buy(quote.instrument, qty_lots=lots, price_ticks=price))
        child = ctx.buy(quote.instrument, qty_lots=10, price_ticks=quote.bid_ticks - 300)
        wants.append(ctx.child(child, parent_id=1, parent_lots=self._parent_lots))
        other = ctx.buy(quote.instrument, qty_lots=10, price_ticks=quote.bid_ticks - 301)
        wants += [ctx.child(other, parent_id=1, parent_lots=self._parent_lots) for _ in range(3)]
        return wants


class Paired(Strategy):
    """Every look: what rests is cancelled, and a pair asked for that rests; every third with a leg too large."""

    def __init__(self) -> None:
        self._next_ns = 0
        self._count = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Wish] | None:
        other = ctx.quote("ETHUSDT")
        if quote.instrument != "BTCUSDT" or other is None or ctx.mono_ns < self._next_ns:
            return None
        self._next_ns = ctx.mono_ns + 100_000_000
        self._count += 1
        legs = [
            ctx.buy("BTCUSDT", qty_lots=10, price_ticks=quote.bid_ticks - 5_000),
            ctx.sell("ETHUSDT", qty_lots=200, price_ticks=other.ask_ticks + 3_000),
        ]
        if self._count % 3 == 0:
            legs.append(ctx.buy("ETHUSDT", qty_lots=100_000, price_ticks=other.bid_ticks - 3_000))
        return [ctx.cancel_all("BTCUSDT"), ctx.cancel_all("ETHUSDT"), ctx.basket(legs)]
