"""Replies look like Binance's: names, types and formats, against our own list and against recorded examples."""

import json
import re

import pytest

from tests.sim import shapes_house as shapes
from tests.sim.server_house import a_bench, hear, run

pytestmark = pytest.mark.process

S = {"symbol": "BTCUSDT"}
PADDED_PRICE = re.compile(r"\d+\.\d{2}")
PADDED_QTY = re.compile(r"-?\d+\.\d{3}")
MONEY = re.compile(r"-?\d+\.\d{8}")


async def every_reply(bench):
    """One reply of each kind, by method and path."""
    order = await bench.place()
    told = {("POST", "/fapi/v1/order"): order}
    which = {**S, "orderId": order["orderId"]}

    async def ask(method, path, **params):
        told[method, path] = await bench.ok(method, path, **params)

    await ask("GET", "/fapi/v1/order", **which)
    await ask("GET", "/fapi/v1/openOrder", **which)
    await ask("GET", "/fapi/v1/openOrders")
    await ask("PUT", "/fapi/v1/order", **which, side="BUY", quantity="0.02", price="58000")
    await ask("GET", "/fapi/v1/orderAmendment", **which)
    await ask("DELETE", "/fapi/v1/order", **which)
    await bench.market()
    await ask("GET", "/fapi/v1/allOrders", **S)
    good = '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.01","price":"59000"}'
    bad = '{"symbol":"BTCUSDT","side":"SELL","type":"MARKET","quantity":"9","reduceOnly":"true","positionSide":"LONG"}'
    await ask("POST", "/fapi/v1/batchOrders", batchOrders=f"[{good},{bad}]")
    live = told["POST", "/fapi/v1/batchOrders"][0]["orderId"]
    change = f'{{"orderId":{live},"symbol":"BTCUSDT","side":"BUY","quantity":"0.02","price":"59000"}}'
    await ask("PUT", "/fapi/v1/batchOrders", batchOrders=f"[{change}]")
    await ask("DELETE", "/fapi/v1/batchOrders", **S, orderIdList=f"[{live},77]")
    algo = {**S, "algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}
    await ask("POST", "/fapi/v1/algoOrder", **algo, triggerPrice="58000")
    algo_id = told["POST", "/fapi/v1/algoOrder"]["algoId"]
    await ask("GET", "/fapi/v1/algoOrder", algoId=algo_id)
    await ask("GET", "/fapi/v1/openAlgoOrders")
    await ask("GET", "/fapi/v1/allAlgoOrders", **S)
    await ask("DELETE", "/fapi/v1/algoOrder", algoId=algo_id)
    for method, path, params in (
        ("DELETE", "/fapi/v1/algoOpenOrders", S),
        ("DELETE", "/fapi/v1/allOpenOrders", S),
        ("POST", "/fapi/v1/countdownCancelAll", {**S, "countdownTime": 100_000}),
        ("GET", "/fapi/v1/userTrades", S),
        ("GET", "/fapi/v2/positionRisk", S),
        ("GET", "/fapi/v3/positionRisk", S),
        ("GET", "/fapi/v2/account", {}),
        ("GET", "/fapi/v3/account", {}),
        ("GET", "/fapi/v3/balance", {}),
        ("GET", "/fapi/v1/income", {}),
        ("GET", "/fapi/v1/accountConfig", {}),
        ("GET", "/fapi/v1/symbolConfig", S),
        ("GET", "/fapi/v1/commissionRate", S),
        ("GET", "/fapi/v1/leverageBracket", {}),
        ("GET", "/fapi/v1/rateLimit/order", {}),
        ("GET", "/fapi/v1/positionSide/dual", {}),
        ("GET", "/fapi/v1/multiAssetsMargin", {}),
        ("GET", "/fapi/v1/feeBurn", {}),
        ("POST", "/fapi/v1/leverage", {**S, "leverage": 10}),
    ):
        await ask(method, path, **params)
    bench.trade(600_001, 10, 1)
    for path, params in (
        ("/fapi/v1/exchangeInfo", {}),
        ("/fapi/v1/time", {}),
        ("/fapi/v1/depth", S),
        ("/fapi/v1/trades", S),
        ("/fapi/v1/aggTrades", S),
        ("/fapi/v1/klines", {**S, "interval": "1m"}),
        ("/fapi/v1/continuousKlines", {"pair": "BTCUSDT", "contractType": "PERPETUAL", "interval": "1m"}),
        ("/fapi/v1/markPriceKlines", {**S, "interval": "1m"}),
        ("/fapi/v1/premiumIndex", S),
        ("/fapi/v1/fundingInfo", {}),
        ("/fapi/v1/ticker/24hr", S),
        ("/fapi/v2/ticker/price", S),
        ("/fapi/v1/ticker/bookTicker", S),
        ("/fapi/v1/openInterest", S),
    ):
        told["GET", path] = await bench.public(path, **params)
    await ask("GET", "/fapi/v1/adlQuantile")
    return told


@pytest.fixture(scope="module")
def replies():
    async def main():
        async with a_bench() as bench:
            return await every_reply(bench)

    return run(main())


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("POST", "/fapi/v1/order", shapes.ORDER | {"cumQty"}),
        ("GET", "/fapi/v1/order", shapes.ORDER | {"time"}),
        ("GET", "/fapi/v1/openOrders", shapes.ORDER | {"time"}),
        ("GET", "/fapi/v1/allOrders", shapes.ORDER | {"time"}),
        ("DELETE", "/fapi/v1/order", shapes.ORDER | {"cumQty"}),
        ("PUT", "/fapi/v1/order", shapes.ORDER | {"cumQty", "pair", "cumBase"}),
        ("POST", "/fapi/v1/algoOrder", shapes.ALGO | {"activatePrice", "callbackRate"}),
        ("GET", "/fapi/v1/algoOrder", shapes.ALGO_QUERIED),
        ("GET", "/fapi/v1/openAlgoOrders", shapes.ALGO_QUERIED),
        ("GET", "/fapi/v1/userTrades", shapes.TRADE | {"marginAsset"}),
        ("GET", "/fapi/v2/positionRisk", shapes.POSITION_V2 | {"isolated", "adlQuantile"}),
        ("GET", "/fapi/v3/positionRisk", shapes.POSITION_V3),
        ("GET", "/fapi/v2/account", shapes.ACCOUNT_V2 | {"feeBurn"}),
        ("GET", "/fapi/v3/account", shapes.TOTALS),
        ("GET", "/fapi/v1/ticker/24hr", shapes.TICKER),
        ("GET", "/fapi/v1/premiumIndex", shapes.PREMIUM),
    ],
)
def test_a_reply_has_exactly_the_names_that_the_venue_gives(replies, method, path, names):
    """Strict decoders refuse a missing name, and some an extra one: both are somebody's outage."""
    assert names == set(shapes.first(replies[method, path]))


