"""The life of an order: the whole product of states and happenings, pair by pair."""

import itertools

import pytest

from holdfast.core.orders.lifecycle import FINAL, NEXT, is_final, next_state
from holdfast.vocab.orders import Did, OrderState

S = OrderState
OPEN_STATES = (S.SENT, S.LIVE, S.CANCEL_SENT, S.UNKNOWN)

# Said once more, by hand and in other words than the table: what each happening leads to from each open state.
ENDS = {
    Did.FULL_FILL: S.FILLED,
    Did.CANCELLED: S.CANCELLED,
    Did.EXPIRED: S.EXPIRED,
    Did.REFUSED: S.REJECTED,
}
BY_HAND = {
    (S.SENT, Did.ACK): S.LIVE,
    (S.SENT, Did.PART_FILL): S.LIVE,
    (S.SENT, Did.CANCEL_ASK): S.CANCEL_SENT,
    (S.SENT, Did.NOT_SENT): S.UNSENT,
    (S.SENT, Did.GO_SILENT): S.UNKNOWN,
    (S.LIVE, Did.ACK): S.LIVE,
    (S.LIVE, Did.PART_FILL): S.LIVE,
    (S.LIVE, Did.CANCEL_ASK): S.CANCEL_SENT,
    (S.LIVE, Did.GO_SILENT): S.UNKNOWN,
    (S.CANCEL_SENT, Did.ACK): S.CANCEL_SENT,
    (S.CANCEL_SENT, Did.PART_FILL): S.CANCEL_SENT,
    (S.CANCEL_SENT, Did.CANCEL_ASK): S.CANCEL_SENT,
    (S.CANCEL_SENT, Did.CANCEL_REFUSED): S.UNKNOWN,
    (S.CANCEL_SENT, Did.NOT_SENT): S.UNSENT,
    (S.CANCEL_SENT, Did.GO_SILENT): S.UNKNOWN,
    (S.UNKNOWN, Did.ACK): S.LIVE,
    (S.UNKNOWN, Did.PART_FILL): S.LIVE,
    (S.UNKNOWN, Did.CANCEL_ASK): S.UNKNOWN,
    (S.UNKNOWN, Did.CANCEL_REFUSED): S.UNKNOWN,
    (S.UNKNOWN, Did.NOT_SENT): S.UNSENT,
    (S.UNKNOWN, Did.GO_SILENT): S.UNKNOWN,
    (S.UNKNOWN, Did.ABSENT): S.UNSENT,
    (S.UNKNOWN, Did.RESOLVED): S.CANCELLED,
    **{(state, did): end for state in OPEN_STATES for did, end in ENDS.items()},
}
OURS_ALONE = {Did.CANCEL_ASK, Did.ABSENT, Did.RESOLVED}  # never asked of a final order


def expected(state, did):
    if state in FINAL:
        return None if did in OURS_ALONE else state
    return BY_HAND.get((state, did))


@pytest.mark.parametrize(
    ("state", "did"), list(itertools.product(OrderState, Did)), ids=lambda part: part.value
)
def test_every_pair_of_state_and_happening_leads_where_it_should(state, did):
    """A pair that is not in the table is illegal: 9 states by 12 happenings, none left to chance."""
    assert expected(state, did) == next_state(state, did)


def test_the_table_has_no_pair_beyond_the_product():
    assert set(NEXT) <= set(itertools.product(OrderState, Did))


def test_final_is_final():
    """An order that comes back to life fills behind our back."""
    assert {S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED, S.UNSENT} == set(FINAL)
    for state, did in itertools.product(FINAL, Did):
        assert next_state(state, did) in {state, None}
        assert is_final(state)
    assert not any(is_final(state) for state in OPEN_STATES)


def test_only_doubt_can_be_resolved_by_a_person_or_by_absence():
    """A person's signature closes what nobody knows, never what the venue says is live."""
    for did in (Did.ABSENT, Did.RESOLVED):
        assert [S.UNKNOWN] == [state for state in OrderState if next_state(state, did) is not None]


def test_every_open_state_can_end():
    for state in OPEN_STATES:
        reached, new = {state}, {state}
        while new:
            new = {to for old in new for did in Did if (to := next_state(old, did)) is not None} - reached
            reached |= new
        assert set(FINAL) <= reached
