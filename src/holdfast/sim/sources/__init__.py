"""Where the simulated venue's public market comes from: recordings, published files, or a seed."""

from holdfast.sim.sources.binance_csv import BinanceCsv
from holdfast.sim.sources.demo import demo_source, recorded_paths
from holdfast.sim.sources.frames import (
    Frame,
    MarketSource,
    Merged,
    SourceUnusable,
    frame_json,
    offset_for,
    stamped,
)
from holdfast.sim.sources.generated import (
    DEFAULT_INSTRUMENTS,
    MORE_INSTRUMENTS,
    Generated,
    GeneratedInstrument,
)
from holdfast.sim.sources.lean import LeanEquities
from holdfast.sim.sources.quotes import quotes_only
from holdfast.sim.sources.recorded import RecordedFrames
from holdfast.sim.sources.session import AtEnd, Continued
from holdfast.sim.sources.specs import BTCUSDT, ETHUSDT, SOLUSDT, perpetual
from holdfast.sim.sources.tardis_csv import TardisCsv

__all__ = [
    "BTCUSDT",
    "DEFAULT_INSTRUMENTS",
    "ETHUSDT",
    "MORE_INSTRUMENTS",
    "SOLUSDT",
    "AtEnd",
    "BinanceCsv",
    "Continued",
    "Frame",
    "Generated",
    "GeneratedInstrument",
    "LeanEquities",
    "MarketSource",
    "Merged",
    "RecordedFrames",
    "SourceUnusable",
    "TardisCsv",
    "demo_source",
    "frame_json",
    "offset_for",
    "perpetual",
    "quotes_only",
    "recorded_paths",
    "stamped",
]
