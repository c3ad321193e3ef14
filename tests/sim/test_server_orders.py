"""Orders over REST: what is read from a request, what is refused, batches and conditional orders."""

import asyncio
import json

import pytest

from tests.sim.server_house import a_bench, run

pytestmark = pytest.mark.process

ORDER = "/fapi/v1/order"
ALGO = "/fapi/v1/algoOrder"
B = {"symbol": "BTCUSDT"}
LIMIT = {**B, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "price": "59000"}
MARKET = {**B, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
STOP = {
    **B,
    "algoType": "CONDITIONAL",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "58000",
}


def without(terms, *names):
    return {name: value for name, value in terms.items() if name not in names}


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (without(LIMIT, "symbol"), -1102),
        (without(LIMIT, "side"), -1102),
        (without(LIMIT, "type"), -1102),
        (without(LIMIT, "quantity"), -1102),
        (without(LIMIT, "price"), -1102),
        (without(LIMIT, "timeInForce"), -1102),
        ({**LIMIT, "symbol": "NOPE"}, -1121),
        ({**LIMIT, "side": "HOLD"}, -1117),
        ({**LIMIT, "type": "ICEBERG"}, -1116),
        ({**LIMIT, "timeInForce": "DAY"}, -1115),
        ({**LIMIT, "quantity": "0.0101"}, -1111),
        ({**LIMIT, "quantity": "-1"}, -1100),
        ({**LIMIT, "quantity": "nan"}, -1100),
        ({**LIMIT, "quantity": "1e-2"}, -1100),
        ({**LIMIT, "quantity": "0"}, -4003),
        ({**LIMIT, "quantity": "0.001"}, -4164),
        ({**LIMIT, "quantity": "2000"}, -4005),
        ({**LIMIT, "price": "59000.05"}, -4014),
        ({**LIMIT, "price": "59000.123"}, -1111),
        ({**LIMIT, "newClientOrderId": "no spaces"}, -4015),
        ({**LIMIT, "newClientOrderId": "x" * 37}, -4015),
        ({**LIMIT, "priceMatch": "QUEUE"}, -1130),
        ({**LIMIT, "reduceOnly": "maybe"}, -1130),
        ({**LIMIT, "positionSide": "LONG"}, -4061),
        ({**MARKET, "price": "59000"}, -1106),
        ({**MARKET, "timeInForce": "GTC"}, -1106),
        ({**LIMIT, "timeInForce": "GTX", "price": "60100"}, -5022),
        ({**LIMIT, "timeInForce": "GTD"}, -1102),
        ({**MARKET, "reduceOnly": "true"}, -2022),
        ({**LIMIT, "price": "59000", "quantity": "900"}, -2019),
        ({**LIMIT, "type": "STOP_MARKET", "stopPrice": "58000"}, -4120),
        ({**LIMIT, "type": "TRAILING_STOP_MARKET"}, -4120),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_the_venues_words(terms, code):
    async def main():
        async with a_bench() as bench:
            assert code == await bench.code("POST", ORDER, **terms)
            truth = await bench.truth()
            assert ([], [False]) == (truth["open_orders"], [one["accepted"] for one in truth["requests"]])

    run(main())


def test_a_client_id_is_used_once():
    """On a retry, this refusal means that the first one arrived."""

    async def main():
        async with a_bench() as bench:
            await bench.place(newClientOrderId="mine-1")
            assert -4116 == await bench.code("POST", ORDER, **LIMIT, newClientOrderId="mine-1")
            found = await bench.ok("GET", ORDER, **B, origClientOrderId="mine-1")
            assert ("mine-1", "NEW") == (found["clientOrderId"], found["status"])

    run(main())


def test_an_order_that_is_not_there():
    async def main():
        async with a_bench() as bench:
            assert -2013 == await bench.code("GET", ORDER, **B, orderId=1)
            assert -2011 == await bench.code("DELETE", ORDER, **B, orderId=1)
            assert -2013 == await bench.code(
                "PUT", ORDER, **B, orderId=1, side="BUY", quantity="0.01", price="1"
            )
            assert -1102 == await bench.code("GET", ORDER, **B)

    run(main())


def test_ack_shows_the_order_as_accepted_and_result_what_became_of_it():
    async def main():
        async with a_bench() as bench:
            ack = await bench.ok("POST", ORDER, **MARKET)
            result = await bench.ok("POST", ORDER, **MARKET, newOrderRespType="RESULT")
            assert ("NEW", "0.000") == (ack["status"], ack["executedQty"])
            assert ("FILLED", "0.010", "60000.10000") == (
                result["status"],
                result["executedQty"],
                result["avgPrice"],
            )
            assert "FILLED" == (await bench.ok("GET", ORDER, **B, orderId=ack["orderId"]))["status"]

    run(main())


def test_an_order_rests_is_amended_filled_in_part_and_cancelled():
    async def main():
        async with a_bench() as bench:
            order = await bench.place(price="59999.0", quantity="0.020")
            which = {**B, "orderId": order["orderId"]}
            changed = await bench.ok("PUT", ORDER, **which, side="BUY", quantity="0.030", price="60000")
            assert ("60000.00", "0.030", "NEW") == (changed["price"], changed["origQty"], changed["status"])
            bench.trade(600_000, 5_010, -1)  # 5,000 were ahead of it
            part = await bench.ok("GET", ORDER, **which)
            assert ("PARTIALLY_FILLED", "0.010") == (part["status"], part["executedQty"])
            gone = await bench.ok("DELETE", ORDER, **which)
            assert ("CANCELED", "0.010") == (gone["status"], gone["executedQty"])
            history = await bench.ok("GET", "/fapi/v1/orderAmendment", **which)
            amendment = history[0]["amendment"]
            assert {"before": "59999.00", "after": "60000.00"} == amendment["price"]
            assert {"before": "0.020", "after": "0.030"} == amendment["origQty"]

    run(main())


def test_a_batch_succeeds_and_fails_one_by_one_inside_one_200():
    async def main():
        async with a_bench() as bench:
            orders = [
                {**LIMIT, "newClientOrderId": "one", "quantity": 0.01},
                {**LIMIT, "quantity": "0.001"},
                {**LIMIT, "newClientOrderId": "two", "price": 58000},
            ]
            told = await bench.ok("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(orders))
            assert ["one", -4164, "two"] == [one.get("code") or one["clientOrderId"] for one in told]
            gone = await bench.ok(
                "DELETE", "/fapi/v1/batchOrders", **B, origClientOrderIdList='["one","nobody","two"]'
            )
            assert ["CANCELED", -2011, "CANCELED"] == [one.get("code") or one["status"] for one in gone]
            truth = await bench.truth()
            asked = [(one["kind"], one["accepted"]) for one in truth["requests"]]
            expected = [("place", True), ("place", False), ("place", True)]
            assert [*expected, ("cancel", True), ("cancel", False), ("cancel", True)] == asked

    run(main())


@pytest.mark.parametrize(
    ("text", "code"), [("[]", -4082), ("{}", -1130), ("nonsense", -1130), (json.dumps([LIMIT] * 6), -4082)]
)
def test_a_batch_that_is_none_is_refused_whole(text, code):
    async def main():
        async with a_bench() as bench:
            assert code == await bench.code("POST", "/fapi/v1/batchOrders", batchOrders=text)

    run(main())


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (without(STOP, "algoType"), -1102),
        ({**STOP, "algoType": "VP"}, -1130),
        (without(STOP, "triggerPrice"), -1102),
        ({**STOP, "triggerPrice": "61000"}, -2021),
        ({**STOP, "type": "LIMIT"}, -1116),
        ({**STOP, "type": "STOP"}, -1102),
        ({**STOP, "closePosition": "true"}, -4137),
        ({**STOP, "workingType": "INDEX"}, -4031),
        ({**STOP, "type": "TRAILING_STOP_MARKET"}, -1102),
        ({**STOP, "type": "TRAILING_STOP_MARKET", "callbackRate": "11"}, -2007),
        ({**STOP, "type": "TRAILING_STOP_MARKET", "callbackRate": "0.15"}, -2007),
    ],
)
def test_a_conditional_order_that_makes_no_sense_is_refused(terms, code):
    async def main():
        async with a_bench() as bench:
            assert code == await bench.code("POST", ALGO, **terms)

    run(main())


