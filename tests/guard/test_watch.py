"""The watcher: whatever the loop is doing, a latch that was tampered with halts within a moment."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from holdfast.guard.latch import Latch, trip_path
from holdfast.guard.lease import Lease
from holdfast.guard.watch import GuardWatch
from tests.guard.conftest import said_by

WITHIN_S = 5.0


@pytest.fixture
def watched(guard):
    latch = Latch(guard, "k")
    latch.clear(latch.observe())
    lease = Lease(guard, "k", by="bot", now_wall_ns=1, now_mono_ns=1, ttl_ns=10**18)
    told = threading.Event()
    watch = GuardWatch(latch=latch, lease=lease, on_change=told.set, interval_s=0.01)
    watch.start()
    yield latch, lease, told
    watch.stop()
    latch.close()
    lease.release()


def truncate(path):
    os.truncate(path, 0)


def replace(path):
    Path(path + ".x").write_bytes(Path(path).read_bytes())
    Path(path + ".x").replace(path)


def test_nothing_is_told_while_nothing_happens(watched):
    """A loop woken twenty times a second for nothing."""
    _, _, told = watched
    assert not told.wait(0.2)


@pytest.mark.parametrize("harm", [os.unlink, truncate, replace])
def test_a_harmed_latch_halts_for_good_and_the_loop_is_told(watched, harm):
    """The trip would no longer reach us: so not being able to be halted is being halted."""
    latch, _, told = watched
    whole = Path(latch.path).read_bytes()

    harm(latch.path)
    assert told.wait(WITHIN_S)
    assert latch.tripped()
    assert latch.broken
    Path(latch.path).write_bytes(whole)
    assert latch.tripped()


def test_the_loop_is_told_of_a_trip_even_when_it_sends_nothing(watched):
    """Cancels and the hold must not wait for the next order."""
    latch, _, told = watched
    trip_path(latch.path, by="ann", reason="x")

    assert told.wait(WITHIN_S)
    told.clear()
    trip_path(latch.path, by="ann", reason="again")
    assert told.wait(WITHIN_S)


@pytest.mark.parametrize("harm", [os.unlink, replace])
def test_a_harmed_lease_is_lost_at_once(watched, harm):
    """A second instance could take the new file."""
    _, lease, told = watched
    assert lease.fresh(1)

    harm(lease.path)
    assert told.wait(WITHIN_S)
    assert not lease.fresh(1)


def test_a_loop_that_is_gone_does_not_end_the_watch(guard):
    """`call_soon_threadsafe` raises once the loop is closed; the flags are read by others still."""
    latch = Latch(guard, "k")
    latch.clear(latch.observe())

    def closed():
        raise RuntimeError("Event loop is closed")

    watch = GuardWatch(latch=latch, lease=None, on_change=closed, interval_s=0.01)
    watch.start()
    trip_path(latch.path, by="ann", reason="x")
    deadline = time.monotonic() + WITHIN_S
    while watch.failed_count == 0 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    Path(latch.path).unlink()
    while not latch.broken and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    watch.stop()

    assert watch.failed_count >= 1
    assert latch.broken


READER = """
import sys
from holdfast.guard.latch import Latch
from holdfast.guard.watch import GuardWatch
latch = Latch(sys.argv[1], "k")
latch.clear(latch.observe())
watch = GuardWatch(latch=latch, lease=None, on_change=lambda: None)
watch.start()
print("clear", flush=True)
while not latch.tripped():
    pass
for _ in range(200_000):
    assert latch.tripped()
print("halted", flush=True)
"""


def test_truncating_the_file_under_a_busy_reader_halts_it_and_does_not_kill_it(guard):
    """With a mapping this is SIGBUS: the process would die before it could cancel anything."""
    process = subprocess.Popen([sys.executable, "-c", READER, guard], stdout=subprocess.PIPE, text=True)
    assert "clear" == said_by(process)
    os.truncate(f"{guard}/k.latch", 0)

    assert "halted" == said_by(process)
    assert 0 == process.wait(timeout=30)
