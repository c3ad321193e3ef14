"""What storms against the simulated exchange brought to light (tests/simulate), each in its smallest form."""

from msgspec import structs

from holdfast.core.fit import elsewhere, misfits
from holdfast.core.ledger import ledger as ledgers
from holdfast.vocab.events import OrderReported, TradeReported
from holdfast.vocab.facts import BreakFound
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.outcome import Fatal
from holdfast.vocab.reports import FillCause, VenueStatus
from holdfast.vocab.requests import (
    CancelOrder,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTrades,
)
from tests.house.records import folded
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, a_spec, settings, timings
from tests.house.venue import NaiveVenue

BUY, SELL = Side.BUY, Side.SELL
S = OrderState
NS_PER_MS = 1_000_000


# --- reduce-only ----------------------------------------------------------------------------------------------------


def test_where_only_reducing_is_allowed_the_venue_is_told_so_too():
    """Our position may be behind the venue's: then a plain order that reduces ours could open another there."""
    room = a_running_core()
    room.targets(10)
    assert not room.sells(2).terms.reduce_only
    room.says("ban", instrument=BTC)
    order = room.sells(5)
    assert order.terms.reduce_only
    room.venue.trades_itself(SELL, 10, price=BTC_TICKS, told=False)
    room.venue.fills(order)
    assert 0 == room.venue.position()


def test_a_ban_cancels_what_would_increase_once_the_others_have_filled():
    """Each of two sells closes a long of ten; both together would open a short."""
    room = a_running_core()
    room.targets(10)
    first, second = room.sells(8), room.sells(7)
    room.says("ban", instrument=BTC)
    assert (S.LIVE, S.CANCELLED) == (first.state, second.state)


# --- conditional orders ---------------------------------------------------------------------------------------------


def a_triggered_stop(room):
    """A stop that becomes a market order under another id, of which the stream tells nothing."""
    room.targets(10)
    stop = room.wants_protection(4)
    resting = room.venue.order(stop.order_id)
    room.venue.stream_deaf = True
    room.venue.becomes_plain(resting)
    room.venue.fills(resting, price=BTC_TICKS)
    return stop


def test_the_fill_of_a_triggered_stop_is_found_although_it_goes_by_another_name():
    """The list of executions names the order that it became, not the one that we placed."""
    room = a_running_core(venue=NaiveVenue())
    stop = a_triggered_stop(room)
    room.venue.breaks(QueryOpenOrders)  # the position is looked at before the orders are
    room.run(s=12)
    room.venue.mends(QueryOpenOrders)
    room.run(s=6)
    assert (S.FILLED, 4, 6) == (stop.state, stop.filled_lots, room.position(of="alpha"))
    assert ([], {}) == (room.causes(), room.books.breaks)


def test_an_older_word_does_not_take_the_name_of_a_triggered_stop_back():
    room = a_running_core()
    stop = a_triggered_stop(room)
    before = structs.replace(room.venue.report(room.venue.order(stop.order_id)), conditional=True)
    room.run(s=6)
    name = stop.venue_order_id
    assert name != "algo-1"
    room.hears(
        OrderReported(
            wall_ns=0,
            mono_ns=0,
            report=structs.replace(
                before, status=VenueStatus.REJECTED, filled_lots=0, venue_order_id="algo-1"
            ),
        )
    )
    assert name == stop.venue_order_id


def test_a_foreign_fill_does_not_hide_behind_a_resting_stop():
    """A stop that was asked after, and still waits, explains nothing."""
    room = a_running_core()
    room.targets(10)
    room.wants_protection(4)
    room.venue.trades_itself(SELL, 2, price=BTC_TICKS, told=False, cause=FillCause.ORDER)
    room.run(s=15)
    assert ["quarantine"] == room.causes()
    assert 8 == room.position() == room.venue.position()


# --- names ----------------------------------------------------------------------------------------------------------


