"""Recorded market data lives beside the project: a test that needs it says so when it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of recordings: $HOLDFAST_DATA, or ../shared/data."""
    found = Path(os.environ.get("HOLDFAST_DATA") or ROOT.parent / "shared" / "data")
    if not found.is_dir():
        pytest.skip(f"no recorded market data: neither $HOLDFAST_DATA nor ../shared/data (looked at {found})")
    return found
