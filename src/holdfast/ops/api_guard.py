"""What every request to the control API passes before anything reads it. Whatever fails here, denies.

In this order: the Host is one of ours (DNS rebinding); a page of another origin is not calling; the peer is not
locked out; a token names an operator, on every request and from this machine too; the rate is bearable; a change
of state came as a change of state. Halting verbs skip lockout and rate: whoever holds a token may always stop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct, json

from holdfast.config.operators import Operator, by_token
from holdfast.ops.commands import TABLE, Kind, Row

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX: Final = "/v1/"
FLATTEN_PLAN_PATH: Final = "/v1/flatten/plan"
COMMAND_HEADER: Final = "x-holdfast-command"
FAILURES_MAX: Final = 5
FAILURE_WINDOW_S: Final = 60.0
LOCKOUT_S: Final = 60.0
PEERS_MAX: Final = 1_000
RATE_PER_S: Final = 20.0
BURST: Final = 40.0
IN_FLIGHT_MAX: Final = 16
JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class Refusal(Struct, frozen=True, kw_only=True):
    """What the caller is told instead."""

    status: int
    text: str
    retry_s: int = 0


class Audit(Protocol):
    """Where authentications, refusals and acts are written down."""

    def __call__(self, what: str, **facts: str | int) -> None: ...


def path_of(row: Row) -> str:
    """Where a command lives."""
    return PREFIX + row.name.replace(" ", "/")


ROWS_BY_PATH: Final[dict[str, Row]] = {path_of(row): row for row in TABLE}


class ApiGuard:
    """ASGI middleware; the operator found is in ``scope["holdfast_operator"]``."""

    def __init__(
        self,
        app: App,
        *,
        people: tuple[Operator, ...],
        hosts: frozenset[str],
        tls: bool,
        clock_s: Callable[[], float],
        audit: Audit,
    ) -> None:
        """``hosts``: the exact Host values served, with port. ``clock_s``: monotonic seconds."""
        self._app = app
        self._people = people
        self._hosts = hosts
        self._origins = frozenset(f"{'https' if tls else 'http'}://{host}" for host in hosts)
        self._headers = (*HEADERS, HSTS) if tls else HEADERS
        self._clock_s = clock_s
        self._audit = audit
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._budgets: dict[str, tuple[float, float]] = {}
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = self._with_headers(send)
        row = ROWS_BY_PATH.get(scope["path"])
        halting = row is not None and row.halting
        refusal = self._judge(scope, row)
        if refusal is None and not halting and self._in_flight >= IN_FLIGHT_MAX:
            refusal = Refusal(status=429, text="too many requests at once", retry_s=1)
        if refusal is not None:
            await _refuse(send, refusal)
            return
        self._in_flight += not halting
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= not halting

    def _judge(self, scope: Scope, row: Row | None) -> Refusal | None:
        headers = _single(scope["headers"])
        if headers is None:
            return Refusal(status=400, text="a header that may come once came twice")
        if headers.get("host") not in self._hosts:
            return Refusal(status=421, text="this host is not served here")
        if (refusal := self._cross_site(headers)) is not None:
            return refusal
        peer = str((scope.get("client") or ("local", 0))[0])
        halting = row is not None and row.halting
        now_s = self._clock_s()
        if not halting and self._locked(peer, now_s):
            return Refusal(status=429, text="too many wrong tokens; wait", retry_s=int(LOCKOUT_S))
        person = self._person(headers)
        if person is None:
            self._failed(peer, now_s)
            self._audit("token refused", peer=peer, path=scope["path"])
            return Refusal(status=401, text="expected: Authorization: Bearer <your token>")
        if not halting and not self._within_rate(person.name, now_s):
            return Refusal(status=429, text="too many requests", retry_s=1)
        scope["holdfast_operator"] = person
        return _as_a_change(scope, headers, row)

    def _cross_site(self, headers: Mapping[str, str]) -> Refusal | None:
        """A browser says where a page came from; what is not a browser says nothing, and needs a token anyway."""
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            return Refusal(status=403, text="a page of another origin may not call")
        if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return Refusal(status=403, text="a page of another site may not call")
        return None

    def _person(self, headers: Mapping[str, str]) -> Operator | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > 200:
            return None
        return by_token(self._people, token.strip())

    def _locked(self, peer: str, now_s: float) -> bool:
        times = self._failures.get(peer, [])
        return len(times) >= FAILURES_MAX and now_s - times[-1] < LOCKOUT_S

    def _failed(self, peer: str, now_s: float) -> None:
        recent = [at_s for at_s in self._failures.pop(peer, []) if now_s - at_s < FAILURE_WINDOW_S]
        self._failures[peer] = [*recent, now_s][-FAILURES_MAX:]
        while len(self._failures) > PEERS_MAX:
            self._failures.popitem(last=False)

    def _within_rate(self, name: str, now_s: float) -> bool:
        """A bucket per operator (there are at most as many as the file names)."""
        left, at_s = self._budgets.get(name, (BURST, now_s))
        left = min(BURST, left + (now_s - at_s) * RATE_PER_S)
        self._budgets[name] = (max(left - 1, 0.0), now_s)
        return left >= 1

    def _with_headers(self, send: Send) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        return wrapped


def _as_a_change(scope: Scope, headers: Mapping[str, str], row: Row | None) -> Refusal | None:
    """A change of state is a POST of JSON with our own header, which no form of another site can send.

    Halting verbs also take a form or a query, for the shell line of a runbook: the token was checked already.
    """
    if row is None or row.kind is Kind.VIEW:
        return None  # the router answers 404, or 405 for anything but GET
    if scope["method"] != "POST":
        return Refusal(status=405, text="a change of state is a POST")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if row.halting:
        empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        if kind in {JSON_TYPE, FORM_TYPE} or empty:
            return None
        return Refusal(status=415, text=f"expected {JSON_TYPE}, {FORM_TYPE}, or no body")
    if kind != JSON_TYPE:
        return Refusal(status=415, text=f"expected {JSON_TYPE}")
    if not headers.get(COMMAND_HEADER):
        return Refusal(status=403, text="expected the header X-Holdfast-Command with a fresh id")
    return None


_ONCE: Final = frozenset(
    {"host", "origin", "authorization", "content-type", "content-length", "sec-fetch-site"}
)


def _single(raw: list[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Headers by lower-case name; None where one that must come once came twice: two readers could differ."""
    headers: dict[str, str] = {}
    for name_raw, value in raw:
        name = name_raw.decode("latin-1").lower()
        if name in headers and name in _ONCE:
            return None
        headers[name] = value.decode("latin-1")
    return headers


async def _refuse(send: Send, refusal: Refusal) -> None:
    headers = [(b"content-type", JSON_TYPE.encode())]
    if refusal.retry_s:
        headers.append((b"retry-after", str(refusal.retry_s).encode()))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.encode({"ok": False, "text": refusal.text})})
