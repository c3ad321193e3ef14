"""What a decision journal's bytes are: framing, chaining and the records inside.

A journal is a directory of preallocated segments ``journal-000000.seg``, ``journal-000001.seg``, …: a header of
256 bytes, then frames back to back, then zeros. A frame is what one write appended: it is there whole or not at all.

* frame: ``"HFR"``, a byte of flags, u32 payload length, u32 CRC-32 of the payload, u32 how many records, u64 index
  of the first of them (dense from 0), u64 market position of the last (frames in the market log before it), the
  payload, and 16 bytes of hash. Little endian.
* payload: a MessagePack array of ``Record`` (vocab/effects.py). Where they stand at several market positions, each
  is an integer before the records that stand there; else all stand where the last does.
* hash: BLAKE2b-128 of everything between the start of the previous hash and the end of the payload. Since that
  hash stands right before the frame, one slice of the file proves a frame, its place and its predecessor.
* flag ``AFTER_SYNC``: everything before this frame had reached the disk before this frame was written. It is
  how a reader tells rot (durable bytes gone bad) from a torn tail (bytes that never became durable).
* header: magic, version, sizes, segment number, first index, account, its own CRC, and as its last 16 bytes the
  hash of the record before the segment. In the first segment's header one mutable part, the durable mark: how many
  records of the journal are known to be on the disk, refreshed at open, at rotation and at close.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct as Layout
from typing import Final
from zlib import crc32

from msgspec import DecodeError, Struct, msgpack

from holdfast.ports.journal import JournalFailed
from holdfast.vocab.effects import Record

VERSION: Final = 2
HEADER_BYTES: Final = 256
HASH_BYTES: Final = 16
RECORD_START: Final = b"HFR"
PLAIN: Final = int.from_bytes(RECORD_START + b"\x00", "little")
AFTER_SYNC: Final = int.from_bytes(RECORD_START + b"\x01", "little")
# mark with flags, payload length, CRC-32 of the payload, records, index of the first, market position
FRAME: Final = Layout("<IIIIQQ")
FRAME_BYTES: Final = FRAME.size
OVERHEAD_BYTES: Final = FRAME_BYTES + HASH_BYTES
PAYLOAD_BYTES_MAX: Final = 16 << 20

_MAGIC: Final = b"HFJRNL\r\n"
_ACCOUNT_BYTES_MAX: Final = 120
_HEAD: Final = Layout(f"<8sHHIQQ{_ACCOUNT_BYTES_MAX}s")
_MARK_OFFSET: Final = 176
_MARK: Final = Layout("<Q16sI")
_CRC: Final = Layout("<I")
_CRC_OFFSET: Final = HEADER_BYTES - HASH_BYTES - _CRC.size

POSITION_BYTES_MAX: Final = 9  # of a market position among the records
ARRAY_BYTES_MAX: Final = 5  # of what says how many values an array has

encode_record: Final = msgpack.Encoder().encode
_decode_all: Final = msgpack.Decoder(list[int | Record]).decode


class CorruptJournal(JournalFailed):
    """Bytes that were durable are wrong or gone: no start from such a journal. One line names the place."""

    def __init__(self, segment: str, index: int, offset: int, what: str) -> None:
        self.segment = segment
        self.index = index
        self.offset = offset
        self.what = what
        super().__init__(f"{segment}: record {index} at byte {offset}: {what}")


class Header(Struct, frozen=True, kw_only=True):
    """The fixed part of a segment's header. ``hash_before`` chains it to the record before ``first_index``."""

    number: int
    first_index: int
    account: str
    hash_before: bytes


class DurableMark(Struct, frozen=True, kw_only=True):
    """So many records were on the disk when this was written, and the hash of the last of them."""

    record_count: int
    last_hash: bytes


def genesis(account: str) -> bytes:
    """The hash before the first record of an account's journal."""
    return blake2b(_MAGIC + account.encode(), digest_size=HASH_BYTES).digest()


def pack_header(header: Header) -> bytes:
    """The 256 bytes at the start of a segment, without a durable mark.

    Errors: ValueError when the account's name is longer than 120 bytes.
    """
    account = header.account.encode()
    if len(account) > _ACCOUNT_BYTES_MAX:
        raise ValueError(f"the account's name is longer than {_ACCOUNT_BYTES_MAX} bytes: {header.account!r}")
    head = _HEAD.pack(_MAGIC, VERSION, HEADER_BYTES, 0, header.number, header.first_index, account)
    crc = crc32(header.hash_before, crc32(head))
    gap = bytes(_CRC_OFFSET - len(head))
    return head + gap + _CRC.pack(crc) + header.hash_before


def unpack_header(data: bytes) -> Header | str:
    """The header at the start of ``data``, or one line on what is wrong with it."""
    if len(data) < HEADER_BYTES:
        return f"{len(data)} bytes are less than a header"
    magic, version, header_bytes, _, number, first_index, account = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        return "not a segment of a decision journal"
    if version != VERSION or header_bytes != HEADER_BYTES:
        return f"format version {version}, this build reads version {VERSION}"
    hash_before = data[HEADER_BYTES - HASH_BYTES : HEADER_BYTES]
    (crc,) = _CRC.unpack_from(data, _CRC_OFFSET)
    if crc != crc32(hash_before, crc32(data[: _HEAD.size])):
        return "the header's checksum does not match it"
    if any(data[_HEAD.size : _MARK_OFFSET]) or any(data[_MARK_OFFSET + _MARK.size : _CRC_OFFSET]):
        return "bytes of the header that must be zero are not"
    return Header(
        number=number,
        first_index=first_index,
        account=account.rstrip(b"\0").decode(errors="replace"),
        hash_before=hash_before,
    )


def pack_mark(mark: DurableMark) -> tuple[int, bytes]:
    """Where in a segment the durable mark goes, and its bytes."""
    crc = crc32(mark.record_count.to_bytes(8, "little") + mark.last_hash)
    return _MARK_OFFSET, _MARK.pack(mark.record_count, mark.last_hash, crc)


def unpack_mark(data: bytes) -> DurableMark | str | None:
    """The durable mark of a segment; None where none was written yet; else what is wrong with it."""
    record_count, last_hash, crc = _MARK.unpack_from(data, _MARK_OFFSET)
    if not any(data[_MARK_OFFSET : _MARK_OFFSET + _MARK.size]):
        return None
    if crc != crc32(record_count.to_bytes(8, "little") + last_hash):
        return "the durable mark's checksum does not match it"
    return DurableMark(record_count=record_count, last_hash=last_hash)


def split_records(payload: bytes | memoryview, market_pos: int) -> list[tuple[int, Record]]:
    """The records of a payload, each with its market position; ``market_pos``: the frame's own.

    Errors: ValueError when there is one that this build does not know.
    """
    try:
        values = _decode_all(payload)
    except DecodeError as error:
        raise ValueError(f"not a record that this build knows: {error}") from None
    found: list[tuple[int, Record]] = []
    for value in values:
        if type(value) is int:
            market_pos = value
        else:
            found.append((market_pos, value))  # type: ignore[arg-type] # what is no integer is a record
    return found
