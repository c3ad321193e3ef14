"""Executions that the venue takes back: told by its stream, or missing from its list and signed by a person."""

import pytest
from msgspec import structs

from holdfast.core.ledger.positions import TAIL_FILLS_MAX, PositionRow
from holdfast.vocab.events import TradeBusted, TradeReported
from holdfast.vocab.facts import BreakKind, FillBooked, FillBusted
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.outcome import Ok
from holdfast.vocab.refusals import NotReducing
from holdfast.vocab.reports import BalanceReport, Balances, BustReport, FillCause
from holdfast.vocab.requests import PlaceOrder, QueryBalances, QueryPositions, QueryTrades
from tests.house.events import a_trade_report
from tests.house.records import folded
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, OPENING_E8, WALL_NS, settings
from tests.house.venue import NaiveVenue

S = OrderState


def money(room):
    """What a bust must give back: the account's row and wallet, and each strategy's row."""
    ledger = room.books.ledger
    rows = {
        who: _row(rows[BTC])
        for who, rows in ledger.attributed.items()
        if BTC in rows and _row(rows[BTC]) != _row(PositionRow())
    }
    fees = {asset: fee_e8 for asset, fee_e8 in ledger.fees_e8.items() if fee_e8}
    return _row(ledger.position(BTC)), dict(ledger.wallet_e8), rows, fees, ledger.fills_count


def _row(row):
    return (
        row.position_lots,
        row.cost_e8,
        row.realised_e8,
        row.fee_e8,
        row.bought_lots,
        row.sold_lots,
        row.fills_count,
    )


def a_bust(trade, why="a clear error"):
    return TradeBusted(
        wall_ns=0, mono_ns=0, bust=BustReport(trade=trade, venue_ns=trade.venue_ns + 1, why=why)
    )


def test_a_fill_that_is_taken_back_leaves_the_books_as_if_it_had_never_been():
    room = a_running_core()
    room.takes(Side.BUY, 10)
    before = money(room)
    order = room.takes(Side.SELL, 4)
    trade = room.venue.trades[-1]
    assert before != money(room)
    room.venue.takes_back(trade)
    room.settle()
    assert before == money(room)
    assert (S.FILLED, 4) == (order.state, order.filled_lots), "a bust gives an order nothing back"
    room.run(s=15)
    assert {} == room.books.breaks, "the venue agrees, in position and money"


@pytest.mark.parametrize("which", range(5))
def test_whichever_fill_is_taken_back_the_later_ones_stand_as_if_without_it(which):
    """What closing realises depends on what was held: each later fill is booked again."""
    room, twin = a_running_core(), a_running_core()
    acts = [(Side.BUY, 10), (Side.BUY, 3), (Side.SELL, 4), (Side.SELL, 12), (Side.BUY, 5)]
    trades = []
    for number, (side, lots) in enumerate(acts):
        for one in (room, twin):
            one.quotes(mid=BTC_TICKS + 20 * number)
            one.run(ms=600)
        room.takes(side, lots, strategy="alpha")
        trades.append(room.venue.trades[-1])
        if number != which:
            twin.takes(side, lots, strategy="alpha")
    room.venue.takes_back(trades[which])
    room.settle()
    assert money(twin) == money(room)


def test_it_is_held_and_told_with_its_numbers():
    room = a_running_core()
    room.takes(Side.BUY, 10)
    room.venue.takes_back(room.venue.trades[-1])
    room.settle()
    hold = room.hold(HoldCause.FILL_BUSTED, instrument=BTC)
    assert (HoldLevel.REDUCE_ONLY, HoldLevel.NONE) == (room.level(), room.level(instrument=ETH))
    assert isinstance(room.buys(1), NotReducing)
    (alert,) = room.alerted("fill.busted")
    for words in ("buy 10 lots", "alpha", "a clear error", "position 10 is now 0 lots"):
        assert words in alert.text
    room.run(s=15)
    assert room.says("resume", hold_id=hold.hold_id, reason="seen").accepted


def test_said_twice_or_told_again_it_stays_taken_back_once():
    room = a_running_core()
    room.takes(Side.BUY, 10)
    trade = room.venue.trades[-1]
    room.venue.takes_back(trade)
    event = room.venue.stream[-1]
    room.settle()
    room.hears(event, event)
    assert (1, 1) == (len(room.facts_of(FillBusted)), len(room.alerted("fill.busted")))
    fill = room.facts_of(FillBooked)[-1]
    room.hears(_told_again(trade, fill))
    assert (0, 1) == (room.position(), len(room.facts_of(FillBooked)))


