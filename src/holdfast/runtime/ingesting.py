"""Frames through a decoder and the core's own ingest, every one of them accounted for.

The core is the one that trades, at its start: HALTED, so that whatever a strategy wants of it is refused and
counted. It measures the venue's clock when it would, and is answered from what is known of it; nothing else that
it asks is answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from holdfast.core.ingest.depth_book import BookState, DepthBook, Taken
from holdfast.core.state import State
from holdfast.core.step import step
from holdfast.ports.feed import Decode
from holdfast.runtime.feed_meter import KINDS, FeedMeter
from holdfast.strategy.host import StrategyHost
from holdfast.vocab.effects import Call, SetTimer
from holdfast.vocab.events import CallDone, Event, OrderIntent, Started, TargetIntent, TimerFired, TimerKind
from holdfast.vocab.facts import IntentRefused
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.outcome import Ok
from holdfast.vocab.reports import Clock
from holdfast.vocab.requests import MeasureClock

# Reasons that the core counts without refusing the event: a book with a hole is still told of.
_NOT_REFUSALS: Final = frozenset({"depth_gap"})
UNLISTED: Final = "unlisted event type"


class Told(Protocol):
    """What a frame is by its own words."""

    @property
    def instrument(self) -> str:
        """Empty where it does not say."""
        ...

    @property
    def kind(self) -> str:
        """The venue's event type, or what else it is."""
        ...


class VenueClock(Protocol):
    """What is known of the venue's clock against the one that stamped the frames."""

    def see(self, *, venue_ns: int, wall_ns: int) -> None:
        """A frame said that it happened at ``venue_ns`` and came at ``wall_ns``."""
        ...

    def offset_ns(self) -> int:
        """Venue time less wall time."""
        ...


class Dialect(Struct, frozen=True, kw_only=True):
    """How to read one provider's frames. ``snapshot``: the book in a REST reply, for one instrument, and how
    many of its levels lie off the grid.

    ``quotes_timed``: quotes say when they happened; where they do not, no latency can be told of them.
    """

    decode: Decode
    label: Callable[[bytes], Told]
    snapshot: Callable[[bytes, str, int, int], tuple[Depth, int] | Malformed | None]
    quotes_timed: bool = True


class Account(Struct, kw_only=True):
    """Where one instrument's frames went: ``read`` is the sum of all the others."""

    read: int = 0
    accepted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    others: Counter[str] = Counter()

    @property
    def adds_up(self) -> bool:
        """Whether every frame is accounted for."""
        return self.read == self.accepted.total() + self.refused.total() + self.others.total()

    def told(self) -> dict[str, Any]:
        """All of it, by name."""
        return {
            "read": self.read,
            "accepted": dict(self.accepted.most_common()),
            "refused": dict(self.refused.most_common()),
            "others": dict(self.others.most_common()),
            "adds_up": self.adds_up,
        }


class BookWatch(Struct, kw_only=True):
    """One instrument's book as rebuilt along the way."""

    book: DepthBook
    snapshots: int = 0
    applied: int = 0
    crossed: int = 0
    off_grid: int = 0  # levels of snapshots that no tick or lot can say

    def take(self, depth: Depth) -> None:
        """Follow one change or snapshot, and look whether the book crossed."""
        taken = self.book.take(depth)
        self.snapshots += depth.snapshot
        self.applied += taken is Taken.APPLIED and not depth.snapshot
        if self.book.state is BookState.WHOLE and self.book.crossed:
            self.crossed += 1

    def told(self) -> dict[str, Any]:
        """All of it, by name."""
        return {
            "state": self.book.state.value,
            "snapshots": self.snapshots,
            "applied": self.applied,
            "stale": self.book.dropped_count,
            "gaps": self.book.gaps_count,
            "repeats": self.book.repeats_count,
            "crossed": self.crossed,
            "off_grid": self.off_grid,
            "levels": len(self.book.bids) + len(self.book.asks),
        }


