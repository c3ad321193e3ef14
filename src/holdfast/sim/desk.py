"""Requests of the vocabulary put to the exchange for one account: what a venue adapter does, without a wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.sim.answers import (
    Kind,
    algo_report,
    cash_report,
    is_conditional,
    listed_trade,
    new_order,
    order_report,
    outcome_of,
)
from holdfast.sim.exchange import Exchange
from holdfast.sim.model import Account, Refused
from holdfast.sim.queries import CASH_KINDS
from holdfast.vocab.ids import client_id_text
from holdfast.vocab.outcome import Fatal, Ok, Outcome
from holdfast.vocab.reports import (
    BalanceReport,
    Balances,
    CashEntries,
    Done,
    OrderReport,
    Orders,
    PositionReport,
    Positions,
    Report,
    Specs,
    Trades,
    Volumes,
)
from holdfast.vocab.requests import (
    AmendOrder,
    ArmDeadman,
    CancelAll,
    CancelOrder,
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
    Request,
    SetLeverage,
)

POSITION_SOURCES: Final = 3
ROWS_MAX: Final = 50_000  # executions or cash entries in one answer; more makes it incomplete

_KINDS: Final[dict[type, Kind]] = {
    PlaceOrder: Kind.PLACE,
    AmendOrder: Kind.AMEND,
    CancelOrder: Kind.CANCEL,
    CancelAll: Kind.CANCEL,
    QueryOrder: Kind.QUERY,
    SetLeverage: Kind.CONFIG,
    ArmDeadman: Kind.CONFIG,
}


class Desk:
    """Answers every request but MeasureClock: the desk has no clock."""

    def __init__(self, exchange: Exchange, account: Account, *, account_tag: int) -> None:
        self._exchange = exchange
        self._account = account
        self._tag = account_tag
        self._does: dict[type, Callable[..., Report]] = {
            PlaceOrder: self._place,
            AmendOrder: self._amend,
            CancelOrder: self._cancel,
            CancelAll: self._cancel_all,
            QueryOrder: self._query_order,
            QueryOpenOrders: self._open_orders,
            QueryPositions: self._positions,
            QueryBalances: self._balances,
            QueryTrades: self._trades,
            QueryCash: self._cash,
            QuerySpecs: self._specs,
            QueryVolumes: self._volumes,
            QueryDepth: self._depth,
            SetLeverage: self._leverage,
            ArmDeadman: self._deadman,
        }

    def do(self, request: Request, now_ns: int) -> Outcome:
        """Ask the exchange, at this time of the venue's clock."""
        try:
            return Ok(value=self._does[type(request)](request, now_ns))
        except Refused as refusal:
            kind = _KINDS.get(type(request), Kind.READ)
            return outcome_of(refusal, kind, client_id=self._client_id_of(request))
        except _Senseless as senseless:
            return Fatal(why=str(senseless))

    def _client_id(self, order_id: int) -> str:
        return client_id_text(account_tag=self._tag, order_id=order_id)

    def _client_id_of(self, request: Request) -> str:
        if isinstance(request, CancelOrder | QueryOrder) and request.order_id is not None:
            return self._client_id(request.order_id)
        return ""

    def _place(self, request: PlaceOrder, now_ns: int) -> OrderReport:
        new = new_order(request.terms, self._client_id(request.order_id))
        if isinstance(new, str):
            raise _Senseless(new)
        if is_conditional(request.terms):
            return algo_report(self._exchange.place_algo(self._account, new, now_ns), self._tag)
        return order_report(self._exchange.place(self._account, new, now_ns), self._tag)

    def _amend(self, request: AmendOrder, now_ns: int) -> OrderReport:
        order = self._exchange.amend(
            self._account,
            request.instrument,
            client_id=self._client_id(request.order_id),
            side=request.side,
            qty_lots=request.qty_lots,
            price_ticks=request.price_ticks,
            now_ns=now_ns,
        )
        return order_report(order, self._tag)

    def _cancel(self, request: CancelOrder, now_ns: int) -> OrderReport:
        exchange, account, tag = self._exchange, self._account, self._tag
        client_id = None if request.order_id is None else self._client_id(request.order_id)
        venue_id = None if client_id else _venue_id(request.venue_order_id)
        if request.conditional:
            algo = exchange.cancel_algo(account, algo_id=venue_id, client_algo_id=client_id, now_ns=now_ns)
            return algo_report(algo, tag)
        order = exchange.cancel(
            account, request.instrument, order_id=venue_id, client_id=client_id, now_ns=now_ns
        )
        return order_report(order, tag)

    def _cancel_all(self, request: CancelAll, now_ns: int) -> Done:
        if request.conditional:
            self._exchange.cancel_all_algo(self._account, request.instrument, now_ns)
        else:
            self._exchange.cancel_all(self._account, request.instrument, now_ns)
        return Done()

    def _query_order(self, request: QueryOrder, now_ns: int) -> OrderReport:
        client_id = self._client_id(request.order_id)
        if request.conditional:
            algo = self._exchange.algo_order(
                self._account, client_algo_id=client_id, symbol=request.instrument
            )
            return algo_report(algo, self._tag)
        order = self._exchange.order(self._account, request.instrument, client_id=client_id)
        return order_report(order, self._tag)

    def _open_orders(self, request: QueryOpenOrders, now_ns: int) -> Orders:
        plain = (order_report(order, self._tag) for order in self._exchange.open_orders(self._account))
        algos = (algo_report(algo, self._tag) for algo in self._exchange.open_algo_orders(self._account))
        return Orders(orders=(*plain, *algos))

    def _positions(self, request: QueryPositions, now_ns: int) -> Positions:
        if not 0 <= request.source < POSITION_SOURCES:
            raise _Senseless(f"no source {request.source} of positions")
        net: dict[str, int] = {}
        told_ns: dict[str, int] = {}
        cost_e8: dict[str, int] = {}
        for position in self._exchange.positions(self._account):
            net[position.symbol] = net.get(position.symbol, 0) + position.position_lots
            cost_e8[position.symbol] = cost_e8.get(position.symbol, 0) + position.cost_e8
            told_ns[position.symbol] = max(told_ns.get(position.symbol, 0), position.updated_ns)
        return Positions(
            positions=tuple(
                PositionReport(
                    instrument=symbol,
                    position_lots=lots,
                    mark_ticks=self._exchange.mark_ticks(symbol),
                    venue_ns=told_ns[symbol],
                    cost_e8=cost_e8[symbol],
                )
                for symbol, lots in net.items()
                if lots
            ),
            source=request.source,
        )

    def _balances(self, request: QueryBalances, now_ns: int) -> Balances:
        return Balances(
            balances=tuple(
                BalanceReport(asset=asset, wallet_e8=wallet)
                for asset, wallet in self._account.balances.items()
            ),
            account_uid=self._account.uid,
            can_withdraw=self._account.can_withdraw,
        )

    def _trades(self, request: QueryTrades, now_ns: int) -> Trades:
        fills = self._exchange.trades(
            self._account, request.instrument, start_ns=request.since_venue_ns, limit=ROWS_MAX + 1
        )
        return Trades(
            instrument=request.instrument,
            trades=tuple(listed_trade(fill) for fill in fills[:ROWS_MAX]),
            complete=len(fills) <= ROWS_MAX,
        )

    def _cash(self, request: QueryCash, now_ns: int) -> CashEntries:
        entries = [
            cash_report(income)
            for kind in CASH_KINDS
            for income in self._exchange.incomes(
                self._account, kind=kind, start_ns=request.since_venue_ns, limit=ROWS_MAX + 1
            )
        ]
        entries.sort(key=lambda entry: entry.venue_ns)
        return CashEntries(entries=tuple(entries[:ROWS_MAX]), complete=len(entries) <= ROWS_MAX)

    def _specs(self, request: QuerySpecs, now_ns: int) -> Specs:
        return Specs(specs=tuple(self._exchange.specs.values()))

    def _volumes(self, request: QueryVolumes, now_ns: int) -> Volumes:
        return Volumes(
            lots=tuple(
                (name, self._exchange.volume_lots(name, now_ns))
                for name in request.instruments
                if name in self._exchange.specs
            )
        )

    def _depth(self, request: QueryDepth, now_ns: int) -> Report:
        """The source's changes carry its own numbers, and its snapshots come among them."""
        raise _Senseless(f"{request.instrument}: no snapshot but the source's own")

    def _leverage(self, request: SetLeverage, now_ns: int) -> Done:
        self._exchange.set_leverage(self._account, request.instrument, request.leverage, now_ns)
        return Done()

    def _deadman(self, request: ArmDeadman, now_ns: int) -> Done:
        self._exchange.countdown(self._account, request.instrument, request.countdown_ms, now_ns)
        return Done()


class _Senseless(Exception):
    """A request that could not be put to any venue: one line says why."""


def _venue_id(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise _Senseless(f"venue order id {text!r}")
    return int(text)
