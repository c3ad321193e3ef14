"""``holdfast feeds``: how well market data comes, of a bot, of a recording, or of several providers at once.

A bot's own report is read off its market log and its journal, beside it: nothing is measured inside the process
that trades, and a bot that has ended has its report too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.options import FeedsOptions
from holdfast.app.record_sources import facts_of
from holdfast.app.recordings import dialect_for, lines_of, providers, settings_for
from holdfast.app.tables import table
from holdfast.journal.chain import iterate
from holdfast.journal.codec import CorruptJournal
from holdfast.journal.market_read import CorruptMarketLog, frames
from holdfast.ports.journal import JournalFailed
from holdfast.ports.venue import VenueUnusable
from holdfast.runtime.feed_meter import KINDS, FeedMeter, VenueClockMeasured
from holdfast.runtime.garbage import rare_rounds
from holdfast.runtime.ingesting import Dialect, Ingest
from holdfast.venues.binance import public
from holdfast.venues.binance.codec import Unreadable
from holdfast.venues.binance.feed import BinanceFeed, FeedConfig
from holdfast.venues.transport.clock import SystemClock
from holdfast.venues.transport.sockets import one_by_one
from holdfast.vocab.events import (
    Event,
    FeedChosen,
    PressureChanged,
    Started,
    Stream,
    StreamChanged,
    StreamKind,
)
from holdfast.vocab.facts import ClockSet
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

CLOCK_EVERY_S: Final = 5.0
INSTRUMENTS_MAX: Final = 20


def main(options: FeedsOptions) -> int:
    """Print the report. Exit code VENUE_UNUSABLE where a provider could not be used at all."""
    if options.urls:
        reports = _bench(options)
    elif options.files:
        reports = _of_recording(options)
    else:
        reports = [_of_bot(Path(options.state_dir), last_s=options.last_s)]
    answer = {"providers": reports}
    if options.json:
        print(json.dumps(answer))
    else:
        print("\n".join(told(reports)))
    failed = [report for report in reports if report["error"]]
    for report in failed:
        print(f"holdfast: {report['error']}", file=sys.stderr)
    return Exit.VENUE_UNUSABLE if failed else Exit.OK


def report_of(name: str, meter: FeedMeter, ingest: Ingest | None, *, error: str = "") -> dict[str, Any]:
    """One provider's report."""
    refused: Counter[str] = Counter()
    others: Counter[str] = Counter()
    from_ns = to_ns = offset_ns = frames_count = 0
    if ingest is not None:
        from_ns, to_ns, offset_ns = ingest.first_wall_ns, ingest.last_wall_ns, ingest.offset_ns
        frames_count = ingest.frames_count
        for account in ingest.accounts.values():
            refused += account.refused
            others += account.others
    for stream in meter.streams.values():
        stream.ended(to_ns)
    return {
        "name": name,
        "error": error,
        "frames": frames_count,
        "span_ms": (to_ns - from_ns) // NS_PER_MS,
        "clock_offset_us": offset_ns // 1_000,
        "reconnects": meter.reconnects_count,
        "downs": dict(meter.downs),
        "refused": dict(refused.most_common()),
        "others": dict(others.most_common()),
        "streams": {
            f"{instrument} {kind}": stream.told(from_ns=from_ns, to_ns=to_ns)
            for (instrument, kind), stream in sorted(meter.streams.items())
        },
    }


def told(reports: Sequence[dict[str, Any]]) -> list[str]:
    """The reports for a person: the same stream of several providers in rows that follow one another."""
    names = dict.fromkeys(name for report in reports for name in report["streams"])
    rows = [
        _row(stream, report["name"], report["streams"][stream])
        for stream in sorted(names)
        for report in reports
        if stream in report["streams"]
    ]
    head = (
        "stream",
        "provider",
        "events",
        "available",
        "p50 ms",
        "p99 ms",
        "max ms",
        "gaps",
        "repeats",
        "silent s",
    )
    lines = [table(head, rows, numbers=tuple(range(2, len(head))))] if rows else []
    for report in reports:
        if report["error"]:
            continue
        offset_ms = report["clock_offset_us"] / 1_000
        downs = ", ".join(f"{why} {count}" for why, count in report["downs"].items())
        lines.append(
            f"{report['name']}: {report['frames']:,} frames in {report['span_ms'] / 1_000:,.1f} s, "
            f"venue clock {offset_ms:+,.1f} ms, {report['reconnects']} reconnects{f' ({downs})' if downs else ''}"
        )
        for word in ("refused", "others"):
            if report[word]:
                counts = ", ".join(f"{name} {count:,}" for name, count in report[word].items())
                lines.append(f"  {word}: {counts}")
        if report.get("feed_changes"):
            chosen = ", ".join(f"{name} {feed}" for name, feed in report["feed_of"].items())
            lines.append(f"  feeds: {chosen}; {report['feed_changes']} changes since the start")
        if report.get("conflated"):
            lines.append(f"  left out under pressure: {report['conflated']:,}")
    return lines


