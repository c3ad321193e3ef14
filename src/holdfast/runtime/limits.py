"""Limits between people and the core: a typed number into a whole one, and every limit beside what is used of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from holdfast.config.numbers import read_number
from holdfast.config.values import BadValue, Duration
from holdfast.core.ingest.market import Market
from holdfast.core.limits.book import standing, within_cap
from holdfast.core.monitor.churn import Churn
from holdfast.core.orders.book import OrderRow
from holdfast.core.state import State
from holdfast.core.step.churn import churn_window_ms
from holdfast.core.step.reconcile import venue_ns_at
from holdfast.runtime.views import GlassRow, LimitRow, LimitsView
from holdfast.runtime.wire import Act
from holdfast.vocab.governed import Counted, Limit, limits_of, number_text
from holdfast.vocab.limits import Settings
from holdfast.vocab.orders import OrderType, Side
from holdfast.vocab.units import NS_PER_MS, PPM, ceil_div


class Numbers(NamedTuple):
    """What an act's texts come to."""

    value: int = 0
    for_ms: int = 0


def numbers_of(act: Act, settings: Settings) -> Numbers:
    """The whole numbers behind an act's texts. Errors: BadValue, one line."""
    if not act.value:
        return Numbers()
    limit = limits_of(settings).get(act.limit)
    if limit is None:
        raise BadValue(f"no limit is called {act.limit!r}: see holdfast limits")
    try:
        value = read_number(limit, act.value, settings)
    except BadValue as error:
        raise BadValue(f"{act.limit}: {error}") from None
    return Numbers(value=value, for_ms=Duration.read(act.for_text).ms if act.for_text else 0)


class Used(NamedTuple):
    """How much of a limit is used, and when what it was counted from was known; None: nothing is counted."""

    amount: int | None = None
    mono_ns: int | None = None


_NOTHING: Final = Used()
_NO_CHURN: Final = Churn()


def limits_view(state: State, *, now_mono_ns: int) -> LimitsView:
    """Every limit, side by side. Looking changes nothing."""
    session, book = state.live, state.books.limits
    configured = session.configured
    open_over = {glass.name: glass for glass in book.glasses.values()}
    rows: list[LimitRow] = []
    for name, limit in limits_of(configured).items():
        change, glass = book.changed.get(name), open_over.get(name)
        stands = standing(limit, book)
        value = stands if glass is None else within_cap(limit, glass.value)
        used = _used(state, limit, now_mono_ns)
        rows.append(
            LimitRow(
                name=name,
                strategy=limit.scope.strategy,
                instrument=limit.scope.instrument,
                value=number_text(limit, value, configured),
                hard_cap=None if limit.cap is None else number_text(limit, limit.cap, configured),
                at_least=limit.row.less_loosens,
                used=None if used.amount is None else number_text(limit, used.amount, configured),
                share_ppm=None if used.amount is None else ceil_div(used.amount * PPM, value),
                age_ms=None
                if used.mono_ns is None or used.mono_ns <= 0
                else max(0, now_mono_ns - used.mono_ns) // NS_PER_MS,
                configured=number_text(limit, limit.value, configured),
                changed_by="" if change is None else _people(change.by, change.second_by, alone=change.alone),
                changed_wall_ns=None if change is None else change.wall_ns,
                reason="" if change is None else change.reason,
                glass_id=None if glass is None else glass.glass_id,
            )
        )
    return LimitsView(
        limits=rows,
        glasses=glass_rows(state, now_mono_ns=now_mono_ns),
        waiting=[f"{act} (asked for by {asked.by}: {asked.reason})" for act, asked in book.asked.items()],
    )


def glass_rows(state: State, *, now_mono_ns: int) -> list[GlassRow]:
    """What is open now."""
    configured = state.live.configured
    limits = limits_of(configured)
    return [
        GlassRow(
            glass_id=glass.glass_id,
            name=glass.name,
            value=number_text(limits[glass.name], glass.value, configured),
            standing=number_text(limits[glass.name], glass.standing, configured),
            once=glass.once,
            by=_people(glass.by, glass.second_by, alone=glass.alone),
            reason=glass.reason,
            review=glass.review,
            since_wall_ns=glass.wall_ns,
            left_ms=max(0, glass.until_mono_ns - now_mono_ns) // NS_PER_MS,
        )
        for glass in state.books.limits.glasses.values()
        if glass.name in limits
    ]


