"""A naive venue: lists, fractions and no cleverness. It answers when asked, or as a test told it to.

Not the product's simulator: an independent second opinion, so that the core's tests do not lean on code that
was written together with it.
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import ceil

from msgspec import structs

from holdfast.vocab.events import OrderReported, TradeBusted, TradeReported
from holdfast.vocab.orders import OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.outcome import Fatal, Ok, Unknown
from holdfast.vocab.reports import (
    BalanceReport,
    Balances,
    BustReport,
    CashEntries,
    CashReport,
    Clock,
    Done,
    FillCause,
    NoSuchOrder,
    OrderReport,
    Orders,
    PositionReport,
    Positions,
    Specs,
    TradeReport,
    Trades,
    VenueStatus,
    Volumes,
)
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
    MeasureClock,
    PlaceOrder,
    QueryBalances,
    QueryCash,
    QueryDepth,
    QueryOpenOrders,
    QueryOrder,
    QueryPositions,
    QuerySpecs,
    QueryTrades,
    QueryVolumes,
    SetLeverage,
)
from tests.house.naive import FractionPosition, floor_e8
from tests.house.setup import BTC, MONO_NS, OPENING_E8, WALL_NS, settings

OPEN = (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)
LOST = Unknown(why="no answer")


@dataclass
class VenueOrder:
    order_id: int | None
    venue_order_id: str
    terms: OrderTerms
    qty: int
    price: int | None
    filled: int = 0
    status: VenueStatus = VenueStatus.NEW
    triggered: bool = False

    @property
    def open(self):
        return self.status in OPEN


class NaiveVenue:
    """One account. ``now_wall_ns`` is kept by the driver; ``offset_ns`` is how far its clock is ahead of ours."""

    def __init__(self, specs=None, *, wallet_e8=OPENING_E8, fee_ppm=500):
        self.specs = {spec.instrument: spec for spec in specs or settings().instruments}
        self.wallet_e8 = Fraction(wallet_e8)
        self.fee_ppm = fee_ppm
        self.offset_ns = 0
        self.volumes = {}  # lots of 24 hours, of what it tells
        self.now_wall_ns = WALL_NS
        self.now_mono_ns = MONO_NS
        self.touch = {}
        self.positions = {name: FractionPosition(spec.tick_lot_e8) for name, spec in self.specs.items()}
        self.orders: list[VenueOrder] = []
        self.trades: list[TradeReport] = []
        self.cash: list[CashReport] = []
        self.stream: deque = deque()  # events for the bot's user stream, oldest first
        self.stream_deaf = False  # True: nothing more is put on the stream
        self.takes = None  # how many lots a crossing order takes at most; None: all
        self.sources = 2
        self.dead_sources = set()
        self.unlisted = ()
        self.tells_entry_prices = False
        self.uid = ""
        self.lists_name_orders_only_by_its_own_ids = (
            True  # as Binance's do: no client id in a list of executions
        )
        self.snapshots = {}  # instrument -> the Depth that a question for it gets
        self.deadman = {}
        self.page_max = None  # how many executions or cash entries one answer holds; None: all
        self.slow = {}  # kind of request -> how many ms longer its answer takes
        self.asked = []  # every request, in order
        self._script = defaultdict(deque)
        self._sticky = {}
        self._ids = count(1)

    # --- what a test tells it -------------------------------------------------------------------------------

    def will_answer(self, kind, outcome, *, times=1):
        """Answer the next requests of this kind so, and do nothing."""
        self._script[kind].extend([("instead", outcome)] * times)

    def will_lose_the_answer_to(self, kind, *, times=1):
        """Do it, but nobody hears of it from the reply."""
        self._script[kind].extend([("after", LOST)] * times)

    def will_lose(self, kind, *, times=1):
        """Neither do it nor say so."""
        self._script[kind].extend([("instead", LOST)] * times)

    def breaks(self, kind, outcome=LOST):
        """From now on every request of this kind gets this answer."""
        self._sticky[kind] = outcome

    def mends(self, kind):
        """And from now on it works again."""
        del self._sticky[kind]

    # --- questions --------------------------------------------------------------------------------------------

    def answer(self, request):
        self.asked.append(request)
        kind = type(request)
        if kind in self._sticky:
            return self._sticky[kind]
        if self._script[kind]:
            when, outcome = self._script[kind].popleft()
            if when == "after":
                _ANSWERS[kind](self, request)
            return outcome
        return _ANSWERS[kind](self, request)

    def asked_for(self, kind):
        """The requests of one kind so far."""
        return [request for request in self.asked if type(request) is kind]

    @property
    def venue_ns(self):
        return self.now_wall_ns + self.offset_ns

    def order(self, order_id):
        """The order of this id, or None."""
        return next((order for order in self.orders if order.order_id == order_id), None)

    def position(self, instrument=BTC):
        return self.positions[instrument].lots

    def open_orders(self):
        return [order for order in self.orders if order.open]

    # --- what happens there -----------------------------------------------------------------------------------

    def fills(self, order, *, lots=None, price=None, told=True):
        """Somebody trades with a resting order. ``order``: its id, or the order itself."""
        found = self.order(getattr(order, "order_id", order)) if not isinstance(order, VenueOrder) else order
        left = found.qty - found.filled
        lots = left if lots is None else lots
        if found.terms.reduce_only:
            lots = min(lots, max(0, -found.terms.side * self.position(found.terms.instrument)))
            if not lots:
                return self._end(found, VenueStatus.EXPIRED)
        found.filled += lots
        found.status = VenueStatus.FILLED if found.filled >= found.qty else VenueStatus.PARTIALLY_FILLED
        trade = self._trade(
            found.terms.instrument,
            found.terms.side,
            lots,
            found.price if price is None else price,
            order=found,
        )
        if told:
            self._tell(trade, self.report(found))
        return trade

    def trades_itself(self, side, lots, *, price, instrument=BTC, cause=FillCause.LIQUIDATION, told=True):
        """The venue (or a foreign hand) trades on our account."""
        trade = self._trade(instrument, side, lots, price, cause=cause)
        if told:
            self._tell(trade, None)
        return trade

    def takes_back(self, trade, *, told=True, why="a clear error"):
        """The venue takes an execution back: everything is as if it had not been; its order gets nothing back."""
        name = trade.instrument
        before_e8 = self.positions[name].realised_e8
        self.trades.remove(trade)
        again = self.positions[name] = FractionPosition(self.specs[name].tick_lot_e8)
        for one in self.trades:
            if one.instrument == name:
                again.trade(int(one.side), one.qty_lots, one.price_ticks)
        self.wallet_e8 += again.realised_e8 - before_e8 + trade.fee_e8
        if told and not self.stream_deaf:
            bust = BustReport(trade=trade, venue_ns=self.venue_ns, why=why)
            self.stream.append(TradeBusted(wall_ns=0, mono_ns=0, bust=bust))

    def gets_a_foreign_order(self, side=Side.BUY, lots=5, *, price, instrument=BTC, told=True):
        """Somebody places an order on our account that is not ours."""
        order = VenueOrder(
            order_id=None,
            venue_order_id=f"v{next(self._ids)}",
            terms=OrderTerms(
                instrument=instrument,
                side=side,
                qty_lots=lots,
                order_type=OrderType.LIMIT,
                tif=TimeInForce.GTC,
                price_ticks=price,
            ),
            qty=lots,
            price=price,
        )
        self.orders.append(order)
        if told:
            self._report(order)
        return order

    def cancels(self, order, *, told=True):
        """An order ends there, by whoever's wish."""
        found = self.order(getattr(order, "order_id", order)) if not isinstance(order, VenueOrder) else order
        found.status = VenueStatus.CANCELLED
        if told:
            self._report(found)

    def becomes_plain(self, order):
        """A conditional order is triggered: from now on it goes by another id."""
        order.triggered = True
        order.venue_order_id = f"v{next(self._ids)}"

    def pays(self, kind, amount_e8, *, instrument=""):
        """Cash moves other than by a trade."""
        self.wallet_e8 += amount_e8
        self.cash.append(
            CashReport(
                cash_id=f"c{next(self._ids)}",
                kind=kind,
                asset="USDT",
                amount_e8=amount_e8,
                instrument=instrument,
                venue_ns=self.venue_ns,
            )
        )

    def report(self, order):
        return OrderReport(
            order_id=order.order_id,
            client_id="" if order.order_id is None else f"hf{order.order_id}",
            venue_order_id=order.venue_order_id,
            instrument=order.terms.instrument,
            side=order.terms.side,
            status=order.status,
            qty_lots=order.qty,
            filled_lots=order.filled,
            price_ticks=order.price,
            reduce_only=order.terms.reduce_only,
            conditional=order.terms.trigger_ticks is not None and not order.triggered,
            venue_ns=self.venue_ns,
            trigger_ticks=order.terms.trigger_ticks,
        )

    # --- inside -------------------------------------------------------------------------------------------------

    def _trade(self, instrument, side, lots, price, *, order=None, cause=FillCause.ORDER):
        position = self.positions[instrument]
        before = position.realised_e8
        position.trade(int(side), lots, price)
        fee_e8 = -(-lots * price * position.unit * self.fee_ppm // 1_000_000)
        self.wallet_e8 += position.realised_e8 - before - fee_e8
        trade = TradeReport(
            trade_id=f"t{next(self._ids)}",
            order_id=None if order is None else order.order_id,
            client_id="",
            venue_order_id="" if order is None else order.venue_order_id,
            instrument=instrument,
            side=side,
            qty_lots=lots,
            price_ticks=price,
            fee_e8=fee_e8,
            fee_asset="USDT",
            maker=False,
            venue_ns=self.venue_ns,
            cause=cause,
        )
        self.trades.append(trade)
        return trade

    def _tell(self, trade, report):
        if not self.stream_deaf:
            self.stream.append(
                TradeReported(wall_ns=0, mono_ns=0, trade=trade, report=report)  # stamped on delivery
            )

    def _report(self, order):
        if not self.stream_deaf:
            self.stream.append(OrderReported(wall_ns=0, mono_ns=0, report=self.report(order)))

    def _end(self, order, status):
        order.status = status
        self._report(order)

    def _place(self, request: PlaceOrder):
        terms = request.terms
        if self.order(request.order_id) is not None:
            return Fatal(why="client order id is duplicated", code="-4116")
        held = self.position(terms.instrument)
        if terms.reduce_only and -terms.side * held <= 0:
            return Fatal(why="reduce-only order is rejected", code="-2022")
        order = VenueOrder(
            order_id=request.order_id,
            venue_order_id=f"v{next(self._ids)}",
            terms=terms,
            qty=terms.qty_lots,
            price=terms.price_ticks,
        )
        self.orders.append(order)
        self._report(order)
        if terms.trigger_ticks is not None:
            return Ok(value=self.report(order))
        bid, ask = self.touch.get(terms.instrument, (0, 0))
        far = ask if terms.side > 0 else bid
        price = terms.price_ticks
        crosses = bool(far) and (price is None or (price - far) * terms.side >= 0)
        if crosses and terms.tif is TimeInForce.POST_ONLY:
            self._end(order, VenueStatus.EXPIRED)
        elif crosses:
            lots = order.qty if self.takes is None else min(order.qty, self.takes)
            if lots:
                self.fills(order, lots=lots, price=far)
        if order.open and (terms.tif in (TimeInForce.IOC, TimeInForce.FOK) or price is None):
            self._end(order, VenueStatus.EXPIRED)
        return Ok(value=self.report(order))

    def _amend(self, request: AmendOrder):
        order = self.order(request.order_id)
        if order is None or not order.open:
            return Fatal(why="unknown order", code="-2013")
        if request.qty_lots <= order.filled:
            order.status = VenueStatus.CANCELLED
        else:
            order.qty = request.qty_lots
            order.price = request.price_ticks
        self._report(order)
        return Ok(value=self.report(order))

    def _cancel(self, request: CancelOrder):
        order = next(
            (
                order
                for order in self.orders
                if order.open
                and (order.order_id == request.order_id or order.venue_order_id == request.venue_order_id)
            ),
            None,
        )
        if order is None:
            return Ok(value=NoSuchOrder(client_id=f"hf{request.order_id}"))
        self._end(order, VenueStatus.CANCELLED)
        return Ok(value=self.report(order))

    def _cancel_all(self, request: CancelAll):
        for order in self.orders:
            conditional = order.terms.trigger_ticks is not None
            if (
                order.open
                and order.terms.instrument == request.instrument
                and conditional == request.conditional
            ):
                self._end(order, VenueStatus.CANCELLED)
        return Ok(value=Done())

    def _query(self, request: QueryOrder):
        order = self.order(request.order_id)
        return Ok(
            value=NoSuchOrder(client_id=f"hf{request.order_id}") if order is None else self.report(order)
        )

    def _open_orders(self, request: QueryOpenOrders):
        return Ok(value=Orders(orders=tuple(self.report(order) for order in self.orders if order.open)))

    def _positions(self, request: QueryPositions):
        if request.source >= self.sources:
            return Fatal(why="no such source", code="")
        if request.source in self.dead_sources:
            return Unknown(why="404 Not Found", code="404")
        return Ok(
            value=Positions(
                positions=tuple(
                    PositionReport(
                        instrument=name,
                        position_lots=position.lots,
                        mark_ticks=sum(self.touch.get(name, (0, 0))) // 2,
                        cost_e8=ceil(position.cost_e8) if self.tells_entry_prices else None,
                    )
                    for name, position in self.positions.items()
                    if position.lots
                ),
                unlisted=self.unlisted,
                source=request.source,
            )
        )

    def _balances(self, request: QueryBalances):
        balance = BalanceReport(asset="USDT", wallet_e8=floor_e8(self.wallet_e8))
        return Ok(value=Balances(balances=(balance,), account_uid=self.uid))

    def _trades(self, request: QueryTrades):
        since = request.since_venue_ns
        found = tuple(
            structs.replace(
                trade, order_id=None, client_id=""
            )  # the list names orders by the venue's id only
            for trade in self.trades
            if trade.instrument == request.instrument and trade.venue_ns >= since
        )
        page = found[: self.page_max]
        if self.lists_name_orders_only_by_its_own_ids:
            page = tuple(structs.replace(trade, order_id=None, client_id="") for trade in page)
        return Ok(value=Trades(instrument=request.instrument, trades=page, complete=len(page) == len(found)))

    def _cash(self, request: QueryCash):
        found = tuple(entry for entry in self.cash if entry.venue_ns >= request.since_venue_ns)
        page = found[: self.page_max]
        return Ok(value=CashEntries(entries=page, complete=len(page) == len(found)))

    def _specs(self, request: QuerySpecs):
        return Ok(value=Specs(specs=tuple(self.specs.values())))

    def _volumes(self, request: QueryVolumes):
        return Ok(value=Volumes(lots=tuple(self.volumes.items())))

    def _depth(self, request: QueryDepth):
        snapshot = self.snapshots.get(request.instrument)
        return Fatal(why="no books here") if snapshot is None else Ok(value=snapshot)

    def _deadman(self, request: ArmDeadman):
        self.deadman[request.instrument] = self.now_mono_ns + request.countdown_ms * 1_000_000
        return Ok(value=Done())

    def _clock(self, request: MeasureClock):
        return Ok(value=Clock(offset_ns=self.offset_ns, rtt_ns=1_000_000))

    def changes_facts(self, instrument=BTC, **changes):
        """The venue changes an instrument's facts."""
        self.specs[instrument] = structs.replace(self.specs[instrument], **changes)


_ANSWERS: dict = {
    PlaceOrder: NaiveVenue._place,
    AmendOrder: NaiveVenue._amend,
    CancelOrder: NaiveVenue._cancel,
    CancelAll: NaiveVenue._cancel_all,
    QueryOrder: NaiveVenue._query,
    QueryOpenOrders: NaiveVenue._open_orders,
    QueryPositions: NaiveVenue._positions,
    QueryBalances: NaiveVenue._balances,
    QueryTrades: NaiveVenue._trades,
    QueryCash: NaiveVenue._cash,
    QuerySpecs: NaiveVenue._specs,
    QueryVolumes: NaiveVenue._volumes,
    QueryDepth: NaiveVenue._depth,
    SetLeverage: lambda venue, request: Ok(value=Done()),
    ArmDeadman: NaiveVenue._deadman,
    MeasureClock: NaiveVenue._clock,
}
