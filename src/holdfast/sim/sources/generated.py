"""A market from a seed: several correlated instruments, calm, trending and volatile times, jumps.

One value that all follow, and one of each instrument's own, move at random moments by bell-shaped steps; both
are pulled softly back to where they began, so a long session does not wander off. Each instrument keeps a real
book of some twenty levels a side: moves take liquidity (prints through the levels) or pull it, small takers
eat the touch, sizes come and go; quotes, prints and diffs are told from that one book, so they always agree.
Integers only; the same seed gives the same frames everywhere. See :mod:`holdfast.sim.sources.quotes` for the
fast path without books.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from msgspec import Struct

from holdfast.sim.sources.bits import bell, words
from holdfast.sim.sources.derive import mark_frame
from holdfast.sim.sources.frames import Frame, SourceUnusable
from holdfast.sim.sources.maker import GeneratedBook
from holdfast.sim.sources.specs import BTCUSDT, ETHUSDT, SOLUSDT
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

START_NS: Final = 1_767_225_600 * NS_PER_S  # 2026-01-01T00:00:00Z: where an unmapped session begins
_PPB: Final = 10**9
_DEPTH_INTERVAL_NS: Final = 100 * NS_PER_MS
_PULL_SHIFT: Final = 11  # each move also goes 1/2048 of the way back to the start
_JUMP_FACTOR: Final = 6


class Regime(Enum):
    """How the market behaves for some seconds."""

    CALM = "calm"
    TREND = "trend"
    VOLATILE = "volatile"


class _Manner(Struct, frozen=True):
    step_ns: int  # mean time between two steps of one instrument
    move_ppb: int  # a move's scale, for a bell of standard deviation 2.8
    move_odds: int  # of 256 steps so many move
    drift_ppb: int
    trade_odds: int  # of 256
    jump_odds: int  # of 4096 moves
    stays_s: int  # mean


_MANNERS: Final = {
    Regime.CALM: _Manner(24 * NS_PER_MS, 5_000, 18, 0, 70, 6, 12),
    Regime.TREND: _Manner(14 * NS_PER_MS, 6_000, 26, 5_000, 96, 10, 8),
    Regime.VOLATILE: _Manner(7 * NS_PER_MS, 16_000, 30, 0, 110, 48, 5),
}
_FOLLOWS: Final = {  # by two bits: what comes after a regime ends
    Regime.CALM: (Regime.TREND, Regime.TREND, Regime.TREND, Regime.VOLATILE),
    Regime.TREND: (Regime.CALM, Regime.CALM, Regime.VOLATILE, Regime.VOLATILE),
    Regime.VOLATILE: (Regime.CALM, Regime.TREND, Regime.TREND, Regime.TREND),
}


class GeneratedInstrument(Struct, frozen=True, kw_only=True):
    """One instrument of a generated market.

    ``share_ppm``: how much of the common move it follows; ``own_ppm``: how large its own moves are against
    the common ones. ``touch_lots``: the usual size at the best price. Ids go on from ``book_id`` and
    ``trade_id``.
    """

    spec: InstrumentSpec
    start_ticks: int
    touch_lots: int
    share_ppm: int = 1_000_000
    own_ppm: int = 500_000
    book_id: int = 1_000_000
    trade_id: int = 500_000

    @classmethod
    def like(
        cls, spec: InstrumentSpec, *, start_ticks: int, book_id: int = 1_000_000, trade_id: int = 500_000
    ) -> GeneratedInstrument:
        """An instrument that begins at this price, with about 50,000 of the quote asset at the touch."""
        worth_e8 = start_ticks * spec.tick_lot_e8
        return cls(
            spec=spec,
            start_ticks=start_ticks,
            touch_lots=max(8, 50_000 * 10**8 // worth_e8),
            book_id=book_id,
            trade_id=trade_id,
        )


DEFAULT_INSTRUMENTS: Final = (
    GeneratedInstrument.like(BTCUSDT, start_ticks=618_000),
    GeneratedInstrument(spec=ETHUSDT, start_ticks=268_000, touch_lots=18_000, share_ppm=1_150_000),
)
MORE_INSTRUMENTS: Final = (
    *DEFAULT_INSTRUMENTS,
    GeneratedInstrument(
        spec=SOLUSDT, start_ticks=15_500, touch_lots=30_000, share_ppm=1_300_000, own_ppm=600_000
    ),
)


class Generated:
    """Frames from a seed: quotes, prints, a diff each 100 ms and a mark each second.

    Ends after ``seconds``; 0: never. ``venue_ns`` equals ``recv_ns``. Each instrument begins with its whole
    book, which is not published.
    """

    def __init__(
        self,
        *,
        seed: int,
        instruments: tuple[GeneratedInstrument, ...] = DEFAULT_INSTRUMENTS,
        start_ns: int = START_NS,
        seconds: int = 0,
    ) -> None:
        if not instruments:
            raise SourceUnusable("a generated market needs at least one instrument")
        self._seed = seed
        self._instruments = instruments
        self._start_ns = start_ns
        self._seconds = seconds

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The instruments, in the order given."""
        return tuple(one.spec for one in self._instruments)

    @property
    def start_ns(self) -> int:
        """Time of the first frame."""
        return self._start_ns

    def frames(self) -> Iterator[Frame]:
        """The session, from its beginning."""
        market = _Market(self._seed, self._instruments, self._start_ns)
        yield from market.opening()
        end_ns = self._start_ns + self._seconds * NS_PER_S if self._seconds else 0
        while True:
            frames = market.step()
            if end_ns and market.now_ns >= end_ns:
                return
            yield from frames


