"""What a failed call through ccxt proves: (exception class × kind of request), on any exchange.

A definite answer needs the venue's own word: a parsed JSON body that ccxt's mapping for this exchange knows by
code or text. The same class on an HTML page, or on a bare HTTP status, proves nothing. A class without a row
is Unknown and counted.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from msgspec import Struct

from holdfast.venues.transport.failure import Cause, Refusal, cause_of, plain
from holdfast.venues.transport.hop import BudgetSpent, Hop
from holdfast.vocab.outcome import Fatal, Fault, Suppressed, Transient, Unknown


class Kind(Enum):
    """What was asked."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    QUERY = "query"
    READ = "read"
    CONFIG = "config"


class Absent(Struct, frozen=True, kw_only=True):
    """The venue knows no such order."""


Failure = Transient | Fatal | Unknown | Suppressed | Absent

_WRITES: Final = (Kind.PLACE, Kind.AMEND, Kind.CANCEL, Kind.CONFIG)
_READS: Final = (Kind.QUERY, Kind.READ)
_ALL: Final = (*_WRITES, *_READS)

# From the most to the least particular: the first class in an exception's ancestry that has a row for the kind
# decides. Bare ExchangeError, OperationFailed, NetworkError and BadResponse have no row anywhere.
ROWS: Final[dict[str, dict[Kind, type[Transient | Fatal | Unknown | Absent]]]] = {
    "OrderNotFound": {Kind.QUERY: Absent, Kind.CANCEL: Absent, Kind.AMEND: Fatal},
    "DuplicateOrderId": {Kind.PLACE: Unknown},  # an order of this id exists, and it may be this one
    "OrderImmediatelyFillable": {Kind.PLACE: Fatal, Kind.AMEND: Fatal},
    "OrderNotFillable": {Kind.PLACE: Fatal, Kind.AMEND: Fatal},
    "InvalidOrder": {Kind.PLACE: Fatal, Kind.AMEND: Fatal},
    "InsufficientFunds": {Kind.PLACE: Fatal, Kind.AMEND: Fatal, Kind.CONFIG: Fatal},
    "MarketClosed": {Kind.PLACE: Fatal, Kind.AMEND: Fatal},
    "NoChange": {Kind.AMEND: Unknown, Kind.CONFIG: Unknown},
    "OperationRejected": {Kind.PLACE: Fatal, Kind.AMEND: Fatal, Kind.CONFIG: Fatal},
    "AuthenticationError": dict.fromkeys(_ALL, Fatal),
    "ArgumentsRequired": dict.fromkeys(_ALL, Fatal),
    "BadRequest": dict.fromkeys(_ALL, Fatal),
    "NotSupported": dict.fromkeys(_ALL, Fatal),
    "InvalidNonce": dict.fromkeys(_ALL, Transient),  # the clock: measured again at once
    "RateLimitExceeded": dict.fromkeys(_ALL, Transient),
    "DDoSProtection": dict.fromkeys(_ALL, Transient),
    "OnMaintenance": {**dict.fromkeys(_WRITES, Unknown), **dict.fromkeys(_READS, Transient)},
    "RequestTimeout": {**dict.fromkeys(_WRITES, Unknown), **dict.fromkeys(_READS, Transient)},
}
_DUPLICATE: Final = re.compile("duplicat|already exist|already used|not unique", re.IGNORECASE)
FAULTS: Final = {"AuthenticationError": Fault.AUTH, "InvalidNonce": Fault.CLOCK}
_FAULT_STATUSES: Final = {401: Fault.AUTH, 404: Fault.RETIRED, 410: Fault.RETIRED}
_LIMITER_STATUSES: Final = frozenset({418, 429})
_GATEWAY_STATUSES: Final = frozenset({500, 502, 503, 504})


def judge(kind: Kind, hop: Hop, error: Exception, *, retry_ms: int = 0) -> Failure:
    """What an exception of a call proves."""
    if hop.withheld is not None:
        return Suppressed(by=hop.withheld)
    if isinstance(error, BudgetSpent):
        return Transient(why=str(error), code="BUDGET", retry_ms=error.retry_ms)
    name = type(error).__name__
    if hop.status is None or not hop.written:
        return _without_reply(kind, hop, error)
    if hop.status in _LIMITER_STATUSES:
        return Transient(why=f"HTTP {hop.status}", code=f"HTTP {hop.status}", retry_ms=retry_ms)
    why = f"HTTP {hop.status} {name}: {plain(hop.body)}"
    if not _is_json(hop.body):
        reads = kind in _READS
        if reads and hop.status in _GATEWAY_STATUSES:
            return Transient(why=f"HTTP {hop.status}", code=f"HTTP {hop.status}")
        listed = hop.status in _GATEWAY_STATUSES or (not reads and 200 <= hop.status < 300)
        fault = _FAULT_STATUSES.get(hop.status)
        return Unknown(why=why, code=f"HTTP {hop.status}", unlisted=not listed, fault=fault)
    if kind is Kind.PLACE and _DUPLICATE.search(hop.body):
        # Venues that ccxt does not map call it an invalid order; an order of this id exists, and it may be ours.
        return Unknown(why=why, code="DuplicateOrderId")
    for ancestor in type(error).__mro__:
        verdict = ROWS.get(ancestor.__name__, {}).get(kind)
        if verdict is Absent:
            return Absent()
        if verdict is Transient:
            fault = FAULTS.get(ancestor.__name__)
            return Transient(why=why, code=ancestor.__name__, retry_ms=retry_ms, fault=fault)
        if verdict is Fatal:
            return Fatal(why=why, code=ancestor.__name__, fault=FAULTS.get(ancestor.__name__))
        if verdict is Unknown:
            return Unknown(why=why, code=ancestor.__name__)
    return Unknown(why=why, code=name, unlisted=True, fault=_FAULT_STATUSES.get(hop.status))


def _without_reply(kind: Kind, hop: Hop, error: Exception) -> Failure:
    root = error.__cause__ or error
    why = type(root).__name__
    ended = cause_of(hop, error)
    if ended is Refusal.LOCAL:
        return Fatal(why=f"{type(error).__name__}: {_words(error)}", code="LOCAL")
    if ended is Cause.NOT_SENT or kind in _READS:
        return Transient(why=why, code=ended.name)
    return Unknown(why=why, code=ended.name)


def _words(error: Exception) -> str:
    """Ccxt's local refusals say what is missing; the addresses in its other texts carry signatures."""
    text = str(error)
    return "" if "://" in text else plain(text)


def _is_json(body: str) -> bool:
    return body.startswith(("{", "["))
