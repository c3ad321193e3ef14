"""REDUCED: what increases risk is halved before it reaches the gate."""

from __future__ import annotations

from holdfast.vocab.orders import Side


def reduced_lots(qty_lots: int, *, side: Side, position_lots: int) -> int:
    """The size after halving the part that increases the position, rounded down to a lot.

    What reduces the position stays whole. May be 0: the gate then refuses it as too small.
    """
    held = max(0, -side * position_lots)
    reducing = min(qty_lots, held)
    return reducing + (qty_lots - reducing) // 2
