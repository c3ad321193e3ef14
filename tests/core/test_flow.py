"""What goes one way at once, over all strategies, and how far each walks the price: in the step, and against a twin."""

import random

import pytest

from holdfast.core.gate.flow import SLICES, Flow
from holdfast.core.replay import replay
from holdfast.vocab.events import ReferenceRead
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.orders import Side
from holdfast.vocab.reference import InstrumentReference
from holdfast.vocab.refusals import NoFacts, OverFlow, Walked
from holdfast.vocab.units import NS_PER_MS
from tests.core.gate_table import LOT_E8
from tests.core.test_replay import mark_of, written
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, instrument_limits, settings, strategy_limits

WINDOW_MS = 4_000
AT = {"at": BTC_TICKS - 3_000}


def a_bounded_core(lots=30, walk_ppm=500_000, **changes):
    rules = FlowRules(
        instrument=BTC, window_ms=WINDOW_MS, same_side_e8_max=lots * LOT_E8, walk_ppm_max=walk_ppm
    )
    return a_running_core(flows=(rules,), **changes)


def test_two_strategies_do_not_buy_at_once_and_may_when_the_window_is_over():
    room = a_bounded_core()
    assert not isinstance(room.buys(20, **AT), OverFlow)
    assert isinstance(room.buys(20, strategy="beta", **AT), OverFlow)
    assert not isinstance(room.sells(20, strategy="beta"), OverFlow), "the other side is free"
    room.run(ms=WINDOW_MS)
    assert not isinstance(room.buys(20, strategy="beta", **AT), OverFlow)


def test_a_refused_order_uses_nothing_up():
    room = a_bounded_core()
    for _ in range(5):
        assert isinstance(room.buys(40, **AT), OverFlow)
    assert not isinstance(room.buys(30, **AT), OverFlow)


def test_an_amend_counts_by_what_it_grows_and_is_judged_whole():
    room = a_bounded_core()
    order = room.buys(10, **AT)
    room.run(ms=100)
    assert isinstance(room.amends(order, lots=21), OverFlow)
    assert room.amends(order, lots=15) is None
    room.run(ms=100)
    used = room.state.live.flows[BTC].used_e8(Side.BUY, now_mono_ns=room.mono_ns)
    assert 15 * (BTC_TICKS - 3_000) * 10_000 == used