def _people(by: str, second_by: str, *, alone: bool) -> str:
    if second_by:
        return f"{by} and {second_by}"
    return f"{by} (alone, after the cooling delay)" if alone else by


def _used(state: State, limit: Limit, now_mono_ns: int) -> Used:
    if limit.row.counted is Counted.WAIT:
        return _NOTHING
    if limit.scope.strategy:
        return _used_by_strategy(state, limit, now_mono_ns)
    if limit.scope.instrument:
        return _used_in_instrument(state, limit, now_mono_ns)
    return _used_by_account(state, limit, now_mono_ns)


def _used_by_account(state: State, limit: Limit, now_mono_ns: int) -> Used:
    session = state.live
    account = session.account
    match limit.row.key:
        case "gross_notional_max":
            return Used(account.gross_e8, _oldest_quote(state))
        case "leverage_max":
            equity = state.equity_e8()
            if equity is None or equity <= 0:
                return _NOTHING
            return Used(ceil_div(account.gross_e8 * PPM, equity), _oldest_quote(state))
        case "net_notional_max":
            return Used(max(account.net.long_e8, -account.net.short_e8, 0), _oldest_quote(state))
        case "group_share_max":
            equity = state.equity_e8()
            if equity is None or equity <= 0:
                return _NOTHING
            most = max((group.gross_e8 for group in account.groups.values()), default=0)
            return Used(ceil_div(most * PPM, equity), _oldest_quote(state))
        case "open_orders_max":
            return Used(account.open_orders_count, session.words.orders.mono_ns)
        case "orders_per_s_refuse" | "orders_per_s_kill":
            asked = account.asked.counted(strategy="", instrument="", now_mono_ns=now_mono_ns)
            return Used(asked.account, now_mono_ns)
        case "orders_per_day_max":
            return Used(account.day.orders_count, now_mono_ns)
        case "cancels_per_day_max":
            return Used(account.day.cancels_count, now_mono_ns)
        case "fills_per_day_max":
            return Used(account.day.fills_count, now_mono_ns)
        case "traded_per_day_max":
            return Used(account.day.traded_e8, now_mono_ns)
        case "drawdown_warning" | "drawdown_release" | "drawdown_breaker":
            if not state.books.drawdown.marked:
                return _NOTHING
            return Used(state.books.drawdown.drawdown_ppm(), session.equity_mono_ns)
        case "same_side_max":
            flow = session.group_flows[limit.name.split(".")[1]]
            sides = (flow.used_e8(side, now_mono_ns=now_mono_ns) for side in Side)
            return Used(max(sides), now_mono_ns)
        case "breakers_per_day_max":
            return Used(state.books.ladder.breakers_count, session.equity_mono_ns)
    return _NOTHING


def _oldest_quote(state: State) -> int | None:
    """When the oldest of the quotes that the account's exposure is valued by came; None where nothing is exposed."""
    return min(
        (exposure.market.quote.mono_ns for exposure in state.exposures.values() if exposure.gross_e8),
        default=None,
    )


def _used_in_instrument(state: State, limit: Limit, now_mono_ns: int) -> Used:
    session = state.live
    instrument = limit.scope.instrument
    market = session.markets[instrument]
    orders = state.books.orders.rows_in(instrument=instrument)
    match limit.row.key:
        case "same_side_max":
            flow = session.flows[instrument]
            sides = (flow.used_e8(side, now_mono_ns=now_mono_ns) for side in Side)
            return Used(max(sides), now_mono_ns)
        case "orders_per_s_refuse" | "orders_per_s_halt":
            asked = session.account.asked.counted(strategy="", instrument=instrument, now_mono_ns=now_mono_ns)
            return Used(asked.instrument, now_mono_ns)
        case "position_max":
            held = state.books.ledger.position(instrument).position_lots
            still = state.books.orders.open_in(instrument)
            worst = max(abs(held + still.buy_lots), abs(held - still.sell_lots))
            return Used(worst, session.words.positions.mono_ns)
        case "order_max":
            return Used(max((row.qty_lots for row in orders), default=0), session.words.orders.mono_ns)
        case "order_notional_max":
            unit = state.specs[instrument].tick_lot_e8
            worth = (row.qty_lots * (row.price_ticks or market.price_ticks()) * unit for row in orders)
            return Used(max(worth, default=0), session.words.orders.mono_ns)
        case "equity_share_max":
            equity = state.equity_e8()
            if equity is None or equity <= 0:
                return _NOTHING
            return Used(ceil_div(state.exposures[instrument].gross_e8 * PPM, equity), market.quote_mono_ns)
        case "adv_share_max" if session.facts[instrument].adv_lots:
            most = max((row.qty_lots for row in orders), default=0)
            return Used(
                ceil_div(most * PPM, session.facts[instrument].adv_lots), _volume_mono_ns(state, instrument)
            )
        case "depth_max" if market.bid_ticks:
            shown = {1: market.quote.ask_lots, -1: market.quote.bid_lots}
            part = (
                ceil_div(row.qty_lots * PPM, shown[int(row.terms.side)])
                for row in orders
                if _takes(row, market)
            )
            return Used(max(part, default=0), market.quote_mono_ns)
        case "spread_max" if market.bid_ticks:
            spread = ceil_div(
                (market.ask_ticks - market.bid_ticks) * 2 * PPM, market.ask_ticks + market.bid_ticks
            )
            return Used(spread, market.quote_mono_ns)
    return _NOTHING


