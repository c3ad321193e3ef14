"""A file system in memory that forgets like a real one: at a power loss, any unsynced sector may be old or new."""

import errno
from collections import Counter

SECTOR = 512


class Crash(BaseException):
    """The machine stopped here."""


class Inode:
    def __init__(self):
        self.now = bytearray()
        self.durable = bytearray()


class MemoryFiles:
    """Fulfils ``journal.files.Files``. ``before_call`` may raise to break a call; ``space`` bounds allocation."""

    def __init__(self):
        self.inodes = {}
        self.durable_names = {}
        self.handles = {}
        self.next_handle = 3
        self.space = None
        self.calls: Counter[str] = Counter()
        self.call_count = 0
        self.crash_at = None  # number of the call at which the machine stops …
        self.torn = False  # … halfway through it where it is a write, else before it
        self.fail_at = {}  # number of a call → errno

    # --- faults -----------------------------------------------------------------------------------------------

    def _call(self, name):
        self.calls[name] += 1
        self.call_count += 1
        if self.crash_at == self.call_count and not (self.torn and name == "write"):
            raise Crash(name)
        if self.call_count in self.fail_at:
            raise OSError(self.fail_at[self.call_count], name)

    def lose_power(self, rng):
        """Everything unsynced is old or new, sector by sector, entry by entry, as ``rng`` has it."""
        self.handles = {}
        names = dict(self.durable_names)
        for path, inode in self.inodes.items():
            if path not in names and rng.random() < 0.5:
                names[path] = inode
        for inode in {id(inode): inode for inode in names.values()}.values():
            inode.now = self._mixed(inode, rng)
            inode.durable = bytearray(inode.now)
        self.inodes = names
        self.durable_names = dict(names)

    @staticmethod
    def _mixed(inode, rng):
        size = rng.choice([len(inode.now), len(inode.durable)])
        now, old = inode.now.ljust(size, b"\0")[:size], inode.durable.ljust(size, b"\0")[:size]
        mixed = bytearray(old)
        for start in range(0, size, SECTOR):
            if now[start : start + SECTOR] != old[start : start + SECTOR] and rng.random() < 0.5:
                mixed[start : start + SECTOR] = now[start : start + SECTOR]
        return mixed

    def kill(self):
        """The process died, the machine did not: everything written stays."""
        self.handles = {}

    # --- Files ------------------------------------------------------------------------------------------------

    def make_dir(self, path):
        self._call("make_dir")

    def lock_dir(self, path):
        self._call("lock_dir")
        return self._handle(Inode())

    def names(self, path):
        self._call("names")
        return sorted(name.removeprefix(path + "/") for name in self.inodes)

    def size(self, path):
        return len(self._inode(path).now)

    def read(self, path, offset=0, length=-1):
        self._call("read")
        data = self._inode(path).now
        return bytes(data[offset:] if length < 0 else data[offset : offset + length])

    def open(self, path, *, create=False):
        self._call("open")
        if create:
            if path in self.inodes:
                raise FileExistsError(errno.EEXIST, path)
            self.inodes[path] = Inode()
        return self._handle(self._inode(path))

    def allocate(self, handle, size):
        self._call("allocate")
        inode = self.handles[handle]
        used = sum(len(other.now) for other in self.inodes.values())
        if self.space is not None and used - len(inode.now) + size > self.space:
            raise OSError(errno.ENOSPC, "no space")
        inode.now.extend(bytes(max(0, size - len(inode.now))))

    def write(self, handle, data, offset):
        inode = self.handles[handle]
        data = bytes(data)
        self._call("write")
        crash = self.crash_at == self.call_count
        if crash:
            data = data[: len(data) // 2]
        end = offset + len(data)
        inode.now.extend(bytes(max(0, end - len(inode.now))))
        inode.now[offset:end] = data
        if crash:
            raise Crash("write")
        return len(data)

    def sync(self, handle):
        self._call("sync")
        inode = self.handles[handle]
        inode.durable = bytearray(inode.now)

    def close(self, handle):
        del self.handles[handle]

    def rename(self, source, target):
        self._call("rename")
        self.inodes[target] = self.inodes.pop(source)

    def remove(self, path):
        self._call("remove")
        self._inode(path)
        del self.inodes[path]

    def sync_dir(self, path):
        self._call("sync_dir")
        self.durable_names = dict(self.inodes)

    # ----------------------------------------------------------------------------------------------------------

    def _inode(self, path):
        if path not in self.inodes:
            raise FileNotFoundError(errno.ENOENT, path)
        return self.inodes[path]

    def _handle(self, inode):
        self.next_handle += 1
        self.handles[self.next_handle] = inode
        return self.next_handle
