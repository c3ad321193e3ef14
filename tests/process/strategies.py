"""Strategies that push the process where the tests want it."""

from __future__ import annotations

import json
import math
import mmap
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from holdfast.strategy import Context, Strategy
from holdfast.vocab.events import BasketIntent, Intent, OrderIntent
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.market import Quote

SIGNAL_BYTES = 64
BURSTS, WRITES = 0, 1  # what the counters count


def counters(path: Path) -> memoryview:
    """Counters of 64 bits that processes share through a file."""
    if not path.exists():
        path.write_bytes(bytes(SIGNAL_BYTES))
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), SIGNAL_BYTES)).cast("Q")


def ladder(ctx: Context, quote: Quote, count: int, lots: int) -> list[Intent]:
    """So many resting buys, far enough below the market to stay there."""
    price = quote.bid_ticks - quote.bid_ticks // 50
    return [ctx.buy("BTCUSDT", qty_lots=lots, price_ticks=price - index) for index in range(count)]


class Burster(Strategy):
    """A burst of orders that rest far from the market, then their cancels, and again: full rate for ever.

    ``signal``: where it counts its bursts, so that another process can strike in the middle of one. ``trade``: also
    takes a little at the market with every burst, to and fro, so that there are fills.
    """

    def __init__(
        self, *, signal: str, burst: int = 40, every_ms: int = 200, lots: int = 5, trade: bool = False
    ) -> None:
        self._burst = burst
        self._every_ns = every_ms * 1_000_000
        self._lots = lots
        self._trade = trade
        self._next_ns = 0
        self._counters = counters(Path(signal))

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.instrument != "BTCUSDT" or ctx.mono_ns < self._next_ns:
            return None
        if ctx.level("BTCUSDT") >= HoldLevel.HALTED:
            return None
        self._next_ns = ctx.mono_ns + self._every_ns
        wants: list[Intent] = [ctx.cancel_all("BTCUSDT")] if ctx.orders("BTCUSDT") else []
        self._counters[BURSTS] += 1
        if self._trade:
            wants.append(
                ctx.target("BTCUSDT", -self._lots if ctx.position_lots("BTCUSDT") > 0 else self._lots)
            )
        return [*wants, *ladder(ctx, quote, self._burst, self._lots)]


class Hanger(Burster):
    """A burster that never returns once a file says so; the file's suffix then is ``.hanging``."""

    def __init__(self, *, flag: str, **rest: Any) -> None:
        super().__init__(**rest)
        self._flag = Path(flag)

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if self._flag.exists():
            self._flag.rename(self._flag.with_suffix(".hanging"))
            while True:
                pass
        return super().on_quote(ctx, quote)


class Blocker(Strategy):
    """When told by a file, blocks the loop for the milliseconds that it names, and then returns fifty intents.

    The file's suffix then says how far it is: ``.blocking``, ``.returned``.
    """

    def __init__(self, *, flag: str, lots: int = 2) -> None:
        self._flag = Path(flag)
        self._lots = lots

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.instrument != "BTCUSDT" or not self._flag.exists():
            return None
        blocking = self._flag.rename(self._flag.with_suffix(".blocking"))
        end = time.monotonic() + int(blocking.read_text()) / 1000
        while time.monotonic() < end:
            sum(range(1000))
        blocking.rename(self._flag.with_suffix(".returned"))
        return ladder(ctx, quote, 50, self._lots)


class Holder(Strategy):
    """Takes a position and keeps it; ``flag``: only once this file is there."""

    def __init__(self, *, lots: int = 50, flag: str = "") -> None:
        self._lots = lots
        self._flag = flag

    def on_quote(self, ctx: Context, quote: Quote) -> Intent | None:
        if quote.instrument != "BTCUSDT" or ctx.position_lots("BTCUSDT") or ctx.orders("BTCUSDT"):
            return None
        if self._flag and not Path(self._flag).exists():
            return None
        return ctx.target("BTCUSDT", self._lots)


class Joiner(Strategy):
    """Once a file is there, joins the best bid, and follows it until it is filled: a maker, told of its fill later."""

    def __init__(self, *, flag: str, lots: int = 20) -> None:
        self._flag = Path(flag)
        self._lots = lots
        self._next_ns = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if quote.instrument != "BTCUSDT" or ctx.mono_ns < self._next_ns or not self._flag.exists():
            return None
        self._next_ns = ctx.mono_ns + 1_000_000_000
        if ctx.position_lots("BTCUSDT"):
            return None
        if ctx.orders("BTCUSDT"):
            return [ctx.cancel_all("BTCUSDT")]
        return [ctx.buy("BTCUSDT", qty_lots=self._lots, price_ticks=quote.bid_ticks)]


