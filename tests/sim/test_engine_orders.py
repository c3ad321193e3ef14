"""Plain orders: types, times in force, filters, refusals, amending, cancelling, reading back."""

import pytest

from holdfast.sim.model import OrderEvent, Refused
from holdfast.sim.rules import SymbolRules
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.units import E8
from tests.sim.engine_house import BUY, MS, NO_DEPTH, SELL, WIDE, S, Venue, X, a_spec, code_of, config


def test_a_limit_order_takes_what_it_crosses_and_rests_the_rest():
    venue = Venue(quote=(1000, 50, 1001, 10))
    order = venue.place(venue.a, BUY, 15, 1001)
    assert ("PARTIALLY_FILLED", 10, True) == (order.status, order.filled_lots, order.resting)
    assert [order] == venue.exchange.open_orders(venue.a, X)


def test_events_tell_an_order_new_before_its_trades():
    venue = Venue(quote=(1000, 50, 1001, 10))
    venue.place(venue.a, BUY, 15, 1001)
    told = [(e.execution, e.order.status, e.order.filled_lots) for e in venue.events(OrderEvent)]
    assert [("NEW", "NEW", 0), ("TRADE", "PARTIALLY_FILLED", 10)] == told


def test_immediate_or_cancel_expires_what_it_does_not_get():
    venue = Venue(quote=(1000, 50, 1001, 10))
    order = venue.place(venue.a, BUY, 15, 1001, tif="IOC")
    assert ("EXPIRED", 10) == (order.status, order.filled_lots)


def test_fill_or_kill_is_refused_whole_and_leaves_no_trace():
    venue = Venue(quote=(1000, 50, 1001, 10))
    assert -5021 == code_of(venue.place, venue.a, BUY, 11, 1001, tif="FOK", client_id="fok")
    assert [] == venue.told
    assert -2013 == code_of(venue.exchange.order, venue.a, X, client_id="fok")
    assert "FILLED" == venue.place(venue.a, BUY, 10, 1001, tif="FOK").status


def test_fill_or_kill_counts_other_accounts_orders_but_not_our_own():
    venue = Venue(quote=(1000, 50, 1001, 10))
    venue.place(venue.b, SELL, 5, 1001)
    assert "FILLED" == venue.place(venue.a, BUY, 15, 1001, tif="FOK").status
    venue.quote(1000, 50, 1001, 11)
    venue.place(venue.a, SELL, 5, 1001)
    assert -5021 == code_of(venue.place, venue.a, BUY, 12, 1001, tif="FOK")


def test_fill_or_kill_does_not_count_what_stands_behind_our_own_order():
    """Self-match prevention would end it there, half filled."""
    venue = Venue(quote=(1000, 50, 1001, 10))
    venue.depth(bids=[(1000, 50)], asks=[(1001, 10), (1003, 100)], snapshot=True)
    venue.place(venue.a, SELL, 5, 1002)
    assert -5021 == code_of(venue.place, venue.a, BUY, 20, 1003, tif="FOK")
    assert "FILLED" == venue.place(venue.a, BUY, 10, 1003, tif="FOK").status


def test_post_only_that_would_take_is_refused_and_not_recorded():
    venue = Venue()
    assert -5022 == code_of(venue.place, venue.a, BUY, 5, 1001, tif="GTX")
    assert {} == venue.a.orders
    assert "NEW" == venue.place(venue.a, BUY, 5, 1000, tif="GTX").status


def test_post_only_sees_other_accounts_orders_too():
    venue = Venue(quote=(1000, 50, 1010, 50))
    venue.place(venue.b, SELL, 5, 1005)
    assert -5022 == code_of(venue.place, venue.a, BUY, 5, 1005, tif="GTX")


def test_a_good_till_date_order_expires_at_its_date():
    venue = Venue()
    due = venue.now_ns + 700 * S
    order = venue.place(venue.a, BUY, 5, 1000, tif="GTD", good_till_ns=due)
    assert due == venue.exchange.next_due_ns()
    venue.wait(699 * S)
    assert "NEW" == order.status
    venue.wait(2 * S)
    assert ("EXPIRED", due) == (order.status, order.updated_ns)
    assert -5040 == code_of(venue.place, venue.a, BUY, 5, 1000, tif="GTD", good_till_ns=venue.now_ns + 60 * S)


