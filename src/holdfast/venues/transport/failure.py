"""How a request ended when no whole reply came back: told by the hop first, by the exception second."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import aiohttp

from holdfast.venues.transport.hop import Hop, HostRefused, OutcomeUnknown, Unpermitted, WireMismatch


class Cause(Enum):
    """What became of a request without a whole reply."""

    NOT_SENT = "not sent"  # no connection, no name, no TLS: the last hop never wrote
    NO_REPLY = "no reply"  # written, then silence until the time-out
    CONNECTION_LOST = "connection lost"  # written, then reset or closed
    CUT_SHORT = "cut short"  # the reply broke off
    UNREADABLE = "unreadable"  # a success whose body is empty or not JSON, or lacks what it must have


class Refusal(Enum):
    """Why nothing was sent although the network was willing: our own doing, and final."""

    LOCAL = "refused before sending"


def cause_of(hop: Hop, error: BaseException) -> Cause | Refusal:
    """The cause behind an exception of a call.

    What was never written was never sent, whatever the exception says; what was written may have arrived,
    whatever the exception says.
    """
    if not hop.written:
        return Cause.NOT_SENT if _is_network(error) else Refusal.LOCAL
    for link in _chain(error):
        if isinstance(link, TimeoutError):
            return Cause.NO_REPLY
        if isinstance(link, aiohttp.ClientPayloadError):
            return Cause.CUT_SHORT
    return (
        Cause.UNREADABLE
        if isinstance(error, OutcomeUnknown) and hop.status is not None
        else Cause.CONNECTION_LOST
    )


def _is_network(error: BaseException) -> bool:
    links = tuple(_chain(error))
    if any(isinstance(link, WireMismatch | HostRefused | Unpermitted) for link in links):
        return False
    return any(isinstance(link, OSError | aiohttp.ClientError | TimeoutError) for link in links)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes; bounded."""
    link: BaseException | None = error
    for _ in range(8):
        if link is None:
            return
        yield link
        link = link.__cause__


def plain(text: str, *, size_max: int = 160) -> str:
    """A venue's words made safe for a log or a terminal: one line, printable, short."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:size_max])