def test_what_was_shown_before_does_not_rise_by_a_word_that_its_end_overtook():
    room = a_running_core()
    order = room.buys(10)
    old = room.venue.report(room.venue.order(order.order_id))
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=structs.replace(old, status=VenueStatus.REJECTED)))
    room.venue.order(order.order_id).status = VenueStatus.REJECTED
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=old))
    room.run(s=15)
    assert ([], S.REJECTED) == (room.causes(), order.state)


def test_an_order_that_was_refused_and_yet_is_there_is_known_by_its_name_from_then_on():
    """Else its fill, when a list tells it, would belong to nobody."""
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.will_answer(PlaceOrder, Fatal(why="margin is insufficient", code="-2019"))
    order = room.buys(10)
    assert S.REJECTED is order.state
    room.venue._place(PlaceOrder(order_id=order.order_id, terms=order.terms))
    resting = room.venue.order(order.order_id)
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=room.venue.report(resting)))
    room.venue.fills(resting, told=False)
    room.run(s=15)
    assert {"reconcile_break"} == {*room.causes()}
    assert (10, {}) == (room.position(of="alpha"), room.books.ledger.quarantined)


# --- hammering ------------------------------------------------------------------------------------------------------


def test_a_strategy_that_cancels_at_every_quote_sends_no_cancel_at_every_quote():
    """A venue that bans for too many requests must not be needed the moment after."""
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.will_lose(PlaceOrder)
    order = room.buys(10)
    before = len(room.venue.asked_for(CancelOrder))
    for _ in range(100):
        room.cancels(order)
        room.run(ms=10)
    assert len(room.venue.asked_for(CancelOrder)) - before <= 2


def test_a_list_of_executions_that_fails_is_asked_for_less_and_less():
    room = a_running_core()
    orders = [room.buys(5), room.buys(6), room.buys(7), room.buys(8)]
    room.venue.stream_deaf = True
    for order in orders:
        room.venue.fills(order)
    room.venue.breaks(QueryTrades)
    room.run(s=10)
    before = len(room.venue.asked_for(QueryTrades))
    room.run(s=30)
    assert 5 <= len(room.venue.asked_for(QueryTrades)) - before <= 12
    room.venue.mends(QueryTrades)
    room.run(s=10)
    assert 26 == room.position() == room.venue.position()


def test_the_income_list_is_not_read_from_the_last_payment_on_for_ever():
    """Eight hours of our own commissions in every answer would use up the venue's patience."""
    room = a_running_core()
    room.run(s=300)
    venue_ns = room.venue.venue_ns
    assert venue_ns - 80 * 10**9 <= room.venue.asked_for(QueryCash)[-1].since_venue_ns


# --- differences ----------------------------------------------------------------------------------------------------


class BusyVenue(NaiveVenue):
    """Fills one order at the very moment it tells of positions, and tells of the fill a little later."""

    def __init__(self, specs=None):
        super().__init__(specs)
        self.to_fill = []
        self.untold = []

    def answer(self, request):
        if isinstance(request, QueryPositions) and self.to_fill:
            self.untold.append(self.fills(self.to_fill.pop(0), told=False))
        return super().answer(request)


def test_two_answers_that_each_fell_between_a_fill_and_its_word_are_no_break():
    """A busy book: at both looks a fill of the same size was on its way."""
    venue = BusyVenue()
    room = a_running_core(venue=venue)
    venue.breaks(QueryTrades)  # the list is no help in that moment
    venue.to_fill = [room.buys(4).order_id, room.buys(4, at=597_100).order_id]
    for _ in range(600):
        room.run(ms=20)
        for trade in [*venue.untold]:
            room.hears(TradeReported(wall_ns=0, mono_ns=0, trade=trade))
        venue.untold.clear()
        if not venue.to_fill:
            venue._sticky.clear()
    assert ([], []) == (room.causes(), room.facts_of(BreakFound))
    assert 8 == room.position() == venue.position()


