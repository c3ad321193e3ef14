"""Frames, their texts and times."""

import json
from typing import Any

import pytest

from holdfast.sim.sources import BTCUSDT, ETHUSDT, Frame, Generated, Merged, frame_json, offset_for, stamped
from holdfast.sim.sources.specs import UnitTexts
from holdfast.vocab.market import Depth, Malformed, Mark, Quote, Trade
from holdfast.vocab.units import NotANumber

QUOTE = Quote("BTCUSDT", 7, 618_002, 2_507, 618_003, 2_510, 1_723_161_256_313_000_000, 0, 0)


def frame_of(event, *, stream="btcusdt@bookTicker", raw=None, transact_ns=0):
    return Frame(event.venue_ns, event.venue_ns, "BTCUSDT", stream, raw, event, BTCUSDT, transact_ns)


@pytest.mark.parametrize(
    ("unit", "text", "units"),
    [
        ("0.10", "61800.20", 618_002),
        ("0.10", "61800.2", 618_002),
        ("0.10", "61800", 618_000),
        ("0.001", "0.006", 6),
        ("0.5", "3.5", 7),
        ("1", "12", 12),
        ("0.00001", "3.78826000", 378_826),
    ],
)
def test_a_decimal_text_is_a_whole_number_of_units(unit, text, units):
    texts = UnitTexts(unit)
    assert units == texts[text]
    assert units == texts[texts.text(units)]


@pytest.mark.parametrize("text", ["61800.25", "nan", "inf", "1e3", "-5", "", "61800.2.1", "6_1", "٣"])
def test_what_is_no_whole_number_of_units_is_refused(text):
    """A price rounded on the way in is a wrong price."""
    with pytest.raises(NotANumber):
        UnitTexts("0.10")[text]


def test_a_quote_is_written_in_the_venues_words():
    expected = (
        b'{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510",'
        b'"T":1723161256313,"E":1723161256313}'
    )
    assert expected == frame_json(frame_of(QUOTE))


def test_every_kind_of_frame_is_valid_json_with_mapped_times():
    trade = Trade("BTCUSDT", 9, 618_003, 6, 1, True, QUOTE.venue_ns, 0, 0)
    depth = Depth("BTCUSDT", 3, 5, 2, ((618_002, 0),), ((618_003, 12),), False, QUOTE.venue_ns, 0, 0)
    mark = Mark("BTCUSDT", 618_001, -12_500, QUOTE.venue_ns + 10**9, QUOTE.venue_ns, 0, 0)
    texts = [
        json.loads(frame_json(frame_of(event), offset_ns=10**9)) for event in (QUOTE, trade, depth, mark)
    ]

    assert [1_723_161_257_313] * 4 == [text["E"] for text in texts]
    assert ("61800.30", "0.006", False, "MARKET") == tuple(texts[1][key] for key in "pqmX")
    assert ([["61800.20", "0.000"]], [["61800.30", "0.012"]]) == (texts[2]["b"], texts[2]["a"])
    assert (3, 5, 2) == (texts[2]["U"], texts[2]["u"], texts[2]["pu"])
    assert ("61800.10000000", "-0.00001250", 1_723_161_258_313) == tuple(texts[3][key] for key in "prT")


def test_a_recorded_text_goes_out_as_it_came_with_its_times_mapped():
    raw = b'{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"61800.20","X":"E","T":1723161256300,"E":1723161256313}'
    frame = frame_of(QUOTE, raw=raw, transact_ns=1_723_161_256_300_000_000)
    assert raw == frame_json(frame)
    mapped = raw.replace(b"1723161256300", b"1723161258300").replace(b"1723161256313", b"1723161258313")
    assert mapped == frame_json(frame, offset_ns=2 * 10**9)


def test_what_is_only_for_the_book_has_no_public_text():
    with pytest.raises(ValueError, match="no public text"):
        frame_json(frame_of(QUOTE, stream=""))


def test_one_constant_maps_a_source_to_the_venues_clock():
    source = Generated(seed=1, seconds=1)
    start_ns = 1_800_000_000_123_456_789
    offset_ns = offset_for(source, venue_start_ns=start_ns)
    first = next(iter(source.frames()))
    assert 0 <= start_ns - (first.recv_ns + offset_ns) < 1_000_000
    assert 0 == offset_ns % 1_000_000


def test_an_event_is_stamped_with_the_receivers_times():
    events: list[Any] = [
        QUOTE,
        Trade("BTCUSDT", 9, 618_003, 6, 1, True, 5, 0, 0),
        Mark("BTCUSDT", 1, 2, 3, 5, 0, 0),
        Depth("BTCUSDT", 1, 1, 0, (), (), False, 5, 0, 0),
    ]
    for event in events:
        got: Any = stamped(event, offset_ns=100, wall_ns=11, mono_ns=12)
        assert (type(event), event.venue_ns + 100, 11, 12) == (
            type(got),
            got.venue_ns,
            got.wall_ns,
            got.mono_ns,
        )
    assert Malformed("A", "why", 11, 12) == stamped(
        Malformed("A", "why", 0, 0), offset_ns=1, wall_ns=11, mono_ns=12
    )


def test_sources_are_merged_by_receive_time():
    one = Generated(seed=1, seconds=2)
    two = Generated(seed=2, seconds=2, start_ns=one.start_ns + 500_000_000)
    merged = Merged(two, one)
    times = [frame.recv_ns for frame in merged.frames()]
    assert sorted(times) == times
    assert one.start_ns == merged.start_ns
    assert len(times) == len(list(one.frames())) + len(list(two.frames()))
    assert (BTCUSDT, ETHUSDT) == merged.specs
