"""Getting flat: cancel, read the venue, exit in bounded clips, and say flat only when it is proven."""

import pytest
from msgspec import structs

from holdfast.vocab.facts import FlattenBegan, FlattenEnded
from holdfast.vocab.holds import HoldLevel, Scope
from holdfast.vocab.orders import Lane, OrderState, OrderType, Side, TimeInForce
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.requests import (
    CancelAll,
    CancelOrder,
    PlaceOrder,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTrades,
)
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, instrument_limits

BUY, SELL = Side.BUY, Side.SELL
S = OrderState


def exits(room):
    return [request for lane, request in room.sent if lane is Lane.FLATTEN]


def a_long_core(lots=80, **changes):
    room = a_running_core(**changes)
    room.targets(lots)
    room.run(ms=10 * room.latency_ms)
    assert lots == room.position()
    return room


def test_kill_cancels_gets_flat_and_says_so_after_two_reads_of_zero():
    room = a_long_core()
    resting = room.buys(5)
    asked = room.mono_ns
    assert "getting flat" in room.says("kill").text
    assert HoldLevel.KILLED == room.level()
    assert room.latch_tripped
    room.run(s=3)
    assert S.CANCELLED is resting.state
    assert (0, 0) == (room.position(), room.venue.position())
    ended = room.facts_of(FlattenEnded)
    assert [True] == [fact.flat for fact in ended]
    zero_reads = [
        event.mono_ns
        for event, _ in room.records
        if type(getattr(getattr(event, "outcome", None), "value", None)).__name__ == "Positions"
        and event.mono_ns >= asked
        and not event.outcome.value.positions
    ]
    assert len(zero_reads) >= 2
    assert zero_reads[-1] - zero_reads[0] >= 10**9
    assert ended[0].mono_ns >= zero_reads[0] + 10**9
    assert {} == room.state.session.jobs == room.books.flattens


def test_exits_are_reduce_only_clipped_and_one_at_a_time():
    room = a_running_core(
        instrument_limits=(instrument_limits(BTC, flatten_clip_lots=30), instrument_limits(ETH))
    )
    room.targets(80)
    room.says("flatten")
    assert [30, 30, 20] == [request.terms.qty_lots for request in exits(room)]  # and none waits for a timer
    assert all(request.terms.reduce_only for request in exits(room))
    assert 0 == room.venue.position()


def test_it_never_flips_when_its_exits_fill_late():
    room = a_long_core(latency_ms=300)
    room.says("kill")
    for _ in range(40):
        room.run(ms=200)
        assert room.venue.position() >= 0
        working = [row for row in room.books.orders.live.values() if row.lane is Lane.FLATTEN]
        assert len(working) <= 1
    assert 0 == room.venue.position()
    assert room.flat_claims


def test_it_reads_the_venue_and_not_our_belief():
    room = a_long_core()
    room.venue.trades_itself(BUY, 7, price=BTC_TICKS, told=False)
    room.says("flatten")
    room.run(s=4)
    assert 0 == room.venue.position()


def test_flat_is_not_said_while_a_fill_is_not_booked():
    room = a_long_core()
    room.venue.breaks(QueryTrades)
    room.venue.trades_itself(SELL, 80, price=BTC_TICKS, told=False)
    room.says("flatten")
    room.run(s=10)
    assert ([], 80) == (room.flat_claims, room.position())
    room.venue.mends(QueryTrades)
    room.run(s=5)
    assert 0 == room.position()
    assert room.flat_claims


def test_flat_is_not_said_while_an_order_is_in_doubt():
    room = a_long_core()
    room.venue.will_lose(PlaceOrder)
    doubtful = room.buys(5)
    room.venue.breaks(QueryOrder)
    room.says("flatten")
    room.run(s=10)
    assert 0 == room.venue.position()
    assert (S.UNKNOWN, []) == (doubtful.state, room.flat_claims)
    room.venue.mends(QueryOrder)
    room.run(s=10)
    assert S.UNSENT is doubtful.state
    assert room.flat_claims


