"""The parameters of one request, read by name; what is missing or makes no sense is Refused in Binance's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.sim.model import Refused
from holdfast.vocab.orders import Side

_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}


def missing(name: str) -> Refused:
    """-1102, as a value to raise."""
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


class Params:
    """Read-only view of the parameters; texts as they came."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def text(self, name: str) -> str:
        """A mandatory parameter. Refused -1102 without it."""
        value = self._texts.get(name)
        if not value:
            raise missing(name)
        return value

    def maybe(self, name: str) -> str | None:
        """An optional parameter; an empty one is none."""
        return self._texts.get(name) or None

    def word(self, name: str, default: str, allowed: frozenset[str], code: int, what: str) -> str:
        """An optional word out of several. Refused with ``code`` for any other."""
        value = (self._texts.get(name) or default).upper()
        if value not in allowed:
            raise Refused(code, f"Invalid {what}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """An optional true or false."""
        value = self._texts.get(name)
        if not value:
            return default
        if value.lower() not in {"true", "false"}:
            raise Refused(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value.lower() == "true"

    def mandatory_flag(self, name: str) -> bool:
        """A mandatory true or false."""
        self.text(name)
        return self.flag(name)

    def maybe_integer(self, name: str) -> int | None:
        """An optional whole number, not negative."""
        value = self._texts.get(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            raise Refused(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        return int(value)

    def integer(self, name: str) -> int:
        """A mandatory whole number, not negative."""
        self.text(name)
        return self.maybe_integer(name) or 0

    def limit(self, default: int, most: int) -> int:
        """How many entries are asked for. Refused -1130 beyond 1 … most."""
        value = self.maybe_integer("limit")
        if value is None:
            return default
        if not 1 <= value <= most:
            raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        return value

    def side(self) -> Side:
        """The mandatory side. Refused -1117 for a word that is none."""
        side = _SIDES.get(self.text("side").upper())
        if side is None:
            raise Refused(-1117, "Invalid side.")
        return side
