"""The venue's reports on orders and executions, applied to the books once each."""

from __future__ import annotations

from typing import Final

from holdfast.core.ledger.ledger import QUARANTINE
from holdfast.core.orders.book import OrderRow
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.state import State
from holdfast.core.step.churn import churn_window_ms, watch_churn
from holdfast.core.step.criteria import watch_size
from holdfast.core.step.emit import Out, alert, emit, find_break, move, place_hold, touch
from holdfast.core.step.orders import cancel_again, chase, chase_fills, fetch_trades
from holdfast.vocab.effects import Severity
from holdfast.vocab.facts import (
    AmendStep,
    BreakKind,
    FillBooked,
    FillClaimed,
    ForeignOrderSeen,
    OrderAmended,
)
from holdfast.vocab.holds import HoldCause, Scope
from holdfast.vocab.orders import Did, OrderState, OrderType
from holdfast.vocab.reports import FillCause, OrderReport, TradeReport, VenueStatus

_DID: Final = {
    VenueStatus.NEW: Did.ACK,
    VenueStatus.PARTIALLY_FILLED: Did.ACK,
    VenueStatus.FILLED: Did.FULL_FILL,
    VenueStatus.CANCELLED: Did.CANCELLED,
    VenueStatus.EXPIRED: Did.EXPIRED,
    VenueStatus.REJECTED: Did.REFUSED,
}
_OPEN: Final = (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)


def order_report(
    state: State, out: Out, report: OrderReport, *, fresh: bool, asked_mono_ns: int | None = None
) -> None:
    """Apply the venue's word on one order. ``fresh`` False: from a poll that may be older than our own word.

    ``asked_mono_ns``: when the question was asked that this answers; None: it came by the stream.
    """
    row = state.books.orders.row(report.order_id) if report.order_id is not None else None
    if row is None:
        foreign_report(state, out, report)
        return
    if report.status is VenueStatus.OTHER:
        alert(
            out, Severity.CRITICAL, "order.unreadable", f"order {row.order_id}: unknown status from the venue"
        )
        chase(state, out, row)
        return
    if is_final(row.state) and report.status in (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED):
        never_shown = not row.venue_order_id
        move(  # its executions must find it
            state,
            out,
            row.order_id,
            Did.ACK,
            venue_order_id=report.venue_order_id,
            reported_lots=report.filled_lots,
            waiting=report.conditional,
        )
        _claim(state, out, row.order_id)
        if row.reported_lots > row.filled_lots:
            chase_fills(state, out, row)
        # one that was shown to us before may be told of by a word that its end has overtaken: the lists will tell
        if fresh and row.state in (OrderState.REJECTED, OrderState.UNSENT) and never_shown:
            _risen(state, out, row, report)
        return
    settle_size(state, out, row, report, asked_mono_ns=asked_mono_ns)
    move(
        state,
        out,
        row.order_id,
        _DID[report.status],
        venue_order_id=report.venue_order_id,
        reported_lots=report.filled_lots,
        waiting=report.conditional,
    )
    _claim(state, out, row.order_id)
    session = state.live
    if row.settled():
        session.chases.pop(row.order_id, None)
        session.words.amended_venue_ns.pop(row.order_id, None)
        session.words.smaller_lots.pop(row.order_id, None)
        return
    hunt = session.chases.get(row.order_id)
    if not is_final(row.state):
        if row.cancel_wanted:
            if not fresh or (hunt is not None and hunt.asking):
                cancel_again(state, out, row)
        elif row.amend_qty_lots:
            if not fresh:
                chase(state, out, row)
        elif hunt is not None and not hunt.fills_only and not _asked_for_its_name(state, row):
            del session.chases[row.order_id]
    if row.reported_lots > row.filled_lots:
        chase_fills(state, out, row)
        if not (fresh and session.user_stream_up):
            # a fresh word's executions are on their way by the stream; an old one's have been lost
            fetch_trades(state, out, row.terms.instrument)


