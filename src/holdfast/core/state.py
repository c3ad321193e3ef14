"""The aggregate: books (the fold of the facts) and session (what a restart forgets)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar, cast

import msgspec
from msgspec import Struct

from holdfast.core.gate.desk import NOTHING_ASKED, AccountDesk, Desk, rates_of
from holdfast.core.gate.exposure import Exposure
from holdfast.core.gate.facts import Facts
from holdfast.core.gate.flow import Flow
from holdfast.core.gate.resting import Resting
from holdfast.core.holds.ladder import Ladder
from holdfast.core.holds.table import HoldTable
from holdfast.core.incident.flatten import FlattenJob
from holdfast.core.ingest.depth_book import DepthBook
from holdfast.core.ingest.market import Market, market_of
from holdfast.core.ledger.ledger import Ledger
from holdfast.core.ledger.positions import PositionRow
from holdfast.core.limits.book import LimitBook, in_force
from holdfast.core.monitor.churn import Churn
from holdfast.core.monitor.criteria import Intended, Watched
from holdfast.core.monitor.equity import Drawdown, floor_e8
from holdfast.core.monitor.swing import Swing
from holdfast.core.orders.book import OpenLots, OrderBook, OrderRow
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.orders.parents import Parents
from holdfast.core.views import FAR_PAST_NS
from holdfast.vocab.effects import Call
from holdfast.vocab.events import ReferenceRead, Started
from holdfast.vocab.facts import (
    BooksOpened,
    BreakFound,
    BreakHealed,
    CashBooked,
    ClockSet,
    CoolDownMoved,
    DayPriced,
    DayRolled,
    EpochBegan,
    EquityMarked,
    Fact,
    FillAccepted,
    FillBooked,
    FillBusted,
    FillClaimed,
    FlattenBegan,
    FlattenEnded,
    ForeignOrderSeen,
    GlassBroken,
    GlassEnded,
    HashMark,
    HoldPlaced,
    HoldReleased,
    IntentRefused,
    LimitChanged,
    LoosenAsked,
    MarketSeen,
    OpeningAgreed,
    OrderAmended,
    OrderApproved,
    OrderMoved,
    PositionAdjusted,
    SeenUpTo,
    SizeReduced,
    StrategyMarked,
    TargetSet,
)
from holdfast.vocab.holds import Hold, HoldCause, Scope
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.invariant import InvariantBroken, invariant
from holdfast.vocab.limits import FlowRules, GroupFlowRules, InstrumentLimits, Settings
from holdfast.vocab.reference import ALWAYS_NS
from holdfast.vocab.refusals import Refusal
from holdfast.vocab.units import NS_PER_MS


class Books(Struct, kw_only=True):
    """What must survive: it changes by ``apply`` and by nothing else."""

    account: str = ""
    config_hash: str = ""
    orders: OrderBook = msgspec.field(default_factory=OrderBook)
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    holds: HoldTable = msgspec.field(default_factory=HoldTable)
    limits: LimitBook = msgspec.field(default_factory=LimitBook)
    drawdown: Drawdown = msgspec.field(default_factory=Drawdown)
    ladder: Ladder = msgspec.field(default_factory=Ladder)
    churn: dict[str, dict[str, Churn]] = {}  # by strategy and instrument
    breaks: dict[str, BreakFound] = {}
    flattens: dict[str, FlattenBegan] = {}
    seen: dict[str, SeenUpTo] = {}  # market data, by instrument
    refused_count: int = 0
    boot_id: str = ""
    boot_mono_ns: int = 0  # the first start since the machine booted
    boot_hold_id: int = 0  # holds up to this one were placed before that: their monotonic times say nothing
    day_prices: dict[str, DayPriced] = {}  # what each instrument's fall is counted from
    watched: dict[str, Watched] = {}  # strategies with criteria, from their first mark on
    environment: str = (
        ""  # whose fills these are: a start elsewhere is refused; empty: from before that was told
    )
    account_number: str = ""  # the venue's own, from the first start that it was told to

    def apply(self, fact: Fact, *, mono_ns: int) -> None:
        """Fold one fact. The same facts in the same order give the same books."""
        _APPLY[type(fact)](self, fact, mono_ns)

    def hold_since_mono_ns(self, hold: Hold) -> int:
        """When a hold began to count: after a reboot every safety delay restarts in full."""
        return hold.since_mono_ns if hold.hold_id > self.boot_hold_id else self.boot_mono_ns


def scope_key(scope: Scope) -> str:
    """A scope as a dictionary key."""
    return f"{scope.strategy}/{scope.instrument}"


def _epoch(books: Books, fact: EpochBegan, mono_ns: int) -> None:
    books.account = fact.account
    books.environment = books.environment or fact.environment
    books.account_number = books.account_number or fact.account_number
    books.config_hash = fact.config_hash
    if fact.boot_id != books.boot_id:
        books.boot_id = fact.boot_id
        books.boot_mono_ns = mono_ns
        books.boot_hold_id = books.holds.last_id
        books.limits.reboot(mono_ns)
        books.ladder.cool(over=False, mono_ns=mono_ns)
        for watched in books.watched.values():
            watched.reboot(mono_ns)
    books.orders.begin_epoch(fact)
    ledger = books.ledger
    ledger.begin_epoch()
    ledger.settle_asset = fact.settle_asset
    for instrument, unit in fact.tick_lot_e8.items():
        known = ledger.tick_lot_e8.get(instrument)
        invariant(
            known in (None, unit) or ledger.position(instrument).position_lots == 0,
            "an instrument's unit changes only while flat",
            instrument=instrument,
        )
        if known not in (None, unit):
            ledger.tails.pop(instrument, None)  # its executions were counted in the old unit
        ledger.tick_lot_e8[instrument] = unit
    ledger.grids |= fact.grids


def _refused(books: Books, fact: IntentRefused, _: int) -> None:
    books.refused_count += 1


def _filled(books: Books, fact: FillBooked, mono_ns: int) -> None:
    books.orders.fill(fact)
    watched = books.watched.get(fact.strategy)
    if watched is not None:
        _watch_fill(books, watched, fact)
    ledger = books.ledger
    books.orders.day.fill(fact.qty_lots * fact.price_ticks * ledger.tick_lot_e8[fact.instrument])
    if not fact.churn_window_ms:
        ledger.fill(fact, mono_ns=mono_ns)
        return
    row = ledger.position_of(fact.strategy, fact.instrument)
    before_lots, realised_e8 = row.position_lots, row.realised_e8
    ledger.fill(fact, mono_ns=mono_ns)
    churns = books.churn.setdefault(fact.strategy, {})
    churn = churns.get(fact.instrument)
    if churn is None:
        churn = churns[fact.instrument] = Churn()
    churn.fill(
        venue_ns=fact.venue_ns,
        before_lots=before_lots,
        after_lots=row.position_lots,
        realised_e8=row.realised_e8 - realised_e8,
        fee_e8=fact.fee_e8 if fact.fee_asset == ledger.settle_asset else 0,
        window_ns=fact.churn_window_ms * NS_PER_MS,
    )


def _busted(books: Books, fact: FillBusted, mono_ns: int) -> None:
    books.ledger.bust(fact, mono_ns=mono_ns)
    if not fact.booked and fact.order_id is not None:
        books.orders.execute(fact.order_id, fact.qty_lots)


def _claimed(books: Books, fact: FillClaimed, _: int) -> None:
    books.orders.execute(fact.order_id, books.ledger.claim(fact))


def _watch_fill(books: Books, watched: Watched, fact: FillBooked) -> None:
    """Behind the order's own count and before the ledger's."""
    watched.slip(fact, unit_e8=books.ledger.tick_lot_e8[fact.instrument])
    row = None if fact.order_id is None else books.orders.row(fact.order_id)
    over = fact.qty_lots
    if row is not None:
        over = min(over, max(0, row.filled_lots - max(row.qty_lots, row.amend_qty_lots)))
    before = books.ledger.position_of(fact.strategy, fact.instrument).position_lots
    watched.intended.setdefault(fact.instrument, Intended()).fill(fact, before_lots=before, over_lots=over)


def _moved(books: Books, fact: OrderMoved, _: int) -> None:
    if not books.watched or not is_final(fact.state):
        books.orders.move(fact)
        return
    row = books.orders.row(fact.order_id)
    ends = row is not None and not is_final(row.state)
    books.orders.move(fact)
    if row is not None and ends and row.strategy in books.watched:
        filled = row.filled_lots > 0 or row.reported_lots > 0
        books.watched[row.strategy].end(row.state, protective=row.conditional, filled=filled)


def _marked(books: Books, fact: StrategyMarked, mono_ns: int) -> None:
    watched = books.watched.get(fact.strategy)
    if watched is None:
        pnl = fact.pnl_e8
        watched = books.watched[fact.strategy] = Watched(
            day=fact.day, day_pnl_e8=pnl, pnl_e8=pnl, peak_e8=pnl
        )
    watched.mark(fact, mono_ns=mono_ns)


def _aimed(books: Books, fact: TargetSet, _: int) -> None:
    watched = books.watched.get(fact.strategy)
    if watched is not None:
        watched.intended.setdefault(fact.instrument, Intended()).aim(fact)


def _found(books: Books, fact: BreakFound, _: int) -> None:
    books.breaks[f"{fact.kind.value}/{fact.key}"] = fact


def _healed(books: Books, fact: BreakHealed, _: int) -> None:
    books.breaks.pop(f"{fact.kind.value}/{fact.key}", None)


def _placed(books: Books, fact: HoldPlaced, _: int) -> None:
    books.holds.place(fact)
    # the hold's own time: a fold of the journal does not know of the quote that placed it
    books.ladder.placed(fact.hold, mono_ns=fact.hold.since_mono_ns)


def _released(books: Books, fact: HoldReleased, _: int) -> None:
    hold = books.holds.holds.get(fact.hold_id)
    books.holds.release(fact)
    if hold is not None:
        books.ladder.released(hold)
        if hold.cause is HoldCause.CHURN:
            for churn in books.churn.get(hold.scope.strategy, {}).values():
                churn.forgive()
        watched = books.watched.get(hold.scope.strategy)
        if watched is not None and hold.cause is HoldCause.CRITERIA:
            watched.forgive()
        elif watched is not None and hold.cause is HoldCause.OVERSIZED:
            held = books.ledger.position_of(hold.scope.strategy, hold.scope.instrument).position_lots
            watched.intended.setdefault(hold.scope.instrument, Intended()).accept(held)


def _rolled(books: Books, fact: DayRolled, _: int) -> None:
    books.ladder.roll()
    books.orders.day.roll()


def _day_priced(books: Books, fact: DayPriced, _: int) -> None:
    books.day_prices[fact.instrument] = fact


def _flatten_began(books: Books, fact: FlattenBegan, _: int) -> None:
    books.flattens[scope_key(fact.scope)] = fact


def _flatten_ended(books: Books, fact: FlattenEnded, _: int) -> None:
    books.flattens.pop(scope_key(fact.scope), None)


def _seen(books: Books, fact: MarketSeen, _: int) -> None:
    books.seen |= {row.instrument: row for row in fact.rows}


def _nothing(books: Books, fact: Fact, _: int) -> None:
    """Written down for people and for replay; the books do not depend on it."""


_APPLY: Final[dict[type, Callable[..., None]]] = {
    EpochBegan: _epoch,
    BooksOpened: lambda books, fact, _: books.ledger.open(fact),
    OpeningAgreed: lambda books, _, __: books.ledger.agree(),
    OrderApproved: lambda books, fact, _: books.orders.approve(fact),
    IntentRefused: _refused,
    SizeReduced: _nothing,
    OrderMoved: _moved,
    OrderAmended: lambda books, fact, mono_ns: books.orders.amend(fact, mono_ns=mono_ns),
    FillBooked: _filled,
    FillBusted: _busted,
    FillClaimed: _claimed,
    FillAccepted: lambda books, fact, _: books.ledger.accept(fact),
    CashBooked: lambda books, fact, _: books.ledger.cash(fact),
    PositionAdjusted: lambda books, fact, mono_ns: books.ledger.adjust(fact, mono_ns=mono_ns),
    HoldPlaced: _placed,
    HoldReleased: _released,
    DayRolled: _rolled,
    DayPriced: _day_priced,
    StrategyMarked: _marked,
    TargetSet: _aimed,
    CoolDownMoved: lambda books, fact, mono_ns: books.ladder.cool(over=fact.over, mono_ns=mono_ns),
    LoosenAsked: lambda books, fact, mono_ns: books.limits.ask(fact, mono_ns=mono_ns),
    LimitChanged: lambda books, fact, _: books.limits.change(fact),
    GlassBroken: lambda books, fact, _: books.limits.break_glass(fact),
    GlassEnded: lambda books, fact, _: books.limits.end_glass(fact),
    EquityMarked: lambda books, fact, _: books.drawdown.apply(fact),
    BreakFound: _found,
    BreakHealed: _healed,
    ForeignOrderSeen: lambda books, fact, _: books.orders.see_foreign(fact),
    FlattenBegan: _flatten_began,
    FlattenEnded: _flatten_ended,
    ClockSet: _nothing,
    MarketSeen: _seen,
    HashMark: _nothing,
}


class Chase(Struct, kw_only=True):
    """How the search for an order's fate goes."""

    absent_after_mono_ns: int  # "no such order" counts only for questions asked after this
    absent_count: int = 0
    tries: int = 0
    asking: bool = False
    fills_only: bool = False  # its state is known: only executions that the venue reported are missing


