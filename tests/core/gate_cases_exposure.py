"""The gate's checks of what an order adds to what is there, each at its edge."""

from holdfast.core.gate import checks
from holdfast.vocab.refusals import (
    NotReducing,
    OverDay,
    OverGross,
    OverPosition,
    OverRate,
    TooManyOrders,
    UnknownEquity,
)
from tests.core.gate_table import BUY, LOT_E8, ROOMS, SELL, STOP, L, case
from tests.house.setup import BTC, ETH, account_limits, instrument_limits, strategy_limits

EXPOSURE_CASES = [
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
    case(
        "the first of them a whole second ago", checks.within_the_rate, {"asked_ms_ago": [1_000] + [5] * 19}
    ),
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
    # --- rates of a strategy and of an instrument, below the account's
    case(
        "as many within a second as the strategy may",
        checks.within_the_rate,
        {"asked_ms_ago": [100] * 6, "strategy": strategy_limits(orders_per_s_refuse=7)},
    ),
    case(
        "one more than the strategy may",
        checks.within_the_rate,
        {"asked_ms_ago": [999] * 7, "strategy": strategy_limits(orders_per_s_refuse=7)},
        {},
        OverRate(count=8, limit=7, of="strategy"),
    ),
    case(
        "the strategy's first of them a whole second ago",
        checks.within_the_rate,
        {"asked_ms_ago": [1_000] + [5] * 6, "strategy": strategy_limits(orders_per_s_refuse=7)},
    ),
    case(
        "what others ask for is not the strategy's",
        checks.within_the_rate,
        {"asked_ms_ago": [(5, "beta", BTC)] * 7, "strategy": strategy_limits(orders_per_s_refuse=7)},
    ),
    case(
        "nor what it asks for elsewhere",
        checks.within_the_rate,
        {"asked_ms_ago": [(5, "alpha", ETH)] * 7, "strategy": strategy_limits(orders_per_s_refuse=7)},
    ),
    case(
        "as many within a second as the instrument may",
        checks.within_the_rate,
        {"asked_ms_ago": [(5, "beta", BTC)] * 8, "instrument": instrument_limits(orders_per_s_refuse=9)},
    ),
    case(
        "one more than the instrument may, whoever asked",
        checks.within_the_rate,
        {
            "asked_ms_ago": [(5, "beta", BTC)] * 5 + [5] * 4,
            "instrument": instrument_limits(orders_per_s_refuse=9),
        },
        {},
        OverRate(count=10, limit=9, of="instrument"),
    ),
    case(
        "another instrument's are not counted there",
        checks.within_the_rate,
        {"asked_ms_ago": [(5, "beta", ETH)] * 9, "instrument": instrument_limits(orders_per_s_refuse=9)},
    ),
    # --- the day
    *(
        one
        for field, limit, what, count in (
            ("orders_count", "orders_per_day_max", "orders", 7),
            ("cancels_count", "cancels_per_day_max", "cancels", 7),
            ("fills_count", "fills_per_day_max", "fills", 7),
            ("traded_e8", "traded_e8_per_day_max", "traded", 7 * LOT_E8),
        )
        for one in (
            case(
                f"one {what} short of the day's",
                checks.within_the_day,
                {"day": {field: count - 1}, "account": account_limits(**{limit: count})},
            ),
            case(
                f"the day's {what} are used up",
                checks.within_the_day,
                {"day": {field: count}, "account": account_limits(**{limit: count})},
                {},
                OverDay(what=what, count=count, limit=count),
            ),
            case(
                f"the day's {what} are used up, and what reduces passes",
                checks.within_the_day,
                {"day": {field: count}, "account": account_limits(**{limit: count}), "position": 10},
                {"side": SELL, "reduce_only": True},
            ),
        )
    ),
]
