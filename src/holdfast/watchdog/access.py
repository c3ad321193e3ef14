"""Proves now and then that our own way to the venue is open: a watchdog that finds it shut at the death is none."""

from __future__ import annotations

import threading
from typing import Final

from holdfast.ports.last_resort import LastResort, LastResortFailed

AGAIN_S: Final = 2.0
FAILURES_MIN: Final = 2  # one lost reply is no incident


class Access:
    """A thread of its own, so that a venue that does not answer holds up no verdict."""

    def __init__(self, venue: LastResort, *, look_s: float) -> None:
        self.gone = ""  # why it is shut; "" while it is open
        self._venue = venue
        self._look_s = look_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="venue-access", daemon=True)

    def start(self) -> None:
        """Begin with a look at once."""
        self._thread.start()

    def stop(self) -> None:
        """End: waits for a request under way, which is bounded."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while True:
            why = self._look()
            failures = failures + 1 if why else 0
            if failures in {0, FAILURES_MIN}:
                self.gone = why
            if self._ending.wait(min(AGAIN_S, self._look_s) if failures else self._look_s):
                return

    def _look(self) -> str:
        """Why it is shut; "" where it is open."""
        try:
            self._venue.open_orders()
        except LastResortFailed as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours is no way to the venue either
            return f"by a fault of ours ({type(error).__name__}: {error})"
        return ""
