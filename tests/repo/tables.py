"""The exceptions to the tidy rules, one line and one reason each. A path is a file, or a folder (`x/`)."""

from typing import Final

# Types that carry a permission, and the one file that may construct them.
SEALED: Final = {"Approved": "core/gate/gate.py"}

# Money and decisions are integers here.
INTEGER_ONLY: Final = ("core/", "vocab/")
FLOAT_HOMES: Final[dict[str, str]] = {}
# Where `/` divides Decimals. Floats stay forbidden.
DIVISION_HOMES: Final = {"vocab/units.py": "turns decimal text into whole units, exactly or rounded by name"}

# Sets have no order that a replay could repeat.
ORDERED_ONLY: Final = ("core/",)

OPEN_HOMES: Final = {
    "app/": "wires files into ports: state directory, recordings, reports",
    "cli.py": "reads the files an operator names",
    "config/": "reads the configuration and the operators file",
    "guard/": "maps the latch and locks the lease",
    "journal/": "owns the bytes on disk",
    "notify/": "keeps the file of pages",
    "ops/": "reads operator files, and reports the operator asked for",
    "sim/": "reads recorded market data",
    "simulate/": "keeps failing seeds and results",
    "store/": "owns the read store's file",
}
PRINT_HOMES: Final = {
    "app/": "tells the terminal what a run did",
    "cli.py": "answers the terminal",
    "ops/": "answers the terminal, as text or as JSON",
    "simulate/": "tells the terminal what seeds came to",
}

# time.sleep stops a thread that may be the one that trades: wait on an event with a timeout instead.
SLEEP_HOMES: Final[dict[str, str]] = {}

# `except BaseException` eats InvariantBroken. A handler that ends in a bare `raise` needs no line here.
BASE_EXCEPTION_HOMES: Final[dict[str, str]] = {
    "runtime/feeding.py": "hands the error to the live loop's fatal(): it trips the latch and ends the process",
    "runtime/live.py": "every handler hands the error to fatal(): it trips the latch and ends the process",
}

# A handler whose body is only `pass` or `continue` hides that something happened.
SILENT_EXCEPT_HOMES: Final[dict[str, str]] = {}

# Packages without a tests/<package>/ folder.
UNMIRRORED: Final = {
    "__main__": "one line that calls the cli",
    "ports": "Protocols only: tests/contract holds every implementation to them",
}

EXCEPTIONS: Final[dict[str, dict[str, str]]] = {
    "FLOAT_HOMES": FLOAT_HOMES,
    "DIVISION_HOMES": DIVISION_HOMES,
    "OPEN_HOMES": OPEN_HOMES,
    "PRINT_HOMES": PRINT_HOMES,
    "SLEEP_HOMES": SLEEP_HOMES,
    "BASE_EXCEPTION_HOMES": BASE_EXCEPTION_HOMES,
    "SILENT_EXCEPT_HOMES": SILENT_EXCEPT_HOMES,
}


def at_home(path: str, homes: dict[str, str] | tuple[str, ...]) -> bool:
    """True when the file is listed, or lives in a listed folder."""
    return any(path == home or (home.endswith("/") and path.startswith(home)) for home in homes)
