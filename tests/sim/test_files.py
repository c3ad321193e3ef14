"""A simulated file system forgets like a real one."""

import errno
import random

import pytest

from holdfast.sim.files import SECTOR_BYTES, SimFiles


def a_file(files, size=4 * SECTOR_BYTES):
    handle = files.open("d/f", create=True)
    files.allocate(handle, size)
    files.sync(handle)
    files.sync_dir("d")
    return handle


def test_a_killed_process_leaves_what_it_wrote_and_lets_go_of_its_lock():
    files = SimFiles()
    lock = files.lock_dir("d")
    files.write(a_file(files), b"written", 0)
    with pytest.raises(BlockingIOError):
        files.lock_dir("d")
    files.kill()
    assert b"written" == files.read("d/f", 0, 7)
    assert lock != files.lock_dir("d")


def test_a_power_loss_takes_only_what_was_not_synced_sector_by_sector():
    """Both must happen, and in all mixtures: a journal has to live with any of them."""
    seen = set()
    for seed in range(40):
        files = SimFiles()
        handle = a_file(files)
        files.write(handle, b"a" * SECTOR_BYTES, 0)
        files.sync(handle)
        files.write(handle, b"b" * 2 * SECTOR_BYTES, SECTOR_BYTES)
        files.lose_power(random.Random(seed))
        data = files.read("d/f")
        assert b"a" * SECTOR_BYTES == data[:SECTOR_BYTES]
        seen.add((data[SECTOR_BYTES], data[2 * SECTOR_BYTES]))
    assert {(old, new) for old in (0, ord("b")) for new in (0, ord("b"))} == seen


def test_a_length_that_was_not_synced_may_be_the_old_one():
    """What was allocated and not synced may be gone: a reader must not count on finding zeros there."""
    sizes = set()
    for seed in range(20):
        files = SimFiles()
        handle = a_file(files)
        files.allocate(handle, 6 * SECTOR_BYTES)
        files.lose_power(random.Random(seed))
        sizes.add(files.size("d/f"))
    assert {4 * SECTOR_BYTES, 6 * SECTOR_BYTES} == sizes


def test_a_copy_has_what_was_synced_and_what_was_not_and_goes_its_own_way():
    files = SimFiles()
    handle = a_file(files)
    files.write(handle, b"unsynced", 0)
    copy = files.copied()
    files.write(handle, b"later", 0)
    assert b"unsynced" == copy.read("d/f", 0, 8)
    seen = set()
    for seed in range(20):
        lost = copy.copied()
        lost.lose_power(random.Random(seed))
        seen.add(lost.read("d/f", 0, 8))
    assert {b"unsynced", bytes(8)} == seen
    assert b"laterced" == files.read("d/f", 0, 8)


def test_a_handle_is_closed_once():
    files = SimFiles()
    handle = a_file(files)
    files.close(handle)
    with pytest.raises(OSError, match="no such handle"):
        files.close(handle)


def test_a_name_that_was_not_synced_may_be_lost():
    seen = set()
    for seed in range(20):
        files = SimFiles()
        a_file(files)
        files.open("d/g", create=True)
        files.lose_power(random.Random(seed))
        seen.add(tuple(files.names("d")))
    assert {("f",), ("f", "g")} == seen


def test_the_disk_refuses_goes_short_and_is_full_when_told_to():
    files = SimFiles()
    handle = a_file(files)
    files.goes = lambda count: count // 2
    assert 3 == files.write(handle, b"abcdef", 0)
    assert b"abc\0" == files.read("d/f", 0, 4)
    files.refuses = lambda name: errno.EIO if name == "sync" else 0
    with pytest.raises(OSError, match="sync") as refused:
        files.sync(handle)
    assert errno.EIO == refused.value.errno
    files.space_bytes = 4 * SECTOR_BYTES
    files.allocate(handle, 4 * SECTOR_BYTES)
    with pytest.raises(OSError, match="no space"):
        files.allocate(handle, 5 * SECTOR_BYTES)
    assert 1 == files.no_space_count


def test_a_flipped_bit_is_flipped():
    files = SimFiles()
    files.write(a_file(files), b"\x01", 0)
    files.flip_bit("d/f", 0, 1)
    assert b"\x03" == files.read("d/f", 0, 1)
