"""The end of a run: whether journal, books and the venue's word agree, and the last line that says what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.ledger.ledger import HOUSE
from holdfast.core.state import State
from holdfast.journal.chain import iterate, verify
from holdfast.runtime.engine import Engine
from holdfast.vocab.events import Started
from holdfast.vocab.facts import FillBooked, FillBusted, FillClaimed, IntentRefused, OrderApproved, OrderMoved
from holdfast.vocab.ids import client_id_text, order_id_from_text
from holdfast.vocab.orders import Did
from holdfast.vocab.units import e8_text

REPLAY_S_MAX = 600
REPLAYED_MAX = 100_000  # records and frames: a few seconds, and no stop is kept waiting for longer


class TrueFill(Struct, frozen=True, kw_only=True, order=True):
    """One execution as compared: by whoever tells it."""

    instrument: str
    trade_id: str
    client_id: str
    side: int
    qty_lots: int
    price_ticks: int
    fee_e8: int
    fee_asset: str


class Truth(Struct, frozen=True, kw_only=True):
    """The venue's own word on one account, from its ground truth and not through our adapter.

    ``executed_ns``: when, by the venue's clock, each of its fills came to be: by instrument and trade id.
    """

    fills: tuple[TrueFill, ...]
    executed_ns: dict[tuple[str, str], int]
    open_client_ids: tuple[str, ...]
    position_lots: dict[str, int]
    wallet_e8: dict[str, int]


class Proof(Struct, frozen=True, kw_only=True):
    """What the end of a run was judged by. ``journal_fault`` and ``replay_fault``: in words; empty: none.

    ``books_differ`` None: nobody told the truth. ``replay_hash`` None: not replayed.
    """

    record_count: int
    journal_fault: str
    replay_fault: str
    replay_hash: str | None
    books_differ: list[str] | None

    @property
    def journal_ok(self) -> bool:
        """The chain holds, and nothing came out otherwise in a replay."""
        return not self.journal_fault and not self.replay_fault


class Counted(Struct, kw_only=True):
    """What the journal says of one run (from the last start on) and of all fills that the books have."""

    orders: int = 0
    refusals: dict[str, int] = {}
    cancels: int = 0
    partial_fills: int = 0
    fills: int = 0
    all_fills: dict[tuple[str, str], TrueFill] = {}
    instruments_filled: dict[str, int] = {}


def count(journal_dir: Path, *, tag: int) -> Counted:
    """Read the journal once."""
    counted = Counted()
    terms: dict[int, int] = {}
    filled: dict[int, int] = {}
    for _, _, record in iterate(str(journal_dir)):
        if isinstance(record, Started):
            counted.orders = counted.cancels = counted.partial_fills = counted.fills = 0
            counted.refusals = {}
            counted.instruments_filled = {}
        elif isinstance(record, OrderApproved):
            counted.orders += 1
            terms[record.order_id] = record.terms.qty_lots
        elif isinstance(record, IntentRefused):
            name = type(record.refusal).__struct_config__.tag
            counted.refusals[str(name)] = counted.refusals.get(str(name), 0) + 1
        elif isinstance(record, OrderMoved):
            counted.cancels += record.did is Did.CANCELLED
        elif isinstance(record, FillBooked):
            counted.fills += 1
            counted.instruments_filled[record.instrument] = (
                counted.instruments_filled.get(record.instrument, 0) + 1
            )
            if record.order_id is not None:
                so_far = filled[record.order_id] = filled.get(record.order_id, 0) + record.qty_lots
                counted.partial_fills += so_far < terms.get(record.order_id, 0)
            counted.all_fills[record.instrument, record.trade_id] = _true_fill(record, tag)
        elif isinstance(record, FillBusted):
            counted.all_fills.pop((record.instrument, record.trade_id), None)
        elif isinstance(record, FillClaimed):
            instrument, _, trade_id = record.key.rpartition("/")
            client_id = client_id_text(account_tag=tag, order_id=record.order_id)
            if (fill := counted.all_fills.get((instrument, trade_id))) is not None:
                counted.all_fills[instrument, trade_id] = replace(fill, client_id=client_id)
    return counted


def _true_fill(fact: FillBooked, tag: int) -> TrueFill:
    client_id = "" if fact.order_id is None else client_id_text(account_tag=tag, order_id=fact.order_id)
    return TrueFill(
        instrument=fact.instrument,
        trade_id=fact.trade_id,
        client_id=client_id,
        side=int(fact.side),
        qty_lots=fact.qty_lots,
        price_ticks=fact.price_ticks,
        fee_e8=fact.fee_e8,
        fee_asset=fact.fee_asset,
    )


def _is_ours(client_id: str, tag: int) -> bool:
    return order_id_from_text(client_id, account_tag=tag) is not None


def differences(state: State, fills: Iterable[TrueFill], truth: Truth, *, tag: int) -> list[str]:
    """Every way in which our books and the venue's ground truth differ; empty when they are equal."""
    found: list[str] = []
    ledger = state.books.ledger
    ours = sorted(fills)
    booked = {(fill.instrument, fill.trade_id) for fill in ours}
    # what was executed before the books were opened is in their opening; who else ordered we do not know by name
    theirs = sorted(
        fill if _is_ours(fill.client_id, tag) else replace(fill, client_id="")
        for fill in truth.fills
        if (key := (fill.instrument, fill.trade_id)) in booked
        or truth.executed_ns[key] > ledger.opened_venue_ns
    )
    if ours != theirs:
        only_ours = [fill for fill in ours if fill not in set(theirs)]
        only_theirs = [fill for fill in theirs if fill not in set(ours)]
        found.append(f"fills: only ours {only_ours[:2]}, only the venue's {only_theirs[:2]}")
    positions = {name: row.position_lots for name, row in ledger.positions.items() if row.position_lots}
    if positions != {name: lots for name, lots in truth.position_lots.items() if lots}:
        found.append(f"positions: ours {positions}, the venue's {truth.position_lots}")
    attributed: dict[str, int] = {}
    for rows in ledger.attributed.values():
        for name, row in rows.items():
            attributed[name] = attributed.get(name, 0) + row.position_lots
    if {name: lots for name, lots in attributed.items() if lots} != positions:
        found.append(f"attribution: {attributed} does not sum to {positions}")
    open_ours = sorted(
        client_id_text(account_tag=tag, order_id=row.order_id)
        for row in state.books.orders.live.values()
        if not row.settled()
    )
    open_theirs = sorted(name for name in truth.open_client_ids if _is_ours(name, tag))
    if open_ours != open_theirs:
        found.append(f"open orders: ours {open_ours}, the venue's {open_theirs}")
    foreign = len(truth.open_client_ids) - len(open_theirs)
    if len(state.books.orders.foreign) != foreign:
        found.append(f"open orders of others: {len(state.books.orders.foreign)}, the venue's {foreign}")
    for asset, theirs_e8 in truth.wallet_e8.items():
        ours_e8 = ledger.wallet_e8.get(asset, 0)
        if ours_e8 != theirs_e8:
            found.append(f"wallet {asset}: ours {e8_text(ours_e8)}, the venue's {e8_text(theirs_e8)}")
    return found


