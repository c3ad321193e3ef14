"""The exchange: one object that takes market data, requests and the time, and does what Binance's would do.

Deterministic: the same calls with the same times give the same events. All times are the venue's clock in
nanoseconds and do not go back. A listener is told of everything that happens to an account, in order; it must
not call back into the exchange. Requests that Binance would refuse raise ``Refused`` and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from holdfast.sim.accounts import Accounts
from holdfast.sim.algos import LAST, MARK, Conditionals
from holdfast.sim.amending import Amender
from holdfast.sim.book import Book
from holdfast.sim.codes import refused
from holdfast.sim.liquidation import Liquidator
from holdfast.sim.margin import initial_e8, notional_e8_max
from holdfast.sim.matching import Matcher
from holdfast.sim.model import (
    Account,
    AlgoOrder,
    ConfigEvent,
    Fill,
    Funding,
    Listener,
    NewOrder,
    Order,
    Position,
)
from holdfast.sim.moves import Moves
from holdfast.sim.queries import Queries
from holdfast.sim.rules import ExchangeConfig
from holdfast.sim.state import State, copy_of
from holdfast.sim.timetable import NEVER, Timetable
from holdfast.vocab.instruments import InstrumentSpec, InstrumentStatus
from holdfast.vocab.market import Depth, Mark, MarketEvent, Quote, Trade
from holdfast.vocab.orders import Side
from holdfast.vocab.units import NS_PER_MS, PPM

_E6 = 1_000_000
_CATCH_UP_MAX = 64  # smoothing steps taken at once after a silence: the mark has arrived by then


class Exchange(Queries):
    """Accounts, books and everything that may be asked of them."""

    def __init__(
        self,
        specs: Sequence[InstrumentSpec],
        *,
        listener: Listener | None = None,
        config: ExchangeConfig | None = None,
    ) -> None:
        self.config = config or ExchangeConfig()
        self.specs = {spec.instrument: spec for spec in specs}
        self.now_ns = 0
        state = State(specs, self.config)
        accounts = Accounts(state)
        super().__init__(state, accounts)
        if listener is not None:
            state.listeners.append(listener)
        self._matcher = Matcher(state, accounts)
        self._amender = Amender(state, accounts, self._matcher)
        self._moves = Moves(state, self._matcher)
        self._conditionals = Conditionals(state, accounts, self._matcher)
        self._liquidator = Liquidator(state, accounts, self._matcher, self._conditionals)
        self._books = state.books
        self._timetable = Timetable(state, accounts, self._matcher, self._liquidator)

    def subscribe(self, listener: Listener) -> None:
        """Tell this listener too, after those that came before."""
        self._state.listeners.append(listener)

    def open_account(
        self,
        name: str,
        *,
        api_key: str,
        secret: str,
        uid: str,
        balances: dict[str, int],
        fee_maker_ppm: int = 200,
        fee_taker_ppm: int = 500,
    ) -> Account:
        """Make an account; its balances are its opening. ValueError: the name or the key is taken."""
        return self._accounts.open(
            name,
            api_key=api_key,
            secret=secret,
            uid=uid,
            balances=balances,
            fee_maker_ppm=fee_maker_ppm,
            fee_taker_ppm=fee_taker_ppm,
        )

    # --- the market -------------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent, now_ns: int) -> None:
        """Move the market. An event of an instrument that is not traded here, or a malformed one, does nothing."""
        if now_ns >= self._timetable.due_ns:
            self.advance(now_ns)
        book = self._books.get(event.instrument)
        if book is None:
            return
        if type(event) is Quote:
            if event.bid_ticks > book.watch_bid and event.ask_ticks < book.watch_ask:
                book.quote = event
            else:
                before = book.quote
                book.quote = event
                self._moves.on_quote(book, before, event, now_ns)
                self._settle(now_ns)
            if now_ns >= book.mark_due_ns:
                self._smooth_mark(book, now_ns)
        elif type(event) is Trade:
            if event.market:
                price = book.last_ticks = event.price_ticks
                book.volume.trade(event.qty_lots, now_ns)
                if price <= book.own_bid or price >= book.own_ask:
                    self._moves.on_trade(book, event, now_ns)
                if price >= book.trigger_up or price <= book.trigger_down:
                    self._conditionals.on_price(book, LAST, price, now_ns)
                if self._state.touched:
                    self._liquidator.judge_touched(now_ns)
        elif type(event) is Mark:
            self._on_mark(book, event, now_ns)
        elif type(event) is Depth:
            self._on_depth(book, event, now_ns)

    def halt(self, symbol: str, *, halted: bool) -> InstrumentSpec:
        """Take no order in a symbol from now on, or take them again; returns its facts. KeyError: no such symbol."""
        status = InstrumentStatus.HALTED if halted else InstrumentStatus.TRADING
        self.specs[symbol] = self._books[symbol].spec = spec = replace(self.specs[symbol], status=status)
        return spec

    def volume_lots(self, symbol: str, now_ns: int) -> int:
        """Lots that the public traded in the last 24 hours, as far as they were seen."""
        return self._books[symbol].volume.lots(now_ns)

    def _on_mark(self, book: Book, mark: Mark, now_ns: int) -> None:
        book.mark_recorded = True
        book.mark_due_ns = NEVER
        book.funding_ppb = mark.funding_ppb
        self._set_mark(book, mark.mark_ticks, now_ns)

    def _on_depth(self, book: Book, depth: Depth, now_ns: int) -> None:
        for side, levels in ((book.bids, depth.bids), (book.asks, depth.asks)):
            if depth.snapshot:
                side.clear_ladder()
                side.whole = True
            side.tell(levels)
        if book.quote is not book.derived:
            return  # quotes lead
        book.bids.look()
        book.asks.look()
        if book.bids.ladder_keys and book.asks.ladder_keys:
            # no quotes in this source: the ladder's best is the touch
            bid, ask = book.bids.ladder_keys[-1], -book.asks.ladder_keys[-1]
            quote = Quote(
                depth.instrument,
                depth.seq,
                bid,
                book.bids.ladder[bid],
                ask,
                book.asks.ladder[ask],
                depth.venue_ns,
                depth.wall_ns,
                depth.mono_ns,
            )
            before, book.quote = book.quote, quote
            book.derived = quote
            self._moves.on_quote(book, before, quote, now_ns)
            if now_ns >= book.mark_due_ns:
                self._smooth_mark(book, now_ns)
        self._settle(now_ns)

    def _smooth_mark(self, book: Book, now_ns: int) -> None:
        """Where no marks are recorded: the mark moves a share of its way to the mid, once per interval."""
        interval = self.config.mark_interval_ns
        mid_e6 = book.mid_ticks * _E6
        if not book.mark_e6:
            book.mark_e6 = mid_e6
        else:
            steps = 1 + (now_ns - book.mark_due_ns) // interval
            for _ in range(min(steps, _CATCH_UP_MAX)):
                book.mark_e6 += (mid_e6 - book.mark_e6) * self.config.mark_smoothing_ppm // PPM
        book.mark_due_ns = (now_ns // interval + 1) * interval
        self._set_mark(book, (book.mark_e6 + _E6 // 2) // _E6, now_ns)

    def _set_mark(self, book: Book, mark_ticks: int, now_ns: int) -> None:
        book.mark_ticks = mark_ticks
        self._conditionals.on_price(book, MARK, mark_ticks, now_ns)
        symbol = book.spec.instrument
        for account in self._state.accounts.values():
            for side in ("BOTH", "LONG", "SHORT"):
                position = account.positions.get((symbol, side))
                if position is not None and position.position_lots:
                    self._state.touched[account.name] = account
        self._liquidator.judge_touched(now_ns)

    # --- time -------------------------------------------------------------------------------------------------

    def next_due_ns(self) -> int | None:
        """When ``advance`` has something to do; None before the first time was told."""
        return self._timetable.due_ns or None

    def advance(self, now_ns: int) -> None:
        """Do what is due by now, each at its own time: countdowns, good-till-date orders, funding."""
        self.now_ns = max(self.now_ns, now_ns)
        self._timetable.advance(now_ns)

    def funding_due_ns(self) -> int:
        """When funding is paid next; 0 before the first time is told."""
        return self._timetable.funding_ns

    def funding(self, symbol: str) -> Funding:
        """The funding rate that will be paid, and when."""
        book = self._state.book(symbol)
        rate_ppb = book.funding_ppb if book.mark_recorded else self.config.funding_ppb
        return Funding(rate_ppb, self._timetable.funding_ns)

    def countdown_due_ns(self, account: Account, symbol: str) -> int:
        """When the armed countdown of a symbol ends; 0 where none is armed."""
        return self._timetable.countdown_due_ns(account, symbol)

    def _at(self, now_ns: int) -> None:
        """Before a request: whatever is due by then comes first."""
        if now_ns >= self._timetable.due_ns:
            self.advance(now_ns)
        elif now_ns > self.now_ns:
            self.now_ns = now_ns

    def _settle(self, now_ns: int) -> None:
        """Afterwards: judge the accounts that it touched."""
        if self._state.touched:
            self._liquidator.judge_touched(now_ns)

    # --- orders -----------------------------------------------------------------------------------------------

    def place(self, account: Account, new: NewOrder, now_ns: int) -> Order:
        """A new plain order, matched at once as far as it can be. The order's state says what became of it."""
        self._at(now_ns)
        order = self._matcher.submit(account, new, now_ns)
        if order.good_till_ns and order.is_open:
            self._timetable.good_till(order)
        self._settle(now_ns)
        return order

    def amend(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
        side: Side,
        qty_lots: int,
        price_ticks: int,
        now_ns: int,
    ) -> Order:
        """Change price and total size of an open limit order. Refused: -2013 where there is none."""
        self._at(now_ns)
        order = self.order(account, symbol, order_id=order_id, client_id=client_id)
        if not order.is_open:
            raise refused(-2013)
        self._amender.amend(
            account, order, side=side, qty_lots=qty_lots, price_ticks=price_ticks, now_ns=now_ns
        )
        self._settle(now_ns)
        return order

    def cancel(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
        now_ns: int,
    ) -> Order:
        """Cancel an open plain order. Refused: -2011 where there is none."""
        self._at(now_ns)
        order = self._find(account, symbol, order_id=order_id, client_id=client_id)
        if order is None or not order.is_open:
            raise refused(-2011)
        self._matcher.end(account, order, "CANCELED", now_ns)
        return order

    def cancel_all(self, account: Account, symbol: str, now_ns: int) -> int:
        """Cancel the open plain orders of a symbol, not the conditional ones; returns how many."""
        self._at(now_ns)
        self._state.book(symbol)
        orders = [order for order in account.open_orders.values() if order.symbol == symbol]
        for order in orders:
            if order.is_open:
                self._matcher.end(account, order, "CANCELED", now_ns)
        return len(orders)

    def place_algo(self, account: Account, new: NewOrder, now_ns: int) -> AlgoOrder:
        """A new conditional order."""
        self._at(now_ns)
        return self._conditionals.place(account, new, now_ns)

    def cancel_algo(
        self,
        account: Account,
        *,
        algo_id: int | None = None,
        client_algo_id: str | None = None,
        symbol: str | None = None,
        now_ns: int,
    ) -> AlgoOrder:
        """Cancel a waiting conditional order. Refused: -2011 where there is none, or it has triggered."""
        self._at(now_ns)
        algo = self._find_algo(account, algo_id=algo_id, client_algo_id=client_algo_id, symbol=symbol)
        if algo is None:
            raise refused(-2011)
        self._conditionals.cancel(account, algo, now_ns)
        return algo

    def cancel_all_algo(self, account: Account, symbol: str, now_ns: int) -> int:
        """Cancel the waiting conditional orders of a symbol; returns how many."""
        self._at(now_ns)
        self._state.book(symbol)
        algos = [algo for algo in account.open_algo_orders.values() if algo.symbol == symbol]
        for algo in algos:
            self._conditionals.cancel(account, algo, now_ns)
        return len(algos)

    def countdown(self, account: Account, symbol: str, countdown_ms: int, now_ns: int) -> None:
        """Cancel the plain orders of a symbol unless asked again in time; 0 disarms. Conditional ones stay."""
        self._at(now_ns)
        self._state.book(symbol)
        if countdown_ms < 0:
            raise refused(-1130)
        self._timetable.countdown(account, symbol, now_ns + countdown_ms * NS_PER_MS if countdown_ms else 0)

    def liquidate(self, account: Account, position: Position, now_ns: int) -> None:
        """The venue closes one position by its own hand, whatever the margin says: for simulations."""
        self._at(now_ns)
        self._liquidator.close(account, position, now_ns)
        self._settle(now_ns)

    def deleverage(self, account: Account, position: Position, lots: int, now_ns: int) -> None:
        """The venue closes part of a position at the mark, for somebody else's liquidation: for simulations."""
        self._at(now_ns)
        self._liquidator.deleverage(account, position, lots, now_ns)
        self._settle(now_ns)

    def bust(
        self, account: Account, symbol: str, trade_id: int, now_ns: int, *, why: str = ""
    ) -> Fill | None:
        """The venue takes an execution back; returns it, or None where it knows none of this id any more."""
        self._at(now_ns)
        found = next(
            (one for one in reversed(account.fills) if (one.symbol, one.trade_id) == (symbol, trade_id)), None
        )
        if found is not None:
            self._accounts.bust(account, found, why=why, now_ns=now_ns)
            self._settle(now_ns)
        return found

    # --- settings ---------------------------------------------------------------------------------------------

    def set_leverage(self, account: Account, symbol: str, leverage: int, now_ns: int) -> int:
        """Set the leverage of a symbol; returns the largest notional (10⁻⁸) that it allows.

        Refused: -4028; -2027 when the position is too large for it; -2028 when the margin is too small for it.
        """
        self._at(now_ns)
        book = self._state.book(symbol)
        if not 1 <= leverage <= max(bracket.leverage_max for bracket in book.rules.brackets):
            raise refused(-4028, leverage)
        cap_e8 = notional_e8_max(book.rules.brackets, leverage)
        before = self.leverage(account, symbol)
        unit, mark = book.spec.tick_lot_e8, book.reference_ticks
        rows = [position for (name, _), position in account.positions.items() if name == symbol]
        more_e8 = 0
        for position in rows:
            if abs(position.position_lots) * mark * unit > cap_e8:
                raise refused(-2027)
            need = initial_e8(position, mark_ticks=mark, tick_lot_e8=unit).total_e8
            lowered = copy_of(position, leverage=leverage)
            more_e8 += initial_e8(lowered, mark_ticks=mark, tick_lot_e8=unit).total_e8 - need
        if more_e8 > 0 and more_e8 > self.summary(account, book.spec.settle_asset).available_e8:
            raise refused(-2028)
        account.leverages[symbol] = leverage
        for position in rows:
            position.leverage = leverage
        if leverage != before:
            self._state.emit(account, ConfigEvent(symbol=symbol, leverage=leverage, now_ns=now_ns))
        return cap_e8

    def set_margin_type(self, account: Account, symbol: str, margin_type: str, now_ns: int) -> None:
        """Only "cross" is simulated: "isolated" is refused as in multi-assets mode (-4168), never half done."""
        self._at(now_ns)
        self._state.book(symbol)
        if margin_type == self.margin_type(account, symbol):
            raise refused(-4046)
        if any(order.symbol == symbol for order in account.open_orders.values()):
            raise refused(-4047)
        if any(name == symbol and p.position_lots for (name, _), p in account.positions.items()):
            raise refused(-4048)
        raise refused(-4168)

    def set_position_mode(self, account: Account, *, dual_side: bool, now_ns: int) -> None:
        """One-way or hedge mode. Refused: -4059 no change, -4067 open orders, -4068 a position."""
        self._at(now_ns)
        if dual_side == account.dual_side:
            raise refused(-4059)
        if account.open_orders or account.open_algo_orders:
            raise refused(-4067)
        if any(position.position_lots for position in account.positions.values()):
            raise refused(-4068)
        account.dual_side = dual_side

    def set_multi_assets(self, account: Account, *, multi_assets: bool, now_ns: int) -> None:
        """One margin pool for all settle assets (valued one to one), or one each. Refused: -4171, -4170."""
        self._at(now_ns)
        if multi_assets == account.multi_assets:
            raise refused(-4171)
        if account.open_orders:
            raise refused(-4170)
        account.multi_assets = multi_assets
        self._state.emit(account, ConfigEvent(multi_assets=multi_assets, now_ns=now_ns))
        self._state.touched[account.name] = account
        self._settle(now_ns)

    def transfer(self, account: Account, asset: str, amount_e8: int, now_ns: int) -> None:
        """Bring cash in (+) or take it out (−). Refused: -2018 beyond what is available."""
        self._at(now_ns)
        self._accounts.transfer(account, asset, amount_e8, now_ns)
        self._settle(now_ns)

    def pay_funding(self, symbol: str, rate_ppb: int, now_ns: int) -> int:
        """Settle funding of one symbol now, outside its times; returns how many positions paid or received."""
        self._at(now_ns)
        book = self._state.book(symbol)
        held = [
            (account, position)
            for account in self._state.accounts.values()
            for position in account.positions.values()
            if position.symbol == symbol and position.position_lots
        ]
        for account, position in held:
            self._accounts.fund(account, position, book, rate_ppb=rate_ppb, now_ns=now_ns)
        self._settle(now_ns)
        return len(held)