def _risen(state: State, out: Out, row: OrderRow, report: OrderReport) -> None:
    """The books call it final, the venue shows it open: count it, and stop."""
    emit(
        state,
        out,
        ForeignOrderSeen(
            venue_order_id=report.venue_order_id,
            instrument=row.terms.instrument,
            side=row.terms.side,
            open_lots=report.qty_lots - report.filled_lots,
            conditional=report.conditional,
        ),
    )
    touch(state, row.terms.instrument)
    find_break(
        state,
        out,
        BreakKind.ORDER_RISEN,
        str(row.order_id),
        ours=0,
        theirs=report.qty_lots - report.filled_lots,
    )


def settle_size(
    state: State, out: Out, row: OrderRow, report: OrderReport, *, asked_mono_ns: int | None
) -> None:
    """Take up the size and price that a report shows, unless it may be older than what we know.

    An unanswered amend is proven by its own size and price, in its own answer, in that to a later question, or in a
    word of the stream from later than the last amend that took effect: an order that is amended back has shown both
    before. Where no amend is asked, a size or price that is not ours is the venue's truth all the same, and people
    are told: an amend that was given up may have taken effect, or somebody else changed the order. A smaller size in
    an answer must be shown twice in a row: lists may be older than their question, and a start knows of no times.
    """
    price = report.price_ticks
    if row.terms.order_type is not OrderType.LIMIT or price is None or report.qty_lots <= 0:
        return
    shown = (report.qty_lots, price)
    session = state.live
    since_venue_ns = session.words.amended_venue_ns.get(row.order_id)
    if since_venue_ns is None:  # a start forgets it: of the time before that the lists have told
        passed_ns = session.now_mono_ns - session.started_mono_ns
        since_venue_ns = session.now_wall_ns + session.offset_ns - passed_ns
    later = report.venue_ns > since_venue_ns
    if row.amend_qty_lots:
        newer = later if asked_mono_ns is None else asked_mono_ns > row.amend_mono_ns
        why = ""
        if not newer or shown != (row.amend_qty_lots, row.amend_price_ticks):
            return
    else:
        newer = later if asked_mono_ns is None else asked_mono_ns > row.changed_mono_ns
        why = "the venue shows it so"
        smaller = state.live.words.smaller_lots
        before = smaller.pop(row.order_id, 0)
        if not newer or shown == (row.qty_lots, row.price_ticks) or report.status not in _OPEN:
            return
        if asked_mono_ns is not None and report.qty_lots < row.qty_lots and report.qty_lots != before:
            smaller[row.order_id] = report.qty_lots
            return
        alert(
            out,
            Severity.CRITICAL,
            "order.changed",
            f"order {row.order_id} in {row.terms.instrument} stands at the venue with {report.qty_lots} lots at "
            f"{price} ticks, here with {row.qty_lots} at {row.price_ticks}: it is counted as the venue shows it",
        )
    session.words.amended_venue_ns[row.order_id] = report.venue_ns
    emit(
        state,
        out,
        OrderAmended(
            order_id=row.order_id,
            step=AmendStep.DONE,
            qty_lots=report.qty_lots,
            price_ticks=price,
            why=why,
        ),
    )
    touch(state, row.terms.instrument)


def foreign_report(state: State, out: Out, report: OrderReport) -> None:
    """An order on our account that is not ours: counted, held, never cancelled by itself."""
    open_now = report.status in (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)
    lots = report.qty_lots - report.filled_lots if open_now else 0
    orders = state.books.orders
    known = orders.foreign.get(orders.foreign_key(report))
    if (known is None and lots == 0) or (known is not None and known.open_lots == lots):
        return
    if report.instrument not in state.specs:
        alert(
            out,
            Severity.CRITICAL,
            "order.foreign_unlisted",
            f"an order in {report.instrument}, which this bot does not trade, stands on its account",
        )
        return
    emit(
        state,
        out,
        ForeignOrderSeen(
            venue_order_id=report.venue_order_id,
            instrument=report.instrument,
            side=report.side,
            open_lots=lots,
            conditional=report.conditional,
        ),
    )
    touch(state, report.instrument)
    if known is None:
        place_hold(
            state,
            out,
            HoldCause.QUARANTINE,
            scope=Scope(instrument=report.instrument),
            by="reconcile",
            reason=f"an order that is not ours ({report.client_id or report.venue_order_id}) stands at the venue",
        )


