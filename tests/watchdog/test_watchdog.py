"""The outside judge, on a real lease, a real latch and the real simulated venue."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.guard.latch import Latch, peek
from holdfast.guard.lease import Holder, Lease
from holdfast.sim.config import SimConfig
from holdfast.sim.server import SimServer
from holdfast.venues.binance.panic import PanicClient, PanicFailed
from holdfast.watchdog.main import Watched, watch
from holdfast.watchdog.verdict import Judge, Verdict

SECOND = 1_000_000_000


def a_holder(*, stamp_ns: int, generation: int = 1) -> Holder:
    return Holder(generation=generation, stamp_mono_ns=stamp_ns, pid=1, by="test", since_wall_ns=0)


def test_a_stamp_that_moves_is_a_living_bot() -> None:
    judge = Judge(dead_after_ns=3 * SECOND)
    for second in range(100, 120):
        verdict = judge.look(a_holder(stamp_ns=second * SECOND), now_mono_ns=second * SECOND + 1)
        assert verdict is Verdict.ALIVE


def test_a_stamp_that_stands_still_is_late_and_then_dead() -> None:
    """A hung loop renews nothing, whatever else of its process still runs."""
    judge = Judge(dead_after_ns=3 * SECOND)
    holder = a_holder(stamp_ns=100 * SECOND)
    seen = [judge.look(holder, now_mono_ns=(100 + second) * SECOND) for second in range(5)]
    assert seen == [Verdict.ALIVE, Verdict.ALIVE, Verdict.LATE, Verdict.LATE, Verdict.DEAD]


def test_nobody_to_watch_is_not_a_death() -> None:
    assert Judge(dead_after_ns=1).look(None, now_mono_ns=5) is Verdict.NOBODY


@pytest.fixture
def venue() -> Iterator[SimServer]:
    """The simulated venue in a loop of its own, with a resting order on its account."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = SimServer(SimConfig())

    def call(coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)  # type: ignore[arg-type]

    call(server.start())
    yield server
    call(server.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_dead_bot_is_fenced_and_its_orders_are_cancelled(venue: SimServer, tmp_path: Path) -> None:
    """Latch first, so that a bot that wakes sends nothing; then cancel until the venue says that nothing is open."""
    import json
    import urllib.request

    body = json.dumps({"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "30000"}).encode()
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(
                urllib.request.Request(venue.control_url + "/manual_order", data=body)
            ).read()
            break
        except OSError:
            assert time.monotonic() < deadline, "the market never opened"
            time.sleep(0.1)
    client = PanicClient(rest_url=venue.url, api_key="sim-key", secret="sim-secret")
    assert client.open_symbols(0) == {"BTCUSDT": 1}
    latch = Latch(str(tmp_path), "bot")
    latch.clear(latch.observe())
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    lease = Lease(str(tmp_path), "bot", by="test", now_wall_ns=0, now_mono_ns=now)
    said: list[str] = []
    ending = threading.Event()
    watched = Watched(lease_path=lease.path, latch_path=latch.path, dead_after_ns=SECOND // 2)
    thread = threading.Thread(
        target=watch,
        args=(watched, client),
        kwargs={"say": lambda _, text: said.append(text), "ending": ending},
    )
    thread.start()
    deadline = time.monotonic() + 15
    while not any("nothing is open" in text for text in said) and time.monotonic() < deadline:
        time.sleep(0.05)
    ending.set()
    thread.join()
    lease.release()
    assert client.open_symbols(0) == {}
    assert peek(latch.path) is not None
    assert latch.tripped()
    assert "stopped renewing its lease" in next(text for text in said if "process" in text)
    latch.close()


def test_a_panic_client_says_in_one_line_that_the_venue_did_not_answer() -> None:
    client = PanicClient(rest_url="http://127.0.0.1:9", api_key="k", secret="s")
    with pytest.raises(PanicFailed, match="/fapi/v1/time"):
        client.offset_ms()
    assert "s" != repr(client)
    assert "secret" not in repr(client)
