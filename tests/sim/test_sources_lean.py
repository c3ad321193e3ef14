"""Equities' files as a market: the running touch is crossed and locked as often as the data's own account says."""

import zipfile

import pytest

from holdfast.sim.sources import LeanEquities, SourceUnusable
from holdfast.sim.sources.lean import factors_in, frames_of, lean_file, names_in, ticker_on
from holdfast.vocab.market import Quote, Trade
from holdfast.vocab.units import NS_PER_MS
from tests.house.recorded import data_dir  # noqa: F401

OPEN_MS, CLOSE_MS = 34_200_000, 57_600_000
MIDNIGHT_NS = 1_381_118_400 * 10**9  # 2013-10-07 in New York, four hours behind UTC


def write(folder, place, text):
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", text)
    return path


def events(path):
    return [frame.event for frame in frames_of(lean_file(path))]


def crossed(quotes):
    return sum(quote.bid_ticks > quote.ask_ticks for quote in quotes)


def locked(quotes):
    return sum(quote.bid_ticks == quote.ask_ticks for quote in quotes)


@pytest.mark.data
@pytest.mark.parametrize(
    ("day", "rows", "over", "equal"), [("20131007", 107_998, 86, 648), ("20131010", 104_222, 49, 238)]
)
def test_the_running_touch_is_crossed_and_locked_as_often_as_known(data_dir, day, rows, over, equal):  # noqa: F811
    """One side a row: a quote per exchange would look crossed nearly always."""
    file = lean_file(data_dir / "equities_lean" / "tick" / "ibm" / f"{day}_quote.zip")
    start, end = (file.midnight_ns + at_ms * NS_PER_MS for at_ms in (OPEN_MS, CLOSE_MS))
    quotes = [frame.event for frame in frames_of(file) if start <= frame.venue_ns < end]
    assert (rows, over, equal) == (len(quotes), crossed(quotes), locked(quotes))


@pytest.mark.data
@pytest.mark.parametrize(
    ("place", "count", "kind"),
    [
        ("tick/ibm/20131007_trade.zip", 24_293, Trade),
        ("tick/spy/20131007_trade.zip", 250_601, Trade),
        ("second/ibm/20131007_quote.zip", 11_676, Quote),
        ("second/spy/20131010_quote.zip", 31_107, Quote),
    ],
)
def test_every_row_is_an_event(data_dir, place, count, kind):  # noqa: F811
    found = events(data_dir / "equities_lean" / place)
    assert count == len(found)
    assert {kind} == {type(event) for event in found}
    assert sorted(event.seq for event in found) == [event.seq for event in found]


# by the data's own table: rows and locked bars of each day's seconds
SECONDS = {
    "ibm": ((11_676, 2), (12_801, 7), (12_640, 2), (11_599, 1), (10_934, 11)),
    "spy": ((27_409, 481), (29_832, 627), (28_658, 537), (31_107, 698), (27_880, 390)),
}


@pytest.mark.data
@pytest.mark.parametrize("ticker", SECONDS)
def test_seconds_are_locked_as_often_as_known_and_never_crossed(data_dir, ticker):  # noqa: F811
    folder = data_dir / "equities_lean" / "second" / ticker
    days = [events(path) for path in sorted(folder.glob("*_quote.zip"))]
    assert SECONDS[ticker] == tuple((len(found), locked(found)) for found in days)
    assert 0 == sum(crossed(found) for found in days)


@pytest.mark.data
def test_minutes_are_as_many_as_known_and_never_crossed(data_dir):  # noqa: F811
    """Each company's rows over all of its days, less those that come before both sides were seen."""
    rows = {"aapl": 2_512, "aig": 3_042, "bac": 3_853, "foxa": 913 - 4, "goog": 740, "ibm": 3_398}
    rows |= {"nwsa": 932 - 3, "shy": 910, "spy": 6_373, "twx": 1_469 - 5}
    counted = {}
    for path in sorted((data_dir / "equities_lean" / "minute").glob("*/*_quote.zip")):
        found = events(path)
        assert 0 == crossed(found), path
        counted[path.parent.name] = counted.get(path.parent.name, 0) + len(found)
    assert rows == counted


