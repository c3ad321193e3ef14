"""What Binance USD-M counts: request weights, order counts, and how far a query may reach back.

Weights are those of the venue's documentation; its reply headers correct our count continuously.
"""

from __future__ import annotations

from typing import Final

from holdfast.venues.transport.budget import Window

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000

WINDOWS: Final = (
    Window(name="weight-1m", limit=2_400, interval_ms=MINUTE_MS, orders=False, header="x-mbx-used-weight-1m"),
    Window(name="orders-10s", limit=300, interval_ms=10_000, orders=True, header="x-mbx-order-count-10s"),
    Window(name="orders-1m", limit=1_200, interval_ms=MINUTE_MS, orders=True, header="x-mbx-order-count-1m"),
)
"""Until the venue's own list is read at load."""

TRADES_LIMIT: Final = 1_000
TRADES_SPAN_MS: Final = 7 * DAY_MS  # between startTime and endTime
TRADES_REACH_MS: Final = 180 * DAY_MS  # what the venue keeps
TRADES_PAGES_MAX: Final = 64
INCOME_LIMIT: Final = 1_000
INCOME_PAGES_MAX: Final = 8

_INTERVALS_MS: Final = {"SECOND": 1_000, "MINUTE": MINUTE_MS, "HOUR": 3_600_000, "DAY": DAY_MS}
_LETTERS: Final = {"SECOND": "s", "MINUTE": "m", "HOUR": "h", "DAY": "d"}


def window_of(*, kind: str, interval: str, interval_num: int, limit: int) -> Window | None:
    """One entry of exchangeInfo's ``rateLimits``; None for a kind that does not concern us."""
    if (
        kind not in ("REQUEST_WEIGHT", "ORDERS")
        or interval not in _INTERVALS_MS
        or limit <= 0
        or interval_num <= 0
    ):
        return None
    span = f"{interval_num}{_LETTERS[interval]}"
    orders = kind == "ORDERS"
    return Window(
        name=f"{'orders' if orders else 'weight'}-{span}",
        limit=limit,
        interval_ms=_INTERVALS_MS[interval] * interval_num,
        orders=orders,
        header=f"x-mbx-{'order-count' if orders else 'used-weight'}-{span}",
    )
