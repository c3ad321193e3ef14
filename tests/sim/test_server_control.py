"""The control endpoint: ground truth, and the acts of a venue, a person and a clock."""

import asyncio
import json
import time

import pytest

from tests.sim.server_house import SECRET, a_bench, hear, run, silence

pytestmark = pytest.mark.process

B = {"symbol": "BTCUSDT"}


async def refused(bench, method, path, text="", headers=None):
    """(status, answer) of a control request that may be refused."""
    url = bench.server.control_url + path
    async with bench.http.request(method, url, data=text, headers=headers) as reply:
        return reply.status, await reply.json()


def test_the_truth_has_everything_that_books_must_agree_with():
    async def main():
        async with a_bench() as bench:
            await bench.market(quantity="0.100", newClientOrderId="taker-1")
            await bench.place(newClientOrderId="rests-1")
            await bench.ok(
                "POST",
                "/fapi/v1/algoOrder",
                **B,
                algoType="CONDITIONAL",
                side="SELL",
                type="STOP_MARKET",
                quantity="0.01",
                triggerPrice="58000",
                clientAlgoId="stop-1",
            )
            truth = await bench.truth()
            trade = truth["trades"][0]
            assert (
                "taker-1",
                "BUY",
                "0.100",
                "60000.10",
                100,
                600_001,
                "3.00000500",
                300_000_500,
                "USDT",
                False,
            ) == (
                trade["client_id"],
                trade["side"],
                trade["qty"],
                trade["price"],
                trade["qty_lots"],
                trade["price_ticks"],
                trade["fee"],
                trade["fee_e8"],
                trade["fee_asset"],
                trade["maker"],
            )
            assert ["rests-1"] == [one["client_id"] for one in truth["open_orders"]]
            assert ["stop-1"] == [one["client_algo_id"] for one in truth["open_algo_orders"]]
            assert [("BTCUSDT", 100)] == [(one["symbol"], one["position_lots"]) for one in truth["positions"]]
            balance = truth["balances"][0]
            assert ("USDT", 100_000 * 10**8 - 300_000_500) == (balance["asset"], balance["wallet_e8"])
            assert 100_000 * 10**8 == balance["opening_e8"]
            assert [] == (await bench.truth("other"))["trades"]

    run(main())


def test_each_order_request_is_stamped_with_the_clocks_that_others_read():
    """Proves, against another process's stamps, that no order was taken in after a halt."""

    async def main():
        async with a_bench() as bench:
            before = [time.clock_gettime_ns(one) for one in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)]
            await bench.place(newClientOrderId="stamped", reduceOnly="false")
            after = [time.clock_gettime_ns(one) for one in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)]
            entry = (await bench.truth())["requests"][0]
            assert before[0] <= entry["mono_ns"] <= after[0]
            assert before[1] <= entry["boot_ns"] <= after[1]
            assert ("place", "stamped", "0.010", "59000.0", "BUY", True) == tuple(
                entry[name] for name in ("kind", "client_id", "qty", "price", "side", "accepted")
            )

    run(main())


def test_order_requests_can_be_read_from_a_point_on_and_are_bounded():
    async def main():
        async with a_bench(request_log_max=3) as bench:
            for _ in range(5):
                await bench.place()
            truth = await bench.truth()
            assert (5, 2, [3, 4, 5]) == (
                truth["requests_total"],
                truth["requests_dropped"],
                [one["seq"] for one in truth["requests"]],
            )
            later = await bench.control("GET", "/truth?since_seq=4")
            assert [5] == [one["seq"] for one in later["requests"]]
            without = await bench.control("GET", "/truth?requests=0")
            assert ([], 5) == (without["requests"], without["requests_total"])

    run(main())


