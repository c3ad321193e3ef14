"""The venue's clock as we sign by it: steps of our own wall clock do not move it."""

import asyncio

import pytest

from holdfast.venues.transport.clock import SystemClock, VenueClock
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok
from holdfast.vocab.requests import MeasureClock, QueryPositions
from tests.venues.fake_binance import fake_binance
from tests.venues.house import loaded, place, yes


class Hands:
    """Two clocks set by hand."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000_000_000
        self.mono = 5_000_000_000

    def wall_ns(self) -> int:
        return self.wall

    def mono_ns(self) -> int:
        return self.mono


def test_before_the_first_measure_it_is_our_own_clock():
    hands = Hands()
    clock = VenueClock(hands)
    assert (hands.wall, 0, False) == (clock.now_ns(), clock.offset_ns(), clock.measured)


def test_a_step_of_our_wall_clock_does_not_move_what_we_sign():
    """An adjusted server clock left ccxt signing 15 s off until somebody called a function by hand."""
    hands = Hands()
    clock = VenueClock(hands)
    venue_ns = hands.wall + 12_000_000_000
    clock.measured_at(
        venue_ns=venue_ns, sent_mono_ns=hands.mono - 4_000_000, got_mono_ns=hands.mono + 4_000_000
    )
    assert 12_000_000_000 == clock.offset_ns()
    hands.wall -= 15_000_000_000
    hands.mono += 1_000_000_000
    assert venue_ns + 1_000_000_000 == clock.now_ns()
    assert 28_000_000_000 == clock.offset_ns()


def test_the_system_clocks_are_the_ones_that_the_port_names():
    import time

    clock = SystemClock()
    assert abs(clock.wall_ns() - time.time_ns()) < 1_000_000_000
    assert abs(clock.mono_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 1_000_000_000


@pytest.mark.parametrize("ahead_ms", [-12_000, 0, 12_000, 3_600_000])
def test_requests_are_stamped_with_the_venues_time(ahead_ms):
    """A clock that is 12 s off made every closing order fail."""

    async def story():
        async with fake_binance() as fake:
            fake.clock_ahead_ms = ahead_ms
            async with loaded(fake) as venue:
                await venue.call(place(), Lane.RISK, yes)
                await venue.call(QueryPositions(), Lane.READ, yes)
                for path, window in (("/fapi/v1/order", "1000"), ("/fapi/v3/positionRisk", "5000")):
                    asked = fake.asked_of(path)[0]
                    assert abs(int(asked["timestamp"]) - fake.now_ms()) < 200
                    assert window == asked["recvWindow"]

    asyncio.run(story())


def test_the_measured_offset_is_told():
    async def story():
        async with fake_binance() as fake, loaded(fake) as venue:
            fake.clock_ahead_ms = 12_000
            outcome = await venue.call(MeasureClock(), Lane.READ, yes)
            assert isinstance(outcome, Ok)
            assert abs(outcome.value.offset_ns - 12_000_000_000) < 100_000_000
            assert 0 < outcome.value.rtt_ns < 1_000_000_000

    asyncio.run(story())
