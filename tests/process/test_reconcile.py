"""What the venue knows and we were not told: found by asking, in seconds, and held where nothing explains it."""

import time
from decimal import Decimal

import pytest

from holdfast.app.errors import Exit
from holdfast.vocab.events import TradeReported
from holdfast.vocab.facts import BreakFound, FillBooked
from tests.process.conftest import FULL
from tests.process.processes import a_home, until
from tests.process.reading import read_story

pytestmark = pytest.mark.process
FOUND_S_MAX = 15.0  # G6
LOT = Decimal("0.001")
# the proof is of the intervals that the configuration comes with; the quick form only has shorter ones
QUICK = {
    'reconcile_orders = "5s"': 'reconcile_orders = "1s"',
    'reconcile_positions = "10s"': 'reconcile_positions = "2s"',
}


@pytest.fixture(scope="module")
def trading(tmp_path_factory):
    """A venue and an armed bot on it for these stories, in their order: the last leaves it halted."""
    with a_home(tmp_path_factory.mktemp("reconcile")) as home:
        sim = home.sim()
        bot = home.bot(
            sim,
            strategy="Joiner",
            params={"flag": str(home.path / "bot" / "go")},
            edits={} if FULL else QUICK,
        )
        bot.start()
        bot.arm()
        yield sim, bot


def believed(bot) -> int:
    """The position in lots that the bot believes."""
    return int(Decimal(bot.status()["instruments"][0]["position"]) / LOT)


def test_a_fill_stream_gone_mute_while_its_socket_looks_healthy_is_found_by_the_poll(trading, figure):
    """Two incidents of 2026: the old address still connected, acknowledged, and said nothing."""
    sim, bot = trading
    sim.control("POST", "/freeze", {"stream": "user"})
    told = len(read_story(bot.journal_dir).of(TradeReported))
    (bot.home / "go").touch()
    until(lambda: sim.position_lots() != 0, "the market fills it", bot.tell, timeout_s=60)
    (bot.home / "go").unlink()
    began = time.monotonic()
    until(lambda: believed(bot) == sim.position_lots(), "the bot knows", bot.tell, timeout_s=FOUND_S_MAX)
    figure(f"a fill of which the stream said nothing was booked {time.monotonic() - began:.1f} s after it")
    story = read_story(bot.journal_dir)
    assert told == len(story.of(TradeReported)), "the stream told of none"
    assert story.of(FillBooked)
    sim.control("DELETE", "/freeze")


def test_a_fill_that_the_venue_takes_back_without_a_word_is_found_named_and_signed_for(trading, figure):
    """Binance's stream has no event for a bust: the position differs, and the list has the execution no more."""
    sim, bot = trading
    ours = believed(bot)
    fills = bot.look("fills")["fills"]
    taken = sim.control("POST", "/bust", {"symbol": "BTCUSDT"})
    key = f"BTCUSDT/{taken['trade_id']}"
    assert taken["trade_id"] == int(fills[0]["trade_id"])
    began = time.monotonic()
    until(
        lambda: {key, "BTCUSDT"} <= {one["key"] for one in bot.status()["breaks"]},
        "it is found, and named",
        bot.tell,
        timeout_s=FOUND_S_MAX,
    )
    figure(f"a fill taken back without a word was named {time.monotonic() - began:.1f} s after it")
    assert bot.halted_by("reconcile_break")
    assert ours == believed(bot), "a list takes nothing out of the books"
    code, said = bot.act("bust", key, "--reason", "their notice")
    assert 0 == code, said
    assert sim.position_lots() == believed(bot) != ours
    assert bot.holds("fill_busted")
    assert bot.look("fills")["fills"][0]["taken_back"]
    until(lambda: not bot.status()["breaks"], "the venue agrees", bot.tell, timeout_s=FOUND_S_MAX)
    bot.resume()


def test_a_difference_planted_at_the_venue_is_found_within_fifteen_seconds_and_holds_trading(trading, figure):
    """Seed 001: eleven days."""
    sim, bot = trading
    ours = believed(bot)
    sim.control("POST", "/misbook", {"symbol": "BTCUSDT", "quantity": "0.007"})
    began = time.monotonic()
    until(lambda: bot.halted_by("reconcile_break"), "it is found, and held", bot.tell, timeout_s=FOUND_S_MAX)
    figure(f"a position that differs was held {time.monotonic() - began:.1f} s after it was planted")

    def written() -> bool:  # what is seen may be a moment ahead of the file
        found = read_story(bot.journal_dir).of(BreakFound)
        return ("BTCUSDT", ours, ours + 7) in [(one.key, one.ours, one.theirs) for one in found]

    until(written, "it is written down with both numbers", bot.tell)
    assert ours == believed(bot), "nothing is adopted by itself"
    assert any("position BTCUSDT" in text for text in bot.alerts("hold.reconcile_break"))


def test_somebody_elses_order_is_set_aside_counted_and_left_alone(trading):
    """C21, D19: it may be a person's hedge. A clean end cancels what is ours, and says what still differs (see above)."""
    sim, bot = trading
    sim.control(
        "POST", "/manual_order", {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "30000"}
    )
    until(lambda: bot.holds("quarantine"), "it is set aside", bot.tell, timeout_s=FOUND_S_MAX)
    (hold,) = bot.holds("quarantine")
    assert "not ours" in hold["reason"]
    assert Exit.BOOKS_DIFFER == bot.stop(), bot.log()
    (said,) = [line for line in bot.log().splitlines() if line.startswith("holdfast: ")]
    assert "positions: ours {}, the venue's {'BTCUSDT': 7}" in said
    (left,) = sim.truth()["open_orders"]
    assert left["client_id"].startswith("web_")
