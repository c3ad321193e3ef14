"""Where a recording comes from: Binance's own streams as they are, or any exchange that ccxt knows, as events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import RecordOptions
from holdfast.journal.recording import INSTRUMENTS_FILE, SPECS_FILE
from holdfast.ports.clock import Clock
from holdfast.ports.feed import FeedPort
from holdfast.ports.venue import VenueUnusable
from holdfast.venues.binance import public
from holdfast.venues.binance.codec import Unreadable
from holdfast.venues.binance.envelope import enveloper
from holdfast.venues.binance.feed import FeedConfig
from holdfast.venues.binance.rotation import RotatingFeed, TappedFeed
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Malformed


class RecordSource(Struct, frozen=True, kw_only=True):
    """``line_of``: a frame to its instrument (empty: it names none) and the text to write.

    ``beside``: name and content of the file that says in which units to read. ``snapshot``: asks for one
    instrument's book, where the venue has one to ask for; raises VenueUnusable.
    """

    where: str
    feed: FeedPort
    line_of: Callable[[bytes], tuple[str, bytes]]
    beside: tuple[str, bytes]
    snapshot: Callable[[str], Awaitable[bytes]] | None
    close: Callable[[], Awaitable[None]]


async def open_source(options: RecordOptions, *, clock: Clock) -> RecordSource:
    """The source that the options name. Errors: VenueUnusable, HoldfastError."""
    return await (_ccxt(options, clock) if options.ccxt else _binance(options, clock))


async def facts_of(
    place: public.PublicPlace, wanted: tuple[str, ...]
) -> tuple[bytes, dict[str, InstrumentSpec]]:
    """The venue's word on the wanted instruments, and their units. Errors: VenueUnusable."""
    raw = await public.ask(place, "exchangeInfo")
    try:
        specs = public.instruments_in(raw, wanted)
    except Unreadable as error:
        raise VenueUnusable(f"{place.rest_url}: {error}") from None
    for name in wanted:
        if name not in specs:
            raise VenueUnusable(f"{place.rest_url}: has no instrument {name[:40]}")
    return public.only_instruments(raw, wanted), specs


async def _binance(options: RecordOptions, clock: Clock) -> RecordSource:
    try:
        place = public.place_of(options.url)
    except ValueError as error:
        raise HoldfastError(Exit.USAGE, str(error)) from None
    info, specs = await facts_of(place, options.instruments)
    wanted = set(options.streams)
    config = FeedConfig(
        ws_url=place.ws_url,
        trades="trades" in wanted,
        marks="marks" in wanted,
        depth="depth" in wanted,
    )

    async def snapshot(instrument: str) -> bytes:
        return await public.ask(place, "depth", symbol=instrument, limit=public.SNAPSHOT_LEVELS)

    return RecordSource(
        where=place.rest_url,
        feed=RotatingFeed(lambda: TappedFeed(config, tuple(specs.values()), clock=clock), clock=clock),
        line_of=enveloper(config, options.instruments),
        beside=(INSTRUMENTS_FILE, _with_earlier(options.directory, info)),
        snapshot=snapshot if config.depth else None,
        close=_nothing_to_close,
    )


async def _ccxt(options: RecordOptions, clock: Clock) -> RecordSource:
    """Ccxt hands over structures, no frames: what is written is the event that was made of each."""
    from holdfast.venues.anyccxt.client import AnyCcxtConfig, AnyCcxtVenue
    from holdfast.venues.anyccxt.feed import CcxtFeed, CcxtFeedConfig
    from holdfast.venues.transport.hardened import Credentials, Endpoints

    endpoints = Endpoints(http=options.url, ws=options.url.replace("http", "ws", 1))
    venue = AnyCcxtVenue(
        AnyCcxtConfig(
            exchange_id=options.ccxt,
            symbols=options.instruments,
            account_tag=0,
            credentials=Credentials(),
            order_window_ms=1_000,
            endpoints=endpoints,
        ),
        clock=clock,
    )
    try:
        specs = await venue.load()
        feed = CcxtFeed(
            CcxtFeedConfig(exchange_id=options.ccxt, endpoints=endpoints, trades="trades" in options.streams),
            markets=venue.exchange.markets,
            grids=venue.grids,
            clock=clock,
        )
    except BaseException:
        await venue.close()
        raise

    def line_of(raw: bytes) -> tuple[str, bytes]:
        (event,) = feed.decode_read((raw,), 0, 0)
        if event is None or isinstance(event, Malformed):
            return "", msgspec.json.encode(event)
        return event.instrument, msgspec.json.encode(event)

    return RecordSource(
        where=options.ccxt,
        feed=feed,
        line_of=line_of,
        beside=(SPECS_FILE, _with_earlier_specs(options.directory, specs)),
        snapshot=None,
        close=venue.close,
    )


def _with_earlier(directory: str, info: bytes) -> bytes:
    """Instruments that an earlier recording in this directory had stay readable."""
    path = Path(directory) / INSTRUMENTS_FILE
    if not path.is_file():
        return info
    try:
        return public.with_instruments(info, path.read_bytes())
    except (OSError, Unreadable) as error:
        raise HoldfastError(Exit.USAGE, f"cannot be read: {error}", str(path)) from None


def _with_earlier_specs(directory: str, specs: tuple[InstrumentSpec, ...]) -> bytes:
    """As ``_with_earlier``, for events."""
    path = Path(directory) / SPECS_FILE
    if not path.is_file():
        return msgspec.json.encode(specs)
    try:
        earlier = msgspec.json.decode(path.read_bytes(), type=tuple[InstrumentSpec, ...])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HoldfastError(Exit.USAGE, f"cannot be read: {error}", str(path)) from None
    known = {spec.instrument for spec in specs}
    return msgspec.json.encode([*specs, *(spec for spec in earlier if spec.instrument not in known)])


async def _nothing_to_close() -> None:
    """The feed is all there is."""
