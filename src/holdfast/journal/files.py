"""The few things that the journal asks of a file system, so that a simulated one can stand in."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """A file system. Every method may raise OSError; ``write`` may write less than it was given."""

    def make_dir(self, path: str) -> None:
        """Create a directory (0700) unless it exists, and make its entry durable."""
        ...

    def lock_dir(self, path: str) -> int:
        """Lock a directory against other processes until its handle is closed. BlockingIOError when taken."""
        ...

    def names(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty where there is none."""
        ...

    def size(self, path: str) -> int:
        """Bytes of a file."""
        ...

    def read(self, path: str, offset: int = 0, length: int = -1) -> bytes:
        """A file's bytes from ``offset``; all of them unless ``length`` says fewer."""
        ...

    def open(self, path: str, *, create: bool = False) -> int:
        """A handle to read and write; ``create``: the file must not exist yet (0600)."""
        ...

    def allocate(self, handle: int, size: int) -> None:
        """Reserve space for ``size`` bytes, read as zeros, so that writing them cannot fail for lack of it."""
        ...

    def write(self, handle: int, data: bytes | bytearray | memoryview, offset: int) -> int:
        """Write at an offset; returns how many bytes went."""
        ...

    def sync(self, handle: int) -> None:
        """Wait for the disk (fdatasync). After a failure nothing is known about what reached the disk."""
        ...

    def close(self, handle: int) -> None:
        """Close a handle."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Rename within a directory, replacing the target."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file."""
        ...

    def sync_dir(self, path: str) -> None:
        """Make a directory's entries durable."""
        ...


class RealFiles:
    """The operating system's."""

    def make_dir(self, path: str) -> None:
        if Path(path).is_dir():
            return
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sync_dir(str(Path(path).parent))

    def lock_dir(self, path: str) -> int:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        return handle

    def names(self, path: str) -> list[str]:
        return sorted(entry.name for entry in Path(path).iterdir()) if Path(path).is_dir() else []

    def size(self, path: str) -> int:
        return Path(path).stat().st_size

    def read(self, path: str, offset: int = 0, length: int = -1) -> bytes:
        with Path(path).open("rb", buffering=0) as file:
            file.seek(offset)
            if length < 0:
                return file.readall()
            parts = []
            while length > 0 and (part := file.read(length)):
                parts.append(part)
                length -= len(part)
            return b"".join(parts)

    def open(self, path: str, *, create: bool = False) -> int:
        flags = os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if create else 0)
        return os.open(path, flags, 0o600)

    def allocate(self, handle: int, size: int) -> None:
        os.posix_fallocate(handle, 0, size)

    write = staticmethod(os.pwrite)
    close = staticmethod(os.close)
    rename = staticmethod(os.replace)
    remove = staticmethod(os.unlink)

    @staticmethod
    def sync(handle: int) -> None:
        os.fdatasync(handle)

    def sync_dir(self, path: str) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class UnsyncedFiles(RealFiles):
    """The operating system's, without waiting for the disk: for backtests, which a power loss only makes run again."""

    def allocate(self, handle: int, size: int) -> None:
        """A hole instead: nothing that must be written even on a full disk is in a backtest."""
        if os.fstat(handle).st_size < size:
            os.ftruncate(handle, size)

    @staticmethod
    def sync(handle: int) -> None:
        pass

    def sync_dir(self, path: str) -> None:
        pass


REAL_FILES = RealFiles()
UNSYNCED_FILES = UnsyncedFiles()


def write_all(files: Files, handle: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write every byte, however often it takes. Raises OSError; a write of nothing at all is one."""
    went = files.write(handle, data, offset)
    if went == len(data):
        return  # as nearly always
    view = memoryview(data)
    try:
        while True:
            if went <= 0:
                raise OSError(0, "wrote nothing")
            offset += went
            view = view[went:]
            if not view.nbytes:
                return
            went = files.write(handle, view, offset)
    finally:
        view.release()
