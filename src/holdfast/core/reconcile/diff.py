"""Ours against the venue's word: pure comparisons that return typed breaks."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from holdfast.vocab.facts import BreakKind
from holdfast.vocab.orders import Lane, OrderState, OrderTerms
from holdfast.vocab.reports import BalanceReport, OrderReport, PositionReport


class Break(Struct, frozen=True, kw_only=True):
    """One difference."""

    kind: BreakKind
    key: str
    ours: int
    theirs: int


class OwnOrder(Struct, frozen=True, kw_only=True):
    """What the comparison needs of one of our unsettled orders."""

    order_id: int
    state: OrderState
    changed_mono_ns: int
    terms: OrderTerms
    lane: Lane


def missing_orders(
    ours: Iterable[OwnOrder], listed: Iterable[OrderReport], *, asked_mono_ns: int
) -> list[OwnOrder]:
    """Orders of ours that should rest at the venue but are not in its list.

    An order that changed after the question was asked is left out: the list may simply be older. One still
    SENT is left to its own timer.
    """
    ids = {report.order_id for report in listed if report.order_id is not None}
    return [
        order
        for order in ours
        if order.state in (OrderState.LIVE, OrderState.CANCEL_SENT)
        and order.changed_mono_ns < asked_mono_ns
        and order.order_id not in ids
    ]


def position_breaks(
    ours: dict[str, tuple[int, int]], listed: Iterable[PositionReport], *, asked_mono_ns: int
) -> list[Break]:
    """Instruments whose position differs. ``ours``: instrument → (lots, when it last changed).

    A position that changed after the question was asked cannot be judged by this answer.
    """
    theirs = {report.instrument: report.position_lots for report in listed}
    return [
        Break(kind=BreakKind.POSITION, key=instrument, ours=lots, theirs=theirs.get(instrument, 0))
        for instrument, (lots, changed_mono_ns) in ours.items()
        if changed_mono_ns < asked_mono_ns and lots != theirs.get(instrument, 0)
    ]


def balance_break(
    *, asset: str, ours_e8: int, listed: Iterable[BalanceReport], tolerance_e8: int
) -> Break | None:
    """Whether the wallet of one asset differs by more than the rounding that fills can leave."""
    theirs = next((report.wallet_e8 for report in listed if report.asset == asset), 0)
    if abs(ours_e8 - theirs) <= tolerance_e8:
        return None
    return Break(kind=BreakKind.BALANCE, key=asset, ours=ours_e8, theirs=theirs)
