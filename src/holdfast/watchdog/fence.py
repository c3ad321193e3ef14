"""The fence: what makes sure that a bot that is thought dead sends nothing, should it not be.

The latch is tripped, so nothing risky leaves. The lease has expired, for no verdict of death comes before its time, so
nothing at all leaves until the bot has looked at itself and been released by a person. A command may end the process.
Where nobody holds the lease any more, a flatten holds it itself: a bot that is started again waits outside.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Final

from holdfast.guard.latch import GuardUnusable, peek, trip_path
from holdfast.guard.lease import SUFFIX, Holder, Lease, inspect_lease

STOP_S_MAX: Final = 20.0
BY: Final = "watchdog"


class Fence:
    """Around one death: the holder that was seen to stand still."""

    def __init__(
        self,
        *,
        latch_path: str,
        lease_path: str,
        holder: Holder,
        stop: Sequence[str],
        say: Callable[[str], None],
    ) -> None:
        self._latch_path = latch_path
        self._lease_path = lease_path
        self._holder = holder
        self._stop = stop
        self._say = say
        self._lease: Lease | None = None
        self._closed = False
        self._stopping: subprocess.Popen[bytes] | None = None

    def put(self) -> None:
        """Trip the latch, and begin to stop the process where that is told. Waits for nothing."""
        try:
            nonce = trip_path(self._latch_path, by=BY, reason="the trading loop stopped renewing its lease")
            self._say(f"fence: latch tripped (nonce {nonce:016x})")
        except OSError as error:
            self._say(f"fence: the latch could not be tripped ({error.strerror}); the lost lease still holds")
        if self._stop:
            try:
                self._stopping = subprocess.Popen(
                    self._stop,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                self._say(f"fence: {self._stop[0]}: {error.strerror}")

    @property
    def holding(self) -> bool:
        """Whether the lease is ours for now."""
        return self._lease is not None

    def _close(self) -> None:
        """Before anything but cancelling: wait for the command's end, and take the lease if nobody has it."""
        if self._stopping is not None:
            try:
                self._say(f"fence: {self._stop[0]} ended with {self._stopping.wait(STOP_S_MAX)}")
            except subprocess.TimeoutExpired:
                self._say(f"fence: {self._stop[0]} has not ended after {STOP_S_MAX:g} s")
        path = PurePath(self._lease_path)
        try:
            self._lease = Lease(
                str(path.parent),
                path.name.removesuffix(SUFFIX),
                by=f"{BY}, until flat",
                now_wall_ns=time.time_ns(),
                now_mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            )
        except GuardUnusable as error:  # a frozen holder keeps it: then its stamp is what we look at
            self._say(f"fence: {error}")

    def open(self) -> None:
        """Give up the lease, if it was taken: a person may start the bot."""
        if self._lease is not None:
            self._lease.let_go()
            self._lease.release()
            self._lease = None

    def tripped(self) -> bool:
        """Whether the latch still halts. One that cannot be read halts too: the bot cannot read it either."""
        try:
            found = peek(self._latch_path)
        except OSError:
            return True
        return found is None or found[0]

    def silent(self) -> bool:
        """Whether the bot shows no sign of life, or cannot: we hold its lease. The first question closes the fence."""
        if not self._closed:
            self._closed = True
            self._close()
        if self._lease is not None:
            return not self._lease.check()
        found = inspect_lease(self._lease_path)
        return (
            isinstance(found, Holder)
            and found.generation == self._holder.generation
            and found.stamp_mono_ns == self._holder.stamp_mono_ns
        )
