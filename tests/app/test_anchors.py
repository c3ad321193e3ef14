"""``holdfast journal verify --anchors FILE``: what a chain alone cannot see."""

import pytest

from holdfast.app.errors import Exit, HoldfastError
from holdfast.app.journal import main
from holdfast.app.options import JournalAction, JournalOptions
from tests.journal.records import a_journal


@pytest.fixture
def verified(tmp_path):
    """Proves the journal there; returns the exit code."""

    def verify() -> int:
        return main(
            JournalOptions(
                action=JournalAction.VERIFY, state_dir=str(tmp_path), anchors=str(tmp_path / "anchors")
            )
        )

    return verify


def written(path, count):
    """Another journal in its place, as whoever has the key to the directory could write it."""
    for old in path.glob("*") if path.exists() else ():
        old.unlink()
    a_journal(path, count).close()


def test_each_proof_adds_its_end_and_a_journal_that_lacks_it_is_bad(tmp_path, verified, capsys):
    journal, told = tmp_path / "journal", tmp_path / "anchors"
    written(journal, 10)
    assert Exit.OK == verified()
    assert ["9"] == [line.split()[0] for line in told.read_text().splitlines()]
    assert f"ends with: {told.read_text()}" in capsys.readouterr().out

    written(journal, 6)  # whole in itself
    assert Exit.JOURNAL_CORRUPT == verified()
    assert "record 9 is missing: the journal ends with record 5" in capsys.readouterr().err
    assert 1 == len(told.read_text().splitlines())  # what is bad is no proof of anything


def test_anchors_that_cannot_be_read_prove_nothing(tmp_path, verified):
    written(tmp_path / "journal", 3)
    (tmp_path / "anchors").write_text("two words\n")
    with pytest.raises(HoldfastError, match="anchors: line 1: not an anchor"):
        verified()
