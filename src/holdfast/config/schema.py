"""The configuration file, key by key.

No limit and no timing has a default: forgetting one must not mean infinity, so a missing key stops the start.
Unknown keys stop it too. What has a default here is where things live and how much is said, never how much may
be risked or how long is waited.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

from msgspec import Struct, field

from holdfast.config.values import Amount, Duration, Multiple, Ratio

ParamValue: TypeAlias = str | int | float | bool | list["str | int | float | bool"]
"""What a strategy's own parameter may be; strategies know their meaning, nobody else looks."""


class VenueKind(Enum):
    """What stands behind the venue's address. Only the first two may arm themselves."""

    SIMULATED = "simulated"  # holdfast sim: no money, no key of worth
    PAPER = "paper"  # real market data, simulated execution
    TESTNET = "testnet"  # the venue's own practice system
    LIVE = "live"


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: closed, read once, never changed."""


class AccountSection(Section, frozen=True, kw_only=True):
    """``[account]``: whose money. ``uid`` pins the venue's account number: another account cannot be armed.

    Keys come from ``key_file`` (a TOML file of mode 0600 with ``api_key`` and ``secret``), or from the two
    named environment variables; never from this file.
    """

    name: str
    venue: str  # any exchange id that ccxt knows
    settle_asset: str
    arm: Literal["auto", "person"]
    day_begins_utc_hour: int  # the day of drawdown and breakers
    uid: str = ""
    key_file: str = ""
    key_env: str = ""
    secret_env: str = ""


class VenueSection(Section, frozen=True, kw_only=True):
    """``[venue]``: where it is. A simulated venue names its addresses; a live one has none to name."""

    kind: VenueKind
    leverage: int  # the venue's own leverage is lowered to this at start
    rest_url: str = ""
    stream_url: str = ""
    control_url: str = ""  # the simulator's ground truth


class AccountLimitsSection(Section, frozen=True, kw_only=True):
    """``[limits.account]``: what the whole account may do."""

    gross_notional_max: Amount  # settle asset
    leverage_max: Multiple  # gross notional at worst case over equity
    open_orders_max: int
    orders_per_s_refuse: int
    orders_per_s_kill: int
    drawdown_warning: Ratio
    drawdown_release: Ratio
    drawdown_breaker: Ratio
    breaker_cooldown: Duration
    breakers_per_day_max: int
    orders_per_day_max: int
    cancels_per_day_max: int
    fills_per_day_max: int
    traded_per_day_max: Amount  # settle asset
    crash_share: Ratio
    recover_cooling: Duration
    net_notional_max: Amount  # settle asset
    group_share_max: Multiple  # one group's gross notional at worst case over equity


class InstrumentLimitsSection(Section, frozen=True, kw_only=True):
    """``[limits.instrument.NAME]``: what all strategies together may do there. Sizes in base asset."""

    order_max: Amount
    order_notional_max: Amount  # settle asset
    position_max: Amount
    collar: Ratio
    spread_max: Ratio
    jump_max: Ratio
    flatten_collar: Ratio
    flatten_clip: Amount
    swing_max: Ratio
    swing_window: Duration
    orders_per_s_refuse: int
    orders_per_s_halt: int
    equity_share_max: Multiple  # its notional at worst case over equity
    adv_share_max: Ratio  # one order over the average daily volume
    depth_max: Multiple  # one order that may take at once over the size at the touch that it meets
    refused_max: Ratio


class StrategyLimitsSection(Section, frozen=True, kw_only=True):
    """``[limits.strategy.STRATEGY.INSTRUMENT]``: a pair that is not listed may not trade. Sizes in base asset."""

    order_max: Amount
    position_max: Amount
    churn_round_trips_max: int  # within the window
    churn_cost_max: Amount  # settle asset
    churn_window: Duration
    slippage_max: Ratio
    orders_per_s_refuse: int
    orders_per_s_halt: int


class CriteriaSection(Section, frozen=True, kw_only=True):
    """``[criteria.STRATEGY]``: what a strategy must keep to, to go on. Written whole or not at all."""

    day_loss_max: Amount
    drawdown_max: Amount
    fill_share_min: Ratio
    slippage_cost_max: Amount
    reject_share_max: Ratio
    orders_min: int
    window: Duration
    over_intended_max: Multiple


class FlowSection(Section, frozen=True, kw_only=True):
    """``[flow.INSTRUMENT]``: what goes one way at once there, over all strategies. Written whole or not at all."""

    window: Duration
    same_side_max: Amount
    walk_max: Ratio


class GroupFlowSection(Section, frozen=True, kw_only=True):
    """``[flow_group.GROUP]``: what goes one way at once in a group of the reference file. Whole or not at all."""

    window: Duration
    same_side_max: Amount


class LimitsSection(Section, frozen=True, kw_only=True):
    """``[limits]``."""

    account: AccountLimitsSection
    instrument: dict[str, InstrumentLimitsSection]
    strategy: dict[str, dict[str, StrategyLimitsSection]] = field(default_factory=dict)


class TimingsSection(Section, frozen=True, kw_only=True):
    """``[timings]``: every wait, age and interval."""

    quote_age_max: Duration
    feed_dead: Duration
    ack_timeout: Duration
    receive_window: Duration
    query_retry: Duration
    reconcile_orders: Duration
    reconcile_positions: Duration
    position_age_reduce: Duration
    position_age_halt: Duration
    clock_interval: Duration
    clock_offset_max: Duration
    deadman: Duration  # "0s" where the venue has no such tool
    equity_interval: Duration
    duplicate_window: Duration
    flatten_read_gap: Duration
    flatten_retry: Duration
    hold_clear: Duration
    lease_ttl: Duration


class ReferenceSection(Section, frozen=True, kw_only=True):
    """``[reference]``: the file of groups, volumes, sessions and bands (``config.reference``); its age."""

    file: str
    age_days_max: int
    when_stale: Literal["refuse", "reduce_only", "halted"]


class MarketHaltsSection(Section, frozen=True, kw_only=True):
    """``[market_halts]``: what falls since the day began do (``config.market_halts``)."""

    benchmark: str
    levels: list[str]


class HoursSection(Section, frozen=True, kw_only=True):
    """``[hours]``: when new risk may be taken, in UTC (``config.hours``). What is not named is always open."""

    instrument: dict[str, list[str]] = field(default_factory=dict)
    strategy: dict[str, list[str]] = field(default_factory=dict)


class StrategySection(Section, frozen=True, kw_only=True):
    """``[strategy.NAME]``: a class that trades, and where. ``class`` is ``file.py:Class`` or ``module:Class``.

    ``sha256`` pins the file's content; a live account loads no strategy without it.
    """

    class_path: str = field(name="class")
    instruments: list[str]
    sha256: str = ""
    params: dict[str, ParamValue] = field(default_factory=dict)


class PathsSection(Section, frozen=True, kw_only=True):
    """``[paths]``: relative ones start at the configuration file's directory."""

    state_dir: str
    caps_file: str  # the hard caps: see ``CapsFile``
    firm_file: str = ""  # caps over several accounts: see ``FirmNumbers``
    data_dir: str = ""
    operators_file: str = "operators.toml"


