"""Market streams: every way to ask for them, both envelopes, the silent old URLs, and books that add up."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from holdfast.sim.server.hub import category_of, frame
from holdfast.sim.server.sockets import StreamUrl, read_url
from tests.sim.server_house import a_bench, hear, run, silence

pytestmark = pytest.mark.process

BOOK = "btcusdt@bookTicker"
MARK = "btcusdt@markPrice@1s"


# --- without a socket -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/ws", "", ("legacy", False, ())),
        ("/ws/btcusdt@trade", "", ("legacy", False, ("btcusdt@trade",))),
        ("/ws/a@trade/b@depth", "", ("legacy", False, ("a@trade", "b@depth"))),
        ("/stream", "streams=a@trade/b@depth", ("legacy", True, ("a@trade", "b@depth"))),
        ("/public/ws/0", "", ("public", False, ())),
        ("/market/stream", "streams=!miniTicker@arr", ("market", True, ("!miniTicker@arr",))),
        ("/private/ws", "listenKey=KEY", ("private", False, ("KEY",))),
        ("/private/ws/KEY", "", ("private", False, ("KEY",))),
        ("/private/stream", "listenKey=KEY", ("private", True, ("KEY",))),
        ("/stream", "streams=KEY", ("legacy", True, ("KEY",))),
        ("/ws", "listenKey=KEY", ("legacy", False, ("KEY",))),
    ],
)
def test_a_url_asks_for_streams(path, query, expected):
    url = read_url(path, query)
    assert url is not None
    assert expected == (url.route, url.combined, url.streams)


def test_a_url_can_narrow_the_user_events():
    url = read_url("/private/ws", "listenKey=KEY&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE")
    expected = frozenset({"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"})
    assert StreamUrl(route="private", combined=False, streams=("KEY",), events=expected) == url


@pytest.mark.parametrize("path", ["/", "/fapi/v1/time", "/private", "/nothing/ws", "/ws-fapi/v1"])
def test_any_other_path_is_no_stream(path):
    assert read_url(path, "") is None


def test_streams_belong_to_one_of_three_paths():
    told = {
        "btcusdt@bookTicker": "public",
        "btcusdt@depth@100ms": "public",
        "!bookTicker": "public",
        "btcusdt@trade": "public",
        "btcusdt@aggTrade": "market",
        "btcusdt@markPrice": "market",
        "!ticker@arr": "market",
        "btcusdt@kline_1m": "market",
        "pqia91ma19a5s61cv6a81va65sdf19v8": "private",
    }
    assert told == {stream: category_of(stream) for stream in told}


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_one_that_any_websocket_reader_takes(size):
    data = frame(b"x" * size)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    assert (0x81, head + size) == (data[0], len(data))
    length = data[1] if size < 126 else int.from_bytes(data[2:head], "big")
    assert size == length


# --- sockets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "combined"),
    [
        (f"/ws/{BOOK}", False),
        (f"/stream?streams={BOOK}/ethusdt@trade", True),
        (f"/public/ws/{BOOK}", False),
        (f"/public/stream?streams={BOOK}", True),
    ],
)
def test_a_stream_in_the_url_is_served_in_its_envelope(path, combined):
    async def main():
        async with a_bench() as bench, bench.socket(path) as socket:
            bench.quote(600_010, 600_011)
            told = (await hear(socket, "bookTicker"))["bookTicker"]
            assert combined == ("stream" in told)
            data = told["data"] if combined else told
            assert ("60001.00", "60001.10", "BTCUSDT") == (data["b"], data["a"], data["s"])

    run(main())


def test_streams_are_asked_for_and_given_up_on_an_open_socket():
    async def main():
        async with a_bench() as bench, bench.socket("/public/ws/0") as socket:

            async def say(method, **more):
                await socket.send_json({"method": method, "id": 7, **more})
                return await asyncio.wait_for(socket.receive_json(), 5)

            assert {"result": None, "id": 7} == await say("SUBSCRIBE", params=[BOOK])
            assert {"result": [BOOK], "id": 7} == await say("LIST_SUBSCRIPTIONS")
            bench.quote(600_010, 600_011)
            await hear(socket, "bookTicker")
            assert {"result": None, "id": 7} == await say("SET_PROPERTY", params=["combined", True])
            bench.quote(600_020, 600_021)
            assert BOOK == (await hear(socket, "bookTicker"))["bookTicker"]["stream"]
            assert {"result": None, "id": 7} == await say("UNSUBSCRIBE", params=[BOOK])
            bench.quote(600_030, 600_031)
            assert await silence(socket)

    run(main())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2),
        ('{"method":"DANCE","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"id":1}', 3),
    ],
)
def test_a_message_that_makes_no_sense_is_answered_and_the_socket_lives(text, code):
    async def main():
        async with a_bench() as bench, bench.socket(f"/ws/{BOOK}") as socket:
            await socket.send_str(text)
            told = await asyncio.wait_for(socket.receive_json(), 5)
            assert code == told["error"]["code"]
            bench.quote(600_010, 600_011)
            await hear(socket, "bookTicker")

    run(main())


def test_who_talks_too_much_is_cut():
    async def main():
        async with a_bench() as bench, bench.socket("/ws") as socket:
            for n in range(12):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": n})
            kinds = [(await asyncio.wait_for(socket.receive(), 5)).type for _ in range(11)]
            assert [aiohttp.WSMsgType.TEXT] * 10 + [aiohttp.WSMsgType.CLOSE] == kinds
            assert 1 == (await bench.control("GET", "/status"))["too_chatty"]

    run(main())


def test_the_old_urls_connect_and_stay_silent_after_the_split():
    """As of 2026-04-23: a stream that looks healthy and is mute."""

    async def main():
        async with a_bench(legacy_ws="mute") as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/stream?streams={MARK}/{BOOK}/{key}") as old:
                await old.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 1})
                assert {"result": None, "id": 1} == await asyncio.wait_for(old.receive_json(), 5)
                async with bench.socket(f"/market/ws/{MARK}") as new:
                    bench.mark(600_050)
                    await hear(new, "markPriceUpdate")
                bench.trade(600_001, 5, 1)
                await bench.market()
                assert await silence(old)
                bench.quote(600_010, 600_011)
                assert BOOK == (await hear(old, "bookTicker"))["bookTicker"]["stream"]

    run(main())


def test_the_wrong_one_of_three_paths_is_silent_when_routes_are_strict():
    async def main():
        async with (
            a_bench(strict_routes=True) as bench,
            bench.socket(f"/public/ws/{MARK}") as wrong,
            bench.socket(f"/market/ws/{MARK}") as right,
        ):
            bench.mark(600_050)
            await hear(right, "markPriceUpdate")
            assert await silence(wrong)

    run(main())


def test_our_own_orders_are_not_in_the_public_streams():
    """The recording is the market; what we do to it is ours alone."""

    async def main():
        async with a_bench() as bench:
            async with bench.socket("/ws/btcusdt@trade/btcusdt@depth@100ms/btcusdt@bookTicker") as socket:
                await bench.market()
                await bench.place(price="60000.0")
                assert await silence(socket)
            book = await bench.public("/fapi/v1/depth", symbol="BTCUSDT")
            assert [["60000.00", "5.000"], ["59999.90", "5.000"], ["59999.80", "5.000"]] == book["bids"]

    run(main())


@pytest.mark.parametrize(
    "stream", ["btcusdt@depth@0ms", "btcusdt@depth@100ms", "btcusdt@depth", "btcusdt@depth@500ms"]
)
def test_a_snapshot_and_the_diffs_after_it_give_the_book(stream):
    """Binance's own procedure, step by step, at each speed."""

    async def main():
        async with a_bench() as bench, bench.socket(f"/public/ws/{stream}") as socket:
            for n in range(5):
                bench.depth(bids=[(600_000 - n, 10 + n)], asks=[(600_001 + n, 0)])
            snapshot = await bench.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
            for n in range(5):
                bench.depth(bids=[(599_990 + n, 7)], asks=[(600_020 + n, 9 + n)])
                await asyncio.sleep(0.15)
            await asyncio.sleep(0.6)
            bench.depth(bids=[(599_900, 1)])  # the last diff, and then what the book is
            sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
            last, begun = snapshot["lastUpdateId"], False
            want = await bench.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
            while last < want["lastUpdateId"]:
                diff = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
                if diff["u"] < snapshot["lastUpdateId"]:
                    continue
                if begun:
                    assert last == diff["pu"]
                else:
                    assert diff["U"] <= snapshot["lastUpdateId"] <= diff["u"] or diff["pu"] == last
                last, begun = diff["u"], True
                for side, levels in sides.items():
                    for price, qty in diff[side]:
                        if float(qty):
                            levels[price] = qty
                        else:
                            levels.pop(price, None)
            assert (dict(want["bids"]), dict(want["asks"])) == (sides["b"], sides["a"])

    run(main())


