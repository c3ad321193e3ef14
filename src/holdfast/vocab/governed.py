"""The limits by name: what each is counted in, and which way it loosens. One table.

A name is the limit's key path in the configuration, less the word ``limits``: ``account.gross_notional_max``,
``instrument.BTCUSDT.order_max``, ``strategy.quoter.BTCUSDT.position_max``.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from holdfast.vocab.holds import Scope
from holdfast.vocab.limits import (
    AccountLimits,
    Criteria,
    FlowRules,
    GroupFlowRules,
    InstrumentLimits,
    Settings,
    StrategyLimits,
)
from holdfast.vocab.units import e8_text, text_of

Group: TypeAlias = AccountLimits | InstrumentLimits | StrategyLimits | Criteria | FlowRules | GroupFlowRules


class Counted(Enum):
    """What a limit's whole number counts."""

    MONEY = "money"  # 10⁻⁸ of the settle asset
    LOTS = "lots"
    SHARE = "share"  # parts per million, written as a percentage
    MULTIPLE = "multiple"  # parts per million, written with an x
    TIMES = "times"
    WAIT = "wait"  # milliseconds


class LimitRow(NamedTuple):
    """One limit. ``key`` is its word in the configuration, ``field`` its place in the record of the core.

    ``most``: no number above this is a limit at all. ``less_loosens``: a smaller number permits more.
    ``capped`` False: it has no hard cap, so a running bot's may be tightened and never loosened. ``later``: settings of
    an older journal have 0 there: it did not exist, and is not among the limits.
    """

    key: str
    field: str
    counted: Counted
    most: int
    less_loosens: bool = False
    capped: bool = True
    later: bool = False


_WEEK_MS: Final = 7 * 24 * 3_600_000
_COUNT_MAX: Final = 10_000
PER_DAY_MOST: Final = 100_000_000
CHURN_ROUND_TRIPS_MOST: Final = 500  # so many are kept: see ``core.monitor.churn``
_WHOLE_PPM: Final = 1_000_000
_HALF_PPM: Final = 500_000
_ANY: Final = (1 << 63) - 1