SMALL = a_spec(qty_lots_min=2, qty_lots_max=100, market_lots_max=50, notional_e8_min=100 * E8)


@pytest.mark.parametrize(
    ("code", "terms"),
    [
        (-4003, {"qty_lots": 0}),
        (-4003, {"qty_lots": -5}),
        (-4004, {"qty_lots": 1}),
        (-4005, {"qty_lots": 101}),
        (-4005, {"qty_lots": 51, "type": "MARKET", "price_ticks": 0}),
        (-4001, {"price_ticks": -1}),
        (-4013, {"price_ticks": 0}),
        (-4002, {"price_ticks": 1 << 50}),
        (-4164, {"qty_lots": 9}),
        (-1115, {"tif": "GTE"}),
        (-1116, {"type": "ICEBERG"}),
        (-4120, {"type": "STOP_MARKET"}),
        (-4015, {"client_id": "ä"}),
        (-4015, {"client_id": ""}),
        (-4015, {"client_id": "x" * 37}),
        (-4061, {"position_side": "LONG"}),
        (-1121, {"symbol": "NOPE"}),
    ],
)
def test_what_binance_refuses_is_refused_with_its_code(code, terms):
    venue = Venue(specs=[SMALL])
    assert code == code_of(venue.place, venue.a, BUY, 50, 1000, **terms)
    assert ([], {}, {}) == (venue.told, venue.a.orders, venue.a.open_orders)


def test_the_smallest_notional_is_named_and_waived_for_reduce_only():
    venue = Venue(specs=[SMALL])
    with pytest.raises(Refused, match="no smaller than 100 ") as caught:
        venue.place(venue.a, BUY, 9, 1000)
    assert 400 == caught.value.http
    venue.place(venue.a, BUY, 20)
    assert "FILLED" == venue.place(venue.a, SELL, 5, 1000, reduce_only=True).status


def test_a_price_too_far_from_the_mark_is_refused_with_the_bound():
    rules = SymbolRules(price_up_ppm=1_050_000, price_down_ppm=950_000)
    venue = Venue(settings=config(rules_default=rules))
    venue.mark(1000)
    with pytest.raises(Refused, match=r"-4016 Limit price can't be higher than 105\."):
        venue.place(venue.a, BUY, 5, 1051)
    with pytest.raises(Refused, match=r"-4024 Limit price can't be lower than 95\."):
        venue.place(venue.a, SELL, 5, 949)
    assert "NEW" == venue.place(venue.a, BUY, 5, 900).status, "a bid far below is nobody's problem"


def test_a_market_order_is_refused_where_the_counterparty_is_too_far():
    venue = Venue(settings=config(rules_default=SymbolRules(market_take_ppm=50_000)))
    venue.mark(900)
    assert -4131 == code_of(venue.place, venue.a, BUY, 5)


def test_a_market_order_stops_where_its_bound_is():
    venue = Venue(settings=config(rules_default=SymbolRules(market_take_ppm=50_000)))
    venue.mark(1000)
    venue.depth(bids=[(1000, 50)], asks=[(1001, 50), (1049, 10), (1051, 10)], snapshot=True)
    order = venue.place(venue.a, BUY, 100)
    assert ("EXPIRED", 60) == (order.status, order.filled_lots)


def test_nothing_is_sold_before_the_first_quote():
    venue = Venue(quote=None)
    assert -4131 == code_of(venue.place, venue.a, BUY, 5)


def test_a_halted_instrument_takes_no_orders():
    venue = Venue(specs=[a_spec(status=InstrumentStatus.HALTED)])
    assert -1122 == code_of(venue.place, venue.a, BUY, 5, 1000)


def test_an_account_that_may_not_trade_is_told_so():
    venue = Venue()
    venue.a.can_trade = False
    assert -4088 == code_of(venue.place, venue.a, BUY, 5, 1000)


def test_open_orders_per_symbol_are_limited():
    venue = Venue(settings=config(rules_default=SymbolRules(max_orders=3)), specs=[a_spec(), a_spec("YUSDT")])
    venue.quote(1000, 5, 1001, 5, symbol="YUSDT")
    for _ in range(3):
        venue.place(venue.a, BUY, 1, 990)
    assert -2025 == code_of(venue.place, venue.a, BUY, 1, 990)
    assert 0 == code_of(venue.place, venue.a, BUY, 1, 990, symbol="YUSDT")


