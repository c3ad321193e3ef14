"""The reader: nothing that was changed, dropped or put in passes; the place is named."""

import random
import re
import shutil

import pytest

from holdfast.journal import Anchor, CorruptJournal, iterate, open_for_append, verify
from holdfast.journal.chain import Chain
from holdfast.journal.codec import FRAME, encode_record, genesis
from holdfast.ports.journal import JournalFailed
from tests.journal.records import SMALL, a_journal, a_timer, killed, records

COUNT = 60


@pytest.fixture
def closed(tmp_path):
    """A closed journal of several segments: all of it is vouched for."""
    a_journal(tmp_path, COUNT).close()
    return tmp_path


def reopen(directory, **changes):
    return open_for_append(str(directory), account="uid-1", **{**SMALL, **changes})


def bad_of(report):
    assert report.first_bad is not None
    return report.first_bad


def flip(path, offset, bit=0):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def used_bytes(path):
    return len(path.read_bytes().rstrip(b"\0"))


def segments(directory):
    return sorted(directory.glob("*.seg"))


def test_any_flipped_bit_of_a_closed_journal_is_found_and_named(closed):
    """I21, I26: rot anywhere in what was durable stops the start, in the last record as in the first."""
    rng = random.Random(7)
    for path in segments(closed):
        whole = path.read_bytes()
        for offset in range(rng.randrange(3), used_bytes(path), 3):
            flip(path, offset, rng.randrange(8))
            report = verify(str(closed))
            assert not report.ok, offset
            assert bad_of(report).segment == path.name
            path.write_bytes(whole)
    assert verify(str(closed)).ok


def test_a_flipped_bit_in_a_record_stops_reading_and_starting(closed):
    """The same in the readers that matter: no record behind the bad one is handed out, and nothing is cut."""
    path = segments(closed)[1]
    for offset in range(256, used_bytes(path), 13):
        whole = path.read_bytes()
        flip(path, offset)
        with pytest.raises(
            CorruptJournal, match=rf"^{re.escape(path.name)}: record \d+ at byte \d+: "
        ) as found:
            list(iterate(str(closed)))
        assert found.value.offset <= offset
        assert found.value.index <= COUNT
        with pytest.raises(CorruptJournal):
            reopen(closed)
        path.write_bytes(whole)
    reopen(closed).journal.close()


def test_a_flip_in_the_durable_mark_alone_is_reported_and_mended(closed):
    """It vouches for records and is none: the next start writes it anew."""
    path = segments(closed)[0]
    flip(path, 180)
    assert "durable mark" in bad_of(verify(str(closed))).what

    reopen(closed).journal.close()
    assert verify(str(closed)).ok


def frames(directory):
    """(path, start, end) of every frame, found by walking."""
    found = []
    for path in segments(directory):
        data, pos = path.read_bytes(), 256
        while data[pos : pos + 3] == b"HFR":
            end = pos + FRAME.size + FRAME.unpack_from(data, pos)[1] + 16
            found.append((path, pos, end))
            pos = end
    assert len(found) == COUNT
    return found


@pytest.mark.parametrize("index", [0, 5, 20, COUNT - 2])
def test_a_record_taken_out_is_found(closed, index):
    """Delete: the others moved up, each whole by itself."""
    path, start, end = frames(closed)[index]
    data = path.read_bytes()
    path.write_bytes((data[:start] + data[end:]).ljust(len(data), b"\0"))

    report = verify(str(closed))
    assert not report.ok
    assert index == bad_of(report).index
    with pytest.raises(CorruptJournal):
        reopen(closed)


@pytest.mark.parametrize("index", [0, 5, 20])
def test_two_records_that_changed_places_are_found(closed, index):
    """Reorder: the same bytes in another order are another story."""
    path, start, end = frames(closed)[index]
    other, start2, end2 = frames(closed)[index + 1]
    assert path == other
    data = path.read_bytes()
    path.write_bytes(data[:start] + data[start2:end2] + data[start:end] + data[end2:])

    assert index == bad_of(verify(str(closed))).index


def test_a_record_put_in_twice_is_found(closed):
    """Insert: an order journaled twice would be an order made up."""
    path, start, end = frames(closed)[3]
    data = path.read_bytes()
    path.write_bytes((data[:end] + data[start:end] + data[end:])[: len(data)])

    assert 4 == bad_of(verify(str(closed))).index


