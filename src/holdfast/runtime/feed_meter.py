"""How well a stream comes: latency, silence, repeats and holes. Bounded, whatever the length of the run."""

from __future__ import annotations

from typing import Any, Final

from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

KINDS: Final[dict[type, str]] = {Quote: "quotes", Trade: "trades", Depth: "depth", Mark: "marks"}
CLOCK_WINDOW_NS: Final = 60 * NS_PER_S
_EXACT_BITS: Final = 7  # of a latency in µs: finer than one percent


class Spread:
    """Where latencies lie, to within a percent: counts by rounded value, extremes exactly. May be negative."""

    __slots__ = ("_counts", "count", "max_ns", "min_ns")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.min_ns = 0
        self.max_ns = 0

    def add(self, latency_ns: int) -> None:
        """Count one."""
        if not self.count or latency_ns < self.min_ns:
            self.min_ns = latency_ns
        if not self.count or latency_ns > self.max_ns:
            self.max_ns = latency_ns
        self.count += 1
        micros = latency_ns // 1_000
        shift = max(0, abs(micros).bit_length() - _EXACT_BITS)
        rounded = micros >> shift << shift
        self._counts[rounded] = self._counts.get(rounded, 0) + 1

    def at(self, ppm: int) -> int:
        """The latency that so many of a million do not exceed, in ns; 0 where nothing was counted."""
        wanted = -(-self.count * ppm // 1_000_000)
        seen = 0
        for micros in sorted(self._counts):
            seen += self._counts[micros]
            if seen >= wanted:
                return min(max(micros * 1_000, self.min_ns), self.max_ns)
        return 0


class VenueClockByFrames:
    """The venue's clock less a recorder's, when nobody measured it: as if the quickest frame took no time.

    The quickest of the last one to two minutes: clocks drift, and one quick frame must not count for ever.
    """

    __slots__ = ("_now_ns", "_past_ns", "_until_ns")

    def __init__(self) -> None:
        self._past_ns: int | None = None
        self._now_ns: int | None = None
        self._until_ns = 0

    def see(self, *, venue_ns: int, wall_ns: int) -> None:
        """Take one frame's two times."""
        if venue_ns <= 0:
            return
        if wall_ns >= self._until_ns:
            stale = wall_ns >= self._until_ns + CLOCK_WINDOW_NS
            self._past_ns = None if stale else self._now_ns
            self._now_ns = None
            self._until_ns = wall_ns + CLOCK_WINDOW_NS
        lead_ns = venue_ns - wall_ns
        if self._now_ns is None or lead_ns > self._now_ns:
            self._now_ns = lead_ns

    def offset_ns(self) -> int:
        """Venue time less the recorder's wall time; 0 before the first frame."""
        known = [one for one in (self._past_ns, self._now_ns) if one is not None]
        return max(known, default=0)


class VenueClockMeasured:
    """The venue's clock less ours where somebody asked the venue: frames say nothing new of it."""

    __slots__ = ("_offset_ns",)

    def __init__(self, offset_ns: int = 0) -> None:
        self._offset_ns = offset_ns

    def see(self, *, venue_ns: int, wall_ns: int) -> None:
        """Nothing to learn."""

    def measured(self, offset_ns: int) -> None:
        """The venue was asked again."""
        self._offset_ns = offset_ns

    def offset_ns(self) -> int:
        """Venue time less wall time, as last measured."""
        return self._offset_ns


class StreamMeter:
    """One instrument's stream of one kind.

    ``gaps_count``: places where something is missing between two events; ``missing_count``: how many, where the
    venue numbers without holes. ``dead_ns``: a silence longer than this is time without the stream.
    """

    __slots__ = (
        "backward_count",
        "count",
        "dead_ns",
        "first_wall_ns",
        "gaps_count",
        "last_wall_ns",
        "latency",
        "lost_ns",
        "missing_count",
        "repeats_count",
        "seq",
        "silence_ns_max",
    )

    def __init__(self, dead_ns: int) -> None:
        self.dead_ns = dead_ns
        self.count = 0
        self.first_wall_ns = 0
        self.last_wall_ns = 0
        self.silence_ns_max = 0
        self.lost_ns = 0
        self.seq = -1
        self.gaps_count = 0
        self.missing_count = 0
        self.repeats_count = 0
        self.backward_count = 0
        self.latency = Spread()

    def see(self, event: Quote | Trade | Depth | Mark, *, offset_ns: int, timed: bool = True) -> None:
        """Take one event. ``offset_ns``: the venue's clock less ours, as last measured.

        ``timed``: it says when it happened.
        """
        wall_ns = event.wall_ns
        if self.count:
            self._silent(wall_ns)
        else:
            self.first_wall_ns = wall_ns
        self.count += 1
        self.last_wall_ns = wall_ns
        if timed and event.venue_ns:
            self.latency.add(wall_ns + offset_ns - event.venue_ns)
        if not isinstance(event, Mark):
            self._number(event)

    def ended(self, wall_ns: int) -> None:
        """The run is over: what was silent until now counts."""
        if self.count:
            self._silent(wall_ns)
            self.last_wall_ns = max(wall_ns, self.last_wall_ns)

    def availability_ppm(self, *, from_ns: int, to_ns: int) -> int:
        """Share of the time in which no silence had lasted longer than ``dead_ns``, in parts per million."""
        span = to_ns - from_ns
        if span <= 0:
            return 1_000_000 if self.count else 0
        if not self.count:
            return 0
        late = max(0, self.first_wall_ns - from_ns - self.dead_ns)
        ended = max(0, to_ns - self.last_wall_ns - self.dead_ns)
        return max(0, span - self.lost_ns - late - ended) * 1_000_000 // span

    def _silent(self, wall_ns: int) -> None:
        silence_ns = wall_ns - self.last_wall_ns
        if silence_ns > self.silence_ns_max:
            self.silence_ns_max = silence_ns
        if silence_ns > self.dead_ns:
            self.lost_ns += silence_ns - self.dead_ns

    def _number(self, event: Quote | Trade | Depth) -> None:
        seq, last = event.seq, self.seq
        if last >= 0 and seq <= last:
            if seq == last:
                self.repeats_count += 1
            else:
                self.backward_count += 1
            return
        if last >= 0:
            if type(event) is Trade and seq != last + 1:
                self.gaps_count += 1
                self.missing_count += seq - last - 1
            elif type(event) is Depth and not event.snapshot:
                self.gaps_count += (event.seq_prev or event.seq_first - 1) != last
        self.seq = seq

    def told(self, *, from_ns: int, to_ns: int) -> dict[str, Any]:
        """All of it in words and numbers."""
        return {
            "events": self.count,
            "availability_ppm": self.availability_ppm(from_ns=from_ns, to_ns=to_ns),
            "latencies": self.latency.count,
            "latency_us_min": self.latency.min_ns // 1_000,
            "latency_us_p50": self.latency.at(500_000) // 1_000,
            "latency_us_p99": self.latency.at(990_000) // 1_000,
            "latency_us_max": self.latency.max_ns // 1_000,
            "gaps": self.gaps_count,
            "missing": self.missing_count,
            "repeats": self.repeats_count,
            "backward": self.backward_count,
            "silence_ms_max": self.silence_ns_max // NS_PER_MS,
        }


class FeedMeter:
    """All streams of one provider, and its connections."""

    def __init__(self, name: str, *, dead_ns: int) -> None:
        self.name = name
        self.streams: dict[tuple[str, str], StreamMeter] = {}
        self.reconnects_count = 0
        self.downs: dict[str, int] = {}
        self._dead_ns = dead_ns
        self._ups: dict[str, int] = {}

    def see(self, event: Quote | Trade | Depth | Mark, *, offset_ns: int, timed: bool = True) -> None:
        """Take one event, accepted by the core or not."""
        key = (event.instrument, KINDS[type(event)])
        meter = self.streams.get(key)
        if meter is None:
            meter = self.streams[key] = StreamMeter(self._dead_ns)
        meter.see(event, offset_ns=offset_ns, timed=timed)

    def expect(self, instrument: str, kind: str) -> None:
        """A stream was asked for: silent from the start, it is still in the report."""
        self.streams.setdefault((instrument, kind), StreamMeter(self._dead_ns))

    def changed(self, name: str, *, up: bool, why: str) -> None:
        """A connection came up or went down."""
        if up:
            self._ups[name] = self._ups.get(name, 0) + 1
            self.reconnects_count += self._ups[name] > 1
        else:
            self.downs[why] = self.downs.get(why, 0) + 1
