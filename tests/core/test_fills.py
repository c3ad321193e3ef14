"""Executions: booked once each by the venue's id, whatever way and in whatever order they come."""

import pytest
from msgspec import structs

from holdfast.vocab.events import OrderReported, TradeReported
from holdfast.vocab.facts import BreakKind, FillBooked
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.refusals import NotReducing
from holdfast.vocab.reports import FillCause, VenueStatus
from holdfast.vocab.requests import PlaceOrder, QueryTrades
from tests.house.events import a_trade_report, an_order_report
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, WALL_NS

S = OrderState


def a_fill(trade, report=None):
    return TradeReported(wall_ns=0, mono_ns=0, trade=trade, report=report)


def test_a_fill_moves_position_wallet_and_order():
    room = a_running_core()
    order = room.buys(10, at=597_000)
    room.venue.fills(order, lots=4)
    room.settle()
    assert (S.LIVE, 4, 6) == (order.state, order.filled_lots, order.open_lots())
    assert (4, 4) == (room.position(), room.position(of="alpha"))
    room.venue.fills(order)
    room.settle()
    assert (S.FILLED, 10, 0) == (order.state, room.position(), order.open_lots())
    assert 0 == len(room.books.orders.live)


def test_a_fill_may_overtake_its_own_ack():
    room = a_running_core()
    room.holds_answers()
    order = room.buys(10)
    trade = a_trade_report(order.order_id, qty_lots=4, venue_ns=WALL_NS + 10**10)
    room.hears(a_fill(trade))
    assert (S.LIVE, 4) == (order.state, room.position())


def test_the_same_fill_by_stream_poll_and_stream_again_is_booked_once():
    room = a_running_core()
    order = room.buys(10)
    room.venue.fills(order, lots=4)
    event = room.venue.stream[0]
    room.settle()
    room.hears(event, event)
    room.says("reconcile")
    room.hears(event)
    assert 4 == room.position() == order.filled_lots
    assert 1 == len(room.facts_of(FillBooked))


def test_fills_out_of_order_add_up():
    room = a_running_core()
    order = room.buys(10)
    for lots in (1, 2, 7):
        room.venue.fills(order, lots=lots)
    events = list(room.venue.stream)
    room.venue.stream.clear()
    for event in reversed(events):
        room.hears(event)
    assert (S.FILLED, 10, 10) == (order.state, room.position(), order.filled_lots)


def test_a_fill_that_the_stream_lost_is_fetched():
    """The reply says that it filled; the execution itself never comes."""
    room = a_running_core()
    room.venue.stream_deaf = True
    order = room.takes(Side.BUY, 10)
    assert (S.FILLED, 0, 10) == (order.state, room.position(), order.open_lots())
    room.run(s=1)
    assert (10, 0) == (room.position(), order.open_lots())


def test_what_is_reported_and_not_booked_counts_until_it_is():
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.breaks(QueryTrades)
    order = room.takes(Side.BUY, 10)
    room.run(s=9)
    assert (0, 10) == (room.position(), room.books.orders.open_in(BTC).buy_lots)
    assert order.order_id in room.books.orders.live
    room.venue.mends(QueryTrades)
    room.run(s=6)
    assert (10, 0) == (room.position(), room.books.orders.open_in(BTC).buy_lots)


def test_a_fill_that_the_stream_brings_needs_no_query():
    """The rate budget is for worse days."""
    room = a_running_core()
    before = len(room.venue.asked_for(QueryTrades))
    for _ in range(5):
        room.takes(Side.BUY, 1)
        room.run(ms=600)
    assert 5 == room.position()
    assert before == len(room.venue.asked_for(QueryTrades))


def test_with_the_stream_down_executions_are_fetched_at_once():
    room = a_running_core()
    room.stream_is(up=False)
    room.venue.stream_deaf = True
    room.takes(Side.BUY, 10)
    assert 10 == room.position()


def test_a_partial_fill_that_the_stream_lost_is_fetched_too():
    room = a_running_core()
    order = room.buys(10)
    room.venue.fills(order, lots=4, told=False)
    report = room.venue.report(room.venue.order(order.order_id))
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=report))
    assert 0 == room.position()
    room.run(s=1)
    assert 4 == room.position()


def test_an_overfill_is_applied_and_is_a_break():
    """The venue's word is the truth, and something is very wrong."""
    room = a_running_core()
    order = room.buys(10)
    room.venue.fills(order)
    room.settle()
    extra = a_trade_report(order.order_id, trade_id="x", qty_lots=1, venue_ns=WALL_NS + 10**10)
    room.hears(a_fill(extra))
    assert 11 == room.position() == order.filled_lots
    assert [BreakKind.OVERFILL] == [found.kind for found in room.books.breaks.values()]
    assert HoldLevel.HALTED == room.level()
    hold = room.hold(HoldCause.RECONCILE_BREAK)
    assert not room.says("resume", hold_id=hold.hold_id).accepted
    assert room.says("adopt", instrument=str(order.order_id), reason="seen and understood").accepted
    assert room.says("resume", hold_id=hold.hold_id).accepted


