"""Recordings: what was appended comes back, a crash costs the open block, a changed byte is an error."""

import errno
import gzip
import random
import subprocess
import sys

import pytest
import zstandard

from holdfast.journal.recording import BLOCK_NS_MAX, SUFFIX, RecordingWriter, Rotation
from holdfast.journal.recording_read import CorruptRecording, NotARecording, merged, recording_files
from holdfast.ports.journal import JournalFailed
from tests.journal.memory_files import MemoryFiles

START_NS = 1_723_161_255_030_314_667
PLENTY = Rotation(file_bytes_max=1 << 30, file_ns_max=1 << 62, retention_bytes=1 << 40)


def rotation(**changes):
    return Rotation(
        **{"file_bytes_max": 1 << 30, "file_ns_max": 1 << 62, "retention_bytes": 1 << 40, **changes}
    )


def a_frame(number):
    return b'{"stream":"btcusdt@bookTicker","data":{"u":%d,"noise":"%x"}}' % (
        number,
        random.Random(number).getrandbits(256),
    )


def record(folder, count, *, rules=PLENTY, gap_ns=1_000_000, instrument="BTCUSDT"):
    writer = RecordingWriter(str(folder), rules)
    sent = [(START_NS + number * gap_ns, a_frame(number)) for number in range(count)]
    for wall_ns, raw in sent:
        writer.append(instrument, raw, wall_ns)
    writer.close()
    return sent


def read(folder):
    return [(line.wall_ns, line.raw) for _, line in merged(recording_files([str(folder)]))]


def files_of(folder):
    return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))


def test_what_was_recorded_comes_back_byte_for_byte(tmp_path):
    assert record(tmp_path, 5_000) == read(tmp_path)


def test_a_line_break_in_a_frame_cannot_break_a_line(tmp_path):
    writer = RecordingWriter(str(tmp_path), PLENTY)
    writer.append("", b'{"a":\r\n1}', START_NS)
    writer.close()
    assert [(START_NS, b'{"a":  1}')] == read(tmp_path)


def test_files_end_by_size_and_by_time(tmp_path):
    by_size = record(tmp_path / "size", 20_000, rules=rotation(file_bytes_max=200_000))
    by_time = record(tmp_path / "time", 5_000, rules=rotation(file_ns_max=1_000_000_000))
    assert len(files_of(tmp_path / "size")) > 2
    assert 5 == len(files_of(tmp_path / "time"))
    assert by_size == read(tmp_path / "size")
    assert by_time == read(tmp_path / "time")


def test_the_oldest_files_go_when_the_whole_is_too_large(tmp_path):
    rules = rotation(file_bytes_max=200_000, retention_bytes=600_000)
    sent = record(tmp_path, 40_000, rules=rules)
    kept = read(tmp_path)
    assert sum(path.stat().st_size for path in files_of(tmp_path)) < 1_200_000
    assert len(kept) < len(sent)
    assert sent[-len(kept) :] == kept


def test_instruments_have_rows_of_files_and_come_back_by_time(tmp_path):
    writer = RecordingWriter(str(tmp_path), PLENTY)
    sent = [(("BTCUSDT", "ETHUSDT")[number % 2], START_NS + number) for number in range(100)]
    for instrument, wall_ns in sent:
        writer.append(instrument, b"{}", wall_ns)
    writer.close()
    assert 2 == len(files_of(tmp_path))
    assert [wall_ns for _, wall_ns in sent] == [wall_ns for wall_ns, _ in read(tmp_path)]


def test_wherever_a_file_is_cut_every_whole_block_before_comes_back(tmp_path):
    """A crash leaves any prefix: it is read up to the tear, the tear is said, and nothing is made up."""
    sent = record(tmp_path, 4_000)
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    per_block = BLOCK_NS_MAX // 1_000_000
    ends = block_ends(whole)
    for cut in sorted({1, len(whole) - 1, *ends[:-1], *random.Random(7).sample(range(len(whole)), 40)}):
        path.write_bytes(whole[:cut])
        (file,) = recording_files([str(path)])
        got = [(line.wall_ns, line.raw) for line in file]
        assert sent[: len(got)] == got
        blocks = sum(end <= cut for end in ends)
        assert len(got) >= min(len(sent), blocks * per_block)
        assert (cut in ends) == (file.torn == ""), cut


