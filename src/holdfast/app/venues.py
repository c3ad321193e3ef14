"""Which adapter and which feed a configuration means."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.parts import account_tag
from holdfast.config.identity import account_name, venue_name
from holdfast.config.schema import BackupFeed, Config
from holdfast.config.secrets import Secrets
from holdfast.ports.clock import Clock
from holdfast.ports.feed import FeedPort
from holdfast.ports.probe import ProbedVenue
from holdfast.ports.venue import VenuePort
from holdfast.runtime.feeding import FeedPlan, FeedRank
from holdfast.runtime.merging import MergeTimes
from holdfast.vocab.events import StreamKind
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import NS_PER_MS

if TYPE_CHECKING:
    from holdfast.venues.transport.hardened import Endpoints

BINANCE_DIALECT: Final = ("binanceusdm",)
_KINDS: Final = {
    "quotes": StreamKind.QUOTE,
    "trades": StreamKind.TRADE,
    "marks": StreamKind.MARK,
    "depth": StreamKind.DEPTH,
}


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
    """The market feeds, the primary one first, once the venue is loaded. Inside a running loop.

    Errors: HoldfastError for an exchange id of a backup that ccxt does not know.
    """
    backups = {} if config.feeds is None else config.feeds.backup
    return (
        _primary(config, venue, specs, clock=clock),
        *(_backup(config, name, backup, venue, specs, clock=clock) for name, backup in backups.items()),
    )


def feed_plan(config: Config) -> FeedPlan:
    """How these feeds stand to one another, and which of their streams are missed when silent."""
    ours = _is_binance(config)
    wanted = {_KINDS[stream] for stream in config.feed.streams}
    streams = frozenset(wanted if ours else wanted & {StreamKind.QUOTE})  # what ccxt has differs by exchange
    feeds = config.feeds
    if feeds is None:
        return FeedPlan(streams=streams)
    own = config.account.venue if ours else "primary"  # ccxt counts by itself
    return FeedPlan(
        streams=streams,
        ranks=(
            FeedRank(numbering=own),
            *(
                FeedRank(
                    numbering=own if backup.source == "binance" else f"backup {name}",
                    reference=bool(backup.venue) and backup.venue != config.account.venue,
                    instruments=frozenset(backup.instruments),
                    streams=streams if backup.source == "binance" else frozenset({StreamKind.QUOTE}),
                )
                for name, backup in feeds.backup.items()
            ),
        ),
        times=MergeTimes(
            dead_ns=feeds.dead_after.ms * NS_PER_MS,
            too_old_ns=feeds.too_old_after.ms * NS_PER_MS,
            back_ns=feeds.back_after.ms * NS_PER_MS,
        ),
    )


def _is_binance(config: Config) -> bool:
    return config.account.venue in BINANCE_DIALECT and config.feed.source == "binance"


def _primary(config: Config, venue: VenuePort, specs: Sequence[InstrumentSpec], *, clock: Clock) -> FeedPort:
    if _is_binance(config):
        return _binance(config, specs, name="binance", url=config.venue.stream_url, clock=clock)
    from holdfast.venues.anyccxt.client import AnyCcxtVenue
    from holdfast.venues.anyccxt.feed import CcxtFeed, CcxtFeedConfig

    if not isinstance(venue, AnyCcxtVenue):
        raise HoldfastError(
            Exit.USAGE, f"{config.account.venue} has a feed of its own", "feed.source: expected binance"
        )
    ccxt_config = CcxtFeedConfig(
        exchange_id=config.account.venue, endpoints=_endpoints(config), trades="trades" in config.feed.streams
    )
    return CcxtFeed(ccxt_config, markets=venue.exchange.markets, grids=venue.grids, clock=clock)


def _binance(
    config: Config, specs: Sequence[InstrumentSpec], *, name: str, url: str, clock: Clock
) -> FeedPort:
    from holdfast.venues.binance.feed import FeedConfig
    from holdfast.venues.binance.rotation import RotatingFeed, TappedFeed

    wanted = config.feed.streams
    feed_config = FeedConfig(
        name=name, trades="trades" in wanted, marks="marks" in wanted, depth="depth" in wanted
    )
    if url:
        feed_config = msgspec.structs.replace(feed_config, ws_url=url)
    return RotatingFeed(lambda: TappedFeed(feed_config, specs, clock=clock), clock=clock)


def _backup(
    config: Config,
    name: str,
    backup: BackupFeed,
    venue: VenuePort,
    specs: Sequence[InstrumentSpec],
    *,
    clock: Clock,
) -> FeedPort:
    chosen = [spec for spec in specs if not backup.instruments or spec.instrument in backup.instruments]
    if backup.source == "binance":
        return _binance(config, chosen, name=name, url=backup.url or config.venue.stream_url, clock=clock)
    from holdfast.venues.anyccxt.codec import Grid
    from holdfast.venues.anyccxt.feed import CcxtFeed, CcxtFeedConfig
    from holdfast.venues.transport.hardened import Endpoints

    reference = backup.venue != config.account.venue
    endpoints = Endpoints(http=backup.rest_url, ws=backup.url)
    if not reference and not backup.rest_url:
        endpoints = _endpoints(config)
    try:
        return CcxtFeed(
            CcxtFeedConfig(
                exchange_id=backup.venue,
                name=name,
                near=reference,
                endpoints=endpoints,
                trades=False,
            ),
            markets=None,
            grids={
                backup.instruments.get(spec.instrument, spec.instrument): Grid(
                    spec=spec, tick=Decimal(spec.tick), step=Decimal(spec.lot), spot=False
                )
                for spec in chosen
            },
            clock=clock,
        )
    except LookupError as error:
        raise HoldfastError(Exit.USAGE, str(error), f"feeds.backup.{name}.venue") from None
