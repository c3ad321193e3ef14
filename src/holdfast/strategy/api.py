"""What a strategy is and what it may see and ask for.

A strategy is a plain class with any of the callbacks of :class:`Strategy`. Each gets a :class:`Context` first
and returns None, one intent, or an iterable of intents made by the context. It holds no keys, opens no sockets
and waits for nothing: what it wants is journaled, checked by the gate and sent by others, and what became of
it comes back through ``on_fill``, ``on_order`` and ``on_refused``.

Prices are whole ticks and sizes whole lots; ``ctx.ticks`` and ``ctx.lots`` turn decimal texts into them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from holdfast.strategy.bars import Bar, BarSource
from holdfast.strategy.warmup import History
from holdfast.strategy.wellformed import WHOLE_BITS
from holdfast.vocab.events import (
    BASKET_LEGS_MAX,
    AmendIntent,
    BasketIntent,
    CancelIntent,
    OrderIntent,
    TargetIntent,
    Wish,
)
from holdfast.vocab.facts import FillBooked, IntentRefused, OrderAmended, OrderApproved, OrderMoved
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.orders import ChildOf, OrderState, OrderType, Side, TimeInForce
from holdfast.vocab.units import text_of, units_floor, whole_units

Wants: TypeAlias = Wish | Iterable[Wish] | None
OrderFact: TypeAlias = OrderApproved | OrderMoved | OrderAmended

# A member looked up on its Enum costs 100 ns under Python 3.11: these are looked up once.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_LIMIT: Final = OrderType.LIMIT
_MARKET: Final = OrderType.MARKET
_GTC: Final = TimeInForce.GTC
_IOC: Final = TimeInForce.IOC
_POST_ONLY: Final = TimeInForce.POST_ONLY


class DepthView(Struct, frozen=True, kw_only=True):
    """The best levels of a book, best first, as (price in ticks, lots). ``seq``: the last change in it."""

    instrument: str
    seq: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class OpenOrder(Protocol):
    """A non-final order of the strategy's own. ``price_ticks`` is None for a market order."""

    @property
    def order_id(self) -> int: ...
    @property
    def side(self) -> Side: ...
    @property
    def qty_lots(self) -> int: ...
    @property
    def filled_lots(self) -> int: ...
    @property
    def price_ticks(self) -> int | None: ...
    @property
    def state(self) -> OrderState: ...


class Books(Protocol):
    """What the core knows, as strategies may see it. Answers are of now: they include the event being handled."""

    def position_lots(self, strategy: str, instrument: str) -> int:
        """The strategy's own attributed position, signed."""
        ...

    def open_orders(self, strategy: str, instrument: str) -> Sequence[OpenOrder]:
        """The strategy's own non-final orders, oldest first."""
        ...

    def level(self, strategy: str, instrument: str) -> HoldLevel:
        """The strictest hold in scope."""
        ...

    def quote(self, instrument: str) -> Quote | None:
        """The newest accepted quote; None before the first."""
        ...

    def depth(self, instrument: str, levels: int) -> DepthView | None:
        """The best levels of the book, newest; None while it is not whole, or old."""
        ...

    @property
    def degraded(self) -> bool:
        """Whether more quotes come than are shown."""
        ...


class Moment(Protocol):
    """Anything that carries the two times."""

    @property
    def wall_ns(self) -> int: ...
    @property
    def mono_ns(self) -> int: ...


class Seen:
    """What the host has seen last; shared by the contexts of all its strategies."""

    __slots__ = ("marks", "now", "trades")

    def __init__(self, now: Moment) -> None:
        self.now = now
        self.trades: dict[str, Trade] = {}
        self.marks: dict[str, Mark] = {}