def test_a_hole_older_than_the_usual_overlap_is_found_too():
    """The lists failed for minutes while the stream went on, with one fill missing."""
    room = a_running_core(timings=timings(position_age_ms_reduce=900_000, position_age_ms_halt=1_800_000))
    lost = room.buys(7)
    lists = (QueryTrades, QueryPositions, QueryBalances, QueryOrder, QueryOpenOrders)
    for kind in lists:
        room.venue.breaks(kind)
    room.venue.fills(lost, told=False)
    room.run(s=200)
    room.takes(BUY, 9)
    assert (9, 16) == (room.position(), room.venue.position())
    for kind in lists:
        room.venue.mends(kind)
    room.run(s=40)
    assert ({}, room.venue.position()) == (room.books.breaks, room.position())


def test_what_was_forgotten_is_not_asked_for_again(monkeypatch):
    """An execution whose id is no longer kept would be booked twice."""
    monkeypatch.setattr(ledgers, "TRADE_IDS_KEPT_MAX", 100)
    room = a_running_core()
    for n in range(130):
        room.takes(SELL if n % 2 else BUY, 5)
        room.run(ms=100)
    kept = room.books.ledger.trade_ids[BTC]
    assert 100 == len(kept)
    assert room.books.ledger.remembered_since_venue_ns(BTC) > room.books.ledger.books_since_venue_ns


# --- starts ---------------------------------------------------------------------------------------------------------


def test_a_start_asks_after_what_was_in_flight_although_the_list_of_open_orders_fails():
    room = a_running_core(latency_ms=50)
    order = room.buys(10)
    room.venue.breaks(QueryOpenOrders)
    room.restarts()
    assert S.SENT is room.order(order.order_id).state
    room.run(s=3)
    assert S.LIVE is room.order(order.order_id).state


def test_nobody_is_armed_or_resumed_while_the_venue_is_silent_about_our_account():
    room = a_running_core()
    room.venue.breaks(QueryPositions)
    room.run(s=75)
    hold = room.hold("position_unknown")
    answer = room.says("resume", hold_id=hold.hold_id)
    assert not answer.accepted
    assert "has not told our positions" in answer.text
    room.venue.mends(QueryPositions)
    room.run(s=15)
    assert room.says("resume", hold_id=hold.hold_id).accepted


def test_a_clock_that_was_moved_and_stays_is_how_the_clocks_stand():
    """Only a restart would have ended a hold that nobody may release."""
    room = a_running_core()
    room.venue.offset_ns = 12_000 * NS_PER_MS
    room.run(s=31)
    assert ["clock"] == room.causes()
    room.run(s=40)
    assert [] == room.causes()


def test_a_clock_that_wanders_is_held_while_it_does():
    room = a_running_core()
    for n in range(1, 5):
        room.venue.offset_ns = n * 3_000 * NS_PER_MS
        room.run(s=30)
    assert ["clock"] == room.causes()


# --- another configuration ------------------------------------------------------------------------------------------


def only_btc(**changes):
    full = settings()
    return structs.replace(
        full,
        instruments=full.instruments[:1],
        instrument_limits=full.instrument_limits[:1],
        strategy_limits=tuple(one for one in full.strategy_limits if one.instrument == BTC),
        strategies=tuple(structs.replace(one, instruments=(BTC,)) for one in full.strategies),
        **changes,
    )


def test_books_that_hold_what_is_not_configured_any_more_do_not_fit():
    room = a_running_core()
    assert () == misfits(room.books, only_btc())
    room.buys(100, instrument=ETH)
    assert ["open orders in ETHUSDT" in line for line in misfits(room.books, only_btc())] == [True]
    room.takes(BUY, 50, instrument=ETH)
    assert "50 lots in ETHUSDT, which is not configured" in misfits(room.books, only_btc())[0]
    assert () == misfits(room.books, settings())


def test_a_grid_is_the_same_where_the_venue_writes_a_zero_less():
    room = a_running_core()
    room.buys(5)
    room.settle()
    room.books.ledger.grids[BTC] = room.books.ledger.grids[BTC].replace("tick 0.1,", "tick 0.10,")
    assert "tick 0.10," in room.books.ledger.grids[BTC]
    assert () == misfits(room.books, settings())
    room.books.ledger.grids[BTC] = room.books.ledger.grids[BTC].replace("tick 0.10,", "tick 0.2,")
    assert "at tick 0.2" in misfits(room.books, settings())[0]


