"""The records of the simulated venue: orders, fills, positions, accounts and what it tells its listener.

The words (statuses, types, reasons, codes) are Binance's: this is the engine behind Binance's dialect. Prices
and sizes are ticks and lots of the instrument's spec; money is 10⁻⁸ of the asset; times are nanoseconds of
the venue's clock. Records marked mutable belong to the engine: what leaves it through an event is a copy, what
a query returns must only be read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import Struct, field

from holdfast.vocab.orders import Side

FINAL_STATUSES: Final = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"})
ALGO_FINAL_STATUSES: Final = frozenset({"FINISHED", "CANCELED", "REJECTED", "EXPIRED"})
ALGO_TYPES: Final = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)


class Refused(Exception):
    """The venue said no, with Binance's code and text. Nothing of the request took effect."""

    def __init__(self, code: int, msg: str, http: int = 400) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.http = http


def closes(side: int, position_side: str) -> bool:
    """In hedge mode, whether an order of this side takes from the position of this side."""
    return (side < 0 and position_side == "LONG") or (side > 0 and position_side == "SHORT")


class NewOrder(Struct, frozen=True, kw_only=True):
    """A request for an order, plain or conditional. ``qty_lots`` is 0 with ``close_position``.

    type: LIMIT, MARKET, or one of ALGO_TYPES. tif: GTC, IOC, FOK, GTX (post only), GTD with ``good_till_ns``.
    ``stp``: what happens when it meets an order of its own account (NONE, EXPIRE_TAKER, EXPIRE_MAKER,
    EXPIRE_BOTH). ``callback_ppm``: of a trailing stop. ``activation_ticks`` 0: active at once.
    """

    symbol: str
    side: Side
    type: str
    qty_lots: int
    client_id: str
    price_ticks: int = 0
    tif: str = "GTC"
    reduce_only: bool = False
    close_position: bool = False
    trigger_ticks: int = 0
    working_type: str = "CONTRACT_PRICE"
    activation_ticks: int = 0
    callback_ppm: int = 0
    position_side: str = "BOTH"
    good_till_ns: int = 0
    stp: str = "EXPIRE_TAKER"
    price_protect: bool = False


class Order(Struct, kw_only=True, eq=False):
    """A plain order of an account; mutable. ``cost_tick_lots`` is Σ price × lots of its fills.

    ``type``/``orig_type`` differ for one that a conditional order became: then ``trigger_ticks`` is set too.
    ``ahead_lots``: how much exogenous quantity of its level is served before it (engine-internal).
    """

    order_id: int
    account: str
    client_id: str
    symbol: str
    side: Side
    type: str
    orig_type: str
    tif: str
    qty_lots: int
    price_ticks: int
    created_ns: int
    updated_ns: int
    filled_lots: int = 0
    cost_tick_lots: int = 0
    status: str = "NEW"
    reduce_only: bool = False
    close_position: bool = False
    trigger_ticks: int = 0
    working_type: str = "CONTRACT_PRICE"
    good_till_ns: int = 0
    ahead_lots: int = 0
    position_side: str = "BOTH"
    stp: str = "EXPIRE_TAKER"
    algo_id: int = 0
    price_protect: bool = False
    amendments: int = 0
    resting: bool = False  # in the book (engine-internal)

    @property
    def left_lots(self) -> int:
        """What is still to be filled."""
        return self.qty_lots - self.filled_lots

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status not in FINAL_STATUSES

    @property
    def is_reducing(self) -> bool:
        """Whether it may only bring the position towards zero: by its flag, or by its side in hedge mode."""
        return self.reduce_only or self.close_position or closes(self.side, self.position_side)