def test_flat_is_not_said_while_the_venue_lists_an_order_that_is_final_with_us():
    """It was refused and is there all the same; one list may be old, so only another one tells who is right."""
    room = a_long_core()
    room.venue.stream_deaf = True
    room.venue.will_answer(PlaceOrder, Transient(why="service unavailable", code="-1008"))
    refused = room.buys(5, at=BTC_TICKS - 100)
    assert S.UNSENT is refused.state
    room.venue._place(PlaceOrder(order_id=refused.order_id, terms=refused.terms))
    while not any(name.startswith("risen/") for name in room.state.session.suspects):
        room.run(ms=10)
    room.says("flatten")
    room.run(ms=1_000)
    assert [] == [claim for claim in room.flat_claims if room.venue.open_orders()]
    room.run(s=10)
    assert ([], 0) == (room.venue.open_orders(), room.venue.position())
    assert room.flat_claims


def test_flat_is_not_said_before_the_venue_listed_its_open_orders():
    """It was refused and is there all the same, and nobody has looked since."""
    room = a_long_core()
    room.venue.stream_deaf = True
    room.venue.will_answer(PlaceOrder, Transient(why="service unavailable", code="-1008"))
    refused = room.buys(5, at=BTC_TICKS - 100)
    room.venue._place(PlaceOrder(order_id=refused.order_id, terms=refused.terms))
    room.venue.breaks(QueryOpenOrders)
    room.says("flatten")
    room.run(s=4)
    assert (0, []) == (room.venue.position(), room.flat_claims)
    room.venue.mends(QueryOpenOrders)
    room.run(s=30)
    assert [] == room.venue.open_orders()
    assert room.flat_claims


def test_flat_is_not_said_by_a_list_of_orders_from_before_zero():
    """What was sent behind that list and refused, the venue may have kept all the same."""
    room = a_long_core()
    room.venue.stream_deaf = True
    room.venue.takes = 0  # nothing fills, so that a list comes before zero does
    room.says("flatten")
    listed = len(room.venue.asked_for(QueryOpenOrders))
    while listed == len(room.venue.asked_for(QueryOpenOrders)):
        room.run(ms=10)
    answers = room.venue.answer

    def refuses_and_keeps(request):
        answered = answers(request)
        resting = isinstance(request, PlaceOrder) and request.terms.tif is TimeInForce.GTC
        return Transient(why="service unavailable", code="-1008") if resting else answered

    room.venue.answer = refuses_and_keeps
    room.sells(40, at=BTC_TICKS + 2_000, reduce_only=True)
    room.venue.answer, room.venue.takes, room.venue.stream_deaf = answers, None, False
    while room.venue.position() or not room.flat_claims:
        assert not (room.flat_claims and list(room.venue.open_orders()))
        room.run(ms=10)
    assert [] == list(room.venue.open_orders())


def test_an_order_that_this_bot_cannot_cancel_is_not_called_flat():
    room = a_long_core()
    answers = room.venue.answer

    def lists_another(request):
        answered = answers(request)
        if isinstance(request, QueryOpenOrders):
            return Ok(value=structs.replace(answered.value, unlisted=("DOGEUSDT",)))
        return answered

    room.venue.answer = lists_another
    room.says("flatten")
    room.run(s=20)
    (ended,) = room.facts_of(FlattenEnded)
    assert not ended.flat
    assert "cannot cancel the orders in DOGEUSDT" in ended.why
    assert room.alerted("flatten.unlisted")


def test_protective_orders_go_last_once_zero_was_read():
    room = a_long_core()
    stop = room.wants_protection(80)
    room.holds_answers()
    room.says("flatten")
    room.answers_now()
    assert S.LIVE is stop.state or 0 == room.venue.position()
    room.run(s=5)
    assert S.CANCELLED is stop.state
    assert room.flat_claims
    order = [
        type(request).__name__
        for lane, request in room.sent
        if lane is Lane.FLATTEN or (lane is Lane.CANCEL and getattr(request, "conditional", False))
    ]
    assert ["PlaceOrder", "CancelOrder"] == order


