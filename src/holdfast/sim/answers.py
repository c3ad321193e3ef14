"""The engine's records and refusals in the vocabulary, as an adapter of the real venue would put them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from holdfast.sim.model import (
    AccountEvent,
    AlgoEvent,
    AlgoOrder,
    BustEvent,
    ConfigEvent,
    Fill,
    Income,
    MarginCallEvent,
    NewOrder,
    Order,
    OrderEvent,
    Refused,
    SimEvent,
)
from holdfast.vocab.events import (
    CashHinted,
    Event,
    NoticeKind,
    OrderReported,
    TradeBusted,
    TradeReported,
    VenueNotice,
)
from holdfast.vocab.ids import order_id_from_text
from holdfast.vocab.orders import OrderTerms, OrderType, TimeInForce
from holdfast.vocab.outcome import Fatal, Ok, Outcome, Transient, Unknown
from holdfast.vocab.reports import (
    BustReport,
    CashReport,
    Done,
    FillCause,
    NoSuchOrder,
    OrderReport,
    TradeReport,
    VenueStatus,
)

STATUS: Final = {
    "NEW": VenueStatus.NEW,
    "PARTIALLY_FILLED": VenueStatus.PARTIALLY_FILLED,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELLED,
    "EXPIRED": VenueStatus.EXPIRED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
}
_ALGO_STATUS: Final = {
    "NEW": VenueStatus.NEW,
    "TRIGGERING": VenueStatus.NEW,
    "TRIGGERED": VenueStatus.NEW,
    "CANCELED": VenueStatus.CANCELLED,
    "REJECTED": VenueStatus.REJECTED,
    "EXPIRED": VenueStatus.EXPIRED,
}
_TYPE: Final = {
    OrderType.LIMIT: "LIMIT",
    OrderType.MARKET: "MARKET",
    OrderType.STOP_MARKET: "STOP_MARKET",
    OrderType.TAKE_PROFIT_MARKET: "TAKE_PROFIT_MARKET",
}
_TIF: Final = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
_CAUSE: Final = {
    "ORDER": FillCause.ORDER,
    "LIQUIDATION": FillCause.LIQUIDATION,
    "ADL": FillCause.ADL,
}


class Kind(Enum):
    """What was asked, as far as a refusal's meaning depends on it."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    QUERY = "query"
    READ = "read"
    CONFIG = "config"


_READS: Final = (Kind.QUERY, Kind.READ)
_NEVER_SURE: Final = frozenset({-1000, -1001, -1004, -1006, -1007, -1008})
_TRY_AGAIN: Final = frozenset({-1003, -1015, -1021, -5028})


def outcome_of(refusal: Refused, kind: Kind, *, client_id: str = "") -> Outcome:
    """What a refusal proves. ABSENT orders are an answer; a duplicate id may be this very order."""
    code, why = refusal.code, refusal.msg
    if code in _NEVER_SURE:
        return Transient(why=why, code=str(code)) if kind in _READS else Unknown(why=why, code=str(code))
    if code in _TRY_AGAIN:
        return Transient(why=why, code=str(code))
    if (code == -2013 and kind in {Kind.QUERY, Kind.CANCEL}) or (code == -2011 and kind is Kind.CANCEL):
        return Ok(value=NoSuchOrder(client_id=client_id))
    if (code == -4116 and kind is Kind.PLACE) or (code == -5027 and kind is Kind.AMEND):
        return Unknown(why=why, code=str(code))
    if code == -4117 and kind is Kind.CANCEL:
        return Transient(why=why, code=str(code))
    if code in {-4046, -4059} and kind is Kind.CONFIG:
        return Ok(value=Done())
    return Fatal(why=why, code=str(code))


def is_conditional(terms: OrderTerms) -> bool:
    """Whether it waits for a trigger."""
    return terms.order_type in {OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET}


def new_order(terms: OrderTerms, client_id: str) -> NewOrder | str:
    """The request for the engine; one line for terms that no venue could be asked with."""
    if terms.qty_lots <= 0 and not terms.close_position:
        return "a size that is not above zero"
    if terms.order_type is OrderType.LIMIT and not terms.price_ticks:
        return "a limit order without a price"
    if is_conditional(terms) and not terms.trigger_ticks:
        return "a conditional order without a trigger price"
    limit = terms.order_type is OrderType.LIMIT
    return NewOrder(
        symbol=terms.instrument,
        side=terms.side,
        type=_TYPE[terms.order_type],
        qty_lots=0 if terms.close_position else terms.qty_lots,
        client_id=client_id,
        price_ticks=terms.price_ticks or 0 if limit else 0,
        tif=_TIF[terms.tif] if limit else "GTC",
        reduce_only=terms.reduce_only and not terms.close_position,
        close_position=terms.close_position,
        trigger_ticks=terms.trigger_ticks or 0,
    )


def order_report(order: Order, account_tag: int) -> OrderReport:
    """A plain order."""
    return OrderReport(
        order_id=order_id_from_text(order.client_id, account_tag=account_tag),
        client_id=order.client_id,
        venue_order_id=str(order.order_id),
        instrument=order.symbol,
        side=order.side,
        status=STATUS.get(order.status, VenueStatus.OTHER),
        qty_lots=order.qty_lots,
        filled_lots=order.filled_lots,
        price_ticks=order.price_ticks or None,
        reduce_only=order.reduce_only,
        conditional=False,
        venue_ns=order.updated_ns,
        trigger_ticks=order.trigger_ticks or None,
        close_position=order.close_position,
    )


