"""Orders: place, amend, cancel, query. The same handlers answer REST and the WebSocket API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.sim.codes import refused
from holdfast.sim.model import ALGO_TYPES, NewOrder, Order, Refused
from holdfast.sim.server import wire_orders as wire
from holdfast.sim.server.market_view import SymbolView
from holdfast.sim.server.params import Params, missing
from holdfast.sim.server.requests import OrderRequest
from holdfast.sim.server.venue import Amendment, Call

_CLIENT_ID: Final = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
_PLAIN_TYPES: Final = frozenset({"LIMIT", "MARKET"})
_TIFS: Final = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
_POSITION_SIDES: Final = frozenset({"BOTH", "LONG", "SHORT"})
_WORKING_TYPES: Final = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})
_STPS: Final = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"})
_RESPONSES: Final = frozenset({"ACK", "RESULT"})
BATCH_MAX: Final = 5
_BEFORE_AFTER: Final = ("before", "after")
CANCEL_BATCH_MAX: Final = 10


class Message(Struct, kw_only=True):
    """An answer of two words."""

    code: int
    msg: str


class Countdown(Struct, kw_only=True, rename="camel"):
    """countdownCancelAll: the time is told back as text."""

    symbol: str
    countdown_time: str


ALL_CANCELLED: Final = Message(code=200, msg="The operation of cancel all open order is done.")


# --- plain orders --------------------------------------------------------------------------------------------


def place(call: Call) -> wire.OrderAnswered:
    """POST order."""
    params = call.params
    order = _new_order(call, _type_of(params, "type"))
    response = params.word("newOrderRespType", "ACK", _RESPONSES, -1130, "newOrderRespType")
    if call.entry is not None:
        call.entry.client_id = order.client_id
    placed = call.venue.exchange.place(call.account, order, call.now_ns)
    _accept(call.entry, placed.order_id)
    return wire.answered(call.venue, placed, as_accepted=response == "ACK")


def place_test(call: Call) -> wire.OrderAnswered | dict[str, str]:
    """POST order/test: reads the parameters, places nothing."""
    order = _new_order(call, _type_of(call.params, "type"))
    return wire.answered(
        call.venue,
        Order(
            order_id=0,
            account=call.account.name,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            orig_type=order.type,
            tif=order.tif,
            qty_lots=order.qty_lots,
            price_ticks=order.price_ticks,
            created_ns=call.now_ns,
            updated_ns=call.now_ns,
            reduce_only=order.reduce_only,
            stp=order.stp,
        ),
    )


def amend(call: Call) -> wire.OrderAmended:
    """PUT order."""
    view = call.view()
    order_id, client_id = _which(call.params)
    before = call.venue.exchange.order(call.account, view.symbol, order_id=order_id, client_id=client_id)
    was = (before.price_ticks, before.qty_lots)
    amended = call.venue.exchange.amend(
        call.account,
        view.symbol,
        order_id=order_id,
        client_id=client_id,
        side=call.params.side(),
        qty_lots=view.numerals.lots_of(call.params.text("quantity"), "quantity"),
        price_ticks=view.numerals.ticks_of(call.params.text("price"), "price"),
        now_ns=call.now_ns,
    )
    _accept(call.entry, amended.order_id)
    call.venue.amendments.append(
        Amendment(
            account=call.account.name,
            order_id=amended.order_id,
            client_id=amended.client_id,
            symbol=amended.symbol,
            at_ns=call.now_ns,
            price_ticks=(was[0], amended.price_ticks),
            qty_lots=(was[1], amended.qty_lots),
        )
    )
    return wire.amended(call.venue, amended)


def cancel(call: Call) -> wire.OrderAnswered:
    """DELETE order."""
    view = call.view()
    order_id, client_id = _which(call.params)
    gone = call.venue.exchange.cancel(
        call.account, view.symbol, order_id=order_id, client_id=client_id, now_ns=call.now_ns
    )
    _accept(call.entry, gone.order_id)
    return wire.answered(call.venue, gone)


def cancel_all(call: Call) -> Message:
    """DELETE allOpenOrders: plain orders of one symbol; conditional ones stay."""
    call.venue.exchange.cancel_all(call.account, call.view().symbol, call.now_ns)
    _accept(call.entry, 0)
    return ALL_CANCELLED


def countdown(call: Call) -> Countdown:
    """POST countdownCancelAll."""
    view = call.view()
    countdown_ms = call.params.integer("countdownTime")
    call.venue.exchange.countdown(call.account, view.symbol, countdown_ms, call.now_ns)
    _accept(call.entry, 0)
    return Countdown(symbol=view.symbol, countdown_time=str(countdown_ms))


def order(call: Call) -> wire.OrderQueried:
    """GET order."""
    view = call.view()
    order_id, client_id = _which(call.params)
    found = call.venue.exchange.order(call.account, view.symbol, order_id=order_id, client_id=client_id)
    return wire.queried(call.venue, found)


def open_order(call: Call) -> wire.OrderQueried:
    """GET openOrder: the same, only while it is open."""
    view = call.view()
    order_id, client_id = _which(call.params)
    found = call.venue.exchange.order(call.account, view.symbol, order_id=order_id, client_id=client_id)
    if not found.is_open:
        raise refused(-2013)
    return wire.queried(call.venue, found)


def open_orders(call: Call) -> list[wire.OrderQueried]:
    """GET openOrders."""
    view = call.maybe_view()
    found = call.venue.exchange.open_orders(call.account, None if view is None else view.symbol)
    return [wire.queried(call.venue, one) for one in found]


def all_orders(call: Call) -> list[wire.OrderQueried]:
    """GET allOrders."""
    view = call.view()
    start_ns, end_ns = call.time_range()
    found = call.venue.exchange.all_orders(
        call.account,
        view.symbol,
        order_id=call.params.maybe_integer("orderId"),
        start_ns=start_ns,
        end_ns=end_ns,
        limit=call.params.limit(500, 1000),
    )
    return [wire.queried(call.venue, one) for one in found]


def user_trades(call: Call) -> list[wire.TradeWire]:
    """GET userTrades."""
    view = call.view()
    start_ns, end_ns = call.time_range()
    found = call.venue.exchange.trades(
        call.account,
        view.symbol,
        order_id=call.params.maybe_integer("orderId"),
        start_ns=start_ns,
        end_ns=end_ns,
        from_id=call.params.maybe_integer("fromId"),
        limit=call.params.limit(500, 1000),
    )
    return [wire.trade(call.venue, one) for one in found]


def amendments(call: Call) -> list[dict[str, object]]:
    """GET orderAmendment: newest first."""
    view = call.view()
    order_id, client_id = call.params.maybe_integer("orderId"), call.params.maybe("origClientOrderId")
    start_ns, end_ns = call.time_range()
    counts: dict[int, int] = {}
    found: list[dict[str, object]] = []
    for number, one in enumerate(call.venue.amendments):
        if one.account != call.account.name or one.symbol != view.symbol:
            continue
        counts[one.order_id] = counts.get(one.order_id, 0) + 1
        if (order_id is not None and one.order_id != order_id) or client_id not in {None, one.client_id}:
            continue
        if (start_ns is not None and one.at_ns < start_ns) or (end_ns is not None and one.at_ns > end_ns):
            continue
        found.append(
            {
                "amendmentId": number + 1,
                "symbol": one.symbol,
                "pair": one.symbol,
                "orderId": one.order_id,
                "clientOrderId": one.client_id,
                "time": call.venue.shown_ms(one.at_ns),
                "amendment": {
                    "price": dict(zip(_BEFORE_AFTER, map(view.numerals.price, one.price_ticks), strict=True)),
                    "origQty": dict(zip(_BEFORE_AFTER, map(view.numerals.qty, one.qty_lots), strict=True)),
                    "count": counts[one.order_id],
                },
                "priceMatch": "NONE",
            }
        )
    return found[::-1][: call.params.limit(50, 100)]


# --- batches ------------------------------------------------------------------------------------------------


def place_batch(call: Call) -> list[object]:
    """POST batchOrders: each order stands or falls alone, in one 200."""
    return _each(call, "place", place)


def amend_batch(call: Call) -> list[object]:
    """PUT batchOrders."""
    return _each(call, "amend", amend)


def cancel_batch(call: Call) -> list[object]:
    """DELETE batchOrders: by orderIdList or origClientOrderIdList."""
    # The venue takes these two names in any case, and clients do write them in small letters.
    lists = {name.lower(): text for name, text in call.texts.items()}
    name, key = "orderIdList", "orderId"
    if not lists.get("orderidlist"):
        name, key = "origClientOrderIdList", "origClientOrderId"
    try:
        ids = msgspec.json.decode(lists.get(name.lower(), "").encode(), type=list[int | str])
    except msgspec.MsgspecError:
        raise missing(name) from None
    if not 1 <= len(ids) <= CANCEL_BATCH_MAX:
        raise Refused(-4084, "Method is not allowed currently. Upcoming soon.")
    symbol = call.params.text("symbol")
    return [_alone(call, "cancel", cancel, {"symbol": symbol, key: str(one)}) for one in ids]


def _each(call: Call, kind: str, handler: Callable[[Call], object]) -> list[object]:
    text = call.params.text("batchOrders")
    try:
        orders = msgspec.json.decode(text.encode(), type=list[dict[str, msgspec.Raw]])
    except msgspec.MsgspecError:
        raise Refused(-1130, "Data sent for parameter 'batchOrders' is not valid.") from None
    if not 1 <= len(orders) <= BATCH_MAX:
        raise Refused(-4082, "Invalid number of batch place orders.")
    return [_alone(call, kind, handler, {name: text_of(raw) for name, raw in one.items()}) for one in orders]


def text_of(raw: msgspec.Raw) -> str:
    """A JSON value as the text that it would have been as a form parameter: a number exactly as written."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        return str(msgspec.json.decode(text))
    return "" if text == "null" else text


