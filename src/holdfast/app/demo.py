"""The demonstration: a simulated venue in a process of its own, and a configuration that points at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from holdfast.app.data import data_dir
from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.init import as_of_now, write_operators
from holdfast.app.options import END_WITH_PARENT, RunOptions

HOME: Final = Path(".holdfast") / "demo"
KEPT_RUNS: Final = 5
START_S: Final = 60
TEMPLATE: Final = Path(__file__).with_name("demo.toml")
REFERENCE: Final = Path(__file__).with_name("demo-reference.toml")
CAPS: Final = Path(__file__).with_name("demo-caps.toml")
KEYS: Final = 'api_key = "sim-key"\nsecret = "sim-secret"\n'


class DemoVenue:
    """The simulated venue as a child: it ends when we do, however we end."""

    def __init__(self, options: RunOptions) -> None:
        """Start it and wait for its addresses. Errors: HoldfastError when it does not come up."""
        words = [sys.executable, "-m", "holdfast", "sim", "--port", "0", "--control-port", "0", "--json"]
        if options.data_dir:
            data_dir(options.data_dir)  # a slip is told here, once
            words += ["--data-dir", options.data_dir]
        if options.seed is not None:
            words += ["--seed", str(options.seed)]
        self._child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, END_WITH_PARENT: "1"},
            start_new_session=True,  # Ctrl-C is for the bot: it still needs its venue to cancel at
        )
        line = self._child.stdout.readline() if self._child.stdout is not None else b""
        if not line:
            raise HoldfastError(Exit.VENUE_UNUSABLE, "the simulated venue did not start")
        said = json.loads(line)
        if "url" not in said:
            why = "; ".join(said.get("errors", ())) or "it does not say where it is"
            raise HoldfastError(Exit.VENUE_UNUSABLE, f"the simulated venue did not start: {why}")
        self.url: str = said["url"]
        self.ws_url: str = said["ws_url"]
        self.control_url: str = said["control_url"]
        self.source: str = said["source"]

    def close(self) -> None:
        """End it."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def demo_config(venue: DemoVenue, state_dir: str | None) -> Path:
    """Write the demonstration's configuration and its key into a directory of this run; returns its path."""
    if state_dir:
        home = Path(state_dir)
        home.mkdir(parents=True, exist_ok=True)
    else:
        home = HOME / time.strftime("%Y%m%d-%H%M%S")
        home.mkdir(parents=True, exist_ok=True)
        for old in sorted(HOME.iterdir())[:-KEPT_RUNS]:
            shutil.rmtree(old, ignore_errors=True)
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, url in (
        ("http://127.0.0.1:8710", venue.url),
        ("ws://127.0.0.1:8710", venue.ws_url),
        ("http://127.0.0.1:8711", venue.control_url),
    ):
        text = text.replace(f'"{name}"', f'"{url}"')
    (home / CAPS.name).write_bytes(CAPS.read_bytes())
    (home / REFERENCE.name).write_text(as_of_now(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
    keys = home / "demo-keys.toml"
    keys.touch(mode=0o600)
    keys.write_text(KEYS, encoding="utf-8")
    if not (home / "operators.toml").exists():
        write_operators(home)
    path = home / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    return path
