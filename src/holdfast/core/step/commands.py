"""People's acts in the step. Stopping takes one word; loosening needs a reason and checks that pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import structs

from holdfast.core.holds.ladder import LADDER, Push, Rung
from holdfast.core.holds.rules import RULES, remedy_of
from holdfast.core.orders.book import OrderRow
from holdfast.core.orders.lifecycle import is_final
from holdfast.core.state import State
from holdfast.core.step.busts import take_back
from holdfast.core.step.emit import (
    HALTS_MAX,
    Out,
    alert,
    emit,
    heal_break,
    move,
    place_hold,
    release_hold,
    touch,
)
from holdfast.core.step.equity import mark_equity
from holdfast.core.step.flatten import begin_flatten
from holdfast.core.step.ladder import climb, cool_left_ms, rung
from holdfast.core.step.limits import break_glass, end_by_person, set_limit
from holdfast.core.step.market import mark_seen
from holdfast.core.step.orders import cancel_scope
from holdfast.core.step.persons import leave_of
from holdfast.core.step.reconcile import arm_if_possible, full_round, not_armable, venue_ns_at
from holdfast.core.views import FAR_PAST_NS
from holdfast.vocab.effects import CommandAnswered, EndProcess, Severity, TripLatch
from holdfast.vocab.events import Command, LatchSeen, LeaseLost, Stopping, Verb
from holdfast.vocab.facts import (
    BreakFound,
    BreakKind,
    CashBooked,
    CashKind,
    FillAccepted,
    FillBusted,
    HoldPlaced,
    PositionAdjusted,
)
from holdfast.vocab.holds import ACCOUNT, Hold, HoldCause, HoldLevel, Release
from holdfast.vocab.orders import Did, OrderState
from holdfast.vocab.units import NS_PER_MS

Answer = tuple[bool, str]


def on_command(state: State, command: Command) -> Out:
    """Carry out a person's act and answer it."""
    out: Out = []
    unknown = _unknown(state, command)
    accepted, text = (False, unknown) if unknown else _ACTS[command.verb](state, out, command)
    out.append(CommandAnswered(command_id=command.command_id, accepted=accepted, text=text))
    return out


def _unknown(state: State, command: Command) -> str:
    """What the command's scope names and we do not know: a slip of the pen must not look like a stop."""
    scope = command.scope
    known = scope.instrument in state.specs
    if command.verb is Verb.ADOPT:  # a balance that differs goes by its asset
        known = known or any(found.key == scope.instrument for found in state.books.breaks.values())
    if scope.instrument and not known:
        return f"unknown instrument {scope.instrument}"
    books = state.books
    if scope.strategy and not (
        scope.strategy in state.desks
        or scope.strategy in books.ledger.attributed
        or scope.strategy in books.orders.by_strategy
        or any(hold.scope.strategy == scope.strategy for hold in books.holds.holds.values())
    ):
        return f"unknown strategy {scope.strategy}"
    return ""


def _arm(state: State, out: Out, command: Command) -> Answer:
    if state.books.holds.find(HoldCause.STARTUP) is None:
        return True, "armed already" + _still(state)
    why = arm_if_possible(
        state, out, by=command.by, reason=command.reason or "armed", latch_nonce=command.latch_nonce
    )
    if why:
        return False, f"not armed: {why}"
    return True, "armed" + _still(state)


def _still(state: State) -> str:
    standing = [hold for hold in state.books.holds.holds.values() if hold.scope == ACCOUNT]
    if not standing:
        return ""
    return "; still standing: " + "; ".join(
        f"hold {hold.hold_id} {hold.level.name} ({hold.cause.value}): {remedy_of(hold)}" for hold in standing
    )


def _halt(state: State, out: Out, command: Command) -> Answer:
    if command.scope == ACCOUNT:
        why = command.reason or "halt"
        seen = any(
            hold.cause is HoldCause.HALT and hold.latch_nonce == command.latch_nonce and hold.reason == why
            for hold in state.books.holds.holds.values()
        )
        if not (seen and command.latch_nonce):  # the face that it came through has tripped the latch itself
            # the latch is the halt: its hold comes back as LatchSeen, with the nonce that clears it
            out.append(TripLatch(by=command.by, reason=why))
        return True, "halted: the latch is tripped"
    hold = place_hold(
        state, out, HoldCause.HALT, scope=command.scope, by=command.by, reason=command.reason or "halt"
    )
    return True, f"halted by hold {hold.hold_id}"