class FeedSection(Section, frozen=True, kw_only=True):
    """``[feed]``: where market data comes from. ``binance`` is our own decoder, ``ccxt`` everything else's."""

    source: Literal["binance", "ccxt"]
    streams: list[Literal["quotes", "trades", "marks", "depth"]]


class BackupFeed(Section, frozen=True, kw_only=True):
    """``[feeds.backup.NAME]``: public data again, without a key, in the order of the file.

    ``binance``: the same streams over another connection, or from ``url``. ``ccxt``: the exchange ``venue``; another
    one than the account's is a price reference only. ``instruments``: ours, and what they are called there; none: all,
    by our names.
    """

    source: Literal["binance", "ccxt"]
    url: str = ""
    rest_url: str = ""
    venue: str = ""
    instruments: dict[str, str] = field(default_factory=dict)


class FeedsSection(Section, frozen=True, kw_only=True):
    """``[feeds]``: what else brings market data, and when it takes over. Written whole or not at all.

    ``dead_after``: a stream so long silent is dead; ``too_old_after``: one so far behind another is; ``back_after``: so
    long must a feed speak without a break before it is preferred again.
    """

    dead_after: Duration
    too_old_after: Duration
    back_after: Duration
    backup: dict[str, BackupFeed]


class EquitiesSection(Section, frozen=True, kw_only=True):
    """``[equities]``: what a backtest trades on, as LEAN keeps it. Written whole or not at all.

    ``files``: zips of ticks, seconds or minutes, or directories of them. ``factor_files``, ``map_files``: directories
    with the splits of each company, and with what its ticker was.
    """

    files: list[str]
    factor_files: str
    map_files: str


