"""What the dead switches, inside and outside, are wired from: a client of their own, and their standing orders."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from holdfast.app.venues import BINANCE_DIALECT
from holdfast.config.schema import Config, Protective
from holdfast.config.secrets import Secrets
from holdfast.guard.dead_switch import DeadSwitch
from holdfast.guard.latch import Latch
from holdfast.guard.lease import Lease
from holdfast.ports.last_resort import LastResort
from holdfast.venues.binance.panic import PanicClient
from holdfast.vocab.units import NS_PER_MS
from holdfast.watchdog.orders import Asks, ExitLimits, Orders, Policy
from holdfast.watchdog.rescue import rescue

REST_URL = "https://fapi.binance.com"
_POLICIES = {
    "trip": Policy.PAGE,
    "page": Policy.PAGE,
    "cancel": Policy.CANCEL,
    "flatten": Policy.FLATTEN,
}


def has_last_resort(config: Config) -> bool:
    """Whether there is a client of last resort for this venue."""
    return config.account.venue in BINANCE_DIALECT


def make_last_resort(config: Config, key: Secrets) -> PanicClient:
    """The client, with this key."""
    return PanicClient(
        rest_url=config.venue.rest_url or REST_URL,
        api_key=key.api_key,
        secret=key.secret,
        order_window_ms=config.timings.receive_window.ms,
    )


def standing_orders(config: Config, *, policy: str, protective: Protective, escalate_after_ms: int) -> Orders:
    """What was decided beforehand, from the limits and timings that the bot itself goes by."""
    timings = config.timings
    return Orders(
        policy=_POLICIES[policy],
        keep_protective=protective == "keep",
        limits={
            name: ExitLimits(clip=limits.flatten_clip.number, collar_ppm=limits.flatten_collar.ppm)
            for name, limits in config.limits.instrument.items()
        },
        window_s=(timings.receive_window.ms + timings.clock_offset_max.ms) / 1000,
        exit_window_s=timings.receive_window.ms / 1000,
        read_gap_s=timings.flatten_read_gap.ms / 1000,
        retry_s=timings.flatten_retry.ms / 1000,
        escalate_after_s=escalate_after_ms / 1000,
    )


def make_dead_switch(
    config: Config, secrets: Secrets, *, latch: Latch, lease: Lease, clock_ns: Callable[[], int], log: Any
) -> DeadSwitch:
    """The thread within the trading process; not started."""
    wanted = config.dead_switch
    orders = standing_orders(
        config,
        policy=wanted.policy,
        protective=wanted.protective,
        escalate_after_ms=wanted.hung_after.ms,
    )
    venue: LastResort | None = make_last_resort(config, secrets) if has_last_resort(config) else None
    if venue is None and orders.policy is not Policy.PAGE:
        log.warning(
            "the dead switch only trips the latch: no client of last resort", venue=config.account.venue
        )

    def say(text: str) -> None:
        log.error(text, kind="dead_switch")

    def act(still_ours: Callable[[], bool], wait: Callable[[float], bool]) -> None:
        say("the trading loop stands still: the latch is tripped")
        asks = Asks(
            fenced=still_ours, alone=still_ours, wait=wait, say=say, unresolved=say, now_s=time.monotonic
        )
        say(rescue(venue, orders, asks))

    return DeadSwitch(
        latch=latch,
        lease=lease,
        hung_after_ns=wanted.hung_after.ms * NS_PER_MS,
        clock_ns=clock_ns,
        act=act,
    )
