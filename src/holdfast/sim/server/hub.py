"""Sockets and streams: who listens to what, and how a message reaches them all.

A message is framed once per envelope (raw for /ws, combined for /stream) and handed to each socket's transport
in one write per batch: the server side of a WebSocket frame is a short header and the text itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from fnmatch import fnmatchcase
from struct import pack
from typing import Final

_PUBLIC_KINDS: Final = ("bookticker", "depth", "rpidepth", "trade")
PUBLIC: Final = "public"
MARKET: Final = "market"
PRIVATE: Final = "private"
LEGACY: Final = "legacy"
USER: Final = "user"  # a pattern to freeze by: every account's stream


def category_of(stream: str) -> str:
    """Which of the three paths a stream belongs to. What has no @ and no ! is a listen key."""
    if "@" not in stream and not stream.startswith("!"):
        return PRIVATE
    kind = stream[1:] if stream.startswith("!") else stream.partition("@")[2]
    return PUBLIC if kind.lower().startswith(_PUBLIC_KINDS) else MARKET


def frame(payload: bytes, opcode: int = 0x1) -> bytes:
    """One unmasked, final WebSocket frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65_536:
        return pack("!BBH", 0x80 | opcode, 126, size) + payload
    return pack("!BBQ", 0x80 | opcode, 127, size) + payload


class Connection:
    """One client's socket: its subscriptions and what waits to be written to it."""

    __slots__ = (
        "combined",
        "dropped",
        "events",
        "name",
        "opened_ns",
        "pending",
        "pong_ns",
        "route",
        "streams",
        "transport",
    )

    def __init__(
        self, name: str, transport: asyncio.Transport, *, route: str, combined: bool, now_ns: int
    ) -> None:
        self.name = name
        self.transport = transport
        self.route = route
        self.combined = combined
        self.streams: dict[str, bool] = {}  # stream to whether it is served, in the order asked
        self.events: frozenset[str] | None = None  # of user events, only these; None: all
        self.pending: list[bytes] = []
        self.opened_ns = now_ns
        self.pong_ns = now_ns
        self.dropped = False


class _Listeners:
    """The sockets of one stream, by envelope."""

    __slots__ = ("combined", "prefix", "raw")

    def __init__(self, stream: str) -> None:
        self.raw: dict[Connection, None] = {}
        self.combined: dict[Connection, None] = {}
        self.prefix = b'{"stream":"' + stream.encode() + b'","data":'


