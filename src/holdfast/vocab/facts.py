"""What the core decided. Books change by facts and by nothing else.

An event goes in, facts and effects come out; the journal holds the events and, behind each, its facts. The
books (orders, ledger, holds) are the fold of the facts, so they can be rebuilt without any market data; a
full replay steps the events again and compares the facts.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from holdfast.vocab.holds import Hold, Scope
from holdfast.vocab.orders import ChildOf, Did, Lane, OrderState, OrderTerms, Side
from holdfast.vocab.refusals import Refusal
from holdfast.vocab.reports import FillCause


class _Fact(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    pass


class EpochBegan(_Fact, frozen=True, kw_only=True, tag="epoch_began"):
    """A start of the process; every order id minted until the next carries this epoch.

    ``tick_lot_e8``: the value of one tick on one lot, per instrument: the ledger counts by it. ``boot_id``: the
    machine's boot; with another one the monotonic clock has begun anew. ``grids``: tick and lot per instrument, as
    texts: what the books' ticks and lots are counted in. ``environment`` and ``account_number``: what the books are of.
    """

    epoch: int
    account: str
    config_hash: str
    build: str
    settle_asset: str
    tick_lot_e8: dict[str, int]
    boot_id: str = ""
    grids: dict[str, str] = {}
    environment: str = ""
    account_number: str = ""


class BooksOpened(_Fact, frozen=True, kw_only=True, tag="books_opened"):
    """The first start of all: what the venue stamped before this is not ours to book."""

    venue_ns: int


class OpeningAgreed(_Fact, frozen=True, kw_only=True, tag="opening_agreed"):
    """A later word of the venue agrees with the balance that opened the books: a difference is a break from now on."""

    asset: str
    wallet_e8: int


class OrderApproved(_Fact, frozen=True, kw_only=True, tag="order_approved"):
    """The gate let an order through under this id. ``strategy`` is empty for the house's own flatten orders."""

    order_id: int
    strategy: str
    intent_seq: int
    lane: Lane
    terms: OrderTerms
    reference_ticks: int
    decision_ticks: int | None
    approved_mono_ns: int
    child_of: ChildOf | None = None


class IntentRefused(_Fact, frozen=True, kw_only=True, tag="intent_refused"):
    """The gate said no, and why. Of a basket: ``leg`` is the first of its ``legs_count`` that may not, counted from 1,
    and the whole of it was refused; else both are 0.
    """

    strategy: str
    intent_seq: int
    instrument: str
    refusal: Refusal
    leg: int = 0
    legs_count: int = 0


class SizeReduced(_Fact, frozen=True, kw_only=True, tag="size_reduced"):
    """Sizing made a risk-increasing intent smaller before the gate."""

    strategy: str
    intent_seq: int
    from_lots: int
    to_lots: int


class OrderMoved(_Fact, frozen=True, kw_only=True, tag="order_moved"):
    """An order moved along its life cycle. ``venue_order_id`` is empty where still unknown; ``reported_lots``
    is the venue's cumulative filled size where it said one. ``waiting``: that id is of a conditional order which
    waits for its trigger; its executions will carry another.
    """

    order_id: int
    did: Did
    state: OrderState
    venue_order_id: str
    why: str
    mono_ns: int
    reported_lots: int = 0
    waiting: bool = False


