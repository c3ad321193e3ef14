"""``holdfast run``: the trading process. Wires the concrete classes into the live loop and says how it went."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from holdfast import __version__
from holdfast.app.demo import DemoVenue, demo_config
from holdfast.app.errors import Exit, HoldfastError, exit_of, lines_of
from holdfast.app.last_resort import make_dead_switch
from holdfast.app.options import RunOptions
from holdfast.app.parts import OnDisk, account_tag, build_name, epoch_floor, host_maker, open_state
from holdfast.app.probe import fly, looks, not_flown
from holdfast.app.reference import ReferenceReader
from holdfast.app.renewing import account_number, have_again, renewing
from holdfast.app.summary import REPLAYED_MAX, Counted, Proof, Truth, count, prove, summary
from holdfast.app.truth import read_truth
from holdfast.app.venues import account_identity, feed_plan, make_feeds, make_venue, venue_identity
from holdfast.app.warmup import histories, seen_in_log
from holdfast.config.load import beside, load
from holdfast.config.resolve import environment_of, resolve
from holdfast.config.schema import Config, VenueKind
from holdfast.config.secrets import Secrets, load_secrets
from holdfast.config.values import BadValue
from holdfast.core.fit import elsewhere, misfits
from holdfast.core.state import Books, State
from holdfast.core.step.judged import judged_by
from holdfast.core.step.market import why_refused
from holdfast.guard.dead_switch import DeadSwitch
from holdfast.guard.latch import Latch, boot_id, guard_dir, key_of, latch_path
from holdfast.guard.lease import Lease, LeaseTaken
from holdfast.guard.watch import GuardWatch
from holdfast.journal.chain import iterate
from holdfast.journal.discards import Discard, DiscardFile
from holdfast.journal.export import plain
from holdfast.journal.market_log import open_market_log
from holdfast.journal.snapshots import save_snapshot
from holdfast.ops import registry
from holdfast.ports.feed import FeedPort
from holdfast.ports.journal import JournalFailed
from holdfast.ports.probe import ProbedVenue
from holdfast.ports.venue import VenuePort, VenueSilent
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.garbage import rare_rounds
from holdfast.runtime.limits import numbers_of
from holdfast.runtime.live import START, Ended, Identity, Live
from holdfast.runtime.look import About, Looker
from holdfast.runtime.recover import SNAPSHOT_EVERY_RECORDS, Kept, encode_kept
from holdfast.runtime.socket import ControlSocket
from holdfast.runtime.telemetry import setup_log
from holdfast.runtime.wire import Act, Answer
from holdfast.store.store import ReadStore, StoreFailed
from holdfast.vocab.effects import Alert, Record, Severity
from holdfast.vocab.events import Command, StrategySaved, Verb
from holdfast.vocab.facts import SeenUpTo
from holdfast.vocab.holds import HoldCause, Scope
from holdfast.vocab.ids import client_id_text
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import MarketEvent
from holdfast.vocab.probe import Check
from holdfast.vocab.units import E8, NS_PER_MS, NS_PER_S

_LEVEL: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "error"}


OnVenue = Callable[[VenuePort], None]


class _Guard(NamedTuple):
    """What keeps others from trading the account, and us once it is tripped or lost."""

    directory: str
    latch_path: str
    latch: Latch
    lease: Lease


class _Reached(NamedTuple):
    """The venue, as it answered a start. ``number``: of the account there; empty where it does not tell."""

    port: ProbedVenue
    specs: Sequence[InstrumentSpec]
    number: str


def main(options: RunOptions, *, on_venue: OnVenue | None = None) -> int:
    """Trade until stopped. Without a configuration: the demonstration.

    ``on_venue`` is handed the venue's client before anything is sent: for proofs and benchmarks that stamp writes.
    """
    if options.config:
        config = load(Path(options.config))
        return _trade(config, options, demo=None, on_venue=on_venue)
    venue = DemoVenue(options)
    try:
        path = demo_config(venue, options.state_dir)
        options = msgspec.structs.replace(options, state_dir=None)
        return _trade(load(path), options, demo=venue, on_venue=on_venue)
    finally:
        venue.close()


def _trade(config: Config, options: RunOptions, *, demo: DemoVenue | None, on_venue: OnVenue | None) -> int:
    state_dir = Path(options.state_dir) if options.state_dir else beside(config, config.paths.state_dir)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    secrets = load_secrets(config)
    tui = not options.no_tui and not options.json and sys.stdout.isatty()
    log = setup_log(
        process="run",
        account=config.account.name,
        path=state_dir / "holdfast.log",
        level=config.log.level,
        secrets=secrets.values(),
        human=not options.json and not tui,
    )
    if demo is not None and not options.json:
        print(
            f"demonstration: a simulated Binance USD-M at {demo.url} on a {demo.source} market; "
            f"state in {state_dir.parent}"
        )
    run = _Run(config, options, state_dir, secrets, log, tui=tui, on_venue=on_venue)
    try:
        result = asyncio.run(run.go())
    except VenueSilent as error:
        if demo is not None or config.venue.kind is not VenueKind.SIMULATED:
            raise
        hint = "is the simulated venue running? holdfast sim starts it, holdfast up starts both"
        raise HoldfastError(Exit.VENUE_UNUSABLE, f"{error}; {hint}") from None
    return run.report(result, control_url=config.venue.control_url)


class _Run:
    """One run of one bot, from the disk to the disk."""

    def __init__(
        self,
        config: Config,
        options: RunOptions,
        state_dir: Path,
        secrets: Secrets,
        log: Any,
        *,
        tui: bool,
        on_venue: OnVenue | None,
    ) -> None:
        self.config = config
        self.options = options
        self.state_dir = state_dir
        self.secrets = secrets
        self.log = log
        self.tui = tui
        self.on_venue = on_venue
        self.clock = SystemClock()
        self.config_path = str(Path(config.path).resolve()) if config.path else ""
        self.tag = account_tag(venue=config.account.venue, account=config.account.name)
        self.venue_name, self.account = venue_identity(config), account_identity(config, secrets)
        self.looker = Looker(
            About(
                venue_kind=config.venue.kind.value,
                config_path=self.config_path,
                account_uid=self.account,
                state_dir=str(state_dir.resolve()),
                account_tag=self.tag,
                version=__version__,
            )
        )
        self.live: Live | None = None
        self.disk: OnDisk | None = None
        self.state_hash = ""
        self._store: ReadStore | None = None
        self._saved: dict[str, bytes] = {}
        self._snapshot_at = 0
        self._wrote_all = False  # the journal has nothing in it but what this run wrote
        self._last_second = 0
        self._began = False
        self._discards: DiscardFile | None = None
        self._discards_told = False

    def _seen(self, disk: OnDisk, settings: Settings) -> tuple[SeenUpTo, ...]:
        """What the market log adds to what the journal says was seen; a log that cannot be read adds nothing."""
        try:
            return seen_in_log(
                disk.market_dir,
                start_pos=disk.seen_pos,
                known=disk.kept.books.seen,
                settings=settings,
            )
        except JournalFailed as error:
            self.log.warning("market log not read", why=str(error))
            return ()

    async def go(self) -> Ended:
        """Open everything in the order that safety asks, trade, and let go of it in reverse, however it ends."""
        async with AsyncExitStack() as held:
            guard = self._guard(held)
            disk = await self._read(held, guard.lease)
            venue = await self._reach(held, guard, disk)
            live = await self._build(held, guard, disk, venue)
            switch = await self._watch_over(held, guard, live)
            return await self._trade(guard.lease, live, switch)

    def _guard(self, held: AsyncExitStack) -> _Guard:
        """Latch and lease: from here on nobody else begins."""
        directory = guard_dir()
        key = key_of(venue=self.venue_name, account=self.account)
        latch = Latch(directory, key)
        held.callback(latch.close)
        lease = self._take(directory, key)
        held.callback(self._give_up, lease)
        return _Guard(directory, latch_path(directory, key), latch, lease)

    def _give_up(self, lease: Lease) -> None:
        if not self._began and lease.clean_before:
            lease.let_go()  # a start that came to nothing is no death; it must not hide one either
        lease.release()

    async def _read(self, held: AsyncExitStack, lease: Lease) -> OnDisk:
        """The journal, and the books out of it."""
        # reading the past takes longer than the lease lives: in a thread, while the loop renews it
        reading = asyncio.to_thread(open_state, self.state_dir, account=self.config.account.name)
        disk: OnDisk = await renewing(reading, lease, self.clock)
        self.disk = disk
        held.callback(disk.opened.journal.close)
        for ignored in disk.opened.ignored:
            self.log.warning("snapshot ignored", name=ignored.name, why=ignored.why)
        if disk.opened.tail is not None and disk.opened.tail.cut_bytes:
            self.log.warning("torn tail cut", bytes=disk.opened.tail.cut_bytes)
        self._saved = dict(disk.kept.saved)
        self._snapshot_at = disk.opened.journal.record_count + SNAPSHOT_EVERY_RECORDS
        self._wrote_all = not disk.opened.journal.record_count
        return disk

    async def _reach(self, held: AsyncExitStack, guard: _Guard, disk: OnDisk) -> _Reached:
        """The venue's client, its instruments, and the account's own number there, with a lease of that too."""
        port = make_venue(self.config, self.secrets, clock=self.clock)
        held.push_async_callback(port.close)
        if self.on_venue is not None:
            self.on_venue(port)
        self._belongs(disk, account_number="")  # before anything is asked of the venue
        specs = await renewing(port.load(), guard.lease, self.clock)
        number = await renewing(account_number(port), guard.lease, self.clock)
        self._belongs(disk, account_number=number)
        if number not in {"", self.account}:
            # one account may have several keys, and a configuration that pins its number or not
            second = self._take(guard.directory, key_of(venue=self.venue_name, account=number))
            held.callback(second.release)
        return _Reached(port, specs, number)

    async def _build(self, held: AsyncExitStack, guard: _Guard, disk: OnDisk, venue: _Reached) -> Live:
        """The live loop with everything it carries from and to; not started."""
        config, clock, lease = self.config, self.clock, guard.lease
        settings = resolve(config, venue.specs)
        if problems := misfits(disk.kept.books, settings):
            raise HoldfastError(Exit.USAGE, "; ".join(problems), config.path)
        state = State(disk.kept.books)
        reader = ReferenceReader(config, settings.instruments, clock=clock)
        reader.start()  # a bad file stops the start before anything is asked of the venue's account
        proof = await self._proof(venue.port, venue.specs, lease, books=disk.kept.books, latch=guard.latch)
        host = host_maker(config, settings, state, clock_ns=clock.mono_ns)()
        warming = asyncio.to_thread(
            histories,
            disk.market_dir,
            end_pos=disk.opened.market_pos,
            settings=settings,
            wanted=host.wanted,
        )
        past = await renewing(warming, lease, clock)
        seen = await renewing(asyncio.to_thread(self._seen, disk, settings), lease, clock)
        feeds = make_feeds(config, venue.port, settings.instruments, clock=clock)
        log = open_market_log(
            str(disk.market_dir),
            codecs=tuple(feed.codec for feed in feeds),
            next_pos_min=disk.opened.market_pos,
        )
        held.callback(log.close)
        held.callback(self._close_store)
        await renewing(asyncio.to_thread(self._open_store, disk), lease, clock)
        discards = self._discards = DiscardFile(self.state_dir / "discards", settings.instruments)
        held.callback(discards.flush)
        live = self.live = Live(
            settings=settings,
            state=state,
            journal=disk.opened.journal,
            market_log=log,
            host=host,
            saved=disk.kept.saved,
            histories=past,
            venue=venue.port,
            feeds=feeds,
            feed_plan=feed_plan(config),
            latch=guard.latch,
            lease=lease,
            clock=clock,
            identity=Identity(
                build=build_name(),
                boot_id=boot_id(),
                epoch_floor=epoch_floor(clock.wall_ns()),
                account_number=venue.number,
            ),
            who_tripped=lambda nonce: _who(guard.latch, nonce),
            on_alert=self._on_alert,
            on_maintenance=self._maintain,
            reference=reader,
            seen=seen,
            tap=self._tap,
            probe=looks(config, venue.port, proof),
            on_refused=lambda feed, raw, event: self._discard(state, feed, raw, event),
        )
        self.looker.attach(live)
        return live

    async def _watch_over(self, held: AsyncExitStack, guard: _Guard, live: Live) -> DeadSwitch:
        """Who looks at the loop from beside it: the guard's threads, the control socket, the register, the screen."""
        loop = asyncio.get_running_loop()
        watch = GuardWatch(latch=guard.latch, lease=guard.lease, on_change=lambda: _wake(loop, live))
        held.callback(watch.stop)
        watch.start()
        switch = make_dead_switch(
            self.config,
            self.secrets,
            latch=guard.latch,
            lease=guard.lease,
            clock_ns=self.clock.mono_ns,
            log=self.log,
        )
        held.callback(switch.stop)
        registry.ensure_run_dir()  # a state directory with a long path has its socket there
        control = ControlSocket(
            registry.socket_path(self.state_dir),
            view=self.looker.view,
            act=lambda act: _act(live, act),
            on_fatal=live.fatal,
        )
        held.push_async_callback(control.close)
        await control.open()
        entry = registry.register(
            registry.entry_here(
                account=self.config.account.name,
                venue=self.venue_name,
                account_uid=self.account,
                state_dir=self.state_dir,
                config_path=self.config_path,
                latch_path=guard.latch_path,
                wall_ns=self.clock.wall_ns(),
            )
        )
        held.callback(registry.unregister, entry)
        if self.tui:
            held.callback(_end_screen, _screen(self.state_dir))
        return switch

    async def _trade(self, lease: Lease, live: Live, switch: DeadSwitch) -> Ended:
        """Until told to stop; then the last marks and a snapshot."""
        loop = asyncio.get_running_loop()
        for caught in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(caught, lambda: live.stop(by="signal", reason="asked to stop"))
        if self.options.for_s is not None:
            loop.call_later(
                self.options.for_s, lambda: live.stop(by="clock", reason="the time given is over")
            )
        with rare_rounds():
            have_again(lease, self.clock)
            switch.start()
            self._began = True
            ended = await live.run()
        if ended.error is None:
            live.finish()
            self.state_hash = live.state.state_hash()
            self._snapshot()
        return ended

    def _belongs(self, disk: OnDisk, *, account_number: str) -> None:
        """The state directory is of this venue and this account. Errors: HoldfastError where it is of another."""
        why = elsewhere(
            disk.kept.books, environment=environment_of(self.config), account_number=account_number
        )
        if why:
            raise HoldfastError(Exit.USAGE, why, str(self.state_dir))

    def _take(self, directory: str, key: str) -> Lease:
        """The lease of a key. Errors: HoldfastError when another instance has it."""
        clock = self.clock
        try:
            return Lease(
                directory,
                key,
                by=f"{self.config.account.name} in {self.state_dir.resolve()}",
                now_wall_ns=clock.wall_ns(),
                now_mono_ns=clock.mono_ns(),
                ttl_ns=self.config.timings.lease_ttl.ms * NS_PER_MS,
            )
        except LeaseTaken as error:
            raise HoldfastError(Exit.LEASE_HELD, str(error)) from None

    async def _proof(
        self, venue: ProbedVenue, specs: Sequence[InstrumentSpec], lease: Lease, *, books: Books, latch: Latch
    ) -> tuple[Check, ...]:
        """The canary, where it is permitted: before the loop begins, and only where the startup hold alone stands."""
        why = not_flown(self.config)
        if why is not None:
            return (why,)
        if not self.config.probe.canary:
            return ()  # a simulation: the doctor proves it when asked; a start need not wait for it
        if any(hold.cause is not HoldCause.STARTUP for hold in books.holds.holds.values()):
            return ()  # not now: a person has to look first
        return (await fly(self.config, venue, specs, lease, self.clock, latches=[latch.path]),)

    # --- beside the loop --------------------------------------------------------------------------------------

    def _open_store(self, disk: OnDisk) -> None:
        path = self.state_dir / "read.sqlite"
        try:
            store = self._store = ReadStore.open(str(path))
            store.follow(
                disk.opened.journal.record_count,
                lambda first: iterate(str(disk.journal_dir), first, whole=False),
            )
        except StoreFailed as error:
            self._lose_store(error)

    def _lose_store(self, error: StoreFailed) -> None:
        """Go on without it: everything in it is in the journal, and the next start rebuilds it."""
        self.log.warning("the read store is lost until the next start", why=str(error))
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _commit_store(self) -> None:
        if self._store is not None:
            try:
                self._store.commit()
            except StoreFailed as error:
                self._lose_store(error)

    def _close_store(self) -> None:
        self._commit_store()
        if self._store is not None:
            self._store.close()

    def _tap(self, index: int, record: Record) -> None:
        self.looker.tap(index, record)
        if self._store is not None:
            try:
                self._store.apply(index, record)
            except StoreFailed as error:
                self._lose_store(error)
        if isinstance(record, StrategySaved):
            self._saved[record.strategy] = record.state

    def _maintain(self) -> None:
        if self.disk is not None:
            self.disk.opened.journal.write()  # the store shows what is written: after a crash it goes on from there
        self._commit_store()
        now = self.clock.mono_ns()
        if now - self._last_second >= NS_PER_S:
            self._last_second = now
            self.looker.second_passed()
            if self.live is not None and self.disk is not None:
                # quiet times too: a power loss must not take more than about a second of what was written
                self.disk.opened.journal.sync()
                self.live.market_log.flush()
            self._flush_discards()
        if self.disk is not None and self.disk.opened.journal.record_count >= self._snapshot_at:
            self._snapshot_at = self.disk.opened.journal.record_count + SNAPSHOT_EVERY_RECORDS
            self._snapshot()

    def _discard(self, state: State, feed: FeedPort, raw: bytes, event: MarketEvent) -> None:
        """Keep a frame that the core refused, with what it was judged by."""
        if self._discards is not None:
            self._discards.keep(
                Discard(
                    wall_ns=event.wall_ns,
                    mono_ns=event.mono_ns,
                    feed=feed.name,
                    codec=feed.codec,
                    instrument=event.instrument,
                    reason=why_refused(state, event),
                    raw=raw,
                    against=msgspec.Raw(judged_by(state, event)),
                )
            )

    def _flush_discards(self) -> None:
        if self._discards is None:
            return
        self._discards.flush()
        if self._discards.failed and not self._discards_told:
            self._discards_told = True
            self.log.warning(self._discards.failed)

    def _snapshot(self) -> None:
        if self.disk is None or self.live is None:
            return
        journal = self.disk.opened.journal
        journal.sync()
        kept = Kept(
            books=self.live.state.books,
            mono_ns=self.live.state.live.now_mono_ns,
            saved=self._saved,
        )
        why = save_snapshot(str(self.disk.journal_dir), journal.head(), encode_kept(kept))
        if why:
            self.log.warning("no snapshot saved", why=why)

    def _on_alert(self, alert: Alert) -> None:
        getattr(self.log, _LEVEL[alert.severity])(alert.text, kind=alert.kind)

    # --- afterwards -------------------------------------------------------------------------------------------

    def report(self, ended: Ended, *, control_url: str) -> int:
        """Judge how it went, and say so; the last line of ``--json`` is one object. The code is the same with it."""
        live, disk = self.live, self.disk
        if live is None or disk is None or live.engine is None:
            raise HoldfastError(Exit.FAILED, "the run never began")
        if ended.error is not None:
            code = exit_of(ended.error)
            for line in lines_of(ended.error):
                print(line, file=sys.stderr)
            if self.options.json:
                print(json.dumps({"ok": False, "exit": int(code), "why": ended.why}))
            return int(code)
        truth = self._truth(control_url)
        if not self.options.json:
            _say(live, ended, truth, self.state_dir)  # before the proof, which takes a moment
        told = truth is not None or self.options.json
        counted = count(disk.journal_dir, tag=self.tag) if told else Counted()
        proof = prove(
            state=live.state,
            state_dir=self.state_dir,
            journal_dir=disk.journal_dir,
            tag=self.tag,
            truth=truth,
            fills=counted.all_fills.values(),
            replayed_max=REPLAYED_MAX
            if self._wrote_all
            else 0,  # another build may have decided what came before
            frame_count=live.market_log.frame_count,
        )
        if self.options.json:
            result = summary(
                state=live.state,
                engine=live.engine,
                counted=counted,
                proof=proof,
                truth=truth,
                state_hash=self.state_hash,
            )
            result["ended"] = ended.why
            result["unresolved"] = ended.unresolved
            result["state_dir"] = str(self.state_dir.resolve())
            print(json.dumps(plain(result)))
        code, faults = _judged(proof, ended, live, tag=self.tag)
        for fault in faults:
            print(f"holdfast: {fault} ({_short(self.state_dir)})", file=sys.stderr)
        return int(code)

    def _truth(self, control_url: str) -> Truth | None:
        if not control_url:
            return None
        try:
            return read_truth(control_url)
        except OSError as error:
            self.log.warning("no ground truth", why=str(error))
            return None


