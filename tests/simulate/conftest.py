"""Fresh seeds: others with every commit, the same wherever that commit is tested. What failed fails there again.

``HOLDFAST_FIRST_SEED=N`` begins at another; ``make sim-long`` goes on for thousands.
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from holdfast.simulate.plan import KINDS
from holdfast.simulate.run import run_seed
from holdfast.simulate.totals import Totals

SEEDS = 300
STEPS = 5_000
PARTS = 30  # small ones, so that every worker has some of them to the end


def _fresh():
    """The first seed that belongs to this commit; without a repository to this day."""
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except OSError:
        commit = ""
    else:
        commit = told.stdout.strip() if told.returncode == 0 else ""
    number = int(commit[:5], 16) if commit else datetime.now(UTC).toordinal()
    return 1_000 + number * SEEDS


FIRST_SEED = int(os.environ.get("HOLDFAST_FIRST_SEED", "0")) or _fresh()


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
