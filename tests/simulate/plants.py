"""Faults planted into the product, one per area: simulation must find each. They live here and nowhere else."""

from msgspec import structs

from holdfast.core.gate import gate
from holdfast.core.gate.exposure import Exposure
from holdfast.core.holds.table import HoldTable
from holdfast.core.ledger.ledger import HOUSE, Ledger
from holdfast.core.orders.book import OrderRow
from holdfast.core.step import commands, emit, flatten, machine, market, persons, reconcile, replies, reports
from holdfast.journal.segments import Journal
from holdfast.runtime import engine
from holdfast.runtime.paced import Paced
from holdfast.runtime.recover import recover
from holdfast.simulate import world
from holdfast.vocab.facts import CashKind
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.orders import Did, OrderState
from holdfast.vocab.refusals import NotReducing

FINAL = {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED}


def dedupe_off(patch):
    patch(Ledger, "knows_trade", lambda self, instrument, trade_id: False)


def unknown_is_rejected(patch):
    def rejects(state, out, row, *, why):
        emit.move(state, out, row.order_id, Did.REFUSED, why=why)

    patch(replies, "go_silent", rejects)


def late_fill_dropped(patch):
    books_it = reports.trade_report

    def drops(state, out, trade):
        orders = state.books.orders
        row = (
            orders.row(trade.order_id)
            if trade.order_id
            else orders.named(trade.instrument, trade.venue_order_id)
        )
        late = row is not None and row.state in FINAL
        return False if late else books_it(state, out, trade)

    for module in (reports, replies, machine):
        if hasattr(module, "trade_report"):
            patch(module, "trade_report", drops)


def reduce_only_off(patch):
    asks = gate.first_refusal

    def passes(intent, desk):
        found = asks(intent, desk)
        return None if isinstance(found, NotReducing) else found

    patch(gate, "first_refusal", passes)


def recovery_applies_twice(patch):
    def twice(records, kept=None):
        records = list(records)
        return recover(records, recover(records, kept))

    patch(world, "recover", twice)


def latch_ignored(patch):
    patch(Paced, "_may_send", lambda self: None)


def position_from_belief(patch):
    reads = flatten.positions_read

    def believes(state, out, answer, *, asked_mono_ns):
        believed = tuple(
            type(answer.positions[0])(instrument=name, position_lots=row.position_lots)
            for name, row in state.books.ledger.positions.items()
            if row.position_lots and answer.positions
        )
        told = type(answer)(positions=believed, unlisted=answer.unlisted, source=answer.source)
        reads(state, out, told, asked_mono_ns=asked_mono_ns)

    patch(replies, "positions_read", believes)


def unknown_not_counted(patch):
    counts = OrderRow.open_lots
    patch(OrderRow, "open_lots", lambda self: 0 if self.state is OrderState.UNKNOWN else counts(self))


def quarantine_not_counted(patch):
    books_it = Ledger.fill

    def forgets(self, fact, *, mono_ns):
        books_it(self, fact, mono_ns=mono_ns)
        if fact.quarantined:
            self.position(fact.instrument).position_lots -= fact.side * fact.qty_lots

    patch(Ledger, "fill", forgets)


def hold_lost_at_restart(patch):
    def forgets(records, kept=None):
        kept = recover(records, kept)
        holds = kept.books.holds.holds
        for hold_id in [one.hold_id for one in holds.values() if one.cause is not HoldCause.STARTUP]:
            del holds[hold_id]
        return kept

    patch(world, "recover", forgets)


# --- and more, one per area, by somebody who had not read what is above --------------------------------------------------


def late_quote_is_taken(patch):
    """Ingest: orders are priced from an old market."""
    takes = market.take_quote

    def at_any_age(known, quote):
        known.lag_ns_max = 1 << 62
        return takes(known, quote)

    patch(market, "take_quote", at_any_age)


def short_is_not_gross(patch):
    """The gate: what is short counts nothing in the account's gross notional."""
    counts = Exposure.recount

    def long_only(self):
        before = self.gross_e8
        counts(self)
        held = self.position.position_lots
        lots = max(abs(held + self.open_lots.buy_lots), held - self.open_lots.sell_lots)
        self.gross_e8 = lots * self.value_e8
        return self.gross_e8 - before

    patch(Exposure, "recount", long_only)