ACCOUNT_ROWS: Final = (
    LimitRow("gross_notional_max", "gross_notional_e8_max", Counted.MONEY, _ANY),
    LimitRow("leverage_max", "leverage_ppm_max", Counted.MULTIPLE, 125 * _WHOLE_PPM),
    LimitRow("open_orders_max", "open_orders_max", Counted.TIMES, _COUNT_MAX),
    LimitRow("orders_per_s_refuse", "orders_per_s_refuse", Counted.TIMES, _COUNT_MAX),
    LimitRow("orders_per_s_kill", "orders_per_s_kill", Counted.TIMES, _COUNT_MAX),
    LimitRow("drawdown_warning", "drawdown_warning_ppm", Counted.SHARE, _WHOLE_PPM),
    LimitRow("drawdown_release", "drawdown_release_ppm", Counted.SHARE, _WHOLE_PPM),
    LimitRow("drawdown_breaker", "drawdown_breaker_ppm", Counted.SHARE, _WHOLE_PPM),
    LimitRow("breaker_cooldown", "breaker_cooldown_ms", Counted.WAIT, _WEEK_MS, less_loosens=True),
    LimitRow("breakers_per_day_max", "breakers_per_day_max", Counted.TIMES, _COUNT_MAX),
    LimitRow("orders_per_day_max", "orders_per_day_max", Counted.TIMES, PER_DAY_MOST),
    LimitRow("cancels_per_day_max", "cancels_per_day_max", Counted.TIMES, PER_DAY_MOST),
    LimitRow("fills_per_day_max", "fills_per_day_max", Counted.TIMES, PER_DAY_MOST),
    LimitRow("traded_per_day_max", "traded_e8_per_day_max", Counted.MONEY, _ANY),
    LimitRow("crash_share", "crash_share_ppm", Counted.SHARE, _WHOLE_PPM),
    LimitRow("recover_cooling", "recover_cooling_ms", Counted.WAIT, _WEEK_MS, less_loosens=True),
    LimitRow("net_notional_max", "net_notional_e8_max", Counted.MONEY, _ANY, later=True),
    LimitRow("group_share_max", "group_share_ppm_max", Counted.MULTIPLE, 125 * _WHOLE_PPM, later=True),
)
INSTRUMENT_ROWS: Final = (
    LimitRow("order_max", "order_lots_max", Counted.LOTS, _ANY),
    LimitRow("order_notional_max", "order_notional_e8_max", Counted.MONEY, _ANY),
    LimitRow("position_max", "position_lots_max", Counted.LOTS, _ANY),
    LimitRow("collar", "collar_ppm", Counted.SHARE, _HALF_PPM),
    LimitRow("spread_max", "spread_ppm_max", Counted.SHARE, _WHOLE_PPM),
    LimitRow("jump_max", "jump_ppm_max", Counted.SHARE, _WHOLE_PPM),
    LimitRow("flatten_collar", "flatten_collar_ppm", Counted.SHARE, _HALF_PPM),
    LimitRow("flatten_clip", "flatten_clip_lots", Counted.LOTS, _ANY),
    LimitRow("swing_max", "swing_ppm_max", Counted.SHARE, _WHOLE_PPM),
    LimitRow("swing_window", "swing_window_ms", Counted.WAIT, _WEEK_MS, less_loosens=True),
    LimitRow("orders_per_s_refuse", "orders_per_s_refuse", Counted.TIMES, _COUNT_MAX),
    LimitRow("orders_per_s_halt", "orders_per_s_halt", Counted.TIMES, _COUNT_MAX),
    LimitRow("refused_max", "refused_ppm_max", Counted.SHARE, _WHOLE_PPM),
    LimitRow("equity_share_max", "equity_share_ppm_max", Counted.MULTIPLE, 125 * _WHOLE_PPM, later=True),
    LimitRow("adv_share_max", "adv_share_ppm_max", Counted.SHARE, _WHOLE_PPM, later=True),
    LimitRow("depth_max", "depth_ppm_max", Counted.MULTIPLE, 125 * _WHOLE_PPM, later=True),
)
STRATEGY_ROWS: Final = (
    LimitRow("order_max", "order_lots_max", Counted.LOTS, _ANY),
    LimitRow("position_max", "position_lots_max", Counted.LOTS, _ANY),
    LimitRow(
        "churn_round_trips_max", "churn_round_trips_max", Counted.TIMES, CHURN_ROUND_TRIPS_MOST, capped=False
    ),
    LimitRow("churn_cost_max", "churn_cost_e8_max", Counted.MONEY, _ANY, capped=False),
    LimitRow("churn_window", "churn_window_ms", Counted.WAIT, _WEEK_MS, less_loosens=True, capped=False),
    LimitRow("slippage_max", "slippage_ppm_max", Counted.SHARE, _HALF_PPM, capped=False),
    LimitRow("orders_per_s_refuse", "orders_per_s_refuse", Counted.TIMES, _COUNT_MAX),
    LimitRow("orders_per_s_halt", "orders_per_s_halt", Counted.TIMES, _COUNT_MAX),
)
FLOW_ROWS: Final = (
    LimitRow("window", "window_ms", Counted.WAIT, _WEEK_MS, less_loosens=True, capped=False),
    LimitRow("same_side_max", "same_side_e8_max", Counted.MONEY, _ANY, capped=False),
    LimitRow("walk_max", "walk_ppm_max", Counted.SHARE, _HALF_PPM, capped=False),
)
GROUP_FLOW_ROWS: Final = FLOW_ROWS[:2]
CRITERIA_ROWS: Final = (
    LimitRow("day_loss_max", "day_loss_e8_max", Counted.MONEY, _ANY, capped=False),
    LimitRow("drawdown_max", "drawdown_e8_max", Counted.MONEY, _ANY, capped=False),
    LimitRow("fill_share_min", "fills_ppm_min", Counted.SHARE, _WHOLE_PPM, less_loosens=True, capped=False),
    LimitRow("slippage_cost_max", "slippage_e8_max", Counted.MONEY, _ANY, capped=False),
    LimitRow("reject_share_max", "rejects_ppm_max", Counted.SHARE, _WHOLE_PPM, capped=False),
    LimitRow("orders_min", "orders_min", Counted.TIMES, _COUNT_MAX, capped=False),
    LimitRow("window", "window_ms", Counted.WAIT, _WEEK_MS, less_loosens=True, capped=False),
    LimitRow("over_intended_max", "intended_ppm_max", Counted.MULTIPLE, 125 * _WHOLE_PPM, capped=False),
)


