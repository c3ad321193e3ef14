"""Intents in the step: sized, judged, and sent or refused."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from holdfast.core.gate.desk import Desk
from holdfast.core.gate.gate import Approved, judge, judge_amend, judge_basket, use_up
from holdfast.core.holds.ladder import Push
from holdfast.core.holds.table import covers
from holdfast.core.orders.book import OrderRow
from holdfast.core.sizing.reduced import reduced_lots
from holdfast.core.sizing.targets import order_towards
from holdfast.core.state import State
from holdfast.core.step.criteria import aim
from holdfast.core.step.emit import Out, ask, emit, place_hold, touch
from holdfast.core.step.flatten import begin_flatten
from holdfast.core.step.glass import end_expired, end_used
from holdfast.core.step.ladder import climb
from holdfast.core.step.orders import cancel, cancel_scope, submit
from holdfast.vocab.events import (
    BASKET_LEGS_MAX,
    AmendIntent,
    BasketIntent,
    CancelIntent,
    Intent,
    OrderIntent,
    TargetIntent,
)
from holdfast.vocab.facts import AmendStep, IntentRefused, OrderAmended, SizeReduced
from holdfast.vocab.holds import ACCOUNT, HoldCause, HoldLevel, Scope
from holdfast.vocab.orders import Lane, OrderState, OrderType
from holdfast.vocab.refusals import BadTerms, NoSuchOwnOrder, NotAllowed, Refusal
from holdfast.vocab.requests import AmendOrder
from holdfast.vocab.units import NS_PER_S, PPM

_REDUCED: Final = HoldLevel.REDUCED
WHOLE_MAX: Final = (1 << 63) - 1


def on_order(state: State, intent: OrderIntent) -> Out:
    """A strategy wants an order."""
    out: Out = []
    session = state.live
    session.now_mono_ns = now = intent.mono_ns
    session.now_wall_ns = intent.wall_ns
    if now - session.account.asked.ask(intent) < NS_PER_S:
        _asked_too_often(state, out, intent)
    if state.books.limits.glasses:
        end_expired(state, out)
    desks = state.desks.get(intent.strategy)
    desk = desks.get(intent.instrument) if desks is not None else None
    if desk is None:
        _refuse(state, out, intent, NotAllowed(strategy=intent.strategy, instrument=intent.instrument))
        return out
    if not desk.plain and desk.level == _REDUCED and not intent.reduce_only:
        intent = _halved(state, out, intent, desk)
    verdict = judge(intent, desk)
    if type(verdict) is Approved:
        submit(state, out, verdict, desk)
    else:
        _refuse(state, out, intent, verdict)
    return out


def on_basket(state: State, basket: BasketIntent) -> Out:
    """A strategy wants several orders together: each is approved in this one step, or none."""
    out: Out = []
    asked = state.live.account.asked
    for leg in basket.legs:
        if leg.mono_ns - asked.ask(leg) < NS_PER_S:
            _asked_too_often(state, out, leg)
    if state.books.limits.glasses:
        end_expired(state, out)
    number, refusal = _misfit(state, basket)
    desks = state.desks.get(basket.strategy, {})
    if refusal is not None:
        for leg in basket.legs:
            if leg.instrument in desks:
                use_up(leg.intent_seq, desks[leg.instrument])
        _refuse_basket(state, out, basket, number, refusal)
        return out
    legs = []
    for leg in basket.legs:
        desk = desks[leg.instrument]
        if desk.level == _REDUCED and not leg.reduce_only:
            legs.append((_halved(state, out, leg, desk), desk))
        else:
            legs.append((leg, desk))
    verdict = judge_basket(legs)
    if isinstance(verdict, tuple):
        _refuse_basket(state, out, basket, *verdict)
    else:
        for approved in verdict:
            submit(state, out, approved)
    return out


def _misfit(state: State, basket: BasketIntent) -> tuple[int, Refusal | None]:
    """(the first leg that cannot even be judged, why): what is no basket, or needs more than one order's glass."""
    if not 0 < len(basket.legs) <= BASKET_LEGS_MAX:
        return 0, BadTerms(why=f"a basket has one to {BASKET_LEGS_MAX} legs")
    desks = state.desks.get(basket.strategy, {})
    used: set[int] = set()
    for number, leg in enumerate(basket.legs):
        theirs = (leg.strategy, leg.wall_ns, leg.mono_ns)
        if theirs != (basket.strategy, basket.wall_ns, basket.mono_ns):
            return number, BadTerms(why="a leg has the times and the strategy of its basket")
        if leg.instrument not in desks:
            return number, NotAllowed(strategy=leg.strategy, instrument=leg.instrument)
        for glass in state.books.limits.glasses.values():
            if glass.once and covers(glass.scope, strategy=leg.strategy, instrument=leg.instrument):
                if glass.glass_id in used:
                    return number, BadTerms(why=f"break-glass {glass.glass_id} is for one order, not for two")
                used.add(glass.glass_id)
    return 0, None


