"""A strategy's criteria in the step: it is held until a person lets it go on. See ``core.monitor.criteria``."""

from __future__ import annotations

from holdfast.core.monitor.criteria import Watched, oversized
from holdfast.core.monitor.equity import day_of
from holdfast.core.state import State
from holdfast.core.step.emit import Out, emit, place_hold
from holdfast.core.step.orders import cancel_scope
from holdfast.vocab.events import TargetIntent
from holdfast.vocab.facts import FillBooked, StrategyMarked, TargetSet
from holdfast.vocab.governed import wait_text
from holdfast.vocab.holds import HoldCause, Scope
from holdfast.vocab.limits import Criteria
from holdfast.vocab.units import e8_text, percent_text


def mark_strategies(state: State, out: Out) -> None:
    """With every mark of equity: mark each strategy that has criteria, and hold it where it does not keep to them."""
    session = state.live
    for criteria in session.settings.criteria:
        strategy = criteria.strategy
        pnl = pnl_e8(state, strategy)
        if pnl is None:
            continue  # something that it holds has no price yet
        day = day_of(session.now_wall_ns, day_begins_utc_hour=session.settings.day_begins_utc_hour)
        watched = state.books.watched.get(strategy)
        if watched is not None:
            day = max(day, watched.day)  # a clock stepped back keeps the day
        if watched is None or not watched.idle(pnl_e8=pnl, day=day):
            mark = StrategyMarked(strategy=strategy, pnl_e8=pnl, day=day, window_ms=criteria.window_ms)
            emit(state, out, mark)
        _judge(state, out, criteria, state.books.watched[strategy])


def pnl_e8(state: State, strategy: str) -> int | None:
    """What a strategy made at mark, less its fees, in 10⁻⁸; None while something that it holds has no price."""
    ledger = state.books.ledger
    total = 0
    for instrument, row in ledger.attributed.get(strategy, {}).items():
        total += row.realised_e8 - row.fee_e8
        if row.position_lots:
            market = state.live.markets.get(instrument)
            price = 0 if market is None else market.price_ticks()
            if price <= 0:
                return None
            total += row.unrealised_e8(price_ticks=price, tick_lot_e8=ledger.tick_lot_e8[instrument])
    return total


def _judge(state: State, out: Out, criteria: Criteria, watched: Watched) -> None:
    scope = Scope(strategy=criteria.strategy)
    if state.books.holds.find(HoldCause.CRITERIA, scope) is not None:
        return
    reason = _broken(criteria, watched, state.books.ledger.settle_asset)
    if reason:
        place_hold(state, out, HoldCause.CRITERIA, scope=scope, by="monitor", reason=reason)
        cancel_scope(state, out, scope=scope, why="criteria", protective=False)


def _broken(criteria: Criteria, watched: Watched, asset: str) -> str:
    """The first criterion that is not kept to, with its numbers. A limit itself passes."""
    used = watched.used(orders_min=criteria.orders_min)
    within = f"within {wait_text(criteria.window_ms)}"
    for amount, most, what in (
        (used.day_loss_e8, criteria.day_loss_e8_max, "lost {} since the day began"),
        (used.drawdown_e8, criteria.drawdown_e8_max, "it is {} below its own peak"),
        (used.slippage_e8, criteria.slippage_e8_max, f"paid {{}} against its decision prices {within}"),
    ):
        if amount > most:
            return f"{what.format(f'{e8_text(amount)} {asset}')}; at most {e8_text(most)}"
    if used.rejects_ppm is not None and used.rejects_ppm > criteria.rejects_ppm_max:
        return (
            f"the venue rejected {percent_text(used.rejects_ppm)} of its orders {within}; "
            f"at most {percent_text(criteria.rejects_ppm_max)}"
        )
    if used.fills_ppm is not None and used.fills_ppm < criteria.fills_ppm_min:
        return (
            f"{percent_text(used.fills_ppm)} of its orders filled {within}; "
            f"at least {percent_text(criteria.fills_ppm_min)}"
        )
    return ""


def aim(state: State, out: Out, intent: TargetIntent) -> None:
    """A target that differs from the last one is what its strategy intends from here on."""
    books = state.books
    watched = books.watched.get(intent.strategy)
    if watched is None:
        return
    known = watched.intended.get(intent.instrument)
    if known is not None and known.targets and known.target_lots == intent.target_lots:
        return
    held = books.ledger.position_of(intent.strategy, intent.instrument).position_lots
    still = books.orders.open_of(intent.strategy, intent.instrument)
    emit(
        state,
        out,
        TargetSet(
            strategy=intent.strategy,
            instrument=intent.instrument,
            target_lots=intent.target_lots,
            long_lots=max(0, held + still.buy_lots),
            short_lots=max(0, still.sell_lots - held),
        ),
    )


def watch_size(state: State, out: Out, fill: FillBooked) -> None:
    """After a fill was booked: its strategy may only reduce there, where it holds too much beside what it intended."""
    books = state.books
    watched = books.watched.get(fill.strategy)
    intended = None if watched is None else watched.intended.get(fill.instrument)
    if intended is None:
        return
    limit_ppm = next(
        (one.intended_ppm_max for one in state.live.settings.criteria if one.strategy == fill.strategy), 0
    )
    held = books.ledger.position_of(fill.strategy, fill.instrument).position_lots
    if not limit_ppm or not oversized(intended, held, limit_ppm=limit_ppm):
        return
    scope = Scope(strategy=fill.strategy, instrument=fill.instrument)
    if books.holds.find(HoldCause.OVERSIZED, scope) is not None:
        return
    reason = (
        f"it holds {held} lots and intended {intended.size_lots(held)} on that side; "
        f"at most {percent_text(limit_ppm)} of what it intended"
    )
    place_hold(state, out, HoldCause.OVERSIZED, scope=scope, by="monitor", reason=reason)
    cancel_scope(state, out, scope=scope, why="oversized", protective=False, only_increasing=True)