def test_a_missing_segment_is_found(closed):
    """In the middle, and at the beginning."""
    for path in segments(closed)[:-2]:
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(CorruptJournal, match=rf"{re.escape(path.name)}.*missing"):
            list(iterate(str(closed)))
        path.write_bytes(whole)


def test_a_segment_of_another_history_of_the_same_account_is_found(closed, tmp_path):
    """Whole by itself, with the right numbers: only the hash before it tells."""
    other = tmp_path / "other"
    journal = open_for_append(str(other), account="uid-1", **SMALL).journal
    for number, record in enumerate(records(COUNT)):
        journal.append(record, number + 100)
        journal.write()
    journal.close()
    shutil.copy(segments(other)[1], segments(closed)[1])

    assert "does not follow from the segment before it" in bad_of(verify(str(closed))).what


def test_a_record_with_a_wrong_number_is_found(tmp_path):
    """Dense or not at all, even where the chain of hashes agrees."""
    journal = a_journal(tmp_path, 5)
    journal._framed_count += 1
    journal.append(a_timer(), 0)
    journal.sync()
    journal.append(a_timer(), 0)
    journal.sync()
    killed(journal)

    assert "begins with record 6" in bad_of(verify(str(tmp_path))).what


def test_a_durable_mark_in_another_segment_is_found(closed):
    """Bytes that nobody wrote there."""
    first, second, *_ = segments(closed)
    data = bytearray(second.read_bytes())
    data[176:204] = first.read_bytes()[176:204]
    second.write_bytes(data)

    assert "where none belongs" in bad_of(verify(str(closed))).what


def test_records_missing_at_the_end_of_a_segment_are_found(closed):
    """Its successor says with which record it begins."""
    path, start, end = [frame for frame in frames(closed) if frame[0] == segments(closed)[0]][-1]
    data = bytearray(path.read_bytes())
    data[start:end] = bytes(end - start)
    path.write_bytes(data)

    assert "those before it are missing" in bad_of(verify(str(closed))).what


def test_a_shortened_segment_is_found(closed):
    """A middle one by its successor, the last one by its own word of how far it went."""
    for path in segments(closed)[:-1]:
        whole = path.read_bytes()
        for size in (0, 100, 256, 700, used_bytes(path) - 1):
            path.write_bytes(whole[:size])
            assert not verify(str(closed)).ok, (path.name, size)
        path.write_bytes(whole)


def test_a_segment_of_another_journal_is_found(closed, tmp_path_factory):
    """Whole by itself, and still not ours."""
    other = tmp_path_factory.mktemp("other")
    journal = open_for_append(str(other), account="uid-2", **SMALL).journal
    for number, record in enumerate(records(COUNT)):
        journal.append(record, number)
        journal.write()
    journal.close()
    shutil.copy(segments(other)[1], segments(closed)[1])

    assert "another account" in bad_of(verify(str(closed))).what


def test_a_rewritten_chain_is_caught_by_an_anchor(tmp_path):
    """SR19: whoever can write the files can make a chain that is whole; not one that was told outside."""
    first = a_journal(tmp_path / "a", 20)
    told = first.anchor()
    first.close()
    forged = open_for_append(str(tmp_path / "b"), account="uid-1", **SMALL).journal
    for number, record in enumerate([*records(19), a_timer(999)], start=1):
        forged.append(record, number)
    forged.close()

    assert verify(str(tmp_path / "a"), anchors=[told]).ok
    report = verify(str(tmp_path / "b"), anchors=[told])
    assert report.first_bad is None
    assert not report.ok
    assert "rewritten" in report.anchor_faults[0].what
    assert reopen(tmp_path / "b", anchors=[told]).anchor_faults == report.anchor_faults


def test_a_missing_tail_is_caught_by_an_anchor(tmp_path):
    """Whole records missing at the end leave a chain that is whole."""
    journal = a_journal(tmp_path, 20)
    early = journal.anchor()
    before = {path: path.read_bytes() for path in segments(tmp_path)}
    for record in records(10):
        journal.append(record, 50)
    journal.sync()
    late = journal.anchor()
    killed(journal)
    for path in segments(tmp_path):
        path.write_bytes(before.get(path, b""))

    report = verify(str(tmp_path), anchors=[late, early])
    assert report.first_bad is None
    assert ["record 29 is missing: the journal ends with record 19"] == [
        fault.what for fault in report.anchor_faults
    ]


