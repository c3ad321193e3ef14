"""Asking the venue what is true: at start, continuously, after reconnects, on demand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from holdfast.core.fit import misfits
from holdfast.core.ingest.market import set_offset
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.reconcile.diff import OwnOrder, balance_break, missing_orders, position_breaks
from holdfast.core.state import Session, State
from holdfast.core.step.emit import (
    Out,
    after_ms,
    alert,
    ask,
    emit,
    find_break,
    heal_break,
    place_hold,
    release_hold,
    touch,
)
from holdfast.core.step.equity import mark_equity
from holdfast.core.step.orders import chase, fetch_trades, go_silent, reach_further
from holdfast.core.step.reports import order_report
from holdfast.core.views import FAR_PAST_NS
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import TimerKind
from holdfast.vocab.facts import (
    BooksOpened,
    BreakKind,
    CashBooked,
    CashKind,
    ClockSet,
    ForeignOrderSeen,
    OpeningAgreed,
)
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.orders import Lane, OrderState
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.reports import Balances, CashEntries, Clock, OrderReport, Orders, Positions
from holdfast.vocab.requests import (
    MeasureClock,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryPositions,
    SetLeverage,
)
from holdfast.vocab.units import NS_PER_MS

POSITION_SOURCES_MAX: Final = 4
# A difference must be seen this many times in a row, with nothing of ours moving in between, to be a break:
# the venue's own lists lag its streams by moments.
CONFIRMATIONS: Final = 2
# The names of what is suspected begin so.
FOREIGN_GONE: Final = (
    "foreign_gone/"  # its key in the book: open, somebody else's, and not in the venue's list
)
GONE: Final = "gone/"  # instrument/trade id: a fill that is in our books, and not in the venue's list
RISEN: Final = "risen/"  # order id: final with us, and in the venue's list of open orders
UNLISTED: Final = "unlisted/"  # symbol: orders stand in it, and this bot does not trade it
_MOVED: Final = (BreakKind.POSITION, BreakKind.FILL_GONE)  # either may be a fill that the venue took back
# Fills round the realised part of a closed position by up to this much each; the venue rounds its own way.
ROUNDING_E8_PER_FILL: Final = 2
CASH_OVERLAP_MS: Final = 60_000
# A difference waits this many looks for the lists that may explain it (executions, income), where they fail.
EXPLAIN_TRIES: Final = 10
# Keys of the positions timer: the regular round, and one more question soon.
REGULAR: Final = 0
ASK_POSITIONS: Final = 1
ASK_BALANCES: Final = 2
CONTRACT: Final = "contract"  # the start's step that the shell's look at the venue answers
DERIVED_CASH: Final = ("COMMISSION", "REALIZED_PNL")  # the fills say these already


def begin_start(state: State, out: Out) -> None:
    """Everything that must be heard before arming is possible."""
    session = state.live
    session.ready = False
    steps = {"clock": False, "balances": False, "positions": False, "orders": False}
    for instrument in state.specs:
        steps[f"leverage/{instrument}"] = False
        steps[f"trades/{instrument}"] = False
    session.start_steps = steps
    # A life that ended behind the opening may not have heard the word that agrees with it, whatever it traded since.
    ledger = state.books.ledger
    session.words.opening = ledger.settle_asset in ledger.opening_e8 and not ledger.opening_agreed
    session.words.later_from_order_id = state.books.orders.next_id()
    ask_clock(state, out)


def after_clock(state: State, out: Out) -> None:
    """With the venue's time known, the rest of the start's questions may go out."""
    session = state.live
    ledger = state.books.ledger
    venue_now = session.started_wall_ns + session.offset_ns
    if ledger.books_since_venue_ns == 0:
        emit(state, out, BooksOpened(venue_ns=venue_now))
    for instrument in state.specs:
        if not session.start_steps.get(f"trades/{instrument}", True):
            fetch_trades(state, out, instrument)
        if f"leverage/{instrument}" in session.start_steps:
            ask(
                state,
                out,
                SetLeverage(instrument=instrument, leverage=session.settings.account_limits.leverage_venue),
                lane=Lane.CANCEL,  # it changes the account: not without the lease; but the latch may be tripped
            )
    for row in list(state.books.orders.live.values()):
        # asked after by name at once: a list of open orders that fails must not keep us from knowing their fate
        if row.state is OrderState.SENT and not state.books.orders.of_this_life(row.order_id):
            go_silent(state, out, row, why="sent before a restart")
        elif row.state is OrderState.UNKNOWN and row.order_id not in session.chases:
            chase(state, out, row, wait_ms=0)
    ask_balances(state, out)
    ask_positions(state, out)
    ask_orders(state, out)


def step_done(state: State, out: Out, name: str) -> None:
    """One of the start's questions is answered."""
    session = state.live
    if session.start_steps.pop(name, None) is None or session.start_steps:
        return
    if _fates_open(state):
        session.start_steps["unknown_orders"] = True
        return
    _become_ready(state, out)


