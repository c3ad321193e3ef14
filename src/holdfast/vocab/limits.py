"""Limits and timings. None has a default in code: forgetting one must not mean infinity.

All are integers in core units; the configuration holds them as decimal texts and the start converts them,
rounding against us, once the instruments' facts are known. A journal holds them by position: a limit that came
later stands last and is 0 in a journal from before it, which says that it was not enforced there. No configuration
leaves one out.
"""

from __future__ import annotations

from msgspec import Struct

from holdfast.vocab.corporate import SplitDue
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.reference import Hours, MarketHalt, ReferenceRules


class AccountLimits(Struct, frozen=True, kw_only=True, array_like=True):
    """What the whole account may do."""

    gross_notional_e8_max: int
    leverage_ppm_max: int  # gross notional at worst case over equity
    leverage_venue: int  # what the venue's own leverage is lowered to at start
    open_orders_max: int
    orders_per_s_refuse: int  # asked for within a sliding second, refusals included
    orders_per_s_kill: int
    drawdown_warning_ppm: int
    drawdown_release_ppm: int
    drawdown_breaker_ppm: int
    breaker_cooldown_ms: int
    breakers_per_day_max: int  # the breaker after so many in one day is a kill switch
    orders_per_day_max: int  # approved orders and amends; a day begins at day_begins_utc_hour
    cancels_per_day_max: int  # orders asked to cancel; over it no new order, and every cancel, passes
    fills_per_day_max: int
    traded_e8_per_day_max: int  # notional of all fills
    crash_share_ppm: int  # of the instruments: so many beyond their swing, one way, is a crash
    recover_cooling_ms: int  # the solo operator's labelled delay in place of a second person
    net_notional_e8_max: int = 0  # long less short, at worst case per side
    group_share_ppm_max: int = 0  # gross notional of one group at worst case over equity


class InstrumentLimits(Struct, frozen=True, kw_only=True, array_like=True):
    """What may be done in one instrument by all strategies together."""

    instrument: str
    order_lots_max: int
    order_notional_e8_max: int
    position_lots_max: int
    collar_ppm: int
    spread_ppm_max: int
    jump_ppm_max: int
    flatten_collar_ppm: int
    flatten_clip_lots: int
    swing_ppm_max: int  # how far it may move within the window: see ``core.monitor.swing``
    swing_window_ms: int
    orders_per_s_refuse: int  # of all strategies there, as the account's
    orders_per_s_halt: int
    refused_ppm_max: int  # of its market data within ten seconds, for being bad: more is a hold
    equity_share_ppm_max: int = 0  # its notional at worst case over equity
    adv_share_ppm_max: int = 0  # one order over the average daily volume
    depth_ppm_max: int = 0  # one order that may take at once over the size at the touch that it meets


class StrategyLimits(Struct, frozen=True, kw_only=True, array_like=True):
    """What one strategy may do in one instrument: a pair that is not listed may not trade."""

    strategy: str
    instrument: str
    order_lots_max: int
    position_lots_max: int
    churn_round_trips_max: int  # within the window: see ``core.monitor.churn``
    churn_cost_e8_max: int
    churn_window_ms: int
    slippage_ppm_max: int  # how far the market may have moved against it since it decided
    orders_per_s_refuse: int  # there, as the account's
    orders_per_s_halt: int


class Criteria(Struct, frozen=True, kw_only=True, array_like=True):
    """What one strategy must keep to, in all its instruments together (``core.monitor.criteria``), to go on trading."""

    strategy: str
    day_loss_e8_max: int  # since the day began
    drawdown_e8_max: int  # below its own peak
    fills_ppm_min: int  # of its orders that ended within the window: filled in whole or in part
    slippage_e8_max: int  # paid within the window against the prices it decided at
    rejects_ppm_max: int  # of its orders that ended within the window: refused by the venue
    orders_min: int  # fewer that ended say nothing of a share
    window_ms: int
    intended_ppm_max: int  # position over intended size, in each instrument


class FlowRules(Struct, frozen=True, kw_only=True, array_like=True):
    """What all strategies together may send one way in an instrument within a window, and each may walk its price."""

    instrument: str
    window_ms: int
    same_side_e8_max: int  # notional approved on one side, by all strategies
    walk_ppm_max: (
        int  # a strategy's prices from the middle when the window's first of its orders was approved
    )


class GroupFlowRules(Struct, frozen=True, kw_only=True, array_like=True):
    """What all strategies together may send one way in a group of the reference file within a window."""

    group: str
    window_ms: int
    same_side_e8_max: (
        int  # notional approved on one side, by all strategies in all of the group's instruments
    )


class Timings(Struct, frozen=True, kw_only=True, array_like=True):
    """Every wait, age and interval the core goes by, in milliseconds."""

    quote_age_ms_max: int  # no order is priced from older data
    feed_dead_ms: int  # a stream this silent is a hold
    ack_timeout_ms: int  # an order with no word for this long is UNKNOWN
    receive_window_ms: int  # how late the venue still accepts a request of ours
    query_retry_ms: int
    reconcile_orders_ms: int
    reconcile_positions_ms: int
    position_age_ms_reduce: int  # venue's word on positions older than this: REDUCE_ONLY
    position_age_ms_halt: int  # older than this: HALTED
    clock_interval_ms: int
    clock_offset_ms_max: int  # the venue's clock further off than this (from the first measure): hold
    deadman_ms: int  # 0 where the venue has no such tool
    equity_interval_ms: int
    duplicate_window_ms: int
    flatten_read_gap_ms: int  # between the two venue reads that must agree on zero
    flatten_retry_ms: int
    hold_clear_ms: int  # how long a condition must be gone before an automatic release


class StrategySetup(Struct, frozen=True, kw_only=True, array_like=True):
    """A strategy that may trade, and where."""

    strategy: str
    instruments: tuple[str, ...]


class LimitCap(Struct, frozen=True, kw_only=True, array_like=True):
    """A hard cap: no limit of this name (``vocab.governed``) is ever looser, whoever asks."""

    name: str
    value: int


class Settings(Struct, frozen=True, kw_only=True, array_like=True):
    """Everything of the configuration that the core decides by; journaled with every start."""

    account: str
    venue: str
    settle_asset: str
    arm_auto: bool
    config_hash: str
    account_limits: AccountLimits
    instrument_limits: tuple[InstrumentLimits, ...]
    strategy_limits: tuple[StrategyLimits, ...]
    timings: Timings
    instruments: tuple[InstrumentSpec, ...]
    strategies: tuple[StrategySetup, ...]
    account_uid: str = ""  # the venue's account number that may be traded; empty: not pinned
    day_begins_utc_hour: int = 0  # when the account's day begins: its peak, and its count of breakers
    caps: tuple[LimitCap, ...] = ()  # a limit without one cannot be loosened
    reference: ReferenceRules | None = None  # None: a journal from before there was a reference file
    hours: tuple[Hours, ...] = ()  # a scope without hours is open around the clock
    benchmark: str = ""  # the instrument whose fall is the market's
    market_halts: tuple[MarketHalt, ...] = ()  # the smallest fall first
    scaled: tuple[
        str, ...
    ] = ()  # instruments whose scale changes are known of: without one nothing halves or doubles
    splits: tuple[SplitDue, ...] = ()  # of those, oldest first
    flows: tuple[FlowRules, ...] = ()  # an instrument without has no bound on it
    criteria: tuple[Criteria, ...] = ()  # a strategy without is not watched by them
    group_flows: tuple[GroupFlowRules, ...] = ()  # a group without has no bound on it
    environment: str = ""  # which venue, and whether its simulation, its practice system or the real one
