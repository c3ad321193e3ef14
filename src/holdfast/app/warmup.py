"""What strategies are shown before their first live event: bars out of our own market log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from holdfast.app.parts import decoder_for
from holdfast.journal.market_read import frames
from holdfast.ports.feed import Decode
from holdfast.strategy import History, Wanted, history_from
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import MarketEvent

FRAMES_MAX: Final = 200_000  # what is read at most: a start must not take minutes


def histories(
    market_dir: Path, *, end_pos: int, settings: Settings, wanted: Mapping[str, Wanted]
) -> dict[str, History]:
    """Each strategy's history, from the last frames before this start; empty for what was never recorded.

    A bar carries its own times: after a long pause the newest one is old, and the strategy can see it.
    Errors: CorruptMarketLog.
    """
    asking = {name: want for name, want in wanted.items() if want.history_bars and want.intervals_ms}
    if not asking or not market_dir.is_dir() or not end_pos:
        return {}
    events = list(_events(market_dir, end_pos=end_pos, settings=settings))
    of = {setup.strategy: setup.instruments for setup in settings.strategies}
    return {
        name: history_from(events, wanted=want, instruments=of.get(name, ())) for name, want in asking.items()
    }


def _events(market_dir: Path, *, end_pos: int, settings: Settings) -> Iterator[MarketEvent]:
    decoders: dict[str, Decode] = {}
    for _, codec, raw, wall_ns, mono_ns in frames(str(market_dir), max(0, end_pos - FRAMES_MAX), end_pos):
        decode = decoders.get(codec)
        if decode is None:
            decode = decoders[codec] = decoder_for(codec, settings.instruments)
        event = decode(raw, wall_ns, mono_ns)
        if event is not None:
            yield event
