"""Binance USD-M as a VenuePort: ccxt signs and sends, everything that judges is ours."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.probe import Canary, Expected
from holdfast.ports.venue import EventSink, MaySend, VenueSilent, VenueUnusable
from holdfast.venues.binance import wire
from holdfast.venues.binance.asking import Endpoint, Windows
from holdfast.venues.binance.calls import DUAL_SIDE, EXCHANGE_INFO, Calls
from holdfast.venues.binance.canary import fly
from holdfast.venues.binance.codec import Book, Grid, Unreadable, read, spec_of
from holdfast.venues.binance.errors import Kind
from holdfast.venues.binance.limits import WINDOWS, window_of
from holdfast.venues.binance.probe import probe
from holdfast.venues.binance.stream import StreamTimes, UserStream
from holdfast.venues.binance.user import UserReader
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.clock import SystemClock, VenueClock
from holdfast.venues.transport.hardened import Credentials, Endpoints, build
from holdfast.venues.transport.hop import WriteStamp, always
from holdfast.venues.transport.session import AllowedHosts
from holdfast.venues.transport.sockets import Backoff
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Outcome
from holdfast.vocab.probe import Check
from holdfast.vocab.requests import Request

EXCHANGE_ID: Final = "binanceusdm"
REST_URL: Final = "https://fapi.binance.com"
KEY_URL: Final = "https://api.binance.com"
WS_URL: Final = "wss://fstream.binance.com"
_CLOCK_SAMPLES: Final = 3
T = TypeVar("T")


class BinanceConfig(Struct, frozen=True, kw_only=True):
    """One account at Binance USD-M, or at a venue that speaks its dialect.

    ``order_window_ms``: how late the venue still accepts what changes something; at most the lease's time to
    live, so that the venue itself refuses what a frozen process had in hand. ``key_url``: who tells a key's
    rights; empty: Binance's main host, or ``rest_url`` where that is another. ``legacy_streams``: one socket
    address for everything, as before 2026-04-23.
    """

    instruments: tuple[str, ...]
    account_tag: int
    credentials: Credentials
    order_window_ms: int
    read_window_ms: int = 5_000
    order_timeout_ms: int = 5_000
    read_timeout_ms: int = 8_000
    rest_url: str = REST_URL
    ws_url: str = WS_URL
    key_url: str = ""
    legacy_streams: bool = False
    times: StreamTimes = StreamTimes()
    backoff: Backoff = Backoff()


class BinanceVenue:
    """``ports.venue.VenuePort`` for one account. Created inside a running event loop."""

    def __init__(
        self, config: BinanceConfig, *, clock: Clock | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._ssl_context = ssl_context
        self._venue_clock = VenueClock(self._clock)
        # All of ccxt's addresses move to the configured hosts, so that no other can be reached.
        key_url = config.key_url or (KEY_URL if config.rest_url == REST_URL else config.rest_url)
        exchange, self._session = build(
            EXCHANGE_ID,
            credentials=config.credentials,
            endpoints=Endpoints(http=config.rest_url, ws=config.ws_url, extra=(key_url,)),
            clock=self._clock,
            venue_clock=self._venue_clock,
            ssl_context=ssl_context,
        )
        exchange.urls["api"]["sapi"] = f"{key_url.rstrip('/')}/sapi/v1"
        self._allowed = AllowedHosts((config.rest_url, config.ws_url))
        # no windows until the venue has told its own: what an earlier process used up must not keep us from asking
        self._budget = Budget((), venue_ms=self._venue_clock.now_ms)
        self._calls = Calls(
            exchange=exchange,
            clock=self._clock,
            venue_clock=self._venue_clock,
            budget=self._budget,
            windows=Windows(
                order_window_ms=config.order_window_ms,
                read_window_ms=config.read_window_ms,
                order_timeout_ms=config.order_timeout_ms,
                read_timeout_ms=config.read_timeout_ms,
            ),
        )
        self._reader: UserReader | None = None
        self._stream: UserStream | None = None

    # --- for benchmarks, proofs and people ------------------------------------------------------------------

    @property
    def writes(self) -> Iterable[WriteStamp]:
        """The last socket writes of orders, oldest first."""
        return self._session.writes

    def on_write(self, callback: Callable[[int, int], None] | None) -> None:
        """Have ``callback(order_id, mono_ns)`` called right after each order's socket write."""
        self._session.on_order_write = callback

    @property
    def counts(self) -> Counter[str]:
        """Replies without a row, by code; messages of the user stream, by type."""
        return self._calls.asker.unlisted + (self._reader.counts if self._reader is not None else Counter())

    def budget_used(self) -> dict[str, tuple[int, int]]:
        """Per rate window: (used, limit)."""
        return self._budget.used()

    # --- the port -------------------------------------------------------------------------------------------

    async def load(self) -> tuple[InstrumentSpec, ...]:
        """The configured instruments' facts; the clock is measured and the rate limits are read on the way.

        Errors: VenueSilent (unreachable), VenueUnusable (wrong key, hedge mode, unknown instrument).
        """
        await self._measure_clock()
        specs = await self._specs()
        self._calls.book = self._book(specs)
        self._calls.specs = specs
        if self._config.credentials.api_key:
            await self._refuse_hedge_mode()
        return specs

    async def open(self, sink: EventSink) -> None:
        """Open the user stream, in the background: StreamChanged says when it is up."""
        if not self._calls.specs:
            raise VenueUnusable("open() before load()")
        self._reader = UserReader(self._calls.book)
        self._stream = UserStream(
            reader=self._reader,
            clock=self._clock,
            sink=sink,
            allowed=self._allowed,
            url_of=self._user_url,
            new_key=self._calls.listen_key,
            keep_alive=self._calls.renew_listen_key,
            times=self._config.times,
            backoff=self._config.backoff,
            ssl_context=self._ssl_context,
        )
        self._calls.on_accepted = self._stream.order_accepted
        self._stream.open()

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        """Ask once. Never raises for what a venue or a network can do; never retries."""
        return await self._calls.call(request, lane, may_send)

    async def probe(self, expected: Expected) -> tuple[Check, ...]:
        """Look whether the venue and the account are as the adapter and the configuration take them to be."""
        signed = bool(self._config.credentials.api_key)
        return await probe(self._calls, expected, budget=self._budget, signed=signed)

    async def canary(self, canary: Canary) -> Check:
        """Prove the dead-man switch of one instrument by an order that only it may cancel."""
        return await fly(self._calls, canary, clock=self._clock)

    async def close(self) -> None:
        """End the user stream and every connection."""
        if self._stream is not None:
            await self._stream.close()
            self._stream = None
        await self._calls.close()
        await self._session.close()

    # --- loading --------------------------------------------------------------------------------------------

    async def _measure_clock(self) -> None:
        told = False
        for _ in range(_CLOCK_SAMPLES):  # the first pays for the connection; the last one counts
            outcome = await self._calls.measure_clock()
            told = told or isinstance(outcome, Ok)
        if not told:
            raise VenueSilent(
                f"{self._config.rest_url} does not tell the time: {self._calls.asker.last_failure}"
            )

    async def _specs(self) -> tuple[InstrumentSpec, ...]:
        info = await self._read(EXCHANGE_INFO, wire.ExchangeInfo, "the list of instruments")
        windows = tuple(
            window
            for row in info.rate_limits
            if (
                window := window_of(
                    kind=row.rate_limit_type,
                    interval=row.interval,
                    interval_num=row.interval_num,
                    limit=row.limit,
                )
            )
        )
        self._budget.set_windows(windows or WINDOWS)
        return specs_among(info, self._config.instruments)

    async def _refuse_hedge_mode(self) -> None:
        mode = await self._read(DUAL_SIDE, wire.DualSideReply, "the position mode")
        if mode.dual_side_position:
            raise VenueUnusable("the account is in hedge mode: switch it to one-way mode")

    async def _read(self, endpoint: Endpoint, kind: type[T], what: str) -> T:
        answer = await self._calls.asker.ask(endpoint, {}, kind=Kind.READ, lane=Lane.READ, may_send=always)
        if not isinstance(answer, str):
            raise VenueUnusable(
                f"{self._config.rest_url} does not tell {what}: {self._calls.asker.last_failure}"
            )
        try:
            return read(answer, kind)
        except Unreadable as error:
            raise VenueUnusable(f"{what} cannot be read: {error}") from error

    def _book(self, specs: tuple[InstrumentSpec, ...]) -> Book:
        grids = {spec.instrument: Grid.of(spec) for spec in specs}
        return Book(account_tag=self._config.account_tag, grids=grids)

    def _user_url(self, listen_key: str) -> str:
        base = self._config.ws_url.rstrip("/")
        return (
            f"{base}/ws/{listen_key}"
            if self._config.legacy_streams
            else f"{base}/private/ws?listenKey={listen_key}"
        )


def specs_among(info: wire.ExchangeInfo, instruments: tuple[str, ...]) -> tuple[InstrumentSpec, ...]:
    """The specs of these instruments, in this order. Errors: VenueUnusable, naming the instrument."""
    rows = {row.symbol: row for row in info.symbols}
    specs = []
    for instrument in instruments:
        row = rows.get(instrument)
        if row is None:
            raise VenueUnusable(f"{instrument} is not an instrument of this venue")
        try:
            specs.append(spec_of(row))
        except Unreadable as error:
            raise VenueUnusable(str(error)) from error
    return tuple(specs)