def test_a_stop_waits_triggers_and_becomes_an_order_of_its_own():
    async def main():
        async with a_bench() as bench:
            await bench.market()
            stop = await bench.ok("POST", ALGO, **STOP, clientAlgoId="stop-1", reduceOnly="true")
            assert ("NEW", "stop-1") == (stop["algoStatus"], stop["clientAlgoId"])
            assert [] == await bench.ok("GET", "/fapi/v1/openOrders")
            bench.quote(579_990, 579_991)
            bench.trade(579_990, 1, -1)
            assert [] == await bench.ok("GET", "/fapi/v1/openAlgoOrders")
            done = await bench.ok("GET", ALGO, clientAlgoId="stop-1")
            assert ("FINISHED", "57999.00000", "0.010") == (
                done["algoStatus"],
                done["actualPrice"],
                done["actualQty"],
            )
            order = await bench.ok("GET", ORDER, **B, orderId=done["actualOrderId"])
            assert ("FILLED", "MARKET", "STOP_MARKET") == (order["status"], order["type"], order["origType"])

    run(main())


def test_cancelling_all_orders_leaves_conditional_ones():
    """The migration of 2025: "all cancelled" can leave live stops."""

    async def main():
        async with a_bench() as bench:
            await bench.place()
            await bench.ok("POST", ALGO, **STOP)
            told = await bench.ok("DELETE", "/fapi/v1/allOpenOrders", **B)
            assert 200 == told["code"]
            assert 0 == len(await bench.ok("GET", "/fapi/v1/openOrders"))
            assert 1 == len(await bench.ok("GET", "/fapi/v1/openAlgoOrders"))
            await bench.ok("DELETE", "/fapi/v1/algoOpenOrders", **B)
            assert 0 == len(await bench.ok("GET", "/fapi/v1/openAlgoOrders"))

    run(main())


