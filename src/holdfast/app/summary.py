"""The last line of a run: what happened, and whether the books equal the venue's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from holdfast.core.ledger.ledger import HOUSE
from holdfast.core.state import State
from holdfast.journal.chain import iterate, verify
from holdfast.runtime.engine import Engine
from holdfast.vocab.events import Started
from holdfast.vocab.facts import FillBooked, IntentRefused, OrderApproved, OrderMoved
from holdfast.vocab.ids import client_id_text
from holdfast.vocab.orders import Did
from holdfast.vocab.units import e8_text

REPLAY_S_MAX = 600


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
    """The venue's own word on one account, from its ground truth and not through our adapter."""

    fills: tuple[TrueFill, ...]
    open_client_ids: tuple[str, ...]
    position_lots: dict[str, int]
    wallet_e8: dict[str, int]


class Counted(Struct, kw_only=True):
    """What the journal says of one run (from the last start on) and of all fills ever booked."""

    orders: int = 0
    refusals: dict[str, int] = {}
    cancels: int = 0
    partial_fills: int = 0
    fills: int = 0
    all_fills: list[TrueFill] = []
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
            counted.all_fills.append(_true_fill(record, tag))
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


def differences(state: State, fills: Iterable[TrueFill], truth: Truth, *, tag: int) -> list[str]:
    """Every way in which our books and the venue's ground truth differ; empty when they are equal."""
    found: list[str] = []
    ours = sorted(fills)
    theirs = sorted(truth.fills)
    if ours != theirs:
        only_ours = [fill for fill in ours if fill not in set(theirs)]
        only_theirs = [fill for fill in theirs if fill not in set(ours)]
        found.append(f"fills: only ours {only_ours[:2]}, only the venue's {only_theirs[:2]}")
    ledger = state.books.ledger
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
    if open_ours != sorted(truth.open_client_ids):
        found.append(f"open orders: ours {open_ours}, the venue's {sorted(truth.open_client_ids)}")
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


def summary(
    *,
    state: State,
    engine: Engine,
    state_dir: Path,
    journal_dir: Path,
    tag: int,
    truth: Truth | None,
    state_hash: str,
) -> dict[str, Any]:
    """The run in one JSON object. Call after the journal is closed."""
    counted = count(journal_dir, tag=tag)
    report = verify(str(journal_dir))
    replay_hash, replay_fault = replay_elsewhere(state_dir)
    ledger = state.books.ledger
    problems = [] if truth is None else differences(state, counted.all_fills, truth, tag=tag)
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
        "books_equal": None if truth is None else not problems,
        "books_differ": problems,
        "open_orders": sum(1 for row in state.books.orders.live.values() if not row.settled()),
        "journal_ok": report.first_bad is None and not replay_fault,
        "journal_records": report.record_count,
        "replay_fault": replay_fault,
        "books_hash": state.books_hash(),
        "state_hash": state_hash,
        "replay_hash": replay_hash,
        "equity": None if (equity := state.equity_e8()) is None else e8_text(equity),
    }
