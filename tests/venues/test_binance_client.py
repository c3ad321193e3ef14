"""The Binance port: what it loads, what it refuses to start with, and whole lists or none."""

import asyncio
import time

import pytest

from holdfast.ports.venue import VenueUnusable
from holdfast.venues.binance.client import BinanceVenue
from holdfast.vocab.orders import Lane, OrderType
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.reports import Done, NoSuchOrder
from holdfast.vocab.requests import (
    ArmDeadman,
    CancelAll,
    CancelOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    SetLeverage,
)
from tests.venues.fake_binance import LIMITS, SYMBOLS, fake_binance, reply
from tests.venues.house import book, config, loaded, order_id, place, yes

DAY_MS = 86_400_000


def answers(request, *, lane=Lane.READ, **replies):
    """The outcome of one request at a venue that answers these paths so; and the fake."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            for path, body in replies.items():
                fake.answers[path] = body if callable(body) else lambda *_, body=body: reply(body)
            return await venue.call(request, lane, yes), fake

    return asyncio.run(story())


def test_loading_gives_the_configured_instruments_and_the_venues_own_limits():
    async def story():
        async with fake_binance() as fake:
            fake.answers["GET /fapi/v1/exchangeInfo"] = lambda *_: reply(
                {"symbols": SYMBOLS, "rateLimits": [{**LIMITS[0], "limit": 77_000}]}
            )
            async with loaded(fake, instruments=("ETHUSDT",)) as venue:
                assert ["ETHUSDT"] == [one.instrument for one in venue._calls.specs]
                assert 77_000 == venue.budget_used()["weight-1m"][1]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("GET /fapi/v1/time", reply("<html>", status=404), "does not tell the time"),
        ("GET /fapi/v1/exchangeInfo", reply("<html>", status=404), "list of instruments"),
        ("GET /fapi/v1/exchangeInfo", reply({"symbols": "all"}), "cannot be read"),
        ("GET /fapi/v1/exchangeInfo", reply({"symbols": []}), "BTCUSDT is not an instrument"),
        (
            "GET /fapi/v1/exchangeInfo",
            reply({"symbols": [{**SYMBOLS[0], "filters": []}, SYMBOLS[1]]}),
            "BTCUSDT: no filter",
        ),
        ("GET /fapi/v1/positionSide/dual", reply({"dualSidePosition": True}), "hedge mode"),
        (
            "GET /fapi/v1/positionSide/dual",
            reply({"code": -2015, "msg": "Invalid API-key"}, status=401),
            "Invalid API-key",
        ),
    ],
    ids=["no time", "no list", "odd list", "unknown", "no filters", "hedged", "bad key"],
)
def test_a_venue_that_cannot_be_used_is_refused_in_one_line(path, body, words):
    async def story():
        async with fake_binance() as fake:
            fake.answers[path] = lambda *_: body
            venue = BinanceVenue(config(fake.url, fake.ws))
            with pytest.raises(VenueUnusable) as refused:
                await venue.load()
            assert words in str(refused.value)
            assert "\n" not in str(refused.value)
            await venue.close()

    asyncio.run(story())


def test_opening_before_loading_is_refused():
    async def story():
        async with fake_binance() as fake:
            venue = BinanceVenue(config(fake.url, fake.ws))
            with pytest.raises(VenueUnusable):
                await venue.open(lambda event: None)
            await venue.close()

    asyncio.run(story())


def test_the_three_sources_of_positions_are_three_addresses():
    """When one is retired the truth must come from another."""
    row = {"symbol": "BTCUSDT", "positionAmt": "0.010", "markPrice": "60000", "updateTime": 5}
    account = {"assets": [{"asset": "USDT", "walletBalance": "5"}], "positions": [row]}
    for source, path, body in (
        (0, "GET /fapi/v3/positionRisk", [row]),
        (1, "GET /fapi/v3/account", account),
        (2, "GET /fapi/v2/positionRisk", [row]),
    ):
        outcome, fake = answers(QueryPositions(source=source), **{path: body})
        assert ([10], source) == (
            [one.position_lots for one in outcome.value.positions],
            outcome.value.source,
        )
        assert path == " ".join(fake.asked[-1][:2])
    assert isinstance(answers(QueryPositions(source=3))[0], Fatal)


def test_open_orders_are_plain_and_conditional_ones_or_nothing():
    """ "All cancelled" left live stops: they are in another list."""
    plain = {
        "orderId": 7,
        "symbol": "BTCUSDT",
        "status": "NEW",
        "clientOrderId": "x",
        "price": "1",
        "origQty": "1",
    }
    plain |= {"executedQty": "0", "side": "BUY"}
    algo = {
        "algoId": 8,
        "clientAlgoId": "y",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "1",
        "algoStatus": "NEW",
    }
    algo |= {"triggerPrice": "1"}
    lists = {
        "GET /fapi/v1/openOrders": [plain, {**plain, "symbol": "DOGEUSDT"}],
        "GET /fapi/v1/openAlgoOrders": [algo],
    }
    orders = answers(QueryOpenOrders(), **lists)[0].value
    assert [("7", False), ("8", True)] == [(one.venue_order_id, one.conditional) for one in orders.orders]
    assert ("DOGEUSDT",) == orders.unlisted
    broken = {**lists, "GET /fapi/v1/openAlgoOrders": lambda *_: reply("<html>", status=404)}
    assert isinstance(answers(QueryOpenOrders(), **broken)[0], Unknown)
    unreadable = {**lists, "GET /fapi/v1/openOrders": [{**plain, "origQty": "0.0001"}]}
    assert isinstance(answers(QueryOpenOrders(), **unreadable)[0], Unknown)


def trade(number: int, ms: int) -> dict:
    return {
        "id": number, "orderId": 5, "symbol": "BTCUSDT", "side": "BUY", "price": "60000", "qty": "0.001",
        "commission": "0.01", "commissionAsset": "USDT", "maker": False, "time": ms,
    }  # fmt: skip


class TradeList:
    """Serves userTrades as documented: seven days at most between the times, or by id; a thousand a page."""

    def __init__(self, times_ms: list[int]) -> None:
        self.trades = [trade(number, ms) for number, ms in enumerate(times_ms, start=1)]
        self.pages = 0

    def __call__(self, fake, key, params):
        self.pages += 1
        limit = int(params["limit"])
        if "fromId" in params:
            assert not {"startTime", "endTime"} & set(params)
            found = [one for one in self.trades if one["id"] >= int(params["fromId"])]
        else:
            start = int(params["startTime"])
            end = int(params.get("endTime", start + 7 * DAY_MS))
            assert end - start <= 7 * DAY_MS
            found = [one for one in self.trades if start <= one["time"] <= end]
        return reply(found[:limit])


@pytest.mark.parametrize(
    "ages_ms",
    [
        [],
        [DAY_MS],
        [20 * DAY_MS, 19 * DAY_MS, 3 * DAY_MS, 5],
        [30 * DAY_MS] * 1_000,
        [30 * DAY_MS] * 1_500 + [1_000] * 1_200,
        [DAY_MS] * 2_999,
    ],
    ids=["none", "one", "weeks apart", "a full page", "pages and weeks", "three pages"],
)
def test_all_trades_since_a_time_come_whole_and_in_order(ages_ms):
    """A page that is taken for the list is a position that is wrong."""
    now_ms = time.time_ns() // 1_000_000
    served = TradeList(sorted(now_ms - age for age in ages_ms))
    since_ns = (now_ms - 40 * DAY_MS) * 1_000_000
    request = QueryTrades(instrument="BTCUSDT", since_venue_ns=since_ns)
    outcome, _ = answers(request, **{"GET /fapi/v1/userTrades": served})
    got = outcome.value
    assert got.complete
    assert [str(number) for number in range(1, len(ages_ms) + 1)] == [one.trade_id for one in got.trades]


def test_more_trades_than_the_venue_keeps_are_not_called_complete():
    request = QueryTrades(instrument="BTCUSDT", since_venue_ns=0)
    outcome, _ = answers(request, **{"GET /fapi/v1/userTrades": TradeList([])})
    assert not outcome.value.complete


def test_a_page_that_fails_fails_the_list():
    calls = []

    def second_fails(fake, key, params):
        calls.append(params)
        return reply([trade(n, 5) for n in range(1_000)]) if len(calls) == 1 else reply("<html>", status=502)

    request = QueryTrades(instrument="BTCUSDT", since_venue_ns=time.time_ns())
    assert isinstance(answers(request, **{"GET /fapi/v1/userTrades": second_fails})[0], Transient)


def income(number: int, ms: int) -> dict:
    return {
        "symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.5", "asset": "USDT", "info": "",
        "time": ms, "tranId": number, "tradeId": "",
    }  # fmt: skip


def test_the_income_list_is_paged_by_time_and_whole():
    now_ms = time.time_ns() // 1_000_000
    entries = [income(number, now_ms - 10_000 + number) for number in range(2_500)]

    def served(fake, key, params):
        found = [one for one in entries if one["time"] >= int(params["startTime"])]
        return reply(found[: int(params["limit"])])

    request = QueryCash(since_venue_ns=(now_ms - 20_000) * 1_000_000)
    outcome, _ = answers(request, **{"GET /fapi/v1/income": served})
    assert outcome.value.complete
    assert 2_500 == len({entry.cash_id for entry in outcome.value.entries})
    stuck = answers(request, **{"GET /fapi/v1/income": [income(n, now_ms) for n in range(1_000)]})[0].value
    assert (1_000, False) == (len(stuck.entries), stuck.complete)


def test_the_account_tells_its_name_and_whether_the_key_may_withdraw():
    """A key with a withdrawal right, or of another account, must not be armed."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            account = {"assets": [{"asset": "USDT", "walletBalance": "12.5"}], "positions": []}
            fake.answers["GET /fapi/v3/account"] = lambda *_: reply(account)
            outcome = await venue.call(QueryBalances(), Lane.READ, yes)
            assert (None, "") == (outcome.value.can_withdraw, outcome.value.account_uid)
            fake.answers["GET /fapi/v1/accountConfig"] = lambda *_: reply(
                {"canTrade": True, "canWithdraw": True}
            )
            fake.answers["GET /fapi/v3/balance"] = lambda *_: reply([{"accountAlias": "SgsR"}])
            outcome = await venue.call(QueryBalances(), Lane.READ, yes)
            assert (True, "SgsR") == (outcome.value.can_withdraw, outcome.value.account_uid)
            assert 1_250_000_000 == outcome.value.balances[0].wallet_e8
            asked = len(fake.asked)
            await venue.call(QueryBalances(), Lane.READ, yes)
            assert asked + 1 == len(fake.asked)  # who we are does not change by the second

    asyncio.run(story())


