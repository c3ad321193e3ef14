"""Baskets: all legs are let through together, over the worst case of all of them, or none leaves."""

import random
from copy import deepcopy

import pytest
from msgspec import structs

from holdfast.core.gate.gate import judge_basket
from holdfast.core.replay import replay
from holdfast.vocab.events import BASKET_LEGS_MAX, BasketIntent, ReferenceRead
from holdfast.vocab.facts import GlassBroken, IntentRefused, OrderApproved, SizeReduced
from holdfast.vocab.holds import HoldLevel, Scope
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.orders import ChildOf, OrderType, Side, TimeInForce
from holdfast.vocab.reference import InstrumentReference
from holdfast.vocab.refusals import (
    BadTerms,
    DuplicateIntent,
    Held,
    NotAllowed,
    NotReducing,
    OverDay,
    OverFlow,
    OverGross,
    OverNet,
    OverOrderSize,
    OverParent,
    OverPosition,
    OverRate,
    OverShare,
    SelfMatch,
    TooManyOrders,
    Walked,
)
from holdfast.vocab.requests import PlaceOrder
from tests.core.gate_table import LOT_E8
from tests.core.test_replay import mark_of, written
from tests.house import naive
from tests.house.desks import a_desk
from tests.house.events import an_intent
from tests.house.room import a_running_core
from tests.house.setup import (
    BTC,
    BTC_TICKS,
    ETH,
    ETH_TICKS,
    account_limits,
    instrument_limits,
    strategy_limits,
    timings,
)

LOW = {BTC: BTC_TICKS - 3_000, ETH: ETH_TICKS - 1_000}
HIGH = {BTC: BTC_TICKS + 3_000, ETH: ETH_TICKS + 1_000}


def buy(lots, instrument=BTC, **changes):
    return an_intent(
        **{"instrument": instrument, "qty_lots": lots, "price_ticks": LOW[instrument], **changes}
    )


def sell(lots, instrument=BTC, **changes):
    return buy(lots, instrument, **{"side": Side.SELL, "price_ticks": HIGH[instrument], **changes})


def limited(*, account=None, btc=None, eth=None, alpha=None, **changes):
    """A core of which one limit is near; ETH may be worth as much as BTC."""
    return told(
        a_running_core(
            account_limits=account_limits(**(account or {})),
            instrument_limits=(
                instrument_limits(BTC, **(btc or {})),
                instrument_limits(
                    ETH, **{"order_lots_max": 1_000, "position_lots_max": 4_000, **(eth or {})}
                ),
            ),
            strategy_limits=(
                strategy_limits("alpha", BTC, **(alpha or {})),
                strategy_limits("alpha", ETH, order_lots_max=1_000, position_lots_max=3_000),
                strategy_limits("beta", BTC),
            ),
            **changes,
        )
    )


def told(room, *, eth="crypto"):
    """Both instruments are of one group, or ETH of another one."""
    rows = (
        InstrumentReference(instrument=BTC, group="crypto"),
        InstrumentReference(instrument=ETH, group=eth),
    )
    room.tell(ReferenceRead(wall_ns=0, mono_ns=0, as_of_wall_ns=room.wall_ns, digest="1", instruments=rows))
    return room


def flows(**rules):
    return {
        "flows": (
            FlowRules(
                **{
                    "instrument": BTC,
                    "window_ms": 4_000,
                    "same_side_e8_max": 10**16,
                    "walk_ppm_max": 500_000,
                    **rules,
                }
            ),
        )
    }


GROUP_FLOWS = {
    "group_flows": (GroupFlowRules(group="crypto", window_ms=4_000, same_side_e8_max=30 * LOT_E8),)
}
KIN = ChildOf(7, 50)
MARKET = {"order_type": OrderType.MARKET, "price_ticks": None}

