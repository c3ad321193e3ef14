"""Every check of the gate at its edge: the last order that passes, and the first that is refused, with numbers.

One table for two tests: that the gate decides so, and that no check can be taken out without a row going wrong.
"""

from typing import NamedTuple

from holdfast.core.gate import checks
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.orders import OrderType, Side, TimeInForce
from holdfast.vocab.refusals import (
    BadTerms,
    DuplicateIntent,
    Held,
    NoReference,
    NotReducing,
    NotTrading,
    OutsideCollar,
    OverGross,
    OverOrderNotional,
    OverOrderSize,
    OverPosition,
    OverRate,
    QtyOutOfRange,
    StaleReference,
    TooManyOrders,
    UnderNotional,
    UnknownEquity,
)
from holdfast.vocab.units import E8
from tests.house.setup import BTC_TICKS, a_spec, account_limits, instrument_limits, strategy_limits

L = HoldLevel
LOT_E8 = 60 * E8  # one lot of BTC at the mid
SELL = Side.SELL
BUY = Side.BUY
STOP = {"order_type": OrderType.STOP_MARKET, "price_ticks": None, "trigger_ticks": BTC_TICKS - 3_000}
MARKET = {"order_type": OrderType.MARKET, "price_ticks": None}
ROOMY = instrument_limits(order_lots_max=10_000, order_notional_e8_max=10**15, position_lots_max=100_000)
ROOMY_STRATEGY = strategy_limits(order_lots_max=10_000, position_lots_max=100_000)
ROOMY_ACCOUNT = account_limits(gross_notional_e8_max=10**16, leverage_ppm_max=10**9)
ROOMS = {"instrument": ROOMY, "strategy": ROOMY_STRATEGY, "account": ROOMY_ACCOUNT}


class Case(NamedTuple):
    name: str
    check: object  # whose business it is
    desk: dict
    intent: dict
    refusal: object  # None: it passes


def case(name, check, desk=None, intent=None, refusal=None):
    return Case(name, check, desk or {}, intent or {}, refusal)


def held(level):
    return Held(level=level, cause=HoldCause.HALT, hold_id=7)


