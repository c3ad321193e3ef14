"""Key sets that Binance's replies and messages have, and how to read the recorded examples of them."""

import json
import re


def names(text):
    """Words, as a set."""
    return set(text.split())


ORDER = names(
    """clientOrderId cumQuote executedQty orderId avgPrice origQty price reduceOnly side positionSide status
    stopPrice closePosition symbol timeInForce type origType updateTime workingType priceProtect priceMatch
    selfTradePreventionMode goodTillDate"""
)
ALGO = names(
    """algoId clientAlgoId algoType orderType symbol side positionSide timeInForce quantity algoStatus triggerPrice
    price icebergQuantity selfTradePreventionMode workingType priceMatch closePosition priceProtect reduceOnly
    createTime updateTime triggerTime goodTillDate"""
)
ALGO_QUERIED = ALGO | names(
    "actualOrderId actualPrice actualQty actualType tpTriggerPrice tpPrice slTriggerPrice slPrice tpOrderType"
)
TRADE = names(
    "buyer commission commissionAsset id maker orderId price qty quoteQty realizedPnl side positionSide symbol time"
)
POSITION_V2 = names(
    """entryPrice breakEvenPrice marginType isAutoAddMargin isolatedMargin leverage liquidationPrice markPrice
    maxNotionalValue positionAmt notional isolatedWallet symbol unRealizedProfit positionSide updateTime"""
)
POSITION_V3 = names(
    """symbol positionSide positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit liquidationPrice
    isolatedMargin notional marginAsset isolatedWallet initialMargin maintMargin positionInitialMargin
    openOrderInitialMargin adl bidNotional askNotional updateTime"""
)
TOTALS = names(
    """totalInitialMargin totalMaintMargin totalWalletBalance totalUnrealizedProfit totalMarginBalance
    totalPositionInitialMargin totalOpenOrderInitialMargin totalCrossWalletBalance totalCrossUnPnl
    availableBalance maxWithdrawAmount assets positions"""
)
ACCOUNT_V2 = TOTALS | names(
    "feeTier canTrade canDeposit canWithdraw updateTime multiAssetsMargin tradeGroupId"
)
ASSET = names(
    """asset walletBalance unrealizedProfit marginBalance maintMargin initialMargin positionInitialMargin
    openOrderInitialMargin crossWalletBalance crossUnPnl availableBalance maxWithdrawAmount updateTime"""
)
TICKER = names(
    """symbol priceChange priceChangePercent weightedAvgPrice lastPrice lastQty openPrice highPrice lowPrice volume
    quoteVolume openTime closeTime firstId lastId count"""
)
PREMIUM = names(
    "symbol markPrice indexPrice estimatedSettlePrice lastFundingRate interestRate nextFundingTime time"
)
SYMBOL = names(
    """symbol pair contractType deliveryDate onboardDate status maintMarginPercent requiredMarginPercent baseAsset
    quoteAsset marginAsset pricePrecision quantityPrecision baseAssetPrecision quotePrecision underlyingType
    underlyingSubType settlePlan triggerProtect liquidationFee marketTakeBound filters orderTypes timeInForce"""
)

# of the user stream
ORDER_UPDATE = names("s c S o f q p ap sp x X i l z L N n T t b a m R wt ot ps cp pP si ss rp V pm gtd")
TRADE_LITE = names("e E T s q p m c S L l t i")
ACCOUNT_BALANCE = names("a wb cw bc")
ACCOUNT_POSITION = names("s pa ep cr up mt iw ps bep")
ALGO_UPDATE = names("caid aid at o s S ps f q X ai ap aq act tp p V wt pm cp pP R tt gtd")

TRAILING_ONLY = {"activatePrice", "priceRate", "callbackRate", "AP", "cr"}


def reply_of(path):
    """(method, path, reply) of a recorded endpoint example: three lines, then JSON."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    head = [line.strip() for line in lines[:3]]
    return head[0], head[1], json.loads("\n".join(lines[3:]))


def message_of(path):
    """The data of a recorded subscription example: what follows the line of a single =."""
    text = path.read_text(encoding="utf-8-sig")
    found = (
        re.split(r"^=\s*$", text, flags=re.MULTILINE)[-1]
        if re.search(r"^=\s*$", text, re.MULTILINE)
        else None
    )
    told = json.loads(found if found is not None else text)
    return told.get("data", told) if isinstance(told, dict) else told


def first(value):
    """The first of a list, or the thing itself."""
    return value[0] if isinstance(value, list) else value


def kinds(value):
    """The shape of a value: names and JSON types, all the way down (of lists, the first entry)."""
    if isinstance(value, dict):
        return {name: kinds(one) for name, one in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def missing(expected, told, *, path="", ignore=frozenset()):
    """Names (and JSON types) of the example that our message lacks."""
    if isinstance(expected, dict):
        if not isinstance(told, dict):
            return [f"{path}: {told!r} is no object"]
        lacks = []
        for name, one in expected.items():
            if name in ignore:
                continue
            if name not in told:
                lacks.append(f"{path}.{name}")
            else:
                lacks += missing(one, told[name], path=f"{path}.{name}", ignore=ignore)
        return lacks
    if isinstance(expected, list):
        if not isinstance(told, list):
            return [f"{path}: {told!r} is no list"]
        return missing(expected[0], told[0], path=f"{path}[]", ignore=ignore) if expected and told else []
    if expected == "NoneType" or told is None or kinds(told) == expected:
        return []
    return [f"{path}: {told!r} is not a {expected}"]
