"""Replaying recordings: every frame is accounted for, in each recorded file, and what should not count does not."""

import gzip
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from holdfast.app.recordings import lines_of, providers
from holdfast.app.replay import accounting
from holdfast.core.ingest.depth_book import BookState
from holdfast.journal.recording_read import CorruptRecording
from holdfast.vocab.holds import HoldCause
from tests.house.recorded import data_dir  # noqa: F401
from tests.sim.recordings import diff, quote, snapshot, trade, write_recording

# The data's own account of itself: lines, quotes, trades, changes, whether a snapshot is among them.
RAW = {
    "cm_btcusd_perp_20240808": (48_270, 19_136, 2_286, 26_847, True),
    "spot_btcusdt_20240808": (41_249, 28_040, 9_757, 3_451, True),
    "spot_btcusdt_20240809": (58_325, 45_134, 10_147, 3_044, False),
    "usdm_btcusdt_20240718": (11_414, 7_113, 974, 3_326, True),
    "usdm_btcusdt_20240719": (60_570, 45_147, 9_727, 5_696, False),
    "usdm_btcusdt_20240808": (93_954, 66_089, 21_313, 6_551, True),
    "usdm_ethusdt_20240718": (14_003, 9_089, 1_640, 3_273, True),
    "usdm_ethusdt_20240719": (55_910, 38_239, 12_015, 5_656, False),
    "usdm_ethusdt_20240808": (74_655, 53_992, 14_076, 6_586, True),
}
SESSIONS = {
    "BINANCE_FUTURES": (1_542, {"quotes": 613, "depth": 764, "aggTrade": 91, "kline": 67}, 4),
    "BINANCE_DELIVERY": (4_384, {"quotes": 2_240, "depth": 2_047, "aggTrade": 51, "kline": 33}, 10),
    "BINANCE": (272, {"quotes": 84, "depth": 177, "aggTrade": 2, "kline": 2}, 4),
}
REPLAY = [sys.executable, "-m", "holdfast", "replay"]


def replayed(*files, **options):
    made = providers([str(file) for file in files], **options)
    for provider, file, line in lines_of(made):
        provider.take(file, line)
    return made, accounting(made)


def seen_by_kind(meter):
    """Events by kind, accepted or not: those are what a file holds."""
    counts = {}
    for (_, kind), stream in meter.streams.items():
        counts[kind] = counts.get(kind, 0) + stream.count
    return counts


@pytest.mark.data
@pytest.mark.parametrize("name", RAW)
def test_every_frame_of_a_raw_session_is_accounted_for(data_dir, name):  # noqa: F811
    lines, quotes, trades, changes, has_snapshot = RAW[name]
    (provider,), answer = replayed(data_dir / "binance_ws_raw" / f"{name}.jsonl_ts.gz")
    (account,) = answer["markets"][provider.name]["instruments"].values()

    assert (lines, lines, True) == (account["read"], answer["read"], answer["adds_up"])
    assert {"quotes": quotes, "trades": trades, "depth": changes} == account["accepted"]
    assert {} == account["refused"]
    assert ({"snapshot": 1} if has_snapshot else {}) == account["others"]
    assert {"quotes": quotes, "trades": trades, "depth": changes} == seen_by_kind(provider.meter)
    for stream in provider.meter.streams.values():
        assert (0, 0, 0) == (stream.gaps_count, stream.repeats_count, stream.backward_count)
    if has_snapshot:
        the_book_is_whole_and_was_never_crossed(provider, changes)


def the_book_is_whole_and_was_never_crossed(provider, changes):
    """Looked at after each change, not after each tenth."""
    (watch,) = provider.ingest.books.values()
    assert (BookState.WHOLE, 0, 0) == (watch.book.state, watch.crossed, watch.book.gaps_count)
    assert 0 <= watch.book.dropped_count <= 23
    assert changes - 60 < watch.applied <= changes
    (market,) = provider.ingest.state.live.markets.values()
    # the book's touch and the quotes' come on streams of their own, milliseconds apart: near, and not the same
    assert abs(watch.book.bid_ticks - market.bid_ticks) * 1_000 < market.bid_ticks


