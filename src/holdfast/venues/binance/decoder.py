"""Binance's public market data frames to quotes, trades, marks and depth: pure, and as fast as Python goes.

Accepts bare frames (`/ws` with SUBSCRIBE) and the combined envelope (`/stream`). Prices and sizes come as decimal texts
and go through a float, which is exact enough to judge by: the nearest double to a decimal text and the nearest double
to a whole number of ticks are the same double just where the text says that many ticks. What is not a whole multiple
of tick or lot is malformed, never rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from math import floor, nan
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field

from holdfast.ports.feed import Decode, DecodeRead
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Malformed, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NotANumber, decimal_of

CODEC: Final = "binance-usdm"
_COUNT_MAX: Final = 10**12  # doubles hold 15 digits: up to here neighbouring counts are far apart
_BARE_QUOTE: Final = b'{"e":"bookTicker"'
_SYMBOL: Final = b'"s":"'
_STREAM: Final = b'{"stream":"'
_QUOTE_STREAM: Final = b"@bookTicker"
_ENVELOPE: Final = 0x73  # the "s" of {"stream":…


# What a frame counts and stamps by: bounded, so that no number of it outgrows 63 bits of nanoseconds.
_Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
_Ms = Annotated[int, Meta(ge=0, le=(1 << 63) // NS_PER_MS - 1)]
_Above0 = Annotated[float, Meta(gt=0)]
_RATE_MAX: Final = 10  # funding of 1,000 % says nothing of a market


class _BookTicker(Struct, gc=False, tag_field="e", tag="bookTicker"):
    seq: _Count = field(name="u")
    s: str
    bid: _Above0 = field(name="b")
    bid_size: _Above0 = field(name="B")
    ask: _Above0 = field(name="a")
    ask_size: _Above0 = field(name="A")
    T: _Ms


class _AnyTicker(Struct, gc=False):
    """The same with whatever numbers, of which ``_Units`` says what is wrong with them."""

    s: str
    bid: float = field(name="b")
    bid_size: float = field(name="B")
    ask: float = field(name="a")
    ask_size: float = field(name="A")


class _Print(Struct, gc=False, tag_field="e", tag="trade"):
    T: _Ms
    s: str
    t: _Count
    p: float
    q: float
    X: str = "MARKET"
    m: bool = False


class _MarkPrice(Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    E: _Ms
    s: str
    p: str
    r: str = ""
    T: _Ms = 0


class _DepthUpdate(Struct, gc=False, tag_field="e", tag="depthUpdate"):
    T: _Ms
    s: str
    U: _Count
    u: _Count
    pu: Annotated[int, Meta(ge=-1, le=(1 << 63) - 1)] = 0
    b: list[tuple[str, str]] = []
    a: list[tuple[str, str]] = []


_Grid = tuple["_Units", "_Units"]
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


_UNREADABLE: Final = (
    msgspec.MsgspecError,
    KeyError,
    IndexError,
    ValueError,
    OverflowError,
    RecursionError,  # a frame nested without end
)


class OffGrid(ValueError):
    """A price that is not a whole number of ticks, or a size that is not one of lots."""


class _Units:
    """A tick or a lot: how many whole ones a number holds."""

    __slots__ = ("denominator", "fault", "numerator", "per_unit", "whole_per_unit")

    def __init__(self, unit: str, fault: str) -> None:
        exact = Fraction(unit)
        self.numerator = exact.numerator
        self.denominator = exact.denominator
        self.per_unit = exact.denominator / exact.numerator
        # for units that go into one a whole number of times; else no number, which equals nothing
        self.whole_per_unit = exact.denominator if exact.numerator == 1 else nan
        self.fault = fault

    def of(self, value: float) -> int:
        """How many it is, above zero. Errors: OffGrid; ValueError or OverflowError for what is not finite."""
        count = floor(value * self.per_unit + 0.5)
        if not 0 < count < _COUNT_MAX or count * self.numerator / self.denominator != value:
            raise OffGrid(self.fault)
        return count

    def of_level(self, text: str) -> int:
        """The same of a book level's size, which may be zero: that deletes the level."""
        value = float(text)
        return 0 if value == 0 else self.of(value)


