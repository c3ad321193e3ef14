"""Texts into exact values: a size that is read wrong is a wrong size."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.values import Amount, BadValue, Duration, Multiple, Ratio, canonical_value, read_value
from holdfast.vocab.invariant import InvariantBroken


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Amount, "0.5", "0.5"),
        (Amount, "0.50 BTC", "0.5"),
        (Amount, "25_000 USDT", "25000"),
        (Ratio, "5%", 50_000),
        (Ratio, "5 %", 50_000),
        (Ratio, "0.00019%", 1),
        (Ratio, "100%", 1_000_000),
        (Multiple, "1.5x", 1_500_000),
        (Multiple, "2", 2_000_000),
        (Duration, "250ms", 250),
        (Duration, "1.5s", 1_500),
        (Duration, "15 min", 900_000),
        (Duration, "1h", 3_600_000),
        (Duration, "0s", 0),
    ],
)
def test_a_text_becomes_an_exact_value(kind, text, expected):
    assert expected == kind.read(text).canonical()


NO_NUMBERS = [
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "NaN%",
    "1e3",
    "abc",
    "0x10",
    "1,5",
    "٣",
    "1.",
    ".5",
    "9" * 70,
    "1 2 3",
]


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("kind", [Amount, Ratio, Multiple, Duration])
def test_what_is_no_number_is_refused(kind, text):
    """ "nan" compares false with every limit: it would permit everything."""
    with pytest.raises(BadValue, match="expected"):
        kind.read(text)


@pytest.mark.parametrize("raw", [5, 0.05, True, None, [], {}, b"5%"])
@pytest.mark.parametrize("kind", [Amount, Ratio, Multiple, Duration])
def test_only_text_is_read(kind, raw):
    """A TOML float cannot hold 0.1, and a bare 5 does not say whether it is a percentage."""
    with pytest.raises(BadValue, match="written as text"):
        kind.read(raw)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Amount, "0"),
        (Amount, "-0.5"),
        (Amount, "-0"),
        (Amount, "1 B T C"),
        (Ratio, "5"),
        (Ratio, "0%"),
        (Ratio, "-5%"),
        (Ratio, "101%"),
        (Ratio, "0.00001%"),
        (Multiple, "0x"),
        (Multiple, "126x"),
        (Multiple, "-1.5x"),
        (Duration, "5"),
        (Duration, "-5s"),
        (Duration, "5 seconds"),
        (Duration, "0.5ms"),
        (Duration, "8000h"),
        (Duration, "1m"),
    ],
)
def test_what_is_out_of_range_or_without_its_unit_is_refused(kind, text):
    with pytest.raises(BadValue, match="expected"):
        kind.read(text)


@given(st.text())
def test_any_text_is_a_value_or_a_one_line_refusal(text):
    for kind in (Amount, Ratio, Multiple, Duration):
        said = ""
        try:
            kind.read(text)
        except BadValue as error:
            said = str(error)
        assert len(said.splitlines()) <= 1


@given(st.integers(min_value=1, max_value=7 * 86_400_000))
def test_a_duration_shown_reads_back_as_itself(ms):
    assert Duration(ms) == Duration.read(repr(Duration(ms)))


def test_a_type_that_nobody_reads_is_our_own_mistake_and_not_the_files():
    """Reported as a bad value it would send a person to a file that is right."""
    with pytest.raises(InvariantBroken, match="has a reader"):
        msgspec.convert("5%", complex, dec_hook=read_value)
    with pytest.raises(InvariantBroken, match="canonical form"):
        msgspec.json.encode(1j, enc_hook=canonical_value)
