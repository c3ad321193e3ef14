"""Reading a decision journal: every frame proven, none skipped.

Two kinds of damage, told apart by whether the damaged bytes had been on the disk: rot, or anything missing before
such bytes, is ``CorruptJournal``; a **tail** that no later sync vouches for is torn: it is reported, and cut only
by ``recover.open_for_append``. A chain alone cannot see whole records missing at its end: anchors can.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final
from zlib import crc32

from msgspec import Struct

from holdfast.journal.codec import (
    AFTER_SYNC,
    FRAME,
    FRAME_BYTES,
    HASH_BYTES,
    HEADER_BYTES,
    OVERHEAD_BYTES,
    PLAIN,
    RECORD_START,
    CorruptJournal,
    Header,
    genesis,
    split_records,
    unpack_header,
    unpack_mark,
)
from holdfast.journal.files import REAL_FILES, Files
from holdfast.journal.segments import Anchor, Place, segment_name, segment_number
from holdfast.ports.journal import JournalFailed
from holdfast.vocab.effects import Record

_unpack = FRAME.unpack_from
_ZEROS: Final = bytes(1 << 20)
_MARKS: Final = frozenset((PLAIN, AFTER_SYNC))
_NOWHERE: Final = 1 << 64


class Tail(Struct, frozen=True, kw_only=True):
    """Bytes at the end that are no whole record, behind the last good one (``last_index`` −1: behind none)."""

    segment: str
    offset: int
    cut_bytes: int
    last_index: int
    last_hash_hex: str
    why: str


class Bad(Struct, frozen=True, kw_only=True):
    """The first place where the journal is not what was written."""

    segment: str
    index: int
    offset: int
    what: str


class AnchorFault(Struct, frozen=True, kw_only=True):
    """What was told outside and what the journal says differ: the tail is missing, or the chain was rewritten."""

    anchor: Anchor
    what: str


class VerifyReport(Struct, frozen=True, kw_only=True):
    """What a reader found. ``record_count``: proven records, from the first one on."""

    record_count: int
    segment_count: int
    last: Anchor
    account: str
    first_bad: Bad | None = None
    tail: Tail | None = None
    anchor_faults: tuple[AnchorFault, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing bad, and every anchor found. A torn tail alone is not bad: the writer may be at work."""
        return self.first_bad is None and not self.anchor_faults


