"""Events and reports, as builders that show only what matters."""

from msgspec import structs

from holdfast.vocab.events import Command, OrderIntent, Started, TargetIntent, Verb
from holdfast.vocab.market import Mark, Quote, Trade
from holdfast.vocab.orders import OrderTerms, OrderType, Side, TimeInForce
from holdfast.vocab.reports import OrderReport, TradeReport, VenueStatus
from tests.house.setup import BTC, BTC_TICKS, ETH, ETH_TICKS, MONO_NS, WALL_NS, settings

MID = {BTC: BTC_TICKS, ETH: ETH_TICKS}


def a_start(**changes):
    """The process begins."""
    event = Started(
        wall_ns=WALL_NS,
        mono_ns=MONO_NS,
        settings=settings(),
        boot_id="boot-1",
        epoch_floor=1,
        build="test",
    )
    return structs.replace(event, **changes)


def a_quote(
    instrument=BTC, *, mid=None, spread=10, seq=1, lots=1_000, mono_ns=MONO_NS, wall_ns=WALL_NS, **changes
):
    """A quote round a mid price, stamped by the venue when it was received."""
    mid = MID[instrument] if mid is None else mid
    quote = Quote(
        instrument=instrument,
        seq=seq,
        bid_ticks=mid - spread // 2,
        bid_lots=lots,
        ask_ticks=mid + spread // 2,
        ask_lots=lots,
        venue_ns=wall_ns,
        wall_ns=wall_ns,
        mono_ns=mono_ns,
    )
    return structs.replace(quote, **changes)


def a_print(instrument=BTC, *, price=BTC_TICKS, seq=1, mono_ns=MONO_NS, wall_ns=WALL_NS, **changes):
    """A public trade."""
    trade = Trade(
        instrument=instrument,
        seq=seq,
        price_ticks=price,
        qty_lots=5,
        aggressor=1,
        market=True,
        venue_ns=wall_ns,
        wall_ns=wall_ns,
        mono_ns=mono_ns,
    )
    return structs.replace(trade, **changes)


def a_mark(instrument=BTC, *, price=BTC_TICKS, mono_ns=MONO_NS, wall_ns=WALL_NS, **changes):
    """A mark price."""
    mark = Mark(
        instrument=instrument,
        mark_ticks=price,
        funding_ppb=100_000,
        funding_venue_ns=wall_ns,
        venue_ns=wall_ns,
        wall_ns=wall_ns,
        mono_ns=mono_ns,
    )
    return structs.replace(mark, **changes)


def an_intent(**changes):
    """Alpha wants to buy 10 lots of BTC at 600,000."""
    intent = OrderIntent(
        wall_ns=WALL_NS,
        mono_ns=MONO_NS,
        strategy="alpha",
        intent_seq=1,
        instrument=BTC,
        side=Side.BUY,
        qty_lots=10,
        price_ticks=BTC_TICKS,
    )
    return structs.replace(intent, **changes)


def a_target(**changes):
    """Alpha wants to be long 10 lots of BTC."""
    intent = TargetIntent(
        wall_ns=WALL_NS, mono_ns=MONO_NS, strategy="alpha", intent_seq=1, instrument=BTC, target_lots=10
    )
    return structs.replace(intent, **changes)


def a_command(verb: Verb, **changes):
    """Ann says so, and why."""
    command = Command(wall_ns=WALL_NS, mono_ns=MONO_NS, command_id=1, verb=verb, by="ann", reason="because")
    return structs.replace(command, **changes)


def terms(**changes):
    """A plain resting order for 10 lots."""
    plain = OrderTerms(
        instrument=BTC,
        side=Side.BUY,
        qty_lots=10,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTC,
        price_ticks=BTC_TICKS,
    )
    return structs.replace(plain, **changes)


def an_order_report(order_id=None, **changes):
    """The venue says that an order rests."""
    report = OrderReport(
        order_id=order_id,
        client_id="" if order_id is None else f"hf{order_id}",
        venue_order_id="v1",
        instrument=BTC,
        side=Side.BUY,
        status=VenueStatus.NEW,
        qty_lots=10,
        filled_lots=0,
        price_ticks=BTC_TICKS,
        reduce_only=False,
        conditional=False,
        venue_ns=WALL_NS,
    )
    return structs.replace(report, **changes)


def a_trade_report(order_id=None, **changes):
    """The venue says that 10 lots were bought."""
    report = TradeReport(
        trade_id="t1",
        order_id=order_id,
        client_id="",
        venue_order_id="v1",
        instrument=BTC,
        side=Side.BUY,
        qty_lots=10,
        price_ticks=BTC_TICKS,
        fee_e8=0,
        fee_asset="USDT",
        maker=False,
        venue_ns=WALL_NS,
    )
    return structs.replace(report, **changes)
