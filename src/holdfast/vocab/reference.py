"""What is known of an instrument beside the venue's own facts: groups, volumes, sessions, bands; and hours and halts.

The first half comes from the reference file, as one event whenever it is read; the second is configuration.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.vocab.holds import ACCOUNT, HoldLevel, Scope
from holdfast.vocab.units import NS_PER_S

WEEK_MINUTES: Final = 7 * 24 * 60
MINUTE_NS: Final = 60 * NS_PER_S
MONDAY_NS: Final = 4 * 24 * 60 * MINUTE_NS  # the first Monday since the epoch, which was a Thursday
ALWAYS_NS: Final = 1 << 62  # a wall time that never comes


class Calendar(Struct, frozen=True, kw_only=True, array_like=True):
    """A venue's sessions as wall times: (opens, closes) in nanoseconds, ascending, apart from one another.

    Holidays and early closes are in it already. Past the last one nothing is known, which is closed.
    """

    name: str
    opens: tuple[tuple[int, int], ...]


class InstrumentReference(Struct, frozen=True, kw_only=True, array_like=True):
    """One instrument's row of the reference file.

    ``adv_lots``: average daily volume; 0: not told, so the venue is asked for the last 24 hours. ``calendar``
    empty: around the clock. Bands: the lowest and the highest price that the venue takes; 0: none told.
    """

    instrument: str
    group: str = ""
    adv_lots: int = 0
    calendar: str = ""
    band_low_ticks: int = 0
    band_high_ticks: int = 0


class ReferenceRules(Struct, frozen=True, kw_only=True, array_like=True):
    """How old the reference file may be, and the hold (``NONE``: none) that an older one places on the account."""

    age_ms_max: int
    when_stale: HoldLevel = HoldLevel.NONE


class Hours(Struct, frozen=True, kw_only=True, array_like=True):
    """When new risk may be taken in a scope: (from, until) in minutes of the week, UTC, from Monday's midnight."""

    spans: tuple[tuple[int, int], ...]
    scope: Scope = ACCOUNT


class MarketHalt(Struct, frozen=True, kw_only=True, array_like=True):
    """What a fall of the market since the day began does.

    ``everywhere``: the benchmark's fall holds the account; else each instrument's own fall holds that instrument.
    """

    fall_ppm: int
    level: HoldLevel
    everywhere: bool
