"""The other framework's side of ``make bench-vs``: run by the Python of its own environment, never imported here.

Reads one JSON request a line, answers one JSON line. It uses the framework as its Binance adapter does: that
adapter's own data client (its handler, its typed decoders, its quote type), the data engine and message bus, and
a strategy that does as little as ours. Wherever it has a queued and a direct form (live and plain engines), the
direct one is taken: it is the faster.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from array import array
from decimal import Decimal
from pathlib import Path

from nautilus_trader.accounting.factory import AccountFactory
from nautilus_trader.adapters.binance.common.enums import BinanceAccountType
from nautilus_trader.adapters.binance.config import BinanceDataClientConfig
from nautilus_trader.adapters.binance.http.client import BinanceHttpClient
from nautilus_trader.adapters.binance.spot.data import BinanceSpotDataClient
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.data.engine import DataEngine
from nautilus_trader.execution.client import ExecutionClient
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.execution.messages import SubmitOrder
from nautilus_trader.model.currencies import BTC, ETH, USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TimeInForce
from nautilus_trader.model.events import AccountState
from nautilus_trader.model.identifiers import AccountId, ClientId, TraderId, Venue
from nautilus_trader.model.objects import AccountBalance, Money, Price, Quantity
from nautilus_trader.portfolio.portfolio import Portfolio
from nautilus_trader.risk.engine import RiskEngine
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("BINANCE")
RATE = "1000000000/00:00:01"  # the throttle is on; it never binds, as ours never does here


class Counting(Strategy):
    """Counts the quotes it is given."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.expected = 0
        self.first_ns = 0
        self.last_ns = 0

    def on_start(self):
        for instrument in self.cache.instruments():
            self.subscribe_quote_ticks(instrument.id)

    def on_quote_tick(self, tick):
        self.count += 1


class Stamping(Counting):
    """Counts, and says when the first and the last came."""

    def on_quote_tick(self, tick):
        self.count += 1
        if self.count == 1:
            self.first_ns = time.perf_counter_ns()
        elif self.count == self.expected:
            self.last_ns = time.perf_counter_ns()


class Ordering(Counting):
    """Wants an order at every quote, in turns a buy and a sale, immediate or cancel at the far touch."""

    def __init__(self):
        super().__init__()
        self.on = False
        self.quantities = {}

    def on_quote_tick(self, tick):
        self.count += 1
        if not self.on:
            return
        buys = self.count & 1
        order = self.order_factory.limit(
            instrument_id=tick.instrument_id,
            order_side=OrderSide.BUY if buys else OrderSide.SELL,
            quantity=self.quantities[tick.instrument_id],
            price=tick.ask_price if buys else tick.bid_price,
            time_in_force=TimeInForce.IOC,
        )
        self.submit_order(order)


class Nowhere(ExecutionClient):
    """A venue that does nothing with an order but note when it came."""

    def __init__(self, msgbus, cache, clock):
        super().__init__(
            client_id=ClientId("BINANCE"),
            venue=VENUE,
            oms_type=OmsType.NETTING,
            account_type=AccountType.CASH,
            base_currency=None,
            msgbus=msgbus,
            cache=cache,
            clock=clock,
        )
        self._set_account_id(AccountId("BINANCE-001"))
        self.at_ns = 0

    def submit_order(self, command):
        self.at_ns = time.perf_counter_ns()


