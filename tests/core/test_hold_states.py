"""Every state that holds, ladder, latch and lease reach together, breadth first: what loosens is a person's act.

A walk ends when no action leads to a state that was not seen: it is whole. In every run there are two whole ones, both
with the latch, starts, and the kill switch with its recovery: one of the ladder, with losses, bursts and days; one of
what stands beside it, with the kill by hand, the lease, silent feeds, and people's holds in scopes of their own. And
every run looks at the nearest states of all of it together; HOLDFAST_FULL=1 walks that, too, to its end: 68,608 states
and 1,509,376 edges, in some sixteen minutes.
"""

import os
from collections import deque
from typing import NamedTuple

import pytest

from holdfast.core.holds.ladder import LADDER, Push, Rung
from holdfast.core.holds.rules import RULES
from holdfast.core.step.ladder import cool_left_ms, rung
from holdfast.vocab.events import LatchSeen, LeaseLost
from holdfast.vocab.holds import ACCOUNT, HoldCause, HoldLevel, Release
from holdfast.vocab.limits import StrategySetup
from holdfast.vocab.units import NS_PER_MS
from tests.core.test_ladder import STRICTNESS, a_burst, a_day_passes, loses
from tests.house.copies import Copies
from tests.house.room import a_running_core
from tests.house.setup import BTC, a_spec, account_limits, instrument_limits, strategy_limits, timings

FULL = os.environ.get("HOLDFAST_FULL") == "1"
TOGETHER_MAX = 250  # states of all of it together that every run looks at, the nearest first
BREAKERS_MAX = 1  # of a day
STEP_MS = 250  # of every sweep, and every mark of equity; whatever takes time here takes whole ones
LONGER_MS = 3 * STEP_MS  # than the cool-down, than feeds may be silent, and than holds take to clear
COOL_DOWN_MS = 2 * STEP_MS
SOLO_MS = STEP_MS  # until one person recovers alone
KILLED = HoldLevel.KILLED


def a_small_core():
    """One instrument, two strategies, and every delay as short as it can be: thousands of states come of it."""
    room = a_running_core(
        armed=False,
        instruments=(a_spec(BTC),),
        instrument_limits=(instrument_limits(BTC),),
        strategy_limits=(strategy_limits("alpha"), strategy_limits("beta")),
        strategies=tuple(StrategySetup(strategy=name, instruments=(BTC,)) for name in ("alpha", "beta")),
        account_limits=account_limits(
            breaker_cooldown_ms=COOL_DOWN_MS,
            recover_cooling_ms=SOLO_MS,
            orders_per_s_refuse=4,
            orders_per_s_kill=5,
            breakers_per_day_max=BREAKERS_MAX,
        ),
        timings=timings(
            feed_dead_ms=STEP_MS,
            hold_clear_ms=STEP_MS,
            quote_age_ms_max=STEP_MS - 25,
            flatten_read_gap_ms=100,
            flatten_retry_ms=100,
            query_retry_ms=100,
            equity_interval_ms=STEP_MS,
        ),
    )
    room.says("arm")
    room.run(ms=STEP_MS - 10)  # with its start, a step
    return room


def passes(room, ms=LONGER_MS):
    room.run(ms=ms)


def quotes_come(room, come):
    room.quoting = come
    room.run(ms=LONGER_MS)


def halts_from_outside(room):
    """Another process stores into the latch; the loop sees it."""
    room.trip_nonce += 1
    room.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=room.trip_nonce, by="ann", reason="from outside"))


def loses_the_lease(room):
    room.tell(LeaseLost(wall_ns=0, mono_ns=0, expired_ms=900, contested=False))
    room.run(ms=STEP_MS)


def starts_anew(room, *, reboot=False):
    room.restarts(snapshot=True, reboot=reboot, down_ms=STEP_MS)


def resumes_all(room):
    for hold in list(room.books.holds.holds.values()):
        room.says("resume", hold_id=hold.hold_id)


def bursts(room):
    a_burst(room)
    room.run(ms=STEP_MS)  # until its exit has ended: recovery waits for it


class Action(NamedTuple):
    """``pushes``: all that may come of it on the ladder. ``whose``: an event's, a start's or a person's."""

    act: object
    pushes: tuple
    whose: str = "event"


