"""The only door. Everything that could reach a venue as an order gets its ``Approved`` here or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from msgspec import Struct

from holdfast.core.gate.basket import Leg, Together
from holdfast.core.gate.checks import RECENT_KEPT_MAX, first_refusal, plainly_permitted
from holdfast.core.gate.desk import Desk
from holdfast.core.gate.flow_checks import count_flow
from holdfast.core.views import ExitPlan, OpenView
from holdfast.vocab.events import AmendIntent, OrderIntent
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import InstrumentLimits
from holdfast.vocab.orders import ChildOf, Lane, OrderTerms, OrderType, Side
from holdfast.vocab.refusals import (
    BadTerms,
    NoReference,
    NotReducing,
    OutsideCollar,
    OverOrderSize,
    OverParent,
    OverPosition,
    Refusal,
)
from holdfast.vocab.units import PPM

_RISK: Final = Lane.RISK  # looked up once: see ``checks``
_REDUCE_ONLY: Final = HoldLevel.REDUCE_ONLY


@final
class Approved(Struct, frozen=True, gc=False):
    """Leave to send exactly these terms. Only this module makes one; a test reads the code to be sure."""

    strategy: str
    intent_seq: int
    lane: Lane
    terms: OrderTerms
    reference_ticks: int
    decision_ticks: int | None
    child_of: ChildOf | None = None


def judge(intent: OrderIntent, desk: Desk) -> Approved | Refusal:
    """Pass or refuse one order of a strategy. The caller has counted it in the rate window already."""
    if not plainly_permitted(intent, desk):
        desk.exposure.would_be_e8 = -1
        refusal = first_refusal(intent, desk)
        if refusal is not None:
            use_up(intent.intent_seq, desk)
            return refusal
        count_flow(intent, desk)
    return _let_through(intent, desk)


def _let_through(intent: OrderIntent, desk: Desk) -> Approved:
    """What follows where nothing refuses: its number and its terms are used up, and it may be sent as it is."""
    desk.last_intent_seq = intent.intent_seq
    if desk.account.duplicate_window_ns:
        _remember(intent, desk)
    return Approved(
        intent.strategy,
        intent.intent_seq,
        _RISK,
        OrderTerms(
            intent.instrument,
            intent.side,
            intent.qty_lots,
            intent.order_type,
            intent.tif,
            intent.price_ticks,
            intent.trigger_ticks,
            # where only reducing is allowed the venue holds us to it too: our position may be behind its own
            intent.reduce_only or desk.reducing,
        ),
        desk.market.mid2_ticks >> 1,
        intent.decision_ticks,
        intent.child_of,
    )


def judge_basket(legs: Sequence[Leg]) -> list[Approved] | tuple[int, Refusal]:
    """Pass all legs of one strategy's basket, or refuse all: then the first that may not, counted from 0, and why.

    That is a leg that may not even by itself; else one that may not with all the others. As for ``judge``, the caller
    has counted each in the rate window already.
    """
    refused = _refused_leg(legs)
    if refused is not None:
        for intent, desk in legs:
            use_up(intent.intent_seq, desk)
        return refused
    approved = []
    for intent, desk in legs:
        count_flow(intent, desk)
        approved.append(_let_through(intent, desk))
    return approved


def _refused_leg(legs: Sequence[Leg]) -> tuple[int, Refusal] | None:
    for number, (intent, desk) in enumerate(legs):
        refusal = first_refusal(intent, desk)
        if refusal is not None:
            return number, refusal
    together = Together(legs)
    for number in range(len(legs)):
        refusal = together.refusal_of(number)
        if refusal is not None:
            return number, refusal
    return None


def use_up(intent_seq: int, desk: Desk) -> None:
    """A refused number is used up as well: its sender was told no, and a copy of it must not pass later."""
    desk.last_intent_seq = max(desk.last_intent_seq, intent_seq)


def _remember(intent: OrderIntent, desk: Desk) -> None:
    recent = desk.recent
    if len(recent) >= RECENT_KEPT_MAX:
        del recent[next(iter(recent))]
    key = (intent.side, intent.price_ticks or 0, intent.qty_lots)
    recent.pop(key, None)
    recent[key] = intent.mono_ns


class _Without:
    """Open orders less the one being amended, so that it is not counted twice."""

    __slots__ = ("buy_lots", "protective_buy_lots", "protective_sell_lots", "sell_lots")

    def __init__(self, view: OpenView, *, side: Side, lots: int) -> None:
        self.buy_lots = view.buy_lots - (lots if side > 0 else 0)
        self.sell_lots = view.sell_lots - (lots if side < 0 else 0)
        self.protective_buy_lots = view.protective_buy_lots  # only limit orders are amended
        self.protective_sell_lots = view.protective_sell_lots


def judge_amend(
    intent: AmendIntent, desk: Desk, *, terms: OrderTerms, open_lots: int, filled_lots: int, parent_id: int
) -> Refusal | None:
    """Pass or refuse an amend by the same checks as a new order of the new size and price.

    While the amend is unanswered the order counts at the larger of its two sizes. Of the duplicate check only
    the number applies: an amend back to an earlier price sends nothing twice. Where only reducing is allowed, an
    order that the venue does not know as reduce-only does not grow.
    """
    wanted = OrderIntent(
        wall_ns=intent.wall_ns,
        mono_ns=intent.mono_ns,
        strategy=intent.strategy,
        intent_seq=intent.intent_seq,
        instrument=intent.instrument,
        side=terms.side,
        qty_lots=max(intent.qty_lots - filled_lots, 0),
        price_ticks=intent.price_ticks,
        order_type=terms.order_type,
        tif=terms.tif,
        reduce_only=terms.reduce_only,
    )
    mine, everyone, recent = desk.my_open, desk.all_open, desk.recent
    desk.my_open = _Without(mine, side=terms.side, lots=open_lots)
    desk.all_open = _Without(everyone, side=terms.side, lots=open_lots)
    desk.recent = {}
    desk.account.open_orders_count -= 1  # it takes the place that it has
    refusal = first_refusal(wanted, desk)
    grows = wanted.qty_lots > open_lots
    if refusal is None and parent_id and grows:
        refusal = _over_parent(desk, parent_id, more_lots=wanted.qty_lots - open_lots)
    if refusal is None and grows and desk.level >= _REDUCE_ONLY and not terms.reduce_only:
        held = desk.all_position.position_lots
        refusal = NotReducing(position_lots=held, reducing_lots=open_lots, qty_lots=wanted.qty_lots)
    desk.my_open, desk.all_open, desk.recent = mine, everyone, recent
    desk.account.open_orders_count += 1
    if refusal is None:
        count_flow(wanted, desk, less_lots=open_lots)
    use_up(intent.intent_seq, desk)
    return refusal


def _over_parent(desk: Desk, parent_id: int, *, more_lots: int) -> Refusal | None:
    parent = desk.parents.known.get(parent_id)
    if parent is None:
        return BadTerms(why="that parent is over: a new one has a larger number")
    would_be = parent.taken_lots + more_lots
    if would_be <= parent.parent_lots:
        return None
    return OverParent(parent_id=parent_id, would_be_lots=would_be, parent_lots=parent.parent_lots)


def judge_exit(
    plan: ExitPlan, *, spec: InstrumentSpec, limits: InstrumentLimits, in_flight_lots: int, strategy: str
) -> Approved | Refusal:
    """The flatten lane's own door: reduce-only, never past zero, clipped, collared, one in flight.

    The collar lies round the best price known: a fresh middle, else the venue's mark, else the last price of any age.
    Where no price is known there is none, and the exit is a market order: getting out without a price beats staying in.
    Works at every hold level; it is not a way round the gate but a second, narrower one in it.
    """
    reducing = -plan.side * plan.held_lots
    if plan.qty_lots <= 0 or reducing < plan.qty_lots:
        return NotReducing(position_lots=plan.held_lots, reducing_lots=0, qty_lots=plan.qty_lots)
    if in_flight_lots:
        return OverPosition(
            of="flatten", would_be_lots=in_flight_lots + plan.qty_lots, limit_lots=plan.qty_lots
        )
    clip = min(limits.flatten_clip_lots, spec.qty_lots_max)
    if plan.qty_lots > clip:
        return OverOrderSize(qty_lots=plan.qty_lots, limit_lots=clip)
    price = plan.price_ticks
    reference = plan.reference_ticks
    if price is not None:
        if reference <= 0:
            return NoReference(what="exit")
        if abs(price - reference) * PPM > limits.flatten_collar_ppm * reference:
            return OutsideCollar(
                price_ticks=price, reference_ticks=reference, limit_ppm=limits.flatten_collar_ppm
            )
    return Approved(
        strategy,
        0,
        Lane.FLATTEN,
        OrderTerms(
            instrument=plan.instrument,
            side=plan.side,
            qty_lots=plan.qty_lots,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            tif=plan.tif,
            price_ticks=price,
            reduce_only=True,
        ),
        reference,
        None,
    )
