"""The market log: raw frames with their receive times, in compressed blocks, chained by hash and not synced.

Files ``market-<first position>.log``: a header, then blocks back to back.

* header: magic, version, first position and a CRC-32 of these; the feeds' codecs (NUL separated), a CRC-32 of all
  before it and of the hash before, which follows.
* block: ``"HFMB"`` or ``"HFME"``, u32 frames, u32 body bytes, u32 packed bytes, u64 first position, u32 CRC-32 of
  these, the packed body, 16 bytes of hash. Little endian.
* body, packed with zstd: feed of each frame (u8), length (u32), change of mono_ns (i64), change of
  wall_ns − mono_ns (i64), then the frames' bytes. Behind ``"HFME"`` instead: MessagePack of every wall_ns, every
  mono_ns and every event, three lists, all of the first feed.
* hash: BLAKE2b-128 of the 16 bytes of hash before the block, its head and its packed body.

A position is never handed out twice: what could not be written, or was lost in a crash, leaves a gap that a reader
reports. Frames are evidence, not decisions: a disk that refuses them is counted, and never stops trading by itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from operator import attrgetter, sub
from struct import Struct as Layout
from struct import pack, pack_into
from typing import Final
from zlib import crc32

import zstandard
from msgspec import Struct, msgpack

from holdfast.journal.files import REAL_FILES, Files, write_all
from holdfast.ports.journal import JournalFailed, Stamped
from holdfast.vocab.invariant import invariant

BLOCK_BYTES: Final = 256 << 10  # of raw frames
BLOCK_NS: Final = 1_000_000_000
LOOK_EVERY_FRAMES: Final = 64
BLOCK_EVENTS: Final = 4_096
PACK_LEVEL: Final = -3  # half the time of level 1 for one and a half times its size
FILE_BYTES: Final = 64 << 20
RETENTION_BYTES: Final = 20 << 30
FEEDS_MAX: Final = 255

VERSION: Final = 1
HASH_BYTES: Final = 16
BLOCK_START: Final = b"HFMB"
EVENTS_START: Final = b"HFME"
BLOCK: Final = Layout("<4sIIIQ")  # marker, frames, body bytes, packed bytes, first position
CRC: Final = Layout("<I")
BLOCK_HEAD_BYTES: Final = BLOCK.size + CRC.size
_MAGIC: Final = b"HFMLOG\r\n"
_HEAD: Final = Layout("<8sHHIQ")  # magic, version, reserved, bytes of codecs, first position; then its CRC-32
_WALL: Final = attrgetter("wall_ns")
_MONO: Final = attrgetter("mono_ns")
_encode: Final = msgpack.Encoder().encode
_GENESIS: Final = blake2b(_MAGIC, digest_size=HASH_BYTES).digest()


class FileHeader(Struct, frozen=True, kw_only=True):
    """What a file of the log says of itself. ``length``: where its first block begins."""

    first_pos: int
    codecs: tuple[str, ...]
    hash_before: bytes
    length: int


class BlockHeader(Struct, frozen=True, kw_only=True):
    """What a block says of itself. ``events``: they were encoded together, and not one by one as frames."""

    events: bool
    frame_count: int
    body_bytes: int
    packed_bytes: int
    first_pos: int

    @property
    def block_bytes(self) -> int:
        """Head, packed body and hash."""
        return BLOCK_HEAD_BYTES + self.packed_bytes + HASH_BYTES


def file_name(first_pos: int) -> str:
    """Name of the file that begins with this position."""
    return f"market-{first_pos:020d}.log"


def file_names(directory: str, files: Files) -> list[str]:
    """The log's files, oldest first. Raises OSError."""
    return [name for name in files.names(directory) if name.startswith("market-") and name.endswith(".log")]


def pack_file_header(*, first_pos: int, codecs: Sequence[str], hash_before: bytes) -> bytes:
    """The bytes at the start of a file."""
    table = "\0".join(codecs).encode()
    head = _HEAD.pack(_MAGIC, VERSION, 0, len(table), first_pos)
    head += CRC.pack(crc32(head)) + table
    return head + CRC.pack(crc32(hash_before, crc32(head))) + hash_before


