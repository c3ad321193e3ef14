"""What a strategy must keep to: what is counted, when it is held, and who lets it go on."""

import pytest
from msgspec import structs

from holdfast.core.monitor.criteria import Intended, oversized
from holdfast.core.replay import fold, replay
from holdfast.core.state import State, decode_books, encode_books
from holdfast.vocab.facts import FillBooked, StrategyMarked, TargetSet
from holdfast.vocab.holds import HoldLevel, Release
from holdfast.vocab.limits import Criteria
from holdfast.vocab.orders import OrderState, TimeInForce
from holdfast.vocab.outcome import Fatal
from holdfast.vocab.requests import PlaceOrder
from holdfast.vocab.units import E8
from tests.core.test_replay import mark_of, written
from tests.house.room import a_running_core, folded
from tests.house.setup import BTC, BTC_TICKS, ETH

WINDOW_MS = 32_000


def criteria(strategy="alpha", **changes):
    """So loose that nothing breaks them."""
    loose = Criteria(
        strategy=strategy,
        day_loss_e8_max=5_000 * E8,
        drawdown_e8_max=5_000 * E8,
        fills_ppm_min=1,
        slippage_e8_max=5_000 * E8,
        rejects_ppm_max=1_000_000,
        orders_min=4,
        window_ms=WINDOW_MS,
        intended_ppm_max=1_500_000,
    )
    return structs.replace(loose, **changes)


def a_watched_core(**changes):
    room = a_running_core(criteria=(criteria(**changes),))
    room.run(s=2)
    return room


def held(room, cause="criteria", **scope):
    return room.hold(cause, strategy="alpha", **scope)


def used(room, orders_min=4):
    return room.books.watched["alpha"].used(orders_min=orders_min)


def loses(room):
    """Bought, and the market falls: a loss that nobody has realised."""
    room.takes(1, 20)
    room.quotes(mid=BTC_TICKS - 1_500)
    room.run(s=2)


# --- the day's loss and the drawdown --------------------------------------------------------------------------------


def test_a_day_loss_itself_passes_and_more_holds_the_strategy():
    """Known by a run without a limit to speak of: then exactly that, and a hundred-millionth less."""
    room = a_watched_core()
    loses(room)
    lost = used(room).day_loss_e8
    assert lost > 0
    room = a_watched_core(day_loss_e8_max=lost)
    resting, elsewhere = room.buys(5), room.buys(100, instrument=ETH)
    loses(room)
    assert (lost, None) == (used(room).day_loss_e8, held(room))
    room = a_watched_core(day_loss_e8_max=lost - 1)
    resting, elsewhere = room.buys(5), room.buys(100, instrument=ETH)
    loses(room)
    hold = held(room)
    assert (HoldLevel.HALTED, Release.PERSON, "monitor") == (hold.level, hold.release, hold.by)
    assert "since the day began; at most" in hold.reason
    assert [OrderState.CANCELLED] * 2 == [room.order(one.order_id).state for one in (resting, elsewhere)]
    assert "held" in type(room.takes(1, 10)).__name__.lower()
    assert HoldLevel.NONE is room.level("beta")
    assert not room.latch_tripped, "the others trade on"
    room.run(s=60)
    assert hold == held(room), "never by itself"


def test_what_it_made_is_what_equity_changed_by():
    """The same number from another owner, for a strategy that trades alone."""
    room = a_watched_core()
    before = room.state.equity_e8()
    loses(room)
    assert before - room.state.equity_e8() == used(room).day_loss_e8


def test_a_drawdown_is_from_its_own_peak():
    room = a_watched_core(drawdown_e8_max=2 * E8)
    room.takes(1, 20)
    room.quotes(mid=BTC_TICKS + 1_500)
    room.run(s=2)
    assert 0 == used(room).day_loss_e8
    room.quotes(mid=BTC_TICKS)
    room.run(s=2)
    assert "below its own peak; at most 2" in held(room).reason


def test_a_new_day_begins_its_loss_anew_and_keeps_its_peak():
    room = a_watched_core()
    loses(room)
    room.run(s=1)
    watched = room.books.watched["alpha"]
    lost = used(room).drawdown_e8
    mark = StrategyMarked(strategy="alpha", pnl_e8=watched.pnl_e8, day=watched.day + 1, window_ms=WINDOW_MS)
    room.books.apply(mark, mono_ns=0)
    assert (0, lost) == (used(room).day_loss_e8, used(room).drawdown_e8)


# --- within the window ------------------------------------------------------------------------------------------------


