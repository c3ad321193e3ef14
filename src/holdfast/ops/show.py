"""Views as plain text for a terminal: no colour, no width games, one fact a line. Anything odd is written out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from holdfast.ops.words import clean
from holdfast.vocab.units import e8_text

Data = Mapping[str, Any]
NONE: Final = "–"


def show(name: str, data: Data) -> str:
    """A view's data (as it came over the wire) in lines. An unknown view is shown generically."""
    return "\n".join(_SHOWN.get(name, _any)(data))


def _status(data: Data) -> list[str]:
    """The line that matters first: may it trade, and if not, why not."""
    latch = data["latch"]
    mode = "trading" if data["level"] == "none" and data["armed"] else data["level"].upper()
    mode += " (not armed)" if any(hold["cause"] == "startup" for hold in data["holds"]) else ""
    drawdown = NONE if data["drawdown_ppm"] is None else f"{data['drawdown_ppm'] / 10_000:.2f}%"
    asset = data["settle_asset"]
    rates = data["rates"]
    tripped = f"TRIPPED by {_t(latch['by'])}: {_t(latch['reason'])}" if latch["tripped"] else "clear"
    lease = "held" if latch["lease_held"] else "NOT held"
    counts = f"{data['open_orders']} open, {data['unknown_orders']} unknown"
    lines = [
        f"{_t(data['account'])} on {_t(data['venue'])} ({_t(data['venue_kind'])}), pid {data['pid']}: {mode}",
        f"equity {money(data['equity'])} {_t(asset)}, peak {money(data['peak'])}, drawdown {drawdown}{_rung(data)}",
        f"orders {counts}; fills in quarantine {data['quarantined_fills']}; breaks {len(data['breaks'])}",
        f"rates {rates['orders_per_s']} orders/s, {rates['messages_per_s']} messages/s; up {_age(data['uptime_ms'])}",
        f"latch {tripped}; lease {lease}",
    ]
    lines += _holds_lines(data["holds"])
    for one in data["breaks"]:
        ours, theirs = (_e8(one, side) for side in ("ours", "theirs"))
        lines.append(f"break {_t(one['kind'])} {_t(one['key'])}: ours {ours}, the venue's {theirs}")
    lines += _table(
        ("instrument", "ours", "venue said", "it said so", "open", "bid", "ask", "data age", "feed"),
        [
            (
                row["instrument"],
                row["position"],
                row["venue_position"],
                _ago(row["venue_position_age_ms"]),
                row["open_orders"],
                row["bid"],
                row["ask"],
                _age(row["quote_age_ms"]),
                row["feed"] + (" (reference only)" if row["reference"] else ""),
            )
            for row in data["instruments"]
        ],
    )
    lines += [f"silent, though connected: {_t(name)}" for name in data["silent_streams"]]
    if data["conflated_quotes"]:
        words = "degraded: only the newest quotes are looked at" if data["degraded"] else "not degraded now"
        lines.append(f"{words}; {data['conflated_quotes']:,} quotes left out under pressure since the start")
    return lines


def _rung(data: Data) -> str:
    """Where the account stands on the risk ladder."""
    if not data.get("rung"):
        return ""
    left_ms = data["cool_down_left_ms"]
    rest = f", cool-down {_age(left_ms)} more" if left_ms else ""
    exits = f", exit orders today {data['exits_today']}" if data["exits_today"] else ""
    return f"; {_t(data['rung']).replace('_', ' ')}{rest}, breakers today {data['breakers_today']}{exits}"


def _e8(one: Data, side: str) -> str:
    """A side of a break: lots for a position, 10⁻⁸ of the asset for a balance."""
    text = str(one[side])
    if one["kind"] == "balance" and text.lstrip("-").isdigit():
        return money(e8_text(int(text)))
    return _t(text) + (" lots" if one["kind"] == "position" else "")


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
    if not data["refused"]:
        return [_t(data["text"])]
    where = " in ".join(_t(part) for part in (data["strategy"], data["instrument"]) if part)
    when = f" at {_wall(data['wall_ns'])}" if data["wall_ns"] else ""
    whose = (f" of {where}" if where else "") + when
    first = (
        f"this order{whose} would be refused: {_t(data['refusal'])}"
        if data["planned"]
        else f"the last refused order{whose}: {_t(data['refusal'])}"
    )
    return [
        first,
        f"  {_t(data['text'])}",
        *_holds_lines(data["holds"]),
        f"what would permit it: {_t(data['permits'])}",
    ]


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


