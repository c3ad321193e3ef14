"""The trading process's one door: a Unix socket that only its own user may use.

Promises: a frame, a connection count, a silent peer and a slow reader are all bounded, and reaching a bound
closes that connection and nothing else; a view or an act that fails is an answer, not a crash; an act that is
old, or seen before, is refused (halting ones never are). Halting does not depend on this socket: the latch is
tripped beside it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import struct
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from holdfast.runtime.views import UnknownView
from holdfast.runtime.wire import (
    ANSWER_BYTES_MAX,
    ASK_AGE_S_MAX,
    ASK_BYTES_MAX,
    HEADER_BYTES,
    Act,
    Answer,
    Ask,
    AskKind,
    WireError,
    body_length,
    frame,
    read_ask,
)
from holdfast.vocab.units import NS_PER_S

ViewArgs: TypeAlias = Mapping[str, str | int | bool]
ViewCall: TypeAlias = Callable[[str, ViewArgs], object]
"""(name, arguments) to a record of ``runtime.views``; UnknownView (or KeyError) where it cannot be had."""
ActCall: TypeAlias = Callable[[Act], Awaitable[Answer]]

PATH_BYTES_MAX: Final = 107  # what the kernel holds of a Unix socket's path
CONNECTIONS_MAX: Final = 64
NONCES_MAX: Final = 10_000
WATCH_HZ_MAX: Final = 10
IDLE_S_MAX: Final = 60.0
SEND_S_MAX: Final = 5.0
ACT_S_MAX: Final = 30.0
HALTING: Final = frozenset({"halt", "pause", "stop", "kill", "hardstop", "cancel", "flatten", "ban", "abort"})
"""Verbs that only stop or reduce: as in the table of commands. Never refused for age or repetition."""


class SocketUnusable(Exception):
    """The control socket cannot be opened: one line for a person."""


def boottime_ns() -> int:
    """CLOCK_BOOTTIME, which both ends of the socket share."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class ControlSocket:
    """Serves looks and acts to the faces of the same user (or root) on this machine."""

    def __init__(
        self,
        path: Path,
        *,
        view: ViewCall,
        act: ActCall,
        on_fatal: Callable[[BaseException], None] | None = None,
        clock_ns: Callable[[], int] = boottime_ns,
    ) -> None:
        """``on_fatal`` is told of a broken invariant met while answering: the process must end."""
        self.path = path
        self.refused_count = 0  # foreign users, stale or replayed acts, unreadable frames
        self.broken_count = 0  # connections that ended in the middle
        self._view = view
        self._act = act
        self._on_fatal = on_fatal
        self._clock_ns = clock_ns
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._nonces: OrderedDict[str, None] = OrderedDict()

    async def open(self) -> None:
        """Listen. Errors: SocketUnusable when another process does, or the path cannot be used."""
        listener = _listener(self.path)
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=ASK_BYTES_MAX + HEADER_BYTES
        )

    async def close(self) -> None:
        """Stop listening, end every connection, remove the path."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None
        self.path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= CONNECTIONS_MAX or not self._peer_is_ours(writer):
            self.refused_count += 1
            writer.close()
            return
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            self.broken_count += 1  # the peer is gone or silent: there is nobody left to tell
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if self._on_fatal is not None:
                self._on_fatal(error)
            raise
        finally:
            self._tasks.discard(task)
            writer.close()

    def _peer_is_ours(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("socket")
        try:
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return False  # who cannot be identified is nobody
        _, uid, _ = struct.unpack("3i", credentials)
        return uid in {os.geteuid(), 0}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_S_MAX):
                header = await _read(reader, HEADER_BYTES, at_start=True)
            if header is None:
                return
            try:
                length = body_length(header, bytes_max=ASK_BYTES_MAX)
                async with asyncio.timeout(SEND_S_MAX):
                    body = await reader.readexactly(length)
                ask = read_ask(body)
            except WireError as error:
                # After one wrong frame the rest of the stream means nothing.
                self.refused_count += 1
                await _send(writer, Answer(ok=False, text=str(error)))
                return
            if ask.kind is AskKind.WATCH:
                await self._watch(ask, reader, writer)
                return
            answer = await self._acted(ask) if ask.kind is AskKind.ACT else self._seen(ask)
            await _send(writer, answer)

    def _seen(self, ask: Ask) -> Answer:
        try:
            return Answer(ok=True, data=self._view(ask.name, ask.args))
        except KeyError:
            return Answer(ok=False, text=f"there is no view {ask.name!r}")
        except UnknownView as error:
            return Answer(ok=False, text=str(error))
        except Exception as error:  # noqa: BLE001 - a view's fault must not end the process that trades
            return Answer(ok=False, text=f"the view {ask.name} failed: {type(error).__name__}: {error}")

    async def _acted(self, ask: Ask) -> Answer:
        act = ask.act
        if act is None or not act.by:
            return Answer(ok=False, text="an act names its verb and who gives it")
        if act.verb not in HALTING and (fault := self._stale(ask)):
            self.refused_count += 1
            return Answer(ok=False, text=fault)
        try:
            async with asyncio.timeout(ACT_S_MAX):
                return await self._act(act)
        except TimeoutError:
            return Answer(ok=False, text=f"no answer to {act.verb} within {ACT_S_MAX:.0f} s: look at status")
        except Exception as error:  # noqa: BLE001 - as for a view
            return Answer(ok=False, text=f"{act.verb} failed: {type(error).__name__}: {error}")

    def _stale(self, ask: Ask) -> str:
        """Why an act that loosens is too old, from the future, or was already given; empty when it is fresh."""
        age_ns = self._clock_ns() - ask.boottime_ns
        if not -NS_PER_S <= age_ns <= ASK_AGE_S_MAX * NS_PER_S:
            return f"given {age_ns / NS_PER_S:.0f} s ago: acts are good for {ASK_AGE_S_MAX} s; give it again"
        if len(ask.nonce) < 16 or ask.nonce in self._nonces:
            return "this very act was already given: give it again"
        self._nonces[ask.nonce] = None
        while len(self._nonces) > NONCES_MAX:
            self._nonces.popitem(last=False)
        return ""

    async def _watch(self, ask: Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send the view again and again until the peer says anything or leaves."""
        interval_s = 1 / max(1, min(ask.hz, WATCH_HZ_MAX))
        while True:
            answer = self._seen(ask)
            await _send(writer, answer)
            if not answer.ok:
                return
            if await _said_or_left(reader, within_s=interval_s):
                return


