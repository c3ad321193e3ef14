"""The writer: what it frames, when it writes, and what it does when there is no room."""

import errno
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from holdfast.journal import iterate, open_for_append, verify
from holdfast.journal import segments as module
from holdfast.journal.codec import encode_record, split_records
from holdfast.ports.journal import JournalFailed, JournalFull, JournalPort
from tests.journal.memory_files import MemoryFiles
from tests.journal.records import SMALL, a_command, a_journal, a_timer, an_approval, killed, records


def read_back(directory):
    return [record for _, _, record in iterate(str(directory))]


def test_records_come_back_as_they_went_in(tmp_path):
    """Over several segments, with index and market position."""
    journal: JournalPort = a_journal(tmp_path, 300)
    assert 300 == journal.record_count
    journal.close()

    found = list(iterate(str(tmp_path)))
    assert records(300) == [record for _, _, record in found]
    assert list(range(300)) == [index for index, _, _ in found]
    assert list(range(1, 301)) == [market_pos for _, market_pos, _ in found]
    assert len(list(tmp_path.glob("*.seg"))) > 5


def test_every_record_type_survives_its_codec():
    """A record that cannot be read back is a record that was not written down."""
    for record in records(8):
        assert [(7, record)] == split_records(encode_record([record]), 7)
    with pytest.raises(ValueError, match="not a record that this build knows"):
        split_records(b"\x91\x92\xa7unheard\x01", 7)


def test_append_only_frames_into_memory(tmp_path):
    """The hot path must not wait for the disk."""
    journal = a_journal(tmp_path)
    before = Path(tmp_path, "journal-000000.seg").read_bytes()
    for record in records(20):
        journal.append(record, 0)

    assert before == Path(tmp_path, "journal-000000.seg").read_bytes()
    journal.write()
    assert 20 == verify(str(tmp_path)).record_count
    journal.close()


def test_what_was_written_survives_our_death(tmp_path):
    """kill -9 takes no page cache with it."""
    killed(a_journal(tmp_path, 50))

    assert records(50) == read_back(tmp_path)


def test_the_next_segment_is_there_before_it_is_needed(tmp_path):
    """Allocating in the middle of a storm is when it fails."""
    journal = a_journal(tmp_path)

    assert ["journal-000000.seg", "journal-000001.seg"] == sorted(
        path.name for path in tmp_path.glob("*.seg")
    )
    assert {4096} == {path.stat().st_size for path in tmp_path.glob("*.seg")}
    assert not journal.full
    assert journal.free_bytes == 2 * (4096 - 256)
    journal.close()


def test_the_anchor_is_the_last_record_that_a_power_loss_cannot_take(tmp_path):
    """An anchor told outside for a record that is then lost would cry wolf."""
    journal = a_journal(tmp_path)
    assert -1 == journal.anchor().index
    journal.append(a_timer(), 0)
    journal.write()
    assert -1 == journal.anchor().index
    assert 0 == journal.head().index
    journal.sync()
    assert journal.head() == journal.anchor()
    assert 0 == journal.anchor().index
    journal.close()
    assert verify(str(tmp_path)).last == journal.anchor()


def test_a_closed_journal_takes_nothing_more(tmp_path):
    """A record accepted and lost is worse than one refused."""
    journal = a_journal(tmp_path, 3)
    journal.close()
    journal.close()

    for act in (journal.write, journal.sync, lambda: journal.append(a_timer(), 0)):
        with pytest.raises(JournalFailed, match="closed"):
            act()


def test_memory_and_the_unsynced_part_are_bounded(tmp_path, monkeypatch):
    """A runtime that forgets to write, or never sends, must not risk an hour of records."""
    monkeypatch.setattr(module, "BUFFER_BYTES_MAX", 2_000)
    monkeypatch.setattr(module, "UNSYNCED_BYTES_MAX", 3_000)
    files = MemoryFiles()
    journal = open_for_append("j", account="a", files=files, segment_bytes=1 << 20, reserve_bytes=0).journal
    synced = files.calls["sync"]
    for record in records(400):
        journal.append(record, 0)
        assert journal._measured_bytes <= 2_200

    assert files.calls["sync"] - synced >= 5
    journal.close()


