"""Market data in the step: the hot path. An accepted event is its own delivery to the strategies."""

from __future__ import annotations

from typing import Final

from holdfast.core.ingest.depth_book import BookState, Taken
from holdfast.core.ingest.market import take_mark, take_quote, take_reference, take_trade
from holdfast.core.state import DepthWatch, State
from holdfast.core.step.emit import Out, ask, emit
from holdfast.core.step.equity import mark_equity
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.events import ReferencePriced
from holdfast.vocab.facts import MarketSeen
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.outcome import Fatal, Ok, Outcome
from holdfast.vocab.requests import QueryDepth
from holdfast.vocab.units import NS_PER_S

UNKNOWN_INSTRUMENT: Final = "unknown instrument"
SNAPSHOT_EVERY_NS: Final = NS_PER_S  # of one instrument: each costs the venue's patience


def on_quote(state: State, quote: Quote) -> bool | Out:
    """Accept or refuse a quote; with a position, see at once whether equity fell through the breaker's floor."""
    session = state.session
    if session is None:
        return False
    market = session.markets.get(quote.instrument)
    if market is None:
        return _unlisted(state)
    now = quote.mono_ns
    session.now_mono_ns = now
    session.now_wall_ns = quote.wall_ns
    if not take_quote(market, quote):
        return False
    floor = session.equity_floor_e8
    if (
        floor is not None
        and now - market.mark_mono_ns > MARK_AGE_NS_MAX  # under a live mark a quote changes no value
        and state.books.ledger.positions[quote.instrument].position_lots
    ):
        return _watch_floor(state, quote, floor)
    return True


def _watch_floor(state: State, news: Quote | Mark, floor_e8: int) -> bool | Out:
    """Between two marks: the drawdown ladder must be reached in one jump, not at the next timer."""
    equity = state.know_equity()
    if equity is None:
        return True
    books = state.books
    if equity - books.ledger.transfers_e8 + books.drawdown.transfers_counted_e8 > floor_e8:
        return True
    out: Out = []
    mark_equity(state, out)
    out.append(news)
    return out


def on_trade(state: State, trade: Trade) -> bool | Out:
    """Accept or refuse a public print."""
    session = state.session
    if session is None:
        return False
    market = session.markets.get(trade.instrument)
    if market is None:
        return _unlisted(state)
    session.now_mono_ns = trade.mono_ns
    session.now_wall_ns = trade.wall_ns
    return take_trade(market, trade)


def on_mark(state: State, mark: Mark) -> bool | Out:
    """Accept or refuse a mark price."""
    session = state.session
    if session is None:
        return False
    market = session.markets.get(mark.instrument)
    if market is None:
        return _unlisted(state)
    session.now_mono_ns = mark.mono_ns
    session.now_wall_ns = mark.wall_ns
    if not take_mark(market, mark):
        return False
    floor = session.equity_floor_e8
    if floor is not None and state.books.ledger.positions[mark.instrument].position_lots:
        return _watch_floor(state, mark, floor)
    return True


def on_depth(state: State, depth: Depth) -> bool | Out:
    """Accept or refuse a book update."""
    session = state.session
    if session is None:
        return False
    market = session.markets.get(depth.instrument)
    if market is None:
        return _unlisted(state)
    session.now_mono_ns = depth.mono_ns
    session.now_wall_ns = depth.wall_ns
    watch = session.depths.get(depth.instrument)
    if watch is None:
        watch = session.depths[depth.instrument] = DepthWatch()
    market.depths_count += 1
    taken = watch.book.take(depth)
    if depth.snapshot:
        watch.asking = False
    if taken is Taken.REPEATED:
        market.refuse("depth_repeated")
        return False
    if taken is Taken.GAP:
        watch.missed("depth_gap")
    if watch.book.state is BookState.WHOLE and watch.book.crossed:
        # no venue has such a book: it was put together wrongly, whatever the numbers say
        watch.missed("depth_crossed")
        watch.book.lose()
    if (
        watch.book.state is not BookState.LOST
        or watch.asking
        or watch.unavailable
        or depth.mono_ns < watch.ask_after_mono_ns
    ):
        return True
    watch.asking = True
    watch.ask_after_mono_ns = depth.mono_ns + SNAPSHOT_EVERY_NS
    out: Out = []
    ask(state, out, QueryDepth(instrument=depth.instrument))
    out.append(depth)
    return out


def depth_answer(state: State, out: Out, request: QueryDepth, asked_mono_ns: int, outcome: Outcome) -> None:
    """Lay the snapshot under the changes that came meanwhile; without one, ask again at a later change."""
    watch = state.live.depths.get(request.instrument)
    if watch is None:
        return
    watch.asking = False
    if isinstance(outcome, Ok) and isinstance(outcome.value, Depth):
        if watch.book.take(outcome.value) is Taken.GAP:
            watch.missed("depth_unbridged")  # the same hole as before: this snapshot was too old
    elif isinstance(outcome, Fatal):
        watch.unavailable = True  # a venue that does not number its books: there is nothing to bridge


def mark_seen(state: State, out: Out) -> None:
    """Write down how far market data was seen, where it was seen further than is written."""
    known = state.books.seen
    rows = [market.seen_up_to() for market in state.live.markets.values()]
    news = tuple(
        row for row in rows if row != known.get(row.instrument) and (row.quote_seq, row.trade_seq) != (-1, -1)
    )
    if news:
        emit(state, out, MarketSeen(rows=news))


def on_reference(state: State, event: ReferencePriced) -> Out:
    """Another source's prices of our instruments, in our units: what ours are held against."""
    for instrument, mid2_ticks in event.rows:
        market = state.live.markets.get(instrument)
        if market is not None and mid2_ticks > 0:
            take_reference(market, event.feed, mid2_ticks=mid2_ticks, mono_ns=event.mono_ns)
    return []


def why_refused(state: State, event: MarketEvent) -> str:
    """Of an event that was refused just now: why."""
    if type(event) is Malformed:
        return event.reason
    market = state.live.markets.get(event.instrument)
    return UNKNOWN_INSTRUMENT if market is None else market.refused_why


def _unlisted(state: State) -> bool:
    state.live.malformed_count += 1
    return False


def on_malformed(state: State, frame: Malformed) -> bool | Out:
    """Count what the decoder could not accept, under its instrument or under the account."""
    session = state.session
    if session is None:
        return False
    session.now_mono_ns = frame.mono_ns
    session.now_wall_ns = frame.wall_ns
    market = session.markets.get(frame.instrument)
    if market is not None:
        market.refuse(frame.reason)
    else:
        session.malformed_count += 1
    return False
