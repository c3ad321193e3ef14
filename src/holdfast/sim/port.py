"""The simulated venue as a ``VenuePort`` in process: no socket, no thread, the time is told.

``answer`` is the synchronous core: one request, one outcome, now. ``submit`` puts latency around it, through a
scheduler that the harness gives; ``call`` is ``submit`` for an asyncio loop. With a scheduler, events of the
account reach the sink after the event latency. Without one they wait until the harness calls ``drain``: after
each ``exchange.on_market``, ``exchange.advance`` and ``answer``, so that what they cause never runs inside the
engine. ``faults`` may answer in the venue's place, change an answer, drop, delay and repeat events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.venue import EventSink, MaySend
from holdfast.sim.answers import events_of
from holdfast.sim.desk import Desk
from holdfast.sim.exchange import Exchange
from holdfast.sim.model import Account, GroundTruth, SimEvent
from holdfast.vocab.events import Event, Stream, StreamChanged
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.invariant import invariant
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Outcome, Suppressed
from holdfast.vocab.reports import Clock as ClockReport
from holdfast.vocab.requests import MeasureClock, Request

WAITING_MAX: Final = 100_000  # events that nobody drained: the harness has a fault

Schedule = Callable[[int, Callable[[], None]], None]
"""Run a function after a delay in nanoseconds; equal delays in the order they were asked."""


class Latency(Struct, frozen=True, kw_only=True):
    """How long things travel, in nanoseconds: a request, its answer, an event of the user stream."""

    request_ns: int = 0
    reply_ns: int = 0
    event_ns: int = 0


class Faults(Protocol):
    """What may go wrong between us and the venue. Deterministic: it knows only what it is told."""

    def before_call(self, request: Request, lane: Lane, now_ns: int) -> Outcome | None:
        """None: the request reaches the venue. Otherwise it does not, and this is the answer."""
        ...

    def after_call(self, request: Request, outcome: Outcome, now_ns: int) -> Outcome:
        """The answer as we get it: Unknown hides what happened."""
        ...

    def on_event(self, event: Event, now_ns: int) -> Sequence[int]:
        """Extra delays (ns) after which the event arrives, once each: () drops it, (0, 0) repeats it."""
        ...


class NoFaults:
    """Nothing goes wrong."""

    def before_call(self, request: Request, lane: Lane, now_ns: int) -> Outcome | None:
        """Every request reaches the venue."""
        return None

    def after_call(self, request: Request, outcome: Outcome, now_ns: int) -> Outcome:
        """Every answer arrives."""
        return outcome

    def on_event(self, event: Event, now_ns: int) -> Sequence[int]:
        """Every event arrives once, in time."""
        return (0,)


class SimVenuePort:
    """One account at a simulated venue.

    ``clock`` tells our two clocks; the venue's is our wall clock plus ``venue_offset_ns``. Without ``schedule``
    all latencies must be 0.
    """

    def __init__(
        self,
        exchange: Exchange,
        account: Account,
        *,
        account_tag: int,
        clock: Clock,
        schedule: Schedule | None = None,
        latency: Latency | None = None,
        faults: Faults | None = None,
        venue_offset_ns: int = 0,
        name: str = "sim",
    ) -> None:
        self.exchange = exchange
        self.account = account
        self.name = name
        self.latency = latency or Latency()
        self.faults: Faults = faults or NoFaults()
        self.venue_offset_ns = venue_offset_ns
        self._tag = account_tag
        self._clock = clock
        self._schedule = schedule
        self._sink: EventSink | None = None
        self._up = False
        self._connection = 0  # counts connections: what was on its way to an earlier one is lost
        self._waiting: deque[Event] = deque()
        if schedule is None and (self.latency.request_ns or self.latency.reply_ns or self.latency.event_ns):
            raise ValueError("latency needs a scheduler")
        self._desk = Desk(exchange, account, account_tag=account_tag)
        exchange.subscribe(self._on_event)

    # --- the port ---------------------------------------------------------------------------------------------

    async def load(self) -> tuple[InstrumentSpec, ...]:
        """The venue's instruments."""
        return tuple(self.exchange.specs.values())

    async def open(self, sink: EventSink) -> None:
        """Open the account's stream."""
        self.attach(sink)

    async def close(self) -> None:
        """End the stream. Open orders stay."""
        self._sink = None
        self._up = False

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        """Ask once."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def arrived(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        self.submit(request, lane, may_send, arrived)
        if self._schedule is None:
            self.drain()
        return await future

    # --- the synchronous core ---------------------------------------------------------------------------------

    def attach(self, sink: EventSink) -> None:
        """Open the account's stream, synchronously."""
        self._sink = sink
        self.stream_up()

    def listen(self, sink: EventSink | None) -> None:
        """Tell somebody else from now on, of a stream that stands already; None: whoever listened is gone."""
        self._sink = sink
        if sink is None:
            self._up = False

    def answer(self, request: Request, lane: Lane, may_send: MaySend, now_ns: int) -> Outcome:
        """Ask once, at this time of the venue's clock, without latency."""
        withheld = None if lane is Lane.READ else may_send()
        if withheld is not None:
            return Suppressed(by=withheld)
        return self._perform(request, lane, now_ns)

    def submit(
        self, request: Request, lane: Lane, may_send: MaySend, arrived: Callable[[Outcome], None]
    ) -> None:
        """Ask once, with latency: the last hop is asked now, the venue acts later, the answer comes later yet."""
        withheld = None if lane is Lane.READ else may_send()
        if withheld is not None:
            arrived(Suppressed(by=withheld))
            return

        def reach() -> None:
            outcome = self._perform(request, lane, self.venue_now_ns())
            self._later(self.latency.reply_ns, lambda: arrived(outcome))

        self._later(self.latency.request_ns, reach)

    def venue_now_ns(self) -> int:
        """The venue's clock, now; it never goes back, whatever ours does."""
        return max(self._clock.wall_ns() + self.venue_offset_ns, self.exchange.now_ns)

    def next_act_wall_ns(self) -> int:
        """When the venue next does something by itself that befalls an account without orders, by our wall clock."""
        return self.exchange.funding_due_ns() - self.venue_offset_ns

    def ground_truth(self) -> GroundTruth:
        """What is true of the account."""
        return self.exchange.ground_truth(self.account, self.venue_now_ns())

    def _later(self, delay_ns: int, act: Callable[[], None]) -> None:
        if self._schedule is None:
            act()
        else:
            self._schedule(delay_ns, act)

    def _perform(self, request: Request, lane: Lane, now_ns: int) -> Outcome:
        instead = self.faults.before_call(request, lane, now_ns)
        if instead is not None:
            return instead
        if isinstance(request, MeasureClock):
            rtt_ns = self.latency.request_ns + self.latency.reply_ns
            outcome: Outcome = Ok(value=ClockReport(offset_ns=self.venue_offset_ns, rtt_ns=rtt_ns))
        else:
            outcome = self._desk.do(request, now_ns)
        return self.faults.after_call(request, outcome, now_ns)

    # --- the stream -------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether the account's stream stands."""
        return self._up

    def stream_up(self) -> None:
        """The stream is there (again). What happened meanwhile is not told."""
        self._up = True
        self._connection += 1
        self._stream_changed(up=True, why="connected")

    def stream_down(self, why: str) -> None:
        """The stream is gone, with what was on its way: nothing is told until it is up again."""
        self._up = False
        self._waiting.clear()
        self._stream_changed(up=False, why=why)

    def drain(self) -> int:
        """Without a scheduler: hand over what waits, and what that causes; returns how many events."""
        count = 0
        while self._waiting:
            self._deliver(self._waiting.popleft(), self._connection)
            count += 1
        return count

    def _stream_changed(self, *, up: bool, why: str) -> None:
        if self._sink is not None:
            self._sink(
                StreamChanged(
                    wall_ns=self._clock.wall_ns(),
                    mono_ns=self._clock.mono_ns(),
                    stream=Stream.USER,
                    name=self.name,
                    up=up,
                    why=why,
                )
            )

    def _on_event(self, account: Account, event: SimEvent) -> None:
        if account is not self.account or self._sink is None or not self._up:
            return
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        for told in events_of(event, account_tag=self._tag, wall_ns=wall_ns, mono_ns=mono_ns):
            for extra_ns in self.faults.on_event(told, event.now_ns):
                if self._schedule is None:
                    invariant(
                        len(self._waiting) < WAITING_MAX, "events that wait are drained", name=self.name
                    )
                    self._waiting.append(told)
                else:
                    arrive = partial(self._deliver, told, self._connection)
                    self._schedule(self.latency.event_ns + extra_ns, arrive)

    def _deliver(self, event: Event, connection: int) -> None:
        """An event arrives: stamped with our clocks of now, unless its connection is gone."""
        if self._sink is None or not self._up or connection != self._connection:
            return
        wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        if event.mono_ns != mono_ns or event.wall_ns != wall_ns:
            event = msgspec.structs.replace(event, wall_ns=wall_ns, mono_ns=mono_ns)
        self._sink(event)