@pytest.mark.data
def test_prints_that_the_tape_calls_suspicious_move_no_last_price(data_dir):  # noqa: F811
    found = events(data_dir / "equities_lean" / "tick" / "spy" / "20131010_trade.zip")
    odd = [trade for trade in found if not trade.market]
    assert (10, {1_655_900}) == (len(odd), {trade.price_ticks for trade in odd})


@pytest.mark.data
def test_days_and_kinds_come_as_one_market_by_time(data_dir):  # noqa: F811
    folder = data_dir / "equities_lean" / "minute" / "aapl"
    source = LeanEquities(sorted(folder.glob("*.zip")))
    times = [frame.recv_ns for frame in source.frames()]
    assert sorted(times) == times
    assert source.start_ns == times[0]
    assert ["AAPL"] == [spec.instrument for spec in source.specs]


def test_a_side_that_a_row_does_not_tell_keeps_its_last_price(tmp_path):
    path = write(
        tmp_path,
        "tick/ibm/20131007_quote.zip",
        "1000,0,0,1836300,100,Q,1,0\n2000,1800100,300,0,0,P,1,0\n3000,1810000,200,0,0,P,1,0\n",
    )
    assert [
        (1_800_100, 300, 1_836_300, 100, MIDNIGHT_NS + 2_000 * NS_PER_MS),
        (1_810_000, 200, 1_836_300, 100, MIDNIGHT_NS + 3_000 * NS_PER_MS),
    ] == [
        (quote.bid_ticks, quote.bid_lots, quote.ask_ticks, quote.ask_lots, quote.venue_ns)
        for quote in events(path)
    ]


def test_a_bar_is_told_at_its_end(tmp_path):
    """A bar carries its start: told then, it would be a look into the future."""
    path = write(tmp_path, "minute/ibm/20131007_trade.zip", "34200000,100,120,90,110,42\n")
    found = events(path)
    assert [(100, 10), (90, 10), (120, 10), (110, 12)] == [(one.price_ticks, one.qty_lots) for one in found]
    assert {MIDNIGHT_NS + (34_200_000 + 60_000) * NS_PER_MS} == {one.venue_ns for one in found}


@pytest.mark.data
def test_what_companies_did_is_read(data_dir):  # noqa: F811
    folder = data_dir / "equities_lean"
    rows = {row.date: row for row in factors_in(folder / "factor_files" / "aapl.csv")}
    assert (90_118_180, 3_571_430, 6_455_700) == (
        rows[20140606].price_e8,
        rows[20140606].split_e8,
        rows[20140606].close_ticks,
    )
    fox = names_in(folder / "map_files" / "tfcfa.csv")
    assert ["nwsa", "foxa", "tfcfa"] == [ticker_on(fox, date) for date in (20130628, 20130701, 20190320)]
    assert "" == ticker_on(names_in(folder / "map_files" / "fb.csv"), 20120517)  # another company's then


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (
            "tick/ibm/20131007_quote.zip",
            "1000,x,0,1,1,Q,1,0\n",
            "20131007_quote.zip:1: not a row of tick data",
        ),
        ("tick/ibm/20131007_trade.zip", "1000,5\n", "20131007_trade.zip:1: not a row of tick data"),
        ("minute/ibm/20131307_trade.zip", "", "20131307: month must be in 1..12"),
        ("hour/ibm/20131007_trade.zip", "", "expected tick|second|minute/<ticker>/<date>_quote|trade.zip"),
    ],
)
def test_a_file_that_is_not_one_is_said_in_one_line(tmp_path, place, text, said):
    path = write(tmp_path, place, text)
    with pytest.raises(SourceUnusable) as told:
        events(path)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_damaged_archive_is_said_with_its_name(tmp_path):
    path = write(tmp_path, "tick/ibm/20131007_trade.zip", "1000,5,5,P,0,0\n" * 500)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceUnusable, match=r"20131007_trade\.zip: damaged"):
        events(path)


@pytest.mark.parametrize("text", ["20140606,0.9\n", "20140606,0,1,1\n", "2,1,1,1\n1,1,1,1\n", "x,1,1,1\n"])
def test_a_factor_file_that_makes_no_sense_is_refused(tmp_path, text):
    (tmp_path / "aapl.csv").write_text(text)
    with pytest.raises(SourceUnusable, match=r"aapl\.csv"):
        factors_in(tmp_path / "aapl.csv")
