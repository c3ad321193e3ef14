"""The dead switch within the process: a thread that notices that the trading loop stands still, trips, and acts.

It needs nothing of the loop: it reads the stamp that only the loop's own renewal moves, trips the latch by itself, and
what it does then (cancelling by a client of its own) it does on its own thread. What it cannot survive is what stops
its process: for that there is the watchdog, and the venue's own switch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from holdfast.guard.latch import Latch
from holdfast.guard.lease import Lease
from holdfast.guard.stillness import Stillness

LOOK_S: Final = 0.05
STEP_NS_MAX: Final = 250_000_000
BY: Final = "dead switch"


class DeadSwitch:
    """Judges by the stamp of the lease; acts once for each time that the loop stands still.

    ``act`` is called from the thread after the latch was tripped. It gets a question to ask before each step of its own
    (False once the loop runs again, the account is somebody else's, or we are told to end) and the one way to wait, in
    seconds. It must not need the loop.
    """

    def __init__(
        self,
        *,
        latch: Latch,
        lease: Lease,
        hung_after_ns: int,
        clock_ns: Callable[[], int],
        act: Callable[[Callable[[], bool], Callable[[float], bool]], None],
        look_s: float = LOOK_S,
    ) -> None:
        self.acted_count = 0
        self._latch = latch
        self._lease = lease
        self._hung_after_ns = hung_after_ns
        self._clock_ns = clock_ns
        self._act = act
        self._look_s = look_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead-switch", daemon=True)

    def start(self) -> None:
        """Begin, once the loop renews the lease."""
        self._thread.start()

    def stop(self) -> None:
        """End: waits for a step under way, which is bounded."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        stillness = Stillness(step_ns_max=STEP_NS_MAX)
        acted_on = -1
        while not self._ending.wait(self._look_s):
            stamp = self._lease.stamp_mono_ns
            still_ns = stillness.look(stamp, now_mono_ns=self._clock_ns())
            if self._lease.ended or still_ns < self._hung_after_ns or stamp == acted_on:
                continue
            acted_on = stamp
            self.acted_count += 1
            self._latch.trip(BY, f"the trading loop has stood still for {still_ns // 1_000_000} ms")
            self._act(partial(self._still_ours, stamp), self._ending.wait)

    def _still_ours(self, stamp: int) -> bool:
        """Whether the loop still stands where it stood, and nobody else has the account."""
        lease = self._lease
        return not self._ending.is_set() and lease.stamp_mono_ns == stamp and not lease.contested()
