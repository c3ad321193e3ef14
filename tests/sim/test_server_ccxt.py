"""Real ccxt, unchanged, against the server: everything that a bot asks of it."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.sim.server_house import KEY, SECRET, a_bench, run

ccxt = pytest.importorskip("ccxt.pro", reason="ccxt is an extra")

pytestmark = pytest.mark.process

S = "BTC/USDT:USDT"


def an_exchange(url):
    """Every address points at the server: none of a signed request may leave for a real host."""
    exchange = ccxt.binanceusdm(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False, "fetchMargins": False},
        }
    )
    addresses = exchange.urls["api"]
    for name, address in addresses.items():
        if isinstance(address, str):
            _, _, path = address.partition("://")[2].partition("/")
            addresses[name] = f"{url}/{path}"
    socket = url.replace("http", "ws")
    addresses["ws"] = {"linear": f"{socket}/ws", "ws-api": {"linear": f"{socket}/ws-fapi/v1"}}
    return exchange


@asynccontextmanager
async def a_client(**changes):
    """A venue and a ccxt that has loaded its markets."""
    async with a_bench(**changes) as bench:
        exchange = an_exchange(bench.server.url)
        try:
            await exchange.load_markets()
            yield bench, exchange
        finally:
            await exchange.close()


async def soon(waiting, act):
    """What a watch hears of an act that is repeated until it is heard."""
    task = asyncio.ensure_future(waiting)
    for n in range(50):
        await asyncio.sleep(0.1)
        if task.done():
            break
        result = act(n)
        if asyncio.iscoroutine(result):
            await result
    return await asyncio.wait_for(task, 5)


def test_the_markets_are_what_the_venue_says():
    async def main():
        async with a_client() as (_, exchange):
            market = exchange.market(S)
            assert (0.1, 0.001, 100.0, 1000.0) == (
                market["precision"]["price"],
                market["precision"]["amount"],
                market["limits"]["cost"]["min"],
                market["limits"]["amount"]["max"],
            )
            assert market["linear"]
            assert await exchange.fetch_time() > 1_600_000_000_000

    run(main())


@pytest.mark.parametrize(
    ("type_", "side", "price", "params", "status"),
    [
        ("limit", "buy", 59_000, {}, "open"),
        ("limit", "buy", 59_000, {"postOnly": True}, "open"),
        ("limit", "buy", 60_001, {"timeInForce": "IOC"}, "closed"),
        ("limit", "buy", 60_001, {"timeInForce": "FOK"}, "closed"),
        ("market", "buy", None, {}, "closed"),
    ],
)
def test_an_order_of_each_plain_type(type_, side, price, params, status):
    async def main():
        async with a_client() as (bench, exchange):
            order = await exchange.create_order(S, type_, side, 0.01, price, params)
            found = await exchange.fetch_order(order["id"], S)
            by_client = await exchange.fetch_order(None, S, {"clientOrderId": order["clientOrderId"]})
            assert (status, 0.01, order["id"]) == (found["status"], found["amount"], by_client["id"])
            truth = await bench.truth()
            assert (status == "open") == bool(truth["open_orders"])

    run(main())


def test_an_order_is_edited_listed_and_cancelled():
    async def main():
        async with a_client() as (_, exchange):
            order = await exchange.create_order(S, "limit", "buy", 0.01, 59_000)
            edited = await exchange.edit_order(order["id"], S, "limit", "buy", 0.02, 58_000)
            assert (58_000, 0.02, order["id"]) == (edited["price"], edited["amount"], edited["id"])
            assert [order["id"]] == [one["id"] for one in await exchange.fetch_open_orders(S)]
            assert "canceled" == (await exchange.cancel_order(order["id"], S))["status"]
            assert [] == await exchange.fetch_open_orders(S)
            assert ["canceled"] == [one["status"] for one in await exchange.fetch_orders(S)]
            with pytest.raises(ccxt.OrderNotFound):
                await exchange.cancel_order(order["id"], S)

    run(main())


def test_orders_in_a_batch():
    async def main():
        async with a_client() as (_, exchange):
            wanted = {"symbol": S, "type": "limit", "side": "buy", "amount": 0.01}
            made = await exchange.create_orders([{**wanted, "price": 59_000 - n} for n in range(3)])
            assert [59_000, 58_999, 58_998] == [one["price"] for one in made]
            gone = await exchange.cancel_orders([one["id"] for one in made[:2]], S)
            assert ["canceled", "canceled"] == [one["status"] for one in gone]
            await exchange.cancel_all_orders(S)
            assert [] == await exchange.fetch_open_orders(S)

    run(main())


@pytest.mark.parametrize(
    ("type_", "price", "params", "kind"),
    [
        ("market", None, {"stopLossPrice": 58_000}, "STOP_MARKET"),
        ("market", None, {"takeProfitPrice": 62_000}, "TAKE_PROFIT_MARKET"),
        ("limit", 57_900, {"triggerPrice": 58_000}, "STOP"),
        ("market", None, {"trailingPercent": 1.5}, "TRAILING_STOP_MARKET"),
        ("market", None, {"stopLossPrice": 58_000, "closePosition": True}, "STOP_MARKET"),
    ],
)
def test_a_conditional_order_of_each_type(type_, price, params, kind):
    async def main():
        async with a_client() as (_, exchange):
            await exchange.create_order(S, "market", "buy", 0.01)
            amount = None if params.get("closePosition") else 0.01
            order = await exchange.create_order(S, type_, "sell", amount, price, params)
            waiting = await exchange.fetch_open_orders(S, params={"trigger": True})
            assert [(order["id"], kind)] == [(one["id"], one["info"]["orderType"]) for one in waiting]
            found = await exchange.fetch_order(order["id"], S, {"trigger": True})
            assert order["clientOrderId"] == found["clientOrderId"]
            await exchange.cancel_order(order["id"], S, {"trigger": True})
            await exchange.cancel_all_orders(S, {"trigger": True})
            assert [] == await exchange.fetch_open_orders(S, params={"trigger": True})

    run(main())


def test_position_balance_and_history():
    async def main():
        async with a_client() as (bench, exchange):
            await exchange.create_order(S, "market", "buy", 0.05)
            for params in ({}, {"useV2": True}, {"method": "account"}):
                position = (await exchange.fetch_positions([S], params))[0]
                assert (0.05, "long") == (position["contracts"], position["side"]), params
            assert 60_000.1 == (await exchange.fetch_positions([S]))[0]["entryPrice"]
            trades = await exchange.fetch_my_trades(S)
            truth = await bench.truth()
            assert [str(one["trade_id"]) for one in truth["trades"]] == [one["id"] for one in trades]
            assert [float(one["fee"]) for one in truth["trades"]] == [one["fee"]["cost"] for one in trades]
            balance = await exchange.fetch_balance()
            assert float(truth["balances"][0]["wallet"]) == float(balance["info"]["totalWalletBalance"])
            ledger = await exchange.fetch_ledger()
            assert truth["incomes"][0]["tran_id"] == int(ledger[0]["id"])

    run(main())


def test_a_fresh_account_shows_its_balance():
    """ccxt leaves out assets whose update time is 0: its users would see an empty account."""

    async def main():
        async with a_client() as (_, exchange):
            assert 100_000 == (await exchange.fetch_balance())["USDT"]["total"]

    run(main())


def test_settings():
    async def main():
        async with a_client() as (_, exchange):
            await exchange.set_leverage(10, S)
            leverages = await exchange.fetch_leverages([S])
            assert 10 == leverages[S]["longLeverage"]
            assert not (await exchange.fetch_position_mode(S))["hedged"]
            with pytest.raises(ccxt.MarginModeAlreadySet):
                await exchange.set_margin_mode("cross", S)
            told = await exchange.fapiPrivatePostCountdownCancelAll(
                {"symbol": "BTCUSDT", "countdownTime": 5_000}
            )
            assert "5000" == told["countdownTime"]
            assert 0.0002 == (await exchange.fetch_trading_fee(S))["maker"]
            tiers = await exchange.fetch_leverage_tiers([S])
            assert 125 == tiers[S][0]["maxLeverage"]

    run(main())


def test_the_market_as_ccxt_reads_it():
    async def main():
        async with a_client() as (bench, exchange):
            bench.trade(600_001, 10, 1)
            assert 60_000.1 == (await exchange.fetch_ticker(S))["last"]
            book = await exchange.fetch_order_book(S, 5)
            assert ([60_000.0, 5.0], [60_000.1, 5.0]) == (book["bids"][0], book["asks"][0])
            assert 60_000.0 == (await exchange.fetch_bids_asks([S]))[S]["bid"]
            assert 60_000.0 == (await exchange.fetch_mark_price(S))["markPrice"]
            assert 0.0001 == (await exchange.fetch_funding_rate(S))["fundingRate"]
            assert 0.01 == (await exchange.fetch_ohlcv(S))[0][5]
            assert 0.01 == (await exchange.fetch_trades(S))[0]["amount"]

    run(main())


def test_streams_as_ccxt_watches_them():
    async def main():
        async with a_client() as (bench, exchange):
            quote = await soon(exchange.watch_bids_asks([S]), lambda n: bench.quote(600_000 + n, 600_010 + n))
            assert 60_000 <= quote[S]["bid"] < 60_010
            trades = await soon(exchange.watch_trades(S), lambda n: bench.trade(600_001 + n, 10, 1))
            assert 0.01 == trades[0]["amount"]
            mark = await soon(exchange.watch_mark_price(S), lambda n: bench.mark(600_100 + n))
            assert 60_010 <= mark["markPrice"] < 60_020
            ticker = await soon(exchange.watch_ticker(S), lambda n: bench.trade(600_001, 10, 1))
            assert ticker["last"] >= 60_000
            candles = await soon(exchange.watch_ohlcv(S), lambda n: bench.trade(600_001, 10, 1))
            assert candles[-1][5] > 0
            book = await soon(exchange.watch_order_book(S), lambda n: bench.depth(bids=[(599_000 - n, 77)]))
            for _ in range(20):
                if any(size == 0.077 for _, size in book["bids"]):
                    break
                book = await soon(
                    exchange.watch_order_book(S), lambda n: bench.depth(bids=[(598_000 - n, 77)])
                )
            assert any(size == 0.077 for _, size in book["bids"])

    run(main())


def test_the_account_as_ccxt_watches_it():
    async def main():
        async with a_client() as (_, exchange):

            async def buy(n):
                if n % 5 == 0:
                    await exchange.create_order(S, "market", "buy", 0.01)

            orders = await soon(exchange.watch_orders(S), buy)
            assert S == orders[0]["symbol"]
            trades = await soon(exchange.watch_my_trades(S), buy)
            assert 0.01 == trades[0]["amount"]
            positions = await soon(exchange.watch_positions([S]), buy)
            assert positions[-1]["contracts"] >= 0.01
            balance = await soon(exchange.watch_balance(), buy)
            assert balance["USDT"]["total"] < 100_000

    run(main())


def test_orders_over_the_websocket_api():
    async def main():
        async with a_client() as (_, exchange):
            order = await exchange.create_order_ws(S, "limit", "buy", 0.01, 59_000)
            await exchange.edit_order_ws(order["id"], S, "limit", "buy", 0.02, 59_100)
            found = await exchange.fetch_order_ws(order["id"], S)
            assert (59_100, 0.02) == (found["price"], found["amount"])
            assert "canceled" == (await exchange.cancel_order_ws(order["id"], S))["status"]
            assert 100_000 == float((await exchange.fetch_balance_ws())["info"]["totalWalletBalance"])

    run(main())


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("ack_reset", "ExchangeNotAvailable"),
        ("ack_truncated", "ExchangeError"),
        ("ack_error", "NetworkError"),
    ],
)
def test_the_measured_ways_in_which_bare_ccxt_misjudges_an_order(kind, error):
    """The order is there each time: why the venue edge does not take ccxt's word for it."""

    async def main():
        async with a_client() as (bench, exchange):
            await bench.fault(kind, path="/fapi/v1/order", method="POST", count=1)
            with pytest.raises(ccxt.BaseError) as caught:
                await exchange.create_order(S, "limit", "buy", 0.01, 59_000)
            names = [one.__name__ for one in type(caught.value).__mro__]
            assert error in names or "OperationFailed" in names, names
            assert 1 == len((await bench.truth())["open_orders"])

    run(main())


@pytest.mark.parametrize("kind", ["ack_empty", "ack_garbage"])
def test_an_unreadable_200_is_no_error_to_bare_ccxt(kind):
    async def main():
        async with a_client() as (bench, exchange):
            await bench.fault(kind, path="/fapi/v1/order", method="POST", count=1)
            order = await exchange.create_order(S, "limit", "buy", 0.01, 59_000)
            assert (None, None) == (order["id"], order["status"])
            assert 1 == len((await bench.truth())["open_orders"])

    run(main())
