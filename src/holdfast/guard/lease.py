"""The lease: who may trade an account. An flock held for life, and a stamp that the trading loop itself renews.

Its file lies beside the latch, keyed by venue and account, so that a second instance is refused whatever its
configuration or state directory. 320 bytes: generation (grows at every taking: the fencing number), the stamp in
CLOCK_BOOTTIME nanoseconds, and what the loop last got done (``ports.guard.Progress``), 16 hex digits each; a space,
who holds it as JSON, spaces, a newline. Stamp and progress are one write, ten times a second: whoever judges the loop
from another thread or process reads them here, with the loop hung. A stamp of 0 means that it was let go of: a
process that ended as it should is not a dead one.

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
from holdfast.ports.guard import NOTHING_YET, Progress

LEASE_BYTES: Final = 320
TTL_NS: Final = 1_000_000_000
SUFFIX: Final = ".lease"
_FIELD_BYTES: Final = 16
_FIELDS: Final = 2 + len(Progress._fields)
_HOLDER_CHARS_MAX: Final = 60
_TRIES_MAX: Final = 10
_NS_PER_MS: Final = 1_000_000


class Holder:
    """Who holds (or last held) a lease."""

    __slots__ = ("by", "generation", "pid", "progress", "since_wall_ns", "stamp_mono_ns")

    def __init__(
        self,
        *,
        generation: int,
        stamp_mono_ns: int,
        pid: int,
        by: str,
        since_wall_ns: int,
        progress: Progress = NOTHING_YET,
    ) -> None:
        self.generation = generation
        self.stamp_mono_ns = stamp_mono_ns  # when its loop last renewed it; 0: it was let go of
        self.progress = progress
        self.pid = pid
        self.by = by
        self.since_wall_ns = since_wall_ns


class LeaseTaken(GuardUnusable):
    """Another process holds the lease of this account."""

    def __init__(self, path: str, holder: Holder) -> None:
        self.holder = holder
        self.where = path
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
        "_progress",
        "_until_mono_ns",
        "broken",
        "clean_before",
        "ended",
        "generation",
        "path",
        "stamp_mono_ns",
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
        self.clean_before = True  # whoever had it before let go of it, or nobody did since boot
        self.ended = False  # let go of: nothing is sent any more, and nobody is missed
        self.stamp_mono_ns = 0  # the last one written, for whoever judges the loop from another thread
        self._progress = NOTHING_YET
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

    def renew(self, now_mono_ns: int, progress: Progress = NOTHING_YET) -> Expired | None:
        """Prolong it by the loop's own act, and say what the loop got done.

        ``Expired``: it was lost before we came, and stays so until ``reclaim``.
        """
        self._progress = progress
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

    def let_go(self) -> None:
        """The end, as it should be: nothing is sent from here on, and the file says so. The lock stays until release.

        Where the file cannot be written a watchdog will take us for dead, and cancel what is cancelled already.
        """
        self.ended = True
        self._stamp(0)
        self._until_mono_ns = 0

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
            os.pwrite(self._descriptor, _fields(now_mono_ns, self._progress), _FIELD_BYTES)
        except OSError as error:
            self._break(f"cannot be written: {error.strerror}")
            return
        self.stamp_mono_ns = now_mono_ns
        self._until_mono_ns = now_mono_ns + self.ttl_ns

    def _take(self, now_wall_ns: int, now_mono_ns: int) -> None:
        try:
            self._lock()
            previous = _parse(os.pread(self._descriptor, LEASE_BYTES, 0))
            self.clean_before = previous is None or previous.stamp_mono_ns == 0
            self.generation = max(previous.generation if previous else 0, self._floor) + 1
            holder = json.dumps(
                {"pid": os.getpid(), "by": self._by[:_HOLDER_CHARS_MAX], "since_wall_ns": now_wall_ns},
                ensure_ascii=False,
            )
            said = _fields(now_mono_ns, self._progress)
            data = b"%016x%s %s" % (self.generation, said, holder.encode(errors="replace"))
            os.pwrite(self._descriptor, data[: LEASE_BYTES - 1].ljust(LEASE_BYTES - 1) + b"\n", 0)
            os.ftruncate(self._descriptor, LEASE_BYTES)
        except OSError as error:
            self.release()
            raise GuardUnusable(f"{self.path}: cannot be used: {error.strerror}") from error
        self.stamp_mono_ns = now_mono_ns
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
    """What a lease's file says: for whoever is refused. None when there is nothing to read."""
    found = inspect_lease(path)
    return found if isinstance(found, Holder) else None


def inspect_lease(path: str) -> Holder | str | None:
    """What a lease's file says: for the watchdog. In words why it says nothing; None where there is no file."""
    try:
        with open(path, "rb") as file:
            return _parse(file.read(LEASE_BYTES)) or f"{path}: is not a lease"
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"


def _fields(stamp_mono_ns: int, progress: Progress) -> bytes:
    return b"%016x%016x%016x%016x%016x" % (stamp_mono_ns, *progress)


def _parse(data: bytes) -> Holder | None:
    end = _FIELDS * _FIELD_BYTES
    try:
        said = json.loads(data[end:])
        numbers = [int(data[start : start + _FIELD_BYTES], 16) for start in range(0, end, _FIELD_BYTES)]
        return Holder(
            generation=numbers[0],
            stamp_mono_ns=numbers[1],
            pid=int(said["pid"]),
            by=str(said["by"]),
            since_wall_ns=int(said["since_wall_ns"]),
            progress=Progress(*numbers[2:]),
        )
    except (ValueError, KeyError, TypeError):
        return None


_LIVE: Final[weakref.WeakSet[Lease]] = weakref.WeakSet()


def _forget_in_child() -> None:
    """A forked child shares the lock: it must neither keep the lease alive after its parent, nor unlock it."""
    for lease in list(_LIVE):
        lease._forget()  # noqa: SLF001 - our own


os.register_at_fork(after_in_child=_forget_in_child)
