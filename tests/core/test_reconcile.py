"""Ours against the venue's word: continuously, with room for what is in the air, and never adopted silently."""

import pytest

from holdfast.core.reconcile.diff import Break, OwnOrder, balance_break, missing_orders, position_breaks
from holdfast.vocab.facts import BreakFound, BreakHealed, BreakKind, CashBooked, PositionAdjusted
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.orders import Lane, OrderState, Side
from holdfast.vocab.outcome import Ok, Unknown
from holdfast.vocab.reports import BalanceReport, FillCause, PositionReport, Trades
from holdfast.vocab.requests import (
    MeasureClock,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
)
from holdfast.vocab.units import E8
from tests.house.events import an_order_report, terms
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH

BUY, SELL = Side.BUY, Side.SELL


def own(order_id=1, state=OrderState.LIVE, changed_mono_ns=5):
    return OwnOrder(
        order_id=order_id, state=state, changed_mono_ns=changed_mono_ns, terms=terms(), lane=Lane.RISK
    )


def test_an_order_that_rests_here_and_not_there_is_missing():
    assert [own()] == missing_orders([own()], [], asked_mono_ns=6)
    assert [] == missing_orders([own()], [an_order_report(1)], asked_mono_ns=6)
    assert [own()] == missing_orders([own()], [an_order_report(None)], asked_mono_ns=6)


def test_an_order_that_changed_since_the_question_is_not_judged():
    assert [] == missing_orders([own(changed_mono_ns=6)], [], asked_mono_ns=6)


@pytest.mark.parametrize("state", OrderState)
def test_only_what_should_rest_can_be_missing(state):
    resting = state in {OrderState.LIVE, OrderState.CANCEL_SENT}
    assert ([own(state=state)] if resting else []) == missing_orders([own(state=state)], [], asked_mono_ns=6)


def test_positions_differ_where_the_numbers_do_and_nothing_came_between():
    listed = [PositionReport(instrument=BTC, position_lots=3)]
    assert [] == position_breaks({BTC: (3, 5), ETH: (0, 5)}, listed, asked_mono_ns=6)
    assert [] == position_breaks({BTC: (2, 6)}, listed, asked_mono_ns=6)
    found = position_breaks({BTC: (2, 5), ETH: (1, 5)}, listed, asked_mono_ns=6)
    assert [(BTC, 2, 3), (ETH, 1, 0)] == [(one.key, one.ours, one.theirs) for one in found]


def test_a_wallet_may_differ_by_the_rounding_of_fills_and_by_nothing_else():
    listed = [BalanceReport(asset="USDT", wallet_e8=100)]
    assert balance_break(asset="USDT", ours_e8=98, listed=listed, tolerance_e8=2) is None
    assert balance_break(asset="USDT", ours_e8=102, listed=listed, tolerance_e8=2) is None
    expected = Break(kind=BreakKind.BALANCE, key="USDT", ours=103, theirs=100)
    assert expected == balance_break(asset="USDT", ours_e8=103, listed=listed, tolerance_e8=2)
    expected = Break(kind=BreakKind.BALANCE, key="USDC", ours=9, theirs=0)
    assert expected == balance_break(asset="USDC", ours_e8=9, listed=listed, tolerance_e8=2)


# --- positions ------------------------------------------------------------------------------------------------------


def drifts(room, lots, side=BUY):
    """The venue's position moves and no list of executions says why."""
    room.venue.trades_itself(side, lots, price=BTC_TICKS, told=False)
    room.venue.trades.pop()
    room.venue.wallet_e8 += abs(lots) * BTC_TICKS * 10_000 * 500 // 1_000_000  # no fee


def test_agreement_is_silence():
    room = a_running_core()
    room.targets(10)
    room.targets(-20, instrument=ETH)
    room.run(s=120)
    assert ([], {}) == (room.causes(), room.books.breaks)
    assert [] == [alert for alert in room.alerts if alert.severity.value != "info"]


def test_a_difference_must_be_seen_twice_and_is_seen_within_fifteen_seconds():
    room = a_running_core()
    room.run(s=10)
    drifts(room, 3)
    room.run(ms=9_900)
    assert [] == room.causes()
    before = len(room.venue.asked_for(QueryPositions))
    room.run(ms=5_000)
    assert ["reconcile_break"] == room.causes()
    assert 2 <= len(room.venue.asked_for(QueryPositions)) - before
    assert [(BreakKind.POSITION, BTC, 0, 3)] == [
        (fact.kind, fact.key, fact.ours, fact.theirs) for fact in room.facts_of(BreakFound)
    ]
    assert HoldLevel.HALTED == room.level(instrument=ETH)


def test_a_difference_seen_once_is_a_race_and_not_a_break():
    room = a_running_core()
    drifts(room, 3)
    room.says("reconcile")
    drifts(room, 3, SELL)
    room.run(s=20)
    assert ([], []) == (room.causes(), room.facts_of(BreakFound))


def test_a_fill_that_only_the_list_of_executions_has_explains_the_difference():
    room = a_running_core()
    order = room.buys(10)
    room.venue.fills(order, lots=4, told=False)
    room.run(s=15)
    assert (4, []) == (room.position(), room.causes())