def unpack_file_header(data: bytes) -> FileHeader | str | None:
    """The header at the start of a file; None where the file ends within it; else what is wrong with it."""
    start = _HEAD.size + CRC.size
    if len(data) < start:
        return None
    magic, version, _, table_bytes, first_pos = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        return "not a file of a market log"
    if version != VERSION:
        return f"format version {version}, this build reads version {VERSION}"
    if CRC.unpack_from(data, _HEAD.size) != (crc32(data[: _HEAD.size]),):
        return "the header's checksum does not match it"
    end = start + table_bytes
    if end + CRC.size + HASH_BYTES > len(data):
        return None
    hash_before = data[end + CRC.size : end + CRC.size + HASH_BYTES]
    if CRC.unpack_from(data, end) != (crc32(hash_before, crc32(data[:end])),):
        return "the header's checksum does not match it"
    return FileHeader(
        first_pos=first_pos,
        codecs=tuple(data[start:end].decode().split("\0")),
        hash_before=hash_before,
        length=end + CRC.size + HASH_BYTES,
    )


def unpack_block_header(data: bytes, pos: int) -> BlockHeader | str | None:
    """The block header at ``pos``; None where the file ends within it; else what is wrong with it."""
    if pos + BLOCK_HEAD_BYTES > len(data):
        return None
    marker, frame_count, body_bytes, packed_bytes, first_pos = BLOCK.unpack_from(data, pos)
    (crc,) = CRC.unpack_from(data, pos + BLOCK.size)
    if marker not in (BLOCK_START, EVENTS_START):
        return "no block begins here"
    if crc32(data[pos : pos + BLOCK.size]) != crc:
        return "the block header's checksum does not match it"
    return BlockHeader(
        events=marker == EVENTS_START,
        frame_count=frame_count,
        body_bytes=body_bytes,
        packed_bytes=packed_bytes,
        first_pos=first_pos,
    )


