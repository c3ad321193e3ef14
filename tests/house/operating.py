"""What people operate: a bot that only answers (real socket, real latch, no trading), and the command line."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import structs

from holdfast.guard.latch import Latch, key_of
from holdfast.ops.registry import Entry, entry_here, register, socket_path
from holdfast.runtime.socket import ControlSocket
from holdfast.runtime.views import (
    CountersRow,
    FeedRow,
    FlattenPlanView,
    FlattenRow,
    HoldRow,
    HoldsView,
    InstrumentRow,
    JournalRow,
    LatchRow,
    OrdersView,
    PingView,
    PlanRow,
    RatesRow,
    StatusView,
    StrategyRow,
    WhyView,
)
from holdfast.runtime.wire import Act, Answer

SOURCE = Path(__file__).parents[2] / "src"

A_HOLD = HoldRow(
    hold_id=7,
    level="halted",
    cause="halt",
    release="person",
    by="ada",
    reason="looks odd",
    since_wall_ns=1_723_075_200_000_000_000,
    permits='holdfast resume 7 --reason "…"',
)
AN_INSTRUMENT = InstrumentRow(
    instrument="BTCUSDT",
    position="0.012",
    venue_position="0.012",
    venue_position_age_ms=420,
    open_orders=2,
    bid="60000.1",
    ask="60000.2",
    quote_age_ms=12,
)
PLAIN_STATUS = StatusView(
    account="demo",
    venue="binanceusdm",
    venue_kind="simulated",
    pid=4242,
    wall_ns=1_723_075_200_000_000_000,
    uptime_ms=61_000,
    epoch=1,
    level="none",
    armed=True,
    stopping=False,
    mode_version=3,
    holds=[],
    equity="99987.5",
    peak="100000",
    drawdown_ppm=125,
    wallet="100000",
    settle_asset="USDT",
    instruments=[AN_INSTRUMENT],
    strategies=[
        StrategyRow(
            strategy="quoter", state="running", positions={"BTCUSDT": "0.012"}, realised="-3", unrealised="1"
        )
    ],
    feeds=[FeedRow(name="binance", stream="market", up=True, age_ms=3)],
    rates=RatesRow(orders_per_s=12, messages_per_s=3_400, orders_per_s_refuse=80, orders_per_s_kill=100),
    counters=CountersRow(
        quotes=1000, orders=20, fills=5, cancels=9, rejects=0, refusals={"over_position": 2}
    ),
    journal=JournalRow(records=512, synced_records=512, last_sync_us=120, market_frames=9000),
    latch=LatchRow(tripped=False, nonce=0, by="", reason="", lease_held=True, lease_left_ms=900),
    open_orders=0,
    unknown_orders=0,
    quarantined_fills=0,
    breaks=[],
    clock_offset_ms=-3,
    clock_rtt_ms=1,
)


def a_status(**changes: object) -> StatusView:
    return structs.replace(PLAIN_STATUS, **changes)


def a_flatten(**changes: object) -> FlattenRow:
    plain = FlattenRow(
        strategy="", instrument="", active=False, flat=True, by="ada", why="venue says 0, twice"
    )
    return structs.replace(plain, **changes)


@dataclass
class AnsweringBot:
    """Answers looks from ``views`` and acts from ``answers``; keeps what it was told."""

    state_dir: Path
    views: dict[str, object] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    told: list[Act] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)

    def view(self, name: str, args: object) -> object:
        found = self.views[name]
        if isinstance(found, Exception):
            raise found
        return found

    async def act(self, act: Act) -> Answer:
        self.told.append(act)
        return self.answers.get(act.verb, Answer(ok=True, text=f"{act.verb} accepted"))

    @property
    def socket_path(self) -> Path:
        return socket_path(self.state_dir)


def plain_views() -> dict[str, object]:
    return {
        "status": PLAIN_STATUS,
        "ping": PingView(wall_ns=1, event_age_ms=2),
        "holds": HoldsView(level="halted", holds=[A_HOLD]),
        "orders": OrdersView(orders=[], foreign=[], total=0),
        "why": WhyView(
            planned=False,
            refused=True,
            refusal="over_position",
            numbers={"limit_lots": "330", "would_be_lots": "350"},
            text="worst case 0.350 BTC, limit 0.330 BTC",
            permits="a smaller order, or less open",
            holds=[],
        ),
        "flatten plan": FlattenPlanView(
            rows=[
                PlanRow(
                    instrument="BTCUSDT",
                    venue_position="0.012",
                    side="sell",
                    qty="0.012",
                    clips=1,
                    price_bound="58800",
                    open_orders=2,
                )
            ],
            text="1 instrument",
        ),
    }


@contextlib.contextmanager
def an_answering_bot(state_dir: Path, *, uvloop: bool = False) -> Iterator[AnsweringBot]:
    """Its control socket on a real event loop in a thread."""
    bot = AnsweringBot(state_dir=state_dir, views=plain_views())
    state_dir.mkdir(parents=True, exist_ok=True)
    ready, finish = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        door = ControlSocket(bot.socket_path, view=bot.view, act=bot.act, on_fatal=bot.broken.append)
        await door.open()
        ready.set()
        await finish.wait()
        await door.close()

    def run() -> None:
        if uvloop:
            import uvloop as fast

            with asyncio.Runner(loop_factory=fast.new_event_loop) as runner:
                runner.run(serve())
        else:
            asyncio.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield bot
    finally:
        loops[0].call_soon_threadsafe(finish.set)
        thread.join(5)


def a_latch(guard_dir: Path, *, venue: str = "binanceusdm", uid: str = "1000001") -> Latch:
    """A clear latch, as an armed bot holds it."""
    latch = Latch(str(guard_dir), key_of(venue=venue, account=uid))
    assert latch.clear(latch.observe())
    return latch


def registered(
    state_dir: Path, *, latch: Latch | None, config_path: str = "", account: str = "demo"
) -> Entry:
    """This process in the machine's register, as the bot of that state directory."""
    entry = entry_here(
        account=account,
        venue="binanceusdm",
        account_uid="1000001",
        state_dir=state_dir,
        config_path=config_path,
        latch_path=latch.path if latch else "",
        wall_ns=1,
    )
    register(entry)
    return entry


@dataclass(frozen=True)
class Said:
    """What a command line said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error_lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class Terminal:
    """A terminal of a machine of its own: one current directory, one directory of latches."""

    home: Path
    guard_dir: Path

    def __call__(self, *words: str, **environment: str) -> Said:
        return holdfast(*words, cwd=self.home, guard_dir=self.guard_dir, **environment)


def holdfast(*words: str, cwd: Path, guard_dir: Path, stdin: str = "", **environment: str) -> Said:
    """Run the command line as a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "holdfast", *words],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "HOLDFAST_GUARD_DIR": str(guard_dir),
            "COLUMNS": "120",
            **environment,
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Said(code=run.returncode, out=run.stdout, err=run.stderr)
