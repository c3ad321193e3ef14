"""Reference data in the step: the file's rows, the venue's volumes, hours and sessions, and falls of the market.

All of it becomes numbers that the gate compares an order with (``Desk.learn``): at news, and at each wall time at
which something opens, closes or grows too old, which the sweep looks for. Nothing here runs per order.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from holdfast.core.gate.exposure import GroupSum
from holdfast.core.gate.facts import NO_BAND, Facts
from holdfast.core.holds.table import covers
from holdfast.core.monitor.equity import day_of
from holdfast.core.monitor.hours import ALWAYS, Opening, both, in_calendar, in_week, next_change_ns
from holdfast.core.state import State
from holdfast.core.step.conditions import condition, nowhere, rule_is_off
from holdfast.core.step.emit import Out, alert, ask, emit
from holdfast.core.step.orders import cancel_scope
from holdfast.core.views import MARK_AGE_NS_MAX
from holdfast.vocab.effects import Severity
from holdfast.vocab.events import ReferenceRead
from holdfast.vocab.facts import DayPriced
from holdfast.vocab.holds import HoldCause, HoldLevel, Scope
from holdfast.vocab.outcome import Ok, Outcome
from holdfast.vocab.reference import ALWAYS_NS, InstrumentReference
from holdfast.vocab.reports import Volumes
from holdfast.vocab.requests import QueryVolumes
from holdfast.vocab.units import NS_PER_MS, NS_PER_S, PPM, percent_text

VOLUMES_EVERY_NS: Final = 60 * NS_PER_S
VOLUME_AGE_NS: Final = 24 * 3_600 * NS_PER_S  # asked longer ago, it speaks of another day altogether
_STALE: Final = HoldCause.REFERENCE_STALE
_FALLEN: Final = HoldCause.MARKET_HALT
_NOT_TOLD: Final = InstrumentReference(instrument="")


def on_reference(state: State, event: ReferenceRead) -> Out:
    """The reference file was read, or could not be: then what was read before still stands, and grows older."""
    out: Out = []
    session = state.live
    if event.problem:
        alert(out, Severity.WARNING, "reference.unusable", event.problem)
    else:
        if session.reference is None or session.reference.digest != event.digest:
            alert(
                out,
                Severity.INFO,
                "reference.read",
                f"{len(event.instruments)} instruments in the reference file",
            )
        known = {row.group for row in event.instruments}
        for group in session.group_flows:
            if group not in known:
                text = f"[flow_group.{group}] bounds nothing: no instrument in the reference file is of that group"
                alert(out, Severity.WARNING, "reference.group", text)
        session.reference = event
        learn(state)
    _stale(state, out)
    return out


def volumes_answer(
    state: State, out: Out, request: QueryVolumes, asked_mono_ns: int, outcome: Outcome
) -> bool:
    """The venue's volumes of the last 24 hours; False where it did not tell them."""
    session = state.live
    session.volumes_asking = False
    if not (isinstance(outcome, Ok) and isinstance(outcome.value, Volumes)):
        return False
    for instrument, lots in outcome.value.lots:
        session.volumes[instrument] = (lots, asked_mono_ns)
    learn(state)
    return True


def learn(state: State) -> None:
    """Write what is known now into the rows that the gate reads, and say when to look again."""
    session = state.live
    read, rules = session.reference, session.settings.reference
    rows = {} if read is None else {row.instrument: row for row in read.instruments}
    calendars = {} if read is None else {one.name: one.opens for one in read.calendars}
    now = session.now_wall_ns
    again_ns = ALWAYS_NS
    for instrument, facts in session.facts.items():
        row = rows.get(instrument)
        facts.told = row is not None
        if rules is not None:
            facts.as_of_ns = 0 if read is None else read.as_of_wall_ns
            facts.age_ms_max = rules.age_ms_max
            facts.fresh_until_ns = 0 if row is None else facts.as_of_ns + rules.age_ms_max * NS_PER_MS
        again_ns = min(again_ns, _take(state, facts, instrument, row or _NOT_TOLD, calendars, now))
    closed = []
    for strategy, desks in state.desks.items():
        for instrument, desk in desks.items():
            opening, whose = _window(state, strategy, instrument, now)
            desk.window_until_ns, desk.window_opens_ns, desk.window_of = *opening, whose
            again_ns = min(again_ns, next_change_ns(opening))
            desk.learn()
            if not opening.until_ns:
                closed.append((strategy, instrument))
    session.closed = tuple(closed)
    session.hours_due_wall_ns = again_ns


def _take(
    state: State,
    facts: Facts,
    instrument: str,
    row: InstrumentReference,
    calendars: dict[str, tuple[tuple[int, int], ...]],
    now: int,
) -> int:
    """One row; returns the wall time at which it must be looked at again."""
    session = state.live
    facts.band_low_ticks = row.band_low_ticks
    facts.band_high_ticks = row.band_high_ticks or NO_BAND
    facts.adv_lots = row.adv_lots
    again_ns = ALWAYS_NS
    if not row.adv_lots and instrument in session.volumes:
        lots, asked_mono_ns = session.volumes[instrument]
        left_ns = asked_mono_ns + VOLUME_AGE_NS - session.now_mono_ns
        facts.adv_lots = lots if left_ns > 0 else 0
        again_ns = now + left_ns if left_ns > 0 else ALWAYS_NS
    session_now = in_calendar(calendars.get(row.calendar, ()), now) if row.calendar else ALWAYS
    facts.session_until_ns, facts.session_opens_ns = session_now
    exposure = state.exposures.get(instrument)
    if facts.group != row.group or (exposure is not None and not row.group):
        facts.group = row.group
        if exposure is not None:
            exposure.join(
                session.account.groups.setdefault(row.group, GroupSum()) if row.group else GroupSum()
            )
    return min(again_ns, next_change_ns(session_now))


