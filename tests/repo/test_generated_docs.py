"""The reference pages that are written from the code say what the code says."""

import importlib.util
import re
import typing
from types import ModuleType

import pytest

from holdfast.vocab import refusals
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


def test_every_refusal_stands_beside_who_gives_it(docs):
    """The one that a helper gives too: who reads a row must see all that may come of it."""
    above, _, _ = docs.gate_page().partition("## Every refusal")
    told = {kind.__struct_config__.tag for kind in typing.get_args(refusals.Refusal)}
    before_the_gate = {"not_allowed", "no_such_own_order"}
    assert told - before_the_gate == set(re.findall(r"\(#(\w+)\)", above))


def test_a_rule_of_the_auditor_is_a_text_where_it_is_asked(docs, monkeypatch):
    """Else its number would lead nowhere."""
    assert "| L1 | positions equal the venue's within 15 s |" in docs.auditor()
    monkeypatch.setattr(docs.inspect, "getsource", lambda _: "must(rule, True)")
    with pytest.raises(SystemExit, match="a rule is a text, written where it is asked"):
        docs.auditor()
