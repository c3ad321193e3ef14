"""The plan of an exit and the flatten lane's own door: bounded, clipped, reduce-only, one in flight."""

import pytest

from holdfast.core.gate.gate import Approved, judge_exit
from holdfast.core.incident.flatten import plan_exit, reference_of
from holdfast.core.ingest.market import market_of, take_mark, take_quote, take_trade
from holdfast.core.views import ExitPlan
from holdfast.vocab.orders import Lane, OrderState, OrderType, Side, TimeInForce
from holdfast.vocab.refusals import (
    NoReference,
    NotReducing,
    OutsideCollar,
    OverOrderSize,
    OverPosition,
)
from tests.house.events import a_mark, a_print, a_quote
from tests.house.setup import BTC, BTC_TICKS, MONO_NS, a_spec, instrument_limits, timings

BUY, SELL = Side.BUY, Side.SELL
S = OrderState


def a_market(quoted=True, mark=None):
    market = market_of(instrument_limits(), timings())
    if quoted:
        take_quote(market, a_quote())
    if mark is not None:
        take_mark(market, a_mark(price=mark))
    return market


def reference(market, *, age_ms=0, word=0):
    return reference_of(
        market, now_mono_ns=MONO_NS + age_ms * 10**6, fresh_ns_max=10**9, word_mark_ticks=word
    )


def test_the_reference_is_the_best_price_that_is_known():
    """Stale is better than nothing here: an exit that is bounded by an old price still gets out or does nothing."""
    assert BTC_TICKS == reference(a_market(mark=600_500), word=599_000)
    assert BTC_TICKS == reference(a_market(mark=600_500), age_ms=1_000, word=599_000)
    assert 599_000 == reference(a_market(mark=600_500), age_ms=1_001, word=599_000)
    assert 600_500 == reference(a_market(mark=600_500), age_ms=1_001)
    assert BTC_TICKS == reference(a_market(), age_ms=999_999)
    only_a_print = a_market(quoted=False)
    take_trade(only_a_print, a_print(price=600_321))
    assert 600_321 == reference(only_a_print)
    assert 0 == reference(a_market(quoted=False))


def plan(held, *, wanted=None, patient=False, reference_ticks=BTC_TICKS, quoted=True, spec=None):
    return plan_exit(
        spec=a_spec() if spec is None else spec,
        limits=instrument_limits(),
        market=a_market(quoted),
        held_lots=held,
        wanted_lots=abs(held) if wanted is None else wanted,
        reference_ticks=reference_ticks,
        patient=patient,
    )


@pytest.mark.parametrize(
    ("held", "side", "lots", "price"),
    [(30, SELL, 30, 588_000), (-30, BUY, 30, 612_000), (250, SELL, 100, 588_000)],
)
def test_an_exit_in_a_hurry_takes_one_clip_inside_its_collar(held, side, lots, price):
    found = plan(held)
    assert (side, lots, price, TimeInForce.IOC) == (found.side, found.qty_lots, found.price_ticks, found.tif)


def test_a_patient_exit_rests_at_the_near_touch():
    assert (600_005, TimeInForce.GTC) == ((found := plan(30, patient=True)).price_ticks, found.tif)
    assert 599_995 == plan(-30, patient=True).price_ticks
    assert 500_000 == plan(30, patient=True, reference_ticks=500_000).price_ticks  # never out of the collar
    edge = plan(30, patient=True, reference_ticks=588_240)  # 11,765 ticks away: two percent, rounded down
    assert 588_240 == edge.price_ticks
    assert 600_005 == plan(30, patient=True, reference_ticks=588_241).price_ticks
    blind = plan(30, patient=True, quoted=False)
    assert (588_000, TimeInForce.IOC) == (blind.price_ticks, blind.tif)  # no touch to rest at


def test_with_no_price_at_all_only_a_market_order_is_left():
    found = plan(300, reference_ticks=0, quoted=False, spec=a_spec(market_lots_max=40))
    assert (None, 40, TimeInForce.IOC) == (found.price_ticks, found.qty_lots, found.tif)


def test_an_exit_closes_no_more_than_it_may():
    assert 7 == plan(30, wanted=7).qty_lots


def an_exit(**changes):
    fields = {
        "instrument": BTC,
        "side": SELL,
        "qty_lots": 10,
        "price_ticks": 588_000,
        "tif": TimeInForce.IOC,
        "held_lots": 10,
        "reference_ticks": BTC_TICKS,
        **changes,
    }
    return ExitPlan(**fields)


def judged(exit_plan, in_flight=0):
    return judge_exit(
        exit_plan, spec=a_spec(), limits=instrument_limits(), in_flight_lots=in_flight, strategy=""
    )


def test_the_flatten_lane_has_a_door_of_its_own():
    found = judged(an_exit())
    assert isinstance(found, Approved)
    assert (Lane.FLATTEN, True, OrderType.LIMIT) == (
        found.lane,
        found.terms.reduce_only,
        found.terms.order_type,
    )
    assert (0, BTC_TICKS, None) == (found.intent_seq, found.reference_ticks, found.decision_ticks)
    found = judged(an_exit(price_ticks=None, reference_ticks=0))
    assert OrderType.MARKET is found.terms.order_type


def test_the_last_lot_gets_out_and_by_a_price_of_one_tick():
    assert isinstance(judged(an_exit(qty_lots=1, held_lots=1)), Approved)
    assert isinstance(judged(an_exit(price_ticks=1, reference_ticks=1)), Approved)


@pytest.mark.parametrize(
    ("changes", "in_flight", "refusal"),
    [
        ({"qty_lots": 11}, 0, NotReducing(position_lots=10, reducing_lots=0, qty_lots=11)),
        ({"held_lots": -10}, 0, NotReducing(position_lots=-10, reducing_lots=0, qty_lots=10)),
        ({"held_lots": 0}, 0, NotReducing(position_lots=0, reducing_lots=0, qty_lots=10)),
        ({"qty_lots": 0}, 0, NotReducing(position_lots=10, reducing_lots=0, qty_lots=0)),
        ({}, 1, OverPosition(of="flatten", would_be_lots=11, limit_lots=10)),
        ({"qty_lots": 101, "held_lots": 500}, 0, OverOrderSize(qty_lots=101, limit_lots=100)),
        (
            {"price_ticks": 587_999},
            0,
            OutsideCollar(price_ticks=587_999, reference_ticks=600_000, limit_ppm=20_000),
        ),
        ({"reference_ticks": 0}, 0, NoReference(what="exit")),
    ],
)
def test_and_it_is_no_way_round_the_gate(changes, in_flight, refusal):
    """Seed 000's dead switch re-sent closes every five seconds and could flip the position."""
    assert refusal == judged(an_exit(**changes), in_flight)
