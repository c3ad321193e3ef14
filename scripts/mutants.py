"""Mutation testing of the gate, the holds and the ladder: break one thing at a time, and see a test fail.

``python scripts/mutants.py [--minutes N] [PATH…]`` goes on where it stopped: what was judged is kept in
bench/mutants.json. That a mutant is killed holds until its module or any test of the core changes; then it is judged
again, by the test that killed it last time first. That it survived is listed until somebody asks again (``--again``,
which takes it that tests were added and none was weakened).

A mutant is one change of one node in the body of a function. The tests of the core but for the slow ones are collected
once in one process; where a mutant needs more than the test that killed it before, they are run once to see which lines
each of them executes. Every mutant gets a fork of that process, in which the function's code is exchanged and the tests
that execute its lines are run until one fails: those that killed its neighbours first, then the quickest. One that no
test notices has survived; it is listed with the reason that REASONS gives for it, or with none.
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
from types import CodeType
from typing import Any, Final, NamedTuple

import coverage
import hypothesis
import pytest
from _pytest.runner import runtestprotocol

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "mutants.json"
TESTS: Final = "tests/core"
TESTS_S_MAX: Final = 1  # of the processor: so long the tests of one mutant are run, the quickest first
MUTANT_S_MAX: Final = 20  # the same: one that runs so long has found a loop: killed
TARGETS: Final = (
    "core/gate/checks.py",
    "core/gate/reference_checks.py",
    "core/gate/flow_checks.py",
    "core/gate/desk.py",
    "core/gate/flow.py",
    "core/gate/gate.py",
    "core/gate/basket.py",
    "core/gate/exposure.py",
    "core/gate/resting.py",
    "core/holds/rules.py",
    "core/holds/table.py",
    "core/holds/ladder.py",
    "core/step/ladder.py",
    "core/step/equity.py",
    "core/orders/parents.py",
)
_SAME: Final = "equivalent: where both are equal, either is taken"
_SIDE: Final = "equivalent: a side is plus or minus one"
_NONE: Final = "equivalent: any number below zero says that there is none"
_FIRST: Final = "equivalent: something else is put there before anybody reads it"
_TIME: Final = "equivalent but for time"
REASONS: Final[dict[str, str]] = {  # by the mutant's name; … stands for whatever is there
    "priced_from_fresh_data: 0 -> 1": "equivalent: an accepted quote has two prices above zero, crossed never",
    "not_a_duplicate: if window_ns: … -> if True:": "equivalent: nothing is remembered where there is no window",
    "within_order_limits: limits.order_lots_max < limit -> limits.order_lots_max <= limit": _SAME,
    "near_its_decision: price > quote.ask_ticks -> price >= quote.ask_ticks": _SAME,
    "near_its_decision: price < quote.bid_ticks -> price <= quote.bid_ticks": _SAME,
    "notional_at_worst_e8: other > side -> other >= side": _SAME,
    "notional_at_worst_e8: market.mark_ticks > price -> market.mark_ticks >= price": _SAME,
    "notional_at_worst_e8: market.last_ticks > price -> market.last_ticks >= price": _SAME,
    "notional_at_worst_e8: asked > price -> asked >= price": _SAME,
    "within_the_rate: if intent.mono_ns - asked.ring[… -> if True:": f"{_TIME}: where nobody can be over, counting finds nobody",
    "within_the_rate: intent.mono_ns - asked.ring[… <= NS_PER_S": f"{_TIME}: where nobody can be over, counting finds nobody",
    "plainly_permitted: if exposure.moves_seen != market.moves_count: … -> if True:": f"{_TIME}: nothing moved",
    "plainly_permitted: price > exposure.value_ticks -> price >= exposure.value_ticks": _SAME,
    "plainly_permitted: least > lots -> least >= lots": _SAME,
    "AskedWindow.sized: -rates.trip_fewest - 1 -> -rates.trip_fewest + 1": f"{_TIME}: counted earlier, and not over",
    "AccountDesk.fold_day: 1 -> 2": _NONE,
    "AccountDesk.mark: 1 -> 2": _NONE,
    "AccountDesk.mark: equity_e8 <= 0 -> equity_e8 < 0": "equivalent: by an equity of zero nothing is allowed either",
    "AccountDesk.mark: 0 -> 1": "equivalent: no order is worth as little as the least equity would allow",
    "Desk.__init__: 0 -> 1": "equivalent: when hours open is told only where there are any",
    "Desk.__init__: True -> False": _FIRST + ", and a desk is HALTED until then",
    "Desk.__init__: 1 -> 2 (2)": f"{_TIME}: one lot at one tick is asked check by check",
    "AskedWindow.counted_for: if intent is self.ring[-1]: … -> if True:": f"{_TIME}: known for the newest alone",
    "climb: move.places is not None -> move.places is None": "equivalent: a hold that stands is not placed again",
    "Parents.supposing: if parent is not None: … -> if True:": "equivalent: a copy of none is none",
    "Together.refusal_of: if desk.account.duplicate_window_ns: … -> if True:": f"{_TIME}: asked for in a window only",
    "Together.refusal_of: if intent.child_of is not None: … -> if True:": f"{_TIME}: asked for by a child only",
    "Flow.used_e8: side > 0 -> side >= 0": _SIDE,
    "Flow.take: side > 0 -> side >= 0": _SIDE,
    "judge: 1 -> 2": _NONE,
    "_let_through: if desk.account.duplicate_window_ns: … -> if True:": f"{_TIME}: what is remembered is asked for in a window only",
    "_Without.__init__: side > 0 -> side >= 0": _SIDE,
    "_Without.__init__: side < 0 -> side <= 0": _SIDE,
    "_Without.__init__: 0 -> 1 (4)": _SIDE,
    "Exposure.__init__: 0 -> 1 (3)": _FIRST,
    "Exposure.__init__: 0 -> 1 (4)": _FIRST,
    "Exposure.__init__: 0 -> 1 (5)": _FIRST,
    "Exposure.__init__: 1 -> 2": _NONE,
    "Exposure.__init__: 1 -> 2 (2)": _NONE,
    "Exposure.collar: 1 -> 2": _NONE,
    "Exposure.band: 1 -> 2": _NONE,
    "Exposure.join: if self.summed: … -> if True:": f"{_TIME}: where no limit needs the sums nobody reads them",
    "Exposure.reprice: edge > lowest -> edge >= lowest": _SAME,
    "Exposure.reprice: edge < highest -> edge <= highest": _SAME,
    "Exposure.reprice: mark > value -> mark >= value": _SAME,
    "Exposure.reprice: market.last_ticks > value -> market.last_ticks >= value": _SAME,
    "Exposure.reprice: lowest > self.band_low_ticks -> lowest >= self.band_low_ticks": _SAME,
    "Exposure.reprice: highest < self.band_high_ticks -> highest <= self.band_high_ticks": _SAME,
    "Exposure.recount: other > lots -> other >= lots": _SAME,
    "Exposure.recount: if self.moves_seen != self.market.moves_count: … -> if True:": f"{_TIME}: nothing moved",
    "Exposure.recount: if self.summed: … -> if True:": f"{_TIME}: where no limit needs the sums nobody reads them",
    "Resting.send: side > 0 -> side >= 0": _SIDE,
    "Resting.send: price_ticks > self.bid_ticks -> price_ticks >= self.bid_ticks": _SAME,
    "Resting.send: price_ticks < self.ask_ticks -> price_ticks <= self.ask_ticks": _SAME,
    "Resting._place: side > 0 -> side >= 0": _SIDE,
    "Resting._place: side > 0 -> side >= 0 (2)": _SIDE,
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
_LOOP: Final = "a loop without an end"


class Mutant(NamedTuple):
    """One change: its name, the lines it stands on, its function (``check``, ``Desk.limit``), and that one's code."""

    name: str
    lines: range
    owner: str
    code: CodeType


