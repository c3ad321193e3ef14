"""The market log: every frame comes back as it was, or somebody is told that it does not."""

import errno
import random
from typing import Any

import msgspec
import pytest

from holdfast.journal import CorruptMarketLog, Missing, frames, open_market_log
from holdfast.journal.market_log import end_of_log
from holdfast.ports.journal import JournalFailed, MarketLogPort
from holdfast.vocab.invariant import InvariantBroken
from tests.journal.memory_files import MemoryFiles

WALL, MONO = 1_723_075_200_000_000_000, 10**15
SMALL: dict[str, Any] = {"block_bytes": 1_000, "file_bytes": 1_000}


def raw(number):
    return b'{"e":"bookTicker","u":%d,"s":"BTCUSDT","b":"61%03d.10"}' % (number, number * 37 % 1000)


def a_frame(number):
    """(raw, wall_ns, mono_ns, feed); the wall clock steps backwards now and then."""
    jump = -3_000_000_000 if number % 50 == 0 else 0
    return raw(number), WALL + number * 1_000_003 + jump, MONO + number * 1_000_000, number % 2


def put(log, raw, wall_ns, mono_ns, feed=0):
    log.extend((raw,), wall_ns, mono_ns, feed)


def a_log(directory, count=0, **changes):
    log = open_market_log(str(directory), codecs=("binance-json", "events"), **{**SMALL, **changes})
    for number in range(log.frame_count, log.frame_count + count):
        put(log, *a_frame(number))
    return log


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Something that a market said."""

    text: str
    wall_ns: int
    mono_ns: int


def seen(number):
    data, wall_ns, mono_ns, _ = a_frame(number)
    return Seen(data.hex(), wall_ns, mono_ns)


def test_events_read_back_with_their_stamps_each_by_itself(tmp_path):
    log = open_market_log(str(tmp_path), codecs=("events", "binance-json"), **{**SMALL, "block_ns": 10**9})
    made = [seen(number) for number in range(9_000)]
    for some in (made[:1], made[1:1], made[1:250], made[250:]):
        log.each(some)
    log.close()
    assert (9_000, 0) == (log.frame_count, log.lost_count)
    found = list(frames(str(tmp_path), 3_000, 8_000))
    assert [
        (number, "events", made[number].wall_ns, made[number].mono_ns) for number in range(3_000, 8_000)
    ] == [(at, codec, wall_ns, mono_ns) for at, codec, _, wall_ns, mono_ns in found]
    assert made[3_000:8_000] == [msgspec.msgpack.decode(raw, type=Seen) for _, _, raw, _, _ in found]


def test_frames_and_events_may_take_turns(tmp_path):
    log = open_market_log(str(tmp_path), codecs=("binance-json", "events"), **SMALL)
    for number in range(0, 300, 3):
        put(log, *a_frame(number))
        log.each([seen(number + 1), seen(number + 2)])
    log.close()
    again = open_market_log(str(tmp_path), codecs=("binance-json", "events"), **SMALL)
    assert 300 == again.frame_count
    again.close()
    found = [(at, wall_ns, mono_ns) for at, _, _, wall_ns, mono_ns in frames(str(tmp_path))]
    assert [(number, *a_frame(number)[1:3]) for number in range(300)] == found


def test_one_flipped_bit_in_a_block_of_events_is_found(tmp_path):
    log = open_market_log(str(tmp_path), codecs=("events",), **SMALL)
    log.each([seen(number) for number in range(300)])
    log.close()
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(CorruptMarketLog, match="market-"):
            list(frames(str(tmp_path)))


def expected(start, end):
    made = []
    for number in range(start, end):
        data, wall_ns, mono_ns, feed = a_frame(number)
        made.append((number, ("binance-json", "events")[feed], data, wall_ns, mono_ns))
    return made


def files_of(directory):
    return sorted(directory.glob("market-*.log"))


def test_frames_come_back_with_their_times_codecs_and_positions(tmp_path):
    """A replay must see the very bytes and the very times."""
    log: MarketLogPort = a_log(tmp_path, 300)
    log.close()
    assert 300 == log.frame_count

    reader = frames(str(tmp_path))
    assert expected(0, 300) == list(reader)
    assert [] == reader.missing
    assert 300 == reader.frame_count
    assert len(files_of(tmp_path)) > 3


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 300), (17, 18), (299, 300), (120, 260), (50, 50)])
def test_any_range_can_be_read(tmp_path, start, end):
    """The journal refers to frames by position."""
    a_log(tmp_path, 300).close()

    reader = frames(str(tmp_path), start, end)
    assert expected(start, end) == list(reader)
    assert [] == reader.missing


def test_odd_frames_survive(tmp_path):
    """Empty ones, large ones, and any byte."""
    rng = random.Random(3)
    odd = [b"", b"\0" * 10_000, bytes(range(256)), rng.randbytes(50_000), b"x", b""]
    log = open_market_log(str(tmp_path), codecs=["events"], **SMALL)
    for data in odd:
        put(log, data, 0, 0)
    log.close()

    assert odd == [data for _, _, data, _, _ in frames(str(tmp_path))]


def test_a_block_is_written_after_its_time_even_when_it_is_small(tmp_path):
    """A quiet night must not sit in memory for hours."""
    log = a_log(tmp_path, block_bytes=1 << 20, block_ns=1_000_000_000)
    put(log, b"a", WALL, MONO)
    put(log, b"b", WALL, MONO + 900_000_000)
    assert [] == files_of(tmp_path)
    put(log, b"c", WALL, MONO + 1_100_000_000)
    assert [b"a", b"b", b"c"] == [data for _, _, data, _, _ in frames(str(tmp_path))]
    put(log, b"d", WALL, MONO + 1_200_000_000)
    log.flush()
    assert 4 == len(list(frames(str(tmp_path))))
    log.close()


def test_any_flipped_byte_is_an_error_with_file_and_block(tmp_path):
    """A replay of altered evidence proves nothing."""
    a_log(tmp_path, 100).close()
    for number, path in enumerate(files_of(tmp_path)):
        whole = path.read_bytes()
        for offset in range(number, len(whole), 3):
            data = bytearray(whole)
            data[offset] ^= 1 << offset % 8
            path.write_bytes(data)
            with pytest.raises(CorruptMarketLog, match=r"block \d+: ") as found:
                list(frames(str(tmp_path)))
            assert found.value.file in {path.name, *(later.name for later in files_of(tmp_path)[number:])}
        path.write_bytes(whole)
    assert 100 == len(list(frames(str(tmp_path))))


def test_a_flip_before_the_range_is_found_too(tmp_path):
    """The chain of the file is proven up to where reading begins."""
    a_log(tmp_path, 60, file_bytes=1 << 20).close()
    (path,) = files_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)

    with pytest.raises(CorruptMarketLog):
        list(frames(str(tmp_path), 50))


def test_a_block_or_file_taken_out_is_found(tmp_path):
    """Delete and reorder."""
    a_log(tmp_path, 300).close()
    paths = files_of(tmp_path)
    whole = paths[1].read_bytes()
    assert len(paths) > 3
    paths[1].unlink()
    with pytest.raises(CorruptMarketLog, match="does not follow from the file before it"):
        list(frames(str(tmp_path)))
    second = whole.index(b"HFMB", whole.index(b"HFMB") + 1)
    paths[1].write_bytes(whole[: whole.index(b"HFMB")] + whole[second:])
    with pytest.raises(CorruptMarketLog, match="or not the block before it"):
        list(frames(str(tmp_path)))


def test_a_missing_tail_is_reported_and_not_an_error(tmp_path):
    """It is not synced: what a crash took is known, and the rest is good."""
    a_log(tmp_path, 30, file_bytes=1 << 20).close()
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    last = whole.rindex(b"HFMB")
    for size in range(last + 1, len(whole)):
        path.write_bytes(whole[:size])
        reader = frames(str(tmp_path))
        found = list(reader)
        assert expected(0, len(found)) == found
        assert [Missing(start_pos=len(found), end_pos=None)] == reader.missing
    path.write_bytes(whole[:last] + bytes(300))
    reader = frames(str(tmp_path), 0, 30)
    found = list(reader)
    assert [Missing(start_pos=len(found), end_pos=30)] == reader.missing


def test_positions_go_on_after_a_restart_and_lost_ones_are_not_given_away(tmp_path):
    """The journal says that frame 100 was seen; what is lost stays lost."""
    a_log(tmp_path, 50).close()
    log = a_log(tmp_path, 10)
    assert 60 == log.frame_count  # not closed: the process was killed, and some of these are gone
    log = a_log(tmp_path, next_pos_min=100)
    assert 100 == log.frame_count
    for number in range(100, 120):
        put(log, *a_frame(number))
    log.close()

    reader = frames(str(tmp_path))
    found = list(reader)
    whole_until = next(pos for pos in range(120) if pos not in {frame[0] for frame in found})
    assert 50 <= whole_until < 60
    assert expected(0, whole_until) + expected(100, 120) == found
    assert [Missing(start_pos=whole_until, end_pos=100)] == reader.missing


def test_the_oldest_files_go_when_the_log_grows_over_its_size(tmp_path):
    """Bounded: a recorder must not fill the disk that the journal needs."""
    log = a_log(tmp_path, retention_bytes=10_000)
    for number in range(3_000):
        put(log, *a_frame(number))
        assert sum(path.stat().st_size for path in files_of(tmp_path)) <= 10_000
    log.close()

    reader = frames(str(tmp_path))
    found = list(reader)
    first = found[0][0]
    assert first > 1_000
    assert expected(first, 3_000) == found
    assert [Missing(start_pos=0, end_pos=first)] == reader.missing


def test_a_disk_that_refuses_costs_frames_and_never_stops_trading():
    """Counted, with the reason; positions stay true, and it goes on when the disk does."""

    class Halfway(MemoryFiles):
        def write(self, handle, data, offset):
            try:
                return super().write(handle, data, offset)
            except OSError:
                self._put(self._of(handle), bytes(data)[: len(data) // 2], offset)
                raise

    for at in range(1, 24):
        files = Halfway() if at % 2 else MemoryFiles()
        log = a_log("m", files=files)
        for number in range(40):
            put(log, *a_frame(number))
        files.fail_at = {files.call_count + at: errno.ENOSPC}
        for number in range(40, 400):
            put(log, *a_frame(number))
        log.close()

        assert 400 == log.frame_count
        assert not log.fault
        reader = frames("m", files=files)
        found = list(reader)
        lost = sum(gap.end_pos - gap.start_pos for gap in reader.missing if gap.end_pos is not None)
        assert 400 - log.lost_count == len(found)
        assert log.lost_count == lost
        kept = {frame[0] for frame in found}
        assert [frame for frame in expected(0, 400) if frame[0] in kept] == found


def test_a_disk_that_stays_full_is_told():
    """The runtime alarms on it."""
    files = MemoryFiles()
    log = a_log("m", files=files)

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    files.write = full  # type: ignore[method-assign]
    for number in range(100):
        put(log, *a_frame(number))
    log.close()

    assert 100 == log.lost_count
    assert "No space left on device" in log.fault
    assert [] == files.names("m")


def test_a_feed_that_the_log_does_not_know_breaks_an_invariant(tmp_path):
    """Its frames could never be decoded again."""
    log = a_log(tmp_path)
    put(log, b"x", 0, 0, 2)
    with pytest.raises(InvariantBroken, match="a frame names a feed"):
        log.flush()


@pytest.mark.parametrize("codecs", [(), ("a", ""), ("a\0b",), ("a",) * 256])
def test_a_table_of_codecs_that_cannot_be_kept_is_refused(tmp_path, codecs):
    """At the start, not at the first frame."""
    with pytest.raises(ValueError, match="codecs"):
        open_market_log(str(tmp_path), codecs=codecs)


def test_what_an_earlier_process_left_is_not_touched(tmp_path):
    """Evidence stays as it is, torn tail and all."""
    a_log(tmp_path, 30, file_bytes=1 << 20).close()
    (path,) = files_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    before = path.read_bytes()
    a_log(tmp_path, 30, next_pos_min=30).close()

    assert before == path.read_bytes()
    assert 2 == len(files_of(tmp_path))
    assert 30 + 30 > len(list(frames(str(tmp_path)))) > 30


def test_a_damaged_header_does_not_stop_a_start_nor_hide(tmp_path):
    """Trading goes on with new positions; reading the old file names it."""
    a_log(tmp_path, 30, file_bytes=1 << 20).close()
    (path,) = files_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    log = a_log(tmp_path, 30)

    assert 60 == log.frame_count
    log.close()
    with pytest.raises(CorruptMarketLog, match=f"{path.name}: block 0: not a file of a market log"):
        list(frames(str(tmp_path)))
    assert expected(30, 60) == list(frames(str(tmp_path), 30))


def test_a_directory_that_cannot_be_made_is_a_clear_end(tmp_path):
    """One line with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalFailed, match="cannot open the market log: Not a directory"):
        open_market_log(str(tmp_path / "file" / "log"), codecs=("a",))


def test_a_newest_file_that_nobody_can_read_is_put_aside_and_not_thrown_away(tmp_path):
    """And whoever only looks where the log ends moves nothing."""
    a_log(tmp_path, 5, file_bytes=10**6).close()
    (path,) = files_of(tmp_path)
    whole = bytearray(path.read_bytes())
    at = whole.index(b"HFMB") + 6
    whole[at] ^= 1
    path.write_bytes(whole)
    assert 0 == end_of_log(str(tmp_path))
    assert bytes(whole) == path.read_bytes()
    a_log(tmp_path, 3).close()
    assert bytes(whole) == path.with_name(path.name + ".damaged").read_bytes()
    assert 3 == len(list(frames(str(tmp_path))))