def _row(stream: str, provider: str, one: dict[str, Any]) -> tuple[str, ...]:
    latencies = [f"{one[f'latency_us_{name}'] / 1_000:,.2f}" for name in ("p50", "p99", "max")]
    return (
        stream,
        provider,
        f"{one['events']:,}",
        f"{one['availability_ppm'] / 10_000:.2f}%",
        *(latencies if one["latencies"] else ("-", "-", "-")),
        f"{one['gaps']:,}",
        f"{one['repeats'] + one['backward']:,}",
        f"{one['silence_ms_max'] / 1_000:,.2f}",
    )


# --- a recording ------------------------------------------------------------------------------------------------


def _of_recording(options: FeedsOptions) -> list[dict[str, Any]]:
    made = providers(options.files, instruments=options.instruments)
    for provider, file, line in lines_of(made):
        provider.take(file, line)
    for provider in made:
        for file in provider.files:
            if file.torn:
                print(f"holdfast: {file.path}: {file.torn}", file=sys.stderr)
    return [report_of(provider.name, provider.meter, provider.ingest) for provider in made]


# --- a bot -------------------------------------------------------------------------------------------------------


class _Story(Struct, kw_only=True):
    """What a bot's journal tells of its feeds: each with the place in the market log at which it was written."""

    starts: list[tuple[int, Started]]
    clocks: list[tuple[int, ClockSet]]
    streams: list[tuple[int, StreamChanged]]
    feeds: dict[str, str]  # whose quotes an instrument has now, where it is not the primary's from the start
    changes_count: int = 0
    conflated_count: int = 0
    pos_at: int = 0  # where the time that is looked at begins


def _of_bot(state_dir: Path, *, last_s: float) -> dict[str, Any]:
    """The last minutes of a bot, running or not. Errors: HoldfastError."""
    journal_dir, market_dir = state_dir / "journal", state_dir / "market"
    if not journal_dir.is_dir() or not market_dir.is_dir():
        raise HoldfastError(Exit.USAGE, "no journal and market log there", str(state_dir))
    try:
        story = _story(journal_dir, last_ns=int(last_s * NS_PER_S))
        return _retold(story, market_dir)
    except (CorruptJournal, CorruptMarketLog, JournalFailed) as error:
        raise HoldfastError(Exit.JOURNAL_CORRUPT, str(error), str(state_dir)) from None


def _story(journal_dir: Path, *, last_ns: int) -> _Story:
    story = _Story(starts=[], clocks=[], streams=[], feeds={})
    ends: list[tuple[int, int]] = []  # (wall_ns, market position), thinned
    for _, market_pos, record in iterate(str(journal_dir)):
        wall_ns = getattr(record, "wall_ns", 0)
        if wall_ns and (not ends or wall_ns - ends[-1][0] >= NS_PER_S):
            ends.append((wall_ns, market_pos))
        if isinstance(record, Started):
            story.starts.append((market_pos, record))
            story.feeds, story.changes_count = {}, 0
        elif isinstance(record, ClockSet):
            story.clocks.append((market_pos, record))
        elif isinstance(record, StreamChanged) and record.stream is Stream.MARKET:
            story.streams.append((market_pos, record))
        elif isinstance(record, FeedChosen):
            story.changes_count += 1
            if record.kind is StreamKind.QUOTE:
                story.feeds[record.instrument] = record.feed + (
                    " (reference only)" if record.reference else ""
                )
        elif isinstance(record, PressureChanged):
            story.conflated_count = record.conflated_count
    if not story.starts:
        raise HoldfastError(Exit.USAGE, "this journal has no start in it", str(journal_dir))
    from_ns = ends[-1][0] - last_ns
    story.pos_at = next((pos for wall_ns, pos in ends if wall_ns >= from_ns), 0)
    return story


def _retold(story: _Story, market_dir: Path) -> dict[str, Any]:
    """The market log's frames through the same ingest, by the limits and the clock that the bot had then."""
    from holdfast.app.parts import decoder_for

    start = max((one for one in story.starts if one[0] <= story.pos_at), default=story.starts[0], key=_place)
    settings = start[1].settings
    clock = VenueClockMeasured()
    clocks = _Ahead(story.clocks)
    streams = _Ahead(story.streams)
    meter = FeedMeter("bot", dead_ns=settings.timings.feed_dead_ms * NS_PER_MS)
    ingest = Ingest(settings, clock=clock, meter=meter)
    dialects: dict[str, Dialect] = {}

    def hear(pos: int) -> None:
        for fact in clocks.up_to(pos):
            clock.measured(fact.offset_ns)
        for at, event in streams.placed_up_to(pos):
            if at >= story.pos_at:
                meter.changed(event.name, up=event.up, why=event.why)

    for pos, codec, raw, wall_ns, mono_ns in frames(str(market_dir), story.pos_at):
        hear(pos)
        if codec not in dialects:
            decode = decoder_for(codec, settings.instruments)
            dialects[codec] = Dialect(decode=decode, label=public.label_of, snapshot=_no_snapshot)
        ingest.frame(dialects[codec], raw, wall_ns=wall_ns, mono_ns=mono_ns)
    hear(sys.maxsize)
    report = report_of(settings.account, meter, ingest)
    report["feed_of"] = {name: story.feeds.get(name, "primary") for name in ingest.accounts if name}
    report["feed_changes"] = story.changes_count
    report["conflated"] = story.conflated_count
    return report


