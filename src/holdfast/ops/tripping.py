"""Halting without the bot: which latch is meant, and the store into it. Light, like the latch itself."""

from __future__ import annotations

from collections.abc import Collection

from holdfast.guard.latch import guard_dir, key_of, latch_keys, latch_path, trip_path
from holdfast.ops.errors import NotRunning
from holdfast.ops.target import Target


class LatchUnusable(Exception):
    """A latch that should have been tripped was not: one line. The bot must be stopped some other way, now."""


def latch_of(target: Target) -> str:
    """The path of a bot's latch. Errors: NotRunning when nothing says which one it is."""
    if target.entry is not None and target.entry.latch_path:
        return target.entry.latch_path
    if target.venue and target.account_uid:
        return latch_path(guard_dir(), key_of(venue=target.venue, account=target.account_uid))
    raise NotRunning(f"no bot has run there since boot, so there is no latch to trip ({target.state_dir})")


def trip(target: Target, *, by: str, reason: str) -> str:
    """Trip a bot's latch; returns what was done, in words.

    Errors: NotRunning when there is no latch (no bot since boot: it will start halted); LatchUnusable.
    """
    path = latch_of(target)
    try:
        nonce = trip_path(path, by=by, reason=reason)
    except FileNotFoundError:
        raise NotRunning(f"no bot has run there since boot, so there is no latch to trip ({path})") from None
    except OSError as error:
        raise LatchUnusable(f"the latch could NOT be tripped: {error.strerror} ({path})") from None
    return f"latch tripped, nothing but cancels and flattening leaves from here on (nonce {nonce:016x})"


def trip_rest(done: Collection[str], *, by: str, reason: str) -> list[tuple[str, str]]:
    """Trip every latch of this machine that is not among those done: (its path, empty or what went wrong)."""
    directory = guard_dir()
    tripped: list[tuple[str, str]] = []
    for key in latch_keys(directory):
        path = latch_path(directory, key)
        if path in done:
            continue
        try:
            trip_path(path, by=by, reason=reason)
            tripped.append((path, ""))
        except OSError as error:
            tripped.append((path, f"the latch could NOT be tripped: {error.strerror} ({path})"))
    return tripped
