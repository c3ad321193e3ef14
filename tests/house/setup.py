"""Instruments, limits and settings with safe, boring numbers.

BTC: one lot is 0.001 BTC, one tick 0.1, so at 600,000 ticks a lot is worth 60. ETH: a lot is 0.001 ETH, a tick
0.01, so at 250,000 ticks a lot is worth 2.5.
"""

from msgspec import structs

from holdfast.vocab.governed import limits_of
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import (
    AccountLimits,
    InstrumentLimits,
    LimitCap,
    Settings,
    StrategyLimits,
    StrategySetup,
    Timings,
)
from holdfast.vocab.units import E8

BTC = "BTCUSDT"
ETH = "ETHUSDT"
BTC_TICKS = 600_000
ETH_TICKS = 250_000
OPENING_E8 = 10_000 * E8
WALL_NS = 1_723_075_200 * 1_000_000_000  # 2024-08-08 00:00:00 UTC
MONO_NS = 3_600 * 1_000_000_000

_BTC_SPEC = InstrumentSpec(
    instrument=BTC,
    symbol="BTC/USDT:USDT",
    base_asset="BTC",
    quote_asset="USDT",
    settle_asset="USDT",
    tick="0.1",
    lot="0.001",
    tick_lot_e8=10_000,
    qty_lots_min=1,
    qty_lots_max=1_000_000,
    market_lots_max=120_000,
    notional_e8_min=50 * E8,
)
_ETH_SPEC = structs.replace(
    _BTC_SPEC,
    instrument=ETH,
    symbol="ETH/USDT:USDT",
    base_asset="ETH",
    tick="0.01",
    tick_lot_e8=1_000,
    notional_e8_min=20 * E8,
)


def a_spec(instrument=BTC, **changes):
    """The facts of an instrument."""
    return structs.replace(_ETH_SPEC if instrument == ETH else _BTC_SPEC, **changes)


def account_limits(**changes):
    """What the whole account may do; 10,000 of equity stand behind it."""
    limits = AccountLimits(
        gross_notional_e8_max=40_000 * E8,
        leverage_ppm_max=5_000_000,
        leverage_venue=5,
        open_orders_max=50,
        orders_per_s_refuse=20,
        orders_per_s_kill=50,
        drawdown_warning_ppm=50_000,
        drawdown_release_ppm=30_000,
        drawdown_breaker_ppm=100_000,
        breaker_cooldown_ms=900_000,
        breakers_per_day_max=2,
        orders_per_day_max=1_000_000,
        cancels_per_day_max=1_000_000,
        fills_per_day_max=1_000_000,
        traded_e8_per_day_max=10**9 * E8,
        recover_cooling_ms=600_000,
    )
    return structs.replace(limits, **changes)


def instrument_limits(instrument=BTC, **changes):
    """What all strategies together may do in one instrument."""
    limits = InstrumentLimits(
        instrument=instrument,
        order_lots_max=100,
        order_notional_e8_max=7_000 * E8,
        position_lots_max=300,
        collar_ppm=10_000,
        spread_ppm_max=5_000,
        jump_ppm_max=50_000,
        flatten_collar_ppm=20_000,
        flatten_clip_lots=100,
        orders_per_s_refuse=1_000,
        orders_per_s_halt=2_000,
    )
    return structs.replace(limits, **changes)


def strategy_limits(strategy="alpha", instrument=BTC, **changes):
    """What one strategy may do in one instrument."""
    limits = StrategyLimits(
        strategy=strategy,
        instrument=instrument,
        order_lots_max=80,
        position_lots_max=200,
        churn_round_trips_max=100,
        churn_cost_e8_max=5_000 * E8,
        churn_window_ms=60_000,
        slippage_ppm_max=8_000,
        orders_per_s_refuse=1_000,
        orders_per_s_halt=2_000,
    )
    return structs.replace(limits, **changes)


def timings(**changes):
    """Every wait and age, in milliseconds. No dead-man switch and no duplicate window unless asked for."""
    waits = Timings(
        quote_age_ms_max=1_000,
        feed_dead_ms=5_000,
        ack_timeout_ms=2_000,
        receive_window_ms=1_000,
        query_retry_ms=500,
        reconcile_orders_ms=5_000,
        reconcile_positions_ms=10_000,
        position_age_ms_reduce=25_000,
        position_age_ms_halt=60_000,
        clock_interval_ms=30_000,
        clock_offset_ms_max=1_000,
        deadman_ms=0,
        equity_interval_ms=1_000,
        duplicate_window_ms=0,
        flatten_read_gap_ms=1_000,
        flatten_retry_ms=500,
        hold_clear_ms=3_000,
    )
    return structs.replace(waits, **changes)


def caps_over(config, *, times=2):
    """Hard caps this many times as loose as the limits."""
    return tuple(
        LimitCap(
            name=limit.name,
            value=min(
                limit.value // times if limit.row.less_loosens else limit.value * times, limit.row.most
            ),
        )
        for limit in limits_of(config).values()
        if not limit.scope.strategy
    )


def settings(**changes):
    """A paper account on two instruments: alpha trades both, beta trades BTC. Arms itself."""
    plain = Settings(
        account="paper-1",
        venue="naive",
        settle_asset="USDT",
        arm_auto=True,
        config_hash="c0ffee",
        account_limits=account_limits(),
        instrument_limits=(instrument_limits(BTC), instrument_limits(ETH, order_lots_max=1_000)),
        strategy_limits=(
            strategy_limits("alpha", BTC),
            strategy_limits("alpha", ETH, order_lots_max=1_000),
            strategy_limits("beta", BTC),
        ),
        timings=timings(),
        instruments=(a_spec(BTC), a_spec(ETH)),
        strategies=(
            StrategySetup(strategy="alpha", instruments=(BTC, ETH)),
            StrategySetup(strategy="beta", instruments=(BTC,)),
        ),
    )
    return structs.replace(plain, **changes)
