"""One step: an event in, facts and effects out. This package alone knows the order of the stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from holdfast.core.state import State as _State
from holdfast.core.step import commands as _commands
from holdfast.core.step import intents as _intents
from holdfast.core.step import market as _market
from holdfast.core.step import reconcile as _reconcile
from holdfast.core.step import replies as _replies
from holdfast.core.step import reports as _reports
from holdfast.core.step import timers as _timers
from holdfast.core.step.emit import Out as _Out
from holdfast.core.step.emit import alert as _alert
from holdfast.core.step.emit import emit as _emit
from holdfast.core.step.emit import place_hold as _place_hold
from holdfast.core.step.flatten import resume_flatten as _resume_flatten
from holdfast.core.step.flatten import work as _work
from holdfast.vocab import events as _events
from holdfast.vocab import market as _data
from holdfast.vocab.effects import Effect as _Effect
from holdfast.vocab.effects import Severity as _Severity
from holdfast.vocab.facts import EpochBegan as _EpochBegan
from holdfast.vocab.holds import HoldCause as _HoldCause
from holdfast.vocab.holds import Scope as _Scope

__all__ = ["step"]


def step(state: _State, event: _events.Event | _data.MarketEvent) -> Sequence[_Effect]:
    """Take one event: change ``state``, and return facts and effects in the order they must happen.

    An accepted market event is returned itself, for the strategies. Never raises for anything that the
    world can do; ``InvariantBroken`` for our own mistakes.
    """
    return _STAGES[type(event)](state, event)


def _started(state: _State, event: _events.Started) -> _Out:
    out: _Out = []
    settings = event.settings
    state.begin(event)
    _emit(
        state,
        out,
        _EpochBegan(
            epoch=max(state.books.orders.epoch + 1, event.epoch_floor),
            account=settings.account,
            config_hash=settings.config_hash,
            build=event.build,
            settle_asset=settings.settle_asset,
            tick_lot_e8={spec.instrument: spec.tick_lot_e8 for spec in settings.instruments},
            boot_id=event.boot_id,
        ),
    )
    state.begin(event)  # again: now the ledger knows the units
    _place_hold(state, out, _HoldCause.STARTUP, by="start", reason="started: reconcile, then arm")
    _reconcile.begin_start(state, out)
    _timers.set_first_timers(state, out)
    for began in list(state.books.flattens.values()):
        _resume_flatten(
            state, out, scope=began.scope, by=began.by, reason=began.reason, patient=began.patient
        )
    return out


def _timed(
    stage: Callable[..., _Out],
) -> Callable[[_State, _events.Event], _Out]:
    def timed(state: _State, event: _events.Event) -> _Out:
        session = state.live
        session.now_mono_ns = session.account.now_mono_ns = event.mono_ns
        session.now_wall_ns = event.wall_ns
        return stage(state, event)

    return timed


def _order_reported(state: _State, event: _events.OrderReported) -> _Out:
    out: _Out = []
    _reports.order_report(state, out, event.report, fresh=True)
    _after_word(state, out)
    return out


def _trade_reported(state: _State, event: _events.TradeReported) -> _Out:
    out: _Out = []
    _reports.trade_report(state, out, event.trade)
    if event.report is not None:
        _reports.order_report(state, out, event.report, fresh=True)
    _after_word(state, out)
    return out


def _after_word(state: _State, out: _Out) -> None:
    if state.live.jobs:
        _work(state, out)
    if state.live.ending:
        _commands.end_if_final(state, out)
    _reconcile.settle_start(state, out)


def _cash_hinted(state: _State, event: _events.CashHinted) -> _Out:
    out: _Out = []
    _reconcile.ask_cash(state, out)
    return out


_NOTICE_SEVERITY: Final = {
    _events.NoticeKind.MARGIN_CALL: _Severity.CRITICAL,
    _events.NoticeKind.TRIGGER_REJECTED: _Severity.CRITICAL,
    _events.NoticeKind.UNREADABLE: _Severity.CRITICAL,
}


def _notice(state: _State, event: _events.VenueNotice) -> _Out:
    out: _Out = []
    severity = _NOTICE_SEVERITY.get(event.kind, _Severity.WARNING)
    _alert(out, severity, f"venue.{event.kind.value}", f"{event.instrument} {event.text}".strip())
    if event.kind is _events.NoticeKind.UNREADABLE:
        _place_hold(
            state,
            out,
            _HoldCause.UNKNOWN_ERROR,
            by="venue",
            reason=f"a message on our account's stream could not be read: {event.text}",
        )
        _reconcile.full_round(state, out)
    elif event.kind is _events.NoticeKind.POSITION_MODE_CHANGED:
        _place_hold(state, out, _HoldCause.SPEC_CHANGED, by="venue", reason="the position mode was changed")
    return out


def _stream(state: _State, event: _events.StreamChanged) -> _Out:
    out: _Out = []
    session = state.live
    if event.stream is _events.Stream.USER:
        was_up = session.user_stream_up
        session.user_stream_up = event.up
        if event.up and not was_up and session.ready:
            _reconcile.full_round(state, out)  # what happened while we were deaf
        if event.up and session.ready and session.settings.arm_auto and not session.armed:
            _reconcile.arm_if_possible(state, out, by="auto", reason="arm = auto")
    else:
        session.feeds_up[event.name] = event.up
    if not event.up:
        _alert(out, _Severity.WARNING, f"stream.{event.stream.value}", f"{event.name} is down: {event.why}")
    return out


def _strategy_failed(state: _State, event: _events.StrategyFailed) -> _Out:
    out: _Out = []
    _place_hold(
        state,
        out,
        _HoldCause.STRATEGY_FAILED,
        scope=_Scope(strategy=event.strategy),
        by="host",
        reason=event.error,
    )
    return out


def _strategy_saved(state: _State, event: _events.StrategySaved) -> _Out:
    return []


_STAGES: Final[dict[type, Callable[..., Sequence[_Effect]]]] = {
    _data.Quote: _market.on_quote,
    _data.Trade: _market.on_trade,
    _data.Mark: _market.on_mark,
    _data.Depth: _market.on_depth,
    _data.Malformed: _market.on_malformed,
    _events.Started: _started,
    _events.Stopping: _timed(_commands.on_stopping),
    _events.OrderIntent: _timed(_intents.on_order),
    _events.TargetIntent: _timed(_intents.on_target),
    _events.CancelIntent: _timed(_intents.on_cancel),
    _events.AmendIntent: _timed(_intents.on_amend),
    _events.Command: _timed(_commands.on_command),
    _events.CallDone: _timed(_replies.on_call_done),
    _events.OrderReported: _timed(_order_reported),
    _events.TradeReported: _timed(_trade_reported),
    _events.CashHinted: _timed(_cash_hinted),
    _events.VenueNotice: _timed(_notice),
    _events.StreamChanged: _timed(_stream),
    _events.TimerFired: _timed(_timers.on_timer),
    _events.LatchSeen: _timed(_commands.on_latch),
    _events.LeaseLost: _timed(_commands.on_lease),
    _events.StrategyFailed: _timed(_strategy_failed),
    _events.StrategySaved: _timed(_strategy_saved),
}
