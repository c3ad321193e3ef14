"""Asking a venue before the trading loop runs: with the lease in hand, and kept."""

from __future__ import annotations

import asyncio
from typing import Any

from holdfast.guard.lease import Lease
from holdfast.ports.venue import VenuePort
from holdfast.runtime.clock import SystemClock
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Withheld
from holdfast.vocab.reports import Balances
from holdfast.vocab.requests import QueryBalances


async def renewing(loading: Any, lease: Lease, clock: SystemClock) -> Any:
    """Keep the lease while the venue is read: nothing may be sent yet, but nobody else may begin.

    Without the lease it ends too, and tidies up before this raises. Errors: LeaseTaken, and its own.
    """
    task = asyncio.ensure_future(loading)
    try:
        while not task.done():
            have_again(lease, clock)
            await asyncio.wait({task}, timeout=0.1)
        have_again(lease, clock)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return task.result()


def have_again(lease: Lease, clock: SystemClock) -> None:
    """Prolong the lease, or have it again: before anything was sent its end means no more than a slow machine."""
    if lease.renew(clock.mono_ns()) is not None:
        lease.reclaim(now_wall_ns=clock.wall_ns(), now_mono_ns=clock.mono_ns())


async def account_number(venue: VenuePort) -> str:
    """The account's own number at the venue; empty where it does not tell: then it cannot be armed either."""
    answer = await venue.call(QueryBalances(), Lane.READ, _always)
    return answer.value.account_uid if isinstance(answer, Ok) and isinstance(answer.value, Balances) else ""


def _always() -> Withheld | None:
    return None
