"""One step: an event in, facts and effects out. This package alone knows the order of the stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from holdfast.core.fit import grid_of
from holdfast.core.state import State
from holdfast.core.step import (
    busts,
    commands,
    feeds,
    intents,
    market,
    quiet,
    reconcile,
    reference,
    replies,
    reports,
    timers,
)
from holdfast.core.step.emit import Out, alert, emit, place_hold
from holdfast.core.step.flatten import resume_flatten, work
from holdfast.vocab import events
from holdfast.vocab import market as data
from holdfast.vocab.effects import Effect, Severity
from holdfast.vocab.facts import EpochBegan
from holdfast.vocab.holds import HoldCause, Scope


def step(state: State, event: events.Event | data.MarketEvent) -> Sequence[Effect]:
    """Take one event: change ``state``, and return facts and effects in the order they must happen.

    An accepted market event is returned itself, for the strategies. Never raises for anything that the
    world can do; ``InvariantBroken`` for our own mistakes.
    """
    market_stage = MARKET_STAGES.get(type(event))
    if market_stage is None:
        return STAGES[type(event)](state, event)
    taken = market_stage(state, event)
    return (event,) if taken is True else taken or ()  # type: ignore[return-value] # the stage knows the kind


def _started(state: State, event: events.Started) -> Out:
    out: Out = []
    settings = event.settings
    state.begin(event)
    emit(
        state,
        out,
        EpochBegan(
            epoch=max(state.books.orders.epoch + 1, event.epoch_floor),
            account=settings.account,
            config_hash=settings.config_hash,
            build=event.build,
            settle_asset=settings.settle_asset,
            tick_lot_e8={spec.instrument: spec.tick_lot_e8 for spec in settings.instruments},
            boot_id=event.boot_id,
            grids={spec.instrument: grid_of(spec) for spec in settings.instruments},
            environment=settings.environment,
            account_number=event.account_number,
        ),
    )
    state.begin(event)  # again: now the ledger knows the units
    reference.learn(state)
    place_hold(state, out, HoldCause.STARTUP, by="start", reason="started: reconcile, then arm")
    reconcile.begin_start(state, out)
    if event.probes:
        state.live.start_steps[reconcile.CONTRACT] = False
    timers.set_first_timers(state, out)
    for began in list(state.books.flattens.values()):
        resume_flatten(state, out, scope=began.scope, by=began.by, reason=began.reason, patient=began.patient)
    return out


def _order_reported(state: State, event: events.OrderReported) -> Out:
    out: Out = []
    reports.order_report(state, out, event.report, fresh=True)
    _after_word(state, out)
    return out


def _trade_reported(state: State, event: events.TradeReported) -> Out:
    out: Out = []
    reports.trade_report(state, out, event.trade)
    if event.report is not None:
        reports.order_report(state, out, event.report, fresh=True)
    _after_word(state, out)
    return out


def _trade_busted(state: State, event: events.TradeBusted) -> Out:
    out: Out = []
    busts.bust_report(state, out, event.bust)
    _after_word(state, out)
    return out


def _after_word(state: State, out: Out) -> None:
    if state.live.jobs:
        work(state, out)
    if state.live.ending:
        commands.end_if_final(state, out)
    reconcile.settle_start(state, out)


def _cash_hinted(state: State, event: events.CashHinted) -> Out:
    out: Out = []
    reconcile.ask_cash(state, out)
    return out


_NOTICE_SEVERITY: Final = {
    events.NoticeKind.MARGIN_CALL: Severity.CRITICAL,
    events.NoticeKind.TRIGGER_REJECTED: Severity.CRITICAL,
    events.NoticeKind.UNREADABLE: Severity.CRITICAL,
}


def _notice(state: State, event: events.VenueNotice) -> Out:
    out: Out = []
    severity = _NOTICE_SEVERITY.get(event.kind, Severity.WARNING)
    alert(out, severity, f"venue.{event.kind.value}", f"{event.instrument} {event.text}".strip())
    if event.kind is events.NoticeKind.UNREADABLE:
        place_hold(
            state,
            out,
            HoldCause.UNKNOWN_ERROR,
            by="venue",
            reason=f"a message on our account's stream could not be read: {event.text}",
        )
        reconcile.full_round(state, out)
    elif event.kind is events.NoticeKind.POSITION_MODE_CHANGED:
        place_hold(state, out, HoldCause.SPEC_CHANGED, by="venue", reason="the position mode was changed")
    return out


def _probed(state: State, event: events.Probed) -> Out:
    out: Out = []
    reconcile.contract_answer(state, out, event.checks)
    return out


def _stream(state: State, event: events.StreamChanged) -> Out:
    out: Out = []
    session = state.live
    if event.stream is events.Stream.USER:
        was_up = session.user_stream_up
        session.user_stream_up = event.up
        if event.up and not was_up:
            session.user_stream_up_mono_ns = session.now_mono_ns
        if event.up and not was_up and session.ready:
            reconcile.full_round(state, out)  # what happened while we were deaf
        if event.up and session.ready and session.settings.arm_auto and not session.armed:
            reconcile.arm_if_possible(state, out, by="auto", reason="arm = auto")
    else:
        session.feeds_up[event.name] = event.up
        feeds.hold_if_all_down(state, out)
    if not event.up:
        alert(out, Severity.WARNING, f"stream.{event.stream.value}", f"{event.name} is down: {event.why}")
    return out


def _strategy_failed(state: State, event: events.StrategyFailed) -> Out:
    out: Out = []
    place_hold(
        state,
        out,
        HoldCause.STRATEGY_FAILED,
        scope=Scope(strategy=event.strategy),
        by="host",
        reason=event.error,
    )
    return out


def _strategy_saved(state: State, event: events.StrategySaved) -> Out:
    return []


def _timed(stage: Callable[..., Out]) -> Callable[..., Out]:
    """The stage at the event's own time."""

    def on_event(state: State, event: events.Event) -> Out:
        session = state.live
        session.now_mono_ns = event.mono_ns
        session.now_wall_ns = event.wall_ns
        return stage(state, event)

    return on_event


