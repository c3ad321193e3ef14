"""Market sockets are replaced in time: no gap, no frame twice, and never by a successor that is mute."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.venues.binance.feed import FeedConfig
from holdfast.venues.binance.rotation import Handover, RotatingFeed, RotationTimes, TappedFeed, place_of
from holdfast.venues.transport.sockets import one_by_one
from holdfast.vocab.events import StreamChanged
from tests.venues.fake_binance import eventually
from tests.venues.house import QUICK, SPECS
from tests.venues.test_feeds import Publisher, a_quote

SOON = RotationTimes(rotate_s=0.2, overlap_s=0.3, patience_s=2.0, retry_s=0.2)


def a_frame(kind, number):
    ids = {"trade": {"t": number}, "markPriceUpdate": {"E": number}}.get(kind, {"u": number})
    return json.dumps({"e": kind, "s": "BTCUSDT", **ids}).encode()


KINDS = ("bookTicker", "trade", "depthUpdate", "markPriceUpdate")
SCRIPT = st.lists(st.sampled_from(KINDS), min_size=4, max_size=60)


@given(SCRIPT, st.data())
def test_whoever_lags_and_whenever_it_changes_hands_each_frame_goes_out_once_and_in_order(script, data):
    """Two sockets tell the same story, each at its own pace, from when it was connected on."""
    counts = dict.fromkeys(KINDS, 0)
    story = []
    for kind in script:
        counts[kind] += data.draw(st.integers(1, 3))
        story.append(a_frame(kind, counts[kind]))
    joins = data.draw(st.integers(0, len(story)))  # the successor hears from here on
    out = []
    handover = Handover(lambda raw, wall_ns, mono_ns: out.append((raw, wall_ns)))
    first, second, clock, sole = 0, joins, 0, False
    steps = data.draw(st.lists(st.sampled_from("12"), max_size=150))
    switch_at = data.draw(st.integers(0, len(steps)))
    for at, who in enumerate([*steps, *"12" * len(story)]):
        clock += 1
        # hands are changed once both are beyond the place at which the successor joined
        if not sole and at >= switch_at and first >= joins:
            handover.take_over(clock, clock)
            sole = True
        if who == "1" and not sole and first < len(story):
            handover.from_first(story[first], clock, clock)
            first += 1
        elif who == "2" and second < len(story):
            (handover.from_sole if sole else handover.from_successor)(story[second], clock, clock)
            second += 1
    if not sole:
        handover.take_over(clock, clock)

    def by_stream(frames):
        streams = {}
        for raw in frames:
            streams.setdefault(place_of(raw)[0], []).append(raw)
        return streams

    assert by_stream(story) == by_stream(raw for raw, _ in out)
    assert sorted(stamp for _, stamp in out) == [stamp for _, stamp in out]


def test_what_belongs_to_no_stream_of_the_successor_does_not_go_out():
    out = []
    handover = Handover(lambda raw, wall_ns, mono_ns: out.append(raw))
    handover.from_first(b"garbage", 1, 1)
    handover.from_successor(b'{"result":null,"id":1}', 2, 2)
    handover.take_over(3, 3)
    assert [b"garbage"] == out


def test_what_waits_is_bounded():
    handover = Handover(lambda raw, wall_ns, mono_ns: None)
    for number in range(5_000):
        handover.from_first(a_frame("trade", number), number, number)
        handover.from_successor(a_frame("trade", number), number, number)
    assert len(handover._held) <= 1_001
    for number in range(5_000, 106_000):
        handover.from_successor(a_frame("trade", number), number, number)
    assert handover.overflown


# --- real sockets ---------------------------------------------------------------------------------------------


class Watched:
    """A rotating feed against a publisher, and what came of it."""

    def __init__(self, publisher, times=SOON):
        config = FeedConfig(
            ws_url=publisher.url, legacy_streams=True, marks=False, trades=False, backoff=QUICK, silence_s=0.0
        )
        self.feed = RotatingFeed(lambda: TappedFeed(config, SPECS), times=times)
        self.numbers = []
        self.events = []

    async def __aenter__(self):
        await self.feed.open(one_by_one(self._frame), self.events.append)
        return self

    async def __aexit__(self, *_):
        await self.feed.close()

    def _frame(self, raw, wall_ns, mono_ns):
        placed = place_of(raw)
        if placed is not None:
            self.numbers.append(placed[1])

    @property
    def downs(self):
        return [event.why for event in self.events if isinstance(event, StreamChanged) and not event.up]


async def publish(publisher, *, until, number=0):
    """A quote each few milliseconds to every client; the number of the last one."""
    while not until():
        number += 1
        publisher.say(a_quote(number))
        await asyncio.sleep(0.003)
    return number


def story(coroutine):
    asyncio.run(asyncio.wait_for(coroutine, 30))


def test_three_rotations_lose_nothing_and_say_nothing_twice():
    async def told():
        async with Publisher.running() as publisher, Watched(publisher) as watched:
            await eventually(lambda: publisher.clients)
            sent = await publish(publisher, until=lambda: watched.feed.rotations_count >= 3)
            await eventually(lambda: watched.numbers and watched.numbers[-1] == sent)
            assert list(range(watched.numbers[0], sent + 1)) == watched.numbers
            assert [] == watched.downs
            assert 1 == sum(event.up for event in watched.events)
            assert len(publisher.asked) >= 4
            await eventually(lambda: len(publisher.clients) == 1)

    story(told())


def test_a_mute_successor_never_takes_over():
    """A retired address connects, acknowledges, and says nothing."""

    async def told():
        async with Publisher.running() as publisher, Watched(publisher) as watched:
            await eventually(lambda: publisher.clients)
            speaking = publisher.clients[:]
            say = publisher.say

            def say_to_the_first_alone(*messages):
                everyone, publisher.clients = (
                    publisher.clients,
                    [one for one in publisher.clients if one in speaking],
                )
                say(*messages)
                publisher.clients = everyone

            publisher.say = say_to_the_first_alone
            sent = await publish(publisher, until=lambda: watched.feed.refused_count >= 2)
            await eventually(lambda: watched.numbers and watched.numbers[-1] == sent)
            assert 0 == watched.feed.rotations_count
            assert list(range(watched.numbers[0], sent + 1)) == watched.numbers
            assert [] == watched.downs

    story(told())


def test_a_connection_that_breaks_during_the_overlap_is_taken_over_from_at_once():
    async def told():
        times = RotationTimes(rotate_s=0.2, overlap_s=20.0, patience_s=2.0, retry_s=1.0)
        async with Publisher.running() as publisher, Watched(publisher, times) as watched:
            await eventually(lambda: publisher.clients)
            first = publisher.clients[0]
            running = asyncio.create_task(publish(publisher, until=lambda: watched.feed.rotations_count >= 1))
            await eventually(lambda: len(publisher.clients) == 2)
            await asyncio.sleep(0.1)
            first.underlying_transport.abort()
            sent = await running
            await eventually(lambda: watched.numbers[-1] == sent)
            assert list(range(watched.numbers[0], sent + 1)) == watched.numbers
            assert [] == watched.downs

    story(told())


def test_a_successor_that_does_not_connect_is_given_up_and_tried_again():
    async def told():
        async with Publisher.running() as publisher, Watched(publisher) as watched:
            await eventually(lambda: publisher.clients)
            make, wrong = (
                watched.feed._make,
                FeedConfig(ws_url="ws://127.0.0.1:1", legacy_streams=True, backoff=QUICK),
            )
            watched.feed._times = RotationTimes(rotate_s=0.1, overlap_s=0.1, patience_s=0.2, retry_s=0.1)
            watched.feed._make = lambda: TappedFeed(wrong, SPECS)
            await publish(publisher, until=lambda: watched.feed.refused_count >= 1)
            watched.feed._make = make
            sent = await publish(
                publisher, until=lambda: watched.feed.rotations_count >= 1, number=watched.numbers[-1]
            )
            await eventually(lambda: watched.numbers[-1] == sent)
            assert [] == watched.downs

    story(told())


@pytest.mark.parametrize("raw", [b"", b"x", b"[]", b'{"e":"trade"}', b'{"id":1}'])
def test_a_frame_of_no_stream_has_no_place(raw):
    assert None is place_of(raw)
