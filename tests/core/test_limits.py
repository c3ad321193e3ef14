"""Each change of a limit has people, a reason and a record; nothing passes a hard cap; a lower one cuts nothing."""

import pytest
from msgspec import structs

from holdfast.core.state import State
from holdfast.core.step.limits import GLASS_MS_MAX, GLASSES_MAX
from holdfast.vocab.facts import GlassBroken, GlassEnded, IntentRefused, LimitChanged, LoosenAsked
from holdfast.vocab.orders import OrderState
from holdfast.vocab.refusals import OverGross, OverOrderSize, OverPosition, OverRate, StaleReference
from holdfast.vocab.units import E8
from tests.house.records import folded, replayed
from tests.house.room import a_running_core
from tests.house.setup import BTC, ETH, caps_over, settings

ORDER = f"instrument.{BTC}.order_max"
MINE = f"strategy.alpha.{BTC}.order_max"
POSITION = f"instrument.{BTC}.position_max"
COOLING_S = 600
TWICE = caps_over(settings())


def a_governed_core(**changes):
    """Limits of the house, with hard caps twice as loose."""
    return a_running_core(caps=TWICE, **changes)


def sets(room, name, value, **changes):
    return room.says("limit_set", limit=name, value=value, **changes)


def breaks_glass(room, name=MINE, value=90, **changes):
    how = {"for_ms": 300_000, "review": "ada looks at the fills on Monday", "second_by": "bob", **changes}
    return room.says("break_glass", limit=name, value=value, **how)


def in_force(room, name):
    where, _, key = name.rpartition(".")
    group = {
        "account": room.state.live.account.limits,
        f"instrument.{BTC}": room.state.desks["alpha"][BTC].instrument_limits,
        f"strategy.alpha.{BTC}": room.state.desks["alpha"][BTC].limits,
    }[where]
    return getattr(group, {"order_max": "order_lots_max", "position_max": "position_lots_max"}.get(key, key))


# --- lowering ---------------------------------------------------------------------------------------------------------


def test_one_person_lowers_a_limit_and_the_next_order_meets_it():
    room = a_governed_core()
    answer = sets(room, MINE, 20)
    assert answer.accepted
    assert f"{MINE} from 0.08 BTC to 0.02 BTC, by ann" == answer.text
    assert isinstance(room.buys(21), OverOrderSize)
    assert 20 == room.buys(20).qty_lots


def test_a_change_is_a_fact_with_old_new_who_when_and_why():
    """I32: who, when, old, new, reason."""
    room = a_governed_core()
    sets(room, MINE, 20, reason="too big for a Friday")
    (fact,) = room.facts_of(LimitChanged)
    assert (
        LimitChanged(
            name=MINE,
            old=80,
            new=20,
            configured=80,
            by="ann",
            second_by="",
            alone=False,
            reason="too big for a Friday",
            wall_ns=room.wall_ns,
        )
        == fact
    )


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_change_survives_the_process_and_a_replay(snapshot):
    """A limit that a restart loosens is none."""
    room = a_governed_core()
    sets(room, MINE, 20)
    sets(room, "account.orders_per_s_refuse", 5)
    room.restarts(snapshot=snapshot)
    room.run(s=1)
    assert isinstance(room.buys(21), OverOrderSize)
    assert 5 == room.state.live.account.limits.orders_per_s_refuse
    assert room.state.books_hash() == replayed(room.records)[0].books_hash()
    assert room.books.limits == folded(room.records).limits


def test_a_lower_limit_cuts_nothing_and_lets_nothing_more_in():
    """What is over it already was permitted when it was sent; forcing it out would be a decision of its own."""
    room = a_governed_core()
    room.targets(80)
    room.run(s=1)
    resting = room.buys(60)
    sets(room, POSITION, 50)
    room.run(s=3)
    assert 80 == room.position()
    assert OrderState.LIVE is resting.state
    assert [] == room.causes()
    refusal = room.buys(1)
    assert isinstance(refusal, OverPosition)
    assert (141, 50) == (refusal.would_be_lots, refusal.limit_lots)
    assert OrderState.LIVE is room.sells(40).state, "what reduces passes"


