"""Account, positions, settings and the user stream's keys."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from holdfast.sim.margin import deduction_e8
from holdfast.sim.model import Position, Refused
from holdfast.sim.server import wire_account as wire
from holdfast.sim.server import wire_orders
from holdfast.sim.server.market_view import SymbolView
from holdfast.sim.server.params import missing
from holdfast.sim.server.rest_trade import Message
from holdfast.sim.server.venue import Call
from holdfast.vocab.units import E8, PPM

SUCCESS: Final = Message(code=200, msg="success")
_SETTLED_IN: Final = "USDT"  # what the totals of an account are told in


class ListenKeyWire(Struct, rename="camel"):
    """POST and PUT listenKey."""

    listen_key: str


class AccountConfigWire(Struct, kw_only=True, rename="camel"):
    """GET accountConfig."""

    fee_tier: int
    can_trade: bool
    can_deposit: bool
    can_withdraw: bool
    dual_side_position: bool
    update_time: int
    multi_assets_margin: bool
    trade_group_id: int


class RestrictionsWire(Struct, kw_only=True, rename="camel"):
    """GET apiRestrictions: what the key that asks may do, of the whole exchange."""

    ip_restrict: bool
    create_time: int
    enable_reading: bool
    enable_withdrawals: bool
    enable_internal_transfer: bool
    enable_margin: bool
    enable_futures: bool
    permits_universal_transfer: bool
    enable_vanilla_options: bool
    enable_fix_api_trade: bool
    enable_fix_read_only: bool
    enable_spot_and_margin_trading: bool
    enable_portfolio_margin_trading: bool


class SymbolConfigWire(Struct, kw_only=True, rename="camel"):
    """GET symbolConfig."""

    symbol: str
    margin_type: str
    is_auto_add_margin: bool
    leverage: int
    max_notional_value: str


class CommissionWire(Struct, kw_only=True, rename="camel"):
    """GET commissionRate."""

    symbol: str
    maker_commission_rate: str
    taker_commission_rate: str
    rpi_commission_rate: str


class LeverageWire(Struct, kw_only=True, rename="camel"):
    """POST leverage."""

    leverage: int
    max_notional_value: str
    symbol: str


class BracketWire(Struct, kw_only=True, rename="camel"):
    """One step of leverageBracket."""

    bracket: int
    initial_leverage: int
    notional_cap: int
    notional_floor: int
    maint_margin_ratio: float
    cum: float


class BracketsWire(Struct, kw_only=True, rename="camel"):
    """GET leverageBracket."""

    symbol: str
    notional_coef: float
    brackets: list[BracketWire]


class RateLimitWire(Struct, kw_only=True, rename="camel"):
    """GET rateLimit/order."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


# --- account -------------------------------------------------------------------------------------------------


def _assets(call: Call) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*call.account.balances, _SETTLED_IN)))


def _rows(call: Call, view: SymbolView | None) -> list[Position]:
    return call.venue.exchange.positions(call.account, None if view is None else view.symbol)


def account_v2(call: Call) -> wire.AccountV2:
    """GET /fapi/v2/account: all symbols."""
    venue, account = call.venue, call.account
    facts = [wire.facts_of(venue, account, row) for row in venue.exchange.positions(account)]
    return wire.AccountV2(
        fee_tier=0,
        fee_burn=False,
        can_trade=account.can_trade,
        can_deposit=True,
        can_withdraw=account.can_withdraw,
        update_time=0,
        multi_assets_margin=account.multi_assets,
        trade_group_id=-1,
        **wire.total_fields(venue.exchange.summary(account, _SETTLED_IN)),  # type: ignore[arg-type]
        assets=[wire.AssetV2(**wire.asset_fields(venue, account, one)) for one in _assets(call)],  # type: ignore[arg-type]
        positions=[wire.account_position_v2(venue, one) for one in facts],
    )


def account_v3(call: Call) -> wire.AccountV3:
    """GET /fapi/v3/account: only symbols with a position or open orders."""
    venue, account = call.venue, call.account
    used = [row for row in venue.exchange.positions(account) if wire.is_used(row)]
    return wire.AccountV3(
        **wire.total_fields(venue.exchange.summary(account, _SETTLED_IN)),  # type: ignore[arg-type]
        assets=[wire.AssetV3(**wire.asset_fields(venue, account, one)) for one in _assets(call)],  # type: ignore[arg-type]
        positions=[wire.account_position_v3(venue, wire.facts_of(venue, account, one)) for one in used],
    )


