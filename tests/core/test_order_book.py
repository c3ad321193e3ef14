"""The order book as the fold of its facts: what it holds, counts and forgets."""

import pytest

from holdfast.core.orders.book import FINAL_DROPPED, FINAL_KEPT_MAX, OrderBook
from holdfast.vocab.facts import (
    AmendStep,
    EpochBegan,
    FillBooked,
    ForeignOrderSeen,
    OrderAmended,
    OrderApproved,
    OrderMoved,
)
from holdfast.vocab.ids import order_id_of
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.orders import Did, Lane, OrderState, OrderType, Side
from holdfast.vocab.reports import FillCause
from tests.house.events import terms
from tests.house.setup import BTC, BTC_TICKS, ETH

S = OrderState


def an_epoch(number):
    return EpochBegan(
        epoch=number, account="a", config_hash="", build="", settle_asset="USDT", tick_lot_e8={BTC: 1}
    )


def a_book(*, epoch=1):
    book = OrderBook()
    book.begin_epoch(an_epoch(epoch))
    return book


def approved(book, *, strategy="alpha", order_id=None, **changes):
    fact = OrderApproved(
        order_id=book.next_id() if order_id is None else order_id,
        strategy=strategy,
        intent_seq=1,
        lane=Lane.RISK,
        terms=terms(**changes),
        reference_ticks=BTC_TICKS,
        decision_ticks=None,
        approved_mono_ns=5,
    )
    book.approve(fact)
    return book.row(fact.order_id)


def moved(book, row, did, state, *, reported=0, name="", mono_ns=7):
    book.move(
        OrderMoved(
            order_id=row.order_id,
            did=did,
            state=state,
            venue_order_id=name,
            why="",
            mono_ns=mono_ns,
            reported_lots=reported,
        )
    )


def filled(book, row, lots):
    book.fill(
        FillBooked(
            trade_id=f"t{row.filled_lots}",
            order_id=row.order_id,
            strategy=row.strategy,
            instrument=BTC,
            side=row.terms.side,
            qty_lots=lots,
            price_ticks=1,
            fee_e8=0,
            fee_asset="USDT",
            maker=False,
            cause=FillCause.ORDER,
            quarantined=False,
            venue_ns=1,
        )
    )


def amended(book, row, step, lots, price=BTC_TICKS):
    book.amend(
        OrderAmended(order_id=row.order_id, step=step, qty_lots=lots, price_ticks=price, why=""), mono_ns=9
    )


def counted(book, instrument=BTC):
    row = book.open_in(instrument)
    return row.buy_lots, row.sell_lots, row.orders_count


def test_ids_are_dense_within_an_epoch_and_never_used_twice():
    book = a_book()
    assert [order_id_of(epoch=1, sequence=n) for n in (1, 2)] == [approved(book).order_id for _ in range(2)]
    with pytest.raises(InvariantBroken, match="dense"):
        approved(book, order_id=order_id_of(epoch=1, sequence=4))
    with pytest.raises(InvariantBroken, match="twice"):
        book.begin_epoch(an_epoch(1))
    book.begin_epoch(an_epoch(2))
    assert order_id_of(epoch=2, sequence=1) == approved(book).order_id


def test_an_order_counts_in_full_from_its_approval_until_it_is_settled():
    book = a_book()
    row = approved(book, side=Side.SELL)
    assert (0, 10, 1) == counted(book)
    moved(book, row, Did.ACK, S.LIVE, name="v1")
    filled(book, row, 4)
    assert (0, 6, 1) == counted(book)
    moved(book, row, Did.CANCELLED, S.CANCELLED, reported=4)
    assert (0, 0, 0) == counted(book)
    assert [row] == list(book.final.values())


def test_a_final_order_counts_what_is_reported_and_not_booked():
    book = a_book()
    row = approved(book)
    moved(book, row, Did.FULL_FILL, S.FILLED, reported=10)
    assert ((10, 0, 1), False) == (counted(book), row.settled())
    filled(book, row, 10)
    assert ((0, 0, 0), True) == (counted(book), row.settled())


