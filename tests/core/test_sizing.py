"""Sizing: targets become orders, and REDUCED makes risk smaller, before the gate and never in it."""

import pytest

from holdfast.core.sizing.reduced import reduced_lots
from holdfast.core.sizing.targets import order_towards
from holdfast.vocab.facts import SizeReduced
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderState, OrderType, Side, TimeInForce
from holdfast.vocab.refusals import NotAllowed, OverPosition, OverRate, QtyOutOfRange, StaleReference
from holdfast.vocab.units import E8
from tests.house.events import a_target
from tests.house.room import a_running_core
from tests.house.setup import BTC_TICKS, ETH, account_limits, instrument_limits

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("lots", "side", "position", "left"),
    [
        (10, BUY, 0, 5),
        (11, BUY, 0, 5),
        (1, BUY, 0, 0),
        (10, BUY, 100, 5),
        (10, SELL, 100, 10),
        (10, SELL, 4, 7),
        (10, BUY, -4, 7),
        (10, BUY, -10, 10),
        (10, SELL, -100, 5),
    ],
)
def test_reduced_halves_only_the_part_that_adds_risk(lots, side, position, left):
    assert left == reduced_lots(lots, side=side, position_lots=position)


def towards(target, **changes):
    fields = {
        "position_lots": 0,
        "open_buy_lots": 0,
        "open_sell_lots": 0,
        "account_lots": changes.get("position_lots", 0),
        "order_lots_max": 80,
        "bid_ticks": BTC_TICKS - 5,
        "ask_ticks": BTC_TICKS + 5,
        "collar_ppm": 10_000,
        "own_bid_ticks": 0,
        "own_ask_ticks": 1 << 63,
        **changes,
    }
    price = fields.pop("price_ticks", None)
    return order_towards(a_target(target_lots=target, price_ticks=price), **fields)


def test_a_target_that_is_reached_asks_for_nothing():
    assert towards(10, position_lots=10) is None
    assert towards(10, position_lots=4, open_buy_lots=6) is None
    assert towards(-10, position_lots=-4, open_sell_lots=6) is None


def test_a_target_without_a_price_takes_and_is_bounded_by_half_the_collar():
    order = towards(10)
    assert (BUY, 10, TimeInForce.IOC) == (order.side, order.qty_lots, order.tif)
    assert BTC_TICKS + 5 + 3_000 == order.price_ticks
    order = towards(-10)
    assert (SELL, 10, BTC_TICKS - 5 - 2_999) == (order.side, order.qty_lots, order.price_ticks)


def test_a_target_without_a_price_stops_short_of_the_accounts_own_orders():
    """At the touch there is no room: the gate says so."""
    far = BTC_TICKS + 5 + 3_000
    assert [far, far, far - 1, BTC_TICKS + 5, far] == [
        towards(10, own_ask_ticks=own).price_ticks
        for own in (far + 2, far + 1, far, BTC_TICKS + 6, BTC_TICKS + 5)
    ]
    low = BTC_TICKS - 5 - 2_999
    assert [low, low + 1, BTC_TICKS - 5, low] == [
        towards(-10, own_bid_ticks=own).price_ticks for own in (low - 1, low, BTC_TICKS - 6, BTC_TICKS - 5)
    ]


def test_a_target_with_a_price_rests():
    order = towards(10, price_ticks=BTC_TICKS - 100)
    assert (TimeInForce.GTC, BTC_TICKS - 100) == (order.tif, order.price_ticks)


def test_one_order_is_at_most_one_orders_size():
    assert 80 == towards(500).qty_lots


def test_what_works_already_is_part_of_the_way():
    assert 3 == towards(10, open_buy_lots=7).qty_lots
    order = towards(10, open_buy_lots=17)
    assert (SELL, 7, False) == (order.side, order.qty_lots, order.reduce_only)


@pytest.mark.parametrize(
    ("target", "position", "account", "reduce_only"),
    [
        (0, 10, 10, True),
        (4, 10, 10, True),
        (-1, 10, 10, False),
        (11, 10, 10, False),
        (0, -10, -10, True),
        (0, 10, 9, False),
        (0, 10, 0, False),
        (0, 10, -5, False),
    ],
)
def test_an_order_is_reduce_only_where_both_strategy_and_account_get_smaller(
    target, position, account, reduce_only
):
    """The venue sees the account: it refuses as reduce-only what others' positions have netted away."""
    order = towards(target, position_lots=position, account_lots=account)
    assert reduce_only is order.reduce_only


def test_without_a_quote_the_gate_names_the_reason():
    assert 1 == towards(10, bid_ticks=0, ask_ticks=0).price_ticks


# --- in the step ----------------------------------------------------------------------------------------------------


def test_a_target_is_traded_to_and_left_again():
    room = a_running_core()
    assert OrderState.FILLED is room.targets(10).state
    assert 10 == room.position()
    assert room.targets(10) is None
    exit_order = room.targets(0)
    assert exit_order.terms.reduce_only
    assert 0 == room.position() == room.venue.position()


def test_a_strategy_gets_flat_although_another_holds_the_other_side():
    """Alpha is long 10 and beta short 10: the account is flat, and alpha must still be able to leave."""
    room = a_running_core()
    room.targets(10)
    room.targets(-10, strategy="beta")
    assert 0 == room.venue.position()

    room.targets(0)

    assert (0, -10, -10) == (room.position(of="alpha"), room.position(of="beta"), room.venue.position())