def test_the_venues_clock_steps_for_everything_that_is_told_and_asked():
    """-1021 after a step is a clock fault, not a bad order; and no trade may fall out of a query by it."""

    async def main():
        async with a_bench() as bench:
            await bench.market()
            now_ms = int(time.time() * 1000)
            assert {"step_ms": 12_000} == await bench.control("POST", "/clock", step_ms=12_000)
            shown_ms = (await bench.public("/fapi/v1/time"))["serverTime"]
            assert 11_000 < shown_ms - now_ms < 13_000
            assert -1021 == await bench.code("GET", "/fapi/v3/account")
            await bench.ok("GET", "/fapi/v3/account", recvWindow=20_000)
            status, body, _ = await bench.signed("GET", "/fapi/v1/userTrades", **B, stamp_ms=shown_ms)
            told_ms = body[0]["time"]
            assert 200 == status
            assert 11_000 < told_ms - now_ms + 1_000 < 14_000
            _, again, _ = await bench.signed(
                "GET", "/fapi/v1/userTrades", **B, startTime=told_ms, endTime=told_ms, stamp_ms=shown_ms
            )
            assert body == again
            await bench.control("POST", "/clock", step_ms=-24_000)
            assert -1021 == await bench.code("GET", "/fapi/v3/account")
            await bench.control("POST", "/clock", step_ms=0, absolute=True)
            await bench.ok("GET", "/fapi/v3/account")

    run(main())


def test_stamps_of_market_frames_step_with_the_clock():
    async def main():
        async with a_bench() as bench, bench.socket("/ws/btcusdt@bookTicker") as socket:
            await bench.control("POST", "/clock", step_ms=60_000)
            bench.quote(600_010, 600_011)
            told = (await hear(socket, "bookTicker"))["bookTicker"]
            assert 59_000 < told["E"] - time.time() * 1000 < 61_000

    run(main())


@pytest.mark.parametrize(
    ("streams", "user_lives", "market_lives"),
    [("all", False, False), ("user", False, True), ("market", True, False), ("btcusdt@trade", True, False)],
)
def test_sockets_are_cut_by_kind(streams, user_lives, market_lives):
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as user, bench.socket("/ws/btcusdt@trade") as market:
                cut = await bench.control("POST", "/disconnect", streams=streams)
                assert (2 - user_lives - market_lives) == cut["disconnected"]
                await asyncio.sleep(0.05)
                for socket, lives in ((user, user_lives), (market, market_lives)):
                    assert lives == (await silence(socket, 0.1))

    run(main())


def test_the_old_urls_fall_silent_under_open_sockets():
    """On the day itself, nobody reconnects: the socket stays up and says nothing any more."""

    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as old, bench.socket(f"/private/ws/{key}") as new:
                await bench.control("POST", "/legacy_ws", mode="mute")
                await bench.place()
                await hear(new, "ORDER_TRADE_UPDATE")
                assert await silence(old)
                await bench.control("POST", "/legacy_ws", mode="live")
                await bench.place()
                await hear(old, "ORDER_TRADE_UPDATE")

    run(main())


def test_a_frozen_user_stream_looks_alive():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with (
                bench.socket(f"/private/ws/{key}") as user,
                bench.socket("/ws/btcusdt@bookTicker") as market,
            ):
                await bench.control("POST", "/freeze", stream="user")
                await bench.place()
                bench.quote(600_010, 600_011)
                await hear(market, "bookTicker")
                assert await silence(user)
                await user.ping()
                await bench.control("DELETE", "/freeze?pattern=user")
                await bench.place()
                await hear(user, "ORDER_TRADE_UPDATE")

    run(main())


def test_websocket_api_sockets_are_cut_too():
    async def main():
        async with a_bench() as bench, bench.socket("/ws-fapi/v1") as socket:
            assert {"disconnected": 1} == await bench.control("POST", "/disconnect", streams="api")
            assert not await silence(socket)

    run(main())


def test_a_person_trades_in_the_app():
    """Orders that are not ours, in our account: what reconcile is for."""

    async def main():
        async with a_bench() as bench:
            told = await bench.control("POST", "/manual_order", symbol="BTCUSDT", side="SELL", quantity="0.5")
            assert told["clientOrderId"].startswith("web_")
            await bench.control(
                "POST", "/manual_order", symbol="ETHUSDT", side="BUY", quantity="1", price="2400"
            )
            truth = await bench.truth()
            assert [("BTCUSDT", -500)] == [
                (one["symbol"], one["position_lots"]) for one in truth["positions"]
            ]
            assert ["ETHUSDT"] == [one["symbol"] for one in truth["open_orders"]]
            assert [] == truth["requests"]  # nobody sent these over the wire

    run(main())


