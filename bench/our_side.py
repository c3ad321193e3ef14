"""Our side of ``make bench-vs``: the same requests answered by the shipped code, in a process of its own."""

from __future__ import annotations

import gc
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.house import START_WALL_NS, STRATEGY, Desk, instruments
from bench.inprocess import Feeding, Ticking
from bench.living import Reading
from bench.strategies import Counting
from holdfast.app import backtest
from holdfast.app.options import BacktestOptions
from holdfast.config.load import load
from holdfast.core.gate.gate import Approved, judge
from holdfast.runtime.garbage import rare_rounds
from holdfast.sim.sources import quotes_only
from holdfast.vocab.events import OrderIntent
from holdfast.vocab.market import Quote
from holdfast.vocab.orders import Side as OrderSide
from holdfast.vocab.orders import TimeInForce

SEED: Final = 1


class Side:
    """What was built stays for the next round."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._feeding: dict[bool, Feeding] = {}
        self._ticking: dict[bool, Ticking] = {}
        self._desk: Desk | None = None
        self._orders = 0
        self._quotes: list[Quote] = []

    def feed(self, path: str, *, recorded: bool) -> dict[str, Any]:
        """Seconds per message, bytes at the frame sink to the strategy's callback; with the market log or without."""
        feeding = self._feeding.get(recorded)
        if feeding is None:
            feeding = self._feeding[recorded] = Feeding(self._scratch / f"feed-{recorded}", recorded=recorded)
        made = Path(path).read_bytes().split(b"\n")
        before = feeding.counting.count
        seconds = feeding.pour(made)
        return {"seconds": seconds, "reached": feeding.counting.count - before}

    def ws(self, port: int, count: int) -> dict[str, Any]:
        """Messages per second from our own feed's socket to the strategy's callback."""
        import asyncio

        directory = Path(tempfile.mkdtemp(dir=self._scratch))
        rate = asyncio.run(Reading(directory, count=count).round(port))
        shutil.rmtree(directory)
        return {"rate": rate, "reached": count}

    def gate(self, orders: list[tuple[int, int, int, int]]) -> dict[str, Any]:
        """Nanoseconds per order through the gate, each timed alone."""
        if self._desk is None:
            self._desk = Desk(self._scratch / "gate", instruments(2), Counting(), synced=False)
            self._desk.arm()
        desk = self._desk
        state, session = desk.state, desk.state.live
        clock = time.perf_counter_ns
        took: list[int] = []
        passed = 0
        intents = []
        last = desk.next_quotes(2, gap_ns=1_000_000)
        for quote in last:
            desk.until(quote)
            desk.engine.frames([quote])
        mono_ns = desk.clock.mono_ns()
        for side, qty_lots, cents, which in orders:
            self._orders += 1
            mono_ns += 1_000_000  # between two orders, so that the rate window is judged and never full
            intents.append(
                OrderIntent(
                    wall_ns=desk.clock.wall_ns(),
                    mono_ns=mono_ns,
                    strategy=STRATEGY,
                    intent_seq=self._orders,
                    instrument=desk.specs[which].instrument,
                    side=OrderSide(side),
                    qty_lots=qty_lots,
                    price_ticks=cents if which else cents // 10,
                    tif=TimeInForce.IOC,
                )
            )
        desks = state.desks
        with rare_rounds():
            for intent in intents:
                began = clock()
                session.account.asked.ask(intent)
                verdict = judge(intent, desks[intent.strategy][intent.instrument])
                took.append(clock() - began)
                if type(verdict) is not Approved:
                    raise RuntimeError(f"an order of the gate's test was refused: {verdict}")
                passed += 1
        passed_ns = 1_000_000 * len(orders)
        desk.clock.tell(wall_ns=desk.clock.wall_ns() + passed_ns, mono_ns=desk.clock.mono_ns() + passed_ns)
        return {"ns": took, "passed": passed}

    def tick(self, path: str, *, written: bool) -> dict[str, Any]:
        """Nanoseconds from a quote's bytes to its order at a venue that does nothing."""
        ticking = self._ticking.get(written)
        if ticking is None:
            ticking = self._ticking[written] = Ticking(self._scratch / f"tick-{written}", written=written)
        return {"ns": ticking.pour(Path(path).read_bytes().split(b"\n"))}

    def backtest(self, path: str, count: int) -> dict[str, Any]:
        """Quotes per second of ``holdfast backtest --quotes``: its own figure, its closing proofs left out.

        The quotes are made before, as the other side's are: neither is timed for making them.
        """
        directory = Path(tempfile.mkdtemp(dir=self._scratch))
        if len(self._quotes) != count:
            self._quotes = list(quotes_only(count, seed=SEED))
        backtest.quotes_only = lambda *_, **__: iter(self._quotes)  # type: ignore[attr-defined]
        with rare_rounds():
            result = backtest.backtest(load(Path(path)), BacktestOptions(quotes=count, seed=SEED), directory)
        shutil.rmtree(directory)
        return {"rate": result["events_per_s"], "reached": result["delivered"]}


def unproven(**found: Any) -> dict[str, Any]:
    """The backtest's summary without reading the journal back and replaying it in another process."""
    return {"delivered": found["engine"].delivered_count, "state_hash": found["state_hash"]}


def main() -> None:
    """Answer one JSON line per request."""
    backtest.summary = unproven  # type: ignore[attr-defined] # the proofs are after the clock: the tests run them
    side = Side(Path(sys.argv[1]))
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(side, request.pop("what"))(**request)
        gc.collect()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()


__all__ = ["START_WALL_NS", "Side"]