class Desk:
    """Everything between the adapter's handler and its execution client, on a cash account."""

    def __init__(self, strategy, loop, base_url_ws="ws://127.0.0.1:1"):
        clock = LiveClock()
        trader = TraderId("BENCH-001")
        self.msgbus = MessageBus(trader_id=trader, clock=clock)
        self.cache = Cache()
        self.clock = clock
        self.portfolio = Portfolio(msgbus=self.msgbus, cache=self.cache, clock=clock)
        self.data_engine = DataEngine(msgbus=self.msgbus, cache=self.cache, clock=clock)
        self.exec_engine = ExecutionEngine(msgbus=self.msgbus, cache=self.cache, clock=clock)
        self.risk_engine = RiskEngine(
            portfolio=self.portfolio,
            msgbus=self.msgbus,
            cache=self.cache,
            clock=clock,
            config=RiskEngineConfig(max_order_submit_rate=RATE, max_order_modify_rate=RATE),
        )
        http = BinanceHttpClient(
            clock=clock, api_key="bench", api_secret="bench", base_url="http://127.0.0.1:1"
        )
        self.data = BinanceSpotDataClient(
            loop=loop,
            client=http,
            msgbus=self.msgbus,
            cache=self.cache,
            clock=clock,
            instrument_provider=InstrumentProvider(),
            base_url_ws=base_url_ws,
            config=BinanceDataClientConfig(account_type=BinanceAccountType.SPOT),
        )
        self.data_engine.register_client(self.data)
        self.venue = Nowhere(self.msgbus, self.cache, clock)
        self.exec_engine.register_client(self.venue)
        self.instruments = (
            TestInstrumentProvider.btcusdt_binance(),
            TestInstrumentProvider.ethusdt_binance(),
        )
        for instrument in self.instruments:
            self.cache.add_instrument(instrument)
        self.account = AccountFactory.create(account_state(clock))
        self.cache.add_account(self.account)
        self.portfolio.update_account(account_state(clock))
        strategy.register(
            trader_id=trader, portfolio=self.portfolio, msgbus=self.msgbus, cache=self.cache, clock=clock
        )
        for engine in (self.data_engine, self.risk_engine, self.exec_engine):
            engine.start()
        self.strategy = strategy
        strategy.start()
        self.handler = self.data._handle_ws_message


def account_state(clock):
    balances = [
        AccountBalance(Money(amount, currency), Money(0, currency), Money(amount, currency))
        for amount, currency in ((10_000_000, USDT), (10_000, BTC), (10_000, ETH))
    ]
    return AccountState(
        account_id=AccountId("BINANCE-001"),
        account_type=AccountType.CASH,
        base_currency=None,
        reported=True,
        balances=balances,
        margins=[],
        info={},
        event_id=UUID4(),
        ts_event=clock.timestamp_ns(),
        ts_init=clock.timestamp_ns(),
    )


def read_frames(path):
    return Path(path).read_bytes().split(b"\n")


