"""Spans of the week as people write them: ``Mon-Fri 09:30-16:00``, ``Sat 10:00-14:00``, ``daily 00:00-24:00``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from holdfast.vocab.reference import WEEK_MINUTES

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_SPAN: Final = re.compile(r"(daily|[A-Za-z]{3}(?:-[A-Za-z]{3})?) ([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_EXAMPLE: Final = 'expected spans such as "Mon-Fri 09:30-16:00" or "daily 00:00-24:00"'


class BadHours(ValueError):
    """A text that is no span of the week: one line."""


class Span(NamedTuple):
    """One day's: ``weekday`` 0 is Monday; minutes of that day, ``end`` beyond 24 hours where it ends on the next."""

    weekday: int
    begin: int
    end: int


def read_spans(texts: Sequence[str]) -> list[Span]:
    """Every day's spans. One that ends at or before its beginning ends on the next day. Errors: BadHours."""
    found = [span for text in texts for span in _read(text)]
    if not found:
        raise BadHours(f"{_EXAMPLE}, got none")
    return found


def _read(text: str) -> list[Span]:
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise BadHours(f"{_EXAMPLE}, got {text!r:.60}")
    begin = _minute(match[2], match[3], text)
    end = _minute(match[4], match[5], text)
    if begin == _DAY_MINUTES:
        raise BadHours(f"{_EXAMPLE}, got {text!r:.60}: a day has no 24:00 to begin at")
    if end <= begin:
        end += _DAY_MINUTES
    return [Span(day, begin, end) for day in _days(match[1], text)]


def _minute(hours: str, minutes: str, text: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > _DAY_MINUTES:
        raise BadHours(f"{_EXAMPLE}, got {text!r:.60}")
    return minute


def _days(words: str, text: str) -> list[int]:
    if words == "daily":
        return list(range(7))
    names = [word.lower() for word in words.split("-")]
    if any(name not in _DAYS for name in names):
        raise BadHours(f"{_EXAMPLE}, got {text!r:.60}")
    first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
    return [(first + offset) % 7 for offset in range((last - first) % 7 + 1)]


def week_spans(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The same as minutes of the week, ascending and apart from one another. Errors: BadHours."""
    pieces: list[tuple[int, int]] = []
    for span in read_spans(texts):
        begin = span.weekday * _DAY_MINUTES + span.begin
        end = span.weekday * _DAY_MINUTES + span.end
        pieces.append((begin, min(end, WEEK_MINUTES)))
        if end > WEEK_MINUTES:  # Sunday's goes on into Monday
            pieces.append((0, end - WEEK_MINUTES))
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(pieces):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)