def _fates_open(state: State) -> bool:
    """Whether some order is UNKNOWN, or is being asked after: missing from the venue's list, or its fills are."""
    chases = state.live.chases
    return any(
        row.state in (OrderState.UNKNOWN, OrderState.SENT) or row.order_id in chases
        for row in state.books.orders.live.values()
    )


def settle_start(state: State, out: Out) -> None:
    """The fate of the last order of an earlier start may have become known."""
    session = state.live
    if session.start_steps.keys() != {"unknown_orders"} or _fates_open(state):
        return
    session.start_steps = {}
    _become_ready(state, out)


def _become_ready(state: State, out: Out) -> None:
    session = state.live
    session.ready = True
    took_ms = (session.now_mono_ns - session.started_mono_ns) // NS_PER_MS
    alert(out, Severity.INFO, "start.reconciled", f"reconciled with the venue in {took_ms} ms")
    mark_equity(state, out)  # the day's peak counts from here, not from the first timer
    if session.settings.arm_auto:
        arm_if_possible(state, out, by="auto", reason="arm = auto")


def not_armable(state: State) -> str:
    """Why the startup hold cannot be lifted now; empty when it can."""
    session = state.live
    if session.ending:
        return session.ending
    contract = state.books.holds.find(HoldCause.VENUE_CONTRACT)
    if contract is not None:
        return contract.reason
    if session.start_steps:
        return "still waiting for the venue's word on " + ", ".join(sorted(session.start_steps))
    if not session.ready:
        return "not reconciled yet"
    if state.books.breaks:
        return "books and venue differ: " + ", ".join(sorted(state.books.breaks))
    if not session.user_stream_up:
        return "the account's event stream is down"
    name, age_ms = stalest_word(state)
    if age_ms > session.settings.timings.position_age_ms_reduce:
        return f"the venue has not told our {name} for {age_ms // 1000} s"
    return "; ".join(misfits(state.books, session.settings))


def stalest_word(state: State) -> tuple[str, int]:
    """What of our account the venue has not told for longest, and for how many milliseconds."""
    words = state.live.words
    told, name = min(
        (words.positions.mono_ns, "positions"),
        (words.balances.mono_ns, "balances"),
        (words.orders.mono_ns, "open orders"),
    )
    return name, (state.live.now_mono_ns - told) // NS_PER_MS


def arm_if_possible(state: State, out: Out, *, by: str, reason: str, latch_nonce: int = 0) -> str:
    """Lift the startup hold; returns why not, or an empty text."""
    hold = state.books.holds.find(HoldCause.STARTUP)
    if hold is None:
        return ""
    why = not_armable(state)
    if not why:
        state.live.armed = True
        release_hold(state, out, hold, by=by, reason=reason, latch_nonce=latch_nonce)
    return why


