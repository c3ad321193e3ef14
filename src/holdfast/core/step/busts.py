"""Executions that the venue takes back: told by its stream, or missing from its list and signed by a person."""

from __future__ import annotations

from typing import Final

from holdfast.core.ledger.ledger import Kept
from holdfast.core.state import State
from holdfast.core.step.emit import Out, after_ms, alert, emit, find_break, heal_break, place_hold, touch
from holdfast.core.step.reconcile import ASK_BALANCES, ASK_POSITIONS, CONFIRMATIONS, GONE
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import TimerKind
from holdfast.vocab.facts import BreakKind, FillBusted
from holdfast.vocab.holds import HoldCause, Scope
from holdfast.vocab.reports import BustReport, Trades
from holdfast.vocab.units import NS_PER_MS

# A list of executions may lag the stream: one that was booked less than this before the list was asked for is not
# missing from it.
LISTED_WITHIN_MS: Final = 2_000
VENUE: Final = "venue"


def bust_report(state: State, out: Out, bust: BustReport) -> None:
    """The venue says that it takes an execution back. Said twice it is taken back once."""
    trade = bust.trade
    ledger = state.books.ledger
    where = f"{trade.instrument}/{trade.trade_id}"
    if trade.instrument not in state.specs:
        alert(
            out,
            Severity.CRITICAL,
            "fill.unlisted",
            f"a fill in {trade.instrument}, which this bot does not trade, was taken back on its account",
        )
        return
    if ledger.was_taken_back(trade.instrument, trade.trade_id):
        return
    why = bust.why or "the venue took it back"
    kept = ledger.may_take_back(trade.instrument, trade.trade_id)
    if kept is not None:
        counted = bust.venue_ns <= ledger.opened_venue_ns and not kept.fact.later
        take_back(state, out, kept, by=VENUE, reason=why, venue_ns=bust.venue_ns, counted=counted)
    elif (
        ledger.knows_trade(trade.instrument, trade.trade_id)
        # from before the books: it was in the position that they opened with, and left that behind their opening
        or trade.venue_ns < ledger.books_since_venue_ns < bust.venue_ns
    ):
        _hold(
            state,
            out,
            trade.instrument,
            f"fill {where} was taken back ({why}), too late or too old for the books to take it out: holdfast "
            f"reconcile shows what differs, holdfast adopt {trade.instrument} takes the venue's word",
        )
        _compare(state, out)
    elif trade.venue_ns >= ledger.books_since_venue_ns > 0:
        orders = state.books.orders
        if trade.order_id is not None:
            row = orders.row(trade.order_id)
        else:
            row = orders.named(trade.instrument, trade.venue_order_id) if trade.venue_order_id else None
        emit(
            state,
            out,
            FillBusted(
                trade_id=trade.trade_id,
                order_id=None if row is None else row.order_id,
                instrument=trade.instrument,
                side=trade.side,
                qty_lots=trade.qty_lots,
                price_ticks=trade.price_ticks,
                booked=False,
                counted=False,
                by=VENUE,
                reason=why,
                venue_ns=bust.venue_ns,
            ),
        )
        touch(state, trade.instrument)
        _hold(state, out, trade.instrument, f"fill {where} was taken back ({why}) before it was booked")


def take_back(
    state: State, out: Out, kept: Kept, *, by: str, reason: str, venue_ns: int, counted: bool
) -> None:
    """Take an execution out of the books; then hold, tell people, and ask the venue whether it agrees."""
    fact = kept.fact
    name, where = fact.instrument, f"{fact.instrument}/{fact.trade_id}"
    position = state.books.ledger.position(name)
    before_lots, before_e8 = position.position_lots, position.realised_e8
    emit(
        state,
        out,
        FillBusted(
            trade_id=fact.trade_id,
            order_id=fact.order_id,
            instrument=name,
            side=fact.side,
            qty_lots=fact.qty_lots,
            price_ticks=fact.price_ticks,
            booked=True,
            counted=counted,
            by=by,
            reason=reason,
            venue_ns=venue_ns,
        ),
    )
    touch(state, name)
    state.live.suspects.pop(_suspect(name, fact.trade_id), None)
    heal_break(state, out, BreakKind.FILL_GONE, where)
    _hold(
        state,
        out,
        name,
        f"fill {where} ({fact.side.name.lower()} {fact.qty_lots} lots at {fact.price_ticks} ticks, "
        f"{fact.strategy or 'no strategy'}) was taken back by {by}: {reason}; position {before_lots} is now "
        f"{position.position_lots} lots, realised changed by {position.realised_e8 - before_e8}e-8",
    )
    _compare(state, out)


def _hold(state: State, out: Out, instrument: str, said: str) -> None:
    alert(out, Severity.CRITICAL, "fill.busted", said)
    place_hold(
        state,
        out,
        HoldCause.FILL_BUSTED,
        scope=Scope(instrument=instrument),
        by="ledger",
        reason=said,
    )


def _compare(state: State, out: Out) -> None:
    wait_ms = state.live.settings.timings.query_retry_ms
    for key in (ASK_POSITIONS, ASK_BALANCES):
        after_ms(state, out, TimerKind.RECONCILE_POSITIONS, wait_ms, key=key)


def _suspect(instrument: str, trade_id: str) -> str:
    return f"{GONE}{instrument}/{trade_id}"


def look_for_gone(state: State, out: Out, answer: Trades, *, since_venue_ns: int, asked_mono_ns: int) -> None:
    """Executions of our books that the venue's list, which reaches over their time, has no more.

    Looked for where position or balance differ. A list alone takes nothing out of the books: what is missing from it
    twice is a break, and a person's to sign.
    """
    name = answer.instrument
    suspects, breaks = state.live.suspects, state.books.breaks
    balance = f"balance/{state.books.ledger.settle_asset}"
    if not (
        f"position/{name}" in suspects
        or f"position/{name}" in breaks
        or "balance" in suspects
        or balance in breaks
    ):
        return  # the venue agrees with what the books hold
    listed = {trade.trade_id: True for trade in answer.trades}
    last_ns = max((trade.venue_ns for trade in answer.trades), default=since_venue_ns)
    again = False
    for trade_id, kept in state.books.ledger.kept.get(name, {}).items():
        fact = kept.fact
        if trade_id in listed:
            suspects.pop(_suspect(name, trade_id), None)
            heal_break(state, out, BreakKind.FILL_GONE, f"{name}/{trade_id}")
            continue
        reaches = fact.venue_ns > since_venue_ns and (answer.complete or fact.venue_ns < last_ns)
        if not reaches or kept.mono_ns > asked_mono_ns - LISTED_WITHIN_MS * NS_PER_MS:
            continue
        count = suspects[_suspect(name, trade_id)] = suspects.get(_suspect(name, trade_id), 0) + 1
        if count >= CONFIRMATIONS and state.books.ledger.may_take_back(name, trade_id) is not None:
            lots = fact.side * fact.qty_lots
            find_break(state, out, BreakKind.FILL_GONE, f"{name}/{trade_id}", ours=lots, theirs=0)
        elif count < CONFIRMATIONS:
            again = True
    if again:  # soon: who signs for a position that differs wants to know which execution is gone
        after_ms(
            state,
            out,
            TimerKind.RECONCILE_POSITIONS,
            state.live.settings.timings.query_retry_ms,
            key=ASK_POSITIONS,
        )
