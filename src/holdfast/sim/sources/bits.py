"""Repeatable bits: a seed and a name give the same words on every machine and every version of Python.

The words come from SHAKE-128, whose output is fixed by its standard; the library's own random numbers are
promised to repeat only in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_128
from struct import Struct as Layout
from typing import Final

BLOCK_WORDS: Final = 8_192
_LAYOUT: Final = Layout(f"<{BLOCK_WORDS}Q")


def blocks(*, seed: int, name: str) -> Iterator[tuple[int, ...]]:
    """Endless blocks of BLOCK_WORDS words of 64 bits."""
    block = 0
    while True:
        digest = shake_128(f"holdfast market 1 {seed} {name} {block}".encode()).digest(_LAYOUT.size)
        yield _LAYOUT.unpack(digest)
        block += 1


def words(*, seed: int, name: str) -> Iterator[int]:
    """Endless words of 64 bits."""
    for block in blocks(seed=seed, name=name):
        yield from block


def bell(word: int) -> int:
    """A bell-shaped number from the low 32 bits of a word: mean 0, standard deviation √8 ≈ 2.8, at most ±16."""
    return (word & 0xFFFF_FFFF).bit_count() - 16
