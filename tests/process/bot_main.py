"""The shipped run, with the stamps of its order writes kept: ``python -m tests.process.bot_main STAMPS run ARGS``.

Only looks: ``on_venue`` hands over the venue client so that its write stamps can be read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from holdfast.app import run
from holdfast.app.options import RunOptions
from holdfast.venues.binance.client import BinanceVenue


def main() -> int:
    stamps_path, config, state_dir = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    with stamps_path.open("w", encoding="utf-8") as stamps:

        def keep(venue: object) -> None:
            assert isinstance(venue, BinanceVenue)
            ring = venue.writes

            def wrote(order_id: int, _: int) -> None:
                last = ring[-1]  # type: ignore[index]
                row = [order_id, last.lane.value, last.asked_ns, last.written_ns]
                stamps.write(json.dumps(row) + "\n")
                stamps.flush()

            venue.on_write(wrote)

        return run.main(RunOptions(config=config, state_dir=state_dir, no_tui=True), on_venue=keep)


if __name__ == "__main__":
    sys.exit(main())
