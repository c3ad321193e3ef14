"""Recording a venue with real processes and sockets: what came is what is read back, through cuts and kills."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.app.recordings import lines_of, providers
from holdfast.app.replay import accounting
from holdfast.core.ingest.depth_book import BookState
from holdfast.sim.sources import RecordedFrames
from tests.process.processes import until

pytestmark = pytest.mark.process

FAST = '[source]\nkind = "generated"\nseed = 7\n'
INSTRUMENTS = ("BTCUSDT", "ETHUSDT")


class Recorder:
    """``holdfast record`` as a process."""

    def __init__(self, home, sim, *more, directory="rec"):
        self.directory = home.path / directory
        named = [word for name in INSTRUMENTS for word in ("--instrument", name)]
        words = ["record", sim.url, *named, "--output", str(self.directory), "--json", *more]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=home.environment(),
            cwd=home.path,
        )
        home.running.append(self.process)

    def files(self):
        """The files of frames so far."""
        return [*self.directory.glob("*.zst")]

    def bytes_count(self):
        """Bytes of frames on the disk."""
        return sum(path.stat().st_size for path in self.files())

    def until(self, holds, what, pause_s=0.05):
        """Wait until it holds; it records all the while."""

        def recorded():
            assert self.process.poll() is None, self.process.communicate()
            return holds()

        until(recorded, what, pause_s=pause_s)

    def wait_for_bytes(self, count=1):
        """Until so many bytes of frames are on the disk."""
        self.until(lambda: self.bytes_count() >= count, "something is recorded")

    def stop(self):
        """A clean stop: (its answer, its words on stderr)."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=20)
        assert 0 == self.process.returncode, err
        return json.loads(out), err


def replayed(directory):
    (provider,) = providers([str(directory)])
    for one, file, line in lines_of((provider,)):
        one.take(file, line)
    return provider, accounting((provider,))


def whole_books(recorder, snapshots):
    """Whether the book of every instrument began that often, and is whole."""
    provider, _ = replayed(recorder.directory)
    books = provider.ingest.books
    return {*INSTRUMENTS} <= {*books} and all(
        books[name].snapshots >= snapshots and books[name].book.state is BookState.WHOLE
        for name in INSTRUMENTS
    )


def test_a_recording_is_read_back_whole_through_rotation_and_a_clean_stop(home):
    """No gap in any chain of ids: nothing was lost between the socket and the disk, or where files meet."""
    recorder = Recorder(home, home.sim(FAST), "--file-time", "2s")
    recorder.until(lambda: len(recorder.files()) > 6, "files follow one another")
    said, err = recorder.stop()
    provider, answer = replayed(recorder.directory)

    assert "" == err
    assert said["frames"] == answer["read"] > 500
    assert [] == answer["torn"]
    assert answer["adds_up"]
    assert said["files"] == len(list(recorder.directory.glob("*.zst"))) > 4
    for name in INSTRUMENTS:
        account = answer["markets"]["usdm"]["instruments"][name]
        assert {"quotes", "trades", "depth", "marks"} == set(account["accepted"])
        assert {} == account["refused"]
        watch = provider.ingest.books[name]
        assert (BookState.WHOLE, 0, 0) == (watch.book.state, watch.crossed, watch.book.gaps_count)
    assert {(0, 0, 0)} == {
        (stream.gaps_count, stream.repeats_count, stream.backward_count)
        for stream in provider.meter.streams.values()
    }


def test_a_recording_plays_as_a_market_of_the_simulated_venue(home):
    recorder = Recorder(home, home.sim(FAST))
    recorder.wait_for_bytes(20_000)
    recorder.stop()
    paths = [next(recorder.directory.glob(f"{name.lower()}-*.zst")) for name in INSTRUMENTS]
    source = RecordedFrames(paths)
    assert INSTRUMENTS == tuple(spec.instrument for spec in source.specs)
    assert len(list(source.frames())) > 200


def test_a_killed_recorder_leaves_a_recording_that_reads(home):
    recorder = Recorder(home, home.sim(FAST))
    recorder.wait_for_bytes(20_000)
    recorder.process.kill()
    recorder.process.communicate(timeout=20)
    _, answer = replayed(recorder.directory)
    assert answer["adds_up"]
    assert answer["read"] > 100
    again = Recorder(home, home.running[0])
    again.wait_for_bytes(recorder.bytes_count() + 5_000)
    again.stop()
    _, longer = replayed(recorder.directory)
    assert longer["read"] > answer["read"]