def test_settings_are_done_or_not():
    leverage = SetLeverage(instrument="BTCUSDT", leverage=5)
    outcome, fake = answers(leverage, lane=Lane.RISK)
    assert (Ok(value=Done()), "5") == (outcome, fake.asked[-1][2]["leverage"])
    deadman = ArmDeadman(instrument="BTCUSDT", countdown_ms=60_000)
    outcome, fake = answers(deadman, lane=Lane.CANCEL)
    assert (Ok(value=Done()), "60000") == (outcome, fake.asked[-1][2]["countdownTime"])


@pytest.mark.parametrize(
    "body", [{}, {"ok": True}, {"code": 0}, {"leverage": 20, "countdownTime": "5"}], ids=str
)
def test_a_friendly_answer_that_repeats_nothing_is_not_done(body):
    """A dead-man that was never armed is worse than none."""
    for path, request in (
        ("POST /fapi/v1/leverage", SetLeverage(instrument="BTCUSDT", leverage=5)),
        ("POST /fapi/v1/countdownCancelAll", ArmDeadman(instrument="BTCUSDT", countdown_ms=60_000)),
        ("DELETE /fapi/v1/allOpenOrders", CancelAll(instrument="BTCUSDT")),
    ):
        assert isinstance(answers(request, lane=Lane.FLATTEN, **{path: body})[0], Unknown)


