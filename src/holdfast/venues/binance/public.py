"""What Binance tells without a key, besides streams: instruments' facts, a book's snapshot, the time.

The three of its markets that are read here differ in little: spot quotes name neither type nor time, and spot
changes no matching time; coin-margined symbols say ``contractStatus``. Everything is read into our own records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.feed import Decode
from holdfast.ports.venue import VenueUnusable
from holdfast.venues.binance import wire
from holdfast.venues.binance.codec import Unreadable, spec_of
from holdfast.venues.binance.decoder import decoder
from holdfast.venues.transport.failure import plain
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Malformed, MarketEvent, Quote
from holdfast.vocab.units import NS_PER_MS, NotANumber, whole_units

ASK_S: Final = 10.0
CLOCK_TRIES: Final = 5
BODY_BYTES_MAX: Final = 64 << 20
SNAPSHOT_LEVELS: Final = 1_000
SNAPSHOT_START: Final = b'{"lastUpdateId"'


class Dialect(Enum):
    """Which of Binance's markets a frame is from."""

    USDM = "usdm"
    COINM = "coinm"
    SPOT = "spot"


class PublicPlace(Struct, frozen=True, kw_only=True):
    """Where a market's public side is. ``path`` stands before each request's name."""

    rest_url: str
    ws_url: str
    path: str = "/fapi/v1"


_KNOWN_STREAMS: Final = {"fapi.binance.com": "wss://fstream.binance.com"}


def place_of(url: str) -> PublicPlace:
    """The place behind one address, ``http(s)://host[:port]``. Errors: ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"expected an address such as http://127.0.0.1:8710, got {url[:80]!r}")
    base = f"{parts.scheme}://{parts.netloc}"
    return PublicPlace(
        rest_url=base, ws_url=_KNOWN_STREAMS.get(parts.hostname, base.replace("http", "ws", 1))
    )


async def ask(place: PublicPlace, what: str, **query: str | int) -> bytes:
    """One public GET's body. Errors: VenueUnusable, one line with the address and why."""
    async with _session() as session:
        return await _get(session, place, what, **query)


async def measure_offset_ns(place: PublicPlace, clock: Clock) -> int:
    """The venue's time less ours: at the middle of the quickest of some round trips. Errors: VenueUnusable."""
    found: list[tuple[int, int]] = []
    async with _session() as session:
        for _ in range(1 + CLOCK_TRIES):
            sent_wall_ns, sent_mono_ns = clock.wall_ns(), clock.mono_ns()
            raw = await _get(session, place, "time")
            round_ns = clock.mono_ns() - sent_mono_ns
            try:
                found.append((round_ns, time_in(raw) - sent_wall_ns - round_ns // 2))
            except Unreadable as error:
                raise VenueUnusable(f"{place.rest_url}: {error}") from None
    return min(found[1:])[1]  # the first one also made the connection


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=ASK_S))


async def _get(session: aiohttp.ClientSession, place: PublicPlace, what: str, **query: str | int) -> bytes:
    url = f"{place.rest_url}{place.path}/{what}"
    try:
        async with session.get(url, params=query, allow_redirects=False) as reply:
            body = bytearray()
            async for part in reply.content.iter_any():
                body += part
                if len(body) > BODY_BYTES_MAX:
                    raise VenueUnusable(f"{url}: answered more than {BODY_BYTES_MAX:,} bytes")
            status = reply.status
    except (aiohttp.ClientError, OSError) as error:
        raise VenueUnusable(f"{url}: {type(error).__name__} {plain(str(error))}".rstrip()) from None
    if status != 200:
        raise VenueUnusable(f"{url}: answered {status} {plain(bytes(body[:200]).decode(errors='replace'))}")
    return bytes(body)


# --- instruments --------------------------------------------------------------------------------------------


class _Symbol(Struct, rename="camel"):
    symbol: str
    base_asset: str
    quote_asset: str
    filters: list[wire.FilterRow]
    margin_asset: str = ""
    status: str = ""
    contract_status: str = ""


class _Info(Struct):
    symbols: list[msgspec.Raw]


_info: Final = msgspec.json.Decoder(_Info)
_symbol: Final = msgspec.json.Decoder(_Symbol)


