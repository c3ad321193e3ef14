"""Lists that come in pages: our trades in one instrument, and the account's income."""

from __future__ import annotations

from typing import Final

from holdfast.ports.venue import MaySend
from holdfast.venues.binance import codec, wire
from holdfast.venues.binance.asking import Asker, Endpoint
from holdfast.venues.binance.codec import Book, Params, Unreadable
from holdfast.venues.binance.errors import Absent, AlreadySo, Failure, Kind
from holdfast.venues.binance.limits import (
    INCOME_LIMIT,
    INCOME_PAGES_MAX,
    TRADES_LIMIT,
    TRADES_PAGES_MAX,
    TRADES_REACH_MS,
    TRADES_SPAN_MS,
)
from holdfast.venues.transport.clock import VenueClock
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Outcome, Suppressed, Unknown
from holdfast.vocab.reports import CashEntries, CashReport, TradeReport, Trades
from holdfast.vocab.requests import QueryCash, QueryTrades
from holdfast.vocab.units import NS_PER_MS

TRADES: Final = Endpoint(name="fapiPrivateGetUserTrades", weight=5)
INCOME: Final = Endpoint(name="fapiPrivateGetIncome", weight=30)


async def trades_since(
    asker: Asker, book: Book, venue_clock: VenueClock, request: QueryTrades, lane: Lane, may_send: MaySend
) -> Outcome:
    """Our executions since a venue time, oldest first.

    By time until the first page that has any (the venue takes at most seven days at once), then by id, which
    has no such limit. ``complete`` is False when the bound on pages cut the list at its newer end, or when more
    was asked than the venue keeps.
    """
    now_ms = venue_clock.now_ms()
    since_ms = max(0, request.since_venue_ns // NS_PER_MS)
    start_ms = max(since_ms, now_ms - TRADES_REACH_MS)
    kept = start_ms == since_ms
    params: Params = {"symbol": request.instrument}
    found: dict[str, TradeReport] = {}
    after_id: int | None = None
    for _ in range(TRADES_PAGES_MAX):
        if after_id is None:
            end_ms = start_ms + TRADES_SPAN_MS - 1
            page = {**params, "startTime": str(start_ms)}
            if end_ms < now_ms:
                page["endTime"] = str(end_ms)
        else:
            page = {**params, "fromId": str(after_id)}
        page["limit"] = str(TRADES_LIMIT)
        answer = await asker.ask(TRADES, page, kind=Kind.READ, lane=lane, may_send=may_send)
        if not isinstance(answer, str):
            return _failed(answer)
        try:
            rows = codec.read(answer, list[wire.TradeRow])
            for row in rows:
                found[str(row.id)] = codec.trade_report(book, row)
        except Unreadable as error:
            return _failed(asker.unreadable(Kind.READ, str(error)))
        if len(rows) >= TRADES_LIMIT:
            after_id = max(row.id for row in rows) + 1
        elif after_id is None and "endTime" in page:
            if rows:
                after_id = max(row.id for row in rows) + 1
            else:
                start_ms = start_ms + TRADES_SPAN_MS
        else:
            return _trades(request.instrument, found, complete=kept)
    return _trades(request.instrument, found, complete=False)


def _trades(instrument: str, found: dict[str, TradeReport], *, complete: bool) -> Outcome:
    ordered = sorted(found.values(), key=lambda trade: (trade.venue_ns, int(trade.trade_id)))
    return Ok(value=Trades(instrument=instrument, trades=tuple(ordered), complete=complete))


async def cash_entries(asker: Asker, request: QueryCash, lane: Lane, may_send: MaySend) -> Outcome:
    """The income list since a venue time, oldest first, what trades derive (fees, realised P&L) included."""
    start_ms = max(0, request.since_venue_ns // NS_PER_MS)
    found: dict[tuple[str, str, str], CashReport] = {}
    complete = False
    for _ in range(INCOME_PAGES_MAX):
        params = {"startTime": str(start_ms), "limit": str(INCOME_LIMIT)}
        answer = await asker.ask(INCOME, params, kind=Kind.READ, lane=lane, may_send=may_send)
        if not isinstance(answer, str):
            return _failed(answer)
        try:
            rows = codec.read(answer, list[wire.IncomeRow])
            for row in rows:
                # A trade's two halves share one number: the trade id keeps them apart.
                found[f"{row.income_type}:{row.tran_id}", row.asset, str(row.trade_id)] = codec.cash_report(
                    row
                )
        except Unreadable as error:
            return _failed(asker.unreadable(Kind.READ, str(error)))
        last_ms = max((row.time for row in rows), default=start_ms)
        if len(rows) < INCOME_LIMIT:
            complete = True
            break
        if last_ms <= start_ms:
            break  # a whole page within one millisecond: there is no way past it by time
        start_ms = last_ms
    entries = sorted(found.values(), key=lambda entry: entry.venue_ns)
    return Ok(value=CashEntries(entries=tuple(entries), complete=complete))


def _failed(answer: Failure | Suppressed) -> Outcome:
    if isinstance(answer, Absent | AlreadySo):
        return Unknown(why="an answer that makes no sense for a list", code="ABSENT", unlisted=True)
    return answer
