"""The watchdog's loop: look, judge, and act once per death. It waits on an event, never on the bot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from holdfast.guard.lease import read_lease
from holdfast.watchdog.act import Canceller, cancel_everything, fence
from holdfast.watchdog.verdict import Judge, Verdict

LOOK_S: Final = 0.25
ROUNDS_MAX: Final = 20
ROUND_S: Final = 1.0


class Watched(Struct, frozen=True, kw_only=True):
    """Whose lease is looked at, and what is done when it stands still."""

    lease_path: str
    latch_path: str
    dead_after_ns: int


def watch(
    watched: Watched,
    client: Canceller | None,
    *,
    say: Callable[[str, str], None],
    ending: threading.Event,
    once: bool = False,
) -> Verdict:
    """Look until told to end (or once). ``say(level, text)`` pages people; it comes first."""
    judge = Judge(dead_after_ns=watched.dead_after_ns)
    acted_for = -1
    verdict = Verdict.NOBODY
    while True:
        holder = read_lease(watched.lease_path)
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        before, verdict = verdict, judge.look(holder, now_mono_ns=now)
        if verdict is not before:
            say("info", f"the bot is {verdict.value}")
        if holder is not None and verdict is Verdict.DEAD and acted_for != holder.generation:
            acted_for = holder.generation
            _act(watched, client, holder.pid, say, ending)
        if once or ending.wait(LOOK_S):
            return verdict


def _act(
    watched: Watched,
    client: Canceller | None,
    pid: int,
    say: Callable[[str, str], None],
    ending: threading.Event,
) -> None:
    say("error", f"the trading loop of process {pid} stopped renewing its lease: fencing and cancelling")
    say("error", fence(watched.latch_path))
    if client is None:
        say("error", "no key of the watchdog's own is configured: nothing was cancelled")
        return
    for _ in range(ROUNDS_MAX):
        if cancel_everything(client, lambda text: say("error", text)) or ending.wait(ROUND_S):
            return
    say("error", f"not everything is cancelled after {ROUNDS_MAX} rounds: cancel by hand")
