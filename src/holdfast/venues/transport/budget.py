"""One rate budget for everything that goes to a venue, with lanes: a cancel never waits behind a read.

The venue counts in fixed windows and says in its reply headers how far we are; our own count runs ahead of
it in between. Only reads ever wait here. A risk order that does not fit is refused at once (Transient, with
the time to wait); cancels and the flatten lane use the whole budget, the reserve of the others included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from holdfast.vocab.orders import Lane
from holdfast.vocab.units import PPM

READS_WAITING_MAX: Final = 64


class Window(Struct, frozen=True, kw_only=True):
    """One of the venue's limits: ``limit`` units per ``interval_ms``, counted from the epoch in its time.

    ``orders``: counts orders, else request weight. ``header``: where replies say how much is used, lower case.
    """

    name: str
    limit: int
    interval_ms: int
    orders: bool
    header: str = ""


class Reserve(Struct, frozen=True, kw_only=True):
    """How much of each window a lane leaves to the lanes above it, in parts per million."""

    read_ppm: int = 400_000
    risk_ppm: int = 150_000


class _Used:
    __slots__ = ("period", "units")

    def __init__(self) -> None:
        self.period = -1
        self.units = 0


class Budget:
    """The account's rate budget at one venue. ``venue_ms`` is the venue's clock."""

    def __init__(
        self,
        windows: tuple[Window, ...],
        *,
        venue_ms: Callable[[], int],
        reserve: Reserve | None = None,
        read_wait_ms_max: int = 5_000,
    ) -> None:
        self._windows = windows
        self._used = {window.name: _Used() for window in windows}
        self._venue_ms = venue_ms
        self._reserve = reserve or Reserve()
        self._read_wait_ms_max = read_wait_ms_max
        self._blocked_until_ms = 0
        self._banned_until_ms = 0
        self._reads_waiting = 0
        self.is_told = False  # by the venue itself, in some reply's headers

    def set_windows(self, windows: tuple[Window, ...]) -> None:
        """The venue's own limits, once they are known. What was counted under the same name stays."""
        self._windows = windows
        self._used = {window.name: self._used.get(window.name) or _Used() for window in windows}

    def take(self, lane: Lane, *, weight: int, orders: int = 0) -> int:
        """Spend, if it fits. Returns 0 when spent, else the milliseconds until asking again makes sense.

        Banned (418): nothing goes, asking prolongs the ban. Told to slow down (429): only cancels and flatten.
        """
        now_ms = self._venue_ms()
        urgent = lane is Lane.CANCEL or lane is Lane.FLATTEN
        until_ms = self._banned_until_ms if urgent else max(self._banned_until_ms, self._blocked_until_ms)
        if until_ms > now_ms:
            return until_ms - now_ms
        for window in self._windows:
            asked = orders if window.orders else weight
            used = self._current(window, now_ms)
            # A cancel costs no order count, and weight is the venue's to refuse: it always goes.
            if asked and lane is not Lane.CANCEL and used.units + asked > self._share(window, lane):
                return window.interval_ms - now_ms % window.interval_ms
        for window in self._windows:
            self._current(window, now_ms).units += orders if window.orders else weight
        return 0

    async def take_or_wait(self, lane: Lane, *, weight: int, orders: int = 0) -> int:
        """As ``take``; a read waits for its turn, within limits. Returns 0 when spent."""
        wait_ms = self.take(lane, weight=weight, orders=orders)
        if not wait_ms or lane is not Lane.READ:
            return wait_ms
        if self._reads_waiting >= READS_WAITING_MAX:
            return wait_ms
        self._reads_waiting += 1
        waited_ms = 0
        try:
            while wait_ms and waited_ms + wait_ms <= self._read_wait_ms_max:
                await asyncio.sleep(wait_ms / 1_000)
                waited_ms += wait_ms
                wait_ms = self.take(lane, weight=weight, orders=orders)
        finally:
            self._reads_waiting -= 1
        return wait_ms

    def told(self, *, status: int | None, headers: dict[str, str]) -> None:
        """What a reply says of the budget: used units in its headers, 429 and 418 with Retry-After."""
        now_ms = self._venue_ms()
        for window in self._windows:
            units = _whole(headers.get(window.header, "")) if window.header else None
            if units is not None:
                self.is_told = True
                used = self._current(window, now_ms)
                used.units = max(used.units, units)
        if status in (418, 429):
            retry_s = _whole(headers.get("retry-after", ""))
            until_ms = now_ms + (retry_s if retry_s is not None else 60) * 1_000
            if status == 418:
                self._banned_until_ms = max(self._banned_until_ms, until_ms)
            else:
                self._blocked_until_ms = max(self._blocked_until_ms, until_ms)

    def used(self) -> dict[str, tuple[int, int]]:
        """Per window: (used, limit) now, for people and metrics."""
        now_ms = self._venue_ms()
        return {w.name: (self._current(w, now_ms).units, w.limit) for w in self._windows}

    def retry_ms(self) -> int:
        """How long the venue told everybody to wait, 0 if it did not."""
        now_ms = self._venue_ms()
        return max(0, self._banned_until_ms - now_ms, self._blocked_until_ms - now_ms)

    def _share(self, window: Window, lane: Lane) -> int:
        if lane is Lane.READ:
            return window.limit - window.limit * self._reserve.read_ppm // PPM
        if lane is Lane.RISK:
            return window.limit - window.limit * self._reserve.risk_ppm // PPM
        return window.limit

    def _current(self, window: Window, now_ms: int) -> _Used:
        used = self._used[window.name]
        period = now_ms // window.interval_ms
        if used.period != period:
            used.period = period
            used.units = 0
        return used


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
