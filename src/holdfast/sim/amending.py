"""Amending a resting order (Binance's PUT): price and total size."""

from __future__ import annotations

from holdfast.sim.accounts import Accounts, exposure
from holdfast.sim.checks import check_notional, check_percent_price, check_price, check_qty
from holdfast.sim.codes import refused
from holdfast.sim.matching import Matcher
from holdfast.sim.model import Account, Order
from holdfast.sim.state import State
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.orders import Side


class Amender:
    """Changes resting orders in place, or takes them out and executes them anew."""

    def __init__(self, state: State, accounts: Accounts, matcher: Matcher) -> None:
        self._state = state
        self._accounts = accounts
        self._matcher = matcher

    def amend(
        self, account: Account, order: Order, *, side: Side, qty_lots: int, price_ticks: int, now_ns: int
    ) -> Order:
        """Change price and total size of a resting limit order. Only a smaller size alone keeps its place.

        As at Binance: a size at or below what is filled cancels it; a post-only order that would now take expires.
        """
        book = self._state.books[order.symbol]
        if order.type != "LIMIT":
            raise refused(-5025)
        if side != order.side:
            raise refused(-1117)
        if book.spec.status is not InstrumentStatus.TRADING:
            raise refused(-5024)
        check_qty(book, qty_lots, market=False)
        check_price(book, price_ticks)
        check_percent_price(book, order.side, price_ticks)
        if qty_lots == order.qty_lots and price_ticks == order.price_ticks:
            raise refused(-5027)
        if order.amendments >= self._state.config.amendments_max:
            raise refused(-5026)
        if qty_lots <= order.filled_lots:
            self._matcher.end(account, order, "CANCELED", now_ns)
            return order
        if not order.is_reducing:
            check_notional(book, price_ticks=price_ticks, qty_lots=qty_lots)
        position = self._accounts.position(account, order.symbol, order.position_side)
        left = qty_lots - order.filled_lots
        if order.is_reducing:
            left = min(left, max(0, -order.side * position.position_lots))
            qty_lots = order.filled_lots + left
            if not left:
                raise refused(-2022)
        else:
            more = price_ticks * left - order.price_ticks * order.left_lots
            self._accounts.require(
                account,
                book,
                position,
                side=order.side,
                price_ticks=price_ticks,
                qty_lots=left,
                tick_lots=max(0, more),
            )
        if order.tif == "GTX":
            best = book.best_against(order.side)
            if best and best * order.side <= price_ticks * order.side:
                self._matcher.end(account, order, "EXPIRED", now_ns)
                return order
        keeps_place = price_ticks == order.price_ticks and qty_lots < order.qty_lots
        exposure(order, position, -order.left_lots)
        if not keeps_place:
            book.leave(order)
        order.qty_lots, order.price_ticks = qty_lots, price_ticks
        order.amendments += 1
        order.updated_ns = now_ns
        if keeps_place:
            exposure(order, position, order.left_lots)
            self._state.order_event(account, "AMENDMENT", order, now_ns)
            return order
        order.resting = False
        if order.is_reducing:
            position.reducing_count -= 1
        self._state.order_event(account, "AMENDMENT", order, now_ns)
        self._matcher.execute(account, book, order, position, now_ns)
        return order
