"""Any exchange through ccxt's unified calls: what failures prove, what goes out, what comes in."""

import asyncio
import json
from decimal import Decimal

import pytest
from ccxt.base import errors as ccxt_errors

from holdfast.ports.venue import VenueUnusable
from holdfast.venues.anyccxt.client import AnyCcxtConfig, AnyCcxtVenue
from holdfast.venues.anyccxt.codec import (
    Book,
    Grid,
    Unreadable,
    acknowledged,
    balance_reports,
    grid_of,
    number,
    order_of,
    order_report,
    position_report,
    says,
    spot_positions,
    trade_report,
)
from holdfast.venues.anyccxt.errors import Absent, Kind, judge
from holdfast.venues.transport.hardened import Credentials, exchange_class
from holdfast.venues.transport.hop import BudgetSpent, Hop, OutcomeUnknown, WireMismatch
from holdfast.vocab.orders import OrderType, Side, TimeInForce
from holdfast.vocab.outcome import Fatal, Suppressed, Transient, Unknown, Withheld
from holdfast.vocab.reports import VenueStatus
from tests.venues.house import ACCOUNT_TAG, order_id, terms

SYMBOL = "BTC/USDT:USDT"
MARKET = {
    "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "settle": "USDT", "contract": True, "linear": True,
    "inverse": False, "spot": False, "contractSize": 0.01, "precision": {"price": 0.1, "amount": 1.0}, "active": True,
    "limits": {"amount": {"min": 1.0, "max": 1000.0}, "cost": {"min": 5.0}},
}  # fmt: skip
GRID = grid_of(MARKET, 4)
BOOK = Book(account_tag=ACCOUNT_TAG, grids={SYMBOL: GRID})
OUR_ID = BOOK.client_id(order_id())


def asked(**changes):
    return terms(**{"instrument": SYMBOL, **changes})


def failed(kind, error, *, status=400, body='{"code": 1}', written=True):
    hop = Hop()
    hop.status, hop.body, hop.written = status, body, written
    return judge(kind, hop, error)


# --- failures -------------------------------------------------------------------------------------------------

REFUSALS = [
    ccxt_errors.InsufficientFunds,
    ccxt_errors.InvalidOrder,
    ccxt_errors.OrderImmediatelyFillable,
    ccxt_errors.ContractUnavailable,
    ccxt_errors.BadSymbol,
    ccxt_errors.BadRequest,
    ccxt_errors.MarketClosed,
    ccxt_errors.PermissionDenied,
    ccxt_errors.AuthenticationError,
]
VAGUE = [
    ccxt_errors.ExchangeError,
    ccxt_errors.OperationFailed,
    ccxt_errors.NetworkError,
    ccxt_errors.ExchangeNotAvailable,
    ccxt_errors.BadResponse,
    ccxt_errors.NullResponse,
    ccxt_errors.CancelPending,
    OutcomeUnknown,
    KeyError,
]


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refusal_is_definite_only_from_the_venues_parsed_word(error):
    assert isinstance(failed(Kind.PLACE, error("x")), Fatal)
    for body in ("<html>", "", "Forbidden"):
        for status in (400, 401, 403, 404, 410, 500, 200):
            outcome = failed(Kind.PLACE, error("x"), status=status, body=body)
            assert isinstance(outcome, Unknown), (status, body)


@pytest.mark.parametrize("error", VAGUE)
@pytest.mark.parametrize("kind", Kind)
def test_what_ccxt_calls_vaguely_is_unknown_and_says_so(kind, error):
    """ccxt calls a retired endpoint "not available, try again"."""
    outcome = failed(kind, error("x"))
    assert isinstance(outcome, Unknown)
    assert outcome.unlisted


@pytest.mark.parametrize("kind", Kind)
def test_every_class_of_ccxt_is_judged_without_surprise(kind):
    for name, error in vars(ccxt_errors).items():
        if isinstance(error, type) and issubclass(error, ccxt_errors.BaseError):
            outcome = failed(kind, error("x"))
            changes = kind in (Kind.PLACE, Kind.AMEND, Kind.CANCEL, Kind.CONFIG)
            if changes and issubclass(error, ccxt_errors.OperationFailed) and isinstance(outcome, Transient):
                assert name in {"InvalidNonce", "ChecksumError", "RateLimitExceeded", "DDoSProtection"}
            assert isinstance(outcome, Transient | Fatal | Unknown | Absent)