class Context:
    """A strategy's view of the market and of itself, and its way to ask for things. Read-only.

    The constructors only make intents: what is not returned from the callback is not asked for.
    """

    __slots__ = ("_books", "_intent_seq", "_seen", "_specs", "instruments", "sound", "sound_at", "strategy")

    def __init__(
        self,
        *,
        strategy: str,
        instruments: tuple[str, ...],
        specs: Mapping[str, InstrumentSpec],
        books: Books,
        seen: Seen,
    ) -> None:
        self.strategy = strategy
        self.instruments = instruments
        self._specs = specs
        self._books = books
        self._seen = seen
        self._intent_seq = 0
        # the last plain order made here whose every part is well-formed, and the event it was made at
        self.sound: OrderIntent | None = None
        self.sound_at: Moment | None = None

    # --- what is --------------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Wall time of the event being handled: nanoseconds since the epoch."""
        return self._seen.now.wall_ns

    @property
    def mono_ns(self) -> int:
        """Time of the event being handled by the clock that never steps: for ages and waits."""
        return self._seen.now.mono_ns

    def quote(self, instrument: str) -> Quote | None:
        """The newest accepted quote; None before the first."""
        return self._books.quote(instrument)

    def depth(self, instrument: str, levels: int = 10) -> DepthView | None:
        """The best levels of the book; None without the stream, while the book has a hole, or when it is old."""
        return self._books.depth(instrument, levels)

    def trade(self, instrument: str) -> Trade | None:
        """The newest public print; None before the first."""
        return self._seen.trades.get(instrument)

    def mark(self, instrument: str) -> Mark | None:
        """The newest mark price; None before the first."""
        return self._seen.marks.get(instrument)

    def position_lots(self, instrument: str) -> int:
        """Our own position, signed; of other strategies on the account nothing is seen."""
        return self._books.position_lots(self.strategy, instrument)

    def orders(self, instrument: str) -> Sequence[OpenOrder]:
        """Our own orders that are not final, oldest first; UNKNOWN ones among them."""
        return self._books.open_orders(self.strategy, instrument)

    def level(self, instrument: str) -> HoldLevel:
        """The strictest hold on us in this instrument: what would be refused anyway."""
        return self._books.level(self.strategy, instrument)

    @property
    def degraded(self) -> bool:
        """Under pressure: of quotes only the newest of each instrument come; every print and fill still does."""
        return self._books.degraded

    def spec(self, instrument: str) -> InstrumentSpec:
        """The instrument's facts. Raises KeyError with a clear text for one that is not configured."""
        spec = self._specs.get(instrument)
        if spec is None:
            raise KeyError(f"no instrument {instrument!r}; there are {', '.join(sorted(self._specs))}")
        return spec

    # --- decimals ---------------------------------------------------------------------------------------------

    def ticks(self, instrument: str, price: str) -> int:
        """The price "61800.1" in ticks. Raises NotANumber unless it is a whole number of ticks."""
        return whole_units(price, Decimal(self.spec(instrument).tick))

    def lots(self, instrument: str, qty: str) -> int:
        """The size "0.01" in lots. Raises NotANumber unless it is a whole number of lots."""
        return whole_units(qty, Decimal(self.spec(instrument).lot))

    def lots_floor(self, instrument: str, qty: str) -> int:
        """As many whole lots as fit into the size: for sizes that were computed."""
        return units_floor(qty, Decimal(self.spec(instrument).lot))

    def price_text(self, instrument: str, ticks: int) -> str:
        """Ticks as a decimal text."""
        return text_of(ticks, Decimal(self.spec(instrument).tick))

    def qty_text(self, instrument: str, lots: int) -> str:
        """Lots as a decimal text."""
        return text_of(lots, Decimal(self.spec(instrument).lot))

    # --- what is wanted -------------------------------------------------------------------------------------

    def buy(
        self,
        instrument: str,
        *,
        qty_lots: int,
        price_ticks: int | None = None,
        post_only: bool = False,
        ioc: bool = False,
        reduce_only: bool = False,
        order_type: OrderType | None = None,
        tif: TimeInForce | None = None,
        trigger_ticks: int | None = None,
    ) -> OrderIntent:
        """Want to buy; without a price at the market. ``tif`` overrides ``post_only`` and ``ioc``."""
        return self._order(
            _BUY,
            instrument,
            qty_lots,
            price_ticks,
            post_only,
            ioc,
            reduce_only,
            order_type,
            tif,
            trigger_ticks,
        )

    def sell(
        self,
        instrument: str,
        *,
        qty_lots: int,
        price_ticks: int | None = None,
        post_only: bool = False,
        ioc: bool = False,
        reduce_only: bool = False,
        order_type: OrderType | None = None,
        tif: TimeInForce | None = None,
        trigger_ticks: int | None = None,
    ) -> OrderIntent:
        """Want to sell; without a price at the market. ``tif`` overrides ``post_only`` and ``ioc``."""
        return self._order(
            _SELL,
            instrument,
            qty_lots,
            price_ticks,
            post_only,
            ioc,
            reduce_only,
            order_type,
            tif,
            trigger_ticks,
        )

    def child(self, order: OrderIntent, *, parent_id: int, parent_lots: int) -> OrderIntent:
        """The same order as a child of a parent of ours: all children of that number together, filled and open, are
        never let through for more than ``parent_lots``. Numbers are ours to give, each new parent a larger one, also
        after a restart; a parent's instrument, side and size never change.
        """
        return replace(order, child_of=ChildOf(parent_id, parent_lots))

    def basket(self, orders: Iterable[OrderIntent]) -> BasketIntent:
        """Want all of these orders, one to ``BASKET_LEGS_MAX``, or none: the gate judges them as one, at the worst case
        of all of them together. A refusal names the first leg that may not (``on_refused``), and nothing was sent. What
        was let through are orders like any others: each is sent, filled or rejected by itself.
        """
        legs = tuple(orders)
        if not 0 < len(legs) <= BASKET_LEGS_MAX:
            raise ValueError(f"a basket of {len(legs)} orders: it has one to {BASKET_LEGS_MAX}")
        now = self._seen.now
        return BasketIntent(wall_ns=now.wall_ns, mono_ns=now.mono_ns, strategy=self.strategy, legs=legs)

    def target(self, instrument: str, target_lots: int, *, price_ticks: int | None = None) -> TargetIntent:
        """Want our own position to be this; without a price by an immediate-or-cancel at the far touch."""
        self._intent_seq = seq = self._intent_seq + 1
        now = self._seen.now
        return TargetIntent(
            wall_ns=now.wall_ns,
            mono_ns=now.mono_ns,
            strategy=self.strategy,
            intent_seq=seq,
            instrument=instrument,
            target_lots=target_lots,
            price_ticks=price_ticks,
            decision_ticks=self._mid_ticks(instrument),
        )

    def cancel(self, instrument: str, order_id: int) -> CancelIntent:
        """Want one of our orders gone."""
        if order_id <= 0:
            raise ValueError(f"{order_id} is no order id: cancel_all(instrument) cancels them all")
        return self._cancel(instrument, order_id)

    def cancel_all(self, instrument: str) -> CancelIntent:
        """Want all of our orders in the instrument gone."""
        return self._cancel(instrument, 0)

    def amend(self, instrument: str, order_id: int, *, qty_lots: int, price_ticks: int) -> AmendIntent:
        """Want a resting order at another price or total size (what is filled counts in it)."""
        self._intent_seq = seq = self._intent_seq + 1
        now = self._seen.now
        return AmendIntent(
            wall_ns=now.wall_ns,
            mono_ns=now.mono_ns,
            strategy=self.strategy,
            intent_seq=seq,
            instrument=instrument,
            order_id=order_id,
            qty_lots=qty_lots,
            price_ticks=price_ticks,
        )

    # --- inside -----------------------------------------------------------------------------------------------

    def next_intent_seq(self) -> int:
        """The next number: of an intent made here, or of one that the host has to number anew."""
        self._intent_seq += 1
        return self._intent_seq

    def _mid_ticks(self, instrument: str) -> int | None:
        quote: object = self._seen.now  # mostly the decision is made at a quote: the newest there is
        if type(quote) is not Quote or quote.instrument != instrument:
            quote = self._books.quote(instrument)
        return None if quote is None else (quote.bid_ticks + quote.ask_ticks) >> 1

    def _cancel(self, instrument: str, order_id: int) -> CancelIntent:
        self._intent_seq = seq = self._intent_seq + 1
        now = self._seen.now
        return CancelIntent(
            wall_ns=now.wall_ns,
            mono_ns=now.mono_ns,
            strategy=self.strategy,
            intent_seq=seq,
            instrument=instrument,
            order_id=order_id,
        )

    def _order(
        self,
        side: Side,
        instrument: str,
        qty_lots: int,
        price_ticks: int | None,
        post_only: bool,  # noqa: FBT001 - passed on by the two above
        ioc: bool,  # noqa: FBT001
        reduce_only: bool,  # noqa: FBT001
        order_type: OrderType | None,
        tif: TimeInForce | None,
        trigger_ticks: int | None,
    ) -> OrderIntent:
        size: Any = qty_lots  # whatever a strategy put there
        price: Any = price_ticks
        self._intent_seq = seq = self._intent_seq + 1
        now: Any = self._seen.now
        if (
            type(now) is Quote and now.instrument is instrument
        ):  # mostly the decision is made at a quote of it
            decided: int | None = (now.bid_ticks + now.ask_ticks) >> 1
        else:
            decided = self._mid_ticks(instrument)
        if (
            type(size) is int
            and type(price) is int
            and not (size | price) >> WHOLE_BITS  # both in range: neither is below zero, nor has more bits
            and order_type is None
            and tif is None
            and trigger_ticks is None
            and reduce_only is False
            and instrument in self._specs
        ):
            self.sound_at = now
            self.sound = intent = OrderIntent(
                wall_ns=now.wall_ns,
                mono_ns=now.mono_ns,
                strategy=self.strategy,
                intent_seq=seq,
                instrument=instrument,
                side=side,
                qty_lots=size,
                price_ticks=price,
                tif=_POST_ONLY if post_only else _IOC if ioc else _GTC,
                decision_ticks=decided,
            )
            return intent
        if tif is None:
            tif = _POST_ONLY if post_only else _IOC if ioc else _GTC
        if order_type is None:
            order_type = _MARKET if price_ticks is None else _LIMIT
        return OrderIntent(
            wall_ns=now.wall_ns,
            mono_ns=now.mono_ns,
            strategy=self.strategy,
            intent_seq=seq,
            instrument=instrument,
            side=side,
            qty_lots=qty_lots,
            price_ticks=price_ticks,
            order_type=order_type,
            tif=tif,
            reduce_only=reduce_only,
            trigger_ticks=trigger_ticks,
            decision_ticks=decided,
        )