def test_a_lower_gross_limit_lets_reducing_orders_through():
    room = a_governed_core()
    room.targets(80)
    room.run(s=1)
    sets(room, "account.gross_notional_max", 1_000 * E8)
    assert isinstance(room.buys(5), OverGross)
    assert OrderState.LIVE is room.sells(40, reduce_only=True).state


def test_a_changed_rate_counts_what_was_asked_before():
    """Else whoever changes the limit gives a runaway a second burst."""
    room = a_governed_core()
    for _ in range(6):
        room.buys(1)
    sets(room, "account.orders_per_s_refuse", 5)
    assert isinstance(room.buys(1), OverRate)
    room.run(s=2)
    sets(room, "account.orders_per_s_kill", 60, second_by="bob")
    assert 61 == len(room.state.live.account.asked.ring)
    assert not isinstance(room.buys(1), OverRate)


def test_a_lower_breaker_trips_at_once_where_equity_is_beyond_it():
    room = a_governed_core()
    room.venue.fee_ppm = 0
    room.targets(80)
    room.run(s=1)
    room.quotes(mid=600_000 - 6_000 * 6)
    room.run(s=2)
    assert [] == room.causes()
    sets(room, "account.drawdown_release", 5_000)
    sets(room, "account.drawdown_warning", 10_000)
    assert ["drawdown_warning"] == room.causes()
    sets(room, "account.drawdown_breaker", 20_000)
    assert "drawdown_breaker" in room.causes()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("instrument.DOGE.order_max", 5, "no limit is called"),
        ("account.leverage_venue", 1, "no limit is called"),
        (MINE, 0, "more than zero"),
        (MINE, -5, "more than zero"),
        ("account.orders_per_s_refuse", 50, "orders_per_s_refuse would not be less than orders_per_s_kill"),
        ("account.orders_per_s_kill", 20, "orders_per_s_refuse would not be less than orders_per_s_kill"),
        ("account.drawdown_breaker", 50_000, "drawdown_warning would not be less than drawdown_breaker"),
        ("account.drawdown_release", 50_000, "drawdown_release would not be less than drawdown_warning"),
        (f"instrument.{BTC}.order_notional_max", 49 * E8, "smallest order"),
        (f"instrument.{BTC}.collar", 500_001, "at most 500000"),
    ],
)
def test_what_is_no_limit_is_refused_in_words_and_nothing_is_written(name, value, said):
    room = a_governed_core()
    facts = len(room.facts)
    answer = sets(room, name, value, second_by="bob")
    assert not answer.accepted
    assert said in answer.text
    assert facts == len(room.facts)


def test_a_change_needs_a_reason():
    assert "a reason is needed" in sets(a_governed_core(), MINE, 20, reason="").text


# --- raising ----------------------------------------------------------------------------------------------------------


def test_two_people_raise_a_limit_up_to_its_hard_cap_and_not_beyond():
    """The cap of a strategy is its instrument's; the instrument's own limit still stands beside it."""
    room = a_governed_core()
    assert sets(room, MINE, 100, second_by="bob").accepted
    assert 100 == room.buys(100).qty_lots
    (fact,) = room.facts_of(LimitChanged)
    assert ("ann", "bob", False) == (fact.by, fact.second_by, fact.alone)
    assert sets(room, ORDER, 200, second_by="bob").accepted
    answer = sets(room, ORDER, 201, second_by="bob")
    assert not answer.accepted
    assert "its hard cap is 0.2 BTC" in answer.text
    room.run(s=COOLING_S + 1)
    assert not sets(room, ORDER, 201).accepted


