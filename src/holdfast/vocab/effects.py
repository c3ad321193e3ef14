"""What the core asks of the world. Facts are among them: they are written down before the rest happens."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from holdfast.vocab.events import Event, TimerKind
from holdfast.vocab.facts import Fact
from holdfast.vocab.market import MarketEvent
from holdfast.vocab.orders import Lane
from holdfast.vocab.requests import Request


class Call(Struct, frozen=True, kw_only=True, array_like=True, tag="call"):
    """Ask the venue; the answer comes back as ``CallDone`` under this id. Asked at ``asked_mono_ns``."""

    call_id: int
    lane: Lane
    request: Request
    asked_mono_ns: int


class SetTimer(Struct, frozen=True, kw_only=True, array_like=True, tag="set_timer"):
    """Bring back ``TimerFired(kind, key)`` at or after this time. A later one of the same name replaces it."""

    kind: TimerKind
    key: int
    due_mono_ns: int


class Severity(Enum):
    """How loudly people must be told."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(Struct, frozen=True, kw_only=True, array_like=True, tag="alert"):
    """Tell people. ``kind`` is stable; ``text`` is one line for a person."""

    severity: Severity
    kind: str
    text: str


class CommandAnswered(Struct, frozen=True, kw_only=True, array_like=True, tag="command_answered"):
    """The answer to a person. ``accepted`` False: it did not happen, and ``text`` says why and what to do."""

    command_id: int
    accepted: bool
    text: str


class ClearLatch(Struct, frozen=True, kw_only=True, array_like=True, tag="clear_latch"):
    """Copy this observed trip nonce into ``cleared``: a trip since then keeps the latch tripped."""

    nonce: int


class TripLatch(Struct, frozen=True, kw_only=True, array_like=True, tag="trip_latch"):
    """Trip the latch now, before anything else of this step is sent."""

    by: str
    reason: str


class EndProcess(Struct, frozen=True, kw_only=True, array_like=True, tag="end_process"):
    """Everything that the stop waited for is done: end. ``unresolved``: the orders that it gave up waiting for."""

    why: str
    unresolved: tuple[int, ...] = ()


Effect: TypeAlias = (
    Call | SetTimer | Alert | CommandAnswered | ClearLatch | TripLatch | EndProcess | MarketEvent | Fact
)
Record: TypeAlias = Event | Fact  # what the journal holds
