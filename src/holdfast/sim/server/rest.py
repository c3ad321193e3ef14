"""REST over HTTP: raw parameters in, answers out, and every way in which an answer can get lost."""

from __future__ import annotations

import asyncio
import socket
from struct import pack
from typing import Final

from aiohttp import web

from holdfast.sim.server.dispatch import Answer, Request, dispatch
from holdfast.sim.server.faults import AFTER_KINDS, BEFORE_KINDS, FaultSpec
from holdfast.sim.server.planned import JSON, Planned, planned
from holdfast.sim.server.requests import stamp_now
from holdfast.sim.server.signing import parse_texts, signed_text
from holdfast.sim.server.venue import Venue

_GARBAGE: Final = b'{"orderId": 4294967296, "status": \xff\xfe<<<'
_HEADERS: Final = {"Server": "sim", "Cache-Control": "no-cache, no-store"}


class Rest:
    """Answers REST requests of one venue."""

    def __init__(self, venue: Venue, *, label: str) -> None:
        self._venue = venue
        self._headers = dict(_HEADERS)
        if label:
            self._headers["X-Sim-Speed"] = label

    async def serve(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """One request."""
        venue = self._venue
        stamp = stamp_now(venue.now_ns())
        body = ""
        if request.can_read_body:
            try:
                body = (await request.read()).decode()
            except UnicodeDecodeError:
                return self._send(400, b'{"code":-1101,"msg":"Not all sent parameters were read."}')
        texts = parse_texts(query, body)
        api_key = request.headers.get("X-MBX-APIKEY", "")
        address = request.remote or ""
        known = venue.exchange.account_by_key(api_key) if api_key else None
        matched = {
            "method": request.method,
            "path": path,
            "account": known.name if known is not None else "",
            "symbol": texts.get("symbol", ""),
        }
        before = venue.faults.request(BEFORE_KINDS, **matched, now_ns=venue.now_ns())
        if before is not None:
            if before.kind != "slow":
                return await self._stopped(request, before, path, address)
            await asyncio.sleep(before.delay_ms / 1000)
        answer = dispatch(
            venue,
            Request(
                method=request.method,
                path=path,
                texts=texts,
                signed=signed_text(query, body),
                api_key=api_key,
                address=address,
                via="rest",
                stamp=stamp,
            ),
        )
        venue.hub.flush()
        venue.nudge()
        if venue.config.reply_latency_ms:
            await asyncio.sleep(venue.config.reply_latency_ms / 1000)
        if answer.http == 200:
            answer.body = venue.reshaping.body(request.method, path, answer.body)
            after = venue.faults.request(AFTER_KINDS, **matched, now_ns=venue.now_ns())
            if after is not None:
                return await self._lost(request, after, answer, path, address)
        return self._told(answer)

    # --- usual answers --------------------------------------------------------------------------------------

    def _told(self, answer: Answer) -> web.Response:
        headers = dict(self._headers)
        usage = answer.usage
        headers["X-MBX-USED-WEIGHT-1M"] = str(usage.weight)
        if usage.orders_10s is not None:
            headers["X-MBX-ORDER-COUNT-10S"] = str(usage.orders_10s)
            headers["X-MBX-ORDER-COUNT-1M"] = str(usage.orders_1m)
        if answer.retry_after_s:
            headers["Retry-After"] = str(answer.retry_after_s)
        return web.Response(status=answer.http, body=answer.body, headers=headers, content_type=JSON)

    def _send(self, http: int, body: bytes, content_type: str = JSON, retry_after_s: int = 0) -> web.Response:
        headers = dict(self._headers)
        if retry_after_s:
            headers["Retry-After"] = str(retry_after_s)
        return web.Response(status=http, body=body, headers=headers, content_type=content_type)

    def _planned(self, told: Planned) -> web.Response:
        return self._send(told.http, told.body, told.content_type, told.retry_after_s)

    # --- planned failures -----------------------------------------------------------------------------------

    async def _stopped(
        self, request: web.BaseRequest, fault: FaultSpec, path: str, address: str
    ) -> web.StreamResponse:
        """The request is never acted upon."""
        if fault.kind == "hang":
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.kind in {"hang", "reset"}:
            return _reset(request)
        return self._planned(planned(fault, path=path, method=request.method, address=address))

    async def _lost(
        self, request: web.BaseRequest, fault: FaultSpec, answer: Answer, path: str, address: str
    ) -> web.StreamResponse:
        """The request took effect; its sender will not hear so."""
        if answer.entry is not None:
            answer.entry.fault = fault.kind
        if fault.kind == "ack_error":
            return self._planned(planned(fault, path=path, method=request.method, address=address))
        if fault.kind in {"ack_hang", "ack_slow"}:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.kind == "ack_slow":
            return self._told(answer)
        if fault.kind == "ack_empty":
            return self._send(200, b"")
        if fault.kind == "ack_garbage":
            return self._send(200, _GARBAGE)
        if fault.kind == "ack_truncated" and request.transport is not None:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}\r\n\r\n"
            request.transport.write(head.encode() + answer.body[: len(answer.body) // 2])
            request.transport.close()
            return web.Response()
        return _reset(request)


def _reset(request: web.BaseRequest) -> web.Response:
    """Cut the connection so that the other side sees a reset, not an end."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        transport.abort()
    return web.Response()