def _refuse_basket(state: State, out: Out, basket: BasketIntent, number: int, why: Refusal) -> None:
    leg = basket.legs[number] if basket.legs else None
    _say_no(
        state,
        out,
        IntentRefused(
            strategy=basket.strategy,
            intent_seq=0 if leg is None else leg.intent_seq,
            instrument="" if leg is None else leg.instrument,
            refusal=_writable(why),
            leg=number + 1,
            legs_count=len(basket.legs),
        ),
    )


def _halved(state: State, out: Out, intent: OrderIntent, desk: Desk) -> OrderIntent:
    """An order at REDUCED: what it adds to its strategy's position is halved."""
    lots = reduced_lots(intent.qty_lots, side=intent.side, position_lots=desk.my_position.position_lots)
    if lots == intent.qty_lots:
        return intent
    return replace(intent, qty_lots=_told_smaller(state, out, intent, lots))


def _told_smaller(state: State, out: Out, intent: OrderIntent | AmendIntent, lots: int) -> int:
    """Have it written down that fewer lots are judged than were wanted; returns how many."""
    emit(
        state,
        out,
        SizeReduced(
            strategy=intent.strategy,
            intent_seq=intent.intent_seq,
            from_lots=intent.qty_lots,
            to_lots=lots,
        ),
    )
    return lots


def _halved_growth(
    state: State, out: Out, intent: AmendIntent, row: OrderRow, *, position_lots: int
) -> AmendIntent:
    """An order that grows at REDUCED grows by what a new order of that size would be halved to."""
    more = intent.qty_lots - row.filled_lots - row.open_lots()
    if more <= 0:
        return intent
    reached = position_lots + row.terms.side * row.open_lots()
    lots = intent.qty_lots - more + reduced_lots(more, side=row.terms.side, position_lots=reached)
    if lots == intent.qty_lots:
        return intent
    return replace(intent, qty_lots=_told_smaller(state, out, intent, lots))


def _count_asked(state: State, out: Out, intent: AmendIntent | TargetIntent) -> None:
    """Every order or amend asked for counts, refused ones too."""
    if intent.mono_ns - state.live.account.asked.ask(intent) < NS_PER_S:
        _asked_too_often(state, out, intent)


def _asked_too_often(state: State, out: Out, intent: OrderIntent | AmendIntent | TargetIntent) -> None:
    """Somebody may be over a threshold: the account is KILLED and exited, a strategy or an instrument halted."""
    account = state.live.account
    instrument = intent.instrument
    counts = account.asked.counted_for(intent)
    limit = account.limits.orders_per_s_kill
    if counts.account > limit:
        reason = f"more than {limit} orders asked for within a second"
        move = climb(state, out, Push.TOO_FAST, by="monitor", reason=reason)
        if move is not None and move.flattens:
            begin_flatten(state, out, scope=ACCOUNT, by="monitor", reason=reason, patient=False)
    desk = state.desks.get(intent.strategy, {}).get(instrument)
    if desk is None:
        return
    limit = desk.limits.orders_per_s_halt
    if counts.strategy > limit:
        _run_away(state, out, Scope(strategy=intent.strategy), f"{limit} orders in {instrument}")
    limit = desk.instrument_limits.orders_per_s_halt
    if counts.instrument > limit:
        _run_away(state, out, Scope(instrument=instrument), f"{limit} orders of all strategies")


def _run_away(state: State, out: Out, scope: Scope, what: str) -> None:
    if state.books.holds.find(HoldCause.RUNAWAY, scope) is not None:
        return
    reason = f"more than {what} asked for within a second"
    place_hold(state, out, HoldCause.RUNAWAY, scope=scope, by="monitor", reason=reason)
    # what a runaway has working must not fill on
    cancel_scope(state, out, scope=scope, why="runaway", protective=False)


def _refuse(state: State, out: Out, intent: Intent, why: Refusal) -> None:
    _say_no(
        state,
        out,
        IntentRefused(
            strategy=intent.strategy,
            intent_seq=intent.intent_seq,
            instrument=intent.instrument,
            refusal=_writable(why),
        ),
    )


def _say_no(state: State, out: Out, fact: IntentRefused) -> None:
    session = state.live
    session.last_refusal = fact.refusal
    session.last_refused = f"{fact.strategy}/{fact.instrument}"
    emit(state, out, fact)


