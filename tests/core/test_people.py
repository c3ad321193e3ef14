"""People's acts: stopping takes one word and is idempotent; loosening needs a reason, checks, sometimes two."""

import pytest

from holdfast.vocab.events import LatchSeen, LeaseLost, Stopping, Verb
from holdfast.vocab.facts import FlattenEnded, HoldReleased
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.refusals import Held, NotReducing
from holdfast.vocab.requests import (
    CancelAll,
    MeasureClock,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryPositions,
    QueryTrades,
)
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH

S = OrderState
L = HoldLevel


@pytest.mark.parametrize("verb", Verb)
def test_every_verb_is_answered_once(verb):
    room = a_running_core()
    answer = room.says(verb.value, instrument=BTC if verb is Verb.BAN else "")
    assert answer.text
    assert 1 == len(room.answers)


@pytest.mark.parametrize("verb", Verb)
def test_a_slip_of_the_pen_in_the_scope_is_refused(verb):
    """ "halt BTCUSD" that looked like a halt of BTCUSDT would be worse than none."""
    room = a_running_core()
    facts = len(room.facts)
    assert "unknown instrument BTCUSD" == room.says(verb.value, instrument="BTCUSD").text
    assert "unknown strategy alhpa" == room.says(verb.value, strategy="alhpa").text
    assert facts == len(room.facts)
    assert not room.latch_tripped


def test_a_strategy_that_left_the_configuration_can_still_be_flattened():
    room = a_running_core()
    room.targets(10, strategy="beta")
    room.config = room.config.__class__(
        **{
            **{name: getattr(room.config, name) for name in room.config.__struct_fields__},
            "strategies": room.config.strategies[:1],
            "strategy_limits": room.config.strategy_limits[:2],
        }
    )
    room.restarts()
    room.run(s=1)
    assert room.says("flatten", strategy="beta").accepted
    room.run(s=4)
    assert 0 == room.venue.position()


# --- halt and pause -------------------------------------------------------------------------------------------------


def test_halt_trips_the_latch_and_the_latch_is_the_hold():
    room = a_running_core()
    order = room.buys(10)
    assert room.says("halt").accepted
    assert room.latch_tripped
    hold = room.hold("halt")
    assert (L.HALTED, "ann", room.trip_nonce) == (hold.level, hold.by, hold.latch_nonce)
    assert isinstance(room.buys(1), Held)
    assert [S.LIVE] == [order.state]  # a halt sends nothing new and takes nothing away
    assert room.cancels(order) is None
    assert [S.CANCELLED] == [order.state]  # cancels work


def test_resume_needs_a_reason_and_clears_exactly_the_trip_that_was_seen():
    room = a_running_core()
    room.says("halt")
    hold = room.hold("halt")
    assert "reason" in room.says("resume", hold_id=hold.hold_id, reason="").text
    assert room.says("resume", hold_id=hold.hold_id).accepted
    assert not room.latch_tripped
    assert 10 == room.buys(10).qty_lots


def test_a_trip_after_the_command_was_given_stays():
    """Somebody halts while somebody else resumes: the halt wins."""
    room = a_running_core()
    room.says("halt")
    seen = room.trip_nonce
    hold = room.hold("halt")
    room.trip_nonce += 1  # from another process, not observed yet
    room.says("resume", hold_id=hold.hold_id, latch_nonce=seen)
    assert room.latch_tripped


def test_the_same_halt_again_is_one_halt():
    room = a_running_core()
    room.says("halt")
    room.says("halt")
    assert ["halt"] == room.causes()
    assert room.trip_nonce == room.hold("halt").latch_nonce
    room.says("resume", hold_id=room.hold("halt").hold_id)
    assert not room.latch_tripped


