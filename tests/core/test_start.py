"""The start: HALTED, ask the venue for its truth, become ready, arm; and only then trade."""

from fractions import Fraction

import pytest
from msgspec import structs

from holdfast.core.state import State
from holdfast.core.step import step
from holdfast.vocab.events import LatchSeen, TimerFired, TimerKind
from holdfast.vocab.facts import BooksOpened, CashBooked, CashKind, EpochBegan, HoldPlaced
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.ids import epoch_of
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.outcome import Ok, Transient, Unknown
from holdfast.vocab.refusals import Held
from holdfast.vocab.reports import BalanceReport, Balances
from holdfast.vocab.requests import (
    MeasureClock,
    QueryBalances,
    QueryOpenOrders,
    QueryPositions,
    QueryTrades,
    SetLeverage,
)
from tests.house.events import a_quote, a_start, an_intent
from tests.house.room import Room, a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, OPENING_E8, WALL_NS, a_spec, settings
from tests.house.venue import NaiveVenue


def a_room(**changes):
    config = settings(**changes)
    return Room(config=config, venue=NaiveVenue(config.instruments))


def test_a_start_places_the_startup_hold_before_anything_else_happens():
    room = a_room(arm_auto=False)
    room.starts()
    facts = [type(fact) for _, facts in room.records[:1] for fact in facts]
    assert [EpochBegan, HoldPlaced] == facts
    assert ["startup"] == room.causes()
    assert isinstance(room.buys(1), Held)


def test_nothing_but_a_start_comes_first():
    with pytest.raises(InvariantBroken, match="start"):
        step(State(), an_intent())
    assert [] == list(step(State(), a_quote()))


def test_the_start_asks_for_everything_that_is_ours_and_then_is_ready():
    room = a_room(arm_auto=False)
    room.starts()
    asked = {type(request) for request in room.venue.asked}
    assert {
        MeasureClock,
        QueryBalances,
        QueryPositions,
        QueryOpenOrders,
        QueryTrades,
        SetLeverage,
    } <= asked
    assert {BTC, ETH} == {request.instrument for request in room.venue.asked_for(SetLeverage)}
    assert room.state.session.ready
    assert ["startup"] == room.causes()


def test_the_first_start_of_all_opens_the_books_at_the_venues_time():
    room = a_room()
    room.venue.offset_ns = -77
    room.starts()
    assert [BooksOpened(venue_ns=WALL_NS - 77)] == room.facts_of(BooksOpened)
    opening = [fact for fact in room.facts_of(CashBooked) if fact.kind is CashKind.OPENING]
    assert [("USDT", OPENING_E8)] == [(fact.asset, fact.amount_e8) for fact in opening]
    room.restarts()
    assert 1 == len(room.facts_of(BooksOpened))
    assert 1 == len([fact for fact in room.facts_of(CashBooked) if fact.kind is CashKind.OPENING])


def test_with_arm_auto_it_arms_itself_and_clears_the_latch_it_was_born_with():
    room = a_running_core()
    assert [] == room.causes()
    assert not room.latch_tripped


def test_without_it_a_person_arms():
    room = a_running_core(armed=False)
    assert room.latch_tripped
    assert "armed" == room.says("arm").text
    assert [] == room.causes()
    assert not room.latch_tripped
    assert "armed already" == room.says("arm").text


@pytest.mark.parametrize(
    "kind", [MeasureClock, QueryBalances, QueryPositions, QueryOpenOrders, QueryTrades, SetLeverage]
)
def test_it_is_not_ready_while_one_answer_is_missing_and_asks_again(kind):
    """The gate stays shut throughout."""
    room = a_room()
    room.venue.breaks(kind)
    room.starts()
    room.run(s=12)
    assert "startup" in room.causes()
    assert "still waiting" in room.says("arm").text

    room.venue.mends(kind)
    room.run(s=12)

    assert room.state.session.ready
    assert "startup" not in room.causes()


def test_answers_that_come_before_the_clocks_do_no_harm():
    """The clock endpoint fails at first, while every timer of the start is already running."""
    room = a_room()
    room.venue.will_answer(MeasureClock, Transient(why="busy"), times=5)
    room.starts()
    room.says("reconcile")
    room.run(s=14)
    assert {MeasureClock} == {type(request) for request in room.venue.asked}
    room.run(s=25)
    assert room.state.session.ready
    assert [] == room.causes()
    order = [type(fact) for fact in room.facts if isinstance(fact, BooksOpened | CashBooked)]
    assert [BooksOpened, CashBooked] == order


