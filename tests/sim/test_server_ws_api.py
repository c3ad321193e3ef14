"""The WebSocket API: the same orders by another door."""

import asyncio
import hashlib
import hmac
import json
import time

import pytest

from tests.sim.server_house import KEY, SECRET, a_bench, run
from tests.sim.server_house import ask_ws as ask
from tests.sim.server_house import signed_ws as signed

pytestmark = pytest.mark.process

B = {"symbol": "BTCUSDT"}
LIMIT = {**B, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "price": "59000"}


def test_an_order_is_placed_changed_asked_after_and_cancelled():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            placed = await ask(socket, "order.place", **LIMIT, newClientOrderId="ws-1")
            assert ({"id", "status", "result", "rateLimits"}, "r1", 200) == (
                set(placed),
                placed["id"],
                placed["status"],
            )
            which = {**B, "orderId": placed["result"]["orderId"]}
            changed = await ask(socket, "order.modify", **which, side="BUY", quantity="0.02", price="58000")
            assert ("0.020", "58000.00") == (changed["result"]["origQty"], changed["result"]["price"])
            asked = await ask(socket, "order.status", **which)
            assert "ws-1" == asked["result"]["clientOrderId"]
            gone = await ask(socket, "order.cancel", **which)
            assert "CANCELED" == gone["result"]["status"]
            truth = await bench.truth()
            assert [("place", "ws"), ("amend", "ws"), ("cancel", "ws")] == [
                (one["kind"], one["via"]) for one in truth["requests"]
            ]

    run(main())


def test_its_answers_carry_the_rate_limits_that_rest_shares():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            await bench.place()
            placed = await ask(socket, "order.place", **LIMIT)
            counts = {(one["rateLimitType"], one["interval"]): one["count"] for one in placed["rateLimits"]}
            assert (2, 2) == (counts["ORDERS", "SECOND"], counts["ORDERS", "MINUTE"])

    run(main())


@pytest.mark.parametrize(
    ("method", "params", "status", "code"),
    [
        ("order.place", signed({**LIMIT, "quantity": "0.001"}), 400, -4164),
        ("order.place", signed(LIMIT, secret="wrong"), 400, -1022),
        ("order.place", signed(LIMIT, key="nobody"), 401, -2015),
        ("order.place", LIMIT, 401, -2014),
        ("order.dance", {}, 400, -1020),
        ("order.status", signed({**B, "orderId": 1}), 400, -2013),
    ],
)
def test_what_is_refused_is_told_with_its_code(method, params, status, code):
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            told = await ask(socket, method, bare=True, request_id=9, **_fresh(params))
            assert (9, status, code) == (told["id"], told["status"], told["error"]["code"])
            assert "result" not in told

    run(main())


def _fresh(params):
    """The same request signed now: the parameters above were made when the tests were collected."""
    if "timestamp" not in params:
        return params
    key = params["apiKey"]
    good = (
        hmac.new(SECRET.encode(), _text(params).encode(), hashlib.sha256).hexdigest() == params["signature"]
    )
    terms = {
        name: value for name, value in params.items() if name not in {"apiKey", "timestamp", "signature"}
    }
    return signed(terms, key=key, secret=SECRET if good else "wrong")


def _text(params):
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


def test_malformed_text_is_answered():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            await socket.send_str("{")
            told = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
            assert (400, None) == (told["status"], told["id"])

    run(main())


def test_the_account_is_read_as_over_rest():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            await bench.market()
            for method, path in (
                ("v2/account.position", "/fapi/v3/positionRisk"),
                ("account.position", "/fapi/v2/positionRisk"),
                ("v2/account.status", "/fapi/v3/account"),
                ("v2/account.balance", "/fapi/v3/balance"),
            ):
                assert await bench.ok("GET", path) == (await ask(socket, method))["result"], method
            book = (await ask(socket, "ticker.book", bare=True, **B))["result"]
            assert ("60000.00", "60000.10") == (book["bidPrice"], book["askPrice"])

    run(main())


def test_a_session_signs_once():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            assert (await ask(socket, "session.status", bare=True))["result"]["apiKey"] is None
            wrong = await ask(socket, "session.logon", bare=True, **signed({}, secret="wrong"))
            assert (400, -1022) == (wrong["status"], wrong["error"]["code"])
            assert KEY == (await ask(socket, "session.logon"))["result"]["apiKey"]
            stamp = int(time.time() * 1000)
            placed = await ask(socket, "order.place", bare=True, **LIMIT, timestamp=stamp)
            assert 200 == placed["status"]
            await ask(socket, "session.logout", bare=True)
            refused = await ask(socket, "order.place", bare=True, **LIMIT, timestamp=stamp)
            assert (401, -2014) == (refused["status"], refused["error"]["code"])
            assert 1 == len((await bench.truth())["open_orders"])

    run(main())


def test_listen_keys_are_had_here_too():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            started = await ask(socket, "userDataStream.start", bare=True, apiKey=KEY)
            assert await bench.listen_key() == started["result"]["listenKey"]
            assert 200 == (await ask(socket, "userDataStream.stop", bare=True, apiKey=KEY))["status"]
            assert -1125 == (await ask(socket, "userDataStream.ping", bare=True, apiKey=KEY))["error"]["code"]

    run(main())