class AlgoOrder(Struct, kw_only=True, eq=False):
    """A conditional order; mutable. Once triggered it is a plain order too, of the same client id.

    ``trigger_ticks`` of a trailing stop moves with the market. ``triggered_ns`` 0: not yet.
    status: NEW, TRIGGERING, TRIGGERED, FINISHED, CANCELED, REJECTED, EXPIRED.
    """

    algo_id: int
    account: str
    client_algo_id: str
    symbol: str
    side: Side
    type: str
    qty_lots: int
    price_ticks: int
    tif: str
    trigger_ticks: int
    created_ns: int
    updated_ns: int
    working_type: str = "CONTRACT_PRICE"
    reduce_only: bool = False
    close_position: bool = False
    activation_ticks: int = 0
    callback_ppm: int = 0
    position_side: str = "BOTH"
    good_till_ns: int = 0
    stp: str = "EXPIRE_TAKER"
    price_protect: bool = False
    status: str = "NEW"
    actual_order_id: int = 0
    triggered_ns: int = 0
    filled_lots: int = 0
    cost_tick_lots: int = 0
    active: bool = True  # a trailing stop waits for its activation price
    reject_reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its trigger: what openAlgoOrders lists."""
        return self.status == "NEW"


class Fill(Struct, frozen=True, kw_only=True):
    """One execution of one account. ``fee_e8`` > 0 is paid, < 0 a rebate; ``realised_e8`` leaves the fee out.

    ``cause``: ORDER, LIQUIDATION or ADL.
    """

    trade_id: int
    order_id: int
    client_id: str
    symbol: str
    side: Side
    qty_lots: int
    price_ticks: int
    maker: bool
    fee_e8: int
    fee_asset: str
    realised_e8: int
    venue_ns: int
    cause: str = "ORDER"
    position_side: str = "BOTH"


class Position(Struct, kw_only=True, eq=False):
    """A position of an account; mutable. ``cost_e8``: money paid for what is held, with its sign.

    ``buy_tick_lots`` and ``sell_tick_lots``: Σ price × lots left of the resting orders that may open or add
    (Binance's fields ``b`` and ``a`` of an order update). ``reducing_count``: resting orders that may only reduce.
    """

    symbol: str
    position_side: str = "BOTH"
    position_lots: int = 0
    cost_e8: int = 0
    leverage: int = 20
    margin_type: str = "cross"
    updated_ns: int = 0
    realised_e8: int = 0  # since the account was opened, fees left out
    fees_e8: int = 0
    buy_tick_lots: int = 0
    sell_tick_lots: int = 0
    reducing_count: int = 0

    def entry_ticks_e8(self, tick_lot_e8: int) -> int:
        """Average entry price in 10⁻⁸ ticks (multiply by the tick to get a price); 0 when flat."""
        if not self.position_lots:
            return 0
        return self.cost_e8 * 100_000_000 // (self.position_lots * tick_lot_e8)


class Income(Struct, frozen=True, kw_only=True):
    """One entry of the income list.

    ``kind``: TRANSFER, FUNDING_FEE, COMMISSION, REALIZED_PNL, INSURANCE_CLEAR. ``trade_id`` 0: none.
    """

    tran_id: int
    kind: str
    asset: str
    amount_e8: int
    symbol: str
    venue_ns: int
    trade_id: int = 0


class Account(Struct, kw_only=True, eq=False):
    """One account; mutable. Histories are bounded by the exchange's configuration; the oldest fall out.

    ``balances``: wallet per asset. ``positions`` by (symbol, position side). ``open_orders`` and
    ``open_algo_orders`` by id, in the order they were placed; ``orders`` and ``algo_orders`` hold the finished
    ones too. ``order_ids``/``algo_ids``: (symbol, client id) to the newest order of that id.
    """

    name: str
    api_key: str
    secret: str
    uid: str
    fee_maker_ppm: int
    fee_taker_ppm: int
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = True  # the key works from listed addresses only
    deadman_fires: bool = True  # False: countdowns are accepted and never cancel anything
    dual_side: bool = False
    multi_assets: bool = False
    balances: dict[str, int] = {}
    opening: dict[str, int] = {}
    positions: dict[tuple[str, str], Position] = {}
    leverages: dict[str, int] = {}
    margin_types: dict[str, str] = {}
    open_orders: dict[int, Order] = {}
    orders: dict[int, Order] = {}
    open_algo_orders: dict[int, AlgoOrder] = {}
    algo_orders: dict[int, AlgoOrder] = {}
    order_ids: dict[tuple[str, str], int] = {}
    algo_ids: dict[tuple[str, str], int] = {}
    fills: deque[Fill] = field(default_factory=deque)
    incomes: deque[Income] = field(default_factory=deque)
    cash: deque[Income] = field(default_factory=deque)  # those of them that no execution caused
    fills_count: int = 0  # ever, also those that fell out of the history
    margin_called: bool = False
    updated_ns: int = 0


class BalanceChange(Struct, frozen=True):
    """One asset's wallet after an event, and by how much the event changed it."""

    asset: str
    wallet_e8: int
    change_e8: int


class OrderEvent(Struct, frozen=True, kw_only=True):
    """Something happened to an order: ``order`` is its state right after.

    ``execution``: NEW, TRADE, CANCELED, EXPIRED, AMENDMENT, CALCULATED (the venue's own act: liquidation).
    """

    execution: str
    order: Order
    fill: Fill | None
    now_ns: int


class AccountEvent(Struct, frozen=True, kw_only=True):
    """Balances or positions changed.

    ``reason``: ORDER, FUNDING_FEE, DEPOSIT, WITHDRAW, INSURANCE_CLEAR, ADJUSTMENT, MARGIN_TRANSFER.
    """

    reason: str
    balances: tuple[BalanceChange, ...]
    positions: tuple[Position, ...]
    now_ns: int


class AlgoEvent(Struct, frozen=True, kw_only=True):
    """Something happened to a conditional order: ``algo`` is its state right after."""

    algo: AlgoOrder
    now_ns: int


class ConfigEvent(Struct, frozen=True, kw_only=True):
    """Somebody changed the leverage of a symbol, or the multi-assets mode (then ``symbol`` is empty)."""

    symbol: str = ""
    leverage: int = 0
    multi_assets: bool | None = None
    now_ns: int


class MarginCallEvent(Struct, frozen=True, kw_only=True):
    """The account comes near liquidation: the positions that need margin, and the cross wallet."""

    positions: tuple[Position, ...]
    wallet_e8: int
    now_ns: int


class TriggerRejectedEvent(Struct, frozen=True, kw_only=True):
    """A conditional order triggered, and what it became was refused."""

    symbol: str
    order_id: int
    reason: str
    now_ns: int


class BustEvent(Struct, frozen=True, kw_only=True):
    """The venue took an execution back. Binance's user stream has no word for it: there only the balance changes."""

    fill: Fill
    why: str
    now_ns: int


SimEvent: TypeAlias = (
    OrderEvent | AccountEvent | AlgoEvent | ConfigEvent | MarginCallEvent | TriggerRejectedEvent | BustEvent
)
Listener: TypeAlias = Callable[[Account, SimEvent], None]


class Summary(Struct, frozen=True, kw_only=True):
    """An account's margin in one settle asset (or all of them together in multi-assets mode), in 10⁻⁸.

    ``margin_e8`` = wallet + unrealised; ``available_e8`` = margin − initial, never below 0.
    """

    wallet_e8: int
    unrealised_e8: int
    margin_e8: int
    position_initial_e8: int
    order_initial_e8: int
    initial_e8: int
    maintenance_e8: int
    available_e8: int


class Funding(Struct, frozen=True):
    """The funding rate of a symbol in parts per billion, and when it is next paid (0: no time told yet)."""

    rate_ppb: int
    next_ns: int


class GroundTruth(Struct, frozen=True, kw_only=True):
    """What is true of one account, straight from the engine: to compare anybody's books with.

    ``positions``: signed lots per symbol, non-zero only. ``fills_dropped``: how many fell out of the history.
    """

    account: str
    now_ns: int
    fills: tuple[Fill, ...]
    open_orders: tuple[Order, ...]
    open_algo_orders: tuple[AlgoOrder, ...]
    positions: dict[str, int]
    balances: dict[str, int]
    opening: dict[str, int]
    leverages: dict[str, int]
    incomes: tuple[Income, ...]
    fills_dropped: int = 0
