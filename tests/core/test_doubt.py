"""UNKNOWN orders: counted in full until the venue's word or a named person closes them, never by time alone."""

import pytest

from holdfast.vocab.events import CallDone, OrderReported
from holdfast.vocab.facts import OrderMoved
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.orders import Did, OrderState
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.refusals import NoSuchOwnOrder, OverPosition
from holdfast.vocab.reports import Done, VenueStatus
from holdfast.vocab.requests import CancelOrder, PlaceOrder, QueryOrder, QueryTrades
from tests.house.events import an_order_report
from tests.house.room import a_running_core
from tests.house.setup import BTC

S = OrderState


def moves(room, order):
    return [fact.did for fact in room.facts_of(OrderMoved) if fact.order_id == order.order_id]


def a_silent_room(**changes):
    """The venue neither takes orders nor says so, and knows nothing when asked."""
    room = a_running_core(**changes)
    room.venue.will_lose(PlaceOrder)
    return room


def test_an_unknown_answer_makes_the_order_unknown_and_keeps_it_counted():
    """The venue may hold it: forgetting it is how limits get breached."""
    room = a_silent_room()
    order = room.buys(80)
    assert S.UNKNOWN is order.state
    assert 80 == room.books.orders.open_in(BTC).buy_lots
    room.buys(80)
    assert OverPosition(of="strategy", would_be_lots=240, limit_lots=200) == room.buys(80)


def test_no_word_within_the_ack_timeout_is_doubt_too():
    room = a_running_core()
    room.holds_answers()
    order = room.buys(10)
    room.run(ms=1_999)
    assert [S.SENT] == [order.state]
    room.run(ms=2)
    assert [S.UNKNOWN] == [order.state]
    assert 10 == room.books.orders.open_in(BTC).buy_lots


def test_a_lost_order_is_closed_only_after_the_window_and_two_answers():
    """An answer of "no such order" right after sending proves nothing: the request may still be on its way."""
    room = a_silent_room()
    order = room.buys(10)
    asked_at = room.mono_ns
    while order.state is S.UNKNOWN and room.mono_ns < asked_at + 60 * 10**9:
        room.run(ms=50)
    queries = [
        event
        for event, _ in room.records
        if isinstance(event, CallDone) and "NoSuchOrder" in type(getattr(event.outcome, "value", 0)).__name__
    ]
    late = [event for event in queries if event.mono_ns - asked_at >= 1_250 * 10**6]
    assert S.UNSENT is order.state
    assert len(queries) > len(late)  # early ones were answered too, and did not count
    assert 2 == len(late)
    assert 0 == room.books.orders.open_in(BTC).buy_lots


def test_an_order_that_was_taken_is_found_and_goes_on():
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.will_lose_the_answer_to(PlaceOrder)
    order = room.buys(10)
    assert [S.UNKNOWN] == [order.state]
    room.run(s=1)
    assert [S.LIVE] == [order.state]
    assert "v1" == order.venue_order_id
    assert {} == room.state.session.chases


def test_the_stream_may_tell_before_any_query():
    room = a_running_core()
    room.venue.will_lose_the_answer_to(PlaceOrder)
    order = room.buys(10)
    assert S.LIVE is order.state


def test_a_lost_answer_after_the_stream_showed_the_order_is_no_doubt():
    room = a_running_core()
    room.holds_answers()
    order = room.buys(10)
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=an_order_report(order.order_id)))
    room.tell(CallDone(wall_ns=0, mono_ns=0, call_id=_place_call(room), outcome=Unknown(why="timeout")))
    assert S.LIVE is order.state


def _place_call(room):
    return next(call.call_id for call in room.held_calls if isinstance(call.request, PlaceOrder))


@pytest.mark.parametrize(
    "outcome", [Fatal(why="rejected after accept", code="-1"), Transient(why="busy"), Ok(value=Done())]
)
def test_an_answer_that_contradicts_what_the_venue_showed_is_doubt_and_not_the_end(outcome):
    """Reject after accept: written down as the end, the order would live on uncounted."""
    room = a_running_core()
    room.holds_answers()
    order = room.buys(10)
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=an_order_report(order.order_id)))
    room.tell(CallDone(wall_ns=0, mono_ns=0, call_id=_place_call(room), outcome=outcome))
    assert S.UNKNOWN is order.state
    assert 10 == room.books.orders.open_in(BTC).buy_lots
    assert room.alerted("order.contradiction")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Transient(why="busy"), S.UNSENT),
        (Suppressed(by=Withheld.LATCH), S.UNSENT),
        (Suppressed(by=Withheld.LEASE), S.UNSENT),
        (Suppressed(by=Withheld.BUFFER), S.UNSENT),
        (Fatal(why="no money", code="-2019"), S.REJECTED),
        (Ok(value=Done()), S.UNKNOWN),
    ],
)
def test_each_answer_to_a_new_order_leads_where_it_should(outcome, state):
    room = a_running_core()
    room.venue.will_answer(PlaceOrder, outcome)
    order = room.buys(10)
    assert state is order.state
    assert (10 if state is S.UNKNOWN else 0) == room.books.orders.open_in(BTC).buy_lots


