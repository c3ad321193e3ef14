"""The part of the look that every exchange of ccxt can answer: does each question of ours still come back readable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holdfast.ports.probe import Expected
from holdfast.venues.anyccxt.calls import Calls
from holdfast.venues.transport.hop import always
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.orders import Lane
from holdfast.vocab.outcome import Ok
from holdfast.vocab.probe import Check, Verdict
from holdfast.vocab.reports import Clock
from holdfast.vocab.requests import (
    MeasureClock,
    QueryBalances,
    QueryOpenOrders,
    QueryPositions,
    QueryTrades,
    Request,
)
from holdfast.vocab.units import NS_PER_MS

NOT_TOLD: Final = (
    "ccxt has no common way to ask for an account's number, a key's rights, position mode or margin mode"
)


async def probe(
    work: Calls, expected: Expected, *, specs: Sequence[InstrumentSpec], signed: bool, since_ns: int
) -> tuple[Check, ...]:
    """Ask each question once, one after the other: an exchange's budget may be small. ``since_ns``: of executions."""
    questions: dict[str, Request] = {"clock": MeasureClock()}
    if signed:
        questions |= {
            "balances": QueryBalances(),
            "positions": QueryPositions(),
            "open orders": QueryOpenOrders(),
        }
        for spec in specs[:1]:
            questions[f"executions {spec.instrument}"] = QueryTrades(
                instrument=spec.instrument, since_venue_ns=since_ns
            )
    checks: list[Check] = []
    for name, request in questions.items():
        outcome = await work.call(request, Lane.READ, always)
        if not isinstance(outcome, Ok):
            why = getattr(outcome, "why", type(outcome).__name__)
            checks.append(
                Check(
                    name=name,
                    verdict=Verdict.FAIL,
                    found=f"no usable answer: {why}",
                    advice="the bot would be blind here",
                )
            )
            continue
        checks.append(_answered(name, outcome.value, expected))
    told = Check(
        name="not asked",
        verdict=Verdict.WARN,
        found=NOT_TOLD if signed else "no key: nothing of an account could be looked at",
        advice="look at them at the venue by hand" if signed else "",
    )
    return (*checks, told)


def _answered(name: str, value: object, expected: Expected) -> Check:
    if not isinstance(value, Clock):
        return Check(name=name, verdict=Verdict.OK, found="readable")
    offset_ms = value.offset_ns / NS_PER_MS
    late = abs(offset_ms) > expected.clock_offset_ms_max
    return Check(
        name=name,
        verdict=Verdict.WARN if late else Verdict.OK,
        found=f"the venue is {offset_ms:+.1f} ms from here, round trip {value.rtt_ns / NS_PER_MS:.1f} ms",
        advice="keep this machine's clock right" if late else "",
    )
