"""Reduce-only and close-position: what may only reduce never opens, whatever else happens."""

from holdfast.sim.model import OrderEvent
from tests.sim.engine_house import BUY, SELL, Venue, X, code_of


def long(lots=10):
    venue = Venue(quote=(1000, 1000, 1001, 1000))
    venue.place(venue.a, BUY, lots)
    return venue


def test_reduce_only_without_a_position_is_refused():
    venue = Venue()
    assert -2022 == code_of(venue.place, venue.a, SELL, 5, 1001, reduce_only=True)


def test_reduce_only_in_the_positions_own_direction_is_refused():
    venue = long()
    assert -2022 == code_of(venue.place, venue.a, BUY, 5, 1000, reduce_only=True)


def test_a_reduce_only_order_is_cut_to_the_position():
    """A flatten sized from an old belief must not flip the position."""
    venue = long(10)
    order = venue.place(venue.a, SELL, 25, reduce_only=True)
    assert ("FILLED", 10, 0) == (order.status, order.qty_lots, venue.lots(venue.a))


def test_resting_reduce_only_orders_expire_when_the_position_is_gone():
    venue = long(10)
    resting = venue.place(venue.a, SELL, 10, 1005, reduce_only=True)
    venue.place(venue.a, SELL, 10)
    assert ("EXPIRED", 0) == (resting.status, venue.lots(venue.a))
    venue.trade(1010, 100, BUY)
    assert 0 == venue.lots(venue.a)


def test_resting_reduce_only_orders_shrink_with_the_position():
    venue = long(10)
    resting = venue.place(venue.a, SELL, 10, 1005, reduce_only=True)
    venue.place(venue.a, SELL, 7)
    assert ("NEW", 3) == (resting.status, resting.qty_lots)
    last = venue.events(OrderEvent)[-1]
    assert ("AMENDMENT", 3) == (last.execution, last.order.qty_lots)


def test_a_flip_of_the_position_ends_them_too():
    venue = long(10)
    resting = venue.place(venue.a, SELL, 10, 1005, reduce_only=True)
    venue.place(venue.a, SELL, 25)
    assert ("EXPIRED", -15) == (resting.status, venue.lots(venue.a))


def test_the_worst_priced_youngest_ones_give_way_first():
    venue = long(10)
    far = venue.place(venue.a, SELL, 4, 1010, reduce_only=True)
    near = venue.place(venue.a, SELL, 4, 1005, reduce_only=True)
    venue.place(venue.a, SELL, 5)
    assert ("NEW", 4, "NEW", 1) == (near.status, near.qty_lots, far.status, far.qty_lots)


def test_a_better_priced_reduce_only_order_takes_the_place_of_a_worse_one():
    venue = long(10)
    far = venue.place(venue.a, SELL, 10, 1010, reduce_only=True)
    near = venue.place(venue.a, SELL, 6, 1005, reduce_only=True)
    assert (6, 4) == (near.qty_lots, far.qty_lots)
    assert -2022 == code_of(venue.place, venue.a, SELL, 1, 1020, reduce_only=True), "all is covered already"


def test_an_immediate_exit_is_not_in_the_way_of_resting_ones():
    """Flatten must work while a strategy's own exit rests."""
    venue = long(10)
    resting = venue.place(venue.a, SELL, 10, 1005, reduce_only=True)
    exit_order = venue.place(venue.a, SELL, 10, 990, tif="IOC", reduce_only=True)
    assert ("FILLED", "EXPIRED", 0) == (exit_order.status, resting.status, venue.lots(venue.a))


def test_an_immediate_exit_at_a_worse_price_is_tried_all_the_same():
    venue = long(10)
    resting = venue.place(venue.a, SELL, 10, 1005, reduce_only=True)
    exit_order = venue.place(venue.a, SELL, 10, 1006, tif="IOC", reduce_only=True)
    assert ("EXPIRED", "NEW", 10) == (exit_order.status, resting.status, venue.lots(venue.a))


def test_one_print_does_not_fill_reduce_only_orders_beyond_the_position():
    venue = long(10)
    plain = venue.place(venue.a, SELL, 8, 1005)
    reducing = venue.place(venue.a, SELL, 10, 1006, reduce_only=True)
    venue.trade(1010, 100, BUY)
    assert (8, 2, 0) == (plain.filled_lots, reducing.filled_lots, venue.lots(venue.a))
    assert "FILLED" == reducing.status, "cut to 2, then filled"


def test_a_taker_meets_a_reduce_only_order_only_as_far_as_it_may_go():
    venue = long(10)
    venue.quote(1000, 50, 1020, 50)
    venue.place(venue.a, SELL, 8, 1005)
    reducing = venue.place(venue.a, SELL, 10, 1006, reduce_only=True)
    taker = venue.place(venue.b, BUY, 30)
    assert (2, 0, 30) == (reducing.filled_lots, venue.lots(venue.a), taker.filled_lots)


def test_reduce_only_orders_reserve_no_margin():
    venue = long(10)
    before = venue.exchange.summary(venue.a, "USDT").initial_e8
    venue.place(venue.a, SELL, 10, 1005, reduce_only=True)
    assert before == venue.exchange.summary(venue.a, "USDT").initial_e8
    assert 0 == venue.a.positions[X, "BOTH"].sell_tick_lots


def test_amending_a_reduce_only_order_cannot_outgrow_the_position():
    venue = long(10)
    order = venue.place(venue.a, SELL, 5, 1005, reduce_only=True)
    assert 10 == venue.amend(venue.a, order, lots=25).qty_lots
    venue.amend(venue.a, order, lots=40, price=1000)
    assert ("FILLED", 0) == (order.status, venue.lots(venue.a))


# --- hedge mode -------------------------------------------------------------------------------------------------


def hedged():
    venue = Venue(quote=(1000, 1000, 1001, 1000))
    venue.exchange.set_position_mode(venue.a, dual_side=True, now_ns=venue.tick())
    return venue


def test_hedge_mode_keeps_long_and_short_apart():
    venue = hedged()
    venue.place(venue.a, BUY, 5, position_side="LONG")
    venue.place(venue.a, SELL, 3, position_side="SHORT")
    rows = {p.position_side: p.position_lots for p in venue.exchange.positions(venue.a)}
    assert {"LONG": 5, "SHORT": -3} == rows
    assert {X: 2} == venue.exchange.ground_truth(venue.a, venue.now_ns).positions


def test_in_hedge_mode_the_closing_side_only_reduces():
    venue = hedged()
    assert -2022 == code_of(venue.place, venue.a, SELL, 5, position_side="LONG")
    venue.place(venue.a, BUY, 5, position_side="LONG")
    assert 5 == venue.place(venue.a, SELL, 9, position_side="LONG").qty_lots
    assert -4061 == code_of(venue.place, venue.a, BUY, 5)
    assert -1106 == code_of(venue.place, venue.a, BUY, 5, position_side="SHORT", reduce_only=True)


def test_the_position_mode_changes_only_when_nothing_is_open():
    venue = Venue()
    change = venue.exchange.set_position_mode
    assert -4059 == code_of(change, venue.a, dual_side=False, now_ns=venue.tick())
    order = venue.place(venue.a, BUY, 5, 1000)
    assert -4067 == code_of(change, venue.a, dual_side=True, now_ns=venue.tick())
    venue.cancel(venue.a, order)
    venue.place(venue.a, BUY, 5)
    assert -4068 == code_of(change, venue.a, dual_side=True, now_ns=venue.tick())
