"""ccxt's unified structures to our reports, and our integers to its exact decimal texts. Pure; never guesses.

Errors: Unreadable for a structure that does not say what it must.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from holdfast.venues.transport.hop import Verify, WireMismatch
from holdfast.vocab.ids import client_id_text, order_id_from_text
from holdfast.vocab.instruments import InstrumentSpec, InstrumentStatus, tick_lot_e8
from holdfast.vocab.orders import OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.reports import (
    BalanceReport,
    CashReport,
    OrderReport,
    PositionReport,
    TradeReport,
    VenueStatus,
)
from holdfast.vocab.units import E8, NS_PER_MS, NotANumber, text_of

_TICK_SIZE: Final = 4
_DECIMAL_PLACES: Final = 2
_HUGE_LOTS: Final = 10**15


class Unreadable(ValueError):
    """A structure that does not say what it must, or terms that cannot be written down."""


class Grid(Struct, frozen=True, kw_only=True):
    """One market: its spec, and what one lot is in the amounts that ccxt speaks (contracts, or base)."""

    spec: InstrumentSpec
    tick: Decimal
    step: Decimal
    spot: bool

    def lots(self, value: Any) -> int:
        """An amount in lots, exactly. Raises Unreadable."""
        return _whole(value, self.step, self.spec.instrument)

    def ticks(self, value: Any) -> int:
        """A price in ticks, exactly. Raises Unreadable."""
        return _whole(value, self.tick, self.spec.instrument)

    def ticks_or_none(self, value: Any) -> int | None:
        """A price in ticks; None for none, and for one off the grid (an average, a foreign order's)."""
        if value is None:
            return None
        quotient = number(value) / self.tick
        return int(quotient) or None if quotient == int(quotient) else None

    def ticks_near(self, value: Any) -> int:
        """The nearest tick; 0 for none."""
        return int(number(value) / self.tick + Decimal("0.5")) if value is not None else 0


class Book(Struct, frozen=True, kw_only=True):
    """What structures are read against."""

    account_tag: int
    grids: Mapping[str, Grid]

    def grid(self, symbol: Any) -> Grid:
        """The market of this symbol. Raises Unreadable."""
        grid = self.grids.get(symbol)
        if grid is None:
            raise Unreadable(f"instrument {symbol!r} is not configured")
        return grid

    def client_id(self, order_id: int) -> str:
        """Our order id as the venue sees it."""
        return client_id_text(account_tag=self.account_tag, order_id=order_id)

    def order_id(self, client_id: Any) -> int | None:
        """Our order id behind a client id; some venues put a prefix of theirs before it."""
        if not isinstance(client_id, str):
            return None
        tail = client_id[client_id.rfind("hf") :] if "hf" in client_id else ""
        return order_id_from_text(tail, account_tag=self.account_tag)


def number(value: Any) -> Decimal:
    """A number of ccxt's, whatever Python type it came as. Raises Unreadable."""
    try:
        result = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise Unreadable(f"not a number: {value!r}") from None
    if not result.is_finite():
        raise Unreadable(f"not a finite number: {value!r}")
    return result


def _whole(value: Any, unit: Decimal, instrument: str) -> int:
    quotient = number(value) / unit
    if quotient != int(quotient):
        raise Unreadable(f"{instrument}: {value} is not a whole multiple of {unit}")
    return int(quotient)


def _ceiling(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_CEILING))


# --- instruments --------------------------------------------------------------------------------------------


def grid_of(market: Mapping[str, Any], precision_mode: int) -> Grid:
    """One market's facts. Raises Unreadable for one that cannot be counted exactly in linear units."""
    symbol = market["symbol"]
    if market.get("inverse") or market.get("option"):
        raise Unreadable(f"{symbol}: only spot and linear contracts are counted exactly here")
    precision = market.get("precision") or {}
    tick = _unit(precision.get("price"), precision_mode, symbol, "price")
    step = _unit(precision.get("amount"), precision_mode, symbol, "amount")
    contract = number(market.get("contractSize") or 1) if market.get("contract") else Decimal(1)
    limits = market.get("limits") or {}
    amounts = limits.get("amount") or {}
    costs = limits.get("cost") or {}
    most = _lots_down(amounts.get("max"), step)
    active = market.get("active")
    try:
        spec = InstrumentSpec(
            instrument=symbol,
            symbol=symbol,
            base_asset=market["base"],
            quote_asset=market["quote"],
            settle_asset=market.get("settle") or market["quote"],
            tick=text_of(1, tick),
            lot=text_of(1, step * contract),
            tick_lot_e8=tick_lot_e8(tick=text_of(1, tick), lot=text_of(1, step * contract)),
            qty_lots_min=max(1, _ceiling(number(amounts.get("min") or 0) / step)),
            qty_lots_max=most,
            market_lots_max=most,
            notional_e8_min=_ceiling(number(costs.get("min") or 0) * E8),
            status=InstrumentStatus.CLOSED if active is False else InstrumentStatus.TRADING,
        )
    except NotANumber as error:
        raise Unreadable(f"{symbol}: {error}") from error
    return Grid(spec=spec, tick=tick, step=step, spot=bool(market.get("spot")))


