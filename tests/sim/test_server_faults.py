"""Planned failures: each does what it says, only where it was aimed, and is counted."""

import asyncio
import json
import time
from urllib.parse import urlencode

import aiohttp
import pytest

from holdfast.sim.server.faults import AFTER_KINDS, BadFault, FaultPlan, FaultSpec
from tests.sim.server_house import KEY, a_bench, ask_ws, hear, run, sign, silence

S = 10**9
ORDER = "/fapi/v1/order"
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "59000",
}


# --- the plan ----------------------------------------------------------------------------------------------------


def struck(plan, *, now_ns=0, **request):
    asked = {"method": "POST", "path": ORDER, "account": "a", "symbol": "BTCUSDT", **request}
    return plan.request(AFTER_KINDS, **asked, now_ns=now_ns) is not None


def test_a_fault_strikes_as_often_as_it_was_told():
    plan = FaultPlan(1)
    fault = plan.add(FaultSpec(kind="ack_reset", count=2), 0)
    assert [True, True, False] == [struck(plan) for _ in range(3)]
    assert (2, 2, True) == (fault.seen, fault.struck, fault.over(0))


def test_a_fault_ends_with_its_time():
    plan = FaultPlan(1)
    plan.add(FaultSpec(kind="ack_reset", for_s=1.5), 10 * S)
    assert [True, False] == [struck(plan, now_ns=at) for at in (11 * S, 12 * S)]


def test_a_fault_strikes_at_its_rate_and_the_same_in_each_run():
    def strikes():
        plan = FaultPlan(7)
        fault = plan.add(FaultSpec(kind="ack_reset", rate=0.25), 0)
        return [struck(plan) for _ in range(1_000)], fault.struck

    told, count = strikes()
    assert 200 < count < 300
    assert (told, count) == strikes()


@pytest.mark.parametrize(
    "aim", [{"method": "GET"}, {"path": "/fapi/*/account"}, {"account": "b"}, {"symbol": "ETH*"}]
)
def test_a_fault_strikes_only_what_it_was_aimed_at(aim):
    plan = FaultPlan(1)
    fault = plan.add(FaultSpec(kind="ack_reset", **aim), 0)
    assert not struck(plan)
    assert 0 == fault.seen


@pytest.mark.parametrize("spec", [{"kind": "earthquake"}, {"kind": "ack_reset", "rate": 1.5}])
def test_a_fault_that_makes_no_sense_is_refused(spec):
    with pytest.raises(BadFault):
        FaultPlan(1).add(FaultSpec(**spec), 0)


# --- lost answers -----------------------------------------------------------------------------------------------

pytestmark = pytest.mark.process


async def attempt(bench, **terms):
    """What the sender of an order gets to know: (status, text) or the name of the error."""
    try:
        status, body, _ = await bench.signed("POST", ORDER, **{**LIMIT, **terms})
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        return type(error).__name__
    return status, body


@pytest.mark.parametrize(
    ("kind", "extra", "sees"),
    [
        ("ack_reset", {}, {"ClientOSError", "ServerDisconnectedError"}),
        ("ack_hang", {"delay_ms": 50}, {"ClientOSError", "ServerDisconnectedError"}),
        ("ack_truncated", {}, {"ClientPayloadError"}),
    ],
)
def test_an_order_lives_though_its_acknowledgement_was_lost_on_the_way(kind, extra, sees):
    """The sender must not send it again: it is there."""

    async def main():
        async with a_bench() as bench:
            fault_id = await bench.fault(kind, path=ORDER, method="POST", count=1, **extra)
            assert await attempt(bench, newClientOrderId="lost") in sees
            truth = await bench.truth()
            assert ["lost"] == [one["client_id"] for one in truth["open_orders"]]
            assert [(True, kind)] == [(one["accepted"], one["fault"]) for one in truth["requests"]]
            faults = await bench.control("GET", "/faults")
            assert [(fault_id, 1, 1, True)] == [
                (f["fault_id"], f["seen"], f["struck"], f["over"]) for f in faults
            ]
            assert 200 == (await attempt(bench))[0]

    run(main())


