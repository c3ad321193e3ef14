"""Market sockets replaced before the venue ends them at 24 hours, without a gap or a frame twice.

A second feed is opened while the first still speaks, and only listened to. When it was heard on every stream on
which the first one spoke, it takes over at one moment: what it has beyond the first one's last frame goes out, and
what it still says of before is left out. A successor that stays silent anywhere (a retired address connects and
says nothing) never takes over. Between two hand-overs the frames go straight through: no step more per frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.ports.clock import Clock
from holdfast.ports.feed import FrameSink, QuoteKey
from holdfast.ports.venue import EventSink
from holdfast.venues.binance.feed import BinanceFeed
from holdfast.venues.transport.clock import SystemClock
from holdfast.venues.transport.sockets import one_by_one
from holdfast.vocab.events import Event, Stream, StreamChanged, StreamKind

PRUNE_FROM: Final = 1_000
HELD_MAX: Final = 100_000  # frames of a successor that wait; beyond it the hand-over is given up

Key = tuple[str, str]
Held = tuple[Key, int, bytes]


class RotationTimes(Struct, frozen=True, kw_only=True):
    """Every wait of a rotation. ``patience_s``: a successor that is not connected by then is given up."""

    rotate_s: float = 82_800.0  # 23 h: the venue ends a socket at 24
    overlap_s: float = 5.0
    patience_s: float = 60.0
    retry_s: float = 300.0


class _Frame(Struct, gc=False):
    """What places a frame in its stream: quotes and changes by ``u``, prints by ``t``, marks by their time."""

    e: str = ""
    s: str = ""
    u: int = 0
    t: int = 0
    E: int = 0


_frame: Final = msgspec.json.Decoder(_Frame, strict=False)


def place_of(raw: bytes) -> tuple[Key, int] | None:
    """A frame's stream and its number there; None for what belongs to none."""
    try:
        told = _frame.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if not told.s or not told.e:
        return None
    return (told.s, told.e), told.t if told.e == "trade" else told.u or told.E


class TappedFeed(BinanceFeed):
    """A feed whose frames can be sent elsewhere while it runs."""

    def redirect(self, on_frame: FrameSink) -> None:
        """Hand frames to this one from now on."""
        for socket in self._sockets:
            socket.redirect(on_frame)

    @property
    def whole(self) -> bool:
        """Whether every connection is up."""
        return bool(self._sockets) and all(socket.up.is_set() for socket in self._sockets)


class Handover:
    """Two feeds of the same streams during one rotation: the first one's frames go out, the other's wait.

    ``left_out``: frames of the successor that the first one had handed out already.
    """

    def __init__(self, on_frame: Callable[[bytes, int, int], None]) -> None:
        self._on_frame = on_frame
        self._last: dict[Key, int] = {}  # the number that went out last, by stream
        self._heard: dict[Key, int] = {}  # what the successor said last
        self._held: list[Held] = []
        self._prune_at = PRUNE_FROM
        self.left_out = 0

    def from_first(self, raw: bytes, wall_ns: int, mono_ns: int) -> None:
        """A frame of the feed that still speaks for both."""
        placed = place_of(raw)
        if placed is not None:
            self._last[placed[0]] = placed[1]
        self._on_frame(raw, wall_ns, mono_ns)

    def from_successor(self, raw: bytes, wall_ns: int, mono_ns: int) -> None:
        """A frame that waits: nobody knows yet whether the first feed will say it too."""
        placed = place_of(raw)
        if placed is None:
            return  # the answer to its SUBSCRIBE
        key, number = placed
        self._heard[key] = number
        self._held.append((key, number, raw))
        if len(self._held) > self._prune_at:
            self._held = [held for held in self._held if held[1] > self._last.get(held[0], -1)]
            self._prune_at = max(PRUNE_FROM, 2 * len(self._held))

    def from_sole(self, raw: bytes, wall_ns: int, mono_ns: int) -> None:
        """A frame of the successor once it speaks alone: what it says of before is left out."""
        placed = place_of(raw)
        if placed is not None and placed[1] <= self._last.get(placed[0], -1):
            self.left_out += 1
            return
        self._on_frame(raw, wall_ns, mono_ns)

    @property
    def overflown(self) -> bool:
        """More waits than may."""
        return len(self._held) > HELD_MAX

    @property
    def silent(self) -> tuple[Key, ...]:
        """Streams on which the first one spoke during the overlap and the successor did not."""
        return tuple(key for key in self._last if key not in self._heard)

    def take_over(self, wall_ns: int, mono_ns: int) -> None:
        """The successor speaks from here on: what it has beyond the first one's last goes out, stamped now.

        It was received before, but time must not run backwards for whoever reads both.
        """
        held, self._held = self._held, []
        for key, number, raw in held:
            if number <= self._last.get(key, -1):
                self.left_out += 1
            else:
                self._on_frame(raw, wall_ns, mono_ns)


