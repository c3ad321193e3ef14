"""Timers in the step: every wait and age comes back as an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.core.ingest.market import REFUSED_HALF_NS, Market, next_half, refused_lately
from holdfast.core.monitor.swing import Swing, crashing
from holdfast.core.state import State
from holdfast.core.step import reference
from holdfast.core.step.commands import end_if_final, unsettled
from holdfast.core.step.conditions import condition, nowhere, rule_is_off, settle, standing, standing_causes
from holdfast.core.step.criteria import mark_strategies
from holdfast.core.step.emit import Out, after_ms, alert, ask, place_hold
from holdfast.core.step.equity import mark_equity
from holdfast.core.step.feeds import ALL_DOWN, all_down
from holdfast.core.step.flatten import work
from holdfast.core.step.glass import end_all, glass_due
from holdfast.core.step.ladder import cool
from holdfast.core.step.market import mark_seen
from holdfast.core.step.orders import ack_due, cancel_scope, chase_due
from holdfast.core.step.reconcile import (
    ASK_BALANCES,
    ASK_POSITIONS,
    REGULAR,
    after_clock,
    ask_balances,
    ask_cash,
    ask_clock,
    ask_orders,
    ask_positions,
    stalest_word,
    told_since,
)
from holdfast.core.step.retries import spent_in
from holdfast.vocab.effects import EndProcess, Severity
from holdfast.vocab.events import TimerFired, TimerKind
from holdfast.vocab.governed import wait_text
from holdfast.vocab.holds import ACCOUNT, HoldCause, Scope
from holdfast.vocab.orders import Lane
from holdfast.vocab.requests import ArmDeadman, QuerySpecs
from holdfast.vocab.units import NS_PER_MS, NS_PER_S, PPM, percent_text

SWEEP_MS: Final = 250
SEEN_EVERY_NS: Final = 10 * NS_PER_S
REFUSED_COUNT_MIN: Final = 10  # a share of less than this says nothing
ENDING_PATIENCE_MS: Final = 15_000
SPECS_EVERY_CLOCKS: Final = 10
# looked up once: a member looked up on its Enum costs 100 ns under Python 3.11
_CLOCK: Final = HoldCause.CLOCK
_STREAM_LOST: Final = HoldCause.USER_STREAM_LOST
_UNARMED: Final = HoldCause.DEADMAN_UNARMED
_FEEDS_LOST: Final = HoldCause.FEEDS_LOST
_STALE_WORD: Final = HoldCause.POSITION_STALE
_SPENT: Final = HoldCause.RETRIES_SPENT


def on_timer(state: State, event: TimerFired) -> Out:
    """One timer came due."""
    out: Out = []
    _DUE[event.kind](state, out, event.key)
    return out


def set_first_timers(state: State, out: Out) -> None:
    """What runs from the start on; and what a start ends, for its timer is gone and its minutes may be over."""
    end_all(state, out, why="the process started anew")
    timings = state.live.settings.timings
    after_ms(state, out, TimerKind.SWEEP, SWEEP_MS)
    after_ms(state, out, TimerKind.EQUITY, timings.equity_interval_ms)
    after_ms(state, out, TimerKind.CLOCK, timings.clock_interval_ms)
    after_ms(state, out, TimerKind.RECONCILE_ORDERS, timings.reconcile_orders_ms)
    after_ms(state, out, TimerKind.RECONCILE_POSITIONS, timings.reconcile_positions_ms)
    if timings.deadman_ms:
        _deadman(state, out, 0)


def _sweep(state: State, out: Out, _: int) -> None:
    """Ages: of data, of the venue's word, of our clock, of the dead-man switch; and what they forbid."""
    session = state.live
    timings = session.settings.timings
    now = session.now_mono_ns
    causes = standing_causes(state)
    _sweep_feeds(state, out, now, lost=_FEEDS_LOST in causes)
    _sweep_swings(state, out, now)
    _sweep_data(state, out)
    if session.ready:
        _sweep_words(state, out, stands=_STALE_WORD in causes)
    off_ms = abs(session.offset_ns - session.offset_base_ns) // NS_PER_MS
    stands = session.offset_known and off_ms > timings.clock_offset_ms_max
    if stands or _CLOCK in causes:
        reason = f"our clock and the venue's moved {off_ms} ms apart"
        condition(state, out, _CLOCK, stands=stands, reason=reason)
    stands = not session.user_stream_up
    if (stands and session.ready) or _STREAM_LOST in causes:
        # what it missed is known once everything that was asked for since it is back has come
        stands = stands or not told_since(state, out, session.user_stream_up_mono_ns)
        reason = "the account's event stream is down: fills come by polling only"
        condition(state, out, _STREAM_LOST, stands=stands, reason=reason)
    if session.retries or _SPENT in causes:
        _sweep_retries(state, out)
    if timings.deadman_ms:
        for instrument in state.specs:
            stands = now >= session.deadman_until_mono_ns.get(instrument, 0)
            if not stands and _UNARMED not in causes:
                continue
            condition(
                state,
                out,
                _UNARMED,
                scope=Scope(instrument=instrument),
                stands=stands,
                reason="the venue's dead-man switch is not armed",
                at_once=True,
            )
    elif _UNARMED in causes:  # not asked for any more
        rule_is_off(state, out, _UNARMED, nowhere)
    reference.sweep(state, out, causes)
    end_if_final(state, out)
    if session.ending and now - session.ending_since_mono_ns > ENDING_PATIENCE_MS * NS_PER_MS:
        _end_anyway(state, out)
    work(state, out)
    cool(state, out)
    after_ms(state, out, TimerKind.SWEEP, SWEEP_MS)