def _told_again(trade, fill):
    return TradeReported(wall_ns=0, mono_ns=0, trade=structs.replace(trade, order_id=fill.order_id))


def test_a_bust_that_overtakes_its_fill_keeps_it_out_of_the_books():
    """And its order is settled all the same: nobody waits for an execution that will never be listed."""
    room = a_running_core()
    room.venue.stream_deaf = True
    order = room.takes(Side.BUY, 10)
    assert (S.FILLED, 10) == (order.state, order.open_lots())
    trade = room.venue.trades[-1]
    room.venue.takes_back(trade)
    room.hears(a_bust(trade))
    room.hears(_told_again(trade, order))
    assert (0, True) == (room.position(), order.settled())
    assert "fill_busted" in room.causes()
    room.run(s=15)
    assert {} == room.books.breaks


def test_a_quarantined_fill_that_is_taken_back_is_no_longer_in_quarantine():
    room = a_running_core()
    trade = room.venue.trades_itself(Side.BUY, 5, price=BTC_TICKS, cause=FillCause.ORDER)
    room.settle()
    room.venue.takes_back(trade)
    room.settle()
    assert (0, {}) == (room.position(), room.books.ledger.quarantined)


def test_what_the_house_closed_for_two_strategies_is_both_of_theirs_again():
    room = a_running_core()
    room.takes(Side.BUY, 10, strategy="alpha")
    room.takes(Side.BUY, 6, strategy="beta")
    before = money(room)
    room.says("flatten")
    room.run(s=3)
    assert 0 == room.position()
    for trade in [one for one in room.venue.trades if one.side is Side.SELL]:
        room.venue.takes_back(trade)
    room.settle()
    row, wallet, rows, _, _ = money(room)
    assert (before[0], before[1]) == (row, wallet)
    assert before[2]["alpha"] == rows["alpha"]
    assert before[2]["beta"] == rows["beta"]


def test_a_restart_folds_it_and_a_snapshot_can_still_take_back():
    room = a_running_core()
    room.takes(Side.BUY, 10)
    first = room.venue.trades[-1]
    room.takes(Side.SELL, 4)
    room.venue.takes_back(room.venue.trades[-1])
    room.settle()
    assert room.state.books_hash() == type(room.state)(folded(room.records)).books_hash()
    room.restarts(snapshot=True)
    room.run(s=5)
    assert 10 == room.position()
    room.venue.takes_back(first)
    room.settle()
    assert 0 == room.position()
    room.run(s=15)
    assert {} == room.books.breaks


def test_one_that_is_too_old_to_be_taken_out_is_held_told_and_left_to_adopt():
    room = a_running_core()
    behind = TAIL_FILLS_MAX + 6
    trades = []
    while len(trades) < behind:
        for order in (room.buys(80), room.sells(80)):
            trades += [room.venue.fills(order, lots=1) for _ in range(80)]
            room.settle()
    room.settle()
    room.venue.takes_back(trades[0])
    room.settle()
    assert (0, []) == (room.position(), room.facts_of(FillBusted))
    assert "too late" in room.alerted("fill.busted")[0].text
    room.run(s=20)
    assert f"position/{BTC}" in room.books.breaks
    assert room.says("adopt", instrument=BTC, reason="the venue's notice").accepted
    assert -1 == room.position()


# --- a venue that says nothing ----------------------------------------------------------------------------------------


def a_silent_bust():
    """Binance's user stream has no word for it: the position differs, and the list has the execution no more."""
    room = a_running_core()
    room.takes(Side.BUY, 10)
    room.run(s=11)
    before = money(room)
    room.takes(Side.SELL, 4)
    trade = room.venue.trades[-1]
    room.run(s=11)
    room.venue.takes_back(trade, told=False)
    return room, trade, before


def test_a_bust_that_nothing_tells_of_is_found_within_fifteen_seconds_and_named():
    room, trade, _ = a_silent_bust()
    room.run(s=15)
    key = f"{BTC}/{trade.trade_id}"
    assert {f"fill_gone/{key}", f"position/{BTC}"} <= set(room.books.breaks)
    assert HoldLevel.HALTED == room.level()
    assert room.alerted("hold.reconcile_break")
    assert 6 == room.position(), "a list takes nothing out of the books"


