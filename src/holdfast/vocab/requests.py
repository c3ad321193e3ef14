"""What may be asked of a venue. One port takes them all: ``call(request) -> Outcome``."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from holdfast.vocab.orders import OrderTerms, Side


class PlaceOrder(Struct, frozen=True, kw_only=True, array_like=True, tag="place"):
    """Send a new order. Answer: OrderReport."""

    order_id: int
    terms: OrderTerms


class AmendOrder(Struct, frozen=True, kw_only=True, array_like=True, tag="amend"):
    """Change price and total quantity of a resting limit order. Answer: OrderReport."""

    order_id: int
    venue_order_id: str
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int


class CancelOrder(Struct, frozen=True, kw_only=True, array_like=True, tag="cancel"):
    """Cancel one order. ``order_id`` is None for a foreign one. Answer: OrderReport or NoSuchOrder."""

    order_id: int | None
    venue_order_id: str
    instrument: str
    conditional: bool = False


class CancelAll(Struct, frozen=True, kw_only=True, array_like=True, tag="cancel_all"):
    """Cancel the open orders of one instrument; with ``conditional`` its algo orders instead. Answer: Done."""

    instrument: str
    conditional: bool = False


class QueryOrder(Struct, frozen=True, kw_only=True, array_like=True, tag="query_order"):
    """Ask after one order by our client id. Answer: OrderReport or NoSuchOrder."""

    order_id: int
    instrument: str
    conditional: bool = False


class QueryOpenOrders(Struct, frozen=True, kw_only=True, array_like=True, tag="query_open_orders"):
    """All open orders of the account, conditional ones included. Answer: Orders."""


class QueryPositions(Struct, frozen=True, kw_only=True, array_like=True, tag="query_positions"):
    """All positions. A venue has several ``source``s of this truth, numbered from 0. Answer: Positions.

    Fatal when the venue has no source of this number.
    """

    source: int = 0


class QueryBalances(Struct, frozen=True, kw_only=True, array_like=True, tag="query_balances"):
    """All balances. Answer: Balances."""


class QueryTrades(Struct, frozen=True, kw_only=True, array_like=True, tag="query_trades"):
    """Our executions in one instrument since a venue time (inclusive). Answer: Trades."""

    instrument: str
    since_venue_ns: int


class QueryCash(Struct, frozen=True, kw_only=True, array_like=True, tag="query_cash"):
    """Funding, transfers and other income since a venue time (inclusive). Answer: CashEntries."""

    since_venue_ns: int


class QuerySpecs(Struct, frozen=True, kw_only=True, array_like=True, tag="query_specs"):
    """The instruments' facts now. Answer: Specs."""


class QueryVolumes(Struct, frozen=True, kw_only=True, array_like=True, tag="query_volumes"):
    """What these instruments traded in the last 24 hours. Answer: Volumes."""

    instruments: tuple[str, ...]


class SetLeverage(Struct, frozen=True, kw_only=True, array_like=True, tag="set_leverage"):
    """Cap the leverage of one instrument. Answer: Done."""

    instrument: str
    leverage: int


class ArmDeadman(Struct, frozen=True, kw_only=True, array_like=True, tag="arm_deadman"):
    """Ask the venue to cancel our orders of one instrument unless asked again within the countdown.

    0 disarms. Answer: Done; Fatal where the venue has no such tool.
    """

    instrument: str
    countdown_ms: int


class MeasureClock(Struct, frozen=True, kw_only=True, array_like=True, tag="measure_clock"):
    """Measure the venue's clock against ours. Answer: Clock."""


Request: TypeAlias = (
    PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
    | QueryOrder
    | QueryOpenOrders
    | QueryPositions
    | QueryBalances
    | QueryTrades
    | QueryCash
    | QuerySpecs
    | QueryVolumes
    | SetLeverage
    | ArmDeadman
    | MeasureClock
)
