"""Real processes for the tests: a simulated venue, a bot, and the command line. Everything started is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "src" / "holdfast" / "app" / "demo.toml"
START_S = 60.0


class SimProcess:
    """``holdfast sim`` on free ports."""

    def __init__(self, home: Path, *, extra: str = "", data_dir: str | None = None) -> None:
        config = home / "sim.toml"
        config.write_text(
            "[limits]\nweight_per_minute = 600000\norders_per_10s = 100000\norders_per_minute = 600000\n"
            + (extra or "[source]\nkind = 'generated'\nseed = 7\n")
        )
        words = [sys.executable, "-m", "holdfast", "sim", "--port", "0", "--control-port", "0", "--json"]
        words += ["--config", str(config)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, env=_environment(home), cwd=home)
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.url, self.ws_url, self.control_url = said["url"], said["ws_url"], said["control_url"]

    def control(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            self.control_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def truth(self) -> Any:
        return self.control("GET", "/truth")

    def close(self) -> None:
        end(self.process)


class Bot:
    """``holdfast run`` on a configuration of its own."""

    def __init__(
        self,
        home: Path,
        sim: SimProcess,
        *,
        strategy: str,
        instruments: str = '["BTCUSDT", "ETHUSDT"]',
        edits: dict[str, str] | None = None,
    ) -> None:
        self.home = home
        self.sim = sim
        self.state_dir = home / "state"
        self.config = home / "holdfast.toml"
        self.stamps = home / "stamps.jsonl"
        self.process: subprocess.Popen[bytes] | None = None
        text = DEMO.read_text()
        head, _, _ = text.partition("[strategy.quoter]")
        tail = text[text.index("[paths]") :]
        head = head.replace('arm = "auto"', 'arm = "person"')
        limits = "".join(
            f'[limits.strategy.test.{name}]\norder_max = "{size}"\nposition_max = "{most}"\n\n'
            for name, size, most in (("BTCUSDT", "0.5 BTC", "0.5 BTC"), ("ETHUSDT", "8 ETH", "10 ETH"))
        )
        start = head.index("# The quoter would hold")
        stop = head.index("[timings]")
        head = head[:start] + limits + head[stop:]
        body = head + f"[strategy.test]\n{strategy}\ninstruments = {instruments}\n\n" + tail
        for old, new in {
            "http://127.0.0.1:8710": sim.url,
            "ws://127.0.0.1:8710": sim.ws_url,
            "http://127.0.0.1:8711": sim.control_url,
            "orders_per_s_refuse = 80": "orders_per_s_refuse = 400",
            "orders_per_s_kill = 100": "orders_per_s_kill = 1000",
            "open_orders_max = 40": "open_orders_max = 300",
            'gross_notional_max = "100000 USDT"': 'gross_notional_max = "900000 USDT"',
            'leverage_max = "1.5x"': 'leverage_max = "9x"',
            **(edits or {}),
        }.items():
            assert old in body, old
            body = body.replace(old, new)
        tomllib.loads(body)
        self.config.write_text(body)
        keys = home / "demo-keys.toml"
        keys.touch(mode=0o600)
        keys.write_text('api_key = "sim-key"\nsecret = "sim-secret"\n')
        operators(home)

    def start(self) -> None:
        """Start it and wait until it answers and is ready to arm."""
        words = [sys.executable, "-m", "tests.process.bot_main", str(self.stamps), str(self.config)]
        with (self.home / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*words, str(self.state_dir)], stdout=log, stderr=log, env=_environment(self.home), cwd=ROOT
            )
        until(lambda: self.cli("ping")[0] == 0, "the bot answers", lambda: self.log())

    def arm(self) -> None:
        until(lambda: self.cli("arm", "--reason", "test")[0] == 0, "the bot arms", lambda: self.log())

    def status(self) -> dict[str, Any]:
        code, text = self.cli("status", "--json")
        assert code == 0, text
        found = json.loads(text.strip().splitlines()[-1])
        data: dict[str, Any] = found.get("data", found)
        return data

    def cli(self, *words: str, timeout_s: float = 60) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=_environment(self.home),
            cwd=self.home,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def log(self) -> str:
        return (self.home / "run.log").read_text(errors="replace")[-3000:]

    def writes(self) -> list[tuple[int, str, int, int]]:
        """(order id, lane, asked, written) of every order write, by CLOCK_MONOTONIC."""
        if not self.stamps.exists():
            return []
        rows = [json.loads(line) for line in self.stamps.read_text().splitlines() if line.endswith("]")]
        return [tuple(row) for row in rows]  # type: ignore[misc]

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        if self.process is not None:
            end(self.process)


def operators(home: Path) -> None:
    """Two people, so that everything can be said by the command line."""
    from tests.house.operating import operators_file  # type: ignore[attr-defined]

    operators_file(home)


def _environment(home: Path) -> dict[str, str]:
    guard = Path("/dev/shm") / f"hf-test-{abs(hash(str(home))) % 10**10}"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "COV_"))
    }
    return {
        **environment,
        "HOLDFAST_GUARD_DIR": str(guard),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "PYTHONHASHSEED": "0",
    }


def guard_of(home: Path) -> Path:
    """Where the latch of this home's bot is."""
    return Path(_environment(home)["HOLDFAST_GUARD_DIR"])


def until(holds: Callable[[], bool], what: str, tell: Callable[[], str] = str, timeout_s: float = START_S) -> float:
    """Wait until it holds; returns how long it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout_s:
            raise AssertionError(f"not within {timeout_s} s: {what}\n{tell()}")
        time.sleep(0.05)
    return time.monotonic() - began


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
