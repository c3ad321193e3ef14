"""Where recorded market data is, if it is anywhere."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir(named: str | None) -> Path | None:
    """The directory that was named, else ``$HOLDFAST_DATA``, else ``../shared/data``; None where there is none."""
    if named:
        return Path(named)
    told = os.environ.get("HOLDFAST_DATA")
    if told:
        return Path(told)
    beside = Path("../shared/data")
    return beside if beside.is_dir() else None
