"""Binance USD-M's side of the contract: what this adapter reads of each answer, and of what type it takes it.

Written from what ``wire.py`` and ``codec.py`` read; a test holds the two against each other.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from holdfast.venues.binance import calls, wire
from holdfast.venues.binance.asking import Endpoint
from holdfast.venues.transport.shapes import Promise

RESTRICTIONS: Final = Endpoint(name="sapiGetAccountApiRestrictions")
SYMBOL_CONFIG: Final = Endpoint(name="fapiPrivateGetSymbolConfig", weight=5)
MULTI_ASSETS: Final = Endpoint(name="fapiPrivateGetMultiAssetsMargin", weight=30)
BRACKETS: Final = Endpoint(name="fapiPrivateGetLeverageBracket")
TRADES: Final = Endpoint(name="fapiPrivateGetUserTrades", weight=5)
INCOME: Final = Endpoint(name="fapiPrivateGetIncome", weight=30)
MARK: Final = Endpoint(name="fapiPublicGetPremiumIndex", signed=False)
ORDER_TEST: Final = Endpoint(name="fapiPrivatePostOrderTest")


class Clause(Struct, frozen=True, kw_only=True):
    """One endpoint: how it is asked, and what it promises. ``reads``: the adapter's own record of it, where it has one.

    ``per_symbol``: it wants one of the instruments.
    """

    path: str
    endpoint: Endpoint
    promise: Promise
    reads: Any = None
    per_symbol: bool = False


def _rows(promise: Promise, at: str = "[]") -> dict[str, str]:
    return {f"{at}.{place}": kinds for place, kinds in promise.items()}


_ORDER: Final = {
    "orderId": "whole",
    "symbol": "text",
    "status": "text",
    "clientOrderId": "text",
    "price": "decimal",
    "origQty": "decimal",
    "executedQty": "decimal",
    "side": "text",
    "reduceOnly": "flag",
    "closePosition": "flag",
    "updateTime": "whole",
}
_ALGO: Final = {
    "algoId": "whole",
    "clientAlgoId": "text",
    "symbol": "text",
    "side": "text",
    "quantity": "decimal",
    "algoStatus": "text",
    "triggerPrice": "decimal",
    "reduceOnly": "flag",
}
_POSITION: Final = {"symbol": "text", "positionAmt": "decimal"}
_TRADE: Final = {
    "id": "whole",
    "orderId": "whole",
    "symbol": "text",
    "side": "text",
    "price": "decimal",
    "qty": "decimal",
    "commission": "decimal",
    "commissionAsset": "text",
    "maker": "flag",
    "time": "whole",
}
_INCOME: Final = {
    "incomeType": "text",
    "income": "decimal",
    "asset": "text",
    "time": "whole",
    "tranId": "whole|text",
}
_SYMBOL: Final = {
    "symbol": "text",
    "status": "text",
    "baseAsset": "text",
    "quoteAsset": "text",
    "marginAsset": "text",
    "filters[].filterType": "text",
}
_LIMIT: Final = {"rateLimitType": "text", "interval": "text", "intervalNum": "whole", "limit": "whole"}

CONTRACT: Final = (
    Clause(
        path="GET /fapi/v1/time", endpoint=calls.TIME, promise={"serverTime": "whole"}, reads=wire.TimeReply
    ),
    Clause(
        path="GET /fapi/v1/exchangeInfo",
        endpoint=calls.EXCHANGE_INFO,
        promise={**_rows(_SYMBOL, "symbols[]"), **_rows(_LIMIT, "rateLimits[]")},
        reads=wire.ExchangeInfo,
    ),
    Clause(
        path="GET /fapi/v1/openOrders",
        endpoint=calls.OPEN,
        promise=_rows(_ORDER),
        reads=list[wire.OrderReply],
    ),
    Clause(
        path="GET /fapi/v1/openAlgoOrders",
        endpoint=calls.OPEN_ALGO,
        promise=_rows(_ALGO),
        reads=list[wire.AlgoReply],
    ),
    Clause(
        path="GET /fapi/v3/positionRisk",
        endpoint=calls.POSITION_RISK,
        promise=_rows({**_POSITION, "markPrice": "decimal"}),
        reads=list[wire.PositionRow],
    ),
    Clause(
        path="GET /fapi/v2/positionRisk",
        endpoint=calls.POSITION_RISK_V2,
        promise=_rows({**_POSITION, "markPrice": "decimal"}),
        reads=list[wire.PositionRow],
    ),
    Clause(
        path="GET /fapi/v3/account",
        endpoint=calls.ACCOUNT,
        promise={
            **_rows({"asset": "text", "walletBalance": "decimal"}, "assets[]"),
            **_rows(_POSITION, "positions[]"),
        },
        reads=wire.AccountReply,
    ),
    Clause(
        path="GET /fapi/v1/accountConfig",
        endpoint=calls.ACCOUNT_CONFIG,
        promise={"canTrade": "flag", "dualSidePosition": "flag"},
        reads=wire.AccountConfig,
    ),
    Clause(
        path="GET /fapi/v3/balance",
        endpoint=calls.BALANCE,
        promise={"[].accountAlias": "text"},
        reads=list[wire.BalanceRow],
    ),
    Clause(
        path="GET /fapi/v1/userTrades",
        endpoint=TRADES,
        promise=_rows(_TRADE),
        reads=list[wire.TradeRow],
        per_symbol=True,
    ),
    Clause(path="GET /fapi/v1/income", endpoint=INCOME, promise=_rows(_INCOME), reads=list[wire.IncomeRow]),
    Clause(
        path="GET /fapi/v1/positionSide/dual",
        endpoint=calls.DUAL_SIDE,
        promise={"dualSidePosition": "flag"},
        reads=wire.DualSideReply,
    ),
    Clause(
        path="GET /fapi/v1/multiAssetsMargin", endpoint=MULTI_ASSETS, promise={"multiAssetsMargin": "flag"}
    ),
    Clause(
        path="GET /fapi/v1/symbolConfig",
        endpoint=SYMBOL_CONFIG,
        promise=_rows({"symbol": "text", "marginType": "text", "leverage": "whole"}),
    ),
    Clause(
        path="GET /fapi/v1/leverageBracket",
        endpoint=BRACKETS,
        promise=_rows({"symbol": "text", "brackets[].initialLeverage": "whole"}),
    ),
    Clause(
        path="GET /fapi/v1/premiumIndex",
        endpoint=MARK,
        promise={"symbol": "text", "markPrice": "decimal"},
        per_symbol=True,
    ),
    Clause(
        path="GET /sapi/v1/account/apiRestrictions",
        endpoint=RESTRICTIONS,
        promise={"ipRestrict": "flag", "enableWithdrawals": "flag", "enableFutures": "flag"},
    ),
    Clause(
        path="POST /fapi/v1/listenKey",
        endpoint=calls.NEW_KEY,
        promise={"listenKey": "text"},
        reads=wire.ListenKeyReply,
    ),
)

NOT_CALLED: Final = (
    "POST/PUT/DELETE order, algoOrder, allOpenOrders, leverage: each changes something; the bot's own calls are judged"
    " as they come"
)
