"""The feed report with real processes: providers side by side, a running bot, a recording."""

import asyncio
import json
import subprocess
import sys
import threading
import time

import pytest

from holdfast.app.recordings import dialect_for, settings_for
from holdfast.runtime.feed_meter import FeedMeter, VenueClockMeasured
from holdfast.runtime.ingesting import Ingest
from holdfast.sim.sources import BTCUSDT, ETHUSDT
from holdfast.venues.binance import public
from holdfast.venues.binance.feed import FeedConfig
from holdfast.venues.binance.rotation import RotatingFeed, RotationTimes, TappedFeed
from holdfast.venues.transport.sockets import one_by_one
from tests.house.recorded import data_dir  # noqa: F401
from tests.venues.fake_binance import eventually

pytestmark = pytest.mark.process

FAST = '[source]\nkind = "generated"\nseed = 7\n'
REPEATED = (
    '{{"e":"bookTicker","u":{u},"s":"BTCUSDT","b":"60000.00","B":"1.000","a":"60000.10","A":"1.000",'
    '"T":{ms},"E":{ms}}}'
)


def feeds(home, *words, timeout_s=60):
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "feeds", *words],
        capture_output=True,
        text=True,
        env=home.environment(),
        cwd=home.path,
        timeout=timeout_s,
    )
    return done.returncode, done.stdout, done.stderr


def test_two_providers_side_by_side_and_the_faults_are_the_faulty_ones(home):
    """One is sound; the other's clock is off, a stream freezes, sockets are cut, frames repeat, garbage comes."""
    sound, faulty = home.sim(FAST), home.sim(FAST)
    faulty.control("POST", "/clock", {"step_ms": 700})

    def connected(since):
        """Wait until more was sent to somebody than before: on a busy machine a start takes its time."""
        until = time.monotonic() + 30
        while faulty.control("GET", "/status")["sent"] < since + 50:
            assert time.monotonic() < until, "nobody listens"
            time.sleep(0.05)

    def misbehave():
        connected(0)
        faulty.control("POST", "/disconnect", {"streams": "market"})
        connected(faulty.control("GET", "/status")["sent"])
        u = 10**15
        for text in ("garbage", *[REPEATED.format(u=u, ms=int(time.time() * 1000) + 700)] * 3):
            faulty.control("POST", "/say", {"stream": "btcusdt@bookTicker", "text": text})
        faulty.control("POST", "/freeze", {"symbol": "ETHUSDT", "stream": "bookTicker"})

    trouble = threading.Thread(target=misbehave)
    trouble.start()
    code, out, err = feeds(home, "bench", sound.url, faulty.url, "--for", "15s", "--json")
    trouble.join()
    assert 0 == code, err
    good, bad = json.loads(out)["providers"]

    assert [sound.url.removeprefix("http://"), faulty.url.removeprefix("http://")] == [
        good["name"],
        bad["name"],
    ]
    streams = {
        f"{name} {kind}" for name in ("BTCUSDT", "ETHUSDT") for kind in ("quotes", "trades", "depth", "marks")
    }
    assert streams == set(good["streams"]) == set(bad["streams"])
    assert (0, {}, {}) == (good["reconnects"], good["downs"], good["refused"])
    assert bad["reconnects"] >= 1
    assert bad["downs"]
    assert abs(good["clock_offset_us"]) < 100_000
    assert 600_000 < bad["clock_offset_us"] < 800_000
    assert {"not a frame": 1} == {key: bad["refused"][key] for key in ("not a frame",)}
    assert bad["streams"]["BTCUSDT quotes"]["repeats"] >= 2
    # with the clock tracked the latency of the provider whose clock is off is as small as the other's
    for report in (good, bad):
        assert -50_000 < report["streams"]["BTCUSDT quotes"]["latency_us_p50"] < 250_000
    frozen = bad["streams"]["ETHUSDT quotes"]
    assert frozen["silence_ms_max"] > 6_000
    assert frozen["availability_ppm"] < 950_000
    assert good["streams"]["ETHUSDT quotes"]["availability_ppm"] == 1_000_000


def test_a_provider_that_is_not_there_is_said_and_the_others_are_measured(home):
    sim = home.sim(FAST)
    code, out, err = feeds(home, "bench", "http://127.0.0.1:1", sim.url, "--for", "2s")
    assert 7 == code
    assert "http://127.0.0.1:1/fapi/v1/exchangeInfo" in err
    assert 1 == err.count("\n")
    assert "BTCUSDT quotes" in out