def test_what_is_paid_against_the_decision_holds_the_strategy():
    room = a_watched_core(slippage_e8_max=1)
    room.takes(1, 10, decision_ticks=BTC_TICKS - 100)
    room.run(s=2)
    paid = sum(
        max(0, fact.side * (fact.price_ticks - fact.decision_ticks)) * fact.qty_lots * 10_000
        for fact in room.facts_of(FillBooked)
    )
    assert paid == used(room).slippage_e8 > 1
    assert "against its decision prices within 32s" in held(room).reason


def test_a_fill_better_than_its_decision_pays_for_no_other():
    room = a_watched_core()
    room.takes(1, 10, decision_ticks=BTC_TICKS + 1_000)
    room.run(s=2)
    assert 0 == used(room).slippage_e8


def unfilled(room, count):
    for _ in range(count):
        room.buys(5, tif=TimeInForce.IOC)
        room.run(ms=200)


def test_too_few_filled_of_its_orders_hold_it_and_too_few_orders_say_nothing():
    room = a_watched_core(fills_ppm_min=250_000)
    unfilled(room, 3)
    room.run(s=2)
    assert (None, None) == (used(room).fills_ppm, held(room))
    room.takes(1, 10)
    room.run(s=2)
    assert (250_000, None) == (used(room).fills_ppm, held(room)), "the limit itself passes"
    unfilled(room, 1)
    room.run(s=2)
    assert "20 % of its orders filled within 32s; at least 25 %" in held(room).reason


def rejected(room, count):
    for _ in range(count):
        room.venue.will_answer(PlaceOrder, Fatal(why="post only", code="-5022"))
        room.buys(5)
        room.run(ms=200)


def test_too_many_rejected_by_the_venue_hold_it():
    room = a_watched_core(rejects_ppm_max=500_000)
    room.takes(1, 10)
    room.takes(-1, 10)
    rejected(room, 2)
    room.run(s=2)
    assert (500_000, None) == (used(room).rejects_ppm, held(room)), "the limit itself passes"
    rejected(room, 1)
    room.run(s=2)
    assert "the venue rejected 60 % of its orders within 32s; at most 50 %" in held(room).reason


def test_what_is_older_than_the_window_leaves_it_and_never_early():
    room = a_watched_core()
    room.takes(1, 10, decision_ticks=BTC_TICKS - 100)
    room.run(s=2)
    paid = used(room).slippage_e8
    room.run(ms=WINDOW_MS - 3_000)
    assert paid == used(room).slippage_e8 > 0
    room.run(s=6)
    assert 0 == used(room).slippage_e8


# --- larger than intended ---------------------------------------------------------------------------------------------


def overfills(room, order, lots):
    """The venue reports more of a resting order than it was for."""
    room.venue.fills(order, lots=lots)
    room.settle()


def test_more_filled_than_asked_for_lets_the_strategy_only_reduce_there():
    room = a_watched_core()
    order, other = room.buys(10), room.buys(7)
    way_out = room.sells(3)
    overfills(room, order, 15)
    assert held(room, "oversized", instrument=BTC) is None, "half as much again passes"
    room = a_watched_core()
    order, other = room.buys(10), room.buys(7)
    way_out = room.sells(3)
    overfills(room, order, 16)
    hold = held(room, "oversized", instrument=BTC)
    assert (HoldLevel.REDUCE_ONLY, Release.PERSON) == (hold.level, hold.release)
    assert "it holds 16 lots and intended 10 on that side; at most 150 % of what it intended" == hold.reason
    room.run(s=1)
    assert OrderState.CANCELLED is room.order(other.order_id).state
    assert OrderState.LIVE is room.order(way_out.order_id).state


def test_a_late_fill_beyond_the_target_lets_the_strategy_only_reduce_there_until_a_person():
    """An order that was taken for gone fills beside the one that replaced it."""
    room = a_watched_core()
    room.targets(10)
    room.run(s=1)
    room.buys(6)
    overfills(room, room.books.orders.rows_in(instrument=BTC)[-1], 6)
    hold = held(room, "oversized", instrument=BTC)
    assert "it holds 16 lots and intended 10 on that side" in hold.reason
    assert room.says("resume", hold_id=hold.hold_id, reason="it is wanted").accepted
    room.run(s=5)
    assert [] == room.causes()
    room.targets(12)
    room.run(s=1)
    assert (12, []) == (room.position(of="alpha"), room.causes())


# --- what becomes of it -----------------------------------------------------------------------------------------------