def test_a_late_report_on_a_settled_order_makes_it_count_again():
    """It said cancelled and nothing filled; now it says that three did."""
    book = a_book()
    row = approved(book)
    moved(book, row, Did.CANCELLED, S.CANCELLED)
    assert {} == book.live
    moved(book, row, Did.CANCELLED, S.CANCELLED, reported=3)
    assert ((3, 0, 1), [row], {}) == (counted(book), list(book.live.values()), book.final)
    filled(book, row, 3)
    assert ((0, 0, 0), {}) == (counted(book), book.live)


def test_the_venues_cumulative_word_never_decreases():
    book = a_book()
    row = approved(book)
    moved(book, row, Did.ACK, S.LIVE, reported=6)
    moved(book, row, Did.ACK, S.LIVE, reported=2)
    assert 6 == row.reported_lots
    filled(book, row, 7)
    assert 7 == row.reported_lots


def test_orders_move_along_the_table_or_not_at_all():
    book = a_book()
    row = approved(book)
    for did, state in ((Did.ABSENT, S.UNSENT), (Did.ACK, S.FILLED)):
        with pytest.raises(InvariantBroken, match="table"):
            moved(book, row, did, state)
    with pytest.raises(InvariantBroken, match="known"):
        book.move(OrderMoved(order_id=99, did=Did.ACK, state=S.LIVE, venue_order_id="", why="", mono_ns=1))
    assert S.SENT is row.state


def test_a_name_that_was_heard_is_kept():
    book = a_book()
    row = approved(book)
    moved(book, row, Did.ACK, S.LIVE, name="v1")
    moved(book, row, Did.CANCEL_ASK, S.CANCEL_SENT)
    assert ("v1", True) == (row.venue_order_id, row.cancel_wanted)


def test_an_amend_counts_at_the_larger_size_and_survives_what_does_not_end_the_order():
    book = a_book()
    row = approved(book)
    moved(book, row, Did.ACK, S.LIVE, name="v1")
    amended(book, row, AmendStep.ASKED, 25)
    moved(book, row, Did.CANCEL_ASK, S.CANCEL_SENT)
    assert (25, 25, 9) == (row.amend_qty_lots, book.open_in(BTC).buy_lots, row.amend_mono_ns)
    moved(book, row, Did.CANCELLED, S.CANCELLED)
    assert (0, 0) == (row.amend_qty_lots, book.open_in(BTC).buy_lots)
    amended(book, row, AmendStep.DONE, 25)  # answered after its order was settled
    assert 10 == row.qty_lots


def test_an_amend_that_is_done_changes_the_order_and_one_that_is_refused_does_not():
    book = a_book()
    row = approved(book)
    amended(book, row, AmendStep.ASKED, 25, BTC_TICKS + 1)
    amended(book, row, AmendStep.REFUSED, 10)
    assert (10, BTC_TICKS, 0, 0) == (row.qty_lots, row.price_ticks, row.amend_qty_lots, row.amend_price_ticks)
    amended(book, row, AmendStep.ASKED, 25, BTC_TICKS + 1)
    amended(book, row, AmendStep.DONE, 25, BTC_TICKS + 1)
    assert (25, BTC_TICKS + 1, 0) == (row.qty_lots, row.price_ticks, row.amend_qty_lots)
    assert (25, 0, 1) == counted(book)


def test_a_foreign_order_counts_until_it_is_gone():
    book = a_book()

    def seen(lots, side=Side.BUY):
        book.see_foreign(
            ForeignOrderSeen(
                venue_order_id="f1", instrument=BTC, side=side, open_lots=lots, conditional=False
            )
        )

    for lots, side, expected in (
        (5, Side.BUY, (5, 0, 1)),
        (3, Side.BUY, (3, 0, 1)),
        (3, Side.SELL, (0, 3, 1)),
        (0, Side.SELL, (0, 0, 0)),
        (0, Side.SELL, (0, 0, 0)),
    ):
        seen(lots, side)
        assert expected == counted(book)
    assert {} == book.foreign


