"""A limit's number as a person types it, into the core's whole number: the same texts as in the configuration."""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from holdfast.config.values import Amount, BadValue, Duration, Multiple, Ratio
from holdfast.vocab.governed import Counted, Limit
from holdfast.vocab.limits import Settings
from holdfast.vocab.units import E8_UNIT

_COUNT_MAX: Final = 10_000


def read_number(limit: Limit, text: str, settings: Settings) -> int:
    """The number, rounded down where it is not a whole one.

    Errors: BadValue for a text that is no such number, in another unit, or less than one of what is counted.
    """
    match limit.row.counted:
        case Counted.MONEY:
            return _units(Amount.read(text), E8_UNIT, settings.settle_asset)
        case Counted.LOTS:
            spec = next(one for one in settings.instruments if one.instrument == limit.scope.instrument)
            return _units(Amount.read(text), Decimal(spec.lot), spec.base_asset)
        case Counted.SHARE:
            return Ratio.read(text).ppm
        case Counted.MULTIPLE:
            return Multiple.read(text).ppm
        case Counted.WAIT:
            return Duration.read(text).ms
        case Counted.TIMES:
            if re.fullmatch(r"[0-9]{1,6}", text) is None or not 0 < int(text) <= _COUNT_MAX:
                raise BadValue(f"expected a whole number from 1 to {_COUNT_MAX}, got {text[:40]!r}")
            return int(text)


def _units(amount: Amount, unit: Decimal, asset: str) -> int:
    if amount.unit and amount.unit != asset:
        raise BadValue(f"expected an amount of {asset}, got {amount}")
    units = int((amount.number / unit).to_integral_value(rounding=ROUND_FLOOR))
    if not 0 < units < 1 << 63:
        raise BadValue(f"{amount} cannot be counted in units of {unit} {asset}")
    return units
