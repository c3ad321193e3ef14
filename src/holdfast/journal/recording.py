"""Recordings: raw frames as text, one per line, ``<receive time in ns> <frame>``, in blocks of zstd.

A directory holds one recording: for each instrument a row of files, begun anew by size and by time. A file is
a row of zstd frames, each with its own checksum, so ``zstdcat`` reads it and a crash costs the open block at
most. The line format is that of the public recordings this project is tested with.

Frames are evidence: a frame that the disk refuses ends the recording, since a recording with a silent hole in
it is worse than one that says where it ended.
"""

from __future__ import annotations

import os
import re
import time
from typing import Final

import zstandard
from msgspec import Struct

from holdfast.journal.files import REAL_FILES, Files, write_all
from holdfast.ports.journal import JournalFailed

SUFFIX: Final = ".jsonl_ts.zst"
INSTRUMENTS_FILE: Final = "instruments.json"  # as the venue itself tells them
SPECS_FILE: Final = "specs.json"  # as we do, for recordings of events
BLOCK_BYTES_MAX: Final = 256 << 10
BLOCK_NS_MAX: Final = 1_000_000_000
PACK_LEVEL: Final = 3
_UNNAMED: Final = "other"
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9_-]+")


class Rotation(Struct, frozen=True, kw_only=True):
    """When a file ends, and how much of the past is kept. ``retention_bytes`` is of the whole directory."""

    file_bytes_max: int
    file_ns_max: int
    retention_bytes: int


class _Open:
    """The file that an instrument's frames go to now. ``held``: lines of the block that is not written yet."""

    __slots__ = ("handle", "held", "held_bytes", "held_since_ns", "name", "offset", "since_ns")

    def __init__(self, *, name: str, handle: int, since_ns: int) -> None:
        self.name = name
        self.handle = handle
        self.since_ns = since_ns
        self.offset = 0
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.held_since_ns = since_ns


class RecordingWriter:
    """Appends frames to a recording. Raises JournalFailed when the disk refuses one.

    ``frames_count`` and ``bytes_count``: appended so far, before packing. ``begun``: instruments whose file was
    begun since it was last cleared; whoever records a book adds a snapshot to each.
    """

    def __init__(self, directory: str, rotation: Rotation, *, files: Files = REAL_FILES) -> None:
        self.frames_count = 0
        self.bytes_count = 0
        self.files_count = 0
        self.begun: list[str] = []
        self._directory = directory
        self._rotation = rotation
        self._files = files
        self._pack = zstandard.ZstdCompressor(level=PACK_LEVEL, write_checksum=True).compress
        self._open: dict[str, _Open] = {}
        self._lock: int | None = None
        try:
            files.make_dir(directory)
            self._lock = files.lock_dir(directory)
        except BlockingIOError:
            raise JournalFailed(f"{directory}: another process records there") from None
        except OSError as error:
            raise _refused(directory, error) from error

    def append(self, instrument: str, raw: bytes, wall_ns: int) -> None:
        """Add one frame. ``instrument`` empty: a frame that names none. A line break in it becomes a space."""
        now = self._open.get(instrument)
        if now is None or wall_ns - now.since_ns >= self._rotation.file_ns_max:
            now = self._begin(instrument, wall_ns)
        if b"\n" in raw or b"\r" in raw:  # JSON has them between its words only, where a space says the same
            raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
        line = b"%d %b\n" % (wall_ns, raw)
        if not now.held:
            now.held_since_ns = wall_ns
        now.held.append(line)
        now.held_bytes += len(line)
        self.frames_count += 1
        self.bytes_count += len(line)
        if now.held_bytes >= BLOCK_BYTES_MAX or wall_ns - now.held_since_ns >= BLOCK_NS_MAX:
            self._write(now)
            if now.offset >= self._rotation.file_bytes_max:
                self._end(instrument)

    def flush(self, wall_ns: int) -> None:
        """Write out every block that is older than a second: for instruments that fell silent."""
        for now in self._open.values():
            if now.held and wall_ns - now.held_since_ns >= BLOCK_NS_MAX:
                self._write(now)

    def close(self) -> None:
        """Write out what is held, and wait for the disk. Closing twice does nothing."""
        try:
            for instrument in tuple(self._open):
                self._end(instrument)
        finally:
            if self._lock is not None:
                lock, self._lock = self._lock, None
                self._files.close(lock)

    def _begin(self, instrument: str, wall_ns: int) -> _Open:
        if instrument in self._open:
            self._end(instrument)
        stem = _NOT_IN_NAMES.sub("-", instrument.lower()) or _UNNAMED
        name = f"{self._directory}/{stem}-{_utc(wall_ns)}{SUFFIX}"
        try:
            handle = self._files.open(name, create=True)
        except OSError as error:
            raise _refused(name, error) from error
        now = self._open[instrument] = _Open(name=name, handle=handle, since_ns=wall_ns)
        self.files_count += 1
        self.begun.append(instrument)
        self._retain()
        return now

    def _write(self, now: _Open) -> None:
        block = self._pack(b"".join(now.held))
        now.held.clear()
        now.held_bytes = 0
        try:
            write_all(self._files, now.handle, block, now.offset)
        except OSError as error:
            raise _refused(now.name, error) from error
        now.offset += len(block)

    def _end(self, instrument: str) -> None:
        now = self._open.pop(instrument)
        try:
            if now.held:
                self._write(now)
            self._files.sync(now.handle)
        except OSError as error:
            raise _refused(now.name, error) from error
        finally:
            self._files.close(now.handle)

    def _retain(self) -> None:
        """Remove the oldest files until the rest is within the retention size; open files always stay."""
        try:
            names = [name for name in self._files.names(self._directory) if name.endswith(SUFFIX)]
            sizes = {name: self._files.size(f"{self._directory}/{name}") for name in names}
            total = sum(sizes.values())
            in_use = [now.name for now in self._open.values()]
            for name in sorted(names, key=_time_in):
                path = f"{self._directory}/{name}"
                if total <= self._rotation.retention_bytes:
                    break
                if path not in in_use:
                    self._files.remove(path)
                    total -= sizes[name]
        except OSError as error:
            raise _refused(self._directory, error) from error


def write_beside(directory: str, name: str, data: bytes, *, files: Files = REAL_FILES) -> None:
    """Put a small file beside the frames, whole or not at all. Raises JournalFailed."""
    path, new = f"{directory}/{name}", f"{directory}/.{name}.new-{os.getpid()}"
    try:
        handle = files.open(new, create=True)
        try:
            write_all(files, handle, data, 0)
            files.sync(handle)
        finally:
            files.close(handle)
        files.rename(new, path)
    except OSError as error:
        raise _refused(path, error) from error


def _time_in(name: str) -> str:
    """When a file of a recording was begun, by its name: sorts as time does, whatever the instrument."""
    return name.removesuffix(SUFFIX).rpartition("-")[2]


def _utc(wall_ns: int) -> str:
    """``20240808T235415.030314667Z``: names sort as their times do, and no two files of a run share one."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest:09d}Z"


def _refused(path: str, error: OSError) -> JournalFailed:
    return JournalFailed(f"{path}: cannot be recorded to: {os.strerror(error.errno or 0)}")
