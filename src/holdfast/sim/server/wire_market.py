"""Public answers: books, prints, candles, tickers, marks, and the exchange's own description."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from holdfast.sim.rules import SymbolRules
from holdfast.sim.server.candles import Candle
from holdfast.sim.server.market_view import Print, SymbolView
from holdfast.sim.server.numerals import bare, fixed, rounded
from holdfast.sim.server.venue import Venue
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.units import PPM

ORDER_TYPES: Final = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK", "GTX", "GTD")
_PERPETUAL_MS: Final = 4_133_404_800_000
_ONBOARD_MS: Final = 1_569_398_400_000
_STATUSES: Final = {
    InstrumentStatus.TRADING: "TRADING",
    InstrumentStatus.HALTED: "BREAK",
    InstrumentStatus.CLOSED: "SETTLING",
}


class RateLimitFact(Struct, kw_only=True, rename="camel"):
    """One rate limit. ``count``: how much of it is used (WebSocket API only)."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int | UnsetType = UNSET


class Filter(Struct, kw_only=True, rename="camel"):
    """One filter of a symbol; each kind has its own fields."""

    filter_type: str
    min_price: str | UnsetType = UNSET
    max_price: str | UnsetType = UNSET
    tick_size: str | UnsetType = UNSET
    min_qty: str | UnsetType = UNSET
    max_qty: str | UnsetType = UNSET
    step_size: str | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    notional: str | UnsetType = UNSET
    multiplier_up: str | UnsetType = UNSET
    multiplier_down: str | UnsetType = UNSET
    multiplier_decimal: str | UnsetType = UNSET
    position_control_side: str | UnsetType = UNSET


class AssetFact(Struct, kw_only=True, rename="camel"):
    """One margin asset."""

    asset: str
    margin_available: bool
    auto_asset_exchange: str


class SymbolFact(Struct, kw_only=True, rename="camel"):
    """One symbol."""

    symbol: str
    pair: str
    contract_type: str
    delivery_date: int
    onboard_date: int
    status: str
    maint_margin_percent: str
    required_margin_percent: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    price_precision: int
    quantity_precision: int
    base_asset_precision: int
    quote_precision: int
    underlying_type: str
    underlying_sub_type: list[str]
    settle_plan: int
    trigger_protect: str
    liquidation_fee: str
    market_take_bound: str
    max_move_order_limit: int
    filters: list[Filter]
    order_types: tuple[str, ...]
    time_in_force: tuple[str, ...]


class ExchangeInfo(Struct, kw_only=True, rename="camel"):
    """GET exchangeInfo."""

    timezone: str
    server_time: int
    futures_type: str
    rate_limits: list[RateLimitFact]
    exchange_filters: list[str]
    assets: list[AssetFact]
    symbols: list[SymbolFact]


class BookWire(Struct, kw_only=True):
    """GET depth."""

    lastUpdateId: int  # noqa: N815 - the wire's own name, beside one-letter ones
    E: int
    T: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class BookTicker(Struct, kw_only=True, rename="camel"):
    """GET ticker/bookTicker."""

    symbol: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str
    time: int
    last_update_id: int


class PriceTicker(Struct, kw_only=True):
    """GET ticker/price."""

    symbol: str
    price: str
    time: int


class Ticker24h(Struct, kw_only=True, rename="camel"):
    """GET ticker/24hr."""

    symbol: str
    price_change: str
    price_change_percent: str
    weighted_avg_price: str
    last_price: str
    last_qty: str
    open_price: str
    high_price: str
    low_price: str
    volume: str
    quote_volume: str
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int


class PremiumIndex(Struct, kw_only=True, rename="camel"):
    """GET premiumIndex."""

    symbol: str
    mark_price: str
    index_price: str
    estimated_settle_price: str
    last_funding_rate: str
    interest_rate: str
    next_funding_time: int
    time: int


class PublicTrade(Struct, kw_only=True, rename="camel"):
    """GET trades, historicalTrades."""

    id: int
    price: str
    qty: str
    quote_qty: str
    time: int
    is_buyer_maker: bool


def rate_limits(venue: Venue) -> list[RateLimitFact]:
    """The limits, as they are."""
    limits = venue.config.limits
    return [
        RateLimitFact(
            rate_limit_type="REQUEST_WEIGHT",
            interval="MINUTE",
            interval_num=1,
            limit=limits.weight_per_minute,
        ),
        RateLimitFact(
            rate_limit_type="ORDERS", interval="MINUTE", interval_num=1, limit=limits.orders_per_minute
        ),
        RateLimitFact(
            rate_limit_type="ORDERS", interval="SECOND", interval_num=10, limit=limits.orders_per_10s
        ),
    ]