def test_foreign_orders_are_told_apart_by_instrument_and_kind_too():
    """Venues count each instrument's orders, and conditional ones, by themselves: two may go by one id."""
    book = a_book()

    def seen(lots, *, instrument=BTC, side=Side.BUY, conditional=False):
        book.see_foreign(
            ForeignOrderSeen(
                venue_order_id="7", instrument=instrument, side=side, open_lots=lots, conditional=conditional
            )
        )
        return counted(book), counted(book, ETH), len(book.foreign)

    assert ((100, 0, 1), (0, 0, 0), 1) == seen(100)
    assert ((100, 0, 1), (400, 0, 1), 2) == seen(400, instrument=ETH)
    assert ((100, 40, 2), (400, 0, 1), 3) == seen(40, side=Side.SELL, conditional=True)
    assert ((0, 40, 1), (400, 0, 1), 2) == seen(0)
    assert ((0, 40, 1), (300, 0, 1), 2) == seen(300, instrument=ETH)
    assert ((60, 40, 2), (300, 0, 1), 3) == seen(60)
    assert ((60, 40, 2), (0, 0, 0), 2) == seen(0, instrument=ETH)
    assert ((60, 0, 1), (0, 0, 0), 1) == seen(0, side=Side.SELL, conditional=True)
    assert ((0, 0, 0), (0, 0, 0), 0) == seen(0)


def test_protective_orders_are_counted_apart_as_well():
    book = a_book()
    row = approved(
        book,
        side=Side.SELL,
        order_type=OrderType.STOP_MARKET,
        price_ticks=None,
        trigger_ticks=BTC_TICKS,
        reduce_only=True,
    )
    approved(book, side=Side.SELL)
    here = book.open_in(BTC)
    assert (20, 10, 0) == (here.sell_lots, here.protective_sell_lots, here.protective_buy_lots)
    moved(book, row, Did.CANCELLED, S.CANCELLED)
    assert (10, 0) == (here.sell_lots, here.protective_sell_lots)


def test_the_memory_of_final_orders_is_bounded_and_forgets_the_oldest():
    book = a_book()
    first = approved(book)
    moved(book, first, Did.CANCELLED, S.CANCELLED)
    for _ in range(FINAL_KEPT_MAX):
        moved(book, approved(book), Did.CANCELLED, S.CANCELLED)
    assert FINAL_KEPT_MAX + 1 - FINAL_DROPPED == len(book.final)
    assert book.row(first.order_id) is None
    assert (0, 0, 0) == counted(book)


def test_orders_of_a_scope_come_oldest_first():
    book = a_book()
    rows = [approved(book), approved(book, strategy="beta"), approved(book, instrument="ETHUSDT")]
    assert rows == book.rows_in()
    assert [rows[0], rows[2]] == book.rows_in(strategy="alpha")
    assert rows[:2] == book.rows_in(instrument=BTC)
    assert [rows[1]] == book.rows_in(strategy="beta", instrument=BTC)


def test_a_new_life_forgets_the_monotonic_times_of_the_last():
    book = a_book()
    open_row, done = approved(book), approved(book)
    moved(book, done, Did.CANCELLED, S.CANCELLED, mono_ns=10**18)
    moved(book, open_row, Did.ACK, S.LIVE, mono_ns=10**18)
    amended(book, open_row, AmendStep.ASKED, 12)
    book.begin_epoch(an_epoch(2))
    assert (0, 0, 0) == (open_row.changed_mono_ns, done.changed_mono_ns, open_row.amend_mono_ns)
    assert not book.of_this_life(open_row.order_id)
    assert book.of_this_life(approved(book).order_id)
