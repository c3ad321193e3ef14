"""Builders for the engine's tests: one instrument whose prices read as small numbers, and a clock to act by."""

from typing import Any

from holdfast.sim.exchange import Exchange
from holdfast.sim.model import NewOrder, Refused
from holdfast.sim.rules import Bracket, ExchangeConfig, SymbolRules, SyntheticDepth
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.orders import Side
from holdfast.vocab.units import E8

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000
BUY, SELL = Side.BUY, Side.SELL
X = "XUSDT"


def a_spec(name=X, **changes):
    facts = {
        "instrument": name,
        "symbol": f"{name[:-4]}/USDT:USDT",
        "base_asset": name[:-4],
        "quote_asset": "USDT",
        "settle_asset": "USDT",
        "tick": "0.1",
        "lot": "0.1",
        "tick_lot_e8": E8 // 100,
        "qty_lots_min": 1,
        "qty_lots_max": 100_000,
        "market_lots_max": 50_000,
        "notional_e8_min": 0,
    }
    return InstrumentSpec(**{**facts, **changes})


WIDE = SymbolRules(price_up_ppm=10_000_000, price_down_ppm=1, market_take_ppm=1_000_000)
NO_DEPTH = SyntheticDepth(levels_max=0)


def config(**changes):
    """No assumed depth and wide price filters, so that a test sees only what it says."""
    return ExchangeConfig(**{"rules_default": WIDE, "synthetic": NO_DEPTH, **changes})


class Venue:
    """An exchange with a clock of its own: each act happens a millisecond after the one before."""

    def __init__(self, *, specs=None, settings=None, quote=(1000, 50, 1001, 50)):
        self.now_ns = T0
        self.told: list[Any] = []
        self.exchange = Exchange(specs or [a_spec()], config=settings or config())
        self.exchange.subscribe(lambda account, event: self.told.append((account.name, event)))
        self.seq = 0
        self.counts = {}
        self.a = self.account("a")
        self.b = self.account("b")
        if quote:
            self.quote(*quote)

    def account(self, name, *, usdt=1_000_000, maker=0, taker=0):
        return self.exchange.open_account(
            name,
            api_key=f"key-{name}",
            secret="s",
            uid=f"uid-{name}",
            balances={"USDT": usdt * E8},
            fee_maker_ppm=maker,
            fee_taker_ppm=taker,
        )

    def tick(self, ns=MS):
        self.now_ns += ns
        return self.now_ns

    def market(self, event):
        self.exchange.on_market(event, self.tick())

    def quote(self, bid, bid_lots, ask, ask_lots, *, symbol=X):
        self.seq += 1
        self.market(Quote(symbol, self.seq, bid, bid_lots, ask, ask_lots, 0, 0, 0))

    def trade(self, price, lots, aggressor, *, market=True, symbol=X):
        self.seq += 1
        self.market(Trade(symbol, self.seq, price, lots, int(aggressor), market, 0, 0, 0))

    def mark(self, price, *, funding_ppb=0, symbol=X):
        self.market(Mark(symbol, price, funding_ppb, 0, 0, 0, 0))

    def depth(self, *, bids=(), asks=(), snapshot=False, symbol=X):
        self.seq += 1
        self.market(
            Depth(symbol, self.seq, self.seq, self.seq - 1, tuple(bids), tuple(asks), snapshot, 0, 0, 0)
        )

    def new(self, side, lots, price=0, **changes):
        self.seq += 1
        terms = {
            "symbol": X,
            "side": side,
            "type": "LIMIT" if price else "MARKET",
            "qty_lots": lots,
            "price_ticks": price,
            "client_id": f"c{self.seq}",
        }
        return NewOrder(**{**terms, **changes})

    def place(self, account, side, lots, price=0, **changes):
        return self.exchange.place(account, self.new(side, lots, price, **changes), self.tick())

    def algo(self, account, side, lots, kind, trigger=0, **changes):
        new = self.new(side, lots, type=kind, trigger_ticks=trigger, **changes)
        return self.exchange.place_algo(account, new, self.tick())

    def amend(self, account, order, *, lots=None, price=None):
        return self.exchange.amend(
            account,
            order.symbol,
            order_id=order.order_id,
            side=order.side,
            qty_lots=order.qty_lots if lots is None else lots,
            price_ticks=order.price_ticks if price is None else price,
            now_ns=self.tick(),
        )

    def cancel(self, account, order):
        return self.exchange.cancel(account, order.symbol, order_id=order.order_id, now_ns=self.tick())

    def wait(self, ns):
        self.exchange.advance(self.tick(ns))

    def lots(self, account, symbol=X):
        return sum(p.position_lots for (name, _), p in account.positions.items() if name == symbol)

    def wallet(self, account):
        return account.balances["USDT"]

    def events(self, kind, account=None):
        return [e for name, e in self.told if type(e) is kind and account in {None, name}]


def code_of(call, *args, **kwargs):
    """The code with which the venue refuses; 0 where it does not."""
    try:
        call(*args, **kwargs)
    except Refused as refusal:
        return refusal.code
    return 0


def one_bracket(*, leverage=125, notional=10**9, maintenance_ppm=10_000):
    return (Bracket(leverage_max=leverage, notional_e8_max=notional * E8, maintenance_ppm=maintenance_ppm),)
