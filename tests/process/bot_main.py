"""The shipped run, looked at: ``python -m tests.process.bot_main STAMPS SIGNAL CONFIG STATE_DIR``.

Only looks: ``on_venue`` hands over the venue's client, so that the stamps of its order writes can be kept. Each is a
line of STAMPS, and their count stands in SIGNAL, where a process that waits for the right moment sees it.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from pathlib import Path

from holdfast.app import run
from holdfast.app.options import RunOptions
from holdfast.cli import _failed
from holdfast.venues.binance.client import BinanceVenue
from tests.process.strategies import WRITES, counters

_PR_SET_PDEATHSIG = 1


def main() -> int:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # it dies with the test run, however that ends
    stamps_path, signal_path, config, state_dir = (Path(word) for word in sys.argv[1:5])
    count = counters(signal_path)
    with stamps_path.open("a", encoding="utf-8") as stamps:

        def keep(venue: object) -> None:
            assert isinstance(venue, BinanceVenue)
            ring = venue.writes

            def wrote(order_id: int, _: int) -> None:
                last = ring[-1]  # type: ignore[index]
                row = [order_id, last.lane.value, last.asked_ns, last.written_ns]
                stamps.write(json.dumps(row) + "\n")
                stamps.flush()
                count[WRITES] += 1

            venue.on_write(wrote)

        options = RunOptions(config=str(config), state_dir=str(state_dir), no_tui=True)
        try:
            return run.main(options, on_venue=keep)
        except BaseException as error:  # noqa: BLE001 - as the command line does
            return _failed(error, ())


if __name__ == "__main__":
    sys.exit(main())
