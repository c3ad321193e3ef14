"""Real processes for the tests: a simulated venue, a bot, the command line. Everything started is ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from holdfast.app.init import as_of_now
from holdfast.app.options import END_WITH_PARENT
from holdfast.app.parts import account_tag
from holdfast.config.operators import token_hash

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "src" / "holdfast" / "app" / "demo.toml"
DEMO_CAPS = DEMO.with_name("demo-caps.toml")
DEMO_REFERENCE = DEMO.with_name("demo-reference.toml")
GENERATED = '[source]\nkind = "generated"\nseed = 7\n'
PATIENCE_S = 60.0  # of a wait that proves nothing by its length: how busy the machine is, is no fault of ours
FULL = os.environ.get("HOLDFAST_FULL") == "1"
# The lease, and what goes by it, as it is shipped: for what is proven of these. In the quick size the other bots get
# longer ones, or one that waits its turn on a busy machine halts itself, as it must.
AS_SHIPPED = {name: name for name in ('lease_ttl = "1s"', 'hung_after = "2s"')}
PATIENT = (
    AS_SHIPPED if FULL else dict(zip(AS_SHIPPED, ('lease_ttl = "5s"', 'hung_after = "6s"'), strict=True))
)
NAME = "demo"
TOKENS = {person: f"hf_{person}-of-the-tests-0123456789" for person in ("ada", "bob", "vic")}
ROLES = {"ada": "risk", "bob": "risk", "vic": "viewer"}


class Home:
    """A directory of one test's own: configurations, states, and the guard directory of its bots."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.guard = Path(tempfile.mkdtemp(prefix="hf-test-", dir="/dev/shm"))
        self.running: list[SimProcess | Bot | WatchdogProcess | subprocess.Popen[Any]] = []

    def sim(self, extra: str = GENERATED) -> SimProcess:
        """A simulated venue on free ports."""
        sim = SimProcess(self, extra)
        self.running.append(sim)
        return sim

    def bot(self, sim: SimProcess, name: str = "bot", **options: Any) -> Bot:
        """A bot with a configuration of its own; not started."""
        bot = Bot(self, sim, name, **options)
        self.running.append(bot)
        return bot

    def watchdog(self, bot: Bot) -> WatchdogProcess:
        """The watchdog of a bot; it looks already."""
        watchdog = WatchdogProcess(self, bot)
        self.running.append(watchdog)
        return watchdog

    def environment(self, **more: str) -> dict[str, str]:
        """Ours, without anything that would reach another bot."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "COV_"))
        }
        return {
            **kept,
            "HOLDFAST_GUARD_DIR": str(self.guard),
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "COLUMNS": "200",
            **more,
        }

    def close(self) -> None:
        """End what runs, in the opposite order of its start, and remove the guard directory."""
        try:
            for one in reversed(self.running):
                if isinstance(one, subprocess.Popen):
                    end(one)
                else:
                    one.close()
        finally:
            shutil.rmtree(self.guard, ignore_errors=True)


class SimProcess:
    """``holdfast sim`` on free ports; it ends with us however we end."""

    def __init__(self, home: Home, extra: str = GENERATED) -> None:
        config = home.path / "sim.toml"
        config.write_text(
            "[limits]\nweight_per_minute = 600000\norders_per_10s = 100000\norders_per_minute = 600000\n"
            + extra
        )
        words = [sys.executable, "-m", "holdfast", "sim", "--port", "0", "--control-port", "0", "--json"]
        with (home.path / "sim.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*words, "--config", str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=home.environment(**{END_WITH_PARENT: "1"}),
                cwd=home.path,
            )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.url, self.ws_url, self.control_url = said["url"], said["ws_url"], said["control_url"]

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask the control port. Errors: AssertionError with its words."""
        request = urllib.request.Request(
            self.control_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error

    def truth(self) -> Any:
        """The account's ground truth, requests included."""
        return self.control("GET", "/truth")

    def position_lots(self, symbol: str = "BTCUSDT") -> int:
        """The true position."""
        found = self.control("GET", "/truth?requests=0")["positions"]
        return sum(one["position_lots"] for one in found if one["symbol"] == symbol)

    def requests(self, *kinds: str, since_seq: int = 0) -> list[dict[str, Any]]:
        """Order requests that reached the venue, of these kinds (or all), in order."""
        found = self.control("GET", f"/truth?since_seq={since_seq}")["requests"]
        return [one for one in found if not kinds or one["kind"] in kinds]

    def fault(self, kind: str, **spec: Any) -> int:
        """Put a fault to work."""
        return int(self.control("POST", "/faults", {"kind": kind, **spec})["fault_id"])

    def heal(self, fault_id: int | None = None) -> None:
        """Take one fault away, or all."""
        self.control("DELETE", "/faults" + ("" if fault_id is None else f"?fault_id={fault_id}"))

    def close(self) -> None:
        """End it."""
        end(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def roomy_caps() -> str:
    """The demonstration's hard caps, with room for what the tests allow their bots."""
    text = DEMO_CAPS.read_text()
    for name, cap in {
        "gross_notional_max": "9000000 USDT",
        "leverage_max": "100x",
        "drawdown_warning": "50%",
        "drawdown_release": "50%",
        "drawdown_breaker": "90%",
        "breaker_cooldown": "1s",
        "recover_cooling": "1s",
        "order_notional_max": "9000000 USDT",
        "spread_max": "50%",
        "jump_max": "50%",
        "net_notional_max": "9000000 USDT",
        "group_share_max": "100x",
        "equity_share_max": "100x",
        "adv_share_max": "100%",
    }.items():
        text = re.sub(rf"(?m)^{name} = .*$", f'{name} = "{cap}"', text)
    text = re.sub(r"(?m)^(open_orders_max|orders_per_s_\w+) = .*$", r"\1 = 10000", text)
    return re.sub(r"(?m)^((orders|cancels|fills)_per_day_max) = .*$", r"\1 = 10000000", text)


class Bot:
    """``holdfast run`` on a configuration of its own; a person arms it."""

    def __init__(
        self,
        home: Home,
        sim: SimProcess,
        name: str = "bot",
        *,
        strategy: str = "Sleeper",
        params: dict[str, Any] | None = None,
        edits: dict[str, str] | None = None,
        extra: str = "",
        state_dir: Path | None = None,
    ) -> None:
        self.house = home
        self.sim = sim
        self.home = home.path / name
        self.home.mkdir(exist_ok=True)
        self.state_dir = state_dir or self.home / "state"
        self.config = self.home / "holdfast.toml"
        self.stamps = self.home / "stamps.jsonl"
        self.signal = self.home / "signal"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        text = configuration(sim, strategy=strategy, params=params or {}, edits=edits or {})
        self.config.write_text(text + extra)
        tomllib.loads(self.config.read_text())
        write_private(self.home / DEMO_CAPS.name, roomy_caps())
        self.reference = self.home / DEMO_REFERENCE.name
        write_private(self.reference, as_of_now(DEMO_REFERENCE.read_text()))
        for keys in ("demo-keys.toml", "watchdog-keys.toml"):
            write_private(self.home / keys, 'api_key = "sim-key"\nsecret = "sim-secret"\n')
        for person, token in TOKENS.items():
            write_private(self.home / f"{person}.token", token)
        write_private(
            self.home / "operators.toml",
            "".join(
                f'[operator.{person}]\nrole = "{ROLES[person]}"\ntoken_sha256 = "{token_hash(token)}"\n'
                for person, token in TOKENS.items()
            ),
        )

    # --- life -----------------------------------------------------------------------------------------------

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it and wait for nothing."""
        self.starts += 1
        words = [sys.executable, "-m", "tests.process.bot_main", str(self.stamps), str(self.signal)]
        with (self.home / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*words, str(self.config), str(self.state_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.house.environment(),
                cwd=ROOT,
            )
        return self.process

    def start(self, timeout_s: float = PATIENCE_S) -> float:
        """Start it and wait until it answers; returns how long that took."""
        began = time.monotonic()
        self.spawn()

        def answers() -> bool:
            self.alive()
            return self.look("ping") is not None

        until(answers, "the bot answers", self.log, timeout_s)
        return time.monotonic() - began

    def worked_s(self) -> float:
        """Seconds of the processor that its process took so far: how much there was to do, however busy the machine."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self) -> None:
        """Errors: AssertionError with its last words when it ended by itself."""
        assert self.process is not None
        assert self.process.poll() is None, f"it ended with {self.process.poll()}\n{self.log()}"

    def arm(self) -> None:
        """Arm it as soon as it can be."""
        said = [""]

        def armed() -> bool:
            self.alive()
            done, said[0] = self.tell_to("arm")
            return done

        until(armed, "the bot arms", lambda: f"{said[0]}\n{self.tell()}")

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s: float = 60) -> int:
        """A clean stop (Ctrl-C); returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=timeout_s)

    def wait(self, timeout_s: float = 30) -> int:
        """Until it ends by itself; returns the exit code."""
        assert self.process is not None
        return self.process.wait(timeout=timeout_s)

    def close(self) -> None:
        """End it if it runs."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
            end(self.process)

    # --- talking --------------------------------------------------------------------------------------------

    def cli(self, *words: str, timeout_s: float = 90) -> tuple[int, str]:
        """The command line on this bot: (exit code, everything it said)."""
        done = run_cli(self.house, *words, "--config", str(self.config), cwd=self.home, timeout_s=timeout_s)
        return done.returncode, done.stdout + done.stderr

    def act(self, *words: str, by: str = "ada", timeout_s: float = 90) -> tuple[int, str]:
        """A command that needs a person."""
        return self.cli(*words, "--token-file", str(self.home / f"{by}.token"), timeout_s=timeout_s)

    def tell_to(self, verb: str, *, hold_id: int = 0) -> tuple[bool, str]:
        """An act of ada's, straight over the control socket: (accepted, the answer)."""
        from holdfast.ops.ctl import Control
        from holdfast.runtime.wire import Act

        act = Act(verb=verb, by="ada", reason="looked, all is well", hold_id=hold_id)
        with Control(self.socket_path) as control:
            answer = control.act(act)
        return answer.ok, answer.text

    def look(self, view: str) -> Any:
        """A view, over the control socket and without a process of its own; None where nobody answers."""
        from holdfast.ops.ctl import Control
        from holdfast.ops.errors import NotRunning

        try:
            with Control(self.socket_path) as control:
                answer = control.view(view)
        except NotRunning:
            return None
        return answer.data if answer.ok else None

    def status(self) -> dict[str, Any]:
        """The status view."""
        self.alive()
        found = self.look("status")
        assert found is not None, self.log()
        return dict(found)

    def hears(self, count: int) -> None:
        """Wait until so many more quotes came."""
        target = self.status()["counters"]["quotes"] + count
        until(lambda: self.status()["counters"]["quotes"] >= target, "quotes come", self.tell)

    def holds(self, *causes: str) -> list[dict[str, Any]]:
        """Standing holds of these causes (or all)."""
        return [one for one in self.status()["holds"] if not causes or one["cause"] in causes]

    def halted_by(self, *causes: str) -> bool:
        """Whether a hold of each of these causes stands and the strictest is HALTED or KILLED."""
        status = self.status()
        return status["level"] in {"halted", "killed"} and {*causes} <= {
            one["cause"] for one in status["holds"]
        }

    def resume(self, *, at_the_terminal: bool = False) -> None:
        """A person resumes every hold that one person may; at the terminal it takes a token."""
        for hold in self.holds():
            if hold["release"] != "person" or hold["cause"] == "startup":
                continue
            if at_the_terminal:
                code, said = self.act("resume", str(hold["hold_id"]), "--reason", "looked, all is well")
                assert code == 0, said
            else:
                done, said = self.tell_to("resume", hold_id=hold["hold_id"])
                assert done, said
        until(lambda: self.status()["level"] == "none", "trading is permitted again", self.tell)

    # --- where ------------------------------------------------------------------------------------------------

    @property
    def socket_path(self) -> Path:
        """Its control socket."""
        from holdfast.ops.registry import socket_path

        previous = os.environ.get("HOLDFAST_GUARD_DIR")
        os.environ["HOLDFAST_GUARD_DIR"] = str(self.house.guard)
        try:
            return socket_path(self.state_dir)
        finally:
            if previous is None:
                del os.environ["HOLDFAST_GUARD_DIR"]
            else:
                os.environ["HOLDFAST_GUARD_DIR"] = previous

    @property
    def latch(self) -> Path:
        """Its latch's file."""
        return next(iter(sorted(self.house.guard.glob("*.latch"))))

    @property
    def tag(self) -> int:
        """The account's half of its client order ids."""
        return account_tag(venue="binanceusdm", account=NAME)

    @property
    def journal_dir(self) -> Path:
        """Its decision journal."""
        return self.state_dir / "journal"

    def log(self) -> str:
        """The end of what it said."""
        path = self.home / "run.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else "(it said nothing)"

    def tell(self) -> str:
        """Status and log, for a failed wait."""
        return f"{json.dumps(self.look('status'))}\n{self.log()}"

    def logged(self) -> list[dict[str, Any]]:
        """Its log, line by line."""
        lines = (self.state_dir / "holdfast.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def alerts(self, kind: str) -> list[str]:
        """What it told people, of one kind."""
        return [row["event"] for row in self.logged() if row.get("kind") == kind]


class WatchdogProcess:
    """``holdfast watchdog`` on a bot's configuration."""

    def __init__(self, home: Home, bot: Bot) -> None:
        self._log = bot.home / "watchdog.log"
        self.pages_path = bot.state_dir / "pages.jsonl"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "holdfast", "watchdog", "--config", str(bot.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=home.environment(),
                cwd=bot.home,
            )
        until(lambda: self.process.poll() is not None or "sign of life" in self.log(), "it looks", self.log)

    def log(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-6000:]

    def pages(self, stage: str = "") -> list[dict[str, Any]]:
        """What it paged, of one stage or all."""
        path = self.pages_path
        lines = path.read_text().splitlines() if path.exists() else []
        return [page for page in map(json.loads, lines) if not stage or page["stage"] == stage]

    def close(self) -> None:
        """End it."""
        end(self.process)


def configuration(sim: SimProcess, *, strategy: str, params: dict[str, Any], edits: dict[str, str]) -> str:
    """The demonstration's configuration with one strategy named test, roomy limits, and a person to arm it."""
    text = DEMO.read_text()
    head, tail = text[: text.index("[strategy.quoter]")], text[text.index("[paths]") :]
    start, stop = head.index("# The quoter would hold"), head.index("[timings]")
    limits = "".join(
        f'[limits.strategy.test.{name}]\norder_max = "{size}"\nposition_max = "{most}"\n'
        'churn_round_trips_max = 500\nchurn_cost_max = "1000000 USDT"\nchurn_window = "1s"\nslippage_max = "50%"\n'
        "orders_per_s_refuse = 400\norders_per_s_halt = 1000\n\n"
        for name, size, most in (("BTCUSDT", "0.5 BTC", "0.5 BTC"), ("ETHUSDT", "8 ETH", "10 ETH"))
    )
    head = head[:start] + limits + head[stop:]
    words = "".join(f"{name} = {json.dumps(value)}\n" for name, value in params.items())
    body = (
        f'{head}[strategy.test]\nclass = "tests.process.strategies:{strategy}"\n'
        f'instruments = ["BTCUSDT", "ETHUSDT"]\n\n[strategy.test.params]\n{words}\n{tail}'
    )
    for old, new in {
        '"http://127.0.0.1:8710"': f'"{sim.url}"',
        '"ws://127.0.0.1:8710"': f'"{sim.ws_url}"',
        '"http://127.0.0.1:8711"': f'"{sim.control_url}"',
        'arm = "auto"': 'arm = "person"',
        "orders_per_s_refuse = 80": "orders_per_s_refuse = 400",
        "orders_per_s_kill = 100": "orders_per_s_kill = 1000",
        "orders_per_s_refuse = 60\norders_per_s_halt = 80": "orders_per_s_refuse = 400\norders_per_s_halt = 1000",
        "open_orders_max = 40": "open_orders_max = 300",
        'gross_notional_max = "100000 USDT"': 'gross_notional_max = "900000 USDT"',
        'leverage_max = "1.5x"': 'leverage_max = "9x"',
        'net_notional_max = "100000 USDT"': 'net_notional_max = "900000 USDT"',
        'group_share_max = "150%"': 'group_share_max = "9x"',
        'equity_share_max = "40%"': 'equity_share_max = "9x"',
        'depth_max = "50x"': 'depth_max = "100x"',
        **PATIENT,
        **edits,
    }.items():
        assert old in body, old
        body = body.replace(old, new)
    return body


def run_cli(
    home: Home, *words: str, cwd: Path, timeout_s: float = 90, **more: str
) -> subprocess.CompletedProcess[str]:
    """``holdfast WORDS`` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=home.environment(**more),
        cwd=cwd,
        check=False,
    )


def write_private(path: Path, text: str) -> None:
    """A file that only we may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def until(
    holds: Callable[[], bool],
    what: str,
    tell: Callable[[], str] = str,
    timeout_s: float = PATIENCE_S,
    pause_s: float = 0.05,
) -> float:
    """Wait until it holds; returns how long it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout_s:
            raise AssertionError(f"not within {timeout_s} s: {what}\n{tell()}")
        time.sleep(pause_s)
    return time.monotonic() - began


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """We go first on a busy machine, where we may: to act in the very moment that we wait for."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that we started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def a_home(path: Path) -> Iterator[Home]:
    """A home that is cleaned up afterwards."""
    home = Home(path)
    try:
        yield home
    finally:
        home.close()
