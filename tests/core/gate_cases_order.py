"""The gate's checks of one order by itself, each at its edge."""

from holdfast.core.gate import checks
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.orders import OrderType, TimeInForce
from holdfast.vocab.refusals import (
    BadTerms,
    DuplicateIntent,
    NoReference,
    NotTrading,
    OutsideCollar,
    OverOrderNotional,
    OverOrderSize,
    QtyOutOfRange,
    StaleReference,
    UnderNotional,
)
from tests.core.gate_table import LOT_E8, MARKET, SELL, STOP, L, case, held
from tests.house.setup import BTC_TICKS, a_spec, instrument_limits

ORDER_CASES = [
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
    case("the edge at REDUCED", checks.inside_the_collar, {"level": L.REDUCED}, {"price_ticks": 603_000}),
    case(
        "a trigger is judged like a price",
        checks.inside_the_collar,
        {"position": 10},
        {**STOP, "trigger_ticks": 593_000, "side": SELL, "reduce_only": True},
        OutsideCollar(price_ticks=593_000, reference_ticks=600_000, limit_ppm=10_000),
    ),
]