def algo_report(algo: AlgoOrder, account_tag: int) -> OrderReport:
    """A conditional order; once triggered it is a plain one under the matching engine's id."""
    plain = algo.actual_order_id != 0
    if algo.status == "FINISHED":
        whole = algo.filled_lots > 0 and (algo.filled_lots >= algo.qty_lots or algo.close_position)
        status = VenueStatus.FILLED if whole else VenueStatus.CANCELLED
    elif algo.status == "TRIGGERED" and algo.filled_lots:
        status = VenueStatus.PARTIALLY_FILLED
    else:
        status = _ALGO_STATUS.get(algo.status, VenueStatus.OTHER)
    return OrderReport(
        order_id=order_id_from_text(algo.client_algo_id, account_tag=account_tag),
        client_id=algo.client_algo_id,
        venue_order_id=str(algo.actual_order_id if plain else algo.algo_id),
        instrument=algo.symbol,
        side=algo.side,
        status=status,
        qty_lots=algo.qty_lots,
        filled_lots=algo.filled_lots,
        price_ticks=algo.price_ticks or None,
        reduce_only=algo.reduce_only,
        conditional=not plain,
        venue_ns=algo.updated_ns,
        trigger_ticks=algo.trigger_ticks or None,
        close_position=algo.close_position,
    )


def trade_report(fill: Fill, account_tag: int) -> TradeReport:
    """An execution as the user stream tells it."""
    return TradeReport(
        trade_id=str(fill.trade_id),
        order_id=order_id_from_text(fill.client_id, account_tag=account_tag),
        client_id=fill.client_id,
        venue_order_id=str(fill.order_id),
        instrument=fill.symbol,
        side=fill.side,
        qty_lots=fill.qty_lots,
        price_ticks=fill.price_ticks,
        fee_e8=fill.fee_e8,
        fee_asset=fill.fee_asset,
        maker=fill.maker,
        venue_ns=fill.venue_ns,
        cause=_CAUSE[fill.cause],
    )


def listed_trade(fill: Fill) -> TradeReport:
    """An execution as the venue's list tells it: by its own order id only, and without a cause."""
    return TradeReport(
        trade_id=str(fill.trade_id),
        order_id=None,
        client_id="",
        venue_order_id=str(fill.order_id),
        instrument=fill.symbol,
        side=fill.side,
        qty_lots=fill.qty_lots,
        price_ticks=fill.price_ticks,
        fee_e8=fill.fee_e8,
        fee_asset=fill.fee_asset,
        maker=fill.maker,
        venue_ns=fill.venue_ns,
    )


def cash_report(income: Income) -> CashReport:
    """One entry of the income list."""
    return CashReport(
        cash_id=f"{income.kind}:{income.tran_id}",
        kind=income.kind,
        asset=income.asset,
        amount_e8=income.amount_e8,
        instrument=income.symbol,
        venue_ns=income.venue_ns,
    )


def events_of(event: SimEvent, *, account_tag: int, wall_ns: int, mono_ns: int) -> tuple[Event, ...]:
    """What the user stream says of an engine event, stamped with the time of its arrival."""
    match event:
        case OrderEvent(order=order, fill=fill):
            report = order_report(order, account_tag)
            if fill is None:
                return (OrderReported(wall_ns=wall_ns, mono_ns=mono_ns, report=report),)
            trade = trade_report(fill, account_tag)
            return (TradeReported(wall_ns=wall_ns, mono_ns=mono_ns, trade=trade, report=report),)
        case AlgoEvent(algo=algo):
            report = algo_report(algo, account_tag)
            return (OrderReported(wall_ns=wall_ns, mono_ns=mono_ns, report=report),)
        case BustEvent(fill=taken, why=why):
            bust = BustReport(trade=trade_report(taken, account_tag), venue_ns=event.now_ns, why=why)
            return (TradeBusted(wall_ns=wall_ns, mono_ns=mono_ns, bust=bust),)
        case AccountEvent(reason="ORDER"):
            return ()
        case AccountEvent(reason=reason, balances=balances):
            return tuple(
                CashHinted(wall_ns=wall_ns, mono_ns=mono_ns, kind=reason, asset=change.asset)
                for change in balances
            )
        case ConfigEvent(multi_assets=None):
            kind, symbol, text = (
                NoticeKind.LEVERAGE_CHANGED,
                event.symbol,
                f"leverage is {event.leverage} now",
            )
        case ConfigEvent():
            on = "on" if event.multi_assets else "off"
            kind, symbol, text = NoticeKind.POSITION_MODE_CHANGED, "", f"multi-assets {on}"
        case MarginCallEvent(positions=positions):
            names = ",".join(position.symbol for position in positions)
            kind, text = NoticeKind.MARGIN_CALL, names[:160]
            symbol = positions[0].symbol if len(positions) == 1 else ""
        case _:
            kind, symbol = NoticeKind.TRIGGER_REJECTED, event.symbol
            text = f"{event.order_id}: {event.reason}"[:200]
    return (VenueNotice(wall_ns=wall_ns, mono_ns=mono_ns, kind=kind, instrument=symbol, text=text),)