CASES = [
    # --- holds
    case("a hold of REDUCED lets it through", checks.not_held, {"level": L.REDUCED}),
    case(
        "a hold of REDUCE_ONLY lets what reduces through",
        checks.not_held,
        {"level": L.REDUCE_ONLY, "position": 10},
        {"side": SELL, "reduce_only": True},
    ),
    case("HALTED stops everything", checks.not_held, {"level": L.HALTED}, {}, held(L.HALTED)),
    case(
        "HALTED stops what reduces too",
        checks.not_held,
        {"level": L.HALTED, "position": 10},
        {"side": SELL, "reduce_only": True},
        held(L.HALTED),
    ),
    case("KILLED stops everything", checks.not_held, {"level": L.KILLED}, {}, held(L.KILLED)),
    # --- terms
    case("a plain limit order", checks.makes_sense),
    case("a market order", checks.makes_sense, {}, MARKET),
    case(
        "a protective stop", checks.makes_sense, {"position": 10}, {**STOP, "side": SELL, "reduce_only": True}
    ),
    case(
        "an instrument that is halted at the venue",
        checks.makes_sense,
        {"spec": a_spec(status=InstrumentStatus.HALTED)},
        {},
        NotTrading(status="halted"),
    ),
    case(
        "a limit order without a price",
        checks.makes_sense,
        {},
        {"price_ticks": None},
        BadTerms(why="a limit order needs a price above zero"),
    ),
    case(
        "a limit order at zero",
        checks.makes_sense,
        {},
        {"price_ticks": 0},
        BadTerms(why="a limit order needs a price above zero"),
    ),
    case(
        "a limit order with a trigger",
        checks.makes_sense,
        {},
        {"trigger_ticks": BTC_TICKS},
        BadTerms(why="only a conditional order carries a trigger"),
    ),
    case(
        "a market order with a price",
        checks.makes_sense,
        {},
        {"order_type": OrderType.MARKET},
        BadTerms(why="only a limit order carries a price"),
    ),
    case(
        "a market order with a trigger",
        checks.makes_sense,
        {},
        {**MARKET, "trigger_ticks": BTC_TICKS},
        BadTerms(why="only a conditional order carries a trigger"),
    ),
    case(
        "a market order that wants to rest",
        checks.makes_sense,
        {},
        {**MARKET, "tif": TimeInForce.POST_ONLY},
        BadTerms(why="a market order cannot be post-only"),
    ),
    case(
        "a stop without a trigger",
        checks.makes_sense,
        {"position": 10},
        {**STOP, "trigger_ticks": None, "side": SELL, "reduce_only": True},
        BadTerms(why="a conditional order needs a trigger above zero"),
    ),
    case(
        "a stop with a trigger at zero",
        checks.makes_sense,
        {"position": 10},
        {**STOP, "trigger_ticks": 0, "side": SELL, "reduce_only": True},
        BadTerms(why="a conditional order needs a trigger above zero"),
    ),
    case(
        "a stop that opens a position",
        checks.makes_sense,
        {},
        {**STOP, "side": SELL},
        BadTerms(why="a conditional order must be reduce-only"),
    ),
    case(
        "a stop that is immediate or cancel",
        checks.makes_sense,
        {"position": 10},
        {**STOP, "side": SELL, "reduce_only": True, "tif": TimeInForce.IOC},
        BadTerms(why="a conditional order rests until cancelled"),
    ),
    # --- the venue's sizes
    case(
        "the venue's smallest size",
        checks.fits_the_venue,
        {"spec": a_spec(qty_lots_min=10)},
    ),
    case(
        "a lot less than the venue's smallest",
        checks.fits_the_venue,
        {"spec": a_spec(qty_lots_min=11)},
        {},
        QtyOutOfRange(qty_lots=10, min_lots=11, max_lots=1_000_000),
    ),
    case("the venue's largest size", checks.fits_the_venue, {"spec": a_spec(qty_lots_max=10)}),
    case(
        "a lot more than the venue's largest",
        checks.fits_the_venue,
        {"spec": a_spec(qty_lots_max=9)},
        {},
        QtyOutOfRange(qty_lots=10, min_lots=1, max_lots=9),
    ),
    case(
        "a market order has a largest size of its own",
        checks.fits_the_venue,
        {"spec": a_spec(market_lots_max=9)},
        MARKET,
        QtyOutOfRange(qty_lots=10, min_lots=1, max_lots=9),
    ),
    case(
        "no size",
        checks.fits_the_venue,
        {"spec": a_spec(qty_lots_min=0, notional_e8_min=0)},
        {"qty_lots": 0},
        QtyOutOfRange(qty_lots=0, min_lots=0, max_lots=1_000_000),
    ),
    case(
        "a size below zero",
        checks.fits_the_venue,
        {"spec": a_spec(qty_lots_min=-9, notional_e8_min=-(10**12))},
        {"qty_lots": -1},
        QtyOutOfRange(qty_lots=-1, min_lots=-9, max_lots=1_000_000),
    ),
    # --- the reference
    case("a quote as old as it may be", checks.priced_from_fresh_data, {"quote_age_ms": 1_000}),
    case(
        "a quote a millisecond too old",
        checks.priced_from_fresh_data,
        {"quote_age_ms": 1_001},
        {},
        StaleReference(age_ms=1_001, limit_ms=1_000),
    ),
    case("no quote at all", checks.priced_from_fresh_data, {"quoted": False}, {}, NoReference(what="quote")),
    # --- twice the same
    case("a new number", checks.not_a_duplicate, {}, {"intent_seq": 1}),
    case("an old number", checks.not_a_duplicate, {}, {"intent_seq": 0}, DuplicateIntent(intent_seq=0)),
    # --- one order
    case("the strategy's largest order", checks.within_order_limits, {}, {"qty_lots": 80}),
    case(
        "a lot over the strategy's largest",
        checks.within_order_limits,
        {},
        {"qty_lots": 81},
        OverOrderSize(qty_lots=81, limit_lots=80),
    ),
    case(
        "the instrument's largest order is the smaller here",
        checks.within_order_limits,
        {"instrument": instrument_limits(order_lots_max=9)},
        {},
        OverOrderSize(qty_lots=10, limit_lots=9),
    ),
    case(
        "exactly the money of one order",
        checks.within_order_limits,
        {"instrument": instrument_limits(order_notional_e8_max=10 * LOT_E8)},
    ),
    case(
        "a hundred-millionth over the money of one order",
        checks.within_order_limits,
        {"instrument": instrument_limits(order_notional_e8_max=10 * LOT_E8 - 1)},
        {},
        OverOrderNotional(notional_e8=10 * LOT_E8, limit_e8=10 * LOT_E8 - 1),
    ),
    case(
        "a market buy is counted at the ask",
        checks.within_order_limits,
        {"instrument": instrument_limits(order_notional_e8_max=10 * LOT_E8)},
        MARKET,
        OverOrderNotional(notional_e8=10 * (LOT_E8 + 5 * 10_000), limit_e8=10 * LOT_E8),
    ),
    case(
        "the venue's smallest order in money",
        checks.within_order_limits,
        {"spec": a_spec(notional_e8_min=10 * LOT_E8)},
    ),
    case(
        "smaller in money than the venue takes",
        checks.within_order_limits,
        {"spec": a_spec(notional_e8_min=10 * LOT_E8 + 1)},
        {},
        UnderNotional(notional_e8=10 * LOT_E8, min_e8=10 * LOT_E8 + 1),
    ),
    case(
        "what reduces may be small in money",
        checks.within_order_limits,
        {"spec": a_spec(notional_e8_min=10 * LOT_E8 + 1), "position": 10},
        {"side": SELL, "reduce_only": True},
    ),
    # --- the collar: 1 % round a mid of 600,000
    case("on the collar's upper edge", checks.inside_the_collar, {}, {"price_ticks": 606_000}),
    case("on its lower edge", checks.inside_the_collar, {}, {"price_ticks": 594_000}),
    case(
        "a tick above it",
        checks.inside_the_collar,
        {},
        {"price_ticks": 606_001},
        OutsideCollar(price_ticks=606_001, reference_ticks=600_000, limit_ppm=10_000),
    ),
    case(
        "a tick below it",
        checks.inside_the_collar,
        {},
        {"price_ticks": 593_999, "side": SELL},
        OutsideCollar(price_ticks=593_999, reference_ticks=600_000, limit_ppm=10_000),
    ),
    case(
        "inside round the mid, outside round the mark",
        checks.inside_the_collar,
        {"mark": 595_000},
        {"price_ticks": 604_000},
        OutsideCollar(price_ticks=604_000, reference_ticks=595_000, limit_ppm=10_000),
    ),
    case(
        "on the edge round the mark",
        checks.inside_the_collar,
        {"mark": 600_000},
        {"price_ticks": 606_000},
    ),
    case(
        "a mark that is as old as it may be",
        checks.inside_the_collar,
        {"mark": 595_000, "mark_age_ns": MARK_AGE_NS_MAX},
        {"price_ticks": 604_000},
        OutsideCollar(price_ticks=604_000, reference_ticks=595_000, limit_ppm=10_000),
    ),
    case(
        "a mark whose stream has died",
        checks.inside_the_collar,
        {"mark": 595_000, "mark_age_ns": MARK_AGE_NS_MAX + 1},
        {"price_ticks": 604_000},
    ),
    case(
        "a market buy is judged at the ask",
        checks.inside_the_collar,
        {"instrument": instrument_limits(collar_ppm=8)},
        MARKET,
        OutsideCollar(price_ticks=600_005, reference_ticks=600_000, limit_ppm=8),
    ),
    case(
        "and a market sell at the bid",
        checks.inside_the_collar,
        {"instrument": instrument_limits(collar_ppm=8)},
        {**MARKET, "side": SELL},
        OutsideCollar(price_ticks=599_995, reference_ticks=600_000, limit_ppm=8),
    ),
    case(
        "half as wide at REDUCED",
        checks.inside_the_collar,
        {"level": L.REDUCED},
        {"price_ticks": 603_001},
        OutsideCollar(price_ticks=603_001, reference_ticks=600_000, limit_ppm=5_000),
    ),
    case(
        "the edge at REDUCED", checks.inside_the_collar, {"level": L.REDUCED}, {"price_ticks": 603_000}
    ),
    case(
        "a trigger is judged like a price",
        checks.inside_the_collar,
        {"position": 10},
        {**STOP, "trigger_ticks": 593_000, "side": SELL, "reduce_only": True},
        OutsideCollar(price_ticks=593_000, reference_ticks=600_000, limit_ppm=10_000),
    ),
    # --- reducing
    case(
        "REDUCE_ONLY: to exactly zero",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 10},
        {"side": SELL},
    ),
    case(
        "REDUCE_ONLY: a lot through zero",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 9},
        {"side": SELL},
        NotReducing(position_lots=9, reducing_lots=0, qty_lots=10),
    ),
    case(
        "REDUCE_ONLY: from flat",
        checks.reduces,
        {"level": L.REDUCE_ONLY},
        {},
        NotReducing(position_lots=0, reducing_lots=0, qty_lots=10),
    ),
    case(
        "REDUCE_ONLY: more of the same",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 10},
        {},
        NotReducing(position_lots=10, reducing_lots=0, qty_lots=10),
    ),
    case(
        "REDUCE_ONLY: an exit that works already counts",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 19, "open_sells": 10},
        {"side": SELL},
        NotReducing(position_lots=19, reducing_lots=10, qty_lots=10),
    ),
    case(
        "REDUCE_ONLY: a second exit that fits behind the first",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 20, "open_sells": 10},
        {"side": SELL},
    ),
    case(
        "a short is reduced by buying",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": -10},
        {"side": BUY},
    ),
    case(
        "the account's position is what counts at the venue",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 10, "others": -10},
        {"side": SELL},
        NotReducing(position_lots=0, reducing_lots=0, qty_lots=10),
    ),
    case(
        "nobody reduces what another strategy holds",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 0, "others": 10},
        {"side": SELL},
        NotReducing(position_lots=0, reducing_lots=0, qty_lots=10),
    ),
    case(
        "nor by two exits of its own where others hold the rest",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 10, "others": 10, "open_sells": 10},
        {"side": SELL},
        NotReducing(position_lots=10, reducing_lots=10, qty_lots=10),
    ),
    case(
        "nor where others' exits have taken what the account holds",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 20, "others_open_sells": 15},
        {"side": SELL},
        NotReducing(position_lots=20, reducing_lots=15, qty_lots=10),
    ),
    case(
        "a short: a second exit that fits behind the first",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": -20, "open_buys": 10},
    ),
    case(
        "a short: a second exit that does not",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": -19, "open_buys": 10},
        {},
        NotReducing(position_lots=-19, reducing_lots=10, qty_lots=10),
    ),
    case(
        "a stop for the whole position stands behind an exit of it",
        checks.reduces,
        {"level": L.REDUCE_ONLY, "position": 10, "open_sells": 10},
        {**STOP, "side": SELL, "reduce_only": True},
    ),
    case(
        "a stop for more than the position",
        checks.reduces,
        {"position": 9},
        {**STOP, "side": SELL, "reduce_only": True},
        NotReducing(position_lots=9, reducing_lots=0, qty_lots=10),
    ),
    case(
        "an order that says reduce-only must reduce at any level",
        checks.reduces,
        {},
        {"reduce_only": True},
        NotReducing(position_lots=0, reducing_lots=0, qty_lots=10),
    ),
    # --- position limits: 200 for alpha, 300 for all
    case(
        "up to the strategy's limit",
        checks.within_position_limits,
        {"position": 100, "open_buys": 90, **ROOMS, "strategy": strategy_limits()},
    ),
    case(
        "a lot over the strategy's limit",
        checks.within_position_limits,
        {"position": 100, "open_buys": 91, **ROOMS, "strategy": strategy_limits()},
        {},
        OverPosition(of="strategy", would_be_lots=201, limit_lots=200),
    ),
    case(
        "the short side has the same limit",
        checks.within_position_limits,
        {"position": -100, "open_sells": 91, **ROOMS, "strategy": strategy_limits()},
        {"side": SELL},
        OverPosition(of="strategy", would_be_lots=201, limit_lots=200),
    ),
    case(
        "up to the limit of all strategies together",
        checks.within_position_limits,
        {
            "others": 200,
            "others_open_buys": 90,
            **ROOMS,
            "instrument": instrument_limits(order_notional_e8_max=10**15),
        },
    ),
    case(
        "a lot over the limit of all strategies together",
        checks.within_position_limits,
        {
            "others": 200,
            "others_open_buys": 91,
            **ROOMS,
            "instrument": instrument_limits(order_notional_e8_max=10**15),
        },
        {},
        OverPosition(of="instrument", would_be_lots=301, limit_lots=300),
    ),
    case(
        "a lot over the limit of all strategies together, short",
        checks.within_position_limits,
        {
            "others": -200,
            "others_open_sells": 91,
            **ROOMS,
            "instrument": instrument_limits(order_notional_e8_max=10**15),
        },
        {"side": SELL},
        OverPosition(of="instrument", would_be_lots=301, limit_lots=300),
    ),
    case(
        "half the limit of all strategies together at REDUCED",
        checks.within_position_limits,
        {
            "others": 141,
            "level": L.REDUCED,
            **ROOMS,
            "instrument": instrument_limits(order_notional_e8_max=10**15),
        },
        {},
        OverPosition(of="instrument", would_be_lots=151, limit_lots=150),
    ),
    case(
        "over the limit, what reduces still passes",
        checks.within_position_limits,
        {"position": 500, **ROOMS, "strategy": strategy_limits(), "instrument": instrument_limits()},
        {"side": SELL},
    ),
    case(
        "sells in the air are no room for buys",
        checks.within_position_limits,
        {"position": 195, "open_sells": 50, **ROOMS, "strategy": strategy_limits()},
        {},
        OverPosition(of="strategy", would_be_lots=205, limit_lots=200),
    ),
    case(
        "half the limit at REDUCED",
        checks.within_position_limits,
        {"position": 91, "level": L.REDUCED, **ROOMS, "strategy": strategy_limits()},
        {},
        OverPosition(of="strategy", would_be_lots=101, limit_lots=100),
    ),
    # --- the account's money
    case(
        "gross up to the limit",
        checks.within_account_limits,
        {
            "elsewhere_e8": 90 * LOT_E8,
            **ROOMS,
            "account": account_limits(gross_notional_e8_max=100 * LOT_E8),
        },
    ),
    case(
        "gross a hundred-millionth over the limit",
        checks.within_account_limits,
        {
            "elsewhere_e8": 90 * LOT_E8 + 1,
            **ROOMS,
            "account": account_limits(gross_notional_e8_max=100 * LOT_E8),
        },
        {},
        OverGross(would_be=100 * LOT_E8 + 1, limit=100 * LOT_E8, unit="e8"),
    ),
    case(
        "gross counts at the mark where that is higher",
        checks.within_account_limits,
        {"mark": 601_000, **ROOMS, "account": account_limits(gross_notional_e8_max=10 * LOT_E8)},
        {},
        OverGross(would_be=10 * 601_000 * 10_000, limit=10 * LOT_E8, unit="e8"),
    ),
    case(
        "and at the order's own price where that is highest",
        checks.within_account_limits,
        {**ROOMS, "account": account_limits(gross_notional_e8_max=10 * LOT_E8)},
        {"price_ticks": 600_100},
        OverGross(would_be=10 * 600_100 * 10_000, limit=10 * LOT_E8, unit="e8"),
    ),
    case(
        "and at the last print where that is highest",
        checks.within_account_limits,
        {"last": 600_050, **ROOMS, "account": account_limits(gross_notional_e8_max=10 * LOT_E8)},
        {},
        OverGross(would_be=10 * 600_050 * 10_000, limit=10 * LOT_E8, unit="e8"),
    ),
    case(
        "half a tick is rounded up, against us",
        checks.within_account_limits,
        {"ask": 600_006, **ROOMS, "account": account_limits(gross_notional_e8_max=10 * LOT_E8)},
        {},
        OverGross(would_be=10 * 600_001 * 10_000, limit=10 * LOT_E8, unit="e8"),
    ),
    case(
        "a sell counts as well",
        checks.within_account_limits,
        {**ROOMS, "account": account_limits(gross_notional_e8_max=9 * LOT_E8)},
        {"side": SELL},
        OverGross(would_be=10 * LOT_E8, limit=9 * LOT_E8, unit="e8"),
    ),
    case(
        "a sell on top of a short",
        checks.within_account_limits,
        {"position": -50, **ROOMS, "account": account_limits(gross_notional_e8_max=59 * LOT_E8)},
        {"side": SELL},
        OverGross(would_be=60 * LOT_E8, limit=59 * LOT_E8, unit="e8"),
    ),
    case(
        "a buy against a short makes nothing larger",
        checks.within_account_limits,
        {"position": -50, **ROOMS, "account": account_limits(gross_notional_e8_max=50 * LOT_E8)},
    ),
    case(
        "a sell against a long makes nothing larger",
        checks.within_account_limits,
        {"position": 50, **ROOMS, "account": account_limits(gross_notional_e8_max=50 * LOT_E8)},
        {"side": SELL},
    ),
    case(
        "half the leverage at REDUCED",
        checks.within_account_limits,
        {"level": L.REDUCED, **ROOMS, "account": account_limits(), "equity_e8": 4 * LOT_E8 - 1},
        {},
        OverGross(would_be=2_500_001, limit=2_500_000, unit="ppm"),
    ),
    case(
        "half the gross at REDUCED",
        checks.within_account_limits,
        {
            "level": L.REDUCED,
            "elsewhere_e8": 41 * LOT_E8,
            **ROOMS,
            "account": account_limits(gross_notional_e8_max=100 * LOT_E8),
        },
        {},
        OverGross(would_be=51 * LOT_E8, limit=50 * LOT_E8, unit="e8"),
    ),
    case(
        "leverage up to the limit",
        checks.within_account_limits,
        {**ROOMS, "account": account_limits(leverage_ppm_max=5_000_000), "equity_e8": 2 * LOT_E8},
    ),
    case(
        "leverage over the limit",
        checks.within_account_limits,
        {**ROOMS, "account": account_limits(leverage_ppm_max=5_000_000), "equity_e8": 2 * LOT_E8 - 1},
        {},
        OverGross(would_be=5_000_001, limit=5_000_000, unit="ppm"),
    ),
    case(
        "equity is not known",
        checks.within_account_limits,
        {"equity_e8": None},
        {},
        UnknownEquity(why="no equity yet"),
    ),
    case(
        "equity is gone",
        checks.within_account_limits,
        {"equity_e8": 0},
        {},
        UnknownEquity(why="equity is not above zero"),
    ),
    case(
        "what reduces needs no equity",
        checks.within_account_limits,
        {"equity_e8": None, "position": 10},
        {"side": SELL, "reduce_only": True},
    ),
    # --- rates: 20 within a second, 50 open
    case("the twentieth within a second", checks.within_the_rate, {"asked_ms_ago": [100] * 19}),
    case(
        "the twenty-first within a second",
        checks.within_the_rate,
        {"asked_ms_ago": [999] * 20},
        {},
        OverRate(count=21, limit=20),
    ),
    case("the first of them a whole second ago", checks.within_the_rate, {"asked_ms_ago": [1_000] + [5] * 19}),
    case(
        "two bursts on either side of a full second",
        checks.within_the_rate,
        {"asked_ms_ago": [501] * 10 + [499] * 10},
        {},
        OverRate(count=21, limit=20),
    ),
    case("one order fewer than may be open", checks.within_the_rate, {"open_orders": 49}),
    case(
        "as many orders open as may be",
        checks.within_the_rate,
        {"open_orders": 50},
        {},
        TooManyOrders(count=50, limit=50),
    ),
]
