"""Exit codes, and the one line that goes with each. docs/reference/exit-codes.md is this table for people."""

from __future__ import annotations

from enum import IntEnum

from holdfast.runtime.redact import Redactor, printable


class Exit(IntEnum):
    """What a process's end means. Numbers never change their meaning."""

    OK = 0
    FAILED = 1  # something unforeseen: a fault of ours
    USAGE = 2  # wrong words, configuration, secrets or operators file
    REFUSED = 3  # understood, and not permitted: a hold, a check, a missing right
    NOT_RUNNING = 4  # no bot, or it does not answer
    JOURNAL_CORRUPT = 5
    BOOKS_DIFFER = 6  # our books and the venue's word, or a run and its replay
    VENUE_UNUSABLE = 7  # unreachable, wrong key, unknown instrument
    LATCH_UNUSABLE = 8  # it could not be tripped: halt some other way, now
    LEASE_HELD = 9  # another instance trades this account, or watches over it
    UNFINISHED = 10  # accepted, and not done in the time given
    INVARIANT_BROKEN = 70  # our own promise, broken: latched and ended
    JOURNAL_FAILED = 71  # the disk refused a write: latched and ended
    INTERRUPTED = 130


class HoldfastError(Exception):
    """An end with a code and one line: what, and where."""

    def __init__(self, exit_code: Exit, what: str, where: str = "") -> None:
        self.exit_code = exit_code
        self.what = what
        self.where = where
        super().__init__(f"{what} ({where})" if where else what)


# By the type's full name, so that saying what an error means does not import what may raise it.
_BY_TYPE = {
    "holdfast.config.errors.ConfigError": Exit.USAGE,
    "holdfast.ops.errors.UsageError": Exit.USAGE,
    "holdfast.ops.errors.Denied": Exit.REFUSED,
    "holdfast.ops.errors.NotRunning": Exit.NOT_RUNNING,
    "holdfast.runtime.socket.SocketUnusable": Exit.USAGE,
    "holdfast.guard.latch.GuardUnusable": Exit.LATCH_UNUSABLE,
    "holdfast.guard.lease.LeaseTaken": Exit.LEASE_HELD,
    "holdfast.strategy.load.StrategyUnusable": Exit.USAGE,
    "holdfast.journal.recording_read.NotARecording": Exit.USAGE,
    "holdfast.journal.recording_read.CorruptRecording": Exit.JOURNAL_CORRUPT,
    "holdfast.ports.venue.VenueUnusable": Exit.VENUE_UNUSABLE,
    "holdfast.ports.journal.OtherAccount": Exit.USAGE,
    "holdfast.ports.journal.JournalFailed": Exit.JOURNAL_FAILED,
    "holdfast.vocab.invariant.InvariantBroken": Exit.INVARIANT_BROKEN,
    "builtins.KeyboardInterrupt": Exit.INTERRUPTED,
}


def exit_of(error: BaseException) -> Exit:
    """The exit code that an error stands for; FAILED where the table has no row for it."""
    if isinstance(error, HoldfastError):
        return error.exit_code
    for kind in type(error).__mro__:
        code = _BY_TYPE.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    return Exit.FAILED


def lines_of(error: BaseException) -> list[str]:
    """What to say on stderr: one line for each problem, never a traceback."""
    if isinstance(error, KeyboardInterrupt):
        return ["holdfast: interrupted"]
    problems = getattr(error, "problems", None) or (str(error) or type(error).__name__,)
    foreseen = isinstance(error, HoldfastError) or exit_of(error) is not Exit.FAILED
    kind = "" if foreseen else f"unexpected {type(error).__name__}: "
    # What nobody foresaw may quote anything, a signed address included.
    redactor = Redactor()
    said = (printable(" ".join(redactor.text(str(problem)).split())) for problem in problems)
    return [f"holdfast: {kind}{line}" for line in said]
