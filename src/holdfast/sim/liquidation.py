"""Liquidation: margin below maintenance ends the account's orders and positions by the engine's own hand."""

from __future__ import annotations

from holdfast.sim.accounts import Accounts
from holdfast.sim.algos import Conditionals
from holdfast.sim.matching import Matcher
from holdfast.sim.model import Account, MarginCallEvent, Order, Position
from holdfast.sim.state import State, copy_of
from holdfast.vocab.orders import Side
from holdfast.vocab.units import NS_PER_MS, PPM, ceil_div


class Liquidator:
    """Judges accounts whose margin changed, and closes those that cannot keep their positions."""

    def __init__(
        self, state: State, accounts: Accounts, matcher: Matcher, conditionals: Conditionals
    ) -> None:
        self._state = state
        self._accounts = accounts
        self._matcher = matcher
        self._conditionals = conditionals

    def judge_touched(self, now_ns: int) -> None:
        """Judge every account that something happened to since the last time."""
        touched = self._state.touched
        while touched:
            self.judge(touched.pop(next(iter(touched))), now_ns)

    def judge(self, account: Account, now_ns: int) -> None:
        """Liquidate where the margin balance is below maintenance; call for margin where it comes near."""
        assets: dict[str, None] = {}
        for position in account.positions.values():
            if position.position_lots:
                assets[self._state.books[position.symbol].spec.settle_asset] = None
        called = False
        for asset in assets:
            summary = self._accounts.summary(account, asset)
            if summary.margin_e8 < summary.maintenance_e8:
                self._liquidate(account, asset, now_ns)
                continue
            near = summary.margin_e8 * self._state.config.margin_call_ppm < summary.maintenance_e8 * PPM
            called = called or near
            if near and not account.margin_called:
                held = tuple(copy_of(p) for p in account.positions.values() if p.position_lots)
                call = MarginCallEvent(positions=held, wallet_e8=summary.wallet_e8, now_ns=now_ns)
                self._state.emit(account, call)
        account.margin_called = called

    def _liquidate(self, account: Account, asset: str, now_ns: int) -> None:
        every = account.multi_assets
        books = self._state.books
        for order in list(account.open_orders.values()):
            if order.is_open and (every or books[order.symbol].spec.settle_asset == asset):
                self._matcher.end(account, order, "CANCELED", now_ns)
        for algo in list(account.open_algo_orders.values()):
            if every or books[algo.symbol].spec.settle_asset == asset:
                self._conditionals.cancel(account, algo, now_ns)
        fee_e8 = 0
        for position in list(account.positions.values()):
            book = books[position.symbol]
            if position.position_lots and (every or book.spec.settle_asset == asset):
                notional_e8 = abs(position.position_lots) * book.reference_ticks * book.spec.tick_lot_e8
                fee_e8 += ceil_div(notional_e8 * book.rules.liquidation_fee_ppm, PPM)
                self.close(account, position, now_ns)
        # the insurance fund takes its fee from what is left, or fills the hole
        wallet_e8 = account.balances.get(asset, 0)
        clear_e8 = -min(fee_e8, wallet_e8)
        if clear_e8:
            self._accounts.move(
                account,
                "INSURANCE_CLEAR",
                "INSURANCE_CLEAR",
                asset=asset,
                amount_e8=clear_e8,
                symbol="",
                now_ns=now_ns,
            )

    def close(self, account: Account, position: Position, now_ns: int) -> None:
        """Close one position through the book; what the book cannot take, the insurance fund takes at the mark."""
        order = self._forced(account, position, abs(position.position_lots), "autoclose", now_ns)
        self._matcher.force(account, order, order.price_ticks, now_ns)

    def deleverage(self, account: Account, position: Position, lots: int, now_ns: int) -> None:
        """Close part of a position at the mark, against an account that is liquidated: no book has a part in it."""
        order = self._forced(
            account, position, min(lots, abs(position.position_lots)), "adl_autoclose", now_ns
        )
        self._matcher.deleverage(account, order, now_ns)

    def _forced(self, account: Account, position: Position, lots: int, name: str, now_ns: int) -> Order:
        book = self._state.books[position.symbol]
        mark = book.reference_ticks
        order = Order(
            order_id=self._state.next_order_id(),
            account=account.name,
            client_id="",
            symbol=position.symbol,
            side=Side.SELL if position.position_lots > 0 else Side.BUY,
            type="LIMIT",
            orig_type="LIMIT",
            tif="IOC",
            qty_lots=lots,
            price_ticks=mark,
            created_ns=now_ns,
            updated_ns=now_ns,
            reduce_only=True,
            position_side=position.position_side,
            stp="NONE",
        )
        order.client_id = f"{name}-{now_ns // NS_PER_MS}{order.order_id % 1000:03d}"
        return order
