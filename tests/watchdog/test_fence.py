"""The fence: latch, lease, and a command that ends the bot for good."""

import time
from pathlib import Path

import pytest

from holdfast.guard.latch import Latch, peek
from holdfast.guard.lease import Lease, read_lease
from holdfast.watchdog import fence as fences
from holdfast.watchdog.fence import Fence


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.fixture
def bot(guard):
    latch = Latch(guard, "k")
    latch.clear(latch.observe())
    lease = Lease(guard, "k", by="bot", now_wall_ns=1, now_mono_ns=now_ns())
    yield latch, lease
    lease.release()
    latch.close()


@pytest.fixture
def said():
    return []


@pytest.fixture
def fence(bot, said):
    latch, lease = bot

    def make(*stop):
        return Fence(
            latch_path=latch.path,
            lease_path=lease.path,
            holder=read_lease(lease.path),
            stop=stop,
            say=said.append,
        )

    return make


def test_it_trips_the_latch_with_a_word_of_who_and_why(bot, fence):
    latch, _ = bot
    one = fence()
    assert not one.tripped()
    one.put()
    assert one.tripped()
    note = latch.note(latch.observe())
    assert note is not None
    assert ("watchdog", True) == (note.by, "lease" in note.reason)
    latch.clear(latch.observe())
    assert not one.tripped(), "somebody armed it again"


def test_a_latch_that_cannot_be_tripped_is_said_and_does_not_count_as_open(bot, fence, said, monkeypatch):
    latch, _ = bot
    one = fence()
    Path(latch.path).unlink()
    one.put()
    assert "could not be tripped" in said[0]
    assert one.tripped(), "the bot's own watch finds it gone and halts"
    Path(latch.path).mkdir()
    assert one.tripped()


def test_a_frozen_holder_keeps_its_lease_and_is_silent_until_it_renews(bot, fence, said):
    """Who wakes up in the middle of a flatten must not be closed against."""
    _, lease = bot
    one = fence()
    assert one.silent()
    assert not one.holding
    assert "is traded by process" in said[0]
    lease.renew(now_ns())
    assert not one.silent()
    one.open()


def test_where_nobody_holds_the_lease_the_flatten_does(bot, fence):
    """A bot that systemd starts again must wait until the exit is over; and then finds that nobody died of it."""
    _, lease = bot
    one = fence()
    lease.release()
    assert one.silent()
    assert one.holding
    assert "watchdog, until flat" == read_lease(lease.path).by
    Path(lease.path).unlink()
    assert not one.silent(), "a lease whose file is gone holds nobody off"
    one.open()
    assert not one.holding


def test_a_lease_that_was_held_for_the_exit_is_let_go(bot, fence):
    _, lease = bot
    one = fence()
    lease.release()
    assert one.silent()
    one.open()
    assert 0 == read_lease(lease.path).stamp_mono_ns
    Lease(str(Path(lease.path).parent), "k", by="bot", now_wall_ns=1, now_mono_ns=now_ns()).release()


def test_the_command_that_stops_the_bot_is_waited_for_before_an_exit_and_not_before(
    bot, fence, said, tmp_path
):
    """systemctl may take a minute: cancelling does not wait for it."""
    done = tmp_path / "stopped"
    one = fence("/bin/sh", "-c", f"sleep 0.4; touch {done}")
    began = time.monotonic()
    one.put()
    assert time.monotonic() - began < 0.3
    one.silent()
    assert done.exists()
    assert any("/bin/sh ended with 0" in text for text in said)


def test_a_command_that_does_not_end_or_does_not_exist_is_said(bot, fence, said, monkeypatch):
    monkeypatch.setattr(fences, "STOP_S_MAX", 0.2)
    one = fence("/bin/sh", "-c", "sleep 2")
    one.put()
    one.silent()
    assert any("has not ended after 0.2 s" in text for text in said)
    fence("/no/such/command").put()
    assert "fence: /no/such/command: No such file or directory" == said[-1]
    assert peek(bot[0].path)[0]
