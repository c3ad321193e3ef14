"""One hosted strategy: its callbacks, its bars, its timer, and what it said last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from holdfast.strategy.api import CALLBACKS, Context, Strategy, Wants
from holdfast.strategy.bars import Bar, BarBuilder, BarSource
from holdfast.strategy.warmup import Wanted
from holdfast.strategy.wellformed import INTENT_KINDS, fault_in, fault_in_basket
from holdfast.vocab.events import BasketIntent, StrategyFailed, StrategySaved, Wish
from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.units import NS_PER_MS

INTENTS_MAX: Final = 256
SAVED_BYTES_MAX: Final = 64 * 1024

HostEvent: TypeAlias = Wish | StrategyFailed | StrategySaved
Callback: TypeAlias = Callable[..., Wants]


class Rejected(ValueError):
    """What a strategy returned makes no sense; nothing of it is passed on."""


class Hosted(Struct, frozen=True):
    """A strategy to be run: its configured name, the object, and the instruments whose events it gets."""

    name: str
    strategy: object
    instruments: tuple[str, ...]


def overridden(strategy: object, name: str) -> Callback | None:
    """The strategy's own callback of this name; None where it has none or left the base class's."""
    own = getattr(type(strategy), name, None)
    if own is None or own is getattr(Strategy, name):
        return None
    return cast("Callback", getattr(strategy, name))


def wanted_bars(strategy: object) -> Wanted:
    """What bars a strategy declared that it wants."""
    declared = getattr(strategy, "bars_ms", Strategy.bars_ms)
    intervals = (declared,) if isinstance(declared, int) else tuple(declared)
    return Wanted(
        intervals_ms=tuple(interval for interval in intervals if interval),
        source=BarSource(getattr(strategy, "bars_from", Strategy.bars_from)),
        history_bars=int(getattr(strategy, "history_bars", Strategy.history_bars)),
    )


class BarFeed:
    """Turns one instrument's events into calls of ``on_bar``."""

    __slots__ = ("_on_bar", "builder")

    def __init__(self, builder: BarBuilder, on_bar: Callable[[Context, Bar], Wants]) -> None:
        self.builder = builder
        self._on_bar = on_bar

    def on_trade(self, context: Context, trade: Trade) -> Wants:
        bar = self.builder.add_trade(trade)
        return None if bar is None else self._on_bar(context, bar)

    def on_quote(self, context: Context, quote: Quote) -> Wants:
        bar = self.builder.add_quote(quote)
        return None if bar is None else self._on_bar(context, bar)

    def on_time(self, context: Context, wall_ns: int) -> Wants:
        bar = self.builder.close_due(wall_ns)
        return None if bar is None else self._on_bar(context, bar)


