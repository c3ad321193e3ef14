"""One budget, with lanes: what must get out never waits behind what would be nice to know."""

import asyncio
import time

import pytest

from holdfast.venues.binance.limits import WINDOWS, window_of
from holdfast.venues.transport.budget import Budget, Reserve, Window
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Transient
from holdfast.vocab.requests import CancelAll, QueryPositions
from tests.venues.fake_binance import fake_binance, reply
from tests.venues.house import loaded, place, yes

WEIGHT = Window(name="weight", limit=100, interval_ms=60_000, orders=False, header="x-used")
ORDERS = Window(name="orders", limit=10, interval_ms=10_000, orders=True, header="x-orders")


class Hands:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.ms = 60_000_000

    def __call__(self) -> int:
        return self.ms


def a_budget(hands: Hands) -> Budget:
    return Budget((WEIGHT, ORDERS), venue_ms=hands, reserve=Reserve(read_ppm=400_000, risk_ppm=100_000))


def test_reads_stop_at_their_share_and_the_rest_is_left_for_the_way_out():
    hands = Hands()
    budget = a_budget(hands)
    assert [0] * 6 == [budget.take(Lane.READ, weight=10) for _ in range(6)]
    assert budget.take(Lane.READ, weight=10) > 0
    assert [0] * 3 == [budget.take(Lane.RISK, weight=10) for _ in range(3)]
    assert budget.take(Lane.RISK, weight=10) > 0
    assert 0 == budget.take(Lane.FLATTEN, weight=10)
    assert budget.take(Lane.FLATTEN, weight=10) > 0
    assert 0 == budget.take(Lane.CANCEL, weight=10)  # the venue may refuse a cancel; we do not


def test_a_new_window_starts_empty():
    hands = Hands()
    budget = a_budget(hands)
    while not budget.take(Lane.READ, weight=10):
        pass
    hands.ms += budget.take(Lane.READ, weight=10)
    assert 0 == budget.take(Lane.READ, weight=10)


def test_orders_are_counted_apart_from_weight():
    budget = a_budget(Hands())
    assert [0] * 9 == [budget.take(Lane.RISK, weight=0, orders=1) for _ in range(9)]
    assert budget.take(Lane.RISK, weight=0, orders=1) > 0
    assert 0 == budget.take(Lane.FLATTEN, weight=0, orders=1)
    assert budget.take(Lane.FLATTEN, weight=0, orders=1) > 0


def test_the_venues_own_count_wins_when_it_is_higher():
    """Another process with the same address spends from the same purse."""
    budget = a_budget(Hands())
    budget.told(status=200, headers={"x-used": "59", "x-orders": "9"})
    assert 0 == budget.take(Lane.READ, weight=1)
    assert budget.take(Lane.READ, weight=1) > 0
    assert budget.take(Lane.RISK, weight=0, orders=1) > 0
    budget.told(status=200, headers={"x-used": "3"})
    assert {"weight": (60, 100), "orders": (9, 10)} == budget.used()


@pytest.mark.parametrize("text", ["", "-5", "1e9", "nan", "9" * 40, "०"])
def test_a_count_that_is_no_number_changes_nothing(text):
    budget = a_budget(Hands())
    budget.told(status=200, headers={"x-used": text})
    assert (0, 100) == budget.used()["weight"]


def test_told_to_slow_down_only_the_way_out_goes_on():
    hands = Hands()
    budget = a_budget(hands)
    budget.told(status=429, headers={"retry-after": "7"})
    assert 7_000 == budget.take(Lane.READ, weight=1) == budget.take(Lane.RISK, weight=1)
    assert 0 == budget.take(Lane.CANCEL, weight=1) == budget.take(Lane.FLATTEN, weight=1)
    hands.ms += 7_000
    assert 0 == budget.take(Lane.READ, weight=1)


def test_banned_nothing_goes_because_asking_prolongs_it():
    budget = a_budget(Hands())
    budget.told(status=418, headers={"retry-after": "120"})
    assert {120_000} == {budget.take(lane, weight=1) for lane in Lane}


