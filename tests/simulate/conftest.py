"""Two sizes: the short one of every run, and the one that the proof is stated in (HOLDFAST_FULL=1)."""

import os
import time

import pytest

from holdfast.simulate.main import outcomes
from holdfast.simulate.plan import KINDS
from holdfast.simulate.totals import Totals

FULL = os.environ.get("HOLDFAST_FULL") == "1"
SEEDS = 300 if FULL else 20
FIRST_SEED = 1
STEPS = 5_000


@pytest.fixture(scope="session")
def totals():
    """What the seeds of this size came to."""
    kinds = frozenset(KINDS)
    found = Totals(
        first_seed=FIRST_SEED,
        next_seed=FIRST_SEED,
        steps_each=STEPS,
        faults_chosen=tuple(sorted(kinds)),
        build="tests",
    )
    began = time.perf_counter()
    for outcome in outcomes(range(FIRST_SEED, FIRST_SEED + SEEDS), steps=STEPS, kinds=kinds, jobs=2):
        found.add(outcome)
        if outcome.rule:
            print(f"seed {outcome.seed} at step {outcome.at_step}: {outcome.said}")
    print(f"{SEEDS} seeds in {time.perf_counter() - began:.0f} s")
    return found