def _hold_then(
    cause: HoldCause, *, cancel: bool, flatten: bool, patient: bool = False
) -> Callable[..., Answer]:
    beside = RULES[cause].release is Release.TWO_PERSONS  # the delay of leaving it runs from the last word

    def act(state: State, out: Out, command: Command) -> Answer:
        why = command.reason or cause.value
        hold = place_hold(state, out, cause, scope=command.scope, by=command.by, reason=why, beside=beside)
        asked = 0
        if cancel:
            asked = cancel_scope(
                state,
                out,
                scope=command.scope,
                why=cause.value,
                protective=command.protective,
                foreign=flatten,
            )
        if flatten:
            begin_flatten(state, out, scope=command.scope, by=command.by, reason=why, patient=patient)
        if cause is HoldCause.HARDSTOP:
            state.live.ending = f"hardstop by {command.by}: {why}"
            state.live.ending_since_mono_ns = state.live.now_mono_ns
        doing = f", {asked} orders asked to cancel" if cancel else ""
        doing += ", getting flat" if flatten else ""
        return True, f"{hold.level.name} by hold {hold.hold_id}{doing}"

    return act


def _resume(state: State, out: Out, command: Command) -> Answer:
    hold = state.books.holds.holds.get(command.hold_id)
    if hold is None:
        return False, f"no hold {command.hold_id} stands: see holdfast holds"
    return _lift(state, out, command, hold)


def _lift(state: State, out: Out, command: Command, hold: Hold) -> Answer:
    if not command.reason:
        return False, "a reason is needed to resume"
    if hold.cause is HoldCause.STARTUP:
        return False, "the startup hold is lifted by holdfast arm"
    if hold.release is Release.TWO_PERSONS:
        return False, f"hold {hold.hold_id} is left by: {remedy_of(hold)}"
    if hold.release is Release.AUTOMATIC:
        return False, f"hold {hold.hold_id} releases itself: {remedy_of(hold)}"
    why = _not_liftable(state, hold)
    if not why and hold.cause is HoldCause.DRAWDOWN_BREAKER:
        why = _reset(state, out, command)
    elif not why:
        release_hold(state, out, hold, by=command.by, reason=command.reason, latch_nonce=command.latch_nonce)
    if why:
        return False, f"hold {hold.hold_id} stays: {why}"
    return True, f"hold {hold.hold_id} released" + _still(state)


def _reset(state: State, out: Out, command: Command) -> str:
    """Reset the breaker by the ladder's table; else why not."""
    stands = rung(state)
    if (stands, Push.RESET) not in LADDER:
        if stands is Rung.BREAKER:
            return f"the cool-down runs another {cool_left_ms(state) // 1000 + 1} s"
        return f"{stands.value.replace('_', ' ')} comes first: holdfast holds"
    if state.equity_e8() is None:
        return "equity is not known"
    mark_equity(state, out)  # by now, not by the last timer
    if state.books.drawdown.drawdown_ppm() > state.live.settings.account_limits.drawdown_breaker_ppm:
        why = "the drawdown is still over the breaker's"
        climb(state, out, Push.RESET_BEYOND, by=command.by, reason=why)
        return f"{why}: its cool-down begins again"
    climb(state, out, Push.RESET, by=command.by, reason=command.reason)
    mark_equity(state, out)  # watch the floor again from here, not from the next timer
    return ""


def _not_liftable(state: State, hold: Hold) -> str:
    session = state.live
    if session.jobs:
        return "an exit is still under way"
    if hold.level >= HoldLevel.HALTED and not state.books.holds.find(HoldCause.STARTUP):
        why = not_armable(state)
        if why:
            return why
    if hold.cause is HoldCause.QUARANTINE and (state.books.ledger.quarantined or _foreign(state, hold)):
        return "something in quarantine is unresolved: holdfast quarantine list"
    return ""


