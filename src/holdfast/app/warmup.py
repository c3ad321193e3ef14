"""What a start reads in our own market log: bars for strategies, and how far market data was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from holdfast.app.parts import decoder_for
from holdfast.core.ingest.market import market_of, take_quote, take_trade
from holdfast.core.views import FAR_PAST_NS
from holdfast.journal.market_log import end_of_log
from holdfast.journal.market_read import frames
from holdfast.ports.feed import Decode
from holdfast.strategy import History, Wanted, history_from
from holdfast.vocab.facts import SeenUpTo
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import MarketEvent, Quote, Trade

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
    events = list(
        _events(market_dir, start_pos=max(0, end_pos - FRAMES_MAX), end_pos=end_pos, settings=settings)
    )
    of = {setup.strategy: setup.instruments for setup in settings.strategies}
    return {
        name: history_from(events, wanted=want, instruments=of.get(name, ())) for name, want in asking.items()
    }


def seen_in_log(
    market_dir: Path, *, start_pos: int, known: Mapping[str, SeenUpTo], settings: Settings
) -> tuple[SeenUpTo, ...]:
    """How far the log's tail goes beyond what is ``known`` up to ``start_pos`` (-1: not told), by instrument.

    The journal says it every ten seconds, so a process that was killed has taken more than that. Of a tail that is
    longer than ``FRAMES_MAX`` the end is read: a stream that is silent in it keeps what was known. What the log's open
    block held when the process was killed is in neither. Errors: JournalFailed.
    """
    if not market_dir.is_dir():
        return ()
    end_pos = end_of_log(str(market_dir))
    markets = {
        limits.instrument: market_of(limits, settings.timings) for limits in settings.instrument_limits
    }
    for name, market in markets.items():
        market.lag_ns_max = -FAR_PAST_NS  # how late it was is judged already, by a clock not known here
        if name in known:
            market.resume(known[name])
    first = max(0, start_pos, end_pos - FRAMES_MAX)
    for event in _events(market_dir, start_pos=first, end_pos=end_pos, settings=settings):
        found = markets.get(event.instrument)
        if found is None:
            continue
        if type(event) is Quote:
            take_quote(found, event)
        elif type(event) is Trade:
            take_trade(found, event)
    rows = (market.seen_up_to() for market in markets.values())
    return tuple(
        row for row in rows if row != known.get(row.instrument) and (row.quote_seq, row.trade_seq) != (-1, -1)
    )


def _events(market_dir: Path, *, start_pos: int, end_pos: int, settings: Settings) -> Iterator[MarketEvent]:
    decoders: dict[str, Decode] = {}
    for _, codec, raw, wall_ns, mono_ns in frames(str(market_dir), start_pos, end_pos):
        decode = decoders.get(codec)
        if decode is None:
            decode = decoders[codec] = decoder_for(codec, settings.instruments)
        event = decode(raw, wall_ns, mono_ns)
        if event is not None:
            yield event