def _end_anyway(state: State, out: Out) -> None:
    session = state.live
    waiting = unsettled(state)
    if session.jobs or not waiting:
        return
    alert(
        out,
        Severity.CRITICAL,
        "stop.unresolved",
        f"ending with orders whose fate is not known: {', '.join(map(str, waiting))}",
    )
    out.append(EndProcess(why=session.ending, unresolved=waiting))


def _sweep_feeds(state: State, out: Out, now: int, *, lost: bool) -> None:
    """How old each instrument's quote is. ``lost``: all of them were dead until now."""
    session = state.live
    dead_ns = session.settings.timings.feed_dead_ms * NS_PER_MS
    grace = now - session.started_mono_ns < dead_ns
    reference_of = session.reference_of
    held = standing(state, HoldCause.STALE_DATA)
    since = now - dead_ns
    markets = session.markets
    silent = dict.fromkeys([name for name, market in markets.items() if market.quote.mono_ns < since])
    for instrument in markets if held else dict.fromkeys((*([] if grace else silent), *reference_of)):
        dead = instrument in silent
        reference = reference_of.get(instrument)
        stands = (dead and not grace) or reference is not None
        if not stands and instrument not in held:
            continue
        settle(
            state,
            out,
            HoldCause.STALE_DATA,
            held.get(instrument),
            scope=Scope(instrument=instrument),
            stands=stands,
            reason=f"no quote for more than {session.settings.timings.feed_dead_ms} ms"
            if reference is None or dead
            else f"priced by {reference}, which is a reference only",
        )
    down = all_down(session)
    stands = down or (len(silent) == len(markets) and not grace)
    if stands or lost:
        condition(
            state,
            out,
            _FEEDS_LOST,
            stands=stands,
            reason=ALL_DOWN if down else "no instrument has a live quote",
        )


def _sweep_swings(state: State, out: Out, now: int) -> None:
    """How far each market moved: one of them, or many at once. A silent one says nothing here."""
    session = state.live
    falls = rises = 0
    held = standing(state, HoldCause.VOLATILITY)
    markets, swings = session.markets, session.swings
    for instrument, limits in state.instrument_limits.items():
        mid2 = markets[instrument].mid2_ticks
        swing = swings.get(instrument)
        if swing is None:
            swing = swings[instrument] = Swing()
        elif swing.calm_low <= mid2 <= swing.calm_high and now < swing.calm_until_mono_ns and not held:
            continue
        most_ppm = limits.swing_ppm_max
        window_ns = limits.swing_window_ms * NS_PER_MS
        moved = swing.look(mid2, now_mono_ns=now, window_ns=window_ns, most_ppm=most_ppm)
        too_far = abs(moved) > most_ppm
        falls += too_far and moved < 0
        rises += too_far and moved > 0
        if not too_far and instrument not in held:
            continue
        # what it moved from before a restart is forgotten: no calm while less than a window was seen
        stands = too_far or not swing.whole(now_mono_ns=now, window_ns=window_ns)
        settle(
            state,
            out,
            HoldCause.VOLATILITY,
            held.get(instrument),
            scope=Scope(instrument=instrument),
            stands=stands,
            reason=f"it moved by more than {limits.swing_ppm_max} ppm within {wait_text(limits.swing_window_ms)}",
        )
    share_ppm = session.settings.account_limits.crash_share_ppm
    if crashing(falls, rises, instruments=len(session.markets), share_ppm=share_ppm):
        way, count = ("fell", falls) if falls >= rises else ("rose", rises)
        place_hold(
            state,
            out,
            HoldCause.CRASH,
            by="monitor",
            reason=f"{count} of {len(session.markets)} instruments {way} by more than their swing at once",
        )


