"""A look at Binance as it is today: its shapes, its clock, the key's rights, the account's modes, the rate budget."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from msgspec import Struct

from holdfast.ports.probe import Expected
from holdfast.venues.binance import calls, contract
from holdfast.venues.binance.asking import Answer, Endpoint, decoded
from holdfast.venues.binance.calls import Calls
from holdfast.venues.binance.codec import Params
from holdfast.venues.binance.contract import CONTRACT, Clause
from holdfast.venues.binance.errors import Absent, Kind
from holdfast.venues.transport.budget import Budget
from holdfast.venues.transport.hop import always
from holdfast.venues.transport.shapes import differences
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok, Transient
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.reports import Clock
from holdfast.vocab.units import NS_PER_MS

_TRIES: Final = 3
_PAUSE_S: Final = 1.0
_NOBODYS: Final = "hfprobe-nobodys-order"
_BUDGET_PPM_WARN: Final = 500_000
_PPM: Final = 1_000_000
_TRANSFERS: Final = ("enableInternalTransfer", "permitsUniversalTransfer")
OK: Final = Verdict.OK
WARN: Final = Verdict.WARN
FAIL: Final = Verdict.FAIL


class _Right(Struct, frozen=True, kw_only=True):
    """One right of a key: Binance's name for it, what it should be, and what is said where it is or is not."""

    key: str
    wanted: bool
    name: str
    good: str
    bad: str
    advice: str


_RIGHTS: Final = (
    _Right(
        key="enableWithdrawals",
        wanted=False,
        name="withdrawals",
        good="the key may not withdraw",
        bad="the key may withdraw",
        advice="make a key without that right, and delete this one",
    ),
    _Right(
        key="ipRestrict",
        wanted=True,
        name="addresses",
        good="the key works from listed addresses only",
        bad="the key works from anywhere",
        advice="tie it to this machine's address at the venue",
    ),
    _Right(
        key="enableFutures",
        wanted=True,
        name="trading",
        good="the key may trade futures",
        bad="the key may not trade futures",
        advice="give it that right at the venue",
    ),
)


def check(name: str, verdict: Verdict, found: str, advice: str = "") -> Check:
    """One line of the report."""
    return Check(name=name, verdict=verdict, found=found, advice=advice)


async def probe(work: Calls, expected: Expected, *, budget: Budget, signed: bool) -> tuple[Check, ...]:
    """Everything that can be looked at without changing anything. ``signed`` False: no key, so only what is public."""
    clauses = [clause for clause in CONTRACT if signed or not clause.endpoint.signed]
    if not signed:
        clauses = [clause for clause in clauses if clause.path.startswith("GET /fapi/v1/")]
    if not expected.rights_told:
        clauses = [clause for clause in clauses if clause.endpoint is not contract.RESTRICTIONS]
    clock = await _clock(work, expected)
    instruments = [spec.instrument for spec in work.specs]
    answers = await asyncio.gather(*[_asked(work, clause, instruments) for clause in clauses])
    told = {clause.path: answer for clause, answer in zip(clauses, answers, strict=True)}
    checks = [clock]
    checks += [_shape(clause, told[clause.path], work.asker.last_failure) for clause in clauses]
    if not signed:
        return (*checks, check("account", WARN, "no key: nothing of an account could be looked at"))
    checks += [await _absent(work, instruments[0], cancel=cancel) for cancel in (False, True)]
    checks.append(check("not called", OK, contract.NOT_CALLED))
    read = {path: decoded(answer) for path, answer in told.items()}
    if expected.rights_told:
        checks += _rights(read.get("GET /sapi/v1/account/apiRestrictions"))
    else:
        checks.append(check("key", WARN, "a practice venue does not tell what its keys may do"))
    checks.append(_account(read.get("GET /fapi/v3/balance"), expected))
    checks += _modes(read)
    checks += _leverage(read, expected, instruments)
    checks.append(_budget(budget))
    return tuple(checks)


async def _asked(work: Calls, clause: Clause, instruments: list[str]) -> Answer:
    params: Params = {"symbol": instruments[0]} if clause.per_symbol else {}
    return await _patiently(work, clause.endpoint, params, Kind.READ)


async def _patiently(work: Calls, endpoint: Endpoint, params: Params, kind: Kind) -> Answer:
    """Asked again where the venue was only busy: a bot is not halted for a moment's 503."""
    tries = 1
    while True:
        answer = await work.asker.ask(endpoint, params, kind=kind, lane=Lane.READ, may_send=always)
        if not isinstance(answer, Transient) or tries == _TRIES:
            return answer
        tries += 1
        await asyncio.sleep(_PAUSE_S)


def _shape(clause: Clause, answer: Answer, last_failure: str) -> Check:
    if not isinstance(answer, str):
        why = getattr(answer, "why", "") or last_failure or type(answer).__name__
        return check(clause.path, FAIL, f"no usable answer: {why}", "the bot would be blind here")
    found = differences(clause.promise, answer)
    if not found:
        empty = answer.strip() == "[]"
        return check(clause.path, OK, "as recorded, but without a row to look at" if empty else "as recorded")
    return check(
        clause.path,
        FAIL,
        "; ".join(found),
        "the venue changed this answer: the adapter must be looked at first",
    )


async def _clock(work: Calls, expected: Expected) -> Check:
    outcome = await work.measure_clock()
    if not isinstance(outcome, Ok) or not isinstance(outcome.value, Clock):
        return check("clock", FAIL, "the venue does not tell the time")
    offset_ms = outcome.value.offset_ns / NS_PER_MS
    found = (
        f"the venue is {offset_ms:+.1f} ms from here, round trip {outcome.value.rtt_ns / NS_PER_MS:.1f} ms"
    )
    if abs(offset_ms) > expected.clock_offset_ms_max:
        return check(
            "clock", WARN, found, "requests are signed by the venue's time; keep this machine's clock right"
        )
    return check("clock", OK, found)


