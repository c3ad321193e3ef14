"""The whole core in virtual time against the venue in process, from quotes to equal books, hash for hash."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def holdfast(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *words],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
    )


def a_backtest(state_dir: Path, **environment: str) -> dict[str, Any]:
    done = holdfast(
        "backtest", "--quotes", "4000", "--seed", "5", "--json", "--state-dir", str(state_dir), **environment
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    state_dir = tmp_path_factory.mktemp("backtest")
    return state_dir, a_backtest(state_dir, PYTHONHASHSEED="1")


def test_a_folder_with_a_journal_is_refused_with_one_line(ran: tuple[Path, dict[str, Any]]) -> None:
    """Walked again from there, a market that begins anew would be all old quotes."""
    done = holdfast("backtest", "--quotes", "100", "--state-dir", str(ran[0]))
    assert (2, 1) == (done.returncode, done.stderr.count("\n"))
    assert "has a journal already" in done.stderr


def test_it_trades_and_its_books_equal_the_venues(ran: tuple[Path, dict[str, Any]]) -> None:
    """Every trade id with price, size and fee; open orders; positions; the wallet to the last 1e-8."""
    result = ran[1]
    assert result["orders"] > 200
    assert result["fills"] > 100
    assert {"BTCUSDT", "ETHUSDT"} == set(result["fills_by_instrument"])
    assert result["partial_fills"] > 0
    assert result["cancels"] > 0
    assert result["refusals"] > 0
    assert [] == result["books_differ"]
    assert result["books_equal"] is True
    assert 0 == result["open_orders"]


def test_a_replay_in_another_process_comes_to_the_same_state(ran: tuple[Path, dict[str, Any]]) -> None:
    result = ran[1]
    assert result["journal_ok"] is True
    assert result["state_hash"] == result["replay_hash"]


def test_a_second_run_comes_to_the_same_hash_under_another_hash_seed(
    ran: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Nothing in the core may depend on the order of a set or on the machine."""
    again = a_backtest(tmp_path, PYTHONHASHSEED="2")
    for name in ("state_hash", "books_hash", "orders", "fills", "equity", "journal_records"):
        assert ran[1][name] == again[name], name


@pytest.mark.parametrize("part", ["journal", "market"])
def test_one_flipped_byte_makes_the_replay_fail(
    ran: tuple[Path, dict[str, Any]], tmp_path: Path, part: str
) -> None:
    """Evidence that could be edited would be none."""
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(ran[0], copy)
    assert 0 == holdfast("journal", "replay", "--state-dir", str(copy)).returncode
    target = max((copy / part).iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(target.read_bytes())
    used = len(bytes(data).rstrip(b"\0"))
    data[used // 2] ^= 0x01
    target.write_bytes(data)
    done = holdfast("journal", "replay", "--state-dir", str(copy))
    assert done.returncode in {5, 6}, done.stdout
    assert 1 == len(done.stderr.strip().splitlines()), done.stderr


def test_the_chain_can_be_verified_and_the_records_exported(ran: tuple[Path, dict[str, Any]]) -> None:
    verified = holdfast("journal", "verify", "--state-dir", str(ran[0]), "--json")
    assert json.loads(verified.stdout)["ok"] is True
    exported = holdfast("journal", "export", "--state-dir", str(ran[0]))
    lines = exported.stdout.splitlines()
    assert len(lines) == ran[1]["journal_records"]
    assert "started" in lines[0]


def test_a_backtest_whose_strategy_died_ends_with_one_line_and_not_with_success(tmp_path: Path) -> None:
    """Half a run's figures read like a whole one's: a script that compares strategies must not take them."""
    strategy = tmp_path / "dying.py"
    strategy.write_text(
        "from holdfast.strategy import Strategy\n\n\nclass Dying(Strategy):\n"
        "    def on_quote(self, ctx, quote):\n        raise ValueError('tick of none')\n"
    )
    demo = ROOT / "src" / "holdfast" / "app" / "demo.toml"
    text = demo.read_text().replace(
        "holdfast.strategy.examples.momentum_taker:MomentumTaker", "dying.py:Dying"
    )
    (tmp_path / "holdfast.toml").write_text(text)
    for beside in ("demo-caps.toml", "demo-reference.toml"):
        (tmp_path / beside).write_text(demo.with_name(beside).read_text())
    done = holdfast("backtest", "--quotes", "200", "--seed", "5", "--config", str(tmp_path / "holdfast.toml"))
    assert 3 == done.returncode, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert "strategy momentum failed: ValueError: tick of none (dying.py:6 in on_quote)" in line
