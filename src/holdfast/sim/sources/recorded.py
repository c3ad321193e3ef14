"""Raw Binance sessions: one frame per line, ``<local receive time> <raw JSON>``, gzip or zstd text.

The receive time is epoch microseconds or nanoseconds (told apart by size). The JSON is a combined-stream
envelope, or once per recording the bare REST reply of a depth snapshot, which arrives after diffs have begun.

The book. A snapshot in the middle would leave the venue without depth until then, so the source tells first,
as a snapshot, the part of the book that is known to have been there from the first diff on: the REST levels
that no diff touched up to the one that reaches the snapshot's id. With all diffs applied after it the book is
the one that snapshot and diffs give by Binance's own procedure (and knows besides what the earliest diffs told
of levels further out than a snapshot reaches); no id is skipped and no level is invented.

The clock. Recorders' clocks are wrong, differently each time (all frames may "arrive" before they were sent):
receive times are moved by one constant per source, so that the quickest frame of the head took no time.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from io import BufferedReader
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import zstandard
from msgspec import Struct

from holdfast.sim.sources.derive import with_marks
from holdfast.sim.sources.frames import Frame, SourceUnusable
from holdfast.sim.sources.specs import KNOWN, InstrumentTexts, texts_of
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NotANumber

_HEAD_LINES_MAX: Final = 2_000
_LINE_BYTES_MAX: Final = 8_000_000
_NANOSECONDS_FROM: Final = 10**17  # an epoch time below this is in microseconds

_Level: TypeAlias = tuple[str, str]


class _Envelope(Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()


class _Named(Struct):
    s: str = ""


class _Sent(Struct):
    E: int = 0  # spot book tickers carry no time


class _BookTicker(Struct):
    u: int
    b: str
    B: str
    a: str
    A: str
    E: int = 0
    T: int = 0


class _Trade(Struct):
    t: int
    p: str
    q: str
    E: int
    m: bool
    T: int = 0
    X: str = "MARKET"  # spot says nothing: a match


class _DepthUpdate(Struct):
    E: int
    U: int
    u: int
    b: tuple[_Level, ...]
    a: tuple[_Level, ...]
    T: int = 0
    pu: int | None = None  # futures only


class _MarkPrice(Struct):
    E: int
    p: str
    r: str = "0"
    T: int = 0


class _Snapshot(Struct, rename={"last_update_id": "lastUpdateId"}):
    last_update_id: int
    bids: tuple[_Level, ...]
    asks: tuple[_Level, ...]


_envelope = msgspec.json.Decoder(_Envelope)
_named = msgspec.json.Decoder(_Named)
_sent = msgspec.json.Decoder(_Sent)
_book_ticker = msgspec.json.Decoder(_BookTicker)
_trade = msgspec.json.Decoder(_Trade)
_depth_update = msgspec.json.Decoder(_DepthUpdate)
_mark_price = msgspec.json.Decoder(_MarkPrice)
_snapshot = msgspec.json.Decoder(_Snapshot)

_UNREADABLE: Final = (ValueError, msgspec.MsgspecError, NotANumber)


class _Head(Struct, frozen=True):
    """What must be known of a file before its first frame goes out."""

    spec: InstrumentSpec
    start_recv_ns: int
    lead_ns: int  # how far the venue's clock was ahead of the recorder's, at most
    opening: Depth | None


class RecordedFrames:
    """Recorded sessions, one file per symbol and stretch of time, merged by receive time.

    ``specs``: facts by the symbol that the files name; what is not given comes from the known instruments.
    Where a recording has no mark price, the smoothed mid stands in (``marks`` False: no marks at all).
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        specs: Mapping[str, InstrumentSpec] | None = None,
        marks: bool = True,
    ) -> None:
        if not paths:
            raise SourceUnusable("no recording given")
        self._paths = tuple(paths)
        self._marks = marks
        given = {**KNOWN, **(specs or {})}
        self._heads = tuple(_read_head(path, given) for path in self._paths)
        # One clock recorded all files of a session: the same constant for all keeps their order.
        self._lead_ns = max(head.lead_ns for head in self._heads)
        self._specs = tuple({head.spec.instrument: head.spec for head in self._heads}.values())

    @property
    def specs(self) -> tuple[InstrumentSpec, ...]:
        """The instruments, in the order of the files."""
        return self._specs

    @property
    def start_ns(self) -> int:
        """Receive time of the first frame, moved onto the venue's clock."""
        return min(head.start_recv_ns for head in self._heads) + self._lead_ns

    def frames(self) -> Iterator[Frame]:
        """All files merged by receive time."""
        files = [
            _file_frames(path, head, self._lead_ns)
            for path, head in zip(self._paths, self._heads, strict=True)
        ]
        merged = merge(*files, key=attrgetter("recv_ns"))
        return with_marks(merged) if self._marks else merged


