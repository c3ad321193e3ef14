"""What the gate reads: one ``Desk`` per (strategy, instrument), compiled when settings or holds change.

A desk points at the very rows that the ledger and the order book write, so the gate judges by the position
that the next fill will change, never by a copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from holdfast.core.gate.exposure import Exposure, GroupSum, NetSums
from holdfast.core.gate.facts import Facts
from holdfast.core.gate.flow import Flow
from holdfast.core.gate.resting import Resting
from holdfast.core.views import FAR_PAST_NS, DayView, MarketView, OpenView, ParentsView, PositionView
from holdfast.vocab.events import CancelIntent, Intent, OrderIntent
from holdfast.vocab.holds import Hold, HoldLevel
from holdfast.vocab.instruments import InstrumentSpec, InstrumentStatus
from holdfast.vocab.limits import AccountLimits, FlowRules, GroupFlowRules, InstrumentLimits, StrategyLimits
from holdfast.vocab.orders import Side
from holdfast.vocab.reference import ALWAYS_NS
from holdfast.vocab.units import NS_PER_S, PPM, ceil_div


class AskedCounts(NamedTuple):
    """Asked for within a second: by all, by all in an instrument, and by one strategy there."""

    account: int
    instrument: int
    strategy: int


class Rates(NamedTuple):
    """The thresholds of a window of what was asked for. ``kept``: how many are remembered."""

    kept: int
    refuse_fewest: int
    trip_fewest: int


def rates_of(
    account: AccountLimits,
    instruments: Iterable[InstrumentLimits] = (),
    strategies: Iterable[StrategyLimits] = (),
) -> Rates:
    """The smallest thresholds of all these limits; what is kept is enough for the account's, and so for all."""
    parts: list[InstrumentLimits | StrategyLimits] = [*instruments, *strategies]
    return Rates(
        kept=max(account.orders_per_s_refuse, account.orders_per_s_kill) + 1,
        refuse_fewest=min([account.orders_per_s_refuse, *(one.orders_per_s_refuse for one in parts)]),
        trip_fewest=min([account.orders_per_s_kill, *(one.orders_per_s_halt for one in parts)]),
    )


@dataclass(slots=True, kw_only=True)
class AskedWindow:
    """What orders and amends were asked for last: always one more than the account's larger threshold, newest last.

    ``refuse_back``, ``trip_back``: where in it the first of those stands that are more than the smallest threshold
    that anybody has; −1 is the newest. Up to so many within a second nobody is over his own, whoever asked, and
    nothing need be counted; beyond it they are counted one by one.
    """

    ring: deque[Intent]
    refuse_back: int
    trip_back: int
    newest: tuple[Intent, AskedCounts] | None = None  # the one that ``counted_for`` was last asked of

    def ask(self, intent: Intent) -> int:
        """Remember one asked for, whatever becomes of it; returns when the first of more than anybody may was."""
        ring = self.ring
        ring.append(intent)
        return ring[self.trip_back].mono_ns

    def counted(self, *, strategy: str, instrument: str, now_mono_ns: int) -> AskedCounts:
        """How many within the second that ends now, the newest among them."""
        everybody = there = mine = 0
        for one in reversed(self.ring):
            if now_mono_ns - one.mono_ns >= NS_PER_S:
                break
            everybody += 1
            if one.instrument == instrument:
                there += 1
                mine += one.strategy == strategy
        return AskedCounts(account=everybody, instrument=there, strategy=mine)

    def counted_for(self, intent: Intent) -> AskedCounts:
        """The same for one that was asked, within its own second: of the newest the step and the gate ask, and it is
        counted once.
        """
        newest = self.newest
        if newest is not None and newest[0] is intent:
            return newest[1]
        counts = self.counted(
            strategy=intent.strategy, instrument=intent.instrument, now_mono_ns=intent.mono_ns
        )
        if intent is self.ring[-1]:
            self.newest = (intent, counts)
        return counts

    def sized(self, rates: Rates) -> AskedWindow:
        """The same memory for other thresholds: the newest stay."""
        size = rates.kept
        return AskedWindow(
            ring=deque([_NEVER] * size + list(self.ring), maxlen=size),
            refuse_back=-rates.refuse_fewest - 1,
            trip_back=-rates.trip_fewest - 1,
        )


