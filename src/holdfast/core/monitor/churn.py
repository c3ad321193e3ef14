"""Going round and round: how often one strategy does it in one instrument within a window, and what that costs.

A *round trip* ends with the fill of the strategy after which its attributed position is zero or of the other sign; a
fill that turns the position ends one and begins the next. What the house closes for the strategy ends none.

The *cost* of a window, in 10⁻⁸ of the settle asset: the fees of the strategy's fills in it, less what closing realised
there; so a loss adds, a gain pays, and the spread is the part of a loss that a loop pays each time. Fees count
whatever they were paid for. What closing realised counts only where the position left zero, or changed its sign, no
longer than a window before: the loss of a position that was held is the drawdown's business. Sources: fee and venue
time of ``FillBooked`` (a fee in another asset has no price here and is left out, a rebate is a negative fee), position
and realised P&L of the strategy's own row in the ledger.

Time is the venue's, of the fills alone: it survives restarts, and does not run backwards when a late fill comes.
Promises: the same facts give the same numbers, trips are counted exactly, a cost leaves up to a ``SLICES``-th of a
window late and never early, and each fill takes and keeps a bounded amount.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from msgspec import Struct

from holdfast.vocab.governed import CHURN_ROUND_TRIPS_MOST

SLICES: Final = 64
ROUND_TRIPS_KEPT_MAX: Final = CHURN_ROUND_TRIPS_MOST + 1  # over every limit: no more need be known


class Slice(Struct, kw_only=True, array_like=True):
    """What was paid from one fill to another."""

    first_venue_ns: int
    last_venue_ns: int
    cost_e8: int


class Used(NamedTuple):
    """What a window holds. ``cost_e8`` is negative where the strategy gained."""

    round_trips: int
    cost_e8: int


class Churn(Struct, kw_only=True):
    """One strategy in one instrument. Changed by facts alone."""

    began_venue_ns: int = 0  # when the position under way left zero or changed its sign
    now_venue_ns: int = 0  # of the newest fill
    round_trips_venue_ns: list[int] = []  # when each ended, oldest first
    slices: list[Slice] = []  # oldest first
    cost_e8: int = 0  # of all slices

    def fill(
        self,
        *,
        venue_ns: int,
        before_lots: int,
        after_lots: int,
        realised_e8: int,
        fee_e8: int,
        window_ns: int,
    ) -> None:
        """Take one fill of the strategy: its position around it, and what it realised and paid."""
        now = self.now_venue_ns = max(self.now_venue_ns, venue_ns)
        if before_lots == 0:
            self.began_venue_ns = now
        young = self.began_venue_ns > now - window_ns
        self._slide(now - window_ns)
        self._pay(fee_e8 - realised_e8 if young else fee_e8, now, slice_ns=window_ns // SLICES)
        if before_lots and before_lots * after_lots <= 0:
            self.round_trips_venue_ns.append(now)
            del self.round_trips_venue_ns[:-ROUND_TRIPS_KEPT_MAX]
            self.began_venue_ns = now

    def forgive(self) -> None:
        """A person let it go on: what was before is not held against it again."""
        self.round_trips_venue_ns, self.slices, self.cost_e8 = [], [], 0

    def used(self, *, now_venue_ns: int, window_ns: int) -> Used:
        """What the window that ends now holds. Looking changes nothing."""
        since = now_venue_ns - window_ns
        trips = self.round_trips_venue_ns
        return Used(
            round_trips=len(trips) - bisect_right(trips, since),
            cost_e8=sum(one.cost_e8 for one in self.slices if one.last_venue_ns > since),
        )

    def _slide(self, since_venue_ns: int) -> None:
        """Forget what happened then or before."""
        trips, slices = self.round_trips_venue_ns, self.slices
        while trips and trips[0] <= since_venue_ns:
            del trips[0]
        while slices and slices[0].last_venue_ns <= since_venue_ns:
            self.cost_e8 -= slices.pop(0).cost_e8

    def _pay(self, cost_e8: int, now_venue_ns: int, *, slice_ns: int) -> None:
        slices = self.slices
        self.cost_e8 += cost_e8
        if slices and now_venue_ns - slices[-1].first_venue_ns < slice_ns:
            slices[-1].last_venue_ns = now_venue_ns
            slices[-1].cost_e8 += cost_e8
        else:
            slices.append(Slice(first_venue_ns=now_venue_ns, last_venue_ns=now_venue_ns, cost_e8=cost_e8))
