"""A wanted position becomes one order: the difference to what is held and already working."""

from __future__ import annotations

from holdfast.vocab.events import OrderIntent, TargetIntent
from holdfast.vocab.orders import OrderType, Side, TimeInForce
from holdfast.vocab.units import PPM


def order_towards(
    intent: TargetIntent,
    *,
    position_lots: int,
    open_buy_lots: int,
    open_sell_lots: int,
    account_lots: int,
    order_lots_max: int,
    bid_ticks: int,
    ask_ticks: int,
    collar_ppm: int,
    own_bid_ticks: int,
    own_ask_ticks: int,
    volume_lots_max: int = 0,
    bid_lots_max: int = 0,
    ask_lots_max: int = 0,
) -> OrderIntent | None:
    """The order that brings a strategy to its target, at most one order's size; None where it is there already.

    Without a price the order is immediate-or-cancel, priced past the far touch by half the collar so that it
    takes and yet stays bounded; and short of the account's own orders on the other side (``own_…``: the best of
    them), where the touch is. With no quote the price is the smallest tick: the gate then names the reason.

    What adds risk is clipped to what the gate would let through of the day's volume (``volume_lots_max``) and, where it
    takes at once, of the touch that it meets (``…_lots_max`` of either side). 0 there clips nothing: not limited, or
    not known, and then the gate names the reason.

    ``account_lots``: the account's position. An order that reduces the strategy's own position but not the
    account's (others hold the other side) is a plain one: the venue would refuse it as reduce-only.
    """
    delta = intent.target_lots - position_lots - open_buy_lots + open_sell_lots
    if delta == 0:
        return None
    side = Side.BUY if delta > 0 else Side.SELL
    price = intent.price_ticks
    tif = TimeInForce.GTC
    if price is None:
        tif = TimeInForce.IOC
        touch = ask_ticks if side > 0 else bid_ticks
        price = max(1, touch + side * (touch * collar_ppm // (2 * PPM)))
        if side > 0:
            price = min(price, own_ask_ticks - 1) if own_ask_ticks > touch else price
        else:
            price = max(price, own_bid_ticks + 1) if own_bid_ticks < touch else price
    qty = min(abs(delta), order_lots_max)
    reducing = abs(intent.target_lots) < abs(position_lots) and intent.target_lots * position_lots >= 0
    reducing = reducing and not (open_buy_lots or open_sell_lots) and -side * account_lots >= qty
    if not reducing:
        takes = price >= ask_ticks if side > 0 else price <= bid_ticks
        shown_max = (ask_lots_max if side > 0 else bid_lots_max) if takes else 0
        qty = min(most for most in (qty, volume_lots_max, shown_max) if most)
    return OrderIntent(
        wall_ns=intent.wall_ns,
        mono_ns=intent.mono_ns,
        strategy=intent.strategy,
        intent_seq=intent.intent_seq,
        instrument=intent.instrument,
        side=side,
        qty_lots=qty,
        price_ticks=price,
        order_type=OrderType.LIMIT,
        tif=tif,
        reduce_only=reducing,
        decision_ticks=intent.decision_ticks,
    )
