"""Reading a market log back: every block proven before a frame of it is handed out.

A byte that is not what was written is an error with the file and the block; frames that are not there (lost in a
crash, refused by the disk, dropped by retention) are reported as missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import accumulate, pairwise, repeat
from operator import add
from struct import unpack_from

import zstandard
from msgspec import DecodeError, Raw, Struct, msgpack

from holdfast.journal.files import REAL_FILES, Files
from holdfast.journal.market_log import (
    BLOCK_HEAD_BYTES,
    HASH_BYTES,
    BlockHeader,
    FileHeader,
    file_names,
    unpack_block_header,
    unpack_file_header,
)
from holdfast.ports.journal import JournalFailed

_PER_FRAME_BYTES = 1 + 4 + 8 + 8  # feed, length, change of mono_ns, change of wall_ns − mono_ns

_events_of = msgpack.Decoder(tuple[list[int], list[int], list[Raw]]).decode

Frame = tuple[int, str, bytes, int, int]
"""(position, codec, raw, wall_ns, mono_ns)"""


class CorruptMarketLog(JournalFailed):
    """Bytes of a market log are not what was written. One line names file and block."""

    def __init__(self, file: str, block: int, what: str) -> None:
        self.file = file
        self.block = block
        self.what = what
        super().__init__(f"{file}: block {block}: {what}")


class Missing(Struct, frozen=True, kw_only=True):
    """Positions from ``start_pos`` up to but without ``end_pos`` (None: unknown, the log ends) are not there."""

    start_pos: int
    end_pos: int | None


class FrameReader:
    """One pass over positions ``start_pos`` to ``end_pos``; iterate to the end, then see what was ``missing``.

    Iterating raises CorruptMarketLog, or JournalFailed when the disk cannot be read.
    """

    def __init__(
        self, directory: str, start_pos: int = 0, end_pos: int | None = None, *, files: Files = REAL_FILES
    ) -> None:
        self.missing: list[Missing] = []
        self.frame_count = 0  # handed out so far
        self.block_count = 0
        self.next_pos = start_pos  # behind the last frame of the pass
        self._directory = directory
        self._start_pos = start_pos
        self._end_pos = end_pos
        self._files = files
        self._hash: bytes | None = None  # behind the last block read; None before the first

    def __iter__(self) -> Iterator[Frame]:
        cut = False  # the newest file ends within a block
        for name in self._names():
            data = self._read(name)
            header = unpack_file_header(data)
            if isinstance(header, str):
                raise CorruptMarketLog(name, 0, header)
            cut = header is None
            if header is None:
                continue
            if self._hash is not None and header.hash_before != self._hash:
                raise CorruptMarketLog(name, 0, "does not follow from the file before it")
            self._hash = header.hash_before
            pos = header.length
            number = 0
            while (block := self._block(name, number, data, pos)) is not None:
                if self._end_pos is not None and block.first_pos >= self._end_pos:
                    self._miss_up_to(self._end_pos)
                    return
                yield from self._frames(name, number, header, block, data, pos)
                pos += block.block_bytes
                number += 1
                self.block_count += 1
            cut = pos < len(data)
        if self._end_pos is not None:
            self._miss_up_to(self._end_pos)
        elif cut:
            self.missing.append(Missing(start_pos=self.next_pos, end_pos=None))

    def _names(self) -> list[str]:
        try:
            names = file_names(self._directory, self._files)
        except OSError as error:
            raise JournalFailed(f"{self._directory}: cannot list: {os.strerror(error.errno or 0)}") from error
        first = 0
        for at, name in enumerate(names):
            digits = name.removeprefix("market-").removesuffix(".log")
            if not digits.isdecimal():
                raise CorruptMarketLog(name, 0, "not a name of a market log's file")
            if int(digits) <= self._start_pos:
                first = at
        return names[first:]

    def _read(self, name: str) -> bytes:
        try:
            return self._files.read(f"{self._directory}/{name}")
        except OSError as error:
            raise JournalFailed(
                f"{self._directory}/{name}: cannot read: {os.strerror(error.errno or 0)}"
            ) from error

    def _block(self, name: str, number: int, data: bytes, pos: int) -> BlockHeader | None:
        """The proven block at ``pos``; None where the file ends."""
        block = unpack_block_header(data, pos)
        if isinstance(block, str):
            if not any(data[pos:]):
                return None  # allocated by the file system, never written: a power loss
            raise CorruptMarketLog(name, number, block)
        if block is None or pos + block.block_bytes > len(data):
            return None
        end = pos + block.block_bytes - HASH_BYTES
        digest = blake2b(self._hash or b"", digest_size=HASH_BYTES)
        digest.update(memoryview(data)[pos:end])
        self._hash = digest.digest()
        if self._hash != data[end : end + HASH_BYTES]:
            raise CorruptMarketLog(name, number, "its hash does not match it, or not the block before it")
        return block

    def _frames(
        self, name: str, number: int, header: FileHeader, block: BlockHeader, data: bytes, pos: int
    ) -> Iterator[Frame]:
        past = block.first_pos + block.frame_count
        if past <= self._start_pos:
            return
        self._miss_up_to(block.first_pos)
        packed = memoryview(data)[pos + BLOCK_HEAD_BYTES : pos + block.block_bytes - HASH_BYTES]
        try:
            body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=block.body_bytes)
        except zstandard.ZstdError as error:
            raise CorruptMarketLog(name, number, f"cannot be unpacked: {error}") from error
        found = _events(body, block) if block.events else _raws(body, block, len(header.codecs))
        if isinstance(found, str):
            raise CorruptMarketLog(name, number, found)
        first = max(self._start_pos, block.first_pos)
        last = past if self._end_pos is None else min(past, self._end_pos)
        codecs = header.codecs
        at = block.first_pos
        for feed, raw, wall_ns, mono_ns in found:
            if first <= at < last:
                self.next_pos = at + 1
                self.frame_count += 1
                yield at, codecs[feed], raw, wall_ns, mono_ns
            at += 1

    def _miss_up_to(self, pos: int) -> None:
        if pos > self.next_pos:
            self.missing.append(Missing(start_pos=self.next_pos, end_pos=pos))
            self.next_pos = pos


def _raws(body: bytes, block: BlockHeader, feeds_count: int) -> Iterable[tuple[int, bytes, int, int]] | str:
    """Feed, bytes and stamps of each frame; or what is wrong."""
    count = block.frame_count
    if len(body) != block.body_bytes or len(body) < count * _PER_FRAME_BYTES:
        return "its body is shorter than it says"
    feeds = body[:count]
    lengths = unpack_from(f"<{count}I", body, count)
    monos = list(accumulate(unpack_from(f"<{count}q", body, 5 * count)))
    walls = map(add, monos, accumulate(unpack_from(f"<{count}q", body, 13 * count)))
    ends = list(accumulate(lengths, initial=count * _PER_FRAME_BYTES))
    if ends[-1] != len(body) or max(feeds, default=0) >= feeds_count:
        return "its body does not add up"
    raws = (body[start:end] for start, end in pairwise(ends))
    return zip(feeds, raws, walls, monos, strict=True)


def _events(body: bytes, block: BlockHeader) -> Iterable[tuple[int, bytes, int, int]] | str:
    """The same of a block of events."""
    try:
        walls, monos, events = _events_of(body)
    except DecodeError as error:
        return f"its events cannot be read: {error}"
    if not len(walls) == len(monos) == len(events) == block.frame_count:
        return "its body does not add up"
    return zip(repeat(0), map(bytes, events), walls, monos, strict=False)


def frames(
    directory: str, start_pos: int = 0, end_pos: int | None = None, *, files: Files = REAL_FILES
) -> FrameReader:
    """Frames of a range, as (position, codec, raw, wall_ns, mono_ns); afterwards its ``missing`` tells the gaps."""
    return FrameReader(directory, start_pos, end_pos, files=files)