def test_an_execution_that_no_order_of_ours_explains_is_found_by_the_position():
    """Nothing on the stream, no order in any list: only the position and the list of executions tell."""
    room = a_running_core()
    room.venue.trades_itself(BUY, 3, price=BTC_TICKS, cause=FillCause.ORDER, told=False)
    room.run(s=15)
    assert (3, ["quarantine"], []) == (room.position(), room.causes(), room.facts_of(BreakFound))


def test_a_break_heals_when_both_agree_again_but_the_hold_waits_for_a_person():
    room = a_running_core()
    drifts(room, 3)
    room.run(s=15)
    drifts(room, 3, SELL)
    room.run(s=15)
    assert 1 == len(room.facts_of(BreakHealed))
    assert {} == room.books.breaks
    hold = room.hold("reconcile_break")
    assert room.says("resume", hold_id=hold.hold_id).accepted


def test_a_break_forbids_resuming_until_it_is_adopted_by_a_named_person():
    room = a_running_core()
    drifts(room, 3)
    room.run(s=15)
    hold = room.hold("reconcile_break")
    assert f"position/{BTC}" in room.says("resume", hold_id=hold.hold_id).text
    assert not room.says("adopt", instrument=BTC, reason="").accepted
    assert "nothing to adopt" in room.says("adopt", instrument=ETH).text
    assert room.says("adopt", instrument=BTC, reason="moved by hand in the app").accepted
    fact = room.facts_of(PositionAdjusted)[-1]
    assert (3, "ann", "moved by hand in the app") == (fact.delta_lots, fact.by, fact.reason)
    assert (3, {}) == (room.position(), room.books.breaks)
    assert room.says("resume", hold_id=hold.hold_id).accepted
    room.run(s=30)
    assert [] == room.causes()


def test_an_adoption_takes_over_the_difference_that_it_names_and_no_other():
    """A signature for one must not take over another that was found since that person looked, and may be a lie."""
    room = a_running_core()
    drifts(room, 3)
    room.venue.wallet_e8 -= 5 * E8
    room.run(s=30)
    assert {f"position/{BTC}", "balance/USDT"} == set(room.books.breaks)
    assert "by name" in room.says("adopt", reason="moved by hand in the app").text
    assert (0, []) == (room.position(), room.facts_of(PositionAdjusted))
    answer = room.says("adopt", instrument="USDT", reason="a fee by hand")
    assert not answer.accepted
    assert f"position/{BTC} first" in answer.text, "what moved the one may have moved the other"
    answer = room.says("adopt", instrument=BTC, reason="moved by hand in the app")
    assert (True, f"adopted by ann: position/{BTC}") == (answer.accepted, answer.text)
    assert (3, {"balance/USDT"}) == (room.position(), set(room.books.breaks))
    assert room.says("adopt", instrument="USDT", reason="a fee by hand").accepted
    assert {} == room.books.breaks


def test_a_position_is_adopted_where_the_venue_cannot_list_executions_whole():
    """Of half a year ago, say: an instrument that was not traded since would stay a break for good."""
    room = a_running_core()
    cut = Ok(value=Trades(instrument=BTC, trades=(), complete=False))
    room.venue.will_answer(QueryTrades, cut, times=1_000)
    drifts(room, 3)
    room.run(s=60)
    assert f"position/{BTC}" in room.books.breaks
    assert room.says("adopt", instrument=BTC, reason="delivered").accepted
    assert (3, {}) == (room.position(), room.books.breaks)


def test_adopting_needs_a_fresh_word():
    room = a_running_core()
    drifts(room, 3)
    room.run(s=15)
    room.venue.breaks(QueryPositions)
    room.says("reconcile")
    assert "not answered" in room.says("adopt", instrument=BTC).text


def test_adopting_waits_for_the_lists_that_may_still_explain_the_difference():
    """Adopted first and explained later, it would be counted twice."""
    room = a_running_core()
    room.venue.pays("FUNDING_FEE", -3 * E8, instrument=BTC)
    room.venue.breaks(QueryCash)
    room.run(s=40)
    assert ["retries_spent", "reconcile_break"] == room.causes()
    assert "no fresh word on income" in room.says("adopt", instrument="USDT").text
    room.venue.mends(QueryCash)
    room.run(s=25)
    assert {} == room.books.breaks


def test_what_was_adopted_as_a_whole_is_not_booked_again_when_its_entry_comes():
    room = a_running_core()
    room.venue.pays("FUNDING_FEE", -3 * E8, instrument=BTC)
    late = room.venue.cash.pop()
    room.run(s=15)
    assert room.says("adopt", instrument="USDT").accepted
    room.venue.cash.append(late)
    room.run(s=30)
    assert ({}, 9_997 * E8) == (room.books.breaks, room.books.ledger.wallet_e8["USDT"])


def test_a_difference_while_orders_fill_all_the_time_is_no_break():
    """Every answer is older than the last fill: it cannot be judged, and must not be."""
    room = a_running_core(latency_ms=40)
    for n in range(60):
        room.takes(BUY if n % 2 else SELL, 3)
        room.run(ms=250)
    room.run(s=15)
    assert ([], []) == (room.causes(), room.facts_of(BreakFound))


