"""Snapshots: whole or ignored, and never of a history that the journal does not have."""

import errno

import pytest

from holdfast.journal import Anchor, latest_snapshot, save_snapshot
from holdfast.journal.snapshots import read_snapshots
from tests.journal.memory_files import MemoryFiles
from tests.journal.records import a_journal, killed, records


def journal_with_snapshots(directory, *, every=10, count=60):
    journal = a_journal(directory)
    for number, record in enumerate(records(count), start=1):
        journal.append(record, number)
        if number % every == 0:
            journal.sync()
            assert save_snapshot(str(directory), journal.head(), b"state %d" % number) is None
    return journal


def newest(directory, **changes):
    found, ignored = latest_snapshot(directory, **changes)
    assert found is not None
    return found, ignored


def test_the_last_three_are_kept_and_the_newest_is_found(tmp_path):
    """Enough to survive a bad one, and no more."""
    journal_with_snapshots(tmp_path).close()

    assert 3 == len(list(tmp_path.glob("snapshot-*")))
    found, ignored = newest(str(tmp_path))
    assert (b"state 60", 59, ()) == (found.payload, found.at.index, ignored)
    found, _ = newest(str(tmp_path), before_index=59)
    assert b"state 50" == found.payload
    assert latest_snapshot(str(tmp_path), before_index=39) == (None, ())


def test_any_flipped_byte_makes_a_snapshot_ignored_with_its_name(tmp_path):
    """A state that nobody had is worse than a slow start."""
    journal_with_snapshots(tmp_path).close()
    path = max(tmp_path.glob("snapshot-*"))
    whole = path.read_bytes()
    for offset in range(len(whole)):
        data = bytearray(whole)
        data[offset] ^= 1
        path.write_bytes(data)
        found, ignored = newest(str(tmp_path))
        assert b"state 50" == found.payload
        assert [path.name] == [one.name for one in ignored]
    for size in (0, 20, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert b"state 50" == newest(str(tmp_path))[0].payload


def test_a_snapshot_ahead_of_the_journal_is_ignored(tmp_path):
    """Taken before a sync that never came: the records behind it are gone."""
    journal_with_snapshots(tmp_path, count=20).close()
    assert save_snapshot(str(tmp_path), Anchor(40, "00" * 16), b"ahead") is None
    found, ignored = newest(str(tmp_path))

    assert b"state 20" == found.payload
    assert ["the journal ends before it"] == [one.why for one in ignored]


def test_a_snapshot_of_another_chain_is_ignored_and_goes_with_the_next(tmp_path):
    """A journal put back from a backup, beside younger snapshots."""
    journal = journal_with_snapshots(tmp_path, count=20)
    assert save_snapshot(str(tmp_path), Anchor(15, "11" * 16), b"other") is None
    assert b"state 10" == newest(str(tmp_path), before_index=16)[0].payload
    assert "another record" in newest(str(tmp_path), before_index=16)[1][0].why
    save_snapshot(str(tmp_path), Anchor(40, "00" * 16), b"ahead")
    assert save_snapshot(str(tmp_path), journal.head(), b"again") is None

    names = [path.name for path in tmp_path.glob("snapshot-*")]
    assert all(name <= "snapshot-00000000000000000019.bin" for name in names)
    killed(journal)


def test_a_snapshot_that_the_disk_refuses_is_told_and_harms_nothing(tmp_path):
    """It is a convenience: a full disk costs a slower start."""
    for at in range(1, 20):
        files = MemoryFiles()
        for index in (1, 2, 3):
            assert save_snapshot("j", Anchor(index, "00" * 16), b"s%d" % index, files=files) is None
        files.fail_at = {files.call_count + at: errno.ENOSPC}
        said = save_snapshot("j", Anchor(4, "00" * 16), b"s4", files=files)
        files.fail_at = {}
        found, ignored = read_snapshots("j", files=files)
        assert () == ignored
        assert 3 <= len(found) <= 4
        if said is None:
            assert b"s4" == found[0].payload
            assert at > 5
            break
        assert "No space left" in said
        assert save_snapshot("j", Anchor(4, "00" * 16), b"s4", files=files) is None
    else:
        pytest.fail("never went through")
