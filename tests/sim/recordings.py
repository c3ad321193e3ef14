"""Builders of small recordings in the raw format."""

import gzip
import json

START_MS = 1_723_161_255_000
STEP_MS = 10


def quote(seq, *, bid="61800.00", ask="61800.10", symbol="BTCUSDT"):
    data = {"e": "bookTicker", "u": seq, "s": symbol, "b": bid, "B": "2.500", "a": ask, "A": "1.000"}
    return f"{symbol.lower()}@bookTicker", data


def trade(trade_id, *, price="61800.10", qty="0.010", maker=False, kind="MARKET", symbol="BTCUSDT"):
    data = {"e": "trade", "s": symbol, "t": trade_id, "p": price, "q": qty, "X": kind, "m": maker}
    return f"{symbol.lower()}@trade", data


def diff(first, last, before, *, bids=(), asks=(), symbol="BTCUSDT"):
    data = {"e": "depthUpdate", "s": symbol, "U": first, "u": last, "pu": before, "b": bids, "a": asks}
    return f"{symbol.lower()}@depth@0ms", data


def snapshot(last_id, *, bids=(), asks=()):
    return "", {"lastUpdateId": last_id, "bids": bids, "asks": asks}


def write_recording(folder, messages, *, name="usdm_btcusdt", unit_ns=1, start_ms=START_MS):
    """One message each 10 ms; event times are 1.27 s ahead of the receive times, as recorders' clocks are."""
    path = folder / f"{name}.jsonl_ts.gz"
    with gzip.open(path, "wb") as file:
        for number, (stream, data) in enumerate(messages):
            at_ms = start_ms + number * STEP_MS
            stamps = {"E": at_ms + 1_270} | ({} if "T" in data else {"T": at_ms + 1_270})
            body = {"stream": stream, "data": {**data, **stamps}} if stream else {**data, **stamps}
            line = f"{at_ms * 1_000_000 // unit_ns} {json.dumps(body, separators=(',', ':'))}\n"
            file.write(line.encode())
    return path
