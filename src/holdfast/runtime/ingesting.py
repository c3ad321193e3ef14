"""Frames through a decoder and the core's own ingest, every one of them accounted for.

The core is the one that trades, at its start: HALTED, so that whatever a strategy wants of it is refused and
counted. It looks at the ages and shares of its data and measures the venue's clock when it would, and is answered
from what is known of it; nothing else that it asks is answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from holdfast.core.ingest.depth_book import DepthBook
from holdfast.core.state import DepthWatch, State
from holdfast.core.step import step
from holdfast.core.step.market import why_refused
from holdfast.ports.feed import Decode
from holdfast.runtime.feed_meter import KINDS, FeedMeter
from holdfast.strategy.host import StrategyHost
from holdfast.vocab.effects import Alert, Call, SetTimer
from holdfast.vocab.events import (
    BasketIntent,
    CallDone,
    Event,
    OrderIntent,
    Started,
    TargetIntent,
    TimerFired,
    TimerKind,
)
from holdfast.vocab.facts import IntentRefused
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.outcome import Ok
from holdfast.vocab.reports import Clock
from holdfast.vocab.requests import MeasureClock

UNLISTED: Final = "unlisted event type"
_KEPT_TIMERS: Final = frozenset({TimerKind.CLOCK, TimerKind.SWEEP})
_NEVER_NS: Final = 1 << 62


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


class BookTold(Struct, kw_only=True):
    """One instrument's book as the core rebuilt it, and what snapshots came."""

    watch: DepthWatch
    snapshots: int = 0
    off_grid: int = 0  # levels of snapshots that no tick or lot can say

    @property
    def book(self) -> DepthBook:
        """The core's own."""
        return self.watch.book

    @property
    def applied(self) -> int:
        """Changes that are in it, or were before it was lost."""
        return self.book.applied_count

    @property
    def crossed(self) -> int:
        """How often it crossed, looked at after each change."""
        return self.watch.missed_count.get("depth_crossed", 0)

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
        on_refused: Callable[[bytes, MarketEvent, str], None] | None = None,
    ) -> None:
        self.state = State()
        self.accounts: dict[str, Account] = {}
        self.off_grid: Counter[str] = Counter()
        self.snapshots: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
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
        self.on_refused = on_refused  # told of each frame that was refused, the event that it was, and why
        self._due: dict[TimerKind, SetTimer] = {}
        self._due_mono_ns = _NEVER_NS

    def frame(self, dialect: Dialect, raw: bytes, *, wall_ns: int, mono_ns: int) -> None:
        """Take one frame of a stream."""
        self._at(wall_ns, mono_ns)
        event = dialect.decode(raw, wall_ns, mono_ns)
        if event is None:
            self._other(dialect, raw)
        elif isinstance(event, Malformed):
            self._malformed(dialect, raw, event)
        else:
            self._take(dialect, raw, event)

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
            self.snapshots[about] += 1
            self.off_grid[about] += told[1]
            self._step(told[0], deliver=False)  # as an answer comes: to the core alone

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
        elif mono_ns >= self._due_mono_ns:
            due = [timer for timer in self._due.values() if timer.due_mono_ns <= mono_ns]
            for timer in due:
                del self._due[timer.kind]
            self._next_due()
            for timer in due:
                self._step(TimerFired(wall_ns=wall_ns, mono_ns=mono_ns, kind=timer.kind, key=timer.key))
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

    def _take(self, dialect: Dialect, raw: bytes, event: Quote | Trade | Mark | Depth) -> None:
        kind = KINDS[type(event)]
        timed = dialect.quotes_timed or type(event) is not Quote
        if timed:
            self._clock.see(venue_ns=event.venue_ns, wall_ns=event.wall_ns)
        account = self._account(event.instrument)
        account.read += 1
        if self._meter is not None:
            self._meter.see(event, offset_ns=self._measured_ns, timed=timed)
        accepted = self._step(event)
        if accepted:
            account.accepted[kind] += 1
            return
        self._refuse(account, raw, event)

    def _refuse(self, account: Account, raw: bytes, event: MarketEvent) -> None:
        why = why_refused(self.state, event)
        account.refused[why] += 1
        if self.on_refused is not None:
            self.on_refused(raw, event, why)

    def _malformed(self, dialect: Dialect, raw: bytes, event: Malformed) -> None:
        if event.reason == UNLISTED:
            self._other(dialect, raw)
            return
        account = self._account(event.instrument)
        account.read += 1
        self._step(event)
        self._refuse(account, raw, event)

    def _other(self, dialect: Dialect, raw: bytes) -> None:
        label = dialect.label(raw)
        account = self._account(label.instrument)
        account.read += 1
        account.others[label.kind] += 1

    def _step(self, event: Event | MarketEvent, *, deliver: bool = True) -> bool:
        """One step; True when the event itself came out: it was accepted."""
        accepted = False
        for effect in step(self.state, event):
            if effect is event:
                accepted = True
                if deliver:
                    self._deliver(event)
            elif isinstance(effect, SetTimer):
                if effect.kind in _KEPT_TIMERS:
                    self._due[effect.kind] = effect
                    self._next_due()
            elif isinstance(effect, Alert):
                self.alerts[effect.kind] += 1
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
        elif isinstance(event, BasketIntent):
            self.intents[event.strategy] += len(event.legs)
        self._step(event)

    def _account(self, instrument: str) -> Account:
        account = self.accounts.get(instrument)
        if account is None:
            account = self.accounts[instrument] = Account(
                accepted=Counter(), refused=Counter(), others=Counter()
            )
        return account

    def _next_due(self) -> None:
        self._due_mono_ns = min((timer.due_mono_ns for timer in self._due.values()), default=_NEVER_NS)

    @property
    def books(self) -> dict[str, BookTold]:
        """Every book that the core has, by instrument."""
        if self.state.session is None:
            return {}
        return {
            name: BookTold(watch=watch, snapshots=self.snapshots[name], off_grid=self.off_grid[name])
            for name, watch in self.state.session.depths.items()
        }
