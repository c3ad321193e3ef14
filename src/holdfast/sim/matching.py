"""Plain orders: taking, resting, filling, leaving.

Price-time priority over our own orders, exogenous quantity in between: a taker meets the displayed lots that
stand before an order of ours, then the order, then the rest of the level. Every position change is followed at
once by trimming reduce-only orders to what is left to reduce.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.sim.accounts import Accounts, assumed_price, exposure
from holdfast.sim.book import Book
from holdfast.sim.checks import check_account, check_client_id, check_plain
from holdfast.sim.codes import refused
from holdfast.sim.model import Account, AlgoOrder, NewOrder, Order, Position
from holdfast.sim.state import State
from holdfast.vocab.units import PPM

OrderHook = Callable[[Account, Order, int], None]


def _nothing(account: Account, order: Order, now_ns: int) -> None:
    """The hook's stand-in while nobody needs to know."""


class Matcher:
    """The matching engine of all books. ``on_accepted``/``on_progress`` tell of orders that were conditional."""

    def __init__(self, state: State, accounts: Accounts) -> None:
        self._state = state
        self._accounts = accounts
        self.on_accepted: OrderHook = _nothing
        self.on_progress: OrderHook = _nothing

    # --- placing ----------------------------------------------------------------------------------------------

    def submit(self, account: Account, new: NewOrder, now_ns: int, *, algo: AlgoOrder | None = None) -> Order:
        """Check, accept, match, rest. Refused: nothing took effect."""
        book = self._state.book(new.symbol)
        config = self._state.config
        check_account(account, new)
        if algo is None:
            check_client_id(
                account, new.symbol, new.client_id, now_ns=now_ns, memory_ns=config.client_id_memory_ns
            )
        check_plain(book, new, now_ns=now_ns, good_till_ns_min=config.good_till_ns_min)
        if len(account.open_orders) >= book.rules.max_orders:
            count = sum(1 for order in account.open_orders.values() if order.symbol == new.symbol)
            if count >= book.rules.max_orders:
                raise refused(-2025)
        order = self._draft(account, new, now_ns, algo)
        position = self._accounts.position(account, new.symbol, new.position_side)
        if order.is_reducing:
            order.qty_lots = min(order.qty_lots, self._reducible(account, order, position))
            if order.qty_lots <= 0:
                raise refused(-2022)
        else:
            price = assumed_price(book, new)
            self._accounts.require(
                account,
                book,
                position,
                side=order.side,
                price_ticks=price,
                qty_lots=order.qty_lots,
                tick_lots=price * order.qty_lots,
            )
        self._check_liquidity(account, book, order)
        order.order_id = self._state.next_order_id()
        self._register(account, order)
        if algo is not None:
            self.on_accepted(account, order, now_ns)
        self._state.order_event(account, "NEW", order, now_ns)
        self.execute(account, book, order, position, now_ns)
        return order

    def _draft(self, account: Account, new: NewOrder, now_ns: int, algo: AlgoOrder | None) -> Order:
        return Order(
            order_id=0,
            account=account.name,
            client_id=new.client_id,
            symbol=new.symbol,
            side=new.side,
            type=new.type,
            orig_type=new.type if algo is None else algo.type,
            tif=new.tif if new.type == "LIMIT" else "GTC",
            qty_lots=new.qty_lots,
            price_ticks=new.price_ticks if new.type == "LIMIT" else 0,
            created_ns=now_ns,
            updated_ns=now_ns,
            reduce_only=new.reduce_only,
            close_position=new.close_position,
            trigger_ticks=new.trigger_ticks,
            working_type=new.working_type,
            good_till_ns=new.good_till_ns if new.tif == "GTD" else 0,
            position_side=new.position_side,
            stp=new.stp,
            algo_id=0 if algo is None else algo.algo_id,
            price_protect=new.price_protect,
        )

    def _register(self, account: Account, order: Order) -> None:
        account.orders[order.order_id] = order
        account.open_orders[order.order_id] = order
        account.order_ids[(order.symbol, order.client_id)] = order.order_id
        if len(account.orders) > self._state.config.orders_kept_max:
            self._forget(account)

    def _forget(self, account: Account) -> None:
        """Drop the oldest finished order from the history."""
        for order in account.orders.values():
            if not order.is_open:
                del account.orders[order.order_id]
                key = (order.symbol, order.client_id)
                if account.order_ids.get(key) == order.order_id:
                    del account.order_ids[key]
                return

    def _check_liquidity(self, account: Account, book: Book, order: Order) -> None:
        """Market orders need a counterparty near the mark; FOK all of it; post-only none."""
        best = book.best_against(order.side)
        if order.type == "MARKET":
            bound = self._market_bound(book, order.side)
            if not best or best * order.side > bound * order.side:
                raise refused(-4131)
        elif order.tif == "GTX":
            if best and best * order.side <= order.price_ticks * order.side:
                raise refused(-5022)
        elif order.tif == "FOK" and self._takeable(account, book, order) < order.qty_lots:
            raise refused(-5021)

    def _market_bound(self, book: Book, side: int) -> int:
        return max(1, book.reference_ticks * (PPM + side * book.rules.market_take_ppm) // PPM)

    def _takeable(self, account: Account, book: Book, order: Order) -> int:
        """Lots that a fill-or-kill order would surely get, never more than it asks for."""
        sign, limit = order.side, order.price_ticks * order.side
        against = book.side_of(-sign)
        stop_key = limit
        lots = 0
        for price in against.own_prices():
            if price * sign > limit:
                break
            for own in against.levels[price]:
                if own.account == account.name and order.stp in {"EXPIRE_TAKER", "EXPIRE_BOTH"}:
                    stop_key = min(stop_key, price * sign - 1)  # it ends there, and the level is not counted
                elif own.account != account.name and not own.is_reducing and price * sign <= stop_key:
                    lots += own.left_lots
        for price, shown in book.levels_of(-sign):
            if price * sign > stop_key or lots >= order.qty_lots:
                break
            lots += shown
        return lots

    # --- matching ---------------------------------------------------------------------------------------------

    def execute(self, account: Account, book: Book, order: Order, position: Position, now_ns: int) -> None:
        """Take up to its limit, then rest or expire as its time in force says."""
        limit = order.price_ticks if order.type == "LIMIT" else self._market_bound(book, order.side)
        self._take(account, book, order, limit, now_ns)
        if not order.is_open:
            return
        if order.type == "MARKET" or order.tif in {"IOC", "FOK"}:
            self.end(account, order, "EXPIRED", now_ns)
            return
        book.rest(order)
        order.resting = True
        exposure(order, position, order.left_lots)
        if order.is_reducing:
            position.reducing_count += 1
            self._trim(account, position, now_ns)

    def _take(
        self,
        account: Account,
        book: Book,
        order: Order,
        limit_ticks: int,
        now_ns: int,
        *,
        cause: str = "ORDER",
    ) -> None:
        """Walk the opposite side up to the limit: exogenous levels and our resting orders merged."""
        sign = order.side
        against = book.side_of(-sign)
        exogenous = book.levels_of(-sign)
        level = next(exogenous, None)
        while order.is_open and order.left_lots:
            own = against.keys[-1] * -sign if against.keys else None
            if level is None and own is None:
                return
            if own is None or (level is not None and level[0] * sign <= own * sign):
                price, shown = level if level is not None else (0, 0)
            else:
                price, shown = own, 0
            if price * sign > limit_ticks * sign:
                return
            self._take_level(account, book, order, price, shown, now_ns, cause)
            if level is not None and level[0] == price:
                level = next(exogenous, None)

    def _take_level(
        self,
        account: Account,
        book: Book,
        order: Order,
        price_ticks: int,
        shown: int,
        now_ns: int,
        cause: str,
    ) -> None:
        taken = 0  # exogenous lots of this level
        against = book.side_of(-order.side)
        for own in list(against.levels.get(price_ticks, ())):
            if not own.is_open:
                continue
            before = min(own.ahead_lots, shown) - taken
            if before > 0:
                taken += min(before, order.left_lots - taken)
            if taken >= order.left_lots:
                break
            maker = self._state.accounts[own.account]
            if own.account == account.name and order.stp != "NONE":
                if order.stp in {"EXPIRE_MAKER", "EXPIRE_BOTH"}:
                    self.end(maker, own, "EXPIRED_IN_MATCH", now_ns)
                if order.stp in {"EXPIRE_TAKER", "EXPIRE_BOTH"}:
                    self._take_exogenous(account, book, order, price_ticks, taken, now_ns, cause)
                    if order.is_open:
                        self.end(account, order, "EXPIRED_IN_MATCH", now_ns)
                    return
                continue
            lots = min(order.left_lots - taken, self.allowed(own))
            if lots <= 0:
                self.end(maker, own, "EXPIRED", now_ns)
                continue
            trade_id = self._state.next_trade_id()
            self.fill(maker, own, lots, price_ticks, now_ns, maker=True, trade_id=trade_id)
            if own.account == account.name:
                trade_id = self._state.next_trade_id()  # one id per fill of an account, also in a self-trade
            self.fill(account, order, lots, price_ticks, now_ns, maker=False, trade_id=trade_id, cause=cause)
            if not order.is_open:
                break
        else:
            taken += min(max(0, shown - taken), order.left_lots - taken)
        if order.is_open:
            self._take_exogenous(account, book, order, price_ticks, taken, now_ns, cause)

    def _take_exogenous(
        self,
        account: Account,
        book: Book,
        order: Order,
        price_ticks: int,
        lots: int,
        now_ns: int,
        cause: str,
    ) -> None:
        if lots > 0:
            book.debit(-order.side, price_ticks, lots)
            self.fill(account, order, lots, price_ticks, now_ns, maker=False, cause=cause)

    def force(self, account: Account, order: Order, fund_ticks: int, now_ns: int) -> None:
        """Execute an order of the venue's own: against the book near the mark, the rest at the fund's price."""
        self._register(account, order)
        book = self._state.books[order.symbol]
        bound = self._market_bound(book, order.side)
        self._take(account, book, order, bound, now_ns, cause="LIQUIDATION")
        if order.is_open:
            self.fill(account, order, order.left_lots, fund_ticks, now_ns, maker=False, cause="LIQUIDATION")

    def deleverage(self, account: Account, order: Order, now_ns: int) -> None:
        """Execute an order of the venue's own at its price, past the book."""
        self._register(account, order)
        self.fill(account, order, order.left_lots, order.price_ticks, now_ns, maker=False, cause="ADL")

    def allowed(self, order: Order) -> int:
        """What an order may still fill: its rest, or what its position leaves to reduce."""
        if not order.is_reducing:
            return order.left_lots
        account = self._state.accounts[order.account]
        position = self._accounts.position(account, order.symbol, order.position_side)
        return min(order.left_lots, max(0, -order.side * position.position_lots))

    def fill(
        self,
        account: Account,
        order: Order,
        lots: int,
        price_ticks: int,
        now_ns: int,
        *,
        maker: bool,
        trade_id: int = 0,
        cause: str = "ORDER",
    ) -> None:
        """One execution of one order: money, book, events, and what follows for reduce-only orders."""
        book = self._state.books[order.symbol]
        position = self._accounts.position(account, order.symbol, order.position_side)
        held = position.position_lots
        if order.resting:
            exposure(order, position, -lots)
        fill, change_e8 = self._accounts.post(
            account,
            order,
            book=book,
            position=position,
            qty_lots=lots,
            price_ticks=price_ticks,
            maker=maker,
            trade_id=trade_id or self._state.next_trade_id(),
            cause=cause,
            now_ns=now_ns,
        )
        order.status = "PARTIALLY_FILLED" if order.left_lots else "FILLED"
        if not order.left_lots:
            self._leave(account, order, position)
        asset = book.spec.settle_asset
        self._state.account_event(
            account, "ORDER", now_ns, asset=asset, change_e8=change_e8, position=position
        )
        execution = "TRADE" if cause == "ORDER" else "CALCULATED"
        self._state.order_event(account, execution, order, now_ns, fill=fill)
        if position.reducing_count and position.position_lots * held < held * held:
            self._trim(account, position, now_ns)
        if order.algo_id:
            self.on_progress(account, order, now_ns)

    # --- leaving ----------------------------------------------------------------------------------------------

    def end(self, account: Account, order: Order, status: str, now_ns: int) -> None:
        """Take an open order out: CANCELED, EXPIRED or EXPIRED_IN_MATCH."""
        position = self._accounts.position(account, order.symbol, order.position_side)
        if order.resting:
            exposure(order, position, -order.left_lots)
        order.status = status
        order.updated_ns = now_ns
        self._leave(account, order, position)
        execution = "CANCELED" if status == "CANCELED" else "EXPIRED"
        self._state.order_event(account, execution, order, now_ns)
        if order.algo_id:
            self.on_progress(account, order, now_ns)

    def _leave(self, account: Account, order: Order, position: Position) -> None:
        del account.open_orders[order.order_id]
        if order.resting:
            order.resting = False
            self._state.books[order.symbol].leave(order)
            if order.is_reducing:
                position.reducing_count -= 1

    # --- reduce-only ------------------------------------------------------------------------------------------

    def _reducing(self, account: Account, position: Position) -> list[Order]:
        """Resting orders that may only reduce this position, in the order they would trade."""
        orders = [
            order
            for order in account.open_orders.values()
            if order.resting
            and order.is_reducing
            and order.symbol == position.symbol
            and order.position_side == position.position_side
        ]
        orders.sort(key=lambda order: (order.price_ticks * -order.side, order.order_id))
        return orders

    def _reducible(self, account: Account, order: Order, position: Position) -> int:
        """What a new reduce-only order may have: the position less what better-priced ones already cover."""
        left = -order.side * position.position_lots
        if order.type == "LIMIT" and order.tif not in {"IOC", "FOK"} and position.reducing_count:
            for other in self._reducing(account, position):
                if (
                    other.side == order.side
                    and other.price_ticks * -other.side <= order.price_ticks * -order.side
                ):
                    left -= other.left_lots
        return max(0, left)

    def _trim(self, account: Account, position: Position, now_ns: int) -> None:
        """Keep Σ reduce-only ≤ position: the worst-priced, youngest ones shrink or expire."""
        left = abs(position.position_lots)
        for order in self._reducing(account, position):
            if not order.is_open:
                continue
            if order.side * position.position_lots >= 0 or not left:
                self.end(account, order, "EXPIRED", now_ns)
            elif order.left_lots > left:
                order.qty_lots = order.filled_lots + left
                order.updated_ns = now_ns
                left = 0
                self._state.order_event(account, "AMENDMENT", order, now_ns)
            else:
                left -= order.left_lots