def _alone(call: Call, kind: str, handler: Callable[[Call], object], texts: dict[str, str]) -> object:
    entry = call.venue.requests.begin(kind, call.via, call.stamp, texts, call.account.name)
    try:
        return handler(call.of_order(texts, entry))
    except Refused as why:
        entry.code, entry.msg = why.code, why.msg
        return Message(code=why.code, msg=why.msg)


# --- conditional orders ---------------------------------------------------------------------------------------


def place_algo(call: Call) -> wire.AlgoWire:
    """POST algoOrder."""
    params = call.params
    if params.text("algoType").upper() != "CONDITIONAL":
        raise Refused(-1130, "Data sent for parameter 'algoType' is not valid.")
    new = _new_algo(call, _type_of(params, "type"))
    if call.entry is not None:
        call.entry.client_id = new.client_id
    placed = call.venue.exchange.place_algo(call.account, new, call.now_ns)
    _accept(call.entry, placed.algo_id)
    return wire.algo(call.venue, placed, answer=True)


def cancel_algo(call: Call) -> wire.AlgoWire:
    """DELETE algoOrder: the order, and the two words that the documents promise instead."""
    algo_id, client_algo_id = _which_algo(call.params)
    gone = call.venue.exchange.cancel_algo(
        call.account, algo_id=algo_id, client_algo_id=client_algo_id, now_ns=call.now_ns
    )
    _accept(call.entry, gone.algo_id)
    answer = wire.algo(call.venue, gone, answer=True)
    answer.code, answer.msg = "200", "success"
    return answer