class Retries(Struct, kw_only=True):
    """Failures in a row of one kind of request about one thing (``core.orders.retries``)."""

    instrument: str  # empty: of the account
    order_id: int  # 0: of no order
    tries: int
    failures: int = 0


class Word(Struct, kw_only=True):
    """The venue's last word on one thing: when it was asked for, and whether a question is out."""

    mono_ns: int = FAR_PAST_NS
    asking: bool = False
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class DepthWatch:
    """One instrument's book, and whether another snapshot of it is asked for."""

    book: DepthBook = field(default_factory=DepthBook)
    asking: bool = False
    ask_after_mono_ns: int = FAR_PAST_NS
    unavailable: bool = False
    missed_count: dict[str, int] = field(default_factory=dict)

    def missed(self, why: str) -> None:
        """Count why the book was lost."""
        self.missed_count[why] = self.missed_count.get(why, 0) + 1


class VenueWords(Struct, kw_only=True):
    """What the venue last said of the account."""

    positions: Word = msgspec.field(default_factory=Word)
    balances: Word = msgspec.field(default_factory=Word)
    orders: Word = msgspec.field(default_factory=Word)
    # by instrument, until the opening balance is agreed with: when the word was asked for that last agreed with our
    # position, and the last list of executions that came whole
    agreed_mono_ns: dict[str, int] = {}
    whole_mono_ns: dict[str, int] = {}
    position_lots: dict[str, int] = {}
    mark_ticks: dict[str, int] = {}
    cost_e8: dict[str, int] = {}  # what the positions were entered for, where the venue tells it
    wallet_e8: dict[str, int] = {}
    differs_e8: int = 0  # the venue's wallet less ours, where it was last found to differ
    differs_mono_ns: int = FAR_PAST_NS  # since when by so much
    opening: bool = False  # no word on balances has agreed yet with the one that opened our books
    later_from_order_id: int = (
        0  # orders from here on were approved behind that one, as far as this life knows
    )
    unlisted: tuple[str, ...] = ()
    source: int = 0
    trades_asking: dict[str, bool] = {}
    trades_mono_ns: dict[str, int] = {}  # when the list of executions was last asked for and came
    trades_asked_mono_ns: dict[str, int] = {}
    trades_failures: dict[str, int] = {}
    trades_reach: dict[str, int] = {}  # how much further back than usual the list is asked for
    cash_asking: bool = False
    cash_mono_ns: int = FAR_PAST_NS
    # by instrument, executions that may be of an order without a name yet: since when each
    trades_waiting: dict[str, dict[str, int]] = {}
    amended_venue_ns: dict[
        int, int
    ] = {}  # by order: when its size or price last changed, by the venue's time
    smaller_lots: dict[int, int] = {}  # by order: a size below ours that the last answer showed
    # conditional orders that were asked after by name because of such an execution: when
    named_mono_ns: dict[int, int] = {}


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class Session:
    """What a restart forgets: rebuilt at every ``Started`` from its settings and the books."""

    configured: Settings  # as the start told them
    settings: Settings  # the same with the limits that are in force: see ``core.limits``
    account: AccountDesk
    markets: dict[str, Market]
    now_wall_ns: int
    now_mono_ns: int
    started_mono_ns: int
    started_wall_ns: int
    boot_id: str
    calls: dict[int, Call] = field(default_factory=dict)  # questions that have no answer yet
    # (until when, order) of orders that wait for a word, the longest waiting first
    acks: list[tuple[int, int]] = field(default_factory=list)
    next_call_id: int = 1
    user_stream_up: bool = False
    user_stream_up_mono_ns: int = FAR_PAST_NS  # since when, where it is
    feeds_up: dict[str, bool] = field(default_factory=dict)
    feed_of: dict[str, str] = field(
        default_factory=dict
    )  # whose quotes an instrument's are, where there is a choice
    reference_of: dict[str, str] = field(default_factory=dict)  # the same, while it is another venue's
    feed_said: tuple[str, str] = ("", "")  # the last change of feeds that people were told of
    feed_said_mono_ns: int = FAR_PAST_NS
    silent: dict[str, int] = field(
        default_factory=dict
    )  # streams that say nothing: for how many ms when noticed
    degraded: bool = False  # under pressure: only the newest quotes are looked at
    conflated_count: int = 0
    offset_ns: int = 0
    offset_known: bool = False
    offset_base_ns: int = 0  # how the clocks stand: the hold is about moving away from it
    words: VenueWords = field(default_factory=VenueWords)
    suspects: dict[str, int] = field(default_factory=dict)  # how often in a row a difference was seen
    suspected_mono_ns: dict[str, int] = field(default_factory=dict)  # and when first
    start_steps: dict[str, bool] = field(default_factory=dict)  # what the start must still hear, by name
    ready: bool = False
    armed: bool = False  # once in this life: whatever places the startup hold again waits for a person
    chases: dict[int, Chase] = field(default_factory=dict)
    retries: dict[str, Retries] = field(default_factory=dict)  # by kind and order or instrument
    jobs: dict[str, FlattenJob] = field(default_factory=dict)
    deadman_until_mono_ns: dict[str, int] = field(default_factory=dict)
    latch_nonce: int = 0
    clear_since_mono_ns: dict[int, int] = field(default_factory=dict)
    # equity below it trips the breaker; None: it has tripped, or equity is not known yet
    breaker_floor_e8: int | None = None
    equity_floor_e8: int | None = None  # the same while something is held: what every quote is held against
    equity_mono_ns: int = FAR_PAST_NS  # when equity was last marked
    marking: bool = False
    swings: dict[str, Swing] = field(default_factory=dict)
    refused_half_mono_ns: int = 0  # when the next half of the markets' windows begins
    ending: str = ""  # why the process will end once everything is final
    ending_since_mono_ns: int = 0
    last_refusal: Refusal | None = None
    last_refused: str = ""
    rejects_count: int = 0
    reference: ReferenceRead | None = None  # as last read; None: not yet
    facts: dict[str, Facts] = field(default_factory=dict)  # by instrument: what the gate makes of it
    volumes: dict[str, tuple[int, int]] = field(default_factory=dict)  # (lots of 24 hours, when asked)
    volumes_asking: bool = False
    volumes_asked_mono_ns: int = FAR_PAST_NS
    hours_due_wall_ns: int = 0  # when something opens, closes or grows too old
    malformed_count: int = 0  # frames that belong to no instrument of ours, as far as one could read
    depths: dict[str, DepthWatch] = field(default_factory=dict)
    clock_asked_mono_ns: int = FAR_PAST_NS  # because of stamps that did not fit
    split_held: dict[str, bool] = field(default_factory=dict)
    closed: tuple[tuple[str, str], ...] = ()  # strategies and instruments outside our own hours
    flows: dict[str, Flow[FlowRules]] = field(default_factory=dict)  # by instrument, where it has rules
    group_flows: dict[str, Flow[GroupFlowRules]] = field(default_factory=dict)  # by group, where it has rules
    seen_due_mono_ns: int = FAR_PAST_NS  # when how far was seen is next written down