# what each of these alone may be, all together may not: (settings, legs, what refuses)
TOGETHER = {
    "a strategy's position": (
        {"alpha": {"position_lots_max": 50}},
        (buy(30), buy(21, price_ticks=LOW[BTC] - 1)),
        OverPosition,
    ),
    "an instrument's position": (
        {"btc": {"position_lots_max": 50}},
        (sell(30), sell(21, price_ticks=HIGH[BTC] + 1)),
        OverPosition,
    ),
    "gross notional, over instruments": (
        {"account": {"gross_notional_e8_max": 50 * LOT_E8}},
        (buy(30), sell(600, ETH)),
        OverGross,
    ),
    "leverage, over instruments": (
        {"account": {"leverage_ppm_max": 300_000}},
        (buy(30), sell(600, ETH)),
        OverGross,
    ),
    "net notional, over instruments": (
        {"account": {"net_notional_e8_max": 50 * LOT_E8}},
        (buy(30), buy(600, ETH)),
        OverNet,
    ),
    "the group's share": (
        {"account": {"group_share_ppm_max": 300_000}},
        (buy(30), sell(600, ETH)),
        OverShare,
    ),
    "the instrument's share": (
        {"btc": {"equity_share_ppm_max": 300_000}},
        (buy(30), buy(21, price_ticks=LOW[BTC] - 1)),
        OverShare,
    ),
    "open orders": ({"account": {"open_orders_max": 1}}, (buy(1), sell(60, ETH)), TooManyOrders),
    "the day's orders": ({"account": {"orders_per_day_max": 1}}, (buy(1), sell(60, ETH)), OverDay),
    "the rate of all": ({"account": {"orders_per_s_refuse": 1}}, (buy(1), sell(60, ETH)), OverRate),
    "the rate of an instrument": (
        {"btc": {"orders_per_s_refuse": 1}},
        (buy(1), sell(60, ETH), buy(2)),
        OverRate,
    ),
    "the rate of a strategy there": (
        {"alpha": {"orders_per_s_refuse": 1}},
        (buy(1), sell(60, ETH), buy(2)),
        OverRate,
    ),
    "one meets the other": ({}, (buy(1, price_ticks=BTC_TICKS), sell(1, price_ticks=BTC_TICKS)), SelfMatch),
    "one at the market meets the other": (
        {},
        (buy(1, **MARKET), sell(1, price_ticks=BTC_TICKS + 5)),
        SelfMatch,
    ),
    "the same twice": ({"timings": timings(duplicate_window_ms=300)}, (buy(5), buy(5)), DuplicateIntent),
    "the same twice at the market": (
        {"timings": timings(duplicate_window_ms=300)},
        (buy(5, **MARKET), buy(5, **MARKET)),
        DuplicateIntent,
    ),
    "children of one parent": (
        {},
        (buy(30, child_of=KIN), buy(21, price_ticks=LOW[BTC] - 1, child_of=KIN)),
        OverParent,
    ),
    "one way in an instrument": (
        flows(same_side_e8_max=30 * LOT_E8),
        (buy(16), buy(15, price_ticks=LOW[BTC] - 1)),
        OverFlow,
    ),
    "one way in a group": (GROUP_FLOWS, (buy(16), buy(400, ETH)), OverFlow),
    "one way in a group whose instrument is bounded, too": (
        flows() | GROUP_FLOWS,
        (buy(16), buy(15, price_ticks=LOW[BTC] - 1)),
        OverFlow,
    ),
    "a walk that the other begins": (
        flows(walk_ppm_max=1_000),
        (buy(1), buy(1, price_ticks=BTC_TICKS + 601)),
        Walked,
    ),
}


def sent_to_venue(room):
    return [request for _, request in room.sent if isinstance(request, PlaceOrder)]


def judged_by(room):
    """Everything that another order is judged by, apart from what was asked for."""
    account = room.state.live.account
    rows = [
        (
            desk.my_open,
            desk.all_open,
            structs.asdict(desk.parents),
            desk.recent,
            desk.flow,
            desk.group_flows,
            desk.resting.bid_ticks,
            desk.resting.ask_ticks,
            [getattr(desk.exposure, name) for name in ("gross_e8", "long_e8", "short_e8")],
            desk.exposure.group,
        )
        for desks in room.state.desks.values()
        for desk in desks.values()
    ]
    return deepcopy(
        (rows, account.gross_e8, account.net, account.groups, account.day, account.open_orders_count)
    )


def test_all_legs_leave_in_one_step():
    room = a_running_core()
    orders = room.wants_together(buy(10), sell(60, ETH), buy(5, price_ticks=LOW[BTC] - 1))
    assert [(BTC, 10), (ETH, 60), (BTC, 5)] == [(one.terms.instrument, one.qty_lots) for one in orders]
    assert [one.terms for one in orders] == [one.terms for one in sent_to_venue(room)]
    assert 3 == room.state.live.account.open_orders_count == room.books.orders.day.orders_count
    assert naive.gross_e8(room.state) == room.state.live.account.gross_e8


