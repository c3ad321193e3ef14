"""What a rescue goes by: decided by a person beforehand, and read from the configuration whole."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import Enum

from msgspec import Struct


class Policy(Enum):
    """How far it goes."""

    PAGE = "page"  # say it and fence it
    CANCEL = "cancel"
    FLATTEN = "flatten"  # cancel, then get out


class ExitLimits(Struct, frozen=True, kw_only=True):
    """How a position may be left. Without limits a symbol is left to people."""

    clip: Decimal
    collar_ppm: int  # an exit is priced no further than this from the venue's mark


class Orders(Struct, frozen=True, kw_only=True):
    """Standing orders for a rescue."""

    policy: Policy
    keep_protective: bool
    limits: dict[str, ExitLimits]
    window_s: float  # for so long after the fence the venue may still take what the bot had signed
    exit_window_s: float  # the receive window of an exit
    read_gap_s: float  # between the two reads that must agree
    retry_s: float
    escalate_after_s: float


class Asks(Struct, frozen=True, kw_only=True):
    """What a rescue asks back, before each of its steps, and how it waits and speaks.

    ``fenced``: the bot still is halted and nobody has armed it. ``alone``: and it shows no sign of life, so that no
    two close one position. ``wait``: so many seconds; True where it is to end. ``say``: for the log. ``unresolved``:
    it takes too long; told once.
    """

    fenced: Callable[[], bool]
    alone: Callable[[], bool]
    wait: Callable[[float], bool]
    say: Callable[[str], None]
    unresolved: Callable[[str], None]
    now_s: Callable[[], float]  # monotonic
