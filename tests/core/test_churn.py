"""Going round and round: what counts as a round trip, what it costs, and when its strategy is held."""

from itertools import pairwise

import pytest

from holdfast.core.monitor.churn import ROUND_TRIPS_KEPT_MAX, SLICES, Churn, Used
from holdfast.core.replay import fold, replay
from holdfast.core.state import State, decode_books, encode_books
from holdfast.vocab.facts import FillBooked
from holdfast.vocab.governed import CHURN_ROUND_TRIPS_MOST
from holdfast.vocab.holds import HoldLevel, Release, Scope
from holdfast.vocab.orders import OrderState
from holdfast.vocab.units import E8, NS_PER_MS
from tests.core.test_replay import mark_of, written
from tests.house.room import a_running_core, folded
from tests.house.setup import BTC, ETH, settings, strategy_limits

WINDOW_MS = 10_000
WINDOW_NS = WINDOW_MS * NS_PER_MS
T0 = 1_000 * WINDOW_NS
MAX = 3


def goes(churn, *path, at=T0, realised=0, fee=0, every=0):
    """The position goes along a path, one fill from each to the next."""
    for before, after in pairwise(path):
        churn.fill(
            venue_ns=at,
            before_lots=before,
            after_lots=after,
            realised_e8=realised,
            fee_e8=fee,
            window_ns=WINDOW_NS,
        )
        at += every
    return churn


def seen(churn, *, at=T0):
    return churn.used(now_venue_ns=at, window_ns=WINDOW_NS)


# --- what is counted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ((0, 10), 0),
        ((0, 10, 20, 10), 0),
        ((0, 10, 0), 1),
        ((0, -10, 0), 1),
        ((0, 10, 4, 0), 1),
        ((0, 10, -10), 1),
        ((0, 10, -10, 10), 2),
        ((0, 10, -10, 0), 2),
        ((0, 10, 0, 10, 0), 2),
    ],
)
def test_a_round_trip_ends_at_zero_or_beyond_it(path, count):
    assert count == seen(goes(Churn(), *path)).round_trips


def test_a_cost_is_fees_less_what_closing_realised():
    """The spread is in the realised loss; a trade that gains pays for its fees."""
    assert 7 + 7 == seen(goes(Churn(), 0, 10, 20, fee=7)).cost_e8
    assert 30 + 7 == seen(goes(goes(Churn(), 0, 10), 10, 0, fee=7, realised=-30)).cost_e8
    assert 7 - 30 == seen(goes(goes(Churn(), 0, 10), 10, 0, fee=7, realised=30)).cost_e8
    assert -2 == seen(goes(Churn(), 0, 10, fee=-2)).cost_e8


def test_the_loss_of_a_position_that_was_held_is_no_churn_and_its_fee_is():
    """A stop after hours loses more than any loop: that is the drawdown's business."""
    late = T0 + WINDOW_NS
    held = goes(goes(Churn(), 0, 10), 10, 0, at=late, fee=7, realised=-1_000)
    assert Used(round_trips=1, cost_e8=7) == seen(held, at=late)
    quick = goes(goes(Churn(), 0, 10), 10, 0, at=late - 1, fee=7, realised=-1_000)
    assert Used(round_trips=1, cost_e8=1_007) == seen(quick, at=late - 1)


def test_the_window_slides():
    churn = goes(Churn(), 0, 10, 0, fee=5)
    assert Used(round_trips=1, cost_e8=10) == seen(churn, at=T0 + WINDOW_NS - 1)
    assert Used(round_trips=0, cost_e8=0) == seen(churn, at=T0 + WINDOW_NS)
    goes(churn, 0, 10, at=T0 + WINDOW_NS, fee=3)
    assert ([], 3) == (churn.round_trips_venue_ns, churn.cost_e8), "the next fill forgets what is out of it"


def test_a_late_fill_does_not_turn_time_back():
    churn = goes(Churn(), 0, 10, 0, fee=1)
    goes(churn, 0, 10, 0, at=T0 - WINDOW_NS, fee=1)
    assert Used(round_trips=2, cost_e8=4) == seen(churn)


