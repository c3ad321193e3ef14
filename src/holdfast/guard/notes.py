"""Notes beside the latch: who tripped it, when, why. JSON lines, bounded, best effort: a trip never waits for one."""

# ruff: noqa: PTH123 - pathlib takes milliseconds to import that `holdfast halt` does not have

from __future__ import annotations

import os
import time

CHARS_MAX = 500
NOTES_BYTES_MAX = 64 << 10


class Note:
    """Who tripped the latch, and why."""

    __slots__ = ("by", "nonce", "pid", "reason", "wall_ns")

    def __init__(self, *, nonce: int, by: str, reason: str, wall_ns: int, pid: int) -> None:
        self.nonce = nonce
        self.by = by
        self.reason = reason
        self.wall_ns = wall_ns
        self.pid = pid


def read_note(path: str, nonce: int) -> Note | None:
    """The note left with a trip of the latch at ``path``; None where there is none."""
    try:
        with open(notes_path(path), "rb") as file:
            lines = file.read(2 * NOTES_BYTES_MAX).splitlines()
    except OSError:
        return None
    return next((note for line in reversed(lines) if (note := _parse(line)) and note.nonce == nonce), None)


def _parse(line: bytes) -> Note | None:
    """The note in a line; None for somebody else's line, or half of one."""
    import json

    try:
        said = json.loads(line)
        return Note(
            nonce=int(said["nonce"]),
            by=str(said["by"]),
            reason=str(said["reason"]),
            wall_ns=int(said["wall_ns"]),
            pid=int(said["pid"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def notes_path(latch_path: str) -> str:
    """The file beside a latch."""
    return latch_path.removesuffix(".latch") + ".who"


def leave_note(path: str, nonce: int, by: str, reason: str) -> bool:
    """Leave word of who tripped it and why. False when that failed: the trip stands all the same."""
    import json

    said = {
        "nonce": nonce,
        "by": by[:CHARS_MAX],
        "reason": reason[:CHARS_MAX],
        "wall_ns": time.time_ns(),
        "pid": os.getpid(),
    }
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(notes_path(path), flags, 0o600)
        try:
            if os.fstat(descriptor).st_size > NOTES_BYTES_MAX:
                os.ftruncate(descriptor, 0)  # bounded: the journal has the old ones
            os.write(descriptor, json.dumps(said).encode() + b"\n")
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True
