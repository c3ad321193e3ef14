"""The contracts of .importlinter: complete, and each seen to break under a planted violation."""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.reading import ROOT, SOURCE

CONTRACT = "importlinter:contract:"

# Everything the contracts speak of, with one harmless file each.
SKELETON = [
    *("__main__", "cli", "app", "ops", "watchdog", "runtime", "strategy", "sim", "journal", "guard", "store"),
    *(
        "notify",
        "ports",
        "config",
        "vocab",
        "core.step",
        "core.state",
        "core.views",
        "core.ingest",
        "core.sizing",
    ),
    *("core.gate", "core.orders", "core.ledger", "core.reconcile", "core.monitor", "core.holds"),
    *("venues.transport", "venues.anyccxt.client", "venues.binance.client", "simulate.auditor"),
]

# contract, importing module, what it imports against the rules
PLANTED = [
    ("layers", "runtime.planted", "holdfast.app"),
    ("layers", "ops.planted", "holdfast.watchdog"),
    ("layers", "sim.planted", "holdfast.journal"),
    ("layers", "vocab.planted", "holdfast.config"),
    ("layers", "newcomer.planted", ""),
    ("pipeline", "core.gate.planted", "holdfast.core.ledger"),
    ("pipeline", "core.views.planted", "holdfast.core.state"),
    ("pipeline", "core.newcomer.planted", ""),
    ("pure", "core.gate.planted", "time"),
    ("pure", "vocab.planted", "os"),
    ("pure", "core.orders.planted", "structlog"),
    ("pure", "core.orders.planted", "holdfast.config"),
    ("promises", "ports.planted", "holdfast.config"),
    ("edges", "venues.binance.planted", "holdfast.core.views"),
    ("edges", "sim.planted", "holdfast.core.gate"),
    ("edges", "journal.planted", "holdfast.core.state"),
    ("inside", "runtime.planted", "holdfast.venues.transport"),
    ("inside", "strategy.planted", "holdfast.sim"),
    ("inside", "ops.planted", "holdfast.venues.binance"),
    ("watchdog", "watchdog.planted", "holdfast.runtime"),
    ("watchdog", "watchdog.planted", "holdfast.core.views"),
    ("venues", "venues.binance.planted", "holdfast.venues.anyccxt"),
    ("venues", "venues.transport", "holdfast.venues.binance"),
    ("clients", "watchdog.planted", "holdfast.venues.binance.client"),
    ("auditor", "simulate.auditor", "holdfast.core.state"),
    ("acyclic", "config.planted", "holdfast.config.back"),
]

# Packages of the plan that join a contract on the day they exist.
JOINS = {
    "edges": {"source_modules": ["notify"]},
    "inside": {"source_modules": ["forensics", "incident"], "forbidden_modules": ["notify"]},
    "watchdog": {"forbidden_modules": ["incident", "forensics"]},
}


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return parser


def write(root: Path, module: str, text: str) -> None:
    """Writes holdfast.<module> under root, and the packages above it."""
    path = root / "holdfast" / (module.replace(".", "/") + ".py")
    if (package := path.with_suffix("") / "__init__.py").exists():
        path = package
    for parent in [path.parent, *path.parent.parents]:
        if parent == root:
            break
        parent.mkdir(parents=True, exist_ok=True)
        (parent / "__init__.py").touch()
    path.write_text(text)


def broken(root: Path) -> tuple[set[str], str]:
    """Names of the contracts that break under root, and everything import-linter said."""
    linter = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "NO_COLOR": "1"}
    run = subprocess.run(
        [linter, "--config", ROOT / ".importlinter", "--no-cache"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = run.stdout + run.stderr
    assert "kept" in said, said
    return set(re.findall(r"^(.+?) BROKEN", said, flags=re.MULTILINE)), said


@pytest.fixture
def house(tmp_path):
    (tmp_path / "holdfast").mkdir()
    for module in SKELETON:
        single = "." not in module and module in {"__main__", "cli"}
        write(tmp_path, module if single or "." in module else f"{module}.first", "")
    return tmp_path


def test_an_empty_house_breaks_nothing(house):
    names, said = broken(house)
    assert set() == names, said


@pytest.mark.parametrize(("contract", "importer", "imported"), PLANTED)
def test_a_planted_violation_breaks_its_contract(house, contract, importer, imported):
    write(house, importer, f"import {imported}\n" if imported else "x = 1\n")
    if contract == "acyclic":
        write(house, "config.back", f"import holdfast.{importer}\n")
    names, said = broken(house)
    assert contracts()[CONTRACT + contract]["name"] in names, said


def test_every_contract_has_a_planted_violation():
    names = {name.removeprefix(CONTRACT) for name in contracts().sections() if name.startswith(CONTRACT)}
    assert names == {contract for contract, _, _ in PLANTED}


@pytest.mark.parametrize("contract", JOINS)
def test_a_package_joins_its_contracts_on_the_day_it_exists(contract):
    for option, packages in JOINS[contract].items():
        listed = contracts()[CONTRACT + contract][option].split()
        for package in packages:
            if (SOURCE / package).exists():
                assert f"holdfast.{package}" in listed, f"add holdfast.{package} to {option} of {contract}"
