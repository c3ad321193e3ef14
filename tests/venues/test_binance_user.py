"""The user stream's messages: every one becomes events, or is counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.venues.binance.user import UserReader
from holdfast.vocab.events import CashHinted, NoticeKind, OrderReported, TradeReported, VenueNotice
from holdfast.vocab.orders import Side
from holdfast.vocab.reports import FillCause, VenueStatus
from tests.venues.house import book, order_id

BOOK = book()
OUR_ID = BOOK.client_id(order_id())
ORDER = {
    "s": "BTCUSDT", "c": OUR_ID, "S": "SELL", "o": "LIMIT", "f": "GTC", "q": "0.020", "p": "53320.0", "ap": "53320",
    "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 246411433, "l": "0.005", "z": "0.015", "L": "53320.0",
    "n": "0.00213279", "N": "USDT", "T": 1685466798560, "t": 19334107, "b": "10", "a": "0", "m": True, "R": True,
    "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0.24", "pP": False, "si": 0, "ss": 0,
}  # fmt: skip
ALGO = {
    "caid": OUR_ID, "aid": 2148719, "at": "CONDITIONAL", "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "ps": "BOTH",
    "f": "GTC", "q": "0.01", "X": "NEW", "ai": "", "ap": "0.00000", "aq": "0.00000", "act": "0", "tp": "58000.0",
    "p": "0", "V": "NONE", "wt": "CONTRACT_PRICE", "pm": "NONE", "cp": False, "pP": False, "R": True, "tt": 0, "gtd": 0,
}  # fmt: skip


def update(**changes):
    return {"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": {**ORDER, **changes}}


def told(reader, message):
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    return reader.read(raw, 111, 222)


def one(message, reader=None):
    events = told(reader or UserReader(BOOK), message)
    assert 1 == len(events), events
    assert (111, 222) == (events[0].wall_ns, events[0].mono_ns)
    return events[0]


def test_a_fill_carries_the_orders_state_with_it():
    event = one(update())
    assert isinstance(event, TradeReported)
    trade, report = event.trade, event.report
    assert ("19334107", order_id(), 5, 533_200, 213_279, "USDT", True, Side.SELL) == (
        trade.trade_id,
        trade.order_id,
        trade.qty_lots,
        trade.price_ticks,
        trade.fee_e8,
        trade.fee_asset,
        trade.maker,
        trade.side,
    )
    assert (VenueStatus.PARTIALLY_FILLED, 15, 20, True) == (
        report.status,
        report.filled_lots,
        report.qty_lots,
        report.reduce_only,
    )
    assert 1_685_466_798_560_000_000 == trade.venue_ns == report.venue_ns


@pytest.mark.parametrize("execution", ["NEW", "CANCELED", "EXPIRED", "AMENDMENT"])
def test_a_state_without_an_execution_is_an_order_report(execution):
    event = one(
        update(x=execution, X="NEW" if execution == "AMENDMENT" else execution, l="0", t=0, n=None, N=None)
    )
    assert isinstance(event, OrderReported)


def test_a_fee_that_is_not_said_is_the_venues_word_for_none():
    """Binance leaves the commission out when there is none."""
    trade = one(update(n=None, N=None)).trade
    assert (0, "USDT") == (trade.fee_e8, trade.fee_asset)


@pytest.mark.parametrize(
    ("client_id", "execution", "cause"),
    [
        ("autoclose-1234567890123456", "CALCULATED", FillCause.LIQUIDATION),
        ("adl_autoclose", "CALCULATED", FillCause.ADL),
        ("settlement_autoclose-9999", "TRADE", FillCause.SETTLEMENT),
        ("web_abc", "TRADE", FillCause.ORDER),
    ],
)
def test_the_venues_own_acts_are_fills_with_their_cause(client_id, execution, cause):
    """A liquidation that is not booked is a position that nobody knows of."""
    trade = one(update(c=client_id, x=execution)).trade
    assert (None, cause) == (trade.order_id, trade.cause)


def test_a_liquidation_without_a_size_is_only_a_state():
    assert isinstance(one(update(c="autoclose-1", x="CALCULATED", q="0", l="0", z="0", L="0")), OrderReported)


def test_a_conditional_order_is_reported_and_what_it_becomes_is_ours():
    reader = UserReader(BOOK)
    event = one({"e": "ALGO_UPDATE", "T": 5, "E": 6, "o": ALGO}, reader)
    assert isinstance(event, OrderReported)
    assert (True, order_id(), 580_000) == (
        event.report.conditional,
        event.report.order_id,
        event.report.trigger_ticks,
    )
    one({"e": "ALGO_UPDATE", "T": 7, "E": 7, "o": {**ALGO, "X": "TRIGGERED", "ai": "246411433"}}, reader)
    assert order_id() == one(update(c="not-our-client-id"), reader).trade.order_id


def test_cash_that_moved_is_hinted_and_trades_are_not_hinted_twice():
    balances = [{"a": "USDT", "wb": "1", "cw": "1", "bc": "1"}, {"a": "BNB", "wb": "1", "cw": "1", "bc": "0"}]
    account = {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": "FUNDING_FEE", "B": balances, "P": []}}
    assert [("FUNDING_FEE", "USDT"), ("FUNDING_FEE", "BNB")] == [
        (event.kind, event.asset) for event in told(UserReader(BOOK), account)
    ]
    assert () == told(UserReader(BOOK), {**account, "a": {"m": "ORDER", "B": balances, "P": []}})
    bare = told(UserReader(BOOK), {**account, "a": {"m": "DEPOSIT"}})
    assert [CashHinted(wall_ns=111, mono_ns=222, kind="DEPOSIT", asset="")] == list(bare)


@pytest.mark.parametrize(
    ("message", "kind", "instrument"),
    [
        ({"e": "MARGIN_CALL", "E": 1, "cw": "3", "p": [{"s": "ETHUSDT"}]}, NoticeKind.MARGIN_CALL, "ETHUSDT"),
        (
            {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": "BTCUSDT", "l": 25}},
            NoticeKind.LEVERAGE_CHANGED,
            "BTCUSDT",
        ),
        ({"e": "ACCOUNT_CONFIG_UPDATE", "ai": {"j": True}}, NoticeKind.POSITION_MODE_CHANGED, ""),
        (
            {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "or": {"s": "ETHUSDT", "i": 1, "r": "no"}},
            NoticeKind.TRIGGER_REJECTED,
            "ETHUSDT",
        ),
    ],
    ids=lambda value: value.get("e", "") if isinstance(value, dict) else None,
)
def test_what_ccxt_ignores_is_a_notice(message, kind, instrument):
    """Somebody changed the leverage, or the venue wants margin: ccxt drops these messages."""
    event = one(message)
    assert (VenueNotice, kind, instrument) == (type(event), event.kind, event.instrument)


def test_an_early_trade_without_its_fee_is_counted_and_waited_for():
    """Booked from TRADE_LITE, the fee of the full report would be dropped as a duplicate."""
    reader = UserReader(BOOK)
    lite = {
        "e": "TRADE_LITE",
        "E": 1,
        "T": 1,
        "s": "BTCUSDT",
        "q": "0.001",
        "p": "0",
        "t": 5,
        "i": 6,
        "c": OUR_ID,
    }
    assert () == told(reader, lite)
    assert 1 == reader.counts["TradeLite"]


def test_the_end_of_the_listen_key_is_seen():
    reader = UserReader(BOOK)
    assert () == told(reader, {"e": "listenKeyExpired", "E": 1, "listenKey": "k"})
    assert reader.expired


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"x":1}',
        json.dumps(update(q="0.0204")).encode(),
        json.dumps(update(l="NaN")).encode(),
        json.dumps(update(n="much")).encode(),
        json.dumps(update(s="DOGEUSDT")).encode(),
        json.dumps(update(i="7")).encode(),
        json.dumps({"e": "ORDER_TRADE_UPDATE", "o": {"s": "BTCUSDT"}}).encode(),
        json.dumps(update()).encode()[:-40],
        b"\xff\xfe\x00",
    ],
    ids=range(15),
)
def test_a_message_that_cannot_be_read_is_told(raw):
    """It may have been a fill: the core asks the venue for the truth."""
    event = one(raw)
    assert (VenueNotice, NoticeKind.UNREADABLE) == (type(event), event.kind)
    assert len(event.text) <= 200


def test_an_event_type_that_is_new_is_counted_and_bounded():
    reader = UserReader(BOOK)
    for number in range(1_000):
        assert () == told(reader, {"e": f"NOVELTY_{number}", "E": 1})
    assert 1 == reader.counts["other NOVELTY_7"]
    assert len(reader.counts) <= 257
    assert 1_000 == sum(reader.counts.values())


def test_an_unknown_status_is_passed_on_as_such_and_counted():
    reader = UserReader(BOOK)
    assert VenueStatus.OTHER is one(update(x="NEW", X="NEW_NOVELTY", l="0", t=0), reader).report.status
    assert 1 == reader.counts["status NEW_NOVELTY"]


def test_both_envelopes_are_read():
    message = update()
    assert one(message) == one({"stream": "listen-key", "data": message})


@pytest.mark.data
def test_published_messages_are_read(data_dir):
    """Real and documented messages of the venue, in instruments with fine enough grids."""
    from holdfast.venues.binance.codec import Book, Grid
    from tests.venues.house import spec

    coarse = {
        "BTCUSDT": "0.01",
        "ETHUSDT": "0.01",
        "SOLUSDT": "0.01",
        "XRPUSDT": "0.0001",
        "DOGEUSDT": "0.00001",
    }
    grids = {name: Grid.of(spec(name, tick=tick, lot="0.001")) for name, tick in coarse.items()}
    reader = UserReader(Book(account_tag=1, grids=grids))
    folder = data_dir / "binance_json"
    paths = [
        *(folder / "nautilus_py/ws_messages").glob("ws_futures_order*"),
        *(folder / "nautilus_rust/user_data_json").glob("*"),
    ]
    messages = [path.read_bytes() for path in paths if "price_match" not in path.name]
    lines = (folder / "observed_in_public_issues/order_updates.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        inner = row["message"]
        messages.append(
            json.dumps(inner if "e" in inner else {"e": "ORDER_TRADE_UPDATE", "o": inner}).encode()
        )
    events = [event for message in messages for event in reader.read(message, 1, 2)]
    strange = [
        event for event in events if isinstance(event, VenueNotice) and event.kind is NoticeKind.UNREADABLE
    ]
    known = ("BNBUSDT", "BTCUSD_240329", "ETHUSDT-")
    assert [] == [event.text for event in strange if not any(name in event.text for name in known)]
    assert sum(isinstance(event, TradeReported) for event in events) >= 8


@given(st.binary(max_size=120))
def test_no_bytes_raise(raw):
    events = UserReader(BOOK).read(raw, 1, 2)
    assert all(isinstance(event, VenueNotice) for event in events)


@given(st.integers(0, 420), st.binary(min_size=1, max_size=3))
def test_no_damaged_message_raises(where, damage):
    raw = json.dumps(update()).encode()
    UserReader(BOOK).read(raw[:where] + damage + raw[where + len(damage) :], 1, 2)
