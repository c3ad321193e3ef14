"""How often and how much: the sliding second of account, instrument and strategy, and what a day allows."""

import pytest

from holdfast.core.gate.desk import AskedWindow
from holdfast.core.monitor.equity import DAY_NS
from holdfast.core.state import State, decode_books, encode_books
from holdfast.vocab.facts import IntentRefused
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.orders import Lane, OrderState
from holdfast.vocab.refusals import OverDay, OverRate
from holdfast.vocab.units import E8, NS_PER_S
from tests.house.records import folded
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, account_limits, instrument_limits, strategy_limits

INIT = account_limits(orders_per_s_refuse=80, orders_per_s_kill=100, open_orders_max=1_000)
WIDE = (instrument_limits(BTC, position_lots_max=10_000), instrument_limits(ETH, order_lots_max=1_000))


def asks(room, times, *, every_ms=0, **changes):
    """Orders that rest far away, one lot each; returns what came of the last."""
    said = None
    for number in range(times):
        if number:
            room.run(ms=every_ms)
        said = room.buys(1, at=BTC_TICKS - 1_000 - number, **changes)
    return said


# --- the account's two thresholds, as init writes them ----------------------------------------------------------------


def test_a_burst_of_101_across_the_edge_of_a_second_kills_and_gets_flat():
    """A window that began anew each second would see 50 and 51, and let both go."""
    room = a_running_core(account_limits=INIT, instrument_limits=WIDE)
    room.takes(1, 10)
    room.run(ms=1_500)
    room.run(ms=995 - room.mono_ns // 1_000_000 % 1_000)
    asks(room, 50)
    room.run(ms=10)
    assert [] == room.causes()
    asks(room, 50)
    assert [] == room.causes(), "the hundredth does not"
    resting = room.buys(1)
    assert ["order_rate"] == room.causes(), type(resting)
    assert HoldLevel.KILLED is room.level()
    assert room.latch_tripped
    room.run(s=5)
    assert 0 == room.position() == room.venue.position(BTC), "the ladder exits what is held"
    assert [] == [row for row in room.books.orders.live.values() if row.state is OrderState.LIVE]
    assert 1 == len(room.flat_claims)


def test_a_hundred_in_any_sliding_second_do_not():
    """However the second is cut, and all at once: refused above eighty, never killed."""
    room = a_running_core(account_limits=INIT, instrument_limits=WIDE)
    asks(room, 300, every_ms=10, instrument="NONESUCH")
    for _ in range(2):
        room.run(ms=1_000)
        asks(room, 100)
    assert [] == room.causes()
    rates = [one.refusal for one in room.facts_of(IntentRefused) if isinstance(one.refusal, OverRate)]
    assert [OverRate(count=count, limit=80) for count in range(81, 101)] * 2 == rates


def test_amends_count_and_cancels_do_not():
    room = a_running_core(
        account_limits=account_limits(orders_per_s_refuse=20, orders_per_s_kill=21, open_orders_max=1_000)
    )
    order = room.buys(1)
    room.run(ms=1_100)
    for _ in range(60):
        room.cancels(order)
        room.cancels(order, order_id=0)
    for number in range(20):
        room.amends(order, at=order.price_ticks - number - 1)
    assert [] == room.causes()
    room.amends(order, at=order.price_ticks - 50)
    assert [] == room.causes()
    room.amends(order, at=order.price_ticks - 51)
    assert ["order_rate"] == room.causes()


def test_an_exit_of_many_clips_trips_nothing():
    """The flatten lane is counted and shown, and nothing else."""
    room = a_running_core(
        account_limits=account_limits(orders_per_s_refuse=2, orders_per_s_kill=3, orders_per_day_max=4),
        instrument_limits=(
            instrument_limits(BTC, flatten_clip_lots=5),
            instrument_limits(ETH, order_lots_max=1_000),
        ),
    )
    room.takes(1, 60)
    room.says("flatten")
    room.run(s=20)
    day = room.books.orders.day
    assert 0 == room.position()
    assert (1, 12) == (day.orders_count, day.exits_count)
    assert ["flatten"] == room.causes()


# --- a strategy's and an instrument's ---------------------------------------------------------------------------------


def a_rated_core(*, strategy=(5, 8), instrument=(1_000, 2_000)):
    def rates(pair):
        return {"orders_per_s_refuse": pair[0], "orders_per_s_halt": pair[1]}

    return a_running_core(
        instrument_limits=(
            instrument_limits(BTC, **rates(instrument)),
            instrument_limits(ETH, order_lots_max=1_000, **rates(instrument)),
        ),
        strategy_limits=(
            strategy_limits("alpha", BTC, **rates(strategy)),
            strategy_limits("alpha", ETH, order_lots_max=1_000, **rates(strategy)),
            strategy_limits("beta", BTC, **rates(strategy)),
        ),
    )


def test_a_runaway_strategy_is_halted_everywhere_and_the_others_trade_on():
    room = a_rated_core()
    resting = asks(room, 5)
    assert OverRate(count=6, limit=5, of="strategy") == asks(room, 1)
    asks(room, 2)
    assert [] == room.causes()
    asks(room, 1)
    hold = room.hold("runaway", strategy="alpha")
    assert f"more than 8 orders in {BTC} asked for within a second" == hold.reason
    assert HoldLevel.HALTED is room.level("alpha") is room.level("alpha", ETH)
    assert HoldLevel.NONE is room.level("beta")
    assert OrderState.CANCELLED is room.order(resting.order_id).state
    assert not room.latch_tripped
    assert OrderState.LIVE is room.buys(1, strategy="beta").state
    room.run(s=60)
    assert hold == room.hold("runaway", strategy="alpha"), "never by itself"
    assert not room.says("resume", hold_id=hold.hold_id, reason="").accepted
    assert room.says("resume", hold_id=hold.hold_id).accepted
    assert OrderState.LIVE is room.buys(1).state


def test_an_instrument_that_too_many_ask_for_is_halted_alone():
    room = a_rated_core(strategy=(1_000, 2_000), instrument=(5, 8))
    asks(room, 3)
    asks(room, 2, strategy="beta")
    assert OverRate(count=6, limit=5, of="instrument") == asks(room, 1)
    asks(room, 3)
    assert ["runaway"] == room.causes()
    assert HoldLevel.HALTED is room.level("alpha", BTC) is room.level("beta", BTC)
    assert HoldLevel.NONE is room.level("alpha", ETH)


@pytest.mark.parametrize(
    ("account", "instrument", "beta", "of"),
    [(5, 1_000, 1_000, "account"), (20, 5, 1_000, "instrument"), (20, 1_000, 5, "strategy")],
)
def test_exactly_as_many_as_permitted_pass_though_somebody_else_may_ask_less(account, instrument, beta, of):
    """Alpha's small threshold makes each order of everybody be counted: the fifth is not over five."""
    room = a_running_core(
        account_limits=account_limits(orders_per_s_refuse=account),
        instrument_limits=(
            instrument_limits(BTC, orders_per_s_refuse=instrument),
            instrument_limits(ETH, order_lots_max=1_000),
        ),
        strategy_limits=(
            strategy_limits("alpha", BTC, orders_per_s_refuse=1),
            strategy_limits("beta", BTC, orders_per_s_refuse=beta),
        ),
    )
    assert OrderState.LIVE is asks(room, 5, strategy="beta").state
    assert OverRate(count=6, limit=5, of=of) == asks(room, 1, strategy="beta")


def test_what_was_asked_a_second_ago_counts_no_more():
    """To the nanosecond: a sliding second has one end only."""
    room = a_running_core(
        account_limits=account_limits(orders_per_s_refuse=3),
        strategy_limits=(strategy_limits("alpha", BTC, orders_per_s_refuse=1), strategy_limits("beta", BTC)),
    )
    asks(room, 3, strategy="beta")
    room.mono_ns += NS_PER_S - 1
    assert OverRate(count=4, limit=3) == asks(room, 1, strategy="beta")
    room.mono_ns += 1
    assert OrderState.LIVE is asks(room, 1, strategy="beta").state


def test_beyond_everybodys_thresholds_an_order_is_counted_once_for_the_halt_and_the_gate(monkeypatch):
    """Beta may ask often, and alpha's small threshold makes each of its orders be counted: not twice."""
    room = a_running_core(
        instrument_limits=WIDE,
        strategy_limits=(
            strategy_limits("alpha", BTC, orders_per_s_refuse=2, orders_per_s_halt=3),
            strategy_limits("beta", BTC, position_lots_max=10_000),
        ),
    )
    asks(room, 3, strategy="beta")
    counted = []
    walk = AskedWindow.counted
    monkeypatch.setattr(AskedWindow, "counted", lambda self, **of: (counted.append(of), walk(self, **of))[1])
    asks(room, 2, strategy="beta")
    assert (["beta"] * 2, []) == ([of["strategy"] for of in counted], room.causes())
    asks(room, 3)
    assert OverRate(count=3, limit=2, of="strategy") == room.state.live.last_refusal
    assert 5 == len(counted)


def test_a_strategy_that_is_not_listed_counts_for_the_account():
    room = a_rated_core()
    asks(room, 50, strategy="nobody")
    assert [] == room.causes()
    asks(room, 1, strategy="nobody")
    assert ["order_rate"] == room.causes()


def test_a_rate_is_changed_while_running_and_shown():
    room = a_rated_core()
    assert room.says("limit_set", limit=f"strategy.alpha.{BTC}.orders_per_s_refuse", value=2).accepted
    asks(room, 2)
    assert OverRate(count=3, limit=2, of="strategy") == asks(room, 1)
    answer = room.says("limit_set", limit=f"strategy.alpha.{BTC}.orders_per_s_halt", value=2)
    assert not answer.accepted
    assert "orders_per_s_refuse would not be less than orders_per_s_halt" in answer.text


# --- the day ----------------------------------------------------------------------------------------------------------


def a_daily_core(**changes):
    return a_running_core(account_limits=account_limits(**changes))


@pytest.mark.parametrize("restart", [False, True])
def test_the_days_orders_are_counted_over_a_restart_and_end_with_the_day(restart):
    room = a_daily_core(orders_per_day_max=5)
    order = asks(room, 4)
    room.amends(order, at=order.price_ticks - 1)
    room.run(ms=100)
    if restart:
        room.restarts()
        room.run(s=1)
    assert OverDay(what="orders", count=5, limit=5) == room.buys(1)
    assert OverDay(what="orders", count=5, limit=5) == room.amends(order, at=order.price_ticks - 2)
    room.wall_ns += DAY_NS
    room.run(s=2)
    assert OrderState.LIVE is room.buys(1).state
    assert 1 == room.books.orders.day.orders_count


def test_cancels_of_a_day_stop_new_orders_and_never_a_cancel():
    room = a_daily_core(cancels_per_day_max=2)
    orders = [room.buys(1, at=BTC_TICKS - 1_000 - number) for number in range(4)]
    for order in orders[:2]:
        room.cancels(order)
    assert OverDay(what="cancels", count=2, limit=2) == room.buys(1)
    for order in orders[2:]:
        room.cancels(order)
        assert OrderState.CANCELLED is room.order(order.order_id).state
    assert 4 == room.books.orders.day.cancels_count


def test_fills_and_turnover_of_a_day_leave_only_the_way_out():
    room = a_daily_core(fills_per_day_max=1)
    room.takes(1, 10)
    assert OverDay(what="fills", count=1, limit=1) == room.takes(1, 10)
    assert 10 == room.position()
    assert OrderState.FILLED is room.targets(0).state, "what only reduces passes"

    room = a_daily_core(traded_e8_per_day_max=600 * E8)
    room.takes(1, 9)
    assert OrderState.FILLED is room.takes(1, 1).state
    traded = room.books.orders.day.traded_e8
    assert traded >= 600 * E8
    assert OverDay(what="traded", count=traded, limit=600 * E8) == room.takes(1, 1)


def test_a_tightened_day_is_in_force_at_once_and_a_loosened_one_too():
    room = a_daily_core()
    asks(room, 3)
    assert room.says("limit_set", limit="account.orders_per_day_max", value=3).accepted
    assert OverDay(what="orders", count=3, limit=3) == room.buys(1)


def test_the_day_is_a_fold_and_survives_a_snapshot():
    room = a_daily_core()
    order = asks(room, 3)
    room.takes(1, 10)
    room.cancels(order)
    room.says("flatten")
    room.run(s=5)
    day = room.books.orders.day
    assert (4, 3, 2) == (day.orders_count, day.cancels_count, day.fills_count)
    assert day.exits_count == len([1 for lane, _ in room.sent if lane is Lane.FLATTEN])
    assert day == folded(room.records).orders.day == decode_books(encode_books(room.books)).orders.day
    assert room.state.books_hash() == State(folded(room.records)).books_hash()
