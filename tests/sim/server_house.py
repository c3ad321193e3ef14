"""Builders for the server's tests: a venue on free ports whose market moves by hand, and a client that signs."""

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from holdfast.sim.config import AccountConfig, LimitsConfig, SimConfig
from holdfast.sim.server import SimServer
from holdfast.sim.sources import BTCUSDT, ETHUSDT, Frame
from holdfast.vocab.market import Depth, Mark, Quote, Trade

SPECS = {"BTCUSDT": BTCUSDT, "ETHUSDT": ETHUSDT}
STREAMS: dict[Any, str] = {Quote: "bookTicker", Trade: "trade", Depth: "depth@0ms", Mark: "markPrice@1s"}
KEY, SECRET = "sim-key", "sim-secret"
PATIENCE_S = 5


def run(coroutine):
    """Run an async test to its end, with a limit."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def frame(event, *, stream=None):
    name = f"{event.instrument.lower()}@{STREAMS[type(event)]}" if stream is None else stream
    return Frame(event.venue_ns, event.venue_ns, event.instrument, name, None, event, SPECS[event.instrument])


def opening():
    """A book of three levels and a mark per instrument: BTC 60000.0/60000.1, ETH 2500.00/2500.01."""
    frames = []
    for symbol, bid in (("BTCUSDT", 600_000), ("ETHUSDT", 250_000)):
        bids = tuple((bid - i, 5_000) for i in range(3))
        asks = tuple((bid + 1 + i, 5_000) for i in range(3))
        frames += [
            frame(Depth(symbol, 100, 100, 99, bids, asks, True, 1, 0, 0), stream=""),
            frame(Quote(symbol, 101, bid, 5_000, bid + 1, 5_000, 1, 0, 0)),
            frame(Mark(symbol, bid, 100_000, 1, 1, 0, 0)),
        ]
    return frames


class StillSource:
    """The opening, and then nothing: tests move the market themselves."""

    specs = (BTCUSDT, ETHUSDT)
    start_ns = 1

    def frames(self):
        return iter(opening())


class Bench:
    """A running venue and what a test does with it."""

    def __init__(self, server, http):
        self.server = server
        self.http = http
        self.seq = 200

    # --- the market ---------------------------------------------------------------------------------------------

    def quote(self, bid, ask, *, symbol="BTCUSDT", lots=5_000):
        self.seq += 1
        self.server.show(frame(Quote(symbol, self.seq, bid, lots, ask, lots, 1, 0, 0)))

    def trade(self, price, lots, aggressor, *, symbol="BTCUSDT"):
        self.seq += 1
        self.server.show(frame(Trade(symbol, self.seq, price, lots, aggressor, True, 1, 0, 0)))

    def mark(self, price, *, symbol="BTCUSDT"):
        self.server.show(frame(Mark(symbol, price, 100_000, 1, 1, 0, 0)))

    def depth(self, *, bids=(), asks=(), symbol="BTCUSDT"):
        before, self.seq = self.server.venue.market.symbols[symbol].book_id, self.seq + 3
        self.server.show(
            frame(Depth(symbol, before + 1, self.seq, before, tuple(bids), tuple(asks), False, 1, 0, 0))
        )

    # --- requests -------------------------------------------------------------------------------------------------

    async def ask(self, method, path, query="", body=None, headers=None):
        """(status, parsed body, headers) of one raw request."""
        url = f"{self.server.url}{path}" + (f"?{query}" if query else "")
        if isinstance(body, str):
            headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        async with self.http.request(method, _raw(url), data=body, headers=headers) as reply:
            text = await reply.text()
            return reply.status, _parsed(text), reply.headers

    async def public(self, path, **params):
        """The parsed body of a public GET."""
        status, body, _ = await self.ask("GET", path, urlencode(params))
        assert 200 == status, body
        return body

    async def signed(self, method, path, *, key=KEY, secret=SECRET, in_body=False, stamp_ms=None, **params):
        """(status, body, headers) of a signed request."""
        params["timestamp"] = int(time.time() * 1000) if stamp_ms is None else stamp_ms
        text = urlencode(params)
        text += "&signature=" + sign(text, secret)
        query, body = ("", text) if in_body else (text, None)
        return await self.ask(method, path, query, body, {"X-MBX-APIKEY": key})

    async def ok(self, method, path, **params):
        """The body of a signed request that must go well."""
        status, body, _ = await self.signed(method, path, **params)
        assert 200 == status, body
        return body

    async def code(self, method, path, **params):
        """The code with which a signed request is refused; 0 where it is not."""
        status, body, _ = await self.signed(method, path, **params)
        return 0 if status == 200 else body["code"]

    async def place(self, side="BUY", quantity="0.010", price="59000.0", symbol="BTCUSDT", **params):
        """A limit order that rests, unless told otherwise."""
        terms = {"symbol": symbol, "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity}
        return await self.ok("POST", "/fapi/v1/order", **{**terms, "price": price, **params})

    async def market(self, side="BUY", quantity="0.010", symbol="BTCUSDT", **params):
        terms = {"symbol": symbol, "side": side, "type": "MARKET", "quantity": quantity}
        return await self.ok("POST", "/fapi/v1/order", **{**terms, "newOrderRespType": "RESULT", **params})

    # --- sockets --------------------------------------------------------------------------------------------------

    def socket(self, path):
        return self.http.ws_connect(self.server.url.replace("http", "ws") + path)

    async def listen_key(self):
        _, body, _ = await self.ask("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY})
        return body["listenKey"]

    # --- control --------------------------------------------------------------------------------------------------

    async def control(self, method, path, /, **body):
        """The answer of the control endpoint."""
        data = json.dumps(body) if body else None
        async with self.http.request(method, self.server.control_url + path, data=data) as reply:
            answer = await reply.json()
            assert 200 == reply.status, answer
            return answer

    async def fault(self, kind, **spec):
        return (await self.control("POST", "/faults", kind=kind, **spec))["fault_id"]

    async def truth(self, account="demo"):
        return await self.control("GET", f"/truth?account={account}")


def _raw(url):
    return URL(url, encoded=True)


def _parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def sign(text, secret=SECRET):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


async def hear(socket, *kinds, seconds=PATIENCE_S):
    """Messages of a socket until one of each kind has come: by kind, the first of each."""
    heard: dict[str, Any] = {}
    while not set(kinds) <= set(heard):
        message = await asyncio.wait_for(socket.receive(), seconds)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        told = json.loads(message.data)
        data = told.get("data", told)
        kind = data[0]["e"] if isinstance(data, list) else data.get("e")
        heard.setdefault(kind, told)
    return heard


async def silence(socket, seconds=0.3):
    """Whether nothing comes for so long."""
    try:
        await asyncio.wait_for(socket.receive(), seconds)
    except TimeoutError:
        return True
    return False


def a_config(**changes):
    facts: dict[str, Any] = {
        "accounts": (AccountConfig(), AccountConfig(name="other", api_key="key-2", secret="s2", uid="2"))
    }
    limits = changes.pop("limits", None)
    if limits is not None:
        facts["limits"] = LimitsConfig(**limits)
    return SimConfig(**{**facts, **changes})


def signed_ws(params, *, key=KEY, secret=SECRET):
    params = {**params, "apiKey": key, "timestamp": int(time.time() * 1000)}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return {**params, "signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


async def ask_ws(socket, method, *, bare=False, request_id="r1", **params):
    """One request's answer."""
    await socket.send_json(
        {"id": request_id, "method": method, "params": params if bare else signed_ws(params)}
    )
    return json.loads((await asyncio.wait_for(socket.receive(), 5)).data)


@asynccontextmanager
async def a_bench(*, source=None, clock=None, **changes):
    """A venue on free ports, stopped at the end."""
    server = SimServer(a_config(**changes), source=source or StillSource(), clock=clock)
    await server.start()
    try:
        async with aiohttp.ClientSession() as http:
            await asyncio.sleep(0)  # the pump plays the opening
            yield Bench(server, http)
    finally:
        await server.stop()
