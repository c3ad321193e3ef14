"""Two sizes: the quick one of every run, and the full one that the proof is stated in (HOLDFAST_FULL=1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.processes import FULL, Home, a_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home for this test's processes."""
    with a_home(tmp_path) as home:
        yield home


@pytest.fixture
def size():
    """``size(quick, full)``: how many times."""
    return lambda quick, full: full if FULL else quick


@pytest.fixture
def figure(request, capsys):
    """``figure("text")`` prints a measured figure past pytest's capture, in the full size."""

    def say(text: str) -> None:
        if FULL or request.config.getoption("verbose") >= 0:
            with capsys.disabled():
                print(f"\n  [{request.node.name}] {text}")

    return say
