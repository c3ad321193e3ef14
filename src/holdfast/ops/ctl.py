"""The client of the control socket: synchronous, small, quick to start."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from holdfast.ops.errors import NotRunning
from holdfast.runtime.wire import (
    ANSWER_BYTES_MAX,
    ASK_BYTES_MAX,
    HEADER_BYTES,
    Act,
    Answer,
    Ask,
    AskKind,
    WireError,
    body_length,
    frame,
    new_nonce,
    read_answer,
)

TIMEOUT_S: Final = 5.0
ACT_TIMEOUT_S: Final = 35.0  # a little more than the bot gives itself


class Control:
    """One connection to a bot.

    Errors, from every method: NotRunning when it is not there, does not answer in time, or breaks off.
    """

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except FileNotFoundError:
            self._socket.close()
            raise NotRunning(f"no bot is running ({path} does not exist)") from None
        except TimeoutError:
            self._socket.close()
            raise NotRunning(f"the bot does not accept connections ({path})") from None
        except OSError as error:
            self._socket.close()
            raise NotRunning(f"no bot answers ({path}: {(error.strerror or str(error)).lower()})") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def view(self, name: str, args: Mapping[str, str | int | bool] | None = None) -> Answer:
        """Look once."""
        return self._round(_ask(AskKind.VIEW, name, args=dict(args or {})))

    def act(self, act: Act, *, timeout_s: float | None = None) -> Answer:
        """Tell the bot; the answer comes once the core has decided."""
        self._socket.settimeout(ACT_TIMEOUT_S if timeout_s is None else timeout_s)
        try:
            return self._round(_ask(AskKind.ACT, act.verb, act=act))
        finally:
            self._socket.settimeout(self._timeout_s)

    def watch(self, name: str, *, hz: int = 4) -> Iterator[Answer]:
        """Look again and again, until the caller stops asking or the bot ends."""
        self._send(_ask(AskKind.WATCH, name, hz=hz))
        while True:
            answer = self._receive()
            yield answer
            if not answer.ok:
                return

    def _round(self, ask: Ask) -> Answer:
        self._send(ask)
        return self._receive()

    def _send(self, ask: Ask) -> None:
        try:
            self._socket.sendall(frame(ask, bytes_max=ASK_BYTES_MAX))
        except WireError as error:
            raise NotRunning(f"cannot be asked: {error}") from None
        except OSError as error:
            raise NotRunning(f"the bot broke off ({self._path}: {error})") from None

    def _receive(self) -> Answer:
        try:
            length = body_length(self._exactly(HEADER_BYTES), bytes_max=ANSWER_BYTES_MAX)
            return read_answer(self._exactly(length))
        except TimeoutError:
            raise NotRunning(
                f"the bot does not answer within {self._socket.gettimeout():g} s ({self._path})"
            ) from None
        except (OSError, WireError) as error:
            raise NotRunning(f"the bot broke off ({self._path}: {error})") from None

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(min(count - len(parts), 1 << 16))
            if not part:
                raise WireError("it ended the connection")
            parts += part
        return bytes(parts)


def _ask(
    kind: AskKind,
    name: str,
    *,
    args: dict[str, str | int | bool] | None = None,
    act: Act | None = None,
    hz: int = 4,
) -> Ask:
    return Ask(
        kind=kind,
        name=name,
        nonce=new_nonce(),
        boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        args=args or {},
        act=act,
        hz=hz,
    )
