"""From a row of the table and its arguments to the act that goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.ops.commands import Row
from holdfast.ops.words import NO_REASON, Value
from holdfast.runtime.wire import Act


def act_of(row: Row, args: Mapping[str, Value], *, by: str, second_by: str = "") -> Act:
    """The act that a command becomes. ``abort`` is one too, though the core never sees it."""
    strategy, instrument = str(args.get("strategy", "")), str(args.get("instrument", ""))
    if row.name in {"ban", "unban"}:
        name = str(args["name"])
        strategy, instrument = (name, "") if args["what"] == "strategy" else ("", name)
    return Act(
        verb=row.verb or row.name,
        by=by,
        reason=str(args.get("reason", "")) or NO_REASON,
        strategy=strategy,
        instrument=instrument,
        hold_id=int(args.get("hold", 0)),
        order_id=int(args.get("order", 0)),
        trade_id=str(args.get("trade", "")),
        protective=bool(args.get("protective", False)),
        second_by=second_by,
        limit=str(args.get("limit", "")),
        value=str(args.get("value", "")),
        for_text=str(args.get("for", "")),
        once=bool(args.get("once", False)),
        review=str(args.get("review", "")),
        glass_id=int(args.get("glass", 0)),
    )
