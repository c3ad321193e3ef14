"""Trips a latch from another process in the middle of a burst: ``python -m tests.process.striker LATCH SIGNAL``.

For each line ``N`` on its standard input it waits until a burst begins and N of its orders are written, stores into
the latch the way ``holdfast halt`` does, and prints when: both clocks, read right before and right after the store;
and how many orders of the burst were written by then.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path

from holdfast.guard.latch import _store_trip
from holdfast.guard.notes import leave_note
from tests.process.strategies import BURSTS, WRITES, counters

WAIT_S_MAX = 20.0


def now_ns() -> tuple[int, int]:
    """(CLOCK_MONOTONIC, CLOCK_BOOTTIME)."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC), time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def main() -> None:
    latch, signal = sys.argv[1], counters(Path(sys.argv[2]))
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # to strike in the burst that it saw begin, however busy the machine is
    descriptor = os.open(latch, os.O_WRONLY | os.O_NOFOLLOW)
    for line in sys.stdin:
        wanted = int(line)
        deadline = time.monotonic() + WAIT_S_MAX
        bursts = signal[BURSTS]
        while wanted and signal[BURSTS] == bursts and time.monotonic() < deadline:
            time.sleep(0.0005)
        start = signal[WRITES]
        target = start + wanted
        while signal[WRITES] < target and time.monotonic() < deadline:
            time.sleep(0.00005)
        before = now_ns()
        nonce = _store_trip(descriptor)
        after = now_ns()
        written = signal[WRITES] - start
        leave_note(latch, nonce, "striker", "in the middle of a burst")
        print(json.dumps({"before": before, "after": after, "written": written}), flush=True)


if __name__ == "__main__":
    main()
