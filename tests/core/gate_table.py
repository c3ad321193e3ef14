"""What the rows of the gate's table are made of."""

from typing import NamedTuple

from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderType, Side
from holdfast.vocab.refusals import (
    Held,
)
from holdfast.vocab.units import E8
from tests.house.setup import BTC_TICKS, account_limits, instrument_limits, strategy_limits

L = HoldLevel
LOT_E8 = 60 * E8  # one lot of BTC at the mid
SELL = Side.SELL
BUY = Side.BUY
STOP = {"order_type": OrderType.STOP_MARKET, "price_ticks": None, "trigger_ticks": BTC_TICKS - 3_000}
MARKET = {"order_type": OrderType.MARKET, "price_ticks": None}
ROOMY = instrument_limits(order_lots_max=10_000, order_notional_e8_max=10**15, position_lots_max=100_000)
ROOMY_STRATEGY = strategy_limits(order_lots_max=10_000, position_lots_max=100_000)
ROOMY_ACCOUNT = account_limits(gross_notional_e8_max=10**16, leverage_ppm_max=10**9)
ROOMS = {"instrument": ROOMY, "strategy": ROOMY_STRATEGY, "account": ROOMY_ACCOUNT}


class Case(NamedTuple):
    name: str
    check: object  # whose business it is
    desk: dict
    intent: dict
    refusal: object  # None: it passes


def case(name, check, desk=None, intent=None, refusal=None):
    return Case(name, check, desk or {}, intent or {}, refusal)


def held(level):
    return Held(level=level, cause=HoldCause.HALT, hold_id=7)
