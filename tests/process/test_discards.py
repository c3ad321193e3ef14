"""What a running bot refuses of its market data is kept as it came, and is refused again when read back."""

import json
import time

import pytest

from holdfast.vocab.events import CallDone
from holdfast.vocab.market import Depth
from tests.process.processes import until
from tests.process.reading import read_story

pytestmark = pytest.mark.process

FAST = '[source]\nkind = "generated"\nseed = 7\n'
QUOTE = '{{"e":"bookTicker","u":{u},"s":"BTCUSDT","b":"{bid}","B":"1.000","a":"{ask}","A":"1.000","T":{ms},"E":{ms}}}'


def books_of(bot):
    """The instruments of which the venue answered a whole book."""
    done = read_story(bot.journal_dir).of(CallDone)
    return {
        one.outcome.value.instrument for one in done if isinstance(getattr(one.outcome, "value", None), Depth)
    }


def test_a_bot_keeps_what_it_refused_and_its_books_follow_the_venues(home):
    """Garbage, a crossed quote, a quote of nowhere; and a book that was asked for, bridged, and replays the same."""
    bot = home.bot(home.sim(FAST))
    bot.config.write_text(
        bot.config.read_text().replace(
            'streams = ["quotes", "trades", "marks"]', 'streams = ["quotes", "trades", "marks", "depth"]'
        )
    )
    bot.start()
    bot.hears(50)
    ms, u = int(time.time() * 1000), 10**15
    for text in (
        "gar\tbage",
        QUOTE.format(u=u, bid="90000.20", ask="90000.10", ms=ms),
        QUOTE.format(u=u + 1, bid="900.00", ask="900.10", ms=ms),
    ):
        bot.sim.control("POST", "/say", {"stream": "btcusdt@bookTicker", "text": text})
    bot.hears(50)  # they came before these, on one connection
    until(lambda: {"BTCUSDT", "ETHUSDT"} <= books_of(bot), "both books are answered", bot.tell)
    assert 0 == bot.stop()

    code, out = bot.cli("discards", "--again", "--json", "--state-dir", str(bot.state_dir))
    answer = json.loads(out)
    assert (0, 0) == (code, answer["otherwise"])
    assert {"not a frame", "crossed", "jump"} <= set(answer["reasons"])
    assert "gar\tbage" in [row["raw"] for row in answer["newest"]]

    code, out = bot.cli("journal", "export", "--state-dir", str(bot.state_dir))
    records = [json.loads(line) for line in out.splitlines()]
    books = [
        value["instrument"]
        for record in records
        if record["type"] == "call_done" and (value := record["outcome"].get("value", {})).get("type") == "d"
    ]
    assert (0, {"BTCUSDT", "ETHUSDT"}) == (code, set(books))
    assert len(books) <= 4  # bridged at the first answer, or at the next: not asked for again and again
    code, out = bot.cli("journal", "replay", "--state-dir", str(bot.state_dir))
    assert 0 == code, out