class _NotStarted:
    """Stands where the session will be: only ``Started`` may come before there is one."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        raise InvariantBroken("a start comes before anything else")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise InvariantBroken("a start comes before anything else")


class State:
    """Everything the core knows. ``desks`` is derived from books and session and holds references into them."""

    __slots__ = ("books", "desks", "exposures", "instrument_limits", "live", "resting", "session", "specs")

    def __init__(self, books: Books | None = None) -> None:
        self.books = books if books is not None else Books()
        self.session: Session | None = None
        self.live: Session = cast("Session", _NotStarted())  # the session, wherever there must be one
        self.specs: dict[str, InstrumentSpec] = {}
        self.instrument_limits: dict[str, InstrumentLimits] = {}
        self.desks: dict[str, dict[str, Desk]] = {}
        self.exposures: dict[str, Exposure] = {}
        self.resting: dict[str, Resting] = {}

    def begin(self, event: Started) -> Session:
        """Forget the last session and derive a new one from the settings and the books."""
        books = self.books
        settings = in_force(event.settings, books.limits)
        timings = settings.timings
        self.specs = {spec.instrument: spec for spec in settings.instruments}
        self.instrument_limits = {limits.instrument: limits for limits in settings.instrument_limits}
        markets = {limits.instrument: market_of(limits, timings) for limits in settings.instrument_limits}
        for name, seen in (*books.seen.items(), *((row.instrument, row) for row in event.seen)):
            if name in markets:
                markets[name].resume(seen)
        for name in settings.scaled:
            markets[name].expect_splits(
                [
                    split
                    for split in settings.splits
                    if split.instrument == name and split.from_venue_ns > event.wall_ns
                ]
            )
        rates = settings.account_limits
        account = AccountDesk(
            limits=rates,
            asked=NOTHING_ASKED.sized(rates_of(rates, settings.instrument_limits, settings.strategy_limits)),
            day=books.orders.day,
            quote_age_ns_max=timings.quote_age_ms_max * NS_PER_MS,
            duplicate_window_ns=timings.duplicate_window_ms * NS_PER_MS,
            open_orders_count=len(books.orders.live) + len(books.orders.foreign),
        )
        self.live = self.session = Session(
            configured=event.settings,
            settings=settings,
            account=account,
            markets=markets,
            now_wall_ns=event.wall_ns,
            now_mono_ns=event.mono_ns,
            started_mono_ns=event.mono_ns,
            started_wall_ns=event.wall_ns,
            boot_id=event.boot_id,
            facts={
                name: Facts(fresh_until_ns=ALWAYS_NS if settings.reference is None else 0) for name in markets
            },
        )
        self.session.flows = {rules.instrument: Flow(rules=rules) for rules in settings.flows}
        self.session.group_flows = {rules.group: Flow(rules=rules) for rules in settings.group_flows}
        # every quoted instrument has its rows: the hot path looks them up
        self.exposures = {
            name: Exposure(
                spec=self.specs[name],
                position=books.ledger.position(name),
                open_lots=books.orders.open_in(name),
                market=market,
                net=account.net,
                summed=bool(rates.net_notional_e8_max or rates.group_share_ppm_max),
            )
            for name, market in markets.items()
            if name in self.specs
        }
        self.resting = {name: Resting() for name in self.exposures}
        for row in books.orders.live.values():
            self.rest(row)
        self.desks = {}
        limits_of = {(limits.strategy, limits.instrument): limits for limits in settings.strategy_limits}
        for setup in settings.strategies:
            desks = self.desks[setup.strategy] = {}
            for instrument in setup.instruments:
                limits = limits_of.get((setup.strategy, instrument))
                if limits is None or instrument not in markets or instrument not in self.specs:
                    continue  # no desk: the gate answers NotAllowed, never a default limit
                desks[instrument] = Desk(
                    strategy=setup.strategy,
                    spec=self.specs[instrument],
                    limits=limits,
                    instrument_limits=self.instrument_limits[instrument],
                    market=markets[instrument],
                    account=account,
                    exposure=self.exposures[instrument],
                    resting=self.resting[instrument],
                    parents=books.orders.parents_of(setup.strategy),
                    my_position=books.ledger.position_of(setup.strategy, instrument),
                    all_position=books.ledger.position(instrument),
                    my_open=books.orders.open_of(setup.strategy, instrument),
                    all_open=books.orders.open_in(instrument),
                    facts=self.session.facts[instrument],
                )
                desks[instrument].flow = self.session.flows.get(instrument)
                desks[instrument].group_flows = self.session.group_flows
        for instrument in markets:
            books.ledger.position(instrument)
            self.refresh_gross(instrument)
        self.fold_holds()
        return self.session

    def fold_limits(self) -> None:
        """Put the limits in force where they are read: at a change, off the hot path."""
        session = self.live
        settings = session.settings = in_force(session.configured, self.books.limits)
        account = session.account
        rates = settings.account_limits
        account.asked = account.asked.sized(
            rates_of(rates, settings.instrument_limits, settings.strategy_limits)
        )
        account.limit(rates)
        self._fold_floor(rates.drawdown_breaker_ppm)
        self.instrument_limits = {limits.instrument: limits for limits in settings.instrument_limits}
        for swing in self.live.swings.values():
            swing.calm_until_mono_ns = FAR_PAST_NS  # to be judged by what is allowed now
        for flow_rules in settings.flows:
            session.flows[flow_rules.instrument].rules = flow_rules
        for group_rules in settings.group_flows:
            session.group_flows[group_rules.group].rules = group_rules
        for name, instrument_limits in self.instrument_limits.items():
            session.markets[name].limit(
                spread_ppm_max=instrument_limits.spread_ppm_max, jump_ppm_max=instrument_limits.jump_ppm_max
            )
        for limits in settings.strategy_limits:
            desk = self.desks.get(limits.strategy, {}).get(limits.instrument)
            if desk is not None:
                desk.limit(limits, self.instrument_limits[limits.instrument])

    def _fold_floor(self, breaker_ppm: int) -> None:
        session = self.live
        if session.breaker_floor_e8 is None:
            return
        watching = session.equity_floor_e8 is not None
        session.breaker_floor_e8 = floor_e8(self.books.drawdown.peak_e8, breaker_ppm=breaker_ppm)
        session.equity_floor_e8 = session.breaker_floor_e8 if watching else None

    def fold_holds(self) -> None:
        """Fold the standing holds into every desk's one level."""
        holds = self.books.holds
        for strategy, desks in self.desks.items():
            for instrument, desk in desks.items():
                desk.fold(holds.strictest(strategy=strategy, instrument=instrument))

    def refresh_gross(self, instrument: str) -> None:
        """Recount one instrument's worst-case notional in the account's sum."""
        exposure = self.exposures.get(instrument)
        if exposure is not None:
            self.live.account.gross_e8 += exposure.recount()

    def rest(self, row: OrderRow) -> None:
        """Note where an order of ours may be in the venue's book, after anything of it changed."""
        resting = self.resting.get(row.terms.instrument)
        if resting is not None:
            resting.rest(row.order_id, row.terms.side, row.resting_ticks())

    def equity_e8(self) -> int | None:
        """Wallet and unrealised P&L in the settle asset; None while a held instrument has no price.

        Where marks and quotes are at odds, by the worse of the two.
        """
        session = self.live
        ledger = self.books.ledger
        total = ledger.wallet_e8.get(ledger.settle_asset)
        if total is None:
            return None
        for instrument, row in ledger.positions.items():
            lots = row.position_lots
            if lots:
                market = session.markets.get(instrument)
                price = market.price_ticks() if market is not None else 0
                if price <= 0 or market is None:
                    return None
                disputed = (
                    market.disputed_ticks or price
                )  # against us: nobody can tell which of the two is wrong
                total += min(lots * price, lots * disputed) * ledger.tick_lot_e8[instrument]
            total -= row.cost_e8
        return total

    def know_equity(self) -> int | None:
        """Find out equity, and let leverage be judged by it once all that is held or open has a price."""
        equity = self.equity_e8()
        account = self.live.account
        counted = True
        if equity is not None and account.equity_e8 is None:
            for instrument in self.specs:
                self.refresh_gross(instrument)
            counted = not any(exposure.unpriced() for exposure in self.exposures.values())
        account.mark(equity if counted else None)
        return equity

    # --- hashes -------------------------------------------------------------------------------------------------

    def books_hash(self) -> str:
        """Hash of orders, ledger, holds and what else must survive."""
        return _hash(_without_empty_rows(self.books))

    def state_hash(self) -> str:
        """Hash of everything the core knows."""
        gates = [
            (strategy, instrument, desk.last_intent_seq, list(desk.recent.items()))
            for strategy, desks in self.desks.items()
            for instrument, desk in desks.items()
        ]
        return _hash((_without_empty_rows(self.books), self.session, gates))