# --- client ids -----------------------------------------------------------------------------------------------


def test_a_client_id_of_an_open_order_is_refused():
    """It is what makes a resend after a lost answer harmless."""
    venue = Venue()
    venue.place(venue.a, BUY, 1, 990, client_id="same")
    assert -4116 == code_of(venue.place, venue.a, BUY, 1, 990, client_id="same")
    assert 0 == code_of(venue.place, venue.b, BUY, 1, 990, client_id="same"), "ids are the account's own"


def test_a_client_id_of_a_filled_order_is_remembered_for_a_while():
    venue = Venue()
    venue.place(venue.a, BUY, 1, client_id="same")
    venue.tick(599 * S)
    assert -4116 == code_of(venue.place, venue.a, BUY, 1, client_id="same")
    venue.tick(2 * S)
    assert 0 == code_of(venue.place, venue.a, BUY, 1, client_id="same")


def test_a_refused_orders_client_id_stays_free():
    venue = Venue()
    assert -5022 == code_of(venue.place, venue.a, BUY, 1, 1001, tif="GTX", client_id="same")
    assert 0 == code_of(venue.place, venue.a, BUY, 1, 1000, tif="GTX", client_id="same")


# --- cancelling -----------------------------------------------------------------------------------------------


def test_a_cancelled_order_leaves_the_book():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    assert "CANCELED" == venue.cancel(venue.a, order).status
    venue.trade(990, 100, SELL)
    assert (0, []) == (order.filled_lots, venue.exchange.open_orders(venue.a))


def test_cancelling_what_is_not_open_is_an_unknown_order():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5)
    assert -2011 == code_of(venue.cancel, venue.a, order)
    assert -2011 == code_of(venue.exchange.cancel, venue.a, X, client_id="never", now_ns=venue.tick())
    assert -1102 == code_of(venue.exchange.cancel, venue.a, X, now_ns=venue.tick())


def test_nobody_cancels_or_reads_another_accounts_order():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    assert -2011 == code_of(venue.cancel, venue.b, order)
    assert -2013 == code_of(venue.exchange.order, venue.b, X, order.order_id)


def test_cancel_all_takes_the_plain_orders_of_its_symbol_only():
    """The real trap: stops stay live after 'all cancelled'."""
    venue = Venue(specs=[a_spec(), a_spec("YUSDT")])
    venue.quote(1000, 5, 1001, 5, symbol="YUSDT")
    for _ in range(2):
        venue.place(venue.a, BUY, 5, 990)
    other = venue.place(venue.a, BUY, 5, 990, symbol="YUSDT")
    stop = venue.algo(venue.a, SELL, 5, "STOP_MARKET", 900)
    assert 2 == venue.exchange.cancel_all(venue.a, X, venue.tick())
    assert ("NEW", "NEW") == (other.status, stop.status)


# --- amending -------------------------------------------------------------------------------------------------


def test_only_a_smaller_size_alone_keeps_its_place():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.trade(1000, 30, SELL)
    venue.amend(venue.a, order, lots=4)
    assert (20, 4) == (order.ahead_lots, order.qty_lots)
    venue.amend(venue.a, order, lots=6)
    assert 50 == order.ahead_lots, "larger: back to the end"
    venue.trade(1000, 30, SELL)
    venue.amend(venue.a, order, price=999)
    venue.amend(venue.a, order, price=1000)
    assert 50 == order.ahead_lots, "moved away and back: back to the end"


def test_amending_tells_and_keeps_identity():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.amend(venue.a, order, lots=7, price=998)
    last = venue.events(OrderEvent)[-1]
    assert ("AMENDMENT", 7, 998) == (last.execution, last.order.qty_lots, last.order.price_ticks)
    assert order is venue.exchange.order(venue.a, X, client_id=order.client_id)
    assert 7 * 998 == venue.a.positions[X, "BOTH"].buy_tick_lots


def test_an_amended_order_that_crosses_takes():
    venue = Venue()
    order = venue.place(venue.a, BUY, 60, 1000)
    venue.amend(venue.a, order, price=1001)
    assert (50, True, 1001) == (order.filled_lots, order.resting, order.price_ticks)


def test_an_amended_post_only_order_that_would_take_expires():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000, tif="GTX")
    assert "EXPIRED" == venue.amend(venue.a, order, price=1001).status