def test_doubt_never_ends_by_time_alone():
    """While the venue says nothing at all, an hour changes nothing but the number of people told."""
    room = a_silent_room()
    room.venue.breaks(QueryOrder)
    order = room.buys(10)
    room.run(s=120)
    assert S.UNKNOWN is order.state
    assert 10 == room.books.orders.open_in(BTC).buy_lots
    assert 1 == len(room.alerted("order.unresolved"))


def test_the_questions_come_slower_each_time_and_never_stop():
    room = a_silent_room()
    room.venue.breaks(QueryOrder)
    room.buys(10)
    room.run(s=30)
    first = len(room.venue.asked_for(QueryOrder))
    room.run(s=30)
    second = len(room.venue.asked_for(QueryOrder)) - first
    assert 10 <= second <= first <= 20


def test_a_person_can_close_what_nobody_knows_with_a_reason():
    room = a_silent_room()
    room.venue.breaks(QueryOrder)
    order = room.buys(10)
    assert not room.says("resolve", order_id=order.order_id, reason="").accepted
    assert room.says("resolve", order_id=order.order_id, reason="support says no").accepted
    assert S.CANCELLED is order.state
    assert Did.RESOLVED is moves(room, order)[-1]
    assert "ann" in room.facts_of(OrderMoved)[-1].why
    assert not room.says("resolve", order_id=order.order_id).accepted


def test_a_person_cannot_close_what_the_venue_shows():
    room = a_running_core()
    order = room.buys(10)
    assert "the venue decides" in room.says("resolve", order_id=order.order_id).text
    assert S.LIVE is order.state
    assert not room.says("resolve", order_id=99).accepted


def test_a_late_ack_after_absence_is_counted_again_and_stops_trading():
    """Our proof was none: the order rests, so it counts, and a person looks."""
    room = a_silent_room()
    order = room.buys(10)
    room.run(s=10)
    assert S.UNSENT is order.state

    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=an_order_report(order.order_id)))

    assert S.UNSENT is order.state
    assert 10 == room.books.orders.open_in(BTC).buy_lots
    assert ["reconcile_break"] == room.causes()
    assert f"order_risen/{order.order_id}" in room.books.breaks


def test_a_fill_of_an_order_proven_absent_is_booked_to_it_and_stops_trading():
    room = a_silent_room()
    order = room.buys(10)
    room.run(s=10)
    found = room.venue._place(PlaceOrder(order_id=order.order_id, terms=order.terms))
    assert isinstance(found, Ok)
    room.venue.fills(order, lots=4)
    room.settle()
    assert 4 == room.position(of="alpha") == room.venue.position()
    assert "reconcile_break" in room.causes()


def test_a_risen_order_seen_in_the_list_needs_two_looks():
    """A list may be older than our own word; two in a row are not."""
    room = a_running_core()
    order = room.buys(10)
    room.cancels(order)
    ghost = room.venue.order(order.order_id)
    ghost.status = VenueStatus.NEW
    room.run(s=5)
    assert [] == room.causes()
    room.run(s=5)
    assert ["reconcile_break"] == room.causes()
    assert 10 == room.books.orders.open_in(BTC).buy_lots


def test_a_list_that_shows_it_now_and_then_confirms_nothing():
    room = a_running_core()
    order = room.buys(10)
    room.cancels(order)
    ghost = room.venue.order(order.order_id)
    for _ in range(4):
        ghost.status = VenueStatus.NEW
        room.run(s=5)
        ghost.status = VenueStatus.CANCELLED
        room.run(s=5)
    assert [] == room.causes()


# --- cancels --------------------------------------------------------------------------------------------------------


def test_a_cancel_whose_answer_was_lost_is_asked_after():
    room = a_running_core()
    order = room.buys(10)
    room.venue.stream_deaf = True
    room.venue.will_lose_the_answer_to(CancelOrder)
    room.cancels(order)
    assert [S.CANCEL_SENT] == [order.state]
    room.run(s=3)
    assert [S.CANCELLED] == [order.state]


def test_a_cancel_that_was_lost_itself_is_sent_again():
    room = a_running_core()
    order = room.buys(10)
    room.venue.will_lose(CancelOrder)
    room.cancels(order)
    room.run(s=3)
    assert S.CANCELLED is order.state
    assert 2 == len(room.venue.asked_for(CancelOrder))