def _foreign(state: State, hold: Hold) -> bool:
    return any(
        not hold.scope.instrument or row.instrument == hold.scope.instrument
        for row in state.books.orders.foreign.values()
    )


def _unpause(state: State, out: Out, command: Command) -> Answer:
    hold = state.books.holds.find(HoldCause.PAUSE, command.scope)
    if hold is None:
        return False, "not paused there" + _still(state)
    return _lift(state, out, command, hold)


def _recover(state: State, out: Out, command: Command) -> Answer:
    killed = [hold for hold in state.books.holds.holds.values() if hold.release is Release.TWO_PERSONS]
    if not killed:
        return False, "nothing to recover from: no KILLED hold stands"
    if not command.reason:
        return False, "a reason is needed to recover"
    session = state.live
    if session.jobs:
        return False, "an exit is still under way"
    newest = max(state.books.hold_since_mono_ns(hold) for hold in killed)
    leave = leave_of(state, by=command.by, second_by=command.second_by, since_mono_ns=newest)
    if isinstance(leave, str):
        return False, leave
    place_hold(state, out, HoldCause.STARTUP, by=command.by, reason=f"recovered: {command.reason}")
    for hold in killed:
        release_hold(state, out, hold, by=command.by, reason=command.reason, latch_nonce=command.latch_nonce)
    full_round(state, out)
    return True, "recovered to HALTED; next: holdfast arm"


def _ban(state: State, out: Out, command: Command) -> Answer:
    if command.scope == ACCOUNT:
        return False, "ban needs an instrument or a strategy"
    hold = place_hold(
        state, out, HoldCause.BAN, scope=command.scope, by=command.by, reason=command.reason or "ban"
    )
    asked = cancel_scope(state, out, scope=command.scope, why="ban", protective=False, only_increasing=True)
    return True, f"banned by hold {hold.hold_id}: reduce-only there, {asked} orders asked to cancel"


def _unban(state: State, out: Out, command: Command) -> Answer:
    hold = state.books.holds.find(HoldCause.BAN, command.scope)
    if hold is None:
        return False, "not banned"
    return _lift(state, out, command, hold)


def _cancel(state: State, out: Out, command: Command) -> Answer:
    asked = cancel_scope(
        state,
        out,
        scope=command.scope,
        why=f"cancel by {command.by}",
        protective=command.protective,
        foreign=True,
    )
    return True, f"{asked} orders asked to cancel"


def _flatten(state: State, out: Out, command: Command) -> Answer:
    why = command.reason or "flatten"
    # what is closed must not be opened again behind the exit: trading goes on when a person says so
    hold = place_hold(state, out, HoldCause.FLATTEN, scope=command.scope, by=command.by, reason=why)
    cancel_scope(state, out, scope=command.scope, why="flatten", protective=False, only_increasing=True)
    begin_flatten(state, out, scope=command.scope, by=command.by, reason=why, patient=False)
    return True, f"{hold.level.name} by hold {hold.hold_id}, getting flat"


def _reconcile(state: State, out: Out, command: Command) -> Answer:
    full_round(state, out)
    return True, "asked the venue for everything; see holdfast status"


def _resolve(state: State, out: Out, command: Command) -> Answer:
    row = state.books.orders.live.get(command.order_id)
    if row is None:
        return False, f"no open order {command.order_id}"
    if is_final(row.state) and row.reported_lots > row.filled_lots:
        return _resolve_fills(state, out, command, row)
    if row.state is not OrderState.UNKNOWN:
        return False, f"order {command.order_id} is {row.state.value}, not unknown: the venue decides"
    if not command.reason:
        return False, "a reason is needed to resolve"
    move(state, out, row.order_id, Did.RESOLVED, why=f"{command.by}: {command.reason}")
    state.live.chases.pop(row.order_id, None)
    return True, f"order {command.order_id} closed by {command.by}"


