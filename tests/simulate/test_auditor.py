"""The auditor's own rules, where a storm alone would show a false one late."""

import pytest

from holdfast.simulate.auditor import Auditor, Violation
from holdfast.vocab.effects import Call
from holdfast.vocab.events import CallDone
from holdfast.vocab.facts import ForeignOrderSeen, OrderApproved, OrderMoved
from holdfast.vocab.orders import Did, Lane, OrderState, Side
from holdfast.vocab.outcome import Ok
from holdfast.vocab.reports import VenueStatus
from holdfast.vocab.requests import QueryOrder
from tests.house.events import BTC, MONO_NS, WALL_NS, an_order_report, terms
from tests.house.setup import ETH

ASKED_OF, OTHER = 1, 2
BUY, SELL = Side.BUY, Side.SELL


class StillWorld:
    """Nothing happens in it: all that the rules here ask of the world is the time."""

    def now_mono_ns(self):
        return MONO_NS


def an_answer_about_one_of_two():
    """An auditor that knows two exits, and has just heard the answer to a question about the first."""
    auditor = Auditor(StillWorld())
    for order_id in (ASKED_OF, OTHER):
        auditor.record(
            auditor.count,
            OrderApproved(
                order_id=order_id,
                strategy="",
                intent_seq=0,
                lane=Lane.FLATTEN,
                terms=terms(reduce_only=True),
                reference_ticks=1,
                decision_ticks=None,
                approved_mono_ns=MONO_NS,
            ),
        )
    question = QueryOrder(order_id=ASKED_OF, instrument=BTC)
    auditor.asks(Call(call_id=7, lane=Lane.READ, request=question, asked_mono_ns=MONO_NS))
    report = an_order_report(order_id=ASKED_OF, status=VenueStatus.CANCELLED)
    auditor.record(
        auditor.count, CallDone(wall_ns=WALL_NS, mono_ns=MONO_NS, call_id=7, outcome=Ok(value=report))
    )
    return auditor


def moved(order_id, did, state):
    return OrderMoved(order_id=order_id, did=did, state=state, venue_order_id="", why="", mono_ns=MONO_NS)


def test_an_answer_moves_no_order_but_its_own():
    auditor = an_answer_about_one_of_two()
    auditor.record(auditor.count, moved(ASKED_OF, Did.CANCELLED, OrderState.CANCELLED))
    with pytest.raises(Violation, match="I19 an outcome is of its own order"):
        auditor.record(auditor.count, moved(OTHER, Did.CANCELLED, OrderState.CANCELLED))


def test_what_is_asked_upon_an_answer_is_no_outcome():
    """An exit goes on when another order has ended: what rests too long is cancelled and priced anew."""
    auditor = an_answer_about_one_of_two()
    auditor.record(auditor.count, moved(ASKED_OF, Did.CANCELLED, OrderState.CANCELLED))
    auditor.record(auditor.count, moved(OTHER, Did.CANCEL_ASK, OrderState.CANCEL_SENT))
    assert OrderState.CANCEL_SENT is auditor.orders[OTHER].state


def test_somebody_elses_orders_are_told_apart_by_more_than_the_venues_id():
    """The very fault that it is there to find must not be its own."""
    auditor = Auditor(StillWorld())

    def seen(instrument, side, lots, *, conditional=False):
        fact = ForeignOrderSeen(
            venue_order_id="7", instrument=instrument, side=side, open_lots=lots, conditional=conditional
        )
        auditor.record(auditor.count, fact)
        return [auditor.open["*", name, int(way)] for name, way in ((BTC, BUY), (ETH, BUY), (BTC, SELL))]

    assert [100, 0, 0] == seen(BTC, BUY, 100)
    assert [100, 400, 0] == seen(ETH, BUY, 400)
    assert [100, 400, 40] == seen(BTC, SELL, 40, conditional=True)
    assert [0, 400, 40] == seen(BTC, BUY, 0)
    assert [0, 0, 40] == seen(ETH, BUY, 0)
    assert [0, 0, 0] == seen(BTC, SELL, 0, conditional=True)