def test_a_retired_endpoint_is_not_one_more_hiccup():
    for status in (404, 410, 403, 405, 451):
        outcome = failed(Kind.READ, ccxt_errors.ExchangeNotAvailable("x"), status=status, body="<html>")
        assert (Unknown, True) == (type(outcome), outcome.unlisted)


def test_a_duplicate_is_never_a_plain_refusal():
    """Only two of the exchanges are mapped to DuplicateOrderId; on a repeated send it means success."""
    body = '{"code":-4116,"msg":"ClientOrderId is duplicated."}'
    for error in (ccxt_errors.InvalidOrder, ccxt_errors.ExchangeError, ccxt_errors.DuplicateOrderId):
        assert isinstance(failed(Kind.PLACE, error("x"), body=body), Unknown)


def test_not_found_is_an_answer_only_when_one_order_was_asked_about():
    missing = ccxt_errors.OrderNotFound("x")
    assert isinstance(failed(Kind.QUERY, missing), Absent)
    assert isinstance(failed(Kind.CANCEL, missing), Absent)
    assert isinstance(failed(Kind.AMEND, missing), Fatal)
    assert isinstance(failed(Kind.READ, missing), Unknown)
    assert isinstance(failed(Kind.QUERY, missing, body="<html>", status=404), Unknown)


def test_what_was_never_written_was_never_sent():
    def chained(root):
        error = ccxt_errors.ExchangeNotAvailable("x")
        error.__cause__ = root
        return error

    assert isinstance(failed(Kind.PLACE, chained(OSError()), status=None, written=False), Transient)
    assert isinstance(failed(Kind.PLACE, chained(TimeoutError()), status=None, written=False), Transient)
    assert isinstance(
        failed(Kind.PLACE, ccxt_errors.ArgumentsRequired("x"), status=None, written=False), Fatal
    )
    assert isinstance(failed(Kind.PLACE, WireMismatch("x"), status=None, written=False), Fatal)
    assert isinstance(failed(Kind.PLACE, chained(OSError()), status=None), Unknown)
    assert isinstance(failed(Kind.PLACE, chained(TimeoutError()), status=None), Unknown)
    assert isinstance(failed(Kind.READ, chained(TimeoutError()), status=None), Transient)
    assert 5 == failed(Kind.PLACE, BudgetSpent(5), status=None, written=False).retry_ms


def test_a_withheld_send_is_suppressed_whatever_was_raised():
    hop = Hop()
    hop.withheld = Withheld.LATCH
    assert Suppressed(by=Withheld.LATCH) == judge(Kind.PLACE, hop, KeyError("x"))


def test_the_words_of_a_failure_carry_no_address():
    outcome = failed(
        Kind.PLACE, ccxt_errors.NotSupported("https://x/?signature=abc"), status=None, written=False
    )
    assert "signature" not in outcome.why


# --- out ------------------------------------------------------------------------------------------------------


def test_an_order_is_written_in_ccxts_words_with_exact_texts():
    limit = order_of(BOOK, order_id(), asked(qty_lots=7, price_ticks=600_001, tif=TimeInForce.POST_ONLY))
    assert ("limit", "buy", "7", "60000.1") == (limit.type, limit.side, limit.amount, limit.price)
    assert {"clientOrderId": OUR_ID, "postOnly": True} == limit.params
    market = order_of(
        BOOK,
        order_id(),
        asked(order_type=OrderType.MARKET, price_ticks=None, side=Side.SELL, reduce_only=True),
    )
    assert ("market", "sell", None, True) == (
        market.type,
        market.side,
        market.price,
        market.params["reduceOnly"],
    )
    stop = order_of(
        BOOK, order_id(), asked(order_type=OrderType.STOP_MARKET, price_ticks=None, trigger_ticks=5)
    )
    assert "0.5" == stop.params["stopLossPrice"]
    for senseless in ({"qty_lots": 0}, {"price_ticks": None}, {"close_position": True}, {"instrument": "X"}):
        with pytest.raises(Unreadable):
            order_of(BOOK, order_id(), asked(**senseless))


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://x/o", '{"sz":"7","px":"60000.1","clOrdId":"%s"}'),
        ("https://x/o", '{"size":-7,"price":60000.10,"text":"t-%s"}'),
        ("https://x/o", "size=7.000&price=60000.1&cid=%s"),
        ("https://x/o?size=7&price=60000.1&cid=%s", ""),
        ("https://x/o", '[{"orders":[{"s":"7","p":"60000.1","c":"%s"}]}]'),
        ("https://x/o", 'data={"s":"7","p":"60000.1","c":"%s"}'),
        ("https://x/%s", '{"s":7.0,"p":6.00001e4}'),
    ],
    ids=["texts", "numbers", "form", "query", "nested", "json in form", "path"],
)
def test_what_was_asked_is_found_on_the_wire_in_any_dialect(url, body):
    check = says(["7", "60000.1", None], [OUR_ID])
    check("POST", url.replace("%s", OUR_ID), body.replace("%s", OUR_ID))