def instruments_in(raw: bytes, wanted: Iterable[str] = ()) -> dict[str, InstrumentSpec]:
    """The instruments of an exchangeInfo reply that can be counted exactly; only the ``wanted`` ones, if any.

    For coin-margined and spot symbols the value of a tick on a lot is formal: good for market data alone.
    Errors: Unreadable for a body that is no exchangeInfo.
    """
    only = frozenset(wanted)
    found: dict[str, InstrumentSpec] = {}
    try:
        rows = [_symbol.decode(one) for one in _info.decode(raw).symbols]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"not an exchangeInfo: {error}") from None
    for row in rows:
        if only and row.symbol not in only:
            continue
        try:
            found[row.symbol] = _fact_of(row)
        except Unreadable:
            found.pop(row.symbol, None)  # its frames are then counted as of an unknown instrument
    return found


def only_instruments(raw: bytes, wanted: Iterable[str]) -> bytes:
    """An exchangeInfo with the wanted symbols alone, each byte for byte as it came."""
    only = frozenset(wanted)
    rows = [bytes(one) for one in _info.decode(raw).symbols if _symbol.decode(one).symbol in only]
    return b'{"symbols":[' + b",".join(rows) + b"]}"


def with_instruments(raw: bytes, others: bytes) -> bytes:
    """One exchangeInfo with the symbols that only the other one has added. Errors: Unreadable."""
    try:
        rows = [bytes(one) for one in _info.decode(raw).symbols]
        known = {_symbol.decode(one).symbol for one in rows}
        rows += [
            bytes(one) for one in _info.decode(others).symbols if _symbol.decode(one).symbol not in known
        ]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"not an exchangeInfo: {error}") from None
    return b'{"symbols":[' + b",".join(rows) + b"]}"


def _fact_of(row: _Symbol) -> InstrumentSpec:
    return spec_of(
        wire.SymbolRow(
            symbol=row.symbol,
            status=row.status or row.contract_status,
            base_asset=row.base_asset,
            quote_asset=row.quote_asset,
            margin_asset=row.margin_asset or row.quote_asset,
            # spot writes its smallest value under another name, and market data does not need it
            filters=[one for one in row.filters if one.filter_type != "MIN_NOTIONAL" or one.notional],
        )
    )


# --- snapshots and times ----------------------------------------------------------------------------------------


class _Snapshot(Struct, rename={"last_update_id": "lastUpdateId"}):
    last_update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    T: int = 0


class _Time(Struct, rename="camel"):
    server_time: int


_snapshot: Final = msgspec.json.Decoder(_Snapshot)
_time: Final = msgspec.json.Decoder(_Time)


def snapshot_in(
    raw: bytes, spec: InstrumentSpec, wall_ns: int, mono_ns: int
) -> tuple[Depth, int] | Malformed:
    """The whole book in a depth reply, and how many of its levels are left out because no tick or lot says them.

    Orders older than a change of the tick or the lot do rest off the present grid. Such a level is far from the
    touch, and is never rounded onto another.
    """
    tick, lot = Decimal(spec.tick), Decimal(spec.lot)
    try:
        told = _snapshot.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Malformed(spec.instrument, "not a snapshot", wall_ns, mono_ns)
    bids, asks = _on_grid(told.bids, tick, lot), _on_grid(told.asks, tick, lot)
    left_out = len(told.bids) + len(told.asks) - len(bids) - len(asks)
    seq = told.last_update_id
    venue_ns = told.T * NS_PER_MS
    return Depth(spec.instrument, seq, seq, 0, bids, asks, True, venue_ns, wall_ns, mono_ns), left_out


def _on_grid(levels: list[tuple[str, str]], tick: Decimal, lot: Decimal) -> tuple[tuple[int, int], ...]:
    kept = []
    for price, size in levels:
        ticks, lots = _whole(price, tick), _whole(size, lot)
        if ticks and lots:
            kept.append((ticks, lots))
    return tuple(kept)


def _whole(text: str, unit: Decimal) -> int:
    """How many units a text is; 0 where it is no whole number of them."""
    try:
        return whole_units(text, unit)
    except NotANumber:
        return 0


def time_in(raw: bytes) -> int:
    """The venue's time, in ns. Errors: Unreadable."""
    try:
        return _time.decode(raw).server_time * NS_PER_MS
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"not a time: {error}") from None