def _writable(why: Refusal) -> Refusal:
    """The refusal with numbers that a journal takes: an absurd price times an absurd size has more bits."""
    large = {
        name: WHOLE_MAX if value > 0 else -WHOLE_MAX
        for name in why.__struct_fields__
        if type(value := getattr(why, name)) is int and not -WHOLE_MAX <= value <= WHOLE_MAX
    }
    return replace(why, **large) if large else why


def on_target(state: State, intent: TargetIntent) -> Out:
    """A strategy wants a position: one order towards it, or nothing where it is there already."""
    desks = state.desks.get(intent.strategy)
    desk = desks.get(intent.instrument) if desks is not None else None
    if desk is None:
        out: Out = []
        _count_asked(state, out, intent)
        _refuse(state, out, intent, NotAllowed(strategy=intent.strategy, instrument=intent.instrument))
        return out
    aimed: Out = []
    limits, quote = desk.instrument_limits, desk.market.quote
    aim(state, aimed, intent)
    order = order_towards(
        intent,
        position_lots=desk.my_position.position_lots,
        open_buy_lots=desk.my_open.buy_lots,
        open_sell_lots=desk.my_open.sell_lots,
        account_lots=desk.all_position.position_lots,
        order_lots_max=min(desk.limits.order_lots_max, desk.instrument_limits.order_lots_max),
        bid_ticks=desk.market.bid_ticks,
        ask_ticks=desk.market.ask_ticks,
        own_bid_ticks=desk.resting.bid_ticks,
        own_ask_ticks=desk.resting.ask_ticks,
        collar_ppm=desk.instrument_limits.collar_ppm >> (desk.level >= _REDUCED),  # as the gate will
        volume_lots_max=desk.facts.adv_lots * limits.adv_share_ppm_max // PPM,
        bid_lots_max=quote.bid_lots * limits.depth_ppm_max // PPM,
        ask_lots_max=quote.ask_lots * limits.depth_ppm_max // PPM,
    )
    return aimed if order is None else aimed + on_order(state, order)


def on_cancel(state: State, intent: CancelIntent) -> Out:
    """A strategy wants its own orders gone. Never refused for a hold: cancelling is always allowed."""
    out: Out = []
    orders = state.books.orders
    if intent.order_id:
        row = orders.row(intent.order_id)
        if row is None or row.strategy != intent.strategy:
            _refuse(state, out, intent, NoSuchOwnOrder(order_id=intent.order_id))
        elif row.state is not OrderState.CANCEL_SENT:
            cancel(state, out, row, why="asked by its strategy")
        return out
    for row in orders.rows_in(strategy=intent.strategy, instrument=intent.instrument):
        if row.state is not OrderState.CANCEL_SENT:
            cancel(state, out, row, why="asked by its strategy")
    return out


def on_amend(state: State, intent: AmendIntent) -> Out:
    """A strategy wants another price or size; judged like a new order, counted at the larger size."""
    out: Out = []
    _count_asked(state, out, intent)
    if state.books.limits.glasses:
        end_expired(state, out)
    desks = state.desks.get(intent.strategy)
    desk = desks.get(intent.instrument) if desks is not None else None
    if desk is None:
        _refuse(state, out, intent, NotAllowed(strategy=intent.strategy, instrument=intent.instrument))
        return out
    row = state.books.orders.live.get(intent.order_id)
    if (
        row is None
        or row.strategy != intent.strategy
        or row.terms.instrument != intent.instrument
        or row.state is not OrderState.LIVE
        or row.amend_qty_lots
        or row.terms.order_type is not OrderType.LIMIT
    ):
        _refuse(state, out, intent, NoSuchOwnOrder(order_id=intent.order_id))
        return out
    if not desk.plain and desk.level == _REDUCED and not row.terms.reduce_only:
        intent = _halved_growth(state, out, intent, row, position_lots=desk.my_position.position_lots)
    refusal = judge_amend(
        intent,
        desk,
        terms=row.terms,
        open_lots=row.open_lots(),
        filled_lots=row.filled_lots,
        parent_id=row.parent_id,
    )
    if refusal is not None:
        _refuse(state, out, intent, refusal)
        return out
    emit(
        state,
        out,
        OrderAmended(
            order_id=row.order_id,
            step=AmendStep.ASKED,
            qty_lots=intent.qty_lots,
            price_ticks=intent.price_ticks,
            why="",
        ),
    )
    touch(state, intent.instrument)
    if state.books.limits.glasses:
        end_used(state, out, strategy=intent.strategy, instrument=intent.instrument)
    ask(
        state,
        out,
        AmendOrder(
            order_id=row.order_id,
            venue_order_id=row.venue_order_id,
            instrument=intent.instrument,
            side=row.terms.side,
            qty_lots=intent.qty_lots,
            price_ticks=intent.price_ticks,
        ),
        lane=Lane.RISK,
    )
    return out
