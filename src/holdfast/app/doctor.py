"""``holdfast doctor``: what would keep a bot from running well on this machine, and what to do about each."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from msgspec import Struct, to_builtins

from holdfast.app.check import strategy_problem
from holdfast.app.errors import Exit
from holdfast.app.options import DoctorOptions
from holdfast.config.errors import ConfigError
from holdfast.config.fingerprint import file_hash
from holdfast.config.load import CONFIG_NAME, beside, load, strategy_class
from holdfast.config.operators import load_operators
from holdfast.config.schema import Config, VenueKind
from holdfast.config.secrets import load_key, load_secrets, load_webhook
from holdfast.guard.latch import GuardUnusable, ensure_dir, guard_dir
from holdfast.ops.errors import NotRunning
from holdfast.ops.registry import socket_path

GOOD: Final = "good"
WARN: Final = "warn"
BAD: Final = "BAD"
FREE_BYTES_MIN: Final = 2 * 1024**3
SYNC_MS_MAX: Final = 10.0
CORES_MIN: Final = 2
_NEEDED: Final = ("aiohttp", "apsw", "msgspec", "orjson", "picows", "rich", "structlog", "typer", "zstandard")
_EXTRAS: Final = {"ccxt": "ccxt", "fastapi": "serve", "uvicorn": "serve"}


class Finding(Struct, frozen=True, kw_only=True):
    """One thing looked at. ``advice`` is empty where nothing needs doing."""

    what: str
    verdict: str
    found: str
    advice: str = ""


def main(options: DoctorOptions) -> int:
    """Print every finding; REFUSED when one is bad, USAGE without a configuration to look at."""
    path = options.config or (CONFIG_NAME if Path(CONFIG_NAME).is_file() else None)
    findings = list(examine(path))
    bad = any(finding.verdict == BAD for finding in findings)
    code = Exit.USAGE if path is None else Exit.REFUSED if bad else Exit.OK
    if options.json:
        said = [to_builtins(finding) for finding in findings]
        print(json.dumps({"ok": code is Exit.OK, "findings": said}))
        return code
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        advice = f"; {finding.advice}" if finding.advice else ""
        print(f"{finding.verdict:<4}  {finding.what:<{width}}  {finding.found}{advice}")
    return code


def examine(config_path: str | None) -> Iterator[Finding]:
    """Look at everything; a look that fails is a finding, never an end."""
    yield _python()
    yield from _packages()
    yield _cores()
    yield _clock()
    yield _memory_directory()
    if config_path is None:
        yield Finding(
            what="configuration", verdict=BAD, found=f"no {CONFIG_NAME} here", advice="holdfast init"
        )
        yield _disk(Path.cwd())
        return
    try:
        config = load(Path(config_path))
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(what="configuration", verdict=BAD, found=problem)
        return
    yield Finding(what="configuration", verdict=GOOD, found=config_path)
    state_dir = beside(config, config.paths.state_dir)
    yield _disk(state_dir)
    yield _try("secrets", lambda: _no_values(load_secrets(config)))
    yield _try(
        "operators",
        lambda: ", ".join(
            f"{one.name} ({one.role.value})"
            for one in load_operators(beside(config, config.paths.operators_file))
        ),
    )
    yield from _strategies(config)
    yield _watchdog(config)
    yield _bot(state_dir)


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what=what, verdict=GOOD, found=look())
    except ConfigError as error:
        return Finding(what=what, verdict=BAD, found="; ".join(error.problems))


def _no_values(_: object) -> str:
    return "readable by their owner alone"


def _watchdog(config: Config) -> Finding:
    """Whether somebody would notice from outside, and could act."""
    section = config.watchdog
    if section is None:
        return Finding(
            what="watchdog",
            verdict=GOOD if config.venue.kind is VenueKind.SIMULATED else WARN,
            found="no [watchdog]: nobody judges this bot from outside",
            advice="" if config.venue.kind is VenueKind.SIMULATED else "docs/how-to/run-a-watchdog.md",
        )

    def look() -> str:
        if section.key_file:
            load_key(config, section.key_file)
        if section.webhook_file:
            load_webhook(config, section.webhook_file)
        return f"{section.policy}, {section.dead_after} after the last sign of life"

    return _try("watchdog", look)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(
        what="python",
        verdict=GOOD if good else BAD,
        found=version,
        advice="" if good else "use Python 3.11, 3.12 or 3.13",
    )


def _packages() -> Iterator[Finding]:
    for name in (*_NEEDED, *_EXTRAS):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            extra = _EXTRAS.get(name)
            advice = f"install the extra {extra}" if extra else "make setup"
            yield Finding(
                what="package", verdict=WARN if extra else BAD, found=f"{name} is missing", advice=advice
            )


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0))
    good = cores >= CORES_MIN
    advice = "" if good else "a core of its own keeps the trading loop from waiting"
    return Finding(what="cores", verdict=GOOD if good else WARN, found=str(cores), advice=advice)


def _clock() -> Finding:
    """Whether somebody keeps the wall clock right; how right it is, the bot measures at the venue itself."""
    keepers = ("chronyd", "ntpd", "systemd-timesyn", "ntpsec", "openntpd")
    names = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            names.add(path.read_text(encoding="utf-8", errors="replace").strip())
        except OSError:
            names.add("")  # it ended while we looked
    found = [keeper for keeper in keepers if keeper in names]
    if found:
        return Finding(what="clock", verdict=GOOD, found=f"kept by {found[0]}")
    return Finding(
        what="clock", verdict=WARN, found="nobody here keeps it", advice="run chrony, unless the host does it"
    )


def _memory_directory() -> Finding:
    directory = guard_dir()
    try:
        ensure_dir(directory)
    except GuardUnusable as error:
        return Finding(
            what="latch", verdict=BAD, found=str(error), advice="name another with HOLDFAST_GUARD_DIR"
        )
    on_memory = any(
        line.split()[1] != "/" and directory.startswith(line.split()[1]) and line.split()[2] == "tmpfs"
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    )
    if on_memory:
        return Finding(what="latch", verdict=GOOD, found=f"{directory} (in memory)")
    return Finding(
        what="latch", verdict=WARN, found=f"{directory} is not in memory", advice="a full disk could delay it"
    )


def _disk(directory: Path) -> Finding:
    home = next(one for one in (directory, *directory.parents) if one.is_dir())
    free = shutil.disk_usage(home).free
    sync_ms = _sync_ms(home)
    found = f"{home}: {free / 1024**3:.1f} GiB free, a sync takes {'?' if sync_ms is None else f'{sync_ms:.2f}'} ms"
    if sync_ms is None:
        return Finding(
            what="disk", verdict=BAD, found=f"{home}: cannot be written", advice="check owner and mount"
        )
    if free < FREE_BYTES_MIN:
        return Finding(what="disk", verdict=WARN, found=found, advice="free 2 GiB: a full disk stops trading")
    if sync_ms > SYNC_MS_MAX:
        return Finding(
            what="disk", verdict=WARN, found=found, advice="each order waits for one: use a faster disk"
        )
    return Finding(what="disk", verdict=GOOD, found=found)


def _sync_ms(directory: Path) -> float | None:
    """The median of a few fdatasync of a small write; None where nothing can be written."""
    times = []
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0" * 65_536)
            for _ in range(9):
                file.seek(0)
                file.write(b"\1" * 512)
                file.flush()
                started = time.perf_counter()
                os.fdatasync(file.fileno())
                times.append((time.perf_counter() - started) * 1_000)
    except OSError:
        return None
    return sorted(times)[len(times) // 2]


def _strategies(config: Config) -> Iterator[Finding]:
    for name in config.strategy:
        what, place = f"strategy {name}", strategy_class(config, name).rpartition(":")[0]
        if problem := strategy_problem(config, name):
            yield Finding(what=what, verdict=BAD, found=problem)
        elif place.endswith(".py"):
            yield Finding(what=what, verdict=GOOD, found=f"{place}, sha256 {file_hash(Path(place))}")
        else:
            yield Finding(what=what, verdict=GOOD, found=f"module {place}")


def _bot(state_dir: Path) -> Finding:
    from holdfast.ops.ctl import Control

    path = socket_path(state_dir)
    try:
        with Control(path, timeout_s=1.0) as control:
            answer = control.view("ping")
    except NotRunning as error:
        return Finding(what="bot", verdict=GOOD, found=f"not running ({error})")
    return Finding(what="bot", verdict=GOOD if answer.ok else WARN, found="running, answers on its socket")
