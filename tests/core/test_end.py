"""The end: forbid, cancel, wait until everything is final and booked, and only then go."""

from holdfast.vocab.events import Stopping
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.refusals import Held
from holdfast.vocab.requests import (
    ArmDeadman,
    CancelAll,
    CancelOrder,
    QueryOrder,
    QueryPositions,
    QueryTrades,
)
from tests.house.room import a_running_core
from tests.house.setup import BTC, timings

S = OrderState


def stops(room):
    room.tell(Stopping(wall_ns=0, mono_ns=0, by="ann", reason="Ctrl-C"))


def test_with_nothing_open_it_ends_at_once():
    room = a_running_core()
    stops(room)
    assert "stopped by ann: Ctrl-C" == room.ended


def test_open_orders_are_cancelled_first():
    room = a_running_core(latency_ms=30)
    order = room.buys(10)
    room.run(ms=100)
    stops(room)
    assert room.ended is None
    assert isinstance(room.buys(1), Held)
    room.run(ms=500)
    assert S.CANCELLED is order.state
    assert room.ended


def test_a_position_stays_and_a_protective_order_with_it():
    room = a_running_core()
    room.targets(10)
    stop = room.wants_protection(10)
    stops(room)
    assert room.ended
    assert (10, S.LIVE) == (room.venue.position(), stop.state)


def test_it_waits_until_a_reported_fill_is_booked():
    """Books that end a fill short of the venue's would be found wrong at the next start."""
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.breaks(QueryTrades)
    room.takes(Side.BUY, 10)
    stops(room)
    room.run(s=3)
    assert room.ended is None
    room.venue.mends(QueryTrades)
    room.run(s=6)
    assert (10, True) == (room.position(), bool(room.ended))


def test_it_does_not_wait_for_ever_and_names_what_is_in_doubt():
    room = a_running_core()
    order = room.buys(10)
    for kind in (CancelAll, CancelOrder, QueryOrder):
        room.venue.breaks(kind)
    stops(room)
    room.run(s=14)
    assert room.ended is None
    room.run(s=2)
    assert room.ended
    assert str(order.order_id) in room.alerted("stop.unresolved")[0].text
    assert (order.order_id,) == room.unresolved


def test_only_what_the_stop_waited_for_is_called_in_doubt():
    """A protective stop rests on purpose: named beside a lost order it sends a person to look at the wrong one."""
    room = a_running_core()
    room.targets(10)
    stop = room.wants_protection(10)
    order = room.buys(10)
    for kind in (CancelAll, CancelOrder, QueryOrder):
        room.venue.breaks(kind)
    stops(room)
    room.run(s=16)
    assert S.LIVE is stop.state
    assert (order.order_id,) == room.unresolved
    assert str(stop.order_id) not in room.alerted("stop.unresolved")[0].text


def test_an_exit_that_cannot_end_is_not_cut_short_by_the_stop():
    """Blind, and still holding: ending here would leave a position that nobody works on."""
    room = a_running_core()
    room.targets(10)
    room.venue.breaks(QueryPositions)
    room.venue.takes = 0
    room.says("flatten")
    stops(room)
    room.run(s=40)
    assert room.ended is None
    room.venue.mends(QueryPositions)
    room.venue.takes = None
    room.run(s=6)
    assert room.ended


def test_nothing_arms_while_it_ends():
    """A user stream that flaps must not lift the hold of a stop, with arm = auto or by hand."""
    room = a_running_core()
    room.buys(10)
    room.venue.breaks(CancelAll)
    room.venue.breaks(CancelOrder)
    stops(room)
    room.stream_is(up=False)
    room.stream_is(up=True)
    assert "startup" in room.causes()
    assert not room.says("arm").accepted


def test_hardstop_gets_flat_and_then_ends():
    room = a_running_core()
    room.targets(10)
    room.says("hardstop")
    assert room.ended is None
    room.run(s=3)
    assert (0, True) == (room.venue.position(), bool(room.ended))
    assert ["hardstop"] == room.causes()


def test_an_exit_under_way_is_finished_before_the_end():
    room = a_running_core()
    room.targets(10)
    room.says("flatten")
    stops(room)
    assert room.ended is None
    room.run(s=4)
    assert (0, True) == (room.venue.position(), bool(room.ended))


def test_the_end_of_an_exit_in_one_instrument_is_not_the_end_of_the_stop():
    """Orders elsewhere must be final too."""
    room = a_running_core()
    room.targets(10)
    order = room.buys(50, instrument="ETHUSDT")
    for kind in (CancelAll, CancelOrder):
        room.venue.breaks(kind)
    room.says("flatten", instrument=BTC)
    stops(room)
    room.run(s=5)
    assert room.flat_claims
    assert room.ended is None
    assert S.CANCEL_SENT is order.state


def test_the_dead_man_switch_is_not_armed_any_more_once_it_ends():
    room = a_running_core(timings=timings(deadman_ms=4_000))
    room.buys(10)
    room.venue.breaks(CancelAll)
    room.venue.breaks(CancelOrder)
    room.run(ms=100)
    stops(room)
    before = len(room.venue.asked_for(ArmDeadman))
    room.run(s=3)
    assert before == len(room.venue.asked_for(ArmDeadman))
