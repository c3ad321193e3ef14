"""Binance USD-M on the wire: REST replies and user-stream messages, as typed records.

Open on purpose: new fields are ignored. What we rely on has no default, so that a reply without it is
unreadable instead of half believed. Numbers stay the texts that the venue sent.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

# --- REST -------------------------------------------------------------------------------------------------


class OrderReply(Struct, rename="camel"):
    """``/fapi/v1/order`` and one entry of ``/openOrders``."""

    order_id: int
    symbol: str
    status: str
    client_order_id: str
    price: str
    orig_qty: str
    executed_qty: str
    side: str
    reduce_only: bool = False
    close_position: bool = False
    stop_price: str = "0"
    update_time: int = 0


class AlgoReply(Struct, rename="camel"):
    """``/fapi/v1/algoOrder`` and one entry of ``/openAlgoOrders``."""

    algo_id: int
    client_algo_id: str
    symbol: str
    side: str
    quantity: str
    algo_status: str
    trigger_price: str
    price: str = "0"
    actual_order_id: str | int = ""
    actual_qty: str | None = None
    reduce_only: bool = False
    close_position: bool = False
    update_time: int = 0


class Ticker24h(Struct, rename="camel"):
    """``/fapi/v1/ticker/24hr`` of one symbol: ``volume`` in base asset over the last 24 hours."""

    symbol: str
    volume: str


class Word(Struct, rename="camel"):
    """A success that says little, or an error: ``{"code": …, "msg": …}``; settings repeat what was asked."""

    code: int | str | None = None
    msg: str = ""
    leverage: int | None = None
    countdown_time: int | str | None = None


class PositionRow(Struct, rename="camel"):
    """One position of ``positionRisk`` or of ``account``."""

    symbol: str
    position_amt: str
    entry_price: str = ""
    mark_price: str = ""
    update_time: int = 0


class AssetRow(Struct, rename="camel"):
    """One asset of ``account``."""

    asset: str
    wallet_balance: str


class AccountReply(Struct, rename="camel"):
    """``/fapi/v3/account`` (and v2)."""

    assets: list[AssetRow]
    positions: list[PositionRow]


class AccountConfig(Struct, rename="camel"):
    """``/fapi/v1/accountConfig``."""

    can_trade: bool | None = None
    can_withdraw: bool | None = None
    dual_side_position: bool | None = None


class BalanceRow(Struct, rename="camel"):
    """One entry of ``/fapi/v3/balance``: the one place where the account has a name."""

    account_alias: str = ""


class TradeRow(Struct, rename="camel"):
    """One entry of ``/fapi/v1/userTrades``."""

    id: int
    order_id: int
    symbol: str
    side: str
    price: str
    qty: str
    commission: str
    commission_asset: str
    maker: bool
    time: int


class IncomeRow(Struct, rename="camel"):
    """One entry of ``/fapi/v1/income``."""

    income_type: str
    income: str
    asset: str
    time: int
    tran_id: int | str
    symbol: str | None = ""
    trade_id: int | str | None = ""


class TimeReply(Struct, rename="camel"):
    """``/fapi/v1/time``."""

    server_time: int


class ListenKeyReply(Struct, rename="camel"):
    """``POST /fapi/v1/listenKey``."""

    listen_key: str


class DualSideReply(Struct, rename="camel"):
    """``GET /fapi/v1/positionSide/dual``."""

    dual_side_position: bool


class FilterRow(Struct, rename="camel"):
    """One filter of a symbol; only the fields of its type are there."""

    filter_type: str
    tick_size: str = ""
    step_size: str = ""
    min_qty: str = ""
    max_qty: str = ""
    notional: str = ""


class SymbolRow(Struct, rename="camel"):
    """One symbol of exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    filters: list[FilterRow]
    contract_type: str = ""
    delivery_date: int = 0