class Chain:
    """One pass over a journal; iterate ``records`` to its end, then read what it found."""

    def __init__(
        self,
        directory: str,
        *,
        from_index: int = 0,
        whole: bool = True,
        wanted: Iterable[int] = (),
        files: Files = REAL_FILES,
    ) -> None:
        """``wanted``: indices whose hashes to keep. Without ``whole`` the pass begins at the segment that holds
        ``from_index``, trusting its header: only right after a whole pass.
        """
        self.record_count = 0
        self.segment_count = 0
        self.account = ""
        self.last_hash = b""
        self.market_pos = 0
        self.hashes: dict[int, bytes] = {}
        self.tail: Tail | None = None
        self.mark_fault: Bad | None = None
        self.place: Place | None = None  # where a writer may go on; None when there is no journal yet
        self._directory = directory
        self._files = files
        self._from_index = from_index
        self._whole = whole
        self._wanted = sorted(index for index in set(wanted) if index >= 0)
        self._stop = 0
        self._durable_count = 0

    def records(self) -> Iterator[tuple[int, int, Record]]:
        """(index, market_pos, record) of each record from ``from_index`` on.

        Raises CorruptJournal naming the place, JournalFailed when the disk cannot be read.
        """
        numbers = self._numbers()
        for at, number in enumerate(numbers):
            name = segment_name(number)
            data = self._read(name)
            header = unpack_header(data)
            if isinstance(header, str):
                self._unstarted(name, number, data, header, later=numbers[at + 1 :])
                return
            self._begin(name, number, header)
            self._read_mark(name, number, data)
            yield from self._frames(name, data)
            self._end(name, number, data, last=not self._started(numbers[at + 1 :]))
            self.segment_count += 1

    def prove(self) -> int:
        """Read to the end without looking into frames. Returns the last record's market position (0: none)."""
        self._from_index = _NOWHERE
        deque(self.records(), maxlen=0)
        return self.market_pos

    # --- segments -----------------------------------------------------------------------------------------------

    def _numbers(self) -> list[int]:
        try:
            names = self._files.names(self._directory)
        except OSError as error:
            raise JournalFailed(f"{self._directory}: cannot list: {os.strerror(error.errno or 0)}") from error
        numbers = [number for name in names if (number := segment_number(name)) is not None]
        for expected, number in enumerate(numbers):
            if number != expected:
                raise CorruptJournal(
                    segment_name(expected), -1, 0, "the segment is missing, and later ones exist"
                )
        return numbers if self._whole else numbers[self._first_needed(numbers) :]

    def _first_needed(self, numbers: list[int]) -> int:
        needed = 0
        for number in numbers:
            header = unpack_header(self._read(segment_name(number), HEADER_BYTES))
            if isinstance(header, str) or header.first_index > self._from_index:
                break
            needed = number
        return needed

    def _read(self, name: str, length: int = -1) -> bytes:
        try:
            return self._files.read(f"{self._directory}/{name}", 0, length)
        except OSError as error:
            raise JournalFailed(
                f"{self._directory}/{name}: cannot read: {os.strerror(error.errno or 0)}"
            ) from error

    def _started(self, later: list[int]) -> bool:
        return any(any(self._read(segment_name(number), HEADER_BYTES)) for number in later)

    def _begin(self, name: str, number: int, header: Header) -> None:
        if number == 0 or (not self._whole and self.segment_count == 0):
            self.account = header.account
            self.record_count = header.first_index
            self.last_hash = header.hash_before
            if number == 0 and (header.hash_before != genesis(header.account) or header.first_index):
                raise CorruptJournal(name, 0, 0, "the header does not begin a journal of its account")
        if header.number != number:
            raise CorruptJournal(name, self.record_count, 0, f"the header calls it segment {header.number}")
        if header.account != self.account:
            raise CorruptJournal(
                name, self.record_count, 0, f"belongs to another account, {header.account!r}"
            )
        if header.first_index != self.record_count:
            what = f"begins with record {header.first_index}: those before it are missing"
            raise CorruptJournal(name, self.record_count, 0, what)
        if header.hash_before != self.last_hash:
            raise CorruptJournal(name, self.record_count, 0, "does not follow from the segment before it")

    def _unstarted(self, name: str, number: int, data: bytes, what: str, *, later: list[int]) -> None:
        """A segment without a valid header: the spare, or one whose beginning tore; nothing may follow either."""
        if self._started(later) or _whole_after(data, 0, self.record_count, durable_only=False):
            raise CorruptJournal(name, self.record_count, 0, what)
        self._hold_to_mark(name, 0, what)
        left = _used(data, 0)
        if left:
            self._set_tail(name, 0, left, what)
        if number == 0:
            self.place = Place(
                number=number,
                size_bytes=len(data),
                offset=0,
                record_count=self.record_count,
                last_hash=self.last_hash,
            )

    # --- frames -------------------------------------------------------------------------------------------------

    def _frames(self, name: str, data: bytes) -> Iterator[tuple[int, int, Record]]:
        view = memoryview(data)
        size = len(data) - HASH_BYTES
        from_index, expected, pos = self._from_index, self.record_count, HEADER_BYTES
        market_pos = self.market_pos
        wanted = iter([index for index in self._wanted if index >= expected])
        want = next(wanted, _NOWHERE)
        while pos + FRAME_BYTES <= size:
            mark, length, _, count, index, frames = _unpack(data, pos)
            body = pos + FRAME_BYTES
            end = body + length
            if mark not in _MARKS or index != expected or count == 0 or end > size:
                break
            digest = blake2b(view[pos - HASH_BYTES : end], digest_size=HASH_BYTES).digest()
            if data[end : end + HASH_BYTES] != digest:
                break
            began, pos = pos, end + HASH_BYTES
            expected += count
            market_pos = frames
            while want < expected:
                # one stands behind the last record of a frame, and nowhere else
                self.hashes[want] = digest if want == expected - 1 else b""
                want = next(wanted, _NOWHERE)
            if expected > from_index:
                yield from self._records(name, began, index, count, frames, view[body:end])
        if expected > self.record_count:
            self.last_hash = data[pos - HASH_BYTES : pos]
        self.record_count, self.market_pos = expected, market_pos
        self._stop = pos

    def _records(
        self, name: str, began: int, index: int, count: int, market_pos: int, payload: memoryview
    ) -> Iterator[tuple[int, int, Record]]:
        try:
            found = split_records(payload, market_pos)
        except ValueError as error:
            raise CorruptJournal(name, index, began, str(error)) from error
        if len(found) != count:
            raise CorruptJournal(name, index, began, f"the frame holds {len(found)} records and says {count}")
        for number, (stands, record) in enumerate(found, index):
            if number >= self._from_index:
                yield number, stands, record

    def _end(self, name: str, number: int, data: bytes, *, last: bool) -> None:
        """Judge what stands behind the last good record of a segment."""
        pos = self._stop
        left = _used(data, pos)
        why = _fault(data, pos, self.record_count) if left else ""
        # a begun successor proves that all of this one had been on the disk; its header tells whether some is missing
        if left and (not last or _whole_after(data, pos, self.record_count, durable_only=True)):
            raise CorruptJournal(name, self.record_count, pos, why)
        if last:
            self._hold_to_mark(name, pos, why)
        if left:
            self._set_tail(name, pos, left, why)
        self.place = Place(
            number=number,
            size_bytes=len(data),
            offset=pos,
            record_count=self.record_count,
            last_hash=self.last_hash,
        )

    def _read_mark(self, name: str, number: int, data: bytes) -> None:
        mark = unpack_mark(data)
        if mark is not None and number:
            mark = "a durable mark stands where none belongs"
        if isinstance(mark, str):
            self.mark_fault = Bad(segment=name, index=0, offset=0, what=mark)
        elif mark is not None:
            self._durable_count = mark.record_count

    def _hold_to_mark(self, name: str, pos: int, why: str) -> None:
        if self._durable_count > self.record_count:
            what = f"{why or 'the records end here'}, and {self._durable_count} had been on the disk"
            raise CorruptJournal(name, self.record_count, pos, what)

    def _set_tail(self, name: str, offset: int, cut_bytes: int, why: str) -> None:
        self.tail = Tail(
            segment=name,
            offset=offset,
            cut_bytes=cut_bytes,
            last_index=self.record_count - 1,
            last_hash_hex=self.last_hash.hex(),
            why=why,
        )