def cancel_all_algo(call: Call) -> Message:
    """DELETE algoOpenOrders: conditional orders of one symbol."""
    call.venue.exchange.cancel_all_algo(call.account, call.view().symbol, call.now_ns)
    _accept(call.entry, 0)
    return ALL_CANCELLED


def algo_order(call: Call) -> wire.AlgoWire:
    """GET algoOrder."""
    algo_id, client_algo_id = _which_algo(call.params)
    found = call.venue.exchange.algo_order(call.account, algo_id=algo_id, client_algo_id=client_algo_id)
    return wire.algo(call.venue, found)


def open_algo_orders(call: Call) -> list[wire.AlgoWire]:
    """GET openAlgoOrders."""
    view = call.maybe_view()
    algo_id = call.params.maybe_integer("algoId")
    found = call.venue.exchange.open_algo_orders(call.account, None if view is None else view.symbol)
    return [wire.algo(call.venue, one) for one in found if algo_id is None or one.algo_id == algo_id]


def all_algo_orders(call: Call) -> list[wire.AlgoWire]:
    """GET allAlgoOrders."""
    view = call.view()
    start_ns, end_ns = call.time_range()
    found = call.venue.exchange.all_algo_orders(
        call.account,
        view.symbol,
        algo_id=call.params.maybe_integer("algoId"),
        start_ns=start_ns,
        end_ns=end_ns,
        limit=call.params.limit(500, 1000),
    )
    return [wire.algo(call.venue, one) for one in found]