def block_ends(data):
    ends, at = [], 0
    while at < len(data):
        one = zstandard.ZstdDecompressor().decompressobj()
        one.decompress(data[at:])
        at = len(data) - len(one.unused_data)
        ends.append(at)
    return ends


def test_zeros_that_a_power_loss_left_at_the_end_are_a_tear(tmp_path):
    sent = record(tmp_path, 3_000)
    (path,) = files_of(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(8_192))
    (file,) = recording_files([str(path)])
    assert sent == [(line.wall_ns, line.raw) for line in file]
    assert "torn after line 3000: its end was never written" == file.torn


def test_a_changed_byte_in_the_middle_is_an_error_and_no_tear(tmp_path):
    record(tmp_path, 4_000)
    (path,) = files_of(tmp_path)
    data = bytearray(path.read_bytes())
    for place in random.Random(3).sample(range(len(data) // 4, len(data) // 2), 8):
        bad = bytearray(data)
        bad[place] ^= 0x40
        path.write_bytes(bad)
        with pytest.raises(CorruptRecording, match=f"{path.name}"):
            read(tmp_path)


def test_a_full_disk_ends_the_recording_with_one_line(tmp_path):
    """A hole that nobody knows of is worse than an end."""
    files = MemoryFiles()
    writer = RecordingWriter("rec", PLENTY, files=files)
    writer.append("BTCUSDT", a_frame(1), START_NS)
    files.fail_at = {files.call_count + 1: errno.ENOSPC}
    with pytest.raises(JournalFailed, match="cannot be recorded to"):
        writer.append("BTCUSDT", a_frame(2), START_NS + BLOCK_NS_MAX)


def test_a_killed_recorder_loses_the_open_block_at_most(tmp_path):
    """A real process, killed without a word while it writes."""
    code = (
        "import sys; from tests.journal.test_recording import *\n"
        "writer = RecordingWriter(sys.argv[1], PLENTY)\n"
        "for number in range(10**9):\n"
        "    writer.append('BTCUSDT', a_frame(number), START_NS + number * 1_000_000)\n"
        "    if number % 1000 == 0: print(number, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        appended = [int(child.stdout.readline()) for _ in range(12)][-1]
        child.kill()
    got = read(tmp_path)
    assert len(got) >= appended - 2_000
    assert [(START_NS + number * 1_000_000, a_frame(number)) for number in range(len(got))] == got


def test_the_public_forms_are_read_too(tmp_path):
    """Microseconds and nanoseconds, gzip and zstd, stamped lines and JSON lines."""
    with gzip.open(tmp_path / "old.jsonl_ts.gz", "wb") as file:
        file.write(b'1723161255030314 {"a":1}\n')
    note = b'{"t":"http","ts":1626992741.25,"url":"https://x/fapi/v1/depth?symbol=CTKUSDT&limit=5","data":"{}"}\n'
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.compress(note + b'{"t":"header","format":2}\n'))
    old, notes = (list(file) for file in reversed(recording_files([str(tmp_path)])))
    assert [(1_723_161_255_030_314_000, "frame", b'{"a":1}')] == [
        (one.wall_ns, one.kind, one.raw) for one in old
    ]
    assert [(1_626_992_741_250_000_000, "reply", "CTKUSDT"), (0, "header", "")] == [
        (one.wall_ns, one.kind, one.about) for one in notes
    ]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.jsonl_ts", b"hello world\n", "x.jsonl_ts:1: not a line of a recording"),
        ("x.jsonl_ts", b"12\n", "x.jsonl_ts:1: not a line of a recording"),
        ("x.jsonl", b"{\n", "x.jsonl:1: not a line of a recording"),
        ("x.jsonl_ts.gz", b"plain", "x.jsonl_ts.gz: damaged after line 0"),
        ("x.jsonl_ts.zst", b"plain text", "x.jsonl_ts.zst: damaged after line 0"),
    ],
)
def test_what_is_no_recording_is_said_in_one_line(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorruptRecording, match=said) as told:
        read(tmp_path)
    assert "\n" not in str(told.value)


def test_a_name_that_leads_nowhere_is_said_in_one_line(tmp_path):
    (tmp_path / "x.txt").write_text("")
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("gone", "no such file"),
        ("x.txt", "not a recording"),
        ("empty", "no recording in this"),
    ):
        with pytest.raises(NotARecording, match=said):
            recording_files([str(tmp_path / name)])
