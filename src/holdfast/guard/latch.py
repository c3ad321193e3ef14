"""The latch: a file on tmpfs that any process can trip, and that the trading process reads before every write.

128 bytes: ``trip`` (16), ``cleared`` (16), a space, the boot id (36), a remark, a newline. Halted iff the two fields
differ. Whatever 16 bytes are written over ``trip`` in place halt: sixteen hex digits by ``holdfast halt``, raw ones by
the shell line of ``shell_line``. Only arm and resume copy a trip, the one that they had observed before their checks,
into ``cleared``. A latch that is missing, malformed, or another boot's is created tripped at start.

It is read by ``pread`` on a held descriptor, not through a mapping: touching a mapped page of a file that was cut
short kills the process (SIGBUS), a short read is a halt. The price was measured at 0.2–0.3 µs per order.

Only light modules of the standard library are imported here: ``holdfast halt`` must start in a blink.
"""

# pathlib takes milliseconds to import that `holdfast halt` does not have:
# ruff: noqa: PTH103, PTH108, PTH112, PTH116, PTH123, PTH208

from __future__ import annotations

import os

from holdfast.guard.notes import Note, leave_note, read_note

DEFAULT_DIR = "/dev/shm/holdfast"  # noqa: S108 - tmpfs on purpose; the directory is checked to be ours alone
FIELD_BYTES = 16
LATCH_BYTES = 128
SUFFIX = ".latch"
_BOOT_FROM, _BOOT_TO = 33, 69
_TRIES_MAX = 10
_NEVER = b"0" * FIELD_BYTES
_MASK = (1 << 63) - 1  # a nonce fits a signed 64-bit column


class GuardUnusable(Exception):
    """The guard directory or a file in it cannot be used: one line for a person."""


def guard_dir() -> str:
    """The one directory of a host for latches and leases: $HOLDFAST_GUARD_DIR, or on tmpfs."""
    return os.environ.get("HOLDFAST_GUARD_DIR") or DEFAULT_DIR


def key_of(*, venue: str, account: str) -> str:
    """File name stem of a venue's account: the same for every configuration, different for different accounts."""
    place, plain = _file_word(venue), _file_word(account)
    if (place, plain) == (venue, account) and "--" not in venue + account:
        return f"{place}--{plain}"
    from zlib import crc32

    return f"{place}--{plain}--{crc32(repr((venue, account)).encode()):08x}"


def _file_word(text: str) -> str:
    plain = (char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in text[:80])
    return "".join(plain)


def boot_id() -> str:
    """The kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def ensure_dir(directory: str) -> None:
    """Create the guard directory, or make sure that it is ours alone. Raises GuardUnusable."""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        status = os.lstat(directory)
    except OSError as error:
        raise GuardUnusable(f"{directory}: cannot be used: {error.strerror}") from error
    if status.st_uid != os.geteuid():
        raise GuardUnusable(
            f"{directory}: belongs to user {status.st_uid}, not to us: whose latch would it be?"
        )
    if status.st_mode & 0o170077 != 0o040000:
        raise GuardUnusable(f"{directory}: must be a directory of mode 0700, it is {status.st_mode:o}")


def latch_path(directory: str, key: str) -> str:
    """The latch's file."""
    return f"{directory}/{key}{SUFFIX}"


def shell_line(path: str) -> str:
    """What trips this latch where nothing of ours runs: shipped in the runbooks, tested for its effect."""
    return f"dd if=/dev/urandom of='{path}' bs={FIELD_BYTES} count=1 conv=notrunc"


