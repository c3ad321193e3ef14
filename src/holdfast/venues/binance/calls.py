"""Every request of the port as questions to Binance, and the answers as outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar, assert_never

from holdfast.ports.clock import Clock
from holdfast.ports.venue import MaySend
from holdfast.venues.binance import codec, wire
from holdfast.venues.binance.asking import Answer, Asker, Endpoint, Windows
from holdfast.venues.binance.codec import Book, Params, Unreadable
from holdfast.venues.binance.errors import Absent, AlreadySo, Failure, Kind
from holdfast.venues.binance.histories import cash_entries, trades_since
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.clock import VenueClock
from holdfast.venues.transport.hop import always
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Fatal, Fault, Ok, Outcome, Suppressed, Transient, Unknown
from holdfast.vocab.reports import Balances, Done, NoSuchOrder, OrderReport, Orders, Specs, Volumes
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
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

PLACE: Final = Endpoint(name="fapiPrivatePostOrder", weight=0, orders=1)
PLACE_ALGO: Final = Endpoint(name="fapiPrivatePostAlgoOrder", weight=0, orders=1)
AMEND: Final = Endpoint(name="fapiPrivatePutOrder", weight=0, orders=1)
CANCEL: Final = Endpoint(name="fapiPrivateDeleteOrder")
CANCEL_ALGO: Final = Endpoint(name="fapiPrivateDeleteAlgoOrder")
CANCEL_ALL: Final = Endpoint(name="fapiPrivateDeleteAllOpenOrders")
CANCEL_ALL_ALGO: Final = Endpoint(name="fapiPrivateDeleteAlgoOpenOrders")
QUERY: Final = Endpoint(name="fapiPrivateGetOrder")
QUERY_ALGO: Final = Endpoint(name="fapiPrivateGetAlgoOrder")
OPEN: Final = Endpoint(name="fapiPrivateGetOpenOrders", weight=40)
OPEN_ALGO: Final = Endpoint(name="fapiPrivateGetOpenAlgoOrders", weight=40)
POSITION_RISK: Final = Endpoint(name="fapiPrivateV3GetPositionRisk", weight=5)
POSITION_RISK_V2: Final = Endpoint(name="fapiPrivateV2GetPositionRisk", weight=5)
ACCOUNT: Final = Endpoint(name="fapiPrivateV3GetAccount", weight=5)
ACCOUNT_CONFIG: Final = Endpoint(name="fapiPrivateGetAccountConfig", weight=5)
BALANCE: Final = Endpoint(name="fapiPrivateV3GetBalance", weight=5)
LEVERAGE: Final = Endpoint(name="fapiPrivatePostLeverage")
COUNTDOWN: Final = Endpoint(name="fapiPrivatePostCountdownCancelAll", weight=10)
TIME: Final = Endpoint(name="fapiPublicGetTime", signed=False)
EXCHANGE_INFO: Final = Endpoint(name="fapiPublicGetExchangeInfo", signed=False)
TICKER_24H: Final = Endpoint(name="fapiPublicGetTicker24hr", signed=False)
DUAL_SIDE: Final = Endpoint(name="fapiPrivateGetPositionSideDual", weight=30)
NEW_KEY: Final = Endpoint(name="fapiPrivatePostListenKey", signed=False)
KEEP_KEY: Final = Endpoint(name="fapiPrivatePutListenKey", signed=False)

_IDENTITY_AGE_NS: Final = 3_600 * NS_PER_S
_CANCELLED_ALL: Final = 200
_LISTEN_KEY_GONE: Final = "-1125"
T = TypeVar("T")


class Calls:
    """The port's requests for one account. ``book`` is set by load; until then only public questions work."""

    def __init__(
        self, *, exchange: Any, clock: Clock, venue_clock: VenueClock, budget: Budget, windows: Windows
    ) -> None:
        self.asker = Asker(exchange=exchange, budget=budget, windows=windows)
        self.asker.on_failure = self._failed
        self._clock = clock
        self._venue_clock = venue_clock
        self._remeasuring: asyncio.Task[object] | None = None
        self._identity: tuple[int, str, bool | None] | None = None
        self.book = Book(account_tag=0, grids={})
        self.specs: tuple[InstrumentSpec, ...] = ()
        self.on_accepted: Callable[[int], None] | None = None

    async def close(self) -> None:
        """End what runs in the background."""
        if self._remeasuring is not None:
            self._remeasuring.cancel()
            await asyncio.gather(self._remeasuring, return_exceptions=True)

    async def call(self, request: Request, lane: Lane, may_send: MaySend) -> Outcome:
        """One request of the port."""
        try:
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
                    return await self._query(request, lane, may_send)
                case QueryOpenOrders():
                    return await self._open_orders(lane, may_send)
                case QueryPositions():
                    return await self._positions(request, lane, may_send)
                case QueryBalances():
                    return await self._balances(lane, may_send)
                case QueryTrades():
                    return await trades_since(
                        self.asker, self.book, self._venue_clock, request, lane, may_send
                    )
                case QueryCash():
                    return await cash_entries(self.asker, request, lane, may_send)
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
        except Unreadable as error:
            # Only what we were asked can fail to be written down before anything was sent.
            return Fatal(why=str(error), code="LOCAL")

    # --- orders -------------------------------------------------------------------------------------------

    async def _place(self, request: PlaceOrder, lane: Lane, may_send: MaySend) -> Outcome:
        params = codec.place_params(self.book, request)
        asked_mono_ns = self._clock.mono_ns()
        conditional = codec.is_conditional(request.terms)
        answer = await self.asker.ask(
            PLACE_ALGO if conditional else PLACE,
            params,
            kind=Kind.PLACE,
            lane=lane,
            may_send=may_send,
            order_id=request.order_id,
        )
        outcome = self._order_outcome(answer, Kind.PLACE, conditional=conditional, order_id=request.order_id)
        if self.on_accepted is not None and isinstance(outcome, Ok):
            self.on_accepted(asked_mono_ns)
        return outcome

    async def _amend(self, request: AmendOrder, lane: Lane, may_send: MaySend) -> Outcome:
        params = codec.amend_params(self.book, request)
        answer = await self.asker.ask(
            AMEND, params, kind=Kind.AMEND, lane=lane, may_send=may_send, order_id=request.order_id
        )
        return self._order_outcome(answer, Kind.AMEND, conditional=False, order_id=request.order_id)

    async def _cancel(self, request: CancelOrder, lane: Lane, may_send: MaySend) -> Outcome:
        params = codec.cancel_params(self.book, request)
        endpoint = CANCEL_ALGO if request.conditional else CANCEL
        answer = await self.asker.ask(endpoint, params, kind=Kind.CANCEL, lane=lane, may_send=may_send)
        if isinstance(answer, Absent):
            return Ok(value=NoSuchOrder(client_id=self._client_id(request.order_id)))
        if request.conditional and isinstance(answer, str) and '"algoStatus"' not in answer:
            # The algo endpoint may answer with a bare success: the order itself says what became of it.
            answer = await self.asker.ask(QUERY_ALGO, params, kind=Kind.CANCEL, lane=lane, may_send=may_send)
        return self._order_outcome(
            answer, Kind.CANCEL, conditional=request.conditional, order_id=request.order_id
        )

    async def _cancel_all(self, request: CancelAll, lane: Lane, may_send: MaySend) -> Outcome:
        endpoint = CANCEL_ALL_ALGO if request.conditional else CANCEL_ALL
        answer = await self.asker.ask(
            endpoint, {"symbol": request.instrument}, kind=Kind.CANCEL, lane=lane, may_send=may_send
        )
        if isinstance(answer, Absent):
            return Ok(value=Done(detail="nothing to cancel"))
        return self._done(answer, Kind.CANCEL, lambda said: codec.code_of(said) == _CANCELLED_ALL)

    async def _query(self, request: QueryOrder, lane: Lane, may_send: MaySend) -> Outcome:
        client_id = self._client_id(request.order_id)
        endpoint = QUERY_ALGO if request.conditional else QUERY
        params: Params = (
            {"clientAlgoId": client_id}
            if request.conditional
            else {"symbol": request.instrument, "origClientOrderId": client_id}
        )
        answer = await self.asker.ask(endpoint, params, kind=Kind.QUERY, lane=lane, may_send=may_send)
        if isinstance(answer, Absent):
            return Ok(value=NoSuchOrder(client_id=client_id))
        return self._order_outcome(
            answer, Kind.QUERY, conditional=request.conditional, order_id=request.order_id
        )

    def _order_outcome(
        self, answer: Answer, kind: Kind, *, conditional: bool, order_id: int | None
    ) -> Outcome:
        if not isinstance(answer, str):
            return _outcome(answer)
        try:
            report: OrderReport
            if conditional:
                report = codec.algo_report(self.book, codec.read(answer, wire.AlgoReply))
            else:
                report = codec.order_report(self.book, codec.read(answer, wire.OrderReply))
        except Unreadable as error:
            return _outcome(self.asker.unreadable(kind, str(error)))
        if order_id is not None and report.order_id != order_id:
            return _outcome(
                self.asker.unreadable(kind, f"the answer is about another order: {report.client_id[:40]}")
            )
        return Ok(value=report)

    def _client_id(self, order_id: int | None) -> str:
        return "" if order_id is None else self.book.client_id(order_id)

    # --- truths -------------------------------------------------------------------------------------------

    async def _open_orders(self, lane: Lane, may_send: MaySend) -> Outcome:
        plain, algo = await asyncio.gather(
            self.asker.ask(OPEN, {}, kind=Kind.READ, lane=lane, may_send=may_send),
            self.asker.ask(OPEN_ALGO, {}, kind=Kind.READ, lane=lane, may_send=may_send),
        )
        if not isinstance(plain, str):
            return _outcome(plain)
        if not isinstance(algo, str):
            return _outcome(algo)
        grids = self.book.grids
        try:
            rows = codec.read(plain, list[wire.OrderReply])
            algos = codec.read(algo, list[wire.AlgoReply])
            symbols = [*(row.symbol for row in rows), *(row.symbol for row in algos)]
            unlisted = dict.fromkeys(symbol for symbol in symbols if symbol not in grids)
            reports = [codec.order_report(self.book, row) for row in rows if row.symbol in grids]
            reports += [codec.algo_report(self.book, row) for row in algos if row.symbol in grids]
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, str(error)))
        return Ok(value=Orders(orders=tuple(reports), unlisted=tuple(unlisted)))

    async def _positions(self, request: QueryPositions, lane: Lane, may_send: MaySend) -> Outcome:
        if request.source == 1:
            account = await self._record(ACCOUNT, wire.AccountReply, lane, may_send)
            if not isinstance(account, wire.AccountReply):
                return _outcome(account)
            rows = account.positions
        elif request.source in (0, 2):
            endpoint = POSITION_RISK if request.source == 0 else POSITION_RISK_V2
            listed = await self._record(endpoint, list[wire.PositionRow], lane, may_send)
            if not isinstance(listed, list):
                return _outcome(listed)
            rows = listed
        else:
            return Fatal(why=f"no position source {request.source}", code="LOCAL")
        try:
            return Ok(value=codec.positions_report(self.book, rows, source=request.source))
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, str(error)))

    async def _balances(self, lane: Lane, may_send: MaySend) -> Outcome:
        account = await self._record(ACCOUNT, wire.AccountReply, lane, may_send)
        if not isinstance(account, wire.AccountReply):
            return _outcome(account)
        uid, can_withdraw = await self._who(lane, may_send)
        try:
            balances = codec.balance_reports(account.assets)
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, str(error)))
        return Ok(value=Balances(balances=balances, account_uid=uid, can_withdraw=can_withdraw))

    async def _who(self, lane: Lane, may_send: MaySend) -> tuple[str, bool | None]:
        """The account's name and whether the key may withdraw; asked hourly, empty where the venue is silent."""
        now_ns = self._clock.mono_ns()
        if self._identity is not None and now_ns - self._identity[0] < _IDENTITY_AGE_NS:
            return self._identity[1], self._identity[2]
        config = await self._record(ACCOUNT_CONFIG, wire.AccountConfig, lane, may_send)
        named = await self._record(BALANCE, list[wire.BalanceRow], lane, may_send)
        uid = named[0].account_alias if isinstance(named, list) and named else ""
        can_withdraw = config.can_withdraw if isinstance(config, wire.AccountConfig) else None
        if uid and can_withdraw is not None:
            self._identity = (now_ns, uid, can_withdraw)
        return uid, can_withdraw

    async def _specs(self, lane: Lane, may_send: MaySend) -> Outcome:
        info = await self._record(EXCHANGE_INFO, wire.ExchangeInfo, lane, may_send)
        if not isinstance(info, wire.ExchangeInfo):
            return _outcome(info)
        try:
            return Ok(value=Specs(specs=codec.specs_again(info, self.specs)))
        except Unreadable as error:
            return _outcome(self.asker.unreadable(Kind.READ, str(error)))

    async def _volumes(self, request: QueryVolumes, lane: Lane, may_send: MaySend) -> Outcome:
        """Each instrument by itself: all at once would weigh forty times one, and be read for the few of ours."""
        found: list[tuple[str, int]] = []
        for instrument in request.instruments:
            answer = await self.asker.ask(
                TICKER_24H, {"symbol": instrument}, kind=Kind.READ, lane=lane, may_send=may_send
            )
            if not isinstance(answer, str):
                return _outcome(answer)
            try:
                found.append(codec.volume_of(self.book, codec.read(answer, wire.Ticker24h), instrument))
            except Unreadable as error:
                return _outcome(self.asker.unreadable(Kind.READ, str(error)))
        return Ok(value=Volumes(lots=tuple(found)))

    async def _record(
        self, endpoint: Endpoint, kind: type[T], lane: Lane, may_send: MaySend
    ) -> T | Failure | Suppressed:
        answer = await self.asker.ask(endpoint, {}, kind=Kind.READ, lane=lane, may_send=may_send)
        if not isinstance(answer, str):
            return answer
        try:
            return codec.read(answer, kind)
        except Unreadable as error:
            return self.asker.unreadable(Kind.READ, str(error))

    # --- settings -----------------------------------------------------------------------------------------

    async def _leverage(self, request: SetLeverage, lane: Lane, may_send: MaySend) -> Outcome:
        params = {"symbol": request.instrument, "leverage": str(request.leverage)}
        answer = await self.asker.ask(LEVERAGE, params, kind=Kind.CONFIG, lane=lane, may_send=may_send)
        return self._done(answer, Kind.CONFIG, lambda said: said.leverage == request.leverage)

    async def _deadman(self, request: ArmDeadman, lane: Lane, may_send: MaySend) -> Outcome:
        params = {"symbol": request.instrument, "countdownTime": str(request.countdown_ms)}
        answer = await self.asker.ask(COUNTDOWN, params, kind=Kind.CONFIG, lane=lane, may_send=may_send)
        return self._done(
            answer, Kind.CONFIG, lambda said: str(said.countdown_time) == str(request.countdown_ms)
        )

    def _done(self, answer: Answer, kind: Kind, says_so: Callable[[wire.Word], bool]) -> Outcome:
        """Done when the venue repeats what was asked: any other friendly object proves nothing."""
        if not isinstance(answer, str):
            return _outcome(answer)
        word = codec.word_of(answer)
        if word is None or not says_so(word):
            return _outcome(self.asker.unreadable(kind, "a success that does not say what was done"))
        return Ok(value=Done())

    # --- time ---------------------------------------------------------------------------------------------

    async def measure_clock(self, lane: Lane = Lane.READ, may_send: MaySend = always) -> Outcome:
        """Measure the venue's clock, and sign by it from now on."""
        sent_ns = self._clock.mono_ns()
        reply = await self._record(TIME, wire.TimeReply, lane, may_send)
        got_ns = self._clock.mono_ns()
        if not isinstance(reply, wire.TimeReply):
            return _outcome(reply)
        # The venue cuts its time to the millisecond: its moment lies half of one further on average.
        venue_ns = reply.server_time * NS_PER_MS + NS_PER_MS // 2
        self._venue_clock.measured_at(venue_ns=venue_ns, sent_mono_ns=sent_ns, got_mono_ns=got_ns)
        return Ok(value=ClockReport(offset_ns=self._venue_clock.offset_ns(), rtt_ns=got_ns - sent_ns))

    def _failed(self, failure: Failure) -> None:
        # A wrong clock fails everything, the way out included: correct it before anybody asks again.
        if isinstance(failure, Transient) and failure.fault is Fault.CLOCK and self._idle():
            self._remeasuring = asyncio.get_running_loop().create_task(self.measure_clock())

    def _idle(self) -> bool:
        return self._remeasuring is None or self._remeasuring.done()

    # --- the listen key -----------------------------------------------------------------------------------

    async def listen_key(self) -> str | None:
        """A listen key, None when the venue gave none."""
        reply = await self._record(NEW_KEY, wire.ListenKeyReply, Lane.READ, always)
        return reply.listen_key or None if isinstance(reply, wire.ListenKeyReply) else None

    async def renew_listen_key(self) -> bool | None:
        """True: renewed. False: the key is gone. None: no word."""
        answer = await self.asker.ask(KEEP_KEY, {}, kind=Kind.READ, lane=Lane.READ, may_send=always)
        if isinstance(answer, str):
            return True
        return False if getattr(answer, "code", "") == _LISTEN_KEY_GONE else None


def _outcome(answer: Failure | Suppressed) -> Outcome:
    """What is left when no kind of question gives Absent or AlreadySo a meaning of its own."""
    match answer:
        case AlreadySo():
            return Ok(value=Done(detail="already so"))
        case Absent():
            return Unknown(why="the venue knows no such order", code="ABSENT", unlisted=True)
        case _:
            return answer
