"""A whole bot in virtual time, on a disk, a guard directory, a read store and a venue that can be copied at any point.

The product's own live loop, engine, core, strategy host, journal, market log, snapshots, latch, lease and store. What
a crash leaves is what the outside has: so at every act that changes the outside a copy of it is taken, before, half
done and done, and the run goes on undisturbed. Each copy is then what another life begins from.
"""

import asyncio
import errno
import os
import selectors
import shutil
import tempfile
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from msgspec import structs

from holdfast.app.parts import EVENTS_CODEC, _decode_event, encode_event
from holdfast.app.run import _who
from holdfast.core.replay import fold
from holdfast.core.state import State, decode_books, encode_books
from holdfast.guard.latch import Latch
from holdfast.guard.lease import Lease
from holdfast.journal import iterate, open_for_append, save_snapshot
from holdfast.journal.market_log import open_market_log
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.live import Identity, Live
from holdfast.runtime.recover import Kept, decode_kept, encode_kept, recover
from holdfast.store.store import ReadStore, StoreFailed
from holdfast.strategy import Hosted, Strategy, StrategyHost
from holdfast.vocab.events import Command, Stream, StreamChanged, Verb
from holdfast.vocab.facts import FlattenEnded, HashMark
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Suppressed
from holdfast.vocab.requests import PlaceOrder
from tests.house.events import a_quote
from tests.house.setup import BTC, BTC_TICKS, ETH, ETH_TICKS, MONO_NS, WALL_NS, settings, timings
from tests.house.venue import NaiveVenue
from tests.journal.memory_files import MemoryFiles

NS_PER_MS = 1_000_000
KEY = "naive--paper-1"
ACCOUNT = "paper-1"
JOURNAL = {"account": ACCOUNT, "segment_bytes": 24 << 10, "reserve_bytes": 2 << 10}
QUOTE_S = 0.2
WIRE_S = 0.005
LATE_S = 0.3  # when a request that was on its way at the crash arrives: well within the receive window
DOWN_NS = 500 * NS_PER_MS
NOTHING = {"read.sqlite": b"", "read.sqlite-wal": b""}


class Clock:
    """Virtual time."""

    def __init__(self, *, wall_ns=WALL_NS, mono_ns=MONO_NS):
        self.wall, self.mono = wall_ns, mono_ns

    def wall_ns(self):
        return self.wall

    def mono_ns(self):
        return self.mono

    def pass_ns(self, ns):
        self.wall += ns
        self.mono += ns


class _Jump(selectors.DefaultSelector):
    """Waiting is passing the time."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is left to happen")
        if not ready and timeout > 0:
            self.clock.pass_ns(int(timeout * 1e9) + 1)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio without waiting."""

    def __init__(self, clock):
        self.clock = clock
        super().__init__(_Jump(clock))

    def time(self):
        return self.clock.mono_ns() / 1e9


