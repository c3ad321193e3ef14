"""The ground truth of what was asked: every order request that reached the venue, stamped, accepted or not."""

from __future__ import annotations

import time
from collections import deque

from msgspec import Struct


class Stamp(Struct, frozen=True):
    """When a request was taken in: this machine's CLOCK_MONOTONIC and CLOCK_BOOTTIME, and the venue's clock."""

    mono_ns: int
    boot_ns: int
    venue_ns: int


def stamp_now(venue_ns: int) -> Stamp:
    """Read the two clocks that other processes of this machine share."""
    return Stamp(
        time.clock_gettime_ns(time.CLOCK_MONOTONIC), time.clock_gettime_ns(time.CLOCK_BOOTTIME), venue_ns
    )


class OrderRequest(Struct, kw_only=True):
    """One order request. Texts are as they came; ``code`` and ``msg`` say why it was not accepted.

    kind: place, amend, cancel, cancel_all, place_algo, cancel_algo, cancel_all_algo, countdown. ``fault``: the
    planned failure that it met. ``order_id`` is the venue's, 0 where none came of it.
    """

    seq: int
    kind: str
    via: str
    mono_ns: int
    boot_ns: int
    venue_ns: int
    account: str = ""
    symbol: str = ""
    side: str = ""
    type: str = ""
    qty: str = ""
    price: str = ""
    reduce_only: bool = False
    client_id: str = ""
    order_id: int = 0
    accepted: bool = False
    code: int = 0
    msg: str = ""
    fault: str = ""


class RequestLog:
    """The newest order requests; ``dropped`` counts those that fell out at the far end."""

    def __init__(self, size_max: int) -> None:
        self.entries: deque[OrderRequest] = deque(maxlen=size_max)
        self.total = 0

    @property
    def dropped(self) -> int:
        """How many are no longer here."""
        return self.total - len(self.entries)

    def begin(self, kind: str, via: str, stamp: Stamp, texts: dict[str, str], account: str) -> OrderRequest:
        """Note a request as it came in, not accepted so far."""
        self.total += 1
        entry = OrderRequest(
            seq=self.total,
            kind=kind,
            via=via,
            mono_ns=stamp.mono_ns,
            boot_ns=stamp.boot_ns,
            venue_ns=stamp.venue_ns,
            account=account,
            symbol=texts.get("symbol", ""),
            side=texts.get("side", ""),
            type=texts.get("type", ""),
            qty=texts.get("quantity", ""),
            price=texts.get("price", ""),
            reduce_only=texts.get("reduceOnly", "").lower() == "true",
            client_id=texts.get("newClientOrderId")
            or texts.get("origClientOrderId")
            or texts.get("clientAlgoId")
            or "",
        )
        self.entries.append(entry)
        return entry
