"""What an instrument is: the facts of the venue that prices and sizes are counted in."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

from msgspec import Struct

from holdfast.vocab.units import E8, NotANumber


class InstrumentStatus(Enum):
    """Whether the venue lets this instrument trade now."""

    TRADING = "trading"
    HALTED = "halted"
    CLOSED = "closed"


class InstrumentSpec(Struct, frozen=True, kw_only=True, array_like=True):
    """One linear instrument, as its venue describes it.

    Units: ``tick`` in quote asset and ``lot`` in base asset (or contracts × contract size), as exact decimal
    strings; ``tick_lot_e8`` is the value of one tick on one lot in 10⁻⁸ of the settle asset, exact.
    ``version`` grows when any fact changes.
    """

    instrument: str
    symbol: str  # the name ccxt knows it by
    base_asset: str
    quote_asset: str
    settle_asset: str
    tick: str
    lot: str
    tick_lot_e8: int
    qty_lots_min: int
    qty_lots_max: int
    market_lots_max: int
    notional_e8_min: int
    status: InstrumentStatus = InstrumentStatus.TRADING
    version: int = 1


def tick_lot_e8(*, tick: str, lot: str, contract_size: str = "1") -> int:
    """Value of one tick on one lot in 10⁻⁸ of the settle asset.

    Errors: NotANumber when it is not a whole number: such an instrument cannot be counted exactly and is
    refused at load, never rounded.
    """
    value = Decimal(tick) * Decimal(lot) * Decimal(contract_size) * E8
    if value != int(value) or value <= 0:
        raise NotANumber(f"tick {tick} × lot {lot} × contract {contract_size} is not a whole number of 1e-8")
    return int(value)


def notional_e8(spec: InstrumentSpec, *, price_ticks: int, qty_lots: int) -> int:
    """Price times quantity in 10⁻⁸ of the settle asset; exact; the sign follows ``qty_lots``."""
    return price_ticks * qty_lots * spec.tick_lot_e8
