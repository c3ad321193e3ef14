"""Getting flat in the step: cancel, read the venue, exit in clips, read again until two reads agree on zero and its
list of open orders, asked for since, has none.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.gate.gate import Approved, judge_exit
from holdfast.core.incident.flatten import FlattenJob, plan_exit, reference_of
from holdfast.core.ledger.ledger import HOUSE
from holdfast.core.orders.book import OrderRow
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.state import Session, State, scope_key
from holdfast.core.step.emit import Out, after_ms, alert, ask, emit
from holdfast.core.step.orders import cancel, cancel_scope, fetch_trades, submit
from holdfast.core.step.reconcile import POSITION_SOURCES_MAX, RISEN, UNLISTED, ask_orders
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import TimerKind
from holdfast.vocab.facts import FlattenBegan, FlattenEnded
from holdfast.vocab.holds import ACCOUNT, Scope
from holdfast.vocab.orders import Lane, OrderState, TimeInForce
from holdfast.vocab.reports import Positions
from holdfast.vocab.requests import QueryPositions
from holdfast.vocab.units import NS_PER_MS

ALERT_EVERY_ATTEMPTS: Final = 10
PATIENT_RETRIES: Final = 8  # how many retry intervals a patient exit rests before it is priced anew


def begin_flatten(state: State, out: Out, *, scope: Scope, by: str, reason: str, patient: bool) -> None:
    """Start (or go on) getting flat in a scope; idempotent, and an impatient order overrules a patient one."""
    session = state.live
    key = scope_key(scope)
    job = session.jobs.get(key)
    if job is not None and (job.patient == patient or not job.patient):
        return
    emit(
        state,
        out,
        FlattenBegan(scope=scope, by=by, reason=reason, patient=patient, mono_ns=session.now_mono_ns),
    )
    if job is not None:
        job.patient = patient
        for order_id in job.exits.values():  # what rests patiently makes way
            row = state.books.orders.row(order_id)
            if row is not None and not row.cancel_wanted:
                cancel(state, out, row, why="exit in a hurry now")
        return
    resume_flatten(state, out, scope=scope, by=by, reason=reason, patient=patient)


def resume_flatten(state: State, out: Out, *, scope: Scope, by: str, reason: str, patient: bool) -> None:
    """Take up an exit that the books say is under way (after a restart too)."""
    session = state.live
    session.jobs[scope_key(scope)] = FlattenJob(
        scope=scope,
        by=by,
        reason=reason,
        patient=patient,
        began_mono_ns=session.now_mono_ns,
        source=session.words.source,
    )
    cancel_scope(state, out, scope=scope, why="flatten", protective=False)
    work(state, out)


def work(state: State, out: Out) -> None:
    """One turn of every running exit; called when something changed and by the flatten timer."""
    session = state.live
    if not session.jobs:
        return
    for key in list(session.jobs):
        _turn(state, out, session.jobs[key])
    if session.jobs:
        after_ms(state, out, TimerKind.FLATTEN, session.settings.timings.flatten_retry_ms)


def _instruments(state: State, job: FlattenJob) -> list[str]:
    return [job.scope.instrument] if job.scope.instrument else list(state.specs)


def _turn(state: State, out: Out, job: FlattenJob) -> None:
    session = state.live
    for instrument, order_id in list(job.exits.items()):
        row = state.books.orders.row(order_id)
        if row is None or row.settled() or _spent(state, row):
            del job.exits[instrument]
            if row is not None and row.filled_lots == 0:
                _rest(state, job)  # nothing came of it: the next one at once would fare no better
        elif job.patient and not row.cancel_wanted and _waited_long(state, job, row.approved_mono_ns):
            cancel(state, out, row, why="exit priced anew")
    if job.exits or job.reading or session.now_mono_ns < job.rest_until_mono_ns:
        return
    if job.word_mono_ns < 0 and not job.blind:
        _read(state, out, job)
        return
    blind, job.blind = job.blind, False  # after this turn the sources are asked again
    wanted = _wanted(state, job, blind=blind)
    job.word_mono_ns = -1  # whatever is done now makes the word old: read again before the next turn
    if wanted:
        job.zero_since_mono_ns = -1
        if not _exit(state, out, job, wanted) or blind:
            _rest(state, job)
        return
    if blind:
        _rest(state, job)
        return  # nothing known to exit by: the timer asks again, and flat is not claimed
    final = _all_final(state, out, job)
    if not _books_agree(state, out, job) or not final:
        job.zero_since_mono_ns = -1
        _rest(state, job)
        return
    if _word_is_old(state, job):
        return  # zero then is not zero now: the process may have been suspended while the answer waited
    gap_ns = session.settings.timings.flatten_read_gap_ms * NS_PER_MS
    first = job.zero_since_mono_ns < 0
    if first:
        job.zero_since_mono_ns = job.read_asked_mono_ns
    listed = _orders_listed(state, job)
    if not listed:
        ask_orders(state, out)
    if first or job.read_asked_mono_ns - job.zero_since_mono_ns < gap_ns:
        job.rest_until_mono_ns = job.zero_since_mono_ns + gap_ns
    elif not listed:
        _rest(state, job)
    else:
        _flat(state, out, job)


def _orders_listed(state: State, job: FlattenJob) -> bool:
    """Whether the venue listed its open orders since zero was first read, and no exit was sent behind that.

    What it refused and kept all the same, only that list has; an exit may be such a one too.
    """
    return state.live.words.orders.mono_ns >= max(job.began_mono_ns, job.zero_since_mono_ns)


def _word_is_old(state: State, job: FlattenJob) -> bool:
    """Whether the last read was asked for longer ago than any answer is waited for: flat is not said by it."""
    age_ns = state.live.now_mono_ns - job.read_asked_mono_ns
    return age_ns > state.live.settings.timings.ack_timeout_ms * NS_PER_MS


def _rest(state: State, job: FlattenJob) -> None:
    """Wait a moment before the next turn: a sick or slow venue is not hammered."""
    wait_ns = state.live.settings.timings.flatten_retry_ms * NS_PER_MS
    job.rest_until_mono_ns = state.live.now_mono_ns + wait_ns


def _waited_long(state: State, job: FlattenJob, approved_mono_ns: int) -> bool:
    timings = state.live.settings.timings
    return state.live.now_mono_ns - approved_mono_ns > PATIENT_RETRIES * timings.flatten_retry_ms * NS_PER_MS


def _read(state: State, out: Out, job: FlattenJob) -> None:
    job.reading = True
    job.read_asked_mono_ns = state.live.now_mono_ns
    ask(state, out, QueryPositions(source=job.source))


def positions_read(state: State, out: Out, answer: Positions, *, asked_mono_ns: int) -> None:
    """The venue's word on positions came, from whichever question: running exits take it."""
    for job in list(state.live.jobs.values()):
        if asked_mono_ns < job.read_asked_mono_ns:
            continue
        job.reading = False
        job.blind = False
        job.failures = 0
        job.word_mono_ns = state.live.now_mono_ns
        job.read_asked_mono_ns = asked_mono_ns
        job.word_lots = {report.instrument: report.position_lots for report in answer.positions}
        job.word_mark_ticks = {report.instrument: report.mark_ticks for report in answer.positions}
        if _wanted(state, job, blind=False):
            _no_zero_yet(job)
    work(state, out)


