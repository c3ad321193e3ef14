"""What happens by itself: the dead-man countdown, and that time is never skipped over."""

from holdfast.sim import timetable
from holdfast.sim.model import OrderEvent
from tests.sim.engine_house import BUY, SELL, S, Venue, X, a_spec, code_of


def test_the_countdown_cancels_the_plain_orders_of_its_symbol():
    """Conditional orders stay: the venue's dead-man switch does not know them."""
    venue = Venue(specs=[a_spec(), a_spec("YUSDT")])
    venue.quote(1000, 5, 1001, 5, symbol="YUSDT")
    order = venue.place(venue.a, BUY, 5, 990)
    other = venue.place(venue.a, BUY, 5, 990, symbol="YUSDT")
    foreign = venue.place(venue.b, BUY, 5, 990)
    stop = venue.algo(venue.a, SELL, 5, "STOP_MARKET", 900)
    venue.exchange.countdown(venue.a, X, 5000, venue.tick())
    due = venue.now_ns + 5 * S
    assert due == venue.exchange.next_due_ns()
    venue.wait(5 * S)
    assert ("CANCELED", due) == (order.status, order.updated_ns)
    assert ["NEW"] * 3 == [other.status, foreign.status, stop.status]
    assert due == venue.events(OrderEvent)[-1].now_ns


def test_asking_again_moves_the_countdown_and_zero_disarms_it():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 990)
    venue.exchange.countdown(venue.a, X, 5000, venue.tick())
    venue.tick(4 * S)
    venue.exchange.countdown(venue.a, X, 5000, venue.tick())
    venue.wait(4 * S)
    assert "NEW" == order.status
    venue.exchange.countdown(venue.a, X, 0, venue.tick())
    assert 0 == venue.exchange.countdown_due_ns(venue.a, X)
    venue.wait(60 * S)
    assert "NEW" == order.status


def test_an_expired_countdown_stays_off():
    venue = Venue()
    venue.exchange.countdown(venue.a, X, 5000, venue.tick())
    venue.wait(6 * S)
    order = venue.place(venue.a, BUY, 5, 990)
    venue.wait(60 * S)
    assert "NEW" == order.status


def test_what_is_due_happens_before_a_later_request_or_market_event():
    venue = Venue()
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.exchange.countdown(venue.a, X, 5000, venue.tick())
    venue.tick(10 * S)
    venue.trade(990, 100, SELL)
    assert ("CANCELED", 0) == (order.status, order.filled_lots)
    order = venue.place(venue.a, BUY, 5, 1000)
    venue.exchange.countdown(venue.a, X, 5000, venue.tick())
    venue.tick(10 * S)
    assert -2011 == code_of(venue.cancel, venue.a, order)


def test_a_countdown_below_zero_is_refused():
    venue = Venue()
    assert -1130 == code_of(venue.exchange.countdown, venue.a, X, -1, venue.tick())


def test_dates_of_finished_orders_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(timetable, "_DATES_MAX", 5)
    venue = Venue()
    kept = venue.place(venue.a, BUY, 1, 990, tif="GTD", good_till_ns=venue.now_ns + 700 * S)
    for _ in range(50):
        venue.cancel(
            venue.a, venue.place(venue.a, BUY, 1, 990, tif="GTD", good_till_ns=venue.now_ns + 700 * S)
        )
    assert len(venue.exchange._timetable._good_till) <= 6
    venue.wait(701 * S)
    assert "EXPIRED" == kept.status


def test_countdowns_fire_in_the_order_of_their_times():
    venue = Venue()
    first = venue.place(venue.a, BUY, 5, 990)
    second = venue.place(venue.b, BUY, 5, 990)
    venue.exchange.countdown(venue.a, X, 9000, venue.tick())
    venue.exchange.countdown(venue.b, X, 5000, venue.tick())
    venue.wait(60 * S)
    assert second.updated_ns < first.updated_ns
    assert ["b", "a"] == [name for name, e in venue.told if type(e) is OrderEvent][-2:]
