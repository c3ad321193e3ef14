"""Conservation: the children of a parent are never more than the parent, counted where they are emitted."""

import pytest

from holdfast.core.orders.parents import PARENTS_KEPT_MAX, Parents
from holdfast.core.state import State, decode_books, encode_books
from holdfast.vocab.orders import ChildOf, OrderState, Side
from holdfast.vocab.refusals import BadTerms, OverParent
from tests.house.records import folded
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS

LOTS = 50
MINE = ChildOf(7, LOTS)


def child(room, lots, **changes):
    return room.buys(lots, **{"child_of": MINE, **changes})


def taken(room, number=7, strategy="alpha"):
    return room.books.orders.parents_of(strategy).known[number].taken_lots


def over(would_be):
    return OverParent(parent_id=7, would_be_lots=would_be, parent_lots=LOTS)


def test_a_strategy_that_forgets_its_fills_sends_its_parent_and_no_more():
    """Knight's counter of filled shares had moved upstream: children went out for ever. Here nobody asks the sender."""
    room = a_running_core()
    for _ in range(40):
        room.takes(1, 10, child_of=MINE)
        room.run(ms=100)
    assert LOTS == room.position() == taken(room)
    assert over(60) == room.takes(1, 10, child_of=MINE)
    room.says("flatten")
    room.run(s=5)
    assert LOTS == taken(room), "what was filled stays taken, whatever became of the position"


def test_what_works_is_in_flight_or_in_doubt_is_taken_up():
    room = a_running_core()
    child(room, 20)
    room.holds_answers()
    doubt = child(room, 20)
    assert over(51) == child(room, 11)
    room.run(s=3)
    assert OrderState.UNKNOWN is room.order(doubt.order_id).state
    assert over(51) == child(room, 11)
    assert OrderState.SENT is child(room, 10).state


def test_what_a_child_leaves_when_it_is_final_is_free_again():
    room = a_running_core()
    order = child(room, 50)
    found = next(one for one in room.venue.open_orders() if one.order_id == order.order_id)
    room.venue.fills(found, lots=20)
    room.settle()
    assert over(51) == child(room, 1)
    room.holds_answers()
    room.cancels(order)
    assert over(51) == child(room, 1), "a cancel that was only asked for frees nothing"
    room.answers_now()
    room.run(ms=50)
    assert 20 == taken(room)
    assert over(51) == child(room, 31)
    assert OrderState.LIVE is child(room, 30).state


def test_a_child_that_grows_takes_its_parents_room_and_a_smaller_one_gives_it_back_once_done():
    room = a_running_core()
    order = child(room, 20)
    child(room, 20)
    assert over(51) == room.amends(order, lots=31)
    room.amends(order, lots=30)
    room.run(ms=50)
    assert 50 == taken(room)
    room.holds_answers()
    room.amends(room.order(order.order_id), lots=5)
    assert over(51) == child(room, 1), "until it is answered the larger size counts"
    room.answers_now()
    room.run(ms=50)
    assert 25 == taken(room)


def test_each_strategy_numbers_its_own():
    room = a_running_core()
    child(room, 50)
    assert OrderState.LIVE is child(room, 50, strategy="beta").state
    assert (50, 50) == (taken(room), taken(room, strategy="beta"))


def test_a_parent_stays_what_its_first_child_said():
    room = a_running_core()
    child(room, 10)
    changed = BadTerms(why="a parent's instrument, side and size never change")
    assert changed == child(room, 10, child_of=ChildOf(7, LOTS + 1))
    assert changed == room.sells(10, child_of=MINE)
    assert changed == child(room, 100, instrument="ETHUSDT")


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_restart_begins_no_parent_anew(snapshot):
    room = a_running_core()
    room.takes(1, 10, child_of=MINE)
    child(room, 30)
    room.restarts(snapshot=snapshot)
    room.run(s=1)
    assert 40 == taken(room)
    assert over(51) == child(room, 11)
    assert room.state.books_hash() == State(folded(room.records)).books_hash()
    assert room.state.books_hash() == State(decode_books(encode_books(room.books))).books_hash()


def test_the_oldest_that_is_done_makes_room_and_does_not_come_back():
    """Everything has a limit: a parent that has something open is never forgotten."""
    parents = Parents()

    def begins(number, *, ends):
        parents.begin(ChildOf(number, 10), instrument=BTC, side=Side.BUY, lots=10)
        if ends:
            parents.change(number, open_lots=-10, filled_lots=10)

    begins(1, ends=False)
    for number in range(2, PARENTS_KEPT_MAX + 1):
        begins(number, ends=True)
    assert 0 == parents.forgotten_id
    begins(PARENTS_KEPT_MAX + 1, ends=True)
    assert (2, True, False) == (parents.forgotten_id, 1 in parents.known, 2 in parents.known)
    assert PARENTS_KEPT_MAX == len(parents.known)
    assert not parents.full()
    parents.change(2, open_lots=0, filled_lots=5)
    assert 2 not in parents.known


def test_when_every_parent_has_something_open_no_new_one_begins():
    room = a_running_core()
    parents = room.books.orders.parents_of("alpha")
    for number in range(1, PARENTS_KEPT_MAX + 1):
        parents.begin(ChildOf(number, 1), instrument=BTC, side=Side.BUY, lots=1)
    assert BadTerms(why="too many parents have open children") == room.buys(
        1, at=BTC_TICKS - 1_000, child_of=ChildOf(PARENTS_KEPT_MAX + 1, 1)
    )


def test_a_parent_beyond_what_is_remembered_is_counted_all_the_same():
    """The gate refuses it; a fold of what was once let through must not stop the start."""
    parents = Parents()
    for number in range(1, PARENTS_KEPT_MAX + 2):
        parents.begin(ChildOf(number, 10), instrument=BTC, side=Side.BUY, lots=1)
    assert (PARENTS_KEPT_MAX + 1, 0) == (len(parents.known), parents.forgotten_id)
