"""Latch and lease, as the runtime uses them."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol


class Progress(NamedTuple):
    """What the trading loop last got done, as it says with each renewal of its lease. CLOCK_BOOTTIME; 0: not yet."""

    stepped_mono_ns: int = 0  # an event went through the core
    decided_mono_ns: int = 0  # a record went into the journal
    acked_mono_ns: int = 0  # the venue answered a request of ours
    loop_lag_ns: int = 0  # how late the loop came to this renewal


NOTHING_YET: Final = Progress()


class LatchPort(Protocol):
    """Halted iff the last trip was not cleared. Any process may trip it; only this one clears."""

    broken: str

    def tripped(self) -> bool:
        """Read before every risk order."""
        ...

    def trip(self, by: str, reason: str) -> int:
        """Trip it; returns the nonce (0: broken, which halts as well)."""
        ...

    def observe(self) -> int:
        """The nonce of the last trip."""
        ...

    def clear(self, nonce: int) -> bool:
        """Clear exactly that trip; False where there was another since."""
        ...

    def repair(self) -> None:
        """Open a broken latch anew, tripped."""
        ...


class ExpiredLease(Protocol):
    """How a lease was lost."""

    @property
    def expired_ms(self) -> int: ...
    @property
    def contested(self) -> bool: ...
