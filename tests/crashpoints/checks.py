"""What must hold after a recovery, whatever the crash: told from the venue, the bytes and the fold alone."""

from collections import Counter

from holdfast.core.orders.lifecycle import is_final
from holdfast.core.replay import fold
from holdfast.core.state import State
from holdfast.core.step.reconcile import not_armable
from holdfast.journal import iterate, verify
from holdfast.store.store import ReadStore
from holdfast.vocab.events import BasketIntent
from holdfast.vocab.facts import FillBooked, HoldPlaced, OrderApproved
from holdfast.vocab.holds import HoldCause
from holdfast.vocab.ids import epoch_of
from tests.crashpoints.machine import Life, Machine

SECONDS_MAX = 25


def settled(life):
    """Reconciled, no exit under way, nobody asked after."""
    if life.state is None or life.state.session is None:
        return False
    session = life.state.live
    return session.ready and not session.jobs and not session.chases and not life.machine.on_the_way


def recovered(left, *, on_left=None):
    """Another life from what is left; returns it and what is wrong with it."""
    machine = Machine(left)
    life = Life(machine, on_left=on_left, snapshots=False)
    life.written_count, life.synced_count = (
        (left.synced_count if left.power else left.written_count),
        left.synced_count,
    )
    try:
        held = life.run(until=settled, seconds=SECONDS_MAX)
        return life, complaints(left, life, held=held)
    finally:
        machine.close()


def complaints(left, life, *, held):
    """Everything that is not as it must be; empty when all is well."""
    found = []
    if life.ended is not None:
        found.append(f"it ended: {life.ended.why}")
    if not held:
        session = life.state.live
        found.append(f"not settled: {session.start_steps}, jobs {session.jobs}, chases {session.chases}")
    found += _durable(left, life)
    found += _start(left, life)
    found += _orders(life)
    found += _baskets(life)
    found += _fills(life)
    found += _told(left, life)
    return found


def _durable(left, life):
    """What was promised is there, and the books are those of its prefix."""
    found = []
    least = left.synced_count if left.power else left.written_count
    if life.recovered_count < least:
        found.append(f"{life.recovered_count} records of {least} that were promised")
    expected = left.oracle.get(life.recovered_count)
    if expected is None and life.recovered_count:
        found.append(f"{life.recovered_count} records: more than were ever written")
    elif expected and expected != life.recovered_hash:
        found.append("the books are not those of the prefix")
    files = life.machine.files
    report = verify("j", files=files)
    if not report.ok:
        found.append(f"the journal does not verify: {report}")
    whole = fold(record for _, _, record in iterate("j", files=files))
    if State(whole.books).books_hash() != life.state.books_hash():
        found.append("the books are not the fold of the whole journal")
    return found


def _start(left, life):
    """HALTED until somebody arms; nothing for risk leaves; and it could be armed."""
    found = []
    if not life.halted_at_start:
        found.append("it did not start halted")
    if life.port is not None and life.port.risk_sent_ns:
        found.append(f"{len(life.port.risk_sent_ns)} orders for risk left before it was armed")
    holds = life.state.books.holds.holds.values()
    if not any(hold.cause is HoldCause.STARTUP for hold in holds):
        found.append("the startup hold went by itself")
    why = not_armable(life.state)
    if why:
        found.append(f"not armable: {why}")
    if life.state.books.orders.epoch in {epoch_of(order_id) for order_id in left.sent_ids}:
        found.append(f"epoch {life.state.books.orders.epoch} again")
    return found


def _orders(life):
    """None lost, none doubled: what the venue has is in the books, and what the books call open is there."""
    found = []
    venue, orders = life.machine.venue, life.state.books.orders
    known = {order.order_id: order for order in venue.orders}
    for order_id, order in known.items():
        row = orders.row(order_id)
        if row is None:
            found.append(f"order {order_id} is the venue's and not in the books")
        elif order.open != (not is_final(row.state)):
            found.append(f"order {order_id} is {row.state.value}, the venue says {order.status.value}")
        elif order.filled != row.filled_lots:
            found.append(f"order {order_id} filled {row.filled_lots}, the venue says {order.filled}")
    lost = [row for row in orders.live.values() if row.order_id not in known]
    return [*found, *(f"order {row.order_id} is {row.state.value}, and nowhere" for row in lost)]


def _baskets(life):
    """Nothing of a basket is at the venue before all of it is in the journal."""
    found = []
    at_venue = {order.order_id for order in life.machine.venue.orders}
    records = [record for _, _, record in iterate("j", files=life.machine.files)]
    for place, basket in enumerate(records):
        if type(basket) is not BasketIntent:
            continue
        seqs = [leg.intent_seq for leg in basket.legs]
        legs = [one for one in records[place + 1 : place + 1 + len(seqs)] if type(one) is OrderApproved]
        sent = [one.order_id for one in legs if one.order_id in at_venue]
        if sent and seqs != [one.intent_seq for one in legs]:
            found.append(f"of a basket {sent} were sent, and not all of it was written down")
    return found


def _fills(life):
    """Every execution booked once; the position is their sum; cash follows."""
    found = []
    venue = life.machine.venue
    records = [record for _, _, record in iterate("j", files=life.machine.files)]
    booked = Counter(record.trade_id for record in records if type(record) is FillBooked)
    found += [f"fill {name} booked {times} times" for name, times in booked.items() if times != 1]
    missing = {trade.trade_id for trade in venue.trades} ^ {*booked}
    if missing:
        found.append(f"fills on one side only: {sorted(missing)}")
    ids = Counter(record.order_id for record in records if type(record) is OrderApproved)
    found += [f"order id {name} minted {times} times" for name, times in ids.items() if times != 1]
    for name in venue.specs:
        ours = life.state.books.ledger.position(name).position_lots
        if ours != venue.position(name):
            found.append(f"position {name}: ours {ours}, the venue's {venue.position(name)}")
    return found


def _told(left, life):
    """A halt outlives the crash, flat is only said when it is so, and the read store says what the journal says."""
    found = []
    if left.halted and not left.power:
        placed = [record for record in life.records if type(record) is HoldPlaced]
        stands = any(hold.cause is HoldCause.HALT for hold in life.state.books.holds.holds.values())
        if not stands:
            found.append(f"the halt is forgotten: {[one.hold.cause.value for one in placed]}")
    found += [f"flat was said, and was not so: {claim}" for claim in life.false_claims]
    found += _store(life)
    return found


def _store(life):
    """The read store holds what a rebuilt one would."""
    folder = life.machine.store_dir
    ours = ReadStore.read_only(str(folder / "read.sqlite"))
    theirs = ReadStore.open(str(folder / "rebuilt.sqlite"))
    try:
        theirs.rebuild(iterate("j", files=life.machine.files))
        tables = ("orders", "fills", "holds")
        other = [name for name in tables if getattr(ours, name)() != getattr(theirs, name)()]
        return [f"the read store's {name} are not the journal's" for name in other]
    finally:
        ours.close()
        theirs.close()
