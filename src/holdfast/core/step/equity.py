"""Equity marks and the drawdown ladder in the step."""

from __future__ import annotations

from holdfast.core.monitor.equity import floor_e8, marked
from holdfast.core.state import State
from holdfast.core.step.emit import Out, emit, place_hold, release_hold
from holdfast.core.step.orders import cancel_scope
from holdfast.vocab.holds import ACCOUNT, HoldCause


def mark_equity(state: State, out: Out) -> None:
    """Mark equity, and hold by how far it is below the day's peak; Normal to Breaker in one jump."""
    session = state.live
    equity = state.equity_e8()
    session.account.equity_e8 = equity
    if equity is None:
        return
    session.equity_mono_ns = session.now_mono_ns
    books = state.books
    net = equity - books.ledger.transfers_e8
    fact = marked(books.drawdown, net_equity_e8=net, wall_ns=session.now_wall_ns)
    old = books.drawdown
    if not old.marked or (fact.equity_e8, fact.peak_e8, fact.day) != (old.equity_e8, old.peak_e8, old.day):
        emit(state, out, fact)
    limits = session.settings.account_limits
    down = books.drawdown.drawdown_ppm()
    warning = books.holds.find(HoldCause.DRAWDOWN_WARNING)
    if down > limits.drawdown_breaker_ppm:
        if books.holds.find(HoldCause.DRAWDOWN_BREAKER) is None:
            place_hold(
                state,
                out,
                HoldCause.DRAWDOWN_BREAKER,
                by="monitor",
                reason=f"drawdown {_percent(down)} over {_percent(limits.drawdown_breaker_ppm)} from the day's peak",
            )
            cancel_scope(state, out, scope=ACCOUNT, why="drawdown breaker", protective=False)
    elif down > limits.drawdown_warning_ppm:
        if warning is None:
            place_hold(
                state,
                out,
                HoldCause.DRAWDOWN_WARNING,
                by="monitor",
                reason=f"drawdown {_percent(down)} over {_percent(limits.drawdown_warning_ppm)} from the day's peak",
            )
    elif warning is not None and down < limits.drawdown_release_ppm:
        release_hold(
            state,
            out,
            warning,
            by="monitor",
            reason=f"drawdown {_percent(down)} below {_percent(limits.drawdown_release_ppm)}",
        )
    # tripped already: nothing to watch for at every quote
    tripped = books.holds.find(HoldCause.DRAWDOWN_BREAKER) is not None
    session.equity_floor_e8 = (
        None if tripped else floor_e8(books.drawdown.peak_e8, breaker_ppm=limits.drawdown_breaker_ppm)
    )


def _percent(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"
