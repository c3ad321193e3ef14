"""The switch within: it needs nothing of the loop that it judges."""

import threading
import time

import pytest

from holdfast.guard.dead_switch import DeadSwitch
from holdfast.guard.latch import Latch
from holdfast.guard.lease import Lease
from holdfast.guard.stillness import Stillness

S = 1_000_000_000


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.fixture
def held(guard):
    latch = Latch(guard, "k")
    latch.clear(latch.observe())
    lease = Lease(guard, "k", by="bot", now_wall_ns=1, now_mono_ns=now_ns())
    yield latch, lease
    lease.release()
    latch.close()


@pytest.fixture
def switch(held):
    """A started switch that keeps what it did, and the loop's own renewals until told to hang."""
    latch, lease = held
    acted = []
    going = threading.Event()
    ended = threading.Event()

    def act(still_ours, wait):
        acted.append(still_ours())
        while still_ours():
            wait(0.01)
        acted.append(still_ours())

    one = DeadSwitch(
        latch=latch,
        lease=lease,
        hung_after_ns=S // 5,
        clock_ns=now_ns,
        act=act,
        look_s=0.01,
    )

    def loop():
        while not ended.wait(0.02):
            if going.is_set():
                lease.renew(now_ns())

    going.set()
    thread = threading.Thread(target=loop)
    thread.start()
    one.start()
    yield one, going, acted
    ended.set()
    thread.join()
    one.stop()


def settle(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_loop_that_renews_is_left_alone(held, switch):
    latch, _ = held
    time.sleep(0.5)
    assert (0, False) == (switch[0].acted_count, latch.tripped())


def test_a_loop_that_stands_still_trips_the_latch_and_is_acted_for_once(held, switch):
    """G3: within the process, while the loop hangs and without it."""
    latch, _ = held
    one, going, acted = switch
    going.clear()
    settle(latch.tripped)
    note = latch.note(latch.observe())
    assert note is not None
    assert "dead switch" == note.by
    assert "stood still" in note.reason
    time.sleep(0.4)
    assert [True] == acted, "once, and it goes on while the loop hangs"
    going.set()
    settle(lambda: len(acted) == 2)
    assert [True, False] == acted, "and ends when the loop is back"
    going.clear()
    settle(lambda: len(acted) == 3)
    assert 2 == one.acted_count, "the next time is another one"


def test_a_lease_that_was_let_go_is_no_hang(held, switch):
    """Closing takes its time; nobody is to be cancelled for it."""
    latch, lease = held
    one, going, _ = switch
    going.clear()
    lease.let_go()
    time.sleep(0.5)
    assert (0, False) == (one.acted_count, latch.tripped())


def test_it_acts_no_more_once_somebody_else_has_the_account(held, switch, guard):
    """I29: the fence holds for the switch as well."""
    _, lease = held
    _, going, acted = switch
    going.clear()
    settle(lambda: acted)
    lease.release()
    other = Lease(guard, "k", by="another bot", now_wall_ns=1, now_mono_ns=now_ns())
    settle(lambda: len(acted) == 2)
    assert [True, False] == acted
    other.release()


def test_what_was_not_watched_does_not_count():
    """A frozen process wakes with its loop and its switch at once: the loop gets its time."""
    still = Stillness(step_ns_max=S)
    assert 0 == still.look("a", now_mono_ns=100 * S)
    assert S // 2 == still.look("a", now_mono_ns=100 * S + S // 2)
    assert S // 2 + S == still.look("a", now_mono_ns=5_000 * S)
    assert 0 == still.look("b", now_mono_ns=5_000 * S + 1)
