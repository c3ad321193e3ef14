"""The table of what a reply proves: whole, and conservative."""

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
)
from holdfast.venues.transport.failure import Cause
from holdfast.vocab.outcome import Fatal, Fault, Transient, Unknown

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
            assert Unknown(why="words", code=str(code), unlisted=True, fault=row.fault) == failure
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


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("fault", "codes", "statuses"),
    [
        (
            Fault.AUTH,
            (-1002, -1005, -1011, -1022, -1099, -1109, -2014, -2015, -2017),
            (401,),
        ),
        (Fault.RETIRED, (-1016, -5000), (404, 410)),
        (Fault.CLOCK, (-1021, -5028), ()),
    ],
)
def test_what_a_reply_says_beside_its_request_is_told_whatever_was_asked(fault, codes, statuses, kind):
    """A refused key that passes for one refused order is how a bot goes on knocking for hours."""
    for code in codes:
        failure = classify(kind, status=400, code=code, why="")
        if kind in CODES[code].verdicts or fault is not Fault.CLOCK:
            assert fault is failure.fault
    for status in statuses:
        failure = classify(kind, status=status, code=None, why="")
        assert (fault, Unknown, True) == (failure.fault, type(failure), failure.unlisted)


def test_no_other_row_claims_a_fault():
    """Each one holds the account: an order refused for its price must not."""
    faulty = {code for code, row in CODES.items() if row.fault is not None}
    assert {
        *(-1002, -1005, -1011, -1022, -1099, -1109, -2014, -2015, -2017, -1016, -5000, -1021, -5028)
    } == faulty
