"""Two sizes: the short one of every run, and the one that the proof is stated in (HOLDFAST_FULL=1)."""

import os

from holdfast.simulate.plan import KINDS
from holdfast.simulate.run import run_seed
from holdfast.simulate.totals import Totals

FULL = os.environ.get("HOLDFAST_FULL") == "1"
SEEDS = 300 if FULL else 60
STEPS = 5_000
PARTS = 2  # one a worker


def outcomes_of(part):
    """The outcomes of one part of the seeds, one after the other."""
    kinds = frozenset(KINDS)
    size = SEEDS // PARTS
    return [
        run_seed(seed, steps=STEPS, kinds=kinds) for seed in range(1 + part * size, 1 + (part + 1) * size)
    ]


def summed(outcomes):
    """What they came to together."""
    found = Totals(
        first_seed=1, next_seed=1, steps_each=STEPS, faults_chosen=tuple(sorted(KINDS)), build="tests"
    )
    for outcome in outcomes:
        found.add(outcome)
    return found