def test_a_conditional_order_lives_on_its_own_address():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            row = {
                "algoId": 9, "clientAlgoId": book().client_id(order_id()), "symbol": "BTCUSDT", "side": "BUY",
                "quantity": "0.010", "algoStatus": "NEW", "triggerPrice": "61000",
            }  # fmt: skip
            fake.answers["POST /fapi/v1/algoOrder"] = lambda *_: reply(row)
            stop = place(order_type=OrderType.STOP_MARKET, price_ticks=None, trigger_ticks=610_000)
            placed = await venue.call(stop, Lane.RISK, yes)
            assert (True, "9") == (placed.value.conditional, placed.value.venue_order_id)
            fake.answers["DELETE /fapi/v1/algoOrder"] = lambda *_: reply(
                {"algoId": 9, "code": "200", "msg": "success"}
            )
            fake.answers["GET /fapi/v1/algoOrder"] = lambda *_: reply({**row, "algoStatus": "CANCELED"})
            cancel = CancelOrder(
                order_id=order_id(), venue_order_id="", instrument="BTCUSDT", conditional=True
            )
            cancelled = await venue.call(cancel, Lane.CANCEL, yes)
            assert "CANCELLED" == cancelled.value.status.name
            gone = reply({"code": -2011, "msg": "Unknown order sent."}, status=400)
            fake.answers["DELETE /fapi/v1/algoOrder"] = lambda *_: gone
            assert isinstance((await venue.call(cancel, Lane.CANCEL, yes)).value, NoSuchOrder)

    asyncio.run(story())