def test_the_other_streams_are_made_of_what_the_source_has():
    async def main():
        names = (
            "btcusdt@aggTrade btcusdt@kline_1m btcusdt_perpetual@continuousKline_1m btcusdt@miniTicker btcusdt@ticker "
            "btcusdt@depth5@100ms btcusdt@markPrice !miniTicker@arr !ticker@arr !markPrice@arr@1s !bookTicker"
        )
        async with a_bench() as bench, bench.socket("/stream?streams=" + names.replace(" ", "/")) as socket:
            await asyncio.sleep(0.05)
            bench.trade(600_001, 10, 1)
            bench.trade(600_005, 20, -1)
            bench.mark(600_003)
            bench.quote(600_002, 600_003)
            told: dict[str, Any] = {}
            while len(told) < 11 or {told[f"btcusdt@{one}icker"]["c"] for one in ("t", "miniT")} != {
                "60000.50"
            }:
                message = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
                told[message["stream"]] = message["data"]
            candle = told["btcusdt@kline_1m"]["k"]
            assert ("60000.10", "60000.50", "0.030", 2, "0.010", False) == tuple(
                candle[key] for key in "ohvnVx"
            )
            assert ("60000.50", "0.020", True) == tuple(told["btcusdt@aggTrade"][key] for key in "pqm")
            assert ("60000.50", "60000.10") == tuple(told["btcusdt@ticker"][key] for key in "co")
            assert "BTCUSDT" == told["!miniTicker@arr"][0]["s"]
            assert "60000.30000000" == told["btcusdt@markPrice"]["p"]
            assert [["60000.00", "5.000"]] == told["btcusdt@depth5@100ms"]["b"][:1]
            assert ("PERPETUAL", "1m") == (
                told["btcusdt_perpetual@continuousKline_1m"]["ct"],
                told["btcusdt_perpetual@continuousKline_1m"]["k"]["i"],
            )

    run(main())


