"""No order of the account meets another of it: best own bid and offer, exact after every change."""

import random

import pytest

from holdfast.core.gate.resting import HEAP_SLACK, NO_ASK, NO_BID, Resting
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.refusals import SelfMatch
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS

BUY, SELL = Side.BUY, Side.SELL
LOW, HIGH = BTC_TICKS - 1_000, BTC_TICKS + 1_000


def touch(room, instrument=BTC):
    resting = room.state.resting[instrument]
    return resting.bid_ticks, resting.ask_ticks


@pytest.mark.parametrize("seed", range(8))
def test_the_best_prices_are_those_of_a_slow_twin(seed):
    """Orders come, move, stand at two prices at once, and go, in any order."""
    rng = random.Random(seed)
    resting, twin = Resting(), {}
    for number in range(3_000):
        if twin and rng.random() < 0.6:
            order_id = rng.choice(list(twin))
            side = twin[order_id][0]
            prices = tuple(rng.randrange(1, 60) for _ in range(rng.choice((0, 0, 1, 2))))
            resting.rest(order_id, side, prices)
        else:
            order_id, side = number, rng.choice((BUY, SELL))
            prices = (rng.randrange(1, 60),)
            resting.send(order_id, side, prices[0])
        twin[order_id] = (side, prices)
        if not prices:
            del twin[order_id]
        bids = [price for side, some in twin.values() if side is BUY for price in some]
        asks = [price for side, some in twin.values() if side is SELL for price in some]
        assert max(bids, default=NO_BID) == resting.bid_ticks
        assert min(asks, default=NO_ASK) == resting.ask_ticks


def test_memory_is_bounded():
    """A quote behind the best one that comes and goes for days leaves nothing behind."""
    resting = Resting()
    resting.rest(1, BUY, (1_000,))
    for number in range(20_000):
        resting.rest(2, BUY, (number % 900 + 1,))
    assert len(resting._bids.heap) <= 2 * 2 + HEAP_SLACK
    assert 2 == len(resting._known)


def test_a_worse_price_leaves_the_best_as_it_is():
    resting = Resting()
    for number, (side, price) in enumerate([(BUY, 10), (BUY, 9), (SELL, 20), (SELL, 21)]):
        resting.send(number, side, price)
    assert (10, 20) == (resting.bid_ticks, resting.ask_ticks)


def test_prices_that_are_gone_stay_until_they_outnumber_the_others_twice_and_some():
    """Cleaning up at every order would be slow, and never would be a leak."""
    resting = Resting()
    resting.rest(1, BUY, (1_000,))
    resting.rest(2, BUY, (999,))
    longest = 0
    for price in range(1, 900):
        resting.rest(3, BUY, (price,))
        longest = max(longest, len(resting._bids.heap))
        resting.rest(3, BUY, ())
    assert 2 * 3 + HEAP_SLACK == longest
    assert {1, 2} == set(resting._known)


# --- in the step ------------------------------------------------------------------------------------------------------


def test_an_order_that_would_meet_another_strategys_is_refused_until_that_is_final():
    room = a_running_core()
    offer = room.sells(5, at=HIGH, strategy="beta")
    assert SelfMatch(price_ticks=HIGH, resting_ticks=HIGH) == room.buys(5, at=HIGH)
    assert OrderState.FILLED is room.buys(5, at=HIGH - 1).state
    room.holds_answers()
    room.cancels(offer)
    assert OrderState.CANCEL_SENT is room.order(offer.order_id).state
    assert SelfMatch(price_ticks=HIGH, resting_ticks=HIGH) == room.buys(5, at=HIGH), "it may be hit still"
    room.answers_now()
    room.run(ms=50)
    assert OrderState.CANCELLED is room.order(offer.order_id).state
    assert not isinstance(room.buys(5, at=HIGH), SelfMatch)


def test_an_order_on_its_way_counts_before_the_venue_has_said_a_word():
    room = a_running_core()
    room.holds_answers()
    room.sells(5, at=HIGH)
    assert SelfMatch(price_ticks=HIGH, resting_ticks=HIGH) == room.buys(5, at=HIGH)


def test_an_order_in_doubt_counts():
    room = a_running_core()
    room.holds_answers()
    offer = room.sells(5, at=HIGH)
    room.run(s=3)
    assert OrderState.UNKNOWN is room.order(offer.order_id).state
    assert SelfMatch(price_ticks=HIGH, resting_ticks=HIGH) == room.buys(5, at=HIGH)


def test_an_amend_counts_at_both_prices_until_it_is_answered_and_is_judged_itself():
    room = a_running_core()
    offer = room.sells(5, at=HIGH)
    bid = room.buys(5, at=LOW)
    assert SelfMatch(price_ticks=HIGH, resting_ticks=HIGH) == room.amends(bid, at=HIGH)
    room.holds_answers()
    room.amends(offer, at=HIGH + 500)
    assert (LOW, HIGH) == touch(room)
    room.answers_now()
    room.run(ms=50)
    assert (LOW, HIGH + 500) == touch(room)


def test_what_was_filled_is_gone_and_a_part_of_it_is_not():
    room = a_running_core()
    offer = room.sells(10, at=HIGH)
    order = next(one for one in room.venue.open_orders() if one.order_id == offer.order_id)
    room.venue.fills(order, lots=4)
    room.settle()
    assert (NO_BID, HIGH) == touch(room)
    room.venue.fills(order, lots=6)
    room.settle()
    assert (NO_BID, NO_ASK) == touch(room)


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_restart_knows_what_rests(snapshot):
    room = a_running_core()
    room.sells(5, at=HIGH)
    room.restarts(snapshot=snapshot)
    room.run(s=1)
    assert SelfMatch(price_ticks=HIGH, resting_ticks=HIGH) == room.buys(5, at=HIGH)


def test_an_exit_of_the_house_is_never_refused_for_it():
    """It cancels first what it can meet, and the gate's second door does not ask."""
    room = a_running_core()
    room.takes(1, 10)
    room.buys(5, at=BTC_TICKS - 100, strategy="beta")
    room.says("flatten", strategy="alpha")
    room.run(s=5)
    assert 0 == room.position(of="alpha")