def test_a_cancel_of_an_unknown_order_is_sent_and_sent_again_when_it_is_found():
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.will_lose_the_answer_to(PlaceOrder)
    room.venue.will_lose(CancelOrder)
    order = room.buys(10)
    room.cancels(order)
    assert [S.UNKNOWN] == [order.state]
    assert order.cancel_wanted
    room.run(s=6)
    assert [S.CANCELLED] == [order.state]
    assert 2 == moves(room, order).count(Did.CANCEL_ASK)  # once in doubt, once found
    assert [] == room.alerted("order.illegal")


def test_a_lost_cancel_is_asked_after_although_executions_are_missing_too():
    room = a_running_core()
    room.venue.breaks(QueryTrades)
    order = room.buys(10)
    room.venue.fills(order, lots=4, told=False)
    room.hears(
        OrderReported(wall_ns=0, mono_ns=0, report=room.venue.report(room.venue.order(order.order_id)))
    )
    assert room.state.session.chases[order.order_id].fills_only
    room.venue.stream_deaf = True
    room.venue.will_lose(CancelOrder)
    room.cancels(order)
    room.run(s=5)
    assert S.CANCELLED is order.state
    room.venue.mends(QueryTrades)
    room.run(s=12)
    assert (4, 0) == (room.position(), order.open_lots())


def test_a_cancel_that_finds_nothing_is_doubt_until_the_query_tells():
    room = a_running_core()
    order = room.buys(10)
    room.venue.stream_deaf = True
    room.venue.fills(order)
    room.cancels(order)
    room.run(s=2)
    assert (S.FILLED, 10) == (order.state, room.position())


def test_a_fill_that_overtakes_the_cancel_is_booked():
    room = a_running_core()
    order = room.buys(10)
    room.holds_answers()
    room.cancels(order)
    room.venue.fills(order, lots=4)
    room.settle()
    assert (S.CANCEL_SENT, 4, 6) == (order.state, order.filled_lots, order.open_lots())
    room.answers_now()
    assert (S.CANCELLED, 4, 0) == (order.state, room.position(), order.open_lots())


def test_a_full_fill_beats_the_cancel():
    room = a_running_core()
    order = room.buys(10)
    room.holds_answers()
    room.cancels(order)
    room.venue.fills(order)
    room.settle()
    room.answers_now()
    room.run(s=5)
    assert (S.FILLED, 10) == (order.state, room.position())
    assert [] == room.causes()


def test_a_late_fill_of_a_cancelled_order_is_booked_and_moves_nothing():
    """Final is final, and a fill is a fill: the ledger wants it whatever the order says."""
    room = a_running_core()
    order = room.buys(10)
    fill = room.venue.fills(order, lots=3, told=False)
    room.venue.cancels(order)
    late = room.venue.stream.pop()
    room.hears(late)
    assert S.CANCELLED is order.state
    assert 3 == order.open_lots()  # reported, not booked yet: it counts
    room.run(s=1)
    assert (3, 0) == (room.position(), order.open_lots())
    assert fill.trade_id in room.books.ledger.trade_ids[BTC]


def test_cancelling_what_is_not_ones_own_is_refused():
    room = a_running_core()
    order = room.buys(10)
    assert NoSuchOwnOrder(order_id=order.order_id) == room.cancels(order, strategy="beta")
    assert NoSuchOwnOrder(order_id=99) == room.cancels(order, order_id=99)
    assert S.LIVE is order.state


def test_cancelling_all_of_ones_orders_in_an_instrument_leaves_the_others():
    room = a_running_core()
    mine = [room.buys(1), room.buys(2)]
    theirs = room.buys(3, strategy="beta")
    room.cancels(mine[0], order_id=0)
    assert [S.CANCELLED, S.CANCELLED, S.LIVE] == [order.state for order in [*mine, theirs]]


def test_cancelling_twice_asks_once():
    room = a_running_core()
    order = room.buys(10)
    room.holds_answers()
    room.cancels(order)
    room.cancels(order)
    assert 1 == len([call for call in room.held_calls if isinstance(call.request, CancelOrder)])


def test_an_unreadable_status_is_asked_after_and_told():
    room = a_running_core()
    order = room.buys(10)
    report = an_order_report(order.order_id, status=VenueStatus.OTHER)
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=report))
    assert S.LIVE is order.state
    assert room.alerted("order.unreadable")
    room.run(s=1)
    assert 1 == len(room.venue.asked_for(QueryOrder))
    assert HoldCause.RECONCILE_BREAK.value not in room.causes()