def _opened(path: Path) -> BufferedReader | gzip.GzipFile:
    """A recording's text: gzip as the public ones, zstd as ours."""
    if path.suffix == ".zst":
        unpacked = zstandard.ZstdDecompressor().stream_reader(
            path.open("rb"), read_across_frames=True, closefd=True
        )
        return BufferedReader(unpacked)
    return gzip.open(path, "rb")


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(line number, receive time in ns, raw frame) of each line."""
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(_LINE_BYTES_MAX):
                number += 1
                received, _, raw = line.partition(b" ")
                recv = int(received)
                yield number, recv if recv >= _NANOSECONDS_FROM else recv * 1_000, raw.rstrip()
    except FileNotFoundError:
        raise SourceUnusable(f"{path}: no such recording") from None
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise SourceUnusable(f"{path}: damaged after line {number}: {error}") from None
    except ValueError:
        raise SourceUnusable(f"{path}:{number}: does not begin with a receive time") from None


def _file_frames(path: Path, head: _Head, lead_ns: int) -> Iterator[Frame]:
    spec, texts = head.spec, texts_of(head.spec)
    last_ns = 0
    last_diff = 0
    if head.opening is not None:
        opening = head.opening
        yield Frame(opening.venue_ns, head.start_recv_ns + lead_ns, spec.instrument, "", None, opening, spec)
        last_diff = opening.seq
    for number, recv_ns, raw in _lines(path):
        try:
            envelope = _envelope.decode(raw)
            if not envelope.stream:
                continue  # the REST snapshot: told at the beginning
            data = bytes(envelope.data)
            event, venue_ns, transact_ns = _read(
                envelope.stream, data, spec.instrument, texts, last_ns or recv_ns + lead_ns, last_diff
            )
        except _UNREADABLE as error:
            raise SourceUnusable(f"{path}:{number}: not a frame: {error}") from None
        last_ns = venue_ns
        kept: bytes | None = data
        if type(event) is Depth:
            last_diff = event.seq
        elif type(event) is Mark:
            kept = None  # its "T" is the next funding, not a matching time: written anew
        yield Frame(
            venue_ns, recv_ns + lead_ns, spec.instrument, envelope.stream, kept, event, spec, transact_ns
        )


def _read(
    stream: str, data: bytes, name: str, texts: InstrumentTexts, clock_ns: int, last_diff: int
) -> tuple[MarketEvent, int, int]:
    """One frame's event, its event time and its matching time. ``clock_ns`` for what carries no time."""
    ticks, lots = texts.ticks, texts.lots
    kind = stream.partition("@")[2]
    if kind == "bookTicker":
        top = _book_ticker.decode(data)
        venue_ns = top.E * NS_PER_MS or clock_ns
        quote = Quote(name, top.u, ticks[top.b], lots[top.B], ticks[top.a], lots[top.A], venue_ns, 0, 0)
        return quote, venue_ns, top.T * NS_PER_MS
    if kind == "trade":
        print_ = _trade.decode(data)
        venue_ns = print_.E * NS_PER_MS
        aggressor = -1 if print_.m else 1
        market = print_.X == "MARKET"
        trade = Trade(name, print_.t, ticks[print_.p], lots[print_.q], aggressor, market, venue_ns, 0, 0)
        return trade, venue_ns, print_.T * NS_PER_MS
    if kind.startswith("depth"):
        diff = _depth_update.decode(data)
        venue_ns = diff.E * NS_PER_MS
        before = diff.pu if diff.pu is not None else (last_diff or diff.U - 1)
        bids, asks = _levels(diff.b, texts), _levels(diff.a, texts)
        depth = Depth(name, diff.U, diff.u, before, bids, asks, False, venue_ns, 0, 0)
        return depth, venue_ns, diff.T * NS_PER_MS
    if kind.startswith("markPrice"):
        mark = _mark_price.decode(data)
        venue_ns = mark.E * NS_PER_MS
        rate_ppb = _ppb(mark.r)
        event = Mark(name, _nearest(mark.p, texts), rate_ppb, mark.T * NS_PER_MS, venue_ns, 0, 0)
        return event, venue_ns, 0
    raise ValueError(f"stream {stream!r} is none that this venue publishes")