def _resolve_fills(state: State, out: Out, command: Command, row: OrderRow) -> Answer:
    """The venue reported executions of a final order that no list of it has: taken back before we heard of them."""
    if not command.reason:
        return False, "a reason is needed to resolve"
    if state.live.words.trades_mono_ns.get(row.terms.instrument, FAR_PAST_NS) <= row.changed_mono_ns:
        return False, (
            f"the venue has not listed its executions since order {row.order_id} became {row.state.value}: they may "
            "stand there; holdfast reconcile first"
        )
    lots = row.reported_lots - row.filled_lots
    emit(
        state,
        out,
        FillBusted(
            trade_id=f"never told/{row.order_id}/{row.reported_lots}",
            order_id=row.order_id,
            instrument=row.terms.instrument,
            side=row.terms.side,
            qty_lots=lots,
            price_ticks=row.price_ticks or 0,
            booked=False,
            counted=False,
            by=command.by,
            reason=command.reason,
            venue_ns=venue_ns_at(state, state.live.now_mono_ns),
        ),
    )
    touch(state, row.terms.instrument)
    state.live.chases.pop(row.order_id, None)
    return True, f"{lots} lots of order {row.order_id} closed as never executed by {command.by}"


def _quarantine_release(state: State, out: Out, command: Command) -> Answer:
    found = state.books.ledger.quarantined.get(command.trade_id)
    if found is None:
        return False, f"nothing in quarantine under {command.trade_id!r}: see holdfast quarantine list"
    if not command.reason:
        return False, "a reason is needed"
    emit(state, out, FillAccepted(key=command.trade_id, by=command.by, reason=command.reason))
    return True, f"fill {command.trade_id} accepted into the books by {command.by}"


def _bust(state: State, out: Out, command: Command) -> Answer:
    """A person signs that the venue took an execution back, of which its stream said nothing."""
    name, _, trade_id = command.trade_id.partition("/")
    ledger = state.books.ledger
    if ledger.was_taken_back(name, trade_id):
        return True, f"fill {command.trade_id} is taken back already"
    kept = ledger.may_take_back(name, trade_id)
    if kept is None:
        return False, (
            f"no fill {command.trade_id!r} among the last of its instrument since a position was adopted there: "
            f"INSTRUMENT/TRADE as in holdfast fills; an older one: holdfast adopt {name or 'INSTRUMENT'}"
        )
    differs = (f"{BreakKind.FILL_GONE.value}/{command.trade_id}", f"{BreakKind.POSITION.value}/{name}")
    if all(found not in state.books.breaks for found in differs):
        return False, "the venue's word does not differ from the books there: holdfast reconcile asks again"
    if not command.reason:
        return False, "a reason is needed"
    take_back(
        state,
        out,
        kept,
        by=command.by,
        reason=command.reason,
        venue_ns=venue_ns_at(state, state.live.now_mono_ns),
        counted=False,  # no balance is taken as a whole while the venue's word differs there
    )
    return True, f"fill {command.trade_id} taken out of the books by {command.by}"


def _not_adoptable(state: State, found: BreakFound) -> str:
    """Why the venue's word cannot be taken over now: it, or what may still explain the difference, is too old."""
    session = state.live
    words = session.words
    if words.positions.failures:
        return "the last question for positions was not answered: holdfast reconcile first"
    asked = {"positions": words.positions.mono_ns}
    if found.kind is BreakKind.POSITION:
        asked["executions"] = words.trades_mono_ns.get(found.key, FAR_PAST_NS)
    elif found.kind is BreakKind.BALANCE:
        asked |= {"balances": words.balances.mono_ns, "income": words.cash_mono_ns}
    differ = [name for name, one in state.books.breaks.items() if one.kind is BreakKind.POSITION]
    if found.kind is BreakKind.BALANCE and differ:
        # taken as a whole it would have in it what a fill that is taken out of the books later moves again
        return f"{', '.join(sorted(differ))} first: what moved a position may have moved {found.key} too"
    oldest = session.now_mono_ns - session.settings.timings.position_age_ms_reduce * NS_PER_MS
    for name, mono_ns in asked.items():
        if mono_ns < oldest:
            return f"no fresh word on {name} from the venue: holdfast reconcile first"
    if found.kind is BreakKind.POSITION and _adopted_ticks(state, found.key) <= 0:
        return f"no price known for {found.key}: cannot adopt yet"
    return ""


