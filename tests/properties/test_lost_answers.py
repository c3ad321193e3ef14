"""What a venue filled is what was meant, whatever it said: no order is doubled for an answer that never came."""

import random

import pytest

from holdfast.vocab.orders import OrderState, Side
from holdfast.vocab.outcome import Unknown
from holdfast.vocab.requests import PlaceOrder
from tests.house.room import a_running_core
from tests.house.setup import settings
from tests.house.venue import NaiveVenue

# What the client makes of each reply (tests/venues/test_binance_faults.py): the order may be live.
DOUBTS = {
    "the acknowledgement is lost": Unknown(why="connection reset"),
    "-1006": Unknown(why="unexpected response", code="-1006"),
    "-1007": Unknown(why="timeout", code="-1007"),
    "503 after it was taken": Unknown(why="503 Service Unavailable", code="-1008"),
    "200 and garbage": Unknown(why="not JSON"),
    "200 and nothing": Unknown(why="an empty body"),
    "duplicate id on a retry": Unknown(why="client order id is duplicated", code="-4116"),
}
SEEDS = 12
WANTED = 60  # lots
ODDS = 0.3


class Mumbler(NaiveVenue):
    """Takes an order and says one of these instead of so, or does not get it at all; at times its stream is late."""

    def __init__(self, rng, doubt, specs):
        super().__init__(specs)
        self.rng, self.doubt = rng, doubt
        self.doubts = self.lost = 0

    def answer(self, request):
        if not isinstance(request, PlaceOrder) or self.rng.random() >= ODDS:
            return super().answer(request)
        self.doubts += 1
        if self.rng.random() < 0.4:
            self.lost += 1  # it never arrived
            return self.doubt
        self.stream_deaf = self.rng.random() < 0.5
        super().answer(request)
        self.stream_deaf = False
        return self.doubt


@pytest.mark.parametrize("doubt", DOUBTS.values(), ids=DOUBTS)
def test_the_filled_total_is_the_intent_in_every_seed(doubt):
    """A strategy asks again only for what its books say was not sent: proof of absence, and never a time-out."""
    doubts = lost = 0
    for seed in range(SEEDS):
        rng = random.Random(f"{doubt.why} {seed}")
        config = settings(arm_auto=True)
        venue = Mumbler(rng, doubt, config.instruments)
        room = a_running_core(venue=venue)
        for _ in range(400):
            open_lots = room.books.orders.open_in("BTCUSDT").buy_lots
            missing = WANTED - room.position() - open_lots
            assert missing >= 0, f"seed {seed}"
            if missing:
                room.takes(Side.BUY, min(missing, rng.randrange(1, 9)))
            room.run(ms=rng.choice((300, 700)))
            assert venue.position() <= WANTED, f"seed {seed}: the venue filled more than was meant"
            if venue.position() == WANTED == room.position():
                break
        assert WANTED == venue.position() == room.position() == sum(one.qty_lots for one in venue.trades)
        room.run(s=30)
        assert [] == [row for row in room.books.orders.live.values() if row.state is OrderState.UNKNOWN]
        assert {} == room.books.breaks
        doubts, lost = doubts + venue.doubts, lost + venue.lost
    assert doubts > 3 * SEEDS
    assert lost > SEEDS / 2
