"""The live view on a terminal, in a process of its own: drawing must not take time from the loop that trades."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from holdfast.ops.ctl import Control
from holdfast.ops.errors import NotRunning
from holdfast.ops.show import money
from holdfast.ops.words import clean

Data: TypeAlias = Mapping[str, Any]
HZ: Final = 4
OWN_HINT: Final = "Ctrl-C: cancel and end · in another terminal: holdfast halt, why, flatten"
LEAVE_HINT: Final = "Ctrl-C: leave, the bot goes on · in another terminal: holdfast halt, why, flatten"
BESIDE: Final = "HOLDFAST_WATCH_BESIDE"  # set for the view that a bot shows of itself
STALE_MS: Final = 1_000
NONE: Final = "–"
_LEVEL_STYLE: Final = {
    "none": "bold green",
    "reduced": "bold yellow",
    "reduce_only": "bold yellow",
    "halted": "bold red",
    "killed": "bold white on red",
}


def watch(socket_path: Path, *, console: Console | None = None) -> int:
    """Draw a running bot's status until it ends or the person leaves (Ctrl-C, which leaves the bot alone).

    Errors: NotRunning when there is no bot to begin with.
    """
    console = console or Console()
    beside = bool(os.environ.get(BESIDE))
    hint = OWN_HINT if beside else LEAVE_HINT
    if beside:
        # Ctrl-C is for the bot, whose last seconds are shown; it ends us when it is done, and the cursor comes back
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Control(socket_path) as control, Live(console=console, screen=False, auto_refresh=False) as live:
        try:
            for answer in control.watch("status", hz=HZ):
                view = render(answer.data, hint=hint) if answer.ok else Text(clean(answer.text), style="red")
                live.update(view, refresh=True)
        except (KeyboardInterrupt, NotRunning) as error:
            said = "left; the bot goes on" if isinstance(error, KeyboardInterrupt) else str(error)
            if not beside:
                console.print(Text(said, style="dim"))
    return 0


def start_beside(socket_path: Path) -> subprocess.Popen[bytes]:
    """The same view as a child process on this terminal: what ``holdfast run`` shows of itself."""
    words = [sys.executable, "-m", "holdfast", "watch", "--socket", str(socket_path)]
    return subprocess.Popen(words, env={**os.environ, BESIDE: "1"})


def render(status: Data, *, hint: str = "") -> RenderableType:
    """One picture of a status view's data (as it came over the wire). ``hint``: what a person can do from here."""
    parts: list[RenderableType] = [_head(status)]
    if status["holds"]:
        parts.append(_holds(status["holds"]))
    parts += [
        _instruments(status["instruments"], breaks={one["key"] for one in status["breaks"]}),
        _strategies(status["strategies"]),
        _foot(status),
    ]
    if hint:
        parts.append(Text(f" {hint}", style="dim"))
    return Group(*parts)


def _head(status: Data) -> RenderableType:
    armed = status["armed"] and status["level"] == "none"
    mode = "TRADING" if armed else status["level"].upper().replace("_", " ")
    if status["stopping"]:
        mode = "ENDING"
    waiting = not status["stopping"] and any(hold["cause"] == "startup" for hold in status["holds"])
    title = Text.assemble(
        (f" {_t(status['account'])} ", "bold"),
        f"on {_t(status['venue'])} ({_t(status['venue_kind'])})  ",
        (f" {mode} ", _LEVEL_STYLE.get(status["level"], "bold")),
        ("  not armed", "yellow") if waiting else "",
        ("  latch TRIPPED", "bold red") if status["latch"]["tripped"] else "",
        "" if status["latch"]["lease_held"] else ("  lease NOT held", "bold red"),
    )
    drawdown_ppm = status["drawdown_ppm"]
    drawdown = NONE if drawdown_ppm is None else f"{drawdown_ppm / 10_000:.2f}%"
    rates = status["rates"]
    wealth = Text.assemble(
        ("equity ", "dim"),
        (f"{money(status['equity'])} {_t(status['settle_asset'])}", "bold"),
        ("   peak ", "dim"),
        money(status["peak"]),
        ("   drawdown ", "dim"),
        (drawdown, "red" if (drawdown_ppm or 0) >= 50_000 else ""),
    )
    pace = Text.assemble(
        ("orders/s ", "dim"),
        (f"{rates['orders_per_s']}", "red" if rates["orders_per_s"] >= rates["orders_per_s_refuse"] else ""),
        (f" of {rates['orders_per_s_refuse']}", "dim"),
        ("   messages/s ", "dim"),
        f"{rates['messages_per_s']:,}",
        ("   clock ", "dim"),
        NONE if status["clock_offset_ms"] is None else f"{status['clock_offset_ms']:+d} ms",
        ("   up ", "dim"),
        _age(status["uptime_ms"]),
    )
    return Panel(Group(title, wealth, pace), padding=(0, 1))