class AmendStep(Enum):
    """How far an amend got."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"


class OrderAmended(_Fact, frozen=True, kw_only=True, tag="order_amended"):
    """An amend was asked, took effect, or did not. While asked, exposure counts the larger size."""

    order_id: int
    step: AmendStep
    qty_lots: int
    price_ticks: int
    why: str


class FillBooked(_Fact, frozen=True, kw_only=True, tag="fill_booked"):
    """An execution entered the ledger, once. ``quarantined``: no order of ours explains it.

    ``churn_window_ms``: the window in which its strategy's round trips are counted; 0: nobody counts them.
    ``later``: its order was approved behind the opening balance, which cannot have it in it; its stamp says otherwise,
    as the venue's clock went back.
    """

    trade_id: str
    order_id: int | None
    strategy: str
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int
    fee_e8: int
    fee_asset: str
    maker: bool
    cause: FillCause
    quarantined: bool
    venue_ns: int
    decision_ticks: int | None = None
    churn_window_ms: int = 0
    venue_order_id: str = ""  # of a fill in quarantine: the order that it names may be heard of later
    later: bool = False


class FillBusted(_Fact, frozen=True, kw_only=True, tag="fill_busted"):
    """The venue took an execution back, by its own word or by a named person's.

    ``booked``: it was in the books, and is taken out of them; else it came too late to be booked, and never will be.
    ``counted``: the balance that opened the books was read after it, and has it in it: the wallet stands.
    An order and its parent count it all the same: a bust gives nobody a size back. ``venue_ns``: when it was taken
    back, by the venue's clock. ``by`` and ``reason``: whose word it is.
    """

    trade_id: str
    order_id: int | None
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int
    booked: bool
    by: str
    reason: str
    venue_ns: int
    counted: bool = False


class FillClaimed(_Fact, frozen=True, kw_only=True, tag="fill_claimed"):
    """The order that a quarantined fill belongs to became known. ``key`` is instrument/trade id."""

    key: str
    order_id: int
    strategy: str


class FillAccepted(_Fact, frozen=True, kw_only=True, tag="fill_accepted"):
    """A named person accepted a quarantined fill. ``key`` is instrument/trade id."""

    key: str
    by: str
    reason: str


class CashKind(Enum):
    """Why cash moved other than by a trade. TRANSFER is external: kept apart from drawdown."""

    OPENING = "opening"
    FUNDING = "funding"
    TRANSFER = "transfer"
    OTHER = "other"
    ADJUSTMENT = "adjustment"


class CashBooked(_Fact, frozen=True, kw_only=True, tag="cash_booked"):
    """Cash entered or left the wallet, once by ``cash_id``."""

    cash_id: str
    kind: CashKind
    asset: str
    amount_e8: int
    instrument: str
    venue_ns: int


class PositionAdjusted(_Fact, frozen=True, kw_only=True, tag="position_adjusted"):
    """A named person (or the opening of the books) made our position follow the venue's."""

    instrument: str
    delta_lots: int
    price_ticks: int
    by: str
    reason: str
    cost_e8: int | None = (
        None  # what the venue says the whole was entered for, signed; None: at ``price_ticks``
    )


class HoldPlaced(_Fact, frozen=True, kw_only=True, tag="hold_placed"):
    """A hold stands from here on."""

    hold: Hold


class HoldReleased(_Fact, frozen=True, kw_only=True, tag="hold_released"):
    """A hold no longer stands."""

    hold_id: int
    by: str
    reason: str


class LoosenAsked(_Fact, frozen=True, kw_only=True, tag="loosen_asked"):
    """One person alone asked for what takes two: the cooling delay runs from here. ``act``: the very words."""

    act: str
    by: str
    reason: str


class LimitChanged(_Fact, frozen=True, kw_only=True, tag="limit_changed"):
    """A limit (a name of ``vocab.governed``) stands at another number from here on.

    ``configured``: the configuration's number at that time. ``second_by``: the second person of a looser one;
    ``alone``: it was loosened by one, after the cooling delay. ``act``: what was asked for, where it had to wait.
    """

    name: str
    old: int
    new: int
    configured: int
    by: str
    second_by: str
    alone: bool
    reason: str
    wall_ns: int
    act: str = ""


class GlassBroken(_Fact, frozen=True, kw_only=True, tag="glass_broken"):
    """A limit is open to another number for minutes, or for ``once`` order; then it is what it was.

    ``review``: what is to be looked at afterwards, and by whom. ``standing``: the number under it.
    """

    glass_id: int
    name: str
    scope: Scope
    value: int
    standing: int
    once: bool
    by: str
    second_by: str
    alone: bool
    reason: str
    review: str
    wall_ns: int
    until_mono_ns: int
    act: str = ""


class GlassEnded(_Fact, frozen=True, kw_only=True, tag="glass_ended"):
    """The limit is closed again: its time was over, its order was sent, a person said so, or a start came."""

    glass_id: int
    why: str


class EquityMarked(_Fact, frozen=True, kw_only=True, tag="equity_marked"):
    """Equity at mark, net of external transfers, and the day's peak; ``day``: of the days that begin at the
    configured hour (UTC).

    ``transfers_before_e8``: what was transferred before the day began. ``transfers_counted_e8``: what counts of all
    transfers by now; with it equity is what the peak is a peak of.
    """

    equity_e8: int
    peak_e8: int
    day: int
    transfers_before_e8: int = 0
    transfers_counted_e8: int = 0


class DayRolled(_Fact, frozen=True, kw_only=True, tag="day_rolled"):
    """The account's day ended and a new one began: with what peak and equity, and after how many breakers."""

    day: int
    wall_ns: int
    peak_e8: int
    equity_e8: int
    breakers_count: int


