"""The reference pages that are written from the code say what the code says."""

import importlib.util
from types import ModuleType

import pytest

from tests.repo.reading import ROOT


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("holdfast_docs", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_generated_page_is_stale(docs):
    assert [] == docs.stale(), "run `make docs`"


def test_a_page_that_was_edited_by_hand_is_noticed(docs, tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "REFERENCE", tmp_path)
    assert list(docs.PAGES) == docs.stale()
    for name, make in docs.PAGES.items():
        (tmp_path / name).write_text(make(), encoding="utf-8")
    (tmp_path / "holds.md").write_text("trust me\n")
    assert ["holds.md"] == docs.stale()


def test_a_key_of_the_configuration_needs_its_words(docs, monkeypatch):
    """A page with a gap would look as if the key did nothing."""
    monkeypatch.setattr(
        docs.words, "KEYS", {key: text for key, text in docs.words.KEYS.items() if key[1] != "collar"}
    )
    with pytest.raises(SystemExit, match=r"no words for limits\.instrument\.INSTRUMENT: collar"):
        docs.configuration()