class ProbeSection(Section, frozen=True, kw_only=True):
    """``[probe]``: the look at the venue. ``canary``: a real order, the smallest, may prove the dead-man switch."""

    canary: bool = False


class ServeSection(Section, frozen=True, kw_only=True):
    """``[serve]``: the control API. Beyond this machine it needs TLS and the word ``public``."""

    host: str = "127.0.0.1"
    port: int = 8720
    hosts: list[str] = field(default_factory=list)  # further names by which clients may call it
    public: bool = False
    tls_cert: str = ""
    tls_key: str = ""


class LogSection(Section, frozen=True, kw_only=True):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class UpSection(Section, frozen=True, kw_only=True):
    """``[up]``: the processes that ``holdfast up`` starts, in this order."""

    start: list[Literal["sim", "run", "serve", "watchdog"]] = field(default_factory=lambda: ["run"])


Protective: TypeAlias = Literal["keep", "cancel"]
"""What becomes of conditional orders that can only reduce (stop-losses) when everything else is cancelled."""


class DeadSwitchSection(Section, frozen=True, kw_only=True):
    """``[dead_switch]``: the thread in the trading process that acts when the trading loop stands still.

    It trips the latch in any case. ``flatten`` is for an account without a watchdog: two must not close one position.
    """

    hung_after: Duration
    policy: Literal["trip", "cancel", "flatten"]
    protective: Protective


class WatchdogSection(Section, frozen=True, kw_only=True):
    """``[watchdog]``: the outside judge. Written whole or not at all: it acts on an account without asking.

    ``key_file``: a key of its own, and ``key_may`` says what the venue lets that key do. ``stop``: the words of a
    command that ends the bot for good, as part of fencing it. ``webhook_file``: a TOML file of mode 0600 with ``url``,
    and perhaps ``bearer``.
    """

    policy: Literal["page", "cancel", "flatten"]
    protective: Protective
    dead_after: Duration
    stalled_after: Duration
    venue_look: Duration
    escalate_after: Duration
    key_file: str = ""
    key_may: Literal["", "cancel", "trade"] = ""
    stop: list[str] = field(default_factory=list)
    webhook_file: str = ""


class CapsFile(Section, frozen=True, kw_only=True):
    """The file that ``caps_file`` names: what no limit may be looser than. No command and no API can change it.

    ``[account]`` and ``[instrument.NAME]`` with the keys of ``[limits]``; a strategy's limits go by its instrument's.
    """

    account: AccountLimitsSection
    instrument: dict[str, InstrumentLimitsSection]


class FirmNumbers(Section, frozen=True, kw_only=True):
    """``[firm]`` and each ``[account.NAME]`` of the file that ``firm_file`` names: a cap, and a fixed share of it."""

    gross_notional_max: Amount
    open_orders_max: int
    orders_per_s_refuse: int


class Config(Struct, frozen=True, kw_only=True):
    """A configuration that was read, checked and found whole. ``path`` is empty where it came from a text.

    ``caps`` is None only there: a text names its caps file but has no place to read it from.
    """

    path: str
    account: AccountSection
    venue: VenueSection
    limits: LimitsSection
    timings: TimingsSection
    strategy: dict[str, StrategySection]
    reference: ReferenceSection
    market_halts: MarketHaltsSection
    hours: HoursSection
    paths: PathsSection
    feed: FeedSection
    serve: ServeSection
    log: LogSection
    up: UpSection
    dead_switch: DeadSwitchSection
    equities: EquitiesSection | None = None  # None: a backtest is not of equities
    flow: dict[str, FlowSection] = field(default_factory=dict)
    flow_group: dict[str, GroupFlowSection] = field(default_factory=dict)
    criteria: dict[str, CriteriaSection] = field(default_factory=dict)
    feeds: FeedsSection | None = None  # None: one feed, and no other to go over to
    probe: ProbeSection = ProbeSection()
    watchdog: WatchdogSection | None = None  # None: nobody judges this bot from outside
    caps: CapsFile | None = None
    firm_share: FirmNumbers | None = None  # None: no firm above this account
