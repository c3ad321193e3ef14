"""Bad input to a running bot: one clear line with name and place, a stable exit code, nothing traded, nothing lost."""

import os
import time

import pytest

from holdfast.app.errors import Exit
from tests.process.processes import TOKENS, Bot, a_home, until, write_private

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    """One armed bot for all of these: whatever is thrown at it, it goes on."""
    with a_home(tmp_path_factory.mktemp("bad-input")) as home:
        sim = home.sim()
        bot = home.bot(sim, strategy="Nonsense", params={"flag": str(home.path / "bot" / "flag")})
        bot.start()
        bot.arm()
        yield bot
        assert [] == sim.requests("place", "place_algo", "amend"), "nothing was traded by any of these"
        assert 0 == bot.stop(), bot.log()
        code, said = bot.cli("journal", "replay")
        assert 0 == code, said


@pytest.fixture(autouse=True)
def goes_on(bot):
    """Each begins with a bot that may trade, and leaves one that a person can have going again."""
    assert "none" == bot.status()["level"]
    yield
    bot.resume()


WORDS = [
    # the words, the exit code, what the line must name
    (("frobnicate",), Exit.USAGE, "frobnicate"),
    (("halt", "--instrument", "NOPEUSDT"), Exit.REFUSED, "NOPEUSDT"),
    (("flatten", "--yes", "--instrument", "NOPEUSDT"), Exit.REFUSED, "NOPEUSDT"),
    (("ban", "instrument", "NOPEUSDT"), Exit.REFUSED, "NOPEUSDT"),
    (("ban", "planet", "BTCUSDT"), Exit.USAGE, "planet"),
    (("why", "--instrument", "BTCUSDT", "--side", "buy", "--qty", "-1"), Exit.USAGE, "qty"),
    (("why", "--instrument", "BTCUSDT", "--side", "buy", "--qty", "nan"), Exit.USAGE, "qty"),
    (("why", "--instrument", "BTCUSDT", "--side", "buy", "--qty", "1e400"), Exit.USAGE, "qty"),
    (("why", "--instrument", "NOPEUSDT"), Exit.REFUSED, "NOPEUSDT"),
    (("why", "--strategy", "nobody"), Exit.REFUSED, "nobody"),
    (("why", "--instrument", "NOPEUSDT", "--side", "buy", "--qty", "1"), Exit.REFUSED, "NOPEUSDT"),
    (("resume", "999", "--reason", "x"), Exit.REFUSED, "999"),
    (("resume", "-1", "--reason", "x"), Exit.USAGE, "hold"),
    (("resolve", "12345", "--reason", "x"), Exit.REFUSED, "12345"),
    (("halt", "--frobnicate"), Exit.USAGE, "--frobnicate"),
    (("status", "--frobnicate"), Exit.USAGE, "--help"),
    (("status", "--account", "nobody"), Exit.NOT_RUNNING, "nobody"),
]


@pytest.mark.parametrize(("words", "code", "named"), WORDS, ids=[" ".join(row[0]) for row in WORDS])
def test_wrong_words_are_one_line_that_names_them(bot, words, code, named):
    needs_person = words[0] in {"resume", "resolve"}
    got, said = (bot.act if needs_person else bot.cli)(*words)
    lines = said.strip().splitlines()
    assert (code, 1) == (got, len(lines)), said
    assert lines[0].startswith("holdfast: ")
    assert named in lines[0]
    assert "none" == bot.status()["level"]


def test_loosening_takes_a_token_of_an_operator(bot):
    """Whoever may run programs here may halt; only a person with a token may let it go on."""
    assert 0 == bot.cli("halt", "--reason", "test")[0]
    (hold,) = bot.holds("halt")
    words = ("resume", str(hold["hold_id"]), "--reason", "please")
    wrong = bot.home / "wrong.token"
    write_private(wrong, "hf_nobody-0123456789")
    loose = bot.home / "loose.token"
    write_private(loose, TOKENS["ada"])
    loose.chmod(0o644)
    for more, code, named in (
        ((), Exit.REFUSED, "needs your token"),
        (("--token-file", str(wrong)), Exit.REFUSED, "no operator's"),
        (("--token-file", str(loose)), Exit.USAGE, "loose.token"),
        (("--token-file", "nowhere.token"), Exit.USAGE, "nowhere.token"),
    ):
        got, said = bot.cli(*words, *more)
        assert (code, 1) == (got, len(said.strip().splitlines())), said
        assert named in said
    assert bot.halted_by("halt")


