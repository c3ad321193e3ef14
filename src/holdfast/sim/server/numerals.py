"""Integers to the decimal texts that Binance writes, and back.

Binance pads: REST prices carry the symbol's price precision, quantities its quantity precision, money eight
digits. User-stream prices and quantities come without trailing zeros.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from holdfast.sim.model import Refused
from holdfast.vocab.instruments import InstrumentSpec

_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


def fixed(units: int, decimals: int) -> str:
    """``units`` of 10^-decimals with exactly that many decimals."""
    if decimals == 0:
        return str(units)
    sign, units = ("-", -units) if units < 0 else ("", units)
    scale = 10**decimals
    return f"{sign}{units // scale}.{units % scale:0{decimals}d}"


def bare(text: str) -> str:
    """Without trailing zeros: "0" for nothing at all."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amount_e8: int) -> str:
    """An amount in 10⁻⁸ with its eight decimals."""
    return fixed(amount_e8, 8)


def money_or_zero(amount_e8: int) -> str:
    """The same, but a plain "0" for nothing: how some of Binance's fields look."""
    return fixed(amount_e8, 8) if amount_e8 else "0"


def rounded(numerator: int, denominator: int) -> int:
    """Nearest integer of a quotient, halves away from zero; the denominator is positive."""
    if numerator < 0:
        return -rounded(-numerator, denominator)
    return (2 * numerator + denominator) // (2 * denominator)


def _decimals(step: str) -> int:
    return len(step.partition(".")[2])


class Numerals:
    """One symbol's way of writing prices, quantities and averages. Made once per spec."""

    __slots__ = ("lot_unit", "price_decimals", "qty_decimals", "quote_decimals", "spec", "tick_unit")

    def __init__(self, spec: InstrumentSpec) -> None:
        self.spec = spec
        self.price_decimals = _decimals(spec.tick)
        self.qty_decimals = _decimals(spec.lot)
        self.quote_decimals = min(8, self.price_decimals + self.qty_decimals)
        self.tick_unit = int(Decimal(spec.tick).scaleb(self.price_decimals))
        self.lot_unit = int(Decimal(spec.lot).scaleb(self.qty_decimals))

    def price(self, ticks: int) -> str:
        """A price with the symbol's precision."""
        return fixed(ticks * self.tick_unit, self.price_decimals)

    def qty(self, lots: int) -> str:
        """A quantity with the symbol's precision."""
        return fixed(lots * self.lot_unit, self.qty_decimals)

    def bare_price(self, ticks: int) -> str:
        """A price as the user stream writes it."""
        return bare(self.price(ticks))

    def bare_qty(self, lots: int) -> str:
        """A quantity as the user stream writes it."""
        return bare(self.qty(lots))

    def average(self, cost_tick_lots: int, lots: int, decimals: int | None = None) -> str:
        """Price × lots over lots, rounded to the nearest; three decimals beyond the tick's unless told."""
        decimals = self.price_decimals + 3 if decimals is None else decimals
        if lots == 0:
            return fixed(0, decimals)
        scale = self.tick_unit * 10 ** (decimals - self.price_decimals)
        if lots < 0:
            cost_tick_lots, lots = -cost_tick_lots, -lots
        return fixed(rounded(cost_tick_lots * scale, lots), decimals)

    def average_of_money(self, cost_e8: int, lots: int) -> str:
        """Money over a quantity: a price with eight decimals. Both may be negative."""
        if lots == 0:
            return fixed(0, 8)
        if lots < 0:
            cost_e8, lots = -cost_e8, -lots
        return fixed(rounded(cost_e8 * 10**self.qty_decimals, lots * self.lot_unit), 8)

    def notional_e8(self, tick_lots: int) -> int:
        """Price × lots as money."""
        return tick_lots * self.spec.tick_lot_e8

    def quote(self, tick_lots: int) -> str:
        """Price × lots with as many decimals as price and quantity have together."""
        return fixed(self.notional_e8(tick_lots) // 10 ** (8 - self.quote_decimals), self.quote_decimals)

    def mark(self, ticks: int) -> str:
        """A mark or index price: eight decimals."""
        return fixed(ticks * self.tick_unit * 10 ** (8 - self.price_decimals), 8)

    def ticks_of(self, text: str, name: str) -> int:
        """A price parameter in ticks. Refused: -1100 not a number, -1111 too precise, -4014 between two ticks."""
        units = _scaled(text, self.price_decimals, name)
        if units % self.tick_unit:
            raise Refused(-4014, "Price not increased by tick size.")
        return units // self.tick_unit

    def lots_of(self, text: str, name: str) -> int:
        """A quantity parameter in lots. Refused: -1100 not a number, -1111 too precise, -4023 between two lots."""
        units = _scaled(text, self.qty_decimals, name)
        if units % self.lot_unit:
            raise Refused(-4023, "Qty not increased by step size.")
        return units // self.lot_unit


def _scaled(text: str, decimals: int, name: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Refused(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.",
        )
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    if len(part) > decimals:
        raise Refused(-1111, "Precision is over the maximum defined for this asset.")
    return int(whole + part.ljust(decimals, "0"))