@pytest.mark.parametrize(
    "body",
    [
        '{"sz":"6","px":"60000.1","c":"%s"}',
        '{"sz":"7","px":"60000","c":"%s"}',
        '{"sz":"7.0000001","px":"60000.1","c":"%s"}',
        '{"sz":"7","px":"60000.1","c":"other"}',
        '{"note":"7 at 60000.1","c":"%s"}',
        "",
        "{broken",
    ],
)
def test_what_ccxt_rounded_or_left_out_is_not_sent(body):
    with pytest.raises(WireMismatch):
        says(["7", "60000.1"], [OUR_ID])("POST", "https://x/o", body.replace("%s", OUR_ID))


# --- in -------------------------------------------------------------------------------------------------------


def test_a_market_is_counted_in_lots_of_contracts():
    spec = GRID.spec
    assert ("0.1", "0.01", 100_000, 1, 1_000, 5 * 10**8) == (
        spec.tick,
        spec.lot,
        spec.tick_lot_e8,
        spec.qty_lots_min,
        spec.qty_lots_max,
        spec.notional_e8_min,
    )
    places = grid_of({**MARKET, "precision": {"price": 2, "amount": 0}}, 2)
    assert ("0.01", Decimal(1)) == (places.spec.tick, places.step)
    tiny = grid_of({**MARKET, "precision": {"price": 1e-05, "amount": 1.0}}, 4)
    assert "0.00001" == tiny.spec.tick


@pytest.mark.parametrize(
    "changes",
    [
        {"inverse": True},
        {"option": True},
        {"precision": {}},
        {"precision": {"price": None, "amount": 1.0}},
        {"precision": {"price": 0.0, "amount": 1.0}},
        {"precision": {"price": 1e-9, "amount": 1.0}},
        {"contractSize": float("nan")},
    ],
    ids=str,
)
def test_a_market_that_cannot_be_counted_exactly_is_refused(changes):
    with pytest.raises(Unreadable):
        grid_of({**MARKET, **changes}, 4)
    with pytest.raises(Unreadable):
        grid_of(MARKET, 3)  # significant digits


ORDER = {
    "id": "9", "clientOrderId": OUR_ID, "symbol": SYMBOL, "side": "buy", "status": "open", "amount": "7", "filled": "2",
    "price": "60000.1", "timestamp": 5, "reduceOnly": None,
}  # fmt: skip


def test_an_order_is_read_exactly():
    report = order_report(BOOK, ORDER)
    assert (order_id(), "9", 7, 2, 600_001) == (
        report.order_id,
        report.venue_order_id,
        report.qty_lots,
        report.filled_lots,
        report.price_ticks,
    )
    assert VenueStatus.PARTIALLY_FILLED is report.status
    assert order_id() == order_report(BOOK, {**ORDER, "clientOrderId": f"t-{OUR_ID}"}).order_id
    assert VenueStatus.FILLED is order_report(BOOK, {**ORDER, "status": "closed", "filled": 7.0}).status
    assert VenueStatus.CANCELLED is order_report(BOOK, {**ORDER, "status": "closed"}).status
    assert VenueStatus.OTHER is order_report(BOOK, {**ORDER, "status": None}).status
    for bad in (
        {"id": None},
        {"amount": None},
        {"amount": "7.5"},
        {"filled": "nan"},
        {"side": None},
        {"symbol": "X"},
    ):
        with pytest.raises(Unreadable):
            order_report(BOOK, {**ORDER, **bad})


def test_a_bare_acknowledgement_is_the_order_that_we_sent():
    """Many venues answer with an id and nothing else; without the id it proves nothing."""
    how = {"order_id": order_id(), "terms": asked(qty_lots=7), "conditional": False}
    report = acknowledged(BOOK, {"id": "9"}, **how)
    assert (order_id(), 7, 0, VenueStatus.NEW) == (
        report.order_id,
        report.qty_lots,
        report.filled_lots,
        report.status,
    )
    assert 2 == acknowledged(BOOK, ORDER, **how).filled_lots
    for bad in ({"id": None, "status": None}, {"id": "9", "clientOrderId": "another"}):
        with pytest.raises(Unreadable):
            acknowledged(BOOK, bad, **how)


