"""A long journal behind a bot that has run before: a day of orders that the last hop withheld, and a snapshot far back."""

from __future__ import annotations

import time
from pathlib import Path

from holdfast.app.parts import open_state
from holdfast.core.state import State
from holdfast.journal.chain import iterate
from holdfast.journal.recover import open_for_append
from holdfast.journal.snapshots import save_snapshot
from holdfast.runtime.recover import Kept, encode_kept
from holdfast.store.store import ReadStore
from holdfast.vocab.events import CallDone, OrderIntent
from holdfast.vocab.facts import OrderApproved, OrderMoved
from holdfast.vocab.orders import Did, Lane, OrderState, OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.outcome import Suppressed, Withheld
from tests.process.processes import NAME

RECORDS_EACH = 4  # of one withheld order: the wish, the approval, the answer, the end


def lengthen(
    state_dir: Path, *, records: int, behind: int, strategy: str, instrument: str = "BTCUSDT"
) -> int:
    """Append until the journal has so many records, with its newest snapshot ``behind`` before the end.

    The orders never reached the venue, so its truth and the books still agree. Returns the index behind the last.
    """
    disk = open_state(state_dir, account=NAME)
    disk.opened.journal.close()
    for old in disk.journal_dir.glob("snapshot-*.bin"):
        old.unlink()
    books = disk.kept.books
    state = State(books)
    mono_ns, wall_ns = disk.kept.mono_ns, time.time_ns()
    journal = open_for_append(str(disk.journal_dir), account=NAME).journal
    pos = disk.opened.market_pos
    saved_at = 0
    number = 0
    while journal.record_count < records:
        number += 1
        mono_ns += 1_000
        order_id = books.orders.next_id()
        terms = OrderTerms(
            instrument=instrument,
            side=Side.BUY if number % 2 else Side.SELL,
            qty_lots=5,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTC,
            price_ticks=600_000 + number % 997,
        )
        approved = OrderApproved(
            order_id=order_id,
            strategy=strategy,
            intent_seq=number,
            lane=Lane.RISK,
            terms=terms,
            reference_ticks=600_000,
            decision_ticks=None,
            approved_mono_ns=mono_ns,
        )
        moved = OrderMoved(
            order_id=order_id,
            did=Did.NOT_SENT,
            state=OrderState.UNSENT,
            venue_order_id="",
            why="withheld by the latch",
            mono_ns=mono_ns,
            reported_lots=0,
        )
        for record in (
            OrderIntent(
                wall_ns=wall_ns,
                mono_ns=mono_ns,
                strategy=strategy,
                intent_seq=number,
                instrument=instrument,
                side=terms.side,
                qty_lots=5,
                price_ticks=terms.price_ticks,
            ),
            approved,
            CallDone(wall_ns=wall_ns, mono_ns=mono_ns, call_id=number, outcome=Suppressed(by=Withheld.LATCH)),
            moved,
        ):
            journal.append(record, pos)
        state.books.apply(approved, mono_ns=mono_ns)
        state.books.apply(moved, mono_ns=mono_ns)
        if not saved_at and journal.record_count >= records - behind:
            saved_at = journal.record_count
            journal.sync()
            kept = encode_kept(Kept(books=books, mono_ns=mono_ns, saved=disk.kept.saved))
            assert save_snapshot(str(disk.journal_dir), journal.head(), kept) is None
    end = journal.record_count
    journal.close()
    store = ReadStore.open(str(state_dir / "read.sqlite"))  # a bot that had lived this long would have it all
    store.catch_up(iterate(str(disk.journal_dir), store.next_index, whole=False))
    store.close()
    return end


def drop_snapshots_within(journal_dir: Path, *, behind: int, record_count: int) -> int:
    """Remove the snapshots that are nearer to the end than that; returns how far back the newest left is."""
    indices = sorted(int(path.stem.removeprefix("snapshot-")) for path in journal_dir.glob("snapshot-*.bin"))
    for index in indices:
        if record_count - index < behind:
            (journal_dir / f"snapshot-{index:020d}.bin").unlink()
    left = [index for index in indices if record_count - index >= behind]
    return record_count - left[-1] if left else record_count
