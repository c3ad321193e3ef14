"""The WebSocket API: requests by name over one socket, answered by the same handlers as REST."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from aiohttp import WSMsgType, web
from msgspec import Struct

from holdfast.sim.model import Account, Refused
from holdfast.sim.server.dispatch import Answer, Request, dispatch
from holdfast.sim.server.faults import AFTER_KINDS, BEFORE_KINDS, FaultSpec
from holdfast.sim.server.params import Params
from holdfast.sim.server.planned import planned
from holdfast.sim.server.requests import Stamp, stamp_now
from holdfast.sim.server.rest_trade import Message, text_of
from holdfast.sim.server.routes import WS_METHODS
from holdfast.sim.server.signing import check_signature, check_time, signature_in, websocket_text
from holdfast.sim.server.venue import Venue
from holdfast.sim.server.wire_market import RateLimitFact, rate_limits

PATH: Final = "/ws-fapi/v1"
_MESSAGE_BYTES_MAX: Final = 1 << 20
_SESSION_METHODS: Final = frozenset({"session.logon", "session.status", "session.logout"})

RequestId = int | str | None


class _Asked(Struct):
    """A client's request."""

    id: int | str | None
    method: str
    params: dict[str, msgspec.Raw] = {}


class _Answered(Struct, kw_only=True, rename="camel"):
    """An answer that went well."""

    id: RequestId
    status: int
    result: msgspec.Raw
    rate_limits: list[RateLimitFact]


class _Failed(Struct, kw_only=True, rename="camel"):
    """An answer that did not."""

    id: RequestId
    status: int
    error: msgspec.Raw
    rate_limits: list[RateLimitFact]


class _SessionState(Struct, kw_only=True, rename="camel"):
    """Who is logged on."""

    api_key: str | None
    authorized_since: int | None
    connected_since: int
    return_rate_limits: bool
    server_time: int


