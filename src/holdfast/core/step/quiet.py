"""Hours in which nothing comes: what makes them alike, for how long, and how to be behind them without walking them.

While the market is closed and no order is out, the core asks and looks at regular times and hears the same. After a
period that all of these times divide, it knows what it knew before, and only the stamps of what it asked are later.
``HoursPassed`` moves these stamps. Whoever tells it must have seen one such period: the state behind it, moved back,
must be the one before (``runtime.closed`` holds both against each other by their hashes). Only virtual time does so.
"""

from __future__ import annotations

from math import lcm

from holdfast.core.ingest.market import REFUSED_HALF_NS
from holdfast.core.monitor.equity import DAY_NS, HOUR_NS
from holdfast.core.state import State
from holdfast.core.step import reference
from holdfast.core.step.emit import Out
from holdfast.core.step.ladder import cool_left_ms
from holdfast.core.step.reference import VOLUMES_EVERY_NS
from holdfast.core.step.timers import SEEN_EVERY_NS, SPECS_EVERY_CLOCKS, SWEEP_MS
from holdfast.core.views import FAR_PAST_NS
from holdfast.vocab.events import HoursPassed
from holdfast.vocab.units import NS_PER_MS


def period_ns(state: State) -> int:
    """A time that is a multiple of everything that is done regularly."""
    timings = state.live.settings.timings
    every_ms = (
        SWEEP_MS,
        timings.equity_interval_ms,
        timings.clock_interval_ms * SPECS_EVERY_CLOCKS,
        timings.reconcile_orders_ms,
        timings.reconcile_positions_ms,
        timings.deadman_ms // 4 or 1,
        *(limits.swing_window_ms // 2 or 1 for limits in state.instrument_limits.values()),
    )
    return lcm(REFUSED_HALF_NS, SEEN_EVERY_NS, VOLUMES_EVERY_NS, *(ms * NS_PER_MS for ms in every_ms))


def is_quiet(state: State) -> bool:
    """Whether nothing is under way that an answer, an execution or its own time would end."""
    session, orders = state.live, state.books.orders
    return session.ready and not (
        session.calls
        or orders.live
        or orders.foreign
        or session.jobs
        or session.ending
        or session.clear_since_mono_ns
    )


def nothing_due_ns(state: State) -> int:
    """For how long nothing comes about by time alone, of what comes about only once: a day, hours, a split, an age."""
    session = state.live
    wall, mono = session.now_wall_ns, session.now_mono_ns
    settings, read = session.settings, session.reference
    left = [
        DAY_NS - (wall - settings.day_begins_utc_hour * HOUR_NS) % DAY_NS,
        session.hours_due_wall_ns - wall,
        cool_left_ms(state) * NS_PER_MS,
    ]
    left += [
        market.split_venue_ns - session.offset_ns - wall
        for market in session.markets.values()
        if market.scaled and not market.split_due
    ]
    if settings.reference is not None and read is not None:
        left.append(read.as_of_wall_ns + settings.reference.age_ms_max * NS_PER_MS - wall)
    dead_ns = settings.timings.feed_dead_ms * NS_PER_MS
    since = [session.started_mono_ns, *(market.quote.mono_ns for market in session.markets.values())]
    left += [one + dead_ns + 1 - mono for one in since]
    return min((one for one in left if one > 0), default=0)


def on_hours_passed(state: State, event: HoursPassed) -> Out:
    """The regular questions and looks went on as they did before: their stamps are as much later, and nothing else."""
    session = state.live
    by = event.by_ns
    words = session.words
    session.next_call_id += event.calls_count
    for word in (words.positions, words.balances, words.orders):
        word.mono_ns = _moved(word.mono_ns, by)
    words.cash_mono_ns = _moved(words.cash_mono_ns, by)
    session.equity_mono_ns = _moved(session.equity_mono_ns, by)
    session.refused_half_mono_ns = _moved(session.refused_half_mono_ns, by)
    session.seen_due_mono_ns = _moved(session.seen_due_mono_ns, by)
    session.volumes_asked_mono_ns = _moved(session.volumes_asked_mono_ns, by)
    if session.settings.timings.deadman_ms:
        for instrument, until in session.deadman_until_mono_ns.items():
            session.deadman_until_mono_ns[instrument] = _moved(until, by)
    for swing in session.swings.values():
        swing.since_mono_ns = _moved(swing.since_mono_ns, by)
        swing.calm_until_mono_ns = _moved(swing.calm_until_mono_ns, by)
    if session.volumes:
        session.volumes = {name: (lots, _moved(at, by)) for name, (lots, at) in session.volumes.items()}
        reference.learn(state)
    return []


def _moved(stamp_ns: int, by_ns: int) -> int:
    """A stamp of something that never happened stays where it is."""
    return stamp_ns + by_ns if stamp_ns > FAR_PAST_NS else stamp_ns