def _judged(proof: Proof, ended: Ended, live: Live, *, tag: int) -> tuple[Exit, list[str]]:
    """The code of an end, by its worst fault, and every fault in a line."""
    faults = [(Exit.JOURNAL_CORRUPT, proof.journal_fault)]
    if ended.unresolved:
        rows = live.state.books.orders.live
        names = (
            f"{order} ({rows[order].terms.instrument}, {client_id_text(account_tag=tag, order_id=order)})"
            for order in ended.unresolved
        )
        faults.append(
            (Exit.UNFINISHED, f"the stop gave up on orders whose fate is not known: {', '.join(names)}")
        )
    faults += [(Exit.BOOKS_DIFFER, one) for one in (proof.replay_fault, *(proof.books_differ or ()))]
    found = [(code, what) for code, what in faults if what]
    return (found[0][0] if found else Exit.OK), [what for _, what in found]


def _wake(loop: asyncio.AbstractEventLoop, live: Live) -> None:
    """From the watching thread: have the loop look at the latch."""
    loop.call_soon_threadsafe(live.look_at_latch)


def _who(latch: Latch, nonce: int) -> tuple[str, str]:
    note = latch.note(nonce)
    if note is None:
        return "unknown", "tripped without a word (a shell, or a full disk)"
    # the latch itself was made tripped at start: the startup hold stands for that
    return (START if note.by == "holdfast" else note.by), note.reason


