"""A stream that was accepted and is mute: found by its own clock, said, asked for again."""

from itertools import pairwise

from holdfast.runtime.silence import AGAIN_NS_MAX, PRINTS_NS, StreamWatch
from holdfast.vocab.events import StreamKind
from holdfast.vocab.units import NS_PER_S

DEAD_NS = 5 * NS_PER_S
BTC = (0, "BTCUSDT", StreamKind.QUOTE)
ETH = (0, "ETHUSDT", StreamKind.QUOTE)
PRINTS = (0, "", StreamKind.TRADE)
MARKS = tuple((0, name, StreamKind.MARK) for name in ("BTCUSDT", "ETHUSDT"))


class Ear:
    def __init__(self):
        self.said = []
        self.renewed = []
        self.s = 0
        self.watch = StreamWatch(
            dead_ns=DEAD_NS,
            say=lambda key, silent, ns: self.said.append((key, silent)),
            renew=lambda key, harder: self.renewed.append((self.s, key, harder)),
        )

    def listens(self, seconds, speaking, mute, *, connected=frozenset({0})):
        for _ in range(seconds):
            self.s += 1
            counts = [(key, self.s) for key in speaking] + [(key, 0) for key in mute]
            self.watch.look(counts, self.s * NS_PER_S, connected=connected)


def test_one_silent_symbol_is_asked_for_again_then_its_connection_is_made_anew_once():
    """Its neighbours speak over the same connection: they must not be cut off again and again for its sake."""
    ear = Ear()
    ear.listens(6, [ETH], [BTC])
    assert ([], []) == (ear.said, ear.renewed)
    ear.listens(300, [ETH], [BTC])
    assert [(BTC, True)] == ear.said
    assert [(7, BTC, False), (12, BTC, True)] == ear.renewed


def test_it_is_said_when_it_speaks_again_and_found_anew():
    ear = Ear()
    ear.listens(10, [ETH], [BTC])
    ear.listens(3, [ETH, BTC], [])
    assert [(BTC, True), (BTC, False)] == ear.said
    ear.listens(20, [ETH], [BTC])
    assert [(BTC, True), (BTC, False), (BTC, True)] == ear.said


def test_a_whole_kind_that_is_mute_is_tried_again_and_again_ever_more_rarely():
    """The retired address: it connects, takes the subscription, and of some kinds says nothing for ever."""
    ear = Ear()
    ear.listens(4_000, [BTC, ETH], MARKS)
    times = [s for s, key, _ in ear.renewed if key == MARKS[0]]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert sorted(gaps) == gaps
    assert gaps[-1] * NS_PER_S == AGAIN_NS_MAX
    assert all(harder for _, key, harder in ear.renewed[2:])
    assert set(MARKS) == {key for key, _ in ear.said}


def test_prints_may_be_rare_and_a_lost_connection_is_no_silence():
    ear = Ear()
    ear.listens(PRINTS_NS // NS_PER_S, [BTC], [PRINTS])
    assert [] == ear.said
    ear.listens(100, [], [BTC, PRINTS], connected=frozenset())
    assert [] == ear.said
    ear.listens(5, [], [BTC])
    assert [] == ear.said  # a new connection is given its time
