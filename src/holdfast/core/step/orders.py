"""Orders in the step: sending what the gate approved, chasing what went silent, cancelling."""

from __future__ import annotations

from typing import Final

from holdfast.core.gate.desk import Desk
from holdfast.core.gate.gate import Approved
from holdfast.core.orders.book import OrderRow
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.orders.retries import CHASE_PACE_MAX, TRADES_PACE_MAX
from holdfast.core.state import Chase, State
from holdfast.core.step.emit import Out, after_ms, alert, ask, move, touch
from holdfast.core.step.glass import end_used
from holdfast.vocab.effects import Call, SetTimer, Severity
from holdfast.vocab.events import TimerKind
from holdfast.vocab.facts import OrderApproved
from holdfast.vocab.holds import Scope
from holdfast.vocab.orders import Did, Lane, OrderState
from holdfast.vocab.requests import CancelAll, CancelOrder, PlaceOrder, QueryOrder, QueryTrades
from holdfast.vocab.units import NS_PER_MS

# After this many questions without an answer people are told; the chase itself never gives up: only the
# venue's word or a named person closes an UNKNOWN order.
CHASE_ALERT_TRIES: Final = 10
_ACK: Final = TimerKind.ACK
TRADES_OVERLAP_MS: Final = 60_000  # executions are asked for from a little before the last one booked
# Where that does not explain a difference, from ten times as long before, and so on up to some days: a list may
# have failed for longer than the overlap while the stream went on, with a hole in it.
REACH_FACTOR: Final = 10
REACH_MAX: Final = 4


def submit(state: State, out: Out, approved: Approved, desk: Desk | None = None) -> int:
    """Mint the id, count the order in full, and hand it to the last hop. ``desk``: of the strategy that asked."""
    session = state.live
    now = session.now_mono_ns
    terms = approved.terms
    lane = approved.lane
    books = state.books
    orders = books.orders
    order_id = orders.next_id()
    fact = OrderApproved(
        order_id=order_id,
        strategy=approved.strategy,
        intent_seq=approved.intent_seq,
        lane=lane,
        terms=terms,
        reference_ticks=approved.reference_ticks,
        decision_ticks=approved.decision_ticks,
        approved_mono_ns=now,
        child_of=approved.child_of,
    )
    out.append(fact)
    if desk is None or (would_be := desk.exposure.would_be_e8) < 0:
        orders.approve(fact)
        touch(state, terms.instrument)
    else:  # the screen has counted it already
        orders.count(fact, mine=desk.my_open, everyone=desk.all_open)  # type: ignore[arg-type] # the book's own rows
        account = session.account
        account.open_orders_count += 1
        exposure = desk.exposure
        change = would_be - exposure.gross_e8
        account.gross_e8 += change
        exposure.gross_e8 = would_be
        if exposure.summed:
            exposure.sum_up(change)
    price = terms.price_ticks
    if price is not None:
        resting = state.resting.get(terms.instrument) if desk is None else desk.resting
        if resting is not None:
            resting.send(order_id, terms.side, price)
    if books.limits.glasses and lane is Lane.RISK:
        end_used(state, out, strategy=approved.strategy, instrument=terms.instrument)
    call_id = session.next_call_id  # as ``ask`` does
    session.next_call_id = call_id + 1
    session.calls[call_id] = call = Call(
        call_id=call_id, lane=lane, request=PlaceOrder(order_id=order_id, terms=terms), asked_mono_ns=now
    )
    out.append(call)
    acks = session.acks
    due = now + session.settings.timings.ack_timeout_ms * NS_PER_MS
    if not acks:
        out.append(SetTimer(kind=_ACK, key=0, due_mono_ns=due))
    acks.append((due, order_id))
    return order_id


def ack_due(state: State, out: Out, _: int) -> None:
    """No word on an order for the whole ack timeout: it is UNKNOWN from here on.

    One timer serves all orders: they wait equally long, so the first that was sent is the first to be due.
    """
    session = state.live
    live = state.books.orders.live
    waiting = session.acks
    for number, (due, order_id) in enumerate(waiting):
        row = live.get(order_id)
        if row is None or row.state is not OrderState.SENT:
            continue
        if due > session.now_mono_ns:
            session.acks = waiting[number:]
            out.append(SetTimer(kind=_ACK, key=0, due_mono_ns=due))
            return
        go_silent(state, out, row, why="no word within the ack timeout")
    session.acks = []


def go_silent(state: State, out: Out, row: OrderRow, *, why: str) -> None:
    """The order may be live: it stays counted in full, and is asked after until somebody knows."""
    if is_final(row.state):
        return
    move(state, out, row.order_id, Did.GO_SILENT, why=why)
    chase(state, out, row)


