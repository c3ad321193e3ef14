"""The checks of flow within a window: how much goes one way, and how far a strategy walks the price.

They are asked where ``[flow.INSTRUMENT]`` is configured; how much goes one way also in the instrument's group, where
any ``[flow_group.GROUP]`` is: then a group that nobody told refuses. An order that is reduce-only, or sent where only
reducing is allowed, is throttled and never blocked for longer than the window: however much was sent, one of a strategy
on a side (of a group: and in that instrument) passes once its last such one is a window ago. Of the walk it is not
asked: it must be able to follow the market. The flatten lane is asked for neither.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.core.gate.desk import Desk, judged_ticks
from holdfast.core.gate.flow import Flow, R
from holdfast.vocab.events import OrderIntent
from holdfast.vocab.orders import Side
from holdfast.vocab.refusals import NoFacts, OverFlow, Refusal, Walked
from holdfast.vocab.units import PPM


def within_the_walk(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """No further, the way it trades, from the middle at the beginning of the strategy's own window than tolerated."""
    flow = desk.flow
    if flow is None or intent.reduce_only or desk.reducing:
        return None
    began2 = flow.began_at(intent.strategy, now_mono_ns=intent.mono_ns)
    if not began2:
        return None
    price = judged_ticks(intent, desk)
    limit = flow.rules.walk_ppm_max
    if intent.side * (2 * price - began2) * PPM > limit * began2:
        return Walked(
            price_ticks=price,
            reference_ticks=began2 >> 1,
            limit_ppm=limit,
            window_ms=flow.rules.window_ms,
        )
    return None


def within_the_flow(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """What all strategies were let through on its side within the window, and this order, is not too much at once."""
    if desk.flow is not None:
        refusal = _over(desk.flow, intent, desk, who=intent.strategy, of="")
        if refusal is not None:
            return refusal
    if not desk.group_flows:
        return None
    group = desk.facts.group
    if not group:
        return None if intent.reduce_only or desk.reducing else NoFacts(what="group")
    flow = desk.group_flows.get(group)
    return None if flow is None else _over(flow, intent, desk, who=_in_its_instrument(intent), of=group)


def _over(flow: Flow[R], intent: OrderIntent, desk: Desk, *, who: str, of: str) -> Refusal | None:
    now = intent.mono_ns
    notional = judged_ticks(intent, desk) * intent.qty_lots * desk.spec.tick_lot_e8
    would_be = flow.used_e8(intent.side, now_mono_ns=now) + notional
    if would_be <= flow.rules.same_side_e8_max:
        return None
    exits = intent.reduce_only or desk.reducing
    if exits and flow.exit_passes(who, intent.side, now_mono_ns=now):
        return None
    return OverFlow(
        would_be_e8=would_be,
        limit_e8=flow.rules.same_side_e8_max,
        window_ms=flow.rules.window_ms,
        of=of,
    )


def _in_its_instrument(intent: OrderIntent) -> str:
    """By whom a group counts exits: a strategy's way out of one instrument does not wait for that out of another."""
    return f"{intent.strategy}/{intent.instrument}"


def count_flow(intent: OrderIntent, desk: Desk, *, less_lots: int = 0) -> None:
    """Count an order that was let through; an amended one by what it grew (``less_lots``: what was open before)."""
    if desk.flow is not None:
        _take(desk.flow, intent, desk, who=intent.strategy, less_lots=less_lots)
    group_flow = desk.group_flows.get(desk.facts.group)
    if group_flow is not None:
        _take(group_flow, intent, desk, who=_in_its_instrument(intent), less_lots=less_lots)


def suppose(intent: OrderIntent, desk: Desk, others: Sequence[tuple[OrderIntent, Desk]]) -> None:
    """Put flows into a desk's copy in which other orders of its strategy count as if let through with this one."""
    group = desk.facts.group
    if desk.flow is not None:
        desk.flow = desk.flow.copied()
        here = [leg for leg in others if leg[0].instrument == intent.instrument]
        _take_together(desk.flow, intent, desk, here, who=intent.strategy)
    if group in desk.group_flows:
        flow = desk.group_flows[group].copied()
        desk.group_flows = {group: flow}
        kin = [leg for leg in others if leg[1].facts.group == group]
        _take_together(flow, intent, desk, kin, who=_in_its_instrument(intent))


def _take_together(
    flow: Flow[R], intent: OrderIntent, desk: Desk, legs: Sequence[tuple[OrderIntent, Desk]], *, who: str
) -> None:
    """All of a side at once: at one time that comes to the same. Exits elsewhere are nobody's business here."""
    for side in Side:
        same = [leg for leg in legs if leg[0].side is side]
        if not same:
            continue
        flow.take(
            who,
            side,
            notional_e8=sum(
                judged_ticks(one, its) * one.qty_lots * its.spec.tick_lot_e8 for one, its in same
            ),
            mid2_ticks=desk.market.mid2_ticks,
            now_mono_ns=intent.mono_ns,
            exits=any(
                one.reduce_only or its.reducing for one, its in same if one.instrument == intent.instrument
            ),
        )


def _take(flow: Flow[R], intent: OrderIntent, desk: Desk, *, who: str, less_lots: int) -> None:
    lots = max(0, intent.qty_lots - less_lots)
    flow.take(
        who,
        intent.side,
        notional_e8=judged_ticks(intent, desk) * lots * desk.spec.tick_lot_e8,
        mid2_ticks=desk.market.mid2_ticks,
        now_mono_ns=intent.mono_ns,
        exits=intent.reduce_only or desk.reducing,
    )