def contract_answer(state: State, out: Out, checks: Sequence[Check]) -> None:
    """Hold while the venue does not keep its contract; it is lifted by the look that finds it kept again."""
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    hold = state.books.holds.find(HoldCause.VENUE_CONTRACT)
    for check in checks if hold is None else ():
        if check.verdict is Verdict.WARN:
            alert(out, Severity.WARNING, "venue.contract", _told(check))
    if failed:
        for check in failed if hold is None else ():
            alert(out, Severity.CRITICAL, "venue.contract", _told(check))
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        place_hold(state, out, HoldCause.VENUE_CONTRACT, by="probe", reason=_told(failed[0]) + more)
        return
    if hold is not None:
        release_hold(state, out, hold, by="probe", reason="the venue keeps its contract again")
    step_done(state, out, CONTRACT)


def _told(check: Check) -> str:
    return f"{check.name}: {check.found}" + (f"; {check.advice}" if check.advice else "")


# --- questions ------------------------------------------------------------------------------------------------


def ask_clock(state: State, out: Out) -> None:
    """Measure the venue's clock."""
    ask(state, out, MeasureClock())


def ask_orders(state: State, out: Out) -> None:
    """The venue's list of open orders; one question at a time."""
    word = state.live.words.orders
    if not word.asking:
        word.asking = True
        ask(state, out, QueryOpenOrders())


def ask_positions(state: State, out: Out) -> None:
    """The venue's positions, from the source that last answered; one question at a time."""
    words = state.live.words
    if not words.positions.asking:
        words.positions.asking = True
        ask(state, out, QueryPositions(source=words.source))


def ask_balances(state: State, out: Out) -> None:
    """The venue's wallet balances; one question at a time."""
    word = state.live.words.balances
    if not word.asking:
        word.asking = True
        ask(state, out, QueryBalances())


def ask_cash(state: State, out: Out, *, since_venue_ns: int | None = None) -> None:
    """Funding, transfers and other income since the last entry booked; one question at a time."""
    words = state.live.words
    if words.cash_asking:
        return
    words.cash_asking = True
    ledger = state.books.ledger
    heard = ledger.cash_since_venue_ns
    if words.cash_mono_ns > FAR_PAST_NS:
        # up to there the list was complete: hours of what our own executions added to it need not be read again
        heard = max(heard, venue_ns_at(state, words.cash_mono_ns))
    since = max(ledger.books_since_venue_ns, heard - CASH_OVERLAP_MS * NS_PER_MS)
    ask(state, out, QueryCash(since_venue_ns=since if since_venue_ns is None else since_venue_ns))


def full_round(state: State, out: Out) -> None:
    """Everything once, now; before the venue's clock is known only that."""
    ask_clock(state, out)
    if not state.live.offset_known:
        return
    ask_orders(state, out)
    ask_positions(state, out)
    ask_balances(state, out)
    ask_cash(state, out)
    for instrument in state.specs:
        fetch_trades(state, out, instrument)


def told_since(state: State, out: Out, mono_ns: int) -> bool:
    """Whether the venue has told positions, open orders and every list of executions, all asked for since then.

    What was not, because its question was still out then, is asked for; what failed, at its own pace.
    """
    session = state.live
    words = session.words
    missing = [name for name in state.specs if words.trades_mono_ns.get(name, FAR_PAST_NS) < mono_ns]
    if session.ready:
        for name in missing:
            if words.trades_asked_mono_ns.get(name, FAR_PAST_NS) < mono_ns or name in words.trades_failures:
                fetch_trades(state, out, name)
        if words.positions.mono_ns < mono_ns and not words.positions.failures:
            ask_positions(state, out)
        if words.orders.mono_ns < mono_ns and not words.orders.failures:
            ask_orders(state, out)
    return not missing and min(words.positions.mono_ns, words.orders.mono_ns) >= mono_ns