def collected():
    """As ours: what exists is left out of the collector's rounds, and rounds are rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


class Side:
    """What was built stays for the next round."""

    def __init__(self, loop):
        self.loop = loop
        self.feeding = None
        self.gating = None
        self.ticking = None
        self.testing = None

    def feed(self, path):
        """Seconds per message, bytes at the adapter's handler to the strategy's callback."""
        if self.feeding is None:
            self.feeding = Desk(Counting(), self.loop)
        desk = self.feeding
        frames = read_frames(path)
        handler, strategy = desk.handler, desk.strategy
        before = strategy.count
        collected()
        began = time.perf_counter()
        for raw in frames:
            handler(raw)
        took_s = time.perf_counter() - began
        return {"seconds": took_s / (strategy.count - before), "reached": strategy.count - before}

    def ws(self, port, count):
        """Messages per second from its own WebSocket client to the strategy's callback."""
        return self.loop.run_until_complete(self._ws(port, count))

    async def _ws(self, port, count):
        desk = Desk(Stamping(), self.loop, base_url_ws=f"ws://127.0.0.1:{port}")
        desk.strategy.expected = count
        client = desk.data._ws_client
        collected()
        await client.subscribe_book_ticker("BTCUSDT")
        await client.subscribe_book_ticker("ETHUSDT")
        until = time.monotonic() + 120
        while not desk.strategy.last_ns and time.monotonic() < until:
            await asyncio.sleep(0.01)
        await client.disconnect()
        took_s = (desk.strategy.last_ns - desk.strategy.first_ns) / 1e9
        return {"rate": (count - 1) / took_s, "reached": desk.strategy.count}

    def gate(self, orders):
        """Nanoseconds per order through the risk engine, each timed alone, to a do-nothing execution endpoint."""
        if self.gating is None:
            self.gating = Desk(Counting(), self.loop)
        desk = self.gating
        strategy = desk.strategy
        passed = []
        desk.msgbus.deregister(endpoint="ExecEngine.execute", handler=desk.exec_engine.execute)
        desk.msgbus.register(endpoint="ExecEngine.execute", handler=passed.append)
        took = []
        execute = desk.risk_engine.execute
        clock = time.perf_counter_ns
        commands = []
        for side, qty_lots, cents, which in orders:
            instrument = desk.instruments[which]
            order = strategy.order_factory.limit(
                instrument_id=instrument.id,
                order_side=OrderSide.BUY if side > 0 else OrderSide.SELL,
                quantity=instrument.make_qty(Decimal(qty_lots) / 1000),
                price=instrument.make_price(Decimal(cents) / 100),
                time_in_force=TimeInForce.IOC,
            )
            commands.append(
                SubmitOrder(
                    trader_id=strategy.trader_id,
                    strategy_id=strategy.id,
                    position_id=None,
                    order=order,
                    command_id=UUID4(),
                    ts_init=desk.clock.timestamp_ns(),
                )
            )
        collected()
        for command in commands:
            began = clock()
            execute(command)
            took.append(clock() - began)
        desk.msgbus.deregister(endpoint="ExecEngine.execute", handler=passed.append)
        desk.msgbus.register(endpoint="ExecEngine.execute", handler=desk.exec_engine.execute)
        return {"ns": took, "passed": len(passed)}

    def tick(self, path):
        """Nanoseconds from a quote's bytes at the adapter's handler to its order at the execution client."""
        if self.ticking is None:
            self.ticking = Desk(Ordering(), self.loop)
        desk = self.ticking
        frames = read_frames(path)
        handler, venue = desk.handler, desk.venue
        desk.strategy.quantities = {one.id: one.make_qty(Decimal("0.005")) for one in desk.instruments}
        desk.strategy.on = True
        clock = time.perf_counter_ns
        took = []
        collected()
        for raw in frames:
            venue.at_ns = 0
            began = clock()
            handler(raw)
            took.append(venue.at_ns - began)
        desk.strategy.on = False
        if min(took) < 0:
            raise RuntimeError("a quote brought no order")
        return {"ns": took}

    def backtest(self, path, count):
        """Quotes per second of its backtest engine on preloaded quotes, one counting strategy, no orders."""
        if self.testing is None:
            self.testing = self._load(path, count)
        engine, strategy = self.testing
        strategy.count = 0
        collected()
        began = time.perf_counter()
        engine.run()
        took_s = time.perf_counter() - began
        reached = strategy.count
        engine.reset()
        return {"rate": reached / took_s, "reached": reached}

    def _load(self, path, count):
        engine = BacktestEngine(config=BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(
            venue=VENUE,
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            base_currency=None,
            starting_balances=[Money(100_000, USDT)],
        )
        instruments = (
            TestInstrumentProvider.btcusdt_perp_binance(),
            TestInstrumentProvider.ethusdt_perp_binance(),
        )
        for instrument in instruments:
            engine.add_instrument(instrument)
        rows = array("q")
        with Path(path).open("rb") as file:
            rows.fromfile(file, 6 * count)
        ticks = []
        for start in range(0, len(rows), 6):
            which, bid, bid_lots, ask, ask_lots, ns = rows[start : start + 6]
            instrument = instruments[which]
            places, scale = instrument.price_precision, 10 ** (2 if which else 1)
            ticks.append(
                QuoteTick(
                    instrument_id=instrument.id,
                    bid_price=Price(bid / scale, places),
                    ask_price=Price(ask / scale, places),
                    bid_size=Quantity(bid_lots / 1000, 3),
                    ask_size=Quantity(ask_lots / 1000, 3),
                    ts_event=ns,
                    ts_init=ns,
                )
            )
        engine.add_data(ticks, sort=False)
        strategy = Counting()
        engine.add_strategy(strategy)
        return engine, strategy


def main():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    side = Side(loop)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the framework prints is not an answer
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(side, request.pop("what"))(**request)
        gc.unfreeze()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)  # its runtime threads do not like an interpreter that ends


if __name__ == "__main__":
    main()
