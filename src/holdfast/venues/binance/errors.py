"""What a reply of Binance USD-M proves, as one table: (HTTP status, venue code, transport cause) × kind of request.

The rule: only the venue's own word in parsed JSON, with a code that has a row for this kind of request, proves
that something did not happen; only a hop that never wrote proves that nothing was sent. Everything else is
Unknown, and a code without a row is Unknown and counted (``unlisted``), on reads too: a retired endpoint that
is taken for a hiccup is how a bot goes blind.

Sources: the venue's error-code pages for USDⓈ-M futures; the bodies that users published; a server that
injected faults into real calls. ``docs/reference/errors-binance.md`` is written from this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from msgspec import Struct

from holdfast.venues.transport.failure import Cause
from holdfast.vocab.outcome import Fatal, Fault, Transient, Unknown


class Kind(Enum):
    """What was asked. A read changes nothing; each of the others may have taken effect unseen."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    QUERY = "query"  # one order, by our id
    READ = "read"  # everything else that changes nothing
    CONFIG = "config"  # leverage, dead-man


class Verdict(Enum):
    """What a row says. ABSENT: the venue knows no such order. DONE: it is as asked already."""

    DONE = "done"
    ABSENT = "absent"
    TRANSIENT = "transient"
    FATAL = "fatal"
    UNKNOWN = "unknown"


class Row(Struct, frozen=True, kw_only=True):
    """One code (or status, or cause): its verdict per kind. A kind that is not listed has no row: Unknown."""

    meaning: str
    verdicts: dict[Kind, Verdict]
    note: str = ""
    fault: Fault | None = None  # what it says is wrong beside the request


_READS: Final = (Kind.QUERY, Kind.READ)
_WRITES: Final = (Kind.PLACE, Kind.AMEND, Kind.CANCEL, Kind.CONFIG)
_ALL: Final = (*_WRITES, *_READS)


def _all(verdict: Verdict) -> dict[Kind, Verdict]:
    return dict.fromkeys(_ALL, verdict)


def _maybe() -> dict[Kind, Verdict]:
    """It may have happened: Unknown where it would matter; a read may simply be asked again."""
    return {**dict.fromkeys(_WRITES, Verdict.UNKNOWN), **dict.fromkeys(_READS, Verdict.TRANSIENT)}


def _only(verdict: Verdict, *kinds: Kind) -> dict[Kind, Verdict]:
    return dict.fromkeys(kinds, verdict)


def _codes(
    rows: Iterable[tuple[int, str]], verdicts: dict[Kind, Verdict], fault: Fault | None = None
) -> dict[int, Row]:
    return {code: Row(meaning=meaning, verdicts=verdicts, fault=fault) for code, meaning in rows}


_P, _A, _C, _CFG = Kind.PLACE, Kind.AMEND, Kind.CANCEL, Kind.CONFIG