# --- answers ----------------------------------------------------------------------------------------------------


def clock_answer(state: State, out: Out, clock: Clock) -> None:
    """Take the measured offset; judge lateness by it from now on.

    The clocks have moved apart until a second measure agrees with the first one that said so: then that is how
    they stand, as after a start, and the hold may go.
    """
    session = state.live
    moved_ns_max = session.settings.timings.clock_offset_ms_max * NS_PER_MS
    if not session.offset_known or abs(clock.offset_ns - session.offset_ns) <= moved_ns_max:
        if not session.offset_known or abs(clock.offset_ns - session.offset_base_ns) > moved_ns_max:
            session.offset_base_ns = clock.offset_ns
        session.offset_known = True
    session.offset_ns = clock.offset_ns
    age_ms = session.settings.timings.quote_age_ms_max
    set_offset(session.markets.values(), quote_age_ms_max=age_ms, offset_ns=clock.offset_ns)
    emit(state, out, ClockSet(offset_ns=clock.offset_ns, rtt_ns=clock.rtt_ns))
    if "clock" in session.start_steps:
        after_clock(state, out)
        step_done(state, out, "clock")


def orders_answer(state: State, out: Out, answer: Orders, *, asked_mono_ns: int) -> None:
    """Compare the venue's list with ours: missing orders are asked after, strange ones held."""
    session = state.live
    orders = state.books.orders
    session.words.orders.mono_ns = asked_mono_ns
    seen: dict[str, bool] = {}
    risen: dict[str, bool] = {}
    unlisted = {f"{UNLISTED}{symbol}": symbol for symbol in answer.unlisted}
    _not_in_a_row(session, UNLISTED, unlisted)
    for name, symbol in unlisted.items():
        if name not in session.suspects:  # said once, until they are gone
            session.suspects[name] = 1
            alert(
                out,
                Severity.CRITICAL,
                "order.foreign_unlisted",
                f"orders in {symbol}, which this bot does not trade, stand on its account",
            )
    for report in answer.orders:
        seen[orders.foreign_key(report)] = True
        row = orders.row(report.order_id) if report.order_id is not None else None
        if row is not None and row.changed_mono_ns >= asked_mono_ns:
            continue  # our word on it is newer than this list
        if row is not None and is_final(row.state):
            name = f"{RISEN}{row.order_id}"
            risen[name] = True
            session.suspects[name] = session.suspects.get(name, 0) + 1
            if session.suspects[name] >= CONFIRMATIONS:
                _foreign_again(state, out, report, row.order_id)
            continue
        order_report(state, out, report, fresh=False, asked_mono_ns=asked_mono_ns)
    _not_in_a_row(session, RISEN, risen)
    gone: dict[str, bool] = {}
    for key, foreign in list(orders.foreign.items()):
        if key in seen:
            continue
        name = f"{FOREIGN_GONE}{key}"
        gone[name] = True
        session.suspects[name] = session.suspects.get(name, 0) + 1
        if session.suspects[name] < CONFIRMATIONS:
            continue  # one empty list is not believed: an old one may have come late
        emit(
            state,
            out,
            ForeignOrderSeen(
                venue_order_id=foreign.venue_order_id,
                instrument=foreign.instrument,
                side=foreign.side,
                open_lots=0,
                conditional=foreign.conditional,
            ),
        )
        touch(state, foreign.instrument)
        del session.suspects[name]
    _not_in_a_row(session, FOREIGN_GONE, gone)
    ours = [
        OwnOrder(
            order_id=row.order_id,
            state=row.state,
            changed_mono_ns=row.changed_mono_ns,
            terms=row.terms,
            lane=row.lane,
        )
        for row in orders.live.values()
    ]
    for missing in missing_orders(ours, answer.orders, asked_mono_ns=asked_mono_ns):
        row = orders.live.get(missing.order_id)
        if row is not None and missing.order_id not in session.chases:
            chase(state, out, row, wait_ms=0)
    for row in list(orders.live.values()):
        if row.order_id in session.chases:
            continue
        if row.state is OrderState.UNKNOWN or row.reported_lots > row.filled_lots:
            chase(state, out, row, wait_ms=0)
    step_done(state, out, "orders")