@pytest.mark.parametrize("what", ["nan", "text", "true", "nan price", "no intent", "raise"])
def test_a_strategy_that_wants_nonsense_is_held_by_name_and_the_rest_goes_on(bot, what):
    """A size that is not a number must not come near a socket, nor take the books down."""
    write_private(bot.home / "flag.new", what)
    (bot.home / "flag.new").rename(bot.home / "flag")
    until(lambda: bot.holds("strategy_failed") != [], "the strategy is held", bot.tell)
    (hold,) = bot.holds()
    assert ("test", "reduce_only") == (hold["strategy"], hold["level"])
    assert 1 == len(hold["reason"].splitlines())


@pytest.mark.parametrize(
    ("what", "refusal"),
    [
        ("negative", "qty_out_of_range"),
        ("zero", "qty_out_of_range"),
        ("huge", "qty_out_of_range"),
        ("unknown instrument", "not_allowed"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_the_gate_with_its_numbers(bot, what, refusal):
    """A number is a number: the gate says which bound it breaks, and the strategy may learn."""
    before = bot.status()["counters"]["refusals"].get(refusal, 0)
    write_private(bot.home / "flag.new", what)
    (bot.home / "flag.new").rename(bot.home / "flag")
    until(lambda: bot.status()["counters"]["refusals"].get(refusal, 0) > before, "refused", bot.tell)


def replace(path):
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").rename(path)


LATCH_FAULTS = {
    "replaced": replace,
    "truncated": lambda path: os.truncate(path, 40),
    "emptied": lambda path: os.truncate(path, 0),
    "removed": lambda path: path.unlink(),
    "overwritten": lambda path: os.pwrite(os.open(path, os.O_WRONLY), b"\0" * 128, 0),
}


@pytest.mark.parametrize("fault", LATCH_FAULTS)
def test_a_latch_that_cannot_be_trusted_halts_says_so_and_is_mended_by_a_persons_resume(bot, fault):
    """A halt must not be lost with the file that carries it."""
    path = bot.latch
    LATCH_FAULTS[fault](path)
    until(lambda: bot.halted_by("halt"), "it halts", bot.tell, timeout_s=5)
    (hold,) = bot.holds("halt")
    assert str(path) in hold["reason"]
    bot.resume()
    assert not bot.status()["latch"]["tripped"], "a resumed bot must not trade against a tripped latch"
    code, said = bot.cli("halt", "--reason", "the new latch works")
    assert 0 == code, said
    until(lambda: bot.halted_by("halt"), "it halts by the new latch", bot.tell, timeout_s=5)


FRAMES = [
    '{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"617',
    "",
    "\x00\x01",
    "[]",
    '{"e":"bookTicker"}',
    "x" * 100_000,
]


@pytest.mark.parametrize("stream", ["btcusdt@bookTicker", "btcusdt@markPrice@1s"])
def test_cut_off_frames_of_the_market_are_counted_and_no_more(bot, stream):
    """A venue's hiccup is not a price, and not a reason to stop."""
    before = malformed(bot)
    heard = sum(bot.sim.control("POST", "/say", {"stream": stream, "text": text})["heard"] for text in FRAMES)
    assert heard >= len(FRAMES)
    until(lambda: malformed(bot) > before, "they are counted", bot.tell)
    time.sleep(0.3)
    assert "none" == bot.status()["level"], bot.tell()


def malformed(bot: Bot) -> int:
    return int(bot.status()["counters"]["malformed"])


CUT_OFF = ['{"e":"ORDER_TRADE_UPDATE","T":17', '{"e":"ORDER_TRADE_UPDATE","T":1,"o":{"s":"BTCUSDT"}}']


@pytest.mark.parametrize("text", CUT_OFF)
def test_a_cut_off_message_about_the_account_forbids_risk_until_a_person_looked(bot, text):
    """What was in it may have been a fill: everything is read again, and nothing grows meanwhile."""
    assert 1 == bot.sim.control("POST", "/say", {"stream": "user", "text": text})["heard"]
    until(lambda: bot.holds("unknown_error") != [], "it is held", bot.tell)
    (hold,) = bot.holds()
    assert "reduce_only" == hold["level"]
    assert "could not be read" in hold["reason"]


def test_sockets_cut_in_the_middle_come_back_by_themselves(bot):
    bot.sim.control("POST", "/disconnect", {"streams": "all", "abort": True})
    until(lambda: not all(feed["up"] for feed in bot.status()["feeds"]), "it notices", bot.tell, timeout_s=5)
    until(lambda: all(feed["up"] for feed in bot.status()["feeds"]), "they are back", bot.tell)
    until(lambda: bot.status()["level"] == "none", "and it goes on by itself", bot.tell)