def _used(data: bytes, pos: int) -> int:
    """How many bytes from ``pos`` up to the last one that is not zero."""
    end = len(data)
    while end > pos:
        start = max(pos, end - len(_ZEROS))
        block = data[start:end]
        if block != _ZEROS[: end - start]:
            return start - pos + len(block.rstrip(b"\0"))
        end = start
    return 0


def _fault(data: bytes, pos: int, expected: int) -> str:
    """What is wrong with the frame at ``pos``, in one line."""
    if pos + OVERHEAD_BYTES > len(data):
        return "the file ends within the frame"
    mark, length, crc, _, index, _ = _unpack(data, pos)
    if mark not in _MARKS:
        return "no frame begins here"
    if index != expected:
        return f"the frame here begins with record {index}"
    end = pos + FRAME_BYTES + length
    if end + HASH_BYTES > len(data):
        return f"its length of {length} bytes leads beyond the end of the file"
    if crc32(data[pos + FRAME_BYTES : end]) != crc:
        return "the payload's checksum does not match it"
    return "the frame's hash does not follow from the frame before it"


def _whole_after(data: bytes, pos: int, expected: int, *, durable_only: bool) -> bool:
    """Whether a frame that is whole by its checksum stands behind a bad one at ``pos``.

    ``durable_only``: one that was written when everything before it was already on the disk.
    """
    while (pos := data.find(RECORD_START, pos + 1)) >= 0:
        if pos + OVERHEAD_BYTES > len(data):
            continue
        mark, length, crc, _, index, _ = _unpack(data, pos)
        body = pos + FRAME_BYTES
        end = body + length
        if mark not in _MARKS or index < expected or end + HASH_BYTES > len(data):
            continue
        if crc32(data[body:end]) != crc:
            continue
        if mark == AFTER_SYNC or not durable_only:
            return True
        pos = end + HASH_BYTES - 1
    return False


def iterate(
    directory: str, from_index: int = 0, *, whole: bool = True, files: Files = REAL_FILES
) -> Iterator[tuple[int, int, Record]]:
    """(index, market_pos, record) from ``from_index`` on; the whole chain is proven on the way.

    Raises CorruptJournal, JournalFailed. A torn tail ends it. Without ``whole``: see ``Chain``.
    """
    return Chain(directory, from_index=from_index, whole=whole, files=files).records()


def verify(directory: str, *, anchors: Iterable[Anchor] = (), files: Files = REAL_FILES) -> VerifyReport:
    """Prove a journal from its first record to its last, and hold it against what was told outside.

    Raises JournalFailed when it cannot be read at all.
    """
    told = tuple(anchors)
    chain = Chain(directory, wanted=(anchor.index for anchor in told), files=files)
    bad = None
    try:
        chain.prove()
    except CorruptJournal as error:
        bad = Bad(segment=error.segment, index=error.index, offset=error.offset, what=error.what)
    return VerifyReport(
        record_count=chain.record_count,
        segment_count=chain.segment_count,
        last=Anchor(chain.record_count - 1, chain.last_hash.hex()),
        account=chain.account,
        first_bad=bad or chain.mark_fault,
        tail=chain.tail,
        anchor_faults=anchor_faults(chain, told),
    )


def anchor_faults(chain: Chain, anchors: Iterable[Anchor]) -> tuple[AnchorFault, ...]:
    """What a proven chain and the places told outside disagree on. The pass must have wanted their indices."""
    faults = ((anchor, _anchor_fault(chain, anchor)) for anchor in sorted(anchors))
    return tuple(AnchorFault(anchor=anchor, what=what) for anchor, what in faults if what)


def _anchor_fault(chain: Chain, anchor: Anchor) -> str:
    if anchor.index < 0:
        return ""
    found = chain.hashes.get(anchor.index)
    if found is None:
        return f"record {anchor.index} is missing: the journal ends with record {chain.record_count - 1}"
    if found.hex() != anchor.hash_hex:
        return f"record {anchor.index} is not the one that was anchored: the chain was rewritten"
    return ""
