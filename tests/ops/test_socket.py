"""The control socket: real sockets, every bound reached, and nothing that a peer does ends the bot."""

import os
import socket
import stat
import struct
import time

import pytest

from holdfast.ops.ctl import Control
from holdfast.ops.errors import NotRunning
from holdfast.runtime import socket as door
from holdfast.runtime.socket import SocketUnusable
from holdfast.runtime.wire import (
    ASK_BYTES_MAX,
    HEADER_BYTES,
    Act,
    Answer,
    Ask,
    AskKind,
    body_length,
    frame,
    new_nonce,
    read_answer,
)
from holdfast.vocab.invariant import InvariantBroken
from tests.house.operating import PLAIN_STATUS, an_answering_bot

RESUME = Act(verb="resume", by="ada", reason="checked", hold_id=7)


@pytest.fixture(params=["asyncio", "uvloop"])
def bot(request, tmp_path):
    with an_answering_bot(tmp_path / "state", uvloop=request.param == "uvloop") as answering:
        yield answering


def raw(bot, data, *, end=False):
    """Everything that comes back for these bytes."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(bot.socket_path))
        peer.sendall(data)
        if end:
            peer.shutdown(socket.SHUT_WR)
        back = b""
        while part := peer.recv(65536):
            back += part
        return back


def answer_in(back):
    return read_answer(back[HEADER_BYTES:][: body_length(back[:HEADER_BYTES], bytes_max=1 << 20)])


def an_act(act=RESUME, *, nonce=None, age_s=0.0):
    at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - int(age_s * 1e9)
    return Ask(kind=AskKind.ACT, name=act.verb, nonce=nonce or new_nonce(), boottime_ns=at_ns, act=act)


def give(control, ask):
    return control._round(ask)


def test_a_view_comes_back_as_it_was_made(bot):
    with Control(bot.socket_path) as control:
        answer = control.view("status")
    assert answer.ok
    assert PLAIN_STATUS.equity == answer.data["equity"]
    assert {"over_position": 2} == answer.data["counters"]["refusals"]


def test_an_act_arrives_and_its_answer_returns(bot):
    bot.answers["resume"] = Answer(ok=False, text="still 11 % down")
    with Control(bot.socket_path) as control:
        answer = control.act(RESUME)
    assert (False, "still 11 % down") == (answer.ok, answer.text)
    assert [RESUME] == bot.told


def test_many_questions_use_one_connection(bot):
    with Control(bot.socket_path) as control:
        assert all(control.view("ping").ok for _ in range(200))


def test_only_its_owner_may_open_the_socket(bot):
    assert 0o600 == stat.S_IMODE(bot.socket_path.stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_turned_away(tmp_path):
    """File modes can be changed by mistake; who the peer is, the kernel says."""
    with an_answering_bot(tmp_path / "state") as bot:
        bot.socket_path.chmod(0o777)
        for parent in bot.socket_path.parents:
            if str(parent).startswith(("/tmp/", "/var/tmp/")):
                parent.chmod(0o755)
        child = os.fork()
        if child == 0:
            os.setuid(12345)
            code = 1
            try:
                with Control(bot.socket_path) as control:
                    control.view("ping")
            except NotRunning:
                code = 42
            os._exit(code)
        assert 42 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert [] == bot.told


def test_a_watch_repeats_at_its_rate_and_ends_with_the_peer(bot):
    started = time.monotonic()
    with Control(bot.socket_path) as control:
        looks = control.watch("status", hz=50)  # ten a second is the most that is given
        assert all(next(looks).ok for _ in range(4))
    took = time.monotonic() - started
    assert 0.25 <= took < 2


def test_an_unknown_view_is_an_answer(bot):
    with Control(bot.socket_path) as control:
        assert "there is no view 'nonsense'" == control.view("nonsense").text


def test_a_view_that_fails_is_an_answer_and_the_bot_goes_on(bot):
    """A display fault must not end the process that trades."""
    bot.views["holds"] = ValueError("bad row")
    with Control(bot.socket_path) as control:
        assert "the view holds failed: ValueError: bad row" == control.view("holds").text
        assert control.view("ping").ok


def test_a_record_that_cannot_be_carried_is_an_answer(bot):
    bot.views["holds"] = object()
    with Control(bot.socket_path) as control:
        assert "cannot be carried" in control.view("holds").text


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00",
        struct.pack(">I", ASK_BYTES_MAX + 1),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x02\x81\xa1",
        b"\x00\x00\x00\x01\x80",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_wrong_frame_is_answered_and_the_connection_closed(bot, data):
    assert not answer_in(raw(bot, data)).ok
    with Control(bot.socket_path) as control:
        assert control.view("ping").ok


@pytest.mark.parametrize("count", range(1, 40, 3))
def test_a_frame_cut_anywhere_harms_nothing(bot, count):
    whole = frame(an_act(), bytes_max=ASK_BYTES_MAX)
    assert b"" == raw(bot, whole[:count], end=True)
    assert [] == bot.told


def test_an_act_without_a_name_behind_it_is_refused(bot):
    with Control(bot.socket_path) as control:
        assert not give(control, an_act(Act(verb="resume", by=""))).ok
    assert [] == bot.told


def test_an_old_or_repeated_act_is_refused(bot):
    """A recorded resume, played again tomorrow, must not let the bot go."""
    with Control(bot.socket_path) as control:
        assert "acts are good for 30 s" in give(control, an_act(age_s=31)).text
        assert "acts are good for 30 s" in give(control, an_act(age_s=-5)).text
        assert give(control, an_act(nonce="n" * 32)).ok
        assert "already given" in give(control, an_act(nonce="n" * 32)).text
        assert "already given" in give(control, an_act(nonce="short")).text
    assert 1 == len(bot.told)


@pytest.mark.parametrize("verb", sorted(door.HALTING))
def test_a_halting_act_is_never_too_old(bot, verb):
    act = Act(verb=verb, by="ada")
    with Control(bot.socket_path) as control:
        assert give(control, an_act(act, age_s=3_600, nonce="n" * 32)).ok
        assert give(control, an_act(act, age_s=3_600, nonce="n" * 32)).ok
    assert 2 == len(bot.told)


def test_too_many_connections_are_turned_away_and_the_rest_served(bot):
    peers = []
    try:
        for _ in range(door.CONNECTIONS_MAX):
            peers.append(Control(bot.socket_path))
            assert peers[-1].view("ping").ok
        with pytest.raises(NotRunning), Control(bot.socket_path) as one_more:
            one_more.view("ping")
        assert peers[0].view("ping").ok
    finally:
        for peer in peers:
            peer.close()


def test_a_broken_invariant_reaches_whoever_ends_the_process(bot):
    class Breaking:
        def __getitem__(self, name):
            raise InvariantBroken("books are whole")

    bot.views = Breaking()
    with pytest.raises(NotRunning), Control(bot.socket_path) as control:
        control.view("status")
    assert ["books are whole"] == [error.rule for error in bot.broken]


def test_a_bot_that_does_not_answer_in_time_is_said_to_be_so(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen(1)
        with (
            pytest.raises(NotRunning, match=r"does not answer within 0\.1 s"),
            Control(path, timeout_s=0.1) as control,
        ):
            control.view("ping")


def test_a_dead_bots_socket_is_replaced_and_a_live_ones_is_not(tmp_path):
    path = tmp_path / "state" / "control.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with an_answering_bot(path.parent) as bot:
        with pytest.raises(SocketUnusable, match="another process is listening"):
            door._listener(path)
        with Control(bot.socket_path) as control:
            assert control.view("ping").ok
    assert not path.exists()


@pytest.mark.parametrize("make", [lambda path: path.write_text("precious"), lambda path: path.mkdir()])
def test_what_is_not_a_socket_is_left_alone(tmp_path, make):
    path = tmp_path / "control.sock"
    make(path)
    with pytest.raises(SocketUnusable, match="is not a socket"):
        door._listener(path)
    assert path.exists()


def test_a_path_too_long_for_the_kernel_is_said_to_be_so(tmp_path):
    with pytest.raises(SocketUnusable, match="at most 107 bytes"):
        door._listener(tmp_path / ("x" * 120))
