"""Our orders and trades at any exchange: every message of ccxt's stream, or polling where it has none.

ccxt's ``watch_orders`` merges updates that arrive together. So it is used to subscribe and to stay connected;
what it keeps is read after every single message, in the message's own turn, and news of it become events.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final

from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.venue import EventSink
from holdfast.venues.anyccxt import codec
from holdfast.venues.anyccxt.calls import Calls
from holdfast.venues.anyccxt.codec import Unreadable
from holdfast.venues.transport.failure import plain
from holdfast.venues.transport.hop import HOP, Hop
from holdfast.vocab.events import NoticeKind, OrderReported, Stream, StreamChanged, TradeReported, VenueNotice
from holdfast.vocab.reports import OrderReport

_SEEN_MAX: Final = 16_384
STREAM_NAME: Final = "user"


class UserTimes(Struct, frozen=True, kw_only=True):
    """Waits of the user stream: between polls, and before watching again after a failure."""

    poll_s: float = 2.0
    again_s: float = 2.0
    settle_s: float = 0.5  # connected and quiet for so long: up


class UserWatch:
    """Keeps watching one account. ``by_stream`` says whether by ccxt's stream or by asking."""

    def __init__(
        self, *, exchange: Any, calls: Calls, clock: Clock, sink: EventSink, times: UserTimes
    ) -> None:
        self._exchange = exchange
        self._calls = calls
        self._clock = clock
        self._sink = sink
        self._times = times
        self._tasks: list[asyncio.Task[None]] = []
        self._seen: OrderedDict[str, OrderReport] = OrderedDict()
        self._seen_trades: OrderedDict[str, None] = OrderedDict()
        self._up = False
        self._parts_up: dict[str, bool] = {}
        self.unreadable_count = 0
        self.by_stream = exchange.has.get("watchOrders") is True

    def open(self) -> None:
        """Begin, in the background."""
        parts: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {"poll": self._poll}
        if self.by_stream:
            self._exchange.holdfast_tap = self._scan
            parts = {"orders": partial(self._keep, "orders", self._exchange.watch_orders), "poll": self._poll}
            if self._exchange.has.get("watchMyTrades") is True:
                del parts["poll"]
                parts["trades"] = partial(self._keep, "trades", self._exchange.watch_my_trades)
        self._parts_up = dict.fromkeys(parts, False)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(begin()) for begin in parts.values()]

    async def close(self) -> None:
        """Stop watching."""
        self._exchange.holdfast_tap = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _keep(self, part: str, watch: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        HOP.set(Hop())  # this task's own requests (tokens, snapshots) are reads
        while True:
            why = await self._watched(part, asyncio.get_running_loop().create_task(watch()))
            self._scan(None)
            self._changed(part, up=not why, why=why or "news")
            if why:
                await asyncio.sleep(self._times.again_s)

    async def _watched(self, part: str, watching: asyncio.Task[Any]) -> str:
        """Until there is news (empty) or the watch failed (why). Quiet and connected counts as up."""
        try:
            while not (await asyncio.wait((watching,), timeout=self._times.settle_s))[0]:
                clients = (self._exchange.clients or {}).values()
                if any(client.isConnected and not client.closed() for client in clients):
                    self._changed(part, up=True, why="connected")
            await watching
        except asyncio.CancelledError:
            watching.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - ccxt raises what it likes; the stream is down either way
            return type(error).__name__
        return ""

    async def _poll(self) -> None:
        HOP.set(Hop())
        while True:
            why = ""
            try:
                for symbol in self._calls.book.grids:
                    self._trades(await self._exchange.fetch_my_trades(symbol))
                    self._orders(await self._exchange.fetch_open_orders(symbol))
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                why = type(error).__name__
            self._changed("poll", up=not why, why=why or "answered")
            await asyncio.sleep(self._times.poll_s)

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
                wall_ns=wall_ns, mono_ns=mono_ns, stream=Stream.USER, name=STREAM_NAME, up=whole, why=text
            )
        )

    # --- what ccxt keeps ------------------------------------------------------------------------------------

    def _scan(self, message: Any) -> None:
        """After each message: whatever ccxt's caches have that we have not said yet."""
        self._orders(self._exchange.orders or ())
        self._trades(self._exchange.myTrades or ())

    def _orders(self, orders: Iterable[Any]) -> None:
        for order in orders:
            try:
                report = codec.order_report(self._calls.book, order)
            except Unreadable as error:
                self._unreadable(order, error)
                continue
            if report.order_id is None and report.venue_order_id in self._calls.client_ids:
                client_id = self._calls.client_ids[report.venue_order_id]
                report = codec.order_report(self._calls.book, {**order, "clientOrderId": client_id})
            if self._seen.get(report.venue_order_id) == report:
                continue
            self._remember(self._seen, report.venue_order_id, report)
            self._calls.learn(report)
            wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            self._sink(OrderReported(wall_ns=wall_ns, mono_ns=mono_ns, report=report))

    def _trades(self, trades: Iterable[Any]) -> None:
        for row in trades:
            key = f"{row.get('symbol')}/{row.get('id')}"
            if key in self._seen_trades:
                continue
            self._remember(self._seen_trades, key, None)
            try:
                trade = codec.trade_report(self._calls.book, row, self._calls.client_ids)
            except Unreadable as error:
                self._unreadable(row, error)
                continue
            wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            self._sink(TradeReported(wall_ns=wall_ns, mono_ns=mono_ns, trade=trade))

    def _unreadable(self, structure: Any, error: Unreadable) -> None:
        key = f"? {structure.get('id')}/{structure.get('status')}/{structure.get('filled')}"
        if key in self._seen_trades:
            return
        self._remember(self._seen_trades, key, None)
        self.unreadable_count += 1
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        text = plain(str(error))
        self._sink(
            VenueNotice(
                wall_ns=wall_ns, mono_ns=mono_ns, kind=NoticeKind.UNREADABLE, instrument="", text=text
            )
        )

    @staticmethod
    def _remember(seen: OrderedDict[str, Any], key: str, value: Any) -> None:
        seen[key] = value
        seen.move_to_end(key)
        if len(seen) > _SEEN_MAX:
            seen.popitem(last=False)