def test_one_person_alone_raises_nothing_before_the_delay_and_the_same_person_twice_is_one():
    room = a_governed_core()
    answer = sets(room, MINE, 90)
    assert not answer.accepted
    assert "another 601 s of the solo operator's cooling delay" in answer.text
    assert not sets(room, MINE, 90, second_by="ann").accepted
    room.run(s=COOLING_S - 1)
    assert not sets(room, MINE, 90).accepted
    assert 80 == in_force(room, MINE)
    room.run(s=2)
    assert sets(room, MINE, 90).accepted
    assert 90 == in_force(room, MINE)
    (fact,) = room.facts_of(LimitChanged)
    assert ("", True) == (fact.second_by, fact.alone), "it is labelled"
    assert 1 == len(room.facts_of(LoosenAsked))


def test_another_person_who_asks_for_the_very_same_is_the_second_one():
    room = a_governed_core()
    assert not sets(room, MINE, 90).accepted
    assert not sets(room, MINE, 91, by="bob").accepted, "another number is another act"
    assert sets(room, MINE, 90, by="bob").accepted
    (fact,) = room.facts_of(LimitChanged)
    assert ("bob", "ann") == (fact.by, fact.second_by)


def test_what_was_asked_for_long_ago_must_be_asked_again():
    """A raise that somebody thought of last week is not one that waited."""
    room = a_governed_core()
    sets(room, MINE, 90)
    room.run(s=2 * COOLING_S + 1)
    assert not sets(room, MINE, 90).accepted
    room.run(s=COOLING_S + 1)
    assert sets(room, MINE, 90).accepted


def test_what_was_granted_once_is_asked_for_anew_the_next_time():
    """Else one delay would be a leave for ever."""
    room = a_governed_core()
    sets(room, MINE, 90)
    room.run(s=COOLING_S + 1)
    assert sets(room, MINE, 90).accepted
    assert sets(room, MINE, 80).accepted
    assert not sets(room, MINE, 90).accepted


def test_the_delay_runs_on_through_a_restart_and_begins_anew_at_a_reboot():
    room = a_governed_core()
    sets(room, MINE, 90)
    room.run(s=400)
    room.restarts()
    room.run(s=201)
    assert sets(room, MINE, 90).accepted

    room = a_governed_core()
    sets(room, MINE, 90)
    room.run(s=400)
    room.restarts(reboot=True)
    room.run(s=COOLING_S - 1)
    assert not sets(room, MINE, 90).accepted
    room.run(s=2)
    assert sets(room, MINE, 90).accepted, "in full, and no longer"


def test_a_wait_is_loosened_by_being_shorter():
    room = a_governed_core()
    assert sets(room, "account.recover_cooling", 700_000).accepted
    assert not sets(room, "account.recover_cooling", 500_000).accepted
    assert sets(room, "account.recover_cooling", 500_000, second_by="bob").accepted
    assert not sets(room, "account.recover_cooling", 299_999, second_by="bob").accepted


def test_without_a_hard_cap_nothing_is_loosened():
    """I6: what is missing never permits."""
    room = a_running_core()
    assert "has no hard cap" in sets(room, MINE, 81, second_by="bob").text
    assert sets(room, MINE, 79).accepted


def test_a_configuration_that_was_edited_since_leaves_the_stricter_number():
    room = a_governed_core()
    sets(room, MINE, 100, second_by="bob")
    room.config = structs.replace(
        room.config,
        strategy_limits=tuple(
            structs.replace(one, order_lots_max=60) if one.strategy == "alpha" else one
            for one in room.config.strategy_limits
        ),
    )
    room.restarts()
    assert 60 == in_force(room, MINE)


def test_a_hard_cap_that_was_lowered_since_holds_what_was_raised_before():
    room = a_governed_core()
    sets(room, MINE, 100, second_by="bob")
    room.config = structs.replace(room.config, caps=caps_over(room.config, times=1))
    sets(room, ORDER, 90)
    room.restarts()
    assert 100 == in_force(room, MINE), "the instrument's cap is 100"
    room.config = structs.replace(
        room.config,
        caps=tuple(structs.replace(cap, value=70) if cap.name == ORDER else cap for cap in room.config.caps),
    )
    room.restarts()
    assert (70, 70) == (in_force(room, MINE), in_force(room, ORDER))


# --- break-glass ------------------------------------------------------------------------------------------------------


