"""The venue's word, in our units: what a reply, a poll or a user-stream message says.

``order_id`` is ours where the client id is ours, else None (a foreign order); ``client_id`` is the text that
the venue shows. An adapter never guesses: a field that it cannot read makes the whole report Unknown.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth
from holdfast.vocab.orders import Side


class VenueStatus(Enum):
    """An order's state in the venue's words. OTHER: a word that the table of this venue does not have."""

    __hash__ = object.__hash__  # a member is one object: hashed as such, without a Python call

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    OTHER = "other"


class FillCause(Enum):
    """Why a fill happened: an order of somebody's, or an act of the venue itself."""

    ORDER = "order"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"


class OrderReport(Struct, frozen=True, kw_only=True, array_like=True, tag="order_report"):
    """One order as the venue sees it. ``filled_lots`` is cumulative."""

    order_id: int | None
    client_id: str
    venue_order_id: str
    instrument: str
    side: Side
    status: VenueStatus
    qty_lots: int
    filled_lots: int
    price_ticks: int | None
    reduce_only: bool
    conditional: bool  # rests as an algo order until triggered: cancel-all of plain orders misses it
    venue_ns: int
    trigger_ticks: int | None = None
    close_position: bool = False


class TradeReport(Struct, frozen=True, kw_only=True, array_like=True, tag="trade_report"):
    """One execution. ``trade_id`` is unique per instrument; ``fee_e8`` > 0 is paid, < 0 a rebate."""

    trade_id: str
    order_id: int | None
    client_id: str
    venue_order_id: str
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int
    fee_e8: int
    fee_asset: str
    maker: bool
    venue_ns: int
    cause: FillCause = FillCause.ORDER


class BustReport(Struct, frozen=True, kw_only=True, array_like=True, tag="bust_report"):
    """The venue takes an execution back: which, when (by its clock) and why. ``trade`` is what was taken back."""

    trade: TradeReport
    venue_ns: int
    why: str = ""


class PositionReport(Struct, frozen=True, kw_only=True, array_like=True):
    """The venue's net position. ``mark_ticks`` is its mark price rounded to the nearest tick, 0 if not given.

    ``cost_e8``: its entry price times the position, signed; None where it tells no entry price.
    """

    instrument: str
    position_lots: int
    mark_ticks: int = 0
    venue_ns: int = 0
    cost_e8: int | None = None


class BalanceReport(Struct, frozen=True, kw_only=True, array_like=True):
    """The venue's wallet balance of one asset, unrealised P&L not included."""

    asset: str
    wallet_e8: int


class CashReport(Struct, frozen=True, kw_only=True, array_like=True):
    """One entry of the venue's income list: funding, transfer, rebate… ``cash_id`` is unique per venue."""

    cash_id: str
    kind: str
    asset: str
    amount_e8: int
    instrument: str
    venue_ns: int


class Orders(Struct, frozen=True, kw_only=True, array_like=True, tag="orders"):
    """All open orders, plain and conditional, of the account.

    ``unlisted``: instruments with open orders that we have no spec of, so that those orders cannot be counted.
    """

    orders: tuple[OrderReport, ...]
    unlisted: tuple[str, ...] = ()


class Positions(Struct, frozen=True, kw_only=True, array_like=True, tag="positions"):
    """All non-zero positions of the account. ``unlisted``: positions in instruments that we have no spec of."""

    positions: tuple[PositionReport, ...]
    unlisted: tuple[str, ...] = ()
    source: int = 0


class Balances(Struct, frozen=True, kw_only=True, array_like=True, tag="balances"):
    """All balances of the account, and the account's identity where the venue gives one."""

    balances: tuple[BalanceReport, ...]
    account_uid: str = ""
    can_withdraw: bool | None = None


class Trades(Struct, frozen=True, kw_only=True, array_like=True, tag="trades"):
    """Executions of one instrument, oldest first. ``complete``: nothing before the page's limit was cut."""

    instrument: str
    trades: tuple[TradeReport, ...]
    complete: bool


class CashEntries(Struct, frozen=True, kw_only=True, array_like=True, tag="cash_entries"):
    """The venue's income list since a time, oldest first."""

    entries: tuple[CashReport, ...]
    complete: bool


class Done(Struct, frozen=True, kw_only=True, array_like=True, tag="done"):
    """Accepted, and nothing else to say (cancel-all, leverage, dead-man)."""

    detail: str = ""


class Clock(Struct, frozen=True, kw_only=True, array_like=True, tag="clock"):
    """Venue time minus local wall time, measured at the middle of a round trip."""

    offset_ns: int
    rtt_ns: int


class Specs(Struct, frozen=True, kw_only=True, array_like=True, tag="specs"):
    """The instruments' facts as the venue gives them now."""

    specs: tuple[InstrumentSpec, ...]


class Volumes(Struct, frozen=True, kw_only=True, array_like=True, tag="volumes"):
    """(instrument, lots traded in the last 24 hours) as the venue counts them; one it does not tell is left out."""

    lots: tuple[tuple[str, int], ...]


class NoSuchOrder(Struct, frozen=True, kw_only=True, array_like=True, tag="no_such_order"):
    """The venue answered that it knows no order of this id. Right after sending this proves nothing."""

    client_id: str


Report: TypeAlias = (
    OrderReport
    | TradeReport
    | Orders
    | Positions
    | Balances
    | Trades
    | CashEntries
    | Done
    | Clock
    | Specs
    | Volumes
    | Depth
    | NoSuchOrder
)
