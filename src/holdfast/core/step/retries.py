"""Counting answers that did not come, by kind of request, and holding once a budget is spent."""

from __future__ import annotations

from holdfast.core.orders.lifecycle import is_final
from holdfast.core.orders.retries import BUDGETS, kind_of
from holdfast.core.state import Retries, State
from holdfast.core.step.emit import Out, alert, place_hold
from holdfast.vocab.effects import Severity
from holdfast.vocab.holds import Scope
from holdfast.vocab.outcome import Ok, Outcome, Suppressed
from holdfast.vocab.reports import OrderReport, VenueStatus
from holdfast.vocab.requests import CancelOrder, Request

_OPEN = (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)


def count_answer(state: State, out: Out, request: Request, outcome: Outcome, *, why: str) -> None:
    """One answer: a success gives the budget back, a failure draws on it, and what we withheld does neither."""
    kind = kind_of(request)
    budget = BUDGETS[kind]
    if not budget.tries or isinstance(outcome, Suppressed):
        return
    instrument: str = getattr(request, "instrument", "")
    order_id: int = getattr(request, "order_id", None) or 0
    name = f"{kind.value}/{order_id or instrument}"
    retries = state.live.retries
    if isinstance(outcome, Ok) and not _ignored(request, outcome):
        retries.pop(name, None)
        return
    spent = retries.get(name)
    if spent is None:
        spent = retries[name] = Retries(instrument=instrument, order_id=order_id, tries=budget.tries)
    spent.failures += 1
    if spent.failures != budget.tries or budget.hold is None:
        return
    of = f"order {order_id} in {instrument}" if order_id else instrument or "the account"
    reason = f"{kind.value.replace('_', ' ')} of {of} failed {budget.tries} times in a row: {why}"
    alert(out, Severity.CRITICAL, "retries.spent", f"{reason}; asked again {budget.again}")
    place_hold(state, out, budget.hold, scope=Scope(instrument=instrument), by="monitor", reason=reason)


def _ignored(request: Request, outcome: Ok) -> bool:
    """A cancel that the venue answers with the order still open has done nothing."""
    shown = outcome.value
    return type(request) is CancelOrder and isinstance(shown, OrderReport) and shown.status in _OPEN


def spent_in(state: State) -> dict[str, str]:
    """Instruments (or "" for the account) in which some budget is spent, and on what; forgets what has ended."""
    retries = state.live.retries
    found: dict[str, str] = {}
    for name, one in list(retries.items()):
        row = state.books.orders.live.get(one.order_id) if one.order_id else None
        if one.order_id and (row is None or is_final(row.state)):
            del retries[name]
        elif one.failures >= one.tries:
            found[one.instrument] = f"{name.replace('_', ' ')} failed {one.failures} times in a row"
    return found