def test_the_instruments_are_asked_for_again():
    outcome, _ = answers(QuerySpecs())
    assert [1, 1] == [one.version for one in outcome.value.specs]
    changed = {"symbols": [{**row, "status": "BREAK"} for row in SYMBOLS]}
    outcome, _ = answers(QuerySpecs(), **{"GET /fapi/v1/exchangeInfo": changed})
    assert [2, 2] == [one.version for one in outcome.value.specs]


def test_the_volume_of_a_day_is_told_in_whole_lots_for_each_instrument_asked():
    """A tenth of it is a limit: a part of a lot is cut, and another symbol's is nobody's."""
    path = "GET /fapi/v1/ticker/24hr"
    outcome, fake = answers(
        QueryVolumes(instruments=("BTCUSDT",)), **{path: {"symbol": "BTCUSDT", "volume": "12.3459", "new": 1}}
    )
    assert (("BTCUSDT", 12_345),) == outcome.value.lots
    assert path == " ".join(fake.asked[-1][:2])
    for wrong in (
        {"symbol": "ETHUSDT", "volume": "1"},
        {"symbol": "BTCUSDT"},
        {"symbol": "BTCUSDT", "volume": "nan"},
        {"symbol": "BTCUSDT", "volume": "-1"},
    ):
        outcome, _ = answers(QueryVolumes(instruments=("BTCUSDT",)), **{path: wrong})
        assert not isinstance(outcome, Ok), wrong


def test_the_answer_to_one_order_is_not_taken_for_another():
    other = {
        "orderId": 7, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": book().client_id(order_id(99)),
        "price": "60000", "origQty": "0.010", "executedQty": "0", "side": "BUY",
    }  # fmt: skip
    assert isinstance(answers(place(), lane=Lane.RISK, **{"POST /fapi/v1/order": other})[0], Unknown)


def test_terms_that_cannot_be_written_down_are_refused_without_asking_anybody():
    outcome, fake = answers(place(qty_lots=0), lane=Lane.RISK)
    assert (Fatal, "LOCAL") == (type(outcome), outcome.code)
    assert [] == fake.asked_of("/fapi/v1/order")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.replace("quantity=0.01&", "quantity=0.009&"),
        lambda body: body.replace("&price=60000&", "&"),
        lambda body: body.replace("recvWindow=1000", "recvWindow=60000"),
        lambda body: body + "&reduceOnly=false",
    ],
    ids=["rounded", "left out", "window", "added"],
)
def test_what_the_library_changed_is_not_sent(spoil):
    """ccxt truncates sizes in silence: the text that is signed is checked against what was asked."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            exchange = venue._calls.asker._exchange
            sign = exchange.sign

            def spoiled(*args, **named):
                signed = sign(*args, **named)
                return {**signed, "body": spoil(signed["body"]) if signed["body"] else signed["body"]}

            exchange.sign = spoiled
            outcome = await venue.call(place(), Lane.RISK, yes)
            assert (Fatal, "LOCAL") == (type(outcome), outcome.code)
            assert [] == fake.asked_of("/fapi/v1/order")

    asyncio.run(story())


def test_a_read_can_be_withheld_like_everything_else():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            outcome = await venue.call(QueryPositions(), Lane.READ, lambda: Withheld.LEASE)
            assert Suppressed(by=Withheld.LEASE) == outcome
            assert [] == fake.asked_of("/fapi/v3/positionRisk")

    asyncio.run(story())


def test_what_has_been_done_is_countable():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            fake.answers["GET /fapi/v3/positionRisk"] = lambda *_: reply("<html>", status=410)
            for _ in range(3):
                await venue.call(QueryPositions(), Lane.READ, yes)
            assert 3 == venue.counts["HTTP 410"]

    asyncio.run(story())
