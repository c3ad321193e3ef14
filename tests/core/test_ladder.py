"""The risk ladder is its table: every state that people, time and losses can reach, and every push in each."""

import copy

import pytest

from holdfast.core.holds.ladder import LADDER, Push, Rung, rung_of
from holdfast.core.monitor.equity import DAY_NS, HOUR_NS
from holdfast.core.step.ladder import rung
from holdfast.vocab.facts import CoolDownMoved, DayRolled, HoldPlaced, HoldReleased
from holdfast.vocab.holds import ACCOUNT, HoldCause, HoldLevel, Release
from holdfast.vocab.refusals import Held, NotReducing
from holdfast.vocab.requests import CancelAll
from tests.house.records import folded, replayed
from tests.house.room import a_running_core
from tests.house.setup import BTC, account_limits

COOL_S = 3
STRICTNESS = [Rung.NORMAL, Rung.WARNING, Rung.COOL_DOWN, Rung.BREAKER, Rung.RECOVERY, Rung.KILL_SWITCH]
AUTOMATIC = {(rung_, push): move.to for (rung_, push), move in LADDER.items() if move.by is Release.AUTOMATIC}


def a_laddered_core(*, armed=True, **changes):
    """Short delays, few orders a second, and cash that can be taken away at will."""
    return a_running_core(
        armed=armed,
        account_limits=account_limits(
            breaker_cooldown_ms=COOL_S * 1_000,
            recover_cooling_ms=2_000,
            orders_per_s_refuse=4,
            orders_per_s_kill=5,
            **changes,
        ),
    )


def loses(room, percent):
    """Equity is brought to so many percent below the day's peak, whatever it was."""
    now = room.state.equity_e8()
    peak = room.books.drawdown.peak_e8
    wanted = peak - peak * percent // 100
    if wanted != now:
        room.venue.pays("FUNDING_FEE", wanted - now, instrument=BTC)
        room.tell_cash("FUNDING_FEE")
    room.run(ms=1_100)
    assert wanted == room.books.drawdown.equity_e8


def resets(room, **changes):
    hold = room.hold("drawdown_breaker")
    return room.says("resume", hold_id=0 if hold is None else hold.hold_id, **changes)


def a_day_passes(room):
    room.wall_ns += DAY_NS
    room.run(ms=1_100)


def a_burst(room):
    for _ in range(7):
        room.buys(1)


# action -> (what it does, the pushes that may come of it)
MARKS = (Push.OVER_WARNING, Push.OVER_BREAKER, Push.BELOW_RELEASE, Push.TOO_MANY)
ACTIONS = {
    "calm": (lambda room: loses(room, 0), (Push.BELOW_RELEASE, Push.TIME_OVER)),
    "between": (lambda room: loses(room, 4), (Push.TIME_OVER,)),
    "down six": (lambda room: loses(room, 6), (Push.OVER_WARNING, Push.TIME_OVER)),
    "down twelve": (lambda room: loses(room, 12), (Push.OVER_BREAKER, Push.TOO_MANY, Push.TIME_OVER)),
    "time": (lambda room: room.run(s=COOL_S + 1), (*MARKS, Push.TIME_OVER)),
    "a day": (a_day_passes, (*MARKS, Push.TIME_OVER)),
    "reset": (resets, (Push.RESET, Push.RESET_BEYOND, *MARKS)),
    "burst": (a_burst, (Push.TOO_FAST,)),
    "kill": (lambda room: room.says("kill"), (Push.KILL,)),
    "recover alone": (lambda room: room.says("recover"), (Push.RECOVER,)),
    "recover": (lambda room: room.says("recover", second_by="bob"), (Push.RECOVER,)),
    "arm": (lambda room: room.says("arm"), (Push.ARM,)),
    "restart": (lambda room: room.restarts(snapshot=True), MARKS),  # a start marks equity, too
    "reboot": (lambda room: room.restarts(snapshot=True, reboot=True), (Push.REBOOT, *MARKS)),
}
PEOPLE = {"reset", "kill", "recover alone", "recover", "arm"}