def test_one_leg_that_may_not_keeps_all_of_them():
    room = a_running_core()
    before = judged_by(room)
    refused = room.wants_together(buy(10), buy(81, price_ticks=LOW[BTC] - 1), sell(60, ETH))
    assert OverOrderSize(qty_lots=81, limit_lots=80) == refused.refusal
    assert (2, 3, BTC, "alpha") == (refused.leg, refused.legs_count, refused.instrument, refused.strategy)
    assert [] == sent_to_venue(room) == room.facts_of(OrderApproved)
    assert 1 == len(room.facts_of(IntentRefused)) == room.books.refused_count
    assert before == judged_by(room)


@pytest.mark.parametrize("name", TOGETHER)
def test_what_each_alone_may_be_all_together_may_not(name):
    """Judged one after the other against the books as they were, each would pass: the whole would be over."""
    changes, legs, kind = TOGETHER[name]
    for leg in legs:
        room = limited(**changes)
        room.run(s=2)
        room.wants(leg)
        assert ([], 1) == (room.facts_of(IntentRefused), len(room.facts_of(OrderApproved)))
    for order in (legs, legs[::-1]):  # whichever comes first
        room = limited(**changes)
        room.run(s=2)
        before = judged_by(room)
        assert kind is type(room.wants_together(*order).refusal)
        assert [] == sent_to_venue(room)
        assert before == judged_by(room)


def test_at_the_very_limit_it_passes():
    room = limited(alpha={"position_lots_max": 50}, **flows(same_side_e8_max=50 * LOT_E8))
    legs = (buy(30, price_ticks=BTC_TICKS), buy(20, price_ticks=BTC_TICKS, tif=TimeInForce.POST_ONLY))
    assert 2 == len(room.wants_together(*legs))
    room = limited(**flows(same_side_e8_max=50 * LOT_E8 - 1))
    assert OverFlow is type(room.wants_together(*legs).refusal)


def test_a_leg_elsewhere_or_on_the_way_out_begins_no_walk():
    """A walk begins with a strategy's own order there: the first one may stand anywhere inside the collar."""
    far = buy(1, price_ticks=BTC_TICKS + 601)
    room = limited(**flows(walk_ppm_max=1_000))
    assert 2 == len(room.wants_together(far, sell(60, ETH)))
    room = limited(**flows(walk_ppm_max=1_000))
    assert Walked is type(room.wants_together(far, sell(1)).refusal), "the other one begins it there"


@pytest.mark.parametrize("held_by", ["its words", "a hold"])
def test_of_two_exits_that_are_over_the_flow_only_one_is_due(held_by):
    """However much was sent an exit passes once in a window: two at once would pass where one after the other waits."""
    room = limited(**flows(same_side_e8_max=30 * LOT_E8))
    room.takes(1, 20)
    room.run(s=5)
    room.cancels(room.sells(29, strategy="beta", at=HIGH[BTC]))
    room.run(ms=100)
    if held_by == "a hold":
        room.says("ban", instrument=BTC)
    words = {"reduce_only": held_by == "its words"}
    leaves, more = sell(6, **words), sell(5, price_ticks=HIGH[BTC] - 1, **words)
    assert OverFlow is type(room.wants_together(leaves, more).refusal)
    assert 1 == len(room.wants_together(leaves))


def test_exits_of_two_instruments_do_not_wait_for_each_other():
    """Each is on its way out of its own: what a group has sent makes neither of them wait for a window."""
    room = limited(**GROUP_FLOWS)
    room.takes(1, 20)
    room.run(s=5)
    room.takes(1, 480, instrument=ETH)
    room.run(s=5)
    room.cancels(room.sells(29, strategy="beta", at=HIGH[BTC]))
    room.run(ms=100)
    legs = (sell(6, reduce_only=True), sell(140, ETH, reduce_only=True))
    assert 2 == len(room.wants_together(*legs))
    room.run(ms=100)
    assert OverFlow is type(room.wants_together(*legs).refusal), "each of them has been let through by now"


def test_what_was_let_through_counts_for_the_next_as_single_orders_do():
    """The same orders, one by one or together, leave the same to judge by."""
    changes = {**flows(), **GROUP_FLOWS, "timings": timings(duplicate_window_ms=300)}
    legs = (buy(10, child_of=KIN), sell(60, ETH), buy(5, price_ticks=LOW[BTC] - 1, child_of=KIN))
    one, all_at_once = limited(**changes), limited(**changes)
    for leg in legs:
        one.wants(leg)
    assert 3 == len(all_at_once.wants_together(*legs))
    assert judged_by(one) == judged_by(all_at_once)
    assert one.state.books_hash() == all_at_once.state.books_hash()


