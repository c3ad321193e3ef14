"""Frames to events: exact, pure, and never a price from what cannot be trusted."""

import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.venues.binance.decoder import decoder, read_decoder
from holdfast.vocab.market import Depth, Malformed, Mark, Quote, Trade
from tests.venues.house import SPECS, spec

DECODE = decoder(SPECS)
QUOTE = {
    "e": "bookTicker",
    "u": 5,
    "s": "BTCUSDT",
    "b": "61800.20",
    "B": "2.507",
    "a": "61800.30",
    "A": "2.510",
}
QUOTE |= {"T": 1723161256313, "E": 1723161256314}
PRINT = {
    "e": "trade",
    "E": 2,
    "T": 3,
    "s": "BTCUSDT",
    "t": 9,
    "p": "61800.20",
    "q": "0.014",
    "X": "MARKET",
    "m": True,
}
MARK = {
    "e": "markPriceUpdate",
    "E": 4,
    "s": "BTCUSDT",
    "p": "11794.17000000",
    "i": "1",
    "r": "-0.00038167",
    "T": 8,
}
DEPTH = {"e": "depthUpdate", "E": 1, "T": 6, "s": "BTCUSDT", "U": 1, "u": 4, "pu": 0}
DEPTH |= {"b": [["61800.20", "1.5"], ["61800.10", "0"]], "a": [["61800.30", "0.001"]]}


def decoded(message, decode=DECODE):
    raw = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":")).encode()
    return decode(raw, 111, 222)


def wrapped(message, stream="btcusdt@bookTicker"):
    return {"stream": stream, "data": message}


def test_a_quote_is_read_in_ticks_and_lots():
    expected = Quote("BTCUSDT", 5, 618_002, 2_507, 618_003, 2_510, 1723161256313_000_000, 111, 222)
    assert expected == decoded(QUOTE) == decoded(wrapped(QUOTE))
    spaced = json.dumps(QUOTE, indent=2).encode()
    assert expected == decoded(spaced)
    shuffled = dict(reversed(QUOTE.items())) | {"ps": "BTCUSDT", "st": 1}
    assert expected == decoded(shuffled) == decoded({"data": QUOTE, "stream": "x"})


def test_the_other_streams_are_read():
    assert Trade("BTCUSDT", 9, 618_002, 14, -1, True, 3_000_000, 111, 222) == decoded(PRINT)
    assert 1 == decoded({**PRINT, "m": False}).aggressor
    assert Mark("BTCUSDT", 117_942, -381_670, 8_000_000, 4_000_000, 111, 222) == decoded(MARK)
    assert 0 == decoded({**MARK, "r": "", "T": 0}).funding_ppb
    bids, asks = ((618_002, 1_500), (618_001, 0)), ((618_003, 1),)
    assert Depth("BTCUSDT", 1, 4, 0, bids, asks, False, 6_000_000, 111, 222) == decoded(DEPTH)


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "RPI", "NOVELTY"])
def test_a_print_outside_the_market_moves_no_price(kind):
    """On 2023-04-05 the insurance fund printed 200 bp away from the book."""
    assert decoded({**PRINT, "X": kind}).market is False


def test_an_empty_print_outside_the_market_is_nothing():
    assert decoded({**PRINT, "X": "NA", "p": "0", "q": "0"}) is None


@pytest.mark.parametrize(
    "message",
    [{"result": None, "id": 1}, {"id": 3, "result": ["btcusdt@trade"]}, {"result": None, "id": "a"}],
    ids=["subscribed", "listed", "text id"],
)
def test_replies_to_our_own_requests_are_nothing(message):
    assert decoded(message) is None