# --- what is not ours -----------------------------------------------------------------------------------------------


def test_a_fill_that_no_order_explains_counts_and_stops_new_risk_there():
    room = a_running_core()
    room.venue.trades_itself(Side.BUY, 5, price=BTC_TICKS, cause=FillCause.ORDER)
    room.settle()
    assert 5 == room.position()
    assert ["quarantine"] == room.causes()
    assert HoldLevel.REDUCE_ONLY == room.level() == room.level("beta")
    assert HoldLevel.NONE == room.level(instrument=ETH)
    assert isinstance(room.buys(1), NotReducing)


@pytest.mark.parametrize("changes", [{"instrument": ETH}, {"side": Side.SELL}])
def test_a_fill_with_our_id_but_another_instrument_or_side_is_not_ours(changes):
    """A crossed wire must not be booked to the wrong order."""
    room = a_running_core()
    order = room.buys(10)
    trade = a_trade_report(order.order_id, venue_ns=WALL_NS + 10**10, **changes)
    room.hears(a_fill(trade))
    assert (S.LIVE, 0) == (order.state, order.filled_lots)
    assert "quarantine" in room.causes()


def test_a_quarantined_fill_is_released_by_a_named_person_and_only_then_the_hold():
    room = a_running_core()
    trade = room.venue.trades_itself(Side.BUY, 5, price=BTC_TICKS, cause=FillCause.ORDER)
    room.settle()
    hold = room.hold(HoldCause.QUARANTINE, instrument=BTC)
    assert "unresolved" in room.says("resume", hold_id=hold.hold_id).text
    assert not room.says("quarantine_release", trade_id="nope").accepted
    key = f"{BTC}/{trade.trade_id}"
    assert not room.says("quarantine_release", trade_id=key, reason="").accepted
    assert room.says("quarantine_release", trade_id=key, reason="my own click").accepted
    assert room.says("resume", hold_id=hold.hold_id).accepted
    assert ([], 5) == (room.causes(), room.position())


def test_fills_from_before_the_books_were_opened_are_not_ours():
    room = a_running_core()
    room.hears(a_fill(a_trade_report(None, venue_ns=WALL_NS - 1)))
    assert (0, []) == (room.position(), room.causes())


def test_a_fill_of_our_own_order_is_booked_whatever_its_stamp_says():
    room = a_running_core()
    order = room.buys(10)
    room.hears(a_fill(a_trade_report(order.order_id, venue_ns=WALL_NS - 10**9)))
    assert 10 == room.position()


def test_a_fill_in_something_else_is_told_and_not_booked():
    room = a_running_core()
    room.hears(a_fill(a_trade_report(None, instrument="DOGEUSDT")))
    assert room.alerted("fill.unlisted")
    assert [] == room.facts_of(FillBooked)


@pytest.mark.parametrize("cause", [FillCause.LIQUIDATION, FillCause.ADL, FillCause.SETTLEMENT])
def test_the_venues_own_trade_is_booked_and_stops_everything(cause):
    room = a_running_core()
    room.targets(10)
    room.venue.trades_itself(Side.SELL, 4, price=BTC_TICKS, cause=cause)
    room.settle()
    assert (6, 6) == (room.position(), room.position(of="alpha"))
    assert ["liquidation"] == room.causes()
    assert HoldLevel.HALTED == room.level()


def test_a_foreign_order_counts_and_stops_new_risk_there():
    room = a_running_core()
    room.venue.gets_a_foreign_order(Side.BUY, 50, price=590_000)
    room.settle()
    assert 50 == room.books.orders.open_in(BTC).buy_lots
    assert 0 == room.books.orders.open_of("alpha", BTC).buy_lots
    assert ["quarantine"] == room.causes()
    assert [50] == [order.qty for order in room.venue.open_orders()]  # never cancelled by itself


def test_a_foreign_order_found_by_the_poll_counts_too_and_is_forgotten_when_it_is_gone():
    room = a_running_core()
    order = room.venue.gets_a_foreign_order(Side.SELL, 50, price=610_000, told=False)
    room.run(s=5)
    assert 50 == room.books.orders.open_in(BTC).sell_lots
    order.filled = 20
    room.run(s=5)
    assert 30 == room.books.orders.open_in(BTC).sell_lots
    room.venue.cancels(order, told=False)
    room.run(s=5)
    assert 30 == room.books.orders.open_in(BTC).sell_lots  # one list alone may be an old one
    room.run(s=5)
    assert 0 == room.books.orders.open_in(BTC).sell_lots
    hold = room.hold(HoldCause.QUARANTINE, instrument=BTC)
    assert room.says("resume", hold_id=hold.hold_id).accepted


