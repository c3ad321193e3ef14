"""The port's way there and back: latency, faults, and a user stream that comes and goes."""

import asyncio

import pytest

from holdfast.sim.port import Latency, NoFaults, SimVenuePort
from holdfast.vocab.events import OrderReported, StreamChanged
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Transient, Unknown
from holdfast.vocab.reports import Clock, VenueStatus
from holdfast.vocab.requests import CancelOrder, MeasureClock
from tests.sim.engine_house import MS, T0, S, Venue, X
from tests.sim.port_house import A_BID, TAG, Bench, VirtualTime, delayed


def test_latency_delays_the_act_the_answer_and_the_event():
    """An event overtakes its own acknowledgement, as it does in life."""
    bench = delayed()
    start, answers = bench.time.now, []
    bench.port.submit(A_BID, Lane.RISK, lambda: None, lambda o: answers.append((bench.time.now - start, o)))
    bench.time.run(start + 2 * MS)
    assert {} == bench.venue.a.orders
    bench.time.run(start + 10 * MS)
    (order,) = bench.venue.a.orders.values()
    assert T0 + start + 3 * MS == order.created_ns
    assert [start + 4 * MS] == [event.mono_ns for event in bench.heard]
    assert [5 * MS] == [at for at, _ in answers]


def test_latency_needs_a_scheduler():
    venue = Venue()
    with pytest.raises(ValueError, match="scheduler"):
        SimVenuePort(
            venue.exchange, venue.a, account_tag=TAG, clock=VirtualTime(), latency=Latency(reply_ns=1)
        )


class Gremlin(NoFaults):
    """Loses answers, answers in the venue's place, and delivers events as told."""

    def __init__(self, *, instead=None, lose=False, delays=(0,)):
        self.instead, self.lose, self.delays = instead, lose, delays

    def before_call(self, request, lane, now_ns):
        return self.instead

    def after_call(self, request, outcome, now_ns):
        return Unknown(why="the answer was lost") if self.lose else outcome

    def on_event(self, event, now_ns):
        return self.delays


def test_a_lost_answer_hides_an_order_that_is_there():
    bench = Bench(faults=Gremlin(lose=True))
    assert isinstance(bench.place(1), Unknown)
    assert 1 == len(bench.venue.a.open_orders)


def test_an_answer_in_the_venues_place_leaves_it_untouched():
    bench = Bench(faults=Gremlin(instead=Transient(why="no route")))
    assert Transient(why="no route") == bench.place(1)
    assert {} == bench.venue.a.orders


def test_events_may_be_dropped_repeated_and_delayed():
    bench = Bench(faults=Gremlin(delays=()))
    bench.place(1)
    assert [] == bench.heard
    bench = Bench(faults=Gremlin(delays=(0, 0)))
    bench.place(1)
    assert 2 == len(bench.heard)
    bench = delayed(faults=Gremlin(delays=(0, 7 * MS)))
    start = bench.time.now
    bench.port.submit(A_BID, Lane.RISK, lambda: None, lambda _: None)
    bench.time.run(start + S)
    assert [4 * MS, 11 * MS] == [event.mono_ns - start for event in bench.heard]


def test_what_was_on_its_way_to_a_lost_connection_is_lost():
    bench = delayed()
    start = bench.time.now
    bench.port.submit(A_BID, Lane.RISK, lambda: None, lambda _: None)
    bench.time.run(start + 3 * MS)
    bench.port.stream_down("cut")
    bench.port.stream_up()
    bench.time.run(start + S)
    assert [(False, "cut"), (True, "connected")] == [(event.up, event.why) for event in bench.heard]
    assert all(isinstance(event, StreamChanged) for event in bench.heard)


def test_what_happens_while_the_stream_is_down_is_not_told():
    bench = Bench()
    bench.port.stream_down("cut")
    bench.place(1)
    bench.port.stream_up()
    assert [False, True] == [event.up for event in bench.heard]


def test_the_clock_report_tells_the_offset():
    bench = Bench(venue_offset_ns=12 * S)
    assert Ok(value=Clock(offset_ns=12 * S, rtt_ns=0)) == bench.ask(MeasureClock(), Lane.READ)
    assert T0 + bench.time.now + 12 * S == bench.port.venue_now_ns()


def test_events_wait_until_they_are_drained():
    """Nothing that an event causes may run inside the engine."""
    bench = Bench()
    bench.port.answer(A_BID, Lane.RISK, lambda: None, bench.venue.tick())
    assert [] == bench.heard
    assert 1 == bench.port.drain()
    assert 1 == len(bench.heard)


def test_what_an_event_causes_is_drained_too():
    bench = Bench()
    follow = [CancelOrder(order_id=1, venue_order_id="", instrument=X)]

    def react(event):
        bench.heard.append(event)
        if isinstance(event, OrderReported) and follow:
            bench.port.answer(follow.pop(), Lane.CANCEL, lambda: None, bench.venue.tick())

    bench.port.attach(react)
    bench.heard.clear()
    bench.port.answer(A_BID, Lane.RISK, lambda: None, bench.venue.tick())
    bench.port.drain()
    assert [VenueStatus.NEW, VenueStatus.CANCELLED] == [
        event.report.status for event in bench.heard if isinstance(event, OrderReported)
    ]


def test_the_asynchronous_call_answers_the_same():
    bench = Bench()
    outcome = asyncio.run(bench.port.call(A_BID, Lane.RISK, lambda: None))
    assert isinstance(outcome, Ok)
    assert bench.heard[0].report == outcome.value
    asyncio.run(bench.port.close())
    bench.place(2)
    assert 1 == len(bench.heard)
