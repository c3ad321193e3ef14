"""The garbage collector kept off the hot path: rare rounds, and none over what was there from the start.

What is made per quote and per order holds no cycles; a full round over everything that was imported takes tens
of milliseconds, and would come in the middle of trading.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_MAX: Final = 50_000  # new containers before a round over the young; Python's own is 700


@contextmanager
def rare_rounds() -> Iterator[None]:
    """While it lasts: what exists now is never looked at, and what comes is seldom. Everything back at the end."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
