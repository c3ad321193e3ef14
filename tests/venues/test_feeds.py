"""Market data feeds: frames as they were, times of the read that brought them, connected again and again."""

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial

import pytest
from picows import WSListener, WSMsgType, ws_create_server

from holdfast.venues.anyccxt.feed import decode
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig, shares_of
from holdfast.venues.transport.sockets import Backoff
from holdfast.vocab.events import Stream, StreamChanged, StreamKind
from holdfast.vocab.market import Malformed, Quote
from tests.venues.fake_binance import eventually
from tests.venues.house import QUICK, SPECS
from tests.venues.test_binance_decoder import QUOTE


def _asked_and_there(publisher, times: int) -> bool:
    return len(publisher.asked) == times and bool(publisher.clients)


class Publisher:
    """A WebSocket server that remembers who subscribed to what, and says what a test wants."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict]] = []
        self.clients: list = []

    def say(self, *messages: bytes, together: bool = False) -> None:
        for client in self.clients:
            if together:  # one write: the reader gets them in one read
                frames = [b"\x81" + _length(message) + message for message in messages]
                client.underlying_transport.write(b"".join(frames))
            else:
                for message in messages:
                    client.send(WSMsgType.TEXT, message)

    @classmethod
    @asynccontextmanager
    async def running(cls):
        publisher = cls()

        class Client(WSListener):
            def __init__(self, path: str) -> None:
                self.path = path

            def on_ws_connected(self, transport):
                publisher.clients.append(transport)

            def on_ws_frame(self, transport, frame):
                if frame.msg_type == WSMsgType.TEXT:
                    publisher.asked.append((self.path, json.loads(frame.get_payload_as_bytes())))
                    transport.send(WSMsgType.TEXT, b'{"result":null,"id":1}')

            def on_ws_disconnected(self, transport):
                publisher.clients.remove(transport)

        server = await ws_create_server(lambda request: Client(request.path.decode()), "127.0.0.1", 0)
        publisher.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield publisher
        finally:
            for client in list(publisher.clients):
                client.disconnect()
            server.close()


def _length(message: bytes) -> bytes:
    return bytes([len(message)]) if len(message) < 126 else b"\x7e" + len(message).to_bytes(2, "big")


@asynccontextmanager
async def opened(publisher, **changes):
    plain = {"ws_url": publisher.url, "legacy_streams": True, "backoff": QUICK, "silence_s": 0.0}
    feed = BinanceFeed(FeedConfig(**{**plain, **changes}), SPECS)
    frames: list[tuple[bytes, int, int]] = []
    events: list = []
    await feed.open(
        lambda raws, wall_ns, mono_ns: frames.extend((raw, wall_ns, mono_ns) for raw in raws), events.append
    )
    try:
        yield feed, frames, events
    finally:
        await feed.close()


def a_quote(u: int) -> bytes:
    return json.dumps({**QUOTE, "u": u}, separators=(",", ":")).encode()


def test_split_addresses_carry_each_stream_where_the_venue_serves_it():
    """On the wrong address a stream connects, acknowledges, and stays silent."""
    shares = shares_of(FeedConfig(ws_url="wss://x"), ["BTCUSDT"])
    assert [
        ("binance/public", "wss://x/public/ws", ("btcusdt@bookTicker", "btcusdt@trade")),
        ("binance/market", "wss://x/market/ws", ("btcusdt@markPrice@1s",)),
    ] == [(share.name, share.url, share.streams) for share in shares]
    legacy = shares_of(FeedConfig(ws_url="wss://x/", legacy_streams=True, depth=True), ["BTCUSDT"])
    assert [("binance", "wss://x/ws", 4)] == [(share.name, share.url, len(share.streams)) for share in legacy]


def test_many_instruments_are_shared_among_connections():
    shares = shares_of(FeedConfig(), [f"C{number}USDT" for number in range(250)])
    assert [
        "binance/public#1",
        "binance/public#2",
        "binance/public#3",
        "binance/market#1",
        "binance/market#2",
    ] == [share.name for share in shares]
    assert 750 == len({stream for share in shares for stream in share.streams})


def test_a_mute_stream_is_asked_for_again_and_then_its_connection_is_made_anew():
    """Only where it belongs: what else goes over other connections is left alone."""

    async def story():
        async with (
            Publisher.running() as publisher,
            opened(publisher, legacy_streams=False) as (feed, _, events),
        ):
            await eventually(lambda: len(publisher.asked) == 2)
            feed.renew("BTCUSDT", StreamKind.MARK, harder=False)
            await eventually(lambda: len(publisher.asked) == 3)
            assert ("/market/ws", ["btcusdt@markPrice@1s"]) == (
                publisher.asked[2][0],
                publisher.asked[2][1]["params"],
            )
            feed.renew("", StreamKind.TRADE, harder=False)
            await eventually(lambda: len(publisher.asked) == 4)
            assert len(SPECS) == len(publisher.asked[3][1]["params"])
            feed.renew("BTCUSDT", StreamKind.MARK, harder=True)
            await eventually(lambda: len(publisher.asked) == 5)
            assert "/market/ws" == publisher.asked[4][0]
            assert ["silent: BTCUSDT mark"] == [event.why for event in events if not event.up]

    asyncio.run(story())


def test_frames_are_handed_on_as_they_were():
    async def story():
        async with Publisher.running() as publisher, opened(publisher) as (feed, frames, events):
            await eventually(lambda: publisher.asked)
            path, hello = publisher.asked[0]
            assert ("/ws", "SUBSCRIBE", 6) == (path, hello["method"], len(hello["params"]))
            publisher.say(*[a_quote(number) for number in range(5)])
            await eventually(lambda: len(frames) == 6)
            assert [a_quote(number) for number in range(5)] == [raw for raw, *_ in frames[1:]]
            quotes = [feed.decode_read((raw,), *times)[0] for raw, *times in frames]
            assert quotes[0] is None  # the reply to our own request
            assert list(range(5)) == [quote.seq for quote in quotes[1:]]
            assert ("binance-usdm", "binance") == (feed.codec, feed.name)
            assert [(Stream.MARKET, "binance", True)] == [(e.stream, e.name, e.up) for e in events]

    asyncio.run(story())


def test_frames_of_one_read_share_its_time_and_times_never_run_backwards():
    async def story():
        async with Publisher.running() as publisher, opened(publisher) as (_, frames, _):
            await eventually(lambda: frames)
            publisher.say(*[a_quote(number) for number in range(100)], together=True)
            await eventually(lambda: len(frames) == 101)
            await asyncio.sleep(0.01)
            publisher.say(a_quote(200))
            await eventually(lambda: len(frames) == 102)
            burst = {(wall_ns, mono_ns) for _, wall_ns, mono_ns in frames[1:101]}
            assert len(burst) <= 3
            monos = [mono_ns for *_, mono_ns in frames]
            assert monos == sorted(monos)
            assert frames[-1][2] - frames[-2][2] > 5_000_000

    asyncio.run(story())


def test_a_message_in_pieces_is_one_frame():
    async def story():
        async with Publisher.running() as publisher, opened(publisher) as (_, frames, _):
            await eventually(lambda: frames)
            whole = a_quote(7)
            for client in publisher.clients:
                client.send(WSMsgType.TEXT, whole[:30], fin=False)
                client.send(WSMsgType.CONTINUATION, whole[30:60], fin=False)
                client.send(WSMsgType.CONTINUATION, whole[60:], fin=True)
            publisher.say(a_quote(8))
            await eventually(lambda: len(frames) == 3)
            assert [whole, a_quote(8)] == [raw for raw, *_ in frames[1:]]

    asyncio.run(story())


def test_a_lost_connection_is_told_once_and_opened_again():
    async def story():
        async with Publisher.running() as publisher, opened(publisher) as (_, _, events):
            for round_ in range(1, 4):
                await eventually(partial(_asked_and_there, publisher, round_))
                for client in list(publisher.clients):
                    client.disconnect()
            await eventually(lambda: len(events) == 7)
            assert [True, False] * 3 + [True] == [event.up for event in events]
            assert all(isinstance(event, StreamChanged) for event in events)

    asyncio.run(story())


def test_a_close_frame_is_answered_and_the_connection_opened_again():
    async def story():
        async with Publisher.running() as publisher, opened(publisher) as (_, _, events):
            await eventually(lambda: publisher.asked)
            publisher.clients[0].send_close()
            await eventually(lambda: len(publisher.asked) == 2)
            await eventually(lambda: len(events) == 3)
            assert "closed by the venue" in events[1].why

    asyncio.run(story())


def test_a_connection_that_falls_silent_is_opened_again():
    """A frozen socket was noticed by ccxt after six minutes."""

    async def story():
        async with Publisher.running() as publisher, opened(publisher, silence_s=0.1) as (_, _, events):
            await eventually(lambda: len(publisher.asked) >= 2)
            await eventually(lambda: len(events) >= 3)
            assert "silent" in events[1].why

    asyncio.run(story())


def test_closing_ends_it():
    async def story():
        async with Publisher.running() as publisher:
            async with opened(publisher) as (_, frames, _):
                await eventually(lambda: frames)
            await eventually(lambda: not publisher.clients)
            asked = len(publisher.asked)
            await asyncio.sleep(0.1)
            assert asked == len(publisher.asked)

    asyncio.run(story())


@pytest.mark.parametrize("attempt", range(12))
def test_waits_double_up_to_a_bound_and_never_coincide(attempt):
    """Thousands of bots that return in the same second are an attack."""
    backoff = Backoff(first_ms=100, max_ms=15_000)
    waits = [backoff.wait_ms(attempt, jitter / 10) for jitter in range(10)]
    full = min(15_000, 100 * 2**attempt)
    assert waits == sorted(waits, reverse=True)
    assert (full, True) == (waits[0], all(full // 2 <= wait <= full for wait in waits))
    assert len(set(waits)) == 10
    assert 15_000 == backoff.wait_ms(10_000, 0.0)


def test_a_recorded_event_comes_back_with_its_times():
    import msgspec

    quote = Quote("BTC/USDT:USDT", 5, 1, 2, 3, 4, 6, 0, 0)
    raw = msgspec.msgpack.encode(quote)
    assert Quote("BTC/USDT:USDT", 5, 1, 2, 3, 4, 6, 111, 222) == decode(raw, 111, 222)
    for bad in (b"", b"\xc1", raw[:-3], b'{"e":"bookTicker"}'):
        assert isinstance(decode(bad, 1, 2), Malformed)