def _is_later(state: State, row: OrderRow) -> bool:
    """Whether the order was approved behind the opening balance: whatever it did cannot be in that."""
    return row.order_id >= state.live.words.later_from_order_id


def trade_report(state: State, out: Out, trade: TradeReport) -> bool:
    """Book an execution, once by its venue id, whatever way it came.

    Returns True where it has to wait for the name of its order: it must be asked for again.
    """
    books = state.books
    if trade.instrument not in state.specs:
        alert(
            out,
            Severity.CRITICAL,
            "fill.unlisted",
            f"a fill in {trade.instrument}, which this bot does not trade, came on its account",
        )
        return False
    if books.ledger.knows_trade(trade.instrument, trade.trade_id):
        if trade.order_id is not None:
            _claim(state, out, trade.order_id, key=f"{trade.instrument}/{trade.trade_id}")
        return False
    if trade.order_id is not None:
        row = books.orders.row(trade.order_id)
    else:
        row = books.orders.named(trade.instrument, trade.venue_order_id) if trade.venue_order_id else None
        if row is None and _may_be_ours(state, out, trade):
            return True
    if row is not None and (row.terms.instrument != trade.instrument or row.terms.side is not trade.side):
        row = None  # the venue says another instrument or side: it explains no order of ours
    opened = books.ledger.books_since_venue_ns
    if row is None and (not opened or trade.venue_ns < opened):
        return False  # from before these books were opened
    by_venue = trade.cause is not FillCause.ORDER
    quarantined = row is None and not by_venue
    strategy = row.strategy if row is not None else ("" if by_venue else QUARANTINE)
    fill = FillBooked(
        trade_id=trade.trade_id,
        order_id=row.order_id if row is not None else None,
        strategy=strategy,
        instrument=trade.instrument,
        side=trade.side,
        qty_lots=trade.qty_lots,
        price_ticks=trade.price_ticks,
        fee_e8=trade.fee_e8,
        fee_asset=trade.fee_asset,
        maker=trade.maker,
        cause=trade.cause,
        quarantined=quarantined,
        venue_ns=trade.venue_ns,
        decision_ticks=row.decision_ticks if row is not None else None,
        churn_window_ms=churn_window_ms(state, strategy, trade.instrument),
        venue_order_id=trade.venue_order_id if quarantined else "",
        later=row is not None and trade.venue_ns <= books.ledger.opened_venue_ns and _is_later(state, row),
    )
    emit(state, out, fill)
    touch(state, trade.instrument)
    watch_churn(state, out, fill)
    watch_size(state, out, fill)
    if row is not None:
        _filled(state, out, row)
    elif quarantined:
        place_hold(
            state,
            out,
            HoldCause.QUARANTINE,
            scope=Scope(instrument=trade.instrument),
            by="ledger",
            reason=f"fill {trade.trade_id} belongs to no order of ours",
        )
    else:
        place_hold(
            state,
            out,
            HoldCause.LIQUIDATION,
            by="venue",
            reason=f"the venue itself traded {trade.qty_lots} lots of {trade.instrument} ({trade.cause.value})",
        )
    return False


def _claim(state: State, out: Out, order_id: int, *, key: str = "") -> None:
    """Take what nothing explained for this order: the execution of this ``key``, or those that name it."""
    ledger = state.books.ledger
    row = state.books.orders.row(order_id) if ledger.quarantined or ledger.accepted else None
    if row is None:
        return
    terms = row.terms
    for name, fill in ledger.unexplained().items():
        named = row.named and bool(fill.venue_order_id) and fill.venue_order_id == row.venue_order_id
        if fill.instrument != terms.instrument or fill.side is not terms.side or not (name == key or named):
            continue
        emit(state, out, FillClaimed(key=name, order_id=order_id, strategy=row.strategy))
        touch(state, terms.instrument)
        alert(
            out,
            Severity.WARNING,
            "fill.claimed",
            f"fill {name}, which no order explained, is of order {order_id} of {row.strategy or 'no strategy'}: "
            "it counts there now; a hold for it is a person's to lift",
        )
        _filled(state, out, row)


