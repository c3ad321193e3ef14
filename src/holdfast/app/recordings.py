"""Recordings as a run of the core has them: which market they are of, in which units, and by which limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from holdfast.app.errors import Exit, HoldfastError
from holdfast.config.load import load
from holdfast.config.resolve import resolve
from holdfast.core.state import State
from holdfast.journal.recording import INSTRUMENTS_FILE, SPECS_FILE
from holdfast.journal.recording_read import Line, Lines, RecordingFile, merged, recording_files
from holdfast.runtime.books import CoreBooks
from holdfast.runtime.feed_meter import FeedMeter, VenueClockByFrames, VenueClockMeasured
from holdfast.runtime.ingesting import Dialect, Ingest
from holdfast.sim.sources.specs import BTCUSDT, KNOWN
from holdfast.strategy import Hosted, StrategyHost, load_strategy
from holdfast.venues.binance import public
from holdfast.venues.binance.codec import Unreadable
from holdfast.venues.binance.decoder import decoder
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.limits import Settings
from holdfast.vocab.market import Depth, Malformed, MarketEvent, Quote
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from holdfast.app.equities import EquityFile

MEASURING_CONFIG: Final = Path(__file__).with_name("demo.toml")
HEAD_LINES: Final = 2_000
MONO_START_NS: Final = NS_PER_S


def _bare(instrument: str, *, tick: str, lot: str) -> InstrumentSpec:
    """Facts enough to read market data by, and nothing else: no account trades these here."""
    return msgspec.structs.replace(
        BTCUSDT,
        tick=tick,
        lot=lot,
        tick_lot_e8=1,
        instrument=instrument,
        symbol=instrument,
    )


# What the venue's own exchangeInfo would say, for recordings that come without one.
_KNOWN_BY_MARKET: Final[dict[public.Dialect, dict[str, InstrumentSpec]]] = {
    public.Dialect.USDM: dict(KNOWN),
    public.Dialect.COINM: {"BTCUSD_PERP": _bare("BTCUSD_PERP", tick="0.1", lot="1")},
    # the lot of old orders that still rest there: today's is a thousand times larger
    public.Dialect.SPOT: {"BTCUSDT": _bare("BTCUSDT", tick="0.01", lot="0.00000001")},
}


class Provider(Struct, kw_only=True):
    """The files of one market, read through one core."""

    name: str
    files: tuple[Lines, ...]
    specs: dict[str, InstrumentSpec]
    dialect: Dialect
    ingest: Ingest
    meter: FeedMeter
    symbols: dict[Path, str]

    def take(self, file: Lines, line: Line) -> None:
        """One line of one of the files."""
        mono_ns = MONO_START_NS + max(0, line.wall_ns - (self.ingest.first_wall_ns or line.wall_ns))
        if line.kind == "frame" and line.raw.startswith(public.SNAPSHOT_START):
            self.ingest.reply(
                self.dialect, line.raw, self.symbols[file.path], wall_ns=line.wall_ns, mono_ns=mono_ns
            )
        elif line.kind == "frame":
            self.ingest.frame(self.dialect, line.raw, wall_ns=line.wall_ns, mono_ns=mono_ns)
        elif line.kind == "reply":
            self.ingest.reply(self.dialect, line.raw, line.about, wall_ns=line.wall_ns, mono_ns=mono_ns)
        else:
            self.ingest.note(line.kind)


class _Head(Struct, frozen=True, kw_only=True):
    """What a file's beginning tells of it."""

    market: public.Dialect | None  # None: events, not frames
    symbol: str
    specs: dict[str, InstrumentSpec]
    lines: tuple[Line, ...]