def test_a_position_that_comes_back_begins_the_proof_anew():
    """Two zeros with a position in between prove nothing."""
    room = a_long_core()
    room.says("flatten")
    room.run(ms=600)
    assert 0 == room.venue.position()
    room.venue.trades_itself(BUY, 5, price=BTC_TICKS, told=False)
    room.run(ms=900)
    assert (0, []) == (room.venue.position(), room.flat_claims)
    gone = room.mono_ns - 500 * 10**6  # at the earliest
    room.run(s=4)
    assert room.flat_claims[0].mono_ns >= gone + 10**9


def test_a_word_that_something_is_held_begins_the_proof_anew_whoever_asked_for_it():
    """Between two zeros the reconciling question was told of a position: the job rests, and hears it all the same."""
    room = a_running_core()
    room.says("flatten")
    job = next(iter(room.state.session.jobs.values()))
    while job.zero_since_mono_ns < 0:
        room.run(ms=10)
    room.venue.trades_itself(BUY, 5, price=BTC_TICKS, told=False)
    room.says("reconcile")
    room.run(ms=100)
    room.venue.trades_itself(SELL, 5, price=BTC_TICKS, told=False)
    gone = room.mono_ns
    room.run(s=5)
    assert room.flat_claims[0].mono_ns >= gone + 10**9


def test_foreign_orders_outside_the_scope_are_left_alone_and_not_waited_for():
    for scope in ({"instrument": ETH}, {"strategy": "alpha"}):
        room = a_long_core()
        room.targets(100, instrument=ETH)
        foreign = room.venue.gets_a_foreign_order(BUY, 5, price=590_000)
        room.settle()
        room.says("flatten", **scope)
        room.run(s=4)
        assert foreign.open
        assert room.flat_claims


def test_foreign_orders_are_cancelled_and_asked_again_if_that_is_lost():
    room = a_long_core()
    room.venue.gets_a_foreign_order(BUY, 5, price=590_000)
    room.settle()
    room.venue.will_lose(CancelAll, times=2)
    room.says("flatten")
    room.run(s=15)
    assert [] == room.venue.open_orders()
    assert room.flat_claims


def test_a_sick_venue_is_not_hammered_while_flat_has_to_wait():
    """An order in doubt, a rate limit near: five reads a second would end in a ban."""
    room = a_long_core()
    room.venue.trades_itself(SELL, 80, price=BTC_TICKS, told=False)
    room.venue.breaks(QueryTrades)
    room.says("flatten")
    before = len(room.venue.asked_for(QueryPositions))
    room.run(s=20)
    assert len(room.venue.asked_for(QueryPositions)) - before <= 2 * 20 + 5


@pytest.mark.parametrize(
    "outcome",
    [
        Suppressed(by=Withheld.LEASE),
        Suppressed(by=Withheld.BUFFER),
        Fatal(why="reduce-only rejected", code="-2022"),
    ],
)
def test_exits_that_do_not_get_through_are_tried_again_with_a_rest(outcome):
    room = a_long_core()
    room.venue.breaks(PlaceOrder, outcome)
    room.says("kill")
    room.run(s=10)
    assert 10 <= len(exits(room)) <= 25
    assert [] == room.flat_claims
    assert len(exits(room)) // 10 == len(room.alerted("flatten.slow"))
    room.venue.mends(PlaceOrder)
    room.run(s=4)
    assert room.flat_claims


def test_an_exit_in_doubt_is_resolved_before_the_next():
    room = a_long_core()
    room.venue.will_lose(PlaceOrder)
    room.says("kill")
    room.run(ms=1_100)
    assert 1 == len(exits(room))
    room.run(s=8)
    assert 0 == room.venue.position()
    assert room.flat_claims


def test_what_does_not_fill_at_once_is_priced_anew():
    room = a_long_core()
    room.venue.takes = 20
    room.says("kill")
    room.run(s=5)
    assert [80, 60, 40, 20] == [request.terms.qty_lots for request in exits(room)]
    assert room.flat_claims


# --- blind ----------------------------------------------------------------------------------------------------------


