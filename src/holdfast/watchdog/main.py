"""The watchdog's loop: look, judge, page, and act once per death. It waits on an event, never on bot or venue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from holdfast.guard.latch import boot_id, peek
from holdfast.guard.lease import Holder, inspect_lease
from holdfast.ports.last_resort import LastResort
from holdfast.watchdog.access import Access
from holdfast.watchdog.fence import Fence
from holdfast.watchdog.incidents import Incidents
from holdfast.watchdog.orders import Asks, Orders
from holdfast.watchdog.rescue import rescue
from holdfast.watchdog.verdict import Judge, Verdict

LOOK_S: Final = 0.25
DEAD: Final = "bot.dead"
STALLED: Final = "bot.stalled"
UNREADABLE: Final = "bot.unreadable"
UNREACHABLE: Final = "venue.unreachable"
Say = Callable[[str, str], None]


class Watched(Struct, frozen=True, kw_only=True):
    """Whose lease is looked at, and what is done when it stands still."""

    key: str  # names the account on this host
    lease_path: str
    latch_path: str
    dead_after_ns: int
    stalled_after_ns: int
    venue_look_s: float
    stop: tuple[str, ...]
    orders: Orders


def now_mono_ns() -> int:
    """CLOCK_BOOTTIME, as the stamps'."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def look_once(watched: Watched) -> tuple[Verdict, str]:
    """One look, without acting: (verdict, why)."""
    judge = Judge(dead_after_ns=watched.dead_after_ns, stalled_after_ns=watched.stalled_after_ns)
    return judge.once(inspect_lease(watched.lease_path), now_mono_ns=now_mono_ns()), judge.why


class Watchdog:
    """One account's. ``venue`` None: it pages and fences only. ``say(level, text)`` is the log, not the page."""

    def __init__(
        self,
        watched: Watched,
        *,
        venue: LastResort | None,
        incidents: Incidents,
        say: Say,
        ending: threading.Event,
    ) -> None:
        self._watched = watched
        self._venue = venue
        self._incidents = incidents
        self._say = say
        self._ending = ending
        self._judge = Judge(dead_after_ns=watched.dead_after_ns, stalled_after_ns=watched.stalled_after_ns)
        self._access = None if venue is None else Access(venue, look_s=watched.venue_look_s)
        self._rescue: threading.Thread | None = None
        self._fence: Fence | None = None
        self._start = ""  # the incident of starts that come to nothing, until one trades
        self._verdict = Verdict.NOBODY

    def run(self) -> None:
        """Look until told to end."""
        if self._access is not None:
            self._access.start()
        while not self._ending.wait(LOOK_S):
            self._look()
        if self._access is not None:
            self._access.stop()
        if self._rescue is not None:
            self._rescue.join()

    def _look(self) -> None:
        if self._fence is None or not self._fence.holding:
            self._look_at_bot(inspect_lease(self._watched.lease_path))
        gone = "" if self._access is None else self._access.gone
        if gone:
            self._incidents.stands(UNREACHABLE, f"the watchdog's own way to the venue is shut: {gone}")
        else:
            self._incidents.over(UNREACHABLE, "the watchdog reaches the venue again")

    def _look_at_bot(self, found: Holder | str | None) -> None:
        incidents = self._incidents
        before, self._verdict = self._verdict, self._judge.look(found, now_mono_ns=now_mono_ns())
        verdict, why = self._verdict, self._judge.why
        if verdict is not before:
            self._say("info", f"the bot is {verdict.value}" + (f": {why}" if why else ""))
        if isinstance(found, Holder) and found.progress.stepped_mono_ns:
            self._start = ""  # it trades: the next start that dies is another incident
        if verdict is Verdict.DEAD and isinstance(found, Holder):
            self._dead(found, why)
        if verdict is Verdict.STALLED:
            incidents.stands(STALLED, f"{why}; nothing was done about it")
        elif verdict is not Verdict.LATE:
            incidents.over(STALLED, f"the bot is {verdict.value}")
        unreadable = why if verdict is Verdict.UNREADABLE else self._latch_fault(verdict)
        if unreadable:
            incidents.stands(UNREADABLE, f"{unreadable}; whether the bot lives cannot be told")
        elif verdict is not Verdict.LATE:
            incidents.over(UNREADABLE, f"readable again; the bot is {verdict.value}")

    def _latch_fault(self, verdict: Verdict) -> str:
        """Why a living bot's latch cannot be read."""
        if verdict not in {Verdict.ALIVE, Verdict.STALLED}:
            return ""
        try:
            found = peek(self._watched.latch_path)
        except OSError as error:
            return f"{self._watched.latch_path}: cannot be read: {error.strerror}"
        return "" if found else f"{self._watched.latch_path}: is no latch of this boot"

    def _dead(self, holder: Holder, why: str) -> None:
        incident = f"{self._watched.key}-{boot_id()[:8]}-{holder.generation}-{holder.stamp_mono_ns}"
        if not holder.progress.stepped_mono_ns:
            # it died before it traded, and may be started again and again: one incident, not one a try
            incident = self._start = self._start or incident
        if self._incidents.is_over(incident) or (self._rescue is not None and self._rescue.is_alive()):
            return
        self._incidents.begin(DEAD, incident, f"{why}: fencing it; then: {self._watched.orders.policy.value}")
        fence = self._fence = Fence(
            latch_path=self._watched.latch_path,
            lease_path=self._watched.lease_path,
            holder=holder,
            stop=self._watched.stop,
            say=self._warn,
        )
        fence.put()
        self._rescue = threading.Thread(target=self._act, args=(fence,), name="rescue", daemon=True)
        self._rescue.start()

    def _act(self, fence: Fence) -> None:
        def fenced() -> bool:
            return not self._ending.is_set() and fence.tripped()

        asks = Asks(
            fenced=fenced,
            alone=lambda: fenced() and fence.silent(),
            wait=self._ending.wait,
            say=self._warn,
            unresolved=lambda text: self._incidents.unresolved(DEAD, text),
            now_s=time.monotonic,
        )
        try:
            outcome = rescue(self._venue, self._watched.orders, asks)
        except Exception as error:  # noqa: BLE001 - a fault of ours: somebody must look, now, and once
            outcome = f"the rescue broke off, by a fault of ours ({type(error).__name__}: {error}): look at the venue"
        fence.open()
        self._warn(outcome)
        if not self._ending.is_set():
            self._incidents.over(DEAD, outcome)

    def _warn(self, text: str) -> None:
        self._say("warning", text)