def providers(
    named: Sequence[str],
    *,
    config: str | None = None,
    instruments: str | None = None,
    strategy: str | None = None,
    apply_splits: bool = False,
) -> tuple[Provider, ...]:
    """What to replay, by market. Errors: NotARecording, HoldfastError, ConfigError: one line with the file."""
    from holdfast.app.equities import equity_files

    equities, rest = equity_files(named)
    made = []
    if equities:
        made.append(_equities(equities, config=config, strategy=strategy, apply_splits=apply_splits))
    if not rest and made:
        return tuple(made)
    files = recording_files(rest)
    given = _facts_in(Path(instruments)) if instruments else {}
    heads = {file.path: _head(file, given) for file in files}
    for market in dict.fromkeys(head.market for head in heads.values()):
        own = tuple(file for file in files if heads[file.path].market is market)
        made.append(_provider(market, own, heads, config=config, strategy=strategy))
    return tuple(made)


def _equities(
    files: tuple[EquityFile, ...], *, config: str | None, strategy: str | None, apply_splits: bool
) -> Provider:
    from holdfast.app.equities import equity_dialect, splits_of

    specs = {file.lean.spec.instrument: file.lean.spec for file in files}
    settings = msgspec.structs.replace(
        settings_for(specs, config),
        splits=splits_of(files, applied=apply_splits),
        scaled=tuple(specs),
    )
    meter = FeedMeter("equities", dead_ns=settings.timings.feed_dead_ms * NS_PER_MS)
    return Provider(
        name="equities",
        files=files,
        specs=specs,
        dialect=equity_dialect(),
        ingest=Ingest(
            settings,
            clock=VenueClockMeasured(),
            make_host=_host_maker(strategy, settings),
            meter=meter,
        ),
        meter=meter,
        symbols={},
    )


def lines_of(made: Sequence[Provider]) -> Iterator[tuple[Provider, Lines, Line]]:
    """Every line of every file, by receive time."""
    of = {file.path: provider for provider in made for file in provider.files}
    for file, line in merged([file for provider in made for file in provider.files]):
        yield of[file.path], file, line


def _provider(
    market: public.Dialect | None,
    files: tuple[RecordingFile, ...],
    heads: dict[Path, _Head],
    *,
    config: str | None,
    strategy: str | None,
) -> Provider:
    specs = {name: spec for file in files for name, spec in heads[file.path].specs.items()}
    clock = VenueClockByFrames()
    dialect = _events_dialect() if market is None else dialect_for(market, specs, clock.offset_ns)
    name = "events" if market is None else market.value
    head = heads[files[0].path]
    for line in head.lines:
        event = dialect.decode(line.raw, line.wall_ns, 0) if line.kind == "frame" else None
        if event is None or isinstance(event, Malformed):
            continue
        if dialect.quotes_timed or not isinstance(event, Quote):
            clock.see(venue_ns=event.venue_ns, wall_ns=line.wall_ns)
    settings = settings_for(specs, config)
    meter = FeedMeter(name, dead_ns=settings.timings.feed_dead_ms * NS_PER_MS)
    return Provider(
        name=name,
        files=files,
        specs=specs,
        dialect=dialect,
        ingest=Ingest(settings, clock=clock, make_host=_host_maker(strategy, settings), meter=meter),
        meter=meter,
        symbols={file.path: heads[file.path].symbol for file in files},
    )


def _host_maker(where: str | None, settings: Settings) -> Callable[[State], StrategyHost] | None:
    """The strategy is loaded now: its errors come before the first frame."""
    if where is None:
        return None
    names = tuple(limits.instrument for limits in settings.instrument_limits)
    hosted = [Hosted(name=where.rpartition(":")[2], strategy=load_strategy(where, {}), instruments=names)]

    def make(state: State) -> StrategyHost:
        return StrategyHost(hosted, specs=settings.instruments, books=CoreBooks(state), clock_ns=_no_clock)

    return make


def _no_clock() -> int:
    """A replay judges nobody's speed."""
    return 0


def dialect_for(
    market: public.Dialect, specs: dict[str, InstrumentSpec], offset_ns: Callable[[], int]
) -> Dialect:
    """How to read one market's frames."""

    def snapshot(raw: bytes, about: str, wall_ns: int, mono_ns: int) -> tuple[Depth, int] | Malformed | None:
        spec = specs.get(about)
        if spec is None or not raw.startswith(public.SNAPSHOT_START):
            return None
        return public.snapshot_in(raw, spec, wall_ns, mono_ns)

    spot = market is public.Dialect.SPOT
    return Dialect(
        decode=public.spot_decoder(specs.values(), offset_ns) if spot else decoder(specs.values()),
        label=public.label_of,
        snapshot=snapshot,
        quotes_timed=not spot,
    )