def test_the_countdown_cancels_by_itself():
    """What is left when the bot dies must go away without it."""

    async def main():
        async with a_bench() as bench:
            await bench.place()
            await bench.ok("POST", "/fapi/v1/countdownCancelAll", **B, countdownTime=400)
            assert 1 == len(await bench.ok("GET", "/fapi/v1/openOrders"))
            await asyncio.sleep(0.7)
            assert 0 == len(await bench.ok("GET", "/fapi/v1/openOrders"))

    run(main())


def test_history_is_paged_by_time_and_id():
    async def main():
        async with a_bench() as bench:
            for _ in range(3):
                await bench.market()
            trades = await bench.ok("GET", "/fapi/v1/userTrades", **B)
            assert 3 == len(trades)
            rest = await bench.ok("GET", "/fapi/v1/userTrades", **B, fromId=trades[1]["id"])
            assert [one["id"] for one in trades[1:]] == [one["id"] for one in rest]
            since = await bench.ok("GET", "/fapi/v1/userTrades", **B, startTime=trades[0]["time"], limit=2)
            assert [one["id"] for one in trades[:2]] == [one["id"] for one in since]
            assert -1130 == await bench.code("GET", "/fapi/v1/userTrades", **B, limit=1001)
            orders = await bench.ok("GET", "/fapi/v1/allOrders", **B, orderId=trades[2]["orderId"])
            assert [trades[2]["orderId"]] == [one["orderId"] for one in orders]
            incomes = await bench.ok("GET", "/fapi/v1/income", incomeType="COMMISSION", limit=2)
            assert [str(one["id"]) for one in trades[1:]] == [one["tradeId"] for one in incomes]

    run(main())


def test_settings_are_told_back_and_refused_when_nothing_changes():
    async def main():
        async with a_bench() as bench:
            told = await bench.ok("POST", "/fapi/v1/leverage", **B, leverage=50)
            assert (50, "BTCUSDT") == (told["leverage"], told["symbol"])
            assert 50 == (await bench.ok("GET", "/fapi/v1/symbolConfig", **B))[0]["leverage"]
            assert -4028 == await bench.code("POST", "/fapi/v1/leverage", **B, leverage=500)
            assert -4046 == await bench.code("POST", "/fapi/v1/marginType", **B, marginType="CROSSED")
            assert -4059 == await bench.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
            assert (
                200 == (await bench.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true"))["code"]
            )
            assert {"dualSidePosition": True} == await bench.ok("GET", "/fapi/v1/positionSide/dual")

    run(main())
