"""The live loop: one asyncio loop that carries frames, replies and timers to the engine and its effects out.

Everything that decides is in the core; this file only carries. The last hop's question (latch, lease) is
answered here and asked by the venue client at the very write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from holdfast.core.state import State
from holdfast.ports.clock import Clock
from holdfast.ports.feed import FeedPort
from holdfast.ports.guard import ExpiredLease, LatchPort, Progress
from holdfast.ports.journal import JournalPort, MarketLogPort
from holdfast.ports.venue import VenuePort
from holdfast.runtime.engine import Engine, Host
from holdfast.runtime.feeding import NO_PLAN, Feeding, FeedPlan
from holdfast.strategy.warmup import History, Wanted
from holdfast.vocab.effects import (
    Alert,
    Call,
    ClearLatch,
    CommandAnswered,
    EndProcess,
    Record,
    TripLatch,
)
from holdfast.vocab.events import (
    CallDone,
    Command,
    Event,
    LatchSeen,
    LeaseLost,
    Probed,
    ReferenceRead,
    Started,
    Stopping,
)
from holdfast.vocab.facts import SeenUpTo
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import MarketEvent
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Withheld
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.units import NS_PER_S

TICK_S: Final = 0.1  # renewing the lease, looking at the latch, closing bars
MAINTENANCE_S: Final = 0.25
ANSWER_S_MAX: Final = 5.0
START: Final = "start"
LOOK_EVERY_S: Final = 86_400.0
LOOK_AGAIN_S: Final = 60.0  # a look weighs a tenth of what Binance grants in a minute

Look = Callable[[], Awaitable[tuple[Check, ...]]]
"""One look at the venue's contract; never raises for what a venue can do."""


class Lease(Protocol):
    """The lease with its renewal; see ``ports.guard``."""

    def fresh(self, now_mono_ns: int) -> bool: ...
    def renew(self, now_mono_ns: int, progress: Progress) -> ExpiredLease | None: ...
    def reclaim(self, *, now_wall_ns: int, now_mono_ns: int) -> None: ...
    def let_go(self) -> None: ...


class LiveHost(Host, Protocol):
    """The strategy host as the live loop drives it."""

    @property
    def wanted(self) -> Mapping[str, Wanted]: ...
    @property
    def waits(self) -> bool:
        """Whether anything of it falls due by itself; where not, ``next_due_mono_ns`` need not be asked."""
        ...

    def start(
        self,
        *,
        wall_ns: int,
        mono_ns: int,
        histories: Mapping[str, History] | None = None,
        saved: Mapping[str, bytes] | None = None,
    ) -> Sequence[Event]: ...
    def on_timer(self, *, wall_ns: int, mono_ns: int) -> Sequence[Event]: ...
    def next_due_mono_ns(self) -> int | None: ...
    def stop(self, *, wall_ns: int, mono_ns: int) -> Sequence[Event]: ...


class ReferenceSource(Protocol):
    """Where reference data comes from: at the start, and whenever there is news."""

    def start(self) -> ReferenceRead: ...
    def again(self) -> ReferenceRead | None: ...


class Identity(Struct, frozen=True, kw_only=True):
    """Which start of which build this is."""

    build: str
    boot_id: str
    epoch_floor: int
    account_number: str = ""  # the venue's own, where it told one


class Ended(Struct, frozen=True, kw_only=True):
    """Why a run ended; ``error`` where it was not by a stop. ``unresolved``: orders that the stop gave up on."""

    why: str
    error: BaseException | None = None
    unresolved: tuple[int, ...] = ()


