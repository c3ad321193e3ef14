"""ccxt, hardened: the holes through which it mis-reports an order's fate are closed on any of its exchanges.

Bare ccxt 4.5 (measured against a server that injects faults): a reply cut short reads as a definite
rejection; a success with an unreadable or empty body is no error at all; a redirect is followed with the
signed body; Binance's error table is chosen by URL, so that a simulator gets another one than the real venue;
``load_markets`` makes signed calls to hosts that nobody configured; a FIFO throttle puts a cancel behind reads.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.clock import VenueClock
from holdfast.venues.transport.hop import HOP, BudgetSpent, OutcomeUnknown, Unpermitted, leaving
from holdfast.venues.transport.session import AllowedHosts, GuardedSession

_OUR_OPTIONS: Final = {
    "maxRetriesOnFailure": 0,
    "adjustForTimeDifference": False,
    "fetchCurrencies": False,
    "fetchMargins": False,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}

RawTap = Callable[[Any], None]
"""One message of a stream, as parsed from the wire, right after ccxt has handled it."""

_BINANCE_TABLES: Final = {
    "binance": "spot",
    "binanceus": "spot",
    "binanceusdm": "linear",
    "binancecoinm": "inverse",
}


class Credentials(Struct, frozen=True, kw_only=True):
    """What a venue knows us by. Never printed: the repr shows nothing of it."""

    api_key: str = ""
    secret: str = ""
    password: str = ""
    uid: str = ""
    wallet_address: str = ""
    private_key: str = ""

    def __repr__(self) -> str:
        """No part of a secret, not even its length."""
        return "Credentials(…)"

    __str__ = __repr__

    def for_ccxt(self) -> dict[str, str]:
        """Under ccxt's names; empty ones left out."""
        named = {
            "apiKey": self.api_key,
            "secret": self.secret,
            "password": self.password,
            "uid": self.uid,
            "walletAddress": self.wallet_address,
            "privateKey": self.private_key,
        }
        return {name: value for name, value in named.items() if value}


class Endpoints(Struct, frozen=True, kw_only=True):
    """Where requests may go. ``http`` and ``ws`` empty: the exchange's own addresses.

    With ``http`` set (a simulated venue), every address that ccxt knows is replaced, the unused ones too:
    ccxt calls hosts that nobody asked for. ``extra``: further hosts that may be spoken to, as URLs.
    """

    http: str = ""
    ws: str = ""
    extra: tuple[str, ...] = ()


def exchange_class(exchange_id: str) -> Any:
    """The class that ccxt has under this id, with streams where it has them. Raises LookupError for an unknown id."""
    import ccxt.async_support
    import ccxt.pro

    found = getattr(ccxt.pro, exchange_id, None) or getattr(ccxt.async_support, exchange_id, None)
    if found is None or exchange_id not in ccxt.async_support.exchanges:
        raise LookupError(f"ccxt knows no exchange {exchange_id!r}")
    return found


def _needs_no_quoting(value: Any) -> bool:
    return type(value) is int or (
        type(value) is str and value.isascii() and (value.isalnum() or value.replace(".", "", 1).isalnum())
    )


