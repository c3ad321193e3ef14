"""A page: what gets a person out of bed."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Stage(Enum):
    """Where an incident stands. Each stage of an incident is said once."""

    ALERT = "alert"  # it began
    UNRESOLVED = "unresolved"  # what was to be done about it takes too long; what is left is named
    OUTCOME = "outcome"  # it is over, and how


class Page(Struct, frozen=True, kw_only=True):
    """One message of one incident. ``incident`` and ``stage`` together name it: a receiver may drop a second one."""

    incident: str
    stage: Stage
    kind: str  # stable: bot.dead, bot.stalled, bot.unreadable, venue.unreachable
    account: str
    text: str  # one line for a person
    wall_ns: int
