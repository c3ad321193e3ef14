"""A TCP proxy that does to a connection what networks do: in a thread of the tests, between a bot and its venue."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

CHUNK = 65_536


class Pipe:
    """One connection through the proxy."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near  # towards the bot
        self.far = far  # towards the venue

    def abort(self) -> None:
        """A reset on both sides, whatever is on its way."""
        for writer in (self.near, self.far):
            raw = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class FaultProxy:
    """Forwards to ``target`` from a free port. What it does wrong is said by its methods, from any thread.

    ``counts``: bytes, connections and each fault that had something to act on.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._pipes: set[Pipe] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._delay_s = 0.0
        self._bytes_per_s = 0
        self._garble = 0  # so many of the next answers
        self._open = asyncio.Event()
        self.counts: dict[str, int] = {}
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._run(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])

    # --- what goes wrong --------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection."""
        self._run(self._each("cut", Pipe.abort))

    def half_close(self) -> None:
        """The venue's side says that it is done; the other direction stays open."""

        def close(pipe: Pipe) -> None:
            with contextlib.suppress(OSError, RuntimeError):
                pipe.near.write_eof()

        self._run(self._each("half_close", close))

    def delay(self, ms: int) -> None:
        """From now on each piece takes so much longer, in both directions."""
        self._delay_s = ms / 1000
        self._count("delay")

    def throttle(self, bytes_per_s: int) -> None:
        """From now on so many bytes a second on each connection and direction; 0: as fast as it goes."""
        self._bytes_per_s = bytes_per_s
        self._count("throttle")

    def corrupt(self, pieces: int = 1) -> None:
        """Garble the end of the next pieces from the venue, and reset their connections."""
        self._garble += pieces

    def stall(self) -> None:
        """Hold everything back, lose nothing."""
        self._run(self._set(going=False))
        self._count("stall")

    def heal(self) -> None:
        """As a good network, for what comes."""
        self._delay_s = self._bytes_per_s = self._garble = 0
        self._run(self._set(going=True))

    # --- how --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End it, and every connection."""

        async def end() -> None:
            self._server.close()
            for pipe in tuple(self._pipes):
                pipe.abort()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    async def _listen(self) -> asyncio.Server:
        self._open.set()
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _set(self, *, going: bool) -> None:
        if going:
            self._open.set()
        else:
            self._open.clear()

    async def _each(self, what: str, act: Any) -> None:
        if self._pipes:
            self._count(what)
        for pipe in tuple(self._pipes):
            act(pipe)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        self._count("connections")
        pipe = Pipe(writer, far_writer)
        self._pipes.add(pipe)
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, pipe, from_venue=False),
                self._pump(far_reader, writer, pipe, from_venue=True),
            )
        finally:
            self._pipes.discard(pipe)
            self._tasks.discard(task)
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pipe: Pipe, *, from_venue: bool
    ) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if from_venue and self._garble:
                    self._garble -= 1
                    self._count("corrupt")
                    keep = len(data) // 2
                    writer.write(data[:keep] + b"\xff" * (len(data) - keep))
                    await writer.drain()
                    pipe.abort()
                    return
                rate = self._bytes_per_s
                if rate:
                    await asyncio.sleep(len(data) / rate)
                self._count("bytes", len(data))
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):
            pipe.abort()  # either side is gone, so is the other


@contextlib.contextmanager
def a_proxy(url: str) -> Iterator[FaultProxy]:
    """A proxy before the server at a URL."""
    proxy = FaultProxy(int(url.rpartition(":")[2].rstrip("/")))
    try:
        yield proxy
    finally:
        proxy.close()
