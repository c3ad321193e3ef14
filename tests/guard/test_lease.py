"""The lease: one process trades an account, and one that lost its time does not go on as if nothing had happened."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdfast.guard.latch import GuardUnusable
from holdfast.guard.lease import LEASE_BYTES, Lease, LeaseTaken, inspect_lease, read_lease
from holdfast.ports.guard import NOTHING_YET, Progress
from tests.guard.conftest import said_by

S = 1_000_000_000
T0 = 5_000 * S


def a_lease(guard, key="binance--1", *, by="bot", now=T0, **changes):
    return Lease(guard, key, by=by, now_wall_ns=77, now_mono_ns=now, **changes)


def stamped(lease):
    holder = read_lease(lease.path)
    assert holder is not None
    return holder


HOLD = """
import sys
from holdfast.guard.lease import Lease
lease = Lease(sys.argv[1], "binance--1", by="other", now_wall_ns=78, now_mono_ns=1)
print(lease.generation, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(guard):
    """Starts other processes that take the lease; ends them."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, guard], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, said_by(process)

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_second_instance_is_refused_and_told_by_whom(guard, other):
    """Two bots on one account double every position."""
    process, generation = other()
    assert "1" == generation

    with pytest.raises(LeaseTaken, match=f"process {process.pid} \\(other\\), generation 1") as refused:
        a_lease(guard)
    assert (process.pid, "other", 78, 1) == (
        refused.value.holder.pid,
        refused.value.holder.by,
        refused.value.holder.since_wall_ns,
        refused.value.holder.generation,
    )


def test_the_same_process_cannot_have_it_twice(guard):
    """A mistake in our own wiring is a second instance too."""
    held = a_lease(guard)
    with pytest.raises(LeaseTaken):
        a_lease(guard)
    held.release()
    assert 2 == a_lease(guard).generation


def test_a_frozen_holder_keeps_it_and_a_dead_one_does_not(guard, other):
    """SIGSTOP is not death: it may wake up and send. kill -9 is."""
    process, _ = other()
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(LeaseTaken):
        a_lease(guard)
    process.kill()
    process.wait()

    assert 2 == a_lease(guard).generation


def test_the_fencing_number_grows_at_every_taking(guard):
    """It is in every order id's epoch: two holders must never share one."""
    numbers = []
    for _ in range(5):
        lease = a_lease(guard)
        numbers.append(lease.generation)
        lease.release()

    assert [1, 2, 3, 4, 5] == numbers
    assert 41 == a_lease(guard, generation_floor=40).generation


def test_it_is_fresh_for_its_time_and_not_a_nanosecond_longer(guard):
    """No renewal, no order."""
    lease = a_lease(guard)
    assert lease.fresh(T0)
    assert lease.fresh(T0 + S - 1)
    assert not lease.fresh(T0 + S)

    assert lease.renew(T0 + S - 1) is None
    assert lease.fresh(T0 + 2 * S - 2)
    assert not lease.fresh(T0 + 2 * S - 1)
    assert T0 + S - 1 == stamped(lease).stamp_mono_ns


def test_an_expired_stamp_is_told_and_not_simply_renewed(guard):
    """What happened in between is unknown: it needs a reconcile, and a decision."""
    lease = a_lease(guard)

    expired = lease.renew(T0 + S + 250_000_000)
    assert (250, False) == (expired.expired_ms, expired.contested)
    assert not lease.fresh(T0 + S + 250_000_000)
    assert lease.renew(T0 + S + 300_000_000) is not None
    assert not lease.fresh(T0)

    lease.reclaim(now_wall_ns=79, now_mono_ns=T0 + 5 * S)
    assert 1 == lease.generation
    assert lease.fresh(T0 + 5 * S)
    assert lease.renew(T0 + 5 * S + 1) is None


def test_a_lease_whose_file_was_replaced_is_lost_and_contested(guard, other):
    """A new file can be locked by another process: the flock alone does not protect the name."""
    lease = a_lease(guard)
    Path(lease.path).unlink()
    process, _ = other()

    assert "replaced" in lease.check()
    assert not lease.fresh(T0)
    expired = lease.renew(T0 + 1)
    assert expired.contested
    with pytest.raises(LeaseTaken):
        lease.reclaim(now_wall_ns=79, now_mono_ns=T0 + 2)
    assert not lease.fresh(T0 + 3)

    process.kill()
    process.wait()
    lease.reclaim(now_wall_ns=79, now_mono_ns=T0 + 4)
    assert 2 == lease.generation
    assert lease.fresh(T0 + 5)
    assert "" == lease.check()


def test_a_missing_file_loses_the_lease(guard):
    """Whoever creates it next would be a second holder."""
    lease = a_lease(guard)
    Path(lease.path).unlink()

    assert "cannot be found" in lease.check()
    assert not lease.fresh(T0)


def test_a_generation_that_changed_under_us_is_contested(guard):
    """Somebody wrote another holder into our file: whatever that was, we are not alone."""
    lease = a_lease(guard)
    with Path(lease.path).open("r+b") as file:
        file.write(b"%016x" % 9)

    assert lease.renew(T0 + 3 * S).contested
    lease.reclaim(now_wall_ns=79, now_mono_ns=T0 + 4 * S)
    assert 10 == lease.generation


@pytest.mark.parametrize("content", [b"", b"\0" * 256, b"nonsense", b"f" * 300])
def test_a_lease_file_of_nonsense_is_taken_afresh(guard, content):
    """It carries no lock: only a number and a name are lost, and the floor keeps the number."""
    Path(guard + "/binance--1.lease").write_bytes(content)

    lease = a_lease(guard, by='odd "name" ü ' + "x" * 300, generation_floor=7)
    assert 8 == lease.generation
    assert 8 == stamped(lease).generation
    assert LEASE_BYTES == Path(lease.path).stat().st_size


def test_truncating_the_file_crashes_nobody(guard):
    """A mapped stamp would be a SIGBUS."""
    lease = a_lease(guard)
    os.truncate(lease.path, 0)

    assert lease.renew(T0 + 1) is None
    assert lease.fresh(T0 + 2)
    assert read_lease(lease.path) is None
    assert lease.contested()


def forked():
    """A child that says that it runs, and lives until its pipe closes."""
    asked, stay = os.pipe()
    running, says = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(stay)
        os.write(says, b"x")
        os.read(asked, 1)
        os._exit(0)
    os.read(running, 1)
    for descriptor in (asked, running, says):
        os.close(descriptor)
    return child, stay


def test_a_forked_child_neither_keeps_nor_ends_the_lease(guard):
    """A worker that outlives its parent must not lock the account, and one that ends must not unlock it."""
    lease = a_lease(guard)
    child, stay = forked()
    assert lease.fresh(T0)
    assert lease.check() == ""
    with pytest.raises(LeaseTaken):
        a_lease(guard)
    os.close(lease._descriptor)  # what the kernel does when the parent is killed
    lease._descriptor = -1
    assert 2 == a_lease(guard).generation
    os.close(stay)
    os.waitpid(child, 0)


def test_a_child_that_ends_leaves_the_lease_locked(guard):
    """The lock belongs to the parent until it says otherwise."""
    lease = a_lease(guard)
    child, stay = forked()
    os.close(stay)
    os.waitpid(child, 0)

    assert lease.fresh(T0)
    with pytest.raises(LeaseTaken):
        a_lease(guard)


def test_a_file_replaced_between_opening_and_locking_is_not_the_one_that_counts(guard, monkeypatch):
    """A lock on a file that nobody else can find locks nobody out."""
    real_flock = fcntl.flock
    moved: list[Path] = []

    def flock(descriptor, operation):
        if not moved:
            moved.append(Path(guard + "/binance--1.lease").rename(guard + "/moved"))
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    lease = a_lease(guard)
    monkeypatch.undo()

    assert moved
    assert lease.check() == ""
    with pytest.raises(LeaseTaken):
        a_lease(guard)


def test_many_at_once_leave_one_holder(guard):
    """A race at start must have one winner, also while the file does not exist yet."""
    won, lost = [], []
    go = threading.Barrier(16)

    def take():
        go.wait()
        try:
            won.append(a_lease(guard))
        except LeaseTaken as error:
            lost.append(error)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1, 15) == (len(won), len(lost))


