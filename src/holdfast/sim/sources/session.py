"""What happens when a source ends: stop, play it again, or hand over to the generator.

A splice shows no price jump and no gap: prices of the next stretch are shifted by a constant number of ticks
per instrument, ids keep growing, and one published diff leads from the last book to the first one. Over many
loops the shifts add up to the recording's own move; a loop that would leave the price more than a quarter away
from the recorded one starts again from it, with a jump.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from msgspec import Struct

from holdfast.sim.sources.frames import Frame, MarketSource
from holdfast.sim.sources.generated import Generated, GeneratedInstrument
from holdfast.sim.sources.levels import Levels, difference
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_MS

_PAUSE_NS: Final = 10 * NS_PER_MS  # between the last frame of one stretch and the first of the next
_SHIFT_SHARE_MAX: Final = 4


class AtEnd(Enum):
    """What follows the last frame."""

    STOP = "stop"
    LOOP = "loop"
    GENERATE = "generate"


class _Trail(Struct):
    """What one instrument has shown: what the next stretch must continue from."""

    spec: InstrumentSpec
    levels: Levels
    book_id: int = 0  # newest of book ids, of quotes and diffs alike
    diff_id: int = 0
    trade_id: int = 0
    bid_ticks: int = 0
    stream: str = ""  # of its diffs
    first_book_id: int = 0  # of the source, before any rewriting
    first_diff_before: int = 0
    first_trade_id: int = 0
    first_bid_ticks: int = 0
    opening: Depth | None = None

    def see(self, frame: Frame) -> None:
        event = frame.event
        if type(event) is Quote:
            self.book_id = max(self.book_id, event.seq)
            self.bid_ticks = event.bid_ticks
        elif type(event) is Trade:
            self.trade_id = event.seq
        elif type(event) is Depth:
            self.levels.apply(event)
            self.diff_id = event.seq
            self.book_id = max(self.book_id, event.seq)
            self.stream = frame.stream or self.stream

    def see_first(self, frame: Frame) -> None:
        """Of the first stretch only: what the source itself begins with."""
        event = frame.event
        if type(event) is Quote:
            self.first_bid_ticks = self.first_bid_ticks or event.bid_ticks
            self.first_book_id = min(self.first_book_id or event.seq, event.seq)
        elif type(event) is Trade:
            self.first_trade_id = self.first_trade_id or event.seq
        elif type(event) is Depth:
            before = event.seq if event.snapshot else event.seq_prev
            self.first_diff_before = self.first_diff_before or before
            if event.snapshot and self.opening is None:
                self.opening = event


class _Shift(Struct, frozen=True):
    """By how much one instrument's frames of a later stretch are rewritten."""

    ticks: int
    book_ids: int
    trade_ids: int


_NO_SHIFT: Final = _Shift(0, 0, 0)


class Continued:
    """A source that goes on after its end as ``at_end`` says. ``loops_max`` bounds LOOP; 0: without end."""

    def __init__(self, source: MarketSource, *, at_end: AtEnd, seed: int = 1, loops_max: int = 0) -> None:
        self._source = source
        self._at_end = at_end
        self._seed = seed
        self._loops_max = loops_max

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The source's."""
        return self._source.specs

    @property
    def start_ns(self) -> int:
        """The source's."""
        return self._source.start_ns

    def frames(self) -> Iterator[Frame]:
        """The source's frames, and then what follows."""
        trails = {spec.instrument: _Trail(spec=spec, levels=Levels()) for spec in self._source.specs}
        recv_ns = self.start_ns
        for frame in self._source.frames():
            recv_ns = frame.recv_ns
            trail = trails[frame.spec.instrument]
            trail.see_first(frame)
            trail.see(frame)
            yield frame
        if self._at_end is AtEnd.LOOP:
            yield from self._loops(trails, recv_ns)
        elif self._at_end is AtEnd.GENERATE:
            yield from self._generated(trails, recv_ns)

    def _loops(self, trails: dict[str, _Trail], recv_ns: int) -> Iterator[Frame]:
        loops = 1
        while not self._loops_max or loops < self._loops_max:
            loops += 1
            time_shift_ns = recv_ns + _PAUSE_NS - self.start_ns
            shifts = {name: _shift_for(trail) for name, trail in trails.items()}
            yield from _splices(trails, shifts, recv_ns + _PAUSE_NS)
            for frame in self._source.frames():
                if not frame.stream:
                    continue  # the opening book: the splice led to it
                moved = _moved(frame, shifts[frame.spec.instrument], time_shift_ns)
                recv_ns = moved.recv_ns
                trails[frame.spec.instrument].see(moved)
                yield moved

    def _generated(self, trails: dict[str, _Trail], recv_ns: int) -> Iterator[Frame]:
        going = [trail for trail in trails.values() if trail.bid_ticks]
        generator = Generated(
            seed=self._seed,
            instruments=tuple(
                GeneratedInstrument.like(
                    trail.spec,
                    start_ticks=trail.bid_ticks,
                    book_id=trail.book_id,
                    trade_id=trail.trade_id,
                )
                for trail in going
            ),
            start_ns=recv_ns + _PAUSE_NS,
        )
        for frame in generator.frames():
            event = frame.event
            if not frame.stream and type(event) is Depth:
                trail = trails[frame.spec.instrument]
                yield _led_to(
                    trail, event, frame.recv_ns, trail.stream or f"{frame.symbol.lower()}@depth@100ms"
                )
            else:
                yield frame


