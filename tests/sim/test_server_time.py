"""Time: the venue in a virtual-time loop, recordings at their pace, and speeds that are refused."""

import asyncio
import re
import time
from itertools import pairwise

import pytest

from holdfast.sim.config import SimConfig, SourceConfig
from holdfast.sim.server import SimRefused, SimServer, source_of
from holdfast.sim.sources import Generated, RecordedFrames, SourceUnusable, recorded_paths
from holdfast.vocab.market import Quote
from tests.sim.server_house import KEY, StillSource, a_bench, frame, hear, opening, run
from tests.sim.virtual_house import VirtualClock, run_virtual

pytestmark = pytest.mark.process

START_NS = 1_700_000_000 * 10**9
S = 10**9


class Scripted(StillSource):
    """Quotes so many milliseconds after the opening."""

    def __init__(self, *delays_ms):
        self.delays_ms = delays_ms

    def frames(self):
        yield from opening()
        for n, delay_ms in enumerate(self.delays_ms):
            at = 1 + delay_ms * 10**6
            yield frame(Quote("BTCUSDT", 1_000 + n, 600_000 + n, 5, 600_001 + n, 5, at, 0, 0))


@pytest.mark.parametrize("speed", [2.0, 0.5, float("inf")])
def test_another_speed_than_lifes_is_refused_on_a_real_clock(speed):
    """A client on a real clock would trade on prices that age as it watches."""
    with pytest.raises(SimRefused, match="allow_fast"):
        SimServer(SimConfig(speed=speed), source=StillSource())
    SimServer(SimConfig(speed=speed, allow_fast=True), source=StillSource())


@pytest.mark.parametrize("speed", [0, -1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(SimRefused):
        SimServer(SimConfig(speed=speed, allow_fast=True), source=StillSource())


def test_a_fast_replay_is_labelled_in_every_reply():
    async def main():
        async with a_bench(speed=10.0, allow_fast=True) as bench:
            _, _, headers = await bench.ask("GET", "/fapi/v1/time")
            assert "10" == headers["X-Sim-Speed"]
            assert 10.0 == (await bench.truth())["speed"]
        async with a_bench() as bench:
            _, _, headers = await bench.ask("GET", "/fapi/v1/time")
            assert "X-Sim-Speed" not in headers

    run(main())


def test_frames_are_played_with_the_spacing_of_their_recording():
    async def main():
        source = Scripted(100, 150, 300)
        async with a_bench(source=source) as bench, bench.socket("/ws/btcusdt@bookTicker") as socket:
            told = [(await hear(socket, "bookTicker"))["bookTicker"]["E"] for _ in range(3)]
            assert [50, 150] == [after - before for before, after in pairwise(told)]
            assert abs(told[-1] - time.time() * 1000) < 100

    run(main())


def test_hours_pass_in_a_moment_of_virtual_time():
    """Listen keys, countdowns and funding are tested in virtual time, with the real server and real sockets."""

    async def main(loop):
        clock = VirtualClock(loop, START_NS)
        async with a_bench(clock=clock, source=Scripted(500, 3_600_000)) as bench:

            def stamp():
                return clock.wall_ns() // 10**6

            key = await bench.listen_key()
            async with bench.socket(f"/ws/{key}") as socket:
                await bench.signed("POST", "/fapi/v1/order", **_MARKET, stamp_ms=stamp())
                await bench.signed(
                    "POST",
                    "/fapi/v1/countdownCancelAll",
                    symbol="BTCUSDT",
                    countdownTime=120_000,
                    stamp_ms=stamp(),
                )
                told = await hear(socket, "listenKeyExpired", seconds=3 * 3600)
                expected_ms = START_NS // 10**6 + 3_600_000
                assert expected_ms <= told["listenKeyExpired"]["E"] <= expected_ms + 1_000
                await asyncio.sleep(8 * 3600)
                status, incomes, _ = await bench.signed("GET", "/fapi/v1/income", stamp_ms=stamp())
                assert 200 == status
                assert "FUNDING_FEE" in {one["incomeType"] for one in incomes}
                rates = await bench.public("/fapi/v1/fundingRate", symbol="BTCUSDT")
                assert "0.00010000" == rates[0]["fundingRate"]
                assert 0 == rates[0]["fundingTime"] % (8 * 3_600_000)
                return loop.time()

    begun = time.monotonic()
    assert 9 * 3600 < run_virtual(main)
    assert 60 > time.monotonic() - begun


_MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


def test_an_order_from_a_frozen_process_is_refused_when_it_wakes():
    async def main(loop):
        clock = VirtualClock(loop, START_NS)
        async with a_bench(clock=clock) as bench:
            stamp_ms = clock.wall_ns() // 10**6
            await asyncio.sleep(1.5)
            status, body, _ = await bench.signed(
                "POST", "/fapi/v1/order", **_MARKET, stamp_ms=stamp_ms, recvWindow=1_000
            )
            assert (400, -1021) == (status, body["code"])

    run_virtual(main)


def test_the_configuration_names_its_source(data_dir):
    assert isinstance(source_of(SourceConfig(seed=3)), Generated)
    paths = tuple(str(path) for path in recorded_paths(data_dir))
    specs = source_of(SourceConfig(kind="recorded", paths=paths)).specs
    assert ["BTCUSDT", "ETHUSDT"] == [spec.instrument for spec in specs]


def test_a_recording_is_published_as_it_was_recorded(data_dir):
    """Byte for byte, but for the times: what was tested here is what the venue sends."""
    paths = recorded_paths(data_dir)
    recorded = []
    for one in RecordedFrames(paths).frames():
        if one.stream == "btcusdt@bookTicker" and one.raw is not None:
            recorded.append(one.raw)
        if len(recorded) == 300:
            break

    def timeless(text):
        return re.sub(rb'"([ET])":\d+', rb'"\1":0', text if isinstance(text, bytes) else text.encode())

    async def main():
        source = source_of(SourceConfig(kind="recorded", paths=tuple(map(str, paths))))
        async with a_bench(source=source) as bench, bench.socket("/ws/btcusdt@bookTicker") as socket:
            heard: list[bytes] = []
            while len(heard) < 60:
                heard.append(timeless((await asyncio.wait_for(socket.receive(), 10)).data))
            texts = [timeless(one) for one in recorded]
            start = texts.index(heard[0])
            assert texts[start : start + 60] == heard
            assert KEY not in str(heard)

    run(main())


class _Broken(StillSource):
    def frames(self):
        yield from opening()
        raise SourceUnusable("usdm_btcusdt.gz: line 7: not a frame")


def test_a_source_that_breaks_is_told_and_the_venue_lives():
    """Orders must still be cancelled when the market has stopped."""

    async def main():
        async with a_bench(source=_Broken()) as bench:
            status = await bench.control("GET", "/status")
            assert "usdm_btcusdt.gz: line 7: not a frame" == status["market"]["ended"]
            order = await bench.place()
            await bench.ok("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])

    run(main())
