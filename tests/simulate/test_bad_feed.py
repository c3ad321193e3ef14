"""Faults on the way of market data, alone and together, from seeds: nothing wrong is accepted, nothing goes uncounted.

Some dozens in each run; ``HOLDFAST_FULL=1`` runs a thousand, ``HOLDFAST_SEEDS=7:8`` those alone.
"""

import os
import random
from collections import Counter

import pytest

from holdfast.core.ingest.depth_book import BookState
from tests.simulate.bad_feed import FAULTS, NAMES, BadRoad

FULL = os.environ.get("HOLDFAST_FULL") == "1"
CHUNKS = 100 if FULL else 2
PER_CHUNK = 10


def faults_of(seed):
    """The first ten seeds of each twenty bring one fault alone, the others several together."""
    if seed % 20 < len(FAULTS):
        return (FAULTS[seed % 20],)
    return tuple(random.Random(seed).sample(FAULTS, k=random.Random(seed).randint(2, len(FAULTS))))


def seeds_of(chunk):
    asked = os.environ.get("HOLDFAST_SEEDS")
    if asked:
        first, _, last = asked.partition(":")
        return range(int(first), int(last)) if chunk == 0 else range(0)
    return range(chunk * PER_CHUNK, (chunk + 1) * PER_CHUNK)


def judge(seed):
    """One road from its beginning to its end; returns what befell."""
    faults = faults_of(seed)
    road = BadRoad(seed, faults).run()
    where = f"seed {seed} ({', '.join(faults)})"
    assert [] == road.wrong[:3], where
    assert road.adds_up(), where
    for (_, name, kind), count in [item for item in road.did.items() if isinstance(item[0], tuple)]:
        assert not count or road.holes_seen(name, kind), f"{where}: a hole in {name} {kind} was not counted"
    if road.did["silence"]:
        assert road.alerts()["hold.stale_data"], where
    if road.did["clock"]:
        assert road.ingest.state.live.offset_ns == -road.ahead_ms * 1_000_000, where
    assert dict.fromkeys(NAMES, BookState.WHOLE) == road.books(), where
    assert 0 == road.books_crossed(), where
    return road.did


@pytest.mark.timeout(1_200 if FULL else 120)  # a thousand beside other work
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nothing_wrong_is_accepted_and_nothing_goes_uncounted(chunk):
    did = Counter()
    for seed in seeds_of(chunk):
        did += judge(seed)
    if chunk == 0 and not os.environ.get("HOLDFAST_SEEDS"):
        # one fault alone in each of these: it did befall
        holes = {fault[0] for fault in did if isinstance(fault, tuple)}
        assert set(FAULTS) == holes | {fault for fault in did if isinstance(fault, str)}
