"""Equity marks in the step: what they push on the risk ladder."""

from __future__ import annotations

from holdfast.core.holds.ladder import Push, Rung
from holdfast.core.monitor.equity import floor_e8, marked
from holdfast.core.state import State
from holdfast.core.step.emit import Out, emit
from holdfast.core.step.ladder import climb
from holdfast.vocab.facts import DayRolled
from holdfast.vocab.holds import ACCOUNT, HoldCause
from holdfast.vocab.units import percent_text


def mark_equity(state: State, out: Out) -> None:
    """Mark equity, and move on the ladder by how far it is below the day's peak; Normal to Breaker in one jump."""
    session = state.live
    equity = state.know_equity()
    if equity is None:
        return
    session.equity_mono_ns = session.now_mono_ns
    books = state.books
    net = equity - books.ledger.transfers_e8
    fact = marked(
        books.drawdown,
        net_equity_e8=net,
        transfers_e8=books.ledger.transfers_e8,
        wall_ns=session.now_wall_ns,
        day_begins_utc_hour=session.settings.day_begins_utc_hour,
    )
    old = books.drawdown
    if old.marked and fact.day != old.day:
        emit(
            state,
            out,
            DayRolled(
                day=fact.day,
                wall_ns=session.now_wall_ns,
                peak_e8=old.peak_e8,
                equity_e8=old.equity_e8,
                breakers_count=books.ladder.breakers_count,
            ),
        )
        session.account.fold_day()
    if not old.marked or (fact.equity_e8, fact.transfers_counted_e8, fact.peak_e8, fact.day) != (
        old.equity_e8,
        old.transfers_counted_e8,
        old.peak_e8,
        old.day,
    ):
        emit(state, out, fact)
    _push(state, out)
    # tripped already: nothing to watch for at every quote
    tripped = books.holds.find(HoldCause.DRAWDOWN_BREAKER, ACCOUNT) is not None
    breaker_ppm = session.settings.account_limits.drawdown_breaker_ppm
    session.breaker_floor_e8 = None if tripped else floor_e8(books.drawdown.peak_e8, breaker_ppm=breaker_ppm)
    # and where nothing is held no quote changes equity: ``emit`` begins to watch at the next execution
    held = any(row.position_lots for row in books.ledger.positions.values())
    session.equity_floor_e8 = session.breaker_floor_e8 if held else None


def _push(state: State, out: Out) -> None:
    limits = state.live.settings.account_limits
    down = state.books.drawdown.drawdown_ppm()
    if down > limits.drawdown_breaker_ppm:
        push, than, threshold = Push.OVER_BREAKER, "over", limits.drawdown_breaker_ppm
    elif down > limits.drawdown_warning_ppm:
        push, than, threshold = Push.OVER_WARNING, "over", limits.drawdown_warning_ppm
    elif down < limits.drawdown_release_ppm:
        push, than, threshold = Push.BELOW_RELEASE, "below", limits.drawdown_release_ppm
    else:
        return
    reason = f"drawdown {percent_text(down)} {than} {percent_text(threshold)} from the day's peak"
    move = climb(state, out, push, by="monitor", reason=reason)
    count, most = state.books.ladder.breakers_count, limits.breakers_per_day_max
    if move is not None and move.to is Rung.BREAKER and count > most:
        climb(
            state,
            out,
            Push.TOO_MANY,
            by="monitor",
            reason=f"breaker {count} of this day; at most {most}",
        )