def _window(state: State, strategy: str, instrument: str, now: int) -> tuple[Opening, str]:
    """Our own hours for a strategy in an instrument, and whose they are: the strategy's, where both have closed."""
    opening, whose = ALWAYS, ""
    for hours in state.live.settings.hours:
        if covers(hours.scope, strategy=strategy, instrument=instrument):
            one = in_week(hours.spans, now)
            if not one.until_ns and whose != "strategy":
                whose = "strategy" if hours.scope.strategy else "instrument"
            opening = both(opening, one)
    return opening, whose


def sweep(state: State, out: Out, causes: Collection[HoldCause]) -> None:
    """Four times a second: what opened, closed or grew too old; what the venue must be asked; how far it fell.

    ``causes``: of all the holds that stand.
    """
    session = state.live
    if session.now_wall_ns >= session.hours_due_wall_ns:
        learn(state)
    if session.settings.reference is not None or _STALE in causes:
        _stale(state, out)
    if session.ready and session.closed:
        _cancel_outside_hours(state, out)
    if session.offset_known:
        _ask_volumes(state, out)
    if session.settings.market_halts or _FALLEN in causes:
        _falls(state, out, standing=_FALLEN in causes)


def _cancel_outside_hours(state: State, out: Out) -> None:
    """What rests and may add risk does not outlast our hours; what only reduces stays, as it would still be sent."""
    for strategy, instrument in state.live.closed:
        still = state.desks[strategy][instrument].my_open
        if still.buy_lots or still.sell_lots:
            scope = Scope(strategy=strategy, instrument=instrument)
            why = "outside trading hours"
            cancel_scope(state, out, scope=scope, why=why, protective=False, only_increasing=True)


def _stale(state: State, out: Out) -> None:
    rules, read = state.live.settings.reference, state.live.reference
    if rules is None or rules.when_stale is HoldLevel.NONE:
        rule_is_off(state, out, _STALE, nowhere)
        return
    now = state.live.now_wall_ns
    days = rules.age_ms_max // 86_400_000
    condition(
        state,
        out,
        _STALE,
        stands=read is None or now >= read.as_of_wall_ns + rules.age_ms_max * NS_PER_MS,
        reason=f"the reference file is missing, or older than {days} days",
        at_once=True,
        level=rules.when_stale,
    )


def _ask_volumes(state: State, out: Out) -> None:
    """Ask for the last 24 hours of what the file tells no volume of; one question at a time."""
    session = state.live
    if session.volumes_asking or session.now_mono_ns - session.volumes_asked_mono_ns < VOLUMES_EVERY_NS:
        return
    told = {} if session.reference is None else {row.instrument: row for row in session.reference.instruments}
    wanted = tuple(
        name
        for name, limits in state.instrument_limits.items()
        if limits.adv_share_ppm_max and not told.get(name, _NOT_TOLD).adv_lots
    )
    session.volumes_asked_mono_ns = session.now_mono_ns
    if wanted:
        session.volumes_asking = True
        ask(state, out, QueryVolumes(instruments=wanted))


def _falls(state: State, out: Out, *, standing: bool) -> None:
    """Hold by how far prices are below the day's first: the benchmark's for the account, each its own for itself."""
    session = state.live
    settings = session.settings
    halts = settings.market_halts
    benchmark = settings.benchmark
    each = any(not halt.everywhere for halt in halts)
    account = benchmark in session.markets and any(halt.everywhere for halt in halts)

    def in_force(scope: Scope) -> bool:
        return each and scope.instrument in session.markets if scope.instrument else account

    if standing:
        rule_is_off(state, out, _FALLEN, in_force)
    if not halts:
        return
    left_ppm = PPM - min(halt.fall_ppm for halt in halts)
    markets = session.markets
    if not each:
        markets = {name: market for name, market in markets.items() if name == benchmark}
    known = state.books.day_prices
    day = day_of(session.now_wall_ns, day_begins_utc_hour=settings.day_begins_utc_hour)
    for instrument, market in markets.items():
        price = market.mark_ticks
        if not price or market.quote.mono_ns - market.mark_mono_ns > MARK_AGE_NS_MAX:
            price = market.price_ticks()
            if price <= 0:
                continue
        told = known.get(instrument)
        if told is None or day > told.day:
            emit(state, out, DayPriced(instrument=instrument, day=day, price_ticks=price))
            base = price
        else:  # a clock that stepped back keeps the day
            base = told.price_ticks
        if price * PPM > base * left_ppm and not standing:
            continue  # as nearly always: nothing to place, and nothing to let go
        everywhere = instrument == benchmark
        if everywhere:
            _fall(state, out, None, instrument, base, price)
        if each:
            _fall(state, out, Scope(instrument=instrument), instrument, base, price)


def _fall(
    state: State, out: Out, scope: Scope | None, instrument: str, base_ticks: int, price_ticks: int
) -> None:
    reached = [
        halt
        for halt in state.live.settings.market_halts
        if halt.everywhere is (scope is None)
        and (base_ticks - price_ticks) * PPM >= halt.fall_ppm * base_ticks
    ]
    worst = max((halt.level for halt in reached), default=HoldLevel.NONE)
    deepest = max((halt.fall_ppm for halt in reached), default=0)
    condition(
        state,
        out,
        _FALLEN,
        scope=scope,
        stands=bool(reached),
        reason=f"{instrument} fell by {percent_text(deepest)} or more since the day began",
        level=worst if reached else None,
    )
