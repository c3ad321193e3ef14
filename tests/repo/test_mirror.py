"""Every package with code has a folder of tests of the same name."""

import ast
from pathlib import Path

from tests.repo import tables
from tests.repo.reading import ROOT, SOURCE


def has_code(path: Path) -> bool:
    """True when a module does more than carry a docstring."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def unmirrored(source: Path, tests: Path) -> list[str]:
    """Top-level packages and modules of `source` without a test of their name in `tests`."""
    missing = []
    for entry in sorted(source.iterdir()):
        name = entry.stem
        if name in {"__init__", "__pycache__"} or name in tables.UNMIRRORED:
            continue
        if entry.is_dir():
            code = any(has_code(path) for path in entry.rglob("*.py"))
        else:
            code = entry.suffix == ".py" and has_code(entry)
        tested = any((tests / name).rglob("test_*.py")) or (tests / f"test_{name}.py").is_file()
        if code and not tested:
            missing.append(name)
    return missing


def test_every_package_has_its_tests():
    assert [] == unmirrored(SOURCE, ROOT / "tests")


def test_a_package_without_tests_is_reported(tmp_path):
    for path in ("src/tested/a.py", "src/bare/deep/b.py", "src/lone.py", "src/ports/venue.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n")
    (tmp_path / "src/wordless").mkdir()
    (tmp_path / "src/wordless/__init__.py").write_text('"""Nothing yet."""\n')
    (tmp_path / "tests/tested").mkdir(parents=True)
    (tmp_path / "tests/tested/test_a.py").write_text("")
    (tmp_path / "tests/bare").mkdir()
    assert ["bare", "lone"] == unmirrored(tmp_path / "src", tmp_path / "tests")