def _adopted_ticks(state: State, instrument: str) -> int:
    """The price at which a position is adopted; 0 where none is known."""
    session = state.live
    market = session.markets.get(instrument)
    return session.words.mark_ticks.get(instrument, 0) or (market.price_ticks() if market else 0)


def _entry_cost_e8(state: State, instrument: str) -> int | None:
    """What the venue says its position was entered for, where all of it is adopted: the unrealised result is then the
    venue's. Of a part of a position the venue tells no price.
    """
    if state.books.ledger.position(instrument).position_lots:
        return None
    return state.live.words.cost_e8.get(instrument)


def _adopt(state: State, out: Out, command: Command) -> Answer:
    """Make a position, a balance or the word on an order follow the venue's last one, by a named person.

    Only the difference that is named: another one may have been found since that person looked, and be a lie.
    """
    if not command.reason:
        return False, "a reason is needed to adopt"
    if not command.scope.instrument:
        return False, "adopt by name: each difference (holdfast status) is signed for by itself"
    session = state.live
    words = session.words
    ledger = state.books.ledger
    wanted = {
        name: found
        for name, found in state.books.breaks.items()
        if found.key == command.scope.instrument
        # with a position the executions that explain it are adopted too
        or (found.kind is BreakKind.FILL_GONE and found.key.startswith(f"{command.scope.instrument}/"))
    }
    for found in wanted.values():
        why = _not_adoptable(state, found)
        if why:
            return False, why
    done: list[str] = []
    for name, found in wanted.items():
        if found.kind is BreakKind.POSITION:
            theirs = words.position_lots.get(found.key, 0)
            ours = ledger.position(found.key).position_lots
            if theirs != ours:
                emit(
                    state,
                    out,
                    PositionAdjusted(
                        instrument=found.key,
                        delta_lots=theirs - ours,
                        price_ticks=_adopted_ticks(state, found.key),
                        by=command.by,
                        reason=command.reason,
                        cost_e8=_entry_cost_e8(state, found.key),
                    ),
                )
            heal_break(state, out, found.kind, found.key)
            done.append(name)
        elif found.kind is BreakKind.BALANCE:
            theirs_e8 = words.wallet_e8.get(found.key, 0)
            emit(
                state,
                out,
                CashBooked(
                    cash_id=f"adopt/{command.command_id}/{session.now_wall_ns}",
                    kind=CashKind.ADJUSTMENT,
                    asset=found.key,
                    amount_e8=theirs_e8 - ledger.wallet_e8.get(found.key, 0),
                    instrument="",
                    venue_ns=venue_ns_at(state, words.balances.mono_ns),
                ),
            )
            heal_break(state, out, found.kind, found.key)
            done.append(name)
        elif found.kind in (BreakKind.OVERFILL, BreakKind.ORDER_RISEN, BreakKind.FILL_GONE):
            heal_break(state, out, found.kind, found.key)
            done.append(name)
    if not done:
        return False, "nothing to adopt: books and venue do not differ there"
    for instrument in state.specs:
        touch(state, instrument)
    return True, "adopted by " + command.by + ": " + ", ".join(done)


_ACTS: Final[dict[Verb, Callable[[State, Out, Command], Answer]]] = {
    Verb.ARM: _arm,
    Verb.HALT: _halt,
    Verb.RESUME: _resume,
    Verb.PAUSE: _hold_then(HoldCause.PAUSE, cancel=True, flatten=False),
    Verb.UNPAUSE: _unpause,
    Verb.STOP: _hold_then(HoldCause.STOP, cancel=True, flatten=True, patient=True),
    Verb.KILL: _hold_then(HoldCause.KILL, cancel=True, flatten=True),
    Verb.RECOVER: _recover,
    Verb.HARDSTOP: _hold_then(HoldCause.HARDSTOP, cancel=True, flatten=True),
    Verb.BAN: _ban,
    Verb.UNBAN: _unban,
    Verb.CANCEL: _cancel,
    Verb.FLATTEN: _flatten,
    Verb.RECONCILE: _reconcile,
    Verb.SYNC: _reconcile,
    Verb.RESOLVE: _resolve,
    Verb.QUARANTINE_RELEASE: _quarantine_release,
    Verb.BUST: _bust,
    Verb.ADOPT: _adopt,
    Verb.LIMIT_SET: set_limit,
    Verb.BREAK_GLASS: break_glass,
    Verb.GLASS_END: end_by_person,
}