def _levels(levels: tuple[_Level, ...], texts: InstrumentTexts) -> tuple[tuple[int, int], ...]:
    ticks, lots = texts.ticks, texts.lots
    return tuple([(ticks[price], lots[size]) for price, size in levels])


def _nearest(text: str, texts: InstrumentTexts) -> int:
    """A price that need not be a whole tick (marks are not), to the nearest."""
    whole, _, fraction = text.partition(".")
    fine = int(whole + fraction[:8].ljust(8, "0"))  # in 1e-8
    step: int = texts.ticks.step * 10 ** (8 - texts.ticks.digits)
    return (2 * fine + step) // (2 * step)


def _ppb(text: str) -> int:
    """A decimal ratio in parts per billion."""
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * int((whole or "0") + fraction[:9].ljust(9, "0"))


# --- the head of a file --------------------------------------------------------------------------------------


def _read_head(path: Path, specs: Mapping[str, InstrumentSpec]) -> _Head:
    """Reads a file's beginning: its symbol, its clock, and the book it opens with."""
    symbol = ""
    start_ns = 0
    lead_ns: int | None = None
    snapshot: _Snapshot | None = None
    diffs: list[_DepthUpdate] = []
    bridged = False
    for number, recv_ns, raw in islice(_lines(path), _HEAD_LINES_MAX):
        start_ns = start_ns or recv_ns
        try:
            envelope = _envelope.decode(raw)
            if not envelope.stream:
                snapshot = _snapshot.decode(raw)
            else:
                symbol = symbol or _named.decode(envelope.data).s
                if "@depth" in envelope.stream and not bridged:
                    diffs.append(_depth_update.decode(envelope.data))
                if sent_ns := _sent.decode(envelope.data).E * NS_PER_MS:
                    lead_ns = sent_ns - recv_ns if lead_ns is None else max(lead_ns, sent_ns - recv_ns)
        except _UNREADABLE as error:
            raise SourceUnusable(f"{path}:{number}: not a frame: {error}") from None
        bridged = snapshot is not None and bool(diffs) and diffs[-1].u >= snapshot.last_update_id
    spec = specs.get(symbol)
    if spec is None:
        raise SourceUnusable(f"{path}: no facts of its instrument {symbol!r}: give its spec")
    opening = _opening(path, spec, snapshot, diffs) if snapshot else None
    return _Head(spec, start_ns, lead_ns or 0, opening)


def _opening(
    path: Path, spec: InstrumentSpec, snapshot: _Snapshot, diffs: list[_DepthUpdate]
) -> Depth | None:
    """The levels that stood from before the first diff until the snapshot, as a snapshot event."""
    reaching = next((diff for diff in diffs if diff.u >= snapshot.last_update_id), None)
    if reaching is None:
        raise SourceUnusable(f"{path}: no diff reaches the snapshot of id {snapshot.last_update_id}")
    if _before(reaching) > snapshot.last_update_id:
        raise SourceUnusable(
            f"{path}: a gap between the snapshot of id {snapshot.last_update_id} and the diffs"
        )
    touched = {price for diff in diffs for price, _ in (*diff.b, *diff.a)}
    texts = texts_of(spec)
    try:
        bids = _levels(tuple(level for level in snapshot.bids if level[0] not in touched), texts)
        asks = _levels(tuple(level for level in snapshot.asks if level[0] not in touched), texts)
    except NotANumber as error:
        raise SourceUnusable(f"{path}: not this instrument's snapshot: {error}") from None
    first = diffs[0]
    before = _before(first)
    return Depth(spec.instrument, before, before, 0, bids, asks, True, first.E * NS_PER_MS, 0, 0)


def _before(diff: _DepthUpdate) -> int:
    """The id that a diff follows; spot says it only by its own first id."""
    return diff.pu if diff.pu is not None else diff.U - 1