def test_a_cut_connection_is_said_and_the_books_begin_again(home):
    sim = home.sim(FAST)
    recorder = Recorder(home, sim)
    recorder.wait_for_bytes(10_000)
    recorder.until(lambda: whole_books(recorder, 1), "books began", 0.5)
    sim.control("POST", "/disconnect", {"streams": "market"})
    recorder.until(lambda: whole_books(recorder, 2), "and begin again", 0.5)
    said, err = recorder.stop()
    provider, answer = replayed(recorder.directory)
    assert said["reconnects"] >= 1
    assert "is down" in err
    assert said["snapshots"] >= 2 * len(INSTRUMENTS)
    assert answer["adds_up"]
    for name in INSTRUMENTS:
        watch = provider.ingest.books[name]
        assert BookState.WHOLE is watch.book.state
        assert watch.snapshots >= 2


def test_two_recorders_do_not_share_a_directory(home):
    sim = home.sim(FAST)
    recorder = Recorder(home, sim)
    recorder.wait_for_bytes()
    second = Recorder(home, sim)
    out, err = second.process.communicate(timeout=20)
    assert (2, 1) == (second.process.returncode, err.count("\n"))
    assert f"{recorder.directory}: another process records there" in err
    assert not json.loads(out)["ok"]
    recorder.stop()


UNUSABLE = [
    (("{url}", "--instrument", "NOPE"), 7, "has no instrument NOPE"),
    (("http://127.0.0.1:1", "--instrument", "BTCUSDT"), 7, "http://127.0.0.1:1/fapi/v1/exchangeInfo: "),
    (("ftp://x", "--instrument", "BTCUSDT"), 2, "expected an address such as http://127.0.0.1:8710"),
    (("{url}",), 2, "missing option '--instrument'"),
    (("--instrument", "BTCUSDT"), 2, "record: expected an address"),
    (("--ccxt", "nowhere", "--instrument", "BTCUSDT"), 7, "nowhere"),
    (("{url}", "--ccxt", "binanceusdm", "--instrument", "NO/PE"), 7, "NO/PE is not a market of binanceusdm"),
    (("{url}", "--instrument", "BTCUSDT", "--retain", "much"), 2, "--retain: expected a size such as"),
    (("{url}", "--instrument", "BTCUSDT", "--streams", "news"), 2, "--streams: expected quotes and any of"),
    (("{url}", "--instrument", "BTCUSDT", "--output", "file/x"), 2, "file/x: cannot be recorded to: "),
]


def test_what_cannot_be_recorded_is_one_line_and_a_code(home):
    sim = home.sim(FAST)
    Path(home.path / "file").write_text("in the way")
    for words, code, said in UNUSABLE:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", "record", *(word.format(url=sim.url) for word in words)],
            capture_output=True,
            text=True,
            env=home.environment(),
            cwd=home.path,
            timeout=60,
        )
        assert (code, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
        assert said in done.stderr
        assert not (home.path / "recording").exists()


def test_an_exchange_that_ccxt_knows_is_recorded_as_events(home):
    """ccxt has no frames to hand over: its events are written down, and read as they were."""
    sim = home.sim(FAST)
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "holdfast",
                "record",
                sim.url,
                "--ccxt",
                "binanceusdm",
                "--for",
                "6s",
                "--json",
            ),
            *("--instrument", "BTC/USDT:USDT", "--output", "rec"),
        ],
        capture_output=True,
        text=True,
        env=home.environment(),
        cwd=home.path,
        timeout=60,
    )
    assert 0 == done.returncode, done.stderr
    said = json.loads(done.stdout)
    provider, answer = replayed(home.path / "rec")
    account = answer["markets"]["events"]["instruments"]["BTC/USDT:USDT"]
    assert said["frames"] == answer["read"] > 30
    assert answer["adds_up"]
    assert {"quotes", "trades"} == set(account["accepted"])
    assert {} == account["refused"]
    assert provider.ingest.state.live.markets["BTC/USDT:USDT"].bid_ticks > 0