_BUY: Final = Side.BUY  # looked up once: see ``checks``
NO_LIMIT: Final = 1 << 62  # of a limit not in force when the journal was written; fits a hashed number
_NEVER: Final = CancelIntent(wall_ns=0, mono_ns=FAR_PAST_NS, strategy="", intent_seq=0, instrument="")
NOTHING_ASKED: Final = AskedWindow(ring=deque(), refuse_back=-1, trip_back=-1)


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class AccountDesk:
    """What all desks share. ``gross_e8``: notional of the account at worst case, the sum of all ``Exposure``.

    ``orders_most``: how many orders the day may have by now: none where its cancels, fills or turnover are used up.
    """

    limits: AccountLimits
    asked: AskedWindow
    day: DayView
    quote_age_ns_max: int
    duplicate_window_ns: int
    gross_e8: int = 0
    equity_e8: int | None = None
    open_orders_count: int = 0
    net: NetSums = field(default_factory=NetSums)
    groups: dict[str, GroupSum] = field(default_factory=dict)
    orders_most: int = -1
    allowed_e8: int = -1  # gross notional that money and leverage allow by this equity; -1: nothing
    group_most_e8: int = -1  # the same of one group, by its share of equity
    net_most_e8: int = -1
    open_most: int = -1

    def __post_init__(self) -> None:
        self.limit(self.limits)

    def limit(self, limits: AccountLimits) -> None:
        """Judge by these limits from now on."""
        self.limits = limits
        self.net_most_e8 = limits.net_notional_e8_max or NO_LIMIT
        self.open_most = limits.open_orders_max - 1
        self.mark(self.equity_e8)
        self.fold_day()

    def fold_day(self) -> None:
        """Look what the day has left, after anything but an order was counted in it."""
        day, limits = self.day, self.limits
        used_up = (
            day.cancels_count >= limits.cancels_per_day_max
            or day.fills_count >= limits.fills_per_day_max
            or day.traded_e8 >= limits.traded_e8_per_day_max
        )
        self.orders_most = -1 if used_up else limits.orders_per_day_max

    def mark(self, equity_e8: int | None) -> None:
        """Set the equity that leverage is judged by."""
        self.equity_e8 = equity_e8
        limits = self.limits
        if equity_e8 is None or equity_e8 <= 0:
            self.allowed_e8 = self.group_most_e8 = -1
        else:
            self.allowed_e8 = min(limits.gross_notional_e8_max, limits.leverage_ppm_max * equity_e8 // PPM)
            self.group_most_e8 = min(limits.group_share_ppm_max * equity_e8 // PPM, NO_LIMIT)
        if not limits.group_share_ppm_max:
            self.group_most_e8 = NO_LIMIT


class Desk:
    """One strategy in one instrument: limits, holds folded to one level, and the rows to judge by.

    Not part of the hashed state: it is derived from books and settings and holds references, not values.
    """

    __slots__ = (
        "account",
        "all_lots_max",
        "all_open",
        "all_position",
        "depth_ppm",
        "exposure",
        "facts",
        "flow",
        "group_flows",
        "hold",
        "instrument_limits",
        "last_intent_seq",
        "level",
        "limits",
        "market",
        "my_lots_max",
        "my_open",
        "my_position",
        "open_until_ns",
        "parents",
        "plain",
        "qty_lots_max",
        "qty_lots_min",
        "recent",
        "reducing",
        "resting",
        "share_ppm",
        "slippage_ppm",
        "spec",
        "strategy",
        "ticklots_max",
        "ticklots_min",
        "window_of",
        "window_opens_ns",
        "window_until_ns",
    )

    def __init__(
        self,
        *,
        strategy: str,
        spec: InstrumentSpec,
        limits: StrategyLimits,
        instrument_limits: InstrumentLimits,
        market: MarketView,
        account: AccountDesk,
        exposure: Exposure,
        resting: Resting,
        parents: ParentsView,
        my_position: PositionView,
        all_position: PositionView,
        my_open: OpenView,
        all_open: OpenView,
        facts: Facts,
    ) -> None:
        self.strategy = strategy
        self.facts = facts
        self.flow: Flow[FlowRules] | None = None
        self.group_flows: dict[str, Flow[GroupFlowRules]] = {}  # of all groups that have rules
        self.window_until_ns = ALWAYS_NS  # our own hours: open before this wall time
        self.window_opens_ns = 0
        self.window_of = ""
        self.spec = spec
        self.market = market
        self.account = account
        self.exposure = exposure
        self.resting = resting
        self.parents = parents
        self.my_position = my_position
        self.all_position = all_position
        self.my_open = my_open
        self.all_open = all_open
        self.level: HoldLevel = HoldLevel.HALTED
        self.hold: Hold | None = None
        # what ``checks.plainly_permitted`` asks, made ready: sizes, and price times size in ticks times lots
        self.reducing = True  # only reducing is allowed
        self.qty_lots_min = max(1, spec.qty_lots_min)
        self.ticklots_min = max(1, ceil_div(spec.notional_e8_min, spec.tick_lot_e8))
        self.limit(limits, instrument_limits)
        self.last_intent_seq = 0
        self.recent: dict[tuple[int, int, int], int] = {}  # (side, price, size) -> when last asked

    def limit(self, limits: StrategyLimits, instrument_limits: InstrumentLimits) -> None:
        """Judge by these limits from now on."""
        spec = self.spec
        self.limits = limits
        self.instrument_limits = instrument_limits
        self.exposure.collar(instrument_limits.collar_ppm)
        self.my_lots_max = limits.position_lots_max
        self.slippage_ppm = limits.slippage_ppm_max
        self.all_lots_max = instrument_limits.position_lots_max
        self.ticklots_max = instrument_limits.order_notional_e8_max // spec.tick_lot_e8
        self.depth_ppm = instrument_limits.depth_ppm_max
        self.share_ppm = instrument_limits.equity_share_ppm_max or NO_LIMIT
        self.learn()

    def learn(self) -> None:
        """Take what the facts and the hours are now into the numbers that an order is compared with anyway.

        ``open_until_ns``: hours, session and the file's age, as the one wall time up to which all three permit.
        """
        facts, limits = self.facts, self.instrument_limits
        self.qty_lots_max = min(self.spec.qty_lots_max, self.limits.order_lots_max, limits.order_lots_max)
        if limits.adv_share_ppm_max:
            self.qty_lots_max = min(self.qty_lots_max, facts.adv_lots * limits.adv_share_ppm_max // PPM)
        self.open_until_ns = min(self.window_until_ns, facts.session_until_ns, facts.fresh_until_ns)
        self.exposure.band(facts.band_low_ticks, facts.band_high_ticks)
        self._fold_plain()

    def fold(self, hold: Hold | None) -> None:
        """Stand under this hold, the strictest in scope; None: under no hold at all."""
        self.hold = hold
        self.level = HoldLevel.NONE if hold is None else hold.level
        self.reducing = self.level >= HoldLevel.REDUCE_ONLY
        self._fold_plain()

    def _fold_plain(self) -> None:
        """Whether the screen may say yes: no hold, no rules of flow, the venue trades, and a limited group is known."""
        group = self.facts.group
        self.plain = (
            self.level is HoldLevel.NONE
            and self.spec.status is InstrumentStatus.TRADING
            and (bool(group) or not (self.account.limits.group_share_ppm_max or self.group_flows))
            and self.flow is None  # asked one by one: what was sent lately is counted there
            and group not in self.group_flows
        )


def judged_ticks(intent: OrderIntent, desk: Desk) -> int:
    """What an order is priced at: its own price or trigger, and the far touch where it has neither."""
    price = intent.price_ticks
    if price is not None:
        return price
    quote = desk.market.quote
    return intent.trigger_ticks or (quote.ask_ticks if intent.side is _BUY else quote.bid_ticks)
