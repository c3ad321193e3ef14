"""Bars: whole numbers, aligned to UTC, each once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.strategy import BarBuilder, BarSource, Wanted, history_from
from holdfast.vocab.market import Quote, Trade

S = 10**9


def printed(ticks, at_s, *, lots=1, market=True):
    return Trade("BTCUSDT", 1, ticks, lots, 1, market, 0, at_s * S, at_s * S)


def quoted(bid, ask, at_s):
    return Quote("BTCUSDT", 1, bid, 1, ask, 1, 0, at_s * S, at_s * S)


@pytest.fixture
def minutes():
    return BarBuilder(instrument="BTCUSDT", interval_ms=60_000)


def test_a_bar_holds_the_first_highest_lowest_and_last_price(minutes):
    for trade in (printed(100, 61), printed(107, 70, lots=4), printed(95, 80), printed(101, 119, lots=2)):
        assert minutes.add_trade(trade) is None
    bar = minutes.add_trade(printed(200, 120))
    assert (60 * S, 100, 107, 95, 101, 8, 4) == (
        bar.start_wall_ns,
        bar.open_ticks,
        bar.high_ticks,
        bar.low_ticks,
        bar.close_ticks,
        bar.volume_lots,
        bar.count,
    )


def test_a_silent_stretch_makes_no_bars(minutes):
    """An invented bar is an invented price."""
    minutes.add_trade(printed(100, 0))
    assert 0 == minutes.add_trade(printed(101, 600)).start_wall_ns
    assert 600 * S == minutes.add_trade(printed(102, 660)).start_wall_ns


def test_a_bar_is_closed_by_time_alone_and_only_once(minutes):
    minutes.add_trade(printed(100, 30))
    assert minutes.close_due(59 * S) is None
    assert 60 * S == minutes.end_wall_ns
    assert 100 == minutes.close_due(60 * S).close_ticks
    assert minutes.close_due(61 * S) is None
    assert minutes.end_wall_ns is None
    assert minutes.add_trade(printed(101, 62)) is None


def test_a_print_outside_the_market_moves_no_bar(minutes):
    """The insurance fund once printed two percent away from the book."""
    minutes.add_trade(printed(100, 1))
    minutes.add_trade(printed(9_999, 2, market=False))
    assert (100, 1) == ((bar := minutes.add_trade(printed(1, 60))).high_ticks, bar.count)


def test_a_bar_of_quotes_is_made_of_their_middle(minutes):
    minutes.add_quote(quoted(100, 101, 1))
    minutes.add_quote(quoted(110, 112, 2))
    bar = minutes.add_quote(quoted(1, 2, 60))
    assert (100, 111, 0) == (bar.open_ticks, bar.close_ticks, bar.volume_lots)


def test_a_clock_that_steps_back_repeats_no_bar(minutes):
    minutes.add_trade(printed(100, 70))
    assert 60 * S == minutes.close_due(130 * S).start_wall_ns
    minutes.add_trade(printed(101, 65))
    assert 120 * S == minutes.close_due(200 * S).start_wall_ns


@given(
    st.lists(
        st.tuples(st.integers(1, 10_000), st.integers(0, 200), st.integers(1, 50)), min_size=1, max_size=60
    )
)
def test_bars_are_what_grouping_by_interval_gives(steps):
    """The slow twin: sort into intervals and look."""
    builder, at_s = BarBuilder(instrument="BTCUSDT", interval_ms=60_000), 0
    bars: list[Any] = []
    groups: dict[int, list[tuple[int, int]]] = {}
    for ticks, pause_s, lots in steps:
        at_s += pause_s
        groups.setdefault(at_s // 60, []).append((ticks, lots))
        if (bar := builder.add_trade(printed(ticks, at_s, lots=lots))) is not None:
            bars.append(bar)
    bars.append(builder.close_due(10**6 * S))
    naive = [
        (minute * 60 * S, prices[0], max(prices), min(prices), prices[-1], sum(lots for _, lots in group))
        for minute, group in groups.items()
        if (prices := [ticks for ticks, _ in group])
    ]
    assert naive == [
        (one.start_wall_ns, one.open_ticks, one.high_ticks, one.low_ticks, one.close_ticks, one.volume_lots)
        for one in bars
    ]


def test_a_history_keeps_as_many_closed_bars_as_were_asked_for():
    wanted = Wanted(intervals_ms=(60_000, 120_000), source=BarSource.TRADES, history_bars=3)
    events = [printed(100 + minute, minute * 60) for minute in range(10)]
    events += [Trade("OTHER", 1, 5, 1, 1, True, 0, 0, 0), quoted(1, 2, 700)]
    history = history_from(events, wanted=wanted, instruments=["BTCUSDT"])
    assert [106, 107, 108] == [bar.close_ticks for bar in history.of("BTCUSDT", 60_000)]
    assert [103, 105, 107] == [bar.close_ticks for bar in history.of("BTCUSDT", 120_000)]
    assert () == history.of("BTCUSDT", 1)


def test_a_length_of_nothing_is_refused():
    with pytest.raises(ValueError, match="positive"):
        BarBuilder(instrument="BTCUSDT", interval_ms=0)