def test_exits_together_are_at_most_the_position():
    room = a_running_core()
    room.takes(1, 20)
    room.run(s=1)
    refused = room.wants_together(
        sell(12, reduce_only=True), sell(9, reduce_only=True, price_ticks=HIGH[BTC] + 1)
    )
    assert NotReducing is type(refused.refusal)
    assert 2 == len(
        room.wants_together(sell(12, reduce_only=True), sell(8, reduce_only=True, price_ticks=HIGH[BTC] + 1))
    )


def test_a_leg_that_may_not_even_alone_is_the_one_that_is_named():
    """With it counted the first is over too; to be told of the first would lead nobody to the fault."""
    room = limited(account={"gross_notional_e8_max": 50 * LOT_E8})
    refused = room.wants_together(buy(10), buy(60, price_ticks=LOW[BTC] - 1))
    assert (2, 60 * LOT_E8) == (refused.leg, refused.refusal.would_be)


def test_siblings_do_not_begin_a_parent_that_is_over():
    """Each would find the parent that the other began: a number that was used up would be used again."""
    room = a_running_core()
    room.books.orders.parents_of("alpha").forgotten_id = 7
    refused = room.wants_together(buy(10, child_of=KIN), buy(5, price_ticks=LOW[BTC] - 1, child_of=KIN))
    assert BadTerms(why="that parent is over: a new one has a larger number") == refused.refusal
    assert [] == sent_to_venue(room)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_protective_leg_stands_behind_an_exit_not_beside_it(side):
    room = a_running_core()
    room.takes(-side, 20)
    room.run(s=1)
    away = side * 3_000
    stop = an_intent(
        side=side,
        qty_lots=20,
        order_type=OrderType.STOP_MARKET,
        price_ticks=None,
        trigger_ticks=BTC_TICKS + away,
        reduce_only=True,
    )
    leave = an_intent(side=side, qty_lots=20, price_ticks=BTC_TICKS - away, reduce_only=True)
    assert 2 == len(room.wants_together(stop, leave))


def test_a_refused_basket_takes_nothing_of_a_parent_that_is_there():
    room = a_running_core()
    room.wants(buy(30, child_of=KIN))
    before = judged_by(room)
    assert OverParent is type(
        room.wants_together(buy(10, price_ticks=LOW[BTC] - 1, child_of=KIN), buy(11, child_of=KIN)).refusal
    )
    assert before == judged_by(room)


def test_its_numbers_are_used_up_whatever_became_of_it():
    room = a_running_core()
    for legs in ((buy(10), buy(81, price_ticks=LOW[BTC] - 1)), (buy(10), sell(60, ETH))):
        room.wants_together(*legs)
        basket = next(event for event, _ in reversed(room.records) if isinstance(event, BasketIntent))
        again = room.wants_basket(basket)
        assert DuplicateIntent(intent_seq=basket.legs[0].intent_seq) == again.refusal


def test_a_held_leg_holds_the_basket_and_at_reduced_each_leg_is_halved():
    room = a_running_core()
    room.says("ban", instrument=ETH)
    assert NotReducing is type(room.wants_together(buy(10), sell(60, ETH)).refusal)
    room = a_running_core()
    room.says("halt")
    assert Held is type(room.wants_together(buy(10), sell(60, ETH)).refusal)
    room = a_running_core()
    desks = room.state.desks["alpha"]
    for desk in desks.values():
        desk.level = HoldLevel.REDUCED
        desk.plain = False
    orders = room.wants_together(buy(10), sell(60, ETH))
    assert [5, 30] == [one.qty_lots for one in orders]
    assert [(10, 5), (60, 30)] == [(one.from_lots, one.to_lots) for one in room.facts_of(SizeReduced)]


def basket_of(room, *legs, **changes):
    now = {"wall_ns": room.wall_ns, "mono_ns": room.mono_ns}
    legs = tuple(structs.replace(leg, intent_seq=90 + number, **now) for number, leg in enumerate(legs))
    return BasketIntent(**{**now, "strategy": "alpha", "legs": legs, **changes})