def test_the_server_pings_and_a_socket_lives_a_day_at_most():
    async def main():
        async with (
            a_bench() as bench,
            bench.http.ws_connect(
                bench.server.url.replace("http", "ws") + f"/ws/{BOOK}", autoping=False
            ) as socket,
        ):
            sockets, now_ns = bench.server._sockets, bench.server.venue.now_ns()
            sockets.tick(now_ns + 179 * 10**9)
            sockets.tick(now_ns + 181 * 10**9)
            bench.server.venue.hub.flush()
            ping = await asyncio.wait_for(socket.receive(), 5)
            assert aiohttp.WSMsgType.PING is ping.type
            await socket.pong(ping.data)
            sockets.tick(now_ns + 24 * 3600 * 10**9 + 10**9)
            end = await asyncio.wait_for(socket.receive(), 5)
            assert aiohttp.WSMsgType.CLOSE is end.type

    run(main())


def test_a_socket_that_does_not_read_is_cut_before_it_fills_the_memory():
    async def main():
        async with a_bench(limits={"ws_backlog_bytes_max": 200_000}) as bench:
            reader, writer = await asyncio.open_connection(
                *bench.server.url.removeprefix("http://").split(":")
            )
            writer.write(
                f"GET /ws/{BOOK} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert b"101" in await reader.readline()  # and reads no further
            for n in range(60_000):
                bench.quote(600_000 + n % 50, 600_060)
                if n % 1_000 == 0:
                    await asyncio.sleep(0)
            status = await bench.control("GET", "/status")
            assert 1 == status["slow_cut"]
            writer.transport.abort()

    run(main())
