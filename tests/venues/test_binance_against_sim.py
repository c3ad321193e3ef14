"""The real client against the simulated venue over real sockets: the round trip, and every fault's outcome."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from holdfast.sim.config import LimitsConfig, SimConfig
from holdfast.sim.server import SimServer
from holdfast.sim.server.faults import FaultSpec
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig
from holdfast.venues.binance.stream import StreamTimes
from holdfast.venues.transport.hardened import Credentials
from holdfast.vocab.events import (
    CashHinted,
    NoticeKind,
    OrderReported,
    StreamChanged,
    TradeReported,
    VenueNotice,
)
from holdfast.vocab.market import Malformed, Mark, Quote, Trade
from holdfast.vocab.orders import Lane, OrderType, Side, TimeInForce
from holdfast.vocab.outcome import Fatal, Ok, Transient, Unknown
from holdfast.vocab.reports import FillCause, NoSuchOrder, VenueStatus
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QueryTrades,
    SetLeverage,
)
from tests.sim.server_house import KEY, SECRET, Bench, StillSource
from tests.venues.fake_binance import eventually
from tests.venues.house import QUICK, config, order_id, place, yes

pytestmark = pytest.mark.process
CREDENTIALS = Credentials(api_key=KEY, secret=SECRET)
ROOMY = LimitsConfig(orders_per_10s=5_000, orders_per_minute=20_000, weight_per_minute=20_000)


class Desk:
    """A running venue, our client and feed on it, and everything that they said."""

    def __init__(self, server: SimServer, venue: BinanceVenue, feed: BinanceFeed) -> None:
        self.server = server
        self.venue = venue
        self.feed = feed
        self.market = Bench(server, None)
        self.events: list = []
        self.ticks: list = []

    async def call(self, request, lane=Lane.FLATTEN):
        return await self.venue.call(request, lane, yes)

    async def ok(self, request, lane=Lane.FLATTEN):
        outcome = await self.call(request, lane)
        assert isinstance(outcome, Ok), outcome
        return outcome.value

    def fault(self, kind: str, **more) -> None:
        self.server.venue.faults.add(FaultSpec(kind=kind, count=1, **more), self.server.venue.now_ns())

    @property
    def account(self):
        return self.server.exchange.account_by_key(KEY)

    def said(self, kind) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def of_order(self, sequence: int) -> list:
        reports = [event.report for event in self.said((OrderReported, TradeReported))]
        return [report for report in reports if report.order_id == order_id(sequence)]

    def created(self, sequence: int) -> bool:
        """Ground truth: whether the venue has this order."""
        client_id = self.venue._calls.book.client_id(order_id(sequence))
        return any(order.client_id == client_id for order in self.account.orders.values())


@asynccontextmanager
async def a_desk(**changes):
    server = SimServer(SimConfig(limits=ROOMY), source=StillSource())
    await server.start()
    ws = server.url.replace("http", "ws", 1)
    plain = {"order_timeout_ms": 400, "read_timeout_ms": 400, "backoff": QUICK, "credentials": CREDENTIALS}
    venue = BinanceVenue(config(server.url, ws, **{**plain, **changes}))
    specs = await venue.load()
    desk = Desk(server, venue, BinanceFeed(FeedConfig(ws_url=ws, backoff=QUICK), specs))
    try:
        await venue.open(desk.events.append)
        await desk.feed.open(
            lambda *read: desk.ticks.extend(desk.feed.decode_read(*read)), desk.events.append
        )
        await eventually(lambda: len(desk.said(StreamChanged)) == 3)
        yield desk
    finally:
        await desk.feed.close()
        await venue.close()
        await server.stop()


def story(told, **changes):
    async def run():
        async with a_desk(**changes) as desk:
            await told(desk)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_an_orders_whole_life():
    """Placed, amended, filled in parts, cancelled: replies, stream and lists tell one story."""

    async def told(desk):
        placed = await desk.ok(place(1, qty_lots=100, price_ticks=599_990), Lane.RISK)
        assert (VenueStatus.NEW, 100, 599_990, order_id(1)) == (
            placed.status,
            placed.qty_lots,
            placed.price_ticks,
            placed.order_id,
        )
        amend = AmendOrder(
            order_id=order_id(1),
            venue_order_id=placed.venue_order_id,
            instrument="BTCUSDT",
            side=Side.BUY,
            qty_lots=80,
            price_ticks=600_000,
        )
        amended = await desk.ok(amend, Lane.RISK)
        assert (80, 600_000, placed.venue_order_id) == (
            amended.qty_lots,
            amended.price_ticks,
            amended.venue_order_id,
        )
        desk.market.trade(600_000, 5_030, -1)  # 5,000 were ahead of us
        await eventually(lambda: desk.said(TradeReported))
        fill = desk.said(TradeReported)[0]
        assert (30, 600_000, True, FillCause.ORDER, "USDT") == (
            fill.trade.qty_lots,
            fill.trade.price_ticks,
            fill.trade.maker,
            fill.trade.cause,
            fill.trade.fee_asset,
        )
        assert (VenueStatus.PARTIALLY_FILLED, 30) == (fill.report.status, fill.report.filled_lots)
        queried = await desk.ok(QueryOrder(order_id=order_id(1), instrument="BTCUSDT"), Lane.READ)
        assert (VenueStatus.PARTIALLY_FILLED, 30) == (queried.status, queried.filled_lots)
        cancel = CancelOrder(order_id=order_id(1), venue_order_id="", instrument="BTCUSDT")
        assert VenueStatus.CANCELLED is (await desk.ok(cancel, Lane.CANCEL)).status
        await eventually(lambda: desk.of_order(1)[-1].status is VenueStatus.CANCELLED)
        again = await desk.ok(cancel, Lane.CANCEL)
        assert isinstance(again, NoSuchOrder)
        assert [30] == [one.position_lots for one in (await desk.ok(QueryPositions(), Lane.READ)).positions]
        trades = await desk.ok(
            QueryTrades(instrument="BTCUSDT", since_venue_ns=fill.trade.venue_ns), Lane.READ
        )
        listed = trades.trades[0]
        assert (fill.trade.trade_id, fill.trade.fee_e8, 30) == (
            listed.trade_id,
            listed.fee_e8,
            listed.qty_lots,
        )
        assert trades.complete

    story(told)


def test_what_the_account_holds_is_read_to_the_last_digit():
    async def told(desk):
        await desk.ok(place(1, order_type=OrderType.MARKET, price_ticks=None, qty_lots=7), Lane.RISK)
        await eventually(lambda: desk.said(TradeReported))
        for source in (0, 1, 2):
            positions = await desk.ok(QueryPositions(source=source), Lane.READ)
            assert [("BTCUSDT", 7)] == [(one.instrument, one.position_lots) for one in positions.positions]
        balances = await desk.ok(QueryBalances(), Lane.READ)
        assert (
            desk.account.balances["USDT"] == {one.asset: one.wallet_e8 for one in balances.balances}["USDT"]
        )
        assert balances.can_withdraw is False
        cash = await desk.ok(QueryCash(since_venue_ns=0), Lane.READ)
        fee = desk.said(TradeReported)[0].trade.fee_e8
        assert -fee == sum(entry.amount_e8 for entry in cash.entries if entry.kind == "COMMISSION")
        async with aiohttp.ClientSession() as http:
            await http.post(f"{desk.server.control_url}/transfer", json={"amount": "5"})
        await eventually(lambda: desk.said(CashHinted))
        cash = await desk.ok(QueryCash(since_venue_ns=0), Lane.READ)
        assert [5 * 10**8] == [entry.amount_e8 for entry in cash.entries if entry.kind == "TRANSFER"]

    story(told)


def test_a_stop_rests_apart_triggers_and_fills_as_ours():
    async def told(desk):
        await desk.ok(place(1, order_type=OrderType.MARKET, price_ticks=None, qty_lots=7), Lane.RISK)
        stop = place(
            2,
            order_type=OrderType.STOP_MARKET,
            side=Side.SELL,
            price_ticks=None,
            trigger_ticks=599_900,
            qty_lots=7,
            reduce_only=True,
        )
        assert (await desk.ok(stop, Lane.RISK)).conditional
        orders = (await desk.ok(QueryOpenOrders(), Lane.READ)).orders
        assert [(order_id(2), True)] == [(one.order_id, one.conditional) for one in orders]
        await desk.ok(CancelAll(instrument="BTCUSDT"), Lane.CANCEL)
        assert 1 == len(
            (await desk.ok(QueryOpenOrders(), Lane.READ)).orders
        )  # still there: it is in another list
        desk.market.quote(599_890, 599_891)
        desk.market.trade(599_890, 10, -1)
        await eventually(lambda: len(desk.said(TradeReported)) == 2)
        assert order_id(2) == desk.said(TradeReported)[1].trade.order_id
        assert () == (await desk.ok(QueryPositions(), Lane.READ)).positions
        third = place(3, order_type=OrderType.STOP_MARKET, price_ticks=None, trigger_ticks=700_000)
        await desk.ok(third, Lane.RISK)
        await desk.ok(CancelAll(instrument="BTCUSDT", conditional=True), Lane.CANCEL)
        assert () == (await desk.ok(QueryOpenOrders(), Lane.READ)).orders

    story(told)


def test_the_venues_refusals_have_their_codes():
    async def told(desk):
        cases = [
            (place(1, tif=TimeInForce.POST_ONLY, price_ticks=600_010), "-5022"),
            (place(2, tif=TimeInForce.FOK, qty_lots=900_000, price_ticks=600_001), None),
            (place(3, qty_lots=1, price_ticks=100_000), "-4164"),
            (place(4, qty_lots=900_000, order_type=OrderType.MARKET, price_ticks=None), None),
            (place(5, side=Side.SELL, reduce_only=True), "-2022"),
        ]
        for request, code in cases:
            outcome = await desk.call(request, Lane.RISK)
            assert isinstance(outcome, Fatal), outcome
            assert code in (outcome.code, None)
            assert not desk.created(request.order_id & 0xFF)
        await desk.ok(place(6, price_ticks=599_000), Lane.RISK)
        duplicate = await desk.call(place(6, price_ticks=599_000), Lane.RISK)
        assert (Unknown, "-4116") == (type(duplicate), duplicate.code)

    story(told)


BEFORE = {
    "refused with 503": {"kind": "refuse", "http": 503, "code": -1008, "msg": "overloaded"},
    "refused with -1007": {"kind": "refuse", "http": 408, "code": -1007, "msg": "Timeout"},
    "retired, html": {"kind": "retire", "http": 404, "body": "html"},
    "retired, json": {"kind": "retire", "http": 404, "body": "json"},
    "retired, empty": {"kind": "retire", "http": 410, "body": "empty"},
    "banned": {"kind": "rate_limit", "http": 418, "retry_after_s": 1},
    "slow down": {"kind": "rate_limit", "http": 429, "retry_after_s": 1},
    "reset before": {"kind": "reset"},
    "hangs": {"kind": "hang"},
    "slow": {"kind": "slow", "delay_ms": 900},
}
AFTER = {
    "reset after": {"kind": "ack_reset"},
    "silent after": {"kind": "ack_hang"},
    "cut": {"kind": "ack_truncated"},
    "empty": {"kind": "ack_empty"},
    "garbage": {"kind": "ack_garbage"},
    "503 -1007 after": {"kind": "ack_error"},
    "503 -1008 after": {"kind": "ack_error", "http": 503, "code": -1008},
    "503 without code after": {"kind": "ack_error", "http": 503, "code": None, "msg": "Unknown error"},
    "slow after": {"kind": "ack_slow", "delay_ms": 900},
}


@pytest.mark.parametrize("fault", [*BEFORE.values(), *AFTER.values()], ids=[*BEFORE, *AFTER])
def test_no_fault_on_one_order_makes_a_wrong_definite(fault):
    """The common root of the worst bugs: an ambiguous result written down as a definite one."""

    async def told(desk):
        desk.fault(path="/fapi/v1/order", method="POST", **fault)
        outcome = await desk.call(place(1, price_ticks=599_000), Lane.RISK)
        await asyncio.sleep(0.05)
        created = desk.created(1)
        if fault["kind"].startswith("ack_"):
            assert created
            assert isinstance(outcome, Unknown), outcome
        elif fault["kind"] in ("rate_limit", "retire"):
            assert not created
            assert isinstance(outcome, Transient if fault["kind"] == "rate_limit" else Unknown | Fatal), (
                outcome
            )
            assert not isinstance(outcome, Fatal) or outcome.code == "-5000"
        else:
            assert isinstance(outcome, Unknown), outcome
        if isinstance(outcome, Unknown):  # and the way out of doubt works
            await asyncio.sleep(0.6 if fault["kind"] in ("slow", "ack_slow", "hang", "ack_hang") else 0.0)
            truth = await desk.ok(QueryOrder(order_id=order_id(1), instrument="BTCUSDT"), Lane.READ)
            assert isinstance(truth, NoSuchOrder) == (not desk.created(1))

    story(told)


@pytest.mark.parametrize("fault", AFTER.values(), ids=AFTER)
def test_no_fault_on_a_cancel_or_an_amend_makes_a_wrong_definite(fault):
    async def told(desk):
        await desk.ok(place(1, price_ticks=599_000, qty_lots=20), Lane.RISK)
        desk.fault(path="/fapi/v1/order", method="PUT", **fault)
        amend = AmendOrder(
            order_id=order_id(1),
            venue_order_id="",
            instrument="BTCUSDT",
            side=Side.BUY,
            qty_lots=15,
            price_ticks=599_001,
        )
        assert isinstance(await desk.call(amend, Lane.RISK), Unknown)
        desk.fault(path="/fapi/v1/order", method="DELETE", **fault)
        cancel = CancelOrder(order_id=order_id(1), venue_order_id="", instrument="BTCUSDT")
        assert isinstance(await desk.call(cancel, Lane.CANCEL), Unknown)
        await eventually(lambda: desk.of_order(1)[-1].status is VenueStatus.CANCELLED)
        assert 15 == desk.of_order(1)[-1].qty_lots

    story(told)


def test_a_retired_position_endpoint_is_loud_and_another_source_answers():
    """The endpoint was gone, and the bot retried it every few minutes, blind."""

    async def told(desk):
        for body in ("html", "json", "empty"):
            desk.fault("retire", path="/fapi/v3/positionRisk", http=404, body=body)
            outcome = await desk.call(QueryPositions(source=0), Lane.READ)
            assert (Unknown, True) == (type(outcome), outcome.unlisted)
            assert isinstance(await desk.call(QueryPositions(source=1), Lane.READ), Ok)

    story(told)


def test_a_stepped_venue_clock_costs_one_refusal():
    """The closing orders failed on timestamps for hours."""

    async def told(desk):
        desk.server.venue.step_ns = 12_000_000_000
        first = await desk.call(place(1, price_ticks=599_000), Lane.FLATTEN)
        assert (Transient, "-1021") == (type(first), first.code)
        await eventually(lambda: abs(desk.venue._venue_clock.offset_ns() - 12_000_000_000) < 200_000_000)
        assert isinstance(await desk.call(place(2, price_ticks=599_000), Lane.FLATTEN), Ok)
        offset = (await desk.ok(MeasureClock(), Lane.READ)).offset_ns
        assert abs(offset - 12_000_000_000) < 200_000_000

    story(told)


def test_an_order_from_a_frozen_process_is_refused_by_the_venue():
    """Signed before the freeze, written after it: older than its window."""

    async def told(desk):
        clock = desk.venue._venue_clock
        clock._ahead_of_mono_ns -= 1_600_000_000
        outcome = await desk.call(place(1, price_ticks=599_000), Lane.RISK)
        assert (Transient, "-1021") == (type(outcome), outcome.code)
        assert not desk.created(1)

    story(told)


def test_user_events_lost_doubled_and_reordered_come_as_they_are():
    async def told(desk):
        desk.fault("user_duplicate", event="ORDER_TRADE_UPDATE")
        await desk.ok(place(1, price_ticks=599_000), Lane.RISK)
        await eventually(lambda: desk.venue._stream.duplicates == 1)
        assert 1 == len(desk.of_order(1))
        desk.fault("user_drop", event="ORDER_TRADE_UPDATE")
        await desk.ok(place(2, price_ticks=599_000), Lane.RISK)
        await desk.ok(place(3, price_ticks=599_000), Lane.RISK)
        await eventually(lambda: desk.of_order(3))
        assert [] == desk.of_order(2)

    story(told)


def test_a_mute_user_stream_is_noticed():
    async def told(desk):
        desk.server.venue.faults.add(FaultSpec(kind="user_drop"), desk.server.venue.now_ns())
        await desk.ok(place(1, price_ticks=599_000), Lane.RISK)
        await eventually(lambda: any("mute" in event.why for event in desk.said(StreamChanged)))

    story(told, times=StreamTimes(mute_ms=100, check_s=0.02))


def test_streams_come_back_after_a_cut():
    async def told(desk):
        await desk.server._sockets.close_all()
        await eventually(lambda: len([e for e in desk.said(StreamChanged) if e.up]) >= 6)
        await desk.ok(place(1, price_ticks=599_000), Lane.RISK)
        await eventually(lambda: desk.of_order(1))

    story(told)


def test_notices_of_the_venue_arrive():
    async def told(desk):
        await desk.ok(SetLeverage(instrument="BTCUSDT", leverage=7))
        await eventually(lambda: desk.said(VenueNotice))
        notice = desk.said(VenueNotice)[0]
        assert (NoticeKind.LEVERAGE_CHANGED, "BTCUSDT") == (notice.kind, notice.instrument)

    story(told)


def test_the_dead_man_cancels_what_nobody_refreshes():
    async def told(desk):
        await desk.ok(place(1, price_ticks=599_000), Lane.RISK)
        await desk.ok(ArmDeadman(instrument="BTCUSDT", countdown_ms=200))
        await eventually(lambda: desk.of_order(1)[-1].status is VenueStatus.CANCELLED)

    story(told)


def test_the_market_is_read_whole():
    async def told(desk):
        for number in range(50):
            desk.market.quote(600_000 + number, 600_001 + number)
            desk.market.trade(600_001 + number, 3, 1)
        desk.market.mark(600_100)
        await eventually(lambda: sum(isinstance(tick, Quote) for tick in desk.ticks) >= 50)
        await eventually(lambda: any(isinstance(tick, Mark) for tick in desk.ticks), within_s=5)
        quotes = [tick for tick in desk.ticks if isinstance(tick, Quote) and tick.instrument == "BTCUSDT"]
        assert 600_049 == quotes[-1].bid_ticks
        assert [tick.seq for tick in quotes] == sorted({tick.seq for tick in quotes})
        assert [] == [tick for tick in desk.ticks if isinstance(tick, Malformed)]
        assert 50 == sum(isinstance(tick, Trade) for tick in desk.ticks)

    story(told)
