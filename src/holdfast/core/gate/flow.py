"""What was let through in one instrument or group lately: by all strategies on each side, and where each began.

Kept in slices, a ``SLICES``-th of the window long: what is older than the window leaves up to that much late and never
early. Promises: a bounded amount, so that a check is O(1) in the orders; looking changes nothing; a start forgets it.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from holdfast.core.views import FAR_PAST_NS
from holdfast.vocab.limits import FlowRules, GroupFlowRules
from holdfast.vocab.orders import Side
from holdfast.vocab.units import NS_PER_MS

SLICES: Final = 16
R = TypeVar("R", FlowRules, GroupFlowRules)


@dataclass(slots=True, kw_only=True)
class Slice:
    """What was approved from one moment to another. ``mid2_ticks``: the middle, twice, at the first of it."""

    first_mono_ns: int
    last_mono_ns: int
    mid2_ticks: int
    buy_e8: int = 0
    sell_e8: int = 0


@dataclass(slots=True, kw_only=True)
class Flow(Generic[R]):
    """One instrument or group. ``own``: the slices of each strategy. ``exits``: its last approved exit, by side."""

    rules: R
    slices: list[Slice] = field(default_factory=list)
    own: dict[str, list[Slice]] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)

    def copied(self) -> Flow[R]:
        """The same, to count in what is not let through yet."""
        return Flow(
            rules=self.rules,
            slices=_again(self.slices),
            own={name: _again(slices) for name, slices in self.own.items()},
            exits=dict(self.exits),
        )

    @property
    def window_ns(self) -> int:
        """The window in force."""
        return self.rules.window_ms * NS_PER_MS

    def used_e8(self, side: Side, *, now_mono_ns: int) -> int:
        """Notional approved on one side within the window."""
        since = now_mono_ns - self.window_ns
        buying = side > 0
        return sum(one.buy_e8 if buying else one.sell_e8 for one in self.slices if one.last_mono_ns > since)

    def began_at(self, strategy: str, *, now_mono_ns: int) -> int:
        """The middle, twice, when the first of the strategy's orders within the window was approved; 0: none was."""
        since = now_mono_ns - self.window_ns
        slices = self.own.get(strategy, ())
        return next((one.mid2_ticks for one in slices if one.last_mono_ns > since), 0)

    def exit_passes(self, strategy: str, side: Side, *, now_mono_ns: int) -> bool:
        """Whether an exit of the strategy on that side is due, however much was sent: its last is a window ago."""
        last = self.exits.get(f"{strategy}/{side:d}", FAR_PAST_NS)
        return now_mono_ns - last >= self.window_ns

    def take(
        self, strategy: str, side: Side, *, notional_e8: int, mid2_ticks: int, now_mono_ns: int, exits: bool
    ) -> None:
        """Count what the gate has let through."""
        length_ns = self.window_ns // SLICES
        for slices in (self.slices, self.own.setdefault(strategy, [])):
            while slices and now_mono_ns - slices[0].last_mono_ns >= self.window_ns:
                del slices[0]
            if not slices or now_mono_ns - slices[-1].first_mono_ns >= length_ns:
                slices.append(
                    Slice(first_mono_ns=now_mono_ns, last_mono_ns=now_mono_ns, mid2_ticks=mid2_ticks)
                )
            newest = slices[-1]
            newest.last_mono_ns = now_mono_ns
            if side > 0:
                newest.buy_e8 += notional_e8
            else:
                newest.sell_e8 += notional_e8
        if exits:
            self.exits[f"{strategy}/{side:d}"] = now_mono_ns


def _again(slices: list[Slice]) -> list[Slice]:
    """Only the newest slice still changes."""
    return [*slices[:-1], *map(copy, slices[-1:])]
