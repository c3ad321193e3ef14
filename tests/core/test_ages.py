"""What grows old: prices, the venue's word on our account, clocks, connections. Reduce first, then halt."""

import pytest
from msgspec import structs

from holdfast.vocab.events import NoticeKind, StrategyFailed, VenueNotice
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.orders import Lane, OrderType, Side
from holdfast.vocab.outcome import Fatal, Unknown
from holdfast.vocab.refusals import Held, NotReducing
from holdfast.vocab.requests import (
    ArmDeadman,
    CancelAll,
    QueryBalances,
    QueryOpenOrders,
    QueryPositions,
    QueryTrades,
)
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, timings

NS_PER_MS = 1_000_000
L = HoldLevel


# --- prices ---------------------------------------------------------------------------------------------------------


def test_one_silent_instrument_may_only_be_reduced_and_comes_back_by_itself():
    room = a_running_core()
    room.targets(10)
    mids, room.mids = dict(room.mids), {ETH: room.mids[ETH]}
    room.run(ms=4_900)
    assert [] == room.causes()
    room.run(ms=500)
    assert ["stale_data"] == room.causes()
    assert (L.REDUCE_ONLY, L.NONE) == (room.level(), room.level(instrument=ETH))
    room.mids = mids
    room.run(ms=3_000)
    assert ["stale_data"] == room.causes()  # it must have been gone for a while
    room.run(ms=700)
    assert [] == room.causes()


def test_with_every_instrument_silent_trading_halts():
    room = a_running_core()
    room.quoting = False
    room.run(s=6)
    assert {"stale_data", "feeds_lost"} == set(room.causes())
    assert L.HALTED == room.level()
    room.quoting = True
    room.run(s=4)
    assert [] == room.causes()


def test_data_that_stutters_does_not_release_the_hold():
    room = a_running_core()
    mids, room.mids = dict(room.mids), {ETH: room.mids[ETH]}
    room.run(s=6)
    for _ in range(4):
        room.mids = mids
        room.run(s=2)
        room.mids = {ETH: mids[ETH]}
        room.run(s=6)
        assert "stale_data" in room.causes()


# --- the venue's word -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [QueryPositions, QueryBalances, QueryOpenOrders])
def test_when_the_venue_does_not_tell_trading_is_reduced_and_then_halted_by_itself(kind):
    """Seed 000: a retired endpoint was retried softly for days, and nobody was told that the bot was blind."""
    room = a_running_core()
    room.targets(10)
    room.venue.breaks(kind, Unknown(why="404 Not Found", code="404"))
    room.run(s=20)
    assert [] == room.causes()
    room.run(s=16)
    assert ["position_stale"] == room.causes()
    assert L.REDUCE_ONLY == room.level()
    room.run(s=35)
    assert ["position_stale", "position_unknown"] == room.causes()
    assert L.HALTED == room.level()
    assert "60000 ms" in room.hold("position_unknown").reason


def test_at_the_second_age_what_rests_is_cancelled_and_protective_stops_stay():
    """Orders that rest would go on filling into a position that nobody sees."""
    room = a_running_core()
    room.targets(10)
    stop = room.buys(
        5,
        side=Side.SELL,
        order_type=OrderType.STOP_MARKET,
        trigger_ticks=BTC_TICKS - 1_000,
        reduce_only=True,
        price_ticks=None,
    )
    resting = room.buys(3, price_ticks=BTC_TICKS - 500)
    room.venue.breaks(QueryPositions, Unknown(why="404 Not Found", code="404"))
    room.run(s=55)
    assert ["position_stale"] == room.causes()
    assert "25000 ms; from 60000 ms on all stops" in room.hold("position_stale").reason
    assert [stop.order_id, resting.order_id] == sorted(room.books.orders.live)
    room.run(s=20)
    assert {"position_stale", "position_unknown"} == set(room.causes())
    assert [stop.order_id] == sorted(room.books.orders.live)
    assert 1 == len(room.venue.asked_for(CancelAll))


def test_the_reduction_goes_by_itself_and_the_halt_needs_a_person():
    room = a_running_core()
    room.venue.breaks(QueryPositions)
    room.run(s=80)
    assert {"position_stale", "position_unknown"} == set(room.causes())
    room.venue.mends(QueryPositions)
    room.run(s=20)
    assert ["position_unknown"] == room.causes()
    hold = room.hold("position_unknown")
    assert room.says("resume", hold_id=hold.hold_id).accepted
    room.run(s=20)
    assert [] == room.causes()


