"""Holds: the one mechanism for everything that stops trading."""

from __future__ import annotations

from enum import Enum, IntEnum

from msgspec import Struct


class HoldLevel(IntEnum):
    """How much a hold forbids; the strictest in scope wins."""

    NONE = 0
    REDUCED = 1  # risk-increasing intents are halved before the gate; collars tighten
    REDUCE_ONLY = 2  # nothing may increase or flip a position
    HALTED = 3  # no order outside the flatten lane; cancels work
    KILLED = 4  # the same, latched: only the recovery procedure leaves it


class HoldCause(Enum):
    """Why a hold stands. Its level and release rule come from one table (core/holds/rules.py)."""

    STARTUP = "startup"
    HALT = "halt"
    PAUSE = "pause"
    STOP = "stop"
    KILL = "kill"
    HARDSTOP = "hardstop"
    BAN = "ban"
    DRAWDOWN_WARNING = "drawdown_warning"
    DRAWDOWN_BREAKER = "drawdown_breaker"
    BREAKERS = "breakers"
    ORDER_RATE = "order_rate"
    RUNAWAY = "runaway"
    VOLATILITY = "volatility"
    CRASH = "crash"
    STALE_DATA = "stale_data"
    BAD_DATA = "bad_data"
    SPLIT = "split"
    FEEDS_LOST = "feeds_lost"
    USER_STREAM_LOST = "user_stream_lost"
    POSITION_STALE = "position_stale"
    POSITION_UNKNOWN = "position_unknown"
    CLOCK = "clock"
    RECONCILE_BREAK = "reconcile_break"
    QUARANTINE = "quarantine"
    FILL_BUSTED = "fill_busted"
    UNKNOWN_ERROR = "unknown_error"
    VENUE_AUTH = "venue_auth"
    VENUE_CONTRACT = "venue_contract"
    ENDPOINT_RETIRED = "endpoint_retired"
    RETRIES_SPENT = "retries_spent"
    LOST_LEASE = "lost_lease"
    STRATEGY_FAILED = "strategy_failed"
    CHURN = "churn"
    CRITERIA = "criteria"
    OVERSIZED = "oversized"
    SPEC_CHANGED = "spec_changed"
    DEADMAN_UNARMED = "deadman_unarmed"
    LIQUIDATION = "liquidation"
    FLATTEN = "flatten"
    REFERENCE_STALE = "reference_stale"
    MARKET_HALT = "market_halt"


class Release(Enum):
    """Who may lift a hold."""

    AUTOMATIC = "automatic"  # the core itself, once its condition has been gone for the time in the table
    PERSON = "person"  # a person with a reason, once checks pass
    TWO_PERSONS = "two_persons"  # two people, or the solo operator's labelled cooling delay


class Scope(Struct, frozen=True, kw_only=True, array_like=True):
    """Where something applies: both empty is the whole account; both set is one strategy in one instrument."""

    strategy: str = ""
    instrument: str = ""


ACCOUNT = Scope()


class Hold(Struct, frozen=True, kw_only=True, array_like=True):
    """One reason not to trade, with who, when, and what releases it."""

    hold_id: int
    scope: Scope
    level: HoldLevel
    cause: HoldCause
    release: Release
    by: str
    reason: str
    since_wall_ns: int
    since_mono_ns: int
    latch_nonce: int = 0  # set where the hold mirrors a tripped latch
