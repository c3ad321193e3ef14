"""The churn guard in the step: a strategy that goes round and round is held until a person lets it go on."""

from __future__ import annotations

from holdfast.core.state import State
from holdfast.core.step.emit import Out, place_hold
from holdfast.core.step.orders import cancel_scope
from holdfast.vocab.facts import FillBooked
from holdfast.vocab.governed import wait_text
from holdfast.vocab.holds import HoldCause, Scope
from holdfast.vocab.limits import StrategyLimits
from holdfast.vocab.units import e8_text


def churn_window_ms(state: State, strategy: str, instrument: str) -> int:
    """The window in force for a strategy's fills there; 0 where it has no limits any more, and no order passes."""
    desk = state.desks.get(strategy, {}).get(instrument)
    return 0 if desk is None else desk.limits.churn_window_ms


def watch_churn(state: State, out: Out, fill: FillBooked) -> None:
    """After a fill was booked: hold its strategy, everywhere, where a window holds more than it may.

    A limit itself passes. What reduces only and waits for its trigger stays, for the position is kept.
    """
    if not fill.churn_window_ms:
        return
    scope = Scope(strategy=fill.strategy)
    if state.books.holds.find(HoldCause.CHURN, scope) is not None:
        return
    reason = _too_much(state, fill, state.desks[fill.strategy][fill.instrument].limits)
    if not reason:
        return
    place_hold(state, out, HoldCause.CHURN, scope=scope, by="monitor", reason=reason)
    cancel_scope(state, out, scope=scope, why="churn", protective=False)


def _too_much(state: State, fill: FillBooked, limits: StrategyLimits) -> str:
    churn = state.books.churn[fill.strategy][fill.instrument]
    count, cost_e8 = len(churn.round_trips_venue_ns), churn.cost_e8
    within = f"in {fill.instrument} within {wait_text(limits.churn_window_ms)}"
    if count > limits.churn_round_trips_max:
        return f"{count} round trips {within}; at most {limits.churn_round_trips_max}"
    if cost_e8 > limits.churn_cost_e8_max:
        asset = state.books.ledger.settle_asset
        return f"going round cost {e8_text(cost_e8)} {asset} {within}; at most {e8_text(limits.churn_cost_e8_max)}"
    return ""
