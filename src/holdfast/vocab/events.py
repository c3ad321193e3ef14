"""Everything that the core can be told, besides market data. Each is journaled before it takes effect.

Every event carries ``wall_ns`` and ``mono_ns``: the core's only clock is the last event's.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from holdfast.vocab.facts import SeenUpTo
from holdfast.vocab.holds import ACCOUNT, Scope
from holdfast.vocab.limits import Settings
from holdfast.vocab.orders import ChildOf, OrderType, Side, TimeInForce
from holdfast.vocab.outcome import Outcome
from holdfast.vocab.probe import Check
from holdfast.vocab.reference import Calendar, InstrumentReference
from holdfast.vocab.reports import BustReport, OrderReport, TradeReport


class _Event(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    wall_ns: int
    mono_ns: int


class Started(_Event, frozen=True, kw_only=True, tag="started"):
    """The process began (again): places the startup hold, begins an epoch, asks the venue for its truth.

    ``epoch_floor``: the epoch is at least this, so that ids stay unique even if the state directory is lost.
    ``probes``: the venue's contract is being looked at, and arming waits for what is found (``Probed``). ``seen``: what
    the market log has beyond what the journal says was seen. ``account_number``: the venue's own, where it told one.
    """

    settings: Settings
    boot_id: str
    epoch_floor: int
    build: str
    probes: bool = False
    seen: tuple[SeenUpTo, ...] = ()
    account_number: str = ""


class Stopping(_Event, frozen=True, kw_only=True, tag="stopping"):
    """A clean stop was asked for: cancel what is open, then end."""

    by: str
    reason: str


# --- intents: what strategies (and gateways) want -----------------------------------------------------------


class OrderIntent(_Event, frozen=True, kw_only=True, tag="order_intent"):
    """A strategy wants an order. ``intent_seq`` grows per strategy within an epoch.

    ``decision_ticks``: the price the decision was made at, for slippage; None where there was none.
    """

    strategy: str
    intent_seq: int
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int | None = None
    order_type: OrderType = OrderType.LIMIT
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    trigger_ticks: int | None = None
    decision_ticks: int | None = None
    child_of: ChildOf | None = None


class TargetIntent(_Event, frozen=True, kw_only=True, tag="target_intent"):
    """A strategy wants its own position in an instrument to be this; sizing turns it into an order.

    With ``price_ticks`` None the order is immediate-or-cancel at the far touch plus the collar's half.
    """

    strategy: str
    intent_seq: int
    instrument: str
    target_lots: int
    price_ticks: int | None = None
    decision_ticks: int | None = None


class CancelIntent(_Event, frozen=True, kw_only=True, tag="cancel_intent"):
    """A strategy wants one of its orders gone (``order_id`` 0: all of its orders in the instrument)."""

    strategy: str
    intent_seq: int
    instrument: str
    order_id: int = 0


BASKET_LEGS_MAX: Final = 32


class BasketIntent(_Event, frozen=True, kw_only=True, tag="basket_intent"):
    """A strategy wants several orders together or none: one to ``BASKET_LEGS_MAX`` legs, each with its own number.

    A leg carries the basket's times and its strategy.
    """

    strategy: str
    legs: tuple[OrderIntent, ...]


class AmendIntent(_Event, frozen=True, kw_only=True, tag="amend_intent"):
    """A strategy wants a resting order's price or total size changed."""

    strategy: str
    intent_seq: int
    instrument: str
    order_id: int
    qty_lots: int
    price_ticks: int


# --- people ---------------------------------------------------------------------------------------------------


class Verb(Enum):
    """What a person may tell the core."""

    ARM = "arm"
    HALT = "halt"
    RESUME = "resume"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    STOP = "stop"
    KILL = "kill"
    RECOVER = "recover"
    HARDSTOP = "hardstop"
    BAN = "ban"
    UNBAN = "unban"
    CANCEL = "cancel"
    FLATTEN = "flatten"
    RECONCILE = "reconcile"
    SYNC = "sync"
    RESOLVE = "resolve"
    QUARANTINE_RELEASE = "quarantine_release"
    BUST = "bust"
    ADOPT = "adopt"
    LIMIT_SET = "limit_set"
    BREAK_GLASS = "break_glass"
    GLASS_END = "glass_end"


