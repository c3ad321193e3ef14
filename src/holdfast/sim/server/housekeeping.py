"""What a venue does by itself as time goes, each at its time: no ticking where nothing is due."""

from __future__ import annotations

import asyncio

from holdfast.sim.server.derived import Derived
from holdfast.sim.server.market_view import Funded
from holdfast.sim.server.sockets import StreamSockets
from holdfast.sim.server.user_stream import UserStream
from holdfast.sim.server.venue import Venue
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

_DERIVED_NS = 20 * NS_PER_MS  # how exactly the derived streams keep their intervals
_LONGEST_NS = 60 * NS_PER_S  # a machine's clock may be set: look at it now and then


class Housekeeping:
    """Engine deadlines, listen keys, derived streams, pings and the public history of funding.

    ``nudge`` tells it that something may now be due earlier. An error in here goes to the loop's handler, and the
    next round is held all the same.
    """

    def __init__(self, venue: Venue, derived: Derived, sockets: StreamSockets, user: UserStream) -> None:
        self._venue = venue
        self._derived = derived
        self._sockets = sockets
        self._user = user
        self._timer: asyncio.TimerHandle | None = None
        self._planned_ns = 0
        self._funding_ns = 0
        self._stopped = True

    def start(self) -> None:
        """Begin."""
        self._stopped = False
        self._run()

    def stop(self) -> None:
        """End."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def nudge(self) -> None:
        """Come earlier, if there is something to do earlier."""
        if not self._stopped and self._due_ns() < self._planned_ns:
            self._plan()

    def _due_ns(self) -> int:
        venue = self._venue
        now_ns = venue.now_ns()
        due_ns = now_ns + (_DERIVED_NS if self._derived.busy else _LONGEST_NS)
        for one_ns in (
            venue.exchange.next_due_ns(),
            venue.listen_keys.next_expiry_ns(),
            self._sockets.next_due_ns(),
        ):
            if one_ns is not None:
                due_ns = min(due_ns, one_ns)
        return max(due_ns, now_ns)

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._planned_ns = self._due_ns()
        # Rounded up, so that it is due when we come.
        wait_s = (self._planned_ns - self._venue.now_ns()) / NS_PER_S + 0.000_1
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._run)

    def _run(self) -> None:
        venue = self._venue
        try:
            now_ns = venue.now_ns()
            venue.exchange.advance(now_ns)
            self._note_funding(now_ns)
            for key in venue.listen_keys.expired(now_ns):
                self._user.expired(key)
            self._derived.tick(now_ns)
            self._sockets.tick(now_ns)
            venue.hub.flush()
        finally:
            if not self._stopped:
                self._plan()

    def _note_funding(self, now_ns: int) -> None:
        """Keep the public history of funding rates."""
        exchange = self._venue.exchange
        views = self._venue.market.symbols.values()
        if self._funding_ns and now_ns >= self._funding_ns:
            for view in views:
                rate_ppb = exchange.funding(view.symbol).rate_ppb
                view.fundings.append(
                    Funded(self._funding_ns // NS_PER_MS, rate_ppb, exchange.mark_ticks(view.symbol))
                )
        for view in views:
            self._funding_ns = exchange.funding(view.symbol).next_ns