def test_what_is_no_basket_is_refused_as_such():
    """The host lets none of these through; a journal or another front end might."""
    room = a_running_core()
    none = room.wants_basket(basket_of(room))
    assert (BadTerms, 1, 0, "") == (type(none.refusal), none.leg, none.legs_count, none.instrument)
    many = [buy(1, price_ticks=LOW[BTC] - number) for number in range(BASKET_LEGS_MAX + 1)]
    assert BadTerms is type(room.wants_basket(basket_of(room, *many)).refusal)
    foreign = room.wants_basket(basket_of(room, buy(1), buy(1, strategy="beta")))
    assert (BadTerms, 2) == (type(foreign.refusal), foreign.leg)
    nowhere = room.wants_together(buy(1), structs.replace(buy(1), instrument="XRPUSDT"))
    assert (NotAllowed(strategy="alpha", instrument="XRPUSDT"), 2) == (nowhere.refusal, nowhere.leg)
    stranger = room.wants_together(structs.replace(buy(1), strategy="nobody"))
    assert NotAllowed(strategy="nobody", instrument=BTC) == stranger.refusal
    old = basket_of(room, buy(1))
    old = structs.replace(old, legs=(structs.replace(old.legs[0], mono_ns=1),))
    assert BadTerms is type(room.wants_basket(old).refusal)
    assert [] == sent_to_venue(room)
    alone = structs.replace(basket_of(room, buy(1)).legs[0], intent_seq=0)
    room.tell(structs.replace(alone, intent_seq=91))
    assert DuplicateIntent(intent_seq=91) == room.facts_of(IntentRefused)[-1].refusal, "it was used up"


def test_glass_that_was_broken_for_one_order_lets_no_two_through():
    room = a_running_core()
    glass = GlassBroken(
        glass_id=1,
        name="strategy.alpha.BTCUSDT.order_max",
        scope=Scope(strategy="alpha", instrument=BTC),
        value=100,
        standing=80,
        until_mono_ns=room.mono_ns + 60 * 10**9,
        once=True,
        by="ann",
        second_by="bob",
        alone=False,
        reason="because",
        review="later",
        wall_ns=room.wall_ns,
    )
    room.books.limits.break_glass(glass)
    refused = room.wants_together(buy(5), buy(5, price_ticks=LOW[BTC] - 1))
    assert (BadTerms, 2) == (type(refused.refusal), refused.leg)
    assert 2 == len(room.wants_together(buy(5), sell(60, ETH))), "one of them is in its scope"
    assert {} == room.books.limits.glasses


def test_it_replays_to_the_same():
    room = limited(**flows(same_side_e8_max=30 * LOT_E8), **GROUP_FLOWS)
    room.wants_together(buy(10), sell(60, ETH))
    assert OverFlow is type(room.wants_together(buy(11), buy(10, price_ticks=LOW[BTC] - 1)).refusal)
    room.run(s=1)
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room)))
    found = replay(iter(records), iter(frames))
    assert room.state.state_hash() == found.state_hash == found.last_state_hash


# --- against a twin ---------------------------------------------------------------------------------------------------


