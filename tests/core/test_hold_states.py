"""Every state that holds, ladder, latch and lease reach together, breadth first: what loosens is a person's act.

The ladder alone is walked in ``test_ladder``. Here it stands among holds of other kinds, of all three ways to be
released, in other scopes. ``QUICK`` of the states in every run; HOLDFAST_FULL=1 goes on until none is new.
"""

import os
from collections import deque

import pytest

from holdfast.core.holds.ladder import Rung
from holdfast.core.holds.rules import RULES
from holdfast.core.step.ladder import rung
from holdfast.vocab.events import LatchSeen, LeaseLost
from holdfast.vocab.holds import HoldCause, HoldLevel, Release
from tests.core.test_ladder import a_burst, a_copy, a_laddered_core, loses
from tests.house.setup import BTC

FULL = os.environ.get("HOLDFAST_FULL") == "1"
QUICK = 24
KILLED = HoldLevel.KILLED


def halts_from_outside(room):
    """Another process stores into the latch; the loop sees it."""
    room.trip_nonce += 1
    room.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=room.trip_nonce, by="ann", reason="from outside"))


def loses_the_lease(room):
    room.tell(LeaseLost(wall_ns=0, mono_ns=0, expired_ms=900, contested=False))
    room.run(ms=100)


def quotes_come(room, come):
    room.quoting = come
    room.run(s=7)


def resumes_all(room):
    for hold in list(room.books.holds.holds.values()):
        room.says("resume", hold_id=hold.hold_id)


def kills(room):
    room.says("kill")
    room.run(s=4)  # until its exit has ended: recovery waits for it


EVENTS = {
    "time": lambda room: room.run(s=4),
    "quotes stop": lambda room: quotes_come(room, come=False),
    "quotes come": lambda room: quotes_come(room, come=True),
    "down twelve": lambda room: loses(room, 12),
    "calm": lambda room: loses(room, 0),
    "burst": a_burst,
    "lease": loses_the_lease,
    "latch": halts_from_outside,
}
STARTS = {
    "restart": lambda room: room.restarts(snapshot=True),
    "reboot": lambda room: room.restarts(snapshot=True, reboot=True),
}
PEOPLE = {
    "resume": resumes_all,
    "arm": lambda room: room.says("arm"),
    "recover alone": lambda room: room.says("recover"),
    "recover": lambda room: room.says("recover", second_by="bob"),
    "pause": lambda room: room.says("pause", strategy="alpha"),
    "unpause": lambda room: room.says("unpause", strategy="alpha"),
    "ban": lambda room: room.says("ban", instrument=BTC),
    "unban": lambda room: room.says("unban", instrument=BTC),
    "halt": lambda room: room.says("halt"),
    "kill": kills,
}
ACTIONS = EVENTS | STARTS | PEOPLE


def key_of(room):
    """What the future depends on, the numbers of holds apart."""
    holds = room.books.holds.holds.values()
    return (
        rung(room.state),
        frozenset((hold.cause, hold.scope.strategy, hold.scope.instrument, hold.level) for hold in holds),
        room.latch_tripped,
        room.books.ladder.cooled,
        room.books.ladder.recovering,
        room.quoting,
    )


def levels(room):
    return {
        (strategy, instrument): desk.level
        for strategy, desks in room.state.desks.items()
        for instrument, desk in desks.items()
    }


def judge(name, before, after):
    """``before`` and ``after``: (holds by number, latch, levels, rung)."""
    holds, tripped, was, rung_before = before
    now_holds, now_tripped, now, rung_after = after
    if name not in PEOPLE:
        for number, hold in holds.items():
            automatic = RULES[hold.cause].release is Release.AUTOMATIC
            still = now_holds.get(number)
            startup = hold.cause is HoldCause.STARTUP and name in STARTS
            assert automatic or startup or (still is not None and still.level >= hold.level), (name, hold)
        assert now_tripped or not tripped, f"{name} cleared the latch"
        gone = [hold for number, hold in holds.items() if number not in now_holds]
        if name in STARTS or not gone:
            assert all(now[desk] >= level for desk, level in was.items()), f"{name} loosened"
    if name in STARTS:
        assert HoldLevel.HALTED <= min(now.values())
        assert [] != [hold for hold in now_holds.values() if hold.cause is HoldCause.STARTUP]
    if rung_before is Rung.KILL_SWITCH and rung_after is not Rung.KILL_SWITCH:
        assert name in {"recover", "recover alone"}
        assert rung_after is Rung.RECOVERY
    for number, hold in holds.items():
        if hold.level is KILLED and name not in {"recover", "recover alone"}:
            assert number in now_holds, f"{name} released KILLED"


def seen_in(room):
    return dict(room.books.holds.holds), room.latch_tripped, levels(room), rung(room.state)


@pytest.mark.timeout(3_600 if FULL else 120)
def test_no_state_is_left_for_a_looser_one_but_by_a_person_or_a_rule_that_says_so():
    """I8, I9: automation only tightens, KILLED is left by its procedure alone, and a restart never loosens."""
    start = a_laddered_core(armed=False, breakers_per_day_max=1)
    start.says("arm")
    seen, todo, looked = {key_of(start)}, deque([start]), 0
    left = set()
    while todo and (FULL or looked < QUICK):
        room = todo.popleft() if FULL or looked % 2 else todo.pop()  # near the start and far from it by turns
        looked += 1
        if FULL and looked % 100 == 0:
            print(f"{looked} of {len(seen)}", flush=True)
        before = seen_in(room)
        for name, act in ACTIONS.items():
            here = a_copy(room)
            act(here)
            after = seen_in(here)
            judge(name, before, after)
            if before[3] is Rung.KILL_SWITCH and after[3] is not before[3]:
                left.add(name)
            key = key_of(here)
            if key not in seen:
                seen.add(key)
                todo.append(here)
    print(f"{looked} states looked at, {len(seen)} reached")
    assert "recover" in left
    assert len(seen) > 100
    assert set(Rung) - {Rung.WARNING} <= {key[0] for key in seen}
