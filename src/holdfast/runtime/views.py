"""What the trading process shows of itself. Pure records; the runtime fills them, every face renders them.

Prices, sizes and money are exact decimal texts in human units (``vocab.units.text_of`` and ``e8_text`` make
them), because people and scripts read them; ages and waits are whole milliseconds. ``None`` is "not known",
never zero.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct


class UnknownView(Exception):
    """A look that is not offered, or not yet, or with arguments that make no sense: one line."""


class _View(Struct, frozen=True, kw_only=True):
    pass


class HoldRow(_View, frozen=True, kw_only=True):
    """One hold. ``level``, ``cause`` and ``release`` are the words of ``vocab.holds``; empty scope: everywhere.

    ``permits``: the next act that would release it, as a person would type it.
    """

    hold_id: int
    level: str
    cause: str
    release: str
    by: str
    reason: str
    since_wall_ns: int
    strategy: str = ""
    instrument: str = ""
    permits: str = ""


class InstrumentRow(_View, frozen=True, kw_only=True):
    """One instrument. ``position`` is ours; ``venue_position`` the venue's last word, that old."""

    instrument: str
    position: str
    venue_position: str | None
    venue_position_age_ms: int | None
    open_orders: int
    bid: str | None
    ask: str | None
    quote_age_ms: int | None
    mark: str | None = None
    unrealised: str | None = None
    realised: str | None = None
    unknown_orders: int = 0
    level: str = "none"
    feed: str = ""  # whose quotes these are
    reference: bool = False  # another venue's: nothing new is begun on them


class FeedRow(_View, frozen=True, kw_only=True):
    """One connection: a market feed, or the account's user stream."""

    name: str
    stream: str  # "market" or "user"
    up: bool
    age_ms: int | None
    messages: int = 0
    malformed: int = 0
    why: str = ""


class StrategyRow(_View, frozen=True, kw_only=True):
    """One strategy. ``state``: running, held, failed, waiting. Positions by instrument."""

    strategy: str
    state: str
    positions: dict[str, str]
    realised: str | None
    unrealised: str | None
    fees: str | None = None
    intents: int = 0
    refusals: int = 0
    fills: int = 0


class RatesRow(_View, frozen=True, kw_only=True):
    """Over the last second."""

    orders_per_s: int
    messages_per_s: int
    orders_per_s_refuse: int
    orders_per_s_kill: int


class CountersRow(_View, frozen=True, kw_only=True):
    """Since the start. ``refusals`` by the tag of ``vocab.refusals``; ``rejects`` are the venue's."""

    quotes: int
    orders: int
    fills: int
    cancels: int
    rejects: int
    refusals: dict[str, int]
    suppressed: int = 0
    malformed: int = 0
    inbox_dropped: int = 0


class JournalRow(_View, frozen=True, kw_only=True):
    """The decision journal and the market log."""

    records: int
    synced_records: int
    last_sync_us: int | None
    market_frames: int


class LatchRow(_View, frozen=True, kw_only=True):
    """The latch and the lease, as the last hop reads them."""

    tripped: bool
    nonce: int
    by: str
    reason: str
    lease_held: bool
    lease_left_ms: int | None


class FlattenRow(_View, frozen=True, kw_only=True):
    """The flatten under way, or the last one. ``flat`` is None until it ended."""

    strategy: str
    instrument: str
    active: bool
    flat: bool | None
    by: str
    why: str


class BreakRow(_View, frozen=True, kw_only=True):
    """An open difference between our books and the venue's word."""

    kind: str
    key: str
    ours: str
    theirs: str


class StatusView(_View, frozen=True, kw_only=True):
    """``status``: everything that the terminal view and ``holdfast status`` show.

    ``level``: the strictest account-wide hold (``none`` when trading is permitted). ``mode_version`` grows with
    each hold placed or released.
    """

    account: str
    venue: str
    venue_kind: str
    pid: int
    wall_ns: int
    uptime_ms: int
    epoch: int
    level: str
    armed: bool
    stopping: bool
    mode_version: int
    holds: list[HoldRow]
    equity: str | None
    peak: str | None
    drawdown_ppm: int | None
    wallet: str | None
    settle_asset: str
    instruments: list[InstrumentRow]
    strategies: list[StrategyRow]
    feeds: list[FeedRow]
    rates: RatesRow
    counters: CountersRow
    journal: JournalRow
    latch: LatchRow
    open_orders: int
    unknown_orders: int
    quarantined_fills: int
    breaks: list[BreakRow]
    clock_offset_ms: int | None
    clock_rtt_ms: int | None
    flatten: FlattenRow | None = None
    last_alert: str = ""
    rung: str = ""  # of the risk ladder
    breakers_today: int = 0
    exits_today: int = 0  # orders of the flatten lane: they use up nothing of the day
    cool_down_left_ms: int | None = None  # None where no breaker stands
    degraded: bool = False  # quotes are conflated now
    conflated_quotes: int = 0  # of this start, left out under pressure
    feeds_changed: int = 0  # how often a stream went over to another feed
    silent_streams: list[str] = []


class InfoView(_View, frozen=True, kw_only=True):
    """``info``: what runs. ``limits`` are the resolved limits as the configuration writes them, by key path."""

    version: str
    build: str
    config_hash: str
    config_path: str
    account: str
    venue: str
    venue_kind: str
    account_uid: str
    state_dir: str
    python: str
    started_wall_ns: int
    limits: dict[str, str]


class PingView(_View, frozen=True, kw_only=True):
    """``ping``: the loop answered; ``event_age_ms`` is how long ago it last stepped anything."""

    wall_ns: int
    event_age_ms: int | None
    loop_lag_us: int | None = None


