"""A small HTTP server on loopback that answers as Binance documents, or as badly as a test wants."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from aiohttp import web

SECRET = "secret-of-the-test"
KEY = "key-of-the-test"

SYMBOLS = [
    {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol[:3],
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "contractType": "PERPETUAL",
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": tick, "minPrice": tick, "maxPrice": "1000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "120"},
            {"filterType": "MIN_NOTIONAL", "notional": notional},
        ],
    }
    for symbol, tick, notional in (("BTCUSDT", "0.10", "100"), ("ETHUSDT", "0.01", "20"))
]
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]

Answer = Callable[["FakeBinance", str, dict[str, str]], Awaitable[web.StreamResponse] | web.StreamResponse]


def reply(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = body if isinstance(body, str) else json.dumps(body)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


class FakeBinance:
    """Remembers what it was asked. ``answers``: per "METHOD /path", instead of the documented answer."""

    def __init__(self) -> None:
        self.url = ""
        self.ws = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.bad_signatures = 0
        self.answers: dict[str, Answer] = {}
        self.orders: dict[str, dict[str, object]] = {}
        self.clock_ahead_ms = 0
        self.connections: set[str] = set()
        self.user_sockets: list[web.WebSocketResponse] = []
        self.user_paths: list[str] = []

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.clock_ahead_ms

    def asked_of(self, path: str) -> list[dict[str, str]]:
        return [params for _, asked, params in self.asked if asked == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = request.query_string or (await request.text())
        params = dict(parse_qsl(text, keep_blank_values=True))
        if "signature" in params:
            payload, _, signature = text.rpartition("&signature=")
            good = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
            self.bad_signatures += good != signature
        key = f"{request.method} {request.path}"
        self.asked.append((request.method, request.path, params))
        answer = self.answers.get(key)
        if answer is not None:
            made = answer(self, key, params)
            return await made if isinstance(made, Awaitable) else made
        return self.documented(key, params)

    def documented(self, key: str, params: dict[str, str]) -> web.Response:
        match key:
            case "GET /fapi/v1/time":
                return reply({"serverTime": self.now_ms()})
            case "GET /fapi/v1/exchangeInfo":
                return reply({"serverTime": self.now_ms(), "symbols": SYMBOLS, "rateLimits": LIMITS})
            case "GET /fapi/v1/positionSide/dual":
                return reply({"dualSidePosition": False})
            case "POST /fapi/v1/listenKey":
                return reply({"listenKey": "listen-key-1"})
            case "PUT /fapi/v1/listenKey":
                return reply({})
            case "POST /fapi/v1/order":
                return reply(self.place(params))
            case "PUT /fapi/v1/order":
                order = self.orders[params["origClientOrderId"]]
                order |= {"price": params["price"], "origQty": params["quantity"]}
                return reply(order)
            case "GET /fapi/v1/order" | "DELETE /fapi/v1/order":
                order = self.orders.get(params.get("origClientOrderId", ""))
                if order is None:
                    code = -2013 if key.startswith("GET") else -2011
                    return reply({"code": code, "msg": "Unknown order."}, status=400)
                if key.startswith("DELETE"):
                    order["status"] = "CANCELED"
                return reply(order)
            case "GET /fapi/v1/openOrders":
                return reply([order for order in self.orders.values() if order["status"] == "NEW"])
            case "DELETE /fapi/v1/allOpenOrders" | "DELETE /fapi/v1/algoOpenOrders":
                return reply({"code": 200, "msg": "The operation of cancel all open order is done."})
            case "POST /fapi/v1/leverage":
                return reply({"leverage": 5, "maxNotionalValue": "1000000", "symbol": params["symbol"]})
            case "POST /fapi/v1/countdownCancelAll":
                return reply({"symbol": params["symbol"], "countdownTime": params["countdownTime"]})
            case _:
                return reply([])

    def place(self, params: dict[str, str]) -> dict[str, object]:
        order: dict[str, object] = {
            "orderId": 1_000 + len(self.orders),
            "symbol": params["symbol"],
            "status": "NEW",
            "clientOrderId": params["newClientOrderId"],
            "price": params.get("price", "0"),
            "origQty": params["quantity"],
            "executedQty": "0",
            "side": params["side"],
            "type": params["type"],
            "reduceOnly": params.get("reduceOnly") == "true",
            "updateTime": self.now_ms(),
        }
        self.orders[params["newClientOrderId"]] = order
        return order

    async def user_stream(self, request: web.Request) -> web.WebSocketResponse:
        self.user_paths.append(request.path_qs)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.user_sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def tell(self, message: object) -> None:
        for socket in self.user_sockets:
            with contextlib.suppress(ConnectionError):  # the other end may be leaving
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))


@asynccontextmanager
async def fake_binance(host: str = "127.0.0.1") -> AsyncIterator[FakeBinance]:
    fake = FakeBinance()
    app = web.Application()
    app.router.add_get("/private/ws", fake.user_stream)
    app.router.add_get("/ws/{key}", fake.user_stream)
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    fake.url, fake.ws = f"http://{host}:{port}", f"ws://{host}:{port}"
    try:
        yield fake
    finally:
        for socket in fake.user_sockets:
            await socket.close()
        await runner.cleanup()


async def eventually(holds: Callable[[], object], *, within_s: float = 3.0) -> None:
    """Wait until something holds; the assertion fails with the time-out."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is anything at all
            await asyncio.sleep(0.005)