def decoder(specs: Iterable[InstrumentSpec]) -> Decode:
    """The pure decoder for these instruments, one frame at a time (``ports.feed.Decode``)."""
    decode_read = read_decoder(specs)

    def decode(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        return decode_read((raw,), wall_ns, mono_ns)[0]

    return decode


def read_decoder(specs: Iterable[InstrumentSpec]) -> DecodeRead:
    """The pure decoder for these instruments (``ports.feed.DecodeRead``)."""
    grids: dict[str, _Grid] = {}
    quick: dict[str, tuple[str, float, float, float, float]] = {}
    ticks_like = cache(partial(_Units, fault="price off the tick, or not above zero"))
    lots_like = cache(partial(_Units, fault="size off the lot, or not above zero"))
    for spec in specs:  # thousands of instruments have a few sizes: one object of each stays in the cache
        ticks, lots = ticks_like(spec.tick), lots_like(spec.lot)
        name = spec.instrument  # the one text of this name: whoever looks it up later compares no letters
        grids[name] = (ticks, lots)
        quick[name] = (name, ticks.per_unit, ticks.whole_per_unit, lots.per_unit, lots.whole_per_unit)
    ticks_of = {spec.instrument: Decimal(spec.tick) for spec in specs}
    bare = msgspec.json.Decoder(_Data, strict=False).decode
    wrapped = msgspec.json.Decoder(_Envelope, strict=False).decode
    slow = _slow_path(grids, ticks_of)

    def decode_read(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> list[MarketEvent | None]:
        events: list[MarketEvent | None] = []
        add = events.append
        for raw in raws:
            try:
                message = wrapped(raw).data if raw[2] == _ENVELOPE else bare(raw)
                if type(message) is not _BookTicker:
                    add(slow(message, wall_ns, mono_ns))
                    continue
                name, per_tick, tick_parts, per_lot, lot_parts = quick[message.s]
                bid = floor(message.bid * per_tick + 0.5)
                ask = floor(message.ask * per_tick + 0.5)
                bid_lots = floor(message.bid_size * per_lot + 0.5)
                ask_lots = floor(message.ask_size * per_lot + 0.5)
                if not (
                    bid / tick_parts == message.bid
                    and ask / tick_parts == message.ask
                    and bid_lots / lot_parts == message.bid_size
                    and ask_lots / lot_parts == message.ask_size
                    and bid < ask  # all are above zero: what is and rounds to none equals none
                    and ask + bid_lots + ask_lots < _COUNT_MAX
                ):  # each by itself: it is crossed, on an uncommon grid, or one of them is wrong
                    ticks, lots = grids[name]
                    bid, bid_lots = ticks.of(message.bid), lots.of(message.bid_size)
                    ask, ask_lots = ticks.of(message.ask), lots.of(message.ask_size)
                add(
                    Quote(
                        name,
                        message.seq,
                        bid,
                        bid_lots,
                        ask,
                        ask_lots,
                        message.T * NS_PER_MS,
                        wall_ns,
                        mono_ns,
                    )
                )
            except _UNREADABLE as error:
                inner = _enveloped(raw)
                if inner is not None and raw[2] != _ENVELOPE:
                    events += decode_read(
                        (inner,), wall_ns, mono_ns
                    )  # an envelope that is written in another order
                else:
                    shown = inner or raw
                    add(_refused(shown, _of_ticker(shown, grids) or error, wall_ns, mono_ns))
        return events

    return decode_read


def quote_key(raw: bytes) -> bytes | None:
    """``ports.feed.QuoteKey``: the instrument of a bookTicker frame, bare or enveloped, in the venue's own writing."""
    if raw.startswith(_BARE_QUOTE):
        start = raw.find(_SYMBOL, 17)
        return raw[start : raw.find(b'"', start + 5)] if start > 0 else None
    if raw.startswith(_STREAM):
        end = raw.find(b'"', 11)
        return raw[11:end] if raw.endswith(_QUOTE_STREAM, 11, end) else None
    return None


def _slow_path(
    grids: dict[str, _Grid], ticks_of: dict[str, Decimal]
) -> Callable[[_Data, int, int], MarketEvent | None]:
    """Everything that is not a quote; raises what ``decode`` catches."""

    def slow(message: _Data, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        ticks, lots = grids[message.s]
        if type(message) is _Print:
            market = message.X == "MARKET"
            if not market and message.q == 0:
                return None  # Binance prints X=NA with nothing in it now and then
            return Trade(
                message.s,
                message.t,
                ticks.of(message.p),
                lots.of(message.q),
                -1 if message.m else 1,
                market,
                message.T * NS_PER_MS,
                wall_ns,
                mono_ns,
            )
        if type(message) is _MarkPrice:
            mark = decimal_of(message.p) / ticks_of[message.s]
            if not 0 < mark < _COUNT_MAX:
                raise OffGrid("mark not above zero, or beyond all bounds")
            rate = decimal_of(message.r) if message.r else Decimal(0)
            if not -_RATE_MAX < rate < _RATE_MAX:
                raise OffGrid("funding beyond all bounds")
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
            of, of_level = ticks.of, lots.of_level
            return Depth(
                message.s,
                message.U,
                message.u,
                message.pu,
                tuple([(of(float(price)), of_level(size)) for price, size in message.b]),
                tuple([(of(float(price)), of_level(size)) for price, size in message.a]),
                False,
                message.T * NS_PER_MS,
                wall_ns,
                mono_ns,
            )
        return None

    return slow


_probe: Final = msgspec.json.Decoder(_Other, strict=False).decode
_any_ticker: Final = msgspec.json.Decoder(_AnyTicker, strict=False).decode
_KNOWN: Final = frozenset({"bookTicker", "trade", "markPriceUpdate", "depthUpdate"})


def _enveloped(raw: bytes) -> bytes | None:
    """What an envelope holds, as long as it is no envelope itself."""
    try:
        frame = _probe(raw)
        inner = bytes(frame.data)
        if frame.e is not None or not inner or bytes(_probe(inner).data):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return inner


def _of_ticker(raw: bytes, grids: dict[str, _Grid]) -> Exception | None:
    """What is wrong with the numbers of a bookTicker frame; None where it is something else."""
    try:
        message = _any_ticker(raw)
        ticks, lots = grids[message.s]
        for units, value in (
            (ticks, message.bid),
            (lots, message.bid_size),
            (ticks, message.ask),
            (lots, message.ask_size),
        ):
            units.of(value)
    except msgspec.MsgspecError:
        return None
    except _UNREADABLE as error:
        return error
    return None


def _refused(raw: bytes, error: Exception, wall_ns: int, mono_ns: int) -> MarketEvent | None:
    """Why a frame was not accepted; None for the replies to our own SUBSCRIBE."""
    try:
        inner = _probe(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
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