def test_cost_leaves_late_and_never_early():
    """The slow twin keeps every fill; ours keeps slices, and may only count what is at most one slice too old."""
    churn, paid = Churn(), []
    at = T0
    for number in range(5_000):
        at += (number * 7_919 % 97) * WINDOW_NS // 9_000
        fee = number * 31 % 17
        goes(churn, 10, 20, at=at, fee=fee)
        paid.append((at, fee))
        exact = sum(fee for when, fee in paid if when > at - WINDOW_NS)
        longer = sum(fee for when, fee in paid if when > at - WINDOW_NS - WINDOW_NS // SLICES)
        assert exact <= churn.cost_e8 <= longer
        assert churn.cost_e8 == sum(one.cost_e8 for one in churn.slices)


def test_memory_is_bounded():
    """A loop of ten thousand round trips within one window keeps what the largest limit needs, and no more."""
    churn = goes(Churn(), *(0, 10) * 10_000, fee=1, every=1)
    assert ROUND_TRIPS_KEPT_MAX == CHURN_ROUND_TRIPS_MOST + 1 == len(churn.round_trips_venue_ns)
    churn = Churn()
    for number in range(20_000):
        goes(churn, 10, 20, at=T0 + number * WINDOW_NS // 3_000, fee=1)
        assert len(churn.slices) <= SLICES + 2


# --- in the step ----------------------------------------------------------------------------------------------------


def a_watched_core(*, cost_e8_max=1_000 * E8, trips_max=MAX, **changes):
    churn = {
        "churn_round_trips_max": trips_max,
        "churn_cost_e8_max": cost_e8_max,
        "churn_window_ms": WINDOW_MS,
    }
    return a_running_core(
        strategy_limits=(
            strategy_limits("alpha", BTC, **churn),
            strategy_limits("alpha", ETH, order_lots_max=1_000, **churn),
            strategy_limits("beta", BTC, **churn),
        ),
        **changes,
    )


def round_trips(room, count, **changes):
    for _ in range(count):
        room.takes(1, 10, **changes)
        room.takes(-1, 10, **changes)
        room.run(ms=100)


def used(room, strategy="alpha", instrument=BTC):
    churn = room.books.churn[strategy][instrument]
    return len(churn.round_trips_venue_ns), churn.cost_e8


def held(room, strategy="alpha"):
    return room.hold("churn", strategy=strategy)


def test_the_limit_itself_passes_and_one_more_holds_the_strategy():
    room = a_watched_core()
    resting = room.buys(5)
    elsewhere = room.buys(100, instrument=ETH)
    round_trips(room, MAX)
    assert held(room) is None
    round_trips(room, 1)
    hold = held(room)
    assert hold is not None
    assert (HoldLevel.HALTED, Release.PERSON, "monitor") == (hold.level, hold.release, hold.by)
    assert f"{MAX + 1} round trips in {BTC} within 10s; at most {MAX}" == hold.reason
    assert [OrderState.CANCELLED] * 2 == [
        room.order(resting.order_id).state,
        room.order(elsewhere.order_id).state,
    ]
    assert 1 == len(room.alerted("hold.churn"))
    assert not room.latch_tripped, "the others trade on"
    assert HoldLevel.NONE is room.level("beta")
    assert "held" in type(room.takes(1, 10)).__name__.lower()
    room.run(s=60)
    assert held(room) == hold, "never by itself"


def test_a_protective_stop_stays_for_the_position_does():
    room = a_watched_core()
    round_trips(room, MAX)
    room.takes(1, 20)
    stop = room.wants_protection(5)
    room.takes(-1, 25)
    room.run(ms=100)
    assert held(room) is not None
    assert OrderState.LIVE is room.order(stop.order_id).state


def test_the_cost_itself_passes_and_more_holds_the_strategy():
    """Known by a run without a limit to speak of: then exactly that, and a hundred-millionth less."""
    room = a_watched_core(trips_max=100)
    round_trips(room, 2)
    _, cost_e8 = used(room)
    assert cost_e8 > 0
    room = a_watched_core(trips_max=100, cost_e8_max=cost_e8)
    round_trips(room, 2)
    assert (2, cost_e8) == used(room)
    assert held(room) is None
    room = a_watched_core(trips_max=100, cost_e8_max=cost_e8 - 1)
    round_trips(room, 2)
    assert "going round cost" in held(room).reason


def test_what_it_cost_is_what_the_wallet_lost():
    """The same number from another owner: what left the wallet since the strategy began."""
    room = a_watched_core(trips_max=100)
    before = room.books.ledger.wallet_e8["USDT"]
    round_trips(room, 5)
    assert before - room.books.ledger.wallet_e8["USDT"] == used(room)[1]


def test_slow_round_trips_never_hold():
    room = a_watched_core()
    for _ in range(3 * MAX):
        round_trips(room, 1)
        room.run(ms=WINDOW_MS // MAX)
    assert held(room) is None


def test_two_strategies_and_two_instruments_do_not_mix():
    room = a_watched_core()
    round_trips(room, MAX)
    round_trips(room, MAX, strategy="beta")
    round_trips(room, MAX, instrument=ETH)
    assert [] == room.causes()
    round_trips(room, 1, strategy="beta")
    assert held(room, "beta") is not None
    assert held(room) is None


def test_only_a_person_with_a_reason_lets_it_go_on_and_what_was_before_is_forgiven():
    room = a_watched_core()
    round_trips(room, MAX + 1)
    hold = held(room)
    assert not room.says("resume", hold_id=hold.hold_id, reason="").accepted
    assert held(room) == hold
    assert room.says("resume", hold_id=hold.hold_id, reason="its signal is mended").accepted
    round_trips(room, MAX)
    assert held(room) is None
    round_trips(room, 1)
    assert held(room) is not None, "and it is counted anew"


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("reboot", [False, True])
def test_a_restart_in_the_middle_forgets_nothing(snapshot, reboot):
    """A crash loop must not be a way to churn for ever."""
    room = a_watched_core()
    round_trips(room, MAX)
    room.restarts(snapshot=snapshot, reboot=reboot)
    room.run(ms=500)
    assert [] == room.causes()
    round_trips(room, 1)
    hold = held(room)
    assert hold is not None
    room.restarts(snapshot=snapshot, reboot=reboot)
    room.run(ms=500)
    assert hold == held(room)
    assert HoldLevel.HALTED is room.level()


def test_what_it_held_on_is_refused_when_the_houses_exit_ends_it():
    """The house's exit is no round trip of the strategy's."""
    room = a_watched_core()
    round_trips(room, MAX)
    room.takes(1, 10)
    room.says("flatten")
    room.run(s=3)
    assert 0 == room.position(of="alpha")
    assert held(room) is None
    assert MAX == used(room)[0]


def test_it_replays_and_folds_to_the_same():
    room = a_watched_core()
    round_trips(room, MAX)
    room.restarts()
    room.run(ms=500)
    round_trips(room, 1)
    room.says("resume", hold_id=held(room).hold_id)
    round_trips(room, 1)
    records, frames = written(room)
    records.append((len(records), len(frames), mark_of(room)))
    found = replay(iter(records), iter(frames))
    assert room.state.state_hash() == found.state_hash == found.last_state_hash
    books = fold(record for _, _, record in records).books
    assert (
        room.books.churn
        == books.churn
        == decode_books(encode_books(books)).churn
        == folded(room.records).churn
    )
    assert room.state.books_hash() == State(books).books_hash()


def test_a_tightened_limit_holds_at_the_next_fill_and_nothing_loosens_it():
    room = a_watched_core(trips_max=50)
    round_trips(room, MAX + 1)
    assert held(room) is None
    name = f"strategy.alpha.{BTC}.churn_round_trips_max"
    assert room.says("limit_set", limit=name, value=MAX).accepted
    room.takes(1, 10)
    assert held(room) is not None
    answer = room.says("limit_set", limit=name, value=50)
    assert not answer.accepted
    assert "no hard cap, so nothing loosens it" in answer.text


def test_every_fill_of_a_strategy_says_its_window_and_no_other_fill_does():
    room = a_watched_core()
    round_trips(room, 1)
    room.takes(1, 10)
    room.says("flatten")
    room.run(s=3)
    windows = {fact.strategy: fact.churn_window_ms for fact in room.facts_of(FillBooked)}
    assert {"alpha": WINDOW_MS, "": 0} == windows
    assert (
        settings().strategy_limits[0].churn_window_ms
        == a_running_core().state.desks["alpha"][BTC].limits.churn_window_ms
    )
    assert Scope(strategy="alpha") not in room.books.churn