def _not_in_a_row(session: Session, prefix: str, seen: Collection[str]) -> None:
    """Suspects of one kind that this list does not bear out are none any more."""
    for name in [one for one in session.suspects if one.startswith(prefix) and one not in seen]:
        del session.suspects[name]


def _foreign_again(state: State, out: Out, report: OrderReport, order_id: int) -> None:
    lots = report.qty_lots - report.filled_lots
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
    find_break(state, out, BreakKind.ORDER_RISEN, str(order_id), ours=0, theirs=lots)


def positions_answer(state: State, out: Out, answer: Positions, *, asked_mono_ns: int) -> None:
    """Compare the venue's positions with the ledger's."""
    session = state.live
    words = session.words
    words.positions.mono_ns = asked_mono_ns
    words.positions.failures = 0
    words.position_lots = {report.instrument: report.position_lots for report in answer.positions}
    words.mark_ticks = {
        report.instrument: report.mark_ticks for report in answer.positions if report.mark_ticks
    }
    words.cost_e8 = {
        report.instrument: report.cost_e8 for report in answer.positions if report.cost_e8 is not None
    }
    # what no desk trades is no less held for that: an adapter may know more instruments than are configured
    strange = [report.instrument for report in answer.positions if report.instrument not in state.specs]
    words.unlisted = (*answer.unlisted, *strange)
    for symbol in words.unlisted:
        find_break(state, out, BreakKind.UNLISTED_POSITION, symbol, ours=0, theirs=1)
    for name in list(state.books.breaks):
        found = state.books.breaks[name]
        if found.kind is BreakKind.UNLISTED_POSITION and found.key not in words.unlisted:
            heal_break(state, out, found.kind, found.key)
    ledger = state.books.ledger
    ours = {
        instrument: (ledger.position(instrument).position_lots, ledger.position(instrument).changed_mono_ns)
        for instrument in state.specs
    }
    differing = {
        found.key: found for found in position_breaks(ours, answer.positions, asked_mono_ns=asked_mono_ns)
    }
    again = False
    for instrument, (lots, changed) in ours.items():
        name = f"position/{instrument}"
        found_now = differing.get(instrument)
        if found_now is None:
            clear_suspect(state, name)
            if changed < asked_mono_ns:
                if words.opening:
                    words.agreed_mono_ns[instrument] = asked_mono_ns
                if "balance" not in session.suspects:  # else it still looks further back for what moved it
                    words.trades_reach.pop(instrument, None)
                heal_break(state, out, BreakKind.POSITION, instrument)
            elif "positions" in session.start_steps:
                again = True  # a fill came in between: this answer proves nothing
            elif lots != words.position_lots.get(instrument, 0):
                # whoever trades without a pause would never be judged: a fill that was lost is in the list at once
                fetch_trades(state, out, instrument)
            continue
        fetch_trades(state, out, instrument)
        listed = words.trades_mono_ns.get(instrument, FAR_PAST_NS)
        if _needs_another_look(state, name, explained_mono_ns=listed, moved_mono_ns=changed):
            again = True
        elif reach_further(state, instrument):
            session.suspected_mono_ns[name] = session.now_mono_ns  # to be explained by a longer list
            again = True
        else:
            find_break(
                state, out, BreakKind.POSITION, instrument, ours=found_now.ours, theirs=found_now.theirs
            )
    if again:
        _soon(state, out, ASK_POSITIONS)
    else:
        step_done(state, out, "positions")


def clear_suspect(state: State, name: str) -> None:
    """No difference, or none that this answer can show: the next one is the first in a row again."""
    state.live.suspects.pop(name, None)
    state.live.suspected_mono_ns.pop(name, None)


