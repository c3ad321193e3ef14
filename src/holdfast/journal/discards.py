"""Discards: frames of market data that ingest refused, as they came, with the time and the reason.

A row of text files of bounded size, the oldest of them removed: each begins with the instruments' facts, then one
line of JSON per frame. Evidence, and no part of any decision: a disk that refuses a discard ends the keeping of
discards and nothing else. Frames that come faster than a bound are counted and not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import NS_PER_S

FILE_BYTES_MAX: Final = 4 << 20
FILES_MAX: Final = 4
BYTES_PER_S_MAX: Final = 1 << 20  # beyond this frames are counted, not kept
RAW_BYTES_MAX: Final = 64 << 10  # of one frame: the rest of a longer one is cut
HELD_BYTES_MAX: Final = 64 << 10
_SUFFIX: Final = ".jsonl"


class CorruptDiscards(Exception):
    """A file of discards has a line that is none: names file and line."""


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="head"):
    """What the frames of a file were read by."""

    instruments: tuple[InstrumentSpec, ...]


class Discard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="discard"):
    """One refused frame. ``raw`` is base64 in the file; ``cut``: bytes that it was longer.

    ``against``: what it was judged by, as the core had it (``core.step.judged``); null where the decoder refused it.
    ``unkept``: refused frames before this one that were counted and not kept.
    """

    wall_ns: int
    mono_ns: int
    feed: str
    codec: str
    instrument: str
    reason: str
    raw: bytes
    cut: int = 0
    unkept: int = 0
    against: msgspec.Raw = msgspec.Raw(b"null")


class DiscardFile:
    """Appends refused frames. ``failed``: why nothing is kept any more; empty while all is well."""

    def __init__(
        self,
        directory: Path,
        instruments: Sequence[InstrumentSpec],
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        files_max: int = FILES_MAX,
        bytes_per_s_max: int = BYTES_PER_S_MAX,
    ) -> None:
        self.kept_count = 0
        self.unkept_count = 0
        self.failed = ""
        self._directory = directory
        self._head = _encode(Head(instruments=tuple(instruments))) + b"\n"
        self._file_bytes_max = file_bytes_max
        self._files_max = files_max
        self._bytes_per_s_max = bytes_per_s_max
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._second = 0
        self._second_bytes = 0
        self._unkept = 0
        self._path: Path | None = None
        self._size = 0

    def keep(self, discard: Discard) -> None:
        """Keep one, or count that it came too fast."""
        second = discard.mono_ns // NS_PER_S
        if second != self._second:
            self._second, self._second_bytes = second, 0
        if self.failed or self._second_bytes >= self._bytes_per_s_max:
            self._unkept += 1
            self.unkept_count += 1
            return
        cut = max(0, len(discard.raw) - RAW_BYTES_MAX)
        if cut or self._unkept:
            discard = msgspec.structs.replace(
                discard, raw=discard.raw[:RAW_BYTES_MAX], cut=cut, unkept=self._unkept
            )
        line = _encode(discard) + b"\n"
        self._unkept = 0
        self._second_bytes += len(line)
        self._held.append(line)
        self._held_bytes += len(line)
        self.kept_count += 1
        if self._held_bytes >= HELD_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write out what is held. Nothing waits for the disk."""
        if not self._held:
            return
        data = b"".join(self._held)
        count = len(self._held)
        self._held = []
        self._held_bytes = 0
        try:
            if self._path is None or self._size >= self._file_bytes_max:
                self._begin()
            if self._path is not None:
                with self._path.open("ab") as file:
                    file.write(data)
                self._size += len(data)
        except OSError as error:
            self.failed = f"{self._directory}: discards are not kept any more: {error.strerror}"
            self.kept_count -= count
            self.unkept_count += count

    def _begin(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = _names(self._directory)
        number = int(names[-1].stem) + 1 if names else 1
        for old in names[: max(0, len(names) - self._files_max + 1)]:
            old.unlink()
        self._path = self._directory / f"{number:08d}{_SUFFIX}"
        self._path.touch(mode=0o600, exist_ok=False)
        self._path.write_bytes(self._head)
        self._size = len(self._head)


def discards_in(directory: Path) -> Iterator[tuple[Head, Discard]]:
    """Every discard that is kept, oldest first, with its file's head. A torn last line is left out.

    Errors: CorruptDiscards; OSError where a file cannot be read.
    """
    for path in _names(directory):
        head: Head | None = None
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], start=1):  # behind the last line break: torn, or nothing
            try:
                told = _decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise CorruptDiscards(f"{path}:{number}: not a discard: {error}") from None
            if isinstance(told, Head):
                head = told
            elif head is None:
                raise CorruptDiscards(f"{path}:{number}: a discard before the file's head")
            else:
                yield head, told


def _names(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdigit())


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Head | Discard).decode
