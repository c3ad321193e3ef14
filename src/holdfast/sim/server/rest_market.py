"""Public endpoints: what anybody may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.sim.model import Refused
from holdfast.sim.server import wire_market as wire
from holdfast.sim.server.candles import INTERVALS_MS, Candles
from holdfast.sim.server.market_view import SymbolView
from holdfast.sim.server.numerals import fixed
from holdfast.sim.server.venue import Call
from holdfast.vocab.units import NS_PER_MS

DEPTH_LIMITS: Final = frozenset({5, 10, 20, 50, 100, 500, 1000})


def ping(call: Call) -> dict[str, object]:
    """GET ping."""
    return {}


def server_time(call: Call) -> dict[str, int]:
    """GET time."""
    return {"serverTime": call.venue.shown_ms(call.now_ns)}


def exchange_info(call: Call) -> wire.ExchangeInfo:
    """GET exchangeInfo."""
    return wire.exchange_info(call.venue, call.now_ns)


def depth(call: Call) -> wire.BookWire:
    """GET depth."""
    limit = call.params.maybe_integer("limit")
    if limit is not None and limit not in DEPTH_LIMITS:
        raise Refused(-4021, f"{limit} is not valid depth limit.")
    return wire.book(call.venue, call.view(), limit or 500, call.now_ns)


def _one_or_all(call: Call, answer: Callable[[SymbolView], object]) -> object:
    view = call.maybe_view()
    if view is not None:
        return answer(view)
    return [answer(one) for one in call.venue.market.symbols.values()]


def book_ticker(call: Call) -> object:
    """GET ticker/bookTicker."""
    return _one_or_all(call, lambda view: wire.book_ticker(call.venue, view, call.now_ns))


def price_ticker(call: Call) -> object:
    """GET ticker/price, versions 1 and 2."""

    def answer(view: SymbolView) -> wire.PriceTicker:
        at_ns = call.now_ns if not view.trades else view.trades[-1].at_ms * NS_PER_MS
        return wire.PriceTicker(
            symbol=view.symbol, price=view.numerals.price(view.last_ticks), time=call.venue.shown_ms(at_ns)
        )

    return _one_or_all(call, answer)


def ticker_24h(call: Call) -> object:
    """GET ticker/24hr."""
    return _one_or_all(call, lambda view: wire.ticker_24h(call.venue, view, call.now_ns))


def premium_index(call: Call) -> object:
    """GET premiumIndex."""
    return _one_or_all(call, lambda view: wire.premium_index(call.venue, view, call.now_ns))


def open_interest(call: Call) -> dict[str, object]:
    """GET openInterest: of our accounts, which is all that is known."""
    view = call.view()
    lots = sum(
        abs(position.position_lots)
        for account in call.venue.exchange.accounts.values()
        for position in account.positions.values()
        if position.symbol == view.symbol
    )
    return {
        "openInterest": view.numerals.qty(lots),
        "symbol": view.symbol,
        "time": call.venue.shown_ms(call.now_ns),
    }


def trades(call: Call) -> list[wire.PublicTrade]:
    """GET trades, historicalTrades."""
    view = call.view()
    from_id = call.params.maybe_integer("fromId")
    limit = call.params.limit(500, 1000)
    found = [one for one in view.trades if from_id is None or one.trade_id >= from_id]
    chosen = found[-limit:] if from_id is None else found[:limit]
    return [wire.public_trade(call.venue, view, one) for one in chosen]


def agg_trades(call: Call) -> list[dict[str, object]]:
    """GET aggTrades: each print stands alone here."""
    view = call.view()
    from_id = call.params.maybe_integer("fromId")
    start_ns, end_ns = call.time_range()
    limit = call.params.limit(500, 1000)
    found = [
        one
        for one in view.trades
        if (from_id is None or one.trade_id >= from_id)
        and (start_ns is None or one.at_ms * NS_PER_MS >= start_ns)
        and (end_ns is None or one.at_ms * NS_PER_MS <= end_ns)
    ]
    step_ms = call.venue.step_ns // NS_PER_MS
    chosen = found[-limit:] if from_id is None and start_ns is None else found[:limit]
    return [
        {
            "a": one.trade_id,
            "p": view.numerals.price(one.price_ticks),
            "q": view.numerals.qty(one.lots),
            "f": one.trade_id,
            "l": one.trade_id,
            "T": one.at_ms + step_ms,
            "m": one.aggressor < 0,
        }
        for one in chosen
    ]


def klines(call: Call) -> list[list[int | str]]:
    """GET klines: from what was seen since the start."""
    view = call.view()
    return _candles(call, view, view.candles)


def continuous_klines(call: Call) -> list[list[int | str]]:
    """GET continuousKlines: the pair's perpetual."""
    call.params.text("contractType")
    view = call.venue.view(call.params.text("pair"))
    return _candles(call, view, view.candles)


