"""The gate: each check refuses with its typed refusal and its numbers, and passes at the very limit."""

import pytest

from holdfast.core.gate import checks
from holdfast.core.gate.gate import Approved, judge
from holdfast.journal.codec import encode_record, split_records
from holdfast.vocab.facts import IntentRefused
from holdfast.vocab.orders import Lane, OrderType, Side
from holdfast.vocab.refusals import DuplicateIntent, Held, NotReducing, Refusal
from tests.core.gate_cases import CASES
from tests.house.desks import a_desk
from tests.house.events import an_intent
from tests.house.room import a_running_core
from tests.house.setup import BTC_TICKS, MONO_NS


def verdict(one):
    found = judge(an_intent(**one.intent), a_desk(**one.desk))
    return None if isinstance(found, Approved) else found


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_the_gate_decides_at_the_edge(one):
    """One lot, one tick or one millisecond more than the limit is over it; the limit itself is not."""
    assert one.refusal == verdict(one)


@pytest.mark.parametrize("check", checks.RISK_CHECKS, ids=lambda check: check.__name__)
def test_no_check_can_be_taken_out_unnoticed(check, monkeypatch):
    """A check that never failed is not a check: without it, some row of the table must come out wrong."""
    monkeypatch.setattr(checks, check.__name__, lambda intent, desk: None)

    wrong = [one.name for one in CASES if one.refusal != verdict(one)]

    assert wrong
    assert {check} == {one.check for one in CASES if one.name in wrong}, wrong


def test_every_check_of_the_table_is_asked_in_its_order():
    """They are written out for speed: one forgotten there would be a limit that does not limit."""
    asked = checks.first_refusal.__code__.co_names
    assert tuple(check.__name__ for check in checks.RISK_CHECKS) == asked


@pytest.mark.parametrize("check", checks.RISK_CHECKS, ids=lambda check: check.__name__)
def test_every_check_is_seen_passing_and_refusing(check):
    mine = [one for one in CASES if one.check is check]
    assert any(one.refusal is None for one in mine)
    assert any(one.refusal is not None for one in mine)


def test_an_approval_carries_exactly_what_was_asked():
    """The gate passes or refuses; it never alters an order."""
    intent = an_intent(qty_lots=7, price_ticks=BTC_TICKS - 3, decision_ticks=BTC_TICKS, intent_seq=5)

    approved = judge(intent, a_desk())

    assert isinstance(approved, Approved)
    assert ("alpha", 5, Lane.RISK) == (approved.strategy, approved.intent_seq, approved.lane)
    assert (7, BTC_TICKS - 3, Side.BUY) == (
        approved.terms.qty_lots,
        approved.terms.price_ticks,
        approved.terms.side,
    )
    assert (BTC_TICKS, BTC_TICKS) == (approved.reference_ticks, approved.decision_ticks)


def test_a_number_passes_once():
    desk = a_desk()
    assert isinstance(judge(an_intent(intent_seq=3), desk), Approved)
    assert DuplicateIntent(intent_seq=3) == judge(an_intent(intent_seq=3), desk)
    assert isinstance(judge(an_intent(intent_seq=4), desk), Approved)


def test_a_refused_number_is_used_up():
    """Its sender was told no: a copy of it that comes later must not pass."""
    desk = a_desk()
    assert not isinstance(judge(an_intent(intent_seq=3, qty_lots=81), desk), Approved)
    assert DuplicateIntent(intent_seq=3) == judge(an_intent(intent_seq=3), desk)


def test_the_same_order_again_within_the_window_is_refused():
    """Fat fingers and stuck loops send the same order twice; a number of its own does not excuse it."""
    desk = a_desk(duplicate_window_ms=500)
    assert isinstance(judge(an_intent(intent_seq=1), desk), Approved)
    later = {"mono_ns": MONO_NS + 499_999_999}
    assert DuplicateIntent(intent_seq=2) == judge(an_intent(intent_seq=2, **later), desk)
    assert isinstance(judge(an_intent(intent_seq=3, qty_lots=11, **later), desk), Approved)
    assert isinstance(judge(an_intent(intent_seq=4, side=Side.SELL, **later), desk), Approved)
    assert isinstance(judge(an_intent(intent_seq=5, mono_ns=MONO_NS + 500_000_000), desk), Approved)