def amend_counts_as_done(patch):
    """Orders: while an amend is unanswered the new size counts, not the larger."""
    counts = OrderRow.open_lots

    def as_done(self):
        if self.state in FINAL or not self.amend_qty_lots:
            return counts(self)
        return max(0, self.amend_qty_lots - self.filled_lots)

    patch(OrderRow, "open_lots", as_done)


def absence_at_once(patch):
    """Asking after orders: "no such order" is believed while the order may still be on its way."""
    believes = replies.absent

    def at_once(state, out, row, *, asked_mono_ns):
        hunt = state.live.chases.get(row.order_id)
        if hunt is not None:
            hunt.absent_after_mono_ns = 0
        believes(state, out, row, asked_mono_ns=asked_mono_ns)

    patch(replies, "absent", at_once)


def exit_closes_the_first_only(patch):
    """The ledger: an exit of the house closes no strategy behind the first that has nothing to close."""
    attributes = Ledger._attribute

    def up_to_the_first(self, fact, unit):
        if fact.strategy != HOUSE:
            attributes(self, fact, unit)
            return
        names, kept = sorted(self.attributed), {}
        for name in names:
            row = self.attributed[name].get(fact.instrument)
            if kept or row is None or row.position_lots * fact.side >= 0:
                kept[name] = self.attributed.pop(name)
        attributes(self, fact, unit)
        self.attributed |= {name: kept[name] | self.attributed.get(name, {}) for name in kept}

    patch(Ledger, "_attribute", up_to_the_first)


def income_of_one_instant_booked_once(patch):
    """Reconciliation: what is no newer than the newest income that was booked is taken for booked."""
    books_it = replies.cash_answer

    def newer_only(state, out, answer):
        for entry in answer.entries:
            if entry.venue_ns > state.books.ledger.cash_since_venue_ns:
                books_it(state, out, structs.replace(answer, entries=(entry,)))

    patch(replies, "cash_answer", newer_only)


def an_older_zero_counts(patch):
    """The way out: a zero from before the position came back is the first of the two that agree."""
    wants, exits, zeros = flatten._wanted, flatten._exit, {}

    def remembers(state, job, *, blind):
        zeros[id(job)] = job.zero_since_mono_ns
        return wants(state, job, blind=blind)

    def keeps(state, out, job, wanted):
        job.zero_since_mono_ns = zeros[id(job)]
        return exits(state, out, job, wanted)

    patch(flatten, "_wanted", remembers)
    patch(flatten, "_exit", keeps)
    patch(flatten, "_no_zero_yet", lambda job: None)


def a_hold_elsewhere_will_do(patch):
    """Holds: one of another scope passes for the one that is wanted."""
    finds = HoldTable.find
    patch(HoldTable, "find", lambda self, cause, scope=None: finds(self, cause))


def transfers_are_profit(patch):
    """The monitor: a deposit hides a loss from the breaker."""
    books_it = Ledger.cash

    def as_profit(self, fact):
        books_it(self, fact)
        if fact.kind is CashKind.TRANSFER and fact.asset == self.settle_asset:
            self.transfers_e8 -= fact.amount_e8

    patch(Ledger, "cash", as_profit)


def exits_do_not_wait_for_the_disk(patch):
    """The engine: an exit leaves before its record is durable."""
    patch(engine, "_FLATTEN", None)


def a_segment_begins_early(patch):
    """The journal: the next segment is begun before the last one is on the disk."""
    syncs, rotates, turning = Journal.sync, Journal._rotate, []

    def turns(self):
        turning.append(self)
        try:
            rotates(self)
        finally:
            turning.pop()

    patch(Journal, "_rotate", turns)
    patch(Journal, "sync", lambda self: self.write() if turning else syncs(self))


