"""The book out of a snapshot and changes: bridged rightly, lost at a hole, and the same as a naive twin's."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.ingest.depth_book import BUFFERED_MAX, BookState, DepthBook, Taken
from holdfast.vocab.market import Depth


def change(seq_first, seq, seq_prev, *, bids=(), asks=()):
    return Depth("BTCUSDT", seq_first, seq, seq_prev, tuple(bids), tuple(asks), False, 0, 0, 0)


def snapshot(seq, *, bids=((100, 5),), asks=((101, 5),)):
    return Depth("BTCUSDT", seq, seq, 0, tuple(bids), tuple(asks), True, 0, 0, 0)


def test_changes_from_before_the_snapshot_wait_for_it():
    """The reply to our question comes after the stream has begun: what it does not hold must not be lost."""
    book = DepthBook()
    assert Taken.BUFFERED is book.take(change(1, 5, 0, bids=[(99, 1)]))
    assert Taken.BUFFERED is book.take(change(6, 12, 5, bids=[(100, 7)]))
    assert Taken.BUFFERED is book.take(change(13, 14, 12, asks=[(101, 0), (102, 3)]))

    assert Taken.APPLIED is book.take(snapshot(10))

    assert (BookState.WHOLE, 14) == (book.state, book.seq)
    assert ({100: 7}, {102: 3}) == (book.bids, book.asks)
    assert (100, 102) == (book.bid_ticks, book.ask_ticks)
    assert 1 == book.dropped_count


def test_a_book_that_no_change_has_reached_is_not_whole():
    book = DepthBook()
    book.take(snapshot(10))
    assert BookState.UNPROVEN is book.state
    book.take(change(9, 11, 8))
    assert BookState.WHOLE is book.state


def test_a_snapshot_that_is_too_old_for_the_changes_leaves_a_hole():
    """Between id 10 and the change after 12 something happened that nobody told us."""
    book = DepthBook()
    book.take(change(13, 14, 12, bids=[(99, 1)]))
    book.take(change(15, 16, 14, bids=[(98, 1)]))
    assert Taken.GAP is book.take(snapshot(10))
    assert book.needs_snapshot
    assert 2 == len(book.buffered)

    book.take(snapshot(14, bids=[(99, 1), (100, 5)]))
    assert (BookState.WHOLE, 16, {99: 1, 100: 5, 98: 1}) == (book.state, book.seq, book.bids)


def test_a_hole_loses_the_book_until_another_snapshot():
    book = DepthBook()
    book.take(snapshot(10))
    book.take(change(11, 11, 10))
    assert Taken.GAP is book.take(change(14, 14, 13))
    assert (BookState.LOST, 0, 0) == (book.state, book.bid_ticks, book.ask_ticks)
    assert Taken.BUFFERED is book.take(change(15, 15, 14))
    assert Taken.APPLIED is book.take(snapshot(14))
    assert (BookState.WHOLE, 15, 1) == (book.state, book.seq, book.gaps_count)


def test_a_venue_that_says_only_its_first_id_is_followed_by_that():
    """Spot changes carry no id of the one before."""
    book = DepthBook()
    book.take(snapshot(10))
    assert Taken.APPLIED is book.take(change(9, 12, 0))
    assert Taken.APPLIED is book.take(change(13, 15, 0))
    assert Taken.GAP is book.take(change(17, 18, 0))


def test_the_same_change_again_changes_nothing():
    book = DepthBook()
    book.take(snapshot(10))
    book.take(change(11, 11, 10, bids=[(100, 9)]))
    assert Taken.REPEATED is book.take(change(11, 11, 10, bids=[(100, 1)]))
    assert Taken.REPEATED is book.take(snapshot(11, bids=[(1, 1)]))
    assert ({100: 9}, 2) == (book.bids, book.repeats_count)


def test_what_waits_for_a_snapshot_is_bounded():
    book = DepthBook()
    for seq in range(BUFFERED_MAX + 3):
        book.take(change(seq, seq, seq - 1))
    assert (BUFFERED_MAX, 3) == (len(book.buffered), book.dropped_count)


LEVEL = st.tuples(st.integers(90, 110), st.integers(0, 3))
CHANGES = st.lists(
    st.tuples(st.lists(LEVEL, max_size=4), st.lists(LEVEL, max_size=4), st.integers(1, 4), st.booleans()),
    max_size=30,
)


@given(CHANGES, st.integers(0, 30), st.integers(0, 30))
def test_the_book_is_that_of_a_naive_twin(changes, snapshot_after, told_after):
    """Whenever the snapshot was taken and whenever it came: the book is all changes up to now, applied in order."""
    told, truth, truths, seq = [], ({}, {}), [], 100
    for bids, asks, step, spot in changes:
        before, seq = seq, seq + step
        told.append(change(before + 1, seq, 0 if spot else before, bids=bids, asks=asks))
        truth = (applied(truth[0], bids), applied(truth[1], asks))
        truths.append(truth)
    taken_at = min(snapshot_after, len(told))
    sent_at = max(taken_at, min(told_after, len(told)))
    as_of = told[taken_at - 1].seq if taken_at else 100
    bids, asks = truths[taken_at - 1] if taken_at else ({}, {})

    book = DepthBook()
    for at in range(len(told) + 1):
        if at == sent_at:
            book.take(snapshot(as_of, bids=tuple(bids.items()), asks=tuple(asks.items())))
        if at < len(told):
            book.take(told[at])

    final_bids, final_asks = truths[-1] if truths else ({}, {})
    assert (final_bids, final_asks) == (book.bids, book.asks)
    assert max(final_bids, default=0) == book.bid_ticks
    assert min(final_asks, default=0) == book.ask_ticks
    assert 0 == book.gaps_count


@given(CHANGES.filter(lambda changes: len(changes) > 2), st.data())
def test_any_lost_change_is_noticed(changes, data):
    """A book with a hole in it is never called whole before the next snapshot."""
    seq, told = 100, []
    for bids, asks, step, _ in changes:
        told.append(change(seq + 1, seq + step, seq, bids=bids, asks=asks))
        seq += step
    lost = data.draw(st.integers(1, len(told) - 2))
    book = DepthBook()
    book.take(snapshot(100))
    for at, one in enumerate(told):
        if at != lost:
            book.take(one)
    assert (BookState.LOST, 1) == (book.state, book.gaps_count)


def applied(side, changes):
    now = dict(side)
    for price, lots in changes:
        now.pop(price, None)
        if lots:
            now[price] = lots
    return now