def test_a_lease_that_cannot_be_had_says_why(guard):
    """One line, with the path."""
    Path(guard + "/binance--1.lease").mkdir()
    with pytest.raises(GuardUnusable, match=r"binance--1\.lease: cannot be used: Is a directory"):
        a_lease(guard)
    assert read_lease(guard + "/nothing.lease") is None


def test_each_renewal_says_what_the_loop_got_done(guard):
    """Alive is more than a process that runs: whoever judges it reads this with the loop hung."""
    lease = a_lease(guard)
    assert NOTHING_YET == stamped(lease).progress
    done = Progress(stepped_mono_ns=T0 + 1, decided_mono_ns=T0 - 2, acked_mono_ns=T0 - 3, loop_lag_ns=4)

    assert lease.renew(T0 + 5, done) is None
    assert (T0 + 5, done) == (stamped(lease).stamp_mono_ns, stamped(lease).progress)
    assert T0 + 5 == lease.stamp_mono_ns
    lease.renew(T0 + 9 * S, done)
    lease.reclaim(now_wall_ns=1, now_mono_ns=T0 + 9 * S)
    assert done == stamped(lease).progress


def test_a_lease_that_is_let_go_sends_nothing_more_and_says_so(guard):
    """A clean end is not a death."""
    lease = a_lease(guard)
    lease.let_go()
    assert not lease.fresh(T0 + 1)
    assert 0 == stamped(lease).stamp_mono_ns
    assert lease.ended
    with pytest.raises(LeaseTaken):
        a_lease(guard)
    lease.release()
    assert T0 == stamped(a_lease(guard)).stamp_mono_ns


def test_what_cannot_be_read_is_not_taken_for_nobody(guard):
    """A watchdog that is blind must know that it is."""
    lease = a_lease(guard)
    assert inspect_lease(guard + "/nothing.lease") is None
    os.truncate(lease.path, 20)
    assert f"{lease.path}: is not a lease" == inspect_lease(lease.path)
    assert "Is a directory" in str(inspect_lease(guard))


def test_a_lease_knows_whether_the_one_before_it_ended_as_it_should(guard):
    """A start that comes to nothing must not hide the death before it."""
    first = a_lease(guard)
    assert first.clean_before
    first.release()
    second = a_lease(guard)
    assert not second.clean_before
    second.let_go()
    second.release()
    assert a_lease(guard).clean_before
