"""Published CSV files: Binance's public data and Tardis, plain, gzip and zip."""

import gzip
import zipfile
from typing import Any, TypeVar

import pytest

from holdfast.sim.sources import BTCUSDT, ETHUSDT, BinanceCsv, SourceUnusable, TardisCsv
from holdfast.sim.sources.levels import Levels
from holdfast.vocab.market import Depth, Mark, Quote, Trade

Kind = TypeVar("Kind")

BOOK_TICKER = """update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time
5123107839020,61800.2,2.507,61800.3,2.51,1723161256313,1723161256314
5123107840008,61800.2,2.507,61800.3,2.504,1723161256322,1723161256322
"""
TRADES = """id,price,qty,quote_qty,time,is_buyer_maker
5266583935,61800.3,0.006,370.8018,1723161256313,false
5266583936,61800.2,0.199,12298.2398,1723161256344,true
"""
AGG_TRADES = """2350000001,61800.3,0.205,5266583935,5266583936,1723161256322,False
2350000002,61800.1,0.010,5266583937,5266583937,1723161256400,True
"""
KLINES = """open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,ignore
1723161240000,61800.0,61810.0,61790.0,61805.0,12.345,1723161299999,0,100,6.0,0
1723161300000,61805.0,61806.0,61780.0,61790.0,0.003,1723161359999,0,1,0.0,0
1723161360000,61790.0,61795.0,61770.0,61780.0,8.000,1723161419999,0,50,2.0,0
"""


def write(folder, name, text):
    path = folder / name
    if name.endswith(".gz"):
        with gzip.open(path, "wt") as file:
            file.write(text)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name.replace(".zip", ".csv"), text)
    else:
        path.write_text(text)
    return path


def events_of(source, kind: type[Kind]) -> list[Kind]:
    return [frame.event for frame in source.frames() if isinstance(frame.event, kind)]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "zip"])
def test_binance_book_tickers_become_quotes(tmp_path, ending):
    source = BinanceCsv([write(tmp_path, f"BTCUSDT-bookTicker-2024-08-08.{ending}", BOOK_TICKER)])
    at_ns = 1_723_161_256_314_000_000
    quotes = events_of(source, Quote)
    assert Quote("BTCUSDT", 5_123_107_839_020, 618_002, 2_507, 618_003, 2_510, at_ns, 0, 0) == quotes[0]
    assert (2, at_ns, (BTCUSDT,)) == (len(quotes), source.start_ns, source.specs)
    assert 1 == len(events_of(source, Mark))


def test_binance_prints_are_read_with_and_without_a_header(tmp_path):
    with_header = BinanceCsv([write(tmp_path, "BTCUSDT-trades-2024-08-08.csv", TRADES)])
    without = BinanceCsv([write(tmp_path, "BTCUSDT-aggTrades-2024-08-08.csv", AGG_TRADES)])
    assert [(618_003, 6, 1), (618_002, 199, -1)] == [
        (one.price_ticks, one.qty_lots, one.aggressor) for one in events_of(with_header, Trade)
    ]
    assert [(2_350_000_001, 618_003, 205, 1), (2_350_000_002, 618_001, 10, -1)] == [
        (one.seq, one.price_ticks, one.qty_lots, one.aggressor) for one in events_of(without, Trade)
    ]


def test_prints_alone_come_with_a_touch_around_them(tmp_path):
    """A venue without quotes fills nothing."""
    source = BinanceCsv([write(tmp_path, "BTCUSDT-aggTrades-2024-08-08.csv", AGG_TRADES)], touch_lots=77)
    touches = [(one.bid_ticks, one.bid_lots, one.ask_ticks) for one in events_of(source, Quote)]
    assert [(618_002, 77, 618_003), (618_001, 77, 618_002)] == touches


def test_a_symbol_with_quotes_gets_none_from_its_prints(tmp_path):
    source = BinanceCsv(
        [
            write(tmp_path, "BTCUSDT-trades-2024-08-08.csv", TRADES),
            write(tmp_path, "BTCUSDT-bookTicker-2024-08-08.csv", BOOK_TICKER),
        ]
    )
    times = [frame.recv_ns for frame in source.frames()]
    assert sorted(times) == times
    assert (2, 2) == (len(events_of(source, Quote)), len(events_of(source, Trade)))