async def _absent(work: Calls, instrument: str, *, cancel: bool) -> Check:
    """An order that nobody sent: both questions must say so by the code that stands in the table."""
    name = f"{'DELETE' if cancel else 'GET'} /fapi/v1/order"
    answer = await _patiently(
        work,
        calls.CANCEL if cancel else calls.QUERY,
        {"symbol": instrument, "origClientOrderId": _NOBODYS},
        Kind.CANCEL if cancel else Kind.QUERY,
    )
    if isinstance(answer, Absent):
        return check(name, OK, "nobody's order is told to be absent")
    why = "an answer" if isinstance(answer, str) else getattr(answer, "why", type(answer).__name__)
    return check(
        name,
        FAIL,
        f"nobody's order is not told to be absent: {why}",
        "the fate of a lost order could not be known",
    )


def _rights(told: Any) -> list[Check]:
    if not isinstance(told, dict):
        return [
            check(
                "key", FAIL, "the venue does not tell what the key may do", "see the line of apiRestrictions"
            )
        ]
    checks = []
    checks = [_right(told, one) for one in _RIGHTS]
    untold = [name for name in _TRANSFERS if not isinstance(told.get(name), bool)]
    moves = [name for name in _TRANSFERS if told.get(name) is True]
    if untold:
        found = f"whether the key may move money within the exchange is not told ({', '.join(untold)})"
        checks.append(check("transfers", WARN, found, "look at the key's rights at the venue"))
    elif moves:
        found = f"the key may move money within the exchange ({', '.join(moves)})"
        checks.append(check("transfers", WARN, found, "take that right away"))
    return checks


def _right(told: dict[str, Any], right: _Right) -> Check:
    """What is not told is no right that we want, and is not said to be one that we do not want."""
    answer = told.get(right.key)
    if not isinstance(answer, bool):
        return check(right.name, FAIL, f"{right.key} is not told", "see the line of apiRestrictions")
    if answer is right.wanted:
        return check(right.name, OK, right.good)
    return check(right.name, FAIL, right.bad, right.advice)


def _account(told: Any, expected: Expected) -> Check:
    first = told[0] if isinstance(told, list) and told else None
    number = str(first.get("accountAlias", "")) if isinstance(first, dict) else ""
    if not number:
        return check("account", FAIL, "the venue does not tell the account's number")
    if not expected.account_uid:
        return check("account", OK, f"number {number}, not pinned (account.uid)")
    if number != expected.account_uid:
        return check(
            "account",
            FAIL,
            f"the key opens {number}, the configuration pins {expected.account_uid}",
            "this key belongs to another account",
        )
    return check("account", OK, f"number {number}, as pinned")


def _modes(read: dict[str, Any]) -> list[Check]:
    dual = read.get("GET /fapi/v1/positionSide/dual")
    one_way = isinstance(dual, dict) and dual.get("dualSidePosition") is False
    multi = read.get("GET /fapi/v1/multiAssetsMargin")
    single = isinstance(multi, dict) and multi.get("multiAssetsMargin") is False
    return [
        check("position mode", OK, "one-way")
        if one_way
        else check("position mode", FAIL, "hedge mode, or not told", "switch the account to one-way mode"),
        check("margin mode", OK, "single asset")
        if single
        else check(
            "margin mode", FAIL, "multi-assets mode, or not told", "switch the account to single-asset mode"
        ),
    ]


def _leverage(read: dict[str, Any], expected: Expected, instruments: list[str]) -> list[Check]:
    rows = _by_symbol(read.get("GET /fapi/v1/symbolConfig"))
    brackets = _by_symbol(read.get("GET /fapi/v1/leverageBracket"))
    checks = []
    for instrument in instruments:
        name = f"leverage {instrument}"
        row = rows.get(instrument, {})
        now, margin = row.get("leverage"), str(row.get("marginType", "?")).lower()
        steps = [step.get("initialLeverage") for step in _dicts(brackets.get(instrument, {}).get("brackets"))]
        most = max((step for step in steps if type(step) is int), default=None)
        if most is None:
            checks.append(check(name, FAIL, "the venue does not tell what it allows", "look there by hand"))
        elif most < expected.leverage:
            found = f"the venue allows {most}x at most, the configuration asks {expected.leverage}x"
            checks.append(check(name, FAIL, found, "lower venue.leverage"))
        elif type(now) is not int:
            checks.append(check(name, FAIL, "the venue does not tell what is set", "look there by hand"))
        elif now != expected.leverage:
            found = f"{now}x ({margin}), the configuration says {expected.leverage}x"
            advice = "" if expected.starting else "every start of the bot sets it: who changed it since?"
            checks.append(check(name, OK if expected.starting else WARN, found, advice))
        else:
            checks.append(check(name, OK, f"{now}x ({margin})"))
    return checks


def _by_symbol(rows: Any) -> dict[str, dict[str, Any]]:
    return {row["symbol"]: row for row in _dicts(rows) if isinstance(row.get("symbol"), str)}


def _dicts(rows: Any) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _budget(budget: Budget) -> Check:
    used = budget.used()
    found = ", ".join(f"{name} {units} of {limit}" for name, (units, limit) in used.items())
    if not budget.is_told:
        return check("rate budget", WARN, f"the venue tells no use of it ({found} by our own count)")
    full = [name for name, (units, limit) in used.items() if units * _PPM > limit * _BUDGET_PPM_WARN]
    if full:
        return check("rate budget", WARN, found, "more than half is used: who else asks from this address?")
    return check("rate budget", OK, found)
