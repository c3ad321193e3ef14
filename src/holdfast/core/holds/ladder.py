"""The risk ladder: Normal, Warning, Breaker, Cool-down, and Kill switch, Recovery. An enum and a table.

The holds are what forbids; the rung is what they add up to over the whole account, so there is one truth. A pair
that is not in the table moves nothing. Promises: automation only tightens, save the rows that are marked automatic
and go down; a start never changes a rung, but for a reboot, which takes a cool-down back to its beginning.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct

from holdfast.core.holds.table import HoldTable
from holdfast.vocab.holds import ACCOUNT, Hold, HoldCause, HoldLevel, Release
from holdfast.vocab.units import NS_PER_MS


class Rung(Enum):
    """Where the account stands."""

    NORMAL = "normal"
    WARNING = "warning"
    BREAKER = "breaker"
    COOL_DOWN = "cool_down"
    KILL_SWITCH = "kill_switch"
    RECOVERY = "recovery"


class Push(Enum):
    """What may move it."""

    OVER_WARNING = "over_warning"  # drawdown from the day's peak above the warning's
    OVER_BREAKER = "over_breaker"  # above the breaker's, in one jump or not
    BELOW_RELEASE = "below_release"  # below the release's
    TIME_OVER = "time_over"  # the breaker's cool-down has run
    REBOOT = "reboot"  # the machine began anew: every delay restarts in full
    RESET = "reset"  # a person, and the checks pass
    RESET_BEYOND = "reset_beyond"  # a person, but the drawdown is still above the breaker's
    TOO_MANY = "too_many"  # more breakers in a day than the limit
    TOO_FAST = "too_fast"  # more orders asked for in a second than the limit
    KILL = "kill"  # by hand: kill, hardstop
    RECOVER = "recover"
    ARM = "arm"  # the checks pass


class Move(NamedTuple):
    """One row: where to, who may, and what happens on the way.

    ``places`` and ``releases`` are holds over the account. ``flattens``: positions are exited at the market, inside
    the exit collar. ``or_standing``: where the hold of another rung still stands, that rung is where it ends.
    """

    to: Rung
    by: Release
    places: HoldCause | None = None
    releases: HoldCause | None = None
    cancels: bool = False
    flattens: bool = False
    or_standing: bool = False


_R = Rung
_P = Push
_AUTO = Release.AUTOMATIC
_BREAK = Move(
    _R.BREAKER,
    _AUTO,
    places=HoldCause.DRAWDOWN_BREAKER,
    releases=HoldCause.DRAWDOWN_WARNING,
    cancels=True,
)
_ALL_BUT_KILLED: Final = tuple(rung for rung in Rung if rung is not Rung.KILL_SWITCH)

LADDER: Final[dict[tuple[Rung, Push], Move]] = {
    (_R.NORMAL, _P.OVER_WARNING): Move(_R.WARNING, _AUTO, places=HoldCause.DRAWDOWN_WARNING),
    (_R.NORMAL, _P.OVER_BREAKER): _BREAK,
    (_R.WARNING, _P.OVER_BREAKER): _BREAK,
    (_R.WARNING, _P.BELOW_RELEASE): Move(_R.NORMAL, _AUTO, releases=HoldCause.DRAWDOWN_WARNING),
    (_R.BREAKER, _P.TIME_OVER): Move(_R.COOL_DOWN, _AUTO),
    (_R.BREAKER, _P.TOO_MANY): Move(_R.KILL_SWITCH, _AUTO, places=HoldCause.BREAKERS, cancels=True),
    (_R.COOL_DOWN, _P.REBOOT): Move(_R.BREAKER, _AUTO),
    (_R.COOL_DOWN, _P.RESET): Move(
        _R.NORMAL, Release.PERSON, releases=HoldCause.DRAWDOWN_BREAKER, or_standing=True
    ),
    (_R.COOL_DOWN, _P.RESET_BEYOND): Move(_R.BREAKER, Release.PERSON),
    # beneath what is stricter the breaker trips all the same: it stands when that is left
    (_R.KILL_SWITCH, _P.OVER_BREAKER): Move(_R.KILL_SWITCH, _AUTO, places=HoldCause.DRAWDOWN_BREAKER),
    (_R.RECOVERY, _P.OVER_BREAKER): Move(_R.RECOVERY, _AUTO, places=HoldCause.DRAWDOWN_BREAKER),
    (_R.KILL_SWITCH, _P.RECOVER): Move(_R.RECOVERY, Release.TWO_PERSONS, places=HoldCause.STARTUP),
    (_R.RECOVERY, _P.ARM): Move(_R.NORMAL, Release.PERSON, releases=HoldCause.STARTUP, or_standing=True),
    **{
        (rung, _P.TOO_FAST): Move(
            _R.KILL_SWITCH, _AUTO, places=HoldCause.ORDER_RATE, cancels=True, flattens=True
        )
        for rung in _ALL_BUT_KILLED
    },
    **{
        (rung, _P.KILL): Move(
            _R.KILL_SWITCH, Release.PERSON, places=HoldCause.KILL, cancels=True, flattens=True
        )
        for rung in _ALL_BUT_KILLED
    },
}


class Ladder(Struct, kw_only=True):
    """What the rung needs beyond the holds themselves. Changed by facts alone."""

    cool_since_mono_ns: int = 0
    cooled: bool = False  # the standing breaker's cool-down has run
    recovering: bool = False  # the standing startup hold is of a recovery
    breakers_count: int = 0  # of this day

    def placed(self, hold: Hold, *, mono_ns: int) -> None:
        """A hold was placed."""
        if hold.cause is HoldCause.DRAWDOWN_BREAKER:
            self.breakers_count += 1
            self.cool(over=False, mono_ns=mono_ns)

    def released(self, hold: Hold) -> None:
        """A hold was released."""
        if hold.scope == ACCOUNT and hold.level is HoldLevel.KILLED:
            self.recovering = True
        elif hold.cause is HoldCause.STARTUP:
            self.recovering = False

    def cool(self, *, over: bool, mono_ns: int) -> None:
        """The cool-down is over, or begins (again)."""
        self.cooled = over
        if not over:
            self.cool_since_mono_ns = mono_ns

    def roll(self) -> None:
        """A new day counts its own breakers."""
        self.breakers_count = 0


def cool_down_left_ms(ladder: Ladder, *, cooldown_ms: int, now_mono_ns: int) -> int:
    """How long the breaker's cool-down still runs; 0 once it is over."""
    ran_ms = (now_mono_ns - ladder.cool_since_mono_ns) // NS_PER_MS
    return 0 if ladder.cooled else max(0, cooldown_ms - ran_ms)


def rung_of(ladder: Ladder, holds: HoldTable) -> Rung:
    """The rung that the standing holds add up to, over the whole account."""
    causes: list[HoldCause] = []
    for hold in holds.holds.values():
        if hold.scope == ACCOUNT:
            if hold.level is HoldLevel.KILLED:
                return Rung.KILL_SWITCH
            causes.append(hold.cause)
    if ladder.recovering and HoldCause.STARTUP in causes:
        return Rung.RECOVERY
    if HoldCause.DRAWDOWN_BREAKER in causes:
        return Rung.COOL_DOWN if ladder.cooled else Rung.BREAKER
    return Rung.WARNING if HoldCause.DRAWDOWN_WARNING in causes else Rung.NORMAL