BAD = {
    "nan size": {**QUOTE, "B": "nan"},
    "infinite size": {**QUOTE, "A": "inf"},
    "zero size": {**QUOTE, "B": "0"},
    "negative size": {**QUOTE, "A": "-1"},
    "tiny size": {**QUOTE, "A": "0.0001"},
    "off the lot": {**QUOTE, "B": "2.5075"},
    "off the tick": {**QUOTE, "b": "61800.25"},
    "nan price": {**QUOTE, "b": "NaN"},
    "infinite price": {**QUOTE, "a": "Infinity"},
    "zero price": {**QUOTE, "a": "0.00"},
    "negative price": {**QUOTE, "b": "-61800.20"},
    "huge size": {**QUOTE, "B": "1e300"},
    "words": {**QUOTE, "b": "cheap"},
    "empty price": {**QUOTE, "b": ""},
    "no sequence": {key: value for key, value in QUOTE.items() if key != "u"},
    "sequence as text": {**QUOTE, "u": "five"},
    "unknown instrument": {**QUOTE, "s": "DOGEUSDT"},
    "unheard-of type": {"e": "aggTrade", "s": "BTCUSDT"},
    "no type": {"u": 1, "s": "BTCUSDT", "b": "1"},
    "an error": {"code": 2, "msg": "Invalid request"},
    "an error object": {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
    "sequence beyond all bounds": {**QUOTE, "u": 2**70},
    "stamp beyond all bounds": {**QUOTE, "T": 2**70},
    "stamp below zero": {**QUOTE, "T": -1},
    "mark beyond all bounds": {**MARK, "p": "1e30"},
    "funding beyond all bounds": {**MARK, "r": "1e30"},
    "print in words with a line between": {**PRINT, "p": "6_1800.20"},
    "nested without end": json.dumps(QUOTE)[:-1].encode() + b', "x": ' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    "print off the lot": {**PRINT, "q": "0.0145"},
    "print of nothing": {**PRINT, "q": "0"},
    "mark of nothing": {**MARK, "p": "0"},
    "mark nan": {**MARK, "p": "nan"},
    "depth off the tick": {**DEPTH, "b": [["61800.25", "1"]]},
    "depth half a level": {**DEPTH, "a": [["61800.20"]]},
    "depth negative": {**DEPTH, "a": [["61800.20", "-1"]]},
    "half a frame": json.dumps(QUOTE).encode()[:70],
    "half an envelope": json.dumps(wrapped(QUOTE)).encode()[:70],
    "nothing": b"",
    "two bytes": b"{}",
    "a list": b"[1,2,3]",
    "null": b"null",
    "not text": b"\xff\xfe\xfd\xfc",
    "a REST snapshot": {"lastUpdateId": 1, "bids": [], "asks": []},
    "an empty envelope": {"stream": "btcusdt@bookTicker", "data": {}},
    "an envelope of null": {"stream": "btcusdt@bookTicker", "data": None},
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD)
def test_what_cannot_be_accepted_is_malformed_with_a_reason(message):
    """Lax decoding lets nan and inf through: a price of nan passes every comparison."""
    for one in (
        (message, wrapped(message)) if isinstance(message, dict) and "stream" not in message else (message,)
    ):
        event = decoded(one)
        assert isinstance(event, Malformed), event
        assert event.reason
        assert (111, 222) == (event.wall_ns, event.mono_ns)


@given(
    tick=st.sampled_from(["0.1", "0.01", "0.00001", "1", "0.5", "0.025"]),
    lot=st.sampled_from(["0.001", "1", "0.1", "10"]),
    ticks=st.tuples(st.integers(1, 10**8), st.integers(1, 10**8)),
    lots=st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)),
    zeros=st.integers(0, 3),
)
def test_every_quote_on_the_grid_is_read_exactly(tick, lot, ticks, lots, zeros):
    """Sizes pass through a float: the naive decimal twin must agree."""

    def text(units: int, unit: str) -> str:
        value = format(units * Decimal(unit), "f")
        return value + ("0" * zeros if "." in value else "." + "0" * zeros if zeros else "")

    decode = decoder([spec(tick=tick, lot=lot)])
    message = {**QUOTE, "b": text(ticks[0], tick), "a": text(ticks[1], tick)}
    message |= {"B": text(lots[0], lot), "A": text(lots[1], lot)}
    event = decoded(message, decode)
    assert (ticks[0], lots[0], ticks[1], lots[1]) == (
        event.bid_ticks,
        event.bid_lots,
        event.ask_ticks,
        event.ask_lots,
    )


@given(lots=st.integers(1, 10**8), off=st.integers(1, 99))
def test_a_size_off_the_lot_is_never_rounded(lots, off):
    event = decoded({**QUOTE, "B": format((lots + Decimal(off) / 100) * Decimal("0.001"), "f")})
    assert isinstance(event, Malformed)


@given(st.lists(st.sampled_from([QUOTE, PRINT, wrapped(QUOTE), {"s": "BTCUSDT", **QUOTE}, {}]), max_size=6))
def test_a_frame_reads_alike_alone_and_among_others(messages):
    """A replay decodes one by one what came together."""
    raws = [json.dumps(message).encode() for message in messages]
    together = read_decoder(SPECS)(raws, 111, 222)
    assert [DECODE(raw, 111, 222) for raw in raws] == together


@given(st.binary(max_size=200))
def test_no_bytes_raise(raw):
    """A frame from outside must not end the process."""
    assert isinstance(DECODE(raw, 1, 2), Malformed | type(None))


@given(st.sampled_from([QUOTE, PRINT, MARK, DEPTH]), st.integers(0, 250), st.binary(min_size=1, max_size=3))
def test_no_damaged_frame_raises(message, where, damage):
    raw = json.dumps(message).encode()
    DECODE(raw[:where] + damage + raw[where + len(damage) :], 1, 2)


def test_the_same_frame_decodes_to_the_same_event():
    """A recorded frame must replay: what is remembered is only what was converted."""
    fresh = decoder(SPECS)
    for message in (QUOTE, PRINT, MARK, DEPTH, *BAD.values()):
        assert decoded(message) == decoded(message, fresh) == decoded(message, fresh)


def test_a_number_reads_like_its_text():
    """What counts is how much it is; both are held to the grid."""
    assert decoded(QUOTE) == decoded({**QUOTE, "b": float(QUOTE["b"])})


@pytest.mark.data
@pytest.mark.parametrize("name", ["usdm_btcusdt_20240808", "usdm_ethusdt_20240719"])
def test_a_recorded_session_is_read_whole(data_dir, name):
    """Every quote, trade and diff of a busy session; the naive twin agrees on each hundredth."""
    counts: dict[str, int] = {}
    with gzip.open(data_dir / f"binance_ws_raw/{name}.jsonl_ts.gz") as lines:
        for number, line in enumerate(lines):
            raw = line.rstrip(b"\n").partition(b" ")[2]
            event = DECODE(raw, 1, 2)
            key = event.reason if isinstance(event, Malformed) else type(event).__name__
            counts[key] = counts.get(key, 0) + 1
            if number % 100 == 0 and isinstance(event, Quote):
                data = json.loads(raw)["data"]
                tick = Decimal("0.1") if data["s"] == "BTCUSDT" else Decimal("0.01")
                assert Decimal(data["b"]) == event.bid_ticks * tick
                assert Decimal(data["A"]) == event.ask_lots * Decimal("0.001")
    counts.pop("no event type", None)  # the REST snapshot that begins some recordings
    assert {"Quote", "Trade", "Depth"} == set(counts)
    assert counts["Quote"] > 30_000