def test_a_position_in_something_that_we_do_not_trade_is_a_break_until_it_is_gone():
    room = a_running_core()
    room.venue.unlisted = ("DOGEUSDT",)
    room.run(s=10)
    assert ["reconcile_break"] == room.causes()
    assert "unlisted_position/DOGEUSDT" in room.books.breaks
    room.venue.unlisted = ()
    room.run(s=10)
    assert {} == room.books.breaks


# --- cash -----------------------------------------------------------------------------------------------------------


def test_cash_that_moved_for_a_reason_is_booked_and_no_break():
    room = a_running_core()
    room.venue.pays("FUNDING_FEE", -3 * E8, instrument=BTC)
    room.venue.pays("TRANSFER", 500 * E8)
    room.venue.pays("COMMISSION", 0)
    room.run(s=15)
    assert ([], []) == (room.causes(), room.facts_of(BreakFound))
    assert ["funding", "transfer"] == [fact.kind.value for fact in room.facts_of(CashBooked)][1:]


def test_cash_of_another_kind_is_told():
    room = a_running_core()
    room.venue.pays("INSURANCE_CLEAR", -3 * E8)
    room.tell_cash()
    assert room.alerted("cash.other")
    assert 9_997 * E8 == room.books.ledger.wallet_e8["USDT"]


def test_cash_that_moved_for_no_reason_is_a_break_after_two_looks():
    room = a_running_core()
    room.venue.wallet_e8 -= 5 * E8
    room.run(s=15)
    assert ["reconcile_break"] == room.causes()
    assert [BreakKind.BALANCE] == [fact.kind for fact in room.facts_of(BreakFound)]
    hold = room.hold("reconcile_break")
    assert room.says("adopt", instrument="USDT", reason="a fee by hand").accepted
    assert 9_995 * E8 == room.books.ledger.wallet_e8["USDT"]
    assert room.says("resume", hold_id=hold.hold_id).accepted


def test_a_balance_waits_for_the_list_that_may_explain_it():
    """Funding is paid; the balance answers at once, the income list takes its time: no false halt."""
    room = a_running_core()
    room.venue.pays("FUNDING_FEE", -3 * E8, instrument=BTC)
    room.venue.slow = {QueryCash: 2_000}
    room.run(s=25)
    assert ([], []) == (room.causes(), room.facts_of(BreakFound))


def test_a_balance_that_is_never_explained_is_a_break_all_the_same():
    room = a_running_core()
    room.venue.wallet_e8 -= 5 * E8
    room.venue.slow = {QueryCash: 60_000}
    room.run(s=30)
    assert ["reconcile_break"] == room.causes()


def test_income_that_trades_derive_is_not_booked_twice():
    room = a_running_core()
    room.targets(10)
    room.venue.cash.clear()
    for kind in ("COMMISSION", "REALIZED_PNL"):
        room.venue.pays(kind, 7)
        room.venue.wallet_e8 -= 7
    room.run(s=15)
    assert 1 == len(room.facts_of(CashBooked))
    assert [] == room.causes()


def test_an_income_list_that_was_cut_is_read_on():
    room = a_running_core()
    for _ in range(5):
        room.run(ms=1)
        room.venue.pays("FUNDING_FEE", -E8, instrument=BTC)
        room.venue.now_wall_ns += 10**6
    room.venue.page_max = 2
    room.tell_cash()
    assert 9_995 * E8 == room.books.ledger.wallet_e8["USDT"]


# --- orders ---------------------------------------------------------------------------------------------------------


def test_an_order_that_is_gone_there_is_asked_after_and_ends_here():
    room = a_running_core()
    order = room.buys(10)
    room.venue.cancels(order, told=False)
    room.run(s=6)
    assert OrderState.CANCELLED is order.state


def test_after_the_stream_was_down_everything_is_asked_at_once():
    """What happened while we were deaf."""
    room = a_running_core()
    order = room.buys(10)
    room.stream_is(up=False)
    room.venue.fills(order, lots=4, told=False)
    assert 0 == room.position()
    room.stream_is(up=True)
    assert 4 == room.position()


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (QueryBalances, "balances"),
        (QueryPositions, "positions"),
        (QueryOpenOrders, "open orders"),
        (QueryTrades, "executions"),
        (QueryCash, "income"),
        (QuerySpecs, "facts"),
        (MeasureClock, "clock"),
    ],
)
def test_every_read_that_fails_is_told(kind, word):
    room = a_running_core()
    room.venue.breaks(kind, Unknown(why="timeout"))
    room.says("reconcile")
    room.run(s=1 if kind is not QuerySpecs else 301)
    assert any(word in alert.text for alert in room.alerted("venue.read_failed"))


def test_a_read_that_fails_is_told_once_and_then_every_tenth_time():
    room = a_running_core()
    room.venue.breaks(QueryBalances, Unknown(why="timeout"))
    room.run(s=115)
    assert 2 == len([alert for alert in room.alerted("venue.read_failed") if "balances" in alert.text])
