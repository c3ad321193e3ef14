"""A process that was killed: what its market log has is taken by the next one as seen."""

import pytest

from holdfast.app import warmup
from holdfast.app.parts import EVENTS_CODEC, encode_event
from holdfast.app.warmup import seen_in_log
from holdfast.journal.market_log import open_market_log
from holdfast.vocab.facts import SeenUpTo
from tests.house.events import a_print, a_quote, a_start
from tests.house.room import a_running_core
from tests.house.setup import BTC, BTC_TICKS, ETH, MONO_NS, WALL_NS, settings

KNOWN = {
    BTC: SeenUpTo(instrument=BTC, quote_seq=5, quote_venue_ns=WALL_NS, trade_seq=50, trade_venue_ns=WALL_NS)
}


def logged(directory, *events):
    log = open_market_log(str(directory), codecs=(EVENTS_CODEC,))
    for event in events:
        log.extend((encode_event(event),), WALL_NS, MONO_NS)
    log.close()


def test_the_tail_of_the_log_tells_the_last_number_of_each_stream(tmp_path):
    """The journal says it every ten seconds only: up to so much would be taken twice."""
    logged(
        tmp_path,
        a_quote(seq=5),
        *(a_quote(seq=seq) for seq in range(6, 900)),
        a_quote(seq=900, spread=0),  # refused then and now: its number was not taken
        a_quote(ETH, seq=7),
        a_print(seq=51),
        a_print(seq=53),
    )
    rows = {
        row.instrument: row for row in seen_in_log(tmp_path, start_pos=1, known=KNOWN, settings=settings())
    }
    assert (899, 53) == (rows[BTC].quote_seq, rows[BTC].trade_seq)
    assert (7, -1) == (rows[ETH].quote_seq, rows[ETH].trade_seq)


def test_a_log_that_adds_nothing_says_nothing(tmp_path):
    assert () == seen_in_log(tmp_path / "none", start_pos=-1, known=KNOWN, settings=settings())
    logged(tmp_path, a_quote(seq=4), a_print(seq=50))
    assert () == seen_in_log(tmp_path, start_pos=-1, known=KNOWN, settings=settings())


def test_of_a_log_whose_tail_is_long_the_end_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "FRAMES_MAX", 10)
    logged(tmp_path, a_quote(ETH, seq=7), *(a_quote(seq=seq) for seq in range(6, 100)))
    (row,) = seen_in_log(tmp_path, start_pos=-1, known=KNOWN, settings=settings())
    assert (BTC, 99) == (row.instrument, row.quote_seq)


@pytest.mark.parametrize("seq", [899, 890])
def test_a_start_takes_nothing_twice_that_only_the_log_has(tmp_path, seq):
    room = a_running_core()
    room.quoting = False
    tail = [a_quote(seq=n, wall_ns=room.wall_ns, mono_ns=room.mono_ns) for n in range(880, 900)]
    logged(tmp_path, *tail, a_print(seq=100, wall_ns=room.wall_ns, mono_ns=room.mono_ns))
    seen = seen_in_log(tmp_path, start_pos=-1, known=room.books.seen, settings=room.state.live.settings)
    room.tell(a_start(settings=room.state.live.settings, seen=seen))
    before = len(room.delivered)
    room.tell(next(quote for quote in tail if quote.seq == seq))
    assert before == len(room.delivered)
    room.tell(a_print(seq=104, wall_ns=room.wall_ns, mono_ns=room.mono_ns))
    room.tell(a_quote(seq=900, mid=BTC_TICKS, wall_ns=room.wall_ns, mono_ns=room.mono_ns))
    assert before + 2 == len(room.delivered)
    assert 3 == room.state.live.markets[BTC].missed_trades_count
