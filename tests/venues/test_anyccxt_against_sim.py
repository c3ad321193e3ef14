"""The generic ccxt client and feed against the simulated venue: the one exchange that we have a server for."""

import asyncio
from decimal import Decimal

import pytest
from msgspec.structs import replace

from holdfast.sim.config import SimConfig
from holdfast.sim.server import SimServer
from holdfast.sim.server.faults import FaultSpec
from holdfast.venues.anyccxt.client import AnyCcxtConfig, AnyCcxtVenue
from holdfast.venues.anyccxt.feed import CcxtFeed, CcxtFeedConfig
from holdfast.venues.transport.hardened import Endpoints
from holdfast.vocab.events import OrderReported, StreamChanged, TradeReported
from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.orders import Lane, OrderType, Side
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Unknown, Withheld
from holdfast.vocab.reports import NoSuchOrder, VenueStatus
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelOrder,
    QueryBalances,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTrades,
)
from tests.sim.server_house import KEY, Bench, StillSource
from tests.venues.fake_binance import eventually
from tests.venues.house import order_id, place, yes
from tests.venues.test_binance_against_sim import CREDENTIALS, ROOMY

pytestmark = pytest.mark.process
SYMBOL = "BTC/USDT:USDT"


class Desk:
    """A running venue, the generic client and feed on it, and everything that they said."""

    def __init__(self, server, venue, feed):
        self.server, self.venue, self.feed = server, venue, feed
        self.market = Bench(server, None)
        self.events: list = []
        self.ticks: list = []

    async def ok(self, request, lane=Lane.FLATTEN):
        outcome = await self.venue.call(request, lane, yes)
        assert isinstance(outcome, Ok), outcome
        return outcome.value

    def said(self, kind) -> list:
        return [event for event in self.events if isinstance(event, kind)]


def story(told):
    async def run():
        server = SimServer(SimConfig(limits=ROOMY), source=StillSource())
        await server.start()
        endpoints = Endpoints(http=server.url, ws=server.url.replace("http", "ws", 1))
        venue = AnyCcxtVenue(
            AnyCcxtConfig(
                exchange_id="binanceusdm",
                symbols=(SYMBOL,),
                account_tag=7,
                credentials=CREDENTIALS,
                order_window_ms=1_000,
                order_timeout_ms=400,
                endpoints=endpoints,
            )
        )
        await venue.load()
        feed_config = CcxtFeedConfig(exchange_id="binanceusdm", endpoints=endpoints)
        feed = CcxtFeed(feed_config, markets=venue.exchange.markets, grids=venue.grids)
        desk = Desk(server, venue, feed)
        try:
            await venue.open(desk.events.append)
            await eventually(lambda: desk.said(StreamChanged))
            await told(desk)
        finally:
            await feed.close()
            await venue.close()
            await server.stop()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_an_orders_whole_life():
    async def told(desk):
        ok = desk.ok
        placed = await ok(place(1, instrument=SYMBOL, qty_lots=20, price_ticks=599_900), Lane.RISK)
        assert (order_id(1), VenueStatus.NEW) == (placed.order_id, placed.status)
        duplicate = await desk.venue.call(place(1, instrument=SYMBOL, price_ticks=599_900), Lane.RISK, yes)
        assert isinstance(duplicate, Unknown)
        amend = AmendOrder(
            order_id=order_id(1),
            venue_order_id="",
            instrument=SYMBOL,
            side=Side.BUY,
            qty_lots=15,
            price_ticks=599_901,
        )
        assert 15 == (await ok(amend)).qty_lots
        asked = await ok(QueryOrder(order_id=order_id(1), instrument=SYMBOL), Lane.READ)
        assert (15, 599_901) == (asked.qty_lots, asked.price_ticks)
        cancel = CancelOrder(order_id=order_id(1), venue_order_id="", instrument=SYMBOL)
        assert VenueStatus.CANCELLED is (await ok(cancel, Lane.CANCEL)).status
        assert isinstance(await ok(cancel, Lane.CANCEL), NoSuchOrder)
        unknown = QueryOrder(order_id=order_id(99), instrument=SYMBOL)
        assert isinstance(await ok(unknown, Lane.READ), NoSuchOrder)

        def statuses() -> list:
            return [event.report.status for event in desk.said(OrderReported)]

        await eventually(lambda: VenueStatus.CANCELLED in statuses())
        assert {order_id(1)} == {event.report.order_id for event in desk.said(OrderReported)}

    story(told)