def test_somebody_elses_halt_stands_by_itself():
    """Ann resumes her own; what Bob halted for is not hers to lift unseen."""
    room = a_running_core()
    room.says("halt")
    room.says("halt", by="bob", reason="the venue was broken into")
    halts = [hold for hold in room.books.holds.holds.values() if hold.cause.value == "halt"]
    assert [("ann", "because"), ("bob", "the venue was broken into")] == [
        (one.by, one.reason) for one in halts
    ]
    room.says("resume", hold_id=halts[0].hold_id)
    assert room.latch_tripped
    assert L.HALTED == room.level()
    room.says("resume", hold_id=halts[1].hold_id)
    assert not room.latch_tripped
    assert L.NONE == room.level()


def test_a_halt_that_its_own_face_has_tripped_for_is_one_halt():
    """The command line trips the latch first and then tells the bot: one act, one hold to resume."""
    room = a_running_core()
    room.trip_nonce += 1
    room.tell(LatchSeen(wall_ns=0, mono_ns=0, nonce=room.trip_nonce, by="login:ann", reason="looks odd"))
    room.says("halt", reason="looks odd", latch_nonce=room.trip_nonce)
    assert ["halt"] == room.causes()


def test_halts_side_by_side_are_bounded():
    room = a_running_core()
    for number in range(40):
        room.says("halt", by=f"p{number}", reason=f"because of {number}")
    assert 16 == room.causes().count("halt")


def test_halting_an_instrument_or_a_strategy_leaves_the_latch_alone():
    room = a_running_core()
    room.says("halt", instrument=BTC)
    assert not room.latch_tripped
    assert (L.HALTED, L.NONE) == (room.level(), room.level(instrument=ETH))
    hold = room.hold("halt", instrument=BTC)
    assert room.says("resume", hold_id=hold.hold_id).accepted
    assert L.NONE == room.level()


def test_pause_cancels_and_keeps_positions():
    room = a_running_core()
    room.targets(10)
    order = room.buys(5)
    stop = room.wants_protection(10)
    room.says("pause")
    room.run(s=2)
    assert (S.CANCELLED, S.LIVE, 10) == (order.state, stop.state, room.venue.position())
    assert isinstance(room.buys(1), Held)
    assert not room.says("unpause", reason="").accepted
    assert room.says("unpause").accepted
    assert [] == room.causes()
    assert not room.latch_tripped
    assert "not paused" in room.says("unpause").text


def test_unpausing_one_scope_leaves_the_other_paused():
    room = a_running_core()
    room.says("pause", instrument=BTC)
    room.says("pause", instrument=ETH)
    assert room.says("unpause", instrument=ETH).accepted
    assert (L.HALTED, L.NONE) == (room.level(), room.level(instrument=ETH))
    assert "not paused there" in room.says("unpause").text


def test_resuming_needs_checks_that_pass():
    room = a_running_core()
    room.says("halt")
    room.stream_is(up=False)
    assert "stream" in room.says("resume", hold_id=room.hold("halt").hold_id).text
    assert "no hold 99" in room.says("resume", hold_id=99).text


@pytest.mark.parametrize("cause", ["startup", "stale_data"])
def test_holds_with_a_way_of_their_own_are_not_resumed(cause):
    room = a_running_core(armed=cause != "startup")
    room.quoting = cause != "stale_data"
    room.run(s=6)
    hold = next(hold for hold in room.books.holds.holds.values() if hold.cause.value == cause)
    answer = room.says("resume", hold_id=hold.hold_id)
    assert not answer.accepted
    assert "arm" in answer.text or "itself" in answer.text


# --- kill and recover -----------------------------------------------------------------------------------------------


def a_killed_room():
    room = a_running_core()
    room.targets(10)
    room.says("kill")
    return room


def test_killed_is_not_resumed_and_not_recovered_while_the_exit_runs():
    room = a_killed_room()
    room.venue.position()
    hold = room.hold("kill")
    assert "recover" in room.says("resume", hold_id=hold.hold_id).text
    assert "exit is still under way" in room.says("recover", second_by="bob").text
    room.run(s=3)
    assert room.says("recover", second_by="bob").accepted


