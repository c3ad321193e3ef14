"""What the stages may know of one another: read-only views, and the plain records they hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from holdfast.vocab.events import OrderIntent
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Side, TimeInForce
from holdfast.vocab.units import NS_PER_S

# A mark price this much older than the last quote says nothing any more: its stream has died. Venues send one
# every one to three seconds.
MARK_AGE_NS_MAX: Final = 10 * NS_PER_S
FAR_PAST_NS: Final = -(1 << 62)  # a monotonic time of what never was


class PositionView(Protocol):
    """A net position."""

    position_lots: int


class OpenView(Protocol):
    """What open orders may still add, per side; ``protective_…``: the part of it in conditional orders."""

    buy_lots: int
    sell_lots: int
    protective_buy_lots: int
    protective_sell_lots: int


class ParentView(Protocol):
    """A parent order, and how much of it its children have taken up."""

    instrument: str
    side: Side
    parent_lots: int
    taken_lots: int


class ParentsView(Protocol):
    """The parents of one strategy by number; those up to ``forgotten_id`` that are not known are over."""

    forgotten_id: int

    @property
    def known(self) -> Mapping[int, ParentView]: ...
    def full(self) -> bool: ...
    def supposing(self, children: Sequence[OrderIntent]) -> ParentsView: ...


class DayView(Protocol):
    """What the account did since its day began."""

    orders_count: int
    cancels_count: int
    fills_count: int
    traded_e8: int


class MarketView(Protocol):
    """What is known of a market; 0 where nothing is. ``quote``: the last accepted one, or one of zeros.

    ``moves_count``: how often mid, mark or last changed.
    """

    quote: Quote
    mid2_ticks: int
    mark_ticks: int
    last_ticks: int
    mark_mono_ns: int
    moves_count: int

    @property
    def bid_ticks(self) -> int: ...
    @property
    def ask_ticks(self) -> int: ...
    @property
    def quote_mono_ns(self) -> int: ...


class ExitPlan(Struct, frozen=True, kw_only=True):
    """A planned exit order of the flatten lane.

    ``held_lots``: the position it reduces, by the best word we have. ``price_ticks`` None and
    ``reference_ticks`` 0: nothing is known to price by, so only a market order can be sent.
    """

    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int | None
    tif: TimeInForce
    held_lots: int
    reference_ticks: int