MARKS = (Push.OVER_WARNING, Push.OVER_BREAKER, Push.BELOW_RELEASE, Push.TOO_MANY)
TIME = (*MARKS, Push.TIME_OVER)
ACTIONS = {
    "time": Action(passes, TIME),
    "calm": Action(lambda room: loses(room, 0, ms=STEP_MS), (Push.BELOW_RELEASE, Push.TIME_OVER)),
    "down four": Action(lambda room: loses(room, 4, ms=STEP_MS), (Push.TIME_OVER,)),
    "down six": Action(lambda room: loses(room, 6, ms=STEP_MS), (Push.OVER_WARNING, Push.TIME_OVER)),
    "down twelve": Action(
        lambda room: loses(room, 12, ms=STEP_MS), (Push.OVER_BREAKER, Push.TOO_MANY, Push.TIME_OVER)
    ),
    "a day": Action(lambda room: a_day_passes(room, ms=STEP_MS), TIME),
    "burst": Action(bursts, (Push.TOO_FAST, *TIME)),
    "latch": Action(halts_from_outside, ()),
    "restart": Action(starts_anew, MARKS, "start"),  # a start marks equity, too
    "reboot": Action(lambda room: starts_anew(room, reboot=True), (Push.REBOOT, *MARKS), "start"),
    "resume": Action(resumes_all, (Push.RESET, Push.RESET_BEYOND, *MARKS), "person"),
    "recover alone": Action(lambda room: room.says("recover"), (Push.RECOVER,), "person"),
    "recover": Action(lambda room: room.says("recover", second_by="bob"), (Push.RECOVER,), "person"),
    "arm": Action(lambda room: room.says("arm"), (Push.ARM,), "person"),
}
BESIDE = {
    "quotes stop": Action(lambda room: quotes_come(room, come=False), TIME),
    "quotes come": Action(lambda room: quotes_come(room, come=True), TIME),
    "lease": Action(loses_the_lease, TIME),
    "kill": Action(lambda room: room.says("kill"), (Push.KILL,), "person"),  # its exit is under way
    "pause": Action(lambda room: room.says("pause", strategy="alpha"), (), "person"),
    "unpause": Action(lambda room: room.says("unpause", strategy="alpha"), (), "person"),
    "ban": Action(lambda room: room.says("ban", instrument=BTC), (), "person"),
    "unban": Action(lambda room: room.says("unban", instrument=BTC), (), "person"),
}

BY_ITSELF = {
    name: action for name, action in ACTIONS.items() if action.whose != "event" or name in {"time", "latch"}
}


def key_of(room):
    """What the future depends on: not on the numbers of holds, nor on a flag of a hold that does not stand. Whether
    a recovery is under way the rung tells, but beneath KILLED, and what leaves that is one. What runs is told in steps,
    and that is exact: every action takes whole steps, or no time.
    """
    books = room.books
    causes = {hold.cause for hold in books.holds.holds.values()}
    limits = room.state.live.settings.account_limits
    down = books.drawdown.drawdown_ppm()
    return (
        rung(room.state),
        frozenset(
            (hold.cause, hold.scope.strategy, hold.scope.instrument, hold.level)
            for hold in books.holds.holds.values()
        ),
        room.latch_tripped,
        _cool_down_of(room) if HoldCause.DRAWDOWN_BREAKER in causes else None,
        _solo_steps_left(room),
        bool(room.state.live.jobs),
        min(books.ladder.breakers_count, BREAKERS_MAX + 1),
        sum(
            down > edge
            for edge in (
                limits.drawdown_release_ppm - 1,
                limits.drawdown_warning_ppm,
                limits.drawdown_breaker_ppm,
            )
        ),
        room.quoting,
    )


