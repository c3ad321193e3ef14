"""Orders, conditional orders and trades as REST and the WebSocket API show them: exact names, exact formats."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from holdfast.sim.model import AlgoOrder, Fill, Order
from holdfast.sim.server.numerals import fixed, money
from holdfast.sim.server.venue import Venue

_SIDE = {1: "BUY", -1: "SELL"}


class _OrderWire(Struct, kw_only=True, rename="camel"):
    """What every answer about an order has."""

    client_order_id: str
    executed_qty: str
    order_id: int
    orig_qty: str
    orig_type: str
    price: str
    reduce_only: bool
    side: str
    position_side: str
    status: str
    stop_price: str
    close_position: bool
    symbol: str
    time_in_force: str
    type: str
    update_time: int
    working_type: str
    price_protect: bool
    price_match: str
    self_trade_prevention_mode: str
    good_till_date: int
    avg_price: str
    cum_quote: str
    activate_price: str | UnsetType = UNSET
    price_rate: str | UnsetType = UNSET


class OrderQueried(_OrderWire, rename="camel", kw_only=True):
    """GET order, openOrder, openOrders, allOrders."""

    time: int


class OrderAnswered(_OrderWire, rename="camel", kw_only=True):
    """POST and DELETE of an order."""

    cum_qty: str


class OrderAmended(_OrderWire, rename="camel", kw_only=True):
    """PUT of an order. USD-M documents ``cumBase`` here and sends ``cumQuote``: both are given."""

    cum_qty: str
    pair: str
    cum_base: str


class AlgoWire(Struct, kw_only=True, rename="camel"):
    """A conditional order. The ``actual*`` fields are of the plain order that it became."""

    algo_id: int
    client_algo_id: str
    algo_type: str
    order_type: str
    symbol: str
    side: str
    position_side: str
    time_in_force: str
    quantity: str
    algo_status: str
    trigger_price: str
    price: str
    iceberg_quantity: str | None
    self_trade_prevention_mode: str
    working_type: str
    price_match: str
    close_position: bool
    price_protect: bool
    reduce_only: bool
    create_time: int
    update_time: int
    trigger_time: int
    good_till_date: int
    activate_price: str | UnsetType = UNSET
    callback_rate: str | UnsetType = UNSET
    actual_order_id: str | UnsetType = UNSET
    actual_price: str | UnsetType = UNSET
    actual_qty: str | UnsetType = UNSET
    actual_type: str | UnsetType = UNSET
    tp_trigger_price: str | UnsetType = UNSET
    tp_price: str | UnsetType = UNSET
    sl_trigger_price: str | UnsetType = UNSET
    sl_price: str | UnsetType = UNSET
    tp_order_type: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    msg: str | UnsetType = UNSET


class TradeWire(Struct, kw_only=True, rename="camel"):
    """One of our executions: userTrades."""

    symbol: str
    id: int
    order_id: int
    side: str
    price: str
    qty: str
    realized_pnl: str
    margin_asset: str
    quote_qty: str
    commission: str
    commission_asset: str
    time: int
    position_side: str
    buyer: bool
    maker: bool


def _fields(venue: Venue, order: Order) -> dict[str, object]:
    numerals = venue.market.symbols[order.symbol].numerals
    average = (
        numerals.average(order.cost_tick_lots, order.filled_lots) if order.filled_lots else numerals.price(0)
    )
    return {
        "client_order_id": order.client_id,
        "executed_qty": numerals.qty(order.filled_lots),
        "order_id": order.order_id,
        "orig_qty": numerals.qty(order.qty_lots),
        "orig_type": order.orig_type,
        "price": numerals.price(order.price_ticks),
        "reduce_only": order.reduce_only,
        "side": _SIDE[order.side],
        "position_side": order.position_side,
        "status": order.status,
        "stop_price": numerals.price(order.trigger_ticks),
        "close_position": order.close_position,
        "symbol": order.symbol,
        "time_in_force": order.tif,
        "type": order.type,
        "update_time": venue.shown_ms(order.updated_ns),
        "working_type": order.working_type,
        "price_protect": order.price_protect,
        "price_match": "NONE",
        "self_trade_prevention_mode": order.stp,
        "good_till_date": venue.shown_ms(order.good_till_ns) if order.good_till_ns else 0,
        "avg_price": average,
        "cum_quote": numerals.quote(order.cost_tick_lots),
    }


def queried(venue: Venue, order: Order) -> OrderQueried:
    """An order as queries show it."""
    return OrderQueried(**_fields(venue, order), time=venue.shown_ms(order.created_ns))  # type: ignore[arg-type]


def answered(venue: Venue, order: Order, *, as_accepted: bool = False) -> OrderAnswered:
    """An order as placing or cancelling shows it. ``as_accepted``: as it stood before anything was filled."""
    fields = _fields(venue, order)
    numerals = venue.market.symbols[order.symbol].numerals
    if as_accepted:
        fields |= {
            "status": "NEW",
            "executed_qty": numerals.qty(0),
            "avg_price": numerals.price(0),
            "cum_quote": numerals.quote(0),
            "update_time": venue.shown_ms(order.created_ns),
        }
    return OrderAnswered(**fields, cum_qty=fields["executed_qty"])  # type: ignore[arg-type]


def amended(venue: Venue, order: Order) -> OrderAmended:
    """An order as amending shows it."""
    fields = _fields(venue, order)
    return OrderAmended(
        **fields,  # type: ignore[arg-type]
        cum_qty=fields["executed_qty"],  # type: ignore[arg-type]
        cum_base="0",
        pair=order.symbol,
    )


def algo(venue: Venue, order: AlgoOrder, *, answer: bool = False) -> AlgoWire:
    """A conditional order. ``answer``: as placing or cancelling shows it, else as queries do."""
    numerals = venue.market.symbols[order.symbol].numerals
    wire = AlgoWire(
        algo_id=order.algo_id,
        client_algo_id=order.client_algo_id,
        algo_type="CONDITIONAL",
        order_type=order.type,
        symbol=order.symbol,
        side=_SIDE[order.side],
        position_side=order.position_side,
        time_in_force=order.tif,
        quantity=numerals.qty(order.qty_lots),
        algo_status=order.status,
        trigger_price=numerals.price(order.trigger_ticks),
        price=numerals.price(order.price_ticks),
        iceberg_quantity=None,
        self_trade_prevention_mode=order.stp,
        working_type=order.working_type,
        price_match="NONE",
        close_position=order.close_position,
        price_protect=order.price_protect,
        reduce_only=order.reduce_only,
        create_time=venue.shown_ms(order.created_ns),
        update_time=venue.shown_ms(order.updated_ns),
        trigger_time=venue.shown_ms(order.triggered_ns) if order.triggered_ns else 0,
        good_till_date=venue.shown_ms(order.good_till_ns) if order.good_till_ns else 0,
    )
    if order.type == "TRAILING_STOP_MARKET":
        wire.activate_price = numerals.price(order.activation_ticks)
        wire.callback_rate = fixed(order.callback_ppm // 1000, 1)
    elif answer:
        wire.activate_price = ""
        wire.callback_rate = ""
    if answer:
        return wire
    zero = fixed(0, numerals.price_decimals + 1)
    wire.actual_order_id = str(order.actual_order_id) if order.actual_order_id else ""
    wire.actual_price = numerals.average(order.cost_tick_lots, order.filled_lots)
    wire.actual_qty = numerals.qty(order.filled_lots)
    wire.actual_type = actual_type(order) if order.actual_order_id else ""
    wire.tp_trigger_price = wire.tp_price = wire.sl_trigger_price = wire.sl_price = zero
    wire.tp_order_type = ""
    return wire


def actual_type(order: AlgoOrder) -> str:
    """What kind of plain order a conditional one becomes."""
    return "LIMIT" if order.type in {"STOP", "TAKE_PROFIT"} else "MARKET"


def trade(venue: Venue, fill: Fill) -> TradeWire:
    """An execution."""
    numerals = venue.market.symbols[fill.symbol].numerals
    return TradeWire(
        symbol=fill.symbol,
        id=fill.trade_id,
        order_id=fill.order_id,
        side=_SIDE[fill.side],
        price=numerals.price(fill.price_ticks),
        qty=numerals.qty(fill.qty_lots),
        realized_pnl=money(fill.realised_e8) if fill.realised_e8 else "0",
        margin_asset=numerals.spec.settle_asset,
        quote_qty=numerals.quote(fill.price_ticks * fill.qty_lots),
        commission=money(fill.fee_e8),
        commission_asset=fill.fee_asset,
        time=venue.shown_ms(fill.venue_ns),
        position_side=fill.position_side,
        buyer=fill.side > 0,
        maker=fill.maker,
    )