def trip_path(path: str, *, by: str, reason: str) -> int:
    """Trip a latch from any process; returns the nonce written. The trip comes first, the note of who and why after.

    Raises FileNotFoundError where there is no latch (no bot has run since boot), other OSError where it is not ours.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        nonce = _store_trip(descriptor)
    finally:
        os.close(descriptor)
    leave_note(path, nonce, by, reason)
    return nonce


def latch_keys(directory: str) -> tuple[str, ...]:
    """Keys of the latches of this host."""
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return tuple(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


class Latch:
    """A latch held open by the process that trades."""

    __slots__ = ("_boot", "_clear_image", "_descriptor", "_identity", "broken", "path")

    def __init__(self, directory: str, key: str) -> None:
        """Open the latch, or create it tripped. Raises GuardUnusable."""
        ensure_dir(directory)
        self.path = latch_path(directory, key)
        self.broken = ""  # why it cannot be trusted; then halted until ``repair`` or a restart
        self._boot = b""
        self._descriptor = -1
        self._clear_image = b""
        self._identity = (0, 0)
        self._open()

    # --- read before every write ----------------------------------------------------------------------------------

    def tripped(self) -> bool:
        """Whether no order outside the flatten lane may leave. One read of 128 bytes and one comparison."""
        clear_image = self._clear_image
        try:
            if clear_image and os.pread(self._descriptor, 129, 0) == clear_image:
                return False
        except OSError:
            return True
        return not self._adopt_cleared()

    # --- trip, observe, clear ---------------------------------------------------------------------------------------

    def trip(self, by: str, reason: str) -> int:
        """Trip it from within; returns the nonce. A latch that cannot be written is broken, so it halts as well."""
        try:
            nonce = _store_trip(self._descriptor)
        except OSError as error:
            self._break(f"cannot be written: {error.strerror}")
            return 0
        leave_note(self.path, nonce, by, reason)
        return nonce

    def observe(self) -> int:
        """The nonce of the last trip: to be handed to ``clear`` once the checks have passed. 0: unreadable."""
        data = self._read()
        return _number(data[:FIELD_BYTES]) if data else 0

    def clear(self, nonce: int) -> bool:
        """Copy the trip observed as ``nonce`` into ``cleared``. False: still halted, tripped again since, or broken.

        A trip that comes in between this read and this write stays a trip: the two fields then differ.
        """
        data = self._read()
        if not data or not nonce or _number(data[:FIELD_BYTES]) != nonce:
            return False
        try:
            os.pwrite(self._descriptor, data[:FIELD_BYTES], FIELD_BYTES)
        except OSError as error:
            self._break(f"cannot be written: {error.strerror}")
            return False
        return self._adopt_cleared()

    def note(self, nonce: int) -> Note | None:
        """Who wrote this nonce, and why; None where nobody left word (the shell line, a full disk, not yet)."""
        return read_note(self.path, nonce)

    # --- trust --------------------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Look whether path and descriptor still are the file that was opened. "", or why it is broken for good.

        The watcher calls it every 50 ms, from its own thread.
        """
        if not self.broken:
            try:
                status = os.stat(self.path, follow_symlinks=False)
            except OSError as error:
                self._break(f"cannot be found: {error.strerror}")
            else:
                if (status.st_dev, status.st_ino) != self._identity:
                    self._break("was replaced by another file")
                else:
                    self._read()
        return self.broken

    def repair(self) -> None:
        """Open it anew, tripped, after it broke: the first step of arming again. Raises GuardUnusable."""
        self.close()
        self._open()
        self.broken = ""  # last: until here the watcher could have held the new file against the old one
        if not self.tripped():
            self.trip("holdfast", "the latch had been broken")

    def close(self) -> None:
        """Close the descriptor: from here on it reads as tripped. Closing twice does nothing."""
        self._clear_image = b""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _break(self, why: str) -> None:
        self.broken = f"{self.path}: {why}"
        self._clear_image = b""

    def _adopt_cleared(self) -> bool:
        """Whether it is cleared now; then what it looks like is what ``tripped`` compares with."""
        data = self._read()
        if not data or _is_tripped(data):
            return False
        self._clear_image = data
        if self.broken:  # the watcher found it so in between, from its thread
            self._clear_image = b""
        return not self.broken

    def _read(self) -> bytes:
        """The whole latch; empty, and broken, when it is not what a latch of this boot looks like."""
        if self.broken:
            return b""
        try:
            data = os.pread(self._descriptor, LATCH_BYTES + 1, 0)
        except OSError as error:
            self._break(f"cannot be read: {error.strerror}")
            return b""
        if len(data) != LATCH_BYTES or data[_BOOT_FROM:_BOOT_TO] != self._boot:
            self._break("is not a latch of this boot")
            return b""
        return data

    def _open(self) -> None:
        try:
            self._boot = boot_id().encode()
            for _ in range(_TRIES_MAX):
                try:
                    self._adopt(os.open(self.path, os.O_RDWR | os.O_NOFOLLOW))
                except FileNotFoundError:
                    _create(self.path, self._boot, "no latch of this boot was there at start")
                if self._descriptor >= 0:
                    return
        except OSError as error:
            raise GuardUnusable(f"{self.path}: cannot be used: {error.strerror}") from error
        raise GuardUnusable(f"{self.path}: is being replaced again and again")

    def _adopt(self, descriptor: int) -> None:
        """Take an open file if it is a latch of this boot, else put a new one, tripped, in its place."""
        data = os.pread(descriptor, LATCH_BYTES + 1, 0)
        if len(data) != LATCH_BYTES or data[_BOOT_FROM:_BOOT_TO] != self._boot:
            os.close(descriptor)
            os.unlink(self.path)
            return  # and create it
        status = os.fstat(descriptor)
        self._identity = (status.st_dev, status.st_ino)
        self._descriptor = descriptor
        if not _is_tripped(data):
            self._clear_image = data


def peek(path: str) -> tuple[bool, int] | None:
    """(tripped, nonce) of a latch, without holding or creating it; None where there is none of this boot."""
    try:
        with open(path, "rb") as file:
            data = file.read(LATCH_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) != LATCH_BYTES or data[_BOOT_FROM:_BOOT_TO] != boot_id().encode():
        return None
    return _is_tripped(data), _number(data[:FIELD_BYTES])


def _is_tripped(data: bytes) -> bool:
    return data[:FIELD_BYTES] != data[FIELD_BYTES : 2 * FIELD_BYTES]


def _store_trip(descriptor: int) -> int:
    nonce = (int.from_bytes(os.urandom(8), "big") & _MASK) or 1
    os.pwrite(descriptor, b"%016x" % nonce, 0)
    return nonce


def _number(field: bytes) -> int:
    """The nonce in a field: its hex digits, or for any other bytes a number made of them; never 0."""
    if len(field) == FIELD_BYTES and all(digit in b"0123456789abcdef" for digit in field):
        return int(field, 16) & _MASK
    high, low = int.from_bytes(field[:8], "big"), int.from_bytes(field[8:], "big")
    return ((high * 0x9E3779B97F4A7C15 + low) & _MASK) or 1


def _create(path: str, boot: bytes, why: str) -> None:
    """Put a tripped latch at ``path`` unless one is there by now: whole or not at all. Raises OSError."""
    nonce = (int.from_bytes(os.urandom(8), "big") & _MASK) or 1
    data = b"%016x%s %s holdfast latch v1" % (nonce, _NEVER, boot)
    temporary = f"{path}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, data.ljust(LATCH_BYTES - 1) + b"\n")
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return  # another start was faster; its latch is as tripped as ours
    finally:
        os.unlink(temporary)
    leave_note(path, nonce, "holdfast", why)
