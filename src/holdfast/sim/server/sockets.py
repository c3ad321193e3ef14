"""Stream sockets: which streams a URL asks for, the SUBSCRIBE dialogue, pings and old age."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import parse_qs, unquote

import msgspec
from aiohttp import WSMsgType, web
from msgspec import Struct

from holdfast.sim.server.hub import LEGACY, MARKET, PRIVATE, PUBLIC, Connection
from holdfast.sim.server.venue import Venue
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

_ROUTES: Final = {"public": PUBLIC, "market": MARKET, "private": PRIVATE}
_METHODS: Final = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
_PONG_WAIT_NS: Final = 600 * NS_PER_S
_MESSAGE_BYTES_MAX: Final = 1 << 20


class StreamUrl(Struct, frozen=True, kw_only=True):
    """What a stream URL asks for. ``events``: of user events, only these (empty: all)."""

    route: str
    combined: bool
    streams: tuple[str, ...]
    events: frozenset[str] = frozenset()


def read_url(path: str, query: str) -> StreamUrl | None:
    """A stream URL of the legacy or the split kind; None for any other path.

    /ws, /ws/a/b, /ws?listenKey=, /stream?streams=a/b, each also below /public, /market and /private. A number as
    a stream name is a client's own mark for the connection and asks for nothing.
    """
    parts = [unquote(part) for part in path.split("/") if part]
    route = LEGACY
    if parts and parts[0] in _ROUTES:
        route = _ROUTES[parts.pop(0)]
    if not parts or parts[0] not in {"ws", "stream"}:
        return None
    names = [one for one in parts[1:] if not one.isdigit()]
    asked = parse_qs(query)
    for name in ("streams", "stream", "listenKey"):
        for text in asked.get(name, ()):
            names += [one for one in text.split("/") if one]
    events = frozenset(
        one for text in asked.get("events", ()) for one in text.replace(",", "/").split("/") if one
    )
    return StreamUrl(
        route=route, combined=parts[0] == "stream", streams=tuple(dict.fromkeys(names)), events=events
    )


class _Asked(Struct):
    """A client's message on a stream socket."""

    method: str
    id: int | str | None = None
    params: list[msgspec.Raw] = []