def test_a_trade_without_its_fee_is_unreadable():
    """A plausible zero would be wrong money."""
    row = {
        "id": "1",
        "order": "9",
        "symbol": SYMBOL,
        "side": "sell",
        "amount": "2",
        "price": "60000.1",
        "timestamp": 5,
    }
    fee = {"cost": "0.000000001", "currency": "USDT"}
    trade = trade_report(BOOK, {**row, "fee": fee}, {"9": OUR_ID})
    assert (order_id(), 1, "USDT", Side.SELL) == (trade.order_id, trade.fee_e8, trade.fee_asset, trade.side)
    assert 1 == trade_report(BOOK, {**row, "fee": None, "fees": [fee]}, {}).fee_e8
    for absent in ({}, {"fee": {"cost": None, "currency": None}}, {"fees": []}):
        with pytest.raises(Unreadable):
            trade_report(BOOK, {**row, **absent}, {})


def test_positions_and_balances_are_read_exactly():
    position = {
        "symbol": SYMBOL,
        "contracts": "3",
        "side": "short",
        "markPrice": "60000.14",
        "timestamp": None,
    }
    assert (-3, 600_001) == (
        position_report(BOOK, position).position_lots,
        position_report(BOOK, position).mark_ticks,
    )
    assert position_report(BOOK, {**position, "contracts": "0"}) is None
    with pytest.raises(Unreadable):
        position_report(BOOK, {**position, "side": None})
    reports = balance_reports({"total": {"USDT": "12.345678901", "BTC": "0", "ETH": None}})
    assert [("USDT", 1_234_567_890)] == [(one.asset, one.wallet_e8) for one in reports]
    spot = Grid(spec=GRID.spec, tick=GRID.tick, step=Decimal("0.001"), spot=True)
    assert [1_234] == [one.position_lots for one in spot_positions([spot], {"total": {"BTC": "1.2345"}})]


@pytest.mark.parametrize("value", ["nan", "inf", "", None, "x", float("nan"), [], {}])
def test_what_is_no_number_is_unreadable(value):
    with pytest.raises(Unreadable):
        number(value)


@pytest.mark.parametrize("value", [0.1, "0.1", Decimal("0.1")])
def test_numbers_are_exact_in_every_form_that_ccxt_has(value):
    assert Decimal("0.1") == number(value)


# --- any id -----------------------------------------------------------------------------------------------------


def test_an_unknown_exchange_or_market_is_refused_in_one_line():
    async def story():
        plain = {
            "symbols": (SYMBOL,),
            "account_tag": 1,
            "credentials": Credentials(),
            "order_window_ms": 1_000,
        }
        with pytest.raises(VenueUnusable, match="ccxt knows no exchange 'nowhere'"):
            AnyCcxtVenue(AnyCcxtConfig(exchange_id="nowhere", **plain))

    asyncio.run(story())


def test_every_exchange_of_ccxt_can_be_hardened():
    """Usable with any id: the subclass is made for each, and each can be built."""
    import ccxt.async_support as every

    from holdfast.venues.transport.hardened import harden

    for exchange_id in every.exchanges:
        base = exchange_class(exchange_id)
        made = harden(base)
        assert issubclass(made, base)
    assert len(every.exchanges) > 90


def test_the_markets_of_several_venues_are_counted_or_refused():
    """Linear contracts and spot of any venue: as ccxt describes them."""
    okx = {
        **MARKET,
        "symbol": "ETH/USDT:USDT",
        "contractSize": 0.1,
        "precision": {"amount": 0.01, "price": 0.01},
    }
    assert ("0.001", 1_000) == (grid_of(okx, 4).spec.lot, grid_of(okx, 4).spec.tick_lot_e8)
    spot = {
        **MARKET,
        "symbol": "BTC/USDT",
        "contract": False,
        "spot": True,
        "settle": None,
        "contractSize": None,
    }
    spot |= {"precision": {"amount": 1e-05, "price": 0.01}}
    assert ("0.00001", "USDT") == (grid_of(spot, 4).spec.lot, grid_of(spot, 4).spec.settle_asset)
    assert json.dumps(okx)
