"""Holds: the strictest wins, none is ever weakened, automation only tightens, and they survive everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.holds.rules import RULES
from holdfast.core.holds.table import HoldTable, covers
from holdfast.core.state import Books, State, decode_books, encode_books
from holdfast.vocab.facts import HoldPlaced, HoldReleased
from holdfast.vocab.holds import HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.invariant import InvariantBroken
from tests.house.desks import a_hold
from tests.house.room import a_running_core, folded
from tests.house.setup import BTC, ETH

L = HoldLevel


def a_table(*holds):
    table = HoldTable()
    for hold in holds:
        table.place(HoldPlaced(hold=hold))
    return table


def test_every_cause_has_a_level_a_release_and_a_remedy():
    """A hold that nobody knows how to leave is a stop button that gets disabled."""
    assert set(HoldCause) == set(RULES)
    assert all(rule.level > L.NONE and rule.remedy for rule in RULES.values())


def test_killed_is_left_by_two_persons_and_by_nothing_else():
    assert {HoldCause.KILL, HoldCause.HARDSTOP, HoldCause.ORDER_RATE, HoldCause.BREAKERS} == {
        cause for cause, rule in RULES.items() if rule.level is L.KILLED
    }
    for rule in RULES.values():
        assert (rule.level is L.KILLED) == (rule.release is Release.TWO_PERSONS)


def test_only_these_release_themselves():
    """Everything else that loosens is an act of a person."""
    assert {
        HoldCause.DRAWDOWN_WARNING,
        HoldCause.STALE_DATA,
        HoldCause.FEEDS_LOST,
        HoldCause.USER_STREAM_LOST,
        HoldCause.POSITION_STALE,
        HoldCause.CLOCK,
        HoldCause.DEADMAN_UNARMED,
        HoldCause.VENUE_CONTRACT,
        HoldCause.RETRIES_SPENT,
        HoldCause.REFERENCE_STALE,
        HoldCause.MARKET_HALT,
    } == {cause for cause, rule in RULES.items() if rule.release is Release.AUTOMATIC}


@pytest.mark.parametrize(
    ("strategy", "instrument", "reached"),
    [
        ("", "", {("alpha", BTC), ("alpha", ETH), ("beta", BTC), ("beta", ETH)}),
        ("alpha", "", {("alpha", BTC), ("alpha", ETH)}),
        ("", BTC, {("alpha", BTC), ("beta", BTC)}),
        ("alpha", BTC, {("alpha", BTC)}),
    ],
)
def test_a_scope_reaches_what_it_names_and_nothing_else(strategy, instrument, reached):
    scope = Scope(strategy=strategy, instrument=instrument)
    assert reached == {
        (who, where)
        for who in ("alpha", "beta")
        for where in (BTC, ETH)
        if covers(scope, strategy=who, instrument=where)
    }


levels = st.sampled_from([L.REDUCED, L.REDUCE_ONLY, L.HALTED, L.KILLED])
scopes = st.builds(
    Scope, strategy=st.sampled_from(["", "alpha", "beta"]), instrument=st.sampled_from(["", BTC, ETH])
)


@given(st.lists(st.tuples(levels, scopes), max_size=8))
def test_the_strictest_wins_and_the_oldest_among_equals(placed):
    holds = [
        a_hold(level, hold_id=number, scope=scope) for number, (level, scope) in enumerate(placed, start=1)
    ]
    table = a_table(*holds)
    for who in ("alpha", "beta"):
        for where in (BTC, ETH):
            here = [
                hold
                for hold in holds
                if hold.scope.strategy in {"", who} and hold.scope.instrument in {"", where}
            ]
            best = sorted(here, key=lambda hold: (-hold.level, hold.hold_id))
            assert (best[0] if best else None) == table.strictest(strategy=who, instrument=where)
    assert (
        max((hold.level for hold in holds if hold.scope == Scope()), default=L.NONE) == table.account_level()
    )


def test_a_standing_hold_is_never_weakened():
    table = a_table(a_hold(L.HALTED))
    table.place(HoldPlaced(hold=a_hold(L.KILLED)))
    with pytest.raises(InvariantBroken, match="weakened"):
        table.place(HoldPlaced(hold=a_hold(L.HALTED)))


def test_only_a_standing_hold_is_released():
    table = a_table(a_hold())
    table.release(HoldReleased(hold_id=7, by="ann", reason="x"))
    with pytest.raises(InvariantBroken, match="standing"):
        table.release(HoldReleased(hold_id=7, by="ann", reason="x"))


def test_ids_of_holds_are_not_used_twice():
    table = a_table(a_hold(hold_id=1), a_hold(hold_id=2))
    table.release(HoldReleased(hold_id=2, by="ann", reason="x"))
    assert 3 == table.next_id()


def test_a_hold_is_found_by_cause_and_by_exact_scope():
    table = a_table(a_hold(scope=Scope(instrument=BTC)))
    assert table.find(HoldCause.HALT)
    assert table.find(HoldCause.HALT, Scope(instrument=BTC))
    assert table.find(HoldCause.HALT, Scope()) is None
    assert table.find(HoldCause.KILL) is None


# --- in the step ----------------------------------------------------------------------------------------------------


def test_the_same_stop_twice_is_one_hold():
    """Stopping is idempotent: two frightened people press twice."""
    room = a_running_core()
    assert room.says("pause").accepted
    assert room.says("pause", by="bob").accepted
    assert ["pause"] == room.causes()
    assert 1 == len([hold for hold in room.placed if hold.cause is HoldCause.PAUSE and not hold.latch_nonce])


def test_a_hold_reaches_exactly_its_desks():
    room = a_running_core()
    room.says("halt", strategy="alpha", instrument=BTC)
    room.says("ban", strategy="beta")
    assert (L.HALTED, L.NONE, L.REDUCE_ONLY) == (
        room.level("alpha", BTC),
        room.level("alpha", ETH),
        room.level("beta", BTC),
    )


def test_holds_survive_a_restart_an_upgrade_and_a_restore():
    room = a_running_core()
    room.says("ban", instrument=ETH)
    room.says("kill")
    before = dict(room.books.holds.holds)

    room.restarts(reboot=True)

    for hold_id, hold in before.items():
        assert hold == room.books.holds.holds[hold_id]
    assert L.KILLED == room.level() == room.level(instrument=ETH)


def test_the_start_is_halted_whatever_stood_before():
    room = a_running_core(armed=False)
    room.says("arm")
    assert [] == room.causes()
    room.restarts()
    assert ["startup"] == room.causes()
    assert L.HALTED == room.level()


def test_a_start_beside_other_holds_makes_none_of_them_weaker():
    room = a_running_core()
    room.says("kill")
    for _ in range(3):
        room.restarts()
        assert L.KILLED == room.level()


def test_books_with_holds_pass_through_a_snapshot():
    room = a_running_core()
    room.says("ban", instrument=ETH)
    again = decode_books(encode_books(room.books))
    assert room.books.holds == again.holds
    assert room.state.books_hash() == State(again).books_hash()
    assert State(Books()).books_hash() != State(again).books_hash()
    assert folded(room.records).holds == again.holds


def test_every_account_wide_halt_trips_the_latch_and_automatic_ones_do_not():
    """What was approved a moment before must not leave either; but a feed that hiccups needs no person."""
    room = a_running_core()
    room.says("pause")
    assert room.latch_tripped
    room = a_running_core()
    room.quoting = False
    room.run(s=6)
    assert "feeds_lost" in room.causes()
    assert not room.latch_tripped
