"""The user stream's life: listen key, keep-alive, expiry, reconnection, rotation with overlap, muteness.

Binance ends a socket after 24 h and a key an hour after its last keep-alive; a socket on a retired address
connects and stays silent. So the key is renewed every half hour, the socket is replaced before its time while
the old one still speaks, and one that says nothing of an order that was just accepted counts as down.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.venue import EventSink
from holdfast.venues.binance.user import UserReader
from holdfast.venues.transport.session import AllowedHosts
from holdfast.venues.transport.sockets import Backoff, KeptSocket, Plan, PlanFailed
from holdfast.vocab.events import Stream, StreamChanged
from holdfast.vocab.units import NS_PER_MS

_SEEN_MAX: Final = 2_048
STREAM_NAME: Final = "user"


class StreamTimes(Struct, frozen=True, kw_only=True):
    """Every wait of the user stream. ``mute_ms`` 0: do not judge muteness."""

    keep_alive_s: float = 1_800.0
    keep_alive_retry_s: float = 60.0
    rotate_s: float = 82_800.0  # 23 h: the venue ends it at 24
    overlap_s: float = 5.0
    mute_ms: int = 10_000
    check_s: float = 1.0


ListenKey = Callable[[], Awaitable[str | None]]
"""A fresh listen key, None when the venue gave none."""
KeepAlive = Callable[[], Awaitable[bool | None]]
"""Renew the key. True: renewed; False: the key is gone; None: no word."""


class UserStream:
    """Keeps one account's user stream and turns it into events."""

    def __init__(
        self,
        *,
        reader: UserReader,
        clock: Clock,
        sink: EventSink,
        allowed: AllowedHosts,
        url_of: Callable[[str], str],
        new_key: ListenKey,
        keep_alive: KeepAlive,
        times: StreamTimes,
        backoff: Backoff | None = None,
        ssl_context: ssl.SSLContext | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._sink = sink
        self._allowed = allowed
        self._url_of = url_of
        self._new_key = new_key
        self._keep_alive = keep_alive
        self._times = times
        self._backoff = backoff
        self._ssl_context = ssl_context
        self._jitter = jitter
        self._seen_order: deque[bytes] = deque()
        self._seen: set[bytes] = set()
        self._current: KeptSocket | None = None
        self._successor: KeptSocket | None = None
        self._up: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._awaiting_since_ns = 0
        self._heard_mono_ns = 0
        self.duplicates = 0

    def open(self) -> None:
        """Begin, in the background."""
        self._current = self._socket()
        self._current.open()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._renew()),
            loop.create_task(self._rotate()),
            loop.create_task(self._watch()),
        ]

    async def close(self) -> None:
        """End the stream."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for socket in (self._current, self._successor):
            if socket is not None:
                await socket.close()
        self._current = self._successor = None

    def order_accepted(self, asked_mono_ns: int) -> None:
        """The venue accepted an order asked for then: the stream must say something of it, if it did not already.

        The event of an order often overtakes the reply to it.
        """
        if not self._awaiting_since_ns and self._heard_mono_ns < asked_mono_ns:
            self._awaiting_since_ns = self._clock.mono_ns()

    # --- sockets ------------------------------------------------------------------------------------------

    def _socket(self) -> KeptSocket:
        socket: KeptSocket

        def up() -> None:
            if not self._up:
                self._changed(up=True, why="connected")
            self._up.add(id(socket))
            self._awaiting_since_ns = 0

        def down(why: str) -> None:
            was_up = id(socket) in self._up
            self._up.discard(id(socket))
            if was_up and not self._up:
                self._changed(up=False, why=why)

        socket = KeptSocket(
            plan=self._plan,
            allowed=self._allowed,
            clock=self._clock,
            on_frame=self._on_read,
            on_up=up,
            on_down=down,
            backoff=self._backoff,
            ssl_context=self._ssl_context,
            jitter=self._jitter,
        )
        return socket

    async def _plan(self) -> Plan:
        key = await self._new_key()
        if key is None:
            raise PlanFailed("no listen key")
        return Plan(url=self._url_of(key))

    def _changed(self, *, up: bool, why: str) -> None:
        self._sink(
            StreamChanged(
                wall_ns=self._clock.wall_ns(),
                mono_ns=self._clock.mono_ns(),
                stream=Stream.USER,
                name=STREAM_NAME,
                up=up,
                why=why,
            )
        )

    def _on_read(self, raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
        for raw in raws:
            self._on_frame(raw, wall_ns, mono_ns)

    def _on_frame(self, raw: bytes, wall_ns: int, mono_ns: int) -> None:
        # Two sockets speak during a rotation, and the venue repeats itself: the same bytes are the same event.
        if raw in self._seen:
            self.duplicates += 1
            return
        self._seen.add(raw)
        self._seen_order.append(raw)
        if len(self._seen_order) > _SEEN_MAX:
            self._seen.discard(self._seen_order.popleft())
        self._awaiting_since_ns = 0
        self._heard_mono_ns = mono_ns
        for event in self._reader.read(raw, wall_ns, mono_ns):
            self._sink(event)
        if self._reader.expired:
            self._reader.expired = False
            self._drop("the listen key expired")

    def _drop(self, why: str) -> None:
        if self._current is not None:
            self._current.drop(why)

    # --- background ---------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._times.keep_alive_s)
            renewed = await self._keep_alive()
            while renewed is None:
                await asyncio.sleep(self._times.keep_alive_retry_s * (1.0 - self._jitter() / 2.0))
                renewed = await self._keep_alive()
            if not renewed:
                self._drop("the listen key is gone")

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(self._times.rotate_s)
            successor = self._successor = self._socket()
            successor.open()
            await successor.up.wait()
            await asyncio.sleep(self._times.overlap_s)
            retired, self._current, self._successor = self._current, successor, None
            if retired is not None:
                self._up.discard(id(retired))
                await retired.close()

    async def _watch(self) -> None:
        limit_ns = self._times.mute_ms * NS_PER_MS
        while limit_ns:
            await asyncio.sleep(self._times.check_s)
            since_ns = self._awaiting_since_ns
            if since_ns and self._up and self._clock.mono_ns() - since_ns > limit_ns:
                self._awaiting_since_ns = 0
                self._drop("mute: an order was accepted and the stream said nothing of it")