def test_another_source_of_positions_is_asked_when_one_fails():
    room = a_running_core()
    room.venue.dead_sources = {0}
    room.run(s=60)
    assert [] == room.causes()
    assert 1 == room.state.session.words.source
    asked = [request.source for request in room.venue.asked_for(QueryPositions)]
    assert 1 == asked[-1] == asked[-2]  # the one that answered is asked first from then on


def test_a_venue_that_is_wholly_silent_is_not_hammered():
    room = a_running_core()
    room.venue.breaks(QueryPositions)
    room.run(s=10)
    before = len(room.venue.asked_for(QueryPositions))
    room.run(s=100)
    assert 20 <= len(room.venue.asked_for(QueryPositions)) - before <= 60


# --- clocks and connections -----------------------------------------------------------------------------------------


def test_a_venue_clock_that_moves_away_reduces_until_it_is_back():
    room = a_running_core()
    room.venue.offset_ns = 1_001 * NS_PER_MS
    room.run(s=31)
    assert "clock" in room.causes()
    room.venue.offset_ns = 0
    room.run(s=34)
    assert [] == room.causes()


def test_a_clock_that_was_off_from_the_start_is_only_an_offset():
    room = a_running_core(armed=False)
    room.venue.offset_ns = 12_000 * NS_PER_MS
    room.restarts()
    room.run(s=40)
    assert ["startup"] == room.causes()
    assert room.says("arm").accepted


def test_without_the_user_stream_only_exits_are_allowed():
    """Fills come by polling only: too late to add risk on."""
    room = a_running_core()
    room.targets(10)
    room.stream_is(up=False)
    room.run(ms=300)
    assert ["user_stream_lost"] == room.causes()
    assert isinstance(room.buys(1), NotReducing)
    room.stream_is(up=True)
    room.run(s=4)
    assert [] == room.causes()


@pytest.mark.parametrize("question", [QueryPositions, QueryOpenOrders, QueryTrades])
def test_a_stream_that_is_back_is_not_enough_while_nobody_has_told_what_it_missed(question):
    """What was executed while it was deaf is in no book yet: risk on top of that is risk on a guess."""
    room = a_running_core()
    room.stream_is(up=False)
    room.run(s=1)
    room.venue.trades_itself(Side.BUY, 150, price=BTC_TICKS, told=False)
    room.venue.breaks(question)
    room.stream_is(up=True)
    room.run(s=20)
    assert "user_stream_lost" in room.causes()
    room.venue.mends(question)
    room.run(s=15)
    assert "user_stream_lost" not in room.causes()
    assert 150 == room.position()


def test_an_answer_to_a_question_from_before_the_stream_was_back_is_not_enough():
    room = a_running_core()
    room.stream_is(up=False)
    room.run(s=1)
    room.venue.slow = dict.fromkeys((QueryPositions, QueryOpenOrders, QueryTrades), 8_000)
    room.run(s=6)
    room.stream_is(up=True)
    room.run(s=7)
    assert ["user_stream_lost"] == room.causes()
    room.run(s=11)  # asked again at once, not at the next regular time
    assert [] == room.causes()


def test_behind_a_restart_a_lost_stream_is_held_until_it_is_back_and_all_is_told():
    room = a_running_core()
    room.stream_is(up=False)
    room.run(s=1)
    room.restarts(stream=False)
    room.run(s=10)
    assert "user_stream_lost" in room.causes()
    room.stream_is(up=True)
    room.run(s=10)
    assert [] == room.causes()


def test_a_market_feed_that_goes_down_is_told():
    room = a_running_core()
    room.stream_is(up=False)
    assert room.alerted("stream.user")


# --- the dead-man switch --------------------------------------------------------------------------------------------


def a_room_with_a_deadman(**changes):
    return a_running_core(timings=timings(deadman_ms=30_000), **changes)