def test_a_key_to_somebody_elses_account_is_found_out_before_anything_is_booked():
    """The configuration pins the account's number: another environment's key must not be armed."""
    room = a_room(account_uid="u-1")
    room.venue.uid = "u-2"
    room.starts()
    room.run(s=12)
    assert {"startup", "venue_auth"} == set(room.causes())
    assert [] == room.facts_of(CashBooked)
    room = a_room(account_uid="u-1")
    room.venue.uid = "u-1"
    room.starts()
    assert [] == room.causes()


def test_it_does_not_arm_itself_while_the_user_stream_is_down():
    room = a_room()
    room.starts(stream=False)
    room.run(s=1)
    assert "startup" in room.causes()
    assert "stream" in room.says("arm").text
    room.stream_is(up=True)
    assert "startup" not in room.causes()


def test_a_position_found_at_the_first_start_is_not_adopted_silently():
    room = a_room()
    room.venue.trades_itself(Side.BUY, 7, price=600_000, told=False)
    room.venue.trades.clear()  # long before
    room.starts()
    room.run(s=2)
    assert ["startup", "reconcile_break"] == room.causes()
    assert f"position/{BTC}" in room.says("arm").text
    assert 0 == room.position()


def test_an_epoch_is_never_used_twice_even_if_the_state_directory_is_lost():
    room = a_running_core()
    first = room.buys(1)
    room.restarts()
    room.run(s=2)  # the order that rests has a price first
    second = room.buys(1)
    assert (1, 2) == (epoch_of(first.order_id), epoch_of(second.order_id))
    state = State()
    step(state, a_start(epoch_floor=41))
    assert 41 == state.books.orders.epoch


def test_a_fill_that_was_missed_while_we_were_dead_is_booked_before_arming():
    room = a_running_core()
    order = room.buys(10)
    room.venue.fills(order, lots=4, told=False)
    before = len(room.venue.asked_for(QueryPositions)), len(room.venue.asked_for(QueryBalances))
    room.restarts()
    # the answers from before the fill was booked prove nothing: it is not ready by them
    assert (4, False) == (room.position(), room.state.session.ready)
    room.run(s=2)
    assert 4 == room.order(order.order_id).filled_lots
    assert [] == room.causes()
    after = len(room.venue.asked_for(QueryPositions)), len(room.venue.asked_for(QueryBalances))
    assert (before[0] + 2, before[1] + 2) == after


def test_an_order_in_flight_at_the_crash_is_found_again():
    """No order lost, none doubled."""
    room = a_running_core(latency_ms=5)
    order = room.buys(10)
    assert OrderState.SENT is order.state
    room.restarts()
    assert OrderState.SENT is room.order(order.order_id).state
    room.run(s=5)
    assert OrderState.LIVE is room.order(order.order_id).state
    assert 1 == len(room.venue.open_orders())
    assert [] == room.causes()


@pytest.mark.parametrize("reboot", [False, True])
def test_an_order_that_never_left_is_proven_absent_before_arming(reboot):
    room = a_running_core()
    room.holds_answers()
    order = room.buys(10)
    room.held_calls = None  # it dies with the process
    room.restarts(reboot=reboot)
    assert "startup" in room.causes()
    assert "unknown_orders" in room.says("arm").text
    room.run(s=6)
    assert OrderState.UNSENT is room.order(order.order_id).state
    assert [] == room.causes()


def test_after_a_reboot_the_venues_lists_are_believed_again():
    """The monotonic clock began anew: stamps of the last boot lie in what is now the future."""
    room = a_running_core()
    order = room.buys(10)
    room.venue.fills(order, lots=4)
    room.settle()
    room.restarts(reboot=True)
    room.venue.trades_itself(Side.BUY, 3, price=600_000, told=False)
    room.venue.trades.pop()  # and the list of executions has it not
    room.run(s=15)
    assert "reconcile_break" in room.causes()