def test_recovering_takes_two_people_and_leads_to_halted():
    room = a_killed_room()
    room.run(s=3)
    assert "reason" in room.says("recover", reason="", second_by="bob").text
    assert "second person" in room.says("recover").text
    assert "second person" in room.says("recover", second_by="ann").text  # oneself is not two
    assert room.says("recover", second_by="bob").accepted
    assert ["startup"] == room.causes()
    assert L.HALTED == room.level()
    assert "nothing to recover" in room.says("recover", second_by="bob").text
    room.run(s=1)
    assert ["startup"] == room.causes()  # never armed by itself
    room.stream_is(up=False)
    room.stream_is(up=True)
    assert "startup" in room.causes()
    assert room.says("arm").accepted
    assert not room.latch_tripped


def test_a_person_alone_waits_out_the_cooling_delay_in_full():
    room = a_killed_room()
    room.run(s=598)
    assert "second person" in room.says("recover").text
    room.run(s=3)
    assert room.says("recover").accepted


@pytest.mark.parametrize("who", ["ann", "bob"])
def test_the_delay_restarts_with_every_further_kill(who):
    """Who kills at the end of the delay has seen something: nobody alone recovers over it a moment later."""
    room = a_running_core()
    room.says("kill")
    room.run(s=605)
    assert room.says("kill", by=who, reason="the strategy is mad").accepted
    assert [("ann", "because"), (who, "the strategy is mad")] == [
        (hold.by, hold.reason) for hold in room.books.holds.holds.values() if hold.cause is HoldCause.KILL
    ]
    room.run(s=5)
    assert "another 596 s" in room.says("recover").text
    room.run(s=595)
    assert room.says("recover").accepted
    assert ["startup"] == room.causes()
    assert room.says("arm").accepted
    assert not room.latch_tripped


def test_a_kill_behind_a_reboot_restarts_the_delay_too_and_kills_are_bounded():
    room = a_killed_room()
    room.run(s=3)
    room.restarts(reboot=True)
    room.run(s=605)
    for _ in range(19):
        room.says("kill", by="bob")
        room.run(s=3)
    assert not room.says("recover").accepted
    assert 16 == room.causes().count("kill")
    room.run(s=598)
    assert room.says("recover").accepted


def test_the_delay_restarts_with_a_reboot_and_not_with_a_restart():
    room = a_killed_room()
    room.run(s=500)
    room.restarts()
    room.run(s=110)
    assert room.says("recover").accepted
    room = a_killed_room()
    room.run(s=500)
    room.restarts(reboot=True)
    room.run(s=110)
    assert not room.says("recover").accepted
    room.run(s=500)
    assert room.says("recover").accepted


def test_a_kill_after_a_halt_leaves_the_halt_to_be_resumed():
    room = a_running_core()
    room.says("halt")
    room.says("kill")
    room.run(s=3)
    assert room.says("recover", second_by="bob").accepted
    assert {"halt", "startup"} == set(room.causes())
    assert room.latch_tripped
    assert room.says("arm").accepted
    assert room.latch_tripped  # the halt leans on it still
    assert room.says("resume", hold_id=room.hold("halt").hold_id).accepted
    assert not room.latch_tripped


# --- ban, cancel, the rest --------------------------------------------------------------------------------------------


def test_ban_lets_only_exits_through_and_cancels_what_increases():
    room = a_running_core()
    room.targets(10)
    entry, exit_order = room.buys(5), room.sells(5)
    elsewhere = room.buys(50, instrument=ETH)
    assert "needs an instrument or a strategy" in room.says("ban").text
    assert room.says("ban", instrument=BTC).accepted
    assert (S.CANCELLED, S.LIVE, S.LIVE) == (entry.state, exit_order.state, elsewhere.state)
    assert isinstance(room.buys(1), NotReducing)
    assert 5 == room.sells(5).qty_lots
    assert isinstance(room.sells(1), NotReducing)
    assert "not banned" == room.says("unban", instrument=ETH).text
    assert room.says("unban", instrument=BTC).accepted
    assert [] == room.causes()


