"""User-stream messages: the exchange's events in Binance's one-letter words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType, field

from holdfast.sim.margin import maintenance_e8
from holdfast.sim.model import (
    Account,
    AccountEvent,
    AlgoEvent,
    AlgoOrder,
    BustEvent,
    ConfigEvent,
    MarginCallEvent,
    Order,
    OrderEvent,
    Position,
    SimEvent,
    TriggerRejectedEvent,
)
from holdfast.sim.server.numerals import bare, fixed, money, money_or_zero
from holdfast.sim.server.venue import Venue
from holdfast.sim.server.wire_orders import actual_type

_SIDE = {1: "BUY", -1: "SELL"}


class _Event(Struct, kw_only=True):
    kind: str = field(name="e")
    event_ms: int = field(name="E")
    transact_ms: int = field(name="T")


class OrderUpdate(Struct, kw_only=True):
    """The object ``o`` of ORDER_TRADE_UPDATE. ``trailing_*`` only of trailing stops."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: str = field(name="S")
    type: str = field(name="o")
    tif: str = field(name="f")
    qty: str = field(name="q")
    price: str = field(name="p")
    average: str = field(name="ap")
    trigger: str = field(name="sp")
    execution: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    last_qty: str = field(name="l")
    filled_qty: str = field(name="z")
    last_price: str = field(name="L")
    fee: str = field(name="n")
    fee_asset: str = field(name="N")
    order_ms: int = field(name="T")
    trade_id: int = field(name="t")
    bids_notional: str = field(name="b")
    asks_notional: str = field(name="a")
    maker: bool = field(name="m")
    reduce_only: bool = field(name="R")
    working_type: str = field(name="wt")
    orig_type: str = field(name="ot")
    position_side: str = field(name="ps")
    close_position: bool = field(name="cp")
    realised: str = field(name="rp")
    price_protect: bool = field(name="pP")
    ignored_si: int = field(name="si", default=0)
    ignored_ss: int = field(name="ss", default=0)
    stp: str = field(name="V")
    price_match: str = field(name="pm", default="NONE")
    good_till_ms: int = field(name="gtd", default=0)
    expiry_reason: str = field(name="er", default="0")
    trailing_activation: str | UnsetType = field(name="AP", default=UNSET)
    trailing_rate: str | UnsetType = field(name="cr", default=UNSET)


class OrderTradeUpdate(_Event, kw_only=True):
    """An order changed or was filled."""

    order: OrderUpdate = field(name="o")


class TradeLite(_Event, kw_only=True):
    """A fill, told with less and sooner."""

    symbol: str = field(name="s")
    qty: str = field(name="q")
    price: str = field(name="p")
    maker: bool = field(name="m")
    client_id: str = field(name="c")
    side: str = field(name="S")
    last_price: str = field(name="L")
    last_qty: str = field(name="l")
    trade_id: int = field(name="t")
    order_id: int = field(name="i")


class BalanceUpdate(Struct, kw_only=True):
    """One wallet of ACCOUNT_UPDATE."""

    asset: str = field(name="a")
    wallet: str = field(name="wb")
    cross_wallet: str = field(name="cw")
    change: str = field(name="bc")


class PositionUpdate(Struct, kw_only=True):
    """One position of ACCOUNT_UPDATE."""

    symbol: str = field(name="s")
    amount: str = field(name="pa")
    entry: str = field(name="ep")
    realised: str = field(name="cr")
    unrealised: str = field(name="up")
    margin_type: str = field(name="mt")
    isolated_wallet: str = field(name="iw", default="0")
    position_side: str = field(name="ps")
    margin_asset: str = field(name="ma")
    break_even: str = field(name="bep")


class AccountChanges(Struct, kw_only=True):
    """The object ``a`` of ACCOUNT_UPDATE."""

    reason: str = field(name="m")
    balances: list[BalanceUpdate] = field(name="B")
    positions: list[PositionUpdate] = field(name="P")


class AccountUpdate(_Event, kw_only=True):
    """Balances or positions changed."""

    changes: AccountChanges = field(name="a")


