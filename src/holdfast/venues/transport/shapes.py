"""Recorded shapes of a venue's answers, and what an answer of today differs in.

A promise maps the places that an adapter reads (``positions[].positionAmt``) to the type it takes there: ``text``,
``decimal`` (a number written as text), ``whole``, ``flag``; with ``|`` between several. A list that is empty today
shows nothing of its rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

Promise = Mapping[str, str]
DIFFERENCES_MAX: Final = 5
ROWS_MAX: Final = 200  # of a list: the first ones and the last
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def differences(promise: Promise, body: str) -> tuple[str, ...]:
    """Every promised place that is missing or of another type, a few at most; empty where the answer is as recorded."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        return (f"not JSON: {error}"[:120],)
    found: dict[str, None] = {}
    for place, kinds in promise.items():
        for problem in _at(answer, place.split("."), "", kinds.split("|")):
            found[problem] = None
        if len(found) >= DIFFERENCES_MAX:
            break
    return tuple(found)[:DIFFERENCES_MAX]


def _at(value: Any, path: list[str], here: str, kinds: list[str]) -> list[str]:
    if not path:
        kind = kind_of(value)
        fits = kind in kinds or (kind == "decimal" and "text" in kinds)
        return [] if fits else [f"{here} is {_said(value, kind)}, expected {' or '.join(kinds)}"]
    name, rows, _ = path[0].partition("[]")
    inner = value
    if name:
        if not isinstance(value, dict):
            return [f"{here or 'the answer'} is no object"]
        if name not in value:
            return [f"{_join(here, name)} is missing"]
        inner, here = value[name], _join(here, name)
    if not rows:
        return _at(inner, path[1:], here, kinds)
    if not isinstance(inner, list):
        return [f"{here or 'the answer'} is no list"]
    looked = inner if len(inner) <= ROWS_MAX else [*inner[: ROWS_MAX // 2], *inner[-ROWS_MAX // 2 :]]
    for row in looked:
        if problems := _at(row, path[1:], f"{here}[]", kinds):
            return problems
    return []


def kind_of(value: Any) -> str:
    """The type of a value, in the words of a promise."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, str):
        return "decimal" if _DECIMAL.fullmatch(value) else "text"
    return {int: "whole", float: "fraction", list: "list", dict: "object"}.get(type(value), "unknown")


def _said(value: Any, kind: str) -> str:
    shown = str(value).replace("\n", " ")[:24]
    return kind if kind in {"null", "list", "object"} else f"{kind} ({shown})"


def _join(here: str, name: str) -> str:
    return f"{here}.{name}" if here else name