def test_cancel_takes_plain_orders_and_protective_ones_only_if_told():
    room = a_running_core()
    room.targets(10)
    order, stop = room.buys(5), room.wants_protection(10)
    assert "1 orders" in room.says("cancel").text
    assert (S.CANCELLED, S.LIVE) == (order.state, stop.state)
    room.says("cancel", protective=True)
    assert S.CANCELLED is stop.state
    assert [] == room.causes()


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ({}, []),
        ({"instrument": BTC}, [("alpha", ETH)]),
        ({"strategy": "alpha"}, [("beta", BTC)]),
        ({"strategy": "alpha", "instrument": BTC}, [("alpha", ETH), ("beta", BTC)]),
    ],
)
def test_cancel_reaches_its_scope_and_no_further(scope, left):
    room = a_running_core()
    room.buys(5)
    room.buys(50, instrument=ETH)
    room.buys(5, strategy="beta")
    room.says("cancel", **scope)
    assert left == [
        (row.strategy, row.terms.instrument) for row in room.books.orders.live.values() if row.state is S.LIVE
    ]


def test_cancelling_the_account_takes_one_request_per_instrument():
    """200 orders are cancelled within the rate limits, then each is asked after by name."""
    room = a_running_core()
    orders = [room.buys(1, at=BTC_TICKS - 1_000 - n) for n in range(15)]
    room.holds_answers()
    room.says("cancel")
    cancels = [call.request for call in room.held_calls if call.lane.value == "cancel"]
    assert [CancelAll(instrument=BTC)] == cancels
    room.answers_now()
    assert {S.CANCELLED} == {order.state for order in orders}


@pytest.mark.parametrize("act", ["pause", "stopping"])
def test_what_is_not_a_cancel_of_everything_leaves_somebody_elses_order_alone(act):
    """The venue's cancel-all does not ask whose they are: beside a foreign order ours go one by one."""
    room = a_running_core()
    ours = room.buys(5)
    in_eth = room.buys(100, instrument=ETH)
    order = room.venue.gets_a_foreign_order(Side.BUY, 5, price=590_000)
    room.settle()
    if act == "pause":
        assert room.says("pause").accepted
    else:
        room.tell(Stopping(wall_ns=0, mono_ns=0, by="ada", reason="enough"))
    room.run(s=2)
    assert order.open
    assert not {ours.order_id, in_eth.order_id} & room.books.orders.live.keys()
    assert [ETH] == [request.instrument for request in room.venue.asked_for(CancelAll)]


@pytest.mark.parametrize(
    ("scope", "asked", "open_after"),
    [
        ({}, [BTC], False),
        ({"instrument": BTC}, [BTC], False),
        ({"instrument": ETH}, [ETH], True),
        ({"strategy": "alpha"}, [], True),
    ],
)
def test_cancel_takes_foreign_orders_in_its_scope_too(scope, asked, open_after):
    """And an instrument that a person names is cancelled there even if we know of nothing."""
    room = a_running_core()
    order = room.venue.gets_a_foreign_order(Side.BUY, 5, price=590_000)
    room.settle()
    room.says("cancel", **scope)
    assert asked == [request.instrument for request in room.venue.asked_for(CancelAll)]
    assert open_after is order.open


def test_a_cancel_all_that_is_lost_is_made_good_order_by_order():
    room = a_running_core()
    orders = [room.buys(1, at=BTC_TICKS - 1_000 - n) for n in range(5)]
    room.venue.will_lose(CancelAll)
    room.says("cancel")
    assert room.alerted("cancel_all.failed")
    room.run(s=5)
    assert {S.CANCELLED} == {order.state for order in orders}