def _sweep_data(state: State, out: Out) -> None:
    """What was refused of each instrument's data, stamps that do not fit, and splits whose day has begun."""
    session = state.live
    off_clock = 0
    now = session.now_mono_ns
    if now >= session.refused_half_mono_ns:
        session.refused_half_mono_ns = now + REFUSED_HALF_NS
        for market in session.markets.values():
            next_half(market)
    held = standing(state, HoldCause.BAD_DATA)
    for instrument, market in session.markets.items():
        if not market.noted and instrument not in held:
            continue
        off_clock += market.clock_count
        market.clock_count = 0
        limit_ppm = state.instrument_limits[instrument].refused_ppm_max
        bad, seen = refused_lately(market)
        at_odds = market.settle_dispute(now)
        stands = at_odds or (bad >= REFUSED_COUNT_MIN and bad * PPM > limit_ppm * seen)
        if stands or instrument in held:
            settle(
                state,
                out,
                HoldCause.BAD_DATA,
                held.get(instrument),
                scope=Scope(instrument=instrument),
                stands=stands,
                reason=f"its marks and quotes are at odds: {market.disputed_ticks} and {market.mid2_ticks >> 1} ticks"
                if at_odds
                else f"more than {percent_text(limit_ppm)} of its data was refused, the last for: {market.refused_why}",
            )
        for what, anew in (("quotes", market.quotes_anew), ("prints", market.trades_anew)):
            if anew.times_count:
                anew.times_count = 0
                text = f"{instrument}: the numbers of its {what} went back while its times went on: they count anew"
                alert(out, Severity.WARNING, "data.renumbered", text)
        if market.scaled:
            _sweep_split(state, out, market)
        if market.missed_trades_count > 0:
            alert(
                out,
                Severity.INFO,
                "data.resumed",
                f"{instrument}: {market.missed_trades_count} numbers of prints passed while we were away",
            )
            market.missed_trades_count = -1
        market.noted = bad > 0 or at_odds or market.scaled
    if session.ready and now >= session.seen_due_mono_ns:
        session.seen_due_mono_ns = now + SEEN_EVERY_NS
        mark_seen(state, out)
    if off_clock and now - session.clock_asked_mono_ns >= NS_PER_S:
        # either their clock stepped or ours did: measure now, not at the next regular time
        session.clock_asked_mono_ns = now
        ask_clock(state, out)


def _sweep_split(state: State, out: Out, market: Market) -> None:
    session = state.live
    while session.now_wall_ns + session.offset_ns >= market.split_venue_ns and not market.split_due:
        market.split_comes()
    if not market.split_due:
        return
    scope = Scope(instrument=market.instrument)
    if not session.split_held.get(market.instrument):
        session.split_held[market.instrument] = True
        split = market.splits[0]
        place_hold(
            state,
            out,
            HoldCause.SPLIT,
            scope=scope,
            by="monitor",
            reason=f"its prices are the old ones times {split.up}/{split.down} from today on",
        )
    elif state.books.holds.find(HoldCause.SPLIT, scope) is None:  # a person has resumed: it was applied
        session.split_held[market.instrument] = False
        market.apply_split()


