"""Getting flat: what to send next, and when flat may be said.

Reads the venue, not our belief. One exit order in flight per instrument. Flat is said only after every order
in scope is final, two venue reads at least a gap apart agree on zero, and no fill is unapplied. When no
source of positions answers, reduce-only attempts go on from the last known size and flat is never claimed.
"""

from __future__ import annotations

from msgspec import Struct

from holdfast.core.views import ExitPlan, MarketView
from holdfast.vocab.holds import Scope
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import InstrumentLimits
from holdfast.vocab.orders import Side, TimeInForce
from holdfast.vocab.units import PPM


class FlattenJob(Struct, kw_only=True):
    """One running exit."""

    scope: Scope
    by: str
    reason: str
    patient: bool
    began_mono_ns: int
    source: int = 0
    reading: bool = False
    read_asked_mono_ns: int = 0
    word_mono_ns: int = -1  # when the last venue word on positions came; -1 never
    word_lots: dict[str, int] = {}
    word_mark_ticks: dict[str, int] = {}
    zero_since_mono_ns: int = -1  # when the first of the agreeing zero reads was asked for
    blind: bool = False  # every source failed in the last round
    failures: int = 0
    attempts: int = 0
    exits: dict[str, int] = {}  # instrument -> our exit order in flight
    cancel_asked_mono_ns: int = -1
    rest_until_mono_ns: int = -1  # after a round in which no source answered: do not hammer a sick venue


def reference_of(market: MarketView, *, now_mono_ns: int, fresh_ns_max: int, word_mark_ticks: int) -> int:
    """The best price known to bound an exit by: fresh mid, the venue's own mark, else the last known of any age."""
    fresh = market.bid_ticks > 0 and now_mono_ns - market.quote_mono_ns <= fresh_ns_max
    if fresh:
        return (market.bid_ticks + market.ask_ticks) >> 1
    if word_mark_ticks > 0:
        return word_mark_ticks
    if market.mark_ticks > 0:
        return market.mark_ticks
    if market.bid_ticks > 0:
        return (market.bid_ticks + market.ask_ticks) >> 1
    return market.last_ticks


def plan_exit(
    *,
    spec: InstrumentSpec,
    limits: InstrumentLimits,
    market: MarketView,
    held_lots: int,
    wanted_lots: int,
    reference_ticks: int,
    patient: bool,
) -> ExitPlan:
    """One clip towards zero, bounded by the flatten collar round the reference.

    Patient: rests at the near touch. Otherwise immediate-or-cancel at the edge of the collar.
    ``wanted_lots``: how much of the position this exit may close, > 0.
    """
    side = Side.SELL if held_lots > 0 else Side.BUY
    qty = min(wanted_lots, limits.flatten_clip_lots, spec.qty_lots_max, abs(held_lots))
    if reference_ticks <= 0:
        return ExitPlan(
            instrument=spec.instrument,
            side=side,
            qty_lots=min(qty, spec.market_lots_max),
            price_ticks=None,
            tif=TimeInForce.IOC,
            held_lots=held_lots,
            reference_ticks=0,
        )
    if patient and market.bid_ticks > 0:
        price = market.ask_ticks if side < 0 else market.bid_ticks
        tif = TimeInForce.GTC
        if abs(price - reference_ticks) * PPM > limits.flatten_collar_ppm * reference_ticks:
            price = reference_ticks
    else:
        price = max(1, reference_ticks + side * (reference_ticks * limits.flatten_collar_ppm // PPM))
        tif = TimeInForce.IOC
    return ExitPlan(
        instrument=spec.instrument,
        side=side,
        qty_lots=qty,
        price_ticks=price,
        tif=tif,
        held_lots=held_lots,
        reference_ticks=reference_ticks,
    )
