"""What a market source hands over: one public frame at a time, in the order it was received.

Times. A source's ``recv_ns`` and ``venue_ns`` are on one clock (a recorder's wrong clock is corrected by one
constant), so one constant maps a whole run onto the venue's: :func:`offset_for`. A frame is due at
``recv_ns + offset_ns`` and says that it happened at ``venue_ns + offset_ns``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge
from operator import attrgetter
from typing import Final, Protocol

from msgspec import Struct

from holdfast.sim.sources.specs import InstrumentTexts, texts_of
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_MS


class SourceUnusable(Exception):
    """A source cannot be read (absent, damaged, not what it should be): one line with file, place and reason."""


class Frame(Struct, frozen=True, gc=False):
    """One public message. ``event`` has the venue's original time; its ``wall_ns`` and ``mono_ns`` are 0.

    ``raw``: the data object as recorded, without envelope; None where ids, prices or the frame itself are
    ours. ``stream`` is empty for what is told to the venue's book only and never published: a snapshot.
    ``transact_ns`` is the matching time (Binance's ``T``), 0 where it equals ``venue_ns``.
    """

    venue_ns: int
    recv_ns: int
    symbol: str
    stream: str
    raw: bytes | None
    event: MarketEvent
    spec: InstrumentSpec
    transact_ns: int = 0


class MarketSource(Protocol):
    """Frames of some instruments, in receive order. ``frames`` may be called again: it begins anew."""

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The instruments' facts, one per instrument that has frames."""
        ...

    @property
    def start_ns(self) -> int:
        """``recv_ns`` of the first frame."""
        ...

    def frames(self) -> Iterator[Frame]:
        """All frames, oldest first by ``recv_ns``. Raises SourceUnusable at the place that cannot be read."""
        ...


def offset_for(source: MarketSource, *, venue_start_ns: int) -> int:
    """The one constant that lets this source begin at ``venue_start_ns`` of the venue's clock.

    Whole milliseconds, so that the texts of ``E`` and ``T`` keep their spacing.
    """
    return (venue_start_ns - source.start_ns) // NS_PER_MS * NS_PER_MS


def stamped(event: MarketEvent, *, offset_ns: int, wall_ns: int, mono_ns: int) -> MarketEvent:
    """The event as somebody received it: venue time mapped by ``offset_ns``, with the receiver's own times."""
    if type(event) is Quote:
        return Quote(
            event.instrument,
            event.seq,
            event.bid_ticks,
            event.bid_lots,
            event.ask_ticks,
            event.ask_lots,
            event.venue_ns + offset_ns,
            wall_ns,
            mono_ns,
        )
    if type(event) is Trade:
        return Trade(
            event.instrument,
            event.seq,
            event.price_ticks,
            event.qty_lots,
            event.aggressor,
            event.market,
            event.venue_ns + offset_ns,
            wall_ns,
            mono_ns,
        )
    if type(event) is Mark:
        return Mark(
            event.instrument,
            event.mark_ticks,
            event.funding_ppb,
            event.funding_venue_ns + offset_ns,
            event.venue_ns + offset_ns,
            wall_ns,
            mono_ns,
        )
    if type(event) is Depth:
        return Depth(
            event.instrument,
            event.seq_first,
            event.seq,
            event.seq_prev,
            event.bids,
            event.asks,
            event.snapshot,
            event.venue_ns + offset_ns,
            wall_ns,
            mono_ns,
        )
    return Malformed(event.instrument, getattr(event, "reason", ""), wall_ns, mono_ns)


class Merged:
    """Several sources as one, by receive time; at equal times in the order given."""

    def __init__(self, *sources: MarketSource) -> None:
        if not sources:
            raise SourceUnusable("no market source given")
        self._sources = sources
        self._specs = tuple({spec.instrument: spec for source in sources for spec in source.specs}.values())

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The instruments of all, the first source's facts where several have one."""
        return self._specs

    @property
    def start_ns(self) -> int:
        """The earliest start."""
        return min(source.start_ns for source in self._sources)

    def frames(self) -> Iterator[Frame]:
        """All frames, oldest first."""
        return merge(*(source.frames() for source in self._sources), key=attrgetter("recv_ns"))


# --- texts ------------------------------------------------------------------------------------------------

_TIMES: Final = re.compile(rb'"([ET])":(\d+)')


def frame_json(frame: Frame, *, offset_ns: int = 0) -> bytes:
    """The data object to publish: as recorded with its times mapped, or written anew in the same words.

    Errors: ValueError for a frame that is not published (``stream`` is empty).
    """
    if not frame.stream:
        raise ValueError(f"a frame of {frame.symbol} that is for the venue's book only has no public text")
    event_ms = (frame.venue_ns + offset_ns) // NS_PER_MS
    transact_ms = ((frame.transact_ns or frame.venue_ns) + offset_ns) // NS_PER_MS
    if frame.raw is not None:
        if not offset_ns:
            return frame.raw
        times = {b"E": b'"E":%d' % event_ms, b"T": b'"T":%d' % transact_ms}
        return _TIMES.sub(lambda found: times[found[1]], frame.raw)
    texts = texts_of(frame.spec)
    event = frame.event
    if type(event) is Quote:
        text = _quote_text(event, frame.symbol, texts, event_ms, transact_ms)
    elif type(event) is Trade:
        text = _trade_text(event, frame.symbol, texts, event_ms, transact_ms)
    elif type(event) is Depth:
        text = _depth_text(event, frame.symbol, texts, event_ms, transact_ms)
    elif type(event) is Mark:
        text = _mark_text(
            event, frame.symbol, texts, event_ms, (event.funding_venue_ns + offset_ns) // NS_PER_MS
        )
    else:
        raise ValueError(f"a frame of {frame.symbol} that nobody could read has no text of its own")
    return text.encode()


def _quote_text(event: Quote, symbol: str, texts: InstrumentTexts, event_ms: int, transact_ms: int) -> str:
    price, qty = texts.price, texts.qty
    return (
        f'{{"e":"bookTicker","u":{event.seq},"s":"{symbol}","b":"{price(event.bid_ticks)}",'
        f'"B":"{qty(event.bid_lots)}","a":"{price(event.ask_ticks)}","A":"{qty(event.ask_lots)}",'
        f'"T":{transact_ms},"E":{event_ms}}}'
    )


def _trade_text(event: Trade, symbol: str, texts: InstrumentTexts, event_ms: int, transact_ms: int) -> str:
    kind = "MARKET" if event.market else "INSURANCE_FUND"
    maker = "false" if event.aggressor > 0 else "true"  # whether the buyer rested
    return (
        f'{{"e":"trade","E":{event_ms},"T":{transact_ms},"s":"{symbol}","t":{event.seq},'
        f'"p":"{texts.price(event.price_ticks)}","q":"{texts.qty(event.qty_lots)}","X":"{kind}","m":{maker}}}'
    )


def _depth_text(event: Depth, symbol: str, texts: InstrumentTexts, event_ms: int, transact_ms: int) -> str:
    price, qty = texts.price, texts.qty
    bids = ",".join(f'["{price(ticks)}","{qty(lots)}"]' for ticks, lots in event.bids)
    asks = ",".join(f'["{price(ticks)}","{qty(lots)}"]' for ticks, lots in event.asks)
    return (
        f'{{"e":"depthUpdate","E":{event_ms},"T":{transact_ms},"s":"{symbol}","U":{event.seq_first},'
        f'"u":{event.seq},"pu":{event.seq_prev},"b":[{bids}],"a":[{asks}]}}'
    )


def _mark_text(event: Mark, symbol: str, texts: InstrumentTexts, event_ms: int, funding_ms: int) -> str:
    price = texts.price(event.mark_ticks)
    whole, dot, fraction = price.partition(".")
    price = f"{whole}.{fraction:0<8}" if dot else f"{whole}.00000000"  # the venue writes eight digits here
    sign = "-" if event.funding_ppb < 0 else ""
    rate = f"{sign}{abs(event.funding_ppb) // 10**9}.{abs(event.funding_ppb) % 10**9 // 10:08d}"
    return (
        f'{{"e":"markPriceUpdate","E":{event_ms},"s":"{symbol}","p":"{price}","i":"{price}","P":"{price}",'
        f'"r":"{rate}","T":{funding_ms}}}'
    )
