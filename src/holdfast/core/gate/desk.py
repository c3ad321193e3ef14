"""What the gate reads: one ``Desk`` per (strategy, instrument), compiled when settings or holds change.

A desk points at the very rows that the ledger and the order book write, so the gate judges by the position
that the next fill will change, never by a copy.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from holdfast.core.gate.exposure import Exposure
from holdfast.core.views import FAR_PAST_NS, MarketView, OpenView, PositionView
from holdfast.vocab.holds import Hold, HoldLevel
from holdfast.vocab.instruments import InstrumentSpec, InstrumentStatus
from holdfast.vocab.limits import AccountLimits, InstrumentLimits, StrategyLimits
from holdfast.vocab.units import PPM, ceil_div


@dataclass(slots=True, kw_only=True)
class AskedWindow:
    """When the last orders were asked for: always one more than the larger threshold, the newest last.

    ``kill_back``, ``refuse_back``: where in it the first of those stands that are too many within a second; −1 is
    the newest.
    """

    ring_mono_ns: deque[int]
    kill_back: int
    refuse_back: int

    def ask(self, now_mono_ns: int) -> int:
        """Count one order asked for, whatever becomes of it; returns when the one before those allowed was."""
        ring = self.ring_mono_ns
        ring.append(now_mono_ns)
        return ring[self.kill_back]

    def sized(self, *, refuse_count: int, kill_count: int) -> AskedWindow:
        """The same memory for other thresholds: the newest stay."""
        size = max(refuse_count, kill_count) + 1
        return AskedWindow(
            ring_mono_ns=deque([FAR_PAST_NS] * size + list(self.ring_mono_ns), maxlen=size),
            kill_back=-kill_count - 1,
            refuse_back=-refuse_count - 1,
        )


NOTHING_ASKED: Final = AskedWindow(ring_mono_ns=deque(), kill_back=-1, refuse_back=-1)


@dataclass(slots=True, kw_only=True)  # not a Struct: see ``core.ingest.market.Market``
class AccountDesk:
    """What all desks share. ``gross_e8``: notional of the account at worst case, the sum of all ``Exposure``."""

    limits: AccountLimits
    asked: AskedWindow
    quote_age_ns_max: int
    duplicate_window_ns: int
    gross_e8: int = 0
    equity_e8: int | None = None
    open_orders_count: int = 0
    allowed_e8: int = -1  # gross notional that money and leverage allow by this equity; -1: nothing

    def __post_init__(self) -> None:
        self.mark(self.equity_e8)

    def mark(self, equity_e8: int | None) -> None:
        """Set the equity that leverage is judged by."""
        self.equity_e8 = equity_e8
        if equity_e8 is None or equity_e8 <= 0:
            self.allowed_e8 = -1
        else:
            limits = self.limits
            self.allowed_e8 = min(limits.gross_notional_e8_max, limits.leverage_ppm_max * equity_e8 // PPM)


class Desk:
    """One strategy in one instrument: limits, holds folded to one level, and the rows to judge by.

    Not part of the hashed state: it is derived from books and settings and holds references, not values.
    """

    __slots__ = (
        "account",
        "all_lots_max",
        "all_open",
        "all_position",
        "exposure",
        "hold",
        "instrument_limits",
        "last_intent_seq",
        "level",
        "limits",
        "market",
        "my_lots_max",
        "my_open",
        "my_position",
        "plain",
        "qty_lots_max",
        "qty_lots_min",
        "recent",
        "reducing",
        "spec",
        "strategy",
        "ticklots_max",
        "ticklots_min",
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
        my_position: PositionView,
        all_position: PositionView,
        my_open: OpenView,
        all_open: OpenView,
    ) -> None:
        self.strategy = strategy
        self.spec = spec
        self.market = market
        self.account = account
        self.exposure = exposure
        self.my_position = my_position
        self.all_position = all_position
        self.my_open = my_open
        self.all_open = all_open
        self.level: HoldLevel = HoldLevel.HALTED
        self.hold: Hold | None = None
        # what ``checks.plainly_permitted`` asks, made ready: sizes, and price times size in ticks times lots
        self.plain = False
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
        self.qty_lots_max = min(spec.qty_lots_max, limits.order_lots_max, instrument_limits.order_lots_max)
        self.exposure.collar(instrument_limits.collar_ppm)
        self.my_lots_max = limits.position_lots_max
        self.all_lots_max = instrument_limits.position_lots_max
        self.ticklots_max = instrument_limits.order_notional_e8_max // spec.tick_lot_e8

    def fold(self, hold: Hold | None) -> None:
        """Stand under this hold, the strictest in scope; None: under no hold at all."""
        self.hold = hold
        self.level = HoldLevel.NONE if hold is None else hold.level
        self.reducing = self.level >= HoldLevel.REDUCE_ONLY
        self.plain = self.level is HoldLevel.NONE and self.spec.status is InstrumentStatus.TRADING
