"""One hosted strategy: its callbacks, its bars, its timer, and what it said last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from holdfast.strategy.api import CALLBACKS, Context, Strategy, Wants
from holdfast.strategy.bars import Bar, BarBuilder, BarSource
from holdfast.strategy.warmup import Wanted
from holdfast.strategy.wellformed import INTENT_KINDS, fault_in
from holdfast.vocab.events import Intent, StrategyFailed, StrategySaved
from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.units import NS_PER_MS

INTENTS_MAX: Final = 256
SAVED_BYTES_MAX: Final = 64 * 1024

HostEvent: TypeAlias = Intent | StrategyFailed | StrategySaved
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
        seq = self.returned_seq
        self.context.sound = None
        accepted: list[HostEvent] = []
        for intent in (wanted,) if type(wanted) in INTENT_KINDS else self._listed(wanted):
            if fault := fault_in(intent, self.name):  # type: ignore[arg-type] # that is what it finds out
                raise Rejected(fault)
            numbered = cast("Intent", intent)
            if numbered.intent_seq <= seq or numbered.mono_ns != mono_ns or numbered.wall_ns != wall_ns:
                numbered = replace(
                    numbered, intent_seq=self.context.next_intent_seq(), wall_ns=wall_ns, mono_ns=mono_ns
                )
            seq = numbered.intent_seq
            accepted.append(numbered)
        if self.save is not None and accepted:
            saved = self.saved_event(wall_ns=wall_ns, mono_ns=mono_ns)
            if saved is not None:
                accepted.append(saved)
        self.returned_seq = seq
        return accepted

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

    def _listed(self, wanted: Wants) -> tuple[Intent, ...]:
        if not isinstance(wanted, Iterable):
            raise Rejected(f"returned {wanted!r:.80}: None, an intent or several are expected")
        listed = tuple(islice(wanted, INTENTS_MAX + 1))
        if len(listed) > INTENTS_MAX:
            raise Rejected(f"returned more than {INTENTS_MAX} intents from one callback")
        if len({id(intent) for intent in listed}) != len(listed):
            raise Rejected("returned the same intent twice: each is asked for once")
        return listed