class StreamSockets:
    """Serves stream sockets. Counts those cut for sending too much (``too_chatty``)."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._sockets: dict[Connection, web.WebSocketResponse] = {}
        self._pinged_ns: dict[Connection, int] = {}
        self._closing: set[asyncio.Task[object]] = set()
        self._made = 0
        self.too_chatty = 0

    async def serve(self, request: web.BaseRequest, url: StreamUrl) -> web.StreamResponse:
        """One socket's life."""
        venue = self._venue
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_MESSAGE_BYTES_MAX)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        self._made += 1
        connection = Connection(
            f"stream-{self._made}", transport, route=url.route, combined=url.combined, now_ns=venue.now_ns()
        )
        if url.events:
            connection.events = url.events
        self._sockets[connection] = socket
        self._pinged_ns[connection] = venue.now_ns()
        venue.hub.add(connection)
        venue.hub.subscribe(connection, url.streams)
        venue.nudge()
        try:
            await self._listen(connection, socket)
        finally:
            venue.hub.remove(connection)
            self._sockets.pop(connection, None)
            self._pinged_ns.pop(connection, None)
        return socket

    async def _listen(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        second, count = 0, 0
        async for message in socket:
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                connection.pong_ns = self._venue.now_ns()
            elif message.type is WSMsgType.TEXT:
                now_s = self._venue.now_ns() // NS_PER_S
                second, count = (second, count + 1) if now_s == second else (now_s, 1)
                if count > self._venue.config.limits.ws_messages_per_s:
                    self.too_chatty += 1
                    await socket.close(code=1008, message=b"Too many requests")
                    return
                self._venue.hub.reply(connection, self._answer(connection, message.data))
                self._venue.hub.flush()
                self._venue.nudge()

    def _answer(self, connection: Connection, text: str) -> bytes:
        try:
            asked = msgspec.json.decode(text, type=_Asked)
        except msgspec.MsgspecError as why:
            return _error(3, f"Invalid JSON: {why}", None)
        hub = self._venue.hub
        try:
            if asked.method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
                names = [msgspec.json.decode(raw, type=str) for raw in asked.params]
                if not names:
                    return _error(2, "Invalid request: params must not be empty", asked.id)
                if asked.method == "UNSUBSCRIBE":
                    hub.unsubscribe(connection, names)
                elif len(connection.streams) + len(names) > self._venue.config.limits.ws_streams_max:
                    return _error(2, "Invalid request: too many streams", asked.id)
                else:
                    hub.subscribe(connection, names)
                return _result(None, asked.id)
            if asked.method == "LIST_SUBSCRIPTIONS":
                return _result(list(connection.streams), asked.id)
            if asked.method == "SET_PROPERTY" and len(asked.params) == 2:
                hub.set_combined(connection, combined=msgspec.json.decode(asked.params[1], type=bool))
                return _result(None, asked.id)
            if asked.method == "GET_PROPERTY":
                return _result(connection.combined, asked.id)
        except msgspec.MsgspecError as why:
            return _error(2, f"Invalid request: {why}", asked.id)
        return _error(
            2, f"Invalid request: unknown variant `{asked.method}`, expected one of {_METHODS}", asked.id
        )

    # --- time and force ----------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Ping each socket when its time has come; end those that are deaf or a day old."""
        config = self._venue.config
        ping_ns, life_ns = config.ping_minutes * 60 * NS_PER_S, config.socket_hours * 3600 * NS_PER_S
        for connection, socket in tuple(self._sockets.items()):
            if now_ns - connection.opened_ns >= life_ns:
                self._close(socket, 1001, b"expired")
            elif now_ns - max(connection.pong_ns, connection.opened_ns) >= ping_ns + _PONG_WAIT_NS:
                connection.transport.abort()
            elif now_ns - self._pinged_ns[connection] >= ping_ns:
                self._pinged_ns[connection] = now_ns
                self._venue.hub.ping(connection, str(now_ns // NS_PER_MS).encode())

    def next_due_ns(self) -> int | None:
        """When ``tick`` has something to do next."""
        config = self._venue.config
        ping_ns, life_ns = config.ping_minutes * 60 * NS_PER_S, config.socket_hours * 3600 * NS_PER_S
        return min(
            (
                min(pinged_ns + ping_ns, connection.opened_ns + life_ns)
                for connection, pinged_ns in self._pinged_ns.items()
            ),
            default=None,
        )

    def disconnect(self, kind: str, *, abort: bool) -> int:
        """Cut sockets: "all", "user" (they hear an account), "market" (they do not), or those of a stream's name."""
        cut = 0
        for connection, socket in tuple(self._sockets.items()):
            if _is_meant(connection, kind):
                cut += 1
                if abort:
                    connection.transport.abort()
                else:
                    self._close(socket, 1001, b"going away")
        return cut

    def state(self) -> list[dict[str, object]]:
        """Each socket, for the control endpoint."""
        return [
            {
                "name": one.name,
                "route": one.route,
                "combined": one.combined,
                "streams": list(one.streams),
                "mute": [name for name, served in one.streams.items() if not served],
                "opened_ns": one.opened_ns,
                "waiting_bytes": one.transport.get_write_buffer_size(),
            }
            for one in self._sockets
        ]

    async def close_all(self) -> None:
        """End every socket."""
        for socket in tuple(self._sockets.values()):
            self._close(socket, 1001, b"going away")
        if self._closing:
            await asyncio.wait(self._closing, timeout=1)

    def _close(self, socket: web.WebSocketResponse, code: int, why: bytes) -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(_end(socket, code, why))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _end(socket: web.WebSocketResponse, code: int, why: bytes) -> object:
    with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
        await asyncio.wait_for(socket.close(code=code, message=why), 5)
    return None


def _is_meant(connection: Connection, kind: str) -> bool:
    hears_account = any("@" not in name and not name.startswith("!") for name in connection.streams)
    if kind == "all":
        return True
    if kind == "user":
        return hears_account or connection.route == PRIVATE
    if kind == "market":
        return not hears_account
    return kind in connection.streams


def _result(value: object, request_id: int | str | None) -> bytes:
    return msgspec.json.encode({"result": value, "id": request_id})


def _error(code: int, text: str, request_id: int | str | None) -> bytes:
    answer: Mapping[str, object] = {"error": {"code": code, "msg": text}, "id": request_id}
    return msgspec.json.encode(cast("dict[str, object]", answer))
