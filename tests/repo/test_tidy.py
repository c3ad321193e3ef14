"""The code keeps the rules that a linter cannot know; and each rule is seen to bite."""

import pytest

from tests.repo import tables, tidy
from tests.repo.reading import SOURCE, Module, modules, report

RULES = [tidy.sealed, tidy.floats, tidy.swallowed, tidy.opens, tidy.prints, tidy.sleeps, tidy.exports]


def rule_name(rule: object) -> str:
    return getattr(rule, "__name__", "")


def findings(rule: tidy.Rule, path: str, text: str) -> int:
    return len(rule(Module.of(path, text)))


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_the_source_is_tidy(rule):
    found = [finding for module in modules() for finding in rule(module)]
    assert not found, report(found)


def test_the_core_iterates_over_nothing_unordered():
    """Two replays of one day must make the same orders."""
    attributes = tidy.set_attributes(modules())
    found = [finding for module in modules() for finding in tidy.set_iteration(module, attributes)]
    assert not found, report(found)


@pytest.mark.parametrize("table", tables.EXCEPTIONS)
def test_every_exception_has_a_reason_and_a_place(table):
    """An exception for a file that is gone would quietly cover the next file of that name."""
    for home, reason in tables.EXCEPTIONS[table].items():
        assert len(reason.split()) >= 3, f"{table}[{home!r}] needs a reason"
        if not home.endswith("/"):
            package = SOURCE / home.split("/")[0]
            assert (SOURCE / home).is_file() or not package.exists(), f"{table}[{home!r}] names no file"


# --- the rules bite -------------------------------------------------------------------------------

