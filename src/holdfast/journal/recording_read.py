"""Reading recordings: ours, and the public ones with one frame a line (``.jsonl_ts``) or in JSON lines (``.jsonl``).

A file that ends within a block, as after a crash, is read up to there, and ``torn`` says so. A file whose middle
is not what was written is an error with the file and the line.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec
import zstandard
from msgspec import Struct

from holdfast.ports.journal import JournalFailed

CHUNK_BYTES: Final = 1 << 20
LINE_BYTES_MAX: Final = 16 << 20
HELD_BYTES_MAX: Final = 8 << 20  # of a block that does not end: a foreign file may be one block
_NANOSECONDS_FROM: Final = 10**17  # an epoch time below this is in microseconds
_ROTATED: Final = re.compile(r"(.+)-\d{8}T\d{6}\.\d{9}Z\.jsonl_ts\.zst")
_ENDINGS: Final = (".jsonl_ts.gz", ".jsonl_ts.zst", ".jsonl_ts", ".jsonl.zst", ".jsonl.gz", ".jsonl")


class NotARecording(Exception):
    """What was named is no recording: absent, empty of them, or in a format nobody here reads. One line."""


class CorruptRecording(JournalFailed):
    """Bytes of a recording are not what was written. One line names file and line."""


class Line(NamedTuple):
    """One line of a recording. ``kind``: frame, reply (a REST body), or what the recorder noted of itself.

    ``about``: the instrument that a reply is of, as far as its address says so.
    """

    wall_ns: int
    number: int
    kind: str
    raw: bytes
    about: str = ""


class Lines(Protocol):
    """Something that is read line by line, as a recording is."""

    path: Path
    torn: str
    lines_count: int

    def __iter__(self) -> Iterator[Line]:
        """All lines, from the beginning."""
        ...


class RecordingFile:
    """One file; iterate to the end, then ``torn`` says where it broke off, and is empty where it did not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = ""
        self.lines_count = 0

    def __iter__(self) -> Iterator[Line]:
        self.torn = ""
        self.lines_count = 0
        read = _read_note if ".jsonl_ts" not in self.path.name else _read_stamped
        try:
            with self.path.open("rb") as file:
                for line in self._lines(self._bytes(file)):
                    self.lines_count += 1
                    yield read(line, self.lines_count)
        except FileNotFoundError:
            raise NotARecording(f"{self.path}: no such file") from None
        except OSError as error:
            raise NotARecording(f"{self.path}: cannot be read: {error.strerror or error}") from None
        except (ValueError, OverflowError, msgspec.MsgspecError) as error:
            raise CorruptRecording(
                f"{self.path}:{self.lines_count}: not a line of a recording: {error}"
            ) from None

    def _lines(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        rest = b""
        for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_BYTES_MAX:
                raise ValueError(f"more than {LINE_BYTES_MAX} bytes without a line's end")
            yield from whole
        if rest and not self.torn:
            self.torn = "ends within a line"
        if self.torn:
            dropped = f"; {len(rest)} bytes of a line without its end are left out" if rest else ""
            self.torn = f"torn after line {self.lines_count}: {self.torn}{dropped}"

    def _bytes(self, file: BinaryIO) -> Iterator[bytes]:
        suffix = self.path.suffix
        if suffix == ".zst":
            return self._unpacked_zstd(file)
        return self._unpacked_gzip(file) if suffix == ".gz" else iter(lambda: file.read(CHUNK_BYTES), b"")

    def _unpacked_gzip(self, file: BinaryIO) -> Iterator[bytes]:
        with gzip.open(file, "rb") as unpacked:
            try:
                while chunk := unpacked.read1(CHUNK_BYTES):
                    yield chunk
            except EOFError:
                self.torn = "its packed end is missing"
            except (OSError, zlib.error) as error:
                raise CorruptRecording(
                    f"{self.path}: damaged after line {self.lines_count}: {error}"
                ) from None

    def _unpacked_zstd(self, file: BinaryIO) -> Iterator[bytes]:
        """Block by block. One of ours is handed out once its end is there and its checksum was right."""
        unpacker = zstandard.ZstdDecompressor()
        block = unpacker.decompressobj()
        parts: list[bytes] = []
        begun = False
        held = 0
        data = b""
        while data or (data := file.read(CHUNK_BYTES)):
            if not begun and not any(data):
                data = b""  # allocated by the file system and never written: a power loss
                self.torn = "its end was never written"
                continue
            try:
                parts.append(block.decompress(data))
            except zstandard.ZstdError as error:
                raise CorruptRecording(
                    f"{self.path}: damaged after line {self.lines_count}: {error}"
                ) from None
            begun = not block.eof
            data = block.unused_data if block.eof else b""
            held += len(parts[-1])
            if block.eof or held > HELD_BYTES_MAX:
                yield b"".join(parts)
                parts.clear()
                held = 0
            if block.eof:
                block = unpacker.decompressobj()
        if begun:
            self.torn = "its last block is not whole"
            # a foreign file may be one block from end to end: what of it can be read is worth having
            yield b"".join(parts)


def _read_stamped(line: bytes, number: int) -> Line:
    received, _, raw = line.partition(b" ")
    if not received.isdigit() or not raw:
        raise ValueError("does not begin with a receive time")
    wall = int(received)
    return Line(wall if wall >= _NANOSECONDS_FROM else wall * 1_000, number, "frame", raw.rstrip())


class _Note(Struct):
    """A line of the JSON-lines form: ``data`` is the frame or the body, as text."""

    t: str
    ts: float = 0.0
    data: str = ""
    url: str = ""


_note: Final = msgspec.json.Decoder(_Note)
_KINDS: Final = {"recv": "frame", "http": "reply"}


def _read_note(line: bytes, number: int) -> Line:
    note = _note.decode(line)
    about = parse_qs(urlsplit(note.url).query).get("symbol", [""])[0] if note.url else ""
    wall_ns = round(note.ts * 1_000_000) * 1_000
    return Line(wall_ns, number, _KINDS.get(note.t, note.t), note.data.encode(), about)


def recording_files(named: Sequence[str]) -> tuple[RecordingFile, ...]:
    """The files meant: each named file, and all recordings in each named directory. Errors: NotARecording."""
    found: list[Path] = []
    for name in named:
        path = Path(name)
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.name.endswith(_ENDINGS))
            if not inside:
                raise NotARecording(f"{path}: no recording in this directory ({', '.join(_ENDINGS)})")
            found += inside
        elif not path.exists():
            raise NotARecording(f"{path}: no such file or directory")
        elif not path.name.endswith(_ENDINGS):
            raise NotARecording(f"{path}: not a recording: expected {', '.join(_ENDINGS)}")
        else:
            found.append(path)
    if not found:
        raise NotARecording("no recording named")
    return tuple(RecordingFile(path) for path in dict.fromkeys(found))


def merged(files: Sequence[Lines]) -> Iterator[tuple[Lines, Line]]:
    """The lines of all files by receive time; at equal times in the order of the files.

    Within a file lines keep their order, whatever their times say: replies were noted apart from frames.
    The files of one instrument's row are opened one after the other.
    """
    rows: dict[str, list[Lines]] = {}
    for file in files:
        ours = _ROTATED.fullmatch(file.path.name)
        rows.setdefault(str(file.path.with_name(ours[1]) if ours else file.path), []).append(file)
    return merge(*(_told(row) for row in rows.values()), key=_received)


def _told(row: Sequence[Lines]) -> Iterator[tuple[Lines, Line]]:
    for file in row:
        for line in file:
            yield file, line


def _received(told: tuple[Lines, Line]) -> int:
    return told[1].wall_ns
