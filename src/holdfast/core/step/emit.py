"""The one way facts come about: applied to the books at once, kept in order, and followed by what depends on them."""

from __future__ import annotations

from typing import Final

from holdfast.core.holds.rules import RULES
from holdfast.core.orders.lifecycle import next_state
from holdfast.core.state import State
from holdfast.vocab.effects import Alert, Call, ClearLatch, Effect, SetTimer, Severity, TripLatch
from holdfast.vocab.events import TimerKind
from holdfast.vocab.facts import (
    BooksOpened,
    BreakFound,
    BreakHealed,
    BreakKind,
    Fact,
    FillAccepted,
    FillBooked,
    FillBusted,
    HoldPlaced,
    HoldReleased,
    OrderAmended,
    OrderMoved,
    PositionAdjusted,
)
from holdfast.vocab.holds import ACCOUNT, Hold, HoldCause, HoldLevel, Release, Scope
from holdfast.vocab.orders import Did, Lane
from holdfast.vocab.requests import Request
from holdfast.vocab.units import NS_PER_MS

Out = list[Effect]

_MOVES_A_POSITION: Final = frozenset({FillBooked, FillBusted, FillAccepted, PositionAdjusted, BooksOpened})
HALTS_MAX: Final = 16  # halts, or kills, of different people, times or reasons that stand side by side
_QUIET: Final = (HoldCause.STARTUP, HoldCause.DEADMAN_UNARMED)


def emit(state: State, out: Out, fact: Fact) -> None:
    """Apply a fact to the books and hand it on to be written down."""
    session = state.live
    state.books.apply(fact, mono_ns=session.now_mono_ns)
    if type(fact) in _MOVES_A_POSITION:
        session.equity_floor_e8 = session.breaker_floor_e8
        session.account.fold_day()
    elif type(fact) is OrderAmended:
        row = state.books.orders.live.get(fact.order_id)
        if row is not None:
            state.rest(row)
    out.append(fact)


def touch(state: State, instrument: str) -> None:
    """Recount what depends on the orders and position of one instrument."""
    orders = state.books.orders
    account = state.live.account
    account.open_orders_count = len(orders.live) + len(orders.foreign)
    exposure = state.exposures.get(instrument)
    if exposure is not None:
        account.gross_e8 += exposure.recount()
        if not exposure.value_ticks and exposure.unpriced():
            account.mark(None)  # what it could cost is unknown, and nothing more is allowed


def ask(state: State, out: Out, request: Request, *, lane: Lane = Lane.READ) -> int:
    """Ask the venue; the answer will come as ``CallDone`` under the returned id."""
    session = state.live
    call_id = session.next_call_id
    session.next_call_id = call_id + 1
    call = Call(call_id=call_id, lane=lane, request=request, asked_mono_ns=session.now_mono_ns)
    session.calls[call_id] = call
    out.append(call)
    return call_id


def after_ms(state: State, out: Out, kind: TimerKind, wait_ms: int, *, key: int = 0) -> None:
    """Bring ``TimerFired`` back after a wait."""
    out.append(SetTimer(kind=kind, key=key, due_mono_ns=state.live.now_mono_ns + wait_ms * NS_PER_MS))


def alert(out: Out, severity: Severity, kind: str, text: str) -> None:
    """Tell people."""
    out.append(Alert(severity=severity, kind=kind, text=text))