def _unit(value: Any, mode: int, symbol: str, what: str) -> Decimal:
    if value is None:
        raise Unreadable(f"{symbol}: no {what} precision")
    if mode == _TICK_SIZE:
        unit = number(value)
    elif mode == _DECIMAL_PLACES:
        unit = Decimal(1).scaleb(-int(value))
    else:
        raise Unreadable(f"{symbol}: {what} precision in significant digits has no tick")
    if unit <= 0:
        raise Unreadable(f"{symbol}: {what} unit {unit} is not above zero")
    return unit


def _lots_down(value: Any, step: Decimal) -> int:
    return min(_HUGE_LOTS, int(number(value) // step)) if value else _HUGE_LOTS


# --- requests -----------------------------------------------------------------------------------------------

_TIF: Final = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
_TRIGGER: Final = {OrderType.STOP_MARKET: "stopLossPrice", OrderType.TAKE_PROFIT_MARKET: "takeProfitPrice"}


class Order(Struct, frozen=True, kw_only=True):
    """An order as ccxt's ``create_order`` takes it; numbers are exact texts."""

    type: str
    side: str
    amount: str
    price: str | None
    params: dict[str, Any]


def order_of(book: Book, order_id: int, terms: OrderTerms) -> Order:
    """Our terms in ccxt's words. Raises Unreadable for senseless ones."""
    grid = book.grid(terms.instrument)
    if terms.qty_lots <= 0:
        raise Unreadable("a size that is not above zero")
    if terms.close_position:
        raise Unreadable("close-position orders have no unified form")
    params: dict[str, Any] = {"clientOrderId": book.client_id(order_id)}
    if terms.reduce_only and not grid.spot:
        params["reduceOnly"] = True
    price = None
    if terms.order_type is OrderType.LIMIT:
        if terms.price_ticks is None or terms.price_ticks <= 0:
            raise Unreadable("a limit order without a price")
        price = text_of(terms.price_ticks, grid.tick)
        if terms.tif is TimeInForce.POST_ONLY:
            params["postOnly"] = True
        else:
            params["timeInForce"] = _TIF[terms.tif]
    elif terms.order_type in _TRIGGER:
        if terms.trigger_ticks is None or terms.trigger_ticks <= 0:
            raise Unreadable("a conditional order without a trigger price")
        params[_TRIGGER[terms.order_type]] = text_of(terms.trigger_ticks, grid.tick)
    return Order(
        type="limit" if price is not None else "market",
        side="buy" if terms.side is Side.BUY else "sell",
        amount=text_of(terms.qty_lots, grid.step),
        price=price,
        params=params,
    )


def says(numbers: Iterable[str | None], texts: Iterable[str]) -> Verify:
    """Checks that the signed request has these numbers, exactly, and ends some value with each of these texts."""
    wanted_numbers = [abs(Decimal(value)) for value in numbers if value is not None]
    wanted_texts = [text for text in texts if text]

    def verify(method: str, url: str, body: str) -> None:
        leaves = list(_leaves(url, body))
        said = {abs(value) for value in map(_maybe_number, leaves) if value is not None}
        for value in wanted_numbers:
            if value not in said:
                raise WireMismatch(f"{value} was asked, and the {method} request does not say it")
        for text in wanted_texts:
            if not any(leaf.endswith(text) for leaf in leaves):
                raise WireMismatch(f"the {method} request does not name the order")

    return verify


def _maybe_number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _leaves(url: str, body: str) -> Iterator[str]:
    parts = urlsplit(url)
    yield from parts.path.split("/")
    for _, value in parse_qsl(parts.query, keep_blank_values=True):
        yield from _values(value)
    if body.startswith(("{", "[")):
        yield from _values(body)
    else:
        for _, value in parse_qsl(body, keep_blank_values=True):
            yield from _values(value)


def _values(text: str) -> Iterator[str]:
    """A text, or the leaves of the JSON that it is, numbers as they are written."""
    if not text.startswith(("{", "[")):
        yield text
        return
    try:
        pending = [json.loads(text, parse_float=str, parse_int=str)]
    except ValueError:
        yield text
        return
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, str):
            if item.startswith(("{", "[")) and item != text:
                yield from _values(item)
            else:
                yield item


# --- reports ------------------------------------------------------------------------------------------------

_FINAL: Final = {
    "canceled": VenueStatus.CANCELLED,
    "expired": VenueStatus.EXPIRED,
    "rejected": VenueStatus.REJECTED,
}


def order_report(book: Book, order: Mapping[str, Any], *, conditional: bool | None = None) -> OrderReport:
    """One unified order. Raises Unreadable, for one without an id above all."""
    grid = book.grid(order.get("symbol"))
    venue_id = order.get("id")
    if not venue_id:
        raise Unreadable("an order without an id")
    qty_lots = grid.lots(order.get("amount"))
    filled_lots = grid.lots(order.get("filled") or 0)
    word = order.get("status")
    if word in {"open", "canceling"}:
        status = VenueStatus.PARTIALLY_FILLED if filled_lots else VenueStatus.NEW
    elif word == "closed":
        status = VenueStatus.FILLED if filled_lots >= qty_lots > 0 else VenueStatus.CANCELLED
    else:
        status = _FINAL.get(word or "", VenueStatus.OTHER)
    trigger = order.get("triggerPrice") or order.get("stopLossPrice") or order.get("takeProfitPrice")
    client_id = order.get("clientOrderId") or ""
    return OrderReport(
        order_id=book.order_id(client_id),
        client_id=client_id,
        venue_order_id=str(venue_id),
        instrument=grid.spec.instrument,
        side=side_of(order.get("side")),
        status=status,
        qty_lots=qty_lots,
        filled_lots=filled_lots,
        price_ticks=grid.ticks_or_none(order.get("price")),
        reduce_only=bool(order.get("reduceOnly")),
        conditional=conditional if conditional is not None else trigger is not None and not filled_lots,
        venue_ns=_time_ns(order, "lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"),
        trigger_ticks=grid.ticks_or_none(trigger),
    )


def acknowledged(
    book: Book, order: Mapping[str, Any], *, order_id: int, terms: OrderTerms, conditional: bool
) -> OrderReport:
    """A reply to ``create_order``: many venues say only the id, so the terms are those that we sent.

    Raises Unreadable for a reply without an id, or about another order.
    """
    venue_id = order.get("id")
    if not venue_id:
        raise Unreadable("an order without an id")
    named = order.get("clientOrderId")
    if named and book.order_id(named) != order_id:
        raise Unreadable("the answer is about another order")
    if order.get("status") and order.get("amount") is not None and order.get("symbol"):
        report = order_report(
            book, {**order, "clientOrderId": book.client_id(order_id)}, conditional=conditional
        )
        if report.status is not VenueStatus.OTHER:
            return report
    return OrderReport(
        order_id=order_id,
        client_id=book.client_id(order_id),
        venue_order_id=str(venue_id),
        instrument=terms.instrument,
        side=terms.side,
        status=VenueStatus.NEW,
        qty_lots=terms.qty_lots,
        filled_lots=0,
        price_ticks=terms.price_ticks,
        reduce_only=terms.reduce_only,
        conditional=conditional,
        venue_ns=_time_ns(order, "timestamp"),
        trigger_ticks=terms.trigger_ticks,
    )


def side_of(text: Any) -> Side:
    """Ccxt's side. Raises Unreadable."""
    if text == "buy":
        return Side.BUY
    if text == "sell":
        return Side.SELL
    raise Unreadable(f"side {text!r}")


def _time_ns(structure: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = structure.get(name)
        if value is not None:
            return int(value) * NS_PER_MS
    return 0


def trade_report(book: Book, trade: Mapping[str, Any], venue_client_ids: Mapping[str, str]) -> TradeReport:
    """One execution of ours; ``venue_client_ids``: client ids by the venue's order id, as learned."""
    grid = book.grid(trade.get("symbol"))
    trade_id = trade.get("id")
    if not trade_id:
        raise Unreadable("a trade without an id")
    venue_order_id = str(trade.get("order") or "")
    client_id = venue_client_ids.get(venue_order_id, "")
    cost, currency = _fee_of(trade)
    return TradeReport(
        trade_id=str(trade_id),
        order_id=book.order_id(client_id),
        client_id=client_id,
        venue_order_id=venue_order_id,
        instrument=grid.spec.instrument,
        side=side_of(trade.get("side")),
        qty_lots=grid.lots(trade.get("amount")),
        price_ticks=grid.ticks(trade.get("price")),
        fee_e8=e8_up(cost),
        fee_asset=currency or grid.spec.settle_asset,
        maker=trade.get("takerOrMaker") == "maker",
        venue_ns=_time_ns(trade, "timestamp"),
    )


def _fee_of(trade: Mapping[str, Any]) -> tuple[Any, str]:
    """(cost, currency). Raises Unreadable where there is none: a fee of zero must be the venue's word."""
    fees = [
        fee for fee in (trade.get("fee"), *(trade.get("fees") or ())) if fee and fee.get("cost") is not None
    ]
    if not fees:
        raise Unreadable("a trade without its fee")
    return fees[0]["cost"], str(fees[0].get("currency") or "")


def e8_up(value: Any) -> int:
    """An amount in 10⁻⁸, rounded up. Raises Unreadable."""
    return _ceiling(number(value) * E8)


def e8_down(value: Any) -> int:
    """An amount in 10⁻⁸, rounded down. Raises Unreadable."""
    return int((number(value) * E8).to_integral_value(rounding=ROUND_FLOOR))


def position_report(book: Book, position: Mapping[str, Any]) -> PositionReport | None:
    """One unified position; None for an empty one. Raises Unreadable."""
    grid = book.grid(position.get("symbol"))
    contracts = position.get("contracts")
    lots = abs(grid.lots(contracts)) if contracts else 0
    if not lots:
        return None
    side = position.get("side")
    if side not in ("long", "short"):
        raise Unreadable(f"a position's side {side!r}")
    return PositionReport(
        instrument=grid.spec.instrument,
        position_lots=lots if side == "long" else -lots,
        mark_ticks=grid.ticks_near(position.get("markPrice")),
        venue_ns=_time_ns(position, "timestamp"),
        cost_e8=_cost_e8(grid, position.get("entryPrice"), lots if side == "long" else -lots),
    )


def _cost_e8(grid: Grid, entry_price: Any, lots: int) -> int | None:
    """What a position was entered for, signed, rounded against us; None where no entry price is told."""
    if not entry_price:
        return None
    return _ceiling(number(entry_price) / grid.tick * lots * grid.spec.tick_lot_e8)


def balance_reports(balance: Mapping[str, Any]) -> tuple[BalanceReport, ...]:
    """All non-zero balances, as ccxt's totals: at some derivatives venues they include unrealised P&L.

    Raises Unreadable.
    """
    total = balance.get("total")
    if not isinstance(total, Mapping):
        raise Unreadable("a balance without totals")
    return tuple(
        BalanceReport(asset=asset, wallet_e8=amount_e8)
        for asset, amount in total.items()
        if amount is not None and (amount_e8 := e8_down(amount))
    )


def cash_report(entry: Mapping[str, Any]) -> CashReport:
    """One entry of ccxt's ledger, kinds in the words that the core knows. Raises Unreadable."""
    if not entry.get("id"):
        raise Unreadable("a ledger entry without an id")
    kind = str(entry.get("type") or "other").upper()
    amount = number(entry.get("amount"))
    signed = -abs(amount) if entry.get("direction") == "out" else amount
    known = {
        "FUNDING": "FUNDING_FEE",
        "FUNDING FEE": "FUNDING_FEE",
        "FEE": "COMMISSION",
        "TRADE": "REALIZED_PNL",
    }
    return CashReport(
        cash_id=str(entry["id"]),
        kind=known.get(kind, kind),
        asset=str(entry.get("currency") or ""),
        amount_e8=e8_down(signed),
        instrument=str(entry.get("symbol") or ""),
        venue_ns=_time_ns(entry, "timestamp"),
    )


def spot_positions(grids: Iterable[Grid], balance: Mapping[str, Any]) -> list[PositionReport]:
    """Spot holdings of the base assets, in whole lots (the dust below one lot cannot be traded). Raises Unreadable."""
    total = balance.get("total")
    if not isinstance(total, Mapping):
        raise Unreadable("a balance without totals")
    reports = []
    for grid in grids:
        lots = int(number(total.get(grid.spec.base_asset) or 0) // grid.step)
        if lots:
            reports.append(PositionReport(instrument=grid.spec.instrument, position_lots=lots))
    return reports


def specs_again(
    markets: Iterable[Mapping[str, Any]], book: Book, precision_mode: int
) -> tuple[InstrumentSpec, ...]:
    """The known instruments' facts now: the version grows where one changed. Raises Unreadable."""
    by_symbol = {market["symbol"]: market for market in markets}
    specs = []
    for symbol, grid in book.grids.items():
        market = by_symbol.get(symbol)
        if market is None:
            fresh = replace(grid.spec, status=InstrumentStatus.CLOSED)
        else:
            fresh = replace(grid_of(market, precision_mode).spec, version=grid.spec.version)
        specs.append(fresh if fresh == grid.spec else replace(fresh, version=grid.spec.version + 1))
    return tuple(specs)


def volume_lots(book: Book, ticker: Any, instrument: str) -> int | None:
    """Whole lots of the last 24 hours; None where the venue tells no volume in base asset. Raises Unreadable."""
    if not isinstance(ticker, dict) or ticker.get("symbol") != instrument:
        raise Unreadable(f"{instrument}: not its ticker")
    volume = ticker.get("baseVolume")
    if volume is None:
        return None
    lots = int((number(volume) / Decimal(book.grid(instrument).spec.lot)).to_integral_value(ROUND_FLOOR))
    if lots < 0:
        raise Unreadable(f"{instrument}: a volume below zero")
    return lots