@pytest.mark.parametrize("waiting", [3, 40, 256])
def test_what_waits_unmeasured_goes_on_in_the_next_segment(tmp_path, monkeypatch, waiting):
    """With room to spare records wait as they are: what then does not fit a segment goes one by one."""
    monkeypatch.setattr(module, "UNMEASURED_ROOM_BYTES", 100)
    monkeypatch.setattr(module, "UNMEASURED_MAX", waiting)  # beyond it append writes by itself
    rng = random.Random(5)
    journal = a_journal(tmp_path)
    made, places, place = records(900), [], 0
    for number, record in enumerate(made):
        place += rng.choice((0, 0, 0, 1, 3))
        places.append(place)
        journal.append(record, place)
        assert number + 1 == journal.record_count
        if rng.random() < 0.03:
            assert number + 1 == journal.write()
    assert len(made) == journal.sync()
    journal.close()

    assert verify(str(tmp_path)).ok
    assert list(enumerate(made)) == [(index, record) for index, _, record in iterate(str(tmp_path))]
    assert places == [market_pos for _, market_pos, _ in iterate(str(tmp_path))]
    assert verify(str(tmp_path)).segment_count > 10


def test_nothing_is_counted_twice_where_a_fresh_segment_is_begun(tmp_path, monkeypatch):
    """What is free is shown to people, and decides when the disk counts as full."""
    monkeypatch.setattr(module, "UNMEASURED_ROOM_BYTES", 1_000)
    journal = a_journal(tmp_path)
    for record in records(200):
        journal.append(record, 0)
        journal.write()
        spare = 0 if journal.full else 4096 - 256
        assert journal.free_bytes == journal._size - journal._base + spare
    journal.close()


def test_a_forgetful_runtime_s_records_are_written_all_the_same(tmp_path):
    """Unmeasured is not unbounded."""
    journal = a_journal(tmp_path, segment_bytes=16 << 20)
    for record in records(1_000):
        journal.append(record, 0)

    assert len(journal._pending) <= module.UNMEASURED_MAX
    assert verify(str(tmp_path)).record_count >= 1_000 - module.UNMEASURED_MAX
    journal.close()


def test_a_record_larger_than_a_segment_is_refused_and_the_journal_lives(tmp_path):
    """Whatever made it is a bug elsewhere: it must not cost us the journal."""
    journal = a_journal(tmp_path, 3)
    with pytest.raises(JournalFailed, match="larger than the journal takes"):
        journal.append(a_command(reason="x" * 5_000), 0)
    journal.append(a_timer(), 0)
    journal.close()

    assert 4 == len(read_back(tmp_path))


def test_a_record_of_almost_a_segment_fits(tmp_path):
    """The boundary: the last byte of a segment may be used, and none beyond."""
    for size in range(3_600, 3_840):
        directory = tmp_path / str(size)
        journal = a_journal(directory, 1)
        try:
            journal.append(a_command(reason="x" * size), 0)
        except JournalFailed:
            break
        journal.append(a_timer(2), 0)
        journal.close()
        assert 3 == verify(str(directory)).record_count
    else:
        pytest.fail("the boundary was never reached")
    assert size > 3_700


# --- a full disk ---------------------------------------------------------------------------------------------------


def fill(journal, *, urgent=False):
    """Append until refused; how many went in."""
    for number in range(10_000):
        try:
            journal.append(a_timer(number + 1), 0, urgent=urgent)
            journal.write()
        except JournalFull:
            return number
    raise AssertionError("never full")


def test_a_full_disk_stops_risk_and_not_the_exit():
    """The reserve is for getting flat: normal records are refused while urgent ones still go in."""
    files = MemoryFiles()
    files.space_bytes = 3 * 4096
    journal = open_for_append("j", account="a", files=files, **SMALL).journal
    normal = fill(journal)
    assert journal.full
    assert journal.free_bytes >= 1024
    with pytest.raises(JournalFull, match=r"No space left on device.*kept for getting flat"):
        journal.append(a_timer(), 0)

    urgent = fill(journal, urgent=True)
    assert urgent >= 1024 // 90
    journal.close()
    assert normal + urgent == verify("j", files=files).record_count