@pytest.mark.data
def test_a_pair_of_files_joins_without_loss(data_dir):  # noqa: F811
    """The second has no snapshot of its own: the book of the first goes on across midnight."""
    folder = data_dir / "binance_ws_raw"
    (provider,), answer = replayed(*sorted(folder.glob("usdm_btcusdt_2024071*.gz")))
    (watch,) = provider.ingest.books.values()
    assert answer["adds_up"]
    assert 11_414 + 60_570 == answer["read"]
    assert (BookState.WHOLE, 0, 0) == (watch.book.state, watch.crossed, watch.book.gaps_count)
    assert 0 == sum(stream.gaps_count for stream in provider.meter.streams.values())


@pytest.mark.data
@pytest.mark.parametrize("name", SESSIONS)
def test_every_line_of_a_session_of_many_symbols_is_accounted_for(data_dir, name):  # noqa: F811
    lines, kinds, snapshots = SESSIONS[name]
    (provider,), answer = replayed(data_dir / "cryptofeed_ws_raw" / f"{name}.jsonl.zst")
    accounts = answer["markets"][provider.name]["instruments"]
    others = {}
    for account in accounts.values():
        for kind, count in account["others"].items():
            others[kind] = others.get(kind, 0) + count

    assert (lines, True) == (answer["read"], answer["adds_up"])
    assert kinds == {
        **seen_by_kind(provider.meter),
        **{kind: others[kind] for kind in ("aggTrade", "kline")},
    }
    assert (1, 1, 1, snapshots) == (others["header"], others["connect"], others["reply"], others["snapshot"])
    # the recorder stalled here and there, for as long as five seconds: late is the only reason to refuse any
    assert {reason for account in accounts.values() for reason in account["refused"]} <= {"late"}
    assert snapshots == len(provider.ingest.books)
    for watch in provider.ingest.books.values():
        assert (BookState.WHOLE, 0) == (watch.book.state, watch.crossed)


@pytest.mark.data
def test_a_strategy_sees_exactly_what_was_accepted_and_trades_nothing(data_dir):  # noqa: F811
    """A replay is HALTED as every start is: what a strategy wants of it is refused, and counted."""
    (provider,), answer = replayed(
        data_dir / "binance_ws_raw" / "usdm_btcusdt_20240718.jsonl_ts.gz",
        strategy="holdfast.strategy.examples.momentum_taker:MomentumTaker",
    )
    market = answer["markets"]["usdm"]
    assert sum(market["instruments"]["BTCUSDT"]["accepted"].values()) == market["delivered"]
    assert sum(market["intents"].values()) == sum(market["refusals_by_reason"].values())
    assert not provider.ingest.state.books.orders.live


def test_an_insurance_fund_print_moves_no_last_price(tmp_path):
    """It was 200 basis points off the book, and would have been a last price, a bar, a stop."""
    messages = [
        quote(1, bid="28147.00", ask="28147.10"),
        trade(3_535_191_079, price="28147.10"),
        trade(3_535_191_080, price="28722.50", qty="0.001", kind="INSURANCE_FUND"),
    ]
    (provider,), answer = replayed(write_recording(tmp_path, messages))
    market = provider.ingest.state.live.markets["BTCUSDT"]
    assert 281_471 == market.last_ticks
    assert {"trade_outside_market": 1} == answer["markets"]["usdm"]["instruments"]["BTCUSDT"]["refused"]
    assert answer["adds_up"]

    _, plain = replayed(write_recording(tmp_path, [*messages[:2], trade(3_535_191_080, price="28722.50")]))
    assert {} == plain["markets"]["usdm"]["instruments"]["BTCUSDT"]["refused"]