def test_a_person_signs_for_it_and_the_books_are_right_again():
    room, trade, before = a_silent_bust()
    key = f"{BTC}/{trade.trade_id}"
    assert not room.says("bust", trade_id=key, reason="their mail").accepted, "nothing differs yet"
    room.run(s=15)
    assert not room.says("bust", trade_id=key, reason="").accepted
    assert not room.says("bust", trade_id=f"{BTC}/t99", reason="their mail").accepted
    assert room.says("bust", trade_id=key, reason="their mail").accepted
    assert before == money(room)
    room.run(s=15)
    assert {} == room.books.breaks
    (fact,) = room.facts_of(FillBusted)
    assert (True, "their mail") == (fact.booked, fact.reason)


def test_signed_for_before_a_word_agreed_with_the_opening_balance_it_moves_the_wallet_once():
    """What differs is the fill: the balance without it is no opening, which the signature would then move again."""
    venue = NaiveVenue(settings().instruments)
    early = Balances(balances=(BalanceReport(asset="USDT", wallet_e8=OPENING_E8 - 1_000),))
    venue.will_answer(QueryBalances, Ok(value=early))
    room = a_running_core(venue=venue)
    venue.breaks(QueryBalances)
    room.takes(Side.BUY, 10)
    trade = venue.trades[-1]
    room.run(s=3)
    venue.takes_back(trade, told=False)
    room.run(s=12)
    assert (True, False) == (f"position/{BTC}" in room.books.breaks, room.books.ledger.opening_agreed)
    venue.mends(QueryBalances)
    room.run(s=15)
    assert room.says("bust", trade_id=f"{BTC}/{trade.trade_id}", reason="their mail").accepted
    room.run(s=30)
    ledger = room.books.ledger
    assert (int(venue.wallet_e8), True) == (ledger.wallet_e8["USDT"], ledger.opening_agreed)
    assert {} == room.books.breaks


def test_where_positions_and_executions_cannot_be_read_the_opening_balance_is_not_taken_again():
    """It would swallow the fill that was taken back in silence, and the signature would move the wallet once more."""
    venue = NaiveVenue(settings().instruments)
    early = Balances(balances=(BalanceReport(asset="USDT", wallet_e8=OPENING_E8 - 1_000),))
    venue.will_answer(QueryBalances, Ok(value=early))
    room = a_running_core(venue=venue)
    room.takes(Side.BUY, 10)
    trade = venue.trades[-1]
    room.settle()
    for question in (QueryPositions, QueryTrades):
        venue.breaks(question)
    venue.takes_back(trade, told=False)
    room.run(s=40)
    assert {"balance/USDT"} == set(room.books.breaks)
    assert not room.alerted("books.opened_again")
    for question in (QueryPositions, QueryTrades):
        venue.mends(question)
    room.run(s=15)
    assert room.says("bust", trade_id=f"{BTC}/{trade.trade_id}", reason="their mail").accepted
    room.run(s=15)
    assert (int(venue.wallet_e8), {}) == (room.books.ledger.wallet_e8["USDT"], room.books.breaks)


def test_where_the_position_is_adopted_instead_nothing_of_it_is_left():
    room, trade, _ = a_silent_bust()
    room.run(s=15)
    for name in (BTC, "USDT"):
        assert room.says("adopt", instrument=name, reason="they told us").accepted
    room.run(s=20)
    assert (10, {}) == (room.position(), room.books.breaks)
    room.hears(a_bust(trade))  # the word comes after all: what was adopted has it already
    room.run(s=15)
    assert (10, {}) == (room.position(), room.books.breaks)


def test_an_execution_that_is_listed_again_was_not_taken_back():
    room, trade, _ = a_silent_bust()
    room.run(s=15)
    room.venue.trades.append(trade)
    room.venue.positions[BTC].trade(-1, 4, trade.price_ticks)
    room.run(s=15)
    assert BreakKind.FILL_GONE not in {found.kind for found in room.books.breaks.values()}