def test_a_read_waits_for_its_turn_and_gives_up_in_time():
    async def story():
        hands = Hands()
        quick = Window(name="quick", limit=10, interval_ms=40, orders=False)
        budget = Budget((quick,), venue_ms=lambda: time.monotonic_ns() // 1_000_000, read_wait_ms_max=200)
        began = time.monotonic()
        assert [0] * 12 == [await budget.take_or_wait(Lane.READ, weight=5) for _ in range(12)]
        assert time.monotonic() - began > 0.2
        slow = Budget((WEIGHT,), venue_ms=hands, read_wait_ms_max=200)
        while not slow.take(Lane.READ, weight=10):
            pass
        began = time.monotonic()
        assert await slow.take_or_wait(Lane.READ, weight=10) > 200
        assert time.monotonic() - began < 0.1

    asyncio.run(story())


@pytest.mark.parametrize("lane", [Lane.RISK, Lane.FLATTEN])
def test_what_is_no_read_never_waits_for_the_budget(lane):
    """An order that leaves a second later is not the order that was decided on."""

    async def story():
        quick = Window(name="quick", limit=10, interval_ms=3_600_000, orders=True)
        budget = Budget((quick,), venue_ms=Hands(), read_wait_ms_max=10_000_000)
        while not budget.take(lane, weight=0, orders=1):
            pass
        began = time.monotonic()
        assert await budget.take_or_wait(lane, weight=0, orders=1) > 0
        assert time.monotonic() - began < 0.1

    asyncio.run(asyncio.wait_for(story(), 2))


def test_a_cancel_is_not_held_up_by_a_flood_of_reads():
    """Behind ccxt's own throttle a cancel waited 3.1 s; alone 0.05 s."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:

            async def slow(*_):
                await asyncio.sleep(0.3)
                return reply([])

            fake.answers["GET /fapi/v3/positionRisk"] = slow
            reads = [asyncio.create_task(venue.call(QueryPositions(), Lane.READ, yes)) for _ in range(400)]
            await asyncio.sleep(0.05)
            began = time.monotonic()
            assert isinstance(await venue.call(CancelAll(instrument="BTCUSDT"), Lane.CANCEL, yes), Ok)
            assert isinstance(await venue.call(place(), Lane.FLATTEN, yes), Ok)
            took = time.monotonic() - began
            answers = await asyncio.gather(*reads)
            refused = [one for one in answers if isinstance(one, Transient)]
            assert took < 0.2
            assert refused  # bounded: the flood is told to come again, not queued without end
            assert {"BUSY"} == {one.code for one in refused}

    asyncio.run(story())


def test_a_risk_order_over_the_order_limit_is_refused_before_sending():
    """The venue would answer 429, and 418 after that: then not even a cancel gets out."""

    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            hour = Window(name="orders", limit=300, interval_ms=3_600_000, orders=True)
            venue._budget.set_windows((hour,))
            outcomes = [await venue.call(place(number), Lane.RISK, yes) for number in range(1, 301)]
            refused = [one for one in outcomes if isinstance(one, Transient)]
            assert 45 == len(refused)  # 15 % of 300 are left for flatten
            assert {"BUDGET"} == {one.code for one in refused}
            assert all(0 < one.retry_ms <= 3_600_000 for one in refused)
            assert 255 == len(fake.asked_of("/fapi/v1/order"))
            assert isinstance(await venue.call(place(301), Lane.FLATTEN, yes), Ok)

    asyncio.run(story())


def test_the_venues_own_limits_replace_the_documented_ones():
    rows = [
        window_of(kind="REQUEST_WEIGHT", interval="MINUTE", interval_num=1, limit=2_400),
        window_of(kind="ORDERS", interval="SECOND", interval_num=10, limit=300),
        window_of(kind="ORDERS", interval="MINUTE", interval_num=1, limit=1_200),
    ]
    assert sorted(WINDOWS, key=lambda w: w.name) == sorted(rows, key=lambda w: w.name)
    assert window_of(kind="RAW_REQUESTS", interval="MINUTE", interval_num=5, limit=61_000) is None
    assert window_of(kind="ORDERS", interval="FORTNIGHT", interval_num=1, limit=5) is None
