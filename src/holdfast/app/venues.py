"""Which adapter and which feed a configuration means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.parts import account_tag
from holdfast.config.identity import account_name, venue_name
from holdfast.config.schema import Config
from holdfast.config.secrets import Secrets
from holdfast.ports.clock import Clock
from holdfast.ports.feed import FeedPort
from holdfast.ports.probe import ProbedVenue
from holdfast.ports.venue import VenuePort
from holdfast.vocab.instruments import InstrumentSpec

if TYPE_CHECKING:
    from holdfast.venues.transport.hardened import Endpoints

BINANCE_DIALECT: Final = ("binanceusdm",)


def account_identity(config: Config, secrets: Secrets) -> str:
    """What names the account on this host: its latch and its lease go by it."""
    return account_name(uid=config.account.uid, api_key=secrets.api_key, name=config.account.name)


def venue_identity(config: Config) -> str:
    """What names the venue on this host."""
    return venue_name(
        venue=config.account.venue, kind=config.venue.kind.value, rest_url=config.venue.rest_url
    )


def make_venue(config: Config, secrets: Secrets, *, clock: Clock) -> ProbedVenue:
    """The account's adapter. Inside a running loop. Errors: VenueUnusable for an exchange id that ccxt lacks."""
    from holdfast.venues.transport.hardened import Credentials

    tag = account_tag(venue=config.account.venue, account=config.account.name)
    instruments = tuple(config.limits.instrument)
    # what a frozen process had in hand must be refused by the venue itself once its lease is over
    window_ms = min(config.timings.receive_window.ms, config.timings.lease_ttl.ms)
    credentials = Credentials(api_key=secrets.api_key, secret=secrets.secret, password=secrets.password)
    if config.account.venue in BINANCE_DIALECT:
        from holdfast.venues.binance.client import BinanceConfig, BinanceVenue

        settings = BinanceConfig(
            instruments=instruments, account_tag=tag, credentials=credentials, order_window_ms=window_ms
        )
        if config.venue.rest_url:
            settings = msgspec.structs.replace(
                settings, rest_url=config.venue.rest_url, ws_url=config.venue.stream_url
            )
        return BinanceVenue(settings, clock=clock)
    from holdfast.venues.anyccxt.client import AnyCcxtConfig, AnyCcxtVenue

    return AnyCcxtVenue(
        AnyCcxtConfig(
            exchange_id=config.account.venue,
            symbols=instruments,
            account_tag=tag,
            credentials=credentials,
            order_window_ms=window_ms,
            endpoints=_endpoints(config),
        ),
        clock=clock,
    )


def _endpoints(config: Config) -> Endpoints:
    from holdfast.venues.transport.hardened import Endpoints

    return Endpoints(http=config.venue.rest_url, ws=config.venue.stream_url)


def make_feeds(
    config: Config, venue: VenuePort, specs: Sequence[InstrumentSpec], *, clock: Clock
) -> tuple[FeedPort, ...]:
    """The market feeds, once the venue is loaded. Inside a running loop."""
    wanted = set(config.feed.streams)
    if config.account.venue in BINANCE_DIALECT and config.feed.source == "binance":
        from holdfast.venues.binance.feed import FeedConfig
        from holdfast.venues.binance.rotation import RotatingFeed, TappedFeed

        feed_config = FeedConfig(trades="trades" in wanted, marks="marks" in wanted, depth="depth" in wanted)
        if config.venue.stream_url:
            feed_config = msgspec.structs.replace(feed_config, ws_url=config.venue.stream_url)
        return (RotatingFeed(lambda: TappedFeed(feed_config, specs, clock=clock), clock=clock),)
    from holdfast.venues.anyccxt.client import AnyCcxtVenue
    from holdfast.venues.anyccxt.feed import CcxtFeed, CcxtFeedConfig

    if not isinstance(venue, AnyCcxtVenue):
        raise HoldfastError(
            Exit.USAGE, f"{config.account.venue} has a feed of its own", "feed.source: expected binance"
        )
    ccxt_config = CcxtFeedConfig(
        exchange_id=config.account.venue, endpoints=_endpoints(config), trades="trades" in wanted
    )
    return (CcxtFeed(ccxt_config, markets=venue.exchange.markets, grids=venue.grids, clock=clock),)
