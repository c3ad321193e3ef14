"""The table of what a reply proves: whole, conservative, and the same as its page."""

import os
from pathlib import Path

import pytest

from holdfast.venues.binance.errors import (
    CAUSES,
    CODES,
    Absent,
    AlreadySo,
    Kind,
    Verdict,
    classify,
    classify_cause,
    page,
)
from holdfast.venues.transport.failure import Cause
from holdfast.vocab.outcome import Fatal, Transient, Unknown

PAGE = Path(__file__).parents[2] / "docs/venues/binance.md"
TYPES = {
    Verdict.TRANSIENT: Transient,
    Verdict.FATAL: Fatal,
    Verdict.UNKNOWN: Unknown,
    Verdict.ABSENT: Absent,
    Verdict.DONE: AlreadySo,
}
WRITES = (Kind.PLACE, Kind.AMEND, Kind.CANCEL, Kind.CONFIG)


@pytest.mark.parametrize("kind", Kind)
def test_every_row_says_what_it_says(kind):
    for code, row in CODES.items():
        failure = classify(kind, status=400, code=code, why="words", retry_ms=3)
        verdict = row.verdicts.get(kind)
        if verdict is None:
            assert Unknown(why="words", code=str(code), unlisted=True) == failure
        else:
            assert isinstance(failure, TYPES[verdict])
            assert not getattr(failure, "unlisted", False)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, 503])
def test_a_code_without_a_row_is_unknown_whatever_the_status(status, kind):
    """Nothing is definite unless a row says so."""
    for code in range(-9_999, 0):
        if code not in CODES:
            failure = classify(kind, status=status, code=code, why="")
            assert isinstance(failure, Unknown)
            assert failure.unlisted


@pytest.mark.parametrize("kind", WRITES)
def test_no_status_alone_calls_a_write_definite_but_the_rate_limiters(kind):
    for status in (None, *range(100, 600)):
        failure = classify(kind, status=status, code=None, why="")
        assert isinstance(failure, Transient) == (status in (418, 429))
        assert not isinstance(failure, Fatal)


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("cause", Cause)
def test_only_what_was_never_written_is_transient_on_a_write(cause, kind):
    failure = classify_cause(kind, cause, why="")
    assert isinstance(failure, Transient) == (cause is Cause.NOT_SENT)
    assert isinstance(failure, Unknown) == (cause is not Cause.NOT_SENT)


def test_every_cause_has_a_row():
    assert set(Cause) == set(CAUSES)


def test_absence_is_only_claimed_where_one_order_was_asked_about():
    for code, row in CODES.items():
        for kind, verdict in row.verdicts.items():
            if verdict is Verdict.ABSENT:
                assert (code, kind) in {(-2011, Kind.CANCEL), (-2013, Kind.CANCEL), (-2013, Kind.QUERY)}


def test_the_ambiguous_codes_of_the_venue_are_never_definite_on_a_write():
    for code in (-1000, -1001, -1006, -1007, -1008, -4116):
        for kind in WRITES:
            assert isinstance(classify(kind, status=503, code=code, why=""), Unknown)


def test_the_page_is_the_table():
    """Write it anew with HOLDFAST_WRITE_DOCS=1 set."""
    if os.environ.get("HOLDFAST_WRITE_DOCS"):
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
    assert page() == PAGE.read_text(encoding="utf-8")
