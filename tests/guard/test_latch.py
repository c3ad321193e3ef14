"""The latch: what trips it, what clears it, and that nothing done to its file lets an order out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.guard import latch as module
from holdfast.guard.latch import (
    GuardUnusable,
    Latch,
    guard_dir,
    key_of,
    latch_keys,
    latch_path,
    peek,
    shell_line,
    trip_path,
)
from holdfast.guard.lease import Lease


def a_clear_latch(guard, key="binance--1"):
    latch = Latch(guard, key)
    assert latch.clear(latch.observe())
    assert not latch.tripped()
    return latch


def reason_of(latch):
    note = latch.note(latch.observe())
    assert note is not None
    return note.reason


def test_a_latch_that_was_not_there_is_created_tripped(guard):
    """A reboot wipes tmpfs: nothing may trade on the strength of a file that vanished."""
    latch = Latch(guard, "binance--1")

    assert latch.tripped()
    assert "no latch of this boot" in reason_of(latch)
    assert 0o600 == Path(latch.path).stat().st_mode & 0o777


def test_a_cleared_latch_stays_cleared_when_opened_again(guard):
    """Within one boot the file is the truth: the startup hold is the core's business."""
    a_clear_latch(guard).close()

    assert not Latch(guard, "binance--1").tripped()


def test_another_process_trips_it(guard):
    """A halt must not need anything of the process that it halts."""
    latch = a_clear_latch(guard)
    code = f"from holdfast.guard.latch import trip_path; print(trip_path({latch.path!r}, by='ann', reason='odd fills'))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert latch.tripped()
    assert int(printed.stdout) == latch.observe()
    note = latch.note(latch.observe())
    assert ("ann", "odd fills") == (note.by, note.reason)
    assert note.pid > 0
    assert note.wall_ns > 0


def test_the_shipped_shell_line_trips_it(guard):
    """It is what an operator has when Python itself is broken: run, not only printed."""
    latch = a_clear_latch(guard)

    subprocess.run(shell_line(latch.path), shell=True, check=True, capture_output=True, timeout=30)

    assert latch.tripped()
    assert latch.check() == ""
    assert latch.note(latch.observe()) is None
    assert latch.clear(latch.observe())
    assert not latch.tripped()


def test_a_trip_during_the_checks_survives_the_clearing(guard):
    """Arm and resume copy what they saw before their checks: a halt in between must win."""
    latch = a_clear_latch(guard)
    latch.trip("ann", "first")
    seen = latch.observe()
    trip_path(latch.path, by="bob", reason="second")

    assert not latch.clear(seen)
    assert latch.tripped()
    assert latch.clear(latch.observe())
    assert not latch.tripped()


def test_a_trip_between_reading_and_writing_of_a_clear_survives(guard, monkeypatch):
    """The narrowest race there is: the halter stores just before the clearing store."""
    latch = a_clear_latch(guard)
    latch.trip("ann", "first")
    seen = latch.observe()
    real_pread = os.pread
    reads: list[bytes] = []

    def pread(descriptor, size, offset):
        reads.append(real_pread(descriptor, size, offset))
        if len(reads) == 1:
            os.pwrite(descriptor, b"another trip 16b", 0)
        return reads[-1]

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", pread)
        assert not latch.clear(seen)
    assert latch.tripped()


def test_a_latch_found_broken_while_it_was_read_stays_tripped(guard):
    """The watcher breaks it from its own thread, at any moment of ours."""

    class Raced(Latch):
        def _read(self):
            data = super()._read()
            self._break("was replaced by another file")
            return data

    a_clear_latch(guard).close()
    latch = Raced(guard, "binance--1")
    latch._clear_image = b"something else"

    assert latch.tripped()
    assert latch.tripped()


def test_tripping_twice_is_tripping(guard):
    """Halting is idempotent: whoever comes second is not told off."""
    latch = a_clear_latch(guard)

    assert latch.trip("ann", "a") != latch.trip("bob", "b")
    assert latch.tripped()
    assert "b" == reason_of(latch)


