"""Ground truth as JSON: what any set of books about an account must agree with."""

from __future__ import annotations

from msgspec import Struct

from holdfast.sim.model import Account, AlgoOrder, Fill, Income, Order
from holdfast.sim.server.numerals import bare, fixed
from holdfast.sim.server.requests import OrderRequest
from holdfast.sim.server.venue import Venue


class TrueTrade(Struct, kw_only=True):
    """One execution, in texts for people and in integers for machines."""

    trade_id: int
    order_id: int
    client_id: str
    symbol: str
    side: str
    qty: str
    price: str
    qty_lots: int
    price_ticks: int
    fee: str
    fee_e8: int
    fee_asset: str
    realised_e8: int
    maker: bool
    venue_ns: int
    cause: str


class TruePosition(Struct, kw_only=True):
    """One position; zero ones are left out."""

    symbol: str
    position_side: str
    position_lots: int
    amount: str
    cost_e8: int
    leverage: int


class TrueBalance(Struct, kw_only=True):
    """One wallet, and what it held when the account was opened."""

    asset: str
    wallet: str
    wallet_e8: int
    opening_e8: int


class Truth(Struct, kw_only=True):
    """Everything about one account. ``speed``: market time per venue time, when it is not life's."""

    account: str
    uid: str
    now_venue_ns: int
    step_ns: int
    speed: float
    trades: list[TrueTrade]
    trades_dropped: int
    open_orders: list[Order]
    open_algo_orders: list[AlgoOrder]
    positions: list[TruePosition]
    balances: list[TrueBalance]
    incomes: list[Income]
    requests: list[OrderRequest]
    requests_total: int
    requests_dropped: int


def truth_of(venue: Venue, account: Account, *, since_seq: int = 0, with_requests: bool = True) -> Truth:
    """Read it off the exchange. ``since_seq``: only order requests after this one."""
    now_ns = venue.now_ns()
    venue.exchange.advance(now_ns)
    true = venue.exchange.ground_truth(account, now_ns)
    log = venue.requests
    mine = (
        [one for one in log.entries if one.seq > since_seq and one.account in {account.name, ""}]
        if with_requests
        else []
    )
    return Truth(
        account=account.name,
        uid=account.uid,
        now_venue_ns=now_ns,
        step_ns=venue.step_ns,
        speed=venue.config.speed,
        trades=[_trade(venue, one) for one in true.fills],
        trades_dropped=true.fills_dropped,
        open_orders=list(true.open_orders),
        open_algo_orders=list(true.open_algo_orders),
        positions=[
            TruePosition(
                symbol=one.symbol,
                position_side=one.position_side,
                position_lots=one.position_lots,
                amount=venue.market.symbols[one.symbol].numerals.qty(one.position_lots),
                cost_e8=one.cost_e8,
                leverage=one.leverage,
            )
            for one in account.positions.values()
            if one.position_lots
        ],
        balances=[
            TrueBalance(
                asset=asset,
                wallet=bare(fixed(wallet_e8, 8)),
                wallet_e8=wallet_e8,
                opening_e8=true.opening.get(asset, 0),
            )
            for asset, wallet_e8 in true.balances.items()
        ],
        incomes=list(true.incomes),
        requests=mine,
        requests_total=log.total,
        requests_dropped=log.dropped,
    )


def _trade(venue: Venue, fill: Fill) -> TrueTrade:
    numerals = venue.market.symbols[fill.symbol].numerals
    return TrueTrade(
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        client_id=fill.client_id,
        symbol=fill.symbol,
        side="BUY" if fill.side > 0 else "SELL",
        qty=numerals.qty(fill.qty_lots),
        price=numerals.price(fill.price_ticks),
        qty_lots=fill.qty_lots,
        price_ticks=fill.price_ticks,
        fee=fixed(fill.fee_e8, 8),
        fee_e8=fill.fee_e8,
        fee_asset=fill.fee_asset,
        realised_e8=fill.realised_e8,
        maker=fill.maker,
        venue_ns=fill.venue_ns,
        cause=fill.cause,
    )
