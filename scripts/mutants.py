"""Mutation testing of the gate, the holds and the ladder: break one thing at a time, and see a test fail.

``python scripts/mutants.py [--minutes N] [PATH…]`` goes on where it stopped: what was judged is kept in
bench/mutants.json until its file or its tests change. A mutant is one change of one node of the syntax tree, made in
memory, in a process of its own in which the tests are run until one fails. One that no test notices has survived; it is
listed with the reason that REASONS gives for it, or with none.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib.abc
import importlib.util
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "mutants.json"
MUTANT_S_MAX: Final = 120  # one that runs so long has found a loop: killed
_GATE: Final = (
    "tests/core/test_gate_checks.py",
    "tests/core/test_gate_screen.py",
    "tests/core/test_rates.py",
    "tests/core/test_self_match.py",
    "tests/core/test_parents.py",
    "tests/core/test_flatten.py",
    "tests/core/test_amend.py",
    "tests/core/test_limits.py",
)
_HOLDS: Final = ("tests/core/test_holds.py", "tests/core/test_ladder.py", "tests/core/test_drawdown.py")
TARGETS: Final = {
    "core/gate/checks.py": _GATE,
    "core/gate/desk.py": _GATE,
    "core/gate/gate.py": _GATE,
    "core/gate/exposure.py": _GATE,
    "core/gate/resting.py": ("tests/core/test_self_match.py",),
    "core/orders/parents.py": ("tests/core/test_parents.py",),
    "core/holds/table.py": _HOLDS,
    "core/holds/ladder.py": _HOLDS,
}
REASONS: Final[dict[str, str]] = {
    "makes_sense: 0 -> 1": "an order of one tick is outside every collar: the collar says so instead",
    "makes_sense: 0 -> 1 (2)": "a trigger of one tick is outside every collar: the collar says so instead",
    "priced_from_fresh_data: 0 -> 1": "equivalent: an accepted quote has two prices above zero, crossed never",
    "not_a_duplicate: if window_ns": "equivalent: nothing is remembered where there is no window",
}
_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_NAMES: Final = {"min": "max", "max": "min"}


class Mutant(NamedTuple):
    """One change: its name, where, and the whole module with it."""

    name: str
    line: int
    code: CodeType


class _Change(NamedTuple):
    """One attribute of one node at another value. ``shown``: the node whose text tells it."""

    shown: ast.AST
    holder: ast.AST
    attribute: str
    value: Any


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of a module, in the order of its text."""
    tree = ast.parse(path.read_text())
    seen: dict[str, int] = {}
    found: list[Mutant] = []
    for owner, function in _functions(tree):
        for change in [change for node in ast.walk(function) for change in _changes(node)]:
            was, before = ast.unparse(change.shown), getattr(change.holder, change.attribute)
            setattr(change.holder, change.attribute, change.value)
            text = f"{owner}: {_short(was)} -> {_short(ast.unparse(change.shown))}"
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
            setattr(change.holder, change.attribute, before)
            seen[text] = seen.get(text, 0) + 1
            name = text if seen[text] == 1 else f"{text} ({seen[text]})"
            found.append(Mutant(name, getattr(change.shown, "lineno", 0), code))
    return found


