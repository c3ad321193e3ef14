"""One request from limits and signature to its answer. No waiting in here: what was asked is done at once."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from holdfast.sim.model import Account, Refused
from holdfast.sim.server.limits import TooMany, Usage
from holdfast.sim.server.params import Params
from holdfast.sim.server.requests import OrderRequest, Stamp
from holdfast.sim.server.rest_trade import Message
from holdfast.sim.server.routes import ROUTES, Need, Route
from holdfast.sim.server.signing import check_signature, check_time, signature_in
from holdfast.sim.server.venue import Call, Venue

_ENCODER: Final = msgspec.json.Encoder()


class Request(Struct, frozen=True, kw_only=True):
    """What came in. ``signed``: the text that the signature covers. ``session``: a logged-on WebSocket's account."""

    method: str
    path: str
    texts: dict[str, str]
    signed: str
    api_key: str
    address: str
    via: str
    stamp: Stamp
    session: Account | None = None


class Answer(Struct, kw_only=True):
    """What goes out. ``retry_after_s`` 0: no such header. ``entry``: its line in the ground truth."""

    http: int
    body: bytes
    usage: Usage
    retry_after_s: int = 0
    entry: OrderRequest | None = None
    account: str = ""


def dispatch(venue: Venue, request: Request, fault: str = "") -> Answer:
    """Do what was asked. ``fault``: a planned failure that it met on the way, for the ground truth."""
    route = ROUTES.get((request.method, request.path))
    now_ns = venue.now_ns()
    caller = request.session or venue.exchange.account_by_key(request.api_key)
    entry = None
    if route is not None and route.kind:
        account = caller.name if caller is not None else ""
        entry = venue.requests.begin(route.kind, request.via, request.stamp, request.texts, account)
        entry.fault = fault
    answer = Answer(
        http=200, body=b"", usage=Usage(0), entry=entry, account=caller.name if caller is not None else ""
    )
    try:
        _run(venue, request, route, caller, now_ns, answer)
    except Refused as why:
        answer.http = why.http
        answer.body = _ENCODER.encode(Message(code=why.code, msg=why.msg))
        _note(entry, why.code, why.msg)
    except TooMany as why:
        answer.http = why.http
        answer.body = _ENCODER.encode(Message(code=why.code, msg=why.msg))
        answer.retry_after_s = why.retry_after_s
        answer.usage = Usage(venue.limits.weight_used(request.address, now_ns))
        _note(entry, why.code, why.msg)
    return answer


def _note(entry: OrderRequest | None, code: int, msg: str) -> None:
    if entry is not None:
        entry.accepted = False
        entry.code = code
        entry.msg = msg


def _run(
    venue: Venue, request: Request, route: Route | None, caller: Account | None, now_ns: int, answer: Answer
) -> None:
    if route is None:
        venue.limits.charge(request.address, 1, now_ns)
        raise Refused(-5000, f"Path {request.path}, Method {request.method} is invalid", 404)
    weight = route.weight if isinstance(route.weight, int) else route.weight(request.texts)
    used = venue.limits.charge(request.address, weight, now_ns)
    answer.usage = Usage(used)
    params = Params(request.texts)
    if route.need is not Need.NOTHING:
        _authenticate(venue, request, route, caller, params, now_ns)
    if route.orders != (0, 0) and caller is not None:
        in_10s, in_1m = venue.limits.charge_orders(caller.name, *route.orders, now_ns)
        answer.usage = Usage(used, in_10s, in_1m)
    result = route.handler(
        Call(
            venue=venue,
            params=params,
            texts=request.texts,
            stamp=request.stamp,
            now_ns=now_ns,
            via=request.via,
            caller=caller,
            address=request.address,
            entry=answer.entry,
        )
    )
    answer.body = _ENCODER.encode(result)


def _authenticate(
    venue: Venue, request: Request, route: Route, caller: Account | None, params: Params, now_ns: int
) -> None:
    if request.session is not None:
        if params.maybe("timestamp") is not None:
            check_time(params, venue_ms=venue.shown_ms(now_ns))
        return
    if not request.api_key:
        raise Refused(-2014, "API-key format invalid.", 401)
    if caller is None:
        raise Refused(
            -2015,
            f"Invalid API-key, IP, or permissions for action, request ip: {request.address}",
            401,
        )
    if route.need is Need.SIGNATURE:
        check_time(params, venue_ms=venue.shown_ms(now_ns))
        check_signature(caller.secret, request.signed, signature_in(params))
