"""Every cause of a hold: how much it forbids, who lifts it, and what a person does about it. One table."""

from __future__ import annotations

from typing import Final, NamedTuple

from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Release
from holdfast.vocab.outcome import Fault


class Rule(NamedTuple):
    """The level a cause places, who releases it, and the next act that would."""

    level: HoldLevel
    release: Release
    remedy: str


_L = HoldLevel
_R = Release

RULES: Final[dict[HoldCause, Rule]] = {
    HoldCause.STARTUP: Rule(_L.HALTED, _R.PERSON, "holdfast arm"),
    HoldCause.HALT: Rule(_L.HALTED, _R.PERSON, "holdfast resume HOLD --reason …"),
    HoldCause.PAUSE: Rule(_L.HALTED, _R.PERSON, "holdfast unpause --reason …"),
    HoldCause.STOP: Rule(_L.HALTED, _R.PERSON, "holdfast resume HOLD --reason …"),
    HoldCause.KILL: Rule(_L.KILLED, _R.TWO_PERSONS, "holdfast recover --reason … --second-token-file FILE"),
    HoldCause.HARDSTOP: Rule(
        _L.KILLED, _R.TWO_PERSONS, "holdfast recover --reason … --second-token-file FILE"
    ),
    HoldCause.BAN: Rule(_L.REDUCE_ONLY, _R.PERSON, "holdfast unban SCOPE --reason …"),
    HoldCause.DRAWDOWN_WARNING: Rule(_L.REDUCED, _R.AUTOMATIC, "released below the release drawdown"),
    HoldCause.DRAWDOWN_BREAKER: Rule(
        _L.REDUCE_ONLY, _R.PERSON, "after the cool-down: holdfast resume HOLD --reason …"
    ),
    HoldCause.BREAKERS: Rule(
        _L.KILLED, _R.TWO_PERSONS, "holdfast recover --reason … --second-token-file FILE"
    ),
    HoldCause.ORDER_RATE: Rule(
        _L.KILLED, _R.TWO_PERSONS, "holdfast recover --reason … --second-token-file FILE"
    ),
    HoldCause.RUNAWAY: Rule(
        _L.HALTED, _R.PERSON, "see why it asks so often; then holdfast resume HOLD --reason …"
    ),
    HoldCause.VOLATILITY: Rule(_L.REDUCED, _R.AUTOMATIC, "released when the market has calmed down"),
    HoldCause.CRASH: Rule(_L.REDUCE_ONLY, _R.PERSON, "see what fell; then holdfast resume HOLD --reason …"),
    HoldCause.STALE_DATA: Rule(_L.REDUCE_ONLY, _R.AUTOMATIC, "released when data is fresh again"),
    HoldCause.BAD_DATA: Rule(
        _L.REDUCE_ONLY,
        _R.AUTOMATIC,
        "released when less of its data is refused, and its marks and quotes agree",
    ),
    HoldCause.SPLIT: Rule(
        _L.HALTED, _R.PERSON, "apply the split to positions and limits; then holdfast resume HOLD --reason …"
    ),
    HoldCause.FEEDS_LOST: Rule(_L.HALTED, _R.AUTOMATIC, "released when a feed is back"),
    HoldCause.USER_STREAM_LOST: Rule(
        _L.REDUCE_ONLY, _R.AUTOMATIC, "released when the stream is back and reconciled"
    ),
    HoldCause.POSITION_STALE: Rule(_L.REDUCE_ONLY, _R.AUTOMATIC, "released when the venue answers again"),
    HoldCause.POSITION_UNKNOWN: Rule(
        _L.HALTED, _R.PERSON, "holdfast doctor --venue, then holdfast resume HOLD --reason …"
    ),
    HoldCause.CLOCK: Rule(_L.REDUCE_ONLY, _R.AUTOMATIC, "released when the clocks agree again"),
    HoldCause.RECONCILE_BREAK: Rule(
        _L.HALTED,
        _R.PERSON,
        "holdfast reconcile; what still differs (holdfast status): holdfast adopt NAME --reason …; "
        "then holdfast resume HOLD --reason …",
    ),
    HoldCause.QUARANTINE: Rule(
        _L.REDUCE_ONLY,
        _R.PERSON,
        "holdfast quarantine release TRADE --reason …; then holdfast resume HOLD --reason …",
    ),
    HoldCause.FILL_BUSTED: Rule(
        _L.REDUCE_ONLY,
        _R.PERSON,
        "see what the venue took back, and what stands without it; then holdfast resume HOLD --reason …",
    ),
    HoldCause.UNKNOWN_ERROR: Rule(
        _L.REDUCE_ONLY, _R.PERSON, "read the alert; then holdfast resume HOLD --reason …"
    ),
    HoldCause.VENUE_AUTH: Rule(_L.HALTED, _R.PERSON, "mend the key; then holdfast resume HOLD --reason …"),
    HoldCause.VENUE_CONTRACT: Rule(
        _L.HALTED,
        _R.AUTOMATIC,
        "holdfast doctor --venue; mend what it names: the next look, within a minute, releases it",
    ),
    HoldCause.ENDPOINT_RETIRED: Rule(
        _L.REDUCE_ONLY,
        _R.PERSON,
        "holdfast doctor; a build that asks elsewhere; then holdfast resume HOLD --reason …",
    ),
    HoldCause.RETRIES_SPENT: Rule(
        _L.REDUCE_ONLY,
        _R.AUTOMATIC,
        "released when the venue answers again; an order that it never tells of: holdfast resolve ORDER --reason …",
    ),
    HoldCause.LOST_LEASE: Rule(
        _L.HALTED, _R.PERSON, "holdfast reconcile; then holdfast resume HOLD --reason …"
    ),
    HoldCause.STRATEGY_FAILED: Rule(
        _L.REDUCE_ONLY, _R.PERSON, "mend the strategy; then holdfast resume HOLD --reason …"
    ),
    HoldCause.CHURN: Rule(
        _L.HALTED, _R.PERSON, "see why it goes round; then holdfast resume HOLD --reason …"
    ),
    HoldCause.CRITERIA: Rule(
        _L.HALTED, _R.PERSON, "see what it lost or why it is refused; then holdfast resume HOLD --reason …"
    ),
    HoldCause.OVERSIZED: Rule(
        _L.REDUCE_ONLY, _R.PERSON, "see where the position came from; then holdfast resume HOLD --reason …"
    ),
    HoldCause.SPEC_CHANGED: Rule(
        _L.HALTED, _R.PERSON, "restart with the new facts; then holdfast resume HOLD --reason …"
    ),
    HoldCause.DEADMAN_UNARMED: Rule(
        _L.HALTED, _R.AUTOMATIC, "released when the venue's dead-man switch is armed"
    ),
    HoldCause.FLATTEN: Rule(_L.REDUCE_ONLY, _R.PERSON, "once flat: holdfast resume HOLD --reason …"),
    HoldCause.REFERENCE_STALE: Rule(
        _L.REDUCE_ONLY,
        _R.AUTOMATIC,
        "look at the reference file and renew its as_of: it is read again by itself",
    ),
    HoldCause.MARKET_HALT: Rule(
        _L.REDUCE_ONLY,
        _R.AUTOMATIC,
        "released when the fall is below its first level again, or the day is over",
    ),
    HoldCause.LIQUIDATION: Rule(
        _L.HALTED, _R.PERSON, "holdfast reconcile; then holdfast resume HOLD --reason …"
    ),
}

# What a failed answer says beside its request, and the cause of the hold that it places by itself.
FAULT_HOLDS: Final[dict[Fault, HoldCause]] = {
    Fault.AUTH: HoldCause.VENUE_AUTH,
    Fault.RETIRED: HoldCause.ENDPOINT_RETIRED,
    Fault.CLOCK: HoldCause.CLOCK,
}


def remedy_of(hold: Hold) -> str:
    """The next act that releases this very hold, as a person would type it."""
    scope = hold.scope
    banned = f"instrument {scope.instrument}" if scope.instrument else f"strategy {scope.strategy}"
    where = (f" --strategy {scope.strategy}" if scope.strategy else "") + (
        f" --instrument {scope.instrument}" if scope.instrument else ""
    )
    text = RULES[hold.cause].remedy.replace("HOLD", str(hold.hold_id)).replace("SCOPE", banned)
    return text + where if hold.cause is HoldCause.PAUSE else text