def test_spot_times_in_microseconds_are_told_apart(tmp_path):
    text = "1,61800.3,0.006,370.8,1735689600000123,False,True\n"
    source = BinanceCsv([write(tmp_path, "BTCUSDT-trades-2025-01-01.csv", text)])
    assert 1_735_689_600_000_123_000 == source.start_ns


def test_a_kline_becomes_four_prints_with_its_extremes_in_a_likely_order(tmp_path):
    trades = events_of(BinanceCsv([write(tmp_path, "BTCUSDT-1m-2024-08-08.csv", KLINES)]), Trade)
    assert [618_000, 617_900, 618_100, 618_050] == [one.price_ticks for one in trades[:4]]
    assert [617_900, 617_950, 617_700, 617_800] == [one.price_ticks for one in trades[4:]]
    assert {3_086, 2_000} == {one.qty_lots for one in trades}
    assert list(range(1, 9)) == [one.seq for one in trades]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "BTCUSDT-trades-2024-08-08.csv",
            TRADES + "7,61800.35,0.1,1,1723161256400,true\n",
            r":4: '61800.35'",
        ),
        ("BTCUSDT-trades-2024-08-08.csv", TRADES + "7,nan,0.1,1,1723161256400,true\n", r":4: 'nan'"),
        ("BTCUSDT-trades-2024-08-08.csv", TRADES + "7,61800.3\n", r":4: too few cells"),
        (
            "BTCUSDT-trades-2024-08-08.csv",
            TRADES.replace("is_buyer_maker", "x"),
            r"no column 'is_buyer_maker'",
        ),
        ("BTCUSDT-trades-2024-08-08.csv", "", r"empty"),
        ("DOGEUSDT-trades-2024-08-08.csv", TRADES, r"no facts of DOGEUSDT"),
        ("trades.csv", TRADES, r"not named as published"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_with_its_place(tmp_path, name, text, said):
    path = write(tmp_path, name, text)
    with pytest.raises(SourceUnusable, match=said) as told:
        list(BinanceCsv([path]).frames())
    assert name in str(told.value)
    assert "\n" not in str(told.value)


def test_a_cut_off_archive_is_refused(tmp_path):
    path = write(tmp_path, "BTCUSDT-trades-2024-08-08.csv.gz", TRADES * 200)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceUnusable, match="damaged"):
        list(BinanceCsv([path]).frames())
    bad = tmp_path / "BTCUSDT-trades-2024-08-09.zip"
    bad.write_bytes(b"not an archive")
    with pytest.raises(SourceUnusable, match="damaged"):
        list(BinanceCsv([bad]).frames())


# --- Tardis -----------------------------------------------------------------------------------------------------

START_US = 1_723_161_256_000_000
SIDES = ("asks", "bids")
HEAD = "exchange,symbol,timestamp,local_timestamp"


def tardis_rows(*rows, symbol="BTCUSDT"):
    return "".join(
        f"binance-futures,{symbol},{START_US + at},{START_US + at + 1_500},{cells}\n" for at, cells in rows
    )


def test_tardis_quotes_and_trades_are_merged_by_local_time(tmp_path):
    quotes = f"{HEAD},ask_amount,ask_price,bid_price,bid_amount\n" + tardis_rows(
        (0, "2.51,61800.3,61800.2,2.507"), (20, "1,61800.4,61800.2,2.507"), (30, ",,61800.2,1")
    )
    trades = f"{HEAD},id,side,price,amount\n" + tardis_rows(
        (10, "77,buy,61800.3,0.006"), (25, ",sell,61800.2,0.5")
    )
    source = TardisCsv(
        [write(tmp_path, "quotes.csv.gz", quotes), write(tmp_path, "trades.csv", trades)],
    )
    frames: list[Any] = [frame for frame in source.frames() if not isinstance(frame.event, Mark)]
    assert [Quote, Trade, Quote, Trade] == [type(frame.event) for frame in frames]
    assert (START_US + 1_500) * 1_000 == frames[0].recv_ns == source.start_ns
    assert START_US * 1_000 == frames[0].venue_ns
    assert [1, -1] == [frame.event.aggressor for frame in frames[1::2]]
    assert (618_002, 2_507, 618_003, 2_510) == (
        frames[0].event.bid_ticks,
        frames[0].event.bid_lots,
        frames[0].event.ask_ticks,
        frames[0].event.ask_lots,
    )


