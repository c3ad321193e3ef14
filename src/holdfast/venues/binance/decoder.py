"""Binance's public market data frames to quotes, trades, marks and depth: pure, and as fast as Python goes.

Accepts bare frames (`/ws` with SUBSCRIBE) and the combined envelope (`/stream`). Prices come as decimal texts
of which few differ: each is converted once and remembered. Sizes differ all the time and go through a float.
Both are checked to be whole multiples of tick and lot: what is not, is malformed, never rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from math import floor
from typing import Any, Final

import msgspec
from msgspec import Struct

from holdfast.ports.feed import Decode
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NotANumber, decimal_of

CODEC: Final = "binance-usdm"
_MEMO_MAX: Final = 32_768
# A double holds 15 digits: a count below 10**12 with its remainder to a thousandth is exact enough to judge.
_COUNT_MAX: Final = 1e12
_OFF: Final = 1e-3
_LEAST: Final = 0.9
_ENVELOPE: Final = 0x73  # the "s" of {"stream":…


class _BookTicker(Struct, gc=False, tag_field="e", tag="bookTicker"):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str
    T: int


class _Print(Struct, gc=False, tag_field="e", tag="trade"):
    T: int
    s: str
    t: int
    p: str
    q: str
    X: str = "MARKET"
    m: bool = False


class _MarkPrice(Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    E: int
    s: str
    p: str
    r: str = ""
    T: int = 0


class _DepthUpdate(Struct, gc=False, tag_field="e", tag="depthUpdate"):
    T: int
    s: str
    U: int
    u: int
    pu: int = 0
    b: list[tuple[str, str]] = []
    a: list[tuple[str, str]] = []


_Data = _BookTicker | _Print | _MarkPrice | _DepthUpdate


class _Envelope(Struct, gc=False):
    data: _Data


class _Other(Struct, gc=False):
    """What a frame may be that none of the above is."""

    e: str | None = None
    s: str | None = None
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    id: Any = None
    result: Any = None
    code: int | None = None
    error: Any = None


class OffGrid(ValueError):
    """A price that is not a whole number of ticks, or a size that is not one of lots."""


class _Units(dict[str, int]):
    """Decimal text to whole units above zero, remembered: a market repeats its prices and sizes. Bounded.

    Converted by a float with a remainder check, which is exact enough for public data below 10**12 units.
    """

    __slots__ = ("_fault", "_per_unit")

    def __init__(self, unit: str, fault: str) -> None:
        super().__init__()
        self._per_unit = float(1 / Decimal(unit))
        self._fault = fault

    def __missing__(self, text: str) -> int:
        count = float(text) * self._per_unit
        whole = floor(count + 0.5)  # NaN and infinity raise
        if whole < 1 or not -_OFF < count - whole < _OFF or count >= _COUNT_MAX:
            raise OffGrid(self._fault)
        if len(self) >= _MEMO_MAX:
            self.clear()
        self[text] = whole
        return whole


class _Sizes(dict[str, int]):
    """Sizes of book levels: as ``_Units``, and zero, which deletes."""

    __slots__ = ("_lots",)

    def __init__(self, lots: _Units) -> None:
        super().__init__()
        self._lots = lots

    def __missing__(self, text: str) -> int:
        return 0 if float(text) == 0 else self._lots[text]


def decoder(specs: Iterable[InstrumentSpec]) -> Decode:
    """The pure decoder for these instruments (``ports.feed.Decode``); remembers conversions, nothing else."""
    grids = {
        spec.instrument: (
            _Units(spec.tick, "price off the tick, or not above zero"),
            _Units(spec.lot, "size off the lot, or not above zero"),
        )
        for spec in specs
    }
    ticks_of = {spec.instrument: Decimal(spec.tick) for spec in specs}
    bare = msgspec.json.Decoder(_Data).decode
    wrapped = msgspec.json.Decoder(_Envelope).decode
    slow = _slow_path(grids, ticks_of)

    def decode(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        try:
            message = wrapped(raw).data if raw[2] == _ENVELOPE else bare(raw)
            if type(message) is _BookTicker:
                symbol = message.s
                ticks, lots = grids[symbol]
                return Quote(
                    symbol,
                    message.u,
                    ticks[message.b],
                    lots[message.B],
                    ticks[message.a],
                    lots[message.A],
                    message.T * NS_PER_MS,
                    wall_ns,
                    mono_ns,
                )
            return slow(message, wall_ns, mono_ns)
        except (msgspec.MsgspecError, KeyError, IndexError, ValueError, OverflowError) as error:
            inner = _enveloped(raw)
            if inner is not None and raw[2] != _ENVELOPE:
                return decode(inner, wall_ns, mono_ns)  # an envelope that is written in another order
            return _refused(inner or raw, error, wall_ns, mono_ns)

    return decode


def _slow_path(
    grids: dict[str, tuple[_Units, _Units]], ticks_of: dict[str, Decimal]
) -> Callable[[_Data, int, int], MarketEvent | None]:
    """Everything that is not a quote; raises what ``decode`` catches."""

    def slow(message: _Data, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        ticks, lots = grids[message.s]
        if type(message) is _Print:
            market = message.X == "MARKET"
            if not market and float(message.q) == 0:
                return None  # Binance prints X=NA with nothing in it now and then
            return Trade(
                message.s,
                message.t,
                ticks[message.p],
                lots[message.q],
                -1 if message.m else 1,
                market,
                message.T * NS_PER_MS,
                wall_ns,
                mono_ns,
            )
        if type(message) is _MarkPrice:
            mark = decimal_of(message.p) / ticks_of[message.s]
            if mark <= 0:
                raise OffGrid("mark not above zero")
            rate = decimal_of(message.r) if message.r else Decimal(0)
            return Mark(
                message.s,
                int(mark + Decimal("0.5")),
                int(rate.scaleb(9)),
                message.T * NS_PER_MS,
                message.E * NS_PER_MS,
                wall_ns,
                mono_ns,
            )
        if type(message) is _DepthUpdate:
            sizes = _Sizes(lots)
            return Depth(
                message.s,
                message.U,
                message.u,
                message.pu,
                tuple([(ticks[price], sizes[size]) for price, size in message.b]),
                tuple([(ticks[price], sizes[size]) for price, size in message.a]),
                False,
                message.T * NS_PER_MS,
                wall_ns,
                mono_ns,
            )
        return None

    return slow


_probe: Final = msgspec.json.Decoder(_Other, strict=False).decode
_KNOWN: Final = frozenset({"bookTicker", "trade", "markPriceUpdate", "depthUpdate"})


def _enveloped(raw: bytes) -> bytes | None:
    """What an envelope holds, as long as it is no envelope itself."""
    try:
        frame = _probe(raw)
        inner = bytes(frame.data)
        if frame.e is not None or not inner or bytes(_probe(inner).data):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return inner


def _refused(raw: bytes, error: Exception, wall_ns: int, mono_ns: int) -> MarketEvent | None:
    """Why a frame was not accepted; None for the replies to our own SUBSCRIBE."""
    try:
        inner = _probe(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Malformed("", "not a frame", wall_ns, mono_ns)
    if inner.error is not None or inner.code is not None:
        return Malformed("", "the venue refused a subscription", wall_ns, mono_ns)
    if inner.e is None:
        if inner.id is not None:
            return None
        return Malformed(inner.s or "", "no event type", wall_ns, mono_ns)
    if inner.e not in _KNOWN:
        return Malformed(inner.s or "", "unlisted event type", wall_ns, mono_ns)
    if isinstance(error, KeyError):
        return Malformed(inner.s or "", "unknown instrument", wall_ns, mono_ns)
    if isinstance(error, OffGrid):
        return Malformed(inner.s or "", str(error), wall_ns, mono_ns)
    if isinstance(error, NotANumber | OverflowError):
        return Malformed(inner.s or "", "not a finite number", wall_ns, mono_ns)
    return Malformed(inner.s or "", "a field is missing or of the wrong kind", wall_ns, mono_ns)
