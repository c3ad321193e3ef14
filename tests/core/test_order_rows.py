"""Every row of the order table is walked by the step itself, from what a venue or a person really says."""

import pytest

from holdfast.core.orders.lifecycle import NEVER_ASKED, NEXT
from holdfast.simulate.walked import counting, name_of
from holdfast.vocab.events import CallDone, OrderReported, TradeReported
from holdfast.vocab.orders import Did, OrderState
from holdfast.vocab.outcome import Fatal, Ok, Transient, Unknown
from holdfast.vocab.reports import NoSuchOrder, VenueStatus
from holdfast.vocab.requests import CancelOrder, PlaceOrder
from tests.house.events import a_trade_report, an_order_report
from tests.house.room import a_running_core
from tests.house.setup import WALL_NS

S, D, V = OrderState, Did, VenueStatus
REFUSED = Fatal(why="margin is insufficient", code="-2019")
NOT_NOW = Transient(why="too many requests", code="-1015")
SILENCE = Unknown(why="no answer")


def report(room, order, status, filled_lots=0):
    told = an_order_report(
        order.order_id, status=status, filled_lots=filled_lots, qty_lots=10, venue_ns=WALL_NS + 10**10
    )
    room.hears(OrderReported(wall_ns=0, mono_ns=0, report=told))


def trade(room, order, lots):
    told = a_trade_report(order.order_id, qty_lots=lots, venue_ns=WALL_NS + 10**10)
    room.hears(TradeReported(wall_ns=0, mono_ns=0, trade=told))


def answer(room, kind, outcome):
    """The oldest question of this kind that waits for its answer gets it."""
    call = next(call for call in room.held_calls if isinstance(call.request, kind))
    room.held_calls.remove(call)
    room.tell(CallDone(wall_ns=0, mono_ns=0, call_id=call.call_id, outcome=outcome))


def sent():
    room = a_running_core()
    room.holds_answers()
    return room, room.buys(10)


def then(act):
    def made():
        room, order = sent()
        act(room, order)
        return room, order

    return made


def never_shown():
    """Silence past the ack timeout, and the answer to placing it comes a minute late: it was not taken."""
    room = a_running_core()
    room.venue.will_answer(PlaceOrder, NOT_NOW)
    room.venue.slow = {PlaceOrder: 60_000}
    order = room.buys(10)
    room.run(ms=2_100)
    assert S.UNKNOWN is order.state
    return room, order


def proven_void():
    room, order = never_shown()
    room.run(s=30)
    return room, order


def signed_for():
    room, order = never_shown()
    assert room.says("resolve", order_id=order.order_id, reason="their desk says so").accepted
    return room, order


BEGIN = {
    S.SENT: sent,
    S.LIVE: then(lambda room, order: report(room, order, V.NEW)),
    S.CANCEL_SENT: then(lambda room, order: room.cancels(order)),
    S.UNKNOWN: then(lambda room, order: answer(room, PlaceOrder, SILENCE)),
    S.FILLED: then(lambda room, order: report(room, order, V.FILLED, 10)),
    S.CANCELLED: then(lambda room, order: report(room, order, V.CANCELLED)),
    S.EXPIRED: then(lambda room, order: report(room, order, V.EXPIRED)),
    S.REJECTED: then(lambda room, order: answer(room, PlaceOrder, REFUSED)),
    S.UNSENT: then(lambda room, order: answer(room, PlaceOrder, NOT_NOW)),
}
HAPPENS = {
    D.ACK: lambda room, order: report(room, order, V.NEW),
    D.PART_FILL: lambda room, order: trade(room, order, 4),
    D.FULL_FILL: lambda room, order: trade(room, order, 10),
    D.CANCEL_ASK: lambda room, order: room.says("cancel"),
    D.CANCEL_REFUSED: lambda room, order: (
        room.cancels(order),
        answer(room, CancelOrder, Ok(value=NoSuchOrder(client_id="x"))),
    ),
    D.CANCELLED: lambda room, order: report(room, order, V.CANCELLED),
    D.EXPIRED: lambda room, order: report(room, order, V.EXPIRED),
    D.REFUSED: lambda room, order: report(room, order, V.REJECTED),
    D.NOT_SENT: lambda room, order: answer(room, PlaceOrder, NOT_NOW),
    D.GO_SILENT: lambda room, order: answer(room, PlaceOrder, SILENCE),
    D.RESOLVED: lambda room, order: room.says(
        "resolve", order_id=order.order_id, reason="their desk says so"
    ),
}
# Rows with a beginning or a happening of their own.
OTHERWISE = {
    (S.LIVE, D.GO_SILENT): (BEGIN[S.LIVE], lambda room, order: answer(room, PlaceOrder, REFUSED)),
    (S.UNKNOWN, D.GO_SILENT): (
        then(lambda room, order: room.run(ms=2_100)),
        lambda room, order: answer(room, PlaceOrder, SILENCE),
    ),
    (S.UNKNOWN, D.NOT_SENT): (
        then(lambda room, order: room.run(ms=2_100)),
        lambda room, order: answer(room, PlaceOrder, NOT_NOW),
    ),
    (S.UNKNOWN, D.ABSENT): (never_shown, lambda room, order: room.run(s=30)),
    (S.CANCELLED, D.NOT_SENT): (signed_for, lambda room, order: room.run(s=60)),
    (S.UNSENT, D.NOT_SENT): (proven_void, lambda room, order: room.run(s=60)),
}
ROWS = [row for row in NEXT if row not in NEVER_ASKED]


@pytest.mark.parametrize(("state", "did"), ROWS, ids=lambda part: part.value)
def test_a_row_of_the_table_is_walked(state, did):
    """A row that nothing can bring about would be a promise that nobody has tried."""
    begins, happens = OTHERWISE.get((state, did)) or (BEGIN[state], HAPPENS[did])
    room, order = begins()
    assert state is order.state
    with counting() as walked:
        happens(room, order)
    assert walked.counted().get(name_of(state, did)), sorted(walked.counted())
    if did is not D.CANCEL_REFUSED:  # whoever is in doubt asks on at once
        assert NEXT[state, did] is order.state
    assert not room.alerted("order.illegal")
