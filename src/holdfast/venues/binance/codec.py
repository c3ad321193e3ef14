"""Our requests as Binance's parameters, and Binance's replies as our reports. Pure; exact; never guesses.

Errors: Unreadable (with what could not be read) for a reply that does not say what it must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from holdfast.venues.binance import wire
from holdfast.vocab.ids import client_id_text, order_id_from_text
from holdfast.vocab.instruments import InstrumentSpec, InstrumentStatus, tick_lot_e8
from holdfast.vocab.orders import OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.reports import (
    BalanceReport,
    CashReport,
    FillCause,
    OrderReport,
    PositionReport,
    Positions,
    TradeReport,
    VenueStatus,
)
from holdfast.vocab.requests import AmendOrder, CancelOrder, PlaceOrder
from holdfast.vocab.units import (
    E8,
    E8_UNIT,
    NS_PER_MS,
    NotANumber,
    decimal_of,
    e8_of,
    text_of,
    units_ceil,
    units_floor,
    whole_units,
)

Params = dict[str, str]
T = TypeVar("T")


class Unreadable(ValueError):
    """A reply that does not say what it must, or says it in a way we do not know."""


class Grid(Struct, frozen=True, kw_only=True):
    """One instrument's spec with its units as decimals, so that they are parsed once."""

    spec: InstrumentSpec
    tick: Decimal
    lot: Decimal

    @staticmethod
    def of(spec: InstrumentSpec) -> Grid:
        """The grid of a spec."""
        return Grid(spec=spec, tick=Decimal(spec.tick), lot=Decimal(spec.lot))

    def lots(self, text: str) -> int:
        """A size in lots, exactly. Raises Unreadable."""
        return _whole(text, self.lot, self.spec.instrument)

    def ticks(self, text: str) -> int:
        """A price in ticks, exactly. Raises Unreadable."""
        return _whole(text, self.tick, self.spec.instrument)

    def cost_e8(self, entry_price: str, lots: int) -> int:
        """What a position was entered for, signed, in 10⁻⁸, against us; 0 without a price. Raises Unreadable."""
        exact = _decimal(entry_price or "0") / self.tick * lots * self.spec.tick_lot_e8
        return int(exact.to_integral_value(rounding=ROUND_CEILING))

    def ticks_or_none(self, text: str | None) -> int | None:
        """A price in ticks, None for none (Binance writes 0)."""
        if not text:
            return None
        return self.ticks(text) or None


def _whole(text: str, unit: Decimal, instrument: str) -> int:
    try:
        return whole_units(text, unit)
    except NotANumber as error:
        raise Unreadable(f"{instrument}: {error}") from error


STATUS: Final = {
    "NEW": VenueStatus.NEW,
    "PARTIALLY_FILLED": VenueStatus.PARTIALLY_FILLED,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELLED,
    "EXPIRED": VenueStatus.EXPIRED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
    "REJECTED": VenueStatus.REJECTED,
    "NEW_INSURANCE": VenueStatus.NEW,
    "NEW_ADL": VenueStatus.NEW,
}
_ALGO_STATUS: Final = {
    "NEW": VenueStatus.NEW,
    "TRIGGERING": VenueStatus.NEW,
    "TRIGGERED": VenueStatus.NEW,
    "CANCELED": VenueStatus.CANCELLED,
    "REJECTED": VenueStatus.REJECTED,
    "EXPIRED": VenueStatus.EXPIRED,
}
_SIDE: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_SIDE_TEXT: Final = {Side.BUY: "BUY", Side.SELL: "SELL"}
_TYPE_TEXT: Final = {
    OrderType.LIMIT: "LIMIT",
    OrderType.MARKET: "MARKET",
    OrderType.STOP_MARKET: "STOP_MARKET",
    OrderType.TAKE_PROFIT_MARKET: "TAKE_PROFIT_MARKET",
}
_TIF_TEXT: Final = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "GTX",
}
_CAUSES: Final = (
    ("adl_autoclose", FillCause.ADL),
    ("autoclose-", FillCause.LIQUIDATION),
    ("settlement_autoclose-", FillCause.SETTLEMENT),
    ("delivery_autoclose-", FillCause.SETTLEMENT),
)


def side_of(text: str) -> Side:
    """Binance's side. Raises Unreadable."""
    side = _SIDE.get(text)
    if side is None:
        raise Unreadable(f"side {text!r}")
    return side


def cause_of(client_id: str) -> FillCause:
    """Whose order it was: the venue names its own acts in the client id."""
    for prefix, cause in _CAUSES:
        if client_id.startswith(prefix):
            return cause
    return FillCause.ORDER


