"""Equity, the day's peak, and the ladder that stands on it."""

import pytest

from holdfast.core.monitor.equity import DAY_NS, Drawdown, floor_e8, marked
from holdfast.vocab.facts import EquityMarked
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.refusals import NotReducing
from holdfast.vocab.requests import CancelAll
from holdfast.vocab.units import E8
from tests.house.records import folded
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, OPENING_E8, instrument_limits, strategy_limits

LONG = 200  # lots of BTC: 12,000, so that 1 % of price is 120 of 10,000 equity


def a_drawdown(*, peak, equity, day=5):
    down = Drawdown()
    down.apply(EquityMarked(equity_e8=equity, peak_e8=peak, day=day))
    return down


@pytest.mark.parametrize(
    ("peak", "equity", "ppm"),
    [
        (100, 100, 0),
        (100, 90, 100_000),
        (100, 110, 0),
        (3, 2, 333_334),
        (100, -50, 1_500_000),
        (0, 0, 0),
        (0, -1, 1_000_000),
        (-10, -10, 0),
        (-10, -11, 1_000_000),
    ],
)
def test_drawdown_is_rounded_up(peak, equity, ppm):
    assert ppm == a_drawdown(peak=peak, equity=equity).drawdown_ppm()


def test_before_the_first_mark_there_is_no_drawdown():
    assert 0 == Drawdown().drawdown_ppm()


def test_the_peak_rises_within_a_day_and_begins_anew_with_the_next():
    down = a_drawdown(peak=100, equity=90)
    assert 100 == marked(down, net_equity_e8=95, transfers_e8=0, wall_ns=5 * DAY_NS).peak_e8
    assert 120 == marked(down, net_equity_e8=120, transfers_e8=0, wall_ns=5 * DAY_NS + 7).peak_e8
    assert EquityMarked(equity_e8=80, peak_e8=80, day=6) == marked(
        down, net_equity_e8=80, transfers_e8=0, wall_ns=6 * DAY_NS
    )


def test_a_wall_clock_that_steps_back_keeps_the_day():
    """A clock moved back and forth must not wash a loss away."""
    down = a_drawdown(peak=100, equity=90)
    assert EquityMarked(equity_e8=80, peak_e8=100, day=5) == marked(
        down, net_equity_e8=80, transfers_e8=0, wall_ns=4 * DAY_NS
    )


def test_the_floor_is_where_the_breaker_trips():
    """The hot path compares with the floor alone: it must never be below what the ladder says."""
    for peak in (1, 3, 99, 1_000_003):
        floor = floor_e8(peak, breaker_ppm=100_000)
        assert a_drawdown(peak=peak, equity=floor).drawdown_ppm() <= 100_000
        assert a_drawdown(peak=peak, equity=floor - 1).drawdown_ppm() > 100_000


def a_mark_of(down, net, transfers, *, day=5):
    """What the books hold behind the next mark."""
    after = Drawdown()
    after.apply(marked(down, net_equity_e8=net, transfers_e8=transfers, wall_ns=day * DAY_NS))
    return after


# --- in the step ----------------------------------------------------------------------------------------------------


def a_long_core(**changes):
    """Long 200 lots of BTC, bought without a spread to speak of; limits that do not get in the way."""
    room = a_running_core(
        instrument_limits=(
            instrument_limits(BTC, order_lots_max=200, order_notional_e8_max=10**14, jump_ppm_max=200_000),
            instrument_limits(ETH),
        ),
        strategy_limits=(
            strategy_limits("alpha", BTC, order_lots_max=200),
            strategy_limits("alpha", ETH, order_lots_max=200),
        ),
        **changes,
    )
    room.venue.fee_ppm = 0
    room.targets(LONG)
    room.run(s=2)
    assert LONG == room.position()
    assert [] == room.causes()
    return room


