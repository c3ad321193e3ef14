"""Every test: those of real processes side by side, and beside them, with what they leave of the processor, the others.

``python scripts/tests.py`` is what ``make test`` runs. A test of real processes mostly waits, so several go at a time.
What only computes is niced: it takes the waits and little else, and the processes find the machine nearly
as if it were theirs. Tests marked ``alone`` hold a bot to the lease of one second that is shipped: they come last, one by
one. The closing line of each part is shown at the end; the exit code is 0 if all passed.

In the full size (HOLDFAST_FULL=1) figures are promised, so there the processes come one by one and nothing beside them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parents[1]
FULL: Final = os.environ.get("HOLDFAST_FULL") == "1"
SIDE_BY_SIDE: Final = str(max(3, os.cpu_count() or 1))
# Whole files, as they come: what a module has running is started once, and its stories keep their order.
BY_FILES: Final = ("-n", SIDE_BY_SIDE, "--dist", "loadfile", "--no-loadscope-reorder", "--timeout", "300")
PROCESSES: Final = () if FULL else BY_FILES
ALONE: Final = ("--timeout", "300")
# One that has little of the processor is slow and not stuck. Whoever has nothing left takes from the others.
COMPUTING: Final = ("-n", "auto", "--dist", "worksteal", "--timeout", "600")


def words(marked: str, *more: str) -> list[str]:
    """One part, as a command line."""
    return [sys.executable, "-m", "pytest", *more, "-m", marked]


def shown(said: IO[bytes]) -> str:
    """Passes on what a part says as it says it; returns its last line."""
    end = b""
    while chunk := os.read(said.fileno(), 65_536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        end = (end + chunk)[-1_000:]
    return end.decode(errors="replace").strip().rpartition("\n")[2]


def part(marked: str, *more: str) -> tuple[int, str]:
    """Run one part and show it; returns its exit code and its closing line."""
    with subprocess.Popen(
        words(marked, *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as processes:
        assert processes.stdout is not None
        closing = shown(processes.stdout)
    return processes.returncode, closing


def main() -> int:
    with tempfile.TemporaryFile() as kept:
        computing = subprocess.Popen(
            ["nice", *words("not process", *COMPUTING)], cwd=ROOT, stdout=kept, stderr=subprocess.STDOUT
        )
        try:
            if FULL:
                computing.wait()
            together, closing = part("process and not alone", *PROCESSES)
            computing.wait()
        finally:
            if computing.poll() is None:
                computing.terminate()
                computing.wait()
        kept.seek(0)
        print()
        shown(kept)
    alone, closing_alone = part("alone", *ALONE)
    print(f"and of real processes: {closing}")
    print(f"and of those alone: {closing_alone}")
    return int(any((together, computing.returncode, alone)))


if __name__ == "__main__":
    sys.exit(main())
