"""Every benchmark runs: a figure that nobody can measure again is worth nothing. Tiny sizes, no figure is judged."""

import asyncio
import json
from pathlib import Path

import pytest

from bench import inprocess, living, machine, orders, our_side, overload, recovery, run, vs_nautilus
from bench.house import START_WALL_NS, frames, instruments, quotes
from bench.our_side import Side
from bench.overload_sender import Blocks
from holdfast.app import backtest
from holdfast.sim.sources import quotes_only
from holdfast.venues.binance.decoder import decoder
from holdfast.vocab.market import Malformed

ROOT = Path(__file__).parents[2]
REQUIRED = (
    "core_quotes_per_s",
    "gate_p50_ns",
    "gate_p99_ns",
    "ws_msgs_per_s",
    "tick_to_order_p50_us",
    "tick_to_order_p99_us",
    "halt_p99_us",
    "recovery_1m_s",
    "recovery_1m_no_snapshot_s",
)
RATIOS = ("feed_ratio", "ws_ratio", "gate_ratio", "tick_to_order_ratio", "backtest_ratio")


def test_prepared_quotes_and_frames_are_all_distinct():
    """The same frame again would be refused by its sequence, and would flatter every cache."""
    assert 500 == len(set(frames(instruments(2), 500, wall_ns=START_WALL_NS)))
    assert 500 == len({(one.instrument, one.seq) for one in quotes(instruments(2), 500)})


def test_what_needs_no_socket_runs(tmp_path):
    assert inprocess.core_quotes_per_s(tmp_path / "a", quotes=500, rounds=1)["core_quotes_per_s"] > 0
    assert inprocess.bytes_quotes_per_s(tmp_path / "d", quotes=500, rounds=1)["bytes_quotes_per_s"] > 0
    assert inprocess.gate_ns(tmp_path / "b", orders=50)["gate_p50_ns"] > 0
    found = inprocess.tick_to_order_in_process(tmp_path / "c", orders=70)
    assert found["tick_to_order_in_process_p50_us"] > 0


def test_cost_is_measured_with_more_instruments_and_more_open_orders(tmp_path, monkeypatch):
    """The sizes of the real run take too long here; the shape of the answer is the same."""
    monkeypatch.setattr(inprocess, "INSTRUMENTS", (2, 5))
    monkeypatch.setattr(inprocess, "OPEN_ORDERS", (0, 3))
    found = inprocess.flatness(tmp_path, quotes=200, rounds=1)
    assert {"2", "5"} == set(found["quote_ns_by_instruments"])
    assert {"0", "3"} == set(found["quote_ns_by_open_orders"])


def test_recovery_finds_the_books_of_the_run_again(tmp_path, monkeypatch):
    """The benchmark itself compares the books' hash; here a journal of a few thousand records."""
    monkeypatch.setattr(recovery, "BEHIND_SNAPSHOT", 1_000)
    monkeypatch.setattr(recovery, "SNAPSHOT_SLACK", 1_000)
    found = recovery.recovery(tmp_path / "state", records=4_000, rounds=1)
    assert found["records_behind_snapshot"] >= 1_000


@pytest.mark.process
def test_an_overload_is_accounted_for_frame_by_frame(tmp_path):
    """What was sent is in the log or counted as left out, and every print came."""
    found = asyncio.run(overload.pace(tmp_path / "pace", rate=20_000, seconds=0.4, halts=0))
    assert found["frames"] == found["received"] == found["accounted"]
    assert found["prints"] == found["prints_at_the_strategy"] > 0
    assert sum(found["refused"].values()) == 0


def test_no_two_frames_of_the_overload_are_the_same():
    blocks = Blocks()
    sent = b"".join(blocks.next(at_ms) for at_ms in range(10**12, 10**12 + 120))
    frames = sent.split(b"\x81")[1:]
    assert 12_000 == len(frames) == len(set(frames))
    decode = decoder(instruments(102)[2:])
    assert not any(isinstance(decode(frame[3:], 0, 0), Malformed | None) for frame in frames)


@pytest.mark.process
def test_frames_reach_the_strategy_over_a_loopback_socket(tmp_path):
    assert living.ws_msgs_per_s(tmp_path, count=2_000, rounds=1)["ws_msgs_per_s"] > 0


@pytest.mark.process
def test_orders_reach_a_socket_and_a_halt_stops_them(tmp_path):
    for name in ("tick", "halt"):
        (tmp_path / name).mkdir()
    assert orders.tick_to_order(tmp_path / "tick", orders=15)["tick_to_order_p50_us"] > 0
    found = orders.halts(tmp_path / "halt", count=1)
    assert 0 == found["orders_permitted_after_a_halt"]
    assert found["orders_written_after_a_halt_max"] <= 1


def test_our_side_of_the_comparison_answers(tmp_path, monkeypatch):
    """Its process leaves the backtest's closing proofs out and hands it quotes made before: so does this test."""
    monkeypatch.setattr(backtest, "summary", our_side.unproven)
    monkeypatch.setattr(backtest, "quotes_only", quotes_only)  # put back afterwards
    side = Side(tmp_path)
    path = tmp_path / "frames"
    path.write_bytes(b"\n".join(frames(instruments(2), 300, wall_ns=START_WALL_NS, first_seq=1_000)))
    assert 300 == side.feed(str(path), recorded=True)["reached"]
    assert 300 == side.feed(str(path), recorded=False)["reached"]
    assert 300 == len(side.tick(str(path), written=False)["ns"])
    assert 2 == side.gate([(1, 20, 6_180_000, 0), (-1, 20, 618_000, 1)])["passed"]
    config = vs_nautilus.backtest_config(tmp_path)
    assert 500 == side.backtest(str(config), 500)["reached"]


def test_every_required_figure_has_a_row():
    """Whoever reads results.json looks for these names."""
    told = {key for row in run.ROWS for key, _ in row.figures}
    assert set(REQUIRED) <= told
    assert set(RATIOS) <= set(vs_nautilus.BOUNDS) == set(vs_nautilus.OURS) == set(vs_nautilus.THEIRS)


@pytest.mark.parametrize(("name", "keys"), [("results.json", REQUIRED), ("vs_nautilus.json", RATIOS)])
def test_the_committed_results_name_their_machine_and_every_figure(name, keys):
    path = ROOT / "bench" / name
    if not path.is_file():
        pytest.skip(f"bench/{name} is not there: make bench and make bench-vs write it")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert set(keys) <= set(found)
    assert {"cpu", "cores", "python", "os"} <= set(found["machine"])


def test_percentiles_are_those_of_the_sorted_values():
    assert (1, 51, 100) == tuple(machine.percentile(range(100, 0, -1), share) for share in (0, 0.5, 1))
