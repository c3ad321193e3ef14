"""Binance's public streams as a FeedPort: quotes, trades, marks (and depth diffs), split or legacy addresses.

The frames are handed to the runtime inside the socket's read callback, as they are: bytes, and the times of
the read that brought them. Decoding is the runtime's to call, so that what is recorded is what is decoded.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.feed import FrameSink, QuoteKey
from holdfast.ports.venue import EventSink
from holdfast.venues.binance.decoder import CODEC, quote_key, read_decoder
from holdfast.venues.transport.clock import SystemClock
from holdfast.venues.transport.session import AllowedHosts
from holdfast.venues.transport.sockets import Backoff, KeptSocket, Plan
from holdfast.vocab.events import Stream, StreamChanged, StreamKind
from holdfast.vocab.instruments import InstrumentSpec

STREAMS_PER_SOCKET_MAX: Final = 200  # the venue takes more; smaller shares lose less when one drops


class FeedConfig(Struct, frozen=True, kw_only=True):
    """Where the public streams are, and which of them.

    ``silence_s``: a connection without any frame for so long is opened again; 0 never judges.
    """

    ws_url: str = "wss://fstream.binance.com"
    legacy_streams: bool = False
    trades: bool = True
    marks: bool = True
    depth: bool = False
    name: str = "binance"
    silence_s: float = 30.0
    backoff: Backoff = Backoff()


class _Share(Struct, frozen=True, kw_only=True):
    """The streams of one connection."""

    name: str
    url: str
    streams: tuple[str, ...]


class BinanceFeed:
    """``ports.feed.FeedPort``. ``codec`` names the decoder in the market log."""

    def __init__(
        self,
        config: FeedConfig,
        specs: Iterable[InstrumentSpec],
        *,
        clock: Clock | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.name = config.name
        self.codec = CODEC
        self._specs = tuple(specs)
        self.decode_read = read_decoder(self._specs)
        self.quote_key: QuoteKey = quote_key
        self._config = config
        self._clock = clock or SystemClock()
        self._ssl_context = ssl_context
        self._sockets: list[KeptSocket] = []
        self._shares: tuple[_Share, ...] = ()
        self._watch: asyncio.Task[None] | None = None

    async def open(self, on_frame: FrameSink, sink: EventSink) -> None:
        """Connect in the background and stay connected."""
        shares = self._shares = shares_of(self._config, [spec.instrument for spec in self._specs])
        allowed = AllowedHosts([self._config.ws_url])
        self._sockets = [self._socket(share, allowed, on_frame, sink) for share in shares]
        for socket in self._sockets:
            socket.open()
        if self._config.silence_s:
            self._watch = asyncio.get_running_loop().create_task(self._watch_silence())

    async def close(self) -> None:
        """Disconnect."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for socket in self._sockets:
            await socket.close()
        self._sockets = []

    def renew(self, instrument: str, kind: StreamKind, *, harder: bool) -> None:
        """``FeedPort.renew``: subscribe again where the stream belongs, or make that connection anew."""
        end = f"@{_STREAMS[kind]}"
        for share, socket in zip(self._shares, self._sockets, strict=True):
            mute = [
                name
                for name in share.streams
                if name.endswith(end) and name.startswith(f"{instrument.lower()}@" if instrument else "")
            ]
            if mute and harder:
                socket.drop(f"silent: {instrument} {kind.value}")
            elif mute:
                socket.send(_asking(mute))

    def _socket(
        self, share: _Share, allowed: AllowedHosts, on_frame: FrameSink, sink: EventSink
    ) -> KeptSocket:
        was_up = False

        def changed(*, up: bool, why: str) -> None:
            nonlocal was_up
            if up != was_up:
                was_up = up
                sink(
                    StreamChanged(
                        wall_ns=self._clock.wall_ns(),
                        mono_ns=self._clock.mono_ns(),
                        stream=Stream.MARKET,
                        name=share.name,
                        up=up,
                        why=why,
                    )
                )

        plan = Plan(url=share.url, hello=(_asking(share.streams),))

        async def planned() -> Plan:
            return plan

        return KeptSocket(
            plan=planned,
            allowed=allowed,
            clock=self._clock,
            on_frame=on_frame,
            on_up=lambda: changed(up=True, why="connected"),
            on_down=lambda why: changed(up=False, why=why),
            backoff=self._config.backoff,
            ssl_context=self._ssl_context,
        )

    async def _watch_silence(self) -> None:
        seen = [0] * len(self._sockets)
        while True:
            await asyncio.sleep(self._config.silence_s)
            for index, socket in enumerate(self._sockets):
                if socket.up.is_set() and socket.reads == seen[index]:
                    socket.drop(f"silent for {self._config.silence_s:g} s")
                seen[index] = socket.reads


_STREAMS: Final = {
    StreamKind.QUOTE: "bookTicker",
    StreamKind.TRADE: "trade",
    StreamKind.MARK: "markPrice@1s",
    StreamKind.DEPTH: "depth@100ms",
}


def _asking(streams: Sequence[str]) -> bytes:
    """The message that subscribes. The venue takes it again for what it sends already."""
    return json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1}).encode()


def shares_of(config: FeedConfig, instruments: Sequence[str]) -> tuple[_Share, ...]:
    """Which streams go over which connection: the venue's split addresses, or one legacy address."""
    wanted = {StreamKind.QUOTE: True, StreamKind.TRADE: config.trades, StreamKind.DEPTH: config.depth}
    quick = [_STREAMS[kind] for kind, is_wanted in wanted.items() if is_wanted]
    slow = [_STREAMS[StreamKind.MARK]] if config.marks else []
    base = config.ws_url.rstrip("/")
    groups = (
        [("", f"{base}/ws", quick + slow)]
        if config.legacy_streams
        else [("/public", f"{base}/public/ws", quick), ("/market", f"{base}/market/ws", slow)]
    )
    shares = []
    for suffix, url, kinds in groups:
        streams = [f"{instrument.lower()}@{kind}" for instrument in instruments for kind in kinds]
        for start in range(0, len(streams), STREAMS_PER_SOCKET_MAX):
            number = (
                f"#{start // STREAMS_PER_SOCKET_MAX + 1}" if len(streams) > STREAMS_PER_SOCKET_MAX else ""
            )
            shares.append(
                _Share(
                    name=f"{config.name}{suffix}{number}",
                    url=url,
                    streams=tuple(streams[start : start + STREAMS_PER_SOCKET_MAX]),
                )
            )
    return tuple(shares)