def test_a_market_order_again_within_the_window_is_refused_too():
    """It has no price to be told apart by: its side and size are enough."""
    desk = a_desk(duplicate_window_ms=500)
    market = {"order_type": OrderType.MARKET, "price_ticks": None}
    assert isinstance(judge(an_intent(intent_seq=1, **market), desk), Approved)
    assert DuplicateIntent(intent_seq=2) == judge(an_intent(intent_seq=2, **market), desk)


def test_the_memory_of_recent_orders_is_bounded():
    desk = a_desk(duplicate_window_ms=500)
    for number in range(1, 200):
        judge(an_intent(intent_seq=number, price_ticks=BTC_TICKS + number), desk)
    assert checks.RECENT_KEPT_MAX == len(desk.recent)


@pytest.mark.parametrize("side", [Side.SELL, Side.BUY])
def test_a_protective_stop_stands_behind_the_exits_not_beside_them(side):
    """A stop for the whole position must not forbid leaving it by hand."""
    desk = a_desk(position=-side * 10)
    desk.all_open.add(10, side=side, protective=True)
    desk.my_open.add(10, side=side, protective=True)

    assert isinstance(judge(an_intent(side=side, reduce_only=True), desk), Approved)
    assert NotReducing(position_lots=-side * 10, reducing_lots=0, qty_lots=11) == judge(
        an_intent(side=side, reduce_only=True, qty_lots=11, intent_seq=2), desk
    )


@pytest.mark.parametrize(
    ("desk", "e8"),
    [
        ({"position": 3}, 3 * 600_000),
        ({"position": -3}, 3 * 600_000),
        ({"position": 3, "open_buys": 4}, 7 * 600_000),
        ({"position": 3, "open_sells": 10}, 7 * 600_000),
        ({"position": 3, "ask": 600_006}, 3 * 600_001),
        ({"position": 3, "mark": 600_009}, 3 * 600_009),
        ({"position": 3, "mark": 599_000}, 3 * 600_000),
        ({"position": -3, "open_buys": 10}, 7 * 600_000),
        ({"position": -3, "open_sells": 4}, 7 * 600_000),
        ({"position": 3, "last": 600_007, "mark": 599_000}, 3 * 600_007),
        ({"position": 3, "quoted": False}, 0),
    ],
)
def test_an_instruments_notional_at_worst_case(desk, e8):
    """What the account's sum is made of: the larger side, at the largest known price, rounded up."""
    assert e8 * 10_000 == a_desk(**desk).exposure.gross_e8


def test_a_desk_whose_level_was_set_without_a_hold_still_refuses():
    """Missing is a refusal: a desk is born HALTED, before anybody folded the holds."""
    desk = a_desk(level=a_desk().level.HALTED)
    desk.hold = None
    found = judge(an_intent(), desk)
    assert isinstance(found, Held)
    assert 0 == found.hold_id


def test_every_refusal_can_be_told_apart():
    """Programs count them by tag."""
    kinds = {type(one.refusal) for one in CASES if one.refusal is not None}
    assert 31 == len(kinds)
    assert all(isinstance(kind.__struct_config__.tag, str) for kind in kinds)
    assert kinds <= set(Refusal.__args__)


def test_a_refusal_of_absurd_numbers_can_be_written_down():
    """One strategy's bug, a price of a million times a million ticks, must not end everybody's journal."""
    room = a_running_core()
    room.buys(50, at=10**18)

    (refused,) = room.facts_of(IntentRefused)
    assert (1 << 63) - 1 == refused.refusal.notional_e8
    assert [(0, refused)] == split_records(encode_record([refused]), 0)
