"""One question through ccxt: hop around it, its end judged. The one place that catches."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct

from holdfast.ports.venue import MaySend
from holdfast.venues.anyccxt.codec import Unreadable
from holdfast.venues.anyccxt.errors import Absent, Failure, Kind, judge
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.hop import HOP, Hop, Verify, always
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Fault, Suppressed, Transient, Unknown

READS_IN_FLIGHT_MAX: Final = 48
_COUNTED_MAX: Final = 256


class Windows(Struct, frozen=True, kw_only=True):
    """How long a request is good for at the venue, and how long we wait for its answer."""

    order_window_ms: int
    read_window_ms: int
    order_timeout_ms: int
    read_timeout_ms: int


class Failed(Exception):
    """A question that got no usable answer; carries what that proves. Internal to this package."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(type(failure).__name__)
        self.failure = failure


class Asker:
    """Asks one exchange. ``unlisted``: failures without a row, by code; bounded."""

    def __init__(self, *, budget: Budget, windows: Windows) -> None:
        self._budget = budget
        self._windows = windows
        self._reads_in_flight = 0
        self.unlisted: Counter[str] = Counter()
        self.on_clock_trouble: Callable[[], None] | None = None
        self.last_failure = ""
        self.last_date = ""

    async def ask(
        self,
        kind: Kind,
        question: Callable[[], Awaitable[Any]],
        *,
        lane: Lane,
        may_send: MaySend = always,
        verify: Verify | None = None,
        order_id: int = 0,
    ) -> Any:
        """Ask once. Answers what ccxt answers, or a Failure."""
        reads = kind is Kind.READ or kind is Kind.QUERY
        if lane is Lane.READ and self._reads_in_flight >= READS_IN_FLIGHT_MAX:
            return Transient(why="too many reads in flight", code="BUSY", retry_ms=1_000)
        windows = self._windows
        hop = Hop(
            lane=lane,
            may_send=may_send,
            timeout_s=(windows.read_timeout_ms if reads else windows.order_timeout_ms) / 1_000,
            recv_window_ms=windows.read_window_ms if reads else windows.order_window_ms,
            order_id=order_id,
            verify=verify,
            changes_left=None if reads else 1,
        )
        token = HOP.set(hop)
        self._reads_in_flight += lane is Lane.READ
        try:
            return await question()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - ccxt raises what it likes; the hop knows what happened
            return self._note(judge(kind, hop, error, retry_ms=self._budget.retry_ms()))
        finally:
            self._reads_in_flight -= lane is Lane.READ
            hop.over = True
            HOP.reset(token)
            self._budget.told(status=hop.status, headers=hop.headers)
            self.last_date = hop.headers.get("date", "")

    async def must(self, kind: Kind, question: Callable[[], Awaitable[Any]], **how: Any) -> Any:
        """As ``ask``, for answers that a longer piece of work needs. Raises Failed."""
        answer = await self.ask(kind, question, **how)
        if isinstance(answer, Transient | Unknown | Suppressed | Absent) or type(answer).__name__ == "Fatal":
            raise Failed(answer)
        return answer

    def unreadable(self, kind: Kind, error: Unreadable) -> Failure:
        """A success that does not say what it must: on a read, somebody else answers or the format changed."""
        reads = kind is Kind.READ or kind is Kind.QUERY
        return self._note(Unknown(why=str(error), code="UNREADABLE", unlisted=reads))

    def _note(self, failure: Failure) -> Failure:
        if not isinstance(failure, Absent | Suppressed):
            self.last_failure = failure.why
            if (
                isinstance(failure, Transient)
                and failure.fault is Fault.CLOCK
                and self.on_clock_trouble is not None
            ):
                self.on_clock_trouble()
        if isinstance(failure, Unknown) and failure.unlisted:
            code = failure.code if failure.code in self.unlisted or len(self.unlisted) < _COUNTED_MAX else "…"
            self.unlisted[code] += 1
        return failure
