"""Every REST path that is served: who may call it, what it weighs, and who answers it.

Weights are Binance's (documentation of 2026). Orders weigh nothing per address; they count per account.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from msgspec import Struct

from holdfast.sim.server import rest_account as account
from holdfast.sim.server import rest_market as market
from holdfast.sim.server import rest_trade as trade
from holdfast.sim.server.venue import Handler


class Need(Enum):
    """What a request must show: nothing, a known key, or a key and a fresh signature."""

    NOTHING = "nothing"
    KEY = "key"
    SIGNATURE = "signature"


Weigh = Callable[[dict[str, str]], int]


class Route(Struct, frozen=True, kw_only=True):
    """One method of one path. ``orders``: how many it counts in 10 s and in a minute. ``kind``: of the ground truth."""

    handler: Handler
    need: Need = Need.NOTHING
    weight: int | Weigh = 1
    orders: tuple[int, int] = (0, 0)
    kind: str = ""


def _by_limit(steps: tuple[tuple[int, int], ...], default: int, beyond: int) -> Weigh:
    """The weight by the ``limit`` parameter: the first step that is not below it."""

    def weigh(texts: dict[str, str]) -> int:
        text = texts.get("limit", "")
        limit = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else default
        return next((weight for most, weight in steps if limit <= most), beyond)

    return weigh


def _by_symbol(one: int, every: int) -> Weigh:
    return lambda texts: one if texts.get("symbol") else every


_DEPTH: Final = _by_limit(((50, 2), (100, 5), (500, 10)), 500, 20)
_KLINES: Final = _by_limit(((99, 1), (499, 2), (1000, 5)), 500, 10)


def _public(handler: Handler, weight: int | Weigh = 1) -> Route:
    return Route(handler=handler, weight=weight)


def _signed(handler: Handler, weight: int | Weigh = 1, *, kind: str = "") -> Route:
    return Route(handler=handler, need=Need.SIGNATURE, weight=weight, kind=kind)


def _order(handler: Handler, kind: str, *, weight: int = 0, orders: tuple[int, int] = (1, 1)) -> Route:
    return Route(handler=handler, need=Need.SIGNATURE, weight=weight, orders=orders, kind=kind)


def _key(handler: Handler, weight: int = 1) -> Route:
    return Route(handler=handler, need=Need.KEY, weight=weight)


ROUTES: Final[dict[tuple[str, str], Route]] = {
    # market
    ("GET", "/fapi/v1/ping"): _public(market.ping),
    ("GET", "/fapi/v1/time"): _public(market.server_time),
    ("GET", "/fapi/v1/exchangeInfo"): _public(market.exchange_info),
    ("GET", "/fapi/v1/depth"): _public(market.depth, _DEPTH),
    ("GET", "/fapi/v1/rpiDepth"): _public(market.depth, 20),
    ("GET", "/fapi/v1/trades"): _public(market.trades, 5),
    ("GET", "/fapi/v1/historicalTrades"): _key(market.trades, 20),
    ("GET", "/fapi/v1/aggTrades"): _public(market.agg_trades, 20),
    ("GET", "/fapi/v1/klines"): _public(market.klines, _KLINES),
    ("GET", "/fapi/v1/continuousKlines"): _public(market.continuous_klines, _KLINES),
    ("GET", "/fapi/v1/premiumIndex"): _public(market.premium_index, _by_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): _public(market.funding_rate, 0),
    ("GET", "/fapi/v1/fundingInfo"): _public(market.funding_info, 0),
    ("GET", "/fapi/v1/ticker/24hr"): _public(market.ticker_24h, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/ticker/price"): _public(market.price_ticker, _by_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): _public(market.price_ticker, _by_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): _public(market.book_ticker, _by_symbol(2, 5)),
    ("GET", "/fapi/v1/openInterest"): _public(market.open_interest),
    ("GET", "/fapi/v1/markPriceKlines"): _public(market.mark_klines, _KLINES),
    ("GET", "/fapi/v1/indexPriceKlines"): _public(market.mark_klines, _KLINES),
    ("GET", "/fapi/v1/premiumIndexKlines"): _public(market.nothing, _KLINES),
    ("GET", "/fapi/v1/symbolAdlRisk"): _public(market.adl_risk),
    ("GET", "/fapi/v1/constituents"): _public(market.constituents, 2),
    ("GET", "/fapi/v1/insuranceBalance"): _public(market.insurance_balance),
    ("GET", "/fapi/v1/assetIndex"): _public(market.nothing, _by_symbol(1, 10)),
    ("GET", "/fapi/v1/indexInfo"): _public(market.nothing),
    ("GET", "/futures/data/openInterestHist"): _public(market.nothing, 0),
    ("GET", "/futures/data/topLongShortAccountRatio"): _public(market.nothing, 0),
    ("GET", "/futures/data/topLongShortPositionRatio"): _public(market.nothing, 0),
    ("GET", "/futures/data/globalLongShortAccountRatio"): _public(market.nothing, 0),
    ("GET", "/futures/data/takerlongshortRatio"): _public(market.nothing, 0),
    ("GET", "/futures/data/basis"): _public(market.nothing, 0),
    # clients of the whole exchange knock here first
    ("GET", "/api/v3/ping"): _public(market.ping),
    ("GET", "/api/v3/time"): _public(market.server_time),
    ("GET", "/sapi/v1/capital/config/getall"): _signed(account.nothing_signed, 10),
    ("GET", "/sapi/v1/account/apiRestrictions"): _signed(account.restrictions),
    ("GET", "/sapi/v1/margin/allPairs"): _signed(account.nothing_signed, 1),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _signed(account.nothing_signed, 1),
    # orders
    ("POST", "/fapi/v1/order"): _order(trade.place, "place"),
    ("PUT", "/fapi/v1/order"): _order(trade.amend, "amend", weight=1),
    ("DELETE", "/fapi/v1/order"): _signed(trade.cancel, kind="cancel"),
    ("GET", "/fapi/v1/order"): _signed(trade.order),
    ("POST", "/fapi/v1/order/test"): _signed(trade.place_test),
    ("POST", "/fapi/v1/batchOrders"): _order(trade.place_batch, "", weight=5, orders=(5, 1)),
    ("PUT", "/fapi/v1/batchOrders"): _order(trade.amend_batch, "", weight=5, orders=(5, 1)),
    ("DELETE", "/fapi/v1/batchOrders"): _signed(trade.cancel_batch),
    ("GET", "/fapi/v1/openOrder"): _signed(trade.open_order),
    ("GET", "/fapi/v1/openOrders"): _signed(trade.open_orders, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/allOrders"): _signed(trade.all_orders, 5),
    ("GET", "/fapi/v1/userTrades"): _signed(trade.user_trades, 5),
    ("DELETE", "/fapi/v1/allOpenOrders"): _signed(trade.cancel_all, kind="cancel_all"),
    ("POST", "/fapi/v1/countdownCancelAll"): _signed(trade.countdown, 10, kind="countdown"),
    ("POST", "/fapi/v1/algoOrder"): _order(trade.place_algo, "place_algo"),
    ("DELETE", "/fapi/v1/algoOrder"): _signed(trade.cancel_algo, kind="cancel_algo"),
    ("GET", "/fapi/v1/algoOrder"): _signed(trade.algo_order),
    ("GET", "/fapi/v1/openAlgoOrders"): _signed(trade.open_algo_orders, _by_symbol(1, 40)),
    ("GET", "/fapi/v1/allAlgoOrders"): _signed(trade.all_algo_orders, 5),
    ("DELETE", "/fapi/v1/algoOpenOrders"): _signed(trade.cancel_all_algo, kind="cancel_all_algo"),
    ("GET", "/fapi/v1/orderAmendment"): _signed(trade.amendments),
    # account
    ("GET", "/fapi/v2/account"): _signed(account.account_v2, 5),
    ("GET", "/fapi/v3/account"): _signed(account.account_v3, 5),
    ("GET", "/fapi/v2/balance"): _signed(account.balance, 5),
    ("GET", "/fapi/v3/balance"): _signed(account.balance, 5),
    ("GET", "/fapi/v2/positionRisk"): _signed(account.position_risk_v2, 5),
    ("GET", "/fapi/v3/positionRisk"): _signed(account.position_risk_v3, 5),
    ("GET", "/fapi/v1/income"): _signed(account.income, 30),
    ("GET", "/fapi/v1/accountConfig"): _signed(account.account_config, 5),
    ("GET", "/fapi/v1/symbolConfig"): _signed(account.symbol_config, 5),
    ("GET", "/fapi/v1/commissionRate"): _signed(account.commission_rate, 20),
    ("GET", "/fapi/v1/leverageBracket"): _signed(account.leverage_bracket),
    ("GET", "/fapi/v1/adlQuantile"): _signed(account.adl_quantile, 5),
    ("GET", "/fapi/v1/forceOrders"): _signed(account.force_orders, _by_symbol(20, 50)),
    ("GET", "/fapi/v1/rateLimit/order"): _signed(account.order_rate_limits),
    ("GET", "/fapi/v1/apiTradingStatus"): _signed(account.trading_status, _by_symbol(1, 10)),
    ("POST", "/fapi/v1/leverage"): _signed(account.set_leverage),
    ("POST", "/fapi/v1/marginType"): _signed(account.set_margin_type),
    ("POST", "/fapi/v1/positionMargin"): _signed(account.position_margin),
    ("GET", "/fapi/v1/positionMargin/history"): _signed(account.nothing_signed),
    ("GET", "/fapi/v1/positionSide/dual"): _signed(account.position_mode, 30),
    ("POST", "/fapi/v1/positionSide/dual"): _signed(account.set_position_mode),
    ("GET", "/fapi/v1/multiAssetsMargin"): _signed(account.multi_assets, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): _signed(account.set_multi_assets),
    ("GET", "/fapi/v1/feeBurn"): _signed(account.fee_burn, 30),
    ("POST", "/fapi/v1/feeBurn"): _signed(account.set_fee_burn),
    # user stream
    ("POST", "/fapi/v1/listenKey"): _key(account.start_stream),
    ("PUT", "/fapi/v1/listenKey"): _key(account.extend_stream),
    ("DELETE", "/fapi/v1/listenKey"): _key(account.end_stream),
}

WS_METHODS: Final[dict[str, tuple[str, str]]] = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
}
