"""How often each kind of request may fail in a row, who asks again and when, and what holds once that is used up.

Nothing here gives up: whatever is still wanted is asked for again, at its slowest pace, because only the venue's
word or a named person ends a doubt. What a spent budget changes is what may be done meanwhile.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from holdfast.vocab.holds import HoldCause
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    Request,
    SetLeverage,
)

CHASE_PACE_MAX: Final = 5  # times query_retry: how seldom an order is asked after
TRADES_PACE_MAX: Final = 8  # times query_retry: how seldom a list of executions that fails is asked for


class Asked(Enum):
    """A kind of request, conditional orders' apart: venues keep those behind endpoints of their own."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    ALGO_CANCEL = "algo_cancel"
    CANCEL_ALL = "cancel_all"
    ALGO_CANCEL_ALL = "algo_cancel_all"
    QUERY = "query"
    ALGO_QUERY = "algo_query"
    OPEN_ORDERS = "open_orders"
    POSITIONS = "positions"
    BALANCES = "balances"
    TRADES = "trades"
    CASH = "cash"
    CLOCK = "clock"
    SPECS = "specs"
    LEVERAGE = "leverage"
    DEADMAN = "deadman"


class Budget(NamedTuple):
    """``tries``: failures in a row until ``hold`` is placed; 0: another rule places it, and counts on its own."""

    tries: int
    hold: HoldCause | None
    again: str  # for people: who asks again, and when


_H: Final = HoldCause
_CANCELS: Final = "once a question has shown the order open, as long as it does"
_QUERIES: Final = f"after query_retry, up to {CHASE_PACE_MAX} times as long"
_BY_NAME: Final = "never: each order is asked after by name, and cancelled by name"
_BY_AGE: Final = "by its own timer; positions after query_retry, from another source"

BUDGETS: Final[dict[Asked, Budget]] = {
    Asked.PLACE: Budget(0, None, "never: the order becomes UNKNOWN and is asked after"),
    Asked.AMEND: Budget(0, None, "never: the order is asked after, and counts at its larger size"),
    Asked.CANCEL: Budget(5, _H.RETRIES_SPENT, _CANCELS),
    Asked.ALGO_CANCEL: Budget(5, _H.RETRIES_SPENT, _CANCELS),
    Asked.CANCEL_ALL: Budget(0, None, _BY_NAME),
    Asked.ALGO_CANCEL_ALL: Budget(0, None, _BY_NAME),
    Asked.QUERY: Budget(10, _H.RETRIES_SPENT, _QUERIES),
    Asked.ALGO_QUERY: Budget(10, _H.RETRIES_SPENT, _QUERIES),
    Asked.OPEN_ORDERS: Budget(0, _H.POSITION_STALE, "by its own timer"),
    Asked.POSITIONS: Budget(0, _H.POSITION_STALE, _BY_AGE),
    Asked.BALANCES: Budget(0, _H.POSITION_STALE, "by its own timer"),
    Asked.TRADES: Budget(10, _H.RETRIES_SPENT, f"when needed, after up to {TRADES_PACE_MAX} query_retry"),
    Asked.CASH: Budget(6, _H.RETRIES_SPENT, "with the next round of positions"),
    Asked.CLOCK: Budget(4, _H.RETRIES_SPENT, "by its own timer"),
    Asked.SPECS: Budget(3, _H.RETRIES_SPENT, "with every tenth measure of the clock"),
    Asked.LEVERAGE: Budget(0, _H.STARTUP, "with each round until the start is complete"),
    Asked.DEADMAN: Budget(0, _H.DEADMAN_UNARMED, "after a quarter of its countdown"),
}

_PLAIN: Final[dict[type, Asked]] = {
    PlaceOrder: Asked.PLACE,
    AmendOrder: Asked.AMEND,
    CancelOrder: Asked.CANCEL,
    CancelAll: Asked.CANCEL_ALL,
    QueryOrder: Asked.QUERY,
    QueryOpenOrders: Asked.OPEN_ORDERS,
    QueryPositions: Asked.POSITIONS,
    QueryBalances: Asked.BALANCES,
    QueryTrades: Asked.TRADES,
    QueryCash: Asked.CASH,
    QuerySpecs: Asked.SPECS,
    QueryVolumes: Asked.SPECS,
    SetLeverage: Asked.LEVERAGE,
    ArmDeadman: Asked.DEADMAN,
    MeasureClock: Asked.CLOCK,
}
_CONDITIONAL: Final[dict[type, Asked]] = {
    CancelOrder: Asked.ALGO_CANCEL,
    CancelAll: Asked.ALGO_CANCEL_ALL,
    QueryOrder: Asked.ALGO_QUERY,
}


def kind_of(request: Request) -> Asked:
    """Which budget a request draws on."""
    if getattr(request, "conditional", False):
        return _CONDITIONAL[type(request)]
    return _PLAIN[type(request)]
