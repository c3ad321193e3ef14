"""Seeds that once failed stay, each as a file; and how a failing seed becomes one."""

from pathlib import Path

import pytest

from holdfast.simulate.plan import KINDS, PlanUnusable, kinds_of
from holdfast.simulate.run import Outcome, run_seed
from holdfast.simulate.shrink import SavedUnusable, read_saved, shrink, write_saved
from tests.simulate.plants import TAKEN_BACK

HERE = Path(__file__).parent / "seeds"
FILES = sorted(HERE.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_seed_that_once_failed_does_not_again(path):
    saved = read_saved(path)
    outcome = run_seed(saved.seed, steps=saved.steps, kinds=frozenset(saved.faults))
    assert "" == outcome.rule, f"seed {saved.seed}: {outcome.said}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_saved_seed_fails_again_where_its_mend_is_taken_back(path, monkeypatch):
    """Else it proves nothing any more: a change of the simulation has led it elsewhere. Find another, or delete it."""
    saved = read_saved(path)
    TAKEN_BACK[saved.seed](monkeypatch.setattr)
    outcome = run_seed(saved.seed, steps=saved.steps, kinds=frozenset(saved.faults))
    assert saved.rule == outcome.rule


def test_there_are_saved_seeds_and_each_says_what_it_broke():
    assert FILES
    assert all(read_saved(path).rule and read_saved(path).mended for path in FILES)


def broken_by(faults, *, from_step):
    """A simulation that breaks a rule once these faults are among its kinds, for so many steps."""

    def run(seed, steps, kinds):
        fails = faults <= kinds and steps >= from_step
        return Outcome(seed=seed, steps=steps, rule="I0 a rule" if fails else "", at_step=from_step)

    return run


def test_a_failing_seed_is_made_small(tmp_path):
    """Somebody must read it: only the faults that matter stay, and no more steps than it takes."""
    run = broken_by({"answer_lost", "killed"}, from_step=700)
    kinds = frozenset(KINDS)
    saved = shrink(run(7, 5_000, kinds), steps=5_000, kinds=kinds, run=run)
    assert ("answer_lost", "killed") == saved.faults
    assert 700 <= saved.steps < 1_400
    assert saved == read_saved(write_saved(saved, tmp_path))


@pytest.mark.parametrize("text", ["{", '{"seed": 1}', '{"seed":1,"steps":1,"faults":["rain"],"rule":"x"}'])
def test_a_file_that_is_no_saved_seed_is_named(tmp_path, text):
    path = tmp_path / "1.json"
    path.write_text(text)
    with pytest.raises(SavedUnusable, match=r"1\.json"):
        read_saved(path)


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["all"], set(KINDS)),
        (["none"], set()),
        (["clock", "-pause"], {name for name, group in KINDS.items() if group.value == "clock"} - {"pause"}),
        (["-killed"], set(KINDS) - {"killed"}),
        (["answer_lost", "killed"], {"answer_lost", "killed"}),
    ],
)
def test_faults_are_named_by_kind_and_by_group(words, kinds):
    assert kinds == kinds_of(words)


def test_a_fault_that_nobody_knows_is_refused():
    with pytest.raises(PlanUnusable, match="rain"):
        kinds_of(["venue", "rain"])