class AlgoChanges(Struct, kw_only=True):
    """The object ``o`` of ALGO_UPDATE. ``actual_*`` from the trigger on; ``reject_reason`` where there is one."""

    client_algo_id: str = field(name="caid")
    algo_id: int = field(name="aid")
    algo_type: str = field(name="at", default="CONDITIONAL")
    type: str = field(name="o")
    symbol: str = field(name="s")
    side: str = field(name="S")
    position_side: str = field(name="ps")
    tif: str = field(name="f")
    qty: str = field(name="q")
    status: str = field(name="X")
    actual_order_id: str = field(name="ai")
    actual_average: str = field(name="ap")
    actual_qty: str = field(name="aq")
    actual_type: str = field(name="act")
    trigger: str = field(name="tp")
    price: str = field(name="p")
    stp: str = field(name="V")
    working_type: str = field(name="wt")
    price_match: str = field(name="pm", default="NONE")
    close_position: bool = field(name="cp")
    price_protect: bool = field(name="pP")
    reduce_only: bool = field(name="R")
    trigger_ms: int = field(name="tt")
    good_till_ms: int = field(name="gtd")
    reject_reason: str | UnsetType = field(name="rm", default=UNSET)


class AlgoUpdate(_Event, kw_only=True):
    """A conditional order changed."""

    order: AlgoChanges = field(name="o")


class LeverageChange(Struct, kw_only=True):
    """The object ``ac`` of ACCOUNT_CONFIG_UPDATE."""

    symbol: str = field(name="s")
    leverage: int = field(name="l")


class AssetsModeChange(Struct, kw_only=True):
    """The object ``ai`` of ACCOUNT_CONFIG_UPDATE."""

    multi_assets: bool = field(name="j")


class AccountConfigUpdate(_Event, kw_only=True):
    """Leverage or multi-assets mode changed: one of the two objects is there."""

    leverage: LeverageChange | UnsetType = field(name="ac", default=UNSET)
    assets_mode: AssetsModeChange | UnsetType = field(name="ai", default=UNSET)


class CalledPosition(Struct, kw_only=True):
    """One position of MARGIN_CALL."""

    symbol: str = field(name="s")
    position_side: str = field(name="ps")
    amount: str = field(name="pa")
    margin_type: str = field(name="mt")
    isolated_wallet: str = field(name="iw", default="0")
    mark: str = field(name="mp")
    unrealised: str = field(name="up")
    maintenance: str = field(name="mm")


class MarginCall(Struct, kw_only=True):
    """The account comes near liquidation."""

    kind: str = field(name="e", default="MARGIN_CALL")
    event_ms: int = field(name="E")
    cross_wallet: str = field(name="cw")
    positions: list[CalledPosition] = field(name="p")


class TriggerReject(Struct, kw_only=True):
    """The object ``or`` of CONDITIONAL_ORDER_TRIGGER_REJECT."""

    symbol: str = field(name="s")
    order_id: int = field(name="i")
    reason: str = field(name="r")


class ConditionalOrderTriggerReject(_Event, kw_only=True):
    """What a conditional order became was refused."""

    rejected: TriggerReject = field(name="or")


class ListenKeyExpired(Struct, kw_only=True):
    """The last message under a listen key."""

    kind: str = field(name="e", default="listenKeyExpired")
    event_ms: int = field(name="E")
    listen_key: str = field(name="listenKey")


UserMessage = (
    OrderTradeUpdate
    | TradeLite
    | AccountUpdate
    | AlgoUpdate
    | AccountConfigUpdate
    | MarginCall
    | ConditionalOrderTriggerReject
    | ListenKeyExpired
)