def key_of(room):
    """What the ladder's future depends on."""
    books = room.books
    kept = (HoldCause.DRAWDOWN_WARNING, HoldCause.DRAWDOWN_BREAKER, HoldCause.STARTUP)
    causes = tuple(cause.value for cause in kept if books.holds.find(cause, ACCOUNT))
    limits = room.state.live.settings.account_limits
    down = books.drawdown.drawdown_ppm()
    band = sum(
        down > level
        for level in (
            limits.drawdown_release_ppm - 1,
            limits.drawdown_warning_ppm,
            limits.drawdown_breaker_ppm,
        )
    )
    return (
        rung(room.state),
        causes,
        books.ladder.cooled,
        min(books.ladder.breakers_count, limits.breakers_per_day_max + 1),
        band,
    )


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


def risk_level(room):
    """The strictest account-wide level, the startup hold apart: every start begins with one."""
    return max(
        (
            hold.level
            for hold in room.books.holds.holds.values()
            if hold.scope == ACCOUNT and hold.cause is not HoldCause.STARTUP
        ),
        default=HoldLevel.NONE,
    )


def a_copy(room):
    """The same core, venue and clock; what only tells the story is left out, for there are hundreds."""
    for story in (room.records, room.effects, room.alerts, room.delivered, room.sent, room.venue.asked):
        story.clear()
    return copy.deepcopy(room)


def judge(room, name, before, level, allowed):
    after = rung(room.state)
    said = f"{name}: {before.value} to {after.value}"
    assert after in allowed, f"{said} is not in the table"
    if name not in PEOPLE and STRICTNESS.index(after) < STRICTNESS.index(before):
        down = {Rung.WARNING: {Rung.NORMAL}, Rung.BREAKER: {Rung.COOL_DOWN}}
        assert after in down.get(before, set()), f"automation loosened: {said}"
    if name not in PEOPLE:
        assert risk_level(room) >= level or level is HoldLevel.REDUCED, f"automation released: {said}"


@pytest.mark.slow
def test_every_reachable_state_moves_by_the_table_and_by_nothing_else():
    """I8, I9: automation only tightens save where the table says automatic; a restart never loosens."""
    start = a_laddered_core(armed=False, breakers_per_day_max=1)
    start.says("arm")
    seen = {key_of(start): start}
    todo = [start]
    taken = set()
    while todo:
        room = todo.pop(0)
        for name, (act, pushes) in ACTIONS.items():
            here = a_copy(room)
            before, level = rung(here.state), risk_level(here)
            act(here)
            judge(here, name, before, level, reachable_by(before, pushes))
            if name in {"restart", "reboot"}:
                assert here.books.holds.account_level() >= HoldLevel.HALTED
            taken.add((before, name, rung(here.state)))
            if key_of(here) not in seen:
                seen[key_of(here)] = here
                todo.append(here)
    assert set(Rung) == {key[0] for key in seen}, "every rung is reached"
    assert len(seen) > 40
    moved = {(before, after) for before, _, after in taken if before is not after}
    told = {(before, move.to) for (before, _), move in LADDER.items() if before is not move.to}
    assert told <= moved, f"rows that nothing reaches: {told - moved}"


def test_automation_goes_down_by_two_rows_only():
    """Warning to Normal, and the cool-down that permits nothing yet."""
    downs = {
        (before, push)
        for (before, push), to in AUTOMATIC.items()
        if STRICTNESS.index(to) < STRICTNESS.index(before)
    }
    assert {(Rung.WARNING, Push.BELOW_RELEASE), (Rung.BREAKER, Push.TIME_OVER)} == downs


def test_what_leaves_the_kill_switch_takes_two():
    assert {Release.TWO_PERSONS} == {
        move.by
        for (before, _), move in LADDER.items()
        if before is Rung.KILL_SWITCH and move.to is not Rung.KILL_SWITCH
    }


def test_minus_twelve_in_one_step_goes_straight_to_the_breaker():
    room = a_laddered_core()
    resting = room.buys(20)
    loses(room, 12)
    assert Rung.BREAKER is rung(room.state)
    assert ["drawdown_breaker"] == room.causes()
    assert room.venue.asked_for(CancelAll)
    assert "cancelled" == resting.state.value
    assert isinstance(room.buys(1), NotReducing)


def test_under_the_breaker_a_target_without_a_price_still_exits():
    """The gate's collar is half as wide from REDUCED on: an exit priced by the whole one was refused for ever."""
    room = a_laddered_core()
    room.targets(40)
    room.run(s=2)
    loses(room, 12)
    room.run(s=2)
    room.targets(10)
    room.run(s=1)
    assert 10 == room.position()


