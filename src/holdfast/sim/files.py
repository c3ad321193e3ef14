"""A file system in memory that forgets like a real one: what was not synced may be old or new after a power loss.

Fulfils ``journal.files.Files``. Contents are kept in sectors: a sync makes them durable, a power loss takes each
unsynced one or leaves it, by the dice, and so the length. Faults come through two hooks: ``refuses`` names the errno
with which a call fails (0: it does not), ``goes`` how many bytes of a write go.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from typing import Final, Self

SECTOR_BYTES: Final = 512


class _Inode:
    __slots__ = ("data", "durable_bytes", "old")

    def __init__(self) -> None:
        self.data: bytearray | bytes = bytearray()  # bytes: shared with a copy
        self.durable_bytes = 0
        self.old: dict[int, bytes] = {}  # sector → what the disk has of it, where that differs

    def own(self) -> bytearray:
        """The contents, to be changed."""
        if isinstance(self.data, bytes):
            self.data = bytearray(self.data)
        return self.data

    def sync(self) -> None:
        self.old.clear()
        self.durable_bytes = len(self.data)

    def copied(self) -> _Inode:
        other = _Inode()
        other.data = self.data = bytes(self.data)
        other.durable_bytes = self.durable_bytes
        other.old = dict(self.old)
        return other


def _never(name: str) -> int:
    return 0


def _whole(count: int) -> int:
    return count


class SimFiles:
    """Files of one machine. ``space_bytes`` bounds what may be allocated; None: no bound."""

    def __init__(self) -> None:
        self.space_bytes: int | None = None
        self.no_space_count = 0  # how often there was none
        self.reordered_count = 0  # how often power was lost with a later write there and an earlier one not
        self.refuses: Callable[[str], int] = _never
        self.goes: Callable[[int], int] = _whole
        self._inodes: dict[str, _Inode] = {}
        self._durable: dict[str, _Inode] = {}
        self._handles: dict[int, _Inode | str] = {}
        self._locked: set[str] = set()
        self._next_handle = 3

    @property
    def handles_count(self) -> int:
        """How many handles are open."""
        return len(self._handles)

    # --- what happens to it -----------------------------------------------------------------------------------

    def kill(self) -> None:
        """The process died and the machine did not: everything written stays, handles and locks are gone."""
        self._handles.clear()
        self._locked.clear()

    def lose_power(self, rng: random.Random) -> int:
        """Everything that was not synced is old or new, sector by sector, entry by entry; returns how many are old."""
        self.kill()
        lost = 0
        for path, inode in list(self._inodes.items()):
            if self._durable.get(path) is not inode and rng.random() < 0.5:
                del self._inodes[path]
                lost += 1
        for path, inode in self._durable.items():
            if path not in self._inodes and rng.random() < 0.5:
                self._inodes[path] = inode
                lost += 1
        for inode in {id(one): one for one in self._inodes.values()}.values():
            gone = False
            for sector, old in sorted(inode.old.items()):
                if rng.random() < 0.5:
                    start = sector * SECTOR_BYTES
                    inode.own()[start : start + len(old)] = old
                    lost += 1
                    gone = True
                elif gone:
                    self.reordered_count += 1
            if inode.durable_bytes < len(inode.data) and rng.random() < 0.5:
                del inode.own()[inode.durable_bytes :]
                lost += 1
            inode.sync()
        self._durable = dict(self._inodes)
        return lost

    def flip_bit(self, path: str, offset: int, bit: int) -> None:
        """One bit of a file is no longer what was written."""
        self._inodes[path].own()[offset] ^= 1 << bit

    def copied(self) -> Self:
        """Another such machine with the same disk, and the same that is not on it yet; no handles, locks or hooks."""
        other = type(self)()
        copies = {id(one): one.copied() for one in (*self._inodes.values(), *self._durable.values())}
        other._take(  # noqa: SLF001 - another of this very class
            {path: copies[id(one)] for path, one in self._inodes.items()},
            {path: copies[id(one)] for path, one in self._durable.items()},
        )
        return other

    # --- Files ------------------------------------------------------------------------------------------------

    def make_dir(self, path: str) -> None:
        self._call("make_dir")

    def lock_dir(self, path: str) -> int:
        self._call("lock_dir")
        if path in self._locked:
            raise BlockingIOError(errno.EAGAIN, "locked", path)
        self._locked.add(path)
        return self._handle(path)

    def names(self, path: str) -> list[str]:
        self._call("names")
        return sorted(name.removeprefix(path + "/") for name in self._inodes if name.startswith(path + "/"))

    def size(self, path: str) -> int:
        return len(self._inode(path).data)

    def read(self, path: str, offset: int = 0, length: int = -1) -> bytes:
        self._call("read")
        data = self._inode(path).data
        return bytes(data[offset:] if length < 0 else data[offset : offset + length])

    def open(self, path: str, *, create: bool = False) -> int:
        self._call("open")
        if create:
            if path in self._inodes:
                raise FileExistsError(errno.EEXIST, "exists", path)
            self._inodes[path] = _Inode()
        return self._handle(self._inode(path))

    def allocate(self, handle: int, size: int) -> None:
        self._call("allocate")
        inode = self._of(handle)
        more = size - len(inode.data)
        if more <= 0:
            return
        if self.space_bytes is not None:
            used = sum(len(one.data) for one in self._inodes.values())
            if used + more > self.space_bytes:
                self.no_space_count += 1
                raise OSError(errno.ENOSPC, "no space")
        inode.own().extend(bytes(more))

    def write(self, handle: int, data: bytes | bytearray | memoryview, offset: int) -> int:
        self._call("write")
        count = self.goes(len(data))
        self._put(self._of(handle), bytes(data[:count]), offset)
        return count

    def sync(self, handle: int) -> None:
        self._call("sync")
        self._of(handle).sync()

    def close(self, handle: int) -> None:
        if handle not in self._handles:
            raise OSError(errno.EBADF, "no such handle")
        closed = self._handles.pop(handle)
        if isinstance(closed, str):
            self._locked.discard(closed)

    def rename(self, source: str, target: str) -> None:
        self._call("rename")
        self._inodes[target] = self._inode(source)
        del self._inodes[source]

    def remove(self, path: str) -> None:
        self._call("remove")
        self._inode(path)
        del self._inodes[path]

    def sync_dir(self, path: str) -> None:
        self._call("sync_dir")
        self._durable = dict(self._inodes)

    # --- within -----------------------------------------------------------------------------------------------

    def _take(self, inodes: dict[str, _Inode], durable: dict[str, _Inode]) -> None:
        self._inodes, self._durable = inodes, durable

    def _call(self, name: str) -> None:
        number = self.refuses(name)
        if number:
            raise OSError(number, name)

    def _put(self, inode: _Inode, data: bytes, offset: int) -> None:
        end = offset + len(data)
        content, old = inode.own(), inode.old
        if end > len(content):
            content.extend(bytes(end - len(content)))
        for sector in range(offset // SECTOR_BYTES, (end + SECTOR_BYTES - 1) // SECTOR_BYTES):
            if sector not in old:
                start = sector * SECTOR_BYTES
                old[sector] = bytes(content[start : start + SECTOR_BYTES])
        content[offset:end] = data

    def _inode(self, path: str) -> _Inode:
        found = self._inodes.get(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return found

    def _of(self, handle: int) -> _Inode:
        found = self._handles.get(handle)
        if not isinstance(found, _Inode):
            raise OSError(errno.EBADF, "no such handle")
        return found

    def _handle(self, what: _Inode | str) -> int:
        self._next_handle += 1
        self._handles[self._next_handle] = what
        return self._next_handle