# --- reading a request ----------------------------------------------------------------------------------------


def _accept(entry: OrderRequest | None, order_id: int) -> None:
    if entry is not None:
        entry.accepted = True
        entry.order_id = order_id


def _type_of(params: Params, name: str) -> str:
    kind = params.text(name).upper()
    if kind not in _PLAIN_TYPES and kind not in ALGO_TYPES:
        raise refused(-1116)
    return kind


def _which(params: Params) -> tuple[int | None, str | None]:
    order_id = params.maybe_integer("orderId")
    client_id = params.maybe("origClientOrderId")
    if order_id is None and client_id is None:
        raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return order_id, client_id


def _which_algo(params: Params) -> tuple[int | None, str | None]:
    algo_id = params.maybe_integer("algoId")
    client_algo_id = params.maybe("clientAlgoId")
    if algo_id is None and client_algo_id is None:
        raise Refused(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    return algo_id, client_algo_id


def _client_id(call: Call, name: str) -> str:
    client_id = call.params.maybe(name)
    if client_id is None:
        return call.venue.new_client_id()
    if len(client_id) > 36:
        raise Refused(-4015, "Client order id length should be less than 36 chars")
    if not _CLIENT_ID.fullmatch(client_id):
        raise refused(-4015)
    return client_id


def _tif(params: Params, *, mandatory: bool) -> str:
    tif = params.maybe("timeInForce")
    if tif is None:
        if mandatory:
            raise missing("timeInForce")
        return "GTC"
    if tif.upper() not in _TIFS:
        raise refused(-1115)
    return tif.upper()


def _good_till_ns(call: Call, tif: str) -> int:
    asked_ms = call.params.maybe_integer("goodTillDate") or 0
    if tif == "GTD":
        if not asked_ms:
            raise missing("goodTillDate")
        return call.venue.asked_ns(asked_ms)
    return 0


def _price_match(params: Params) -> None:
    # Prices "by the opponent's book" are not offered here: to ignore one would place another order than asked.
    if (params.maybe("priceMatch") or "NONE").upper() != "NONE":
        raise Refused(-1130, "Data sent for parameter 'priceMatch' is not valid.")


def _new_order(call: Call, kind: str) -> NewOrder:
    params, view = call.params, call.view()
    side = params.side()
    _price_match(params)
    if kind in ALGO_TYPES:
        raise refused(-4120)
    if kind == "LIMIT":
        tif = _tif(params, mandatory=True)
        qty_lots = view.numerals.lots_of(params.text("quantity"), "quantity")
        price_ticks = view.numerals.ticks_of(params.text("price"), "price")
    else:
        for name in ("price", "timeInForce"):
            if params.maybe(name) is not None:
                raise Refused(-1106, f"Parameter '{name}' sent when not required.")
        tif, price_ticks = "GTC", 0
        qty_lots = view.numerals.lots_of(params.text("quantity"), "quantity")
    return NewOrder(
        symbol=view.symbol,
        side=side,
        type=kind,
        qty_lots=qty_lots,
        client_id=_client_id(call, "newClientOrderId"),
        price_ticks=price_ticks,
        tif=tif,
        reduce_only=params.flag("reduceOnly"),
        position_side=params.word("positionSide", "BOTH", _POSITION_SIDES, -4060, "position side"),
        good_till_ns=_good_till_ns(call, tif),
        stp=params.word("selfTradePreventionMode", "EXPIRE_MAKER", _STPS, -1130, "selfTradePreventionMode"),
    )


def _new_algo(call: Call, kind: str) -> NewOrder:
    params, view = call.params, call.view()
    side = params.side()
    _price_match(params)
    if kind not in ALGO_TYPES:
        raise refused(-1116)
    numerals = view.numerals
    close_position = params.flag("closePosition")
    qty_lots = _algo_qty(params, view, close_position=close_position)
    price_ticks = numerals.ticks_of(params.text("price"), "price") if kind in {"STOP", "TAKE_PROFIT"} else 0
    trigger_ticks, activation_ticks, callback_ppm = 0, 0, 0
    if kind == "TRAILING_STOP_MARKET":
        activation = params.maybe("activatePrice") or params.maybe("activationPrice")
        activation_ticks = numerals.ticks_of(activation, "activatePrice") if activation else 0
        callback_ppm = _callback_ppm(params.text("callbackRate"))
    else:
        trigger_ticks = numerals.ticks_of(params.text("triggerPrice"), "triggerPrice")
    tif = _tif(params, mandatory=False)
    return NewOrder(
        symbol=view.symbol,
        side=side,
        type=kind,
        qty_lots=qty_lots,
        client_id=_client_id(call, "clientAlgoId"),
        price_ticks=price_ticks,
        tif=tif,
        reduce_only=params.flag("reduceOnly"),
        close_position=close_position,
        trigger_ticks=trigger_ticks,
        working_type=params.word("workingType", "CONTRACT_PRICE", _WORKING_TYPES, -4031, "working type"),
        activation_ticks=activation_ticks,
        callback_ppm=callback_ppm,
        position_side=params.word("positionSide", "BOTH", _POSITION_SIDES, -4060, "position side"),
        good_till_ns=_good_till_ns(call, tif),
        stp=params.word("selfTradePreventionMode", "EXPIRE_MAKER", _STPS, -1130, "selfTradePreventionMode"),
        price_protect=params.flag("priceProtect"),
    )


def _algo_qty(params: Params, view: SymbolView, *, close_position: bool) -> int:
    if not close_position:
        return view.numerals.lots_of(params.text("quantity"), "quantity")
    if params.maybe("quantity") is not None:
        raise refused(-4137)
    if params.maybe("reduceOnly") is not None:
        raise refused(-1106)
    return 0


def _callback_ppm(text: str) -> int:
    """A trailing stop's distance: percent with one decimal, 0.1 to 10."""
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    if not (whole.isascii() and whole.isdigit() and (not part or (part.isascii() and part.isdigit()))):
        raise Refused(-1100, "Illegal characters found in parameter 'callbackRate'.")
    tenths = int(whole + part.ljust(1, "0")) if len(part) <= 1 else 0
    if not 1 <= tenths <= 100:
        raise Refused(-2007, "Invalid callBack rate")
    return tenths * 1_000
