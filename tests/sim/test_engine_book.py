"""The book's rules: our orders in price-time priority among exogenous quantity per level."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.sim.book import BookSide
from holdfast.sim.model import OrderEvent
from holdfast.sim.rules import SyntheticDepth
from tests.sim.engine_house import BUY, SELL, Venue, X, a_spec, config


def test_an_order_joins_behind_the_displayed_size():
    """Fills that ignore the queue make every market maker look rich."""
    venue = Venue(quote=(1000, 50, 1001, 30))
    assert 50 == venue.place(venue.a, BUY, 5, 1000).ahead_lots
    assert 30 == venue.place(venue.a, SELL, 5, 1001).ahead_lots


def test_an_order_better_than_the_touch_has_nobody_before_it():
    venue = Venue(quote=(1000, 50, 1010, 30))
    assert 0 == venue.place(venue.a, BUY, 5, 1005).ahead_lots


def test_a_print_at_our_price_serves_the_queue_before_us_first():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.trade(1000, 50, SELL)
    assert (0, 0) == (order.filled_lots, order.ahead_lots)
    venue.trade(1000, 3, SELL)
    assert (3, "PARTIALLY_FILLED") == (order.filled_lots, order.status)


def test_a_print_is_consumed_once_over_all_our_orders():
    """Two orders of ours at one price must not both eat the same print."""
    venue = Venue(quote=(1000, 10, 1001, 50))
    first = venue.place(venue.a, BUY, 4, 1000)
    second = venue.place(venue.b, BUY, 4, 1000)
    venue.trade(1000, 15, SELL)
    assert (4, 1) == (first.filled_lots, second.filled_lots)


def test_quantity_that_came_between_two_of_ours_is_served_between_them():
    venue = Venue(quote=(1000, 10, 1001, 50))
    first = venue.place(venue.a, BUY, 4, 1000)
    venue.quote(1000, 16, 1001, 50)  # six more stood behind the first
    second = venue.place(venue.b, BUY, 4, 1000)
    venue.trade(1000, 15, SELL)  # 10 displayed, our 4, then 1 of the 6
    assert (4, 0, 5) == (first.filled_lots, second.filled_lots, second.ahead_lots)


def test_a_buyers_print_does_not_fill_a_bid():
    venue = Venue(quote=(1000, 10, 1001, 50))
    order = venue.place(venue.a, BUY, 4, 1000)
    venue.trade(1000, 100, BUY)
    assert 0 == order.filled_lots


def test_a_shrunken_level_leaves_at_most_its_new_size_before_us():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.quote(1000, 20, 1001, 50)
    assert 20 == order.ahead_lots
    venue.quote(1000, 80, 1001, 50)
    assert 20 == order.ahead_lots, "who came later stands behind us"


def test_a_level_that_the_touch_has_left_has_nobody_before_us():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.quote(999, 20, 1001, 50)
    assert 0 == order.ahead_lots


def test_a_depth_diff_shrinks_the_queue_of_a_deeper_level():
    venue = Venue()
    venue.depth(bids=[(1000, 50), (998, 40)], asks=[(1001, 50)], snapshot=True)
    order = venue.place(venue.a, BUY, 5, 998)
    assert 40 == order.ahead_lots
    venue.depth(bids=[(998, 7)])
    assert 7 == order.ahead_lots
    venue.depth(bids=[(998, 0)])
    assert 0 == order.ahead_lots


def test_a_later_order_never_waits_for_less_than_an_earlier_one_at_its_price():
    """While the level is out of sight nothing is displayed there, and yet the first stands before the second."""
    venue = Venue()
    first = venue.place(venue.a, BUY, 5, 1000)
    venue.quote(1005, 50, 1006, 50)
    second = venue.place(venue.b, BUY, 5, 1000)
    assert (50, 50) == (first.ahead_lots, second.ahead_lots)


def test_a_print_serves_also_those_who_wait_behind_the_last_of_ours_that_it_fills():
    venue = Venue(quote=(1000, 10, 1001, 50))
    venue.place(venue.a, BUY, 4, 1000)
    venue.quote(1000, 30, 1001, 50)
    second = venue.place(venue.b, BUY, 4, 1000)
    venue.trade(1000, 20, SELL)  # 10 before the first, its 4, then 6 of the 20 between them
    assert 14 == second.ahead_lots


def test_a_debit_behind_the_touch_ends_where_nothing_will_ever_tell_of_the_level():
    settings = config(synthetic=SyntheticDepth(levels_max=1, step_ppm=1000, notional_e8=100 * 10**8))
    venue = Venue(settings=settings, quote=(1000, 50, 1001, 10))
    assert 10 + 9 == venue.place(venue.a, BUY, 100).filled_lots
    assert 0 == venue.place(venue.a, BUY, 100, 1002, tif="IOC").filled_lots
    venue.quote(1000, 50, 1001, 11)
    assert 11 + 9 == venue.place(venue.a, BUY, 100).filled_lots


def test_a_print_through_our_price_fills_up_to_its_size():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.trade(999, 3, SELL)
    assert 3 == order.filled_lots, "whatever stood before us is gone"
    assert 3000 == order.cost_tick_lots, "we trade at our own price"


def test_a_print_through_several_of_ours_fills_the_best_first():
    venue = Venue()
    worse = venue.place(venue.a, BUY, 5, 998)
    better = venue.place(venue.b, BUY, 5, 999)
    venue.trade(997, 7, SELL)
    assert (2, 5) == (worse.filled_lots, better.filled_lots)


def test_a_touch_that_crosses_our_order_fills_it_up_to_what_it_shows():
    venue = Venue()
    order = venue.place(venue.a, SELL, 9, 1001)
    venue.quote(1003, 4, 1004, 50)
    assert (4, 4004) == (order.filled_lots, order.cost_tick_lots)
    venue.quote(1003, 4, 1005, 50)
    assert 4 == order.filled_lots, "the same four lots are not met twice"
    venue.quote(1003, 2, 1005, 50)
    assert 6 == order.filled_lots, "a new word on that side is new quantity"


def test_a_print_outside_the_market_fills_nobody():
    """Insurance-fund prints stand far from the book."""
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.trade(900, 100, SELL, market=False)
    assert (0, 0) == (order.filled_lots, venue.exchange.last_ticks(X))


def test_a_taker_debits_the_level_until_its_next_quote():
    """Otherwise every order fills at the touch, however often it is hit."""
    venue = Venue()
    assert 30 == venue.place(venue.a, BUY, 30, 1001, tif="IOC").filled_lots
    assert 20 == venue.place(venue.a, BUY, 30, 1001, tif="IOC").filled_lots
    venue.quote(1000, 49, 1001, 50)  # says something new of the bid only
    assert 0 == venue.place(venue.a, BUY, 30, 1001, tif="IOC").filled_lots
    venue.quote(1000, 49, 1001, 51)
    assert 30 == venue.place(venue.a, BUY, 30, 1001, tif="IOC").filled_lots


def test_a_debited_deeper_level_stays_so_until_its_own_diff():
    venue = Venue()
    venue.depth(asks=[(1001, 50), (1002, 10)], bids=[(1000, 50)], snapshot=True)
    assert 60 == venue.place(venue.a, BUY, 60, 1002, tif="IOC").filled_lots
    venue.quote(1000, 50, 1001, 5)
    assert 5 == venue.place(venue.a, BUY, 60, 1002, tif="IOC").filled_lots
    venue.depth(asks=[(1002, 10)])
    assert 10 == venue.place(venue.a, BUY, 60, 1002, tif="IOC").filled_lots


def test_a_taker_moves_up_those_who_waited_behind_what_it_took():
    venue = Venue()
    resting = venue.place(venue.a, SELL, 5, 1001)
    venue.place(venue.b, BUY, 20, 1001, tif="IOC")
    assert 30 == resting.ahead_lots


def test_a_taker_meets_the_displayed_lots_then_our_order_then_the_rest():
    venue = Venue(quote=(1000, 50, 1001, 10))
    resting = venue.place(venue.a, SELL, 5, 1001)
    venue.quote(1000, 50, 1001, 30)
    taker = venue.place(venue.b, BUY, 12, 1001, tif="IOC")
    assert (2, 12) == (resting.filled_lots, taker.filled_lots)
    taker = venue.place(venue.b, BUY, 10, 1001, tif="IOC")
    assert (5, 10) == (resting.filled_lots, taker.filled_lots)


def test_our_better_priced_order_trades_before_the_touch():
    venue = Venue(quote=(1000, 50, 1010, 50))
    resting = venue.place(venue.a, SELL, 5, 1005)
    taker = venue.place(venue.b, BUY, 8)
    assert (5, 8) == (resting.filled_lots, taker.filled_lots)
    assert 5 * 1005 + 3 * 1010 == taker.cost_tick_lots


def test_both_sides_of_a_trade_between_accounts_carry_one_trade_id():
    venue = Venue(quote=(1000, 50, 1010, 50))
    venue.place(venue.a, SELL, 5, 1005)
    venue.place(venue.b, BUY, 5, 1005)
    maker, taker = venue.a.fills[-1], venue.b.fills[-1]
    assert maker.trade_id == taker.trade_id
    assert (True, False) == (maker.maker, taker.maker)


def test_a_market_order_walks_the_known_depth():
    venue = Venue(quote=(1000, 50, 1001, 10))
    venue.depth(bids=[(1000, 50)], asks=[(1001, 10), (1003, 20), (1004, 100)], snapshot=True)
    order = venue.place(venue.a, BUY, 40)
    assert 10 * 1001 + 20 * 1003 + 10 * 1004 == order.cost_tick_lots
    assert "FILLED" == order.status


def test_a_market_order_beyond_all_depth_expires_with_what_it_got():
    venue = Venue(quote=(1000, 50, 1001, 10))
    order = venue.place(venue.a, BUY, 40)
    assert ("EXPIRED", 10) == (order.status, order.filled_lots)


def test_depth_behind_what_is_known_is_assumed_as_configured():
    settings = config(synthetic=SyntheticDepth(levels_max=2, step_ppm=1000, notional_e8=100 * 10**8))
    venue = Venue(settings=settings, quote=(1000, 50, 1001, 10))
    per_level = 100 * 10**8 // (1002 * a_spec().tick_lot_e8)
    order = venue.place(venue.a, BUY, 1000)
    assert 10 + 2 * per_level == order.filled_lots
    assert 10 * 1001 + per_level * (1002 + 1003) == order.cost_tick_lots


def test_a_source_without_quotes_gives_its_touch_by_depth():
    venue = Venue(quote=None)
    venue.depth(bids=[(1000, 5), (999, 5)], asks=[(1002, 7), (1003, 5)], snapshot=True)
    assert (1000, 5, 1002, 7) == venue.exchange.touch(X)
    order = venue.place(venue.a, SELL, 4, 1002)
    venue.depth(bids=[(1003, 6)], asks=[(1002, 0), (1003, 0), (1004, 1)])
    assert 4 == order.filled_lots


def test_quotes_lead_where_both_are_there():
    venue = Venue()
    venue.depth(bids=[(1005, 5)], asks=[(1006, 5)], snapshot=True)
    assert (1000, 50, 1001, 50) == venue.exchange.touch(X)


def test_the_public_depth_shows_neither_our_orders_nor_what_we_took():
    venue = Venue(quote=(1000, 50, 1001, 10))
    venue.place(venue.a, BUY, 5, 1000)
    venue.place(venue.a, BUY, 6, 1001, tif="IOC")
    view = venue.exchange.depth(X, 5)
    assert (((1000, 50),), ((1001, 10),)) == (view.bids, view.asks)


def test_the_deepest_known_levels_fall_out_of_a_full_ladder():
    venue = Venue(settings=config(ladder_levels_max=3))
    venue.depth(bids=[(990 + i, 1) for i in range(10)], snapshot=True)
    side = venue.exchange._books[X].bids
    side.look()
    assert [997, 998, 999] == sorted(side.ladder) == side.ladder_keys


diffs = st.lists(
    st.lists(st.tuples(st.integers(900, 999), st.integers(0, 3)), min_size=1, max_size=40), max_size=12
)


@given(diffs, st.sets(st.integers(0, 11)))
def test_the_ladder_is_what_the_diffs_say_however_often_it_is_looked_at(diffs, looks):
    """It is brought up to date only when somebody looks; that must not show."""
    side, naive = BookSide(1, ladder_max=1000), {}
    for at, levels in enumerate(diffs):
        side.tell(levels)
        naive.update(levels)
        if at in looks:
            side.look()
    side.look()
    assert {price: lots for price, lots in naive.items() if lots} == side.ladder
    assert sorted(side.ladder) == side.ladder_keys


def test_an_account_does_not_trade_with_itself():
    venue = Venue(quote=(1000, 50, 1010, 50))
    resting = venue.place(venue.a, SELL, 5, 1005)
    taker = venue.place(venue.a, BUY, 8, 1010)
    assert ("NEW", "EXPIRED_IN_MATCH", 0) == (resting.status, taker.status, taker.filled_lots)
    last = venue.events(OrderEvent)[-1]
    assert ("EXPIRED", taker.order_id) == (last.execution, last.order.order_id)


def test_self_match_prevention_may_expire_the_maker_or_both():
    venue = Venue(quote=(1000, 50, 1010, 50))
    resting = venue.place(venue.a, SELL, 5, 1005)
    taker = venue.place(venue.a, BUY, 8, 1010, stp="EXPIRE_MAKER")
    assert ("EXPIRED_IN_MATCH", "FILLED") == (resting.status, taker.status)
    resting = venue.place(venue.a, SELL, 5, 1005)
    taker = venue.place(venue.a, BUY, 8, 1010, stp="EXPIRE_BOTH")
    assert ("EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH") == (resting.status, taker.status)


def test_a_self_trade_that_is_asked_for_gives_two_fills_with_two_ids():
    """Books are keyed by trade id: the same id twice in one account would lose a fill."""
    venue = Venue(quote=(1000, 50, 1010, 50))
    venue.place(venue.a, SELL, 5, 1005)
    venue.place(venue.a, BUY, 5, 1005, stp="NONE")
    assert 2 == len({fill.trade_id for fill in venue.a.fills})
    assert 0 == venue.lots(venue.a)