_event: Final = msgspec.json.Decoder(MarketEvent)


def _events_dialect() -> Dialect:
    """How to read events that were written down themselves."""

    def decode(raw: bytes, wall_ns: int, mono_ns: int) -> MarketEvent | None:
        try:
            event: MarketEvent = _event.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Malformed("", "not an event", wall_ns, mono_ns)
        return msgspec.structs.replace(event, wall_ns=wall_ns, mono_ns=mono_ns)

    return Dialect(decode=decode, label=public.label_of, snapshot=_no_snapshot)


def _no_snapshot(raw: bytes, about: str, wall_ns: int, mono_ns: int) -> None:
    """Events have no REST bodies among them."""


def settings_for(specs: dict[str, InstrumentSpec], config: str | None) -> Settings:
    """The configuration's limits; without one the demonstration's for every instrument: they only measure."""
    if config is not None:
        return resolve(load(Path(config)), tuple(specs.values()))
    measuring = resolve(load(MEASURING_CONFIG), tuple(KNOWN.values()))
    like = measuring.instrument_limits[0]
    return msgspec.structs.replace(
        measuring,
        instruments=tuple(specs.values()),
        instrument_limits=tuple(msgspec.structs.replace(like, instrument=name) for name in specs),
        strategies=(),
        strategy_limits=(),
    )


# --- heads ------------------------------------------------------------------------------------------------------


def _head(file: RecordingFile, given: dict[str, InstrumentSpec]) -> _Head:
    """A file's market, its symbol, and its instruments' units: given, beside it, in it, or known."""
    lines = tuple(islice(file, HEAD_LINES))
    frames = [line.raw for line in lines if line.kind == "frame"]
    if any(raw.startswith(b"[") for raw in frames):
        return _Head(market=None, symbol="", specs=_specs_beside(file.path), lines=lines)
    market = public.dialect_of(frames)
    symbols = dict.fromkeys(label.instrument for raw in frames if (label := public.label_of(raw)).instrument)
    inside: dict[str, InstrumentSpec] = {}
    for line in lines:
        if line.kind == "reply" and b'"symbols"' in line.raw:
            inside |= public.instruments_in(line.raw, symbols)
    beside = file.path.parent / INSTRUMENTS_FILE
    told = _facts_in(beside) if beside.is_file() else {}
    specs = {**_KNOWN_BY_MARKET[market], **inside, **told, **given}
    unknown = [symbol for symbol in symbols if symbol not in specs]
    if symbols and len(unknown) == len(symbols):
        raise HoldfastError(
            Exit.USAGE,
            f"the units of {', '.join(unknown[:5])} are not known: give the venue's exchangeInfo by --instruments",
            str(file.path),
        )
    return _Head(
        market=market,
        symbol=next(iter(symbols), ""),
        specs={symbol: specs[symbol] for symbol in symbols if symbol in specs},
        lines=lines,
    )


def _specs_beside(recording: Path) -> dict[str, InstrumentSpec]:
    """The instruments of a recording of events. Errors: HoldfastError."""
    path = recording.parent / SPECS_FILE
    try:
        specs = msgspec.json.decode(path.read_bytes(), type=tuple[InstrumentSpec, ...])
    except OSError as error:
        raise HoldfastError(Exit.USAGE, f"cannot be read: {error.strerror}", str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HoldfastError(Exit.USAGE, f"not instruments: {error}", str(path)) from None
    return {spec.instrument: spec for spec in specs}


def _facts_in(path: Path) -> dict[str, InstrumentSpec]:
    try:
        return public.instruments_in(path.read_bytes())
    except OSError as error:
        raise HoldfastError(Exit.USAGE, f"cannot be read: {error.strerror}", str(path)) from None
    except Unreadable as error:
        raise HoldfastError(Exit.USAGE, str(error), str(path)) from None
