"""One way to log: JSON lines in a bounded file for machines, short lines on stderr for people, no secret in either.

A line costs some 12 µs or more: never one per quote. A log that cannot be written is counted and never stops
trading; what must not be lost is in the journal.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, TextIO

import orjson
import structlog

from holdfast.runtime.redact import Redactor, printable

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
FILES_MAX: Final = 5
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_HUMAN: Final = {"debug": "debug", "info": "", "warning": "WARNING", "error": "ERROR", "critical": "CRITICAL"}
_FILE_ONLY: Final = ("timestamp", "level", "event", "process", "account")


class LogFile(RotatingFileHandler):
    """The JSON file: rotated at a size, mode 0600. A write that fails is counted, not raised."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_MAX, encoding="utf-8")
        path.chmod(0o600)
        self.lost_count = 0
        self._size = path.stat().st_size

    def line(self, text: str) -> None:
        """Append one line. Its own way, for the standard one asks the file system twice for each."""
        try:
            if self._size + len(text) > FILE_BYTES_MAX:
                self.doRollover()
                self._size = 0
            stream = self.stream or self._open()
            self._size += stream.write(text + "\n")
            stream.flush()
        except (OSError, ValueError):
            self.lost_count += 1


class _Sink:
    """The last processor's target: file and terminal, each optional, neither able to raise."""

    def __init__(self, file: LogFile | None, terminal: TextIO | None) -> None:
        self.file = file
        self.terminal = terminal
        self.terminal_lost_count = 0

    def write(self, record: MutableMapping[str, Any]) -> None:
        if self.file is not None:
            self.file.line(orjson.dumps(record, default=repr).decode("utf-8"))
        if self.terminal is not None:
            try:
                self.terminal.write(_human(record) + "\n")
                self.terminal.flush()
            except (OSError, ValueError):
                self.terminal_lost_count += 1  # a closed terminal is no reason to stop trading


def setup_log(
    *,
    process: str,
    account: str = "",
    path: Path | None = None,
    level: str = "info",
    secrets: Iterable[str] = (),
    human: bool = True,
    terminal: TextIO | None = None,
) -> structlog.typing.FilteringBoundLogger:
    """Set up logging for this process, once, and return its logger. ``structlog.get_logger()`` gives the same.

    ``path``: the JSON file, opened here (its directory must exist). ``secrets``: values that must never appear.
    ``human``: short lines on stderr (or ``terminal``) too. The standard library's own loggers (asyncio, aiohttp)
    come the same way, from warnings up.
    Errors: OSError when the file cannot be opened.
    """
    redactor = Redactor(secrets)
    sink = _Sink(LogFile(path) if path else None, (terminal or sys.stderr) if human else None)

    def clean(_: Any, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        said = redactor.value(record)
        trace = said.pop("exception", None)
        shown = {printable(name): _printable(value) for name, value in said.items()}
        # JSON keeps a trace's lines apart without harm; everything else stays one line even when printed raw.
        return (
            shown if trace is None else {**shown, "exception": "\n".join(map(printable, trace.splitlines()))}
        )

    def send(_: Any, __: str, record: MutableMapping[str, Any]) -> str:
        sink.write(record)
        raise structlog.DropEvent

    bound = {"process": process, **({"account": account} if account else {})}
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            clean,
            send,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(**bound)
    _adopt_standard_logging(logger)
    return logger


class _Bridge(logging.Handler):
    """Lines of the standard library's loggers, through ours."""

    def __init__(self, logger: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__(level=logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        self._logger.log(record.levelno, said, logger=record.name, exc_info=record.exc_info or None)


def _adopt_standard_logging(logger: structlog.typing.FilteringBoundLogger) -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _Bridge):
            root.removeHandler(handler)
    root.addHandler(_Bridge(logger))
    logging.raiseExceptions = False


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(name)): _printable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return value


def _human(record: MutableMapping[str, Any]) -> str:
    at = str(record.get("timestamp", ""))[11:19]
    word = _HUMAN.get(str(record.get("level")), str(record.get("level")))
    rest = " ".join(
        f"{name}={value}" for name, value in record.items() if name not in _FILE_ONLY and name != "exception"
    )
    return " ".join(part for part in (at, word, str(record.get("event", "")), rest) if part)
