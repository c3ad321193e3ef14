"""A process that sends prepared bookTicker frames over a loopback WebSocket as fast as the reader takes them.

``python -m bench.sender COUNT bare|combined [INSTRUMENTS]``: prints its port, serves one connection after another. Each
gets the same distinct frames, made and framed before the first connection, once it has said anything at all.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.house import frames, instruments
from holdfast.sim.server.hub import frame

_CHUNK_BYTES: Final = 64 * 1024
_BACKLOG_BYTES: Final = 1 << 20


def chunks(count: int, *, combined: bool, number: int) -> list[bytes]:
    """The frames as they go on the wire, in pieces of some 64 KiB."""
    made: list[bytes] = []
    piece: list[bytes] = []
    size = 0
    for payload in frames(instruments(number), count, wall_ns=time.time_ns(), combined=combined):
        framed = frame(payload)
        piece.append(framed)
        size += len(framed)
        if size > _CHUNK_BYTES:
            made.append(b"".join(piece))
            piece, size = [], 0
    made.append(b"".join(piece))
    return made


class Server(WSListener):
    """Begins to send at the client's first words, and once only."""

    def __init__(self, made: list[bytes]) -> None:
        self._made = made
        self._task: asyncio.Task[None] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type is WSMsgType.TEXT and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._send(transport))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _send(self, transport: WSTransport) -> None:
        wire = transport.underlying_transport
        wire.set_write_buffer_limits(high=4 * _BACKLOG_BYTES)
        for chunk in self._made:
            wire.write(chunk)
            while wire.get_write_buffer_size() > _BACKLOG_BYTES:
                await asyncio.sleep(0.0005)


async def main(count: int, *, combined: bool, number: int) -> None:
    """Serve until our standard input ends: with whoever started us."""
    made = chunks(count, combined=combined, number=number)

    def listener(_: WSUpgradeRequest) -> WSListener:
        return Server(made)

    server = await ws_create_server(listener, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    many = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    asyncio.run(main(int(sys.argv[1]), combined=sys.argv[2] == "combined", number=many))
