"""What a new order must satisfy before anything of it takes effect. Each check raises Binance's refusal."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from holdfast.sim.book import Book
from holdfast.sim.codes import refused
from holdfast.sim.model import ALGO_TYPES, Account, NewOrder, closes
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.units import PPM, ceil_div, e8_text, text_of

CLIENT_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
TIFS: Final = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
LIMIT_TYPES: Final = frozenset({"LIMIT", "STOP", "TAKE_PROFIT"})
WORKING_TYPES: Final = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})


def check_account(account: Account, new: NewOrder) -> None:
    """May the account trade at all, and does the position side fit its mode."""
    if not account.can_trade:
        raise refused(-4088)
    if account.dual_side != (new.position_side in {"LONG", "SHORT"}):
        raise refused(-4061)
    if account.dual_side and new.reduce_only:
        raise refused(-1106)


def check_client_id(account: Account, symbol: str, client_id: str, *, now_ns: int, memory_ns: int) -> None:
    """A well-formed id that no open order has, nor one that ended a short while ago."""
    if not CLIENT_ID.fullmatch(client_id):
        raise refused(-4015)
    key = (symbol, client_id)
    order = account.orders.get(account.order_ids.get(key, 0))
    if order is not None and (order.is_open or now_ns - order.updated_ns < memory_ns):
        raise refused(-4116)
    algo = account.algo_orders.get(account.algo_ids.get(key, 0))
    if algo is not None and (algo.is_open or now_ns - algo.updated_ns < memory_ns):
        raise refused(-4116)


def check_instrument(book: Book) -> None:
    """The venue lets the instrument trade."""
    if book.spec.status is not InstrumentStatus.TRADING:
        raise refused(-1122)


def check_qty(book: Book, qty_lots: int, *, market: bool) -> None:
    """Lot filters."""
    if qty_lots <= 0:
        raise refused(-4003)
    if qty_lots < book.spec.qty_lots_min:
        raise refused(-4004)
    if qty_lots > (book.spec.market_lots_max if market else book.spec.qty_lots_max):
        raise refused(-4005)


def check_price(book: Book, price_ticks: int) -> None:
    """Price filter."""
    if price_ticks < 0:
        raise refused(-4001)
    if price_ticks < book.rules.price_ticks_min:
        raise refused(-4013)
    if price_ticks > book.rules.price_ticks_max:
        raise refused(-4002)


def check_percent_price(book: Book, side: int, price_ticks: int) -> None:
    """A buy not too far above the mark, a sell not too far below."""
    mark = book.reference_ticks
    if not mark:
        return
    tick = Decimal(book.spec.tick)
    if side > 0:
        cap = mark * book.rules.price_up_ppm // PPM
        if price_ticks > cap:
            raise refused(-4016, text_of(cap, tick))
    else:
        floor = ceil_div(mark * book.rules.price_down_ppm, PPM)
        if price_ticks < floor:
            raise refused(-4024, text_of(floor, tick))


def check_notional(book: Book, *, price_ticks: int, qty_lots: int) -> None:
    """Large enough in money; a market order is valued at the mark."""
    price = price_ticks or book.reference_ticks
    if price * qty_lots * book.spec.tick_lot_e8 < book.spec.notional_e8_min:
        raise refused(-4164, e8_text(book.spec.notional_e8_min))


def check_tif(new: NewOrder, *, now_ns: int, good_till_ns_min: int) -> None:
    """A time in force that exists; GTD ends far enough ahead."""
    if new.tif not in TIFS:
        raise refused(-1115)
    if new.tif == "GTD" and new.good_till_ns < now_ns + good_till_ns_min:
        raise refused(-5040)


def check_plain(book: Book, new: NewOrder, *, now_ns: int, good_till_ns_min: int) -> None:
    """All filters of a LIMIT or MARKET order."""
    if new.type in ALGO_TYPES:
        raise refused(-4120)
    if new.type not in {"LIMIT", "MARKET"}:
        raise refused(-1116)
    check_instrument(book)
    check_qty(book, new.qty_lots, market=new.type == "MARKET")
    if new.type == "LIMIT":
        check_tif(new, now_ns=now_ns, good_till_ns_min=good_till_ns_min)
        check_price(book, new.price_ticks)
        check_percent_price(book, new.side, new.price_ticks)
    if not (new.reduce_only or closes(new.side, new.position_side)):
        check_notional(book, price_ticks=new.price_ticks if new.type == "LIMIT" else 0, qty_lots=new.qty_lots)


def check_conditional(book: Book, new: NewOrder, *, now_ns: int, good_till_ns_min: int) -> None:
    """All filters of a conditional order; whether it would trigger at once is not judged here."""
    if new.type not in ALGO_TYPES:
        raise refused(-1116)
    check_instrument(book)
    if new.working_type not in WORKING_TYPES:
        raise refused(-4031, new.working_type)
    if new.close_position:
        if new.qty_lots:
            raise refused(-4137)
        if new.reduce_only:
            raise refused(-1106)
        if new.type not in {"STOP_MARKET", "TAKE_PROFIT_MARKET"}:
            raise refused(-1130)
    else:
        check_qty(book, new.qty_lots, market=new.type not in LIMIT_TYPES)
    if new.type == "TRAILING_STOP_MARKET":
        if not 1_000 <= new.callback_ppm <= 100_000:
            raise refused(-1130)
        if new.activation_ticks < 0:
            raise refused(-4135)
    elif new.trigger_ticks <= 0:
        raise refused(-4006)
    elif new.trigger_ticks > book.rules.price_ticks_max:
        raise refused(-4007)
    price = new.trigger_ticks
    if new.type in LIMIT_TYPES:
        check_tif(new, now_ns=now_ns, good_till_ns_min=good_till_ns_min)
        check_price(book, new.price_ticks)
        price = new.price_ticks
    if not (new.close_position or new.reduce_only or closes(new.side, new.position_side)):
        check_notional(book, price_ticks=price, qty_lots=new.qty_lots)
