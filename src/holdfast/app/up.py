"""``holdfast up``: start the processes that the configuration names, in order; end them together."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import UpOptions
from holdfast.config.load import load
from holdfast.config.schema import Config

LOOK_S = 0.2
END_S = 30


def main(options: UpOptions) -> int:
    """Start, wait, and end them all when one ends or a signal comes. The worst exit code is ours."""
    if options.config is None:
        raise HoldfastError(Exit.USAGE, "up needs a configuration: holdfast init writes one")
    config = load(Path(options.config))
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in config.up.start:
            children[name] = subprocess.Popen(_words(name, config, options), start_new_session=True)
            print(f"up: {name} is process {children[name].pid}", flush=True)
            ending.wait(1.0 if name == "sim" else 0.0)
        while not ending.wait(LOOK_S):
            ended = [one for one, child in children.items() if child.poll() is not None]
            if ended:
                print(f"up: {', '.join(ended)} ended, so all do", flush=True)
                break
    finally:
        for child in reversed(children.values()):
            _end(child)
    return max((child.returncode for child in children.values()), default=0, key=abs)


def _words(name: str, config: Config, options: UpOptions) -> list[str]:
    words = [sys.executable, "-m", "holdfast", name]
    if name == "sim":
        rest, control = urlsplit(config.venue.rest_url), urlsplit(config.venue.control_url)
        return [*words, "--port", str(rest.port or 8710), "--control-port", str(control.port or 8711)]
    words += ["--config", str(options.config)]
    if name == "run":
        words.append("--no-tui")
        if options.state_dir:
            words += ["--state-dir", options.state_dir]
    return words


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
