"""The simulated venue as a server: one port for REST, streams and the WebSocket API, one for control.

Runs in the caller's event loop with the caller's clock, so that it also lives in virtual time beside its client.
One aiohttp server carries everything: the handshake and what clients send are its business, while stream
messages are framed by the hub and written straight to the transports.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from aiohttp import web

from holdfast.ports.clock import Clock
from holdfast.sim.config import AccountConfig, SimConfig, SourceConfig
from holdfast.sim.exchange import Exchange
from holdfast.sim.model import Account, OrderEvent, SimEvent
from holdfast.sim.server.control import Control
from holdfast.sim.server.derived import Derived
from holdfast.sim.server.housekeeping import Housekeeping
from holdfast.sim.server.pump import Pump
from holdfast.sim.server.rest import Rest
from holdfast.sim.server.sockets import StreamSockets, read_url
from holdfast.sim.server.user_stream import UserStream
from holdfast.sim.server.venue import Venue
from holdfast.sim.server.ws_api import PATH as WS_API_PATH
from holdfast.sim.server.ws_api import ApiSockets
from holdfast.sim.sources import (
    AtEnd,
    BinanceCsv,
    Continued,
    Frame,
    Generated,
    MarketSource,
    RecordedFrames,
    TardisCsv,
)
from holdfast.vocab.units import e8_of

_Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_LOG = structlog.get_logger(__name__)


class SimRefused(ValueError):
    """A simulated venue that must not run as configured: one line."""


class RealClock:
    """This machine's clocks."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return time.time_ns()

    def mono_ns(self) -> int:
        """Nanoseconds of CLOCK_BOOTTIME."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def source_of(config: SourceConfig) -> MarketSource:
    """The market source that a configuration names. Errors: SourceUnusable."""
    paths = [Path(one) for one in config.paths]
    if config.kind == "generated":
        return Generated(seed=config.seed)
    source: MarketSource
    if config.kind == "recorded":
        source = RecordedFrames(paths)
    elif config.kind == "binance_csv":
        source = BinanceCsv(paths)
    else:
        source = TardisCsv(paths)
    return Continued(source, at_end=AtEnd(config.at_end), seed=config.seed)


class SimServer:
    """A venue behind sockets.

    ``clock`` None: this machine's. With a clock of the caller's, time is the caller's business and any speed is
    allowed. Errors: SimRefused.
    """

    def __init__(
        self, config: SimConfig, *, source: MarketSource | None = None, clock: Clock | None = None
    ) -> None:
        if config.speed <= 0 or math.isnan(config.speed):
            raise SimRefused(f"speed must be above 0, not {config.speed}")
        if config.speed != 1 and clock is None and not config.allow_fast:
            raise SimRefused(
                f"speed {config.speed} on a real clock deceives clients about time: say allow_fast to have it so"
            )
        self.config = config
        self.source = source or source_of(config.source)
        specs = config.instruments or self.source.specs
        self.exchange = Exchange(specs, config=config.exchange)
        self.venue = Venue(config, self.exchange, clock or RealClock())
        self._user = UserStream(self.venue)
        self._derived = Derived(self.venue)
        self._sockets = StreamSockets(self.venue)
        self._api = ApiSockets(self.venue)
        self._pump = Pump(self.venue, self._derived, self.source, config.speed)
        self._rest = Rest(self.venue, label="" if config.speed == 1 else f"{config.speed:g}")
        self._housekeeping = Housekeeping(self.venue, self._derived, self._sockets, self._user)
        self._control = Control(self.venue, self._sockets, self._api, self._user, self._pump)
        self._playing: asyncio.Task[None] | None = None
        self._servers: list[tuple[asyncio.Server, web.Server]] = []
        self.url = ""
        self.control_url = ""
        self.exchange.subscribe(self._on_event)
        for account in config.accounts:
            self.open_account(account)

    def open_account(self, config: AccountConfig) -> Account:
        """Add an account. ValueError: its name or key is taken."""
        account = self.exchange.open_account(
            config.name,
            api_key=config.api_key,
            secret=config.secret,
            uid=config.uid,
            balances={asset: e8_of(text) for asset, text in config.balances.items()},
            fee_maker_ppm=config.fee_maker_ppm,
            fee_taker_ppm=config.fee_taker_ppm,
        )
        account.updated_ns = self.venue.now_ns()  # ccxt takes a wallet that was never touched for no wallet
        return account

    def show(self, frame: Frame) -> None:
        """Play one frame now, besides the source: how a harness moves the market by hand."""
        now_ns = self.venue.now_ns()
        self._pump.show(frame, now_ns - frame.recv_ns, now_ns)
        self.venue.hub.flush()

    async def start(
        self, host: str | None = None, port: int | None = None, control_port: int | None = None
    ) -> None:
        """Listen and begin to play the source. Ports 0: any free one; see ``url`` and ``control_url``."""
        config = self.config
        host = host or config.host
        self.exchange.advance(self.venue.now_ns())
        self.url = await self._listen(self._serve, host, config.port if port is None else port)
        self.control_url = await self._listen(
            self._control.serve, "127.0.0.1", config.control_port if control_port is None else control_port
        )
        self.venue.nudge = self._housekeeping.nudge
        self._housekeeping.start()
        self._playing = asyncio.create_task(self._pump.run(), name="sim-pump")
        _LOG.info("simulated venue up", url=self.url, control=self.control_url, speed=config.speed)

    async def stop(self) -> None:
        """Close sockets and ports. What the accounts hold stays readable in ``exchange``."""
        self._housekeeping.stop()
        if self._playing is not None:
            self._playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._playing
            self._playing = None
        self._user.close()
        for server, _ in self._servers:
            server.close()
        await self._sockets.close_all()
        self._api.disconnect()
        for _, handler in self._servers:
            await handler.shutdown(timeout=1)
        self._servers = []

    async def _listen(self, serve: _Serve, host: str, port: int) -> str:
        # aiohttp logs each request at info: a venue answers thousands a second
        handler = web.Server(serve, access_log=None)
        server = await asyncio.get_running_loop().create_server(handler, host, port, backlog=1024)
        self._servers.append((server, handler))
        bound = server.sockets[0].getsockname()
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        return f"http://{name}:{bound[1]}"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if "Upgrade" in request.headers:
            if path.rstrip("/") == WS_API_PATH:
                return await self._api.serve(request, request.remote or "")
            url = read_url(path, query)
            if url is not None:
                return await self._sockets.serve(request, url)
        return await self._rest.serve(request, path, query)

    def _on_event(self, account: Account, event: SimEvent) -> None:
        self._user.on_event(account, event)
        if type(event) is OrderEvent and event.execution == "CALCULATED":
            self._derived.on_liquidation(event)


async def serve(config: SimConfig) -> SimServer:
    """A running venue of this configuration."""
    server = SimServer(config)
    await server.start()
    return server