def test_a_nonce_of_nothing_clears_nothing(guard):
    """0 is what an unreadable latch observes: it must never match."""
    latch = Latch(guard, "binance--1")

    assert not latch.clear(0)
    assert not latch.clear(12345)
    assert latch.tripped()


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 40, 127, 129, 5000])
def test_a_latch_of_another_size_is_tripped_for_good(guard, size):
    """Truncated under a running reader: it must neither crash (SIGBUS) nor permit."""
    latch = a_clear_latch(guard)
    whole = Path(latch.path).read_bytes()

    os.truncate(latch.path, size)
    assert latch.tripped()
    Path(latch.path).write_bytes(whole)
    assert latch.tripped()
    assert latch.broken
    assert 0 == latch.observe()

    latch.repair()
    assert latch.tripped()
    assert latch.clear(latch.observe())
    assert not latch.tripped()


@pytest.mark.parametrize("offset", [0, 7, 15, 16, 31, 32, 33, 50, 68, 127])
def test_any_changed_byte_halts(guard, offset):
    """Whatever wrote there, and wherever: different from what was cleared is tripped."""
    latch = a_clear_latch(guard)
    data = bytearray(Path(latch.path).read_bytes())
    data[offset] ^= 0xFF
    descriptor = os.open(latch.path, os.O_WRONLY)
    os.pwrite(descriptor, data[offset : offset + 1], offset)
    os.close(descriptor)

    if 69 <= offset or offset == 32:
        assert not latch.tripped()  # the remark means nothing
    else:
        assert latch.tripped()


def test_a_replaced_or_missing_file_is_seen_by_the_check(guard):
    """Tripping the new file would not reach a process that reads the old one."""
    latch = a_clear_latch(guard)
    Path(latch.path).rename(latch.path + ".moved")
    assert "cannot be found" in latch.check()
    assert latch.tripped()

    latch.repair()
    assert latch.clear(latch.observe())
    other = Path(guard) / "other"
    other.write_bytes(Path(latch.path).read_bytes())
    other.replace(latch.path)
    assert not latch.tripped()
    assert "replaced" in latch.check()
    assert latch.tripped()
    assert not latch.clear(latch.observe())


def test_a_latch_of_another_boot_is_made_anew_and_tripped(guard):
    """A guard directory on a disk survives a reboot; a permission must not."""
    latch = a_clear_latch(guard)
    latch.close()
    data = bytearray(Path(latch.path).read_bytes())
    data[40:44] = b"beef"
    Path(latch.path).write_bytes(data)

    assert peek(latch.path) is None
    again = Latch(guard, "binance--1")
    assert again.tripped()
    assert "no latch of this boot" in reason_of(again)


@pytest.mark.parametrize("content", [b"", b"x", b"0" * 128, b"\0" * 128, b"garbage" * 100])
def test_a_file_that_is_no_latch_is_made_anew_and_tripped(guard, content):
    """All zeros have equal fields: without the boot id they would be a permission."""
    Path(latch_path(guard, "k")).write_bytes(content)

    assert Latch(guard, "k").tripped()


def test_a_closed_latch_is_tripped(guard):
    """Whatever is left running at the end must not send."""
    latch = a_clear_latch(guard)
    latch.close()
    latch.close()

    assert latch.tripped()
    assert 0 == latch.observe()


def test_a_note_that_cannot_be_written_never_prevents_the_trip(guard):
    """Stopping comes first, explaining second."""
    latch = a_clear_latch(guard)
    Path(latch.path.removesuffix(".latch") + ".who").unlink()
    Path(latch.path.removesuffix(".latch") + ".who").mkdir()

    nonce = trip_path(latch.path, by="ann", reason="full")

    assert latch.tripped()
    assert nonce == latch.observe()
    assert latch.note(nonce) is None


def test_notes_are_bounded_and_survive_odd_words(guard):
    """Anybody may halt as often as they like, with any text."""
    latch = a_clear_latch(guard)
    odd = 'a "quote", a\nnew line, \x1b[31m, \u202e and ' + "x" * 10_000
    nonce = 0
    for _ in range(300):
        nonce = trip_path(latch.path, by="ann\n", reason=odd)

    size = Path(latch.path.removesuffix(".latch") + ".who").stat().st_size
    assert size < 200_000
    note = latch.note(nonce)
    assert note.reason == odd[:500]
    assert note.by == "ann\n"