def test_broken_glass_opens_one_limit_and_closes_by_itself():
    room = a_governed_core()
    assert breaks_glass(room).accepted
    assert 90 == room.buys(90).qty_lots
    assert isinstance(room.buys(91), OverOrderSize)
    room.run(s=299)
    assert 90 == in_force(room, MINE)
    room.run(s=2)
    assert 80 == in_force(room, MINE)
    assert isinstance(room.buys(81), OverOrderSize)
    (ended,) = room.facts_of(GlassEnded)
    assert "its time is over" == ended.why
    (alert,) = room.alerted("glass.ended")
    assert "ada looks at the fills on Monday" in alert.text
    assert room.alerted("glass.broken")
    assert room.books.limits == folded(room.records).limits


def test_for_one_order_it_closes_with_that_order():
    room = a_governed_core()
    breaks_glass(room, once=True)
    assert isinstance(room.buys(95), OverOrderSize), "a refused one is none"
    assert 90 == in_force(room, MINE)
    assert 90 == room.buys(90).qty_lots
    assert isinstance(room.buys(81), OverOrderSize)
    assert "its one order was let through" in room.facts_of(GlassEnded)[0].why


def test_for_one_order_an_amend_is_one_too():
    room = a_governed_core()
    resting = room.buys(70)
    breaks_glass(room, once=True)
    assert room.amends(resting, lots=88) is None
    assert 80 == in_force(room, MINE)


def test_an_order_elsewhere_does_not_use_it_up():
    room = a_governed_core()
    breaks_glass(room, once=True)
    room.buys(10, instrument=ETH, at=249_000)
    room.buys(10, strategy="beta")
    assert 90 == in_force(room, MINE)


def test_a_restart_closes_it():
    """Its timer died with the process, and a restart never loosens."""
    room = a_governed_core()
    breaks_glass(room)
    room.restarts()
    assert 80 == in_force(room, MINE)
    assert {} == room.books.limits.glasses
    room.run(s=600)
    assert 1 == len(room.facts_of(GlassEnded))


def test_one_person_ends_it_and_lowering_ends_it_too():
    room = a_governed_core()
    breaks_glass(room)
    assert room.says("glass_end", glass_id=1).accepted
    assert 80 == in_force(room, MINE)
    assert not room.says("glass_end", glass_id=1).accepted
    breaks_glass(room)
    assert sets(room, MINE, 70).accepted
    assert 70 == in_force(room, MINE)
    assert {} == room.books.limits.glasses


def test_it_takes_two_or_the_delay():
    room = a_governed_core()
    assert "a second person" in breaks_glass(room, second_by="").text
    assert 80 == in_force(room, MINE)
    room.run(s=COOLING_S + 1)
    assert breaks_glass(room, second_by="").accepted
    (fact,) = room.facts_of(GlassBroken)
    assert fact.alone


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": 201}, "its hard cap is 0.2 BTC"),
        ({"value": 80}, "no glass to break"),
        ({"review": ""}, "looked at afterwards"),
        ({"reason": ""}, "a reason is needed"),
        ({"for_ms": 0}, "at most 10 minutes"),
        ({"for_ms": GLASS_MS_MAX + 1}, "at most 10 minutes"),
        ({"name": "account.nothing"}, "no limit is called"),
    ],
)
def test_what_break_glass_does_not_do(changes, said):
    room = a_governed_core()
    answer = breaks_glass(room, **changes)
    assert not answer.accepted
    assert said in answer.text
    assert [] == room.facts_of(GlassBroken)


def test_the_same_glass_is_broken_once_and_there_is_a_bound():
    room = a_governed_core()
    assert breaks_glass(room).accepted
    assert "open already" in breaks_glass(room, value=95).text
    opened = 1
    for name, limit in (
        ("account.open_orders_max", 60),
        ("account.leverage_max", 6_000_000),
        ("account.orders_per_s_refuse", 21),
        ("account.orders_per_s_kill", 51),
        ("account.gross_notional_max", 50_000 * E8),
        (f"instrument.{BTC}.collar", 11_000),
        (f"instrument.{BTC}.spread_max", 6_000),
    ):
        opened += breaks_glass(room, name, limit).accepted
    assert GLASSES_MAX == opened
    assert f"{GLASSES_MAX} are open" in breaks_glass(room, f"instrument.{BTC}.jump_max", 60_000).text


