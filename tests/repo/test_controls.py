"""Every check of the gate and every cause of a hold has its row among the controls, and a proof that exists."""

import ast
import importlib.util
from types import ModuleType
from typing import get_args

import pytest

from holdfast.core.gate.checks import RISK_CHECKS
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.refusals import Refusal
from tests.repo.reading import ROOT


def read_controls() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "holdfast_docs_controls", ROOT / "scripts" / "docs_controls.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CONTROLS = read_controls()
ROWS = {**CONTROLS.CHECKS, **CONTROLS.HOLDS, **CONTROLS.BESIDE}


def fault_of(test: str) -> str:
    """What is wrong with the name of a test; empty where it is there."""
    file, _, name = test.partition("::")
    function, _, case = name.partition("[")
    path = ROOT / file
    if not path.is_file():
        return f"{file}: no such file"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function]
    if not found:
        return f"{file} has no {function}"
    if case and not any("parametrize" in ast.dump(one) for one in found[0].decorator_list):
        return f"{function} has no cases"
    return ""


def test_every_check_has_a_row_and_every_row_a_check():
    assert [check.__name__ for check in RISK_CHECKS] == list(CONTROLS.CHECKS)


def test_every_cause_has_a_row_and_every_row_a_cause():
    assert {cause.value for cause in HoldCause} == set(CONTROLS.HOLDS)


@pytest.mark.parametrize("name", ROWS)
def test_every_proof_exists_and_every_number_is_known(name):
    row = ROWS[name]
    assert "" == fault_of(row.test)
    assert row.controls
    assert row.capabilities
    assert set(row.controls) <= set(CONTROLS.CONTROLS)
    assert set(row.capabilities) <= set(CONTROLS.CAPABILITIES)


@pytest.mark.parametrize("check", RISK_CHECKS, ids=lambda check: check.__name__)
def test_a_checks_proof_is_of_that_check(check):
    assert CONTROLS.CHECKS[check.__name__].test.endswith(f"[{check.__name__}]")


@pytest.mark.parametrize("cause", HoldCause, ids=lambda cause: cause.value)
def test_a_causes_proof_speaks_of_that_cause(cause):
    """A test of something else would be no proof."""
    file, _, name = CONTROLS.HOLDS[cause.value].test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    source = ast.get_source_segment(text, function) or ""
    called = [
        one.func.id
        for one in ast.walk(function)
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
    ]
    helpers = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name in called]
    source += "".join(ast.get_source_segment(text, one) or "" for one in helpers)
    assert cause.value in source or cause.name in source


def tags() -> list[str]:
    return [str(kind.__struct_config__.tag) for kind in get_args(Refusal)]


def shown_in(test: str) -> set[str]:
    """The refusals that a test waits for in a running bot."""
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    calls = [
        one for one in ast.walk(function) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
    ]
    waits = [one.args[1] for one in calls if one.func.id == "comes_to_refuse"]  # type: ignore[attr-defined]
    return {str(one.value) for one in waits if isinstance(one, ast.Constant)}


def test_every_refusal_has_a_whole_run_that_shows_it():
    """Of the vocabulary: a refusal that nothing running ever gave may be fed by nothing at all."""
    assert tags() == list(CONTROLS.REFUSALS)


@pytest.mark.parametrize("tag", tags())
def test_that_run_is_one_of_processes_and_waits_for_this_refusal(tag):
    test = CONTROLS.REFUSALS[tag]
    assert "" == fault_of(test)
    assert test.startswith("tests/process/")
    assert tag in shown_in(test)


def test_every_capability_is_used():
    used = {number for row in ROWS.values() for number in row.capabilities}
    assert used == set(CONTROLS.CAPABILITIES)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("tests/core/test_nothing.py::test_x", "no such file"),
        ("tests/core/test_limits.py::test_that_is_not_there", "has no test_that_is_not_there"),
        ("tests/core/test_limits.py::test_a_change_needs_a_reason[x]", "has no cases"),
    ],
)
def test_a_proof_that_is_not_there_is_reported(test, said):
    assert said in fault_of(test)