class Nonsense(Strategy):
    """When told by a file, wants once what makes no sense: the file says what."""

    def __init__(self, *, flag: str) -> None:
        self._flag = Path(flag)

    def on_quote(self, ctx: Context, quote: Quote) -> object:
        if quote.instrument != "BTCUSDT" or not self._flag.exists():
            return None
        what = self._flag.read_text()
        self._flag.unlink()
        sizes: dict[str, Any] = {"negative": -5, "zero": 0, "nan": math.nan, "text": "5", "true": True}
        if what in sizes:
            return ctx.buy("BTCUSDT", qty_lots=sizes[what], price_ticks=quote.bid_ticks)
        if what == "nan price":
            return ctx.buy("BTCUSDT", qty_lots=5, price_ticks=math.nan)  # type: ignore[arg-type]
        if what == "unknown instrument":
            return ctx.buy("DOGEUSDT", qty_lots=5, price_ticks=100)
        if what == "huge":
            return ctx.buy("BTCUSDT", qty_lots=10**12, price_ticks=quote.bid_ticks)
        if what == "no intent":
            return 5
        raise RuntimeError(what)


class Sleeper(Strategy):
    """Wants nothing."""


class Clinger(Strategy):
    """Takes a position and wants more of it for ever; once ``exit_flag`` is there, a little less, once."""

    def __init__(self, *, lots: int, exit_flag: str, more: int = 5) -> None:
        self._lots = lots
        self._exit_flag = Path(exit_flag)
        self._more = more
        self._next_ns = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | Intent | None:
        if quote.instrument != "BTCUSDT" or ctx.mono_ns < self._next_ns:
            return None
        self._next_ns = ctx.mono_ns + 50_000_000
        if not ctx.position_lots("BTCUSDT"):
            return None if ctx.orders("BTCUSDT") else ctx.target("BTCUSDT", self._lots)
        if self._exit_flag.exists():
            self._exit_flag.unlink()
            return ctx.target("BTCUSDT", ctx.position_lots("BTCUSDT") - 10)
        return None if ctx.orders("BTCUSDT") else ladder(ctx, quote, 1, self._more)


class Wisher(Strategy):
    """Asks for the order that a file describes, once every 50 ms while the file is there.

    The file is JSON: ``instrument``, ``lots``, ``takes`` (at the offer; else far below, where it rests).
    """

    def __init__(self, *, wish: str) -> None:
        self._wish = Path(wish)
        self._next_ns = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent] | None:
        if ctx.mono_ns < self._next_ns or not self._wish.exists():
            return None
        wish = json.loads(self._wish.read_text())
        if wish["instrument"] != quote.instrument:
            return None
        self._next_ns = ctx.mono_ns + 50_000_000
        price = quote.ask_ticks if wish["takes"] else quote.bid_ticks - quote.bid_ticks // 50
        wants: list[Intent] = [ctx.cancel_all(quote.instrument)] if ctx.orders(quote.instrument) else []
        return [*wants, ctx.buy(quote.instrument, qty_lots=wish["lots"], price_ticks=price)]


class Asker(Strategy):
    """Asks once every 50 ms for all the orders that a file describes, as one basket where it says so.

    The file is JSON: ``orders``, ``basket``. An order's words: ``instrument``, ``side``, ``lots``; ``ppm``, how far from
    the best bid (or ``ticks``, the price itself); ``decided_ppm``, how far from it was decided; ``child``, its parent's
    number and size; ``reduce_only``. ``cancel`` is an order's id, ``target`` a position, and nothing else. What rests is
    cancelled first.
    """

    def __init__(self, *, wish: str) -> None:
        self._wish = Path(wish)
        self._next_ns = 0

    def on_quote(self, ctx: Context, quote: Quote) -> list[Intent | BasketIntent] | None:
        if ctx.mono_ns < self._next_ns or not self._wish.exists():
            return None
        self._next_ns = ctx.mono_ns + 50_000_000
        wish = json.loads(self._wish.read_text())
        wants: list[Intent | BasketIntent] = [
            ctx.cancel_all(name) for name in ctx.instruments if ctx.orders(name)
        ]
        wants += [ctx.cancel("BTCUSDT", one["cancel"]) for one in wish["orders"] if "cancel" in one]
        wants += [ctx.target("BTCUSDT", one["target"]) for one in wish["orders"] if "target" in one]
        orders = [self._order(ctx, one) for one in wish["orders"] if "lots" in one]
        return wants + ([ctx.basket(orders)] if wish.get("basket") else orders)

    def _order(self, ctx: Context, one: dict[str, Any]) -> OrderIntent:
        name = one["instrument"]
        shown = ctx.quote(name)
        bid = shown.bid_ticks if shown is not None else 0
        order = (ctx.sell if one.get("side") == "sell" else ctx.buy)(
            name,
            qty_lots=one["lots"],
            price_ticks=one.get("ticks", bid + bid * one.get("ppm", -20_000) // 1_000_000),
            reduce_only=one.get("reduce_only", False),
        )
        if "decided_ppm" in one:
            order = replace(order, decision_ticks=bid + bid * one["decided_ppm"] // 1_000_000)
        return (
            ctx.child(order, parent_id=one["child"][0], parent_lots=one["child"][1])
            if "child" in one
            else order
        )
