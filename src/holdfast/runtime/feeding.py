"""Between the feeds and the engine: merging where there are several, relief under pressure, an ear for silence.

With one feed, a read goes straight through: one comparison of its length is all that it pays here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from holdfast.core.state import State
from holdfast.ports.clock import Clock
from holdfast.ports.feed import FeedPort, FrameSink
from holdfast.ports.journal import MarketLogPort
from holdfast.ports.venue import EventSink
from holdfast.runtime.engine import Engine
from holdfast.runtime.merging import Choice, Member, Merge, MergeTimes
from holdfast.runtime.pressure import HIGH_WATER_FRAMES, Pressure
from holdfast.runtime.silence import StreamKey, StreamWatch, heard_of
from holdfast.vocab.events import (
    Event,
    FeedChosen,
    PressureChanged,
    ReferencePriced,
    StreamChanged,
    StreamKind,
    StreamSilent,
)
from holdfast.vocab.market import MarketEvent
from holdfast.vocab.units import NS_PER_MS


class FeedRank(Struct, frozen=True, kw_only=True):
    """How a feed stands to the others: see ``merging.Member``. Their order is their rank.

    ``instruments``: what it brings; none: all of them. ``streams``: the kinds that it brings; None: all.
    """

    numbering: str
    reference: bool = False
    instruments: frozenset[str] = frozenset()
    streams: frozenset[StreamKind] | None = None

    def brings(self, instrument: str, kind: StreamKind) -> bool:
        """Whether this stream is missed when silent."""
        return (not self.instruments or not instrument or instrument in self.instruments) and (
            self.streams is None or kind in self.streams
        )


class FeedPlan(Struct, frozen=True, kw_only=True):
    """``streams``: the kinds that were asked for, and are missed when silent. ``ranks``: one per feed.

    ``high_water_frames``: a longer read is conflated.
    """

    streams: frozenset[StreamKind] = frozenset()
    ranks: tuple[FeedRank, ...] = ()
    times: MergeTimes | None = None  # None: there is one feed
    high_water_frames: int = HIGH_WATER_FRAMES


NO_PLAN: Final = FeedPlan()


class Feeding:
    """Makes what the feeds are opened with. ``frames_count``: received, by feed, conflated ones too.

    ``ended``: nothing is stepped any more.
    """

    def __init__(
        self,
        plan: FeedPlan,
        feeds: Sequence[FeedPort],
        *,
        state: State,
        engine: Engine,
        market_log: MarketLogPort,
        clock: Clock,
        put: Callable[[Event], None],
        fatal: Callable[[BaseException], None],
        frames_count: dict[str, int],
    ) -> None:
        self._plan = plan
        self._feeds = tuple(feeds)
        self._state = state
        self._log = market_log.extend
        self._step = engine.frames
        self._clock = clock
        self._put = put
        self._fatal = fatal
        self.ended = False
        self.reading: tuple[FeedPort, Sequence[bytes]] | None = None  # what is being stepped
        self._counts = frames_count
        self._connections: list[set[str]] = [set() for _ in feeds]
        self.pressure = Pressure(self._say_pressure)
        self.merge: Merge | None = None
        timings = state.live.settings.timings
        self._watch = StreamWatch(
            dead_ns=timings.feed_dead_ms * NS_PER_MS, say=self._say_silent, renew=self._renew
        )
        if plan.times is not None:
            self.merge = Merge(
                [
                    Member(
                        name=feed.name,
                        numbering=rank.numbering,
                        decode=feed.decode_read,
                        reference=rank.reference,
                    )
                    for feed, rank in zip(feeds, plan.ranks, strict=True)
                ],
                tuple(state.live.markets),
                times=plan.times,
                hand=self._hand,
                choose=self._chosen,
                offset_ns=lambda: state.live.offset_ns,
            )

    # --- what the feeds are opened with ---------------------------------------------------------------------------

    def frame_sink(self, number: int) -> FrameSink:
        """Takes the reads of one feed."""
        return self._straight(number) if self.merge is None else self._merged(number, self.merge)

    def _straight(self, number: int) -> FrameSink:
        feed = self._feeds[number]
        log, step, counts, name, decode = self._log, self._step, self._counts, feed.name, feed.decode_read
        relieve, quote_key, most = self.pressure.relieve, feed.quote_key, self._plan.high_water_frames

        def on_read(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
            if self.ended:
                return
            try:
                count = len(raws)
                if count > most:
                    raws = relieve(raws, quote_key, wall_ns, mono_ns)
                log(raws, wall_ns, mono_ns, number)
                counts[name] += count
                self.reading = (feed, raws)
                step(decode(raws, wall_ns, mono_ns))
            except BaseException as error:  # noqa: BLE001 - InvariantBroken must end the process, not one callback
                self._fatal(error)

        return on_read

    def _merged(self, number: int, merge: Merge) -> FrameSink:
        counts, name = self._counts, self._feeds[number].name
        relieve, quote_key = self.pressure.relieve, self._feeds[number].quote_key
        most = self._plan.high_water_frames

        def on_read(raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
            if self.ended:
                return
            try:
                counts[name] += len(raws)
                if len(raws) > most:
                    raws = relieve(raws, quote_key, wall_ns, mono_ns)
                merge.take(number, raws, wall_ns, mono_ns)
            except BaseException as error:  # noqa: BLE001 - as above
                self._fatal(error)

        return on_read

    def event_sink(self, number: int) -> EventSink:
        """Takes what one feed says of its connections."""
        connections = self._connections[number]

        def sink(event: Event) -> None:
            self._put(event)
            if not isinstance(event, StreamChanged) or self.ended:
                return
            if event.up:
                connections.add(event.name)
                return
            connections.discard(event.name)
            if self.merge is not None:
                try:
                    self.merge.went_down(number, self._clock.wall_ns(), self._clock.mono_ns())
                except BaseException as error:  # noqa: BLE001 - as above
                    self._fatal(error)

        return sink

    # --- ten times a second ------------------------------------------------------------------------------------------

    @property
    def changed_count(self) -> int:
        """How often a stream went over to another feed."""
        return 0 if self.merge is None else self.merge.chosen_count

    def look(self) -> None:
        """Who is behind, what is silent, whether the pressure is over."""
        wall_ns, now = self._clock.wall_ns(), self._clock.mono_ns()
        self.pressure.look(wall_ns, now)
        if self.merge is not None:
            self.merge.look(wall_ns, now)
            for number, rows in self.merge.prices(wall_ns, now):
                name = self._feeds[number].name
                self._put(ReferencePriced(wall_ns=wall_ns, mono_ns=now, feed=name, rows=rows))
        if self._watch.due(now):
            connected = frozenset(number for number, names in enumerate(self._connections) if names)
            self._watch.look(self._heard(), now, connected=connected)

    def _heard(self) -> Iterable[tuple[StreamKey, int]]:
        kinds = self._plan.streams
        if self.merge is None:
            return heard_of(self._state.live.markets, kinds)
        prints: dict[int, int] = {}
        rows: list[tuple[StreamKey, int]] = []
        for (member, name, kind), heard_ns in self.merge.heard():
            if not self._plan.ranks[member].brings(name, kind):
                continue
            if kind is StreamKind.TRADE and kind in kinds:
                prints[member] = max(heard_ns, prints.get(member, heard_ns))
            elif kind in kinds:
                rows.append(((member, name, kind), heard_ns))
        return [*rows, *(((member, "", StreamKind.TRADE), at) for member, at in prints.items())]

    # --- what is told ------------------------------------------------------------------------------------------------

    def _hand(
        self,
        number: int,
        raws: Sequence[bytes],
        events: Sequence[MarketEvent | None],
        wall_ns: int,
        mono_ns: int,
    ) -> None:
        self._log(raws, wall_ns, mono_ns, number)
        self.reading = (self._feeds[number], raws)
        self._step(events)

    def _chosen(self, choice: Choice, wall_ns: int, mono_ns: int) -> None:
        self._put(
            FeedChosen(
                wall_ns=wall_ns,
                mono_ns=mono_ns,
                instrument=choice.instrument,
                kind=choice.kind,
                feed=self._feeds[choice.feed].name,
                renumbered=choice.renumbered,
                reference=self._plan.ranks[choice.feed].reference,
                why=choice.why,
                missing_count=choice.missing_count,
            )
        )

    def _say_pressure(self, degraded: bool, conflated_count: int, wall_ns: int, mono_ns: int) -> None:  # noqa: FBT001 - a callback's shape
        self._put(
            PressureChanged(
                wall_ns=wall_ns,
                mono_ns=mono_ns,
                degraded=degraded,
                conflated_count=conflated_count,
            )
        )

    def _say_silent(self, key: StreamKey, silent: bool, silent_ns: int) -> None:  # noqa: FBT001 - as above
        number, instrument, kind = key
        self._put(
            StreamSilent(
                wall_ns=self._clock.wall_ns(),
                mono_ns=self._clock.mono_ns(),
                feed=self._feeds[number].name,
                instrument=instrument,
                kind=kind,
                silent=silent,
                silent_ms=silent_ns // NS_PER_MS,
            )
        )

    def _renew(self, key: StreamKey, harder: bool) -> None:  # noqa: FBT001 - as above
        number, instrument, kind = key
        self._feeds[number].renew(instrument, kind, harder=harder)