CORE = "core/orders/manager.py"
BITES = [
    (tidy.sealed, CORE, "x = Approved(order=1)"),
    (tidy.sealed, CORE, "x = intents.Approved(order=1)"),
    (tidy.sealed, CORE, "from holdfast.vocab import Approved as Ok\nx = Ok()"),
    (tidy.sealed, CORE, "x = msgspec.convert(row, Approved)"),
    (tidy.sealed, CORE, "x = msgspec.json.Decoder(type=Approved)"),
    (tidy.sealed, CORE, "x = Approved.__new__(Approved)"),
    (tidy.sealed, CORE, "Passed = Approved"),
    (tidy.sealed, CORE, "class Mine(Approved): ..."),
    (tidy.floats, CORE, "x = 0.5"),
    (tidy.floats, CORE, "x = 1e9"),
    (tidy.floats, CORE, "x = float(y)"),
    (tidy.floats, CORE, "x: float = y"),
    (tidy.floats, CORE, "x = y / z"),
    (tidy.floats, CORE, "x /= z"),
    (tidy.floats, CORE, "x = 10 ** -8"),
    (tidy.floats, CORE, "import math\nx = math.sqrt(2)"),
    (tidy.floats, CORE, "from math import log as l\nx = l(2)"),
    (tidy.floats, "vocab/orders.py", "x = ticks / 10"),
    (tidy.floats, "vocab/units.py", "x = 0.5"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept: raise"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept ValueError: pass"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept ValueError: ..."),
    (tidy.swallowed, "venues/transport.py", "for x in y:\n try: f()\n except (KeyError, OSError): continue"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept ValueError:\n '''why'''\n pass"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept BaseException: g()"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept (OSError, BaseException): g()"),
    (tidy.swallowed, "venues/transport.py", "with contextlib.suppress(Exception): f()"),
    (tidy.opens, CORE, "open('x')"),
    (tidy.opens, "runtime/loop.py", "os.open('x', 0)"),
    (tidy.opens, "runtime/loop.py", "from io import open as o\no('x')"),
    (tidy.opens, "runtime/loop.py", "path.write_text('x')"),
    (tidy.prints, "runtime/loop.py", "print('x')"),
    (tidy.prints, "runtime/loop.py", "import sys\nsys.stderr.write('x')"),
    (tidy.sleeps, "watchdog/main.py", "import time\ntime.sleep(1)"),
    (tidy.sleeps, "watchdog/main.py", "from time import sleep\nsleep(1)"),
    (tidy.sleeps, "watchdog/main.py", "from time import sleep as nap\nnap(1)"),
    (tidy.sleeps, "watchdog/main.py", "import time as t\nt.sleep(1)"),
    (tidy.exports, "vocab/__init__.py", "from holdfast.vocab.ids import OrderId"),
    (tidy.exports, "vocab/__init__.py", "from a import B, C\n__all__ = ['B']"),
    (tidy.exports, "vocab/__init__.py", "from a import B\n__all__ = ['B', 'C']"),
    (tidy.exports, "vocab/__init__.py", "from a import B\n__all__ = ['B', 'B']"),
    (tidy.exports, "vocab/__init__.py", "from a import B\n__all__ = [name for name in names]"),
    (tidy.exports, "vocab/__init__.py", "import os\n__all__ = []"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BITES)
def test_a_broken_rule_is_reported(rule, path, text):
    assert findings(rule, path, text) >= 1


PASSES = [
    (tidy.sealed, "core/gate/gate.py", "x = Approved(order=1)"),
    (tidy.sealed, CORE, "def submit(approved: Approved) -> None:\n assert isinstance(approved, Approved)"),
    (tidy.sealed, CORE, "match x:\n case Approved(): y()"),
    (
        tidy.floats,
        CORE,
        "x = y // z\nx = 10 ** 8\nimport math\nx = math.isqrt(4)\nassert not isinstance(x, float)",
    ),
    (tidy.floats, "vocab/units.py", "x = Decimal(1) / unit"),
    (tidy.floats, "sim/book.py", "x = 0.5 / float(y)"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept BaseException:\n g()\n raise"),
    (tidy.swallowed, "venues/transport.py", "try: f()\nexcept OSError as error: x = Unknown(error)"),
    (tidy.swallowed, "venues/transport.py", "with contextlib.suppress(FileNotFoundError): f()"),
    (tidy.opens, "journal/segments.py", "os.open('x', 0)"),
    (tidy.opens, "runtime/loop.py", "journal.open('x')"),
    (tidy.prints, "ops/ctl.py", "print('x')"),
    (tidy.sleeps, "runtime/timers.py", "await asyncio.sleep(1)"),
    (tidy.exports, "__init__.py", "__version__ = '1'\n__all__ = ['__version__']"),
    (tidy.exports, "vocab/__init__.py", "'''Only words.'''"),
    (tidy.exports, "vocab/__init__.py", "from a import B as B\n_x = 1\n__all__ = ['B']"),
    (tidy.exports, "vocab/__init__.py", "__all__ = ['B']\ndef __getattr__(name): ..."),
    (tidy.exports, "vocab/ids.py", "x = 1"),
]


@pytest.mark.parametrize(("rule", "path", "text"), PASSES)
def test_a_kept_rule_is_not_reported(rule, path, text):
    """A rule that cries wolf is switched off by the next person in a hurry."""
    assert 0 == findings(rule, path, text)


@pytest.mark.parametrize(
    "text",
    [
        "for x in {1, 2}: f(x)",
        "for x in set(y): f(x)",
        "y = [f(x) for x in frozenset(z)]",
        "def f(seen: set[int]) -> None:\n for x in seen: g(x)",
        "def f() -> None:\n seen = {1} | other\n for x in seen: g(x)",
        "def f() -> None:\n seen: set[int] = g()\n return list(seen)",
        "class A:\n live: frozenset[int]\ndef f(a: A) -> None:\n for x in a.live: g(x)",
        "class A:\n def __init__(self):\n  self.live: set[int] = g()\n def f(self): return self.live.pop()",
        "x = ','.join({'a', 'b'})",
        "x = [*{1, 2}]",
        "x = max({1, 2}, key=f)",
        "x = a.union(b)\nfor y in x: f(y)",
    ],
)
def test_iterating_over_a_set_in_core_is_reported(text):
    assert len(tidy.set_iteration(Module.of(CORE, text))) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "for x in sorted({1, 2}): f(x)",
        "x = sum(y.size for y in {a, b})",
        "x = 1 in {1, 2}",
        "x = {f(y) for y in {1, 2}}",
        "for x in {1: 2}: f(x)",
        "def f(seen: list[int]) -> None:\n for x in seen: g(x)",
        "def f(seen: set[int]) -> None: ...\ndef g(seen: list[int]) -> None:\n for x in seen: h(x)",
    ],
)
def test_ordered_or_order_blind_walks_are_not_reported(text):
    assert not tidy.set_iteration(Module.of(CORE, text))


def test_a_set_field_of_the_vocabulary_is_known_in_the_core():
    vocab = Module.of("vocab/holds.py", "class Hold:\n scopes: frozenset[str]")
    core = Module.of(CORE, "def f(hold):\n for scope in hold.scopes: g(scope)")
    assert 1 == len(tidy.set_iteration(core, tidy.set_attributes((vocab, core))))