# Accepted and nothing else to say: True; refused: False; else facts and effects, the event among them. The engine
# looks stages up in these two tables itself: that is ``step`` without the price of a call and a tuple.
MARKET_STAGES: Final[dict[type, Callable[..., bool | Out]]] = {
    data.Quote: market.on_quote,
    data.Trade: market.on_trade,
    data.Mark: market.on_mark,
    data.Depth: market.on_depth,
    data.Malformed: market.on_malformed,
}
STAGES: Final[dict[type, Callable[..., Out]]] = {
    events.Started: _started,
    events.Stopping: _timed(commands.on_stopping),
    events.OrderIntent: intents.on_order,
    events.TargetIntent: _timed(intents.on_target),
    events.CancelIntent: _timed(intents.on_cancel),
    events.BasketIntent: _timed(intents.on_basket),
    events.AmendIntent: _timed(intents.on_amend),
    events.Command: _timed(commands.on_command),
    events.CallDone: _timed(replies.on_call_done),
    events.OrderReported: _timed(_order_reported),
    events.TradeReported: _timed(_trade_reported),
    events.TradeBusted: _timed(_trade_busted),
    events.CashHinted: _timed(_cash_hinted),
    events.VenueNotice: _timed(_notice),
    events.Probed: _timed(_probed),
    events.StreamChanged: _timed(_stream),
    events.FeedChosen: _timed(feeds.on_chosen),
    events.ReferencePriced: _timed(market.on_reference),
    events.StreamSilent: _timed(feeds.on_silent),
    events.PressureChanged: _timed(feeds.on_pressure),
    events.TimerFired: _timed(timers.on_timer),
    events.HoursPassed: _timed(quiet.on_hours_passed),
    events.LatchSeen: _timed(commands.on_latch),
    events.LeaseLost: _timed(commands.on_lease),
    events.StrategyFailed: _timed(_strategy_failed),
    events.StrategySaved: _timed(_strategy_saved),
    events.ReferenceRead: _timed(reference.on_reference),
}
