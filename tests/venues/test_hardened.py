"""The hardened ccxt: each hole, through ccxt's own unified calls."""

import asyncio
import logging
from types import SimpleNamespace

import ccxt.async_support as ccxt_async
import pytest
from ccxt.base import errors as ccxt_errors

from holdfast.venues.transport.clock import SystemClock, VenueClock
from holdfast.venues.transport.hardened import Credentials, Endpoints, build, exchange_class
from holdfast.venues.transport.hop import HOP, Hop, OutcomeUnknown, Unpermitted, WireMismatch
from tests.venues.fake_binance import KEY, SECRET, SYMBOLS, fake_binance, reply
from tests.venues.house import RawServer, http


def hardened(url: str, exchange_id: str = "binanceusdm", **options):
    clock = SystemClock()
    return build(
        exchange_id,
        credentials=Credentials(api_key=KEY, secret=SECRET),
        endpoints=Endpoints(http=url, ws=url.replace("http", "ws", 1)),
        clock=clock,
        venue_clock=VenueClock(clock),
        options=options,
    )


def markets():
    exchange = ccxt_async.binanceusdm()
    return [
        exchange.parse_market({**row, "contractType": "PERPETUAL", "pair": row["symbol"]}) for row in SYMBOLS
    ]


async def placing(raw_reply, **options):
    """What ccxt's create_order ends in when the server answers so; and how often it asked."""
    async with RawServer.running(lambda *_: raw_reply) as raw:
        exchange, session = hardened(raw.url, **options)
        exchange.set_markets(markets())
        HOP.set(Hop(timeout_s=0.3))
        try:
            made = await exchange.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 60_000)
        except Exception as error:  # noqa: BLE001 - whichever it is, is the point
            made = error
        await session.close()
        return made, len(raw.requests)


@pytest.mark.parametrize(
    "raw_reply",
    [
        http(b"{{{not json"),
        http(b""),
        http(b"<html>fine</html>"),
        http(b'"fine"'),
        http(b"", status="302 Found", extra=b"Location: http://127.0.0.1:1/\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["garbage", "empty", "html", "text", "redirect", "cut", "cut chunk"],
)
def test_an_unreadable_success_is_no_order_and_no_rejection(raw_reply):
    """Bare ccxt: the first four are an order with id None, the cut ones an ExchangeError."""
    made, asked = asyncio.run(placing(raw_reply))
    if isinstance(made, ccxt_errors.RequestTimeout):
        assert b"500" in raw_reply or b"chunked" in raw_reply  # the connection stayed open: silence
    else:
        assert isinstance(made, OutcomeUnknown), made
    assert 1 == asked


def test_a_reply_cut_short_by_the_end_of_the_connection_is_unknown():
    async def story():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        exchange, session = hardened(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        exchange.set_markets(markets())
        HOP.set(Hop(timeout_s=1.0))
        with pytest.raises(OutcomeUnknown):
            await exchange.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 60_000)
        await session.close()
        server.close()

    asyncio.run(story())


@pytest.mark.parametrize("retries", [0, 5])
def test_no_order_is_ever_retried_by_a_library(retries):
    """maxRetriesOnFailure repeats POST /order after a time-out: asked for by option, it is still off."""
    overloaded = http(b'{"code":-1007,"msg":"Timeout"}', status="503 Service Unavailable")
    made, asked = asyncio.run(placing(overloaded, maxRetriesOnFailure=retries))
    assert isinstance(made, Exception)
    assert 1 == asked


def test_one_call_changes_one_thing():
    """Where ccxt makes an amend of a cancel and a new order, the second half is refused."""

    async def story():
        async with fake_binance() as fake:
            exchange, session = hardened(fake.url)
            exchange.set_markets(markets())
            HOP.set(Hop(changes_left=1))
            await exchange.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 60_000)
            with pytest.raises(WireMismatch):
                await exchange.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 60_000)
            assert 1 == len(fake.asked_of("/fapi/v1/order"))
            await session.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (-2022, ccxt_errors.InvalidOrder),
        (-2019, ccxt_errors.InsufficientFunds),
        (-2021, ccxt_errors.OrderImmediatelyFillable),
        (-5022, ccxt_errors.OrderNotFillable),
        (-4164, ccxt_errors.InvalidOrder),
    ],
)
def test_the_error_table_is_chosen_by_venue_and_not_by_address(code, expected):
    """Against a simulator bare ccxt maps 90 codes differently: what was tested is not what runs."""
    made, _ = asyncio.run(
        placing(http(f'{{"code":{code},"msg":"words"}}'.encode(), status="400 Bad Request"))
    )
    assert expected is type(made)


def test_ccxts_own_throttle_and_clock_are_not_used():
    async def story():
        async with fake_binance() as fake:
            exchange, session = hardened(fake.url)
            exchange.holdfast_clock._ahead_of_mono_ns += 3_600_000_000_000
            HOP.set(Hop(recv_window_ms=777))
            await exchange.fapiPrivateGetOpenOrders({})
            asked = fake.asked_of("/fapi/v1/openOrders")[0]
            assert abs(int(asked["timestamp"]) - fake.now_ms() - 3_600_000) < 1_000
            assert "777" == asked["recvWindow"]
            assert not exchange.enableRateLimit
            await session.close()

    asyncio.run(story())


def test_markets_are_loaded_only_on_purpose():
    async def story():
        async with fake_binance() as fake:
            exchange, session = hardened(fake.url)
            HOP.set(Hop())
            with pytest.raises(Unpermitted):
                await exchange.load_markets()
            with pytest.raises(Unpermitted):
                await exchange.create_order("BTC/USDT:USDT", "market", "buy", 1)
            assert [] == fake.asked
            exchange.holdfast_may_load = True
            assert "BTC/USDT:USDT" in await exchange.load_markets()
            exchange.holdfast_may_load = False
            with pytest.raises(Unpermitted):
                await exchange.load_markets(True)
            await session.close()

    asyncio.run(story())


def test_every_stream_message_is_tapped_even_those_that_ccxt_ignores():
    async def story():
        exchange, session = hardened("http://127.0.0.1:1")
        seen = []
        exchange.holdfast_tap = seen.append
        client = SimpleNamespace(subscriptions={}, url="ws://127.0.0.1:1")
        for message in ({"e": "listenKeyExpired"}, {"e": "MARGIN_CALL"}, {"e": "NOVELTY"}):
            exchange.handle_message(client, message)
        assert ["listenKeyExpired", "MARGIN_CALL", "NOVELTY"] == [message["e"] for message in seen]
        await session.close()

    asyncio.run(story())


def test_an_unknown_exchange_is_refused_by_name():
    for name in ("nowhere", "Exchange", "base", "__init__", ""):
        with pytest.raises(LookupError, match="ccxt knows no exchange"):
            exchange_class(name)


def test_ccxt_logs_nothing(caplog):
    """At DEBUG it logs whole requests, key and signature included."""

    async def story():
        async with fake_binance() as fake:
            fake.answers["GET /fapi/v1/openOrders"] = lambda *_: reply([])
            exchange, session = hardened(fake.url)
            HOP.set(Hop())
            await exchange.fapiPrivateGetOpenOrders({})
            await session.close()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(story())
    ours = [
        record.getMessage() for record in caplog.records if record.name != "aiohttp.access"
    ]  # that is the server
    assert [] == [text for text in ours if KEY in text or "signature" in text]
