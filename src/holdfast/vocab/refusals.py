"""Why the gate said no, with the numbers. Stable: programs and dashboards count them by tag."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from holdfast.vocab.holds import HoldCause, HoldLevel


class _Refusal(Struct, frozen=True, kw_only=True, array_like=True):
    pass


class Held(_Refusal, frozen=True, tag="held"):
    """A hold in scope forbids it."""

    level: HoldLevel
    cause: HoldCause
    hold_id: int


class NotAllowed(_Refusal, frozen=True, tag="not_allowed"):
    """The strategy is unknown, or may not trade this instrument."""

    strategy: str
    instrument: str


class NotTrading(_Refusal, frozen=True, tag="not_trading"):
    """The venue does not trade the instrument now, or we have no facts or limits of it."""

    status: str


class BadTerms(_Refusal, frozen=True, tag="bad_terms"):
    """The order makes no sense: a size ≤ 0, a limit without a price, a price with a market order."""

    why: str


class QtyOutOfRange(_Refusal, frozen=True, tag="qty_out_of_range"):
    """Below the venue's smallest or above its largest size."""

    qty_lots: int
    min_lots: int
    max_lots: int


class UnderNotional(_Refusal, frozen=True, tag="under_notional"):
    """Smaller in money than the venue accepts."""

    notional_e8: int
    min_e8: int


class OverOrderSize(_Refusal, frozen=True, tag="over_order_size"):
    """Larger than one order may be."""

    qty_lots: int
    limit_lots: int


class OverOrderNotional(_Refusal, frozen=True, tag="over_order_notional"):
    """Larger in money than one order may be."""

    notional_e8: int
    limit_e8: int


class OverPosition(_Refusal, frozen=True, tag="over_position"):
    """Worst case: position, working, in flight, unknown and this order, per side. ``of``: whose limit."""

    of: str
    would_be_lots: int
    limit_lots: int


class OverGross(_Refusal, frozen=True, tag="over_gross"):
    """Gross notional of the account at worst case, or its ratio to equity (then in ppm)."""

    would_be: int
    limit: int
    unit: str


class NoReference(_Refusal, frozen=True, tag="no_reference"):
    """No price to judge the order by: missing is a refusal."""

    what: str


class StaleReference(_Refusal, frozen=True, tag="stale_reference"):
    """The last accepted quote is too old, or no longer one: by a tighter spread limit, or on the day of a split."""

    age_ms: int
    limit_ms: int


class OutsideCollar(_Refusal, frozen=True, tag="outside_collar"):
    """Priced further from the middle or the mark than the collar allows; an exit: from the best price known."""

    price_ticks: int
    reference_ticks: int
    limit_ppm: int


class Slipped(_Refusal, frozen=True, tag="slipped"):
    """The market moved against the decision: what it would pay now, and at what it was decided."""

    would_pay_ticks: int
    decision_ticks: int
    limit_ppm: int


class DuplicateIntent(_Refusal, frozen=True, tag="duplicate_intent"):
    """The same intent number again, or the same order again within the window."""

    intent_seq: int


class NotReducing(_Refusal, frozen=True, tag="not_reducing"):
    """Would increase or flip the position where only reducing is allowed."""

    position_lots: int
    reducing_lots: int
    qty_lots: int


class OverRate(_Refusal, frozen=True, tag="over_rate"):
    """Orders asked for within the sliding second. ``of``: whose limit: account, instrument or strategy."""

    count: int
    limit: int
    of: str = "account"


class OverDay(_Refusal, frozen=True, tag="over_day"):
    """The account's day is used up. ``what``: orders, cancels, fills, or traded (then in 10⁻⁸ of the settle asset)."""

    what: str
    count: int
    limit: int


class TooManyOrders(_Refusal, frozen=True, tag="too_many_orders"):
    """Non-final orders of the account."""

    count: int
    limit: int


class OverParent(_Refusal, frozen=True, tag="over_parent"):
    """The children of a parent would be more than the parent: filled, open and this one."""

    parent_id: int
    would_be_lots: int
    parent_lots: int


class SelfMatch(_Refusal, frozen=True, tag="self_match"):
    """It would meet an order of the same account. ``resting_ticks``: the best of ours on the other side."""

    price_ticks: int
    resting_ticks: int


class NoSuchOwnOrder(_Refusal, frozen=True, tag="no_such_own_order"):
    """The order to cancel or amend is unknown, final, or another strategy's."""

    order_id: int


class UnknownEquity(_Refusal, frozen=True, tag="unknown_equity"):
    """Equity is not known, and a limit depends on it."""

    why: str


class OutsideHours(_Refusal, frozen=True, tag="outside_hours"):
    """Not the time for it. ``of``: whose hours, the strategy's, the instrument's or the venue's. 0: opens no more."""

    of: str
    opens_wall_ns: int


class StaleFacts(_Refusal, frozen=True, tag="stale_facts"):
    """The reference file is older than it may be."""

    age_ms: int
    limit_ms: int


class NoFacts(_Refusal, frozen=True, tag="no_facts"):
    """A limit depends on something that nobody told us: missing is a refusal."""

    what: str


class OverVolume(_Refusal, frozen=True, tag="over_volume"):
    """Larger than its share of the average daily volume."""

    qty_lots: int
    adv_lots: int
    limit_ppm: int


class OverDepth(_Refusal, frozen=True, tag="over_depth"):
    """It may take at once, and is larger than so many times the size at the best price that it meets."""

    qty_lots: int
    shown_lots: int
    limit_ppm: int


class OutsideBands(_Refusal, frozen=True, tag="outside_bands"):
    """Priced where the venue takes no order today: limit down, limit up. 0: no band on that side."""

    price_ticks: int
    low_ticks: int
    high_ticks: int


class OverShare(_Refusal, frozen=True, tag="over_share"):
    """Notional at worst case over equity. ``of``: the instrument, or the group by its name."""

    of: str
    would_be_ppm: int
    limit_ppm: int


class OverNet(_Refusal, frozen=True, tag="over_net"):
    """Net notional of the account at worst case, on the order's side."""

    would_be_e8: int
    limit_e8: int


class OverFlow(_Refusal, frozen=True, tag="over_flow"):
    """All strategies together would send too much one way within the window: notional approved, and this order.

    ``of``: the group by its name, where it is the group's; empty: the instrument's.
    """

    would_be_e8: int
    limit_e8: int
    window_ms: int
    of: str = ""


class Walked(_Refusal, frozen=True, tag="walked"):
    """Priced too far, the way it trades, from the middle at the beginning of the strategy's own window."""

    price_ticks: int
    reference_ticks: int
    limit_ppm: int
    window_ms: int


Refusal: TypeAlias = (
    Held
    | NotAllowed
    | NotTrading
    | BadTerms
    | QtyOutOfRange
    | UnderNotional
    | OverOrderSize
    | OverOrderNotional
    | OverPosition
    | OverGross
    | NoReference
    | StaleReference
    | OutsideCollar
    | Slipped
    | DuplicateIntent
    | NotReducing
    | OverRate
    | OverDay
    | TooManyOrders
    | OverParent
    | SelfMatch
    | NoSuchOwnOrder
    | UnknownEquity
    | OutsideHours
    | StaleFacts
    | NoFacts
    | OverVolume
    | OverDepth
    | OutsideBands
    | OverShare
    | OverNet
    | OverFlow
    | Walked
)
