"""The risk ladder by example, and its table as a whole; ``test_hold_states`` walks every state that it reaches."""

import pytest

from holdfast.core.holds.ladder import LADDER, Ladder, Push, Rung, cool_down_left_ms, rung_of
from holdfast.core.holds.table import HoldTable
from holdfast.core.monitor.equity import DAY_NS, HOUR_NS
from holdfast.core.step.ladder import rung
from holdfast.vocab.facts import CoolDownMoved, DayRolled, EquityMarked, HoldPlaced, HoldReleased
from holdfast.vocab.holds import ACCOUNT, HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.orders import OrderState
from holdfast.vocab.refusals import Held, NotReducing
from holdfast.vocab.requests import CancelAll
from tests.house.desks import a_hold
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


def loses(room, percent, *, ms=1_100):
    """Equity is brought to so many percent below the day's peak, whatever it was."""
    now = room.state.equity_e8()
    peak = room.books.drawdown.peak_e8
    wanted = peak - peak * percent // 100
    if wanted != now:
        room.venue.pays("FUNDING_FEE", wanted - now, instrument=BTC)
        room.tell_cash("FUNDING_FEE")
    room.run(ms=ms)
    assert wanted == room.books.drawdown.equity_e8


def resets(room, **changes):
    hold = room.hold("drawdown_breaker")
    return room.says("resume", hold_id=0 if hold is None else hold.hold_id, **changes)


def a_day_passes(room, *, ms=1_100):
    room.wall_ns += DAY_NS
    room.run(ms=ms)


def a_burst(room):
    for _ in range(7):
        room.buys(1)


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


# --- the parts by themselves ------------------------------------------------------------------------------------------

ELSEWHERE = Scope(strategy="alpha")


def a_table(*holds):
    table = HoldTable()
    for number, (level, cause, scope) in enumerate(holds, start=1):
        table.place(HoldPlaced(hold=a_hold(level, cause, hold_id=number, scope=scope)))
    return table


def test_only_killed_over_the_account_begins_a_recovery_and_only_the_startup_hold_ends_it():
    ladder = Ladder()

    def recovers(level, cause, scope=ACCOUNT):
        ladder.released(a_hold(level, cause, scope=scope))
        return ladder.recovering

    assert not recovers(HoldLevel.KILLED, HoldCause.KILL, ELSEWHERE)
    assert not recovers(HoldLevel.HALTED, HoldCause.HALT)
    assert recovers(HoldLevel.KILLED, HoldCause.KILL)
    assert recovers(HoldLevel.HALTED, HoldCause.HALT), "resumed meanwhile"
    assert not recovers(HoldLevel.HALTED, HoldCause.STARTUP)


def test_a_cool_down_that_is_over_keeps_when_it_began():
    ladder = Ladder()
    ladder.cool(over=False, mono_ns=5_000_000)
    left = [cool_down_left_ms(ladder, cooldown_ms=10, now_mono_ns=ms * 1_000_000) for ms in (5, 14, 15, 99)]
    assert [10, 1, 0, 0] == left
    ladder.cool(over=True, mono_ns=9_000_000)
    assert 5_000_000 == ladder.cool_since_mono_ns
    assert 0 == cool_down_left_ms(ladder, cooldown_ms=10, now_mono_ns=9_000_000)


@pytest.mark.parametrize(
    ("holds", "recovering", "where"),
    [
        ([(HoldLevel.KILLED, HoldCause.KILL, ACCOUNT)], False, Rung.KILL_SWITCH),
        ([(HoldLevel.KILLED, HoldCause.KILL, ELSEWHERE)], False, Rung.NORMAL),
        ([(HoldLevel.HALTED, HoldCause.STARTUP, ACCOUNT)], False, Rung.NORMAL),
        ([(HoldLevel.HALTED, HoldCause.STARTUP, ACCOUNT)], True, Rung.RECOVERY),
        ([(HoldLevel.HALTED, HoldCause.HALT, ACCOUNT)], True, Rung.NORMAL),
    ],
)
def test_what_stands_over_the_account_is_the_rung(holds, recovering, where):
    assert where is rung_of(Ladder(recovering=recovering), a_table(*holds))


def test_the_strictest_over_the_account_is_its_level():
    table = a_table(
        (HoldLevel.REDUCED, HoldCause.DRAWDOWN_WARNING, ACCOUNT),
        (HoldLevel.REDUCE_ONLY, HoldCause.DRAWDOWN_BREAKER, ACCOUNT),
        (HoldLevel.HALTED, HoldCause.PAUSE, ELSEWHERE),
    )
    assert HoldLevel.REDUCE_ONLY is table.account_level()
    assert HoldLevel.NONE is HoldTable().account_level()


def test_the_warning_leaves_what_rests_and_the_breaker_what_protects():
    room = a_laddered_core()
    room.takes(1, 20)
    stop = room.wants_protection(20)
    room.run(ms=1_100)
    resting = room.buys(1)
    loses(room, 6)
    assert Rung.WARNING is rung(room.state)
    assert OrderState.LIVE is room.order(resting.order_id).state
    loses(room, 12)
    assert Rung.BREAKER is rung(room.state)
    assert OrderState.CANCELLED is room.order(resting.order_id).state
    assert OrderState.LIVE is room.order(stop.order_id).state


def test_beneath_the_kill_switch_the_breaker_trips_once():
    room = a_laddered_core()
    room.says("kill")
    for percent in (12, 13, 14):
        loses(room, percent)
    causes = [hold.cause for hold in room.placed]
    assert 1 == causes.count(HoldCause.DRAWDOWN_BREAKER)
    assert 1 == len(room.alerted("hold.drawdown_breaker"))


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ((5,), Rung.NORMAL),
        ((6,), Rung.WARNING),
        ((10,), Rung.WARNING),
        ((11,), Rung.BREAKER),
        ((6, 3), Rung.WARNING),
        ((6, 2), Rung.NORMAL),
    ],
)
def test_a_loss_of_exactly_a_threshold_is_not_beyond_it(path, where):
    room = a_laddered_core()
    for percent in path:
        loses(room, percent)
    assert where is rung(room.state)


def test_an_equity_that_stays_is_marked_once():
    """A journal that grows while nothing happens is read at every start."""
    room = a_laddered_core()
    loses(room, 1)
    marks = len(room.facts_of(EquityMarked))
    room.run(s=5)
    assert marks == len(room.facts_of(EquityMarked)) > 0