def _no_zero_yet(job: FlattenJob) -> None:
    """A word that something is held, though it came while the job rested: two that say zero are wanted behind it."""
    job.zero_since_mono_ns = -1


def positions_failed(state: State, out: Out, *, asked_mono_ns: int, why: str) -> None:
    """A source did not answer: the next one is asked; when all failed, exit by the last known size."""
    for job in state.live.jobs.values():
        if not job.reading or asked_mono_ns < job.read_asked_mono_ns:
            continue
        job.reading = False
        job.failures += 1
        job.source = (job.source + 1) % POSITION_SOURCES_MAX
        if job.failures % POSITION_SOURCES_MAX == 0:
            job.blind = True
            alert(
                out,
                Severity.CRITICAL,
                "flatten.blind",
                f"no source of positions answers ({why}): reduce-only attempts from the last known size; "
                "flat cannot be claimed",
            )
    work(state, out)


def _wanted(state: State, job: FlattenJob, *, blind: bool) -> dict[str, tuple[int, int]]:
    """What each instrument still holds, and how much of it this exit may close."""
    ledger = state.books.ledger
    wanted: dict[str, tuple[int, int]] = {}
    for instrument in _instruments(state, job):
        held = ledger.position(instrument).position_lots if blind else job.word_lots.get(instrument, 0)
        if held == 0:
            continue
        may = abs(held)
        if job.scope.strategy:
            mine = ledger.position_of(job.scope.strategy, instrument).position_lots
            if mine * held <= 0:
                continue
            may = min(may, abs(mine))
        wanted[instrument] = (held, may)
    return wanted


