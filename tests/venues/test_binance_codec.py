"""Exact texts out, exact integers in, and nothing guessed."""

import json
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.venues.binance import wire
from holdfast.venues.binance.asking import _exactly
from holdfast.venues.binance.codec import (
    Grid,
    Unreadable,
    algo_report,
    amend_params,
    balance_reports,
    cancel_params,
    cash_report,
    cause_of,
    fee_e8,
    order_report,
    place_params,
    positions_report,
    read,
    spec_of,
    specs_again,
    trade_report,
)
from holdfast.venues.transport.hop import WireMismatch
from holdfast.vocab.instruments import InstrumentStatus
from holdfast.vocab.orders import OrderType, Side, TimeInForce
from holdfast.vocab.reports import FillCause, PositionReport, VenueStatus
from holdfast.vocab.requests import AmendOrder, CancelOrder
from tests.venues.fake_binance import SYMBOLS
from tests.venues.house import SPECS, book, order_id, place, spec

BOOK = book()
OUR_ID = BOOK.client_id(order_id())
ORDER = {
    "orderId": 7,
    "symbol": "BTCUSDT",
    "status": "PARTIALLY_FILLED",
    "clientOrderId": OUR_ID,
    "price": "60000.00",
    "origQty": "0.010",
    "executedQty": "0.004",
    "side": "SELL",
    "reduceOnly": True,
    "updateTime": 1_700_000_000_123,
    "unheardOf": {"new": "field"},
}
ALGO = {
    "algoId": 2146760,
    "clientAlgoId": OUR_ID,
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.01",
    "algoStatus": "NEW",
    "triggerPrice": "58000.0",
    "price": "0.00",
    "actualOrderId": "",
    "reduceOnly": True,
    "updateTime": 5,
}


def order(**changes):
    return order_report(BOOK, read(json.dumps({**ORDER, **changes}), wire.OrderReply))


def algo(**changes):
    return algo_report(BOOK, read(json.dumps({**ALGO, **changes}), wire.AlgoReply))


# --- out ------------------------------------------------------------------------------------------------------


@given(
    lots=st.integers(1, 10**9),
    ticks=st.integers(1, 10**9),
    tick=st.sampled_from(["0.1", "0.10", "0.00001", "1", "0.5", "100"]),
    lot=st.sampled_from(["0.001", "1", "0.00000001", "10"]),
)
def test_every_size_and_price_goes_out_as_its_exact_decimal(lots, ticks, tick, lot):
    """A float in between truncated 0.0109 to 0.01 and said nothing."""
    some = spec("BTCUSDT", tick="0.1", lot="0.001")
    import msgspec

    grid = Grid.of(msgspec.structs.replace(some, tick=tick, lot=lot))
    ours = msgspec.structs.replace(BOOK, grids={"BTCUSDT": grid})
    params = place_params(ours, place(qty_lots=lots, price_ticks=ticks))
    assert Decimal(params["quantity"]) == lots * Decimal(lot)
    assert Decimal(params["price"]) == ticks * Decimal(tick)
    assert not set("eE+ ") & set(params["quantity"] + params["price"])
    assert (lots, ticks) == (grid.lots(params["quantity"]), grid.ticks(params["price"]))


def test_an_order_is_written_as_the_venue_documents_it():
    assert {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "quantity": "0.01",
        "price": "60000",
        "timeInForce": "GTX",
        "reduceOnly": "true",
        "newClientOrderId": OUR_ID,
        "newOrderRespType": "RESULT",
    } == place_params(BOOK, place(side=Side.SELL, tif=TimeInForce.POST_ONLY, reduce_only=True))
    market = place_params(BOOK, place(order_type=OrderType.MARKET, price_ticks=None))
    assert not {"price", "timeInForce", "reduceOnly"} & set(market)


def test_a_conditional_order_goes_to_the_algo_service():
    stop = place_params(
        BOOK,
        place(order_type=OrderType.STOP_MARKET, price_ticks=None, trigger_ticks=580_000, reduce_only=True),
    )
    assert ("CONDITIONAL", "58000", "true", OUR_ID) == (
        stop["algoType"],
        stop["triggerPrice"],
        stop["reduceOnly"],
        stop["clientAlgoId"],
    )
    closing = place_params(
        BOOK,
        place(order_type=OrderType.STOP_MARKET, price_ticks=None, trigger_ticks=580_000, close_position=True),
    )
    assert "true" == closing["closePosition"]
    assert not {"quantity", "reduceOnly"} & set(closing)


@pytest.mark.parametrize(
    "changes",
    [
        {"qty_lots": 0},
        {"qty_lots": -5},
        {"price_ticks": None},
        {"price_ticks": 0},
        {"order_type": OrderType.STOP_MARKET, "trigger_ticks": None},
        {"instrument": "DOGEUSDT"},
    ],
    ids=str,
)
def test_senseless_terms_are_never_written(changes):
    with pytest.raises(Unreadable):
        place_params(BOOK, place(**changes))


