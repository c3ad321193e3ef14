"""Tries a strategy out without a venue: for its author's own tests, not for judging what it would earn.

The world is kind and simple: the gate passes everything, answers come at once, a taker fills at the touch up to
the shown size, a resting order fills in full when the market reaches through its price. ``holdfast backtest``
runs the real core against the real venue engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

from msgspec import Struct

from holdfast.strategy.api import DepthView
from holdfast.strategy.host import StrategyHost
from holdfast.strategy.seat import Hosted, HostEvent
from holdfast.strategy.warmup import NO_HISTORY, History
from holdfast.vocab.events import (
    AmendIntent,
    BasketIntent,
    CancelIntent,
    OrderIntent,
    StrategyFailed,
    StrategySaved,
    TargetIntent,
    Wish,
)
from holdfast.vocab.facts import AmendStep, Fact, FillBooked, OrderAmended, OrderApproved, OrderMoved
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import MarketEvent, Quote, Trade
from holdfast.vocab.orders import Did, Lane, OrderState, OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.reports import FillCause

_NAME: Final = "rehearsal"
_STEPS_MAX: Final = 10_000  # answers to one event: a strategy that answers each fill with an order must end


class RehearsedOrder(Struct):
    """An open order of the rehearsal."""

    order_id: int
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int | None
    filled_lots: int = 0
    state: OrderState = OrderState.LIVE


class Rehearsal:
    """One strategy, played to. ``intents`` and ``fills`` keep what it wanted and got, in order."""

    def __init__(
        self, strategy: object, *, specs: Sequence[InstrumentSpec], history: History = NO_HISTORY
    ) -> None:
        self.intents: list[Wish] = []
        self.fills: list[FillBooked] = []
        self.failure = ""
        self.saved: bytes | None = None
        self._positions: dict[str, int] = {}
        self._orders: dict[int, RehearsedOrder] = {}
        self._quotes: dict[str, Quote] = {}
        self._ids = count(1)
        self._facts: list[Fact] = []
        self._wall_ns = self._mono_ns = 0
        names = tuple(spec.instrument for spec in specs)
        self.host = StrategyHost(
            [Hosted(_NAME, strategy, names)], specs=specs, books=self, clock_ns=lambda: self._mono_ns
        )
        self._take(self.host.start(wall_ns=0, mono_ns=0, histories={_NAME: history}))

    # --- what the strategy sees ---------------------------------------------------------------------------------

    def position_lots(self, strategy: str, instrument: str) -> int:
        """The position so far."""
        return self._positions.get(instrument, 0)

    def open_orders(self, strategy: str, instrument: str) -> Sequence[RehearsedOrder]:
        """The open orders, oldest first."""
        return [order for order in self._orders.values() if order.instrument == instrument]

    def level(self, strategy: str, instrument: str) -> HoldLevel:
        """Nothing is held here."""
        return HoldLevel.NONE

    def quote(self, instrument: str) -> Quote | None:
        """The newest quote."""
        return self._quotes.get(instrument)

    def depth(self, instrument: str, levels: int) -> DepthView | None:
        """There are no books here."""
        return None

    @property
    def degraded(self) -> bool:
        """Everything is shown."""
        return False

    # --- playing ------------------------------------------------------------------------------------------------

    def play(self, events: Iterable[MarketEvent]) -> None:
        """Let these events happen, one after the other."""
        for event in events:
            self._wall_ns, self._mono_ns = event.wall_ns, event.mono_ns
            due_mono_ns = self.host.next_due_mono_ns()
            if due_mono_ns is not None and due_mono_ns <= event.mono_ns:
                self._take(self.host.on_timer(wall_ns=event.wall_ns, mono_ns=event.mono_ns))
            if type(event) is Quote:
                self._quotes[event.instrument] = event
                self._reach(event.instrument, event.ask_ticks, event.bid_ticks)
            elif type(event) is Trade and event.market:
                self._reach(event.instrument, event.price_ticks + 1, event.price_ticks - 1)
            self._take(self.host.on_market(event))

    def _take(self, wanted: Sequence[HostEvent]) -> None:
        """Do what was wanted, tell what became of it, and do what is wanted then."""
        for _ in range(_STEPS_MAX):
            for event in wanted:
                self._do(event)
            if not self._facts:
                return
            wanted = self.host.on_fact(self._facts.pop(0), wall_ns=self._wall_ns, mono_ns=self._mono_ns)
        self.failure = f"answers itself without end: {_STEPS_MAX} steps within one event"

    def _do(self, event: HostEvent) -> None:
        if isinstance(event, StrategyFailed):
            self.failure = event.error
            return
        if isinstance(event, StrategySaved):
            self.saved = event.state
            return
        self.intents.append(event)
        if isinstance(event, OrderIntent):
            self._order(event, event.side, event.qty_lots, event.price_ticks, event.order_type, event.tif)
        elif isinstance(event, BasketIntent):
            for leg in event.legs:
                self._order(leg, leg.side, leg.qty_lots, leg.price_ticks, leg.order_type, leg.tif)
        elif isinstance(event, TargetIntent):
            missing = event.target_lots - self._positions.get(event.instrument, 0)
            if missing:
                side = Side.BUY if missing > 0 else Side.SELL
                self._order(event, side, abs(missing), event.price_ticks, OrderType.LIMIT, TimeInForce.IOC)
        elif isinstance(event, CancelIntent):
            for order in list(self._orders.values()):
                if order.instrument == event.instrument and event.order_id in {0, order.order_id}:
                    self._end(order, Did.CANCELLED, OrderState.CANCELLED)
        elif isinstance(event, AmendIntent):
            self._amend(event)

    def _order(
        self,
        intent: OrderIntent | TargetIntent,
        side: Side,
        qty_lots: int,
        price_ticks: int | None,
        order_type: OrderType,
        tif: TimeInForce,
    ) -> None:
        order = RehearsedOrder(next(self._ids), intent.instrument, side, qty_lots, price_ticks)
        self._orders[order.order_id] = order
        self._facts.append(
            OrderApproved(
                order_id=order.order_id,
                strategy=_NAME,
                intent_seq=intent.intent_seq,
                lane=Lane.RISK,
                terms=OrderTerms(
                    instrument=intent.instrument,
                    side=side,
                    qty_lots=qty_lots,
                    order_type=order_type,
                    tif=tif,
                    price_ticks=price_ticks,
                ),
                reference_ticks=intent.decision_ticks or 0,
                decision_ticks=intent.decision_ticks,
                approved_mono_ns=self._mono_ns,
            )
        )
        quote = self._quotes.get(order.instrument)
        touch, lots = (0, 0) if quote is None else _far_touch(quote, side)
        crosses = touch > 0 and (price_ticks is None or (price_ticks - touch) * side >= 0)
        if crosses and tif is TimeInForce.POST_ONLY:
            self._end(order, Did.EXPIRED, OrderState.EXPIRED)
            return
        if crosses:
            self._fill(order, min(qty_lots, lots), touch, maker=False)
        if order.order_id in self._orders and (price_ticks is None or tif is TimeInForce.IOC):
            self._end(order, Did.EXPIRED, OrderState.EXPIRED)

    def _amend(self, intent: AmendIntent) -> None:
        order = self._orders.get(intent.order_id)
        if order is None:
            return
        order.price_ticks, order.qty_lots = intent.price_ticks, max(intent.qty_lots, order.filled_lots + 1)
        self._facts.append(
            OrderAmended(
                order_id=order.order_id,
                step=AmendStep.DONE,
                qty_lots=order.qty_lots,
                price_ticks=intent.price_ticks,
                why="",
            )
        )

    def _reach(self, instrument: str, ask_ticks: int, bid_ticks: int) -> None:
        """The market offers at ``ask_ticks`` and bids at ``bid_ticks``: whoever rests through it is filled."""
        for order in [order for order in self._orders.values() if order.instrument == instrument]:
            price_ticks = order.price_ticks
            if price_ticks is None:
                continue
            reached = price_ticks >= ask_ticks if order.side is Side.BUY else price_ticks <= bid_ticks
            if reached:
                self._fill(order, order.qty_lots - order.filled_lots, price_ticks, maker=True)

    def _fill(self, order: RehearsedOrder, qty_lots: int, price_ticks: int, *, maker: bool) -> None:
        order.filled_lots += qty_lots
        self._positions[order.instrument] = self._positions.get(order.instrument, 0) + order.side * qty_lots
        fill = FillBooked(
            trade_id=f"rehearsed-{len(self.fills) + 1}",
            order_id=order.order_id,
            strategy=_NAME,
            instrument=order.instrument,
            side=order.side,
            qty_lots=qty_lots,
            price_ticks=price_ticks,
            fee_e8=0,
            fee_asset="",
            maker=maker,
            cause=FillCause.ORDER,
            quarantined=False,
            venue_ns=self._wall_ns,
        )
        self.fills.append(fill)
        self._facts.append(fill)
        if order.filled_lots >= order.qty_lots:
            self._end(order, Did.FULL_FILL, OrderState.FILLED)

    def _end(self, order: RehearsedOrder, did: Did, state: OrderState) -> None:
        del self._orders[order.order_id]
        self._facts.append(
            OrderMoved(
                order_id=order.order_id,
                did=did,
                state=state,
                venue_order_id="",
                why="",
                mono_ns=self._mono_ns,
            )
        )


def _far_touch(quote: Quote, side: Side) -> tuple[int, int]:
    """Price and size that a taker of this side meets."""
    if side is Side.BUY:
        return quote.ask_ticks, quote.ask_lots
    return quote.bid_ticks, quote.bid_lots