def _exit(state: State, out: Out, job: FlattenJob, wanted: dict[str, tuple[int, int]]) -> bool:
    session = state.live
    sent = False
    for instrument, (held, may) in wanted.items():
        in_flight_lots = _in_flight(state, instrument)
        if in_flight_lots:
            continue  # one in flight, whoever sent it
        if job.scope.strategy and not _takes_its_own(state, out, job.scope.strategy, instrument, held=held):
            continue
        market = session.markets[instrument]
        limits = state.instrument_limits[instrument]
        plan = plan_exit(
            spec=state.specs[instrument],
            limits=limits,
            market=market,
            held_lots=held,
            wanted_lots=may,
            reference_ticks=reference_of(
                market,
                now_mono_ns=session.now_mono_ns,
                fresh_ns_max=session.account.quote_age_ns_max,
                word_mark_ticks=job.word_mark_ticks.get(instrument, 0)
                or session.words.mark_ticks.get(instrument, 0),
            ),
            patient=job.patient,
        )
        verdict = judge_exit(
            plan,
            spec=state.specs[instrument],
            limits=limits,
            in_flight_lots=in_flight_lots,
            strategy=job.scope.strategy or HOUSE,
        )
        if isinstance(verdict, Approved):
            job.attempts += 1
            job.exits[instrument] = submit(state, out, verdict)
            sent = True
            if job.attempts % ALERT_EVERY_ATTEMPTS == 0:
                alert(
                    out,
                    Severity.CRITICAL,
                    "flatten.slow",
                    f"{job.attempts} exit orders so far; {instrument} still holds {held} lots",
                )
        else:
            alert(out, Severity.WARNING, "flatten.refused", f"{instrument}: {verdict!r}")
    return sent


def _takes_its_own(state: State, out: Out, strategy: str, instrument: str, *, held: int) -> bool:
    """Whether an exit now takes nothing but what the strategy holds.

    Reduce-only is about the account: where others hold the same way, an exit that is one too many would take theirs.
    There the strategy's own orders, stops and exits of unknown fate too, end first, and the books agree with the venue.
    """
    ledger = state.books.ledger
    total = ledger.position(instrument).position_lots
    mine = ledger.position_of(strategy, instrument).position_lots
    if (total - mine) * mine <= 0:
        return True
    open_rows = _unsettled(state, strategy=strategy, instrument=instrument)
    _end(state, out, open_rows, why="flatten: it would take what others hold")
    if total != held:
        fetch_trades(state, out, instrument)
    return not open_rows and total == held


def _in_flight(state: State, instrument: str) -> int:
    """Exit orders of any job still open in the instrument: one in flight, whoever sent it."""
    return sum(
        row.open_lots()
        for row in state.books.orders.live.values()
        if row.lane is Lane.FLATTEN and row.terms.instrument == instrument and not _spent(state, row)
    )


def _spent(state: State, row: OrderRow) -> bool:
    """Whether an exit that nobody tells us about has had its chance: the venue takes it no more, and rests it never.

    What it did is in the position that is read next. The way out must not hang on the one question that fails;
    flat is not said before the order's fate is known.
    """
    if row.state is not OrderState.UNKNOWN or row.terms.tif is not TimeInForce.IOC:
        return False
    window_ns = state.live.settings.timings.receive_window_ms * NS_PER_MS
    signed = state.live.started_mono_ns
    if state.books.orders.of_this_life(row.order_id):
        signed = row.approved_mono_ns
    return state.live.now_mono_ns > signed + window_ns + window_ns // 4


def _all_final(state: State, out: Out, job: FlattenJob) -> bool:
    """No order in scope may still fill; what rests is asked to go, UNKNOWN ones are waited for."""
    open_rows = _unsettled(state, strategy=job.scope.strategy, instrument=job.scope.instrument)
    # protective orders go last, once zero has been read
    _end(state, out, open_rows, why="flatten: nothing left to protect")
    foreign = [
        row
        for row in state.books.orders.foreign.values()
        if not job.scope.strategy and (not job.scope.instrument or job.scope.instrument == row.instrument)
    ]
    now = state.live.now_mono_ns
    patience_ns = state.live.settings.timings.ack_timeout_ms * NS_PER_MS
    asked = job.cancel_asked_mono_ns
    if foreign and (asked < 0 or now - asked >= patience_ns):
        job.cancel_asked_mono_ns = now
        cancel_scope(state, out, scope=job.scope, why="flatten", protective=True, foreign=True)
    return not open_rows and not foreign and not _risen(state, out, job)