def _ping(data: Data) -> list[str]:
    took = f" in {data['round_trip_us'] / 1_000:.1f} ms" if data.get("round_trip_us") is not None else ""
    return [f"answers{took}; the last event was stepped {_ago(data['event_age_ms'])}"]


def _info(data: Data) -> list[str]:
    """What runs, then the limits as a table of what is written and what it came to."""
    lines = [
        f"holdfast {_t(data['version'])} on Python {_t(data['python'])}, since {_wall(data['started_wall_ns'])}",
        f"account {_t(data['account'])} ({_t(data['account_uid'])}) on {_t(data['venue'])} ({_t(data['venue_kind'])})",
        f"configuration {_t(data['config_path'])}, hash {_t(data['config_hash'])}",
        f"state {_t(data['state_dir'])}",
    ]
    groups: dict[str, list[str]] = {}
    for path, value in data["limits"].items():
        group, _, key = path.rpartition(".")
        if key not in {"strategy", "instrument"}:
            groups.setdefault(group, []).append(f"{_t(key)} {_t(value)}")
    for group, values in groups.items():
        lines += [f"[{_t(group)}]", *[f"  {value}" for value in values]]
    return lines


def _positions(data: Data) -> list[str]:
    return _table(
        ("instrument", "ours", "venue said", "it said so", "open", "mark", "unrealised", "realised", "hold"),
        [
            (
                row["instrument"],
                row["position"],
                row["venue_position"],
                _ago(row["venue_position_age_ms"]),
                row["open_orders"],
                row["mark"],
                money(row["unrealised"]),
                money(row["realised"]),
                row["level"],
            )
            for row in data["instruments"]
        ],
    )


def _orders(data: Data) -> list[str]:
    rows = [*data["orders"], *data["foreign"]]
    table = _table(
        ("order", "strategy", "instrument", "side", "qty", "filled", "price", "kind", "state", "age"),
        [
            (
                row["order_id"] or row["venue_order_id"],
                row["strategy"],
                row["instrument"],
                row["side"],
                row["qty"],
                row["filled"],
                row["price"],
                " ".join(
                    part
                    for part in (row["order_type"], row["tif"], "reduce-only" if row["reduce_only"] else "")
                    if part
                ),
                row["state"],
                _age(row["age_ms"]),
            )
            for row in rows
        ],
    )
    return table + _more(data["total"], len(data["orders"])) if rows else ["no order is open"]


def _fills(data: Data) -> list[str]:
    table = _table(
        ("at", "strategy", "instrument", "side", "qty", "price", "fee", "as", "order", "trade"),
        [
            (
                _wall(row["venue_ns"])[11:19] if row["venue_ns"] else None,
                "(quarantine)" if row["quarantined"] else row["strategy"],
                row["instrument"],
                row["side"],
                row["qty"],
                row["price"],
                " ".join(_t(part) for part in (row["fee"], row["fee_asset"]) if part),
                "maker" if row["maker"] else "taker",
                row["order_id"],
                f"{row['trade_id']} taken back" if row["taken_back"] else row["trade_id"],
            )
            for row in data["fills"]
        ],
    )
    return table + _more(data["total"], len(data["fills"])) if data["fills"] else ["no fill yet"]


def _quarantine(data: Data) -> list[str]:
    rows = [
        (row["trade_id"], row["instrument"], row["side"], row["qty"], row["price"]) for row in data["fills"]
    ]
    return _table(("trade", "instrument", "side", "qty", "price"), rows) or ["nothing is in quarantine"]


