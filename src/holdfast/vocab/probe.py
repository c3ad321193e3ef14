"""What a look at a venue's contract found, one line each."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Verdict(Enum):
    """How bad it is. FAIL: a bot must not trade on it."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Check(Struct, frozen=True, kw_only=True, array_like=True):
    """One thing looked at. ``advice`` is empty where nothing needs doing."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