def test_a_symbol_in_exchange_info_has_what_clients_read(replies):
    symbol = replies["GET", "/fapi/v1/exchangeInfo"]["symbols"][0]
    assert shapes.SYMBOL <= set(symbol)
    filters = {one["filterType"]: one for one in symbol["filters"]}
    assert ("0.10", "0.001", "100") == (
        filters["PRICE_FILTER"]["tickSize"],
        filters["LOT_SIZE"]["stepSize"],
        filters["MIN_NOTIONAL"]["notional"],
    )
    assert {"MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "PERCENT_PRICE"} <= set(filters)


def test_numbers_are_written_with_the_venues_digits(replies):
    order = replies["GET", "/fapi/v1/order"]
    assert ("59000.00", "0.010", "0.000", "0.00") == tuple(
        order[name] for name in ("price", "origQty", "executedQty", "avgPrice")
    )
    trade = replies["GET", "/fapi/v1/userTrades"][0]
    assert PADDED_PRICE.fullmatch(trade["price"])
    assert PADDED_QTY.fullmatch(trade["qty"])
    assert MONEY.fullmatch(trade["commission"])
    position = replies["GET", "/fapi/v3/positionRisk"][0]
    assert ("0.010", "60000.1") == (position["positionAmt"], position["entryPrice"])
    assert MONEY.fullmatch(position["unRealizedProfit"])
    assert MONEY.fullmatch(replies["GET", "/fapi/v3/account"]["totalWalletBalance"])
    assert '"100000"' == f'"{replies["POST", "/fapi/v1/countdownCancelAll"]["countdownTime"]}"'


def test_the_average_price_of_a_fill_is_exact_to_the_digit():
    async def main():
        async with a_bench() as bench:
            bench.depth(asks=[(600_001, 4), (600_004, 8)])
            bench.quote(600_000, 600_001, lots=4)
            order = await bench.market(quantity="0.012")
            # 4 at 60000.1 and 8 at 60000.2 or beyond: what it cost over what it bought
            trades = await bench.ok("GET", "/fapi/v1/userTrades", **S)
            cost = sum(round(float(one["price"]) * 10) * round(float(one["qty"]) * 1000) for one in trades)
            assert f"{round(cost / 12 * 10_000) / 100_000:.5f}" == order["avgPrice"]

    run(main())


def test_a_user_event_has_exactly_the_names_that_the_venue_gives():
    async def main():
        async with a_bench() as bench:
            key = await bench.listen_key()
            async with bench.socket(f"/private/ws?listenKey={key}") as socket:
                await bench.market()
                await bench.ok("POST", "/fapi/v1/leverage", **S, leverage=9)
                await bench.ok(
                    "POST",
                    "/fapi/v1/algoOrder",
                    **S,
                    algoType="CONDITIONAL",
                    side="SELL",
                    type="STOP_MARKET",
                    quantity="0.01",
                    triggerPrice="59000",
                )
                wanted = [
                    "ORDER_TRADE_UPDATE",
                    "ACCOUNT_UPDATE",
                    "TRADE_LITE",
                    "ACCOUNT_CONFIG_UPDATE",
                    "ALGO_UPDATE",
                ]
                told = await hear(socket, *wanted)
                assert shapes.ORDER_UPDATE | {"er"} == set(told["ORDER_TRADE_UPDATE"]["o"])
                assert shapes.TRADE_LITE == set(told["TRADE_LITE"])
                account = told["ACCOUNT_UPDATE"]["a"]
                assert ({"m", "B", "P"}, shapes.ACCOUNT_BALANCE) == (set(account), set(account["B"][0]))
                assert shapes.ACCOUNT_POSITION | {"ma"} == set(account["P"][0])
                assert {"s": "BTCUSDT", "l": 9} == told["ACCOUNT_CONFIG_UPDATE"]["ac"]
                assert shapes.ALGO_UPDATE == set(told["ALGO_UPDATE"]["o"])

    run(main())


# --- against recorded examples --------------------------------------------------------------------------------

# What an example shows of another product or of the past, with the reason why we do not.
NOT_OURS = {
    ("GET", "/fapi/v3/positionRisk"): {
        "leverage",
        "maxNotionalValue",
        "marginType",
        "isAutoAddMargin",
    },  # version 2's
    ("GET", "/fapi/v1/symbolConfig"): {
        "isAutoAddMargin"
    },  # a text in one example, true or false in the others
    ("GET", "/fapi/v1/income"): {"tranId", "tradeId"},  # a number and a text, swapped in one example
    ("GET", "/fapi/v1/adlQuantile"): {"HEDGE"},  # only of a hedged account
    ("GET", "/fapi/v1/exchangeInfo"): {
        "autoAssetExchange"
    },  # a number in the example, a text in every capture
}


def test_replies_have_what_recorded_examples_have(replies, data_dir):
    folder = data_dir / "binance_json" / "binance_net" / "Endpoints" / "UsdFutures"
    compared, lacks = 0, []
    for path in sorted(folder.rglob("*.txt")):
        method, name, example = shapes.reply_of(path)
        told = replies.get((method, name))
        if told is None:
            continue
        compared += 1
        ignore = shapes.TRAILING_ONLY | NOT_OURS.get((method, name), set())
        found = shapes.missing(shapes.kinds(shapes.first(example)), shapes.first(told), ignore=ignore)
        lacks += [f"{method} {name}{one}" for one in found]
    assert [] == lacks
    assert 40 < compared


def test_replies_have_what_captured_replies_have(replies, data_dir):
    """Captured from the venue by another project, and decoded strictly there."""
    folder = data_dir / "binance_json" / "nautilus_py" / "http_responses"
    pairs = {
        "account_orders": ("GET", "/fapi/v1/allOrders"),
        "account_positions_one_way": ("GET", "/fapi/v2/positionRisk"),
        "account_trades": ("GET", "/fapi/v1/userTrades"),
        "account_position_side_dual": ("GET", "/fapi/v1/positionSide/dual"),
        "account_symbol_config": ("GET", "/fapi/v1/symbolConfig"),
        "market_agg_trades": ("GET", "/fapi/v1/aggTrades"),
        "market_book_ticker": ("GET", "/fapi/v1/ticker/bookTicker"),
        "market_depth": ("GET", "/fapi/v1/depth"),
        "market_exchange_info": ("GET", "/fapi/v1/exchangeInfo"),
        "market_klines": ("GET", "/fapi/v1/klines"),
        "market_open_interest": ("GET", "/fapi/v1/openInterest"),
        "market_premium_index": ("GET", "/fapi/v1/premiumIndex"),
        "market_ticker_24hr": ("GET", "/fapi/v1/ticker/24hr"),
        "market_trades": ("GET", "/fapi/v1/trades"),
        "wallet_commission_rate_btcusdt": ("GET", "/fapi/v1/commissionRate"),
    }
    lacks = []
    for name, key in pairs.items():
        example = json.loads((folder / f"http_futures_{name}.json").read_text(encoding="utf-8"))
        found = shapes.missing(
            shapes.kinds(shapes.first(example)), shapes.first(replies[key]), ignore=shapes.TRAILING_ONLY
        )
        lacks += [f"{name}{one}" for one in found]
    assert [] == lacks


def test_user_events_have_what_recorded_events_have(data_dir):
    folder = data_dir / "binance_json" / "binance_net" / "Subscriptions" / "UsdFutures"
    ours = {
        "OrderUpdate": shapes.ORDER_UPDATE,
        "AlgoOrderUpdate": shapes.ALGO_UPDATE,
        "TradeUpdate": shapes.TRADE_LITE,
    }
    for name, names in ours.items():
        example = shapes.message_of(folder / f"{name}.txt")
        assert set(example.get("o", example)) - shapes.TRAILING_ONLY <= names, name
    account = shapes.message_of(folder / "AccountUpdate.txt")["a"]
    assert (shapes.ACCOUNT_BALANCE, shapes.ACCOUNT_POSITION) == (set(account["B"][0]), set(account["P"][0]))