def _share(ppm: int, decimals: int) -> str:
    return fixed(ppm // 10 ** (6 - decimals), decimals)


def _filters(view: SymbolView, rules: SymbolRules) -> list[Filter]:
    spec, numerals = view.spec, view.numerals
    return [
        Filter(
            filter_type="PRICE_FILTER",
            min_price=numerals.price(rules.price_ticks_min),
            max_price=numerals.price(rules.price_ticks_max),
            tick_size=spec.tick,
        ),
        Filter(
            filter_type="LOT_SIZE",
            min_qty=numerals.qty(spec.qty_lots_min),
            max_qty=numerals.qty(spec.qty_lots_max),
            step_size=spec.lot,
        ),
        Filter(
            filter_type="MARKET_LOT_SIZE",
            min_qty=numerals.qty(spec.qty_lots_min),
            max_qty=numerals.qty(spec.market_lots_max),
            step_size=spec.lot,
        ),
        Filter(filter_type="MAX_NUM_ORDERS", limit=rules.max_orders),
        Filter(filter_type="MAX_NUM_ALGO_ORDERS", limit=rules.max_algo_orders),
        Filter(filter_type="MIN_NOTIONAL", notional=bare(fixed(spec.notional_e8_min, 8))),
        Filter(
            filter_type="PERCENT_PRICE",
            multiplier_up=_share(rules.price_up_ppm, 4),
            multiplier_down=_share(rules.price_down_ppm, 4),
            multiplier_decimal="4",
        ),
        Filter(filter_type="POSITION_RISK_CONTROL", position_control_side="NONE"),
    ]


def exchange_info(venue: Venue, now_ns: int) -> ExchangeInfo:
    """What the venue is, truthfully."""
    symbols = []
    for view in venue.market.symbols.values():
        spec, numerals = view.spec, view.numerals
        rules = venue.exchange.config.rules_of(view.symbol)
        lowest = rules.brackets[0]
        symbols.append(
            SymbolFact(
                symbol=view.symbol,
                pair=view.symbol,
                contract_type="PERPETUAL",
                delivery_date=_PERPETUAL_MS,
                onboard_date=_ONBOARD_MS,
                status=_STATUSES[spec.status],
                maint_margin_percent=fixed(lowest.maintenance_ppm, 4),
                required_margin_percent=fixed(PPM // lowest.leverage_max, 4),
                base_asset=spec.base_asset,
                quote_asset=spec.quote_asset,
                margin_asset=spec.settle_asset,
                price_precision=numerals.price_decimals,
                quantity_precision=numerals.qty_decimals,
                base_asset_precision=8,
                quote_precision=8,
                underlying_type="COIN",
                underlying_sub_type=["PoW"],
                settle_plan=0,
                trigger_protect=_share(rules.trigger_protect_ppm, 4),
                liquidation_fee=fixed(rules.liquidation_fee_ppm, 6),
                market_take_bound=_share(rules.market_take_ppm, 2),
                max_move_order_limit=venue.exchange.config.amendments_max,
                filters=_filters(view, rules),
                order_types=ORDER_TYPES,
                time_in_force=TIMES_IN_FORCE,
            )
        )
    assets = dict.fromkeys(view.spec.settle_asset for view in venue.market.symbols.values())
    return ExchangeInfo(
        timezone="UTC",
        server_time=venue.shown_ms(now_ns),
        futures_type="U_MARGINED",
        rate_limits=rate_limits(venue),
        exchange_filters=[],
        assets=[AssetFact(asset=one, margin_available=True, auto_asset_exchange="-10000") for one in assets],
        symbols=symbols,
    )


def levels(view: SymbolView, limit: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The best bids and asks as texts."""
    price, qty = view.numerals.price, view.numerals.qty
    bids, asks = view.levels(limit)
    return [(price(p), qty(q)) for p, q in bids], [(price(p), qty(q)) for p, q in asks]


def book(venue: Venue, view: SymbolView, limit: int, now_ns: int) -> BookWire:
    """A snapshot that the diffs continue: its id is the last diff's."""
    bids, asks = levels(view, limit)
    at_ms = view.book_ms + venue.step_ns // 1_000_000 if view.book_ms else venue.shown_ms(now_ns)
    return BookWire(lastUpdateId=view.last_id, E=venue.shown_ms(now_ns), T=at_ms, bids=bids, asks=asks)


def book_ticker(venue: Venue, view: SymbolView, now_ns: int) -> BookTicker:
    """The best bid and ask; zeros before the market said any."""
    quote, numerals = view.quote, view.numerals
    return BookTicker(
        symbol=view.symbol,
        bid_price=numerals.price(quote.bid_ticks if quote else 0),
        bid_qty=numerals.qty(quote.bid_lots if quote else 0),
        ask_price=numerals.price(quote.ask_ticks if quote else 0),
        ask_qty=numerals.qty(quote.ask_lots if quote else 0),
        time=view.quote_ms + venue.step_ns // 1_000_000 if quote else venue.shown_ms(now_ns),
        last_update_id=view.last_id,
    )


def percent(change: int, base: int, decimals: int) -> str:
    """A change in percent of a base."""
    return fixed(rounded(change * 100 * 10**decimals, base) if base else 0, decimals)


def ticker_24h(venue: Venue, view: SymbolView, now_ns: int) -> Ticker24h:
    """The last day, as far as it was seen."""
    numerals = view.numerals
    now_ms = now_ns // 1_000_000
    bar = view.candles.day(now_ms) or Candle(now_ms, now_ms, *(view.last_ticks,) * 4, 0, 0)
    change = bar.close_ticks - bar.open_ticks
    step_ms = venue.step_ns // 1_000_000
    return Ticker24h(
        symbol=view.symbol,
        price_change=numerals.price(change),
        price_change_percent=percent(change, bar.open_ticks, 3),
        weighted_avg_price=numerals.average(bar.tick_lots, bar.lots, numerals.price_decimals),
        last_price=numerals.price(bar.close_ticks),
        last_qty=numerals.qty(view.trades[-1].lots if view.trades else 0),
        open_price=numerals.price(bar.open_ticks),
        high_price=numerals.price(bar.high_ticks),
        low_price=numerals.price(bar.low_ticks),
        volume=numerals.qty(bar.lots),
        quote_volume=fixed(numerals.notional_e8(bar.tick_lots) // 10**6, 2),
        open_time=bar.open_ms + step_ms,
        close_time=bar.close_ms + step_ms,
        first_id=bar.first_id,
        last_id=bar.last_id,
        count=bar.count,
    )


def funding_text(ppb: int) -> str:
    """A funding rate with eight decimals."""
    return fixed(rounded(ppb, 10), 8)


def next_funding_ms(venue: Venue, symbol: str) -> int:
    """When funding falls next."""
    return venue.shown_ms(venue.exchange.funding(symbol).next_ns)


def premium_index(venue: Venue, view: SymbolView, now_ns: int) -> PremiumIndex:
    """Mark and funding."""
    mark = view.numerals.mark(venue.exchange.mark_ticks(view.symbol))
    return PremiumIndex(
        symbol=view.symbol,
        mark_price=mark,
        index_price=mark,
        estimated_settle_price=mark,
        last_funding_rate=funding_text(venue.exchange.funding(view.symbol).rate_ppb),
        interest_rate="0.00010000",
        next_funding_time=next_funding_ms(venue, view.symbol),
        time=venue.shown_ms(now_ns),
    )


def public_trade(venue: Venue, view: SymbolView, one: Print) -> PublicTrade:
    """A public print."""
    numerals = view.numerals
    return PublicTrade(
        id=one.trade_id,
        price=numerals.price(one.price_ticks),
        qty=numerals.qty(one.lots),
        quote_qty=fixed(numerals.notional_e8(one.price_ticks * one.lots) // 10**6, 2),
        time=one.at_ms + venue.step_ns // 1_000_000,
        is_buyer_maker=one.aggressor < 0,
    )


def candle_row(venue: Venue, view: SymbolView, candle: Candle) -> list[int | str]:
    """A candle as klines give it."""
    numerals = view.numerals
    step_ms = venue.step_ns // 1_000_000
    return [
        candle.open_ms + step_ms,
        numerals.price(candle.open_ticks),
        numerals.price(candle.high_ticks),
        numerals.price(candle.low_ticks),
        numerals.price(candle.close_ticks),
        numerals.qty(candle.lots),
        candle.close_ms + step_ms,
        numerals.quote(candle.tick_lots),
        candle.count,
        numerals.qty(candle.buy_lots),
        numerals.quote(candle.buy_tick_lots),
        "0",
    ]
