"""Every request of the port in ccxt's unified calls, and the answers as outcomes."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, assert_never

from holdfast.ports.clock import Clock
from holdfast.ports.venue import MaySend
from holdfast.venues.anyccxt import codec
from holdfast.venues.anyccxt.asking import Asker, Failed
from holdfast.venues.anyccxt.codec import Book, Unreadable
from holdfast.venues.anyccxt.errors import Absent, Failure, Kind
from holdfast.venues.transport.clock import VenueClock
from holdfast.venues.transport.hop import always
from holdfast.vocab.orders import Lane, OrderType
from holdfast.vocab.outcome import Fatal, Ok, Outcome, Suppressed, Transient, Unknown
from holdfast.vocab.reports import (
    Balances,
    CashEntries,
    Done,
    NoSuchOrder,
    OrderReport,
    Orders,
    PositionReport,
    Positions,
    Specs,
    TradeReport,
    Trades,
    Volumes,
)
from holdfast.vocab.reports import Clock as ClockReport
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    Request,
    SetLeverage,
)
from holdfast.vocab.units import NS_PER_MS, NS_PER_S, text_of

_LEARNED_MAX: Final = 65_536
_TRADES_PAGES_MAX: Final = 20
_TRADES_LIMIT: Final = 500
_LEDGER_LIMIT: Final = 500
_FAILURES: Final = (Transient, Fatal, Unknown, Suppressed, Absent)
_CONDITIONAL: Final = (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


class Calls:
    """The port's requests for one account. ``book`` is set by load."""

    def __init__(self, *, exchange: Any, asker: Asker, clock: Clock, venue_clock: VenueClock) -> None:
        self._exchange = exchange
        self.asker = asker
        asker.on_clock_trouble = self._remeasure
        self._clock = clock
        self._venue_clock = venue_clock
        self._remeasuring: asyncio.Task[object] | None = None
        self.book = Book(account_tag=0, grids={})
        self.venue_ids: dict[int, str] = {}  # ours → the venue's, as learned from its answers
        self.client_ids: dict[str, str] = {}  # the venue's → the client id

    async def close(self) -> None:
        """End what runs in the background."""
        if self._remeasuring is not None:
            self._remeasuring.cancel()
            await asyncio.gather(self._remeasuring, return_exceptions=True)

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        """One request of the port."""
        try:
            return await self._call(request, lane, may_send)
        except Failed as error:
            return _outcome(error.failure)
        except Unreadable as error:
            return Fatal(why=str(error), code="LOCAL")

    async def _call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        match request:
            case PlaceOrder():
                return await self._place(request, lane, may_send)
            case AmendOrder():
                return await self._amend(request, lane, may_send)
            case CancelOrder():
                return await self._cancel(request, lane, may_send)
            case CancelAll():
                return await self._cancel_all(request, lane, may_send)
            case QueryOrder():
                return await self._query(request.order_id, request.instrument, Kind.QUERY, lane, may_send)
            case QueryOpenOrders():
                return await self._open_orders(lane, may_send)
            case QueryPositions():
                return await self._positions(request, lane, may_send)
            case QueryBalances():
                return await self._balances(lane, may_send)
            case QueryTrades():
                return await self._trades(request, lane, may_send)
            case QueryCash():
                return await self._cash(request, lane, may_send)
            case QuerySpecs():
                return await self._specs(lane, may_send)
            case QueryVolumes():
                return await self._volumes(request, lane, may_send)
            case SetLeverage():
                return await self._leverage(request, lane, may_send)
            case ArmDeadman():
                return await self._deadman(request, lane, may_send)
            case MeasureClock():
                return await self.measure_clock(lane, may_send)
            case _ as never:
                assert_never(never)

    def _has(self, feature: str) -> bool:
        # "emulated" is ccxt doing several requests of its own: not one act, so not ours to use.
        return self._exchange.has.get(feature) is True

    def learn(self, report: OrderReport) -> None:
        """Remember which of the venue's ids is ours; bounded."""
        if report.order_id is None:
            return
        if len(self.venue_ids) >= _LEARNED_MAX:
            oldest = next(iter(self.venue_ids))
            self.client_ids.pop(self.venue_ids.pop(oldest), None)
        self.venue_ids[report.order_id] = report.venue_order_id
        self.client_ids[report.venue_order_id] = report.client_id

    # --- orders -------------------------------------------------------------------------------------------

    async def _place(self, request: PlaceOrder, lane: Lane, may_send: MaySend) -> Outcome:
        terms = request.terms
        order = codec.order_of(self.book, request.order_id, terms)
        conditional = terms.order_type in _CONDITIONAL
        numbers = [
            order.amount,
            order.price,
            *(order.params.get(n) for n in ("stopLossPrice", "takeProfitPrice")),
        ]
        answer = await self.asker.must(
            Kind.PLACE,
            lambda: self._exchange.create_order(
                terms.instrument, order.type, order.side, order.amount, order.price, order.params
            ),
            lane=lane,
            may_send=may_send,
            verify=codec.says(numbers, [self.book.client_id(request.order_id)]),
            order_id=request.order_id,
        )
        try:
            report = codec.acknowledged(
                self.book, answer, order_id=request.order_id, terms=terms, conditional=conditional
            )
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.PLACE, error))
        self.learn(report)
        return Ok(value=report)

    async def _amend(self, request: AmendOrder, lane: Lane, may_send: MaySend) -> Outcome:
        if not self._has("editOrder"):
            return Fatal(why=f"{self._exchange.id} cannot amend an order in one act", code="LOCAL")
        venue_id = request.venue_order_id or self.venue_ids.get(request.order_id, "")
        if not venue_id:
            return Fatal(why="the venue's id of the order is not known", code="LOCAL")
        grid = self.book.grid(request.instrument)
        amount, price = (
            text_of(request.qty_lots, grid.step),
            text_of(request.price_ticks, grid.tick),
        )
        side = "buy" if request.side > 0 else "sell"
        await self.asker.must(
            Kind.AMEND,
            lambda: self._exchange.edit_order(venue_id, request.instrument, "limit", side, amount, price),
            lane=lane,
            may_send=may_send,
            verify=codec.says([amount, price], [venue_id]),
            order_id=request.order_id,
        )
        return await self._after(Kind.AMEND, venue_id, request.order_id, request.instrument, may_send)

    async def _cancel(self, request: CancelOrder, lane: Lane, may_send: MaySend) -> Outcome:
        client_id = "" if request.order_id is None else self.book.client_id(request.order_id)
        venue_id = request.venue_order_id
        if not venue_id and request.order_id is not None:
            venue_id = self.venue_ids.get(request.order_id, "")
        params: dict[str, Any] = {"trigger": True} if request.conditional else {}
        if not venue_id:
            params["clientOrderId"] = client_id
        answer = await self.asker.ask(
            Kind.CANCEL,
            lambda: self._exchange.cancel_order(venue_id, request.instrument, params),
            lane=lane,
            may_send=may_send,
            verify=codec.says([], [venue_id or client_id]),
        )
        if isinstance(answer, Absent):
            return Ok(value=NoSuchOrder(client_id=client_id))
        if isinstance(answer, _FAILURES):
            return _outcome(answer)
        report = self._report(answer, conditional=request.conditional)
        if report is not None and report.order_id == request.order_id and report.venue_order_id:
            return Ok(value=report)
        return await self._after(
            Kind.CANCEL, venue_id, request.order_id, request.instrument, may_send, trigger=request.conditional
        )

    async def _after(
        self,
        kind: Kind,
        venue_id: str,
        order_id: int | None,
        instrument: str,
        may_send: MaySend,
        *,
        trigger: bool = False,
    ) -> Outcome:
        """The venue accepted, in fewer words than we need: ask what the order is now."""
        if venue_id:
            params = {"trigger": True} if trigger else {}
            answer = await self.asker.ask(
                Kind.QUERY,
                lambda: self._exchange.fetch_order(venue_id, instrument, params),
                lane=Lane.READ,
                may_send=may_send,
            )
            report = None if isinstance(answer, _FAILURES) else self._report(answer, conditional=trigger)
            if report is not None and (order_id is None or report.order_id in (order_id, None)):
                return Ok(value=report)
        elif order_id is not None:
            found = await self._query(order_id, instrument, Kind.QUERY, Lane.READ, may_send)
            if isinstance(found, Ok):
                return found
        return Unknown(
            why=f"the {kind.value} was accepted; what the order is now could not be read", code="ACCEPTED"
        )

    def _report(self, order: Any, *, conditional: bool | None = None) -> OrderReport | None:
        """A whole order, or None for one that says too little."""
        if not isinstance(order, dict) or order.get("amount") is None or not order.get("status"):
            return None
        try:
            report = codec.order_report(self.book, order, conditional=conditional)
        except Unreadable:
            return None
        if report.order_id is None and report.venue_order_id in self.client_ids:
            client_id = self.client_ids[report.venue_order_id]
            report = codec.order_report(
                self.book, {**order, "clientOrderId": client_id}, conditional=conditional
            )
        self.learn(report)
        return report

    async def _cancel_all(self, request: CancelAll, lane: Lane, may_send: MaySend) -> Outcome:
        if not self._has("cancelAllOrders"):
            return Fatal(why=f"{self._exchange.id} cannot cancel all orders in one act", code="LOCAL")
        params = {"trigger": True} if request.conditional else {}
        answer = await self.asker.ask(
            Kind.CANCEL,
            lambda: self._exchange.cancel_all_orders(request.instrument, params),
            lane=lane,
            may_send=may_send,
        )
        if isinstance(answer, Absent):
            return Ok(value=Done(detail="nothing to cancel"))
        return _outcome(answer) if isinstance(answer, _FAILURES) else Ok(value=Done())

    async def _query(
        self, order_id: int, instrument: str, kind: Kind, lane: Lane, may_send: MaySend
    ) -> Outcome:
        client_id = self.book.client_id(order_id)
        venue_id = self.venue_ids.get(order_id, "")
        params = {} if venue_id else {"clientOrderId": client_id}
        answer = await self.asker.ask(
            kind,
            lambda: self._exchange.fetch_order(venue_id, instrument, params),
            lane=lane,
            may_send=may_send,
            # Only a question that names the order proves anything by "not found".
            verify=codec.says([], [venue_id or client_id]),
        )
        if isinstance(answer, Absent):
            return Ok(value=NoSuchOrder(client_id=client_id))
        if not isinstance(answer, _FAILURES):
            report = self._report(answer)
            if report is not None and report.order_id == order_id:
                return Ok(value=report)
            return _outcome(self.asker.unreadable(kind, Unreadable("the answer is not this order, whole")))
        if not (isinstance(answer, Fatal) and answer.code == "LOCAL"):
            return _outcome(answer)
        return await self._search(order_id, instrument, lane, may_send)

    async def _search(self, order_id: int, instrument: str, lane: Lane, may_send: MaySend) -> Outcome:
        """The exchange cannot be asked by our id: look among open and recent orders. Absence proves nothing."""
        for feature, method in (
            ("fetchOpenOrders", self._exchange.fetch_open_orders),
            ("fetchOrders", self._exchange.fetch_orders),
            ("fetchClosedOrders", self._exchange.fetch_closed_orders),
            ("fetchCanceledOrders", self._exchange.fetch_canceled_orders),
        ):
            if not self._has(feature):
                continue
            orders = await self.asker.must(
                Kind.READ, partial(method, instrument), lane=lane, may_send=may_send
            )
            for order in orders:
                if self.book.order_id(order.get("clientOrderId")) == order_id:
                    report = self._report(order)
                    if report is not None:
                        return Ok(value=report)
        return Unknown(why="the order is in none of the venue's lists", code="NOT_LISTED")

    # --- truths -------------------------------------------------------------------------------------------

    async def _open_orders(self, lane: Lane, may_send: MaySend) -> Outcome:
        reports: list[OrderReport] = []
        for symbol in self.book.grids:
            wants: list[dict[str, Any]] = [{}]
            if self._exchange.feature_value(symbol, "fetchOpenOrders", "trigger", False):
                wants.append({"trigger": True})
            for params in wants:
                orders = await self.asker.must(
                    Kind.READ,
                    partial(self._exchange.fetch_open_orders, symbol, None, None, params),
                    lane=lane,
                    may_send=may_send,
                )
                try:
                    for order in orders:
                        report = codec.order_report(self.book, order, conditional=bool(params))
                        self.learn(report)
                        reports.append(report)
                except Unreadable as error:
                    return _outcome(self.asker.unreadable(Kind.READ, error))
        unique = {(report.venue_order_id, report.conditional): report for report in reports}
        return Ok(value=Orders(orders=tuple(unique.values())))

    async def _positions(self, request: QueryPositions, lane: Lane, may_send: MaySend) -> Outcome:
        if request.source != 0:
            return Fatal(why=f"no position source {request.source}", code="LOCAL")
        spot = [grid for grid in self.book.grids.values() if grid.spot]
        contracts = [grid for grid in self.book.grids.values() if not grid.spot]
        positions: list[PositionReport] = []
        unlisted: dict[str, None] = {}
        try:
            if contracts:
                rows = await self.asker.must(
                    Kind.READ, self._exchange.fetch_positions, lane=lane, may_send=may_send
                )
                for row in rows:
                    if row.get("symbol") in self.book.grids:
                        report = codec.position_report(self.book, row)
                        positions += [report] if report is not None else []
                    elif codec.number(row.get("contracts") or 0):
                        unlisted[str(row.get("symbol"))] = None
            if spot:
                balance = await self.asker.must(
                    Kind.READ, self._exchange.fetch_balance, lane=lane, may_send=may_send
                )
                positions += codec.spot_positions(spot, balance)
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, error))
        return Ok(value=Positions(positions=tuple(positions), unlisted=tuple(unlisted), source=0))

    async def _balances(self, lane: Lane, may_send: MaySend) -> Outcome:
        balance = await self.asker.must(Kind.READ, self._exchange.fetch_balance, lane=lane, may_send=may_send)
        try:
            return Ok(value=Balances(balances=codec.balance_reports(balance)))
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, error))

    async def _trades(self, request: QueryTrades, lane: Lane, may_send: MaySend) -> Outcome:
        since_ms = max(0, request.since_venue_ns // NS_PER_MS) or None
        found: dict[str, TradeReport] = {}
        complete = False
        for _ in range(_TRADES_PAGES_MAX):
            rows = await self.asker.must(
                Kind.READ,
                partial(self._exchange.fetch_my_trades, request.instrument, since_ms, _TRADES_LIMIT),
                lane=lane,
                may_send=may_send,
            )
            try:
                fresh = [codec.trade_report(self.book, row, self.client_ids) for row in rows]
            except Unreadable as error:
                return _outcome(self.asker.unreadable(Kind.READ, error))
            known = len(found)
            found |= {trade.trade_id: trade for trade in fresh}
            last_ms = max((trade.venue_ns for trade in fresh), default=0) // NS_PER_MS
            # The venue's own page may be smaller than what we asked for: only a page without news is the end.
            if len(found) == known:
                complete = True
                break
            since_ms = last_ms
        trades = sorted(found.values(), key=lambda trade: trade.venue_ns)
        return Ok(value=Trades(instrument=request.instrument, trades=tuple(trades), complete=complete))

    async def _cash(self, request: QueryCash, lane: Lane, may_send: MaySend) -> Outcome:
        if not self._has("fetchLedger"):
            return Ok(value=CashEntries(entries=(), complete=False))
        since_ms = max(0, request.since_venue_ns // NS_PER_MS) or None
        rows = await self.asker.must(
            Kind.READ,
            lambda: self._exchange.fetch_ledger(None, since_ms, _LEDGER_LIMIT),
            lane=lane,
            may_send=may_send,
        )
        try:
            entries = sorted((codec.cash_report(row) for row in rows), key=lambda entry: entry.venue_ns)
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, error))
        return Ok(value=CashEntries(entries=tuple(entries), complete=len(rows) < _LEDGER_LIMIT))

    async def _specs(self, lane: Lane, may_send: MaySend) -> Outcome:
        markets = await self.asker.must(Kind.READ, self._exchange.fetch_markets, lane=lane, may_send=may_send)
        try:
            return Ok(value=Specs(specs=codec.specs_again(markets, self.book, self._exchange.precisionMode)))
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, error))

    async def _volumes(self, request: QueryVolumes, lane: Lane, may_send: MaySend) -> Outcome:
        if not self._has("fetchTicker"):
            return Fatal(why=f"{self._exchange.id} tells no volume of the last 24 hours", code="LOCAL")
        found: list[tuple[str, int]] = []
        for instrument in request.instruments:
            ticker = await self.asker.must(
                Kind.READ,
                lambda instrument=instrument: self._exchange.fetch_ticker(instrument),  # type: ignore[misc]
                lane=lane,
                may_send=may_send,
            )
            try:
                lots = codec.volume_lots(self.book, ticker, instrument)
            except Unreadable as error:
                return _outcome(self.asker.unreadable(Kind.READ, error))
            if lots is not None:
                found.append((instrument, lots))
        return Ok(value=Volumes(lots=tuple(found)))

    # --- settings and time ----------------------------------------------------------------------------------

    async def _leverage(self, request: SetLeverage, lane: Lane, may_send: MaySend) -> Outcome:
        if not self._has("setLeverage"):
            return Fatal(why=f"{self._exchange.id} has no leverage to set", code="LOCAL")
        await self.asker.must(
            Kind.CONFIG,
            lambda: self._exchange.set_leverage(request.leverage, request.instrument),
            lane=lane,
            may_send=may_send,
        )
        return Ok(value=Done())

    async def _deadman(self, request: ArmDeadman, lane: Lane, may_send: MaySend) -> Outcome:
        if not self._has("cancelAllOrdersAfter"):
            return Fatal(why=f"{self._exchange.id} has no dead-man", code="LOCAL")
        await self.asker.must(
            Kind.CONFIG,
            lambda: self._exchange.cancel_all_orders_after(request.countdown_ms),
            lane=lane,
            may_send=may_send,
        )
        return Ok(value=Done(detail="for the whole account"))

    async def measure_clock(self, lane: Lane = Lane.READ, may_send: MaySend = always) -> Outcome:
        """Measure the venue's clock; by the HTTP Date header where there is no better word."""
        sent_ns = self._clock.mono_ns()
        if self._has("fetchTime"):
            told = await self.asker.ask(Kind.READ, self._exchange.fetch_time, lane=lane, may_send=may_send)
            if isinstance(told, _FAILURES):
                return _outcome(told)
            venue_ns = int(told) * NS_PER_MS + NS_PER_MS // 2
        else:
            symbol = next(iter(self.book.grids))
            told = await self.asker.ask(
                Kind.READ, lambda: self._exchange.fetch_ticker(symbol), lane=lane, may_send=may_send
            )
            if isinstance(told, _FAILURES):
                return _outcome(told)
            try:
                seconds = parsedate_to_datetime(self.asker.last_date).timestamp()
            except ValueError:
                return Fatal(why=f"{self._exchange.id} does not tell the time", code="LOCAL")
            venue_ns = int(seconds) * NS_PER_S + NS_PER_S // 2
        got_ns = self._clock.mono_ns()
        self._venue_clock.measured_at(venue_ns=venue_ns, sent_mono_ns=sent_ns, got_mono_ns=got_ns)
        return Ok(value=ClockReport(offset_ns=self._venue_clock.offset_ns(), rtt_ns=got_ns - sent_ns))

    def _remeasure(self) -> None:
        if self._remeasuring is None or self._remeasuring.done():
            self._remeasuring = asyncio.get_running_loop().create_task(self.measure_clock())


def _outcome(answer: Failure) -> Outcome:
    if isinstance(answer, Absent):
        return Unknown(why="the venue knows no such order", code="ABSENT", unlisted=True)
    return answer
