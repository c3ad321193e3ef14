"""Replay: the journal's events stepped again come to the facts that were written down, or it says where not."""

import pytest
from msgspec import structs

from holdfast.core.replay import ReplayDiffers, fold, replay
from holdfast.core.state import Books, State
from holdfast.vocab.events import StrategySaved
from holdfast.vocab.facts import EquityMarked, FillBooked, ForeignOrderSeen, HashMark, OrderApproved
from holdfast.vocab.orders import Side
from tests.house.records import MARKET
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS


def a_day(*, restart=False):
    """Bought, sold, marked; perhaps died in between."""
    room = a_running_core()
    room.targets(10)
    room.run(s=2)
    room.tell(StrategySaved(wall_ns=0, mono_ns=0, strategy="alpha", state=b"x"))
    if restart:
        room.restarts()
        room.run(ms=300)
    room.buys(5)
    room.targets(-3)
    room.run(s=1)
    return room


def written(room):
    """The journal (index, market position, record) and the frames of the market log."""
    records: list = []
    frames: list = []
    for event, facts in room.records:
        if isinstance(event, MARKET):
            frames.append((len(frames), event))
        else:
            records.append((len(records), len(frames), event))
        for fact in facts:
            records.append((len(records), len(frames), fact))
    return records, frames


def mark_of(room, **changes):
    return structs.replace(
        HashMark(books_hash=room.state.books_hash(), state_hash=room.state.state_hash()), **changes
    )


@pytest.mark.parametrize("restart", [False, True])
def test_a_day_replays_to_the_same_hashes(restart):
    room = a_day(restart=restart)
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room)))
    found = replay(iter(records), iter(frames))
    assert room.state.books_hash() == found.books_hash
    assert room.state.state_hash() == found.state_hash == found.last_state_hash
    assert (len(records), len(frames), 0) == (
        found.records_count,
        found.frames_count,
        found.lost_facts_count,
    )


@pytest.mark.parametrize("restart", [False, True])
def test_the_books_fold_from_the_facts_without_any_frame(restart):
    room = a_day(restart=restart)
    records, _ = written(room)
    found = fold(record for _, _, record in records)
    assert room.state.books_hash() == State(found.books).books_hash()
    assert len(records) == found.records_count


def changed(records, kind, **changes):
    at = next(index for index, _, record in records if isinstance(record, kind))
    index, pos, record = records[at]
    return [*records[:at], (index, pos, structs.replace(record, **changes)), *records[at + 1 :]]


def test_a_fact_that_was_changed_is_found_with_its_place():
    records, frames = written(a_day())
    bad = changed(records, FillBooked, price_ticks=BTC_TICKS - 1)
    with pytest.raises(ReplayDiffers, match=r"record \d+: the journal has FillBooked"):
        replay(iter(bad), iter(frames))


def test_a_fact_that_was_taken_out_is_found():
    records, frames = written(a_day())
    at = next(index for index, _, record in records if isinstance(record, OrderApproved))
    with pytest.raises(ReplayDiffers):
        replay(iter([*records[:at], *records[at + 1 :]]), iter(frames))


def test_a_fact_that_was_put_in_is_found():
    records, frames = written(a_day())
    at = next(index for index, _, record in records if isinstance(record, FillBooked))
    with pytest.raises(ReplayDiffers, match="decided"):
        replay(iter([*records[: at + 1], records[at], *records[at + 1 :]]), iter(frames))


def test_a_missing_frame_is_found():
    records, frames = written(a_day())
    with pytest.raises(ReplayDiffers, match="market frame 1 is missing"):
        replay(iter(records), iter([frames[0], *frames[2:]]))
    with pytest.raises(ReplayDiffers, match="missing"):
        replay(iter(records), iter(frames[:3]))


def test_a_changed_frame_is_found_by_what_it_leads_to():
    """One price of the market log flipped: an order was judged by it."""
    room = a_day()
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room)))
    pos, quote = frames[-1]
    bad = [*frames[:-1], (pos, structs.replace(quote, bid_ticks=quote.bid_ticks - 1))]
    with pytest.raises(ReplayDiffers, match="state hash"):
        replay(iter(records), iter(bad))


@pytest.mark.parametrize(("name", "word"), [("books_hash", "books hash"), ("state_hash", "state hash")])
def test_a_hash_that_was_written_wrong_is_found(name, word):
    room = a_day()
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room, **{name: "beef"})))
    with pytest.raises(ReplayDiffers, match=word):
        replay(iter(records), iter(frames))


def test_folding_checks_the_written_hashes_too():
    room = a_day()
    records = [record for _, _, record in written(room)[0]]
    assert fold([*records, mark_of(room)]).records_count == len(records) + 1
    with pytest.raises(ReplayDiffers, match="books hash"):
        fold([*records, mark_of(room, books_hash="beef")])


def test_older_facts_fold_to_the_hash_that_was_written_behind_them():
    """A start folds journals of earlier builds: a hash that changed would refuse it."""
    books = Books()
    books.apply(EquityMarked(equity_e8=90, peak_e8=100, day=5), mono_ns=1)
    order = ForeignOrderSeen(venue_order_id="7", instrument=BTC, side=Side.BUY, open_lots=5, conditional=True)
    books.apply(order, mono_ns=1)
    assert "b7d04285e1cf3877c4e272162090345c" == State(books).books_hash()


def test_a_journal_begins_with_a_start():
    records, frames = written(a_day())
    with pytest.raises(ReplayDiffers, match="start"):
        replay(iter(records[6:]), iter(frames))


def test_facts_that_died_with_the_process_are_counted_and_the_next_life_goes_on_without_them():
    """The event was written, its facts were torn off: the restart folded what there was, and so does a replay."""
    room = a_day()
    records, frames = written(room)
    at = max(index for index, _, record in records if isinstance(record, OrderApproved))
    found = replay(iter(records[:at]), iter(frames))
    assert found.lost_facts_count >= 1
    assert State(fold(record for _, _, record in records[:at]).books).books_hash() == found.books_hash
