"""The lease: who may trade an account. An flock held for life, and a stamp that the trading loop itself renews.

Its file lies beside the latch, keyed by venue and account, so that a second instance is refused whatever its
configuration or state directory. 256 bytes: generation (16 hex digits, grows at every taking: the fencing number),
the stamp in CLOCK_BOOTTIME nanoseconds (16 hex digits), a space, who holds it as JSON, spaces, a newline.

An expired stamp is never simply renewed: ``renew`` says so, the lease stays lost, and ``reclaim`` is the caller's
decision. Taking a lease over means ending its holder first; a frozen holder keeps it.
"""

# ruff: noqa: PTH116, PTH123 - the whole package speaks os: it works with descriptors

from __future__ import annotations

import fcntl
import json
import os
import weakref
from contextlib import suppress
from typing import Final

from holdfast.guard.latch import GuardUnusable, ensure_dir

LEASE_BYTES: Final = 256
TTL_NS: Final = 1_000_000_000
SUFFIX: Final = ".lease"
_FIELD_BYTES: Final = 16
_HOLDER_CHARS_MAX: Final = 60
_TRIES_MAX: Final = 10
_NS_PER_MS: Final = 1_000_000


class Holder:
    """Who holds (or last held) a lease."""

    __slots__ = ("by", "generation", "pid", "since_wall_ns", "stamp_mono_ns")

    def __init__(self, *, generation: int, stamp_mono_ns: int, pid: int, by: str, since_wall_ns: int) -> None:
        self.generation = generation
        self.stamp_mono_ns = stamp_mono_ns  # when its loop last renewed it
        self.pid = pid
        self.by = by
        self.since_wall_ns = since_wall_ns


class LeaseTaken(GuardUnusable):
    """Another process holds the lease of this account."""

    def __init__(self, path: str, holder: Holder) -> None:
        self.holder = holder
        super().__init__(
            f"{path}: the account is traded by process {holder.pid} ({holder.by}),"
            f" generation {holder.generation}: end it first"
        )


class Expired:
    """The stamp was found expired by ``expired_ms``. ``contested``: somebody else had the lease in between."""

    __slots__ = ("contested", "expired_ms")

    def __init__(self, *, expired_ms: int, contested: bool) -> None:
        self.expired_ms = expired_ms
        self.contested = contested