class Live:
    """One bot on one account, from its start to its end."""

    def __init__(
        self,
        *,
        settings: Settings,
        state: State,
        journal: JournalPort,
        market_log: MarketLogPort,
        host: LiveHost,
        saved: Mapping[str, bytes],
        histories: Mapping[str, History],
        venue: VenuePort,
        feeds: Sequence[FeedPort],
        feed_plan: FeedPlan = NO_PLAN,
        latch: LatchPort,
        lease: Lease,
        clock: Clock,
        identity: Identity,
        who_tripped: Callable[[int], tuple[str, str]],
        on_alert: Callable[[Alert], None],
        on_maintenance: Callable[[], None],
        tap: Callable[[int, Record], None] | None = None,
        seen: tuple[SeenUpTo, ...] = (),
        probe: Look | None = None,
        reference: ReferenceSource | None = None,
        on_refused: Callable[[FeedPort, bytes, MarketEvent], None] | None = None,
    ) -> None:
        self._reference = reference
        self._seen = seen
        self.settings = settings
        self.state = state
        self.journal = journal
        self.market_log = market_log
        self.venue = venue
        self.feeds = feeds
        self.feeding: Feeding | None = None
        self._feed_plan = feed_plan
        self.latch = latch
        self.lease = lease
        self.clock = clock
        self.identity = identity
        self.frames_count: dict[str, int] = {feed.name: 0 for feed in feeds}
        self.suppressed_count: dict[Withheld, int] = dict.fromkeys(Withheld, 0)
        self.last_alert = ""
        self.sync_ns_last = 0
        self.loop_lag_ns = 0  # how late the loop came to its last tick
        self.host = host
        self._saved = saved
        self._histories = histories
        self._who_tripped = who_tripped
        self._on_alert = on_alert
        self._on_maintenance = on_maintenance
        self._tap = tap
        self._probe = probe
        self._on_refused = on_refused
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[Ended] | None = None
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_mono_ns = 0
        self._tick_due_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[int, asyncio.Future[CommandAnswered]] = {}
        self._commands_count = 0
        self._latch_seen = 0
        self._ending = False
        self._records_seen = 0
        self._decided_mono_ns = 0
        self._acked_mono_ns = 0
        self.engine: Engine | None = None
        self._hops = {
            Lane.READ: _pass,
            Lane.RISK: self._may_send_risk,
            Lane.CANCEL: self._may_send_safe,
            Lane.FLATTEN: self._may_send_safe,
        }

    # --- life -------------------------------------------------------------------------------------------------

    async def run(self) -> Ended:
        """Trade until stopped. Returns why it ended; never leaves the latch untripped behind a broken promise."""
        loop = self._loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        host = self.host
        engine = self.engine = Engine(
            state=self.state,
            host=host,
            journal=self.journal,
            market_log=self.market_log,
            world=self,
            need_flush=self._need_flush,
            tap=self._tap,
        )
        engine.on_refused = self._refused
        ticks: list[asyncio.TimerHandle] = []
        try:
            engine.put(
                Started(
                    wall_ns=self.clock.wall_ns(),
                    mono_ns=self.clock.mono_ns(),
                    settings=self.settings,
                    boot_id=self.identity.boot_id,
                    epoch_floor=self.identity.epoch_floor,
                    build=self.identity.build,
                    probes=self._probe is not None,
                    seen=self._seen,
                    account_number=self.identity.account_number,
                )
            )
            if self._reference is not None:
                engine.put(self._reference.start())
            self.look_at_latch()
            for event in host.start(
                wall_ns=self.clock.wall_ns(),
                mono_ns=self.clock.mono_ns(),
                histories=self._histories,
                saved=self._saved,
            ):
                engine.put(event)
            self._tick(ticks)
            self._maintain(ticks)
            if self._probe is not None:
                self._spawn(self._look(self._probe))
            await self.venue.open(self._put)
            feeding = self.feeding = Feeding(
                self._feed_plan,
                self.feeds,
                state=self.state,
                engine=engine,
                market_log=self.market_log,
                clock=self.clock,
                put=self._put,
                fatal=self.fatal,
                frames_count=self.frames_count,
            )
            for number, feed in enumerate(self.feeds):
                await feed.open(feeding.frame_sink(number), feeding.event_sink(number))
            return await self._ended
        except BaseException as error:
            self.fatal(error)
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
                raise
            return Ended(why=str(error), error=error)
        finally:
            self._stop_hearing()
            for handle in ticks:
                handle.cancel()
            if self._timer is not None:
                self._timer.cancel()
            for feed in self.feeds:
                await feed.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.venue.close()

    def finish(self) -> None:
        """After a clean end: the strategies' last saved state and the hash of everything, in the journal."""
        engine, host = self.engine, self.host
        if engine is None:
            return
        for event in host.stop(wall_ns=self.clock.wall_ns(), mono_ns=self.clock.mono_ns()):
            engine.put(event)
        engine.mark_books(clean_stop=True)
        self.journal.sync()

    def stop(self, *, by: str, reason: str) -> None:
        """Ask for a clean stop: cancel what is open, then end."""
        self._put(Stopping(wall_ns=self.clock.wall_ns(), mono_ns=self.clock.mono_ns(), by=by, reason=reason))

    def _end(self, ended: Ended) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(ended)
            if ended.error is None:
                self.lease.let_go()  # closing takes its time: nobody is to take it for a death

    def _stop_hearing(self) -> None:
        self._ending = True
        if self.feeding is not None:
            self.feeding.ended = True

    def fatal(self, error: BaseException) -> None:
        """Our own promise or the disk broke: nothing may leave any more, and the process ends."""
        if not isinstance(error, asyncio.CancelledError):
            self.latch.trip("fatal", f"{type(error).__name__}: {error}"[:200])
        self._stop_hearing()  # what this turn of the loop still holds is not stepped any more
        self._end(Ended(why=f"{type(error).__name__}: {error}", error=error))

    # --- in ---------------------------------------------------------------------------------------------------

    def _put(self, event: Event) -> None:
        if self.engine is None or self._ending:
            return
        try:
            self.engine.put(event)
        except BaseException as error:  # noqa: BLE001 - InvariantBroken must end the process, not one callback
            self.fatal(error)

    def _refused(self, place: int, event: MarketEvent) -> None:
        """One frame of the read that is being stepped was refused: keep it."""
        feeding = self.feeding
        if self._on_refused is not None and feeding is not None and feeding.reading is not None:
            feed, raws = feeding.reading
            self._on_refused(feed, raws[place], event)

    def _need_flush(self) -> None:
        if not self._flush_due and self._loop is not None:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        engine = self.engine
        if engine is None or self._ending:
            return
        try:
            began = self.clock.mono_ns()
            # records say how many frames were seen before them: a death between the two would leave a hole that no
            # replay gets over
            self.market_log.flush()
            engine.flush()
            self.sync_ns_last = self.clock.mono_ns() - began
            self._arm_timer(engine)
        except BaseException as error:  # noqa: BLE001 - as above
            self.fatal(error)

    def _arm_timer(self, engine: Engine) -> None:
        due = engine.timers.next_due_mono_ns()
        if due is None or self._loop is None:
            return
        if self._timer is not None:
            if self._timer_due_mono_ns <= due:
                return
            self._timer.cancel()
        self._timer_due_mono_ns = due
        wait_s = max(0, due - self.clock.mono_ns()) / NS_PER_S
        self._timer = self._loop.call_later(wait_s, self._timer_due)

    def _timer_due(self) -> None:
        self._timer = None
        engine = self.engine
        if engine is None or self._ending:
            return
        try:
            engine.fire_due(mono_ns=self.clock.mono_ns(), wall_ns=self.clock.wall_ns())
            self._arm_timer(engine)
        except BaseException as error:  # noqa: BLE001 - as above
            self.fatal(error)

    def _tick(self, ticks: list[asyncio.TimerHandle]) -> None:
        """Ten times a second: renew the lease, look at the latch, close the bars that are over."""
        if self._ending or self._loop is None:
            return
        now_s = self._loop.time()
        if self._tick_due_s:
            self.loop_lag_ns = max(0, int((now_s - self._tick_due_s) * NS_PER_S))
        due = self._tick_due_s = now_s + TICK_S
        try:
            self._renew()
            self.look_at_latch()
            if self.feeding is not None:
                self.feeding.look()
            host = self.host
            now = self.clock.mono_ns()
            host_due = host.next_due_mono_ns()
            if host_due is not None and host_due <= now:
                for event in host.on_timer(wall_ns=self.clock.wall_ns(), mono_ns=now):
                    self._put(event)
        except BaseException as error:  # noqa: BLE001 - as above
            self.fatal(error)
        ticks[:] = [handle for handle in ticks if not handle.cancelled() and handle.when() > due - TICK_S]
        ticks.append(self._loop.call_at(due, self._tick, ticks))

    def _maintain(self, ticks: list[asyncio.TimerHandle]) -> None:
        if self._ending or self._loop is None:
            return
        try:
            if self.engine is not None:
                self.engine.look_at_disk()
            news = None if self._reference is None else self._reference.again()
            if news is not None:
                self._put(news)
            self._on_maintenance()
        except BaseException as error:  # noqa: BLE001 - as above
            self.fatal(error)
        ticks.append(self._loop.call_later(MAINTENANCE_S, self._maintain, ticks))

    def _progress(self) -> Progress:
        """Looked at ten times a second, so that no event pays for it; a decision is as old as the look, at most."""
        stepped = self.state.live.now_mono_ns
        if self.journal.record_count != self._records_seen:
            self._records_seen = self.journal.record_count
            self._decided_mono_ns = stepped
        return Progress(stepped, self._decided_mono_ns, self._acked_mono_ns, self.loop_lag_ns)

    def _renew(self) -> None:
        if self._ended is not None and self._ended.done():
            return
        now = self.clock.mono_ns()
        expired = self.lease.renew(now, self._progress())
        if expired is None:
            return
        wall = self.clock.wall_ns()
        # whoever fenced us meanwhile is seen before our own trip takes the place of theirs
        self.look_at_latch()
        # first the hold (and with it the tripped latch), only then the lease again
        self._put(
            LeaseLost(wall_ns=wall, mono_ns=now, expired_ms=expired.expired_ms, contested=expired.contested)
        )
        self._flush()
        self.lease.reclaim(now_wall_ns=wall, now_mono_ns=self.clock.mono_ns())

    def look_at_latch(self) -> None:
        """See a trip (ours or another process's) and journal it. Called from the loop, also when woken."""
        if self._ending or not self.latch.tripped():
            return
        nonce = self.latch.observe()
        if nonce == self._latch_seen and nonce:
            return
        if not nonce and self._latch_seen == -1:
            return
        self._latch_seen = nonce or -1
        by, reason = self._who_tripped(nonce) if nonce else ("holdfast", f"the latch {self.latch.broken}")
        self._put_latch(nonce, by, reason)

    def _put_latch(self, nonce: int, by: str, reason: str) -> None:
        self._put(
            LatchSeen(
                wall_ns=self.clock.wall_ns(),
                mono_ns=self.clock.mono_ns(),
                nonce=nonce,
                by=by,
                reason=reason,
            )
        )

    # --- people -------------------------------------------------------------------------------------------------

    async def command(self, make: Callable[[int, int, int, int], Command]) -> CommandAnswered:
        """Step a person's act and wait for the core's answer.

        ``make`` gets (command id, latch nonce observed now, wall_ns, mono_ns). A broken latch is opened anew
        first: only a person's act may do that.
        """
        self._commands_count += 1
        command_id = self._commands_count
        if self.latch.broken:
            self.latch.repair()
            # the hold that stands for the broken one must carry what clears the new one
            self._latch_seen = self.latch.observe()
            self._put_latch(self._latch_seen, "holdfast", "the latch was opened anew")
        nonce = self.latch.observe()
        command = make(command_id, nonce, self.clock.wall_ns(), self.clock.mono_ns())
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[CommandAnswered] = loop.create_future()
        self._answers[command_id] = answer
        try:
            self._put(command)
            async with asyncio.timeout(ANSWER_S_MAX):
                return await answer
        finally:
            self._answers.pop(command_id, None)

    # --- out (World) ----------------------------------------------------------------------------------------------

    def call(self, call: Call) -> None:
        """Ask the venue in a task of its own."""
        if self._loop is None or self._ending:
            return
        self._spawn(self._ask(call))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        if self._loop is not None:
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self, probe: Look) -> None:
        """The venue's contract: now, daily, and again soon while something of it fails."""
        while not self._ending:
            try:
                checks = await probe()
            except Exception as error:  # noqa: BLE001 - a port that raises broke its promise
                self.fatal(error)
                return
            self._put(Probed(wall_ns=self.clock.wall_ns(), mono_ns=self.clock.mono_ns(), checks=checks))
            failed = any(check.verdict is Verdict.FAIL for check in checks)
            await asyncio.sleep(LOOK_AGAIN_S if failed else LOOK_EVERY_S)

    async def _ask(self, call: Call) -> None:
        try:
            outcome = await self.venue.call(call.request, call.lane, self._hops[call.lane])
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a port that raises broke its promise
            self.fatal(error)
            return
        now = self.clock.mono_ns()
        if isinstance(outcome, Ok):
            self._acked_mono_ns = now
        self._put(
            CallDone(
                wall_ns=self.clock.wall_ns(),
                mono_ns=now,
                call_id=call.call_id,
                outcome=outcome,
            )
        )

    def _may_send_risk(self) -> Withheld | None:
        if self.latch.tripped():
            self.suppressed_count[Withheld.LATCH] += 1
            return Withheld.LATCH
        if not self.lease.fresh(self.clock.mono_ns()):
            self.suppressed_count[Withheld.LEASE] += 1
            return Withheld.LEASE
        return None

    def _may_send_safe(self) -> Withheld | None:
        if not self.lease.fresh(self.clock.mono_ns()):
            self.suppressed_count[Withheld.LEASE] += 1
            return Withheld.LEASE
        return None

    def alert(self, alert: Alert) -> None:
        """Tell people."""
        self.last_alert = alert.text
        self._on_alert(alert)

    def answered(self, answer: CommandAnswered) -> None:
        """Hand the core's answer to whoever waits for it."""
        waiting = self._answers.get(answer.command_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def trip_latch(self, trip: TripLatch) -> None:
        """Now: nothing approved before may leave. The hold that mirrors it comes as ``LatchSeen``."""
        nonce = self.latch.trip(trip.by, trip.reason)
        self._latch_seen = nonce or -1
        self._put_latch(nonce, trip.by, trip.reason)

    def clear_latch(self, clear: ClearLatch) -> None:
        """Clear the trip that was observed; one that came since stays, and is seen at the next look."""
        if self.latch.clear(clear.nonce):
            self._latch_seen = 0

    def end(self, end: EndProcess) -> None:
        """Everything that the stop waited for is done, or given up on."""
        self._end(Ended(why=end.why, unresolved=end.unresolved))


def _pass() -> Withheld | None:
    return None