def test_a_cancel_that_was_under_way_at_the_crash_is_asked_again():
    room = a_running_core()
    order = room.buys(10)
    room.holds_answers()
    room.cancels(order)
    room.held_calls = None
    room.restarts()
    room.run(s=3)
    assert OrderState.CANCELLED is room.order(order.order_id).state
    assert [] == room.venue.open_orders()


def test_an_amend_that_was_under_way_at_the_crash_is_settled_either_way():
    for lost in (True, False):
        room = a_running_core()
        order = room.buys(10)
        if lost:
            room.holds_answers()
            room.amends(order, lots=20)
            room.held_calls = None
        else:
            room.venue.stream_deaf = True
            room.venue.will_lose_the_answer_to(type(room.venue.asked[-1]), times=0)
            room.amends(order, lots=20)
            room.venue.stream_deaf = False
        room.restarts()
        room.run(s=8)
        row = room.order(order.order_id)
        assert 0 == row.amend_qty_lots
        assert (10 if lost else 20) == row.qty_lots == room.venue.order(order.order_id).qty


def test_an_answer_to_a_question_of_an_earlier_life_is_ignored():
    room = a_running_core(latency_ms=50)
    room.says("reconcile")
    before = room.state
    room.restarts()
    assert before is not room.state
    room.run(s=2)
    assert [] == room.causes()


def test_a_pair_without_limits_has_no_desk():
    """A missing limit never permits."""
    room = a_room(strategy_limits=settings().strategy_limits[1:])
    room.starts()
    assert BTC not in room.state.desks["alpha"]
    assert "NotAllowed" == type(room.buys(1)).__name__


def test_a_changed_unit_is_accepted_while_flat_only():
    """Counting old lots in new units would be a silent factor."""
    room = a_running_core()
    smaller = (a_spec(BTC, lot="0.0001", tick_lot_e8=1_000, version=2), a_spec(ETH))
    room.config = structs.replace(room.config, instruments=smaller)
    room.restarts()
    assert 1_000 == room.books.ledger.tick_lot_e8[BTC]


def test_a_latch_that_cannot_be_read_halts_and_keeps_what_is_known():
    room = a_running_core()
    room.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=9, by="ann", reason="halt"))
    room.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=0, by="guard", reason="unreadable"))
    assert ["halt"] == room.causes()
    assert 9 == room.hold(HoldCause.HALT).latch_nonce


def test_a_timer_of_an_earlier_life_does_no_harm():
    room = a_running_core()
    for kind in TimerKind:
        room.tell(TimerFired(wall_ns=0, mono_ns=0, kind=kind, key=12_345))
    room.run(s=1)
    assert [] == room.causes()


def test_an_unlisted_answer_of_the_venue_holds_and_says_so():
    room = a_running_core()
    room.venue.will_answer(QueryBalances, Unknown(why="-9999 what", code="-9999", unlisted=True))
    room.says("reconcile")
    assert ["unknown_error"] == room.causes()


def test_what_was_booked_before_the_opening_balance_is_read_does_not_count_twice():
    """The venue traded by itself while the balance could not be read: fee and result lie in the balance already."""
    room = a_room()
    room.venue.breaks(QueryBalances)
    room.starts()
    room.venue.trades_itself(Side.BUY, 7, price=BTC_TICKS)
    room.venue.trades_itself(Side.SELL, 7, price=BTC_TICKS + 50)
    room.settle()
    assert 2 == room.books.ledger.fills_count
    room.venue.mends(QueryBalances)
    room.run(s=40)
    assert room.state.session.ready
    assert int(room.venue.wallet_e8) == room.books.ledger.wallet_e8["USDT"]
    assert {} == room.books.breaks


def test_an_execution_that_is_told_after_the_opening_balance_it_lies_in_does_not_count_twice():
    room = a_room()
    room.venue.breaks(QueryTrades)
    room.venue.stream_deaf = True
    room.venue.breaks(QueryBalances)
    room.starts()
    room.run(ms=100)
    room.venue.trades_itself(Side.BUY, 7, price=BTC_TICKS)
    room.run(ms=100)
    room.venue.mends(QueryBalances)
    room.run(s=12)
    assert ([], "USDT" in room.books.ledger.opening_e8) == ([*room.books.ledger.trade_ids], True)
    room.venue.mends(QueryTrades)
    room.run(s=30)
    ledger = room.books.ledger
    assert (1, OPENING_E8) == (ledger.fills_count, ledger.opening_e8["USDT"])
    assert int(room.venue.wallet_e8) == ledger.wallet_e8["USDT"]
    assert {} == room.books.breaks