class Lease:
    """A lease held by this process. One thread renews it: the loop that trades."""

    __slots__ = (
        "__weakref__",
        "_by",
        "_descriptor",
        "_floor",
        "_identity",
        "_until_mono_ns",
        "broken",
        "generation",
        "path",
        "ttl_ns",
    )

    def __init__(
        self,
        directory: str,
        key: str,
        *,
        by: str,
        now_wall_ns: int,
        now_mono_ns: int,
        ttl_ns: int = TTL_NS,
        generation_floor: int = 0,
    ) -> None:
        """Take the lease. Raises LeaseTaken with who has it, GuardUnusable when the file cannot be used."""
        ensure_dir(directory)
        self.path = f"{directory}/{key}{SUFFIX}"
        self.ttl_ns = ttl_ns
        self.generation = 0
        self.broken = ""  # why the file can no longer be trusted
        self._by = by
        self._floor = generation_floor
        self._descriptor = -1
        self._identity = (0, 0)
        self._until_mono_ns = 0
        self._take(now_wall_ns, now_mono_ns)
        _LIVE.add(self)

    def fresh(self, now_mono_ns: int) -> bool:
        """Whether this process may write to the venue now. One comparison."""
        return now_mono_ns < self._until_mono_ns

    def renew(self, now_mono_ns: int) -> Expired | None:
        """Prolong it by the loop's own act. ``Expired``: it was lost before we came, and stays so until ``reclaim``."""
        if now_mono_ns >= self._until_mono_ns:
            late_ns = now_mono_ns - self._until_mono_ns if self._until_mono_ns else 0
            self._until_mono_ns = 0
            return Expired(expired_ms=late_ns // _NS_PER_MS, contested=self.contested())
        self._stamp(now_mono_ns)
        return None

    def contested(self) -> bool:
        """Whether somebody else took the lease, or could have: another generation, or the file was replaced."""
        holder = read_lease(self.path)
        return bool(self.check()) or holder is None or holder.generation != self.generation

    def reclaim(self, *, now_wall_ns: int, now_mono_ns: int) -> None:
        """Have it again after it expired: as it was if nobody else had it, else as a new generation.

        Raises LeaseTaken, GuardUnusable.
        """
        if self._descriptor >= 0 and not self.contested():
            self._until_mono_ns = now_mono_ns + self.ttl_ns
            self._stamp(now_mono_ns)
            return
        self.release()
        self._take(now_wall_ns, now_mono_ns)
        self.broken = ""  # last: until here the watcher may have found the old file gone once more

    def check(self) -> str:
        """Look whether the path still is the file that is locked. "", or why the lease is lost.

        The watcher calls it, from its own thread: a file that was replaced can be locked by another process.
        """
        if not self.broken:
            try:
                status = os.stat(self.path, follow_symlinks=False)
            except OSError as error:
                self._break(f"cannot be found: {error.strerror}")
            else:
                if (status.st_dev, status.st_ino) != self._identity:
                    self._break("was replaced by another file")
        return self.broken

    def release(self) -> None:
        """Give it up. Releasing twice does nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):  # closing unlocks as well, unless a child of a fork still has it open
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._forget()

    def _forget(self) -> None:
        self._until_mono_ns = 0
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _break(self, why: str) -> None:
        self.broken = f"{self.path}: {why}"
        self._until_mono_ns = 0

    def _stamp(self, now_mono_ns: int) -> None:
        try:
            os.pwrite(self._descriptor, b"%016x" % now_mono_ns, _FIELD_BYTES)
        except OSError as error:
            self._break(f"cannot be written: {error.strerror}")
            return
        self._until_mono_ns = now_mono_ns + self.ttl_ns

    def _take(self, now_wall_ns: int, now_mono_ns: int) -> None:
        try:
            self._lock()
            previous = _parse(os.pread(self._descriptor, LEASE_BYTES, 0))
            self.generation = max(previous.generation if previous else 0, self._floor) + 1
            holder = json.dumps(
                {"pid": os.getpid(), "by": self._by[:_HOLDER_CHARS_MAX], "since_wall_ns": now_wall_ns},
                ensure_ascii=False,
            )
            data = b"%016x%016x %s" % (self.generation, now_mono_ns, holder.encode(errors="replace"))
            os.pwrite(self._descriptor, data[: LEASE_BYTES - 1].ljust(LEASE_BYTES - 1) + b"\n", 0)
            os.ftruncate(self._descriptor, LEASE_BYTES)
        except OSError as error:
            self.release()
            raise GuardUnusable(f"{self.path}: cannot be used: {error.strerror}") from error
        self._until_mono_ns = now_mono_ns + self.ttl_ns

    def _lock(self) -> None:
        """Lock the file that is at the path now, not one that was there a moment ago. Raises OSError, LeaseTaken."""
        for _ in range(_TRIES_MAX):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                nobody = Holder(generation=0, stamp_mono_ns=0, pid=0, by="unknown", since_wall_ns=0)
                raise LeaseTaken(self.path, read_lease(self.path) or nobody) from None
            except OSError:
                os.close(descriptor)
                raise
            status = os.fstat(descriptor)
            if _is_at(self.path, status):
                self._descriptor = descriptor
                self._identity = (status.st_dev, status.st_ino)
                return
            os.close(descriptor)
        raise GuardUnusable(f"{self.path}: is being replaced again and again")


def _is_at(path: str, status: os.stat_result) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino)


def read_lease(path: str) -> Holder | None:
    """What a lease's file says: for the watchdog, and for whoever is refused. None when there is nothing to read."""
    try:
        with open(path, "rb") as file:
            return _parse(file.read(LEASE_BYTES))
    except OSError:
        return None


def _parse(data: bytes) -> Holder | None:
    try:
        said = json.loads(data[2 * _FIELD_BYTES :])
        return Holder(
            generation=int(data[:_FIELD_BYTES], 16),
            stamp_mono_ns=int(data[_FIELD_BYTES : 2 * _FIELD_BYTES], 16),
            pid=int(said["pid"]),
            by=str(said["by"]),
            since_wall_ns=int(said["since_wall_ns"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


_LIVE: Final[weakref.WeakSet[Lease]] = weakref.WeakSet()


def _forget_in_child() -> None:
    """A forked child shares the lock: it must neither keep the lease alive after its parent, nor unlock it."""
    for lease in list(_LIVE):
        lease._forget()  # noqa: SLF001 - our own


os.register_at_fork(after_in_child=_forget_in_child)