CODES: Final[dict[int, Row]] = {
    # --- 10xx: server and network ---
    **_codes(
        (
            (-1000, "unknown error while processing"),
            (-1001, "internal error, disconnected"),
            (-1004, "server busy"),
            (-1006, "unexpected response from the message bus; execution status unknown"),
            (-1007, "time-out waiting for the backend; send status and execution status unknown"),
        ),
        _maybe(),
    ),
    -1008: Row(
        meaning="server overloaded",
        verdicts=_maybe(),
        note="documented as a failure; a user's order was live behind it (2025-09)",
    ),
    -1003: Row(
        meaning="too many requests", verdicts=_all(Verdict.TRANSIENT), note="waits as told by the reply"
    ),
    -1015: Row(meaning="too many new orders", verdicts=_only(Verdict.TRANSIENT, _P, _A)),
    -1021: Row(
        meaning="timestamp outside the receive window, or more than 1 s ahead",
        verdicts=_all(Verdict.TRANSIENT),
        note="the clock is measured again at once",
        fault=Fault.CLOCK,
    ),
    -5028: Row(
        meaning="timestamp outside the matching engine's receive window",
        verdicts=_only(Verdict.TRANSIENT, _P, _A, _C),
        note="as -1021; ccxt calls it a bad order",
        fault=Fault.CLOCK,
    ),
    **_codes(
        (
            (-1002, "not authorised"),
            (-1005, "no such IP on the white list"),
            (-1011, "this IP cannot access this route"),
            (-1022, "signature not valid"),
            (-1099, "not found, authenticated or authorised"),
            (-1109, "invalid account"),
            (-2014, "API key format invalid"),
            (-2015, "invalid API key, IP or permission (an IP ban may look the same)"),
            (-2017, "API keys are locked on this account"),
        ),
        _all(Verdict.FATAL),
        Fault.AUTH,
    ),
    -1016: Row(meaning="service is no longer available", verdicts=_all(Verdict.FATAL), fault=Fault.RETIRED),
    -1020: Row(meaning="operation not supported", verdicts=_all(Verdict.FATAL)),
    # --- 11xx: the request itself ---
    **_codes(
        (
            (-1013, "invalid message"),
            (-1014, "unsupported order combination"),
            (-1023, "start time is greater than end time"),
            (-1100, "illegal characters in a parameter"),
            (-1101, "too many parameters"),
            (-1102, "mandatory parameter missing or malformed"),
            (-1103, "unknown parameter"),
            (-1104, "unread parameters"),
            (-1105, "parameter empty"),
            (-1106, "parameter sent when not required"),
            (-1108, "invalid asset, or a value too large"),
            (-1110, "invalid symbol type"),
            (-1111, "precision over the maximum"),
            (-1114, "timeInForce sent when not required"),
            (-1115, "invalid timeInForce"),
            (-1116, "invalid order type"),
            (-1117, "invalid side"),
            (-1118, "new client order id empty"),
            (-1119, "original client order id empty"),
            (-1120, "invalid interval"),
            (-1121, "invalid symbol"),
            (-1122, "invalid symbol status"),
            (-1126, "asset not supported"),
            (-1127, "lookup interval too big"),
            (-1128, "invalid combination of optional parameters"),
            (-1130, "invalid data sent for a parameter"),
            (-1131, "receive window must be less than 60000"),
            (-1136, "invalid newOrderRespType"),
        ),
        _all(Verdict.FATAL),
    ),
    -1112: Row(meaning="no orders on the book for the symbol", verdicts=_only(Verdict.FATAL, _P)),
    # --- 20xx: processing ---
    **_codes(
        (
            (-2010, "new order rejected"),
            (-2016, "no trading window"),
            (-2018, "balance insufficient"),
            (-2019, "margin insufficient"),
            (-2020, "unable to fill"),
            (-2021, "order would immediately trigger"),
            (-2022, "reduce-only order rejected"),
            (-2023, "user in liquidation mode"),
            (-2024, "position not sufficient"),
            (-2025, "maximum of open orders reached"),
            (-2026, "order type not supported when reduce-only"),
            (-2027, "maximum position at current leverage exceeded"),
        ),
        _only(Verdict.FATAL, _P, _A),
    ),
    -2028: Row(
        meaning="leverage smaller than permitted: margin balance insufficient",
        verdicts=_only(Verdict.FATAL, _P, _A, _CFG),
    ),
    -2011: Row(
        meaning="cancel rejected: unknown order",
        verdicts=_only(Verdict.ABSENT, _C),
        note="right after sending this proves nothing: the core asks again",
    ),
    -2012: Row(meaning="batch cancel failure", verdicts=_only(Verdict.UNKNOWN, _C)),
    -2013: Row(
        meaning="order does not exist",
        verdicts={Kind.QUERY: Verdict.ABSENT, _C: Verdict.ABSENT, _A: Verdict.FATAL},
        note="right after sending this proves nothing: the core asks again",
    ),
    # --- 40xx: filters and rules ---
    **_codes(
        (
            (-4000, "invalid order status"),
            (-4001, "price less than zero"),
            (-4002, "price greater than maximum"),
            (-4003, "quantity not above zero"),
            (-4004, "quantity less than minimum"),
            (-4005, "quantity greater than maximum"),
            (-4006, "stop price less than zero"),
            (-4007, "stop price greater than maximum"),
            (-4008, "tick size less than zero"),
            (-4009, "maximum price less than minimum"),
            (-4010, "maximum quantity less than minimum"),
            (-4011, "step size less than zero"),
            (-4012, "maximum of open conditional orders reached"),
            (-4013, "price less than minimum"),
            (-4014, "price not on the tick"),
            (-4015, "client order id too long"),
            (-4016, "price above the multiplier cap"),
            (-4017, "multiplier up less than zero"),
            (-4018, "multiplier down less than zero"),
            (-4019, "composite scale overflow"),
            (-4020, "target strategy invalid"),
            (-4021, "invalid depth limit"),
            (-4022, "wrong market status"),
            (-4023, "quantity not on the step"),
            (-4024, "price below the multiplier floor"),
            (-4025, "multiplier decimal less than zero"),
            (-4026, "commission invalid"),
            (-4027, "invalid account type"),
            (-4028, "invalid leverage"),
            (-4029, "tick size precision invalid"),
            (-4030, "step size precision invalid"),
            (-4031, "invalid working type"),
            (-4032, "maximum of cancelled orders in one request exceeded"),
            (-4033, "insurance account not found"),
            (-4044, "invalid balance type"),
            (-4045, "maximum of stop orders reached"),
            (-4047, "margin type cannot change: open orders"),
            (-4048, "margin type cannot change: a position"),
            (-4049, "isolated margin only"),
            (-4050, "cross balance insufficient"),
            (-4051, "isolated balance insufficient"),
            (-4054, "cannot add position margin: position is zero"),
            (-4055, "amount must be positive"),
            (-4056, "invalid API key type"),
            (-4060, "invalid position side"),
            (-4061, "position side does not match the account's setting"),
            (-4062, "reduce-only conflicts"),
            (-4067, "position side cannot change: open orders"),
            (-4068, "position side cannot change: a position"),
            (-4082, "invalid number of batch orders"),
            (-4083, "batch place failure"),
            (-4084, "not supported"),
            (-4086, "invalid position stop limit"),
            (-4087, "only reduce-only orders may be placed"),
            (-4088, "no orders may be placed now"),
            (-4104, "invalid contract type"),
            (-4118, "reduce-only margin check failed"),
            (-4120, "order type belongs to the algo endpoints"),
            (-4131, "counterparty's best price outside the percent-price filter"),
            (-4135, "invalid activation price"),
            (-4136, "target strategy invalid for this order"),
            (-4137, "quantity must be zero with close-position"),
            (-4138, "reduce-only must be true"),
            (-4139, "order type cannot be market"),
            (-4140, "symbol status invalid for opening a position"),
            (-4141, "symbol is closed"),
            (-4142, "reduce-only trigger order would close at once"),
            (-4144, "invalid pair"),
            (-4161, "leverage cannot be reduced in isolated margin with a position"),
            (-4164, "notional below the minimum (reduce-only is exempt)"),
            (-4165, "invalid time interval"),
            (-4183, "price above the stop multiplier cap"),
            (-4184, "price below the stop multiplier floor"),
            (-4192, "trade forbidden: cooling-off period"),
            (-4202, "leverage over 20x needs verification"),
            (-4203, "leverage over 20x only a month after registration"),
            (-4205, "leverage over 20x only some days after registration"),
            (-4206, "leverage limited in this country"),
            (-4208, "leverage limited by the position limit service"),
            (-4209, "leverage above the symbol's maximum"),
            (-4210, "stop price above the multiplier cap"),
            (-4211, "stop price below the multiplier floor"),
            (-4400, "quantitative rules violated: reduce-only orders only"),
            (-4401, "account restricted: reduce-only orders only"),
            (-4402, "not available in this region"),
            (-4403, "leverage limited in this region"),
            (-5021, "fill-or-kill could not be filled"),
            (-5022, "post-only would have taken"),
            (-5024, "symbol not trading: no amendment"),
            (-5025, "only limit orders can be amended"),
            (-5026, "maximum of amendments of this order reached"),
            (-5037, "invalid price match"),
            (-5038, "price match not supported for this order type"),
            (-5039, "invalid self-trade prevention mode"),
            (-5040, "good-till date out of range"),
            (-5041, "no depth for this price match"),
        ),
        _only(Verdict.FATAL, _P, _A, _CFG),
    ),
    -4046: Row(meaning="margin type already so", verdicts=_only(Verdict.DONE, _CFG)),
    -4059: Row(meaning="position side already so", verdicts=_only(Verdict.DONE, _CFG)),
    -4116: Row(
        meaning="client order id duplicated",
        verdicts=_only(Verdict.UNKNOWN, _P),
        note="an order of this id exists, and it may well be this one: ask for it",
    ),
    -4117: Row(meaning="stop order is triggering", verdicts=_only(Verdict.TRANSIENT, _C)),
    -5027: Row(
        meaning="no need to modify the order",
        verdicts=_only(Verdict.UNKNOWN, _A),
        note="it is as asked, perhaps by an earlier amend whose answer was lost: ask for it",
    ),
    -5000: Row(
        meaning="path or method is invalid",
        verdicts=dict.fromkeys(_WRITES, Verdict.FATAL),
        note="no row on reads: a retired endpoint must be loud, not one more failed read",
        fault=Fault.RETIRED,
    ),
}