def _short(text: str) -> str:
    return " ".join(text.split())[:120]


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def _changes(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                if type(op) in _SWAPS:
                    swapped = [*ops[:place], _SWAPS[type(op)](), *ops[place + 1 :]]
                    yield _Change(node, node, "ops", swapped)
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _SWAPS:
            yield _Change(node, node, "op", _SWAPS[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _Change(node, node, "operand", ast.UnaryOp(op=ast.Not(), operand=operand))
        case ast.Constant(value=bool() as value):
            yield _Change(node, node, "value", not value)
        case ast.Constant(value=int() as value):
            yield _Change(node, node, "value", value + 1)
        case ast.Call(func=ast.Name(id=name) as func) if name in _NAMES:
            yield _Change(node, func, "id", _NAMES[name])
        case ast.If():
            yield _Change(node, node, "test", ast.Constant(value=False))
            yield _Change(node, node, "test", ast.Constant(value=True))
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield _Change(node, node, "value", ast.Constant(value=None))


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module of the product its mutant, and leaves every other import alone."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self._module, self._path, self._code = module, path, code

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: Any) -> None:
        exec(self._code, module.__dict__)


def killed(path: Path, run: Callable[[], bool], mutant: Mutant | None) -> bool:
    """Whether a run of tests is not clean, in a child process of its own; without a mutant: whether it ever is."""
    child = os.fork()
    if child == 0:
        signal.alarm(MUTANT_S_MAX)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if mutant is not None:
            module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
            sys.meta_path.insert(0, _Mutated(module, path, mutant.code))
        clean = False
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(BaseException):
            clean = run()
        os._exit(0 if clean else 1)
    _, status = os.waitpid(child, 0)
    return status != 0


def the_table() -> bool:
    """The gate's table alone, and its screen on two seeds: a fraction of a second, and nearly every mutant of the gate."""
    from tests.core.gate_cases import CASES
    from tests.core.test_gate_checks import verdict
    from tests.core.test_gate_screen import test_the_screen_and_the_checks_agree_on_plain_orders as agree

    for seed in range(2):
        agree(seed)
    return all(one.refusal == verdict(one) for one in CASES)


def files(tests: tuple[str, ...]) -> bool:
    """Whole files, up to the first that fails."""
    words = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", "-W", "ignore", *tests]
    return pytest.main(words) == 0


def digest(*paths: Path) -> str:
    """What a verdict was reached about: the code and the tests."""
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument(
        "paths", nargs="*", default=list(TARGETS), help="of src/holdfast; all where none is named"
    )
    words.add_argument("--minutes", type=float, default=60.0)
    options = words.parse_args()
    until = time.monotonic() + options.minutes * 60
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in options.paths:
        tests = TARGETS[name]
        path = ROOT / "src" / "holdfast" / name
        of = digest(path, *(ROOT / test for test in tests))
        kept = results.get(name, {})
        verdicts: dict[str, str] = kept.get("verdicts", {}) if kept.get("of") == of else {}
        whole = mutants_of(path)
        todo = [mutant for mutant in whole if mutant.name not in verdicts]
        whole_files = partial(files, tests)
        if todo and killed(path, the_table if tests is _GATE else whole_files, None):
            print(f"{name}: its tests fail without any mutant")
            return 1
        for mutant in todo:
            if time.monotonic() > until:
                break
            noticed = (tests is _GATE and killed(path, the_table, mutant)) or killed(
                path, whole_files, mutant
            )
            verdicts[mutant.name] = "killed" if noticed else "survived"
            results[name] = _row(of, whole, verdicts)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        results[name] = _row(of, whole, verdicts)
        row = results[name]
        print(
            f"{name}: {row['killed']} killed, {len(row['survived'])} survived, {row['not_yet']} of {row['mutants']} not yet"
        )
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def reason_of(name: str) -> str:
    """Why a survivor may live, by its name or the beginning of it; empty where nobody has said."""
    return REASONS.get(name, "") or next(
        (why for start, why in REASONS.items() if start.endswith("window_ns") and name.startswith(start)), ""
    )


def _row(of: str, whole: list[Mutant], verdicts: dict[str, str]) -> dict[str, Any]:
    survived = [mutant for mutant in whole if verdicts.get(mutant.name) == "survived"]
    return {
        "of": of,
        "mutants": len(whole),
        "killed": sum(verdicts.get(mutant.name) == "killed" for mutant in whole),
        "not_yet": sum(mutant.name not in verdicts for mutant in whole),
        "survived": [{"line": one.line, "what": one.name, "reason": reason_of(one.name)} for one in survived],
        "verdicts": verdicts,
    }


if __name__ == "__main__":
    sys.exit(main())