def test_with_the_first_source_retired_the_second_one_gets_it_flat():
    """The airplane story, first variant."""
    room = a_long_core()
    room.venue.dead_sources = {0}
    room.says("kill")
    room.run(s=4)
    assert 0 == room.venue.position()
    assert room.flat_claims
    assert len(exits(room)) <= 2


def test_with_no_source_at_all_it_exits_by_the_last_known_size_and_never_claims_flat():
    """The airplane story, second variant: nobody can say flat, so nobody does."""
    room = a_long_core()
    room.venue.breaks(QueryPositions, Unknown(why="404 Not Found", code="404"))
    room.says("kill")
    room.run(s=60)
    assert 0 == room.venue.position()
    assert [] == room.flat_claims
    assert room.alerted("flatten.blind")
    assert all(request.terms.reduce_only for request in exits(room))
    room.venue.mends(QueryPositions)
    room.run(s=5)
    assert room.flat_claims


def test_blind_attempts_go_on_while_they_do_not_fill_and_cannot_flip():
    room = a_long_core()
    room.venue.breaks(QueryPositions)
    room.venue.takes = 0
    room.says("kill")
    room.run(s=30)
    assert 20 <= len(exits(room)) <= 70
    assert 80 == room.venue.position()
    room.venue.takes = None
    room.run(s=2)
    assert 0 == room.venue.position()


# --- after a restart, in a scope, in or out of a hurry ----------------------------------------------------------------


def test_getting_flat_goes_on_after_a_restart_before_anything_else():
    room = a_long_core()
    room.venue.takes = 0
    room.says("kill")
    room.run(s=2)
    assert 80 == room.venue.position()
    room.venue.takes = None
    room.restarts(reboot=True)
    room.run(s=6)
    assert 0 == room.venue.position()
    assert room.flat_claims
    assert HoldLevel.KILLED == room.level()


def test_an_exit_that_was_in_flight_at_the_crash_counts_as_the_one_in_flight():
    room = a_long_core()
    room.holds_answers()
    room.says("kill")
    room.answers_now()
    room.venue.stream.clear()
    room.restarts()
    room.run(s=8)
    assert 0 == room.venue.position()
    assert room.flat_claims


def test_while_the_exit_of_an_earlier_life_is_in_doubt_the_venue_is_not_hammered():
    room = a_long_core()
    room.venue.will_lose(PlaceOrder)
    room.venue.breaks(QueryOrder)
    room.says("kill")
    room.restarts()
    before = len(room.venue.asked)
    room.run(s=10)
    assert len(room.venue.asked) - before <= 80
    # once the venue would not take it any more the next one goes: the way out does not hang on one question
    assert (2, 0) == (len(exits(room)), room.venue.position())
    assert not room.flat_claims
    room.venue.mends(QueryOrder)
    room.run(s=8)
    assert room.flat_claims


def test_flattening_a_strategy_closes_only_what_is_its_own():
    room = a_long_core()
    room.targets(40, strategy="beta")
    room.says("flatten", strategy="alpha")
    room.run(s=5)
    assert (0, 40, 40) == (room.position(of="alpha"), room.position(of="beta"), room.venue.position())
    assert [Scope(strategy="alpha")] == [fact.scope for fact in room.flat_claims]


def test_a_strategy_whose_position_others_have_netted_away_has_nothing_to_exit():
    room = a_long_core(40)
    room.targets(-80, strategy="beta")
    room.says("flatten", strategy="alpha")
    room.run(s=5)
    assert (-40, []) == (room.venue.position(), exits(room))


def test_flattening_an_instrument_leaves_the_others():
    room = a_long_core()
    room.targets(100, instrument=ETH)
    room.says("flatten", instrument=BTC)
    room.run(s=5)
    assert (0, 100) == (room.venue.position(), room.venue.position(ETH))