def falls(room, percent):
    room.quotes(mid=BTC_TICKS - BTC_TICKS * percent // 100)


def test_equity_is_wallet_and_what_the_position_is_worth():
    room = a_long_core()
    room.quotes(mid=BTC_TICKS + 1_000)
    room.run(ms=1_000)
    # bought at the ask, five ticks over the mid
    assert OPENING_E8 + LONG * (1_000 - 5) * 10_000 == room.books.drawdown.equity_e8
    assert OPENING_E8 + LONG * (1_000 - 5) * 10_000 == room.state.equity_e8()


def test_five_percent_down_is_a_warning_that_halves():
    room = a_long_core()
    falls(room, 4)
    room.run(ms=1_000)
    assert [] == room.causes()
    falls(room, 5)
    room.run(ms=1_000)
    assert ["drawdown_warning"] == room.causes()
    assert HoldLevel.REDUCED == room.level()


def test_the_warning_goes_by_itself_below_three_percent_and_not_before():
    """A band, so that it does not flutter at the edge."""
    room = a_long_core()
    falls(room, 5)
    room.run(s=1)
    falls(room, 3)
    room.run(s=10)
    assert ["drawdown_warning"] == room.causes()
    falls(room, 2)
    room.run(s=1)
    assert [] == room.causes()
    assert [] == [alert for alert in room.alerted("released.drawdown_warning") if "ann" in alert.text]


def test_ten_percent_down_breaks_cancels_and_lets_only_exits_through():
    room = a_long_core()
    resting = room.buys(50, instrument=ETH, at=249_000)
    falls(room, 9)
    room.run(s=1)
    assert HoldLevel.REDUCE_ONLY == room.level() == room.level(instrument=ETH)
    assert OrderState.CANCELLED is resting.state
    assert isinstance(room.buys(5), NotReducing)
    assert OrderState.LIVE is room.sells(5).state
    asked = len(room.venue.asked_for(CancelAll))
    room.run(s=5)
    assert asked == len(room.venue.asked_for(CancelAll))  # once, not at every mark
    assert "drawdown 10.801 % over 10 %" in room.hold("drawdown_breaker").reason


def test_twelve_percent_in_one_quote_goes_straight_to_the_breaker_at_that_quote():
    """Seed 002's breaker was reachable only through Warning, at the next timer: a crash does not wait."""
    room = a_long_core()
    before = room.mono_ns
    falls(room, 11)
    assert before == room.mono_ns
    assert ["drawdown_breaker"] == room.causes()


def test_the_venues_mark_alone_trips_it_too():
    room = a_long_core()
    room.marks(BTC_TICKS - BTC_TICKS * 11 // 100)
    assert ["drawdown_breaker"] == room.causes()


def test_under_a_live_mark_the_mark_decides_and_under_a_dead_one_the_quotes_again():
    """The venue's mark is what liquidates; but a mark that has stopped coming must not hide a fall."""
    room = a_long_core()
    room.marks(BTC_TICKS)
    falls(room, 11)
    assert [] == room.causes()
    room.run(ms=9_900)
    assert [] == room.causes()
    room.run(ms=300)
    assert ["drawdown_breaker"] == room.causes()


def test_after_the_breaker_quotes_write_nothing_more_down():
    """At half a million quotes a second the journal would drown in marks."""
    room = a_long_core()
    falls(room, 11)
    facts = len(room.facts)
    for tick in range(50):
        room.quotes(mid=BTC_TICKS - BTC_TICKS * 11 // 100 - tick)
    assert facts == len(room.facts)


def test_a_mark_that_says_nothing_new_is_not_written_down():
    """It would be a record a second for as long as a bot lives."""
    room = a_running_core()
    before = len(room.facts_of(EquityMarked))
    assert before
    room.run(s=3)
    assert before == len(room.facts_of(EquityMarked))


def test_a_breaker_stays_through_its_cool_down_and_while_still_down():
    room = a_long_core()
    falls(room, 11)
    hold = room.hold("drawdown_breaker")

    assert "cool-down" in room.says("resume", hold_id=hold.hold_id).text
    room.run(s=899)
    assert not room.says("resume", hold_id=hold.hold_id).accepted
    room.run(s=2)
    assert "still over" in room.says("resume", hold_id=hold.hold_id).text
    falls(room, 2)
    room.run(s=899)
    assert "cool-down" in room.says("resume", hold_id=hold.hold_id).text, "back to the breaker, in full"
    room.run(s=2)
    assert room.says("resume", hold_id=hold.hold_id).accepted
    assert [] == room.causes()
    falls(room, 14)
    assert ["drawdown_breaker"] == room.causes()  # and it watches again


def test_the_breakers_cool_down_restarts_in_full_after_a_reboot():
    """Uptime of another boot says nothing: ours may be longer by chance."""
    room = a_long_core()
    falls(room, 11)
    hold = room.hold("drawdown_breaker")
    room.run(s=890)
    room.restarts(reboot=True)
    room.run(s=890)
    assert "cool-down" in room.says("resume", hold_id=hold.hold_id).text
    falls(room, 2)
    room.run(s=12)
    assert room.says("resume", hold_id=hold.hold_id).accepted


def test_a_cool_down_that_had_run_begins_anew_after_a_reboot():
    room = a_long_core()
    falls(room, 11)
    hold = room.hold("drawdown_breaker")
    falls(room, 2)
    room.run(s=905)
    room.restarts(reboot=True)
    room.run(s=890)
    assert "cool-down" in room.says("resume", hold_id=hold.hold_id).text


def test_a_reset_goes_by_equity_now_and_not_by_the_last_mark():
    """Quotes mark nothing while the breaker stands: the last mark may be a second old."""
    room = a_long_core()
    falls(room, 11)
    hold = room.hold("drawdown_breaker")
    falls(room, 2)
    room.run(s=905)
    falls(room, 13)
    assert "still over" in room.says("resume", hold_id=hold.hold_id).text


def test_without_a_price_no_breaker_is_reset():
    room = a_long_core()
    falls(room, 11)
    hold = room.hold("drawdown_breaker")
    falls(room, 2)
    room.run(s=905)
    room.quoting = False
    room.restarts()
    assert "equity is not known" in room.says("resume", hold_id=hold.hold_id).text


def test_the_breaker_and_the_peak_survive_a_restart():
    """A breaker whose state dies with the process is reset by the crash it causes."""
    room = a_long_core()
    falls(room, 8)
    room.run(s=1)
    room.restarts()
    room.run(s=1)
    assert OPENING_E8 == room.books.drawdown.peak_e8
    falls(room, 11)
    assert room.hold("drawdown_breaker")


def test_a_new_day_begins_at_its_own_peak():
    room = a_long_core()
    falls(room, 5)
    room.run(s=1)
    assert ["drawdown_warning"] == room.causes()
    room.wall_ns += DAY_NS
    room.run(s=1)
    assert [] == room.causes()
    assert room.books.drawdown.peak_e8 == room.books.drawdown.equity_e8 < OPENING_E8


def test_money_that_comes_or_goes_is_no_profit_and_no_loss():
    """A withdrawal must not trip the breaker, a deposit must not hide a loss."""
    room = a_long_core()
    room.venue.pays("TRANSFER", -4_000 * E8)
    room.tell_cash("TRANSFER")
    room.run(s=2)
    assert [] == room.causes()
    assert 6_000 * E8 > room.state.equity_e8()
    room.venue.pays("TRANSFER", 90_000 * E8)
    room.tell_cash("TRANSFER")
    room.run(s=1)
    falls(room, 11)
    assert ["drawdown_breaker"] == room.causes()


@pytest.mark.parametrize(
    ("moved", "down"),
    [
        ([], 100_000),  # from 100 to 90
        ([-45], 100_000),  # half of the rest goes: what was lost was lost on both halves
        ([-45, 45], 100_000),
        ([900], 100_000),  # nor does a deposit hide it
        ([900, -900], 100_000),
        ([-45, 900], 100_000),
        ([-90], 0),  # nothing is left that anything could be lost of
    ],
)
def test_a_transfer_changes_no_drawdown(moved, down):
    mark = a_mark_of(a_drawdown(peak=100, equity=90), 90, transfers=0)
    for count in range(len(moved)):
        mark = a_mark_of(mark, 90, transfers=sum(moved[: count + 1]))
    assert down == mark.drawdown_ppm()


@pytest.mark.parametrize(
    ("moved", "loss", "down"),
    [
        (-90, 1, 100_000),  # of 100 ten are there
        (-90, 9, 900_000),
        (0, 10, 100_000),
        (900, 10, 100_000),  # what came in counts from the next day on
    ],
)
def test_after_a_transfer_a_loss_counts_against_what_is_there(moved, loss, down):
    mark = a_mark_of(a_mark_of(a_drawdown(peak=100, equity=100), 100, transfers=moved), 100 - loss, moved)
    assert down == mark.drawdown_ppm()
    next_day = a_mark_of(mark, 100 - loss, moved, day=6)
    assert (0, 100 - loss + moved) == (next_day.drawdown_ppm(), next_day.peak_e8)


def test_emptied_and_filled_again_an_account_begins_anew():
    mark = a_mark_of(a_drawdown(peak=100, equity=90), 90, transfers=-90)
    mark = a_mark_of(mark, 90, transfers=-40)
    assert (50, 0) == (mark.peak_e8, mark.drawdown_ppm())
    assert 100_000 == a_mark_of(mark, 85, transfers=-40).drawdown_ppm()


def test_what_a_withdrawal_leaves_is_what_the_breaker_counts_by():
    """Nine tenths are withdrawn: a tenth of what is left is the breaker's, that day, the next, and behind a restart."""
    room = a_running_core(
        instrument_limits=(instrument_limits(BTC, jump_ppm_max=200_000), instrument_limits(ETH))
    )
    room.venue.fee_ppm = 0
    room.venue.pays("TRANSFER", -9_000 * E8)
    room.tell_cash("TRANSFER")
    room.run(s=2)
    assert (1_000 * E8, 0) == (room.books.drawdown.peak_e8, room.books.drawdown.drawdown_ppm())
    room.wall_ns += DAY_NS
    room.run(s=2)
    assert (1_000 * E8, 0) == (room.books.drawdown.peak_e8, room.books.drawdown.drawdown_ppm())
    room.restarts()
    room.run(s=2)
    assert room.says("arm", reason="a new life").accepted
    room.targets(15)  # 900: nine tenths of what is there
    room.run(s=2)
    falls(room, 11)
    room.run(s=1)
    assert 90_000 < room.books.drawdown.drawdown_ppm() < 100_000
    assert ["drawdown_warning"] == room.causes()
    falls(room, 12)
    assert ["drawdown_breaker"] == room.causes()
    assert room.state.books_hash() == type(room.state)(folded(room.records)).books_hash()


def test_funding_is_a_cost_like_any_other():
    room = a_long_core()
    room.venue.pays("FUNDING_FEE", -600 * E8, instrument=BTC)
    room.tell_cash("FUNDING_FEE")
    room.run(s=2)
    assert ["drawdown_warning"] == room.causes()
    assert -600 * E8 == room.books.ledger.position(BTC).funding_e8


def test_without_a_price_equity_is_not_known_and_nothing_new_is_allowed():
    room = a_long_core()
    room.quoting = False
    room.restarts()
    assert room.state.equity_e8() is None
    room.quotes(ETH)
    refusal = room.buys(10, instrument=ETH, at=249_000)
    assert "UnknownEquity" == type(refusal).__name__


def test_what_is_held_without_a_price_counts_from_its_first_one():
    """A fill of somebody else's came in what was not quoted yet: until it is nothing is allowed, and then it counts."""
    room = a_running_core()
    room.quoting = False
    room.restarts()
    room.quotes(BTC)
    account = room.state.live.account
    assert room.state.know_equity() is not None
    room.venue.trades_itself(Side.BUY, 100, price=250_000, instrument=ETH)
    room.settle()
    counted = room.state.exposures[ETH].gross_e8
    assert (100, None, 0) == (room.position(ETH), account.equity_e8, counted)
    assert account.allowed_e8 < 0
    room.quotes(ETH)
    assert room.state.know_equity() is not None
    exposure = room.state.exposures[ETH]
    assert 100 * exposure.value_ticks * exposure.unit_e8 == exposure.gross_e8 <= account.gross_e8


def test_what_is_adopted_without_a_price_counts_from_its_first_one():
    """The venue's mark is enough to adopt by, and says nothing of what it may cost here."""
    room = a_running_core()
    room.quoting = False
    room.restarts()
    room.quotes(BTC)
    room.venue.touch[ETH] = (249_990, 250_010)
    trade = room.venue.trades_itself(Side.BUY, 100, price=250_000, instrument=ETH, told=False)
    room.venue.trades.remove(trade)
    room.mids.pop(ETH)
    room.quoting = True
    room.run(s=60)
    for name in ("USDT", ETH, "USDT"):
        room.says("adopt", instrument=name)
    account = room.state.live.account
    assert (100, None, -1) == (room.position(ETH), account.equity_e8, account.allowed_e8)


def test_what_is_open_without_a_price_counts_from_its_first_one():
    """Somebody else's order rests in what was not quoted yet; nothing is held, and equity by itself is known."""
    room = a_running_core()
    room.quoting = False
    room.restarts()
    room.quotes(BTC)
    assert room.state.know_equity() is not None
    room.venue.gets_a_foreign_order(Side.BUY, 100, price=240_000, instrument=ETH)
    room.settle()
    account = room.state.live.account
    assert room.state.know_equity() is not None
    assert (None, 0) == (account.equity_e8, room.state.exposures[ETH].gross_e8)
    room.quotes(ETH)
    room.state.know_equity()
    exposure = room.state.exposures[ETH]
    assert 100 * exposure.value_ticks * exposure.unit_e8 == exposure.gross_e8 <= account.gross_e8
    assert account.equity_e8 is not None