def test_an_exit_waits_a_window_at_most_and_a_flatten_waits_for_nothing():
    room = a_bounded_core()
    room.takes(1, 20)
    room.run(ms=WINDOW_MS)
    room.cancels(room.sells(29, strategy="beta"))
    room.run(ms=100)
    assert not isinstance(room.takes(-1, 5, reduce_only=True), OverFlow), "its first passes at once"
    exit_ms = room.mono_ns // NS_PER_MS
    for _ in range(3):
        room.run(ms=WINDOW_MS // 8)
        assert isinstance(room.takes(-1, 5, reduce_only=True), OverFlow)
    room.run(ms=WINDOW_MS - 100)
    room.cancels(room.sells(29, strategy="beta"))
    room.run(ms=100)
    assert room.mono_ns // NS_PER_MS - exit_ms >= WINDOW_MS
    assert not isinstance(room.takes(-1, 5, reduce_only=True), OverFlow)
    room.says("flatten")
    room.run(s=3)
    assert 0 == room.position()


def test_a_strategy_does_not_walk_the_price_by_small_steps():
    """Each step is well inside the collar, which goes by the market that the steps themselves move."""
    room = a_bounded_core(lots=10_000, walk_ppm=2_000)
    came = []
    for step in range(6):
        room.quotes(mid=BTC_TICKS + 300 * step)
        came.append(room.buys(1, at=BTC_TICKS + 300 * step + 5))
        room.run(ms=100)
    assert [False] * 4 + [True] * 2 == [isinstance(one, Walked) for one in came]
    room.run(ms=WINDOW_MS)
    assert not isinstance(room.buys(1, at=BTC_TICKS + 1_505), Walked), (
        "another window begins where the price is"
    )


def test_a_tightened_bound_is_in_force_at_once():
    room = a_bounded_core()
    assert room.says("limit_set", limit=f"flow.{BTC}.same_side_max", value=10 * LOT_E8).accepted
    assert isinstance(room.buys(11, **AT), OverFlow)


GROUP_RULES = GroupFlowRules(group="crypto", window_ms=WINDOW_MS, same_side_e8_max=30 * LOT_E8)
ETH_LOTS = 24  # of ETH are worth about one of BTC


def a_bounded_group(*, told=("crypto", "crypto"), **changes):
    plain = settings()
    roomy = strategy_limits("alpha", ETH, order_lots_max=1_000, position_lots_max=3_000)
    room = a_running_core(
        group_flows=(GROUP_RULES,),
        strategy_limits=(plain.strategy_limits[0], roomy, plain.strategy_limits[2]),
        instrument_limits=(
            plain.instrument_limits[0],
            instrument_limits(ETH, order_lots_max=1_000, position_lots_max=3_000),
        ),
        **changes,
    )
    groups_are(room, *told)
    return room


def groups_are(room, btc, eth):
    rows = (InstrumentReference(instrument=BTC, group=btc), InstrumentReference(instrument=ETH, group=eth))
    room.tell(
        ReferenceRead(wall_ns=0, mono_ns=0, as_of_wall_ns=room.wall_ns, digest=btc + eth, instruments=rows)
    )


def test_what_goes_one_way_in_a_group_counts_in_all_its_instruments():
    room = a_bounded_group()
    room.buys(20, strategy="beta", **AT)
    refused = room.buys(12 * ETH_LOTS, instrument=ETH)
    assert (OverFlow, "crypto") == (type(refused), refused.of)
    assert not isinstance(room.sells(12 * ETH_LOTS, instrument=ETH), OverFlow), "the other side is free"
    room.run(ms=WINDOW_MS)
    assert not isinstance(room.buys(12 * ETH_LOTS, instrument=ETH), OverFlow)


def test_an_instrument_within_its_own_bound_is_asked_for_its_groups_as_well():
    roomy = FlowRules(instrument=BTC, window_ms=WINDOW_MS, same_side_e8_max=50 * LOT_E8, walk_ppm_max=500_000)
    room = a_bounded_group(flows=(roomy,))
    room.buys(20, strategy="beta", **AT)
    refused = room.buys(12, **AT)
    assert (OverFlow, "crypto") == (type(refused), refused.of)


def test_an_instrument_of_another_group_counts_apart_and_moves_with_the_file():
    room = a_bounded_group(told=("crypto", "other"))
    room.buys(20, **AT)
    assert not isinstance(room.buys(12 * ETH_LOTS, instrument=ETH), OverFlow)
    groups_are(room, "crypto", "crypto")
    assert isinstance(room.buys(12 * ETH_LOTS, instrument=ETH), OverFlow)
    groups_are(room, "crypto", "")
    assert NoFacts(what="group") == room.buys(12 * ETH_LOTS, instrument=ETH)


def test_a_bound_on_a_group_that_nobody_is_of_is_told():
    """A slip of the pen would be a limit that limits nothing."""
    room = a_bounded_group()
    assert [] == room.alerted("reference.group")
    groups_are(room, "crypto!", "other")
    (told,) = room.alerted("reference.group")
    assert "[flow_group.crypto] bounds nothing" in told.text


def test_an_amend_counts_in_its_group_too_and_a_groups_bound_is_tightened_like_any():
    room = a_bounded_group()
    order = room.buys(10, **AT)
    room.run(ms=100)
    assert room.amends(order, lots=15) is None
    room.run(ms=100)
    used = room.state.live.group_flows["crypto"].used_e8(Side.BUY, now_mono_ns=room.mono_ns)
    assert 15 * (BTC_TICKS - 3_000) * 10_000 == used
    assert isinstance(room.amends(order, lots=21), OverFlow)
    assert room.says("limit_set", limit="flow_group.crypto.same_side_max", value=16 * LOT_E8).accepted
    assert isinstance(room.buys(2, strategy="beta", **AT), OverFlow)


def test_slices_count_late_and_never_early():
    """The slow twin keeps every order; ours may count only what is at most one slice too old."""
    rules = FlowRules(instrument=BTC, window_ms=1_600, same_side_e8_max=1, walk_ppm_max=1)
    flow, sent = Flow(rules=rules), []
    rng, now = random.Random(7), 10**12
    for _ in range(4_000):
        now += rng.randrange(40 * NS_PER_MS)
        side, lots = rng.choice((Side.BUY, Side.SELL)), rng.randrange(1, 9)
        flow.take("alpha", side, notional_e8=lots, mid2_ticks=1, now_mono_ns=now, exits=False)
        sent.append((now, side, lots))
        for look in (side, Side(-side)):
            exact = sum(n for at, of, n in sent if of is look and at > now - flow.window_ns)
            longer = flow.window_ns + flow.window_ns // SLICES
            most = sum(n for at, of, n in sent if of is look and at > now - longer)
            assert exact <= flow.used_e8(look, now_mono_ns=now) <= most
        assert len(flow.slices) <= SLICES + 2
        del sent[:-400]


@pytest.mark.parametrize("a_core", [a_bounded_core, a_bounded_group])
def test_it_replays_to_the_same(a_core):
    room = a_core()
    room.buys(20, **AT)
    assert isinstance(room.buys(20, strategy="beta", **AT), OverFlow)
    room.run(s=1)
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room)))
    found = replay(iter(records), iter(frames))
    assert room.state.state_hash() == found.state_hash == found.last_state_hash


def takes(flow, *at_ms, exits=False):
    for ms in at_ms:
        flow.take(
            "alpha",
            Side.BUY,
            notional_e8=LOT_E8,
            mid2_ticks=2 * BTC_TICKS,
            now_mono_ns=ms * NS_PER_MS,
            exits=exits,
        )
    return flow


def a_flow(window_ms=1_600):
    return Flow(
        rules=FlowRules(instrument=BTC, window_ms=window_ms, same_side_e8_max=LOT_E8, walk_ppm_max=1_000)
    )


def test_what_is_remembered_is_bounded_by_slices_and_not_by_orders():
    """A slice is a hundred milliseconds here: what falls into one is one, and what left the window is forgotten."""
    assert 1 == len(takes(a_flow(), 0, 0, 99).slices)
    assert 2 == len(takes(a_flow(), 0, 100).slices)
    assert 1 == len(takes(a_flow(), 0, 1_600).slices)
    busy = takes(a_flow(), *range(5_000))
    assert SLICES + 1 >= len(busy.slices) == len(busy.own["alpha"])


def test_only_an_exit_makes_the_next_exit_wait():
    flow = takes(a_flow(), 1_000)
    assert flow.exit_passes("alpha", Side.BUY, now_mono_ns=1_001 * NS_PER_MS)
    takes(flow, 1_000, exits=True)
    assert not flow.exit_passes("alpha", Side.BUY, now_mono_ns=2_599 * NS_PER_MS)
    assert flow.exit_passes("alpha", Side.BUY, now_mono_ns=2_600 * NS_PER_MS)


def test_a_copy_of_what_was_sent_is_the_same_and_changes_alone():
    flow = takes(a_flow(), 0, 100, 200)
    again = flow.copied()
    assert flow == again
    takes(again, 201)
    assert flow != again
    assert flow == takes(a_flow(), 0, 100, 200)