def test_each_way_to_refuse_a_frame_is_counted_by_its_own_name(tmp_path):
    messages = [
        diff(95, 99, 94, bids=[["61800.00", "1.000"]], asks=[["61800.10", "1.000"]]),
        quote(10),
        quote(10),
        quote(9),
        quote(11, bid="61800.20", ask="61800.10"),
        quote(12, bid="70000.00", ask="70000.10"),
        quote(13, bid="61800.05"),
        quote(14, symbol="DOGEUSDT"),
        trade(5),
        trade(5),
        snapshot(100, bids=[["61799.00", "1.000"]], asks=[["61801.00", "1.000"]]),
        diff(101, 103, 99, bids=[["61799.10", "1.000"]]),
        diff(106, 108, 105, bids=[["61799.20", "1.000"]]),
        ("btcusdt@forceOrder", {"e": "forceOrder", "s": "BTCUSDT"}),
    ]
    _, answer = replayed(write_recording(tmp_path, messages))
    accounts = answer["markets"]["usdm"]["instruments"]
    assert {
        "repeated": 1,
        "out_of_order": 1,
        "crossed": 1,
        "jump": 1,
        "trade_repeated": 1,
        "price off the tick, or not above zero": 1,
    } == accounts["BTCUSDT"]["refused"]
    assert {"quotes": 1, "trades": 1, "depth": 3} == accounts["BTCUSDT"]["accepted"]
    assert {"snapshot": 1, "forceOrder": 1} == accounts["BTCUSDT"]["others"]
    assert {"unknown instrument": 1} == accounts["DOGEUSDT"]["refused"]
    assert ("lost", 1) == tuple(
        answer["markets"]["usdm"]["books"]["BTCUSDT"][key] for key in ("state", "gaps")
    )
    assert answer["adds_up"]


def test_a_frame_that_is_late_by_the_tracked_clock_is_refused_though_its_receive_time_is_early(tmp_path):
    """The recorder runs 1.27 s behind: a frame 1.5 s late was received 0.2 s after its own stamp."""
    late = {"E": 1_723_161_255_000 + 5 * 10 - 230, "T": 1_723_161_255_000 + 5 * 10 - 230}
    messages = [*(quote(number) for number in range(1, 6))]
    name, data = quote(6)
    messages.append((name, {**data, "T": late["T"]}))
    _, answer = replayed(write_recording(tmp_path, messages))
    assert {"late": 1} == answer["markets"]["usdm"]["instruments"]["BTCUSDT"]["refused"]


# --- the command ------------------------------------------------------------------------------------------------


def run(*words, **more):
    return subprocess.run(
        [*REPLAY, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **more},
    )


