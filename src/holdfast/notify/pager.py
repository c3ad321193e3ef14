"""Sends pages on their ways. A way that is slow or gone holds up neither its caller nor the other ways.

Each way has a queue and a thread of its own. A page that got nowhere in time is handed to ``lost``; so is one that
finds the queue full. A page may arrive twice where a reply was lost: its name is the same, so receivers can tell.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from holdfast.vocab.pages import Page

QUEUE_MAX: Final = 64
TRY_S_MAX: Final = 300.0
PAUSE_S_MIN: Final = 0.25
PAUSE_S_MAX: Final = 10.0


class NotDelivered(Exception):
    """It did not arrive, or nobody said that it did: one line without a secret."""


class Way(Protocol):
    """One way to a person. ``deliver`` blocks, for a bounded time. Errors: NotDelivered."""

    name: str

    def deliver(self, page: Page) -> None: ...


class WaysPager:
    """See ``ports.pager``."""

    def __init__(
        self,
        ways: Sequence[Way],
        *,
        lost: Callable[[str, Page, str], None],
        try_s_max: float = TRY_S_MAX,
    ) -> None:
        """``lost(way, page, why)`` is called from the way's thread, or from ``page`` where a queue is full."""
        self._lost = lost
        self._try_s_max = try_s_max
        self._ending = threading.Event()
        self._lanes: list[tuple[Way, queue.Queue[Page | None], threading.Thread]] = []
        for way in ways:
            waiting: queue.Queue[Page | None] = queue.Queue(QUEUE_MAX)
            thread = threading.Thread(
                target=self._run, args=(way, waiting), name=f"pager-{way.name}", daemon=True
            )
            self._lanes.append((way, waiting, thread))
            thread.start()

    def page(self, page: Page) -> None:
        """Send it on every way. Returns at once."""
        for way, waiting, _ in self._lanes:
            try:
                waiting.put_nowait(page)
            except queue.Full:
                self._lost(way.name, page, f"{QUEUE_MAX} pages wait before it")

    def close(self, wait_s: float) -> None:
        """Deliver what waits, for so long at most; what does not get there is said to be lost."""
        deadline = time.monotonic() + wait_s
        for _, waiting, _ in self._lanes:
            try:
                waiting.put_nowait(None)
            except queue.Full:
                self._ending.set()
        for _, _, thread in self._lanes:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._ending.set()
        for _, _, thread in self._lanes:
            thread.join()

    def _run(self, way: Way, waiting: queue.Queue[Page | None]) -> None:
        while True:
            try:
                page = waiting.get(timeout=PAUSE_S_MIN)
            except queue.Empty:
                if self._ending.is_set():
                    return
                continue
            if page is None:
                return
            why = self._send(way, page)
            if why:
                self._lost(way.name, page, why)

    def _send(self, way: Way, page: Page) -> str:
        """Try until it arrived, the time is over, or we end. "", or why it did not."""
        deadline = time.monotonic() + self._try_s_max
        pause_s = PAUSE_S_MIN
        while True:
            try:
                way.deliver(page)
            except NotDelivered as error:
                if time.monotonic() + pause_s > deadline or self._ending.wait(pause_s):
                    return str(error)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
            else:
                return ""
