"""A public feed that tells the same market as its twins: ``python -m tests.process.twin PORT EPOCH_MS LATE_MS``.

Number k of every stream is said at EPOCH_MS + 10·k, LATE_MS late: whoever serves it, and whenever it was started. So
two of them are one venue over two ways, and one that was killed and started again goes on where the venue is. A line
``mute STREAM`` or ``speak STREAM`` on standard input; it ends when that ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

EVERY_MS = 10


def frame(stream: str, number: int, at_ms: int) -> bytes:
    """Frame ``number`` of a stream."""
    symbol, _, kind = stream.partition("@")
    name = symbol.upper()
    if kind == "trade":
        text = (
            f'{{"e":"trade","E":{at_ms},"T":{at_ms},"s":"{name}","t":{number},"p":"61800.10","q":"0.0{1 + number % 9}1",'
            '"X":"MARKET","m":false}'
        )
    else:
        size = 1 + number % 5_000
        text = (
            f'{{"e":"bookTicker","u":{number},"s":"{name}","b":"61800.10","B":"{size / 1000:.3f}","a":"61800.20",'
            f'"A":"1.000","T":{at_ms},"E":{at_ms}}}'
        )
    return text.encode()


class Client(WSListener):
    """One connection: what it asked for, and the number that it was told last."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients
        self.transport: WSTransport | None = None
        self.streams: list[str] = []
        self.last = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._clients.append(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self in self._clients:
            self._clients.remove(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            asked = json.loads(frame.get_payload_as_bytes())["params"]
            self.streams += [stream for stream in asked if stream not in self.streams]
            transport.send(WSMsgType.TEXT, b'{"result":null,"id":1}')


async def main(port: int, epoch_ms: int, late_ms: int) -> None:
    """Serve until standard input ends."""
    clients: list[Client] = []
    mute: set[str] = set()

    def listener(request: WSUpgradeRequest) -> WSListener:
        return Client(clients)

    server = await ws_create_server(listener, "127.0.0.1", port)
    print("serving", flush=True)
    words = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)

    async def speak() -> None:
        while True:
            newest = (time.time_ns() // 1_000_000 - late_ms - epoch_ms) // EVERY_MS
            for client in clients:
                if client.transport is None:
                    continue
                for number in range(client.last + 1 if client.last else newest, newest + 1):
                    client.last = number
                    for stream in client.streams:
                        if stream not in mute:
                            client.transport.send(
                                WSMsgType.TEXT, frame(stream, number, epoch_ms + EVERY_MS * number)
                            )
            await asyncio.sleep(0.002)

    speaking = asyncio.create_task(speak())
    while line := (await words.readline()).decode().split():
        (mute.add if line[0] == "mute" else mute.discard)(line[1])
    speaking.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
