"""List, cancel, list: until the venue itself shows none."""

import threading
import time

import pytest

from holdfast.watchdog.cancel import cancel_all
from tests.house.simulated import BUY
from tests.watchdog.conftest import eventually, some_orders


@pytest.fixture
def laden(venue):
    """Plain and conditional orders in two symbols, one of them protective."""
    for number in range(3):
        venue.order(BUY, "0.010", str(30_000 + number))
    venue.order(BUY, "0.10", "1000", symbol="ETHUSDT")
    venue.order(BUY, "0.010")
    client = venue.client()
    venue.stop_order(client, reduces=True)
    venue.stop_order(client, BUY, reduces=False)
    assert (4, 2) == venue.open_count()
    return venue


def test_everything_goes_in_every_symbol_conditional_orders_too(laden, asked):
    assert "" == cancel_all(laden.client(), some_orders(), asked.asks, keep_protective=False)
    assert (0, 0) == laden.open_count()


def test_what_protects_a_position_stays_where_that_is_the_policy(laden, asked):
    """With the stop-loss cancelled as well, a dead bot's position has no end."""
    assert "" == cancel_all(laden.client(), some_orders(), asked.asks, keep_protective=True)
    (left,) = laden.truth()["open_algo_orders"]
    assert left["reduce_only"]
    assert (0, 1) == laden.open_count()


def test_a_venue_that_refuses_at_first_is_asked_again(laden, asked):
    """D6: the cancels of the one that mattered were not processed either."""
    laden.fault("refuse", method="DELETE", path="/fapi/v1/*", http=503, code=-1001, count=5)
    laden.fault("reset", method="GET", path="/fapi/v1/openOrders", count=2)
    assert "" == cancel_all(laden.client(), some_orders(), asked.asks, keep_protective=False)
    assert (0, 0) == laden.open_count()
    assert any("cancel BTCUSDT" in text for text in asked.said), asked.said
    assert any(text.startswith("list: ") for text in asked.said), asked.said


def test_a_protective_order_that_cannot_be_told_apart_is_asked_one_by_one_again(laden, asked):
    laden.fault("refuse", method="DELETE", path="/fapi/v1/algoOrder", http=400, code=-1102, count=1)
    assert "" == cancel_all(laden.client(), some_orders(), asked.asks, keep_protective=True)
    assert (0, 1) == laden.open_count()


def test_an_order_that_arrives_late_is_found_by_a_later_list(venue, asked):
    """What was on its way when the bot died lands after a first, empty list: it counts only once its window is over."""
    venue.order(BUY, "0.010")
    left = []
    orders = some_orders(window_s=1.0, read_gap_s=0.1)
    thread = threading.Thread(
        target=lambda: left.append(cancel_all(venue.client(), orders, asked.asks, keep_protective=False))
    )
    began = time.monotonic()
    thread.start()
    time.sleep(0.4)
    venue.order(BUY, "0.010", "30000")
    thread.join(20)
    assert [""] == left
    assert (0, 0) == venue.open_count()
    assert time.monotonic() - began > 1.0


def test_what_takes_too_long_is_said_once_by_name_and_goes_on(laden, asked):
    laden.fault("refuse", method="DELETE", path="*", http=503, code=-1001)
    left = []
    orders = some_orders(escalate_after_s=0.3)
    thread = threading.Thread(
        target=lambda: left.append(cancel_all(laden.client(), orders, asked.asks, keep_protective=False))
    )
    thread.start()
    eventually(lambda: asked.late, "it is said")
    time.sleep(0.5)
    laden.heal()
    thread.join(20)
    assert [""] == left
    (said,) = asked.late
    assert "not cancelled after 0.3 s: 6 open: BTCUSDT order" in said


def test_a_list_that_is_long_is_named_in_part(venue, asked):
    for number in range(12):
        venue.order(BUY, "0.010", str(30_000 + number))
    venue.fault("refuse", method="DELETE", path="*", http=503, code=-1001, count=1)
    orders = some_orders(escalate_after_s=-1.0)
    assert "" == cancel_all(venue.client(), orders, asked.asks, keep_protective=False)
    assert "and 2 more" in asked.late[0]


def test_it_stops_where_the_fence_is_taken_down(laden, asked):
    """A person who armed the bot again does not want its orders cancelled behind it."""
    asked.fenced = False
    left = cancel_all(laden.client(), some_orders(), asked.asks, keep_protective=False)
    assert "the venue has not been heard; stopped" in left
    assert (4, 2) == laden.open_count()
