"""Under pressure only quotes are left out, only older ones, and each is counted."""

import json

from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.pressure import HIGH_WATER_FRAMES, RELEASE_NS, Pressure, conflated
from holdfast.venues.binance.decoder import quote_key
from tests.venues.test_binance_decoder import QUOTE


def quote(name, seq):
    return b'{"e":"bookTicker","u":%d,"s":"%s","b":"1.0","B":"1","a":"1.1","A":"1","T":1,"E":1}' % (
        seq,
        name.encode(),
    )


def trade(name, seq):
    return b'{"e":"trade","E":1,"T":1,"s":"%s","t":%d,"p":"1","q":"1"}' % (name.encode(), seq)


def wrapped(raw, stream):
    return b'{"stream":"%s","data":%s}' % (stream.encode(), raw)


def told():
    said = []
    return Pressure(lambda *what: said.append(what)), said


@given(st.lists(st.tuples(st.sampled_from("QT"), st.sampled_from(["AUSDT", "BUSDT", "CUSDT"])), max_size=60))
def test_the_last_quote_of_each_instrument_and_every_print_stay_in_order(said):
    raws = [(quote if kind == "Q" else trade)(name, seq) for seq, (kind, name) in enumerate(said)]
    kept = conflated(raws, quote_key)
    newest = {name: seq for seq, (kind, name) in enumerate(said) if kind == "Q"}
    expected = [
        raw
        for seq, ((kind, name), raw) in enumerate(zip(said, raws, strict=True))
        if kind == "T" or newest[name] == seq
    ]
    assert expected == kept


def test_quotes_are_told_by_what_the_venue_writes_and_anything_else_is_never_left_out():
    """A frame that only looks like a quote must not make one of another kind disappear."""
    assert quote_key(quote("BTCUSDT", 1)) == quote_key(quote("BTCUSDT", 2))
    assert quote_key(quote("BTCUSDT", 1)) != quote_key(quote("ETHUSDT", 1))
    assert quote_key(json.dumps(QUOTE, separators=(",", ":")).encode()) is not None
    inner = quote("BTCUSDT", 1)
    assert quote_key(wrapped(inner, "btcusdt@bookTicker")) == b"btcusdt@bookTicker"
    for raw in (
        trade("BTCUSDT", 1),
        wrapped(trade("BTCUSDT", 1), "btcusdt@trade"),
        b'{"e":"bookTicker"}',
        b'{"result":null,"id":1}',
        b"",
    ):
        assert quote_key(raw) is None


def test_pressure_begins_with_a_full_read_and_ends_a_second_after_the_last():
    pressure, said = told()
    raws = [quote("BTCUSDT", seq) for seq in range(HIGH_WATER_FRAMES + 1)]
    assert [raws[-1]] == pressure.relieve(raws, quote_key, 5, 7)
    assert [(True, HIGH_WATER_FRAMES, 5, 7)] == said
    pressure.relieve(raws, quote_key, 6, 8)
    pressure.look(9, 8 + RELEASE_NS - 1)
    assert len(said) == 1
    pressure.look(9, 8 + RELEASE_NS)
    assert (False, 2 * HIGH_WATER_FRAMES, 9, 8 + RELEASE_NS) == said[1]
    assert not pressure.degraded
