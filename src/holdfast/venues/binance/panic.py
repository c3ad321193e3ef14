"""A client of last resort: lists and cancels orders, and gets out of positions. Nothing else. Standard library only.

For the dead switches. It shares nothing with the trading client, so that a fault there is not a fault here: it has its
own signing, its own clock offset, its own reading of what the venue says. Blocking on purpose; each request has a
deadline that holds whatever the other side does, name resolution excepted.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from holdfast.ports.last_resort import Exit, Fate, Held, LastResortFailed, OpenOrder, Rules

TIMEOUT_S: Final = 2.0
BODY_BYTES_MAX: Final = 32 << 20
READ_WINDOW_MS: Final = 5_000
OFFSET_AGE_S_MAX: Final = 60.0
WAIT_S_MAX: Final = 600.0
_FINAL: Final = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})
_REDUCING: Final = ("reduceOnly", "closePosition")
_CLOCK_CODE: Final = -1021
_NO_SUCH_ORDER: Final = -2013


class _Refused(LastResortFailed):
    """The venue answered, and not with what was asked."""

    def __init__(self, what: str, *, code: int) -> None:
        self.code = code
        super().__init__(what)


class PanicClient:
    """One account. ``rest_url`` is the only host ever reached. ``order_window_ms``: of what changes something."""

    def __init__(
        self,
        *,
        rest_url: str,
        api_key: str,
        secret: str,
        order_window_ms: int = 1_000,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.rest_url = rest_url
        self._api_key = api_key
        self._secret = secret
        self._order_window_ms = order_window_ms
        self._timeout_s = timeout_s
        self._offset_ms = 0
        self._offset_until_s = 0.0  # time.monotonic
        self._silent_until_s = 0.0  # the venue asked not to be asked before

    def __repr__(self) -> str:
        return f"PanicClient({self.rest_url})"

    # --- orders -----------------------------------------------------------------------------------------------

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """See ``ports.last_resort``; so for the rest."""
        plain = self._signed("GET", "/fapi/v1/openOrders")
        conditional = self._signed("GET", "/fapi/v1/openAlgoOrders")
        with _reading("open orders"):
            return (
                *(_order(row, "orderId", conditional=False) for row in _list(plain)),
                *(_order(row, "algoId", conditional=True) for row in _list(conditional)),
            )

    def cancel_symbol(self, symbol: str, *, conditional: bool) -> None:
        path = "/fapi/v1/algoOpenOrders" if conditional else "/fapi/v1/allOpenOrders"
        self._signed("DELETE", path, symbol=symbol)

    def cancel_one(self, order: OpenOrder) -> None:
        if order.conditional:
            self._signed("DELETE", "/fapi/v1/algoOrder", algoId=order.order_id)
        else:
            self._signed("DELETE", "/fapi/v1/order", symbol=order.symbol, orderId=order.order_id)

    # --- positions --------------------------------------------------------------------------------------------

    def positions(self, source: int) -> tuple[Held, ...]:
        if source:
            said = self._signed("GET", "/fapi/v3/account")
            rows = said.get("positions") if isinstance(said, dict) else None
        else:
            rows = self._signed("GET", "/fapi/v3/positionRisk")
        with _reading("positions"):
            held = [
                Held(
                    symbol=str(row["symbol"]),
                    amount=Decimal(row["positionAmt"]),
                    one_way=row["positionSide"] == "BOTH",
                )
                for row in _list(rows)
            ]
        return tuple(one for one in held if one.amount)

    def rules(self) -> dict[str, Rules]:
        said = self._ask("GET", "/fapi/v1/exchangeInfo", "")
        with _reading("exchange information"):
            found = {}
            for row in _list(said["symbols"]):
                filters = {one["filterType"]: one for one in row["filters"]}
                found[str(row["symbol"])] = Rules(
                    tick=Decimal(filters["PRICE_FILTER"]["tickSize"]),
                    step=Decimal(filters["LOT_SIZE"]["stepSize"]),
                    qty_max=Decimal(filters["LOT_SIZE"]["maxQty"]),
                )
            return found

    def reference(self, symbol: str) -> Decimal:
        said = self._ask("GET", "/fapi/v1/premiumIndex", urlencode({"symbol": symbol}))
        with _reading("mark price"):
            mark = Decimal(said["markPrice"])
        if mark <= 0:
            raise LastResortFailed(f"{symbol}: a mark price of {mark} is no price")
        return mark

    def exit(self, order: Exit) -> Fate:
        return _fate(
            self._signed(
                "POST",
                "/fapi/v1/order",
                symbol=order.symbol,
                side="SELL" if order.sell else "BUY",
                type="LIMIT",
                timeInForce="IOC",
                reduceOnly="true",
                quantity=format(order.quantity, "f"),
                price=format(order.price, "f"),
                newClientOrderId=order.client_id,
                newOrderRespType="RESULT",
            )
        )

    def fate(self, order: Exit) -> Fate:
        try:
            return _fate(
                self._signed("GET", "/fapi/v1/order", symbol=order.symbol, origClientOrderId=order.client_id)
            )
        except _Refused as error:
            if error.code == _NO_SUCH_ORDER:
                return Fate.ABSENT
            raise

    # --- the wire ---------------------------------------------------------------------------------------------

    def _signed(self, method: str, path: str, **params: str) -> Any:
        if time.monotonic() >= self._offset_until_s:
            self._measure()
        window_ms = READ_WINDOW_MS if method == "GET" else self._order_window_ms
        stamp = time.time_ns() // 1_000_000 + self._offset_ms
        query = urlencode({**params, "recvWindow": window_ms, "timestamp": stamp})
        signature = hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        try:
            return self._ask(method, path, f"{query}&signature={signature}")
        except _Refused as error:
            if error.code == _CLOCK_CODE:
                self._offset_until_s = 0.0
            raise

    def _measure(self) -> None:
        """The venue's clock less ours. Where it cannot be told, the last offset is better than none."""
        before = time.time_ns()
        try:
            said = self._ask("GET", "/fapi/v1/time", "")
            with _reading("time"):
                told = int(said["serverTime"])
        except LastResortFailed:
            return
        self._offset_ms = told - (before + time.time_ns()) // 2_000_000
        self._offset_until_s = time.monotonic() + OFFSET_AGE_S_MAX

    def _ask(self, method: str, path: str, query: str) -> Any:
        wait_s = self._silent_until_s - time.monotonic()
        if wait_s > 0:
            raise LastResortFailed(f"{method} {path}: the venue asked for {wait_s:.0f} s more of silence")
        status, retry_after, body = self._exchange(method, path, query)
        if status in {418, 429}:
            seconds = float(retry_after) if retry_after.isdecimal() else 1.0
            self._silent_until_s = time.monotonic() + min(seconds, WAIT_S_MAX)
        try:
            said = json.loads(body)
        except ValueError:
            raise LastResortFailed(f"{method} {path}: HTTP {status} without JSON") from None
        if status != http.client.OK:
            code = said.get("code") if isinstance(said, dict) else None
            raise _Refused(
                f"{method} {path}: HTTP {status} {str(said)[:200]}", code=code if isinstance(code, int) else 0
            )
        return said

    def _exchange(self, method: str, path: str, query: str) -> tuple[int, str, bytes]:
        where = urlsplit(self.rest_url)
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        connection = kind(where.netloc, timeout=self._timeout_s)
        # a timeout of the socket bounds each read of it, not their sum: a peer that drips would never end
        deadline = threading.Timer(self._timeout_s, _cut, [connection])
        deadline.daemon = True
        deadline.start()
        try:
            target = f"{path}?{query}" if query else path
            connection.request(method, target, headers={"X-MBX-APIKEY": self._api_key})
            reply = connection.getresponse()
            body = reply.read(BODY_BYTES_MAX)
            return reply.status, reply.headers.get("Retry-After") or "", body
        except OSError as error:
            raise LastResortFailed(f"{method} {path}: {error}") from None
        except (
            http.client.HTTPException,
            ValueError,
            AttributeError,
        ) as error:  # cut in the middle of a read
            raise LastResortFailed(f"{method} {path}: {type(error).__name__}") from None
        finally:
            deadline.cancel()
            connection.close()


class _reading:  # noqa: N801 - a with-block that reads like one
    """What the venue said has another shape than expected: said in one line, never half read."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | InvalidOperation):
            raise LastResortFailed(f"{self._what}: not in the shape that is known here") from None


def _cut(connection: http.client.HTTPConnection) -> None:
    import socket

    held = connection.sock
    with suppress(OSError, AttributeError):
        held.shutdown(socket.SHUT_RDWR)


def _list(value: Any) -> list[Any]:
    """What must be a list. Errors: TypeError."""
    if not isinstance(value, list):
        raise TypeError(type(value).__name__)
    return value


def _order(row: Any, id_key: str, *, conditional: bool) -> OpenOrder:
    return OpenOrder(
        symbol=str(row["symbol"]),
        order_id=str(row[id_key]),
        conditional=conditional,
        reduces=any(row.get(key) is True for key in _REDUCING),
    )


def _fate(said: Any) -> Fate:
    """A status that is not known to be final may still fill."""
    status = said.get("status") if isinstance(said, dict) else None
    return Fate.FINAL if status in _FINAL else Fate.OPEN