def test_broken_glass_does_not_lift_a_hold():
    """It never removes KILLED."""
    room = a_governed_core()
    room.says("kill")
    assert breaks_glass(room).accepted
    room.run(s=1)
    room.buys(10)
    assert "held" == room.facts_of(IntentRefused)[-1].refusal.__struct_config__.tag


def test_market_limits_reach_the_market():
    room = a_governed_core()
    sets(room, f"instrument.{BTC}.spread_max", 100)
    sets(room, f"instrument.{BTC}.jump_max", 200)
    market = room.state.live.markets[BTC]
    assert (100, 200) == (market.spread_ppm_max, market.jump_ppm_max)


# --- what people, clocks and quotes do at the same time -----------------------------------------------------------


def test_leave_to_loosen_one_number_is_none_to_loosen_another():
    """Ann's old wish must not undo what Bob tightened because of an incident."""
    room = a_governed_core()
    sets(room, MINE, 100)
    room.run(s=COOLING_S + 1)
    sets(room, MINE, 5, by="bob", reason="incident")
    room.run(s=1)
    assert not sets(room, MINE, 100).accepted
    assert 5 == in_force(room, MINE)


def test_the_breakers_floor_is_the_limits_own_as_soon_as_the_glass_is_closed():
    """Between two marks every quote is held against it: a floor of the broken glass would let the fall go on."""
    room = a_governed_core()
    room.venue.fee_ppm = 0
    room.targets(80)
    room.run(s=1)
    breaks_glass(room, "account.drawdown_breaker", 200_000, for_ms=5_300)
    room.run(s=5)
    room.quoting = False
    mid = 600_000
    for _ in range(36):
        mid -= 4_200
        room.quotes(mid=mid)
    assert "drawdown_breaker" not in room.causes()
    room.run(ms=301)
    room.quotes(mid=mid)
    assert "drawdown_breaker" in room.causes()


def test_a_breaker_that_a_quote_trips_is_the_same_in_a_fold_of_the_journal():
    """The journal holds no quotes: what the books remember of the moment must stand in the hold itself."""
    room = a_governed_core()
    room.venue.fee_ppm = 0
    room.targets(80)
    room.run(s=1)
    room.quoting = False
    room.run(ms=130)
    mid = 600_000
    while room.hold("drawdown_breaker") is None:
        mid -= 4_500
        room.quotes(mid=mid)
    assert room.state.books_hash() == State(folded(room.records)).books_hash()


def test_a_quote_that_a_tighter_spread_refuses_is_not_priced_from_any_more():
    """Prices that stand still are not looked at again: the limit must look at them when it changes."""
    room = a_governed_core()
    room.quoting = False
    spread = f"instrument.{BTC}.spread_max"
    breaks_glass(room, spread, 10_000, for_ms=5_000)
    for _ in range(40):
        room.quotes(spread=5_400)
        room.quotes(ETH)
        room.run(ms=200)
    assert 5_000 == room.state.live.markets[BTC].spread_ppm_max
    assert isinstance(room.buys(10, at=602_700), StaleReference)
    room.quotes(spread=10)
    assert not isinstance(room.buys(10), StaleReference)


def test_glass_past_its_time_is_closed_before_an_order_is_judged():
    """After a stall the order may be read before the timer: a minute of glass is not two."""
    room = a_governed_core()
    breaks_glass(room, MINE, 90, for_ms=5_000)
    room._pass(60_000)
    room.quotes()
    assert isinstance(room.buys(90), OverOrderSize)


def test_some_glass_is_not_broken():
    room = a_governed_core()
    assert not breaks_glass(room, "account.recover_cooling", 300_000).accepted
    assert not breaks_glass(room, f"instrument.{BTC}.flatten_clip", 150, once=True).accepted