async def _act(live: Live, act: Act) -> Answer:
    """A person's act, authenticated and authorised by its face, into the core."""
    if act.verb == "abort":
        live.latch.trip(act.by, act.reason)
        asyncio.get_running_loop().call_later(0.2, os._exit, int(Exit.INTERRUPTED))
        return Answer(ok=True, text="the latch is tripped and the process ends; restart, then arm")
    try:
        verb = Verb(act.verb)
    except ValueError:
        return Answer(ok=False, text=f"unknown verb {act.verb!r}")

    try:
        numbers = numbers_of(act, live.state.live.configured)
    except BadValue as error:
        return Answer(ok=False, text=f"{act.verb.replace('_', ' ')}: {error}")

    def make(command_id: int, nonce: int, wall_ns: int, mono_ns: int) -> Command:
        return Command(
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            command_id=command_id,
            verb=verb,
            by=act.by,
            reason=act.reason,
            scope=Scope(strategy=act.strategy, instrument=act.instrument),
            hold_id=act.hold_id,
            order_id=act.order_id,
            trade_id=act.trade_id,
            protective=act.protective,
            latch_nonce=nonce,
            second_by=act.second_by,
            limit=act.limit,
            value=numbers.value,
            for_ms=numbers.for_ms,
            once=act.once,
            review=act.review,
            glass_id=act.glass_id,
        )

    answer = await live.command(make)
    return Answer(ok=answer.accepted, text=answer.text)