class Book(Struct, frozen=True, kw_only=True):
    """What replies are read against: our instruments, and our tag in client ids."""

    account_tag: int
    grids: Mapping[str, Grid]

    def grid(self, symbol: str) -> Grid:
        """The instrument of this symbol. Raises Unreadable for one that we have no facts of."""
        grid = self.grids.get(symbol)
        if grid is None:
            raise Unreadable(f"instrument {symbol!r} is not configured")
        return grid

    def client_id(self, order_id: int) -> str:
        """Our order id as the venue sees it."""
        return client_id_text(account_tag=self.account_tag, order_id=order_id)

    def order_id(self, client_id: str) -> int | None:
        """Our order id behind a client id; None for a foreign one."""
        return order_id_from_text(client_id, account_tag=self.account_tag)


# --- requests -----------------------------------------------------------------------------------------------


def is_conditional(terms: OrderTerms) -> bool:
    """Whether the order rests as an algo order until triggered."""
    return terms.order_type in (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


def place_params(book: Book, request: PlaceOrder) -> Params:
    """``POST /fapi/v1/order``, or ``/algoOrder`` for a conditional order. Raises Unreadable for senseless terms."""
    terms = request.terms
    grid = book.grid(terms.instrument)
    if terms.qty_lots <= 0 and not terms.close_position:
        raise Unreadable("a size that is not above zero")
    client_id = book.client_id(request.order_id)
    params: Params = {
        "symbol": terms.instrument,
        "side": _SIDE_TEXT[terms.side],
        "type": _TYPE_TEXT[terms.order_type],
    }
    if is_conditional(terms):
        if terms.trigger_ticks is None or terms.trigger_ticks <= 0:
            raise Unreadable("a conditional order without a trigger price")
        params = {
            "algoType": "CONDITIONAL",
            **params,
            "triggerPrice": text_of(terms.trigger_ticks, grid.tick),
        }
        if terms.close_position:
            params["closePosition"] = "true"
        else:
            params["quantity"] = text_of(terms.qty_lots, grid.lot)
            if terms.reduce_only:
                params["reduceOnly"] = "true"
        params["clientAlgoId"] = client_id
        params["newOrderRespType"] = "RESULT"
        return params
    params["quantity"] = text_of(terms.qty_lots, grid.lot)
    if terms.order_type is OrderType.LIMIT:
        if terms.price_ticks is None or terms.price_ticks <= 0:
            raise Unreadable("a limit order without a price")
        params["price"] = text_of(terms.price_ticks, grid.tick)
        params["timeInForce"] = _TIF_TEXT[terms.tif]
    if terms.reduce_only:
        params["reduceOnly"] = "true"
    params["newClientOrderId"] = client_id
    params["newOrderRespType"] = "RESULT"
    return params


def amend_params(book: Book, request: AmendOrder) -> Params:
    """``PUT /fapi/v1/order``: by our id, so that it is always ours that is amended."""
    grid = book.grid(request.instrument)
    if request.qty_lots <= 0 or request.price_ticks <= 0:
        raise Unreadable("a size or price that is not above zero")
    return {
        "symbol": request.instrument,
        "side": _SIDE_TEXT[request.side],
        "quantity": text_of(request.qty_lots, grid.lot),
        "price": text_of(request.price_ticks, grid.tick),
        "origClientOrderId": book.client_id(request.order_id),
    }


def cancel_params(book: Book, request: CancelOrder) -> Params:
    """``DELETE /fapi/v1/order`` or ``/algoOrder``: ours by our id, a foreign one by the venue's."""
    if request.conditional:
        if request.order_id is not None:
            return {"clientAlgoId": book.client_id(request.order_id)}
        return {"algoId": _venue_id(request.venue_order_id)}
    if request.order_id is not None:
        return {"symbol": request.instrument, "origClientOrderId": book.client_id(request.order_id)}
    return {"symbol": request.instrument, "orderId": _venue_id(request.venue_order_id)}


def _venue_id(text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise Unreadable(f"venue order id {text!r}")
    return text


# --- replies ------------------------------------------------------------------------------------------------


def read(body: str, kind: type[T]) -> T:
    """A reply as a record. Raises Unreadable."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Unreadable(str(error)[:160]) from error


def word_of(body: str) -> wire.Word | None:
    """The venue's code and message, where the body is an object that has them."""
    try:
        return msgspec.json.decode(body, type=wire.Word)
    except msgspec.MsgspecError:
        return None


def code_of(word: wire.Word | None) -> int | None:
    """The code as a number; Binance sends it as text here and there."""
    if word is None or word.code is None:
        return None
    try:
        return int(word.code)
    except ValueError:
        return None


def order_report(book: Book, reply: wire.OrderReply) -> OrderReport:
    """A plain order. Raises Unreadable."""
    grid = book.grid(reply.symbol)
    if reply.order_id <= 0:
        raise Unreadable("an order without an id")
    return OrderReport(
        order_id=book.order_id(reply.client_order_id),
        client_id=reply.client_order_id,
        venue_order_id=str(reply.order_id),
        instrument=reply.symbol,
        side=side_of(reply.side),
        status=STATUS.get(reply.status, VenueStatus.OTHER),
        qty_lots=grid.lots(reply.orig_qty),
        filled_lots=grid.lots(reply.executed_qty),
        price_ticks=grid.ticks_or_none(reply.price),
        reduce_only=reply.reduce_only,
        conditional=False,
        venue_ns=reply.update_time * NS_PER_MS,
        trigger_ticks=grid.ticks_or_none(reply.stop_price),
        close_position=reply.close_position,
    )


def algo_report(book: Book, reply: wire.AlgoReply) -> OrderReport:
    """A conditional order. Raises Unreadable."""
    return conditional_report(
        book,
        wire.AlgoNews(
            client_id=reply.client_algo_id,
            algo_id=reply.algo_id,
            symbol=reply.symbol,
            side=reply.side,
            qty=reply.quantity,
            status=reply.algo_status,
            trigger_price=reply.trigger_price,
            price=reply.price,
            actual_id=str(reply.actual_order_id or ""),
            actual_qty=reply.actual_qty,
            reduce_only=reply.reduce_only,
            close_position=reply.close_position,
        ),
        venue_ms=reply.update_time,
    )


def conditional_report(book: Book, news: wire.AlgoNews, *, venue_ms: int) -> OrderReport:
    """A conditional order; once triggered it is a plain one under the matching engine's id. Raises Unreadable."""
    grid = book.grid(news.symbol)
    if news.algo_id <= 0:
        raise Unreadable("a conditional order without an id")
    qty_lots = grid.lots(news.qty or "0")
    filled_lots = grid.lots(news.actual_qty or "0")
    status = _ALGO_STATUS.get(news.status, VenueStatus.OTHER)
    if news.status == "FINISHED":
        whole = filled_lots > 0 and (filled_lots >= qty_lots or news.close_position)
        status = VenueStatus.FILLED if whole else VenueStatus.CANCELLED
    elif news.status == "TRIGGERED" and filled_lots:
        status = VenueStatus.PARTIALLY_FILLED
    plain = bool(news.actual_id) and news.actual_id != "0"
    return OrderReport(
        order_id=book.order_id(news.client_id),
        client_id=news.client_id,
        venue_order_id=news.actual_id if plain else str(news.algo_id),
        instrument=news.symbol,
        side=side_of(news.side),
        status=status,
        qty_lots=qty_lots,
        filled_lots=filled_lots,
        price_ticks=grid.ticks_or_none(news.price),
        reduce_only=news.reduce_only,
        conditional=not plain,
        venue_ns=venue_ms * NS_PER_MS,
        trigger_ticks=grid.ticks_or_none(news.trigger_price),
        close_position=news.close_position,
    )


def trade_report(book: Book, row: wire.TradeRow) -> TradeReport:
    """One of our executions; this list names orders by the venue's id only. Raises Unreadable."""
    grid = book.grid(row.symbol)
    return TradeReport(
        trade_id=str(row.id),
        order_id=None,
        client_id="",
        venue_order_id=str(row.order_id),
        instrument=row.symbol,
        side=side_of(row.side),
        qty_lots=grid.lots(row.qty),
        price_ticks=grid.ticks(row.price),
        fee_e8=fee_e8(row.commission),
        fee_asset=row.commission_asset,
        maker=row.maker,
        venue_ns=row.time * NS_PER_MS,
    )


def fee_e8(text: str) -> int:
    """A fee in 10⁻⁸, > 0 paid, rounded against us beyond the eighth digit. Raises Unreadable."""
    try:
        return units_ceil(text, E8_UNIT)
    except NotANumber as error:
        raise Unreadable(f"fee: {error}") from error


def amount_e8(text: str) -> int:
    """An amount in 10⁻⁸. Raises Unreadable."""
    try:
        return e8_of(text)
    except NotANumber as error:
        raise Unreadable(f"amount: {error}") from error


def positions_report(book: Book, rows: Iterable[wire.PositionRow], *, source: int) -> Positions:
    """All non-zero positions, net per instrument. Raises Unreadable."""
    lots: dict[str, int] = {}
    rest: dict[str, tuple[int, int]] = {}
    costs: dict[str, int] = {}
    unlisted: dict[str, None] = {}
    for row in rows:
        grid = book.grids.get(row.symbol)
        if grid is None:
            if _decimal(row.position_amt):
                unlisted[row.symbol] = None
            continue
        amount = grid.lots(row.position_amt)
        lots[row.symbol] = lots.get(row.symbol, 0) + amount
        costs[row.symbol] = costs.get(row.symbol, 0) + grid.cost_e8(row.entry_price, amount)
        mark = _decimal(row.mark_price or "0") / grid.tick
        rest[row.symbol] = (int(mark + Decimal("0.5")), row.update_time * NS_PER_MS)
    return Positions(
        positions=tuple(
            PositionReport(
                instrument=symbol,
                position_lots=amount,
                mark_ticks=rest[symbol][0],
                venue_ns=rest[symbol][1],
                cost_e8=costs[symbol] or None,
            )
            for symbol, amount in lots.items()
            if amount
        ),
        unlisted=tuple(unlisted),
        source=source,
    )


def _decimal(text: str) -> Decimal:
    try:
        return decimal_of(text)
    except NotANumber as error:
        raise Unreadable(str(error)) from error


def balance_reports(rows: Iterable[wire.AssetRow]) -> tuple[BalanceReport, ...]:
    """Wallet balances. Raises Unreadable."""
    return tuple(BalanceReport(asset=row.asset, wallet_e8=amount_e8(row.wallet_balance)) for row in rows)


def cash_report(row: wire.IncomeRow) -> CashReport:
    """One entry of the income list. Its number is unique per kind only, so the kind is part of our id."""
    return CashReport(
        cash_id=f"{row.income_type}:{row.tran_id}",
        kind=row.income_type,
        asset=row.asset,
        amount_e8=amount_e8(row.income),
        instrument=row.symbol or "",
        venue_ns=row.time * NS_PER_MS,
    )


# --- instruments --------------------------------------------------------------------------------------------

_TRADING: Final = {"TRADING": InstrumentStatus.TRADING}
_HALTED: Final = frozenset({"PENDING_TRADING", "PRE_DELIVERING", "PRE_SETTLE", "BREAK", "HALT"})


def spec_of(row: wire.SymbolRow) -> InstrumentSpec:
    """One instrument's facts. Raises Unreadable for one that cannot be counted exactly."""
    filters = {item.filter_type: item for item in row.filters}
    try:
        tick = text_of(1, decimal_of(filters["PRICE_FILTER"].tick_size))
        lots = filters["LOT_SIZE"]
        lot = text_of(1, decimal_of(lots.step_size))
        market = filters.get("MARKET_LOT_SIZE", lots)
        notional = filters.get("MIN_NOTIONAL")
        unit = Decimal(lot)
        if unit <= 0 or Decimal(tick) <= 0:
            raise Unreadable(f"{row.symbol}: tick {tick} or lot {lot} is not above zero")
        symbol = f"{row.base_asset}/{row.quote_asset}:{row.margin_asset}"
        status = _TRADING.get(row.status) or (
            InstrumentStatus.HALTED if row.status in _HALTED else InstrumentStatus.CLOSED
        )
        return InstrumentSpec(
            instrument=row.symbol,
            symbol=symbol,
            base_asset=row.base_asset,
            quote_asset=row.quote_asset,
            settle_asset=row.margin_asset,
            tick=tick,
            lot=lot,
            tick_lot_e8=tick_lot_e8(tick=tick, lot=lot),
            qty_lots_min=max(1, units_ceil(lots.min_qty, unit)),
            qty_lots_max=units_floor(lots.max_qty, unit),
            market_lots_max=units_floor(market.max_qty, unit),
            notional_e8_min=units_ceil(notional.notional, Decimal(1) / E8) if notional is not None else 0,
            status=status,
        )
    except KeyError as error:
        raise Unreadable(f"{row.symbol}: no filter {error}") from error
    except NotANumber as error:
        raise Unreadable(f"{row.symbol}: {error}") from error


def specs_again(info: wire.ExchangeInfo, known: Iterable[InstrumentSpec]) -> tuple[InstrumentSpec, ...]:
    """The known instruments' facts now: the version grows where one changed; a vanished one is closed."""
    rows = {row.symbol: row for row in info.symbols}
    now: list[InstrumentSpec] = []
    for spec in known:
        row = rows.get(spec.instrument)
        if row is None:
            fresh = msgspec.structs.replace(spec, status=InstrumentStatus.CLOSED)
        else:
            fresh = msgspec.structs.replace(spec_of(row), version=spec.version)
        now.append(fresh if fresh == spec else msgspec.structs.replace(fresh, version=spec.version + 1))
    return tuple(now)


def volume_of(book: Book, ticker: wire.Ticker24h, instrument: str) -> tuple[str, int]:
    """(instrument, whole lots of the last 24 hours). Raises Unreadable, also for another symbol's."""
    if ticker.symbol != instrument:
        raise Unreadable(f"the volume is of {ticker.symbol[:40]}, not of {instrument}")
    try:
        lots = units_floor(ticker.volume, book.grid(instrument).lot)
    except NotANumber as error:
        raise Unreadable(f"{instrument}: {error}") from None
    if lots < 0:
        raise Unreadable(f"{instrument}: a volume below zero")
    return instrument, lots
