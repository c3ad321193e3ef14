"""The user stream: raw messages to events of the vocabulary. Nothing is dropped without being counted.

Fills and fees come from the venue's texts by exact decimal. TRADE_LITE is not turned into an event: it comes
early but without the fee, and a trade is booked once by its id; ORDER_TRADE_UPDATE follows with everything.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from holdfast.venues.binance import wire
from holdfast.venues.binance.codec import (
    STATUS,
    Book,
    Unreadable,
    cause_of,
    conditional_report,
    fee_e8,
    side_of,
)
from holdfast.vocab.events import CashHinted, Event, NoticeKind, OrderReported, TradeReported, VenueNotice
from holdfast.vocab.reports import OrderReport, TradeReport, VenueStatus
from holdfast.vocab.units import NS_PER_MS

_TRIGGERED_KEPT: Final = 4_096
_TYPES_COUNTED_MAX: Final = 256
_QUIET_REASONS: Final = frozenset({"ORDER"})


class UserReader:
    """Reads one account's user stream. ``counts``: messages by type, odd ones included; bounded."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._triggered: dict[
            str, str
        ] = {}  # the matching engine's order id → the conditional order's client id
        self.counts: Counter[str] = Counter()
        self.expired = False

    def read(self, raw: bytes, wall_ns: int, mono_ns: int) -> tuple[Event, ...]:
        """The events of one message; VenueNotice(UNREADABLE) for one that we cannot read."""
        try:
            outer = wire.envelope(raw)
            inner = bytes(outer.data) if outer.e is None and bytes(outer.data) else raw
            if outer.e is None and inner is raw:
                return self._other("reply" if outer.id is not None else "untyped", raw, wall_ns, mono_ns)
            return self._events(wire.user_message(inner), wall_ns, mono_ns)
        except msgspec.ValidationError as error:
            kind = _type_of(raw)
            if kind in _READ:
                return self._unreadable(f"{kind}: {error}", "", wall_ns, mono_ns)
            return self._other(kind, raw, wall_ns, mono_ns)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._unreadable("not a message", "", wall_ns, mono_ns)
        except Unreadable as error:
            return self._unreadable(str(error), "", wall_ns, mono_ns)

    def _events(self, message: wire.UserMessage, wall_ns: int, mono_ns: int) -> tuple[Event, ...]:
        self._count(type(message).__name__)
        match message:
            case wire.OrderTradeUpdate(order=news):
                return self._order(news, wall_ns, mono_ns)
            case wire.AlgoUpdate(time=time, order=algo):
                if algo.actual_id:
                    self._remember(algo.actual_id, algo.client_id)
                report = conditional_report(self._book, algo, venue_ms=time)
                return (OrderReported(wall_ns=wall_ns, mono_ns=mono_ns, report=report),)
            case wire.AccountUpdate(account=account):
                if account.reason in _QUIET_REASONS:
                    return ()
                assets = dict.fromkeys(balance.asset for balance in account.balances) or {"": None}
                return tuple(
                    CashHinted(wall_ns=wall_ns, mono_ns=mono_ns, kind=account.reason, asset=asset)
                    for asset in assets
                )
            case wire.AccountConfigUpdate(leverage=leverage, multi_assets=multi):
                if leverage is not None:
                    return self._notice(
                        NoticeKind.LEVERAGE_CHANGED,
                        leverage.symbol,
                        f"leverage is {leverage.leverage} now",
                        wall_ns,
                        mono_ns,
                    )
                on = multi is not None and multi.on
                return self._notice(
                    NoticeKind.POSITION_MODE_CHANGED,
                    "",
                    f"multi-assets {'on' if on else 'off'}",
                    wall_ns,
                    mono_ns,
                )
            case wire.MarginCall(positions=positions):
                symbols = ",".join(row.symbol for row in positions)[:160]
                first = positions[0].symbol if len(positions) == 1 else ""
                return self._notice(NoticeKind.MARGIN_CALL, first, symbols, wall_ns, mono_ns)
            case wire.TriggerReject(order=reject):
                text = f"{reject.order_id}: {reject.reason}"[:200]
                return self._notice(NoticeKind.TRIGGER_REJECTED, reject.symbol, text, wall_ns, mono_ns)
            case wire.TradeLite():
                return ()
            case wire.ListenKeyExpired():
                self.expired = True
                return ()

    def _order(self, news: wire.OrderNews, wall_ns: int, mono_ns: int) -> tuple[Event, ...]:
        book = self._book
        grid = book.grid(news.symbol)
        venue_order_id = str(news.order_id)
        order_id = book.order_id(news.client_id)
        if order_id is None and venue_order_id in self._triggered:
            order_id = book.order_id(self._triggered[venue_order_id])
        report = OrderReport(
            order_id=order_id,
            client_id=news.client_id,
            venue_order_id=venue_order_id,
            instrument=news.symbol,
            side=side_of(news.side),
            status=STATUS.get(news.status, VenueStatus.OTHER),
            qty_lots=grid.lots(news.qty),
            filled_lots=grid.lots(news.filled_qty),
            price_ticks=grid.ticks_or_none(news.price),
            reduce_only=news.reduce_only,
            conditional=False,
            venue_ns=news.time * NS_PER_MS,
            trigger_ticks=grid.ticks_or_none(news.stop_price),
            close_position=news.close_position,
        )
        if report.status is VenueStatus.OTHER:
            self._count(f"status {news.status}"[:64])
        last_lots = grid.lots(news.last_qty)
        # Liquidations and deleveraging come as CALCULATED; what makes an execution is a size and a trade id.
        if last_lots <= 0 or news.trade_id <= 0:
            return (OrderReported(wall_ns=wall_ns, mono_ns=mono_ns, report=report),)
        trade = TradeReport(
            trade_id=str(news.trade_id),
            order_id=order_id,
            client_id=news.client_id,
            venue_order_id=venue_order_id,
            instrument=news.symbol,
            side=report.side,
            qty_lots=last_lots,
            price_ticks=grid.ticks(news.last_price),
            fee_e8=fee_e8(news.fee) if news.fee else 0,
            fee_asset=news.fee_asset or grid.spec.settle_asset,
            maker=news.maker,
            venue_ns=news.time * NS_PER_MS,
            cause=cause_of(news.client_id),
        )
        return (TradeReported(wall_ns=wall_ns, mono_ns=mono_ns, trade=trade, report=report),)

    def _notice(
        self, kind: NoticeKind, instrument: str, text: str, wall_ns: int, mono_ns: int
    ) -> tuple[Event, ...]:
        return (VenueNotice(wall_ns=wall_ns, mono_ns=mono_ns, kind=kind, instrument=instrument, text=text),)

    def _unreadable(self, why: str, instrument: str, wall_ns: int, mono_ns: int) -> tuple[Event, ...]:
        self._count("unreadable")
        return self._notice(NoticeKind.UNREADABLE, instrument, why[:200], wall_ns, mono_ns)

    def _other(self, kind: str, raw: bytes, wall_ns: int, mono_ns: int) -> tuple[Event, ...]:
        self._count(f"other {kind}")
        if kind == "untyped":
            return self._unreadable("a message without a type", "", wall_ns, mono_ns)
        return ()

    def _count(self, name: str) -> None:
        if name in self.counts or len(self.counts) < _TYPES_COUNTED_MAX:
            self.counts[name] += 1
        else:
            self.counts["…"] += 1

    def _remember(self, actual_id: str, client_id: str) -> None:
        if len(self._triggered) >= _TRIGGERED_KEPT:
            del self._triggered[next(iter(self._triggered))]
        self._triggered[actual_id] = client_id


_READ: Final = frozenset(
    {
        "ORDER_TRADE_UPDATE",
        "ALGO_UPDATE",
        "ACCOUNT_UPDATE",
        "ACCOUNT_CONFIG_UPDATE",
        "MARGIN_CALL",
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
    }
)


def _type_of(raw: bytes) -> str:
    try:
        outer = wire.envelope(raw)
        if outer.e is None and bytes(outer.data):
            outer = wire.envelope(bytes(outer.data))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "untyped"
    return (outer.e or "untyped")[:64]
