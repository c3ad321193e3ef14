"""The reference file of a running bot, and ``holdfast reference check``: what is in it, and what is wrong with it."""

from __future__ import annotations

import json as json_text
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from holdfast.app.errors import Exit
from holdfast.config.errors import ConfigError
from holdfast.config.load import beside, load
from holdfast.config.reference import HORIZON_DAYS, ReferenceFile, as_event, read_reference, sessions
from holdfast.config.schema import Config
from holdfast.ports.clock import Clock
from holdfast.vocab.events import ReferenceRead
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import NS_PER_S

LOOK_S: Final = 1
AGAIN_S: Final = 24 * 3_600  # the sessions of another day come into reach
BACKTEST_DAYS: Final = 400  # a backtest reads it once


def main(config_path: str, file: str, *, json: bool) -> int:
    """Say what the file tells and what it lacks. Errors: ConfigError with a line for each problem."""
    config = load(Path(config_path))
    read = read_reference(Path(file) if file else beside(config, config.reference.file))
    lacks = wanting(config, read)
    opens = {name: _next_session(read, name) for name in read.calendars}
    said = {
        "ok": not lacks,
        "file": read.path,
        "digest": read.digest,
        "as_of": read.as_of.isoformat(),
        "age_days": age_days(read),
        "age_days_max": config.reference.age_days_max,
        "instruments": {name: one.group for name, one in read.instruments.items()},
        "calendars": opens,
        "lacks": lacks,
    }
    if json:
        print(json_text.dumps(said))
    else:
        print(
            f"{read.path}: {len(read.instruments)} instruments, {len(read.calendars)} calendars, "
            f"looked at {age_days(read)} days ago (at most {config.reference.age_days_max})"
        )
        for name, session in opens.items():
            print(f"calendar {name}: {session}")
        print("\n".join(lacks) or "whole and fresh")
    return Exit.OK if not lacks else Exit.USAGE


def age_days(read: ReferenceFile) -> int:
    """How many whole days ago somebody looked at it."""
    return max(0, int((datetime.now(tz=UTC) - read.as_of).total_seconds() // 86_400))


def wanting(config: Config, read: ReferenceFile) -> list[str]:
    """What a good file still lacks for this configuration, one line each: rows of traded instruments, and youth."""
    lacks = [
        f"no [instrument.{name}], which is traded: every order that adds risk there is refused"
        for name in read.missing(config.limits.instrument)
    ]
    groups = {row.group for row in read.instruments.values()}
    lacks += [
        f"no instrument of group {name}: [flow_group.{name}] bounds nothing"
        for name in config.flow_group
        if name not in groups
    ]
    if age_days(read) >= config.reference.age_days_max:
        lacks.append(
            f"as_of is {age_days(read)} days ago, at most {config.reference.age_days_max}: "
            "every order that adds risk is refused"
        )
    return lacks


def _next_session(read: ReferenceFile, name: str) -> str:
    now_ns = int(time.time()) * NS_PER_S
    today = datetime.now(tz=UTC).date()
    for opens, closes in sessions(read.calendars[name], since=today, days=HORIZON_DAYS):
        if now_ns < opens:
            return f"closed until {_text(opens)}"
        if now_ns < closes:
            return f"open until {_text(closes)}"
    return f"closed for the next {HORIZON_DAYS} days"


def _text(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_S, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


class ReferenceReader:
    """Reads the file at the start, when it changes, and once a day. A bad one stops the start, and no running bot."""

    def __init__(self, config: Config, specs: Sequence[InstrumentSpec], *, clock: Clock) -> None:
        """``specs``: of the instruments that are traded."""
        self._path = beside(config, config.reference.file)
        self._specs = tuple(specs)
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._looked_s = 0
        self._read_s = 0

    def start(self) -> ReferenceRead:
        """Errors: ConfigError with a line for each problem."""
        self._seen = self._stamp()
        self._read_s = self._looked_s = self._clock.mono_ns() // NS_PER_S
        return self._event()

    def again(self) -> ReferenceRead | None:
        """What is news: None most of the time. Cheap: one look at the file a second."""
        now_s = self._clock.mono_ns() // NS_PER_S
        if now_s - self._looked_s < LOOK_S:
            return None
        self._looked_s = now_s
        stamp = self._stamp()
        if stamp == self._seen and now_s - self._read_s < AGAIN_S:
            return None
        self._seen, self._read_s = stamp, now_s
        try:
            return self._event()
        except ConfigError as error:
            wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
            return ReferenceRead(
                wall_ns=wall_ns,
                mono_ns=mono_ns,
                as_of_wall_ns=0,
                digest="",
                problem=error.problems[0][:300] + more,
            )

    def _event(self) -> ReferenceRead:
        read = read_reference(self._path)
        return as_event(read, self._specs, wall_ns=self._clock.wall_ns(), mono_ns=self._clock.mono_ns())

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
