"""Any ccxt exchange as a VenuePort: unified calls on the hardened subclass, one question written at most once."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.probe import Canary, Expected
from holdfast.ports.venue import EventSink, MaySend, VenueSilent, VenueUnusable
from holdfast.venues.anyccxt.asking import Asker, Windows
from holdfast.venues.anyccxt.calls import Calls
from holdfast.venues.anyccxt.codec import Book, Grid, Unreadable, grid_of
from holdfast.venues.anyccxt.errors import Kind
from holdfast.venues.anyccxt.probe import probe
from holdfast.venues.anyccxt.user import UserTimes, UserWatch
from holdfast.venues.transport.budget import Budget, Window
from holdfast.venues.transport.clock import SystemClock, VenueClock
from holdfast.venues.transport.hardened import Credentials, Endpoints, build
from holdfast.venues.transport.hop import WriteStamp
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Outcome
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.requests import Request

_BUDGET_MS = 10_000
_LOOK_BACK_NS = 3_600_000_000_000


class AnyCcxtConfig(Struct, frozen=True, kw_only=True):
    """One account at any exchange that ccxt knows.

    ``symbols``: ccxt's unified names, which are our instrument names here ("BTC/USDT:USDT"). ``options`` go to
    ccxt. ``order_window_ms``: at most the lease's time to live, where the exchange has a receive window at all.
    """

    exchange_id: str
    symbols: tuple[str, ...]
    account_tag: int
    credentials: Credentials
    order_window_ms: int
    read_window_ms: int = 5_000
    order_timeout_ms: int = 5_000
    read_timeout_ms: int = 10_000
    endpoints: Endpoints = Endpoints()
    options: dict[str, Any] = {}
    times: UserTimes = UserTimes()


class AnyCcxtVenue:
    """``ports.venue.VenuePort`` for one account. Created inside a running event loop."""

    def __init__(
        self, config: AnyCcxtConfig, *, clock: Clock | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._venue_clock = VenueClock(self._clock)
        self._budget = Budget((), venue_ms=self._venue_clock.now_ms)
        try:
            self._exchange, self._session = build(
                config.exchange_id,
                credentials=config.credentials,
                endpoints=config.endpoints,
                clock=self._clock,
                venue_clock=self._venue_clock,
                options=config.options,
                budget=self._budget,
                ssl_context=ssl_context,
            )
        except LookupError as error:
            raise VenueUnusable(str(error)) from error
        units = max(1, int(_BUDGET_MS / float(self._exchange.rateLimit or 100)))
        self._budget.set_windows(
            (Window(name="cost-10s", limit=units, interval_ms=_BUDGET_MS, orders=False),)
        )
        self._asker = Asker(
            budget=self._budget,
            windows=Windows(
                order_window_ms=config.order_window_ms,
                read_window_ms=config.read_window_ms,
                order_timeout_ms=config.order_timeout_ms,
                read_timeout_ms=config.read_timeout_ms,
            ),
        )
        self._calls = Calls(
            exchange=self._exchange, asker=self._asker, clock=self._clock, venue_clock=self._venue_clock
        )
        self._watch: UserWatch | None = None

    @property
    def writes(self) -> Iterable[WriteStamp]:
        """The last socket writes of orders, oldest first."""
        return self._session.writes

    def on_write(self, callback: Callable[[int, int], None] | None) -> None:
        """Have ``callback(order_id, mono_ns)`` called right after each order's socket write."""
        self._session.on_order_write = callback

    @property
    def exchange(self) -> Any:
        """The hardened ccxt exchange: for feeds of the same venue."""
        return self._exchange

    @property
    def grids(self) -> Mapping[str, Grid]:
        """The loaded markets' units: for feeds of the same venue."""
        return self._calls.book.grids

    async def load(self) -> tuple[InstrumentSpec, ...]:
        """Load the markets, once, and measure the clock. Errors: VenueUnusable."""
        self._exchange.holdfast_may_load = True
        try:
            loaded = await self._asker.ask(Kind.READ, self._exchange.load_markets, lane=Lane.READ)
        finally:
            self._exchange.holdfast_may_load = False
        if not isinstance(loaded, dict):
            raise VenueSilent(f"{self._config.exchange_id}: no markets: {self._asker.last_failure}")
        grids: dict[str, Grid] = {}
        for symbol in self._config.symbols:
            market = loaded.get(symbol)
            if market is None:
                raise VenueUnusable(f"{symbol} is not a market of {self._config.exchange_id}")
            try:
                grids[symbol] = grid_of(market, self._exchange.precisionMode)
            except Unreadable as error:
                raise VenueUnusable(str(error)) from error
        # From here on ccxt hands numbers over as the venue's texts; only the markets needed arithmetic.
        self._exchange.number = str
        self._calls.book = Book(account_tag=self._config.account_tag, grids=grids)
        clock = await self._calls.measure_clock()
        if not isinstance(clock, Ok):
            raise VenueUnusable(
                f"{self._config.exchange_id} does not tell the time: {self._asker.last_failure}"
            )
        return tuple(grid.spec for grid in grids.values())

    async def open(self, sink: EventSink) -> None:
        """Watch our orders and trades: by stream where ccxt has one, else by asking."""
        if not self._calls.book.grids:
            raise VenueUnusable("open() before load()")
        self._watch = UserWatch(
            exchange=self._exchange, calls=self._calls, clock=self._clock, sink=sink, times=self._config.times
        )
        self._watch.open()

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        """Ask once. Never raises for what a venue or a network can do; never retries."""
        return await self._calls.call(request, lane, may_send)

    async def probe(self, expected: Expected) -> tuple[Check, ...]:
        """Ask what every exchange can answer. After ``load()``."""
        grids = self._calls.book.grids
        signed = bool(self._config.credentials.for_ccxt())
        return await probe(
            self._calls,
            expected,
            specs=[grid.spec for grid in grids.values()],
            signed=signed,
            since_ns=self._clock.wall_ns() - _LOOK_BACK_NS,
        )

    async def canary(self, canary: Canary) -> Check:
        """Not here: few exchanges have the tool, and each its own."""
        return Check(
            name="dead-man switch",
            verdict=Verdict.WARN,
            found="not proven: no canary for this exchange",
            advice="run a watchdog",
        )

    async def close(self) -> None:
        """End streams and connections."""
        if self._watch is not None:
            await self._watch.close()
            self._watch = None
        await self._calls.close()
        await self._exchange.close()
        await self._session.close()