class Command(_Event, frozen=True, kw_only=True, tag="command"):
    """A person's act, already authenticated and authorised by the face it came through.

    ``latch_nonce``: the trip nonce observed before the command was accepted (arm, resume, recover).
    ``second_by``: the second person where two are needed. ``limit`` to ``review``: a limit by its name
    (``vocab.governed``), its number, for how long, for one order only, and what to look at afterwards.
    """

    command_id: int
    verb: Verb
    by: str
    reason: str
    scope: Scope = ACCOUNT
    hold_id: int = 0
    order_id: int = 0
    trade_id: str = ""
    protective: bool = False
    latch_nonce: int = 0
    second_by: str = ""
    limit: str = ""
    value: int = 0
    for_ms: int = 0
    once: bool = False
    review: str = ""
    glass_id: int = 0


# --- the venue ---------------------------------------------------------------------------------------------------


class CallDone(_Event, frozen=True, kw_only=True, tag="call_done"):
    """What became of one call to the venue."""

    call_id: int
    outcome: Outcome


class OrderReported(_Event, frozen=True, kw_only=True, tag="order_reported"):
    """The user stream reports an order's state."""

    report: OrderReport


class TradeReported(_Event, frozen=True, kw_only=True, tag="trade_reported"):
    """The user stream reports an execution, with the order's cumulative state where the venue gives it."""

    trade: TradeReport
    report: OrderReport | None = None


class TradeBusted(_Event, frozen=True, kw_only=True, tag="trade_busted"):
    """The user stream says that the venue takes an execution back."""

    bust: BustReport


class CashHinted(_Event, frozen=True, kw_only=True, tag="cash_hinted"):
    """The user stream says that cash moved other than by a trade: the income list has the entry."""

    kind: str
    asset: str


class NoticeKind(Enum):
    """What else a venue tells about our account."""

    MARGIN_CALL = "margin_call"
    LEVERAGE_CHANGED = "leverage_changed"
    POSITION_MODE_CHANGED = "position_mode_changed"
    TRIGGER_REJECTED = "trigger_rejected"
    UNREADABLE = "unreadable"  # a message on our user stream that we could not read


class VenueNotice(_Event, frozen=True, kw_only=True, tag="venue_notice"):
    """A venue's notice on our account."""

    kind: NoticeKind
    instrument: str
    text: str


class Probed(_Event, frozen=True, kw_only=True, tag="probed"):
    """The venue's contract was looked at: at the start, daily, and again soon while something of it fails."""

    checks: tuple[Check, ...]


class Stream(Enum):
    """Which connection."""

    USER = "user"
    MARKET = "market"


class StreamChanged(_Event, frozen=True, kw_only=True, tag="stream_changed"):
    """A connection came up or went down. ``name`` tells several feeds apart."""

    stream: Stream
    name: str
    up: bool
    why: str


class StreamKind(Enum):
    """What a market stream tells of an instrument."""

    QUOTE = "quote"
    TRADE = "trade"
    MARK = "mark"
    DEPTH = "depth"


class FeedChosen(_Event, frozen=True, kw_only=True, tag="feed_chosen"):
    """From here on this stream of the instrument is taken from this feed.

    ``renumbered``: its numbers do not follow on those of the feed before. ``reference``: another venue's prices, good
    to value and to get out by; nothing new is begun on them. ``missing_count``: prints that neither feed brought.
    """

    instrument: str
    kind: StreamKind
    feed: str
    renumbered: bool
    reference: bool
    why: str
    missing_count: int = 0


class ReferencePriced(_Event, frozen=True, kw_only=True, tag="reference_priced"):
    """What another venue says of our instruments, where it is news: what our own prices are held against.

    ``rows``: (instrument, the sum of its bid and ask in our ticks, above zero).
    """

    feed: str
    rows: tuple[tuple[str, int], ...]


