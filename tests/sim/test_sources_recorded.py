"""Recorded sessions against what is known of each file, and against damaged ones."""

import gzip
import json
from collections import Counter
from itertools import islice

import pytest

from holdfast.sim.sources import (
    BTCUSDT,
    ETHUSDT,
    Continued,
    Generated,
    RecordedFrames,
    SourceUnusable,
    demo_source,
    frame_json,
)
from holdfast.sim.sources.levels import Levels
from holdfast.sim.sources.specs import texts_of
from holdfast.vocab.instruments import InstrumentSpec
from holdfast.vocab.market import Depth, Mark, Quote, Trade
from tests.sim.recordings import diff, quote, snapshot, trade, write_recording

SPOT = InstrumentSpec(
    instrument="BTCUSDT",
    symbol="BTC/USDT",
    base_asset="BTC",
    quote_asset="USDT",
    settle_asset="USDT",
    tick="0.01000000",
    lot="0.00000001",
    tick_lot_e8=1,  # not used here: a tick times a lot is finer than 1e-8
    qty_lots_min=1,
    qty_lots_max=900_000_000,
    market_lots_max=10_000_000,
    notional_e8_min=5 * 10**8,
)
# Contracts of 100 USD, counted as they come: enough to read the file, not to trade it.
COIN = InstrumentSpec(
    instrument="BTCUSD_PERP",
    symbol="BTC/USD:BTC",
    base_asset="BTC",
    quote_asset="USD",
    settle_asset="BTC",
    tick="0.1",
    lot="1",
    tick_lot_e8=10**7,
    qty_lots_min=1,
    qty_lots_max=1_000_000,
    market_lots_max=60_000,
    notional_e8_min=0,
)
SPECS = {"cm": {"BTCUSD_PERP": COIN}, "spot": {"BTCUSDT": SPOT}, "usdm": {}}

# file, quotes, trades, diffs, whether it has a REST snapshot: the data README's table
FILES = [
    ("cm_btcusd_perp_20240808", 19_136, 2_286, 26_847, True),
    ("spot_btcusdt_20240808", 28_040, 9_757, 3_451, True),
    ("spot_btcusdt_20240809", 45_134, 10_147, 3_044, False),
    ("usdm_btcusdt_20240718", 7_113, 974, 3_326, True),
    ("usdm_btcusdt_20240719", 45_147, 9_727, 5_696, False),
    ("usdm_btcusdt_20240808", 66_089, 21_313, 6_551, True),
    ("usdm_ethusdt_20240718", 9_089, 1_640, 3_273, True),
    ("usdm_ethusdt_20240719", 38_239, 12_015, 5_656, False),
    ("usdm_ethusdt_20240808", 53_992, 14_076, 6_586, True),
]


def recording(data_dir, name):
    path = data_dir / "binance_ws_raw" / f"{name}.jsonl_ts.gz"
    if not path.is_file():
        pytest.skip(f"this recording is not there: {path}")
    return path


def book_by_the_venues_procedure(path, spec):
    """The slow twin: buffer diffs, take the snapshot, drop the stale ones, apply the rest."""
    texts = texts_of(spec)
    levels: dict[str, dict[str, str]] = {}
    buffered, last_id = [], 0
    with gzip.open(path) as file:
        for line in file:
            message = json.loads(line.partition(b" ")[2])
            if "stream" not in message:
                levels = {side: dict(message[side]) for side in ("bids", "asks")}
                last_id = message["lastUpdateId"]
            elif "@depth" in message["stream"]:
                buffered.append(message["data"])
    for one in buffered:
        if one["u"] < last_id:
            continue
        for side, changes in (("bids", one["b"]), ("asks", one["a"])):
            for price, size in changes:
                levels[side][price] = size
    return tuple(
        {texts.ticks[price]: texts.lots[size] for price, size in levels[side].items() if texts.lots[size]}
        for side in ("bids", "asks")
    )


