"""The writer of a decision journal: encode into memory, frame and write once, sync in line.

Promises: what one write appended is whole within one segment; a segment is durable before the next one is begun;
the next one is allocated before it is needed. When the disk is full the last ``reserve_bytes`` of what is already
allocated are kept for urgent records, so that a full disk stops risk and not the exit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Final
from zlib import crc32

from msgspec import Struct

from holdfast.journal.codec import (
    AFTER_SYNC,
    ARRAY_BYTES_MAX,
    FRAME,
    HASH_BYTES,
    HEADER_BYTES,
    OVERHEAD_BYTES,
    PAYLOAD_BYTES_MAX,
    PLAIN,
    POSITION_BYTES_MAX,
    DurableMark,
    Header,
    encode_record,
    pack_header,
    pack_mark,
)
from holdfast.journal.files import REAL_FILES, Files, write_all
from holdfast.ports.journal import JournalFailed, JournalFull
from holdfast.vocab.effects import Record
from holdfast.vocab.invariant import invariant

SEGMENT_BYTES: Final = 64 << 20
RESERVE_BYTES: Final = 4 << 20
SPARE_TRIES: Final = 64  # while the disk is full, every so manieth append asks again
UNSYNCED_BYTES_MAX: Final = (
    256 << 10
)  # written since the last sync; beyond it write syncs: what a crash can tear
BUFFER_BYTES_MAX: Final = 1 << 20  # appended and not yet written; beyond it append writes by itself
UNMEASURED_MAX: Final = (
    256  # so many records wait as they are, where there is so much space that none can fail
)
UNMEASURED_ROOM_BYTES: Final = 4 << 20

_AROUND_BYTES: Final = OVERHEAD_BYTES + ARRAY_BYTES_MAX
_pack = FRAME.pack
_chained = partial(blake2b, digest_size=HASH_BYTES)


def segment_name(number: int) -> str:
    """File name of a segment."""
    return f"journal-{number:06d}.seg"


def segment_number(name: str) -> int | None:
    """Number of a segment by its file name; None for any other file."""
    digits = name.removeprefix("journal-").removesuffix(".seg")
    return (
        int(digits) if name == f"journal-{digits}.seg" and len(digits) >= 6 and digits.isdecimal() else None
    )


class Anchor(Struct, frozen=True, order=True):
    """A place in the chain, told outside: whoever holds it can see a missing tail or a rewritten chain."""

    index: int  # of the record; -1 is the place before the first
    hash_hex: str


class Place(Struct, frozen=True, kw_only=True):
    """Where a writer goes on: in which segment (of what size), at which byte, behind which record."""

    number: int
    size_bytes: int
    offset: int
    record_count: int
    last_hash: bytes


class Journal:
    """A decision journal, open for append (see ``recover.open_for_append``). Fulfils JournalPort."""

    __slots__ = (
        "_base",
        "_directory",
        "_encode",
        "_failed",
        "_files",
        "_first",
        "_framed_count",
        "_full_why",
        "_handle",
        "_hash",
        "_last_base",
        "_lock",
        "_mark",
        "_measured_bytes",
        "_number",
        "_pending",
        "_places_count",
        "_pos",
        "_reserve_bytes",
        "_room",
        "_segment_bytes",
        "_size",
        "_spare",
        "_synced",
        "_tries",
        "_unmeasured_base",
        "_unmeasured_max",
        "_unsynced_bytes",
        "account",
    )

    def __init__(
        self,
        directory: str,
        *,
        account: str,
        place: Place,
        lock: int,
        files: Files = REAL_FILES,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self.account = account
        self._directory = directory
        self._files = files
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._number = place.number
        self._size = place.size_bytes
        self._base = place.offset  # where in the segment the buffer's first byte belongs
        # appended, not yet framed; places where they differ: see the codec
        self._pending: list[Record | int] = []
        self._places_count = 0
        self._pos = 0  # where the last of them stands
        self._measured_bytes = 0
        self._framed_count = place.record_count
        self._hash = place.last_hash
        self._synced = (place.record_count - 1, place.last_hash)
        self._mark = AFTER_SYNC
        self._encode: Callable[[Record | list[Record | int]], bytes] = encode_record
        self._failed: str | None = None
        self._lock = lock
        self._first = files.open(self._path(0))
        self._handle = files.open(self._path(place.number))
        self._unsynced_bytes = 0
        self._full_why = ""
        self._tries = 0
        self._spare = -1
        # what a killed life wrote, also the header of this segment, is durable before another one stands behind it
        self.sync()
        self._mark_durable()
        self._spare = self._find_spare()
        self._measure()

    # --- the port -----------------------------------------------------------------------------------------------

    @property
    def record_count(self) -> int:
        """How many were appended."""
        return self._framed_count + len(self._pending) - self._places_count

    def append(self, record: Record, market_pos: int, *, urgent: bool = False) -> None:
        """Take one record, to be framed by the next write. ``urgent``: may use the reserve of a full disk.

        Raises JournalFull when only the reserve is left and the record is not urgent (the journal stays usable),
        JournalFailed when the disk refused (the journal is over).
        """
        pending = self._pending
        if len(pending) >= self._unmeasured_max:
            self._measure_record(record, urgent=urgent)
        if market_pos != self._pos:
            if pending:
                self._stand_at(market_pos)
            self._pos = market_pos
        pending.append(record)

    def write(self) -> int:
        """Chain everything appended as one frame, and hand it to the operating system in one write.

        Returns how many records are written.
        """
        pending = self._pending
        if not pending:
            if self._failed is not None:
                raise JournalFailed(self._failed)
            return self._framed_count
        payload = self._encode(pending)
        length = len(payload)
        if self._base + length > self._last_base:
            return self._write_apart()
        before = self._framed_count
        count = len(pending) - self._places_count
        frame = _pack(self._mark, length, crc32(payload), count, before, self._pos) + payload
        self._hash = digest = _chained(self._hash + frame).digest()
        frame += digest
        length = len(frame)
        try:
            if self._files.write(self._handle, frame, self._base) != length:
                write_all(self._files, self._handle, frame, self._base)  # it happens to write less: once more
        except OSError as error:
            raise self._fail("write", error) from error
        pending.clear()
        self._mark = PLAIN
        self._framed_count = before = before + count
        self._unsynced_bytes += length
        self._base = length = self._base + length
        if length > self._unmeasured_base or self._places_count:
            self._measured_bytes = self._places_count = 0
            self._measure()
        if self._unsynced_bytes > UNSYNCED_BYTES_MAX:
            self._sync_written()
        return before

    def sync(self) -> int:
        """Write, and wait until the disk has it. Returns how many records it has."""
        count = self.write()
        self._sync_written()
        return count

    def _sync_written(self) -> None:
        try:
            self._files.sync(self._handle)
        except OSError as error:
            raise self._fail("sync", error) from error
        self._mark = AFTER_SYNC
        self._unsynced_bytes = 0
        self._synced = (self._framed_count - 1, self._hash)

    def _stand_at(self, market_pos: int) -> None:
        """The next record stands elsewhere in the market log than those that wait: each place is named."""
        pending = self._pending
        if not self._places_count:
            pending.insert(0, self._pos)
            self._places_count = 1
        pending.append(market_pos)
        self._places_count += 1

    def _measure_record(self, record: Record, *, urgent: bool) -> None:
        """Be sure that there will be room for one more record, or say that there is none."""
        if self._unmeasured_max:
            self.write()  # enough of them wait
            if self._unmeasured_max:
                return
        length = len(self._encode(record)) + POSITION_BYTES_MAX
        if self._measured_bytes + length > self._room:
            self._make_room(length, urgent=urgent)
        if self._base > self._unmeasured_base:  # else a fresh segment begins, and nothing need be measured
            self._measured_bytes += length

    def _write_apart(self) -> int:
        """What waits unmeasured does not fit the segment: one by one into this and the next."""
        waiting, pos = self._pending[:], self._pos
        self._pending.clear()  # the list itself stays: whoever appends holds it
        self._places_count = self._unmeasured_max = 0
        for value in waiting:
            if type(value) is int:
                pos = value
                continue
            self._measure_record(value, urgent=True)  # type: ignore[arg-type] # what is no integer is a record
            self._pos = pos
            self._pending.append(value)
            self.write()
        return self._framed_count

    def close(self) -> None:
        """Sync, say in the header how far the journal goes, and close. Closing twice does nothing."""
        if self._handle < 0:
            return
        try:
            if self._failed is None:
                self.sync()
                self._mark_durable()
        finally:
            self._encode = self._refuse
            self._unmeasured_max = 0
            self._failed = self._failed or "the journal is closed"
            for handle in (self._first, self._handle, self._spare, self._lock):
                if handle >= 0:
                    self._files.close(handle)
            self._first = self._handle = self._spare = self._lock = -1

    # --- what the runtime watches -------------------------------------------------------------------------------

    def anchor(self) -> Anchor:
        """The last record that a power loss cannot take: fit to be told outside."""
        index, digest = self._synced
        return Anchor(index, digest.hex())

    def head(self) -> Anchor:
        """The last record written: what a snapshot of the state is a snapshot at. Nothing may be pending."""
        invariant(not self._pending, "a journal's head is of what is written", pending=len(self._pending))
        return Anchor(self.record_count - 1, self._hash.hex())

    @property
    def full(self) -> bool:
        """True while the next segment cannot be allocated: what remains is being used up."""
        return self._spare < 0

    @property
    def free_bytes(self) -> int:
        """Allocated and unused, the reserve included."""
        spare = self._segment_bytes - HEADER_BYTES if self._spare >= 0 else 0
        return self._size - self._base - self._measured_bytes + spare

    # --- room ---------------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        """How large what is pending may grow before somebody has to think, and whether it need be measured at all."""
        kept_bytes = self._reserve_bytes if self._spare < 0 else 0
        self._last_base = self._size - _AROUND_BYTES
        self._room = min(self._last_base - self._base - kept_bytes, BUFFER_BYTES_MAX)
        self._unmeasured_base = self._last_base - UNMEASURED_ROOM_BYTES if self._spare >= 0 else -1
        self._unmeasured_max = UNMEASURED_MAX if self._base <= self._unmeasured_base else 0

    def _fits(self, length: int, *, kept_bytes: int) -> bool:
        added = _AROUND_BYTES + length
        return self._base + self._measured_bytes + added + kept_bytes <= self._size

    def _make_room(self, length: int, *, urgent: bool) -> None:
        if length > min(PAYLOAD_BYTES_MAX, self._segment_bytes - HEADER_BYTES - _AROUND_BYTES):
            raise JournalFailed(f"a record of {length} bytes is larger than the journal takes")
        self.write()
        if self._spare < 0:
            self._spare = self._find_spare()
        if self._spare >= 0 and not self._fits(length, kept_bytes=0):
            self._rotate()
        self._measure()
        kept_bytes = 0 if urgent or self._spare >= 0 else self._reserve_bytes
        if not self._fits(length, kept_bytes=kept_bytes):
            raise JournalFull(
                f"{self._directory}: no space for the next segment of {self._segment_bytes} bytes"
                f" ({self._full_why}); {self.free_bytes} bytes are left, kept for getting flat"
            )

    def _rotate(self) -> None:
        """Go on in the spare. The old segment is durable first, so that a started segment proves its forerunner."""
        self.sync()
        header = Header(
            number=self._number + 1,
            first_index=self.record_count,
            account=self.account,
            hash_before=self._hash,
        )
        try:
            write_all(self._files, self._spare, pack_header(header), 0)
            self._files.sync(self._spare)
            self._files.close(self._handle)
        except OSError as error:
            raise self._fail("begin a segment", error) from error
        self._handle, self._spare = self._spare, -1
        self._number += 1
        self._size = self._segment_bytes
        self._base = HEADER_BYTES
        self._mark_durable()
        self._tries = 0
        self._spare = self._find_spare()

    def _find_spare(self) -> int:
        """Handle of the next segment, allocated and durable; −1 when the disk has no space for it."""
        self._tries += 1
        if self._tries % SPARE_TRIES != 1:
            return -1  # asking costs the disk something, and a full one is asked at every append
        name = segment_name(self._number + 1)
        handle, known = -1, True
        try:
            known = name in self._files.names(self._directory)
            handle = self._files.open(self._path(self._number + 1), create=not known)
            self._files.allocate(handle, self._segment_bytes)
            self._files.sync(handle)
            self._files.sync_dir(self._directory)
        except OSError as error:
            self._full_why = os.strerror(error.errno or 0)
            if handle >= 0:
                self._files.close(handle)
            if handle >= 0 and not known:
                # what was half allocated is worth more to the others. What stood there stays: more may stand behind it
                with suppress(OSError):
                    self._files.remove(self._path(self._number + 1))
            return -1
        return handle

    # --- the end ------------------------------------------------------------------------------------------------

    def _mark_durable(self) -> None:
        """Leave word that all up to here is on the disk: from now on a bad byte in it is rot, not a torn tail.

        The word stands in the first segment, so that the loss of the last one whole is seen as well.
        """
        offset, data = pack_mark(DurableMark(record_count=self.record_count, last_hash=self._hash))
        try:
            write_all(self._files, self._first, data, offset)
            self._files.sync(self._first)
        except OSError as error:
            raise self._fail("mark", error) from error

    def _fail(self, act: str, error: OSError) -> JournalFailed:
        self._failed = f"{self._path(self._number)}: cannot {act}: {os.strerror(error.errno or 0)}"
        self._encode = self._refuse
        self._unmeasured_max = 0
        return JournalFailed(self._failed)

    def _refuse(self, _: Record | list[Record | int]) -> bytes:
        raise JournalFailed(self._failed or "the journal is closed")

    def _path(self, number: int) -> str:
        return f"{self._directory}/{segment_name(number)}"