def _sweep_words(state: State, out: Out, *, stands: bool) -> None:
    """How old the venue's word on our account is: reduce first, then halt, and say why. ``stands``: it is too old."""
    timings = state.live.settings.timings
    name, age_ms = stalest_word(state)
    reduce_ms, halt_ms = timings.position_age_ms_reduce, timings.position_age_ms_halt
    if age_ms <= reduce_ms and age_ms <= halt_ms and not stands:
        return
    condition(
        state,
        out,
        _STALE_WORD,
        stands=age_ms > reduce_ms,
        reason=f"the venue has not told our {name} for more than {reduce_ms} ms; from {halt_ms} ms on all stops",
    )
    if age_ms <= halt_ms or state.books.holds.find(HoldCause.POSITION_UNKNOWN) is not None:
        return
    place_hold(
        state,
        out,
        HoldCause.POSITION_UNKNOWN,
        by="monitor",
        reason=f"the venue has not told our {name} for more than {halt_ms} ms (only reducing since {reduce_ms} ms)",
    )
    # what rests would go on filling into a position that nobody sees; protective stops stay, as in every stop
    cancel_scope(state, out, scope=ACCOUNT, why="the venue does not tell our account", protective=False)


def _sweep_retries(state: State, out: Out) -> None:
    """The holds of spent budgets stand until what failed is answered, or is no longer wanted."""
    spent = spent_in(state)
    held = standing(state, _SPENT)
    for instrument in ("", *dict.fromkeys((*spent, *held))):
        condition(
            state,
            out,
            _SPENT,
            scope=Scope(instrument=instrument),
            stands=instrument in spent,
            reason=spent.get(instrument, ""),
        )


def _equity(state: State, out: Out, _: int) -> None:
    for instrument in state.specs:
        state.refresh_gross(instrument)
    mark_equity(state, out)
    mark_strategies(state, out)
    after_ms(state, out, TimerKind.EQUITY, state.live.settings.timings.equity_interval_ms)


def _clock(state: State, out: Out, key: int) -> None:
    session = state.live
    ask_clock(state, out)
    if key % SPECS_EVERY_CLOCKS == SPECS_EVERY_CLOCKS - 1:
        ask(state, out, QuerySpecs())
    after_ms(state, out, TimerKind.CLOCK, session.settings.timings.clock_interval_ms, key=key + 1)


def _orders(state: State, out: Out, _: int) -> None:
    session = state.live
    if session.offset_known:
        ask_orders(state, out)
    after_ms(state, out, TimerKind.RECONCILE_ORDERS, session.settings.timings.reconcile_orders_ms)
    if session.start_steps:
        after_clock_again(state, out)


def after_clock_again(state: State, out: Out) -> None:
    """A start that is not complete asks again for what it still misses."""
    session = state.live
    if not session.offset_known:
        ask_clock(state, out)
        return
    after_clock(state, out)


def _positions(state: State, out: Out, key: int) -> None:
    """The regular round, or one more question soon (after a failure or a difference)."""
    session = state.live
    if key == REGULAR:
        after_ms(state, out, TimerKind.RECONCILE_POSITIONS, session.settings.timings.reconcile_positions_ms)
    if not session.offset_known:
        return  # the books open at the venue's time: nothing is compared before that
    if key in (REGULAR, ASK_POSITIONS):
        ask_positions(state, out)
    if key in (REGULAR, ASK_BALANCES):
        ask_balances(state, out)
    if key == REGULAR:
        ask_cash(state, out)


def _deadman(state: State, out: Out, _: int) -> None:
    session = state.live
    wait_ms = session.settings.timings.deadman_ms
    if not wait_ms:
        return
    if not session.ending:
        for instrument in state.specs:
            # it changes the account: not without the lease; but a tripped latch must not stop it
            request = ArmDeadman(instrument=instrument, countdown_ms=wait_ms)
            ask(state, out, request, lane=Lane.CANCEL)
    after_ms(state, out, TimerKind.DEADMAN, wait_ms // 4)


_DUE: Final[dict[TimerKind, Callable[[State, Out, int], None]]] = {
    TimerKind.SWEEP: _sweep,
    TimerKind.ACK: ack_due,
    TimerKind.QUERY: chase_due,
    TimerKind.RECONCILE_ORDERS: _orders,
    TimerKind.RECONCILE_POSITIONS: _positions,
    TimerKind.CLOCK: _clock,
    TimerKind.EQUITY: _equity,
    TimerKind.DEADMAN: _deadman,
    TimerKind.FLATTEN: lambda state, out, _: work(state, out),
    TimerKind.GLASS: glass_due,
    TimerKind.STOPPING: lambda state, out, _: end_if_final(state, out),
}
