"""What is written down: the decision journal, its snapshots, and the market log."""

from holdfast.journal.chain import (
    AnchorFault,
    Tail,
    VerifyReport,
    iterate,
    verify,
)
from holdfast.journal.codec import CorruptJournal
from holdfast.journal.files import Files
from holdfast.journal.market_log import MarketLog, open_market_log
from holdfast.journal.market_read import CorruptMarketLog, FrameReader, Missing, frames
from holdfast.journal.recover import Opened, latest_snapshot, open_for_append
from holdfast.journal.segments import Anchor, Journal
from holdfast.journal.snapshots import Snapshot, SnapshotIgnored, save_snapshot

__all__ = [
    "Anchor",
    "AnchorFault",
    "CorruptJournal",
    "CorruptMarketLog",
    "Files",
    "FrameReader",
    "Journal",
    "MarketLog",
    "Missing",
    "Opened",
    "Snapshot",
    "SnapshotIgnored",
    "Tail",
    "VerifyReport",
    "frames",
    "iterate",
    "latest_snapshot",
    "open_for_append",
    "open_market_log",
    "save_snapshot",
    "verify",
]
