"""One question to Binance: budget, hop, signed text checked, reply judged. The one place that catches.

Promises: a question is written at most once; what is written is exactly what was asked; no exception of a
library leaves this file.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from holdfast.ports.venue import MaySend
from holdfast.venues.binance.codec import Params, code_of, word_of
from holdfast.venues.binance.errors import Absent, AlreadySo, Failure, Kind, classify, classify_cause
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.failure import Cause, Refusal, cause_of, plain
from holdfast.venues.transport.hop import HOP, Hop, Verify, WireMismatch
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Fatal, Suppressed, Transient, Unknown

READS_IN_FLIGHT_MAX: Final = 48
_COUNTED_MAX: Final = 256


class Endpoint(Struct, frozen=True, kw_only=True):
    """One address: ccxt's name for the raw call, what it costs, and whether it is signed."""

    name: str
    weight: int = 1
    orders: int = 0
    signed: bool = True


class Windows(Struct, frozen=True, kw_only=True):
    """How long a request is good for at the venue, and how long we wait for its answer."""

    order_window_ms: int
    read_window_ms: int
    order_timeout_ms: int
    read_timeout_ms: int


Answer = str | Failure | Suppressed
"""A success's body, or what its absence proves."""


def decoded(answer: Answer) -> Any:
    """A success's body as JSON says it; None for a failure, and for what is no JSON."""
    if not isinstance(answer, str):
        return None
    try:
        return msgspec.json.decode(answer)
    except (msgspec.MsgspecError, RecursionError):
        return None


class Asker:
    """Asks one venue account. ``unlisted``: replies without a row in the table, by code; bounded."""

    def __init__(self, *, exchange: Any, budget: Budget, windows: Windows) -> None:
        self._exchange = exchange
        self._budget = budget
        self._windows = windows
        self._reads_in_flight = 0
        self.unlisted: Counter[str] = Counter()
        self.on_failure: Callable[[Failure], None] | None = None
        self.last_failure = ""

    async def ask(
        self,
        endpoint: Endpoint,
        params: Params,
        *,
        kind: Kind,
        lane: Lane,
        may_send: MaySend,
        order_id: int = 0,
    ) -> Answer:
        """Ask once. Reads may wait for the rate budget; nothing else ever waits."""
        if lane is not Lane.READ:
            return await self._ask(
                endpoint, params, kind=kind, lane=lane, may_send=may_send, order_id=order_id
            )
        if self._reads_in_flight >= READS_IN_FLIGHT_MAX:
            return Transient(why="too many reads in flight", code="BUSY", retry_ms=1_000)
        self._reads_in_flight += 1
        try:
            return await self._ask(
                endpoint, params, kind=kind, lane=lane, may_send=may_send, order_id=order_id
            )
        finally:
            self._reads_in_flight -= 1

    async def _ask(
        self, endpoint: Endpoint, params: Params, *, kind: Kind, lane: Lane, may_send: MaySend, order_id: int
    ) -> Answer:
        wait_ms = await self._budget.take_or_wait(lane, weight=endpoint.weight, orders=endpoint.orders)
        if wait_ms:
            self.last_failure = f"the rate budget is spent for another {wait_ms} ms"
            return Transient(why="the rate budget is spent", code="BUDGET", retry_ms=wait_ms)
        reads = kind is Kind.READ or kind is Kind.QUERY
        windows = self._windows
        window_ms = windows.read_window_ms if reads else windows.order_window_ms
        hop = Hop(
            lane=lane,
            may_send=may_send,
            timeout_s=(windows.read_timeout_ms if reads else windows.order_timeout_ms) / 1_000,
            recv_window_ms=window_ms,
            order_id=order_id,
            raw=True,
            changes_left=None if reads else 1,
            verify=_exactly(params, window_ms=window_ms, signed=endpoint.signed),
        )
        error = await self._carry(endpoint.name, params, hop)
        self._budget.told(status=hop.status, headers=hop.headers)
        return self._judge(kind, hop, error)

    async def _carry(self, name: str, params: Params, hop: Hop) -> Exception | None:
        token = HOP.set(hop)
        try:
            await getattr(self._exchange, name)(params)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - ccxt raises what it likes; the hop knows what happened
            return error
        finally:
            hop.over = True
            HOP.reset(token)
        return None

    def _judge(self, kind: Kind, hop: Hop, error: Exception | None) -> Answer:
        if hop.withheld is not None:
            return Suppressed(by=hop.withheld)
        if hop.status is None:
            ended = cause_of(hop, error) if error is not None else Cause.UNREADABLE
            why = _why(error)
            if ended is Refusal.LOCAL:
                return self._note(Fatal(why=why, code="LOCAL"))
            return self._note(classify_cause(kind, ended, why=why))
        body = hop.body
        if 200 <= hop.status < 300:
            if body.startswith("["):
                return body
            if body.startswith("{"):
                word = word_of(body)
                code = code_of(word)
                if word is not None and (code is None or code >= 0):
                    return body
                if word is not None:
                    return self._refused(kind, hop, code, plain(word.msg))
            return self.unreadable(kind, "a success that cannot be read")
        word = word_of(body) if body.startswith("{") else None
        return self._refused(kind, hop, code_of(word), plain(word.msg) if word is not None else "")

    def _refused(self, kind: Kind, hop: Hop, code: int | None, msg: str) -> Failure:
        why = f"HTTP {hop.status}: {msg or 'no word of the venue'}"
        failure = classify(kind, status=hop.status, code=code, why=why, retry_ms=self._budget.retry_ms())
        return self._note(failure)

    def unreadable(self, kind: Kind, why: str) -> Failure:
        """A success that does not say what it must."""
        return self._note(classify_cause(kind, Cause.UNREADABLE, why=why))

    def _note(self, failure: Failure) -> Failure:
        if not isinstance(failure, Absent | AlreadySo):
            self.last_failure = failure.why
        if isinstance(failure, Unknown) and failure.unlisted:
            code = failure.code if failure.code in self.unlisted or len(self.unlisted) < _COUNTED_MAX else "…"
            self.unlisted[code] += 1
        if self.on_failure is not None:
            self.on_failure(failure)
        return failure


def _why(error: Exception | None) -> str:
    """The kind of failure, without the library's text: that has URLs with signatures in it."""
    if error is None:
        return "no reply was recorded"
    root = error.__cause__ or error
    name = type(root).__name__
    return f"{name}: {plain(str(error))}" if isinstance(error, WireMismatch) else name


def _exactly(params: Params, *, window_ms: int, signed: bool) -> Verify:
    """Checks that the text about to leave is what we asked for: ccxt may round, rename, add or leave out."""
    asked = "&".join(
        [
            f"{name}={value if value.isascii() and value.isalnum() else quote(value)}"
            for name, value in params.items()
        ]
    )

    def verify(method: str, url: str, body: str) -> None:
        text = url.partition("?")[2] if method in ("GET", "DELETE") else body
        if not signed:
            if text != asked:
                raise WireMismatch(f"the request says {len(text)} characters where {len(asked)} were asked")
            return
        stamp, _, rest = text.partition("&")
        wanted = (
            f"{asked}&recvWindow={window_ms}&signature=" if asked else f"recvWindow={window_ms}&signature="
        )
        if not stamp.startswith("timestamp=") or not rest.startswith(wanted) or "&" in rest[len(wanted) :]:
            raise WireMismatch("the signed request is not the one that was asked")

    return verify