STATUSES: Final[dict[int, Row]] = {
    401: Row(meaning="not authorised", verdicts={}, fault=Fault.AUTH),
    404: Row(meaning="not found", verdicts={}, fault=Fault.RETIRED),
    410: Row(meaning="gone", verdicts={}, fault=Fault.RETIRED),
    418: Row(meaning="IP banned", verdicts=_all(Verdict.TRANSIENT), note="waits for Retry-After"),
    429: Row(meaning="rate limit broken", verdicts=_all(Verdict.TRANSIENT), note="waits for Retry-After"),
    500: Row(meaning="internal error", verdicts=_maybe()),
    502: Row(meaning="bad gateway", verdicts=_maybe()),
    503: Row(meaning="unavailable, or status unknown", verdicts=_maybe()),
    504: Row(meaning="gateway time-out", verdicts=_maybe()),
}
"""For replies without a venue code. 401, 404 and 410 have no verdict, and 3xx, 403, 405, 408, 451 no row at all, on
purpose: they say who answered, not what happened, and on a read they mean that we are going blind."""

CAUSES: Final[dict[Cause, Row]] = {
    Cause.NOT_SENT: Row(meaning="nothing was written", verdicts=_all(Verdict.TRANSIENT)),
    Cause.NO_REPLY: Row(meaning="written, no reply in time", verdicts=_maybe()),
    Cause.CONNECTION_LOST: Row(meaning="written, connection lost", verdicts=_maybe()),
    Cause.CUT_SHORT: Row(meaning="the reply broke off", verdicts=_maybe()),
    Cause.UNREADABLE: Row(
        meaning="a success that cannot be read",
        verdicts=dict.fromkeys(_WRITES, Verdict.UNKNOWN),
        note="no row on reads: the venue's format has changed, or somebody else answers",
    ),
}