@pytest.mark.parametrize(
    ("kind", "extra", "status", "body"),
    [
        ("ack_empty", {}, 200, ""),
        ("ack_error", {}, 503, -1007),
        ("ack_error", {"http": 408, "code": -1007}, 408, -1007),
        ("ack_error", {"code": -1006, "msg": "Execution status unknown."}, 503, -1006),
    ],
)
def test_an_order_lives_though_the_answer_says_nothing_or_something_else(kind, extra, status, body):
    async def main():
        async with a_bench() as bench:
            await bench.fault(kind, path=ORDER, method="POST", **extra)
            told, text = await attempt(bench)
            assert status == told
            assert body == (text["code"] if isinstance(text, dict) else text)
            assert 1 == len((await bench.truth())["open_orders"])

    run(main())


def test_garbage_instead_of_an_acknowledgement_is_a_200_that_nobody_can_read():
    async def main():
        async with a_bench() as bench:
            await bench.fault("ack_garbage", path=ORDER, method="POST")
            url = f"{bench.server.url}{ORDER}"
            stamp, signed = await _signed_query()
            async with bench.http.post(f"{url}?{signed}", headers={"X-MBX-APIKEY": KEY}) as reply:
                raw = await reply.read()
                assert (200, False) == (reply.status, _readable(raw))
            assert 1 == len((await bench.truth())["open_orders"]), stamp

    run(main())


async def _signed_query():
    stamp = int(time.time() * 1000)
    query = urlencode({**LIMIT, "timestamp": stamp})
    return stamp, f"{query}&signature={sign(query)}"


def _readable(raw):
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True


def test_a_refused_request_is_not_hidden_by_a_lost_acknowledgement():
    async def main():
        async with a_bench() as bench:
            await bench.fault("ack_reset", path=ORDER)
            status, body = await attempt(bench, quantity="0.001")
            assert (400, -4164) == (status, body["code"])

    run(main())


# --- failures before anything happened ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({"kind": "retire"}, 404, "404 Not Found"),
        ({"kind": "retire", "http": 410}, 410, "410 Gone"),
        ({"kind": "retire", "body": "json"}, 404, '"code":-5000'),
        ({"kind": "retire", "body": "empty"}, 404, ""),
        ({"kind": "refuse"}, 503, '"code":-1008'),
        (
            {"kind": "refuse", "http": 400, "code": -1000, "msg": "An unknown error occurred."},
            400,
            "unknown error",
        ),
        ({"kind": "refuse", "http": 502}, 502, "<html>"),
        ({"kind": "rate_limit", "retry_after_s": 7}, 429, '"code":-1003'),
        ({"kind": "rate_limit", "http": 418}, 418, "banned"),
    ],
)
def test_an_endpoint_fails_before_it_does_anything(spec, status, expected):
    async def main():
        async with a_bench() as bench:
            await bench.control("POST", "/faults", path="/fapi/v*/order", **spec)
            async with bench.http.post(
                f"{bench.server.url}{ORDER}?{(await _signed_query())[1]}", headers={"X-MBX-APIKEY": KEY}
            ) as reply:
                assert (status, True) == (reply.status, expected in await reply.text())
                if spec["kind"] == "rate_limit":
                    assert str(spec.get("retry_after_s", 60)) == reply.headers["Retry-After"]
            assert [] == (await bench.truth())["open_orders"]
            assert 200 == (await bench.ask("GET", "/fapi/v1/time"))[0]

    run(main())


def test_a_retired_endpoint_leaves_the_others_alone_and_comes_back():
    """Seed 000: the account endpoint is gone while other sources of the position still answer."""

    async def main():
        async with a_bench() as bench:
            fault_id = await bench.fault("retire", path="/fapi/v3/account")
            status, _, _ = await bench.signed("GET", "/fapi/v3/account")
            assert 404 == status
            assert [] == await bench.ok("GET", "/fapi/v3/positionRisk")
            assert {"removed": 1} == await bench.control("DELETE", f"/faults?fault_id={fault_id}")
            await bench.ok("GET", "/fapi/v3/account")

    run(main())