def test_stop_rests_at_the_touch_and_is_priced_anew_when_the_market_leaves():
    room = a_long_core()
    room.says("stop")
    room.run(s=1)
    first = exits(room)[0]
    assert (TimeInForce.GTC, BTC_TICKS + 5) == (first.terms.tif, first.terms.price_ticks)
    room.quotes(mid=BTC_TICKS - 1_000)
    room.run(s=6)
    assert 2 == len(exits(room))
    assert BTC_TICKS - 1_000 + 5 == exits(room)[1].terms.price_ticks
    room.venue.fills(next(iter(room.books.orders.live.values())))
    room.settle()
    room.run(s=3)
    assert room.flat_claims


def test_a_patient_exit_is_cancelled_once_and_not_at_every_event():
    room = a_long_core()
    room.says("stop")
    room.run(s=1)
    room.venue.breaks(CancelOrder)
    room.run(s=20)
    assert 1 <= len(room.venue.asked_for(CancelOrder)) <= 15


def test_a_hurry_overrules_patience():
    """Flatten after stop must not wait behind the order that rests."""
    room = a_long_core()
    room.says("stop")
    room.run(s=1)
    assert 80 == room.venue.position()
    room.says("flatten")
    room.run(s=3)
    assert 0 == room.venue.position()
    assert room.flat_claims
    assert [True, False] == [fact.patient for fact in room.facts_of(FlattenBegan)]


def test_patience_does_not_overrule_a_hurry():
    room = a_long_core()
    room.venue.takes = 0
    room.says("kill")
    room.says("stop")
    assert [False] == [fact.patient for fact in room.facts_of(FlattenBegan)]


def test_asking_twice_is_one_exit():
    room = a_long_core()
    room.says("flatten")
    room.says("flatten", by="bob")
    room.run(s=4)
    assert 1 == len(room.facts_of(FlattenBegan)) == len(room.facts_of(FlattenEnded))


def test_a_position_that_this_bot_cannot_trade_is_not_called_flat():
    room = a_long_core()
    room.venue.unlisted = ("DOGEUSDT",)
    room.says("flatten")
    room.run(s=4)
    assert [False] == [fact.flat for fact in room.facts_of(FlattenEnded)]
    assert "DOGEUSDT" in room.facts_of(FlattenEnded)[0].why
    assert room.alerted("flatten.unlisted")


def test_from_flat_it_is_flat():
    room = a_running_core()
    room.says("flatten")
    room.run(s=3)
    assert (1, []) == (len(room.flat_claims), exits(room))


def test_the_houses_exit_closes_what_each_strategy_holds():
    room = a_long_core()
    room.targets(40, strategy="beta")
    room.says("kill")
    room.run(s=5)
    assert (0, 0, 0) == (room.position(), room.position(of="alpha"), room.position(of="beta"))


def test_without_any_price_it_leaves_by_market():
    room = a_long_core()
    room.quoting = False
    room.venue.touch.clear()
    room.restarts()
    room.says("flatten")
    assert [OrderType.MARKET] == [request.terms.order_type for request in exits(room)]


def test_flat_is_not_said_by_a_word_that_came_long_after_it_was_asked_for():
    """The process was suspended while the answer waited, and somebody traded elsewhere."""
    room = a_long_core()
    room.venue.stream_deaf = True
    room.says("flatten")
    room.venue.slow[QueryPositions] = 300
    job = room.state.session.jobs["/"]
    while job.zero_since_mono_ns < 0:
        room.run(ms=10)
    zeros = len(room.venue.asked_for(QueryPositions))
    while len(room.venue.asked_for(QueryPositions)) == zeros:
        room.run(ms=10)
    room.venue.trades_itself(SELL, 5, price=BTC_TICKS, told=False)
    room.suspended(s=20)
    room.run(ms=100)
    assert (-5, []) == (room.venue.position(), room.flat_claims)
    room.run(s=10)
    assert (0, [True]) == (room.venue.position(), [fact.flat for fact in room.flat_claims])


# --- a strategy that others offset ----------------------------------------------------------------------------------


def two_sided(alpha, beta):
    room = a_running_core()
    room.takes(1, alpha, strategy="alpha")
    room.settle()
    room.takes(-1, beta, strategy="beta")
    room.settle()
    room.run(s=1)
    return room


