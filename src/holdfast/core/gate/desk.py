"""What the gate reads: one ``Desk`` per (strategy, instrument), compiled when settings or holds change.

A desk points at the very rows that the ledger and the order book write, so the gate judges by the position
that the next fill will change, never by a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.core.views import MarketView, OpenView, PositionView
from holdfast.vocab.holds import Hold, HoldLevel
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import AccountLimits, InstrumentLimits, StrategyLimits


@dataclass(slots=True, kw_only=True)
class AskedWindow:
    """When the last orders were asked for: a ring as long as the killing threshold."""

    ring_mono_ns: list[int]
    next_index: int = 0

    def ask(self, now_mono_ns: int) -> None:
        """Count one order asked for, whatever becomes of it."""
        ring = self.ring_mono_ns
        index = self.next_index
        ring[index] = now_mono_ns
        index += 1
        self.next_index = index if index < len(ring) else 0

    def nth_last_mono_ns(self, count: int) -> int:
        """When the ``count``-th last order was asked for (1 is the last)."""
        return self.ring_mono_ns[self.next_index - count]


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class AccountDesk:
    """What all desks share. ``gross_e8``: notional of the account at worst case, kept per instrument."""

    limits: AccountLimits
    asked: AskedWindow
    quote_age_ns_max: int
    duplicate_window_ns: int
    now_mono_ns: int = 0
    gross_e8: int = 0
    gross_by_instrument: dict[str, int] = field(default_factory=dict)
    equity_e8: int | None = None
    open_orders_count: int = 0


class Desk:
    """One strategy in one instrument: limits, holds folded to one level, and the rows to judge by.

    Not part of the hashed state: it is derived from books and settings and holds references, not values.
    """

    __slots__ = (
        "account",
        "all_open",
        "all_position",
        "hold",
        "instrument_limits",
        "last_intent_seq",
        "level",
        "limits",
        "market",
        "my_open",
        "my_position",
        "recent",
        "spec",
        "strategy",
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
        my_position: PositionView,
        all_position: PositionView,
        my_open: OpenView,
        all_open: OpenView,
    ) -> None:
        self.strategy = strategy
        self.spec = spec
        self.limits = limits
        self.instrument_limits = instrument_limits
        self.market = market
        self.account = account
        self.my_position = my_position
        self.all_position = all_position
        self.my_open = my_open
        self.all_open = all_open
        self.level: HoldLevel = HoldLevel.HALTED
        self.hold: Hold | None = None
        self.last_intent_seq = 0
        self.recent: dict[tuple[int, int, int], int] = {}  # (side, price, size) -> when last asked