class Hub:
    """All sockets of the venue.

    A socket that does not read what is sent to it is cut once ``backlog_bytes_max`` wait: counted in
    ``slow_cut``.
    """

    def __init__(self, *, mute_legacy: bool, strict_routes: bool, backlog_bytes_max: int) -> None:
        self.connections: dict[Connection, None] = {}
        self.sent_count = 0
        self.slow_cut = 0
        self.frozen_count = 0
        self.version = 0  # grows with every change of who listens to what
        self._mute_legacy = mute_legacy
        self._strict_routes = strict_routes
        self._backlog_bytes_max = backlog_bytes_max
        self._listeners: dict[str, _Listeners] = {}
        self._dirty: dict[Connection, None] = {}
        self._frozen: tuple[str, ...] = ()

    # --- who listens --------------------------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        """A socket opened."""
        self.connections[connection] = None

    def remove(self, connection: Connection) -> None:
        """A socket closed."""
        self.connections.pop(connection, None)
        self._dirty.pop(connection, None)
        self.unsubscribe(connection, tuple(connection.streams))

    def subscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Listen. Whether a stream is served depends on the path that the socket came by."""
        for stream in streams:
            if stream in connection.streams:
                continue
            served = self._serves(connection.route, stream)
            connection.streams[stream] = served
            self.version += 1
            if served:
                listeners = self._listeners.get(stream)
                if listeners is None:
                    listeners = self._listeners[stream] = _Listeners(stream)
                (listeners.combined if connection.combined else listeners.raw)[connection] = None

    def unsubscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Listen no longer."""
        for stream in streams:
            self.version += 1
            if connection.streams.pop(stream, False):
                self._drop_listener(connection, stream)

    def set_combined(self, connection: Connection, *, combined: bool) -> None:
        """Change a socket's envelope."""
        streams = tuple(connection.streams)
        self.unsubscribe(connection, streams)
        connection.combined = combined
        self.subscribe(connection, streams)

    def mute_legacy(self, *, mute: bool) -> None:
        """Silence the legacy URLs on market and private streams, or let them speak, open sockets included."""
        self._mute_legacy = mute
        for connection in tuple(self.connections):
            if connection.route == LEGACY:
                streams = tuple(connection.streams)
                self.unsubscribe(connection, streams)
                self.subscribe(connection, streams)

    def wanted(self, stream: str) -> bool:
        """Whether anybody listens to it."""
        return stream in self._listeners

    def wanted_streams(self) -> tuple[str, ...]:
        """Every stream that somebody listens to."""
        return tuple(self._listeners)

    def _serves(self, route: str, stream: str) -> bool:
        category = category_of(stream)
        if route == LEGACY:
            return category == PUBLIC or not self._mute_legacy
        if self._strict_routes and category != route:
            # Clients ask for prints on either of the two public paths; both are known to work.
            return stream.endswith("@trade") and route == MARKET
        return True

    def _drop_listener(self, connection: Connection, stream: str) -> None:
        listeners = self._listeners.get(stream)
        if listeners is None:
            return
        listeners.raw.pop(connection, None)
        listeners.combined.pop(connection, None)
        if not listeners.raw and not listeners.combined:
            del self._listeners[stream]

    # --- freezing -------------------------------------------------------------------------------------------

    def freeze(self, pattern: str) -> None:
        """Publish nothing more on streams that fit; their sockets stay open."""
        self._frozen = (*self._frozen, pattern)

    def thaw(self, pattern: str | None = None) -> None:
        """Take a pattern back, or all."""
        self._frozen = () if pattern is None else tuple(one for one in self._frozen if one != pattern)

    @property
    def frozen(self) -> tuple[str, ...]:
        """The patterns that are frozen."""
        return self._frozen

    # --- sending ----------------------------------------------------------------------------------------------

    def publish(self, stream: str, payload: bytes, event: str = "") -> int:
        """Queue a message for all that listen; how many do. ``event``: the kind of a user event."""
        listeners = self._listeners.get(stream)
        if listeners is None:
            return 0
        if self._frozen and any(
            fnmatchcase(stream, pattern) or (event and pattern == USER) for pattern in self._frozen
        ):
            self.frozen_count += 1
            return 0
        count = 0
        if listeners.raw:
            data = frame(payload)
            for connection in listeners.raw:
                count += self._queue(connection, data, event)
        if listeners.combined:
            data = frame(listeners.prefix + payload + b"}")
            for connection in listeners.combined:
                count += self._queue(connection, data, event)
        self.sent_count += count
        return count

    def reply(self, connection: Connection, payload: bytes) -> None:
        """Queue an answer for one socket."""
        self._queue(connection, frame(payload), "")

    def ping(self, connection: Connection, payload: bytes) -> None:
        """Queue a ping frame."""
        self._queue(connection, frame(payload, 0x9), "")

    def flush(self) -> None:
        """Write out what is queued, one write per socket."""
        if not self._dirty:
            return
        for connection in self._dirty:
            pending = connection.pending
            transport = connection.transport
            if transport.is_closing():
                pending.clear()
                continue
            transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
            pending.clear()
            if transport.get_write_buffer_size() > self._backlog_bytes_max:
                self.slow_cut += 1
                connection.dropped = True
                transport.abort()
        self._dirty.clear()

    def _queue(self, connection: Connection, data: bytes, event: str) -> int:
        if event and connection.events is not None and event not in connection.events:
            return 0
        connection.pending.append(data)
        self._dirty[connection] = None
        return 1
