"""The checks of what the venue's list of instruments does not say: hours, volumes, bands, groups, shares of equity.

An order that is reduce-only gets out in bad times too: of these it is asked only for the venue's own session and
bands, outside of which no venue takes it. The flatten lane is asked for none of them: its word is the venue's.
A limit of 0 was not in force when the journal was written (``vocab.limits``).
"""

from __future__ import annotations

from typing import Final

from holdfast.core.gate.desk import Desk, judged_ticks
from holdfast.core.gate.facts import NO_BAND
from holdfast.vocab.events import OrderIntent
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.orders import OrderType, Side, TimeInForce
from holdfast.vocab.refusals import (
    NoFacts,
    OutsideBands,
    OutsideHours,
    OverDepth,
    OverNet,
    OverShare,
    OverVolume,
    Refusal,
    StaleFacts,
    UnknownEquity,
)
from holdfast.vocab.units import NS_PER_MS, PPM, ceil_div

_BUY: Final = Side.BUY
_REDUCED: Final = HoldLevel.REDUCED
_LIMIT: Final = OrderType.LIMIT
_POST_ONLY: Final = TimeInForce.POST_ONLY


def within_hours(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """The venue's session is open, and so are our own hours. What is reduce-only passes outside of ours."""
    now = intent.wall_ns
    facts = desk.facts
    if now >= facts.session_until_ns:
        return OutsideHours(of="venue", opens_wall_ns=facts.session_opens_ns)
    if now >= desk.window_until_ns and not intent.reduce_only:
        return OutsideHours(of=desk.window_of, opens_wall_ns=desk.window_opens_ns)
    return None


def known_by_fresh_facts(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """The reference file has the instrument, and is no older than its age limit. What is reduce-only needs it not."""
    facts = desk.facts
    if intent.wall_ns < facts.fresh_until_ns or intent.reduce_only:
        return None
    if not facts.told:
        return NoFacts(what="row in the reference file")
    age_ms = (intent.wall_ns - facts.as_of_ns) // NS_PER_MS
    return StaleFacts(age_ms=age_ms, limit_ms=facts.age_ms_max)


def within_volume(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """A small share of the average daily volume; and, where it may take at once, of what the touch shows.

    The depth meant is the size at the best price that it would meet, by the last quote. What is reduce-only passes.
    """
    if intent.reduce_only:
        return None
    limits = desk.instrument_limits
    qty = intent.qty_lots
    share = limits.adv_share_ppm_max
    if share:
        adv = desk.facts.adv_lots
        if adv <= 0:
            return NoFacts(what="average daily volume")
        if qty * PPM > share * adv:
            return OverVolume(qty_lots=qty, adv_lots=adv, limit_ppm=share)
    depth = limits.depth_ppm_max
    if depth:
        shown = _shown_lots(intent, desk)
        if shown is not None and qty * PPM > depth * shown:
            return OverDepth(qty_lots=qty, shown_lots=shown, limit_ppm=depth)
    return None


def _shown_lots(intent: OrderIntent, desk: Desk) -> int | None:
    """The size at the best price that this order would meet; None for one that rests."""
    if intent.tif is _POST_ONLY:
        return None
    price = intent.price_ticks
    quote = desk.market.quote
    if intent.side is _BUY:
        return quote.ask_lots if price is None or price >= quote.ask_ticks else None
    return quote.bid_lots if price is None or price <= quote.bid_ticks else None


def inside_the_bands(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Between limit down and limit up, where the reference file tells them."""
    facts = desk.facts
    price = judged_ticks(intent, desk)
    if facts.band_low_ticks <= price <= facts.band_high_ticks:
        return None
    high = facts.band_high_ticks
    return OutsideBands(
        price_ticks=price, low_ticks=facts.band_low_ticks, high_ticks=0 if high == NO_BAND else high
    )


def notional_at_worst_e8(intent: OrderIntent, desk: Desk) -> tuple[int, int]:
    """(the instrument's notional at worst case with this order; signed, the same on the order's own side alone)."""
    position = desk.all_position.position_lots
    everyone = desk.all_open
    if intent.side is _BUY:
        side = position + everyone.buy_lots + intent.qty_lots
        other = everyone.sell_lots - position
    else:
        side = everyone.sell_lots + intent.qty_lots - position
        other = position + everyone.buy_lots
    market = desk.market
    price = (market.mid2_ticks + 1) >> 1
    if market.mark_ticks > price:
        price = market.mark_ticks
    if market.last_ticks > price:
        price = market.last_ticks
    asked = intent.price_ticks
    if asked is not None and asked > price:
        price = asked
    price *= desk.exposure.unit_e8
    return (other if other > side else side) * price, side * price  # noqa: FURB136 - see ``checks``


def within_shares(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """The instrument's notional at worst case, and its group's, over equity. What reduces adds nothing.

    At REDUCED half the limits hold.
    """
    account = desk.account
    own_max = desk.instrument_limits.equity_share_ppm_max
    group_max = account.limits.group_share_ppm_max
    if intent.reduce_only or not (own_max or group_max):
        return None
    equity = account.equity_e8
    if equity is None or equity <= 0:
        return UnknownEquity(why="no equity yet" if equity is None else "equity is not above zero")
    if desk.level >= _REDUCED:
        own_max >>= 1
        group_max >>= 1
    worst, _ = notional_at_worst_e8(intent, desk)
    if desk.instrument_limits.equity_share_ppm_max and worst * PPM > own_max * equity:
        return OverShare(of=intent.instrument, would_be_ppm=ceil_div(worst * PPM, equity), limit_ppm=own_max)
    if not account.limits.group_share_ppm_max:
        return None
    group = desk.facts.group
    if not group:
        return NoFacts(what="group")
    exposure = desk.exposure
    would_be = exposure.group.gross_e8 - exposure.gross_e8 + worst
    if would_be * PPM > group_max * equity:
        return OverShare(of=group, would_be_ppm=ceil_div(would_be * PPM, equity), limit_ppm=group_max)
    return None


def within_net(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Long less short over the account, were everything open on the order's side to fill. What reduces adds nothing.

    At REDUCED half the limit holds.
    """
    limit = desk.account.limits.net_notional_e8_max
    if not limit or intent.reduce_only:
        return None
    if desk.level >= _REDUCED:
        limit >>= 1
    _, side = notional_at_worst_e8(intent, desk)
    exposure = desk.exposure
    net = exposure.net
    if intent.side is _BUY:
        would_be = net.long_e8 - exposure.long_e8 + side
    else:
        would_be = exposure.short_e8 - net.short_e8 + side
    if would_be > limit:
        return OverNet(would_be_e8=would_be, limit_e8=limit)
    return None
