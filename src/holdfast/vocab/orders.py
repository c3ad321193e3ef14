"""The words of an order: side, type, time in force, states and what can happen to it."""

from __future__ import annotations

from enum import Enum, IntEnum

from msgspec import Struct


class Side(IntEnum):
    """BUY adds to a position, SELL takes from it: ``side * qty_lots`` is the change."""

    BUY = 1
    SELL = -1


class OrderType(Enum):
    """How an order is priced. STOP_MARKET and TAKE_PROFIT_MARKET rest at the venue until triggered."""

    LIMIT = "limit"
    MARKET = "market"
    STOP_MARKET = "stop_market"
    TAKE_PROFIT_MARKET = "take_profit_market"


class TimeInForce(Enum):
    """Good till cancelled, immediate or cancel, fill or kill, post only (Binance's GTX)."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class Lane(Enum):
    """Which rules a call to the venue goes by at the last hop.

    RISK stops at a tripped latch; CANCEL and FLATTEN pass it; all three stop at a lost lease. READ always
    passes: it changes nothing.
    """

    __hash__ = object.__hash__  # a member is one object: hashed as such, without a Python call

    RISK = "risk"
    CANCEL = "cancel"
    FLATTEN = "flatten"
    READ = "read"


class OrderState(Enum):
    """Where an order is in its life. UNKNOWN is a state like any other: it counts at its worst case."""

    __hash__ = object.__hash__  # a member is one object: hashed as such, without a Python call

    SENT = "sent"  # approved and handed to the last hop; no word yet
    LIVE = "live"
    CANCEL_SENT = "cancel_sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"  # the venue refused it
    UNSENT = "unsent"  # proven never to have reached the venue


class Did(Enum):
    """What happened to an order: the second key of the life-cycle table."""

    __hash__ = object.__hash__  # a member is one object: hashed as such, without a Python call

    ACK = "ack"
    PART_FILL = "part_fill"
    FULL_FILL = "full_fill"
    CANCEL_ASK = "cancel_ask"
    CANCEL_REFUSED = "cancel_refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    GO_SILENT = "go_silent"
    ABSENT = "absent"  # the venue says, twice and after the receive window, that it has no such order
    RESOLVED = "resolved"  # a person signed that it is final


class ChildOf(Struct, frozen=True, array_like=True, gc=False):
    """Which parent order a child belongs to: the strategy's own number (above zero), and the parent's whole size."""

    parent_id: int
    parent_lots: int


class OrderTerms(Struct, frozen=True, array_like=True, gc=False):
    """What is asked of the venue. Positional: the gate makes one for every order.

    ``price_ticks`` is None for a market order; sizes are > 0.
    """

    instrument: str
    side: Side
    qty_lots: int
    order_type: OrderType
    tif: TimeInForce
    price_ticks: int | None = None
    trigger_ticks: int | None = None
    reduce_only: bool = False
    close_position: bool = False
