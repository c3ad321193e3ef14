"""The texts that a configuration holds, each read into an exact value once.

A ratio is written ``"5%"``, a duration ``"250ms"``, an amount ``"0.5 BTC"`` (the unit may be left out; where it
is given it is checked). Nothing is read from a TOML number: a binary float cannot hold 0.1, and a bare 5 does
not say whether it is a percentage.
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from holdfast.vocab.invariant import InvariantBroken
from holdfast.vocab.units import PPM, NotANumber, decimal_of

DURATION_MS_MAX: Final = 7 * 24 * 3_600_000
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h)")
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9_]*(?:\.[0-9]+)?")
_TEXT_MAX: Final = 64


class BadValue(ValueError):
    """A text that is not the value asked for: one line, what is wrong and what is expected."""


def _text(raw: object, *, what: str, example: str) -> str:
    if not isinstance(raw, str):
        raise BadValue(f'expected {what} written as text such as "{example}", got {_shown(raw)}')
    text = raw.strip()
    if not text or len(text) > _TEXT_MAX:
        raise BadValue(f'expected {what} such as "{example}", got {_shown(raw)}')
    return text


def _shown(raw: object) -> str:
    if isinstance(raw, str):
        return repr(raw if len(raw) <= _TEXT_MAX else raw[:_TEXT_MAX] + "…")
    words = {bool: "the boolean", int: "the number", float: "the number", list: "a list", dict: "a table"}
    for kind, word in words.items():
        if isinstance(raw, kind):
            return word if kind in {list, dict} else f"{word} {str(raw).lower()}"
    return f"a {type(raw).__name__}"


def _decimal(digits: str, *, raw: str, what: str, example: str) -> Decimal:
    if _NUMBER.fullmatch(digits) is None:
        raise BadValue(f'expected {what} such as "{example}", got {_shown(raw)}')
    try:
        return decimal_of(digits)
    except NotANumber as error:
        raise BadValue(str(error)) from None


class Amount:
    """An exact number above zero and, where the operator wrote one, its unit: ``"25000 USDT"``."""

    __slots__ = ("number", "unit")

    def __init__(self, number: Decimal, unit: str = "") -> None:
        self.number = number
        self.unit = unit

    @classmethod
    def read(cls, raw: object) -> Amount:
        """Errors: BadValue unless it is a finite decimal above zero, optionally followed by a unit."""
        text = _text(raw, what="an amount", example="0.5 BTC")
        digits, _, unit = text.partition(" ")
        number = _decimal(digits, raw=text, what="an amount", example="0.5 BTC")
        if number <= 0:
            raise BadValue(f"expected an amount above zero, got {_shown(text)}")
        if unit and re.fullmatch(r"[A-Za-z0-9]{1,20}", unit) is None:
            raise BadValue(f"expected a unit such as BTC after the number, got {_shown(text)}")
        return cls(number, unit)

    def canonical(self) -> str:
        """The same text for the same number, whatever its zeros; the unit says nothing that the key does not."""
        return format(self.number.normalize(), "f")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"{self.canonical()} {self.unit}".strip()


class Ratio:
    """A share in parts per million, above 0 and at most 100 %; finer than a millionth is cut (against us)."""

    __slots__ = ("ppm",)

    def __init__(self, ppm: int) -> None:
        self.ppm = ppm

    @classmethod
    def read(cls, raw: object) -> Ratio:
        """Errors: BadValue unless it is a percentage above 0 and at most 100."""
        text = _text(raw, what="a percentage", example="5%")
        if not text.endswith("%"):
            raise BadValue(f'expected a percentage such as "5%" (with its % sign), got {_shown(text)}')
        number = _decimal(text[:-1].rstrip(), raw=text, what="a percentage", example="5%")
        ppm = int((number * PPM / 100).to_integral_value(rounding=ROUND_FLOOR))
        if not 0 < ppm <= PPM:
            raise BadValue(f"expected a percentage above 0 and at most 100%, got {_shown(text)}")
        return cls(ppm)

    def canonical(self) -> int:
        return self.ppm

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and self.ppm == other.ppm

    def __hash__(self) -> int:
        return hash(self.ppm)

    def __repr__(self) -> str:
        return f"{format((Decimal(self.ppm) * 100 / PPM).normalize(), 'f')}%"


class Multiple:
    """A multiple, ``"1.5x"`` or ``"150%"``, in parts per million; above 0 and at most 125 (no venue lends more)."""

    __slots__ = ("ppm",)
    MAX: Final = 125

    def __init__(self, ppm: int) -> None:
        self.ppm = ppm

    @classmethod
    def read(cls, raw: object) -> Multiple:
        """Errors: BadValue unless it is a number above 0 and at most 125, with its x, without, or as a percentage."""
        text = _text(raw, what="a multiple", example="1.5x")
        digits = text.removesuffix("%") if text.endswith("%") else text.removesuffix("x")
        number = _decimal(digits.rstrip(), raw=text, what="a multiple", example="1.5x")
        if text.endswith("%"):
            number /= 100
        ppm = int((number * PPM).to_integral_value(rounding=ROUND_FLOOR))
        if not 0 < ppm <= cls.MAX * PPM:
            raise BadValue(f"expected a multiple above 0 and at most {cls.MAX}x, got {_shown(text)}")
        return cls(ppm)

    def canonical(self) -> int:
        return self.ppm

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Multiple) and self.ppm == other.ppm

    def __hash__(self) -> int:
        return hash(self.ppm)

    def __repr__(self) -> str:
        return f"{format((Decimal(self.ppm) / PPM).normalize(), 'f')}x"


class Duration:
    """A length of time in whole milliseconds, at most a week. Zero only where the key says what zero means."""

    __slots__ = ("ms",)

    def __init__(self, ms: int) -> None:
        self.ms = ms

    @classmethod
    def read(cls, raw: object) -> Duration:
        """Errors: BadValue unless it is a number with a unit (ms, s, min, h) of whole milliseconds."""
        text = _text(raw, what="a duration", example="250ms")
        match = _DURATION.fullmatch(text)
        if match is None:
            raise BadValue(f'expected a duration such as "250ms", "5s", "15min" or "1h", got {_shown(text)}')
        ms = Decimal(match[1]) * _UNIT_MS[match[2]]
        if ms != int(ms):
            raise BadValue(f"expected a duration of whole milliseconds, got {_shown(text)}")
        if ms > DURATION_MS_MAX:
            raise BadValue(f"expected a duration of at most a week, got {_shown(text)}")
        return cls(int(ms))

    def canonical(self) -> int:
        return self.ms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.ms == other.ms

    def __hash__(self) -> int:
        return hash(self.ms)

    def __repr__(self) -> str:
        for unit, size in (("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
            if self.ms and self.ms % size == 0:
                return f"{self.ms // size}{unit}"
        return f"{self.ms}ms"


VALUE_TYPES: Final = (Amount, Ratio, Multiple, Duration)


def read_value(kind: type, raw: object) -> object:
    """A msgspec hook for the types of this module. Errors: BadValue; InvariantBroken for another type."""
    for known in VALUE_TYPES:
        if kind is known:
            return known.read(raw)
    raise InvariantBroken("every type of a configuration has a reader", kind=kind.__name__)


def canonical_value(value: object) -> object:
    """A msgspec hook for writing a value of this module canonically. Errors: InvariantBroken for another type."""
    if isinstance(value, Amount | Ratio | Multiple | Duration):
        return value.canonical()
    raise InvariantBroken("every value has a canonical form", kind=type(value).__name__)