@pytest.mark.parametrize(("beta", "left"), [(4, 4), (10, 10), (14, 10)])
def test_a_strategy_is_not_flat_where_another_holds_the_opposite(beta, left):
    """The account has less to close than the strategy holds: what is left is said, and whose it is set against."""
    room = two_sided(10, beta)
    room.says("flatten", strategy="alpha")
    room.run(s=20)
    ended = room.facts_of(FlattenEnded)
    assert ([False], left) == ([fact.flat for fact in ended], room.position(of="alpha"))
    assert f"alpha still holds +{left} lots of {BTC}, offset by beta -{beta}" in ended[0].why
    assert 1 == len(room.alerted("flatten.offset"))
    assert [] == room.alerted("flatten.flat")
    assert {} == room.state.session.jobs == room.books.flattens


def test_a_strategy_on_the_side_of_the_account_gets_flat_beside_another():
    room = two_sided(10, 4)
    room.says("flatten", strategy="beta")
    room.run(s=5)
    assert -4 == room.position(of="beta")
    assert [False] == [fact.flat for fact in room.facts_of(FlattenEnded)]
    room = a_running_core()
    room.takes(1, 10, strategy="alpha")
    room.settle()
    room.takes(1, 4, strategy="beta")
    room.settle()
    room.says("flatten", strategy="alpha")
    room.run(s=20)
    assert (0, 4) == (room.position(of="alpha"), room.position(of="beta"))
    assert [True] == [fact.flat for fact in room.facts_of(FlattenEnded)]


def beside_another():
    """Both hold the same way: reduce-only keeps no exit of one from what is the other's."""
    room = a_long_core(latency_ms=50)
    room.run(ms=300)
    room.targets(80, strategy="beta")
    room.run(ms=300)
    assert 160 == room.venue.position()
    return room


def only_its_own(room):
    return (0, 80, 80) == (room.position(of="alpha"), room.position(of="beta"), room.venue.position())


def test_an_exit_of_unknown_fate_is_not_sent_again_beside_another_strategy():
    room = beside_another()
    room.venue.stream_deaf = True
    room.venue.will_lose_the_answer_to(PlaceOrder)
    room.venue.breaks(QueryOrder)
    room.venue.breaks(QueryTrades)
    room.says("flatten", strategy="alpha")
    room.run(s=6)
    room.venue.mends(QueryOrder)
    room.venue.mends(QueryTrades)
    room.run(s=30)
    assert only_its_own(room)
    assert 1 == len(exits(room))
    assert [True] == [fact.flat for fact in room.facts_of(FlattenEnded)]


def test_a_strategys_own_order_that_fills_meanwhile_is_part_of_its_way_out():
    room = beside_another()
    order = room.sells(80, at=BTC_TICKS + 100)
    room.run(ms=100)
    room.venue.stream_deaf = True  # the books hear of it late
    room.venue.fills(order)
    room.says("flatten", strategy="alpha")
    room.run(s=1)
    room.venue.stream_deaf = False
    room.run(s=20)
    assert only_its_own(room)


def test_beside_another_strategy_the_stop_goes_before_the_exit():
    """It would sell what the other holds, once the exit has closed its own."""
    room = beside_another()
    stop = room.wants_protection(80)
    room.run(ms=300)
    assert OrderState.LIVE is stop.state
    room.says("flatten", strategy="alpha")
    while 160 == room.venue.position():
        room.run(ms=5)
    assert [] == [order for order in room.venue.open_orders() if order.order_id == stop.order_id]
    room.run(s=20)
    assert only_its_own(room)


def test_a_strategy_whose_exit_is_not_booked_yet_is_waited_for():
    room = two_sided(10, 4)
    room.venue.stream_deaf = True
    room.venue.breaks(QueryTrades, Unknown(why="no answer"))
    room.says("flatten", strategy="alpha")
    room.run(s=20)
    assert [] == room.facts_of(FlattenEnded)
    room.venue.mends(QueryTrades)
    room.run(s=60)
    assert [False] == [fact.flat for fact in room.facts_of(FlattenEnded)]
    assert 4 == room.position(of="alpha")
