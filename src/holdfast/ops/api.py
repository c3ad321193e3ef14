"""The control API, made from the table of commands: one GET for each view, one POST for each act.

It talks to the trading process over its Unix socket and imports nothing of it. ``/v1/halt`` does not wait for
that socket: the latch is tripped first, in this process. GET never changes anything.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from fastapi import FastAPI, Request, Response

from holdfast import __version__
from holdfast.config.operators import Operator, by_token
from holdfast.ops import async_ctl
from holdfast.ops.acts import act_of
from holdfast.ops.api_guard import (
    COMMAND_HEADER,
    FLATTEN_PLAN_PATH,
    FORM_TYPE,
    JSON_TYPE,
    ApiGuard,
    Audit,
    path_of,
)
from holdfast.ops.authorise import permit
from holdfast.ops.commands import ROWS, TABLE, Arg, ArgKind, Kind, Row
from holdfast.ops.errors import Denied, NotRunning, UsageError
from holdfast.ops.target import Target
from holdfast.ops.terminal import FLATTEN_PLAN
from holdfast.ops.tripping import LatchUnusable, trip
from holdfast.ops.words import NO_REASON, Value, read_mapping
from holdfast.runtime.wire import Answer

BODY_BYTES_MAX: Final = 64 * 1024
COMMANDS_MAX: Final = 10_000
AGE_MS_MAX: Final = 30_000
FUTURE_MS_MAX: Final = 5_000
VIEW_TIMEOUT_S: Final = 5.0
ACT_TIMEOUT_S: Final = 35.0
TELL_TIMEOUT_S: Final = 1.5
_RESPONSES: Final = {
    400: "arguments that cannot be read",
    401: "no token, or nobody's",
    403: "not permitted",
    405: "a change of state is a POST",
    409: "understood, and refused: a hold, a check, a repeated or late command",
    413: "the body is too large",
    415: "not JSON",
    421: "this host is not served here",
    429: "too many requests, or wrong tokens",
    500: "the latch could not be tripped",
    503: "the bot does not answer",
}


def make_app(
    *,
    target: Callable[[], Target],
    people: tuple[Operator, ...],
    hosts: frozenset[str],
    tls: bool,
    audit: Audit,
    clock_s: Callable[[], float] = time.monotonic,
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> ApiGuard:
    """The ASGI application. ``target`` is asked at each request: a bot may start after us."""
    api = _Described(title="Holdfast control API", version=__version__, docs_url=None, redoc_url=None)
    desk = _Desk(target=target, people=people, audit=audit, wall_ms=wall_ms)
    for row in TABLE:
        _add(api, path_of(row), desk, row)
    plan = ROWS["flatten"]._replace(
        name=FLATTEN_PLAN, help="what flatten would do", kind=Kind.VIEW, role="viewer"
    )
    _add(
        api,
        FLATTEN_PLAN_PATH,
        desk,
        plan._replace(args=tuple(arg for arg in plan.args if arg.name != "reason")),
    )
    return ApiGuard(api, people=people, hosts=hosts, tls=tls, clock_s=clock_s, audit=audit)


class _Described(FastAPI):
    """The application with its one way to authenticate written into its description."""

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        bearer = {"type": "http", "scheme": "bearer", "description": "an operator's token, on every request"}
        schema.setdefault("components", {})["securitySchemes"] = {"bearer": bearer}
        return schema


class _Desk:
    """Takes one request at a time to the bot, and its answer back."""

    def __init__(
        self,
        *,
        target: Callable[[], Target],
        people: tuple[Operator, ...],
        audit: Audit,
        wall_ms: Callable[[], int],
    ) -> None:
        self._target = target
        self._people = people
        self._audit = audit
        self._wall_ms = wall_ms
        self._commands: OrderedDict[str, None] = OrderedDict()

    async def answer(self, row: Row, request: Request) -> Response:
        person: Operator = request.scope["holdfast_operator"]
        try:
            args = read_mapping(row, await _given(row, request))
            if row.kind is Kind.VIEW:
                permit(row, person)
                return await self._look(row, args)
            return await self._give(row, args, request, person)
        except UsageError as error:
            return _said(400, str(error))
        except _TooLarge:
            return _said(413, f"at most {BODY_BYTES_MAX} bytes")
        except Denied as error:
            self._audit("denied", by=person.name, command=row.name, why=str(error))
            return _said(403, str(error))
        except NotRunning as error:
            return _said(503, str(error))

    async def _look(self, row: Row, args: Mapping[str, Value]) -> Response:
        answer = await async_ctl.view(self._target().socket_path, row.name, args, timeout_s=VIEW_TIMEOUT_S)
        return _json(200, answer.data) if answer.ok else _said(409, answer.text)

    async def _give(
        self, row: Row, args: Mapping[str, Value], request: Request, person: Operator
    ) -> Response:
        second = self._second(request)
        second_by = permit(row, person, second=second)
        if not row.halting and (stale := self._stale(request)):
            self._audit("command replayed or late", by=person.name, command=row.name)
            return _said(409, stale)
        self._audit("command", by=person.name, command=row.name, reason=str(args.get("reason", "")))
        target = self._target()
        told = act_of(row, args, by=person.name, second_by=second_by)
        if row.kind is Kind.LATCH and not told.strategy and not told.instrument:
            return await self._latch(row, target, told.by, told.reason, args)
        answer = await async_ctl.act(target.socket_path, told, timeout_s=ACT_TIMEOUT_S)
        return _acted(answer)

    async def _latch(
        self, row: Row, target: Target, by: str, reason: str, args: Mapping[str, Value]
    ) -> Response:
        """The store into the latch comes first, in this very turn of the loop; the rest may fail or wait."""
        said = reason if row.name == "halt" or reason == NO_REASON else f"{row.name}: {reason}"
        fault = ""
        try:
            done = trip(target, by=by, reason=said)
        except (LatchUnusable, NotRunning) as error:
            done = fault = str(error)
        timeout_s = TELL_TIMEOUT_S if row.name in {"halt", "abort"} else ACT_TIMEOUT_S
        try:
            answer = await async_ctl.act(target.socket_path, act_of(row, args, by=by), timeout_s=timeout_s)
        except NotRunning as error:
            answer = Answer(ok=False, text=str(error))
        if answer.ok or (row.name == "halt" and not fault):
            return _json(200, {"ok": True, "text": f"{done}; {answer.text}", "data": answer.data})
        return _said(500 if fault else 503, f"{done}; {answer.text}")

    def _second(self, request: Request) -> Operator | None:
        scheme, _, token = request.headers.get("x-holdfast-second", "").partition(" ")
        if not scheme:
            return None
        second = by_token(self._people, token.strip()) if scheme.lower() == "bearer" else None
        if second is None:
            raise Denied("the second token is no operator's")
        return second

    def _stale(self, request: Request) -> str:
        """Why a command is late, early or seen before; empty when it is fresh."""
        command = request.headers.get(COMMAND_HEADER, "")
        issued = request.headers.get("x-holdfast-issued", "")
        if re.fullmatch(r"[A-Za-z0-9_-]{16,64}", command) is None:
            return "X-Holdfast-Command: expected 16 to 64 letters, digits, _ or -, new for each command"
        if re.fullmatch(r"[0-9]{13}", issued) is None:
            return "X-Holdfast-Issued: expected the time in milliseconds since 1970"
        age_ms = self._wall_ms() - int(issued)
        if not -FUTURE_MS_MAX <= age_ms <= AGE_MS_MAX:
            return f"X-Holdfast-Issued: {age_ms} ms ago; a command is good for {AGE_MS_MAX} ms"
        if command in self._commands:
            return "X-Holdfast-Command: this very command was already given"
        self._commands[command] = None
        while len(self._commands) > COMMANDS_MAX:
            self._commands.popitem(last=False)
        return ""


class _TooLarge(Exception):
    """The body is above its bound."""


async def _given(row: Row, request: Request) -> dict[str, object]:
    """The arguments: of a view from the query; of an act from JSON; of a halting act also from form and query."""
    given: dict[str, object] = {}
    if row.kind is Kind.VIEW or row.halting:
        _merge(given, request.query_params.multi_items(), row)
    elif request.url.query:
        raise UsageError(f"{row.name}: its arguments go into the JSON body")
    if row.kind is Kind.VIEW:
        return given
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise _TooLarge
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON_TYPE and body:
        _merge(given, list(_json_object(row, bytes(body)).items()), row)
    elif kind == FORM_TYPE:
        _merge(given, list(_form(row, bytes(body))), row)
    return given


def _merge(given: dict[str, object], pairs: list[tuple[str, Any]], row: Row) -> None:
    for name, value in pairs:
        if name in given:
            raise UsageError(f"{row.name}: {name[:40]!r} is given twice")
        given[name] = value


def _json_object(row: Row, body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{row.name}: expected a JSON object: {error}") from None


def _form(row: Row, body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
    except ValueError as error:
        raise UsageError(f"{row.name}: not a form that can be read: {error}") from None


def _acted(answer: Answer) -> Response:
    said = {"ok": answer.ok, "text": answer.text, "data": answer.data}
    return _json(200 if answer.ok else 409, said)


def _said(status: int, text: str) -> Response:
    return _json(status, {"ok": False, "text": text})


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON_TYPE)


# --- the description ---------------------------------------------------------------------------------------


def _add(api: FastAPI, path: str, desk: _Desk, row: Row) -> None:
    async def handle(request: Request) -> Response:
        return await desk.answer(row, request)

    is_view = row.kind is Kind.VIEW
    api.add_api_route(
        path,
        handle,
        methods=["GET" if is_view else "POST"],
        name=row.name,
        operation_id=("get_" if is_view else "do_") + re.sub(r"\W", "_", row.name),
        summary=row.help,
        response_class=Response,
        responses={code: {"description": text} for code, text in _RESPONSES.items()},
        openapi_extra=_described(row),
    )


def _described(row: Row) -> dict[str, Any]:
    common = {"security": [{"bearer": []}], "x-role": row.role, "x-friction": row.friction.value}
    if row.kind is Kind.VIEW:
        return {**common, "parameters": [_parameter(arg) for arg in row.args]}
    headers = [] if row.halting else ["X-Holdfast-Command", "X-Holdfast-Issued"]
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [arg.name for arg in row.args if arg.required],
        "properties": {arg.name: {**_schema(arg), "description": arg.help} for arg in row.args},
    }
    kinds = [JSON_TYPE, FORM_TYPE] if row.halting else [JSON_TYPE]
    return {
        **common,
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in headers
        ],
        "requestBody": {"required": not row.halting, "content": {kind: {"schema": schema} for kind in kinds}},
    }


def _parameter(arg: Arg) -> dict[str, Any]:
    return {
        "name": arg.name,
        "in": "query",
        "required": arg.required,
        "description": arg.help,
        "schema": _schema(arg),
    }


def _schema(arg: Arg) -> dict[str, Any]:
    if arg.choices:
        return {"type": "string", "enum": list(arg.choices)}
    return _SCHEMAS.get(arg.kind, {"type": "string"})


_SCHEMAS: Final[dict[ArgKind, dict[str, Any]]] = {
    ArgKind.WHOLE: {"type": "integer", "minimum": 1},
    ArgKind.FLAG: {"type": "boolean"},
    ArgKind.TEXT: {"type": "string", "maxLength": 500},
}