# --- the real files --------------------------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.parametrize(("name", "quotes", "trades", "diffs", "snapshot_there"), FILES)
def test_every_frame_of_a_file_is_read_and_its_book_never_crosses(
    data_dir, name, quotes, trades, diffs, snapshot_there
):
    path = recording(data_dir, name)
    source = RecordedFrames([path], specs=SPECS[name.partition("_")[0]])
    kinds: Counter[type] = Counter()
    levels, last_ns, opened = Levels(), 0, 0
    for frame in source.frames():
        event = frame.event
        kinds[type(event)] += 1
        assert frame.recv_ns >= last_ns
        last_ns = frame.recv_ns
        if isinstance(event, Depth):
            opened += event.snapshot
            assert event.snapshot or not levels.seq or event.seq_prev == levels.seq, "no gap in the chain"
            levels.apply(event)
            if kinds[Depth] % 10 == 0 and levels.best is not None:
                assert levels.best[0] < levels.best[1]

    assert (quotes, trades, diffs) == (kinds[Quote], kinds[Trade], kinds[Depth] - opened)
    assert snapshot_there == opened
    assert kinds[Mark] > 170, "the smoothed mid stands in for the mark, once a second"
    if snapshot_there:
        for theirs, ours in zip(
            book_by_the_venues_procedure(path, source.specs[0]), (levels.bids, levels.asks), strict=True
        ):
            assert theirs == {price: lots for price, lots in ours.items() if price in theirs}
            # the earliest diffs told of a few levels further out than the snapshot's thousand reach
            assert len(ours) - len(theirs) <= 5


@pytest.mark.data
@pytest.mark.parametrize("name", ["usdm_btcusdt_20240808", "usdm_ethusdt_20240808"])
def test_a_frame_written_anew_is_byte_for_byte_the_recorded_one(data_dir, name):
    """Loops are written anew: their clients must not be able to tell."""
    source = RecordedFrames([recording(data_dir, name)], marks=False)
    compared = 0
    for frame in islice(source.frames(), 20_000):
        if frame.raw is not None:
            fresh = type(frame)(
                frame.venue_ns,
                frame.recv_ns,
                frame.symbol,
                frame.stream,
                None,
                frame.event,
                frame.spec,
                frame.transact_ns,
            )
            assert frame.raw == frame_json(fresh)
            compared += 1
    assert compared > 19_000


@pytest.mark.data
def test_the_demo_trades_the_session_of_two_instruments_where_it_is_there(data_dir, tmp_path):
    recording(data_dir, "usdm_btcusdt_20240808")
    source = demo_source(data_dir, 1)
    assert isinstance(source, Continued)
    assert (BTCUSDT, ETHUSDT) == source.specs
    assert {"BTCUSDT", "ETHUSDT"} == {frame.symbol for frame in islice(source.frames(), 2_000)}
    assert isinstance(demo_source(tmp_path, 1), Generated)
    assert isinstance(demo_source(None, 1), Generated)


@pytest.mark.data
def test_no_frame_of_the_session_arrives_before_it_was_sent_by_more_than_a_few_ms(data_dir):
    """The recorder's clock was 1.27 s behind; what clients see must not be."""
    early_ns = [
        frame.venue_ns - frame.recv_ns
        for frame in islice(demo_source(data_dir, 1).frames(), 60_000)
        if frame.stream
    ]
    assert max(early_ns) < 5_000_000
    assert -100_000_000 < min(early_ns)


@pytest.mark.data
def test_two_stretches_of_one_symbol_join_without_a_gap(data_dir):
    paths = [recording(data_dir, f"usdm_btcusdt_2024071{day}") for day in (8, 9)]
    seq, trade_id = 0, 0
    for frame in RecordedFrames(paths, marks=False).frames():
        if isinstance(frame.event, Depth):
            assert not seq or frame.event.snapshot or frame.event.seq_prev == seq
            seq = frame.event.seq
        elif isinstance(frame.event, Trade):
            assert not trade_id or frame.event.seq == trade_id + 1
            trade_id = frame.event.seq


# --- small ones of our own ------------------------------------------------------------------------------------------


def test_the_book_opens_with_what_stood_before_the_first_diff(tmp_path):
    """The snapshot comes late: nothing may be traded against levels that were not there."""
    path = write_recording(
        tmp_path,
        [
            diff(10, 12, 9, bids=[("100.0", "1")]),
            diff(13, 15, 12, asks=[("101.0", "0"), ("102.0", "5")]),
            snapshot(14, bids=[("100.0", "1"), ("99.0", "7")], asks=[("102.0", "5"), ("103.0", "8")]),
            diff(16, 18, 15, bids=[("99.0", "0")]),
        ],
    )
    depths = [frame.event for frame in RecordedFrames([path]).frames() if isinstance(frame.event, Depth)]

    assert depths[0].snapshot
    assert 9 == depths[0].seq
    assert ((990, 7_000),) == depths[0].bids, "99.0 stood all along; 100.0 came with the first diff"
    assert ((1_030, 8_000),) == depths[0].asks
    levels = Levels()
    for depth in depths:
        levels.apply(depth)
    assert ({1_000: 1_000}, {1_020: 5_000, 1_030: 8_000}) == (levels.bids, levels.asks)


