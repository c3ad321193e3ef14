"""An auditor beside the bot: what it may never do, whatever happens; slow, plain, and apart from the core."""

from collections import Counter

from holdfast.app.backtest import truth_of
from holdfast.app.summary import TrueFill, differences
from holdfast.vocab.events import Command
from holdfast.vocab.facts import (
    AmendStep,
    FillBooked,
    FlattenEnded,
    HoldReleased,
    OrderAmended,
    OrderApproved,
)
from holdfast.vocab.holds import ACCOUNT, HoldLevel, Release
from holdfast.vocab.ids import client_id_text
from holdfast.vocab.orders import Lane, OrderState
from holdfast.vocab.requests import AmendOrder, PlaceOrder
from holdfast.vocab.units import NS_PER_S

FINAL = (
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.EXPIRED,
    OrderState.REJECTED,
    OrderState.UNSENT,
)


class Auditor:
    """Looks at every record and every request."""

    def __init__(self, world):
        self.world = world
        self.counts = Counter()
        self.fills = {}
        self.levels = {}  # order id -> level in force at its approval
        self.last_event = None
        self.foreign_act_ns = -(1 << 62)

    def begins(self, state):
        self.fills = {key: fill for key, fill in self.fills.items() if state.books.ledger.knows_trade(*key)}

    def died(self): ...

    # --- what the bot writes down -------------------------------------------------------------------------------

    def tap(self, state, record):
        kind = type(record)
        if kind is OrderApproved:
            self._approved(state, record)
        elif kind is OrderAmended and record.step is AmendStep.ASKED:
            self._amended(state, record)
        elif kind is FillBooked:
            self._filled(record)
        elif kind is FlattenEnded:
            self._flat(record)
        elif kind is HoldReleased:
            self.counts["released"] += 1
        elif not kind.__module__.endswith("facts"):
            self.last_event = record

    def _level(self, state, strategy, instrument):
        return max(
            (
                hold.level
                for hold in state.books.holds.holds.values()
                if hold.scope.strategy in {"", strategy} and hold.scope.instrument in {"", instrument}
            ),
            default=HoldLevel.NONE,
        )

    def _worst(self, state, instrument, strategy, side):
        rows = [
            row
            for row in state.books.orders.live.values()
            if row.terms.instrument == instrument
            and row.terms.side is side
            and strategy in {None, row.strategy}
        ]
        lots = 0
        for row in rows:
            if row.state in FINAL:
                lots += max(0, row.reported_lots - row.filled_lots)
            else:
                lots += max(0, max(row.qty_lots, row.amend_qty_lots) - row.filled_lots)
        ledger = state.books.ledger
        if strategy is None:
            lots += sum(
                row.open_lots
                for row in state.books.orders.foreign.values()
                if row.instrument == instrument and row.side is side
            )
            return side * ledger.position(instrument).position_lots + lots
        return side * ledger.position_of(strategy, instrument).position_lots + lots

    def _within(self, state, strategy, instrument, side, level):
        halved = 1 if level >= HoldLevel.REDUCED else 0
        limits = state.instrument_limits[instrument]
        mine = state.desks[strategy][instrument].limits
        assert self._worst(state, instrument, None, side) <= limits.position_lots_max >> halved
        assert self._worst(state, instrument, strategy, side) <= mine.position_lots_max >> halved

    def _approved(self, state, fact):
        self.counts["approved"] += 1
        terms = fact.terms
        level = self._level(state, fact.strategy, terms.instrument)
        self.levels[fact.order_id] = level
        if fact.lane is Lane.FLATTEN:
            assert terms.reduce_only
            self.counts["exits"] += 1
            return
        assert level < HoldLevel.HALTED, "no order is approved at HALTED"
        self._within(state, fact.strategy, terms.instrument, terms.side, level)
        account = state.live.account
        if not terms.reduce_only:
            gross = 0
            for name, limits in state.instrument_limits.items():
                market = state.live.markets[name]
                price = max((market.bid_ticks + market.ask_ticks) // 2, market.mark_ticks, market.last_ticks)
                worst = max(
                    self._worst(state, name, None, side)
                    for side in (terms.side, type(terms.side)(-terms.side))
                )
                gross += max(worst, 0) * price * state.specs[name].tick_lot_e8
                assert limits
            assert gross <= account.limits.gross_notional_e8_max * 101 // 100, (
                "gross at worst case within its cap"
            )
        market = state.live.markets[terms.instrument]
        assert state.live.now_mono_ns - market.quote_mono_ns <= state.live.account.quote_age_ns_max

    def _amended(self, state, fact):
        row = state.books.orders.row(fact.order_id)
        level = self._level(state, row.strategy, row.terms.instrument)
        assert level < HoldLevel.HALTED, "no amend at HALTED"
        self.counts["amends"] += 1
        if fact.qty_lots > row.qty_lots:
            self._within(state, row.strategy, row.terms.instrument, row.terms.side, level)

    def _filled(self, fact):
        key = fact.instrument, fact.trade_id
        assert key not in self.fills, "a fill is booked once"
        client_id = (
            ""
            if fact.order_id is None
            else client_id_text(account_tag=self.world.tag, order_id=fact.order_id)
        )
        self.counts["fills"] += 1
        self.fills[key] = TrueFill(
            instrument=fact.instrument,
            trade_id=fact.trade_id,
            client_id=client_id,
            side=int(fact.side),
            qty_lots=fact.qty_lots,
            price_ticks=fact.price_ticks,
            fee_e8=fact.fee_e8,
            fee_asset=fact.fee_asset,
        )

    def _flat(self, fact):
        if not fact.flat:
            self.counts["not flat"] += 1
            return
        self.counts["flat"] += 1
        world = self.world
        if fact.scope.strategy:
            return
        now = world.venue_now_ns()
        if now - self.foreign_act_ns < 5 * NS_PER_S or now - world.storm.last_lie_ns < 5 * NS_PER_S:
            self.counts["flat, not judged"] += 1
            return
        truth = world.truth()
        names = [fact.scope.instrument] if fact.scope.instrument else [*truth.positions]
        assert not [name for name in names if truth.positions.get(name)], f"flat was said: {truth.positions}"
        ours = [
            order for order in truth.open_orders if order.symbol in names and order.client_id.startswith("hf")
        ]
        assert not ours, "flat was said with an order open"

    # --- what it sends -----------------------------------------------------------------------------------------

    def written(self, state, call):
        """The last hop let it pass."""
        if call.lane is not Lane.RISK:
            return
        self.counts["risk calls"] += 1
        row = state.books.orders.row(call.request.order_id)
        level = self._level(state, row.strategy, row.terms.instrument)
        assert level < HoldLevel.HALTED, f"a risk order left at {level.name}"

    def arrives(self, request):
        """A request reached the venue: what it may do there against the venue's own truth."""
        world = self.world
        if type(request) is PlaceOrder:
            self.counts["orders"] += 1
            level = self.levels.get(request.order_id, HoldLevel.NONE)
            if level >= HoldLevel.REDUCE_ONLY and not request.terms.reduce_only:
                held = world.truth().positions.get(request.terms.instrument, 0)
                reducing = -request.terms.side * held
                assert reducing >= request.terms.qty_lots, (
                    f"an order sent at {level.name} increases: holds {held}, {request.terms}"
                )
        elif type(request) is AmendOrder:
            self.counts["amends sent"] += 1

    # --- at the end -----------------------------------------------------------------------------------------------

    def differences(self):
        world = self.world
        truth = truth_of(world.truth())
        for name in world.specs:
            assert name
        blank = {fill.trade_id: fill for fill in truth.fills if not fill.client_id.startswith("hf")}
        theirs = [
            TrueFill(**{**_fields(fill), "client_id": "" if (fill.trade_id in blank) else fill.client_id})
            for fill in truth.fills
        ]
        foreign = {row.venue_order_id for row in world.state.books.orders.foreign.values()}
        open_ids = tuple(name for name in truth.open_client_ids if name.startswith("hf"))
        judged = type(truth)(
            fills=tuple(theirs),
            open_client_ids=open_ids,
            position_lots=truth.position_lots,
            wallet_e8={},
        )
        found = differences(world.state, self.fills.values(), judged, tag=world.tag)
        ledger = world.state.books.ledger
        for asset, wallet in truth.wallet_e8.items():
            if abs(ledger.wallet_e8.get(asset, 0) - wallet) > 2 * (ledger.fills_count + 1):
                found.append(f"wallet {asset}: ours {ledger.wallet_e8.get(asset)}, the venue's {wallet}")
        theirs_foreign = {
            str(order.order_id) for order in world.truth().open_orders if not order.client_id.startswith("hf")
        }
        if theirs_foreign != foreign:
            found.append(f"foreign orders: ours {foreign}, the venue's {theirs_foreign}")
        return found


def _fields(fill):
    return {name: getattr(fill, name) for name in fill.__struct_fields__}


__all__ = ["ACCOUNT", "Auditor", "Command", "Release"]