def test_ours_is_named_by_our_id_and_a_foreign_order_by_the_venues():
    amend = AmendOrder(
        order_id=order_id(),
        venue_order_id="9",
        instrument="BTCUSDT",
        side=Side.BUY,
        qty_lots=1,
        price_ticks=1,
    )
    assert OUR_ID == amend_params(BOOK, amend)["origClientOrderId"]
    ours = CancelOrder(order_id=order_id(), venue_order_id="9", instrument="BTCUSDT")
    foreign = CancelOrder(order_id=None, venue_order_id="9", instrument="BTCUSDT")
    assert {"symbol": "BTCUSDT", "origClientOrderId": OUR_ID} == cancel_params(BOOK, ours)
    assert {"symbol": "BTCUSDT", "orderId": "9"} == cancel_params(BOOK, foreign)
    with pytest.raises(Unreadable):
        cancel_params(BOOK, CancelOrder(order_id=None, venue_order_id="9&x=1", instrument="BTCUSDT"))


def test_the_signed_text_must_be_what_was_asked():
    """ccxt may round, rename, add or leave out: then nothing is sent."""
    params = place_params(BOOK, place())
    check = _exactly(params, window_ms=1_000, signed=True)
    tail = {"recvWindow": "1000", "signature": "ab"}
    url = "http://x/fapi/v1/order"
    check("POST", url, urlencode({"timestamp": "1", **params, **tail}))
    wrong = [
        {**params, "quantity": "0.010"},
        {**params, "quantity": "0.009"},
        {**params, "extra": "1"},
        {name: value for name, value in params.items() if name != "price"},
        {**params, "newClientOrderId": "x-broker"},
    ]
    for changed in wrong:
        with pytest.raises(WireMismatch):
            check("POST", url, urlencode({"timestamp": "1", **changed, **tail}))
    with pytest.raises(WireMismatch):
        check("POST", url, urlencode({"timestamp": "1", **params, **tail, "recvWindow": "60000"}))
    with pytest.raises(WireMismatch):
        check("POST", url, urlencode({"timestamp": "1", **params, **tail}) + "&quantity=5")
    with pytest.raises(WireMismatch):
        check("GET", url, urlencode({"timestamp": "1", **params, **tail}))


# --- in -------------------------------------------------------------------------------------------------------


def test_an_order_is_read_in_our_units():
    report = order()
    assert (order_id(), "7", Side.SELL) == (report.order_id, report.venue_order_id, report.side)
    assert (10, 4, 600_000) == (report.qty_lots, report.filled_lots, report.price_ticks)
    assert (VenueStatus.PARTIALLY_FILLED, True, False) == (
        report.status,
        report.reduce_only,
        report.conditional,
    )
    assert 1_700_000_000_123_000_000 == report.venue_ns
    assert order(price="0").price_ticks is None
    assert order(clientOrderId="web_abc").order_id is None
    assert VenueStatus.EXPIRED is order(status="EXPIRED_IN_MATCH").status
    assert VenueStatus.OTHER is order(status="PENDING_NOVELTY").status


@pytest.mark.parametrize(
    "changes",
    [
        {"origQty": "0.0104"},
        {"executedQty": "NaN"},
        {"executedQty": "Infinity"},
        {"origQty": ""},
        {"origQty": 0.01},
        {"price": "60000.05"},
        {"orderId": 0},
        {"orderId": None},
        {"orderId": "7"},
        {"symbol": "DOGEUSDT"},
        {"side": "LONG"},
        {"status": None},
    ],
    ids=str,
)
def test_an_order_that_cannot_be_counted_exactly_is_unreadable(changes):
    with pytest.raises(Unreadable):
        order(**changes)


def test_a_conditional_order_becomes_plain_when_it_triggers():
    """Cancel-all of plain orders misses the conditional ones: which it is, matters."""
    waiting = algo()
    assert (True, "2146760", VenueStatus.NEW, 580_000) == (
        waiting.conditional,
        waiting.venue_order_id,
        waiting.status,
        waiting.trigger_ticks,
    )
    triggered = algo(algoStatus="TRIGGERED", actualOrderId="88937381063", actualQty="0")
    assert (False, "88937381063", VenueStatus.NEW) == (
        triggered.conditional,
        triggered.venue_order_id,
        triggered.status,
    )
    done = algo(algoStatus="FINISHED", actualOrderId="88937381063", actualQty="0.01")
    assert (VenueStatus.FILLED, 10) == (done.status, done.filled_lots)
    dead = algo(algoStatus="FINISHED", actualOrderId="88937381063", actualQty="0")
    assert VenueStatus.CANCELLED is dead.status
    part = algo(algoStatus="FINISHED", actualOrderId="88937381063", actualQty="0.004")
    assert (VenueStatus.CANCELLED, 4) == (part.status, part.filled_lots)
    assert VenueStatus.CANCELLED is algo(algoStatus="CANCELED").status
    assert VenueStatus.OTHER is algo(algoStatus="PONDERING").status