@pytest.mark.parametrize("kind", ["reset", "hang"])
def test_a_request_that_never_arrives_has_no_effect(kind):
    async def main():
        async with a_bench() as bench:
            await bench.fault(kind, path=ORDER, delay_ms=30, count=1)
            assert isinstance(await attempt(bench), str)
            truth = await bench.truth()
            assert ([], []) == (truth["open_orders"], truth["requests"])

    run(main())


def test_an_order_that_is_held_up_for_longer_than_its_window_is_refused():
    """The window is counted from the signature to the venue's hands, not to its door."""

    async def main():
        async with a_bench() as bench:
            await bench.fault("slow", path=ORDER, delay_ms=800, count=1)
            status, body = await attempt(bench, recvWindow=600)
            assert (400, -1021) == (status, body["code"])
            assert 200 == (await attempt(bench, recvWindow=600))[0]

    run(main())


def test_a_slow_answer_is_late_and_whole():
    async def main():
        async with a_bench() as bench:
            await bench.fault("ack_slow", path=ORDER, delay_ms=120, count=1)
            begun = asyncio.get_running_loop().time()
            status, _ = await attempt(bench)
            assert (200, True) == (status, asyncio.get_running_loop().time() - begun >= 0.12)

    run(main())


# --- user events --------------------------------------------------------------------------------------------------


async def heard(socket, count, seconds=1.0):
    """The client ids of so many order updates, in the order heard."""
    told: list[str] = []
    while len(told) < count:
        message = json.loads((await asyncio.wait_for(socket.receive(), seconds)).data)
        if message["e"] == "ORDER_TRADE_UPDATE":
            told.append(message["o"]["c"])
    return told


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("user_drop", ["b", "c"]),
        ("user_duplicate", ["a", "a", "b", "c"]),
        ("user_reorder", ["b", "a", "c"]),
        ("user_delay", ["b", "c", "a"]),
    ],
)
def test_user_events_are_lost_repeated_overtaken_and_late(kind, expected):
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                await bench.fault(kind, event="ORDER_TRADE_UPDATE", count=1, delay_ms=600)
                for name in "abc":
                    await bench.place(newClientOrderId=name)
                assert expected == await heard(socket, len(expected))
                assert await silence(socket)
                assert 3 == len((await bench.truth())["open_orders"])

    run(main())


def test_an_event_held_back_is_not_lost_when_the_next_one_is_held_back_too():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                await bench.fault("user_reorder", count=2, delay_ms=500)
                for name in "abc":
                    await bench.place(newClientOrderId=name)
                assert ["a", "c", "b"] == await heard(socket, 3)

    run(main())


def test_an_event_held_back_to_be_overtaken_comes_at_last_though_nothing_follows():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                await bench.fault("user_reorder", count=1, delay_ms=100)
                await bench.place(newClientOrderId="alone")
                assert ["alone"] == await heard(socket, 1)

    run(main())


def test_the_websocket_api_loses_its_answers_too():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            await bench.fault("ack_garbage", path="/ws-fapi/v1/order.place", count=1)
            with pytest.raises(ValueError):
                await ask_ws(socket, "order.place", **LIMIT)
            await bench.fault("ack_reset", path="/ws-fapi/v1/order.place", count=1)
            with pytest.raises(TypeError):
                await ask_ws(socket, "order.place", **LIMIT)
            assert 2 == len((await bench.truth())["open_orders"])

    run(main())


def test_a_frozen_stream_is_silent_while_its_socket_lives():
    async def main():
        async with a_bench() as bench, bench.socket("/ws/btcusdt@bookTicker/ethusdt@bookTicker") as socket:
            await bench.control("POST", "/freeze", symbol="BTCUSDT", stream="bookTicker")
            bench.quote(600_010, 600_011)
            bench.quote(250_010, 250_011, symbol="ETHUSDT")
            assert "ETHUSDT" == (await hear(socket, "bookTicker"))["bookTicker"]["s"]
            assert await silence(socket)
            assert 1 == (await bench.control("GET", "/status"))["frozen_count"]
            await bench.control("DELETE", "/freeze")
            bench.quote(600_020, 600_021)
            await hear(socket, "bookTicker")

    run(main())