def test_a_halted_symbol_says_so_and_takes_no_order():
    async def main():
        async with a_bench() as bench:
            order = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5"}
            for halted, status in ((True, "halted"), (False, "trading")):
                assert {"status": status} == await bench.control(
                    "POST", "/halt", symbol="BTCUSDT", halted=halted
                )
                async with bench.http.get(bench.server.url + "/fapi/v1/exchangeInfo") as reply:
                    told = {one["symbol"]: one["status"] for one in (await reply.json())["symbols"]}
                assert {"BTCUSDT": "BREAK" if halted else "TRADING", "ETHUSDT": "TRADING"} == told
                code, _ = await refused(bench, "POST", "/manual_order", json.dumps(order))
                assert (code == 200) is not halted

    run(main())


def test_cash_moves_in_and_out_and_funding_is_paid():
    async def main():
        async with a_bench() as bench:
            await bench.control("POST", "/transfer", amount="1000")
            await bench.control("POST", "/transfer", amount="-400.5")
            await bench.market(quantity="0.100")
            assert {"positions": 1} == await bench.control(
                "POST", "/funding", symbol="BTCUSDT", rate_ppb=-500_000
            )
            incomes = await bench.ok("GET", "/fapi/v1/income")
            told = [
                (one["incomeType"], one["income"]) for one in incomes if one["incomeType"] != "COMMISSION"
            ]
            assert [
                ("TRANSFER", "1000.00000000"),
                ("TRANSFER", "-400.50000000"),
                ("FUNDING_FEE", "3.00000000"),
            ] == told
            status, answer = await refused(bench, "POST", "/transfer", '{"amount":"-9000000"}')
            assert (400, -2018) == (status, answer["code"])

    run(main())


@pytest.mark.parametrize(
    ("method", "path", "text", "status", "word"),
    [
        ("GET", "/nothing", "", 404, "unknown"),
        ("POST", "/faults", "{", 400, "truncated"),
        ("POST", "/faults", '{"kind":"earthquake"}', 400, "earthquake"),
        ("POST", "/faults", '{"kind":"ack_reset","typo":1}', 400, "typo"),
        ("POST", "/clock", '{"step_ms":"soon"}', 400, "step_ms"),
        ("GET", "/truth?account=nobody", "", 400, "nobody"),
        ("GET", "/truth?since_seq=x", "", 400, "since_seq"),
        ("POST", "/transfer", '{"amount":"nan"}', 400, "nan"),
        ("POST", "/manual_order", '{"symbol":"BTCUSDT","side":"HOLD","quantity":"1"}', 400, "HOLD"),
        ("DELETE", "/faults?fault_id=x", "", 400, "fault_id"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(method, path, text, status, word):
    async def main():
        async with a_bench() as bench:
            told, answer = await refused(bench, method, path, text)
            assert (status, True) == (told, word in answer["error"])

    run(main())


def test_a_web_page_and_a_foreign_name_are_refused():
    """It has no key: what a browser can be made to send must not reach it."""

    async def main():
        async with a_bench() as bench:
            for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
                status, _ = await refused(bench, "GET", "/truth", headers=headers)
                assert 403 == status

    run(main())


def test_no_secret_is_in_the_truth():
    async def main():
        async with a_bench() as bench:
            await bench.place()
            async with bench.http.get(bench.server.control_url + "/truth") as reply:
                text = await reply.text()
            assert SECRET not in text
            assert "sim-key" not in text

    run(main())


def test_a_banned_address_gets_a_418_until_its_time_is_over():
    async def main():
        async with a_bench() as bench:
            await bench.control("POST", "/ban", seconds=30)
            status, body, headers = await bench.ask("GET", "/fapi/v1/time")
            assert (418, -1003, True) == (status, body["code"], 0 < int(headers["Retry-After"]) <= 30)

    run(main())