async def _said_or_left(reader: asyncio.StreamReader, *, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await reader.read(1)
    except TimeoutError:
        return False
    return True


async def _read(reader: asyncio.StreamReader, count: int, *, at_start: bool) -> bytes | None:
    """Exactly so many bytes; None where the peer ended before the first."""
    try:
        return await reader.readexactly(count)
    except asyncio.IncompleteReadError as error:
        if at_start and not error.partial:
            return None
        raise


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    try:
        data = frame(answer, bytes_max=ANSWER_BYTES_MAX)
    except (WireError, TypeError) as error:
        data = frame(
            Answer(ok=False, text=f"the answer cannot be carried: {error}"), bytes_max=ANSWER_BYTES_MAX
        )
    writer.write(data)
    async with asyncio.timeout(SEND_S_MAX):
        await writer.drain()


def _listener(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise SocketUnusable(
            f"{path}: a socket's path has at most {PATH_BYTES_MAX} bytes: use a shorter state_dir"
        )
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Nobody can connect before listen(), so there is no moment at which others may.
        path.chmod(0o600)
        listener.listen(CONNECTIONS_MAX)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SocketUnusable(f"{path}: cannot listen: {error.strerror}") from None
    return listener


def _clear(path: Path) -> None:
    """Remove what a dead process left; never what a live one uses, nor anything that is not a socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SocketUnusable(f"{path}: exists and is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            fault = probe.connect_ex(str(path))
        if fault != errno.ECONNREFUSED:
            raise SocketUnusable(f"{path}: another process is listening there")
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketUnusable(f"{path}: {error.strerror}") from None
