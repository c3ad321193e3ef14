"""Several feeds as one: whatever fails, nothing comes twice and nothing is missing that any of them brought."""

import random

import msgspec
import pytest

from holdfast.runtime.merging import HELD_MAX, SAID_AGAIN_NS, Member, Merge, MergeTimes
from holdfast.venues.anyccxt.feed import decode_read
from holdfast.vocab.events import Event, ReferencePriced, StreamKind
from holdfast.vocab.market import Depth, Malformed, Quote, Trade
from holdfast.vocab.units import NS_PER_MS
from tests.house.events import a_quote
from tests.house.room import a_running_core
from tests.house.setup import BTC_TICKS

BTC, ETH = "BTCUSDT", "ETHUSDT"
TIMES = MergeTimes(dead_ns=5_000 * NS_PER_MS, too_old_ns=1_000 * NS_PER_MS, back_ns=10_000 * NS_PER_MS)
encode = msgspec.msgpack.Encoder().encode


def quote(seq, *, at_ms=0, instrument=BTC):
    return Quote(instrument, seq, 100, 1, 101, 1, at_ms * NS_PER_MS, 0, 0)


def trade(seq, *, at_ms=0):
    return Trade(BTC, seq, 100, 1, 1, True, at_ms * NS_PER_MS, 0, 0)


def changes(after, to):
    return Depth(BTC, after + 1, to, after, ((100, 1),), (), False, 0, 0, 0)


class Bench:
    """A merge and what came out of it. Feeds: a and b of one numbering, then another venue's."""

    def __init__(self, *numberings, references=()):
        self.out = []  # (feed, event)
        self.choices = []
        self.ms = 0
        members = [
            Member(name=name, numbering=numbering, decode=decode_read, reference=name in references)
            for name, numbering in zip("abcd", numberings or ("x", "x"), strict=False)
        ]
        self.merge = Merge(
            members, (BTC, ETH), times=TIMES, hand=self._hand, choose=self._choose, offset_ns=lambda: 0
        )

    def _hand(self, feed, raws, events, wall_ns, mono_ns):
        assert len(raws) == len(events)
        assert all(event.mono_ns == mono_ns for event in events)
        self.out += [(feed, event) for event in events]

    def _choose(self, choice, wall_ns, mono_ns):
        self.choices.append(choice)

    def says(self, feed, *events):
        now = self.ms * NS_PER_MS
        self.merge.take(feed, [encode(event) for event in events], now, now)

    def passes(self, ms):
        for _ in range(0, ms, 100):
            self.ms += min(100, ms)
            self.merge.look(self.ms * NS_PER_MS, self.ms * NS_PER_MS)

    def prices(self):
        now = self.ms * NS_PER_MS
        return list(self.merge.prices(now, now))

    def loses(self, feed):
        self.merge.went_down(feed, self.ms * NS_PER_MS, self.ms * NS_PER_MS)

    def seqs(self, kind=Quote):
        return [event.seq for _, event in self.out if type(event) is kind]

    def feeds(self):
        return [choice.feed for choice in self.choices if choice.kind is StreamKind.QUOTE]


def test_while_all_is_well_the_first_speaks_and_the_other_is_only_counted():
    bench = Bench()
    for seq in range(1, 5):
        bench.says(0, quote(seq))
        bench.says(1, quote(seq))
    assert [(0, 1), (0, 2), (0, 3), (0, 4)] == [(feed, event.seq) for feed, event in bench.out]
    assert [0, 4] == bench.merge.repeated_count


def test_a_lost_connection_costs_nothing_of_what_the_other_has():
    """The backup is ahead at the moment of the loss: what it has is said at once, in order, once."""
    bench = Bench()
    bench.says(0, quote(1), quote(2))
    bench.says(1, quote(1), quote(2), quote(3), quote(4))
    bench.loses(0)
    assert [1, 2, 3, 4] == bench.seqs()
    bench.says(1, quote(5))
    assert ([1, 2, 3, 4, 5], [1]) == (bench.seqs(), bench.feeds())


