"""Market data, as the runtime sees it: raw frames with their receive times, and one pure decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from holdfast.ports.venue import EventSink
from holdfast.vocab.events import StreamKind
from holdfast.vocab.market import MarketEvent

FrameSink = Callable[[Sequence[bytes], int, int], None]
"""(raw frames of one socket read, wall_ns, mono_ns), in the order received: they did arrive together."""

Decode = Callable[[bytes, int, int], MarketEvent | None]
"""(raw frame, wall_ns, mono_ns) to an event; None for control frames; ``Malformed`` for what cannot be
accepted. Pure: the same frame and times give the same event, so a recorded frame replays."""

DecodeRead = Callable[[Sequence[bytes], int, int], Sequence[MarketEvent | None]]
"""``Decode`` for the frames of one read: an answer for each, in their order."""


QuoteKey = Callable[[bytes], bytes | None]
"""What a raw frame is the quote of; None for whatever is not surely a quote. Of two frames with the same key the
later one replaces the earlier: only such frames may be left out under pressure. Called instead of decoding, so it
only looks."""


class FeedPort(Protocol):
    """One source of market data for some instruments."""

    name: str
    codec: str  # names the decoder in the market log, so that a replay finds the same one
    decode_read: DecodeRead
    quote_key: QuoteKey

    async def open(self, on_frame: FrameSink, sink: EventSink) -> None:
        """Connect, subscribe and keep connected (with back-off); StreamChanged goes to ``sink``."""
        ...

    def renew(self, instrument: str, kind: StreamKind, *, harder: bool) -> None:
        """A stream says nothing: ask for it again; ``harder``: on a new connection. Empty name: every instrument's."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