def test_the_warning_gives_way_to_the_breaker():
    room = a_laddered_core()
    loses(room, 6)
    loses(room, 12)
    assert ["drawdown_breaker"] == room.causes()
    placed = [type(fact) for fact in room.facts if isinstance(fact, HoldPlaced | HoldReleased)][-2:]
    assert [HoldPlaced, HoldReleased] == placed, "never looser in between"


def test_the_cool_down_is_a_fact_and_a_rung_of_its_own():
    room = a_laddered_core()
    loses(room, 12)
    room.run(s=COOL_S)
    assert Rung.COOL_DOWN is rung(room.state)
    assert HoldLevel.REDUCE_ONLY == room.level(), "it permits nothing more"
    assert [True] == [fact.over for fact in room.facts_of(CoolDownMoved)]
    assert Rung.COOL_DOWN is rung_of(folded(room.records).ladder, folded(room.records).holds)


def test_a_reset_while_still_beyond_goes_back_to_the_breaker():
    room = a_laddered_core()
    loses(room, 12)
    room.run(s=COOL_S)
    answer = resets(room)
    assert not answer.accepted
    assert "its cool-down begins again" in answer.text
    assert Rung.BREAKER is rung(room.state)
    assert 1 == room.books.ladder.breakers_count, "it is the same breaker"


def test_a_reset_needs_a_reason_and_the_time():
    room = a_laddered_core()
    loses(room, 12)
    loses(room, 1)
    assert "cool-down runs another" in resets(room).text
    room.run(s=COOL_S)
    assert "reason" in resets(room, reason="").text
    assert resets(room).accepted
    assert Rung.NORMAL is rung(room.state)


def test_the_third_breaker_of_a_day_is_the_kill_switch():
    room = a_laddered_core()
    for _ in range(2):
        loses(room, 12)
        assert Rung.BREAKER is rung(room.state)
        loses(room, 0)
        room.run(s=COOL_S)
        assert resets(room).accepted
    loses(room, 12)
    assert Rung.KILL_SWITCH is rung(room.state)
    hold = room.hold("breakers")
    assert "breaker 3 of this day; at most 2" == hold.reason
    assert room.latch_tripped
    assert isinstance(room.buys(1), Held)


def test_after_the_kill_switch_the_breaker_beneath_still_stands():
    """Two people left KILLED; whether the loss is over is another question, and one is asked after the other."""
    room = a_laddered_core(breakers_per_day_max=1)
    loses(room, 12)
    loses(room, 0)
    room.run(s=COOL_S)
    resets(room)
    loses(room, 12)
    assert Rung.KILL_SWITCH is rung(room.state)
    assert "kill switch comes first" in resets(room).text
    assert room.says("recover", second_by="bob").accepted
    assert Rung.RECOVERY is rung(room.state)
    room.run(s=1)
    assert room.says("arm").accepted
    room.run(s=1)
    assert rung(room.state) in {Rung.BREAKER, Rung.COOL_DOWN}, "and not the kill switch again"
    loses(room, 0)
    room.run(s=COOL_S)
    assert resets(room).accepted
    assert Rung.NORMAL is rung(room.state)


def test_a_new_day_is_a_fact_and_counts_its_own_breakers():
    room = a_laddered_core()
    loses(room, 12)
    before = room.books.drawdown.peak_e8
    a_day_passes(room)
    (fact,) = room.facts_of(DayRolled)
    assert (before, 1) == (fact.peak_e8, fact.breakers_count)
    assert 0 == room.books.ladder.breakers_count
    assert Rung.NORMAL is not rung(room.state), "a new day resets no breaker"
    assert room.state.books_hash() == replayed(room.records)[0].books_hash()


def test_the_day_begins_at_the_configured_hour():
    room = a_running_core(day_begins_utc_hour=22)
    room.run(s=1)
    room.wall_ns += 21 * HOUR_NS  # the house begins at midnight
    room.run(s=2)
    assert [] == room.facts_of(DayRolled)
    room.wall_ns += HOUR_NS
    room.run(s=2)
    assert 1 == len(room.facts_of(DayRolled))


@pytest.mark.parametrize("snapshot", [False, True])
def test_the_count_of_breakers_survives_a_restart(snapshot):
    room = a_laddered_core()
    loses(room, 12)
    room.restarts(snapshot=snapshot)
    room.run(s=1)
    assert 1 == room.books.ladder.breakers_count
    assert rung(room.state) in {Rung.BREAKER, Rung.COOL_DOWN}
