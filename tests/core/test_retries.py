"""Retry budgets per kind of request, and what a failed answer says beside its request."""

import pytest

from holdfast.core.holds.rules import FAULT_HOLDS, RULES
from holdfast.core.orders.retries import BUDGETS, Asked, kind_of
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderState
from holdfast.vocab.outcome import Fatal, Fault, Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.refusals import Held, NotReducing
from holdfast.vocab.requests import (
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    Request,
)
from tests.house.room import a_running_core
from tests.house.setup import BTC, ETH

NS_PER_MS = 1_000_000
L = HoldLevel


def a_room_in_doubt():
    """An order whose fate the venue does not tell."""
    room = a_running_core()
    room.venue.will_lose(PlaceOrder)
    return room, room.buys(10)


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_kind_of_request_has_a_budget():
    """A kind without one would be asked for ever, and nobody told."""
    assert set(Asked) == set(BUDGETS)
    plain = {kind_of(_made(kind)) for kind in Request.__args__}
    algo = {kind_of(_made(kind, conditional=True)) for kind in (CancelOrder, CancelAll, QueryOrder)}
    assert set(Asked) == plain | algo


def _made(kind, **fields):
    filled = dict.fromkeys(kind.__struct_fields__, 0)
    return (
        kind(**{**{name: value for name, value in filled.items() if name != "conditional"}, **fields})
        if ("conditional" in filled)
        else kind(**filled)
    )


def test_whoever_counts_himself_names_a_hold_and_every_hold_is_in_the_table():
    for budget in BUDGETS.values():
        assert budget.again
        assert budget.hold is not None or not budget.tries
        assert budget.hold is None or budget.hold in RULES


# --- spent ----------------------------------------------------------------------------------------------------------


def test_a_spent_budget_holds_its_instrument_and_goes_by_itself():
    """Ten questions after an order without an answer: nothing more is risked there until the venue speaks."""
    room, order = a_room_in_doubt()
    tries = BUDGETS[Asked.QUERY].tries
    asked = 0
    room.venue.breaks(QueryOrder)
    while not room.causes():
        room.run(ms=100)
        asked = len(room.venue.asked_for(QueryOrder))
        assert asked <= tries
    assert (["retries_spent"], tries) == (room.causes(), asked)
    hold = room.hold("retries_spent", instrument=BTC)
    assert str(order.order_id) in hold.reason
    assert (L.REDUCE_ONLY, L.NONE) == (room.level(), room.level(instrument=ETH))
    assert isinstance(room.buys(1), NotReducing)
    assert 1 == len(room.alerted("retries.spent"))

    room.run(s=60)
    assert order.state is OrderState.UNKNOWN, "asked on, and never given up by time alone"
    assert len(room.venue.asked_for(QueryOrder)) > tries + 10
    assert 1 == len(room.alerted("retries.spent"))

    room.venue.mends(QueryOrder)
    room.run(s=12)
    assert (OrderState.UNSENT, []) == (order.state, room.causes())
    assert {} == room.state.session.retries


def test_a_person_who_resolves_the_order_ends_its_hold():
    room, order = a_room_in_doubt()
    room.venue.breaks(QueryOrder)
    room.run(s=30)
    assert ["retries_spent"] == room.causes()
    assert room.says("resolve", order_id=order.order_id).accepted
    room.run(s=4)
    assert [] == room.causes()
    assert {} == room.state.session.retries


def test_one_answer_gives_the_budget_back():
    """Failures in a row: a venue that stutters is no venue that is silent."""
    room = a_running_core()
    for _ in range(3):
        room.venue.will_lose(QueryCash, times=BUDGETS[Asked.CASH].tries - 1)
        room.run(s=70)
    assert [] == room.causes()
    assert {} == room.state.session.retries


def test_a_cancel_that_is_never_obeyed_holds():
    """The venue answers, and the order stays: what we want gone can still fill."""
    room = a_running_core()
    order = room.buys(10)
    report = room.venue.report(room.venue.order(order.order_id))
    room.venue.breaks(CancelOrder, Ok(value=report))
    room.cancels(order)
    while not room.causes():
        room.run(ms=100)
        assert len(room.venue.asked_for(CancelOrder)) <= BUDGETS[Asked.CANCEL].tries
    assert "cancel" in room.hold("retries_spent", instrument=BTC).reason
    assert BUDGETS[Asked.CANCEL].tries == len(room.venue.asked_for(CancelOrder))
    room.venue.mends(CancelOrder)
    room.run(s=8)
    assert (OrderState.CANCELLED, []) == (order.state, room.causes())


def test_a_conditional_order_has_budgets_of_its_own():
    room = a_running_core()
    room.targets(10)
    stop = room.wants_protection(10)
    room.venue.breaks(CancelOrder, Transient(why="busy"))
    room.cancels(stop)
    room.run(s=60)
    assert "algo cancel" in room.hold("retries_spent", instrument=BTC).reason
    assert [f"algo_cancel/{stop.order_id}"] == list(room.state.session.retries)


