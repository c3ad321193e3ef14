"""Backups of market data: written whole, and only those that can bring what they are asked for."""

import pytest

from holdfast.app.venues import feed_plan
from holdfast.config.errors import ConfigError
from holdfast.config.load import load_text
from holdfast.vocab.events import StreamKind
from tests.house.configs import a_config_text

TIMES = """[feeds]
dead_after = "5s"
too_old_after = "500ms"
back_after = "30s"

"""
SECOND = '[feeds.backup.second]\nsource = "binance"\n\n'
KRAKEN = """[feeds.backup.kraken]
source = "ccxt"
venue = "krakenfutures"
instruments = { BTCUSDT = "BTC/USD:USD" }

"""
OWN = """[feeds.backup.own]
source = "ccxt"
venue = "binanceusdm"
instruments = { BTCUSDT = "BTC/USDT:USDT" }

"""


def read(feeds):
    return load_text(a_config_text(("[paths]", feeds + "[paths]")), where="bot.toml")


def test_backups_stand_in_the_order_of_the_file_and_another_venue_is_a_reference():
    plan = feed_plan(read(TIMES + SECOND + KRAKEN + OWN))
    assert [False, False, True, False] == [rank.reference for rank in plan.ranks]
    first, second, kraken, own = (rank.numbering for rank in plan.ranks)
    assert first == second  # the same numbers: compared one by one
    assert 3 == len({first, kraken, own})
    assert (5_000_000_000, 500_000_000, 30_000_000_000) == (
        plan.times.dead_ns,
        plan.times.too_old_ns,
        plan.times.back_ns,
    )


def test_only_what_a_backup_brings_is_missed_when_silent():
    plan = feed_plan(read(TIMES + SECOND + KRAKEN))
    _, second, kraken = plan.ranks
    assert second.brings("ETHUSDT", StreamKind.TRADE)
    assert kraken.brings("BTCUSDT", StreamKind.QUOTE)
    assert not kraken.brings("ETHUSDT", StreamKind.QUOTE)
    assert not kraken.brings("BTCUSDT", StreamKind.TRADE)


def test_without_the_section_there_is_one_feed_and_its_streams_are_missed_all_the_same():
    plan = feed_plan(load_text(a_config_text(), where="bot.toml"))
    assert ((), None) == (plan.ranks, plan.times)
    assert {StreamKind.QUOTE, StreamKind.TRADE, StreamKind.MARK} == plan.streams


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        (TIMES, "feeds.backup"),
        (SECOND, "feeds.dead_after"),
        (TIMES.replace("500ms", "6s") + SECOND, "expected at most dead_after"),
        (TIMES.replace("30s", "0s") + SECOND, "feeds.back_after"),
        (TIMES + SECOND.replace("second", "binance"), "not the primary feed's"),
        (TIMES + SECOND + 'venue = "kraken"\n', "are for ccxt"),
        (TIMES + SECOND + 'url = "https://x"\n', "expected an address ws://"),
        (TIMES + SECOND + 'url = "ws://"\n', "feeds.backup.second.url: expected an address ws://"),
        (TIMES + SECOND + 'url = "ws://198.51.100.7:1"\n', "second.url: expected wss:// for a host"),
        (TIMES + KRAKEN + 'rest_url = "http://198.51.100.7:1"\n', "rest_url: expected https:// for a host"),
        (TIMES + KRAKEN + 'rest_url = "ftp://x"\n', "kraken.rest_url: expected an address http://"),
        (TIMES + SECOND + 'instruments = { BTCUSDT = "BTCUSDC" }\n', "the same names on both sides"),
        (TIMES + KRAKEN.replace('venue = "krakenfutures"\n', ""), "an exchange id that ccxt knows"),
        (TIMES + KRAKEN.partition("instruments")[0], "expected ccxt's symbols"),
        (TIMES + KRAKEN.replace("BTCUSDT =", "XRPUSDT ="), "it is not traded"),
        (TIMES + SECOND + "key = 1\n", "key"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_it(feeds, said):
    with pytest.raises(ConfigError) as caught:
        read(feeds)
    assert any(said in problem for problem in caught.value.problems), caught.value.problems