def messages_of(venue: Venue, account: Account, event: SimEvent) -> Sequence[tuple[str, str, UserMessage]]:
    """The messages that tell one event: (kind, symbol, message). A fill is told twice, lite first."""
    times = {"event_ms": venue.shown_ms(venue.now_ns()), "transact_ms": venue.shown_ms(event.now_ns)}
    match event:
        case OrderEvent():
            symbol = event.order.symbol
            update = OrderTradeUpdate(kind="ORDER_TRADE_UPDATE", **times, order=_order(venue, account, event))
            told: list[tuple[str, str, UserMessage]] = [("ORDER_TRADE_UPDATE", symbol, update)]
            if event.execution == "TRADE" and event.fill is not None:
                told.insert(0, ("TRADE_LITE", symbol, _lite(venue, event, times)))
            return told
        case AccountEvent():
            update_ = AccountUpdate(kind="ACCOUNT_UPDATE", **times, changes=_changes(venue, account, event))
            symbol = event.positions[0].symbol if event.positions else ""
            return [("ACCOUNT_UPDATE", symbol, update_)]
        case AlgoEvent():
            algo = AlgoUpdate(kind="ALGO_UPDATE", **times, order=_algo(venue, event.algo))
            return [("ALGO_UPDATE", event.algo.symbol, algo)]
        case ConfigEvent():
            changed = AccountConfigUpdate(
                kind="ACCOUNT_CONFIG_UPDATE", event_ms=times["event_ms"], transact_ms=times["transact_ms"]
            )
            if event.symbol:
                changed.leverage = LeverageChange(symbol=event.symbol, leverage=event.leverage)
            else:
                changed.assets_mode = AssetsModeChange(multi_assets=bool(event.multi_assets))
            return [("ACCOUNT_CONFIG_UPDATE", event.symbol, changed)]
        case MarginCallEvent():
            return [("MARGIN_CALL", "", _margin_call(venue, event, times["event_ms"]))]
        case BustEvent():
            return []  # Binance has no word for it: the ACCOUNT_UPDATE behind it is all that is told
        case TriggerRejectedEvent():
            refusal = TriggerReject(symbol=event.symbol, order_id=event.order_id, reason=event.reason)
            kind = "CONDITIONAL_ORDER_TRIGGER_REJECT"
            return [(kind, event.symbol, ConditionalOrderTriggerReject(kind=kind, **times, rejected=refusal))]


def _order(venue: Venue, account: Account, event: OrderEvent) -> OrderUpdate:
    order, fill = event.order, event.fill
    numerals = venue.market.symbols[order.symbol].numerals
    position = account.positions.get((order.symbol, order.position_side))
    quote = numerals.quote
    return OrderUpdate(
        symbol=order.symbol,
        client_id=order.client_id,
        side=_SIDE[order.side],
        type=order.type,
        tif=order.tif,
        qty=numerals.bare_qty(order.qty_lots),
        price=_price(venue, order, order.price_ticks),
        average=bare(numerals.average(order.cost_tick_lots, order.filled_lots)),
        trigger=_price(venue, order, order.trigger_ticks),
        execution=event.execution,
        status=order.status,
        order_id=order.order_id,
        last_qty=numerals.bare_qty(fill.qty_lots) if fill else "0",
        filled_qty=numerals.bare_qty(order.filled_lots),
        last_price=_price(venue, order, fill.price_ticks) if fill else "0",
        fee=money(fill.fee_e8) if fill and fill.fee_e8 else "0",
        fee_asset=fill.fee_asset if fill else venue.market.symbols[order.symbol].spec.settle_asset,
        order_ms=venue.shown_ms(event.now_ns),
        trade_id=fill.trade_id if fill else 0,
        bids_notional=quote(position.buy_tick_lots) if position and position.buy_tick_lots else "0",
        asks_notional=quote(position.sell_tick_lots) if position and position.sell_tick_lots else "0",
        maker=fill.maker if fill else False,
        reduce_only=order.reduce_only,
        working_type=order.working_type,
        orig_type=order.orig_type,
        position_side=order.position_side,
        close_position=order.close_position,
        realised=money_or_zero(fill.realised_e8) if fill else "0",
        price_protect=order.price_protect,
        stp=order.stp,
        good_till_ms=venue.shown_ms(order.good_till_ns) if order.good_till_ns else 0,
    )


def _price(venue: Venue, order: Order, ticks: int) -> str:
    return venue.market.symbols[order.symbol].numerals.price(ticks) if ticks else "0"


def _lite(venue: Venue, event: OrderEvent, times: dict[str, int]) -> TradeLite:
    order, fill = event.order, event.fill
    numerals = venue.market.symbols[order.symbol].numerals
    return TradeLite(
        kind="TRADE_LITE",
        **times,
        symbol=order.symbol,
        qty=numerals.bare_qty(order.qty_lots),
        price=_price(venue, order, order.price_ticks),
        maker=fill.maker if fill else False,
        client_id=order.client_id,
        side=_SIDE[order.side],
        last_price=_price(venue, order, fill.price_ticks if fill else 0),
        last_qty=numerals.bare_qty(fill.qty_lots if fill else 0),
        trade_id=fill.trade_id if fill else 0,
        order_id=order.order_id,
    )


