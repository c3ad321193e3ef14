"""No price of one scale is compared with one of another: the guard refuses until the split is applied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.ingest.corporate import (
    OFF_SCALE,
    SPLIT_UNAPPLIED,
    SplitGuard,
    SplitSeen,
    factor_on,
    split_between,
    split_seen,
)
from holdfast.vocab.corporate import FactorRow, Ratio
from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.units import E8

SEVEN = (
    FactorRow(date=20140606, price_e8=90_118_180, split_e8=3_571_430, close_ticks=6_455_700),
    FactorRow(date=20140806, price_e8=90_118_180, split_e8=25_000_000),
    FactorRow(date=20501231, price_e8=E8, split_e8=E8),
)


def test_a_factor_holds_up_to_and_including_its_date():
    assert [SEVEN[0], SEVEN[0], SEVEN[1], None] == [
        factor_on(SEVEN, date) for date in (19990101, 20140606, 20140607, 20510101)
    ]


def test_a_file_that_rounds_still_says_one_to_seven():
    assert Ratio(1, 7) == split_between(SEVEN, before=20140606, date=20140609)
    assert None is split_between(SEVEN, before=20140605, date=20140606)
    assert 922_243 == Ratio(1, 7).of(6_455_700)


@given(st.integers(1, 10), st.integers(1, 30), st.integers(10**6, 10**8), st.booleans())
def test_any_ratio_of_small_numbers_is_found_again_behind_rounding(small, large, scale, up):
    old, new = (small * scale, large * scale) if up else (large * scale, small * scale)
    rows = (
        FactorRow(date=1, price_e8=E8, split_e8=old + 1),
        FactorRow(date=2, price_e8=E8, split_e8=new),
    )
    found = split_between(rows, before=1, date=2)
    if found is None:
        assert old + 1 == new
    else:
        assert (
            abs(found.up * new - found.down * old)
            <= 200 * found.down * old // 1_000_000 + found.up + found.down
        )


@pytest.mark.parametrize(
    ("due", "price", "seen"),
    [
        (Ratio(1, 7), 926_900, SplitSeen.SEEN),
        (Ratio(1, 7), 6_455_700, SplitSeen.NOT_SEEN),
        (None, 6_400_000, SplitSeen.NONE),
        (None, 926_900, SplitSeen.UNANNOUNCED),
        (None, 13_000_000, SplitSeen.UNANNOUNCED),
    ],
)
def test_the_first_price_of_a_day_is_held_against_what_is_due(due, price, seen):
    assert seen is split_seen(due, close_ticks=6_455_700, price_ticks=price)


def test_nothing_is_priced_on_a_split_day_until_it_is_applied():
    """Every price that is known by then, the limits' and the positions' too, is in the old scale."""
    guard = SplitGuard(rows=SEVEN)
    assert None is guard.begin_day(20140606)
    assert "" == guard.judge(6_455_700)

    due = guard.begin_day(20140609)

    assert Ratio(1, 7) == due
    assert [SPLIT_UNAPPLIED, SPLIT_UNAPPLIED] == [guard.judge(922_300), guard.judge(6_455_700)]
    guard.apply(due)
    assert [OFF_SCALE, "", OFF_SCALE] == [guard.judge(price) for price in (6_455_700, 922_300, 10_000)]
    assert None is guard.begin_day(20140609)


def test_splits_that_nobody_applied_add_up():
    rows = (
        FactorRow(date=1, price_e8=E8, split_e8=E8 // 6),
        FactorRow(date=2, price_e8=E8, split_e8=E8 // 2),
        FactorRow(date=3, price_e8=E8, split_e8=E8),
    )
    guard = SplitGuard(rows=rows)
    for date in (1, 2, 3):
        guard.begin_day(date)
    assert Ratio(1, 6) == guard.due


def test_another_ratio_than_the_due_one_is_our_own_mistake():
    guard = SplitGuard(rows=SEVEN)
    guard.begin_day(20140606)
    guard.begin_day(20140609)
    with pytest.raises(InvariantBroken, match="what is applied is what is due"):
        guard.apply(Ratio(1, 2))
