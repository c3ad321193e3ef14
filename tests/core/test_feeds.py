"""What the core makes of feeds: all connections lost, another's data, silence, pressure."""

import pytest

from holdfast.vocab.events import FeedChosen, PressureChanged, Stream, StreamChanged, StreamKind, StreamSilent
from holdfast.vocab.holds import HoldLevel
from tests.house.room import a_running_core
from tests.house.setup import BTC, ETH

L = HoldLevel


def connection(name, *, up):
    return StreamChanged(wall_ns=0, mono_ns=0, stream=Stream.MARKET, name=name, up=up, why="cut")


def chosen(*, feed="second", renumbered=False, reference=False, kind=StreamKind.QUOTE, missing_count=0):
    return FeedChosen(
        wall_ns=0,
        mono_ns=0,
        instrument=BTC,
        kind=kind,
        feed=feed,
        renumbered=renumbered,
        reference=reference,
        why="binance is behind it",
        missing_count=missing_count,
    )


def test_with_the_last_connection_lost_trading_halts_at_once_and_comes_back_by_itself():
    """Not when the last quote is five seconds old: nothing can come any more."""
    room = a_running_core()
    for name in ("binance", "second"):
        room.tell(connection(name, up=True))
    room.tell(connection("binance", up=False))
    assert [] == room.causes()
    room.tell(connection("second", up=False))
    assert (["feeds_lost"], L.HALTED) == (room.causes(), room.level())
    room.run(s=10)
    assert [
        "feeds_lost"
    ] == room.causes()  # quotes of before are still fresh here: the connection is what counts
    room.tell(connection("second", up=True))
    room.run(s=4)
    assert [] == room.causes()


def test_another_venues_prices_value_and_get_one_out_and_nothing_new_is_begun_on_them():
    room = a_running_core()
    room.tell(chosen(renumbered=True, reference=True))
    room.run(s=1)
    assert (["stale_data"], L.REDUCE_ONLY, L.NONE) == (
        room.causes(),
        room.level(),
        room.level(instrument=ETH),
    )
    room.tell(chosen(feed="binance", renumbered=True))
    room.run(s=4)
    assert [] == room.causes()


@pytest.mark.parametrize("renumbered", [True, False])
def test_numbers_begin_anew_only_where_the_feed_counts_by_itself(renumbered):
    """Where both count alike, a quote that came by the first is a repetition by the second."""
    room = a_running_core()
    room.tell(chosen(renumbered=renumbered))
    assert renumbered == (room.state.live.markets[BTC].quote.seq == -1)


def test_a_feeds_streams_that_fail_together_are_one_alert():
    room = a_running_core()
    for kind in StreamKind:
        room.tell(chosen(kind=kind))
    assert 1 == sum(alert.kind == "feed.chosen" for alert in room.alerts)
    room.run(s=2)
    room.tell(chosen(feed="binance"))
    assert 2 == sum(alert.kind == "feed.chosen" for alert in room.alerts)
    room.tell(chosen(kind=StreamKind.TRADE, missing_count=3))
    assert 1 == sum(alert.kind == "feed.missing" for alert in room.alerts)


def test_silence_and_pressure_are_said_and_kept_while_they_last():
    room = a_running_core()
    quiet = {"wall_ns": 0, "mono_ns": 0, "feed": "binance", "instrument": "", "kind": StreamKind.MARK}
    room.tell(StreamSilent(**quiet, silent=True, silent_ms=10_000))
    room.tell(PressureChanged(wall_ns=0, mono_ns=0, degraded=True, conflated_count=3))
    session = room.state.live
    assert ({"binance all mark": 10_000}, True) == (session.silent, session.degraded)
    room.tell(StreamSilent(**quiet, silent=False, silent_ms=12_000))
    room.tell(PressureChanged(wall_ns=0, mono_ns=0, degraded=False, conflated_count=9))
    assert ({}, False, 9) == (session.silent, session.degraded, session.conflated_count)
    assert ["stream.silent", "feed.pressure"] * 2 == [
        alert.kind for alert in room.alerts if alert.kind in {"stream.silent", "feed.pressure"}
    ]
