"""Faults planted into the product, one per area: simulation must find each. They live here and nowhere else."""

from msgspec import structs

from holdfast.core.gate import gate
from holdfast.core.ledger.ledger import Ledger
from holdfast.core.orders.book import OrderRow
from holdfast.core.step import emit, flatten, machine, reconcile, replies, reports
from holdfast.runtime.paced import Paced
from holdfast.runtime.recover import recover
from holdfast.simulate import world
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


# Within how many seeds each must be found, and by what faults where not by all.
PLANTS = {
    dedupe_off: 2,
    unknown_is_rejected: 8,
    late_fill_dropped: 4,
    reduce_only_off: 4,
    recovery_applies_twice: 3,
    latch_ignored: 8,
    position_from_belief: 30,
    unknown_not_counted: 3,
    quarantine_not_counted: 5,
    hold_lost_at_restart: 5,
}
# All at once hold the bot so often that few orders are there to be stopped.
FAULTS = {latch_ignored: {"halt"}}


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


def risen_does_not_matter(patch):
    patch(flatten, "_risen", lambda state, out, job: False)


TAKEN_BACK = {9: opening_counted_whole, 1022: risen_does_not_matter}