class Limit(Struct, frozen=True, kw_only=True):
    """One limit of some settings. ``cap``: the hard cap above it; None where none is known: then nothing loosens it."""

    name: str
    row: LimitRow
    scope: Scope
    value: int
    cap: int | None


def limits_of(settings: Settings) -> dict[str, Limit]:
    """Every limit of these settings by its name. A strategy's limit has the hard cap of its instrument, if any."""
    caps = {cap.name: cap.value for cap in settings.caps}
    found: dict[str, Limit] = {}
    for prefix, capped_by, scope, group, rows in _groups(settings):
        for row in rows:
            if row.later and not getattr(group, row.field):
                continue
            name = f"{prefix}.{row.key}"
            found[name] = Limit(
                name=name,
                row=row,
                scope=scope,
                value=getattr(group, row.field),
                cap=caps.get(f"{capped_by}.{row.key}"),
            )
    return found


def _groups(settings: Settings) -> list[tuple[str, str, Scope, Group, tuple[LimitRow, ...]]]:
    """(name's beginning, the same of its hard cap, scope, record, rows) of every record of limits."""
    groups: list[tuple[str, str, Scope, Group, tuple[LimitRow, ...]]] = [
        ("account", "account", Scope(), settings.account_limits, ACCOUNT_ROWS)
    ]
    for limits in settings.instrument_limits:
        place = f"instrument.{limits.instrument}"
        groups.append((place, place, Scope(instrument=limits.instrument), limits, INSTRUMENT_ROWS))
    for one in settings.strategy_limits:
        scope = Scope(strategy=one.strategy, instrument=one.instrument)
        place = f"strategy.{one.strategy}.{one.instrument}"
        groups.append((place, f"instrument.{one.instrument}", scope, one, STRATEGY_ROWS))
    for flow in settings.flows:
        place = f"flow.{flow.instrument}"
        groups.append((place, place, Scope(instrument=flow.instrument), flow, FLOW_ROWS))
    for group_flow in settings.group_flows:
        place = f"flow_group.{group_flow.group}"
        groups.append((place, place, Scope(), group_flow, GROUP_FLOW_ROWS))
    for criteria in settings.criteria:
        place = f"criteria.{criteria.strategy}"
        groups.append((place, place, Scope(strategy=criteria.strategy), criteria, CRITERIA_ROWS))
    return groups


def looser(row: LimitRow, one: int, other: int) -> bool:
    """Whether one number permits more than the other."""
    return one < other if row.less_loosens else one > other


def stricter(row: LimitRow, one: int, other: int) -> int:
    """The one of two numbers that permits less."""
    return other if looser(row, one, other) else one


def number_text(limit: Limit, value: int, settings: Settings) -> str:
    """A limit's number as the configuration writes it: ``0.2 BTC``, ``5%``, ``1.5x``, ``15min``."""
    spec = next((one for one in settings.instruments if one.instrument == limit.scope.instrument), None)
    match limit.row.counted:
        case Counted.MONEY:
            return f"{e8_text(value)} {settings.settle_asset}"
        case Counted.LOTS:
            return (
                f"{value} lots" if spec is None else f"{text_of(value, Decimal(spec.lot))} {spec.base_asset}"
            )
        case Counted.SHARE:
            return text_of(value, _PERCENT) + "%"
        case Counted.MULTIPLE:
            return text_of(value, _TIMES) + "x"
        case Counted.WAIT:
            return wait_text(value)
        case Counted.TIMES:
            return str(value)


def wait_text(wait_ms: int) -> str:
    """A wait as the configuration writes it."""
    return next(f"{wait_ms // ms}{unit}" for unit, ms in _WAITS if wait_ms % ms == 0)


_PERCENT: Final = Decimal(1).scaleb(-4)
_TIMES: Final = Decimal(1).scaleb(-6)
_WAITS: Final = (("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1))
