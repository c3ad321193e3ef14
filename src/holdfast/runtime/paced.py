"""The engine in virtual time: a source of market events, a venue in process, no socket, no thread, no clock.

The same engine as live. Before each market event everything that falls due until then happens at its own
time: timers, and what travels to and from the venue.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from holdfast.core.state import State
from holdfast.core.step.machine import MARKET_STAGES
from holdfast.ports.journal import JournalPort, MarketLogPort
from holdfast.ports.venue import EventSink, MaySend
from holdfast.runtime.clock import ToldClock
from holdfast.runtime.closed import ClosedHours
from holdfast.runtime.engine import Engine
from holdfast.runtime.live import Identity, LiveHost
from holdfast.vocab.effects import Alert, Call, ClearLatch, CommandAnswered, EndProcess, Record, TripLatch
from holdfast.vocab.events import CallDone, LatchSeen, ReferenceRead, Started, Stopping
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import MarketEvent
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Outcome, Withheld
from holdfast.vocab.requests import Request

ENDING_NS: Final = 20_000_000_000
NEVER: Final = 1 << 62
CLOSED_NS_MIN: Final = 600_000_000_000  # a silence of the market that is looked at for hours to pass over
_RISK: Final = Lane.RISK  # a member looked up on its Enum costs 100 ns under Python 3.11


class VirtualVenue(Protocol):
    """A venue in process: takes the market too, and answers through its own scheduler."""

    def attach(self, sink: EventSink) -> None: ...
    def submit(
        self, request: Request, lane: Lane, may_send: MaySend, done: Callable[[Outcome], None]
    ) -> None: ...
    def next_act_wall_ns(self) -> int: ...


class Schedule:
    """What falls due in virtual time, in the order of due times and of asking among equals.

    ``due_mono_ns``: when the next is due; NEVER when nothing is.
    """

    __slots__ = ("_clock", "_count", "_heap", "due_mono_ns")

    def __init__(self, clock: ToldClock) -> None:
        self.due_mono_ns = NEVER
        self._clock = clock
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def __call__(self, delay_ns: int, act: Callable[[], None]) -> None:
        """Run ``act`` after a delay."""
        self._count += 1
        heapq.heappush(self._heap, (self._clock.mono_ns() + delay_ns, self._count, act))
        self.due_mono_ns = self._heap[0][0]

    def pop(self) -> Callable[[], None]:
        """The next act."""
        act = heapq.heappop(self._heap)[2]
        self.due_mono_ns = self._heap[0][0] if self._heap else NEVER
        return act

    def shift(self, by_ns: int) -> None:
        """The monotonic clock begins anew: everything falls due as much earlier or later as it went."""
        self._heap = [(due + by_ns, count, act) for due, count, act in self._heap]
        self.due_mono_ns = self._heap[0][0] if self._heap else NEVER


class Paced:
    """One bot in virtual time. Fulfils ``engine.World``; its latch is a number in memory."""

    def __init__(
        self,
        *,
        settings: Settings,
        state: State,
        journal: JournalPort,
        market_log: MarketLogPort,
        make_host: Callable[[], LiveHost],
        saved: Mapping[str, bytes],
        venue: VirtualVenue,
        clock: ToldClock,
        schedule: Schedule,
        identity: Identity,
        on_alert: Callable[[Alert], None],
        tap: Callable[[int, Record], None] | None = None,
        reference: ReferenceRead | None = None,
    ) -> None:
        self.state = state
        self.clock = clock
        self.ended: EndProcess | None = None
        self._journal = journal
        self._market_log = market_log
        self._venue = venue
        self._schedule = schedule
        self._on_alert = on_alert
        self._trip = 0
        self._cleared = 0
        self._flush_due = False
        self._unlogged: list[
            MarketEvent
        ] = []  # stepped since the last flush, which puts them into the log first
        self._timer_due = NEVER  # of the core's timers, which only a batch changes: renewed at each flush
        self.host = make_host()
        self.engine = Engine(
            state=state,
            host=self.host,
            journal=journal,
            market_log=market_log,
            world=self,
            need_flush=self._need_flush,
            tap=tap,
        )
        self._settings = settings
        self._reference = reference
        self._identity = identity
        self._saved = saved

    def start(self) -> None:
        """The start event, the account's stream, and the strategies' first word."""
        clock = self.clock
        self.engine.put(
            Started(
                wall_ns=clock.wall_ns(),
                mono_ns=clock.mono_ns(),
                settings=self._settings,
                boot_id=self._identity.boot_id,
                epoch_floor=self._identity.epoch_floor,
                build=self._identity.build,
            )
        )
        if self._reference is not None:
            self.engine.put(self._reference)
        self._flush()
        self._venue.attach(self.engine.put)
        for event in self.host.start(wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns(), saved=self._saved):
            self.engine.put(event)
        self._flush()

    def run(self, events: Iterable[MarketEvent], venue_takes: Callable[[MarketEvent, int], None]) -> int:
        """Feed market events to the venue and then to the bot, each at its own time; returns how many.

        An event's ``wall_ns`` is also the venue's time, so both clocks agree.
        """
        clock = self.clock
        engine = self.engine
        state = self.state
        stages = MARKET_STAGES
        deliver = self.host.on_market
        keep = self._unlogged.append
        began = engine.market_pos
        schedule = self._schedule
        host = self.host
        try:
            for event in events:
                mono = event.mono_ns
                if (
                    self._timer_due <= mono
                    or schedule.due_mono_ns <= mono
                    or (host.waits and self._next_due() <= mono)
                ):
                    self._until(mono, event.wall_ns)
                    if self.ended is not None:
                        break
                clock.told_wall_ns = wall = event.wall_ns
                clock.told_mono_ns = mono
                venue_takes(event, wall)
                keep(event)
                engine.market_pos += 1
                taken = stages[type(event)](state, event)  # as in ``Engine.frames``, which knows of no clock
                if taken is True:
                    wants = deliver(event)
                    if wants:
                        engine.wanted(wants)
                else:
                    engine.undelivered(taken)
                if self._flush_due:
                    self._flush()
        finally:
            self._log()
        return engine.market_pos - began

    def stop(self, *, by: str, reason: str) -> None:
        """A clean stop: cancel what is open, let it become final, mark the state."""
        clock = self.clock
        self.engine.put(Stopping(wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns(), by=by, reason=reason))
        self._flush()
        end_mono = clock.mono_ns() + ENDING_NS
        end_wall = clock.wall_ns() + ENDING_NS
        self._until(end_mono, end_wall)
        for event in self.host.stop(wall_ns=clock.wall_ns(), mono_ns=clock.mono_ns()):
            self.engine.put(event)
        self.engine.mark_books(clean_stop=True)
        self._journal.sync()

    # --- time -----------------------------------------------------------------------------------------------------

    def _next_due(self) -> int:
        """When something happens next, by timers, the venue's schedule and the strategies' own clock."""
        due = self._timer_due
        act = self._schedule.due_mono_ns
        if act < due:
            due = act
        host = self.host.next_due_mono_ns()
        return due if host is None or host > due else host

    def _until(self, mono_ns: int, wall_ns: int) -> None:
        """Let everything happen that is due by then, each at its own time; then it is then."""
        clock = self.clock
        closed = None
        if mono_ns - clock.mono_ns() > CLOSED_NS_MIN:
            closed = ClosedHours(self.state, self.engine.timers, end_mono_ns=mono_ns)
        while self.ended is None:
            due = self._next_due()
            if due > mono_ns:
                break
            due = max(due, clock.mono_ns())
            wall_then = wall_ns - (mono_ns - due)
            clock.tell(wall_ns=wall_then, mono_ns=due)
            if self._schedule.due_mono_ns <= due:
                self._schedule.pop()()
            host_due = self.host.next_due_mono_ns()
            if host_due is not None and host_due <= due:
                for event in self.host.on_timer(wall_ns=wall_then, mono_ns=due):
                    self.engine.put(event)
            self.engine.fire_due(mono_ns=due, wall_ns=wall_then)
            self._flush()
            if closed is not None and closed.lasts:
                self._pass_over(closed)

    def _pass_over(self, closed: ClosedHours) -> None:
        """Be behind the hours that are as the last period was, if there are any."""
        if self._schedule.due_mono_ns != NEVER:
            return  # something travels
        clock = self.clock
        venue_acts_mono_ns = clock.mono_ns() + self._venue.next_act_wall_ns() - clock.wall_ns()
        host_due = self.host.next_due_mono_ns()
        passed = closed.look(
            next_act_mono_ns=min(venue_acts_mono_ns, NEVER if host_due is None else host_due)
        )
        if passed is None:
            return
        clock.tell(wall_ns=passed.wall_ns, mono_ns=passed.mono_ns)
        self.engine.timers.shift(passed.by_ns)
        self.engine.put(passed)
        self._flush()

    def _need_flush(self) -> None:
        self._flush_due = True

    def _log(self) -> None:
        """Put what was stepped into the market log: before the journal says anything that counts on it."""
        events = self._unlogged
        self._market_log.each(events)
        events.clear()

    def _flush(self) -> None:
        if self._unlogged:
            self._log()
        while self._flush_due:
            self._flush_due = False
            self.engine.flush()
        timer = self.engine.timers.next_due_mono_ns()
        self._timer_due = NEVER if timer is None else timer

    # --- out (World) ------------------------------------------------------------------------------------------------

    def call(self, call: Call) -> None:
        """Ask the venue in process; the answer comes at its own virtual time."""

        def done(outcome: Outcome) -> None:
            clock = self.clock
            self.engine.put(
                CallDone(
                    wall_ns=clock.wall_ns(),
                    mono_ns=clock.mono_ns(),
                    call_id=call.call_id,
                    outcome=outcome,
                )
            )

        self._venue.submit(call.request, call.lane, self._may_send if call.lane is _RISK else _pass, done)

    def _may_send(self) -> Withheld | None:
        return Withheld.LATCH if self._trip != self._cleared else None

    def alert(self, alert: Alert) -> None:
        """Tell whoever runs this."""
        self._on_alert(alert)

    def answered(self, answer: CommandAnswered) -> None:
        """Nobody waits in virtual time: the journal has the command and its facts."""

    def trip_latch(self, trip: TripLatch) -> None:
        """As live: nothing approved before leaves."""
        self._trip += 1
        clock = self.clock
        self.engine.put(
            LatchSeen(
                wall_ns=clock.wall_ns(),
                mono_ns=clock.mono_ns(),
                nonce=self._trip,
                by=trip.by,
                reason=trip.reason,
            )
        )

    def clear_latch(self, clear: ClearLatch) -> None:
        """As live: only the observed trip is cleared."""
        if clear.nonce == self._trip:
            self._cleared = clear.nonce

    def end(self, end: EndProcess) -> None:
        """The stop has what it waited for."""
        self.ended = end


def _pass() -> Withheld | None:
    return None