def chase(state: State, out: Out, row: OrderRow, *, wait_ms: int | None = None) -> None:
    """Ask the venue after an order, soon, and again until it is known."""
    timings = state.live.settings.timings
    hunt = _hunt(state, row)
    hunt.fills_only = False
    # A request is refused by the venue itself once its receive window has passed since it was signed, so only
    # a question asked after that can prove that it had no effect. Across a restart the window starts anew.
    signed = max(row.amend_mono_ns, state.live.started_mono_ns)
    if state.books.orders.of_this_life(row.order_id):
        signed = max(signed, row.approved_mono_ns)
    window = timings.receive_window_ms * NS_PER_MS
    hunt.absent_after_mono_ns = max(hunt.absent_after_mono_ns, signed + window + window // 4)
    wait = timings.query_retry_ms if wait_ms is None else wait_ms
    after_ms(state, out, TimerKind.QUERY, wait, key=row.order_id)


def chase_fills(state: State, out: Out, row: OrderRow) -> None:
    """The venue reported executions of an order that did not come yet: look for them by name if they stay away."""
    if row.order_id in state.live.chases and not is_final(row.state):
        return  # asked after for another reason already: the answer looks for its executions too
    _hunt(state, row).fills_only = True
    after_ms(state, out, TimerKind.QUERY, state.live.settings.timings.query_retry_ms, key=row.order_id)


def _hunt(state: State, row: OrderRow) -> Chase:
    chases = state.live.chases
    hunt = chases.get(row.order_id)
    if hunt is None:
        hunt = chases[row.order_id] = Chase(absent_after_mono_ns=0)
    return hunt


def chase_due(state: State, out: Out, order_id: int) -> None:
    """Ask now, unless the order is settled or a question is already out."""
    session = state.live
    row = state.books.orders.live.get(order_id)
    if row is None or (is_final(row.state) and row.settled()):
        session.chases.pop(order_id, None)
        return
    hunt = session.chases.get(order_id)
    if hunt is None or hunt.asking:
        return
    if hunt.fills_only and row.reported_lots <= row.filled_lots:
        del session.chases[order_id]
        return
    hunt.tries += 1
    if hunt.tries == CHASE_ALERT_TRIES:
        alert(
            out,
            Severity.CRITICAL,
            "order.unresolved",
            f"order {order_id} in {row.terms.instrument} is {row.state.value} after {hunt.tries} questions; "
            "its full size stays counted",
        )
    if hunt.fills_only:
        if hunt.tries % CHASE_PACE_MAX == 0:
            reach_further(state, row.terms.instrument)
        fetch_trades(state, out, row.terms.instrument)
        chase_again(state, out, row)
        return
    hunt.asking = True
    ask(
        state,
        out,
        QueryOrder(order_id=order_id, instrument=row.terms.instrument, conditional=row.conditional),
    )


def chase_again(state: State, out: Out, row: OrderRow) -> None:
    """Not known yet: ask again, a little later each time."""
    hunt = _hunt(state, row)
    fills_only = hunt.fills_only
    tries = max(1, min(hunt.tries, CHASE_PACE_MAX))
    chase(state, out, row, wait_ms=state.live.settings.timings.query_retry_ms * tries)
    hunt.fills_only = fills_only


def fetch_trades(state: State, out: Out, instrument: str, *, since_venue_ns: int | None = None) -> None:
    """Ask for the executions that the stream may have lost; one question per instrument at a time.

    After a failure not at once again: whoever needs the list asks again, by its own timer.
    """
    session = state.live
    words = session.words
    if words.trades_asking.get(instrument):
        return
    failures = min(words.trades_failures.get(instrument, 0), TRADES_PACE_MAX)
    if failures:
        pause_ns = failures * session.settings.timings.query_retry_ms * NS_PER_MS
        if session.now_mono_ns - words.trades_asked_mono_ns[instrument] < pause_ns:
            return
    words.trades_asking[instrument] = True
    words.trades_asked_mono_ns[instrument] = session.now_mono_ns
    since = _trades_since(state, instrument) if since_venue_ns is None else since_venue_ns
    ask(state, out, QueryTrades(instrument=instrument, since_venue_ns=since))


def _trades_since(state: State, instrument: str) -> int:
    """From where the list of executions is asked for: never from before what we remember to have booked."""
    ledger = state.books.ledger
    reach = state.live.words.trades_reach.get(instrument, 0)
    widened: int = REACH_FACTOR**reach
    overlap_ns = TRADES_OVERLAP_MS * NS_PER_MS * widened
    since = ledger.last_fill_venue_ns.get(instrument, 0) - overlap_ns
    return max(since, ledger.remembered_since_venue_ns(instrument))


def reach_further(state: State, instrument: str) -> bool:
    """Ask for older executions from now on; False where the list went as far back as it can."""
    reach = state.live.words.trades_reach
    so_far = reach.get(instrument, 0)
    begins = state.books.ledger.remembered_since_venue_ns(instrument)
    if so_far >= REACH_MAX or _trades_since(state, instrument) <= begins:
        return False
    reach[instrument] = so_far + 1
    return True


def absent(state: State, out: Out, row: OrderRow, *, asked_mono_ns: int) -> None:
    """The venue says that it has no such order: proof only when asked late enough, and twice."""
    session = state.live
    hunt = session.chases.get(row.order_id)
    if hunt is None:
        chase(state, out, row)
        return
    if asked_mono_ns >= hunt.absent_after_mono_ns and row.state is OrderState.UNKNOWN:
        hunt.absent_count += 1
        if hunt.absent_count > 1:
            del session.chases[row.order_id]
            # It never reached the book, or it is older than what the venue remembers; fills would have told.
            move(state, out, row.order_id, Did.ABSENT, why="the venue has no such order")
            return
    if row.state is not OrderState.UNKNOWN and not is_final(row.state):
        move(state, out, row.order_id, Did.GO_SILENT, why="the venue has no such order")
    chase_again(state, out, row)


def cancel(state: State, out: Out, row: OrderRow, *, why: str) -> None:
    """Ask for one order's cancellation; idempotent: what is being chased to its end is not asked for again."""
    if is_final(row.state) or (row.cancel_wanted and row.order_id in state.live.chases):
        return
    move(state, out, row.order_id, Did.CANCEL_ASK, why=why)
    send_cancel(state, out, row)


def cancel_again(state: State, out: Out, row: OrderRow) -> None:
    """It rests although its end was asked for."""
    if row.state is OrderState.LIVE:
        move(state, out, row.order_id, Did.CANCEL_ASK, why="it rests although its end was asked for")
    send_cancel(state, out, row)


def send_cancel(state: State, out: Out, row: OrderRow) -> None:
    """The cancel request itself; its silence is chased like an order's."""
    ask(
        state,
        out,
        CancelOrder(
            order_id=row.order_id,
            venue_order_id=row.venue_order_id,
            instrument=row.terms.instrument,
            conditional=row.conditional,
        ),
        lane=Lane.CANCEL,
    )
    chase(state, out, row, wait_ms=state.live.settings.timings.ack_timeout_ms)


def _only_reduces(state: State, row: OrderRow, left: dict[str, int]) -> bool:
    """Whether an order can only reduce, all those before it filled. ``left``: what they leave of each position."""
    if row.terms.reduce_only:
        return True
    instrument = row.terms.instrument
    position = state.books.ledger.position(instrument).position_lots
    if row.terms.side * position >= 0:
        return False
    rest = left.get(instrument, abs(position)) - row.open_lots()
    if rest < 0:
        return False
    left[instrument] = rest
    return True


def cancel_scope(
    state: State,
    out: Out,
    *,
    scope: Scope,
    why: str,
    protective: bool,
    only_increasing: bool = False,
    foreign: bool = False,
) -> int:
    """Cancel the open orders of a scope; returns how many were asked.

    Reduce-only protective (conditional) orders stay unless ``protective``. ``only_increasing`` spares orders
    that reduce. For the whole account or a whole instrument one cancel-all per instrument goes first, then
    each order is asked after by name until it is final. Unless ``foreign``, ours are cancelled one by one where
    somebody else's order stands: the venue's cancel-all would take that one too.
    """
    asked = 0
    shared = {} if foreign else {row.instrument: True for row in state.books.orders.foreign.values()}
    instruments: dict[str, bool] = {}
    left: dict[str, int] = {}
    for row in state.books.orders.rows_in(strategy=scope.strategy, instrument=scope.instrument):
        if is_final(row.state) or (row.conditional and not protective):
            continue
        if only_increasing and _only_reduces(state, row, left):
            continue
        asked += 1
        if scope.strategy or only_increasing or row.terms.instrument in shared:
            cancel(state, out, row, why=why)
        else:
            instruments[row.terms.instrument] = True
            move(state, out, row.order_id, Did.CANCEL_ASK, why=why)
            chase(state, out, row)
    if foreign and not scope.strategy:
        for row_foreign in state.books.orders.foreign.values():
            if not scope.instrument or scope.instrument == row_foreign.instrument:
                instruments[row_foreign.instrument] = True
                asked += 1
    if not scope.strategy and not only_increasing:
        if scope.instrument and scope.instrument not in shared:
            instruments[scope.instrument] = True
        for instrument in sorted(instruments):
            ask(state, out, CancelAll(instrument=instrument), lane=Lane.CANCEL)
            if protective:
                ask(state, out, CancelAll(instrument=instrument, conditional=True), lane=Lane.CANCEL)
    return asked