class RateLimitRow(Struct, rename="camel"):
    """One rate limit of exchangeInfo."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class ExchangeInfo(Struct, rename="camel"):
    """``/fapi/v1/exchangeInfo``."""

    symbols: list[SymbolRow]
    rate_limits: list[RateLimitRow] = []


# --- the user stream ----------------------------------------------------------------------------------------


class OrderNews(Struct):
    """The ``o`` of ORDER_TRADE_UPDATE."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: str = field(name="S")
    qty: str = field(name="q")
    price: str = field(name="p")
    execution: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    last_qty: str = field(name="l")
    filled_qty: str = field(name="z")
    last_price: str = field(name="L")
    time: int = field(name="T")
    trade_id: int = field(name="t")
    maker: bool = field(name="m")
    fee: str | None = field(name="n", default=None)
    fee_asset: str | None = field(name="N", default=None)
    reduce_only: bool = field(name="R", default=False)
    close_position: bool = field(name="cp", default=False)
    stop_price: str | None = field(name="sp", default=None)


class OrderTradeUpdate(Struct, tag_field="e", tag="ORDER_TRADE_UPDATE"):
    """An order changed, or traded."""

    order: OrderNews = field(name="o")


class AlgoNews(Struct):
    """The ``o`` of ALGO_UPDATE."""

    client_id: str = field(name="caid")
    algo_id: int = field(name="aid")
    symbol: str = field(name="s")
    side: str = field(name="S")
    qty: str = field(name="q")
    status: str = field(name="X")
    trigger_price: str = field(name="tp")
    price: str = field(name="p", default="0")
    actual_id: str = field(name="ai", default="")
    actual_qty: str | None = field(name="aq", default=None)
    reduce_only: bool = field(name="R", default=False)
    close_position: bool = field(name="cp", default=False)


class AlgoUpdate(Struct, tag_field="e", tag="ALGO_UPDATE"):
    """A conditional order changed."""

    time: int = field(name="T")
    order: AlgoNews = field(name="o")


class BalanceNews(Struct):
    """One balance of ACCOUNT_UPDATE."""

    asset: str = field(name="a")
    wallet: str = field(name="wb")


class AccountNews(Struct):
    """The ``a`` of ACCOUNT_UPDATE."""

    reason: str = field(name="m")
    balances: list[BalanceNews] = field(name="B", default_factory=list)


class AccountUpdate(Struct, tag_field="e", tag="ACCOUNT_UPDATE"):
    """Balances or positions changed, and why."""

    account: AccountNews = field(name="a")


class LeverageNews(Struct):
    """The ``ac`` of ACCOUNT_CONFIG_UPDATE."""

    symbol: str = field(name="s")
    leverage: int = field(name="l")


class MultiAssetsNews(Struct):
    """The ``ai`` of ACCOUNT_CONFIG_UPDATE."""

    on: bool = field(name="j")


class AccountConfigUpdate(Struct, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE"):
    """Somebody changed leverage or the margin mode."""

    leverage: LeverageNews | None = field(name="ac", default=None)
    multi_assets: MultiAssetsNews | None = field(name="ai", default=None)


class MarginRow(Struct):
    """One position of MARGIN_CALL."""

    symbol: str = field(name="s")


class MarginCall(Struct, tag_field="e", tag="MARGIN_CALL"):
    """The venue wants more margin."""

    positions: list[MarginRow] = field(name="p", default_factory=list)


class RejectNews(Struct):
    """The ``or`` of CONDITIONAL_ORDER_TRIGGER_REJECT."""

    symbol: str = field(name="s")
    order_id: int = field(name="i")
    reason: str = field(name="r")


class TriggerReject(Struct, tag_field="e", tag="CONDITIONAL_ORDER_TRIGGER_REJECT"):
    """A triggered order was refused."""

    order: RejectNews = field(name="or")


class TradeLite(Struct, tag_field="e", tag="TRADE_LITE"):
    """A trade, early and without its fee: the full ORDER_TRADE_UPDATE follows."""


class ListenKeyExpired(Struct, tag_field="e", tag="listenKeyExpired"):
    """The listen key ran out: this connection says nothing more."""


UserMessage = (
    OrderTradeUpdate
    | AlgoUpdate
    | AccountUpdate
    | AccountConfigUpdate
    | MarginCall
    | TriggerReject
    | TradeLite
    | ListenKeyExpired
)


class Envelope(Struct):
    """The combined-stream form of a user message."""

    data: msgspec.Raw = msgspec.Raw(b"")
    e: str | None = None
    id: int | str | None = None


user_message: Final = msgspec.json.Decoder(UserMessage).decode
envelope: Final = msgspec.json.Decoder(Envelope).decode
