"""A client order id carries account, epoch and sequence, and is never anybody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vocab.ids import EPOCH_MAX, client_id_text, epoch_of, order_id_from_text, order_id_of
from holdfast.vocab.invariant import InvariantBroken

TAGS = st.integers(0, (1 << 64) - 1)
ORDERS = st.builds(order_id_of, epoch=st.integers(1, EPOCH_MAX), sequence=st.integers(1, (1 << 40) - 1))


@given(TAGS, ORDERS)
def test_it_survives_the_venue(tag: int, order_id: int) -> None:
    text = client_id_text(account_tag=tag, order_id=order_id)
    assert 27 == len(text)
    assert text.isalnum()
    assert order_id == order_id_from_text(text, account_tag=tag)


@given(TAGS, TAGS, ORDERS)
def test_another_accounts_order_is_not_ours(tag: int, other: int, order_id: int) -> None:
    """Two bots on two accounts of one venue must not take each other's orders for their own."""
    text = client_id_text(account_tag=tag, order_id=order_id)
    assert (order_id_from_text(text, account_tag=other) == order_id) == (tag == other)


@pytest.mark.parametrize("text", ["", "web_abc", "hf", "hf" + "z" * 24, "hf" + "!" * 25, "xx" + "0" * 25])
def test_foreign_texts_are_foreign(text: str) -> None:
    assert order_id_from_text(text, account_tag=1) is None


def test_the_epoch_is_in_the_id_and_bounded() -> None:
    assert 7 == epoch_of(order_id_of(epoch=7, sequence=9))
    with pytest.raises(InvariantBroken, match="the epoch fits"):
        order_id_of(epoch=EPOCH_MAX + 1, sequence=1)