def one_signs_for_two(patch):
    """People: whoever signs twice is two."""
    asks = persons.leave_of

    def believes(state, *, by, second_by, since_mono_ns):
        if second_by:
            return persons.Leave(second_by=second_by, alone=False)
        return asks(state, by=by, second_by=second_by, since_mono_ns=since_mono_ns)

    patch(persons, "leave_of", believes)
    patch(commands, "leave_of", believes)


# Within how many seeds each must be found, and by what faults where not by all.
PLANTS = {
    dedupe_off: 2,
    unknown_is_rejected: 8,
    late_fill_dropped: 4,
    reduce_only_off: 4,
    recovery_applies_twice: 3,
    latch_ignored: 8,
    position_from_belief: 4,
    unknown_not_counted: 3,
    quarantine_not_counted: 5,
    hold_lost_at_restart: 5,
    late_quote_is_taken: 5,
    short_is_not_gross: 10,
    amend_counts_as_done: 6,
    absence_at_once: 8,
    exit_closes_the_first_only: 3,
    income_of_one_instant_booked_once: 3,
    an_older_zero_counts: 20,
    a_hold_elsewhere_will_do: 8,
    transfers_are_profit: 3,
    exits_do_not_wait_for_the_disk: 3,
    a_segment_begins_early: 10,
    one_signs_for_two: 6,
}
# All at once hold the bot so often that few orders are there to be stopped, and leave each little room.
FAULTS = {
    latch_ignored: {"halt"},
    position_from_belief: {"flatten", "foreign_order", "stream_mute"},
    late_quote_is_taken: {"feed_lags"},
    short_is_not_gross: {"gross_tightened", "foreign_order", "liquidated", "answer_late"},
    income_of_one_instant_booked_once: {"funding_of_all"},
}


# --- mends taken back: by the number of the saved seed that they were made for ---------------------------------------


def opening_counted_whole(patch):
    """The opening balance as it was told, whatever was booked before, and never taken again."""
    answers, opens, books_it = reconcile.balances_answer, reconcile._open_wallets, Ledger.fill

    def once(state, out, answer, *, asked_mono_ns):
        answers(state, out, answer, asked_mono_ns=asked_mono_ns)
        state.live.words.opening = False

    def counts_all(self, fact, *, mono_ns):
        self.opened_venue_ns = -1
        books_it(self, fact, mono_ns=mono_ns)

    def whole(state, out, answer, *, asked_mono_ns):
        booked = dict(state.books.ledger.wallet_e8)
        told = tuple(
            structs.replace(row, wallet_e8=row.wallet_e8 + booked.get(row.asset, 0))
            for row in answer.balances
        )
        opens(state, out, structs.replace(answer, balances=told), asked_mono_ns=asked_mono_ns)

    patch(reconcile, "_open_wallets", whole)
    patch(replies, "balances_answer", once)
    patch(Ledger, "fill", counts_all)


def smaller_at_once(patch):
    """A size below ours is taken from the first answer that shows it, however old."""
    settles = reports.settle_size

    def believes(state, out, row, report, *, asked_mono_ns):
        state.live.words.smaller_lots[row.order_id] = report.qty_lots
        settles(state, out, row, report, asked_mono_ns=asked_mono_ns)

    patch(reports, "settle_size", believes)


def a_start_values_nothing(patch):
    """What is held fills no part of the gross limit until the first mark of equity behind a start."""
    becomes_ready = reconcile._become_ready

    def as_it_was(state, out):
        counts = Exposure.recount
        Exposure.recount = lambda self: 0
        try:
            becomes_ready(state, out)
        finally:
            Exposure.recount = counts

    patch(reconcile, "_become_ready", as_it_was)


def flat_without_a_list(patch):
    patch(flatten, "_orders_listed", lambda state, job: True)


def a_list_from_before_zero_will_do(patch):
    patch(
        flatten,
        "_orders_listed",
        lambda state, job: state.live.words.orders.mono_ns >= job.began_mono_ns,
    )


TAKEN_BACK = {
    9: opening_counted_whole,
    11: a_start_values_nothing,
    1025: flat_without_a_list,
    7625: a_list_from_before_zero_will_do,
    600035: smaller_at_once,
}