def test_a_list_that_does_not_reach_over_it_says_nothing_of_it():
    """Cut lists, and those asked for while it was on its way, prove nothing."""
    room = a_running_core()
    room.venue.page_max = 1
    order = room.buys(10)
    for _ in range(3):
        room.venue.fills(order, lots=1)
        room.run(ms=100)
    room.venue.positions[BTC].trade(1, 5, BTC_TICKS)  # differs, and no execution is gone
    room.run(s=20)
    assert f"position/{BTC}" in room.books.breaks
    assert BreakKind.FILL_GONE not in {found.kind for found in room.books.breaks.values()}


def test_executions_reported_and_never_listed_are_a_persons_to_close():
    """The stream lost the fill, and the venue took it back before the list was read: its order would wait for ever."""
    room = a_running_core()
    room.venue.stream_deaf = True
    order = room.takes(Side.BUY, 10)
    room.venue.takes_back(room.venue.trades[-1], told=False)
    room.run(s=60)
    assert (S.FILLED, 10) == (order.state, order.open_lots())
    assert room.alerted("order.unresolved")
    assert not room.says("resolve", order_id=order.order_id, reason="").accepted
    assert room.says("resolve", order_id=order.order_id, reason="taken back, says their desk").accepted
    assert (0, 0, True) == (room.position(), order.open_lots(), order.settled())


def test_executions_reported_are_not_closed_before_the_venue_listed_them():
    """They may stand in the list that was not read yet: whoever signs too early would lose them."""
    room = a_running_core()
    room.venue.stream_deaf = True
    room.venue.breaks(QueryTrades)
    order = room.takes(Side.BUY, 10)
    room.run(s=5)
    assert (S.FILLED, 10) == (order.state, order.open_lots())
    said = room.says("resolve", order_id=order.order_id, reason="nobody saw them")
    assert not said.accepted
    assert "holdfast reconcile" in said.text
    room.venue.mends(QueryTrades)
    room.run(s=20)
    assert (10, 0) == (room.position(), order.open_lots())


def test_a_bust_in_something_else_or_from_before_is_told_or_nothing():
    room = a_running_core()
    room.hears(a_bust(a_trade_report(None, instrument="DOGEUSDT")))
    assert room.alerted("fill.unlisted")
    room.hears(a_bust(a_trade_report(None, trade_id="old", venue_ns=WALL_NS - 1)))
    assert [] == room.causes()


def test_a_fill_from_before_the_books_that_is_taken_back_later_is_held_told_and_left_to_adopt():
    """It is in the position that they opened with: nothing of theirs explains what the venue holds without it."""
    room = a_running_core()
    old = a_trade_report(None, trade_id="old", venue_ns=room.books.ledger.books_since_venue_ns - 1)
    room.venue.positions[BTC].trade(-1, 7, BTC_TICKS)
    room.hears(structs.replace(a_bust(old), bust=BustReport(trade=old, venue_ns=old.venue_ns + 2, why="")))
    assert [HoldCause.FILL_BUSTED.value] == room.causes()
    assert "too old" in room.alerted("fill.busted")[0].text
    room.run(s=20)
    assert f"position/{BTC}" in room.books.breaks
    assert room.says("adopt", instrument=BTC, reason="the venue's notice").accepted
    assert -7 == room.position()


# --- a fill in quarantine whose order is named later ------------------------------------------------------------------


def a_fill_before_its_order():
    """An order is proven void; then the list has an execution of it, under an id that we never heard."""
    room = a_running_core()
    room.venue.will_lose_the_answer_to(PlaceOrder)
    room.venue.stream_deaf = True
    order = room.buys(10)
    hidden = room.venue.orders.pop()
    room.run(s=15)
    assert S.UNSENT is order.state
    room.venue.orders.append(hidden)
    room.venue.fills(hidden, lots=4, told=False)
    room.says("reconcile")
    room.run(s=1)
    assert (4, 4, 0) == (room.position(), room.position(of="?"), order.filled_lots)
    assert 1 == len(room.books.ledger.quarantined)
    return room, order, hidden


def test_a_fill_in_quarantine_is_its_orders_once_that_is_named():
    room, order, hidden = a_fill_before_its_order()
    room.venue.stream_deaf = False
    room.venue._report(hidden)
    room.settle()
    assert {} == room.books.ledger.quarantined
    assert (4, 0, 4, 4) == (
        room.position(),
        room.position(of="?"),
        room.position(of="alpha"),
        order.filled_lots,
    )
    assert room.alerted("fill.claimed")
    assert "quarantine" in room.causes(), "the hold is a person's to lift"
    ledger = room.books.ledger
    assert ledger.position(BTC).fee_e8 == ledger.position_of("alpha", BTC).fee_e8 > 0
    assert room.state.books_hash() == type(room.state)(folded(room.records)).books_hash()


