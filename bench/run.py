"""``make bench``: measures the shipped code, prints a table, writes ``bench/results.json``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench import full_gate, inprocess, living, orders, recovery
from bench.machine import disk, load, machine

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "bench" / "results.json"


class Row(Struct, frozen=True, kw_only=True):
    """One benchmark: what it measures, what was durable meanwhile, and how to run it at a share of its size."""

    name: str
    what: str
    durable: str
    measure: Callable[[Path, float], dict[str, Any]]
    figures: tuple[tuple[str, str], ...]  # (key of the result, aim or bound in words)


def _n(size: int, scale: float) -> int:
    return max(1, int(size * scale))


ROWS: Final = (
    Row(
        name="core",
        what="engine, core.step with every ingest check, timers, host, one counting strategy; quotes prepared",
        durable="nothing to write: quotes are not journaled; journal and market log are open on the disk",
        measure=lambda path, scale: inprocess.core_quotes_per_s(path, quotes=_n(100_000, scale), rounds=9),
        figures=(("core_quotes_per_s", "aim 500,000, at least 300,000"),),
    ),
    Row(
        name="bytes",
        what=(
            "bookTicker bytes of 100 instruments to the counting strategy: decoder, engine, core.step with every"
            " ingest check, host, timers; without and with the market log before it"
        ),
        durable="nothing to write, and every frame in the market log: packed, compressed, hashed, written, not synced",
        measure=lambda path, scale: inprocess.bytes_quotes_per_s(path, quotes=_n(200_000, scale), rounds=5),
        figures=(
            ("bytes_quotes_per_s", "aim 700,000, at least 400,000"),
            ("bytes_recorded_quotes_per_s", ""),
        ),
    ),
    Row(
        name="flat",
        what="cost of a quote with more instruments and with more open orders",
        durable="as core",
        measure=lambda path, scale: inprocess.flatness(path, quotes=_n(30_000, scale), rounds=5),
        figures=(("quote_ns_by_instruments", "flat"), ("quote_ns_by_open_orders", "flat")),
    ),
    Row(
        name="gate",
        what=(
            "gate: rate window, desk, all its checks, Approved made, each order timed alone after a quote;"
            " order_step: the whole core.step of the intent (gate, id, order book, exposure, call and timer)"
        ),
        durable="nothing: the gate is in memory; framing its records is in tick_to_order",
        measure=lambda path, scale: inprocess.gate_ns(path, orders=_n(10_000, scale)),
        figures=(
            ("gate_p50_ns", "aim 2,000"),
            ("gate_p99_ns", "aim 6,000"),
            ("order_step_p50_ns", ""),
            ("order_step_p99_ns", ""),
        ),
    ),
    Row(
        name="gate full",
        what=(
            "gate as above with every limit configured, reference file, hours, sums of net and group, duplicate window:"
            f" {full_gate.INSTRUMENTS} instruments, {full_gate.STRATEGIES} strategies in each of them,"
            f" {full_gate.OPEN_ORDERS:,} open orders, after a quote of the instrument; orders of {full_gate.BUSY} desks"
            " in turn. ten_times: median of 5 interleaved rounds, where one of the three is ten times as many"
        ),
        durable="nothing: as gate",
        measure=lambda path, scale: full_gate.full_gate_ns(
            path, orders=_n(5_000, scale), times=10 if scale == 1.0 else 2
        ),
        figures=(
            ("full_gate_p50_ns", "aim 2,000, at most 4,000"),
            ("full_gate_p99_ns", "aim 6,000, at most 12,000"),
            ("full_gate_ten_times_ratio", "at most 1.2"),
            ("full_gate_cold_p50_ns", ""),
        ),
    ),
    Row(
        name="ws",
        what=(
            "loopback WebSocket, sender in another process, distinct frames of 100 instruments: picows, BinanceFeed, market log,"
            " decoder, engine, core, host, counting strategy, in the live loop with latch, lease and watcher"
        ),
        durable="every frame in the market log: packed, compressed, hashed, written, not synced",
        measure=lambda path, scale: living.ws_msgs_per_s(path, count=_n(500_000, scale), rounds=5),
        figures=(("ws_msgs_per_s", "aim 400,000, at least 250,000"),),
    ),
    Row(
        name="tick in process",
        what="a quote's bytes to the approved order at a venue port that does nothing, effects carried out at once",
        durable="intent and approval framed and written to the operating system, not synced",
        measure=lambda path, scale: inprocess.tick_to_order_in_process(path, orders=_n(5_000, scale)),
        figures=(("tick_to_order_in_process_p50_us", ""), ("tick_to_order_in_process_p99_us", "")),
    ),
    Row(
        name="tick durable",
        what=(
            "a quote's receipt to its order's bytes at the socket, signed by ccxt, against `holdfast sim` in"
            " another process, both instruments' quotes streaming"
        ),
        durable="intent and approval synced (fdatasync) before the write; frames in the market log",
        measure=lambda path, scale: orders.tick_to_order(path, orders=_n(500, scale)),
        figures=(("tick_to_order_p50_us", ""), ("tick_to_order_p99_us", "")),
    ),
    Row(
        name="halt",
        what="another process's store into the latch to the last order written after it (0: none), at full rate",
        durable="as tick durable",
        measure=lambda path, scale: orders.halts(path, count=_n(50, scale)),
        figures=(
            ("halt_p99_us", "aim < 1,000"),
            ("orders_written_after_a_halt_max", "at most 1"),
            ("orders_in_flight_median", "several"),
        ),
    ),
    Row(
        name="recovery",
        what="open_state on a journal of the shipped engine: whole chain proven, newest snapshot, facts folded",
        durable="the journal was closed cleanly; it is in the page cache",
        measure=lambda path, scale: recovery.recovery(path, records=_n(1_000_000, scale), rounds=3),
        figures=(("recovery_1m_s", ""), ("recovery_1m_no_snapshot_s", "")),
    ),
)


def main() -> int:
    """Measure what was asked for, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual work; writes no results")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="ROW", help=", ".join(row.name for row in ROWS)
    )
    options = parser.parse_args()
    home = ROOT / "bench" / "scratch"
    home.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    began = time.monotonic()
    found: dict[str, Any] = {"machine": machine(), "disk": disk(scratch), "load_average_before": load()}
    rows: dict[str, Any] = {}
    try:
        for row in ROWS:
            if options.only and row.name not in options.only:
                continue
            path = scratch / row.name.replace(" ", "-")
            path.mkdir()
            print(f"{row.name} …", file=sys.stderr, flush=True)
            figures = row.measure(path, options.scale)
            rows[row.name] = {**figures, "what": row.what, "durable": row.durable}
            shutil.rmtree(path, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for row in ROWS:
        if row.name in rows:
            found |= {key: rows[row.name][key] for key, _ in row.figures}
    found |= {"seconds": round(time.monotonic() - began), "rows": rows}
    if not options.only and options.scale == 1.0:
        RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _print(found)
    return 0


def _print(found: dict[str, Any]) -> None:
    where = found["machine"]
    console = Console()
    table = Table(
        title=f"{where['cpu']}, {where['cores']} cores, Python {where['python']}, {where['os']}",
        caption=(
            f"fdatasync p50 {found['disk']['fdatasync_p50_us']} µs, p99 {found['disk']['fdatasync_p99_us']} µs; "
            f"load average {found['load_average_before'][0]} at the start; {found['seconds']} s"
        ),
    )
    for column in ("row", "figure", "value", "aim"):
        table.add_column(column, no_wrap=True)
    for row in ROWS:
        for number, (key, aim) in enumerate(row.figures if row.name in found["rows"] else ()):
            value = found[key]
            if isinstance(value, dict):
                text = ", ".join(f"{size}: {one:,}" for size, one in value.items())
            else:
                text = f"{value:,}"
            table.add_row("" if number else row.name, key, text, aim)
    console.print(table)
    for row in ROWS:
        if row.name in found["rows"]:
            console.print(f"[bold]{row.name}[/bold]: {row.what}. Durable: {row.durable}.")


if __name__ == "__main__":
    sys.exit(main())
