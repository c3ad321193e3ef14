"""Mutation testing of the gate, the holds and the ladder: break one thing at a time, and see a test fail.

``python scripts/mutants.py [--minutes N] [PATH…]`` goes on where it stopped: what was judged is kept in
bench/mutants.json until its file or its tests change. A mutant is one change of one node in the body of a function.
The tests, but for the slow ones, are collected once, and run once to see which functions each of them enters; then every mutant gets a fork of
that process, in which the function's code is exchanged and the tests that enter it are run until one fails: those
that killed its neighbours first, then the quickest. One that no test notices has survived; it is listed with the reason
that REASONS gives for it, or with none.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "mutants.json"
TESTS_S_MAX: Final = 4  # so long the tests of one mutant are run, the quickest first
MUTANT_S_MAX: Final = 60  # one that runs so long has found a loop: killed
_GATE: Final = tuple(
    f"tests/core/test_{name}.py"
    for name in (
        "gate_checks",
        "gate_screen",
        "rates",
        "self_match",
        "parents",
        "amend",
        "limits",
        "reference",
        "exit_plan",
        "flatten",
        "drawdown",
        "fills",
    )
)
_CHECKS: Final = ("tests/core/test_gate_alone.py", *_GATE)
_GATE_TOO: Final = (*_GATE, "tests/core/test_gate_amend.py")
_HOLDS: Final = ("tests/core/test_holds.py", "tests/core/test_ladder.py", "tests/core/test_drawdown.py")
_HOLDS_TOO: Final = (*_HOLDS, "tests/core/test_remedies.py", "tests/core/test_people.py")
TARGETS: Final = {
    "core/gate/checks.py": _CHECKS,
    "core/gate/reference_checks.py": _GATE_TOO,
    "core/gate/desk.py": _GATE_TOO,
    "core/gate/gate.py": _GATE_TOO,
    "core/gate/exposure.py": _GATE_TOO,
    "core/gate/resting.py": ("tests/core/test_self_match.py", "tests/core/test_amend.py"),
    "core/holds/rules.py": _HOLDS_TOO,
    "core/holds/table.py": _HOLDS_TOO,
    "core/holds/ladder.py": _HOLDS_TOO,
    "core/step/ladder.py": _HOLDS_TOO,
    "core/orders/parents.py": ("tests/core/test_parents.py",),
}
_SAME: Final = "equivalent: where both are equal, either is taken"
_SIDE: Final = "equivalent: a side is plus or minus one"
REASONS: Final[dict[str, str]] = {
    "makes_sense: 0 -> 1": "an order of one tick is outside every collar: the collar says so instead",
    "makes_sense: 0 -> 1 (2)": "a trigger of one tick is outside every collar: the collar says so instead",
    "priced_from_fresh_data: 0 -> 1": "equivalent: an accepted quote has two prices above zero, crossed never",
    "not_a_duplicate: if window_ns": "equivalent: nothing is remembered where there is no window",
    "within_order_limits: limits.order_lots_max < limit -> limits.order_lots_max <= limit": _SAME,
    "near_its_decision: price > quote.ask_ticks -> price >= quote.ask_ticks": _SAME,
    "near_its_decision: price < quote.bid_ticks -> price <= quote.bid_ticks": _SAME,
    "notional_at_worst_e8: other > side -> other >= side": _SAME,
    "notional_at_worst_e8: market.mark_ticks > price -> market.mark_ticks >= price": _SAME,
    "notional_at_worst_e8: market.last_ticks > price -> market.last_ticks >= price": _SAME,
    "notional_at_worst_e8: asked > price -> asked >= price": _SAME,
    "plainly_permitted: price > exposure.value_ticks -> price >= exposure.value_ticks": _SAME,
    "plainly_permitted: least > lots -> least >= lots": _SAME,
    "not_a_duplicate: 0 -> 1": "no order that passes has a price of none or of one tick: the two are not mixed up",
    "judge: if desk.account.duplicate_window_ns: _remember(intent, desk) -> if True: _remember(intent, desk)": (
        "equivalent but for time: what is remembered is not asked for where there is no window"
    ),
    "_Without.__init__: side > 0 -> side >= 0": _SIDE,
    "_Without.__init__: side < 0 -> side <= 0": _SIDE,
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
    """One change: its name, where, of which function (``check``, ``Desk.limit``), and that function's code with it."""

    name: str
    line: int
    owner: str
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
        nodes = [node for part in function.body for node in ast.walk(part)]
        for change in [change for node in nodes for change in _changes(node)]:
            was, before = ast.unparse(change.shown), getattr(change.holder, change.attribute)
            setattr(change.holder, change.attribute, change.value)
            text = f"{owner}: {_short(was)} -> {_short(ast.unparse(change.shown))}"
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
            setattr(change.holder, change.attribute, before)
            seen[text] = seen.get(text, 0) + 1
            name = text if seen[text] == 1 else f"{text} ({seen[text]})"
            found.append(Mutant(name, getattr(change.shown, "lineno", 0), owner, _code_of(code, owner)))
    return found


def _code_of(module: CodeType, owner: str) -> CodeType:
    """A function's code within that of its module."""
    code = module
    for name in owner.split("."):
        code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)
    return code


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


