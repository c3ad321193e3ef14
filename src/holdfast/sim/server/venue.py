"""What every handler works with: the exchange, the public market, the sockets, the limits and the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.sim.config import SimConfig
from holdfast.sim.exchange import Exchange
from holdfast.sim.model import Account, Refused
from holdfast.sim.server.faults import FaultPlan
from holdfast.sim.server.hub import Hub
from holdfast.sim.server.limits import RateLimits
from holdfast.sim.server.listen_keys import ListenKeys
from holdfast.sim.server.market_view import MarketView, SymbolView
from holdfast.sim.server.params import Params
from holdfast.sim.server.requests import OrderRequest, RequestLog, Stamp
from holdfast.sim.server.reshaping import Reshaping
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

_ID_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


AMENDMENTS_MAX: Final = 10_000


class Amendment(Struct, frozen=True, kw_only=True):
    """One change of an order: price and size, before and after."""

    account: str
    order_id: int
    client_id: str
    symbol: str
    at_ns: int
    price_ticks: tuple[int, int]
    qty_lots: tuple[int, int]


class Venue:
    """A venue's working parts, and its clock.

    The exchange's time never steps and never runs backwards. ``step_ns`` is what a stepped venue clock shows
    beyond it: added to every time that is told, taken from every time that is asked for.
    """

    def __init__(self, config: SimConfig, exchange: Exchange, clock: Clock) -> None:
        self.config = config
        self.exchange = exchange
        self.clock = clock
        self.market = MarketView(tuple(exchange.specs.values()))
        self.hub = Hub(
            mute_legacy=config.legacy_ws == "mute",
            strict_routes=config.strict_routes,
            backlog_bytes_max=config.limits.ws_backlog_bytes_max,
        )
        self.limits = RateLimits(config.limits)
        self.reshaping = Reshaping()
        self.faults = FaultPlan(config.fault_seed)
        self.listen_keys = ListenKeys(config.listen_key_minutes * 60 * NS_PER_S)
        self.requests = RequestLog(config.request_log_max)
        self.amendments: deque[Amendment] = deque(maxlen=AMENDMENTS_MAX)
        self.nudge: Callable[[], None] = _nobody  # tells housekeeping that something may be due earlier
        self.step_ns = 0
        self._now_ns = 0
        self._ids = 0

    def now_ns(self) -> int:
        """The exchange's time."""
        self._now_ns = max(self._now_ns, self.clock.wall_ns())
        return self._now_ns

    def shown_ms(self, engine_ns: int) -> int:
        """A time of the exchange as the venue tells it."""
        return (engine_ns + self.step_ns) // NS_PER_MS

    def asked_ns(self, shown_ms: int) -> int:
        """A time that a client gave, as the exchange's."""
        return shown_ms * NS_PER_MS - self.step_ns

    def view(self, symbol: str) -> SymbolView:
        """A symbol's public view. Refused -1121 for one that is not here."""
        view = self.market.symbols.get(symbol.upper())
        if view is None:
            raise Refused(-1121, "Invalid symbol.")
        return view

    def new_client_id(self) -> str:
        """An id for an order whose sender gave none: 22 letters, the same in each run."""
        self._ids += 1
        digest = blake2b(str(self._ids).encode(), digest_size=22).digest()
        return "".join(_ID_ALPHABET[byte % len(_ID_ALPHABET)] for byte in digest)


def _nobody() -> None:
    """Before there is anybody to nudge."""


class Call(Struct, kw_only=True):
    """One request at a handler. ``account`` is None for public ones; ``entry`` is its line in the ground truth."""

    venue: Venue
    params: Params
    texts: dict[str, str]
    stamp: Stamp
    now_ns: int
    via: str
    caller: Account | None = None
    address: str = ""
    entry: OrderRequest | None = None

    @property
    def account(self) -> Account:
        """The account that asks. Refused -2014 where nobody said who he is."""
        if self.caller is None:
            raise Refused(-2014, "API-key format invalid.", 401)
        return self.caller

    def view(self) -> SymbolView:
        """The view of the mandatory symbol."""
        return self.venue.view(self.params.text("symbol"))

    def maybe_view(self) -> SymbolView | None:
        """The view of the symbol, where one was given."""
        symbol = self.params.maybe("symbol")
        return None if symbol is None else self.venue.view(symbol)

    def time_range(self) -> tuple[int | None, int | None]:
        """The parameters startTime and endTime as the exchange's times."""
        start_ms = self.params.maybe_integer("startTime")
        end_ms = self.params.maybe_integer("endTime")
        if start_ms is not None and end_ms is not None and start_ms > end_ms:
            raise Refused(-1128, "Combination of optional parameters invalid.")
        return (
            None if start_ms is None else self.venue.asked_ns(start_ms),
            None if end_ms is None else self.venue.asked_ns(end_ms) + NS_PER_MS - 1,
        )

    def of_order(self, texts: dict[str, str], entry: OrderRequest | None) -> Call:
        """The same request narrowed to one order of a batch."""
        return Call(
            venue=self.venue,
            params=Params(texts),
            texts=texts,
            stamp=self.stamp,
            now_ns=self.now_ns,
            via=self.via,
            caller=self.caller,
            address=self.address,
            entry=entry,
        )


Handler = Callable[[Call], object]