def balance(call: Call) -> list[wire.BalanceWire]:
    """GET balance."""
    return [wire.balance(call.venue, call.account, one) for one in _assets(call)]


def position_risk_v2(call: Call) -> list[wire.PositionRiskV2]:
    """GET /fapi/v2/positionRisk: all symbols, or one."""
    view = call.maybe_view()
    rows = _rows(call, view)
    return [wire.risk_v2(call.venue, wire.facts_of(call.venue, call.account, one)) for one in rows]


def position_risk_v3(call: Call) -> list[wire.PositionRiskV3]:
    """GET /fapi/v3/positionRisk: only rows with a position or open orders."""
    view = call.maybe_view()
    rows = _rows(call, view)
    return [
        wire.risk_v3(call.venue, wire.facts_of(call.venue, call.account, one))
        for one in rows
        if wire.is_used(one)
    ]


def income(call: Call) -> list[wire.IncomeWire]:
    """GET income: oldest first."""
    view = call.maybe_view()
    start_ns, end_ns = call.time_range()
    found = call.venue.exchange.incomes(
        call.account,
        symbol=None if view is None else view.symbol,
        kind=call.params.maybe("incomeType"),
        start_ns=start_ns,
        end_ns=end_ns,
        limit=call.params.limit(100, 1000),
    )
    return [wire.income(call.venue, one) for one in found]


def account_config(call: Call) -> AccountConfigWire:
    """GET accountConfig."""
    account = call.account
    return AccountConfigWire(
        fee_tier=0,
        can_trade=account.can_trade,
        can_deposit=True,
        can_withdraw=account.can_withdraw,
        dual_side_position=account.dual_side,
        update_time=0,
        multi_assets_margin=account.multi_assets,
        trade_group_id=-1,
    )


def symbol_config(call: Call) -> list[SymbolConfigWire]:
    """GET symbolConfig."""
    view = call.maybe_view()
    rows = _rows(call, view)
    answers: dict[str, SymbolConfigWire] = {}
    for row in rows:
        facts = wire.facts_of(call.venue, call.account, row)
        answers[row.symbol] = SymbolConfigWire(
            symbol=row.symbol,
            margin_type="ISOLATED" if row.margin_type == "isolated" else "CROSSED",
            is_auto_add_margin=False,
            leverage=row.leverage,
            max_notional_value=str(facts.notional_e8_max // E8),
        )
    return list(answers.values())


def commission_rate(call: Call) -> CommissionWire:
    """GET commissionRate."""
    return CommissionWire(
        symbol=call.view().symbol,
        maker_commission_rate=wire.rate_text(call.account.fee_maker_ppm),
        taker_commission_rate=wire.rate_text(call.account.fee_taker_ppm),
        rpi_commission_rate=wire.rate_text(0),
    )


def restrictions(call: Call) -> RestrictionsWire:
    """GET /sapi/v1/account/apiRestrictions."""
    account = call.account
    return RestrictionsWire(
        ip_restrict=account.ip_restricted,
        create_time=call.venue.shown_ms(0),
        enable_reading=True,
        enable_withdrawals=account.can_withdraw,
        enable_internal_transfer=False,
        enable_margin=False,
        enable_futures=account.can_trade,
        permits_universal_transfer=False,
        enable_vanilla_options=False,
        enable_fix_api_trade=False,
        enable_fix_read_only=False,
        enable_spot_and_margin_trading=False,
        enable_portfolio_margin_trading=False,
    )


def leverage_bracket(call: Call) -> list[BracketsWire]:
    """GET leverageBracket."""
    view = call.maybe_view()
    names = tuple(call.venue.market.symbols) if view is None else (view.symbol,)
    answers = []
    for name in names:
        steps = call.venue.exchange.config.rules_of(name).brackets
        answers.append(
            BracketsWire(
                symbol=name,
                notional_coef=1.0,
                brackets=[
                    BracketWire(
                        bracket=index + 1,
                        initial_leverage=step.leverage_max,
                        notional_cap=step.notional_e8_max // E8,
                        notional_floor=steps[index - 1].notional_e8_max // E8 if index else 0,
                        maint_margin_ratio=step.maintenance_ppm / PPM,
                        cum=deduction_e8(steps, index) / E8,
                    )
                    for index, step in enumerate(steps)
                ],
            )
        )
    return answers


def adl_quantile(call: Call) -> list[dict[str, object]]:
    """GET adlQuantile."""
    view = call.maybe_view()
    rows = _rows(call, view)
    return [
        {"symbol": row.symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 1 if row.position_lots else 0}}
        for row in rows
        if row.position_side in {"BOTH", "LONG"}
    ]


