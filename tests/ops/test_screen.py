"""The live view: everything that a person must see is on it, whatever the numbers and the texts are."""

import io
import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from holdfast.ops.errors import NotRunning
from holdfast.ops.screen import render, watch
from holdfast.ops.show import show
from holdfast.runtime.views import VIEW_TYPES, BreakRow, FeedRow, LatchRow, StatusView
from tests.house.operating import A_HOLD, AN_INSTRUMENT, a_status, an_answering_bot, plain_views


def drawn(status: StatusView, width=140):
    paper = io.StringIO()
    Console(file=paper, width=width, color_system=None).print(render(msgspec.to_builtins(status)))
    return paper.getvalue()


def test_a_trading_bot_is_seen_to_trade():
    picture = drawn(a_status())
    for part in (
        "TRADING",
        "99,987.50 USDT",
        "0.01%",
        "BTCUSDT",
        "0.012",
        "60000.1",
        "12 of 80",
        "3,400",
        "quoter",
    ):
        assert part in picture, part


def test_every_hold_is_shown_with_its_reason_and_the_way_out():
    picture = drawn(a_status(level="halted", holds=[A_HOLD]))
    for part in ("HALTED", "looks odd", "ada", "holdfast resume 7"):
        assert part in picture, part


def test_what_must_worry_is_shown():
    latch = LatchRow(tripped=True, nonce=5, by="x", reason="y", lease_held=False, lease_left_ms=None)
    feeds = [FeedRow(name="binance", stream="market", up=False, age_ms=None)]
    breaks = [BreakRow(kind="position", key="BTCUSDT", ours="1", theirs="2")]
    waiting = msgspec.structs.replace(A_HOLD, cause="startup")
    picture = drawn(
        a_status(latch=latch, feeds=feeds, breaks=breaks, unknown_orders=3, armed=False, holds=[waiting])
    )
    for part in ("latch TRIPPED", "lease NOT held", "binance DOWN", "unknown 3", "breaks 1", "not armed"):
        assert part in picture, part


def test_unknown_is_a_dash_and_never_a_zero():
    row = msgspec.structs.replace(
        AN_INSTRUMENT, venue_position=None, venue_position_age_ms=None, quote_age_ms=None
    )
    picture = drawn(
        a_status(equity=None, peak=None, drawdown_ppm=None, instruments=[row], clock_offset_ms=None)
    )
    assert "equity – USDT" in picture
    assert "drawdown –" in picture


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_text_from_outside_can_draw(account, alert):
    """Brackets are words, not markup; escapes are written out."""
    picture = drawn(a_status(account=account or "x", last_alert=alert))
    assert "\x1b" not in picture
    assert "\u202e" not in picture


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_is_drawn_at_any_width(width):
    assert "BTC" in drawn(a_status(holds=[A_HOLD]), width=width)


def test_eighty_columns_cut_no_number_and_no_heading():
    """An operator's first terminal is 80 wide: a figure that ends in … is no figure."""
    row = msgspec.structs.replace(AN_INSTRUMENT, position="-0.123", venue_position="-0.120")
    quoter = msgspec.structs.replace(
        a_status().strategies[0],
        strategy="momentum",
        positions={"BTCUSDT": "-0.123", "ETHUSDT": "12.345"},
        realised="-1234.5678",
        unrealised="-12.3456",
        fees="1234.56789",
        refusals=12_345,
        fills=12_345,
    )
    picture = drawn(a_status(instruments=[row], strategies=[quoter], holds=[A_HOLD]), width=80)
    for part in (
        "-0.123",
        "-0.120",
        "-1,234.57",
        "1,234.57",
        "12345",
        "unrealised",
        "ETHUSDT",
        "12.345",
        "data age",
        "refused",
    ):
        assert part in picture, (part, picture)


def test_only_a_confirmed_difference_from_the_venue_is_alarming():
    """The venue's word is seconds old: while fills are on the way it differs, and red would cry wolf."""
    row = msgspec.structs.replace(AN_INSTRUMENT, position="0.5", venue_position="0.4")

    def colours(**changes):
        paper = io.StringIO()
        status = a_status(instruments=[row], **changes)
        Console(file=paper, width=120, force_terminal=True, color_system="standard").print(
            render(msgspec.to_builtins(status))
        )
        return next(line for line in paper.getvalue().splitlines() if "BTCUSDT" in line and "0.4" in line)

    red = "\x1b[1;31m0.4"
    assert red not in colours()
    assert red in colours(breaks=[BreakRow(kind="position", key="BTCUSDT", ours="500", theirs="400")])


@pytest.mark.parametrize("name", plain_views())
def test_every_view_can_be_written_as_text(name):
    assert show(name, msgspec.to_builtins(plain_views()[name]))


def test_every_view_survives_the_wire():
    """What is packed must be what the other side's record is."""
    for name, view in plain_views().items():
        assert view == msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=VIEW_TYPES[name])


def test_watching_ends_when_the_bot_does(tmp_path):
    drawn_on = io.StringIO()
    console = Console(file=drawn_on, width=140, color_system=None, force_terminal=True)
    with an_answering_bot(tmp_path / "state") as bot:
        watching = threading.Thread(target=watch, args=(bot.socket_path,), kwargs={"console": console})
        watching.start()
        while "TRADING" not in drawn_on.getvalue() and watching.is_alive():
            watching.join(0.02)
    watching.join(5)
    assert not watching.is_alive()
    assert "broke off" in drawn_on.getvalue()


def test_there_is_nothing_to_watch_without_a_bot(tmp_path):
    with pytest.raises(NotRunning):
        watch(tmp_path / "control.sock")


def test_whose_data_it_is_what_is_silent_and_what_was_left_out_are_seen():
    """In the live view and in the lines of ``holdfast status`` alike; while all is well there is nothing to see."""
    plain = a_status()
    assert "market data" not in drawn(plain)
    row = msgspec.structs.replace(plain.instruments[0], feed="kraken", reference=True)
    troubled = a_status(
        instruments=[row],
        feeds_changed=1,
        silent_streams=["second all mark"],
        degraded=True,
        conflated_quotes=12_345,
    )
    lines = show("status", msgspec.to_builtins(troubled))
    for word in ("kraken (reference only)", "second all mark", "12,345"):
        assert word in drawn(troubled)
        assert word in lines
    assert "degraded" in lines


def test_exit_orders_of_the_day_are_told_where_there_were_any():
    """They use nothing of the day up, so no limit shows them."""
    assert "exit orders" not in show("status", msgspec.to_builtins(a_status(rung="normal")))
    exited = a_status(rung="normal", exits_today=3)
    assert "breakers today 0, exit orders today 3" in show("status", msgspec.to_builtins(exited))
