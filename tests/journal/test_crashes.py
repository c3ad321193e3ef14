"""The machine or the process stops at every single call to the file system: nothing promised is lost."""

import errno
import random
from contextlib import suppress
from copy import deepcopy
from itertools import count
from typing import Any

import pytest

from holdfast.journal import iterate, open_for_append, save_snapshot, segments, verify
from holdfast.ports.journal import JournalFailed
from tests.journal.memory_files import Crash, MemoryFiles
from tests.journal.records import SMALL, records

RECORDS = records(60)
OPEN: dict[str, Any] = {"account": "uid-1", **SMALL, "segment_bytes": 2048, "reserve_bytes": 512}


@pytest.fixture(autouse=True, params=[segments.UNMEASURED_ROOM_BYTES, 300], ids=["measured", "unmeasured"])
def room(request, monkeypatch):
    """Segments as small as these are always measured, unless told that so little room is plenty."""
    monkeypatch.setattr(segments, "UNMEASURED_ROOM_BYTES", request.param)


class Life:
    """A process that journals a fixed script, and remembers what it was promised."""

    def __init__(self, *, sync_every=3, snapshots=True):
        self.sync_every = sync_every
        self.snapshots = snapshots
        self.synced_count = 0
        self.appended_count = 0
        self.saved_index = -1

    def run(self, files):
        journal = open_for_append("j", files=files, **OPEN).journal
        self.synced_count = max(self.synced_count, journal.record_count)
        self.appended_count = max(self.appended_count, journal.record_count)
        for number in range(journal.record_count, len(RECORDS)):
            self.appended_count = number + 1
            journal.append(RECORDS[number], number)
            if number % self.sync_every == 0:
                journal.sync()
                self.synced_count = number + 1
            elif number % 3 == 1:
                journal.write()
            if number % 20 == 0 and self.snapshots:
                journal.sync()
                self.synced_count = number + 1
                assert save_snapshot("j", journal.head(), b"state %d" % number, files=files) is None
                self.saved_index = number
        journal.close()
        self.synced_count = len(RECORDS)


def check(files, life):
    """What is there is a prefix of what was appended, with everything that had been synced."""
    opened = open_for_append("j", files=files, **OPEN)
    found = [record for _, _, record in iterate("j", files=files)]
    assert RECORDS[: len(found)] == found
    assert life.synced_count <= len(found) <= life.appended_count
    assert len(found) == opened.journal.record_count
    if life.saved_index >= 0:
        assert opened.snapshot is not None
        assert life.saved_index <= opened.snapshot.at.index < len(found)
    return opened


def crash_points(*, torn=False, **script):
    """The script, stopped at its first, second, … call until a run completes."""
    for at in count(1):
        files, life = MemoryFiles(), Life(**script)
        files.crash_at, files.torn = at, torn
        try:
            life.run(files)
        except Crash:
            files.crash_at = None
            yield at, files, life
        else:
            assert at > 60  # every call of a script of this length was broken once
            return


@pytest.mark.parametrize("torn", [False, True])
def test_a_process_killed_at_any_call_loses_nothing_that_was_written(torn):
    """kill -9: what the operating system has, it keeps."""
    for _, files, life in crash_points(torn=torn):
        files.kill()
        check(files, life).journal.close()
        life.run(files)
        assert RECORDS == [record for _, _, record in iterate("j", files=files)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize(
    "script", [{}, {"sync_every": 17, "snapshots": False}, {"sync_every": 1, "snapshots": False}]
)
def test_a_power_loss_at_any_call_loses_nothing_that_was_synced(script, torn, seed):
    """The promise is the synced prefix; what lies behind it is cut without asking, not called corrupt."""
    for at, files, life in crash_points(torn=torn, **script):
        files.lose_power(random.Random(f"{seed} {at}"))
        check(files, life).journal.close()
        life.run(files)
        assert RECORDS == [record for _, _, record in iterate("j", files=files)]
        assert verify("j", files=files).ok


def test_recovery_may_itself_be_stopped_at_any_call():
    """I24: crash in recovery, recover again, same result."""
    for at, files, life in crash_points(torn=False):
        files.lose_power(random.Random(at))
        for again in count(1):
            files.call_count, files.crash_at = 0, again
            try:
                opened = check(files, life)
            except Crash:
                files.crash_at = None
                files.lose_power(random.Random(f"{at} {again}"))
            else:
                files.crash_at = None
                opened.journal.close()
                break
        if at % 7 == 0:
            life.run(files)
            assert verify("j", files=files).ok


def power_lost_in_recovery(files, at):
    """What is left of a killed life's disk where the next one loses power at its first, second, … call, and behind."""
    files.kill()
    for again in count(1):
        left = deepcopy(files)
        left.call_count, left.crash_at = 0, again
        try:
            open_for_append("j", files=left, **OPEN)
        except Crash:
            through = False
        else:
            through = True
        left.crash_at = None
        left.lose_power(random.Random(f"{at} {again}"))
        yield left
        if through:
            return


def test_a_power_loss_during_the_recovery_from_a_kill_loses_nothing_that_was_synced():
    """What the killed process had only written is read back, and still not on the disk: nothing may vouch for it."""
    for at, files, life in crash_points(sync_every=17, snapshots=False):
        for left in power_lost_in_recovery(files, at):
            check(left, life)


def test_a_full_disk_behind_a_kill_and_a_power_loss_takes_no_segment_away():
    """A life begins a segment and is killed, the next one prepares another behind it and loses power, and the third
    finds no space: what stands there stays, or what stands behind it would hang in the air.
    """
    for at, files, life in crash_points(sync_every=17, snapshots=False):
        for left in power_lost_in_recovery(files, at):
            left.refuses = lambda name: errno.ENOSPC if name == "allocate" else 0
            with suppress(JournalFailed):  # where not even the first could be had
                open_for_append("j", files=left, **OPEN)
            left.kill()
            left.refuses = lambda name: 0
            check(left, life)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_any_call_that_fails_either_does_not_matter_or_ends_the_journal(code):
    """A failed write or sync is never papered over: nothing is promised after it."""
    ended = 0
    for at in count(1):
        files, life = MemoryFiles(), Life()
        files.fail_at = {at: code}
        try:
            life.run(files)
        except (JournalFailed, AssertionError):
            ended += 1
        if files.call_count < at:
            break
        files.fail_at = {}
        files.lose_power(random.Random(at))
        check(files, life).journal.close()
    assert ended > 50


def test_a_failed_sync_is_the_end_even_when_the_disk_recovers():
    """After a failed fsync nobody knows what reached the disk: trying again would be a lie."""
    files = MemoryFiles()
    journal = open_for_append("j", files=files, **OPEN).journal
    journal.append(RECORDS[0], 0)
    journal.write()
    files.fail_at = {files.call_count + 1: errno.EIO}
    with pytest.raises(JournalFailed, match="cannot sync: Input/output error"):
        journal.sync()
    files.fail_at = {}

    for act in (journal.sync, journal.write, lambda: journal.append(RECORDS[1], 0)):
        with pytest.raises(JournalFailed, match="cannot sync"):
            act()
    journal.close()
    assert 1 == verify("j", files=files).record_count


def test_short_writes_are_completed():
    """A write may take less than it was given: the rest is not forgotten."""

    class Grudging(MemoryFiles):
        def write(self, handle, data, offset):
            return super().write(handle, bytes(data)[:7], offset)

    files, life = Grudging(), Life()
    life.run(files)

    assert RECORDS == [record for _, _, record in iterate("j", files=files)]
