"""Money is integers: texts in, texts out, rounding only where it is named, and then against us."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vocab.instruments import tick_lot_e8
from holdfast.vocab.units import (
    NotANumber,
    ceil_div,
    decimal_of,
    e8_of,
    e8_text,
    text_of,
    units_ceil,
    units_floor,
    whole_units,
)

TICK = Decimal("0.10")


@given(st.integers(-(10**15), 10**15))
def test_ticks_survive_the_way_to_text_and_back(ticks: int) -> None:
    """What we sign is what we meant, to the last digit and without an exponent."""
    text = text_of(ticks, TICK)
    assert "e" not in text.lower()
    assert ticks == whole_units(text, TICK)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "1,5", "0x10", "one"])
def test_what_is_not_a_finite_number_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        decimal_of(text)


def test_a_price_off_the_grid_is_refused_not_rounded() -> None:
    with pytest.raises(NotANumber, match="whole multiple"):
        whole_units("61800.15", TICK)


def test_amounts_beyond_the_eighth_digit_round_against_us() -> None:
    """A balance that is a hair less than shown must not become more."""
    assert 123456789 == e8_of("1.234567899")
    assert -123456790 == e8_of("-1.234567891")
    assert "1.23456789" == e8_text(123456789)


def test_floors_and_ceilings_go_their_way_below_zero_too() -> None:
    assert (-4, -3) == (units_floor("-0.35", TICK), units_ceil("-0.35", TICK))
    assert (4, -3) == (ceil_div(7, 2), ceil_div(-7, 2))


def test_an_instrument_that_cannot_be_counted_exactly_is_refused() -> None:
    assert 10_000 == tick_lot_e8(tick="0.10", lot="0.001")
    with pytest.raises(NotANumber):
        tick_lot_e8(tick="0.0000001", lot="0.01")
