"""Finds and parses what the repository's own tests read."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "holdfast"

# Used only where there is no git (an unpacked archive): what .gitignore would leave out.
IGNORED_DIRS = {
    ".git",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "state",
    "scratch",
    ".holdfast",
    ".benchmarks",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks one rule; `path` is relative to what was read, with forward slashes."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Module:
    """A parsed source file and its path inside the package, e.g. `core/gate/gate.py`."""

    path: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Module":
        return cls(path=path, tree=ast.parse(text, filename=path))

    def find(self, node: ast.AST, what: str) -> Finding:
        return Finding(path=self.path, line=getattr(node, "lineno", 0), what=what)


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, in path order."""
    return tuple(
        Module.of(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    )


def tracked_paths() -> list[Path]:
    """Every file that is, or is about to be, part of the project."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(git, cwd=ROOT, capture_output=True, check=True).stdout.decode()
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not _ignored(path.relative_to(ROOT))]
    return sorted(path for path in paths if path.is_file())


def tracked_texts() -> Iterator[tuple[str, str]]:
    """(relative path, text) of every tracked file that is text."""
    for path in tracked_paths():
        raw = path.read_bytes()
        if b"\0" in raw[:8192]:
            continue
        yield path.relative_to(ROOT).as_posix(), raw.decode("utf-8", errors="replace")


def _ignored(relative: Path) -> bool:
    return any(
        part in IGNORED_DIRS or part.endswith((".egg-info", "_cache", ".pyc")) for part in relative.parts
    ) or (relative.parts[0].startswith(".") and relative.parts[0].endswith("_cache"))


def report(findings: list[Finding]) -> str:
    """What a failing test prints: one line per place."""
    return "\n" + "\n".join(str(finding) for finding in sorted(findings))
