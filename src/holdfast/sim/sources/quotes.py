"""A million quotes in a blink: the fast path for a backtest that needs prices and no books.

The touch walks by small steps, mostly not at all, is one or two ticks wide, and shows changing sizes; the
instruments take turns and share a part of each step. No prints, no depth: a venue fed by it fills at the touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from holdfast.sim.sources.bits import blocks
from holdfast.sim.sources.frames import SourceUnusable
from holdfast.sim.sources.generated import DEFAULT_INSTRUMENTS, START_NS, GeneratedInstrument
from holdfast.vocab.market import Quote
from holdfast.vocab.units import NS_PER_MS

# Steps in ticks by 8 bits: three of four times none, else up to ± 8, balanced.
_STEPS: Final = tuple(
    0 if index < 192 else ((index & 7) + 1) * (1 if index & 8 else -1) for index in range(256)
)
_INSTRUMENTS_MAX: Final = 5
_SPREADS: Final = (1,) * 13 + (2, 2, 3)


def quotes_only(
    count: int,
    *,
    seed: int,
    instruments: tuple[GeneratedInstrument, ...] = DEFAULT_INSTRUMENTS,
    start_ns: int = START_NS,
    gap_ns: int = 5 * NS_PER_MS,
) -> Iterator[Quote]:
    """``count`` quotes, instruments in turn, ``gap_ns`` apart; ``wall_ns`` equals ``venue_ns``.

    ``mono_ns`` starts at one second. ``seq`` grows by one per instrument. ``list()`` of it is the preloaded form.
    """
    if not 0 < len(instruments) <= _INSTRUMENTS_MAX:
        raise SourceUnusable(
            f"{len(instruments)} instruments: one to {_INSTRUMENTS_MAX} share a word of bits"
        )
    return islice(_endless(seed, instruments, start_ns, gap_ns), count)


def _endless(
    seed: int, instruments: tuple[GeneratedInstrument, ...], start_ns: int, gap_ns: int
) -> Iterator[Quote]:
    names = [one.spec.instrument for one in instruments]
    masks = [(1 << max(3, one.touch_lots.bit_length())) - 1 for one in instruments]
    bids = [one.start_ticks for one in instruments]
    count = len(instruments)
    now_ns = start_ns - gap_ns
    mono_offset_ns = start_ns - 1_000_000_000
    seq = 0
    steps, spreads, make = _STEPS, _SPREADS, Quote
    for block in blocks(seed=seed, name="quotes"):
        for drawn in block:
            word = drawn
            common = steps[word & 255]
            seq += 1
            for index in range(count):
                word >>= 8
                now_ns += gap_ns
                bid = bids[index] = bids[index] + common + steps[word & 255]
                mask = masks[index]
                yield make(
                    names[index],
                    seq,
                    bid,
                    1 + (word >> 8 & mask),
                    bid + spreads[word & 15],
                    1 + (word >> 16 & mask),
                    now_ns,
                    now_ns,
                    now_ns - mono_offset_ns,
                )
        # pulled back towards the start, so that no length of session reaches zero
        for index, one in enumerate(instruments):
            bids[index] -= (bids[index] - one.start_ticks) >> 6