def harden(base: Any) -> Any:
    """A subclass of one ccxt exchange class with the holes closed."""

    class Hardened(base):  # type: ignore[misc]
        """Signs and sends; never retries, throttles, follows, guesses, or loads anything by itself."""

        holdfast_clock: VenueClock
        holdfast_tap: RawTap | None = None
        holdfast_may_load = False
        holdfast_budget: Budget | None = None

        # --- an unknown outcome is never dressed up as a known one ---

        async def fetch(self, url: Any, method: Any = "GET", headers: Any = None, body: Any = None) -> Any:
            from ccxt.base.errors import ExchangeError

            hop = HOP.get()
            if hop is None:
                raise Unpermitted(f"{method} {urlsplit(url).path}")
            leaving(hop, method, url, body or "")
            try:
                return await super().fetch(url, method, headers, body)
            except ExchangeError as error:
                if isinstance(error.__cause__, aiohttp.ClientError):
                    raise OutcomeUnknown("the reply was cut short") from error.__cause__
                raise

        def on_rest_response(self, code: Any, reason: Any, url: Any, method: Any, *rest: Any) -> Any:
            text = super().on_rest_response(code, reason, url, method, *rest)
            hop = HOP.get()
            if hop is not None:
                hop.status = int(code)
                hop.headers = {name.lower(): value for name, value in rest[0].items()}
                hop.body = text
            return text

        def parse_json(self, http_response: Any) -> Any:
            hop = HOP.get()
            return None if hop is not None and hop.raw else super().parse_json(http_response)

        def handle_errors(
            self,
            code: Any,
            reason: Any,
            url: Any,
            method: Any,
            headers: Any,
            body: Any,
            response: Any,
            *rest: Any,
        ) -> Any:
            hop = HOP.get()
            if hop is not None and hop.raw:
                return None
            if code < 200 or 300 <= code < 400:
                raise OutcomeUnknown(f"HTTP {code} is neither a success nor an error")
            if code < 300 and not isinstance(response, dict | list):
                raise OutcomeUnknown(f"HTTP {code} with a body that cannot be read")
            return super().handle_errors(code, reason, url, method, headers, body, response, *rest)

        def handle_http_status_code(self, code: Any, *rest: Any) -> Any:
            hop = HOP.get()
            return None if hop is not None and hop.raw else super().handle_http_status_code(code, *rest)

        def get_exceptions_by_url(self, url: Any, exact_or_broad: Any) -> Any:
            table = _BINANCE_TABLES.get(self.id)
            if table is None:
                return super().get_exceptions_by_url(url, exact_or_broad)
            by_market = self.safe_dict(self.exceptions, table, {})
            return self.safe_dict(by_market, exact_or_broad, {})

        # --- time is the venue's ---

        def milliseconds(self) -> int:
            return self.holdfast_clock.now_ms()

        def seconds(self) -> int:
            return self.holdfast_clock.now_ms() // 1_000

        def microseconds(self) -> int:
            return self.holdfast_clock.now_ns() // 1_000

        def sign(self, *args: Any, **named: Any) -> Any:
            hop = HOP.get()
            if hop is not None and "recvWindow" in self.options:
                self.options["recvWindow"] = hop.recv_window_ms
            return super().sign(*args, **named)

        def urlencode(self, params: Any = None, doseq: Any = False, sort: Any = False) -> Any:  # noqa: FBT002
            params = params or {}
            if not doseq and all(map(_needs_no_quoting, params.values())):
                return "&".join([f"{name}={value}" for name, value in params.items()])  # a tenth of the time
            return super().urlencode(params, doseq, sort)

        # --- nothing by itself ---

        async def load_markets(self, reload: Any = False, params: Any = None) -> Any:  # noqa: FBT002 - ccxt's
            if not self.holdfast_may_load and (reload or not self.markets):
                raise Unpermitted("load_markets outside load()")
            return await super().load_markets(reload, params or {})

        def open(self, lazy: Any = False) -> None:  # noqa: FBT002 - ccxt's
            if getattr(self, "asyncio_loop", None) is None:
                self.asyncio_loop = asyncio.get_running_loop()
                self.throttler.loop = self.asyncio_loop

        async def throttle(self, cost: Any = None) -> None:
            """Instead of ccxt's first-come queue: our budget, by lane, with ccxt's costs."""
            hop = HOP.get()
            if self.holdfast_budget is None or hop is None:
                return
            wait_ms = await self.holdfast_budget.take_or_wait(hop.lane, weight=math.ceil(cost or 1))
            if wait_ms:
                raise BudgetSpent(wait_ms)

        def handle_message(self, client: Any, message: Any) -> Any:
            try:
                return super().handle_message(client, message)
            finally:
                if self.holdfast_tap is not None:
                    self.holdfast_tap(message)  # after ccxt has it, whatever ccxt made of it

    Hardened.__name__ = f"Hardened_{base.__name__}"
    return Hardened


def build(
    exchange_id: str,
    *,
    credentials: Credentials,
    endpoints: Endpoints,
    clock: Clock,
    venue_clock: VenueClock,
    options: dict[str, Any] | None = None,
    budget: Budget | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> tuple[Any, GuardedSession]:
    """A hardened exchange with its guarded session, ready for calls inside a hop.

    With a ``budget``, ccxt's costs are taken from it by lane; without one the caller budgets by itself.

    Errors: LookupError for an id that ccxt does not know.
    """
    hardened = harden(exchange_class(exchange_id))
    settings: dict[str, Any] = {
        **credentials.for_ccxt(),
        "enableRateLimit": budget is not None,
        # Ours last: no option that a configuration brings may turn retries or signed extras on again.
        "options": {**(options or {}), **_OUR_OPTIONS},
    }
    exchange = hardened(settings)
    exchange.holdfast_clock = venue_clock
    exchange.holdfast_budget = budget
    exchange.timeout_on_exit = 0
    exchange.logger = _silent()
    if "timeDifference" in exchange.options:
        exchange.options["timeDifference"] = 0  # the offset is in our milliseconds() already
    if "fetchCurrencies" in exchange.has:
        exchange.has["fetchCurrencies"] = False  # signed on several exchanges, and nothing here needs it
    if endpoints.http:
        exchange.urls = _moved(exchange.urls, endpoints)
    allowed = AllowedHosts((*_own_urls(exchange), *endpoints.extra))
    session = GuardedSession(allowed=allowed, clock=clock, ssl_context=ssl_context)
    exchange.session = session
    exchange.own_session = False
    return exchange, session


def _silent() -> logging.Logger:
    # ccxt logs whole requests at DEBUG, key and signature included.
    logger = logging.Logger("ccxt, silenced")  # noqa: LOG001 - outside the tree, so that no handler is found
    logger.disabled = True
    return logger


def _moved(value: Any, endpoints: Endpoints) -> Any:
    """Every URL in ccxt's nested table, on the configured hosts; paths stay."""
    if isinstance(value, dict):
        return {key: _moved(item, endpoints) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, endpoints) for item in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    path = rest.partition("/")[2]
    base = (
        (endpoints.ws or endpoints.http.replace("http", "ws", 1))
        if scheme.startswith("ws")
        else endpoints.http
    )
    return f"{base.rstrip('/')}/{path}"


def _own_urls(exchange: Any) -> Iterator[str]:
    for text in _texts(exchange.urls.get("api")):
        address = exchange.implode_params(text, {"hostname": exchange.hostname or ""})
        if "://" in address and "{" not in address:
            yield address


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
