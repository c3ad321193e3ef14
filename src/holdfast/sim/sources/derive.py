"""What a source does not have and the venue needs: marks from quotes, quotes from books or prints.

Each takes frames in receive order and gives them on with its own inserted right after their cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from holdfast.sim.sources.frames import Frame
from holdfast.sim.sources.levels import Levels
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.units import NS_PER_S

FUNDING_INTERVAL_NS: Final = 8 * 3600 * NS_PER_S
FUNDING_PPB: Final = 100_000  # 0.01 % per eight hours: the venue's interest component, its usual rate
_SMOOTHING_SHIFT: Final = 2  # a quarter of the way to the mid per second
_FRACTION_BITS: Final = 10


def next_funding_ns(venue_ns: int) -> int:
    """The next eight-hour boundary of UTC after this time."""
    return (venue_ns // FUNDING_INTERVAL_NS + 1) * FUNDING_INTERVAL_NS


def mark_frame(spec: InstrumentSpec, *, mark_ticks: int, venue_ns: int, recv_ns: int) -> Frame:
    """A mark price as the venue publishes one each second."""
    mark = Mark(spec.instrument, mark_ticks, FUNDING_PPB, next_funding_ns(venue_ns), venue_ns, 0, 0)
    stream = f"{spec.instrument.lower()}@markPrice@1s"
    return Frame(venue_ns, recv_ns, spec.instrument, stream, None, mark, spec)


class _Smoothed(Struct):
    mid_fixed: int  # mid × 2 × 2**_FRACTION_BITS, smoothed
    due_ns: int


def with_marks(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Adds a mark each second per instrument, the smoothed mid, until the source shows one of its own."""
    smoothed: dict[str, _Smoothed] = {}
    recorded: dict[str, bool] = {}
    for frame in frames:
        yield frame
        event = frame.event
        if type(event) is Mark:
            recorded[event.instrument] = True
            continue
        if type(event) is not Quote:
            continue
        state = smoothed.get(event.instrument)
        if state is not None and frame.recv_ns < state.due_ns:
            continue
        if recorded.get(event.instrument):
            continue
        now_fixed = (event.bid_ticks + event.ask_ticks) << _FRACTION_BITS
        if state is None:
            state = smoothed[event.instrument] = _Smoothed(now_fixed, 0)
        state.mid_fixed += (now_fixed - state.mid_fixed) >> _SMOOTHING_SHIFT
        state.due_ns = (frame.recv_ns // NS_PER_S + 1) * NS_PER_S
        mark_ticks = (state.mid_fixed + (1 << _FRACTION_BITS)) >> (_FRACTION_BITS + 1)
        yield mark_frame(frame.spec, mark_ticks=mark_ticks, venue_ns=frame.venue_ns, recv_ns=frame.recv_ns)


def quote_frame(  # the touch as a public frame
    frame: Frame, *, seq: int, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int
) -> Frame:
    """A quote caused by ``frame``, at its times."""
    spec = frame.spec
    quote = Quote(spec.instrument, seq, bid_ticks, bid_lots, ask_ticks, ask_lots, frame.venue_ns, 0, 0)
    stream = f"{spec.instrument.lower()}@bookTicker"
    return Frame(frame.venue_ns, frame.recv_ns, frame.symbol, stream, None, quote, spec, frame.transact_ns)


def with_quotes_from_books(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Adds a quote whenever the best bid or offer of the book changed.

    For sources that have books and no quotes. A crossed or one-sided book gives no quote.
    """
    books: dict[str, Levels] = {}
    shown: dict[str, tuple[int, int, int, int]] = {}
    for frame in frames:
        yield frame
        event = frame.event
        if type(event) is not Depth:
            continue
        book = books.setdefault(event.instrument, Levels())
        book.apply(event)
        best = book.best
        if best is None or best[0] >= best[1]:
            continue
        touch = (best[0], book.bids[best[0]], best[1], book.asks[best[1]])
        if shown.get(event.instrument) == touch:
            continue
        shown[event.instrument] = touch
        bid_ticks, bid_lots, ask_ticks, ask_lots = touch
        yield quote_frame(
            frame,
            seq=event.seq,
            bid_ticks=bid_ticks,
            bid_lots=bid_lots,
            ask_ticks=ask_ticks,
            ask_lots=ask_lots,
        )


class _Seen(Struct):
    quote_seq: int = 0
    bid_ticks: int = 0


def with_quotes_from_trades(frames: Iterable[Frame], *, touch_lots: int) -> Iterator[Frame]:
    """Adds a one-tick-wide quote of ``touch_lots`` a side behind each print that moved the touch.

    For sources that have prints only (trade and kline files): the true spread and sizes are not known, so
    fills against such a book say little about a real one.
    """
    seen: dict[str, _Seen] = {}
    for frame in frames:
        yield frame
        event = frame.event
        if type(event) is not Trade or not event.market:
            continue
        last = seen.setdefault(event.instrument, _Seen())
        bid_ticks = event.price_ticks - 1 if event.aggressor > 0 else event.price_ticks
        if bid_ticks == last.bid_ticks or bid_ticks <= 0:
            continue
        last.bid_ticks = bid_ticks
        last.quote_seq += 1
        yield quote_frame(
            frame,
            seq=last.quote_seq,
            bid_ticks=bid_ticks,
            bid_lots=touch_lots,
            ask_ticks=bid_ticks + 1,
            ask_lots=touch_lots,
        )
