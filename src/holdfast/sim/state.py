"""What the parts of the engine share: books, accounts, counters, and the way out for events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.sim.book import Book
from holdfast.sim.codes import refused
from holdfast.sim.model import (
    Account,
    AccountEvent,
    AlgoEvent,
    AlgoOrder,
    BalanceChange,
    Fill,
    Listener,
    Order,
    OrderEvent,
    Position,
    SimEvent,
)
from holdfast.sim.rules import ExchangeConfig
from holdfast.vocab.instruments import InstrumentSpec

copy_of = msgspec.structs.replace  # shallow, which is deep here: the fields are values


class State:
    """The engine's shared state. Counters only grow; dictionaries keep the order of insertion."""

    def __init__(self, specs: Sequence[InstrumentSpec], config: ExchangeConfig) -> None:
        self.config = config
        self.books: dict[str, Book] = {
            spec.instrument: Book(
                spec,
                rules=config.rules_of(spec.instrument),
                synthetic=config.synthetic,
                ladder_max=config.ladder_levels_max,
            )
            for spec in specs
        }
        self.accounts: dict[str, Account] = {}
        self.listeners: list[Listener] = []
        self.touched: dict[str, Account] = {}  # accounts whose margin changed since it was last judged
        self._order_id = config.order_id_first - 1
        self._trade_id = config.trade_id_first - 1
        self._algo_id = config.algo_id_first - 1
        self._tran_id = config.tran_id_first - 1

    def book(self, symbol: str) -> Book:
        """The book of a symbol. Refused: -1121."""
        book = self.books.get(symbol)
        if book is None:
            raise refused(-1121)
        return book

    def next_order_id(self) -> int:
        """A new plain order's id."""
        self._order_id += 1
        return self._order_id

    def next_trade_id(self) -> int:
        """A new trade's id; the two sides of a trade between our accounts share it."""
        self._trade_id += 1
        return self._trade_id

    def next_algo_id(self) -> int:
        """A new conditional order's id."""
        self._algo_id += 1
        return self._algo_id

    def next_tran_id(self) -> int:
        """A new income entry's id."""
        self._tran_id += 1
        return self._tran_id

    # --- events -----------------------------------------------------------------------------------------------

    def emit(self, account: Account, event: SimEvent) -> None:
        """Tell every listener, in the order they came. A listener must not call back into the engine."""
        for listener in self.listeners:
            listener(account, event)

    def order_event(
        self, account: Account, execution: str, order: Order, now_ns: int, *, fill: Fill | None = None
    ) -> None:
        """Tell what happened to an order, with a copy of it."""
        if self.listeners:
            self.emit(
                account, OrderEvent(execution=execution, order=copy_of(order), fill=fill, now_ns=now_ns)
            )

    def algo_event(self, account: Account, algo: AlgoOrder, now_ns: int) -> None:
        """Tell what happened to a conditional order, with a copy of it."""
        if self.listeners:
            self.emit(account, AlgoEvent(algo=copy_of(algo), now_ns=now_ns))

    def account_event(
        self,
        account: Account,
        reason: str,
        now_ns: int,
        *,
        asset: str,
        change_e8: int,
        position: Position | None = None,
    ) -> None:
        """Tell that a balance (and a position) changed, with copies."""
        if self.listeners:
            self.emit(
                account,
                AccountEvent(
                    reason=reason,
                    balances=(BalanceChange(asset, account.balances.get(asset, 0), change_e8),),
                    positions=() if position is None else (copy_of(position),),
                    now_ns=now_ns,
                ),
            )
