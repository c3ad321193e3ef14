"""What happens at the end of a source: stop, loop, hand over. No client may see a seam."""

import json
from collections import Counter

import pytest

from holdfast.sim.sources import AtEnd, Continued, Generated, RecordedFrames, frame_json
from holdfast.sim.sources.levels import Levels
from holdfast.vocab.market import Depth, Quote, Trade
from tests.sim.recordings import diff, quote, snapshot, trade, write_recording


@pytest.fixture
def recorded(tmp_path):
    """Bid from 61800.0 to 61790.0 while levels come and go."""
    messages = [
        quote(8, bid="61800.00", ask="61800.10"),
        diff(10, 12, 9, bids=[("61800.00", "1.000")]),
        snapshot(
            12,
            bids=[("61800.00", "1.000"), ("61700.00", "7.000")],
            asks=[("61800.10", "2.000"), ("61900.00", "3.000")],
        ),
        trade(100),
        diff(13, 20, 12, bids=[("61800.00", "0"), ("61790.00", "4.000")], asks=[("61790.10", "1.500")]),
        quote(20, bid="61790.00", ask="61790.10"),
        trade(101, price="61790.00", maker=True),
    ]
    return RecordedFrames([write_recording(tmp_path, messages)])


class Client:
    """Keeps a book as a subscriber does: one snapshot, then published diffs, and every id in order."""

    def __init__(self):
        self.levels, self.quotes, self.trades = Levels(), [], []
        self.last_ns = 0
        self.frames = 0

    def see(self, frame):
        self.frames += 1
        event = frame.event
        assert frame.recv_ns >= self.last_ns
        self.last_ns = frame.recv_ns
        if isinstance(event, Depth):
            if not frame.stream:
                assert not self.levels.seq, "the one opening of the session"
            else:
                assert event.seq_prev == self.levels.seq
                assert event.seq >= event.seq_first > event.seq_prev
            self.levels.apply(event)
            assert self.levels.best is None or self.levels.best[0] < self.levels.best[1]
        elif isinstance(event, Quote):
            assert not self.quotes or event.seq > self.quotes[-1].seq
            self.quotes.append(event)
        elif isinstance(event, Trade):
            assert not self.trades or event.seq == self.trades[-1].seq + 1
            self.trades.append(event)
        if frame.stream:
            json.loads(frame_json(frame, offset_ns=10**9))


def watch(frames, count=None):
    client = Client()
    for number, frame in enumerate(frames):
        if number == count:
            break
        client.see(frame)
    return client


def test_a_source_that_stops_gives_its_frames_and_no_more(recorded):
    there = [frame.event for frame in recorded.frames()]
    assert there == [frame.event for frame in Continued(recorded, at_end=AtEnd.STOP).frames()]


def test_a_loop_goes_on_without_a_jump_a_gap_or_a_repeated_id(recorded):
    """A jump at the splice would be a false move of the market: strategies would trade it."""
    client = watch(Continued(recorded, at_end=AtEnd.LOOP, loops_max=4).frames())
    bids = [one.bid_ticks for one in client.quotes]
    assert [618_000, 617_900, 617_900, 617_800, 617_800, 617_700, 617_700, 617_600] == bids
    assert 8 == len(client.trades)


def test_each_loop_ends_with_the_same_book_shifted(recorded):
    one = watch(recorded.frames()).levels
    three = watch(Continued(recorded, at_end=AtEnd.LOOP, loops_max=3).frames()).levels
    shifted = {price - 200: lots for price, lots in one.bids.items()}
    assert shifted == three.bids
    assert {price - 200: lots for price, lots in one.asks.items()} == three.asks


def test_a_loop_is_published_with_growing_times(recorded):
    frames = list(Continued(recorded, at_end=AtEnd.LOOP, loops_max=2).frames())
    texts = [
        json.loads(frame_json(frame))
        for frame in frames
        if frame.stream and "T" in frame_json(frame).decode()
    ]
    times = [text["E"] for text in texts]
    assert sorted(times) == times
    quotes = [text for text in texts if text["e"] == "bookTicker"]
    assert ["61790.00", "61780.00"] == [text["b"] for text in quotes[2:]]
    assert all(text["T"] == text["E"] for text in quotes)


def test_a_price_that_wandered_far_away_starts_again_from_the_recorded_one(tmp_path):
    messages = [quote(1, bid="100.00", ask="100.10"), quote(2, bid="120.00", ask="120.10")]
    source = RecordedFrames([write_recording(tmp_path, messages)], marks=False)
    bids = [one.bid_ticks for one in watch(Continued(source, at_end=AtEnd.LOOP, loops_max=4).frames()).quotes]
    assert [1_000, 1_200, 1_200, 1_400, 1_000, 1_200, 1_200, 1_400] == bids


def test_the_generator_takes_over_where_the_recording_ends(recorded):
    session = Continued(recorded, at_end=AtEnd.GENERATE, seed=5)
    client = watch(session.frames(), count=3_000)
    own = len([frame for frame in recorded.frames() if isinstance(frame.event, Quote)])
    assert abs(client.quotes[own].bid_ticks - 617_900) <= 2
    assert len(client.trades) > 100
    again = watch(Continued(recorded, at_end=AtEnd.GENERATE, seed=5).frames(), count=3_000)
    assert client.quotes == again.quotes


def test_the_generator_itself_can_be_looped():
    source = Generated(seed=4, seconds=3)
    frames = list(Continued(source, at_end=AtEnd.LOOP, loops_max=3).frames())
    by_symbol = {"BTCUSDT": Client(), "ETHUSDT": Client()}
    for frame in frames:
        by_symbol[frame.symbol].see(frame)
    once = Counter(type(frame.event) for frame in source.frames() if frame.stream)
    thrice = Counter(type(frame.event) for frame in frames if frame.stream)
    assert 3 * once[Quote] == thrice[Quote]
    assert 3 * once[Trade] == thrice[Trade]
    for client in by_symbol.values():
        jumps = [
            abs(later.bid_ticks - before.bid_ticks)
            for before, later in zip(client.quotes, client.quotes[1:], strict=False)
        ]
        assert max(jumps) < 400


@pytest.mark.data
def test_the_real_session_loops_without_a_seam(data_dir):
    path = data_dir / "binance_ws_raw" / "usdm_btcusdt_20240718.jsonl_ts.gz"
    if not path.is_file():
        pytest.skip(f"this recording is not there: {path}")
    source = RecordedFrames([path])
    one = watch(source.frames())
    two = watch(Continued(source, at_end=AtEnd.LOOP, loops_max=2).frames())
    assert 2 * len(one.quotes) == len(two.quotes)
    splice = len(one.quotes)
    assert two.quotes[splice - 1].bid_ticks == two.quotes[splice].bid_ticks
    shift = two.quotes[-1].bid_ticks - one.quotes[-1].bid_ticks
    within = {price: lots for price, lots in two.levels.bids.items() if price > 600_000}
    assert {
        price + shift: lots for price, lots in one.levels.bids.items() if price + shift > 600_000
    } == within
