"""The auditor beside the bot: what may never be, whatever happens. It shares no code with what it audits.

It hears what the bot writes down, what it sends, what people are told and what the venue did, and keeps books of its
own: lists and sums. After every record it checks what that record may say (O(1)); ``look`` holds its books against
everything that the bot claims of itself, in full. Every rule by its number (I3, L1…): docs/reference/auditor.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Final, get_args

from msgspec import Struct

from holdfast.vocab.effects import Alert, Call, Record
from holdfast.vocab.events import (
    CallDone,
    Command,
    Event,
    OrderReported,
    Started,
    TradeReported,
    Verb,
)
from holdfast.vocab.facts import (
    AmendStep,
    CashBooked,
    CashKind,
    EpochBegan,
    FillAccepted,
    FillBooked,
    FillBusted,
    FillClaimed,
    FlattenEnded,
    ForeignOrderSeen,
    GlassBroken,
    HoldPlaced,
    HoldReleased,
    LimitChanged,
    LoosenAsked,
    OrderAmended,
    OrderApproved,
    OrderMoved,
    PositionAdjusted,
)
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Release
from holdfast.vocab.orders import Did, Lane, OrderState, OrderTerms
from holdfast.vocab.outcome import Fatal, Ok, Suppressed, Transient
from holdfast.vocab.reports import FillCause, NoSuchOrder, Positions
from holdfast.vocab.requests import (
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    QueryOrder,
    QueryPositions,
    Request,
)
from holdfast.vocab.units import NS_PER_S, PPM

FINAL: Final = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.UNSENT}
)
HOUSE: Final = ""
QUARANTINE: Final = "?"
ALERT_NS_MAX: Final = 5 * NS_PER_S
WORDS_KEPT: Final = 3
WORD_NS_MAX: Final = 2 * NS_PER_S  # without a word for longer the bot may exit blind, by what it last knew
CALLS_MAX: Final = 2_000
_QUIET: Final = frozenset({HoldCause.STARTUP, HoldCause.DEADMAN_UNARMED})
_EVENTS: Final = frozenset(get_args(Event))


class Violation(BaseException):  # as InvariantBroken: no stray handler eats it
    """A rule was broken. ``rule``: its number and words, the same at every time."""

    def __init__(self, rule: str, said: str = "") -> None:
        super().__init__(f"{rule}: {said}" if said else rule)
        self.rule = rule


class Trade(Struct, frozen=True):
    """An execution, as the venue knows it or as the books have it."""

    instrument: str
    trade_id: str
    side: int
    qty_lots: int
    price_ticks: int
    fee_e8: int
    fee_asset: str


Foreign = tuple[str, bool, str]  # somebody else's order: its instrument, whether conditional, the venue's id


class Truth(Struct, frozen=True, kw_only=True):
    """The venue's own word on the account, straight from its engine."""

    position_lots: dict[str, int]
    open_order_ids: frozenset[int]  # ours, plain and conditional
    foreign: frozenset[Foreign]  # everybody else's
    wallet_e8: dict[str, int]
    equity_e8: int  # the settle asset's wallet, and what closing everything would make
    equity_apart_e8: int  # by so much what others value it at may differ


class Claims(Struct, frozen=True, kw_only=True):
    """What the bot says of itself. Lots are signed; open lots are (buy, sell)."""

    position_lots: dict[str, int]
    attributed_lots: dict[tuple[str, str], int]  # (strategy, instrument)
    open_lots: dict[tuple[str, str], tuple[int, int]]  # (strategy or "*", instrument)
    levels: dict[tuple[str, str], int]
    holds: dict[int, int]
    order_states: dict[int, OrderState]
    wallet_e8: dict[str, int]
    equity_e8: int  # as last marked, less what was transferred
    foreign: frozenset[Foreign]
    calls_count: int
    chased_count: int
    exits_count: int
    breaks: tuple[str, ...]
    ready: bool


class Rules(Struct, frozen=True, kw_only=True):
    """The limits in force, as configured and as people changed them since."""

    order_lots_max: dict[tuple[str, str], int]  # (strategy or "*", instrument)
    position_lots_max: dict[tuple[str, str], int]
    collar_ppm: dict[str, int]
    unit_e8: dict[str, int]
    gross_e8_max: int
    quote_age_ns_max: int
    recover_cooling_ns: int
    receive_window_ns: int


