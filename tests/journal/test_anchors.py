"""Anchors outside: what they say is what the journal said when it was young."""

import pytest

from holdfast.journal import verify
from holdfast.journal.anchors import keep_anchor, read_anchors
from tests.journal.records import a_journal, a_timer


def test_anchors_kept_in_a_file_prove_the_journal_later(tmp_path):
    """A file on another machine is enough."""
    path = str(tmp_path / "anchors")
    journal = a_journal(tmp_path / "j", 10)
    for _ in range(3):
        journal.append(a_timer(), 0)
        journal.sync()
        keep_anchor(path, journal.anchor())
    journal.close()

    assert [10, 11, 12] == [anchor.index for anchor in read_anchors(path)]
    assert verify(str(tmp_path / "j"), anchors=read_anchors(path)).ok


@pytest.mark.parametrize(
    "line", ["x", "-1 " + "0" * 32, "5", "5 abc", "5 " + "Z" * 32, "5 " + "0" * 33, "5  " + "0" * 32]
)
def test_a_line_that_is_no_anchor_is_named(tmp_path, line):
    """Left out, it would be the one that mattered."""
    path = tmp_path / "anchors"
    path.write_text("4 " + "a" * 32 + "\n\n" + line + "\n")
    with pytest.raises(ValueError, match=r"anchors: line 3: not an anchor"):
        read_anchors(str(path))
