"""A short day: every kind of order, doubt, a fill, an amend, a cancel, a halt, a resume, a flatten, a clean end."""

from holdfast.guard.latch import latch_path, trip_path
from holdfast.strategy import Strategy
from holdfast.vocab.facts import FlattenEnded
from holdfast.vocab.holds import HoldCause, HoldLevel
from holdfast.vocab.orders import OrderType
from holdfast.vocab.requests import PlaceOrder
from tests.crashpoints.machine import KEY, Life, Machine
from tests.house.setup import BTC, ETH
from tests.house.venue import LOST, NaiveVenue

SILENT_PLACE, LOST_PLACE = 3, 4


class Day(Strategy):
    """Wants one thing after the other, as soon as it may trade."""

    def __init__(self):
        self.done = 0

    def save(self):
        return b"%d" % self.done

    def on_quote(self, ctx, quote):
        if quote.instrument != BTC or ctx.level(BTC) >= HoldLevel.REDUCE_ONLY or self.done >= len(WANTS):
            return None
        self.done += 1
        return WANTS[self.done - 1](ctx, quote)


WANTS = (
    lambda ctx, quote: ctx.buy(BTC, qty_lots=10, price_ticks=quote.bid_ticks - 3_000),  # rests
    lambda ctx, quote: ctx.buy(BTC, qty_lots=20, price_ticks=quote.ask_ticks + 500),  # is filled at once
    lambda ctx, quote: ctx.buy(BTC, qty_lots=7, price_ticks=quote.bid_ticks - 2_000),  # its answer is lost
    lambda ctx, quote: ctx.buy(ETH, qty_lots=60, price_ticks=ctx.quote(ETH).bid_ticks - 90),  # is lost itself
    lambda ctx, quote: ctx.amend(
        BTC, ctx.orders(BTC)[0].order_id, qty_lots=12, price_ticks=quote.bid_ticks - 2_500
    ),
    lambda ctx, quote: ctx.cancel(BTC, ctx.orders(BTC)[0].order_id),
    lambda ctx, quote: ctx.basket(  # both rest
        [
            ctx.buy(BTC, qty_lots=6, price_ticks=quote.bid_ticks - 4_000),
            ctx.sell(ETH, qty_lots=70, price_ticks=ctx.quote(ETH).ask_ticks + 900),
        ]
    ),
    lambda ctx, quote: ctx.sell(BTC, qty_lots=5, price_ticks=quote.bid_ticks - 500),  # takes a part back
    lambda ctx, quote: ctx.sell(
        BTC,
        qty_lots=15,
        reduce_only=True,
        order_type=OrderType.STOP_MARKET,
        trigger_ticks=quote.bid_ticks - 3_000,
    ),
)


class DayVenue(NaiveVenue):
    """Takes the third order and does not say so; never sees the fourth."""

    places = 0

    def answer(self, request):
        if type(request) is PlaceOrder:
            self.places += 1
            if self.places == LOST_PLACE:
                self.asked.append(request)
                return LOST
            if self.places == SILENT_PLACE:
                super().answer(request)
                self.stream.clear()
                return LOST
        return super().answer(request)


def _venue_fills_some(life):
    venue = life.machine.venue
    order = next((one for one in venue.open_orders() if one.qty == 7), None)
    if order is not None:
        venue.fills(order, lots=3)
        life.machine.frozen_venue = None
        life.act("the venue fills")
        life.port._hear()


def _halts(life):
    life.machine.halting = True
    trip_path(latch_path(str(life.machine.guard), KEY), by="ann", reason="halt")


async def _resumes(life):
    hold = life.state.books.holds.find(HoldCause.HALT)
    if hold is not None:
        answer = await life.says("resume", hold_id=hold.hold_id)
        life.machine.halting = life.machine.halting and not answer.accepted


async def _arms(life):
    life.armed = (await life.says("arm")).accepted


async def _flattens(life):
    await life.says("flatten", protective=True)


DAY = (
    (0.4, _arms),
    (1.5, _venue_fills_some),
    (1.9, lambda life: life.snapshot()),
    (2.6, _halts),
    (3.1, _resumes),
    (3.4, lambda life: life.snapshot()),
    (3.5, _flattens),
    (6.5, lambda life: life.live.stop(by="ann", reason="the day is over")),
)


def the_day(*, on_left=None, files=None, seconds=20, **faults):
    """Live through the day; returns the life. ``files``: a disk with faults of its own."""
    machine = Machine(venue=DayVenue)
    if files is not None:
        machine.files = files
    life = Life(machine, strategy=Day(), on_left=on_left, script=DAY, **faults)
    life.run(until=lambda one: False, seconds=seconds)
    return life


def flat_claims(life):
    """How often it said flat."""
    return [fact for fact in life.records if isinstance(fact, FlattenEnded) and fact.flat]
