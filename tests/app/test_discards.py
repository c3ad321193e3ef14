"""A refused frame that is read back from its file is refused again, for the same reason."""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from holdfast.app.discards import read
from holdfast.app.options import DiscardsOptions
from holdfast.core.step.judged import judged_by
from holdfast.journal.discards import Discard, DiscardFile, discards_in
from holdfast.sim.sources.specs import KNOWN
from tests.simulate.bad_feed import FAULTS, NAMES, BadRoad


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory):
    """Everything that a bad road made the core refuse, kept as a bot keeps it."""
    state_dir = tmp_path_factory.mktemp("bot")
    file = DiscardFile(state_dir / "discards", tuple(KNOWN[name] for name in NAMES))

    def keep(raw, event, why):
        file.keep(
            Discard(
                wall_ns=event.wall_ns,
                mono_ns=event.mono_ns,
                feed="road",
                codec="binance-usdm",
                instrument=event.instrument,
                reason=why,
                raw=raw,
                against=msgspec.Raw(judged_by(road.ingest.state, event)),
            )
        )

    for seed in range(6):
        road = BadRoad(seed, FAULTS, seconds=14, on_refused=keep)
        road.run()
    file.flush()
    assert not file.unkept_count
    return state_dir


def test_each_is_refused_again_for_the_same_reason(state_dir):
    answer = read(state_dir / "discards", DiscardsOptions(state_dir=str(state_dir), again=True))
    assert (0, []) == (
        answer["otherwise"],
        [row for row in answer["newest"] if row["reason"] != row["again"]],
    )
    assert answer["kept"] > 50
    assert {"late", "early", "repeated", "out_of_order", "crossed", "cross_source", "not a frame"} <= set(
        answer["reasons"]
    )
    assert {"trade_repeated", "trade_late", "depth_repeated"} <= set(answer["reasons"])


def test_a_reason_that_does_not_hold_any_more_is_said(state_dir, tmp_path):
    """What is kept beside the frame is what it is judged by: other numbers, another verdict."""
    head, discard = next(pair for pair in discards_in(state_dir / "discards") if pair[1].reason == "crossed")
    file = DiscardFile(tmp_path / "discards", head.instruments)
    file.keep(msgspec.structs.replace(discard, reason="late"))
    for _ in range(30):  # and is the one that is shown, however long ago it was
        file.keep(discard)
    file.flush()
    answer = read(tmp_path / "discards", DiscardsOptions(state_dir=str(tmp_path), again=True))
    assert 1 == answer["otherwise"]
    assert [("late", "crossed")] == [(row["reason"], row["again"]) for row in answer["newest"]]


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "discards", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_the_command_tells_them_and_judges_them_again(state_dir):
    done = run("--state-dir", str(state_dir), "--again", "--last", "3", "--reason", "crossed")
    assert (0, "") == (done.returncode, done.stderr)
    assert "each is refused again for the same reason" in done.stdout
    answer = json.loads(run("--state-dir", str(state_dir), "--json").stdout)
    assert 20 == len(answer["newest"])
    assert sum(answer["reasons"].values()) == answer["kept"]


def test_a_place_without_any_says_so(tmp_path):
    assert "nothing of that kind is kept" in run("--state-dir", str(tmp_path)).stdout
    done = run("--state-dir", str(tmp_path / "gone"))
    assert (2, 1) == (done.returncode, done.stderr.count("\n"))