def test_foreign_orders_under_one_id_count_each_and_each_is_forgotten():
    """One that took the other's place would take its lots out of exposure."""
    room = a_running_core()
    here = room.venue.gets_a_foreign_order(Side.BUY, 100, price=590_000, told=False)
    there = room.venue.gets_a_foreign_order(Side.BUY, 400, price=249_000, instrument=ETH, told=False)
    stop = room.venue.gets_a_foreign_order(Side.SELL, 40, price=590_000, told=False)
    stop.terms = structs.replace(stop.terms, trigger_ticks=590_000)
    here.venue_order_id = there.venue_order_id = stop.venue_order_id = "7"
    room.run(s=30)

    def counted():
        return [
            (room.books.orders.open_in(name).buy_lots, room.books.orders.open_in(name).sell_lots)
            for name in (BTC, ETH)
        ]

    assert [(100, 40), (400, 0)] == counted()
    room.venue.cancels(here, told=False)
    room.run(s=30)
    assert [(0, 40), (400, 0)] == counted()
    hold = room.hold(HoldCause.QUARANTINE, instrument=ETH)
    assert not room.says("resume", hold_id=hold.hold_id).accepted
    room.venue.cancels(there, told=False)
    room.venue.cancels(stop, told=False)
    room.run(s=30)
    assert [(0, 0), (0, 0)] == counted()
    assert room.says("resume", hold_id=hold.hold_id).accepted


def test_while_a_foreign_order_stands_the_hold_stands():
    room = a_running_core()
    room.venue.gets_a_foreign_order(price=590_000)
    room.settle()
    hold = room.hold(HoldCause.QUARANTINE, instrument=BTC)
    assert not room.says("resume", hold_id=hold.hold_id).accepted


def test_the_end_of_an_unknown_foreign_order_is_nobodys_business():
    room = a_running_core()
    report = an_order_report(None, status=VenueStatus.CANCELLED)
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=report))
    assert [] == room.causes()


def test_a_foreign_order_in_something_else_is_told():
    room = a_running_core()
    report = an_order_report(None, instrument="DOGEUSDT")
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=report))
    assert room.alerted("order.foreign_unlisted")
    assert [] == room.causes()


def test_an_order_with_our_id_that_our_books_do_not_have_is_foreign():
    room = a_running_core()
    report = structs.replace(an_order_report(4711), qty_lots=9)
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=report))
    assert 9 == room.books.orders.open_in(BTC).buy_lots
    assert ["quarantine"] == room.causes()


def test_a_list_of_executions_that_was_cut_is_read_on():
    """A page's limit must not swallow what comes after it."""
    room = a_running_core()
    order = room.buys(10)
    room.venue.page_max = 3
    for lots in (1, 1, 1, 1, 1, 1, 1):
        room.run(ms=1)
        room.venue.fills(order, lots=lots, told=False)
    room.venue.now_wall_ns = room.wall_ns
    room.says("reconcile")
    room.run(s=1)
    assert 7 == room.position()


def test_a_cut_list_that_leads_no_further_is_told():
    room = a_running_core()
    order = room.buys(10)
    room.venue.page_max = 2
    for _ in range(4):
        room.venue.fills(order, lots=1, told=False)
    room.says("reconcile")
    assert room.alerted("venue.list_cut")


# --- lists that name orders by the venue's own ids --------------------------------------------------------------------


def test_an_execution_of_an_order_in_doubt_waits_for_its_name_and_is_not_quarantined():
    """The list says "of order v1"; that v1 is ours we only hear from the answer that was lost."""
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.will_lose_the_answer_to(PlaceOrder)
    order = room.takes(Side.BUY, 10)
    room.says("reconcile")
    assert (S.UNKNOWN, 0, []) == (order.state, room.position(), room.causes())
    room.run(s=2)
    assert (S.FILLED, 10, 10) == (order.state, room.position(of="alpha"), order.filled_lots)
    assert [] == room.causes()


def test_an_execution_that_is_nobodys_is_quarantined_once_no_order_of_ours_lacks_a_name():
    room = a_running_core()
    room.venue.will_lose(PlaceOrder)
    order = room.buys(10)
    room.venue.trades_itself(Side.BUY, 3, price=BTC_TICKS, cause=FillCause.ORDER, told=False)
    room.says("reconcile")
    assert 0 == room.position()
    room.run(s=15)
    assert (S.UNSENT, 3, ["quarantine"]) == (order.state, room.position(), room.causes())


def test_an_execution_on_the_other_side_waits_for_nothing():
    room = a_running_core()
    room.venue.will_lose(PlaceOrder)
    room.buys(10)
    room.venue.trades_itself(Side.SELL, 3, price=BTC_TICKS, cause=FillCause.ORDER, told=False)
    room.says("reconcile")
    assert (-3, ["quarantine"]) == (room.position(), room.causes())