def place_hold(
    state: State,
    out: Out,
    cause: HoldCause,
    *,
    scope: Scope = ACCOUNT,
    by: str,
    reason: str,
    level: HoldLevel | None = None,
    beside: bool = False,
) -> Hold:
    """Forbid, by the table. A hold of the same cause and scope is not placed twice; it may be made stricter.

    ``beside``: it is placed again all the same, and stands beside the others: each has its own delay.
    """
    holds = state.books.holds
    rule = RULES[cause]
    wanted = rule.level if level is None else level
    old = holds.find(cause, scope)
    if beside:
        alike = [hold for hold in holds.holds.values() if hold.cause is cause and hold.scope == scope]
        old = alike[-1] if len(alike) >= HALTS_MAX else None
    elif old is not None and old.level >= wanted:
        return old
    session = state.live
    hold = Hold(
        hold_id=holds.next_id() if old is None else old.hold_id,
        scope=scope,
        level=wanted,
        cause=cause,
        release=rule.release,
        by=by,
        reason=reason,
        since_wall_ns=session.now_wall_ns,
        since_mono_ns=session.now_mono_ns,
        latch_nonce=0 if old is None else old.latch_nonce,
    )
    emit(state, out, HoldPlaced(hold=hold))
    state.fold_holds()
    if cause not in _QUIET:
        where = scope.strategy + ("/" if scope.strategy and scope.instrument else "") + scope.instrument
        severity = Severity.CRITICAL if wanted >= HoldLevel.HALTED else Severity.WARNING
        alert(out, severity, f"hold.{cause.value}", f"{wanted.name} {where or 'account'}: {reason}")
    if (
        scope == ACCOUNT
        and wanted >= HoldLevel.HALTED
        and rule.release is not Release.AUTOMATIC
        and cause is not HoldCause.STARTUP
    ):
        # what was approved before this step must not leave either: the last hop stops it
        out.append(TripLatch(by=by, reason=reason))
    return hold


def release_hold(state: State, out: Out, hold: Hold, *, by: str, reason: str, latch_nonce: int = 0) -> None:
    """Lift a hold; clear the latch by the nonce observed before, once no other hold leans on it."""
    session = state.live
    emit(state, out, HoldReleased(hold_id=hold.hold_id, by=by, reason=reason))
    session.clear_since_mono_ns.pop(hold.hold_id, None)
    state.fold_holds()
    alert(
        out, Severity.INFO, f"released.{hold.cause.value}", f"hold {hold.hold_id} released by {by}: {reason}"
    )
    leaning = [other for other in state.books.holds.holds.values() if other.latch_nonce]
    nonce = latch_nonce or session.latch_nonce
    if (hold.latch_nonce or hold.cause is HoldCause.STARTUP) and nonce and not leaning:
        out.append(ClearLatch(nonce=nonce))
        session.latch_nonce = 0


def find_break(state: State, out: Out, kind: BreakKind, key: str, *, ours: int, theirs: int) -> None:
    """Write a difference down, once, and forbid what it makes unsafe."""
    name = f"{kind.value}/{key}"
    known = state.books.breaks.get(name)
    if known is not None and known.ours == ours and known.theirs == theirs:
        return
    emit(state, out, BreakFound(kind=kind, key=key, ours=ours, theirs=theirs))
    place_hold(
        state,
        out,
        HoldCause.RECONCILE_BREAK,
        by="reconcile",
        reason=f"{kind.value.replace('_', ' ')} {key}: ours {ours}, venue {theirs}",
    )


def heal_break(state: State, out: Out, kind: BreakKind, key: str) -> None:
    """Ours and theirs agree again."""
    if f"{kind.value}/{key}" in state.books.breaks:
        emit(state, out, BreakHealed(kind=kind, key=key))


def move(
    state: State,
    out: Out,
    order_id: int,
    did: Did,
    *,
    why: str = "",
    venue_order_id: str = "",
    reported_lots: int = 0,
    waiting: bool = False,
) -> None:
    """Move an order along its table, where that changes anything."""
    row = state.books.orders.row(order_id)
    if row is None:
        return
    to = next_state(row.state, did)
    if to is None:
        alert(
            out, Severity.CRITICAL, "order.illegal", f"order {order_id}: {did.value} while {row.state.value}"
        )
        return
    news = (
        to is not row.state
        or (bool(venue_order_id) and venue_order_id != row.venue_order_id and not (row.named and waiting))
        or reported_lots > row.reported_lots
        or (did is Did.CANCEL_ASK and not row.cancel_wanted)
    )
    if not news:
        return
    emit(
        state,
        out,
        OrderMoved(
            order_id=order_id,
            did=did,
            state=to,
            venue_order_id=venue_order_id,
            why=why,
            mono_ns=state.live.now_mono_ns,
            reported_lots=reported_lots,
            waiting=waiting,
        ),
    )
    if did is Did.CANCEL_ASK:
        state.live.account.fold_day()
    state.rest(row)
    touch(state, row.terms.instrument)
