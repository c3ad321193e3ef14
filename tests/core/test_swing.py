"""How far markets move: one that is volatile, and many at once that are a crash."""

import random

import pytest

from holdfast.core.monitor.swing import Swing, crashing
from holdfast.vocab.facts import SizeReduced
from holdfast.vocab.holds import HoldLevel, Release
from holdfast.vocab.units import NS_PER_MS
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, ETH_TICKS, account_limits, instrument_limits

WINDOW_MS = 10_000
SWING = {"swing_ppm_max": 20_000, "swing_window_ms": WINDOW_MS}


def a_watching_core(*, share_ppm=1_000_000):
    room = a_running_core(
        instrument_limits=(
            instrument_limits(BTC, **SWING),
            instrument_limits(ETH, order_lots_max=1_000, **SWING),
        ),
        account_limits=account_limits(crash_share_ppm=share_ppm),
    )
    room.run(ms=600)  # it has looked at both
    return room


def moves(room, percent, instrument=BTC):
    before = {BTC: BTC_TICKS, ETH: ETH_TICKS}[instrument]
    room.quotes(instrument, mid=before + before * percent // 100)
    room.run(ms=600)


@pytest.mark.parametrize("seed", range(6))
def test_a_move_counts_for_a_window_at_least_and_one_and_a_half_at_most(seed):
    """The slow twin keeps every look; ours keeps three halves."""
    rng = random.Random(seed)
    swing, seen, now, mid = Swing(), [], 10**12, 1_000_000
    window_ns = WINDOW_MS * NS_PER_MS
    for _ in range(2_000):
        now += rng.choice((1, 250, 250, 250, 4_000, 40_000 if rng.random() < 0.05 else 1)) * NS_PER_MS
        mid = max(1_000, mid + rng.randrange(-30_000, 30_001))
        seen.append((now, mid))

        def extreme(window_ns, pick, now=now):
            return pick(mid for at, mid in seen if now - at < window_ns)

        found = swing.look(mid, now_mono_ns=now, window_ns=window_ns)
        fall = [(extreme(size, max) - mid) / extreme(size, max) for size in (window_ns, window_ns * 3 // 2)]
        rise = [(mid - extreme(size, min)) / extreme(size, min) for size in (window_ns, window_ns * 3 // 2)]
        low, high = max(fall[0], rise[0]) * 1e6 - 1, max(fall[1], rise[1]) * 1e6 + 1
        assert low <= abs(found) <= high


def test_nothing_is_said_of_a_market_without_a_price():
    assert 0 == Swing().look(0, now_mono_ns=10**12, window_ns=10**9)


@pytest.mark.parametrize(
    ("falls", "rises", "instruments", "share", "expected"),
    [
        (1, 0, 1, 500_000, False),
        (2, 0, 4, 500_000, True),
        (1, 1, 2, 500_000, False),
        (2, 0, 5, 500_000, False),
        (0, 3, 5, 500_000, True),
    ],
)
def test_a_crash_is_many_and_one_way(falls, rises, instruments, share, expected):
    assert expected is crashing(falls, rises, instruments=instruments, share_ppm=share)


def test_one_volatile_instrument_is_halved_and_comes_back_by_itself():
    room = a_watching_core()
    moves(room, -2)
    assert [] == room.causes(), "the limit itself is no swing beyond it"
    moves(room, -3)
    hold = room.hold("volatility", instrument=BTC)
    assert (HoldLevel.REDUCED, Release.AUTOMATIC) == (hold.level, hold.release)
    assert HoldLevel.NONE is room.level("alpha", ETH)
    room.buys(10)
    assert [5] == [fact.to_lots for fact in room.facts_of(SizeReduced)]
    room.run(ms=WINDOW_MS // 2)
    assert room.hold("volatility", instrument=BTC) is not None
    room.run(ms=WINDOW_MS + 4_000)
    assert [] == room.causes()


def test_a_restart_does_not_release_it_before_a_window_was_seen_again():
    """What it moved from is forgotten with the process: that is no calm."""
    room = a_watching_core()
    moves(room, -3)
    room.quoting = False
    room.restarts()
    room.run(ms=WINDOW_MS * 2)
    assert room.hold("volatility", instrument=BTC) is not None, "nothing was quoted: nothing was seen"
    room.quoting = True
    room.run(ms=WINDOW_MS)
    assert room.hold("volatility", instrument=BTC) is not None
    room.run(ms=4_000)
    assert "volatility" not in room.causes()


def test_holds_kept_behind_a_restart_are_no_crash():
    room = a_watching_core(share_ppm=500_000)
    moves(room, -3)
    moves(room, 3, ETH)
    room.restarts()
    room.run(ms=WINDOW_MS // 2)
    assert ["volatility", "volatility"] == room.causes()


def test_many_that_fall_at_once_are_a_crash_and_wait_for_a_person():
    room = a_watching_core()
    room.takes(1, 10)
    moves(room, -3)
    moves(room, -3, ETH)
    assert ["volatility", "volatility", "crash"] == room.causes()
    hold = room.hold("crash")
    assert "2 of 2 instruments fell by more than their swing at once" == hold.reason
    assert HoldLevel.REDUCE_ONLY is room.level()
    room.targets(0)
    assert 0 == room.position(), "the way out is open"
    room.run(s=60)
    assert ["crash"] == room.causes(), "never by itself"
    assert room.says("resume", hold_id=hold.hold_id, reason="it was the feed's split").accepted
    assert [] == room.causes()


def test_one_up_and_one_down_is_no_crash():
    room = a_watching_core(share_ppm=500_000)
    moves(room, -3)
    moves(room, 3, ETH)
    assert ["volatility", "volatility"] == room.causes()