class Disk(MemoryFiles):
    """A disk that says what it does. ``on_act(name, half)``: ``half`` makes a copy's disk have half of a write."""

    def __init__(self):
        super().__init__()
        self.on_act = None
        self.sticky_from = None  # from this call on, every one fails
        self.error = errno.EIO

    def _fails(self, name):
        code = super()._fails(name)
        sticky = self.sticky_from is not None and self.call_count >= self.sticky_from
        return self.error if sticky else code

    def _acted(self, name, half=None):
        if self.on_act is not None:
            self.on_act(f"disk {name}", half)

    def path_of(self, handle):
        return next(path for path, inode in self._inodes.items() if inode is self._of(handle))

    def open(self, path, *, create=False):
        handle = super().open(path, create=create)
        if create:
            self._acted("create")
        return handle

    def allocate(self, handle, size):
        super().allocate(handle, size)
        self._acted("allocate")

    def write(self, handle, data, offset):
        data = bytes(data)
        if self.on_act is not None:
            path = self.path_of(handle)
            self._acted("write", lambda left: left.files.put(path, data[: len(data) // 2], offset))
        went = super().write(handle, data, offset)
        self._acted("write")
        return went

    def put(self, path, data, offset):
        self._put(self._inode(path), data, offset)

    def sync(self, handle):
        super().sync(handle)
        self._acted("sync")

    def rename(self, source, target):
        super().rename(source, target)
        self._acted("rename")

    def remove(self, path):
        super().remove(path)
        self._acted("remove")

    def sync_dir(self, path):
        super().sync_dir(path)
        self._acted("sync_dir")


@contextmanager
def guarded_acts(directory, on_act, fails=lambda: False):
    """What is done to the files of a directory by os calls: the latch and the lease speak os.

    ``fails`` is asked before each of them.
    """
    real = {name: getattr(os, name) for name in ("pwrite", "write", "link", "unlink", "ftruncate")}

    def inside(where):
        if isinstance(where, int):
            try:
                where = Path(f"/proc/self/fd/{where}").readlink()
            except OSError:
                return ""
        return Path(where).name if str(where).startswith(str(directory) + "/") else ""

    def pwrite(descriptor, data, offset):
        name = inside(descriptor)
        if name and fails():
            raise OSError(errno.EIO, "pwrite")
        if name:
            on_act(f"guard write {_kind(name)}", _half_of(name, data, offset))
        went = real["pwrite"](descriptor, data, offset)
        if name:
            on_act(f"guard write {_kind(name)}", None)
        return went

    def write(descriptor, data):
        name = inside(descriptor)
        if name and fails():
            raise OSError(errno.ENOSPC, "write")
        went = real["write"](descriptor, data)
        if name:
            on_act(f"guard append {_kind(name)}", None)
        return went

    def link(source, target):
        real["link"](source, target)
        if inside(target):
            on_act("guard link", None)

    def unlink(path):
        real["unlink"](path)
        if inside(path):
            on_act("guard unlink", None)

    def ftruncate(descriptor, size):
        real["ftruncate"](descriptor, size)
        if inside(descriptor):
            on_act("guard truncate", None)

    made = {"pwrite": pwrite, "write": write, "link": link, "unlink": unlink, "ftruncate": ftruncate}
    try:
        for name, act in made.items():
            setattr(os, name, act)
        yield
    finally:
        for name, act in real.items():
            setattr(os, name, act)


def _kind(name):
    return name.removeprefix(KEY).lstrip(".").split(".")[0]


def _half_of(name, data, offset):
    half = bytes(data)[: len(data) // 2]

    def tear(left):
        old = left.guard[name]
        left.guard[name] = old[:offset] + half + old[offset + len(half) :]

    return tear


@dataclass
class Left:
    """What is left of a bot that died here: bytes, the venue, and what was on its way to it."""

    what: str
    torn: bool
    files: Disk
    guard: dict
    store: dict
    venue: NaiveVenue
    on_the_way: list
    wall_ns: int
    mono_ns: int
    synced_count: int  # records that a power loss must not take
    written_count: int  # records that the death of the process must not take
    sent_ids: frozenset  # every order that left for the venue in any life
    halted: bool  # a halt is stored and not cleared
    oracle: dict  # record count -> hash of the books, as this life saw them
    power: bool = False  # the machine went down, not the process alone


class Machine:
    """Where a life runs."""

    def __init__(self, left=None, *, venue=NaiveVenue):
        self.guard = Path(tempfile.mkdtemp(prefix="hf-crash-", dir="/dev/shm"))
        waits = timings(reconcile_positions_ms=3_000, deadman_ms=20_000)
        self.config = settings(arm_auto=False, timings=waits)
        self.numbers = count(1)
        self.on_the_way = {}
        self.sent_ids = set()
        self.halting = False  # somebody halted, and nobody has resumed since
        self.frozen_venue = None
        if left is None:
            self.files = Disk()
            self.venue = venue(self.config.instruments)
            self.clock = Clock()
            return
        self.files = left.files.copied()
        self.venue = deepcopy(left.venue)
        self.venue.stream.clear()
        self.clock = Clock(wall_ns=left.wall_ns + DOWN_NS, mono_ns=left.mono_ns + DOWN_NS)
        self.sent_ids |= left.sent_ids
        self.halting = (
            left.halted and not left.power
        )  # memory holds the latch: after a boot it is new, and tripped
        for request in left.on_the_way:
            self.on_the_way[next(self.numbers)] = request
        if not left.power:
            for name, data in left.guard.items():
                (self.guard / name).write_bytes(data)
                (self.guard / name).chmod(0o600)
        for name, data in left.store.items():
            if data:
                (self.store_dir / name).write_bytes(data)

    @property
    def store_dir(self):
        path = self.guard.with_suffix(".store")
        path.mkdir(exist_ok=True)
        return path

    def close(self):
        shutil.rmtree(self.guard, ignore_errors=True)
        shutil.rmtree(self.guard.with_suffix(".store"), ignore_errors=True)

    def arrive(self, number):
        """A request reaches the venue."""
        request = self.on_the_way.pop(number)
        self.frozen_venue = None
        self.venue.now_wall_ns, self.venue.now_mono_ns = self.clock.wall_ns(), self.clock.mono_ns()
        return self.venue.answer(request)


@dataclass
class How:
    """How a call fails: ``instead`` of reaching the venue, ``late_s`` after we gave up on it, or its answer alone."""

    outcome: object
    instead: bool = False
    late_s: float = 0.0


class Port:
    """The naive venue behind a wire of some milliseconds. Fulfils ``ports.venue.VenuePort``."""

    def __init__(self, machine, on_act, *, fault=None):
        self.machine, self.on_act, self.fault = machine, on_act, fault
        self.sink = None
        self.risk_sent_ns = []  # when orders for risk left
        self.calls_count = 0

    async def open(self, sink):
        self.sink = sink
        clock = self.machine.clock
        sink(
            StreamChanged(
                wall_ns=clock.wall_ns(),
                mono_ns=clock.mono_ns(),
                stream=Stream.USER,
                name="user",
                up=True,
                why="",
            )
        )
        for number in tuple(self.machine.on_the_way):  # of the life before: they are still coming
            asyncio.get_running_loop().call_later(LATE_S, self._late, number)

    def _late(self, number):
        if number not in self.machine.on_the_way:
            return
        self.machine.arrive(number)
        self._hear()

    def _hear(self):
        machine = self.machine
        while machine.venue.stream and self.sink is not None:
            event = machine.venue.stream.popleft()
            self.sink(
                structs.replace(event, wall_ns=machine.clock.wall_ns(), mono_ns=machine.clock.mono_ns())
            )

    async def call(self, request, lane, may_send):
        machine = self.machine
        await asyncio.sleep(0.001)
        withheld = may_send()
        if withheld is not None:
            return Suppressed(by=withheld)
        if lane is Lane.RISK:
            self.risk_sent_ns.append(machine.clock.mono_ns())
        self.calls_count += 1
        how = self.fault(self.calls_count) if self.fault is not None else None
        number = next(machine.numbers)
        machine.on_the_way[number] = request
        if type(request) is PlaceOrder:
            assert request.order_id not in machine.sent_ids, "a client order id is sent once, in all lives"
            machine.sent_ids.add(request.order_id)
        self.on_act(f"send {type(request).__name__}", lambda left: left.on_the_way.pop())
        self.on_act(f"send {type(request).__name__}", None)
        if how is not None and how.instead:
            machine.on_the_way.pop(number)
            return how.outcome
        if how is not None and how.late_s:
            asyncio.get_running_loop().call_later(how.late_s, self._late, number)
            return how.outcome
        await asyncio.sleep(WIRE_S)
        outcome = machine.arrive(number)
        self.on_act(f"arrive {type(request).__name__}", None)
        await asyncio.sleep(WIRE_S)
        self._hear()
        return outcome if how is None else how.outcome

    async def close(self):
        self.sink = None


class Feed:
    """Quotes five times a second. Fulfils ``ports.feed.FeedPort``."""

    name, codec = "quotes", EVENTS_CODEC

    @staticmethod
    def quote_key(raw):
        return None

    def __init__(self, machine):
        self.machine = machine
        self.task = None
        self.mids = {BTC: BTC_TICKS, ETH: ETH_TICKS}

    @staticmethod
    def decode_read(raws, wall_ns, mono_ns):
        return [_decode_event(raw, wall_ns, mono_ns) for raw in raws]

    async def open(self, on_frame, sink):
        self.task = asyncio.get_running_loop().create_task(self._go_on(on_frame))

    async def _go_on(self, on_frame):
        clock, venue = self.machine.clock, self.machine.venue
        while True:
            wall, mono = clock.wall_ns(), clock.mono_ns()
            quotes = [
                a_quote(name, mid=mid, seq=mono // NS_PER_MS, mono_ns=mono, wall_ns=wall)
                for name, mid in self.mids.items()
            ]
            for quote in quotes:
                venue.touch[quote.instrument] = (quote.bid_ticks, quote.ask_ticks)
            on_frame([encode_event(quote) for quote in quotes], wall, mono)
            await asyncio.sleep(QUOTE_S)

    async def close(self):
        if self.task is not None:
            self.task.cancel()


class Quiet(Strategy):
    """Wants nothing."""


@dataclass
class Life:
    """One life of the bot on a machine, from the bytes to its end. ``on_left``: is given every copy."""

    machine: Machine
    strategy: Strategy = field(default_factory=Quiet)
    on_left: object = None
    script: tuple = ()  # (seconds after the start, what to do with this life)
    snapshots: bool = True
    fault: object = None  # number of a call -> How it fails, or None
    guard_fails: object = lambda: False
    false_claims: list = field(default_factory=list)  # flat was said, and was not so
    records: list = field(default_factory=list)
    live: Live = None
    port: Port = None
    ended: object = None
    oracle: dict = field(default_factory=dict)
    halted_at_start: bool = False
    recovered_count: int = 0
    recovered_hash: str = ""

    # --- copies ---------------------------------------------------------------------------------------------------

    def act(self, what, half=None):
        """Something outside changes, or (``half``) is about to: keep what a crash here would leave."""
        if self.on_left is None:
            return
        machine = self.machine
        journal = self.journal
        if journal is not None and not what.startswith(
            "disk"
        ):  # within a write its count is not to be trusted
            self.written_count = journal._framed_count
        if machine.frozen_venue is None:
            machine.frozen_venue = deepcopy(machine.venue)
        if self.frozen_store is None:
            self.frozen_store = self._store_bytes()
        guard = {path.name: path.read_bytes() for path in machine.guard.iterdir()}
        latch = guard.get(f"{KEY}.latch", b"")
        left = Left(
            what=what,
            torn=half is not None,
            files=machine.files.copied(),
            guard=guard,
            store=dict(self.frozen_store),
            venue=machine.frozen_venue,
            on_the_way=list(machine.on_the_way.values()),
            wall_ns=machine.clock.wall_ns(),
            mono_ns=machine.clock.mono_ns(),
            synced_count=journal._synced[0] + 1 if journal is not None else self.synced_count,
            written_count=self.written_count,
            sent_ids=frozenset(machine.sent_ids),
            halted=machine.halting and latch[:16] != latch[16:32],
            oracle=self.oracle,
        )
        if half is not None:
            half(left)
        self.on_left(left)

    journal = None
    state = None
    store = None
    frozen_store = None
    written_count = synced_count = 0  # before the journal is open: what was promised by the life before

    def _store_bytes(self):
        folder = self.machine.store_dir
        return {name: (folder / name).read_bytes() if (folder / name).exists() else b"" for name in NOTHING}

    # --- from the bytes to the loop -------------------------------------------------------------------------------

    def run(self, *, until, seconds=30.0):
        """Live until ``until`` holds, or so many seconds have passed; returns whether it held."""
        machine = self.machine
        machine.files.on_act = self.act if self.on_left is not None else None
        loop = VirtualLoop(machine.clock)
        try:
            with guarded_acts(machine.guard, self.act, self.guard_fails):
                return loop.run_until_complete(self._live(until, seconds))
        finally:
            machine.files.on_act = None
            loop.close()

    async def _live(self, until, seconds):
        machine = self.machine
        files, clock = machine.files, machine.clock
        loop = asyncio.get_running_loop()
        latch = Latch(str(machine.guard), KEY)
        lease = Lease(
            str(machine.guard), KEY, by="test", now_wall_ns=clock.wall_ns(), now_mono_ns=clock.mono_ns()
        )
        log = None
        try:
            opened = open_for_append("j", files=files, **JOURNAL)
            kept, first = None, 0
            if opened.snapshot is not None:
                kept, first = decode_kept(opened.snapshot.payload), opened.snapshot.at.index + 1
            kept = recover((record for _, _, record in iterate("j", first, files=files, whole=False)), kept)
            self.recovered_count = opened.journal.record_count
            state = self.state = State(kept.books)
            self.recovered_hash = state.books_hash()
            shadow, shadow_ns = decode_books(encode_books(kept.books)), kept.mono_ns
            self.oracle[self.recovered_count] = self.recovered_hash
            journal = self.journal = opened.journal
            log = open_market_log(
                "m", codecs=(EVENTS_CODEC,), next_pos_min=opened.market_pos, files=files, block_bytes=4096
            )
            self._open_store()
            saved = dict(kept.saved)

            def tap(index, record):
                nonlocal shadow, shadow_ns
                self.records.append(record)
                if type(record) is FlattenEnded and record.flat:
                    self._hold_to(record)
                if type(record) is not HashMark:
                    shadow_ns = fold([record], shadow, mono_ns=shadow_ns).mono_ns
                    self.oracle[index + 1] = State(shadow).books_hash() if self.on_left else ""
                else:
                    self.oracle[index + 1] = self.oracle.get(index, "")
                if self.store is not None:
                    self.store.apply(index, record)

            self.port = Port(machine, self.act, fault=self.fault)
            live = self.live = Live(
                settings=machine.config,
                state=state,
                journal=journal,
                market_log=log,
                host=StrategyHost(
                    [Hosted(name="alpha", strategy=self.strategy, instruments=(BTC, ETH))],
                    specs=machine.config.instruments,
                    books=CoreBooks(state),
                    clock_ns=clock.mono_ns,
                ),
                saved=saved,
                histories={},
                venue=self.port,
                feeds=[Feed(machine)],
                latch=latch,
                lease=lease,
                clock=clock,
                identity=Identity(build="test", boot_id="boot", epoch_floor=1),
                who_tripped=lambda nonce: _who(latch, nonce),
                on_alert=lambda alert: None,
                on_maintenance=self._maintain,
                tap=tap,
            )
            self.latch = latch
            lease.renew(clock.mono_ns())
            for after_s, do in self.script:
                loop.call_later(after_s, self._do, do)
            task = loop.create_task(live.run())
            end = clock.mono_ns() + int(seconds * 1e9)
            held = False
            while not task.done() and clock.mono_ns() < end:
                await asyncio.sleep(0.05)
                if not self.halted_at_start and state.session is not None:
                    self.halted_at_start = not self.started_open()
                if until(self):
                    held = True
                    break
            if task.done():
                self.ended = task.result()
                held = held or until(self)
                if self.ended.error is None:
                    live.finish()
                    self.snapshot()
            else:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            return held
        finally:
            with suppress(Exception):
                if self.journal is not None:
                    self.journal.close()
                if log is not None:
                    log.close()
            if self.store is not None:
                with suppress(StoreFailed):
                    self.store.commit()
                self.store.close()
            lease.release()
            latch.close()

    def _hold_to(self, claim):
        venue = self.machine.venue
        ours = [order.order_id for order in venue.open_orders() if order.order_id is not None]
        held = {name: venue.position(name) for name in venue.specs if venue.position(name)}
        if ours or held:
            self.false_claims.append(f"{claim.why}: open {ours}, held {held}")

    def left(self):
        """What is left of it now, after its end."""
        found = []
        self.on_left, self.frozen_store = found.append, None
        self.machine.frozen_venue = None
        self.act("the end")
        self.on_left = None
        return found[0]

    def started_open(self):
        """Whether this life began with any way for risk open: it must not."""
        holds = self.live.state.books.holds.holds.values()
        return not any(hold.cause.value == "startup" for hold in holds)

    def _do(self, do):
        made = do(self)
        if asyncio.iscoroutine(made):
            self._tasks = [*getattr(self, "_tasks", []), asyncio.get_running_loop().create_task(made)]

    def _open_store(self):
        store = self.store = ReadStore.open(str(self.machine.store_dir / "read.sqlite"))
        store.follow(
            self.recovered_count,
            lambda first: iterate("j", first, files=self.machine.files, whole=False),
        )

    def _maintain(self):
        self.journal.write()
        if self.store is not None:
            before = self._store_bytes() if self.on_left is not None else {}
            try:
                self.store.commit()
            except StoreFailed:
                self.store = None
            self.frozen_store = None
            if self.on_left is not None and before != self._store_bytes():
                old = len(before["read.sqlite-wal"])

                def tear(left):
                    wal = left.store["read.sqlite-wal"]
                    left.store["read.sqlite-wal"] = wal[: old + (len(wal) - old) // 2]

                self.act("store commit", tear)
                self.act("store commit")
        self.journal.sync()
        self.live.market_log.flush()

    def snapshot(self):
        """As the running bot does every so many records."""
        if not self.snapshots:
            return
        self.journal.sync()
        kept = Kept(books=self.state.books, mono_ns=self.state.live.now_mono_ns, saved={})
        save_snapshot("j", self.journal.head(), encode_kept(kept), files=self.machine.files)

    # --- people ---------------------------------------------------------------------------------------------------

    async def says(self, verb, **fields):
        """A person's act over the control socket."""

        def make(command_id, nonce, wall_ns, mono_ns):
            return Command(
                wall_ns=wall_ns,
                mono_ns=mono_ns,
                command_id=command_id,
                verb=Verb(verb),
                by="ann",
                reason="because",
                latch_nonce=nonce,
                **fields,
            )

        return await self.live.command(make)
