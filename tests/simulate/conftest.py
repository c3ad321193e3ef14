"""The seeds that every ``make test`` runs: others with every change of the product, the same of the same tree.

``HOLDFAST_FIRST_SEED=N`` runs those from N on, ``make simulate`` any; ``make sim-long`` goes on for thousands.
"""

import os
import shutil
import subprocess
from pathlib import Path

from holdfast.simulate.plan import KINDS
from holdfast.simulate.run import run_seed
from holdfast.simulate.totals import Totals

SEEDS = 300
STEPS = 5_000
PARTS = 30  # small ones, so that every worker has some of them to the end


def _first_seed():
    """Others with every change of the product: the hash of its tree says where they begin; without git, at 1."""
    told = os.environ.get("HOLDFAST_FIRST_SEED")
    if told:
        return int(told)
    if shutil.which("git") is None:
        return 1
    asked = ["git", "rev-parse", "HEAD:src"]
    answer = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return int(answer.stdout[:7] or "1", 16)


FIRST_SEED = _first_seed()


def outcomes_of(part):
    """The outcomes of one part of the seeds, one after the other."""
    kinds = frozenset(KINDS)
    size = SEEDS // PARTS
    first = FIRST_SEED + part * size
    return [run_seed(seed, steps=STEPS, kinds=kinds) for seed in range(first, first + size)]


def summed(outcomes):
    """What they came to together."""
    found = Totals(
        first_seed=FIRST_SEED,
        next_seed=FIRST_SEED,
        steps_each=STEPS,
        faults_chosen=tuple(sorted(KINDS)),
        build="tests",
    )
    for outcome in outcomes:
        found.add(outcome)
    return found
