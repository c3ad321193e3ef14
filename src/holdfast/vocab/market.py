"""Public market data in integer units.

These are made hundreds of thousands of times a second, so they are positional, untracked by the garbage
collector and never journaled: the market log keeps the raw frames they came from.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class Quote(Struct, frozen=True, gc=False, array_like=True, tag="q"):
    """Best bid and offer. ``seq`` grows strictly per instrument and feed; sizes in lots, > 0."""

    instrument: str
    seq: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    venue_ns: int
    wall_ns: int
    mono_ns: int


class Trade(Struct, frozen=True, gc=False, array_like=True, tag="t"):
    """A public print. ``aggressor`` is +1 where a buyer took, −1 where a seller did. ``market``: a normal
    match; False for prints outside the market (insurance fund…), which move no last price.
    """

    instrument: str
    seq: int
    price_ticks: int
    qty_lots: int
    aggressor: int
    market: bool
    venue_ns: int
    wall_ns: int
    mono_ns: int


class Mark(Struct, frozen=True, gc=False, array_like=True, tag="m"):
    """The venue's mark price (rounded to the nearest tick) and its funding rate in parts per billion."""

    instrument: str
    mark_ticks: int
    funding_ppb: int
    funding_venue_ns: int
    venue_ns: int
    wall_ns: int
    mono_ns: int


class Depth(Struct, frozen=True, gc=False, array_like=True, tag="d"):
    """Changed book levels: (price_ticks, new size in lots), 0 deletes. ``seq`` … ``seq_prev`` chain.

    ``snapshot``: the levels are the whole book.
    """

    instrument: str
    seq_first: int
    seq: int
    seq_prev: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    snapshot: bool
    venue_ns: int
    wall_ns: int
    mono_ns: int


class Malformed(Struct, frozen=True, gc=False, array_like=True, tag="x"):
    """A frame that the decoder could not accept, and why: counted by reason, never priced from.

    ``instrument`` is empty where the frame did not say.
    """

    instrument: str
    reason: str
    wall_ns: int
    mono_ns: int


MarketEvent: TypeAlias = Quote | Trade | Mark | Depth | Malformed