class _Session:
    """One socket, and who is logged on to it."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, address: str, now_ms: int
    ) -> None:
        self.socket = socket
        self.transport = transport
        self.address = address
        self.connected_ms = now_ms
        self.account: Account | None = None
        self.since_ms: int | None = None


class ApiSockets:
    """Serves WebSocket API sockets."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._sessions: dict[_Session, None] = {}

    async def serve(self, request: web.BaseRequest, address: str) -> web.StreamResponse:
        """One socket's life. Requests are done in order; one that a fault holds up holds up the next."""
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=_MESSAGE_BYTES_MAX, heartbeat=self._venue.config.ping_minutes * 60
        )
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        session = _Session(socket, transport, address, self._venue.shown_ms(self._venue.now_ns()))
        self._sessions[session] = None
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    stamp = stamp_now(self._venue.now_ns())
                    text = await self._answer(session, message.data, stamp)
                    if text is not None and not transport.is_closing():
                        await socket.send_str(text)
        finally:
            self._sessions.pop(session, None)
        return socket

    def disconnect(self) -> int:
        """Cut every socket; how many."""
        sessions = tuple(self._sessions)
        for session in sessions:
            session.transport.abort()
        return len(sessions)

    async def _answer(self, session: _Session, text: str, stamp: Stamp) -> str | None:
        venue = self._venue
        try:
            asked = msgspec.json.decode(text, type=_Asked)
            texts = {name: text_of(raw) for name, raw in asked.params.items()}
        except msgspec.MsgspecError as why:
            return self._failed(None, 400, _error(-1000, f"Malformed request: {why}"), session, None)
        if asked.method in _SESSION_METHODS:
            return self._session(session, asked, texts)
        target = WS_METHODS.get(asked.method)
        if target is None:
            return self._failed(asked.id, 400, _error(-1020, "Unknown method."), session, None)
        path = f"{PATH}/{asked.method}"
        api_key = texts.get("apiKey", "")
        known = session.account or venue.exchange.account_by_key(api_key)
        matched = {
            "method": "WS",
            "path": path,
            "account": known.name if known is not None else "",
            "symbol": texts.get("symbol", ""),
        }
        before = venue.faults.request(BEFORE_KINDS, **matched, now_ns=venue.now_ns())
        if before is not None:
            if before.kind == "slow":
                await asyncio.sleep(before.delay_ms / 1000)
            else:
                return self._stopped(session, asked, before, path)
        answer = dispatch(
            venue,
            Request(
                method=target[0],
                path=target[1],
                texts=texts,
                signed=websocket_text(texts),
                api_key=api_key,
                address=session.address,
                via="ws",
                stamp=stamp,
                session=session.account if "apiKey" not in texts else None,
            ),
        )
        venue.hub.flush()
        venue.nudge()
        if answer.http != 200:
            return self._failed(asked.id, answer.http, msgspec.Raw(answer.body), session, answer)
        full = self._answered(asked.id, answer, session)
        after = venue.faults.request(AFTER_KINDS, **matched, now_ns=venue.now_ns())
        return full if after is None else await self._lost(session, asked, after, answer, full)

    def _stopped(self, session: _Session, asked: _Asked, fault: FaultSpec, path: str) -> str | None:
        if fault.kind == "hang":
            return None
        if fault.kind == "reset":
            session.transport.abort()
            return None
        told = planned(fault, path=path, method="WS", address=session.address)
        return self._failed(
            asked.id, told.http, _error(told.code, told.msg or "Not available."), session, None
        )

    async def _lost(
        self, session: _Session, asked: _Asked, fault: FaultSpec, answer: Answer, full: str
    ) -> str | None:
        if answer.entry is not None:
            answer.entry.fault = fault.kind
        if fault.kind == "ack_error":
            told = planned(fault, path="", method="WS", address=session.address)
            return self._failed(asked.id, told.http, _error(told.code, told.msg), session, answer)
        if fault.kind in {"ack_hang", "ack_slow"}:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.kind == "ack_slow":
            return full
        if fault.kind == "ack_truncated":
            return full[: len(full) // 2]
        if fault.kind == "ack_garbage":
            return "\x00garbage{"
        if fault.kind == "ack_empty":
            return ""
        session.transport.abort()
        return None

    # --- sessions ---------------------------------------------------------------------------------------------

    def _session(self, session: _Session, asked: _Asked, texts: dict[str, str]) -> str:
        venue = self._venue
        params = Params(texts)
        now_ms = venue.shown_ms(venue.now_ns())
        try:
            if asked.method == "session.logon":
                account = venue.exchange.account_by_key(params.text("apiKey"))
                if account is None:
                    raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
                check_time(params, venue_ms=now_ms)
                check_signature(account.secret, websocket_text(texts), signature_in(params))
                session.account, session.since_ms = account, now_ms
            elif asked.method == "session.logout":
                session.account, session.since_ms = None, None
        except Refused as why:
            return self._failed(asked.id, why.http, _error(why.code, why.msg), session, None)
        state = _SessionState(
            api_key=session.account.api_key if session.account is not None else None,
            authorized_since=session.since_ms,
            connected_since=session.connected_ms,
            return_rate_limits=True,
            server_time=now_ms,
        )
        answered = _Answered(
            id=asked.id,
            status=200,
            result=msgspec.Raw(msgspec.json.encode(state)),
            rate_limits=self._limits(session, None),
        )
        return msgspec.json.encode(answered).decode()

    # --- texts ------------------------------------------------------------------------------------------------

    def _limits(self, session: _Session, answer: Answer | None) -> list[RateLimitFact]:
        venue = self._venue
        now_ns = venue.now_ns()
        weight, minute, ten = rate_limits(venue)
        weight.count = venue.limits.weight_used(session.address, now_ns)
        if answer is None or answer.usage.orders_10s is None:
            return [weight]
        ten.count, minute.count = venue.limits.orders_used(answer.account, now_ns)
        return [ten, minute, weight]

    def _answered(self, request_id: RequestId, answer: Answer, session: _Session) -> str:
        answered = _Answered(
            id=request_id,
            status=200,
            result=msgspec.Raw(answer.body),
            rate_limits=self._limits(session, answer),
        )
        return msgspec.json.encode(answered).decode()

    def _failed(
        self, request_id: RequestId, status: int, error: msgspec.Raw, session: _Session, answer: Answer | None
    ) -> str:
        failed = _Failed(id=request_id, status=status, error=error, rate_limits=self._limits(session, answer))
        return msgspec.json.encode(failed).decode()


def _error(code: int, msg: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(Message(code=code, msg=msg)))
