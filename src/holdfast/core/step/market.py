"""Market data in the step: the hot path. An accepted event is its own delivery to the strategies."""

from __future__ import annotations

from holdfast.core.ingest.market import take_depth, take_mark, take_quote, take_trade
from holdfast.core.state import State
from holdfast.core.step.emit import Out
from holdfast.core.step.equity import mark_equity
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.market import Depth, Malformed, Mark, Quote, Trade


def on_quote(state: State, quote: Quote) -> bool | Out:
    """Accept or refuse a quote; with a position, see at once whether equity fell through the breaker's floor."""
    session = state.session
    if session is None:
        return False
    market = session.markets.get(quote.instrument)
    if market is None:
        return False
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
    equity = state.equity_e8()
    if equity is None:
        return True
    state.live.account.mark(equity)
    if equity - state.books.ledger.transfers_e8 > floor_e8:
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
        return False
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
        return False
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
        return False
    session.now_mono_ns = depth.mono_ns
    session.now_wall_ns = depth.wall_ns
    return take_depth(market, depth)


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