def _screen(state_dir: Path) -> Any:
    from holdfast.ops.screen import start_beside

    return start_beside(registry.socket_path(state_dir))


def _end_screen(screen: Any) -> None:
    screen.terminate()
    screen.wait()


def _say(live: Live, ended: Ended, truth: Truth | None, state_dir: Path) -> None:
    """The last words to a person: what is open, and what the position is."""
    books = live.state.books
    waiting = [row for row in books.orders.live.values() if not row.settled()]
    print(f"ended: {ended.why}")
    print(f"open orders: {len(waiting)}")
    flat = True
    for name, spec in live.state.specs.items():
        lots = books.ledger.position(name).position_lots
        flat = flat and not lots
        told = (
            "" if truth is None else f" (the venue says {_units(truth.position_lots.get(name, 0), spec.lot)})"
        )
        print(f"position {name}: {_units(lots, spec.lot)}{told}")
    equity = live.state.equity_e8()
    if equity is not None:
        print(f"equity: {equity / E8:.2f} {books.ledger.settle_asset}")
    if not flat:
        print("positions are kept; holdfast flatten, before ending, is what closes them")
    print(f"proof: holdfast journal verify --state-dir {_short(state_dir)} (and: replay)")


def _short(path: Path) -> str:
    """From here, where it is below here: something to copy into the next command."""
    here, there = Path.cwd(), path.resolve()
    return shlex.quote(str(there.relative_to(here) if there.is_relative_to(here) else there))


def _units(lots: int, lot: str) -> str:
    from decimal import Decimal

    from holdfast.vocab.units import text_of

    return text_of(lots, Decimal(lot))
