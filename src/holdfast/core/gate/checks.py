"""The checks of the gate: small pure functions, each with a typed refusal that carries its numbers.

The order of ``RISK_CHECKS`` is the order they are asked in, and is part of the interface: the first that
refuses names the reason. A missing number refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from holdfast.core.gate.desk import Desk, judged_ticks
from holdfast.core.gate.flow_checks import within_the_flow, within_the_walk
from holdfast.core.gate.reference_checks import (
    inside_the_bands,
    known_by_fresh_facts,
    notional_at_worst_e8,
    within_hours,
    within_net,
    within_shares,
    within_volume,
)
from holdfast.core.views import FAR_PAST_NS, MARK_AGE_NS_MAX
from holdfast.vocab.events import OrderIntent
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.orders import OrderType, Side, TimeInForce
from holdfast.vocab.refusals import (
    BadTerms,
    DuplicateIntent,
    Held,
    NoReference,
    NotReducing,
    NotTrading,
    OutsideCollar,
    OverDay,
    OverGross,
    OverOrderNotional,
    OverOrderSize,
    OverParent,
    OverPosition,
    OverRate,
    QtyOutOfRange,
    Refusal,
    SelfMatch,
    Slipped,
    StaleReference,
    TooManyOrders,
    UnderNotional,
    UnknownEquity,
)
from holdfast.vocab.units import NS_PER_MS, NS_PER_S, PPM, ceil_div

Check: TypeAlias = Callable[[OrderIntent, Desk], Refusal | None]

# A member looked up on its Enum costs 100 ns under Python 3.11, and min() or max() 120: neither is used per order.
_BUY: Final = Side.BUY
_HALTED: Final = HoldLevel.HALTED
_REDUCE_ONLY: Final = HoldLevel.REDUCE_ONLY
_REDUCED: Final = HoldLevel.REDUCED
_LIMIT: Final = OrderType.LIMIT
_MARKET: Final = OrderType.MARKET
_POST_ONLY: Final = TimeInForce.POST_ONLY
_GTC: Final = TimeInForce.GTC
_TRADING: Final = InstrumentStatus.TRADING
RECENT_KEPT_MAX: Final = 64


def not_held(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """No hold in scope forbids it. At REDUCE_ONLY it must reduce; that is ``reduces``."""
    if desk.level < _HALTED:
        return None
    hold = desk.hold
    if hold is None:
        return Held(level=desk.level, cause=HoldCause.STARTUP, hold_id=0)
    return Held(level=hold.level, cause=hold.cause, hold_id=hold.hold_id)


def makes_sense(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Type, price, trigger and time in force belong together; the venue trades the instrument."""
    if desk.spec.status is not _TRADING:
        return NotTrading(status=desk.spec.status.value)
    price = intent.price_ticks
    if intent.order_type is _LIMIT:
        if price is None or price <= 0:
            return BadTerms(why="a limit order needs a price above zero")
        if intent.trigger_ticks is not None:
            return BadTerms(why="only a conditional order carries a trigger")
        return None
    if price is not None:
        return BadTerms(why="only a limit order carries a price")
    if intent.order_type is _MARKET:
        if intent.trigger_ticks is not None:
            return BadTerms(why="only a conditional order carries a trigger")
        if intent.tif is _POST_ONLY:
            return BadTerms(why="a market order cannot be post-only")
        return None
    if intent.trigger_ticks is None or intent.trigger_ticks <= 0:
        return BadTerms(why="a conditional order needs a trigger above zero")
    if not intent.reduce_only:
        return BadTerms(why="a conditional order must be reduce-only")
    if intent.tif is not _GTC:
        return BadTerms(why="a conditional order rests until cancelled")
    return None


