"""Timers come back in order, once, and a later one of the same name replaces the earlier."""

from holdfast.runtime.timers import Timers
from holdfast.vocab.effects import SetTimer
from holdfast.vocab.events import TimerKind


def a_timer(due: int, kind: TimerKind = TimerKind.ACK, key: int = 0) -> SetTimer:
    return SetTimer(kind=kind, key=key, due_mono_ns=due)


def test_they_come_back_in_the_order_of_their_due_times() -> None:
    timers = Timers()
    for key, due in ((1, 30), (2, 10), (3, 20)):
        timers.set(a_timer(due, key=key))
    keys = []
    while (fired := timers.pop_due(mono_ns=100, wall_ns=0)) is not None:
        keys.append(fired.key)
    assert [2, 3, 1] == keys


def test_a_later_timer_of_the_same_name_replaces_the_earlier() -> None:
    """A chase that is set anew must not also fire at its old time."""
    timers = Timers()
    timers.set(a_timer(10))
    timers.set(a_timer(50))
    assert timers.pop_due(mono_ns=20, wall_ns=0) is None
    assert 50 == timers.next_due_mono_ns()
    assert timers.pop_due(mono_ns=50, wall_ns=0) is not None
    assert timers.next_due_mono_ns() is None


def test_an_earlier_timer_of_the_same_name_replaces_the_later_too() -> None:
    timers = Timers()
    timers.set(a_timer(50))
    timers.set(a_timer(10))
    assert timers.pop_due(mono_ns=10, wall_ns=0) is not None
    assert timers.pop_due(mono_ns=100, wall_ns=0) is None
