"""Amends go through the same gate, and count at the larger size until the venue shows one or the other."""

import pytest
from msgspec import structs

from holdfast.core.step.emit import place_hold
from holdfast.vocab.events import CallDone, OrderReported
from holdfast.vocab.facts import AmendStep, OrderAmended, SizeReduced
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.orders import OrderState, OrderType, Side
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient, Withheld
from holdfast.vocab.refusals import (
    Held,
    NoSuchOwnOrder,
    NotAllowed,
    NotReducing,
    OutsideCollar,
    OverOrderSize,
    OverPosition,
    OverRate,
    QtyOutOfRange,
    TooManyOrders,
)
from holdfast.vocab.reports import Done, Orders
from holdfast.vocab.requests import AmendOrder, PlaceOrder, QueryOpenOrders, QueryOrder
from tests.house.events import an_order_report
from tests.house.room import a_running_core
from tests.house.setup import BTC, account_limits, timings

S = OrderState


def counted(room):
    return room.books.orders.open_in(BTC).buy_lots, room.books.orders.open_of("alpha", BTC).buy_lots


def steps(room):
    return [fact.step for fact in room.facts_of(OrderAmended)]


def test_an_amend_takes_effect_when_the_venue_says_so():
    room = a_running_core()
    order = room.buys(10)
    assert room.amends(order, lots=20, at=598_000) is None
    assert (20, 598_000, 0) == (order.qty_lots, order.price_ticks, order.amend_qty_lots)
    assert [AmendStep.ASKED, AmendStep.DONE] == steps(room)
    assert (20, 20) == counted(room)


@pytest.mark.parametrize(("to", "counts"), [(20, 20), (4, 10)])
def test_while_unanswered_the_larger_size_counts(to, counts):
    """Either may be the truth at the venue."""
    room = a_running_core()
    order = room.buys(10)
    room.holds_answers()
    room.amends(order, lots=to)
    assert (counts, counts) == counted(room)
    room.answers_now()
    assert (to, to) == counted(room)


@pytest.mark.parametrize(
    "outcome", [Fatal(why="no", code="-1"), Transient(why="busy"), Suppressed(by=Withheld.LATCH)]
)
def test_an_amend_that_had_no_effect_leaves_the_order_as_it_was(outcome):
    room = a_running_core()
    order = room.buys(10)
    room.venue.will_answer(AmendOrder, outcome)
    room.amends(order, lots=20)
    assert [AmendStep.ASKED, AmendStep.REFUSED] == steps(room)
    assert (10, 10) == counted(room)
    assert room.amends(order, lots=12) is None


@pytest.mark.parametrize("lots", [20, 10])
def test_an_amend_that_was_lost_is_given_up_only_after_its_own_window(lots):
    """The order is old, the amend is not: it may still arrive within the venue's receive window."""
    room = a_running_core()
    order = room.buys(10)
    room.run(s=60)
    room.venue.will_lose(AmendOrder)
    room.amends(order, lots=lots, at=598_000)
    room.run(ms=1_200)
    assert lots == order.amend_qty_lots
    assert room.venue.asked_for(QueryOrder)
    room.run(s=2)
    assert 0 == order.amend_qty_lots
    assert (10, 597_000) == (order.qty_lots, order.price_ticks)
    assert AmendStep.REFUSED is steps(room)[-1]


def test_an_amend_whose_answer_was_lost_is_found_to_have_happened():
    room = a_running_core()
    order = room.buys(10)
    room.venue.stream_deaf = True
    room.venue.will_lose_the_answer_to(AmendOrder)
    room.amends(order, lots=20)
    room.run(s=1)
    assert (20, 0, AmendStep.DONE) == (order.qty_lots, order.amend_qty_lots, steps(room)[-1])


def test_an_answer_of_another_kind_is_asked_after():
    room = a_running_core()
    order = room.buys(10)
    room.venue.will_answer(AmendOrder, Ok(value=Done()))
    room.amends(order, lots=20)
    room.run(s=3)
    assert (10, 0) == (order.qty_lots, order.amend_qty_lots)


