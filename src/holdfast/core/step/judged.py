"""What a refused event was judged by, kept beside it, so that it can be judged again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.core.ingest.depth_book import BookState, DepthBook, Taken
from holdfast.core.ingest.market import Market, take_mark, take_quote, take_trade
from holdfast.core.state import State
from holdfast.core.step.market import UNKNOWN_INSTRUMENT
from holdfast.vocab.market import Depth, Malformed, MarketEvent, Quote, Trade


class Judged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The instrument's market just behind the refusal, less its counts; ``depth_seq``: its book's last change."""

    market: Market
    depth_seq: int = -1


def judged_by(state: State, event: MarketEvent) -> bytes:
    """As JSON; ``null`` where no market of ours judged it."""
    market = state.live.markets.get(event.instrument)
    if market is None or type(event) is Malformed:
        return b"null"
    watch = state.live.depths.get(event.instrument)
    seq = -1
    if watch is not None:
        book = watch.book
        seq = book.seq if book.state is not BookState.LOST or not book.buffered else book.buffered[-1].seq
    return msgspec.json.encode(Judged(market=replace(market, refused={}), depth_seq=seq))


def judge_again(event: MarketEvent | None, against: bytes) -> str:
    """Why the same event is refused by the same numbers; empty: it would be accepted, or says nothing.

    Errors: msgspec.DecodeError for numbers of another build.
    """
    if isinstance(event, Malformed):
        return event.reason
    if event is None:
        return ""
    judged = _decode(against)
    if judged is None:
        return UNKNOWN_INSTRUMENT
    market = judged.market
    if isinstance(event, Depth):
        book = DepthBook(state=BookState.WHOLE, seq=judged.depth_seq)
        return "depth_repeated" if book.take(event) is Taken.REPEATED else ""
    if isinstance(event, Quote):
        accepted = take_quote(market, event)
    elif isinstance(event, Trade):
        accepted = take_trade(market, event)
    else:
        accepted = take_mark(market, event)
    return "" if accepted else market.refused_why


_decode: Final = msgspec.json.Decoder(Judged | None).decode