def _exposure(data: Data) -> list[str]:
    leverage, limit = (
        NONE if data[key] is None else f"{data[key] / 1_000_000:.2f}x"
        for key in ("leverage_ppm", "leverage_ppm_max")
    )
    lines = [
        f"gross notional at worst case {money(data['gross'])}, at most {money(data['gross_max'])}",
        f"leverage {leverage}, at most {limit}; equity {money(data['equity'])}",
    ]
    keys = ("instrument", "position", "long_worst", "short_worst", "position_max")
    rows = [(*[row[key] for key in keys], money(row["notional"])) for row in data["rows"]]
    return lines + _table(
        ("instrument", "position", "longest it could be", "shortest", "at most", "notional"), rows
    )


def _limits(data: Data) -> list[str]:
    """Limit, hard cap and use side by side; what is open or waits stands below, for it will be forgotten."""
    rows = [
        (
            row["name"],
            row["value"],
            ("≥ " if row["at_least"] else "≤ ") + row["hard_cap"] if row["hard_cap"] else None,
            row["used"],
            None if row["share_ppm"] is None else f"{row['share_ppm'] / 10_000:.1f}%",
            _age(row["age_ms"]),
            f"break-glass {row['glass_id']}" if row["glass_id"] else _changed(row),
        )
        for row in data["limits"]
    ]
    lines = _table(("limit", "in force", "hard cap", "used", "share", "data age", "changed"), rows)
    lines += _glasses(data) if data["glasses"] else []
    return lines + [f"waits for a second person or the delay: {_t(one)}" for one in data["waiting"]]


def _changed(row: Data) -> str:
    if not row["changed_by"]:
        return ""
    return (
        f"from {row['configured']} by {row['changed_by']} at {_wall(row['changed_wall_ns'])}: {row['reason']}"
    )


def _glasses(data: Data) -> list[str]:
    lines = []
    for one in data["glasses"]:
        once = ", for one order" if one["once"] else ""
        lines.append(
            f"break-glass {one['glass_id']}: {_t(one['name'])} at {_t(one['value'])} over {_t(one['standing'])}{once}, "
            f"{_age(one['left_ms'])} left - by {_t(one['by'])} at {_wall(one['since_wall_ns'])}: {_t(one['reason'])}"
        )
        lines.append(f"  to review: {_t(one['review'])}; sooner: holdfast break-glass end {one['glass_id']}")
    return lines or ["nothing is open"]


def _strategies(data: Data) -> list[str]:
    rows = [
        (
            row["strategy"],
            row["state"],
            ", ".join(f"{name} {qty}" for name, qty in row["positions"].items()),
            money(row["realised"]),
            money(row["unrealised"]),
            money(row["fees"]),
            row["intents"],
            row["refusals"],
            row["fills"],
        )
        for row in data["strategies"]
    ]
    return _table(
        ("strategy", "state", "position", "realised", "unrealised", "fees", "intents", "refused", "fills"),
        rows,
    ) or ["no strategy is loaded"]


def _more(total: int, shown: int) -> list[str]:
    return [f"{shown} of {total}, the newest: --limit N shows more"] if total > shown else []


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


def _ago(ms: int | None) -> str:
    return NONE if ms is None else f"{_age(ms)} ago"


def money(text: str | None) -> str:
    """An exact amount as people read it: to the hundredth, with thousands apart. JSON keeps all digits."""
    try:
        return NONE if text is None or text == "" else f"{Decimal(text):,.2f}"
    except ArithmeticError:
        return _t(text)


def _wall(wall_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall_ns // 1_000_000_000))


_SHOWN: Final[dict[str, Callable[[Data], list[str]]]] = {
    "status": _status,
    "info": _info,
    "ping": _ping,
    "holds": _holds,
    "why": _why,
    "positions": _positions,
    "orders": _orders,
    "fills": _fills,
    "quarantine list": _quarantine,
    "exposure": _exposure,
    "limits": _limits,
    "break-glass list": _glasses,
    "strategies": _strategies,
    "flatten plan": _plan,
}