def _place(placed: tuple[int, Started]) -> int:
    return placed[0]


def _no_snapshot(raw: bytes, about: str, wall_ns: int, mono_ns: int) -> None:
    """A market log holds frames of streams alone."""


class _Ahead:
    """Records with their places, taken in order as a reader comes by."""

    def __init__(self, placed: Sequence[tuple[int, Any]]) -> None:
        self._placed = placed
        self._next = 0

    def placed_up_to(self, pos: int) -> Iterator[tuple[int, Any]]:
        """Those at this place or before it that were not taken yet."""
        while self._next < len(self._placed) and self._placed[self._next][0] <= pos:
            self._next += 1
            yield self._placed[self._next - 1]

    def up_to(self, pos: int) -> Iterator[Any]:
        """The same, without their places."""
        for _, record in self.placed_up_to(pos):
            yield record


# --- providers side by side ------------------------------------------------------------------------------------------


def _bench(options: FeedsOptions) -> list[dict[str, Any]]:
    try:
        places = [(url, public.place_of(url)) for url in options.urls]
    except ValueError as error:
        raise HoldfastError(Exit.USAGE, str(error)) from None

    async def run() -> list[dict[str, Any]]:
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        return await asyncio.gather(*(_measure(url, place, options, ended) for url, place in places))

    with rare_rounds():
        return asyncio.run(run())


async def _measure(
    url: str, place: public.PublicPlace, options: FeedsOptions, ended: asyncio.Event
) -> dict[str, Any]:
    """One provider for a while; one that cannot be used at all is a report too."""
    name = urlsplit(url).netloc
    dead_ns = settings_for({}, None).timings.feed_dead_ms * NS_PER_MS
    try:
        wanted = options.bench_instruments or await _all_of(place)
        _, specs = await facts_of(place, wanted)
        clock, system = VenueClockMeasured(), SystemClock()
        clock.measured(await public.measure_offset_ns(place, system))
    except VenueUnusable as error:
        return report_of(name, FeedMeter(name, dead_ns=dead_ns), None, error=str(error))
    settings = settings_for(specs, None)
    meter = FeedMeter(name, dead_ns=dead_ns)
    for instrument in specs:
        for kind in KINDS.values():
            meter.expect(instrument, kind)
    ingest = Ingest(settings, clock=clock, meter=meter)
    dialect = dialect_for(public.Dialect.USDM, specs, clock.offset_ns)

    def on_frame(raw: bytes, wall_ns: int, mono_ns: int) -> None:
        ingest.frame(dialect, raw, wall_ns=wall_ns, mono_ns=mono_ns)

    def on_event(event: Event) -> None:
        if isinstance(event, StreamChanged):
            meter.changed(event.name, up=event.up, why=event.why)

    config = FeedConfig(ws_url=place.ws_url, depth=True, name=name)
    feed = BinanceFeed(config, tuple(specs.values()), clock=system)
    await feed.open(one_by_one(on_frame), on_event)
    asked = asyncio.get_running_loop().create_task(_keep_clock(place, system, clock))
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.for_s):
                await ended.wait()
    finally:
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await feed.close()
    if not ingest.frames_count:
        return report_of(name, meter, None, error=f"{place.ws_url}: no frame came")
    ingest.last_wall_ns = system.wall_ns()
    return report_of(name, meter, ingest)


async def _all_of(place: public.PublicPlace) -> tuple[str, ...]:
    """Every instrument of a small venue. Errors: VenueUnusable."""
    try:
        found = tuple(public.instruments_in(await public.ask(place, "exchangeInfo")))
    except Unreadable as error:
        raise VenueUnusable(f"{place.rest_url}: {error}") from None
    if len(found) > INSTRUMENTS_MAX:
        raise VenueUnusable(f"{place.rest_url}: has {len(found)} instruments: name some by --instrument")
    return found


async def _keep_clock(place: public.PublicPlace, system: SystemClock, clock: VenueClockMeasured) -> None:
    while True:
        await asyncio.sleep(CLOCK_EVERY_S)
        with contextlib.suppress(
            VenueUnusable
        ):  # the last measure stands; that the venue is gone the streams tell
            clock.measured(await public.measure_offset_ns(place, system))
