"""A thread that looks after the guard's files, whatever the loop is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from holdfast.guard.latch import Latch
from holdfast.guard.lease import Lease

INTERVAL_S: Final = 0.05


class GuardWatch:
    """Checks latch and lease every 50 ms; what is found wrong is at once what dispatch reads.

    ``on_change`` is called from the thread whenever the latch trips or clears, or one of the files breaks: the
    runtime passes something that wakes its loop, and looks for itself.
    """

    def __init__(
        self,
        *,
        latch: Latch,
        lease: Lease | None,
        on_change: Callable[[], None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self.failed_count = 0  # calls of ``on_change`` that found the loop closed
        self._latch = latch
        self._lease = lease
        self._on_change = on_change
        self._interval_s = interval_s
        self._seen = (True, 0, "", "")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guard-watch", daemon=True)

    def start(self) -> None:
        """Begin: what changes from here on is told."""
        self._seen = self._look()
        self._thread.start()

    def stop(self) -> None:
        """End, before latch and lease are closed."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self._interval_s):
            now = self._look()
            if now != self._seen:
                self._seen = now
                self._tell()

    def _look(self) -> tuple[bool, int, str, str]:
        latch, lease = self._latch, self._lease
        broken = latch.check()
        return latch.tripped(), latch.observe(), broken, lease.check() if lease else ""

    def _tell(self) -> None:
        try:
            self._on_change()
        except RuntimeError:  # the loop is closed: the flags that dispatch reads stand all the same
            self.failed_count += 1