def test_a_fill_in_quarantine_is_its_orders_once_the_stream_names_both():
    room, order, _ = a_fill_before_its_order()
    room.hears(_told_again(room.venue.trades[-1], order))
    assert ({}, 4) == (room.books.ledger.quarantined, room.position(of="alpha"))


def test_a_fill_that_somebody_signed_for_is_its_orders_all_the_same_once_the_stream_names_both():
    """Else the order would be asked after for ever: executions reported, and none of its own in the books."""
    room, order, _ = a_fill_before_its_order()
    (key,) = room.books.ledger.quarantined
    assert room.says("quarantine_release", trade_id=key, reason="looked up").accepted
    room.hears(_told_again(room.venue.trades[-1], order))
    assert ({}, 4) == (room.books.ledger.accepted, room.position(of="alpha"))
    assert 4 == room.books.orders.row(order.order_id).filled_lots


def test_what_a_person_adopted_away_is_given_to_nobody_once_its_order_is_named():
    """Its strategy would sell what the account does not hold."""
    room, order, _ = a_fill_before_its_order()
    told = _told_again(room.venue.trades[-1], order)
    (key,) = room.books.ledger.quarantined
    assert room.says("quarantine_release", trade_id=key, reason="looked up").accepted
    room.venue.positions[BTC].trade(-1, 4, BTC_TICKS)
    room.run(s=30)
    assert room.says("adopt", instrument=BTC, reason="moved by hand").accepted
    room.hears(told)
    assert (0, 0, 0) == (room.position(), room.position(of="alpha"), room.position(of="?"))
    assert 4 == room.books.orders.row(order.order_id).filled_lots


def test_what_moved_out_of_its_place_in_the_books_is_not_taken_out_by_them():
    """Claimed, a fill is booked behind those that came after it: a bust of it is for the venue's word to mend."""
    room, order, _ = a_fill_before_its_order()
    trade = room.venue.trades[-1]
    room.hears(_told_again(trade, order))
    room.venue.stream_deaf = False
    room.venue.takes_back(trade)
    room.settle()
    assert (4, []) == (room.position(), room.facts_of(FillBusted))
    assert "too late" in room.alerted("fill.busted")[0].text
    room.run(s=20)
    assert room.says("adopt", instrument=BTC, reason="their notice").accepted
    assert 0 == room.position()


def test_a_fill_in_quarantine_of_another_order_stays_there():
    room, _, _ = a_fill_before_its_order()
    room.venue.stream_deaf = False
    room.buys(5)
    room.settle()
    assert 1 == len(room.books.ledger.quarantined)


# --- a position found at the opening ----------------------------------------------------------------------------------


def test_a_position_found_is_adopted_at_what_the_venue_entered_it_for():
    """At the mark its unrealised result would be forgotten, and equity would not be the venue's."""
    venue = NaiveVenue()
    venue.tells_entry_prices = True
    venue.positions[BTC].trade(1, 7, BTC_TICKS - 3_000)
    room = a_running_core(venue=venue, armed=False)
    room.run(s=25)
    assert f"position/{BTC}" in room.books.breaks
    assert room.says("adopt", instrument=BTC, reason="ours, from before").accepted
    row = room.books.ledger.position(BTC)
    unit = room.state.specs[BTC].tick_lot_e8
    assert (7, 7 * (BTC_TICKS - 3_000) * unit) == (row.position_lots, row.cost_e8)
    assert BTC_TICKS - 3_000 == row.average_ticks(tick_lot_e8=unit)
    room.run(s=15)
    assert {} == room.books.breaks


def test_without_an_entry_price_it_is_adopted_at_the_mark():
    venue = NaiveVenue()
    venue.positions[BTC].trade(-1, 7, BTC_TICKS - 3_000)
    room = a_running_core(venue=venue, armed=False)
    room.run(s=25)
    assert room.says("adopt", instrument=BTC, reason="ours, from before").accepted
    row = room.books.ledger.position(BTC)
    assert BTC_TICKS == row.average_ticks(tick_lot_e8=room.state.specs[BTC].tick_lot_e8)