def test_the_command_tells_the_account_and_a_torn_end(tmp_path):
    path = write_recording(tmp_path, [quote(number) for number in range(1, 400)])
    assert 0 == run(str(path)).returncode
    path.write_bytes(path.read_bytes()[:-200])
    done = run(str(path), "--json")
    answer = json.loads(done.stdout)
    assert 0 == done.returncode
    assert 0 < answer["read"] < 399
    assert answer["adds_up"]
    assert done.stderr.startswith(f"holdfast: {path}: torn after line {answer['read']}: ")
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gone.jsonl_ts.gz"], 2, "gone.jsonl_ts.gz: no such file"),
        (["--speed", "fast", "x"], 2, "--speed: expected a number above zero or max"),
        (["bad.jsonl_ts"], 5, "bad.jsonl_ts:1: not a line of a recording"),
        (["odd.jsonl_ts"], 2, "the units of ABCUSDT are not known"),
    ],
)
def test_what_cannot_be_replayed_is_one_line_and_a_code(tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    Path("bad.jsonl_ts").write_text("nothing of the kind\n")
    stream, data = quote(1, symbol="ABCUSDT")
    Path("odd.jsonl_ts").write_text(f"{10**18} {json.dumps({'stream': stream, 'data': data})}\n")
    done = run(*words)
    assert (code, 1) == (done.returncode, done.stderr.count("\n"))
    assert said in done.stderr


def test_a_speed_is_kept(tmp_path):
    """A hundred frames, 10 ms apart, at ten times their speed: a tenth of a second, and not at once."""
    from time import monotonic

    from holdfast.app.options import ReplayOptions
    from holdfast.app.replay import main

    path = write_recording(tmp_path, [quote(number) for number in range(1, 102)])
    began = monotonic()
    assert 0 == main(ReplayOptions(files=(str(path),), speed=10.0, json=True))
    assert monotonic() - began >= 0.1


# --- equities ---------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_a_split_day_is_refused_for_pricing_until_the_split_is_applied(data_dir):  # noqa: F811
    """Seven shares for one: by the core's own jump rule three quotes in a row would have made the new scale a price."""
    folder = data_dir / "equities_lean" / "minute" / "aapl"
    (provider,), held = replayed(folder)
    account = held["markets"]["equities"]["instruments"]["AAPL"]
    market = provider.ingest.state.live.markets["AAPL"]
    assert account["refused"]["split_unapplied"] > 1_000
    # valued in the old scale, priced from in none, and held until a person has applied the split
    assert (0, True) == (market.bid_ticks, market.mid2_ticks > 12_000_000)
    assert [(HoldCause.SPLIT, "AAPL")] == [
        (hold.cause, hold.scope.instrument)
        for hold in provider.ingest.state.books.holds.holds.values()
        if hold.cause is HoldCause.SPLIT
    ]
    assert held["adds_up"]

    (provider,), applied = replayed(folder, apply_splits=True)
    account = applied["markets"]["equities"]["instruments"]["AAPL"]
    market = provider.ingest.state.live.markets["AAPL"]
    assert "split_unapplied" not in account["refused"]
    # the open and the high of the day's first bar, and a placeholder bid of one dollar, are of no scale of that day
    assert account["refused"]["off_scale"] >= 2
    assert 900_000 < market.bid_ticks < 950_000
    assert applied["adds_up"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "crossed", "locked"),
    [("ibm/20131007", 86, 648), ("ibm/20131010", 49, 238)],
)
def test_a_crossed_running_touch_is_counted_and_never_a_price(data_dir, name, crossed, locked):  # noqa: F811
    """In regular hours exactly as often as the data says of itself; both are refused as crossed."""
    path = data_dir / "equities_lean" / "tick" / f"{name}_quote.zip"
    (provider,) = providers([str(path)])
    midnight_ns = provider.files[0].lean.midnight_ns
    found = Counter()

    def hear(raw, event, why):
        at_ms = (event.wall_ns - midnight_ns) // 1_000_000
        if why == "crossed" and 34_200_000 <= at_ms < 57_600_000:
            found["crossed" if event.bid_ticks > event.ask_ticks else "locked"] += 1

    provider.ingest.on_refused = hear
    for _, file, line in lines_of((provider,)):
        provider.take(file, line)
    assert {"crossed": crossed, "locked": locked} == found
    market = provider.ingest.state.live.markets["IBM"]
    assert market.bid_ticks < market.ask_ticks
    assert accounting((provider,))["adds_up"]


# --- garbage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_recording_holds_each_line_is_accounted_for_or_the_line_is_named(tmp_path, seed):
    """Bytes changed, lines cut, times of any year: an account that adds up, or one error with file and line."""
    rng = random.Random(seed)
    messages = [quote(1), trade(1), diff(1, 2, 0), snapshot(2), *(quote(number) for number in range(2, 30))]
    lines = gzip.decompress(write_recording(tmp_path, messages).read_bytes()).splitlines()
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(lines))
        line = bytearray(lines[at])
        if rng.random() < 0.6:
            line[rng.randrange(20, len(line))] = rng.randrange(256)
        elif rng.random() < 0.5:
            line = line[: rng.randrange(len(line))]
        else:
            line = bytearray(b"%d" % rng.choice([0, 1, 10**17, 10**40])) + line[19:]
        lines[at] = bytes(line) or b"x"
    path = tmp_path / "odd.jsonl_ts"
    path.write_bytes(b"\n".join(lines) + b"\n")
    answer, said = None, ""
    try:
        _, answer = replayed(path)
    except CorruptRecording as error:
        said = str(error)
    assert (answer is None) == said.startswith(f"{path}:")
    assert "\n" not in said
    if answer is not None:
        assert answer["adds_up"]
        assert answer["read"] == len(path.read_bytes().split(b"\n")) - 1
