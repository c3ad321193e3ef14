"""Binance's refusals: code and text, as users received them (USD-M, 2023–2026)."""

from __future__ import annotations

from typing import Final

from holdfast.sim.model import Refused

TEXTS: Final[dict[int, str]] = {
    -1013: "Invalid message.",
    -1102: "A mandatory parameter was not sent, was empty/null, or malformed.",
    -1106: "Parameter 'reduceOnly' sent when not required.",
    -1111: "Precision is over the maximum defined for this asset.",
    -1112: "No orders on book for symbol.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1121: "Invalid symbol.",
    -1122: "Invalid symbol status.",
    -1126: "This asset is not supported.",
    -1130: "Data sent for a parameter is not valid.",
    -2010: "NEW_ORDER_REJECTED",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2018: "Balance is insufficient.",
    -2019: "Margin is insufficient.",
    -2021: "Order would immediately trigger.",
    -2022: "ReduceOnly Order is rejected.",
    -2023: "User in liquidation mode now.",
    -2025: "Reach max open order limit.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4001: "Price less than 0.",
    -4002: "Price greater than max price.",
    -4003: "Quantity less than or equal to zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4006: "Stop price less than zero.",
    -4007: "Stop price greater than max price.",
    -4013: "Price less than min price.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id is not valid.",
    -4016: "Limit price can't be higher than {0}.",
    -4024: "Limit price can't be lower than {0}.",
    -4028: "Leverage {0} is not valid",
    -4031: "Invalid parameter working type: {0}",
    -4045: "Reach max stop order limit.",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4059: "No need to change position side.",
    -4060: "Invalid position side.",
    -4061: "Order's position side does not match user's setting.",
    -4067: "Position side cannot be changed if there exists open orders.",
    -4068: "Position side cannot be changed if there exists position.",
    -4088: "User can not place order currently",
    -4116: "ClientOrderId is duplicated.",
    -4117: "stop order is triggering",
    -4118: "ReduceOnly Order Failed. Please check your existing position and open orders",
    -4120: ("Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."),
    -4130: "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    -4135: "Invalid activation price",
    -4137: "Quantity must be zero with closePosition equals true",
    -4138: "Reduce only must be true with closePosition equals true",
    -4164: "Order's notional must be no smaller than {0} (unless you choose reduce only).",
    -4167: (
        "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode."
    ),
    -4168: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    -4170: "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.",
    -4171: "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.",
    -5021: (
        "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not "
        "be recorded in the order history"
    ),
    -5022: (
        "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will "
        "not be recorded in the order history"
    ),
    -5024: "Symbol is not in trading status. Order amendment is not permitted.",
    -5025: "Only limit order is supported.",
    -5026: "Exceed maximum modify order limit.",
    -5027: "No need to modify the order.",
    -5040: (
        "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
        "253402300799000"
    ),
}


def refused(code: int, *numbers: object) -> Refused:
    """The refusal of this code, with the numbers its text asks for."""
    return Refused(code, TEXTS[code].format(*numbers))