class DayPriced(_Fact, frozen=True, kw_only=True, tag="day_priced"):
    """The first price of an instrument in the account's day: what its fall is counted from."""

    instrument: str
    day: int
    price_ticks: int


class StrategyMarked(_Fact, frozen=True, kw_only=True, tag="strategy_marked"):
    """What a strategy with criteria made by now, at mark and less its fees, in 10⁻⁸; ``day``: as of ``EquityMarked``.

    From the first of these on its orders and fills are counted for its criteria, within the window.
    """

    strategy: str
    pnl_e8: int
    day: int
    window_ms: int


class TargetSet(_Fact, frozen=True, kw_only=True, tag="target_set"):
    """A strategy with criteria wants another position than before. ``long_lots``, ``short_lots``: how far its position
    may be on either side by then, were all filled that it has open, both zero or above.
    """

    strategy: str
    instrument: str
    target_lots: int
    long_lots: int
    short_lots: int


class CoolDownMoved(_Fact, frozen=True, kw_only=True, tag="cool_down_moved"):
    """The standing breaker's cool-down is over, or (``over`` False) begins again."""

    over: bool
    by: str


class BreakKind(Enum):
    """How our books and the venue's word can differ."""

    POSITION = "position"
    BALANCE = "balance"
    ORDER_RISEN = "order_risen"  # the venue's list has one that our books call final
    FILL_GONE = "fill_gone"  # booked here, and the venue's list has it no more
    OVERFILL = "overfill"
    UNLISTED_POSITION = "unlisted_position"


class BreakFound(_Fact, frozen=True, kw_only=True, tag="break_found"):
    """Our books and the venue's word differ. ``key`` names the order, instrument or asset."""

    kind: BreakKind
    key: str
    ours: int
    theirs: int


class BreakHealed(_Fact, frozen=True, kw_only=True, tag="break_healed"):
    """They agree again."""

    kind: BreakKind
    key: str


class ForeignOrderSeen(_Fact, frozen=True, kw_only=True, tag="foreign_order_seen"):
    """An open order on our account that we did not send: counted in exposure. ``open_lots`` 0: gone."""

    venue_order_id: str
    instrument: str
    side: Side
    open_lots: int
    conditional: bool


class FlattenBegan(_Fact, frozen=True, kw_only=True, tag="flatten_began"):
    """Getting flat within the scope has begun. ``patient``: by limit orders at the touch (the verb stop)."""

    scope: Scope
    by: str
    reason: str
    patient: bool
    mono_ns: int


class FlattenEnded(_Fact, frozen=True, kw_only=True, tag="flatten_ended"):
    """Getting flat ended. ``flat``: no non-final order, two venue reads agreed on zero, no unapplied fill."""

    scope: Scope
    flat: bool
    why: str
    mono_ns: int


class ClockSet(_Fact, frozen=True, kw_only=True, tag="clock_set"):
    """The venue's clock against ours, as measured."""

    offset_ns: int
    rtt_ns: int


class SeenUpTo(Struct, frozen=True, kw_only=True, array_like=True):
    """One instrument's last accepted quote and print: their numbers, and the venue's time of each; -1: none yet."""

    instrument: str
    quote_seq: int
    quote_venue_ns: int
    trade_seq: int
    trade_venue_ns: int


class MarketSeen(_Fact, frozen=True, kw_only=True, tag="market_seen"):
    """How far market data was seen: a restart takes nothing of it twice, and knows what it missed."""

    rows: tuple[SeenUpTo, ...]


class HashMark(_Fact, frozen=True, kw_only=True, tag="hash_mark"):
    """The books' hash at this point of the journal; with ``state_hash`` at a clean stop."""

    books_hash: str
    state_hash: str = ""


Fact: TypeAlias = (
    EpochBegan
    | BooksOpened
    | OpeningAgreed
    | OrderApproved
    | IntentRefused
    | SizeReduced
    | OrderMoved
    | OrderAmended
    | FillBooked
    | FillBusted
    | FillClaimed
    | FillAccepted
    | CashBooked
    | PositionAdjusted
    | HoldPlaced
    | HoldReleased
    | LoosenAsked
    | LimitChanged
    | GlassBroken
    | GlassEnded
    | EquityMarked
    | DayRolled
    | DayPriced
    | StrategyMarked
    | TargetSet
    | CoolDownMoved
    | BreakFound
    | BreakHealed
    | ForeignOrderSeen
    | FlattenBegan
    | FlattenEnded
    | ClockSet
    | MarketSeen
    | HashMark
)
