"""Whether what a strategy returned can be written down at all. Whether it may be done is the gate's question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from holdfast.vocab.events import (
    BASKET_LEGS_MAX,
    AmendIntent,
    BasketIntent,
    CancelIntent,
    OrderIntent,
    TargetIntent,
)
from holdfast.vocab.orders import ChildOf, OrderType, Side, TimeInForce

WHOLE_BITS: Final = 63
WHOLE_MAX: Final = (1 << WHOLE_BITS) - 1  # an order id fills 63 bits; beyond it no journal takes a number
_NAME_CHARS_MAX: Final = 64


def _whole(name: str, value: object) -> str:
    if type(value) is not int:
        return f"{name} must be a whole number, not {value!r}: see ctx.ticks and ctx.lots"
    if not -WHOLE_MAX <= value <= WHOLE_MAX:
        return f"{name} is out of all bounds"
    return ""


def _whole_or_none(name: str, value: object) -> str:
    return "" if value is None else _whole(name, value)


def _of_kind(name: str, value: object, kind: type) -> str:
    return "" if type(value) is kind else f"{name} must be of {kind.__name__}, not {value!r:.40}"


def _of_order(intent: OrderIntent) -> str:
    asked: Any = intent  # whatever a strategy put there
    qty, price, decided = asked.qty_lots, asked.price_ticks, asked.decision_ticks
    if (
        type(asked.side) is Side
        and type(asked.order_type) is OrderType
        and type(asked.tif) is TimeInForce
        and type(asked.reduce_only) is bool
        and type(qty) is int
        and 0 <= qty <= WHOLE_MAX
        and (price is None or (type(price) is int and 0 <= price <= WHOLE_MAX))
        and (decided is None or (type(decided) is int and 0 <= decided <= WHOLE_MAX))
        and asked.trigger_ticks is None
        and asked.child_of is None
    ):
        return ""  # what nearly all are, without a call per field
    return (
        _of_kind("side", intent.side, Side)
        or _of_kind("order_type", intent.order_type, OrderType)
        or _of_kind("tif", intent.tif, TimeInForce)
        or _of_kind("reduce_only", intent.reduce_only, bool)
        or _whole("qty_lots", intent.qty_lots)
        or _whole_or_none("price_ticks", intent.price_ticks)
        or _whole_or_none("trigger_ticks", intent.trigger_ticks)
        or _whole_or_none("decision_ticks", intent.decision_ticks)
        or _child_of(intent.child_of)
    )


def _child_of(child_of: ChildOf | None) -> str:
    if child_of is None:
        return ""
    return (
        _of_kind("child_of", child_of, ChildOf)
        or _whole("parent_id", child_of.parent_id)
        or _whole("parent_lots", child_of.parent_lots)
    )


def _of_target(intent: TargetIntent) -> str:
    return (
        _whole("target_lots", intent.target_lots)
        or _whole_or_none("price_ticks", intent.price_ticks)
        or _whole_or_none("decision_ticks", intent.decision_ticks)
    )


def _of_cancel(intent: CancelIntent) -> str:
    return _whole("order_id", intent.order_id)


def _of_amend(intent: AmendIntent) -> str:
    return (
        _whole("order_id", intent.order_id)
        or _whole("qty_lots", intent.qty_lots)
        or _whole("price_ticks", intent.price_ticks)
    )


_FAULTS: Final[dict[type, Callable[..., str]]] = {
    OrderIntent: _of_order,
    TargetIntent: _of_target,
    CancelIntent: _of_cancel,
    AmendIntent: _of_amend,
}
INTENT_KINDS: Final = frozenset(_FAULTS)


def fault_in(wanted: object, strategy: str) -> str:
    """What makes no sense in an intent of this strategy, in words; empty when nothing does."""
    check = _FAULTS.get(type(wanted))
    if check is None:
        return f"returned {wanted!r:.80}, which is no intent"
    intent: Any = wanted
    if intent.strategy != strategy:
        return f"returned an intent in the name of {intent.strategy!r}"
    if type(intent.instrument) is not str or not 0 < len(intent.instrument) <= _NAME_CHARS_MAX:
        return f"{intent.instrument!r:.80} is no instrument's name"
    if type(intent.intent_seq) is not int or _whole("intent_seq", intent.intent_seq):
        return "intent_seq must be a whole number: make intents with the context"
    return check(intent)


def fault_in_basket(basket: BasketIntent, strategy: str) -> str:
    """The same of a basket and each of its legs."""
    legs: Any = basket.legs
    if basket.strategy != strategy:
        return f"returned a basket in the name of {basket.strategy!r}"
    if type(legs) is not tuple or not 0 < len(legs) <= BASKET_LEGS_MAX:
        return f"a basket has one to {BASKET_LEGS_MAX} orders: make it with ctx.basket"
    for number, leg in enumerate(legs, 1):
        if type(leg) is not OrderIntent:
            return f"leg {number} of a basket is {leg!r:.80}, which is no order"
        if fault := fault_in(leg, strategy):
            return f"leg {number} of a basket: {fault}"
    return ""
