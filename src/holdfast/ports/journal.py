"""Where decisions and frames are written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from holdfast.vocab.effects import Record


class JournalPort(Protocol):
    """The decision journal: append-only, chained, preallocated.

    Promises: ``append`` only takes it into memory; nothing may act on a record before ``write`` (or ``sync``)
    returned. Raises JournalFailed when the disk refuses: the caller trips the latch and ends the process.
    JournalFull, its milder kind, refuses one record and leaves the journal usable for urgent ones.
    """

    @property
    def record_count(self) -> int:
        """How many were appended."""
        ...

    @property
    def full(self) -> bool:
        """True while there is no space for the next segment: what remains is being used up."""
        ...

    def append(self, record: Record, market_pos: int, *, urgent: bool = False) -> None:
        """Take one record. ``market_pos``: how many frames the market log held before it.

        ``urgent``: what getting flat, cancelling and stopping need; may use the reserve of a full disk.
        """
        ...

    def write(self) -> int:
        """Hand everything appended to the operating system (survives our death, not a power loss).

        Returns how many records it has, of all.
        """
        ...

    def sync(self) -> int:
        """``write`` and fdatasync (survives a power loss). In line, no thread. Returns how many records it has."""
        ...

    def close(self) -> None:
        """Sync and close."""
        ...


class Stamped(Protocol):
    """What was received at a time by both clocks."""

    @property
    def wall_ns(self) -> int: ...
    @property
    def mono_ns(self) -> int: ...


class MarketLogPort(Protocol):
    """Raw frames with receive times, in blocks: hashed, compressed, not synced."""

    frame_count: int

    def extend(self, raws: Sequence[bytes], wall_ns: int, mono_ns: int, feed: int = 0) -> None:
        """Add the frames of one read. ``feed``: which of the feeds the log was opened with."""
        ...

    def each(self, events: Sequence[Stamped]) -> None:
        """Add events that were never bytes, with their own stamps, of the first feed."""
        ...

    def flush(self) -> None:
        """Write the open block out."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...


class JournalFailed(Exception):
    """The disk refused a write or a sync: what is not written down must not happen."""


class OtherAccount(JournalFailed):
    """The journal there is of another account: a state directory was named that belongs elsewhere."""


class JournalFull(JournalFailed):
    """Only the reserve for urgent records is left on the disk: this record was not taken."""