def test_reconcile_and_sync_ask_for_everything_now():
    for verb in ("reconcile", "sync"):
        room = a_running_core()
        before = len(room.venue.asked)
        room.says(verb)
        assert {QueryPositions, QueryBalances} <= {type(request) for request in room.venue.asked[before:]}


def test_one_question_of_a_kind_is_out_at_a_time():
    """A person who presses ten times must not use the rate budget up."""
    room = a_running_core()
    room.holds_answers()
    for _ in range(10):
        room.says("reconcile")
    asked = [type(call.request) for call in room.held_calls]
    assert 10 == asked.count(MeasureClock)
    for kind, times in (
        (QueryOpenOrders, 1),
        (QueryPositions, 1),
        (QueryBalances, 1),
        (QueryCash, 1),
        (QueryTrades, 2),
    ):
        assert times == asked.count(kind)


def test_a_lost_lease_halts_and_asks_for_everything():
    room = a_running_core()
    before = len(room.venue.asked)
    room.tell(LeaseLost(wall_ns=0, mono_ns=0, expired_ms=1_500, contested=True))
    assert (["lost_lease"], L.HALTED) == (room.causes(), room.level())
    assert "somebody else" in room.hold("lost_lease").reason
    assert {QueryPositions, QueryTrades, QueryCash} <= {
        type(request) for request in room.venue.asked[before:]
    }
    assert room.latch_tripped
    room.run(s=1)
    assert room.says("resume", hold_id=room.hold("lost_lease").hold_id).accepted
    assert not room.latch_tripped


def test_what_still_stands_is_said_with_the_way_out():
    room = a_running_core()
    room.says("pause")
    room.says("ban", instrument=ETH)
    room.says("stop")
    room.run(s=3)
    text = room.says("resume", hold_id=room.hold("pause").hold_id).text
    assert "STOP" not in text.partition(";")[0]
    assert "(stop): holdfast resume" in text
    assert "ban" not in text  # of an instrument only


@pytest.mark.parametrize(
    ("scope", "where"),
    [
        ({}, "account"),
        ({"instrument": BTC}, BTC),
        ({"strategy": "alpha"}, "alpha"),
        ({"strategy": "alpha", "instrument": BTC}, f"alpha/{BTC}"),
    ],
)
def test_every_hold_is_told_with_where_and_why_as_loudly_as_it_forbids(scope, where):
    room = a_running_core()
    room.says("pause", reason="fog", **scope)
    told = room.alerted("hold.pause")
    assert [("critical", f"HALTED {where}: fog")] == [(alert.severity.value, alert.text) for alert in told]
    if scope:
        room.says("ban", reason="fog", **scope)
        assert "warning" == room.alerted("hold.ban")[0].severity.value


def test_the_startup_hold_is_no_news():
    room = a_running_core(armed=False)
    assert [] == room.alerted("hold.startup")


def test_every_release_names_who_and_why():
    room = a_running_core()
    room.says("halt")
    room.says("resume", hold_id=room.hold("halt").hold_id, by="bob", reason="checked the feed")
    fact = room.facts_of(HoldReleased)[-1]
    assert ("bob", "checked the feed") == (fact.by, fact.reason)


def test_resuming_while_an_exit_is_under_way_is_refused():
    room = a_running_core()
    room.targets(10)
    room.venue.takes = 0
    room.says("stop")
    room.run(s=1)
    assert "exit is still under way" in room.says("resume", hold_id=room.hold("stop").hold_id).text
    room.venue.fills(next(iter(room.books.orders.live.values())))
    room.settle()
    room.run(s=3)
    assert room.facts_of(FlattenEnded)
    assert room.says("resume", hold_id=room.hold("stop").hold_id).accepted
    assert Side.BUY is room.buys(1).terms.side
    assert [] == [hold for hold in room.books.holds.holds.values() if hold.cause is HoldCause.STOP]
