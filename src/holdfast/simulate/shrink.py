"""A failing seed made small: fewer steps, fewer kinds of faults, the same broken rule; and kept as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.simulate.plan import KINDS
from holdfast.simulate.run import Outcome, run_seed

RUNS_MAX: Final = 40
_STEPS_MIN: Final = 50

Run = Callable[[int, int, frozenset[str]], Outcome]


class Saved(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seed that once failed, as kept in a file. ``rule``: what it broke; ``mended``: what was wrong, in words."""

    seed: int
    steps: int
    faults: tuple[str, ...]
    rule: str
    mended: str = ""


class SavedUnusable(Exception):
    """A file that is no saved seed: names it and the fault."""


def _plain(seed: int, steps: int, kinds: frozenset[str]) -> Outcome:
    return run_seed(seed, steps=steps, kinds=kinds)


def shrink(outcome: Outcome, *, steps: int, kinds: frozenset[str], run: Run = _plain) -> Saved:
    """The smallest plan found within so many runs that breaks the same rule. ``outcome`` is a failure."""
    runs = 0

    def fails(steps: int, kinds: frozenset[str]) -> bool:
        nonlocal runs
        runs += 1
        return run(outcome.seed, steps, kinds).rule == outcome.rule

    # what it broke in the storm it breaks as well when the storm ends right behind it
    if outcome.at_step < steps and fails(outcome.at_step, kinds):
        steps = outcome.at_step
    chunk = max(1, len(kinds) // 2)
    while chunk and runs < RUNS_MAX:
        for part in _parts(sorted(kinds), chunk):
            if runs < RUNS_MAX and fails(steps, kinds - part):
                kinds = kinds - part
        chunk //= 2
    while steps // 2 >= _STEPS_MIN and runs < RUNS_MAX and fails(steps // 2, kinds):
        steps //= 2
    return Saved(seed=outcome.seed, steps=steps, faults=tuple(sorted(kinds)), rule=outcome.rule)


def _parts(names: list[str], size: int) -> Iterable[frozenset[str]]:
    return [frozenset(names[start : start + size]) for start in range(0, len(names), size)]


def write_saved(saved: Saved, directory: Path) -> Path:
    """Keep it: one file a seed."""
    path = directory / f"{saved.seed}.json"
    directory.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n")
    return path


def read_saved(path: Path) -> Saved:
    """Errors: SavedUnusable, also for a fault that no simulation knows any more."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
    except (OSError, msgspec.DecodeError) as error:
        raise SavedUnusable(f"{path}: {error}") from None
    unknown = sorted(set(saved.faults) - set(KINDS))
    if unknown:
        raise SavedUnusable(f"{path}: no fault is called {unknown[0]!r}")
    return saved
