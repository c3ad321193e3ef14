"""What became of a call to a venue: exactly four answers, and a fifth for a call that we did not make.

*Ok*: it happened. *Transient*: it certainly did not, asking again is fine. *Fatal*: it certainly did not,
asking again is wrong. *Unknown*: cannot say. *Suppressed*: the last hop refused to write it (latch, lease or
a full transport buffer); the venue never saw it. The default of every classification is Unknown.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from holdfast.vocab.reports import Report


class Fault(Enum):
    """What a failed answer says is wrong beside its request: it holds by itself, whatever was asked."""

    AUTH = "auth"  # the key, its rights, its address or its signature
    RETIRED = "retired"  # the address that was asked is gone
    CLOCK = "clock"  # our stamps are off


class Ok(Struct, frozen=True, kw_only=True, array_like=True, tag="ok"):
    """It happened; ``value`` is the venue's word."""

    value: Report


class Transient(Struct, frozen=True, kw_only=True, array_like=True, tag="transient"):
    """It certainly did not happen; asking again is fine, not before ``retry_ms``."""

    why: str
    code: str = ""
    retry_ms: int = 0
    fault: Fault | None = None


class Fatal(Struct, frozen=True, kw_only=True, array_like=True, tag="fatal"):
    """It certainly did not happen; asking the same again is wrong. ``code`` is the venue's own."""

    why: str
    code: str = ""
    fault: Fault | None = None


class Unknown(Struct, frozen=True, kw_only=True, array_like=True, tag="unknown"):
    """It may or may not have happened. ``unlisted``: the venue gave a code that no row of its table names."""

    why: str
    code: str = ""
    unlisted: bool = False
    fault: Fault | None = None


class Withheld(Enum):
    """Which gate of the last hop withheld a write."""

    LATCH = "latch"
    LEASE = "lease"
    BUFFER = "buffer"
    HOLD = "hold"  # a hold that halts, placed between the approval and the write


class Suppressed(Struct, frozen=True, kw_only=True, array_like=True, tag="suppressed"):
    """Never written to a socket."""

    by: Withheld


Outcome: TypeAlias = Ok | Transient | Fatal | Unknown | Suppressed