def test_a_fill_meanwhile_does_not_end_the_wait_for_the_amend():
    """A report with the old size, sent before the amend arrived, must not stop the search."""
    room = a_running_core()
    order = room.buys(10)
    room.venue.will_lose(AmendOrder)
    room.amends(order, lots=20)
    room.venue.fills(order, lots=2)
    room.settle()
    assert (20, 18) == (order.amend_qty_lots, order.open_lots())
    room.run(s=4)
    assert (0, 8) == (order.amend_qty_lots, order.open_lots())


def test_an_order_that_ends_meanwhile_forgets_its_amend():
    room = a_running_core()
    order = room.buys(10)
    room.holds_answers()
    room.amends(order, lots=20)
    room.venue.fills(order)
    room.settle()
    assert (S.FILLED, 0, 0) == (order.state, order.amend_qty_lots, order.open_lots())
    room.answers_now()
    room.run(s=5)
    assert (S.FILLED, 10) == (order.state, room.position())


def refused(room, order, **changes):
    return room.amends(order, **changes)


def test_an_amend_is_judged_by_every_rule_of_a_new_order():
    room = a_running_core()
    order = room.buys(10)
    assert OverOrderSize(qty_lots=81, limit_lots=80) == refused(room, order, lots=81)
    assert isinstance(refused(room, order, at=590_000), OutsideCollar)
    assert isinstance(refused(room, order, lots=0), QtyOutOfRange)
    room.buys(80)
    room.buys(80)
    assert OverPosition(of="strategy", would_be_lots=201, limit_lots=200) == refused(room, order, lots=41)
    assert refused(room, order, lots=40) is None  # itself is not counted twice


def test_an_amend_is_no_way_round_a_hold():
    room = a_running_core()
    order = room.buys(10)
    room.says("ban", instrument=BTC)
    resting = [row for row in room.books.orders.live.values() if row.state is S.LIVE]
    assert [] == resting
    room = a_running_core()
    order = room.buys(10)
    room.says("halt", instrument=BTC)
    assert isinstance(refused(room, order, lots=9), Held)


def test_at_reduce_only_an_exit_may_be_amended_up_to_the_position_and_no_further():
    room = a_running_core()
    room.targets(10)
    exit_order = room.sells(5, reduce_only=True)
    room.says("ban", instrument=BTC)
    assert S.LIVE is exit_order.state
    assert refused(room, exit_order, lots=10) is None
    assert NotReducing(position_lots=10, reducing_lots=0, qty_lots=11) == refused(room, exit_order, lots=11)


def test_at_reduce_only_an_exit_that_the_venue_does_not_know_as_one_does_not_grow():
    """Our position may be behind the venue's: only its own reduce-only flag keeps the promise then."""
    room = a_running_core()
    room.targets(10)
    exit_order = room.sells(5)
    room.says("ban", instrument=BTC)
    assert NotReducing(position_lots=10, reducing_lots=5, qty_lots=6) == refused(room, exit_order, lots=6)
    assert refused(room, exit_order, lots=5, at=exit_order.price_ticks - 1) is None


def test_what_is_filled_already_is_no_part_of_the_new_risk():
    room = a_running_core()
    order = room.buys(80)
    room.venue.fills(order, lots=60)
    room.settle()
    assert refused(room, order, lots=140) is None
    assert OverOrderSize(qty_lots=81, limit_lots=80) == refused(room, order, lots=141)


def test_amends_count_in_the_rate():
    room = a_running_core()
    order = room.buys(10)
    found = [refused(room, order, at=597_000 + n) for n in range(20)]
    assert 19 == found.count(None)
    assert OverRate(count=21, limit=20) == found[-1]


def test_an_amend_back_and_forth_is_no_duplicate_but_a_number_is():
    room = a_running_core(timings=timings(duplicate_window_ms=5_000))
    order = room.buys(10)
    assert refused(room, order, at=598_000) is None
    assert refused(room, order, at=597_000) is None
    used = next(event for event, _ in reversed(room.records) if type(event).__name__ == "AmendIntent")
    room.tell(used)
    assert "DuplicateIntent" == type(room.state.session.last_refusal).__name__