def test_a_fee_is_rounded_against_us_and_a_rebate_too():
    assert 1 == fee_e8("0.000000001")
    assert -7_819_010 == fee_e8("-0.07819010")
    assert 0 == fee_e8("-0.000000001")
    with pytest.raises(Unreadable):
        fee_e8("none")


def test_a_trade_is_read_exactly():
    row = wire.TradeRow(
        id=698759,
        order_id=25851813,
        symbol="BTCUSDT",
        side="SELL",
        price="7819.0",
        qty="0.002",
        commission="0.00782",
        commission_asset="BNB",
        maker=True,
        time=1,
    )
    trade = trade_report(BOOK, row)
    assert ("698759", "25851813", 2, 78_190, 782_000, "BNB", True) == (
        trade.trade_id,
        trade.venue_order_id,
        trade.qty_lots,
        trade.price_ticks,
        trade.fee_e8,
        trade.fee_asset,
        trade.maker,
    )


def test_positions_are_net_and_those_we_have_no_facts_of_are_named():
    rows = [
        wire.PositionRow(symbol="BTCUSDT", position_amt="-0.010", mark_price="60000.04", update_time=3),
        wire.PositionRow(symbol="ETHUSDT", position_amt="0.000"),
        wire.PositionRow(symbol="DOGEUSDT", position_amt="5"),
        wire.PositionRow(symbol="XRPUSDT", position_amt="0"),
    ]
    report = positions_report(BOOK, rows, source=2)
    expected = PositionReport(instrument="BTCUSDT", position_lots=-10, mark_ticks=600_000, venue_ns=3_000_000)
    assert ((expected,), ("DOGEUSDT",), 2) == (report.positions, report.unlisted, report.source)
    with pytest.raises(Unreadable):
        positions_report(BOOK, [wire.PositionRow(symbol="DOGEUSDT", position_amt="?")], source=0)


def test_money_is_read_from_texts():
    assert (
        12_262_412_345_678
        == balance_reports([wire.AssetRow(asset="USDT", wallet_balance="122624.12345678")])[0].wallet_e8
    )
    row = wire.IncomeRow(
        income_type="FUNDING_FEE", income="-0.37500000", asset="USDT", time=2, tran_id="9689322392"
    )
    report = cash_report(row)
    assert ("FUNDING_FEE:9689322392", -37_500_000, "FUNDING_FEE") == (
        report.cash_id,
        report.amount_e8,
        report.kind,
    )


@pytest.mark.parametrize(
    ("client_id", "cause"),
    [
        ("autoclose-123", FillCause.LIQUIDATION),
        ("adl_autoclose", FillCause.ADL),
        ("adl_autoclose-123", FillCause.ADL),
        ("settlement_autoclose-9", FillCause.SETTLEMENT),
        ("delivery_autoclose-9", FillCause.SETTLEMENT),
        (OUR_ID, FillCause.ORDER),
        ("web_1", FillCause.ORDER),
    ],
)
def test_the_venues_own_acts_are_told_by_their_client_id(client_id, cause):
    assert cause is cause_of(client_id)


# --- instruments ------------------------------------------------------------------------------------------------


def rows(**changes):
    info = json.dumps({"symbols": [{**row, **changes} for row in SYMBOLS]})
    return read(info, wire.ExchangeInfo)


def test_an_instruments_facts_are_those_of_its_filters():
    btc = spec_of(rows().symbols[0])
    assert ("0.1", "0.001", 10_000, "BTC/USDT:USDT") == (btc.tick, btc.lot, btc.tick_lot_e8, btc.symbol)
    assert (1, 1_000_000, 120_000, 100 * 10**8) == (
        btc.qty_lots_min,
        btc.qty_lots_max,
        btc.market_lots_max,
        btc.notional_e8_min,
    )
    assert InstrumentStatus.HALTED is spec_of(rows(status="BREAK").symbols[0]).status
    assert InstrumentStatus.CLOSED is spec_of(rows(status="SETTLING").symbols[0]).status


def test_an_instrument_that_cannot_be_counted_exactly_is_refused():
    """Rounded facts are wrong money later."""
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.0000001"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001"},
    ]
    for wrong in ([], filters, [{"filterType": "PRICE_FILTER", "tickSize": "0"}, filters[1]]):
        with pytest.raises(Unreadable):
            spec_of(rows(filters=wrong).symbols[0])


def test_a_changed_fact_is_a_new_version():
    known = tuple(spec_of(row) for row in rows().symbols)
    assert known == specs_again(rows(), known)
    changed = specs_again(rows(status="BREAK"), known)
    assert [2, 2] == [one.version for one in changed]
    assert [InstrumentStatus.CLOSED] * 2 == [
        one.status for one in specs_again(wire.ExchangeInfo(symbols=[]), known)
    ]


def test_the_builders_of_these_tests_agree_with_the_codec():
    assert [one.tick_lot_e8 for one in SPECS] == [spec_of(row).tick_lot_e8 for row in rows().symbols]