_NOT_YET_THEN: Final = ("day_prices", "watched", "environment", "account_number")
_NO_TRANSFERS_THEN: Final = ("transfers_before_e8", "transfers_counted_e8")
_NO_POSITION: Final = PositionRow()
_NO_OPEN: Final = OpenLots()
_NO_PARENTS: Final = Parents()
_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=list)  # a deque, hashed as what it holds
Row = TypeVar("Row")
_BOOKS_DECODER: Final = msgspec.msgpack.Decoder(Books)


def _hash(thing: object) -> str:
    return hashlib.blake2b(_ENCODER.encode(thing), digest_size=16).hexdigest()


def _without_empty_rows(books: Books) -> object:
    """The books less the rows that were only looked at, in the order of their names.

    A fold of the facts does not make those rows, and meets the others in another order.
    """
    ledger = msgspec.structs.replace(
        books.ledger,
        positions=_used(books.ledger.positions, _NO_POSITION),
        attributed=_used_within(books.ledger.attributed, _NO_POSITION),
        trade_ids={name: seen for name, seen in sorted(books.ledger.trade_ids.items()) if seen},
        tick_lot_e8=dict(sorted(books.ledger.tick_lot_e8.items())),
        grids=dict(sorted(books.ledger.grids.items())),
    )
    orders = msgspec.structs.replace(
        books.orders,
        by_instrument=_used(books.orders.by_instrument, _NO_OPEN),
        by_strategy=_used_within(books.orders.by_strategy, _NO_OPEN),
        parents=_used(books.orders.parents, _NO_PARENTS),
    )
    # The same bytes as before there were any: the hashes in older journals hold. What is kept so that an execution can
    # be taken back is a copy of facts that are counted already.
    told = {
        name: value
        for name, value in msgspec.structs.asdict(ledger).items()
        if name != "kept" and (value or name not in ("busted", "accepted"))
    }
    drawdown = {
        name: value
        for name, value in msgspec.structs.asdict(books.drawdown).items()
        if value or name not in _NO_TRANSFERS_THEN
    }
    used = msgspec.structs.asdict(msgspec.structs.replace(books, orders=orders))
    used |= {"ledger": told, "drawdown": drawdown}
    return {name: value for name, value in used.items() if value or name not in _NOT_YET_THEN}


def _used(rows: dict[str, Row], empty: Row) -> dict[str, Row]:
    return {name: row for name, row in sorted(rows.items(), key=_name) if row != empty}


def _used_within(rows: dict[str, dict[str, Row]], empty: Row) -> dict[str, dict[str, Row]]:
    used = {name: _used(inner, empty) for name, inner in sorted(rows.items(), key=_name)}
    return {name: inner for name, inner in used.items() if inner}


def _name(item: tuple[str, object]) -> str:
    return item[0]


def encode_books(books: Books) -> bytes:
    """A snapshot of the books. Order of insertion is kept: it is part of the books."""
    return msgspec.msgpack.encode(books)


def decode_books(payload: bytes) -> Books:
    """Books from a snapshot. Errors: msgspec.DecodeError for bytes that are not one."""
    return _BOOKS_DECODER.decode(payload)
