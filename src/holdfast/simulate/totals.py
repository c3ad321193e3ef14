"""What many seeds came to, summed; and the same as a file that a later run goes on from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from holdfast.core.orders.lifecycle import NEVER_ASKED, NEXT
from holdfast.simulate.plan import KINDS
from holdfast.simulate.run import Outcome
from holdfast.simulate.walked import name_of

FAILURES_KEPT_MAX = 100


class Failure(Struct, frozen=True, kw_only=True):
    """One seed that broke something."""

    seed: int
    at_step: int
    rule: str
    said: str


class Totals(Struct, kw_only=True, forbid_unknown_fields=True):
    """Sums over seeds ``first_seed`` to before ``next_seed``. ``cpu_s``: time spent on them, over all processes."""

    first_seed: int
    next_seed: int
    steps_each: int
    faults_chosen: tuple[str, ...]
    build: str
    seeds: int = 0
    steps: int = 0
    orders: int = 0
    fills: int = 0
    crashes: int = 0
    recovery_ms_max: int = 0
    checks: int = 0
    doubtful_seeds: int = 0  # with a fill while its order was UNKNOWN, or while only reducing was allowed
    cpu_s: float = 0.0
    faults: dict[str, int] = {}
    manners: dict[str, int] = {}
    checks_by_rule: dict[str, int] = {}
    walked: dict[str, int] = {}
    failed_seeds: int = 0
    failures: list[Failure] = []

    def add(self, outcome: Outcome) -> None:
        """One seed more."""
        self.next_seed = outcome.seed + 1
        self.seeds += 1
        self.steps += outcome.steps
        self.orders += outcome.counts.get("orders", 0)
        self.fills += outcome.counts.get("fills", 0)
        self.crashes += outcome.crashes
        self.recovery_ms_max = max(self.recovery_ms_max, outcome.recovery_ms_max)
        self.checks += sum(outcome.checks.values())
        self.doubtful_seeds += outcome.doubtful_fills > 0
        self.cpu_s = round(self.cpu_s + outcome.cpu_s, 3)
        self.faults = _sum(self.faults, outcome.faults)
        self.manners = _sum(self.manners, outcome.manners)
        self.checks_by_rule = _sum(self.checks_by_rule, outcome.checks)
        self.walked = _sum(self.walked, outcome.walked)
        if outcome.rule:
            self.failed_seeds += 1
            if len(self.failures) < FAILURES_KEPT_MAX:
                self.failures.append(
                    Failure(
                        seed=outcome.seed, at_step=outcome.at_step, rule=outcome.rule, said=outcome.said[:300]
                    )
                )

    def unwalked(self) -> list[str]:
        """Rows of the order table that no seed walked."""
        return [name for name in (name_of(*key) for key in NEXT) if not self.walked.get(name)]

    def seldom(self, least: int) -> dict[str, int]:
        """The chosen kinds of faults that were observed fewer than so many times."""
        return {
            name: self.faults.get(name, 0) for name in self.faults_chosen if self.faults.get(name, 0) < least
        }

    def doubtful_percent(self) -> int:
        """Share of seeds with a doubtful fill, rounded down."""
        return 100 * self.doubtful_seeds // max(1, self.seeds)


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(one) + Counter(other)).items()))


def told(totals: Totals) -> list[str]:
    """In lines for a person."""
    rows = len(NEXT) - len(NEVER_ASKED)
    unwalked = set(totals.unwalked()) - {name_of(*row) for row in NEVER_ASKED}
    by_group: dict[str, list[str]] = {}
    for name in totals.faults_chosen:
        by_group.setdefault(KINDS[name].value, []).append(f"{name} {totals.faults.get(name, 0):,}")
    return [
        f"seeds      {totals.seeds:,} ({totals.first_seed} to {totals.next_seed - 1}), {totals.failed_seeds} failed",
        f"steps      {totals.steps:,} (of each seed {totals.steps_each:,} in the storm, the rest in the calm)",
        f"speed      {round(totals.steps / totals.cpu_s) if totals.cpu_s else 0:,} steps a second of processor time",
        f"faults     {sum(totals.faults.get(name, 0) for name in totals.faults_chosen):,} observed",
        *(f"  {group:9}{', '.join(names)}" for group, names in by_group.items()),
        f"checks     {totals.checks:,} of {len(totals.checks_by_rule)} rules",
        f"orders     {totals.orders:,}, fills {totals.fills:,}",
        f"crashes    {totals.crashes:,}, slowest recovery {totals.recovery_ms_max / 1000:.1f} s (virtual)",
        f"table      {rows - len(unwalked)} of {rows} rows of the order table walked",
        f"doubt      {totals.doubtful_percent()} % of seeds held a fill while UNKNOWN or REDUCE_ONLY",
    ]


def as_json(totals: Totals) -> dict[str, Any]:
    """Everything, as one JSON object."""
    found: dict[str, Any] = msgspec.to_builtins(totals)
    found["faults_observed"] = sum(totals.faults.get(name, 0) for name in totals.faults_chosen)
    found["unwalked"] = totals.unwalked()
    found["doubtful_percent"] = totals.doubtful_percent()
    return found


class TotalsUnusable(Exception):
    """A result file that cannot be gone on from: names it and the fault."""


def read_totals(path: Path) -> Totals | None:
    """What an earlier run came to; None where there is no file. Errors: TotalsUnusable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Totals)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise TotalsUnusable(f"{path}: {error}") from None


def write_totals(totals: Totals, path: Path) -> None:
    """Written whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(totals), indent=2) + b"\n")
    beside.replace(path)
