"""What a strategy must keep to: what it made, how its orders end, how large its positions are beside what it wanted.

*P&L* is of all its instruments at mark, realised and not, less its own fees; funding is the account's. The *day's loss*
is counted from its first mark of the day, the *drawdown* from the highest mark since a person last let it go on.

Within the window: of its orders that ended, the share that *filled* (in whole or in part; of those that the venue took
and that were no protective ones), the share that the venue *rejected*, and what its fills *paid against the prices it
decided at*, in money; a fill better than that pays for no other. Counted are samples of running totals, a
``SAMPLES``-th of the window apart: what is older than the window leaves up to that much late and never early.

*Intended* size, in one instrument. A strategy that names targets there intends its last one, and what it held and
had open on either side when it named it, as far as that was intended before; one that does not intends the sum of what
it asked for, so that only what was filled beyond its orders is not. Over the limit is a position of more than so many
times that, or on the other side of it.

Promises: changed by facts alone; a bounded amount per strategy; the same facts give the same numbers. Monotonic times
are of one boot: after another one what is within the window is taken for new.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from holdfast.vocab.facts import FillBooked, StrategyMarked, TargetSet
from holdfast.vocab.orders import OrderState
from holdfast.vocab.units import NS_PER_MS, PPM

SAMPLES: Final = 32


class Totals(Struct, kw_only=True, array_like=True):
    """Running totals at one time. ``taken_count``: ended orders that the venue took, protective ones apart."""

    mono_ns: int = 0
    ended_count: int = 0
    rejected_count: int = 0
    taken_count: int = 0
    filled_count: int = 0
    slippage_e8: int = 0


class Intended(Struct, kw_only=True):
    """What a strategy wants of a position. ``beyond_lots``: signed, filled beyond its orders since it was last flat."""

    targets: bool = False
    target_lots: int = 0
    long_lots: int = 0
    short_lots: int = 0
    beyond_lots: int = 0

    def aim(self, fact: TargetSet) -> None:
        """It named another target."""
        long_lots, short_lots = fact.long_lots, fact.short_lots
        if self.targets:  # what was never wanted does not become so by a new target
            long_lots, short_lots = min(long_lots, self.long_lots), min(short_lots, self.short_lots)
        self.targets = True
        self.target_lots = fact.target_lots
        self.long_lots = max(fact.target_lots, long_lots, 0)
        self.short_lots = max(-fact.target_lots, short_lots, 0)

    def fill(self, fact: FillBooked, *, before_lots: int, over_lots: int) -> None:
        """One of its fills: ``over_lots`` of it were more than the order was for."""
        if not before_lots:
            self.beyond_lots = 0
        self.beyond_lots += fact.side * over_lots

    def size_lots(self, position_lots: int) -> int:
        """The intended size on the side of a position."""
        if self.targets:
            return self.long_lots if position_lots > 0 else self.short_lots
        beyond = self.beyond_lots
        if beyond * position_lots <= 0:
            return abs(position_lots)  # nothing of what is still held
        return max(0, abs(position_lots) - abs(beyond))

    def accept(self, position_lots: int) -> None:
        """A person let it be: what is held is what is wanted."""
        self.beyond_lots = 0
        self.long_lots = max(self.long_lots, position_lots)
        self.short_lots = max(self.short_lots, -position_lots)


def oversized(intended: Intended, position_lots: int, *, limit_ppm: int) -> bool:
    """Whether a position is more than so many times the intended size."""
    return abs(position_lots) * PPM > limit_ppm * intended.size_lots(position_lots)


class Used(Struct, frozen=True, kw_only=True):
    """What the criteria are compared with. A share is None where too few orders ended, or none at all."""

    day_loss_e8: int
    drawdown_e8: int
    fills_ppm: int | None
    slippage_e8: int
    rejects_ppm: int | None


class Watched(Struct, kw_only=True):
    """One strategy."""

    day: int
    day_pnl_e8: int  # at the day's first mark
    pnl_e8: int
    peak_e8: int
    now: Totals = field(default_factory=Totals)
    samples: list[Totals] = []  # oldest first; the first is the newest that is not within the window
    intended: dict[str, Intended] = {}

    def mark(self, fact: StrategyMarked, *, mono_ns: int) -> None:
        """Take the newest mark, and let the window slide."""
        if fact.day != self.day:
            self.day, self.day_pnl_e8 = fact.day, fact.pnl_e8
        self.pnl_e8 = fact.pnl_e8
        self.peak_e8 = max(self.peak_e8, fact.pnl_e8)
        self.now.mono_ns = mono_ns
        window_ns = fact.window_ms * NS_PER_MS
        samples = self.samples
        if not samples or mono_ns - samples[-1].mono_ns >= window_ns // SAMPLES:
            samples.append(_copy(self.now))
        while len(samples) > 1 and mono_ns - samples[1].mono_ns >= window_ns:
            del samples[0]

    def reboot(self, mono_ns: int) -> None:
        """The monotonic clock began anew."""
        for sample in (self.now, *self.samples):
            sample.mono_ns = mono_ns

    def end(self, state: OrderState, *, protective: bool, filled: bool) -> None:
        """One of its orders is final. One that never reached the venue says nothing of either."""
        now = self.now
        if state is OrderState.UNSENT:
            return
        now.ended_count += 1
        if state is OrderState.REJECTED:
            now.rejected_count += 1
        elif not protective:
            now.taken_count += 1
            now.filled_count += filled

    def slip(self, fact: FillBooked, *, unit_e8: int) -> None:
        """What a fill paid against the price that was decided at."""
        if fact.decision_ticks is not None:
            self.now.slippage_e8 += max(
                0, fact.side * (fact.price_ticks - fact.decision_ticks) * fact.qty_lots * unit_e8
            )

    def idle(self, *, pnl_e8: int, day: int) -> bool:
        """Whether a mark of this would change nothing that anybody asks for."""
        return (pnl_e8, day) == (self.pnl_e8, self.day) and _counts(self.now) == _counts(self.samples[0])

    def forgive(self) -> None:
        """A person let it go on: what was before is not held against it again."""
        self.day_pnl_e8 = self.peak_e8 = self.pnl_e8
        self.samples = [_copy(self.now)]

    def used(self, *, orders_min: int) -> Used:
        """What is used by now. Looking changes nothing."""
        now = self.now
        since = self.samples[0] if self.samples else now
        ended = now.ended_count - since.ended_count
        taken = now.taken_count - since.taken_count
        return Used(
            day_loss_e8=max(0, self.day_pnl_e8 - self.pnl_e8),
            drawdown_e8=max(0, self.peak_e8 - self.pnl_e8),
            fills_ppm=_share(now.filled_count - since.filled_count, taken, orders_min),
            slippage_e8=now.slippage_e8 - since.slippage_e8,
            rejects_ppm=_share(now.rejected_count - since.rejected_count, ended, orders_min),
        )


def _counts(totals: Totals) -> tuple[int, ...]:
    return (
        totals.ended_count,
        totals.rejected_count,
        totals.taken_count,
        totals.filled_count,
        totals.slippage_e8,
    )


def _copy(totals: Totals) -> Totals:
    return Totals(**{name: getattr(totals, name) for name in Totals.__struct_fields__})


def _share(part: int, whole: int, least: int) -> int | None:
    return part * PPM // whole if whole and whole >= least else None