def fits_the_venue(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Within the venue's sizes; a size is above zero."""
    qty = intent.qty_lots
    spec = desk.spec
    largest = spec.market_lots_max if intent.price_ticks is None else spec.qty_lots_max
    if qty < spec.qty_lots_min or qty > largest or qty <= 0:
        return QtyOutOfRange(qty_lots=qty, min_lots=spec.qty_lots_min, max_lots=largest)
    return None


def priced_from_fresh_data(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """An accepted quote is known, no older than the limit. Crossed and absurd ones are refused when they come."""
    market = desk.market
    if market.mid2_ticks <= 0:
        return NoReference(what="quote")
    account = desk.account
    age_ns = intent.mono_ns - market.quote.mono_ns
    if age_ns > account.quote_age_ns_max:
        return StaleReference(age_ms=age_ns // NS_PER_MS, limit_ms=account.quote_age_ns_max // NS_PER_MS)
    return None


def not_a_duplicate(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """A new intent number, and not the same order again within the window."""
    if intent.intent_seq <= desk.last_intent_seq:
        return DuplicateIntent(intent_seq=intent.intent_seq)
    window_ns = desk.account.duplicate_window_ns
    if window_ns:
        last = desk.recent.get((intent.side, intent.price_ticks or 0, intent.qty_lots))
        if last is not None and intent.mono_ns - last < window_ns:
            return DuplicateIntent(intent_seq=intent.intent_seq)
    return None


def within_order_limits(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Size and money of one order."""
    qty = intent.qty_lots
    limits = desk.instrument_limits
    limit = desk.limits.order_lots_max
    if limits.order_lots_max < limit:
        limit = limits.order_lots_max
    if qty > limit:
        return OverOrderSize(qty_lots=qty, limit_lots=limit)
    spec = desk.spec
    notional = judged_ticks(intent, desk) * qty * spec.tick_lot_e8
    if notional > limits.order_notional_e8_max:
        return OverOrderNotional(notional_e8=notional, limit_e8=limits.order_notional_e8_max)
    if notional < spec.notional_e8_min and not intent.reduce_only:
        return UnderNotional(notional_e8=notional, min_e8=spec.notional_e8_min)
    return None


def inside_the_collar(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Near the mid; near the mark too where a fresh one is known. Half as wide from REDUCED on."""
    market = desk.market
    price = judged_ticks(intent, desk)
    limit = desk.instrument_limits.collar_ppm
    if desk.level >= _REDUCED:
        limit >>= 1
    mid2 = market.mid2_ticks
    if abs(2 * price - mid2) * PPM > limit * mid2:
        return OutsideCollar(price_ticks=price, reference_ticks=mid2 >> 1, limit_ppm=limit)
    mark = market.mark_ticks
    if (
        mark
        and abs(price - mark) * PPM > limit * mark
        and market.quote.mono_ns - market.mark_mono_ns <= MARK_AGE_NS_MAX
    ):
        return OutsideCollar(price_ticks=price, reference_ticks=mark, limit_ppm=limit)
    return None


def near_its_decision(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """What it would pay now is not further against it than tolerated from the price it was decided at, where it names
    one: the far touch where it takes, its own price where it rests. A conditional order pays when it triggers.
    """
    decision = intent.decision_ticks
    if decision is None or intent.trigger_ticks is not None:
        return None
    price = intent.price_ticks
    quote = desk.market.quote
    if intent.side is _BUY:
        pays = quote.ask_ticks if price is None or price > quote.ask_ticks else price
        slip = pays - decision
    else:
        pays = quote.bid_ticks if price is None or price < quote.bid_ticks else price
        slip = decision - pays
    limit = desk.slippage_ppm
    if slip * PPM > limit * decision:
        return Slipped(would_pay_ticks=pays, decision_ticks=decision, limit_ppm=limit)
    return None


def reduces(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """At REDUCE_ONLY (or where the order says so) nothing may increase or flip the position."""
    if desk.level < _REDUCE_ONLY and not intent.reduce_only:
        return None
    position = desk.all_position.position_lots
    mine = desk.my_position.position_lots
    # untriggered protective orders are summed apart, each at most the position: they stand behind the exits
    # that are working, not beside them
    everyone, own = desk.all_open, desk.my_open
    if intent.order_type is not _LIMIT and intent.order_type is not _MARKET:
        working = my_working = 0
    elif intent.side is _BUY:
        working = everyone.buy_lots - everyone.protective_buy_lots
        my_working = own.buy_lots - own.protective_buy_lots
    else:
        working = everyone.sell_lots - everyone.protective_sell_lots
        my_working = own.sell_lots - own.protective_sell_lots
    held = -intent.side * position
    held_by_me = -intent.side * mine
    if held < intent.qty_lots + working or held_by_me < intent.qty_lots + my_working:
        return NotReducing(
            position_lots=min(position, mine, key=abs), reducing_lots=working, qty_lots=intent.qty_lots
        )
    return None


def within_position_limits(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Position, working, in flight, unknown, pending amends and this order, per side: strategy, then all.

    At REDUCED half the limits hold.
    """
    if intent.side is _BUY:
        mine = desk.my_position.position_lots + desk.my_open.buy_lots + intent.qty_lots
        everyone = desk.all_position.position_lots + desk.all_open.buy_lots + intent.qty_lots
    else:
        mine = desk.my_open.sell_lots + intent.qty_lots - desk.my_position.position_lots
        everyone = desk.all_open.sell_lots + intent.qty_lots - desk.all_position.position_lots
    my_limit = desk.limits.position_lots_max
    limit = desk.instrument_limits.position_lots_max
    if desk.level >= _REDUCED:
        my_limit >>= 1
        limit >>= 1
    if mine > my_limit:
        return OverPosition(of="strategy", would_be_lots=mine, limit_lots=my_limit)
    if everyone > limit:
        return OverPosition(of="instrument", would_be_lots=everyone, limit_lots=limit)
    return None


def within_account_limits(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Gross notional at worst case, in money and against equity. What reduces adds nothing.

    At REDUCED half the limits hold.
    """
    if intent.reduce_only:
        return None
    account = desk.account
    limits = account.limits
    worst, _ = notional_at_worst_e8(intent, desk)
    would_be = account.gross_e8 - desk.exposure.gross_e8 + worst
    gross_max = limits.gross_notional_e8_max
    leverage_max = limits.leverage_ppm_max
    if desk.level >= _REDUCED:
        gross_max >>= 1
        leverage_max >>= 1
    if would_be > gross_max:
        return OverGross(would_be=would_be, limit=gross_max, unit="e8")
    equity = account.equity_e8
    if equity is None or equity <= 0:
        return UnknownEquity(why="no equity yet" if equity is None else "equity is not above zero")
    if would_be * PPM > leverage_max * equity:
        return OverGross(would_be=ceil_div(would_be * PPM, equity), limit=leverage_max, unit="ppm")
    return None


def within_the_rate(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Asked for in a sliding second, this one and the refused ones included: by all, there, and by this strategy
    there. And orders open at once.
    """
    account = desk.account
    limits = account.limits
    asked = account.asked
    if intent.mono_ns - asked.ring[asked.refuse_back].mono_ns < NS_PER_S:
        counts = asked.counted_for(intent)
        if counts.account > limits.orders_per_s_refuse:
            return OverRate(count=counts.account, limit=limits.orders_per_s_refuse)
        limit = desk.instrument_limits.orders_per_s_refuse
        if counts.instrument > limit:
            return OverRate(count=counts.instrument, limit=limit, of="instrument")
        limit = desk.limits.orders_per_s_refuse
        if counts.strategy > limit:
            return OverRate(count=counts.strategy, limit=limit, of="strategy")
    if account.open_orders_count >= limits.open_orders_max:
        return TooManyOrders(count=account.open_orders_count, limit=limits.open_orders_max)
    return None


def within_the_day(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """What the account's day allows of orders and amends, cancels, fills and turnover. What reduces only passes."""
    if intent.reduce_only:
        return None
    day, limits = desk.account.day, desk.account.limits
    if day.orders_count >= limits.orders_per_day_max:
        return OverDay(what="orders", count=day.orders_count, limit=limits.orders_per_day_max)
    if day.cancels_count >= limits.cancels_per_day_max:
        return OverDay(what="cancels", count=day.cancels_count, limit=limits.cancels_per_day_max)
    if day.fills_count >= limits.fills_per_day_max:
        return OverDay(what="fills", count=day.fills_count, limit=limits.fills_per_day_max)
    if day.traded_e8 >= limits.traded_e8_per_day_max:
        return OverDay(what="traded", count=day.traded_e8, limit=limits.traded_e8_per_day_max)
    return None


def within_the_parent(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """A child and all its siblings, filled and open, are at most their parent; and the parent stays what it was."""
    child_of = intent.child_of
    if child_of is None:
        return None
    if child_of.parent_id <= 0 or child_of.parent_lots <= 0:
        return BadTerms(why="a parent has a number and a size above zero")
    parent = desk.parents.known.get(child_of.parent_id)
    taken = 0
    if parent is not None:
        if (parent.instrument, parent.side, parent.parent_lots) != (
            intent.instrument,
            intent.side,
            child_of.parent_lots,
        ):
            return BadTerms(why="a parent's instrument, side and size never change")
        taken = parent.taken_lots
    elif child_of.parent_id <= desk.parents.forgotten_id:
        return BadTerms(why="that parent is over: a new one has a larger number")
    elif desk.parents.full():
        return BadTerms(why="too many parents have open children")
    would_be = taken + intent.qty_lots
    if would_be > child_of.parent_lots:
        return OverParent(
            parent_id=child_of.parent_id, would_be_lots=would_be, parent_lots=child_of.parent_lots
        )
    return None


def meets_no_own_order(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """It reaches no order that the account itself has, or may have, in the venue's book on the other side.

    A market order is judged at the far touch; a conditional one when it triggers, which is the venue's to see.
    An order on the account that the bot did not send (by hand, by another program) counts in the exposure, and is
    not looked at here: it may be met.
    """
    price = intent.price_ticks
    if price is None:
        if intent.order_type is not _MARKET:
            return None
        quote = desk.market.quote
        price = quote.ask_ticks if intent.side is _BUY else quote.bid_ticks
    resting = desk.resting
    if intent.side is _BUY:
        if price >= resting.ask_ticks:
            return SelfMatch(price_ticks=price, resting_ticks=resting.ask_ticks)
    elif price <= resting.bid_ticks:
        return SelfMatch(price_ticks=price, resting_ticks=resting.bid_ticks)
    return None


RISK_CHECKS: Final[tuple[Check, ...]] = (
    not_held,
    makes_sense,
    within_hours,
    fits_the_venue,
    priced_from_fresh_data,
    known_by_fresh_facts,
    not_a_duplicate,
    within_order_limits,
    within_volume,
    inside_the_bands,
    inside_the_collar,
    within_the_walk,
    near_its_decision,
    reduces,
    within_position_limits,
    within_shares,
    within_account_limits,
    within_net,
    within_the_rate,
    within_the_day,
    within_the_flow,
    within_the_parent,
    meets_no_own_order,
)


def first_refusal(intent: OrderIntent, desk: Desk) -> Refusal | None:
    """Ask every check in the order of ``RISK_CHECKS``, up to the first that refuses; None where none does."""
    return (
        not_held(intent, desk)
        or makes_sense(intent, desk)
        or within_hours(intent, desk)
        or fits_the_venue(intent, desk)
        or priced_from_fresh_data(intent, desk)
        or known_by_fresh_facts(intent, desk)
        or not_a_duplicate(intent, desk)
        or within_order_limits(intent, desk)
        or within_volume(intent, desk)
        or inside_the_bands(intent, desk)
        or inside_the_collar(intent, desk)
        or within_the_walk(intent, desk)
        or near_its_decision(intent, desk)
        or reduces(intent, desk)
        or within_position_limits(intent, desk)
        or within_shares(intent, desk)
        or within_account_limits(intent, desk)
        or within_net(intent, desk)
        or within_the_rate(intent, desk)
        or within_the_day(intent, desk)
        or within_the_flow(intent, desk)
        or within_the_parent(intent, desk)
        or meets_no_own_order(intent, desk)
    )


def plainly_permitted(intent: OrderIntent, desk: Desk) -> bool:
    """Whether a plain order passes every check, found out at once; False only says: ask them one by one.

    A plain order is a limit order of no parent that may increase, under no hold and no rules of flow. Yes here must be
    yes there, which a property test holds it to; what is refused, and why, is the checks' word alone. It exists because
    asking a dozen functions costs three times what the answer does. A yes leaves the instrument's worst case with the
    order in ``Exposure.would_be_e8``.
    """
    price = intent.price_ticks
    qty = intent.qty_lots
    market = desk.market
    account = desk.account
    exposure = desk.exposure
    if exposure.moves_seen != market.moves_count:
        exposure.reprice()
    now = intent.mono_ns
    if (
        not desk.plain
        or price is None
        or not exposure.lowest_ticks <= price <= exposure.highest_ticks
        or not desk.qty_lots_min <= qty <= desk.qty_lots_max
        or not desk.ticklots_min <= price * qty <= desk.ticklots_max
        or intent.intent_seq <= desk.last_intent_seq
        or intent.wall_ns >= desk.open_until_ns
        or now - market.quote.mono_ns > account.quote_age_ns_max
        or intent.order_type is not _LIMIT
        or intent.reduce_only
        or intent.trigger_ticks is not None
        or intent.child_of is not None
        or (
            (window_ns := account.duplicate_window_ns)
            and now - desk.recent.get((intent.side, price, qty), FAR_PAST_NS) < window_ns
        )
    ):
        return False
    everyone = desk.all_open
    position = desk.all_position.position_lots
    decision = intent.decision_ticks
    quote = market.quote
    if intent.side is _BUY:
        if decision is not None and (price - decision) * PPM > desk.slippage_ppm * decision:
            return False  # by its limit: what it pays may be less
        if price >= desk.resting.ask_ticks:
            return False
        if (
            price >= quote.ask_ticks
            and (depth := desk.depth_ppm)
            and qty * PPM > depth * quote.ask_lots
            and intent.tif is not _POST_ONLY
        ):
            return False
        net_e8 = account.net.long_e8 - exposure.long_e8
        lots = position + everyone.buy_lots + qty
        least = everyone.sell_lots - position
        mine = desk.my_position.position_lots + desk.my_open.buy_lots + qty
    else:
        if decision is not None and (decision - price) * PPM > desk.slippage_ppm * decision:
            return False
        if price <= desk.resting.bid_ticks:
            return False
        if (
            price <= quote.bid_ticks
            and (depth := desk.depth_ppm)
            and qty * PPM > depth * quote.bid_lots
            and intent.tif is not _POST_ONLY
        ):
            return False
        net_e8 = exposure.short_e8 - account.net.short_e8
        lots = everyone.sell_lots + qty - position
        least = position + everyone.buy_lots
        mine = desk.my_open.sell_lots + qty - desk.my_position.position_lots
    if mine > desk.my_lots_max or lots > desk.all_lots_max:
        return False
    worth_e8 = price * exposure.unit_e8 if price > exposure.value_ticks else exposure.value_e8
    worst_e8 = lots * worth_e8
    if net_e8 + worst_e8 > account.net_most_e8:
        return False
    if least > lots:
        lots = least
        worst_e8 = lots * worth_e8
    more_e8 = worst_e8 - exposure.gross_e8
    asked = account.asked
    if (
        account.gross_e8 + more_e8 > account.allowed_e8
        or exposure.group.gross_e8 + more_e8 > account.group_most_e8
        or worst_e8 * PPM > desk.share_ppm * account.equity_e8  # type: ignore[operator] # unknown: nothing is allowed
        or now - asked.ring[asked.refuse_back].mono_ns < NS_PER_S
        or account.open_orders_count > account.open_most
        or account.day.orders_count >= account.orders_most
    ):
        return False
    exposure.would_be_e8 = lots * exposure.value_e8
    return True