def _holds(holds: Sequence[Data]) -> RenderableType:
    table = _grid("hold", "level", "where", "cause", "why", "by", "next", wrap=("why", "next"))
    for hold in holds:
        where = " in ".join(part for part in (hold["strategy"], hold["instrument"]) if part) or "account"
        table.add_row(
            Text(str(hold["hold_id"])),
            Text(hold["level"].upper(), style=_LEVEL_STYLE.get(hold["level"], "")),
            *[
                _text(hold[key] if key != "where" else where)
                for key in ("where", "cause", "reason", "by", "permits")
            ],
        )
    return Panel(table, title="holds", border_style="red", padding=(0, 1))


def _instruments(rows: Sequence[Data], *, breaks: Collection[str]) -> RenderableType:
    """Ours beside the venue's last word. They differ while fills are on the way; red is a confirmed difference."""
    table = _grid("instrument", "ours", "venue said", "open", "bid", "ask", "data age", right=True)
    for row in rows:
        age = row["quote_age_ms"]
        said = Text.assemble(
            (_t(row["venue_position"]), "bold red" if row["instrument"] in breaks else ""),
            (f" {_ago(row['venue_position_age_ms'])}", "dim"),
        )
        table.add_row(
            _text(row["instrument"]),
            _text(row["position"], "bold"),
            said,
            _text(row["open_orders"]),
            _text(row["bid"]),
            _text(row["ask"]),
            _text(_age(age), "red" if age is None or age > STALE_MS else "green"),
        )
    return Panel(table, title="positions", padding=(0, 1))


def _strategies(rows: Sequence[Data]) -> RenderableType:
    """Money first; the positions last, for they may take a second line on a narrow terminal."""
    names = ("strategy", "state", "realised", "unrealised", "fees", "refused", "fills", "position")
    table = _grid(*names, wrap=("position",), right=True)
    for row in rows:
        table.add_row(
            _text(row["strategy"]),
            _text(row["state"]),
            *[_text(money(row.get(key))) for key in ("realised", "unrealised", "fees")],
            *[_text(row[key]) for key in ("refusals", "fills")],
            Text("\n").join(_text(f"{name} {qty}") for name, qty in row["positions"].items()),
        )
    return Panel(table, title="strategies", padding=(0, 1))


def _foot(status: Data) -> RenderableType:
    counters, journal = status["counters"], status["journal"]
    refusals = ", ".join(f"{tag} {count}" for tag, count in sorted(counters["refusals"].items())) or "none"
    lines = [
        Text.assemble(
            ("feeds ", "dim"),
            *[part for feed in status["feeds"] for part in _feed(feed)],
            ("journal ", "dim"),
            f"{journal['records']:,} records",
        ),
        _text(
            f"quotes {counters['quotes']:,}  orders {counters['orders']:,}  fills {counters['fills']:,}  "
            f"cancels {counters['cancels']:,}  rejected by the venue {counters['rejects']:,}"
        ),
        _text(
            f"open {status['open_orders']}  unknown {status['unknown_orders']}  breaks {len(status['breaks'])}  "
            f"quarantine {status['quarantined_fills']}  refused by the gate: {refusals}"
        ),
    ]
    if watched := _feeds_said(status):
        lines.append(Text.assemble(("market data ", "dim"), (_t("; ".join(watched)), "yellow")))
    if status["last_alert"]:
        lines.append(Text.assemble(("last alert ", "dim"), (_t(status["last_alert"]), "yellow")))
    return Panel(Group(*lines), padding=(0, 1))


def _feeds_said(status: Data) -> list[str]:
    """Whose data is used where there is a choice, what is silent, what was left out."""
    said = []
    if status["feeds_changed"]:
        feeds: dict[str, list[str]] = {}
        for row in status["instruments"]:
            feeds.setdefault(row["feed"] + (" (reference only)" if row["reference"] else ""), []).append(
                row["instrument"]
            )
        said.append(", ".join(f"{' '.join(names)} from {feed}" for feed, names in feeds.items()))
    said += [f"silent: {name}" for name in status["silent_streams"]]
    if status["conflated_quotes"]:
        words = "quotes conflated now" if status["degraded"] else "quotes were conflated"
        said.append(f"{words}: {status['conflated_quotes']:,} left out")
    return said


def _feed(feed: Data) -> list[tuple[str, str] | str]:
    name = (f"{_t(feed['name'])} ", "dim")
    if not feed["up"]:
        return [name, ("DOWN", "bold red"), "   "]
    return [name, "up" if feed["age_ms"] is None else _age(feed["age_ms"]), "   "]


def _grid(*names: str, wrap: Collection[str] = (), right: bool = False) -> Table:
    """Columns that fit 80 characters; the first and last stay at the left, numbers between them at the right."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    for place, name in enumerate(names):
        number = right and place > 0 and name not in {"state", "position"}
        table.add_column(name, no_wrap=name not in wrap, justify="right" if number else "left")
    return table


def _text(value: object, style: str = "") -> Text:
    """Never rich markup: a venue's words in square brackets stay words."""
    return Text(_t(value), style=style)


def _t(value: object) -> str:
    return NONE if value is None or value == "" else clean(str(value))


def _age(ms: int | None) -> str:
    if ms is None:
        return NONE
    return f"{ms} ms" if ms < 1_000 else f"{ms // 1_000} s" if ms < 600_000 else f"{ms // 60_000} min"


def _ago(ms: int | None) -> str:
    return "" if ms is None else f"{_age(ms)} ago"
