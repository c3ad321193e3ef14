"""A stream measured: latency by the tracked clock and never clamped, silence, holes, repeats."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.feed_meter import (
    CLOCK_WINDOW_NS,
    FeedMeter,
    Spread,
    StreamMeter,
    VenueClockByFrames,
)
from holdfast.vocab.market import Depth, Quote, Trade
from holdfast.vocab.units import NS_PER_MS, NS_PER_S

START_NS = 1_723_161_255 * NS_PER_S
DEAD_NS = 5 * NS_PER_S


def quote(seq, *, wall_ms=0, late_ms=0):
    wall_ns = START_NS + wall_ms * NS_PER_MS
    return Quote("BTCUSDT", seq, 1, 1, 2, 1, wall_ns - late_ms * NS_PER_MS, wall_ns, 0)


def trade(seq):
    return Trade("BTCUSDT", seq, 1, 1, 1, True, START_NS, START_NS, 0)


def diff(seq_first, seq, seq_prev):
    return Depth("BTCUSDT", seq_first, seq, seq_prev, (), (), False, START_NS, START_NS, 0)


def meter(events, *, offset_ns=0):
    made = StreamMeter(DEAD_NS)
    for event in events:
        made.see(event, offset_ns=offset_ns)
    return made


@given(st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=300), st.integers(1, 1_000_000))
def test_a_percentile_is_that_of_all_values_to_within_two_percent(latencies, ppm):
    spread = Spread()
    for latency in latencies:
        spread.add(latency)
    exact = sorted(latencies)[-(-len(latencies) * ppm // 1_000_000) - 1]
    assert abs(spread.at(ppm) - exact) <= abs(exact) * 2 // 100 + 2_000
    assert (min(latencies), max(latencies)) == (spread.min_ns, spread.max_ns)


def test_a_recorder_that_runs_behind_is_corrected_and_not_clamped():
    """All frames arrive before they were sent; one that is quicker than the tracked clock stays below zero."""
    late = [quote(seq, wall_ms=10 * seq, late_ms=-1_270 + seq % 5) for seq in range(100)]
    seen = meter(late, offset_ns=1_268 * NS_PER_MS)
    assert (-2 * NS_PER_MS, 2 * NS_PER_MS) == (seen.latency.min_ns, seen.latency.max_ns)
    assert 0 == seen.latency.at(500_000)


def test_the_clock_by_frames_is_the_quickest_of_the_last_minutes():
    clock = VenueClockByFrames()
    assert 0 == clock.offset_ns()
    for at_s, lead_ms in ((0, 1_270), (1, 1_272), (2, 1_265)):
        wall_ns = START_NS + at_s * NS_PER_S
        clock.see(venue_ns=wall_ns + lead_ms * NS_PER_MS, wall_ns=wall_ns)
    assert 1_272 * NS_PER_MS == clock.offset_ns()
    # a drift is followed, at the latest after two windows; what was before a long silence counts at once no more
    for at_s in (70, 140):
        wall_ns = START_NS + at_s * NS_PER_S
        clock.see(venue_ns=wall_ns + 900 * NS_PER_MS, wall_ns=wall_ns)
    assert 900 * NS_PER_MS == clock.offset_ns()
    wall_ns = START_NS + 10 * CLOCK_WINDOW_NS
    clock.see(venue_ns=wall_ns + 20 * NS_PER_MS, wall_ns=wall_ns)
    assert 20 * NS_PER_MS == clock.offset_ns()
    clock.see(venue_ns=0, wall_ns=wall_ns)  # it did not say when
    assert 20 * NS_PER_MS == clock.offset_ns()


def test_holes_repeats_and_steps_back_are_told_apart():
    trades = meter([trade(seq) for seq in (1, 2, 5, 5, 4, 6)])
    assert (1, 2, 1, 1) == (
        trades.gaps_count,
        trades.missing_count,
        trades.repeats_count,
        trades.backward_count,
    )
    books = meter([diff(1, 5, 0), diff(6, 9, 5), diff(10, 11, 0), diff(14, 15, 13)])
    assert (1, 0) == (books.gaps_count, books.missing_count)
    quotes = meter([quote(seq) for seq in (1, 9, 40)])  # ids of quotes have holes at the venue itself
    assert 0 == quotes.gaps_count


def test_time_without_the_stream_is_what_a_silence_lasts_beyond_its_limit():
    seen = meter([quote(1), quote(2, wall_ms=1_000), quote(3, wall_ms=11_000)])
    to_ns = START_NS + 20 * NS_PER_S
    seen.ended(to_ns)
    assert 10 * NS_PER_S == seen.silence_ns_max
    # 10 s of silence less 5, and 9 less 5, of 20 s
    assert 550_000 == seen.availability_ppm(from_ns=START_NS, to_ns=to_ns)


def test_a_stream_that_never_spoke_was_never_there():
    feed = FeedMeter("x", dead_ns=DEAD_NS)
    feed.expect("BTCUSDT", "quotes")
    assert 0 == feed.streams["BTCUSDT", "quotes"].availability_ppm(from_ns=0, to_ns=10)


def test_the_first_connection_is_no_reconnect():
    feed = FeedMeter("x", dead_ns=DEAD_NS)
    for up, why in ((True, "connected"), (False, "closed by the venue"), (True, "connected")):
        feed.changed("binance/public", up=up, why=why)
    feed.changed("binance/market", up=True, why="connected")
    assert (1, {"closed by the venue": 1}) == (feed.reconnects_count, feed.downs)