def test_a_running_bots_report_is_read_off_its_logs(home):
    bot = home.bot(home.sim(FAST))
    bot.start()
    bot.hears(150)
    bot.sim.control("POST", "/disconnect", {"streams": "market"})
    bot.hears(150)
    code, out, err = feeds(home, "--state-dir", str(bot.state_dir), "--json")
    assert (0, "") == (code, err)
    (report,) = json.loads(out)["providers"]
    counted = bot.status()["counters"]
    quotes = sum(one["events"] for name, one in report["streams"].items() if name.endswith("quotes"))
    assert 100 < quotes <= counted["quotes"] + report["refused"].get("late", 0)
    assert report["reconnects"] >= 1
    assert report["streams"]["BTCUSDT quotes"]["latencies"] > 100
    assert -100_000 < report["streams"]["BTCUSDT quotes"]["latency_us_p50"] < 500_000
    assert "quotes" in feeds(home, "--state-dir", str(bot.state_dir), "--last", "3s")[1]
    bot.alive()


@pytest.mark.data
def test_a_recording_that_was_stamped_early_has_latencies_above_its_clock(home, data_dir):  # noqa: F811
    """1.27 s behind: corrected by the tracked clock, and what is quicker than that stays negative."""
    code, out, _ = feeds(
        home, str(data_dir / "binance_ws_raw" / "usdm_btcusdt_20240808.jsonl_ts.gz"), "--json"
    )
    (report,) = json.loads(out)["providers"]
    assert 0 == code
    assert 1_265_000 < report["clock_offset_us"] < 1_280_000
    quotes = report["streams"]["BTCUSDT quotes"]
    assert (66_089, 0, 0, 0, 1_000_000) == tuple(
        quotes[key] for key in ("events", "gaps", "repeats", "backward", "availability_ppm")
    )
    assert (
        -20_000 < quotes["latency_us_min"] <= quotes["latency_us_p50"] <= quotes["latency_us_p99"] < 200_000
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bench"], 2, "feeds bench: expected addresses"),
        (["bench", "nowhere"], 2, "expected an address such as http://127.0.0.1:8710"),
        (["gone.jsonl_ts.gz"], 2, "gone.jsonl_ts.gz: no such file"),
        (["--state-dir", "gone"], 2, "no journal and market log there"),
        (["--last", "long", "--state-dir", "gone"], 2, "--last: expected a length of time"),
    ],
)
def test_what_has_no_report_is_one_line_and_a_code(home, words, code, said):
    got, _, err = feeds(home, *words)
    assert (code, 1) == (got, err.count("\n"))
    assert said in err


def test_a_strategy_sees_no_gap_and_nothing_twice_through_rotations_of_a_real_feed(home):
    """Split addresses, all streams, a market that moves: the core refuses nothing and no chain has a hole."""
    sim = home.sim(FAST)
    specs = (BTCUSDT, ETHUSDT)
    config = FeedConfig(ws_url=sim.ws_url, depth=True)
    settings = settings_for({spec.instrument: spec for spec in specs}, None)
    meter = FeedMeter("x", dead_ns=10**10)
    ingest = Ingest(settings, clock=VenueClockMeasured(), meter=meter)
    downs = []

    async def story():
        times = RotationTimes(rotate_s=1.0, overlap_s=1.5, patience_s=5.0, retry_s=0.5)
        feed = RotatingFeed(lambda: TappedFeed(config, specs), times=times)
        dialect = dialect_for(public.Dialect.USDM, {spec.instrument: spec for spec in specs}, lambda: 0)
        await feed.open(
            one_by_one(
                lambda raw, wall_ns, mono_ns: ingest.frame(dialect, raw, wall_ns=wall_ns, mono_ns=mono_ns)
            ),
            lambda event: downs.append(event) if not event.up else None,
        )
        await eventually(lambda: feed.rotations_count >= 3, within_s=40)
        await feed.close()

    asyncio.run(story())
    assert [] == downs
    assert {} == {name: account.refused for name, account in ingest.accounts.items() if account.refused}
    assert {(0, 0, 0)} == {
        (stream.gaps_count, stream.repeats_count, stream.backward_count) for stream in meter.streams.values()
    }
    assert all(stream.count > 10 for (_, kind), stream in meter.streams.items() if kind != "marks")
    assert 8 == len(meter.streams)