def test_a_backup_that_lags_takes_over_and_repeats_nothing():
    bench = Bench()
    bench.says(0, quote(1), quote(2), quote(3))
    bench.says(1, quote(1))
    bench.loses(0)
    bench.says(1, quote(1), quote(2), quote(3))
    assert [1, 2, 3] == bench.seqs()
    bench.says(0, quote(5))  # it is back already, and missed the fourth
    bench.says(1, quote(4), quote(5))
    assert ([1, 2, 3, 4, 5], [1]) == (bench.seqs(), bench.feeds())


def test_prints_that_the_first_left_out_are_waited_for_where_a_slower_one_may_bring_them():
    """Its connection stands and its silence was short: once the next print has gone out, nobody takes the others."""
    bench = Bench()
    for feed in (0, 1):
        bench.says(feed, quote(1), trade(1))
    bench.says(0, trade(2), trade(5), trade(6))
    assert [1, 2] == bench.seqs(Trade)
    bench.passes(200)
    bench.says(1, trade(2), trade(3), trade(4))
    bench.says(0, trade(7))
    bench.says(1, trade(5), trade(6), trade(7))
    assert [1, 2, 3, 4, 5, 6, 7] == bench.seqs(Trade)
    (choice,) = bench.choices
    assert (StreamKind.TRADE, 1, "a left something out", 0) == (
        choice.kind,
        choice.feed,
        choice.why,
        choice.missing_count,
    )
    for ms in range(0, 12_000, 100):  # both speak on, and the first is preferred again
        bench.passes(100)
        for feed in (0, 1):
            bench.says(feed, quote(2 + ms, at_ms=ms), trade(8 + ms // 100, at_ms=ms))
    assert [1, 0] == [choice.feed for choice in bench.choices if choice.kind is StreamKind.TRADE]
    assert list(range(1, 128)) == bench.seqs(Trade)


def test_what_no_feed_brings_is_waited_for_no_longer_than_a_feed_may_be_behind():
    bench = Bench()
    for feed in (0, 1):
        bench.says(feed, quote(1), trade(1))
    bench.says(0, trade(4))
    bench.passes(900)
    bench.says(1, quote(2))
    assert [1] == bench.seqs(Trade)
    bench.passes(200)
    assert [1, 4] == bench.seqs(Trade)
    assert [0, 2] == [choice.missing_count for choice in bench.choices]


def test_nobody_waits_for_a_feed_that_does_not_speak():
    bench = Bench()
    for feed in (0, 1):
        bench.says(feed, quote(1), trade(1))
    bench.passes(2_000)
    bench.says(0, quote(2), trade(4))
    assert [1, 4] == bench.seqs(Trade)


def test_changes_of_a_book_that_the_first_left_out_are_waited_for_too():
    """Else the book is lost, and with it what depends on it until another snapshot came."""
    bench = Bench()
    for feed in (0, 1):
        bench.says(feed, quote(1), changes(5, 9), changes(9, 12))
    bench.says(0, changes(20, 30))
    bench.says(1, changes(12, 20), changes(20, 30))
    assert [9, 12, 20, 30] == bench.seqs(Depth)


def test_quotes_leave_numbers_out_and_nobody_waits():
    bench = Bench()
    for feed in (0, 1):
        bench.says(feed, quote(1))
    bench.says(0, quote(7))
    assert ([1, 7], []) == (bench.seqs(), bench.choices)


def test_one_mute_stream_goes_over_and_the_others_stay():
    """A symbol that a venue forgot: its connection stands, its neighbours speak."""
    bench = Bench()
    for step in range(30):
        bench.says(0, quote(step + 1, instrument=ETH))
        bench.says(1, quote(step + 1), quote(step + 1, instrument=ETH))
        bench.passes(100)
    assert [(BTC, 1)] == [(choice.instrument, choice.feed) for choice in bench.choices]
    assert list(range(1, 31)) == [event.seq for _, event in bench.out if event.instrument == BTC]
    assert bench.merge.feed_of(ETH) == "a"


def test_what_the_chosen_one_leaves_out_the_other_fills_in():
    """A stall too short to count as one, after which the venue goes on where it is."""
    bench = Bench()
    bench.says(0, trade(1))
    bench.says(1, trade(1), trade(2), trade(3))
    bench.says(0, trade(4))
    assert ([1, 2, 3, 4], [], 2) == (bench.seqs(Trade), bench.feeds(), bench.merge.filled_count)


def test_what_was_said_before_the_chosen_one_came_is_not_missing():
    """The backup connects first and lags: what it says of before the first feed's first word would leave a hole."""
    bench = Bench()
    bench.says(1, trade(1), trade(2))
    bench.says(0, trade(5))
    bench.says(1, trade(3), trade(4), trade(5))
    bench.says(0, trade(6))
    assert ([5, 6], 0) == (bench.seqs(Trade), bench.merge.filled_count)


def test_the_better_one_is_preferred_again_only_after_a_while():
    bench = Bench()
    bench.says(0, quote(1))
    bench.says(1, quote(1), quote(2))
    bench.loses(0)
    seq = 2
    while bench.feeds() != [1, 0]:
        seq += 1
        bench.says(1, quote(seq))
        bench.says(0, quote(seq))
        bench.passes(100)
        assert bench.ms <= 11_000
    assert bench.ms >= 10_000
    bench.says(1, quote(seq + 1))
    bench.says(0, quote(seq), quote(seq + 1))
    assert list(range(1, seq + 2)) == bench.seqs()


def test_another_venue_takes_over_when_all_of_ours_are_dead_and_its_numbers_begin_anew():
    bench = Bench("x", "y")
    bench.says(0, quote(1_000, at_ms=0))
    for step in range(60):
        bench.says(1, quote(step + 1, at_ms=bench.ms))
        bench.passes(100)
    assert [(1, True)] == [(choice.feed, choice.renumbered) for choice in bench.choices]
    assert bench.seqs()[0] == 1_000
    assert bench.seqs()[1] > 1
    times = [event.venue_ns for _, event in bench.out]
    assert sorted(set(times)) == times


def test_at_a_start_our_own_feed_is_given_its_time_to_connect():
    bench = Bench("x", "y")
    bench.says(1, quote(1, at_ms=1))
    bench.passes(4_000)
    assert [] == bench.feeds()
    bench.says(1, quote(2, at_ms=2))
    bench.passes(1_200)
    assert [1] == bench.feeds()


def test_what_another_venue_said_before_our_last_word_is_not_news():
    bench = Bench("x", "y")
    bench.says(0, quote(1_000, at_ms=1_000))
    bench.says(1, quote(1, at_ms=500))
    bench.passes(4_900)
    bench.says(0, quote(1_001, at_ms=5_000))
    bench.loses(0)
    bench.passes(1_100)
    bench.says(1, quote(2, at_ms=4_000))
    bench.passes(200)
    assert ([1], [1_000, 1_001]) == (bench.feeds(), bench.seqs())
    bench.says(1, quote(3, at_ms=4_500), quote(4, at_ms=6_000))
    assert [1_000, 1_001, 4] == bench.seqs()


def test_prints_that_neither_brought_are_counted():
    bench = Bench()
    bench.says(0, trade(1), trade(2))
    bench.loses(0)
    assert [] == bench.choices  # there is nobody yet
    bench.says(1, trade(6))
    (choice,) = bench.choices
    assert (3, [1, 2, 6]) == (choice.missing_count, bench.seqs(Trade))


def test_garbage_of_a_feed_that_is_not_used_is_not_held_against_the_instrument():
    bench = Bench()
    bench.says(0, quote(1))
    bench.says(1, Malformed(BTC, "price off the tick, or not above zero", 0, 0))
    assert [Quote] == [type(event) for _, event in bench.out]
    bench.says(0, Malformed(BTC, "price off the tick, or not above zero", 0, 0))
    assert [Quote, Malformed] == [type(event) for _, event in bench.out]


def test_what_waits_is_bounded():
    bench = Bench()
    bench.says(0, quote(1))
    bench.says(1, *(quote(seq) for seq in range(2, HELD_MAX + 12)))
    assert bench.merge.dropped_count == 10


class Line:
    """A feed of a made market: late by some ms, with times in which it is cut off or mute, and loses what was said."""

    def __init__(self, dice, feed, faults):
        self.late_ms = dice.randrange(1, 60)
        self.feed = feed
        self.faults = faults  # (from_ms, to_ms, cut)

    def hears(self, ms):
        return not any(start <= ms < end for start, end, _ in self.faults)


@pytest.mark.parametrize("seed", range(40))
def test_no_print_twice_and_none_missing_as_long_as_one_of_two_feeds_is_well(seed):
    dice = random.Random(seed)
    bench = Bench()
    faults = ([], [])
    at = 2_000
    for _ in range(4):
        length = dice.choice((50, 300, 900, 2_500, 7_000))
        # a connection loses what a venue says while it is away; one that stands loses only by a mute venue
        faults[dice.randrange(2)].append((at, at + length, length < 2_500 or dice.random() < 0.5))
        at += length + dice.randrange(12_000, 15_000)
    lines = [Line(dice, feed, faults[feed]) for feed in (0, 1)]
    due = []  # (when it arrives, feed, event)
    seq = 0
    for ms in range(0, at, 20):
        for _ in range(dice.randrange(3)):
            seq += 1
            due += [(ms + line.late_ms, line.feed, trade(seq, at_ms=ms)) for line in lines if line.hears(ms)]
    due.sort(key=lambda one: one[0])
    cuts = sorted((start, line.feed) for line in lines for start, _, cut in line.faults if cut)
    arrived = 0
    for ms in range(0, at + 2_000, 10):
        bench.ms = ms
        while cuts and cuts[0][0] <= ms:
            bench.loses(cuts.pop(0)[1])
        while arrived < len(due) and due[arrived][0] <= ms:
            if not any(start <= ms < end and cut for start, end, cut in faults[due[arrived][1]]):
                bench.says(due[arrived][1], due[arrived][2])
            arrived += 1
        if ms % 100 == 0:
            bench.merge.look(ms * NS_PER_MS, ms * NS_PER_MS)
    seqs = bench.seqs(Trade)
    assert sorted(set(seqs)) == seqs
    assert list(range(seqs[0], seq + 1)) == seqs
    assert bench.merge.dropped_count == 0


def test_a_feed_whose_stamps_are_an_hour_ahead_does_not_silence_the_next_one():
    bench = Bench("x", "y")
    hour_ms = 3_600_000
    for step in range(250):
        if step < 10 or step >= 100:
            bench.says(0, quote(1_000 + step, at_ms=bench.ms))
        bench.says(1, quote(1 + step, at_ms=bench.ms + hour_ms))
        bench.passes(100)
    assert [1, 0] == bench.feeds()
    after = [event for feed, event in bench.out if feed == 0]
    assert [1_249] == [event.seq for event in after[-1:]]
    assert list(range(1_201, 1_250)) == [event.seq for event in after if event.seq > 1_200]


def test_one_absurd_number_of_a_backup_mutes_nobody():
    """It leads to the backup, which is ahead by that number for ever; and back, behind which all would be old."""
    bench = Bench()
    for step in range(620):
        bench.says(0, quote(1 + step, at_ms=bench.ms))
        bench.says(1, quote(1 + step, at_ms=bench.ms))
        bench.passes(100)
        if step == 20:
            bench.says(1, quote(10**9, at_ms=bench.ms))
    assert [10**9] == [seq for seq in bench.seqs() if seq > 620]
    tail = [seq for seq in bench.seqs() if 100 < seq <= 620]
    assert list(range(101, 621)) == tail
    assert 1 <= bench.merge.anew_count <= 2


@pytest.mark.parametrize("lone", [True, False])
def test_a_feed_that_counts_anew_is_followed(lone):
    bench = Bench(*(("x",) if lone else ("x", "y")))
    for step in range(60):
        number = 1_000 + step if step < 30 else step - 29
        bench.says(0, quote(number, at_ms=bench.ms))
        bench.passes(100)
    bench.says(0, quote(31, at_ms=bench.ms))
    assert ([0], 1) == (bench.feeds(), bench.merge.anew_count)
    assert bench.choices[0].renumbered
    assert (0, 31) == (bench.out[-1][0], bench.out[-1][1].seq)


def test_a_backup_that_lags_and_has_no_stamps_of_the_venue_repeats_nothing():
    """Its stamps are when we heard it: later, whatever it repeats."""
    bench = Bench()
    for step in range(20):
        bench.says(0, quote(1 + step, at_ms=bench.ms))
        if step >= 8:
            bench.says(1, quote(step - 7, at_ms=bench.ms))
        bench.passes(100)
    bench.loses(0)
    for step in range(20):
        bench.says(1, quote(13 + step, at_ms=bench.ms))
        bench.passes(100)
    assert list(range(1, 33)) == bench.seqs()
    assert 0 == bench.merge.anew_count


# --- another venue's prices -----------------------------------------------------------------------------------------


def test_another_venues_price_is_told_where_it_is_news_and_not_again():
    bench = Bench("x", "y", references="b")
    bench.says(1, quote(1), quote(1, instrument=ETH))
    assert [(1, ((BTC, 201), (ETH, 201)))] == bench.prices()
    assert [] == bench.prices()
    bench.ms += 100
    bench.says(1, quote(2))
    assert [] == bench.prices()
    bench.ms += SAID_AGAIN_NS // NS_PER_MS
    bench.says(1, quote(3))
    assert [(1, ((BTC, 201),))] == bench.prices()
    bench.ms += 100
    bench.says(1, Quote(BTC, 4, 101, 1, 102, 1, 0, 0, 0))
    assert [(1, ((BTC, 203),))] == bench.prices()


def test_neither_a_crossed_price_nor_a_backup_of_our_own_venue_is_a_reference():
    bench = Bench("x", "y", "z", references="b")
    bench.says(1, Quote(BTC, 1, 102, 1, 101, 1, 0, 0, 0))
    bench.says(2, quote(1))
    assert [] == bench.prices()


def test_an_outlier_of_our_feed_is_refused_because_another_venue_disagrees_and_so_it_is_in_a_replay():
    """−35 % of one source, often enough that a jump would be believed: what goes on is all that a replay has."""
    bench = Bench("x", "y", references="b")
    room = a_running_core()
    room.quoting = False
    told = []

    def goes_on(mid):
        last = room.state.live.markets[BTC].quote.seq
        one = a_quote(seq=last + 1 + len(told), mid=mid, mono_ns=room.mono_ns, wall_ns=room.wall_ns)
        bench.out.clear()
        bench.says(0, one)
        told.extend(event for _, event in bench.out)
        room.tell(told[-1])

    bench.says(1, a_quote(seq=1, mid=BTC_TICKS))
    for feed, rows in bench.prices():
        told.append(ReferencePriced(wall_ns=0, mono_ns=0, feed="abcd"[feed], rows=rows))
        room.tell(told[-1])
    before = len(room.delivered)
    for _ in range(10):
        goes_on(BTC_TICKS * 65 // 100)
    assert (before, {"cross_source": 10}) == (len(room.delivered), room.state.live.markets[BTC].refused)
    goes_on(BTC_TICKS)
    assert before + 1 == len(room.delivered)

    again = a_running_core()
    again.quoting = False
    for event in told:
        journaled = isinstance(event, ReferencePriced)
        again.tell(msgspec.msgpack.decode(encode(event), type=Event) if journaled else event)
    assert room.state.live.markets[BTC] == again.state.live.markets[BTC]
