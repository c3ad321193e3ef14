"""What strategies may see of the core: read-only, and of this moment."""

from __future__ import annotations

from holdfast.core.orders.book import OrderRow
from holdfast.core.state import State
from holdfast.vocab.holds import HoldLevel
from holdfast.vocab.market import Quote


class CoreBooks:
    """Fulfils ``strategy.api.Books`` over the core's state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def position_lots(self, strategy: str, instrument: str) -> int:
        """The strategy's own attributed position."""
        return self._state.books.ledger.position_of(strategy, instrument).position_lots

    def open_orders(self, strategy: str, instrument: str) -> list[OrderRow]:
        """Its own orders that are not settled, oldest first."""
        orders = self._state.books.orders
        if orders.open_of(strategy, instrument).orders_count == 0:
            return []
        return orders.rows_in(strategy=strategy, instrument=instrument)

    def level(self, strategy: str, instrument: str) -> HoldLevel:
        """The strictest hold in scope; HALTED where it may not trade at all."""
        desk = self._state.desks.get(strategy, {}).get(instrument)
        return HoldLevel.HALTED if desk is None else desk.level

    @property
    def degraded(self) -> bool:
        """Whether market data is conflated now."""
        session = self._state.session
        return session is not None and session.degraded

    def quote(self, instrument: str) -> Quote | None:
        """The newest accepted quote; None before the first."""
        session = self._state.session
        market = session.markets.get(instrument) if session is not None else None
        return market.quote if market is not None and market.mid2_ticks else None
