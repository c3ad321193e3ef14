"""Bare frames put back into the combined-stream envelope: as the venue itself would have sent them there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from holdfast.venues.binance.feed import FeedConfig, shares_of

_EVENT_OF: Final = {
    "bookTicker": "bookTicker",
    "trade": "trade",
    "depth": "depthUpdate",
    "markPrice": "markPriceUpdate",
}

Envelop = Callable[[bytes], tuple[str, bytes]]
"""A frame as it came, to its instrument (empty: it names none of ours) and the frame in its envelope."""


class _Named(Struct, gc=False):
    e: str = ""
    s: str = ""


def enveloper(config: FeedConfig, instruments: Sequence[str]) -> Envelop:
    """For the streams that this feed subscribes to. A frame of none of them goes through as it is."""
    heads: dict[tuple[str, str], bytes] = {}
    for share in shares_of(config, instruments):
        for stream in share.streams:
            symbol, _, kind = stream.partition("@")
            heads[symbol.upper(), _EVENT_OF[kind.partition("@")[0]]] = (
                b'{"stream":"%b","data":' % stream.encode()
            )
    named = msgspec.json.Decoder(_Named).decode

    def envelop(raw: bytes) -> tuple[str, bytes]:
        try:
            told = named(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return "", raw
        head = heads.get((told.s, told.e))
        return ("", raw) if head is None else (told.s, head + raw + b"}")

    return envelop
