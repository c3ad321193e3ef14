"""What the runtime tells of market feeds: connections, whose data is taken, silence, pressure."""

from __future__ import annotations

from holdfast.core.ingest.market import renumber_depth, renumber_quotes, renumber_trades
from holdfast.core.state import Session, State
from holdfast.core.step.emit import Out, alert, place_hold
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import FeedChosen, PressureChanged, StreamKind, StreamSilent
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.units import NS_PER_S

ALL_DOWN = "every market connection is down"


def all_down(session: Session) -> bool:
    """Whether there were connections to market data, and none of them stands."""
    return bool(session.feeds_up) and not any(session.feeds_up.values())


def hold_if_all_down(state: State, out: Out) -> None:
    """At once: without any connection no price will come, whatever the age of the last."""
    if all_down(state.live) and state.books.holds.find(HoldCause.FEEDS_LOST) is None:
        place_hold(state, out, HoldCause.FEEDS_LOST, by="monitor", reason=ALL_DOWN)


def on_chosen(state: State, event: FeedChosen) -> Out:
    """Another feed's numbers begin anew; another venue's prices are noted as such."""
    out: Out = []
    session = state.live
    market = session.markets.get(event.instrument)
    if market is None:
        return out
    if event.renumbered:
        if event.kind is StreamKind.QUOTE:
            renumber_quotes(market)
        elif event.kind is StreamKind.TRADE:
            renumber_trades(market)
        elif event.kind is StreamKind.DEPTH:
            renumber_depth(market)
    if event.kind is StreamKind.QUOTE:
        session.feed_of[event.instrument] = event.feed
        session.reference_of.pop(event.instrument, None)
        if event.reference:
            session.reference_of[event.instrument] = event.feed
    if event.missing_count:
        text = f"{event.instrument}: {event.missing_count} prints came by no feed"
        alert(out, Severity.WARNING, "feed.missing", text)
    said = (event.feed, event.why)
    now = session.now_mono_ns
    if (
        said != session.feed_said or now - session.feed_said_mono_ns > NS_PER_S
    ):  # a feed's streams fail together
        session.feed_said, session.feed_said_mono_ns = said, now
        text = f"{event.instrument} {event.kind.value} (and what fails with it) now from {event.feed}: {event.why}"
        alert(out, Severity.WARNING, "feed.chosen", text)
    return out


def on_silent(state: State, event: StreamSilent) -> Out:
    """Say it: a stream that was accepted and is mute looks healthy to everyone who only asks for its connection."""
    out: Out = []
    name = f"{event.feed} {event.instrument or 'all'} {event.kind.value}"
    if event.silent:
        state.live.silent[name] = event.silent_ms
        text = f"{name}: connected, and silent for {event.silent_ms} ms"
        alert(out, Severity.WARNING, "stream.silent", text)
    else:
        state.live.silent.pop(name, None)
        alert(out, Severity.INFO, "stream.silent", f"{name}: speaks again")
    return out


def on_pressure(state: State, event: PressureChanged) -> Out:
    """Degraded or no longer; strategies see it."""
    out: Out = []
    session = state.live
    session.degraded = event.degraded
    session.conflated_count = event.conflated_count
    if event.degraded:
        text = "more quotes come than can be looked at one by one: only the newest of each instrument are"
        alert(out, Severity.WARNING, "feed.pressure", text)
    else:
        text = f"every quote is looked at again; {event.conflated_count} were left out since the start"
        alert(out, Severity.INFO, "feed.pressure", text)
    return out