class StreamSilent(_Event, frozen=True, kw_only=True, tag="stream_silent"):
    """A stream that was asked for says nothing although its connection stands, or speaks again.

    ``instrument`` is empty where it is every instrument's. ``silent_ms``: for how long, when this was noticed.
    """

    feed: str
    instrument: str
    kind: StreamKind
    silent: bool
    silent_ms: int


class PressureChanged(_Event, frozen=True, kw_only=True, tag="pressure_changed"):
    """More quotes come than can be looked at one by one, or no longer: ``degraded`` while only the newest are.

    ``conflated_count``: quotes of this life that a newer one of the same read replaced before they were decoded.
    """

    degraded: bool
    conflated_count: int


# --- the house ----------------------------------------------------------------------------------------------------


class TimerKind(Enum):
    """What a timer is for; ``key`` tells several of a kind apart."""

    __hash__ = object.__hash__  # a member is one object: hashed as such, without a Python call

    SWEEP = "sweep"  # freshness, ages, automatic releases
    ACK = "ack"
    QUERY = "query"
    RECONCILE_ORDERS = "reconcile_orders"
    RECONCILE_POSITIONS = "reconcile_positions"
    CLOCK = "clock"
    EQUITY = "equity"
    DEADMAN = "deadman"
    FLATTEN = "flatten"
    STOPPING = "stopping"
    GLASS = "glass"  # ``key``: the number of the broken glass whose time is over


class TimerFired(_Event, frozen=True, kw_only=True, tag="timer_fired"):
    """A timer set by the core came due."""

    kind: TimerKind
    key: int


class HoursPassed(_Event, frozen=True, kw_only=True, tag="hours_passed"):
    """In virtual time: hours were passed over in which nothing came and everything regular went on as before.

    ``by_ns``: how long, a multiple of everything that is done regularly. ``calls_count``: questions that would have
    been asked of the venue meanwhile, and answered as the last ones of their kind were.
    """

    by_ns: int
    calls_count: int


class LatchSeen(_Event, frozen=True, kw_only=True, tag="latch_seen"):
    """The latch was found tripped (or unreadable, then ``nonce`` is 0): journal of who and why."""

    nonce: int
    by: str
    reason: str


class LeaseLost(_Event, frozen=True, kw_only=True, tag="lease_lost"):
    """Our lease's stamp had expired when it was read. ``contested``: somebody else held it in between."""

    expired_ms: int
    contested: bool


class StrategyFailed(_Event, frozen=True, kw_only=True, tag="strategy_failed"):
    """A strategy raised, or asked for something that makes no sense at all."""

    strategy: str
    error: str


class StrategySaved(_Event, frozen=True, kw_only=True, tag="strategy_saved"):
    """A strategy's saved state after a callback that returned intents, and at stop. Bounded."""

    strategy: str
    state: bytes


class ReferenceRead(_Event, frozen=True, kw_only=True, tag="reference_read"):
    """The reference file was read: at the start, when it changed, and once a day for the sessions to come.

    ``as_of_wall_ns``: when somebody last looked at all of it, by its own word. ``digest``: SHA-256 of its bytes.
    ``problem``: it cannot be used, and why, in one line; then what was read before still stands, and grows older.
    """

    as_of_wall_ns: int
    digest: str
    instruments: tuple[InstrumentReference, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    problem: str = ""


Event: TypeAlias = (
    Started
    | Stopping
    | OrderIntent
    | TargetIntent
    | CancelIntent
    | BasketIntent
    | AmendIntent
    | Command
    | CallDone
    | OrderReported
    | TradeReported
    | TradeBusted
    | CashHinted
    | VenueNotice
    | Probed
    | StreamChanged
    | FeedChosen
    | ReferencePriced
    | StreamSilent
    | PressureChanged
    | TimerFired
    | HoursPassed
    | LatchSeen
    | LeaseLost
    | StrategyFailed
    | StrategySaved
    | ReferenceRead
)
Intent: TypeAlias = OrderIntent | TargetIntent | CancelIntent | AmendIntent
Wish: TypeAlias = Intent | BasketIntent  # what a callback may return
