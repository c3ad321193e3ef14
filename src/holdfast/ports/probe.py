"""A venue that can be asked whether it still keeps the contract that its adapter was written to."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from holdfast.ports.venue import MaySend, VenuePort
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.probe import Check


class Canary(Struct, frozen=True, kw_only=True):
    """An order that proves the dead-man switch: as small as the venue takes, far from the market, post-only.

    ``order_lots_max`` and ``notional_e8_max``: this bot's own limits of one order, which it must be within.
    ``countdown_ms``: how long the venue waits before it cancels; ``late_ms``: how much later it still counts.
    ``may_send``: asked at the write of the order.
    """

    spec: InstrumentSpec
    order_lots_max: int
    notional_e8_max: int
    countdown_ms: int
    late_ms: int
    may_send: MaySend


class Expected(Struct, frozen=True, kw_only=True):
    """What the account should be like. ``account_uid`` empty: not pinned.

    ``rights_told``: the venue can be asked what a key may do; a practice system cannot.
    ``starting``: a bot is setting the leverage at this very moment, so another one is no news.
    """

    account_uid: str
    leverage: int
    clock_offset_ms_max: int
    rights_told: bool = True
    starting: bool = False


class Probe(Protocol):
    """Promises: neither raises for anything that a venue can do. What was not asked is said to be so."""

    async def probe(self, expected: Expected) -> tuple[Check, ...]:
        """Call what the adapter depends on and compare; changes nothing at the venue. After ``load()``."""
        ...

    async def canary(self, canary: Canary) -> Check:
        """Have the venue's own dead-man switch cancel an order. Never while anything else trades the account."""
        ...


class ProbedVenue(VenuePort, Probe, Protocol):
    """A venue that trades and can be looked at."""