class Sent(Struct):
    """One order, in the auditor's own books."""

    strategy: str
    terms: OrderTerms
    lane: Lane
    index: int  # of the record that approved it
    level: HoldLevel  # in force then
    state: OrderState = OrderState.SENT
    qty_lots: int = 0
    amend_lots: int = 0
    amended_index: int = -1
    filled_lots: int = 0
    reported_lots: int = 0
    signed_mono_ns: int = 1 << 62  # when its last request was written, at the latest

    def open_lots(self) -> int:
        """What may still come of it, at the worst."""
        if self.state in FINAL:
            return max(0, self.reported_lots - self.filled_lots)
        return max(0, max(self.qty_lots, self.amend_lots) - self.filled_lots)


class World(Struct, frozen=True):
    """What the auditor may ask of the world around the bot."""

    truth: Callable[[], Truth]
    true_fill: Callable[[str, str], Trade | None]
    was_busted: Callable[[str, str], bool]
    durable_count: Callable[[], int]
    now_mono_ns: Callable[[], int]
    quoted_mono_ns: Callable[[str], int]
    price_ticks: Callable[[str], int]  # the lowest that the venue quoted of late
    rules: Callable[[dict[str, int]], Rules]  # the configured limits, but those that people changed
    quiet: Callable[
        [], bool
    ]  # whether what a flatten read of late cannot be older than anything that changed it