def replay_elsewhere(state_dir: Path) -> tuple[str, str]:
    """(replay's state hash, what went wrong) of a replay from the first record, in another process."""
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "journal", "replay", "--state-dir", str(state_dir), "--json"],
        capture_output=True,
        text=True,
        timeout=REPLAY_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        return "", (done.stderr or done.stdout).strip()
    return str(json.loads(done.stdout.strip().splitlines()[-1])["state_hash"]), ""


def prove(
    *,
    state: State,
    state_dir: Path,
    journal_dir: Path,
    tag: int,
    truth: Truth | None,
    fills: Iterable[TrueFill],
    replayed_max: int | None = None,
    frame_count: int = 0,
) -> Proof:
    """Judge a run that has ended: its whole chain, its books where the truth is told, and a replay elsewhere.

    ``replayed_max``: of records and frames, beyond which there is no replay. Call after the journal is closed.
    """
    report = verify(str(journal_dir))
    bad = report.first_bad
    replay_hash: str | None = None
    replay_fault = ""
    if replayed_max is None or report.record_count + frame_count <= replayed_max:
        replay_hash, replay_fault = replay_elsewhere(state_dir)
    return Proof(
        record_count=report.record_count,
        journal_fault="" if bad is None else f"{bad.segment}: record {bad.index}: {bad.what}",
        replay_fault=replay_fault,
        replay_hash=replay_hash,
        books_differ=None if truth is None else differences(state, fills, truth, tag=tag),
    )


def summary(
    *,
    state: State,
    engine: Engine,
    counted: Counted,
    proof: Proof,
    truth: Truth | None,
    state_hash: str,
) -> dict[str, Any]:
    """The run in one JSON object."""
    ledger = state.books.ledger
    return {
        "orders": counted.orders,
        "fills": counted.fills,
        "partial_fills": counted.partial_fills,
        "cancels": counted.cancels,
        "refusals": sum(counted.refusals.values()),
        "refusals_by_reason": counted.refusals,
        "fills_by_instrument": counted.instruments_filled,
        "quotes": sum(market.quotes_count for market in state.live.markets.values()),
        "delivered": engine.delivered_count,
        "position_ours": {
            name: row.position_lots for name, row in ledger.positions.items() if name in state.specs
        },
        "position_venue": None
        if truth is None
        else {name: truth.position_lots.get(name, 0) for name in state.specs},
        "position_house": {name: row.position_lots for name, row in ledger.attributed.get(HOUSE, {}).items()},
        "books_equal": None if proof.books_differ is None else not proof.books_differ,
        "books_differ": proof.books_differ or [],
        "open_orders": sum(1 for row in state.books.orders.live.values() if not row.settled()),
        "journal_ok": proof.journal_ok,
        "journal_records": proof.record_count,
        "replay_fault": proof.replay_fault,
        "books_hash": state.books_hash(),
        "state_hash": state_hash,
        "replay_hash": proof.replay_hash,
        "equity": None if (equity := state.equity_e8()) is None else e8_text(equity),
    }
