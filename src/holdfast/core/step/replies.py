"""Answers of the venue to our calls, routed by what was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.core.holds.rules import FAULT_HOLDS
from holdfast.core.orders.book import OrderRow
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.state import State
from holdfast.core.step.busts import look_for_gone
from holdfast.core.step.emit import Out, after_ms, alert, emit, move, place_hold, touch
from holdfast.core.step.flatten import positions_failed, positions_read, work
from holdfast.core.step.market import depth_answer
from holdfast.core.step.orders import absent, chase, chase_again, fetch_trades, go_silent
from holdfast.core.step.reconcile import (
    ASK_POSITIONS,
    POSITION_SOURCES_MAX,
    ask_cash,
    ask_clock,
    balances_answer,
    cash_answer,
    clock_answer,
    orders_answer,
    positions_answer,
    settle_start,
    step_done,
)
from holdfast.core.step.reference import volumes_answer
from holdfast.core.step.reports import explained, fetch_waiting, order_report, trade_report
from holdfast.core.step.retries import count_answer
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import CallDone, TimerKind
from holdfast.vocab.facts import AmendStep, OrderAmended
from holdfast.vocab.holds import HoldCause, Scope
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Did, TimeInForce
from holdfast.vocab.outcome import Fatal, Fault, Ok, Outcome, Suppressed, Transient, Unknown
from holdfast.vocab.reports import (
    Balances,
    CashEntries,
    Clock,
    NoSuchOrder,
    OrderReport,
    Orders,
    Positions,
    Specs,
    Trades,
)
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryDepth,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    Request,
    SetLeverage,
)
from holdfast.vocab.units import NS_PER_MS


def on_call_done(state: State, event: CallDone) -> Out:
    """Route one answer; an answer to a question of an earlier life is ignored."""
    out: Out = []
    pending = state.live.calls.pop(event.call_id, None)
    if pending is None:
        return out
    outcome = event.outcome
    if type(outcome) is not Ok:
        _judge_failure(state, out, pending.request, outcome)
    count_answer(state, out, pending.request, outcome, why=_why(outcome))
    _ROUTES[type(pending.request)](state, out, pending.request, pending.asked_mono_ns, outcome)
    if state.live.words.trades_waiting and not isinstance(pending.request, QueryTrades):
        fetch_waiting(state, out)
    work(state, out)
    settle_start(state, out)
    return out


def _judge_failure(state: State, out: Out, request: Request, outcome: Outcome) -> None:
    """What a failed answer says beside its request: a key that is refused, an address that is gone, and so on."""
    fault = getattr(outcome, "fault", None)
    cause = FAULT_HOLDS.get(fault) if fault is not None else None
    asked = type(request).__name__
    if cause is not None:
        place_hold(state, out, cause, by="venue", reason=f"the answer to {asked}: {_why(outcome)}")
        measuring = any(type(call.request) is MeasureClock for call in state.live.calls.values())
        if fault is Fault.CLOCK and type(request) is not MeasureClock and not measuring:
            ask_clock(state, out)
    elif isinstance(outcome, Unknown) and outcome.unlisted:
        place_hold(
            state,
            out,
            HoldCause.UNKNOWN_ERROR,
            by="venue",
            reason=f"an answer that no table names, to {asked}: {outcome.why}",
        )


def _why(outcome: Outcome) -> str:
    if isinstance(outcome, Suppressed):
        return f"withheld by the {outcome.by.value}"
    if isinstance(outcome, Ok):
        return "an answer of another kind"
    return f"{outcome.why} {outcome.code}".strip()


def _place(state: State, out: Out, request: PlaceOrder, asked_mono_ns: int, outcome: Outcome) -> None:
    row = state.books.orders.row(request.order_id)
    if row is None:
        return
    if isinstance(outcome, Ok) and isinstance(outcome.value, OrderReport):
        order_report(state, out, outcome.value, fresh=True, asked_mono_ns=asked_mono_ns)
    elif row.venue_order_id or row.filled_lots:
        # the venue showed it to us already: a lost reply adds nothing, and "it had no effect" cannot be true
        if not isinstance(outcome, Unknown):
            alert(out, Severity.CRITICAL, "order.contradiction", f"order {row.order_id}: {_why(outcome)}")
            go_silent(state, out, row, why=f"shown by the venue, yet: {_why(outcome)}")
    elif isinstance(outcome, Suppressed | Transient):
        move(state, out, row.order_id, Did.NOT_SENT, why=_why(outcome))
    elif isinstance(outcome, Fatal):
        state.live.rejects_count += 1
        move(state, out, row.order_id, Did.REFUSED, why=_why(outcome))
        # one that must not take is refused in the ordinary course of quoting
        expected = row.terms.tif is TimeInForce.POST_ONLY
        alert(
            out,
            Severity.INFO if expected else Severity.WARNING,
            "order.rejected",
            f"the venue refused order {row.order_id}: {_why(outcome)}",
        )
    else:
        go_silent(state, out, row, why=_why(outcome))


def _amend(state: State, out: Out, request: AmendOrder, asked_mono_ns: int, outcome: Outcome) -> None:
    row = state.books.orders.live.get(request.order_id)
    if row is None:
        return
    if isinstance(outcome, Ok) and isinstance(outcome.value, OrderReport):
        # the answer to an amend is later than its asking, which no other question of that instant is
        order_report(state, out, outcome.value, fresh=True, asked_mono_ns=asked_mono_ns + 1)
        if row.amend_qty_lots:
            chase(state, out, row)
    elif asked_mono_ns < row.amend_mono_ns:
        return  # of an amend that the stream has settled: the one asked since has its own answer
    elif isinstance(outcome, Suppressed | Transient | Fatal):
        emit(
            state,
            out,
            OrderAmended(
                order_id=row.order_id,
                step=AmendStep.REFUSED,
                qty_lots=row.qty_lots,
                price_ticks=row.price_ticks or 0,
                why=_why(outcome),
            ),
        )
        touch(state, row.terms.instrument)
    else:
        chase(state, out, row)


def _cancel(state: State, out: Out, request: CancelOrder, asked_mono_ns: int, outcome: Outcome) -> None:
    if request.order_id is None:
        return
    row = state.books.orders.row(request.order_id)
    if row is None or is_final(row.state):
        return
    if isinstance(outcome, Ok) and isinstance(outcome.value, OrderReport):
        order_report(state, out, outcome.value, fresh=True, asked_mono_ns=asked_mono_ns)
    elif isinstance(outcome, Ok):  # no such order: it is final already, or never was; the query will tell
        move(state, out, row.order_id, Did.CANCEL_REFUSED, why="the venue has no such open order")
        chase(state, out, row, wait_ms=0)
    else:
        chase_again(state, out, row)


def _cancel_all(state: State, out: Out, request: CancelAll, asked_mono_ns: int, outcome: Outcome) -> None:
    if not isinstance(outcome, Ok):
        alert(
            out,
            Severity.CRITICAL,
            "cancel_all.failed",
            f"cancel-all in {request.instrument}: {_why(outcome)}; every order is asked after by name",
        )
    for row in state.books.orders.rows_in(instrument=request.instrument):
        if row.cancel_wanted and not is_final(row.state):
            chase(state, out, row)


def _query_order(state: State, out: Out, request: QueryOrder, asked_mono_ns: int, outcome: Outcome) -> None:
    row = state.books.orders.row(request.order_id)
    hunt = state.live.chases.get(request.order_id)
    if row is None:
        return
    if isinstance(outcome, Ok) and isinstance(outcome.value, OrderReport):
        if row.conditional and state.live.words.trades_waiting:
            state.live.words.named_mono_ns[row.order_id] = asked_mono_ns
        _amend_not_taken(state, out, row, outcome.value, asked_mono_ns=asked_mono_ns)
        order_report(state, out, outcome.value, fresh=False, asked_mono_ns=asked_mono_ns)
        if hunt is not None:
            hunt.asking = False
    elif isinstance(outcome, Ok) and isinstance(outcome.value, NoSuchOrder):
        if hunt is not None:
            hunt.asking = False
        absent(state, out, row, asked_mono_ns=asked_mono_ns)
    else:
        if hunt is not None:
            hunt.asking = False
        chase_again(state, out, row)


def _amend_not_taken(
    state: State, out: Out, row: OrderRow, report: OrderReport, *, asked_mono_ns: int
) -> None:
    """The venue shows the order as it was, asked after the receive window: the amend did not happen."""
    hunt = state.live.chases.get(row.order_id)
    shown = (report.qty_lots, report.price_ticks)
    if (
        not row.amend_qty_lots
        or shown != (row.qty_lots, row.price_ticks)
        or shown == (row.amend_qty_lots, row.amend_price_ticks)
        or hunt is None
        or asked_mono_ns < hunt.absent_after_mono_ns
    ):
        return
    emit(
        state,
        out,
        OrderAmended(
            order_id=row.order_id,
            step=AmendStep.REFUSED,
            qty_lots=row.qty_lots,
            price_ticks=row.price_ticks or 0,
            why="the venue shows it unchanged",
        ),
    )
    touch(state, row.terms.instrument)


def _open_orders(
    state: State, out: Out, request: QueryOpenOrders, asked_mono_ns: int, outcome: Outcome
) -> None:
    word = state.live.words.orders
    word.asking = False
    if isinstance(outcome, Ok) and isinstance(outcome.value, Orders):
        word.failures = 0
        orders_answer(state, out, outcome.value, asked_mono_ns=asked_mono_ns)
    else:
        word.failures += 1
        _read_failed(state, out, "open orders", word.failures, outcome)


def _positions(state: State, out: Out, request: QueryPositions, asked_mono_ns: int, outcome: Outcome) -> None:
    session = state.live
    words = session.words
    if isinstance(outcome, Ok) and isinstance(outcome.value, Positions):
        words.source = request.source
        words.positions.asking = False
        positions_answer(state, out, outcome.value, asked_mono_ns=asked_mono_ns)
        positions_read(state, out, outcome.value, asked_mono_ns=asked_mono_ns)
        return
    words.positions.failures += 1
    words.positions.asking = False
    _read_failed(state, out, f"positions (source {request.source})", words.positions.failures, outcome)
    words.source = (request.source + 1) % POSITION_SOURCES_MAX
    if words.positions.failures % POSITION_SOURCES_MAX:
        wait_ms = session.settings.timings.query_retry_ms
        after_ms(state, out, TimerKind.RECONCILE_POSITIONS, wait_ms, key=ASK_POSITIONS)
    positions_failed(state, out, asked_mono_ns=asked_mono_ns, why=_why(outcome))


def _read_failed(state: State, out: Out, what: str, failures: int, outcome: Outcome) -> None:
    if failures == 1 or failures % 10 == 0:
        alert(out, Severity.WARNING, "venue.read_failed", f"{what}: {_why(outcome)} ({failures} in a row)")


def _balances(state: State, out: Out, request: QueryBalances, asked_mono_ns: int, outcome: Outcome) -> None:
    word = state.live.words.balances
    word.asking = False
    if isinstance(outcome, Ok) and isinstance(outcome.value, Balances):
        balances_answer(state, out, outcome.value, asked_mono_ns=asked_mono_ns)
    else:
        word.failures += 1
        _read_failed(state, out, "balances", word.failures, outcome)


def _trades(state: State, out: Out, request: QueryTrades, asked_mono_ns: int, outcome: Outcome) -> None:
    session = state.live
    session.words.trades_asking.pop(request.instrument, None)
    if isinstance(outcome, Ok) and isinstance(outcome.value, Trades):
        trades = outcome.value.trades
        waiting = [trade for trade in trades if trade_report(state, out, trade)]
        look_for_gone(
            state,
            out,
            outcome.value,
            since_venue_ns=request.since_venue_ns,
            asked_mono_ns=asked_mono_ns,
        )
        if not outcome.value.complete:
            last = max((trade.venue_ns for trade in trades), default=0)
            if last > request.since_venue_ns:
                fetch_trades(state, out, request.instrument, since_venue_ns=last)
                return
            _cut(out, f"executions in {request.instrument}")
        explained(state, request.instrument, still=waiting)
        if not waiting:
            # while one waits for its name the list has not explained what it can: no difference is judged by it
            session.words.trades_mono_ns[request.instrument] = asked_mono_ns
            if outcome.value.complete and session.words.opening:
                session.words.whole_mono_ns[request.instrument] = asked_mono_ns
        session.words.trades_failures.pop(request.instrument, None)
        step_done(state, out, f"trades/{request.instrument}")
    else:
        failures = session.words.trades_failures.get(request.instrument, 0) + 1
        session.words.trades_failures[request.instrument] = failures
        _read_failed(state, out, f"executions in {request.instrument}", failures, outcome)


def _cut(out: Out, what: str) -> None:
    """A list that the venue cut and that cannot be read on: the positions and balances will tell."""
    alert(out, Severity.CRITICAL, "venue.list_cut", f"{what}: the venue's list is not complete")


def _cash(state: State, out: Out, request: QueryCash, asked_mono_ns: int, outcome: Outcome) -> None:
    state.live.words.cash_asking = False
    if isinstance(outcome, Ok) and isinstance(outcome.value, CashEntries):
        entries = outcome.value.entries
        cash_answer(state, out, outcome.value)
        if not outcome.value.complete:
            last = max((entry.venue_ns for entry in entries), default=0)
            if last > request.since_venue_ns:
                ask_cash(state, out, since_venue_ns=last)
                return
            _cut(out, "income list")
        state.live.words.cash_mono_ns = asked_mono_ns
    else:
        _read_failed(state, out, "income list", 1, outcome)


def _clock(state: State, out: Out, request: MeasureClock, asked_mono_ns: int, outcome: Outcome) -> None:
    if isinstance(outcome, Ok) and isinstance(outcome.value, Clock):
        clock_answer(state, out, outcome.value)
    else:
        _read_failed(state, out, "the venue's clock", 1, outcome)


def _specs(state: State, out: Out, request: QuerySpecs, asked_mono_ns: int, outcome: Outcome) -> None:
    if not (isinstance(outcome, Ok) and isinstance(outcome.value, Specs)):
        _read_failed(state, out, "instrument facts", 1, outcome)
        return
    for spec in outcome.value.specs:
        known = state.specs.get(spec.instrument)
        if known is not None and _facts(known) != _facts(spec):
            place_hold(
                state,
                out,
                HoldCause.SPEC_CHANGED,
                scope=Scope(instrument=spec.instrument),
                by="venue",
                reason="tick, lot, sizes, minimum notional or status changed at the venue",
            )


def _volumes(state: State, out: Out, request: QueryVolumes, asked_mono_ns: int, outcome: Outcome) -> None:
    if not volumes_answer(state, out, request, asked_mono_ns, outcome):
        _read_failed(state, out, "volumes of 24 hours", 1, outcome)


def _facts(spec: InstrumentSpec) -> tuple[object, ...]:
    return (
        spec.tick,
        spec.lot,
        spec.tick_lot_e8,
        spec.qty_lots_min,
        spec.qty_lots_max,
        spec.market_lots_max,
        spec.notional_e8_min,
        spec.status,
    )


def _leverage(state: State, out: Out, request: SetLeverage, asked_mono_ns: int, outcome: Outcome) -> None:
    if isinstance(outcome, Ok):
        step_done(state, out, f"leverage/{request.instrument}")
    else:
        _read_failed(state, out, f"leverage of {request.instrument}", 1, outcome)


def _deadman(state: State, out: Out, request: ArmDeadman, asked_mono_ns: int, outcome: Outcome) -> None:
    session = state.live
    if isinstance(outcome, Ok) and request.countdown_ms:
        session.deadman_until_mono_ns[request.instrument] = asked_mono_ns + request.countdown_ms * NS_PER_MS
    elif isinstance(outcome, Fatal) and not session.deadman_until_mono_ns:  # it never worked
        text = f'{request.instrument}: {_why(outcome)}; where the venue has none, set timings.deadman = "0s"'
        alert(out, Severity.WARNING, "deadman.refused", text)
    elif request.countdown_ms:
        alert(out, Severity.WARNING, "deadman.failed", f"{request.instrument}: {_why(outcome)}")


_ROUTES: Final[dict[type, Callable[..., None]]] = {
    PlaceOrder: _place,
    AmendOrder: _amend,
    CancelOrder: _cancel,
    CancelAll: _cancel_all,
    QueryOrder: _query_order,
    QueryOpenOrders: _open_orders,
    QueryPositions: _positions,
    QueryBalances: _balances,
    QueryTrades: _trades,
    QueryCash: _cash,
    QuerySpecs: _specs,
    QueryVolumes: _volumes,
    QueryDepth: depth_answer,
    SetLeverage: _leverage,
    ArmDeadman: _deadman,
    MeasureClock: _clock,
}
