"""What the figures were measured on, and the plain statistics they are told in."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

SYNC_RECORDS: Final = 400
_SYNC_BYTES: Final = 256
_SEGMENT_BYTES: Final = 8 << 20


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of the values lies; they need not be sorted."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return percentile(values, 0.5)


def machine() -> dict[str, Any]:
    """The machine in general words: no name, no address."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "python": platform.python_version(),
        "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def ran_and_waited_ns() -> tuple[int, int]:
    """How long this process ran so far, and how long it was ready to and had no core: what others took from it."""
    ran, waited, _ = Path("/proc/self/schedstat").read_text().split()
    return int(ran), int(waited)


def load() -> list[float]:
    """Load averages (1, 5, 15 minutes): beyond what the benchmark itself needs, the machine was shared."""
    return [round(one, 2) for one in os.getloadavg()]


def disk(directory: Path, records: int = SYNC_RECORDS) -> dict[str, Any]:
    """The disk's own fdatasync, in microseconds: one small record each, on a preallocated file like a segment."""
    path = directory / "fdatasync"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    took_us = []
    try:
        os.posix_fallocate(handle, 0, _SEGMENT_BYTES)
        os.fsync(handle)
        for number in range(records):
            os.pwrite(handle, b"x" * _SYNC_BYTES, number * _SYNC_BYTES)
            began = time.perf_counter_ns()
            os.fdatasync(handle)
            took_us.append((time.perf_counter_ns() - began) / 1_000)
    finally:
        os.close(handle)
        path.unlink()
    return {
        "fdatasync_p50_us": round(percentile(took_us, 0.5), 1),
        "fdatasync_p99_us": round(percentile(took_us, 0.99), 1),
        "records": records,
    }