def test_only_ones_own_live_limit_order_can_be_amended():
    room = a_running_core()
    order = room.buys(10)
    no = NoSuchOwnOrder(order_id=order.order_id)
    assert no == refused(room, order, strategy="beta")
    room.holds_answers()
    room.amends(order, lots=11)
    assert no == refused(room, order, lots=12)  # one at a time
    room.answers_now()
    room.cancels(order)
    assert no == refused(room, order, lots=12)
    room.targets(10)
    stop = room.wants_protection(10)
    assert OrderType.STOP_MARKET is stop.terms.order_type
    assert NoSuchOwnOrder(order_id=stop.order_id) == room.amends(stop, lots=5, at=1)
    assert isinstance(refused(room, structs.replace(order, strategy="gamma")), NotAllowed)


def test_with_every_place_taken_a_resting_order_can_still_be_amended():
    """It takes the place that it has."""
    room = a_running_core(account_limits=account_limits(open_orders_max=1))
    order = room.buys(10)
    assert TooManyOrders(count=1, limit=1) == room.buys(10)
    for _ in range(3):
        assert isinstance(refused(room, order, lots=81), OverOrderSize)
    assert 1 == room.state.session.account.open_orders_count
    assert refused(room, order, lots=9) is None
    assert 1 == room.state.session.account.open_orders_count


def test_an_amend_of_a_sell_counts_on_the_sell_side():
    room = a_running_core()
    order = room.sells(10)
    room.holds_answers()
    room.amends(order, lots=25)
    assert 25 == room.books.orders.open_in(BTC).sell_lots
    assert Side.SELL is order.terms.side


# --- which word is the newer one ------------------------------------------------------------------------------------


def a_word(room, order, *, lots, at, **changes):
    """What the venue says of an order now."""
    return an_order_report(
        order.order_id,
        venue_order_id="v77",
        qty_lots=lots,
        price_ticks=at,
        **{"venue_ns": room.venue.venue_ns, **changes},
    )


def streams(room, report):
    room.tell(OrderReported(wall_ns=0, mono_ns=0, report=report))


def answers(room, kind, outcome):
    """The oldest question of this kind that is still out is answered."""
    call = next(call for call in room.held_calls if type(call.request) is kind)
    room.held_calls.remove(call)
    room.tell(CallDone(wall_ns=0, mono_ns=0, call_id=call.call_id, outcome=outcome))


def amended_there_and_back():
    """10@597000, amended to 60@598000 and shown so by the stream; the amend back is asked. Every answer is late."""
    room = a_running_core()
    room.holds_answers()
    order = room.buys(10, at=597_000)
    first = a_word(room, order, lots=10, at=597_000)
    room.run(ms=1)
    streams(room, first)
    assert room.amends(order, lots=60, at=598_000) is None
    room.run(ms=1)
    streams(room, a_word(room, order, lots=60, at=598_000))
    room.run(ms=1)
    assert room.amends(order, lots=10, at=597_000) is None
    assert (60, 10, (60, 60)) == (order.qty_lots, order.amend_qty_lots, counted(room))
    return room, order, first


def test_the_slow_answer_to_the_placement_proves_no_amend_back():
    room, order, first = amended_there_and_back()
    answers(room, PlaceOrder, Ok(value=first))
    assert (60, 10, (60, 60)) == (order.qty_lots, order.amend_qty_lots, counted(room))


def test_an_older_word_of_the_stream_proves_no_amend_back_and_a_later_one_does():
    room, order, first = amended_there_and_back()
    streams(room, first)
    assert (60, 10, (60, 60)) == (order.qty_lots, order.amend_qty_lots, counted(room))
    streams(room, a_word(room, order, lots=10, at=597_000))
    assert (10, 597_000, 0, (10, 10)) == (
        order.qty_lots,
        order.price_ticks,
        order.amend_qty_lots,
        counted(room),
    )


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_word_from_before_a_start_does_not_undo_an_amend(snapshot):
    """What the venue has open would count as less than it is, with nobody to say so."""
    room = a_running_core()
    order = room.buys(10, at=597_000)
    before = a_word(room, order, lots=10, at=597_000)
    room.run(ms=10)
    assert room.amends(order, lots=60, at=598_000) is None
    room.run(ms=10)
    room.restarts(snapshot=snapshot)
    room.run(s=1)
    streams(room, before)
    order = room.order(order.order_id)
    assert (60, 598_000, (60, 60)) == (order.qty_lots, order.price_ticks, counted(room))
    streams(room, a_word(room, order, lots=50, at=598_000))
    assert 50 == room.order(order.order_id).qty_lots, "one from after it counts"


