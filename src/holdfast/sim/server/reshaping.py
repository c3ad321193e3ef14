"""Answers in another shape than documented: a field gone, or of another type, as after a venue's silent change."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

RESHAPES_MAX: Final = 100


class Reshape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /reshape: in every success of a path, each field of this name becomes missing, a text, a number or null."""

    path: str
    field: str
    to: Literal["missing", "text", "number", "null"]
    method: str = "GET"


class Reshaping:
    """What was asked for; empty for a venue that keeps its word."""

    def __init__(self) -> None:
        self.wanted: list[Reshape] = []

    def body(self, method: str, path: str, body: bytes) -> bytes:
        """An answer as this venue gives it."""
        for one in self.wanted:
            if (one.method, one.path) == (method, path):
                body = msgspec.json.encode(_changed(msgspec.json.decode(body), one))
        return body


def _changed(value: Any, wish: Reshape) -> Any:
    if isinstance(value, list):
        return [_changed(item, wish) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _changed(item, wish) for name, item in value.items()}
    if wish.field in changed:
        old = changed.pop(wish.field)
        if wish.to != "missing":
            changed[wish.field] = {"text": str(old), "number": 1, "null": None}[wish.to]
    return changed
