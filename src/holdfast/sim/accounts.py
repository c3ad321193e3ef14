"""Wallets, positions and margin of the accounts: every change of money goes through here."""

from __future__ import annotations

from collections import deque

from holdfast.sim.book import Book
from holdfast.sim.codes import refused
from holdfast.sim.margin import (
    book_fill,
    initial_e8,
    liquidation_ticks,
    maintenance_e8,
    notional_e8_max,
    unrealised_e8,
)
from holdfast.sim.model import Account, BustEvent, Fill, Income, NewOrder, Order, Position, Summary
from holdfast.sim.state import State
from holdfast.vocab.units import PPM, ceil_div

PPB = 1_000_000_000


class Accounts:
    """Books fills, fees, funding and transfers; answers what margin an account has and needs."""

    def __init__(self, state: State) -> None:
        self._state = state

    def open(
        self,
        name: str,
        *,
        api_key: str,
        secret: str,
        uid: str,
        balances: dict[str, int],
        fee_maker_ppm: int,
        fee_taker_ppm: int,
    ) -> Account:
        """Make an account. Names and keys are unique: ValueError otherwise."""
        accounts = self._state.accounts
        if name in accounts or any(api_key == known.api_key for known in accounts.values()):
            raise ValueError(f"an account of this name or key exists: {name}")
        config = self._state.config
        account = Account(
            name=name,
            api_key=api_key,
            secret=secret,
            uid=uid,
            fee_maker_ppm=fee_maker_ppm,
            fee_taker_ppm=fee_taker_ppm,
            balances=dict(balances),
            opening=dict(balances),
            fills=deque(maxlen=config.fills_kept_max),
            incomes=deque(maxlen=config.incomes_kept_max),
            cash=deque(maxlen=config.incomes_kept_max),
        )
        accounts[name] = account
        return account

    def position(self, account: Account, symbol: str, position_side: str = "BOTH") -> Position:
        """The account's row of a symbol, made on first use."""
        position = account.positions.get((symbol, position_side))
        if position is None:
            position = account.positions[(symbol, position_side)] = Position(
                symbol=symbol,
                position_side=position_side,
                leverage=account.leverages.get(symbol, self._state.config.leverage_default),
                margin_type=account.margin_types.get(symbol, "cross"),
            )
        return position

    # --- money ------------------------------------------------------------------------------------------------

    def post(
        self,
        account: Account,
        order: Order,
        *,
        book: Book,
        position: Position,
        qty_lots: int,
        price_ticks: int,
        maker: bool,
        trade_id: int,
        cause: str,
        now_ns: int,
    ) -> tuple[Fill, int]:
        """Book one execution: order, position, wallet, income. Returns it and the change of the wallet."""
        unit = book.spec.tick_lot_e8
        asset = book.spec.settle_asset
        realised_e8 = book_fill(
            position, side=order.side, qty_lots=qty_lots, price_ticks=price_ticks, tick_lot_e8=unit
        )
        rate_ppm = account.fee_maker_ppm if maker else account.fee_taker_ppm
        fee_e8 = ceil_div(price_ticks * qty_lots * unit * rate_ppm, PPM)
        position.fees_e8 += fee_e8
        position.updated_ns = now_ns
        order.filled_lots += qty_lots
        order.cost_tick_lots += price_ticks * qty_lots
        order.updated_ns = now_ns
        change_e8 = realised_e8 - fee_e8
        account.balances[asset] = account.balances.get(asset, 0) + change_e8
        account.updated_ns = now_ns
        fill = Fill(
            trade_id=trade_id,
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            qty_lots=qty_lots,
            price_ticks=price_ticks,
            maker=maker,
            fee_e8=fee_e8,
            fee_asset=asset,
            realised_e8=realised_e8,
            venue_ns=now_ns,
            cause=cause,
            position_side=order.position_side,
        )
        account.fills.append(fill)
        account.fills_count += 1
        if realised_e8:
            self._income(account, "REALIZED_PNL", asset, realised_e8, order.symbol, now_ns, trade_id)
        if fee_e8:
            self._income(account, "COMMISSION", asset, -fee_e8, order.symbol, now_ns, trade_id)
        self._state.touched[account.name] = account
        return fill, change_e8

    def bust(self, account: Account, fill: Fill, *, why: str, now_ns: int) -> None:
        """Take an execution back: position, wallet and lists are as if it had not been. Its order gets nothing back."""
        book = self._state.books[fill.symbol]
        unit = book.spec.tick_lot_e8
        position = self.position(account, fill.symbol, fill.position_side)
        same = [
            one
            for one in account.fills
            if (one.symbol, one.position_side) == (fill.symbol, fill.position_side)
        ]
        with_it, without = Position(symbol=fill.symbol), Position(symbol=fill.symbol)
        for one in same:
            for scratch in (with_it, without) if one is not fill else (with_it,):
                book_fill(
                    scratch,
                    side=one.side,
                    qty_lots=one.qty_lots,
                    price_ticks=one.price_ticks,
                    tick_lot_e8=unit,
                )
        change_e8 = without.realised_e8 - with_it.realised_e8
        position.position_lots += without.position_lots - with_it.position_lots
        position.cost_e8 += without.cost_e8 - with_it.cost_e8
        position.realised_e8 += change_e8
        position.fees_e8 -= fill.fee_e8
        position.updated_ns = account.updated_ns = now_ns
        asset = book.spec.settle_asset
        account.balances[asset] = account.balances.get(asset, 0) + change_e8 + fill.fee_e8
        account.fills.remove(fill)
        account.fills_count -= 1
        for kind, amount_e8 in (("REALIZED_PNL", change_e8), ("COMMISSION", fill.fee_e8)):
            if amount_e8:
                self._income(account, kind, asset, amount_e8, fill.symbol, now_ns, fill.trade_id)
        self._state.touched[account.name] = account
        self._state.emit(account, BustEvent(fill=fill, why=why, now_ns=now_ns))
        self._state.account_event(
            account,
            "ADJUSTMENT",
            now_ns,
            asset=asset,
            change_e8=change_e8 + fill.fee_e8,
            position=position,
        )

    def move(
        self,
        account: Account,
        kind: str,
        reason: str,
        *,
        asset: str,
        amount_e8: int,
        symbol: str,
        now_ns: int,
    ) -> None:
        """Move cash other than by a trade: wallet, income list, event."""
        account.balances[asset] = account.balances.get(asset, 0) + amount_e8
        account.updated_ns = now_ns
        self._income(account, kind, asset, amount_e8, symbol, now_ns, 0)
        self._state.touched[account.name] = account
        self._state.account_event(account, reason, now_ns, asset=asset, change_e8=amount_e8)

    def fund(self, account: Account, position: Position, book: Book, *, rate_ppb: int, now_ns: int) -> None:
        """Pay or receive funding on the mark: longs pay a positive rate; rounded against the account."""
        notional_e8 = position.position_lots * book.reference_ticks * book.spec.tick_lot_e8
        amount_e8 = -notional_e8 * rate_ppb // PPB
        if amount_e8:
            asset = book.spec.settle_asset
            self.move(
                account,
                "FUNDING_FEE",
                "FUNDING_FEE",
                asset=asset,
                amount_e8=amount_e8,
                symbol=position.symbol,
                now_ns=now_ns,
            )

    def transfer(self, account: Account, asset: str, amount_e8: int, now_ns: int) -> None:
        """Bring cash in (+) or take it out (−). Refused: -1126, -2018 beyond what is available."""
        if amount_e8 < 0:
            known = account.balances.get(asset, 0)
            free = min(known, self.summary(account, asset).available_e8)
            if -amount_e8 > free:
                raise refused(-2018)
        reason = "DEPOSIT" if amount_e8 > 0 else "WITHDRAW"
        self.move(account, "TRANSFER", reason, asset=asset, amount_e8=amount_e8, symbol="", now_ns=now_ns)

    def _income(
        self, account: Account, kind: str, asset: str, amount_e8: int, symbol: str, now_ns: int, trade_id: int
    ) -> None:
        income = Income(
            tran_id=self._state.next_tran_id(),
            kind=kind,
            asset=asset,
            amount_e8=amount_e8,
            symbol=symbol,
            venue_ns=now_ns,
            trade_id=trade_id,
        )
        account.incomes.append(income)
        if not trade_id:
            account.cash.append(income)

    # --- margin -----------------------------------------------------------------------------------------------

    def summary(self, account: Account, asset: str) -> Summary:
        """Margin of the positions settled in this asset; of all of them together in multi-assets mode."""
        unrealised = maintenance = total = of_positions = 0
        every = account.multi_assets
        for position in account.positions.values():
            book = self._state.books[position.symbol]
            if not every and book.spec.settle_asset != asset:
                continue
            if not position.position_lots and not position.buy_tick_lots and not position.sell_tick_lots:
                continue
            unit = book.spec.tick_lot_e8
            mark = book.reference_ticks
            need = initial_e8(position, mark_ticks=mark, tick_lot_e8=unit)
            total += need.total_e8
            of_positions += need.position_e8
            if position.position_lots:
                unrealised += unrealised_e8(position, mark_ticks=mark, tick_lot_e8=unit)
                maintenance += maintenance_e8(book.rules.brackets, abs(position.position_lots) * mark * unit)
        wallet = sum(account.balances.values()) if every else account.balances.get(asset, 0)
        margin = wallet + unrealised
        return Summary(
            wallet_e8=wallet,
            unrealised_e8=unrealised,
            margin_e8=margin,
            position_initial_e8=of_positions,
            order_initial_e8=total - of_positions,
            initial_e8=total,
            maintenance_e8=maintenance,
            available_e8=max(0, margin - total),
        )

    def require(
        self,
        account: Account,
        book: Book,
        position: Position,
        *,
        side: int,
        price_ticks: int,
        qty_lots: int,
        tick_lots: int,
    ) -> None:
        """Refuse an order (or the growth of one) that the margin does not cover.

        ``tick_lots``: Σ price × lots that it adds to the open orders of its side; ``qty_lots``: its open size.
        Refused: -2027 beyond the bracket of the leverage, -2019 beyond the available margin. What does not raise
        the requirement passes: it can only reduce.
        """
        unit = book.spec.tick_lot_e8
        mark = book.reference_ticks
        buy, sell = (tick_lots, 0) if side > 0 else (0, tick_lots)
        before = initial_e8(position, mark_ticks=mark, tick_lot_e8=unit)
        after = initial_e8(
            position, mark_ticks=mark, tick_lot_e8=unit, buy_tick_lots=buy, sell_tick_lots=sell
        )
        if after.total_e8 <= before.total_e8:
            return
        present = position.position_lots * mark
        resting = position.buy_tick_lots if side > 0 else position.sell_tick_lots
        worst_e8 = abs(present + side * (resting + tick_lots)) * unit
        if worst_e8 > notional_e8_max(book.rules.brackets, position.leverage):
            raise refused(-2027)
        # what the order would lose at once, filled at its price and valued at the mark
        loss_e8 = max(0, side * (price_ticks - mark)) * qty_lots * unit
        available = self.summary(account, book.spec.settle_asset).available_e8
        if after.total_e8 - before.total_e8 + loss_e8 > available:
            raise refused(-2019)

    def liquidation_ticks(self, account: Account, position: Position) -> int:
        """The mark at which this position would be liquidated, all else unchanged; 0 where there is none."""
        book = self._state.books[position.symbol]
        unit = book.spec.tick_lot_e8
        mark = book.reference_ticks
        summary = self.summary(account, book.spec.settle_asset)
        own = maintenance_e8(book.rules.brackets, abs(position.position_lots) * mark * unit)
        without = (
            summary.margin_e8
            - unrealised_e8(position, mark_ticks=mark, tick_lot_e8=unit)
            - (summary.maintenance_e8 - own)
        )
        return liquidation_ticks(
            position,
            margin_without_e8=without,
            brackets=book.rules.brackets,
            mark_ticks=mark,
            tick_lot_e8=unit,
        )


def exposure(order: Order, position: Position, lots: int) -> None:
    """Count (+) or discount (−) lots of a resting order in what the account may still buy or sell."""
    if order.is_reducing:
        return
    if order.side > 0:
        position.buy_tick_lots += order.price_ticks * lots
    else:
        position.sell_tick_lots += order.price_ticks * lots


def assumed_price(book: Book, new: NewOrder) -> int:
    """The price a new order's margin is counted at: its own, or the touch it would meet."""
    if new.type == "LIMIT":
        return new.price_ticks
    return book.best_against(new.side) or book.reference_ticks
