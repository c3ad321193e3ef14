"""What may be read of the exchange. Records that are returned belong to the engine: read, do not change."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar

from msgspec import Struct

from holdfast.sim.accounts import Accounts
from holdfast.sim.codes import refused
from holdfast.sim.model import (
    Account,
    AlgoOrder,
    Fill,
    GroundTruth,
    Income,
    Order,
    Position,
    Summary,
)
from holdfast.sim.state import State, copy_of

CASH_KINDS: Final = ("TRANSFER", "FUNDING_FEE", "INSURANCE_CLEAR")  # the other kinds of income are executions

Record = TypeVar("Record")


class DepthView(Struct, frozen=True):
    """Price levels as the venue shows them, best first: (price_ticks, lots)."""

    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class Queries:
    """The reading half of the exchange."""

    def __init__(self, state: State, accounts: Accounts) -> None:
        self._state = state
        self._accounts = accounts

    # --- accounts ---------------------------------------------------------------------------------------------

    @property
    def accounts(self) -> dict[str, Account]:
        """All accounts by name."""
        return self._state.accounts

    def account_by_key(self, api_key: str) -> Account | None:
        """The account that this key opens."""
        for account in self._state.accounts.values():
            if account.api_key == api_key:
                return account
        return None

    def leverage(self, account: Account, symbol: str) -> int:
        """The leverage of a symbol."""
        return account.leverages.get(symbol, self._state.config.leverage_default)

    def margin_type(self, account: Account, symbol: str) -> str:
        """How a symbol's positions are margined."""
        return account.margin_types.get(symbol, "cross")

    def positions(self, account: Account, symbol: str | None = None) -> list[Position]:
        """A row for every symbol (LONG and SHORT in hedge mode), flat ones too, in the order of the specs."""
        sides = ("LONG", "SHORT") if account.dual_side else ("BOTH",)
        symbols = self._state.books if symbol is None else (symbol,)
        return [self._row(account, name, side) for name in symbols for side in sides]

    def _row(self, account: Account, symbol: str, side: str) -> Position:
        self._state.book(symbol)
        position = account.positions.get((symbol, side))
        if position is not None:
            return position
        return Position(symbol=symbol, position_side=side, leverage=self.leverage(account, symbol))

    def summary(self, account: Account, asset: str) -> Summary:
        """Margin of the account in one settle asset (of all together in multi-assets mode)."""
        return self._accounts.summary(account, asset)

    def liquidation_ticks(self, account: Account, position: Position) -> int:
        """The mark at which a position would be liquidated, all else unchanged; 0 where there is none."""
        return self._accounts.liquidation_ticks(account, position)

    # --- orders -----------------------------------------------------------------------------------------------

    def _find(
        self, account: Account, symbol: str, *, order_id: int | None, client_id: str | None
    ) -> Order | None:
        self._state.book(symbol)
        if order_id is None:
            if not client_id:
                raise refused(-1102)
            order_id = account.order_ids.get((symbol, client_id), 0)
        order = account.orders.get(order_id)
        return order if order is not None and order.symbol == symbol else None

    def order(
        self, account: Account, symbol: str, order_id: int | None = None, client_id: str | None = None
    ) -> Order:
        """One plain order, finished or not, by the venue's id or else by the newest of the client's id.

        Refused: -2013 where there is none.
        """
        order = self._find(account, symbol, order_id=order_id, client_id=client_id)
        if order is None:
            raise refused(-2013)
        return order

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Open plain orders, in the order they were placed."""
        return [order for order in account.open_orders.values() if symbol in {None, order.symbol}]

    def all_orders(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        limit: int = 500,
    ) -> list[Order]:
        """Plain orders of a symbol, oldest first; without ``order_id`` or ``start_ns`` the newest ``limit``."""
        found = (
            order
            for order in account.orders.values()
            if order.symbol == symbol
            and (order_id is None or order.order_id >= order_id)
            and (start_ns is None or order.created_ns >= start_ns)
            and (end_ns is None or order.created_ns <= end_ns)
        )
        return _page(found, limit, from_start=order_id is not None or start_ns is not None)

    def _find_algo(
        self, account: Account, *, algo_id: int | None, client_algo_id: str | None, symbol: str | None
    ) -> AlgoOrder | None:
        if algo_id is not None:
            return account.algo_orders.get(algo_id)
        if not client_algo_id:
            raise refused(-1102)
        symbols = self._state.books if symbol is None else (symbol,)
        newest = max(account.algo_ids.get((name, client_algo_id), 0) for name in symbols)
        return account.algo_orders.get(newest)

    def algo_order(
        self,
        account: Account,
        *,
        algo_id: int | None = None,
        client_algo_id: str | None = None,
        symbol: str | None = None,
    ) -> AlgoOrder:
        """One conditional order, waiting or not. Refused: -2013 where there is none."""
        algo = self._find_algo(account, algo_id=algo_id, client_algo_id=client_algo_id, symbol=symbol)
        if algo is None:
            raise refused(-2013)
        return algo

    def open_algo_orders(self, account: Account, symbol: str | None = None) -> list[AlgoOrder]:
        """Conditional orders that wait for their trigger, in the order they were placed."""
        return [algo for algo in account.open_algo_orders.values() if symbol in {None, algo.symbol}]

    def all_algo_orders(
        self,
        account: Account,
        symbol: str,
        *,
        algo_id: int | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        limit: int = 500,
    ) -> list[AlgoOrder]:
        """Conditional orders of a symbol, oldest first; paged as ``all_orders``."""
        found = (
            algo
            for algo in account.algo_orders.values()
            if algo.symbol == symbol
            and (algo_id is None or algo.algo_id >= algo_id)
            and (start_ns is None or algo.created_ns >= start_ns)
            and (end_ns is None or algo.created_ns <= end_ns)
        )
        return _page(found, limit, from_start=algo_id is not None or start_ns is not None)

    # --- history ----------------------------------------------------------------------------------------------

    def trades(
        self,
        account: Account,
        symbol: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        from_id: int | None = None,
        order_id: int | None = None,
        limit: int = 500,
    ) -> list[Fill]:
        """Executions of a symbol, oldest first; without ``from_id`` or ``start_ns`` the newest ``limit``."""
        found: list[Fill] = []
        for fill in reversed(account.fills):
            if start_ns is not None and fill.venue_ns < start_ns:
                break
            if from_id is not None and fill.trade_id < from_id:
                break
            if fill.symbol != symbol or (order_id is not None and fill.order_id != order_id):
                continue
            if end_ns is None or fill.venue_ns <= end_ns:
                found.append(fill)
                if len(found) >= limit and start_ns is None and from_id is None:
                    break
        found.reverse()
        return found[:limit]

    def incomes(
        self,
        account: Account,
        *,
        symbol: str | None = None,
        kind: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        limit: int = 100,
    ) -> list[Income]:
        """Income entries, oldest first; without ``start_ns`` the newest ``limit``."""
        found: list[Income] = []
        for income in reversed(account.cash if kind in CASH_KINDS else account.incomes):
            if start_ns is not None and income.venue_ns < start_ns:
                break
            if symbol not in {None, income.symbol} or kind not in {None, income.kind}:
                continue
            if end_ns is None or income.venue_ns <= end_ns:
                found.append(income)
                if len(found) >= limit and start_ns is None:
                    break
        found.reverse()
        return found[:limit]

    # --- the market -------------------------------------------------------------------------------------------

    def mark_ticks(self, symbol: str) -> int:
        """The mark, rounded to the nearest tick; the mid before there is one; 0 before anything is known."""
        return self._state.book(symbol).reference_ticks

    def last_ticks(self, symbol: str) -> int:
        """The last market print; 0 before the first."""
        return self._state.book(symbol).last_ticks

    def touch(self, symbol: str) -> tuple[int, int, int, int]:
        """Exogenous (bid_ticks, bid_lots, ask_ticks, ask_lots); zeros before the first quote."""
        book = self._state.book(symbol)
        return (*book.touch(1), *book.touch(-1))

    def depth(self, symbol: str, limit: int = 500) -> DepthView:
        """The book as the source shows it: without our orders and without what we took."""
        book = self._state.book(symbol)
        bids, asks = (tuple(islice(book.levels_of(sign, public=True), limit)) for sign in (1, -1))
        return DepthView(bids, asks)

    # --- the truth --------------------------------------------------------------------------------------------

    def ground_truth(self, account: Account, now_ns: int) -> GroundTruth:
        """Everything that anybody's books of this account must agree with, as copies."""
        net: dict[str, int] = {}
        for position in account.positions.values():
            if position.position_lots:
                net[position.symbol] = net.get(position.symbol, 0) + position.position_lots
        return GroundTruth(
            account=account.name,
            now_ns=now_ns,
            fills=tuple(account.fills),
            open_orders=tuple(copy_of(order) for order in account.open_orders.values()),
            open_algo_orders=tuple(copy_of(algo) for algo in account.open_algo_orders.values()),
            positions=net,
            balances=dict(account.balances),
            opening=dict(account.opening),
            leverages=dict(account.leverages),
            incomes=tuple(account.incomes),
            fills_dropped=account.fills_count - len(account.fills),
        )


def _page(found: Iterable[Record], limit: int, *, from_start: bool) -> list[Record]:
    if from_start:
        return list(islice(found, limit))
    return list(found)[-limit:]
