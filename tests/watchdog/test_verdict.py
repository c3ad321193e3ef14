"""Who is dead: by a stamp that was seen to stand still, never by a guess."""

import pytest

from holdfast.guard.lease import Holder
from holdfast.ports.guard import NOTHING_YET, Progress
from holdfast.watchdog.pause import Pause
from holdfast.watchdog.verdict import Judge, Verdict

S = 1_000_000_000
LOOK = S // 4


WELL = Progress(stepped_mono_ns=1_000 * S, acked_mono_ns=1_000 * S)


def a_holder(*, stamp_ns, generation=1, progress=WELL):
    return Holder(
        generation=generation, stamp_mono_ns=stamp_ns, pid=7, by="test", since_wall_ns=0, progress=progress
    )


@pytest.fixture
def judge():
    return Judge(dead_after_ns=2 * S, stalled_after_ns=10 * S)


def looks(judge, found, *, start_ns, count, gap_ns=LOOK):
    return [judge.look(found, now_mono_ns=start_ns + number * gap_ns) for number in range(count)]


def test_a_stamp_that_moves_is_a_living_bot(judge):
    for now in range(100 * S, 120 * S, LOOK):
        progress = Progress(stepped_mono_ns=now, acked_mono_ns=now)
        assert Verdict.ALIVE is judge.look(a_holder(stamp_ns=now, progress=progress), now_mono_ns=now + 1)


def test_a_stamp_that_stands_still_is_late_and_then_dead(judge):
    """A hung loop renews nothing, whatever else of its process still runs."""
    seen = looks(judge, a_holder(stamp_ns=100 * S), start_ns=100 * S, count=10)
    assert [Verdict.ALIVE] * 5 + [Verdict.LATE] * 4 + [Verdict.DEAD] == seen
    assert "process 7" in judge.why
    assert Verdict.ALIVE is judge.look(a_holder(stamp_ns=103 * S), now_mono_ns=103 * S), "it woke up"


def test_a_judge_that_was_frozen_with_the_bot_does_not_call_it_dead(judge):
    """A suspended machine wakes both: the bot has its time to renew before anybody trips and cancels."""
    holder = a_holder(stamp_ns=100 * S)
    looks(judge, holder, start_ns=100 * S, count=2)
    assert Verdict.DEAD is not judge.look(holder, now_mono_ns=4_000 * S)
    assert Verdict.ALIVE is judge.look(a_holder(stamp_ns=4_000 * S + 1), now_mono_ns=4_000 * S + LOOK)


def test_a_bot_that_let_go_is_not_missed(judge):
    """A clean end must page nobody."""
    assert {Verdict.ENDED} == {*looks(judge, a_holder(stamp_ns=0), start_ns=100 * S, count=40)}
    assert Verdict.NOBODY is judge.look(None, now_mono_ns=200 * S), "its file may go too"


def test_nobody_to_watch_is_not_a_death(judge):
    assert {Verdict.NOBODY} == {*looks(judge, None, start_ns=5 * S, count=40)}


@pytest.mark.parametrize("found", ["lease: cannot be read", None])
def test_a_lease_that_says_nothing_under_a_living_bot_is_said(judge, found):
    """Not knowing is not the same as well."""
    judge.look(a_holder(stamp_ns=100 * S), now_mono_ns=100 * S)
    seen = looks(judge, found, start_ns=100 * S + LOOK, count=10)
    assert [Verdict.LATE] * 9 + [Verdict.UNREADABLE] == seen
    assert ("gone" in judge.why) is (found is None)


def renewing(judge, progress, *, start_ns, count):
    """Looks at a bot that renews and whose progress is told by time."""
    times = [start_ns + number * LOOK for number in range(count)]
    return [judge.look(a_holder(stamp_ns=now, progress=progress(now)), now_mono_ns=now) for now in times]


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (lambda now: Progress(stepped_mono_ns=90 * S, acked_mono_ns=now), "no event was stepped for 10 s"),
        (lambda now: Progress(stepped_mono_ns=now, acked_mono_ns=90 * S), "answered nothing for 10 s"),
    ],
)
def test_a_bot_that_renews_and_gets_nothing_done_is_stalled(judge, progress, words):
    """Alive is more than a process that runs."""
    seen = renewing(judge, progress, start_ns=100 * S, count=42)
    assert [Verdict.ALIVE] * 41 + [Verdict.STALLED] == seen
    assert words in judge.why


def test_a_bot_that_is_starting_has_more_patience_and_its_tries_share_it(judge):
    """It reads a long journal before it renews anything; and one that dies at every start is not forgiven for ever."""
    seen = [
        judge.look(
            a_holder(stamp_ns=99 * S + number // 8, generation=number // 8, progress=NOTHING_YET),
            now_mono_ns=100 * S + number * LOOK,
        )
        for number in range(42)
    ]
    assert [Verdict.ALIVE] * 41 + [Verdict.DEAD] == seen
    assert "has been starting for 10250 ms" in judge.why


def test_a_machine_that_was_suspended_stalled_nobody(judge):
    """Everything is an hour old when it wakes; the bot has its time to step something."""
    progress = Progress(stepped_mono_ns=100 * S, acked_mono_ns=100 * S)
    judge.look(a_holder(stamp_ns=100 * S, progress=progress), now_mono_ns=100 * S)
    late = a_holder(stamp_ns=3_700 * S, progress=progress)
    assert Verdict.ALIVE is judge.look(late, now_mono_ns=3_700 * S)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (a_holder(stamp_ns=100 * S), Verdict.ALIVE),
        (a_holder(stamp_ns=97 * S), Verdict.DEAD),
        (a_holder(stamp_ns=97 * S, progress=NOTHING_YET), Verdict.ALIVE),
        (a_holder(stamp_ns=100 * S, progress=Progress(stepped_mono_ns=80 * S)), Verdict.STALLED),
        (a_holder(stamp_ns=0), Verdict.ENDED),
        (None, Verdict.NOBODY),
        ("lease: is not a lease", Verdict.UNREADABLE),
    ],
)
def test_one_look_judges_by_the_age_of_the_stamp(judge, found, verdict):
    """A person who asks once must not be told that a corpse is alive."""
    assert verdict is judge.once(found, now_mono_ns=100 * S)


def test_a_pause_grows_to_its_bound_and_begins_again():
    pause = Pause(s_min=1.0, s_max=5.0)
    assert [1.0, 2.0, 4.0, 5.0, 5.0] == [pause.next_s() for _ in range(5)]
    pause.again()
    assert 1.0 == pause.next_s()