# --- the last hop tells ---------------------------------------------------------------------------------------


def on_latch(state: State, event: LatchSeen) -> Out:
    """The latch is tripped: mirror it as a hold that carries the nonce which will clear it."""
    out: Out = []
    session = state.live
    session.latch_nonce = event.nonce
    holds = state.books.holds.holds
    if any(hold.latch_nonce == event.nonce and event.nonce for hold in holds.values()):
        return out
    if event.by == "start":
        return out  # made tripped at start: the startup hold stands for it
    bearer = next(
        (
            hold
            for hold in holds.values()
            if hold.scope == ACCOUNT
            and hold.level >= HoldLevel.HALTED
            and not hold.latch_nonce
            and hold.by == event.by
            and hold.reason == event.reason
        ),
        None,
    )
    if bearer is not None:
        emit(state, out, HoldPlaced(hold=structs.replace(bearer, latch_nonce=event.nonce)))
        state.fold_holds()
        return out
    standing = [hold for hold in holds.values() if hold.cause is HoldCause.HALT and hold.scope == ACCOUNT]
    if standing and not event.nonce:
        return out  # the latch could not be read; what is known of it stays known
    # a hold without a nonce stands for a latch that could not be read: what the mended one says is its own
    same = next(
        (
            hold
            for hold in standing
            if not hold.latch_nonce or (hold.by, hold.reason) == (event.by, event.reason)
        ),
        None,
    )
    if same is None and len(standing) >= HALTS_MAX:
        same = standing[-1]
    if same is not None:
        emit(state, out, HoldPlaced(hold=structs.replace(same, latch_nonce=event.nonce)))
        return out
    # somebody else's halt, or for another reason: it stands by itself, and each is released by itself
    hold = Hold(
        hold_id=state.books.holds.next_id(),
        scope=ACCOUNT,
        level=HoldLevel.HALTED,
        cause=HoldCause.HALT,
        release=Release.PERSON,
        by=event.by,
        reason=event.reason,
        since_wall_ns=session.now_wall_ns,
        since_mono_ns=session.now_mono_ns,
        latch_nonce=event.nonce,
    )
    emit(state, out, HoldPlaced(hold=hold))
    state.fold_holds()
    alert(out, Severity.CRITICAL, "hold.halt", f"HALTED by {event.by}: {event.reason}")
    return out


def on_lease(state: State, event: LeaseLost) -> Out:
    """Our stamp had expired: nothing was sent meanwhile, and nothing will be until a person resumes."""
    out: Out = []
    contested = ", and somebody else held the account meanwhile" if event.contested else ""
    place_hold(
        state,
        out,
        HoldCause.LOST_LEASE,
        by="lease",
        reason=f"the lease's stamp was {event.expired_ms} ms past its end{contested}",
    )
    full_round(state, out)
    return out


def on_stopping(state: State, event: Stopping) -> Out:
    """A clean stop: forbid, cancel what is open, and end once it is final; positions stay and are said."""
    out: Out = []
    session = state.live
    session.ending = session.ending or f"stopped by {event.by}: {event.reason}"
    session.ending_since_mono_ns = session.now_mono_ns
    mark_seen(state, out)
    place_hold(state, out, HoldCause.STARTUP, by=event.by, reason="stopping")
    cancel_scope(state, out, scope=ACCOUNT, why="stopping", protective=False)
    end_if_final(state, out)
    return out


def unsettled(state: State) -> tuple[int, ...]:
    """The plain orders that a stop waits for.

    Final is not enough: a fill that was reported must be booked before the books are closed.
    """
    live = state.books.orders.live.values()
    return tuple(row.order_id for row in live if not row.settled() and not row.conditional)


def end_if_final(state: State, out: Out) -> None:
    """End the process when a stop was asked for and every plain order is final."""
    session = state.live
    if session.ending and not session.jobs and not unsettled(state):
        out.append(EndProcess(why=session.ending))