def test_a_tardis_book_opens_changes_and_reconnects(tmp_path):
    """After a reconnect the file holds a new snapshot: a subscriber must be led to it, not left behind."""
    text = f"{HEAD},is_snapshot,side,price,amount\n" + tardis_rows(
        (0, "true,bid,61800.2,1"),
        (0, "true,bid,61800.1,2"),
        (0, "true,ask,61800.3,3"),
        (10, "false,bid,61800.2,0"),
        (10, "false,ask,61800.4,5"),
        (20, "true,bid,61800.0,7"),
        (20, "true,ask,61800.3,3"),
    )
    source = TardisCsv([write(tmp_path, "incremental_book_L2.csv", text)])
    depths: list[Any] = [frame for frame in source.frames() if isinstance(frame.event, Depth)]
    assert [(True, ""), (False, "btcusdt@depth@100ms"), (False, "btcusdt@depth@100ms")] == [
        (frame.event.snapshot, frame.stream) for frame in depths
    ]
    levels = Levels()
    for frame in depths:
        assert frame.event.snapshot or frame.event.seq_prev == levels.seq
        levels.apply(frame.event)
    assert ({618_000: 7_000}, {618_003: 3_000}) == (levels.bids, levels.asks)
    touches = [(one.bid_ticks, one.ask_ticks) for one in events_of(source, Quote)]
    assert [(618_002, 618_003), (618_001, 618_003), (618_000, 618_003)] == touches


def test_tardis_snapshots_of_some_levels_become_one_chain(tmp_path):
    columns = ",".join(
        f"{side}[{n}].{what}" for n in (0, 1) for side in ("asks", "bids") for what in ("price", "amount")
    )
    text = f"{HEAD},{columns}\n" + tardis_rows(
        (0, "61800.3,1,61800.2,2,61800.4,3,61800.1,4"), (10, "61800.3,1,61800.2,5,61800.5,6,,")
    )
    source = TardisCsv([write(tmp_path, "book_snapshot_2.csv", text)])
    depths = events_of(source, Depth)
    assert [True, False] == [one.snapshot for one in depths]
    assert ((618_001, 0), (618_002, 5_000)) == depths[1].bids
    assert ((618_004, 0), (618_005, 6_000)) == depths[1].asks


def test_tardis_marks_are_read(tmp_path):
    columns = "funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    text = f"{HEAD},{columns}\n" + tardis_rows(
        (0, f"{START_US + 10**9},0.0001,,1,61800,61801,61800.16"), (5, ",,,,,,")
    )
    marks = events_of(TardisCsv([write(tmp_path, "derivative_ticker.csv", text)]), Mark)
    assert [(618_002, 100_000)] == [(one.mark_ticks, one.funding_ppb) for one in marks]


def test_a_tardis_file_of_several_symbols_needs_the_facts_of_all(tmp_path):
    head = f"{HEAD},id,side,price,amount\n"
    both = head + tardis_rows((0, "1,buy,61800.3,1")) + tardis_rows((5, "2,buy,2681.63,1"), symbol="ETHUSDT")
    source = TardisCsv([write(tmp_path, "trades.csv", both)], specs={"ETHUSDT": ETHUSDT})
    assert {"BTCUSDT", "ETHUSDT"} == {one.instrument for one in events_of(source, Trade)}
    assert (BTCUSDT, ETHUSDT) == source.specs
    other = both + tardis_rows((9, "3,buy,1.5,1"), symbol="XRPUSDT")
    with pytest.raises(SourceUnusable, match=r"trades2.csv:4: no facts of XRPUSDT"):
        list(TardisCsv([write(tmp_path, "trades2.csv", other)]).frames())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,c\n1,2,3\n", "of no kind that is read here"),
        ("1,2,3\n", ":1: has no header line"),
        (f"{HEAD},id,side,price,amount\n", "no rows"),
        (f"{HEAD},id,side,price,amount\n" + tardis_rows((0, "1,up,61800.3,1")), ":2: unknown word 'up'"),
    ],
)
def test_a_tardis_file_that_cannot_be_read_is_one_line(tmp_path, text, said):
    path = write(tmp_path, "some.csv", text)
    with pytest.raises(SourceUnusable, match=said):
        list(TardisCsv([path]).frames())