class Trial:
    """The mutants of one module, and what is known of them."""

    def __init__(self, name: str, of: str, results: dict[str, Any], *, again: bool) -> None:
        self.name = name
        self.path = ROOT / "src" / "holdfast" / name
        self.module = importlib.import_module(".".join(("holdfast", *Path(name).with_suffix("").parts)))
        self._of = of
        self._results = results
        kept = results.get(name, {})
        self.verdicts: dict[str, str] = {}
        if kept.get("of") == of:
            self.verdicts = kept["verdicts"]
        elif again and kept.get("of", "").partition(" ")[0] == of.partition(" ")[0]:
            self.verdicts = {
                what: verdict for what, verdict in kept["verdicts"].items() if verdict == "killed"
            }
        self._whole = mutants_of(self.path)
        self.todo = [mutant for mutant in self._whole if mutant.name not in self.verdicts]

    def keep(self) -> None:
        """Write down what is known by now, and say it."""
        row = self._results[self.name] = _row(self._of, self._whole, self.verdicts)
        RESULTS.write_text(json.dumps(self._results, indent=1) + "\n")
        survived, todo = len(row["survived"]), row["not_yet"]
        print(
            f"{self.name}: {row['killed']} killed, {survived} survived, {todo} of {row['mutants']} not yet",
            flush=True,
        )


class Bench:
    """The collected tests of some targets, as a plugin: its run of them is the trial of every mutant."""

    def __init__(self, trials: list[Trial], until: float) -> None:
        self._trials = trials
        self._until = until
        self._items: list[pytest.Item] = []
        self._took_s: list[float] = []
        self._entered: list[set[tuple[str, str]]] = []
        self.clean = True

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own."""
        self._items = session.items
        self._look()
        last: dict[tuple[str, str], list[int]] = {}
        for trial in self._trials if self.clean else ():
            for mutant in trial.todo:
                if time.monotonic() > self._until:
                    return True
                entered = str(trial.path), mutant.owner
                of = [number for number, names in enumerate(self._entered) if entered in names]
                of.sort(key=self._took_s.__getitem__)
                first = last.setdefault(entered, [])
                killer = self._killer(
                    trial, mutant, [*first, *(number for number in of if number not in first)]
                )
                trial.verdicts[mutant.name] = "survived" if killer is None else "killed"
                if killer is not None and killer >= 0:
                    if killer in first:
                        first.remove(killer)
                    first.insert(0, killer)
            trial.keep()
        return True

    def _look(self) -> None:
        """Run all tests as they are, and note how long each takes and which functions it enters."""
        files = {str(trial.path) for trial in self._trials}
        for item in self._items:
            names: set[tuple[str, str]] = set()

            def enters(
                frame: FrameType, _event: str, _arg: object, names: set[tuple[str, str]] = names
            ) -> None:
                code = frame.f_code
                if code.co_filename in files:
                    names.add((code.co_filename, code.co_qualname.partition(".<locals>")[0]))

            before = time.perf_counter()
            sys.settrace(enters)
            try:
                self.clean &= _passes(item)
            finally:
                sys.settrace(None)
            self._took_s.append(time.perf_counter() - before)
            self._entered.append(names)

    def _killer(self, trial: Trial, mutant: Mutant, order: list[int]) -> int | None:
        """The number of the test that fails; -1: it ran into a loop; None: all pass."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(MUTANT_S_MAX)
            live: Any = trial.module
            for name in mutant.owner.split("."):
                live = vars(live)[name]
            getattr(live, "fget", live).__code__ = mutant.code
            began = time.monotonic()
            for number in order:
                if time.monotonic() - began > TESTS_S_MAX:
                    break
                if not _passes(self._items[number]):
                    os.write(writing, str(number).encode())
                    os._exit(1)
            os._exit(0)
        os.close(writing)
        said = os.read(reading, 16)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        return None if status == 0 else int(said or b"-1")


def _passes(item: pytest.Item) -> bool:
    try:
        return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))
    except BaseException:  # noqa: BLE001 - broken invariants are raised past every handler on purpose
        return False


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
    words.add_argument(
        "--again",
        action="store_true",
        help="try what survived once more, where tests were added and none was weakened: what was killed stays so",
    )
    words.add_argument("--minutes", type=float, default=60.0)
    options = words.parse_args()
    until = time.monotonic() + options.minutes * 60
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for tests in dict.fromkeys(TARGETS[name] for name in options.paths):
        names = [name for name in options.paths if TARGETS[name] == tests]
        trials = []
        for name in names:
            path = ROOT / "src" / "holdfast" / name
            of = f"{digest(path)} {digest(*(ROOT / test for test in tests))}"
            trials.append(Trial(name, of, results, again=options.again))
        if any(trial.todo for trial in trials) and time.monotonic() < until:
            bench = Bench(trials, until)
            words = ["-q", "-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:xdist", "-o", "addopts="]
            words += ["-m", "not slow", "--import-mode=importlib"]
            pytest.main([*words, "--no-header", "--no-summary", "-W", "ignore", *tests], plugins=[bench])
            if not bench.clean:
                print(f"{', '.join(names)}: the tests fail without any mutant")
                return 1
        for trial in trials:
            trial.keep()
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
