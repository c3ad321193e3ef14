"""Conditional orders: they wait, trigger by last or mark, and become plain orders of the same client id."""

import pytest

from holdfast.sim.model import AlgoEvent, OrderEvent, TriggerRejectedEvent
from tests.sim.engine_house import BUY, SELL, WIDE, Venue, X, code_of, config


def long(lots=10):
    venue = Venue(quote=(1000, 1000, 1001, 1000))
    venue.trade(1000, 1, SELL)
    venue.place(venue.a, BUY, lots)
    return venue


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "quiet", "fires"),
    [
        (SELL, "STOP_MARKET", 990, 991, 990),
        (BUY, "STOP_MARKET", 1010, 1009, 1010),
        (SELL, "TAKE_PROFIT_MARKET", 1010, 1009, 1011),
        (BUY, "TAKE_PROFIT_MARKET", 990, 991, 989),
    ],
)
def test_a_conditional_order_triggers_at_its_price_and_not_before(side, kind, trigger, quiet, fires):
    venue = long()
    algo = venue.algo(venue.a, side, 5, kind, trigger)
    venue.trade(quiet, 1, SELL)
    assert "NEW" == algo.status
    venue.trade(fires, 1, SELL)
    order = venue.exchange.order(venue.a, X, algo.actual_order_id)
    assert ("FINISHED", "FILLED", 5) == (algo.status, order.status, algo.filled_lots)
    assert (algo.client_algo_id, "MARKET", kind) == (order.client_id, order.type, order.orig_type)


def test_its_events_come_in_the_order_of_its_life():
    venue = long()
    venue.told.clear()
    venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990)
    venue.trade(990, 1, SELL)
    told = [
        e.algo.status if isinstance(e, AlgoEvent) else e.execution
        for _, e in venue.told
        if isinstance(e, AlgoEvent | OrderEvent)
    ]
    assert ["NEW", "TRIGGERING", "TRIGGERED", "NEW", "TRADE", "FINISHED"] == told


def test_a_mark_trigger_does_not_look_at_the_last_price():
    venue = long()
    algo = venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990, working_type="MARK_PRICE")
    venue.trade(900, 1, SELL)
    assert "NEW" == algo.status
    venue.mark(990)
    assert "FINISHED" == algo.status


def test_a_last_trigger_does_not_look_at_the_mark():
    venue = long()
    algo = venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990)
    venue.mark(900)
    assert "NEW" == algo.status


def test_price_protection_waits_while_mark_and_last_are_far_apart():
    venue = long()
    venue.mark(1000)
    algo = venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990, price_protect=True)
    venue.trade(900, 1, SELL)
    assert "NEW" == algo.status
    venue.trade(985, 1, SELL)
    assert "FINISHED" == algo.status


def test_a_stop_limit_becomes_a_resting_limit_order():
    venue = long()
    algo = venue.algo(venue.a, SELL, 5, "STOP", 990, price_ticks=1003)
    venue.trade(990, 1, SELL)
    order = venue.exchange.order(venue.a, X, client_id=algo.client_algo_id)
    assert ("TRIGGERED", "LIMIT", 1003, "NEW") == (algo.status, order.type, order.price_ticks, order.status)
    assert [] == venue.exchange.open_algo_orders(venue.a)
    venue.cancel(venue.a, order)
    assert ("FINISHED", 0) == (algo.status, algo.filled_lots)


def test_one_that_would_trigger_at_once_is_refused():
    venue = long()
    assert -2021 == code_of(venue.algo, venue.a, SELL, 5, "STOP_MARKET", 1000)
    assert -2021 == code_of(venue.algo, venue.a, SELL, 5, "TAKE_PROFIT_MARKET", 999)
    assert {} == venue.a.open_algo_orders


def test_close_position_closes_whatever_is_there_then():
    venue = long(10)
    algo = venue.algo(venue.a, SELL, 0, "STOP_MARKET", 990, close_position=True)
    venue.place(venue.a, BUY, 7)
    venue.trade(990, 1, SELL)
    assert (0, 17, "FINISHED") == (venue.lots(venue.a), algo.filled_lots, algo.status)
    assert venue.exchange.order(venue.a, X, algo.actual_order_id).close_position


def test_close_position_with_nothing_to_close_expires():
    venue = long(10)
    algo = venue.algo(venue.a, SELL, 0, "STOP_MARKET", 990, close_position=True)
    venue.place(venue.a, SELL, 10)
    venue.trade(990, 1, SELL)
    assert ("EXPIRED", 0) == (algo.status, venue.lots(venue.a))


def test_what_makes_no_sense_together_is_refused():
    venue = long()
    place = venue.algo
    assert -4137 == code_of(place, venue.a, SELL, 5, "STOP_MARKET", 990, close_position=True)
    assert -1106 == code_of(
        place, venue.a, SELL, 0, "STOP_MARKET", 990, close_position=True, reduce_only=True
    )
    assert -4003 == code_of(place, venue.a, SELL, 0, "STOP_MARKET", 990)
    assert -4006 == code_of(place, venue.a, SELL, 5, "STOP_MARKET", 0)
    assert -4007 == code_of(place, venue.a, SELL, 5, "STOP_MARKET", 1 << 50)
    assert -1116 == code_of(place, venue.a, SELL, 5, "LIMIT", 990)
    assert -4031 == code_of(place, venue.a, SELL, 5, "STOP_MARKET", 990, working_type="INDEX")
    assert -4013 == code_of(place, venue.a, SELL, 5, "STOP", 990)
    venue.algo(venue.a, SELL, 0, "STOP_MARKET", 980, close_position=True)
    assert -4130 == code_of(place, venue.a, SELL, 0, "STOP_MARKET", 970, close_position=True)
    assert 0 == code_of(place, venue.a, SELL, 0, "TAKE_PROFIT_MARKET", 1100, close_position=True)