@pytest.mark.parametrize(
    ("kind", "asked", "scope", "wait_s"),
    [
        (QueryTrades, Asked.TRADES, BTC, 120),
        (QueryCash, Asked.CASH, "", 75),
        (MeasureClock, Asked.CLOCK, "", 125),
        (QuerySpecs, Asked.SPECS, "", 905),
    ],
)
def test_each_list_and_measure_has_a_budget(kind, asked, scope, wait_s):
    room = a_running_core()
    room.quoting = asked is not Asked.SPECS  # many minutes of quotes say nothing here
    room.venue.breaks(kind)
    if kind is QueryTrades:  # needed: a fill is missing
        order = room.buys(10)
        room.venue.fills(order, lots=4, told=False)
    room.run(s=wait_s)
    hold = room.hold("retries_spent", instrument=scope)
    assert hold is not None, room.causes()
    assert asked.value in hold.reason
    assert f"{BUDGETS[asked].tries} times in a row" in hold.reason
    room.venue.mends(kind)
    room.run(s=305 if asked is Asked.SPECS else 40)
    assert room.hold("retries_spent", instrument=scope) is None


def test_what_we_withheld_ourselves_draws_on_nothing():
    room = a_running_core()
    order = room.buys(10)
    room.venue.breaks(CancelOrder, Suppressed(by=Withheld.LEASE))
    room.cancels(order)
    room.run(s=60)
    assert [] == room.causes()


def test_lists_with_an_age_are_held_by_their_age_alone():
    room = a_running_core()
    for kind in (QueryPositions, QueryOpenOrders):
        room.venue.breaks(kind)
    room.run(s=100)
    assert ["position_stale", "position_unknown"] == room.causes()


def test_a_restart_forgets_the_count_and_lets_the_hold_go():
    """The start is HALTED anyway, and asks anew: whether the venue still is silent shows by itself."""
    room, order = a_room_in_doubt()
    room.venue.breaks(QueryOrder)
    room.run(s=30)
    room.venue.mends(QueryOrder)
    room.restarts()
    assert "retries_spent" in room.causes()
    room.run(s=20)
    assert [] == room.causes()
    assert OrderState.UNSENT is order.state or OrderState.UNSENT is room.order(order.order_id).state


# --- faults ---------------------------------------------------------------------------------------------------------


def test_every_fault_has_a_hold_of_its_own():
    assert set(Fault) == set(FAULT_HOLDS)
    assert len(set(FAULT_HOLDS.values())) == len(Fault)
    assert HoldCause.UNKNOWN_ERROR not in FAULT_HOLDS.values()


@pytest.mark.parametrize("kind", [PlaceOrder, CancelOrder, QueryOpenOrders, QueryPositions, QueryCash])
def test_a_refused_key_halts_by_itself_whatever_was_asked(kind):
    """Not one refused order after the other until somebody reads the log."""
    room = a_running_core()
    order = room.buys(10)
    room.venue.will_answer(kind, Fatal(why="invalid API key", code="-2015", fault=Fault.AUTH))
    room.sells(5)
    room.cancels(order)
    room.run(s=11)
    assert ["venue_auth"] == room.causes()
    hold = room.hold("venue_auth")
    assert (L.HALTED, True) == (hold.level, room.latch_tripped)
    assert kind.__name__ in hold.reason
    assert "-2015" in hold.reason
    assert 1 == len(room.alerted("hold.venue_auth"))
    assert isinstance(room.buys(1), Held)
    room.run(s=30)
    assert ["venue_auth"] == room.causes(), "a person mends keys"
    assert room.says("resume", hold_id=hold.hold_id).accepted
    assert [] == room.causes()


def test_a_key_that_is_refused_from_the_start_keeps_it_from_arming():
    room = a_running_core(armed=False)
    room.venue.breaks(QueryPositions, Fatal(why="invalid API key", code="-2015", fault=Fault.AUTH))
    room.restarts()
    room.run(s=20)
    assert {"startup", "venue_auth"} == set(room.causes())
    assert not room.says("arm").accepted


def test_an_address_that_is_gone_holds_to_reducing():
    """Seed 000: a retired endpoint was retried softly for days."""
    room = a_running_core()
    gone = Unknown(why="404 Not Found", code="HTTP 404", unlisted=True, fault=Fault.RETIRED)
    room.venue.breaks(QueryCash, gone)
    room.run(s=11)
    assert ["endpoint_retired"] == room.causes()
    assert L.REDUCE_ONLY == room.level()
    assert "QueryCash" in room.hold("endpoint_retired").reason


def test_a_stamp_outside_the_window_measures_the_clock_at_once_and_holds_for_a_moment():
    room = a_running_core()
    before = len(room.venue.asked_for(MeasureClock))
    room.venue.will_answer(PlaceOrder, Transient(why="timestamp", code="-1021", fault=Fault.CLOCK))
    assert OrderState.UNSENT is room.buys(10).state
    assert ["clock"] == room.causes()
    assert before + 1 == len(room.venue.asked_for(MeasureClock))
    room.run(s=4)
    assert [] == room.causes()


def test_a_clock_that_cannot_be_measured_for_its_own_fault_is_not_asked_in_circles():
    room = a_running_core()
    room.venue.breaks(MeasureClock, Transient(why="timestamp", code="-1021", fault=Fault.CLOCK))
    before = len(room.venue.asked_for(MeasureClock))
    room.run(s=61)
    assert 2 == len(room.venue.asked_for(MeasureClock)) - before
