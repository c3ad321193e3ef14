"""Opening again: a torn tail is cut and told, everything whole is kept, and somebody else's journal is left alone."""

import subprocess
import sys

import pytest

from holdfast.journal import iterate, open_for_append, save_snapshot, verify
from holdfast.ports.journal import JournalFailed
from tests.journal.records import SMALL, a_journal, a_timer, an_approval, killed, records


def reopen(directory, **changes):
    return open_for_append(str(directory), account="uid-1", **{**SMALL, **changes})


def test_a_record_torn_at_any_byte_is_cut_and_told(tmp_path):
    """What a power loss does to the last write; nothing before it may suffer."""
    journal = a_journal(tmp_path, 9, sync_every=3)
    path = tmp_path / "journal-000000.seg"
    before = journal.head()
    start = journal._base
    journal.append(an_approval(77), 10)
    journal.write()
    end = journal._base
    killed(journal)
    whole = path.read_bytes()

    for cut in range(start, end):
        path.write_bytes(whole[:cut].ljust(len(whole), b"\0"))
        opened = reopen(tmp_path)
        if whole[start:end] == path.read_bytes()[start:end]:
            assert opened.tail is None  # the bytes torn off were zeros anyway
        elif cut == start:
            assert opened.tail is None
        else:
            assert opened.tail is not None
            assert (path.name, start) == (opened.tail.segment, opened.tail.offset)
            assert (before.index, before.hash_hex) == (opened.tail.last_index, opened.tail.last_hash_hex)
            assert 0 < opened.tail.cut_bytes <= cut - start
            assert 9 == opened.journal.record_count
        opened.journal.append(a_timer(5), 0)
        opened.journal.close()
        report = verify(str(tmp_path))
        assert report.ok
        assert report.tail is None
        assert records(9) == [record for _, _, record in iterate(str(tmp_path))][:9]
        for other in tmp_path.glob("*"):
            other.unlink()
        path.write_bytes(whole)


def test_a_flipped_bit_in_the_last_batch_of_a_killed_process_is_cut_and_told(tmp_path):
    """Nothing vouches for it: it cannot be told from a tear, so it is reported, with the place for the anchors."""
    journal = a_journal(tmp_path, 8, sync_every=4)
    told = journal.anchor()
    for number in range(3):
        journal.append(an_approval(number + 50), 10)
    journal.write()
    killed(journal)
    path = tmp_path / "journal-000000.seg"
    data = bytearray(path.read_bytes())
    end = len(path.read_bytes().rstrip(b"\0"))
    data[end - 100] ^= 4
    path.write_bytes(data)

    assert verify(str(tmp_path)).tail is not None
    assert verify(str(tmp_path)).ok
    opened = reopen(tmp_path, anchors=[told])
    assert opened.tail is not None
    assert opened.tail.last_index == 7  # what one write appended goes as a whole
    assert () == opened.anchor_faults
    opened.journal.close()


def test_a_tear_before_durable_bytes_is_not_a_tear(tmp_path):
    """A later sync vouches for what came before it: that is rot, and the start refuses."""
    journal = a_journal(tmp_path, 8, sync_every=4)
    middle = journal._base
    for number in range(2):
        journal.append(an_approval(number + 50), 10)
    journal.sync()
    journal.append(a_timer(), 11)
    journal.write()
    killed(journal)
    path = tmp_path / "journal-000000.seg"
    data = bytearray(path.read_bytes())
    data[middle + 60] ^= 1
    path.write_bytes(data)

    with pytest.raises(
        JournalFailed, match=r"journal-000000\.seg: record 8 at byte \d+: the payload's checksum"
    ):
        reopen(tmp_path)


def test_recovering_twice_is_recovering_once(tmp_path):
    """I24: a second recovery finds nothing to do."""
    killed(a_journal(tmp_path, 30))
    path = tmp_path / "journal-000001.seg"
    path.write_bytes(path.read_bytes()[:-50] + b"x" * 50)
    first = reopen(tmp_path)
    killed(first.journal)
    after = {name: name.read_bytes() for name in tmp_path.glob("*")}
    second = reopen(tmp_path)
    killed(second.journal)

    assert first.tail is not None
    assert second.tail is None
    assert first.journal.record_count == second.journal.record_count
    assert after == {name: name.read_bytes() for name in tmp_path.glob("*")}


def test_the_chain_goes_on_where_it_ended(tmp_path):
    """A restart is not a new beginning: one chain over the life of an account."""
    for start in range(0, 100, 10):
        journal = reopen(tmp_path).journal
        assert start == journal.record_count
        for record in records(10, start):
            journal.append(record, start)
        if start % 20:
            journal.close()
        else:
            journal.write()
            killed(journal)

    assert records(100) == [record for _, _, record in iterate(str(tmp_path))]
    opened = reopen(tmp_path)
    assert 90 == opened.market_pos
    opened.journal.close()


def test_two_writers_on_one_journal_are_refused(tmp_path):
    """Two chains in one file would be none."""
    journal = a_journal(tmp_path, 3)
    with pytest.raises(JournalFailed, match="another process has this journal open"):
        reopen(tmp_path)
    code = (
        "import sys; from holdfast.journal import open_for_append\n"
        "try: open_for_append(sys.argv[1], account='uid-1')\n"
        "except Exception as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert "another process" in said.stdout
    journal.close()
    reopen(tmp_path).journal.close()


def test_another_accounts_journal_is_left_alone(tmp_path):
    """A state directory named twice in two configurations."""
    a_journal(tmp_path, 3).close()
    before = {name: name.read_bytes() for name in tmp_path.glob("*")}

    with pytest.raises(JournalFailed, match="belongs to account 'uid-1', not 'uid-9'"):
        open_for_append(str(tmp_path), account="uid-9", **SMALL)
    assert before == {name: name.read_bytes() for name in tmp_path.glob("*")}
    reopen(tmp_path).journal.close()


def test_opening_finds_the_newest_snapshot_that_matches(tmp_path):
    """Recovery in seconds, and never from a state of another history."""
    journal = a_journal(tmp_path, 10)
    assert save_snapshot(str(tmp_path), journal.head(), b"ten") is None
    for record in records(10, 10):
        journal.append(record, 0)
    journal.sync()
    at = journal.head()
    assert save_snapshot(str(tmp_path), at, b"twenty") is None
    killed(journal)

    opened = reopen(tmp_path)
    assert opened.snapshot is not None
    assert (b"twenty", at) == (opened.snapshot.payload, opened.snapshot.at)
    assert () == opened.ignored
    assert [] == list(iterate(str(tmp_path), opened.snapshot.at.index + 1))
    opened.journal.close()


def test_segments_may_change_their_size_between_starts(tmp_path):
    """An operator changes the configuration; the old segments stay what they are."""
    a_journal(tmp_path, 30).close()
    journal = reopen(tmp_path, segment_bytes=8192).journal
    for record in records(200, 30):
        journal.append(record, 0)
    journal.close()
    journal = reopen(tmp_path, segment_bytes=2048).journal
    for record in records(50, 230):
        journal.append(record, 0)
    journal.close()

    assert records(280) == [record for _, _, record in iterate(str(tmp_path))]
