"""The gate's screen: a yes from it is a yes from every check, and it says no only where it must look closer."""

import random
from collections import Counter

import pytest

from holdfast.core.gate.checks import first_refusal, plainly_permitted
from holdfast.core.gate.gate import Approved, judge
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.orders import ChildOf, OrderType, Side, TimeInForce
from holdfast.vocab.units import E8
from tests.house.desks import a_desk
from tests.house.events import an_intent
from tests.house.setup import (
    BTC_TICKS,
    MONO_NS,
    WALL_NS,
    a_spec,
    account_limits,
    instrument_limits,
    strategy_limits,
)

SEEDS = 40
CASES_PER_SEED = 250
LOT_E8 = 60 * E8  # one lot of BTC at the mid


ORDER = 40  # lots that most cases ask for


def around(rng, limit):
    """A number at a limit or on either side of it."""
    return limit + rng.choice((-1, 0, 1))


def desk_troubles(rng):
    """What may stand in an order's way at the desk, each near the edge where it begins to."""
    near = around(rng, ORDER)
    return (
        {"instrument": instrument_limits(order_lots_max=near, position_lots_max=1_000)},
        {"instrument": instrument_limits(order_notional_e8_max=near * LOT_E8, position_lots_max=1_000)},
        {"instrument": instrument_limits(position_lots_max=near + 20), "position": rng.choice((20, -20))},
        {"instrument": instrument_limits(position_lots_max=near + 10), "others": rng.choice((10, -10))},
        {"strategy": strategy_limits(order_lots_max=near, position_lots_max=1_000)},
        {"strategy": strategy_limits(position_lots_max=near + 15), "open_buys": 15, "open_sells": 15},
        {"strategy": strategy_limits(position_lots_max=near + 5), "position": 5, "others": -40},
        {"account": account_limits(gross_notional_e8_max=near * LOT_E8 + rng.choice((0, 10**6, 2 * LOT_E8)))},
        {"elsewhere_e8": rng.choice((0, 40 * LOT_E8)), "equity_e8": near * LOT_E8 // rng.choice((1, 2, 3))},
        {"equity_e8": rng.choice((None, 0, -E8))},
        {"asked_ms_ago": [rng.choice((0, 999, 1_000, 1_001))] + [0] * rng.choice((18, 19, 20))},
        {
            "position": rng.choice((60, -60)),
            "open_buys": 20,
            "open_sells": 30,
            "account": account_limits(gross_notional_e8_max=rng.choice((80, 81, 90, 91)) * LOT_E8 + 10**6),
        },
        {"open_orders": rng.choice((49, 50, 51))},
        {rng.choice(("own_bid", "own_ask")): BTC_TICKS + rng.choice((-1, 0, 1, -500, 500))},
        {
            "asked_ms_ago": [(rng.choice((0, 999, 1_000)), rng.choice(("alpha", "beta")), "BTCUSDT")] * 6,
            "strategy": strategy_limits(orders_per_s_refuse=rng.choice((5, 6, 7))),
        },
        {
            "asked_ms_ago": [(5, "beta", rng.choice(("BTCUSDT", "ETHUSDT"))) for _ in range(6)],
            "instrument": instrument_limits(orders_per_s_refuse=rng.choice((5, 6, 7))),
        },
        {
            "day": {rng.choice(("orders_count", "cancels_count", "fills_count")): rng.choice((4, 5, 6))},
            "account": account_limits(
                orders_per_day_max=5, cancels_per_day_max=5, fills_per_day_max=5, traded_e8_per_day_max=9
            ),
        },
        {"level": rng.choice((HoldLevel.REDUCED, HoldLevel.REDUCE_ONLY, HoldLevel.HALTED))},
        {"mark": BTC_TICKS + rng.choice((-6_500, -200, 0, 0, 0, 5_900, 6_500))},
        {"last": BTC_TICKS + rng.choice((-15_000, 15_000))},
        {"quote_age_ms": rng.choice((999, 1_000, 1_001))},
        {"duplicate_window_ms": 500},
        {"others_open_buys": rng.randint(0, 60), "others_open_sells": rng.randint(0, 60)},
        {"spec": a_spec("BTCUSDT", status=InstrumentStatus.HALTED)},
        {"spec": a_spec("BTCUSDT", qty_lots_min=near)},
        {"spec": a_spec("BTCUSDT", qty_lots_max=near)},
        {"spec": a_spec("BTCUSDT", notional_e8_min=near * LOT_E8)},
        {"quoted": False},
        {"facts": {"session_until_ns": WALL_NS + rng.choice((0, 1))}},
        {
            "flow": FlowRules(
                instrument="BTCUSDT", window_ms=1_000, same_side_e8_max=near * LOT_E8, walk_ppm_max=1_000
            ),
            "sent": [
                (rng.choice((999, 1_000)), "beta", rng.choice((1, -1)), rng.choice((0, 1)), BTC_TICKS, False)
            ],
        },
        {
            "facts": {"group": rng.choice(("crypto", "metals", ""))},
            "group_flow": GroupFlowRules(group="crypto", window_ms=1_000, same_side_e8_max=near * LOT_E8),
            "group_sent": [
                (
                    rng.choice((999, 1_000)),
                    "beta",
                    "ETHUSDT",
                    rng.choice((1, -1)),
                    rng.choice((0, LOT_E8)),
                    False,
                )
            ],
        },
        {"facts": {"fresh_until_ns": WALL_NS + rng.choice((0, 1)), "told": True}},
        {"window": (WALL_NS + rng.choice((0, 1)), 0, "strategy")},
        {
            "instrument": roomy(adv_share_ppm_max=100_000),
            "facts": {"adv_lots": near * 10 + rng.choice((0, -1))},
        },
        {
            "instrument": roomy(depth_ppm_max=2_000_000),
            "shown": rng.choice((near, near // 2, (near + 1) // 2, 1_000)),
            "ask": BTC_TICKS + rng.choice((1, 5)),
        },
        {
            "facts": {
                "band_low_ticks": BTC_TICKS - rng.choice((0, 1, 500)),
                "band_high_ticks": BTC_TICKS + rng.choice((0, 1, 500)),
            }
        },
        {
            "instrument": roomy(equity_share_ppm_max=500_000),
            "equity_e8": 2 * near * LOT_E8 + rng.choice((0, 10**6)),
        },
        {
            "account": account_limits(group_share_ppm_max=500_000),
            "facts": {"group": rng.choice(("crypto", "crypto", "crypto", ""))},
            "group_elsewhere_e8": rng.choice((0, 20)) * LOT_E8,
            "equity_e8": 2 * (near + rng.choice((0, 20))) * LOT_E8 + rng.choice((0, 10**6)),
        },
        {
            "account": account_limits(net_notional_e8_max=near * LOT_E8 + rng.choice((0, 10**6))),
            "net_elsewhere_e8": rng.choice((0, 0, 1, -1, 30, -30)) * LOT_E8,
        },
    )


def roomy(**changes):
    return instrument_limits(position_lots_max=1_000, **changes)


def intent_troubles(rng):
    """And in the order itself."""
    return (
        {"price_ticks": BTC_TICKS + rng.choice((-6_001, -6_000, 5_999, 6_000, 6_001))},
        {"price_ticks": rng.choice((0, -5, None))},
        {"qty_lots": rng.choice((0, -1, 1))},
        {"order_type": OrderType.MARKET},
        {"reduce_only": True},
        {"trigger_ticks": BTC_TICKS},
        {"intent_seq": 0},
        {"decision_ticks": BTC_TICKS + rng.choice((-4_757, -4_758, -4_759, 0, 4_757, 4_833, 4_834, 4_835))},
        {"child_of": ChildOf(3, rng.choice((ORDER - 1, ORDER, 3 * ORDER)))},
    )


def a_case(rng):
    """A desk and an order, in which up to three things are near an edge."""
    desk_words = {}
    intent_words = {
        "side": rng.choice((Side.BUY, Side.SELL)),
        "qty_lots": ORDER,
        "price_ticks": BTC_TICKS + rng.choice((0, 1, -1, rng.randint(-1_000, 1_000))),
        "tif": rng.choice(tuple(TimeInForce)),
        "intent_seq": 1,
    }
    for _ in range(rng.randint(0, 3)):
        if rng.random() < 0.75:
            desk_words |= rng.choice(desk_troubles(rng))
        else:
            intent_words |= rng.choice(intent_troubles(rng))
    intent, desk = an_intent(**intent_words), a_desk(**desk_words)
    if "duplicate_window_ms" in desk_words and rng.random() < 0.5:
        first = an_intent(
            **intent_words
            | {"mono_ns": MONO_NS - rng.choice((499, 500, 501)) * 10**6 + rng.choice((-1, 0, 1))}
        )
        judge(first, desk)
        desk.last_intent_seq = 0
    return intent, desk


def plain(intent, desk):
    """The kind of order that the screen is made for."""
    return (
        desk.level is HoldLevel.NONE
        and desk.flow is None
        and desk.facts.group not in desk.group_flows
        and intent.order_type is OrderType.LIMIT
        and not intent.reduce_only
        and intent.trigger_ticks is None
        and intent.child_of is None
    )


def looks_closer(intent, desk):
    """What it may be too careful about: a second in which more was asked for, by whomever, than the strictest of all
    rates allows somebody; and a limit price further from the decision than what it pays.
    """
    limits = (desk.account.limits, desk.limits, desk.instrument_limits)
    asked = sum(1 for one in desk.account.asked.ring if intent.mono_ns - one.mono_ns < 10**9)
    decision = intent.decision_ticks
    far = decision is not None and intent.side * (intent.price_ticks - decision) * 10**6 > 8_000 * decision
    return far or asked > min(one.orders_per_s_refuse for one in limits)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_screen_and_the_checks_agree_on_plain_orders(seed):
    """What the screen lets by is asked no further: one number of its own, and a limit would not limit."""
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for number in range(CASES_PER_SEED):
        intent, desk = a_case(rng)
        refusal = first_refusal(intent, desk)
        permitted = plainly_permitted(intent, desk)
        assert not (permitted and refusal), (seed, number, intent, refusal)
        if plain(intent, desk):
            assert permitted or refusal or looks_closer(intent, desk), (seed, number, intent)
            seen[type(refusal).__name__] += 1
    assert seen["NoneType"] > 5, seen
    assert len(seen) > 5, seen


def test_a_plain_order_passes_by_the_screen_alone(monkeypatch):
    """It is there to spare the asking: a screen that never said yes would be right and of no use."""
    monkeypatch.setattr("holdfast.core.gate.gate.first_refusal", lambda *_: pytest.fail("asked one by one"))
    assert isinstance(judge(an_intent(), a_desk()), Approved)
