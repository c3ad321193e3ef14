"""What the exchange does by itself when its time comes: countdowns, good-till-date orders, funding."""

from __future__ import annotations

import heapq
from typing import Final

from holdfast.sim.accounts import Accounts
from holdfast.sim.liquidation import Liquidator
from holdfast.sim.matching import Matcher
from holdfast.sim.model import Account, Order
from holdfast.sim.state import State

NEVER: Final = 1 << 63
_DATES_MAX: Final = 10_000  # beyond it, the dates of finished orders are swept out


class Timetable:
    """``due_ns``: the earliest time at which ``advance`` has something to do; 0 before the first time is told."""

    def __init__(self, state: State, accounts: Accounts, matcher: Matcher, liquidator: Liquidator) -> None:
        self._state = state
        self._accounts = accounts
        self._matcher = matcher
        self._liquidator = liquidator
        self._countdowns: dict[tuple[str, str], int] = {}  # (account, symbol) -> due
        self._good_till: list[tuple[int, int, str]] = []  # (due, order id, account), a heap
        self._funding_ns = NEVER
        self.due_ns = 0

    @property
    def funding_ns(self) -> int:
        """The next funding time; 0 before the first time is told."""
        return 0 if self._funding_ns == NEVER else self._funding_ns

    def countdown(self, account: Account, symbol: str, due_ns: int) -> None:
        """Arm, or with 0 disarm."""
        self._countdowns.pop((account.name, symbol), None)
        if due_ns:
            self._countdowns[(account.name, symbol)] = due_ns
        self._reckon()

    def countdown_due_ns(self, account: Account, symbol: str) -> int:
        """When the armed countdown of a symbol ends; 0 where none is armed."""
        return self._countdowns.get((account.name, symbol), 0)

    def good_till(self, order: Order) -> None:
        """Expire this order when its date comes."""
        if len(self._good_till) >= _DATES_MAX:  # most of them ended before their date: keep the open ones
            self._good_till = [
                row for row in self._good_till if row[1] in self._state.accounts[row[2]].open_orders
            ]
            heapq.heapify(self._good_till)
        heapq.heappush(self._good_till, (order.good_till_ns, order.order_id, order.account))
        self._reckon()

    def _reckon(self) -> None:
        due = min(self._funding_ns, min(self._countdowns.values(), default=NEVER))
        if self._good_till:
            due = min(due, self._good_till[0][0])
        self.due_ns = due

    def advance(self, now_ns: int) -> None:
        """Do everything that is due by now, in the order of its times."""
        if self._funding_ns == NEVER:
            interval = self._state.config.funding_interval_ns
            self._funding_ns = (now_ns // interval + 1) * interval
            self._reckon()
        while self.due_ns <= now_ns:
            due = self.due_ns
            for (name, symbol), at_ns in list(self._countdowns.items()):
                if at_ns <= due:
                    del self._countdowns[(name, symbol)]
                    self._cancel_all(self._state.accounts[name], symbol, due)
            while self._good_till and self._good_till[0][0] <= due:
                _, order_id, name = heapq.heappop(self._good_till)
                account = self._state.accounts[name]
                order = account.open_orders.get(order_id)
                if order is not None:
                    self._matcher.end(account, order, "EXPIRED", due)
            if self._funding_ns <= due:
                self._funding_ns += self._state.config.funding_interval_ns
                self._fund(due)
            self._liquidator.judge_touched(due)
            self._reckon()

    def _cancel_all(self, account: Account, symbol: str, now_ns: int) -> None:
        if not account.deadman_fires:
            return
        for order in list(account.open_orders.values()):
            if order.symbol == symbol and order.is_open:
                self._matcher.end(account, order, "CANCELED", now_ns)

    def _fund(self, now_ns: int) -> None:
        config = self._state.config
        for account in self._state.accounts.values():
            for position in account.positions.values():
                if position.position_lots:
                    book = self._state.books[position.symbol]
                    rate_ppb = book.funding_ppb if book.mark_recorded else config.funding_ppb
                    self._accounts.fund(account, position, book, rate_ppb=rate_ppb, now_ns=now_ns)