def _takes(row: OrderRow, market: Market) -> bool:
    """Whether an open order would meet the touch as it is now."""
    price = row.price_ticks
    if price is None:
        return row.terms.order_type is OrderType.MARKET
    return price >= market.ask_ticks if row.terms.side > 0 else price <= market.bid_ticks


def _volume_mono_ns(state: State, instrument: str) -> int | None:
    """When the average daily volume was known: the venue's answer, or the file's own date on the monotonic clock."""
    session = state.live
    told = () if session.reference is None else session.reference.instruments
    if any(row.instrument == instrument and row.adv_lots for row in told) and session.reference is not None:
        return session.now_mono_ns - (session.now_wall_ns - session.reference.as_of_wall_ns)
    return session.volumes[instrument][1] if instrument in session.volumes else None


def _used_of_criteria(state: State, limit: Limit) -> Used:
    """What a strategy's last mark says, with the fills and orders since."""
    strategy, key = limit.scope.strategy, limit.row.key
    watched = state.books.watched.get(strategy)
    if watched is None:
        return _NOTHING
    orders_min = next(one.orders_min for one in state.live.settings.criteria if one.strategy == strategy)
    used = watched.used(orders_min=orders_min)
    rows = state.books.ledger.attributed.get(strategy, {})
    shares = [
        PPM * abs(rows[name].position_lots) // size
        for name, intended in watched.intended.items()
        if name in rows and (size := intended.size_lots(rows[name].position_lots))
    ]
    amounts = {
        "day_loss_max": used.day_loss_e8,
        "drawdown_max": used.drawdown_e8,
        "fill_share_min": used.fills_ppm,
        "slippage_cost_max": used.slippage_e8,
        "reject_share_max": used.rejects_ppm,
        "over_intended_max": max(shares, default=None),
    }
    amount = amounts.get(key)
    return _NOTHING if amount is None else Used(amount, watched.now.mono_ns)


def _used_by_strategy(state: State, limit: Limit, now_mono_ns: int) -> Used:
    session = state.live
    strategy, instrument = limit.scope.strategy, limit.scope.instrument
    if not instrument:
        return _used_of_criteria(state, limit)
    if limit.row.key == "position_max":
        held = state.books.ledger.position_of(strategy, instrument).position_lots
        still = state.books.orders.open_of(strategy, instrument)
        worst = max(abs(held + still.buy_lots), abs(held - still.sell_lots))
        return Used(worst, session.words.positions.mono_ns)
    if limit.row.key in ("churn_round_trips_max", "churn_cost_max"):
        churn = state.books.churn.get(strategy, {}).get(instrument, _NO_CHURN)
        used = churn.used(
            now_venue_ns=venue_ns_at(state, now_mono_ns),
            window_ns=churn_window_ms(state, strategy, instrument) * NS_PER_MS,
        )
        trips = limit.row.key == "churn_round_trips_max"
        return Used(used.round_trips if trips else max(0, used.cost_e8), now_mono_ns)
    if limit.row.key in ("orders_per_s_refuse", "orders_per_s_halt"):
        asked = session.account.asked.counted(
            strategy=strategy, instrument=instrument, now_mono_ns=now_mono_ns
        )
        return Used(asked.strategy, now_mono_ns)
    orders = state.books.orders.rows_in(strategy=strategy, instrument=instrument)
    return Used(max((row.qty_lots for row in orders), default=0), session.words.orders.mono_ns)