def test_books_in_another_tick_or_lot_do_not_fit_even_where_their_product_is_the_same():
    room = a_running_core()
    finer = structs.replace(settings(), instruments=(a_spec(BTC, tick="0.01", lot="0.01"), a_spec(ETH)))
    assert () == misfits(room.books, finer)
    room.targets(10)
    assert "tick 0.1, lot 0.001" in misfits(room.books, finer)[0]


def test_books_of_another_account_or_asset_do_not_fit():
    room = a_running_core()
    assert "account 'paper-1'" in misfits(room.books, settings(account="other"))[0]
    assert "kept in USDT" in misfits(room.books, settings(settle_asset="USDC"))[0]


def test_a_position_in_what_no_desk_trades_keeps_a_start_from_being_armed_and_flat_from_being_said():
    """An adapter may know more instruments than are configured: what it tells of them is not nothing."""
    room = a_running_core()
    room.takes(BUY, 50, instrument=ETH)
    room.config = only_btc()
    room.restarts()
    room.run(s=15)
    assert HoldLevel.HALTED == room.level()
    assert "unlisted_position/ETHUSDT" in room.books.breaks
    assert not room.says("arm").accepted
    room.says("flatten")
    room.run(s=15)
    assert [] == room.flat_claims


def test_an_execution_waits_for_the_name_of_the_order_it_may_be_of_whatever_waited_before_it():
    """It came in the answer to a question about an older one: its order was sent after that, and has no name yet."""
    room = a_running_core(venue=NaiveVenue())
    room.venue.will_lose_the_answer_to(PlaceOrder, times=2)
    room.venue.breaks(QueryOrder)
    room.venue.stream_deaf = True
    first = room.buys(10, at=BTC_TICKS - 10)
    room.run(ms=20)
    room.venue.fills(room.venue.order(first.order_id), lots=10)
    room.says("reconcile")
    room.run(ms=100)
    second = room.buys(7, at=BTC_TICKS - 10)
    room.run(ms=20)
    room.venue.fills(room.venue.order(second.order_id), lots=7)
    room.says("reconcile")
    room.run(ms=100)
    assert [] == list(room.books.ledger.quarantined)
    room.venue.mends(QueryOrder)
    room.run(s=15)
    assert (S.FILLED, S.FILLED, 17) == (first.state, second.state, room.position(of="alpha"))


def test_what_a_start_finds_held_counts_in_the_gross_notional_before_it_can_be_armed():
    """It was counted while no price was known: until the next mark of equity it filled no part of the limit."""
    room = a_running_core()
    room.takes(1, 10)
    before = room.state.live.account.gross_e8
    room.quoting = False
    room.holds_answers()
    room.restarts()
    room.quotes()
    room.answers_now()
    room.run(ms=20)
    assert room.state.live.ready
    assert before > 0
    assert before == room.state.live.account.gross_e8


def test_books_of_another_environment_or_account_do_not_fit():
    """A practice system's positions are not the real one's, whatever the account is called."""
    room = a_running_core(environment="binanceusdm testnet")
    assert (
        "binanceusdm testnet, the configuration is of binanceusdm live"
        in misfits(room.books, settings(environment="binanceusdm live"))[0]
    )
    assert () == misfits(room.books, settings(environment="binanceusdm testnet"))
    old = a_running_core()  # from before it was written down: the next start names it
    assert () == misfits(old.books, settings(environment="binanceusdm live"))
    room.books.account_number = "7"
    assert "account 7, the key opens 8" in elsewhere(room.books, environment="", account_number="8")
    assert "" == elsewhere(room.books, environment="", account_number="7")
    assert "" == elsewhere(room.books, environment="", account_number=""), "a venue that tells none"


def test_what_the_books_are_of_is_written_down_by_the_first_start_that_knows_it():
    room = a_running_core()
    room.config = settings(arm_auto=True, environment="sim simulated")
    room.restarts()
    room.config = settings(arm_auto=True)
    room.restarts(snapshot=True)
    assert "sim simulated" == room.books.environment
    assert room.state.books_hash() == type(room.state)(folded(room.records)).books_hash()