def test_the_late_answer_to_an_earlier_amend_is_none_to_the_one_asked_since():
    for late in (Fatal(why="no", code="-1"), Transient(why="busy")):
        room, order, _ = amended_there_and_back()
        answers(room, AmendOrder, late)
        assert (60, 10, (60, 60)) == (order.qty_lots, order.amend_qty_lots, counted(room))
        answers(room, AmendOrder, Ok(value=a_word(room, order, lots=10, at=597_000)))
        assert (10, 0, (10, 10)) == (order.qty_lots, order.amend_qty_lots, counted(room))


def test_an_older_word_does_not_undo_an_amend_that_took_effect():
    room, order, first = amended_there_and_back()
    answers(room, AmendOrder, Ok(value=a_word(room, order, lots=60, at=598_000)))
    answers(room, AmendOrder, Fatal(why="no", code="-1"))
    for _ in range(2):
        streams(room, first)
    answers(room, PlaceOrder, Ok(value=first))
    assert (60, 598_000, 0, (60, 60)) == (
        order.qty_lots,
        order.price_ticks,
        order.amend_qty_lots,
        counted(room),
    )
    assert [] == room.alerted("order.changed")


def test_a_size_that_is_not_ours_is_counted_as_the_venue_shows_it_and_told():
    """An amend that was refused to us, and took effect: by the stream, and where that is deaf by a poll."""
    room = a_running_core()
    order = room.buys(10)
    room.run(ms=1)
    streams(room, a_word(room, order, lots=20, at=598_000))
    assert (20, 598_000, (20, 20)) == (order.qty_lots, order.price_ticks, counted(room))
    assert 598_000 == room.state.resting[BTC].bid_ticks
    assert 1 == len(room.alerted("order.changed"))
    room = a_running_core()
    order = room.buys(10)
    room.venue.stream_deaf = True
    room.venue.order(order.order_id).qty = 20
    room.run(s=60)
    assert (20, (20, 20)) == (order.qty_lots, counted(room))
    assert 1 == len(room.alerted("order.changed"))


def test_a_smaller_size_in_an_answer_counts_once_it_is_shown_again():
    """A list may be older than its question, and what it shows then frees room that is not there."""
    room = a_running_core()
    order = room.buys(30)
    room.run(ms=1)
    room.holds_answers()

    def listed(lots):
        room.run(s=10)
        answers(
            room,
            QueryOpenOrders,
            Ok(value=Orders(orders=(a_word(room, order, lots=lots, at=order.price_ticks),))),
        )
        return order.qty_lots, counted(room)

    assert [(30, (30, 30)), (30, (30, 30)), (30, (30, 30)), (20, (20, 20))] == [
        listed(lots) for lots in (20, 30, 20, 20)
    ]
    assert 1 == len(room.alerted("order.changed"))


def test_at_reduced_an_order_grows_by_half_of_what_is_asked():
    room = a_running_core()
    place_hold(room.state, [], HoldCause.VOLATILITY, by="test", reason="it swings")
    order = room.buys(40)
    assert 20 == order.qty_lots
    assert room.amends(order, lots=80) is None
    assert 50 == order.qty_lots
    reduced = room.facts_of(SizeReduced)[-1]
    assert (80, 50) == (reduced.from_lots, reduced.to_lots)
    assert room.amends(order, lots=30, at=598_000) is None
    assert (30, 598_000) == (order.qty_lots, order.price_ticks)


def test_at_reduced_an_exit_grows_in_full_up_to_the_position():
    room = a_running_core()
    room.targets(10)
    place_hold(room.state, [], HoldCause.VOLATILITY, by="test", reason="it swings")
    order = room.sells(4)
    assert room.amends(order, lots=14) is None
    assert 12 == order.qty_lots  # 6 more close the position, 4 more would turn it