def test_a_reduce_only_stop_that_has_nothing_to_reduce_is_rejected_aloud():
    venue = long(10)
    algo = venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990, reduce_only=True)
    venue.place(venue.a, SELL, 10)
    venue.trade(990, 1, SELL)
    assert ("REJECTED", "ReduceOnly Order is rejected.") == (algo.status, algo.reject_reason)
    assert [algo.algo_id] == [e.order_id for e in venue.events(TriggerRejectedEvent)]
    assert (0, 0) == (venue.lots(venue.a), algo.actual_order_id)


def test_a_stop_beyond_the_margin_is_rejected_when_it_triggers():
    venue = Venue(quote=(1000, 10_000, 1001, 10_000))
    poor = venue.account("poor", usdt=10)
    venue.trade(1000, 1, SELL)
    algo = venue.algo(poor, BUY, 1000, "STOP_MARKET", 1010)
    venue.trade(1010, 1, BUY)
    assert ("REJECTED", "Margin is insufficient.") == (algo.status, algo.reject_reason)


def test_cancelling_conditional_orders_is_its_own_act():
    venue = long()
    first, second = (venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990) for _ in range(2))
    cancelled = venue.exchange.cancel_algo(venue.a, algo_id=first.algo_id, now_ns=venue.tick())
    assert "CANCELED" == cancelled.status
    assert -2011 == code_of(venue.exchange.cancel_algo, venue.a, algo_id=first.algo_id, now_ns=venue.tick())
    assert 1 == venue.exchange.cancel_all_algo(venue.a, X, venue.tick())
    assert "CANCELED" == second.status
    venue.trade(900, 1, SELL)
    assert 10 == venue.lots(venue.a)


def test_a_triggered_one_is_no_longer_there_to_cancel():
    venue = long()
    algo = venue.algo(venue.a, SELL, 5, "STOP", 990, price_ticks=1003)
    venue.trade(990, 1, SELL)
    assert -2011 == code_of(
        venue.exchange.cancel_algo, venue.a, client_algo_id=algo.client_algo_id, now_ns=venue.tick()
    )


def test_client_ids_are_shared_with_plain_orders():
    venue = long()
    venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990, client_id="one")
    assert -4116 == code_of(venue.algo, venue.a, SELL, 5, "STOP_MARKET", 990, client_id="one")
    assert -4116 == code_of(venue.place, venue.a, SELL, 5, 1005, client_id="one")
    venue.place(venue.a, SELL, 5, 1005, client_id="two")
    assert -4116 == code_of(venue.algo, venue.a, SELL, 5, "STOP_MARKET", 990, client_id="two")


def test_conditional_orders_are_limited_per_symbol():
    rules = type(WIDE)(price_up_ppm=10_000_000, price_down_ppm=1, max_algo_orders=2)
    venue = Venue(settings=config(rules_default=rules))
    for _ in range(2):
        venue.algo(venue.a, SELL, 5, "STOP_MARKET", 990)
    assert -4045 == code_of(venue.algo, venue.a, SELL, 5, "STOP_MARKET", 990)


# --- trailing stops -------------------------------------------------------------------------------------------


def test_a_trailing_stop_follows_the_best_price_and_never_moves_back():
    venue = long()
    algo = venue.algo(venue.a, SELL, 5, "TRAILING_STOP_MARKET", callback_ppm=10_000)
    assert 990 == algo.trigger_ticks
    venue.trade(1100, 1, BUY)
    assert 1089 == algo.trigger_ticks
    venue.trade(1090, 1, SELL)
    assert (1089, "NEW") == (algo.trigger_ticks, algo.status)
    venue.trade(1089, 1, SELL)
    assert "FINISHED" == algo.status


def test_a_trailing_buy_stop_mirrors_it():
    venue = long()
    algo = venue.algo(venue.a, BUY, 5, "TRAILING_STOP_MARKET", callback_ppm=10_000)
    venue.trade(900, 1, SELL)
    assert 909 == algo.trigger_ticks
    venue.trade(909, 1, BUY)
    assert "FINISHED" == algo.status


def test_a_trailing_stop_waits_for_its_activation_price():
    venue = long()
    algo = venue.algo(venue.a, SELL, 5, "TRAILING_STOP_MARKET", callback_ppm=10_000, activation_ticks=1050)
    venue.trade(900, 1, SELL)
    assert ("NEW", False) == (algo.status, algo.active)
    venue.trade(1050, 1, BUY)
    assert (True, 1039) == (algo.active, algo.trigger_ticks)
    assert -4135 == code_of(
        venue.algo, venue.a, SELL, 5, "TRAILING_STOP_MARKET", callback_ppm=10_000, activation_ticks=1040
    )
    assert -1130 == code_of(venue.algo, venue.a, SELL, 5, "TRAILING_STOP_MARKET", callback_ppm=1)