class _Change(NamedTuple):
    """One attribute of one node at another value. ``shown``: the node whose text tells it; ``at``: what is evaluated."""

    shown: ast.AST
    holder: ast.AST
    attribute: str
    value: Any
    at: ast.AST


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of a module, in the order of its text."""
    tree = ast.parse(path.read_text())
    seen: dict[str, int] = {}
    found: list[Mutant] = []
    for owner, function in _functions(tree):
        nodes = [node for part in function.body for node in ast.walk(part)]
        for change in [change for node in nodes for change in _changes(node)]:
            was, before = ast.unparse(change.shown), getattr(change.holder, change.attribute)
            lines = range(change.at.lineno, (change.at.end_lineno or change.at.lineno) + 1)  # type: ignore[attr-defined]
            setattr(change.holder, change.attribute, change.value)
            text = f"{owner}: {_short(was)} -> {_short(ast.unparse(change.shown))}"
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
            setattr(change.holder, change.attribute, before)
            seen[text] = seen.get(text, 0) + 1
            name = text if seen[text] == 1 else f"{text} ({seen[text]})"
            found.append(Mutant(name, lines, owner, _code_of(code, owner)))
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
                    yield _Change(node, node, "ops", swapped, node)
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _SWAPS:
            yield _Change(node, node, "op", _SWAPS[type(op)](), node)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _Change(node, node, "operand", ast.UnaryOp(op=ast.Not(), operand=operand), node)
        case ast.Constant(value=bool() as value):
            yield _Change(node, node, "value", not value, node)
        case ast.Constant(value=int() as value):
            yield _Change(node, node, "value", value + 1, node)
        case ast.Call(func=ast.Name(id=name) as func) if name in _NAMES:
            yield _Change(node, func, "id", _NAMES[name], node)
        case ast.If(test=test):
            yield _Change(node, node, "test", ast.Constant(value=False), test)
            yield _Change(node, node, "test", ast.Constant(value=True), test)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield _Change(node, node, "value", ast.Constant(value=None), node)


class Trial:
    """The mutants of one module, and what is known of them. ``killers``: of each the test that killed it last; ``killed``:
    of which that holds for these very files.
    """

    def __init__(self, name: str, of: str, results: dict[str, Any], *, again: bool) -> None:
        self.name = name
        self.path = ROOT / "src" / "holdfast" / name
        self.module = importlib.import_module(".".join(("holdfast", *Path(name).with_suffix("").parts)))
        self._of = of
        self._results = results
        self._whole = mutants_of(self.path)
        row = results.get(name, {})
        names = {mutant.name for mutant in self._whole}
        self.killers = {
            mutant: test
            for test, those in row.get("killed_by", {}).items()
            for mutant in those
            if mutant in names
        }
        self.survived = set() if again else names & {one["what"] for one in row.get("survived", [])}
        known, now = row.get("of", ""), of
        if again:
            known, now = known.partition(" ")[0], of.partition(" ")[0]
        self.killed = self.killers.keys() - row["unproven"] if known == now else set()
        self.todo = [mutant for mutant in self._whole if mutant.name not in self.killed | self.survived]

    def take(self, mutant: Mutant, killer: str | None) -> None:
        """A verdict. ``killer``: the test that failed; None: it has survived."""
        self.todo.remove(mutant)
        if killer is None:
            self.survived.add(mutant.name)
            self.killers.pop(mutant.name, None)
        else:
            self.killed.add(mutant.name)
            self.killers[mutant.name] = killer

    def keep(self) -> None:
        """Write down what is known by now, and say it."""
        row = self._results[self.name] = self._row()
        RESULTS.write_text(json.dumps(self._results, indent=1) + "\n")
        print(
            f"{self.name}: {row['killed']} killed, {len(row['survived'])} survived,"
            f" {row['not_yet']} of {row['mutants']} not yet",
            flush=True,
        )

    def _row(self) -> dict[str, Any]:
        killed_by: dict[str, list[str]] = {}
        for mutant in self._whole:
            if mutant.name in self.killers:
                killed_by.setdefault(self.killers[mutant.name], []).append(mutant.name)
        judged = self.killed | self.survived
        return {
            "of": self._of,
            "mutants": len(self._whole),
            "killed": len(self.killed),
            "not_yet": len(self._whole) - len(judged),
            "survived": [
                {"line": one.lines.start, "what": one.name, "reason": REASONS.get(reason_of(one.name), "")}
                for one in self._whole
                if one.name in self.survived
            ],
            "unproven": sorted(self.killers.keys() - self.killed),
            "killed_by": dict(sorted(killed_by.items())),
        }


class Bench:
    """The collected tests, as a plugin: its run of them is the trial of every mutant."""

    def __init__(self, trials: list[Trial], until: float) -> None:
        self._trials = trials
        self._until = until
        self._items: list[pytest.Item] = []
        self._took_s: list[float] = []
        self._lines: dict[
            str, dict[int, list[str]]
        ] = {}  # module, line: the tests that execute it, by number
        self.failed: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own: by what killed each before, and where that is not enough by all there is."""
        self._items = session.items
        self._ask_again()
        if any(trial.todo for trial in self._trials) and not self.failed and time.monotonic() < self._until:
            self._look()
            for trial in () if self.failed else self._trials:
                self._try(trial)
        return True

    def _ask_again(self) -> None:
        numbers = {item.nodeid: number for number, item in enumerate(self._items)}
        clean: dict[int, bool] = {}  # whether a test passes without any mutant
        for trial in self._trials:
            for mutant in list(trial.todo):
                number = numbers.get(trial.killers.get(mutant.name, ""))
                if number is None or time.monotonic() > self._until:
                    continue
                if number not in clean:
                    clean[number] = _passes(self._items[number])
                if clean[number] and self._killer(trial, mutant, [number]) is not None:
                    trial.take(mutant, self._items[number].nodeid)
            trial.keep()

    def _try(self, trial: Trial) -> None:
        last: dict[str, list[int]] = {}  # by function: which tests killed mutants of it, the last first
        for mutant in list(trial.todo):
            if time.monotonic() > self._until:
                return
            first = last.setdefault(mutant.owner, [])
            killer = self._killer(trial, mutant, self._order(trial, mutant, first))
            if killer is None:
                trial.take(mutant, None)
                continue
            trial.take(mutant, _LOOP if killer < 0 else self._items[killer].nodeid)
            if killer in first:
                first.remove(killer)
            first.insert(0, killer)
        trial.keep()

    def _order(self, trial: Trial, mutant: Mutant, first: list[int]) -> list[int]:
        """The tests that execute a line of it, the most promising first."""
        by_line = self._lines[trial.name]
        there = {int(number) for line in mutant.lines for number in by_line.get(line, ()) if number}
        asked = sorted(there, key=self._took_s.__getitem__)
        return list(dict.fromkeys([*(number for number in first if number in there), *asked]))

    def _look(self) -> None:
        """Run all tests as they are, and note how long each takes and which lines it executes."""
        paths = [str(trial.path) for trial in self._trials]
        seen = coverage.Coverage(data_file=None, config_file=False, include=paths)
        seen.start()
        for number, item in enumerate(self._items):
            seen.switch_context(str(number))
            before = time.process_time()
            if not _passes(item):
                self.failed.append(item.nodeid)
            self._took_s.append(time.process_time() - before)
        seen.stop()
        data = seen.get_data()
        self._lines = {trial.name: data.contexts_by_lineno(str(trial.path)) for trial in self._trials}

    def _killer(self, trial: Trial, mutant: Mutant, order: list[int]) -> int | None:
        """The number of the test that fails; -1: it ran into a loop; None: all pass."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                self._child(trial, mutant, order, writing)
            finally:
                os._exit(1)
        os.close(writing)
        said = os.read(reading, 16)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        return None if status == 0 else int(said or b"-1")

    def _child(self, trial: Trial, mutant: Mutant, order: list[int], writing: int) -> None:
        """Exchange the code, run the tests, and never return."""
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, MUTANT_S_MAX)
        live: Any = trial.module
        for name in mutant.owner.split("."):
            live = vars(live)[name]
        getattr(live, "fget", live).__code__ = mutant.code
        began = time.process_time()
        for number in order:
            if time.process_time() - began > TESTS_S_MAX:
                break
            if not _passes(self._items[number]):
                os.write(writing, str(number).encode())
                os._exit(1)
        os._exit(0)


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
        help="try what survived once more, where tests were only added: what was killed stays so",
    )
    words.add_argument(
        "--tests", nargs="+", default=[TESTS], help="only these; what passes them counts as survived"
    )
    words.add_argument("--minutes", type=float, default=60.0)
    options = words.parse_args()
    until = time.monotonic() + options.minutes * 60
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    hypothesis.settings.register_profile("mutants", database=None, derandomize=True)
    hypothesis.settings.load_profile("mutants")
    kept: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = {name: kept[name] for name in TARGETS if name in kept}
    tests = digest(*sorted((*(ROOT / TESTS).glob("*.py"), *(ROOT / "tests" / "house").glob("*.py"))))
    trials = [
        Trial(name, f"{digest(ROOT / 'src' / 'holdfast' / name)} {tests}", results, again=options.again)
        for name in options.paths
    ]
    if any(trial.todo for trial in trials):
        bench = Bench(trials, until)
        said = ["-q", "-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:xdist", "-o", "addopts="]
        said += ["-m", "not slow", "--import-mode=importlib", "--no-header", "--no-summary", "-W", "ignore"]
        pytest.main([*said, *options.tests], plugins=[bench])
        if bench.failed:
            print("these tests fail without any mutant:", *bench.failed, sep="\n  ")
            return 1
    for trial in trials:
        trial.keep()
    rows = list(results.values())
    killed, whole = sum(row["killed"] for row in rows), sum(row["mutants"] for row in rows)
    print(f"{killed} of {whole} killed: {100 * killed / whole:.1f} %")
    named = {one["what"]: reason_of(one["what"]) for row in rows for one in row["survived"]}
    if not any(row["not_yet"] for row in rows):
        for name in sorted(REASONS.keys() - set(named.values())):
            print(f"a reason that no survivor needs: {name}")
        for name in sorted(name for name, known in named.items() if not known):
            print(f"survives without a reason: {name}")
    return 0


def reason_of(name: str) -> str:
    """The key in REASONS of a survivor; empty where nobody has said why it may live."""
    if name in REASONS:
        return name
    for key in REASONS:
        start, left_out, end = key.partition("…")
        if left_out and name.startswith(start) and end in name[len(start) :]:
            return key
    return ""


if __name__ == "__main__":
    sys.exit(main())
