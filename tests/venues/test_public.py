"""What Binance tells without a key: read whole, in our units, and never guessed at."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from holdfast.ports.venue import VenueUnusable
from holdfast.venues.binance import public
from holdfast.venues.binance.codec import Unreadable
from holdfast.venues.binance.envelope import enveloper
from holdfast.venues.binance.feed import FeedConfig
from holdfast.venues.transport.clock import SystemClock
from holdfast.vocab.market import Depth, Malformed, Quote, Trade
from holdfast.vocab.units import NS_PER_MS
from tests.venues.house import spec

WALL_NS = 1_723_161_254_087_891_268
AHEAD_NS = 1_274 * NS_PER_MS
SPOT = spec(tick="0.01", lot="0.00001")
QUOTE = b'{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}'


def wrapped(stream, raw):
    return b'{"stream":"%b","data":%b}' % (stream.encode(), raw)


@asynccontextmanager
async def answering(*parts, status=200, length=None):
    """A server that sends its body in parts, a moment apart."""

    async def serve(reader, writer):
        while await reader.readuntil(b"\r\n\r\n"):
            size = sum(map(len, parts)) if length is None else length
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, size))
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.02)
            if length is not None:
                writer.close()
                return

    async def guarded(reader, writer):
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield public.place_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


def asked(*parts, **how):
    async def story():
        async with answering(*parts, **how) as place:
            return await public.ask(place, "depth", symbol="BTCUSDT")

    return asyncio.run(story())


def test_a_body_that_comes_in_parts_is_read_to_its_end():
    assert b'{"a":1}' + b" " * 9_000 == asked(b'{"a":', b"1}", b" " * 9_000)


@pytest.mark.parametrize(
    ("parts", "how", "said"),
    [
        ((b"teapot\nboils",), {"status": 418}, "answered 418 teapot"),
        ((b'{"a"',), {"length": 90}, "/fapi/v1/depth: ClientPayloadError"),
        ((), {"status": 302}, "answered 302"),
    ],
)
def test_what_is_no_answer_is_one_line(parts, how, said):
    with pytest.raises(VenueUnusable) as told:
        asked(*parts, **how)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_the_clock_is_measured_by_the_quickest_round_trip():
    async def story():
        clock = SystemClock()
        told = b'{"serverTime":%d}' % ((clock.wall_ns() + 5_000_000_000) // NS_PER_MS)
        async with answering(told) as place:
            return await public.measure_offset_ns(place, clock)

    # the answer is always the same, and time goes on: the least of the five is still within them
    assert 4_400_000_000 < asyncio.run(story()) < 5_001_000_000


@pytest.mark.parametrize("url", ["", "x", "ftp://x", "http://", "http://h/path", "http://h?q=1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="expected an address"):
        public.place_of(url)


def test_the_venues_own_address_has_its_streams_elsewhere():
    assert "wss://fstream.binance.com" == public.place_of("https://fapi.binance.com").ws_url
    assert "ws://127.0.0.1:8710" == public.place_of("http://127.0.0.1:8710/").ws_url


# --- frames -------------------------------------------------------------------------------------------------------


def test_a_spot_quote_counts_as_sent_when_it_was_received_by_the_venues_clock():
    decode = public.spot_decoder((SPOT,), lambda: AHEAD_NS)
    for raw in (QUOTE, wrapped("btcusdt@bookTicker", QUOTE)):
        assert Quote(
            "BTCUSDT", 50_093_239_212, 6_183_763, 378_826, 6_183_764, 154_698, WALL_NS + AHEAD_NS, WALL_NS, 7
        ) == decode(raw, WALL_NS, 7)


def test_spot_changes_and_prints_are_read_and_the_unreadable_stays_so():
    decode = public.spot_decoder((SPOT,), lambda: 0)
    diff = (
        b'{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":8,"u":9,"b":[["1.00","0.00000"]],"a":[["2.00","0.5"]]}'
    )
    assert Depth("BTCUSDT", 8, 9, 0, ((100, 0),), ((200, 50_000),), False, 5 * NS_PER_MS, 1, 2) == decode(
        wrapped("btcusdt@depth@100ms", diff), 1, 2
    )
    print_ = b'{"e":"trade","E":6,"s":"BTCUSDT","t":3,"p":"61837.63","q":"0.02","T":5,"m":true,"M":true}'
    assert Trade("BTCUSDT", 3, 6_183_763, 2_000, -1, True, 5 * NS_PER_MS, 1, 2) == decode(print_, 1, 2)
    for raw, why in (
        (b"garbage", "not a frame"),
        (QUOTE.replace(b"BTCUSDT", b"NOPE"), "unknown instrument"),
        (QUOTE.replace(b"61837.63000000", b"61837.63100000"), "price off the tick, or not above zero"),
    ):
        event = decode(raw, 1, 2)
        assert isinstance(event, Malformed)
        assert why == event.reason


@pytest.mark.parametrize(
    ("raw", "instrument", "kind", "timed"),
    [
        (QUOTE, "BTCUSDT", "bookTicker", False),
        (b'{"stream":"x@kline_1m","data":{"e":"kline","s":"X"}}', "X", "kline", False),
        (b'{"e":"trade","s":"X","T":5}', "X", "trade", True),
        (b'{"result":null,"id":1}', "", "reply", True),
        (b'{"lastUpdateId":5,"bids":[],"asks":[]}', "", "snapshot", True),
        (b"[1,2]", "", "not a frame", True),
        (b"\xff", "", "not a frame", True),
    ],
)
def test_a_frame_is_labelled_by_its_own_words(raw, instrument, kind, timed):
    label = public.label_of(raw)
    assert (instrument, kind, timed) == (label.instrument, label.kind, label.timed)


def test_a_market_is_known_by_its_frames():
    futures = b'{"e":"bookTicker","u":1,"s":"%b","b":"1","T":5}'
    assert public.Dialect.SPOT is public.dialect_of([b"x", QUOTE])
    assert public.Dialect.USDM is public.dialect_of([futures % b"BTCUSDT"])
    assert public.Dialect.USDM is public.dialect_of([futures % b"BTCUSDT_240927"])
    assert public.Dialect.COINM is public.dialect_of([futures % b"BTCUSD_PERP"])
    assert public.Dialect.USDM is public.dialect_of([])


def test_a_snapshot_leaves_out_levels_that_no_tick_or_lot_says_and_counts_them():
    """Orders older than a change of the tick: rounded, they would be somebody else's level."""
    raw = json.dumps(
        {"lastUpdateId": 9, "T": 4, "bids": [["1.00", "2"], ["0.995", "1"]], "asks": [["1.01", "0.000001"]]}
    ).encode()
    assert (
        Depth("BTCUSDT", 9, 9, 0, ((100, 200_000),), (), True, 4 * NS_PER_MS, 1, 2),
        2,
    ) == public.snapshot_in(raw, SPOT, 1, 2)
    assert Malformed("BTCUSDT", "not a snapshot", 1, 2) == public.snapshot_in(b"{}", SPOT, 1, 2)