def _may_be_ours(state: State, out: Out, trade: TradeReport) -> bool:
    """A list of executions names orders by the venue's id only: it may be one whose id we have not heard yet."""
    if trade.client_id or trade.cause is not FillCause.ORDER:
        return False
    waiting = state.live.words.trades_waiting.get(trade.instrument, {})
    since = waiting.get(trade.trade_id, state.live.now_mono_ns)
    unheard = [row for row in _unheard(state, trade.instrument, since) if row.terms.side is trade.side]
    if not unheard:
        return False
    if trade.trade_id not in waiting:
        state.live.words.trades_waiting.setdefault(trade.instrument, {})[trade.trade_id] = since
        for row in unheard:
            if row.conditional:
                state.live.words.named_mono_ns.pop(row.order_id, None)
                if row.order_id not in state.live.chases:
                    chase(
                        state, out, row, wait_ms=0
                    )  # it may have been triggered, and goes by another id now
    return True


def _asked_for_its_name(state: State, row: OrderRow) -> bool:
    """Whether a conditional order is being asked after for an execution. A list of open orders, which may be old, is
    no answer to that: only the order itself is.
    """
    words = state.live.words
    return (
        row.conditional
        and row.terms.instrument in words.trades_waiting
        and row.order_id not in words.named_mono_ns
    )


def _unheard(state: State, instrument: str, since_mono_ns: int) -> list[OrderRow]:
    """Orders without a name then. A conditional one that was asked after since, and still waited, has told it."""
    named = state.live.words.named_mono_ns
    orders = state.books.orders
    return [
        row
        for row in orders.nameless(instrument)
        if not (orders.of_this_life(row.order_id) and row.approved_mono_ns > since_mono_ns)
        and not (row.conditional and named.get(row.order_id, since_mono_ns - 1) >= since_mono_ns)
    ]


def fetch_waiting(state: State, out: Out) -> None:
    """Executions that waited for the name of an order are asked for again once no order lacks one."""
    for instrument, waiting in state.live.words.trades_waiting.items():
        if any(not _unheard(state, instrument, since) for since in waiting.values()):
            fetch_trades(state, out, instrument)


def explained(state: State, instrument: str, *, still: list[TradeReport]) -> None:
    """A list of executions was taken; these of it wait for the name of their order, and no others."""
    words = state.live.words
    waiting = words.trades_waiting.pop(instrument, {})
    if still:
        words.trades_waiting[instrument] = {trade.trade_id: waiting[trade.trade_id] for trade in still}
    if not words.trades_waiting:
        words.named_mono_ns.clear()


def _filled(state: State, out: Out, row: OrderRow) -> None:
    if row.filled_lots > row.qty_lots and row.filled_lots > row.amend_qty_lots:
        find_break(
            state, out, BreakKind.OVERFILL, str(row.order_id), ours=row.qty_lots, theirs=row.filled_lots
        )
    if row.state in (OrderState.REJECTED, OrderState.UNSENT):
        # our proof that it had no effect was none
        find_break(state, out, BreakKind.ORDER_RISEN, str(row.order_id), ours=0, theirs=row.filled_lots)
    full = row.filled_lots >= max(row.qty_lots, row.amend_qty_lots)
    move(state, out, row.order_id, Did.FULL_FILL if full else Did.PART_FILL)
    if row.settled():
        state.live.chases.pop(row.order_id, None)
        state.live.words.amended_venue_ns.pop(row.order_id, None)
        state.live.words.smaller_lots.pop(row.order_id, None)