class RotatingFeed:
    """``ports.feed.FeedPort``: one of these feeds at any time, two while it hands over.

    ``rotations_count`` were carried out, ``refused_count`` given up: the old connections then stay until the next
    try, or until the venue ends them and they are made again.
    """

    def __init__(
        self,
        make: Callable[[], TappedFeed],
        *,
        times: RotationTimes | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._make = make
        self._times = times or RotationTimes()
        self._clock = clock or SystemClock()
        self._now = make()
        self.name = self._now.name
        self.codec = self._now.codec
        self.decode_read = self._now.decode_read
        self.quote_key: QuoteKey = self._now.quote_key
        self.rotations_count = 0
        self.refused_count = 0
        self._successor: TappedFeed | None = None
        self._ups: dict[str, list[TappedFeed]] = {}
        self._broken = asyncio.Event()  # the first feed lost a connection during an overlap
        self._news = asyncio.Event()  # a connection came up or went down
        self._task: asyncio.Task[None] | None = None
        self._on_frame: FrameSink
        self._sink: EventSink

    async def open(self, on_frame: FrameSink, sink: EventSink) -> None:
        """Connect in the background, stay connected, and rotate in time."""
        self._on_frame, self._sink = on_frame, sink
        await self._now.open(on_frame, self._sink_of(self._now))
        self._task = asyncio.get_running_loop().create_task(self._rotate())

    async def close(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for feed in (self._now, self._successor):
            if feed is not None:
                await feed.close()
        self._successor = None

    def renew(self, instrument: str, kind: StreamKind, *, harder: bool) -> None:
        """``FeedPort.renew``, of the feed that speaks."""
        self._now.renew(instrument, kind, harder=harder)

    # --- rotation -----------------------------------------------------------------------------------------------

    async def _rotate(self) -> None:
        wait_s = self._times.rotate_s
        while True:
            await asyncio.sleep(wait_s)
            done = await self._once()
            wait_s = self._times.rotate_s if done else self._times.retry_s

    async def _once(self) -> bool:
        """One rotation; False where the successor was given up."""
        times, first = self._times, self._now
        handover = Handover(lambda raw, wall_ns, mono_ns: self._on_frame((raw,), wall_ns, mono_ns))
        successor = self._successor = self._make()
        self._broken.clear()
        first.redirect(
            one_by_one(handover.from_first)
        )  # before the other one listens: so each frame it gets is known of here
        await successor.open(one_by_one(handover.from_successor), self._sink_of(successor))
        usable = await self._connected(successor)
        if usable:
            # a first feed that breaks now has a successor already: there is nothing to wait for
            await self._breaks_within(times.overlap_s)
            usable = (
                successor.whole and not handover.overflown and (self._broken.is_set() or not handover.silent)
            )
        if not usable:
            self.refused_count += 1
            first.redirect(self._on_frame)
            await self._retire(successor)
            self._successor = None
            return False
        first.redirect(_nowhere)
        handover.take_over(self._clock.wall_ns(), self._clock.mono_ns())
        successor.redirect(one_by_one(handover.from_sole))
        self._now, self._successor = successor, None
        self.rotations_count += 1
        await self._retire(first)
        await asyncio.sleep(times.overlap_s)  # by then it says nothing of before any more
        successor.redirect(self._on_frame)
        return True

    async def _connected(self, feed: TappedFeed) -> bool:
        try:
            async with asyncio.timeout(self._times.patience_s):
                while not feed.whole:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _breaks_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._broken.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _retire(self, feed: TappedFeed) -> None:
        """Close it; that it is gone is no news as long as the other one is there."""
        await feed.close()
        for name, feeds in self._ups.items():
            if feed in feeds:
                feeds.remove(feed)
                if not feeds:
                    self._changed(name, up=False, why="closed by us")

    # --- what is told of connections ------------------------------------------------------------------------------

    def _sink_of(self, feed: TappedFeed) -> EventSink:
        def sink(event: Event) -> None:
            if not isinstance(event, StreamChanged):
                self._sink(event)
                return
            self._news.set()
            feeds = self._ups.setdefault(event.name, [])
            was_up = bool(feeds)
            if event.up and feed not in feeds:
                feeds.append(feed)
            elif not event.up and feed in feeds:
                feeds.remove(feed)
                if feed is self._now:
                    self._broken.set()
            if bool(feeds) != was_up:
                self._sink(event)

        return sink

    def _changed(self, name: str, *, up: bool, why: str) -> None:
        self._sink(
            StreamChanged(
                wall_ns=self._clock.wall_ns(),
                mono_ns=self._clock.mono_ns(),
                stream=Stream.MARKET,
                name=name,
                up=up,
                why=why,
            )
        )


def _nowhere(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
    """The other feed has it."""
