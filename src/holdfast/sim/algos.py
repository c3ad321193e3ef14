"""Conditional (algo) orders: they wait for a last or mark price, then become plain orders of the same client id."""

from __future__ import annotations

from holdfast.sim.accounts import Accounts
from holdfast.sim.book import NO_ASK, Book
from holdfast.sim.checks import LIMIT_TYPES, check_account, check_client_id, check_conditional
from holdfast.sim.codes import refused
from holdfast.sim.matching import Matcher
from holdfast.sim.model import (
    ALGO_FINAL_STATUSES,
    Account,
    AlgoOrder,
    NewOrder,
    Order,
    Refused,
    TriggerRejectedEvent,
)
from holdfast.sim.state import State
from holdfast.vocab.units import PPM

LAST = "CONTRACT_PRICE"
MARK = "MARK_PRICE"


def fires_upwards(algo: AlgoOrder) -> bool:
    """Whether it triggers at or above its price: buy stops and sell take-profits; trailing stops are stops."""
    return (algo.side > 0) != algo.type.startswith("TAKE_PROFIT")


class Conditionals:
    """Waiting conditional orders of all symbols."""

    def __init__(self, state: State, accounts: Accounts, matcher: Matcher) -> None:
        self._state = state
        self._accounts = accounts
        self._matcher = matcher
        self._waiting: dict[str, list[AlgoOrder]] = {}
        matcher.on_accepted = self._accepted
        matcher.on_progress = self._progressed

    # --- placing and cancelling -------------------------------------------------------------------------------

    def place(self, account: Account, new: NewOrder, now_ns: int) -> AlgoOrder:
        """Check and let wait. Refused: nothing took effect."""
        book = self._state.book(new.symbol)
        config = self._state.config
        check_account(account, new)
        check_client_id(
            account, new.symbol, new.client_id, now_ns=now_ns, memory_ns=config.client_id_memory_ns
        )
        check_conditional(book, new, now_ns=now_ns, good_till_ns_min=config.good_till_ns_min)
        waiting = self._waiting.get(new.symbol, [])
        mine = [algo for algo in waiting if algo.account == account.name]
        if len(mine) >= book.rules.max_algo_orders:
            raise refused(-4045)
        algo = self._draft(account, new, now_ns)
        if new.close_position:
            self._check_close(algo, mine)
        price = self._price(book, algo.working_type)
        if algo.type == "TRAILING_STOP_MARKET":
            self._start_trailing(algo, price)
        elif price and self._fires(algo, price):
            raise refused(-2021)
        algo.algo_id = self._state.next_algo_id()
        account.algo_orders[algo.algo_id] = algo
        account.open_algo_orders[algo.algo_id] = algo
        account.algo_ids[(algo.symbol, algo.client_algo_id)] = algo.algo_id
        if len(account.algo_orders) > config.orders_kept_max:
            self._forget(account)
        self._waiting.setdefault(new.symbol, []).append(algo)
        self._thresholds(book)
        self._state.algo_event(account, algo, now_ns)
        return algo

    def _draft(self, account: Account, new: NewOrder, now_ns: int) -> AlgoOrder:
        return AlgoOrder(
            algo_id=0,
            account=account.name,
            client_algo_id=new.client_id,
            symbol=new.symbol,
            side=new.side,
            type=new.type,
            qty_lots=new.qty_lots,
            price_ticks=new.price_ticks if new.type in LIMIT_TYPES else 0,
            tif=new.tif if new.type in LIMIT_TYPES else "GTC",
            trigger_ticks=new.trigger_ticks,
            created_ns=now_ns,
            updated_ns=now_ns,
            working_type=new.working_type,
            reduce_only=new.reduce_only,
            close_position=new.close_position,
            activation_ticks=new.activation_ticks,
            callback_ppm=new.callback_ppm,
            position_side=new.position_side,
            good_till_ns=new.good_till_ns,
            stp=new.stp,
            price_protect=new.price_protect,
        )

    @staticmethod
    def _check_close(algo: AlgoOrder, mine: list[AlgoOrder]) -> None:
        """One close-all order per direction, and kind of it."""
        for other in mine:
            if (
                other.close_position
                and other.type == algo.type
                and other.side == algo.side
                and other.position_side == algo.position_side
            ):
                raise refused(-4130)

    @staticmethod
    def _forget(account: Account) -> None:
        """Drop the oldest finished conditional order from the history."""
        for algo in account.algo_orders.values():
            if algo.status in ALGO_FINAL_STATUSES:
                del account.algo_orders[algo.algo_id]
                key = (algo.symbol, algo.client_algo_id)
                if account.algo_ids.get(key) == algo.algo_id:
                    del account.algo_ids[key]
                return

    def cancel(self, account: Account, algo: AlgoOrder, now_ns: int, *, status: str = "CANCELED") -> None:
        """Take a waiting one out. Refused: -2011 once it has triggered or ended."""
        if not algo.is_open:
            raise refused(-2011)
        self._leave(account, algo)
        self._move(account, algo, status, now_ns)

    def _leave(self, account: Account, algo: AlgoOrder) -> None:
        del account.open_algo_orders[algo.algo_id]
        self._waiting[algo.symbol].remove(algo)
        self._thresholds(self._state.books[algo.symbol])

    def _move(self, account: Account, algo: AlgoOrder, status: str, now_ns: int) -> None:
        algo.status = status
        algo.updated_ns = now_ns
        self._state.algo_event(account, algo, now_ns)

    # --- triggering -------------------------------------------------------------------------------------------

    def on_price(self, book: Book, working_type: str, price_ticks: int, now_ns: int) -> None:
        """A last or mark price: trailing stops follow it, and those that it reaches become plain orders."""
        waiting = self._waiting.get(book.spec.instrument)
        if not waiting:
            return
        for algo in list(waiting):
            if algo.working_type != working_type or not algo.is_open:
                continue
            if algo.type == "TRAILING_STOP_MARKET":
                self._trail(algo, price_ticks)
            if self._fires(algo, price_ticks) and not self._protected(book, algo):
                self._trigger(book, algo, now_ns)
        self._thresholds(book)

    @staticmethod
    def _price(book: Book, working_type: str) -> int:
        return book.reference_ticks if working_type == MARK else book.last_ticks or book.mid_ticks

    @staticmethod
    def _fires(algo: AlgoOrder, price_ticks: int) -> bool:
        if not algo.active or not algo.trigger_ticks:
            return False
        return price_ticks >= algo.trigger_ticks if fires_upwards(algo) else price_ticks <= algo.trigger_ticks

    @staticmethod
    def _protected(book: Book, algo: AlgoOrder) -> bool:
        """Price protection: mark and last too far apart, the trigger waits."""
        if not algo.price_protect or not book.mark_ticks or not book.last_ticks:
            return False
        apart = abs(book.last_ticks - book.mark_ticks)
        return apart * PPM > book.mark_ticks * book.rules.trigger_protect_ppm

    @staticmethod
    def _start_trailing(algo: AlgoOrder, price_ticks: int) -> None:
        """A sell trails from above the market, a buy from below; without activation it trails at once."""
        algo.trigger_ticks = 0
        if algo.activation_ticks:
            if price_ticks and algo.side * (price_ticks - algo.activation_ticks) <= 0:
                raise refused(-4135)
            algo.active = False
        elif price_ticks:
            Conditionals._trail(algo, price_ticks)

    @staticmethod
    def _trail(algo: AlgoOrder, price_ticks: int) -> None:
        if not algo.active:
            if algo.side * (price_ticks - algo.activation_ticks) > 0:
                return
            algo.active = True
        # the trigger stands callback behind the best price seen, rounded away from it; it never moves back
        moved = price_ticks * (PPM + algo.side * algo.callback_ppm)
        trigger = -(-moved // PPM) if algo.side > 0 else moved // PPM
        if not algo.trigger_ticks or algo.side * (trigger - algo.trigger_ticks) < 0:
            algo.trigger_ticks = trigger

    def _thresholds(self, book: Book) -> None:
        """The last prices between which no trade needs a look at the waiting orders."""
        up, down = NO_ASK, 0
        for algo in self._waiting.get(book.spec.instrument, ()):
            if algo.working_type != LAST:
                continue
            if algo.type == "TRAILING_STOP_MARKET":
                up = 0  # follows every trade
            elif fires_upwards(algo):
                up = min(up, algo.trigger_ticks)
            else:
                down = max(down, algo.trigger_ticks)
        book.trigger_up, book.trigger_down = up, down

    def _trigger(self, book: Book, algo: AlgoOrder, now_ns: int) -> None:
        account = self._state.accounts[algo.account]
        self._leave(account, algo)
        algo.triggered_ns = now_ns
        self._move(account, algo, "TRIGGERING", now_ns)
        qty_lots = algo.qty_lots
        if algo.close_position:
            position = self._accounts.position(account, algo.symbol, algo.position_side)
            qty_lots = max(0, -algo.side * position.position_lots)
            if not qty_lots:
                self._move(account, algo, "EXPIRED", now_ns)  # nothing left to close
                return
            qty_lots = min(qty_lots, book.spec.market_lots_max)
        new = NewOrder(
            symbol=algo.symbol,
            side=algo.side,
            type="LIMIT" if algo.type in LIMIT_TYPES else "MARKET",
            qty_lots=qty_lots,
            client_id=algo.client_algo_id,
            price_ticks=algo.price_ticks,
            tif=algo.tif,
            reduce_only=algo.reduce_only or (algo.close_position and algo.position_side == "BOTH"),
            close_position=algo.close_position,
            trigger_ticks=algo.trigger_ticks,
            working_type=algo.working_type,
            position_side=algo.position_side,
            good_till_ns=algo.good_till_ns,
            stp=algo.stp,
            price_protect=algo.price_protect,
        )
        try:
            self._matcher.submit(account, new, now_ns, algo=algo)
        except Refused as refusal:
            algo.reject_reason = refusal.msg
            self._move(account, algo, "REJECTED", now_ns)
            rejected = TriggerRejectedEvent(
                symbol=algo.symbol, order_id=algo.algo_id, reason=refusal.msg, now_ns=now_ns
            )
            self._state.emit(account, rejected)

    def _accepted(self, account: Account, order: Order, now_ns: int) -> None:
        algo = account.algo_orders[order.algo_id]
        algo.actual_order_id = order.order_id
        self._move(account, algo, "TRIGGERED", now_ns)

    def _progressed(self, account: Account, order: Order, now_ns: int) -> None:
        algo = account.algo_orders.get(order.algo_id)
        if algo is not None:
            algo.filled_lots = order.filled_lots
            algo.cost_tick_lots = order.cost_tick_lots
            if not order.is_open:
                self._move(account, algo, "FINISHED", now_ns)