class Absent(Struct, frozen=True, kw_only=True):
    """The venue knows no such order."""


class AlreadySo(Struct, frozen=True, kw_only=True):
    """It is as asked already."""


Failure = Transient | Fatal | Unknown | Absent | AlreadySo


def classify(kind: Kind, *, status: int | None, code: int | None, why: str, retry_ms: int = 0) -> Failure:
    """What a reply proves that is not a success. ``code`` is the venue's, None where the body has none."""
    if code is not None and code in CODES:
        return _failure(CODES[code], kind, why=why, code=str(code), retry_ms=retry_ms)
    # A code without a row is not overruled by its status: 429 and 418 alone are the limiter's word on any body.
    if status is not None and status in STATUSES and (code is None or code >= 0 or status in (418, 429)):
        return _failure(STATUSES[status], kind, why=why, code=f"HTTP {status}", retry_ms=retry_ms)
    return Unknown(why=why, code=str(code) if code is not None else f"HTTP {status}", unlisted=True)


def classify_cause(kind: Kind, cause: Cause, *, why: str) -> Failure:
    """What a request proves that got no whole reply."""
    return _failure(CAUSES[cause], kind, why=why, code=cause.name, retry_ms=0)


def _failure(row: Row, kind: Kind, *, why: str, code: str, retry_ms: int) -> Failure:
    match row.verdicts.get(kind):
        case Verdict.TRANSIENT:
            return Transient(why=why, code=code, retry_ms=retry_ms, fault=row.fault)
        case Verdict.FATAL:
            return Fatal(why=why, code=code, fault=row.fault)
        case Verdict.UNKNOWN:
            return Unknown(why=why, code=code, fault=row.fault)
        case Verdict.ABSENT:
            return Absent()
        case Verdict.DONE:
            return AlreadySo()
        case None:
            return Unknown(why=why, code=code, unlisted=True, fault=row.fault)