class Ingest:
    """One run of frames through the core."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: VenueClock,
        make_host: Callable[[State], StrategyHost] | None = None,
        meter: FeedMeter | None = None,
    ) -> None:
        self.state = State()
        self.accounts: dict[str, Account] = {}
        self.books: dict[str, BookWatch] = {}
        self.delivered = 0
        self.intents: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.frames_count = 0
        self.first_wall_ns = 0
        self.last_wall_ns = 0
        self._settings = settings
        self._clock = clock
        self._begun = False
        self._measured_ns = 0
        self._host = make_host(self.state) if make_host is not None else None
        self._meter = meter
        self._refused_before: dict[str, dict[str, int]] = {}
        self._clock_due_mono_ns: int | None = None
        self._clock_key = 0

    def frame(self, dialect: Dialect, raw: bytes, *, wall_ns: int, mono_ns: int) -> None:
        """Take one frame of a stream."""
        self._at(wall_ns, mono_ns)
        event = dialect.decode(raw, wall_ns, mono_ns)
        if event is None:
            self._other(dialect, raw)
        elif isinstance(event, Malformed):
            self._malformed(dialect, raw, event)
        else:
            self._take(dialect, event)

    @property
    def offset_ns(self) -> int:
        """The venue's clock less ours, as last measured."""
        return self._measured_ns

    def reply(self, dialect: Dialect, raw: bytes, about: str, *, wall_ns: int, mono_ns: int) -> None:
        """Take one REST body: a book's snapshot is laid under its changes, anything else is counted."""
        self._at(wall_ns, mono_ns)
        told = dialect.snapshot(raw, about, wall_ns, mono_ns) if about else None
        account = self._account(about)
        account.read += 1
        if told is None:
            account.others[dialect.label(raw).kind] += 1
        elif isinstance(told, Malformed):
            account.refused[told.reason] += 1
        else:
            account.others["snapshot"] += 1
            watch = self._watch(about)
            watch.off_grid += told[1]
            watch.take(told[0])

    def note(self, kind: str) -> None:
        """A line that is no frame: what the recorder wrote of itself."""
        self.frames_count += 1
        account = self._account("")
        account.read += 1
        account.others[kind] += 1

    # --- inside -------------------------------------------------------------------------------------------------

    def _at(self, wall_ns: int, mono_ns: int) -> None:
        self.frames_count += 1
        if not self._begun:
            self._begun = True
            self.first_wall_ns = wall_ns
            self._begin(wall_ns, mono_ns)
        elif self._clock_due_mono_ns is not None and mono_ns >= self._clock_due_mono_ns:
            self._clock_due_mono_ns = None
            self._step(
                TimerFired(wall_ns=wall_ns, mono_ns=mono_ns, kind=TimerKind.CLOCK, key=self._clock_key)
            )
        self.last_wall_ns = max(self.last_wall_ns, wall_ns)

    def _begin(self, wall_ns: int, mono_ns: int) -> None:
        self._step(
            Started(
                wall_ns=wall_ns,
                mono_ns=mono_ns,
                settings=self._settings,
                boot_id="recording",
                epoch_floor=1,
                build="recording",
            )
        )
        if self._host is not None:
            for wanted in self._host.start(wall_ns=wall_ns, mono_ns=mono_ns):
                self._wish(wanted)

    def _take(self, dialect: Dialect, event: Quote | Trade | Mark | Depth) -> None:
        kind = KINDS[type(event)]
        timed = dialect.quotes_timed or type(event) is not Quote
        if timed:
            self._clock.see(venue_ns=event.venue_ns, wall_ns=event.wall_ns)
        account = self._account(event.instrument)
        account.read += 1
        if self._meter is not None:
            self._meter.see(event, offset_ns=self._measured_ns, timed=timed)
        if type(event) is Depth:
            self._watch(event.instrument).take(event)
        accepted = self._step(event)
        if accepted:
            account.accepted[kind] += 1
            return
        account.refused[self._why_refused(event.instrument)] += 1

    def _why_refused(self, instrument: str) -> str:
        market = self.state.live.markets.get(instrument)
        if market is None:
            return "unknown instrument"
        before = self._refused_before.setdefault(instrument, {})
        why = "unnamed"
        for reason, count in market.refused.items():
            if count != before.get(reason, 0):
                before[reason] = count
                if reason not in _NOT_REFUSALS:
                    why = reason
        return why

    def _malformed(self, dialect: Dialect, raw: bytes, event: Malformed) -> None:
        if event.reason == UNLISTED:
            self._other(dialect, raw)
            return
        account = self._account(event.instrument)
        account.read += 1
        account.refused[event.reason] += 1
        self._step(event)
        market = self.state.live.markets.get(event.instrument)
        if market is not None:
            self._refused_before.setdefault(event.instrument, {})[event.reason] = market.refused[event.reason]

    def _other(self, dialect: Dialect, raw: bytes) -> None:
        label = dialect.label(raw)
        account = self._account(label.instrument)
        account.read += 1
        account.others[label.kind] += 1

    def _step(self, event: Event | MarketEvent) -> bool:
        """One step; True when the event itself came out: it was accepted."""
        accepted = False
        for effect in step(self.state, event):
            if effect is event:
                accepted = True
                self._deliver(event)
            elif isinstance(effect, SetTimer):
                if effect.kind is TimerKind.CLOCK:
                    self._clock_due_mono_ns = effect.due_mono_ns
                    self._clock_key = effect.key
            elif isinstance(effect, Call) and isinstance(effect.request, MeasureClock):
                self._measured_ns = self._clock.offset_ns()
                answer = Ok(value=Clock(offset_ns=self._measured_ns, rtt_ns=0))
                self._step(
                    CallDone(
                        wall_ns=event.wall_ns, mono_ns=event.mono_ns, call_id=effect.call_id, outcome=answer
                    )
                )
            elif isinstance(effect, IntentRefused):
                self.refusals[str(type(effect.refusal).__struct_config__.tag)] += 1
        return accepted

    def _deliver(self, event: Event | MarketEvent) -> None:
        if self._host is None:
            return
        self.delivered += 1
        for wanted in self._host.on_market(event):  # type: ignore[arg-type]
            self._wish(wanted)

    def _wish(self, event: Event) -> None:
        if isinstance(event, OrderIntent | TargetIntent):
            self.intents[event.strategy] += 1
        self._step(event)

    def _account(self, instrument: str) -> Account:
        account = self.accounts.get(instrument)
        if account is None:
            account = self.accounts[instrument] = Account(
                accepted=Counter(), refused=Counter(), others=Counter()
            )
        return account

    def _watch(self, instrument: str) -> BookWatch:
        watch = self.books.get(instrument)
        if watch is None:
            watch = self.books[instrument] = BookWatch(book=DepthBook())
        return watch
