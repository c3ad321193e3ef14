"""No request leaves for a host that nobody configured, whatever ccxt thinks of."""

import asyncio
import socket

import pytest

from holdfast.venues.anyccxt.client import AnyCcxtConfig, AnyCcxtVenue
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.transport.clock import SystemClock, VenueClock
from holdfast.venues.transport.hardened import Credentials, Endpoints, build
from holdfast.venues.transport.hop import HOP, Hop, HostRefused
from holdfast.venues.transport.session import AllowedHosts
from holdfast.venues.transport.sockets import KeptSocket, Plan
from holdfast.vocab.orders import Lane, OrderType, Side
from holdfast.vocab.outcome import Fatal
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    SetLeverage,
)
from tests.venues.fake_binance import KEY, SECRET, fake_binance
from tests.venues.house import RawServer, config, http, loaded, order_id, place, yes

EVERY_REQUEST = [
    place(1),
    place(2, order_type=OrderType.STOP_MARKET, price_ticks=None, trigger_ticks=1),
    AmendOrder(
        order_id=order_id(),
        venue_order_id="7",
        instrument="BTCUSDT",
        side=Side.BUY,
        qty_lots=5,
        price_ticks=600_000,
    ),
    CancelOrder(order_id=order_id(), venue_order_id="7", instrument="BTCUSDT"),
    CancelOrder(order_id=order_id(), venue_order_id="7", instrument="BTCUSDT", conditional=True),
    CancelAll(instrument="BTCUSDT"),
    CancelAll(instrument="BTCUSDT", conditional=True),
    QueryOrder(order_id=order_id(), instrument="BTCUSDT"),
    QueryOrder(order_id=order_id(), instrument="BTCUSDT", conditional=True),
    QueryOpenOrders(),
    QueryPositions(source=0),
    QueryPositions(source=1),
    QueryPositions(source=2),
    QueryBalances(),
    QueryTrades(instrument="BTCUSDT", since_venue_ns=0),
    QueryCash(since_venue_ns=0),
    QuerySpecs(),
    QueryVolumes(instruments=("BTCUSDT",)),
    SetLeverage(instrument="BTCUSDT", leverage=5),
    ArmDeadman(instrument="BTCUSDT", countdown_ms=60_000),
    MeasureClock(),
]


@pytest.fixture
def names_looked_up(monkeypatch):
    """Every name that anybody resolves; loopback addresses need none."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def watched(host, *rest, **more):
        if host not in ("127.0.0.1", "127.0.0.2"):
            asked.append(str(host))
            raise socket.gaierror("no names in this test")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    return asked


def test_every_request_of_the_port_goes_to_the_configured_host(names_looked_up):
    """With a key set, ccxt alone asks api.binance.com, signed."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            for request in EVERY_REQUEST:
                before = len(fake.asked)
                await venue.call(request, Lane.FLATTEN, yes)
                assert len(fake.asked) > before, request
            assert 0 == fake.bad_signatures

    asyncio.run(story())
    assert [] == names_looked_up


def test_with_its_addresses_put_back_every_request_is_refused_before_connecting(names_looked_up):
    """The allow-list is in the connector: a forgotten address override leaks nothing."""

    async def story():
        async with (
            fake_binance() as fake,
            loaded(fake) as venue,
            RawServer.running(lambda *_: http(b"{}"), host="127.0.0.2") as stranger,
        ):
            exchange = venue._calls.asker._exchange
            moved = {**exchange.urls["api"]}
            for address in ("https://fapi.binance.com", stranger.url):
                for name in list(moved):
                    if isinstance(moved[name], str):
                        exchange.urls["api"][name] = f"{address}/fapi/v1"
                before = len(fake.asked)
                for request in EVERY_REQUEST:
                    outcome = await venue.call(request, Lane.FLATTEN, yes)
                    assert isinstance(outcome, Fatal), (request, outcome)
                    assert "HostRefused" in outcome.why
                assert before == len(fake.asked)
            assert 0 == stranger.connections

    asyncio.run(story())
    assert [] == names_looked_up


def test_in_simulated_mode_no_address_of_the_real_venue_is_left():
    async def story():
        for exchange_id in ("binanceusdm", "bybit", "okx", "krakenfutures", "gate"):
            clock = SystemClock()
            exchange, session = build(
                exchange_id,
                credentials=Credentials(api_key="k", secret="s"),
                endpoints=Endpoints(http="http://127.0.0.1:1", ws="ws://127.0.0.1:1"),
                clock=clock,
                venue_clock=VenueClock(clock),
            )
            left = [text for text in _texts(exchange.urls) if "://" in text and "127.0.0.1" not in text]
            assert [] == left
            await session.close()

    asyncio.run(story())


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def test_loading_the_markets_makes_no_signed_call(names_looked_up):
    """ccxt's load_markets signs two requests to another host as soon as a key is set."""

    async def story():
        async with fake_binance() as fake:
            venue = AnyCcxtVenue(
                AnyCcxtConfig(
                    exchange_id="binanceusdm",
                    symbols=("BTC/USDT:USDT",),
                    account_tag=1,
                    credentials=Credentials(api_key=KEY, secret=SECRET),
                    order_window_ms=1_000,
                    endpoints=Endpoints(http=fake.url, ws=fake.ws),
                )
            )
            await venue.load()
            await venue.close()
            assert [] == [asked for asked in fake.asked if "signature" in asked[2]]

    asyncio.run(story())
    assert [] == names_looked_up


def test_a_proxy_is_refused():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            HOP.set(Hop())
            with pytest.raises(HostRefused):
                await venue._session._session.get(f"{fake.url}/fapi/v1/time", proxy="http://127.0.0.1:9")

    asyncio.run(story())


def test_a_stream_is_refused_on_an_unlisted_host(names_looked_up):
    async def story():
        downs = []

        async def plan() -> Plan:
            return Plan(url="wss://fstream.binance.com/ws")

        kept = KeptSocket(
            plan=plan,
            allowed=AllowedHosts(["ws://127.0.0.1:1"]),
            clock=SystemClock(),
            on_frame=lambda raws, wall_ns, mono_ns: None,
            on_up=lambda: None,
            on_down=downs.append,
        )
        kept.open()
        await asyncio.sleep(0.05)
        await kept.close()
        assert ["HostRefused fstream.binance.com:443 is not an allowed host"] == downs

    asyncio.run(story())
    assert [] == names_looked_up


def test_credentials_are_never_shown():
    credentials = Credentials(api_key="AAAA-key", secret="BBBB-secret", private_key="CCCC")
    shown = f"{credentials!r} {credentials} {config('http://127.0.0.1:1', credentials=credentials)!r}"
    assert not [word for word in ("AAAA", "BBBB", "CCCC") if word in shown]


def test_a_failure_tells_no_signature_and_no_key():
    """The words of a failure go to logs, journals and chats."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue, RawServer.running(lambda *_: None) as raw:
            other = BinanceVenue(config(raw.url))
            other._calls.book = venue._calls.book
            for request in EVERY_REQUEST:
                outcome = await other.call(request, Lane.FLATTEN, yes)
                for secret in (KEY, SECRET, "signature"):
                    assert secret not in repr(outcome)
            await other.close()

    asyncio.run(story())
