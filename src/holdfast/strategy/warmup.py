"""What a strategy is shown before its first live event: bars of the recent past."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from holdfast.strategy.bars import Bar, BarBuilder, BarSource
from holdfast.vocab.market import MarketEvent, Quote, Trade


class History(Struct, frozen=True):
    """Closed bars, oldest first, of the instruments and lengths that a strategy asked for. May be empty: a
    strategy must not trade on less history than it needs.
    """

    bars: tuple[Bar, ...] = ()

    def of(self, instrument: str, interval_ms: int) -> tuple[Bar, ...]:
        """The bars of one instrument and length."""
        return tuple(
            bar for bar in self.bars if bar.instrument == instrument and bar.interval_ms == interval_ms
        )


NO_HISTORY = History()


class Wanted(Struct, frozen=True):
    """Bars that a strategy wants: of each length, and at the start as many as ``history_bars``."""

    intervals_ms: tuple[int, ...] = ()
    source: BarSource = BarSource.TRADES
    history_bars: int = 0


def history_from(events: Iterable[MarketEvent], *, wanted: Wanted, instruments: Iterable[str]) -> History:
    """Build a history from past events in order (their ``wall_ns`` counts); the last, open bar is left out."""
    builders = {
        name: [BarBuilder(instrument=name, interval_ms=interval_ms) for interval_ms in wanted.intervals_ms]
        for name in instruments
    }
    kept: Mapping[tuple[str, int], deque[Bar]] = {
        (name, interval_ms): deque(maxlen=wanted.history_bars)
        for name in builders
        for interval_ms in wanted.intervals_ms
    }
    kind = Trade if wanted.source is BarSource.TRADES else Quote
    for event in events:
        if type(event) is not kind or event.instrument not in builders:
            continue
        for builder in builders[event.instrument]:
            bar = builder.add_trade(event) if type(event) is Trade else _of_quote(builder, event)
            if bar is not None:
                kept[bar.instrument, bar.interval_ms].append(bar)
    return History(tuple(bar for bars in kept.values() for bar in bars))


def _of_quote(builder: BarBuilder, event: MarketEvent) -> Bar | None:
    return builder.add_quote(event) if type(event) is Quote else None