def _unsettled(state: State, *, strategy: str, instrument: str) -> list[OrderRow]:
    """Orders in a scope that may still fill, or have fills that are not booked yet."""
    rows = state.books.orders.rows_in(strategy=strategy, instrument=instrument)
    return [row for row in rows if not row.settled()]


def _end(state: State, out: Out, rows: list[OrderRow], *, why: str) -> None:
    """Cancel what may rest, once each; ask after the executions of what is final."""
    for row in rows:
        if is_final(row.state):
            fetch_trades(state, out, row.terms.instrument)
        elif row.state is not OrderState.CANCEL_SENT and not row.cancel_wanted:
            cancel(state, out, row, why=why)


def _risen(state: State, out: Out, job: FlattenJob) -> bool:
    """Whether the venue's last list has an order in scope that is final with us: only another list tells."""
    scope = job.scope
    for name in state.live.suspects:
        if name.startswith(RISEN):
            row = state.books.orders.row(int(name.removeprefix(RISEN)))
            if (
                row is not None
                and scope.strategy in ("", row.strategy)
                and scope.instrument in ("", row.terms.instrument)
            ):
                ask_orders(state, out)
                return True
    return False


def _books_agree(state: State, out: Out, job: FlattenJob) -> bool:
    """No unapplied fill: the ledger says what the venue says, which is zero but for what is other strategies'."""
    ledger = state.books.ledger
    agree = True
    for instrument in _instruments(state, job):
        if job.scope.strategy and not ledger.position_of(job.scope.strategy, instrument).position_lots:
            continue
        if ledger.position(instrument).position_lots != job.word_lots.get(instrument, 0):
            fetch_trades(state, out, instrument)
            agree = False
    return agree


def _offset(state: State, job: FlattenJob) -> list[str]:
    """What the strategy still holds because others hold the opposite: the account has nothing there to close."""
    if not job.scope.strategy:
        return []
    ledger = state.books.ledger
    found = []
    for instrument in _instruments(state, job):
        mine = ledger.position_of(job.scope.strategy, instrument).position_lots
        if not mine:
            continue
        against = [
            f"{who} {lots:+d}"
            for who in sorted(ledger.attributed)
            if (lots := ledger.position_of(who, instrument).position_lots) * mine < 0
        ]
        found.append(f"{mine:+d} lots of {instrument}, offset by {', '.join(against) or 'no strategy'}")
    return found


def _resting_elsewhere(session: Session) -> tuple[str, ...]:
    """Symbols of orders in the venue's last list that this bot does not trade."""
    return tuple(name.removeprefix(UNLISTED) for name in session.suspects if name.startswith(UNLISTED))


def _flat(state: State, out: Out, job: FlattenJob) -> None:
    session = state.live
    del session.jobs[scope_key(job.scope)]
    took_ms = (session.now_mono_ns - job.began_mono_ns) // NS_PER_MS
    offset = _offset(state, job)
    reads = "two venue reads leave it nothing to close" if offset else "two venue reads agree on zero"
    why = f"{reads}, every order final, {job.attempts} exit orders, {took_ms} ms"
    unlisted, resting = (
        (session.words.unlisted, _resting_elsewhere(session)) if job.scope == ACCOUNT else ((), ())
    )
    if unlisted:
        why += f"; but this bot cannot trade out of {', '.join(unlisted)}, held on its account"
    if resting:
        why += f"; but this bot cannot cancel the orders in {', '.join(resting)} on its account"
    if offset:
        why += (
            f"; but {job.scope.strategy} still holds {'; '.join(offset)}: flatten those too, or the account"
        )
    flat = not unlisted and not resting and not offset
    emit(state, out, FlattenEnded(scope=job.scope, flat=flat, why=why, mono_ns=session.now_mono_ns))
    if unlisted or resting:
        alert(out, Severity.CRITICAL, "flatten.unlisted", f"not flat: {why}")
    elif offset:
        alert(out, Severity.CRITICAL, "flatten.offset", f"not flat: {why}")
    else:
        alert(out, Severity.WARNING, "flatten.flat", f"flat: {why}")
