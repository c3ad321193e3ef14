"""An HTTP session that asks the last hop, talks to listed hosts only, never retries and never follows.

aiohttp by itself sends PUT and DELETE a second time when a kept-alive connection turns out dead, and follows
a redirect with the signed body: both would be requests that nobody decided on.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientRequest, ClientResponse
from aiohttp.connector import Connection

from holdfast.ports.clock import Clock
from holdfast.venues.transport.hop import HOP, Hop, HostRefused, LastHop, OnWrite, Unpermitted, WriteStamp

WRITES_KEPT: Final = 65_536
_KEEP_ALIVE_S: Final = 55.0  # reads every few seconds keep it warm; Binance closes idle ones after a minute
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}

Host = tuple[str, int]


def host_of(url: str) -> Host:
    """(host, port) that a URL leads to. Raises ValueError for a URL without one."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"no host in {url!r}")
    return parts.hostname.lower(), parts.port or _PORTS[parts.scheme]


class AllowedHosts:
    """The hosts that may be spoken to: nothing else is resolved or connected to."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.hosts = frozenset(host_of(url) for url in urls)

    def check(self, host: str, port: int | None, scheme: str = "https") -> None:
        """Raises HostRefused for a host that is not listed."""
        if (host.lower(), port or _PORTS.get(scheme, 0)) not in self.hosts:
            raise HostRefused(f"{host}:{port} is not an allowed host")

    def check_url(self, url: str) -> None:
        """As ``check``, for a whole URL."""
        self.check(*host_of(url))


class GuardedConnector(aiohttp.TCPConnector):
    """Refuses a host that is not listed before it is resolved, pooled connections included."""

    def __init__(self, allowed: AllowedHosts, **options: Any) -> None:
        super().__init__(**options)
        self._allowed = allowed

    async def connect(
        self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """As aiohttp's, for listed hosts without a proxy."""
        if req.proxy is not None:
            raise HostRefused("a proxy would see and could replay signed requests")
        self._allowed.check(req.url.host or "", req.url.port)
        return await super().connect(req, traces, timeout)


def _request_class(mono_ns: Callable[[], int], on_write: OnWrite) -> type[ClientRequest]:
    class GuardedRequest(ClientRequest):
        """Puts the last hop between aiohttp's writer and the socket, once the connection is in hand."""

        async def send(self, conn: Connection) -> ClientResponse:
            hop = HOP.get()
            if hop is None:
                raise Unpermitted(f"{self.method} {self.url.path}")
            protocol = conn.protocol
            if protocol is not None and protocol.transport is not None:
                guard: Any = protocol.transport
                if not isinstance(guard, LastHop):
                    guard = LastHop(guard, mono_ns, on_write)
                    protocol.transport = guard
                guard.arm(hop)
            return await super().send(conn)

    return GuardedRequest


class GuardedSession:
    """The part of aiohttp's session that ccxt uses, with our rules put on every request.

    ``writes``: the last writes of orders, oldest first, bounded; ``on_order_write(order_id, mono_ns)`` is
    called for each, right after its write.
    """

    def __init__(
        self, *, allowed: AllowedHosts, clock: Clock, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.writes: deque[WriteStamp] = deque(maxlen=WRITES_KEPT)
        self.on_order_write: Callable[[int, int], None] | None = None
        self.headers: dict[str, str] = {}
        self._session = aiohttp.ClientSession(
            connector=GuardedConnector(
                allowed,
                ssl=ssl_context if ssl_context is not None else True,
                limit=0,  # an order never waits for a read's connection; the rate budget bounds the reads
                keepalive_timeout=_KEEP_ALIVE_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            request_class=_request_class(clock.mono_ns, self._wrote),
        )
        self._session._retry_connection = False  # noqa: SLF001 - no public switch; proven by a test

    def _wrote(self, hop: Hop) -> None:
        if not hop.order_id:
            return
        stamp = WriteStamp(
            order_id=hop.order_id, lane=hop.lane, asked_ns=hop.asked_ns, written_ns=hop.written_ns
        )
        self.writes.append(stamp)
        if self.on_order_write is not None:
            self.on_order_write(hop.order_id, hop.written_ns)

    def _request(self, method: str, url: Any, **options: Any) -> Any:
        hop = HOP.get()
        if hop is None:
            raise Unpermitted(f"{method} {url}")
        options["allow_redirects"] = False
        options["timeout"] = aiohttp.ClientTimeout(total=hop.timeout_s)
        options.pop("proxy", None)
        return self._session.request(method, url, **options)

    def get(self, url: Any, **options: Any) -> Any:
        """GET."""
        return self._request("GET", url, **options)

    def post(self, url: Any, **options: Any) -> Any:
        """POST."""
        return self._request("POST", url, **options)

    def put(self, url: Any, **options: Any) -> Any:
        """PUT."""
        return self._request("PUT", url, **options)

    def delete(self, url: Any, **options: Any) -> Any:
        """DELETE."""
        return self._request("DELETE", url, **options)

    def patch(self, url: Any, **options: Any) -> Any:
        """PATCH."""
        return self._request("PATCH", url, **options)

    def ws_connect(self, url: Any, **options: Any) -> Any:
        """A WebSocket (ccxt's streams). The upgrade request is a read: it changes nothing."""
        options.pop("proxy", None)
        return _Connecting(self._session, url, options)

    @property
    def closed(self) -> bool:
        """As aiohttp's."""
        return self._session.closed

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


class _Connecting:
    """What aiohttp's ``ws_connect`` returns, with a hop of its own around the connecting."""

    def __init__(self, session: aiohttp.ClientSession, url: Any, options: dict[str, Any]) -> None:
        self._connecting = session.ws_connect(url, **options)

    async def __aenter__(self) -> Any:
        token = HOP.set(Hop())
        try:
            return await self._connecting
        finally:
            HOP.reset(token)

    async def __aexit__(self, *_: object) -> None:
        await (await self._connecting).close()

    def __await__(self) -> Any:
        return self.__aenter__().__await__()