def _needs_another_look(state: State, name: str, *, explained_mono_ns: int, moved_mono_ns: int) -> bool:
    """Count a difference; it is a break once it was seen often enough and the lists that may explain it, asked
    for after it was first seen, do not.

    Where ours has moved since it was seen, both answers may have been asked in the moment between a fill and our
    hearing of it: then it takes many more looks.
    """
    session = state.live
    count = session.suspects[name] = session.suspects.get(name, 0) + 1
    since = session.suspected_mono_ns.setdefault(name, session.now_mono_ns)
    if moved_mono_ns >= since:
        session.suspected_mono_ns[name] = session.now_mono_ns
    elif explained_mono_ns >= since:
        return count < CONFIRMATIONS
    return count < EXPLAIN_TRIES


def venue_ns_at(state: State, mono_ns: int) -> int:
    """The venue's time at a moment of this life."""
    session = state.live
    return session.now_wall_ns + session.offset_ns - (session.now_mono_ns - mono_ns)


def _soon(state: State, out: Out, key: int) -> None:
    """One more question, after a moment in which the lists and the stream can catch up."""
    after_ms(state, out, TimerKind.RECONCILE_POSITIONS, state.live.settings.timings.query_retry_ms, key=key)


def balances_answer(state: State, out: Out, answer: Balances, *, asked_mono_ns: int) -> None:
    """Compare the venue's wallet with ours; the first answer of all opens our books."""
    session = state.live
    words = session.words
    ledger = state.books.ledger
    asset = ledger.settle_asset
    words.balances.mono_ns = asked_mono_ns
    words.balances.failures = 0
    words.wallet_e8 = {report.asset: report.wallet_e8 for report in answer.balances}
    pinned = session.settings.account_uid
    if pinned and answer.account_uid and answer.account_uid != pinned:
        place_hold(
            state,
            out,
            HoldCause.VENUE_AUTH,
            by="reconcile",
            reason=f"the key opens account {answer.account_uid}, the configuration pins {pinned}",
        )
        return  # its balances are somebody else's: nothing of them is booked, and the start stays incomplete
    changed = max((row.changed_mono_ns for row in ledger.positions.values()), default=0)
    if changed >= asked_mono_ns:  # a fill came in between: this answer cannot be judged
        clear_suspect(state, "balance")
        if "balances" in session.start_steps:
            _soon(state, out, ASK_BALANCES)
        return
    if asset not in ledger.opening_e8:
        _open_wallets(state, out, answer, asked_mono_ns=asked_mono_ns)
        words.opening = True
        clear_suspect(state, "balance")
        step_done(state, out, "balances")
        return
    found = balance_break(
        asset=asset,
        ours_e8=ledger.wallet_e8.get(asset, 0),
        listed=answer.balances,
        tolerance_e8=ROUNDING_E8_PER_FILL * (ledger.fills_count + 1),
    )
    if found is None:
        wallet_e8 = ledger.wallet_e8.get(asset, 0)
        # nothing is no word to begin with, however often it is said: what comes behind it may still open the books
        if words.opening and wallet_e8 > 0:
            words.opening = False
            emit(state, out, OpeningAgreed(asset=asset, wallet_e8=wallet_e8))
        words.differs_e8 = 0  # the same difference later is a new one
        clear_suspect(state, "balance")
        heal_break(state, out, BreakKind.BALANCE, asset)
        step_done(state, out, "balances")
        return
    differs_e8 = found.theirs - found.ours
    if words.differs_e8 != differs_e8:
        words.differs_e8, words.differs_mono_ns = differs_e8, session.now_mono_ns
    ask_cash(state, out)
    ask_positions(state, out)
    for instrument in state.specs:
        fetch_trades(state, out, instrument)
    lists = [words.trades_mono_ns.get(instrument, FAR_PAST_NS) for instrument in state.specs]
    listed = min([words.cash_mono_ns, *lists])
    if _needs_another_look(state, "balance", explained_mono_ns=listed, moved_mono_ns=changed):
        _soon(state, out, ASK_BALANCES)
        return
    reached = [
        reach_further(state, instrument) for instrument in state.specs
    ]  # each of them, not up to the first
    if any(reached):
        session.suspected_mono_ns["balance"] = session.now_mono_ns
        _soon(state, out, ASK_BALANCES)
        return
    if words.opening and found.theirs > 0 and not _position_differs(state, words.differs_mono_ns):
        # something happened while the first answer was on its way, or it was not true: no word has agreed with it yet
        alert(
            out,
            Severity.WARNING,
            "books.opened_again",
            f"{asset}: the books say {found.ours}e-8 and the venue {found.theirs}e-8, and no word has agreed yet with "
            "the balance that opened them: it is taken again",
        )
        _open_wallets(state, out, answer, asked_mono_ns=asked_mono_ns)
        clear_suspect(state, "balance")
        _soon(state, out, ASK_BALANCES)
        return
    find_break(state, out, BreakKind.BALANCE, asset, ours=found.ours, theirs=found.theirs)
    step_done(state, out, "balances")


