"""What factor files say of splits."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.ingest.corporate import factor_on, split_between
from holdfast.vocab.corporate import FactorRow, Ratio
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