def force_orders(call: Call) -> list[wire_orders.OrderQueried]:
    """GET forceOrders: what the venue closed on its own account, newest last."""
    view = call.maybe_view()
    found = [
        one
        for one in call.account.orders.values()
        if one.client_id.startswith(("autoclose", "adl_autoclose"))
        and (view is None or one.symbol == view.symbol)
    ]
    return [wire_orders.queried(call.venue, one) for one in found[-call.params.limit(50, 100) :]]


def order_rate_limits(call: Call) -> list[RateLimitWire]:
    """GET rateLimit/order."""
    limits = call.venue.config.limits
    return [
        RateLimitWire(
            rate_limit_type="ORDERS", interval="SECOND", interval_num=10, limit=limits.orders_per_10s
        ),
        RateLimitWire(
            rate_limit_type="ORDERS", interval="MINUTE", interval_num=1, limit=limits.orders_per_minute
        ),
    ]


def trading_status(call: Call) -> dict[str, object]:
    """GET apiTradingStatus: nobody is locked here."""
    return {"indicators": {}, "updateTime": call.venue.shown_ms(call.now_ns)}


# --- settings ------------------------------------------------------------------------------------------------


def set_leverage(call: Call) -> LeverageWire:
    """POST leverage."""
    view = call.view()
    leverage = call.params.integer("leverage")
    most_e8 = call.venue.exchange.set_leverage(call.account, view.symbol, leverage, call.now_ns)
    return LeverageWire(leverage=leverage, max_notional_value=str(most_e8 // E8), symbol=view.symbol)


def set_margin_type(call: Call) -> Message:
    """POST marginType."""
    asked = call.params.text("marginType").upper()
    if asked not in {"CROSSED", "ISOLATED"}:
        raise Refused(-1130, "Data sent for parameter 'marginType' is not valid.")
    kind = "isolated" if asked == "ISOLATED" else "cross"
    call.venue.exchange.set_margin_type(call.account, call.view().symbol, kind, call.now_ns)
    return SUCCESS


def set_position_mode(call: Call) -> Message:
    """POST positionSide/dual."""
    dual = call.params.mandatory_flag("dualSidePosition")
    call.venue.exchange.set_position_mode(call.account, dual_side=dual, now_ns=call.now_ns)
    return SUCCESS


def position_mode(call: Call) -> dict[str, bool]:
    """GET positionSide/dual."""
    return {"dualSidePosition": call.account.dual_side}


def set_multi_assets(call: Call) -> Message:
    """POST multiAssetsMargin."""
    multi = call.params.mandatory_flag("multiAssetsMargin")
    call.venue.exchange.set_multi_assets(call.account, multi_assets=multi, now_ns=call.now_ns)
    return SUCCESS


def multi_assets(call: Call) -> dict[str, bool]:
    """GET multiAssetsMargin."""
    return {"multiAssetsMargin": call.account.multi_assets}


def fee_burn(call: Call) -> dict[str, bool]:
    """GET feeBurn: fees are never paid in BNB here."""
    return {"feeBurn": False}


def set_fee_burn(call: Call) -> Message:
    """POST feeBurn: only what is already so."""
    if call.params.mandatory_flag("feeBurn"):
        raise Refused(-1130, "Data sent for parameter 'feeBurn' is not valid.")
    return SUCCESS


def position_margin(call: Call) -> Message:
    """POST positionMargin: margin is cross here, so there is none to move."""
    call.view()
    call.params.text("amount")
    raise Refused(-4051, "Isolated balance insufficient.")


def nothing_signed(call: Call) -> list[object]:
    """A signed list that is always empty here."""
    if call.caller is None:
        raise missing("signature")
    return []


# --- listen keys ----------------------------------------------------------------------------------------------


def start_stream(call: Call) -> ListenKeyWire:
    """POST listenKey."""
    return ListenKeyWire(call.venue.listen_keys.start(call.account.name, call.now_ns).key)


def extend_stream(call: Call) -> ListenKeyWire:
    """PUT listenKey."""
    return ListenKeyWire(call.venue.listen_keys.extend(call.account.name, call.now_ns).key)


def end_stream(call: Call) -> dict[str, object]:
    """DELETE listenKey."""
    call.venue.listen_keys.end(call.account.name)
    return {}
