"""A venue, as the runtime sees it: one way to ask, one stream of what happens to our account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.vocab.events import Event
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Outcome, Withheld
from holdfast.vocab.requests import Request

MaySend = Callable[[], Withheld | None]
"""The last hop's question, asked by the client after signing and with the connection in hand, in the same loop
turn as the transport's write and with no suspension in between. None: write. Otherwise: do not write, and
answer ``Suppressed``."""

EventSink = Callable[[Event], None]


class VenuePort(Protocol):
    """One account at one venue.

    Promises: ``call`` never raises for anything that a venue or a network can do, never retries, and never
    answers Transient or Fatal without proof that the request had no effect: what cannot be told is Unknown.
    A request of the RISK lane is written only while the transport's own buffer is empty, else it is
    ``Suppressed(by=BUFFER)``. RISK, CANCEL and FLATTEN never wait behind READ within the shared rate budget.
    """

    async def load(self) -> tuple[InstrumentSpec, ...]:
        """Read the configured instruments' facts. Only while unarmed. Raises VenueUnusable with one line."""
        ...

    async def open(self, sink: EventSink) -> None:
        """Open the account's event stream and keep it open: reports, notices and StreamChanged go to ``sink``."""
        ...

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        """Ask once; the answer says what is known of the effect."""
        ...

    async def close(self) -> None:
        """End streams and connections. Open orders stay: cancelling is the core's business."""
        ...


class VenueUnusable(Exception):
    """The venue cannot be used at all (unreachable, wrong key, unknown instrument): one line for a person."""


class VenueSilent(VenueUnusable):
    """The first thing that it was asked it did not answer: most likely nobody is there."""
