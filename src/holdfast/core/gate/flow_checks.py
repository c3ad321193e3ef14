"""The checks of flow within a window: how much goes one way, and how far a strategy walks the price.

They are asked where ``[flow.INSTRUMENT]`` is configured. An order that is reduce-only, or sent where only reducing is
allowed, is throttled and never blocked for longer than the window: however much was sent, one of a strategy on a side
passes once its last such one is a window ago. Of the walk it is not asked: it must be able to follow the market. The
flatten lane is asked for neither.
"""

from __future__ import annotations

from holdfast.core.gate.desk import Desk, judged_ticks
from holdfast.vocab.events import OrderIntent
from holdfast.vocab.refusals import OverFlow, Refusal, Walked
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
    flow = desk.flow
    if flow is None:
        return None
    now = intent.mono_ns
    would_be = flow.used_e8(intent.side, now_mono_ns=now) + notional_e8(intent, desk)
    if would_be <= flow.rules.same_side_e8_max:
        return None
    exits = intent.reduce_only or desk.reducing
    if exits and flow.exit_passes(intent.strategy, intent.side, now_mono_ns=now):
        return None
    return OverFlow(
        would_be_e8=would_be, limit_e8=flow.rules.same_side_e8_max, window_ms=flow.rules.window_ms
    )


def notional_e8(intent: OrderIntent, desk: Desk) -> int:
    """What an order is worth by its own price; by the far touch where it has none."""
    return judged_ticks(intent, desk) * intent.qty_lots * desk.spec.tick_lot_e8


def count_flow(intent: OrderIntent, desk: Desk, *, less_lots: int = 0) -> None:
    """Count an order that was let through; an amended one by what it grew (``less_lots``: what was open before)."""
    flow = desk.flow
    if flow is None:
        return
    lots = max(0, intent.qty_lots - less_lots)
    flow.take(
        intent.strategy,
        intent.side,
        notional_e8=judged_ticks(intent, desk) * lots * desk.spec.tick_lot_e8,
        mid2_ticks=desk.market.mid2_ticks,
        now_mono_ns=intent.mono_ns,
        exits=intent.reduce_only or desk.reducing,
    )
