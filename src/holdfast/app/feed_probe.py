"""The look at market feeds by ``holdfast doctor --venue``: whether each that is configured speaks, and of what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from holdfast.app.errors import HoldfastError
from holdfast.ports.feed import FeedPort
from holdfast.ports.venue import VenueUnusable
from holdfast.runtime.clock import SystemClock
from holdfast.vocab.events import Event, StreamChanged
from holdfast.vocab.limits import InstrumentLimits
from holdfast.vocab.market import Malformed, Quote
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.units import NS_PER_MS, PPM, percent_text

WAIT_S: Final = 3.0  # a quiet instrument may have no quote within it: that is a warning


class Heard:
    """What one feed said: the last quote of each instrument, and how its connections stand."""

    def __init__(self, feed: FeedPort, wanted: Sequence[str]) -> None:
        self.feed = feed
        self.wanted = tuple(wanted)
        self.quotes: dict[str, Quote] = {}
        self.frames_count = 0
        self.unreadable = ""
        self.down = ""
        self.first_ns = 0
        self.whole = asyncio.Event()  # of everything that it is to bring there was a quote

    def on_read(self, raws: Sequence[bytes], wall_ns: int, mono_ns: int) -> None:
        """One read, through the feed's own decoder."""
        self.frames_count += len(raws)
        for event in self.feed.decode_read(raws, wall_ns, mono_ns):
            if isinstance(event, Quote):
                self.first_ns = self.first_ns or mono_ns
                self.quotes[event.instrument] = event
            elif isinstance(event, Malformed):
                self.unreadable = event.reason
        if not self.silent:
            self.whole.set()

    def on_event(self, event: Event) -> None:
        """How its connections stand."""
        if isinstance(event, StreamChanged) and not event.up:
            self.down = event.why

    @property
    def silent(self) -> tuple[str, ...]:
        """Instruments of which no quote came."""
        return tuple(name for name in self.wanted if name not in self.quotes)


async def look_at_feeds(
    feeds: Sequence[FeedPort],
    instruments: Sequence[Sequence[str]],
    limits: Mapping[str, InstrumentLimits],
    *,
    clock: SystemClock,
    wait_s: float = WAIT_S,
) -> list[Check]:
    """A line for each feed, the primary one first. ``instruments``: what each is to bring.

    A feed that brings no quote at all, or one whose prices ours would be refused by, fails.
    """
    heard = [Heard(feed, wanted) for feed, wanted in zip(feeds, instruments, strict=True)]
    began_ns = clock.mono_ns()
    await asyncio.gather(*(_listen(one, wait_s) for one in heard))
    return [_judged(one, heard[0], limits, began_ns) for one in heard]


async def _listen(one: Heard, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await one.feed.open(one.on_read, one.on_event)
            await one.whole.wait()
    except TimeoutError:
        one.down = one.down or f"nothing came within {wait_s:g} s"
    except (VenueUnusable, HoldfastError) as error:
        one.down = str(error)
    finally:
        await one.feed.close()


def _judged(one: Heard, primary: Heard, limits: Mapping[str, InstrumentLimits], began_ns: int) -> Check:
    name = f"feed {one.feed.name}"
    if not one.quotes:
        why = f"unreadable: {one.unreadable}" if one.unreadable else one.down or "nothing came"
        return Check(
            name=name,
            verdict=Verdict.FAIL,
            found=f"brings no quote: {why}",
            advice="its url, venue and instruments in the configuration",
        )
    for instrument, quote in one.quotes.items():
        ours = primary.quotes.get(instrument)
        if ours is None or one is primary:
            continue
        theirs2, ours2 = quote.bid_ticks + quote.ask_ticks, ours.bid_ticks + ours.ask_ticks
        apart_ppm = abs(theirs2 - ours2) * PPM // max(1, theirs2)
        if apart_ppm > limits[instrument].jump_ppm_max:
            return Check(
                name=name,
                verdict=Verdict.FAIL,
                found=f"its {instrument} is {percent_text(apart_ppm)} from the primary feed's",
                advice="is it the same thing there? beyond jump_max our own quotes would be refused",
            )
    took_ms = (one.first_ns - began_ns) // NS_PER_MS
    if one.silent:
        found = f"no quote of {', '.join(one.silent)}; of {len(one.quotes)} others"
        return Check(name=name, verdict=Verdict.WARN, found=found, advice="quiet there, or named otherwise")
    found = f"quotes of all {len(one.wanted)} instruments, the first after {took_ms} ms"
    return Check(name=name, verdict=Verdict.OK, found=found)