def _position_differs(state: State, since_mono_ns: int) -> bool:
    """Whether a position differs, or may: what moved it may have moved the balance, which is compared again once a
    person has signed for that. Only a position that agreed since the balance differs by so much does not, with its
    executions listed whole and none of ours missing: what was taken back and what came for it may leave it as it was.
    """
    words = state.live.words
    heard = [
        min(words.agreed_mono_ns.get(name, FAR_PAST_NS), words.whole_mono_ns.get(name, FAR_PAST_NS))
        for name in state.specs
    ]
    return (
        min([words.cash_mono_ns, *heard]) < since_mono_ns
        or any(name.startswith(GONE) for name in state.live.suspects)
        or any(found.kind in _MOVED for found in state.books.breaks.values())
    )


def _open_wallets(state: State, out: Out, answer: Balances, *, asked_mono_ns: int) -> None:
    """Take the venue's word as it is. What was booked before lies in it already: the opening is what is left."""
    ledger = state.books.ledger
    words = state.live.words
    words.differs_e8 = 0  # from what was taken nothing differs yet
    words.later_from_order_id = state.books.orders.next_id()
    for report in answer.balances:
        if report.wallet_e8 or report.asset == ledger.settle_asset:
            emit(
                state,
                out,
                CashBooked(
                    cash_id="",
                    kind=CashKind.OPENING,
                    asset=report.asset,
                    amount_e8=report.wallet_e8 - ledger.wallet_e8.get(report.asset, 0),
                    instrument="",
                    venue_ns=venue_ns_at(state, asked_mono_ns),
                ),
            )


def cash_answer(state: State, out: Out, answer: CashEntries) -> None:
    """Book what moved cash other than by trades, once by its id."""
    ledger = state.books.ledger
    for entry in answer.entries:
        if entry.kind in DERIVED_CASH or entry.cash_id in ledger.cash_ids:
            continue
        if entry.venue_ns <= ledger.cash_counted_venue_ns:
            continue
        kind = {"FUNDING_FEE": CashKind.FUNDING, "TRANSFER": CashKind.TRANSFER}.get(
            entry.kind, CashKind.OTHER
        )
        emit(
            state,
            out,
            CashBooked(
                cash_id=entry.cash_id,
                kind=kind,
                asset=entry.asset,
                amount_e8=entry.amount_e8,
                instrument=entry.instrument,
                venue_ns=entry.venue_ns,
            ),
        )
        if kind is CashKind.OTHER:
            alert(
                out,
                Severity.WARNING,
                "cash.other",
                f"{entry.kind} moved {entry.asset} by {entry.amount_e8}e-8",
            )
