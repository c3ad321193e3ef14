"""The gate's second door: an amend is judged as a new order of the new size, less what it already has."""

import pytest

from holdfast.core.gate.gate import judge_amend
from holdfast.vocab.events import AmendIntent
from holdfast.vocab.orders import OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.refusals import BadTerms, OverGross, OverParent
from tests.core.gate_table import LOT_E8
from tests.house.desks import a_desk
from tests.house.setup import BTC, BTC_TICKS, MONO_NS, WALL_NS, account_limits


def verdict(desk, *, lots, parent_id, side=Side.BUY):
    """An order of 10 lots with 4 filled, amended to ``lots``."""
    intent = AmendIntent(
        wall_ns=WALL_NS,
        mono_ns=MONO_NS,
        strategy="alpha",
        intent_seq=1,
        instrument=BTC,
        order_id=1,
        qty_lots=lots,
        price_ticks=BTC_TICKS,
    )
    terms = OrderTerms(BTC, side, 10, OrderType.LIMIT, TimeInForce.GTC, BTC_TICKS)
    return judge_amend(intent, desk, terms=terms, open_lots=6, filled_lots=4, parent_id=parent_id)


@pytest.mark.parametrize(
    ("lots", "refusal"),
    [
        (10, None),
        (12, None),
        (13, OverParent(parent_id=3, would_be_lots=21, parent_lots=20)),
    ],
)
def test_a_child_grows_up_to_its_parent(lots, refusal):
    assert refusal == verdict(a_desk(parents={3: (20, 18)}), lots=lots, parent_id=3)


def test_a_child_of_a_parent_that_is_over_does_not_grow():
    """Nobody counts its siblings any more: what they had cannot be known."""
    desk = a_desk(forgotten_parent=3)
    assert BadTerms(why="that parent is over: a new one has a larger number") == verdict(
        desk, lots=11, parent_id=3
    )
    assert verdict(a_desk(), lots=10, parent_id=3) is None


def test_an_amend_leaves_the_desk_as_it_was():
    """It is judged without the order's own lots, and these must count again whatever the answer."""
    desk = a_desk(open_buys=6, open_orders=1, duplicate_window_ms=500)
    before = desk.my_open, desk.all_open, desk.recent, desk.account.open_orders_count
    verdict(desk, lots=81, parent_id=0)
    assert before == (desk.my_open, desk.all_open, desk.recent, desk.account.open_orders_count)
    assert 1 == desk.last_intent_seq


@pytest.mark.parametrize(("side", "other"), [(Side.BUY, "open_sells"), (Side.SELL, "open_buys")])
@pytest.mark.parametrize(("gross", "refused"), [(50, False), (49, True)])
def test_what_is_open_on_the_other_side_counts_in_full(side, other, gross, refused):
    """50 lots the other way are the worst case, whatever becomes of an order of 6 on this side."""
    mine = "open_buys" if side is Side.BUY else "open_sells"
    desk = a_desk(**{mine: 6, other: 50}, account=account_limits(gross_notional_e8_max=gross * LOT_E8))
    assert refused is isinstance(verdict(desk, lots=10, parent_id=0, side=side), OverGross)
