"""When something is open: until which wall time it stays so, and when it opens next. Pure arithmetic on spans."""

from __future__ import annotations

from typing import Final, NamedTuple

from holdfast.vocab.reference import ALWAYS_NS, MINUTE_NS, MONDAY_NS, WEEK_MINUTES

_WEEK_NS: Final = WEEK_MINUTES * MINUTE_NS


class Opening(NamedTuple):
    """``until_ns``: open before this wall time; 0: closed, and ``opens_ns`` says till when. 0 there: not known."""

    until_ns: int
    opens_ns: int


ALWAYS: Final = Opening(ALWAYS_NS, 0)


def in_week(spans: tuple[tuple[int, int], ...], wall_ns: int) -> Opening:
    """By spans of the week (``Hours``): ascending, apart from one another. None at all is never open."""
    if spans == ((0, WEEK_MINUTES),):
        return ALWAYS
    week_ns = wall_ns - (wall_ns - MONDAY_NS) % _WEEK_NS
    for monday_ns in (week_ns, week_ns + _WEEK_NS):
        for begin, end in spans:
            opens_ns, closes_ns = monday_ns + begin * MINUTE_NS, monday_ns + end * MINUTE_NS
            if wall_ns < opens_ns:
                return Opening(0, opens_ns)
            if wall_ns < closes_ns:
                over_midnight = end == WEEK_MINUTES and spans[0][0] == 0
                return Opening(closes_ns + (spans[0][1] * MINUTE_NS if over_midnight else 0), 0)
    return Opening(0, 0)


def in_calendar(opens: tuple[tuple[int, int], ...], wall_ns: int) -> Opening:
    """By a venue's sessions. Past the last one it is closed: nobody told us of more."""
    for opens_ns, closes_ns in opens:
        if wall_ns < opens_ns:
            return Opening(0, opens_ns)
        if wall_ns < closes_ns:
            return Opening(closes_ns, 0)
    return Opening(0, 0)


def both(one: Opening, other: Opening) -> Opening:
    """Open where both are; closed as long as the later of the two says."""
    if one.until_ns and other.until_ns:
        return Opening(min(one.until_ns, other.until_ns), 0)
    if not one.until_ns and not other.until_ns:
        return Opening(0, max(one.opens_ns, other.opens_ns) if one.opens_ns and other.opens_ns else 0)
    return one if not one.until_ns else other


def next_change_ns(opening: Opening) -> int:
    """When it must be asked again."""
    return opening.until_ns or opening.opens_ns or ALWAYS_NS