def test_a_gap_between_snapshot_and_diffs_is_refused(tmp_path):
    late = write_recording(tmp_path, [snapshot(5), diff(10, 12, 9)], name="late")
    with pytest.raises(SourceUnusable, match="gap between the snapshot of id 5"):
        RecordedFrames([late])
    early = write_recording(tmp_path, [diff(10, 12, 9), snapshot(50)], name="early")
    with pytest.raises(SourceUnusable, match="no diff reaches the snapshot of id 50"):
        RecordedFrames([early])


def test_microseconds_and_nanoseconds_are_told_apart(tmp_path):
    micro = write_recording(tmp_path, [quote(1), quote(2)], name="micro", unit_ns=1_000)
    nano = write_recording(tmp_path, [quote(1), quote(2)], name="nano")
    gaps = []
    for path in (micro, nano):
        times = [frame.recv_ns for frame in RecordedFrames([path], marks=False).frames()]
        gaps.append(times[1] - times[0])
    assert [10_000_000, 10_000_000] == gaps


def test_a_print_outside_the_market_is_marked_so(tmp_path):
    path = write_recording(tmp_path, [quote(1), trade(5, kind="INSURANCE_FUND"), trade(6)])
    prints = [one.event for one in RecordedFrames([path]).frames() if isinstance(one.event, Trade)]
    assert [False, True] == [one.market for one in prints]
    assert b'"X":"INSURANCE_FUND"' in next(
        frame_json(one) for one in RecordedFrames([path]).frames() if isinstance(one.event, Trade)
    )


def test_a_recorded_mark_replaces_the_smoothed_mid(tmp_path):
    mark = {"e": "markPriceUpdate", "s": "BTCUSDT", "p": "61800.06", "r": "-0.0001", "T": 1_723_190_400_000}
    path = write_recording(
        tmp_path, [("btcusdt@markPrice@1s", mark), *(quote(number) for number in range(1, 400))]
    )
    marks = [one.event for one in RecordedFrames([path]).frames() if isinstance(one.event, Mark)]
    assert [(618_001, -100_000)] == [(one.mark_ticks, one.funding_ppb) for one in marks]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not a time {}\n", r":3: does not begin with a receive time"),
        (b"1723161255088169167 {truncated\n", r":3: not a frame"),
        (b'1723161255088169167 {"stream":"btcusdt@bookTicker","data":{"u":1}}\n', r":3: not a frame"),
        (
            b'1723161255088169167 {"stream":"@bookTicker","data":{"u":1,"b":"nan","B":"1","a":"2","A":"1"}}\n',
            r":3: not a frame: 'nan' is not a whole multiple of 0.10",
        ),
        (
            b'1723161255088169167 {"stream":"btcusdt@kline_1m","data":{"s":"BTCUSDT","E":1723161255088}}\n',
            r":3: not a frame: stream 'btcusdt@kline_1m'",
        ),
    ],
)
def test_a_damaged_line_is_named_by_file_and_place(tmp_path, line, said):
    path = write_recording(tmp_path, [quote(1), quote(2)])
    with gzip.open(path, "ab") as file:
        file.write(line)
    with pytest.raises(SourceUnusable, match=f"{path.name}{said}") as told:
        list(RecordedFrames([path]).frames())
    assert "\n" not in str(told.value)


def test_a_cut_off_file_is_refused_at_the_cut(tmp_path):
    path = write_recording(tmp_path, [quote(number) for number in range(1, 5_000)])
    path.write_bytes(path.read_bytes()[:-200])
    source = RecordedFrames([path])
    with pytest.raises(SourceUnusable, match="damaged after line"):
        list(source.frames())


def test_a_missing_file_an_unknown_instrument_and_no_file_are_one_line_each(tmp_path):
    with pytest.raises(SourceUnusable, match="no such recording"):
        RecordedFrames([tmp_path / "absent.gz"])
    path = write_recording(tmp_path, [quote(1, symbol="DOGEUSDT")])
    with pytest.raises(SourceUnusable, match="no facts of its instrument 'DOGEUSDT'"):
        RecordedFrames([path])
    with pytest.raises(SourceUnusable, match="no recording given"):
        RecordedFrames([])
