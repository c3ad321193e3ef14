"""A WebSocket that stays connected: back-off with jitter, liveness pings, receive stamps, listed hosts only.

Frames are handed on inside the read callback, one after another as the socket had them: no queue, no task
and no await between the wire and the reader.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from holdfast.ports.clock import Clock
from holdfast.ports.feed import FrameSink
from holdfast.venues.transport.failure import plain
from holdfast.venues.transport.hop import HostRefused
from holdfast.venues.transport.session import AllowedHosts

_OPEN_BRACE: Final = 0x7B
CONNECT_S: Final = 10.0
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
_READ_BUFFER_BYTES: Final = 256 * 1024
UNREAD_BYTES: Final = 512 * 1024
"""What the kernel is asked to hold of a connection for us; it takes twice that, some 6,000 quotes, at most. So what is
read next is never older here than the work on so much; what the venue has beyond it waits there. By itself the kernel
would take 32 MB. A window of 1 MiB lets 10 MB/s pass over a round trip of 100 ms.
"""


class Backoff(Struct, frozen=True, kw_only=True):
    """How long to wait before connecting again: doubling, with up to half of it taken off at random.

    A connection that lived for ``settled_ms`` starts over at the first wait.
    """

    first_ms: int = 200
    max_ms: int = 15_000
    settled_ms: int = 10_000

    def wait_ms(self, attempt: int, jitter: float) -> int:
        """``attempt`` counts from 0; ``jitter`` is in [0, 1)."""
        full = min(self.max_ms, self.first_ms << min(attempt, 20))
        return int(full * (1.0 - jitter / 2.0))


class Reader(WSListener):
    """Hands the text frames of each socket read on, together, with the time at which the first was looked at.

    ``reads``: how many socket reads brought frames. Slots and few steps on purpose: this runs once per frame.
    """

    __slots__ = (
        "_mono_now",
        "_mono_ns",
        "_on_frame",
        "_on_open",
        "_parts",
        "_raws",
        "_wall_now",
        "_wall_ns",
        "down_why",
        "reads",
    )

    def __init__(self, on_frame: FrameSink, clock: Clock, on_open: Callable[[WSTransport], None]) -> None:
        self._on_frame = on_frame
        self._on_open = on_open
        self._wall_now = clock.wall_ns
        self._mono_now = clock.mono_ns
        self._raws: list[bytes] = []
        self._wall_ns = 0
        self._mono_ns = 0
        self._parts: list[bytes] = []
        self.reads = 0
        self.down_why = "closed by the venue"

    def redirect(self, on_frame: FrameSink) -> None:
        """Hand the next frame, and all after it, to this one."""
        self._on_frame = on_frame

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Called by picows before any frame."""
        self._on_open(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Called by picows for every frame, several times in a row when one read brought several."""
        raws = self._raws
        if not raws:
            self._wall_ns = self._wall_now()
            self._mono_ns = self._mono_now()
        raw = frame.get_payload_as_bytes()
        if frame.fin and raw and raw[0] == _OPEN_BRACE and not self._parts:
            raws.append(raw)
        else:
            self._odd_frame(transport, frame, raw)
        if frame.last_in_buffer:
            self.reads += 1
            if raws:
                self._raws = []
                self._on_frame(raws, self._wall_ns, self._mono_ns)

    def _odd_frame(self, transport: WSTransport, frame: WSFrame, raw: bytes) -> None:
        kind = frame.msg_type
        if kind is WSMsgType.CLOSE:
            self.down_why = f"closed by the venue: {frame.get_close_code()}"
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif kind is WSMsgType.TEXT or kind is WSMsgType.BINARY or kind is WSMsgType.CONTINUATION:
            self._parts.append(raw)
            if sum(map(len, self._parts)) > FRAME_BYTES_MAX:
                self.down_why = "a message without end"
                transport.disconnect()
            elif frame.fin:
                whole = b"".join(self._parts)
                self._parts.clear()
                self._raws.append(whole)


class Plan(Struct, frozen=True, kw_only=True):
    """Where to connect and what to say first."""

    url: str
    hello: tuple[bytes, ...] = ()


class KeptSocket:
    """One connection that is opened again whenever it ends, until ``close``.

    ``plan`` is asked before each attempt; what it raises (PlanFailed with words) counts as a failed attempt.
    Each attempt ends with one ``on_down(why)``; ``on_up()`` comes before it where the connection was made.
    """

    def __init__(
        self,
        *,
        plan: Callable[[], Awaitable[Plan]],
        allowed: AllowedHosts,
        clock: Clock,
        on_frame: FrameSink,
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        backoff: Backoff | None = None,
        ssl_context: ssl.SSLContext | None = None,
        jitter: Callable[[], float] = random.random,
        idle_ping_s: float = 10.0,
    ) -> None:
        self._plan = plan
        self._allowed = allowed
        self._clock = clock
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._backoff = backoff or Backoff()
        self._ssl_context = ssl_context
        self._jitter = jitter
        self._idle_ping_s = idle_ping_s
        self._task: asyncio.Task[None] | None = None
        self._transport: WSTransport | None = None
        self._reader: Reader | None = None
        self.attempts = 0
        self.up = asyncio.Event()

    def open(self) -> None:
        """Begin; the first attempt is made at once, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Disconnect and stay so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._hang_up()

    def drop(self, why: str) -> None:
        """End the present connection; it is opened again."""
        if self._reader is not None:
            self._reader.down_why = why
        self._hang_up()

    def redirect(self, on_frame: FrameSink) -> None:
        """Hand frames to this one from now on, on this connection and on later ones: no step more per frame."""
        self._on_frame = on_frame
        if self._reader is not None:
            self._reader.redirect(on_frame)

    def send(self, message: bytes) -> None:
        """Say something on the present connection, if there is one."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    @property
    def reads(self) -> int:
        """Socket reads on the present connection that brought frames."""
        return self._reader.reads if self._reader is not None else 0

    async def _keep(self) -> None:
        attempt = 0
        while True:
            began_ns = self._clock.mono_ns()
            self._on_down(await self._once())
            lived_ms = (self._clock.mono_ns() - began_ns) // 1_000_000
            attempt = 0 if lived_ms >= self._backoff.settled_ms else attempt + 1
            await asyncio.sleep(self._backoff.wait_ms(attempt, self._jitter()) / 1_000)

    async def _once(self) -> str:
        """One connection, from dialling to its end; answers why it ended."""
        self.attempts += 1
        try:
            async with asyncio.timeout(CONNECT_S):
                plan = await self._plan()
                self._allowed.check_url(plan.url)
                reader = Reader(self._on_frame, self._clock, lambda transport: self._opened(transport, plan))
                self._reader = (
                    reader  # at once: frames may come, and be redirected, before the call below returns
                )
                transport, _ = await ws_connect(
                    lambda: reader,
                    plan.url,
                    ssl_context=self._ssl_context,
                    max_redirects=0,
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=self._idle_ping_s,
                    auto_ping_reply_timeout=self._idle_ping_s,
                    max_frame_size=FRAME_BYTES_MAX,
                    read_buffer_init_size=_READ_BUFFER_BYTES,
                )
            await transport.wait_disconnected()
        except (OSError, WSError, HostRefused, PlanFailed) as error:
            words = plain(str(error)) if isinstance(error, HostRefused | PlanFailed) else ""
            return f"{type(error).__name__} {words}".rstrip()
        except Exception as error:  # noqa: BLE001 - a stream that nobody opens again is worse than any of them
            return f"unexpected {type(error).__name__}"
        finally:
            self.up.clear()
            self._hang_up()
        return reader.down_why

    def _opened(self, transport: WSTransport, plan: Plan) -> None:
        self._transport = transport
        wire = transport.underlying_transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
        for message in plan.hello:
            transport.send(WSMsgType.TEXT, message)
        self.up.set()
        self._on_up()

    def _hang_up(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.disconnect()


class PlanFailed(Exception):
    """There is nowhere to connect to now (no listen key): count it as a failed attempt."""


def one_by_one(on_frame: Callable[[bytes, int, int], None]) -> FrameSink:
    """A sink of reads for whoever takes their frames singly."""

    def on_read(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
        for raw in raws:
            on_frame(raw, wall_ns, mono_ns)

    return on_read


def texts(messages: Sequence[str]) -> tuple[bytes, ...]:
    """Text messages as they go on the wire."""
    return tuple(message.encode() for message in messages)
