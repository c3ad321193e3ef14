"""Where recorded market data is, if it is anywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from holdfast.app.errors import Exit, HoldfastError
from holdfast.sim.sources import recorded_paths


def data_dir(named: str | None) -> Path | None:
    """The directory that was named, else ``$HOLDFAST_DATA``, else ``../shared/data``; None where there is none.

    Errors: HoldfastError for a directory named without the recording: nobody shall take a generated market for
    a recorded one. A variable may be left over from elsewhere: then it is said, and the market is generated.
    """
    if named:
        if not recorded_paths(Path(named)):
            raise HoldfastError(
                Exit.USAGE, "no recorded session of 2024-08-08 in binance_ws_raw there", named
            )
        return Path(named)
    told = os.environ.get("HOLDFAST_DATA")
    if told:
        if not recorded_paths(Path(told)):
            print(
                f"holdfast: no recorded session in $HOLDFAST_DATA ({told}): the market is generated",
                file=sys.stderr,
            )
        return Path(told)
    beside = Path("../shared/data")
    return beside if beside.is_dir() else None
