"""Strategies that push the process where the tests want it."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

from holdfast.strategy import Context, Strategy
from holdfast.vocab.events import Intent
from holdfast.vocab.market import Quote

SIGNAL_BYTES = 64


class Burster(Strategy):
    """Places a burst of resting orders far from the market, cancels them, and starts again: full rate for ever.

    ``signal``: a file whose first bytes count the bursts, so that another process can strike in the middle of one.
    """

    def __init__(self, *, burst: int = 20, every_ms: int = 150, signal: str = "", lots: int = 10) -> None:
        self._burst = burst
        self._every_ns = every_ms * 1_000_000
        self._lots = lots
        self._next_ns = 0
        self._step = 0
        self._count = 0
        self._map: mmap.mmap | None = None
        if signal:
            path = Path(signal)
            if not path.exists():
                path.write_bytes(bytes(SIGNAL_BYTES))
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), SIGNAL_BYTES)

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.instrument != "BTCUSDT" or ctx.mono_ns < self._next_ns:
            return None
        self._next_ns = ctx.mono_ns + self._every_ns
        if ctx.orders("BTCUSDT"):
            return [ctx.cancel_all("BTCUSDT")]
        if self._map is not None:
            self._count += 1
            self._map[:8] = self._count.to_bytes(8, "little")
        price = quote.bid_ticks - quote.bid_ticks // 50
        return [
            ctx.buy("BTCUSDT", qty_lots=self._lots, price_ticks=price - index) for index in range(self._burst)
        ]


class Blocker(Strategy):
    """Blocks the loop once, when told by a file, and then returns fifty intents."""

    def __init__(self, *, flag: str, block_ms: int = 500, lots: int = 10) -> None:
        self._flag = Path(flag)
        self._block_ms = block_ms
        self._lots = lots

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.instrument != "BTCUSDT" or not self._flag.exists():
            return None
        os.rename(self._flag, self._flag.with_suffix(".blocking"))
        end = time.monotonic() + self._block_ms / 1000
        while time.monotonic() < end:
            sum(range(1000))
        price = quote.bid_ticks - quote.bid_ticks // 50
        return [ctx.buy("BTCUSDT", qty_lots=self._lots, price_ticks=price - index) for index in range(50)]


class Holder(Strategy):
    """Takes a position once and keeps it."""

    def __init__(self, *, lots: int = 50) -> None:
        self._lots = lots

    def on_quote(self, ctx: Context, quote: Quote) -> Intent | None:
        if quote.instrument != "BTCUSDT" or ctx.position_lots("BTCUSDT") or ctx.orders("BTCUSDT"):
            return None
        return ctx.target("BTCUSDT", self._lots)