def mark_klines(call: Call) -> list[list[int | str]]:
    """GET markPriceKlines, indexPriceKlines (by ``pair``): the index is the mark here."""
    view = call.venue.view(call.params.maybe("symbol") or call.params.text("pair"))
    return _candles(call, view, view.mark_candles)


def _candles(call: Call, view: SymbolView, candles: Candles) -> list[list[int | str]]:
    interval = call.params.text("interval")
    if interval not in INTERVALS_MS:
        raise Refused(-1120, "Invalid interval.")
    start_ns, end_ns = call.time_range()
    limit = call.params.limit(500, 1500)
    found = [
        one
        for one in candles.series(interval)
        if (start_ns is None or one.open_ms * NS_PER_MS >= start_ns)
        and (end_ns is None or one.open_ms * NS_PER_MS <= end_ns)
    ]
    chosen = found[-limit:] if start_ns is None else found[:limit]
    return [wire.candle_row(call.venue, view, one) for one in chosen]


def funding_rate(call: Call) -> list[dict[str, object]]:
    """GET fundingRate: fundings since the start."""
    view = call.maybe_view()
    start_ns, end_ns = call.time_range()
    step_ms = call.venue.step_ns // NS_PER_MS
    found = [
        (one.at_ms, name.symbol, one, name)
        for name in (call.venue.market.symbols.values() if view is None else (view,))
        for one in name.fundings
        if (start_ns is None or one.at_ms * NS_PER_MS >= start_ns)
        and (end_ns is None or one.at_ms * NS_PER_MS <= end_ns)
    ]
    found.sort(key=lambda entry: entry[:2])
    return [
        {
            "symbol": symbol,
            "fundingTime": at_ms + step_ms,
            "fundingRate": wire.funding_text(one.rate_ppb),
            "markPrice": name.numerals.mark(one.mark_ticks),
        }
        for at_ms, symbol, one, name in found[-call.params.limit(100, 1000) :]
    ]


def funding_info(call: Call) -> list[dict[str, object]]:
    """GET fundingInfo."""
    hours = call.venue.exchange.config.funding_interval_ns // (3600 * 10**9)
    return [
        {
            "symbol": symbol,
            "adjustedFundingRateCap": fixed(2_000_000, 8),
            "adjustedFundingRateFloor": fixed(-2_000_000, 8),
            "fundingIntervalHours": hours,
            "disclaimer": False,
        }
        for symbol in call.venue.market.symbols
    ]


def nothing(call: Call) -> list[object]:
    """Statistics that a venue of a few accounts does not have."""
    return []


def adl_risk(call: Call) -> object:
    """GET symbolAdlRisk: nobody is deleveraged here."""
    at_ms = call.venue.shown_ms(call.now_ns)
    return _one_or_all(call, lambda view: {"symbol": view.symbol, "adlRisk": "low", "updateTime": at_ms})


def constituents(call: Call) -> dict[str, object]:
    """GET constituents: an index of nothing but this venue."""
    view = call.view()
    entry = {
        "exchange": "sim",
        "symbol": view.symbol,
        "price": view.numerals.price(view.last_ticks),
        "weight": "1.00000000",
    }
    return {"symbol": view.symbol, "time": call.venue.shown_ms(call.now_ns), "constituents": [entry]}


def insurance_balance(call: Call) -> list[dict[str, object]]:
    """GET insuranceBalance."""
    at_ms = call.venue.shown_ms(call.now_ns)
    assets = dict.fromkeys(view.spec.settle_asset for view in call.venue.market.symbols.values())
    return [
        {
            "symbols": list(call.venue.market.symbols),
            "assets": [{"asset": one, "marginBalance": "0.00000000", "updateTime": at_ms} for one in assets],
        }
    ]
