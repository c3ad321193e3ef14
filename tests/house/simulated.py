"""The simulated venue, served from a thread of this process: real sockets, and its control port beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from holdfast.sim.config import SimConfig
from holdfast.sim.server import SimServer
from holdfast.venues.binance.panic import PanicClient

BUY, SELL = "BUY", "SELL"


class Served:
    """One venue with one account."""

    def __init__(self, server: SimServer) -> None:
        self.url = server.url
        self.control_url = server.control_url

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask the control port."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control_url + path, method=method, data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def fault(self, kind: str, **spec: Any) -> int:
        """Put a fault to work."""
        return int(self.control("POST", "/faults", {"kind": kind, **spec})["fault_id"])

    def heal(self) -> None:
        """Take every fault away."""
        self.control("DELETE", "/faults")

    def struck(self) -> int:
        """How often the faults at work have hit."""
        return sum(one["struck"] for one in self.control("GET", "/faults"))

    def order(self, side: str, quantity: str, price: str = "", symbol: str = "BTCUSDT") -> None:
        """Somebody's order: resting with a price, at the market without. Waits for the market to open."""
        body = {"symbol": symbol, "side": side, "quantity": quantity, "price": price}
        deadline = time.monotonic() + 20
        while True:
            try:
                self.control("POST", "/manual_order", body)
                return
            except urllib.error.HTTPError:
                assert time.monotonic() < deadline, "the market never opened"
                time.sleep(0.1)

    def stop_order(
        self, client: PanicClient, side: str = SELL, *, reduces: bool, symbol: str = "BTCUSDT"
    ) -> None:
        """A conditional order, far away."""
        client._signed(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol=symbol,
            side=side,
            type="STOP_MARKET",
            triggerPrice="20000" if side == SELL else "200000",
            quantity="0.010",
            reduceOnly=str(reduces).lower(),
        )

    def truth(self) -> Any:
        """The account's ground truth."""
        return self.control("GET", "/truth")

    def open_count(self) -> tuple[int, int]:
        """(plain, conditional) orders that are open."""
        truth = self.truth()
        return len(truth["open_orders"]), len(truth["open_algo_orders"])

    def amounts(self) -> dict[str, Decimal]:
        """The true positions."""
        return {one["symbol"]: Decimal(one["amount"]) for one in self.truth()["positions"]}

    def requests(self, *kinds: str) -> list[dict[str, Any]]:
        """Order requests that reached the venue, of these kinds."""
        return [one for one in self.truth()["requests"] if one["kind"] in kinds]

    def client(self, **changes: Any) -> PanicClient:
        """The client of last resort of the account."""
        plain = {"rest_url": self.url, "api_key": "sim-key", "secret": "sim-secret"}
        return PanicClient(**{**plain, **changes})


@contextlib.contextmanager
def served(config: SimConfig | None = None) -> Iterator[Served]:
    """A venue in a loop of its own; gone afterwards."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = SimServer(config or SimConfig())

    def call(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    call(server.start())
    try:
        yield Served(server)
    finally:
        call(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
