"""The ledger: one owner of position, cash and attribution. It changes by facts alone."""

from __future__ import annotations

from itertools import islice
from typing import Final

from msgspec import Struct, structs

from holdfast.core.ledger.positions import TAIL_FILLS_MAX, PositionRow, Tail, TailFill
from holdfast.vocab.facts import (
    BooksOpened,
    CashBooked,
    CashKind,
    FillAccepted,
    FillBooked,
    FillBusted,
    FillClaimed,
    PositionAdjusted,
)
from holdfast.vocab.invariant import InvariantBroken, invariant
from holdfast.vocab.orders import Side

HOUSE: Final = ""  # the strategy name of orders that no strategy asked for
QUARANTINE: Final = "?"  # the strategy name of fills that no order explains
TRADE_IDS_KEPT_MAX: Final = 50_000  # per instrument; older executions are outside every query's window


class QuarantinedFill(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fill that no order of ours explains: counted in the position, and held until a person signs for it."""

    trade_id: str
    instrument: str
    side: Side
    qty_lots: int
    price_ticks: int
    venue_order_id: str = ""  # the order that it names, which may be heard of later
    closed_lots: dict[str, int] = {}  # strategy -> how much of its position this closed, once signed for


class Part(Struct, kw_only=True, array_like=True):
    """What one execution did to one strategy's row, and what that row was before it."""

    strategy: str
    qty_lots: int
    before_lots: int
    before_cost_e8: int
    realised_e8: int


class Kept(Struct, kw_only=True, array_like=True):
    """An execution that can still be taken back: one of the last, since the position was last adopted."""

    fact: FillBooked
    parts: list[Part]
    mono_ns: int


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
    accepted: dict[str, QuarantinedFill] = {}  # signed for, the last of them: their order may be heard of yet
    last_fill_venue_ns: dict[str, int] = {}
    books_since_venue_ns: int = 0  # executions before this are not ours to book
    cash_since_venue_ns: int = 0
    opened_venue_ns: int = -1  # what executions up to here moved is in the opening balances
    opening_agreed: bool = False  # a later word agreed with them: they are never taken again
    cash_counted_venue_ns: int = 0  # entries up to here are in a balance that was taken as a whole
    fills_count: int = 0
    fees_e8: dict[str, int] = {}
    kept: dict[
        str, dict[str, Kept]
    ] = {}  # instrument -> trade id -> the last executions, in order of booking
    busted: dict[str, dict[str, int]] = {}  # instrument -> trade id -> when the venue took it back

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

    def unexplained(self) -> dict[str, QuarantinedFill]:
        """By instrument/trade id, what no order explained when it was booked, and no order has claimed since."""
        return self.quarantined | self.accepted

    def may_take_back(self, instrument: str, trade_id: str) -> Kept | None:
        """The execution, where it can still be taken out of the books exactly."""
        kept = self.kept.get(instrument, {}).get(trade_id)
        tail = self.tails.get(instrument)
        if kept is None or tail is None or all(one.trade_id != trade_id for one in tail.fills):
            return None
        return kept

    def was_taken_back(self, instrument: str, trade_id: str) -> bool:
        """Whether the venue took this execution back."""
        return trade_id in self.busted.get(instrument, {})

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
        for kept in self.kept.values():
            for one in kept.values():
                one.mono_ns = 0

    def open(self, fact: BooksOpened) -> None:
        """What happened before is not ours to book."""
        self.books_since_venue_ns = fact.venue_ns
        self.cash_since_venue_ns = fact.venue_ns

    def agree(self) -> None:
        """The opening balances are confirmed."""
        self.opening_agreed = True

    def fill(self, fact: FillBooked, *, mono_ns: int) -> None:
        """Book one execution, once."""
        seen = self.trade_ids.get(fact.instrument, {})
        invariant(fact.trade_id not in seen, "a fill is booked once", trade_id=fact.trade_id)
        invariant(fact.qty_lots > 0, "a fill has a size", trade_id=fact.trade_id, qty_lots=fact.qty_lots)
        self._remember(fact.instrument, fact.trade_id, fact.venue_ns)
        unit = self.tick_lot_e8[fact.instrument]
        row = self.position(fact.instrument)
        counted = fact.venue_ns <= self.opened_venue_ns and not fact.later
        behind_e8 = self._behind_the_opening_e8(fact.instrument) if counted else 0
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
        if counted:
            # told after the balance was read that it is in: the wallet stands, and began with so much less; but
            # what came behind the opening realised something else than was booked, for it closed another position
            behind_e8 = self._behind_the_opening_e8(fact.instrument) - behind_e8
            self.opening_e8[self.settle_asset] = (
                self.opening_e8.get(self.settle_asset, 0) - realised + behind_e8
            )
            realised = behind_e8
        self.wallet_e8[self.settle_asset] = self.wallet_e8.get(self.settle_asset, 0) + realised
        parts = self._attribute(fact, unit)
        self._pay_fee(fact, row, counted=counted)
        kept = self.kept.setdefault(fact.instrument, {})
        kept[fact.trade_id] = Kept(fact=fact, parts=parts, mono_ns=mono_ns)
        if len(kept) > TAIL_FILLS_MAX:
            del kept[next(iter(kept))]
        if fact.quarantined:
            self.quarantined[f"{fact.instrument}/{fact.trade_id}"] = QuarantinedFill(
                trade_id=fact.trade_id,
                instrument=fact.instrument,
                side=fact.side,
                qty_lots=fact.qty_lots,
                price_ticks=fact.price_ticks,
                venue_order_id=fact.venue_order_id,
            )
        if fact.venue_ns > self.last_fill_venue_ns.get(fact.instrument, 0):
            self.last_fill_venue_ns[fact.instrument] = fact.venue_ns
        self.fills_count += 1

    def _remember(self, instrument: str, trade_id: str, venue_ns: int) -> None:
        seen = self.trade_ids.setdefault(instrument, {})
        seen[trade_id] = venue_ns
        if len(seen) > TRADE_IDS_KEPT_MAX:
            del seen[next(iter(seen))]

    def bust(self, fact: FillBusted, *, mono_ns: int) -> None:
        """The venue took one execution back: position, money, fee and attribution are what they were without it."""
        instrument, trade_id = fact.instrument, fact.trade_id
        invariant(
            not self.was_taken_back(instrument, trade_id), "a fill is taken back once", trade_id=trade_id
        )
        busted = self.busted.setdefault(instrument, {})
        busted[trade_id] = fact.venue_ns
        if len(busted) > TRADE_IDS_KEPT_MAX:
            del busted[next(iter(busted))]
        if not fact.booked:  # known from here on, so that it is never booked
            invariant(not self.knows_trade(instrument, trade_id), "it was not booked", trade_id=trade_id)
            self._remember(instrument, trade_id, fact.venue_ns)
            return
        kept = self.may_take_back(instrument, trade_id)
        if kept is None:
            raise InvariantBroken("only a fill that is kept is taken back", trade_id=trade_id)
        unit = self.tick_lot_e8[instrument]
        row = self.position(instrument)
        counted = fact.counted
        behind_e8 = self._behind_the_opening_e8(instrument) if counted else 0
        change_e8 = self._tail(instrument).take_back(row, trade_id, tick_lot_e8=unit)
        row.changed_mono_ns = mono_ns
        into = self.opening_e8 if counted else self.wallet_e8
        asset = self.settle_asset
        if counted:  # as in ``fill``
            behind_e8 = self._behind_the_opening_e8(instrument) - behind_e8
            self.wallet_e8[asset] = self.wallet_e8.get(asset, 0) + behind_e8
            change_e8 = behind_e8 - change_e8
        into[asset] = into.get(asset, 0) + change_e8
        booked = kept.fact
        if booked.fee_e8:
            fee_e8 = booked.fee_e8
            into[booked.fee_asset] = into.get(booked.fee_asset, 0) + (-fee_e8 if counted else fee_e8)
            self.fees_e8[booked.fee_asset] -= fee_e8
            if booked.fee_asset == asset:
                row.fee_e8 -= fee_e8
                self.position_of(booked.strategy, instrument).fee_e8 -= fee_e8
        self._take_from_strategies(kept, unit)
        del self.kept[instrument][trade_id]
        for unexplained in (self.quarantined, self.accepted):
            unexplained.pop(f"{instrument}/{trade_id}", None)
        self.fills_count -= 1

    def _behind_the_opening_e8(self, instrument: str) -> int:
        """What executions behind the opening balance realised: it is in the wallet and never in that balance."""
        unit = self.tick_lot_e8[instrument]
        return self._tail(instrument).realised_behind_e8(self.opened_venue_ns, tick_lot_e8=unit)

    def _take_from_strategies(self, kept: Kept, unit: int) -> None:
        """Each strategy's row as it was before this execution, and what came behind booked on it again."""
        instrument = kept.fact.instrument
        booked = list(self.kept[instrument].values())
        later = booked[booked.index(kept) + 1 :]
        # an exit of the house may close what the house itself holds, and open the rest: two parts of one row
        for strategy in dict.fromkeys(part.strategy for part in kept.parts):
            row = self.position_of(strategy, instrument)
            gone = [part for part in kept.parts if part.strategy == strategy]
            behind = [(one.fact, part) for one in later for part in one.parts if part.strategy == strategy]
            before_e8 = sum(part.realised_e8 for part in (*gone, *(part for _, part in behind)))
            scratch = PositionRow(position_lots=gone[0].before_lots, cost_e8=gone[0].before_cost_e8)
            for fact, part in behind:
                part.before_lots, part.before_cost_e8 = scratch.position_lots, scratch.cost_e8
                part.realised_e8 = scratch.book(
                    side=fact.side, qty_lots=part.qty_lots, price_ticks=fact.price_ticks, tick_lot_e8=unit
                )
            for part in gone:
                row.forget(side=kept.fact.side, qty_lots=part.qty_lots)
            row.position_lots, row.cost_e8 = scratch.position_lots, scratch.cost_e8
            row.realised_e8 += scratch.realised_e8 - before_e8

    def claim(self, fact: FillClaimed) -> int:
        """A fill that nothing explained is its order's: the order's strategy has it from now on. Returns its lots."""
        found = self.quarantined.pop(fact.key, None) or self.accepted.pop(fact.key, None)
        if found is None:
            raise InvariantBroken("only a fill that nothing explained is claimed", key=fact.key)
        lots = found.qty_lots
        nobody = self.position_of(QUARANTINE, found.instrument)
        owner = self.position_of(fact.strategy, found.instrument)
        for strategy, closed_lots in found.closed_lots.items():
            self._hand_over(found, closed_lots, self.position_of(strategy, found.instrument), owner)
            lots -= closed_lots
        # an exit, or what a person adopted since, may have closed it there: nobody is given what is held no more
        self._hand_over(found, min(lots, max(0, found.side * nobody.position_lots)), nobody, owner)
        # two rows have moved out of the order of booking: none of the executions so far can be taken out of them
        kept = self.kept.pop(found.instrument, {}).get(found.trade_id)
        if kept is not None and kept.fact.fee_asset == self.settle_asset:
            nobody.fee_e8 -= kept.fact.fee_e8
            owner.fee_e8 += kept.fact.fee_e8
        return found.qty_lots

    def _hand_over(self, found: QuarantinedFill, lots: int, giver: PositionRow, taker: PositionRow) -> None:
        """So much of an execution is another row's from now on, at its price."""
        if not lots:
            return
        unit, back = self.tick_lot_e8[found.instrument], Side(-found.side)
        giver.forget(side=found.side, qty_lots=lots)
        giver.book(side=back, qty_lots=lots, price_ticks=found.price_ticks, tick_lot_e8=unit)
        giver.forget(side=back, qty_lots=lots)
        taker.book(side=found.side, qty_lots=lots, price_ticks=found.price_ticks, tick_lot_e8=unit)

    def accept(self, fact: FillAccepted) -> None:
        """A person signed for a fill in quarantine: its position was counted all along.

        What it closed, the strategies do not hold any more: one that got out of it again would open the opposite.
        """
        found = self.quarantined.pop(fact.key, None)
        if found is None:
            raise InvariantBroken("only a quarantined fill is accepted", key=fact.key)
        nobody = self.position_of(QUARANTINE, found.instrument)
        held = min(found.qty_lots, max(0, found.side * nobody.position_lots))
        closed_lots = dict(self._closes(found.instrument, found.side, held))
        for strategy, lots in closed_lots.items():
            self._hand_over(found, lots, nobody, self.position_of(strategy, found.instrument))
        if closed_lots:  # rows have moved out of the order of booking, as when a fill is claimed
            self.kept.pop(found.instrument, None)
            found = structs.replace(found, closed_lots=closed_lots)
        if len(self.accepted) >= TAIL_FILLS_MAX:
            del self.accepted[next(iter(self.accepted))]
        self.accepted[fact.key] = found

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
        """A named person made our position follow the venue's: what closes is the strategies', the rest nobody's."""
        side = Side.BUY if fact.delta_lots > 0 else Side.SELL
        left, price, unit = abs(fact.delta_lots), fact.price_ticks, self.tick_lot_e8[fact.instrument]
        mine, nobody = self.position(fact.instrument), self.position_of(QUARANTINE, fact.instrument)
        mine.book(side=side, qty_lots=left, price_ticks=price, tick_lot_e8=unit)
        for strategy, lots in self._closes(fact.instrument, side, left):
            row = self.position_of(strategy, fact.instrument)
            row.book(side=side, qty_lots=lots, price_ticks=price, tick_lot_e8=unit)
            left -= lots
        if left:
            nobody.book(side=side, qty_lots=left, price_ticks=price, tick_lot_e8=unit)
        for row in (mine, nobody):
            if fact.cost_e8 is not None:
                # entered at the venue's price and not at the one named; what holds nothing has no cost
                other_e8 = fact.cost_e8 - fact.delta_lots * fact.price_ticks * unit
                if row.position_lots:
                    row.cost_e8 += other_e8
                else:
                    row.realised_e8 -= other_e8
        mine.changed_mono_ns = mono_ns
        # nothing from before can be taken out any more: what the venue took back of it is in what it told
        self._tail(fact.instrument).begin_at(mine)
        # the wallet follows the venue's word by a CashBooked of its own

    def _closes(self, instrument: str, side: Side, lots: int) -> list[tuple[str, int]]:
        """What so many lots close of what strategies hold, in the order of their names: (strategy, lots)."""
        closed: list[tuple[str, int]] = []
        for name in sorted(self.attributed):
            row = self.attributed[name].get(instrument)
            if row is None or lots == 0 or row.position_lots * side >= 0:
                continue
            part = min(lots, abs(row.position_lots))
            closed.append((name, part))
            lots -= part
        return closed

    def _attribute(self, fact: FillBooked, unit: int) -> list[Part]:
        left = fact.qty_lots
        parts: list[Part] = []
        if fact.strategy == HOUSE:
            # an exit for the account closes what the strategies hold
            for name, part in self._closes(fact.instrument, fact.side, left):
                row = self.position_of(name, fact.instrument)
                parts.append(_part(name, row, fact, qty_lots=part, unit=unit))
                left -= part
        if left:
            row = self.position_of(fact.strategy, fact.instrument)
            parts.append(_part(fact.strategy, row, fact, qty_lots=left, unit=unit))
        return parts

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


def _part(strategy: str, row: PositionRow, fact: FillBooked, *, qty_lots: int, unit: int) -> Part:
    """Book so much of an execution on a strategy's row."""
    before_lots, before_cost_e8 = row.position_lots, row.cost_e8
    realised_e8 = row.book(side=fact.side, qty_lots=qty_lots, price_ticks=fact.price_ticks, tick_lot_e8=unit)
    return Part(
        strategy=strategy,
        qty_lots=qty_lots,
        before_lots=before_lots,
        before_cost_e8=before_cost_e8,
        realised_e8=realised_e8,
    )