# --- instruments ----------------------------------------------------------------------------------------------------


def symbol(name, *, tick="0.10", lot="0.001", **more):
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": tick},
        {"filterType": "LOT_SIZE", "stepSize": lot, "minQty": lot, "maxQty": "1000"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "10"},
    ]
    return {
        "symbol": name,
        "baseAsset": "B",
        "quoteAsset": "Q",
        "filters": filters,
        "status": "TRADING",
        **more,
    }


def test_instruments_of_all_three_markets_are_read_and_the_uncountable_are_left_out():
    raw = json.dumps(
        {"symbols": [symbol("BTCUSDT"), symbol("X_PERP", contractStatus="TRADING"), symbol("BAD", tick="0")]}
    ).encode()
    assert ["BTCUSDT", "X_PERP"] == list(public.instruments_in(raw))
    assert ["X_PERP"] == list(public.instruments_in(raw, ["X_PERP", "GONE"]))
    only = public.only_instruments(raw, ["X_PERP"])
    assert ["X_PERP"] == list(public.instruments_in(only))
    assert ["X_PERP", "BTCUSDT"] == list(public.instruments_in(public.with_instruments(only, raw)))
    with pytest.raises(Unreadable, match="not an exchangeInfo"):
        public.instruments_in(b"[]")


def test_a_bare_frame_goes_back_into_the_envelope_of_its_stream():
    envelop = enveloper(FeedConfig(depth=True), ["BTCUSDT"])
    quote = b'{"e":"bookTicker","s":"BTCUSDT","u":1}'
    assert ("BTCUSDT", wrapped("btcusdt@bookTicker", quote)) == envelop(quote)
    mark = b'{"e":"markPriceUpdate","s":"BTCUSDT"}'
    assert ("BTCUSDT", wrapped("btcusdt@markPrice@1s", mark)) == envelop(mark)
    for odd in (b"garbage", b'{"result":null,"id":1}', b'{"e":"bookTicker","s":"NOPE"}'):
        assert ("", odd) == envelop(odd)