# --- frames ---------------------------------------------------------------------------------------------------


class _Peek(Struct):
    e: str = ""
    s: str = ""
    u: int = 0
    b: msgspec.Raw = msgspec.Raw()
    T: int = 0
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()


_peek: Final = msgspec.json.Decoder(_Peek, strict=False)


class Label(Struct, frozen=True):
    """What a frame is by its own words: ``kind`` is the venue's event type, "reply", or "not a frame"."""

    instrument: str
    kind: str
    stream: str = ""
    timed: bool = True  # it says when it was matched


def label_of(raw: bytes) -> Label:
    """What a frame is, whether or not anybody here can read the rest of it."""
    try:
        outer = _peek.decode(raw)
        inner = _peek.decode(outer.data) if outer.stream else outer
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Label("", "not a frame")
    if inner.e:
        return Label(inner.s, inner.e, outer.stream, bool(inner.T))
    if inner.s and inner.u and bytes(inner.b):
        return Label(inner.s, "bookTicker", outer.stream, timed=False)
    return Label(inner.s, "snapshot" if raw.startswith(SNAPSHOT_START) else "reply", outer.stream)


def dialect_of(raws: Iterable[bytes]) -> Dialect:
    """Which market some frames of one recording are from."""
    for raw in raws:
        label = label_of(raw)
        if label.kind in {"bookTicker", "depthUpdate"}:
            if not label.timed:
                return Dialect.SPOT
            contract = label.instrument.partition("_")[2]
            return Dialect.COINM if contract and "USDT" not in label.instrument else Dialect.USDM
    return Dialect.USDM


# --- spot -------------------------------------------------------------------------------------------------------


class _SpotTicker(Struct, gc=False):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class _SpotEnvelope(Struct, gc=False):
    data: _SpotTicker


_bare_ticker: Final = msgspec.json.Decoder(_SpotTicker)
_wrapped_ticker: Final = msgspec.json.Decoder(_SpotEnvelope)


def spot_decoder(specs: Iterable[InstrumentSpec], offset_ns: Callable[[], int]) -> Decode:
    """As the futures decoder, for spot frames. ``offset_ns``: the venue's time less ours, as tracked.

    A quote without a time counts as sent when it was received, by the venue's clock.
    """
    known = tuple(specs)
    futures = decoder(known)

    def decode(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        event = futures(raw, wall_ns, mono_ns)
        if type(event) is not Malformed:
            return event
        venue_ms = (wall_ns + offset_ns()) // NS_PER_MS
        told = _in_futures_words(raw, venue_ms)
        if told is None:
            return event
        again = futures(told, wall_ns, mono_ns)
        if type(again) is Quote:
            return msgspec.structs.replace(again, venue_ns=wall_ns + offset_ns())
        return again

    return decode


class _SpotDiff(Struct, tag_field="e", tag="depthUpdate"):
    E: int
    s: str
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _SpotDiffEnvelope(Struct):
    data: _SpotDiff


class _FuturesTicker(Struct, tag_field="e", tag="bookTicker"):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str
    T: int


class _FuturesDiff(Struct, tag_field="e", tag="depthUpdate"):
    T: int
    s: str
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


_bare_diff: Final = msgspec.json.Decoder(_SpotDiff)
_wrapped_diff: Final = msgspec.json.Decoder(_SpotDiffEnvelope)


def _in_futures_words(raw: bytes, venue_ms: int) -> bytes | None:
    """A spot quote or change as the futures side would have said it; None for anything else."""
    label = label_of(raw)
    try:
        if label.kind == "bookTicker":
            tick = _wrapped_ticker.decode(raw).data if label.stream else _bare_ticker.decode(raw)
            return msgspec.json.encode(
                _FuturesTicker(u=tick.u, s=tick.s, b=tick.b, B=tick.B, a=tick.a, A=tick.A, T=venue_ms)
            )
        if label.kind == "depthUpdate" and not label.timed:
            diff = _wrapped_diff.decode(raw).data if label.stream else _bare_diff.decode(raw)
            return msgspec.json.encode(
                _FuturesDiff(T=diff.E, s=diff.s, U=diff.U, u=diff.u, b=diff.b, a=diff.a)
            )
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return None
