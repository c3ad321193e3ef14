"""Views as plain text for a terminal: no colour, no width games, one fact a line. Anything odd is written out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from holdfast.ops.words import clean

Data = Mapping[str, Any]
NONE: Final = "–"


def show(name: str, data: Data) -> str:
    """A view's data (as it came over the wire) in lines. An unknown view is shown generically."""
    return "\n".join(_SHOWN.get(name, _any)(data))


def _status(data: Data) -> list[str]:
    """The line that matters first: may it trade, and if not, why not."""
    latch = data["latch"]
    mode = "trading" if data["level"] == "none" and data["armed"] else data["level"].upper()
    mode += "" if data["armed"] else " (not armed)"
    drawdown = NONE if data["drawdown_ppm"] is None else f"{data['drawdown_ppm'] / 10_000:.2f}%"
    asset = data["settle_asset"]
    rates = data["rates"]
    tripped = f"TRIPPED by {_t(latch['by'])}: {_t(latch['reason'])}" if latch["tripped"] else "clear"
    lease = "held" if latch["lease_held"] else "NOT held"
    counts = f"{data['open_orders']} open, {data['unknown_orders']} unknown"
    lines = [
        f"{_t(data['account'])} on {_t(data['venue'])} ({_t(data['venue_kind'])}), pid {data['pid']}: {mode}",
        f"equity {_t(data['equity'])} {_t(asset)}, peak {_t(data['peak'])}, drawdown {drawdown}",
        f"orders {counts}; fills in quarantine {data['quarantined_fills']}; breaks {len(data['breaks'])}",
        f"rates {rates['orders_per_s']} orders/s, {rates['messages_per_s']} messages/s; up {_age(data['uptime_ms'])}",
        f"latch {tripped}; lease {lease}",
    ]
    lines += _holds_lines(data["holds"])
    lines += _table(
        ("instrument", "ours", "venue", "venue age", "open", "bid", "ask", "data age"),
        [
            (
                row["instrument"],
                row["position"],
                row["venue_position"],
                _age(row["venue_position_age_ms"]),
                row["open_orders"],
                row["bid"],
                row["ask"],
                _age(row["quote_age_ms"]),
            )
            for row in data["instruments"]
        ],
    )
    return lines


def _holds(data: Data) -> list[str]:
    return _holds_lines(data["holds"]) or ["no hold: trading is permitted"]


def _holds_lines(holds: Sequence[Data]) -> list[str]:
    lines = []
    for hold in holds:
        scope = " in ".join(_t(part) for part in (hold["strategy"], hold["instrument"]) if part) or "account"
        lines.append(
            f"hold {hold['hold_id']} {hold['level'].upper()} ({_t(scope)}): {_t(hold['cause'])}, {_t(hold['reason'])}"
            f" - by {_t(hold['by'])} at {_wall(hold['since_wall_ns'])}; released by {_t(hold['release'])}"
        )
        if hold["permits"]:
            lines.append(f"  next: {_t(hold['permits'])}")
    return lines


def _why(data: Data) -> list[str]:
    subject = "the planned order" if data["planned"] else "the last refused order"
    if not data["refused"]:
        return [f"{subject}: nothing forbids it. {_t(data['text'])}".rstrip()]
    numbers = ", ".join(f"{_t(key)} {_t(value)}" for key, value in data["numbers"].items())
    lines = [f"{subject} was refused: {_t(data['refusal'])} ({numbers})", _t(data["text"])]
    lines += _holds_lines(data["holds"])
    return [*lines, f"what would permit it: {_t(data['permits'])}"]


def _plan(data: Data) -> list[str]:
    table = _table(
        ("instrument", "venue", "do", "size", "clips", "not beyond", "open orders"),
        [
            (
                row["instrument"],
                row["venue_position"],
                row["side"],
                row["qty"],
                row["clips"],
                row["price_bound"],
                row["open_orders"],
            )
            for row in data["rows"]
        ],
    )
    return [_t(data["text"]), *table]


def _any(data: Data) -> list[str]:
    """Scalars as ``name  value``, then each list of records as a table."""
    scalars = {key: value for key, value in data.items() if not isinstance(value, list | dict)}
    width = max((len(key) for key in scalars), default=0)
    lines = [f"{key:<{width}}  {_t(value)}" for key, value in scalars.items()]
    for key, value in data.items():
        if isinstance(value, dict):
            lines += [f"{key}.{_t(name)}  {_t(text)}" for name, text in value.items()]
        elif isinstance(value, list):
            rows = [row for row in value if isinstance(row, dict)]
            lines.append(f"{key}: {len(value)}")
            if rows:
                names = tuple(name for name, cell in rows[0].items() if not isinstance(cell, list))
                lines += _table(names, [tuple(row.get(name) for name in names) for row in rows])
    return lines


def _table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return []
    cells = [[*names], *[[_t(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _t(value: object) -> str:
    """A value as harmless text: a venue's words and a person's reasons may hold anything."""
    if isinstance(value, dict):
        return ", ".join(f"{_t(name)} {_t(item)}" for name, item in value.items()) or NONE
    return NONE if value is None or value == "" else clean(str(value))


def _age(ms: int | None) -> str:
    if ms is None:
        return NONE
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 120_000:
        return f"{ms / 1_000:.1f} s"
    return f"{ms // 60_000} min" if ms < 7_200_000 else f"{ms // 3_600_000} h"


def _wall(wall_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall_ns // 1_000_000_000))


_SHOWN: Final[dict[str, Callable[[Data], list[str]]]] = {
    "status": _status,
    "holds": _holds,
    "why": _why,
    "flatten plan": _plan,
}
