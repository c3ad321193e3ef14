"""The read store: SQLite for queries, reports and the dashboard, rebuildable from the journal at any time."""

from holdfast.store.rows import Alert, Cash, Command, Equity, Fill, HoldRow, Order, RefusalRow
from holdfast.store.store import ReadStore, StoreFailed

__all__ = [
    "Alert",
    "Cash",
    "Command",
    "Equity",
    "Fill",
    "HoldRow",
    "Order",
    "ReadStore",
    "RefusalRow",
    "StoreFailed",
]