class _Market:
    """The state of one pass."""

    def __init__(self, seed: int, instruments: tuple[GeneratedInstrument, ...], start_ns: int) -> None:
        self.now_ns = start_ns
        self._instruments = instruments
        self._word = words(seed=seed, name="common").__next__
        self._books = [
            GeneratedBook(
                one.spec,
                start_ticks=one.start_ticks,
                touch_lots=one.touch_lots,
                book_id=one.book_id,
                trade_id=one.trade_id,
                word=words(seed=seed, name=f"book {one.spec.instrument}").__next__,
            )
            for one in instruments
        ]
        self._common_ppb = 0
        self._own_ppb = [0] * len(instruments)
        self._regime = Regime.CALM
        self._manner = _MANNERS[
            self._regime
        ]  # looked up when it changes: the hash of a member is a Python call
        self._drift_ppb = 0
        self._regime_end_ns = start_ns + 3 * NS_PER_S
        self._turn = 0
        self._depth_due_ns = [start_ns + _DEPTH_INTERVAL_NS] * len(instruments)
        self._mark_due_ns = [(start_ns // NS_PER_S + 1) * NS_PER_S] * len(instruments)
        self._mark_fixed = [one.start_ticks << 12 for one in instruments]

    def opening(self) -> list[Frame]:
        frames = []
        for book in self._books:
            frames += [book.snapshot(self.now_ns), book.quote(self.now_ns)]
            frames.append(
                mark_frame(book.spec, mark_ticks=book.mid_ticks, venue_ns=self.now_ns, recv_ns=self.now_ns)
            )
        return frames

    def step(self) -> list[Frame]:
        """One instrument's next moment: what it shows then."""
        word = self._word()
        if self.now_ns >= self._regime_end_ns:
            self._change_regime(word)
        manner = self._manner
        books = self._books
        # between 1/8 and 15/8 of the mean, shared out over the instruments
        self.now_ns += manner.step_ns * (1 + (word & 0xFF) * 14 // 255) // (8 * len(books)) + 1
        turn = self._turn = (self._turn + 1 + (word >> 8 & 1)) % len(books)
        if (word >> 16 & 0xFF) < manner.move_odds:
            self._move(turn, word, manner)
        one, book = self._instruments[turn], books[turn]
        share_ppb = self._common_ppb * one.share_ppm // 10**6 + self._own_ppb[turn]
        fair_ticks = max(one.start_ticks * (_PPB + share_ppb) // _PPB, 50)
        frames = book.follow(
            fair_ticks,
            now_ns=self.now_ns,
            trade_odds=manner.trade_odds,
            lean=(self._drift_ppb > 0) - (self._drift_ppb < 0),
            wide=self._regime is Regime.VOLATILE,
        )
        if self.now_ns >= self._depth_due_ns[turn]:
            self._depth_due_ns[turn] += _DEPTH_INTERVAL_NS
            frames += book.diff(self.now_ns)
        if self.now_ns >= self._mark_due_ns[turn]:
            self._mark_due_ns[turn] += NS_PER_S
            fixed = self._mark_fixed[turn]
            fixed += ((book.mid_ticks << 12) - fixed) >> 2
            self._mark_fixed[turn] = fixed
            frames.append(
                mark_frame(book.spec, mark_ticks=fixed >> 12, venue_ns=self.now_ns, recv_ns=self.now_ns)
            )
        return frames

    def _change_regime(self, word: int) -> None:
        following = self._regime = _FOLLOWS[self._regime][word >> 24 & 3]
        manner = self._manner = _MANNERS[following]
        self._drift_ppb = manner.drift_ppb if word >> 28 & 1 else -manner.drift_ppb
        if abs(self._common_ppb) > 20_000_000:  # 2 % away: a trend leads back
            self._drift_ppb = -abs(self._drift_ppb) if self._common_ppb > 0 else abs(self._drift_ppb)
        stays_ns = manner.stays_s * NS_PER_S
        self._regime_end_ns = self.now_ns + stays_ns // 2 + stays_ns * (word >> 29 & 0xFF) // 255

    def _move(self, turn: int, word: int, manner: _Manner) -> None:
        scale = manner.move_ppb
        if (word >> 40 & 0xFFF) < manner.jump_odds:
            scale *= _JUMP_FACTOR
        moved = bell(self._word()) * scale
        own_ppm = self._instruments[turn].own_ppm
        self._common_ppb += moved + self._drift_ppb - (self._common_ppb >> _PULL_SHIFT)
        own = self._own_ppb[turn]
        self._own_ppb[turn] += bell(self._word()) * manner.move_ppb * own_ppm // 10**6 - (own >> _PULL_SHIFT)