def test_a_target_where_it_may_not_trade_is_refused():
    room = a_running_core()
    assert NotAllowed(strategy="beta", instrument=ETH) == room.targets(5, strategy="beta", instrument=ETH)
    assert NotAllowed(strategy="gamma", instrument="BTCUSDT") == room.targets(5, strategy="gamma")
    assert NotAllowed(strategy="gamma", instrument="BTCUSDT") == room.buys(5, strategy="gamma")
    assert room.state.session.last_refused == "gamma/BTCUSDT"


def test_a_target_on_stale_data_is_refused_with_the_age():
    room = a_running_core()
    room.quoting = False
    room.run(ms=1_200)
    assert isinstance(room.targets(5), StaleReference)


def test_reduced_halves_what_adds_risk_and_writes_both_numbers_down():
    room = a_running_core()
    room.says("halt", instrument=ETH)  # somewhere else: nothing of it here
    _warned(room)

    order = room.buys(11)

    assert 5 == order.qty_lots
    assert (11, 5) == (room.facts_of(SizeReduced)[-1].from_lots, room.facts_of(SizeReduced)[-1].to_lots)


def test_reduced_to_nothing_is_refused_as_too_small():
    room = a_running_core()
    _warned(room)
    assert QtyOutOfRange(qty_lots=0, min_lots=1, max_lots=1_000_000) == room.buys(1)


def test_reduced_leaves_what_reduces_whole():
    room = a_running_core()
    room.targets(60)
    _warned(room)
    before = len(room.facts_of(SizeReduced))
    assert 60 == room.sells(60).qty_lots
    assert 20 == room.wants_protection(20).qty_lots
    assert before == len(room.facts_of(SizeReduced))


def test_reduced_halves_the_position_limits_too():
    room = a_running_core()
    room.targets(60)
    _warned(room)
    assert 40 == room.buys(80).qty_lots
    assert OverPosition(of="strategy", would_be_lots=120, limit_lots=100) == room.buys(40)


def _warned(room):
    """A drawdown over 5 % of equity: the account is REDUCED."""
    room.venue.pays("OTHER", -600 * E8)
    room.tell_cash()
    room.run(ms=1_100)
    assert room.hold(HoldCause.DRAWDOWN_WARNING)
    assert HoldLevel.REDUCED == room.level()


def test_the_twenty_first_order_within_a_second_is_refused_and_the_fifty_first_kills():
    """A runaway is stopped by what it asks for, not by what it gets."""
    room = a_running_core()
    refusals = [room.buys(1, at=BTC_TICKS - 1_000 - n) for n in range(50)]
    assert 20 == sum(1 for found in refusals if not isinstance(found, OverRate))
    assert [] == room.causes()

    room.buys(1)

    room.buys(1)
    assert ["order_rate"] == room.causes()
    assert 1 == len(room.alerted("hold.order_rate"))
    assert HoldLevel.KILLED == room.level()
    assert room.latch_tripped
    room.run(ms=100)
    assert [] == room.venue.open_orders()  # what it had working does not fill on


def test_what_is_asked_for_where_it_may_not_trade_counts_as_well():
    room = a_running_core()
    for _ in range(25):
        room.targets(5, strategy="gamma")
        room.buys(5, strategy="gamma")
    assert [] == room.causes()
    room.targets(5, strategy="gamma")
    assert ["order_rate"] == room.causes()


def test_a_slow_trickle_never_counts_as_a_runaway():
    room = a_running_core(account_limits=account_limits(open_orders_max=1_000))
    for n in range(60):
        room.buys(1, at=BTC_TICKS - 500 - n)
        room.run(ms=60)
    assert [] == room.causes()


def test_a_market_order_of_a_strategy_is_judged_and_filled_like_any_other():
    room = a_running_core()
    order = room.buys(5, at=None, order_type=OrderType.MARKET, price_ticks=None, tif=TimeInForce.IOC)
    assert OrderState.FILLED is order.state


def test_a_target_is_clipped_by_volume_and_by_the_touch_that_it_takes():
    """Refused, it would never get there; clipped, it gets there by and by."""
    assert 30 == towards(80, volume_lots_max=30).qty_lots
    assert 20 == towards(80, volume_lots_max=30, ask_lots_max=20, bid_lots_max=5).qty_lots
    assert 5 == towards(-80, volume_lots_max=30, ask_lots_max=20, bid_lots_max=5).qty_lots
    assert 80 == towards(80, ask_lots_max=20, price_ticks=BTC_TICKS + 4).qty_lots, "it rests"
    assert 20 == towards(80, ask_lots_max=20, price_ticks=BTC_TICKS + 5).qty_lots
    assert 80 == towards(80).qty_lots, "what is not known clips nothing: the gate names it"
    out = towards(0, position_lots=60, volume_lots_max=30, bid_lots_max=5)
    assert (60, True) == (out.qty_lots, out.reduce_only), "what reduces is not clipped"


def test_a_target_beyond_volume_and_touch_gets_there_by_and_by():
    limits = instrument_limits(order_lots_max=100, depth_ppm_max=20_000)
    room = a_running_core(instrument_limits=(limits, instrument_limits(ETH)))
    room.quotes(lots=1_000)
    came = []
    for _ in range(4):
        room.targets(50)
        room.run(ms=300)
        came.append(room.position(of="alpha"))
    assert [20, 40, 50, 50] == came
