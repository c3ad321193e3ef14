"""The venue as the dead switches see it: a few questions and acts, blocking, each bounded in time.

Amounts and prices are exact decimals in the venue's own units. Nothing here needs the trading client, its loop, or
what it believes.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Protocol

from msgspec import Struct


class OpenOrder(Struct, frozen=True, kw_only=True):
    """An order that rests at the venue. ``reduces``: it can only reduce a position."""

    symbol: str
    order_id: str
    conditional: bool
    reduces: bool


class Held(Struct, frozen=True, kw_only=True):
    """A position: above zero is long. ``one_way`` False: one of two sides that the venue keeps apart."""

    symbol: str
    amount: Decimal
    one_way: bool


class Rules(Struct, frozen=True, kw_only=True):
    """What an order of a symbol must fit."""

    tick: Decimal
    step: Decimal
    qty_max: Decimal


class Exit(Struct, frozen=True, kw_only=True):
    """An order out of a position: reduce-only, limited in price, gone at once where it does not fill."""

    symbol: str
    client_id: str
    sell: bool
    quantity: Decimal
    price: Decimal


class Fate(Enum):
    """What became of an exit."""

    OPEN = "open"  # it may still fill
    FINAL = "final"
    ABSENT = "absent"  # the venue knows no such order


class LastResortFailed(Exception):
    """The venue did not do it, or did not say so: one line. Of an order it says nothing about its fate."""


class LastResort(Protocol):
    """One account at one venue. Every method: LastResortFailed for whatever a venue or a network can do."""

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every open order of the account, conditional ones too."""
        ...

    def cancel_symbol(self, symbol: str, *, conditional: bool) -> None:
        """Cancel all plain orders of a symbol, or all conditional ones."""
        ...

    def cancel_one(self, order: OpenOrder) -> None:
        """Cancel one order."""
        ...

    def positions(self, source: int) -> tuple[Held, ...]:
        """Every position that is not zero, by one of two sources of this truth (0 or 1)."""
        ...

    def rules(self) -> dict[str, Rules]:
        """The rules of every symbol."""
        ...

    def reference(self, symbol: str) -> Decimal:
        """The venue's mark price, now."""
        ...

    def exit(self, order: Exit) -> Fate:
        """Send it. A failure leaves its fate unknown: ask for it."""
        ...

    def fate(self, order: Exit) -> Fate:
        """What became of it."""
        ...
