"""How long a start takes to have its books again: a long journal of the shipped engine, proven and folded."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

from bench.machine import median
from holdfast.app.backtest import DEMO_CONFIG, LATENCY, MONO_START_NS, OPENING_USDT_E8
from holdfast.app.parts import EVENTS_CODEC, account_tag, host_maker, open_state
from holdfast.config.load import load
from holdfast.config.resolve import resolve
from holdfast.core.state import State
from holdfast.journal.chain import iterate
from holdfast.journal.files import UNSYNCED_FILES
from holdfast.journal.market_log import open_market_log
from holdfast.journal.snapshots import save_snapshot
from holdfast.runtime.clock import ToldClock
from holdfast.runtime.live import Identity
from holdfast.runtime.paced import Paced, Schedule
from holdfast.runtime.recover import Kept, encode_kept
from holdfast.sim.exchange import Exchange
from holdfast.sim.port import SimVenuePort
from holdfast.sim.sources import quotes_only
from holdfast.sim.sources.generated import DEFAULT_INSTRUMENTS, START_NS
from holdfast.vocab.market import MarketEvent

BEHIND_SNAPSHOT: Final = 100_000  # so many records at least lie behind the newest snapshot
SNAPSHOT_SLACK: Final = 10_000  # the snapshot may be earlier by so many
_PIECE: Final = 500  # market events between two looks at the journal's length
_ACCOUNT: Final = "demo"


def generate(directory: Path, *, records: int) -> dict[str, Any]:
    """A journal of at least so many records, as the demonstration's two strategies make it against the venue.

    A snapshot is saved, as ``holdfast run`` saves its own, at least BEHIND_SNAPSHOT records before the end.
    """
    config = load(DEMO_CONFIG)
    specs = tuple(one.spec for one in DEFAULT_INSTRUMENTS)
    chosen = resolve(config, specs)
    disk = open_state(directory, account=_ACCOUNT, files=UNSYNCED_FILES)
    journal = disk.opened.journal
    state = State(disk.kept.books)
    clock = ToldClock(wall_ns=START_NS, mono_ns=MONO_START_NS)
    schedule = Schedule(clock)
    exchange = Exchange(specs)
    account = exchange.open_account(
        _ACCOUNT, api_key="bench", secret="", uid="1", balances={"USDT": 1_000 * OPENING_USDT_E8}
    )
    venue = SimVenuePort(
        exchange,
        account,
        account_tag=account_tag(venue="binanceusdm", account=_ACCOUNT),
        clock=clock,
        schedule=schedule,
        latency=LATENCY,
    )
    log = open_market_log(str(disk.market_dir), codecs=(EVENTS_CODEC,))
    bot = Paced(
        settings=chosen,
        state=state,
        journal=journal,
        market_log=log,
        make_host=host_maker(config, chosen, state, clock_ns=clock.mono_ns),
        saved={},
        venue=venue,
        clock=clock,
        schedule=schedule,
        identity=Identity(build="bench", boot_id="bench", epoch_floor=1),
        on_alert=lambda _: None,
    )
    bot.start()
    events = iter(quotes_only(1 << 40, seed=1))
    snapshot_at = 0
    began = time.perf_counter()
    while journal.record_count < records:
        bot.run(_some(events), exchange.on_market)
        ahead = records - BEHIND_SNAPSHOT
        if not snapshot_at and journal.record_count > ahead - SNAPSHOT_SLACK:
            journal.sync()
            at = journal.head()
            fault = save_snapshot(
                str(disk.journal_dir),
                at,
                encode_kept(Kept(books=state.books, mono_ns=clock.mono_ns(), saved={})),
            )
            if fault:
                raise RuntimeError(fault)
            snapshot_at = at.index + 1
    took_s = time.perf_counter() - began
    bot.engine.flush()
    books_hash = state.books_hash()
    journal.close()
    log.close()
    return {
        "books_hash": books_hash,
        "records": journal.record_count,
        "snapshot_at": snapshot_at,
        "generated_records_per_s": round(journal.record_count / took_s),
    }


def _some(events: Iterator[MarketEvent]) -> Iterator[MarketEvent]:
    for _, event in zip(range(_PIECE), events, strict=False):
        yield event


def recovery(directory: Path, *, records: int, rounds: int) -> dict[str, Any]:
    """Seconds from a closed journal to books, as every start does it: whole chain proven, then folded."""
    made = generate(directory, records=records)
    with_snapshot = [_open(directory, made["books_hash"]) for _ in range(rounds)]
    journal = directory / "journal"
    for path in journal.glob("snapshot-*.bin"):
        path.unlink()
    without = [_open(directory, made["books_hash"]) for _ in range(rounds)]
    size = sum(path.stat().st_size for path in journal.iterdir())
    mix = _mix(journal)
    shutil.rmtree(directory)
    return {
        "recovery_1m_s": round(median(with_snapshot), 2),
        "recovery_1m_no_snapshot_s": round(median(without), 2),
        "records": made["records"],
        "records_behind_snapshot": made["records"] - made["snapshot_at"],
        "journal_mib": size >> 20,
        "generated_records_per_s": made["generated_records_per_s"],
        "mix_percent": mix,
        "rounds": rounds,
    }


def _open(directory: Path, books_hash: str) -> float:
    """One start's worth. RuntimeError where the books are not those that the run had."""
    gc.collect()
    began = time.perf_counter()
    disk = open_state(directory, account=_ACCOUNT)
    took_s = time.perf_counter() - began
    state = State(disk.kept.books)
    found = state.books_hash()
    disk.opened.journal.close()
    if found != books_hash:
        raise RuntimeError("the recovered books are not those of the run")
    return took_s


def _mix(journal: Path) -> dict[str, float]:
    """Which records, in percent, of the first hundred thousand."""
    kinds: dict[str, int] = {}
    for number, (_, _, record) in zip(count(1), iterate(str(journal)), strict=False):
        name = type(record).__name__
        kinds[name] = kinds.get(name, 0) + 1
        if number == BEHIND_SNAPSHOT:
            break
    total = sum(kinds.values())
    return {name: round(100 * number / total, 1) for name, number in sorted(kinds.items(), key=_most)}


def _most(item: tuple[str, int]) -> int:
    return -item[1]
