"""Refused frames are kept as they came, within bounds; a disk that refuses them costs nothing else."""

import msgspec
import pytest

from holdfast.journal.discards import CorruptDiscards, Discard, DiscardFile, discards_in
from tests.house.setup import BTC, MONO_NS, WALL_NS, a_spec


def a_discard(**changes):
    plain = Discard(
        wall_ns=WALL_NS,
        mono_ns=MONO_NS,
        feed="binance",
        codec="binance-usdm",
        instrument=BTC,
        reason="crossed",
        raw=b'{"e":"bookTicker"}',
    )
    return msgspec.structs.replace(plain, **changes)


def test_what_is_read_back_is_what_came_byte_for_byte(tmp_path):
    """Garbage is what this is for: no byte of it may be mended on the way."""
    discards = [
        a_discard(raw=bytes(range(256)), reason="not a frame", instrument=""),
        a_discard(raw=b"a line\nbreak", against=msgspec.Raw(b'{"x":1}')),
        a_discard(raw=b""),
    ]
    file = DiscardFile(tmp_path / "discards", (a_spec(),))
    for discard in discards:
        file.keep(discard)
    file.flush()
    read = list(discards_in(tmp_path / "discards"))
    assert discards == [discard for _, discard in read]
    assert {(a_spec(),)} == {head.instruments for head, _ in read}


def test_the_oldest_go_and_the_size_is_bounded(tmp_path):
    file = DiscardFile(tmp_path, (), file_bytes_max=2_000, files_max=3)
    for number in range(200):
        file.keep(a_discard(mono_ns=number * 10**9, raw=b"%04d" % number))
        file.flush()
    kept = [int(discard.raw) for _, discard in discards_in(tmp_path)]
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert 3 == len(sizes)
    assert sum(sizes) < 3 * 2_500
    assert list(range(200 - len(kept), 200)) == kept


def test_a_flood_is_counted_and_the_next_that_is_kept_says_how_many(tmp_path):
    """A venue gone mad must cost neither the disk nor the loop."""
    file = DiscardFile(tmp_path, (), bytes_per_s_max=1_000)
    for number in range(100):
        file.keep(a_discard(raw=b"%d" % number))
    file.keep(a_discard(mono_ns=MONO_NS + 10**9, raw=b"later"))
    file.flush()
    kept = [discard for _, discard in discards_in(tmp_path)]
    assert 101 == file.kept_count + file.unkept_count
    assert (b"later", file.unkept_count) == (kept[-1].raw, kept[-1].unkept)
    assert file.unkept_count > 80


def test_a_long_frame_is_cut_and_says_so(tmp_path):
    file = DiscardFile(tmp_path, ())
    file.keep(a_discard(raw=b"x" * 100_000))
    file.flush()
    ((_, discard),) = discards_in(tmp_path)
    assert 100_000 == len(discard.raw) + discard.cut
    assert discard.cut > 0


def test_a_second_life_begins_another_file(tmp_path):
    for raw in (b"one", b"two"):
        file = DiscardFile(tmp_path, ())
        file.keep(a_discard(raw=raw))
        file.flush()
    assert [b"one", b"two"] == [discard.raw for _, discard in discards_in(tmp_path)]
    assert 2 == len(list(tmp_path.iterdir()))


def test_a_torn_end_is_left_out_and_a_broken_middle_is_named(tmp_path):
    file = DiscardFile(tmp_path, ())
    for _ in range(2):
        file.keep(a_discard())
    file.flush()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert 1 == len(list(discards_in(tmp_path)))
    path.write_bytes(whole.replace(b'"wall_ns"', b'"wall"', 1))
    with pytest.raises(CorruptDiscards, match=rf"{path}:2: not a discard"):
        list(discards_in(tmp_path))


def test_a_disk_that_refuses_ends_the_keeping_and_nothing_else(tmp_path):
    (tmp_path / "discards").write_text("a file stands where the directory should")
    file = DiscardFile(tmp_path / "discards", ())
    file.keep(a_discard())
    file.flush()
    assert "discards are not kept any more" in file.failed
    file.keep(a_discard())
    assert (0, 2) == (file.kept_count, file.unkept_count)  # what the disk refused is not kept either
