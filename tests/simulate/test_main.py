"""``holdfast simulate``: exit codes, the result file that is gone on from, and what a failing seed says first."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast.app.errors import Exit
from holdfast.simulate import main as simulation
from holdfast.simulate.auditor import Violation
from holdfast.simulate.run import run_seed


def simulate(*words):
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "simulate", *words], capture_output=True, text=True, timeout=120
    )


def test_seeds_run_and_are_told_and_a_result_is_gone_on_from(tmp_path):
    result = str(tmp_path / "result.json")
    plain = ("--steps", "200", "--result", result, "--json")
    first = simulate("--seeds", "1", *plain)
    assert (0, "") == (first.returncode, first.stderr)
    both = json.loads(simulate("--seeds", "2", *plain).stdout)
    assert (2, 1, 3, 0) == (both["seeds"], both["first_seed"], both["next_seed"], both["failed_seeds"])
    assert both["steps"] > json.loads(first.stdout)["steps"]
    again = json.loads(simulate("--seeds", "2", *plain).stdout)
    assert both == again, "nothing is left to do"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--faults", "rain"], "no fault and no group of faults is called 'rain'"),
        (["--saved", "nowhere.json"], "nowhere.json"),
        (["--seeds", "0"], "seeds"),
    ],
)
def test_bad_words_end_with_one_line_and_a_code(words, says):
    done = simulate(*words)
    assert 2 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert says in done.stderr


def test_a_failing_seed_is_the_first_thing_said_and_is_kept_small(tmp_path, capsys, monkeypatch):
    """Whoever reads a log of a night looks for one number."""
    from holdfast.app.options import SimulateOptions
    from holdfast.simulate.auditor import Auditor

    def breaks(self, fact):
        raise Violation("I0 a rule", "with its numbers")

    monkeypatch.setattr(Auditor, "_approved", breaks)
    code = simulation.main(SimulateOptions(seeds=1, first_seed=7, steps=300, save_dir=str(tmp_path)))
    said = capsys.readouterr().err.splitlines()
    assert 70 == code
    assert said[0].startswith("seed 7 failed at step ")
    assert "I0 a rule" in said[0]
    assert [] == json.loads((tmp_path / "7.json").read_text())["faults"]


def test_an_error_of_the_product_is_a_failure_that_says_where(monkeypatch):
    from holdfast.core.ledger.ledger import Ledger

    def breaks(self, fact, *, mono_ns):
        raise KeyError("lost")

    monkeypatch.setattr(Ledger, "fill", breaks)
    outcome = run_seed(1, steps=2_000, kinds=frozenset())
    assert "the product: KeyError" == outcome.rule
    assert "breaks" in outcome.said


def eventually(holds):
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_its_processes_end_with_it():
    """Else each works on for as long as somebody lets it, on seeds that nobody waits for."""
    running = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "simulate", "--seeds", "100", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    eventually(lambda: len(children.read_text().split()) >= 3)
    pids = children.read_text().split()
    running.terminate()
    _, said = running.communicate(timeout=60)
    assert (Exit.FAILED, 1) == (running.returncode, said.decode().count("\n"))
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
