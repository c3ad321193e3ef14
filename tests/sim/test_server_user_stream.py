"""The user stream: listen keys and what their holders hear, wherever they listen."""

import asyncio
import json

import pytest

from holdfast.sim.server.listen_keys import ListenKeys
from tests.sim.server_house import KEY, a_bench, hear, run, silence

pytestmark = pytest.mark.process

H = 3600 * 10**9
LISTEN_KEY = "/fapi/v1/listenKey"
B = {"symbol": "BTCUSDT"}


def test_a_key_is_one_per_account_and_lives_an_hour_from_its_last_extension():
    keys = ListenKeys(H)
    first = keys.start("a", 0).key
    assert first == keys.start("a", H // 2).key
    keys.extend("a", H)
    assert first == keys.valid("a", 2 * H - 1)
    assert keys.valid("a", 2 * H) is None
    assert [first] == [one.key for one in keys.expired(2 * H)]
    assert [] == keys.expired(2 * H)
    assert first != keys.start("a", 2 * H).key
    assert first != keys.start("b", 0).key


async def key_of(bench, method):
    return await bench.ask(method, LISTEN_KEY, headers={"X-MBX-APIKEY": KEY})


def test_a_key_needs_no_signature_but_a_known_sender():
    async def main():
        async with a_bench() as bench:
            status, body, _ = await key_of(bench, "POST")
            assert (200, 64) == (status, len(body["listenKey"]))
            _, again, _ = await key_of(bench, "PUT")
            assert body == again
            status, refusal, _ = await bench.ask("POST", LISTEN_KEY)
            assert (401, -2014) == (status, refusal["code"])

    run(main())


def test_a_key_that_is_not_there_cannot_be_extended():
    async def main():
        async with a_bench() as bench:
            status, body, _ = await key_of(bench, "PUT")
            assert (400, -1125, "This listenKey does not exist.") == (status, body["code"], body["msg"])
            await key_of(bench, "POST")
            assert (200, {}) == (await key_of(bench, "DELETE"))[:2]
            assert -1125 == (await key_of(bench, "PUT"))[1]["code"]

    run(main())


@pytest.mark.parametrize(
    "path",
    [
        "/ws/{key}",
        "/ws?listenKey={key}",
        "/stream?streams={key}",
        "/stream?listenKey={key}",
        "/private/ws/{key}",
        "/private/ws?listenKey={key}",
        "/private/stream?streams={key}",
        "/private/stream?listenKey={key}",
    ],
)
def test_an_account_is_heard_by_every_url_that_clients_use(path):
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(path.format(key=key)) as socket:
                await bench.place(newClientOrderId="mine")
                told = (await hear(socket, "ORDER_TRADE_UPDATE"))["ORDER_TRADE_UPDATE"]
                if "/stream" in path:
                    assert key == told["stream"]
                    told = told["data"]
                assert ("mine", "NEW", "NEW") == tuple(told["o"][name] for name in "cxX")

    run(main())


def test_a_key_can_be_subscribed_on_an_open_socket():
    async def main():
        async with a_bench() as bench, bench.socket("/private/stream") as socket:
            key = await bench.listen_key()
            await socket.send_json({"method": "SUBSCRIBE", "params": [key], "id": "a"})
            assert {"result": None, "id": "a"} == await asyncio.wait_for(socket.receive_json(), 5)
            await bench.place()
            assert key == (await hear(socket, "ORDER_TRADE_UPDATE"))["ORDER_TRADE_UPDATE"]["stream"]

    run(main())


def test_only_the_events_asked_for_are_sent():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/private/ws?listenKey={key}&events=ACCOUNT_UPDATE") as socket:
                await bench.market()
                told = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
                assert "ACCOUNT_UPDATE" == told["e"]
                assert await silence(socket)

    run(main())


def test_one_account_does_not_hear_another():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                terms = {**B, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
                await bench.ok("POST", "/fapi/v1/order", key="key-2", secret="s2", **terms)
                assert await silence(socket)

    run(main())


def test_the_life_of_an_order_is_told_step_by_step():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/private/ws/{key}") as socket:
                order = await bench.place(price="60000", quantity="0.020")
                bench.trade(600_000, 5_005, -1)
                bench.trade(600_000, 15, -1)
                told: list[dict] = []
                while not told or told[-1]["X"] != "FILLED":
                    message = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
                    if message["e"] == "ORDER_TRADE_UPDATE":
                        told.append(message["o"])
                assert [("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("TRADE", "FILLED")] == [
                    (one["x"], one["X"]) for one in told
                ]
                assert {order["orderId"]} == {one["i"] for one in told}
                assert [("0", "0"), ("0.005", "0.005"), ("0.015", "0.02")] == [
                    (one["l"], one["z"]) for one in told
                ]
                assert ("60000.00", "60000", True, "USDT") == tuple(
                    told[-1][name] for name in ("L", "ap", "m", "N")
                )
                assert f"{60_000 * 0.015 * 0.0002:.8f}" == told[-1]["n"]
                trades = await bench.ok("GET", "/fapi/v1/userTrades", **B)
                assert [one["t"] for one in told[1:]] == [one["id"] for one in trades]

    run(main())


def test_money_that_moves_otherwise_is_told_with_its_reason():
    async def main():
        async with a_bench() as bench:
            await bench.market(quantity="0.100")
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                await bench.control("POST", "/transfer", amount="250.5")
                deposit = (await hear(socket, "ACCOUNT_UPDATE"))["ACCOUNT_UPDATE"]["a"]
                assert ("DEPOSIT", "250.50000000") == (deposit["m"], deposit["B"][0]["bc"])
                await bench.control("POST", "/funding", symbol="BTCUSDT", rate_ppb=1_000_000)
                funding = (await hear(socket, "ACCOUNT_UPDATE"))["ACCOUNT_UPDATE"]["a"]
                assert ("FUNDING_FEE", "-6.00000000") == (funding["m"], funding["B"][0]["bc"])

    run(main())


def test_a_liquidation_is_told_to_the_account_and_to_the_public():
    async def main():
        async with a_bench() as bench:
            await bench.ok("POST", "/fapi/v1/leverage", **B, leverage=50)
            bench.quote(600_000, 600_001, lots=200_000)
            await bench.market(quantity="60")
            key = await bench.listen_key()
            async with (
                bench.socket(f"/ws/{key}") as socket,
                bench.socket("/market/ws/!forceOrder@arr") as public,
            ):
                bench.mark(588_500)
                call = (await hear(socket, "MARGIN_CALL"))["MARGIN_CALL"]
                assert {"s", "ps", "pa", "mt", "iw", "mp", "up", "mm"} == set(call["p"][0])
                bench.quote(585_000, 585_001, lots=200_000)
                bench.mark(585_000)
                told = await _fill(socket)
                assert told["c"].startswith("autoclose")
                assert "CALCULATED" == told["x"]
                force = (await hear(public, "forceOrder"))["forceOrder"]["o"]
                assert ("BTCUSDT", "SELL") == (force["s"], force["S"])

    run(main())


async def _fill(socket):
    while True:
        message = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
        if message["e"] == "ORDER_TRADE_UPDATE" and message["o"]["x"] == "CALCULATED" and message["o"]["t"]:
            return message["o"]


def test_an_expired_key_is_told_once_and_then_there_is_silence():
    """Deaf without an error: the client must notice the word, or its own clock."""

    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/private/ws?listenKey={key}") as socket:
                await bench.control("POST", "/expire_listen_key")
                told = (await hear(socket, "listenKeyExpired"))["listenKeyExpired"]
                assert {"e", "E", "listenKey"} == set(told)
                assert key == told["listenKey"]
                await bench.place()
                assert await silence(socket)
                assert key != await bench.listen_key()
                assert 1 <= (await bench.control("GET", "/status"))["user_unheard"]

    run(main())


def test_user_events_can_be_late_and_stay_in_order():
    async def main():
        async with a_bench(user_latency_ms=80) as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                begun = asyncio.get_running_loop().time()
                for n in range(5):
                    await bench.place(newClientOrderId=f"c{n}")
                told = [
                    json.loads((await asyncio.wait_for(socket.receive(), 5)).data)["o"]["c"] for _ in range(5)
                ]
                assert [f"c{n}" for n in range(5)] == told
                assert 0.08 <= asyncio.get_running_loop().time() - begun

    run(main())
