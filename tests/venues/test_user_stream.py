"""The user stream's life: it comes back, it is replaced in time, and it is not believed when it is mute."""

import asyncio

from holdfast.venues.binance.stream import StreamTimes
from holdfast.vocab.events import OrderReported, StreamChanged, TradeReported
from holdfast.vocab.orders import Lane
from tests.venues.fake_binance import eventually, fake_binance, reply
from tests.venues.house import loaded, place, yes
from tests.venues.test_binance_user import update

QUICK = StreamTimes(
    keep_alive_s=0.05, keep_alive_retry_s=0.02, rotate_s=60.0, overlap_s=0.05, mute_ms=0, check_s=0.01
)


def ups_and_downs(events) -> list[bool]:
    return [event.up for event in events if isinstance(event, StreamChanged)]


def fills(events) -> list[str]:
    return [event.trade.trade_id for event in events if isinstance(event, TradeReported)]


def test_events_follow_the_news_that_the_stream_is_up():
    async def story():
        events = []
        async with fake_binance() as fake, loaded(fake) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets and events)
            assert ["/private/ws?listenKey=listen-key-1"] == fake.user_paths
            await fake.tell(update(t=1))
            await eventually(lambda: fills(events))
            assert [True] == ups_and_downs(events)
            assert ["1"] == fills(events)

    asyncio.run(story())


def test_the_legacy_address_is_used_when_configured():
    async def story():
        async with fake_binance() as fake, loaded(fake, legacy_streams=True) as venue:
            await venue.open(lambda event: None)
            await eventually(lambda: fake.user_paths)
            assert ["/ws/listen-key-1"] == fake.user_paths

    asyncio.run(story())


def test_a_lost_connection_is_told_and_opened_again():
    async def story():
        events = []
        async with fake_binance() as fake, loaded(fake, times=QUICK) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets)
            for round_ in range(3):
                await fake.user_sockets[-1].close()
                await eventually(lambda round_=round_: len(fake.user_sockets) == round_ + 2)
            await eventually(lambda: len(ups_and_downs(events)) == 7)
            assert [True, False] * 3 + [True] == ups_and_downs(events)

    asyncio.run(story())


def test_without_a_listen_key_it_keeps_asking():
    async def story():
        events = []
        async with fake_binance() as fake, loaded(fake, times=QUICK) as venue:
            fake.answers["POST /fapi/v1/listenKey"] = lambda *_: reply(
                {"code": -1007, "msg": "Timeout"}, status=503
            )
            await venue.open(events.append)
            await eventually(lambda: len(fake.asked_of("/fapi/v1/listenKey")) >= 3)
            assert [] == events
            del fake.answers["POST /fapi/v1/listenKey"]
            await eventually(lambda: events)
            assert [True] == ups_and_downs(events)

    asyncio.run(story())


def test_the_listen_key_is_kept_alive():
    async def story():
        async with fake_binance() as fake, loaded(fake, times=QUICK) as venue:
            await venue.open(lambda event: None)
            await eventually(lambda: [asked for asked in fake.asked if asked[0] == "PUT"])
            fake.answers["PUT /fapi/v1/listenKey"] = lambda *_: reply("", status=503)
            before = len(fake.asked)
            await eventually(lambda: len([a for a in fake.asked[before:] if a[0] == "PUT"]) >= 2)
            assert 1 == len(fake.user_sockets)  # no word is no reason to hang up

    asyncio.run(story())


def test_a_listen_key_that_is_gone_is_replaced():
    async def story():
        events = []
        async with fake_binance() as fake, loaded(fake, times=QUICK) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets)
            gone = reply({"code": -1125, "msg": "This listenKey does not exist."}, status=400)
            fake.answers["PUT /fapi/v1/listenKey"] = lambda *_: gone
            await eventually(lambda: ups_and_downs(events)[:3] == [True, False, True])
            assert len(fake.asked_of("/fapi/v1/listenKey")) >= 3

    asyncio.run(story())


def test_an_expired_listen_key_is_replaced_at_once():
    """ccxt ignores the message: the stream then looks healthy and says nothing."""

    async def story():
        events = []
        async with fake_binance() as fake, loaded(fake) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets)
            await fake.tell({"e": "listenKeyExpired", "E": 1, "listenKey": "listen-key-1"})
            await eventually(lambda: ups_and_downs(events) == [True, False, True])
            assert 2 == len(fake.user_sockets)
            assert "expired" in events[1].why

    asyncio.run(story())


def test_the_planned_rotation_loses_nothing_and_repeats_nothing():
    """The venue ends a socket after 24 h: the new one speaks before the old one is let go."""

    async def story():
        events = []
        times = StreamTimes(rotate_s=0.1, overlap_s=0.1, mute_ms=0, check_s=0.01)
        async with fake_binance() as fake, loaded(fake, times=times) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets)
            sent = 0
            while len(fake.user_sockets) < 4:
                sent += 1
                await fake.tell(update(t=sent))
                await asyncio.sleep(0.002)
            await eventually(lambda: len(fills(events)) == sent)
            assert [str(number) for number in range(1, sent + 1)] == fills(events)
            assert [True] == ups_and_downs(events)
            assert venue._stream.duplicates > 0
            assert any(socket.closed for socket in fake.user_sockets)

    asyncio.run(story())


def test_a_message_that_the_venue_repeats_is_one_event():
    async def story():
        events = []
        async with fake_binance() as fake, loaded(fake) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets)
            for _ in range(3):
                await fake.tell(update(x="NEW", X="NEW", l="0", t=0))
            await fake.tell(update(t=2))
            await eventually(lambda: fills(events))
            assert 1 == len([event for event in events if isinstance(event, OrderReported)])

    asyncio.run(story())


def test_a_stream_that_says_nothing_of_an_accepted_order_is_not_believed():
    """Since 2026 a retired address still connects and pushes nothing: a user stream that looks healthy."""

    async def story():
        events = []
        times = StreamTimes(mute_ms=80, check_s=0.02)
        async with fake_binance() as fake, loaded(fake, times=times) as venue:
            await venue.open(events.append)
            await eventually(lambda: fake.user_sockets)
            await asyncio.sleep(0.2)
            assert [True] == ups_and_downs(events)  # quiet is fine as long as nothing happened
            await venue.call(place(1), Lane.RISK, yes)
            await fake.tell(update(t=1))
            await asyncio.sleep(0.2)
            assert [True] == ups_and_downs(events)
            await venue.call(place(2), Lane.RISK, yes)
            await eventually(lambda: ups_and_downs(events) == [True, False, True])
            changes = [event for event in events if isinstance(event, StreamChanged)]
            assert "mute" in changes[1].why

    asyncio.run(story())


def test_closing_ends_everything():
    async def story():
        async with fake_binance() as fake, loaded(fake, times=QUICK) as venue:
            await venue.open(lambda event: None)
            await eventually(lambda: fake.user_sockets)
            await venue.close()
            asked = len(fake.asked)
            await eventually(lambda: all(socket.closed for socket in fake.user_sockets))
            await asyncio.sleep(0.2)
            assert asked == len(fake.asked)
            others = [task for task in asyncio.all_tasks() if "stream" in repr(task.get_coro())]
            assert [] == others

    asyncio.run(story())
