"""A client of last resort: it can list and cancel open orders, and nothing else. Standard library only.

For the watchdog, with a key of its own. It shares nothing with the trading client, so that a fault there is not
a fault here. Blocking on purpose: one process, one job.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

TIMEOUT_S: Final = 5.0
WINDOW_MS: Final = 5_000


class PanicFailed(Exception):
    """The venue did not do it, or did not say so: one line."""


class PanicClient(Struct, frozen=True, kw_only=True):
    """One account. ``rest_url`` is the only host that is ever reached."""

    rest_url: str
    api_key: str
    secret: str

    def __repr__(self) -> str:
        return f"PanicClient({self.rest_url})"

    def offset_ms(self) -> int:
        """The venue's clock less ours. Errors: PanicFailed."""
        before = time.time_ns()
        told = int(self._ask("GET", "/fapi/v1/time", "")["serverTime"])
        return told - (before + time.time_ns()) // 2_000_000

    def open_symbols(self, offset_ms: int) -> dict[str, int]:
        """How many orders are open per symbol, plain and conditional together. Errors: PanicFailed."""
        found: dict[str, int] = {}
        for path in ("/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders"):
            for order in self._signed("GET", path, {}, offset_ms):
                found[order["symbol"]] = found.get(order["symbol"], 0) + 1
        return found

    def cancel_all(self, symbol: str, offset_ms: int) -> None:
        """Cancel the plain open orders of a symbol; protective (conditional) ones stay. Errors: PanicFailed."""
        self._signed("DELETE", "/fapi/v1/allOpenOrders", {"symbol": symbol}, offset_ms)

    def _signed(self, method: str, path: str, params: dict[str, str], offset_ms: int) -> Any:
        stamp = time.time_ns() // 1_000_000 + offset_ms
        query = urlencode({**params, "recvWindow": WINDOW_MS, "timestamp": stamp})
        signature = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return self._ask(method, path, f"{query}&signature={signature}")

    def _ask(self, method: str, path: str, query: str) -> Any:
        where = urlsplit(self.rest_url)
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        connection = kind(where.netloc, timeout=TIMEOUT_S)
        try:
            target = f"{path}?{query}" if query else path
            connection.request(method, target, headers={"X-MBX-APIKEY": self.api_key})
            reply = connection.getresponse()
            body = reply.read()
        except OSError as error:
            raise PanicFailed(f"{method} {path}: {error}") from None
        except http.client.HTTPException as error:
            raise PanicFailed(f"{method} {path}: {type(error).__name__}") from None
        finally:
            connection.close()
        try:
            said = json.loads(body)
        except ValueError:
            raise PanicFailed(f"{method} {path}: HTTP {reply.status} without JSON") from None
        if reply.status != http.client.OK:
            raise PanicFailed(f"{method} {path}: HTTP {reply.status} {str(said)[:200]}")
        return said