def test_space_that_comes_back_is_found():
    """A person deletes something: no restart is needed to trade on."""
    files = MemoryFiles()
    files.space_bytes = 2 * 4096
    journal = open_for_append("j", account="a", files=files, **SMALL).journal
    before = fill(journal)
    files.space_bytes = 10 * 4096

    taken = 0
    for number in range(3 * module.SPARE_TRIES):
        try:
            journal.append(a_timer(number + 1), 0)
            taken += 1
        except JournalFull:
            continue
    assert taken >= 2 * module.SPARE_TRIES
    assert not journal.full
    journal.close()
    assert before + taken == verify("j", files=files).record_count


def test_a_start_on_a_full_disk_can_still_write_down_what_it_does():
    """The reserve survives a restart: it is allocated."""
    files = MemoryFiles()
    files.space_bytes = 2 * 4096
    journal = open_for_append("j", account="a", files=files, **SMALL).journal
    count = fill(journal)
    files.kill()

    journal = open_for_append("j", account="a", files=files, **SMALL).journal
    with pytest.raises(JournalFull):
        journal.append(a_timer(), 0)
    journal.append(a_timer(), 0, urgent=True)
    journal.close()
    assert count + 1 == verify("j", files=files).record_count


def test_a_half_allocated_segment_is_given_back():
    """It would take the last free bytes from everybody else, for nothing."""

    class Half(MemoryFiles):
        def allocate(self, handle, size):
            if self.space_bytes is not None:
                super().write(handle, bytes(100), 0)
            super().allocate(handle, size)

    files = Half()
    files.space_bytes = 2 * 4096 + 500
    journal = open_for_append("j", account="a", files=files, **SMALL).journal
    fill(journal)

    assert ["journal-000000.seg", "journal-000001.seg"] == files.names("j")


def test_a_first_segment_without_space_is_a_clear_end():
    """Nothing can be promised: no start."""
    files = MemoryFiles()
    files.space_bytes = 100
    with pytest.raises(JournalFailed, match="cannot open the journal: No space left on device"):
        open_for_append("j", account="a", files=files, **SMALL)


def test_a_reserve_that_does_not_fit_is_refused(tmp_path):
    """A configuration that cannot keep its promise."""
    with pytest.raises(ValueError, match="reserve"):
        open_for_append(str(tmp_path), account="a", segment_bytes=4096, reserve_bytes=4096)


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 2 MiB."""
    where = tmp_path / "small"
    where.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=2m none {where} 2>/dev/null") != 0:
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield where
    os.system(f"umount -l {where}")


def test_on_a_real_full_disk_the_exit_is_written_down(small_disk):
    """The same with the kernel's own ENOSPC, while something else eats every last byte."""
    directory = str(small_disk / "journal")
    sizes: dict[str, Any] = {"segment_bytes": 256 << 10, "reserve_bytes": 64 << 10}
    journal = open_for_append(directory, account="a", **sizes).journal
    hog = os.open(small_disk / "hog", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(hog, bytes(4096)):
            pass

    normal = fill(journal)
    for number in range(300):
        journal.append(an_approval(number + 1), 0, urgent=True)
        journal.sync()
    killed(journal)
    journal = open_for_append(directory, account="a", **sizes).journal
    assert normal + 300 == journal.record_count
    assert journal.full
    os.close(hog)
    (small_disk / "hog").unlink()
    for _ in range(2 * module.SPARE_TRIES):
        with suppress(JournalFull):
            journal.append(a_timer(), 0)
    assert not journal.full
    journal.close()


def test_a_batch_is_one_write_and_one_sync():
    """In line, no thread: what the disk costs, once."""
    calls = []

    class Counting(MemoryFiles):
        def write(self, handle, data, offset):
            calls.append("write")
            return super().write(handle, data, offset)

        def sync(self, handle):
            calls.append("sync")
            super().sync(handle)

    journal = open_for_append(
        "j", account="a", files=Counting(), segment_bytes=1 << 20, reserve_bytes=0
    ).journal
    calls.clear()
    for record in records(50):
        journal.append(record, 0)
    journal.sync()

    assert ["write", "sync"] == calls


def test_errors_name_the_file_and_the_reason():
    """One line that an operator can act on."""
    files = MemoryFiles()
    journal = open_for_append("j", account="a", files=files, **SMALL).journal
    journal.append(a_timer(), 0)
    files.fail_at = {files.call_count + 1: errno.EROFS}
    with pytest.raises(JournalFailed, match=r"^j/journal-000000\.seg: cannot write: Read-only file system$"):
        journal.write()