def test_an_opening_balance_that_no_later_word_agrees_with_is_taken_again():
    """A balance that was zero for a moment opens the books with nothing: no lasting break comes of it."""
    room = a_room()
    zero = Balances(balances=(BalanceReport(asset="USDT", wallet_e8=0),))
    room.venue.will_answer(QueryBalances, Ok(value=zero), times=3)
    room.starts()
    room.run(s=40)
    assert {"USDT": OPENING_E8} == room.books.ledger.opening_e8 == room.books.ledger.wallet_e8
    assert ({}, []) == (room.books.breaks, room.causes())


def test_a_zero_does_not_take_the_place_of_an_opening_balance():
    room = a_room()
    room.starts()
    zero = Balances(balances=(BalanceReport(asset="USDT", wallet_e8=0),))
    room.venue.breaks(QueryBalances, Ok(value=zero))
    room.run(s=60)
    assert ["balance/USDT"] == [*room.books.breaks]
    room.venue.mends(QueryBalances)
    room.run(s=30)
    assert ({}, OPENING_E8) == (room.books.breaks, room.books.ledger.wallet_e8["USDT"])


def test_once_a_word_agreed_a_difference_is_a_break():
    room = a_room()
    room.starts()
    room.run(s=12)
    room.venue.wallet_e8 += 1_000
    room.run(s=60)
    assert ["balance/USDT"] == [*room.books.breaks]


def test_once_a_word_agreed_a_difference_is_a_break_in_every_later_life_too():
    """Nothing was traded yet, and money went while we were away: nobody may call that an opening."""
    room = a_room()
    room.starts()
    room.run(s=12)
    room.venue.wallet_e8 -= 1_000
    room.restarts()
    room.run(s=60)
    assert ["balance/USDT"] == [*room.books.breaks]
    assert not room.alerted("books.opened_again")


@pytest.mark.parametrize("restart", [False, True])
def test_an_account_that_opened_with_nothing_and_was_funded_is_compared_like_any_other(restart):
    room = a_room()
    room.venue.wallet_e8 = Fraction(0)
    room.starts()
    room.run(s=12)
    room.venue.pays("TRANSFER", OPENING_E8)
    room.run(s=12)
    assert OPENING_E8 == room.books.ledger.wallet_e8["USDT"]
    room.venue.wallet_e8 -= 1_000
    if restart:
        room.restarts()
    room.run(s=60)
    assert ["balance/USDT"] == [*room.books.breaks]


def test_a_life_that_traded_before_a_word_agreed_with_the_opening_balance_leaves_the_question_open():
    """A fill came while the balance was on its way. The next life takes the opening again and calls it no break."""
    venue = NaiveVenue(settings().instruments)
    early = Balances(balances=(BalanceReport(asset="USDT", wallet_e8=OPENING_E8 - 1_000),))
    venue.will_answer(QueryBalances, Ok(value=early))
    room = a_running_core(venue=venue)
    room.takes(Side.BUY, 3)
    ledger = room.books.ledger
    assert (1, False) == (ledger.fills_count, ledger.opening_agreed)
    room.restarts()
    room.run(s=60)
    ledger = room.books.ledger
    assert (int(room.venue.wallet_e8), True) == (ledger.wallet_e8["USDT"], ledger.opening_agreed)
    assert {} == room.books.breaks


def test_an_order_sent_behind_the_opening_balance_is_not_in_it_whatever_its_stamp_says():
    """The venue's clock went back by a minute: what was bought since is stamped before the books were opened."""
    room = a_running_core()
    room.run(s=12)
    room.venue.offset_ns -= 60 * 10**9
    room.takes(Side.BUY, 10)
    room.run(s=15)
    ledger = room.books.ledger
    assert ledger.last_fill_venue_ns[BTC] < ledger.opened_venue_ns
    assert (OPENING_E8, int(room.venue.wallet_e8)) == (ledger.opening_e8["USDT"], ledger.wallet_e8["USDT"])
    assert {} == room.books.breaks
