"""Which bots are, or were, running on this machine: one small file each, beside their latches in memory.

It is what lets ``holdfast halt`` find a bot from anywhere and without its configuration. Read with the light
half of the standard library, for the same reason as the table of commands.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from holdfast.guard.latch import ensure_dir, guard_dir

ENTRIES_MAX: Final = 500
DEAD_MAX: Final = 20
ENTRY_BYTES_MAX: Final = 16_384
_SOCKET_PATH_BYTES_MAX: Final = 107


class Entry(NamedTuple):
    """One bot: where its latch and its socket are. ``config_path`` is empty for the demonstration."""

    account: str
    venue: str
    account_uid: str
    pid: int
    pid_start_ticks: int
    socket_path: str
    state_dir: str
    config_path: str
    latch_path: str
    started_wall_ns: int

    @property
    def alive(self) -> bool:
        """True while that very process lives; a later process with the same number is another."""
        return self.pid > 0 and start_ticks(self.pid) == self.pid_start_ticks


def run_dir() -> Path:
    """The directory of the entries: a reboot empties it, as it empties the latches."""
    return Path(guard_dir()) / "bots"


def socket_path(state_dir: Path) -> Path:
    """Where a bot with this state directory listens: in it, or under a hash where that path is too long."""
    path = state_dir.resolve() / "control.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES_MAX:
        return path
    return run_dir() / f"{_key(state_dir)}.sock"


def ensure_run_dir() -> Path:
    """The directory of entries, and of sockets with long names; made where missing. Errors: OSError, GuardUnusable."""
    return _owned(run_dir())


def register(entry: Entry) -> Path:
    """Write the entry, replacing the one of an earlier start from the same state directory.

    Errors: OSError, GuardUnusable; the caller says so and goes on, for a bot must not fail over its own signpost.
    """
    directory = ensure_run_dir()
    path = directory / f"{_key(Path(entry.state_dir))}.json"
    new = path.with_suffix(f".new-{os.getpid()}")
    new.write_text(json.dumps(entry._asdict()), encoding="utf-8")
    new.replace(path)
    _prune(directory)
    return path


def entry_here(
    *,
    account: str,
    venue: str,
    account_uid: str,
    state_dir: Path,
    config_path: str,
    latch_path: str,
    wall_ns: int,
) -> Entry:
    """The entry of this very process."""
    return Entry(
        account=account,
        venue=venue,
        account_uid=account_uid,
        pid=os.getpid(),
        pid_start_ticks=start_ticks(os.getpid()),
        socket_path=str(socket_path(state_dir)),
        state_dir=str(state_dir.resolve()),
        config_path=str(Path(config_path).resolve()) if config_path else "",
        latch_path=latch_path,
        started_wall_ns=wall_ns,
    )


def unregister(path: Path) -> None:
    """At a clean stop: the entry stays, with no process, so that a stopped bot can still be halted.

    Errors: OSError.
    """
    entry = _read(path)
    if entry is not None:
        register(entry._replace(pid=0, pid_start_ticks=0))


def entries() -> list[Entry]:
    """Every readable entry, by account. Broken files are left out: whoever halts needs the others."""
    directory = run_dir()
    if not directory.is_dir() or os.geteuid() not in {directory.stat().st_uid, 0}:
        return []
    found = [_read(path) for path in sorted(directory.glob("*.json"))[:ENTRIES_MAX]]
    return sorted(
        (entry for entry in found if entry is not None), key=lambda one: (one.account, one.state_dir)
    )


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 where there is none (or it is a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in {"Z", "X"} else int(fields[19])


def _prune(directory: Path) -> None:
    """Forget all but the newest of the bots without a process, so that the directory stays small."""
    dead = [
        (entry.started_wall_ns, path)
        for path in directory.glob("*.json")
        if (entry := _read(path)) is not None and not entry.alive
    ]
    for _, path in sorted(dead)[:-DEAD_MAX]:
        path.unlink(missing_ok=True)


def _read(path: Path) -> Entry | None:
    try:
        raw: Any = json.loads(path.read_bytes()[:ENTRY_BYTES_MAX])
        entry = Entry(**raw)
    except (OSError, ValueError, TypeError):
        return None
    numbers = (entry.pid, entry.pid_start_ticks, entry.started_wall_ns)
    texts = set(entry) - set(numbers)
    whole = all(isinstance(one, int) for one in numbers) and all(isinstance(one, str) for one in texts)
    return entry if whole else None


def _key(state_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]


def _owned(directory: Path) -> Path:
    """Errors: OSError, GuardUnusable when it is somebody else's: then its files say what somebody else wants."""
    ensure_dir(str(directory.parent))
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to another user")
    return directory
