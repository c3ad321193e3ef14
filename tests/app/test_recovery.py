"""Books from the disk: the fold of the facts is the state that wrote them."""

from pathlib import Path

from holdfast.app.backtest import DEMO_CONFIG, backtest
from holdfast.app.options import BacktestOptions
from holdfast.app.parts import open_state
from holdfast.config.load import load
from holdfast.core.state import State
from holdfast.journal.snapshots import save_snapshot
from holdfast.runtime.recover import encode_kept


def test_folding_the_journal_gives_the_books_that_were_hashed_at_the_stop(tmp_path: Path) -> None:
    result = backtest(load(DEMO_CONFIG), BacktestOptions(quotes=1500, seed=2), tmp_path)
    disk = open_state(tmp_path, account="demo")
    assert result["books_hash"] == State(disk.kept.books).books_hash()
    disk.opened.journal.close()


def test_a_snapshot_and_the_facts_behind_it_give_the_same_books(tmp_path: Path) -> None:
    """Otherwise a restart after a snapshot would trade on other books than one without."""
    result = backtest(load(DEMO_CONFIG), BacktestOptions(quotes=1500, seed=2), tmp_path)
    disk = open_state(tmp_path, account="demo")
    assert save_snapshot(str(disk.journal_dir), disk.opened.journal.anchor(), encode_kept(disk.kept)) is None
    disk.opened.journal.close()
    again = open_state(tmp_path, account="demo")
    assert again.opened.snapshot is not None
    assert result["books_hash"] == State(again.kept.books).books_hash()
    again.opened.journal.close()