class Seat:
    """A strategy and the host's notes on it."""

    def __init__(self, hosted: Hosted, context: Context) -> None:
        self.name = hosted.name
        self.strategy = hosted.strategy
        self.instruments = hosted.instruments
        self.context = context
        self.failed = False
        self.callbacks: dict[str, Callback] = {
            name: found for name in CALLBACKS if (found := overridden(hosted.strategy, name)) is not None
        }
        self.save = cast("Callable[[], bytes] | None", overridden(hosted.strategy, "save"))
        self.load = cast("Callable[[bytes], None] | None", overridden(hosted.strategy, "load"))
        self.timer_ns = int(getattr(hosted.strategy, "timer_ms", 0)) * NS_PER_MS
        self.timer_due_mono_ns = 0
        self.wanted = wanted_bars(hosted.strategy)
        self.feeds: dict[str, list[BarFeed]] = {name: [] for name in hosted.instruments}
        if (on_bar := self.callbacks.get("on_bar")) is not None:
            for name in hosted.instruments:
                self.feeds[name] = [
                    BarFeed(BarBuilder(instrument=name, interval_ms=interval_ms), on_bar)
                    for interval_ms in self.wanted.intervals_ms
                ]
        self.returned_seq = 0
        self._saved: bytes | None = None

    def accept(self, wanted: Wants, *, wall_ns: int, mono_ns: int) -> list[HostEvent]:
        """What a callback returned as events, all or nothing, with the state it left behind.

        An intent made in an earlier callback counts from now: it gets this moment's times and a new number.
        Raises Rejected, or whatever the strategy raises while its answer is drawn or its state is saved.
        """
        self.context.sound = None
        if type(wanted) in INTENT_KINDS:
            one = self._one(wanted, self.returned_seq, wall_ns, mono_ns)
            accepted: list[HostEvent] = [one]
            seq = one.intent_seq
        else:
            accepted, seq = self._several(wanted, wall_ns, mono_ns)
        if self.save is not None and accepted:
            saved = self.saved_event(wall_ns=wall_ns, mono_ns=mono_ns)
            if saved is not None:
                accepted.append(saved)
        self.returned_seq = seq
        return accepted

    def _one(self, wanted: object, seq: int, wall_ns: int, mono_ns: int) -> Any:
        """An intent of this moment, numbered above ``seq``."""
        if fault := fault_in(wanted, self.name):
            raise Rejected(fault)
        intent: Any = wanted
        if intent.intent_seq > seq and intent.mono_ns == mono_ns and intent.wall_ns == wall_ns:
            return intent
        return replace(intent, intent_seq=self.context.next_intent_seq(), wall_ns=wall_ns, mono_ns=mono_ns)

    def _several(self, wanted: Wants, wall_ns: int, mono_ns: int) -> tuple[list[HostEvent], int]:
        """Intents, and the last number given. As ``_one`` does it, without a call for each."""
        seq = self.returned_seq
        accepted: list[HostEvent] = []
        if type(wanted) is BasketIntent:
            return self._with_baskets((wanted,), wall_ns, mono_ns)
        if not isinstance(wanted, Iterable):
            raise Rejected(f"returned {wanted!r:.80}: None, an intent or several are expected")
        wishes: tuple[Any, ...] = tuple(islice(wanted, INTENTS_MAX + 1))
        if BasketIntent in map(type, wishes):
            return self._with_baskets(wishes, wall_ns, mono_ns)
        if len(wishes) > INTENTS_MAX or len({id(intent) for intent in wishes}) != len(wishes):
            _each_once(wishes)  # says which of the two it is
        for numbered in wishes:
            if fault := fault_in(numbered, self.name):
                raise Rejected(fault)
            if numbered.intent_seq <= seq or numbered.mono_ns != mono_ns or numbered.wall_ns != wall_ns:
                numbered = replace(  # noqa: PLW2901 - the same intent, as it is from now on
                    numbered, intent_seq=self.context.next_intent_seq(), wall_ns=wall_ns, mono_ns=mono_ns
                )
            seq = numbered.intent_seq
            accepted.append(numbered)
        return accepted, seq

    def _with_baskets(
        self, wishes: Sequence[Wish], wall_ns: int, mono_ns: int
    ) -> tuple[list[HostEvent], int]:
        """The same where baskets are among them: legs are numbered in their turn."""
        for wish in wishes:
            if type(wish) is BasketIntent and (fault := fault_in_basket(wish, self.name)):
                raise Rejected(fault)
        _each_once([one for wish in wishes for one in (wish.legs if type(wish) is BasketIntent else (wish,))])
        seq = self.returned_seq
        accepted: list[HostEvent] = []
        for wish in wishes:
            if type(wish) is BasketIntent:
                legs = []
                for leg in wish.legs:
                    legs.append(self._one(leg, seq, wall_ns, mono_ns))
                    seq = legs[-1].intent_seq
                accepted.append(replace(wish, legs=tuple(legs), wall_ns=wall_ns, mono_ns=mono_ns))
            else:
                one = self._one(wish, seq, wall_ns, mono_ns)
                accepted.append(one)
                seq = one.intent_seq
        return accepted, seq

    def saved_event(self, *, wall_ns: int, mono_ns: int) -> StrategySaved | None:
        """The strategy's state; None where it keeps none, or it is the same as last time."""
        if self.save is None:
            return None
        state = self.save()
        if type(state) is not bytes or len(state) > SAVED_BYTES_MAX:
            size = f"{len(state)} bytes" if type(state) is bytes else f"a {type(state).__name__}"
            raise Rejected(f"save() gave {size}: bytes, at most {SAVED_BYTES_MAX}, are kept")
        if state == self._saved:
            return None
        self._saved = state
        return StrategySaved(wall_ns=wall_ns, mono_ns=mono_ns, strategy=self.name, state=state)


def _each_once(intents: Sequence[object]) -> None:
    if len(intents) > INTENTS_MAX:
        raise Rejected(f"returned more than {INTENTS_MAX} intents from one callback")
    if len({id(intent) for intent in intents}) != len(intents):
        raise Rejected("returned the same intent twice: each is asked for once")