def _changes(venue: Venue, account: Account, event: AccountEvent) -> AccountChanges:
    return AccountChanges(
        reason=event.reason,
        balances=[
            BalanceUpdate(
                asset=one.asset,
                wallet=money(one.wallet_e8),
                cross_wallet=money(one.wallet_e8),
                # A balance change that a trade made is told by the order update; here it is only of other causes.
                change="0" if event.reason == "ORDER" else money_or_zero(one.change_e8),
            )
            for one in event.balances
        ],
        positions=[_position(venue, one) for one in event.positions],
    )


def _position(venue: Venue, position: Position) -> PositionUpdate:
    view = venue.market.symbols[position.symbol]
    entry = entry_text(venue, position)
    return PositionUpdate(
        symbol=position.symbol,
        amount=view.numerals.bare_qty(position.position_lots),
        entry=entry,
        realised=money_or_zero(position.realised_e8),
        unrealised=money_or_zero(unrealised_e8(venue, position)),
        margin_type="isolated" if position.margin_type == "isolated" else "cross",
        position_side=position.position_side,
        margin_asset=view.spec.settle_asset,
        break_even=entry,
    )


def entry_text(venue: Venue, position: Position) -> str:
    """Average entry price to eight decimals, without trailing zeros; "0" when flat."""
    if not position.position_lots:
        return "0"
    numerals = venue.market.symbols[position.symbol].numerals
    return bare(numerals.average_of_money(position.cost_e8, position.position_lots))


def unrealised_e8(venue: Venue, position: Position) -> int:
    """What closing the position at the mark would make."""
    unit_e8 = venue.market.symbols[position.symbol].spec.tick_lot_e8
    return position.position_lots * venue.exchange.mark_ticks(position.symbol) * unit_e8 - position.cost_e8


def maintenance_of(venue: Venue, position: Position) -> int:
    """What must be kept for a position at the mark."""
    unit_e8 = venue.market.symbols[position.symbol].spec.tick_lot_e8
    notional_e8 = abs(position.position_lots) * venue.exchange.mark_ticks(position.symbol) * unit_e8
    return maintenance_e8(venue.exchange.config.rules_of(position.symbol).brackets, notional_e8)


def _algo(venue: Venue, algo: AlgoOrder) -> AlgoChanges:
    numerals = venue.market.symbols[algo.symbol].numerals
    return AlgoChanges(
        client_algo_id=algo.client_algo_id,
        algo_id=algo.algo_id,
        type=algo.type,
        symbol=algo.symbol,
        side=_SIDE[algo.side],
        position_side=algo.position_side,
        tif=algo.tif,
        qty=numerals.bare_qty(algo.qty_lots),
        status=algo.status,
        actual_order_id=str(algo.actual_order_id) if algo.actual_order_id else "",
        actual_average=numerals.average(algo.cost_tick_lots, algo.filled_lots),
        actual_qty=bare(numerals.qty(algo.filled_lots)) if algo.filled_lots else fixed(0, 5),
        actual_type=actual_type(algo) if algo.actual_order_id else "0",
        trigger=numerals.bare_price(algo.trigger_ticks),
        price=numerals.bare_price(algo.price_ticks),
        stp=algo.stp,
        working_type=algo.working_type,
        close_position=algo.close_position,
        price_protect=algo.price_protect,
        reduce_only=algo.reduce_only,
        trigger_ms=venue.shown_ms(algo.triggered_ns) if algo.triggered_ns else 0,
        good_till_ms=venue.shown_ms(algo.good_till_ns) if algo.good_till_ns else 0,
        reject_reason=algo.reject_reason or UNSET,
    )


def _margin_call(venue: Venue, event: MarginCallEvent, event_ms: int) -> MarginCall:
    called = []
    for position in event.positions:
        numerals = venue.market.symbols[position.symbol].numerals
        mark_ticks = venue.exchange.mark_ticks(position.symbol)
        called.append(
            CalledPosition(
                symbol=position.symbol,
                position_side=position.position_side,
                amount=numerals.bare_qty(position.position_lots),
                margin_type="ISOLATED" if position.margin_type == "isolated" else "CROSSED",
                mark=bare(numerals.mark(mark_ticks)),
                unrealised=money_or_zero(unrealised_e8(venue, position)),
                maintenance=money_or_zero(maintenance_of(venue, position)),
            )
        )
    return MarginCall(event_ms=event_ms, cross_wallet=money(event.wallet_e8), positions=called)
