"""Accounts, balances and positions as REST and the WebSocket API show them."""

from __future__ import annotations

from msgspec import Struct

from holdfast.sim.margin import initial_e8, maintenance_e8, notional_e8_max, unrealised_e8
from holdfast.sim.model import Account, Income, Position, Summary
from holdfast.sim.server.numerals import bare, fixed, money, money_or_zero
from holdfast.sim.server.venue import Venue


class PositionFacts(Struct, frozen=True, kw_only=True):
    """One position with everything that its several faces show, in integers."""

    position: Position
    mark_ticks: int
    notional_e8: int
    unrealised_e8: int
    initial_e8: int
    position_initial_e8: int
    maintenance_e8: int
    notional_e8_max: int
    liquidation_ticks: int
    buy_notional_e8: int
    sell_notional_e8: int


def facts_of(venue: Venue, account: Account, position: Position) -> PositionFacts:
    """Work out a position's figures at the mark."""
    spec = venue.market.symbols[position.symbol].spec
    unit = spec.tick_lot_e8
    mark = venue.exchange.mark_ticks(position.symbol)
    brackets = venue.exchange.config.rules_of(position.symbol).brackets
    need = initial_e8(position, mark_ticks=mark, tick_lot_e8=unit)
    held = position.position_lots != 0
    notional = position.position_lots * mark * unit
    return PositionFacts(
        position=position,
        mark_ticks=mark,
        notional_e8=notional,
        unrealised_e8=unrealised_e8(position, mark_ticks=mark, tick_lot_e8=unit) if held else 0,
        initial_e8=need.total_e8,
        position_initial_e8=need.position_e8,
        maintenance_e8=maintenance_e8(brackets, abs(notional)) if held else 0,
        notional_e8_max=notional_e8_max(brackets, position.leverage),
        liquidation_ticks=venue.exchange.liquidation_ticks(account, position) if held else 0,
        buy_notional_e8=position.buy_tick_lots * unit,
        sell_notional_e8=position.sell_tick_lots * unit,
    )


def is_used(position: Position) -> bool:
    """Whether a row has a position or open orders: the only ones that version 3 shows."""
    return bool(position.position_lots or position.buy_tick_lots or position.sell_tick_lots)


# --- positions ---------------------------------------------------------------------------------------------


class PositionRiskV2(Struct, kw_only=True, rename="camel"):
    """GET /fapi/v2/positionRisk (and v1)."""

    symbol: str
    position_amt: str
    entry_price: str
    break_even_price: str
    mark_price: str
    un_realized_profit: str
    liquidation_price: str
    leverage: str
    max_notional_value: str
    margin_type: str
    isolated_margin: str
    is_auto_add_margin: str
    position_side: str
    notional: str
    isolated_wallet: str
    update_time: int
    isolated: bool
    adl_quantile: int


class PositionRiskV3(Struct, kw_only=True, rename="camel"):
    """GET /fapi/v3/positionRisk."""

    symbol: str
    position_side: str
    position_amt: str
    entry_price: str
    break_even_price: str
    mark_price: str
    un_realized_profit: str
    liquidation_price: str
    isolated_margin: str
    notional: str
    margin_asset: str
    isolated_wallet: str
    initial_margin: str
    maint_margin: str
    position_initial_margin: str
    open_order_initial_margin: str
    adl: int
    bid_notional: str
    ask_notional: str
    update_time: int


class AccountPositionV2(Struct, kw_only=True, rename="camel"):
    """A position in GET /fapi/v2/account."""

    symbol: str
    initial_margin: str
    maint_margin: str
    unrealized_profit: str
    position_initial_margin: str
    open_order_initial_margin: str
    leverage: str
    isolated: bool
    entry_price: str
    break_even_price: str
    max_notional: str
    bid_notional: str
    ask_notional: str
    position_side: str
    position_amt: str
    notional: str
    isolated_wallet: str
    update_time: int


class AccountPositionV3(Struct, kw_only=True, rename="camel"):
    """A position in GET /fapi/v3/account."""

    symbol: str
    position_side: str
    position_amt: str
    unrealized_profit: str
    isolated_margin: str
    notional: str
    isolated_wallet: str
    initial_margin: str
    maint_margin: str
    update_time: int


def _entry(venue: Venue, position: Position) -> str:
    numerals = venue.market.symbols[position.symbol].numerals
    if not position.position_lots:
        return "0.0"
    text = bare(numerals.average_of_money(position.cost_e8, position.position_lots))
    return text if "." in text else f"{text}.0"


def _liquidation(venue: Venue, facts: PositionFacts) -> str:
    if not facts.liquidation_ticks:
        return "0"
    return venue.market.symbols[facts.position.symbol].numerals.price(facts.liquidation_ticks)


