"""Instruments that sources come with, and the exact way between their decimal texts and whole units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.vocab.instruments import InstrumentSpec, tick_lot_e8
from holdfast.vocab.units import E8, NotANumber

_TEXTS_CACHED_MAX: Final = 200_000


def perpetual(
    base: str,
    *,
    tick: str,
    lot: str,
    notional_min: int,
    qty_lots_max: int,
    market_lots_max: int,
) -> InstrumentSpec:
    """A USDT-margined linear perpetual of Binance, by its filters. ``notional_min`` in whole USDT."""
    return InstrumentSpec(
        instrument=f"{base}USDT",
        symbol=f"{base}/USDT:USDT",
        base_asset=base,
        quote_asset="USDT",
        settle_asset="USDT",
        tick=tick,
        lot=lot,
        tick_lot_e8=tick_lot_e8(tick=tick, lot=lot),
        qty_lots_min=1,
        qty_lots_max=qty_lots_max,
        market_lots_max=market_lots_max,
        notional_e8_min=notional_min * E8,
    )


# Filters as the venue publishes them in 2026 (exchangeInfo: PRICE_FILTER, LOT_SIZE, MARKET_LOT_SIZE, MIN_NOTIONAL).
BTCUSDT: Final = perpetual(
    "BTC", tick="0.10", lot="0.001", notional_min=100, qty_lots_max=1_000_000, market_lots_max=120_000
)
ETHUSDT: Final = perpetual(
    "ETH", tick="0.01", lot="0.001", notional_min=20, qty_lots_max=10_000_000, market_lots_max=2_000_000
)
SOLUSDT: Final = perpetual(
    "SOL", tick="0.0100", lot="0.01", notional_min=5, qty_lots_max=100_000_000, market_lots_max=8_000_000
)
KNOWN: Final[Mapping[str, InstrumentSpec]] = {spec.instrument: spec for spec in (BTCUSDT, ETHUSDT, SOLUSDT)}


class UnitTexts(dict[str, int]):
    """Decimal texts to whole units, exactly; remembers what it has seen, since prices repeat.

    Errors: NotANumber for anything but a plain decimal that is a whole multiple of the unit.
    """

    def __init__(self, unit: str) -> None:
        super().__init__()
        whole, _, fraction = unit.partition(".")
        self.unit = unit
        self.digits: Final = len(fraction)
        self.step: Final = int(whole + fraction)
        self._scale: Final = 10 ** len(fraction)

    def __missing__(self, text: str) -> int:
        whole, _, fraction = text.partition(".")
        kept, beyond = fraction[: self.digits], fraction[self.digits :]
        digits = whole + kept.ljust(self.digits, "0")
        if not (whole and digits.isascii() and digits.isdigit()) or beyond.strip("0"):
            raise NotANumber(f"{text!r} is not a whole multiple of {self.unit}")
        units, rest = divmod(int(digits), self.step)
        if rest:
            raise NotANumber(f"{text!r} is not a whole multiple of {self.unit}")
        if len(self) >= _TEXTS_CACHED_MAX:
            self.clear()
        self[text] = units
        return units

    def text(self, units: int) -> str:
        """``units`` as the venue writes them: as many digits as the unit has."""
        number = units * self.step
        if not self.digits:
            return str(number)
        return f"{number // self._scale}.{number % self._scale:0{self.digits}d}"


class InstrumentTexts:
    """Both ways between one instrument's texts and integers."""

    __slots__ = ("lots", "price", "qty", "ticks")

    def __init__(self, spec: InstrumentSpec) -> None:
        self.ticks = UnitTexts(spec.tick)
        self.lots = UnitTexts(spec.lot)
        self.price = self.ticks.text
        self.qty = self.lots.text


_TEXTS: dict[tuple[str, str], InstrumentTexts] = {}


def texts_of(spec: InstrumentSpec) -> InstrumentTexts:
    """The texts of an instrument; shared by all of the same tick and lot."""
    found = _TEXTS.get((spec.tick, spec.lot))
    if found is None:
        found = _TEXTS[spec.tick, spec.lot] = InstrumentTexts(spec)
    return found