def test_amending_to_no_more_than_is_filled_cancels():
    venue = Venue()
    order = venue.place(venue.a, BUY, 60, 1001)
    assert 50 == order.filled_lots
    assert ("CANCELED", 60) == (venue.amend(venue.a, order, lots=50).status, order.qty_lots)


def test_what_cannot_be_amended_is_refused():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    assert -5027 == code_of(venue.amend, venue.a, order)
    assert -4003 == code_of(venue.amend, venue.a, order, lots=0)
    assert -4005 == code_of(venue.amend, venue.a, order, lots=1_000_000)
    assert -1117 == code_of(
        venue.exchange.amend,
        venue.a,
        X,
        order_id=order.order_id,
        side=SELL,
        qty_lots=4,
        price_ticks=1000,
        now_ns=venue.tick(),
    )
    venue.cancel(venue.a, order)
    assert -2013 == code_of(venue.amend, venue.a, order, lots=4)


def test_amendments_of_one_order_are_limited():
    venue = Venue(settings=config(amendments_max=2))
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.amend(venue.a, order, lots=4)
    venue.amend(venue.a, order, lots=3)
    assert -5026 == code_of(venue.amend, venue.a, order, lots=2)


# --- reading back ---------------------------------------------------------------------------------------------


def test_orders_are_paged_oldest_first_and_by_default_the_newest():
    venue = Venue()
    orders = [venue.place(venue.a, BUY, 1, 990) for _ in range(5)]
    read = venue.exchange.all_orders
    assert orders[3:] == read(venue.a, X, limit=2)
    assert orders[1:3] == read(venue.a, X, order_id=orders[1].order_id, limit=2)
    assert orders[2:4] == read(venue.a, X, start_ns=orders[2].created_ns, limit=2)
    assert orders[:2] == read(venue.a, X, end_ns=orders[1].created_ns)


def test_trades_are_paged_oldest_first_and_by_default_the_newest():
    venue = Venue()
    for _ in range(5):
        venue.place(venue.a, BUY, 1)
    fills = list(venue.a.fills)
    read = venue.exchange.trades
    assert fills[3:] == read(venue.a, X, limit=2)
    assert fills[1:3] == read(venue.a, X, from_id=fills[1].trade_id, limit=2)
    assert fills[2:4] == read(venue.a, X, start_ns=fills[2].venue_ns, limit=2)
    assert fills[:2] == read(venue.a, X, start_ns=0, end_ns=fills[1].venue_ns)
    assert [fills[4]] == read(venue.a, X, order_id=fills[4].order_id)


def test_histories_are_bounded_and_say_what_fell_out():
    settings = config(orders_kept_max=3, fills_kept_max=2, incomes_kept_max=2)
    venue = Venue(settings=settings)
    resting = venue.place(venue.a, BUY, 1, 900, client_id="old")
    for _ in range(5):
        venue.place(venue.a, BUY, 1, client_id=f"m{_}")
    assert [resting.client_id, "m3", "m4"] == [order.client_id for order in venue.a.orders.values()]
    truth = venue.exchange.ground_truth(venue.a, venue.now_ns)
    assert (2, 3) == (len(truth.fills), truth.fills_dropped)
    assert 0 == code_of(venue.place, venue.a, BUY, 1, client_id="m0"), "a forgotten id is free"


def test_the_truth_is_a_copy():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    truth = venue.exchange.ground_truth(venue.a, venue.now_ns)
    venue.trade(999, 5, SELL)
    assert ("FILLED", "NEW") == (order.status, truth.open_orders[0].status)
    assert ({}, 5) == (truth.positions, venue.lots(venue.a))


def test_ids_only_grow_and_start_where_configured():
    venue = Venue(
        settings=config(order_id_first=77, trade_id_first=88, rules_default=WIDE, synthetic=NO_DEPTH)
    )
    orders = [venue.place(venue.a, BUY, 1) for _ in range(3)]
    assert [77, 78, 79] == [order.order_id for order in orders]
    assert [88, 89, 90] == [fill.trade_id for fill in venue.a.fills]


def test_time_does_not_go_back_for_the_engine():
    venue = Venue()
    venue.place(venue.a, BUY, 1, 990)
    assert venue.now_ns == venue.exchange.now_ns
    venue.exchange.advance(venue.now_ns - 5 * MS)
    assert venue.now_ns == venue.exchange.now_ns