def test_the_latches_of_a_host_can_be_listed(guard):
    """`holdfast halt --all` must not depend on knowing the accounts."""
    latches = [a_clear_latch(guard, f"binance--{number}") for number in range(3)]
    Lease(guard, "binance--9", by="bot", now_wall_ns=1, now_mono_ns=1)

    assert tuple(f"binance--{number}" for number in range(3)) == latch_keys(guard)
    for key in latch_keys(guard):
        trip_path(latch_path(guard, key), by="ann", reason="all")
    assert all(latch.tripped() for latch in latches)
    assert () == latch_keys(guard + "/nowhere")


def test_a_latch_that_is_not_there_cannot_be_tripped_silently(guard):
    """Who halts must learn that nothing was there to halt."""
    with pytest.raises(FileNotFoundError):
        trip_path(latch_path(guard, "typo"), by="ann", reason="x")
    assert () == latch_keys(guard)


def test_peek_tells_without_holding_or_creating(guard):
    """`holdfast status` looks; looking must change nothing."""
    assert peek(latch_path(guard, "binance--1")) is None
    latch = a_clear_latch(guard)
    assert (False, latch.observe()) == peek(latch.path)
    nonce = latch.trip("ann", "x")
    assert (True, nonce) == peek(latch.path)


def test_keys_differ_where_accounts_differ():
    """Two accounts on one latch would halt together, and on one lease could not both trade."""
    pairs = [
        ("binance", "1"), ("binance", "a/b"), ("binance", "a_b"), ("binance--a", "b"), ("binance", "a--b"),
        ("binance", "ä"), ("binance", "ö"), ("b", "inance"), ("binance", "x" * 200), ("binance", "x" * 201),
        ("binance", "../../etc/passwd"), ("binance", ""), ("binance", "\n"),
    ]  # fmt: skip
    keys = [key_of(venue=venue, account=account) for venue, account in pairs]

    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", key) and not key.startswith(".") for key in keys)
    assert "binance--1" == keys[0]


def test_the_directory_is_the_same_for_every_configuration(monkeypatch):
    """One per host, unless the environment says otherwise for all."""
    monkeypatch.delenv("HOLDFAST_GUARD_DIR", raising=False)
    assert "/dev/shm/holdfast" == guard_dir()
    monkeypatch.setenv("HOLDFAST_GUARD_DIR", "/somewhere")
    assert "/somewhere" == guard_dir()


def test_a_directory_that_others_can_write_to_is_refused(guard):
    """Whoever can replace the latch could take the halt away."""
    Path(guard).chmod(0o770)
    with pytest.raises(GuardUnusable, match="mode 0700"):
        Latch(guard, "k")
    Path(guard + "/link").symlink_to(guard)
    with pytest.raises(GuardUnusable, match="mode 0700"):
        Latch(guard + "/link", "k")


def test_a_link_in_place_of_the_latch_is_refused(guard):
    """A link leads where somebody else may write."""
    Path(guard + "/elsewhere").write_bytes(b"")
    Path(latch_path(guard, "k")).symlink_to(guard + "/elsewhere")

    with pytest.raises(GuardUnusable, match="cannot be used"):
        Latch(guard, "k")


def test_halting_imports_next_to_nothing():
    """`holdfast halt` has 0.3 s, and a broken environment must not stop it."""
    code = "import sys; before = set(sys.modules); import holdfast.guard.latch; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=30,
                         env={"PYTHONPATH": str(Path(module.__file__).parents[2])}, check=True)  # fmt: skip

    allowed = {"holdfast", "holdfast.guard", "holdfast.guard.latch", "holdfast.guard.notes", "__future__"}
    assert set(run.stdout.split()) <= allowed | {"os", "os.path", "errno", "time"} | {
        "stat",
        "_stat",
        "posixpath",
        "genericpath",
        "_collections_abc",
    }
