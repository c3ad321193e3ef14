"""A venue that says more than one can look at, at a given pace: ``… PORT RATE SECONDS CORE``.

RATE frames a second of 100 instruments, one in a hundred a print, the rest quotes. No two frames are the same: number,
price and time are patched into each block of a hundred before it is sent, and blocks are sent one by one when they are
due, so that no burst of ours is beyond anybody's high-water mark by itself. The times are those at which they were due:
whoever falls behind sees it in them. PORT 0: a free one. CORE: where to run, so that the reader has its own; -1:
anywhere. Prints the port; then, once it has sent everything, what it sent; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import deque
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.machine import ran_and_waited_ns
from holdfast.sim.server.hub import frame

INSTRUMENTS: Final = 100
QUOTES: Final = 99  # of a block; with the print it is a hundred frames
PRINTS: Final = 1
BLOCK: Final = QUOTES + PRINTS
KINDS: Final = 100  # of blocks: each leaves another instrument without a quote, and prints it
_WRITE_BYTES: Final = 512 * 1024
REST_NS_MAX: Final = 200_000
FIRST: Final = 10**11  # numbers of twelve digits


def name_of(number: int) -> str:
    """As ``bench.house.instruments`` names them; all of one length."""
    return f"B{number + 2:04d}USDT"


class Patched:
    """Frames of one length, one after another, of which some columns change from block to block."""

    def __init__(self, payloads: list[bytes], fields: dict[str, tuple[bytes, int]]) -> None:
        framed = [frame(payload) for payload in payloads]
        self._length = len(framed[0])
        self._count = len(framed)
        self.bytes = bytearray().join(framed)
        start = self._length - len(payloads[0])
        self._at = {
            name: start + payloads[0].index(before) + len(before) for name, (before, _) in fields.items()
        }
        self._now = {name: "?" * width for name, (_, width) in fields.items()}

    def patch(self, name: str, digits: str) -> None:
        """The same digits into every frame; what they are already is left alone."""
        at, now, length, count = self._at[name], self._now[name], self._length, self._count
        for column, digit in enumerate(digits):
            if now[column] != digit:
                self.bytes[at + column :: length] = digit.encode() * count
        self._now[name] = digits


class Blocks:
    """Block after block. The last two digits of a number are the frame's place in its block."""

    def __init__(self) -> None:
        self.number = 0
        self._quotes = [_quotes(kind) for kind in range(KINDS)]
        self._prints = [_print(kind) for kind in range(KINDS)]

    def next(self, at_ms: int) -> bytes:
        """The next hundred frames, said now."""
        number, at, price = f"{(FIRST // BLOCK + self.number):010d}", f"{at_ms:013d}", str(self.number % 10)
        kind = self.number % KINDS
        quotes, prints = self._quotes[kind], self._prints[kind]
        for patched, prices in ((quotes, ("bid", "ask")), (prints, ("price",))):
            patched.patch("number", number)
            patched.patch("at", at)
            patched.patch("event", at)
            for name in prices:
                patched.patch(name, price)
        self.number += 1
        return bytes(quotes.bytes + prints.bytes)


def _quotes(kind: int) -> Patched:
    """A quote of every instrument but one."""
    names = [name_of((kind + 1 + place) % INSTRUMENTS) for place in range(QUOTES)]
    return Patched(
        [
            (
                f'{{"e":"bookTicker","u":{FIRST + place},"s":"{name}",'
                f'"b":"61800.{kind % 9}0","B":"{1 + place % 9}.{place:03d}",'
                f'"a":"61800.{kind % 9 + 1}0","A":"1.{kind:03d}","T":{10**12},"E":{10**12}}}'
            ).encode()
            for place, name in enumerate(names)
        ],
        {
            "number": (b'"u":', 10),
            "bid": (b'"b":"6180', 1),
            "ask": (b'"a":"6180', 1),
            "at": (b'"T":', 13),
            "event": (b'"E":', 13),
        },
    )


def _print(kind: int) -> Patched:
    """A print of that one."""
    payload = (
        f'{{"e":"trade","E":{10**12},"T":{10**12},"s":"{name_of(kind)}","t":{FIRST + QUOTES},'
        f'"p":"61800.{kind % 9}0","q":"{1 + kind % 9}.{kind:03d}","X":"MARKET","m":false}}'
    )
    return Patched(
        [payload.encode()],
        {
            "number": (b'"t":', 10),
            "price": (b'"p":"6180', 1),
            "at": (b'"T":', 13),
            "event": (b'"E":', 13),
        },
    )


class Server(WSListener):
    """Begins at the client's first words."""

    def __init__(self, rate: int, seconds: float) -> None:
        self._rate = rate
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._send(transport))

    async def _send(self, transport: WSTransport) -> None:
        wire = transport.underlying_transport
        # asyncio would have picows told at each 64 KiB, and picows say so
        wire.set_write_buffer_limits(high=4 * _WRITE_BYTES)
        blocks = Blocks()
        waiting: deque[bytes] = deque()  # of our own: asyncio's moves all of it at each write
        waiting_max = late_ns = 0
        between_ns = BLOCK * 10**9 // self._rate
        began_ns = due_ns = time.monotonic_ns()
        end_ns = began_ns + int(self._seconds * 1e9)
        took_s = 0.0
        ran_ns, waited_ns = ran_and_waited_ns()
        while waiting or due_ns < end_ns:
            now_ns = time.monotonic_ns()
            if due_ns < end_ns and now_ns >= due_ns:
                late_ns = max(late_ns, now_ns - due_ns)
                # said when it was due: a sender that is late itself must not make the reader look better
                waiting.append(blocks.next((time.time_ns() - (now_ns - due_ns)) // 1_000_000))
                waiting_max = max(waiting_max, len(waiting))
                due_ns += between_ns
                took_s = (now_ns - began_ns) / 1e9
            while waiting and wire.get_write_buffer_size() < _WRITE_BYTES:
                wire.write(waiting.popleft())
            await asyncio.sleep(0)  # what the kernel did not take goes out here
            rest_ns = min(due_ns - time.monotonic_ns(), REST_NS_MAX)
            if rest_ns > 0 and not waiting:
                time.sleep(
                    rest_ns / 1e9
                )  # asyncio's own shortest sleep is a millisecond: four hundred frames
        while wire.get_write_buffer_size():
            await asyncio.sleep(0.01)
        now_ran_ns, now_waited_ns = ran_and_waited_ns()
        told = {
            "frames": blocks.number * BLOCK,
            "prints": blocks.number * PRINTS,
            "frames_per_s": round(blocks.number * BLOCK / took_s),
            "backlog_frames_max": waiting_max * BLOCK,
            "sender_late_ms_max": round(late_ns / 1e6, 1),
            "sender_cpu_share": round((now_ran_ns - ran_ns) / 1e9 / took_s, 2),
            "sender_without_a_core_share": round((now_waited_ns - waited_ns) / 1e9 / took_s, 2),
        }
        print(json.dumps(told), flush=True)


async def main(port: int, rate: int, seconds: float) -> None:
    """Serve one client."""

    def listener(_: WSUpgradeRequest) -> WSListener:
        return Server(rate, seconds)

    server = await ws_create_server(listener, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    if int(sys.argv[4]) >= 0:
        os.sched_setaffinity(0, {int(sys.argv[4])})
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
