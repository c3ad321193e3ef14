"""Test the tests: a fault planted into the product is found, and soon."""

import pytest

from holdfast.simulate.plan import KINDS
from holdfast.simulate.run import run_seed
from tests.simulate.plants import FAULTS, PLANTS

FIRST_SEED = 1
STEPS = 3_000


@pytest.mark.timeout(600)  # ten seconds where nothing else runs
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant, monkeypatch):
    """A simulation that finds nothing says nothing, unless it is known what it would find."""
    plant(monkeypatch.setattr)
    for seed in range(FIRST_SEED, FIRST_SEED + PLANTS[plant]):
        outcome = run_seed(seed, steps=STEPS, kinds=frozenset(FAULTS.get(plant, KINDS)))
        if outcome.rule:
            print(f"seed {seed} at step {outcome.at_step}: {outcome.rule}")
            return
    pytest.fail(f"not found by {PLANTS[plant]} seeds")
