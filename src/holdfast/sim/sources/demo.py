"""What the demo trades: the recorded session where it is there, a market from a seed where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from holdfast.sim.sources.frames import MarketSource
from holdfast.sim.sources.generated import Generated
from holdfast.sim.sources.recorded import RecordedFrames
from holdfast.sim.sources.session import AtEnd, Continued

SESSION: Final = ("usdm_btcusdt_20240808.jsonl_ts.gz", "usdm_ethusdt_20240808.jsonl_ts.gz")


def recorded_paths(data_dir: Path | None) -> tuple[Path, ...]:
    """The files of the session of 2024-08-08 (345 s of BTCUSDT and ETHUSDT); empty unless all are there."""
    if data_dir is None:
        return ()
    paths = tuple(data_dir / "binance_ws_raw" / name for name in SESSION)
    return paths if all(path.is_file() for path in paths) else ()


def demo_source(data_dir: Path | None, seed: int, *, at_end: AtEnd = AtEnd.LOOP) -> MarketSource:
    """The recorded session of 2024-08-08 if ``data_dir`` holds it (then as ``at_end`` says), else the generator.

    Raises SourceUnusable when a file is there and damaged: a bad recording is not a missing one.
    """
    paths = recorded_paths(data_dir)
    if not paths:
        return Generated(seed=seed)
    return Continued(RecordedFrames(paths), at_end=at_end, seed=seed)