def test_only_a_person_with_a_reason_lets_it_go_on_and_what_was_before_is_forgiven():
    room = a_watched_core(day_loss_e8_max=1 * E8)
    loses(room)
    hold = held(room)
    assert not room.says("resume", hold_id=hold.hold_id, reason="").accepted
    assert hold == held(room)
    assert room.says("resume", hold_id=hold.hold_id, reason="a bad day").accepted
    room.run(s=5)
    assert held(room) is None
    room.quotes(mid=BTC_TICKS - 3_000)
    room.run(s=2)
    assert held(room) is not None, "and it is counted anew"


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("reboot", [False, True])
def test_a_restart_forgets_nothing(snapshot, reboot):
    """A crash loop must not be a way to lose for ever."""
    room = a_watched_core(slippage_e8_max=10 * E8)
    room.takes(1, 10, decision_ticks=BTC_TICKS - 100)
    room.run(s=2)
    before = used(room)
    assert before.slippage_e8 > 0
    room.restarts(snapshot=snapshot, reboot=reboot)
    room.run(s=2)
    assert before.slippage_e8 == used(room).slippage_e8
    room = a_watched_core(day_loss_e8_max=1 * E8)
    loses(room)
    hold = held(room)
    room.restarts(snapshot=snapshot, reboot=reboot)
    room.run(s=2)
    assert hold == held(room)
    assert HoldLevel.HALTED is room.level()


def test_it_replays_and_folds_to_the_same():
    room = a_watched_core(day_loss_e8_max=1 * E8)
    room.targets(20)
    loses(room)
    room.says("resume", hold_id=held(room).hold_id)
    room.restarts()
    room.run(s=2)
    room.targets(5)
    room.run(s=2)
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room)))
    found = replay(iter(records), iter(frames))
    assert room.state.state_hash() == found.state_hash == found.last_state_hash
    books = fold(record for _, _, record in records).books
    assert (
        room.books.watched
        == books.watched
        == decode_books(encode_books(books)).watched
        == folded(room.records).watched
    )
    assert room.state.books_hash() == State(books).books_hash()


def test_a_strategy_without_criteria_is_not_watched():
    room = a_running_core()
    room.targets(20)
    room.run(s=3)
    assert ({}, []) == (room.books.watched, room.facts_of(TargetSet))


@pytest.mark.parametrize(("beyond", "over"), [(5, False), (6, True)])
def test_more_filled_than_asked_for_is_over_beyond_half_of_it_more(beyond, over):
    intended = Intended()
    fill = FillBooked(
        trade_id="1",
        order_id=1,
        strategy="alpha",
        instrument=BTC,
        side=1,
        qty_lots=10 + beyond,
        price_ticks=1,
        fee_e8=0,
        fee_asset="USDT",
        maker=False,
        cause=None,
        quarantined=False,
        venue_ns=1,
    )
    intended.fill(fill, before_lots=0, over_lots=beyond)
    assert 10 == intended.size_lots(10 + beyond)
    assert over is oversized(intended, 10 + beyond, limit_ppm=1_500_000)


def test_a_target_is_intended_and_so_is_what_was_held_when_it_was_named():
    """Else the way out of a large position would be a position too large."""
    intended = Intended()
    intended.aim(aimed(10, long_lots=0))
    assert (10, 0) == (intended.size_lots(1), intended.size_lots(-1))
    intended.aim(aimed(2, long_lots=10))
    assert 10 == intended.size_lots(10)
    intended.aim(aimed(3, long_lots=25))
    assert 10 == intended.size_lots(25), "what was never wanted does not become so by a new target"
    intended.aim(aimed(-3, long_lots=3))
    assert (3, 3) == (intended.size_lots(1), intended.size_lots(-1))
    assert oversized(intended, -5, limit_ppm=1_500_000)
    assert not oversized(intended, -4, limit_ppm=1_500_000)
    intended.accept(-9)
    assert not oversized(intended, -9, limit_ppm=1_500_000), "a person let it be"


def aimed(target, *, long_lots=0, short_lots=0):
    return TargetSet(
        strategy="alpha", instrument=BTC, target_lots=target, long_lots=long_lots, short_lots=short_lots
    )


def test_targets_reached_in_the_ordinary_way_are_never_too_large():
    room = a_watched_core()
    for target in (30, 30, 5, -20, 0, 40, -1, 0):
        room.targets(target)
        room.run(s=1)
        assert target == room.position(of="alpha")
    assert [30, 5, -20, 0, 40, -1, 0] == [fact.target_lots for fact in room.facts_of(TargetSet)]
    assert [] == room.causes()