def worth(room, instrument):
    market = room.state.live.markets[instrument]
    mid = -((market.bid_ticks + market.ask_ticks) // -2)
    return max(mid, market.mark_ticks, market.last_ticks)


def twin_permits(room, legs):
    """By a list and a sum over everything that is open and all legs: whether with them all keeps to its limit."""
    state, books = room.state, room.books
    account = state.live.account
    limits = account.limits
    rows = list(books.orders.live.values())
    if len(rows) + len(legs) > limits.open_orders_max:
        return False
    if books.orders.day.orders_count + len(legs) > limits.orders_per_day_max:
        return False
    both, mine = {}, {}
    for name in state.specs:
        more = {
            side: sum(leg.qty_lots for leg in legs if (leg.instrument, leg.side) == (name, side))
            for side in Side
        }
        for found, who in ((both, None), (mine, "alpha")):
            longest, shortest = naive.worst_case_lots(books, name, who)
            found[name] = longest + more[Side.BUY], shortest - more[Side.SELL]
    for leg in legs:
        name, unit = leg.instrument, state.specs[leg.instrument].tick_lot_e8
        desk = state.desks["alpha"][name]
        for found, most in (
            (both, desk.instrument_limits.position_lots_max),
            (mine, desk.limits.position_lots_max),
        ):
            longest, shortest = found[name]
            if (longest if leg.side > 0 else -shortest) > most:
                return False
        worths = {one: worth(room, one) * state.specs[one].tick_lot_e8 for one in state.specs}
        worths[name] = max(worth(room, name), leg.price_ticks) * unit
        gross = {one: max(abs(lots) for lots in both[one]) * worths[one] for one in both}
        net = sum(both[one][0 if leg.side > 0 else 1] * leg.side * worths[one] for one in both)
        equity = account.equity_e8
        if sum(gross.values()) > min(limits.gross_notional_e8_max, limits.leverage_ppm_max * equity // 10**6):
            return False
        if (
            net > limits.net_notional_e8_max
            or gross[name] * 10**6 > desk.instrument_limits.equity_share_ppm_max * equity
        ):
            return False
        group = state.live.facts[name].group
        kin = [one for one in both if state.live.facts[one].group == group]
        if sum(gross[one] for one in kin) * 10**6 > limits.group_share_ppm_max * equity:
            return False
        here = [one for one in legs if one.instrument == name and one.side is not leg.side]
        others = [
            price
            for row in rows
            for price in naive.resting_ticks_of(row)
            if (row.terms.instrument, row.side) == (name, -leg.side)
        ]
        if any(
            leg.side * leg.price_ticks >= leg.side * price
            for price in [*others, *(one.price_ticks for one in here)]
        ):
            return False
    return True


@pytest.mark.parametrize("seed", range(12))
def test_the_gate_and_a_twin_that_sums_it_all_agree(seed):
    """Position, gross, leverage, net, shares, groups, counts and self-match, with orders open and positions held."""
    rng = random.Random(seed)
    room = limited(
        account={
            "net_notional_e8_max": rng.choice((60, 100, 300)) * LOT_E8,
            "group_share_ppm_max": rng.choice((700_000, 1_200_000)),
            "gross_notional_e8_max": rng.choice((90, 120, 400)) * LOT_E8,
            "open_orders_max": rng.choice((8, 50)),
            "orders_per_s_refuse": 2_000,
            "orders_per_s_kill": 4_000,
        },
        btc={
            "equity_share_ppm_max": rng.choice((500_000, 800_000)),
            "position_lots_max": rng.choice((60, 100, 150)),
        },
        eth={"equity_share_ppm_max": 10**6},
    )
    told(room, eth=rng.choice(("crypto", "other")))
    said = []
    for _ in range(60):
        if rng.random() < 0.15:
            room.takes(rng.choice((1, -1)), rng.randrange(1, 30))
        if rng.random() < 0.2 and (open_orders := list(room.books.orders.live.values())):
            room.cancels(rng.choice(open_orders))
        room.run(ms=rng.choice((20, 200)))
        legs = [a_leg(rng) for _ in range(rng.randrange(1, 5))]
        permits = twin_permits(room, legs)
        came = room.wants_together(*legs)
        assert permits == isinstance(came, list), (seed, legs, came)
        said.append(permits)
    assert 5 < sum(said) < 55, said


def a_leg(rng):
    instrument = rng.choice((BTC, ETH))
    side = rng.choice((Side.BUY, Side.SELL))
    off = rng.choice((-600, -300, 0, 300, 600)) if rng.random() < 0.2 else -side * rng.randrange(400, 2_000)
    mid = BTC_TICKS if instrument == BTC else ETH_TICKS
    lots = rng.randrange(1, 25) if instrument == BTC else rng.randrange(20, 400)
    return an_intent(instrument=instrument, side=side, qty_lots=lots, price_ticks=mid + off)


# --- at one desk, by the gate alone -----------------------------------------------------------------------------------


def test_where_only_reducing_is_allowed_the_venue_holds_each_leg_to_it():
    desk = a_desk(position=30, level=HoldLevel.REDUCE_ONLY)
    legs = [(sell(10, intent_seq=number, reduce_only=number == 1), desk) for number in (1, 2)]
    first, second = judge_basket(legs)
    assert first.terms.reduce_only is second.terms.reduce_only is True
    assert BTC_TICKS == first.reference_ticks


def test_numbers_of_legs_rise_from_the_first_number_on():
    def verdict(*numbers):
        desk = a_desk()
        return judge_basket([(buy(5 + place, intent_seq=seq), desk) for place, seq in enumerate(numbers)])

    assert [1, 2] == [one.intent_seq for one in verdict(1, 2)]
    assert (1, DuplicateIntent(intent_seq=1)) == verdict(2, 1)
    assert (1, DuplicateIntent(intent_seq=2)) == verdict(2, 2)
