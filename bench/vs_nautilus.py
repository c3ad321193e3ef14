"""``make bench-vs``: the same work in NautilusTrader and in the shipped code, in turns, in one run.

Each side is a process of its own that keeps what it built; only one works at a time. A pair is one round of
each; the ratio of a pair is ours over theirs (above 1: ours is faster), and what is told is the median of the
pairs. Writes ``bench/vs_nautilus.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.house import START_WALL_NS, frames, instruments
from bench.living import child, said
from bench.machine import load, machine, median, percentile
from holdfast.sim.sources import quotes_only
from holdfast.vocab.units import ceil_div

ROOT: Final = Path(__file__).resolve().parents[1]
VERSION: Final = "1.221.0"
ENVIRONMENT: Final = ROOT / ".bench-nautilus"
RESULTS: Final = ROOT / "bench" / "vs_nautilus.json"
SEED: Final = 1
ERRORS: Final = subprocess.DEVNULL  # its log; for a look, None
# What must be kept, and what is aimed at.
BOUNDS: Final = {
    "feed_ratio": (8, 13),
    "feed_recorded_ratio": (0, 0),
    "ws_ratio": (15, 26),
    "gate_ratio": (3, 5),
    "tick_to_order_ratio": (10, 28),
    "tick_to_order_written_ratio": (0, 0),
    "backtest_ratio": (1.5, 3),
}

_ALL: Final = tuple(name.removesuffix("_ratio") for name in BOUNDS)
_SAME_FEED: Final = "as in feed_ratio: it records nothing"
THEIRS: Final = {
    "feed_recorded_ratio": _SAME_FEED,
    "feed_ratio": (
        "frames in the combined envelope, as its subscription asks for: BinanceSpotDataClient._handle_ws_message: two msgspec decodes (envelope, quote), a QuoteTick, synchronous"
        " DataEngine (cache, message bus), Strategy.on_quote_tick. No validation, no sequence check, no record."
    ),
    "ws_ratio": (
        "its own WebSocketClient (Rust) through BinanceWebSocketClient, then the same handler as in feed_ratio."
    ),
    "gate_ratio": (
        "RiskEngine.execute(SubmitOrder) on a cash account: price and size precision, instrument's sizes and"
        " notional, free balance, submit throttle; ends at a do-nothing ExecEngine.execute endpoint."
    ),
    "tick_to_order_written_ratio": "as in tick_to_order_ratio: it writes nothing",
    "tick_to_order_ratio": (
        "the handler of feed_ratio, order_factory.limit and submit_order in the strategy, RiskEngine (cash account),"
        " ExecutionEngine, a do-nothing ExecutionClient. No journal, no database."
    ),
    "backtest_ratio": (
        "BacktestEngine.run() on preloaded QuoteTicks (loading not timed), matching engine of both instruments,"
        " one counting strategy, no orders, logging bypassed."
    ),
}
OURS: Final = {
    "feed_ratio": (
        "bare frames, as our subscription asks for: decode with tick and lot checks, sequence, crossed, size,"
        " lateness, spread and jump checks, timers, host, Strategy.on_quote. The same work as theirs, and the checks."
    ),
    "feed_recorded_ratio": (
        "the live frame sink whole: before all that of feed_ratio each frame goes into the market log (blocks packed,"
        " compressed, hashed, written)."
    ),
    "ws_ratio": (
        "BinanceFeed on picows in the live loop with latch, lease, watcher and journal, every frame into the market"
        " log; then as in feed_ratio."
    ),
    "gate_ratio": (
        "counted in the rate window, desk found, eleven checks (holds, terms, venue's sizes, freshness, duplicate,"
        " order size and notional, collar, reduce-only, position of strategy and instrument at worst case, gross"
        " exposure and leverage, rate and open orders), Approved made."
    ),
    "tick_to_order_ratio": (
        "the frame sink of feed_ratio, one frame a read; intent, its record framed (encoded, checksummed, chained),"
        " gate, order id, order book, the approval's record framed, latch asked, a do-nothing venue port."
    ),
    "tick_to_order_written_ratio": (
        "as in tick_to_order_ratio, the frame in the market log and both records handed to the operating system before"
        " the venue port is asked; nothing is synced."
    ),
    "backtest_ratio": (
        "`holdfast backtest --quotes` on preloaded quotes (making them not timed): simulated venue of both"
        " instruments, every quote encoded and written to the market log, core with all checks, timers, reconciling"
        " with the venue, journal, one counting strategy, no orders."
    ),
}


class Worker:
    """One side: a process that answers a JSON line with a JSON line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, what: str, **request: Any) -> dict[str, Any]:
        """One round of one kind of work. RuntimeError when the process ended instead."""
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("a worker without input")
        stdin.write(json.dumps({"what": what, **request}).encode() + b"\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(said(self._process))
        return answer


@contextmanager
def theirs() -> Iterator[Worker]:
    """Their side, in their environment."""
    process = subprocess.Popen(
        [str(ENVIRONMENT / "bin" / "python"), str(ROOT / "bench" / "nautilus_side.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=ERRORS,
        cwd=ROOT,
    )
    try:
        yield Worker(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def install() -> None:
    """Make their environment once, with this interpreter; later runs find it."""
    stamp = ENVIRONMENT / f".nautilus-{VERSION}"
    if stamp.exists():
        return
    print(f"installing nautilus_trader {VERSION} into {ENVIRONMENT.name} (once)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", f"nautilus_trader=={VERSION}"], check=True)
    stamp.touch()


class Sizes:
    """How much work one round is, on each side: rates differ by an order of magnitude, times should not."""

    def __init__(self, *, scale: float = 1.0) -> None:
        self.feed = (int(20_000 * scale), int(200_000 * scale))
        self.ws = (int(30_000 * scale), int(400_000 * scale))
        self.gate = int(4_000 * scale)
        self.tick = int(2_000 * scale)
        self.backtest = int(1_000_000 * scale)


class Pairs:
    """Rounds of both sides in turns, and what they add up to."""

    def __init__(self, ours: Worker, other: Worker, scratch: Path, sizes: Sizes, pairs: int) -> None:
        self._ours = ours
        self._theirs = other
        self._scratch = scratch
        self._sizes = sizes
        self._pairs = pairs
        self._frames = 0

    def _file(self, count: int, *, combined: bool) -> str:
        """So many new frames, one a line: the same quotes for both, in the envelope that each subscribes to."""
        path = self._scratch / f"frames-{self._frames}"
        made = frames(
            instruments(2), count, wall_ns=START_WALL_NS, first_seq=1_000 + self._frames, combined=combined
        )
        self._frames += count
        path.write_bytes(b"\n".join(made))
        return str(path)

    def _run(
        self, ours: Callable[[], float], other: Callable[[], float], *, warm: int = 1, pairs: int = 0
    ) -> tuple[list[float], list[float]]:
        """Figures of each side, pair by pair; the first rounds only warm up. ``pairs``: other than usual."""
        mine, yours = [], []
        for number in range((pairs or self._pairs) + warm):
            # who begins changes from pair to pair: what the machine does to the second, it does to both
            if number & 1:
                b, a = other(), ours()
            else:
                a, b = ours(), other()
            if number >= warm:
                mine.append(a)
                yours.append(b)
        return mine, yours

    def feed(self) -> dict[str, Any]:
        return self._feed("feed_ratio", recorded=False)

    def feed_recorded(self) -> dict[str, Any]:
        return self._feed("feed_recorded_ratio", recorded=True)

    def _feed(self, name: str, *, recorded: bool) -> dict[str, Any]:
        def ours() -> float:
            path = self._file(self._sizes.feed[1], combined=False)
            return float(self._ours.ask("feed", path=path, recorded=recorded)["seconds"])

        def other() -> float:
            path = self._file(self._sizes.feed[0], combined=True)
            return float(self._theirs.ask("feed", path=path)["seconds"])

        mine, yours = self._run(ours, other)
        return {
            name: _ratio(yours, mine),
            "ours_us_per_message": round(median(mine) * 1e6, 3),
            "theirs_us_per_message": round(median(yours) * 1e6, 3),
        }

    def ws(self) -> dict[str, Any]:
        few, many = self._sizes.ws
        with (
            child("-m", "bench.sender", str(many), "bare") as sender,
            child("-m", "bench.sender", str(few), "combined") as slow_sender,
        ):
            port, slow_port = int(said(sender)), int(said(slow_sender))
            mine, yours = self._run(
                lambda: float(self._ours.ask("ws", port=port, count=many)["rate"]),
                lambda: float(self._theirs.ask("ws", port=slow_port, count=few)["rate"]),
                warm=0,
            )
        return {
            "ws_ratio": _ratio(mine, yours),
            "ours_msgs_per_s": round(median(mine)),
            "theirs_msgs_per_s": round(median(yours)),
        }

    def gate(self) -> dict[str, Any]:
        orders = []
        for number in range(self._sizes.gate):
            which = number & 1
            cents = 618_000 + number % 50 if which else 6_180_000 + 10 * (number % 50)
            orders.append((1 if number & 2 else -1, 20 + number % 7, cents, which))

        def one(worker: Worker) -> float:
            answer = worker.ask("gate", orders=orders)
            if answer["passed"] != len(orders):
                raise RuntimeError(f"only {answer['passed']} of {len(orders)} orders passed a gate")
            took.append((worker, answer["ns"]))
            return percentile(answer["ns"], 0.5)

        took: list[tuple[Worker, list[int]]] = []
        mine, yours = self._run(lambda: one(self._ours), lambda: one(self._theirs))
        return {
            "gate_ratio": _ratio(yours, mine),
            "ours_p50_ns": round(median(mine)),
            "theirs_p50_ns": round(median(yours)),
            "ours_p99_ns": self._p99(took, self._ours),
            "theirs_p99_ns": self._p99(took, self._theirs),
        }

    def tick_to_order(self) -> dict[str, Any]:
        return self._tick("tick_to_order_ratio", written=False)

    def tick_to_order_written(self) -> dict[str, Any]:
        return self._tick("tick_to_order_written_ratio", written=True)

    def _tick(self, name: str, *, written: bool) -> dict[str, Any]:
        def one(worker: Worker) -> float:
            path = self._file(self._sizes.tick, combined=worker is self._theirs)
            answer = worker.ask("tick", path=path, **({"written": written} if worker is self._ours else {}))
            took.append((worker, answer["ns"]))
            return percentile(answer["ns"], 0.5)

        took: list[tuple[Worker, list[int]]] = []
        mine, yours = self._run(lambda: one(self._ours), lambda: one(self._theirs))
        return {
            name: _ratio(yours, mine),
            "ours_p50_us": round(median(mine) / 1_000, 2),
            "theirs_p50_us": round(median(yours) / 1_000, 2),
            "ours_p99_us": round(self._p99(took, self._ours) / 1_000, 2),
            "theirs_p99_us": round(self._p99(took, self._theirs) / 1_000, 2),
        }

    def backtest(self) -> dict[str, Any]:
        count = self._sizes.backtest
        rows = array("q")
        for quote in quotes_only(count, seed=SEED):
            which = 0 if quote.instrument == "BTCUSDT" else 1
            rows.extend(
                (which, quote.bid_ticks, quote.bid_lots, quote.ask_ticks, quote.ask_lots, quote.wall_ns)
            )
        path = self._scratch / "quotes"
        with path.open("wb") as file:
            rows.tofile(file)
        config = backtest_config(self._scratch)

        def one(worker: Worker, where: Path) -> float:
            answer = worker.ask("backtest", path=str(where), count=count)
            if answer["reached"] != count:
                raise RuntimeError(
                    f"only {answer['reached']} of {count} quotes reached a backtest's strategy"
                )
            return float(answer["rate"])

        mine, yours = self._run(
            lambda: one(self._ours, config),
            lambda: one(self._theirs, path),
            warm=0,
            pairs=ceil_div(self._pairs, 3),  # its rounds are longer by far
        )
        return {
            "backtest_ratio": _ratio(mine, yours),
            "ours_quotes_per_s": round(median(mine)),
            "theirs_quotes_per_s": round(median(yours)),
            "quotes": count,
        }

    def _p99(self, took: list[tuple[Worker, list[int]]], worker: Worker) -> int:
        return round(median([percentile(ns, 0.99) for one, ns in took if one is worker]))


def _ratio(above: list[float], below: list[float]) -> dict[str, Any]:
    pairs = [one / other for one, other in zip(above, below, strict=True)]
    return {
        "median": round(median(pairs), 2),
        "pairs": [round(one, 2) for one in pairs],
    }


def backtest_config(scratch: Path) -> Path:
    """The demonstration's configuration with a strategy that only counts."""
    text = (ROOT / "src" / "holdfast" / "app" / "demo.toml").read_text(encoding="utf-8")
    head = text[: text.index("# The quoter would hold")]
    timings = text[text.index("[timings]") : text.index("[strategy.quoter]")]
    tail = text[text.index("[paths]") :]
    limits = "".join(
        f'[limits.strategy.bench.{name}]\norder_max = "{size}"\nposition_max = "{size}"\n'
        'churn_round_trips_max = 500\nchurn_cost_max = "1000000 USDT"\nchurn_window = "1s"\nslippage_max = "50%"\n'
        "orders_per_s_refuse = 60\norders_per_s_halt = 80\n\n"
        for name, size in (("BTCUSDT", "0.1 BTC"), ("ETHUSDT", "2 ETH"))
    )
    strategy = (
        '[strategy.bench]\nclass = "bench.strategies:Counting"\ninstruments = ["BTCUSDT", "ETHUSDT"]\n\n'
    )
    for name in ("demo-caps.toml", "demo-reference.toml"):
        shutil.copy(ROOT / "src" / "holdfast" / "app" / name, scratch)
    path = scratch / "backtest.toml"
    path.write_text(head + limits + timings + strategy + tail, encoding="utf-8")
    return path


def main() -> int:
    """Measure, print a table, write the results. 1 when a ratio is below what must be kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.vs_nautilus", description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual work per round")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        help="feed feed_recorded ws gate tick_to_order tick_to_order_written backtest",
    )
    options = parser.parse_args()
    install()
    scratch = Path(tempfile.mkdtemp(prefix="vs-", dir=_scratch()))
    began = time.monotonic()
    results: dict[str, Any] = {}
    try:
        with child("-m", "bench.our_side", str(scratch)) as process, theirs() as other:
            pairs = Pairs(Worker(process), other, scratch, Sizes(scale=options.scale), options.pairs)
            for name in _ALL:
                if options.only and name not in options.only:
                    continue
                results |= _row(name, getattr(pairs, name)())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    found: dict[str, Any] = {
        "other": f"nautilus_trader {VERSION}",
        "machine": machine(),
        "load_average": load(),
        "pairs": options.pairs,
        "seconds": round(time.monotonic() - began),
        **{name: row.pop("median") for name, row in results.items()},
        "rows": results,
    }
    if not options.only and options.scale == 1.0:
        RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _print(found)
    return 1 if any(found[name] < BOUNDS[name][0] for name in results) else 0


def _row(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    key = f"{name}_ratio"
    ratio = figures.pop(key)
    return {key: {**ratio, **figures, "ours": OURS[key], "theirs": THEIRS[key]}}


def _scratch() -> Path:
    path = ROOT / "bench" / "scratch"
    path.mkdir(exist_ok=True)
    return path


def _print(found: dict[str, Any]) -> None:
    table = Table(title=f"ours over {found['other']} (medians of {found['pairs']} pairs)")
    for column in ("ratio", "", "keep", "aim", "figures"):
        table.add_column(column, no_wrap=True)
    for name, row in found["rows"].items():
        keep, aim = BOUNDS[name]
        figures = "\n".join(
            f"{key} {value:,}" for key, value in row.items() if isinstance(value, int | float)
        )
        table.add_row(name, f"{found[name]:g}", str(keep or ""), str(aim or ""), figures)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
