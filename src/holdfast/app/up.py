"""``holdfast up``: start the processes that the configuration names, in order; end them together."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import UpOptions
from holdfast.config.load import beside, load
from holdfast.config.schema import Config
from holdfast.ops.registry import entries

LOOK_S = 0.2
SOON_S = 3
END_S = 30
ACT_S = 15  # beyond the time after which the watchdog calls a bot dead: to fence and to cancel
# The bot before whoever watches it, and both before their venue.
_END_ORDER = ("serve", "run", "watchdog", "sim")


def main(options: UpOptions) -> int:
    """Start, wait, and end them all when one ends or a signal comes. The worst exit code is ours."""
    if options.config is None:
        raise HoldfastError(Exit.USAGE, "up needs a configuration: holdfast init writes one")
    config = load(Path(options.config))
    _start_empty(config, options)
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
                _let_the_watchdog_act(config, children, ending)
                break
    finally:
        for one in sorted(children, key=_END_ORDER.index):
            _end(one, children[one])
    codes = (child.returncode for child in children.values())
    return max((code if code >= 0 else 128 - code for code in codes), default=0)


def _let_the_watchdog_act(
    config: Config, children: dict[str, subprocess.Popen[bytes]], ending: threading.Event
) -> None:
    """A bot that did not end as it should has one that acts for it: not in that moment is it ended too."""
    run, watchdog = children.get("run"), children.get("watchdog")
    if (
        run is None
        or not run.poll()
        or watchdog is None
        or watchdog.poll() is not None
        or config.watchdog is None
    ):
        return
    wait_s = config.watchdog.dead_after.ms / 1_000 + ACT_S
    how = f"was ended by signal {-run.returncode}" if run.returncode < 0 else f"ended with {run.returncode}"
    print(f"up: run {how}; the watchdog has {wait_s:g} s to act, then all end (Ctrl-C: now)", flush=True)
    ending.wait(wait_s)


def _start_empty(config: Config, options: UpOptions) -> None:
    """Put the books of an earlier simulated venue aside: the one started here knows nothing of them.

    Errors: HoldfastError while a bot still uses them, or when they cannot be moved.
    """
    state_dir = Path(options.state_dir) if options.state_dir else beside(config, config.paths.state_dir)
    if "sim" not in config.up.start or not (state_dir / "journal").is_dir():
        return
    running = [one.pid for one in entries() if one.alive and one.state_dir == str(state_dir.resolve())]
    if running:
        raise HoldfastError(
            Exit.LEASE_HELD, f"the bot here is running already, as process {running[0]}", str(state_dir)
        )
    aside = state_dir.with_name(f"{state_dir.name}-{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        state_dir.rename(aside)
    except OSError as error:
        raise HoldfastError(
            Exit.USAGE, f"cannot be moved to {aside.name}: {error.strerror}", str(state_dir)
        ) from None
    print(
        f"up: the simulated venue starts empty, so the books of the last one were moved to {aside}",
        flush=True,
    )


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


def _end(name: str, child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGINT)
    try:
        child.wait(timeout=SOON_S)
        return
    except subprocess.TimeoutExpired:
        print(f"up: {name} does not end; waiting up to {END_S} s", flush=True)
    try:
        child.wait(timeout=END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        print(f"up: {name} was killed after {END_S} s; what it left open, look at the venue", flush=True)
