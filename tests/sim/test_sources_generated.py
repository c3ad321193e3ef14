"""The market from a seed: repeatable, consistent with itself, and lively."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import islice, pairwise

import pytest

from holdfast.sim.sources import (
    DEFAULT_INSTRUMENTS,
    MORE_INSTRUMENTS,
    Generated,
    SourceUnusable,
    frame_json,
    quotes_only,
)
from holdfast.sim.sources.levels import Levels
from holdfast.vocab.market import Depth, Mark, Quote, Trade

# The first 20,000 frames of seed 7, and 50,000 quotes of seed 7. Changing the generator changes these, and with
# them the meaning of every seed that somebody wrote down: say so in the changelog.
FRAMES_HASH = "3c7e0243b4aa5b68"
QUOTES_HASH = "c463595b94700bad"

PROGRAM = """
import hashlib
from itertools import islice
from msgspec.structs import astuple
from holdfast.sim.sources import Generated, quotes_only
frames = hashlib.sha256()
for frame in islice(Generated(seed=7).frames(), 20_000):
    frames.update(repr((frame.recv_ns, frame.stream, astuple(frame.event))).encode())
quotes = hashlib.sha256()
for quote in quotes_only(50_000, seed=7):
    quotes.update(repr(astuple(quote)).encode())
print(frames.hexdigest()[:16], quotes.hexdigest()[:16])
"""


@pytest.fixture(scope="module")
def minute():
    return list(Generated(seed=3, seconds=60, instruments=MORE_INSTRUMENTS).frames())


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_a_seed_gives_the_same_market_everywhere(hash_seed):
    """A seed in a bug report must still mean the same session next year."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert [FRAMES_HASH, QUOTES_HASH] == told


def test_another_seed_is_another_market():
    def digest(seed):
        frames = islice(Generated(seed=seed).frames(), 2_000)
        return hashlib.sha256(b"".join(repr(frame.event).encode() for frame in frames)).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_frames_come_in_order_and_begin_anew_each_time():
    source = Generated(seed=5, seconds=5)
    times = [frame.recv_ns for frame in source.frames()]
    assert sorted(times) == times
    assert times[0] == source.start_ns
    assert times == [frame.recv_ns for frame in source.frames()]
    assert times[-1] < source.start_ns + 5 * 10**9


def test_quotes_prints_and_diffs_tell_of_one_book(minute):
    """A venue that shows one touch and a book of another cannot be traded against."""
    books: dict[str, Levels] = {}
    quotes: dict[str, Quote] = {}
    trades: dict[str, int] = {}
    for frame in minute:
        event, name = frame.event, frame.symbol
        if isinstance(event, Depth):
            book = books.setdefault(name, Levels())
            assert event.snapshot == (book.seq == 0)
            assert event.snapshot or event.seq_prev == book.seq
            book.apply(event)
            best = book.best
            assert best is not None
            bid, ask = best
            assert bid < ask
            assert 12 <= len(book.bids) <= 60
            assert 12 <= len(book.asks) <= 60
            if name in quotes:
                touch = quotes[name]
                assert (touch.bid_ticks, touch.ask_ticks) == (bid, ask)
                assert (touch.bid_lots, touch.ask_lots) == (book.bids[bid], book.asks[ask])
        elif isinstance(event, Quote):
            before = quotes.get(name)
            assert before is None or event.seq > before.seq
            assert 0 < event.bid_ticks < event.ask_ticks
            assert event.bid_lots > 0 < event.ask_lots
            quotes[name] = event
        elif isinstance(event, Trade):
            assert event.qty_lots > 0
            assert trades.get(name, 0) in {0, event.seq - 1}
            trades[name] = event.seq


def test_prints_happen_at_or_through_the_touch(minute):
    quotes = {}
    for frame in minute:
        event = frame.event
        if isinstance(event, Quote):
            quotes[frame.symbol] = event
        elif isinstance(event, Trade):
            touch = quotes[frame.symbol]
            if event.aggressor > 0:
                assert event.price_ticks >= touch.ask_ticks
            else:
                assert event.price_ticks <= touch.bid_ticks


def test_a_minute_is_lively_in_every_instrument(minute):
    kinds = Counter((frame.symbol, type(frame.event)) for frame in minute)
    for one in MORE_INSTRUMENTS:
        name = one.spec.instrument
        assert kinds[name, Quote] > 1_500
        assert kinds[name, Trade] > 800
        assert 550 < kinds[name, Depth] <= 601
        assert 60 <= kinds[name, Mark] <= 61


def test_instruments_move_together_but_not_as_one():
    last: dict[str, int] = {}
    series: dict[str, list[int]] = {"BTCUSDT": [], "ETHUSDT": []}
    due_ns = 0
    for frame in Generated(seed=11, seconds=400).frames():
        if isinstance(frame.event, Quote):
            last[frame.symbol] = frame.event.bid_ticks
            if frame.recv_ns >= due_ns and len(last) == 2:
                due_ns = frame.recv_ns + 4 * 10**9
                for name, values in series.items():
                    values.append(last[name])
    moves = {
        name: [later / earlier - 1 for earlier, later in pairwise(values)] for name, values in series.items()
    }
    btc, eth = moves["BTCUSDT"], moves["ETHUSDT"]
    dot = sum(x * y for x, y in zip(btc, eth, strict=True))
    correlation = dot / (sum(x * x for x in btc) * sum(y * y for y in eth)) ** 0.5
    assert 0.5 < correlation < 0.999
    # calm and violent stretches differ
    sizes = sorted(abs(move) for move in btc)
    assert sizes[-5] > 4 * sizes[len(sizes) // 4]


def test_a_long_session_neither_vanishes_nor_explodes():
    """Someone will leave the demo running over the weekend."""
    low, high = 10**9, 0
    for quote in quotes_only(400_000, seed=9, instruments=DEFAULT_INSTRUMENTS[:1]):
        low, high = min(low, quote.bid_ticks), max(high, quote.ask_ticks)
    start = DEFAULT_INSTRUMENTS[0].start_ticks
    assert start * 0.8 < low < high < start * 1.2


def test_every_published_frame_has_a_text(minute):
    published = [frame for frame in minute[:3_000] if frame.stream]
    assert all(frame_json(frame, offset_ns=10**9).startswith(b'{"e":"') for frame in published)
    assert {"btcusdt@bookTicker", "btcusdt@trade", "btcusdt@depth@100ms"} < {one.stream for one in published}


def test_the_fast_quotes_grow_their_numbers_and_times():
    quotes = list(quotes_only(10_000, seed=1))
    assert 10_000 == len(quotes)
    assert [1, 1, 2, 2] == [quote.seq for quote in quotes[:4]]
    assert all(0 < one.bid_ticks < one.ask_ticks and one.bid_lots > 0 and one.ask_lots > 0 for one in quotes)
    assert {5_000_000} == {b.mono_ns - a.mono_ns for a, b in pairwise(quotes)}
    assert {"BTCUSDT", "ETHUSDT"} == {quote.instrument for quote in quotes}


def test_a_market_without_instruments_is_refused():
    with pytest.raises(SourceUnusable):
        Generated(seed=1, instruments=())
    with pytest.raises(SourceUnusable):
        next(quotes_only(1, seed=1, instruments=DEFAULT_INSTRUMENTS * 3))
