"""The last hop: one record per request, read where the bytes meet the socket.

Promises: nothing is written for a request whose hop says no; the question is asked in the same call that
writes, so that no other code of this process runs in between; a hop that was never written is proof that the
venue never saw the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from msgspec import Struct

from holdfast.ports.venue import MaySend
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Withheld


class WriteStamp(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """When one order's bytes were handed to the socket, by the monotonic clock.

    ``asked_ns``: just before the last hop was asked; ``written_ns``: just after the write returned.
    """

    order_id: int
    lane: Lane
    asked_ns: int
    written_ns: int


class HopRefused(Exception):
    """The last hop said no: nothing of this request was written."""


class Unpermitted(Exception):
    """A request that no call of ours opened a hop for (a library's own idea): refused before any byte."""


class WireMismatch(Exception):
    """The signed request does not say what we asked for: refused before any byte."""


class HostRefused(Exception):
    """A request to a host that is not on the allow-list: refused before connecting."""


class BudgetSpent(Exception):
    """The rate budget has no room for this lane now: refused before any byte."""

    def __init__(self, retry_ms: int) -> None:
        super().__init__(f"the rate budget is spent for {retry_ms} ms")
        self.retry_ms = retry_ms


class OutcomeUnknown(Exception):
    """The reply proves nothing: cut short, unreadable, or neither a success nor an error."""


def always() -> Withheld | None:
    """The last hop of requests that change nothing."""
    return None


Verify = Callable[[str, str, str], None]
"""(method, url, body) of a signed request that changes something, or of a read; raises WireMismatch."""


class Hop:
    """One request on its way. Mutable on purpose: the transport fills in what became of it."""

    __slots__ = (
        "asked_ns",
        "body",
        "changes_left",
        "changing",
        "headers",
        "lane",
        "may_send",
        "order_id",
        "over",
        "raw",
        "recv_window_ms",
        "status",
        "timeout_s",
        "verify",
        "withheld",
        "written",
        "written_ns",
    )

    def __init__(
        self,
        *,
        lane: Lane = Lane.READ,
        may_send: MaySend = always,
        timeout_s: float = 10.0,
        recv_window_ms: int = 5_000,
        order_id: int = 0,
        raw: bool = False,
        verify: Verify | None = None,
        changes_left: int | None = None,
    ) -> None:
        self.lane = lane
        self.may_send = may_send
        self.timeout_s = timeout_s
        self.recv_window_ms = recv_window_ms
        self.order_id = order_id
        self.raw = raw  # the caller classifies the reply itself: ccxt's error mapping stays out of it
        self.verify = verify
        self.changes_left = changes_left  # how many requests other than GET may leave; None: it is a read
        self.changing = changes_left is None  # False while a library asks something first, on its own account
        self.written = False  # what we came for was handed to the socket
        self.over = False  # the call has been answered: whatever comes late is not written
        self.withheld: Withheld | None = None
        self.asked_ns = 0
        self.written_ns = 0
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = ""


HOP: ContextVar[Hop | None] = ContextVar("holdfast_hop", default=None)
"""The hop of the request that the current task is making."""

OnWrite = Callable[[Hop], None]


class LastHop:
    """An asyncio transport that asks before the first write of each request; all else is the transport's own."""

    __slots__ = ("_hop", "_mono_ns", "_on_write", "_transport")

    def __init__(self, transport: Any, mono_ns: Callable[[], int], on_write: OnWrite) -> None:
        self._transport = transport
        self._mono_ns = mono_ns
        self._on_write = on_write
        self._hop: Hop | None = None

    def arm(self, hop: Hop) -> None:
        """The next write begins this request."""
        self._hop = hop

    def write(self, data: Any) -> None:
        """Ask, then write: one call, no suspension, so nothing can happen in between."""
        hop = self._hop
        if hop is None:
            self._transport.write(data)
            return
        self._hop = None
        self._ask(hop)
        self._transport.write(data)
        self._stamp(hop)

    def writelines(self, chunks: Any) -> None:
        """As ``write``."""
        hop = self._hop
        if hop is None:
            self._transport.writelines(chunks)
            return
        self._hop = None
        self._ask(hop)
        self._transport.writelines(chunks)
        self._stamp(hop)

    def _ask(self, hop: Hop) -> None:
        if hop.over:
            raise HopRefused
        if hop.lane is Lane.RISK and _buffered_bytes(self._transport):
            hop.withheld = Withheld.BUFFER
            raise HopRefused
        hop.asked_ns = self._mono_ns()
        withheld = hop.may_send()
        if withheld is not None:
            hop.withheld = withheld
            raise HopRefused
        hop.written = hop.written or hop.changing  # before the write: from here on the venue may have seen it

    def _stamp(self, hop: Hop) -> None:
        hop.written_ns = self._mono_ns()
        if hop.changing:
            self._on_write(hop)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


_NO_BUFFER: Final = 0


def _buffered_bytes(transport: asyncio.WriteTransport) -> int:
    """Bytes not yet taken by the kernel, those behind TLS included where the event loop shows them."""
    size = transport.get_write_buffer_size()
    tls = getattr(transport, "_ssl_protocol", None)
    below = getattr(tls, "_transport", None)
    # uvloop hides the socket's transport behind TLS: there the figure is that of the TLS layer alone.
    return size + (below.get_write_buffer_size() if below is not None else _NO_BUFFER)


def leaving(hop: Hop, method: str, url: str, body: str) -> None:
    """A signed request is about to be sent for this hop. Raises WireMismatch for one that was not asked."""
    if hop.changes_left is not None:
        hop.changing = method != "GET"
        if not hop.changing:
            return
        if hop.changes_left == 0:
            raise WireMismatch("a second request that changes something")
        hop.changes_left -= 1
    if hop.verify is not None:
        hop.verify(method, url, body)
