"""Units. Money is integers; names carry the unit.

* ``price_ticks``: multiples of the instrument's tick.  ``qty_lots``: multiples of its lot, > 0 for a size.
* ``position_lots``: signed, long positive.
* ``*_e8``: an amount of an asset in units of 10⁻⁸.
* ``*_ppm``: a ratio in parts per million.  ``*_bps``: in parts per ten thousand.
* ``wall_ns``: nanoseconds since the epoch by this machine's wall clock; ``venue_ns``: by the venue's clock;
  ``mono_ns``: nanoseconds of CLOCK_BOOTTIME, which never steps and counts through a suspend.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Final

E8: Final = 100_000_000
PPM: Final = 1_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000


def ceil_div(numerator: int, denominator: int) -> int:
    """Quotient rounded up (towards plus infinity)."""
    return -(-numerator // denominator)


class NotANumber(ValueError):
    """A text that is not a finite decimal, or not a whole number of the unit asked for."""


def decimal_of(text: str) -> Decimal:
    """Parse a finite decimal.

    Errors: NotANumber for anything else ("nan", "inf", "" included).
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise NotANumber(f"not a number: {text!r}") from None
    if not number.is_finite():
        raise NotANumber(f"not a finite number: {text!r}")
    return number


def whole_units(text: str, unit: Decimal) -> int:
    """How many ``unit`` the decimal ``text`` is, exactly.

    Errors: NotANumber when it is not a finite decimal or not a whole multiple.
    """
    quotient = decimal_of(text) / unit
    units = int(quotient)
    if units * unit != decimal_of(text):
        raise NotANumber(f"{text} is not a whole multiple of {unit}")
    return units


def units_floor(text: str, unit: Decimal) -> int:
    """How many whole ``unit`` fit into the decimal ``text``, rounded towards minus infinity."""
    return int((decimal_of(text) / unit).to_integral_value(rounding=ROUND_FLOOR))


def units_ceil(text: str, unit: Decimal) -> int:
    """How many whole ``unit`` cover the decimal ``text``, rounded towards plus infinity."""
    return int((decimal_of(text) / unit).to_integral_value(rounding=ROUND_CEILING))


_PERCENT: Final = Decimal(1).scaleb(-4)  # of a millionth
E8_UNIT: Final = Decimal(1).scaleb(-8)


def e8_of(text: str) -> int:
    """An amount in 10⁻⁸, rounded towards minus infinity beyond the eighth digit (against us)."""
    return units_floor(text, E8_UNIT)


def text_of(units: int, unit: Decimal) -> str:
    """``units × unit`` as a plain decimal string: never an exponent, no trailing zeros.

    The zeros matter on the wire: Binance signs and checks the literal text.
    """
    number = format(units * unit, "f")
    return number.rstrip("0").rstrip(".") if "." in number else number


def e8_text(amount_e8: int) -> str:
    """An amount in 10⁻⁸ as a plain decimal string."""
    return text_of(amount_e8, E8_UNIT)


def percent_text(ppm: int) -> str:
    """A share in millionths as people read it, to its last digit."""
    return text_of(ppm, _PERCENT) + " %"