def test_the_dead_man_switch_is_armed_from_the_start_and_refreshed_in_time():
    room = a_room_with_a_deadman()
    room.run(s=60)
    armed = room.venue.asked_for(ArmDeadman)
    assert {BTC, ETH} == {request.instrument for request in armed}
    assert 2 * (1 + 60_000 // 7_500) == len(armed)  # every quarter of the countdown
    assert {30_000} == {request.countdown_ms for request in armed}
    assert [] == room.causes()
    assert {Lane.CANCEL} == {lane for lane, request in room.sent if isinstance(request, ArmDeadman)}


def test_a_switch_that_cannot_be_refreshed_halts_before_it_fires():
    room = a_room_with_a_deadman()
    room.venue.breaks(ArmDeadman)
    room.run(s=29)
    assert [] == room.causes()
    assert room.alerted("deadman.failed")
    room.run(s=2)
    assert ["deadman_unarmed", "deadman_unarmed"] == room.causes()
    assert isinstance(room.buys(1), Held)
    room.venue.mends(ArmDeadman)
    room.run(s=8)
    assert [] == room.causes()


def test_a_switch_that_was_asked_for_and_is_refused_from_the_start_holds():
    """Who asked for a last protection does not trade without it; where there is none, the configuration says so."""
    room = a_running_core(armed=False, timings=timings(deadman_ms=30_000))
    room.venue.breaks(ArmDeadman, Fatal(why="no such endpoint", code="404"))
    room.restarts()
    room.run(s=20)
    assert ["deadman_unarmed", "deadman_unarmed", "startup"] == sorted(room.causes())
    assert all('timings.deadman = "0s"' in alert.text for alert in room.alerted("deadman.refused"))
    room.venue.mends(ArmDeadman)
    room.run(s=8)
    assert ["startup"] == room.causes()


def test_a_switch_that_worked_and_is_refused_is_not_a_switch_that_does_not_exist():
    """An expired key must not turn the protection off."""
    room = a_room_with_a_deadman()
    room.venue.breaks(ArmDeadman, Fatal(why="invalid key", code="-2015"))
    room.run(s=40)
    assert ["deadman_unarmed", "deadman_unarmed"] == room.causes()


def test_a_switch_that_is_not_wanted_any_more_holds_nothing():
    room = a_room_with_a_deadman()
    room.venue.breaks(ArmDeadman, Fatal(why="invalid key", code="-2015"))
    room.run(s=40)
    room.config = structs.replace(room.config, timings=timings(deadman_ms=0))
    room.restarts()
    room.run(ms=300)
    assert "deadman_unarmed" not in room.causes()


# --- notices --------------------------------------------------------------------------------------------------------


def notice(room, kind, instrument=BTC):
    room.tell(VenueNotice(wall_ns=0, mono_ns=0, kind=kind, instrument=instrument, text="…"))


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_notice_of_the_venue_is_told(kind):
    room = a_running_core()
    notice(room, kind)
    assert room.alerted(f"venue.{kind.value}")


def test_a_message_that_could_not_be_read_holds_and_asks_for_everything():
    room = a_running_core()
    before = len(room.venue.asked)
    notice(room, NoticeKind.UNREADABLE)
    assert ["unknown_error"] == room.causes()
    assert len(room.venue.asked) > before + 4


def test_a_changed_position_mode_halts():
    room = a_running_core()
    notice(room, NoticeKind.POSITION_MODE_CHANGED)
    assert (["spec_changed"], L.HALTED) == (room.causes(), room.level())


@pytest.mark.parametrize(
    "changes",
    [
        {"tick": "0.01"},
        {"lot": "0.01"},
        {"tick_lot_e8": 9},
        {"qty_lots_min": 2},
        {"notional_e8_min": 1},
        {"status": InstrumentStatus.HALTED},
    ],
)
def test_changed_facts_of_an_instrument_halt_it(changes):
    """An order in old lots is a wrong size in new ones."""
    room = a_running_core()
    room.venue.changes_facts(BTC, **changes)
    room.run(s=301)
    assert ["spec_changed"] == room.causes()
    assert (L.HALTED, L.NONE) == (room.level(), room.level(instrument=ETH))


def test_a_strategy_that_fails_is_held_and_the_others_trade_on():
    room = a_running_core()
    room.tell(StrategyFailed(wall_ns=0, mono_ns=0, strategy="alpha", error="ZeroDivisionError"))
    assert (L.REDUCE_ONLY, L.NONE) == (room.level("alpha"), room.level("beta"))
    assert isinstance(room.buys(1), NotReducing)
    assert room.buys(1, strategy="beta").terms.side is Side.BUY
    hold = room.hold(HoldCause.STRATEGY_FAILED, strategy="alpha")
    assert room.says("resume", hold_id=hold.hold_id).accepted