def _shift_for(trail: _Trail) -> _Shift:
    ticks = trail.bid_ticks - trail.first_bid_ticks
    if abs(ticks) > trail.first_bid_ticks // _SHIFT_SHARE_MAX:
        ticks = 0
    bases = [one for one in (trail.first_diff_before, trail.first_book_id - 1) if one > 0]
    return _Shift(
        ticks=ticks,
        book_ids=trail.book_id + 1 - min(bases, default=0),
        trade_ids=trail.trade_id + 1 - trail.first_trade_id,
    )


def _splices(trails: dict[str, _Trail], shifts: dict[str, _Shift], recv_ns: int) -> Iterator[Frame]:
    """One diff per instrument from the book that stands to the book that the next stretch opens with."""
    for name, trail in trails.items():
        if not trail.diff_id:
            continue
        shift = shifts[name]
        before = trail.first_diff_before + shift.book_ids
        opening: MarketEvent = Depth(name, before, before, 0, (), (), True, recv_ns, 0, 0)
        if trail.opening is not None:
            opening = _event_moved(trail.opening, shift, 0)
        yield _led_to(trail, opening, recv_ns, trail.stream)


def _led_to(trail: _Trail, opening: MarketEvent, recv_ns: int, stream: str) -> Frame:
    after = Levels()
    seq_first, seq_prev = trail.diff_id + 1, trail.diff_id
    if type(opening) is Depth:
        after.apply(opening)
    diff = Depth(
        trail.spec.instrument,
        seq_first,
        after.seq,
        seq_prev,
        difference(trail.levels.bids, after.bids),
        difference(trail.levels.asks, after.asks),
        False,
        recv_ns,
        0,
        0,
    )
    trail.levels.apply(diff)
    trail.diff_id = after.seq
    trail.book_id = max(trail.book_id, after.seq)
    return Frame(recv_ns, recv_ns, trail.spec.instrument, stream, None, diff, trail.spec)


def _moved(frame: Frame, shift: _Shift, time_shift_ns: int) -> Frame:
    return Frame(
        frame.venue_ns + time_shift_ns,
        frame.recv_ns + time_shift_ns,
        frame.symbol,
        frame.stream,
        None,
        _event_moved(frame.event, shift, time_shift_ns),
        frame.spec,
        frame.transact_ns + time_shift_ns if frame.transact_ns else 0,
    )


def _event_moved(event: MarketEvent, shift: _Shift, time_shift_ns: int) -> MarketEvent:
    ticks, ids = shift.ticks, shift.book_ids
    if type(event) is Quote:
        return Quote(
            event.instrument,
            event.seq + ids,
            event.bid_ticks + ticks,
            event.bid_lots,
            event.ask_ticks + ticks,
            event.ask_lots,
            event.venue_ns + time_shift_ns,
            0,
            0,
        )
    if type(event) is Trade:
        return Trade(
            event.instrument,
            event.seq + shift.trade_ids,
            event.price_ticks + ticks,
            event.qty_lots,
            event.aggressor,
            event.market,
            event.venue_ns + time_shift_ns,
            0,
            0,
        )
    if type(event) is Mark:
        return Mark(
            event.instrument,
            event.mark_ticks + ticks,
            event.funding_ppb,
            event.funding_venue_ns + time_shift_ns,
            event.venue_ns + time_shift_ns,
            0,
            0,
        )
    if type(event) is Depth:
        return Depth(
            event.instrument,
            event.seq_first + ids,
            event.seq + ids,
            event.seq_prev + ids,
            _prices_moved(event.bids, ticks),
            _prices_moved(event.asks, ticks),
            event.snapshot,
            event.venue_ns + time_shift_ns,
            0,
            0,
        )
    return event


def _prices_moved(levels: tuple[tuple[int, int], ...], ticks: int) -> tuple[tuple[int, int], ...]:
    """Levels far below the market (1,000 for a coin of 61,800) may not be moved below one tick: they go."""
    return tuple([(price + ticks, lots) for price, lots in levels if price + ticks > 0])