def test_lists_and_stream_agree_with_the_venue():
    async def told(desk):
        ok = desk.ok
        await ok(place(1, instrument=SYMBOL, price_ticks=599_900), Lane.RISK)
        await ok(
            place(2, instrument=SYMBOL, order_type=OrderType.MARKET, price_ticks=None, qty_lots=5), Lane.RISK
        )
        stop = place(
            3,
            instrument=SYMBOL,
            order_type=OrderType.STOP_MARKET,
            side=Side.SELL,
            price_ticks=None,
            trigger_ticks=590_000,
        )
        assert (await ok(stop, Lane.RISK)).conditional
        orders = (await ok(QueryOpenOrders(), Lane.READ)).orders
        assert {(order_id(1), False), (order_id(3), True)} == {
            (one.order_id, one.conditional) for one in orders
        }
        assert [5] == [one.position_lots for one in (await ok(QueryPositions(), Lane.READ)).positions]
        await eventually(lambda: desk.said(TradeReported))
        streamed = desk.said(TradeReported)[0].trade
        listed = (await ok(QueryTrades(instrument=SYMBOL, since_venue_ns=0), Lane.READ)).trades[0]
        assert (streamed.trade_id, streamed.fee_e8, streamed.qty_lots) == (listed.trade_id, listed.fee_e8, 5)
        truth = desk.server.exchange.account_by_key(KEY).fills[-1]
        assert (str(truth.trade_id), truth.fee_e8) == (streamed.trade_id, streamed.fee_e8)
        assert ["USDT"] == [one.asset for one in (await ok(QueryBalances(), Lane.READ)).balances]
        deadman = await desk.venue.call(ArmDeadman(instrument=SYMBOL, countdown_ms=5), Lane.FLATTEN, yes)
        assert isinstance(deadman, Fatal)

    story(told)


@pytest.mark.parametrize(
    "kind", ["ack_reset", "ack_hang", "ack_truncated", "ack_empty", "ack_garbage", "ack_error"]
)
def test_an_acknowledgement_that_is_lost_leaves_the_order_unknown_and_findable(kind):
    async def told(desk):
        fault = FaultSpec(kind=kind, count=1, path="/fapi/v1/order", method="POST")
        desk.server.venue.faults.add(fault, desk.server.venue.now_ns())
        lost = await desk.venue.call(place(1, instrument=SYMBOL, price_ticks=599_000), Lane.RISK, yes)
        assert isinstance(lost, Unknown)
        found = await desk.ok(QueryOrder(order_id=order_id(1), instrument=SYMBOL), Lane.READ)
        assert order_id(1) == found.order_id

    story(told)


def test_a_size_that_ccxt_would_round_is_not_sent():
    """0.0109 went out as 0.010: the market's precision changed under us, and ccxt truncates in silence."""

    async def told(desk):
        desk.venue.exchange.markets[SYMBOL]["precision"]["amount"] = 0.01
        outcome = await desk.venue.call(place(1, instrument=SYMBOL, qty_lots=19), Lane.RISK, yes)
        assert (Fatal, "LOCAL") == (type(outcome), outcome.code)
        assert not desk.server.exchange.account_by_key(KEY).orders

    story(told)


def test_the_last_hop_is_the_same_one():
    async def told(desk):
        outcome = await desk.venue.call(place(1, instrument=SYMBOL), Lane.RISK, lambda: Withheld.LATCH)
        assert Suppressed(by=Withheld.LATCH) == outcome
        assert not desk.server.exchange.account_by_key(KEY).orders
        await desk.ok(place(2, instrument=SYMBOL, price_ticks=599_000), Lane.RISK)
        assert [order_id(2)] == [stamp.order_id for stamp in desk.venue.writes]

    story(told)


def test_a_backup_loads_its_markets_by_itself_and_speaks_of_our_instruments():
    """It may not hold up a start: its venue is asked in the background, again and again."""

    async def told(desk):
        grid = desk.venue.grids[SYMBOL]
        ours = replace(grid, spec=replace(grid.spec, instrument="BTCUSDT", tick="0.5"), tick=Decimal("0.5"))
        endpoints = Endpoints(http=desk.server.url, ws=desk.server.url.replace("http", "ws", 1))
        config = CcxtFeedConfig(
            exchange_id="binanceusdm", name="reference", near=True, endpoints=endpoints, trades=False
        )
        feed = CcxtFeed(config, markets=None, grids={SYMBOL: ours})
        ticks: list = []
        await feed.open(lambda *read: ticks.extend(feed.decode_read(*read)), desk.events.append)
        try:
            async with asyncio.timeout(10):
                while not ticks:
                    desk.market.quote(600_002, 600_003)
                    desk.market.quote(600_001, 600_004)
                    await asyncio.sleep(0.02)
        finally:
            await feed.close()
        quote = ticks[0]
        # 60,000.1 to 60,000.4, or 60,000.2 to 60,000.3, in halves: neither side looks better than it is
        assert ("BTCUSDT", 120_000, 120_001) == (quote.instrument, quote.bid_ticks, quote.ask_ticks)
        assert "reference" in {event.name for event in desk.said(StreamChanged)}

    story(told)


def test_the_feed_hands_on_quotes_and_trades_in_our_units():
    async def told(desk):
        await desk.feed.open(
            lambda *read: desk.ticks.extend(desk.feed.decode_read(*read)), desk.events.append
        )
        async with asyncio.timeout(5):
            while not {Quote, Trade} <= {type(tick) for tick in desk.ticks}:
                desk.market.quote(600_002, 600_003)
                desk.market.trade(600_003, 2, 1)
                desk.market.quote(600_001, 600_004)
                await asyncio.sleep(0.02)
        quote = next(tick for tick in desk.ticks if isinstance(tick, Quote) and tick.bid_ticks == 600_001)
        assert (600_004, 5_000, SYMBOL) == (quote.ask_ticks, quote.ask_lots, quote.instrument)
        trade = next(tick for tick in desk.ticks if isinstance(tick, Trade))
        assert (600_003, 2, 1) == (trade.price_ticks, trade.qty_lots, trade.aggressor)
        numbers = [tick.seq for tick in desk.ticks]
        assert numbers == sorted(set(numbers))

    story(told)
