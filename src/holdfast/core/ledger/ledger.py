"""The ledger: one owner of position, cash and attribution. It changes by facts alone."""

from __future__ import annotations

from itertools import islice
from typing import Final

from msgspec import Struct

from holdfast.core.ledger.positions import TAIL_FILLS_MAX, PositionRow, Tail, TailFill
from holdfast.vocab.facts import BooksOpened, CashBooked, CashKind, FillAccepted, FillBooked, PositionAdjusted
from holdfast.vocab.invariant import invariant
from holdfast.vocab.orders import Side

HOUSE: Final = ""  # the strategy name of orders that no strategy asked for
QUARANTINE: Final = "?"  # the strategy name of fills that no order explains
TRADE_IDS_KEPT_MAX: Final = 50_000  # per instrument; older executions are outside every query's window


class QuarantinedFill(Struct, frozen=True, kw_only=True):
    """A fill that no order of ours explains: counted in the position, and held until a person signs for it."""

    trade_id: str
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int


class Ledger(Struct, kw_only=True):
    """Positions by instrument and by (strategy, instrument), wallets by asset, and what was already booked."""

    settle_asset: str = ""
    tick_lot_e8: dict[str, int] = {}
    grids: dict[str, str] = {}  # instrument -> tick and lot, as texts
    positions: dict[str, PositionRow] = {}
    tails: dict[str, Tail] = {}
    attributed: dict[str, dict[str, PositionRow]] = {}
    wallet_e8: dict[str, int] = {}
    opening_e8: dict[str, int] = {}
    transfers_e8: int = 0  # external, settle asset: kept apart from drawdown
    trade_ids: dict[str, dict[str, int]] = {}  # instrument -> trade id -> venue time, oldest first
    cash_ids: dict[str, int] = {}
    quarantined: dict[str, QuarantinedFill] = {}
    last_fill_venue_ns: dict[str, int] = {}
    books_since_venue_ns: int = 0  # executions before this are not ours to book
    cash_since_venue_ns: int = 0
    opened_venue_ns: int = -1  # what executions up to here moved is in the opening balances
    opening_agreed: bool = False  # a later word agreed with them: they are never taken again
    cash_counted_venue_ns: int = 0  # entries up to here are in a balance that was taken as a whole
    fills_count: int = 0
    fees_e8: dict[str, int] = {}

    def position(self, instrument: str) -> PositionRow:
        """The account's row, made on first use."""
        row = self.positions.get(instrument)
        if row is None:
            row = self.positions[instrument] = PositionRow()
        return row

    def position_of(self, strategy: str, instrument: str) -> PositionRow:
        """One strategy's row, made on first use."""
        rows = self.attributed.setdefault(strategy, {})
        row = rows.get(instrument)
        if row is None:
            row = rows[instrument] = PositionRow()
        return row

    def _tail(self, instrument: str) -> Tail:
        tail = self.tails.get(instrument)
        if tail is None:
            tail = self.tails[instrument] = Tail()
            tail.begin_at(self.position(instrument))
        return tail

    def knows_trade(self, instrument: str, trade_id: str) -> bool:
        """Whether this execution was booked before, by whatever way it came."""
        return trade_id in self.trade_ids.get(instrument, {})

    def remembered_since_venue_ns(self, instrument: str) -> int:
        """From when on every execution that was booked is known as such: older ones must not be asked for."""
        seen = self.trade_ids.get(instrument, {})
        if len(seen) < TRADE_IDS_KEPT_MAX:
            return self.books_since_venue_ns
        # in the order of booking, which is nearly that of time
        return max(self.books_since_venue_ns, *islice(seen.values(), TAIL_FILLS_MAX))

    # --- facts ------------------------------------------------------------------------------------------------

    def begin_epoch(self) -> None:
        """Monotonic times of an earlier life say nothing in this one: the machine may have booted between."""
        for row in self.positions.values():
            row.changed_mono_ns = 0

    def open(self, fact: BooksOpened) -> None:
        """What happened before is not ours to book."""
        self.books_since_venue_ns = fact.venue_ns
        self.cash_since_venue_ns = fact.venue_ns

    def agree(self) -> None:
        """The opening balances are confirmed."""
        self.opening_agreed = True

    def fill(self, fact: FillBooked, *, mono_ns: int) -> None:
        """Book one execution, once."""
        seen = self.trade_ids.setdefault(fact.instrument, {})
        invariant(fact.trade_id not in seen, "a fill is booked once", trade_id=fact.trade_id)
        invariant(fact.qty_lots > 0, "a fill has a size", trade_id=fact.trade_id, qty_lots=fact.qty_lots)
        seen[fact.trade_id] = fact.venue_ns
        if len(seen) > TRADE_IDS_KEPT_MAX:
            del seen[next(iter(seen))]
        unit = self.tick_lot_e8[fact.instrument]
        row = self.position(fact.instrument)
        realised = self._tail(fact.instrument).book(
            row,
            TailFill(
                venue_ns=fact.venue_ns,
                trade_id=fact.trade_id,
                side=fact.side,
                qty_lots=fact.qty_lots,
                price_ticks=fact.price_ticks,
            ),
            tick_lot_e8=unit,
        )
        row.changed_mono_ns = mono_ns
        counted = fact.venue_ns <= self.opened_venue_ns
        if counted:
            # told after the balance was read that it is in: the wallet stands, and began with so much less
            self.opening_e8[self.settle_asset] = self.opening_e8.get(self.settle_asset, 0) - realised
        else:
            self.wallet_e8[self.settle_asset] = self.wallet_e8.get(self.settle_asset, 0) + realised
        self._attribute(fact, unit)
        self._pay_fee(fact, row, counted=counted)
        if fact.quarantined:
            self.quarantined[f"{fact.instrument}/{fact.trade_id}"] = QuarantinedFill(
                trade_id=fact.trade_id,
                instrument=fact.instrument,
                side=fact.side,
                qty_lots=fact.qty_lots,
                price_ticks=fact.price_ticks,
            )
        if fact.venue_ns > self.last_fill_venue_ns.get(fact.instrument, 0):
            self.last_fill_venue_ns[fact.instrument] = fact.venue_ns
        self.fills_count += 1

    def accept(self, fact: FillAccepted) -> None:
        """A person signed for a fill in quarantine: its position was counted all along."""
        invariant(fact.key in self.quarantined, "only a quarantined fill is accepted", key=fact.key)
        del self.quarantined[fact.key]

    def cash(self, fact: CashBooked) -> None:
        """Book one movement of cash, once by its id."""
        if fact.kind in (CashKind.OPENING, CashKind.ADJUSTMENT):
            self.cash_counted_venue_ns = max(self.cash_counted_venue_ns, fact.venue_ns)
        if fact.kind is CashKind.OPENING:
            self.opening_e8[fact.asset] = self.opening_e8.get(fact.asset, 0) + fact.amount_e8
            self.opened_venue_ns = max(self.opened_venue_ns, fact.venue_ns)
        else:
            invariant(fact.cash_id not in self.cash_ids, "a cash entry is booked once", cash_id=fact.cash_id)
            self.cash_ids[fact.cash_id] = fact.venue_ns
            if len(self.cash_ids) > TRADE_IDS_KEPT_MAX:
                del self.cash_ids[next(iter(self.cash_ids))]
        self.wallet_e8[fact.asset] = self.wallet_e8.get(fact.asset, 0) + fact.amount_e8
        if fact.asset == self.settle_asset:
            if fact.kind is CashKind.TRANSFER:
                self.transfers_e8 += fact.amount_e8
            elif fact.kind is CashKind.FUNDING and fact.instrument:
                self.position(fact.instrument).funding_e8 += fact.amount_e8
        self.cash_since_venue_ns = max(self.cash_since_venue_ns, fact.venue_ns)

    def adjust(self, fact: PositionAdjusted, *, mono_ns: int) -> None:
        """A named person made our position follow the venue's."""
        side = Side.BUY if fact.delta_lots > 0 else Side.SELL
        unit = self.tick_lot_e8[fact.instrument]
        for row in (self.position(fact.instrument), self.position_of(QUARANTINE, fact.instrument)):
            row.book(side=side, qty_lots=abs(fact.delta_lots), price_ticks=fact.price_ticks, tick_lot_e8=unit)
        self.position(fact.instrument).changed_mono_ns = mono_ns
        self._tail(fact.instrument).begin_at(self.position(fact.instrument))
        # the wallet follows the venue's word by a CashBooked of its own

    def _attribute(self, fact: FillBooked, unit: int) -> None:
        left = fact.qty_lots
        if fact.strategy == HOUSE:
            # an exit for the account closes what the strategies hold, in the order of their names
            for name in sorted(self.attributed):
                row = self.attributed[name].get(fact.instrument)
                if row is None or left == 0 or row.position_lots * fact.side >= 0:
                    continue
                part = min(left, abs(row.position_lots))
                row.book(side=fact.side, qty_lots=part, price_ticks=fact.price_ticks, tick_lot_e8=unit)
                left -= part
        if left:
            row = self.position_of(fact.strategy, fact.instrument)
            row.book(side=fact.side, qty_lots=left, price_ticks=fact.price_ticks, tick_lot_e8=unit)

    def _pay_fee(self, fact: FillBooked, row: PositionRow, *, counted: bool) -> None:
        if not fact.fee_e8:
            return
        asset = fact.fee_asset
        if counted:
            self.opening_e8[asset] = self.opening_e8.get(asset, 0) + fact.fee_e8
        else:
            self.wallet_e8[asset] = self.wallet_e8.get(asset, 0) - fact.fee_e8
        self.fees_e8[asset] = self.fees_e8.get(asset, 0) + fact.fee_e8
        if asset == self.settle_asset:
            row.fee_e8 += fact.fee_e8
            self.position_of(fact.strategy, fact.instrument).fee_e8 += fact.fee_e8