def _whole(amount_e8: int) -> str:
    return str(amount_e8 // 10**8)


def _updated_ms(venue: Venue, position: Position) -> int:
    return venue.shown_ms(position.updated_ns) if position.updated_ns else 0


def risk_v2(venue: Venue, facts: PositionFacts) -> PositionRiskV2:
    """A position, version 2."""
    position = facts.position
    numerals = venue.market.symbols[position.symbol].numerals
    isolated = position.margin_type == "isolated"
    return PositionRiskV2(
        symbol=position.symbol,
        position_amt=numerals.qty(position.position_lots),
        entry_price=_entry(venue, position),
        break_even_price=_entry(venue, position),
        mark_price=numerals.mark(facts.mark_ticks),
        un_realized_profit=money(facts.unrealised_e8),
        liquidation_price=_liquidation(venue, facts),
        leverage=str(position.leverage),
        max_notional_value=_whole(facts.notional_e8_max),
        margin_type="isolated" if isolated else "cross",
        isolated_margin=money(0),
        is_auto_add_margin="false",
        position_side=position.position_side,
        notional=money_or_zero(facts.notional_e8),
        isolated_wallet="0",
        update_time=_updated_ms(venue, position),
        isolated=isolated,
        adl_quantile=1 if position.position_lots else 0,
    )


def risk_v3(venue: Venue, facts: PositionFacts) -> PositionRiskV3:
    """A position, version 3."""
    position = facts.position
    view = venue.market.symbols[position.symbol]
    return PositionRiskV3(
        symbol=position.symbol,
        position_side=position.position_side,
        position_amt=view.numerals.qty(position.position_lots),
        entry_price=_entry(venue, position),
        break_even_price=_entry(venue, position),
        mark_price=view.numerals.mark(facts.mark_ticks),
        un_realized_profit=money(facts.unrealised_e8),
        liquidation_price=_liquidation(venue, facts),
        isolated_margin="0",
        notional=money_or_zero(facts.notional_e8),
        margin_asset=view.spec.settle_asset,
        isolated_wallet="0",
        initial_margin=money_or_zero(facts.initial_e8),
        maint_margin=money_or_zero(facts.maintenance_e8),
        position_initial_margin=money_or_zero(facts.position_initial_e8),
        open_order_initial_margin=money_or_zero(facts.initial_e8 - facts.position_initial_e8),
        adl=1 if position.position_lots else 0,
        bid_notional=money_or_zero(facts.buy_notional_e8),
        ask_notional=money_or_zero(facts.sell_notional_e8),
        update_time=_updated_ms(venue, position),
    )


def account_position_v2(venue: Venue, facts: PositionFacts) -> AccountPositionV2:
    """A position inside an account, version 2."""
    position = facts.position
    return AccountPositionV2(
        symbol=position.symbol,
        initial_margin=money_or_zero(facts.initial_e8),
        maint_margin=money_or_zero(facts.maintenance_e8),
        unrealized_profit=money(facts.unrealised_e8),
        position_initial_margin=money_or_zero(facts.position_initial_e8),
        open_order_initial_margin=money_or_zero(facts.initial_e8 - facts.position_initial_e8),
        leverage=str(position.leverage),
        isolated=position.margin_type == "isolated",
        entry_price=_entry(venue, position),
        break_even_price=_entry(venue, position),
        max_notional=_whole(facts.notional_e8_max),
        bid_notional=money_or_zero(facts.buy_notional_e8),
        ask_notional=money_or_zero(facts.sell_notional_e8),
        position_side=position.position_side,
        position_amt=venue.market.symbols[position.symbol].numerals.qty(position.position_lots),
        notional=money_or_zero(facts.notional_e8),
        isolated_wallet="0",
        update_time=_updated_ms(venue, position),
    )


def account_position_v3(venue: Venue, facts: PositionFacts) -> AccountPositionV3:
    """A position inside an account, version 3."""
    position = facts.position
    return AccountPositionV3(
        symbol=position.symbol,
        position_side=position.position_side,
        position_amt=venue.market.symbols[position.symbol].numerals.qty(position.position_lots),
        unrealized_profit=money(facts.unrealised_e8),
        isolated_margin=money(0),
        notional=money_or_zero(facts.notional_e8),
        isolated_wallet="0",
        initial_margin=money_or_zero(facts.initial_e8),
        maint_margin=money_or_zero(facts.maintenance_e8),
        update_time=_updated_ms(venue, position),
    )


# --- balances and totals -----------------------------------------------------------------------------------


class AssetV3(Struct, kw_only=True, rename="camel"):
    """An asset of GET /fapi/v3/account."""

    asset: str
    wallet_balance: str
    unrealized_profit: str
    margin_balance: str
    maint_margin: str
    initial_margin: str
    position_initial_margin: str
    open_order_initial_margin: str
    cross_wallet_balance: str
    cross_un_pnl: str
    available_balance: str
    max_withdraw_amount: str
    update_time: int


class AssetV2(AssetV3, rename="camel", kw_only=True):
    """An asset of GET /fapi/v2/account."""

    margin_available: bool = True


class AccountV3(Struct, kw_only=True, rename="camel"):
    """GET /fapi/v3/account."""

    total_initial_margin: str
    total_maint_margin: str
    total_wallet_balance: str
    total_unrealized_profit: str
    total_margin_balance: str
    total_position_initial_margin: str
    total_open_order_initial_margin: str
    total_cross_wallet_balance: str
    total_cross_un_pnl: str
    available_balance: str
    max_withdraw_amount: str
    assets: list[AssetV3] | list[AssetV2]
    positions: list[AccountPositionV3] | list[AccountPositionV2]


class AccountV2(AccountV3, rename="camel", kw_only=True):
    """GET /fapi/v2/account."""

    fee_tier: int
    fee_burn: bool
    can_trade: bool
    can_deposit: bool
    can_withdraw: bool
    update_time: int
    multi_assets_margin: bool
    trade_group_id: int


class BalanceWire(Struct, kw_only=True, rename="camel"):
    """GET balance, versions 2 and 3."""

    account_alias: str
    asset: str
    balance: str
    cross_wallet_balance: str
    cross_un_pnl: str
    available_balance: str
    max_withdraw_amount: str
    margin_available: bool
    update_time: int


class IncomeWire(Struct, kw_only=True, rename="camel"):
    """GET income."""

    symbol: str
    income_type: str
    income: str
    asset: str
    info: str
    time: int
    tran_id: int
    trade_id: str


def asset_fields(venue: Venue, account: Account, asset: str) -> dict[str, object]:
    """One asset's figures, as texts."""
    wallet_e8 = account.balances.get(asset, 0)
    summary = venue.exchange.summary(account, asset)
    free_e8 = max(0, min(summary.available_e8, wallet_e8))
    return {
        "asset": asset,
        "wallet_balance": money(wallet_e8),
        "unrealized_profit": money(summary.unrealised_e8),
        "margin_balance": money(wallet_e8 + summary.unrealised_e8),
        "maint_margin": money(summary.maintenance_e8),
        "initial_margin": money(summary.initial_e8),
        "position_initial_margin": money(summary.position_initial_e8),
        "open_order_initial_margin": money(summary.order_initial_e8),
        "cross_wallet_balance": money(wallet_e8),
        "cross_un_pnl": money(summary.unrealised_e8),
        "available_balance": money(summary.available_e8),
        "max_withdraw_amount": money(free_e8),
        "update_time": venue.shown_ms(account.updated_ns) if account.updated_ns else 0,
    }


def total_fields(summary: Summary) -> dict[str, object]:
    """The account's totals, as texts."""
    return {
        "total_initial_margin": money(summary.initial_e8),
        "total_maint_margin": money(summary.maintenance_e8),
        "total_wallet_balance": money(summary.wallet_e8),
        "total_unrealized_profit": money(summary.unrealised_e8),
        "total_margin_balance": money(summary.margin_e8),
        "total_position_initial_margin": money(summary.position_initial_e8),
        "total_open_order_initial_margin": money(summary.order_initial_e8),
        "total_cross_wallet_balance": money(summary.wallet_e8),
        "total_cross_un_pnl": money(summary.unrealised_e8),
        "available_balance": money(summary.available_e8),
        "max_withdraw_amount": money(max(0, min(summary.available_e8, summary.wallet_e8))),
    }


def balance(venue: Venue, account: Account, asset: str) -> BalanceWire:
    """One asset's balance."""
    fields = asset_fields(venue, account, asset)
    return BalanceWire(
        account_alias=account.uid[:16],
        asset=asset,
        balance=str(fields["wallet_balance"]),
        cross_wallet_balance=str(fields["wallet_balance"]),
        cross_un_pnl=str(fields["unrealized_profit"]),
        available_balance=str(fields["available_balance"]),
        max_withdraw_amount=str(fields["max_withdraw_amount"]),
        margin_available=True,
        update_time=venue.shown_ms(account.updated_ns) if account.updated_ns else 0,
    )


def income(venue: Venue, entry: Income) -> IncomeWire:
    """An entry of the income list."""
    return IncomeWire(
        symbol=entry.symbol,
        income_type=entry.kind,
        income=money(entry.amount_e8),
        asset=entry.asset,
        info=str(entry.trade_id) if entry.trade_id else entry.kind,
        time=venue.shown_ms(entry.venue_ns),
        tran_id=entry.tran_id,
        trade_id=str(entry.trade_id) if entry.trade_id else "",
    )


def rate_text(ppm: int) -> str:
    """A fee rate of parts per million as a decimal of four places, or as many as it takes: 200 is 0.0002."""
    return fixed(ppm // 100, 4) if ppm % 100 == 0 else bare(fixed(ppm, 6))
