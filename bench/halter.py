"""Another process that halts a bot: ``python -m bench.halter LATCH``, then one delay in seconds a line.

Answers each line with the times just before and just after its store (CLOCK_BOOTTIME, nanoseconds).
"""

from __future__ import annotations

import os
import sys
import time

from holdfast.guard.latch import _store_trip


def main() -> None:
    """Until our standard input ends."""
    descriptor = os.open(sys.argv[1], os.O_WRONLY)
    print("ready", flush=True)
    for line in sys.stdin:
        time.sleep(float(line))
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        _store_trip(descriptor)
        print(before_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME), flush=True)


if __name__ == "__main__":
    main()