class Strategy:
    """The callbacks, each optional: the host calls only those that a class overrides, at no cost for the rest.

    Deriving from this class is optional too. Raising from a callback stops the strategy: no more callbacks
    until a person lifts the hold that follows. A callback is expected to return within a millisecond.
    """

    bars_ms: int | tuple[int, ...] = ()
    """Lengths of the bars that ``on_bar`` wants; aligned to UTC."""

    bars_from: BarSource = BarSource.TRADES
    """What the bars are made of."""

    history_bars: int = 0
    """How many past bars of each length ``on_start`` would like."""

    timer_ms: int = 0
    """How often ``on_timer`` is called; 0: never."""

    def on_start(self, ctx: Context, history: History) -> Wants:
        """Once, before anything else but ``load``."""

    def on_quote(self, ctx: Context, quote: Quote) -> Wants:
        """Each accepted quote of our instruments."""

    def on_trade(self, ctx: Context, trade: Trade) -> Wants:
        """Each accepted public print."""

    def on_mark(self, ctx: Context, mark: Mark) -> Wants:
        """Each accepted mark price."""

    def on_depth(self, ctx: Context, depth: Depth) -> Wants:
        """Each change of a book, also while it has a hole: ``ctx.depth`` says what may be priced from."""

    def on_bar(self, ctx: Context, bar: Bar) -> Wants:
        """Each closed bar, before the event that closed it."""

    def on_fill(self, ctx: Context, fill: FillBooked) -> Wants:
        """Each execution of our orders, once; the position counts it already."""

    def on_order(self, ctx: Context, fact: OrderFact) -> Wants:
        """Each step in the life of our orders."""

    def on_refused(self, ctx: Context, fact: IntentRefused) -> Wants:
        """What the gate did not let through, and why; of a basket, which leg, and none of it was sent."""

    def on_timer(self, ctx: Context) -> Wants:
        """Every ``timer_ms``."""

    def save(self) -> bytes:
        """What to keep over a restart, at most 64 KiB. Asked after callbacks that returned intents, and at stop."""
        return b""

    def load(self, state: bytes) -> None:
        """What :meth:`save` gave last; before ``on_start``, only where there is something."""


CALLBACKS: Final = (
    "on_start",
    "on_quote",
    "on_trade",
    "on_mark",
    "on_depth",
    "on_bar",
    "on_fill",
    "on_order",
    "on_refused",
    "on_timer",
)
