"""The holds that stand, and what they add up to for one strategy in one instrument."""

from __future__ import annotations

from msgspec import Struct

from holdfast.vocab.facts import HoldPlaced, HoldReleased
from holdfast.vocab.holds import Hold, HoldCause, HoldLevel, Scope
from holdfast.vocab.invariant import invariant


def covers(scope: Scope, *, strategy: str, instrument: str) -> bool:
    """Whether a scope reaches this strategy in this instrument (an empty part reaches all)."""
    return (not scope.strategy or scope.strategy == strategy) and (
        not scope.instrument or scope.instrument == instrument
    )


class HoldTable(Struct, kw_only=True):
    """All standing holds by id, in the order they were placed."""

    holds: dict[int, Hold] = {}
    last_id: int = 0

    def next_id(self) -> int:
        """The id of the next hold."""
        return self.last_id + 1

    def strictest(self, *, strategy: str, instrument: str) -> Hold | None:
        """The hold that decides here: highest level, oldest among equals; None where nothing stands."""
        worst: Hold | None = None
        for hold in self.holds.values():
            if covers(hold.scope, strategy=strategy, instrument=instrument) and (
                worst is None or hold.level > worst.level
            ):
                worst = hold
        return worst

    def account_level(self) -> HoldLevel:
        """The strictest level that stands over the whole account."""
        return max(
            (hold.level for hold in self.holds.values() if hold.scope == Scope()), default=HoldLevel.NONE
        )

    def find(self, cause: HoldCause, scope: Scope | None = None) -> Hold | None:
        """The oldest standing hold of this cause (and exactly this scope, where given)."""
        for hold in self.holds.values():
            if hold.cause is cause and (scope is None or hold.scope == scope):
                return hold
        return None

    # --- facts ------------------------------------------------------------------------------------------------

    def place(self, fact: HoldPlaced) -> None:
        """Add a hold, or replace it by a stricter or better documented version of itself."""
        hold = fact.hold
        old = self.holds.get(hold.hold_id)
        invariant(
            old is None or hold.level >= old.level,
            "a standing hold is never weakened",
            hold_id=hold.hold_id,
            level=int(hold.level),
        )
        self.holds[hold.hold_id] = hold
        self.last_id = max(self.last_id, hold.hold_id)

    def release(self, fact: HoldReleased) -> None:
        """Remove a hold."""
        invariant(fact.hold_id in self.holds, "only a standing hold is released", hold_id=fact.hold_id)
        del self.holds[fact.hold_id]
