"""What the read store answers with: one record per row, in the columns' order.

Money and sizes are integers with their unit in the name; enums are their values. ``record_index`` is the journal
record that made the row; ``wall_ns`` the wall time of the event behind it.
"""

from __future__ import annotations

from msgspec import Struct


class Order(Struct, frozen=True, kw_only=True):
    """An order that the gate let through, as it stands."""

    order_id: int
    record_index: int
    wall_ns: int
    updated_wall_ns: int
    strategy: str
    intent_seq: int
    lane: str
    instrument: str
    side: int
    qty_lots: int
    price_ticks: int | None
    order_type: str
    tif: str
    trigger_ticks: int | None
    reduce_only: int
    reference_ticks: int
    decision_ticks: int | None
    state: str
    venue_order_id: str
    why: str
    filled_lots: int


class Fill(Struct, frozen=True, kw_only=True):
    """An execution in the ledger. ``accepted_by``: who accepted it, where it had been quarantined.

    ``taken_back_by``: by whose word it was taken back (a bust); it counts in nothing any more.
    """

    record_index: int
    wall_ns: int
    trade_id: str
    order_id: int | None
    strategy: str
    instrument: str
    side: int
    qty_lots: int
    price_ticks: int
    fee_e8: int
    fee_asset: str
    maker: int
    cause: str
    quarantined: int
    venue_ns: int
    decision_ticks: int | None
    accepted_by: str
    taken_back_by: str


class RefusalRow(Struct, frozen=True, kw_only=True):
    """An intent that the gate refused. ``kind`` is the refusal's tag, ``numbers`` its fields as JSON."""

    record_index: int
    wall_ns: int
    strategy: str
    intent_seq: int
    instrument: str
    kind: str
    numbers: str


class HoldRow(Struct, frozen=True, kw_only=True):
    """A hold and its end. ``released_wall_ns`` None: it stands."""

    hold_id: int
    record_index: int
    strategy: str
    instrument: str
    level: int
    cause: str
    release: str
    by: str
    reason: str
    since_wall_ns: int
    released_wall_ns: int | None
    released_by: str
    released_reason: str


class Command(Struct, frozen=True, kw_only=True):
    """What a person told the core."""

    record_index: int
    wall_ns: int
    command_id: int
    verb: str
    by: str
    second_by: str
    reason: str
    strategy: str
    instrument: str
    hold_id: int
    order_id: int
    trade_id: str


class Cash(Struct, frozen=True, kw_only=True):
    """Cash that moved other than by a trade."""

    record_index: int
    wall_ns: int
    cash_id: str
    kind: str
    asset: str
    amount_e8: int
    instrument: str
    venue_ns: int


class Equity(Struct, frozen=True, kw_only=True):
    """Equity at mark and the day's peak."""

    record_index: int
    wall_ns: int
    equity_e8: int
    peak_e8: int
    day: int


class Alert(Struct, frozen=True, kw_only=True):
    """Something that a person may want to find again: the record's tag, what it is about, and its words."""

    record_index: int
    wall_ns: int
    kind: str
    key: str
    text: str
