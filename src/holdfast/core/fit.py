"""Whether the books and a configuration go together: asked before a start, and again before arming.

A position or an open order in an instrument that is not configured any more could be neither counted nor closed;
one whose tick or lot changed would be counted wrong. Neither is a matter of a hold: such a start is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal

from holdfast.core.state import Books
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import Settings


def grid_of(spec: InstrumentSpec) -> str:
    """What ticks and lots of an instrument are counted in."""
    return f"tick {spec.tick}, lot {spec.lot}, worth {spec.tick_lot_e8}e-8"


def _numbers(grid: str) -> list[Decimal]:
    """What such a text says: a venue may write 0.1 where it wrote 0.10."""
    return [Decimal(number) for number in re.findall(r"\d+(?:\.\d+)?", grid)]


def elsewhere(books: Books, *, environment: str, account_number: str = "") -> str:
    """Why these books are of another place or another's money; empty where they are not, or where nobody told."""
    if books.environment and environment and books.environment != environment:
        return (
            f"the books in the state directory are of {books.environment}, the configuration is of {environment}: "
            "name another paths.state_dir, or the configuration they belong to"
        )
    if books.account_number and account_number and books.account_number != account_number:
        return (
            f"the books in the state directory are of the venue's account {books.account_number}, the key opens "
            f"{account_number}: name another paths.state_dir, or the key they belong to"
        )
    return ""


def misfits(books: Books, settings: Settings) -> tuple[str, ...]:
    """What the books hold that these settings cannot express, one line each; empty where they fit."""
    ledger = books.ledger
    if why := elsewhere(books, environment=settings.environment):
        return (why,)
    if books.account and books.account != settings.account:
        return (f"the books are of account {books.account!r}, the configuration is of {settings.account!r}",)
    if ledger.settle_asset and ledger.settle_asset != settings.settle_asset:
        return (
            f"the books are kept in {ledger.settle_asset}, the configuration settles in {settings.settle_asset}",
        )
    held = {name: f"{row.position_lots} lots" for name, row in ledger.positions.items() if row.position_lots}
    for order in books.orders.live.values():
        held.setdefault(order.terms.instrument, "open orders")
    limited = {limits.instrument for limits in settings.instrument_limits}
    grids = {spec.instrument: grid_of(spec) for spec in settings.instruments if spec.instrument in limited}
    found = []
    for instrument, what in sorted(held.items()):
        grid, known = grids.get(instrument), ledger.grids.get(instrument)
        if grid is None:
            found.append(
                f"the books hold {what} in {instrument}, which is not configured: name it, or close it first"
            )
        elif known is not None and _numbers(known) != _numbers(grid):
            found.append(f"the books hold {what} in {instrument} at {known}; the venue counts by {grid} now")
    return tuple(found)
