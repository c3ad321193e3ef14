"""Public market data of any exchange through ccxt's streams, as a FeedPort.

ccxt hands over structures, not frames, so a frame here is the event itself in msgpack: what is recorded is
what was decided on. ccxt says no sequence, so each instrument's events are numbered as they come.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import ROUND_CEILING
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from holdfast.ports.clock import Clock
from holdfast.ports.feed import DecodeRead, FrameSink, QuoteKey
from holdfast.ports.venue import EventSink
from holdfast.venues.anyccxt.codec import Grid, Unreadable, number
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.clock import SystemClock, VenueClock
from holdfast.venues.transport.failure import plain
from holdfast.venues.transport.hardened import Credentials, Endpoints, build
from holdfast.venues.transport.hop import HOP, Hop
from holdfast.venues.transport.sockets import Backoff
from holdfast.vocab.events import Stream, StreamChanged, StreamKind
from holdfast.vocab.market import Malformed, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_MS

CODEC: Final = "events"
_decoder: Final = msgspec.msgpack.Decoder(MarketEvent)
_encoder: Final = msgspec.msgpack.Encoder()


class CcxtFeedConfig(Struct, frozen=True, kw_only=True):
    """Which exchange's public streams.

    ``name``: what the feed is called; the exchange's id where empty. ``near``: its grid is not ours (another venue's
    prices as a reference): a bid is rounded down and an offer up to our ticks, so that none looks better than it is.
    """

    exchange_id: str
    endpoints: Endpoints = Endpoints()
    options: dict[str, Any] = {}
    trades: bool = True
    name: str = ""
    near: bool = False
    backoff: Backoff = Backoff(first_ms=1_000)


def decode(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
    """A recorded event with its receive times (``ports.feed.Decode``)."""
    try:
        event: MarketEvent = replace(_decoder.decode(raw), wall_ns=wall_ns, mono_ns=mono_ns)
        return event
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Malformed("", "not an event", wall_ns, mono_ns)


def decode_read(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> list[MarketEvent | None]:
    """``ports.feed.DecodeRead``."""
    return [decode(raw, wall_ns, mono_ns) for raw in raws]


class CcxtFeed:
    """``ports.feed.FeedPort`` through ccxt.pro.

    ``markets``: those of a loaded client; None: loaded here, before the first subscription, again and again until it
    works. ``grids``: by ccxt's symbol, what its numbers are counted in and which instrument they are of.
    """

    def __init__(
        self,
        config: CcxtFeedConfig,
        *,
        markets: Mapping[str, Any] | None,
        grids: Mapping[str, Grid],
        clock: Clock | None = None,
    ) -> None:
        self.name = config.name or config.exchange_id
        self.codec = CODEC
        self.decode_read: DecodeRead = decode_read
        self.quote_key: QuoteKey = _no_quote  # ccxt conflates by itself: what it hands over is the newest
        self._config = config
        self._grids = dict(grids)
        self._clock = clock or SystemClock()
        venue_clock = VenueClock(self._clock)
        # Without credentials: nothing that this instance does can be signed.
        self._exchange, self._session = build(
            config.exchange_id,
            credentials=Credentials(),
            endpoints=config.endpoints,
            clock=self._clock,
            venue_clock=venue_clock,
            options=config.options,
            budget=Budget((), venue_ms=venue_clock.now_ms),
        )
        if markets is not None:
            self._exchange.set_markets(list(markets.values()))
        self._loaded = markets is not None
        self._seq = dict.fromkeys(grids, 0)
        self._last: dict[str, tuple[int, int, int, int]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._on_frame: FrameSink = _nowhere
        self._sink: EventSink = _deaf
        self._parts_up: dict[str, bool] = {}
        self._up = False

    async def open(self, on_frame: FrameSink, sink: EventSink) -> None:
        """Watch quotes (best bid and ask, or tickers where there is no such stream) and trades."""
        self._on_frame, self._sink = on_frame, sink
        if self._loaded:
            self._begin()
        else:
            self._tasks = [asyncio.get_running_loop().create_task(self._load())]

    async def _load(self) -> None:
        HOP.set(Hop())
        attempt = 0
        self._exchange.holdfast_may_load = True
        while not self._loaded:
            try:
                await self._exchange.load_markets()
                self._loaded = True
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - ccxt raises what it likes; there are no markets either way
                self._changed("markets", up=False, why=type(error).__name__)
                await self._rest(attempt)
                attempt += 1
        self._exchange.holdfast_may_load = False
        self._exchange.number = str  # from here on numbers are the venue's texts
        self._begin()

    def _begin(self) -> None:
        has = self._exchange.has
        loop = asyncio.get_running_loop()
        parts: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {}
        for symbol in self._grids:
            if has.get("watchBidsAsks") is True:
                parts[f"{symbol} quotes"] = partial(self._exchange.watch_bids_asks, [symbol])
            else:
                parts[f"{symbol} quotes"] = partial(self._exchange.watch_ticker, symbol)
            if self._config.trades and has.get("watchTrades") is True:
                parts[f"{symbol} trades"] = partial(self._exchange.watch_trades, symbol)
        self._parts_up = dict.fromkeys(parts, False)
        self._tasks += [loop.create_task(self._keep(part, watch)) for part, watch in parts.items()]

    def renew(self, instrument: str, kind: StreamKind, *, harder: bool) -> None:
        """``FeedPort.renew``: ccxt subscribes as it connects, so its connections are made anew, and only if need be."""
        if harder and self._loaded:
            task = asyncio.get_running_loop().create_task(self._exchange.close())
            self._tasks.append(task)  # each watching task then fails, waits and asks again
            task.add_done_callback(self._tasks.remove)

    async def _rest(self, attempt: int) -> None:
        await asyncio.sleep(self._config.backoff.wait_ms(attempt, random.random()) / 1_000)  # noqa: S311 - jitter

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._exchange.close()
        await self._session.close()

    async def _keep(self, part: str, watch: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        HOP.set(Hop())
        attempt = 0
        while True:
            try:
                news = await watch()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - ccxt raises what it likes; the stream is down either way
                self._changed(part, up=False, why=type(error).__name__)
                await self._rest(attempt)
                attempt += 1
                continue
            attempt = 0
            self._changed(part, up=True, why="news")
            wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            for event in self._events(news):
                self._on_frame((_encoder.encode(event),), wall_ns, mono_ns)

    def _changed(self, part: str, *, up: bool, why: str) -> None:
        self._parts_up[part] = up
        whole = all(self._parts_up.values())
        if whole == self._up:
            return
        self._up = whole
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        text = plain(f"{part}: {why}")
        self._sink(
            StreamChanged(
                wall_ns=wall_ns, mono_ns=mono_ns, stream=Stream.MARKET, name=self.name, up=whole, why=text
            )
        )

    def _events(self, news: Any) -> list[MarketEvent]:
        """Events of what ``watch_…`` returned: a list of trades, one ticker, or tickers by symbol."""
        if isinstance(news, list):
            return [event for row in news if (event := self._one(row, trade=True)) is not None]
        rows = [news] if "symbol" in news else list(news.values())
        return [event for row in rows if (event := self._one(row, trade=False)) is not None]

    def _one(self, row: Mapping[str, Any], *, trade: bool) -> MarketEvent | None:
        symbol = row.get("symbol")
        grid = self._grids.get(symbol or "")
        if grid is None or symbol is None:
            return None
        try:
            event = self._trade(symbol, grid, row) if trade else self._quote(symbol, grid, row)
        except Unreadable as error:
            return Malformed(grid.spec.instrument, plain(str(error)), 0, 0)
        if event is not None:
            self._seq[symbol] += 1
        return event

    def _quote(self, symbol: str, grid: Grid, row: Mapping[str, Any]) -> Quote | None:
        bid, ask = row.get("bid"), row.get("ask")
        if not bid or not ask:
            return None  # a ticker without a touch (some venues' are): nothing to price from
        near = self._config.near
        touch = (
            int(number(bid) // grid.tick) if near else grid.ticks(bid),
            _lots_shown(row.get("bidVolume"), grid),
            int((number(ask) / grid.tick).to_integral_value(ROUND_CEILING)) if near else grid.ticks(ask),
            _lots_shown(row.get("askVolume"), grid),
        )
        if self._last.get(symbol) == touch:
            return None
        self._last[symbol] = touch
        return Quote(
            grid.spec.instrument,
            self._seq[symbol] + 1,
            *touch,
            int(row.get("timestamp") or 0) * NS_PER_MS,
            0,
            0,
        )

    def _trade(self, symbol: str, grid: Grid, row: Mapping[str, Any]) -> Trade:
        side = row.get("side")
        return Trade(
            grid.spec.instrument,
            self._seq[symbol] + 1,
            grid.ticks(row.get("price")),
            grid.lots(row.get("amount")),
            1 if side == "buy" else -1 if side == "sell" else 0,
            True,
            int(row.get("timestamp") or 0) * NS_PER_MS,
            0,
            0,
        )


def _lots_shown(value: Any, grid: Grid) -> int:
    """A displayed size in whole lots, at least one: some venues show none, or one that is off the lot."""
    return max(1, int(number(value) // grid.step)) if value else 1


def _no_quote(raw: bytes) -> None:
    return


def _nowhere(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
    return


def _deaf(event: object) -> None:
    return
