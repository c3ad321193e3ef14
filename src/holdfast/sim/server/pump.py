"""From the source to the venue: each frame at its time, to the exchange, the public view and the sockets."""

from __future__ import annotations

import asyncio
import math
import time

import structlog

from holdfast.sim.server.derived import Derived
from holdfast.sim.server.venue import Venue
from holdfast.sim.sources.frames import Frame, MarketSource, SourceUnusable, frame_json, offset_for
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

_WORK_NS_MAX = 1_000_000  # then somebody else's turn: orders must not wait behind a burst of quotes
_LOG = structlog.get_logger(__name__)


class Pump:
    """Plays a source. ``frames`` counts what was played, ``ended`` says that nothing more will come and why."""

    def __init__(self, venue: Venue, derived: Derived, source: MarketSource, speed: float) -> None:
        self._venue = venue
        self._derived = derived
        self._source = source
        self._speed = speed
        self.frames = 0
        self.late_ns_max = 0
        self.ended = ""

    async def run(self) -> None:
        """Play to the end. A source that cannot be read ends it, with its one line in ``ended``."""
        try:
            await self._play()
        except SourceUnusable as why:
            self.ended = str(why)
            _LOG.error("source unusable", why=str(why))
        except Exception as why:  # noqa: BLE001 - whatever it is, the venue goes on without its market
            # A venue that stands still must say so: whoever reads /status sees it.
            self.ended = f"{type(why).__name__}: {why}"
            _LOG.exception("the market stopped")
        else:
            self.ended = "the source has no more frames"

    async def _play(self) -> None:
        venue = self._venue
        begin_ns = venue.now_ns()
        first_ns = self._source.start_ns
        offset_ns = offset_for(self._source, venue_start_ns=begin_ns)
        worked_ns = time.monotonic_ns()
        for frame in self._source.frames():
            if self._speed == 1:
                due_ns = frame.recv_ns + offset_ns
            else:
                # Faster or slower than life no constant fits: each frame says that it happened when it is due.
                due_ns = begin_ns + (
                    int((frame.recv_ns - first_ns) / self._speed) if self._speed < math.inf else 0
                )
                offset_ns = due_ns - frame.recv_ns
            now_ns = venue.now_ns()
            if due_ns > now_ns:
                venue.hub.flush()
                while due_ns > now_ns:
                    await asyncio.sleep((due_ns - now_ns) / NS_PER_S)
                    now_ns = venue.now_ns()
                worked_ns = time.monotonic_ns()
            elif time.monotonic_ns() - worked_ns > _WORK_NS_MAX:
                venue.hub.flush()
                await asyncio.sleep(0)
                worked_ns = time.monotonic_ns()
                now_ns = venue.now_ns()
            self.late_ns_max = max(self.late_ns_max, now_ns - due_ns)
            self.show(frame, offset_ns, now_ns)
        venue.hub.flush()

    def show(self, frame: Frame, offset_ns: int, now_ns: int) -> None:
        """One frame: what it means for our orders, then what the public sees."""
        venue = self._venue
        self.frames += 1
        event = frame.event
        venue.exchange.on_market(event, now_ns)
        view = venue.market.symbols.get(frame.symbol)
        if view is None:
            return
        at_ms = (frame.venue_ns + offset_ns) // NS_PER_MS
        view.apply(event, at_ms)
        stream = frame.stream
        if not stream:
            return
        hub = venue.hub
        kind = type(event)
        shown_ms = at_ms + venue.step_ns // NS_PER_MS
        every_quote = kind is Quote and hub.wanted("!bookTicker")
        as_is = f"{view.stream}@depth@0ms" if kind is Depth and stream != f"{view.stream}@depth@0ms" else ""
        if hub.wanted(stream) or every_quote or (as_is and hub.wanted(as_is)):
            payload = frame_json(frame, offset_ns=offset_ns + venue.step_ns)
            hub.publish(stream, payload)
            if every_quote:
                self._derived.on_quote(payload)
            if as_is:
                hub.publish(as_is, payload)
        if kind is Trade:
            self._derived.on_trade(view, event, shown_ms)  # type: ignore[arg-type]
        elif kind is Depth:
            self._derived.on_depth(view, event, at_ms, stream)  # type: ignore[arg-type]
        elif kind is Mark:
            self._derived.on_mark(view, shown_ms, stream)
