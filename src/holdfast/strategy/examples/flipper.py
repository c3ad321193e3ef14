"""Misbehaves on purpose: wants the opposite position with every quote. Made to be stopped."""

from __future__ import annotations

from holdfast.strategy.api import Context, Strategy
from holdfast.vocab.events import TargetIntent
from holdfast.vocab.market import Quote


class Flipper(Strategy):
    """Long, short, long, short, as fast as quotes come: what the order-rate limit and the kill switch are for."""

    def __init__(self, *, lots: int = 10) -> None:
        self._lots = lots

    def on_quote(self, ctx: Context, quote: Quote) -> TargetIntent:
        self._lots = -self._lots
        return ctx.target(quote.instrument, self._lots)