class MarketLog:
    """A market log, open for append (see ``open_market_log``). Fulfils MarketLogPort."""

    __slots__ = (
        "_block_bytes",
        "_block_ns",
        "_codecs",
        "_compress",
        "_directory",
        "_due_mono_ns",
        "_events",
        "_file_bytes",
        "_files",
        "_first_pos",
        "_handle",
        "_hash",
        "_left",
        "_look_every",
        "_name",
        "_offset",
        "_pending_bytes",
        "_raws",
        "_retention_bytes",
        "_runs",
        "_summed",
        "fault",
        "frame_count",
        "lost_count",
    )

    def __init__(
        self,
        directory: str,
        *,
        codecs: Sequence[str],
        next_pos: int,
        hash_before: bytes,
        files: Files,
        block_bytes: int,
        block_ns: int,
        file_bytes: int,
        retention_bytes: int,
    ) -> None:
        self.frame_count = next_pos
        self.lost_count = 0  # frames that the disk refused since the start
        self.fault = ""  # why, the last time; empty while all is well
        self._directory = directory
        self._codecs = tuple(codecs)
        self._files = files
        self._block_bytes = block_bytes
        self._block_ns = block_ns
        self._file_bytes = file_bytes
        self._retention_bytes = retention_bytes
        self._hash = hash_before
        self._compress = zstandard.ZstdCompressor(level=PACK_LEVEL).compress
        self._handle = -1
        self._name = ""
        self._offset = 0
        self._raws: list[bytes] = []
        self._events: list[Stamped] = []
        self._runs: list[int] = []  # where a run of equal stamps begins in it, and the stamps: four each
        self._first_pos = next_pos
        # Sizes are summed for so many frames at once: a sum at each one costs as much as keeping it.
        self._look_every = max(1, min(LOOK_EVERY_FRAMES, block_bytes // 4096))
        self._left = 0
        self._pending_bytes = 0
        self._summed = 0
        self._due_mono_ns = 0

    def extend(self, raws: Sequence[bytes], wall_ns: int, mono_ns: int, feed: int = 0) -> None:
        """Add the frames of one read, in their order; the first one's position is ``frame_count`` before the call.

        Their stamps are kept once. ``feed``: index into the codecs.
        """
        if not raws:
            return
        if self._events:
            self.flush()
        self._runs += (len(self._raws), wall_ns, mono_ns, feed)
        self._raws += raws
        self.frame_count += len(raws)
        self._left -= len(raws)
        if self._left < 0 or mono_ns > self._due_mono_ns:
            self._look(mono_ns)

    def each(self, events: Sequence[Stamped]) -> None:
        """Add events as they are, in their order, of the first feed: they are encoded a block at a time."""
        if not events:
            return
        if self._raws:
            self.flush()  # a block is of frames or of events
        self._events += events
        self.frame_count += len(events)
        last_ns = events[-1].mono_ns
        if len(self._events) >= BLOCK_EVENTS or last_ns > self._due_mono_ns:
            if last_ns > self._due_mono_ns:
                self._due_mono_ns = last_ns + self._block_ns
            self.flush()

    def _look(self, mono_ns: int) -> None:
        """Flush what is full or old enough. The first frame of a block starts its second."""
        raws = self._raws
        self._pending_bytes += sum(map(len, raws[self._summed :]))
        self._summed = len(raws)
        self._left = self._look_every - 1
        if self._pending_bytes > self._block_bytes or (mono_ns > self._due_mono_ns and len(raws) > 1):
            self.flush()
            self._due_mono_ns = mono_ns + self._block_ns
        elif mono_ns > self._due_mono_ns:
            self._due_mono_ns = mono_ns + self._block_ns

    def flush(self) -> None:
        """Write the open block out. What the disk refuses is counted in ``lost_count``, with ``fault``."""
        raws, runs, events, first_pos = self._raws, self._runs, self._events, self._first_pos
        self._raws, self._runs, self._events, self._first_pos = [], [], [], self.frame_count
        self._pending_bytes = self._summed = 0
        if raws:
            self._write(BLOCK_START, len(raws), self._body(raws, runs), first_pos)
        elif events:
            stamps = [list(map(_WALL, events)), list(map(_MONO, events))]
            self._write(EVENTS_START, len(events), _encode([*stamps, events]), first_pos)

    def _write(self, marker: bytes, count: int, body: bytes, first_pos: int) -> None:
        packed = self._compress(body)
        head = BLOCK.pack(marker, count, len(body), len(packed), first_pos)
        head += CRC.pack(crc32(head))
        try:
            if self._handle >= 0 and self._offset + len(head) + len(packed) > self._file_bytes:
                self._end_file()
            start = b"" if self._handle >= 0 else self._begin_file(first_pos)
            digest = blake2b(self._hash + head + packed, digest_size=HASH_BYTES).digest()
            block = b"".join((start, head, packed, digest))
            write_all(self._files, self._handle, block, self._offset)
        except OSError as error:
            self._give_up(error)
            self.lost_count += count
            return
        self._offset += len(block)
        self._hash = digest
        self.fault = ""

    def close(self) -> None:
        """Flush and close. Closing twice does nothing."""
        self.flush()
        if self._handle >= 0:
            self._end_file()

    def _body(self, raws: list[bytes], runs: list[int]) -> bytes:
        count = len(raws)
        starts, walls, monos, feeds = runs[0::4], runs[1::4], runs[2::4], runs[3::4]
        invariant(
            max(feeds) < len(self._codecs),
            "a frame names a feed that the log was opened with",
            feeds=len(self._codecs),
        )
        skews = list(map(sub, walls, monos))
        return b"".join(
            (
                _each(feeds, starts, count),
                pack(f"<{count}I", *map(len, raws)),
                _changes(monos, starts, count),
                _changes(skews, starts, count),
                *raws,
            )
        )

    def _begin_file(self, first_pos: int) -> bytes:
        """Create the next file; its header goes out with its first block. Raises OSError."""
        self._name = f"{self._directory}/{file_name(first_pos)}"
        self._handle = self._files.open(self._name, create=True)
        self._offset = 0
        self._retain()
        return pack_file_header(first_pos=first_pos, codecs=self._codecs, hash_before=self._hash)

    def _end_file(self) -> None:
        handle, self._handle = self._handle, -1
        self._files.close(handle)

    def _give_up(self, error: OSError) -> None:
        """Go on in a new file: what a failed write left behind ends this one, and a reader knows."""
        self.fault = f"{self._name}: {os.strerror(error.errno or 0)}"
        if self._handle >= 0:
            with suppress(OSError):
                self._end_file()
            if self._offset == 0:
                with suppress(OSError):  # nothing of worth is in it
                    self._files.remove(self._name)

    def _retain(self) -> None:
        """Drop the oldest files until the rest is within the retention size; the newest always stays."""
        with suppress(OSError):  # tried again at the next file; a frame is worth more than tidiness
            names = file_names(self._directory, self._files)
            sizes = [self._files.size(f"{self._directory}/{name}") for name in names]
            total = sum(sizes) + self._file_bytes
            for name, size in zip(names[:-1], sizes, strict=False):
                if total <= self._retention_bytes:
                    break
                self._files.remove(f"{self._directory}/{name}")
                total -= size


def _each(feeds: list[int], starts: list[int], count: int) -> bytes:
    """The feed of each of ``count`` frames, a byte each."""
    if len(starts) == count:
        return bytes(feeds)
    ends = [*starts[1:], count]
    return b"".join(
        [bytes((feed,)) * (end - start) for feed, start, end in zip(feeds, starts, ends, strict=True)]
    )


def _changes(stamps: list[int], starts: list[int], count: int) -> bytes | bytearray:
    """The stamp of each of ``count`` frames as its change (i64) from the one before: none within a run."""
    changes = map(sub, stamps, [0, *stamps])
    if len(starts) == count:
        return pack(f"<{count}q", *changes)
    packed = bytearray(8 * count)
    for start, change in zip(starts, changes, strict=False):
        pack_into("<q", packed, 8 * start, change)
    return packed


def open_market_log(
    directory: str,
    *,
    codecs: Sequence[str],
    next_pos_min: int = 0,
    files: Files = REAL_FILES,
    block_bytes: int = BLOCK_BYTES,
    block_ns: int = BLOCK_NS,
    file_bytes: int = FILE_BYTES,
    retention_bytes: int = RETENTION_BYTES,
) -> MarketLog:
    """Create or continue a market log. ``codecs``: the decoder of each feed, in the order of their numbers.

    ``next_pos_min``: the journal's last market position, so that frames lost in a crash leave a gap and their
    positions are not given to others. What an earlier process left is not touched. Raises JournalFailed.
    """
    if not 0 < len(codecs) <= FEEDS_MAX or any("\0" in codec or not codec for codec in codecs):
        raise ValueError(f"between 1 and {FEEDS_MAX} codecs with names are needed: {codecs!r}")
    try:
        files.make_dir(directory)
        next_pos, hash_before = _resume(directory, files, tidy=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise JournalFailed(f"{directory}: cannot open the market log: {why}") from error
    return MarketLog(
        directory,
        codecs=codecs,
        next_pos=max(next_pos, next_pos_min),
        hash_before=hash_before,
        files=files,
        block_bytes=block_bytes,
        block_ns=block_ns,
        file_bytes=file_bytes,
        retention_bytes=retention_bytes,
    )


def end_of_log(directory: str, *, files: Files = REAL_FILES) -> int:
    """The position behind the last frame of a log that nobody writes. Errors: JournalFailed."""
    try:
        return _resume(directory, files, tidy=False)[0]
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise JournalFailed(f"{directory}: cannot read the market log: {why}") from error


def _first_block(data: bytes) -> int:
    """Where the first block begins in a file whose header is not readable; -1: nowhere."""
    return min((at for at in map(data.find, (BLOCK_START, EVENTS_START)) if at >= 0), default=-1)


def _resume(directory: str, files: Files, *, tidy: bool) -> tuple[int, bytes]:
    """Position and hash behind the last whole block. ``tidy``: a newest file without any goes out of the way."""
    for name in reversed(file_names(directory, files)):
        data = files.read(f"{directory}/{name}")
        header = unpack_file_header(data)
        pos = header.length if isinstance(header, FileHeader) else _first_block(data)
        next_pos = -1
        while pos >= 0 and isinstance(block := unpack_block_header(data, pos), BlockHeader):
            if pos + block.block_bytes > len(data):
                break
            next_pos = block.first_pos + block.frame_count
            pos += block.block_bytes
        if next_pos >= 0:
            return next_pos, data[pos - HASH_BYTES : pos]
        if tidy and any(data[header.length if isinstance(header, FileHeader) else 0 :]):
            files.rename(
                f"{directory}/{name}", f"{directory}/{name}.damaged"
            )  # evidence, whoever can read it
        elif tidy:
            files.remove(f"{directory}/{name}")
    return 0, _GENESIS