class Auditor:
    """Looks at every record and every request of one bot, over all its lives."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.counts: Counter[str] = Counter()
        self.checks: Counter[str] = Counter()
        self.tripped = False
        self.doubtful_fills = 0  # booked while their order was UNKNOWN, or while only reducing was allowed
        self.arrived: set[int] = set()
        self._heard: dict[type, Callable[..., None]] = {
            kind: getattr(self, name) for kind, name in _HEARD.items()
        }
        self._reset()

    def _reset(self) -> None:
        self.count = 0  # records heard
        self.orders: dict[int, Sent] = {}
        self.live: dict[int, Sent] = {}
        self.fills: dict[tuple[str, str], FillBooked] = {}
        self.parts: dict[tuple[str, str], list[tuple[str, int]]] = {}  # whose a fill is, and how much of it
        self.taken_back: set[tuple[str, str]] = set()
        self.adjusted: Counter[str] = Counter()
        self.transfers_e8 = 0
        self.acts_asked: dict[str, int] = {}  # what people asked to loosen, and since when
        self.position: Counter[str] = Counter()
        self.mine: Counter[tuple[str, str]] = Counter()  # (strategy, instrument)
        self.foreign: dict[Foreign, tuple[int, int]] = {}
        self.open: Counter[tuple[str, str, int]] = Counter()  # (strategy or "*", instrument, side)
        self.holds: dict[int, Hold] = {}
        self.limits: dict[str, int] = {}  # by name, as people changed them since the configuration
        self._life = 0
        # the venue's last words on positions that the bot was told, by life and question: each is as old as that
        self._worded: list[tuple[int, int, dict[str, int]]] = []
        self.worded_mono_ns = -(1 << 62)
        self._since: dict[int, int] = {}  # when each hold began to be waited out
        self._boot_id = ""
        self.quarantined: dict[str, str] = {}
        self.accepted: dict[str, list[tuple[str, int]]] = {}  # and whose position each closed
        self.asked: dict[str, int] = {}
        self.last_event: Event | None = None
        self.last_order_id = 0
        self._unalerted: dict[int, int] = {}
        self._startup_due = False
        self._quiet = False
        self._positions_asked: set[int] = set()
        self._asked_of: dict[int, int] = {}  # of this life's calls, by id: which order each is about
        self._asked_mono_ns: dict[int, int] = {}  # and when each was asked

    def must(self, rule: str, holds: object, *said: object) -> None:
        """Assert a rule, and count that it was asked."""
        self.checks[rule] += 1
        if not holds:
            raise Violation(rule, " ".join(map(str, said)))

    # --- lives --------------------------------------------------------------------------------------------------

    def begins(self, records: Iterable[Record], count: int) -> None:
        """Another life reads these records: what was lost with the last one never was."""
        self._unalerted = {}
        self._positions_asked = set()
        self._asked_of = {}
        self._asked_mono_ns = {}
        if count == self.count:
            self._signed_by_now()
            return
        self._reset()
        self._quiet = True
        for record in records:
            self.record(self.count, record)
        self._quiet = False
        self._unalerted = {}
        self._signed_by_now()

    def _signed_by_now(self) -> None:
        """The monotonic clock may have begun anew: whatever was sent may be on its way from now on."""
        for sent in self.live.values():
            sent.signed_mono_ns = self._world.now_mono_ns()

    # --- what it writes down --------------------------------------------------------------------------------------

    def record(self, index: int, record: Record) -> None:
        """One record of the decision journal."""
        self.must("I21 records are dense", index == self.count, index, self.count)
        self.count = index + 1
        kind = type(record)
        if kind in _EVENTS:
            self._event(record)  # type: ignore[arg-type]
        else:
            heard = self._heard.get(kind)
            if heard is not None:
                heard(record)

    def _event(self, event: Event) -> None:
        if self._startup_due and type(event) is not Started:
            self._startup_due = False
            level = max((hold.level for hold in self.holds.values()), default=HoldLevel.NONE)
            self.must("I8 a start is HALTED", level >= HoldLevel.HALTED, level)
        self.last_event = event
        if isinstance(event, CallDone) and event.call_id in self._positions_asked:
            self._positions_asked.discard(event.call_id)
            if isinstance(event.outcome, Ok) and isinstance(event.outcome.value, Positions):
                word = {row.instrument: row.position_lots for row in event.outcome.value.positions}
                self._worded = sorted(
                    (*self._worded, (self._life, event.call_id, word)), key=itemgetter(0, 1)
                )
                self._worded = self._worded[-WORDS_KEPT:]
                self.worded_mono_ns = event.mono_ns
            else:
                self.worded_mono_ns = -(1 << 62)  # what goes blind exits by what it last knew
        if type(event) is Started and event.boot_id != self._boot_id:
            self._boot_id = event.boot_id
            self._since = dict.fromkeys(self._since, event.mono_ns)  # every delay begins anew
            self.acts_asked = dict.fromkeys(self.acts_asked, event.mono_ns)

    def _epoch(self, _: EpochBegan) -> None:
        self._startup_due = True
        self._life += 1

    @property
    def words(self) -> list[dict[str, int]]:
        """The venue's last words on positions, the one that was asked for last behind the others."""
        return [word for _, _, word in self._worded]

    def _approved(self, fact: OrderApproved) -> None:
        terms, world = fact.terms, self._world
        name, side, order_id = terms.instrument, int(terms.side), fact.order_id
        self.must("I25 an order id is new", order_id > self.last_order_id, order_id)
        self.last_order_id = order_id
        level = self.level(fact.strategy, name)
        sent = Sent(fact.strategy, terms, fact.lane, self.count - 1, level, qty_lots=terms.qty_lots)
        self.orders[order_id] = self.live[order_id] = sent
        self._count_open(sent, terms.qty_lots)
        self.must("I17 an order has a size", terms.qty_lots > 0)
        self.counts["orders"] += 1
        if fact.lane is Lane.FLATTEN:
            self.counts["exits"] += 1
            self.must("I11 an exit is reduce-only", terms.reduce_only, terms)
            if not self._quiet and 0 <= fact.approved_mono_ns - self.worded_mono_ns < WORD_NS_MAX:
                most = max((-side * word.get(name, 0) for word in self.words), default=0)
                self.must("I13 an exit goes by the venue's word", terms.qty_lots <= most, terms, self.words)
            return
        self.must("I7 no order is approved at HALTED", level < HoldLevel.HALTED, level.name, terms)
        if self._quiet:
            return
        rules = world.rules(self.limits)
        self._within(rules, fact.strategy, name, side, level)
        for who in (fact.strategy, "*"):
            limit = rules.order_lots_max[who, name]
            self.must("I2 an order is within its size", terms.qty_lots <= limit, who, terms, limit)
        if terms.price_ticks is not None and terms.trigger_ticks is None:
            off = abs(terms.price_ticks - fact.reference_ticks)
            self.must(
                "I2 an order is within its collar",
                off * PPM <= rules.collar_ppm[name] * fact.reference_ticks,
                terms,
                fact.reference_ticks,
            )
        age_ns = world.now_mono_ns() - world.quoted_mono_ns(name)
        self.must("I18 no order is priced from old data", age_ns <= rules.quote_age_ns_max, name, age_ns)
        if level >= HoldLevel.REDUCE_ONLY:
            self.must("I11 in REDUCE_ONLY the venue is told so", terms.reduce_only, terms)
        if level >= HoldLevel.REDUCE_ONLY or terms.reduce_only:
            held = -side * self.position[name]
            if terms.trigger_ticks is not None:
                self.must("I11 what protects is at most the position", terms.qty_lots <= held, terms, held)
            else:
                working = sum(
                    one.open_lots()
                    for one in self.live.values()
                    if one.terms.instrument == name
                    and one.terms.side == side
                    and one.terms.trigger_ticks is None
                )
                self.must(
                    "I11 what reduces sums to the position at most", working <= held, terms, working, held
                )
        else:
            quarantined = name in self.quarantined.values()
            self.must("I16 a quarantined instrument has no new risk", not quarantined, terms)
            self._within_gross(rules, level)

    def _within(self, rules: Rules, strategy: str, name: str, side: int, level: HoldLevel) -> None:
        halved = 1 if level >= HoldLevel.REDUCED else 0
        for who, held in (("*", self.position[name]), (strategy, self.mine[strategy, name])):
            worst = side * held + self.open[who, name, side]
            limit = rules.position_lots_max[who, name] >> halved
            self.must("I3 worst case within the cap", worst <= limit, who, name, side, worst, limit)

    def _within_gross(self, rules: Rules, level: HoldLevel) -> None:
        gross = 0
        for name, unit in rules.unit_e8.items():
            held = self.position[name]
            worst = max(abs(held + self.open["*", name, 1]), abs(held - self.open["*", name, -1]))
            gross += worst * self._world.price_ticks(name) * unit
        limit = rules.gross_e8_max >> (1 if level >= HoldLevel.REDUCED else 0)
        self.must("I5 gross at worst case within its cap", gross <= limit, gross, limit)

    def level(self, strategy: str, instrument: str) -> HoldLevel:
        """The strictest hold there."""
        worst = HoldLevel.NONE
        for hold in self.holds.values():
            scope = hold.scope
            if (
                hold.level > worst
                and (not scope.strategy or scope.strategy == strategy)
                and (not scope.instrument or scope.instrument == instrument)
            ):
                worst = hold.level
        return worst

    def _amended(self, fact: OrderAmended) -> None:
        sent = self.orders.get(fact.order_id)
        if sent is None:
            return
        before = sent.open_lots()
        if fact.step is AmendStep.ASKED:
            self.counts["amends"] += 1
            level = self.level(sent.strategy, sent.terms.instrument)
            self.must("I7 no amend is approved at HALTED", level < HoldLevel.HALTED, fact.order_id)
            grows = fact.qty_lots > sent.qty_lots
            sent.amend_lots, sent.amended_index = fact.qty_lots, self.count - 1
            self._count_open(sent, sent.open_lots() - before)
            if grows and not self._quiet:
                rules = self._world.rules(self.limits)
                self._within(rules, sent.strategy, sent.terms.instrument, int(sent.terms.side), level)
                reduces = level < HoldLevel.REDUCE_ONLY or sent.terms.reduce_only
                self.must("I11 in REDUCE_ONLY no plain order grows", reduces, fact.order_id)
            return
        if fact.step is AmendStep.DONE:
            sent.qty_lots = fact.qty_lots
        sent.amend_lots = 0
        self._count_open(sent, sent.open_lots() - before)

    def _moved(self, fact: OrderMoved) -> None:
        sent = self.orders.get(fact.order_id)
        self.must("I15 an order that moves was approved", sent is not None, fact.order_id)
        if sent is None:
            return
        was, before = sent.state, sent.open_lots()
        self.must("I17 final is final", was not in FINAL or fact.state is was, was.value, fact.did.value)
        event = self.last_event
        if fact.state is not was and not self._quiet:
            # what is asked in the same step is no outcome: an answer may end one order, and an exit goes on by it
            if isinstance(event, CallDone) and fact.did is not Did.CANCEL_ASK:
                about = self._asked_of.get(
                    event.call_id, fact.order_id
                )  # lists, and what never left, are of many
                self.must("I19 an outcome is of its own order", about == fact.order_id, fact, about)
            if fact.did is Did.REFUSED:
                proof = isinstance(event, OrderReported | TradeReported) or (
                    isinstance(event, CallDone) and isinstance(event.outcome, Fatal | Ok)
                )
                self.must("I19 refused is proven", proof, fact, type(event).__name__)
            elif fact.did is Did.NOT_SENT:
                proof = isinstance(event, CallDone) and isinstance(event.outcome, Transient | Suppressed)
                self.must("I19 not sent is proven", proof, fact)
            elif fact.did is Did.ABSENT:
                proof = (
                    isinstance(event, CallDone)
                    and isinstance(event.outcome, Ok)
                    and isinstance(event.outcome.value, NoSuchOrder)
                )
                self.must("I19 absence is the venue's word", proof, fact)
                asked = self._asked_mono_ns.get(event.call_id, 0) if isinstance(event, CallDone) else 0
                late = asked - sent.signed_mono_ns >= self._world.rules(self.limits).receive_window_ns
                self.must("I19 absence is asked for when nothing is on its way", late, fact, asked, sent)
            elif was is OrderState.UNKNOWN and fact.state in FINAL:
                proof = (
                    isinstance(event, OrderReported | TradeReported)
                    or (isinstance(event, CallDone) and isinstance(event.outcome, Ok))
                    or (isinstance(event, Command) and event.verb is Verb.RESOLVE)
                )
                self.must("I19 UNKNOWN ends by the venue's word or a person's", proof, fact)
        sent.state = fact.state
        sent.reported_lots = max(sent.reported_lots, fact.reported_lots)
        self._count_open(sent, sent.open_lots() - before)
        self._settle(fact.order_id, sent)

    def _settle(self, order_id: int, sent: Sent) -> None:
        if sent.state in FINAL and sent.reported_lots <= sent.filled_lots:
            self.live.pop(order_id, None)
        else:
            self.live[order_id] = sent

    def _count_open(self, sent: Sent, change: int) -> None:
        if change:
            name, side = sent.terms.instrument, int(sent.terms.side)
            self.open["*", name, side] += change
            self.open[sent.strategy, name, side] += change

    def _filled(self, fact: FillBooked) -> None:
        key = fact.instrument, fact.trade_id
        self.must("I14 a fill is booked once", key not in self.fills, key)
        self.must("I14 what was taken back is not booked again", key not in self.taken_back, key)
        self.counts["fills"] += 1
        self.fills[key] = fact
        self.position[fact.instrument] += fact.side * fact.qty_lots
        self._attribute(fact)
        true = self._world.true_fill(fact.instrument, fact.trade_id)
        ours = Trade(
            fact.instrument,
            fact.trade_id,
            int(fact.side),
            fact.qty_lots,
            fact.price_ticks,
            fact.fee_e8,
            fact.fee_asset,
        )
        self.must("I14 a fill is the venue's", true == ours, "ours", ours, "the venue's", true)
        if fact.order_id is None:
            venues = fact.cause is not FillCause.ORDER
            self.must("I15 a fill without an order is quarantined", venues or fact.quarantined, fact)
            if fact.quarantined:
                self.quarantined[f"{fact.instrument}/{fact.trade_id}"] = fact.instrument
            return
        sent = self.orders.get(fact.order_id)
        self.must("I15 a fill is of an order that was approved", sent is not None, fact)
        if sent is None:
            return
        same = sent.terms.instrument == fact.instrument and sent.terms.side is fact.side
        self.must("I15 a fill is of its order's instrument and side", same, fact, sent.terms)
        if sent.state is OrderState.UNKNOWN or (
            self.level(sent.strategy, fact.instrument) >= HoldLevel.REDUCE_ONLY
        ):
            self.doubtful_fills += 1
        before = sent.open_lots()
        sent.filled_lots += fact.qty_lots
        largest = max(sent.qty_lots, sent.amend_lots, sent.terms.qty_lots)
        if sent.amended_index < 0:  # an amend that was refused late may have taken effect: then it is a break
            self.must("I17 filled is at most ordered", sent.filled_lots <= largest, fact, sent)
        self._count_open(sent, sent.open_lots() - before)
        self._settle(fact.order_id, sent)

    def _attribute(self, fact: FillBooked) -> None:
        """An exit of the house closes what the strategies hold, in the order of their names; the rest is its own."""
        left = fact.qty_lots
        parts = self._closed(fact.instrument, fact.side, left) if fact.strategy == HOUSE else []
        self.parts[fact.instrument, fact.trade_id] = parts
        left -= sum(lots for _, lots in parts)
        self.mine[fact.strategy, fact.instrument] += fact.side * left
        parts.append((fact.strategy, left))

    def _closed(self, where: str, side: int, left: int) -> list[tuple[str, int]]:
        """Close what is held the other way, in the order of the strategies' names; returns whose, and how much."""
        parts: list[tuple[str, int]] = []
        for who, name in sorted(self.mine):
            held = self.mine[who, name]
            if name == where and left and held * side < 0:
                part = min(left, abs(held))
                self.mine[who, name] += side * part
                parts.append((who, part))
                left -= part
        return parts

    def _busted(self, fact: FillBusted) -> None:
        """What the venue took back is in nobody's books; its order has executed it all the same."""
        key = fact.instrument, fact.trade_id
        self.counts["busts"] += 1
        self.must("I14 a fill is taken back once", key not in self.taken_back, key)
        self.taken_back.add(key)
        if fact.by != "venue":
            self._by_person(fact)
        if fact.booked or fact.by == "venue":
            self.must("I14 what is taken back, the venue took back", self._world.was_busted(*key), key)
        fill = self.fills.pop(key, None)
        self.must("I14 what is taken out was booked", fact.booked == (fill is not None), fact)
        if fill is not None:
            side = int(fill.side)
            self.position[fill.instrument] -= side * fill.qty_lots
            for who, lots in self.parts.pop(key):
                self.mine[who, fill.instrument] -= side * lots
            self.quarantined.pop(f"{fill.instrument}/{fill.trade_id}", None)
        elif fact.order_id is not None:
            self._executes(fact.order_id, fact.qty_lots)

    def _executes(self, order_id: int, qty_lots: int) -> None:
        sent = self.orders[order_id]
        before = sent.open_lots()
        sent.filled_lots += qty_lots
        self._count_open(sent, sent.open_lots() - before)
        self._settle(order_id, sent)

    def _claimed(self, fact: FillClaimed) -> None:
        name, _, trade_id = fact.key.partition("/")
        fill, sent = self.fills[name, trade_id], self.orders[fact.order_id]
        unexplained = fact.key in self.quarantined or fact.key in self.accepted
        self.must("I15 only what nothing explained is claimed", unexplained, fact)
        same = sent.terms.instrument == name and sent.terms.side is fill.side
        self.must("I15 a fill is of its order's instrument and side", same, fact, sent.terms)
        self.quarantined.pop(fact.key, None)
        gives = self.accepted.pop(fact.key, [])
        left = fill.qty_lots - sum(lots for _, lots in gives)
        gives = [*gives, (QUARANTINE, min(left, max(0, fill.side * self.mine[QUARANTINE, name])))]
        for who, lots in gives:
            self.mine[who, name] -= fill.side * lots
            self.mine[fact.strategy, name] += fill.side * lots
        self.parts[name, trade_id] = [(fact.strategy, fill.qty_lots)]
        self._executes(fact.order_id, fill.qty_lots)

    def _accepted(self, fact: FillAccepted) -> None:
        self._by_person(fact)
        self.quarantined.pop(fact.key, None)
        name, _, trade_id = fact.key.partition("/")
        fill = self.fills[name, trade_id]
        held = min(fill.qty_lots, max(0, fill.side * self.mine[QUARANTINE, name]))
        closed = self.accepted[fact.key] = self._closed(name, fill.side, held)
        self.mine[QUARANTINE, name] -= fill.side * sum(lots for _, lots in closed)

    def _adjusted(self, fact: PositionAdjusted) -> None:
        if fact.by:
            self._by_person(fact)
        self.adjusted[fact.instrument] += fact.delta_lots
        self.position[fact.instrument] += fact.delta_lots
        side = 1 if fact.delta_lots > 0 else -1
        closed = self._closed(fact.instrument, side, abs(fact.delta_lots))
        self.mine[QUARANTINE, fact.instrument] += fact.delta_lots - side * sum(lots for _, lots in closed)

    def _cash(self, fact: CashBooked) -> None:
        if fact.kind is CashKind.TRANSFER:
            self.transfers_e8 += fact.amount_e8

    def _by_person(self, fact: object) -> None:
        self.must("I32 a person's act follows a command", isinstance(self.last_event, Command), fact)

    def _placed(self, fact: HoldPlaced) -> None:
        hold = fact.hold
        old = self.holds.get(hold.hold_id)
        self.must("I9 a hold only tightens", old is None or old.level <= hold.level, hold)
        self.holds[hold.hold_id] = hold
        if old is None:
            self._since[hold.hold_id] = hold.since_mono_ns
            self.counts["holds"] += 1
            if hold.cause not in _QUIET and not self._quiet:
                self._unalerted[hold.hold_id] = self._world.now_mono_ns()

    def _released(self, fact: HoldReleased) -> None:
        hold = self.holds.pop(fact.hold_id, None)
        self.must("I9 what is released stood", hold is not None, fact)
        if hold is None or hold.release is Release.AUTOMATIC:
            return
        event = self.last_event
        auto = hold.cause is HoldCause.STARTUP and fact.by == "auto"
        self.must(
            "I9 what loosens is a person's act, with a reason",
            auto or (isinstance(event, Command) and bool(fact.reason)),
            fact,
            hold.cause.value,
        )
        if hold.release is Release.TWO_PERSONS and isinstance(event, Command) and not self._quiet:
            waited = (
                event.mono_ns - self._since[hold.hold_id] >= self._world.rules(self.limits).recover_cooling_ns
            )
            two = bool(event.second_by) and event.second_by != event.by
            self.must("I9 KILLED is left by two people or a delay", two or waited, event)

    def _loosened(self, fact: LimitChanged | GlassBroken | LoosenAsked) -> None:
        self._by_person(fact)
        self.must("I32 a limit changes with a name and a reason", bool(fact.by and fact.reason), fact)
        now = 0 if self.last_event is None else self.last_event.mono_ns
        if isinstance(fact, LoosenAsked):
            self.acts_asked[fact.act] = now
        if isinstance(fact, LimitChanged):
            if fact.new > fact.old and not self._quiet:
                two = bool(fact.second_by) and fact.second_by != fact.by
                since = self.acts_asked.get(fact.act)
                cooling_ns = self._world.rules(self.limits).recover_cooling_ns
                waited = fact.alone and since is not None and now - since >= cooling_ns
                self.must("I32 a limit is loosened by two people or a delay", two or waited, fact)
            asked = self.last_event
            same = isinstance(asked, Command) and (asked.limit, asked.value) == (fact.name, fact.new)
            self.must("I32 a limit becomes what was asked for", same, fact, asked)
            self.limits[fact.name] = fact.new

    def _foreign(self, fact: ForeignOrderSeen) -> None:
        one = fact.instrument, fact.conditional, fact.venue_order_id
        side, before = self.foreign.pop(one, (int(fact.side), 0))
        self.open["*", fact.instrument, side] -= before
        self.open["*", fact.instrument, int(fact.side)] += fact.open_lots
        if fact.open_lots:
            self.foreign[one] = int(fact.side), fact.open_lots

    def _flat(self, fact: FlattenEnded) -> None:
        if not fact.flat or fact.scope.strategy or self._quiet:
            return
        self.counts["flats"] += 1
        zeros = [
            word
            for word in self.words
            if not any(
                word.get(name) for name in ([fact.scope.instrument] if fact.scope.instrument else word)
            )
        ]
        self.must("I13 two words of the venue agree on zero", len(zeros) >= 2, self.words, fact)
        if not self._world.quiet():
            self.counts["flats that nobody can judge"] += 1
            return
        truth = self._world.truth()
        names = [fact.scope.instrument] if fact.scope.instrument else [*truth.position_lots]
        held = {name: truth.position_lots[name] for name in names if truth.position_lots.get(name)}
        self.must("I13 flat is flat at the venue", not held, held)
        live = [
            order_id
            for order_id in truth.open_order_ids
            if not fact.scope.instrument or self.orders[order_id].terms.instrument == fact.scope.instrument
        ]
        self.must("I13 flat leaves no order open at the venue", not live, live)

    # --- what it sends ----------------------------------------------------------------------------------------------

    def asks(self, call: Call) -> None:
        """The bot asks for the venue's word."""
        request = call.request
        if isinstance(request, QueryPositions):
            self._positions_asked.add(call.call_id)
        elif (
            isinstance(request, PlaceOrder | AmendOrder | CancelOrder | QueryOrder)
            and request.order_id is not None
        ):
            self._asked_of[call.call_id] = request.order_id
            self._asked_mono_ns[call.call_id] = self._world.now_mono_ns()

    def writes(self, call: Call) -> None:
        """The last hop let a call pass."""
        request = call.request
        if not isinstance(request, PlaceOrder | AmendOrder):
            return
        sent = self.orders.get(request.order_id)
        self.must("I1 what is sent was approved", sent is not None, request)
        if sent is None:
            return
        amends = isinstance(request, AmendOrder)
        if isinstance(request, PlaceOrder):
            self.must("I1 what is sent is as it was approved", request.terms == sent.terms, request, sent)
        else:
            asked = request.qty_lots == sent.amend_lots
            self.must("I1 an amend is sent as it was approved", asked, request, sent)
        sent.signed_mono_ns = self._world.now_mono_ns()
        index = sent.amended_index if amends else sent.index
        durable = self._world.durable_count()
        self.must("I22 an order is durable before it leaves", index < durable, index, durable)
        if call.lane is not Lane.RISK:
            return
        self.counts["risk calls"] += 1
        self.must("I7 nothing leaves while the latch is tripped", not self.tripped, request)
        level = self.level(sent.strategy, sent.terms.instrument)
        self.must("I7 nothing leaves at HALTED", level < HoldLevel.HALTED, level.name, request)

    def arrives(self, request: Request) -> None:
        """A request reached the venue."""
        if not isinstance(request, PlaceOrder):
            return
        self.must("I25 a client order id is used once", request.order_id not in self.arrived, request)
        self.arrived.add(request.order_id)
        sent = self.orders.get(request.order_id)
        self.must(
            "I19 nothing arrives of an order that is over",
            sent is None or sent.state not in FINAL,
            request,
            sent,
        )

    def alerted(self, alert: Alert) -> None:
        """People are told."""
        self.counts["alerts"] += 1
        if alert.kind.startswith("hold.") and self._unalerted:
            cause = alert.kind.removeprefix("hold.")
            for hold_id in list(self._unalerted):
                hold = self.holds.get(hold_id)
                if hold is None or hold.cause.value == cause:
                    del self._unalerted[hold_id]

    def untold(self) -> list[str]:
        """Holds that stand, need a person, and were told to nobody."""
        return [
            self.holds[hold_id].cause.value
            for hold_id in self._unalerted
            if hold_id in self.holds and self.holds[hold_id].release is not Release.AUTOMATIC
        ]

    # --- everything -------------------------------------------------------------------------------------------------

    def look(self, claims: Claims) -> None:
        """Hold the naive books against what the bot claims."""
        now = self._world.now_mono_ns()
        late = [hold_id for hold_id, since in self._unalerted.items() if now - since > ALERT_NS_MAX]
        self.must("I31 a hold is alerted within 5 s", not late, late)
        held: Counter[str] = Counter(self.adjusted)
        for fill in self.fills.values():
            held[fill.instrument] += fill.side * fill.qty_lots
        for name in claims.position_lots.keys() | held.keys():
            ours = claims.position_lots.get(name, 0)
            self.must("I14 a position is the sum of its fills", ours == held[name], name, ours, held[name])
            parts = sum(lots for (_, where), lots in claims.attributed_lots.items() if where == name)
            self.must("I14 the strategies sum to the account", parts == ours, name, parts, ours)
        mine = {key: lots for key, lots in self.mine.items() if lots}
        theirs_mine = {key: lots for key, lots in claims.attributed_lots.items() if lots}
        self.must("I14 each strategy has what its fills gave it", mine == theirs_mine, theirs_mine, mine)
        opened: Counter[tuple[str, str, int]] = Counter()
        for sent in self.live.values():
            for who in ("*", sent.strategy):
                opened[who, sent.terms.instrument, int(sent.terms.side)] += sent.open_lots()
        for (name, _, _), (side, lots) in self.foreign.items():
            opened["*", name, side] += lots
        for (who, name), (buys, sells) in claims.open_lots.items():
            theirs = opened[who, name, 1], opened[who, name, -1]
            self.must(
                "I3 what is open counts in full", theirs == (buys, sells), who, name, (buys, sells), theirs
            )
        states = {order_id: sent.state for order_id, sent in self.live.items()}
        self.must("I17 the orders are where their records led", states == claims.order_states)
        levels = {hold_id: int(hold.level) for hold_id, hold in self.holds.items()}
        self.must("I8 the holds are those that were placed", levels == claims.holds, levels, claims.holds)
        for (strategy, name), level in claims.levels.items():
            strictest = self.level(strategy, name)
            self.must("I9 the strictest hold wins", level == strictest, strategy, name, level, strictest.name)
        self.must("I28 questions are bounded", claims.calls_count <= CALLS_MAX, claims.calls_count)

    def agrees(self, claims: Claims, truth: Truth) -> list[str]:
        """Every difference between the books and the venue; empty in the calm."""
        found = []
        ours = {name: lots for name, lots in claims.position_lots.items() if lots}
        theirs = {name: lots for name, lots in truth.position_lots.items() if lots}
        if ours != theirs:
            found.append(f"L1 positions: ours {ours}, the venue's {theirs}")
        live = {order_id for order_id, sent in self.live.items() if sent.state not in FINAL}
        if live != truth.open_order_ids:
            odd = sorted(live ^ truth.open_order_ids)[:4]
            found.append(f"L1 open orders differ: {odd}")
        if claims.foreign != truth.foreign:
            found.append(f"I15 foreign orders: ours {claims.foreign}, the venue's {truth.foreign}")
        equity = claims.equity_e8 + self.transfers_e8
        apart = truth.equity_apart_e8 + 4 * (len(self.fills) + 1)
        if not self.adjusted and abs(equity - truth.equity_e8) > apart:  # what was adopted has another cost
            found.append(
                f"I20 equity with what was transferred: ours {equity}, the venue's {truth.equity_e8}"
            )
        for asset, wallet in truth.wallet_e8.items():
            mine = claims.wallet_e8.get(asset, 0)
            if abs(mine - wallet) > 2 * (len(self.fills) + 1):
                found.append(f"I20 wallet {asset}: ours {mine}, the venue's {wallet}")
        return found


_HEARD: Final[dict[type, str]] = {
    EpochBegan: "_epoch",
    OrderApproved: "_approved",
    OrderAmended: "_amended",
    OrderMoved: "_moved",
    FillBooked: "_filled",
    FillBusted: "_busted",
    FillClaimed: "_claimed",
    FillAccepted: "_accepted",
    PositionAdjusted: "_adjusted",
    CashBooked: "_cash",
    HoldPlaced: "_placed",
    HoldReleased: "_released",
    LimitChanged: "_loosened",
    GlassBroken: "_loosened",
    LoosenAsked: "_loosened",
    ForeignOrderSeen: "_foreign",
    FlattenEnded: "_flat",
}

__all__ = ["Auditor", "Claims", "Rules", "Sent", "Trade", "Truth", "Violation", "World"]