def test_reading_from_an_index_proves_the_chain_before_it(closed):
    """A snapshot saves decoding, not proof."""
    assert list(range(41, COUNT)) == [index for index, _, _ in iterate(str(closed), 41)]
    assert [] == list(iterate(str(closed), COUNT + 5))
    flip(segments(closed)[0], 400)
    with pytest.raises(CorruptJournal):
        next(iter(iterate(str(closed), 41)))
    assert list(range(41, COUNT)) == [index for index, _, _ in iterate(str(closed), 41, whole=False)]


def test_a_journal_may_be_read_while_it_is_written(tmp_path):
    """`holdfast journal verify` beside a trading process: it sees a prefix, and says that nothing is wrong."""
    journal = a_journal(tmp_path)
    for number, record in enumerate(records(120)):
        journal.append(record, number)
        if number % 7 == 0:
            journal.write()
            assert verify(str(tmp_path)).ok
            assert journal.record_count == verify(str(tmp_path)).record_count
    journal.close()


def test_nothing_at_all_is_an_empty_journal(tmp_path):
    """Before the first start."""
    assert [] == list(iterate(str(tmp_path / "nowhere")))
    report = verify(str(tmp_path))
    assert (0, 0, True) == (report.record_count, report.segment_count, report.ok)


def test_a_record_that_this_build_does_not_know_is_named(tmp_path):
    """Written by a newer build: not decoded wrongly, not passed over."""
    journal = a_journal(tmp_path, 3)
    journal._encode = lambda _: b"\x91\xa6future"
    journal.append(a_timer(), 0)
    journal.write()
    journal._encode = encode_record
    journal.close()

    assert verify(str(tmp_path)).ok
    with pytest.raises(CorruptJournal, match=r"record 3.*not a record that this build knows"):
        list(iterate(str(tmp_path)))


def test_a_frame_that_does_not_hold_as_many_as_it_says_is_named(tmp_path):
    """Its hash agrees with its bytes: only counting tells."""
    journal = a_journal(tmp_path, 3)
    journal.append(a_timer(), 0)
    journal._places_count = -1
    journal.close()

    with pytest.raises(CorruptJournal, match=r"record 3.*holds 1 records and says 2"):
        list(iterate(str(tmp_path)))


def test_a_read_begins_and_an_anchor_stands_anywhere_that_a_write_ended(tmp_path):
    """Several records in one frame: each has its number and place; a hash stands behind the last of them only."""
    journal = a_journal(tmp_path)
    made = records(7)
    places = [3, 3, 5, 5, 5, 9, 9]
    for record, place in zip(made, places, strict=True):
        journal.append(record, place)
    journal.sync()
    told = journal.anchor()
    journal.append(a_timer(), 9)
    journal.append(a_timer(2), 9)
    journal.close()

    found = list(iterate(str(tmp_path)))
    assert [(index, place, made[index]) for index, place in enumerate(places)] == found[:7]
    assert [(7, 9), (8, 9)] == [(index, place) for index, place, _ in found[7:]]
    assert found[4:] == list(iterate(str(tmp_path), 4)) == list(iterate(str(tmp_path), 4, whole=False))
    assert 6 == told.index
    assert verify(str(tmp_path), anchors=[told]).ok
    within = Anchor(5, told.hash_hex)
    assert not verify(str(tmp_path), anchors=[within]).ok


def test_a_disk_that_cannot_be_read_is_not_called_corrupt(closed, monkeypatch):
    """EIO is the disk's word about itself: try another cable before restoring."""

    class Deaf:
        def __getattr__(self, name):
            from holdfast.journal.files import REAL_FILES

            return getattr(REAL_FILES, name)

        def read(self, path, offset=0, length=-1):
            raise OSError(5, "I/O error")

    with pytest.raises(JournalFailed, match="cannot read: Input/output error"):
        Chain(str(closed), files=Deaf()).prove()


def test_an_account_has_its_own_beginning():
    """Two accounts' journals can never be taken for one another, even when empty."""
    assert genesis("a") != genesis("b")


def test_a_longer_name_than_fits_is_refused(tmp_path):
    """Cut off, it would be another account's."""
    with pytest.raises(ValueError, match="longer than 120 bytes"):
        open_for_append(str(tmp_path), account="x" * 121, **SMALL)


def test_anchors_sort_by_index():
    """They come from several places."""
    assert [Anchor(1, "b"), Anchor(2, "a")] == sorted([Anchor(2, "a"), Anchor(1, "b")])