class HoldsView(_View, frozen=True, kw_only=True):
    """``holds``."""

    level: str
    holds: list[HoldRow]


class WhyView(_View, frozen=True, kw_only=True):
    """``why``: for the last refusal, or for the planned order in the arguments.

    ``refused`` False: nothing forbids it now. ``refusal``: its tag; ``numbers``: the refusal's own fields as
    texts; ``permits``: the next act, or what must change, for it to pass.
    """

    planned: bool
    refused: bool
    refusal: str
    numbers: dict[str, str]
    text: str
    permits: str
    holds: list[HoldRow]
    strategy: str = ""
    instrument: str = ""
    wall_ns: int | None = None


class PositionsView(_View, frozen=True, kw_only=True):
    """``positions``."""

    settle_asset: str
    instruments: list[InstrumentRow]


class OrderRow(_View, frozen=True, kw_only=True):
    """One order. ``state``: the word of ``vocab.orders.OrderState``."""

    order_id: int
    client_id: str
    strategy: str
    instrument: str
    side: str
    order_type: str
    tif: str
    qty: str
    filled: str
    price: str | None
    state: str
    age_ms: int
    venue_order_id: str = ""
    reduce_only: bool = False
    why: str = ""


class OrdersView(_View, frozen=True, kw_only=True):
    """``orders``: not final, newest first; ``foreign`` are open orders on the account that are not ours."""

    orders: list[OrderRow]
    foreign: list[OrderRow]
    total: int


class FillRow(_View, frozen=True, kw_only=True):
    """One execution. ``fee`` above zero was paid. ``taken_back``: the venue took it back, and it counts no more."""

    trade_id: str
    order_id: int | None
    strategy: str
    instrument: str
    side: str
    qty: str
    price: str
    fee: str
    fee_asset: str
    maker: bool
    cause: str
    quarantined: bool
    venue_ns: int
    taken_back: bool = False


class FillsView(_View, frozen=True, kw_only=True):
    """``fills``: newest first."""

    fills: list[FillRow]
    total: int


class QuarantineView(_View, frozen=True, kw_only=True):
    """``quarantine list``."""

    fills: list[FillRow]


class ExposureRow(_View, frozen=True, kw_only=True):
    """Worst case of one instrument per side: position, working, in flight and unknown, against its limit."""

    instrument: str
    position: str
    long_worst: str
    short_worst: str
    position_max: str
    notional: str | None


class ExposureView(_View, frozen=True, kw_only=True):
    """``exposure``."""

    rows: list[ExposureRow]
    gross: str | None
    gross_max: str
    leverage_ppm: int | None
    leverage_ppm_max: int
    equity: str | None


class LimitRow(_View, frozen=True, kw_only=True):
    """One limit, its numbers as the configuration writes them. ``value``: in force now, ``configured``: at the start.

    ``hard_cap`` None: it has none, and nothing loosens it. ``at_least``: it permits more by being less.
    ``used`` None: nothing is counted against it; else ``age_ms`` is the age of what that was counted from: a quote,
    a mark of equity, or the venue's last word. ``glass_id``: it is open (``break-glass list``).
    """

    name: str
    strategy: str
    instrument: str
    value: str
    hard_cap: str | None
    at_least: bool
    used: str | None
    share_ppm: int | None
    age_ms: int | None
    configured: str
    changed_by: str
    changed_wall_ns: int | None
    reason: str
    glass_id: int | None


class GlassRow(_View, frozen=True, kw_only=True):
    """One limit that is open to another number for ``left_ms`` more, or for ``once`` order."""

    glass_id: int
    name: str
    value: str
    standing: str
    once: bool
    by: str
    reason: str
    review: str
    since_wall_ns: int
    left_ms: int


class LimitsView(_View, frozen=True, kw_only=True):
    """``limits``. ``waiting``: what one person asked for and a second one, or the delay, must still permit."""

    limits: list[LimitRow]
    glasses: list[GlassRow]
    waiting: list[str]


class GlassView(_View, frozen=True, kw_only=True):
    """``break-glass list``."""

    glasses: list[GlassRow]


class StrategiesView(_View, frozen=True, kw_only=True):
    """``strategies``."""

    strategies: list[StrategyRow]


class PlanRow(_View, frozen=True, kw_only=True):
    """What getting flat in one instrument would take."""

    instrument: str
    venue_position: str | None
    side: str
    qty: str
    clips: int
    price_bound: str | None
    open_orders: int


class FlattenPlanView(_View, frozen=True, kw_only=True):
    """``flatten plan``: what ``flatten`` with the same scope would do."""

    rows: list[PlanRow]
    text: str


View: TypeAlias = (
    StatusView
    | InfoView
    | PingView
    | HoldsView
    | WhyView
    | PositionsView
    | OrdersView
    | FillsView
    | QuarantineView
    | ExposureView
    | LimitsView
    | GlassView
    | StrategiesView
    | FlattenPlanView
)
FLATTEN_PLAN: Final = "flatten plan"
VIEW_TYPES: Final[dict[str, type[View]]] = {
    "status": StatusView,
    "info": InfoView,
    "ping": PingView,
    "holds": HoldsView,
    "why": WhyView,
    "positions": PositionsView,
    "orders": OrdersView,
    "fills": FillsView,
    "exposure": ExposureView,
    "limits": LimitsView,
    "break-glass list": GlassView,
    "strategies": StrategiesView,
    "quarantine list": QuarantineView,
    FLATTEN_PLAN: FlattenPlanView,
}
"""Every view by its name: a command of kind VIEW has the view of its own name."""