def _cool_down_of(room):
    """Whether it has been told to be over, and how many steps it still runs."""
    return room.books.ladder.cooled, -(-cool_left_ms(room.state) // STEP_MS)


def _solo_steps_left(room):
    """Until one person may recover alone; None where there is nothing to recover from."""
    since = [
        room.books.hold_since_mono_ns(hold)
        for hold in room.books.holds.holds.values()
        if hold.release is Release.TWO_PERSONS
    ]
    ran_ms = (room.mono_ns - max(since)) // NS_PER_MS if since else 0
    return -(-max(0, SOLO_MS - ran_ms) // STEP_MS) if since else None


def reachable_by(before, pushes):
    """The rungs that the table leads to from here by these pushes, in any number."""
    found, todo = {before}, [before]
    while todo:
        here = todo.pop()
        for push in pushes:
            move = LADDER.get((here, push))
            if move is None:
                continue
            ends = {move.to}
            if move.or_standing:
                ends |= {Rung.WARNING, Rung.BREAKER, Rung.COOL_DOWN}
            todo += [end for end in ends if end not in found]
            found |= ends
    return found


class Seen(NamedTuple):
    """What is judged of a state. ``levels``: of each desk; ``risk``: the account's, the startup hold apart."""

    holds: dict
    tripped: bool
    levels: list
    risk: HoldLevel
    rung: Rung


def seen_in(room):
    holds = dict(room.books.holds.holds)
    account = [
        hold.level for hold in holds.values() if hold.scope == ACCOUNT and hold.cause is not HoldCause.STARTUP
    ]
    return Seen(
        holds=holds,
        tripped=room.latch_tripped,
        levels=[desk.level for desks in room.state.desks.values() for desk in desks.values()],
        risk=max(account, default=HoldLevel.NONE),
        rung=rung(room.state),
    )


def judge(name, action, before, after):
    """One edge of the graph."""
    said = f"{name}: {before.rung.value} to {after.rung.value}"
    assert after.rung in reachable_by(before.rung, action.pushes), f"{said} is not in the table"
    if action.whose != "person":
        _only_tightens(name, action, before, after)
    if action.whose == "start":
        assert HoldLevel.HALTED <= min(after.levels), f"{name} began looser than HALTED"
        assert [] != [hold for hold in after.holds.values() if hold.cause is HoldCause.STARTUP]
    for number, hold in before.holds.items():
        if hold.level is KILLED and name not in {"recover", "recover alone"}:
            assert number in after.holds, f"{name} released KILLED"
    if before.rung is Rung.KILL_SWITCH is not after.rung:
        assert name in {"recover", "recover alone"}
        assert after.rung is Rung.RECOVERY


def _only_tightens(name, action, before, after):
    starts = action.whose == "start"
    gone = []
    for number, hold in before.holds.items():
        still = after.holds.get(number)
        if still is None:
            gone.append(hold)
            replaced = starts and hold.cause is HoldCause.STARTUP
            assert replaced or RULES[hold.cause].release is Release.AUTOMATIC, f"{name} released {hold}"
        else:
            assert still.level >= hold.level, f"{name} weakened {hold}"
    assert after.tripped or not before.tripped, f"{name} cleared the latch"
    if starts or not gone:
        assert all(now >= was for now, was in zip(after.levels, before.levels, strict=True)), name
    assert gone or after.risk >= before.risk, f"{name} loosened the account"
    if STRICTNESS.index(after.rung) < STRICTNESS.index(before.rung):
        downs = {Rung.WARNING: Rung.NORMAL, Rung.BREAKER: Rung.COOL_DOWN}
        assert after.rung is downs.get(before.rung), f"automation loosened: {name} from {before.rung}"


class Walk:
    """The graph, breadth first. ``moves``: (rung, action, rung) of every edge."""

    def __init__(self, actions):
        self.actions = actions
        self.states = 0
        self.edges = 0
        self.moves = set()
        self.keys = set()

    def go(self, start, *, most=None):
        copies = Copies(start)
        self.keys.add(key_of(start))
        todo = deque([copies.kept(start)])
        while todo and self.states != most:
            kept = todo.popleft()
            self.states += 1
            here = copies.made(kept)
            before = seen_in(here)
            for name, action in self.actions.items():
                if here is None:
                    here = copies.made(kept)
                if self._takes(name, action, here, before):
                    if key_of(here) not in self.keys:
                        self.keys.add(key_of(here))
                        todo.append(copies.kept(here))
                    here = None
            if FULL and self.states % 1_000 == 0:
                print(f"{self.states} of {len(self.keys)} states by now", flush=True)
        return self

    def _takes(self, name, action, room, before):
        """One edge; whether anything came of it: a word that was refused left the core as it was."""
        room.records.clear()
        nonces = room.trip_nonce, room.cleared_nonce, room.mono_ns
        action.act(room)
        self.edges += 1
        changed = bool(room.facts) or nonces != (room.trip_nonce, room.cleared_nonce, room.mono_ns)
        if changed:
            after = seen_in(room)
            judge(name, action, before, after)
            self.moves.add((before.rung, name, after.rung))
        return changed


WALKS = {"ladder": ACTIONS, "beside": BY_ITSELF | BESIDE, "together": ACTIONS | BESIDE}


@pytest.mark.slow
@pytest.mark.timeout(4 * 3_600 if FULL else 300)
@pytest.mark.parametrize("which", WALKS)
def test_no_state_is_left_for_a_looser_one_but_by_a_person_or_a_rule_that_says_so(which):
    """I8, I9: automation only tightens, KILLED is left by its procedure alone, and a restart never loosens."""
    most = TOGETHER_MAX if which == "together" and not FULL else None
    walk = Walk(WALKS[which]).go(a_small_core(), most=most)
    print(
        f"{which}: {walk.states} states, {walk.edges} edges, {len(walk.keys) - walk.states} left to look at"
    )
    if most is not None:
        assert most == walk.states
        return
    left = {name for before, name, after in walk.moves if before is Rung.KILL_SWITCH is not after}
    assert {"recover", "recover alone"} == left, "two people, or one who waited"
    if which == "beside":
        return
    assert set(Rung) == {key[0] for key in walk.keys}, "every rung is reached"
    moved = {(before, after) for before, _, after in walk.moves if before is not after}
    told = {(before, move.to) for (before, _), move in LADDER.items() if before is not move.to}
    assert told <= moved, f"rows that nothing reaches: {told - moved}"
